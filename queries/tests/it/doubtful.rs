//! What partial values decide is in doubt, and so is what depends on cells that nobody lists; the answer says so.

use crate::catalogue::catalogue;
use crate::statuses::text;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array};
use mayag_protocol::answer::Listed;
use mayag_queries::merge::{Part, fold, wire_schema};
use mayag_queries::plan;
use std::sync::Arc;

/// What one country says of a release with one key: whether that is all, and the counts; none is withheld.
type Said = (&'static str, Listed, &'static [(&'static str, Option<i64>)]);

/// `b` is partial, and `d` withheld.
const PARTIAL: &[Said] = &[
    ("kr", Listed::All, &[("a", Some(40)), ("b", Some(7)), ("c", Some(10)), ("d", None)]),
    ("nl", Listed::All, &[("a", Some(1)), ("b", None), ("c", Some(2)), ("d", None)]),
];

const THREE: &[Said] = &[("kr", Listed::All, &[("a", Some(4)), ("b", Some(5)), ("c", Some(10))])];

/// Of more than these nobody knows whether they are there.
const SHOWN: &[Said] = &[("kr", Listed::Shown, &[("a", Some(8))])];

const ALL: &[Said] = &[("kr", Listed::All, &[("a", Some(8))])];

const N: &str = "(SELECT region, count(*) AS n FROM seizures GROUP BY region) t";

/// Asked of seizures by region and laboratories by product. By another key as well, all have `x`, and not all is listed.
struct Asked {
    rows: String,
    undecided: u64,
    unplaced: u64,
}

async fn ask(sql: &str, seizures: &[Said], labs: &[Said]) -> Asked {
    let catalogue = catalogue();
    let plan = plan(sql, &catalogue).unwrap_or_else(|refusal| panic!("{sql}: {refusal}"));
    let merged = plan.releases.iter().map(|release| {
        let dataset = catalogue.dataset(release.dataset.as_str()).unwrap();
        let said = if release.dataset.as_str() == "labs" { labs } else { seizures };
        let parts = said.iter().map(|(country, listed, cells)| {
            let mut columns: Vec<ArrayRef> =
                vec![Arc::new(cells.iter().map(|cell| Some(cell.0)).collect::<StringArray>())];
            let finer = release.keys.len() > 1;
            if finer {
                columns.push(Arc::new(StringArray::from(vec!["x"; cells.len()])));
            }
            for _ in &release.wire {
                columns.push(Arc::new(cells.iter().map(|cell| cell.1).collect::<Int64Array>()));
                let status = cells.iter().map(|cell| Some(if cell.1.is_none() { 3 } else { 0 }));
                columns.push(Arc::new(status.collect::<UInt8Array>()));
                columns.push(Arc::new(Float64Array::from(vec![None; cells.len()])));
            }
            let cells = RecordBatch::try_new(wire_schema(release, dataset).unwrap(), columns);
            let listed = if finer { Listed::Shown } else { *listed };
            Part { country: country.parse().unwrap(), listed, cells: cells.unwrap() }
        });
        fold(release, dataset, &parts.collect::<Vec<_>>()).unwrap()
    });
    let merged: Vec<_> = merged.collect();
    let result = plan.tail.run(merged.clone()).await;
    let result = result.unwrap_or_else(|error| panic!("{sql}: {error}"));
    Asked {
        rows: text(sql, &result),
        undecided: plan.tail.undecided(merged.clone()).await.unwrap(),
        unplaced: plan.tail.unplaced(merged).await.unwrap(),
    }
}

/// The rows, and how many are in doubt.
async fn decided(sql: &str, seizures: &[Said], labs: &[Said]) -> (String, u64) {
    let asked = ask(sql, seizures, labs).await;
    (asked.rows, asked.undecided)
}

fn told(rows: &str, undecided: u64) -> (String, u64) {
    (rows.to_owned(), undecided)
}

#[tokio::test]
async fn rows_that_a_partial_value_decides_about_are_in_doubt() {
    let by = |condition: &str| format!("SELECT region, n FROM {N} WHERE {condition} ORDER BY 1");
    for (condition, rows, undecided) in [
        ("n > 5", "a 41, b 7~, c 12", 2),
        ("n > 8", "a 41, c 12", 2),
        ("n > 8 AND region <> 'b'", "a 41, c 12", 1),
        ("n > 8 AND region IN ('a', 'c')", "a 41, c 12", 0),
        ("CASE WHEN region = 'b' THEN n > 8 ELSE true END AND region <> 'd'", "a 41, c 12", 1),
    ] {
        let sql = by(condition);
        assert_eq!(decided(&sql, PARTIAL, ALL).await, told(rows, undecided), "{condition}");
    }
    let having = "SELECT region FROM seizures GROUP BY region HAVING count(*) > 8 ORDER BY 1";
    assert_eq!(decided(having, PARTIAL, ALL).await, told("a, c", 2));
    let total = |condition: &str| {
        format!("SELECT sum(n) AS s, count(*) AS k FROM (SELECT * FROM {N} WHERE {condition}) u")
    };
    let of_two = decided(&total("n > 8 AND region <> 'd'"), PARTIAL, ALL).await;
    assert_eq!(of_two, told("53~ 2~", 1), "a row may be missing from the sum");
    let of_two = decided(&total("n > 8 AND region IN ('a', 'c')"), PARTIAL, ALL).await;
    assert_eq!(of_two, told("53 2", 0));
}

#[tokio::test]
async fn places_that_a_partial_value_decides_are_in_doubt() {
    let by = |rest: &str| format!("SELECT region, n FROM {N} WHERE {rest}");
    let ordered = ask(&by("true ORDER BY n DESC"), PARTIAL, ALL).await;
    assert_eq!((&*ordered.rows, ordered.unplaced), ("a 41, c 12, b 7~, d ?", 2));
    for (rest, rows, undecided) in [
        ("region <> 'd' ORDER BY n DESC LIMIT 2", "a 41, c 12", 1),
        ("region <> 'd' ORDER BY n DESC LIMIT 3", "a 41, c 12, b 7~", 0),
        ("region <> 'd' ORDER BY n DESC LIMIT 3 OFFSET 1", "c 12, b 7~", 1),
        ("region IN ('a', 'c') ORDER BY n LIMIT 1", "c 12", 0),
        ("region <> 'd' ORDER BY region LIMIT 2", "a 41, b 7~", 0),
    ] {
        assert_eq!(decided(&by(rest), PARTIAL, ALL).await, told(rows, undecided), "{rest}");
    }
    let total = format!("SELECT sum(n) AS s FROM ({}) u", by("region <> 'd' ORDER BY n LIMIT 2"));
    assert_eq!(decided(&total, PARTIAL, ALL).await, told("19~", 1));
}

#[tokio::test]
async fn pairs_that_a_partial_value_decides_about_are_in_doubt() {
    let (a, b) = (N.replace(" t", " a"), N.replace(" t", " b"));
    let sql = format!(
        "SELECT a.region AS x, b.region AS y FROM {a} JOIN {b} ON a.n < b.n AND a.region <> 'd' AND b.region <> 'd' ORDER BY 1, 2"
    );
    assert_eq!(decided(&sql, PARTIAL, ALL).await, told("b a, b c, c a", 5));
}

#[tokio::test]
async fn a_partner_that_may_be_there_unlisted_leaves_it_open() {
    let labs = "SELECT product FROM labs GROUP BY product";
    let member = |not: &str| {
        format!("SELECT region, n FROM {N} WHERE region {not} IN ({labs}) ORDER BY region")
    };
    let met = format!("SELECT t.region, t.n FROM ({labs}) l JOIN {N} ON t.region = l.product");
    let of_both = |word: &str| format!("SELECT region FROM {N} {word} {labs} ORDER BY 1");
    for (sql, rows) in [
        (member(""), "a 4"),
        (member("NOT"), "b 5, c 10"),
        (of_both("INTERSECT"), "a"),
        (of_both("EXCEPT"), "b, c"),
        (met, "a 4"),
    ] {
        assert_eq!(decided(&sql, THREE, SHOWN).await, told(rows, 2), "{sql}");
        assert_eq!(decided(&sql, THREE, ALL).await, told(rows, 0), "{sql}");
    }
    let exists = format!(
        "SELECT region FROM {N} WHERE EXISTS (SELECT 1 FROM ({labs}) l WHERE product = 'z')"
    );
    assert_eq!(decided(&exists, THREE, SHOWN).await, told("", 3));
    assert_eq!(decided(&exists, THREE, ALL).await, told("", 0));
}

#[tokio::test]
async fn what_an_outer_join_fills_in_is_withheld_where_the_partner_may_be_unlisted() {
    let labs = "(SELECT product, count(*) AS m FROM labs GROUP BY product) l";
    let left = |columns: &str, rest: &str| {
        format!(
            "SELECT t.region, {columns} FROM {N} LEFT JOIN {labs} ON t.region = l.product {rest} ORDER BY 1"
        )
    };
    let sql = left("m, coalesce(m, 0) AS z", "");
    assert_eq!(decided(&sql, THREE, SHOWN).await, told("a 8 8, b ? ?, c ? ?", 0));
    assert_eq!(decided(&sql, THREE, ALL).await, told("a 8 8, b  0, c  0", 0));
    let full = format!(
        "SELECT coalesce(region, product) AS k, n, m FROM {N} FULL JOIN {labs} ON t.region = l.product ORDER BY 1"
    );
    assert_eq!(decided(&full, SHOWN, THREE).await, told("a 8 4, b ? 5, c ? 10", 0));
    let filtered = format!(
        "SELECT t.region, m FROM {N} LEFT JOIN (SELECT * FROM {labs} WHERE m > 8) l ON t.region = l.product ORDER BY 1"
    );
    assert_eq!(decided(&filtered, THREE, PARTIAL).await, told("a 41, b ~, c 12", 2));
}

#[tokio::test]
async fn whether_an_outer_join_found_a_partner_is_in_doubt_where_it_may_be_unlisted() {
    let labs = "(SELECT product, count(*) AS m FROM labs GROUP BY product)";
    let joined = |columns: &str, rest: &str| {
        format!(
            "SELECT t.region{columns} FROM {N} LEFT JOIN {labs} l ON t.region = l.product {rest} ORDER BY 1"
        )
    };
    for (sql, shown, all) in [
        (joined("", "WHERE l.product IS NULL"), told("b, c", 2), told("b, c", 0)),
        (joined("", "WHERE l.product IS NOT NULL"), told("a", 2), told("a", 0)),
        (
            joined(", l.product IS NULL AS new", ""),
            told("a false, b true~, c true~", 0),
            told("a false, b true, c true", 0),
        ),
    ] {
        assert_eq!(decided(&sql, THREE, SHOWN).await, shown, "{sql}");
        assert_eq!(decided(&sql, THREE, ALL).await, all, "{sql}");
    }
    // A partner of which all is withheld may not be there at all.
    let sql = joined("", "WHERE l.product IS NULL");
    assert_eq!(decided(&sql, THREE, &[("kr", Listed::All, &[("a", None)])]).await, told("b, c", 1));
    let distinct = format!(
        "SELECT region, k FROM (SELECT DISTINCT t.region, l.product AS k FROM {N} LEFT JOIN {labs} l ON t.region = l.product) d WHERE k IS NULL ORDER BY 1"
    );
    assert_eq!(decided(&distinct, THREE, SHOWN).await, told("b , c ", 2));
}

#[tokio::test]
async fn levels_that_are_counted_apart_leave_no_doubt_about_other_sums() {
    let counted =
        "SELECT region, count(*) AS n, count(DISTINCT route) AS r FROM seizures GROUP BY region";
    let sql = format!("{counted} ORDER BY 1");
    assert_eq!(decided(&sql, THREE, ALL).await, told("a 4 1~, b 5 1~, c 10 1~", 0));
    let sql = format!("SELECT sum(n) AS n, sum(r) AS r FROM ({counted}) t");
    assert_eq!(decided(&sql, THREE, ALL).await, told("19 3~", 0));
    assert_eq!(decided(&sql, SHOWN, ALL).await, told("8~ 1~", 0));
}
