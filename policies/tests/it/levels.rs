//! Catalogues that contradict themselves in their levels, ranges, units and joins.

use mayag_policies::catalogue::{Catalogue, CatalogueError, CatalogueFault};
use serde_json::{Value, json};

/// What is wrong with `tests/people.json` after a change; `None` if it is not even the JSON of a catalogue.
fn fault(change: impl FnOnce(&mut Value)) -> Option<CatalogueFault> {
    let mut catalogue: Value = serde_json::from_str(include_str!("../people.json")).unwrap();
    change(&mut catalogue);
    match Catalogue::parse(catalogue.to_string().as_bytes()) {
        Err(CatalogueError::Inconsistent { fault, .. }) => Some(fault),
        Err(CatalogueError::Unreadable(_)) => None,
        Ok(_) => panic!("accepted: {catalogue}"),
    }
}

/// The same, after the levels of one column are these.
fn levels(column: usize, rules: &[Value]) -> Option<CatalogueFault> {
    let named = |(i, rule)| json!({ "name": format!("rough{i}"), "about": "x", "is": rule });
    let levels: Vec<Value> = rules.iter().enumerate().map(named).collect();
    fault(|catalogue| catalogue["datasets"][0]["columns"][column]["levels"] = json!(levels))
}

fn groups(groups: &Value) -> Value {
    json!({ "groups": { "groups": groups } })
}

fn bands(edges: &Value, names: &Value) -> Value {
    json!({ "bands": { "edges": edges, "names": names } })
}

const DATE: usize = 2;
const CLOSED: usize = 3;
const OPEN: usize = 4;
const MEASURE: usize = 7;

#[test]
fn a_rule_fits_its_column_and_leaves_no_value_out() {
    let all = json!(["heroin", "fentanyl", "nitazene", "cocaine"]);
    for (column, rule) in [
        (MEASURE, bands(&json!([2, 1]), &json!(["a", "b", "c"]))),
        (MEASURE, bands(&json!([1]), &json!(["a"]))),
        (MEASURE, bands(&json!([1]), &json!(["a", "a"]))),
        (MEASURE, bands(&json!([]), &json!(["a"]))),
        (MEASURE, json!({ "prefix": 2 })),
        (MEASURE, json!({ "bands": { "edges": [1], "names": ["a", "b"], "lowest": 1 } })),
        (MEASURE, json!({ "bands": { "edges": [1, 3], "names": ["a", "b", "c"], "highest": 2 } })),
        (DATE, json!({ "prefix": 2 })),
        (CLOSED, bands(&json!([1]), &json!(["a", "b"]))),
        (CLOSED, json!({ "prefix": 0 })),
        (CLOSED, groups(&json!({ "a": ["heroin"] }))),
        (CLOSED, groups(&json!({ "a": ["heroin", "fentanyl", "nitazene", "cocaine", "tea"] }))),
        (CLOSED, groups(&json!({ "a": all, "b": ["heroin"] }))),
        (CLOSED, groups(&json!({ "a": all, "b": [] }))),
        (OPEN, groups(&json!({ "a": ["29"] }))),
    ] {
        assert_eq!(
            levels(column, std::slice::from_ref(&rule)),
            Some(CatalogueFault::LevelRule),
            "{rule}"
        );
    }
}

#[test]
fn what_a_level_holds_together_stays_together_in_coarser_ones() {
    let two = |a: Value, b: Value| groups(&json!({ "1": a, "2": b }));
    for (column, rules) in [
        (OPEN, [json!({ "prefix": 2 }), json!({ "prefix": 4 })]),
        (
            OPEN,
            [
                json!({ "prefix": 4 }),
                json!({ "groups": { "groups": { "x": ["29"] }, "other": "y" } }),
            ],
        ),
        (MEASURE, [bands(&json!([5]), &json!(["a", "b"])), bands(&json!([6]), &json!(["a", "b"]))]),
        (
            CLOSED,
            [
                two(json!(["heroin", "cocaine"]), json!(["fentanyl", "nitazene"])),
                two(json!(["heroin", "fentanyl"]), json!(["cocaine", "nitazene"])),
            ],
        ),
        // `fentanyl` and `nitazene` are one group, and differ in their first letter.
        (
            CLOSED,
            [
                two(json!(["heroin", "cocaine"]), json!(["fentanyl", "nitazene"])),
                json!({ "prefix": 1 }),
            ],
        ),
    ] {
        assert_eq!(levels(column, &rules), Some(CatalogueFault::LevelsNotNested), "{rules:?}");
    }
}

#[test]
fn names_ranges_units_and_joins_are_checked() {
    let at = |pointer: &str, value: Value| {
        fault(|catalogue| *catalogue.pointer_mut(pointer).unwrap() = value)
    };
    let range = "/datasets/0/columns/2/range";
    let to = "/datasets/0/columns/2/range/to";
    for (pointer, value, expected) in [
        ("/datasets/0/columns/4/levels/1/name", json!("heading"), Some(CatalogueFault::LevelName)),
        ("/datasets/0/columns/5/name", json!("hs6_chapter"), Some(CatalogueFault::LevelName)),
        (to, json!("2023-01-01"), Some(CatalogueFault::Range)),
        (range, json!({ "from": 1, "to": 2 }), Some(CatalogueFault::Range)),
        ("/datasets/0/columns/6/range/to", json!(0), Some(CatalogueFault::Range)),
        (to, json!("2024-02-30"), None),
        (to, json!(7), None),
        ("/datasets/0/units/1/column", json!("person_id"), Some(CatalogueFault::UnitColumn)),
        ("/datasets/0/units/1/column", json!("route"), Some(CatalogueFault::UnitColumn)),
        ("/datasets/0/units", json!([]), None),
        ("/datasets/0/joins/0/with", json!("arrests"), Some(CatalogueFault::Join)),
        ("/datasets/0/joins/0/on", json!(["colour"]), Some(CatalogueFault::Join)),
        ("/datasets/0/joins/0/on", json!([]), Some(CatalogueFault::Join)),
    ] {
        assert_eq!(at(pointer, value.clone()), expected, "{pointer}: {value}");
    }
}
