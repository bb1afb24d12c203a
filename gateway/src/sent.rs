//! What a desk sends: a question in its envelope, and beside a lookup the vector that it was signed with.

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
    vector: Option<Vec<u8>>,
}

impl Sent {
    /// A question alone.
    pub(crate) fn question(body: Bytes) -> Self {
        Self { route: QUESTIONS, envelope: body.clone(), body, vector: None }
    }

    /// A lookup and its vector. What cannot be taken apart is taken for an envelope, and refused as one.
    pub(crate) fn lookup(body: Bytes) -> Self {
        let (envelope, vector) = match Bundle::parse(&body) {
            Ok(Bundle { envelope, parts }) => {
                // Two vectors are as wrong as none.
                let [vector] = <[Vec<u8>; 1]>::try_from(parts).unwrap_or_default();
                (Bytes::from(envelope), Some(vector))
            }
            Err(_) => (body.clone(), None),
        };
        Self { route: LOOKUPS, body, envelope, vector }
    }

    /// Whether the vector is the one that the lookup names; what is no lookup has none, and comes as a question.
    pub(crate) fn belongs_to(&self, question: &Question) -> bool {
        match (question.ask.search(), &self.vector) {
            (None, None) => self.route == QUESTIONS,
            (Some(search), Some(vector)) => {
                vector.len() == search.vector_bytes() && sha256(vector) == search.blinded
            }
            (None, Some(_)) | (Some(_), None) => false,
        }
    }
}
