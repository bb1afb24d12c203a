//! Steps of a task: a command with a name, run in the root of the workspace, its time printed.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// A command with a name.
#[derive(Debug)]
pub(crate) struct Step {
    name: &'static str,
    program: String,
    arguments: Vec<String>,
    setting: Option<(&'static str, &'static str)>,
}

/// A step that failed; its own output has said why.
#[derive(Debug, thiserror::Error)]
pub(crate) enum StepError {
    #[error("{name} failed after {seconds:.1} s: `{command}`")]
    Failed { name: &'static str, seconds: f64, command: String },
    #[error("{name}: `{command}` did not start: {source}")]
    Start { name: &'static str, command: String, source: std::io::Error },
}

impl Step {
    /// A step of this program.
    pub(crate) fn new(name: &'static str, program: &str, arguments: &[&str]) -> Self {
        let arguments = arguments.iter().map(|&argument| argument.to_owned()).collect();
        Self { name, program: program.to_owned(), arguments, setting: None }
    }

    /// A step of cargo.
    pub(crate) fn cargo(name: &'static str, arguments: &[&str]) -> Self {
        Self::new(name, "cargo", arguments)
    }

    /// The rules about the tree itself.
    pub(crate) fn tidy() -> Self {
        let target = ["test", "--package", "mayag-integration-tests", "--test", "it", "--locked"];
        Self::cargo("tidy", &[&target[..], &["--", "tidy::"]].concat())
    }

    /// Attacks against federations of the processes that were just built.
    pub(crate) fn attacks(words: &[String]) -> Vec<Self> {
        // With the features of the tests: what they were built with is not built again.
        let build = ["build", "--workspace", "--bins", "--test", "it", "--locked"];
        let mut attacks = Self::new("attacks", &beside("attacks"), &[]);
        attacks.arguments.extend(words.iter().map(|word| absolute(word)));
        vec![Self::cargo("build of nodes, gateways and the harness", &build), attacks]
    }

    /// A benchmark, measured with what a release would run. Those of lookups and of logs need nothing but their package, so
    /// they are examples of it: built in a few minutes, and with peers that nothing else sees.
    pub(crate) fn bench(words: &[String]) -> Self {
        let example = |name: &str| match name {
            "log" => Some(["--package", "mayag-transport", "--example", "bench_log"]),
            "lookup" => Some(["--package", "mayag-matching", "--example", "bench"]),
            _ => None,
        };
        let of_package = words.split_first().and_then(|(name, rest)| Some((example(name)?, rest)));
        let (target, rest) = of_package
            .unwrap_or((["--package", "mayag-integration-tests", "--bin", "bench"], words));
        let mut step =
            Self::cargo("bench", &[&["run", "--release"], &target[..], &["--"]].concat());
        step.arguments.extend(rest.iter().map(|word| absolute(word)));
        step
    }

    /// With one environment variable set.
    pub(crate) fn with(mut self, variable: &'static str, value: &'static str) -> Self {
        self.setting = Some((variable, value));
        self
    }

    /// Runs the step, printing its name before and its time after.
    pub(crate) fn run(&self) -> Result<(), StepError> {
        say(&format!("== {}: {}", self.name, self.command()));
        let (outcome, time) = timed(|| {
            Command::new(&self.program)
                .args(&self.arguments)
                .envs(self.setting)
                .current_dir(root())
                .status()
        });
        let status = outcome.map_err(|source| StepError::Start {
            name: self.name,
            command: self.command(),
            source,
        })?;
        let seconds = time.as_secs_f64();
        if !status.success() {
            return Err(StepError::Failed { name: self.name, seconds, command: self.command() });
        }
        say(&format!("== {}: {seconds:.1} s", self.name));
        Ok(())
    }

    /// The command, to be copied into a shell.
    fn command(&self) -> String {
        let setting = self
            .setting
            .map(|(variable, value)| format!("{variable}='{value}' "))
            .unwrap_or_default();
        format!("{setting}{} {}", self.program, self.arguments.join(" "))
    }
}

/// Runs the steps in turn; the first that fails ends it.
pub(crate) fn run_all(steps: &[Step]) -> Result<(), StepError> {
    steps.iter().try_for_each(Step::run)
}

/// Prints one line.
#[expect(
    clippy::print_stdout,
    reason = "a task speaks to whoever started it, here and nowhere else"
)]
pub(crate) fn say(line: &str) {
    println!("{line}");
}

/// A program that Cargo builds where it built this one.
fn beside(program: &str) -> String {
    let here = std::env::current_exe().unwrap_or_default();
    here.with_file_name(program).display().to_string()
}

/// Steps run in the root: a file is meant where it was named.
fn absolute(word: &str) -> String {
    let file = Path::new(word);
    let absolute = if file.is_file() { std::path::absolute(file).ok() } else { None };
    absolute.map_or_else(|| word.to_owned(), |path| path.display().to_string())
}

/// The workspace's root: tasks do the same wherever in the tree they are started.
fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

#[expect(clippy::disallowed_methods, reason = "the time of a build is nothing a test controls")]
fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let outcome = work();
    (outcome, start.elapsed())
}

#[cfg(test)]
mod tests {
    use super::{Step, StepError, run_all};

    #[test]
    fn the_first_step_that_fails_ends_the_task() {
        run_all(&[Step::new("nothing", "true", &[])]).unwrap();
        let steps =
            [Step::new("broken", "false", &["now"]), Step::new("never", "no-such-program", &[])];
        let error = run_all(&steps).unwrap_err();
        assert!(matches!(error, StepError::Failed { name: "broken", .. }), "{error}");
        assert!(error.to_string().ends_with("`false now`"));
        assert!(matches!(run_all(&steps[1..]), Err(StepError::Start { name: "never", .. })));
    }

    #[test]
    fn a_step_shows_the_command_that_repeats_it() {
        let step =
            Step::cargo("documentation", &["doc", "--no-deps"]).with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(step.command(), "RUSTDOCFLAGS='-D warnings' cargo doc --no-deps");
    }

    #[test]
    fn each_benchmark_is_run_where_it_is() {
        let command = |words: &[&str]| {
            Step::bench(&words.iter().map(|&word| word.to_owned()).collect::<Vec<_>>()).command()
        };
        assert_eq!(
            command(&["lookup", "--rows", "9"]),
            "cargo run --release --package mayag-matching --example bench -- --rows 9"
        );
        assert_eq!(
            command(&["decision"]),
            "cargo run --release --package mayag-integration-tests --bin bench -- decision"
        );
        assert_eq!(
            command(&["log"]),
            "cargo run --release --package mayag-transport --example bench_log --"
        );
    }

    #[test]
    fn steps_run_in_the_root() {
        Step::new("root", "test", &["-f", "xtask/Cargo.toml"]).run().unwrap();
    }
}
