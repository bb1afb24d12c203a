//! What the engine answers is what plain DataFusion answers in SQL, for every wire measure, over random data.

use crate::engine::{Bench, Dice, Row, level, release, rows};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Float64Type;
use arrow::util::display::array_value_to_string;
use datafusion::prelude::{ParquetReadOptions, SessionContext};
use mayag_disclosure::{Cells, Contributions, Protections};
use mayag_node::engine::cells::RawCells;
use mayag_policies::catalogue::Number;
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::columns::{key_column, value_column};
use mayag_queries::release::{Centred, MeasureOf, Power, Release, WireMeasure};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A level in SQL.
fn level_sql(level: &LevelRef) -> String {
    match (level.column.as_str(), level.grain) {
        ("country", _) => "'kr'".to_owned(),
        (column, None | Some(Grain::Day)) => column.to_owned(),
        (column, Some(grain)) => {
            format!("CAST(date_trunc('{}', {column}) AS DATE)", grain.as_str())
        }
    }
}

fn literal_sql(literal: &Literal) -> String {
    match literal {
        Literal::Bool(value) => value.to_string(),
        Literal::Date(day) => format!("(DATE '1970-01-01' + INTERVAL '{day} days')::DATE"),
        Literal::Int(number) => number.to_string(),
        Literal::Text(text) => format!("'{text}'"),
    }
}

fn predicate_sql(predicate: &Predicate) -> String {
    let all = |parts: &[Predicate], word: &str, empty: &str| {
        let parts: Vec<String> = parts.iter().map(predicate_sql).collect();
        if parts.is_empty() { empty.to_owned() } else { format!("({})", parts.join(word)) }
    };
    match predicate {
        Predicate::All(parts) => all(parts, " AND ", "TRUE"),
        Predicate::Any(parts) => all(parts, " OR ", "FALSE"),
        Predicate::Compare { level, comparison, value } => {
            let operator = match comparison {
                Comparison::Equal => "=",
                Comparison::Greater => ">",
                Comparison::GreaterOrEqual => ">=",
                Comparison::Less => "<",
                Comparison::LessOrEqual => "<=",
                Comparison::NotEqual => "<>",
            };
            format!("{} {operator} {}", level_sql(level), literal_sql(value))
        }
        Predicate::In { level, values } => {
            let values: Vec<String> = values.iter().map(literal_sql).collect();
            if values.is_empty() {
                return "FALSE".to_owned();
            }
            format!("{} IN ({})", level_sql(level), values.join(", "))
        }
        Predicate::IsNull { level } => format!("{} IS NULL", level_sql(level)),
        Predicate::Not(part) => format!("NOT ({})", predicate_sql(part)),
    }
}

fn measure_sql(measure: &WireMeasure) -> String {
    if let MeasureOf::Pair { x, y, power } = &measure.of {
        let far = |of: &Centred| format!("(CAST({} AS DOUBLE) - {}.0)", of.column, of.center);
        let (far_x, far_y) = (far(x), far(y));
        let value = match power {
            Power::Rows => "count(*)".to_owned(),
            Power::X => format!("sum({far_x})"),
            Power::Xx => format!("sum({far_x} * {far_x})"),
            Power::Xy => format!("sum({far_x} * {far_y})"),
            Power::Y => format!("sum({far_y})"),
            Power::Yy => format!("sum({far_y} * {far_y})"),
        };
        let only = measure.filter.as_ref().map_or_else(|| "TRUE".to_owned(), predicate_sql);
        let pairs = format!("{} IS NOT NULL AND {} IS NOT NULL", x.column, y.column);
        return format!("{value} FILTER (WHERE {pairs} AND ({only}))");
    }
    let value = match &measure.of {
        MeasureOf::DistinctUnits => "count(DISTINCT unit)".to_owned(),
        MeasureOf::Max(level) => format!("max({})", level_sql(level)),
        MeasureOf::Min(level) => format!("min({})", level_sql(level)),
        MeasureOf::NonNull(column) => format!("count({column})"),
        MeasureOf::Pair { .. } => panic!("written above"),
        MeasureOf::Rows => "count(*)".to_owned(),
        MeasureOf::Sum { column, .. } => format!("sum({column})"),
        MeasureOf::SumCentred { column, center } => {
            format!("sum(CAST({column} AS DOUBLE) - {center}.0)")
        }
        MeasureOf::SumOfSquares { column, center } => {
            format!(
                "sum((CAST({column} AS DOUBLE) - {center}.0) * (CAST({column} AS DOUBLE) - {center}.0))"
            )
        }
    };
    match &measure.filter {
        None => value,
        Some(filter) => format!("{value} FILTER (WHERE {})", predicate_sql(filter)),
    }
}

