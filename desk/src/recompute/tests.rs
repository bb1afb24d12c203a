//! A gateway that merges wrongly, and countries whose cells are not what they signed, are found.

use super::{Made, RecomputeError, compare};
use crate::fault::{Fault, VerificationFailed};
use crate::fixture::{Federation, Sent};
use crate::table::Table;
use crate::verify::{Checked, check};
use arrow::array::{
    ArrayRef, AsArray as _, Decimal128Array, Float64Array, Int64Array, StringArray, UInt8Array,
};
use arrow::datatypes::{DataType, Int64Type, Schema};
use arrow::ipc::writer::StreamWriter;
use arrow::record_batch::RecordBatch;
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::answer::{Decision, Listed, NoResult};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_queries::merge::{Part, fold, read_part, wire_schema, write_part};
use mayag_queries::{Plan, plan};
use std::collections::HashMap;
use std::sync::Arc;

const SQL: &str = "SELECT drug, count(*) AS n, sum(quantity) AS q FROM seizures
    WHERE drug IN ('Cocaine', 'Fentanyl') GROUP BY drug ORDER BY n DESC";

const BY_COUNTRY: &str = "SELECT country, count(*) AS n FROM seizures GROUP BY country";

/// A cell: drug (or country), count, whether it is withheld.
type Row = (&'static str, i64, bool);

const KR: &[Row] = &[("Cocaine", 30, false), ("Fentanyl", 0, true)];
const US: &[Row] = &[("Cocaine", 12, false), ("Fentanyl", 50, false)];

/// The part that a country with these cells sends.
fn part(sql: &str, rows: &[Row]) -> Vec<u8> {
    let catalogue = Catalogue::builtin();
    let Plan { releases, .. } = plan(sql, &catalogue).unwrap();
    let release = &releases[0];
    let schema = wire_schema(release, catalogue.dataset("seizures").unwrap()).unwrap();
    let mut columns: Vec<ArrayRef> =
        vec![Arc::new(rows.iter().map(|row| Some(row.0)).collect::<StringArray>())];
    for field in schema.fields().iter().skip(1) {
        let numbers = rows.iter().map(|row| (!row.2).then_some(row.1));
        let withheld = |row: &Row| if row.2 { CellStatus::Suppressed } else { CellStatus::Known };
        let kind = field.data_type();
        columns.push(if *kind == DataType::Int64 {
            Arc::new(numbers.collect::<Int64Array>())
        } else if *kind == DataType::UInt8 {
            Arc::new(rows.iter().map(|row| Some(withheld(row).byte())).collect::<UInt8Array>())
        } else if let DataType::Decimal128(precision, scale) = kind {
            let sums: Decimal128Array = numbers.map(|number| number.map(i128::from)).collect();
            Arc::new(sums.with_precision_and_scale(*precision, *scale).unwrap())
        } else {
            Arc::new(Float64Array::from(vec![None; rows.len()]))
        });
    }
    write_part(&RecordBatch::try_new(schema, columns).unwrap()).unwrap()
}

fn sent(federation: &Federation, sql: &str, code: &str, rows: &[Row]) -> Sent {
    let mut sent = federation.cells(code, vec![(part(sql, rows), rows.len() as u64)]);
    let Some(Decision::Answered { releases }) =
        sent.answer.as_mut().map(|answer| &mut answer.decision)
    else {
        panic!("the fixture answers with cells")
    };
    releases[0].suppressed = rows.iter().any(|row| row.2);
    sent.outcome =
        if releases[0].suppressed { Outcome::AnsweredSuppressed } else { Outcome::Answered };
    sent
}

/// The result that an honest gateway computes and labels.
async fn result(sql: &str, countries: &[(&str, &[Row])]) -> RecordBatch {
    let catalogue = Catalogue::builtin();
    let Plan { releases, tail } = plan(sql, &catalogue).unwrap();
    let dataset = catalogue.dataset("seizures").unwrap();
    let read = |(code, rows): &(&str, &[Row])| {
        let cells = read_part(&releases[0], dataset, &part(sql, rows)).unwrap();
        Part { country: code.parse().unwrap(), listed: Listed::All, cells }
    };
    let parts: Vec<_> = countries.iter().map(read).collect();
    tail.run(vec![fold(&releases[0], dataset, &parts).unwrap()]).await.unwrap()
}

fn bytes(batch: &RecordBatch) -> Vec<u8> {
    let metadata = HashMap::from([("mayag.asked".to_owned(), "2".to_owned())]);
    let schema = Arc::new(Schema::new_with_metadata(batch.schema().fields().clone(), metadata));
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema).unwrap();
    writer.write(&batch.clone().with_schema(Arc::clone(&schema)).unwrap()).unwrap();
    writer.finish().unwrap();
    drop(writer);
    bytes
}

