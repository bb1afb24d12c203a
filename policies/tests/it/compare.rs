//! The comparison of policies against a naive evaluator: every small question of everybody, decided under both.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::compare::{Change, compare};
use mayag_policies::decide::{Noise, Permit, Subject, Switch, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{
    Aggregate, Comparison, Grain, LevelRef, Literal, MeasureRef, Predicate, ReleaseShape,
};
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::prelude::{ProptestConfig, Strategy, proptest};
use proptest::prop_assert_eq;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const NOW: &str = "2026-06-01T00:00:00Z";
const LATER: &str = "2026-09-01T00:00:00Z";

fn column_use() -> impl Strategy<Value = (String, Value)> {
    let choices = vec![
        ("drug", json!({ "dimension": {} })),
        ("region", json!({ "dimension": {} })),
        ("seized_on", json!({ "dimension": { "finest": "month" } })),
        ("seized_on", json!({ "dimension": { "finest": "year" } })),
        ("quantity", json!({ "measure": { "aggregates": ["sum"], "high": 10 } })),
        ("quantity", json!({ "measure": { "aggregates": ["sum", "avg"], "high": 20 } })),
        ("seizure_id", json!({ "unit": { "count": true } })),
    ];
    select(choices).prop_map(|(name, used)| (name.to_owned(), used))
}

fn row_filter() -> impl Strategy<Value = Value> {
    select(vec![
        json!([]),
        json!([{ "column": "fiscal_year", "is": "from", "values": [2020] }]),
        json!([{ "column": "fiscal_year", "is": "before", "values": [2022] }]),
        json!([{ "column": "drug", "is": "in", "values": ["Heroin", "Cocaine"] }]),
        json!([{ "column": "drug", "is": "not_in", "values": ["Heroin"] },
               { "column": "fiscal_year", "is": "in", "values": [2020, 2021] }]),
    ])
}

fn grant() -> impl Strategy<Value = Value> {
    let who = (
        select(vec![json!("any"), json!(["au"]), json!(["au", "kr"])]),
        subsequence(vec!["analyst", "liaison"], 1..=2),
        subsequence(vec!["TREND", "BORDER"], 1..=2),
        select(vec![None, Some(LATER)]),
    );
    let protections = (select(vec![5, 10]), select(vec![10, 20]), select(vec![1, 5]));
    let noise =
        select(vec![None, Some(json!("off")), Some(json!({ "largest": 5, "variance": 3 }))]);
    let budget = select(vec![None, Some(10), Some(20)]);
    (who, vec(column_use(), 1..4), row_filter(), protections, noise, budget).prop_map(
        |((countries, roles, purposes, until), columns, rows, (min, p, round), noise, budget)| {
            let columns: serde_json::Map<String, Value> = columns.into_iter().collect();
            let mut grant = json!({
                "why": "x", "to": { "countries": countries, "roles": roles }, "purposes": purposes,
                "dataset": "seizures", "columns": columns, "rows": rows, "min_units": min, "p_percent": p,
                "round_to": round, "difference_guard": "off"
            });
            if let Some(until) = until {
                grant["valid_until"] = json!(until);
            }
            if let Some(noise) = noise {
                grant["noise"] = noise;
            }
            if let Some(budget) = budget {
                grant["budget"] = json!({ "person": budget });
            }
            grant
        },
    )
}

/// Up to two grants, as different ids so that the first by id changes too.
fn grants() -> impl Strategy<Value = Vec<Value>> {
    btree_map("[a-c]", grant(), 0..3).prop_map(|grants| {
        let mut named: Vec<Value> = Vec::new();
        for (id, mut grant) in grants {
            // Two grants that say the same are refused.
            let same = |other: &Value| {
                let mut other = other.clone();
                other["id"] = Value::Null;
                let mut grant = grant.clone();
                grant["id"] = Value::Null;
                other == grant
            };
            if !named.iter().any(same) {
                grant["id"] = json!(id);
                named.push(grant);
            }
        }
        named
    })
}

fn policy(grants: &[Value]) -> Policy {
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
        "why": "x", "grants": grants
    });
    Policy::parse(document.to_string().as_bytes(), &Catalogue::builtin(), |_| {
        Digest::from_bytes([0; 32])
    })
    .unwrap()
}

fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for country in ["au", "kr", "nz"] {
        for roles in [vec!["analyst"], vec!["liaison"], vec!["analyst", "liaison"]] {
            for purpose in [Purpose::Trend, Purpose::Border] {
                subjects.push(Subject {
                    country: country.parse().unwrap(),
                    roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
                    purpose,
                });
            }
        }
    }
    subjects
}

/// Every release of at most three things.
fn shapes() -> Vec<ReleaseShape> {
    let level = |column: &str, grain| LevelRef { column: column.parse().unwrap(), grain };
    let levels = [
        level("drug", None),
        level("region", None),
        level("seized_on", Some(Grain::Month)),
        level("seized_on", Some(Grain::Year)),
    ];
    let of = |aggregate, column: Option<LevelRef>| MeasureRef { aggregate, column };
    let measures = [
        of(Aggregate::Sum, Some(level("quantity", None))),
        of(Aggregate::Avg, Some(level("quantity", None))),
        of(Aggregate::Count, Some(level("quantity", None))),
        of(Aggregate::CountDistinct, None),
        of(Aggregate::Max, Some(level("drug", None))),
        // Every grant without noise covers it, so it keeps apart what grants with noise would make noisy.
        of(Aggregate::Max, Some(level("country", None))),
    ];
    let all = levels.len() + measures.len();
    let subsets = (0_u32..1 << all).filter(|subset| subset.count_ones() <= 3);
    let has = |subset: u32, i: usize| subset >> i & 1 == 1;
    subsets
        .map(|subset| ReleaseShape {
            dataset: "seizures".parse().unwrap(),
            keys: (0..levels.len())
                .filter(|i| has(subset, *i))
                .map(|i| levels[i].clone())
                .collect(),
            filters: vec![],
            measures: (0..measures.len())
                .filter(|i| has(subset, levels.len() + i))
                .map(|i| measures[i].clone())
                .collect(),
        })
        .collect()
}

