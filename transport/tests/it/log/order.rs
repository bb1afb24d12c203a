//! What is synchronised before what, seen by `strace`: a crash of the machine, unlike one of the program, loses what was
//! written and not synchronised, and no test can pull the plug.

use super::{logwriter, say_skipped_without_strace};
use std::fs;
use std::path::Path;
use std::process::Command;

/// A system call with the paths it is about: those of open files are printed as `3</path>`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Call {
    Acknowledge,
    MakeFolder(String),
    Rename(String, String),
    SyncFile(String),
    WriteAhead(String),
    SyncAhead(String),
}

#[test]
fn everything_is_synchronised_before_it_is_counted_on() {
    if say_skipped_without_strace() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let calls = traced(folder.path());
    let count = |kind: fn(&Call) -> bool| calls.iter().filter(|call| kind(call)).count();
    assert_eq!(count(|call| matches!(call, Call::Acknowledge)), 40);
    assert!(2 <= count(|call| matches!(call, Call::Rename(_, to) if to.ends_with("/checkpoint"))));
    let state = folder.path().join("state").display().to_string();
    assert!(calls.contains(&Call::MakeFolder(state)), "all folders are made here");
    for (at, call) in calls.iter().enumerate() {
        let (before, after) = (&calls[..at], &calls[at + 1..]);
        match call {
            Call::WriteAhead(path) => next_but_none_acknowledged(after, path),
            Call::Rename(from, to) => {
                assert!(
                    before.contains(&Call::SyncFile(from.clone())),
                    "{from} was not synchronised"
                );
                let folder = Path::new(to).parent().unwrap().display().to_string();
                assert!(after.contains(&Call::SyncFile(folder)), "the folder of {to} was not");
                in_order(before, to);
            }
            Call::MakeFolder(path) => {
                let above = Path::new(path).parent().unwrap().display().to_string();
                assert!(after.contains(&Call::SyncFile(above)), "the folder above {path} was not");
            }
            Call::Acknowledge | Call::SyncFile(_) | Call::SyncAhead(_) => {}
        }
    }
}

/// Nobody is answered between a write ahead and its sync.
fn next_but_none_acknowledged(after: &[Call], path: &str) {
    let synced = after.iter().position(|call| *call == Call::SyncAhead(path.to_owned()));
    let synced = synced.unwrap_or_else(|| panic!("{path} was written and not synchronised"));
    assert!(!after[..synced].contains(&Call::Acknowledge), "answered before the sync of {path}");
}

/// A checkpoint is published after the tiles, and all of them after `last-signed`.
fn in_order(before: &[Call], to: &str) {
    let renamed = |name: &str| {
        before.iter().rposition(|call| matches!(call, Call::Rename(_, to) if to.ends_with(name)))
    };
    if to.contains("/published/tile/") {
        assert!(renamed("/checkpoint") < renamed("/last-signed"), "{to} before `last-signed`");
    }
    if to.ends_with("/checkpoint") {
        let guard = before
            .iter()
            .rposition(|call| matches!(call, Call::SyncFile(path) if path.ends_with("/guard")));
        assert!(
            renamed("/checkpoint") < renamed("/last-signed") && renamed("/last-signed") < guard
        );
        let tiles = before.iter().rposition(
            |call| matches!(call, Call::SyncFile(path) if path.contains("/published/tile")),
        );
        // The first checkpoint is of no entries.
        assert!(renamed("/checkpoint").is_none() || guard < tiles, "{before:?}");
    }
}

/// One thread appends, so that what is acknowledged is what was just written.
fn traced(folder: &Path) -> Vec<Call> {
    let trace = folder.join("trace");
    let run = Command::new("strace")
        .args(["-f", "-y", "-qq", "-s", "300", "-o"])
        .arg(&trace)
        .args(["-e", "trace=pwrite64,fdatasync,write,fsync,rename,mkdir"])
        .arg(logwriter())
        .arg(folder.join("state/query-log/2026"))
        .args(["40", "1", "2"])
        .output()
        .unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let trace = fs::read_to_string(trace).unwrap();
    trace.lines().filter_map(call).collect()
}

fn call(line: &str) -> Option<Call> {
    // A call that another thread interrupts in the trace has begun; that it ended is printed later and not needed.
    let (_thread, line) = line.split_once(' ')?;
    let (name, arguments) = line.trim_start().split_once('(')?;
    let open = || Some(arguments.split_once('<')?.1.split_once('>')?.0.to_owned());
    let mut quoted = arguments.split('"').skip(1).step_by(2).map(str::to_owned);
    match name {
        "pwrite64" => open().map(Call::WriteAhead),
        "fdatasync" => open().map(Call::SyncAhead),
        "fsync" => open().map(Call::SyncFile),
        "write" => arguments.starts_with("1<").then_some(Call::Acknowledge),
        "rename" => Some(Call::Rename(quoted.next()?, quoted.next()?)),
        // One that fails is tried again after the folders above it.
        "mkdir" => quoted.next().filter(|_| line.ends_with("= 0")).map(Call::MakeFolder),
        _ => None,
    }
}
