//! JSON: one object, or one event per line. Every cell has its status; decimals are texts, so that no reader rounds
//! them.

use crate::cells::{Cell, Cells, Value};
use crate::format::{FormatError, Style};
use crate::printer::Reader;
use crate::safe::harmless;
use mayag_desk::table::{AnswerTable, Column, CountryReport};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};
use serde::Serialize;
use serde::ser::{SerializeMap as _, Serializer};
use std::fmt::Write as _;

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
    /// Rows in doubt: a withheld cell would have decided, or a partial one has, whether they belong here.
    undecided: u64,
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
    /// The standard deviations of cells with noise.
    #[serde(skip_serializing_if = "InOrder::is_empty")]
    sd: InOrder<'a, f64>,
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
        undecided: u64,
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
        undecided: undecided(answer),
    };
    to_text(&whole, style.reader)
}

/// The answer as events, one per line, in the words of the gateway's stream.
pub fn render_lines(answer: &AnswerTable) -> Result<String, FormatError> {
    let cells = answer.table.as_ref().map(Cells::new).transpose()?;
    let countries = answer.outcomes.iter().map(|report| &report.country).collect();
    let accepted = Line::Accepted { seq: 0, question: &answer.question, countries };
    let mut out = to_text(&accepted, Reader::Program)?;
    let mut seq = 1;
    for report in &answer.outcomes {
        out.push_str(&to_text(
            &Line::Country { seq, country: CountryLine::new(report) },
            Reader::Program,
        )?);
        seq += 1;
    }
    for row in rows(cells.as_ref())? {
        out.push_str(&to_text(&Line::Row { seq, row }, Reader::Program)?);
        seq += 1;
    }
    let (complete, answered, asked) = (answer.complete(), answer.answered(), answer.asked());
    let complete = Line::Complete { seq, complete, answered, asked, undecided: undecided(answer) };
    out.push_str(&to_text(&complete, Reader::Program)?);
    Ok(out)
}

/// `value` as JSON with a line break, indented for a person. Characters that a terminal would act on are written as
/// escapes; they can only stand inside texts, where JSON allows that.
pub(crate) fn to_text(value: &impl Serialize, reader: Reader) -> Result<String, FormatError> {
    let text = match reader {
        Reader::Program => serde_json::to_string(value),
        Reader::Terminal => serde_json::to_string_pretty(value),
    };
    let text = text.map_err(|_| FormatError::Encoding)?;
    let mut out = String::with_capacity(text.len() + 1);
    for c in text.chars() {
        if c == '\n' || harmless(c) {
            out.push(c);
        } else {
            let mut units = [0; 2];
            for unit in c.encode_utf16(&mut units) {
                // Writing to a String cannot fail.
                let _ok = write!(out, "\\u{unit:04x}");
            }
        }
    }
    out.push('\n');
    Ok(out)
}

impl<'a> CountryLine<'a> {
    pub(crate) fn new(report: &'a CountryReport) -> Self {
        let refusal = report.refusal.as_ref();
        Self {
            country: &report.country,
            outcome: report.outcome,
            code: refusal.map(|refusal| refusal.code),
            title: refusal.map(|refusal| refusal.code.title()),
            rule: refusal.map(|refusal| refusal.rule.as_str()),
            subject: refusal.and_then(|refusal| refusal.subject.as_deref()),
            hint: refusal.map(|refusal: &Refusal| refusal.hint.as_str()),
            ms: report.ms,
            policy: report.policy.as_ref(),
        }
    }
}

fn undecided(answer: &AnswerTable) -> u64 {
    answer.table.as_ref().map_or(0, |table| table.undecided)
}

fn columns<'a>(cells: &Cells<'a>) -> Vec<ColumnLine<'a>> {
    let line = |(i, column): (usize, &'a Column)| ColumnLine {
        name: &column.name,
        kind: cells.data_type(i).map(ToString::to_string).unwrap_or_default(),
        unit: column.unit.as_deref(),
        status: column.status.is_some(),
    };
    cells.columns().enumerate().map(line).collect()
}

fn rows<'a>(cells: Option<&Cells<'a>>) -> Result<Vec<RowLine<'a>>, FormatError> {
    let Some(cells) = cells else { return Ok(Vec::new()) };
    (0..cells.rows()).map(|i| row(cells, i)).collect()
}

fn row<'a>(cells: &Cells<'a>, i: usize) -> Result<RowLine<'a>, FormatError> {
    let row = cells.row(i)?;
    let named = || cells.columns().map(|column| column.name.as_str()).zip(&row);
    Ok(RowLine {
        values: InOrder(named().map(|(name, cell)| (name, value(cell))).collect()),
        status: InOrder(
            named().filter_map(|(name, cell)| Some((name, cell.status?.as_str()))).collect(),
        ),
        sd: InOrder(named().filter_map(|(name, cell)| Some((name, cell.deviation?))).collect()),
    })
}

fn value(cell: &Cell) -> serde_json::Value {
    match &cell.value {
        Value::Bool(value) => (*value).into(),
        Value::Decimal(text) | Value::Text(text) => text.clone().into(),
        // JSON knows no infinity; its name is better than a null that would look like no value.
        Value::Float(value) => serde_json::Number::from_f64(*value)
            .map_or_else(|| value.to_string().into(), Into::into),
        Value::Integer(text) => integer(text),
        // The status beside it says which of the two it is.
        Value::Null | Value::Suppressed => serde_json::Value::Null,
    }
}

fn integer(text: &str) -> serde_json::Value {
    if let Ok(number) = text.parse::<i64>() {
        number.into()
    } else if let Ok(number) = text.parse::<u64>() {
        number.into()
    } else {
        text.into()
    }
}

impl<T> InOrder<'_, T> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<T: Serialize> Serialize for InOrder<'_, T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        for (key, value) in &self.0 {
            map.serialize_entry(key, value)?;
        }
        map.end()
    }
}
