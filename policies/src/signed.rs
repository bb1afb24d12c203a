//! Signed policies: a document's exact bytes in an envelope that administrators of its own country signed.
//!
//! A file that arrives is a claim. [`SignedPolicy::open`] proves who signed which bytes and that they are a policy of
//! this country; [`SignedPolicy::succeed`] holds it against what was in force before: the serial only grows, and what
//! becomes visible needs two different people (design §6). Pure: the arithmetic and the files are the caller's.

use crate::catalogue::Catalogue;
use crate::compare::{Change, compare};
use crate::document::{self, Policy, Problem};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::envelope::{Envelope, EnvelopeError, PayloadType, Verify};
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::names::{Country, Digest, PublicKey};
use mayag_protocol::roster::{Person, Roster};
use mayag_protocol::strict::StrictError;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeSet;
use std::fmt;

/// The longest envelope that is read: the longest document in base64, and a few signatures.
pub const LONGEST: usize = document::LONGEST / 3 * 4 + 64 * 1024;

/// A policy with proof of who signed it. Only [`SignedPolicy::open`] makes one.
pub struct SignedPolicy {
    policy: Policy,
    document: Vec<u8>,
    signers: Vec<Identity>,
    /// Different people with different keys: what counts towards the signatures needed.
    people: usize,
}

/// A policy that may take the place of the one before. Only [`SignedPolicy::succeed`] makes one.
#[derive(Debug)]
pub struct Accepted {
    /// The policy.
    pub policy: Policy,
    /// What changes with it.
    pub change: Change,
    /// The administrators who signed it.
    pub signers: Vec<Identity>,
}

/// What was in force before: the highest version that was ever accepted, and the policy itself if it can still be read.
#[derive(Debug, Clone, Copy, Default)]
pub struct Before<'a> {
    /// The version.
    pub version: Option<&'a PolicyVersion>,
    /// The policy; without it everything that the next one shows counts as new.
    pub policy: Option<&'a Policy>,
}

/// Why a policy does not come into force. In words for the administrator; what was in force before stays.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignedError {
    /// The file is no envelope of a policy.
    #[error("not a signed policy: {0}")]
    Envelope(#[source] EnvelopeError),
    /// A signed policy of another country.
    #[error("this is the policy of `{found}`, not of `{expected}`")]
    OtherCountry {
        /// Whose policy it is.
        found: Country,
        /// Whose it should be.
        expected: Country,
    },
    /// The same serial was in force with another text.
    #[error(
        "serial {serial} was in force with another text (sha256 {seen}): a changed policy needs a higher serial"
    )]
    OtherText {
        /// The serial of both.
        serial: u64,
        /// The digest of the text that was in force.
        seen: Digest,
    },
    /// A lower serial than one that was in force.
    #[error(
        "serial {found} is lower than {seen}, which was in force before: a policy never goes back; give the older text a new serial (`mayag policy rollback`)"
    )]
    Older {
        /// The serial found.
        found: u64,
        /// The highest serial that was in force.
        seen: u64,
    },
    /// The signed text has problems.
    #[error("{}", listed(.0))]
    Problems(Vec<Problem>),
    /// Too few administrators signed.
    #[error(
        "the policy {change} and needs the signatures of {needed} different administrators of `{country}`; {found} signed"
    )]
    Signatures {
        /// What it does to what is visible.
        change: Change,
        /// Signatures needed.
        needed: usize,
        /// Different administrators who signed.
        found: usize,
        /// The country.
        country: Country,
    },
    /// A bare document.
    #[error(
        "the file is a policy document without signatures: an administrator signs it with `mayag policy propose`, and it comes into force with `mayag policy activate`"
    )]
    Unsigned,
    /// Nobody who may sign did.
    #[error("no administrator of `{country}` that the roster lists has signed this policy")]
    Unknown {
        /// The country.
        country: Country,
    },
}

fn listed(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}

