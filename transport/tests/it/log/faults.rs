//! Every n-th system call of the append path fails or is the last one, by `strace`. It counts each thread's calls apart.
//!
//! The test proves first that the fault really happened: an injection that hits nothing proves nothing. Then: the program
//! stopped or went on, but said so; nothing was written ahead after a failure of that file; the next start finds every
//! entry that was acknowledged, in a log that verifies.

use super::{acknowledged, logwriter, nothing_is_missing, say_skipped_without_strace};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicUsize, Ordering};

/// The calls by which a log is written.
const CALLS: [&str; 5] = ["pwrite64", "fdatasync", "write", "fsync", "rename"];
const FAULTS: [&str; 3] = ["error=EIO", "error=ENOSPC", "signal=KILL"];
/// The n-th call of a run is made to fail up to this n, and a few later ones.
const EACH_UP_TO: usize = 8;

#[test]
fn every_call_of_the_append_path_may_fail() {
    if say_skipped_without_strace() {
        return;
    }
    let counts = calls_of_a_run();
    let mut cases = Vec::new();
    for (call, count) in counts {
        assert!(2 <= count, "a run makes {count} calls of {call}: the sweep would be empty");
        for n in (1..=count).filter(|n| *n <= EACH_UP_TO || n % 6 == 0 || *n == count) {
            cases.extend(FAULTS.map(|fault| (call, fault, n)));
        }
    }
    // Two at a time: each run waits for its disk most of the time.
    let next = AtomicUsize::new(0);
    let hits = Mutex::new(BTreeMap::<_, usize>::new());
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while let Some((call, fault, n)) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let happened = usize::from(survives(call, fault, *n));
                    *hits.lock().entry((*call, *fault)).or_default() += happened;
                }
            });
        }
    });
    let hits = hits.into_inner();
    assert!(hits.values().all(|hits| 0 < *hits), "not every kind of fault happened: {hits:?}");
    // How many calls there are varies a little with how many checkpoints fall into a run.
    let (hit, all) = (hits.values().sum::<usize>(), cases.len());
    assert!(all * 3 / 4 <= hit, "only {hit} of {all} faults happened: {hits:?}");
    eprintln!("{hit} of {all} faults happened: {hits:?}");
}

/// How many calls of each kind the busiest thread of a run makes.
fn calls_of_a_run() -> Vec<(&'static str, usize)> {
    let folder = begun();
    let trace = folder.path().join("trace");
    let run = run(folder.path(), &["-e", &format!("trace={}", CALLS.join(","))]);
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    let trace = fs::read_to_string(trace).unwrap();
    let busiest = |call: &str| {
        let mut threads = BTreeMap::<&str, usize>::new();
        for line in trace.lines().filter(|line| line.contains(&format!(" {call}("))) {
            *threads.entry(line.split(' ').next().unwrap()).or_default() += 1;
        }
        threads.into_values().max().unwrap_or(0)
    };
    CALLS.map(|call| (call, busiest(call))).to_vec()
}

/// A log that is begun and has a few entries, so that faults hit an ordinary start as well.
fn begun() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let run = Command::new(logwriter()).arg(folder.path()).args(["3", "1", "1"]).output().unwrap();
    assert!(run.status.success(), "{}", String::from_utf8_lossy(&run.stderr));
    folder
}

fn run(folder: &Path, how: &[&str]) -> Output {
    Command::new("strace")
        .args(["-f", "-qq", "-o"])
        .arg(folder.join("trace"))
        .args(how)
        .arg(logwriter())
        .arg(folder)
        .args(["12", "1", "3"])
        .output()
        .unwrap()
}

/// Whether the fault happened; then, whatever was acknowledged is still there.
fn survives(call: &str, fault: &str, n: usize) -> bool {
    let what = format!("{call} number {n}, {fault}");
    let folder = begun();
    let inject = format!("inject={call}:{fault}:when={n}");
    let trace = format!("trace={}", CALLS.join(","));
    let run = run(folder.path(), &["-e", &trace, "-e", &inject]);
    let trace = fs::read_to_string(folder.path().join("trace")).unwrap();
    let killed = was_killed(&run);
    let happened = if fault.starts_with("signal") { killed } else { trace.contains("(INJECTED)") };
    if happened {
        said_so(&run, &trace, &what);
    } else {
        assert!(run.status.success(), "{what}: nothing happened, but {run:?}");
    }
    nothing_is_missing(folder.path(), &acknowledged(&run.stdout), &what);
    happened
}

fn was_killed(run: &Output) -> bool {
    run.status.signal() == Some(9) || run.status.code() == Some(128 + 9)
}

/// A program that went on ended well; one that did not said why; neither appended after the write-ahead file had failed.
fn said_so(run: &Output, trace: &str, what: &str) {
    let said = String::from_utf8_lossy(&run.stderr);
    // What it says is written too, and may be what failed; the exit code still tells.
    let told =
        said.contains("not started: ") || said.contains("stopped: ") || what.starts_with("write ");
    let stopped = matches!(run.status.code(), Some(3 | 4));
    assert!(was_killed(run) || run.status.success() || (stopped && told), "{what}: {run:?}");
    let mut after = trace.lines().skip_while(|line| !line.contains("(INJECTED)"));
    let Some(first) = after.next() else { return };
    if first.contains("pwrite64(") || first.contains("fdatasync(") {
        let again = after.find(|line| line.contains(" pwrite64(") || line.contains(" fdatasync("));
        assert_eq!(again, None, "{what}: a log that failed is not written again");
        assert!(!run.status.success(), "{what}: it must not end well");
    }
}
