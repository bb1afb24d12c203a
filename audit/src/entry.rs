//! What a log records: one entry, its exact bytes written once, and never written anew.
//!
//! The fields cover what EU 2016/680 Art. 25(1) asks to be logged: the operation (`op`), the justification (`purpose`,
//! `legal_basis`, `case`), the time (`at`, and the checkpoints before and after), the person (`actor`), and the recipient
//! (`recipient`). Nothing in an entry can be read as a person, a case or a question: persons are pseudonyms, the case is a
//! salted commitment, the question a digest, and what an auditor may read is sealed and kept beside the log ([`DetailRef`]).
//! Every entry carries 16 random bytes, or whoever sees leaf hashes could guess entries.

use mayag_protocol::answer::LogPosition;
use mayag_protocol::envelope::Base64;
use mayag_protocol::names::{Country, DatasetName, Digest, Nonce, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::strict::{self, StrictError};
use mayag_protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::keys::{RandomError, random_nonce};
use crate::tile::LONGEST_ENTRY;

/// The version of this format.
pub const VERSION: u32 = 1;

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Type {
    /// A question of a gateway ended, and nothing was handed out.
    Abandoned,
    /// A node is about to answer.
    Answered,
    /// A question was admitted by a node and is about to be worked on.
    Admitted,
    /// A log goes on where another one of the same party ended: its name, size and root are in `previous`.
    Continued,
    /// A connection was refused: no certificate that this party accepts.
    FailedAuthentication,
    /// A key or certificate changed.
    Key,
    /// A log was read by a person.
    LogRead,
    /// The program began; says which policy is in force.
    Opened,
    /// A new policy came into force, or one was refused.
    Policy,
    /// A gateway received a question.
    Received,
    /// Details were erased.
    Redaction,
    /// Somebody was refused.
    Refused,
    /// A gateway is about to hand out a merged answer.
    Released,
    /// A new roster came into force, or one was refused.
    Roster,
    /// The configuration changed.
    Configuration,
}

impl Type {
    /// Every type, by its word.
    pub const ALL: [Self; 15] = [
        Self::Abandoned,
        Self::Admitted,
        Self::Answered,
        Self::Configuration,
        Self::Continued,
        Self::FailedAuthentication,
        Self::Key,
        Self::LogRead,
        Self::Opened,
        Self::Policy,
        Self::Received,
        Self::Redaction,
        Self::Refused,
        Self::Released,
        Self::Roster,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Abandoned => "abandoned",
            Self::Admitted => "admitted",
            Self::Answered => "answered",
            Self::Configuration => "configuration",
            Self::Continued => "continued",
            Self::FailedAuthentication => "failed_authentication",
            Self::Key => "key",
            Self::LogRead => "log_read",
            Self::Opened => "opened",
            Self::Policy => "policy",
            Self::Received => "received",
            Self::Redaction => "redaction",
            Self::Refused => "refused",
            Self::Released => "released",
            Self::Roster => "roster",
        }
    }
}

/// A word that is no type of entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "no entry has this type; types are admitted, answered, received, refused, released, and others of the entry reference"
)]
pub struct NoType;

impl FromStr for Type {
    type Err = NoType;
    fn from_str(word: &str) -> Result<Self, NoType> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == word).ok_or(NoType)
    }
}

impl fmt::Display for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The processing operation, in the words of EU 2016/680 Art. 25(1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Erasing what could be read.
    Erasure,
    /// Putting together what several parties disclosed: at a gateway.
    Combination,
    /// Looking something up: at a node, before anything leaves it.
    Consultation,
    /// Handing something to another party.
    Disclosure,
}

/// What was handed out, in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ResultClass {
    /// Aggregates, all of which are shown.
    Aggregate,
    /// What is shared, or what would be answered: no data.
    Catalogue,
    /// The work broke.
    Error,
    /// Vectors of a lookup: whether there was a hit, nobody but the person who searched can tell.
    Evaluated,
    /// Nothing, by decision.
    Refusal,
    /// Aggregates, some of which are withheld.
    Suppressed,
    /// The work took too long.
    TimedOut,
}

impl ResultClass {
    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Aggregate => "aggregate",
            Self::Catalogue => "catalogue",
            Self::Error => "error",
            Self::Evaluated => "evaluated",
            Self::Refusal => "refusal",
            Self::Suppressed => "suppressed",
            Self::TimedOut => "timed_out",
        }
    }
}

/// Points to an encrypted detail, kept outside the log, and commits to what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DetailRef {
    /// SHA-256 of the detail's file.
    pub ct_sha256: Digest,
    /// `SHA-256("mayag/commit/v1" || salt || plaintext)`.
    pub commit: Digest,
    /// How its key is wrapped.
    pub kem: Kem,
    /// For whom.
    pub recipients: Vec<RecipientKeyId>,
}

