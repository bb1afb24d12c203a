//! Noise that is the same for the same set of units, the same statistic and the same data, whatever the spelling of the
//! question: asking again tells nothing more.

mod entropy;
mod fine;
mod table;

pub use table::{CellKeyTable, Entry, TableSpec};

use crate::guard::DataVersion;
use crate::table::Number;
use crate::units::{UnitSet, as_float};
use fine::FineNoise;

/// A pseudo-random function under a secret of the node: HMAC-SHA-256. Passed in, because this crate knows no secrets.
pub trait Prf {
    /// The function's value at a message.
    fn digest(&self, message: &[u8]) -> [u8; 32];
}

/// How strong noise is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NoiseLevel {
    /// The most that a count of units is off.
    pub largest: u32,
    /// The variance of a count of units.
    pub variance: f64,
}

impl NoiseLevel {
    /// What a dataset with a person as unit has at least, unless its policy says otherwise.
    pub const DEFAULT: Self = Self { largest: 5, variance: 3.0 };
}

/// Which data a draw belongs to: new data, new noise.
#[derive(Clone, Copy)]
pub(crate) struct Source<'a> {
    pub(crate) secret: &'a dyn Prf,
    pub(crate) dataset: &'a str,
    pub(crate) version: &'a DataVersion,
}

/// The distributions of one level.
#[derive(Debug, Clone)]
pub(crate) struct Noise {
    table: CellKeyTable,
    fine: FineNoise,
}

/// A noisy value and its standard deviation.
pub(crate) type Noisy = (Number, f64);

impl Noise {
    /// `None` if there is no such noise.
    pub(crate) fn new(level: NoiseLevel) -> Option<Self> {
        let table = CellKeyTable::new(&TableSpec::new(level.largest, level.variance))?;
        let fine = FineNoise::new(level.largest, level.variance)?;
        Some(Self { table, fine })
    }

    /// The noisy number of units of a set, never negative.
    pub(crate) fn units(&self, source: Source<'_>, set: &UnitSet, kind: usize) -> u64 {
        let (key, _) = source.keys(set, kind, &format!("units:{kind}"));
        set.units().saturating_add_signed(self.table.deviation(set.units(), key).into())
    }

    /// The standard deviation of noisy numbers of units.
    pub(crate) fn units_deviation(&self) -> f64 {
        self.table.variance().sqrt()
    }

    /// A noisy count of which one unit can be so many, never negative.
    pub(crate) fn count(
        &self,
        source: Source<'_>,
        set: &UnitSet,
        statistic: &str,
        (count, bound): (i128, u32),
    ) -> Option<Noisy> {
        let (value, deviation) =
            self.amount(source, set, statistic, (Number::Whole(count), f64::from(bound)))?;
        let Number::Whole(count) = value else { return None };
        Some((Number::Whole(count.max(0)), deviation))
    }

    /// A noisy amount of which one unit can be so much, rounded to the [`grid`]. `None` where noise hides nothing: without
    /// a bound that is a positive number, or on a value that is none.
    pub(crate) fn amount(
        &self,
        source: Source<'_>,
        set: &UnitSet,
        statistic: &str,
        (value, bound): (Number, f64),
    ) -> Option<Noisy> {
        if !(bound.is_finite() && 0.0 < bound) {
            return None;
        }
        let (slot, place) = source.keys(set, 0, statistic);
        let noise = bound * self.fine.deviation(slot, place);
        let (value, grid) = match value {
            Number::Whole(whole) => {
                let grid = grid(bound).max(1.0);
                (Number::Whole(on_whole_grid(whole, noise, grid)?), grid)
            }
            Number::Float(float) => {
                let grid = grid(bound);
                (Number::Float(on_float_grid(float + noise, grid)?), grid)
            }
        };
        // A value rounded to a grid is off by another uniform deviation.
        let variance = self.fine.variance() * bound * bound + grid * grid / 12.0;
        Some((value, variance.sqrt()))
    }
}

impl Source<'_> {
    /// Two independent uniform keys for a statistic over a set of units.
    fn keys(&self, set: &UnitSet, kind: usize, statistic: &str) -> (u64, u64) {
        let mut message = b"mayag noise 1\0".to_vec();
        for text in [self.dataset, statistic] {
            message.extend((text.len() as u64).to_le_bytes());
            message.extend(text.as_bytes());
        }
        message.extend(self.version.0);
        message.extend((kind as u64).to_le_bytes());
        message.extend(set.units().to_le_bytes());
        message.extend(set.key().to_le_bytes());
        let digest = self.secret.digest(&message);
        let mut keys = digest
            .chunks_exact(8)
            .map(|bytes| bytes.iter().rev().fold(0_u64, |key, byte| (key << 8) | u64::from(*byte)));
        (keys.next().unwrap_or_default(), keys.next().unwrap_or_default())
    }
}

/// The public grid of noisy amounts of which one unit can be so much: the largest power of ten that is no more than a
/// thousandth of it. So the lowest digits of a value, in which the order of a floating point sum shows, say nothing.
pub fn grid(bound: f64) -> f64 {
    10_f64.powf((bound / 1000.0).log10().floor())
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "noise is a few times a public bound, and casts of floats saturate"
)]
fn on_whole_grid(value: i128, noise: f64, grid: f64) -> Option<i128> {
    let grid = (grid as i128).max(1);
    nearest_multiple(value.checked_add(noise.round() as i128)?, grid)
}

/// The nearest multiple; of two, the larger.
pub(crate) fn nearest_multiple(value: i128, of: i128) -> Option<i128> {
    let of = of.max(1);
    value.checked_add(of / 2)?.checked_div_euclid(of)?.checked_mul(of)
}

fn on_float_grid(value: f64, grid: f64) -> Option<f64> {
    let rounded = if grid < 1.0 {
        let parts = (1.0 / grid).round();
        (value * parts).round() / parts
    } else {
        (value / grid).round() * grid
    };
    // No negative zero: its sign would tell on which side of zero the value was.
    rounded.is_finite().then_some(rounded + 0.0)
}

/// A count as the noise judges it.
pub(crate) fn rounded(count: i128, round_to: u32) -> Option<Noisy> {
    let round_to = i128::from(round_to);
    let value = nearest_multiple(count, round_to)?;
    let steps = as_float(u64::try_from(round_to).unwrap_or_default());
    Some((Number::Whole(value), (steps * steps / 12.0).sqrt()))
}

#[cfg(test)]
pub(crate) mod tests;
