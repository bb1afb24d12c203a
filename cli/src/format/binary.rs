//! Parquet and Arrow for programs: the values as they came, beside every measure its status as a word, and in the
//! schema's metadata what the answer is worth.

use crate::cells::{Cells, names_beside};
use crate::format::FormatError;
use crate::format::json::{CountryLine, to_text};
use crate::printer::Reader;
use arrow::array::{ArrayRef, BooleanArray, Float64Array, RecordBatch, StringArray};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Schema};
use arrow::ipc::writer::FileWriter;
use mayag_desk::table::{AnswerTable, Table};
use mayag_protocol::columns::CellStatus;
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;
use std::collections::HashMap;
use std::sync::Arc;

/// The word of a withheld cell's status.
const WITHHELD: &str = "suppressed";

/// The answer as an Arrow IPC file. Without an answer: no columns, and metadata that say so.
pub fn arrow(answer: &AnswerTable) -> Result<Vec<u8>, FormatError> {
    let batch = labelled(answer)?;
    let mut bytes = Vec::new();
    let mut writer =
        FileWriter::try_new(&mut bytes, &batch.schema()).map_err(|_| FormatError::Encoding)?;
    writer.write(&batch).and_then(|()| writer.finish()).map_err(|_| FormatError::Encoding)?;
    drop(writer);
    Ok(bytes)
}

/// The answer as a Parquet file.
pub fn parquet(answer: &AnswerTable) -> Result<Vec<u8>, FormatError> {
    let batch = labelled(answer)?;
    let properties = WriterProperties::builder().set_compression(Compression::SNAPPY).build();
    let mut bytes = Vec::new();
    let mut writer = ArrowWriter::try_new(&mut bytes, batch.schema(), Some(properties))
        .map_err(|_| FormatError::Encoding)?;
    writer.write(&batch).map_err(|_| FormatError::Encoding)?;
    writer.close().map_err(|_| FormatError::Encoding)?;
    Ok(bytes)
}

/// The table with words for statuses and with metadata.
fn labelled(answer: &AnswerTable) -> Result<RecordBatch, FormatError> {
    let metadata = metadata(answer)?;
    let Some(table) = &answer.table else {
        return Ok(RecordBatch::new_empty(Arc::new(Schema::new_with_metadata(
            Vec::<Field>::new(),
            metadata,
        ))));
    };
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = columns(table)?.into_iter().unzip();
    let schema = Arc::new(Schema::new_with_metadata(fields, metadata));
    let rows =
        arrow::record_batch::RecordBatchOptions::new().with_row_count(Some(table.batch.num_rows()));
    RecordBatch::try_new_with_options(schema, arrays, &rows).map_err(|_| FormatError::Encoding)
}

fn columns(table: &Table) -> Result<Vec<(Field, ArrayRef)>, FormatError> {
    let cells = Cells::new(table)?;
    let names = names_beside(&table.columns);
    let mut statuses: Vec<Vec<Option<&'static str>>> =
        vec![Vec::with_capacity(cells.rows()); table.columns.len()];
    let mut deviations: Vec<Vec<Option<f64>>> =
        vec![Vec::with_capacity(cells.rows()); table.columns.len()];
    for row in 0..cells.rows() {
        let columns = statuses.iter_mut().zip(&mut deviations);
        for ((statuses, deviations), cell) in columns.zip(cells.row(row)?) {
            statuses.push(cell.status.map(CellStatus::as_str));
            deviations.push(cell.deviation);
        }
    }
    let mut columns = Vec::new();
    let worth = statuses.into_iter().zip(deviations);
    for ((column, beside), (statuses, deviations)) in table.columns.iter().zip(names).zip(worth) {
        let values = table.batch.columns().get(column.value).ok_or(FormatError::Encoding)?;
        // Withheld cells are null already; a value behind one would be seen by a program that reads no statuses.
        let withheld: BooleanArray =
            statuses.iter().map(|status| Some(*status == Some(WITHHELD))).collect();
        let values = nullif(values, &withheld).map_err(|_| FormatError::Encoding)?;
        let mut field = Field::new(&column.name, values.data_type().clone(), true);
        if let Some(unit) = &column.unit {
            field.set_metadata(HashMap::from([("mayag.unit".to_owned(), unit.clone())]));
        }
        columns.push((field, values));
        if let Some(name) = beside.status {
            let words: ArrayRef = Arc::new(StringArray::from(statuses));
            columns.push((Field::new(name, DataType::Utf8, true), words));
        }
        if let Some(name) = beside.deviation {
            let numbers: ArrayRef = Arc::new(Float64Array::from(deviations));
            columns.push((Field::new(name, DataType::Float64, true), numbers));
        }
    }
    Ok(columns)
}

fn metadata(answer: &AnswerTable) -> Result<HashMap<String, String>, FormatError> {
    let countries: Vec<CountryLine<'_>> = answer.outcomes.iter().map(CountryLine::new).collect();
    let words = [
        ("mayag.question", answer.question.to_string()),
        ("mayag.complete", answer.complete().to_string()),
        ("mayag.asked", answer.asked().to_string()),
        ("mayag.answered", answer.answered().to_string()),
        ("mayag.undecided", answer.table.as_ref().map_or(0, |table| table.undecided).to_string()),
        ("mayag.countries", to_text(&countries, Reader::Program)?.trim_end().to_owned()),
    ];
    Ok(words.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}
