//! Decisions about joins: what two grants allow together, one for either dataset.

use super::{DEFAULT_DENY, Subject, Switch, granted};
use crate::catalogue::{Catalogue, Join};
use crate::document::{Grant, Policy};
use crate::shape::Predicate;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use std::borrow::Cow;

/// The grants for a join: every grant for the one dataset with every grant for the other.
pub(super) fn pairs<'a>(
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    subject: &'a Subject,
    now: Timestamp,
    join: &Join<'_>,
) -> Result<Vec<Cow<'a, Grant>>, Refusal> {
    let many: Vec<&Grant> = granted(policy, catalogue, subject, now, &join.many().name)?.collect();
    let one: Vec<&Grant> = granted(policy, catalogue, subject, now, &join.one().name)?.collect();
    let pairs = many.iter().flat_map(|many| one.iter().map(move |one| many.with(one, join)));
    let pairs: Vec<Cow<'a, Grant>> = pairs.flatten().map(Cow::Owned).collect();
    if pairs.is_empty() {
        let hint = "aggregate the two datasets separately, and join the results";
        let subject = format!("{} JOIN {}", join.many().name, join.one().name);
        return Err(Refusal::new(Code::NoGrant, DEFAULT_DENY, hint).about(subject));
    }
    Ok(pairs)
}

impl Grant {
    /// What two grants allow of the join of their datasets: what either shares, as strictly as both protect it.
    ///
    /// Nothing, where the second hides rows and the difference guard does not stand on both sides: what a join loses
    /// against its first dataset alone would say how much belongs to hidden rows.
    fn with(&self, other: &Self, join: &Join<'_>) -> Option<Self> {
        let guarded = |grant: &Self| grant.protections.difference_guard == Switch::On;
        if other.rows != Predicate::everything() && !(guarded(self) && guarded(other)) {
            return None;
        }
        let mut columns = self.columns.clone();
        for (name, share) in &other.columns {
            columns.insert(join.column(name)?, share.clone());
        }
        Some(Self {
            dataset: join.name()?,
            columns,
            with: Some(other.id.clone()),
            joined_rows: other.rows.clone(),
            protections: self.protections.strictest(other.protections),
            budget: self.budget.strictest(other.budget),
            waiver: self.waiver.clone().or_else(|| other.waiver.clone()),
            ..self.clone()
        })
    }
}
