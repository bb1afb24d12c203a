//! A withheld cell stays withheld through the tail, and what depends on it says so.

use crate::catalogue::catalogue;
use arrow::array::{
    Array, ArrayRef, AsArray, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt8Array,
};
use arrow::datatypes::Int64Type;
use arrow::util::display::array_value_to_string;
use mayag_protocol::answer::Listed;
use mayag_queries::merge::{Part, fold, wire_schema};
use mayag_queries::plan;
use mayag_queries::tail::TailError;
use std::sync::Arc;

/// Cells of `region -> count`, with the count withheld where there is none.
const CELLS: &[(&str, Option<i64>)] = &[("a", Some(4)), ("b", None), ("c", Some(10)), ("d", None)];

async fn ask(sql: &str) -> (RecordBatch, u64) {
    let catalogue = catalogue();
    let plan = plan(sql, &catalogue).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    let merged: Vec<_> = plan
        .releases
        .iter()
        .map(|release| {
            let dataset = catalogue.dataset(release.dataset.as_str()).unwrap();
            // Two-key releases hold the cells under `p`, and half of them under `q`.
            let cells: Vec<_> = match release.keys.len() {
                0 => vec![("", "", None)],
                1 => CELLS.iter().map(|(region, n)| (*region, "", *n)).collect(),
                _ => {
                    let q = CELLS.iter().take(2).map(|(region, _)| (*region, "q", Some(1)));
                    CELLS.iter().map(|(region, n)| (*region, "p", *n)).chain(q).collect()
                }
            };
            let mut columns: Vec<ArrayRef> = vec![
                Arc::new(cells.iter().map(|cell| Some(cell.0)).collect::<StringArray>()),
                Arc::new(cells.iter().map(|cell| Some(cell.1)).collect::<StringArray>()),
            ];
            columns.truncate(release.keys.len());
            for _ in &release.wire {
                columns.push(Arc::new(cells.iter().map(|cell| cell.2).collect::<Int64Array>()));
                let status = cells.iter().map(|cell| Some(if cell.2.is_none() { 3 } else { 0 }));
                columns.push(Arc::new(status.collect::<UInt8Array>()));
                columns.push(Arc::new(Float64Array::from(vec![None; cells.len()])));
            }
            let part =
                RecordBatch::try_new(wire_schema(release, dataset).unwrap(), columns).unwrap();
            fold(release, dataset, &[of_kr(part)]).unwrap()
        })
        .collect();
    let result =
        plan.tail.run(merged.clone()).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
    assert_eq!(result, plan.tail.run(merged.clone()).await.unwrap(), "a tail is deterministic");
    (result, plan.tail.undecided(merged).await.unwrap())
}

/// The rows as text: `value` for known, `value~` for partial, `?` for suppressed.
async fn rows(sql: &str) -> String {
    text(sql, &ask(sql).await.0)
}

/// The same of a result.
pub(crate) fn text(sql: &str, result: &RecordBatch) -> String {
    let schema = result.schema();
    let beside = |name: &str| name.ends_with("_status") || name.ends_with("_sd");
    let visible = schema.fields().iter().filter(|field| !beside(field.name())).count();
    let mut rows = Vec::new();
    for row in 0..result.num_rows() {
        let cell = |i: usize| {
            let value = array_value_to_string(result.column(i), row).unwrap();
            let status = result.column_by_name(&format!("{}_status", schema.field(i).name()));
            match status.map(|status| status.as_string::<i32>().value(row)) {
                None | Some("known") => value,
                Some("partial") => format!("{value}~"),
                Some("suppressed") => {
                    assert!(result.column(i).is_null(row), "{sql}");
                    "?".to_owned()
                }
                Some(other) => format!("{value} {other}"),
            }
        };
        rows.push((0..visible).map(cell).collect::<Vec<_>>().join(" "));
    }
    rows.join(", ")
}

