//! Declared joins: what the engine answers is what plain DataFusion answers over the join of what both owners let through,
//! and the units of both datasets are protected.

use crate::engine::{Bench, Dice, OPEN, Row, catalogue, level, measure, release, rows};
use crate::engine_oracle::{
    any_predicate, any_release, assert_same, expected, oracle, release_sql,
};
use crate::noisy::{Fixed, read};
use arrow::array::Array as _;
use mayag_disclosure::{
    DataVersion, DifferenceGuard, Memory, Protections, ReleaseContext, protect, protect_question,
};
use mayag_node::engine::WorkFailure;
use mayag_node::engine::cells::RawCells;
use mayag_node::engine::pool::{Job, PoolError};
use mayag_policies::shape::{LevelRef, Predicate};
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::collections::BTreeSet;
use std::time::Duration;

const JOINED: &str = "visits__incidents";

/// Visits whose units repeat, and an incident for most of the units, each once.
fn data(seed: u64) -> (Vec<Row>, Vec<Row>) {
    let visits = rows(seed, 4_000, Some(300));
    let units: BTreeSet<&String> = visits.iter().filter_map(|row| row.unit.as_ref()).collect();
    let mut incidents = rows(seed + 1, units.len() * 2, None);
    for (i, (incident, unit)) in incidents.iter_mut().zip(&units).enumerate() {
        // Every ninth unit has no incident, and half of the incidents have no visit.
        if i % 9 != 0 {
            incident.unit = Some((*unit).clone());
        }
    }
    (visits, incidents)
}

async fn run(bench: &Bench, job: Job) -> Result<RawCells, WorkFailure> {
    let deadline = tokio::time::Instant::now() + Duration::from_mins(2);
    let protections = job.protections;
    Ok(protect(bench.pool.run(job, deadline).await?, &protections).into_inner())
}

/// Whether the only value of the only cell leaves the node.
fn is_shown(cells: &RawCells) -> bool {
    let batch = read(&cells.to_part().unwrap().bytes);
    batch.num_rows() == 1 && batch.column_by_name("m0").unwrap().is_valid(0)
}

/// A release of visits as one of the join, with some of its levels on the other side.
fn moved(release: Release, dice: &mut Dice) -> Release {
    let catalogue = catalogue();
    let join = catalogue.join_named(&JOINED.parse().unwrap()).unwrap();
    let level = |level: LevelRef, dice: &mut Dice| {
        if dice.one_in(2) { join.level(&level).unwrap() } else { level }
    };
    let filter = |filter: Predicate, dice: &mut Dice| {
        if dice.one_in(2) { join.predicate(&filter).unwrap() } else { filter }
    };
    let mut keys: Vec<LevelRef> = Vec::new();
    for key in release.keys {
        keys.push(level(key, dice));
    }
    let mut wire: Vec<WireMeasure> = Vec::new();
    for WireMeasure { of, filter: only } in release.wire {
        let of = match of {
            MeasureOf::Max(of) => MeasureOf::Max(level(of, dice)),
            MeasureOf::Min(of) => MeasureOf::Min(level(of, dice)),
            of @ (MeasureOf::DistinctUnits
            | MeasureOf::NonNull(_)
            | MeasureOf::Pair { .. }
            | MeasureOf::Rows
            | MeasureOf::Sum { .. }
            | MeasureOf::SumCentred { .. }
            | MeasureOf::SumOfSquares { .. }) => of,
        };
        wire.push(WireMeasure { of, filter: only.map(|only| filter(only, dice)) });
    }
    let dataset = JOINED.parse().unwrap();
    Release { dataset, keys, filter: filter(release.filter, dice), wire, ..release }
}

#[tokio::test]
async fn random_releases_of_a_join_equal_sql_over_what_both_owners_let_through() {
    let (visits, incidents) = data(21);
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let context = oracle(&bench).await;
    let others: Vec<String> = ["unit", "drug", "code", "day", "mass", "price", "pieces"]
        .map(|name| format!("i.{name} AS incidents__{name}"))
        .to_vec();
    let view = format!(
        "CREATE VIEW {JOINED} AS SELECT v.*, {} FROM visits v JOIN incidents i ON v.unit = i.unit",
        others.join(", ")
    );
    context.sql(&view).await.unwrap();
    let catalogue = catalogue();
    let join = catalogue.join_named(&JOINED.parse().unwrap()).unwrap();
    let mut dice = Dice::new(5);
    let mut cells = 0;
    for _ in 0..150 {
        let release = moved(any_release(&mut dice, "visits"), &mut dice);
        let owner = |dice: &mut Dice| match dice.below(3) {
            0 => Predicate::everything(),
            _ => any_predicate(dice, 1),
        };
        let (own, other) = (owner(&mut dice), owner(&mut dice));
        let rows = Predicate::All(vec![own.clone(), join.predicate(&other).unwrap()]);
        let sql = release_sql(&release, &rows);
        let job = Job { joined_rows: other, ..Job::new(release.clone(), own, OPEN) };
        let found = run(&bench, job).await.unwrap_or_else(|failure| panic!("{sql}\n{failure}"));
        let found = found.to_batch().unwrap();
        cells += found.num_rows();
        assert_same(&found, &expected(&context, &sql).await, &release, &sql);
    }
    assert!(cells > 500, "only {cells} cells were compared");
}

