//! Lookups: what a node publishes of its tables, what is asked, what a node answers, and the words for what came of it.
//!
//! A request and an answer travel as [`crate::answer::Bundle`]s: the signed envelope, and beside it the vectors that it names
//! by digest, 32 bytes for each element. How long either is depends on the size class alone ([`SIZES`]), never on what is
//! searched or found: a node does not know whether there was a hit, and the gateway cannot see it.

use crate::answer::{LogPosition, PolicyVersion};
use crate::envelope::Base64;
use crate::identity::Identity;
use crate::names::{Country, Digest, EvaluationKey, KindName, Nonce, QuestionId, TableName};
use crate::purpose::Purpose;
use crate::question::{CLOCK_SKEW, LONGEST_LIFE, QuestionFault};
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

mod verdict;

pub use verdict::{Band, Hit, Verdict, no_hit_anywhere};

/// The elements of a vector, by size class: 1, 8, 64, 512, 4,096, 10,000 or 65,534 identifiers and padding, and one more for
/// the positive control. A vector of another length is refused.
pub const SIZES: [u32; 7] = [2, 9, 65, 513, 4_097, 10_001, 65_535];

/// Bytes of an element.
pub const ELEMENT: usize = 32;

/// Bytes of a proof.
pub const PROOF: usize = 64;

/// The longest envelope of a request that is read.
pub const LONGEST_REQUEST: usize = 128 * 1024;

/// The longest envelope of a directory that is read.
pub const LONGEST_DIRECTORY: usize = 1024 * 1024;

/// What a node publishes of its tables (`application/vnd.mayag.directory.v1+json`), and logs: a desk believes a key because
/// everybody sees the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Version of this format: 1.
    pub v: u8,
    /// The node.
    pub node: Identity,
    /// Counts up with every change.
    pub serial: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// The tables that can be asked, sorted by name and epoch. While keys rotate, a table has two live epochs.
    pub tables: Vec<DirectoryEntry>,
}

/// One table in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryEntry {
    /// The table.
    pub table: TableName,
    /// What its identifiers are.
    pub kind: KindName,
    /// The version of the rules that they are normalised by.
    pub rules: u16,
    /// Who learns what.
    pub mode: Mode,
    /// Counts up with every new key.
    pub epoch: u32,
    /// From when on it is answered.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What proofs are checked against.
    pub key: EvaluationKey,
    /// What outputs are looked up in.
    pub index: PublishedIndex,
    /// The purposes it may be asked for, sorted.
    pub purposes: Vec<Purpose>,
    /// The most elements that one request may have.
    pub most_elements: u32,
    /// What the numbers of categories stand for, sorted by number.
    pub categories: Vec<Legend>,
    /// What the numbers of handling codes stand for, sorted by number: the greater, the stricter.
    pub handling: Vec<Legend>,
}

/// The published form of a table, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedIndex {
    /// When it was built from the node's data.
    pub built_at: Timestamp,
    /// Rows, padded to a size class.
    pub rows: u64,
    /// The filter.
    pub filter: Published,
    /// The sealed boxes.
    pub boxes: Published,
}

/// Bytes that a node publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Their SHA-256.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
}

/// What a number in a hit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legend {
    /// The number.
    pub number: u16,
    /// What it stands for, such as `stolen or lost document`.
    pub text: String,
}

/// Who learns what of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The node learns how many elements were evaluated, and nothing else.
    Blinded,
    /// The node learns the identifier; the gateway does not.
    Declared,
}

/// What an analyst signs to search (`application/vnd.mayag.lookup.v1+json`). The same bytes, and the same vector beside them,
/// go to every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Lookup {
    /// Version of this format: 1.
    pub v: u8,
    /// Chosen by the desk; the same in every log that mentions the request.
    pub id: QuestionId,
    /// Who asks; the signature must be by a key that the roster lists for this person.
    pub analyst: Identity,
    /// The gateway that may carry it.
    pub gateway: Identity,
    /// The tables asked, sorted, each once. A node that is not among them refuses.
    pub targets: Vec<Target>,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// When it ends; at most [`LONGEST_LIFE`] after `issued_at`.
    pub expires_at: Timestamp,
    /// Remembered by every node until expiry.
    pub nonce: Nonce,
    /// The kind of the identifiers.
    pub kind: KindName,
    /// The version of the rules that they were normalised by.
    pub rules: u16,
    /// Elements in the vector: one of [`SIZES`].
    pub elements: u32,
    /// SHA-256 of the vector: the commitment that an auditor can open.
    pub blinded: Digest,
    /// Why.
    pub purpose: Purpose,
    /// The case it belongs to, if any; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub case: Option<String>,
    /// The legal basis, if stated; at most 200 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_basis: Option<String>,
}

