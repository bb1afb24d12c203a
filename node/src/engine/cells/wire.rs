//! From protected cells to bytes that say nothing but what is shown.
//!
//! A release lists every combination of its keys where their values are public, so that a row says nothing by being
//! there; otherwise only the cells that show something. Withheld cells look alike: every array is built anew, with
//! constant bytes where there is no value, in an order that the keys alone decide.

use super::RawCells;
use crate::engine::failure::WorkFailure;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    RecordBatchOptions, StringArray, UInt8Array,
};
use arrow::datatypes::{
    DataType, Date32Type, Decimal128Type, Field, Float64Type, Int64Type, Schema,
};
use mayag_disclosure::{Cells, Number};
use mayag_policies::shape::Literal;
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::{
    CellStatus, deviation_column, key_column, status_column, value_column,
};
use mayag_queries::domains::{self, Domain};
use std::collections::HashMap;
use std::sync::Arc;

/// A release as it leaves.
#[derive(Debug)]
pub struct Part {
    /// One Arrow IPC stream.
    pub bytes: Vec<u8>,
    /// Rows in it.
    pub cells: u64,
    /// Which cells it lists.
    pub listed: Listed,
    /// Whether anything is withheld. Always where only shown cells are listed: it must say no more than they.
    pub suppressed: bool,
}

/// A row: its keys, and the cell if there is one.
type Row = (Vec<Option<Literal>>, Option<usize>);

impl RawCells {
    /// The cells as they leave.
    pub fn to_part(&self) -> Result<Part, WorkFailure> {
        let (listed, rows) = self.listed();
        let batch = self.batch(&rows)?;
        let withheld =
            |row: &Row| (0..self.values.len()).any(|measure| self.is_withheld(row.1, measure));
        let suppressed = match listed {
            Listed::All => rows.iter().any(withheld),
            Listed::Shown => true,
        };
        let bytes = mayag_queries::merge::write_part(&batch).map_err(|_| WorkFailure::Broken)?;
        Ok(Part { bytes, cells: rows.len() as u64, listed, suppressed })
    }

    /// All cells as one Arrow IPC stream, as they were computed.
    pub fn to_wire(&self) -> Result<Vec<u8>, WorkFailure> {
        mayag_queries::merge::write_part(&self.to_batch()?).map_err(|_| WorkFailure::Broken)
    }

    /// All cells in the wire's layout, as they were computed.
    pub fn to_batch(&self) -> Result<RecordBatch, WorkFailure> {
        let rows: Vec<Row> = (0..self.cells).map(|cell| (self.key(cell), Some(cell))).collect();
        self.batch(&rows)
    }

    fn key(&self, cell: usize) -> Vec<Option<Literal>> {
        self.keys.iter().map(|values| values.get(cell).cloned().flatten()).collect()
    }

    fn listed(&self) -> (Listed, Vec<Row>) {
        let Some(combinations) = combinations(&self.domains) else {
            let shows = |cell: &usize| {
                (0..self.measures()).any(|measure| !self.is_withheld(Some(*cell), measure))
            };
            let rows = (0..self.cells).filter(shows).map(|cell| (self.key(cell), Some(cell)));
            return (Listed::Shown, rows.collect());
        };
        let cells: HashMap<Vec<Option<Literal>>, usize> =
            (0..self.cells).map(|cell| (self.key(cell), cell)).collect();
        let row = |key: Vec<Option<Literal>>| {
            let cell = cells.get(&key).copied();
            (key, cell)
        };
        (Listed::All, combinations.into_iter().map(row).collect())
    }

    fn is_withheld(&self, cell: Option<usize>, measure: usize) -> bool {
        let of_cells = self.withheld.get(measure);
        cell.and_then(|cell| of_cells?.get(cell)).copied().unwrap_or(true)
    }

    fn batch(&self, rows: &[Row]) -> Result<RecordBatch, WorkFailure> {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for (i, key_type) in self.key_types.iter().enumerate() {
            let values = rows.iter().map(|(key, _)| key.get(i).and_then(Option::as_ref));
            columns.push((key_column(i), key_array(key_type, values)?));
        }
        for (i, values) in self.values.iter().enumerate() {
            let shown: Vec<Option<usize>> =
                rows.iter().map(|(_, cell)| cell.filter(|_| !self.is_withheld(*cell, i))).collect();
            let noisy = |cell: usize| *self.noisy.get(i)?.get(cell)?;
            let status = |cell: &Option<usize>| match cell {
                None => CellStatus::Suppressed,
                Some(cell) if noisy(*cell).is_some() => CellStatus::Noisy,
                Some(_) => CellStatus::Known,
            };
            let statuses: UInt8Array = shown.iter().map(|cell| status(cell).byte()).collect();
            let deviation = |cell: &Option<usize>| cell.and_then(noisy).map(|(_, sd)| sd);
            let deviations: Float64Array = shown.iter().map(deviation).collect();
            columns.push((value_column(i), value_array(values, &shown, &noisy)?));
            columns.push((status_column(i), Arc::new(statuses)));
            columns.push((deviation_column(i), Arc::new(deviations)));
        }
        // Only a status is never null; the reader compares the whole schema.
        let is_status = |column: &ArrayRef| matches!(column.data_type(), DataType::UInt8);
        let field = |(name, column): &(String, ArrayRef)| {
            Field::new(name, column.data_type().clone(), !is_status(column))
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let options = RecordBatchOptions::new().with_row_count(Some(rows.len()));
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|_| WorkFailure::Broken)
    }
}

