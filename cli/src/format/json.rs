//! JSON: one object, or one event per line. Every cell has its status; decimals are texts, so that no reader rounds
//! them.

use crate::cells::{Cell, Cells, Value};
use crate::format::{FormatError, Reader, Style};
use crate::safe::harmless;
use mayag_desk::table::{AnswerTable, Column, CountryReport};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};
use serde::ser::{SerializeMap as _, Serializer};
use serde::{Serialize, Serialize as _};

/// The whole answer.
#[derive(Serialize)]
struct Whole<'a> {
    question: &'a QuestionId,
    complete: bool,
    asked: usize,
    answered: usize,
    countries: Vec<CountryLine<'a>>,
    columns: Vec<ColumnLine<'a>>,
    rows: Vec<RowLine<'a>>,
}

/// What one country did.
#[derive(Serialize)]
pub(crate) struct CountryLine<'a> {
    country: &'a Country,
    outcome: Outcome,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<Code>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    subject: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<&'a str>,
    ms: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    policy: Option<&'a PolicyVersion>,
}

#[derive(Serialize)]
struct ColumnLine<'a> {
    name: &'a str,
    #[serde(rename = "type")]
    kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<&'a str>,
    /// Whether rows carry a status for it.
    status: bool,
}

#[derive(Serialize)]
struct RowLine<'a> {
    values: InOrder<'a, serde_json::Value>,
    status: InOrder<'a, &'static str>,
    #[serde(skip_serializing_if = "InOrder::is_empty")]
    deviation: InOrder<'a, f64>,
}

/// An object whose keys keep the order of the columns.
struct InOrder<'a, T>(Vec<(&'a str, T)>);

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Line<'a> {
    Accepted {
        seq: u64,
        question: &'a QuestionId,
        countries: Vec<&'a Country>,
    },
    Complete {
        seq: u64,
        complete: bool,
        answered: usize,
        asked: usize,
    },
    Country {
        seq: u64,
        #[serde(flatten)]
        country: CountryLine<'a>,
    },
    Row {
        seq: u64,
        #[serde(flatten)]
        row: RowLine<'a>,
    },
}

/// The answer as one object.
pub fn render(answer: &AnswerTable, style: &Style) -> Result<String, FormatError> {
    let cells = answer.table.as_ref().map(Cells::new).transpose()?;
    let whole = Whole {
        question: &answer.question,
        complete: answer.complete(),
        asked: answer.asked(),
        answered: answer.answered(),
        countries: answer.outcomes.iter().map(CountryLine::new).collect(),
        columns: cells.iter().flat_map(columns).collect(),
        rows: rows(cells.as_ref())?,
    };
    to_text(&whole, style.reader)
}

/// The answer as events, one per line, in the words of the gateway's stream.
pub fn render_lines(answer: &AnswerTable) -> Result<String, FormatError> {
    let cells = answer.table.as_ref().map(Cells::new).transpose()?;
    let mut out = String::new();
    let mut seq = 0;
    let mut push = |line: &dyn Fn(u64) -> Line<'_>| -> Result<(), FormatError> {
        out.push_str(&to_text(&line(seq), Reader::Program)?);
        seq += 1;
        Ok(())
    };
    let countries = || answer.outcomes.iter().map(|report| &report.country).collect();
    push(&|seq| Line::Accepted { seq, question: &answer.question, countries: countries() })?;
    for report in &answer.outcomes {
        push(&|seq| Line::Country { seq, country: CountryLine::new(report) })?;
    }
    for i in 0..cells.as_ref().map_or(0, Cells::rows) {
        let row = std::cell::Cell::new(row(cells.as_ref(), i)?);
        push(&|seq| Line::Row { seq, row: row.take().unwrap_or_else(RowLine::empty) })?;
    }
    let (complete, answered, asked) = (answer.complete(), answer.answered(), answer.asked());
    push(&|seq| Line::Complete { seq, complete, answered, asked })?;
    Ok(out)
}