/// How the key of a detail is wrapped (RFC 9180).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kem {
    /// DHKEM(X25519, HKDF-SHA256) with HKDF-SHA256 and `ChaCha20Poly1305`.
    #[serde(rename = "x25519-hkdf-sha256-chacha20poly1305")]
    X25519,
}

/// Names the public key a detail is sealed to: SHA-256 of its bytes.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RecipientKeyId(pub Digest);

/// How far another log was when the entry was written: the entry is no older than that.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SeenLog {
    /// The log's name.
    pub origin: mayag_protocol::names::LogOrigin,
    /// Its entries.
    pub size: u64,
    /// Its root.
    pub root: Digest,
    /// When the party that writes this cosigned it: what is not in it was not shown by then, and what is in it existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Version of this format: 1.
    pub v: u32,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: Type,
    /// When, by the clock of the party that logs.
    pub at: Timestamp,
    /// The operation, where data are processed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub op: Option<Op>,
    /// The question it is about, if it could be read and was signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionId>,
    /// SHA-256 of the payload that the analyst signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_digest: Option<Digest>,
    /// The question's nonce, so that a restart remembers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// The pseudonym of the person, by a key of the party that logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor: Option<Digest>,
    /// The country of the person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipient: Option<Country>,
    /// The purpose stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// Whether a legal basis and a case were stated, as salted commitments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<Digest>,
    /// As `legal_basis`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<Digest>,
    /// The policy in force, or that came into force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// The decision in one word, or a refusal's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The grant or rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// Keyed digest of the question's SQL without its values, by the party that logs: questions that differ in a value only have
    /// the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape: Option<Digest>,
    /// Keyed digest of the question's SQL with its values: the same for what is asked again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<Digest>,
    /// The datasets that were read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub datasets: Vec<DatasetName>,
    /// What was handed out, in one word.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<ResultClass>,
    /// SHA-256 of what was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result_digest: Option<Digest>,
    /// Cells handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<u64>,
    /// What each country did, at a gateway.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub countries: BTreeMap<Country, CountryEnd>,
    /// The entry of the other party that this one follows: at a node, where the gateway's log holds the question.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peer: Option<LogPosition>,
    /// What the other party signed about it: the gateway's envelope of [`mayag_protocol::forward::Forward`], so that it is
    /// found out by its own signature if its log does not hold that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statement: Option<Base64>,
    /// The log that this one goes on from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<SeenLog>,
    /// Cosigned checkpoints of other logs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub seen: Vec<SeenLog>,
    /// How many questions the party's ledger had charged with this one. A ledger that knows fewer was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<u64>,
    /// What an auditor may open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<DetailRef>,
    /// What a log was read for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub read_for: Option<ReadFor>,
    /// Details that were erased, why, and by whose order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub erased: Option<Erased>,
    /// How often it happened, where several of a kind are one entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u64>,
    /// What was read, erased or changed, in a closed word or a digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// 128 random bits.
    pub blind: Nonce,
}

/// What logs may be read for: EU 2016/680 Art. 25(2), and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadFor {
    /// Criminal proceedings.
    CriminalProceedings,
    /// Whether the data are whole and safe.
    IntegrityAndSecurity,
    /// Whether processing is lawful.
    Lawfulness,
    /// By the authority of itself.
    SelfMonitoring,
}

impl ReadFor {
    /// Every purpose.
    pub const ALL: [Self; 4] = [
        Self::CriminalProceedings,
        Self::IntegrityAndSecurity,
        Self::Lawfulness,
        Self::SelfMonitoring,
    ];

    /// Its word.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::CriminalProceedings => "criminal_proceedings",
            Self::IntegrityAndSecurity => "integrity_and_security",
            Self::Lawfulness => "lawfulness",
            Self::SelfMonitoring => "self_monitoring",
        }
    }
}

/// A word that is no purpose of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "logs are read for `criminal_proceedings`, `integrity_and_security`, `lawfulness` or `self_monitoring` (EU 2016/680 Art. 25(2))"
)]
pub struct NoPurpose;

impl FromStr for ReadFor {
    type Err = NoPurpose;
    fn from_str(word: &str) -> Result<Self, NoPurpose> {
        let word = word.replace('-', "_");
        Self::ALL.into_iter().find(|purpose| purpose.as_str() == word).ok_or(NoPurpose)
    }
}

impl fmt::Display for ReadFor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Details that were erased. The entries that committed to them stay, and so does every proof.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erased {
    /// [`DetailRef::ct_sha256`] of each.
    pub details: Vec<Digest>,
    /// Why, in words of whoever ordered it.
    pub reason: String,
    /// Who ordered it.
    pub authority: String,
}

/// The most details that one entry says are erased: their digests fit into an entry.
pub const MOST_ERASED: usize = 500;

