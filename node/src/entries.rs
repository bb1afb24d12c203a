//! What a node's log says of a question: who asked what, why, and what became of it, in no word that names a person, a
//! case or a row.

use crate::admission::VerifiedQuestion;
use crate::ledger::Spent;
use crate::node::{InForce, Node};
use mayag_audit::detail::Content;
use mayag_audit::entry::{Entry, Op, ResultClass, Type};
use mayag_audit::keys::{RandomError, sha256};
use mayag_protocol::answer::{Decision, LogPosition};
use mayag_protocol::envelope::Base64;
use mayag_protocol::names::{DatasetName, Digest};
use mayag_protocol::question::Question;
use mayag_queries::outline::outline;
use std::collections::BTreeSet;

/// What is known of a question, for the log and the signed answer.
#[derive(Debug)]
pub(crate) struct About {
    /// SHA-256 of the payload; of the whole body where no envelope could be read.
    pub(crate) digest: Digest,
    /// Absent unless a signature was verified: an unsigned question is anybody's claim.
    pub(crate) question: Option<Question>,
    /// What the gateway signed about it.
    pub(crate) forwarded: Option<Forwarded>,
    /// What the analyst signed, to the byte; present where `question` is.
    pub(crate) envelope: Option<Vec<u8>>,
}

/// Where the gateway's log holds a question.
#[derive(Debug, Clone)]
pub(crate) struct Forwarded {
    pub(crate) log: LogPosition,
    /// The envelope in which the gateway signed that.
    pub(crate) statement: Vec<u8>,
}

/// The end of the line before it is signed.
#[derive(Debug)]
pub(crate) struct Decided {
    pub(crate) decision: Decision,
    pub(crate) parts: Vec<Vec<u8>>,
    /// The word or code for the log.
    pub(crate) word: String,
    pub(crate) rule: Option<String>,
    pub(crate) datasets: BTreeSet<DatasetName>,
    /// What the entry is about beside the question.
    pub(crate) about: Option<String>,
}

impl About {
    pub(crate) fn of(question: &VerifiedQuestion) -> Self {
        Self {
            digest: question.digest().clone(),
            question: Some(question.question().clone()),
            forwarded: Some(question.forwarded().clone()),
            envelope: Some(question.envelope().to_vec()),
        }
    }

    /// What the auditors of this country may open: who asked, and what exactly.
    pub(crate) fn content(&self) -> Option<Content> {
        let asked = self.question.as_ref()?;
        Some(Content::question(asked.analyst.to_string(), self.envelope.clone()))
    }

    fn entry(&self, node: &Node, in_force: &InForce, kind: Type) -> Result<Entry, RandomError> {
        let asked = self.question.as_ref();
        let committed = |what: &str, text: Option<&String>| {
            text.map(|text| node.logs().commitment(&self.digest, what, text))
        };
        Ok(Entry {
            question: asked.map(|question| question.id.clone()),
            question_digest: Some(self.digest.clone()),
            actor: asked.map(|question| node.logs().actor(&question.analyst)),
            recipient: asked.and_then(|question| question.analyst.country()).cloned(),
            purpose: asked.map(|question| question.purpose),
            legal_basis: committed(
                "legal-basis",
                asked.and_then(|asked| asked.legal_basis.as_ref()),
            ),
            case: committed("case", asked.and_then(|asked| asked.case.as_ref())),
            policy: in_force.policy_version().map(|version| version.digest.clone()),
            peer: self.forwarded.as_ref().map(|forwarded| forwarded.log.clone()),
            ..Entry::new(kind, node.clock().now())?
        })
    }

    /// What makes questions that are alike look alike in this node's log.
    fn outline(&self, node: &Node) -> (Option<Digest>, Option<Digest>) {
        let sql = self.question.as_ref().and_then(|question| question.ask.sql());
        let outline = sql.and_then(outline);
        let likeness = |what, text: &str| node.logs().likeness(what, text);
        outline.map_or((None, None), |of| {
            (Some(likeness("shape", &of.shape)), Some(likeness("text", &of.text)))
        })
    }

    /// That work on the question begins. Nothing executes before this is durable.
    pub(crate) fn admitted(
        &self,
        node: &Node,
        in_force: &InForce,
        spent: Option<&Spent>,
        datasets: &BTreeSet<DatasetName>,
    ) -> Result<Entry, RandomError> {
        let (shape, text) = self.outline(node);
        Ok(Entry {
            shape,
            text,
            op: Some(Op::Consultation),
            // Once is enough: the entry of the end names the same question.
            statement: self.forwarded.as_ref().map(|said| Base64(said.statement.clone())),
            nonce: self.question.as_ref().map(|question| question.nonce.clone()),
            charges: spent.map(Spent::number),
            datasets: datasets.iter().cloned().collect(),
            ..self.entry(node, in_force, Type::Admitted)?
        })
    }

    /// What became of it. Nothing leaves before this is durable.
    pub(crate) fn ended(
        &self,
        node: &Node,
        in_force: &InForce,
        decided: &Decided,
    ) -> Result<Entry, RandomError> {
        let digests: String = decided.parts.iter().map(|part| sha256(part).to_string()).collect();
        let (kind, op, result, cells) = match &decided.decision {
            Decision::Refused { .. } => (Type::Refused, None, ResultClass::Refusal, None),
            Decision::Answered { releases } => {
                let suppressed = releases.iter().any(|part| part.suppressed);
                let result =
                    if suppressed { ResultClass::Suppressed } else { ResultClass::Aggregate };
                let cells = releases.iter().map(|part| part.cells).sum();
                (Type::Answered, Some(Op::Disclosure), result, Some(cells))
            }
            Decision::Failed { timed_out: true, .. } => {
                (Type::Answered, None, ResultClass::TimedOut, None)
            }
            Decision::Failed { timed_out: false, .. } => {
                (Type::Answered, None, ResultClass::Error, None)
            }
            Decision::Declared { .. } => {
                (Type::Answered, Some(Op::Disclosure), ResultClass::Evaluated, Some(1))
            }
            Decision::Evaluated { tables } => {
                let tables = tables.len() as u64;
                (Type::Answered, Some(Op::Disclosure), ResultClass::Evaluated, Some(tables))
            }
            Decision::Previewed { .. } | Decision::Shared { .. } | Decision::Tables { .. } => {
                (Type::Answered, Some(Op::Disclosure), ResultClass::Catalogue, None)
            }
        };
        // What was admitted has them in that entry.
        let (shape, text) = if kind == Type::Refused { self.outline(node) } else { (None, None) };
        Ok(Entry {
            shape,
            text,
            op,
            decision: Some(decided.word.clone()),
            rule: decided.rule.clone(),
            datasets: decided.datasets.iter().cloned().collect(),
            result: Some(result),
            result_digest: Some(sha256(digests.as_bytes())),
            cells,
            about: decided.about.clone(),
            ..self.entry(node, in_force, kind)?
        })
    }
}
