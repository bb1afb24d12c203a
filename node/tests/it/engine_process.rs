//! What a worker process may not do: read what it must not, use too much, take too long, or take the node with it.

use crate::engine::{
    Bench, OPEN, Row, SOURCES, is, level, measure, release, rows, settings, setup, write_parquet,
};
use arrow::array::{Array, AsArray};
use arrow::datatypes::Int64Type;
use mayag_disclosure::{Protections, protect};
use mayag_node::engine::WorkFailure;
use mayag_node::engine::check::Finding;
use mayag_node::engine::pool::{Job, PoolError, WorkerPool};
use mayag_policies::catalogue::Number;
use mayag_policies::shape::{Grain, Predicate};
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::path::Path;
use std::time::Duration;
use tokio::time::Instant;

fn rows_by_drug(dataset: &str) -> Release {
    release(
        dataset,
        &[level("drug", None)],
        Predicate::everything(),
        vec![measure(MeasureOf::Rows)],
    )
}

fn counts(cells: &mayag_node::engine::cells::RawCells) -> Vec<(Option<String>, i64)> {
    let batch = cells.to_batch().unwrap();
    let keys = batch.column_by_name("k0").unwrap().as_string::<i32>().clone();
    let counts = batch.column_by_name("m0").unwrap().as_primitive::<Int64Type>().clone();
    (0..batch.num_rows())
        .map(|row| (keys.is_valid(row).then(|| keys.value(row).to_owned()), counts.value(row)))
        .collect()
}

#[tokio::test]
async fn rows_that_the_policy_withholds_are_never_counted() {
    let visits = rows(1, 900, Some(50));
    let bench = Bench::new(&rows(2, 900, None), &visits, |_| {}).await;
    let all = bench.run(&rows_by_drug("visits"), &Predicate::everything()).await.unwrap();
    let some = bench.run(&rows_by_drug("visits"), &is("drug", "heroin")).await.unwrap();
    assert_eq!(counts(all.cells()).len(), 6);
    let heroin = visits.iter().filter(|row| row.drug.as_deref() == Some("heroin")).map(|_| 1).sum();
    assert_eq!(counts(some.cells()), [(Some("heroin".to_owned()), heroin)]);
    // A condition of the question cannot bring them back.
    let mut either = rows_by_drug("visits");
    either.filter =
        Predicate::Any(vec![is("drug", "meth"), Predicate::IsNull { level: level("drug", None) }]);
    let none = bench.run(&either, &is("drug", "heroin")).await.unwrap();
    assert_eq!(counts(none.cells()), []);
}

#[tokio::test]
async fn hidden_and_unknown_columns_cannot_be_named() {
    let bench = Bench::new(&rows(1, 90, None), &rows(2, 90, Some(9)), |_| {}).await;
    let column = |name: &str| name.parse().unwrap();
    for name in ["secret", "nothing"] {
        let releases = [
            release(
                "incidents",
                &[level(name, None)],
                Predicate::everything(),
                vec![measure(MeasureOf::Rows)],
            ),
            release("incidents", &[], is(name, "canary-1"), vec![measure(MeasureOf::Rows)]),
            release(
                "incidents",
                &[],
                Predicate::everything(),
                vec![measure(MeasureOf::NonNull(column(name)))],
            ),
            release(
                "incidents",
                &[],
                Predicate::everything(),
                vec![measure(MeasureOf::Max(level(name, None)))],
            ),
            release(
                "incidents",
                &[],
                Predicate::everything(),
                vec![measure(MeasureOf::Sum { column: column(name), number: Number::Integer })],
            ),
        ];
        for release in releases {
            let failure = bench.run(&release, &Predicate::everything()).await.unwrap_err();
            assert_eq!(failure, WorkFailure::Broken, "{release:?}");
        }
    }
    // Units are counted, never grouped by or compared.
    let by_unit = release(
        "incidents",
        &[level("unit", None)],
        Predicate::everything(),
        vec![measure(MeasureOf::Rows)],
    );
    assert_eq!(
        bench.run(&by_unit, &Predicate::everything()).await.unwrap_err(),
        WorkFailure::Broken
    );
    bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await.unwrap();
}

#[tokio::test]
async fn a_measure_with_a_filter_needs_units_of_its_own_and_outside_it() {
    let visits = rows(5, 3_000, Some(500));
    let bench = Bench::new(&rows(2, 9, None), &visits, |_| {}).await;
    let protections = Protections::exact(10, 10);
    let with = |filter: Predicate| WireMeasure { of: MeasureOf::Rows, filter: Some(filter) };
    let suppressed = async |filter: Predicate| {
        let release = release(
            "visits",
            &[],
            Predicate::everything(),
            vec![measure(MeasureOf::Rows), with(filter)],
        );
        let protected =
            bench.run_under(&release, &Predicate::everything(), protections).await.unwrap();
        let batch = protected.cells().to_batch().unwrap();
        assert!(batch.column_by_name("m0").unwrap().is_valid(0));
        batch.column_by_name("m1").unwrap().is_null(0)
    };
    let meth = is("drug", "meth");
    assert!(!suppressed(meth.clone()).await);
    assert!(suppressed(is("drug", "nothing")).await, "nobody is inside");
    assert!(suppressed(Predicate::everything()).await, "nobody is outside");
}