pub(crate) fn release_sql(release: &Release, rows: &Predicate) -> String {
    let mut columns = Vec::new();
    for (i, level) in release.keys.iter().enumerate() {
        columns.push(format!("{} AS {}", level_sql(level), key_column(i)));
    }
    for (i, measure) in release.wire.iter().enumerate() {
        columns.push(format!("{} AS {}", measure_sql(measure), value_column(i)));
    }
    let keys: Vec<String> = release.keys.iter().map(level_sql).collect();
    let group =
        if keys.is_empty() { String::new() } else { format!(" GROUP BY {}", keys.join(", ")) };
    let (rows, filter) = (predicate_sql(rows), predicate_sql(&release.filter));
    format!(
        "SELECT {} FROM {} WHERE {rows} AND ({filter}){group}",
        columns.join(", "),
        release.dataset
    )
}

fn any_day(dice: &mut Dice) -> i32 {
    // The first of a month half of the time: that is where comparisons of periods turn.
    let firsts = [19_024, 19_174, 19_358, 19_539, 19_723];
    if dice.one_in(2) { *dice.of(&firsts) } else { 18_990 + dice.small(920) }
}

fn any_atom(dice: &mut Dice) -> (LevelRef, Vec<Literal>) {
    let drugs = ["heroin", "cocaine", "meth", "nothing"];
    let texts = |dice: &mut Dice| Literal::Text((*dice.of(&drugs)).to_owned());
    match dice.below(4) {
        0 => (level("drug", None), (0..3).map(|_| texts(dice)).collect()),
        1 => (
            level("code", None),
            (0..2).map(|_| Literal::Int(i64::from(dice.small(4)) - 1)).collect(),
        ),
        2 => (
            level("country", None),
            vec![Literal::Text(if dice.one_in(3) { "th" } else { "kr" }.to_owned())],
        ),
        _ => {
            let grain = *dice.of(&Grain::ALL);
            (level("day", Some(grain)), (0..3).map(|_| Literal::Date(any_day(dice))).collect())
        }
    }
}

pub(crate) fn any_predicate(dice: &mut Dice, depth: u32) -> Predicate {
    let choice = if depth == 0 { 3 + dice.below(4) } else { dice.below(7) };
    match choice {
        0 => Predicate::All((0..dice.below(4)).map(|_| any_predicate(dice, depth - 1)).collect()),
        1 => Predicate::Any((0..dice.below(4)).map(|_| any_predicate(dice, depth - 1)).collect()),
        2 => Predicate::Not(Box::new(any_predicate(dice, depth - 1))),
        3 => Predicate::IsNull { level: any_atom(dice).0 },
        4 => {
            let (level, values) = any_atom(dice);
            Predicate::In { level, values: if dice.one_in(8) { Vec::new() } else { values } }
        }
        _ => {
            let (level, mut values) = any_atom(dice);
            let all = [
                Comparison::Equal,
                Comparison::Greater,
                Comparison::GreaterOrEqual,
                Comparison::Less,
                Comparison::LessOrEqual,
                Comparison::NotEqual,
            ];
            Predicate::Compare { level, comparison: *dice.of(&all), value: values.pop().unwrap() }
        }
    }
}

