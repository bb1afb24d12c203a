//! The formats of an answer. Each shows what every number is worth; none shows a withheld cell as null or zero alone.

pub mod binary;
pub mod csv;
pub mod json;
pub mod table;

use crate::cells::CellsError;
use crate::printer::Reader;
use clap::ValueEnum;
use mayag_desk::table::{AnswerTable, CountryReport};
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use std::path::Path;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Arrow IPC file, with status columns.
    Arrow,
    /// Comma-separated (RFC 4180), with status columns.
    Csv,
    /// One object: question, countries, columns, rows.
    Json,
    /// One event per line: accepted, country, row, complete.
    Ndjson,
    /// Parquet, with status columns.
    Parquet,
    /// Aligned columns for people.
    Table,
}

/// Why an answer could not be written down.
#[derive(Debug, thiserror::Error)]
pub enum FormatError {
    /// Arrow or Parquet failed.
    #[error("the answer could not be encoded")]
    Encoding,
    /// A binary format and a terminal.
    #[error("this format is for programs: add `--out FILE` or send it into a pipe")]
    Terminal,
    /// The cells do not fit their description.
    #[error(transparent)]
    Cells(#[from] CellsError),
}

/// Choices that text formats know.
#[derive(Debug, Clone)]
pub struct Style {
    /// The text for a value that is null in truth.
    pub null: String,
    /// Who reads it.
    pub reader: Reader,
}

impl Format {
    /// The format for a file of this name, if its ending says.
    pub fn for_file(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()? {
            "arrow" => Some(Self::Arrow),
            "csv" => Some(Self::Csv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "parquet" => Some(Self::Parquet),
            "txt" => Some(Self::Table),
            _ => None,
        }
    }

    /// Whether a terminal would choke on it.
    pub fn binary(self) -> bool {
        matches!(self, Self::Arrow | Self::Parquet)
    }

    /// The answer in this format.
    pub fn render(self, answer: &AnswerTable, style: &Style) -> Result<Vec<u8>, FormatError> {
        if self.binary() && style.reader == Reader::Terminal {
            return Err(FormatError::Terminal);
        }
        match self {
            Self::Arrow => binary::arrow(answer),
            Self::Csv => csv::render(answer, style).map(String::into_bytes),
            Self::Json => json::render(answer, style).map(String::into_bytes),
            Self::Ndjson => json::render_lines(answer).map(String::into_bytes),
            Self::Parquet => binary::parquet(answer),
            Self::Table => table::render(answer, style).map(String::into_bytes),
        }
    }
}

/// The summary below an answer: `complete: 5 of 5 countries`, or who is missing and why.
pub fn summary(outcomes: &[CountryReport]) -> String {
    let (asked, answered) = (outcomes.len(), mayag_desk::table::answered(outcomes));
    let countries = if asked == 1 { "country" } else { "countries" };
    if answered == asked {
        return format!("complete: {answered} of {asked} {countries}");
    }
    let missing: Vec<String> = outcomes
        .iter()
        .filter(|report| !report.outcome.answered())
        .map(|report| missing(&report.country, report.outcome))
        .collect();
    let kind = if answered == 0 { "no answer" } else { "partial answer" };
    format!("{kind}: {answered} of {asked} {countries} ({})", missing.join(", "))
}

fn missing(country: &Country, outcome: Outcome) -> String {
    format!("{country} {}", words(outcome))
}

/// An outcome in words for people.
pub fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "answered",
        Outcome::AnsweredSuppressed => "answered, some cells :c",
        Outcome::BudgetExhausted => "budget used up",
        Outcome::Failed => "failed",
        Outcome::Incompatible => "incompatible version",
        Outcome::NotAsked => "not asked",
        Outcome::Refused => "refused",
        Outcome::TimedOut => "timed out",
        Outcome::Unreachable => "unreachable",
        Outcome::Withdrawn => "withdrawn",
    }
}

#[cfg(test)]
mod tests;
