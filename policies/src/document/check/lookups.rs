//! What the schema cannot say of lookup tables: ids of their own, grants of a table that agree, limits where there are few
//! identifiers.

use crate::document::Whom;
use crate::document::problem::Problem;
use crate::document::rule::Rule;
use crate::document::written::Document;
use crate::document::written::lookups::{DocumentLookup, Reveal, WrittenSilence};
use crate::lookups::{FEW, FUZZY, Limits, LookupGrant, LookupTable, Reveals};
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
        legal_basis: legal_basis(written).map(ToOwned::to_owned),
        silent: written.silent == Some(WrittenSilence::Allowed),
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
        differs("legal_basis", basis(written), basis(first)),
        differs("silent", silent(written).to_owned(), silent(first).to_owned()),
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

fn basis(written: &DocumentLookup) -> String {
    legal_basis(written).unwrap_or("no legal basis").to_owned()
}

/// The legal basis; blanks name none.
fn legal_basis(written: &DocumentLookup) -> Option<&str> {
    written.legal_basis.as_deref().map(str::trim).filter(|basis| !basis.is_empty())
}

fn silent(written: &DocumentLookup) -> &'static str {
    match written.silent {
        Some(WrittenSilence::Allowed) => "allowed",
        Some(WrittenSilence::Forbidden) | None => "forbidden",
    }
}

/// What a declared table needs, and what a blinded one cannot have.
fn declared(place: &str, written: &DocumentLookup) -> Vec<Problem> {
    let mut problems = Vec::new();
    match written.mode {
        Mode::Blinded => {
            let said = [
                ("legal_basis", written.legal_basis.is_some()),
                ("silent", written.silent.is_some()),
            ];
            problems.extend(said.into_iter().filter(|(_, said)| *said).map(|(key, _)| {
                let message = format!("`{key}` is said of a declared table only: this one is blinded, and its node cannot know of a hit");
                Problem::at_key(Rule::OnlyDeclared, format!("{place}/{key}"), message)
                    .help("leave it out, or write \"mode\": \"declared\"")
            }));
        }
        Mode::Declared => {
            if legal_basis(written).is_none() {
                let message = "`legal_basis` is missing: this country is told what others search, and who they are";
                problems.push(Problem::at_key(Rule::LegalBasisMissing, place, message).help(
                    "name the law or agreement that allows it, or share the table as \"blinded\"",
                ));
            }
            if FUZZY.contains(&written.kind.as_str()) {
                let message = format!(
                    "declared lookups of the kind `{}` are not answered yet: no node would show this table to anybody",
                    written.kind
                );
                problems.push(
                    Problem::new(Rule::NotAnsweredYet, format!("{place}/mode"), message).help(
                        "share it as \"blinded\", or leave it out until a version answers them",
                    ),
                );
            }
        }
    }
    problems
}

/// Few identifiers, and nothing that keeps somebody from trying them all; or a node that writes something for every lookup, and
/// nothing that keeps somebody from filling its disk.
fn unlimited(place: &str, written: &DocumentLookup) -> Option<Problem> {
    let few = FEW.contains(&written.kind.as_str());
    if !few && written.mode == Mode::Blinded {
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
    let (rule, message) = if few {
        let message = format!(
            "{missing}: there are so few identifiers of the kind `{}` that somebody could search for \
             all of them",
            written.kind
        );
        (Rule::FewWithoutLimits, message)
    } else {
        let message = format!(
            "{missing}: the node writes up to 3 KiB for every identifier that is searched in a declared table, \
             and somebody could fill its disk"
        );
        (Rule::DeclaredWithoutLimits, message)
    };
    Some(
        Problem::at_key(rule, place, message)
            .help("for example \"limits\": { \"at_once\": 8, \"person\": 200, \"table\": 2000 }"),
    )
}
