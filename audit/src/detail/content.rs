//! What a detail says: who it was, and what that person signed, to the byte.

use super::Version;
use crate::keys::{Ed25519, sha256};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType};
use mayag_protocol::names::{Digest, PublicKey};
use mayag_protocol::question::{LONGEST_ENVELOPE, Question};
use mayag_protocol::strict::{self, StrictError};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::{Zeroize as _, Zeroizing};

/// Names of fields, braces and quotes of a detail.
const ROOM: usize = 128;

/// The plaintext of a detail. It names people, so it has no `Debug` that shows it, and is wiped when dropped.
///
/// The envelope is the one that the analyst signed: it holds SQL, case, legal basis, purpose and countries, and whoever opens
/// the detail can check the signature with the roster, and the digest with the entry.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Content {
    v: Version,
    /// Who asked, or who read a log.
    pub person: String,
    /// The question in its envelope, if there was one whose signature holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub envelope: Option<Base64>,
    /// What was done, in words; of a log that was read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<String>,
    /// What was searched; of a declared lookup that the node opened.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub searched: Vec<String>,
}

impl Content {
    /// Of a question.
    pub fn question(person: String, envelope: Option<Vec<u8>>) -> Self {
        Self {
            v: Version,
            person,
            envelope: envelope.map(Base64),
            words: None,
            searched: Vec::new(),
        }
    }

    /// Of a log that was read.
    pub fn reading(person: String, words: String) -> Self {
        Self { v: Version, person, envelope: None, words: Some(words), searched: Vec::new() }
    }

    /// Of a declared lookup: the same question, and what the node opened beside it.
    #[must_use]
    pub fn with_searched(mut self, searched: Vec<String>) -> Self {
        self.searched = searched;
        self
    }

    /// Its bytes, to be sealed; wiped when dropped.
    pub fn to_bytes(&self) -> Option<Zeroizing<Vec<u8>>> {
        let texts = self.person.len() + self.words.as_ref().map_or(0, String::len);
        let searched: usize = self.searched.iter().map(|text| text.len().saturating_add(1)).sum();
        let texts = texts.saturating_add(searched);
        let envelope = self.envelope.as_ref().map_or(0, |envelope| envelope.0.len());
        // More than JSON needs, escapes included: a buffer that grows leaves copies of what it held behind.
        let most =
            ROOM.saturating_add(texts.saturating_mul(6)).saturating_add(envelope.saturating_mul(2));
        let mut bytes = Zeroizing::new(Vec::with_capacity(most));
        serde_json::to_writer(&mut *bytes, self).ok()?;
        Some(bytes)
    }

    /// Reads what was opened.
    pub fn parse(bytes: &[u8]) -> Result<Self, StrictError> {
        strict::parse(bytes, super::LONGEST_DETAIL)
    }

    /// The question and the SHA-256 of what was signed, which the entry has too. `None` if there is no envelope, or nothing
    /// in it that is a question.
    pub fn asked(&self) -> Option<(Question, Digest)> {
        let envelope = Envelope::parse(&self.envelope.as_ref()?.0, LONGEST_ENVELOPE).ok()?;
        let payload = envelope.unverified_payload();
        let question = strict::parse(payload, LONGEST_ENVELOPE).ok()?;
        Some((question, sha256(payload)))
    }

    /// Whether one of these keys signed the question in the envelope.
    pub fn is_signed_by(&self, keys: &[PublicKey]) -> bool {
        let Some(Base64(envelope)) = &self.envelope else { return false };
        Envelope::parse(envelope, LONGEST_ENVELOPE)
            .is_ok_and(|envelope| envelope.open(PayloadType::Question, keys, 1, &Ed25519).is_ok())
    }
}

impl Drop for Content {
    fn drop(&mut self) {
        let Self { v: _, person, envelope, words, searched } = self;
        person.zeroize();
        if let Some(Base64(envelope)) = envelope {
            envelope.zeroize();
        }
        words.zeroize();
        searched.zeroize();
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Content([redacted])")
    }
}
