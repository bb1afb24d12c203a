//! The comparison of lookups against a naive evaluator: everybody's lookups of every table and size, decided under both.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::compare::{Change, Comparison, Direction, compare};
use mayag_policies::decide::Subject;
use mayag_policies::document::Policy;
use mayag_policies::lookups::{LookupPermit, at_once_sizes, decide_lookup};
use mayag_protocol::lookup::Mode;
use mayag_protocol::names::{Digest, KindName, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, Strategy, any, proptest};
use proptest::prop_assert_eq;
use proptest::sample::{select, subsequence};
use serde_json::{Value, json};

const NOW: &str = "2026-06-01T00:00:00Z";
const LATER: &str = "2026-09-01T00:00:00Z";
const TABLES: [&str; 2] = ["documents", "phones"];
const KINDS: [&str; 2] = ["travel_document", "phone"];

/// A grant without what it says of its table.
fn grant() -> impl Strategy<Value = Value> {
    let who = (
        select(vec![json!("any"), json!(["au"]), json!(["au", "kr"])]),
        subsequence(vec!["analyst", "liaison"], 1..=2),
        subsequence(vec!["BORDER", "WANTED"], 1..=2),
        select(vec![None, None, Some(LATER)]),
    );
    let limit = || select(vec![None, Some(100), Some(200)]);
    let limits = (select(vec![1, 64, 512]), limit(), limit(), limit());
    (select(TABLES.to_vec()), who, limits).prop_map(
        |(table, (countries, roles, purposes, until), (at_once, person, country, in_all))| {
            let mut grant = json!({
                "why": "x", "table": table, "to": { "countries": countries, "roles": roles },
                "purposes": purposes, "limits": { "at_once": at_once }
            });
            for (key, limit) in [("person", person), ("country", country), ("table", in_all)] {
                if let Some(limit) = limit {
                    grant["limits"][key] = json!(limit);
                }
            }
            if let Some(until) = until {
                grant["valid_until"] = json!(until);
            }
            grant
        },
    )
}

/// What all grants of a table say: kind and revelations, and whether it is declared, and may be silent.
fn table() -> impl Strategy<Value = (&'static str, Vec<&'static str>, Option<&'static str>)> {
    let reveals = subsequence(vec!["category", "contact", "handling"], 0..=3);
    let declared = select(vec![None, None, Some("allowed"), Some("forbidden")]);
    (select(vec![KINDS[0], KINDS[0], KINDS[0], KINDS[1]]), reveals, declared)
}

/// Makes a grant one of a declared table.
fn declare(grant: &mut Value, silent: &str) {
    (grant["mode"], grant["silent"]) = (json!("declared"), json!(silent));
    grant["legal_basis"] = json!("a treaty");
}

/// Up to three grants of two tables, no two the same.
fn lookups() -> impl Strategy<Value = Vec<Value>> {
    (vec(grant(), 0..4), vec(table(), 2)).prop_map(|(grants, tables)| {
        let mut lookups: Vec<Value> = Vec::new();
        for mut grant in grants {
            let at = TABLES.iter().position(|table| grant["table"] == *table).unwrap();
            (grant["kind"], grant["reveals"]) = (json!(tables[at].0), json!(tables[at].1));
            if let Some(silent) = tables[at].2 {
                declare(&mut grant, silent);
            }
            if !lookups.contains(&grant) {
                lookups.push(grant);
            }
        }
        lookups
    })
}

