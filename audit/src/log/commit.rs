//! Group commit: many callers, one sync.
//!
//! A group forms while the one before is written and synced. The first caller of a group leads it: it waits for its turn,
//! takes everybody who came meanwhile along, and tells them all how it went. A caller who is alone waits for nobody. A
//! group after a busy one waits a moment for those who were just answered and are about to come again; without it they
//! would fall into two halves that take turns, and every sync would carry half as much. That is worth a part of a slow
//! sync and not of a fast one: on a disk that syncs in less time than the callers need to come again, two halves that take
//! turns keep disk and callers busy at once.

use super::error::AppendError;
use super::wal::{LARGEST_BATCH, Leaf};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::{Arc, OnceLock};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

/// No group waits longer for more entries. A sync of a common disk takes as long.
const GATHER: Duration = Duration::from_millis(2);
/// A group waits at most for this part of the time that the last one took to be written.
const PART_OF_A_SYNC: u32 = 8;
/// No group waits for more than these: from here on the sync is a small part of the work.
const WORTH_WAITING_FOR: usize = 64;
/// The most entries of one group: bounds what a torn batch can take along, and how long its members wait.
const LARGEST_GROUP: usize = 1024;

/// What an entry is for: decides whether it is taken when the log is in trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A new question: refused when the disk is full, witnesses are too long silent, or publishing does not keep up.
    Question,
    /// Everything else: refusals, answers to what was admitted, administration. Taken as long as it can be written.
    Record,
}

/// An entry and what it is for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) kind: Kind,
    pub(crate) leaf: Leaf,
}

/// The index of an entry that is durable, or why there is none.
pub(crate) type Outcome = Result<u64, AppendError>;

/// Callers in line.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    line: Mutex<Line>,
    /// A commit ended.
    turn: Condvar,
    /// The first group has all that are worth waiting for.
    arrived: Condvar,
}

#[derive(Debug, Default)]
struct Line {
    groups: VecDeque<Group>,
    committing: bool,
    /// How many callers there were when the last commit ended: as many may come again.
    expected: usize,
    /// How long the next group may wait for them.
    gather: Duration,
}

/// The first member leads.
#[derive(Debug, Default)]
struct Group {
    asked: Vec<Asked>,
    members: Vec<Arc<Member>>,
    bytes: usize,
}

impl Group {
    fn takes(&mut self, asked: Asked, member: &Arc<Member>) {
        self.bytes += asked.leaf.bytes.len();
        self.asked.push(asked);
        self.members.push(Arc::clone(member));
    }
}

/// Where a caller learns how it went. Each sleeps on its own: callers that sleep on one lock are woken one after the other.
#[derive(Debug)]
struct Member {
    outcome: OnceLock<Option<Outcome>>,
    thread: Thread,
}

impl Member {
    fn is_told(&self, outcome: Option<Outcome>) {
        // INVARIANT (told once): only the leader of its one group tells a member.
        let _told_before = self.outcome.set(outcome);
        self.thread.unpark();
    }

    fn waits(&self) -> Option<Outcome> {
        loop {
            if let Some(outcome) = self.outcome.get() {
                return outcome.clone();
            }
            thread::park();
        }
    }
}

impl Queue {
    /// Gets in line and returns when the entry is durable or refused; `commit` writes a group if this caller leads it, and
    /// returns an outcome for each of its members. Nothing if it returned fewer.
    pub(crate) fn pass(
        &self,
        asked: Asked,
        commit: impl FnOnce(Vec<Asked>) -> Vec<Outcome>,
    ) -> Option<Outcome> {
        let member = Arc::new(Member { outcome: OnceLock::new(), thread: thread::current() });
        if self.join(asked, &member) {
            return self.lead(&member, commit);
        }
        member.waits()
    }

    /// Joins the group that is open, or begins one and leads it.
    fn join(&self, asked: Asked, member: &Arc<Member>) -> bool {
        let mut line = self.line.lock();
        let open = line
            .groups
            .back_mut()
            .filter(|group| group.asked.len() < LARGEST_GROUP && group.bytes < LARGEST_BATCH);
        let Some(group) = open else {
            let mut group = Group::default();
            group.takes(asked, member);
            line.groups.push_back(group);
            return true;
        };
        group.takes(asked, member);
        if !line.waits_for_more() {
            self.arrived.notify_one();
        }
        false
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "how fast the disk is decides how long to wait, and nothing else"
    )]
    fn lead(
        &self,
        leader: &Arc<Member>,
        commit: impl FnOnce(Vec<Asked>) -> Vec<Outcome>,
    ) -> Option<Outcome> {
        let mut line = self.line.lock();
        self.turn.wait_while(&mut line, |line| line.committing || !line.is_led_by(leader));
        let gather = line.gather;
        let _waited = self.arrived.wait_while_for(&mut line, |line| line.waits_for_more(), gather);
        let Group { asked, members, .. } = line.groups.pop_front().unwrap_or_default();
        line.committing = true;
        drop(line);

        let start = Instant::now();
        let mut told = Told { queue: self, members: &members, all: false };
        let outcomes = commit(asked);
        told.all = true;
        drop(told);

        let mut line = self.line.lock();
        line.committing = false;
        line.expected =
            members.len() + line.groups.iter().map(|group| group.asked.len()).sum::<usize>();
        line.gather = GATHER.min(start.elapsed() / PART_OF_A_SYNC);
        drop(line);
        // The next group's sync begins before this group's members are woken.
        self.turn.notify_all();
        let mut outcomes = outcomes.into_iter();
        for member in &members {
            member.is_told(outcomes.next());
        }
        leader.waits()
    }
}

/// Whatever becomes of a commit, nobody is left asleep: whoever is told of no outcome closes the log.
struct Told<'a> {
    queue: &'a Queue,
    members: &'a [Arc<Member>],
    all: bool,
}

impl Drop for Told<'_> {
    fn drop(&mut self) {
        if self.all {
            return;
        }
        for member in self.members {
            member.is_told(None);
        }
        self.queue.line.lock().committing = false;
        self.queue.turn.notify_all();
    }
}

impl Line {
    fn is_led_by(&self, member: &Arc<Member>) -> bool {
        let leader = self.groups.front().and_then(|group| group.members.first());
        leader.is_some_and(|leader| Arc::ptr_eq(leader, member))
    }

    fn waits_for_more(&self) -> bool {
        let worth = self.expected.min(WORTH_WAITING_FOR);
        self.groups.front().is_some_and(|group| group.asked.len() < worth)
    }
}

#[cfg(test)]
mod tests;