const N: &str = "(SELECT region, count(*) AS n FROM seizures GROUP BY region) t";
const TWO: &str =
    "(SELECT region, substance, count(*) AS n FROM seizures GROUP BY region, substance) t";

#[tokio::test]
async fn a_withheld_value_is_never_a_zero() {
    let ask = |columns: &str| format!("SELECT region, {columns} FROM {N} ORDER BY region");
    assert_eq!(rows(&ask("n")).await, "a 4, b ?, c 10, d ?");
    assert_eq!(rows(&ask("coalesce(n, 0) AS n")).await, "a 4, b ?, c 10, d ?");
    assert_eq!(rows(&ask("n IS NULL AS n")).await, "a false, b ?, c false, d ?");
    assert_eq!(
        rows(&ask("n + 1 AS n, region || 'x' AS r")).await,
        "a 5 ax, b ? bx, c 11 cx, d ? dx"
    );
    assert_eq!(
        rows(&ask("CASE WHEN region IN ('a', 'b') THEN n ELSE 0 END AS n")).await,
        "a 4, b ?, c 0, d 0"
    );
    assert_eq!(rows(&ask("CASE WHEN n > 5 THEN 1 ELSE 0 END AS n")).await, "a 0, b ?, c 1, d ?");
}

#[tokio::test]
async fn folds_over_withheld_cells_say_so() {
    assert_eq!(
        rows(&format!("SELECT sum(n) AS s, max(n) AS m, count(n) AS c, count(*) AS k FROM {N}"))
            .await,
        "14~ 10~ 2~ 4~",
        "a group of which everything is withheld may not be there at all"
    );
    assert_eq!(rows(&format!("SELECT sum(n) AS s FROM {N} WHERE region IN ('b', 'd')")).await, "?");
    assert_eq!(
        rows(&format!("SELECT sum(n) AS s FROM {N} WHERE region IN ('a', 'c')")).await,
        "14"
    );
    assert_eq!(
        rows(&format!("SELECT sum(n) FILTER (WHERE region = 'a') AS s FROM {N}")).await,
        "4"
    );
    assert_eq!(rows(&format!("SELECT count(*) FILTER (WHERE n > 5) AS s FROM {N}")).await, "1~");
    assert_eq!(rows(&format!("SELECT sum(n) AS s FROM {N} WHERE region = 'none'")).await, "");
    assert_eq!(
        rows(&format!("SELECT region, sum(n) AS s FROM {TWO} GROUP BY region ORDER BY region"))
            .await,
        "a 5, b 1~, c 10, d ?"
    );
    assert_eq!(
        rows(&format!("SELECT n, count(*) AS k FROM {N} GROUP BY n ORDER BY k, n")).await,
        "4 1, 10 1, ? ?"
    );
    assert_eq!(
        rows(&format!("SELECT DISTINCT n FROM {N} ORDER BY n NULLS LAST")).await,
        "4, 10, ?"
    );
}

#[tokio::test]
async fn windows_carry_statuses() {
    let ask = |columns: &str| format!("SELECT region, {columns} AS w FROM {N} ORDER BY region");
    assert_eq!(rows(&ask("lag(n) OVER (ORDER BY region)")).await, "a , b 4, c ?, d 10");
    assert_eq!(rows(&ask("lead(n, 2, 7) OVER (ORDER BY region)")).await, "a 10, b ?, c 7, d 7");
    assert_eq!(rows(&ask("sum(n) OVER (ORDER BY region)")).await, "a 4, b 4~, c 14~, d 14~");
    assert_eq!(rows(&ask("sum(n) OVER ()")).await, "a 14~, b 14~, c 14~, d 14~");
    assert_eq!(rows(&ask("rank() OVER (ORDER BY n NULLS LAST)")).await, "a 1~, b ?, c 2~, d ?");
    assert_eq!(rows(&ask("row_number() OVER (ORDER BY region)")).await, "a 1~, b 2~, c 3~, d 4~");
    assert_eq!(
        rows(&ask("first_value(n) OVER (ORDER BY region DESC)")).await,
        "a ?, b ?, c ?, d ?"
    );
}

