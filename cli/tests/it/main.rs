//! The binary from outside: exit codes, help, and what goes to which stream.

#![cfg(test)]

mod federation;
mod guide;
mod lookup;
mod policy;

use std::process::{Command, Output};

fn mayag(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_mayag")).args(arguments).output().expect("mayag runs")
}

#[test]
fn usage_errors_exit_2_and_leave_stdout_empty() {
    for wrong in
        [&["ask", "--no-such-flag"][..], &["no-such-command"], &["node"], &["gateway", "--config"]]
    {
        let output = mayag(wrong);
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
        assert!(output.stdout.is_empty() && !output.stderr.is_empty(), "{wrong:?}");
    }
}

#[test]
fn every_command_has_help_with_an_example() {
    for command in ["ask", "datasets", "node", "gateway", "certs", "demo", "lookup", "policy"] {
        let output = mayag(&[command, "--help"]);
        let help = String::from_utf8(output.stdout).expect("UTF-8");
        assert_eq!(output.status.code(), Some(0), "{command}");
        assert!(help.contains(&format!("mayag {command}")), "{help}");
        assert!(help.contains("xample"), "{help}");
    }
}

#[test]
fn a_missing_profile_says_what_is_missing_and_exits_2() {
    let output = mayag(&[
        "ask",
        "--profile",
        "/nonexistent/profile.toml",
        "--purpose",
        "TREND",
        "-c",
        "SELECT 1",
    ]);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("/nonexistent/profile.toml"), "{said}");
    assert!(output.stdout.is_empty());
}

#[test]
fn a_worker_without_a_node_ends_quietly() {
    let output = mayag(&["worker"]);
    assert!(output.status.success());
    assert!(output.stdout.is_empty() && output.stderr.is_empty());
}
