//! What the aggregates of the SQL say, computed from folded measures.

use super::fold::{part_columns, parts};
use super::{MergeError, column};
use crate::release::{MeasureOf, Output, Release};
use arrow::array::{
    Array, ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, UInt8Array, new_null_array,
};
use arrow::compute::{CastOptions, cast_with_options};
use arrow::datatypes::{
    DataType, Decimal128Type, Field, Float64Type, Int64Type, Schema, UInt8Type,
};
use mayag_policies::catalogue::Number;
use mayag_protocol::columns::{
    CellStatus, deviation_column, key_column, status_column, value_column,
};
use std::sync::Arc;

/// The value and the status of every cell.
type Column = (ArrayRef, UInt8Array);

/// The outputs of a folded release: the keys `k*` as folded, then for every output `v{i}` in the type that the engine
/// itself gives the aggregate, `v{i}_status` (`UInt8`) and `v{i}_sd` (`Float64`: the standard deviation of its noise,
/// where it is a measure as it is).
pub fn outputs(release: &Release, folded: &RecordBatch) -> Result<RecordBatch, MergeError> {
    outputs_as(release, folded, &[])
}

/// The same in other types where `types` lists one; a question may ask for `avg(CAST(m AS DOUBLE))` of a decimal.
pub(crate) fn outputs_as(
    release: &Release,
    folded: &RecordBatch,
    types: &[DataType],
) -> Result<RecordBatch, MergeError> {
    let (mut fields, mut columns) = (Vec::new(), Vec::new());
    for i in 0..release.keys.len() {
        let key = column(folded, &key_column(i))?;
        fields.push(Field::new(key_column(i), key.data_type().clone(), true));
        columns.push(Arc::clone(key));
    }
    for (i, output) in release.outputs.iter().enumerate() {
        let (value, status) = match output {
            Output::Avg { sum, .. } => average(release, folded, i, *sum, types.get(i))?,
            Output::Correlation { .. } | Output::Covariance { .. } => pairs(release, folded, i)?,
            Output::Direct(wire) => direct(release, folded, *wire)?,
            Output::Quantile(_) => {
                (quantile(part(folded, i, 0)?, types.get(i))?, part_status(folded, i, 0)?)
            }
            Output::Spread { .. } => spread(folded, i, output)?,
        };
        let value = match types.get(i) {
            Some(wanted) if wanted != value.data_type() => convert(&value, wanted)?,
            _ => value,
        };
        fields.push(Field::new(format!("v{i}"), value.data_type().clone(), true));
        fields.push(Field::new(format!("v{i}_status"), DataType::UInt8, false));
        fields.push(Field::new(format!("v{i}_sd"), DataType::Float64, true));
        let deviation = match output {
            Output::Direct(wire) => Arc::clone(column(folded, &deviation_column(*wire))?),
            Output::Quantile(_) => {
                let [_, _, deviation] = part_columns(i, 0);
                Arc::clone(column(folded, &deviation)?)
            }
            Output::Avg { .. }
            | Output::Correlation { .. }
            | Output::Covariance { .. }
            | Output::Spread { .. } => new_null_array(&DataType::Float64, folded.num_rows()),
        };
        columns.extend([value, Arc::new(status) as ArrayRef, deviation]);
    }
    let options = RecordBatchOptions::new().with_row_count(Some(folded.num_rows()));
    RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
        .map_err(|_| MergeError::Layout)
}

/// The engine's type of `sum` and `avg` of a measure: (sum, avg).
pub(crate) fn natural_type(number: Number) -> (DataType, DataType) {
    match number {
        Number::Decimal { precision, scale } => (
            DataType::Decimal128(precision.saturating_add(10).min(38), scale),
            DataType::Decimal128(
                precision.saturating_add(4).min(38),
                scale.saturating_add(4).min(38),
            ),
        ),
        Number::Float => (DataType::Float64, DataType::Float64),
        Number::Integer => (DataType::Int64, DataType::Float64),
    }
}

fn convert(value: &ArrayRef, wanted: &DataType) -> Result<ArrayRef, MergeError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(value, wanted, &strict).map_err(|_| MergeError::Overflow)
}