fn any_measure(dice: &mut Dice) -> WireMeasure {
    let summed = [
        ("mass", Number::Decimal { precision: 20, scale: 4 }),
        ("price", Number::Float),
        ("pieces", Number::Integer),
    ];
    let (name, number) = *dice.of(&summed);
    let column = name.parse().unwrap();
    let any_level = |dice: &mut Dice| match dice.below(3) {
        0 => level("drug", None),
        1 => level("code", None),
        _ => level("day", Some(*dice.of(&Grain::ALL))),
    };
    let powers = [Power::Rows, Power::X, Power::Xx, Power::Xy, Power::Y, Power::Yy];
    let of = match dice.below(12) {
        0 => MeasureOf::DistinctUnits,
        1 => MeasureOf::Max(any_level(dice)),
        2 => MeasureOf::Min(any_level(dice)),
        3 => MeasureOf::NonNull(dice.of(&["mass", "drug", "unit"]).parse().unwrap()),
        4 => MeasureOf::Rows,
        5 | 6 => MeasureOf::Sum { column, number },
        9..12 => {
            let [x, y] = *dice.of(&[["mass", "price"], ["mass", "pieces"], ["pieces", "price"]]);
            let centred = |name: &str, center| Centred { column: name.parse().unwrap(), center };
            MeasureOf::Pair { x: centred(x, 40), y: centred(y, 70), power: *dice.of(&powers) }
        }
        7 => MeasureOf::SumCentred { column, center: 70 },
        _ => MeasureOf::SumOfSquares { column, center: 70 },
    };
    WireMeasure { of, filter: dice.one_in(3).then(|| any_predicate(dice, 1)) }
}

pub(crate) fn any_release(dice: &mut Dice, dataset: &str) -> Release {
    let mut keys = Vec::new();
    if dice.one_in(2) {
        keys.push(level("drug", None));
    }
    if dice.one_in(3) {
        keys.push(level("day", Some(*dice.of(&[Grain::Month, Grain::Quarter, Grain::Year]))));
    }
    if dice.one_in(4) {
        keys.push(level("code", None));
    }
    if dice.one_in(3) {
        keys.push(level("country", None));
    }
    let filter = if dice.one_in(2) { Predicate::everything() } else { any_predicate(dice, 2) };
    let wire = (0..=dice.below(3)).map(|_| any_measure(dice)).collect();
    release(dataset, &keys, filter, wire)
}

/// The rows of a batch by their keys; floats apart, because their sums depend on the order of addition.
fn by_key(
    batch: &RecordBatch,
    release: &Release,
) -> BTreeMap<Vec<String>, Vec<Result<String, f64>>> {
    let text = |column: &ArrayRef, row: usize| {
        if column.is_null(row) {
            "null".to_owned()
        } else {
            array_value_to_string(column, row).unwrap()
        }
    };
    let value = |column: &ArrayRef, row: usize| match column.as_primitive_opt::<Float64Type>() {
        Some(floats) if floats.is_valid(row) => Err(floats.value(row)),
        Some(_) | None => Ok(text(column, row)),
    };
    let found: BTreeMap<_, _> = (0..batch.num_rows())
        .map(|row| {
            let keys = (0..release.keys.len())
                .map(|i| text(batch.column_by_name(&key_column(i)).unwrap(), row));
            let values = (0..release.wire.len())
                .map(|i| value(batch.column_by_name(&value_column(i)).unwrap(), row));
            (keys.collect(), values.collect())
        })
        .collect();
    assert_eq!(found.len(), batch.num_rows(), "a cell twice");
    found
}

pub(crate) fn assert_same(
    found: &RecordBatch,
    expected: &RecordBatch,
    release: &Release,
    sql: &str,
) {
    let (found, expected) = (by_key(found, release), by_key(expected, release));
    assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>(), "{sql}");
    for ((key, found), expected) in found.iter().zip(expected.values()) {
        for (found, expected) in found.iter().zip(expected) {
            let same = match (found, expected) {
                (Err(found), Err(expected)) => {
                    (found - expected).abs() <= 1e-9 * expected.abs().max(1e3)
                }
                (found, expected) => found == expected,
            };
            assert!(same, "{sql}\n{key:?}: found {found:?}, expected {expected:?}");
        }
    }
}