/// Many visits of few incidents are few units.
#[tokio::test]
async fn the_units_of_both_datasets_have_to_be_many() {
    let (visits, _) = data(33);
    // All visits meet five incidents.
    let visits: Vec<Row> = visits
        .into_iter()
        .enumerate()
        .map(|(i, row)| Row { unit: Some(format!("case-{}", i % 5)), ..row })
        .collect();
    let mut incidents = rows(34, 5, None);
    for (i, incident) in incidents.iter_mut().enumerate() {
        incident.unit = Some(format!("case-{i}"));
    }
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let all = release(JOINED, &[], Predicate::everything(), vec![measure(MeasureOf::Rows)]);
    for (least, shown) in [(5, true), (6, false)] {
        let protections = Protections::exact(least, 0);
        let job = Job::new(all.clone(), Predicate::everything(), protections);
        let cells = run(&bench, job).await.unwrap();
        assert_eq!(is_shown(&cells), shown, "at least {least}");
    }
}

/// The same visits with and without the join are the same units: one of the two would tell what the join leaves out.
#[tokio::test]
async fn cells_of_a_join_are_compared_with_cells_of_its_datasets() {
    let (visits, mut incidents) = data(41);
    let units: BTreeSet<&String> = visits.iter().filter_map(|row| row.unit.as_ref()).collect();
    // Now every unit but three has an incident.
    for (incident, unit) in incidents.iter_mut().zip(units.iter().skip(3)) {
        incident.unit = Some((*unit).clone());
    }
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let on = |dataset: &str, at: &[(&str, u16)]| {
        let protections =
            Protections { difference_guard: DifferenceGuard::On, ..Protections::exact(10, 0) };
        let all = release(dataset, &[], Predicate::everything(), vec![measure(MeasureOf::Rows)]);
        let context = ReleaseContext {
            dataset: "visits".to_owned(),
            version: DataVersion([1; 32]),
            protections,
            kinds: at.iter().map(|(name, kind)| ((*name).to_owned(), *kind)).collect(),
        };
        (Job::new(all, Predicate::everything(), protections), context)
    };
    let plain = on("visits", &[("visits", 0)]);
    let joined = on(JOINED, &[("visits", 0), ("incidents", 0)]);
    let other = on("incidents", &[("incidents", 0)]);
    for (first, second, expected) in [
        (&plain, &joined, [true, false]),
        (&joined, &plain, [true, false]),
        (&joined, &joined, [true, true]),
        (&other, &plain, [true, true]),
    ] {
        let mut memory = Memory::default();
        for ((job, context), expected) in [first, second].into_iter().zip(expected) {
            let deadline = tokio::time::Instant::now() + Duration::from_mins(2);
            let cells = bench.pool.run(job.clone(), deadline).await.unwrap();
            let question = protect_question(vec![(cells, context.clone())], &Fixed, &memory);
            let records = question.records().to_vec();
            let cells = question.into_releases().pop().unwrap().into_inner();
            assert_eq!(is_shown(&cells), expected, "{}", job.release.dataset);
            for record in records {
                memory.remember(record);
            }
        }
    }
}

/// The other dataset has to hold each key once, or rows would be multiplied.
#[tokio::test]
async fn keys_that_repeat_are_found_at_the_start() {
    let (visits, mut incidents) = data(52);
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    bench.pool.check().await.unwrap();
    incidents[3].unit = incidents[4].unit.clone();
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let Err(PoolError::Data(findings)) = bench.pool.check().await else { panic!("not found") };
    let texts: Vec<String> = findings.iter().map(ToString::to_string).collect();
    assert!(texts.iter().any(|text| text.contains("is joined with one row of it")), "{texts:?}");
}

#[tokio::test]
async fn a_unit_that_is_not_the_first_can_be_counted() {
    let (visits, incidents) = data(61);
    let bench = Bench::new(&incidents, &visits, |_| {}).await;
    let mut of_both = release(
        JOINED,
        &[level("drug", None)],
        Predicate::everything(),
        vec![measure(MeasureOf::DistinctUnits)],
    );
    let open = |release: &Release| Job::new(release.clone(), Predicate::everything(), OPEN);
    let first = run(&bench, open(&of_both)).await.unwrap().to_batch().unwrap();
    of_both.counted = Some("incidents__unit".parse().unwrap());
    let other = run(&bench, open(&of_both)).await.unwrap().to_batch().unwrap();
    assert_same(&first, &other, &of_both, "a unit of visits is the unit of its incident");
    of_both.counted = Some("drug".parse().unwrap());
    assert!(run(&bench, open(&of_both)).await.is_err(), "no unit");
}
