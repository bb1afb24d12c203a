//! Advice about lookup tables.

use super::ends;
use crate::document::problem::Problem;
use crate::document::rule::Rule;
use crate::document::written::{Document, lookups::DocumentLookup};
use crate::lookups::LookupGrant;
use mayag_protocol::timestamp::Timestamp;

/// What somebody should look at in the grants of lookup tables. `meant` are what they mean, sorted by id.
pub(super) fn problems(document: &Document, meant: &[LookupGrant], now: Timestamp) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (i, written) in document.lookups.iter().enumerate() {
        let place = format!("/lookups/{i}");
        problems.extend(no_limits(&place, written));
        problems.extend(too_large(&place, written));
        let grant = meant.iter().find(|grant| grant.id == written.id);
        problems.extend(grant.and_then(|grant| never_used(&place, grant, meant)));
        if let Some(until) = written.valid_until {
            problems.extend(ends(&format!("{place}/valid_until"), "grant", until, now));
        }
    }
    problems
}

fn no_limits(place: &str, written: &DocumentLookup) -> Option<Problem> {
    let limits = written.limits.unwrap_or_default();
    let none = [limits.person, limits.country, limits.table].iter().all(Option::is_none);
    none.then(|| {
        let place = written.limits.map_or_else(|| place.to_owned(), |_| format!("{place}/limits"));
        let message =
            "no limit a day: whoever may search may go through all identifiers that there can be";
        Problem::at_key(Rule::NoLimits, place, message)
            .help("for example \"limits\": { \"person\": 10000 }")
    })
}

/// The largest lookups would use up more than there is for a day.
fn too_large(place: &str, written: &DocumentLookup) -> Option<Problem> {
    let limits = written.limits?;
    let named = [("person", limits.person), ("country", limits.country), ("table", limits.table)];
    let (key, least) = named
        .into_iter()
        .filter_map(|(key, limit)| Some((key, limit?)))
        .min_by_key(|(_, limit)| *limit)?;
    // The positive control is charged as well: a node cannot know which element it is.
    (least <= u64::from(limits.at_once)).then(|| {
        let message = format!(
            "no lookup of {} identifiers is ever answered: `{key}` is {least} a day",
            limits.at_once
        );
        Problem::new(Rule::LimitNotReached, format!("{place}/limits/at_once"), message)
            .help("padding counts: a lookup is charged for its whole size")
    })
}

/// Whatever the grant allows, another one allows as well: it can only make the other one's limits stricter.
fn never_used(place: &str, grant: &LookupGrant, meant: &[LookupGrant]) -> Option<Problem> {
    let covers = |other: &&LookupGrant| {
        other.id != grant.id
            && other.table.name == grant.table.name
            && other.whom.covers(&grant.whom)
            && grant.limits.at_once <= other.limits.at_once
            // Of two that cover each other, the first by id is the one that is used.
            && (!grant.whom.covers(&other.whom)
                || other.limits.at_once != grant.limits.at_once
                || other.id < grant.id)
    };
    let covering = meant.iter().find(covers)?;
    let message = format!("the grant opens nothing: `{}` covers all of it", covering.id);
    Some(
        Problem::at_key(Rule::NeverUsed, format!("{place}/id"), message)
            .help("remove it; as it is, it only adds its limits to the other's"),
    )
}
