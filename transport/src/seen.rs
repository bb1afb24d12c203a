//! What a party's own logs say of the logs of others: the newest checkpoint of each that it cosigned.
//!
//! The first entry after a new one mentions it, so that every log says how far all others were, and the others cannot be
//! dated differently afterwards. A log that is asked to be cosigned again without having grown is mentioned again now and
//! then: that says that nothing was in it yet.

use mayag_audit::entry::SeenLog;
use mayag_audit::party::Book;
use mayag_protocol::names::LogOrigin;
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// So many an entry mentions at most; the others wait for the next one. A mention has some 170 bytes.
pub const MENTIONS: usize = 8;

/// A checkpoint that was mentioned is mentioned again when it is cosigned so much later.
const AGAIN: Duration = Duration::from_mins(10);

/// What waits to be mentioned, in each log of the party for itself.
#[derive(Debug, Default)]
pub struct Seen(Mutex<[Waiting; 2]>);

#[derive(Debug, Default)]
struct Waiting {
    /// At most one of every log, the longest waiting first.
    next: VecDeque<SeenLog>,
    mentioned: BTreeMap<LogOrigin, (u64, Option<Timestamp>)>,
}

impl Seen {
    /// Takes in a checkpoint that was cosigned.
    pub fn cosigned(&self, seen: &SeenLog) {
        for waiting in self.0.lock().iter_mut() {
            waiting.take_in(seen);
        }
    }

    /// What the next entry of a log mentions.
    pub fn take(&self, book: Book) -> Vec<SeenLog> {
        let mut all = self.0.lock();
        let waiting = of(&mut all, book);
        let many = waiting.next.len().min(MENTIONS);
        let taken: Vec<SeenLog> = waiting.next.drain(..many).collect();
        for seen in &taken {
            waiting.mentioned.insert(seen.origin.clone(), (seen.size, seen.at));
        }
        taken
    }

    /// Puts back what an entry should have mentioned that was not taken.
    pub fn give_back(&self, book: Book, taken: Vec<SeenLog>) {
        let mut all = self.0.lock();
        let waiting = of(&mut all, book);
        for seen in taken.into_iter().rev() {
            waiting.mentioned.remove(&seen.origin);
            if waiting.next.iter().all(|newer| newer.origin != seen.origin) {
                waiting.next.push_front(seen);
            }
        }
    }
}

impl Waiting {
    fn take_in(&mut self, seen: &SeenLog) {
        if let Some(older) = self.next.iter_mut().find(|older| older.origin == seen.origin) {
            older.clone_from(seen);
            return;
        }
        let known = self.mentioned.get(&seen.origin).is_some_and(|(size, at)| {
            let lately = at.zip(seen.at).is_some_and(|(last, now)| now < last.plus(AGAIN));
            *size == seen.size && lately
        });
        if !known {
            self.next.push_back(seen.clone());
        }
    }
}

fn of(all: &mut [Waiting; 2], book: Book) -> &mut Waiting {
    let [administration, questions] = all;
    match book {
        Book::Administration => administration,
        Book::Questions => questions,
    }
}

#[cfg(test)]
mod tests {
    use super::{MENTIONS, Seen};
    use mayag_audit::entry::SeenLog;
    use mayag_audit::keys::sha256;
    use mayag_audit::party::Book;
    use mayag_protocol::timestamp::Timestamp;

    fn seen(log: usize, size: u64, seconds: i64) -> SeenLog {
        SeenLog {
            origin: format!("node-{log}.demo/query-log/2026").parse().unwrap(),
            size,
            root: sha256(b"root"),
            at: Some(Timestamp::from_millis(seconds * 1000)),
        }
    }

    #[test]
    fn each_log_mentions_the_newest_checkpoint_once_and_a_quiet_one_again_later() {
        let all = Seen::default();
        all.cosigned(&seen(1, 3, 0));
        all.cosigned(&seen(1, 4, 1));
        for book in Book::ALL {
            assert_eq!(all.take(book), [seen(1, 4, 1)]);
            assert_eq!(all.take(book), []);
        }
        all.cosigned(&seen(1, 4, 300));
        assert_eq!(all.take(Book::Questions), []);
        all.cosigned(&seen(1, 4, 700));
        assert_eq!(all.take(Book::Questions), [seen(1, 4, 700)]);
        all.cosigned(&seen(1, 5, 701));
        assert_eq!(all.take(Book::Questions), [seen(1, 5, 701)]);
    }

    #[test]
    fn an_entry_mentions_no_more_than_it_has_room_for_and_none_is_forgotten() {
        let all = Seen::default();
        for log in 0..=MENTIONS {
            all.cosigned(&seen(log, 1, 0));
        }
        let first = all.take(Book::Questions);
        assert_eq!(first.len(), MENTIONS);
        assert_eq!(all.take(Book::Questions), [seen(MENTIONS, 1, 0)]);
        // The entry was not taken; one of its logs has grown since.
        all.cosigned(&seen(0, 2, 1));
        all.give_back(Book::Questions, first);
        let again = all.take(Book::Questions);
        assert_eq!(again.len(), MENTIONS);
        assert!(again.contains(&seen(0, 2, 1)) && !again.contains(&seen(0, 1, 0)), "{again:?}");
    }
}
