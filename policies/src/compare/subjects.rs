//! Everybody who can ask, in so few classes that all members of one may use the same grants.
//!
//! A person is a country, a set of roles, a purpose and a time. Countries and roles that no grant names are all alike;
//! several roles open what each of them opens; time matters only where something begins or ends.

use crate::compare::grants::{Both, Set};
use crate::compare::{Span, TooMany};
use crate::document::Whom;
use mayag_protocol::names::{Country, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Everybody of these countries, with one of these sets of roles, for one of these purposes, at one of these times.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Class {
    /// `None` stands for every country that no grant names.
    pub(super) countries: BTreeSet<Option<Country>>,
    pub(super) roles: BTreeSet<BTreeSet<Role>>,
    pub(super) purposes: BTreeSet<Purpose>,
    pub(super) times: BTreeSet<Span>,
}

/// All there are: what is said of all of them needs no list.
pub(super) struct Everybody {
    pub(super) countries: BTreeSet<Option<Country>>,
    /// The time in which either policy is in force.
    pub(super) times: BTreeSet<Span>,
}

/// More classes than this are not compared: a policy that needs them is not one that people understand.
const MOST_CLASSES: usize = 20_000;

/// The classes of people, by the grants that they may use; people who may use none are left out.
pub(super) fn classes<G: AsRef<Whom>>(
    both: &Both<'_, G>,
    times: &[(Span, Set)],
) -> Result<Vec<(Set, Class)>, TooMany> {
    let countries = by_grants(named_countries(both), |country| {
        both.given(|whom| match (&whom.countries, country) {
            (None, _) => true,
            (Some(named), Some(country)) => named.contains(country),
            (Some(_), None) => false,
        })
    });
    let purposes = by_grants(Purpose::ALL.into_iter().collect(), |purpose| {
        both.given(|whom| whom.purposes.contains(purpose))
    });
    let roles = role_sets(both)?;
    let mut spans: BTreeMap<&Set, BTreeSet<Span>> = BTreeMap::new();
    for (span, set) in times {
        spans.entry(set).or_default().insert(*span);
    }
    let all = [countries.len(), purposes.len(), roles.len(), spans.len()];
    if all.into_iter().try_fold(1_usize, usize::checked_mul).is_none_or(|all| MOST_CLASSES < all) {
        return Err(TooMany);
    }
    let mut classes = Vec::new();
    for (of_time, times) in &spans {
        for (of_roles, roles) in &roles {
            for (of_purpose, purposes) in &purposes {
                for (of_country, countries) in &countries {
                    let set = of_time.and(of_roles).and(of_purpose).and(of_country);
                    let class = Class {
                        countries: countries.clone(),
                        roles: roles.clone(),
                        purposes: purposes.clone(),
                        times: times.clone(),
                    };
                    classes.push((set, class));
                }
            }
        }
    }
    classes.retain(|(set, _)| !set.is_empty());
    Ok(classes)
}

fn by_grants<T: Ord>(all: BTreeSet<T>, grants: impl Fn(&T) -> Set) -> BTreeMap<Set, BTreeSet<T>> {
    let mut classes: BTreeMap<Set, BTreeSet<T>> = BTreeMap::new();
    for one in all {
        classes.entry(grants(&one)).or_default().insert(one);
    }
    classes
}

pub(super) fn named_countries<G: AsRef<Whom>>(both: &Both<'_, G>) -> BTreeSet<Option<Country>> {
    let named = both.whoms().filter_map(|whom| whom.countries.as_ref()).flatten();
    named.cloned().map(Some).chain([None]).collect()
}

/// The sets of roles that open different grants, each with the smallest sets that do.
fn role_sets<G: AsRef<Whom>>(
    both: &Both<'_, G>,
) -> Result<BTreeMap<Set, BTreeSet<BTreeSet<Role>>>, TooMany> {
    let named: BTreeSet<&Role> = both.whoms().flat_map(|whom| &whom.roles).collect();
    let mut sets: BTreeMap<Set, BTreeSet<BTreeSet<Role>>> = BTreeMap::new();
    for role in named {
        let opens = both.given(|whom| whom.roles.contains(role));
        let before: Vec<(Set, BTreeSet<Role>)> = sets
            .iter()
            .filter_map(|(set, roles)| Some((set.or(&opens), roles.first()?.clone())))
            .collect();
        for (set, mut roles) in before {
            roles.insert(role.clone());
            // A larger set of roles that opens nothing more is the smaller one to the reader.
            sets.entry(set).or_insert_with(|| BTreeSet::from([roles]));
        }
        // The single role comes first in the order of what people read: it replaces larger sets that open the same.
        let single = BTreeSet::from([role.clone()]);
        let same = sets.entry(opens).or_default();
        same.retain(|roles| roles.len() == 1);
        same.insert(single);
        if MOST_CLASSES < sets.len() {
            return Err(TooMany);
        }
    }
    Ok(sets)
}

impl Class {
    /// Both in one, if they differ in one respect only.
    pub(super) fn joined(&self, other: &Self) -> Option<Self> {
        let same = [
            self.countries == other.countries,
            self.roles == other.roles,
            self.purposes == other.purposes,
            self.times == other.times,
        ];
        if same.into_iter().filter(|same| !same).count() > 1 {
            return None;
        }
        Some(Self {
            countries: self.countries.union(&other.countries).cloned().collect(),
            roles: self.roles.union(&other.roles).cloned().collect(),
            purposes: self.purposes.union(&other.purposes).copied().collect(),
            times: self.times.union(&other.times).copied().collect(),
        })
    }

    /// Who that is, in words.
    pub(super) fn words(&self, everybody: &Everybody) -> String {
        let listed = |countries: Vec<&Option<Country>>| {
            let codes: Vec<&str> = countries.into_iter().flatten().map(Country::as_str).collect();
            codes.join(", ")
        };
        let others: Vec<_> = everybody.countries.difference(&self.countries).collect();
        let countries = match (self.countries.contains(&None), others.is_empty()) {
            (true, true) => "all countries".to_owned(),
            (true, false) => format!("all countries but {}", listed(others)),
            (false, _) => listed(self.countries.iter().collect()),
        };
        let roles: Vec<String> = self
            .roles
            .iter()
            .map(|roles| roles.iter().map(Role::as_str).collect::<Vec<_>>().join(" with "))
            .collect();
        let purposes: Vec<&str> = self.purposes.iter().map(|purpose| purpose.as_str()).collect();
        let who = format!("{countries} · {} · {}", roles.join(", "), purposes.join(", "));
        if self.times == everybody.times { who } else { format!("{who} · {}", times(&self.times)) }
    }
}

/// Spans that follow each other are one.
fn times(spans: &BTreeSet<Span>) -> String {
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::new();
    for span in spans {
        match joined.last_mut() {
            Some((_, until)) if *until == span.from => *until = span.until,
            Some(_) | None => joined.push((span.from, span.until)),
        }
    }
    let words = joined.iter().map(|(from, until)| format!("from {from} until {until}"));
    words.collect::<Vec<_>>().join(", ")
}
