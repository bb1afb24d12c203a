//! The decision: policy, person, purpose, time and the shape of a release give a permit or a refusal. Never data.
//!
//! **Grants never add up.** A release is permitted if one grant alone covers everything it reads and says. If several
//! do, the first by id is used, with its own rows, and the strictest protections of all that cover it. Adding the
//! grants' rows instead (either of the filters) would show rows together that no single grant shows together; taking
//! the intersection would make a narrow grant hide rows of a wide one that the administrator gave on purpose; and the
//! loosest protections would let a grant for a coarse question lower the threshold of a fine one. This way a person can
//! see from the answer, which names one grant, exactly what was applied.
//!
//! Two releases of one question may be covered by different grants and so be about different rows. Comparing such
//! releases with each other is not guarded against here.

use crate::catalogue::{COUNTRY_COLUMN, Catalogue, Dataset};
use crate::document::{Grant, Policy, Share};
use crate::shape::{Aggregate, Grain, LevelRef, MeasureRef, Predicate, ReleaseShape};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{ColumnName, Country, GrantId, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use std::fmt;

pub use crate::document::Protections;

/// The rule that says no where no grant says yes.
pub const DEFAULT_DENY: &str = "default-deny";

/// The rule that says no where several grants together would cover a release, but none alone.
pub const ONE_GRANT: &str = "one-grant";

/// Who asks, and why: as the roster and the signed question say, never as the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The country of the person.
    pub country: Country,
    /// The roles that the roster gives the person.
    pub roles: Vec<Role>,
    /// The purpose that the question states.
    pub purpose: Purpose,
}

/// The proof that a policy allows a release: which grant, over which rows, with which protections.
///
/// Only [`decide`] makes one. It cannot be copied, sent or stored, so that it is used where it was decided.
///
/// ```compile_fail
/// fn copied(permit: &mayag_policies::decide::Permit) -> mayag_policies::decide::Permit {
///     permit.clone()
/// }
/// ```
pub struct Permit {
    shape: ReleaseShape,
    grant: GrantId,
    rows: Predicate,
    protections: Protections,
    policy: PolicyVersion,
}

impl Permit {
    /// What is permitted: exactly this.
    pub fn shape(&self) -> &ReleaseShape {
        &self.shape
    }

    /// The grant that covers the release.
    pub fn grant(&self) -> &GrantId {
        &self.grant
    }

    /// The rows that the release may be about; its own filter narrows them further.
    pub fn rows(&self) -> &Predicate {
        &self.rows
    }

    /// What its cells need before they leave.
    pub fn protections(&self) -> Protections {
        self.protections
    }

    /// The version of the policy it was decided under.
    pub fn policy(&self) -> &PolicyVersion {
        &self.policy
    }
}

impl fmt::Debug for Permit {
    /// The constants of row filters are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Permit(grant {}, policy {})", self.grant, self.policy.serial)
    }
}

/// Decides one release. O(grants · size of the shape); no I/O, and no data.
pub fn decide(
    policy: &Policy,
    catalogue: &Catalogue,
    subject: &Subject,
    now: Timestamp,
    shape: &ReleaseShape,
) -> Result<Permit, Refusal> {
    if !policy.in_force(now) {
        return Err(Refusal::new(
            Code::NoPolicy,
            DEFAULT_DENY,
            "leave this country out, or ask its administrator",
        ));
    }
    let dataset = catalogue.dataset(shape.dataset.as_str());
    let grants: Vec<&Grant> =
        applicable(policy, subject, now).filter(|grant| grant.dataset == shape.dataset).collect();
    let Some(dataset) = dataset.filter(|_| !grants.is_empty()) else {
        let hint =
            "`mayag datasets` lists what this country shares with you, and for which purposes";
        return Err(Refusal::new(Code::NoGrant, DEFAULT_DENY, hint).about(shape.dataset.as_str()));
    };
    let needs = needs(shape);
    let covers = |grant: &&&Grant| needs.iter().all(|need| said(grant, dataset, need) == Said::Yes);
    let covering: Vec<&&Grant> = grants.iter().filter(covers).collect();
    let strictest = covering.iter().map(|grant| grant.protections).reduce(|a, b| Protections {
        min_units: a.min_units.max(b.min_units),
        p_percent: a.p_percent.max(b.p_percent),
    });
    match (covering.first(), strictest) {
        (Some(grant), Some(protections)) => Ok(Permit {
            shape: shape.clone(),
            grant: grant.id.clone(),
            rows: grant.rows.clone(),
            protections,
            policy: policy.version().clone(),
        }),
        (None, _) | (_, None) => Err(refusal(&grants, dataset, &needs)),
    }
}

/// The refusal of a column that is unknown, or known but not shared: the same words for both.
pub fn column_not_shared(column: &str) -> Refusal {
    Refusal::new(
        Code::ColumnNotShared,
        DEFAULT_DENY,
        "`mayag datasets` lists the columns that this country shares with you; leave this one out",
    )
    .about(column)
}