#[tokio::test]
async fn rows_that_a_withheld_cell_decides_are_left_out_and_counted() {
    let (result, undecided) =
        ask("SELECT region FROM seizures GROUP BY region HAVING count(*) > 5").await;
    assert_eq!((result.num_rows(), undecided), (1, 2));
    let (result, undecided) =
        ask(&format!("SELECT region FROM {N} WHERE coalesce(n, 9) > 5 AND region <> 'd'")).await;
    assert_eq!((result.num_rows(), undecided), (1, 1), "a row that is out anyway is not undecided");
    let (result, undecided) = ask(&format!("SELECT region FROM {N} WHERE region <> 'd'")).await;
    assert_eq!(
        (result.num_rows(), undecided),
        (2, 1),
        "nothing in the row says that it may not be there"
    );
    let (_, undecided) = ask(&format!("SELECT region, n FROM {N} WHERE region <> 'd'")).await;
    assert_eq!(undecided, 0);
}

#[tokio::test]
async fn whoever_counts_what_a_filter_left_says_that_something_may_be_missing() {
    let left = format!("(SELECT region, n FROM {N} WHERE n > 5) u");
    assert_eq!(rows(&format!("SELECT count(*) AS k, sum(n) AS s FROM {left}")).await, "1~ 10~");
    assert_eq!(rows(&format!("SELECT region, sum(n) OVER () AS s FROM {left}")).await, "c 10~");
    assert_eq!(rows(&format!("SELECT (SELECT max(n) FROM {left}) AS s")).await, "10~");
    assert_eq!(rows(&format!("SELECT (SELECT n FROM {left}) + 1 AS s")).await, "11~");
    let sure = format!("(SELECT region, n FROM {N} WHERE n > 5 AND region IN ('a', 'c')) u");
    assert_eq!(rows(&format!("SELECT count(*) AS k, sum(n) AS s FROM {sure}")).await, "1 10");
    let twice = format!(
        "WITH a AS (SELECT region, n FROM {N} WHERE n > 5) SELECT x.region FROM a x JOIN a y ON x.region = y.region"
    );
    let (result, undecided) = ask(&twice).await;
    assert_eq!((result.num_rows(), undecided), (1, 2), "what is read twice is counted once");
}

#[tokio::test]
async fn what_is_not_known_comes_last_and_makes_a_limit_doubtful() {
    let by = |order: &str| format!("SELECT region, n FROM {N} ORDER BY {order}");
    assert_eq!(rows(&by("n DESC, region")).await, "c 10, a 4, b ?, d ?");
    assert_eq!(rows(&by("n, region DESC")).await, "a 4, c 10, d ?, b ?");
    let (_, undecided) = ask(&by("n DESC")).await;
    assert_eq!(undecided, 0);
    let (result, undecided) = ask(&format!("{} LIMIT 1", by("n DESC"))).await;
    assert_eq!((result.num_rows(), undecided > 0), (1, true));
    let (_, undecided) =
        ask(&format!("SELECT region FROM {N} WHERE region = 'a' ORDER BY n LIMIT 1")).await;
    assert_eq!(undecided, 0);
}

