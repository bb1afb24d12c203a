//! Seeded data, catalogues and pools for the tests of the engine, and a small generator of releases with their SQL.

use arrow::array::{
    ArrayRef, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
};
use mayag_disclosure::{Protected, Protections, protect};
use mayag_node::engine::WorkFailure;
use mayag_node::engine::cells::RawCells;
use mayag_node::engine::frame::Setup;
use mayag_node::engine::pool::{Job, PoolSettings, WorkerPool};
use mayag_node::engine::sources::SourcesConfig;
use mayag_node::secret::Secret;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Nothing is withheld.
pub(crate) const OPEN: Protections = Protections::exact(0, 0);

/// A small generator of numbers, the same in every run.
#[derive(Debug, Clone)]
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) % limit
    }

    /// A number below a small limit.
    pub(crate) fn small(&mut self, limit: u32) -> i32 {
        i32::try_from(self.below(u64::from(limit))).unwrap()
    }

    /// One of these.
    pub(crate) fn of<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        let at = usize::try_from(self.below(items.len() as u64)).unwrap();
        &items[at]
    }

    pub(crate) fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }

    fn maybe<T>(&mut self, value: T) -> Option<T> {
        if self.one_in(8) { None } else { Some(value) }
    }
}

/// One row of either dataset.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) unit: Option<String>,
    pub(crate) drug: Option<String>,
    pub(crate) code: Option<i64>,
    pub(crate) day: Option<i32>,
    /// `DECIMAL(20,4)`, unscaled.
    pub(crate) mass: Option<i128>,
    pub(crate) price: Option<f64>,
    pub(crate) pieces: Option<i64>,
}

/// Rows whose units are all different, or come from `units` many with some missing.
pub(crate) fn rows(seed: u64, count: usize, units: Option<u64>) -> Vec<Row> {
    let mut dice = Dice::new(seed);
    let drugs = ["heroin", "cocaine", "meth", "fentanyl", "a very long name of a substance"];
    (0..count)
        .map(|i| {
            let unit = match units {
                None => Some(format!("unit-{i:08}")),
                Some(units) if dice.one_in(20) => dice.one_in(2).then(|| format!("only-{units}")),
                // Squared: a few units have many rows.
                Some(units) => {
                    let at = dice.below(units) * dice.below(units) / units;
                    Some(format!("u{at}-with-more-than-twelve-bytes"))
                }
            };
            let heavy = if dice.one_in(50) { 10_000 } else { 1 };
            Row {
                unit,
                drug: (!dice.one_in(10)).then(|| (*dice.of(&drugs)).to_owned()),
                code: dice.maybe(0).map(|_: i64| i64::from(dice.small(4)) - 1),
                day: dice.maybe(0).map(|_: i32| 19_000 + dice.small(900)),
                mass: dice
                    .maybe(0)
                    .map(|_: i128| (i128::from(dice.below(2_000_000)) - 300_000) * heavy),
                price: dice
                    .maybe(0.0)
                    .map(|_: f64| (f64::from(dice.small(100_000)) - 20_000.0) / 7.0),
                pieces: dice.maybe(0).map(|_: i64| i64::from(dice.small(1_000)) - 100),
            }
        })
        .collect()
}

pub(crate) fn batch(rows: &[Row]) -> RecordBatch {
    let secret: Vec<String> = (0..rows.len()).map(|i| format!("canary-{i}")).collect();
    let mass: Decimal128Array = rows.iter().map(|row| row.mass).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new(rows.iter().map(|row| row.unit.clone()).collect::<StringArray>())),
        ("drug", Arc::new(rows.iter().map(|row| row.drug.clone()).collect::<StringArray>())),
        ("code", Arc::new(rows.iter().map(|row| row.code).collect::<Int64Array>())),
        ("day", Arc::new(rows.iter().map(|row| row.day).collect::<Date32Array>())),
        ("mass", Arc::new(mass.with_precision_and_scale(20, 4).unwrap())),
        ("price", Arc::new(rows.iter().map(|row| row.price).collect::<Float64Array>())),
        ("pieces", Arc::new(rows.iter().map(|row| row.pieces).collect::<Int64Array>())),
        ("secret", Arc::new(StringArray::from(secret))),
    ];
    RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, column)| (name, column, true)),
    )
    .unwrap()
}

pub(crate) fn write_parquet(path: &Path, rows: &[Row]) {
    let batch = batch(rows);
    let mut writer =
        ArrowWriter::try_new(File::create(path).unwrap(), batch.schema(), None).unwrap();
    writer.write(&batch).unwrap();
    writer.close().unwrap();
}

