//! Which identifiers are searched: from arguments, files, standard input or a prompt; as lines or as CSV.
//!
//! What is no identifier is named by its place and never quoted.

use crate::printer::Printer;
use mayag_matching::normalise::{Label, Normalised, Problem, normalise, normalise_parts};
use mayag_transport::files;
use std::convert::Infallible;
use std::fmt;
use std::io::{IsTerminal as _, Read as _};
use std::path::Path;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The longest list: 10,000 identifiers of any length.
const LONGEST: usize = 8 * 1024 * 1024;

/// The most identifiers of one list.
pub(super) const MOST: usize = 10_000;

/// An argument: an identifier, `@FILE` or `-`. Its `Debug` shows nothing.
#[derive(Clone)]
pub(super) struct Typed(Zeroizing<String>);

impl FromStr for Typed {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

impl fmt::Debug for Typed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Typed([redacted])")
    }
}

/// An identifier of the list.
pub(super) struct Entry {
    /// Its number in the list, from 1; what is no identifier is counted too.
    pub(super) row: usize,
    /// As it was typed.
    pub(super) typed: Zeroizing<String>,
    pub(super) identifier: Normalised,
}

/// A line that is no identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bad {
    /// Where it stands.
    pub(super) place: String,
    /// What is wrong with it.
    pub(super) problem: String,
}

/// A list.
#[derive(Default)]
pub(super) struct Given {
    pub(super) entries: Vec<Entry>,
    pub(super) bad: Vec<Bad>,
    rows: usize,
}

/// Reads all identifiers; the error says what is wrong with the list as a whole.
pub(super) fn read(arguments: &[Typed], printer: &mut Printer) -> Result<Given, String> {
    let mut given = Given::default();
    if arguments.is_empty() {
        let text = standard_input(printer)?;
        given.text(&text, "");
    }
    let mut seen = false;
    for (number, Typed(argument)) in (1..).zip(arguments) {
        if argument.as_str() == "-" {
            let text = standard_input(printer)?;
            given.text(&text, "standard input, ");
        } else if let Some(path) = argument.strip_prefix('@') {
            let text = file(Path::new(path))?;
            given.text(&text, &format!("{path}, "));
        } else {
            seen = true;
            given.add(argument, normalise(argument), || format!("argument {number}"));
        }
    }
    if seen {
        printer.talk("warning: identifiers on the command line are kept by the shell and seen by others on this machine: use @FILE, `-`, or give none to be asked");
    }
    if MOST < given.rows {
        return Err(format!("{} identifiers are more than the {MOST} of one list", given.rows));
    }
    if given.rows == 0 {
        return Err("there is no identifier: give one a line".to_owned());
    }
    Ok(given)
}

/// The text of a file.
pub(super) fn file(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = files::read(path, LONGEST).map_err(|error| error.to_string())?;
    utf8(bytes)
}

/// The text of standard input; a person at a terminal is told what to type.
pub(super) fn standard_input(printer: &mut Printer) -> Result<Zeroizing<String>, String> {
    let mut input = std::io::stdin();
    if input.is_terminal() {
        printer.talk("identifiers, one a line, such as passport:M12345678@PHL; end with Ctrl-D");
    }
    let mut bytes = Vec::new();
    let most = u64::try_from(LONGEST).unwrap_or(u64::MAX).saturating_add(1);
    (&mut input)
        .take(most)
        .read_to_end(&mut bytes)
        .map_err(|error| format!("reading standard input: {}", error.kind()))?;
    if LONGEST < bytes.len() {
        return Err(format!("the list is longer than {LONGEST} bytes"));
    }
    utf8(bytes)
}

fn utf8(bytes: Vec<u8>) -> Result<Zeroizing<String>, String> {
    let text = String::from_utf8(bytes).map_err(|error| {
        drop(Zeroizing::new(error.into_bytes()));
        "the list is not UTF-8".to_owned()
    });
    text.map(Zeroizing::new)
}

impl Given {
    fn add(
        &mut self,
        typed: &str,
        normalised: Result<Normalised, Problem>,
        place: impl FnOnce() -> String,
    ) {
        self.rows += 1;
        match normalised {
            Ok(identifier) => {
                let typed = Zeroizing::new(typed.to_owned());
                self.entries.push(Entry { row: self.rows, typed, identifier });
            }
            Err(problem) => self.wrong(place(), problem.to_string()),
        }
    }

