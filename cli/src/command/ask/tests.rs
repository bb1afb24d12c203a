//! How runs end, and what is said when nothing may be shown.

use super::{AskArgs, Wanted, answer, chosen, exit_of, footer, print};
use crate::arguments::{Asking, Countries};
use crate::board::ProgressMode;
use crate::exit::Exit;
use crate::format::Format;
use crate::printer::{Terminals, recorded};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use mayag_desk::ask::{AskError, Reply};
use mayag_desk::desk::DeskError;
use mayag_desk::fault::{Fault, VerificationFailed};
use mayag_desk::stream::StreamError;
use mayag_desk::table::{AnswerTable, Column, CountryReport, Table};
use mayag_protocol::answer::NoResult;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use std::sync::Arc;

fn reports(outcomes: &[Outcome]) -> Vec<CountryReport> {
    let report = |(outcome, code): (&Outcome, &str)| CountryReport {
        country: code.parse().unwrap(),
        outcome: *outcome,
        refusal: None,
        ms: 1,
        policy: None,
        suppressed: false,
    };
    outcomes.iter().zip(["au", "kr", "mx"]).map(report).collect()
}

#[test]
fn outcomes_map_to_exit_codes() {
    use Outcome::{
        Answered, AnsweredSuppressed, BudgetExhausted, NotAsked, Refused, TimedOut, Unreachable,
    };
    for (outcomes, exit) in [
        (&[Answered, AnsweredSuppressed, Answered][..], Exit::Complete),
        (&[Answered, Refused, Unreachable], Exit::Partial),
        (&[AnsweredSuppressed, TimedOut], Exit::Partial),
        (&[Refused, BudgetExhausted, Refused], Exit::RefusedByAll),
        (&[Refused, Unreachable], Exit::Error),
        (&[Unreachable, TimedOut, NotAsked], Exit::Error),
    ] {
        assert_eq!(exit_of(&reports(outcomes)), exit, "{outcomes:?}");
    }
}

#[test]
fn failures_map_to_exit_codes_and_show_nothing_of_an_answer() {
    let verification =
        VerificationFailed { what: Fault::Signature, country: Some("kr".parse().unwrap()) };
    for (error, exit, said) in [
        (
            AskError::Verification(verification),
            Exit::VerificationFailed,
            "verification failed: kr: not signed",
        ),
        (
            AskError::Desk(DeskError::Question("too \u{1b}long".to_owned())),
            Exit::Usage,
            "error: too \\u{1b}long",
        ),
        (AskError::TimedOut, Exit::Usage, "check the gateway's address"),
        (AskError::Stream(StreamError::Event), Exit::Error, "no event"),
        (AskError::NoTable(NoResult::TooSlow), Exit::Error, "took too long"),
    ] {
        let (mut printer, out, talk) = recorded::printer(Terminals::Neither);
        assert_eq!(answer::<()>(Err(error), &mut printer), Err(exit));
        assert_eq!(out.text(), "");
        assert!(talk.text().contains(said), "{}", talk.text());
    }
    let (mut printer, out, talk) = recorded::printer(Terminals::Neither);
    let refusal = Refusal::new(Code::Busy, "questions-at-once", "wait");
    assert_eq!(answer::<()>(Ok(Reply::Refused(refusal)), &mut printer), Err(Exit::RefusedByAll));
    assert_eq!(out.text(), "");
    assert!(
        talk.text().contains("[MAYAG-4001]") && talk.text().contains("hint: wait"),
        "{}",
        talk.text()
    );
}

fn args(format: Option<Format>, out: Option<&std::path::Path>) -> AskArgs {
    AskArgs {
        sql: Some("SELECT 1".to_owned()),
        file: None,
        asking: Asking {
            profile: None,
            purpose: None,
            countries: Countries::All,
            progress: ProgressMode::None,
        },
        case: None,
        legal_basis: None,
        format,
        out: out.map(Into::into),
        receipt: None,
        dry_run: false,
        null: String::new(),
    }
}