/// What comes of a question to both countries after a change to what they sent, with this result.
async fn after(
    sql: &str,
    rows: [&[Row]; 2],
    result: Option<Vec<u8>>,
    change: impl FnOnce(&mut Vec<Sent>),
) -> Result<Option<Table>, RecomputeError> {
    let federation = Federation::asked(Ask::Sql { sql: sql.to_owned() });
    let mut sent = ["kr", "us"]
        .iter()
        .zip(rows)
        .map(|(code, rows)| sent(&federation, sql, code, rows))
        .collect();
    change(&mut sent);
    // The gateway and the countries sign all of it: only the cells can give it away.
    let checked = check(federation.asks(), federation.stream(&sent, result)).unwrap();
    let Checked::Complete { countries, result, no_result, .. } = checked else {
        panic!("{checked:?}")
    };
    let made = match (result, no_result) {
        (Some(table), _) => Made::Table(table),
        (None, Some(why)) => Made::NoTable(why),
        (None, None) => Made::Nothing,
    };
    compare(sql, &Arc::new(Catalogue::builtin()), countries, made).await
}

fn of(code: &str, what: Fault) -> RecomputeError {
    RecomputeError::Verification(VerificationFailed { what, country: Some(code.parse().unwrap()) })
}

fn wrong_result() -> RecomputeError {
    RecomputeError::Verification(VerificationFailed { what: Fault::Result, country: None })
}

#[tokio::test]
async fn an_honest_merge_is_shown_with_what_each_cell_is_worth() {
    let honest = result(SQL, &[("kr", KR), ("us", US)]).await;
    let table = after(SQL, [KR, US], Some(bytes(&honest)), |_| ()).await.unwrap().unwrap();
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["drug", "n", "q"]);
    let column = |i: usize| Arc::clone(table.batch.column(i));
    let words = |i: usize| {
        column(i).as_string::<i32>().iter().flatten().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(words(table.columns[0].value), ["Fentanyl", "Cocaine"]);
    assert_eq!(column(table.columns[1].value).as_primitive::<Int64Type>().values(), &[50, 42]);
    assert_eq!(table.columns[0].status, None);
    assert_eq!(
        words(table.columns[1].status.unwrap()),
        ["partial", "known"],
        "fentanyl is without its Korean part"
    );
    assert_eq!(words(table.columns[2].status.unwrap()), ["partial", "known"]);
    let schema = table.batch.schema();
    assert_eq!(schema.field(table.columns[2].status.unwrap()).name(), "q_status");
}

#[tokio::test]
async fn a_wrong_merge_is_found_although_everything_is_signed() {
    let honest = result(SQL, &[("kr", KR), ("us", US)]).await;
    let forged = |i: usize, column: ArrayRef| {
        let mut columns = honest.columns().to_vec();
        columns[i] = column;
        bytes(&RecordBatch::try_new(honest.schema(), columns).unwrap())
    };
    let without_korea = result(SQL, &[("us", US)]).await;
    let reversed: ArrayRef = Arc::new(StringArray::from(vec!["Cocaine", "Fentanyl"]));
    for (what, result) in [
        ("a count", forged(1, Arc::new(Int64Array::from(vec![50, 43])))),
        ("keys", forged(0, reversed)),
        ("a status", forged(3, Arc::new(StringArray::from(vec!["known", "known"])))),
        ("a country left out", bytes(&without_korea)),
        ("a row left out", bytes(&honest.slice(0, 1))),
        ("a column left out", bytes(&honest.project(&[0, 1]).unwrap())),
        ("garbage", b"garbage".to_vec()),
        ("nothing in it", vec![]),
    ] {
        assert_eq!(after(SQL, [KR, US], Some(result), |_| ()).await, Err(wrong_result()), "{what}");
    }
}

#[tokio::test]
async fn a_table_that_is_missing_or_out_of_nothing_is_found() {
    let too_slow = Err(RecomputeError::NoTable(NoResult::TooSlow));
    assert_eq!(after(SQL, [KR, US], None, |_| ()).await, too_slow);
    let honest = bytes(&result(SQL, &[("kr", KR), ("us", US)]).await);
    let nobody = |sent: &mut Vec<Sent>| {
        *sent = ["kr", "us"].map(|code| Federation::silent(code, Outcome::Unreachable)).into();
    };
    let forged = Federation::asked(Ask::Sql { sql: SQL.to_owned() });
    let silent: Vec<Sent> =
        ["kr", "us"].map(|code| Federation::silent(code, Outcome::Unreachable)).into();
    let checked = check(forged.asks(), forged.stream(&silent, Some(honest)));
    let failed = VerificationFailed { what: Fault::Result, country: None };
    assert_eq!(checked, Err(failed), "a table out of nothing");
    assert_eq!(after(SQL, [KR, US], None, nobody).await, Ok(None));
}

