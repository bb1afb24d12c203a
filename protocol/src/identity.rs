//! Who somebody is: exactly one SPIFFE-style URI per certificate.
//!
//! `spiffe://<federation>/country/kr/node`, `/country/kr/analyst/<id>`, `/country/kr/administrator/<id>`,
//! `/auditor/<id>`, `/gateway/<n>`. Roles and purposes are not in the identity: they come from the roster.

use crate::names::{Country, Federation, NameError, PersonId};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The longest identity that is read; the longest that can be built from the parts is shorter.
pub const LONGEST: usize = 256;

/// Who a certificate or a question names.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Identity {
    /// The federation.
    pub federation: Federation,
    /// What the party is inside it.
    pub party: Party,
}

/// The parties of a federation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Party {
    /// A national administrator, who edits a policy.
    Administrator(Country, PersonId),
    /// An analyst, who asks.
    Analyst(Country, PersonId),
    /// An auditor, who reads logs.
    Auditor(PersonId),
    /// The n-th gateway.
    Gateway(u16),
    /// A country's node.
    Node(Country),
}

/// The kinds of party; one issuing authority per country and kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Kind {
    /// See [`Party::Administrator`].
    Administrator,
    /// See [`Party::Analyst`].
    Analyst,
    /// See [`Party::Auditor`].
    Auditor,
    /// See [`Party::Gateway`].
    Gateway,
    /// See [`Party::Node`].
    Node,
}

/// A text that is not an identity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// A part of the path is not what it must be.
    #[error("identity part: {0}")]
    Part(#[from] NameError),
    /// The text is not of one of the five forms.
    #[error("`{0}` is not of a form such as `spiffe://federation/country/kr/analyst/id`")]
    Form(String),
}

impl Identity {
    /// The identity of a country's node.
    pub fn node(federation: &Federation, country: &Country) -> Self {
        Self { federation: federation.clone(), party: Party::Node(country.clone()) }
    }

    /// The identity of the n-th gateway.
    pub fn gateway(federation: &Federation, number: u16) -> Self {
        Self { federation: federation.clone(), party: Party::Gateway(number) }
    }

    /// The country, for parties that belong to one.
    pub fn country(&self) -> Option<&Country> {
        match &self.party {
            Party::Administrator(country, _)
            | Party::Analyst(country, _)
            | Party::Node(country) => Some(country),
            Party::Auditor(_) | Party::Gateway(_) => None,
        }
    }

    /// The kind of party.
    pub fn kind(&self) -> Kind {
        match self.party {
            Party::Administrator(..) => Kind::Administrator,
            Party::Analyst(..) => Kind::Analyst,
            Party::Auditor(_) => Kind::Auditor,
            Party::Gateway(_) => Kind::Gateway,
            Party::Node(_) => Kind::Node,
        }
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spiffe://{}", self.federation)?;
        match &self.party {
            Party::Administrator(country, id) => write!(f, "/country/{country}/administrator/{id}"),
            Party::Analyst(country, id) => write!(f, "/country/{country}/analyst/{id}"),
            Party::Auditor(id) => write!(f, "/auditor/{id}"),
            Party::Gateway(number) => write!(f, "/gateway/{number}"),
            Party::Node(country) => write!(f, "/country/{country}/node"),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        let form = || IdentityError::Form(text.chars().take(80).collect());
        if text.len() > LONGEST {
            return Err(form());
        }
        let rest = text.strip_prefix("spiffe://").ok_or_else(form)?;
        let pieces: Vec<&str> = rest.split('/').collect();
        let [federation, path @ ..] = pieces.as_slice() else { return Err(form()) };
        let party = match path {
            ["country", country, "node"] => Party::Node(country.parse()?),
            ["country", country, "analyst", id] => Party::Analyst(country.parse()?, id.parse()?),
            ["country", country, "administrator", id] => {
                Party::Administrator(country.parse()?, id.parse()?)
            }
            ["auditor", id] => Party::Auditor(id.parse()?),
            ["gateway", number] => Party::Gateway(number.parse().map_err(|_| form())?),
            _ => return Err(form()),
        };
        let identity = Self { federation: federation.parse()?, party };
        // One spelling per party: `/gateway/01` or a trailing slash is nobody.
        if identity.to_string() == text { Ok(identity) } else { Err(form()) }
    }
}

impl TryFrom<String> for Identity {
    type Error = IdentityError;
    fn try_from(text: String) -> Result<Self, IdentityError> {
        text.parse()
    }
}

impl From<Identity> for String {
    fn from(identity: Identity) -> Self {
        identity.to_string()
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Administrator => "administrator",
            Self::Analyst => "analyst",
            Self::Auditor => "auditor",
            Self::Gateway => "gateway",
            Self::Node => "node",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::Identity;

    #[test]
    fn one_spelling_per_party() {
        for good in [
            "spiffe://demo/country/kr/node",
            "spiffe://demo/country/kr/analyst/hana",
            "spiffe://demo/country/kr/administrator/min",
            "spiffe://demo/auditor/ada",
            "spiffe://demo/gateway/1",
        ] {
            assert_eq!(good.parse::<Identity>().unwrap().to_string(), good);
        }
        for refused in [
            "",
            "spiffe://",
            "spiffe://demo/country/kr/node/",
            "spiffe://demo/country/KR/node",
            "spiffe://demo/country/kr/analyst",
            "spiffe://demo/country/kr/analyst/",
            "spiffe://demo/country/kr/analyst/a/b",
            "spiffe://demo/gateway/01",
            "spiffe://demo/gateway/-1",
            "spiffe://demo/gateway/99999",
            "spiffe://DEMO/gateway/1",
            "https://demo/gateway/1",
            "spiffe://demo/country/kr/../us/node",
            "spiffe://demo/country/kr/node?x",
        ] {
            assert!(refused.parse::<Identity>().is_err(), "{refused}");
        }
    }
}
