//! Folds the parts of several countries: cells with the same key become one cell, by the role of each measure.
//!
//! The folded batch has the wire's columns (`k*`, `m*`, `m*_status`, `m*_sd`), and for every output that is computed from
//! several measures its own copies of them (`o{output}_{part}` and so on): an average over countries may divide only sums
//! and counts of the same countries, while `count(x)` beside it keeps every country that showed its count. A quantile is
//! read off the bins here, because which of them a country has to show depends on the others.

use super::{MergeError, Part, column, key_rows, quantile, statuses, wire_schema};
use crate::release::{Output, PairSums, Release};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, UInt8Array, UInt32Array,
};
use arrow::compute::{concat_batches, take};
use arrow::datatypes::{DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Dataset};
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::{
    CellStatus, MergeRole, deviation_column, key_column, status_column, value_column,
};
use std::collections::HashMap;
use std::sync::Arc;

/// The largest magnitude of a `DECIMAL(38, ..)`.
const LARGEST_DECIMAL: i128 = 10_i128.pow(38) - 1;

/// Where the folded batch says how many countries list only what they show.
const UNLISTED: &str = "mayag.unlisted";

/// One measure of the folded batch.
struct Measure {
    value: String,
    status: String,
    deviation: String,
    /// The wire measure it is folded from.
    wire: usize,
    /// A country counts only where none of these is withheld.
    together: Vec<usize>,
}

/// The cells of the folded batch.
pub(super) struct Groups {
    /// The rows of each, in the order of countries.
    pub(super) rows: Vec<Vec<u32>>,
    /// Whether a country withholds it by not listing it.
    pub(super) unlisted: Vec<bool>,
}

/// The names of the columns that hold part `part` of output `output`: value, status, deviation.
pub(super) fn part_columns(output: usize, part: usize) -> [String; 3] {
    [
        format!("o{output}_{part}"),
        format!("o{output}_{part}_status"),
        format!("o{output}_{part}_sd"),
    ]
}

/// The wire measures that an output is computed from, where they are several.
pub(super) fn parts(output: &Output) -> Vec<usize> {
    match output {
        Output::Avg { sum, count } => vec![*sum, *count],
        Output::Correlation { sums: PairSums { rows, x, y, xy }, xx, yy } => {
            vec![*rows, *x, *y, *xy, *xx, *yy]
        }
        Output::Covariance { sums: PairSums { rows, x, y, xy }, .. } => vec![*rows, *x, *y, *xy],
        // The bins of a country need not all be shown: see `quantile`.
        Output::Direct(_) | Output::Quantile(_) => Vec::new(),
        Output::Spread { squares, sum, count, .. } => vec![*squares, *sum, *count],
    }
}

/// Folds parts (read by [`super::read_part`]) into one batch, sorted by key with nulls last.
///
/// A key that another country lists and a part of [`Listed::Shown`] does not is withheld there: the cell is partial.
///
/// Countries are folded in their sorted order, so that sums of floats are the same everywhere to the bit. A release
/// without keys has one cell even without parts, as SQL says.
pub fn fold(
    release: &Release,
    dataset: &Dataset,
    parts: &[Part],
) -> Result<RecordBatch, MergeError> {
    let schema = wire_schema(release, dataset)?;
    let mut parts: Vec<_> = parts.iter().collect();
    parts.sort_by(|a, b| a.country.cmp(&b.country));
    if parts.windows(2).any(|pair| matches!(pair, [a, b] if a.country == b.country)) {
        return Err(MergeError::CountryTwice);
    }
    if parts.iter().any(|part| part.cells.schema().fields() != schema.fields()) {
        return Err(MergeError::Layout);
    }
    let all = concat_batches(&schema, parts.iter().map(|part| &part.cells))
        .map_err(|_| MergeError::Overflow)?;
    let rows = groups(release, &all)?;
    let groups = Groups { unlisted: unlisted(release, &parts, &rows), rows };
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    let first: UInt32Array = groups.rows.iter().map(|rows| rows.first().copied()).collect();
    for i in 0..release.keys.len() {
        let key = column(&all, &key_column(i))?;
        fields.push(Field::new(key_column(i), key.data_type().clone(), true));
        columns.push(take(key, &first, None).map_err(|_| MergeError::Layout)?);
    }
    for measure in measures(release) {
        let folded = fold_measure(release, &measure, &all, &groups)?;
        fields.push(Field::new(measure.value, folded.0.data_type().clone(), true));
        fields.push(Field::new(measure.status, DataType::UInt8, false));
        fields.push(Field::new(measure.deviation, DataType::Float64, true));
        columns.extend([folded.0, folded.1, folded.2]);
    }
    for (j, output) in release.outputs.iter().enumerate() {
        let Output::Quantile(of) = output else { continue };
        let [value, status, deviation] = part_columns(j, 0);
        let read = quantile::read(of, &all, &groups)?;
        fields.push(Field::new(value, DataType::Float64, true));
        fields.push(Field::new(status, DataType::UInt8, false));
        fields.push(Field::new(deviation, DataType::Float64, true));
        columns.extend([read.0, read.1, read.2]);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(groups.rows.len()));
    let of_shown = parts.iter().filter(|part| part.listed == Listed::Shown).count();
    // One cell is never missing: without keys it is listed, shown or not.
    let of_shown = if release.keys.is_empty() { 0 } else { of_shown };
    let said = HashMap::from([(UNLISTED.to_owned(), of_shown.to_string())]);
    RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields).with_metadata(said)),
        columns,
        &options,
    )
    .map_err(|_| MergeError::Layout)
}