/// A change of one thing in one grant: what is nearly the same is compared most.
fn changed(mut lookups: Vec<Value>, at: usize, what: usize) -> Vec<Value> {
    let Some(i) = at.checked_rem(lookups.len()) else { return lookups };
    let table = lookups[i]["table"].clone();
    let grant = &mut lookups[i];
    let other = |value: &Value, first: Value, second: Value| {
        if *value == first { second } else { first }
    };
    match what {
        0 => {
            lookups.remove(i);
        }
        1 => grant["limits"]["at_once"] = other(&grant["limits"]["at_once"], json!(8), json!(64)),
        2 => grant["limits"]["person"] = other(&grant["limits"]["person"], json!(150), json!(90)),
        3 => grant["limits"]["country"] = other(&grant["limits"]["country"], json!(100), json!(90)),
        4 => grant["limits"]["table"] = other(&grant["limits"]["table"], json!(200), json!(201)),
        5 => {
            grant["to"]["countries"] =
                other(&grant["to"]["countries"], json!(["au"]), json!("any"));
        }
        6 => grant["purposes"] = other(&grant["purposes"], json!(["BORDER"]), json!(["WANTED"])),
        7 => {
            grant["to"]["roles"] =
                other(&grant["to"]["roles"], json!(["liaison"]), json!(["analyst"]));
        }
        8 => grant["valid_until"] = json!("2026-08-01T00:00:00Z"),
        11 | 12 => {
            for grant in lookups.iter_mut().filter(|grant| grant["table"] == table) {
                let before = grant["silent"].as_str().map(ToOwned::to_owned);
                match (what, before.as_deref()) {
                    (11, Some(_)) => {
                        let fields = grant.as_object_mut().unwrap();
                        for key in ["mode", "silent", "legal_basis"] {
                            fields.remove(key);
                        }
                    }
                    (12, Some("allowed")) => grant["silent"] = json!("forbidden"),
                    (_, _) => declare(grant, "allowed"),
                }
            }
        }
        _ => {
            let key = if what == 9 { "reveals" } else { "kind" };
            let (first, second) = match key {
                "reveals" => (json!(["category"]), json!(["category", "contact"])),
                _ => (json!("travel_document"), json!("phone")),
            };
            let value = other(&grant[key], first, second);
            // A table is the same in all of its grants.
            for grant in lookups.iter_mut().filter(|grant| grant["table"] == table) {
                grant[key] = value.clone();
            }
        }
    }
    lookups
}

/// A grant of a declared table has the limits that it needs.
fn limited(lookup: &Value) -> Value {
    let mut lookup = lookup.clone();
    if lookup["mode"] == "declared" {
        for key in ["person", "table"] {
            if lookup["limits"][key].is_null() {
                lookup["limits"][key] = json!(1_000_000);
            }
        }
    }
    lookup
}

fn policy(lookups: &[Value]) -> Policy {
    let mut unique: Vec<Value> = Vec::new();
    for lookup in lookups {
        let lookup = &limited(lookup);
        let same = |other: &Value| {
            let mut other = other.clone();
            other["id"] = Value::Null;
            let mut lookup = lookup.clone();
            lookup["id"] = Value::Null;
            other == lookup
        };
        if !unique.iter().any(same) {
            let mut lookup = lookup.clone();
            if lookup["id"].is_null() {
                lookup["id"] = json!(format!("l{}", unique.len()));
            }
            unique.push(lookup);
        }
    }
    let document = json!({
        "policy": "kr", "serial": 1, "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
        "why": "x", "grants": [], "lookups": unique
    });
    Policy::parse(document.to_string().as_bytes(), &Catalogue::builtin(), |_| {
        Digest::from_bytes([0; 32])
    })
    .unwrap_or_else(|problems| panic!("{problems:?} in {document}"))
}

fn compared(old: &Policy, new: &Policy) -> Comparison {
    compare(&Catalogue::builtin(), Some(old), new, NOW.parse().unwrap())
}