#[tokio::test]
async fn a_partner_that_may_not_be_there_decides_nothing() {
    let keys = "(SELECT region FROM seizures GROUP BY region)";
    let all = "SELECT column1 AS region FROM (VALUES ('a'), ('b'), ('z')) v";
    let (result, undecided) =
        ask(&format!("{all} EXCEPT SELECT region FROM {keys} k ORDER BY 1")).await;
    assert_eq!(
        format!("{:?}", result.column(0).as_string::<i32>().iter().collect::<Vec<_>>()),
        "[Some(\"z\")]"
    );
    assert_eq!(undecided, 1);
    let (result, undecided) = ask(&format!("{all} INTERSECT SELECT region FROM {keys} k")).await;
    assert_eq!((result.num_rows(), undecided), (1, 1));
    let member = |not: &str| {
        format!(
            "SELECT region, n FROM {N} WHERE region {not} IN (SELECT region FROM {keys} k WHERE region <> 'c') ORDER BY 1"
        )
    };
    assert_eq!(rows(&member("")).await, "a 4");
    assert_eq!(rows(&member("NOT")).await, "c 10");
    assert_eq!(ask(&member("")).await.1, 2);
    let exists =
        |not: &str| format!("SELECT {not} EXISTS (SELECT 1 FROM {N} WHERE region = 'a') AS e");
    assert_eq!(rows(&exists("")).await, "true");
    assert_eq!(rows(&exists("NOT")).await, "false");
}

#[tokio::test]
async fn groupings_are_put_together_with_their_statuses() {
    assert_eq!(
        rows("SELECT region, count(*) AS n, grouping(region) AS g FROM seizures GROUP BY ROLLUP (region) ORDER BY g, region").await,
        "a 4 0, b ? 0, c 10 0, d ? 0,  ? 1"
    );
    assert_eq!(
        rows(&format!("SELECT region, sum(n) AS s FROM {N} GROUP BY GROUPING SETS ((region), ()) ORDER BY 1 NULLS LAST")).await,
        "a 4, b ?, c 10, d ?,  14~"
    );
}

#[tokio::test]
async fn joins_unions_and_subqueries_carry_statuses() {
    let keys = "(SELECT DISTINCT region FROM seizures)";
    assert_eq!(
        rows(&format!("SELECT k.region, t.n FROM {keys} k LEFT JOIN {N} ON k.region = t.region AND t.region <> 'b' ORDER BY 1")).await,
        "a 4, b , c 10, d ?",
        "what an outer join fills in is null, not withheld"
    );
    assert_eq!(
        rows(&format!("SELECT region, n FROM {N} UNION ALL SELECT 'z', 1 ORDER BY 1")).await,
        "a 4, b ?, c 10, d ?, z 1"
    );
    assert_eq!(
        rows(&format!(
            "SELECT region, (SELECT sum(n) FROM {N}) AS s FROM {keys} k WHERE region = 'a'"
        ))
        .await,
        "a 14~"
    );
    assert_eq!(rows("SELECT (SELECT count(*) FROM seizures) AS s").await, "?");
    assert_eq!(rows("SELECT coalesce((SELECT count(*) FROM seizures), 0) + 1 AS s").await, "?");
}

#[tokio::test]
async fn a_join_on_a_measure_leaves_out_what_withheld_cells_would_decide() {
    let of = |join: &str, on: &str| {
        let (a, b) = (N.replace(" t", " a"), N.replace(" t", " b"));
        format!(
            "SELECT a.region AS x, b.region AS y, a.n FROM {a} {join} {b} ON {on} ORDER BY 1, 2"
        )
    };
    for (on, kept, left_out) in [
        ("a.n = b.n", "a a 4, c c 10", 12),
        ("a.region <> b.region AND a.n < b.n", "a c 4", 10),
        ("a.region = b.region AND a.n > 5", "c c 10", 2),
    ] {
        let sql = of("JOIN", on);
        assert_eq!(rows(&sql).await, kept, "{sql}");
        assert_eq!(ask(&sql).await.1, left_out, "{sql}");
        for outer in ["LEFT JOIN", "RIGHT JOIN", "FULL JOIN"] {
            let refusal = plan(&of(outer, on), &catalogue()).unwrap_err();
            assert!(refusal.subject.is_some_and(|of| of.ends_with("join on a measure")), "{on}");
        }
    }
}

