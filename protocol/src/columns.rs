//! How the cells of a release are laid out in Arrow, and how the parts of several countries fold into one.
//!
//! A release answer is one Arrow IPC stream: first the key columns `k0, k1, ..`, then for every wire measure `i` the
//! three columns `m{i}` (value, null where suppressed), `m{i}_status` (`UInt8`, a [`CellStatus`]) and `m{i}_sd`
//! (`Float64`, the standard deviation of noise; null where there is none). The layout is additive and independent of any
//! engine: partial states of an engine never leave a node (design §4.3).

use serde::{Deserialize, Serialize};
use std::fmt;

/// How a wire measure folds over countries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MergeRole {
    /// Number of rows, of non-null values or of distinct units: added.
    Count,
    /// Largest value: the largest of the parts.
    Max,
    /// Smallest value: the smallest of the parts.
    Min,
    /// Sum of values: added, exactly for integers and decimals, in the order of countries for floats.
    Sum,
    /// Sum of squared distances from the column's public centre: added like a sum.
    SumOfSquares,
}

/// What a cell's value is worth. Ordered: an expression over several cells is worth the least of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CellStatus {
    /// Exact.
    Known = 0,
    /// Exact but for noise of a stated standard deviation.
    Noisy = 1,
    /// Folded from fewer countries than answered: at least one part is withheld.
    Partial = 2,
    /// Withheld. The value column is null; it is neither null nor zero in truth.
    Suppressed = 3,
}

impl CellStatus {
    /// The status of this byte; `None` for a byte that is none.
    pub fn from_byte(byte: u8) -> Option<Self> {
        match byte {
            0 => Some(Self::Known),
            1 => Some(Self::Noisy),
            2 => Some(Self::Partial),
            3 => Some(Self::Suppressed),
            _ => None,
        }
    }

    /// The byte in an Arrow status column.
    pub fn byte(self) -> u8 {
        self as u8
    }

    /// The word in status columns of machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Noisy => "noisy",
            Self::Partial => "partial",
            Self::Suppressed => "suppressed",
        }
    }
}

impl fmt::Display for CellStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name of the `i`-th key column.
pub fn key_column(i: usize) -> String {
    format!("k{i}")
}

/// The name of the `i`-th measure's value column.
pub fn value_column(i: usize) -> String {
    format!("m{i}")
}

/// The name of the `i`-th measure's status column.
pub fn status_column(i: usize) -> String {
    format!("m{i}_status")
}

/// The name of the `i`-th measure's standard deviation column.
pub fn deviation_column(i: usize) -> String {
    format!("m{i}_sd")
}

#[cfg(test)]
mod tests {
    use super::CellStatus;

    #[test]
    fn statuses_read_back_and_the_worst_is_the_largest() {
        for byte in 0..=3 {
            assert_eq!(CellStatus::from_byte(byte).map(CellStatus::byte), Some(byte));
        }
        assert_eq!(CellStatus::from_byte(4), None);
        assert!(
            CellStatus::Known < CellStatus::Noisy && CellStatus::Partial < CellStatus::Suppressed
        );
    }
}