pub(crate) async fn oracle(bench: &Bench) -> SessionContext {
    let context = SessionContext::new();
    let path = |name: &str| bench.folder.path().join(name).to_string_lossy().into_owned();
    let options = ParquetReadOptions::default;
    context.register_parquet("incidents", path("single.parquet"), options()).await.unwrap();
    context.register_parquet("visits", path("repeated"), options()).await.unwrap();
    context
}

pub(crate) async fn expected(context: &SessionContext, sql: &str) -> RecordBatch {
    let frame = context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let planned = Arc::clone(frame.schema().inner());
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    // DataFusion's own plan and result differ in the precision of some sums.
    let schema = batches.first().map_or(planned, RecordBatch::schema);
    arrow::compute::concat_batches(&schema, &batches).unwrap()
}

#[tokio::test]
async fn random_releases_equal_sql() {
    let visits = rows(7, 6_000, Some(400));
    let bench = Bench::new(&rows(3, 5_000, None), &visits, |_| {}).await;
    let context = oracle(&bench).await;
    let mut dice = Dice::new(11);
    let mut cells = 0;
    for round in 0..400 {
        let release = any_release(&mut dice, if round % 2 == 0 { "incidents" } else { "visits" });
        let owner =
            if dice.one_in(2) { Predicate::everything() } else { any_predicate(&mut dice, 1) };
        let sql = release_sql(&release, &owner);
        let found =
            bench.run(&release, &owner).await.unwrap_or_else(|failure| panic!("{sql}\n{failure}"));
        let found = found.cells().to_batch().unwrap();
        cells += found.num_rows();
        assert_same(&found, &expected(&context, &sql).await, &release, &sql);
    }
    assert!(cells > 2_000, "only {cells} cells were compared");
}

/// Units and contributions of a column, worked out the slow way.
struct Naive {
    units: u64,
    total: f64,
    largest: f64,
    second: f64,
}

impl Naive {
    fn of(rows: &[Row], drug: Option<&str>, value: Value) -> Self {
        let mut by_unit: BTreeMap<Option<&str>, f64> = BTreeMap::new();
        for row in rows.iter().filter(|row| row.drug.as_deref() == drug) {
            *by_unit.entry(row.unit.as_deref()).or_default() += value(row).unwrap_or(0.0).abs();
        }
        let mut contributions: Vec<f64> = by_unit.values().copied().collect();
        contributions.sort_by(|a, b| b.total_cmp(a));
        Self {
            units: by_unit.keys().flatten().map(|_| 1).sum(),
            largest: contributions.first().copied().unwrap_or(0.0),
            second: contributions.get(1).copied().unwrap_or(0.0),
            total: contributions.iter().sum(),
        }
    }

    fn remainder(&self) -> f64 {
        (self.total - self.largest - self.second) / self.largest
    }

    fn assert_equals(&self, found: Contributions, what: &str) {
        let Contributions { total, largest, second } = found;
        let close = |found: f64, naive: f64| (found - naive).abs() <= 1e-9 * naive.max(1.0);
        assert!(close(total, self.total), "{what}: total {total}, not {}", self.total);
        assert!(close(largest, self.largest), "{what}: largest {largest}, not {}", self.largest);
        assert!(close(second, self.second), "{what}: second {second}, not {}", self.second);
    }
}

type Value = fn(&Row) -> Option<f64>;

#[expect(clippy::cast_precision_loss, reason = "small numbers")]
const VALUES: [(&str, Number, Value); 3] = [
    ("mass", Number::Decimal { precision: 20, scale: 4 }, |row| row.mass.map(|mass| mass as f64)),
    ("price", Number::Float, |row| row.price),
    ("pieces", Number::Integer, |row| row.pieces.map(|pieces| pieces as f64)),
];

