//! Properties of decisions over random policies and releases.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Permit, Subject, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Aggregate, Grain, LevelRef, MeasureRef, ReleaseShape};
use mayag_policies::shared::shared;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use proptest::collection::{btree_map, vec};
use proptest::option;
use proptest::prelude::{Strategy, any, prop_oneof, proptest};
use proptest::sample::select;
use proptest::{prop_assert, prop_assert_eq};
use serde_json::{Value, json};

const UNKNOWN: &str = "zz_unknown";

fn grain() -> impl Strategy<Value = Grain> {
    select(Grain::ALL.to_vec())
}

/// A column and a use that fits it.
fn column_use() -> impl Strategy<Value = (String, Value)> {
    let dimension = select(vec!["drug", "region", "fiscal_year", "month"])
        .prop_map(|name| (name.to_owned(), json!({ "dimension": {} })));
    let date = grain()
        .prop_map(|grain| ("seized_on".to_owned(), json!({ "dimension": { "finest": grain } })));
    let measure = (select(vec!["quantity", "purity_pct"]), 1_usize..31).prop_map(|(name, mask)| {
        let chosen = |(i, aggregate): (usize, Aggregate)| (mask >> i & 1 == 1).then_some(aggregate);
        let aggregates: Vec<Aggregate> =
            Aggregate::OF_MEASURES.into_iter().enumerate().filter_map(chosen).collect();
        (name.to_owned(), json!({ "measure": { "aggregates": aggregates } }))
    });
    let unit = any::<bool>()
        .prop_map(|count| ("seizure_id".to_owned(), json!({ "unit": { "count": count } })));
    let hidden = select(vec!["officer_note", "transport"])
        .prop_map(|name| (name.to_owned(), json!("hidden")));
    prop_oneof![3 => dimension, 2 => date, 2 => measure, 1 => unit, 1 => hidden]
}

/// A grant without an id; some do not apply to the person who asks.
fn grant() -> impl Strategy<Value = Value> {
    let columns = vec(column_use(), 1..6);
    let role = prop_oneof![5 => select(vec!["analyst"]), 1 => select(vec!["liaison"])];
    let purpose = prop_oneof![5 => select(vec!["TREND"]), 1 => select(vec!["BORDER"])];
    let year = select(vec![None, Some(2020), Some(2021)]);
    (columns, role, purpose, 5_u64..40, 1_u32..40, year).prop_map(|(columns, role, purpose, min, p, year)| {
        let columns: serde_json::Map<String, Value> =
            [("area".to_owned(), json!({ "dimension": {} }))].into_iter().chain(columns).collect();
        let rows: Vec<Value> =
            year.into_iter().map(|year| json!({ "column": "fiscal_year", "is": "from", "values": [year] })).collect();
        json!({
            "why": "x", "to": { "countries": "any", "roles": [role] }, "purposes": [purpose], "dataset": "seizures",
            "columns": columns, "rows": rows, "min_units": min, "p_percent": p
        })
    })
}

/// Grants by id.
fn grants() -> impl Strategy<Value = Vec<Value>> {
    btree_map("[a-f]", grant(), 0..5).prop_map(|grants| {
        let named = |(id, mut grant): (String, Value)| {
            grant["id"] = json!(id);
            // Never equal to another grant.
            grant["valid_until"] =
                json!(format!("2026-12-{:02}T00:00:00Z", 10 + id.as_bytes()[0] - b'a'));
            grant
        };
        grants.into_iter().map(named).collect()
    })
}

fn level() -> impl Strategy<Value = LevelRef> {
    let names = vec![
        "drug",
        "region",
        "fiscal_year",
        "area",
        "country",
        "officer_note",
        "quantity",
        UNKNOWN,
    ];
    let plain =
        select(names).prop_map(|name| LevelRef { column: name.parse().unwrap(), grain: None });
    let date = option::of(grain())
        .prop_map(|grain| LevelRef { column: "seized_on".parse().unwrap(), grain });
    prop_oneof![3 => plain, 2 => date]
}

fn measure() -> impl Strategy<Value = MeasureRef> {
    let of_measure =
        (select(Aggregate::OF_MEASURES.to_vec()), select(vec!["quantity", "purity_pct", "drug"]))
            .prop_map(|(aggregate, name)| MeasureRef {
                aggregate,
                column: Some(LevelRef { column: name.parse().unwrap(), grain: None }),
            });
    let of_level = (select(vec![Aggregate::Min, Aggregate::Max, Aggregate::Count]), level())
        .prop_map(|(aggregate, level)| MeasureRef { aggregate, column: Some(level) });
    let of_rows = select(vec![Aggregate::Count, Aggregate::CountDistinct])
        .prop_map(|aggregate| MeasureRef { aggregate, column: None });
    prop_oneof![2 => of_measure, 1 => of_level, 2 => of_rows]
}

