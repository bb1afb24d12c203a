//! Questions made to crash, to stall, or to slip something past the planner.

use crate::catalogue::catalogue;
use mayag_policies::catalogue::Kind;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_queries::plan;
use mayag_queries::release::{MeasureOf, Release};
use proptest::prelude::Strategy;
use proptest::test_runner::{Config, TestRunner};
use std::fmt::Write as _;
use std::time::Duration;
use tokio::time::Instant;

/// What no question may take, in a debug build on a busy machine.
const LONGEST: Duration = Duration::from_secs(20);

/// What token soup is made of.
const WORDS: &[&str] = &[
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP BY",
    "ORDER BY",
    "HAVING",
    "seizures",
    "labs",
    "region",
    "person_id",
    "officer_note",
    "kg",
    "seized_on",
    "seized_on_month",
    "hour",
    "count(*)",
    "sum(kg)",
    "avg(",
    "min(",
    "(",
    ")",
    ",",
    "AND",
    "OR",
    "NOT",
    "=",
    "<",
    ">=",
    "<>",
    "+",
    "-",
    "*",
    "/",
    "'x'",
    "DATE '2024-01-01'",
    "1",
    "2.5",
    "NULL",
    "IS NULL",
    "IN (1, 2)",
    "BETWEEN 1 AND 2",
    "CASE WHEN",
    "THEN",
    "ELSE",
    "END",
    "AS",
    "t",
    "t.region",
    "UNION ALL",
    "EXCEPT",
    "JOIN",
    "LEFT JOIN",
    "ON",
    "USING (region)",
    "DISTINCT",
    "LIMIT 1",
    "OFFSET 1",
    "WITH t AS (",
    "OVER (",
    "PARTITION BY",
    "FILTER (WHERE",
    "date_trunc('month',",
    "extract(year FROM",
    "CAST(",
    "AS INT)",
    "LIKE 'a%'",
    "EXISTS (",
    "INTERVAL '1 day'",
    "::date",
    "[1]",
    ";",
    "$1",
    "--",
    "/*",
    "*/",
    "ROLLUP (",
    "LATERAL",
    "EXPLAIN",
    "VALUES (1)",
    "'",
    "\"",
    "\u{0}",
    "\u{1F600}",
    "|>",
    "QUALIFY",
    "UNNEST([1])",
    "FETCH FIRST ROW ONLY",
];

fn timed(sql: &str) -> Result<(), Refusal> {
    let start = Instant::now();
    let plan = plan(sql, &catalogue());
    assert!(
        start.elapsed() < LONGEST,
        "{:?} for {}",
        start.elapsed(),
        sql.chars().take(200).collect::<String>()
    );
    plan.map(|plan| plan.releases.iter().for_each(assert_in_the_catalogue))
}

/// Whatever the words were: a release reads levels, sums measures, counts units, and nothing else.
fn assert_in_the_catalogue(release: &Release) {
    let catalogue = catalogue();
    let dataset = catalogue.dataset(release.dataset.as_str()).unwrap();
    let level = |level: &mayag_policies::shape::LevelRef| {
        assert!(dataset.named(level).is_some(), "{level}");
    };
    let shape = release.shape();
    shape.keys.iter().chain(&shape.filters).for_each(level);
    for wire in &release.wire {
        match &wire.of {
            MeasureOf::DistinctUnits | MeasureOf::Rows => {}
            MeasureOf::Max(of) | MeasureOf::Min(of) => level(of),
            MeasureOf::NonNull(column) => {
                assert!(!matches!(dataset.column(column.as_str()).unwrap().kind, Kind::Hidden {}));
            }
            MeasureOf::Pair { x, y, .. } => {
                for of in [x, y] {
                    let kind = &dataset.column(of.column.as_str()).unwrap().kind;
                    assert!(matches!(kind, Kind::Measure { .. }));
                }
            }
            MeasureOf::Sum { column, .. }
            | MeasureOf::SumCentred { column, .. }
            | MeasureOf::SumOfSquares { column, .. } => {
                assert!(matches!(
                    dataset.column(column.as_str()).unwrap().kind,
                    Kind::Measure { .. }
                ));
            }
        }
    }
}

fn too_complex(sql: &str) {
    let refusal = timed(sql).unwrap_err();
    assert_eq!(
        refusal.code,
        Code::TooComplex,
        "{refusal} for {}",
        sql.chars().take(100).collect::<String>()
    );
    assert!(refusal.subject.is_some() && refusal.hint.starts_with("at most"));
}

