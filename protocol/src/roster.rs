//! The roster: who belongs to the federation, with which keys, roles and purposes.
//!
//! Signed by at least two roster keys, its version only grows, and it expires (design §3). A certificate says who
//! somebody is; only the roster says what they may do.

use crate::envelope::{Envelope, EnvelopeError, PayloadType, Verify};
use crate::identity::{Identity, Kind};
use crate::names::{
    AuditorKey, Country, Digest, Federation, NameError, PublicKey, Role, SealingKey,
};
use crate::purpose::Purpose;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest roster that is read: 196 countries with some thousand people.
pub const LONGEST: usize = 16 * 1024 * 1024;

/// Signatures a roster needs.
pub const SIGNATURES_NEEDED: usize = 2;

/// The members of a federation (`application/vnd.mayag.roster.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roster {
    /// Version of this format: 1.
    pub v: u8,
    /// The federation.
    pub federation: Federation,
    /// Grows with every roster; a node never goes back.
    pub version: u64,
    /// From when it is valid.
    pub issued_at: Timestamp,
    /// Until when it is valid.
    pub expires_at: Timestamp,
    /// Which authority may issue certificates for whom.
    pub issuers: Vec<Issuer>,
    /// The gateways.
    pub gateways: Vec<Member>,
    /// One node per country.
    pub nodes: Vec<Member>,
    /// Analysts, administrators and auditors.
    pub people: Vec<Person>,
}

/// One row of the issuer table: an authority and the one kind, of one country, it may name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Issuer {
    /// SHA-256 of the authority's `SubjectPublicKeyInfo` (DER).
    pub spki_sha256: Digest,
    /// The kind of party.
    pub kind: IssuedKind,
    /// The country; absent for gateways and auditors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub country: Option<Country>,
}

/// [`Kind`] on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "each is the kind of the same name")]
pub enum IssuedKind {
    Administrator,
    Analyst,
    Auditor,
    Gateway,
    Node,
}

/// A gateway or a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Member {
    /// Who it is.
    pub identity: Identity,
    /// The key it signs answers with.
    pub answer_key: PublicKey,
    /// The key it signs the checkpoints of its log with.
    pub log_key: PublicKey,
    /// The key it cosigns the checkpoints of other logs with, as their witness.
    pub cosign_key: PublicKey,
    /// Whose auditors can open the details of its log entries: those of its own country. A party without any does not
    /// start, because nobody could ever read whom it answered.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub auditor_keys: Vec<AuditorKey>,
    /// What only this node may read is sealed to it. Without it, a node answers no declared lookup; a gateway has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sealing_key: Option<SealingKey>,
}

/// A person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Person {
    /// Who it is.
    pub identity: Identity,
    /// What the person is, for policies.
    pub roles: Vec<Role>,
    /// The purposes the person may state.
    pub purposes: Vec<Purpose>,
    /// The keys the person signs questions with.
    pub question_keys: Vec<PublicKey>,
}

/// Why a roster is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// It is not signed by enough trusted keys, or unreadable.
    #[error("roster: {0}")]
    Envelope(#[from] EnvelopeError),
    /// A line of the file of trusted keys is no key.
    #[error("trusted roster keys, line {line}: {fault}")]
    Key {
        /// The line, counted from 1.
        line: usize,
        /// What is wrong with it.
        fault: NameError,
    },
    /// Outside its validity, for another federation, or of another format.
    #[error("the roster is not in force for this federation at this time: fetch the current one")]
    NotInForce,
    /// Older than one that was seen before.
    #[error(
        "the roster has version {found}, version {seen} was in force before: a roster never goes back"
    )]
    Older {
        /// The version found.
        found: u64,
        /// The highest version seen.
        seen: u64,
    },
}

impl RosterError {
    /// It in a word, for the log.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Envelope(_) => "signatures",
            Self::Key { .. } => "trusted_keys",
            Self::NotInForce => "not_in_force",
            Self::Older { .. } => "older",
        }
    }
}

/// Reads the file of trusted roster keys: one key in hexadecimal a line, empty lines and `#` comments ignored.
pub fn parse_trusted_keys(text: &str) -> Result<Vec<PublicKey>, RosterError> {
    text.lines()
        .enumerate()
        .map(|(i, line)| (i + 1, line.trim()))
        .filter(|(_, line)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, key)| key.parse().map_err(|fault| RosterError::Key { line, fault }))
        .collect()
}

