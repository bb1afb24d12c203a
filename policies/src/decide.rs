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

mod change;
mod joined;
mod shared;

use crate::catalogue::{COUNTRY_COLUMN, Catalogue, Column, Dataset, Named};
use crate::document::{Grant, Policy, Share};
use crate::shape::{Aggregate, Grain, LevelRef, MeasureRef, Predicate, ReleaseShape};
use change::Asked;
use joined::pairs;
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{ColumnName, Country, DatasetName, GrantId, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use shared::{Shared, share};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

pub use crate::document::{Bounds, Budget, Dominance, Noise, Protections, Switch};

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
    with: Option<GrantId>,
    rows: Predicate,
    joined_rows: Predicate,
    protections: Protections,
    bounds: BTreeMap<ColumnName, Bounds>,
    budget: Budget,
    waiver: Option<String>,
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

    /// The grants as people read them: of a join, that of either dataset.
    pub fn grants(&self) -> String {
        match &self.with {
            None => self.grant.to_string(),
            Some(with) => format!("{} with {with}", self.grant),
        }
    }

    /// The rows that the release may be about; its own filter narrows them further. Of a join, the rows of the dataset
    /// whose rows it has, in that dataset's words.
    pub fn rows(&self) -> &Predicate {
        &self.rows
    }

    /// Of a join, the rows of the second dataset that the release may be about, in that dataset's words.
    pub fn joined_rows(&self) -> &Predicate {
        &self.joined_rows
    }

    /// What its cells need before they leave.
    pub fn protections(&self) -> Protections {
        self.protections
    }

    /// The public bounds of what one unit contributes to sums of this column, if the policy gives any. Always there for
    /// the sums and averages of a release with noise.
    pub fn bounds(&self, column: &ColumnName) -> Option<Bounds> {
        self.bounds.get(column).copied()
    }

    /// How many questions a day may be answered under it.
    pub fn budget(&self) -> Budget {
        self.budget
    }

    /// The recorded legal reason to compute over persons when asked.
    pub fn waiver(&self) -> Option<&str> {
        self.waiver.as_deref()
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
        return Err(no_policy());
    }
    let join = catalogue.join_named(&shape.dataset);
    let grants = match &join {
        Some(join) => pairs(policy, catalogue, subject, now, join)?,
        None => {
            granted(policy, catalogue, subject, now, &shape.dataset)?.map(Cow::Borrowed).collect()
        }
    };
    let grants: Vec<&Grant> = grants.iter().map(AsRef::as_ref).collect();
    let dataset = catalogue.source(&shape.dataset).ok_or_else(|| no_grant(&shape.dataset))?;
    let decided = among(policy, &grants, dataset, shape);
    decided.map_err(
        |refusal| {
            if join.is_some() { catalogue.with_own_names(refusal) } else { refusal }
        },
    )
}

/// The refusal outside the policy's validity.
pub(crate) fn no_policy() -> Refusal {
    let hint = "leave this country out, or ask its administrator";
    Refusal::new(Code::NoPolicy, DEFAULT_DENY, hint)
}

/// Decides among the grants that may be used for a dataset.
fn among(
    policy: &Policy,
    grants: &[&Grant],
    dataset: &Dataset,
    shape: &ReleaseShape,
) -> Result<Permit, Refusal> {
    permit(policy, shape, &covering(grants, dataset, shape))
        .ok_or_else(|| refusal(&Asked { grants, dataset, shape }))
}

/// The grants that cover a release, each alone.
fn covering<'a>(grants: &[&'a Grant], dataset: &Dataset, shape: &ReleaseShape) -> Vec<&'a Grant> {
    let (needs, combined) = (needs(shape), combined(shape, dataset));
    let covers = |grant: &&Grant| {
        says_yes(grant, dataset, &needs) && combined <= grant.protections.most_levels
    };
    grants.iter().copied().filter(covers).collect()
}