fn subjects() -> Vec<Subject> {
    let mut subjects = Vec::new();
    for country in ["au", "kr", "nz"] {
        for roles in [vec![], vec!["analyst"], vec!["liaison"], vec!["analyst", "liaison"]] {
            for purpose in [Purpose::Border, Purpose::Wanted, Purpose::Trend] {
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

/// What one person learns by one lookup, as numbers of which each is larger where it is more.
fn permitted(permit: &LookupPermit) -> Vec<u64> {
    let limits = permit.limits();
    let reveals = permit.table().reveals;
    let size = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
    let said = [reveals.category, reveals.handling, reveals.contact].map(u64::from);
    // Neither mode says more than the other to everybody, nor does silence.
    let either = [permit.table().mode == Mode::Declared, permit.table().silent];
    let either = either.into_iter().flat_map(|one| [u64::from(one), u64::from(!one)]);
    [size(limits.person), size(limits.country), size(limits.table)]
        .into_iter()
        .chain(said)
        .chain(either)
        .collect()
}

/// Every size at every time.
fn sizes_and_times(times: &[Timestamp]) -> Vec<(u32, Timestamp)> {
    at_once_sizes().into_iter().flat_map(|size| times.iter().map(move |now| (size, *now))).collect()
}

/// Whether somebody learns more under the new policy, and whether somebody learns less.
fn naive(old: &Policy, new: &Policy) -> (bool, bool) {
    let (mut more, mut less) = (false, false);
    let times: Vec<Timestamp> =
        [NOW, "2026-08-15T00:00:00Z", LATER].map(|at| at.parse().unwrap()).to_vec();
    let tables = TABLES.map(|table| table.parse::<TableName>().unwrap());
    let kinds = KINDS.map(|kind| kind.parse::<KindName>().unwrap());
    let named: Vec<_> =
        tables.iter().flat_map(|table| kinds.iter().map(move |kind| (table, kind))).collect();
    let asked: Vec<_> = sizes_and_times(&times)
        .into_iter()
        .flat_map(|asked| named.iter().map(move |named| (asked, *named)))
        .collect();
    for subject in subjects() {
        for ((size, now), (table, kind)) in &asked {
            let decided = [old, new].map(|policy| {
                let decided = decide_lookup(policy, &subject, *now, table, kind, size + 1);
                decided.ok().map(|permit| permitted(&permit))
            });
            match decided {
                [None, None] => {}
                [None, Some(_)] => more = true,
                [Some(_), None] => less = true,
                [Some(old), Some(new)] => {
                    more |= old.iter().zip(&new).any(|(old, new)| old < new);
                    less |= old.iter().zip(&new).any(|(old, new)| old > new);
                }
            }
        }
    }
    (more, less)
}

/// Of somebody who learns more, and somebody who learns less.
fn change(found: (bool, bool)) -> Change {
    match found {
        (true, true) => Change::Both,
        (true, false) => Change::Widens,
        (false, true) => Change::Narrows,
        (false, false) => Change::Equal,
    }
}

proptest! {
    // Each case decides some six thousand lookups under both policies.
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn the_comparison_is_what_a_naive_evaluator_finds(
        old in lookups(), other in lookups(), near in 0_u8..4, at in any::<usize>(), what in 0_usize..13,
    ) {
        let new = if near == 0 { other } else { changed(old.clone(), at, what) };
        let (old, new) = (policy(&old), policy(&new));
        let (more, less) = naive(&old, &new);
        let found = compared(&old, &new);
        prop_assert_eq!(found.change, change((more, less)), "{:#?}", found.differences);
        let back = compared(&new, &old);
        prop_assert_eq!(back.change, change((less, more)), "{:#?}", back.differences);
    }

    #[test]
    fn the_same_under_other_ids_and_in_another_order_is_equal(lookups in lookups()) {
        let mut renamed = lookups.clone();
        renamed.reverse();
        for (i, lookup) in renamed.iter_mut().enumerate() {
            (lookup["id"], lookup["why"]) = (json!(format!("other-{i}")), json!("another reason"));
        }
        let (old, new) = (policy(&lookups), policy(&renamed));
        prop_assert_eq!(compared(&old, &new).change, Change::Equal);
        let first = compare(&Catalogue::builtin(), None, &new, NOW.parse().unwrap());
        prop_assert_eq!(first.change, change((!lookups.is_empty(), false)));
    }
}

fn documents(changes: &Value) -> Value {
    let mut grant = json!({
        "id": "border", "why": "x", "table": "documents", "kind": "travel_document",
        "to": { "countries": ["au", "kr"], "roles": ["analyst"] }, "purposes": ["BORDER"],
        "reveals": ["category"], "limits": { "at_once": 64, "person": 1000 }
    });
    for (key, value) in changes.as_object().unwrap() {
        grant[key] = value.clone();
    }
    grant
}

#[test]
fn sentences_say_who_can_newly_search_what() {
    let said = |old: &[Value], new: &[Value]| -> Vec<String> {
        let comparison = compared(&policy(old), &policy(new));
        let sign = |difference: &mayag_policies::compare::Difference| {
            format!("{:?} {difference}", difference.direction)
        };
        comparison.differences.iter().map(sign).collect()
    };
    let plain = documents(&json!({}));
    let line = |changes: Value| said(std::slice::from_ref(&plain), &[documents(&changes)]);
    assert_eq!(
        said(&[], std::slice::from_ref(&plain)),
        [
            "Widens documents: au, kr · analyst · BORDER: may now search it by travel_document, up to 64 at once, 1000 per \
          person a day; a hit says how well it matches, category"
        ]
    );
    assert_eq!(
        said(std::slice::from_ref(&plain), &[]),
        [
            "Narrows documents: au, kr · analyst · BORDER: may no longer search it by travel_document, up to 64 at once, \
          1000 per person a day; a hit says how well it matches, category"
        ]
    );
    assert_eq!(
        line(json!({ "to": { "countries": "any", "roles": ["analyst"] }, "limits": {} })),
        [
            "Widens documents: au, kr · analyst · BORDER: identifiers a day per person 1000 → unlimited",
            "Widens documents: all countries but au, kr · analyst · BORDER: may now search it by travel_document, up to \
             64 at once, without a limit a day; a hit says how well it matches, category",
        ]
    );
    assert_eq!(
        line(json!({ "reveals": ["contact"] })),
        [
            "Widens documents: au, kr · analyst · BORDER: a hit says how well it matches, category → how well it \
             matches, contact",
            "Narrows documents: au, kr · analyst · BORDER: a hit says how well it matches, category → how well it \
             matches, contact",
        ]
    );
    assert_eq!(
        line(json!({ "limits": { "at_once": 4096, "person": 5000, "table": 90000 } })),
        [
            "Widens documents: au, kr · analyst · BORDER: identifiers a day per person 1000 → 5000",
            "Widens documents: au, kr · analyst · BORDER: may now search up to 4096 identifiers at once, 5000 per \
             person, 90000 per table a day",
            "Narrows documents: au, kr · analyst · BORDER: identifiers a day per table unlimited → 90000",
        ]
    );
    assert_eq!(
        line(json!({ "kind": "person" })),
        [
            "Widens documents: au, kr · analyst · BORDER: may now search it by person, up to 64 at once, 1000 per \
             person a day; a hit says how well it matches, category",
            "Narrows documents: au, kr · analyst · BORDER: may no longer search it by travel_document, up to 64 at \
             once, 1000 per person a day; a hit says how well it matches, category",
        ]
    );
    let declared = json!({ "mode": "declared", "legal_basis": "a treaty", "silent": "allowed" });
    let at_home = "documents: au, kr · analyst · BORDER: ";
    let both = |words: &str| {
        ["Widens", "Narrows"].map(|direction| format!("{direction} {at_home}{words}"))
    };
    let said_of_mode = line(declared.clone());
    let expected: Vec<String> =
        [both("blinded → declared"), both("silent hits forbidden → allowed")].concat();
    assert!(expected.iter().all(|line| said_of_mode.contains(line)), "{said_of_mode:#?}");
    assert_eq!(said_of_mode.len(), 5, "and a limit for the table, without which none is declared");
    let first = said(&[], &[documents(&declared)]);
    assert!(
        first[0].contains("by travel_document, declared (hits may be silent), up to 64"),
        "{first:?}"
    );
    // A grant beside the other that only small lookups use makes no others stricter.
    let strict = documents(&json!({ "id": "strict", "limits": { "at_once": 8, "person": 10 } }));
    assert_eq!(
        said(std::slice::from_ref(&plain), &[plain.clone(), strict]),
        [
            "Narrows documents: au, kr · analyst · BORDER: identifiers a day per person 1000 → 10 (for 1, 8 at once)"
        ]
    );
}

#[test]
fn another_legal_basis_is_a_change_in_both_directions() {
    let basis =
        |basis: &str| policy(&[documents(&json!({ "mode": "declared", "legal_basis": basis }))]);
    assert_eq!(compared(&basis("a treaty"), &basis(" a treaty ")).change, Change::Equal);
    let found = compared(&basis("a treaty"), &basis("another treaty"));
    let said: Vec<_> =
        found.differences.iter().map(|one| (one.direction, one.sentence.as_str())).collect();
    let sentence = "legal basis \"a treaty\" → \"another treaty\"";
    assert_eq!(said, [(Direction::Widens, sentence), (Direction::Narrows, sentence)]);
}

#[test]
fn time_counts_from_now_on() {
    let ended = documents(&json!({ "valid_until": "2026-05-01T00:00:00Z" }));
    let (none, ended) = (policy(&[]), policy(&[ended]));
    assert_eq!(compared(&none, &ended).change, Change::Equal);
    let until = policy(&[documents(&json!({ "valid_until": LATER }))]);
    let found = compared(&until, &policy(&[documents(&json!({}))]));
    assert_eq!(found.change, Change::Widens);
    assert!(
        found.differences[0]
            .people
            .ends_with("from 2026-09-01T00:00:00.000Z until 2027-01-01T00:00:00.000Z")
    );
}
