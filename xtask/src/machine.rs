//! What the tests need of the machine, installed where that is possible and named exactly where it is not.

use crate::steps::{self, Step, StepError};
use std::process::{Command, Stdio};

/// A program that tests start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Tool {
    program: &'static str,
    /// The Debian package that has it.
    package: &'static str,
    needed_for: &'static str,
}

/// A C compiler is not in the list: without one this program could not have been linked.
const TOOLS: [Tool; 4] = [
    Tool { program: "git", package: "git", needed_for: "listing the tree's files" },
    Tool {
        program: "go",
        package: "golang-go golang-golang-x-mod-dev",
        needed_for: "verifying logs by another's code",
    },
    Tool {
        program: "openssl",
        package: "openssl",
        needed_for: "judging our certificates by another's code",
    },
    Tool {
        program: "strace",
        package: "strace",
        needed_for: "making system calls of the log fail",
    },
];

/// The machine cannot run the tests as it is.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MachineError {
    #[error("{0}")]
    Install(#[from] StepError),
    #[error("missing: {what}; run as root: apt-get install -y --no-install-recommends {packages}")]
    Missing { what: String, packages: String },
    #[error("{0} was installed, but cannot be started")]
    StillMissing(&'static str),
    #[error(
        "Rust {needed} or newer is needed, `rustc --version` says `{found}`; see https://rustup.rs"
    )]
    Rust { needed: &'static str, found: String },
}

/// Checks the compiler and installs what is missing.
pub(crate) fn look_after() -> Result<(), MachineError> {
    let needed = env!("CARGO_PKG_RUST_VERSION");
    let found = output_of("rustc", "--version").unwrap_or_else(|| "nothing".to_owned());
    if !new_enough(&found, needed) {
        return Err(MachineError::Rust { needed, found });
    }
    let missing: Vec<Tool> = TOOLS.into_iter().filter(|tool| !starts(tool.program)).collect();
    if missing.is_empty() {
        steps::say(&format!("== machine: {found}, nothing missing"));
        return Ok(());
    }
    if !may_install() {
        return Err(named(&missing));
    }
    install(&missing)
}

/// Whether `cargo deny` is installed; it is used where it is, nobody has to build it.
pub(crate) fn has_cargo_deny() -> bool {
    starts("cargo-deny")
}

fn install(missing: &[Tool]) -> Result<(), MachineError> {
    let packages = missing.iter().flat_map(|tool| tool.package.split(' '));
    let arguments: Vec<&str> =
        ["install", "-y", "--no-install-recommends"].into_iter().chain(packages).collect();
    steps::run_all(&[
        Step::new("package lists", "apt-get", &["update"]),
        Step::new("packages", "apt-get", &arguments).with("DEBIAN_FRONTEND", "noninteractive"),
    ])?;
    match missing.iter().find(|tool| !starts(tool.program)) {
        Some(tool) => Err(MachineError::StillMissing(tool.program)),
        None => Ok(()),
    }
}

fn named(missing: &[Tool]) -> MachineError {
    let what: Vec<String> =
        missing.iter().map(|tool| format!("`{}` ({})", tool.program, tool.needed_for)).collect();
    let packages: Vec<&str> = missing.iter().map(|tool| tool.package).collect();
    MachineError::Missing { what: what.join(", "), packages: packages.join(" ") }
}

/// Only root, and only where there is apt-get.
fn may_install() -> bool {
    starts("apt-get") && output_of("id", "-u").is_some_and(|id| id == "0")
}

fn starts(program: &str) -> bool {
    Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

fn output_of(program: &str, argument: &str) -> Option<String> {
    let output = Command::new(program).arg(argument).stdin(Stdio::null()).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether `rustc 1.95.0 (59807616e 2026-04-14)` is at least `1.94`.
fn new_enough(found: &str, needed: &str) -> bool {
    let found = found.split_whitespace().nth(1).and_then(major_and_minor);
    found.is_some() && found >= major_and_minor(needed)
}

fn major_and_minor(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.').map(str::parse);
    Some((parts.next()?.ok()?, parts.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::{TOOLS, named, new_enough, starts};

    #[test]
    fn versions_are_compared_as_numbers() {
        for good in ["rustc 1.94.0 (abc 2026-01-01)", "rustc 1.100.0-nightly (abc)", "rustc 2.0.0"]
        {
            assert!(new_enough(good, "1.94"), "{good}");
        }
        for old in ["rustc 1.93.1 (abc)", "rustc 1.9.0", "nothing", "", "rustc unknown"] {
            assert!(!new_enough(old, "1.94"), "{old}");
        }
    }

    #[test]
    fn what_is_missing_is_named_with_the_command_that_installs_it() {
        let text = named(&TOOLS).to_string();
        assert!(
            text.contains("`openssl`")
                && text.ends_with("apt-get install -y --no-install-recommends git golang-go golang-golang-x-mod-dev openssl strace")
        );
        assert!(starts("cargo") && !starts("no-such-program"));
    }
}
