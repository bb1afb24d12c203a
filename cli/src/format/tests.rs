//! Every format shows what a number is worth, and no text of another country reaches a terminal as it is.

use super::{Format, Style, summary};
use crate::printer::Reader;
use arrow::array::{
    Array as _, ArrayRef, AsArray as _, Date32Array, Decimal128Array, Float64Array, Int64Array,
    RecordBatch, StringArray,
};
use arrow::datatypes::{Decimal128Type, Int64Type};
use arrow::ipc::reader::FileReader;
use mayag_desk::table::{AnswerTable, Column, CountryReport, Table};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;

const HOSTILE: &str = "a,\"b\"\u{1b}[2J\nc\u{9b}\u{202e}";

fn report(country: &str, outcome: Outcome) -> CountryReport {
    let country = country.parse().unwrap();
    CountryReport { country, outcome, refusal: None, ms: 5, policy: None, suppressed: false }
}

fn outcomes() -> Vec<CountryReport> {
    let refusal = Refusal::new(Code::ColumnNotShared, "trends", "leave `area` out").about("area");
    let refused = CountryReport { refusal: Some(refusal), ..report("mx", Outcome::Refused) };
    vec![report("kr", Outcome::AnsweredSuppressed), refused]
}

/// Drug, count, quantity and share: known, withheld, partial and noisy cells, a null, and hostile text.
fn answer() -> AnswerTable {
    let sums = Decimal128Array::from(vec![Some(1_250), None, Some(100_000), Some(0)]);
    // A value behind a withheld cell is what a bug would leave there.
    let columns: Vec<(&str, ArrayRef)> = vec![
        (
            "drug",
            Arc::new(StringArray::from(vec![Some("Cocaine"), Some("Khat"), Some(HOSTILE), None])),
        ),
        ("n", Arc::new(Int64Array::from(vec![1234, 3, 42, 7]))),
        ("q", Arc::new(sums.with_precision_and_scale(38, 2).unwrap())),
        ("share", Arc::new(Float64Array::from(vec![Some(0.5), None, Some(f64::INFINITY), None]))),
        ("first", Arc::new(Date32Array::from(vec![20_000; 4]))),
        ("n_status", Arc::new(StringArray::from(vec!["known", "suppressed", "partial", "noisy"]))),
        ("q_status", Arc::new(StringArray::from(vec!["known", "suppressed", "partial", "known"]))),
        (
            "share_status",
            Arc::new(StringArray::from(vec!["known", "suppressed", "known", "known"])),
        ),
    ];
    let column = |name: &str, value, status, unit: Option<&str>| Column {
        name: name.to_owned(),
        value,
        status,
        deviation: None,
        unit: unit.map(str::to_owned),
    };
    let table = Table {
        batch: RecordBatch::try_from_iter(columns).unwrap(),
        columns: vec![
            column("drug", 0, None, None),
            column("n", 1, Some(5), None),
            column("q", 2, Some(6), Some("lb")),
            column("share", 3, Some(7), None),
            column("first", 4, None, None),
        ],
        undecided: 2,
    };
    AnswerTable {
        question: "ab".repeat(16).parse().unwrap(),
        table: Some(table),
        outcomes: outcomes(),
    }
}

fn unanswered() -> AnswerTable {
    AnswerTable { table: None, outcomes: vec![report("kr", Outcome::Unreachable)], ..answer() }
}

fn style(reader: Reader) -> Style {
    Style { null: "(null)".to_owned(), reader }
}

fn text(format: Format, answer: &AnswerTable, reader: Reader) -> String {
    String::from_utf8(format.render(answer, &style(reader)).unwrap()).unwrap()
}

#[test]
fn people_read_aligned_columns_with_marks() {
    let hostile = "a,\"b\"\\u{1b}[2J\\u{a}c\\u{9b}\\u{202e}";
    let pad = |text: &str| format!("{text:width$}", width = hostile.len());
    let expected = [
        format!("{}        n    q [lb]  share  first", pad("drug")),
        format!("{}  -------  ---------  -----  ----------", "-".repeat(hostile.len())),
        format!("{}  1234        12.5       0.5  2024-10-04", pad("Cocaine")),
        format!("{}    :c          :c        :c  2024-10-04", pad("Khat")),
        format!("{hostile}    42 :p     1000 :p    inf  2024-10-04"),
        format!("{}     7 ±        0    (null)  2024-10-04", pad("(null)")),
    ];
    let table = text(Format::Table, &answer(), Reader::Terminal);
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (line, expected) in table.lines().zip(&expected).filter(|(line, _)| !line.starts_with('-'))
    {
        assert_eq!(squeezed(line), squeezed(expected), "{table}");
    }
    let ends: Vec<usize> = ["1234", ":c", "42", "7"]
        .iter()
        .zip(table.lines().skip(2))
        .map(|(digits, line)| line.find(&format!(" {digits}")).unwrap() + 1 + digits.len())
        .collect();
    assert!(
        ends.windows(2).all(|pair| pair[0] == pair[1]),
        "the last digits stand below each other: {table}"
    );
    assert_eq!(text(Format::Table, &unanswered(), Reader::Terminal), "");
}

