//! `mayag lookup normalise`: what an identifier is searched as. Nothing is sent.

use super::list::{self, MOST};
use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::{Args, ValueEnum};
use mayag_matching::normalise::{NORMVER, Normalised, Problem, normalise};
use serde::Serialize;
use std::path::PathBuf;

/// Show the one spelling of identifiers, and what is searched beside it. Nothing is sent anywhere
#[derive(Debug, Args)]
#[command(after_help = "\
One identifier a line, `word:value@qualifier`, such as `passport:M12345678@PHL`, `phone:0917 555 0101@PH`, `iban:GB29 NWBK ..` or
`person:Erika Mustermann@1964-08-12`; empty lines and lines that begin with `#` say nothing. They are read from a file or from
standard input and never from the command line, which shells keep and everybody on the machine sees.

Ends with 0 if every line is an identifier, with 1 if one is not, with 2 if there is nothing to read.

Examples:
  mayag lookup normalise < identifiers.txt
  mayag lookup normalise identifiers.txt --format json")]
pub(super) struct NormaliseArgs {
    /// A file of identifiers; without it they are read from standard input
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Sentences, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Form {
    /// Sentences.
    Human,
    /// JSON.
    Json,
}

/// What one line came to, for programs.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Said<'a> {
    Identifier {
        line: usize,
        kind: &'a str,
        rules: u16,
        value: &'a str,
        variants: Vec<&'a str>,
        /// Elements of a request: what it costs at every node.
        elements: usize,
        notes: Vec<String>,
    },
    Problem {
        line: usize,
        problem: &'a str,
        message: String,
    },
}

/// Runs the command.
pub(super) fn run(args: &NormaliseArgs, printer: &mut Printer) -> Exit {
    let text = match &args.file {
        Some(path) => list::file(path),
        None => list::standard_input(printer),
    };
    let text = match text {
        Ok(text) => text,
        Err(why) => return failed(printer, Exit::Usage, &why),
    };
    let lines = (1..).zip(text.lines().map(str::trim));
    let lines: Vec<(usize, &str)> =
        lines.filter(|(_, line)| !line.is_empty() && !line.starts_with('#')).collect();
    if lines.is_empty() {
        return failed(printer, Exit::Usage, "there is no identifier: give one a line");
    }
    if MOST < lines.len() {
        let why = format!("{} identifiers are more than the {MOST} of one list", lines.len());
        return failed(printer, Exit::Usage, &why);
    }
    let mut exit = Exit::Complete;
    let mut shown = String::new();
    for (number, line) in lines {
        let normalised = normalise(line);
        if normalised.is_err() {
            exit = Exit::Error;
        }
        let said = match args.format {
            Form::Human => Ok(human(number, &normalised)),
            Form::Json => json(number, &normalised),
        };
        match said {
            Ok(said) => shown.push_str(&said),
            Err(error) => return failed(printer, Exit::Error, &error.to_string()),
        }
        shown.push('\n');
    }
    let result = printer.data(shown.as_bytes());
    written(printer, result, exit)
}

fn human(line: usize, normalised: &Result<Normalised, Problem>) -> String {
    let normalised = match normalised {
        Ok(normalised) => normalised,
        Err(problem) => return format!("line {line}: {}", safe(&problem.to_string())),
    };
    let mut said = format!("{}  {}", normalised.kind().as_str(), safe(normalised.value()));
    for variant in normalised.variants() {
        said.push_str("\n  also searched: ");
        said.push_str(&safe(variant));
    }
    if normalised.kind().is_fuzzy() {
        let keys = normalised.searched().len();
        said.push_str("\n  searched through ");
        said.push_str(&keys.to_string());
        said.push_str(" keys: a hit is a lead, not an identification");
    }
    for note in normalised.notes() {
        said.push_str("\n  note: ");
        said.push_str(&safe(&note.to_string()));
    }
    said
}

fn json(line: usize, normalised: &Result<Normalised, Problem>) -> serde_json::Result<String> {
    serde_json::to_string(&match normalised {
        Ok(normalised) => Said::Identifier {
            line,
            kind: normalised.kind().as_str(),
            rules: NORMVER,
            value: normalised.value(),
            variants: normalised.variants().collect(),
            elements: normalised.searched().len(),
            notes: normalised.notes().iter().map(ToString::to_string).collect(),
        },
        Err(problem) => {
            Said::Problem { line, problem: problem.code().as_str(), message: problem.to_string() }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::{Form, NormaliseArgs, run};
    use crate::exit::Exit;
    use crate::printer::{Terminals, recorded};
    use std::io::Write as _;

    fn told(list: &str, format: Form) -> (Exit, String, String) {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(list.as_bytes()).unwrap();
        let (mut printer, out, talk) = recorded::printer(Terminals::Neither);
        let args = NormaliseArgs { file: Some(file.path().to_owned()), format };
        let exit = run(&args, &mut printer);
        (exit, out.text(), talk.text())
    }

    #[test]
    fn each_line_is_shown_as_it_is_searched() {
        let list = "# documents\npassport:m 1234-5O78@PH\n\nperson:Erika Mustermann@12.08.1964\n";
        let (exit, text, _) = told(list, Form::Human);
        assert_eq!(exit, Exit::Complete);
        let expected = "travel_document  PHL:P:M12345O78\n  also searched: PHL:P:M12345078\n";
        assert!(text.starts_with(expected), "{text}");
        assert!(text.contains("person  ERIKA MUSTERMANN|19640812\n  searched through "), "{text}");
        assert!(text.contains("a lead, not an identification"), "{text}");
        let (_, text, _) = told(list, Form::Json);
        let first: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
        assert_eq!(first["line"], 2);
        assert_eq!(first["value"], "PHL:P:M12345O78");
        assert_eq!(first["variants"][0], "PHL:P:M12345078");
        assert_eq!(first["elements"], 2);
    }

    #[test]
    fn what_is_no_identifier_is_named_by_its_line_and_not_quoted() {
        let (exit, text, _) = told("iban:GB29NWBK60161331926819\niban:GB00SECRET\n", Form::Human);
        assert_eq!(exit, Exit::Error);
        assert!(text.contains("\nline 2: ") && !text.contains("SECRET"), "{text}");
        let (_, text, _) = told("container:csqu 305438-4\n", Form::Json);
        assert!(text.contains("\"problem\":\"check_digit\"") && !text.contains("305438"), "{text}");
        for empty in ["", "\n# nothing\n"] {
            let (exit, text, talk) = told(empty, Form::Human);
            assert_eq!((exit, text), (Exit::Usage, String::new()));
            assert!(talk.contains("no identifier"), "{talk}");
        }
        let many = "cas:50-00-0\n".repeat(10_001);
        assert_eq!(told(&many, Form::Human).0, Exit::Usage);
    }
}