impl From<Kind> for IssuedKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Administrator => Self::Administrator,
            Kind::Analyst => Self::Analyst,
            Kind::Auditor => Self::Auditor,
            Kind::Gateway => Self::Gateway,
            Kind::Node => Self::Node,
        }
    }
}

impl Issuer {
    /// Whether this authority may issue a certificate for `identity`.
    pub fn may_name(&self, identity: &Identity) -> bool {
        self.kind == IssuedKind::from(identity.kind())
            && self.country.as_ref() == identity.country()
    }
}

impl Roster {
    /// Opens a signed roster: two of the trusted keys, in force at `now`, and not older than version `seen`.
    pub fn open(
        bytes: &[u8],
        trusted: &[PublicKey],
        verifier: &dyn Verify,
        now: Timestamp,
        seen: u64,
    ) -> Result<Self, RosterError> {
        let roster = Self::open_ended(bytes, trusted, verifier)?;
        if !roster.in_force(now) {
            return Err(RosterError::NotInForce);
        }
        if roster.version < seen {
            return Err(RosterError::Older { found: roster.version, seen });
        }
        Ok(roster)
    }

    /// Opens a signed roster whether or not it is still in force: for who looks at what was signed while it was.
    pub fn open_ended(
        bytes: &[u8],
        trusted: &[PublicKey],
        verifier: &dyn Verify,
    ) -> Result<Self, RosterError> {
        let envelope = Envelope::parse(bytes, LONGEST)?;
        Ok(envelope.open(PayloadType::Roster, trusted, SIGNATURES_NEEDED, verifier)?.parse()?)
    }

    /// The person with this identity.
    pub fn person(&self, identity: &Identity) -> Option<&Person> {
        self.people.iter().find(|person| person.identity == *identity)
    }

    /// The gateway with this identity.
    pub fn gateway(&self, identity: &Identity) -> Option<&Member> {
        self.gateways.iter().find(|member| member.identity == *identity)
    }

    /// A country's node.
    pub fn node(&self, country: &Country) -> Option<&Member> {
        self.nodes.iter().find(|member| member.identity.country() == Some(country))
    }

    /// Whether anybody here has this identity.
    pub fn lists(&self, identity: &Identity) -> bool {
        self.person(identity).is_some()
            || self.gateway(identity).is_some()
            || self.nodes.iter().any(|member| member.identity == *identity)
    }

    /// The countries that have a node, sorted.
    pub fn countries(&self) -> Vec<Country> {
        let mut countries: Vec<Country> =
            self.nodes.iter().filter_map(|member| member.identity.country().cloned()).collect();
        countries.sort();
        countries
    }

    /// Whether the roster is in force at `now` for its federation, and all its members belong to it.
    pub fn in_force(&self, now: Timestamp) -> bool {
        let members = self.gateways.iter().chain(&self.nodes).map(|member| &member.identity);
        let everybody = members.chain(self.people.iter().map(|person| &person.identity));
        self.v == 1
            && self.issued_at <= now
            && now < self.expires_at
            && everybody.into_iter().all(|identity| identity.federation == self.federation)
    }
}

#[cfg(test)]
mod tests {
    use super::{IssuedKind, Issuer};

    #[test]
    fn an_issuer_names_one_kind_of_one_country() {
        let issuer = Issuer {
            spki_sha256: "00".repeat(32).parse().unwrap(),
            kind: IssuedKind::Analyst,
            country: Some("kr".parse().unwrap()),
        };
        assert!(issuer.may_name(&"spiffe://demo/country/kr/analyst/hana".parse().unwrap()));
        for other in [
            "country/us/analyst/hana",
            "country/kr/node",
            "country/kr/administrator/hana",
            "gateway/1",
        ] {
            assert!(
                !issuer.may_name(&format!("spiffe://demo/{other}").parse().unwrap()),
                "{other}"
            );
        }
        let gateways = Issuer { kind: IssuedKind::Gateway, country: None, ..issuer };
        assert!(gateways.may_name(&"spiffe://demo/gateway/1".parse().unwrap()));
        assert!(!gateways.may_name(&"spiffe://demo/auditor/ada".parse().unwrap()));
    }
}
