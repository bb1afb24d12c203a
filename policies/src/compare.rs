//! What a new policy shows that the old one did not, and what it no longer shows.

use crate::document::{Grant, Policy};
use mayag_protocol::timestamp::Timestamp;
use std::fmt;

/// What becomes of what is visible when one policy takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something becomes visible and something else no longer is.
    Both,
    /// The same is visible to the same people.
    Equal,
    /// Something is no longer visible, and nothing becomes visible.
    Narrows,
    /// Something becomes visible.
    Widens,
}

impl Change {
    /// How many different administrators must sign it: two where anything becomes visible.
    pub fn signatures(self) -> usize {
        match self {
            Self::Both | Self::Widens => 2,
            Self::Equal | Self::Narrows => 1,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Both => "widens and narrows",
            Self::Equal => "changes nothing",
            Self::Narrows => "narrows",
            Self::Widens => "widens",
        })
    }
}

/// Compares what two policies show from `now` on; without an old one, against a policy that shows nothing. What is not
/// proved to show nothing new counts as widening.
pub fn compare(old: Option<&Policy>, new: &Policy, now: Timestamp) -> Change {
    let old = old.filter(|old| now < old.valid_until());
    let Some(old) = old.filter(|old| !old.grants().is_empty()) else {
        return if new.grants().is_empty() { Change::Equal } else { Change::Widens };
    };
    let same_time = (new.valid_from().max(now), new.valid_until())
        == (old.valid_from().max(now), old.valid_until());
    if same_time && new.grants() == old.grants() {
        Change::Equal
    } else if new.valid_until() <= old.valid_until()
        && old.valid_from().max(now) <= new.valid_from().max(now)
        && new.grants().iter().all(|grant| within_one_of(grant, old.grants()))
    {
        Change::Narrows
    } else {
        Change::Widens
    }
}

/// Whether the only grant of its dataset says what this one says, and perhaps shares more columns.
fn within_one_of(grant: &Grant, old: &[Grant]) -> bool {
    let mut of_dataset = old.iter().filter(|other| other.dataset == grant.dataset);
    let (Some(other), None) = (of_dataset.next(), of_dataset.next()) else { return false };
    let columns = grant.columns.iter().all(|(name, share)| other.columns.get(name) == Some(share));
    columns && *grant == Grant { columns: grant.columns.clone(), ..other.clone() }
}