fn partial_answer() -> AnswerTable {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![Some(5), None]))),
        ("n_status", Arc::new(StringArray::from(vec!["partial", "suppressed"]))),
    ];
    let column =
        Column { name: "n".to_owned(), value: 0, status: Some(1), deviation: None, unit: None };
    let table = Table {
        batch: RecordBatch::try_from_iter(columns).unwrap(),
        columns: vec![column],
        undecided: 0,
    };
    let outcomes = reports(&[Outcome::AnsweredSuppressed, Outcome::Refused]);
    AnswerTable { question: "ab".repeat(16).parse().unwrap(), table: Some(table), outcomes }
}

#[test]
fn data_go_to_stdout_and_what_they_are_worth_to_stderr() {
    let (mut printer, out, talk) = recorded::printer(Terminals::Both);
    assert_eq!(
        print(&partial_answer(), Format::Table, &args(None, None), None, &mut printer),
        Exit::Partial
    );
    assert_eq!(out.text(), "    n\n-----\n 5 :p\n:c\n");
    let talk = talk.text();
    let lines: Vec<&str> = talk.lines().collect();
    assert!(lines[0].starts_with("-- :c  withheld") && lines[1].starts_with("-- :p"), "{talk}");
    assert_eq!(lines[2], "-- partial answer: 1 of 2 countries (kr refused)");
    assert_eq!(lines[3], format!("-- question {} | exit 3: partial", "ab".repeat(16)));
}

#[test]
fn a_file_is_written_as_a_whole_and_for_its_owner_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("answer.csv");
    let (mut printer, out, _) = recorded::printer(Terminals::Both);
    let exit = print(&partial_answer(), Format::Csv, &args(None, Some(&path)), None, &mut printer);
    assert_eq!((exit, out.text()), (Exit::Partial, String::new()));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "n,n_status\n5,partial\n,suppressed\n");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let nowhere = folder.path().join("missing/answer.csv");
    let exit =
        print(&partial_answer(), Format::Csv, &args(None, Some(&nowhere)), None, &mut printer);
    assert_eq!(exit, Exit::Error);
}

#[test]
fn the_format_follows_the_reader_unless_it_is_given() {
    let chosen_for = |terminals, format, out: Option<&str>| {
        let (printer, _, _) = recorded::printer(terminals);
        chosen(&args(format, out.map(std::path::Path::new)), &printer)
    };
    assert_eq!(chosen_for(Terminals::Both, None, None), Format::Table);
    assert_eq!(chosen_for(Terminals::Neither, None, None), Format::Csv);
    assert_eq!(chosen_for(Terminals::Both, None, Some("a.parquet")), Format::Parquet);
    assert_eq!(chosen_for(Terminals::Both, None, Some("a")), Format::Csv);
    assert_eq!(chosen_for(Terminals::Neither, Some(Format::Json), Some("a.csv")), Format::Json);
}

#[test]
fn the_last_line_names_the_question_and_the_exit() {
    let (mut printer, _, talk) = recorded::printer(Terminals::Neither);
    footer(
        &"ab".repeat(16).parse().unwrap(),
        &reports(&[Outcome::Refused]),
        Exit::RefusedByAll,
        &mut printer,
    );
    assert!(talk.text().ends_with("| exit 4: refused by all\n"), "{}", talk.text());
}

#[test]
fn statements_about_the_catalogue_ask_for_no_data() {
    let of = |sql: &str, dry_run| Wanted::of(sql.to_owned(), dry_run);
    let select = "SELECT count(*) FROM seizures";
    assert_eq!(of(select, false), Wanted::Cells(select.to_owned()));
    assert_eq!(of(select, true), Wanted::Preview(select.to_owned()));
    assert_eq!(of(&format!("EXPLAIN {select}"), false), Wanted::Preview(select.to_owned()));
    assert_eq!(of("describe seizures;", false), Wanted::Columns("seizures".parse().unwrap()));
    assert_eq!(of("SHOW TABLES", true), Wanted::Tables);
    let list = "SELECT * FROM information_schema.tables";
    assert_eq!(of(list, false), Wanted::Information(list.to_owned()));
    assert_eq!(of(list, true), Wanted::Information(list.to_owned()));
    assert_eq!(of(list, false).ask(), Ask::Datasets {}, "the SQL goes nowhere");
    let refused = "EXPLAIN ANALYZE SELECT 1";
    assert_eq!(of(refused, true), Wanted::Preview(refused.to_owned()), "never asks for cells");
}