fn direct(release: &Release, folded: &RecordBatch, wire: usize) -> Result<Column, MergeError> {
    let value = column(folded, &value_column(wire))?;
    let status = status(folded, &status_column(wire))?;
    let value = match &release.wire.get(wire).ok_or(MergeError::Release)?.of {
        MeasureOf::Sum { number, .. } => convert(value, &natural_type(*number).0)?,
        MeasureOf::DistinctUnits
        | MeasureOf::Max(_)
        | MeasureOf::Min(_)
        | MeasureOf::NonNull(_)
        | MeasureOf::Pair { .. }
        | MeasureOf::Rows
        | MeasureOf::SumCentred { .. }
        | MeasureOf::SumOfSquares { .. } => Arc::clone(value),
    };
    Ok((value, status))
}

fn average(
    release: &Release,
    folded: &RecordBatch,
    output: usize,
    sum: usize,
    wanted: Option<&DataType>,
) -> Result<Column, MergeError> {
    let number = match release.wire.get(sum).map(|measure| &measure.of) {
        Some(MeasureOf::Sum { number, .. }) => *number,
        _ => return Err(MergeError::Release),
    };
    let sums = part(folded, output, 0)?;
    let counts = part(folded, output, 1)?;
    let counts = counts.as_primitive_opt::<Int64Type>().ok_or(MergeError::Layout)?;
    let status = worst(folded, release, output)?;
    let value: ArrayRef = match (number, wanted) {
        (Number::Decimal { scale, .. }, None | Some(DataType::Decimal128(..))) => {
            let sums = sums.as_primitive_opt::<Decimal128Type>().ok_or(MergeError::Layout)?;
            Arc::new(decimal_means(sums, scale, counts, &natural_type(number).1)?)
        }
        (Number::Decimal { .. } | Number::Float | Number::Integer, _) => {
            let sums = convert(sums, &DataType::Float64)?;
            let sums = sums.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
            let mean = |row: usize| {
                Some(sums.value(row) / float(count(counts, row)?)).filter(|_| sums.is_valid(row))
            };
            Arc::new((0..folded.num_rows()).map(mean).collect::<Float64Array>())
        }
    };
    Ok((value, status))
}

fn decimal_means(
    sums: &Decimal128Array,
    scale: i8,
    counts: &Int64Array,
    wanted: &DataType,
) -> Result<Decimal128Array, MergeError> {
    let DataType::Decimal128(precision, finer) = *wanted else { return Err(MergeError::Release) };
    let up = 10_i128.pow(u32::from(finer.abs_diff(scale)));
    let limit = 10_i128.pow(u32::from(precision));
    let mean = |row: usize| match (sums.is_valid(row), count(counts, row)) {
        (true, Some(n)) => {
            // The engine cuts, it does not round.
            let mean = sums.value(row).checked_mul(up).map(|sum| sum / i128::from(n));
            mean.filter(|mean| mean.abs() < limit).map(Some).ok_or(MergeError::Overflow)
        }
        _ => Ok(None),
    };
    let means = (0..sums.len()).map(mean).collect::<Result<Decimal128Array, _>>()?;
    means.with_precision_and_scale(precision, finer).map_err(|_| MergeError::Layout)
}

fn spread(folded: &RecordBatch, output: usize, of: &Output) -> Result<Column, MergeError> {
    let squares =
        part(folded, output, 0)?.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
    let sums =
        part(folded, output, 1)?.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
    let counts =
        part(folded, output, 2)?.as_primitive_opt::<Int64Type>().ok_or(MergeError::Layout)?;
    let value = |row: usize| {
        let n = float(count(counts, row)?);
        let divisor = if matches!(of, Output::Spread { sample: true, .. }) { n - 1.0 } else { n };
        if divisor <= 0.0 || squares.is_null(row) || sums.is_null(row) {
            return None;
        }
        // Rounding may leave a tiny negative number where all values are equal.
        let variance = ((squares.value(row) - sums.value(row).powi(2) / n) / divisor).max(0.0);
        Some(if matches!(of, Output::Spread { root: true, .. }) {
            variance.sqrt()
        } else {
            variance
        })
    };
    let values: Float64Array = (0..folded.num_rows()).map(value).collect();
    let statuses = (0..3).map(|i| part_status(folded, output, i)).collect::<Result<Vec<_>, _>>()?;
    Ok((Arc::new(values), greatest(&statuses, folded.num_rows())))
}