fn sums_by_drug(dataset: &str, more: &[MeasureOf]) -> Release {
    let sum = |(name, number, _): &(&str, Number, Value)| MeasureOf::Sum {
        column: name.parse().unwrap(),
        number: *number,
    };
    let wire = VALUES.iter().map(sum).chain(more.iter().cloned());
    let wire = wire.map(|of| WireMeasure { of, filter: None }).collect();
    release(dataset, &[level("drug", None)], Predicate::everything(), wire)
}

/// Every sum of every cell, by the names of its cell and column, with the truth.
fn sums(cells: &RawCells, data: &[Row]) -> Vec<(String, usize, Naive, Contributions)> {
    let batch = cells.to_batch().unwrap();
    let drugs = batch.column_by_name("k0").unwrap().as_string::<i32>();
    let mut sums = Vec::new();
    for (cell, drug) in drugs.iter().enumerate() {
        for (measure, (name, _, value)) in VALUES.iter().enumerate() {
            let found = cells.contributions(cell, measure).unwrap();
            sums.push((format!("{drug:?} {name}"), cell, Naive::of(data, drug, *value), found));
        }
    }
    sums
}

#[tokio::test]
async fn exact_units_and_contributions_equal_a_naive_count() {
    let (incidents, visits) = (rows(21, 3_000, None), rows(22, 3_000, Some(40)));
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let counted = [MeasureOf::DistinctUnits];
    for (dataset, data, more) in
        [("incidents", &incidents, &[][..]), ("visits", &visits, &counted[..])]
    {
        let release = sums_by_drug(dataset, more);
        let protected = bench.run(&release, &Predicate::everything()).await.unwrap();
        let sums = sums(protected.cells(), data);
        assert_eq!(sums.len(), 18);
        for (what, cell, naive, found) in sums {
            naive.assert_equals(found, &what);
            assert_eq!(protected.cells().units(cell), naive.units, "{dataset} {what}");
        }
    }
}

#[tokio::test]
async fn bounded_cells_get_the_verdict_of_the_truth() {
    // From few units to many, from equal contributions to one that dominates.
    let mut verdicts = [0, 0];
    for (seed, units) in [(31, 3), (32, 20), (33, 60), (34, 300)] {
        let mut visits = rows(seed, 2_000, Some(units));
        let mut dice = Dice::new(seed);
        let heavy =
            |row: &&mut Row| row.unit.as_deref().is_some_and(|unit| unit.starts_with("u1-"));
        for row in visits.iter_mut().filter(heavy) {
            row.mass = row.mass.map(|mass| mass * (1 + i128::from(dice.below(60))));
        }
        let bench = Bench::new(&rows(1, 10, None), &visits, |_| {}).await;
        for p_percent in [0, 1, 5, 10, 25, 60, 150, 400, 1_000] {
            let protections = Protections::exact(10, p_percent);
            let release = sums_by_drug("visits", &[]);
            let everything = Predicate::everything();
            let protected = bench.run_under(&release, &everything, protections).await.unwrap();
            let limit = f64::from(p_percent) / 100.0;
            // Rounding decides where the truth is on the line.
            let on_the_line = |naive: &Naive| (naive.remainder() - limit).abs() < 1e-6;
            let sums = sums(protected.cells(), &visits).into_iter();
            for (what, cell, naive, found) in sums.filter(|(_, _, naive, _)| !on_the_line(naive)) {
                let counted = protected.cells().units(cell);
                assert!(counted <= naive.units, "{what}: {counted} of {}", naive.units);
                assert_eq!(counted.min(33), naive.units.min(33), "{what}");
                let remainder = (found.total - found.largest - found.second) / found.largest;
                let dominated = remainder < limit;
                assert_eq!(dominated, naive.remainder() < limit, "{seed} p={p_percent} {what}");
                verdicts[usize::from(dominated)] += 1;
            }
        }
    }
    assert!(verdicts.iter().all(|verdicts| *verdicts > 50), "{verdicts:?}");
}
