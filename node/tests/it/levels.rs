//! Every level as the engine computes it is the level that the catalogue's words mean, worked out row by row in plain
//! Rust, over random rows and the values at which levels turn.

use crate::engine::{Dice, OPEN, level, measure, release, settings};
use arrow::array::{
    ArrayRef, AsArray, Date32Array, Decimal128Array, Float64Array, Int64Array, RecordBatch,
    StringArray,
};
use arrow::datatypes::Int64Type;
use mayag_disclosure::protect;
use mayag_node::engine::frame::Setup;
use mayag_node::engine::pool::{Job, WorkerPool};
use mayag_policies::catalogue::{Catalogue, Dataset, Kind, Named};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_queries::merge::literals;
use mayag_queries::release::{MeasureOf, Release};
use parquet::arrow::ArrowWriter;
use std::collections::BTreeMap;
use std::fs::File;
use std::sync::Arc;
use std::time::Duration;

const CATALOGUE: &str = r#"{"version":1,"datasets":[{"name":"t","about":"t","units":[{"column":"unit","unique":true}],"columns":[
    {"name":"unit","about":"u","kind":{"type":"unit"}},
    {"name":"town","about":"t","kind":{"type":"category"},"levels":[
        {"name":"start","about":"s","is":{"prefix":3}},
        {"name":"first","about":"f","is":{"prefix":1}}]},
    {"name":"route","about":"r","kind":{"type":"category"},"levels":[
        {"name":"way","about":"w","is":{"groups":{"groups":{"water":["sea","river"],"air":["air"]},"other":"rest"}}}]},
    {"name":"code","about":"c","kind":{"type":"number"},"levels":[
        {"name":"band","about":"b","is":{"bands":{"edges":[-5,0,10],"names":["low","negative","small","large"]}}}]},
    {"name":"day","about":"d","kind":{"type":"date"}},
    {"name":"kg","about":"k","kind":{"type":"measure","number":{"decimal":{"precision":12,"scale":3}}},"levels":[
        {"name":"band","about":"b","is":{"bands":{"edges":[0,10],"names":["none","some","much"]}}}]},
    {"name":"price","about":"p","kind":{"type":"measure","number":"float"},"levels":[
        {"name":"band","about":"b","is":{"bands":{"edges":[0,10],"names":["none","some","much"]}}}]},
    {"name":"pieces","about":"p","kind":{"type":"measure","number":"integer"},"levels":[
        {"name":"band","about":"b","is":{"bands":{"edges":[0,10],"names":["none","some","much"]}}}]}]}]}"#;

const SOURCES: &str = r#"
[[sources]]
name = "rows"
format = "parquet"
path = "rows.parquet"
[[datasets]]
name = "t"
view = "SELECT * FROM rows"
"#;

#[derive(Debug, Clone)]
struct Row {
    town: Option<&'static str>,
    route: Option<&'static str>,
    code: Option<i64>,
    day: Option<i32>,
    /// `DECIMAL(12,3)`, unscaled.
    kg: Option<i128>,
    price: Option<f64>,
    pieces: Option<i64>,
}

/// Each of these at least some times, most of them at an edge.
fn any_row(dice: &mut Dice) -> Row {
    fn maybe<T: Copy>(dice: &mut Dice, values: &[T]) -> Option<T> {
        (!dice.one_in(8)).then(|| *dice.of(values))
    }
    let towns =
        ["", "a", "ab", "abc", "abcd", "ABCD", "서울특별시", "são paulo", "🚢🚢🚢🚢", " x  y"];
    let routes = ["sea", "river", "air", "Sea", "rest", "water", "", "post"];
    let codes = [i64::MIN, -6, -5, -4, -1, 0, 1, 9, 10, 11, i64::MAX];
    // The ends of years, quarters and months; the day before and the day after the first of 1970; leap days.
    let days = [
        -719_162, -141_428, -1, 0, 1, 58, 59, 89, 90, 10_956, 10_957, 11_015, 11_016, 19_417,
        19_722, 19_723, 19_782, 19_783, 20_088, 20_089, 47_540, 2_932_896,
    ];
    let kg = [-1, 0, 1, 9_999, 10_000, 10_001, -999_999_999_999, 999_999_999_999];
    let prices = [
        -0.0,
        0.0,
        -f64::MIN_POSITIVE,
        9.999_999_999_999_998,
        10.0,
        10.000_000_000_000_002,
        f64::NAN,
        f64::INFINITY,
        f64::NEG_INFINITY,
    ];
    let random = dice.small(40_000) - 10_000;
    Row {
        town: maybe(dice, &towns),
        route: maybe(dice, &routes),
        code: maybe(dice, &codes),
        day: if dice.one_in(2) { Some(random) } else { maybe(dice, &days) },
        kg: if dice.one_in(3) { Some(i128::from(random)) } else { maybe(dice, &kg) },
        price: if dice.one_in(3) { Some(f64::from(random) / 1e3) } else { maybe(dice, &prices) },
        pieces: maybe(dice, &codes),
    }
}

