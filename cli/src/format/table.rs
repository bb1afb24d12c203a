//! Aligned columns for people: numbers to the right, `:c` for withheld cells, `:p` behind partial ones, behind noisy
//! ones `±` and the standard deviation of the noise.

use crate::cells::{Cell, Cells, Value};
use crate::format::{FormatError, Style};
use crate::safe::safe;
use mayag_desk::table::{AnswerTable, Column};
use mayag_protocol::columns::CellStatus;

/// What stands for a withheld cell.
pub const WITHHELD: &str = ":c";

/// What stands behind a cell that some countries' parts are missing from.
pub const PARTIAL: &str = ":p";

/// What stands behind a cell with noise in it.
pub const NOISY: &str = "±";

/// A cell as text: the value, and the mark behind it. They are aligned apart, so that digits stay below digits.
struct Text {
    value: String,
    mark: String,
}

/// The answer as an aligned table; empty where no country answered.
pub fn render(answer: &AnswerTable, style: &Style) -> Result<String, FormatError> {
    let Some(table) = &answer.table else { return Ok(String::new()) };
    let cells = Cells::new(table)?;
    let headers: Vec<String> = cells.columns().map(header).collect();
    let mut rows = Vec::with_capacity(cells.rows());
    for row in 0..cells.rows() {
        rows.push(cells.row(row)?.iter().map(|cell| text(cell, style)).collect::<Vec<Text>>());
    }
    let layout: Vec<Layout> = headers
        .iter()
        .enumerate()
        .map(|(i, header)| Layout::of(header, i, Side::of(&cells, i), &rows))
        .collect();
    let mut out = String::new();
    push(&mut out, headers.iter().zip(&layout).map(|(header, layout)| layout.header(header)));
    push(&mut out, layout.iter().map(|layout| "-".repeat(layout.width())));
    for row in &rows {
        push(&mut out, row.iter().zip(&layout).map(|(text, layout)| layout.cell(text)));
    }
    Ok(out)
}

fn header(column: &Column) -> String {
    match &column.unit {
        Some(unit) => format!("{} [{}]", safe(&column.name), safe(unit)),
        None => safe(&column.name).into_owned(),
    }
}

fn push(out: &mut String, columns: impl Iterator<Item = String>) {
    let line = columns.collect::<Vec<_>>().join("  ");
    out.push_str(line.trim_end());
    out.push('\n');
}

fn text(cell: &Cell, style: &Style) -> Text {
    let value = match &cell.value {
        Value::Bool(value) => value.to_string(),
        Value::Decimal(digits) => trimmed(digits).to_owned(),
        Value::Float(value) => value.to_string(),
        Value::Integer(digits) => digits.clone(),
        Value::Null => safe(&style.null).into_owned(),
        Value::Suppressed => WITHHELD.to_owned(),
        Value::Text(text) => safe(text).into_owned(),
    };
    let mark = match cell.status {
        Some(CellStatus::Noisy) => noise(cell),
        Some(CellStatus::Partial) if cell.deviation.is_some() => {
            format!("{} {PARTIAL}", noise(cell))
        }
        Some(CellStatus::Partial) => PARTIAL.to_owned(),
        Some(CellStatus::Known | CellStatus::Suppressed) | None => String::new(),
    };
    Text { value, mark }
}

/// `± 5.2`, with two digits that count; `±` alone where no deviation can be stated.
fn noise(cell: &Cell) -> String {
    let Some(deviation) = cell.deviation else { return NOISY.to_owned() };
    let decimals = match deviation {
        tiny if tiny < 0.1 => 3,
        small if small < 1.0 => 2,
        middling if middling < 10.0 => 1,
        _ => 0,
    };
    format!("{NOISY} {deviation:.decimals$}")
}

/// A decimal without the zeros that only its scale put there.
fn trimmed(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// Where the values of a column stand: texts to the left, numbers to the right.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Left,
    Right,
}

impl Side {
    fn of(cells: &Cells<'_>, column: usize) -> Self {
        if cells.numeric(column) { Self::Right } else { Self::Left }
    }
}

/// How wide a column is, and on which side its values stand.
struct Layout {
    value: usize,
    mark: usize,
    side: Side,
}

impl Layout {
    fn of(header: &str, column: usize, side: Side, rows: &[Vec<Text>]) -> Self {
        let (mut value, mut mark) = (0, 0);
        for cell in rows.iter().filter_map(|row| row.get(column)) {
            value = value.max(width(&cell.value));
            mark = mark.max(width(&cell.mark));
        }
        let mut layout = Self { value, mark, side };
        layout.value += width(header).saturating_sub(layout.width());
        layout
    }

    fn width(&self) -> usize {
        self.value + if self.mark == 0 { 0 } else { self.mark + 1 }
    }

    fn header(&self, header: &str) -> String {
        pad(header, self.width(), self.side)
    }

    fn cell(&self, text: &Text) -> String {
        let value = pad(&text.value, self.value, self.side);
        if self.mark == 0 {
            value
        } else {
            format!("{value} {}", pad(&text.mark, self.mark, Side::Left))
        }
    }
}

fn pad(text: &str, to: usize, side: Side) -> String {
    let blanks = " ".repeat(to.saturating_sub(width(text)));
    match side {
        Side::Left => format!("{text}{blanks}"),
        Side::Right => format!("{blanks}{text}"),
    }
}

/// Columns a text takes. Wide characters of East Asian scripts are counted as one: tables of them may be ragged, never
/// wrong.
fn width(text: &str) -> usize {
    text.chars().count()
}
