//! Lookups against their limit and their peers; `cargo xtask bench lookup` runs it. Each comparison is one line, the last
//! ones.
//!
//! Figures are CPU seconds of this process, not time on the clock, so that what else runs on the machine counts little; what
//! is compared takes turns within one run. Everything runs on one thread.

#![expect(clippy::print_stdout, reason = "a benchmark speaks to whoever started it")]

mod measure;
mod openmined;
mod speed;
mod table;

use std::error::Error;
use std::process::ExitCode;

const USAGE: &str = "\
usage: bench [--rows N] [--searched N] [--pairs N] [--python PROGRAM]";

/// What to measure.
struct Settings {
    /// Rows of the table.
    rows: usize,
    /// Identifiers of the search.
    searched: usize,
    /// How often each side of a comparison has its turn.
    pairs: usize,
    /// A Python that may have `openmined-psi`.
    python: String,
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let done = match Settings::of(&words) {
        Some(settings) => run(&settings),
        None => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("bench: {error}");
            ExitCode::FAILURE
        }
    }
}

impl Settings {
    fn of(words: &[String]) -> Option<Self> {
        let mut settings =
            Self { rows: 1_000_000, searched: 10_000, pairs: 5, python: "python3".to_owned() };
        for pair in words.chunks(2) {
            let [option, value] = pair else { return None };
            match option.as_str() {
                "--pairs" => settings.pairs = value.parse().ok().filter(|pairs| *pairs > 0)?,
                "--python" => settings.python.clone_from(value),
                "--rows" => settings.rows = value.parse().ok().filter(|rows| *rows > 0)?,
                "--searched" => {
                    settings.searched = value.parse().ok().filter(|searched| *searched > 0)?;
                }
                _ => return None,
            }
        }
        Some(settings)
    }
}

fn run(settings: &Settings) -> Result<(), Box<dyn Error>> {
    let speed = speed::measure(settings.pairs)?;
    let ours = table::measure(settings.rows, settings.searched)?;
    let peer = openmined::measure(&settings.python, settings.rows, settings.searched)?;
    for line in speed.into_iter().chain(ours.lines()).chain([openmined::line(&ours, peer)]) {
        println!("{line}");
    }
    Ok(())
}