fn batch(rows: &[Row]) -> RecordBatch {
    let kg: Decimal128Array = rows.iter().map(|row| row.kg).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("unit", Arc::new((0..rows.len()).map(|i| Some(format!("u{i}"))).collect::<StringArray>())),
        ("town", Arc::new(rows.iter().map(|row| row.town).collect::<StringArray>())),
        ("route", Arc::new(rows.iter().map(|row| row.route).collect::<StringArray>())),
        ("code", Arc::new(rows.iter().map(|row| row.code).collect::<Int64Array>())),
        ("day", Arc::new(rows.iter().map(|row| row.day).collect::<Date32Array>())),
        ("kg", Arc::new(kg.with_precision_and_scale(12, 3).unwrap())),
        ("price", Arc::new(rows.iter().map(|row| row.price).collect::<Float64Array>())),
        ("pieces", Arc::new(rows.iter().map(|row| row.pieces).collect::<Int64Array>())),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

/// The level of one row, the slow way.
fn of(dataset: &Dataset, level: &LevelRef, row: &Row) -> Option<Literal> {
    let named = dataset.named(level).unwrap();
    let text = |text: Option<&str>| text.map(|text| Literal::Text(text.to_owned()));
    let base = match named.column().unwrap().name.as_str() {
        "town" => text(row.town),
        "route" => text(row.route),
        "code" => row.code.map(Literal::Int),
        "day" => row.day.map(Literal::Date),
        "pieces" => row.pieces.map(Literal::Int),
        measured => {
            let Named::Coarser(column, level) = named else { panic!("a measure is no level") };
            assert!(matches!(column.kind, Kind::Measure { .. }));
            // In thousandths, which is exact for both: no edge is between two of them.
            let below = |edge: i64| match measured {
                "kg" => row.kg.is_some_and(|kg| kg < i128::from(edge) * 1_000),
                _ => row.price.is_some_and(|price| price < f64::from(i32::try_from(edge).unwrap())),
            };
            let known = if measured == "kg" {
                row.kg.is_some()
            } else {
                row.price.is_some_and(|price| !price.is_nan())
            };
            return text(known.then(|| level.is.band(below)).flatten());
        }
    };
    named.of(base.as_ref())
}

struct Bench {
    pool: WorkerPool,
    rows: Vec<Row>,
    catalogue: Catalogue,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn new() -> Self {
        let mut dice = Dice::new(71);
        let rows: Vec<Row> = (0..3_000).map(|_| any_row(&mut dice)).collect();
        let folder = tempfile::tempdir().unwrap();
        let batch = batch(&rows);
        let file = File::create(folder.path().join("rows.parquet")).unwrap();
        let mut writer = ArrowWriter::try_new(file, batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let catalogue = Catalogue::parse(CATALOGUE.as_bytes()).unwrap();
        let (country, sources) = ("kr".parse().unwrap(), toml::from_str(SOURCES).unwrap());
        let setup = Setup { catalogue: catalogue.clone(), country, sources };
        let pool = WorkerPool::start(settings(folder.path()), setup).await.unwrap();
        Self { pool, rows, catalogue, _folder: folder }
    }

    async fn run(&self, release: &Release) -> RecordBatch {
        let job = Job::new(release.clone(), Predicate::everything(), OPEN);
        let deadline = tokio::time::Instant::now() + Duration::from_mins(2);
        let cells = self.pool.run(job, deadline).await.unwrap();
        protect(cells, &OPEN).cells().to_batch().unwrap()
    }

    /// How many rows pass a filter, as the engine counts them.
    async fn count(&self, filter: Predicate) -> i64 {
        let batch = self.run(&release("t", &[], filter, vec![measure(MeasureOf::Rows)])).await;
        batch.column_by_name("m0").unwrap().as_primitive::<Int64Type>().value(0)
    }
}

fn levels() -> Vec<LevelRef> {
    let plain = [
        "town_start",
        "town_first",
        "route_way",
        "code_band",
        "kg_band",
        "price_band",
        "pieces_band",
    ];
    let plain = plain.into_iter().chain(["town", "route", "code"]).map(|name| level(name, None));
    plain.chain(Grain::ALL.map(|grain| level("day", Some(grain)))).collect()
}

/// What a comparison is by hand.
type Holds = fn(&Literal, &Literal) -> bool;

#[tokio::test]
async fn groups_by_a_level_are_those_of_a_naive_count() {
    let bench = Bench::new().await;
    let dataset = bench.catalogue.dataset("t").unwrap();
    for level in levels() {
        let mut naive: BTreeMap<Option<Literal>, i64> = BTreeMap::new();
        for row in &bench.rows {
            *naive.entry(of(dataset, &level, row)).or_default() += 1;
        }
        assert!(naive.len() > 3, "{level}: {naive:?}");
        let by_level = release(
            "t",
            std::slice::from_ref(&level),
            Predicate::everything(),
            vec![measure(MeasureOf::Rows)],
        );
        let batch = bench.run(&by_level).await;
        let keys = literals(batch.column_by_name("k0").unwrap()).unwrap();
        let counts = batch.column_by_name("m0").unwrap().as_primitive::<Int64Type>().values();
        let found: BTreeMap<_, _> = keys.into_iter().zip(counts.iter().copied()).collect();
        assert_eq!(found.len(), batch.num_rows(), "{level}: a key twice");
        assert_eq!(found, naive, "{level}");
    }
}

#[tokio::test]
async fn filters_by_a_level_are_those_of_a_naive_count() {
    let bench = Bench::new().await;
    let dataset = bench.catalogue.dataset("t").unwrap();
    let mut dice = Dice::new(72);
    for level in levels() {
        let known: Vec<Literal> =
            bench.rows.iter().filter_map(|row| of(dataset, &level, row)).collect();
        let naive = |passes: &dyn Fn(Option<Literal>) -> bool| {
            let rows = bench.rows.iter().filter(|row| passes(of(dataset, &level, row)));
            i64::try_from(rows.count()).unwrap()
        };
        let nothing = Predicate::IsNull { level: level.clone() };
        assert_eq!(bench.count(nothing).await, naive(&|of| of.is_none()), "{level}");
        for _ in 0..3 {
            let value = dice.of(&known).clone();
            let comparisons: [(Comparison, Holds); 6] = [
                (Comparison::Equal, |a, b| a == b),
                (Comparison::NotEqual, |a, b| a != b),
                (Comparison::Less, |a, b| a < b),
                (Comparison::LessOrEqual, |a, b| a <= b),
                (Comparison::Greater, |a, b| a > b),
                (Comparison::GreaterOrEqual, |a, b| a >= b),
            ];
            for (comparison, holds) in comparisons {
                let (level, value) = (level.clone(), value.clone());
                let expected = naive(&|of| of.is_some_and(|of| holds(&of, &value)));
                let what = format!("{level} {comparison:?} {value:?}");
                let filter = Predicate::Compare { level, comparison, value };
                assert_eq!(bench.count(filter.clone()).await, expected, "{what}");
                let others = naive(&|of| of.is_some()) - expected;
                let not = Predicate::Not(Box::new(filter));
                assert_eq!(bench.count(not).await, others, "not {what}");
            }
        }
    }
}