#[test]
fn a_withheld_cell_is_never_a_number_in_any_text() {
    for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
        for reader in [Reader::Program, Reader::Terminal] {
            let text = text(format, &answer(), reader);
            let khat = text.split("Khat").nth(1).unwrap();
            let khat = khat.split(['\n', '}']).next().unwrap();
            assert!(
                !khat.contains('3') && !khat.contains(":0") && !khat.contains("\": 0"),
                "{format:?}: {khat}"
            );
        }
    }
}

#[test]
fn csv_is_quoted_and_has_a_status_beside_every_measure() {
    let csv = text(Format::Csv, &answer(), Reader::Program);
    let quoted = format!("\"{}\"", HOSTILE.replace('"', "\"\""));
    let expected = [
        "drug,n,n_status,q,q_status,share,share_status,first\n",
        "Cocaine,1234,known,12.50,known,0.5,known,2024-10-04\n",
        "Khat,,suppressed,,suppressed,,suppressed,2024-10-04\n",
        &format!("{quoted},42,partial,1000.00,partial,inf,known,2024-10-04\n"),
        "(null),7,noisy,0.00,known,(null),known,2024-10-04\n",
    ];
    assert_eq!(csv, expected.concat());
    let mut one = answer();
    one.table.as_mut().unwrap().columns.truncate(1);
    let plain = Style { null: String::new(), reader: Reader::Program };
    let lines = String::from_utf8(Format::Csv.render(&one, &plain).unwrap()).unwrap();
    assert!(lines.ends_with("\n\"\"\n"), "a record is never an empty line: {lines:?}");
}

#[test]
fn nothing_a_terminal_acts_on_is_written_to_one() {
    for format in [Format::Table, Format::Csv, Format::Json, Format::Ndjson] {
        let text = text(format, &answer(), Reader::Terminal);
        assert!(text.contains("Cocaine"), "{format:?}");
        assert!(
            text.chars().all(|c| c == '\n' || crate::safe::harmless(c)),
            "{format:?}: {text:?}"
        );
    }
}

#[test]
fn json_keeps_digits_and_says_what_each_cell_is_worth() {
    for reader in [Reader::Program, Reader::Terminal] {
        let value: serde_json::Value =
            serde_json::from_str(&text(Format::Json, &answer(), reader)).unwrap();
        assert_eq!(value["question"], "ab".repeat(16));
        assert_eq!(
            (&value["complete"], &value["asked"], &value["answered"]),
            (&false.into(), &2.into(), &1.into())
        );
        assert_eq!(value["countries"][0]["outcome"], "answered_suppressed");
        let refused = &value["countries"][1];
        assert_eq!(refused["code"], "MAYAG-2104");
        assert_eq!((&refused["rule"], &refused["subject"]), (&"trends".into(), &"area".into()));
        assert_eq!(refused["hint"], "leave `area` out");
        assert_eq!(value["columns"][2]["unit"], "lb");
        assert_eq!(value["undecided"], 2);
        let rows = value["rows"].as_array().unwrap();
        assert_eq!(rows[0]["values"]["n"], 1234);
        assert_eq!(rows[0]["values"]["q"], "12.50");
        assert_eq!(rows[1]["values"]["n"], serde_json::Value::Null);
        assert_eq!(rows[1]["status"]["n"], "suppressed");
        assert_eq!(rows[2]["values"]["drug"], HOSTILE, "a program gets the text as it is");
        assert_eq!(
            (&rows[2]["values"]["share"], &rows[2]["status"]["n"]),
            (&"inf".into(), &"partial".into())
        );
        assert_eq!(
            (&rows[3]["values"]["share"], &rows[3]["status"]["share"]),
            (&serde_json::Value::Null, &"known".into())
        );
        assert!(rows[0]["status"].get("drug").is_none());
    }
}

#[test]
fn events_are_numbered_lines_from_accepted_to_complete() {
    let text = text(Format::Ndjson, &answer(), Reader::Program);
    let lines: Vec<serde_json::Value> =
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let kinds: Vec<&str> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(kinds, ["accepted", "country", "country", "row", "row", "row", "row", "complete"]);
    assert!(lines.iter().zip(0..).all(|(line, seq)| line["seq"] == seq));
    assert_eq!(lines[4]["status"]["q"], "suppressed");
    assert_eq!((&lines[7]["complete"], &lines[7]["answered"]), (&false.into(), &1.into()));
    let none = self::text(Format::Ndjson, &unanswered(), Reader::Program);
    assert_eq!(none.lines().count(), 3);
}

