//! CSV, NDJSON and Parquet bytes of a country's incidents.

use super::{Field, National, Value};
use crate::demo::incidents::{Incident, invented, published};
use arrow::array::{ArrayRef, Date32Array, Decimal128Array, Int64Array, RecordBatch, StringArray};
use arrow::error::ArrowError;
use chrono::NaiveDate;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;
use std::fmt::Write as _;
use std::sync::Arc;

/// Rows of a Parquet row group: several groups, so that a node can read them side by side.
const ROW_GROUP: usize = 64 * 1024;

/// Incidents that could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotWritten {
    /// A column has values of another type.
    #[error(transparent)]
    Arrow(#[from] ArrowError),
    /// A value is no JSON.
    #[error(transparent)]
    Json(#[from] serde_json::Error),
    /// The Parquet file was not made.
    #[error(transparent)]
    Parquet(#[from] ParquetError),
}

pub(super) fn encode(national: &National, incidents: &[Incident]) -> Result<Vec<u8>, NotWritten> {
    match national.format {
        "csv" => Ok(csv(national, incidents)),
        "ndjson" => ndjson(national, incidents),
        _ => parquet(national, incidents),
    }
}

fn csv(national: &National, incidents: &[Incident]) -> Vec<u8> {
    let names: Vec<&str> = national.columns.iter().map(|(name, _)| *name).collect();
    let mut text = names.join(",");
    text.push('\n');
    for incident in incidents {
        let cells: Vec<String> = national
            .columns
            .iter()
            .map(|(_, field)| quoted(national.value(*field, incident).text()))
            .collect();
        text.push_str(&cells.join(","));
        text.push('\n');
    }
    text.into_bytes()
}

fn quoted(cell: String) -> String {
    if cell.contains([',', '"', '\n']) {
        format!("\"{}\"", cell.replace('"', "\"\""))
    } else {
        cell
    }
}

fn ndjson(national: &National, incidents: &[Incident]) -> Result<Vec<u8>, NotWritten> {
    let mut text = String::new();
    for incident in incidents {
        let mut separator = '{';
        for (name, field) in national.columns {
            let value = match national.value(*field, incident) {
                Value::Unknown => continue,
                number @ (Value::Decimal(..) | Value::Number(_)) => number.text(),
                words @ (Value::Date(_) | Value::Text(_)) => serde_json::to_string(&words.text())?,
            };
            text.push(separator);
            // Writing into a string does not fail.
            let _written = write!(text, "\"{name}\":{value}");
            separator = ',';
        }
        text.push_str("}\n");
    }
    Ok(text.into_bytes())
}

fn parquet(national: &National, incidents: &[Incident]) -> Result<Vec<u8>, NotWritten> {
    let columns = national
        .columns
        .iter()
        .map(|(name, field)| Ok((*name, column(national, *field, incidents)?)));
    let batch = RecordBatch::try_from_iter(columns.collect::<Result<Vec<_>, ArrowError>>()?)?;
    let properties = WriterProperties::builder()
        .set_compression(Compression::SNAPPY)
        .set_max_row_group_row_count(Some(ROW_GROUP))
        .build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))?;
    writer.write(&batch)?;
    writer.close()?;
    Ok(bytes)
}

fn column(
    national: &National,
    field: Field,
    incidents: &[Incident],
) -> Result<ArrayRef, ArrowError> {
    let values = incidents.iter().map(|incident| national.value(field, incident));
    let decimals = |precision: u8, scale: u32| -> Result<ArrayRef, ArrowError> {
        let units = values.clone().map(|value| match value {
            Value::Decimal(units, _) => Some(units),
            Value::Date(_) | Value::Number(_) | Value::Text(_) | Value::Unknown => None,
        });
        let array: Decimal128Array = units.collect();
        Ok(Arc::new(
            array.with_precision_and_scale(precision, i8::try_from(scale).unwrap_or(i8::MAX))?,
        ))
    };
    match field {
        Field::FiscalYear | Field::Grams => {
            Ok(Arc::new(values.map(|value| whole(&value)).collect::<Int64Array>()))
        }
        Field::Kilograms => decimals(12, invented::SCALE),
        Field::Pounds => decimals(28, published::SCALE),
        Field::Purity => decimals(4, 1),
        Field::SeizedOn => Ok(Arc::new(values.map(|value| day(&value)).collect::<Date32Array>())),
        Field::Agency
        | Field::Area
        | Field::Destination
        | Field::Drug
        | Field::Id
        | Field::Informant
        | Field::LandFilter
        | Field::Month
        | Field::Note
        | Field::Origin
        | Field::Region
        | Field::Transport => {
            Ok(Arc::new(values.map(|value| text(&value)).collect::<StringArray>()))
        }
    }
}

fn whole(value: &Value<'_>) -> Option<i64> {
    match value {
        Value::Number(number) => i64::try_from(*number).ok(),
        Value::Date(_) | Value::Decimal(..) | Value::Text(_) | Value::Unknown => None,
    }
}

fn day(value: &Value<'_>) -> Option<i32> {
    match value {
        Value::Date(date) => {
            i32::try_from(date.signed_duration_since(NaiveDate::default()).num_days()).ok()
        }
        Value::Decimal(..) | Value::Number(_) | Value::Text(_) | Value::Unknown => None,
    }
}

fn text<'a>(value: &Value<'a>) -> Option<&'a str> {
    match value {
        Value::Text(text) => Some(text),
        Value::Date(_) | Value::Decimal(..) | Value::Number(_) | Value::Unknown => None,
    }
}
