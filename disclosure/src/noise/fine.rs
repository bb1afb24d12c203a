//! Noise for what is not a count of units: bounded like a cell key table and of the same variance, but fine-grained, in
//! parts of what one unit can contribute at most.
//!
//! The density is constant over slots of [`SLOT`] and follows a normal density that is cut off at the largest deviation:
//! the distribution of largest entropy for that variance and that bound.

use super::table::threshold;

/// Slots per 1.
const SLOTS: u32 = 64;
const SLOT: f64 = 1.0 / SLOTS as f64;

/// The distribution.
#[derive(Debug, Clone)]
pub(crate) struct FineNoise {
    /// The last key of each slot, from the lowest slot on.
    last: Vec<u64>,
    largest: f64,
    variance: f64,
}

impl FineNoise {
    /// The distribution between `-largest` and `largest`; `None` if its variance would be above that of a uniform one.
    pub(crate) fn new(largest: u32, variance: f64) -> Option<Self> {
        let slots = largest.checked_mul(SLOTS).filter(|slots| (1..=100 * SLOTS).contains(slots))?;
        let half: Vec<f64> = (0..slots).map(|slot| (f64::from(slot) + 0.5) * SLOT).collect();
        let at = |narrow: f64| -> (Vec<f64>, f64) {
            let weights: Vec<f64> = half.iter().map(|x| (-narrow * x * x).exp()).collect();
            let all: f64 = weights.iter().sum();
            let squares = half.iter().zip(&weights).map(|(x, weight)| weight * x * x);
            (weights.iter().map(|weight| weight / all / 2.0).collect(), squares.sum::<f64>() / all)
        };
        // What a constant density inside a slot adds.
        let wanted = variance - SLOT * SLOT / 12.0;
        let (mut low, mut high) = (0.0, 1000.0);
        let attainable = at(high).1 < wanted && wanted < at(low).1;
        if !attainable {
            return None;
        }
        for _ in 0..60 {
            let middle = f64::midpoint(low, high);
            if at(middle).1 < wanted { high = middle } else { low = middle }
        }
        let (half, _) = at(low);
        let mut below = 0.0;
        let mut last: Vec<u64> = half
            .iter()
            .rev()
            .chain(&half)
            .map(|probability| {
                below += probability;
                threshold(below)
            })
            .collect();
        if let Some(last) = last.last_mut() {
            *last = u64::MAX;
        }
        Some(Self { last, largest: f64::from(largest), variance })
    }

    /// The deviation for two uniform keys: one chooses the slot, the other the place in it.
    pub(crate) fn deviation(&self, slot: u64, place: u64) -> f64 {
        let slot = self.last.partition_point(|last| *last < slot);
        let slot = f64::from(u32::try_from(slot).unwrap_or_default());
        -self.largest + (slot + part(place)) * SLOT
    }

    pub(crate) fn variance(&self) -> f64 {
        self.variance
    }
}

/// A key as a part of all keys, in steps of 2^-32.
fn part(key: u64) -> f64 {
    const STEPS: f64 = 4_294_967_296.0;
    (f64::from(u32::try_from(key >> 32).unwrap_or_default()) + 0.5) / STEPS
}