/// The grants for one dataset that this person may use for this purpose now: at least one.
fn granted<'a>(
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    subject: &'a Subject,
    now: Timestamp,
    dataset: &'a DatasetName,
) -> Result<impl Iterator<Item = &'a Grant>, Refusal> {
    let mut grants = applicable(policy, catalogue, subject, now)
        .filter(move |grant| grant.dataset == *dataset)
        .peekable();
    if grants.peek().is_none() { Err(no_grant(dataset)) } else { Ok(grants) }
}

fn no_grant(dataset: &DatasetName) -> Refusal {
    let hint = "`mayag datasets` lists what this country shares with you, and for which purposes";
    Refusal::new(Code::NoGrant, DEFAULT_DENY, hint).about(dataset.as_str())
}

/// The permit of the first of these grants, with the strictest protections of all; `None` if there are none.
fn permit(policy: &Policy, shape: &ReleaseShape, covering: &[&Grant]) -> Option<Permit> {
    let (first, others) = covering.split_first()?;
    let (mut protections, mut budget) = (first.protections, first.budget);
    for grant in others {
        protections = protections.strictest(grant.protections);
        budget = budget.strictest(grant.budget);
    }
    let measured = shape.measures.iter().filter_map(|measure| measure.column.as_ref());
    let bounds = measured
        .filter_map(|level| Some((level.column.clone(), bounds(covering, &level.column)?)))
        .collect();
    Some(Permit {
        shape: shape.clone(),
        grant: first.id.clone(),
        with: first.with.clone(),
        rows: first.rows.clone(),
        joined_rows: first.joined_rows.clone(),
        protections,
        bounds,
        budget,
        waiver: first.waiver.clone(),
        policy: policy.version().clone(),
    })
}

/// The narrowest bounds that these grants give a column.
fn bounds(covering: &[&Grant], column: &ColumnName) -> Option<Bounds> {
    let given = covering.iter().filter_map(|grant| match grant.columns.get(column) {
        Some(Share::Measure { bounds, .. }) => *bounds,
        Some(Share::Dimension { .. } | Share::Unit) | None => None,
    });
    given.reduce(Bounds::strictest)
}

/// The refusal of a column that is unknown, or known but not shared: the same words for both. Where it is unknown the
/// planner says them, which knows no policy, so they cannot promise that the question without it would be permitted.
pub fn column_not_shared(column: &str) -> Refusal {
    let hint = "`mayag datasets` lists the columns that this country shares with you";
    Refusal::new(Code::ColumnNotShared, DEFAULT_DENY, hint).about(column)
}

/// The grants, sorted by id, that this person may use for this purpose now.
pub(crate) fn applicable<'a>(
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    subject: &'a Subject,
    now: Timestamp,
) -> impl Iterator<Item = &'a Grant> {
    policy
        .grants()
        .iter()
        .filter(move |grant| grant.whom.admits(subject, now) && may_be_live(grant, catalogue))
}

/// Whether answers may be computed when they are asked for. A grant over persons without a recorded legal reason, or
/// without noise, opens nothing; whether there are persons is what the catalogue says today, whatever the policy was
/// checked against when it was read.
pub(crate) fn may_be_live(grant: &Grant, catalogue: &Catalogue) -> bool {
    let persons = catalogue.dataset(grant.dataset.as_str()).is_some_and(Dataset::has_person_unit);
    !persons || (grant.waiver.is_some() && grant.protections.noise.on())
}

/// How many different columns a release groups and filters by. A column counts once, however many of its levels are
/// used; `country` is the same in all rows of a country and does not count.
fn combined(shape: &ReleaseShape, dataset: &Dataset) -> u32 {
    let columns: BTreeSet<&str> = shape
        .keys
        .iter()
        .chain(&shape.filters)
        .filter(|level| level.column.as_str() != COUNTRY_COLUMN)
        .map(|level| {
            let column = dataset.named(level).and_then(Named::column);
            column.map_or(level.column.as_str(), |column| column.name.as_str())
        })
        .collect();
    u32::try_from(columns.len()).unwrap_or(u32::MAX)
}

