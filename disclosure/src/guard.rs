//! The memory of released cells: any two sets of rows that are released of the same data differ by enough units, or are
//! the same set under the same description.

mod encoding;

use crate::units::{UnitSet, as_float};
use std::collections::BTreeMap;
use std::ops::RangeInclusive;

/// Two released sets differ by at least this many times `min_units`: the estimate of their difference may be off, and at
/// 1.6 the chance that a difference of less than `min_units` passes is below 1 in 1000 for a `min_units` of 5, and less for larger ones.
pub const APART: f64 = 1.6;

/// The digest of what a cell is, whatever the spelling: dataset, and for each column the values that its filter and keys
/// leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Descriptor(pub [u8; 16]);

/// The data that a node answers from: it changes with every change of the sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DataVersion(pub [u8; 32]);

/// A set of units of which something was released.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Remembered {
    /// The dataset's name.
    pub dataset: String,
    /// Of which data.
    pub version: DataVersion,
    /// Of which kind the units are.
    pub kind: u16,
    /// What the cell is.
    pub descriptor: Descriptor,
    /// Its units.
    pub set: UnitSet,
}

/// What was released before.
pub trait Earlier {
    /// Calls `visit` with every remembered set of this dataset, data version and unit kind that has so many units.
    fn near(
        &self,
        of: &Remembered,
        units: RangeInclusive<u64>,
        visit: &mut dyn FnMut(&Descriptor, &UnitSet),
    );
}

/// The sets that were released, in memory.
#[derive(Debug, Default)]
pub struct Memory {
    sets: BTreeMap<Of, BTreeMap<(u64, Descriptor), UnitSet>>,
}

/// A dataset, a version of its data, and a kind of units.
type Of = (String, DataVersion, u16);

impl Memory {
    /// Remembers a set. To remember it again changes nothing.
    pub fn remember(&mut self, record: Remembered) {
        let Remembered { dataset, version, kind, descriptor, set } = record;
        let sets = self.sets.entry((dataset, version, kind)).or_default();
        sets.insert((set.units(), descriptor), set);
    }

    /// Forgets everything of a dataset but what was released of this version of its data: no later question can be
    /// answered from another one.
    pub fn keep_only(&mut self, dataset: &str, version: &DataVersion) {
        self.sets.retain(|(of, kept, _), _| of != dataset || kept == version);
    }

    /// How many sets are remembered.
    pub fn len(&self) -> usize {
        self.sets.values().map(BTreeMap::len).sum()
    }

    /// Whether nothing is remembered.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Earlier for Memory {
    fn near(
        &self,
        of: &Remembered,
        units: RangeInclusive<u64>,
        visit: &mut dyn FnMut(&Descriptor, &UnitSet),
    ) {
        let key = (of.dataset.clone(), of.version, of.kind);
        let (first, last) =
            ((*units.start(), Descriptor([0; 16])), (*units.end(), Descriptor([u8::MAX; 16])));
        if let Some(sets) = self.sets.get(&key).filter(|_| first <= last) {
            for ((_, descriptor), set) in sets.range(first..=last) {
                visit(descriptor, set);
            }
        }
    }
}

/// For each set, with the `min_units` it is protected by, whether it is too close to another one: of the same question, or
/// an earlier one. Equal sets are close as well, unless they are the same cell.
///
/// Sets of similar numbers of units are compared, and of each pair a few counters: O(n log n) and about ten steps for
/// each pair whose numbers differ by less than the limit.
pub(crate) fn close_sets(sets: &[(u64, &Remembered)], earlier: &dyn Earlier) -> Vec<bool> {
    let widest = limit(sets.iter().map(|(min_units, _)| *min_units).max().unwrap_or_default());
    let mut by_units: Vec<usize> = (0..sets.len()).collect();
    by_units.sort_by_key(|at| sets.get(*at).map(|(_, set)| (of(set), set.set.units())));
    let mut close = Vec::new();
    for (place, at) in by_units.iter().enumerate() {
        let Some((min_units, record)) = sets.get(*at) else { continue };
        for other in by_units.iter().skip(place + 1) {
            let Some((other_min, other_record)) = sets.get(*other) else { continue };
            let apart = other_record.set.units().saturating_sub(record.set.units());
            if of(record) != of(other_record) || widest <= as_float(apart) {
                break;
            }
            let limit = limit(*min_units.max(other_min));
            if too_close(record, (&other_record.descriptor, &other_record.set), limit) {
                close.extend([*at, *other]);
            }
        }
        if is_close_to_earlier(record, limit(*min_units), earlier) {
            close.push(*at);
        }
    }
    let mut flags = vec![false; sets.len()];
    for at in close {
        if let Some(flag) = flags.get_mut(at) {
            *flag = true;
        }
    }
    flags
}

fn is_close_to_earlier(record: &Remembered, limit: f64, earlier: &dyn Earlier) -> bool {
    let units = record.set.units();
    let range = units.saturating_sub(whole(limit))..=units.saturating_add(whole(limit));
    let mut found = false;
    earlier.near(record, range, &mut |descriptor, set| {
        found |= too_close(record, (descriptor, set), limit);
    });
    found
}

fn of(record: &Remembered) -> (&str, DataVersion, u16) {
    (&record.dataset, record.version, record.kind)
}

fn too_close(a: &Remembered, (descriptor, set): (&Descriptor, &UnitSet), limit: f64) -> bool {
    let same_cell = a.descriptor == *descriptor && a.set.is_same(set);
    !same_cell && !a.set.is_apart(set, limit)
}

/// How far sets are apart at least.
fn limit(min_units: u64) -> f64 {
    APART * as_float(min_units)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a positive limit, and casts of floats saturate"
)]
fn whole(limit: f64) -> u64 {
    limit.ceil() as u64
}

#[cfg(test)]
mod tests;