/// The grants, sorted by id, that this person may use for this purpose now.
pub(crate) fn applicable<'a>(
    policy: &'a Policy,
    subject: &'a Subject,
    now: Timestamp,
) -> impl Iterator<Item = &'a Grant> {
    policy.grants().iter().filter(move |grant| {
        grant.countries.as_ref().is_none_or(|countries| countries.contains(&subject.country))
            && subject.roles.iter().any(|role| grant.roles.contains(role))
            && grant.purposes.contains(&subject.purpose)
            && grant.valid_until.is_none_or(|until| now < until)
    })
}

/// One thing that a release needs of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need<'a> {
    /// To show a level or to filter by it.
    Level(&'a LevelRef),
    /// To show an aggregate.
    Measure(&'a MeasureRef),
}

/// What a grant says to a need. Ordered: the later, the nearer to a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    ColumnNotShared,
    AggregateNotShared,
    /// The finest level it shares instead.
    TooFine(Grain),
    Yes,
}

fn needs(shape: &ReleaseShape) -> Vec<Need<'_>> {
    let mut needs: Vec<Need<'_>> = Vec::new();
    let levels = shape.keys.iter().chain(&shape.filters).map(Need::Level);
    for need in levels.chain(shape.measures.iter().map(Need::Measure)) {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

fn said(grant: &Grant, dataset: &Dataset, need: &Need<'_>) -> Said {
    match need {
        Need::Level(level) => level_said(grant, dataset, level),
        Need::Measure(measure) => measure_said(grant, dataset, measure),
    }
}

fn level_said(grant: &Grant, dataset: &Dataset, level: &LevelRef) -> Said {
    let asked = match grain_of(dataset, level) {
        Ok(grain) => grain,
        Err(no) => return no,
    };
    match (share(grant, dataset, &level.column), asked) {
        (Shared::Country | Shared::As(Share::Dimension { finest: None }), None) => Said::Yes,
        (Shared::As(Share::Dimension { finest: Some(finest) }), Some(asked))
            if *finest <= asked =>
        {
            Said::Yes
        }
        (Shared::As(Share::Dimension { finest: Some(finest) }), Some(_)) => Said::TooFine(*finest),
        // A measure or a unit that is shared is still no level.
        (Shared::As(Share::Measure { .. } | Share::Unit) | Shared::No, _)
        | (Shared::As(Share::Dimension { finest: None }) | Shared::Country, Some(_))
        | (Shared::As(Share::Dimension { finest: Some(_) }), None) => Said::ColumnNotShared,
    }
}

fn measure_said(grant: &Grant, dataset: &Dataset, measure: &MeasureRef) -> Said {
    let Some(level) = &measure.column else {
        return match measure.aggregate {
            // Every grant shares at least one column, which is what counting rows needs.
            Aggregate::Count => Said::Yes,
            Aggregate::CountDistinct => unit_said(grant, dataset, &dataset.unit.column),
            Aggregate::Avg
            | Aggregate::Max
            | Aggregate::Min
            | Aggregate::Stddev
            | Aggregate::Sum
            | Aggregate::Variance => Said::AggregateNotShared,
        };
    };
    match (measure.aggregate, share(grant, dataset, &level.column)) {
        (_, Shared::No) => Said::ColumnNotShared,
        (
            Aggregate::Min | Aggregate::Max,
            Shared::As(Share::Dimension { .. }) | Shared::Country,
        ) => level_said(grant, dataset, level),
        // Which rows have a value says nothing of how fine it is.
        (Aggregate::Count, _) => Said::Yes,
        (Aggregate::CountDistinct, Shared::As(Share::Unit)) => {
            unit_said(grant, dataset, &level.column)
        }
        (aggregate, Shared::As(Share::Measure { aggregates }))
            if aggregates.contains(&aggregate) =>
        {
            Said::Yes
        }
        (
            Aggregate::Avg
            | Aggregate::CountDistinct
            | Aggregate::Max
            | Aggregate::Min
            | Aggregate::Stddev
            | Aggregate::Sum
            | Aggregate::Variance,
            Shared::As(_) | Shared::Country,
        ) => Said::AggregateNotShared,
    }
}

fn unit_said(grant: &Grant, dataset: &Dataset, column: &ColumnName) -> Said {
    match share(grant, dataset, column) {
        Shared::As(Share::Unit) if *column == dataset.unit.column => Said::Yes,
        Shared::As(_) | Shared::Country | Shared::No => Said::ColumnNotShared,
    }
}

/// How a grant shares a column.
enum Shared<'a> {
    As(&'a Share),
    /// The implied column `country`.
    Country,
    No,
}

fn share<'a>(grant: &'a Grant, dataset: &Dataset, column: &ColumnName) -> Shared<'a> {
    if column.as_str() == COUNTRY_COLUMN {
        return Shared::Country;
    }
    // A policy is checked against the catalogue when it is read; a column that has left it since is not shared.
    match grant.columns.get(column).filter(|_| dataset.column(column.as_str()).is_some()) {
        Some(share) => Shared::As(share),
        None => Shared::No,
    }
}

