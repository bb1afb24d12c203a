//! What did not verify. Every fault ends the question: nothing of such an answer is shown.

use mayag_protocol::names::Country;
use std::fmt;

/// An answer that is not what its signers signed, or a gateway's summary that is not what the countries signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct VerificationFailed {
    /// What did not verify.
    pub what: Fault,
    /// The country whose answer it is about; absent where it is about the gateway's part.
    pub country: Option<Country>,
}

/// What did not verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// A country's event names a digest other than the gateway's signed summary.
    #[error("the gateway's signed summary names another answer than the one that arrived")]
    AnswerDigest,
    /// A bundle that cannot be taken apart.
    #[error("the signed answer could not be read")]
    Bundle,
    /// The cells are not laid out as the question's releases need, or not as the node signed.
    #[error("the signed cells are not laid out as the question needs")]
    Cells,
    /// The signed answer is of another country.
    #[error("the signed answer is another country's")]
    Country,
    /// A kind of decision that does not answer the question.
    #[error("the signed decision does not fit what was asked")]
    Decision,
    /// A directory that is not the node's, or not laid out as one.
    #[error("the directory of tables is not signed by the country's node, or is not in order")]
    Directory,
    /// A directory that is older than one that was seen before.
    #[error("the directory of tables is older than one that was seen before: it never goes back")]
    DirectoryOlder,
    /// An event after the last one, twice the same country, or out of turn.
    #[error("the gateway's events are out of order")]
    Events,
    /// The stream ended before `complete`.
    #[error("the gateway's stream ended before it was complete")]
    EndedEarly,
    /// The signed answer names an entry of a log that is not its signer's, or without a signature over it.
    #[error("the signed answer names no entry of its own log")]
    Log,
    /// The outcome told is not the one that was signed.
    #[error("the gateway tells another outcome than the one that was signed")]
    Outcome,
    /// Cells whose digest is not the one the node signed.
    #[error("the cells are not those that were signed")]
    PartDigest,
    /// The question has an answer although its SQL cannot be planned here.
    #[error(
        "an answer to SQL that this desk cannot plan; another version of the planner may have answered"
    )]
    Plan,
    /// The answer is to another question.
    #[error("the signed answer is to another question")]
    Question,
    /// The refusal told is not the one that was signed.
    #[error("the gateway tells another refusal than the one that was signed")]
    Refusal,
    /// The merged table is not what the signed parts give.
    #[error("the gateway's table is not what the signed parts give")]
    Result,
    /// The merged table's bytes are not those of the gateway's signed summary.
    #[error("the gateway's table is not the one in its signed summary")]
    ResultDigest,
    /// A signature that the roster's key did not make.
    #[error("not signed with the key that the roster lists")]
    Signature,
    /// The gateway's signed summary differs from what arrived.
    #[error("the gateway's signed summary is not what arrived")]
    Summary,
    /// A country answered without a signed answer, or refused without one.
    #[error("the gateway tells an outcome that needs a signed answer, and brought none")]
    Unsigned,
    /// A table with another key, or another index of the same serial, than was seen before: who is shown keys of their own
    /// can be told apart.
    #[error(
        "the directory shows another key or index of a table than it did before for the same epoch: whoever is shown one of their own can be traced"
    )]
    TableChanged,
    /// A country that was not asked.
    #[error("a country that was not asked")]
    Unasked,
    /// A signed message in another version of its format.
    #[error("signed in another version of the format")]
    Version,
}

impl VerificationFailed {
    pub(crate) fn of(country: &Country, what: Fault) -> Self {
        Self { what, country: Some(country.clone()) }
    }

    pub(crate) fn gateway(what: Fault) -> Self {
        Self { what, country: None }
    }
}

impl fmt::Display for VerificationFailed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.country {
            Some(country) => write!(f, "{country}: {}", self.what),
            None => write!(f, "gateway: {}", self.what),
        }
    }
}