    fn wrong(&mut self, place: String, problem: String) {
        self.bad.push(Bad { place, problem });
    }

    /// A text of lines, or of CSV if its first line names the column `identifier`.
    fn text(&mut self, text: &str, source: &str) {
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let lines = (1..).zip(text.lines().map(str::trim));
        let mut lines =
            lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).peekable();
        let columns = lines.peek().and_then(|(_, first)| Columns::of(first));
        if columns.is_some() {
            lines.next();
        }
        for (number, line) in lines {
            let place = || format!("{source}line {number}");
            match &columns {
                None => self.add(line, normalise(line), place),
                Some(columns) => match columns.read(line) {
                    Some((typed, normalised)) => self.add(&typed, normalised, place),
                    None => {
                        self.rows += 1;
                        let what = "the line has other fields than the first one: quote what has a separator in it";
                        self.wrong(place(), what.to_owned());
                    }
                },
            }
        }
    }
}

/// Where the columns of a CSV are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Columns {
    separator: char,
    count: usize,
    identifier: usize,
    label: Option<usize>,
    qualifier: Option<usize>,
}

impl Columns {
    fn of(header: &str) -> Option<Self> {
        [',', ';', '\t'].into_iter().find_map(|separator| {
            let names = fields(header, separator)?;
            let named =
                |name: &str| names.iter().position(|field| field.trim().eq_ignore_ascii_case(name));
            Some(Self {
                separator,
                count: names.len(),
                identifier: named("identifier")?,
                label: named("label"),
                qualifier: named("qualifier"),
            })
        })
    }

    /// An identifier as it would be typed, and what it is; `None` where the line has other fields than the header.
    fn read(self, line: &str) -> Option<(Zeroizing<String>, Result<Normalised, Problem>)> {
        let fields = fields(line, self.separator)?;
        if fields.len() != self.count {
            return None;
        }
        let field = |at: Option<usize>| at.and_then(|at| fields.get(at)).map(|field| field.trim());
        let some = |at| field(at).filter(|text: &&str| !text.is_empty());
        let value = field(Some(self.identifier))?;
        let (label, qualifier) = (some(self.label), some(self.qualifier));
        let (word, value) = match (label, qualifier) {
            (None, None) => return Some((Zeroizing::new(value.to_owned()), normalise(value))),
            (Some(label), _) => (label, value),
            (None, Some(_)) => value.split_once(':').unwrap_or(("", value)),
        };
        let typed = qualifier.map_or_else(
            || format!("{word}:{value}"),
            |qualifier| format!("{word}:{value}@{qualifier}"),
        );
        let label = word.trim().parse::<Label>();
        let normalised = label.and_then(|label| normalise_parts(label, value, qualifier));
        Some((Zeroizing::new(typed), normalised))
    }
}