#[tokio::test]
async fn a_month_of_several_years_is_partial_where_one_of_them_is_withheld() {
    let catalogue = catalogue();
    let sql = "SELECT extract(month FROM seized_on) AS m, count(*) AS n FROM seizures GROUP BY 1 ORDER BY 1";
    let plan = plan(sql, &catalogue).unwrap();
    let dataset = catalogue.dataset("seizures").unwrap();
    // January, February and March of 2023, then of 2024.
    let months = vec![19_358, 19_389, 19_417, 19_723, 19_754, 19_783];
    let counts = vec![Some(4), None, Some(5), None, None, Some(6)];
    let columns: Vec<ArrayRef> = vec![
        Arc::new(Date32Array::from(months)),
        Arc::new(Int64Array::from(counts.clone())),
        Arc::new(
            counts.iter().map(|n| Some(if n.is_none() { 3 } else { 0 })).collect::<UInt8Array>(),
        ),
        Arc::new(Float64Array::from(vec![None; 6])),
    ];
    let cells = RecordBatch::try_new(wire_schema(&plan.releases[0], dataset).unwrap(), columns);
    let merged = fold(&plan.releases[0], dataset, &[of_kr(cells.unwrap())]).unwrap();
    let result = plan.tail.run(vec![merged]).await.unwrap();
    let cell = |column: usize, row| array_value_to_string(result.column(column), row).unwrap();
    let row = |row| format!("{} {} {}", cell(0, row), cell(1, row), cell(2, row));
    assert_eq!((0..3).map(row).collect::<Vec<_>>(), ["1 4 partial", "2  suppressed", "3 11 known"]);
}

#[tokio::test]
async fn groups_that_are_computed_are_partial_where_a_cell_in_them_is_withheld() {
    let group =
        "CASE WHEN region IN ('a', 'b') THEN 'ab' WHEN region = 'c' THEN 'c' ELSE 'rest' END";
    let sql = format!("SELECT {group} AS g, count(*) AS n FROM seizures GROUP BY 1 ORDER BY 1");
    assert_eq!(rows(&sql).await, "ab 4~, c 10, rest ?");
    let sql = "SELECT count(DISTINCT region) AS r, count(*) AS n FROM seizures";
    assert_eq!(rows(sql).await, "2~ ?", "of four regions, two of which may be there");
    let sql =
        "SELECT region, count(DISTINCT substance) AS s FROM seizures GROUP BY region ORDER BY 1";
    assert_eq!(rows(sql).await, "a 2, b 1~, c 1, d ?");
}

#[tokio::test]
async fn codes_of_countries_are_read_in_either_case_above_a_release_as_below() {
    for sql in [
        "SELECT country, count(*) AS n FROM seizures WHERE country = 'KR' GROUP BY country",
        "SELECT country, count(*) AS n FROM seizures GROUP BY country HAVING country = 'KR'",
        "SELECT c AS country, n FROM (SELECT country AS c, count(*) AS n FROM seizures GROUP BY 1) t WHERE c IN ('NL', 'KR')",
        "SELECT c AS country, sum(n) FILTER (WHERE c = 'KR') AS n FROM (SELECT DISTINCT country AS c, 1 AS n FROM seizures) t GROUP BY c ORDER BY 1",
        "SELECT a.country FROM (SELECT country, count(*) AS n FROM seizures GROUP BY 1) a JOIN (SELECT country FROM labs GROUP BY 1) b ON a.country = b.country AND a.country = 'KR'",
    ] {
        let plan = plan(sql, &catalogue()).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
        let said = format!("{:?} {:?}", plan.releases, plan.tail);
        assert!(said.contains("\"kr\"") && !said.contains("\"KR\")"), "{sql}: {said}");
    }
}

