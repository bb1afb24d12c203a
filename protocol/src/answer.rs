//! What a node signs, and how its signed answer travels together with its cells.

use crate::envelope::Base64;
use crate::identity::Identity;
use crate::lookup::EvaluatedTable;
use crate::names::{Country, DatasetName, Digest, LogOrigin, QuestionId, TableName};
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
    /// The node's Ed25519 signature over [`logged_text`]: short, so that the gateway's log can keep one for every country.
    pub logged: Base64,
}

/// What a node signs about its own log: that it holds, at this place, what the node said of the question of this digest.
/// The text begins as no DSSE pre-authentication encoding does, so that neither is taken for the other.
pub fn logged_text(question: &Digest, log: &LogPosition) -> Vec<u8> {
    let LogPosition { origin, index, leaf } = log;
    format!("mayag/logged/v1\n{question}\n{origin}\n{index}\n{leaf}\n").into_bytes()
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
    /// The log.
    pub origin: LogOrigin,
    /// The entry's index, from 0.
    pub index: u64,
    /// The entry's leaf hash (RFC 6962).
    pub leaf: Digest,
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
    /// What a declared table says ([`crate::question::Ask::Declared`]): sealed to whoever asked, it follows the envelope.
    Declared {
        /// The table.
        table: TableName,
        /// When it was read, as the directory has it: what numbers stand for may be otherwise in another.
        built_at: Timestamp,
        /// SHA-256 of what is sealed.
        answer: Digest,
    },
    /// Evaluated vectors ([`crate::question::Ask::Lookup`]), one for each of its tables that was asked, in the order of
    /// the targets; in the same order they follow the envelope.
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
    /// What would be answered ([`crate::question::Ask::Preview`]); no cell was computed.
    Previewed {
        /// One per release of the question, in their order.
        releases: Vec<PreviewedRelease>,
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
    /// The tables that can be searched ([`crate::question::Ask::Tables`]): the signed directory follows the envelope.
    Tables {
        /// SHA-256 of the directory's envelope.
        directory: Digest,
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
    /// Which cells it lists.
    pub listed: Listed,
    /// Whether any value in it is withheld. Always so where only shown cells are listed: the flag says no more than they.
    pub suppressed: bool,
    /// The grant that allowed it.
    pub grant: String,
    /// The protections that were applied, in words.
    pub protections: String,
}

/// Which cells of a release a part lists. What is not listed must not say whether there is anything (design §4.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Listed {
    /// One row per combination of the public key domain; empty and small ones alike are withheld.
    All,
    /// Only cells that show something. A key that is missing is withheld there, whether it is empty or small.
    Shown,
}

/// What would be answered for one release, without a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewedRelease {
    /// The dataset.
    pub dataset: DatasetName,
    /// The grant that would allow it.
    pub grant: String,
    /// The protections that would be applied, in words.
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
    /// The other shared datasets whose rows its rows may be joined with, as `JOIN` is written: `seizures USING (seizure_id)`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<String>,
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
    /// Why there is no result although countries answered with cells.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub no_result: Option<NoResult>,
    /// Where the gateway's log holds it.
    pub log: LogPosition,
}

/// Why cells came together and no table of them was made. Closed, and without a value of any cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoResult {
    /// The question divides by zero.
    DivideByZero,
    /// Anything else; the gateway's operator finds it in the gateway's log.
    Failed,
    /// A sum over the countries left the range of its type.
    Overflow,
    /// The gateway had no place or no memory left to compute it.
    TooBusy,
    /// Over the memory that one question may take.
    TooMuchMemory,
    /// Over the rows that a result may have.
    TooManyRows,
    /// Not done in time.
    TooSlow,
}

impl NoResult {
    /// Every word, in alphabetical order.
    pub const ALL: &[Self] = &[
        Self::DivideByZero,
        Self::Failed,
        Self::Overflow,
        Self::TooBusy,
        Self::TooMuchMemory,
        Self::TooManyRows,
        Self::TooSlow,
    ];

    /// Whether the cells alone decide it: whoever computes the same again must find the same.
    pub fn follows_from_cells(self) -> bool {
        match self {
            Self::DivideByZero | Self::Overflow | Self::TooManyRows => true,
            Self::Failed | Self::TooBusy | Self::TooMuchMemory | Self::TooSlow => false,
        }
    }

    /// The word in machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::DivideByZero => "divide_by_zero",
            Self::Failed => "failed",
            Self::Overflow => "overflow",
            Self::TooBusy => "too_busy",
            Self::TooMuchMemory => "too_much_memory",
            Self::TooManyRows => "too_many_rows",
            Self::TooSlow => "too_slow",
        }
    }
}

/// What the gateway signs when it refuses a question before anybody is asked
/// (`application/vnd.mayag.refusal.v1+json`).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayRefusal {
    /// Version of this format: 1.
    pub v: u8,
    /// The question; absent where its signature did not verify.
    pub question: Option<QuestionId>,
    /// SHA-256 of the question's payload bytes (of the whole body where no envelope could be read).
    pub question_digest: Digest,
    /// The gateway.
    pub gateway: Identity,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// Why.
    pub refusal: Refusal,
    /// Where the gateway's log holds it; absent only where the log cannot be written.
    pub log: Option<LogPosition>,
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
            Decision::Answered { .. }
            | Decision::Declared { .. }
            | Decision::Evaluated { .. }
            | Decision::Previewed { .. }
            | Decision::Shared { .. }
            | Decision::Tables { .. } => Outcome::Answered,
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
    use super::{Bundle, BundleError, NoResult};

    #[test]
    fn the_words_for_no_result_are_the_same_everywhere() {
        assert!(NoResult::ALL.is_sorted_by(|a, b| a < b));
        for word in NoResult::ALL {
            assert_eq!(serde_json::to_string(word).unwrap(), format!("\"{}\"", word.as_str()));
        }
    }

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