impl SignedPolicy {
    /// Opens an envelope: at least one administrator of `country` signed these exact bytes, and they are a policy of
    /// that country without problems. O(bytes + administrators).
    pub fn open(
        bytes: &[u8],
        country: &Country,
        roster: &Roster,
        catalogue: &Catalogue,
        verifier: &dyn Verify,
        digest_of: impl FnOnce(&[u8]) -> Digest,
    ) -> Result<Self, SignedError> {
        let envelope = Envelope::parse(bytes, LONGEST).map_err(|error| unread(bytes, error))?;
        let administrators: Vec<&Person> = administrators(roster, country).collect();
        let keys: Vec<PublicKey> =
            administrators.iter().flat_map(|person| person.question_keys.iter().cloned()).collect();
        let opened =
            envelope.open(PayloadType::Policy, &keys, 1, verifier).map_err(
                |error| match error {
                    EnvelopeError::Signatures { .. } => {
                        SignedError::Unknown { country: country.clone() }
                    }
                    EnvelopeError::Envelope(_)
                    | EnvelopeError::Payload(_)
                    | EnvelopeError::Type { .. } => SignedError::Envelope(error),
                },
            )?;
        let signed = |person: &&&Person| {
            person.question_keys.iter().any(|key| opened.signers().contains(key))
        };
        let signers: Vec<Identity> =
            administrators.iter().filter(signed).map(|person| person.identity.clone()).collect();
        // A key that the roster lists for two people is still one signature, a person with two keys still one person.
        let distinct: BTreeSet<&Identity> = signers.iter().collect();
        let people = distinct.len().min(opened.signers().len());
        let policy =
            Policy::parse(opened.payload(), catalogue, digest_of).map_err(SignedError::Problems)?;
        if policy.country() != country {
            return Err(SignedError::OtherCountry {
                found: policy.country().clone(),
                expected: country.clone(),
            });
        }
        Ok(Self { policy, document: opened.payload().to_vec(), signers, people })
    }

    /// The policy. It is not in force before [`Self::succeed`] said so.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The exact bytes that were signed.
    pub fn document(&self) -> &[u8] {
        &self.document
    }

    /// The administrators who signed it.
    pub fn signers(&self) -> &[Identity] {
        &self.signers
    }

    /// How many different people signed it.
    pub fn people(&self) -> usize {
        self.people
    }

    /// Whether it may take the place of what was in force `before`, at this time: its serial is higher (or it is the
    /// same text), and enough different people signed what it does.
    pub fn succeed(
        self,
        before: Before<'_>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Accepted, SignedError> {
        let change = self.change(before, catalogue, now)?;
        let (needed, found) = (change.signatures(), self.people);
        if found < needed {
            let country = self.policy.country().clone();
            return Err(SignedError::Signatures { change, needed, found, country });
        }
        Ok(Accepted { policy: self.policy, change, signers: self.signers })
    }

    /// What it does to what is visible, or why its serial does not allow it.
    pub fn change(
        &self,
        before: Before<'_>,
        catalogue: &Catalogue,
        now: Timestamp,
    ) -> Result<Change, SignedError> {
        let found = self.policy.version();
        match before.version {
            Some(seen) if found.serial < seen.serial => {
                Err(SignedError::Older { found: found.serial, seen: seen.serial })
            }
            Some(seen) if found.serial == seen.serial && found.digest != seen.digest => {
                Err(SignedError::OtherText { serial: seen.serial, seen: seen.digest.clone() })
            }
            // It was accepted before, with all the signatures it needed then.
            Some(seen) if found.serial == seen.serial => Ok(Change::Equal),
            Some(_) | None => Ok(compare(catalogue, before.policy, &self.policy, now).change),
        }
    }
}

impl SignedError {
    /// What said no, without a word of the document: for the query log.
    pub fn rule(&self) -> String {
        match self {
            Self::Envelope(_) => "envelope".to_owned(),
            Self::OtherCountry { .. } => "country".to_owned(),
            Self::OtherText { .. } | Self::Older { .. } => "serial".to_owned(),
            Self::Problems(problems) => {
                let places = problems.iter().filter_map(|problem| problem.position);
                let places: Vec<String> =
                    places.take(MOST_PLACES).map(|place| place.to_string()).collect();
                format!("document: {}", places.join("; "))
            }
            Self::Signatures { .. } | Self::Unknown { .. } | Self::Unsigned => {
                "signatures".to_owned()
            }
        }
    }
}

/// More places than this are not put into one log entry.
const MOST_PLACES: usize = 20;

/// The administrators of a country who may sign its policy.
pub fn administrators<'a>(
    roster: &'a Roster,
    country: &'a Country,
) -> impl Iterator<Item = &'a Person> {
    roster.people.iter().filter(move |person| {
        person.identity.kind() == Kind::Administrator && person.identity.country() == Some(country)
    })
}

/// An envelope that was not read; a bare document gets words of its own, because that is what people try first.
fn unread(bytes: &[u8], error: EnvelopeError) -> SignedError {
    let bare = serde_json::from_slice::<serde_json::Value>(bytes)
        .is_ok_and(|value| value.get("policy").is_some());
    if bare && matches!(error, EnvelopeError::Envelope(StrictError::Json { .. })) {
        SignedError::Unsigned
    } else {
        SignedError::Envelope(error)
    }
}

impl fmt::Debug for SignedPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SignedPolicy({:?}, signed by {:?})", self.policy, self.signers)
    }
}

#[cfg(test)]
mod tests;
