//! `cargo xtask`: everything CI runs, by the same name, on any machine.
//!
//! Each task is a list of steps that are printed with their time; the first that fails ends the task. `test` is the
//! README's command: it looks after the machine first, so that it can be the only command on a fresh one.

mod machine;
mod steps;

use crate::machine::MachineError;
use crate::steps::{Step, StepError};
use std::process::ExitCode;

const USAGE: &str = "\
usage: cargo xtask <task>

  check        everything: lint, then test
  test         looks after the machine, builds and runs every test and every documentation example
  lint         formatting, clippy and documentation, with every warning an error
  tidy         the quickest part: formatting and the rules about the tree itself
  fmt          formats the tree
  bench NAME   runs a benchmark in a release build: spine, decision, log, lookup or timing
  attacks ..   runs a corpus of attacks and one of ordinary questions against real federations:
               --attacks FILE --benign FILE [--secrets N] [--confirmations N] [--only ID,ID] [--expect-leaks]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
enum Task {
    Attacks(Vec<String>),
    Bench(Vec<String>),
    Check,
    Fmt,
    Lint,
    Test,
    Tidy,
}

#[derive(Debug, thiserror::Error)]
enum TaskError {
    #[error("{0}")]
    Machine(#[from] MachineError),
    #[error("{0}")]
    Step(#[from] StepError),
}

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let Some(task) = Task::of(&words) else {
        steps::say(USAGE);
        return ExitCode::from(2);
    };
    match run(&task) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            steps::say(&format!("xtask: {error}"));
            ExitCode::FAILURE
        }
    }
}

impl Task {
    fn of(words: &[String]) -> Option<Self> {
        let (task, rest) = words.split_first()?;
        match (task.as_str(), rest) {
            ("attacks", words) if !words.is_empty() => Some(Self::Attacks(words.to_vec())),
            ("bench", names) if !names.is_empty() => Some(Self::Bench(names.to_vec())),
            ("check", []) => Some(Self::Check),
            ("fmt", []) => Some(Self::Fmt),
            ("lint", []) => Some(Self::Lint),
            ("test", []) => Some(Self::Test),
            ("tidy", []) => Some(Self::Tidy),
            _ => None,
        }
    }
}

fn run(task: &Task) -> Result<(), TaskError> {
    match task {
        Task::Attacks(words) => steps::run_all(&Step::attacks(words))?,
        Task::Bench(names) => Step::bench(names).run()?,
        Task::Check => {
            steps::run_all(&lint())?;
            test()?;
        }
        Task::Fmt => Step::cargo("fmt", &["fmt", "--all"]).run()?,
        Task::Lint => steps::run_all(&lint())?,
        Task::Test => test()?,
        Task::Tidy => steps::run_all(&[format_check(), Step::tidy()])?,
    }
    Ok(())
}

fn format_check() -> Step {
    Step::cargo("formatting", &["fmt", "--all", "--check"])
}

/// Cheapest first. Clippy and the documentation share one build of the dependencies.
fn lint() -> Vec<Step> {
    let documentation = ["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"];
    let mut steps = vec![
        format_check(),
        Step::cargo(
            "clippy",
            &["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"],
        ),
        Step::cargo("documentation", &documentation).with("RUSTDOCFLAGS", "-D warnings"),
    ];
    if machine::has_cargo_deny() {
        steps.push(Step::cargo("dependencies", &["deny", "check", "bans", "licenses", "sources"]));
    }
    steps
}

/// Building is a step of its own, so that its time is not mistaken for that of the tests.
fn test() -> Result<(), TaskError> {
    machine::look_after()?;
    Ok(steps::run_all(&[
        Step::cargo("build of all tests", &["test", "--workspace", "--locked", "--no-run"]),
        // The same cases whenever a change is judged; `cargo test` alone draws new ones.
        Step::cargo("tests", &["test", "--workspace", "--locked"])
            .with("PROPTEST_RNG_SEED", "20260601"),
    ])?)
}

#[cfg(test)]
mod tests {
    use super::{Task, USAGE};

    fn task(words: &str) -> Option<Task> {
        Task::of(&words.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn every_task_of_the_usage_exists_and_nothing_else() {
        for line in USAGE.lines().filter(|line| line.starts_with("  ")) {
            let name = line.split_whitespace().next().unwrap();
            let words = match name {
                "attacks" => "attacks --attacks x",
                "bench" => "bench spine",
                "--attacks" => continue,
                _ => name,
            };
            assert!(task(words).is_some(), "{name}");
        }
        for name in ["decision", "log", "lookup", "spine"] {
            let bench = task(&format!("bench {name}"));
            assert_eq!(bench, Some(Task::Bench(vec![name.to_owned()])));
        }
        for refused in ["", "bench", "deploy", "test everything", "--help"] {
            assert_eq!(task(refused), None, "{refused}");
        }
    }
}