fn check_batch(batch: &RecordBatch) {
    let schema = batch.schema();
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    assert_eq!(names, ["drug", "n", "n_status", "q", "q_status", "share", "share_status", "first"]);
    assert_eq!(schema.field(3).metadata().get("mayag.unit").map(String::as_str), Some("lb"));
    let n = batch.column(1).as_primitive::<Int64Type>();
    assert!(n.is_null(1), "what stands behind a withheld cell is not handed on");
    assert_eq!((n.value(0), n.value(2)), (1234, 42));
    let words: Vec<_> = batch.column(2).as_string::<i32>().iter().flatten().collect();
    assert_eq!(words, ["known", "suppressed", "partial", "noisy"]);
    assert_eq!(batch.column(3).as_primitive::<Decimal128Type>().value(0), 1_250);
}

#[test]
fn arrow_and_parquet_read_back_with_statuses_and_metadata() {
    let arrow = Format::Arrow.render(&answer(), &style(Reader::Program)).unwrap();
    let mut reader = FileReader::try_new(Cursor::new(arrow), None).unwrap();
    let words = reader.schema().metadata().clone();
    assert_eq!(words["mayag.complete"], "false");
    assert_eq!(
        (&*words["mayag.asked"], &*words["mayag.answered"], &*words["mayag.undecided"]),
        ("2", "1", "2")
    );
    assert!(words["mayag.countries"].contains("MAYAG-2104"));
    check_batch(&reader.next().unwrap().unwrap());
    let parquet =
        bytes::Bytes::from(Format::Parquet.render(&answer(), &style(Reader::Program)).unwrap());
    let builder = ParquetRecordBatchReaderBuilder::try_new(parquet).unwrap();
    assert_eq!(builder.schema().metadata()["mayag.question"], "ab".repeat(16));
    check_batch(&builder.build().unwrap().next().unwrap().unwrap());
}

#[test]
fn an_answer_of_nobody_is_empty_and_says_so() {
    let arrow = Format::Arrow.render(&unanswered(), &style(Reader::Program)).unwrap();
    let reader = FileReader::try_new(Cursor::new(arrow), None).unwrap();
    assert_eq!(reader.schema().metadata()["mayag.answered"], "0");
    Format::Parquet.render(&unanswered(), &style(Reader::Program)).unwrap();
    assert_eq!(text(Format::Csv, &unanswered(), Reader::Program), "");
}

#[test]
fn binary_formats_are_not_for_terminals() {
    for format in [Format::Arrow, Format::Parquet] {
        format.render(&answer(), &style(Reader::Terminal)).unwrap_err();
    }
}

#[test]
fn the_summary_names_who_is_missing_and_why() {
    assert_eq!(summary(&outcomes()), "partial answer: 1 of 2 countries (mx refused)");
    assert_eq!(summary(&outcomes()[..1]), "complete: 1 of 1 country");
    let none = [report("au", Outcome::Unreachable), report("th", Outcome::TimedOut)];
    assert_eq!(summary(&none), "no answer: 0 of 2 countries (au unreachable, th timed out)");
}

#[test]
fn the_ending_of_a_file_chooses_its_format() {
    let format = |name: &str| Format::for_file(Path::new(name));
    assert_eq!(format("a.parquet"), Some(Format::Parquet));
    assert_eq!(format("a.jsonl"), Some(Format::Ndjson));
    assert_eq!((format("a"), format("a.xlsx")), (None, None));
}

#[test]
fn the_deviation_of_noise_is_shown_in_every_format() {
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("n", Arc::new(Int64Array::from(vec![1234, 3, 42]))),
        ("n_status", Arc::new(StringArray::from(vec!["noisy", "suppressed", "partial"]))),
        ("n_sd", Arc::new(Float64Array::from(vec![Some(5.196), Some(1.0), Some(12.0)]))),
    ];
    let name = "n".to_owned();
    let column = Column { name, value: 0, status: Some(1), deviation: Some(2), unit: None };
    let batch = RecordBatch::try_from_iter(columns).unwrap();
    let table = Table { batch, columns: vec![column], undecided: 0 };
    let answer = AnswerTable { table: Some(table), ..answer() };
    let text = |format: Format, reader| {
        String::from_utf8(format.render(&answer, &style(reader)).unwrap()).unwrap()
    };
    let shown = text(Format::Table, Reader::Terminal);
    let lines: Vec<&str> = shown.lines().skip(2).map(str::trim).collect();
    assert_eq!(lines, ["1234 ± 5.2", ":c", "42 ± 12 :p"]);
    let csv = text(Format::Csv, Reader::Program);
    assert_eq!(csv, "n,n_status,n_sd\n1234,noisy,5.196\n,suppressed,\n42,partial,12\n");
    let json: serde_json::Value =
        serde_json::from_str(&text(Format::Json, Reader::Program)).unwrap();
    assert_eq!(json["rows"][0]["sd"]["n"], 5.196);
    assert_eq!(json["rows"][1].get("sd"), None, "a withheld cell has none");
    let parquet = Format::Parquet.render(&answer, &style(Reader::Program)).unwrap();
    let reader = ParquetRecordBatchReaderBuilder::try_new(bytes::Bytes::from(parquet)).unwrap();
    let batch = reader.build().unwrap().next().unwrap().unwrap();
    let deviations = batch.column_by_name("n_sd").unwrap();
    assert_eq!(deviations.null_count(), 1);
}