/// The fields of a line (RFC 4180, without line breaks in fields); `None` where a quote is out of place.
fn fields(line: &str, separator: char) -> Option<Vec<Zeroizing<String>>> {
    let mut all = Vec::new();
    let mut rest = line;
    loop {
        let mut field = Zeroizing::new(String::with_capacity(rest.len()));
        if let Some(mut quoted) = rest.strip_prefix('"') {
            loop {
                let (before, after) = quoted.split_once('"')?;
                field.push_str(before);
                match after.strip_prefix('"') {
                    Some(more) => {
                        field.push('"');
                        quoted = more;
                    }
                    None => {
                        rest = after;
                        break;
                    }
                }
            }
            if !(rest.is_empty() || rest.starts_with(separator)) {
                return None;
            }
        } else {
            let (plain, _) = rest.split_once(separator).unwrap_or((rest, ""));
            if plain.contains('"') {
                return None;
            }
            field.push_str(plain);
            rest = rest.strip_prefix(plain)?;
        }
        all.push(field);
        match rest.strip_prefix(separator) {
            Some(more) => rest = more,
            None => return Some(all),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Given, Typed, fields, read};
    use crate::printer::{Terminals, recorded};
    use std::io::Write as _;

    fn of(text: &str) -> Given {
        let mut given = Given::default();
        given.text(text, "");
        given
    }

    fn values(given: &Given) -> Vec<(usize, &str, &str)> {
        given.entries.iter().map(|it| (it.row, it.identifier.value(), it.typed.as_str())).collect()
    }

    #[test]
    fn lines_and_csv_are_told_apart_by_the_first_line() {
        let lines = of("# mine\npassport:m 1234-5678@PH\n\ncas:50-00-0\n");
        assert_eq!(
            values(&lines),
            [(1, "PHL:P:M12345678", "passport:m 1234-5678@PH"), (2, "50-00-0", "cas:50-00-0")]
        );
        let csv = of(
            "\u{feff}note,Identifier\r\nx,cas:50-00-0\r\n\"a,b\",\"passport:M12345678@PHL\"\r\n",
        );
        assert_eq!(
            values(&csv),
            [(1, "50-00-0", "cas:50-00-0"), (2, "PHL:P:M12345678", "passport:M12345678@PHL")]
        );
        let columns = of(
            "label;identifier;qualifier\npassport;M12345678;PHL\ncas;50-00-0;\n;passport:M1234567;DEU\n",
        );
        assert_eq!(
            values(&columns),
            [
                (1, "PHL:P:M12345678", "passport:M12345678@PHL"),
                (2, "50-00-0", "cas:50-00-0"),
                (3, "DEU:P:M1234567", "passport:M1234567@DEU")
            ]
        );
    }

    #[test]
    fn every_bad_line_is_named_and_none_is_quoted() {
        let given = of(
            "identifier,label\nGB00SECRET,iban\nM12345678@PHL,passport\n1,2,3\n\"SECRET,iban\nSECRET,nothing\n",
        );
        let places: Vec<&str> = given.bad.iter().map(|bad| bad.place.as_str()).collect();
        assert_eq!(places, ["line 2", "line 3", "line 4", "line 5", "line 6"]);
        let said: String = given.bad.iter().map(|bad| bad.problem.as_str()).collect();
        assert!(!said.contains("SECRET") && !said.contains("12345678"), "{said}");
        assert!(given.entries.is_empty());
    }

    #[test]
    fn quotes_follow_rfc_4180() {
        let read = |line| {
            let all: Option<Vec<_>> = fields(line, ',');
            all.map(|all| all.iter().map(|it| it.as_str().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            read("a,\"b \"\"c\"\", d\","),
            Some(vec!["a".into(), "b \"c\", d".into(), String::new()])
        );
        assert_eq!(read(""), Some(vec![String::new()]));
        for wrong in ["a\"b", "\"a", "\"a\"b,c"] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn arguments_are_files_or_identifiers_and_the_latter_are_warned_of() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(b"cas:50-00-0\niban:GB00SECRET\n").unwrap();
        let path = file.path().display().to_string();
        let read = |arguments: &[&str]| {
            let (mut printer, _, talk) = recorded::printer(Terminals::Neither);
            let arguments: Vec<Typed> = arguments.iter().map(|it| it.parse().unwrap()).collect();
            assert!(!format!("{arguments:?}").contains("12345678"));
            (read(&arguments, &mut printer), talk.text())
        };
        let (given, talk) = read(&["passport:M12345678@PHL", &format!("@{path}"), "cas:"]);
        let given = given.unwrap();
        assert_eq!(values(&given).iter().map(|it| it.0).collect::<Vec<_>>(), [1, 2]);
        let places: Vec<&str> = given.bad.iter().map(|bad| bad.place.as_str()).collect();
        assert_eq!(places, [&format!("{path}, line 2"), "argument 3"]);
        assert!(talk.starts_with("warning: ") && !talk.contains("12345678"), "{talk}");
        let (_, talk) = read(&[&format!("@{path}")]);
        assert_eq!(talk, "");
        assert!(read(&["@/nonexistent"]).0.is_err());
        file.write_all("cas:50-00-0\n".repeat(10_000).as_bytes()).unwrap();
        let refused = read(&[&format!("@{path}")]).0.err().unwrap();
        assert_eq!(refused, "10002 identifiers are more than the 10000 of one list");
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(read(&[&format!("@{}", empty.path().display())]).0.is_err());
    }
}