#[test]
fn oversized_questions_are_refused_with_the_limit() {
    let count = "SELECT count(*) FROM seizures WHERE ";
    too_complex(&format!("{count}{}", vec!["hour = 1"; 5000].join(" OR ")));
    too_complex(&format!("{count}{}", vec!["hour = 1"; 400].join(" OR ")));
    too_complex(&format!("{count}{}hour = 1{}", "(".repeat(10_000), ")".repeat(10_000)));
    too_complex(&format!("{count}{}hour = 1{}", "(".repeat(200), ")".repeat(200)));
    too_complex(&"x".repeat(1 << 20));
    // Few words, many counts: three bins for each, and all their rows.
    let median = |i: usize| format!("median(quantity_g) FILTER (WHERE hour = {i})");
    let medians = (0..70).map(median).collect::<Vec<_>>().join(", ");
    too_complex(&format!("SELECT {medians} FROM seizures"));
    too_complex(&format!("SELECT '{}'", "x".repeat(1 << 20)));
    too_complex(&vec!["SELECT count(*) FROM seizures"; 1000].join(" UNION ALL "));
    too_complex(&format!(
        "SELECT count(*) FROM seizures{}",
        " JOIN seizures USING (region)".repeat(60)
    ));
    too_complex(&format!("SELECT count(*) FROM seizures{}", ", seizures".repeat(60)));
    too_complex(&format!("SELECT {}1", "-".repeat(300).replace('-', "- ")));
    let mut doubling =
        "WITH c0 AS (SELECT region, count(*) AS n FROM seizures GROUP BY region)".to_owned();
    for i in 1..11 {
        write!(doubling, ", c{i} AS (SELECT * FROM c{0} UNION ALL SELECT * FROM c{0})", i - 1)
            .unwrap();
    }
    too_complex(&format!("{doubling} SELECT * FROM c10"));
    let label = ["region"; 10].join(" || ");
    too_complex(&format!("SELECT {label} FROM seizures GROUP BY region"));
    let nested = "WITH a AS (WITH b AS (SELECT region FROM seizures GROUP BY region) SELECT x.region FROM b x, b y, b z, b w)
        SELECT * FROM a q, a r, a s, a t, a u, a v, a w";
    too_complex(nested);
}

#[test]
fn the_largest_questions_within_the_limits_are_planned() {
    let ors = |n: usize| {
        format!("SELECT count(*) FROM seizures WHERE {}", vec!["hour = 1"; n].join(" OR "))
    };
    assert_eq!(timed(&ors(125)), Ok(()));
    let sum = format!("SELECT {} FROM seizures", vec!["count(*)"; 125].join(" + "));
    assert_eq!(timed(&sum), Ok(()));
    let list = vec!["'a longer value than that'"; 500].join(", ");
    assert_eq!(timed(&format!("SELECT count(*) FROM seizures WHERE region IN ({list})")), Ok(()));
    let nots = format!("SELECT count(*) FROM seizures WHERE {} hour = 1", "NOT ".repeat(40));
    assert_eq!(timed(&nots), Ok(()));
    let measures: Vec<_> = (0..200).map(|i| format!("sum(kg) AS s{i}")).collect();
    assert_eq!(timed(&format!("SELECT {} FROM seizures", measures.join(", "))), Ok(()));
    for deep in [200, 240] {
        let _outcome =
            timed(&format!("SELECT count(*) FROM seizures WHERE {} hour = 1", "NOT ".repeat(deep)));
        let _outcome = timed(&format!("SELECT {}1 FROM seizures", "- ".repeat(deep)));
    }
}

#[test]
fn the_largest_tails_run() {
    let catalogue = catalogue();
    let sql = format!("SELECT {} AS x FROM seizures", vec!["count(*)"; 125].join(" + "));
    let plan = plan(&sql, &catalogue).unwrap();
    let merged =
        mayag_queries::merge::fold(&plan.releases[0], catalogue.dataset("seizures").unwrap(), &[])
            .unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    // The caller's own stack is the 2 MiB of a test thread.
    assert_eq!(runtime.block_on(plan.tail.run(vec![merged])).unwrap().num_rows(), 1);
}

