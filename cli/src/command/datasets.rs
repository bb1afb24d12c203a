//! `mayag datasets`: what each country shares with the person who asks.

use crate::arguments::{Asking, Folders};
use crate::command::ask::{self, Asked};
use crate::command::{failed, written};
use crate::demo::until_interrupted;
use crate::exit::Exit;
use crate::format::FormatError;
use crate::format::json::{CountryLine, to_text};
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::{Args, ValueEnum};
use mayag_desk::ask::{Progress, SharedByCountry};
use mayag_protocol::answer::{SharedColumn, SharedDataset};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::question::Ask;
use serde::Serialize;

/// List what each country shares with you: datasets, columns, levels and aggregates
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mayag datasets --purpose TREND
  mayag datasets --purpose INVESTIGATE --countries kr,us --format json")]
pub struct DatasetsArgs {
    #[command(flatten)]
    asking: Asking,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

/// How a list is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ListFormat {
    /// One object.
    Json,
    /// Lines for people.
    Table,
}

#[derive(Serialize)]
struct Whole<'a> {
    question: &'a QuestionId,
    complete: bool,
    countries: Vec<CountryLine<'a>>,
    shared: Vec<CountryDatasets<'a>>,
}

#[derive(Serialize)]
struct CountryDatasets<'a> {
    country: &'a Country,
    datasets: &'a [SharedDataset],
}

/// Asks, verifies, prints.
pub async fn run(args: DatasetsArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    let asked = match ask::prepare(&args.asking, Ask::Datasets {}, folders) {
        Ok(asked) => asked,
        Err(problem) => return problem.tell(printer),
    };
    let Asked { desk, request } = asked;
    let mut board = ask::board(&args.asking, printer);
    let mut watch = |progress: Progress<'_>| board.show(&progress, printer);
    let reply = until_interrupted(desk.datasets(&request, &mut watch)).await;
    board.clear(printer);
    let Some(reply) = reply else { return ask::interrupted(printer) };
    let shared = match ask::answer(reply, printer) {
        Ok(shared) => shared,
        Err(exit) => return exit,
    };
    let text = match args.format {
        ListFormat::Json => json(&shared, printer.reader()),
        ListFormat::Table => Ok(table(&shared)),
    };
    let exit = ask::exit_of(&shared.outcomes);
    let exit = match text {
        Ok(text) => {
            let result = printer.data(text.as_bytes());
            written(printer, result, exit)
        }
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    };
    ask::footer(&shared.question, &shared.outcomes, exit, printer);
    exit
}

fn json(shared: &SharedByCountry, reader: Reader) -> Result<String, FormatError> {
    let datasets =
        shared.shared.iter().map(|(country, datasets)| CountryDatasets { country, datasets });
    let whole = Whole {
        question: &shared.question,
        complete: mayag_desk::table::answered(&shared.outcomes) == shared.outcomes.len(),
        countries: shared.outcomes.iter().map(CountryLine::new).collect(),
        shared: datasets.collect(),
    };
    to_text(&whole, reader)
}

fn table(shared: &SharedByCountry) -> String {
    let mut out = String::new();
    for (country, datasets) in &shared.shared {
        if datasets.is_empty() {
            push(&mut out, &format!("{country}  shares nothing with you for this purpose"));
        }
        for dataset in datasets {
            let SharedDataset { name, about, min_units, purposes, columns, joins } = dataset;
            let purposes: Vec<&str> = purposes.iter().map(|purpose| purpose.as_str()).collect();
            push(&mut out, &format!("{country}  {}  {}", safe(name), safe(about)));
            let purposes = purposes.join(", ");
            push(&mut out, &format!("    cells of at least {min_units} units; for {purposes}"));
            for column in columns {
                push(&mut out, &line(column));
            }
            for join in joins {
                push(&mut out, &format!("    rows may be joined: JOIN {}", safe(join)));
            }
        }
    }
    out
}

fn line(column: &SharedColumn) -> String {
    let SharedColumn { name, role, uses, unit, about } = column;
    let unit = unit.as_ref().map(|unit| format!(" [{}]", safe(unit))).unwrap_or_default();
    let name = format!("{}{unit}", safe(name));
    let uses: Vec<_> = uses.iter().map(|word| safe(word)).collect();
    format!("    {name:<24} {:<10} {:<36} {}", safe(role), uses.join(", "), safe(about))
}

fn push(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{json, table};
    use crate::printer::Reader;
    use mayag_desk::ask::SharedByCountry;
    use mayag_desk::table::CountryReport;
    use mayag_protocol::answer::{SharedColumn, SharedDataset};
    use mayag_protocol::outcome::Outcome;
    use mayag_protocol::purpose::Purpose;

    fn shared() -> SharedByCountry {
        let column = SharedColumn {
            name: "quantity".to_owned(),
            role: "measure".to_owned(),
            uses: vec!["sum".to_owned(), "avg".to_owned()],
            unit: Some("lb".to_owned()),
            about: "mass\u{1b}[2J".to_owned(),
        };
        let dataset = SharedDataset {
            name: "seizures".to_owned(),
            about: "one row per event".to_owned(),
            min_units: 10,
            purposes: vec![Purpose::Trend],
            columns: vec![column],
            joins: vec!["labs USING (lab_id)".to_owned()],
        };
        let report = |country: &str, outcome| CountryReport {
            country: country.parse().unwrap(),
            outcome,
            refusal: None,
            ms: 7,
            policy: None,
            suppressed: false,
        };
        SharedByCountry {
            question: "00".repeat(16).parse().unwrap(),
            outcomes: vec![report("kr", Outcome::Answered), report("mx", Outcome::Unreachable)],
            shared: vec![("kr".parse().unwrap(), vec![dataset]), ("th".parse().unwrap(), vec![])],
        }
    }

    #[test]
    fn a_person_reads_levels_and_aggregates_of_every_country() {
        let text = table(&shared());
        assert!(
            text.contains(
                "kr  seizures  one row per event\n    cells of at least 10 units; for TREND\n"
            ),
            "{text}"
        );
        assert!(text.contains("    quantity [lb]            measure    sum, avg"), "{text}");
        assert!(text.contains("th  shares nothing with you"), "{text}");
        assert!(!text.contains('\u{1b}'), "{text:?}");
    }

    #[test]
    fn a_program_reads_the_same_and_who_is_missing() {
        let text = json(&shared(), Reader::Program).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["complete"], false);
        assert_eq!(value["countries"][1]["outcome"], "unreachable");
        assert_eq!(value["shared"][0]["datasets"][0]["columns"][0]["uses"][1], "avg");
    }
}
