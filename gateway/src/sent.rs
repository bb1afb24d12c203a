//! What a desk sends: a question in its envelope, and beside a lookup what it was signed with.

use bytes::Bytes;
use mayag_audit::keys::sha256;
use mayag_protocol::answer::Bundle;
use mayag_protocol::lookup::LOOKUPS;
use mayag_protocol::question::{QUESTIONS, Question};

/// A request as it came.
#[derive(Debug)]
pub(crate) struct Sent {
    /// Where it came to, and where the nodes take it.
    pub(crate) route: &'static str,
    /// Every byte of it.
    pub(crate) body: Bytes,
    /// The question's envelope.
    pub(crate) envelope: Bytes,
    /// A vector of blinded elements, or what is sealed to nodes: random bytes here.
    beside: Option<Vec<u8>>,
}

impl Sent {
    /// A question alone.
    pub(crate) fn question(body: Bytes) -> Self {
        Self { route: QUESTIONS, envelope: body.clone(), body, beside: None }
    }

    /// A lookup and what travels beside it. What cannot be taken apart is taken for an envelope, and refused as one.
    pub(crate) fn lookup(body: Bytes) -> Self {
        let (envelope, beside) = match Bundle::parse(&body) {
            Ok(Bundle { envelope, parts }) => {
                // Two are as wrong as none.
                let [beside] = <[Vec<u8>; 1]>::try_from(parts).unwrap_or_default();
                (Bytes::from(envelope), Some(beside))
            }
            Err(_) => (body.clone(), None),
        };
        Self { route: LOOKUPS, body, envelope, beside }
    }

    /// Whether it is what the lookup names; what is no lookup has nothing beside it, and comes as a question.
    pub(crate) fn belongs_to(&self, question: &Question) -> bool {
        match (question.ask.beside(), &self.beside) {
            (None, None) => self.route == QUESTIONS,
            (Some(signed), Some(came)) => {
                came.len() == signed.bytes && sha256(came) == *signed.digest
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