/// Every combination of the values of the keys, in their order; `None` where one of them is not public or there are too
/// many.
fn combinations(domains: &[Domain]) -> Option<Vec<Vec<Option<Literal>>>> {
    domains::combinations(domains)?;
    let mut combinations: Vec<Vec<Option<Literal>>> = vec![Vec::new()];
    for domain in domains.iter().flatten() {
        let longer = |key: &Vec<Option<Literal>>| {
            let key = key.clone();
            domain.iter().map(move |value| {
                let mut key = key.clone();
                key.push(value.clone());
                key
            })
        };
        combinations = combinations.iter().flat_map(longer).collect();
    }
    Some(combinations)
}

fn key_array<'a>(
    key_type: &DataType,
    values: impl Iterator<Item = Option<&'a Literal>>,
) -> Result<ArrayRef, WorkFailure> {
    let of = |value: Option<&'a Literal>| match (key_type, value) {
        (_, None) => Ok(None),
        (DataType::Date32, Some(value @ Literal::Date(_)))
        | (DataType::Int64, Some(value @ Literal::Int(_)))
        | (DataType::Utf8, Some(value @ Literal::Text(_))) => Ok(Some(value)),
        (_, Some(_)) => Err(WorkFailure::Broken),
    };
    let values = values.map(of).collect::<Result<Vec<_>, _>>()?;
    let values = values.into_iter();
    Ok(if *key_type == DataType::Date32 {
        let day = |value: &Literal| if let Literal::Date(day) = value { Some(*day) } else { None };
        Arc::new(values.map(|value| value.and_then(day)).collect::<Date32Array>())
    } else if *key_type == DataType::Int64 {
        let whole =
            |value: &Literal| if let Literal::Int(whole) = value { Some(*whole) } else { None };
        Arc::new(values.map(|value| value.and_then(whole)).collect::<Int64Array>())
    } else {
        let text = |value: &'a Literal| {
            if let Literal::Text(text) = value { Some(text.as_str()) } else { None }
        };
        Arc::new(values.map(|value| value.and_then(text)).collect::<StringArray>())
    })
}

/// The values of some cells in a new array of the same type. Where none is shown its bytes are zero, whatever was there.
fn value_array(
    values: &ArrayRef,
    shown: &[Option<usize>],
    noisy: &impl Fn(usize) -> Option<(Number, f64)>,
) -> Result<ArrayRef, WorkFailure> {
    let valid =
        |cell: &Option<usize>| cell.filter(|cell| *cell < values.len() && values.is_valid(*cell));
    let instead = |cell: &Option<usize>| cell.and_then(noisy).map(|(number, _)| number);
    if let Some(own) = values.as_primitive_opt::<Int64Type>() {
        let of = |cell| match instead(cell) {
            Some(number) => Some(saturated(number)),
            None => valid(cell).map(|cell| own.value(cell)),
        };
        return Ok(Arc::new(shown.iter().map(of).collect::<Int64Array>()));
    }
    if let Some(own) = values.as_primitive_opt::<Decimal128Type>() {
        let of = |cell| match instead(cell) {
            Some(number) => Some(whole(number)),
            None => valid(cell).map(|cell| own.value(cell)),
        };
        let decimals = shown.iter().map(of).collect::<Decimal128Array>();
        return Ok(Arc::new(decimals.with_data_type(values.data_type().clone())));
    }
    if let Some(own) = values.as_primitive_opt::<Float64Type>() {
        let of = |cell| match instead(cell) {
            Some(number) => Some(float(number)),
            None => valid(cell).map(|cell| own.value(cell)),
        };
        return Ok(Arc::new(shown.iter().map(of).collect::<Float64Array>()));
    }
    if let Some(own) = values.as_primitive_opt::<Date32Type>() {
        let days = shown.iter().map(|cell| valid(cell).map(|cell| own.value(cell)));
        return Ok(Arc::new(days.collect::<Date32Array>()));
    }
    let own = values.as_string_opt::<i32>().ok_or(WorkFailure::Broken)?;
    let texts = shown.iter().map(|cell| valid(cell).map(|cell| own.value(cell)));
    Ok(Arc::new(texts.collect::<StringArray>()))
}

fn saturated(number: Number) -> i64 {
    let whole = whole(number);
    i64::try_from(whole).unwrap_or(if whole < 0 { i64::MIN } else { i64::MAX })
}

#[expect(clippy::cast_possible_truncation, reason = "a cast saturates, and is rounded first")]
fn whole(number: Number) -> i128 {
    match number {
        Number::Float(value) => value.round() as i128,
        Number::Whole(value) => value,
    }
}

#[expect(clippy::cast_precision_loss, reason = "a whole number for a float column is small")]
fn float(number: Number) -> f64 {
    match number {
        Number::Float(value) => value,
        Number::Whole(value) => value as f64,
    }
}