#[tokio::test]
async fn a_cross_join_of_many_cells_does_not_start() {
    let catalogue = catalogue();
    let sql =
        format!("SELECT count(*) AS n FROM {}, {}", N.replace(" t", " a"), N.replace(" t", " b"));
    let plan = plan(&sql, &catalogue).unwrap();
    let dataset = catalogue.dataset("seizures").unwrap();
    let cells = |rows: usize| {
        let columns: Vec<ArrayRef> = vec![
            Arc::new((0..rows).map(|i| Some(i.to_string())).collect::<StringArray>()),
            Arc::new(Int64Array::from(vec![1; rows])),
            Arc::new(UInt8Array::from(vec![0; rows])),
            Arc::new(Float64Array::from(vec![None; rows])),
        ];
        let part = RecordBatch::try_new(wire_schema(&plan.releases[0], dataset).unwrap(), columns)
            .unwrap();
        vec![fold(&plan.releases[0], dataset, &[of_kr(part)]).unwrap()]
    };
    let few = plan.tail.run(cells(100)).await.unwrap();
    assert_eq!(few.column(0).as_primitive::<Int64Type>().value(0), 10_000);
    assert_eq!(plan.tail.run(cells(10_000)).await, Err(TailError::TooManyRows));
}

fn of_kr(cells: RecordBatch) -> Part {
    Part { country: "kr".parse().unwrap(), listed: Listed::All, cells }
}

#[tokio::test]
async fn an_error_of_the_tail_quotes_nothing() {
    let catalogue = catalogue();
    let plan = plan(
        "SELECT 1 / (count(*) - count(*)) AS x, CAST(min(region) AS INT) AS y FROM seizures",
        &catalogue,
    )
    .unwrap();
    let dataset = catalogue.dataset("seizures").unwrap();
    let merged = fold(&plan.releases[0], dataset, &[]).unwrap();
    let error = plan.tail.run(vec![merged]).await.unwrap_err();
    assert_eq!(error.to_string(), "the question divides by zero; `nullif(.., 0)` makes it null");
    plan.tail.run(Vec::new()).await.unwrap_err();
}

/// What a question comes to if a country lists `a` and `c` alone, and whether it says that these are all.
async fn listed(sql: &str, listed: Listed) -> Vec<String> {
    let catalogue = catalogue();
    let plan = plan(sql, &catalogue).unwrap();
    let merged = plan.releases.iter().map(|release| {
        let dataset = catalogue.dataset(release.dataset.as_str()).unwrap();
        let columns: Vec<ArrayRef> = vec![
            Arc::new(StringArray::from(vec!["a", "c"])),
            Arc::new(Int64Array::from(vec![4, 10])),
            Arc::new(UInt8Array::from(vec![0, 0])),
            Arc::new(Float64Array::from(vec![None, None])),
        ];
        let part = RecordBatch::try_new(wire_schema(release, dataset).unwrap(), columns).unwrap();
        fold(release, dataset, &[Part { listed, ..of_kr(part) }]).unwrap()
    });
    let result = plan.tail.run(merged.collect()).await.unwrap();
    let status = result.column_by_name("n_status").unwrap().as_string::<i32>();
    status.iter().flatten().map(str::to_owned).collect()
}

#[tokio::test]
async fn what_is_added_up_from_cells_that_are_not_all_listed_is_partial() {
    for sql in [
        "SELECT sum(n) AS n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t",
        "SELECT upper('x') AS x, sum(n) AS n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t GROUP BY 1",
    ] {
        assert_eq!(listed(sql, Listed::All).await, ["known"], "{sql}");
        assert_eq!(listed(sql, Listed::Shown).await, ["partial"], "{sql}");
    }
    // The cells themselves are what they are.
    let cells = "SELECT region, count(*) AS n FROM seizures GROUP BY region ORDER BY region";
    assert_eq!(listed(cells, Listed::Shown).await, ["known", "known"]);
    let share = "SELECT region, sum(n) OVER () AS n FROM (SELECT region, count(*) AS n FROM seizures GROUP BY region) t";
    assert_eq!(listed(share, Listed::Shown).await, ["partial", "partial"]);
}
