//! What a federation is made of: countries, people, lifetimes.

use mayag_protocol::identity::{Identity, Party};
use mayag_protocol::names::{Country, Federation, NameError, PersonId, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::time::Duration;

/// Clocks of the federation's machines may differ by this much: everything is valid from a little earlier.
pub const CLOCK_SKEW: Duration = Duration::from_mins(5);

const HOUR: Duration = Duration::from_hours(1);
const DAY: Duration = Duration::from_hours(24);

/// A federation to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub federation: Federation,
    /// How many gateways, numbered from 1.
    pub gateways: u16,
    /// The countries, one node each.
    pub countries: Vec<Country>,
    /// Everybody who is not a machine.
    pub people: Vec<PersonPlan>,
    /// When it is made.
    pub now: Timestamp,
    /// How long everything is valid.
    pub lifetimes: Lifetimes,
}

/// Somebody of the roster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PersonPlan {
    /// Analyst, administrator or auditor.
    pub party: Party,
    /// What the person is, for policies.
    pub roles: Vec<Role>,
    /// The purposes the person may state.
    pub purposes: Vec<Purpose>,
}

/// How long everything is valid, from [`Plan::now`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Lifetimes {
    /// Certificates of authorities.
    pub authorities: Duration,
    /// Certificates of nodes and gateways.
    pub services: Duration,
    /// Certificates of people.
    pub people: Duration,
    /// Revocation lists, until `nextUpdate`.
    pub crls: Duration,
    /// The roster.
    pub roster: Duration,
}

/// A plan that contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlanError {
    /// A name is not one.
    #[error(transparent)]
    Name(#[from] NameError),
    /// A country is named twice.
    #[error("country `{0}` is planned twice")]
    CountryTwice(Country),
    /// A person is named twice.
    #[error("`{0}` is planned twice")]
    PersonTwice(Identity),
    /// A person's country is not planned.
    #[error("`{0}` belongs to a country that is not planned")]
    NoCountry(Identity),
    /// A machine among the people.
    #[error("`{0}` is not a person: nodes follow from the countries, gateways from their number")]
    NotAPerson(Identity),
    /// Nobody to make the bad set of.
    #[error("a federation needs at least one gateway, one country and one analyst")]
    TooSmall,
}

impl Plan {
    /// A federation with these countries, one gateway and nobody in it yet.
    pub fn new(federation: &str, countries: &[&str], now: Timestamp) -> Result<Self, PlanError> {
        let countries =
            countries.iter().map(|country| country.parse()).collect::<Result<_, _>>()?;
        Ok(Self {
            federation: federation.parse()?,
            gateways: 1,
            countries,
            people: Vec::new(),
            now,
            lifetimes: Lifetimes::default(),
        })
    }

    /// The federation of `mayag certs` and `mayag demo`: five countries, three analysts, two administrators per
    /// country (a policy that widens needs both), an auditor.
    pub fn demo(now: Timestamp) -> Result<Self, PlanError> {
        use Purpose::{Alert, Identify, Investigate, Trend};
        Self::new("demo", &["au", "kr", "mx", "th", "us"], now)?
            .with_analyst("kr", "hana", &[Trend, Investigate, Identify])?
            .with_analyst("us", "alex", &[Trend, Investigate, Alert])?
            .with_analyst("th", "nok", &[Trend])?
            .with_administrator("au", "jack")?
            .with_administrator("au", "ruby")?
            .with_administrator("kr", "min")?
            .with_administrator("kr", "seo")?
            .with_administrator("mx", "ines")?
            .with_administrator("mx", "luis")?
            .with_administrator("th", "ploy")?
            .with_administrator("th", "somchai")?
            .with_administrator("us", "dana")?
            .with_administrator("us", "pat")?
            .with_auditor("ada")
    }

    /// Adds an analyst who may state these purposes.
    pub fn with_analyst(
        self,
        country: &str,
        id: &str,
        purposes: &[Purpose],
    ) -> Result<Self, PlanError> {
        let party = Party::Analyst(country.parse::<Country>()?, id.parse::<PersonId>()?);
        self.with_person(party, "analyst", purposes)
    }

    /// Adds a national administrator.
    pub fn with_administrator(self, country: &str, id: &str) -> Result<Self, PlanError> {
        let party = Party::Administrator(country.parse::<Country>()?, id.parse::<PersonId>()?);
        self.with_person(party, "administrator", &[])
    }