/// A table of a country in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The country.
    pub country: Country,
    /// Its table.
    pub table: TableName,
    /// The epoch, as the directory has it.
    pub epoch: u32,
}

/// What a node signs (`application/vnd.mayag.lookup-answer.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupAnswer {
    /// Version of this format: 1.
    pub v: u8,
    /// The request's id. A request that could not be read has none.
    pub request: Option<QuestionId>,
    /// SHA-256 of the request's payload bytes (of the whole body where no envelope could be read).
    pub request_digest: Digest,
    /// The node.
    pub country: Country,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// The policy it was decided under; absent only while none is in force.
    pub policy: Option<PolicyVersion>,
    /// What was decided.
    pub decision: LookupDecision,
    /// Where the node's log holds it.
    pub log: LogPosition,
}

/// What a node decided of a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum LookupDecision {
    /// Evaluated vectors, one for each of its tables that was asked, in the order of the targets; in the same order they
    /// follow the envelope.
    Evaluated {
        /// The vectors, by digest.
        tables: Vec<EvaluatedTable>,
    },
    /// The work broke; the operator finds the reason under the id, nobody else does.
    Failed {
        /// Names the failure in the node's own log.
        id: String,
        /// Whether the deadline passed.
        timed_out: bool,
    },
    /// No.
    Refused {
        /// Why.
        refusal: Refusal,
    },
}

/// One evaluated vector.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluatedTable {
    /// The table.
    pub table: TableName,
    /// The epoch whose key evaluated it.
    pub epoch: u32,
    /// SHA-256 of the evaluated vector.
    pub evaluated: Digest,
    /// The proof's 64 bytes.
    pub proof: Base64,
}

/// What is wrong with a request's own fields, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupFault {
    /// The vector's length is not that of a size class.
    #[error("the vector has another length than those of the size classes")]
    Elements,
    /// The list of targets is empty, unsorted or names one twice.
    #[error("the list of tables is empty, unsorted or names one twice")]
    Targets,
    /// The same as with a question.
    #[error(transparent)]
    Question(#[from] QuestionFault),
}

impl Lookup {
    /// Checks everything that depends on the request and the time alone.
    pub fn fault(&self, now: Timestamp) -> Option<LookupFault> {
        let too_long =
            |text: &Option<String>| text.as_ref().is_some_and(|text| text.chars().count() > 200);
        let sorted = self.targets.is_sorted_by(|one, next| one < next);
        if self.v != 1 {
            Some(QuestionFault::Version.into())
        } else if self.targets.is_empty() || !sorted {
            Some(LookupFault::Targets)
        } else if !SIZES.contains(&self.elements) {
            Some(LookupFault::Elements)
        } else if too_long(&self.case) || too_long(&self.legal_basis) {
            Some(QuestionFault::TooLong.into())
        } else if self.expires_at <= self.issued_at
            || self.expires_at.since(self.issued_at) > LONGEST_LIFE
        {
            Some(QuestionFault::Life.into())
        } else if self.issued_at > now.plus(CLOCK_SKEW) {
            Some(QuestionFault::NotYet.into())
        } else if self.expires_at <= now {
            Some(QuestionFault::Expired.into())
        } else {
            None
        }
    }

    /// The targets of one country.
    pub fn targets_of<'a>(&'a self, country: &Country) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |target| target.country == *country)
    }

    /// Bytes of the vector that belongs to it.
    pub fn vector_bytes(&self) -> usize {
        usize::try_from(self.elements).unwrap_or(usize::MAX).saturating_mul(ELEMENT)
    }
}

impl Directory {
    /// A table of it that is answered at this time, in this epoch.
    pub fn live(&self, table: &TableName, epoch: u32, now: Timestamp) -> Option<&DirectoryEntry> {
        self.tables.iter().find(|entry| {
            entry.table == *table && entry.epoch == epoch && entry.from <= now && now < entry.until
        })
    }
}

#[cfg(test)]
mod tests;
