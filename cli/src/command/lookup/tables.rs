//! `mayag lookup tables`: what may be searched where, and who learns what.

use super::no_answer;
use super::show::left_out;
use crate::arguments::{Asking, Folders};
use crate::command::ask::{self, Asked};
use crate::command::datasets::ListFormat;
use crate::command::{failed, written};
use crate::demo::until_interrupted;
use crate::exit::Exit;
use crate::format::FormatError;
use crate::format::json::{CountryLine, to_text};
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::Args;
use mayag_desk::lookup::{Lookups, Progress, Tables};
use mayag_matching::normalise::NORMVER;
use mayag_protocol::lookup::{
    DeclaredTable, Directory, DirectoryEntry, Legend, Mode, UnreadyTable,
};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Ask;
use serde::Serialize;

/// List which tables may be searched where, with their keys, and who learns what
#[derive(Debug, Args)]
#[command(after_help = "\
Every directory is verified with the key that the roster lists for the country, and held against what was seen of it before: a table
whose key changed within an epoch, or a directory that is older than the last one, ends with 6.

Examples:
  mayag lookup tables --purpose BORDER
  mayag lookup tables --purpose INVESTIGATE --countries kr,us --format json")]
pub(super) struct TablesArgs {
    #[command(flatten)]
    asking: Asking,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

#[derive(Serialize)]
struct Whole<'a> {
    question: &'a QuestionId,
    complete: bool,
    countries: Vec<CountryLine<'a>>,
    tables: Vec<CountryTables<'a>>,
}

#[derive(Serialize)]
struct CountryTables<'a> {
    country: &'a Country,
    serial: u64,
    tables: &'a [DirectoryEntry],
    declared: &'a [DeclaredTable],
    unready: &'a [UnreadyTable],
}

/// Asks, verifies, prints.
pub(super) async fn run(args: TablesArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    let asked = match ask::prepare(&args.asking, Ask::Tables {}, folders) {
        Ok(asked) => asked,
        Err(problem) => return problem.tell(printer),
    };
    let Asked { desk, request } = asked;
    let mut lookups = match Lookups::open(&desk, None) {
        Ok(lookups) => lookups,
        Err(error) => return no_answer(&error, printer),
    };
    let mut board = ask::board(&args.asking, printer);
    let mut watch = |progress: Progress<'_>| match &progress {
        Progress::Question(progress) => board.show(progress, printer),
        Progress::Declaring { .. } | Progress::Fetching { .. } | Progress::Hiding { .. } => {}
    };
    let reply = until_interrupted(Box::pin(lookups.tables(&request, &mut watch))).await;
    board.clear(printer);
    let reply = match reply {
        None => return ask::interrupted(printer),
        Some(Err(error)) => return no_answer(&error, printer),
        Some(Ok(reply)) => reply,
    };
    let tables = match ask::answer(Ok(reply), printer) {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    let text = match args.format {
        ListFormat::Json => json(&tables, printer.reader()),
        ListFormat::Table => Ok(table(&tables, request.purpose)),
    };
    let exit = ask::exit_of(&tables.outcomes);
    let exit = match text {
        Ok(text) => {
            let result = printer.data(text.as_bytes());
            written(printer, result, exit)
        }
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    };
    ask::footer(&tables.question, &tables.outcomes, exit, printer);
    exit
}

fn json(tables: &Tables, reader: Reader) -> Result<String, FormatError> {
    let listed = tables.directories.iter().map(|(country, directory)| CountryTables {
        country,
        serial: directory.serial,
        tables: &directory.tables,
        declared: &directory.declared,
        unready: &directory.unready,
    });
    let whole = Whole {
        question: &tables.question,
        complete: mayag_desk::table::answered(&tables.outcomes) == tables.outcomes.len(),
        countries: tables.outcomes.iter().map(CountryLine::new).collect(),
        tables: listed.collect(),
    };
    to_text(&whole, reader)
}