#[test]
fn known_tricks_do_not_reach_a_hidden_column_or_a_unit() {
    for sql in [
        "SELECT ascii(substr(officer_note, 1, 1)) AS c1, count(*) AS n FROM seizures GROUP BY 1",
        "SELECT \"officer_note\" FROM seizures GROUP BY \"officer_note\"",
        "SELECT count(*) FROM (SELECT officer_note AS region FROM seizures) WHERE region = 'x'",
        "SELECT region, count(*) FROM seizures s(a, officer_note, region) GROUP BY region HAVING min(officer_note) > 'a'",
        "SELECT sum(CASE WHEN person_id = 'P-0042' THEN kg END) FROM seizures",
        "SELECT region FROM seizures GROUP BY region ORDER BY sum(CASE WHEN person_id = 'P-0042' THEN kg ELSE 0 END)",
        "SELECT count(*) FROM seizures WHERE person_id IN ('P-0042')",
        "SELECT count(*) FROM seizures WHERE (person_id, region) = ('P-0042', 'x')",
        "SELECT count(*) FROM seizures WHERE EXISTS (SELECT 1 FROM seizures b WHERE b.person_id = 'P-0042')",
        "SELECT count(*) FROM seizures QUALIFY rank() OVER (ORDER BY person_id) = 1",
        "SELECT count(DISTINCT CASE WHEN person_id < 'P-1' THEN person_id END) FROM seizures",
        "SELECT max(seizure_id) FROM seizures",
        "SELECT corr(quantity_g, hour) FROM seizures",
        "SELECT approx_percentile_cont(0.5) WITHIN GROUP (ORDER BY person_id) FROM seizures",
        "SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY officer_note) FROM seizures",
        "SELECT median(CASE WHEN person_id = 'P-0042' THEN quantity_g END) FROM seizures",
        "SELECT corr(kg, CASE WHEN person_id = 'P-0042' THEN kg END) FROM seizures",
        "SELECT count(*) FROM seizures TABLESAMPLE (1 ROWS)",
        "SELECT array_agg(officer_note) FROM seizures",
        "FROM seizures |> WHERE person_id = 'P-0042' |> AGGREGATE count(*)",
        "SELECT count(*) FROM seizures PIVOT (count(*) FOR region IN ('a'))",
        "SELECT concat(officer_note, count(*)) FROM seizures GROUP BY officer_note",
        "SELECT count(*) FROM (TABLE seizures)",
        "SELECT count(*) FROM (SELECT person_id AS region FROM seizures) t WHERE region = 'P-0042'",
        "SELECT region, count(*) FROM (SELECT person_id AS region FROM seizures) t GROUP BY region",
        "WITH country AS (SELECT officer_note FROM seizures) SELECT count(*) FROM country GROUP BY officer_note",
        "SELECT min(person_id) FROM seizures GROUP BY region",
        "SELECT string_agg(person_id, ',') FROM seizures",
        "SELECT count(*) FILTER (WHERE officer_note LIKE '%x%') FROM seizures",
        "SELECT count(*) OVER (PARTITION BY person_id) FROM seizures",
        "SELECT seizures FROM seizures",
        "SELECT count(*) FROM seizures GROUP BY (person_id)",
        "SELECT count(*) FROM seizures GROUP BY ALL",
        "SELECT person_id, count(*) FROM seizures GROUP BY ALL",
        "SELECT count(*), kg FROM seizures GROUP BY 2",
        "DECLARE x CURSOR FOR SELECT * FROM seizures",
        "PREPARE p AS SELECT * FROM seizures",
        "SELECT * FROM seizures FOR UPDATE",
    ] {
        match plan(sql, &catalogue()) {
            Err(_) => {}
            Ok(plan) => {
                assert!(
                    matches!(sql, "SELECT count(*) FROM seizures GROUP BY ALL"),
                    "accepted: {sql}"
                );
                plan.releases.iter().for_each(assert_in_the_catalogue);
            }
        }
    }
}

#[test]
fn token_soup_never_panics_and_always_ends() {
    let words = proptest::collection::vec(proptest::sample::select(WORDS), 0..40)
        .prop_map(|words| words.join(" "));
    let started =
        proptest::collection::vec(proptest::sample::select(WORDS), 0..12).prop_map(|words| {
            format!(
                "SELECT region, count(*) AS n FROM seizures {} GROUP BY region",
                words.join(" ")
            )
        });
    let filtered = proptest::collection::vec(proptest::sample::select(WORDS), 1..8)
        .prop_map(|words| format!("SELECT count(*) FROM seizures WHERE {}", words.join(" ")));
    let text = proptest::prop_oneof![words, started, filtered];
    let mut runner =
        TestRunner::new(Config { cases: 600, failure_persistence: None, ..Config::default() });
    runner
        .run(&text, |sql| {
            let _outcome = timed(&sql);
            Ok(())
        })
        .unwrap();
}

#[test]
fn what_repeats_itself_is_planned_in_no_time_and_stays_small() {
    let catalogue = catalogue();
    let began = Instant::now();
    let filter = |condition: &str| {
        let sql = format!("SELECT count(*) AS n FROM seizures WHERE {condition}");
        let plan = plan(&sql, &catalogue)?;
        Ok::<_, Refusal>(serde_json::to_string(&plan.releases[0].filter).unwrap())
    };
    for word in ["UNKNOWN", "NOT UNKNOWN", "TRUE", "NOT TRUE", "FALSE", "NOT FALSE"] {
        let chain = format!("region = 'a'{}", format!(" IS {word}").repeat(100));
        assert!(filter(&chain).unwrap().len() < 2_000, "{word}");
    }
    assert!(filter(&format!("{}region = 'a'", "NOT ".repeat(40))).unwrap().len() < 200);
    // As long as the guard lets it be, and read again by what reads it at a node.
    for operator in ["AND", "OR"] {
        let chain = vec!["hour <> 3"; 120].join(&format!(" {operator} "));
        let json = filter(&chain).unwrap();
        let read: mayag_policies::shape::Predicate = serde_json::from_str(&json).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), json);
    }
    let deep = |depth: usize| {
        let open = "(region = 'a' AND NOT (hour = 3 OR ".repeat(depth);
        filter(&format!("{open}hour = 4{}", "))".repeat(depth)))
    };
    deep(3).unwrap();
    for json in (4..40).filter_map(|depth| deep(depth).ok()) {
        serde_json::from_str::<mayag_policies::shape::Predicate>(&json).unwrap();
    }
    assert!(began.elapsed() < LONGEST, "{:?}", began.elapsed());
}
