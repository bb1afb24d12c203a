//! The cells of releases in Arrow: their layout, and how the parts of several countries fold into one.
//!
//! Pure functions over record batches; no engine. The layout is [`mayag_protocol::columns`]. What a node sends is not
//! trusted: [`read_part`] checks everything that [`fold()`] relies on.

mod fold;
mod listed;
mod outputs;
mod quantile;

pub use fold::fold;
pub(crate) use fold::unlisted_by;
pub use listed::{check_listed, literals};
pub use outputs::outputs;
pub(crate) use outputs::{natural_type, outputs_as};

use crate::release::{MeasureOf, Power, Release};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, UInt8Array};
use arrow::buffer::Buffer;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Field, Float64Type, Int64Type, Schema, SchemaRef, UInt8Type};
use arrow::ipc::reader::StreamDecoder;
use arrow::ipc::writer::StreamWriter;
use arrow::row::{RowConverter, Rows, SortField};
use mayag_policies::catalogue::{Dataset, Kind, Named, Number};
use mayag_policies::shape::LevelRef;
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::{
    CellStatus, MergeRole, deviation_column, key_column, status_column, value_column,
};
use mayag_protocol::names::Country;
use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// The longest part that is read. 64 MiB hold about a million cells.
pub const LONGEST_PART: usize = 64 * 1024 * 1024;

/// The most cells of one release of one country.
pub const MOST_CELLS: usize = 1_000_000;

/// The longest text in a key or a value. A level is a word from a list, not a document.
pub const LONGEST_TEXT: usize = 4096;

/// Why parts could not be read, folded or written. Names no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// A status byte, a count, a deviation or a null is not what the layout says.
    #[error("column `{0}` of a part holds a cell that the layout does not allow")]
    Cell(String),
    /// Two parts of the same country.
    #[error("two parts of one release are of the same country")]
    CountryTwice,
    /// Two cells with the same key.
    #[error("two cells of a part have the same key")]
    KeyTwice,
    /// Other columns or types than the release asks for.
    #[error("the columns of a part are not those of its release")]
    Layout,
    /// A sum left the range of its type.
    #[error("a sum left the range of its type")]
    Overflow,
    /// A part says that it lists all combinations of its keys or only the cells shown, and does not.
    #[error("a part lists other cells than it says")]
    Listed,
    /// Not an Arrow IPC stream, or cut off.
    #[error("a part is not a readable Arrow stream")]
    Unreadable,
    /// The release names columns that the dataset does not have, or measures that it does not list.
    #[error("the release does not fit the dataset")]
    Release,
    /// Over [`LONGEST_PART`], [`MOST_CELLS`] or [`LONGEST_TEXT`].
    #[error("a part is over a size limit")]
    TooLarge,
}

/// What one country sent for a release.
#[derive(Debug, Clone, PartialEq)]
pub struct Part {
    /// The country.
    pub country: Country,
    /// Which cells it lists.
    pub listed: Listed,
    /// The cells.
    pub cells: RecordBatch,
}

/// The schema of a release's parts on the wire.
pub fn wire_schema(release: &Release, dataset: &Dataset) -> Result<SchemaRef, MergeError> {
    let mut fields = Vec::new();
    for (i, level) in release.keys.iter().enumerate() {
        fields.push(Field::new(key_column(i), level_type(level, dataset)?, true));
    }
    for (i, measure) in release.wire.iter().enumerate() {
        fields.push(Field::new(value_column(i), measure_type(&measure.of, dataset)?, true));
        fields.push(Field::new(status_column(i), DataType::UInt8, false));
        fields.push(Field::new(deviation_column(i), DataType::Float64, true));
    }
    Ok(Arc::new(Schema::new(fields)))
}