/// What is left of a sum of squares around the mean may be rounding alone: less than this part of it is nothing.
const ROUNDING: f64 = 1e-12;

/// Covariance or correlation: the parts are rows, x, y, xy, and of a correlation xx and yy.
fn pairs(release: &Release, folded: &RecordBatch, output: usize) -> Result<Column, MergeError> {
    let of = release.outputs.get(output).ok_or(MergeError::Release)?;
    let counts = part(folded, output, 0)?;
    let counts = counts.as_primitive_opt::<Int64Type>().ok_or(MergeError::Layout)?;
    let sums = (1..parts(of).len()).map(|i| {
        let sums = part(folded, output, i)?.as_primitive_opt::<Float64Type>();
        sums.cloned().ok_or(MergeError::Layout)
    });
    let sums = sums.collect::<Result<Vec<Float64Array>, _>>()?;
    let value = |row: usize| {
        let n = float(count(counts, row)?);
        let sum = |i: usize| sums.get(i).filter(|sum| sum.is_valid(row)).map(|sum| sum.value(row));
        let (x, y) = (sum(0)?, sum(1)?);
        let together = sum(2)? - x * y / n;
        match of {
            Output::Covariance { sample, .. } => {
                let divisor = if *sample { n - 1.0 } else { n };
                (0.0 < divisor).then(|| together / divisor)
            }
            Output::Correlation { .. } => {
                let spread = |squares: f64, sum: f64| {
                    let spread = squares - sum * sum / n;
                    (ROUNDING * squares < spread).then_some(spread)
                };
                let (xx, yy) = (spread(sum(3)?, x)?, spread(sum(4)?, y)?);
                (1.0 < n).then(|| (together / xx.sqrt() / yy.sqrt()).clamp(-1.0, 1.0))
            }
            Output::Avg { .. }
            | Output::Direct(_)
            | Output::Quantile(_)
            | Output::Spread { .. } => None,
        }
    };
    let values: Float64Array = (0..folded.num_rows()).map(value).collect();
    Ok((Arc::new(values), worst(folded, release, output)?))
}

/// A quantile of whole numbers is a whole number.
fn quantile(values: &ArrayRef, wanted: Option<&DataType>) -> Result<ArrayRef, MergeError> {
    let values = values.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
    if wanted != Some(&DataType::Int64) {
        return Ok(Arc::new(values.clone()));
    }
    Ok(Arc::new(values.unary::<_, Float64Type>(f64::round)))
}

fn part(folded: &RecordBatch, output: usize, i: usize) -> Result<&ArrayRef, MergeError> {
    let [value, _, _] = part_columns(output, i);
    column(folded, &value)
}

fn part_status(folded: &RecordBatch, output: usize, i: usize) -> Result<UInt8Array, MergeError> {
    let [_, name, _] = part_columns(output, i);
    status(folded, &name)
}

fn status(folded: &RecordBatch, name: &str) -> Result<UInt8Array, MergeError> {
    column(folded, name)?.as_primitive_opt::<UInt8Type>().cloned().ok_or(MergeError::Layout)
}

fn worst(folded: &RecordBatch, release: &Release, output: usize) -> Result<UInt8Array, MergeError> {
    let parts = release.outputs.get(output).map(parts).unwrap_or_default().len();
    let statuses =
        (0..parts).map(|i| part_status(folded, output, i)).collect::<Result<Vec<_>, _>>()?;
    Ok(greatest(&statuses, folded.num_rows()))
}

fn greatest(statuses: &[UInt8Array], rows: usize) -> UInt8Array {
    let known = CellStatus::Known.byte();
    (0..rows)
        .map(|row| Some(statuses.iter().map(|status| status.value(row)).max().unwrap_or(known)))
        .collect()
}

/// The count of a cell where it can divide. Noise may push a count to zero or below.
fn count(counts: &Int64Array, row: usize) -> Option<i64> {
    Some(counts.value(row)).filter(|n| counts.is_valid(row) && *n > 0)
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a count over 2^53 is not exact as a float, and no table has it"
)]
fn float(n: i64) -> f64 {
    n as f64
}