/// How many countries may withhold cells of a folded batch by not listing them.
pub(crate) fn unlisted_by(folded: &RecordBatch) -> u64 {
    let said = folded.schema_ref().metadata().get(UNLISTED).and_then(|said| said.parse().ok());
    // What does not say it was folded by nobody: nothing of it is taken for whole.
    said.unwrap_or(1)
}

fn measures(release: &Release) -> Vec<Measure> {
    let mut measures: Vec<_> = (0..release.wire.len())
        .map(|i| Measure {
            value: value_column(i),
            status: status_column(i),
            deviation: deviation_column(i),
            wire: i,
            together: vec![i],
        })
        .collect();
    for (j, output) in release.outputs.iter().enumerate() {
        let together = parts(output);
        for (part, wire) in together.iter().enumerate() {
            let [value, status, deviation] = part_columns(j, part);
            measures.push(Measure {
                value,
                status,
                deviation,
                wire: *wire,
                together: together.clone(),
            });
        }
    }
    measures
}

/// The rows of each cell, cells in the order of their keys, rows in the order of countries.
fn groups(release: &Release, all: &RecordBatch) -> Result<Vec<Vec<u32>>, MergeError> {
    let count = u32::try_from(all.num_rows()).map_err(|_| MergeError::TooLarge)?;
    let keys = all.columns().get(..release.keys.len()).ok_or(MergeError::Layout)?;
    if keys.is_empty() {
        return Ok(vec![(0..count).collect()]);
    }
    let rows = key_rows(keys)?;
    let mut sorted: Vec<_> = rows.iter().zip(0..count).collect();
    sorted.sort();
    Ok(sorted
        .chunk_by(|a, b| a.0 == b.0)
        .map(|cell| cell.iter().map(|(_, row)| *row).collect())
        .collect())
}

/// Whether some country that lists only what it shows does not list the cell, for every cell.
fn unlisted(release: &Release, parts: &[&Part], cells: &[Vec<u32>]) -> Vec<bool> {
    // A cell of one country is in no other country's part, and that says nothing.
    if release.keys.iter().any(|key| key.column.as_str() == COUNTRY_COLUMN) {
        return vec![false; cells.len()];
    }
    let mut of_shown = Vec::new();
    for part in parts {
        of_shown.resize(of_shown.len() + part.cells.num_rows(), part.listed == Listed::Shown);
    }
    let lists = |row: &&u32| of_shown.get(**row as usize) == Some(&true);
    let all = parts.iter().filter(|part| part.listed == Listed::Shown).count();
    // Keys are distinct within a part: a cell has at most one row of each country.
    cells.iter().map(|rows| rows.iter().filter(lists).count() < all).collect()
}

/// Value, status and deviation of every cell.
pub(super) type Folded = (ArrayRef, ArrayRef, ArrayRef);

fn fold_measure(
    release: &Release,
    measure: &Measure,
    all: &RecordBatch,
    groups: &Groups,
) -> Result<Folded, MergeError> {
    let role = release.wire.get(measure.wire).ok_or(MergeError::Release)?.of.role();
    let value = column(all, &value_column(measure.wire))?;
    let deviations = column(all, &deviation_column(measure.wire))?;
    let deviations = deviations.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
    let own = statuses(all, measure.wire)?;
    let together =
        measure.together.iter().map(|i| statuses(all, *i)).collect::<Result<Vec<_>, _>>()?;
    let withheld = CellStatus::Suppressed.byte();
    let (mut shown, mut status, mut deviation) = (Vec::new(), Vec::new(), Vec::new());
    for (rows, unlisted) in groups.rows.iter().zip(&groups.unlisted) {
        let kept: Vec<usize> = rows
            .iter()
            .map(|row| *row as usize)
            .filter(|row| together.iter().all(|statuses| statuses.value(*row) != withheld))
            .collect();
        let noisy = kept.iter().any(|row| own.value(*row) == CellStatus::Noisy.byte());
        let tally = Tally { kept: kept.len(), of: rows.len(), unlisted: *unlisted, noisy };
        status.push(tally.worth().byte());
        let squares = kept
            .iter()
            .filter(|row| deviations.is_valid(**row))
            .map(|row| deviations.value(*row).powi(2));
        deviation.push(noisy.then(|| squares.sum::<f64>().sqrt()));
        shown.push(kept);
    }
    let value = match role {
        MergeRole::Count | MergeRole::Sum | MergeRole::SumOfSquares => {
            let empty = |i: usize| role == MergeRole::Count && status.get(i) != Some(&withheld);
            add(value, &shown, empty)?
        }
        MergeRole::Max | MergeRole::Min => extreme(value, &shown, role)?,
    };
    Ok((value, Arc::new(UInt8Array::from(status)), Arc::new(Float64Array::from(deviation))))
}

