//! The memory of released cells: any two sets of rows that are released of the same data differ by enough units, or are
//! the same set under the same description.

mod encoding;

use crate::units::{COUNTERS, UnitSet, as_float};
use std::collections::{BTreeMap, BTreeSet};
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
    /// Calls `visit` with every remembered set of this one's dataset, data version and unit kind that has so many units.
    fn near(
        &self,
        of: &Remembered,
        units: RangeInclusive<u64>,
        visit: &mut dyn FnMut(&Descriptor, &UnitSet),
    );

    /// The same with every set that [`UnitSet::is_apart`] does not find `least` units apart, and maybe with others. Sets
    /// are at least as far apart as their numbers of units.
    fn close_to(&self, of: &Remembered, least: f64, visit: &mut dyn FnMut(&Descriptor, &UnitSet)) {
        self.near(of, around(of, least), visit);
    }
}

/// The sets that were released, in memory: about 350 bytes each.
///
/// To look for sets near another one takes those of similar numbers of units, and of each the first few counters, which
/// lie side by side: some nanoseconds for each.
#[derive(Debug, Default)]
pub struct Memory {
    sets: BTreeMap<Of, BTreeMap<u64, Bucket>>,
}

/// A dataset, a version of its data, and a kind of units.
type Of = (String, DataVersion, u16);

/// How many counters decide most comparisons.
const HEAD: usize = 16;

/// Sets of the same number of units.
#[derive(Debug, Default)]
struct Bucket {
    known: BTreeSet<(Descriptor, u64)>,
    /// The first counters of each set, cut off at what fits: differences only become smaller.
    heads: Vec<[i16; HEAD]>,
    sets: Vec<(Descriptor, UnitSet)>,
}

impl Bucket {
    fn remember(&mut self, descriptor: Descriptor, set: UnitSet) {
        if self.known.insert((descriptor, set.key())) {
            self.heads.push(head(&set));
            self.sets.push((descriptor, set));
        }
    }

    fn close_to(
        &self,
        of: &[i16; HEAD],
        enough: f64,
        visit: &mut dyn FnMut(&Descriptor, &UnitSet),
    ) {
        for (head, (descriptor, set)) in self.heads.iter().zip(&self.sets) {
            let difference = |(a, b): (&i16, &i16)| i64::from(*a) - i64::from(*b);
            let squares: i64 = head.iter().zip(of).map(difference).map(|of| of * of).sum();
            if as_float(squares.unsigned_abs()) < enough {
                visit(descriptor, set);
            }
        }
    }
}

fn head(set: &UnitSet) -> [i16; HEAD] {
    let mut head = [0; HEAD];
    for (place, counter) in head.iter_mut().zip(set.counters()) {
        let least = i32::from(i16::MIN);
        *place = i16::try_from((*counter).clamp(least, i32::from(i16::MAX))).unwrap_or_default();
    }
    head
}

impl Memory {
    /// Remembers a set. To remember it again changes nothing.
    pub fn remember(&mut self, record: Remembered) {
        let Remembered { dataset, version, kind, descriptor, set } = record;
        let sets = self.sets.entry((dataset, version, kind)).or_default();
        sets.entry(set.units()).or_default().remember(descriptor, set);
    }

    fn buckets(
        &self,
        of: &Remembered,
        units: RangeInclusive<u64>,
    ) -> impl Iterator<Item = &Bucket> {
        let sets = self.sets.get(&(of.dataset.clone(), of.version, of.kind));
        let some = sets.filter(|_| units.start() <= units.end());
        some.into_iter().flat_map(move |sets| sets.range(units.clone())).map(|(_, bucket)| bucket)
    }

    /// Forgets everything of a dataset but what was released of this version of its data: no later question can be
    /// answered from another one.
    pub fn keep_only(&mut self, dataset: &str, version: &DataVersion) {
        self.sets.retain(|(of, kept, _), _| of != dataset || kept == version);
    }

    /// How many sets are remembered.
    pub fn len(&self) -> usize {
        self.sets.values().flat_map(BTreeMap::values).map(|bucket| bucket.sets.len()).sum()
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
        for bucket in self.buckets(of, units) {
            for (descriptor, set) in &bucket.sets {
                visit(descriptor, set);
            }
        }
    }

    fn close_to(&self, of: &Remembered, least: f64, visit: &mut dyn FnMut(&Descriptor, &UnitSet)) {
        let head = head(&of.set);
        for bucket in self.buckets(of, around(of, least)) {
            bucket.close_to(&head, least * as_float(COUNTERS as u64), visit);
        }
    }
}

/// The numbers of units of sets that are not so far away by their numbers alone.
fn around(of: &Remembered, least: f64) -> RangeInclusive<u64> {
    let units = of.set.units();
    units.saturating_sub(whole(least))..=units.saturating_add(whole(least))
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
    let mut found = false;
    earlier.close_to(record, limit, &mut |descriptor, set| {
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
