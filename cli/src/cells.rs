//! The cells of an answer as every format sees them: a value, and what it is worth.

use arrow::array::{Array, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Float64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use mayag_desk::table::{Column, Table};
use mayag_protocol::columns::CellStatus;

/// One cell.
#[derive(Debug, Clone, PartialEq)]
pub struct Cell {
    /// What it holds.
    pub value: Value,
    /// What it is worth; `None` in columns that are always known.
    pub status: Option<CellStatus>,
    /// The standard deviation of the noise in it, where it has one.
    pub deviation: Option<f64>,
}

/// What a cell holds.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    /// A truth value.
    Bool(bool),
    /// A decimal number with all its digits; a number that JSON would round.
    Decimal(String),
    /// A floating-point number.
    Float(f64),
    /// A whole number.
    Integer(String),
    /// No value, in truth.
    Null,
    /// Withheld: neither null nor zero in truth.
    Suppressed,
    /// A text, a date or an instant.
    Text(String),
}

/// Reads the cells of one table.
pub struct Cells<'a> {
    columns: Vec<CellColumn<'a>>,
    rows: usize,
}

struct CellColumn<'a> {
    column: &'a Column,
    values: &'a dyn Array,
    text: ArrayFormatter<'a>,
    statuses: Option<&'a dyn Array>,
    deviations: Option<&'a dyn Array>,
}

/// A table whose columns are not where its description says, or of a type without a text.
#[derive(Debug, thiserror::Error)]
#[error("the table cannot be shown: {0}")]
pub struct CellsError(String);

impl From<ArrowError> for CellsError {
    fn from(error: ArrowError) -> Self {
        Self(error.to_string())
    }
}

impl std::fmt::Debug for Cells<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cells({} columns, {} rows)", self.columns.len(), self.rows)
    }
}

impl<'a> Cells<'a> {
    /// The cells of `table`.
    pub fn new(table: &'a Table) -> Result<Self, CellsError> {
        let batch = &table.batch;
        let options = FormatOptions::new().with_display_error(false);
        let column = |column: &'a Column| {
            let values = array(batch, column.value)?;
            Ok(CellColumn {
                column,
                values,
                text: ArrayFormatter::try_new(values, &options)?,
                statuses: column.status.map(|i| array(batch, i)).transpose()?,
                deviations: column.deviation.map(|i| array(batch, i)).transpose()?,
            })
        };
        let columns = table.columns.iter().map(column).collect::<Result<_, CellsError>>()?;
        Ok(Self { columns, rows: batch.num_rows() })
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// The columns' descriptions.
    pub fn columns(&self) -> impl Iterator<Item = &'a Column> {
        self.columns.iter().map(|column| column.column)
    }

    /// The cells of one row.
    pub fn row(&self, row: usize) -> Result<Vec<Cell>, CellsError> {
        self.columns.iter().map(|column| column.cell(row)).collect()
    }

    /// Whether the column of this number holds numbers.
    pub fn numeric(&self, column: usize) -> bool {
        self.columns.get(column).is_some_and(|column| column.values.data_type().is_numeric())
    }

    /// The Arrow type of the column of this number.
    pub fn data_type(&self, column: usize) -> Option<&DataType> {
        self.columns.get(column).map(|column| column.values.data_type())
    }
}

impl CellColumn<'_> {
    fn cell(&self, row: usize) -> Result<Cell, CellsError> {
        let status = self.statuses.map(|statuses| status(statuses, row)).transpose()?;
        let value = match status {
            Some(CellStatus::Suppressed) => Value::Suppressed,
            Some(CellStatus::Known | CellStatus::Noisy | CellStatus::Partial) | None => {
                self.value(row)?
            }
        };
        let deviation = match status {
            Some(CellStatus::Noisy | CellStatus::Partial) => self.deviation(row)?,
            Some(CellStatus::Known | CellStatus::Suppressed) | None => None,
        };
        Ok(Cell { value, status, deviation })
    }

    fn deviation(&self, row: usize) -> Result<Option<f64>, CellsError> {
        let Some(deviations) = self.deviations else { return Ok(None) };
        let deviations = deviations
            .as_primitive_opt::<Float64Type>()
            .ok_or_else(|| CellsError("a column of deviations holds no numbers".to_owned()))?;
        Ok(deviations.is_valid(row).then(|| deviations.value(row)))
    }

    fn value(&self, row: usize) -> Result<Value, CellsError> {
        if self.values.is_null(row) || self.values.data_type().is_null() {
            return Ok(Value::Null);
        }
        if let Some(bools) = self.values.as_boolean_opt() {
            return Ok(Value::Bool(bools.value(row)));
        }
        if let Some(floats) = self.values.as_primitive_opt::<Float64Type>() {
            return Ok(Value::Float(floats.value(row)));
        }
        let text = self.text.value(row).try_to_string()?;
        let kind = self.values.data_type();
        Ok(if kind.is_integer() {
            Value::Integer(text)
        } else if kind.is_decimal() {
            Value::Decimal(text)
        } else {
            Value::Text(text)
        })
    }
}

fn array(batch: &RecordBatch, i: usize) -> Result<&dyn Array, CellsError> {
    let array =
        batch.columns().get(i).ok_or_else(|| CellsError(format!("there is no column {i}")))?;
    Ok(array.as_ref())
}

/// A status that is none counts as withheld: a value is never shown as more than it is worth.
fn status(statuses: &dyn Array, row: usize) -> Result<CellStatus, CellsError> {
    let words = statuses
        .as_string_opt::<i32>()
        .ok_or_else(|| CellsError("a status column holds no statuses".to_owned()))?;
    let word = if words.is_null(row) { "" } else { words.value(row) };
    let all = [CellStatus::Known, CellStatus::Noisy, CellStatus::Partial, CellStatus::Suppressed];
    Ok(all.into_iter().find(|status| status.as_str() == word).unwrap_or(CellStatus::Suppressed))
}

/// The names of the columns beside one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Beside {
    /// That of the statuses.
    pub status: Option<String>,
    /// That of the standard deviations.
    pub deviation: Option<String>,
}

impl Beside {
    /// Both, as far as they are there.
    pub fn names(&self) -> impl Iterator<Item = &String> {
        self.status.iter().chain(&self.deviation)
    }
}

/// The names of the columns beside each column, different from all other names.
pub fn names_beside(columns: &[Column]) -> Vec<Beside> {
    let mut taken: Vec<String> = columns.iter().map(|column| column.name.clone()).collect();
    let mut free = |mut name: String| {
        while taken.contains(&name) {
            name.push('_');
        }
        taken.push(name.clone());
        name
    };
    let mut beside = |column: &Column| Beside {
        status: column.status.map(|_| free(format!("{}_status", column.name))),
        deviation: column.deviation.map(|_| free(format!("{}_sd", column.name))),
    };
    columns.iter().map(&mut beside).collect()
}
