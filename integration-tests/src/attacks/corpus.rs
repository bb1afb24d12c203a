//! A corpus: attacks and ordinary questions, one JSON object a line, with directives for whoever runs them.
//!
//! Whatever a line says that is not known here is kept and reported, never guessed: an attack that could not be run as
//! it was meant is no attack that was withstood.

use super::fixture::COUNTRIES;
use serde::Deserialize;
use std::path::Path;

/// The most often one statement is sent; a corpus that wants more is run with this many, and says so.
pub const MOST_REPEATS: usize = 400;

/// Gateways that a corpus may ask through.
pub const MOST_GATEWAYS: u16 = 4;

/// Versions of the policy that a corpus may ask under: each narrows the one before it.
const MOST_VERSIONS: u64 = 20;

/// An attack, or an ordinary question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub id: String,
    /// Its family; empty for ordinary questions.
    pub class: String,
    /// What is tried.
    pub title: String,
    /// Sent in this order.
    pub statements: Vec<Statement>,
    /// The verdict of a sound system, as written in the corpus.
    pub expected: String,
}

/// One statement and how it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Statement {
    /// Without its directives. Empty where only something was to happen.
    pub sql: String,
    /// The countries asked, in lower case; all if absent.
    pub nodes: Option<Vec<String>>,
    /// The data it is asked of.
    pub epoch: Epoch,
    /// How often it is sent.
    pub repeat: usize,
    /// Who asks.
    pub analyst: String,
    /// Through which gateway, counted from 1.
    pub gateway: u16,
    /// Under which version of the policy, counted from 1.
    pub policy: u64,
    /// In which role.
    pub role: String,
    /// What is to happen before it is sent.
    pub events: Vec<Event>,
    /// What could not be followed, for the report.
    pub ignored: Vec<String>,
}

/// The data a statement is asked of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Epoch {
    /// Before the person's rows are booked.
    Before,
    /// The database under test.
    #[default]
    Now,
}

/// A fault to inject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A country's node is killed and stays away for one statement.
    Away(String),
    /// A country's node is killed and started again.
    Restart(String),
    /// The gateway is killed and started again.
    RestartGateway,
}

/// Why a corpus is not run.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A line is no entry.
    #[error("{path}, line {line}: {source}")]
    Line {
        /// The file.
        path: String,
        /// The line, from 1.
        line: usize,
        /// Why.
        source: serde_json::Error,
    },
    /// The file could not be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

#[derive(Deserialize)]
struct Line {
    id: String,
    #[serde(default)]
    class: String,
    #[serde(default)]
    title: String,
    sql: Sql,
    #[serde(default)]
    expected: String,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sql {
    List(Vec<String>),
    One(String),
}

/// Reads a corpus.
pub fn read(path: &Path) -> Result<Vec<Entry>, CorpusError> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path)
        .map_err(|source| CorpusError::Read { path: name.clone(), source })?;
    parse(&text, &name)
}

/// Parses the lines of a corpus.
pub fn parse(text: &str, name: &str) -> Result<Vec<Entry>, CorpusError> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(i, line)| {
            let line: Line = serde_json::from_str(line).map_err(|source| CorpusError::Line {
                path: name.to_owned(),
                line: i + 1,
                source,
            })?;
            let sql = match line.sql {
                Sql::List(list) => list,
                Sql::One(one) => vec![one],
            };
            Ok(Entry {
                id: line.id,
                class: line.class,
                title: line.title,
                statements: sql.iter().map(|sql| Statement::parse(sql)).collect(),
                expected: line.expected,
            })
        })
        .collect()
}

impl Statement {
    /// Splits the directives from what is sent.
    pub fn parse(text: &str) -> Self {
        let mut statement = Self {
            repeat: 1,
            analyst: "ana".to_owned(),
            gateway: 1,
            policy: 1,
            role: "analyst".to_owned(),
            ..Self::default()
        };
        let mut rest = text;
        loop {
            let (line, after) = rest.split_once('\n').unwrap_or((rest, ""));
            let Some(directives) = line
                .trim_start()
                .strip_prefix("--")
                .map(str::trim_start)
                .filter(|directives| directives.starts_with('@'))
            else {
                break;
            };
            for directive in directives.split('@').filter(|directive| !directive.trim().is_empty())
            {
                statement.follow(directive.trim().trim_end_matches(['-', ';', ',']).trim_end());
            }
            rest = after;
        }
        rest.trim_matches(['\n', '\r']).clone_into(&mut statement.sql);
        statement
    }

    fn follow(&mut self, directive: &str) {
        if !self.understand(directive) {
            self.ignored.push(format!("@{directive}"));
        }
    }

