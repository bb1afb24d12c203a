//! Whether what a node sent is its answer to this question: signature, country, question, digests, cells.
//!
//! Everything is checked for one country alone: what is wrong with one answer is that country's outcome and touches no
//! other. Everything here may be hostile; limits of bytes are the caller's.

use crate::merge::{Cut, Part};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::party::{self, Book};
use mayag_protocol::answer::{
    self, Answer, Bundle, Decision, LogPosition, ReleasePart, logged_text,
};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Verified, Verify as _};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{DeclaredSearch, EvaluatedTable, Search};
use mayag_protocol::names::{Country, Digest, PublicKey, QuestionId, TableName};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::Refusal;
use serde::Deserialize;
use std::sync::Arc;

/// The version of the answer format that is read.
const VERSION: u64 = 1;

/// What an answer must be an answer to.
#[derive(Debug, Clone)]
pub(crate) struct Expected {
    /// The country asked.
    pub(crate) country: Country,
    /// Its node.
    pub(crate) node: Identity,
    /// The key that the roster lists for its answers.
    pub(crate) answer_key: PublicKey,
    /// The question.
    pub(crate) question: QuestionId,
    /// SHA-256 of its payload.
    pub(crate) digest: Digest,
    /// What was asked for.
    pub(crate) wanted: Wanted,
}

/// What a question asks every country for.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    /// The cells of these releases.
    Cells(Arc<Cut>),
    /// The datasets that are shared.
    Datasets,
    /// What declared tables say of this search, sealed to the desk.
    Declared(Arc<DeclaredSearch>),
    /// Evaluated vectors of this search.
    Evaluated(Arc<Search>),
    /// What would be answered for this many releases.
    Preview {
        /// How many.
        releases: usize,
    },
    /// The tables that can be searched.
    Tables,
}

/// An answer that is what it should be. Only [`check`] makes one.
#[derive(Debug)]
pub(crate) struct CheckedAnswer {
    outcome: Outcome,
    refusal: Option<Refusal>,
    digest: Digest,
    log: LogPosition,
    logged: Base64,
    parts: Vec<Part>,
}

/// What is wrong with an answer. For the operator: no value of the answer is in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum AnswerFault {
    /// Not a bundle, an envelope or an answer.
    #[error("the bytes are not an answer")]
    Garbage,
    /// The cells cannot be read as the cells of the release.
    #[error("the cells are not those of the release")]
    Cells,
    /// The cells are not those that were signed.
    #[error("the cells do not have the digest that was signed")]
    Digest,
    /// Something else was asked.
    #[error("the decision is of another kind than the question, or has another number of parts")]
    Kind,
    /// Signed by another country, for another country or for another question, or logged in a log that is not the country's.
    #[error("the answer belongs to another question or country")]
    Other,
    /// Not signed by the key the roster lists.
    #[error("the answer is not signed by the key that the roster lists for the country")]
    Signature,
    /// Another version of the format.
    #[error("the answer is written in another version of the format")]
    Version,
}

impl AnswerFault {
    /// What the country has done.
    pub(crate) fn outcome(self) -> Outcome {
        match self {
            Self::Version => Outcome::Incompatible,
            Self::Cells
            | Self::Digest
            | Self::Garbage
            | Self::Kind
            | Self::Other
            | Self::Signature => Outcome::Failed,
        }
    }
}

impl CheckedAnswer {
    pub(crate) fn outcome(&self) -> Outcome {
        self.outcome
    }

    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// SHA-256 of the payload the node signed.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// Where the node's log holds it.
    pub(crate) fn log(&self) -> &LogPosition {
        &self.log
    }

    /// The node's signature that its log holds it there.
    pub(crate) fn logged(&self) -> &Base64 {
        &self.logged
    }

    /// The cells, one part per release; empty unless the country answered with cells.
    pub(crate) fn into_parts(self) -> Vec<Part> {
        self.parts
    }
}

