//! Noise, sets of units, the grid and levels: what leaves a node against counts worked out the slow way.

use crate::engine::{Bench, Dice, OPEN, Row, level, measure, release, rows};
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type, UInt8Type};
use mayag_disclosure::{
    Cells, DataVersion, Memory, Prf, Protections, ReleaseContext, Table, protect_question,
};
use mayag_node::engine::cells::RawCells;
use mayag_node::engine::pool::Job;
use mayag_policies::catalogue::Number;
use mayag_policies::document::Bounds;
use mayag_policies::shape::{Grain, Literal, Predicate};
use mayag_protocol::answer::Listed;
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// A stand-in for the node's secret.
pub(crate) struct Fixed;

impl Prf for Fixed {
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        mayag_audit::keys::Mac::new(&[9; 32]).code(message)
    }
}

fn bounds() -> BTreeMap<mayag_protocol::names::ColumnName, Bounds> {
    let of = |name: &str, low, high| (name.parse().unwrap(), Bounds { low, high });
    BTreeMap::from([of("mass", -5, 100), of("price", 0, 3_000), of("pieces", 0, 500)])
}

fn noisy(release: &Release) -> Job {
    let job = Job::new(release.clone(), Predicate::everything(), Protections::noisy(10));
    Job { bounds: bounds(), ..job }
}

async fn run(bench: &Bench, jobs: Vec<Job>, memory: &Memory) -> Vec<(RawCells, Vec<u8>)> {
    let mut worked = Vec::new();
    for job in jobs {
        let context = ReleaseContext {
            dataset: job.release.dataset.to_string(),
            version: DataVersion([1; 32]),
            protections: job.protections,
            kinds: Vec::new(),
        };
        let deadline = tokio::time::Instant::now() + Duration::from_mins(2);
        worked.push((bench.pool.run(job, deadline).await.unwrap(), context));
    }
    let question = protect_question(worked, &Fixed, memory);
    let releases = question.into_releases().into_iter().map(|cells| {
        let cells = cells.into_inner();
        let bytes = cells.to_part().unwrap().bytes;
        (cells, bytes)
    });
    releases.collect()
}

pub(crate) fn read(bytes: &[u8]) -> RecordBatch {
    arrow::ipc::reader::StreamReader::try_new(bytes, None).unwrap().next().unwrap().unwrap()
}

/// The wire measures of these tests, in their order.
fn measures() -> Vec<WireMeasure> {
    let sum = |name: &str, number| MeasureOf::Sum { column: name.parse().unwrap(), number };
    [
        MeasureOf::DistinctUnits,
        MeasureOf::Rows,
        MeasureOf::NonNull("drug".parse().unwrap()),
        sum("mass", Number::Decimal { precision: 20, scale: 4 }),
        sum("price", Number::Float),
        sum("pieces", Number::Integer),
    ]
    .map(measure)
    .to_vec()
}

/// The same numbers as [`measures`], of the rows of one code, the slow way.
fn naive(rows: &[&Row]) -> [i128; 6] {
    let mut of_units: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows {
        if let Some(unit) = &row.unit {
            of_units.entry(unit).or_default().push(row);
        }
    }
    let mut numbers = [0_i128; 6];
    for rows in of_units.values() {
        let known = rows.iter().filter(|row| row.drug.is_some()).count();
        let mass: i128 = rows.iter().filter_map(|row| row.mass).sum();
        let price: i128 = rows.iter().filter_map(|row| row.price).map(millionths).sum();
        let pieces: i128 = rows.iter().filter_map(|row| row.pieces).map(i128::from).sum();
        let counted = [1, rows.len().min(3), known.min(3)].map(|count| count as i128);
        let summed =
            [mass.clamp(-50_000, 1_000_000), price.clamp(0, 3_000_000_000), pieces.clamp(0, 500)];
        for (number, more) in numbers.iter_mut().zip(counted.into_iter().chain(summed)) {
            *number += more;
        }
    }
    numbers
}

#[expect(clippy::cast_possible_truncation, reason = "small prices")]
fn millionths(price: f64) -> i128 {
    (price * 1e6).round() as i128
}