/// The fault after a change to what the United States signed about its cells.
async fn signed(
    change: fn(&mut mayag_protocol::answer::ReleasePart),
) -> Result<Option<Table>, RecomputeError> {
    let honest = bytes(&result(SQL, &[("kr", KR), ("us", US)]).await);
    let change = |sent: &mut Vec<Sent>| {
        let Some(Decision::Answered { releases }) =
            sent[1].answer.as_mut().map(|answer| &mut answer.decision)
        else {
            panic!("the fixture answers with cells")
        };
        change(&mut releases[0]);
        sent[1].outcome = sent[1].answer.as_ref().unwrap().outcome();
    };
    after(SQL, [KR, US], Some(honest), change).await
}

#[tokio::test]
async fn cells_that_are_not_as_signed_or_not_as_asked_are_found() {
    signed(|_| ()).await.unwrap();
    assert_eq!(signed(|part| part.cells = 3).await, Err(of("us", Fault::Cells)));
    assert_eq!(signed(|part| part.suppressed = true).await, Err(of("us", Fault::Cells)));
    let honest = bytes(&result(SQL, &[("kr", KR), ("us", US)]).await);
    let federation = Federation::asked(Ask::Sql { sql: SQL.to_owned() });
    let other = federation.cells("us", vec![(part(BY_COUNTRY, &[("us", 1, false)]), 1)]);
    let swap = |sent: &mut Vec<Sent>, other: Sent| {
        sent[1].answer.as_mut().unwrap().decision = other.answer.unwrap().decision;
        sent[1].parts = other.parts;
    };
    let other_columns = after(SQL, [KR, US], Some(honest.clone()), |sent| swap(sent, other)).await;
    assert_eq!(other_columns, Err(of("us", Fault::Cells)));
    let twice = part(SQL, US);
    let two = federation.cells("us", vec![(twice.clone(), 2), (twice, 2)]);
    assert_eq!(
        after(SQL, [KR, US], Some(honest), |sent| swap(sent, two)).await,
        Err(of("us", Fault::Cells))
    );
}

#[tokio::test]
async fn a_country_that_says_all_and_lists_other_cells_is_found() {
    let lies: [(&str, &[Row]); 4] = [
        ("one missing", &[("Cocaine", 12, false)]),
        ("one more", &[("Cocaine", 12, false), ("Fentanyl", 50, false), ("Khat", 9, false)]),
        ("one twice", &[("Cocaine", 12, false), ("Cocaine", 12, false)]),
        ("another one", &[("Cocaine", 12, false), ("Khat", 9, false)]),
    ];
    for (what, lie) in lies {
        // A gateway that does not look, or that has agreed to it, signs what comes of it.
        let told = result(SQL, &[("kr", KR), ("us", US)]).await;
        let found = after(SQL, [KR, lie], Some(bytes(&told)), |_| ()).await;
        assert_eq!(found, Err(of("us", Fault::Cells)), "{what}");
    }
}

#[tokio::test]
async fn a_country_cannot_speak_in_anothers_name() {
    let rows: [&[Row]; 2] = [&[("kr", 30, false)], &[("kr", 12, false)]];
    let merged = bytes(&result(BY_COUNTRY, &[("kr", rows[0])]).await);
    assert_eq!(after(BY_COUNTRY, rows, Some(merged), |_| ()).await, Err(of("us", Fault::Cells)));
    let rows: [&[Row]; 2] = [&[("kr", 30, false)], &[("us", 12, false)]];
    let merged = bytes(&result(BY_COUNTRY, &[("kr", rows[0]), ("us", rows[1])]).await);
    after(BY_COUNTRY, rows, Some(merged), |_| ()).await.unwrap();
}

#[tokio::test]
async fn answers_to_sql_that_cannot_be_planned_are_not_believed() {
    let federation = Federation::asked(Ask::Sql { sql: "SELECT nonsense(".to_owned() });
    let sent = vec![
        federation.cells("kr", vec![(b"x".to_vec(), 1)]),
        Federation::silent("us", Outcome::TimedOut),
    ];
    let checked = check(federation.asks(), federation.stream(&sent, None)).unwrap();
    let Checked::Complete { countries, .. } = checked else { panic!("{checked:?}") };
    let compared =
        compare("SELECT nonsense(", &Arc::new(Catalogue::builtin()), countries, Made::Nothing)
            .await;
    let plan = VerificationFailed { what: Fault::Plan, country: None };
    assert_eq!(compared, Err(RecomputeError::Verification(plan)));
}
