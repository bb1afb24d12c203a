//! What protecting a whole question takes to know of the cells of each of its releases.

use crate::guard::Descriptor;
use crate::protection::Cells;
use crate::units::UnitSet;

/// The cells of one release with everything that protecting a question needs.
///
/// A cell is computed over **populations**: population 0 is all its rows; a measure with a `FILTER` is computed over those
/// that pass, and leaves others out, which are populations too. Each has distinct units of every **unit kind** that the
/// dataset declares; kind 0 is the one whose `COUNT(DISTINCT ..)` may be asked for.
///
/// `Cells::units(cell)` is `units_of(cell, 0, 0)`.
pub trait Table: Cells {
    /// How many populations every cell has: at least one.
    fn populations(&self) -> usize;

    /// How many kinds of units the dataset declares: at least one. A cell needs enough units of every kind.
    fn unit_kinds(&self) -> usize;

    /// The distinct units. As for [`Cells::units`], where there is no noise a lower bound serves that is above every
    /// threshold.
    fn units_of(&self, cell: usize, population: usize, kind: usize) -> u64;

    /// The set of the units. Where noise or the difference guard is on, a population without one is withheld.
    fn set_of(&self, cell: usize, population: usize, kind: usize) -> Option<&UnitSet>;

    /// What the population is, whatever the spelling: equal descriptors are promised to be the same rows of the same data.
    fn descriptor(&self, cell: usize, population: usize) -> Descriptor;

    /// The atoms that the population consists of, ascending, each once. Atoms are pieces so small that every population
    /// of every release over the same dataset of the question is a union of them, numbered alike in all these releases.
    /// An atom may be empty. A population without atoms is taken for one that overlaps no other.
    fn atoms(&self, cell: usize, population: usize) -> &[u32];

    /// The atoms of a measure's population in which the column that it counts has a value, as in [`Table::atoms`]. `None`
    /// where atoms do not say which these are.
    fn atoms_with_value(&self, cell: usize, measure: usize) -> Option<&[u32]> {
        let (_, _) = (cell, measure);
        None
    }

    /// The release's keys in their order, the country and dates among them.
    fn keys(&self) -> &[KeyKind];

    /// The value of a key of a cell, as any number that is the same for the same value of the same key.
    fn key_value(&self, cell: usize, key: usize) -> u32;

    /// What a measure is.
    fn measure(&self, measure: usize) -> Measure;

    /// The value of a measure as it was computed; `None` where there is none, as in a sum of no rows.
    fn value(&self, cell: usize, measure: usize) -> Option<Number>;

    /// Replaces a value by a less exact one that is off by this standard deviation, for good. What is there before is
    /// gone. Called at most once for each cell and measure, for values that are shown. A missing sum counts as a whole
    /// zero, so that a whole number may come for a column of another type.
    fn set_noisy(&mut self, cell: usize, measure: usize, value: Number, deviation: f64);
}

/// What a key says of the units of a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyKind {
    /// A property that somebody may not want known, such as a substance or a route, of which the filter leaves at least
    /// two values: that everybody has it is news only where others might have been found.
    Category,
    /// When or where it was recorded: dates and the country. Or a key that the filter fixes to one value.
    Frame,
}

/// What a measure is computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct Measure {
    /// The rows that it is computed over.
    pub population: usize,
    /// The rows of the cell that its `FILTER` leaves out, if it has one.
    pub rest: Option<usize>,
    /// What it counts or adds up.
    pub kind: ValueKind,
    /// A name of the statistic that is the same wherever the same is computed, whatever the rows: `rows`, `units:0`,
    /// `values:quantity_g`, `sum:quantity_g`. Two measures of the same name over the same units get the same noise.
    pub statistic: String,
}

/// What a measure counts or adds up, and how much of it one unit can be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum ValueKind {
    /// Values that are not null, of which [`crate::Protections::most_rows`] of a unit are counted where noise is on.
    NonNull,
    /// Extremes, power sums and whatever else has no public bound: never noisy, so withheld where noise is on.
    Other,
    /// Rows, of which [`crate::Protections::most_rows`] of a unit are counted where noise is on. Where every row is a unit
    /// of its own they are units, and should be declared as such: two draws for one number would average out.
    Rows,
    /// A sum.
    Sum {
        /// The most that one unit's contribution can be, positive or negative, by public declaration, in the measure of
        /// [`Number`]; the caller has clamped the contributions to it. Without one the sum is withheld where noise is on.
        bound: Option<f64>,
        /// Whether no summand can be negative, by public declaration.
        nonnegative: bool,
    },
    /// Distinct units of a kind.
    Units {
        /// Which.
        kind: usize,
    },
}

/// A value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// A floating point number.
    Float(f64),
    /// A whole number; for decimals, counted in the smallest digit.
    Whole(i128),
}
