//! What a hint offers is permitted: over random grants and releases of the wide catalogue, every hint is followed.

use mayag_policies::catalogue::{Catalogue, Dataset, Kind, Named};
use mayag_policies::decide::{Permit, Subject, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Aggregate, Grain, LevelRef, MeasureRef, ReleaseShape};
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use proptest::collection::vec;
use proptest::prelude::{Strategy, any};
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::LazyLock;

static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(Catalogue::domain_pack);
const POLICY: &str = include_str!("../../examples/domain.json");

/// Hints that offer no change.
const PROMISE_NOTHING: [&str; 3] = [
    "`mayag datasets` lists the columns that this country shares with you",
    "`mayag datasets` lists the aggregates that are shared; changing that alone is not enough",
    "grants do not add up, and no one alone covers the release",
];

/// Grants over one dataset of the catalogue: parts of the one in the example.
fn grants(dataset: &Dataset, masks: &[(u32, u64)]) -> Vec<Value> {
    let document: Value = serde_json::from_str(POLICY).unwrap();
    let whole = document["grants"].as_array().unwrap().iter();
    let mut whole = whole.filter(|grant| grant["dataset"] == dataset.name.as_str());
    let whole = whole.next().unwrap();
    let part = |(i, (mask, most)): (usize, &(u32, u64))| {
        let mut grant = whole.clone();
        grant["id"] = format!("g{i}").into();
        grant["why"] = format!("part {i}").into();
        grant["most_levels"] = (*most).into();
        // Never equal to another grant.
        grant["valid_until"] = json!(format!("2027-0{}-01T00:00:00Z", i + 1));
        let columns = grant["columns"].as_object_mut().unwrap();
        let names: Vec<String> = columns.keys().cloned().collect();
        for (at, name) in names.iter().enumerate() {
            if mask >> at & 1 == 0 && 1 < columns.len() {
                columns.remove(name);
            }
        }
        grant
    };
    masks.iter().enumerate().map(part).collect()
}