#[tokio::test]
async fn every_value_is_bounded_and_off_by_noise_of_the_stated_size() {
    let visits = rows(51, 6_000, Some(700));
    let bench = Bench::new(&rows(1, 20, None), &visits, |_| {}).await;
    let release = release("visits", &[level("code", None)], Predicate::everything(), measures());
    let worked = run(&bench, vec![noisy(&release)], &Memory::default()).await;
    let batch = read(&worked[0].1);
    let codes = batch.column_by_name("k0").unwrap().as_primitive::<Int64Type>().clone();
    let (mut squares, mut draws) = (0.0, 0.0);
    for row in 0..batch.num_rows() {
        let code = codes.is_valid(row).then(|| codes.value(row));
        let of_code: Vec<&Row> = visits.iter().filter(|visit| visit.code == code).collect();
        for (i, truth) in naive(&of_code).into_iter().enumerate() {
            let value = batch.column_by_name(&format!("m{i}")).unwrap();
            let status = batch.column_by_name(&format!("m{i}_status")).unwrap();
            assert_eq!(status.as_primitive::<UInt8Type>().value(row), 1, "noisy");
            let deviation = batch.column_by_name(&format!("m{i}_sd")).unwrap();
            let deviation = deviation.as_primitive::<Float64Type>().value(row);
            let off = off_by(value, row, truth) / deviation;
            assert!(off.abs() < 6.0, "{code:?} m{i}: off by {off} deviations");
            squares += off * off;
            draws += 1.0;
        }
    }
    assert!(draws > 20.0, "{draws} values");
    assert!(squares / draws > 0.2, "noise is missing: {}", squares / draws);
}

#[expect(clippy::cast_precision_loss, reason = "numbers of a test")]
fn off_by(value: &dyn Array, row: usize, truth: i128) -> f64 {
    if let Some(whole) = value.as_primitive_opt::<Int64Type>() {
        (i128::from(whole.value(row)) - truth) as f64
    } else if let Some(decimals) = value.as_primitive_opt::<Decimal128Type>() {
        (decimals.value(row) - truth) as f64
    } else {
        value.as_primitive::<Float64Type>().value(row) - truth as f64 / 1e6
    }
}

#[tokio::test]
async fn the_same_units_have_the_same_noise_whatever_the_spelling() {
    let visits = rows(52, 6_000, Some(700));
    let bench = Bench::new(&rows(1, 20, None), &visits, |_| {}).await;
    let by_code = release("visits", &[level("code", None)], Predicate::everything(), measures());
    let of = async |release: &Release| {
        let worked = run(&bench, vec![noisy(release)], &Memory::default()).await;
        read(&worked[0].1)
    };
    let all = of(&by_code).await;
    let codes = all.column_by_name("k0").unwrap().as_primitive::<Int64Type>().clone();
    let two = (0..all.num_rows()).find(|row| codes.is_valid(*row) && codes.value(*row) == 2);
    let filter = Predicate::In { level: level("code", None), values: vec![Literal::Int(2)] };
    let alone = of(&release("visits", &[], filter, measures())).await;
    for name in ["m0", "m1", "m2", "m3", "m4", "m5"] {
        let of_all = all.column_by_name(name).unwrap().slice(two.unwrap(), 1);
        assert_eq!(&of_all, alone.column_by_name(name).unwrap(), "{name}");
    }
    assert_eq!(of(&by_code).await, all, "and the same again");
}