/// Checks the bytes that a node sent. O(bytes).
pub(crate) fn check(bytes: &[u8], expected: &Expected) -> Result<CheckedAnswer, AnswerFault> {
    let bundle = Bundle::parse(bytes).map_err(|_| AnswerFault::Garbage)?;
    let envelope = Envelope::parse(&bundle.envelope, answer::LONGEST_ENVELOPE)
        .map_err(|_| AnswerFault::Garbage)?;
    let verified = envelope
        .open(PayloadType::Answer, std::slice::from_ref(&expected.answer_key), 1, &Ed25519)
        .map_err(|_| AnswerFault::Signature)?;
    let answer = read(&verified)?;
    let own_log = party::owns(&expected.node, Book::Questions, &answer.log.origin);
    if answer.country != expected.country || !own_log || !answers(&answer, expected) {
        return Err(AnswerFault::Other);
    }
    let text = logged_text(&answer.question_digest, &answer.log);
    if !Ed25519.verify(&expected.answer_key, &text, &answer.logged.0) {
        return Err(AnswerFault::Signature);
    }
    let outcome = answer.outcome();
    let (log, logged) = (answer.log.clone(), answer.logged.clone());
    let (parts, refusal) = match (answer.decision, &expected.wanted) {
        (Decision::Answered { releases }, Wanted::Cells(cut)) => {
            (cells(&bundle, &releases, cut, &expected.country)?, None)
        }
        (Decision::Declared { table, answer, .. }, Wanted::Declared(search)) => {
            sealed(&bundle, (&table, &answer), search, &expected.country)?;
            (Vec::new(), None)
        }
        (Decision::Evaluated { tables }, Wanted::Evaluated(search)) => {
            vectors(&bundle, &tables, search, &expected.country)?;
            (Vec::new(), None)
        }
        (Decision::Tables { directory }, Wanted::Tables) => {
            let [envelope] = bundle.parts.as_slice() else { return Err(AnswerFault::Kind) };
            if sha256(envelope) != directory {
                return Err(AnswerFault::Digest);
            }
            (Vec::new(), None)
        }
        (Decision::Shared { .. }, Wanted::Datasets) | (Decision::Failed { .. }, _)
            if bundle.parts.is_empty() =>
        {
            (Vec::new(), None)
        }
        (Decision::Previewed { releases: previewed }, Wanted::Preview { releases })
            if bundle.parts.is_empty() && previewed.len() == *releases =>
        {
            (Vec::new(), None)
        }
        (Decision::Refused { refusal }, _) if bundle.parts.is_empty() => {
            (Vec::new(), Some(refusal))
        }
        (
            Decision::Answered { .. }
            | Decision::Declared { .. }
            | Decision::Evaluated { .. }
            | Decision::Failed { .. }
            | Decision::Previewed { .. }
            | Decision::Refused { .. }
            | Decision::Shared { .. }
            | Decision::Tables { .. },
            _,
        ) => return Err(AnswerFault::Kind),
    };
    Ok(CheckedAnswer { outcome, refusal, digest: sha256(verified.payload()), log, logged, parts })
}

/// A version that is not known has fields that are not known: its number is read first, and nothing else.
fn read(verified: &Verified) -> Result<Answer, AnswerFault> {
    #[derive(Deserialize)]
    struct Version {
        v: u64,
    }
    match verified.parse::<Answer>() {
        Ok(answer) if u64::from(answer.v) == VERSION => Ok(answer),
        Ok(_) => Err(AnswerFault::Version),
        Err(_) => match verified.parse::<Version>() {
            Ok(Version { v }) if v != VERSION => Err(AnswerFault::Version),
            Ok(_) | Err(_) => Err(AnswerFault::Garbage),
        },
    }
}

/// A node that could not verify the question has no id to name, and refuses by the digest alone.
fn answers(answer: &Answer, expected: &Expected) -> bool {
    let same = match (&answer.question, &answer.decision) {
        (Some(question), _) => *question == expected.question,
        (None, Decision::Refused { .. }) => true,
        (
            None,
            Decision::Answered { .. }
            | Decision::Declared { .. }
            | Decision::Evaluated { .. }
            | Decision::Failed { .. }
            | Decision::Previewed { .. }
            | Decision::Shared { .. }
            | Decision::Tables { .. },
        ) => false,
    };
    same && answer.question_digest == expected.digest
}

/// The vectors are those that were signed, of the tables that were asked, and of their lengths. Whether they are evaluated
/// by the right key, the desk alone can tell.
fn vectors(
    bundle: &Bundle,
    signed: &[EvaluatedTable],
    search: &Search,
    country: &Country,
) -> Result<(), AnswerFault> {
    let targets: Vec<_> = search.targets_of(country).collect();
    if signed.len() != targets.len() || bundle.parts.len() != targets.len() {
        return Err(AnswerFault::Kind);
    }
    for ((vector, table), target) in bundle.parts.iter().zip(signed).zip(targets) {
        if table.table != target.table || table.epoch != target.epoch {
            return Err(AnswerFault::Kind);
        }
        if vector.len() != search.vector_bytes() || sha256(vector) != table.evaluated {
            return Err(AnswerFault::Digest);
        }
    }
    Ok(())
}

/// What is sealed is what was signed, of the table that was asked, and as long as all answers to so many identifiers.
fn sealed(
    bundle: &Bundle,
    (table, answer): (&TableName, &Digest),
    search: &DeclaredSearch,
    country: &Country,
) -> Result<(), AnswerFault> {
    let [sealed] = bundle.parts.as_slice() else { return Err(AnswerFault::Kind) };
    if search.table_of(country) != Some(table) {
        return Err(AnswerFault::Kind);
    }
    if sealed.len() == search.answer_bytes() && sha256(sealed) == *answer {
        Ok(())
    } else {
        Err(AnswerFault::Digest)
    }
}

fn cells(
    bundle: &Bundle,
    signed: &[ReleasePart],
    cut: &Cut,
    country: &Country,
) -> Result<Vec<Part>, AnswerFault> {
    if signed.len() != cut.releases() || bundle.parts.len() != cut.releases() {
        return Err(AnswerFault::Kind);
    }
    let mut parts = Vec::with_capacity(signed.len());
    for (i, (bytes, part)) in bundle.parts.iter().zip(signed).enumerate() {
        if sha256(bytes) != part.digest {
            return Err(AnswerFault::Digest);
        }
        parts.push(cut.read(i, country, bytes, part).ok_or(AnswerFault::Cells)?);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests;
