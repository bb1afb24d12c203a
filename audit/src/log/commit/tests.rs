//! The line of callers, without a disk.

use super::{Asked, GATHER, Kind, Outcome, Queue};
use crate::log::wal::Leaf;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;
use std::time::Instant;

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
    let queue = Queue::default();
    let broken = |_: Vec<Asked>| -> Vec<Outcome> { panic!("broken on purpose") };
    let slow = |_: Vec<Asked>| -> Vec<Outcome> {
        thread::sleep(GATHER * 20);
        panic!("broken on purpose")
    };
    thread::scope(|scope| {
        let first = scope.spawn(|| queue.pass(asked(0), slow));
        thread::sleep(GATHER * 5);
        // These wait for the first, and form a group of their own.
        let later = [1, 2].map(|number| {
            let queue = &queue;
            scope.spawn(move || queue.pass(asked(number), broken))
        });
        first.join().unwrap_err();
        let ends = later.map(thread::ScopedJoinHandle::join);
        // One led and broke; the other, if it was in the same group, was told of no outcome.
        assert!(ends.into_iter().all(|end| end.is_err() || end.is_ok_and(|end| end.is_none())));
    });
    let outcome = queue.pass(asked(3), |group| vec![Ok(3); group.len()]);
    assert_eq!(outcome.unwrap().unwrap(), 3, "the line goes on");
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