/// One thing that a release needs of a grant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Need<'a> {
    /// To show a level or to filter by it.
    Level(&'a LevelRef),
    /// To show an aggregate.
    Measure(&'a MeasureRef),
}

/// What a grant says to a need. Ordered: the later, the nearer to a yes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Said {
    ColumnNotShared,
    AggregateNotShared,
    /// The finest level it shares instead.
    TooFine(Coarseness),
    Yes,
}

/// How coarsely a column is shared. Ordered: the finer, the smaller. Only coarsenesses of one column are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Coarseness {
    /// As it is.
    Own,
    /// A date by this grain.
    Grain(Grain),
    /// By this one of the column's levels.
    Level(usize),
}

/// Quantiles come before the levels that nobody wrote but they need: a column that is not shared is refused by its name.
fn needs(shape: &ReleaseShape) -> Vec<Need<'_>> {
    let mut needs: Vec<Need<'_>> = Vec::new();
    let quantiles = shape.measures.iter().filter(|of| of.aggregate == Aggregate::Quantile);
    let levels = shape.keys.iter().chain(&shape.filters).map(Need::Level);
    for need in
        quantiles.map(Need::Measure).chain(levels).chain(shape.measures.iter().map(Need::Measure))
    {
        if !needs.contains(&need) {
            needs.push(need);
        }
    }
    needs
}

pub(crate) fn said(grant: &Grant, dataset: &Dataset, need: &Need<'_>) -> Said {
    match need {
        Need::Level(level) => level_said(grant, dataset, level),
        Need::Measure(measure) => measure_said(grant, dataset, measure),
    }
}

