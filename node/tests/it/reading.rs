//! Rows of lookup tables, read by a worker of their own.

use crate::engine::{program, settings, setup};
use arrow::array::AsArray as _;
use mayag_node::engine::identifiers::{COLUMNS, IdentifierQuery, MOST_CATEGORIES};
use mayag_node::engine::pool::{Reading, Unread, WorkerPool};
use std::fmt::Write as _;
use std::fs::File;
use tempfile::TempDir;

const ROWS: usize = 20_000;

const SOURCES: &str = r#"
[[sources]]
name = "held"
format = "csv"
path = "held.csv"
columns = [{ name = "n", type = "integer" }]
"#;

/// A pool over a file of rows, and its folder.
async fn pool() -> (TempDir, WorkerPool) {
    let folder = tempfile::tempdir().unwrap();
    let mut text = String::from("n,word\n");
    for n in 0..ROWS {
        writeln!(text, "{n},CANARY-{}", n % 3).unwrap();
    }
    let mut file = File::create(folder.path().join("held.csv")).unwrap();
    std::io::Write::write_all(&mut file, text.as_bytes()).unwrap();
    let settings = settings(folder.path());
    assert_eq!(settings.program, program());
    let pool = WorkerPool::start(settings, setup(SOURCES)).await.unwrap();
    (folder, pool)
}

async fn reading(pool: &WorkerPool, sql: &str) -> Reading {
    let (table, sql) = ("held".parse().unwrap(), sql.to_owned());
    pool.reading(IdentifierQuery { table, sql }).await.unwrap()
}

/// Why the rows of this query are not read.
async fn unread(pool: &WorkerPool, sql: &str) -> Unread {
    let mut reading = reading(pool, sql).await;
    reading.begin().await.unwrap();
    loop {
        match reading.next().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("{sql}"),
            Err(why) => return why,
        }
    }
}

#[tokio::test]
async fn all_rows_come_as_texts_in_portions_and_the_pool_stays_free() {
    let (_folder, pool) = pool().await;
    let sql = "SELECT n AS identifier, word AS category FROM held WHERE n <> 7";
    let mut reading = reading(&pool, sql).await;
    assert_eq!(pool.idle_processes().await.len(), 1, "the workers of questions do not read");
    let categories = reading.categories().await.unwrap();
    let mut words: Vec<_> = categories.column(0).as_string::<i32>().iter().flatten().collect();
    words.sort_unstable();
    assert_eq!(words, ["CANARY-0", "CANARY-1", "CANARY-2"]);
    reading.begin().await.unwrap();
    let (mut rows, mut portions, mut sum) = (0, 0, 0);
    while let Some(portion) = reading.next().await.unwrap() {
        let schema = portion.schema();
        let names: Vec<_> = schema.fields().iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, COLUMNS);
        assert!(portion.num_rows() <= 8_192);
        let identifiers = portion.column(0).as_string::<i32>();
        sum += identifiers.iter().flatten().map(|n| n.parse::<usize>().unwrap()).sum::<usize>();
        assert_eq!(portion.column(1).null_count(), portion.num_rows());
        rows += portion.num_rows();
        portions += 1;
    }
    assert_eq!((rows, sum), (ROWS - 1, ROWS * (ROWS - 1) / 2 - 7));
    assert!(portions > 2);
}

#[tokio::test]
async fn mistakes_and_failures_are_told_in_words_that_quote_no_row() {
    let (_folder, pool) = pool().await;
    for (sql, said) in [
        ("SELECT n FROM held", "lookup table `held`: its SQL has no column `identifier`"),
        ("SELECT nothing AS identifier FROM held", "names a column that its sources do not have"),
        ("SELEKT 1", "is not one SQL query"),
        ("SELECT now() AS identifier", "is not a query that the engine plans"),
        ("DROP TABLE held", "is not a query that the engine plans"),
        ("SELECT CAST(word AS BIGINT) AS identifier FROM held", "a source could not be read"),
        ("SELECT a.n AS identifier FROM held a, held b WHERE a.n < b.n", "the worker broke"),
    ] {
        let why = unread(&pool, sql).await.to_string();
        assert!(why.contains(said) && !why.contains("CANARY"), "{sql}: {why}");
    }
    let many =
        format!("SELECT word AS identifier, n % {} AS category FROM held", MOST_CATEGORIES + 1);
    let why = reading(&pool, &many).await.categories().await.unwrap_err();
    assert_eq!(why.to_string(), "more cells than are judged");
}
