//! `mayag policy check`: what is wrong with a policy file, before a node reads it, for people and for programs.

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::{Printer, Reader};
use crate::safe::{harmless, safe};
use clap::{Args, ValueEnum};
use mayag_audit::keys::sha256;
use mayag_policies::catalogue::{self, Catalogue};
use mayag_policies::document::report::{json, sarif};
use mayag_policies::document::{self, Policy, Problem, Severity, examine};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::files;
use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, NamedSource};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The width that lines of a report are wrapped to.
const WIDTH: usize = 120;

/// Report everything that is wrong with a policy file, with line and column
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 if a node would take the file, with 1 if not, with 2 if it cannot be read. With --strict, advice that is
not followed ends with 1 too.

Examples:
  mayag policy check ./kr/policy.json
  mayag policy check --strict --format sarif policy.json > policy.sarif")]
pub(super) struct CheckArgs {
    /// The policy file
    pub(super) file: PathBuf,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    pub(super) catalogue: Option<PathBuf>,
    /// How problems are written
    #[arg(long, value_enum, default_value_t = Format::Human)]
    pub(super) format: Format,
    /// Take advice as seriously as errors
    #[arg(long)]
    pub(super) strict: bool,
}

/// How problems are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// With the lines they are about
    Human,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code review systems
    Sarif,
}

/// Checks a policy file.
pub(super) fn run(args: &CheckArgs, printer: &mut Printer) -> Exit {
    let read = catalogue(args.catalogue.as_deref()).and_then(|catalogue| {
        let bytes =
            files::read(&args.file, document::LONGEST).map_err(|error| error.to_string())?;
        Ok((catalogue, bytes))
    });
    let (catalogue, bytes) = match read {
        Ok(read) => read,
        Err(what) => return failed(printer, Exit::Usage, &what),
    };
    let problems = examine(&bytes, &catalogue, SystemClock.now());
    let serious = |problem: &Problem| args.strict || problem.severity() == Severity::Error;
    let exit = if problems.iter().any(serious) { Exit::Error } else { Exit::Complete };
    let file = args.file.display().to_string();
    let text = match args.format {
        Format::Json => json(&file, &problems),
        Format::Sarif => sarif("mayag", env!("CARGO_PKG_VERSION"), &file, &bytes, &problems),
        Format::Human => {
            drawn(&file, &bytes, &problems, printer.reader())
                + &summary(&bytes, &catalogue, &problems)
        }
    };
    let result = printer.data(text.as_bytes());
    written(printer, result, exit)
}

fn catalogue(path: Option<&Path>) -> Result<Catalogue, String> {
    let Some(path) = path else { return Ok(Catalogue::builtin()) };
    let bytes = files::read(path, catalogue::LONGEST).map_err(|error| error.to_string())?;
    Catalogue::parse(&bytes).map_err(|error| error.to_string())
}

/// The last line: which policy it is, or how much is wrong with it.
fn summary(bytes: &[u8], catalogue: &Catalogue, problems: &[Problem]) -> String {
    let count = |severity, word: &str| {
        let count = problems.iter().filter(|problem| problem.severity() == severity).count();
        format!("{count} {word}{}", if count == 1 { "" } else { "s" })
    };
    match Policy::parse(bytes, catalogue, sha256) {
        Ok(policy) => {
            let (country, version) = (policy.country(), policy.version());
            let line = format!(
                "policy of `{country}`, serial {}, sha256 {}",
                version.serial, version.digest
            );
            match problems {
                [] => format!("{line}\n"),
                _ => format!("{line}, {}\n", count(Severity::Warning, "warning")),
            }
        }
        Err(_) => format!("{}: no node takes this file\n", count(Severity::Error, "error")),
    }
}

/// Every problem with the line that it is about.
fn drawn(file: &str, bytes: &[u8], problems: &[Problem], reader: Reader) -> String {
    let theme = match reader {
        Reader::Program => GraphicalTheme::unicode_nocolor(),
        Reader::Terminal => GraphicalTheme::unicode(),
    };
    let handler = GraphicalReportHandler::new_themed(theme).with_width(WIDTH).without_cause_chain();
    let text = Arc::new(drawable(bytes));
    problems.iter().fold(String::new(), |mut drawn, problem| {
        let text = NamedSource::new(safe(file), Arc::clone(&text));
        let diagnostic = Diagnostic { problem, text };
        // Writing to a text fails only where a value refuses to be shown, and these are texts.
        if handler.render_report(&mut drawn, &diagnostic).is_err() {
            drawn.push_str(&safe(&problem.to_string()));
        }
        drawn.push('\n');
        drawn
    })
}

/// The text of a file for a terminal: what a terminal would act on is a `?` for every byte, so that places stay right.
fn drawable(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if harmless(c) || c == '\n' {
                text.push(c);
            } else if c == '\t' || c == '\r' {
                text.push(' ');
            } else {
                text.extend(std::iter::repeat_n('?', c.len_utf8()));
            }
        }
        text.extend(std::iter::repeat_n('?', chunk.invalid().len()));
    }
    text
}

/// A problem as `miette` draws it.
#[derive(Debug)]
struct Diagnostic<'a> {
    problem: &'a Problem,
    text: NamedSource<Arc<String>>,
}

impl fmt::Display for Diagnostic<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&safe(&self.problem.message))
    }
}

impl std::error::Error for Diagnostic<'_> {}

impl miette::Diagnostic for Diagnostic<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let place = match self.problem.pointer.as_str() {
            "" => String::new(),
            pointer => format!(" at {}", safe(pointer)),
        };
        Some(Box::new(format!("{} {}{place}", self.problem.rule, self.problem.rule.name())))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(match self.problem.severity() {
            Severity::Error => miette::Severity::Error,
            Severity::Warning => miette::Severity::Warning,
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        let help = self.problem.help.as_ref()?;
        Some(Box::new(safe(help)))
    }

    fn source_code(&self) -> Option<&dyn miette::SourceCode> {
        Some(&self.text)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        let span = self.problem.span.as_ref()?;
        let start = usize::try_from(span.start).ok()?;
        let length = usize::try_from(span.end - span.start).ok()?;
        Some(Box::new(std::iter::once(LabeledSpan::new(None, start, length))))
    }
}

#[cfg(test)]
mod tests;
