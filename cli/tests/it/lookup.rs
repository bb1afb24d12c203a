//! `mayag lookup` from outside: nothing is sent of a list that is wrong, and no identifier is repeated in what is said.

use std::io::Write as _;
use std::process::{Command, Output, Stdio};

fn lookup(arguments: &[&str], input: &str) -> Output {
    let mut running = Command::new(env!("CARGO_BIN_EXE_mayag"))
        .arg("lookup")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("mayag runs");
    // Whoever reads nothing closes its end.
    let _unread = running.stdin.take().expect("a pipe").write_all(input.as_bytes());
    running.wait_with_output().expect("mayag ends")
}

fn refused(arguments: &[&str], input: &str) -> String {
    let output = lookup(arguments, input);
    let said = String::from_utf8(output.stderr).expect("UTF-8");
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    assert!(!said.contains("12345678") && !said.contains("SECRET"), "{said}");
    said
}

#[test]
fn bad_lines_are_named_all_at_once_and_end_with_2() {
    let list = "passport:M12345678@PHL\niban:GB00SECRET\n\nSECRET\n";
    for arguments in [&["-", "--purpose", "BORDER"][..], &["--purpose", "BORDER"]] {
        let said = refused(arguments, list);
        assert!(said.contains("line 2: ") && said.contains("line 4: "), "{said}");
        assert!(said.contains("2 of 3 are no identifiers, nothing was sent"), "{said}");
    }
    let said = refused(&["-", "--skip-bad", "--profile", "/nonexistent"], list);
    assert!(said.contains("are left out") && said.contains("/nonexistent"), "{said}");
    assert!(refused(&["-"], "").contains("there is no identifier"));
}

#[test]
fn an_identifier_on_the_command_line_is_warned_of() {
    let said = refused(&["passport:M12345678@PHL", "--profile", "/nonexistent"], "");
    assert!(said.starts_with("warning: identifiers on the command line are kept"), "{said}");
    let said = refused(&["-", "--profile", "/nonexistent"], "passport:M12345678@PHL");
    assert!(!said.contains("warning"), "{said}");
}

#[test]
fn its_parts_are_not_mixed() {
    for wrong in [&["tables", "cas:50-00-0"][..], &["cas:50-00-0", "tables", "--skip-bad"]] {
        assert_eq!(lookup(wrong, "").status.code(), Some(2), "{wrong:?}");
    }
    refused(&["tables", "--purpose", "BORDER", "--profile", "/nonexistent"], "");
}
