//! How much memory answers may take: of one country, of one question, of the whole gateway.
//!
//! What a node sends is counted before it is kept. A budget lies within another: what is held counts in both, and is
//! given back in both when it is dropped. Half of a question's budget is divided equally among the countries asked, so
//! that no country can take the room of another; the other half is for whoever sends more.

use parking_lot::Mutex;
use std::sync::Arc;

/// Bytes kept for each byte that a node sends: as it came, taken apart, as cells, and as a line for the caller.
pub(crate) const ANSWER_COPIES: usize = 4;

/// A budget in bytes.
#[derive(Debug)]
pub(crate) struct Memory {
    limit: usize,
    used: Mutex<usize>,
    /// The budget that this one lies within.
    within: Option<Arc<Self>>,
}

/// The budget is used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no memory is left in the budget")]
pub(crate) struct NoMemory;

/// Bytes of a budget, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Arc<Memory>,
    bytes: usize,
}

/// The room of one country's answer: its own, then what is left of that for all.
#[derive(Debug)]
pub(crate) struct Room {
    own: Held,
    more: Held,
}

/// The budget of one question.
#[derive(Debug)]
pub(crate) struct QuestionMemory {
    /// For whoever sends more than its share, and for the merge.
    rest: Arc<Memory>,
    whole: Arc<Memory>,
    /// What each country has for itself.
    share: usize,
}

impl Memory {
    pub(crate) fn new(limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: Mutex::new(0), within: None })
    }

    /// A budget of at most `limit` bytes within this one.
    fn part(self: &Arc<Self>, limit: usize) -> Arc<Self> {
        Arc::new(Self { limit, used: Mutex::new(0), within: Some(Arc::clone(self)) })
    }

    /// Takes so many bytes.
    pub(crate) fn hold(self: &Arc<Self>, bytes: usize) -> Result<Held, NoMemory> {
        let mut held = Held { memory: Arc::clone(self), bytes: 0 };
        held.grow(bytes)?;
        Ok(held)
    }

    /// Bytes that are left.
    pub(crate) fn left(&self) -> usize {
        self.limit.saturating_sub(*self.used.lock())
    }

    fn take(&self, bytes: usize) -> Result<(), NoMemory> {
        let mut used = self.used.lock();
        let after = used.checked_add(bytes).filter(|after| *after <= self.limit).ok_or(NoMemory)?;
        if let Some(within) = &self.within {
            within.take(bytes)?;
        }
        *used = after;
        Ok(())
    }

    fn give_back(&self, bytes: usize) {
        let mut used = self.used.lock();
        *used = used.saturating_sub(bytes);
        if let Some(within) = &self.within {
            within.give_back(bytes);
        }
    }
}

impl Held {
    /// Takes so many bytes more.
    fn grow(&mut self, bytes: usize) -> Result<(), NoMemory> {
        self.memory.take(bytes)?;
        self.bytes = self.bytes.saturating_add(bytes);
        Ok(())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.memory.give_back(self.bytes);
    }
}

impl QuestionMemory {
    /// A budget of `limit` bytes for a question to so many countries; none while the gateway could not give all of them
    /// their share.
    pub(crate) fn new(
        gateway: &Arc<Memory>,
        limit: usize,
        countries: usize,
    ) -> Result<Self, NoMemory> {
        let shared = limit / 2;
        if gateway.left() < shared {
            return Err(NoMemory);
        }
        let whole = gateway.part(limit);
        let rest = whole.part(limit - shared);
        Ok(Self { rest, whole, share: shared / countries.max(1) })
    }

    /// The room of one more country.
    pub(crate) fn room(&self) -> Result<Room, NoMemory> {
        Ok(Room { own: self.whole.part(self.share).hold(0)?, more: self.rest.hold(0)? })
    }

    /// What is left for everything but the countries' shares.
    pub(crate) fn rest(&self) -> &Arc<Memory> {
        &self.rest
    }
}

impl Room {
    /// Takes what so many bytes from a node need.
    pub(crate) fn receive(&mut self, bytes: usize) -> Result<(), NoMemory> {
        let needed = bytes.saturating_mul(ANSWER_COPIES);
        let own = needed.min(self.own.memory.left());
        self.own.grow(own)?;
        self.more.grow(needed - own)
    }
}

#[cfg(test)]
mod tests {
    use super::{ANSWER_COPIES, Memory, NoMemory, QuestionMemory};

    #[test]
    fn what_is_held_counts_everywhere_and_is_given_back() {
        let gateway = Memory::new(1000);
        let question = QuestionMemory::new(&gateway, 800, 4).unwrap();
        let held = question.rest().hold(300).unwrap();
        assert_eq!(gateway.left(), 700);
        assert_eq!(question.rest().hold(101).unwrap_err(), NoMemory, "more than its half");
        assert_eq!(QuestionMemory::new(&gateway, 800, 4).map(|_| ()), Ok(()));
        let _more = gateway.hold(301).unwrap();
        assert_eq!(QuestionMemory::new(&gateway, 800, 4).unwrap_err(), NoMemory, "no room for all");
        assert_eq!(question.rest().hold(100).map(drop), Ok(()));
        drop(held);
        assert_eq!(gateway.left(), 699);
    }

    #[test]
    fn no_country_takes_the_room_of_another() {
        let gateway = Memory::new(100_000);
        let question = QuestionMemory::new(&gateway, 80 * ANSWER_COPIES, 4).unwrap();
        let mut greedy: Vec<_> = (0..3).map(|_| question.room().unwrap()).collect();
        for room in &mut greedy {
            while room.receive(1).is_ok() {}
        }
        let mut honest = question.room().unwrap();
        assert_eq!(honest.receive(10), Ok(()), "its share is there, whatever the others take");
        assert_eq!(honest.receive(1), Err(NoMemory));
        drop(greedy);
        assert_eq!(honest.receive(1), Ok(()));
        drop(honest);
        assert_eq!(gateway.left(), 100_000);
    }
}