/// The bytes of a part: one Arrow IPC stream, the same bytes for the same cells.
pub fn write_part(cells: &RecordBatch) -> Result<Vec<u8>, MergeError> {
    let mut bytes = Vec::new();
    let mut writer =
        StreamWriter::try_new(&mut bytes, &cells.schema()).map_err(|_| MergeError::Unreadable)?;
    writer.write(cells).and_then(|()| writer.finish()).map_err(|_| MergeError::Unreadable)?;
    drop(writer);
    Ok(bytes)
}

/// Reads a part that a node sent and checks it against the layout of its release.
pub fn read_part(
    release: &Release,
    dataset: &Dataset,
    ipc: &[u8],
) -> Result<RecordBatch, MergeError> {
    if ipc.len() > LONGEST_PART {
        return Err(MergeError::TooLarge);
    }
    let schema = wire_schema(release, dataset)?;
    // A reader of foreign bytes must not take the gateway with it.
    let cells = catch_unwind(AssertUnwindSafe(|| decode(&schema, ipc)))
        .map_err(|_| MergeError::Unreadable)??;
    check(release, &cells)?;
    Ok(cells)
}

fn decode(schema: &SchemaRef, ipc: &[u8]) -> Result<RecordBatch, MergeError> {
    // The decoder works inside the bytes at hand: a length that a message claims allocates nothing.
    let mut rest = Buffer::from(ipc);
    let mut decoder = StreamDecoder::new();
    let (mut batches, mut rows) = (Vec::new(), 0usize);
    while !rest.is_empty() {
        let before = rest.len();
        let batch = decoder.decode(&mut rest).map_err(|_| MergeError::Unreadable)?;
        match batch {
            Some(batch) if batch.schema().fields() == schema.fields() => {
                rows = rows.saturating_add(batch.num_rows());
                batches.push(batch);
            }
            Some(_) => return Err(MergeError::Layout),
            None if rest.len() == before => return Err(MergeError::Unreadable),
            None => {}
        }
        if rows > MOST_CELLS {
            return Err(MergeError::TooLarge);
        }
    }
    decoder.finish().map_err(|_| MergeError::Unreadable)?;
    match decoder.schema() {
        Some(sent) if sent.fields() == schema.fields() => {}
        Some(_) => return Err(MergeError::Layout),
        None => return Err(MergeError::Unreadable),
    }
    let batches = batches
        .into_iter()
        .map(|batch| RecordBatch::try_new(Arc::clone(schema), batch.columns().to_vec()));
    let batches: Vec<_> = batches.collect::<Result<_, _>>().map_err(|_| MergeError::Layout)?;
    concat_batches(schema, &batches).map_err(|_| MergeError::Unreadable)
}

/// Checks what the schema does not say: keys are distinct, statuses are statuses, withheld cells are null.
pub(crate) fn check(release: &Release, cells: &RecordBatch) -> Result<(), MergeError> {
    for column in cells.columns() {
        let longest = column
            .as_string_opt::<i32>()
            .and_then(|texts| texts.iter().flatten().map(str::len).max());
        if longest.is_some_and(|length| length > LONGEST_TEXT) {
            return Err(MergeError::TooLarge);
        }
    }
    let keys = cells.columns().get(..release.keys.len()).ok_or(MergeError::Layout)?;
    if keys.is_empty() {
        if cells.num_rows() > 1 {
            return Err(MergeError::KeyTwice);
        }
    } else {
        let rows = key_rows(keys)?;
        let mut seen = BTreeSet::new();
        if rows.iter().any(|row| !seen.insert(row)) {
            return Err(MergeError::KeyTwice);
        }
    }
    release
        .wire
        .iter()
        .enumerate()
        .try_for_each(|(i, measure)| check_measure(i, &measure.of, cells))
}

