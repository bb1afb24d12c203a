//! Joins of two datasets: decided under a grant for either, as strictly as both say.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Permit, Subject, Switch, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Aggregate, Grain, LevelRef, MeasureRef, Predicate, ReleaseShape};
use mayag_policies::shared::shared;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use serde_json::{Value, json};

fn items() -> Value {
    json!({
        "id": "items", "why": "x", "to": { "countries": "any", "roles": ["analyst"] }, "purposes": ["TREND"],
        "dataset": "seizure_items", "min_units": 12, "budget": { "person": 30 },
        "columns": {
            "substance_code": { "dimension": {} },
            "seizure_id": { "unit": { "count": true } },
            "kg_equiv": { "measure": { "aggregates": ["sum"] } }
        }
    })
}

fn seizures() -> Value {
    json!({
        "id": "seizures", "why": "x", "to": { "countries": "any", "roles": ["analyst"] }, "purposes": ["TREND"],
        "dataset": "seizures", "min_units": 10, "p_percent": 20, "budget": { "person": 40 },
        "columns": {
            "seized_on": { "dimension": { "finest": "quarter" } },
            "transport": { "dimension": {} },
            "persons_arrested": { "measure": { "aggregates": ["sum"] } }
        }
    })
}

fn changed(mut grant: Value, key: &str, value: Value) -> Value {
    grant[key] = value;
    grant
}

fn policy(grants: &[Value]) -> Policy {
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
        "why": "x", "grants": grants
    });
    let digest = |_: &[u8]| Digest::from_bytes([0; 32]);
    Policy::parse(document.to_string().as_bytes(), &Catalogue::domain_pack(), digest)
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

fn level(column: &str, grain: Option<Grain>) -> LevelRef {
    LevelRef { column: column.parse().unwrap(), grain }
}

fn subject() -> Subject {
    Subject {
        country: "au".parse().unwrap(),
        roles: vec!["analyst".parse().unwrap()],
        purpose: Purpose::Trend,
    }
}

fn ask(grants: &[Value], keys: &[LevelRef]) -> Result<Permit, Refusal> {
    let kg = MeasureRef { aggregate: Aggregate::Sum, column: Some(level("kg_equiv", None)) };
    let shape = ReleaseShape {
        dataset: "seizure_items__seizures".parse().unwrap(),
        keys: keys.to_vec(),
        filters: Vec::new(),
        measures: vec![kg],
    };
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    decide(&policy(grants), &Catalogue::domain_pack(), &subject(), now, &shape)
}

fn code(outcome: Result<Permit, Refusal>) -> (Code, String) {
    let refusal = outcome.unwrap_err();
    (refusal.code, refusal.subject.unwrap_or_default())
}

#[test]
fn a_join_needs_a_grant_for_either_dataset_and_gets_the_stricter_protections() {
    let keys = [level("substance_code", None), level("seizures__seized_on", Some(Grain::Quarter))];
    let permit = ask(&[items(), seizures()], &keys).unwrap();
    assert_eq!(permit.grants(), "items with seizures");
    let protections = permit.protections();
    assert_eq!((protections.min_units, protections.p_percent), (12, 20));
    assert_eq!(permit.budget().person, Some(30));
    assert_eq!(code(ask(&[items()], &keys)), (Code::NoGrant, "seizures".to_owned()));
    assert_eq!(code(ask(&[seizures()], &keys)), (Code::NoGrant, "seizure_items".to_owned()));
}

#[test]
fn refusals_name_columns_as_people_write_them() {
    let months = [level("seizures__seized_on", Some(Grain::Month))];
    let refusal = ask(&[items(), seizures()], &months).unwrap_err();
    assert_eq!(refusal.code, Code::LevelTooFine);
    assert_eq!(refusal.subject.as_deref(), Some("seized_on by quarter"));
    assert!(!refusal.hint.contains("__"), "{}", refusal.hint);
    for name in ["stage", "no_such_column"] {
        let column = level(&format!("seizures__{name}"), None);
        let (code, subject) = code(ask(&[items(), seizures()], &[column]));
        assert_eq!((code, subject.as_str()), (Code::ColumnNotShared, name));
    }
}

/// What the join loses against `seizure_items` alone would be what belongs to the hidden seizures.
#[test]
fn rows_that_the_second_grant_hides_need_the_guard_on_both_sides() {
    let rows = json!([{ "column": "transport", "is": "in", "values": ["mail"] }]);
    let hiding = changed(seizures(), "rows", rows);
    let keys = [level("substance_code", None)];
    let (code, subject) = code(ask(&[items(), hiding.clone()], &keys));
    assert_eq!((code, subject.as_str()), (Code::NoGrant, "seizure_items JOIN seizures"));
    let on = |grant| changed(grant, "difference_guard", json!("on"));
    for grants in [[on(items()), hiding.clone()], [items(), on(hiding.clone())]] {
        ask(&grants, &keys).unwrap_err();
    }
    let permit = ask(&[on(items()), on(hiding)], &keys).unwrap();
    assert_eq!(permit.protections().difference_guard, Switch::On);
    assert_eq!(permit.rows(), &Predicate::everything());
    assert_ne!(permit.joined_rows(), &Predicate::everything());
}

#[test]
fn what_is_shared_lists_the_joins_whose_other_dataset_is_shared_too() {
    let now = "2026-06-01T00:00:00Z".parse().unwrap();
    let joins = |grants: &[Value]| -> Vec<Vec<String>> {
        let shared = shared(&policy(grants), &Catalogue::domain_pack(), &subject(), now);
        shared.into_iter().map(|dataset| dataset.joins).collect()
    };
    assert_eq!(joins(&[items()]), [[""; 0]]);
    let (one, other) = ("seizures USING (seizure_id)", "seizure_items USING (seizure_id)");
    assert_eq!(joins(&[items(), seizures()]), [[one], [other]]);
}
