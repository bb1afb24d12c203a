//! What the questions of the demonstration are expected to come to: committed answers and outcomes, and, for the United
//! States, the published figures.

use super::DemoError;
use super::incidents::decimal;
use super::incidents::published::{self, SCALE};
use super::questions::{Example, Published};
use crate::format::{Format, Style};
use crate::printer::Reader;
use mayag_desk::table::AnswerTable;
use mayag_transport::files::{self, Mode};
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::Path;

/// Lines of a difference that are shown.
const SHOWN: usize = 24;

/// An answer, or what the countries did, is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Difference {
    what: String,
    /// Lines that are missing or unexpected.
    lines: Vec<String>,
}

/// Everything about an answer that is not as expected.
pub(crate) fn compare(
    example: &Example,
    answer: &AnswerTable,
) -> Result<Vec<Difference>, DemoError> {
    let rows = rows(answer)?;
    let name = example.name;
    let mut differences = Vec::new();
    differences.extend(difference(
        &format!("{name}: countries"),
        example.outcomes,
        &outcomes(answer),
    ));
    differences.extend(difference(&format!("{name}: answer"), example.answer, &rows));
    if example.published == Published::TotalsByDrug {
        let expected = totals_by_drug()?;
        // Drugs that no figure was published of are listed too, withheld.
        let shown = rows.lines().skip(1).filter(|row| !row.contains(",suppressed"));
        let rows: Vec<String> = shown.map(str::to_owned).collect();
        differences.extend(difference(
            &format!("{name}: published totals"),
            &expected,
            &sorted(rows),
        ));
    }
    Ok(differences)
}

/// Writes down what was answered.
pub(crate) fn record(
    folder: &Path,
    example: &Example,
    answer: &AnswerTable,
) -> Result<(), DemoError> {
    let name = example.name;
    files::replace(&folder.join(format!("{name}.csv")), rows(answer)?.as_bytes(), Mode::Public)?;
    let outcomes = outcomes(answer);
    Ok(files::replace(
        &folder.join(format!("{name}.outcomes.csv")),
        outcomes.as_bytes(),
        Mode::Public,
    )?)
}

fn rows(answer: &AnswerTable) -> Result<String, DemoError> {
    let style = Style { null: "null".to_owned(), reader: Reader::Program };
    Ok(String::from_utf8_lossy(&Format::Csv.render(answer, &style)?).into_owned())
}

fn outcomes(answer: &AnswerTable) -> String {
    let mut text = "country,outcome,code,subject\n".to_owned();
    for report in &answer.outcomes {
        let (code, subject) = match &report.refusal {
            Some(refusal) => {
                (refusal.code.number(), refusal.subject.as_deref().unwrap_or_default())
            }
            None => ("", ""),
        };
        // Writing into a string does not fail.
        let _written = writeln!(text, "{},{},{code},{subject}", report.country, report.outcome);
    }
    text
}

/// `drug,count,known,sum,known` for every drug, from the published groups alone, sorted.
fn totals_by_drug() -> Result<String, DemoError> {
    let mut totals: BTreeMap<&str, (u64, i128)> = BTreeMap::new();
    for group in published::groups()? {
        let total = totals.entry(group.drug).or_default();
        *total = (total.0 + group.events, total.1 + group.quantity);
    }
    let line = |(drug, (events, quantity)): (&&str, &(u64, i128))| {
        format!("{drug},{events},known,{},known", decimal(*quantity, SCALE))
    };
    Ok(sorted(totals.iter().map(line).collect()))
}

fn sorted(mut lines: Vec<String>) -> String {
    lines.sort_unstable();
    let mut text = lines.join("\n");
    text.push('\n');
    text
}

pub(super) fn difference(what: &str, expected: &str, found: &str) -> Option<Difference> {
    if expected == found {
        return None;
    }
    let missing = expected.lines().filter(|line| !found.lines().any(|other| other == *line));
    let unexpected = found.lines().filter(|line| !expected.lines().any(|other| other == *line));
    let mut lines: Vec<String> = missing
        .map(|line| format!("- {line}"))
        .chain(unexpected.map(|line| format!("+ {line}")))
        .collect();
    if lines.is_empty() {
        lines.push("the same lines in another order or number".to_owned());
    }
    Some(Difference { what: what.to_owned(), lines })
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DIFFERS {} (- expected, + found)", self.what)?;
        for line in self.lines.iter().take(SHOWN) {
            write!(f, "\n{line}")?;
        }
        let more = self.lines.len().saturating_sub(SHOWN);
        if more > 0 { write!(f, "\n.. and {more} more lines") } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
