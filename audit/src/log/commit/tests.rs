//! The line of callers, without a disk.

use super::{Asked, GATHER, Kind, Outcome, Queue};
use crate::log::wal::Leaf;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::thread;
use std::time::{Duration, Instant};

fn asked(number: u64) -> Asked {
    Asked { kind: Kind::Record, leaf: Leaf::new(number.to_be_bytes().to_vec()) }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "what is tested is that nothing waits")]
fn a_caller_who_is_alone_waits_for_nobody() {
    let queue = Queue::default();
    let start = Instant::now();
    for number in 0..200 {
        let outcome = queue.pass(asked(number), |group| {
            assert_eq!(group.len(), 1);
            vec![Ok(number)]
        });
        assert_eq!(outcome.unwrap().unwrap(), number);
    }
    assert!(start.elapsed() < GATHER * 100, "{:?}", start.elapsed());
}

#[test]
fn a_commit_that_breaks_leaves_nobody_asleep() {
    let queue = Arc::new(Queue::default());
    let (tell, told) = mpsc::channel();
    // On threads that nobody joins: one that sleeps for ever must fail this test and not stop it.
    let caller = |number: u64, commit: fn(Vec<Asked>) -> Vec<Outcome>| {
        let (queue, tell) = (Arc::clone(&queue), tell.clone());
        thread::spawn(move || {
            let passed = catch_unwind(AssertUnwindSafe(|| queue.pass(asked(number), commit)));
            tell.send(passed.ok().flatten()).unwrap();
        });
    };
    let awaken = || told.recv_timeout(Duration::from_secs(20)).expect("nobody is left asleep");
    caller(0, |_| {
        thread::sleep(GATHER * 20);
        panic!("broken on purpose")
    });
    thread::sleep(GATHER * 5);
    // These wait for the first, and form a group of their own.
    for number in [1, 2] {
        caller(number, |_| panic!("broken on purpose"));
    }
    for _ in 0..3 {
        assert!(awaken().is_none(), "whoever led broke, and the others were told of no outcome");
    }
    caller(3, |group| vec![Ok(3); group.len()]);
    assert_eq!(awaken().unwrap().unwrap(), 3, "the line goes on");
}

#[test]
fn callers_who_come_again_fall_into_one_group() {
    const CALLERS: u64 = 16;
    let queue = Queue::default();
    let (next, commits, running) = (AtomicU64::new(0), AtomicU64::new(0), AtomicUsize::new(0));
    let commit = |group: Vec<Asked>| -> Vec<Outcome> {
        assert_eq!(running.fetch_add(1, Ordering::SeqCst), 0, "one commit at a time");
        commits.fetch_add(1, Ordering::Relaxed);
        // A slow disk: an eighth of this is what a group waits at most.
        thread::sleep(GATHER * 8);
        let first = next.fetch_add(group.len() as u64, Ordering::Relaxed);
        running.fetch_sub(1, Ordering::SeqCst);
        (first..).take(group.len()).map(Ok).collect()
    };
    let mut places: Vec<u64> = thread::scope(|scope| {
        let caller = || (0..30).map(|n| queue.pass(asked(n), commit).unwrap().unwrap()).collect();
        #[expect(clippy::needless_collect, reason = "all begin before one is waited for")]
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(caller)).collect();
        callers
            .into_iter()
            .flat_map(|caller: thread::ScopedJoinHandle<'_, Vec<u64>>| caller.join().unwrap())
            .collect()
    });
    places.sort_unstable();
    assert_eq!(places, (0..CALLERS * 30).collect::<Vec<_>>());
    let mean = CALLERS * 30 / commits.into_inner();
    assert!(CALLERS * 2 / 3 < mean, "groups of {mean} by {CALLERS} callers");
}
