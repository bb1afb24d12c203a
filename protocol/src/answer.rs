//! What a node signs, and how its signed answer travels together with its cells.

use crate::identity::Identity;
use crate::names::{Country, Digest, QuestionId};
use crate::outcome::Outcome;
use crate::purpose::Purpose;
use crate::refusal::{Code, Refusal};
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The longest signed part of an answer that is read.
pub const LONGEST_ENVELOPE: usize = 4 * 1024 * 1024;

/// What a node signs (`application/vnd.mayag.answer.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Version of this format: 1.
    pub v: u8,
    /// The question's id. A question that could not be read has none.
    pub question: Option<QuestionId>,
    /// SHA-256 of the question's payload bytes (of the whole body where no envelope could be read).
    pub question_digest: Digest,
    /// The node.
    pub country: Country,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// The policy it was decided under; absent only while none is in force.
    pub policy: Option<PolicyVersion>,
    /// What was decided.
    pub decision: Decision,
    /// Where the node's log holds it.
    pub log: LogPosition,
}

/// A version of a policy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PolicyVersion {
    /// Its serial number, which only grows.
    pub serial: u64,
    /// SHA-256 of its exact bytes.
    pub digest: Digest,
}

/// A place in a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogPosition {
    /// The entry's index, from 0.
    pub index: u64,
    /// The entry's hash.
    pub entry: Digest,
}

/// What a node decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Decision {
    /// Cells, one part per release of the question, in their order.
    Answered {
        /// The parts.
        releases: Vec<ReleasePart>,
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
    /// What the person may use ([`crate::question::Ask::Datasets`]).
    Shared {
        /// The datasets, sorted by name.
        datasets: Vec<SharedDataset>,
    },
}

/// The cells of one release, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleasePart {
    /// SHA-256 of the Arrow IPC stream (layout: [`crate::columns`]).
    pub digest: Digest,
    /// Rows in it.
    pub cells: u64,
    /// Whether any value in it is withheld.
    pub suppressed: bool,
    /// The grant that allowed it.
    pub grant: String,
    /// The protections that were applied, in words.
    pub protections: String,
}

/// A dataset as far as it is shared with one person for one purpose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedDataset {
    /// The dataset.
    pub name: String,
    /// What it holds.
    pub about: String,
    /// Distinct units a cell needs.
    pub min_units: u64,
    /// The purposes it is shared for.
    pub purposes: Vec<Purpose>,
    /// The columns that are shared.
    pub columns: Vec<SharedColumn>,
}

/// A column as far as it is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SharedColumn {
    /// The column.
    pub name: String,
    /// `dimension`, `measure` or `unit`.
    pub role: String,
    /// The levels, finest first, or the aggregates.
    pub uses: Vec<String>,
    /// The unit of its numbers, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
    /// What it holds.
    pub about: String,
}

/// What the gateway signs when it hands out a merged answer (`application/vnd.mayag.release.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Release {
    /// Version of this format: 1.
    pub v: u8,
    /// The question.
    pub question: QuestionId,
    /// SHA-256 of the question's payload bytes.
    pub question_digest: Digest,
    /// The gateway.
    pub gateway: Identity,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// One outcome per country asked, sorted by country.
    pub countries: Vec<CountryOutcome>,
    /// SHA-256 of the result's Arrow IPC stream; absent where there is no result.
    pub result: Option<Digest>,
    /// Where the gateway's log holds it.
    pub log: LogPosition,
}

/// What one country did, as the gateway saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CountryOutcome {
    /// The country.
    pub country: Country,
    /// What it did.
    pub outcome: Outcome,
    /// SHA-256 of the payload the node signed; absent where none came.
    pub answer_digest: Option<Digest>,
}

impl Answer {
    /// The outcome this answer amounts to.
    pub fn outcome(&self) -> Outcome {
        match &self.decision {
            Decision::Answered { releases } if releases.iter().any(|part| part.suppressed) => {
                Outcome::AnsweredSuppressed
            }
            Decision::Answered { .. } | Decision::Shared { .. } => Outcome::Answered,
            Decision::Failed { timed_out: true, .. } => Outcome::TimedOut,
            Decision::Failed { timed_out: false, .. } => Outcome::Failed,
            Decision::Refused { refusal } if refusal.code == Code::BudgetExhausted => {
                Outcome::BudgetExhausted
            }
            Decision::Refused { .. } => Outcome::Refused,
        }
    }
}

/// A signed answer with the Arrow streams it names, as they travel: each preceded by its length (`u32`, big-endian),
/// the envelope first.
#[derive(Clone, PartialEq, Eq)]
pub struct Bundle {
    /// The DSSE envelope of an [`Answer`].
    pub envelope: Vec<u8>,
    /// The Arrow IPC streams, in the order of the releases.
    pub parts: Vec<Vec<u8>>,
}

/// Bytes that are no bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the bytes are not a signed answer with its parts")]
pub struct BundleError;

impl Bundle {
    /// The bytes for the wire.
    pub fn to_bytes(&self) -> Result<Vec<u8>, BundleError> {
        let mut bytes = Vec::new();
        for piece in std::iter::once(&self.envelope).chain(&self.parts) {
            let length = u32::try_from(piece.len()).map_err(|_| BundleError)?;
            bytes.extend_from_slice(&length.to_be_bytes());
            bytes.extend_from_slice(piece);
        }
        Ok(bytes)
    }

    /// Reads a bundle. O(bytes); lengths that do not fit the bytes are refused.
    pub fn parse(mut bytes: &[u8]) -> Result<Self, BundleError> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (length, rest) = bytes.split_first_chunk::<4>().ok_or(BundleError)?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|_| BundleError)?;
            let (piece, rest) = rest.split_at_checked(length).ok_or(BundleError)?;
            pieces.push(piece.to_vec());
            bytes = rest;
        }
        let mut pieces = pieces.into_iter();
        let envelope = pieces.next().ok_or(BundleError)?;
        Ok(Self { envelope, parts: pieces.collect() })
    }
}

impl std::fmt::Debug for Bundle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Bundle({} bytes, {} parts)", self.envelope.len(), self.parts.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, BundleError};

    #[test]
    fn bundles_round_trip_and_torn_ones_are_refused() {
        let bundle = Bundle { envelope: b"{}".to_vec(), parts: vec![vec![], vec![7; 300]] };
        let bytes = bundle.to_bytes().unwrap();
        assert_eq!(Bundle::parse(&bytes), Ok(bundle));
        assert_eq!(Bundle::parse(&[]), Err(BundleError));
        for cut in [1, 5, 8, 9, bytes.len() - 1] {
            assert_eq!(Bundle::parse(&bytes[..cut]), Err(BundleError), "{cut}");
        }
        assert_eq!(Bundle::parse(&[0xff, 0xff, 0xff, 0xff, 0]), Err(BundleError));
    }
}