#[tokio::test]
async fn the_scan_limit_counts_what_passes_the_barrier() {
    let bench = Bench::new(&rows(1, 2_000, None), &rows(2, 90, Some(9)), |settings| {
        settings.scan_rows = 1_000;
    })
    .await;
    let all = bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await;
    assert_eq!(all.unwrap_err(), WorkFailure::ScanLimit);
    let some = bench.run(&rows_by_drug("incidents"), &is("drug", "heroin")).await;
    some.expect("rows below the barrier are not counted");
}

#[tokio::test]
async fn a_release_that_needs_too_much_memory_fails_and_the_next_one_works() {
    let visits: Vec<Row> = rows(3, 60_000, Some(50_000));
    let bench = Bench::new(&rows(1, 90, None), &visits, |settings| {
        settings.memory = 1 << 20;
    })
    .await;
    let keys = [level("day", Some(Grain::Day)), level("code", None), level("drug", None)];
    let large =
        release("visits", &keys, Predicate::everything(), vec![measure(MeasureOf::DistinctUnits)]);
    assert_eq!(bench.run(&large, &Predicate::everything()).await.unwrap_err(), WorkFailure::Memory);
    bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await.unwrap();
}

#[tokio::test]
async fn a_sum_that_does_not_fit_fails() {
    let mut incidents = rows(1, 10, None);
    for row in &mut incidents {
        row.pieces = Some(i64::MAX / 2);
    }
    let bench = Bench::new(&incidents, &rows(2, 9, Some(3)), |_| {}).await;
    let sum = MeasureOf::Sum { column: "pieces".parse().unwrap(), number: Number::Integer };
    let sum = release("incidents", &[], Predicate::everything(), vec![measure(sum)]);
    assert_eq!(bench.run(&sum, &Predicate::everything()).await.unwrap_err(), WorkFailure::Overflow);
}

/// A release that takes seconds.
fn slow(folder: &Path) {
    let rows = rows(9, 100_000, Some(90_000));
    let first = folder.join("repeated/more-0.parquet");
    write_parquet(&first, &rows);
    for i in 1..80 {
        std::fs::copy(&first, folder.join(format!("repeated/more-{i}.parquet"))).unwrap();
    }
}

fn slow_release() -> Release {
    let keys = [level("day", Some(Grain::Day)), level("drug", None)];
    release("visits", &keys, Predicate::everything(), vec![measure(MeasureOf::DistinctUnits)])
}