#[tokio::test]
async fn sets_of_units_are_those_of_a_naive_count() {
    let visits = rows(53, 4_000, Some(300));
    let bench = Bench::new(&rows(1, 20, None), &visits, |_| {}).await;
    let meth = crate::engine::is("drug", "meth");
    let wire = vec![WireMeasure { of: MeasureOf::Rows, filter: Some(meth) }];
    let release = release("visits", &[level("code", None)], Predicate::everything(), wire);
    let (cells, _) = run(&bench, vec![noisy(&release)], &Memory::default()).await.remove(0);
    let batch = cells.to_batch().unwrap();
    let codes = batch.column_by_name("k0").unwrap().as_primitive::<Int64Type>().clone();
    for cell in 0..cells.len() {
        let code = codes.is_valid(cell).then(|| codes.value(cell));
        let units = |passes: fn(&Row) -> bool| {
            let rows = visits.iter().filter(|row| row.code == code && passes(row));
            rows.filter_map(|row| row.unit.as_deref()).collect::<BTreeSet<_>>()
        };
        let all = units(|_| true);
        let inside = units(|row| row.drug.as_deref() == Some("meth"));
        let outside = units(|row| row.drug.as_deref() != Some("meth"));
        for (population, units) in [&all, &inside, &outside].into_iter().enumerate() {
            assert_eq!(cells.units_of(cell, population, 0), units.len() as u64, "{code:?}");
        }
        let set = |population| cells.set_of(cell, population, 0).unwrap();
        assert_eq!(set(0).is_same(set(1)), all == inside);
        #[expect(clippy::cast_precision_loss, reason = "few units")]
        let apart = all.symmetric_difference(&inside).count() as f64;
        let estimate = set(0).difference(set(1));
        assert!((0.4..1.9).contains(&(estimate / apart)), "{estimate} for {apart}");
    }
}

#[tokio::test]
async fn every_public_combination_is_listed_and_withheld_ones_look_alike() {
    let few = rows(54, 600, Some(400));
    let others: Vec<Row> = rows(55, 600, Some(400))
        .into_iter()
        .filter(|row| row.drug.as_deref() != Some("fentanyl"))
        .collect();
    let by_drug = release(
        "visits",
        &[level("drug", None), level("country", None)],
        Predicate::everything(),
        measures(),
    );
    for protections in [Protections::exact(1_000, 10), Protections::noisy(1_000)] {
        let mut said = Vec::new();
        for visits in [&few, &others] {
            let bench = Bench::new(&rows(1, 20, None), visits, |_| {}).await;
            let job = Job { protections, ..noisy(&by_drug) };
            let (cells, bytes) = run(&bench, vec![job], &Memory::default()).await.remove(0);
            let part = cells.to_part().unwrap();
            assert_eq!((part.listed, part.cells, part.suppressed), (Listed::All, 6, true));
            said.push(bytes);
        }
        assert_eq!(said[0], said[1], "nothing of the data is in the bytes of what is withheld");
    }
}

#[tokio::test]
async fn with_an_open_key_only_what_is_shown_is_listed() {
    let visits = rows(56, 3_000, Some(400));
    let bench = Bench::new(&rows(1, 20, None), &visits, |_| {}).await;
    let by_code = release("visits", &[level("code", None)], Predicate::everything(), measures());
    let job = |min_units| Job { protections: Protections::exact(min_units, 0), ..noisy(&by_code) };
    let (none, _) = run(&bench, vec![job(100_000)], &Memory::default()).await.remove(0);
    let part = none.to_part().unwrap();
    assert_eq!((part.listed, part.cells, part.suppressed), (Listed::Shown, 0, true));
    let (all, _) =
        run(&bench, vec![Job { protections: OPEN, ..job(1) }], &Memory::default()).await.remove(0);
    let part = all.to_part().unwrap();
    assert!((part.listed, part.suppressed) == (Listed::Shown, true) && part.cells > 3);
}

#[tokio::test]
async fn random_bounded_releases_do_not_depend_on_the_order_of_rows() {
    let visits = rows(57, 3_000, Some(200));
    let mut turned = visits.clone();
    turned.reverse();
    let (one, two) =
        (Bench::new(&[], &visits, |_| {}).await, Bench::new(&[], &turned, |_| {}).await);
    let mut dice = Dice::new(5);
    for _ in 0..10 {
        let mut keys = vec![level("code", None)];
        if dice.one_in(2) {
            keys.push(level("day", Some(*dice.of(&[Grain::Quarter, Grain::Year]))));
        }
        let release = release("visits", &keys, Predicate::everything(), measures());
        let job = || Job { protections: Protections::noisy(5), ..noisy(&release) };
        let (_, first) = run(&one, vec![job()], &Memory::default()).await.remove(0);
        let (_, second) = run(&two, vec![job()], &Memory::default()).await.remove(0);
        assert_eq!(first, second);
    }
}