fn policy(grants: &[Value]) -> Policy {
    let mut document: Value = serde_json::from_str(POLICY).unwrap();
    document["grants"] = grants.into();
    Policy::parse(document.to_string().as_bytes(), &CATALOGUE, |_| Digest::from_bytes([0; 32]))
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

/// Everything that people may write as a level, also what is none.
fn levels(dataset: &Dataset) -> Vec<LevelRef> {
    let mut levels = Vec::new();
    for column in &dataset.columns {
        let grains: Vec<Option<Grain>> = match column.kind {
            Kind::Date {} => std::iter::once(None).chain(Grain::ALL.map(Some)).collect(),
            Kind::Category { .. }
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Number {}
            | Kind::Unit {} => vec![None],
        };
        levels.extend(
            grains.into_iter().map(|grain| LevelRef { column: column.name.clone(), grain }),
        );
        let coarser = column.levels.iter().filter_map(|level| column.virtual_name(level));
        levels.extend(coarser.map(|column| LevelRef { column, grain: None }));
    }
    for name in ["country", "zz_unknown"] {
        levels.push(LevelRef { column: name.parse().unwrap(), grain: None });
    }
    levels
}

fn decided(policy: &Policy, shape: &ReleaseShape) -> Result<Permit, Refusal> {
    let subject = Subject {
        country: "au".parse().unwrap(),
        roles: vec!["analyst".parse().unwrap()],
        purpose: Purpose::Trend,
    };
    decide(policy, &CATALOGUE, &subject, "2026-11-01T00:00:00Z".parse().unwrap(), shape)
}

/// The releases of whoever does what the refusal says: several where it leaves a choice, none where it offers nothing.
fn followed(shape: &ReleaseShape, refusal: &Refusal, dataset: &Dataset) -> Vec<ReleaseShape> {
    let hint = refusal.hint.as_str();
    let subject = refusal.subject.as_deref().unwrap_or_default();
    if let Some(rest) = hint.strip_prefix("write date_trunc('") {
        let (word, rest) = rest.split_once("', ").unwrap();
        let (column, _) = rest.split_once(')').unwrap();
        let grain = Grain::ALL.into_iter().find(|grain| grain.as_str() == word).unwrap();
        return vec![changed(shape, |level| {
            if level.column.as_str() == column && level.grain.unwrap_or(Grain::Day) < grain {
                level.grain = Some(grain);
            }
        })];
    }
    if let Some((new, old)) =
        hint.strip_prefix("write ").and_then(|rest| rest.split_once(" in place of "))
    {
        return vec![changed(shape, |level| {
            if level.column.as_str() == old {
                level.column = new.parse().unwrap();
            }
        })];
    }
    if let Some(rest) = hint.strip_prefix("leave out the quantiles of ") {
        let (column, level) = rest.split_once(": they are read off ").unwrap();
        let mut other = shape.clone();
        other.measures.retain(|of| written(of) != format!("quantile({column})"));
        other.filters.retain(|of| of.to_string() != level);
        return vec![other];
    }
    if let Some(words) = hint.strip_prefix("permitted in its place: ") {
        let with = |word: &str| {
            let aggregate = serde_json::from_value::<Aggregate>(word.into()).unwrap();
            let mut other = shape.clone();
            for measure in other.measures.iter_mut().filter(|of| written(of) == subject) {
                measure.aggregate = aggregate;
                let quantile = aggregate == Aggregate::Quantile;
                other.filters.extend(bins_of(measure, dataset).filter(|_| quantile));
            }
            assert_ne!(other, *shape, "{subject}");
            other
        };
        return words.split(", ").map(with).collect();
    }
    if let Some(words) =
        hint.strip_prefix("grants do not add up; one alone covers the release without ")
    {
        let words: Vec<&str> = words.split(", ").collect();
        let mut other = shape.clone();
        other.keys.retain(|level| !words.contains(&level.to_string().as_str()));
        other.filters.retain(|level| !words.contains(&level.to_string().as_str()));
        other.measures.retain(|measure| !words.contains(&written(measure).as_str()));
        return vec![other];
    }
    if let Some(rest) = hint.strip_prefix("group and filter by at most ") {
        let most: usize = rest.split_once(' ').unwrap().0.parse().unwrap();
        return vec![fewer(shape, most, dataset)];
    }
    let alone = ["quantiles of ", "shared at the finest: "];
    let nothing = PROMISE_NOTHING.contains(&hint)
        || alone.iter().any(|start| hint.starts_with(start))
            && hint.ends_with("; changing that alone is not enough");
    assert!(nothing, "{hint}");
    Vec::new()
}

/// The level that quantiles of a column are read off.
fn bins_of(measure: &MeasureRef, dataset: &Dataset) -> Option<LevelRef> {
    let column = dataset.column(measure.column.as_ref()?.column.as_str())?;
    column.bins().map(|bins| bins.level)
}

/// The release with no more than so many columns in its keys and filters.
fn fewer(shape: &ReleaseShape, most: usize, dataset: &Dataset) -> ReleaseShape {
    let base = |level: &LevelRef| {
        let column = dataset.named(level).and_then(Named::column);
        column.map(|column| column.name.clone())
    };
    let mut kept = Vec::new();
    let mut keep = |level: &LevelRef| {
        let Some(column) = base(level) else { return true };
        if kept.contains(&column) {
            return true;
        }
        let room = kept.len() < most;
        if room {
            kept.push(column);
        }
        room
    };
    let mut other = shape.clone();
    other.keys.retain(&mut keep);
    other.filters.retain(&mut keep);
    other
}

fn changed(shape: &ReleaseShape, change: impl Fn(&mut LevelRef)) -> ReleaseShape {
    let mut other = shape.clone();
    let measured = other.measures.iter_mut().filter_map(|measure| measure.column.as_mut());
    other.keys.iter_mut().chain(&mut other.filters).chain(measured).for_each(change);
    assert_ne!(other, *shape);
    other
}

fn written(measure: &MeasureRef) -> String {
    match &measure.column {
        Some(level) => format!("{}({level})", measure.aggregate.as_str()),
        None => measure.aggregate.as_str().to_owned(),
    }
}

/// Releases of one dataset, drawn by places in its list of levels.
fn shape(dataset: &Dataset, (keys, filters, measures): &Drawn) -> ReleaseShape {
    let levels = levels(dataset);
    let level = |at: &usize| levels[at % levels.len()].clone();
    let measure = |(aggregate, at): &(usize, usize)| {
        let aggregate = Aggregate::ALL[aggregate % Aggregate::ALL.len()];
        let alone = matches!(aggregate, Aggregate::Count | Aggregate::CountDistinct) && at % 3 == 0;
        MeasureRef { aggregate, column: (!alone).then(|| level(at)) }
    };
    let measures: Vec<MeasureRef> = measures.iter().map(measure).collect();
    let quantiles = measures.iter().filter(|of| of.aggregate == Aggregate::Quantile);
    let bins = quantiles.filter_map(|of| bins_of(of, dataset));
    ReleaseShape {
        dataset: dataset.name.clone(),
        keys: keys.iter().map(level).collect(),
        filters: filters.iter().map(level).chain(bins).collect(),
        measures,
    }
}

type Drawn = (Vec<usize>, Vec<usize>, Vec<(usize, usize)>);

fn drawn() -> impl Strategy<Value = Drawn> {
    let at = || 0_usize..1_000;
    (vec(at(), 0..5), vec(at(), 0..3), vec((at(), at()), 0..2))
}

#[test]
fn a_hint_that_offers_a_change_was_decided_again() {
    // Most columns are shared, or hardly any release would be permitted after one change.
    let mask = any::<(u32, u32)>().prop_map(|(a, b)| a | b);
    let masks = vec((mask, 1_u64..4), 1..4);
    let mut runner =
        TestRunner::new(Config { cases: 2_000, failure_persistence: None, ..Config::default() });
    let offered = std::cell::RefCell::new(BTreeMap::<Code, (usize, usize)>::new());
    let outcome = runner.run(&(0_usize..1_000, masks, vec(drawn(), 8)), |(at, masks, shapes)| {
        let dataset = &CATALOGUE.datasets[at % CATALOGUE.datasets.len()];
        let policy = policy(&grants(dataset, &masks));
        for drawn in &shapes {
            let shape = shape(dataset, drawn);
            let Err(refusal) = decided(&policy, &shape) else { continue };
            let changes = followed(&shape, &refusal, dataset);
            for change in &changes {
                let again = decided(&policy, change);
                assert!(
                    again.is_ok(),
                    "{shape:?}\n{refusal}: {}\n{change:?}: {again:?}",
                    refusal.hint
                );
            }
            let mut counts = offered.borrow_mut();
            let (with, without) = counts.entry(refusal.code).or_default();
            *(if changes.is_empty() { without } else { with }) += 1;
        }
        Ok(())
    });
    outcome.unwrap();
    // Every kind of hint was there, with and without an offer.
    let offered = offered.into_inner();
    for code in [Code::AggregateNotShared, Code::ColumnNotShared, Code::LevelTooFine] {
        let (with, without) = offered[&code];
        // Some thirty are expected of the rarest: fewer than six do not happen by chance.
        assert!(5 < with && 20 < without, "{code}: {with}, {without}");
    }
    assert!(20 < offered[&Code::TooManyLevels].0, "{offered:?}");
}