/// What a country did with a question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryEnd {
    /// In one word.
    pub outcome: Outcome,
    /// SHA-256 of the payload that its node signed, if one verified.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Digest>,
    /// Where its log holds the answer, as its node signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log: Option<LogPosition>,
    /// The node's signature over [`mayag_protocol::answer::logged_text`], so that it is found out by its own signature if
    /// its log does not hold that entry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signed: Option<Base64>,
}

impl Entry {
    /// An entry that says only what happened, and when.
    pub fn new(kind: Type, at: Timestamp) -> Result<Self, RandomError> {
        Ok(Self {
            v: VERSION,
            kind,
            at,
            op: None,
            question: None,
            question_digest: None,
            nonce: None,
            actor: None,
            recipient: None,
            purpose: None,
            legal_basis: None,
            case: None,
            policy: None,
            decision: None,
            rule: None,
            shape: None,
            text: None,
            datasets: Vec::new(),
            result: None,
            result_digest: None,
            cells: None,
            countries: BTreeMap::new(),
            peer: None,
            statement: None,
            previous: None,
            seen: Vec::new(),
            charges: None,
            detail: None,
            read_for: None,
            erased: None,
            count: None,
            about: None,
            blind: random_nonce()?,
        })
    }

    /// Whether an auditor must be able to learn whom it is about. An entry that says how a question ended needs no detail:
    /// the entry before it, of the same question in the same log, has one.
    pub fn needs_detail(&self) -> bool {
        match self.kind {
            Type::Admitted
            | Type::FailedAuthentication
            | Type::LogRead
            | Type::Received
            | Type::Refused => self.actor.is_some(),
            Type::Abandoned
            | Type::Answered
            | Type::Configuration
            | Type::Continued
            | Type::Key
            | Type::Opened
            | Type::Policy
            | Type::Redaction
            | Type::Released
            | Type::Roster => false,
        }
    }

    /// Its bytes as they are logged; hashed as they are, never written anew.
    pub fn to_bytes(&self) -> Result<Vec<u8>, EntryError> {
        let bytes = serde_json::to_vec(self).map_err(|_| EntryError::Unwritable)?;
        if bytes.len() > LONGEST_ENTRY { Err(EntryError::Long(bytes.len())) } else { Ok(bytes) }
    }

    /// Reads an entry. A field that is unknown, missing or twice there is an error: no two readers see two entries.
    pub fn parse(bytes: &[u8]) -> Result<Self, EntryError> {
        let entry: Self = strict::parse(bytes, LONGEST_ENTRY)?;
        if entry.v == VERSION { Ok(entry) } else { Err(EntryError::Version(entry.v)) }
    }
}

/// Bytes that are no entry, or an entry that has no bytes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    /// Longer than a log takes.
    #[error("the entry has {0} bytes, a log takes {LONGEST_ENTRY}")]
    Long(usize),
    /// Not of the form.
    #[error("not an entry: {0}")]
    Malformed(#[from] StrictError),
    /// It cannot be written down.
    #[error("the entry cannot be written down")]
    Unwritable,
    /// Of another version.
    #[error("an entry of version {0}; this program reads version {VERSION}")]
    Version(u32),
}

#[cfg(test)]
mod tests {
    use super::{Entry, EntryError, Type};
    use mayag_protocol::timestamp::Timestamp;

    fn entry() -> Entry {
        Entry::new(Type::Opened, Timestamp::from_millis(1_793_534_400_000)).unwrap()
    }

    #[test]
    fn an_entry_is_read_as_it_was_written_and_no_two_are_alike() {
        let entry = entry();
        let bytes = entry.to_bytes().unwrap();
        assert_eq!(Entry::parse(&bytes).unwrap(), entry);
        assert_ne!(super::tests::entry().to_bytes().unwrap(), bytes);
    }

    #[test]
    fn every_type_has_one_word_in_and_outside_of_entries() {
        for kind in Type::ALL {
            assert_eq!(kind.as_str().parse(), Ok(kind));
            assert_eq!(serde_json::to_string(&kind).unwrap(), format!("\"{kind}\""));
        }
        assert_eq!("Opened".parse::<Type>(), Err(super::NoType));
    }

    #[test]
    fn what_two_readers_could_read_differently_is_no_entry() {
        let text = String::from_utf8(entry().to_bytes().unwrap()).unwrap();
        let twice = text.replace("\"v\":1", "\"v\":1,\"v\":1");
        let more = text.replace("\"v\":1", "\"v\":1,\"x\":1");
        let other = text.replace("\"v\":1", "\"v\":2");
        let less = text.replace("\"v\":1,", "");
        for wrong in [twice, more, less] {
            assert!(matches!(Entry::parse(wrong.as_bytes()), Err(EntryError::Malformed(_))));
        }
        assert_eq!(Entry::parse(other.as_bytes()), Err(EntryError::Version(2)));
        let long = Entry { decision: Some("x".repeat(70_000)), ..entry() };
        assert!(matches!(long.to_bytes(), Err(EntryError::Long(_))));
    }
}
