//! Runs a corpus of attacks and a corpus of ordinary questions against real federations: `cargo xtask attacks`.
//!
//! The last line says what they came to; the exit is non-zero when anything leaked.

use mayag_integration_tests::attacks::corpus::{self, Entry};
use mayag_integration_tests::attacks::federation::Regime;
use mayag_integration_tests::attacks::run::{Judged, Report, Settings, run};
use mayag_integration_tests::attacks::verdict::Verdict;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;

const USAGE: &str = "\
usage: attacks --attacks FILE --benign FILE [--secrets N] [--confirmations N] [--only ID,ID]
               [--expect-leaks]  with the protections switched off: fails unless something leaks";

/// Lines of evidence that are printed for one attack.
const MOST_EVIDENCE: usize = 4;

#[derive(Default)]
struct Arguments {
    attacks: Vec<PathBuf>,
    benign: Vec<PathBuf>,
    only: Option<Vec<String>>,
    settings: Settings,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(arguments) = parse(&words) else {
        say(USAGE);
        return ExitCode::from(2);
    };
    let (attacks, benign) = match (read(&arguments.attacks), read(&arguments.benign)) {
        (Ok(attacks), Ok(benign)) => (attacks, benign),
        (Err(error), _) | (_, Err(error)) => {
            say(&format!("attacks: {error}"));
            return ExitCode::FAILURE;
        }
    };
    let wanted =
        |entry: &Entry| arguments.only.as_ref().is_none_or(|only| only.contains(&entry.id));
    let attacks: Vec<Entry> = attacks.into_iter().filter(wanted).collect();
    let benign: Vec<Entry> = benign.into_iter().filter(wanted).collect();
    let report = run(&attacks, &benign, arguments.settings, &|news| say(&format!("... {news}")));
    print(&report);
    let leaked = report.leaked();
    let naked = arguments.settings.regime == Regime::Naked;
    if leaked == naked { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn read(paths: &[PathBuf]) -> Result<Vec<Entry>, corpus::CorpusError> {
    let mut entries = Vec::new();
    for path in paths {
        entries.extend(corpus::read(path)?);
    }
    Ok(entries)
}

fn parse(words: &[String]) -> Option<Arguments> {
    let mut arguments = Arguments::default();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        if word == "--expect-leaks" {
            arguments.settings.regime = Regime::Naked;
            continue;
        }
        let value = words.next()?;
        match word.as_str() {
            "--attacks" => arguments.attacks.push(value.into()),
            "--benign" => arguments.benign.push(value.into()),
            "--confirmations" => arguments.settings.confirmations = positive(value)?,
            "--only" => {
                arguments.only = Some(value.split(',').map(str::to_owned).collect());
            }
            "--secrets" => arguments.settings.secrets = positive(value)?,
            _ => return None,
        }
    }
    (!arguments.attacks.is_empty() || !arguments.benign.is_empty()).then_some(arguments)
}

fn positive(text: &str) -> Option<usize> {
    text.parse().ok().filter(|number| 0 < *number)
}

fn print(report: &Report<'_>) {
    for judged in &report.attacks {
        say(&line(judged));
        for evidence in judged.evidence.iter().take(MOST_EVIDENCE) {
            say(&format!("        {evidence}"));
        }
        if MOST_EVIDENCE < judged.evidence.len() {
            say(&format!("        and {} more", judged.evidence.len() - MOST_EVIDENCE));
        }
    }
    for accepted in &report.benign {
        let word = accepted
            .fault
            .as_deref()
            .map_or_else(|| "accepted".to_owned(), |fault| format!("NOT accepted: {fault}"));
        say(&format!("{:<6}{word}", accepted.question.id));
    }
    for path in &report.spilled {
        say(&format!("something hidden is in {}", path.display()));
    }
    say(&report.summary());
}

fn line(judged: &Judged<'_>) -> String {
    let attack = judged.attack;
    let mut notes = Vec::new();
    if judged.verdict != Verdict::Leaked && is_weaker(judged.verdict, &attack.expected) {
        notes.push(format!("weaker than `{}`", attack.expected));
    }
    if judged.failed {
        notes.push("a statement failed".to_owned());
    }
    if 0 < judged.unconfirmed {
        notes.push(format!("{} differences by chance", judged.unconfirmed));
    }
    let ignored = attack.statements.iter().flat_map(|statement| &statement.ignored);
    notes.extend(ignored.map(|ignored| format!("not followed: {ignored}")));
    let notes = if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
    format!("{:<6}{:<15}{:<11}{notes}", attack.id, attack.class, judged.verdict.as_str())
}

fn is_weaker(verdict: Verdict, expected: &str) -> bool {
    let wanted = match expected {
        "refuse" => Verdict::Refused,
        "suppress" => Verdict::Suppressed,
        _ => Verdict::Protected,
    };
    wanted < verdict
}

/// Prints a line. A reader that has gone away does not matter.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{line}").and_then(|()| out.flush());
}