    /// Adds an auditor.
    pub fn with_auditor(self, id: &str) -> Result<Self, PlanError> {
        let party = Party::Auditor(id.parse::<PersonId>()?);
        self.with_person(party, "auditor", &[])
    }

    fn with_person(
        mut self,
        party: Party,
        role: &str,
        purposes: &[Purpose],
    ) -> Result<Self, PlanError> {
        self.people.push(PersonPlan {
            party,
            roles: vec![role.parse::<Role>()?],
            purposes: purposes.to_vec(),
        });
        Ok(self)
    }

    /// The identity of a party of this federation.
    pub fn identity(&self, party: &Party) -> Identity {
        Identity { federation: self.federation.clone(), party: party.clone() }
    }

    /// From when everything is valid.
    pub(crate) fn valid_from(&self) -> Timestamp {
        earlier(self.now, CLOCK_SKEW)
    }

    pub(crate) fn check(&self) -> Result<(), PlanError> {
        let mut countries = BTreeSet::new();
        if let Some(twice) = self.countries.iter().find(|country| !countries.insert(*country)) {
            return Err(PlanError::CountryTwice(twice.clone()));
        }
        let mut people = BTreeSet::new();
        for person in &self.people {
            let identity = self.identity(&person.party);
            match &person.party {
                Party::Administrator(country, _) | Party::Analyst(country, _)
                    if !countries.contains(country) =>
                {
                    return Err(PlanError::NoCountry(identity));
                }
                Party::Gateway(_) | Party::Node(_) => return Err(PlanError::NotAPerson(identity)),
                Party::Administrator(..) | Party::Analyst(..) | Party::Auditor(_) => {}
            }
            if !people.insert(&person.party) {
                return Err(PlanError::PersonTwice(identity));
            }
        }
        let analyst = self.people.iter().any(|person| matches!(person.party, Party::Analyst(..)));
        if self.gateways == 0 || self.countries.is_empty() || !analyst {
            Err(PlanError::TooSmall)
        } else {
            Ok(())
        }
    }
}

/// `at` less `by`.
pub(crate) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    Timestamp::from_millis(
        at.millis().saturating_sub(i64::try_from(by.as_millis()).unwrap_or(i64::MAX)),
    )
}

impl Lifetimes {
    pub(crate) fn shortest(&self) -> Duration {
        self.authorities.min(self.services).min(self.people).min(self.crls).min(self.roster)
    }
}

impl Default for Lifetimes {
    /// Short for people, a week for machines: nobody renews a development federation at night.
    fn default() -> Self {
        Self {
            authorities: 90 * DAY,
            services: 7 * DAY,
            people: 12 * HOUR,
            crls: 7 * DAY,
            roster: 30 * DAY,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Plan, PlanError};
    use mayag_protocol::timestamp::Timestamp;

    fn plan(countries: &[&str]) -> Plan {
        Plan::new("demo", countries, Timestamp::from_millis(0)).unwrap()
    }

    #[test]
    fn a_contradicting_plan_is_refused() {
        assert_eq!(Plan::demo(Timestamp::from_millis(0)).unwrap().check(), Ok(()));
        assert_eq!(plan(&["kr"]).check(), Err(PlanError::TooSmall));
        let twice = plan(&["kr", "kr"]).with_analyst("kr", "hana", &[]).unwrap();
        assert!(matches!(twice.check(), Err(PlanError::CountryTwice(_))));
        let stranger = plan(&["kr"]).with_analyst("us", "alex", &[]).unwrap();
        assert!(matches!(stranger.check(), Err(PlanError::NoCountry(_))));
        let same = plan(&["kr"])
            .with_analyst("kr", "hana", &[])
            .unwrap()
            .with_analyst("kr", "hana", &[])
            .unwrap();
        assert!(matches!(same.check(), Err(PlanError::PersonTwice(_))));
        let mut machine = plan(&["kr"]).with_analyst("kr", "hana", &[]).unwrap();
        machine.people[0].party = mayag_protocol::identity::Party::Gateway(1);
        assert!(matches!(machine.check(), Err(PlanError::NotAPerson(_))));
        assert!(matches!(plan(&["kr"]).with_analyst("kr", "../x", &[]), Err(PlanError::Name(_))));
    }
}
