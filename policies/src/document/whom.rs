//! To whom a grant is given: the part that grants of datasets and of lookup tables have in common.

use crate::decide::Subject;
use crate::document::written::{Audience, Countries};
use mayag_protocol::names::{Country, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeSet;

/// Who may use a grant, for what, and until when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Whom {
    /// `None` for every country.
    pub(crate) countries: Option<BTreeSet<Country>>,
    pub(crate) roles: BTreeSet<Role>,
    pub(crate) purposes: BTreeSet<Purpose>,
    /// `None` for as long as the policy is in force.
    pub(crate) valid_until: Option<Timestamp>,
}

impl Whom {
    pub(super) fn of(to: &Audience, purposes: &[Purpose], valid_until: Option<Timestamp>) -> Self {
        Self {
            countries: match &to.countries {
                Countries::Any(_) => None,
                Countries::These(countries) => Some(countries.iter().cloned().collect()),
            },
            roles: to.roles.iter().cloned().collect(),
            purposes: purposes.iter().copied().collect(),
            valid_until,
        }
    }

    /// Whether this person may use it for this purpose now, while the policy is in force.
    pub(crate) fn admits(&self, subject: &Subject, now: Timestamp) -> bool {
        self.countries.as_ref().is_none_or(|countries| countries.contains(&subject.country))
            && subject.roles.iter().any(|role| self.roles.contains(role))
            && self.purposes.contains(&subject.purpose)
            && self.lasts(now)
    }

    /// Whether it has not ended yet.
    pub(crate) fn lasts(&self, now: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| now < until)
    }

    /// Whether it admits everybody whom the other one admits, for as long.
    pub(super) fn covers(&self, other: &Self) -> bool {
        let countries = match (&self.countries, &other.countries) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => narrow.is_subset(wide),
        };
        let lasts = match (self.valid_until, other.valid_until) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(wide), Some(narrow)) => narrow <= wide,
        };
        countries
            && other.roles.is_subset(&self.roles)
            && other.purposes.is_subset(&self.purposes)
            && lasts
    }
}
