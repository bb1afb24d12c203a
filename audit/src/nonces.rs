//! Which questions were seen: nonces, remembered until their questions can no longer be valid.
//!
//! The memory is rebuilt from the log at start, and a nonce is written to the log before anything is answered on it, so
//! that neither a restart nor a crash reopens a replay.

use crate::entry::Entry;
use mayag_protocol::names::Nonce;
use mayag_protocol::question::{CLOCK_SKEW, LONGEST_LIFE};
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashSet};

/// Nonces remembered at most. At 10^4 questions a day two minutes hold fifteen; the bound keeps a flood of signed
/// questions from filling the memory (about 100 bytes each).
pub const MOST: usize = 1_000_000;

/// The nonces seen in the last minutes.
#[derive(Debug, Default)]
pub struct Nonces {
    seen: Mutex<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    nonces: HashSet<Nonce>,
    by_time: BTreeSet<(Timestamp, Nonce)>,
}

/// Why a nonce is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Seen before.
    #[error("the question was asked before")]
    Replayed,
    /// Too many questions at once.
    #[error("too many questions are remembered")]
    Full,
}

impl Nonces {
    /// Takes the nonce of a logged entry, if it can still matter at `now`. For rebuilding at start.
    pub fn recall(&self, entry: &Entry, now: Timestamp) {
        let until = forget_at(entry.at);
        if let Some(nonce) = &entry.nonce
            && now < until
        {
            let mut seen = self.seen.lock();
            seen.nonces.insert(nonce.clone());
            seen.by_time.insert((until, nonce.clone()));
        }
    }

    /// Remembers a nonce, or says that it was seen. O(log n).
    pub fn remember(&self, nonce: &Nonce, now: Timestamp) -> Result<(), NonceError> {
        let mut seen = self.seen.lock();
        while let Some((until, _)) = seen.by_time.first()
            && *until <= now
        {
            if let Some((_, old)) = seen.by_time.pop_first() {
                seen.nonces.remove(&old);
            }
        }
        if seen.nonces.contains(nonce) {
            return Err(NonceError::Replayed);
        }
        if seen.nonces.len() >= MOST {
            return Err(NonceError::Full);
        }
        seen.nonces.insert(nonce.clone());
        seen.by_time.insert((forget_at(now), nonce.clone()));
        Ok(())
    }
}

/// Whether an entry of this time is too old to matter at `now`.
pub fn is_forgotten(logged_at: Timestamp, now: Timestamp) -> bool {
    forget_at(logged_at) <= now
}

/// A question may be issued `CLOCK_SKEW` in the future and live for `LONGEST_LIFE`.
fn forget_at(seen_at: Timestamp) -> Timestamp {
    seen_at.plus(LONGEST_LIFE).plus(CLOCK_SKEW).plus(CLOCK_SKEW)
}

#[cfg(test)]
mod tests {
    use super::{NonceError, Nonces, forget_at};
    use crate::entry::{Entry, Type};
    use mayag_protocol::names::Nonce;
    use mayag_protocol::timestamp::Timestamp;

    #[test]
    fn a_nonce_is_accepted_once_until_its_question_is_long_over() {
        let nonces = Nonces::default();
        let nonce = Nonce::from_bytes([1; 16]);
        let now = Timestamp::from_millis(0);
        assert_eq!(nonces.remember(&nonce, now), Ok(()));
        assert_eq!(nonces.remember(&nonce, now), Err(NonceError::Replayed));
        assert_eq!(nonces.remember(&Nonce::from_bytes([2; 16]), now), Ok(()));
        let last = Timestamp::from_millis(forget_at(now).millis() - 1);
        assert_eq!(nonces.remember(&nonce, last), Err(NonceError::Replayed));
        assert_eq!(nonces.remember(&nonce, forget_at(now)), Ok(()));
        assert_eq!(nonces.seen.lock().nonces.len(), 1);
    }

    #[test]
    fn a_restart_remembers() {
        let nonces = Nonces::default();
        let nonce = Nonce::from_bytes([1; 16]);
        let logged = Timestamp::from_millis(0);
        let entry = Entry::new(Type::Admitted, logged).unwrap();
        let entry = Entry { nonce: Some(nonce.clone()), ..entry };
        nonces.recall(&entry, Timestamp::from_millis(1000));
        assert_eq!(
            nonces.remember(&nonce, Timestamp::from_millis(1000)),
            Err(NonceError::Replayed)
        );
    }
}