fn says_yes(grant: &Grant, dataset: &Dataset, needs: &[Need<'_>]) -> bool {
    needs.iter().all(|need| said(grant, dataset, need) == Said::Yes)
}

fn level_said(grant: &Grant, dataset: &Dataset, level: &LevelRef) -> Said {
    let (column, asked) = match dataset.named(level) {
        None => return Said::ColumnNotShared,
        Some(Named::Country) => return Said::Yes,
        Some(Named::Plain(column)) => (column, Coarseness::Own),
        Some(Named::Period(column, grain)) => (column, Coarseness::Grain(grain)),
        Some(Named::Coarser(column, level)) => {
            let at = column.levels.iter().position(|other| other == level);
            (column, at.map_or(Coarseness::Own, Coarseness::Level))
        }
    };
    match finest(grant, column) {
        None => Said::ColumnNotShared,
        Some(finest) if finest <= asked => Said::Yes,
        Some(finest) => Said::TooFine(finest),
    }
}

/// The finest level at which a grant shares a column to group and filter by.
fn finest(grant: &Grant, column: &Column) -> Option<Coarseness> {
    let level = |name: &ColumnName| match grant.columns.get(name) {
        Some(Share::Dimension { finest }) => Some(*finest),
        // A measure or a unit that is shared is still no level.
        Some(Share::Measure { .. } | Share::Unit) | None => None,
    };
    match level(&column.name) {
        Some(Some(grain)) => Some(Coarseness::Grain(grain)),
        Some(None) => Some(Coarseness::Own),
        None => {
            let shared = |of| column.virtual_name(of).is_some_and(|name| level(&name).is_some());
            column.levels.iter().position(shared).map(Coarseness::Level)
        }
    }
}

fn measure_said(grant: &Grant, dataset: &Dataset, measure: &MeasureRef) -> Said {
    let Some(level) = &measure.column else {
        return match measure.aggregate {
            // Every grant shares at least one column, which is what counting rows needs.
            Aggregate::Count => Said::Yes,
            Aggregate::CountDistinct => unit_said(grant, dataset, &dataset.unit().column),
            Aggregate::Avg
            | Aggregate::Correlation
            | Aggregate::Covariance
            | Aggregate::Max
            | Aggregate::Min
            | Aggregate::Quantile
            | Aggregate::Stddev
            | Aggregate::Sum
            | Aggregate::Variance => Said::AggregateNotShared,
        };
    };
    match (measure.aggregate, share(grant, dataset, &level.column)) {
        (_, Shared::No) => Said::ColumnNotShared,
        // One value, or a product of two, cannot hide in noise that is scaled to what one unit contributes. And noise hides
        // one unit of the first kind; of another kind that one may have many.
        (
            Aggregate::Correlation
            | Aggregate::CountDistinct
            | Aggregate::Covariance
            | Aggregate::Max
            | Aggregate::Min
            | Aggregate::Stddev
            | Aggregate::Variance,
            _,
        ) if grant.protections.noise.on() => Said::AggregateNotShared,
        (
            Aggregate::Min | Aggregate::Max,
            Shared::As(Share::Dimension { .. }) | Shared::Country | Shared::Level,
        ) => level_said(grant, dataset, level),
        // Which rows have a value says nothing of how fine it is.
        (Aggregate::Count, _) => Said::Yes,
        (Aggregate::CountDistinct, Shared::As(Share::Unit)) => {
            unit_said(grant, dataset, &level.column)
        }
        // Rows of bins are counted: no bound of the column is needed for their noise.
        (Aggregate::Quantile, Shared::As(Share::Measure { aggregates, .. }))
            if aggregates.contains(&Aggregate::Quantile) =>
        {
            Said::Yes
        }
        (aggregate, Shared::As(Share::Measure { aggregates, bounds }))
            if aggregates.contains(&aggregate)
                && (bounds.is_some() || !grant.protections.noise.on()) =>
        {
            Said::Yes
        }
        (
            Aggregate::Avg
            | Aggregate::Correlation
            | Aggregate::CountDistinct
            | Aggregate::Covariance
            | Aggregate::Max
            | Aggregate::Min
            | Aggregate::Quantile
            | Aggregate::Stddev
            | Aggregate::Sum
            | Aggregate::Variance,
            Shared::As(_) | Shared::Country | Shared::Level,
        ) => Said::AggregateNotShared,
    }
}

fn unit_said(grant: &Grant, dataset: &Dataset, column: &ColumnName) -> Said {
    match share(grant, dataset, column) {
        Shared::As(Share::Unit) if dataset.units.of(column).is_some() => Said::Yes,
        Shared::As(_) | Shared::Country | Shared::Level | Shared::No => Said::ColumnNotShared,
    }
}

/// Why no grant covers a release. The order of its needs decides, never anything that differs between an unknown column
/// and one that is not shared. What its hint offers was decided again.
fn refusal(asked: &Asked<'_>) -> Refusal {
    let Asked { grants, dataset, shape } = *asked;
    let needs = needs(shape);
    for need in &needs {
        let nearest = grants
            .iter()
            .map(|grant| (said(grant, dataset, need), *grant))
            .reduce(|best, other| if nearer(other.0, best.0) { other } else { best });
        if let Some((said, grant)) = nearest.filter(|(said, _)| *said != Said::Yes) {
            return no(said, grant, asked, need);
        }
    }
    let alone = grants.iter().filter(|grant| says_yes(grant, dataset, &needs));
    // The first of those that allow most: `min_by_key` keeps the first of equals.
    match alone.min_by_key(|grant| std::cmp::Reverse(grant.protections.most_levels)) {
        Some(grant) => too_many_levels(grant, combined(shape, dataset)),
        None => not_together(asked, &needs),
    }
}

/// Whether `a` is nearer to a yes than `b`; of two levels the finer one is.
fn nearer(a: Said, b: Said) -> bool {
    match (a, b) {
        (Said::TooFine(a), Said::TooFine(b)) => a < b,
        (a, b) => a > b,
    }
}

fn no(said: Said, grant: &Grant, asked: &Asked<'_>, need: &Need<'_>) -> Refusal {
    let refusal = plain_no(said, grant, asked, need);
    match *need {
        // Nobody has to have written that level.
        Need::Level(level) => match asked.by_quantile(level) {
            Some(hint) => Refusal { hint, ..refusal },
            None => refusal,
        },
        Need::Measure(_) => refusal,
    }
}

fn plain_no(said: Said, grant: &Grant, asked: &Asked<'_>, need: &Need<'_>) -> Refusal {
    match (said, *need) {
        (
            Said::TooFine(shared),
            Need::Level(level) | Need::Measure(MeasureRef { column: Some(level), .. }),
        ) => too_fine(shared, grant, asked, level),
        (Said::AggregateNotShared, _) => aggregate_not_shared(grant, asked, need),
        (Said::TooFine(_), Need::Measure(MeasureRef { column: None, .. }))
        | (Said::ColumnNotShared | Said::Yes, _) => {
            column_not_shared(column_of(asked.dataset, need).as_str())
        }
    }
}

fn too_fine(shared: Coarseness, grant: &Grant, asked: &Asked<'_>, level: &LevelRef) -> Refusal {
    let column = asked.dataset.named(level).and_then(Named::column);
    let (subject, offered) = match (shared, column) {
        (Coarseness::Grain(finest), _) => {
            (format!("{} by {}", level.column, finest.as_str()), asked.by_grain(level, finest))
        }
        (Coarseness::Level(at), Some(column)) => {
            let name = column.levels.get(at).and_then(|level| column.virtual_name(level));
            let Some(name) = name else { return column_not_shared(level.column.as_str()) };
            (name.to_string(), asked.by_level(level, column, at))
        }
        (Coarseness::Own | Coarseness::Level(_), _) => {
            return column_not_shared(level.column.as_str());
        }
    };
    let hint =
        offered.unwrap_or_else(|| format!("shared at the finest: {subject}; {}", change::ALONE));
    Refusal::new(Code::LevelTooFine, grant.id.as_str(), hint).about(subject)
}

fn aggregate_not_shared(grant: &Grant, asked: &Asked<'_>, need: &Need<'_>) -> Refusal {
    let hint = asked.by_aggregate(need).unwrap_or_else(|| {
        format!("`mayag datasets` lists the aggregates that are shared; {}", change::ALONE)
    });
    Refusal::new(Code::AggregateNotShared, grant.id.as_str(), hint).about(written(need))
}

/// Any of the columns may go: a grant that shares all of them also shares fewer.
fn too_many_levels(grant: &Grant, combined: u32) -> Refusal {
    let most = grant.protections.most_levels;
    let hint = format!("group and filter by at most {most} columns together");
    Refusal::new(Code::TooManyLevels, grant.id.as_str(), hint).about(format!("{combined} columns"))
}

/// Everything is shared, but by no grant alone.
fn not_together(asked: &Asked<'_>, needs: &[Need<'_>]) -> Refusal {
    let Asked { grants, dataset, .. } = *asked;
    let missing = |grant: &&Grant| -> Vec<Need<'_>> {
        needs.iter().filter(|need| said(grant, dataset, need) != Said::Yes).copied().collect()
    };
    let mut missing: Vec<Vec<Need<'_>>> = grants.iter().map(missing).collect();
    // Stable: the first of the grants that lack least comes first.
    missing.sort_by_key(Vec::len);
    let offered = missing.iter().find(|missing| asked.permits(&asked.without(missing)));
    let hint = match offered {
        None => "grants do not add up, and no one alone covers the release".to_owned(),
        Some(missing) => {
            let mut left_out: Vec<String> = missing.iter().map(written).collect();
            left_out.dedup();
            let left_out = left_out.join(", ");
            format!("grants do not add up; one alone covers the release without {left_out}")
        }
    };
    let nearest = offered.or_else(|| missing.first()).and_then(|missing| missing.first());
    let subject = nearest.map(|need| column_of(dataset, need).to_string()).unwrap_or_default();
    Refusal::new(Code::ColumnNotShared, ONE_GRANT, hint).about(subject)
}

fn column_of(dataset: &Dataset, need: &Need<'_>) -> ColumnName {
    match need {
        Need::Level(level) => level.column.clone(),
        Need::Measure(MeasureRef { column: Some(level), .. }) => level.column.clone(),
        Need::Measure(MeasureRef { column: None, .. }) => dataset.unit().column.clone(),
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