fn check_measure(i: usize, of: &MeasureOf, cells: &RecordBatch) -> Result<(), MergeError> {
    let wrong = || MergeError::Cell(value_column(i));
    let value = column(cells, &value_column(i))?;
    let statuses = statuses(cells, i)?;
    let deviation = column(cells, &deviation_column(i))?;
    let deviation = deviation.as_primitive_opt::<Float64Type>().ok_or(MergeError::Layout)?;
    let counted = of.role() == MergeRole::Count;
    for row in 0..cells.num_rows() {
        let status = CellStatus::from_byte(statuses.value(row)).ok_or_else(wrong)?;
        let sound = match status {
            CellStatus::Known => !(counted && value.is_null(row)) && deviation.is_null(row),
            CellStatus::Noisy => {
                value.is_valid(row)
                    && deviation.is_valid(row)
                    && deviation.value(row).is_finite()
                    && deviation.value(row) >= 0.0
            }
            // Only a fold makes a partial cell.
            CellStatus::Partial => false,
            CellStatus::Suppressed => value.is_null(row) && deviation.is_null(row),
        };
        let negative =
            counted && status == CellStatus::Known && int(value, row).is_none_or(|count| count < 0);
        if !sound || negative {
            return Err(wrong());
        }
    }
    Ok(())
}

fn int(values: &ArrayRef, row: usize) -> Option<i64> {
    let values = values.as_primitive_opt::<Int64Type>()?;
    values.is_valid(row).then(|| values.value(row))
}

/// The column of this name.
fn column<'a>(cells: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef, MergeError> {
    cells.column_by_name(name).ok_or(MergeError::Layout)
}

fn statuses(cells: &RecordBatch, i: usize) -> Result<&UInt8Array, MergeError> {
    column(cells, &status_column(i))?.as_primitive_opt::<UInt8Type>().ok_or(MergeError::Layout)
}

/// Comparable rows of key columns: ascending, nulls last.
fn key_rows(keys: &[ArrayRef]) -> Result<Rows, MergeError> {
    let options = arrow::compute::SortOptions { descending: false, nulls_first: false };
    let fields = keys
        .iter()
        .map(|key| SortField::new_with_options(key.data_type().clone(), options))
        .collect();
    let converter = RowConverter::new(fields).map_err(|_| MergeError::Layout)?;
    converter.convert_columns(keys).map_err(|_| MergeError::Layout)
}

/// The Arrow type of a level on the wire.
pub(crate) fn level_type(level: &LevelRef, dataset: &Dataset) -> Result<DataType, MergeError> {
    match (dataset.named(level), level.grain) {
        (Some(Named::Coarser(..) | Named::Country), None) => Ok(DataType::Utf8),
        (Some(Named::Period(..)), Some(_)) => Ok(DataType::Date32),
        (Some(Named::Plain(column)), None) => match &column.kind {
            Kind::Category { .. } => Ok(DataType::Utf8),
            Kind::Number {} => Ok(DataType::Int64),
            Kind::Date {} | Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {} => {
                Err(MergeError::Release)
            }
        },
        (Some(Named::Coarser(..) | Named::Country | Named::Plain(_)), Some(_))
        | (Some(Named::Period(..)), None)
        | (None, _) => Err(MergeError::Release),
    }
}

fn measure_type(of: &MeasureOf, dataset: &Dataset) -> Result<DataType, MergeError> {
    match of {
        MeasureOf::DistinctUnits
        | MeasureOf::NonNull(_)
        | MeasureOf::Pair { power: Power::Rows, .. }
        | MeasureOf::Rows => Ok(DataType::Int64),
        MeasureOf::Max(level) | MeasureOf::Min(level) => level_type(level, dataset),
        MeasureOf::Sum { number, .. } => Ok(match number {
            Number::Decimal { scale, .. } => DataType::Decimal128(38, *scale),
            Number::Float => DataType::Float64,
            Number::Integer => DataType::Int64,
        }),
        MeasureOf::Pair { .. } | MeasureOf::SumCentred { .. } | MeasureOf::SumOfSquares { .. } => {
            Ok(DataType::Float64)
        }
    }
}

#[cfg(test)]
mod tests;