/// The grain at which a level asks for its column; a date without a grain is the date itself. An error for what is no
/// level at all.
fn grain_of(dataset: &Dataset, level: &LevelRef) -> Result<Option<Grain>, Said> {
    if level.column.as_str() == COUNTRY_COLUMN {
        return Ok(level.grain);
    }
    let finest = dataset.column(level.column.as_str()).and_then(|column| column.kind.finest());
    finest.map(|finest| level.grain.or(finest)).ok_or(Said::ColumnNotShared)
}

/// Why no grant covers these needs. The order of the needs decides, never anything that differs between an unknown
/// column and one that is not shared.
fn refusal(grants: &[&Grant], dataset: &Dataset, needs: &[Need<'_>]) -> Refusal {
    for need in needs {
        let nearest = grants
            .iter()
            .map(|grant| (said(grant, dataset, need), *grant))
            .reduce(|best, other| if nearer(other.0, best.0) { other } else { best });
        if let Some((said, grant)) = nearest.filter(|(said, _)| *said != Said::Yes) {
            return no(said, grant, dataset, need);
        }
    }
    not_together(grants, dataset, needs)
}

/// Whether `a` is nearer to a yes than `b`; of two levels the finer one is.
fn nearer(a: Said, b: Said) -> bool {
    match (a, b) {
        (Said::TooFine(a), Said::TooFine(b)) => a < b,
        (a, b) => a > b,
    }
}

fn no(said: Said, grant: &Grant, dataset: &Dataset, need: &Need<'_>) -> Refusal {
    let column = column_of(dataset, need);
    match said {
        Said::TooFine(finest) => {
            let hint = format!(
                "write date_trunc('{}', {column}), or compare with the first day of a {0}",
                finest.as_str()
            );
            let level = format!("{column} by {}", finest.as_str());
            Refusal::new(Code::LevelTooFine, grant.id.as_str(), hint).about(level)
        }
        Said::AggregateNotShared => {
            let shared = match share(grant, dataset, &column) {
                Shared::As(Share::Measure { aggregates }) => aggregates
                    .iter()
                    .map(|aggregate| aggregate.as_str())
                    .collect::<Vec<_>>()
                    .join(", "),
                Shared::As(Share::Dimension { .. }) | Shared::Country => {
                    "count, max, min".to_owned()
                }
                Shared::As(Share::Unit) => "count, count_distinct".to_owned(),
                Shared::No => "count".to_owned(),
            };
            let hint = format!("what is shared of it: {shared}");
            Refusal::new(Code::AggregateNotShared, grant.id.as_str(), hint).about(written(need))
        }
        Said::ColumnNotShared | Said::Yes => column_not_shared(column.as_str()),
    }
}

/// Everything is shared, but by no grant alone.
fn not_together(grants: &[&Grant], dataset: &Dataset, needs: &[Need<'_>]) -> Refusal {
    let missing = |grant: &&Grant| -> Vec<&Need<'_>> {
        needs.iter().filter(|need| said(grant, dataset, need) != Said::Yes).collect()
    };
    // The first of the grants that lack least: `min_by_key` keeps the first of equals.
    let nearest = grants.iter().map(missing).min_by_key(Vec::len).unwrap_or_default();
    let mut left_out: Vec<String> = nearest.iter().map(|need| written(need)).collect();
    left_out.dedup();
    let hint = format!(
        "grants do not add up; one alone covers the release without {}",
        left_out.join(", ")
    );
    let subject =
        nearest.first().map(|need| column_of(dataset, need).to_string()).unwrap_or_default();
    Refusal::new(Code::ColumnNotShared, ONE_GRANT, hint).about(subject)
}

fn column_of(dataset: &Dataset, need: &Need<'_>) -> ColumnName {
    match need {
        Need::Level(level) => level.column.clone(),
        Need::Measure(MeasureRef { column: Some(level), .. }) => level.column.clone(),
        Need::Measure(MeasureRef { column: None, .. }) => dataset.unit.column.clone(),
    }
}

/// A need as people write it.
fn written(need: &Need<'_>) -> String {
    match need {
        Need::Level(level) => level.to_string(),
        Need::Measure(MeasureRef { aggregate, column: Some(level) }) => {
            format!("{}({level})", aggregate.as_str())
        }
        Need::Measure(MeasureRef { aggregate, column: None }) => aggregate.as_str().to_owned(),
    }
}

#[cfg(test)]
mod tests;
