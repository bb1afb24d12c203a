//! Group commit: many callers, one sync.
//!
//! A group forms while the one before is written and synced. The first caller of a group leads it: it waits for its turn,
//! takes everybody who came meanwhile along, and tells them all how it went. A caller who is alone waits for nobody. A
//! group after a busy one waits a moment for those who were just answered and are about to come again; without it they
//! would fall into two halves that take turns, and every sync would carry half as much.

use super::error::AppendError;
use super::wal::{LARGEST_BATCH, Leaf};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// No group waits longer for more entries. A sync of a common disk takes as long.
const GATHER: Duration = Duration::from_millis(2);
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
}

#[derive(Debug)]
struct Group {
    asked: Vec<Asked>,
    bytes: usize,
    slot: Arc<Slot>,
}

/// Where the members of a group learn how it went.
#[derive(Debug, Default)]
struct Slot {
    outcomes: Mutex<Option<Vec<Outcome>>>,
    done: Condvar,
}

impl Queue {
    /// Gets in line and returns when the entry is durable or refused; `commit` writes a group if this caller leads it.
    pub(crate) fn pass(
        &self,
        asked: Asked,
        commit: impl FnOnce(Vec<Asked>) -> Vec<Outcome>,
    ) -> Option<Outcome> {
        let (slot, place) = self.join(asked);
        if place == 0 {
            self.lead(&slot, commit);
        }
        let mut outcomes = slot.outcomes.lock();
        slot.done.wait_while(&mut outcomes, |outcomes| outcomes.is_none());
        outcomes.as_ref().and_then(|outcomes| outcomes.get(place).cloned())
    }

    /// The group that was joined, and the place in it.
    fn join(&self, asked: Asked) -> (Arc<Slot>, usize) {
        let mut line = self.line.lock();
        let bytes = asked.leaf.bytes.len();
        let open = line
            .groups
            .back_mut()
            .filter(|group| group.asked.len() < LARGEST_GROUP && group.bytes < LARGEST_BATCH);
        let Some(group) = open else {
            let slot = Arc::default();
            line.groups.push_back(Group { asked: vec![asked], bytes, slot: Arc::clone(&slot) });
            return (slot, 0);
        };
        let place = group.asked.len();
        group.asked.push(asked);
        group.bytes += bytes;
        let slot = Arc::clone(&group.slot);
        if !line.waits_for_more() {
            self.arrived.notify_one();
        }
        (slot, place)
    }

    fn lead(&self, slot: &Arc<Slot>, commit: impl FnOnce(Vec<Asked>) -> Vec<Outcome>) {
        let mut line = self.line.lock();
        self.turn.wait_while(&mut line, |line| {
            line.committing
                || !line.groups.front().is_some_and(|group| Arc::ptr_eq(&group.slot, slot))
        });
        let _waited = self.arrived.wait_while_for(&mut line, |line| line.waits_for_more(), GATHER);
        let asked = line.groups.pop_front().map(|group| group.asked).unwrap_or_default();
        line.committing = true;
        drop(line);

        let count = asked.len();
        let outcomes = commit(asked);

        let mut line = self.line.lock();
        line.committing = false;
        line.expected = count + line.groups.iter().map(|group| group.asked.len()).sum::<usize>();
        drop(line);
        // The next group's sync begins before this group's members are woken.
        self.turn.notify_all();
        *slot.outcomes.lock() = Some(outcomes);
        slot.done.notify_all();
    }
}

impl Line {
    fn waits_for_more(&self) -> bool {
        let worth = self.expected.min(WORTH_WAITING_FOR);
        self.groups.front().is_some_and(|group| group.asked.len() < worth)
    }
}

#[cfg(test)]
mod tests;
