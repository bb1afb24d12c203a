//! Quoting of RFC 4180, lines that end with a line feed: one header line, values, and beside every measure its status,
//! and the standard deviation of its noise where it can have some.
//!
//! A withheld value is empty and its status says `suppressed`; a null is empty (or the text asked for) and its status
//! says what it is worth.

use crate::cells::{Cell, Cells, Value, names_beside};
use crate::format::{FormatError, Style};
use crate::printer::Reader;
use crate::safe::safe;
use mayag_desk::table::AnswerTable;
use std::borrow::Cow;

/// The answer as CSV; empty where no country answered.
pub fn render(answer: &AnswerTable, style: &Style) -> Result<String, FormatError> {
    let Some(table) = &answer.table else { return Ok(String::new()) };
    let cells = Cells::new(table)?;
    let mut header = Vec::new();
    for (column, beside) in cells.columns().zip(names_beside(&table.columns)) {
        header.push(column.name.clone());
        header.extend(beside.names().cloned());
    }
    let mut out = String::new();
    push(&mut out, &header, style);
    for row in 0..cells.rows() {
        let mut fields = Vec::with_capacity(header.len());
        for (cell, column) in cells.row(row)?.iter().zip(&table.columns) {
            fields.push(value(cell, style));
            fields.extend(cell.status.map(|status| status.as_str().to_owned()));
            fields.extend(column.deviation.map(|_| deviation(cell)));
        }
        push(&mut out, &fields, style);
    }
    Ok(out)
}

fn value(cell: &Cell, style: &Style) -> String {
    match &cell.value {
        Value::Bool(value) => value.to_string(),
        Value::Decimal(text) | Value::Integer(text) | Value::Text(text) => text.clone(),
        Value::Float(value) => value.to_string(),
        Value::Null => style.null.clone(),
        Value::Suppressed => String::new(),
    }
}

/// Empty where the cell has no noise, or none that can be stated.
fn deviation(cell: &Cell) -> String {
    cell.deviation.map(|deviation| deviation.to_string()).unwrap_or_default()
}

/// One line of these fields.
pub(crate) fn push(out: &mut String, fields: &[String], style: &Style) {
    for (i, field) in fields.iter().enumerate() {
        if i > 0 {
            out.push(',');
        }
        // A program gets the text as it is; a terminal must not act on it.
        let field = match style.reader {
            Reader::Program => Cow::Borrowed(field.as_str()),
            Reader::Terminal => safe(field),
        };
        // An empty line is no record to most readers.
        let alone = fields.len() == 1 && field.is_empty();
        if alone || field.contains(['"', ',', '\n', '\r']) {
            out.push('"');
            out.push_str(&field.replace('"', "\"\""));
            out.push('"');
        } else {
            out.push_str(&field);
        }
    }
    out.push('\n');
}