/// `incidents` (every row its own unit) and `visits` (units repeat), with the same columns; a visit may be joined with the
/// incident of its unit.
pub(crate) fn catalogue() -> Catalogue {
    let columns = r#"[
        {"name":"unit","about":"u","kind":{"type":"unit"}},
        {"name":"drug","about":"d","kind":{"type":"category","values":["heroin","cocaine","meth","fentanyl","a very long name of a substance"]}},
        {"name":"code","about":"c","kind":{"type":"number"}},
        {"name":"day","about":"d","kind":{"type":"date"}},
        {"name":"mass","about":"m","kind":{"type":"measure","number":{"decimal":{"precision":20,"scale":4}},"center":70},"levels":[
            {"name":"band","about":"b","is":{"bands":{"edges":[10,100],"names":["a","b","c"]}}}]},
        {"name":"price","about":"p","kind":{"type":"measure","number":"float"}},
        {"name":"pieces","about":"p","kind":{"type":"measure","number":"integer"}},
        {"name":"secret","about":"s","kind":{"type":"hidden"}}]"#;
    let text = format!(
        r#"{{"version":1,"datasets":[
        {{"name":"incidents","about":"i","units":[{{"column":"unit","unique":true}}],"columns":{columns}}},
        {{"name":"visits","about":"v","units":[{{"column":"unit","unique":false}}],
            "joins":[{{"with":"incidents","on":["unit"]}}],"columns":{columns}}}]}}"#
    );
    Catalogue::parse(text.as_bytes()).unwrap()
}

/// A pool over Parquet files in a folder of its own.
pub(crate) struct Bench {
    pub(crate) pool: WorkerPool,
    pub(crate) folder: TempDir,
}

pub(crate) fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    deps.ancestors().nth(2).unwrap().join("examples/worker")
}

pub(crate) fn settings(folder: &Path) -> PoolSettings {
    PoolSettings {
        program: program(),
        arguments: Vec::new(),
        folder: folder.to_owned(),
        workers: 1,
        cores: 2,
        memory: 256 << 20,
        scan_rows: u64::MAX,
        cells: 1_000_000,
        secret: Secret::new([7; 32]),
    }
}

pub(crate) fn setup(sources: &str) -> Setup {
    let sources: SourcesConfig = toml::from_str(sources).unwrap();
    Setup { catalogue: catalogue(), country: "kr".parse().unwrap(), sources }
}

pub(crate) const SOURCES: &str = r#"
[[sources]]
name = "single"
format = "parquet"
path = "single.parquet"
[[sources]]
name = "repeated"
format = "parquet"
path = "repeated"
[[datasets]]
name = "incidents"
view = "SELECT * FROM single"
[[datasets]]
name = "visits"
view = "SELECT unit, drug, code, day, mass, price, pieces FROM repeated"
"#;

impl Bench {
    pub(crate) async fn new(
        incidents: &[Row],
        visits: &[Row],
        change: impl FnOnce(&mut PoolSettings),
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_parquet(&folder.path().join("single.parquet"), incidents);
        std::fs::create_dir(folder.path().join("repeated")).unwrap();
        let (one, two) = visits.split_at(visits.len() / 3);
        write_parquet(&folder.path().join("repeated/one.parquet"), one);
        write_parquet(&folder.path().join("repeated/two.parquet"), two);
        let mut settings = settings(folder.path());
        change(&mut settings);
        let pool = WorkerPool::start(settings, setup(SOURCES)).await.unwrap();
        Self { pool, folder }
    }

    pub(crate) async fn run(
        &self,
        release: &Release,
        rows: &Predicate,
    ) -> Result<Protected<RawCells>, WorkFailure> {
        self.run_under(release, rows, OPEN).await
    }

    pub(crate) async fn run_under(
        &self,
        release: &Release,
        rows: &Predicate,
        protections: Protections,
    ) -> Result<Protected<RawCells>, WorkFailure> {
        let job = Job::new(release.clone(), rows.clone(), protections);
        let deadline = tokio::time::Instant::now() + Duration::from_mins(2);
        Ok(protect(self.pool.run(job, deadline).await?, &protections))
    }
}

pub(crate) fn level(column: &str, grain: Option<Grain>) -> LevelRef {
    LevelRef { column: column.parse().unwrap(), grain }
}

pub(crate) fn release(
    dataset: &str,
    keys: &[LevelRef],
    filter: Predicate,
    wire: Vec<WireMeasure>,
) -> Release {
    Release {
        dataset: dataset.parse().unwrap(),
        counted: None,
        keys: keys.to_vec(),
        filter,
        wire,
        outputs: Vec::new(),
    }
}

pub(crate) fn measure(of: MeasureOf) -> WireMeasure {
    WireMeasure { of, filter: None }
}

pub(crate) fn is(column: &str, text: &str) -> Predicate {
    Predicate::Compare {
        level: level(column, None),
        comparison: Comparison::Equal,
        value: Literal::Text(text.to_owned()),
    }
}
