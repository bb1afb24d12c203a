//! What is told about datasets and questions, as tables: `SHOW TABLES`, `DESCRIBE` and previews have the formats that
//! answers have.

use crate::ask::{PreviewByCountry, SharedByCountry};
use crate::table::{AnswerTable, Column, CountryReport, Table};
use arrow::array::{ArrayRef, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use mayag_protocol::answer::PreviewedRelease;
use mayag_protocol::names::DatasetName;
use std::sync::Arc;

/// Which country shares which dataset.
pub fn tables(shared: &SharedByCountry) -> AnswerTable {
    let mut lines = Lines::new(["table_name", "country", "min_units", "purposes", "about"]);
    for (country, datasets) in &shared.shared {
        for dataset in datasets {
            let purposes: Vec<&str> =
                dataset.purposes.iter().map(|purpose| purpose.as_str()).collect();
            lines.push([
                Some(dataset.name.clone()),
                Some(country.to_string()),
                Some(dataset.min_units.to_string()),
                Some(purposes.join(", ")),
                Some(dataset.about.clone()),
            ]);
        }
    }
    lines.answer(shared.question.clone(), shared.outcomes.clone())
}

/// Which column of one dataset which country shares. A dataset that nobody shares has no columns.
pub fn columns(shared: &SharedByCountry, name: &DatasetName) -> AnswerTable {
    let mut lines = Lines::new(["column_name", "country", "role", "uses", "unit", "about"]);
    for (country, datasets) in &shared.shared {
        for dataset in datasets.iter().filter(|dataset| dataset.name == name.as_str()) {
            for column in &dataset.columns {
                lines.push([
                    Some(column.name.clone()),
                    Some(country.to_string()),
                    Some(column.role.clone()),
                    Some(column.uses.join(", ")),
                    column.unit.clone(),
                    Some(column.about.clone()),
                ]);
            }
        }
    }
    lines.answer(shared.question.clone(), shared.outcomes.clone())
}

/// What every country would do: a line per release that it would answer, one line where it would not.
pub fn preview(preview: &PreviewByCountry) -> AnswerTable {
    let mut lines =
        Lines::new(["country", "would", "dataset", "rule", "protections", "refusal", "subject"]);
    for report in &preview.outcomes {
        let releases = preview
            .previewed
            .iter()
            .find(|(country, _)| *country == report.country)
            .map(|(_, releases)| releases.as_slice());
        match releases {
            Some(releases) => {
                for release in releases {
                    lines.push(would_answer(report, release));
                }
            }
            None => lines.push(would_not(report)),
        }
    }
    lines.answer(preview.question.clone(), preview.outcomes.clone())
}

fn would_answer(report: &CountryReport, release: &PreviewedRelease) -> [Option<String>; 7] {
    [
        Some(report.country.to_string()),
        Some("answer".to_owned()),
        Some(mayag_policies::catalogue::written_name(release.dataset.as_str(), " JOIN ")),
        Some(release.grant.clone()),
        Some(release.protections.clone()),
        None,
        None,
    ]
}

/// A country that was not heard would do nobody knows what: its outcome stands there.
fn would_not(report: &CountryReport) -> [Option<String>; 7] {
    let refusal = report.refusal.as_ref();
    let would = refusal.map_or(report.outcome.as_str(), |_| "refuse");
    [
        Some(report.country.to_string()),
        Some(would.to_owned()),
        None,
        refusal.map(|refusal| refusal.rule.clone()),
        None,
        refusal.map(|refusal| format!("{} {}", refusal.code, refusal.code.name())),
        refusal.and_then(|refusal| refusal.subject.clone()),
    ]
}

/// Rows of texts.
struct Lines<const N: usize> {
    names: [&'static str; N],
    rows: Vec<[Option<String>; N]>,
}

impl<const N: usize> Lines<N> {
    fn new(names: [&'static str; N]) -> Self {
        Self { names, rows: Vec::new() }
    }

    fn push(&mut self, row: [Option<String>; N]) {
        self.rows.push(row);
    }

    fn answer(
        self,
        question: mayag_protocol::names::QuestionId,
        outcomes: Vec<CountryReport>,
    ) -> AnswerTable {
        let fields: Vec<Field> =
            self.names.iter().map(|name| Field::new(*name, DataType::Utf8, true)).collect();
        let array = |i: usize| -> ArrayRef {
            let texts = self.rows.iter().map(|row| row.get(i).and_then(Option::as_deref));
            Arc::new(texts.collect::<StringArray>())
        };
        let arrays = (0..N).map(array).collect();
        // As many arrays of the same length as fields of their type: this holds by construction.
        let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).ok();
        let column = |(value, name): (usize, &&str)| Column {
            name: (*name).to_owned(),
            value,
            status: None,
            deviation: None,
            unit: None,
        };
        let columns = self.names.iter().enumerate().map(column).collect();
        let table = batch.map(|batch| Table { batch, columns, undecided: 0 });
        AnswerTable { question, table, outcomes }
    }
}

#[cfg(test)]
mod tests {
    use super::{columns, preview, tables};
    use crate::ask::{PreviewByCountry, SharedByCountry};
    use crate::table::{AnswerTable, CountryReport};
    use arrow::array::AsArray as _;
    use mayag_protocol::answer::{PreviewedRelease, SharedColumn, SharedDataset};
    use mayag_protocol::outcome::Outcome;
    use mayag_protocol::purpose::Purpose;
    use mayag_protocol::refusal::{Code, Refusal};

    fn report(code: &str, outcome: Outcome, refusal: Option<Refusal>) -> CountryReport {
        let country = code.parse().unwrap();
        CountryReport { country, outcome, refusal, ms: 1, policy: None, suppressed: false }
    }

    fn rows(answer: &AnswerTable) -> Vec<String> {
        let table = answer.table.as_ref().unwrap();
        let cell = |column: usize, row: usize| {
            let texts = table.batch.column(table.columns[column].value).as_string::<i32>();
            texts.iter().nth(row).flatten().unwrap_or("-").to_owned()
        };
        let row = |i| (0..table.columns.len()).map(|c| cell(c, i)).collect::<Vec<_>>().join("|");
        (0..table.batch.num_rows()).map(row).collect()
    }

    #[test]
    fn datasets_and_columns_are_listed_by_country() {
        let column = SharedColumn {
            name: "drug".to_owned(),
            role: "dimension".to_owned(),
            uses: Vec::new(),
            unit: None,
            about: "what".to_owned(),
        };
        let dataset = SharedDataset {
            name: "seizures".to_owned(),
            about: "events".to_owned(),
            min_units: 10,
            purposes: vec![Purpose::Trend],
            columns: vec![column],
            joins: Vec::new(),
        };
        let shared = SharedByCountry {
            question: "00".repeat(16).parse().unwrap(),
            outcomes: vec![report("kr", Outcome::Answered, None)],
            shared: vec![("kr".parse().unwrap(), vec![dataset])],
        };
        assert_eq!(rows(&tables(&shared)), ["seizures|kr|10|TREND|events"]);
        let of = |name: &str| rows(&columns(&shared, &name.parse().unwrap()));
        assert_eq!(of("seizures"), ["drug|kr|dimension||-|what"]);
        assert_eq!(of("nothing"), [""; 0]);
    }

    #[test]
    fn a_preview_says_what_every_country_would_do() {
        let refusal =
            Refusal::new(Code::ColumnNotShared, "one-grant", "leave it out").about("route");
        let release = PreviewedRelease {
            dataset: "seizures".parse().unwrap(),
            grant: "trends".to_owned(),
            protections: "live; at least 10 units".to_owned(),
        };
        let answer = preview(&PreviewByCountry {
            question: "00".repeat(16).parse().unwrap(),
            outcomes: vec![
                report("kr", Outcome::Answered, None),
                report("mx", Outcome::Refused, Some(refusal)),
                report("us", Outcome::Unreachable, None),
            ],
            previewed: vec![("kr".parse().unwrap(), vec![release])],
        });
        assert_eq!(
            rows(&answer),
            [
                "kr|answer|seizures|trends|live; at least 10 units|-|-",
                "mx|refuse|-|one-grant|-|MAYAG-2104 column-not-shared|route",
                "us|unreachable|-|-|-|-|-"
            ]
        );
    }
}