    fn understand(&mut self, directive: &str) -> bool {
        let (key, value) = directive.split_once([':', '=']).unwrap_or((directive, ""));
        let (key, value) = (key.trim().to_lowercase(), value.trim());
        match key.as_str() {
            "analyst" => self.analyst = name(value),
            "epoch" => match value.to_lowercase().as_str() {
                "t0" | "before" => self.epoch = Epoch::Before,
                "t1" | "after" | "now" => self.epoch = Epoch::Now,
                // Later epochs of the same data: nothing more is booked.
                later if later.starts_with('t') => self.epoch = Epoch::Now,
                _ => return false,
            },
            "event" => match Event::parse(value) {
                Some(event) => self.events.push(event),
                None => return false,
            },
            "gateway" => match number(value).and_then(|number| u16::try_from(number).ok()) {
                Some(number) => self.gateway = number.clamp(1, MOST_GATEWAYS),
                None => return false,
            },
            "nodes" => self.nodes = Some(nodes(value)),
            "policy" => match number(value) {
                Some(version) => self.policy = version.clamp(1, MOST_VERSIONS),
                None => return false,
            },
            "repeat" => match number(value).and_then(|times| usize::try_from(times).ok()) {
                Some(times) => {
                    self.repeat = times.clamp(1, MOST_REPEATS);
                    return self.repeat == times;
                }
                None => return false,
            },
            "role" => self.role = name(value),
            // Not SQL, and the product has no such verb: the text is sent as it is, and must be refused.
            "verb" => {}
            _ => return false,
        }
        true
    }
}

impl Event {
    /// A fault as a person describes it: which country, and whether it comes back at once.
    fn parse(text: &str) -> Option<Self> {
        let text = text.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| text.contains(word));
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        let named = COUNTRIES.iter().find(|country| words.contains(country));
        let country = (*named.unwrap_or(&super::fixture::TARGET)).to_owned();
        if has(&["gateway"]) && has(&["restart", "kill", "crash"]) {
            Some(Self::RestartGateway)
        } else if has(&["offline", "down", "drop", "absent", "unreachable", "leaves", "timeout"]) {
            Some(Self::Away(country))
        } else if has(&["restart", "kill", "crash", "reboot", "power"]) {
            Some(Self::Restart(country))
        } else {
            None
        }
    }
}

/// `ALL`, `ALL-NL`, `NL,BE`.
fn nodes(text: &str) -> Vec<String> {
    let codes = |text: &str| -> Vec<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric());
        words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
    };
    let (first, less) = text.split_once('-').unwrap_or((text, ""));
    if first.trim().eq_ignore_ascii_case("all") || first.trim().is_empty() {
        let less = codes(less);
        return COUNTRIES
            .iter()
            .filter(|country| !less.iter().any(|less| less == *country))
            .map(|country| (*country).to_owned())
            .collect();
    }
    codes(text)
}

/// The first number in a text such as `v2` or `g1`.
fn number(text: &str) -> Option<u64> {
    let digits: String =
        text.chars().skip_while(|c| !c.is_ascii_digit()).take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// A name as identities allow it.
fn name(text: &str) -> String {
    let name: String =
        text.to_lowercase().chars().filter(char::is_ascii_alphanumeric).take(16).collect();
    if name.starts_with(|c: char| c.is_ascii_alphabetic()) { name } else { format!("a{name}") }
}

#[cfg(test)]
mod tests {
    use super::{Epoch, Event, Statement, parse};

    #[test]
    fn directives_are_not_sent() {
        let text = "-- @nodes: ALL-NL\n--@epoch: t0 @repeat: 3\n-- @analyst: A-2\n-- @role: chief\nSELECT 1 -- @not one";
        let statement = Statement::parse(text);
        assert_eq!(statement.sql, "SELECT 1 -- @not one");
        assert_eq!(statement.nodes.unwrap(), ["be", "de", "es", "fr", "pl"]);
        assert_eq!((statement.epoch, statement.repeat), (Epoch::Before, 3));
        assert_eq!((statement.analyst.as_str(), statement.role.as_str()), ("a2", "chief"));
        assert_eq!(statement.ignored, Vec::<String>::new());
    }

    #[test]
    fn what_cannot_be_followed_is_said() {
        let statement =
            Statement::parse("-- @phase: 7\n-- @event: full moon\n-- @nodes: NL,xx\nSELECT 1");
        assert_eq!(statement.ignored, ["@phase: 7", "@event: full moon"]);
        assert_eq!(statement.nodes.unwrap(), ["nl", "xx"]);
    }

    #[test]
    fn events_name_a_country_and_a_fault() {
        let event = |text: &str| Statement::parse(&format!("-- @event: {text}\n")).events;
        assert_eq!(event("kill NL after charge"), [Event::Restart("nl".to_owned())]);
        assert_eq!(event("node be drops out"), [Event::Away("be".to_owned())]);
        assert_eq!(event("gateway restarts"), [Event::RestartGateway]);
    }

    #[test]
    fn both_forms_of_sql_and_unknown_fields_are_read() {
        let text = "{\"id\":\"X1\",\"sql\":\"SELECT 1\",\"more\":1}\n\n{\"id\":\"X2\",\"class\":\"c\",\"sql\":[\"a\",\"b\"]}\n";
        let entries = parse(text, "x").unwrap();
        assert_eq!(entries.len(), 2);
        assert_eq!((entries[0].statements.len(), entries[1].statements.len()), (1, 2));
        assert!(parse("{\"id\":1}", "x").unwrap_err().to_string().starts_with("x, line 1"));
    }
}
