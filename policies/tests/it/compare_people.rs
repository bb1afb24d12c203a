//! The comparison of policies over persons: levels in row filters, noise, bounds, limits and validity.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::compare::{Change, Comparison, compare};
use mayag_policies::document::Policy;
use mayag_protocol::names::Digest;
use serde_json::{Value, json};

fn catalogue() -> Catalogue {
    Catalogue::parse(include_bytes!("../people.json")).unwrap()
}

fn grant(changes: &Value) -> Value {
    let mut grant = json!({
        "id": "people", "why": "x", "to": { "countries": "any", "roles": ["analyst"] }, "purposes": ["TREND"],
        "dataset": "arrests", "waiver": "Police Act, section 12",
        "columns": {
            "person_id": { "unit": { "count": true } },
            "substance": { "dimension": {} },
            "hs6_chapter": { "dimension": {} },
            "route": { "dimension": {} },
            "grams": { "measure": { "aggregates": ["sum"], "high": 1000 } }
        }
    });
    for (key, value) in changes.as_object().unwrap() {
        grant[key] = value.clone();
    }
    grant
}

fn policy(grants: &[Value], until: &str) -> Policy {
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": until, "why": "x",
        "grants": grants
    });
    Policy::parse(document.to_string().as_bytes(), &catalogue(), |_| Digest::from_bytes([0; 32]))
        .unwrap_or_else(|problems| panic!("{problems:?}"))
}

const YEAR: &str = "2027-01-01T00:00:00Z";

fn compared(old: &Policy, new: &Policy) -> Comparison {
    compare(&catalogue(), Some(old), new, "2026-06-01T00:00:00Z".parse().unwrap())
}

fn opposite(change: Change) -> Change {
    match change {
        Change::Both => Change::Both,
        Change::Equal => Change::Equal,
        Change::Narrows => Change::Widens,
        Change::Widens => Change::Narrows,
    }
}

/// What it comes to when a grant with the first changes becomes one with the second; and backwards, the opposite.
fn check(old: &Value, new: &Value, change: Change) -> Vec<String> {
    let [before, after] = [old, new].map(|changes| policy(&[grant(changes)], YEAR));
    let comparison = compared(&before, &after);
    assert_eq!(comparison.change, change, "{old} -> {new}: {:#?}", comparison.differences);
    let back = compared(&after, &before);
    assert_eq!(back.change, opposite(change), "{new} -> {old}: {:#?}", back.differences);
    comparison.differences.iter().map(|difference| difference.sentence.clone()).collect()
}

fn rows(filters: &[(&str, &str, Value)]) -> Value {
    let filter = |(column, is, values): &(&str, &str, Value)| json!({ "column": column, "is": is, "values": values });
    json!({ "rows": filters.iter().map(filter).collect::<Vec<Value>>() })
}

#[test]
fn rows_are_compared_as_sets_of_values_whatever_the_level() {
    let everything = rows(&[]);
    let chapters = rows(&[("hs6_chapter", "in", json!(["29", "30"]))]);
    let chapter = rows(&[("hs6_chapter", "in", json!(["29"]))]);
    let heading = rows(&[("hs6_heading", "in", json!(["2933"]))]);
    let other_heading = rows(&[("hs6_heading", "in", json!(["3003"]))]);
    let code = rows(&[("hs6", "in", json!(["293399"]))]);
    for (old, new, change) in [
        (&everything, &chapters, Change::Narrows),
        (&chapters, &chapter, Change::Narrows),
        (&chapters, &heading, Change::Narrows),
        (&heading, &chapter, Change::Widens),
        (&chapter, &other_heading, Change::Both),
        (&heading, &code, Change::Narrows),
        (&rows(&[("hs6", "not_in", json!(["293399"]))]), &chapter, Change::Both),
        (&rows(&[("hs6", "not_in", json!(["300390"]))]), &chapter, Change::Narrows),
        // Both conditions hold for no row.
        (
            &rows(&[("hs6_chapter", "in", json!(["29"])), ("hs6_heading", "in", json!(["3003"]))]),
            &code,
            Change::Widens,
        ),
        (
            &rows(&[("substance_group", "in", json!(["opioid"]))]),
            &rows(&[("substance", "in", json!(["nitazene", "heroin", "fentanyl"]))]),
            Change::Equal,
        ),
        // What has no value passes no condition.
        (
            &rows(&[("substance_group", "in", json!(["opioid", "stimulant"]))]),
            &everything,
            Change::Widens,
        ),
        // Always there, and never before 15 January 2024.
        (&rows(&[("seized_on", "from", json!(["2024-01-01"]))]), &everything, Change::Equal),
        (&rows(&[("seized_on", "from", json!(["2024-01-16"]))]), &everything, Change::Widens),
        (
            &json!({ "rows": [{ "column": "seized_on", "grain": "month", "is": "in", "values": ["2024-02-01"] }] }),
            &rows(&[
                ("seized_on", "from", json!(["2024-02-01"])),
                ("seized_on", "before", json!(["2024-03-01"])),
            ]),
            Change::Equal,
        ),
        (
            &rows(&[("officers", "from", json!([1]))]),
            &rows(&[("officers", "before", json!([10]))]),
            Change::Equal,
        ),
        (
            &rows(&[("officers", "in", json!([3]))]),
            &rows(&[("officers", "from", json!([2]))]),
            Change::Widens,
        ),
    ] {
        check(old, new, change);
    }
    assert_eq!(
        check(&chapter, &heading, Change::Narrows),
        ["rows with hs6_chapter in (29) → rows with hs6_heading in (2933)"]
    );
}

