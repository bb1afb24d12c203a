//! Tables of the cell key method: for each true count the distribution of the published one.
//!
//! For each count up to the last row: largest entropy under mean 0, variance at most V, deviation at most D, no count below
//! 0 and none of `1..=never`. Where such a distribution is not attainable with the asked for probability of no deviation,
//! that probability is lowered by 0.05 until it is, at most twenty times. The last row is symmetric and serves every
//! larger count. These are the tables of the R package `ptable`, of which the tests reproduce the published values.

use super::entropy::{Order, Wanted, largest_entropy};

/// What a table is asked to be.
#[derive(Debug, Clone, PartialEq)]
pub struct TableSpec {
    /// D: the largest deviation.
    pub largest: u32,
    /// V: the variance.
    pub variance: f64,
    /// js: counts from 1 to this never appear.
    pub never: u32,
    /// pstay: the probability of no deviation, if it is given.
    pub stay: Option<f64>,
    /// Rows (counts, from 1) in which probabilities need not fall away from 0.
    pub unordered: Vec<u32>,
}

impl TableSpec {
    /// A table of this noise, every count allowed.
    pub fn new(largest: u32, variance: f64) -> Self {
        Self { largest, variance, never: 0, stay: None, unordered: Vec::new() }
    }
}

/// The most that may be asked for: beyond it, noise is no longer small against the smallest cell anybody shows.
const LARGEST: u32 = 100;
/// How much less often a count stays as it is, per attempt, and how many attempts there are.
const LESS: f64 = 0.05;
const ATTEMPTS: u32 = 20;

/// The distributions of published counts.
#[derive(Debug, Clone, PartialEq)]
pub struct CellKeyTable {
    rows: Vec<Vec<Entry>>,
}

/// A published count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// The published count less the true one.
    pub deviation: i32,
    /// How likely it is.
    pub probability: f64,
    /// The last key that leads to it; keys are uniform over all 64-bit numbers.
    last: u64,
}

impl CellKeyTable {
    /// Solves for the table; `None` where there is none, such as for a variance over D².
    pub fn new(spec: &TableSpec) -> Option<Self> {
        let last =
            if spec.never == 0 { spec.largest } else { spec.largest.checked_add(spec.never)? + 1 };
        let sound = 0 < spec.largest
            && last <= LARGEST
            && 0.0 < spec.variance
            && spec.stay.is_none_or(|stay| (0.0..=1.0).contains(&stay));
        if !sound {
            return None;
        }
        let rows = (0..=last).map(|count| row(spec, count)).collect::<Option<Vec<_>>>()?;
        let table = Self { rows };
        // Small counts may get by with less, but the last row serves every count that is shown, and its deviation is
        // published.
        ((table.variance() - spec.variance).abs() < 1e-6).then_some(table)
    }

    /// The distributions by count; the last serves every larger count.
    pub fn rows(&self) -> &[Vec<Entry>] {
        &self.rows
    }

    /// The deviation for a count and a uniform key.
    pub fn deviation(&self, count: u64, key: u64) -> i32 {
        let at =
            usize::try_from(count).unwrap_or(usize::MAX).min(self.rows.len().saturating_sub(1));
        let row = self.rows.get(at).map_or(&[][..], Vec::as_slice);
        row.iter().find(|entry| key <= entry.last).map_or(0, |entry| entry.deviation)
    }

    /// The variance of large counts.
    pub fn variance(&self) -> f64 {
        let square = |entry: &Entry| entry.probability * f64::from(entry.deviation).powi(2);
        self.rows.last().map_or(0.0, |row| row.iter().map(square).sum())
    }
}

/// The distribution of a count.
fn row(spec: &TableSpec, count: u32) -> Option<Vec<Entry>> {
    if count == 0 {
        return Some(vec![Entry { deviation: 0, probability: 1.0, last: u64::MAX }]);
    }
    let (from, largest) = (i32::try_from(count).ok()?, i32::try_from(spec.largest).ok()?);
    let never = i32::try_from(spec.never).ok()?;
    let deviations: Vec<i32> = (-largest..=largest)
        .filter(|v| from + v == 0 || never < from + v)
        .filter(|v| 0 <= from + v)
        .collect();
    let order = if spec.unordered.contains(&count) { Order::Free } else { Order::Peaked };
    let mut stay = spec.stay;
    for _ in 0..ATTEMPTS {
        let wanted = Wanted { deviations: &deviations, variance: spec.variance, order, stay };
        if let Some(probabilities) = largest_entropy(&wanted) {
            return Some(entries(&deviations, &probabilities));
        }
        stay = Some(stay? - LESS).filter(|stay| 0.0 < *stay);
    }
    None
}

fn entries(deviations: &[i32], probabilities: &[f64]) -> Vec<Entry> {
    let mut below = 0.0;
    let mut entries: Vec<Entry> = deviations
        .iter()
        .zip(probabilities)
        .map(|(deviation, probability)| {
            below += probability;
            Entry { deviation: *deviation, probability: *probability, last: threshold(below) }
        })
        .collect();
    // Rounding must leave no key without an entry.
    if let Some(entry) = entries.last_mut() {
        entry.last = u64::MAX;
    }
    entries
}

/// The last of the 64-bit keys that are below this part of all keys.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and 2^64, and casts of floats saturate"
)]
pub(super) fn threshold(part: f64) -> u64 {
    const KEYS: f64 = 18_446_744_073_709_551_616.0;
    ((part.clamp(0.0, 1.0) * KEYS) as u64).saturating_sub(1)
}

#[cfg(test)]
mod tests;