/// What is folded into one cell.
pub(super) struct Tally {
    /// The countries whose cells are in it.
    pub(super) kept: usize,
    /// The countries that list it.
    pub(super) of: usize,
    /// Whether a country withholds it by not listing it.
    pub(super) unlisted: bool,
    /// Whether any of what is kept is noisy.
    pub(super) noisy: bool,
}

impl Tally {
    /// What the cell is worth. A country whose own cell was partial cannot be: reading a part refuses it.
    pub(super) fn worth(&self) -> CellStatus {
        let Self { kept, of, unlisted, noisy } = *self;
        if kept == 0 && (unlisted || 0 < of) {
            CellStatus::Suppressed
        } else if unlisted || kept < of {
            CellStatus::Partial
        } else if noisy {
            CellStatus::Noisy
        } else {
            CellStatus::Known
        }
    }
}

/// The sum of each cell's rows; null where there is nothing to add, or zero where `zero` says so.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "sums on the wire have three types; any other is a wrong layout"
)]
fn add(
    values: &ArrayRef,
    cells: &[Vec<usize>],
    zero: impl Fn(usize) -> bool,
) -> Result<ArrayRef, MergeError> {
    let present = |rows: &Vec<usize>| {
        rows.iter().copied().filter(|row| values.is_valid(*row)).collect::<Vec<_>>()
    };
    match values.data_type() {
        DataType::Int64 => {
            let ints = values.as_primitive_opt::<Int64Type>().ok_or(MergeError::Layout)?;
            let sum = |(i, rows): (usize, &Vec<usize>)| match present(rows).as_slice() {
                [] => Ok(zero(i).then_some(0)),
                rows => {
                    let sum =
                        rows.iter().try_fold(0_i64, |sum, row| sum.checked_add(ints.value(*row)));
                    sum.map(Some).ok_or(MergeError::Overflow)
                }
            };
            Ok(Arc::new(cells.iter().enumerate().map(sum).collect::<Result<Int64Array, _>>()?))
        }
        DataType::Decimal128(precision, scale) => {
            let decimals = values.as_primitive_opt::<Decimal128Type>().ok_or(MergeError::Layout)?;
            let sum = |rows: &Vec<usize>| match present(rows).as_slice() {
                [] => Ok(None),
                rows => {
                    let sum = rows
                        .iter()
                        .try_fold(0_i128, |sum, row| sum.checked_add(decimals.value(*row)));
                    sum.filter(|sum| sum.abs() <= LARGEST_DECIMAL)
                        .map(Some)
                        .ok_or(MergeError::Overflow)
                }
            };
            let sums = cells.iter().map(sum).collect::<Result<Decimal128Array, _>>()?;
            Ok(Arc::new(
                sums.with_precision_and_scale(*precision, *scale)
                    .map_err(|_| MergeError::Layout)?,
            ))
        }
        _ => {
            let floats = values.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
            let sum = |rows: &Vec<usize>| match present(rows).as_slice() {
                [] => None,
                rows => Some(rows.iter().fold(0.0, |sum, row| sum + floats.value(*row))),
            };
            Ok(Arc::new(cells.iter().map(sum).collect::<Float64Array>()))
        }
    }
}

/// The largest or smallest value of each cell's rows.
fn extreme(
    values: &ArrayRef,
    cells: &[Vec<usize>],
    role: MergeRole,
) -> Result<ArrayRef, MergeError> {
    let rows = key_rows(std::slice::from_ref(values))?;
    let pick = |cell: &Vec<usize>| {
        let present = cell.iter().copied().filter(|row| values.is_valid(*row));
        let best = if role == MergeRole::Max {
            present.max_by_key(|row| rows.row(*row))
        } else {
            present.min_by_key(|row| rows.row(*row))
        };
        best.and_then(|row| u32::try_from(row).ok())
    };
    let best: UInt32Array = cells.iter().map(pick).collect();
    take(values, &best, None).map_err(|_| MergeError::Layout)
}