#[test]
fn every_protection_has_a_stricter_side() {
    for (key, loose, strict) in [
        ("min_units", json!(10), json!(20)),
        ("p_percent", json!(10), json!(20)),
        ("one_category_percent", json!(90), json!(80)),
        ("dominance", json!({ "units": 2, "percent": 85 }), json!({ "units": 2, "percent": 75 })),
        ("noise", json!({ "largest": 5, "variance": 3 }), json!({ "largest": 8, "variance": 4 })),
        ("most_rows", json!(3), json!(1)),
        ("round_to", json!(1), json!(5)),
        ("difference_guard", json!("off"), json!("on")),
        ("budget", json!({}), json!({ "person": 50 })),
        ("budget", json!({ "dataset": 50 }), json!({ "dataset": 20 })),
        ("most_levels", json!(3), json!(1)),
    ] {
        let changed = |value: &Value| json!({ key: value });
        let said = check(&changed(&loose), &changed(&strict), Change::Narrows);
        assert!(!said.is_empty(), "{key}");
    }
    check(
        &json!({ "dominance": { "units": 2, "percent": 75 } }),
        &json!({ "dominance": { "units": 3, "percent": 85 } }),
        Change::Both,
    );
    let bounds = |high: u64| json!({ "columns": { "grams": { "measure": { "aggregates": ["sum"], "high": high } } } });
    let said = check(&bounds(1000), &bounds(500), Change::Narrows);
    assert_eq!(said, ["contributions to grams 0..1000 → 0..500"]);
}

#[test]
fn what_nobody_can_reach_is_no_difference() {
    // There are three columns to group by: the fourth level allows nothing more.
    check(&json!({ "most_levels": 3 }), &json!({ "most_levels": 6 }), Change::Equal);
    let said = check(&json!({ "most_levels": 2 }), &json!({ "most_levels": 3 }), Change::Widens);
    assert_eq!(
        said,
        [
            "may now group and filter by substance and group and filter by hs6_chapter and group and filter by route together"
        ]
    );
    check(&json!({}), &json!({ "why": "other words", "waiver": "other law" }), Change::Equal);
    // A role that nobody needs beside another.
    let roles = |roles: &[&str]| json!({ "to": { "countries": "any", "roles": roles } });
    check(&roles(&["analyst"]), &roles(&["analyst", "liaison"]), Change::Widens);
    check(&roles(&["analyst"]), &roles(&["liaison"]), Change::Both);
}

#[test]
fn time_counts_from_now_on() {
    let grants = [grant(&json!({}))];
    let year = policy(&grants, YEAR);
    let longer = policy(&grants, "2027-02-01T00:00:00Z");
    let comparison = compared(&year, &longer);
    assert_eq!(comparison.change, Change::Widens);
    assert_eq!(
        comparison.differences[0].people,
        "all countries · analyst · TREND · from 2027-01-01T00:00:00.000Z until 2027-02-01T00:00:00.000Z"
    );
    assert_eq!(compared(&longer, &year).change, Change::Narrows);
    // Both are over: nothing is shown by either.
    let over = policy(&grants, "2026-02-01T00:00:00Z");
    let empty = policy(&[], YEAR);
    assert_eq!(compared(&over, &empty).change, Change::Equal);
    assert_eq!(compared(&over, &year).change, Change::Widens);
}

#[test]
fn a_stricter_grant_that_covers_the_same_narrows_and_its_end_widens() {
    // Grants never add up: the strictest protections of all that cover a release hold.
    let open = grant(&json!({ "id": "b" }));
    let strict = grant(&json!({
        "id": "c", "min_units": 50, "columns": { "substance": { "dimension": {} } }
    }));
    let (one, two) = (policy(std::slice::from_ref(&open), YEAR), policy(&[open, strict], YEAR));
    let comparison = compared(&one, &two);
    assert_eq!(comparison.change, Change::Narrows);
    assert_eq!(comparison.differences[0].sentence, "min_units 10 → 50");
    assert_eq!(compared(&two, &one).change, Change::Widens);
}
