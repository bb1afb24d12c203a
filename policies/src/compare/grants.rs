//! Sets of grants of one dataset or one lookup table, of the old and the new policy together.

use crate::document::Whom;

/// The grants of both policies about one dataset or one lookup table; those of the old one come first, each sorted by id.
pub(super) struct Both<'a, G> {
    grants: Vec<&'a G>,
    old: usize,
}

/// A set of the grants of a [`Both`], by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Set(Vec<u64>);

/// Grants in one number of a [`Set`].
const BITS: usize = 64;

impl<'a, G: AsRef<Whom>> Both<'a, G> {
    pub(super) fn new(old: Vec<&'a G>, new: Vec<&'a G>) -> Self {
        Self { old: old.len(), grants: old.into_iter().chain(new).collect() }
    }

    /// The grants that this holds for. It is told which policy a grant is of.
    pub(super) fn which(&self, mut holds: impl FnMut(&G, Side) -> bool) -> Set {
        let mut numbers = vec![0; self.grants.len().div_ceil(BITS)];
        for (i, grant) in self.grants.iter().enumerate() {
            let side = if i < self.old { Side::Old } else { Side::New };
            if let Some(number) = numbers.get_mut(i / BITS).filter(|_| holds(grant, side)) {
                *number |= 1 << (i % BITS);
            }
        }
        Set(numbers)
    }

    /// The grants that are given to people for whom this holds.
    pub(super) fn given(&self, mut holds: impl FnMut(&Whom) -> bool) -> Set {
        self.which(|grant, _| holds(grant.as_ref()))
    }

    /// To whom each of the grants is given.
    pub(super) fn whoms(&self) -> impl Iterator<Item = &'a Whom> {
        self.grants.iter().map(|grant| (*grant).as_ref())
    }

    /// The grants of a set that are of one policy, in the order of their ids.
    pub(super) fn of(&self, set: &Set, side: Side) -> Vec<&'a G> {
        let range = match side {
            Side::Old => 0..self.old,
            Side::New => self.old..self.grants.len(),
        };
        range.filter(|i| set.has(*i)).filter_map(|i| self.grants.get(i).copied()).collect()
    }
}

/// Which of the two policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Old,
    New,
}

impl Set {
    pub(super) fn and(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a & b).collect())
    }

    pub(super) fn or(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(a, b)| a | b).collect())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|number| *number == 0)
    }

    pub(super) fn within(&self, other: &Self) -> bool {
        self.0.iter().zip(&other.0).all(|(a, b)| a & !b == 0)
    }

    fn has(&self, i: usize) -> bool {
        self.0.get(i / BITS).is_some_and(|number| number >> (i % BITS) & 1 == 1)
    }
}