fn table(tables: &Tables, purpose: Purpose) -> String {
    let mut out = String::new();
    for (country, directory) in &tables.directories {
        let Directory { tables: blinded, declared, unready, .. } = directory;
        if blinded.is_empty() && declared.is_empty() && unready.is_empty() {
            push(&mut out, &format!("{country}  lets nothing be searched"));
        }
        for entry in &directory.tables {
            for line in lines(country, entry, purpose) {
                push(&mut out, &line);
            }
        }
        for entry in &directory.declared {
            for line in declared_lines(country, entry, purpose) {
                push(&mut out, &line);
            }
        }
        for UnreadyTable { table, kind, purposes } in &directory.unready {
            push(&mut out, &format!("{country}  {table}  identifiers of kind {kind}"));
            push(&mut out, &format!("    for {}", in_words(purposes)));
            push(&mut out, "    not ready: it can be searched later");
        }
    }
    out
}

fn in_words(purposes: &[Purpose]) -> String {
    purposes.iter().map(|purpose| purpose.as_str()).collect::<Vec<_>>().join(", ")
}

fn lines(country: &Country, entry: &DirectoryEntry, purpose: Purpose) -> Vec<String> {
    let DirectoryEntry { table, kind, rules, mode, epoch, from, until, key, index, .. } = entry;
    let purposes = in_words(&entry.purposes);
    // One of the elements is the positive control.
    let most = entry.most_elements.saturating_sub(1);
    let mut all = vec![
        format!("{country}  {table}  identifiers of kind {kind}"),
        format!("    for {purposes}; at most {most} at once, padding included"),
        format!("    {}", learns(*mode)),
    ];
    if !entry.purposes.contains(&purpose) {
        all.push(format!("    not for {purpose}"));
    }
    if *rules != NORMVER {
        all.push(format!(
            "    written by version {rules} of the rules, this program has {NORMVER}: it cannot be searched"
        ));
    }
    let key: String = key.as_str().chars().take(16).collect();
    all.push(format!("    key {key}.. of epoch {epoch}, from {from} until {until}"));
    all.push(format!("    {} rows with padding, built {}", index.rows, index.built_at));
    if index.left_out > 0 {
        all.push(format!("    {}", left_out(index.left_out)));
    }
    all.extend(legends("categories", &entry.categories));
    all.extend(legends("handling", &entry.handling));
    all
}

fn legends(what: &str, legends: &[Legend]) -> Option<String> {
    let texts: Vec<_> = legends.iter().map(|legend| safe(&legend.text)).collect();
    (!texts.is_empty()).then(|| format!("    {what}: {}", texts.join(", ")))
}

fn declared_lines(country: &Country, entry: &DeclaredTable, purpose: Purpose) -> Vec<String> {
    let DeclaredTable { table, kind, rules, built_at, left_out: rows, .. } = entry;
    let purposes = in_words(&entry.purposes);
    let most = entry.most_elements.saturating_sub(1);
    let mut all = vec![
        format!("{country}  {table}  identifiers of kind {kind}"),
        format!("    for {purposes}; at most {most} at once, padding included"),
        format!("    {}", learns(Mode::Declared)),
        format!("    its legal basis: {}", safe(&entry.legal_basis)),
    ];
    if entry.may_be_silent {
        all.push("    it may keep a hit to itself: that there is no hit is no proof".to_owned());
    }
    if !entry.purposes.contains(&purpose) {
        all.push(format!("    not for {purpose}"));
    }
    if *rules != NORMVER {
        all.push(format!(
            "    written by version {rules} of the rules, this program has {NORMVER}: it cannot be searched"
        ));
    }
    all.push(format!("    read {built_at}"));
    if *rows > 0 {
        all.push(format!("    {}", left_out(*rows)));
    }
    all.extend(legends("categories", &entry.categories));
    all.extend(legends("handling", &entry.handling));
    all
}

/// Who learns what, in words.
fn learns(mode: Mode) -> &'static str {
    match mode {
        Mode::Blinded => {
            "blinded: the country and the gateway learn how many elements you search, and not which; hits are seen by you alone"
        }
        Mode::Declared => {
            "declared: the country learns what you search and who you are, the gateway does not learn what; asked with `--declared` only"
        }
    }
}