async fn until_idle(bench: &Bench) -> u32 {
    loop {
        if let Some(process) = bench.pool.idle_processes().await.first() {
            return *process;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn alive(process: u32) -> bool {
    std::fs::read_to_string(format!("/proc/{process}/stat"))
        .is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_worker_is_killed_at_the_deadline_and_when_the_caller_goes_away() {
    let bench = Bench::new(&rows(1, 90, None), &rows(2, 90, Some(9)), |_| {}).await;
    slow(bench.folder.path());
    let job = Job::new(slow_release(), Predicate::everything(), OPEN);
    let first = until_idle(&bench).await;
    let began = Instant::now();
    let failure =
        bench.pool.run(job.clone(), began + Duration::from_millis(300)).await.unwrap_err();
    assert_eq!(failure, WorkFailure::TimedOut);
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    let second = until_idle(&bench).await;
    assert!(first != second && !alive(first));
    let gone = bench.pool.run(job, began + Duration::from_mins(5));
    tokio::time::timeout(Duration::from_millis(300), gone).await.unwrap_err();

    let third = until_idle(&bench).await;
    assert!(second != third && !alive(second));
    bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await.unwrap();
}

#[tokio::test]
async fn a_worker_that_is_killed_costs_one_job_and_no_more() {
    let bench = Bench::new(&rows(1, 90, None), &rows(2, 90, Some(9)), |_| {}).await;
    slow(bench.folder.path());
    let process = until_idle(&bench).await;
    let job = Job::new(slow_release(), Predicate::everything(), OPEN);
    let run = bench.pool.run(job, Instant::now() + Duration::from_mins(5));
    let kill = async {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let status =
            std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
        assert!(status.success());
    };
    let (failure, ()) = tokio::join!(run, kill);
    assert_eq!(failure.unwrap_err(), WorkFailure::Broken);
    bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await.unwrap();

    // One that dies while it waits for work costs nothing.
    let process = until_idle(&bench).await;
    std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    bench.run(&rows_by_drug("incidents"), &Predicate::everything()).await.unwrap();
}

#[tokio::test]
async fn a_busy_pool_answers_in_time_that_it_is_busy() {
    // Enough that the time ends before the memory does, on a fast machine too.
    let bench = Bench::new(&rows(1, 90, None), &rows(2, 90, Some(9)), |settings| {
        settings.memory = 4 << 30;
    })
    .await;
    slow(bench.folder.path());
    let job = |release| Job::new(release, Predicate::everything(), OPEN);
    let long = bench.pool.run(job(slow_release()), Instant::now() + Duration::from_millis(900));
    let short = async {
        tokio::time::sleep(Duration::from_millis(50)).await;
        bench
            .pool
            .run(job(rows_by_drug("incidents")), Instant::now() + Duration::from_millis(200))
            .await
    };
    let (long, short) = tokio::join!(long, short);
    assert_eq!(
        (long.unwrap_err(), short.unwrap_err()),
        (WorkFailure::TimedOut, WorkFailure::TimedOut)
    );
}

#[tokio::test]
async fn workers_end_with_the_pool() {
    let bench = Bench::new(&rows(1, 90, None), &rows(2, 90, Some(9)), |settings| {
        settings.workers = 2;
    })
    .await;
    let processes = bench.pool.idle_processes().await;
    assert_eq!(processes.len(), 2);
    drop(bench);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(processes.into_iter().all(|process| !alive(process)));
}

#[tokio::test]
async fn data_that_differ_from_the_catalogue_are_found_at_the_start() {
    let good = Bench::new(&rows(1, 300, None), &rows(2, 300, Some(9)), |_| {}).await;
    let without = rows(2, 300, Some(9)).iter().filter(|row| row.unit.is_none()).count() as u64;
    assert!(without > 0);
    let told = good.pool.check().await.unwrap();
    let (dataset, column) = ("visits".parse().unwrap(), "unit".parse().unwrap());
    assert_eq!(told, [Finding::WithoutUnit { dataset, column, rows: without }], "and it starts");
    let mut twice = rows(1, 300, None);
    twice[7].unit = twice[8].unit.clone();
    twice[9].drug = Some("a value from nowhere".to_owned());
    let bad = Bench::new(&twice, &rows(2, 300, Some(9)), |_| {}).await;
    let Err(PoolError::Data(findings)) = bad.pool.check().await else { panic!("nothing found") };
    let text = PoolError::Data(findings).to_string();
    assert_eq!(
        text,
        format!(
            "dataset `incidents`: 1 rows have a value of `drug` that is not in the catalogue's list; \
             dataset `incidents`: 300 rows have 299 distinct units, but the catalogue says every row is its own; \
             dataset `visits`: {without} rows have no `unit`; where noise is on they count in no cell: give each of \
             them a unit in the dataset's view, if they are to count; \
             dataset `incidents`: 300 rows have 299 distinct values of `unit`, but `visits` is joined with one row of it"
        )
    );
}

#[tokio::test]
async fn sources_that_do_not_fit_are_named() {
    let folder = tempfile::tempdir().unwrap();
    write_parquet(&folder.path().join("single.parquet"), &rows(1, 9, None));
    let csv = "unit,drug,code,day,mass,price,pieces\na,heroin,1,2024-03-01,1.5,2.5,3\nb,,,,,,\n";
    std::fs::create_dir(folder.path().join("repeated")).unwrap();
    let write = |name: &str, text: &str| {
        use std::io::Write;
        std::fs::File::create(folder.path().join(name))
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    };
    write("repeated/one.csv", csv);
    let csv_sources = SOURCES.replace(
        "name = \"repeated\"\nformat = \"parquet\"",
        "name = \"repeated\"\nformat = \"csv\"\ncolumns = [{ name = \"day\", type = \"date\" }, { name = \"price\", type = \"float\" }]",
    );
    let casts = "unit, drug, CAST(code AS BIGINT) AS code, day, CAST(mass AS DECIMAL(20,4)) AS mass, price, CAST(pieces AS BIGINT) AS pieces";
    let cast_sources = csv_sources
        .replace("SELECT unit, drug, code, day, mass, price, pieces", &format!("SELECT {casts}"));
    let start = async |sources: &str| {
        let started = WorkerPool::start(settings(folder.path()), setup(sources)).await;
        started.err().map(|error| error.to_string())
    };
    let check = async |from: &str, to: &str, says: &str| {
        assert!(cast_sources.contains(from), "{from}");
        assert_eq!(start(&cast_sources.replace(from, to)).await.as_deref(), Some(says));
    };
    assert_eq!(
        start(&csv_sources).await.as_deref(),
        Some(
            "dataset `visits`: column `code` is Utf8, the catalogue says BIGINT: add a CAST to the view"
        )
    );
    check("unit, drug,", "unit,", "dataset `visits`: the view has no column `drug`").await;
    let unknown = "dataset `visits`: the view names a column that its sources do not have, or that several of them have";
    check("unit, drug,", "unit, drugs AS drug,", unknown).await;
    check(
        "SELECT unit, drug",
        "SELEC unit, drug",
        "dataset `visits`: the view is not one SQL query",
    )
    .await;
    check("FROM repeated", "FROM '/etc/passwd'", "dataset `visits`: the view is not a query that the engine plans: check its functions, types and tables").await;
    check("\"day\", type", "\"days\", type", "source `repeated`: no column `days` in the files")
        .await;
    check(
        "path = \"repeated\"",
        "path = \"missing\"",
        "source `repeated`: no readable file of this format at its path",
    )
    .await;
    check("name = \"visits\"", "name = \"visit\"", "dataset `visit` is not in the catalogue").await;
    assert_eq!(start(&cast_sources).await, None);
    write("repeated/two.csv", "drug,unit,code,day,mass,price,pieces\n");
    let differ = "source `repeated`: its files do not have the same columns in the same order";
    assert_eq!(start(&cast_sources).await.as_deref(), Some(differ));
}

#[tokio::test]
async fn csv_and_ndjson_are_read_as_written_in_the_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        use std::io::Write;
        std::fs::File::create(folder.path().join(name))
            .unwrap()
            .write_all(text.as_bytes())
            .unwrap();
    };
    write(
        "a.csv",
        "drug,unit,mass,day\n\"her\noin\",007,0.0001,2024-03-01\nmeth,,12345.6789,\n,9,,2024-03-31\n",
    );
    write("b.ndjson", "{\"unit\":\"x\",\"pieces\":7}\n{\"unit\":\"x\"}\n");
    let sources = r#"
        sources = [
            { name = "a", format = "csv", path = "a.csv" },
            { name = "b", format = "ndjson", path = "b.ndjson", columns = [{ name = "unit", type = "text" }, { name = "pieces", type = "integer" }] },
        ]
        [[datasets]]
        name = "visits"
        view = """SELECT unit, drug, CAST(NULL AS BIGINT) AS code, CAST(day AS DATE) AS day, CAST(mass AS DECIMAL(20,4)) AS mass,
                  CAST(NULL AS DOUBLE) AS price, CAST(NULL AS BIGINT) AS pieces FROM a"""
        [[datasets]]
        name = "incidents"
        view = """SELECT unit, 'meth' AS drug, CAST(1 AS BIGINT) AS code, CAST('2024-01-01' AS DATE) AS day,
                  CAST(1 AS DECIMAL(20,4)) AS mass, CAST(0 AS DOUBLE) AS price, pieces FROM b"""
    "#;
    let pool = WorkerPool::start(settings(folder.path()), setup(sources)).await.unwrap();
    let run = async |release: Release| {
        let job = Job::new(release, Predicate::everything(), OPEN);
        protect(pool.run(job, Instant::now() + Duration::from_mins(1)).await.unwrap(), &OPEN)
            .into_inner()
            .to_batch()
            .unwrap()
    };
    let mass = MeasureOf::Sum {
        column: "mass".parse().unwrap(),
        number: Number::Decimal { precision: 20, scale: 4 },
    };
    let wire = vec![
        measure(MeasureOf::Rows),
        measure(mass),
        measure(MeasureOf::NonNull("unit".parse().unwrap())),
    ];
    let batch =
        run(release("visits", &[level("day", Some(Grain::Month))], Predicate::everything(), wire))
            .await;
    let text = |name: &str, row: usize| {
        let column = batch.column_by_name(name).unwrap();
        if column.is_null(row) {
            "null".into()
        } else {
            arrow::util::display::array_value_to_string(column, row).unwrap()
        }
    };
    let rows: Vec<Vec<String>> = (0..batch.num_rows())
        .map(|row| ["k0", "m0", "m1", "m2"].map(|name| text(name, row)).to_vec())
        .collect();
    assert_eq!(rows, [["null", "1", "12345.6789", "0"], ["2024-03-01", "2", "0.0001", "2"]]);
    let pieces = MeasureOf::Sum { column: "pieces".parse().unwrap(), number: Number::Integer };
    let batch =
        run(release("incidents", &[], Predicate::everything(), vec![measure(pieces)])).await;
    assert_eq!(batch.column_by_name("m0").unwrap().as_primitive::<Int64Type>().value(0), 7);
}