/// A row: fiscal year and drug.
type Row = (Option<i64>, Option<&'static str>);

fn passes(filter: &Predicate, row: Row) -> Option<bool> {
    let value = |level: &LevelRef| match level.column.as_str() {
        "fiscal_year" => row.0.map(Literal::Int),
        "drug" => row.1.map(|drug| Literal::Text(drug.to_owned())),
        other => panic!("{other}"),
    };
    match filter {
        Predicate::All(parts) => Some(parts.iter().all(|part| passes(part, row) == Some(true))),
        Predicate::Not(part) => passes(part, row).map(|passes| !passes),
        Predicate::In { level, values } => value(level).map(|value| values.contains(&value)),
        Predicate::Compare { level, comparison, value: than } => {
            value(level).map(|value| match comparison {
                Comparison::Less => value < *than,
                Comparison::GreaterOrEqual => value >= *than,
                Comparison::Equal
                | Comparison::Greater
                | Comparison::LessOrEqual
                | Comparison::NotEqual => panic!("{comparison:?}"),
            })
        }
        Predicate::Any(_) | Predicate::IsNull { .. } => panic!("{filter:?}"),
    }
}

fn rows(filter: &Predicate) -> Vec<bool> {
    let years = [None, Some(2019), Some(2020), Some(2021), Some(2022)];
    let drugs = [None, Some("Heroin"), Some("Cocaine"), Some("Other")];
    let rows = years.iter().flat_map(|year| drugs.map(|drug| (*year, drug)));
    rows.map(|row| passes(filter, row) == Some(true)).collect()
}

/// In how many ways a permit is looser or stricter: each number is larger where the permit is stricter.
fn strictness(permit: &Permit, shape: &ReleaseShape) -> Vec<i64> {
    let protections = permit.protections();
    let limit = |limit: Option<u64>| limit.map_or(i64::MIN, |limit| -i64::try_from(limit).unwrap());
    let noise = match protections.noise {
        Noise::Off => [0, 0],
        Noise::On { largest, variance } => [i64::from(largest), i64::from(variance)],
    };
    let column = "quantity".parse().unwrap();
    let summed = shape.measures.iter().any(|m| m.aggregate == Aggregate::Sum);
    let bounds = permit.bounds(&column).filter(|_| summed && protections.noise != Noise::Off);
    vec![
        i64::try_from(protections.min_units).unwrap(),
        i64::from(protections.p_percent),
        i64::try_from(protections.round_to).unwrap(),
        -i64::try_from(protections.most_rows).unwrap(),
        i64::from(protections.difference_guard == Switch::On),
        noise[0],
        noise[1],
        limit(permit.budget().person),
        bounds.map_or(0, |bounds| -bounds.high),
    ]
}

/// What a naive evaluator finds: whether anything widens, and whether anything narrows.
#[derive(Debug, Default, Clone, Copy)]
struct Found {
    widens: bool,
    narrows: bool,
}

fn naive(old: &Policy, new: &Policy) -> Found {
    let catalogue = Catalogue::builtin();
    let mut found = Found::default();
    let shapes = shapes();
    for now in [NOW, LATER].map(|at| at.parse::<Timestamp>().unwrap()) {
        for subject in subjects() {
            for shape in &shapes {
                let decide = |policy| decide(policy, &catalogue, &subject, now, shape).ok();
                found.add(decide(old).as_ref(), decide(new).as_ref(), shape);
            }
        }
    }
    found
}

impl Found {
    fn add(&mut self, old: Option<&Permit>, new: Option<&Permit>, shape: &ReleaseShape) {
        let (Some(old), Some(new)) = (old, new) else {
            self.widens |= new.is_some();
            self.narrows |= old.is_some();
            return;
        };
        for (was, is) in rows(old.rows()).into_iter().zip(rows(new.rows())) {
            self.widens |= is && !was;
            self.narrows |= was && !is;
        }
        let noisy = |permit: &Permit| permit.protections().noise != Noise::Off;
        let (a, b) = (strictness(old, shape), strictness(new, shape));
        // Bounds, the last, are compared only where noise is scaled to them on both sides.
        let compared = a.len() - usize::from(!(noisy(old) && noisy(new)));
        for (was, is) in a.iter().zip(&b).take(compared) {
            self.widens |= is < was;
            self.narrows |= was < is;
        }
    }

    fn change(self) -> Change {
        match (self.widens, self.narrows) {
            (true, true) => Change::Both,
            (true, false) => Change::Widens,
            (false, true) => Change::Narrows,
            (false, false) => Change::Equal,
        }
    }
}

proptest! {
    // Each case decides some ten thousand questions.
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn the_comparison_is_what_a_naive_evaluator_finds(old in grants(), new in grants(), keep in 0_usize..3) {
        // Mostly nearly the same policies: what differs everywhere is easily found.
        let mut new: Vec<Value> = new.into_iter().skip(keep).collect();
        for grant in &old {
            if keep > 0 && new.iter().all(|other| other["id"] != grant["id"]) {
                new.push(grant.clone());
            }
        }
        let unique = |grant: &Value| { let mut grant = grant.clone(); grant["id"] = Value::Null; grant };
        if new.len() == 2 && unique(&new[0]) == unique(&new[1]) {
            new.truncate(1);
        }
        let (old, new) = (policy(&old), policy(&new));
        let found = naive(&old, &new);
        let comparison = compare(&Catalogue::builtin(), Some(&old), &new, NOW.parse().unwrap());
        prop_assert_eq!(comparison.change, found.change(), "{:#?}", comparison.differences);
        let back = compare(&Catalogue::builtin(), Some(&new), &old, NOW.parse().unwrap());
        prop_assert_eq!(back.change, Found { widens: found.narrows, narrows: found.widens }.change(), "{:#?}", back.differences);
    }

    #[test]
    fn the_same_policy_under_other_ids_that_keep_their_order_is_equal(grants in grants()) {
        let renamed: Vec<Value> = grants.iter().map(|grant| {
            let mut grant = grant.clone();
            grant["id"] = json!(format!("{}-2", grant["id"].as_str().unwrap()));
            grant
        }).collect();
        let (old, new) = (policy(&grants), policy(&renamed));
        let comparison = compare(&Catalogue::builtin(), Some(&old), &new, NOW.parse().unwrap());
        prop_assert_eq!(comparison.change, Change::Equal);
        let first = compare(&Catalogue::builtin(), None, &new, NOW.parse().unwrap());
        prop_assert_eq!(first.change, Found { widens: !grants.is_empty(), narrows: false }.change());
    }
}

/// What a second grant without noise shows beside a noisy one: whatever the noisy one does not cover is exact.
#[test]
fn a_grant_without_noise_beside_a_noisy_one_widens_and_narrows() {
    let grant = |id: &str, high: u64, noise: Value| {
        json!({
            "id": id, "why": "x", "to": { "countries": "any", "roles": ["liaison"] }, "purposes": ["TREND"],
            "dataset": "seizures", "min_units": 5, "difference_guard": "off", "noise": noise,
            "columns": { "quantity": { "measure": { "aggregates": ["sum"], "high": high } } }
        })
    };
    let noisy = grant("a", 20, json!({ "largest": 5, "variance": 3 }));
    let (old, new) =
        (policy(std::slice::from_ref(&noisy)), policy(&[noisy, grant("c", 10, json!("off"))]));
    let found = naive(&old, &new);
    assert_eq!(found.change(), Change::Both);
    let comparison = compare(&Catalogue::builtin(), Some(&old), &new, NOW.parse().unwrap());
    assert_eq!(comparison.change, found.change(), "{:#?}", comparison.differences);
}

#[test]
fn sentences_say_who_can_newly_see_what() {
    let grant = |countries: Value, columns: Value, min_units: u64| {
        json!({
            "id": "a", "why": "x", "to": { "countries": countries, "roles": ["analyst"] }, "purposes": ["TREND"],
            "dataset": "seizures", "columns": columns, "min_units": min_units
        })
    };
    let narrow =
        json!({ "drug": { "dimension": {} }, "seized_on": { "dimension": { "finest": "year" } } });
    let wide = json!({
        "drug": { "dimension": {} }, "region": { "dimension": {} },
        "seized_on": { "dimension": { "finest": "month" } }
    });
    let said = |old: &Policy, new: &Policy| {
        let comparison = compare(&Catalogue::builtin(), Some(old), new, NOW.parse().unwrap());
        let lines = comparison.differences.iter().map(ToString::to_string);
        lines.collect::<Vec<_>>()
    };
    let old = policy(&[grant(json!(["au", "kr"]), narrow.clone(), 10)]);
    let new = policy(&[grant(json!(["au", "kr"]), wide, 5)]);
    assert_eq!(
        said(&old, &new),
        [
            "seizures: au, kr · analyst · TREND: min_units 10 → 5",
            "seizures: au, kr · analyst · TREND: may now group and filter by seized_on by month, seized_on by quarter, region",
        ]
    );
    let everybody = policy(&[grant(json!("any"), narrow, 10)]);
    let said = said(&old, &everybody);
    assert_eq!(said[0], "seizures: all countries but au, kr · analyst · TREND: may now ask of it");
}

/// Grants of which each shares everything but one thing: any set of them covers some release that nobody else covers.
fn all_but_one(min_units: u64) -> Policy {
    let dimensions = ["agency", "area", "drug", "month", "region", "transport"];
    let aggregates = ["avg", "count", "stddev", "sum", "variance"];
    let measures = ["purity_pct", "quantity"];
    let all = dimensions.len() + aggregates.len() * measures.len();
    let grant = |left_out: usize| {
        let shared = dimensions.iter().enumerate().filter(|(i, _)| *i != left_out);
        let mut columns: serde_json::Map<String, Value> =
            shared.map(|(_, name)| ((*name).to_owned(), json!({ "dimension": {} }))).collect();
        for (m, measure) in measures.iter().enumerate() {
            let first = dimensions.len() + m * aggregates.len();
            let shared = aggregates.iter().enumerate().filter(|(i, _)| first + i != left_out);
            let shared: Vec<&&str> = shared.map(|(_, name)| name).collect();
            columns.insert((*measure).to_owned(), json!({ "measure": { "aggregates": shared } }));
        }
        json!({
            "id": format!("g{left_out:03}"), "why": "x", "to": { "countries": "any", "roles": ["analyst"] },
            "purposes": ["TREND"], "dataset": "seizures", "columns": columns, "min_units": min_units
        })
    };
    policy(&(0..all).map(grant).collect::<Vec<Value>>())
}

#[test]
fn policies_with_too_many_cases_count_as_changed() {
    let (old, new) = (all_but_one(10), all_but_one(11));
    let comparison = compare(&Catalogue::builtin(), Some(&old), &new, NOW.parse().unwrap());
    assert_eq!(comparison.change, Change::Both);
    assert!(comparison.differences[0].sentence.contains("too many different cases"));
}
