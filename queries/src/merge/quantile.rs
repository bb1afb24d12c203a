//! Quantiles from the counts of declared bins.
//!
//! A quantile is shown where the counts that countries show say in which bin it is and how many values are below that
//! bin; inside the bin it is interpolated. A country that withholds some of its bins still takes part where it shows how
//! many rows it has in all and every row is in a bin: then the withheld bins hold the difference, somewhere. Where that
//! leaves open which bin it is, or how full, the quantile is withheld, and so it is in a bin without an end.

use super::fold::{Folded, Groups, Tally};
use super::{MergeError, column, statuses};
use crate::release::Quantile;
use arrow::array::{Array, AsArray, Float64Array, Int64Array, RecordBatch, UInt8Array};
use arrow::datatypes::{Float64Type, Int64Type};
use mayag_protocol::columns::{CellStatus, deviation_column, value_column};
use std::sync::Arc;

/// A part of one, in the unit of [`Quantile::billionths`].
const WHOLE: f64 = 1e9;

/// A count of the parts: values, statuses, deviations.
struct Count<'a> {
    values: &'a Int64Array,
    statuses: &'a UInt8Array,
    deviations: &'a Float64Array,
}

/// How many values are in a bin or below it, for each bin.
struct Below {
    /// At least.
    least: Vec<i64>,
    /// At most.
    most: Vec<i64>,
}

/// The quantile of every cell.
pub(super) fn read(
    of: &Quantile,
    all: &RecordBatch,
    groups: &Groups,
) -> Result<Folded, MergeError> {
    let bins = of.bins.iter().map(|bin| count(all, *bin)).collect::<Result<Vec<_>, _>>()?;
    let rows = count(all, of.rows)?;
    let (mut values, mut said, mut deviations) = (Vec::new(), Vec::new(), Vec::new());
    for (cells, unlisted) in groups.rows.iter().zip(&groups.unlisted) {
        let mut below = Below::nothing(bins.len());
        let (mut kept, mut noisy, mut variance) = (0, false, 0.0);
        for row in cells.iter().map(|row| *row as usize) {
            let Some(own) = Below::of_country(of, &bins, &rows, row) else { continue };
            below.add(&own)?;
            kept += 1;
            for count in bins.iter().chain([&rows]).filter(|count| count.is_noisy(row)) {
                noisy = true;
                variance += count.deviations.value(row).powi(2);
            }
        }
        let tally = Tally { kept, of: cells.len(), unlisted: *unlisted, noisy };
        let (value, status, width) = match (below.place(of), tally.worth()) {
            (_, CellStatus::Suppressed) | (Place::Unknown, _) => {
                (None, CellStatus::Suppressed, None)
            }
            (Place::Nowhere, status) => (None, status, None),
            (Place::At { value, of_each }, status) => (Some(value), status, Some(of_each)),
        };
        values.push(value);
        said.push(Some(status.byte()));
        // As far as it stays within its bin: so many rows more or less below it.
        deviations.push(width.filter(|_| noisy).map(|width| width * variance.sqrt()));
    }
    Ok((
        Arc::new(Float64Array::from(values)),
        Arc::new(UInt8Array::from(said)),
        Arc::new(Float64Array::from(deviations)),
    ))
}

fn count(all: &RecordBatch, wire: usize) -> Result<Count<'_>, MergeError> {
    let values = column(all, &value_column(wire))?.as_primitive_opt::<Int64Type>();
    let deviations = column(all, &deviation_column(wire))?.as_primitive_opt::<Float64Type>();
    Ok(Count {
        values: values.ok_or(MergeError::Layout)?,
        statuses: statuses(all, wire)?,
        deviations: deviations.ok_or(MergeError::Layout)?,
    })
}

impl Count<'_> {
    /// The count where it is shown. Noise may push it below zero.
    fn shown(&self, row: usize) -> Option<i64> {
        let withheld = self.statuses.value(row) == CellStatus::Suppressed.byte();
        (!withheld && self.values.is_valid(row)).then(|| self.values.value(row).max(0))
    }

    fn is_noisy(&self, row: usize) -> bool {
        self.statuses.value(row) == CellStatus::Noisy.byte() && self.deviations.is_valid(row)
    }
}

/// Where a quantile is.
enum Place {
    At {
        value: f64,
        /// What one row more or less below it moves it by.
        of_each: f64,
    },
    /// There are no values.
    Nowhere,
    /// The counts do not say.
    Unknown,
}

impl Below {
    fn nothing(bins: usize) -> Self {
        Self { least: vec![0; bins], most: vec![0; bins] }
    }

    /// What one country says; `None` where it withholds too much to take part.
    fn of_country(of: &Quantile, bins: &[Count<'_>], rows: &Count<'_>, row: usize) -> Option<Self> {
        let counts: Vec<Option<i64>> = bins.iter().map(|bin| bin.shown(row)).collect();
        let shown = counts.iter().flatten().try_fold(0_i64, |sum, n| sum.checked_add(*n))?;
        let hidden = if counts.iter().all(Option::is_some) {
            0
        } else {
            rows.shown(row).filter(|_| of.complete)?.saturating_sub(shown).max(0)
        };
        let last = counts.iter().rposition(Option::is_none);
        let (mut sum, mut open) = (0_i64, false);
        let mut below = Self { least: Vec::new(), most: Vec::new() };
        for (bin, count) in counts.iter().enumerate() {
            sum = sum.checked_add(count.unwrap_or(0))?;
            open |= count.is_none();
            let all = last.is_none_or(|last| last <= bin);
            below.least.push(if all { sum.checked_add(hidden)? } else { sum });
            below.most.push(if open { sum.checked_add(hidden)? } else { sum });
        }
        Some(below)
    }

    fn add(&mut self, other: &Self) -> Result<(), MergeError> {
        let sums = self.least.iter_mut().chain(&mut self.most);
        for (sum, more) in sums.zip(other.least.iter().chain(&other.most)) {
            *sum = sum.checked_add(*more).ok_or(MergeError::Overflow)?;
        }
        Ok(())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "counts over 2^53 are not exact as floats, and no table has them"
    )]
    fn place(&self, of: &Quantile) -> Place {
        let total = self.least.last().copied().unwrap_or(0);
        if total <= 0 {
            return Place::Nowhere;
        }
        let wanted = total as f64 * (f64::from(of.billionths) / WHOLE);
        // The smallest value is in the first bin that holds any.
        let reaches = |below: &&i64| 0 < **below && wanted <= **below as f64;
        let find = |below: &[i64]| below.iter().position(|below| reaches(&below));
        let (Some(bin), Some(other)) = (find(&self.least), find(&self.most)) else {
            return Place::Unknown;
        };
        let known = |bin: usize| match (self.least.get(bin), self.most.get(bin)) {
            (Some(least), Some(most)) if least == most => Some(*least as f64),
            (Some(_) | None, Some(_) | None) => None,
        };
        let before = if bin == 0 { Some(0.0) } else { known(bin - 1) };
        let ends = (of.ends.get(bin).copied().flatten(), of.ends.get(bin + 1).copied().flatten());
        match (before, known(bin), ends) {
            (Some(before), Some(until), (Some(from), Some(to))) if bin == other => {
                let (from, to) = (from as f64, to as f64);
                let (width, count) = (to - from, until - before);
                let value = from + (wanted - before).max(0.0) * width / count;
                Place::At { value, of_each: width / count }
            }
            (Some(_) | None, Some(_) | None, (Some(_) | None, Some(_) | None)) => Place::Unknown,
        }
    }
}

#[cfg(test)]
mod tests;