fn push(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

#[cfg(test)]
mod tests {
    use super::{json, table};
    use crate::printer::Reader;
    use mayag_desk::lookup::Tables;
    use mayag_protocol::lookup::{
        Directory, DirectoryEntry, Legend, Mode, Published, PublishedIndex, UnreadyTable,
    };
    use mayag_protocol::names::{Digest, EvaluationKey};
    use mayag_protocol::purpose::Purpose;
    use mayag_protocol::timestamp::Timestamp;

    fn tables() -> Tables {
        let now = Timestamp::from_millis(1_800_000_000_000);
        let published = || Published { digest: Digest::from_bytes([1; 32]), bytes: 9 };
        let entry = DirectoryEntry {
            table: "stolen".parse().unwrap(),
            kind: "travel_document".parse().unwrap(),
            rules: 1,
            mode: Mode::Blinded,
            epoch: 3,
            from: now,
            until: now,
            key: EvaluationKey::from_bytes([0xab; 32]),
            index: PublishedIndex {
                built_at: now,
                rows: 64,
                left_out: 0,
                filter: published(),
                boxes: published(),
            },
            purposes: vec![Purpose::Border],
            most_elements: 65,
            categories: vec![Legend { number: 1, text: "stolen\u{1b}[2J".to_owned() }],
            handling: Vec::new(),
        };
        let directory = |code: &str, tables| {
            let node = format!("spiffe://demo/country/{code}/node").parse().unwrap();
            let unready = vec![UnreadyTable {
                table: "late".parse().unwrap(),
                kind: "iban".parse().unwrap(),
                purposes: vec![Purpose::Border, Purpose::Alert],
            }];
            let unready = if code == "us" { unready } else { Vec::new() };
            let declared = Vec::new();
            let directory =
                Directory { v: 1, node, serial: 7, issued_at: now, tables, declared, unready };
            (code.parse().unwrap(), directory)
        };
        let mut other = DirectoryEntry { rules: 2, mode: Mode::Declared, ..entry.clone() };
        other.index.left_out = 3;
        Tables {
            question: "00".repeat(16).parse().unwrap(),
            outcomes: Vec::new(),
            directories: vec![
                directory("kr", vec![entry, other]),
                directory("th", vec![]),
                directory("us", vec![]),
            ],
        }
    }

    #[test]
    fn a_person_reads_what_may_be_searched_and_who_learns_what() {
        let text = table(&tables(), Purpose::Border);
        assert!(text.starts_with("kr  stolen  identifiers of kind travel_document\n    for BORDER; at most 64 at once, padding included\n    blinded: "), "{text}");
        assert!(
            text.contains("    key abababababababab.. of epoch 3, from 2027-01-15T08:00:00"),
            "{text}"
        );
        assert!(text.contains("declared: the country learns what you search"), "{text}");
        assert!(text.contains("written by version 2 of the rules"), "{text}");
        assert!(text.contains("th  lets nothing be searched\n"), "{text}");
        assert_eq!(text.matches("3 rows are not in the index: what they hold is").count(), 1);
        let late = "us  late  identifiers of kind iban\n    for BORDER, ALERT\n    not ready: it can be searched later\n";
        assert!(text.ends_with(late), "{text}");
        assert!(!text.contains('\u{1b}') && !text.contains("not for"), "{text:?}");
        assert!(table(&tables(), Purpose::Alert).contains("    not for ALERT\n"));
    }

    #[test]
    fn a_program_reads_the_directories() {
        let text = json(&tables(), Reader::Program).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["tables"][0]["tables"][0]["epoch"], 3);
        assert_eq!(
            (&value["tables"][0]["serial"], &value["tables"][1]["tables"]),
            (&7.into(), &serde_json::json!([]))
        );
        assert_eq!(value["tables"][0]["tables"][1]["index"]["left_out"], 3);
        assert_eq!(value["tables"][2]["unready"][0]["table"], "late");
    }
}
