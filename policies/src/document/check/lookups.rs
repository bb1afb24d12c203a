//! What the schema cannot say of lookup tables: ids of their own, grants of a table that agree, limits where there are few
//! identifiers.

use crate::document::Whom;
use crate::document::problem::Problem;
use crate::document::rule::Rule;
use crate::document::written::Document;
use crate::document::written::lookups::{DocumentLookup, Reveal};
use crate::lookups::{FEW, Limits, LookupGrant, LookupTable, Reveals};
use mayag_protocol::lookup::Mode;
use std::collections::BTreeSet;

/// The grants of lookup tables, sorted by id.
pub(super) fn lookups(document: &Document, problems: &mut Vec<Problem>) -> Vec<LookupGrant> {
    let mut lookups = Vec::with_capacity(document.lookups.len());
    for (i, written) in document.lookups.iter().enumerate() {
        let place = format!("/lookups/{i}");
        let earlier = document.lookups.get(..i).unwrap_or_default();
        problems.extend(duplicate(&place, written, document, earlier));
        problems.extend(other_table(&place, written, earlier));
        problems.extend(declared(&place, written));
        problems.extend(unlimited(&place, written));
        if written.valid_until.is_some_and(|until| until <= document.valid_from) {
            let message = "the grant ends before the policy begins";
            let place = format!("{place}/valid_until");
            problems.push(Problem::new(Rule::EndsBeforeItBegins, place, message));
        }
        lookups.push(lookup(written));
    }
    lookups.sort_by(|a, b| a.id.cmp(&b.id));
    lookups
}

fn lookup(written: &DocumentLookup) -> LookupGrant {
    let limits = written.limits.unwrap_or_default();
    LookupGrant {
        id: written.id.clone(),
        table: table(written),
        whom: Whom::of(&written.to, &written.purposes, written.valid_until),
        limits: Limits {
            at_once: limits.at_once,
            person: limits.person,
            country: limits.country,
            table: limits.table,
        },
    }
}

fn table(written: &DocumentLookup) -> LookupTable {
    let says = |reveal| written.reveals.contains(&reveal);
    LookupTable {
        name: written.table.clone(),
        kind: written.kind.clone(),
        mode: written.mode,
        reveals: Reveals {
            category: says(Reveal::Category),
            handling: says(Reveal::Handling),
            contact: says(Reveal::Contact),
        },
    }
}

/// An id that is used before, or a grant that was given before.
fn duplicate(
    place: &str,
    written: &DocumentLookup,
    document: &Document,
    earlier: &[DocumentLookup],
) -> Option<Problem> {
    let used = |message: String| Problem::new(Rule::IdUsedTwice, format!("{place}/id"), message);
    if document.grants.iter().any(|grant| grant.id == written.id) {
        let message = format!("the id `{}` is used by a grant of a dataset", written.id);
        return Some(used(message));
    }
    if earlier.iter().any(|other| other.id == written.id) {
        return Some(used(format!("the id `{}` is used by another grant", written.id)));
    }
    let meant = lookup(written);
    let same = earlier.iter().find(|other| {
        let other = lookup(other);
        (other.table, other.whom, other.limits)
            == (meant.table.clone(), meant.whom.clone(), meant.limits)
    })?;
    let message = format!("the grant says the same as `{}`", same.id);
    Some(Problem::new(Rule::SameGrantTwice, place, message))
}

/// Where a grant says something else of its table than the first grant of the table does: a node has one index of a
/// table, so it cannot answer both.
fn other_table(place: &str, written: &DocumentLookup, earlier: &[DocumentLookup]) -> Vec<Problem> {
    let Some(first) = earlier.iter().find(|other| other.table == written.table) else {
        return Vec::new();
    };
    let differs = |key: &str, here: String, there: String| {
        (here != there).then(|| {
            let message = format!(
                "the grants of `{}` do not agree: {here} here, {there} in `{}`",
                written.table, first.id
            );
            Problem::new(Rule::TableDisagrees, format!("{place}/{key}"), message)
                .help("say the same of a table in all of its grants, or make it two tables")
        })
    };
    [
        differs("kind", written.kind.to_string(), first.kind.to_string()),
        differs("mode", mode(written.mode).to_owned(), mode(first.mode).to_owned()),
        differs("reveals", revealed(&written.reveals), revealed(&first.reveals)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Blinded => "blinded",
        Mode::Declared => "declared",
    }
}

fn revealed(reveals: &[Reveal]) -> String {
    let words: BTreeSet<&str> = reveals.iter().map(|reveal| reveal.as_str()).collect();
    if words.is_empty() {
        return "nothing".to_owned();
    }
    words.into_iter().collect::<Vec<_>>().join(", ")
}

fn declared(place: &str, written: &DocumentLookup) -> Option<Problem> {
    match written.mode {
        Mode::Blinded => None,
        Mode::Declared => {
            let message =
                "declared lookups are not answered yet: no node would show this table to anybody";
            Some(
                Problem::new(Rule::NotAnsweredYet, format!("{place}/mode"), message)
                    .help("share it as \"blinded\", or leave it out until a version answers them"),
            )
        }
    }
}

/// Few identifiers, and nothing that keeps somebody from trying them all.
fn unlimited(place: &str, written: &DocumentLookup) -> Option<Problem> {
    if !FEW.contains(&written.kind.as_str()) {
        return None;
    }
    let limits = written.limits.unwrap_or_default();
    let missing: Vec<&str> = [("person", limits.person), ("table", limits.table)]
        .into_iter()
        .filter_map(|(key, limit)| limit.is_none().then_some(key))
        .collect();
    let missing = match missing.as_slice() {
        [] => return None,
        [one] => format!("the limit `{one}` is missing"),
        several => format!("the limits `{}` are missing", several.join("` and `")),
    };
    let place = written.limits.map_or_else(|| place.to_owned(), |_| format!("{place}/limits"));
    let message = format!(
        "{missing}: there are so few identifiers of the kind `{}` that somebody could search for \
         all of them",
        written.kind
    );
    Some(
        Problem::at_key(Rule::FewWithoutLimits, place, message)
            .help("for example \"limits\": { \"at_once\": 8, \"person\": 200, \"table\": 2000 }"),
    )
}
