//! What is computed from keys is null where it is not defined: a country lists groups that have no rows.

use crate::catalogue::catalogue;
use crate::statuses::text;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, UInt8Array};
use mayag_protocol::answer::Listed;
use mayag_queries::merge::{Part, fold, wire_schema};
use mayag_queries::plan;
use std::sync::Arc;

/// The rows of a question about seizures by hour, of which midnight has none.
async fn by_hour(sql: &str) -> String {
    let catalogue = catalogue();
    let plan = plan(sql, &catalogue).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    let [release] = plan.releases.as_slice() else { panic!("{sql}: one release") };
    let dataset = catalogue.dataset("seizures").unwrap();
    let mut columns: Vec<ArrayRef> = vec![Arc::new(Int64Array::from(vec![0, 5, 10, 20]))];
    for _ in &release.wire {
        columns.push(Arc::new(Int64Array::from(vec![None, Some(4), Some(6), Some(7)])));
        columns.push(Arc::new(UInt8Array::from(vec![3, 0, 0, 0])));
        columns.push(Arc::new(Float64Array::from(vec![None; 4])));
    }
    let cells = RecordBatch::try_new(wire_schema(release, dataset).unwrap(), columns).unwrap();
    let part = Part { country: "kr".parse().unwrap(), listed: Listed::All, cells };
    let folded = fold(release, dataset, &[part]).unwrap();
    let result = plan.tail.run(vec![folded]).await;
    text(sql, &result.unwrap_or_else(|error| panic!("{sql}: {error}")))
}

#[tokio::test]
async fn a_computed_group_that_has_no_rows_fails_nothing() {
    let by = |key: &str| {
        format!("SELECT {key} AS k, count(*) AS n FROM seizures GROUP BY 1 ORDER BY 1 NULLS LAST")
    };
    for (key, rows) in [
        ("100 / hour", "5 7, 10 6, 20 4,  ?"),
        ("7 % hour", "2 4, 7 13,  ?"),
        ("coalesce(cast(100 / hour AS varchar), 'none')", "10 6, 20 4, 5 7,  ?"),
        ("CASE WHEN hour > 0 THEN 100 / hour ELSE 0 END", "0 ?, 5 7, 10 6, 20 4"),
        ("make_date(2024, hour, 1)", "2024-05-01 4, 2024-10-01 6,  7~"),
        ("cast(cast(hour AS varchar) || 'x' AS int)", " 17~"),
        ("hour - 5", "-5 ?, 0 4, 5 6, 15 7"),
    ] {
        assert_eq!(by_hour(&by(key)).await, rows, "{key}");
    }
}

#[tokio::test]
async fn nor_does_what_is_computed_from_its_keys() {
    for (sql, rows) in [
        (
            "SELECT hour, 100 / hour AS k, count(*) AS n FROM seizures GROUP BY hour ORDER BY 100 / hour, hour",
            "20 5 7, 10 10 6, 5 20 4, 0  ?",
        ),
        (
            "SELECT hour, count(*) AS n FROM seizures GROUP BY hour HAVING 100 / hour > 5 ORDER BY 1",
            "5 4, 10 6",
        ),
        (
            "SELECT 100 / hour AS k, sum(n) AS n FROM (SELECT hour, count(*) AS n FROM seizures GROUP BY hour) t GROUP BY 1 ORDER BY 1",
            "5 7, 10 6, 20 4,  ?",
        ),
        (
            "SELECT (SELECT 100) / hour AS k, count(*) AS n FROM seizures GROUP BY hour ORDER BY 2, 1",
            "20 4, 10 6, 5 7,  ?",
        ),
    ] {
        assert_eq!(by_hour(sql).await, rows, "{sql}");
    }
}

#[test]
fn what_is_defined_for_no_row_is_refused() {
    let sql = "SELECT cast('x' AS int) + hour AS k, count(*) AS n FROM seizures GROUP BY 1";
    plan(sql, &catalogue()).unwrap_err();
}
