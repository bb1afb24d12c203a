//! What a grant asks of the cells that it shows.

use std::cmp::{max, min};

/// The protections that the cells of a release need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Protections {
    /// Distinct units of every kind that a cell needs.
    pub min_units: u64,
    /// The percentage of the p%-rule.
    pub p_percent: u32,
    /// When a few units hold too much of a sum.
    pub dominance: Dominance,
    /// A category that holds this percentage of a group's units, or more, says too much about each of them.
    pub one_category_percent: u32,
    /// What is added to every number.
    pub noise: Noise,
    /// Rows of one unit that count in a cell where noise is on.
    pub most_rows: u64,
    /// Numbers are rounded to multiples of this.
    pub round_to: u64,
    /// Whether cells are compared with those that were released before.
    pub difference_guard: Switch,
    /// Distinct columns that a release may group and filter by.
    pub most_levels: u32,
}

/// The (n,k)-rule: a sum is withheld if `units` of them hold more than `percent` of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dominance {
    /// So many of the largest contributors.
    pub units: u32,
    /// This much of the sum, in percent.
    pub percent: u32,
}

/// Noise by cell key: the same set of units has the same noise, whatever the spelling of the question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Noise {
    /// Numbers are exact, and cells that say too much are withheld instead.
    Off,
    /// Numbers are noisy.
    On {
        /// The largest deviation of a count of units.
        largest: u32,
        /// The variance of a count of units.
        variance: u32,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Off.
    Off,
    /// On.
    On,
}

/// Public bounds of what one unit contributes to the sum of a measure in a cell, in the measure's unit: what is outside
/// is cut to them. `low <= 0 <= high`, and not both are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The least.
    pub low: i64,
    /// The most.
    pub high: i64,
}

/// Questions a day. `None` where nothing is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// By one person.
    pub person: Option<u64>,
    /// By all people of one country.
    pub country: Option<u64>,
    /// By everybody, of the dataset.
    pub dataset: Option<u64>,
}

impl Protections {
    /// The stricter of both in every respect.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            min_units: max(self.min_units, other.min_units),
            p_percent: max(self.p_percent, other.p_percent),
            dominance: self.dominance.strictest(other.dominance),
            one_category_percent: min(self.one_category_percent, other.one_category_percent),
            noise: self.noise.strictest(other.noise),
            most_rows: min(self.most_rows, other.most_rows),
            round_to: max(self.round_to, other.round_to),
            difference_guard: self.difference_guard.strictest(other.difference_guard),
            most_levels: min(self.most_levels, other.most_levels),
        }
    }
}

impl Dominance {
    fn strictest(self, other: Self) -> Self {
        Self { units: max(self.units, other.units), percent: min(self.percent, other.percent) }
    }
}

impl Noise {
    /// Whether numbers are noisy.
    pub fn on(self) -> bool {
        match self {
            Self::Off => false,
            Self::On { .. } => true,
        }
    }

    fn strictest(self, other: Self) -> Self {
        match (self, other) {
            (Self::Off, noise) | (noise, Self::Off) => noise,
            (Self::On { largest: a, variance: v }, Self::On { largest: b, variance: w }) => {
                Self::On { largest: max(a, b), variance: max(v, w) }
            }
        }
    }
}

impl Switch {
    fn strictest(self, other: Self) -> Self {
        match (self, other) {
            (Self::Off, Self::Off) => Self::Off,
            (Self::On, _) | (_, Self::On) => Self::On,
        }
    }
}

impl Bounds {
    /// What lies within both; never empty, because both hold 0.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self { low: max(self.low, other.low), high: min(self.high, other.high) }
    }

    /// The most by which one unit can change a sum.
    pub fn largest(self) -> u64 {
        max(self.low.unsigned_abs(), self.high.unsigned_abs())
    }
}

/// The smaller of two limits, of which none is the largest.
pub(crate) fn smaller(a: Option<u64>, b: Option<u64>) -> Option<u64> {
    match (a, b) {
        (Some(a), Some(b)) => Some(min(a, b)),
        (limit, None) | (None, limit) => limit,
    }
}

impl Budget {
    /// The smaller of both in every respect.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            person: smaller(self.person, other.person),
            country: smaller(self.country, other.country),
            dataset: smaller(self.dataset, other.dataset),
        }
    }
}
