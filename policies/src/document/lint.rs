//! Advice: what a node takes, and what somebody should look at before.

use crate::catalogue::{Catalogue, Dataset, Kind};
use crate::document::problem::Problem;
mod lookups;

use crate::document::protections::Switch;
use crate::document::rule::Rule;
use crate::document::written::{
    Document, DocumentGrant, LEAST_MIN_UNITS, LEAST_P_PERCENT, default_min_units, default_p_percent,
};
use crate::document::{Grant, Meant, SOON, Share};
use crate::shape::Grain;
use mayag_protocol::timestamp::Timestamp;

/// What somebody should look at in a document that a node takes, and whose grants mean this.
pub(super) fn problems(
    document: &Document,
    meant: &Meant,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Vec<Problem> {
    let mut problems: Vec<Problem> =
        ends("/valid_until", "policy", document.valid_until, now).into_iter().collect();
    let grants = &meant.grants;
    for (i, written) in document.grants.iter().enumerate() {
        let place = format!("/grants/{i}");
        let dataset = catalogue.dataset(written.dataset.as_str());
        let meant = grants.iter().find(|grant| grant.id == written.id);
        let Some((dataset, grant)) = dataset.zip(meant) else { continue };
        problems.extend(fail_open(&place, grant, dataset));
        problems.extend(quasi_identifiers(&place, grant, dataset));
        problems.extend(weak_thresholds(&place, written));
        problems.extend(persons(&place, written, grant, dataset));
        problems.extend(never_used(&place, grant, grants));
        if let Some(until) = written.valid_until {
            problems.extend(ends(&format!("{place}/valid_until"), "grant", until, now));
        }
    }
    problems.extend(lookups::problems(document, &meant.lookups, now));
    problems
}

fn ends(place: &str, what: &str, until: Timestamp, now: Timestamp) -> Option<Problem> {
    let left = until.since(now);
    let message = if left.is_zero() {
        format!("the {what} ended at {until} (UTC): nothing is answered under it any more")
    } else if left < SOON {
        format!("the {what} ends at {until} (UTC), in {} days", left.as_secs() / (24 * 60 * 60))
    } else {
        return None;
    };
    Some(
        Problem::new(Rule::EndsSoon, place, message)
            .help("a renewal is a new serial that two people approve"),
    )
}

/// Everybody may ask, and may ask for something fine.
fn fail_open(place: &str, grant: &Grant, dataset: &Dataset) -> Option<Problem> {
    let fine = fine_columns(grant, dataset);
    let first = fine.first().filter(|_| grant.whom.countries.is_none())?;
    let message = format!(
        "every country of the federation, also one that joins later, may group by {first}, which is fine enough to \
         single out cases"
    );
    Some(
        Problem::new(Rule::FailOpen, format!("{place}/to/countries"), message)
            .help("name the countries, or share a coarser level"),
    )
}

fn quasi_identifiers(place: &str, grant: &Grant, dataset: &Dataset) -> Option<Problem> {
    let fine = fine_columns(grant, dataset);
    let together = 1 < fine.len() && 1 < grant.protections.most_levels;
    together.then(|| {
        let message = format!(
            "{} can be grouped together: together they single out persons or cases",
            fine.join(", ")
        );
        Problem::at_key(Rule::QuasiIdentifiers, format!("{place}/columns"), message)
            .help("share them in different grants, which never add up, or share coarser levels")
    })
}

/// The columns shared to group by that say nearly as much as an identifier: days, and what the catalogue marks.
fn fine_columns(grant: &Grant, dataset: &Dataset) -> Vec<String> {
    let fine = dataset.columns.iter().filter(|column| match grant.columns.get(&column.name) {
        Some(Share::Dimension { finest: Some(grain) }) => column.quasi || *grain == Grain::Day,
        Some(Share::Dimension { finest: None }) => column.quasi,
        Some(Share::Measure { .. } | Share::Unit) | None => false,
    });
    fine.map(|column| match column.kind {
        Kind::Date {} => format!("`{}` by day", column.name),
        Kind::Category { .. }
        | Kind::Hidden {}
        | Kind::Measure { .. }
        | Kind::Number {}
        | Kind::Unit {} => {
            format!("`{}`", column.name)
        }
    })
    .collect()
}

fn weak_thresholds(place: &str, written: &DocumentGrant) -> Vec<Problem> {
    let weak = |key: &str, value: u64, default: u64, floor: u64| {
        (value < default).then(|| {
            let message = format!(
                "`{key}` is {value}: the federation's default is {default}, its floor is {floor}"
            );
            Problem::new(Rule::AtTheFloor, format!("{place}/{key}"), message)
                .help("say in `why` what the lower threshold is needed for")
        })
    };
    let units = weak("min_units", written.min_units, default_min_units(), LEAST_MIN_UNITS);
    let percent = weak(
        "p_percent",
        u64::from(written.p_percent),
        u64::from(default_p_percent()),
        u64::from(LEAST_P_PERCENT),
    );
    units.into_iter().chain(percent).collect()
}

fn persons(place: &str, written: &DocumentGrant, grant: &Grant, dataset: &Dataset) -> Vec<Problem> {
    let mut problems = Vec::new();
    if !dataset.has_person_unit() {
        if written.waiver.is_some() {
            let message = format!("`waiver` has no effect: `{}` protects no persons", dataset.name);
            problems.push(Problem::at_key(
                Rule::WaiverWithoutPersons,
                format!("{place}/waiver"),
                message,
            ));
        }
        return problems;
    }
    if grant.protections.difference_guard == Switch::Off {
        let message =
            "the difference guard is off: two questions that differ by one person can be compared";
        problems.push(Problem::new(Rule::GuardOff, format!("{place}/difference_guard"), message));
    }
    if grant.budget.person.is_none() {
        let message = "no `budget` for a person: noise wears off under questions without end";
        problems.push(
            Problem::at_key(Rule::NoBudget, place, message)
                .help("for example \"budget\": { \"person\": 100 }"),
        );
    }
    problems
}

/// Whatever the grant covers, an earlier one covers as well, and so is used instead. The later one can only make the
/// earlier one stricter.
fn never_used(place: &str, grant: &Grant, grants: &[Grant]) -> Option<Problem> {
    let earlier = grants.iter().take_while(|other| other.id < grant.id);
    let covering = earlier.into_iter().find(|other| covers(other, grant))?;
    let message =
        format!("the grant is never used: `{}` comes first and covers all of it", covering.id);
    Some(Problem::at_key(Rule::NeverUsed, format!("{place}/id"), message).help(
        "give it an id that comes earlier, or remove it; as it is, it only adds its protections to the other's",
    ))
}

fn covers(wide: &Grant, narrow: &Grant) -> bool {
    let columns = narrow.columns.iter().all(|(name, share)| {
        wide.columns.get(name).is_some_and(|other| share_covers(other, share))
    });
    wide.dataset == narrow.dataset
        && wide.whom.covers(&narrow.whom)
        && columns
        && narrow.protections.most_levels <= wide.protections.most_levels
        && (narrow.protections.noise.on() || !wide.protections.noise.on())
}

fn share_covers(wide: &Share, narrow: &Share) -> bool {
    match (wide, narrow) {
        (Share::Dimension { finest: wide }, Share::Dimension { finest: narrow }) => wide <= narrow,
        (Share::Measure { aggregates: wide, .. }, Share::Measure { aggregates: narrow, .. }) => {
            narrow.is_subset(wide)
        }
        (Share::Unit, Share::Unit) => true,
        (Share::Dimension { .. } | Share::Measure { .. } | Share::Unit, _) => false,
    }
}
