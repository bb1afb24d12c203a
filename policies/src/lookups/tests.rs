//! Tests of decisions about lookups, and of what a policy says of its tables.

use super::{Limits, LookupPermit, Reveals, TableTerms, at_once_sizes, decide_lookup};
use crate::catalogue::Catalogue;
use crate::decide::Subject;
use crate::document::Policy;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};

const EXAMPLE: &str = include_str!("../../examples/lookups.json");

const NOW: &str = "2026-06-01T00:00:00Z";

fn policy() -> Policy {
    let digest = |_: &[u8]| Digest::from_bytes([0; 32]);
    Policy::parse(EXAMPLE.as_bytes(), &Catalogue::builtin(), digest).unwrap()
}

fn subject(country: &str, roles: &[&str], purpose: Purpose) -> Subject {
    Subject {
        country: country.parse().unwrap(),
        roles: roles.iter().map(|role| role.parse().unwrap()).collect(),
        purpose,
    }
}

fn decided(
    subject: &Subject,
    table: &str,
    kind: &str,
    elements: u32,
    now: &str,
) -> Result<LookupPermit, Refusal> {
    let (table, kind) = (table.parse().unwrap(), kind.parse().unwrap());
    decide_lookup(&policy(), subject, now.parse().unwrap(), &table, &kind, elements)
}

fn documents(subject: &Subject, elements: u32) -> Result<LookupPermit, Refusal> {
    decided(subject, "stolen_documents", "travel_document", elements, NOW)
}

#[test]
fn sizes_are_those_of_vectors_without_the_control() {
    assert_eq!(at_once_sizes(), [1, 8, 64, 512, 4_096, 10_000, 65_534]);
}

#[test]
fn the_grants_that_allow_the_size_are_used_with_the_strictest_limits_of_all() {
    let both = subject("kr", &["analyst", "liaison"], Purpose::Border);
    let small = documents(&both, 513).unwrap();
    assert_eq!(small.grant(), "border, investigators");
    let limits = Limits { at_once: 512, person: Some(4_096), country: Some(100_000), table: None };
    assert_eq!(small.limits(), limits);

    let large = documents(&both, 4_097).unwrap();
    assert_eq!(large.grant(), "investigators");
    let limits = Limits { at_once: 4_096, person: Some(20_000), country: None, table: None };
    assert_eq!(large.limits(), limits);
    assert_eq!(large.table().name.as_str(), "stolen_documents");
    assert_eq!(format!("{large:?}"), "LookupPermit(stolen_documents: investigators)");
}

#[test]
fn more_identifiers_than_any_grant_allows_are_refused_with_the_most_that_one_allows() {
    let both = subject("kr", &["analyst", "liaison"], Purpose::Border);
    let refusal = documents(&both, 10_001).unwrap_err();
    assert_eq!(refusal.code, Code::TooManyIdentifiers);
    assert_eq!(refusal.rule, "investigators");
    assert_eq!(refusal.subject.as_deref(), Some("4096 identifiers"));
    // The control is not an identifier; whatever has one more is too much.
    let analyst = subject("us", &["analyst"], Purpose::Border);
    documents(&analyst, 513).unwrap();
    assert_eq!(documents(&analyst, 514).unwrap_err().code, Code::TooManyIdentifiers);
}

#[test]
fn whatever_is_not_shared_is_refused_in_the_same_bytes() {
    let analyst = subject("us", &["analyst"], Purpose::Border);
    let bytes = |subject: &Subject, table: &str, kind: &str, elements: u32, now: &str| {
        let refusal = decided(subject, table, kind, elements, now).unwrap_err();
        assert_eq!(refusal.subject.as_deref(), Some(table));
        serde_json::to_string(&refusal).unwrap().replace(table, "TABLE")
    };
    let unknown = bytes(&analyst, "no_such_table", "travel_document", 2, NOW);
    assert!(unknown.contains("MAYAG-2108"), "{unknown}");
    let others = subject("us", &["liaison"], Purpose::Border);
    let purpose = subject("us", &["analyst"], Purpose::Wanted);
    let none = subject("au", &[], Purpose::Border);
    let liaison = subject("kr", &["liaison"], Purpose::Border);
    for (subject, table, kind, elements, now) in [
        (&analyst, "stolen_documents", "imo", 2, NOW),
        (&analyst, "stolen_documents", "no_such_kind", 65_535, NOW),
        (&analyst, "ships_of_interest", "imo", 2, NOW),
        (&analyst, "ships_of_interest", "imo", 65_535, NOW),
        (&others, "stolen_documents", "travel_document", 2, NOW),
        (&purpose, "stolen_documents", "travel_document", 65_535, NOW),
        (&none, "stolen_documents", "travel_document", 2, NOW),
        (&liaison, "stolen_documents", "travel_document", 2, "2026-07-01T00:00:00Z"),
    ] {
        assert_eq!(bytes(subject, table, kind, elements, now), unknown, "{table} {kind} {now}");
    }
}

#[test]
fn outside_its_validity_a_policy_answers_no_lookup() {
    let analyst = subject("us", &["analyst"], Purpose::Border);
    for now in ["2025-12-31T23:59:59Z", "2027-01-01T00:00:00Z"] {
        for table in ["stolen_documents", "no_such_table"] {
            let refusal = decided(&analyst, table, "travel_document", 2, now).unwrap_err();
            assert_eq!((refusal.code, refusal.subject), (Code::NoPolicy, None));
        }
    }
}

#[test]
fn each_table_is_listed_once_with_what_its_grants_allow_together() {
    let policy = policy();
    let tables = policy.tables();
    let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["ships_of_interest", "stolen_documents"]);
    let reveals = Reveals { category: true, handling: true, contact: true };
    assert_eq!((tables[0].kind.as_str(), tables[0].reveals), ("imo", reveals));
    assert_eq!(tables[1].reveals, Reveals { contact: false, ..reveals });

    let terms =
        |table: &str, now: &str| policy.table_terms(&table.parse().unwrap(), now.parse().unwrap());
    let wide = TableTerms {
        purposes: [Purpose::Border, Purpose::Investigate].into(),
        most_elements: 4_097,
    };
    assert_eq!(terms("stolen_documents", NOW), Some(wide));
    // One of the two grants has ended.
    let narrow = TableTerms { purposes: [Purpose::Border].into(), most_elements: 513 };
    assert_eq!(terms("stolen_documents", "2026-07-01T00:00:00Z"), Some(narrow));
    assert_eq!(terms("stolen_documents", "2027-01-01T00:00:00Z"), None);
    assert_eq!(terms("no_such_table", NOW), None);
}

#[test]
fn people_and_grants_of_lookups_are_listed_with_the_others() {
    let policy = policy();
    let listed = |names: Vec<String>| names.join(" ");
    assert_eq!(
        listed(policy.grant_ids().map(ToString::to_string).collect()),
        "border investigators ships"
    );
    assert_eq!(listed(policy.named_countries().iter().map(ToString::to_string).collect()), "au kr");
    let roles = policy.named_roles().iter().map(ToString::to_string).collect();
    assert_eq!(listed(roles), "analyst liaison");
    assert_eq!(format!("{policy:?}"), "Policy(th, serial 1, 3 grants)");
}
