//! A ledger whose process is killed again and again forgets no charge that was granted, and grants none too many.

use mayag_node::ledger::Ledger;
use std::io::Read as _;
use std::process::{Command, Stdio};
use std::time::Duration;

#[test]
fn killed_again_and_again_it_forgets_nothing_and_grants_nothing_twice() {
    killed_again_and_again(&[], 2_000, 1);
}

#[test]
fn killed_among_eight_requesters_it_grants_no_more_identifiers_than_there_are() {
    killed_again_and_again(&["searches"], 1_000, 8);
}

/// Kills a process that charges the ledger until the budget is used up. Each kill can leave one charge of each requester that
/// was durable before anybody heard of it.
fn killed_again_and_again(arguments: &[&str], budget: u64, requesters: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let deps = std::env::current_exe().unwrap();
    let program = deps.ancestors().nth(2).unwrap().join("examples/ledger");
    let mut granted = 0;
    let mut kills = 0;
    for round in 0..200_u64 {
        let mut child = Command::new(&program)
            .arg(&path)
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(5 + round * 7 % 40));
        // One that had nothing left to charge has ended by itself.
        let ended = child.try_wait().unwrap().is_some();
        child.kill().unwrap();
        let mut said = String::new();
        child.stdout.take().unwrap().read_to_string(&mut said).unwrap();
        child.wait().unwrap();
        granted += said.matches('1').count() as u64;
        kills += u64::from(!ended);
        let charges = Ledger::open(&path).unwrap().charges();
        assert!(granted <= charges, "round {round}: {granted} granted, {charges} remembered");
        let unheard = kills * requesters;
        assert!(
            charges <= granted + unheard,
            "round {round}: {charges} of {granted}, {kills} kills"
        );
        assert!(charges <= budget, "round {round}: {charges} charged");
        if ended {
            break;
        }
    }
    assert!(kills > 3, "only {kills} kills before the budget was used up");
}

#[test]
fn a_ledger_that_was_changed_is_not_opened() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    std::io::Write::write_all(&mut std::fs::File::create(&path).unwrap(), b"nonsense\n").unwrap();
    assert!(Ledger::open(&path).unwrap_err().to_string().ends_with(
        "line 1: the record does not verify; restore the file, it is never cut by itself"
    ));
}