fn shape() -> impl Strategy<Value = ReleaseShape> {
    (vec(level(), 0..3), vec(level(), 0..2), vec(measure(), 0..3)).prop_map(
        |(keys, filters, measures)| ReleaseShape {
            dataset: "seizures".parse().unwrap(),
            keys,
            filters,
            measures,
        },
    )
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

fn analyst() -> Subject {
    Subject {
        country: "au".parse().unwrap(),
        roles: vec!["analyst".parse().unwrap()],
        purpose: Purpose::Trend,
    }
}

fn now() -> Timestamp {
    "2026-06-01T00:00:00Z".parse().unwrap()
}

fn decided(grants: &[Value], shape: &ReleaseShape) -> Result<Permit, Refusal> {
    decide(&policy(grants), &Catalogue::builtin(), &analyst(), now(), shape)
}

/// The shape with another column in the place of one.
fn renamed(shape: &ReleaseShape, from: &str, to: &str) -> ReleaseShape {
    let level = |level: &LevelRef| LevelRef {
        column: if level.column.as_str() == from {
            to.parse().unwrap()
        } else {
            level.column.clone()
        },
        grain: if level.column.as_str() == from { None } else { level.grain },
    };
    ReleaseShape {
        dataset: shape.dataset.clone(),
        keys: shape.keys.iter().map(level).collect(),
        filters: shape.filters.iter().map(level).collect(),
        measures: shape
            .measures
            .iter()
            .map(|measure| MeasureRef {
                aggregate: measure.aggregate,
                column: measure.column.as_ref().map(level),
            })
            .collect(),
    }
}

proptest! {
    #[test]
    fn adding_a_grant_never_refuses_and_removing_one_never_permits(
        mut grants in grants(), at in any::<proptest::sample::Index>(), shape in shape(),
    ) {
        let with = decided(&grants, &shape);
        if grants.is_empty() {
            prop_assert!(with.is_err());
        } else {
            grants.remove(at.index(grants.len()));
            let without = decided(&grants, &shape);
            prop_assert!(with.is_ok() || without.is_err());
        }
    }

    #[test]
    fn a_permit_is_what_one_grant_alone_allows_with_the_strictest_protections(grants in grants(), shape in shape()) {
        let alone: Vec<Permit> = grants.iter().filter_map(|grant| decided(std::slice::from_ref(grant), &shape).ok()).collect();
        match decided(&grants, &shape) {
            Err(_) => prop_assert!(alone.is_empty()),
            Ok(permit) => {
                let first = alone.iter().min_by_key(|permit| permit.grant().clone()).unwrap();
                prop_assert_eq!(permit.grant(), first.grant());
                prop_assert_eq!(permit.rows(), first.rows());
                let strictest = |of: fn(&Permit) -> u64| alone.iter().map(of).max();
                prop_assert_eq!(Some(permit.protections().min_units), strictest(|p| p.protections().min_units));
                let p_percent = u64::from(permit.protections().p_percent);
                prop_assert_eq!(Some(p_percent), strictest(|p| u64::from(p.protections().p_percent)));
            }
        }
    }

    #[test]
    fn unknown_and_unshared_columns_are_refused_alike(grants in grants(), shape in shape()) {
        // No grant shares any of these: hidden in the catalogue, hidden by grants, and not mentioned.
        for unshared in ["officer_note", "transport", "agency", "land_filter"] {
            let unknown = decided(&grants, &renamed(&shape, "drug", UNKNOWN));
            let known = decided(&grants, &renamed(&renamed(&shape, UNKNOWN, unshared), "drug", unshared));
            let bytes = |decision: Result<Permit, Refusal>| {
                let text = |refusal: Refusal| serde_json::to_string(&refusal).unwrap();
                decision.map(|permit| permit.grant().clone()).map_err(text)
            };
            prop_assert_eq!(bytes(unknown).map_err(|text| text.replace(UNKNOWN, unshared)), bytes(known));
        }
    }

    #[test]
    fn what_is_listed_as_shared_is_permitted(grants in grants()) {
        let policy = policy(&grants);
        for dataset in shared(&policy, &Catalogue::builtin(), &analyst(), now()) {
            for column in &dataset.columns {
                for shape in uses(&column.name, &column.role, &column.uses) {
                    let permit = decide(&policy, &Catalogue::builtin(), &analyst(), now(), &shape);
                    prop_assert!(permit.is_ok(), "{:?}", permit);
                }
            }
        }
    }
}

/// A release for every way in which a column is listed as shared.
fn uses(name: &str, role: &str, uses: &[String]) -> Vec<ReleaseShape> {
    let column = |grain| LevelRef { column: name.parse().unwrap(), grain };
    let shape = |keys, measures| ReleaseShape {
        dataset: "seizures".parse().unwrap(),
        keys,
        filters: vec![],
        measures,
    };
    let by = |grain| shape(vec![column(grain)], vec![]);
    let word = |word: &String| Value::from(word.as_str());
    match role {
        "dimension" if uses.is_empty() => vec![by(None)],
        "dimension" => {
            uses.iter().map(|use_| by(Some(serde_json::from_value(word(use_)).unwrap()))).collect()
        }
        _ => uses
            .iter()
            .map(|use_| serde_json::from_value(word(use_)).unwrap())
            .map(|aggregate| {
                shape(vec![], vec![MeasureRef { aggregate, column: Some(column(None)) }])
            })
            .collect(),
    }
}
