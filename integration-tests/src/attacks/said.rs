//! What came back for one statement, as an attacker sees it: the merged table, every country's signed cells, and words.
//!
//! Question ids, times and log positions are left out: they differ between any two questions.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::cast;
use arrow::datatypes::{DataType, Float64Type};
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use arrow::util::display::array_value_to_string;
use mayag_desk::ask::{AskError, Reply, WholeAnswer};
use mayag_desk::table::Table;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::Refusal;
use std::io::Cursor;

/// What came back for one statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Said {
    /// At least one country did not refuse.
    Answered(Answer),
    /// No table, and not because of a refusal.
    Failed(String),
    /// Nobody answered, by decision. Every word of it.
    Refused(String),
}

/// An answer.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Every country asked, and what it did.
    pub countries: Vec<(String, Outcome)>,
    /// The words of those that refused.
    pub refusals: Vec<String>,
    /// The merged table.
    pub merged: Option<Cells>,
    /// The cells that countries signed: country, number of the release, cells.
    pub signed: Vec<(String, usize, Cells)>,
    /// Rows in doubt: a withheld cell would have decided, or a partial one has, whether they are in the table.
    pub undecided: u64,
}

/// Rows of values.
#[derive(Debug, Clone, PartialEq)]
pub struct Cells {
    /// The columns' names.
    pub columns: Vec<String>,
    /// The columns that name a row.
    pub keys: Vec<usize>,
    /// The rows, in the order in which they came.
    pub rows: Vec<Vec<Value>>,
}

/// One value.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// Nothing.
    Null,
    /// A number.
    Number(f64),
    /// Anything else.
    Text(String),
}

impl Said {
    /// Whether the attempt itself went wrong, which says nothing about the product's answer: worth another try.
    pub fn broken(&self) -> bool {
        match self {
            Self::Answered(answer) => answer.countries.iter().any(|(_, outcome)| {
                matches!(outcome, Outcome::TimedOut | Outcome::Unreachable | Outcome::NotAsked)
            }),
            Self::Failed(_) => true,
            Self::Refused(_) => false,
        }
    }

    /// Every word of it.
    pub fn words(&self) -> String {
        match self {
            Self::Answered(answer) => {
                let tables = answer.merged.iter().chain(answer.signed.iter().map(|part| &part.2));
                let texts = tables.flat_map(|cells| {
                    cells.columns.iter().map(String::as_str).chain(
                        cells.rows.iter().flatten().filter_map(|value| match value {
                            Value::Text(text) => Some(text.as_str()),
                            Value::Null | Value::Number(_) => None,
                        }),
                    )
                });
                texts
                    .chain(answer.refusals.iter().map(String::as_str))
                    .collect::<Vec<_>>()
                    .join("\n")
            }
            Self::Failed(text) | Self::Refused(text) => text.clone(),
        }
    }
}

/// Reads what a desk got.
pub fn read(reply: Result<Reply<WholeAnswer>, AskError>) -> Said {
    let WholeAnswer { table, cells: signed, receipt: _ } = match reply {
        Ok(Reply::Answer(answer)) => answer,
        Ok(Reply::Refused(refusal)) => return Said::Refused(words("gateway", &refusal)),
        // The desk itself would not send it: no data had a say in it.
        Err(AskError::Desk(error)) => return Said::Refused(error.to_string()),
        Err(
            error @ (AskError::Connection(_)
            | AskError::NoResources
            | AskError::NoTable(_)
            | AskError::Tail(_)
            | AskError::TimedOut
            | AskError::Stream(_)
            | AskError::Verification(_)),
        ) => return Said::Failed(error.to_string()),
    };
    let refusals: Vec<String> = table
        .outcomes
        .iter()
        .filter_map(|report| Some(words(report.country.as_str(), report.refusal.as_ref()?)))
        .collect();
    if table.refused_by_all() {
        return Said::Refused(refusals.join("\n"));
    }
    let signed = signed.iter().flat_map(|country| {
        let parts = country.releases.iter().enumerate();
        parts.map(|(i, part)| (country.country.to_string(), i, signed_cells(part)))
    });
    Said::Answered(Answer {
        countries: table
            .outcomes
            .iter()
            .map(|report| (report.country.to_string(), report.outcome))
            .collect(),
        refusals,
        undecided: table.table.as_ref().map_or(0, |table| table.undecided),
        signed: signed.collect(),
        merged: table.table.as_ref().map(merged_cells),
    })
}

fn words(who: &str, refusal: &Refusal) -> String {
    format!("{who}: {refusal}: {}", refusal.hint)
}

fn merged_cells(table: &Table) -> Cells {
    let keys = table.columns.iter().filter(|column| column.status.is_none());
    cells(&table.batch, keys.map(|column| column.value).collect())
}

/// The cells of a part that a country signed.
pub fn signed_cells(part: &[u8]) -> Cells {
    let reader = StreamReader::try_new(Cursor::new(part), None).expect("a stream that verified");
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().expect("a whole stream");
    let batch = arrow::compute::concat_batches(&schema, &batches).expect("one schema");
    let is_key = |name: &str| {
        name.strip_prefix('k').is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let names = schema.fields().iter().enumerate();
    cells(&batch, names.filter(|(_, field)| is_key(field.name())).map(|(i, _)| i).collect())
}

/// The rows of a batch, named by these columns.
pub fn cells(batch: &RecordBatch, keys: Vec<usize>) -> Cells {
    let columns: Vec<Vec<Value>> = batch.columns().iter().map(values).collect();
    let rows = (0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column[row].clone()).collect())
        .collect();
    let names = batch.schema().fields().iter().map(|field| field.name().clone()).collect();
    Cells { columns: names, keys, rows }
}

fn values(column: &ArrayRef) -> Vec<Value> {
    let number = column.data_type().is_numeric();
    let floats = if number { cast(column, &DataType::Float64).ok() } else { None };
    let value = |row: usize| {
        if column.is_null(row) {
            return Value::Null;
        }
        match &floats {
            Some(floats) => Value::Number(floats.as_primitive::<Float64Type>().value(row)),
            None => Value::Text(array_value_to_string(column, row).unwrap_or_default()),
        }
    };
    (0..column.len()).map(value).collect()
}
