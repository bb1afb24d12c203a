//! What a gateway signs when it carries a question to a node: where its own log holds that the question arrived.
//!
//! The node keeps the position inside its own entry, so that a gateway that leaves a question out of its log is found out
//! by its own signature. It travels beside the question, whose bytes stay as the analyst's desk sent them.

use crate::answer::LogPosition;
use crate::envelope::Base64;
use crate::identity::Identity;
use crate::names::Digest;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// The header that the envelope travels in, as standard base64.
pub const HEADER: &str = "mayag-forward";

/// The longest envelope that is read, in bytes.
pub const LONGEST: usize = 4 * 1024;

/// The signed payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Forward {
    /// Version of this format: 1.
    pub v: u32,
    /// SHA-256 of the payload of the question.
    pub question_digest: Digest,
    /// Who carries it.
    pub gateway: Identity,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// The entry that says that the question arrived.
    pub log: LogPosition,
}

/// An envelope as the header's value.
pub fn to_header(envelope: &[u8]) -> String {
    Base64(envelope.to_vec()).into()
}

/// The envelope in the header's value; `None` if it is none, or too long.
pub fn from_header(value: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(value).ok().filter(|text| text.len() <= 2 * LONGEST)?;
    let Base64(envelope) = text.to_owned().try_into().ok()?;
    Some(envelope)
}

#[cfg(test)]
mod tests {
    use super::{LONGEST, from_header, to_header};

    #[test]
    fn what_is_no_envelope_is_none() {
        assert_eq!(from_header(to_header(b"{}").as_bytes()), Some(b"{}".to_vec()));
        assert_eq!(from_header(b"{}"), None);
        assert_eq!(from_header(b"\xff"), None);
        assert_eq!(from_header(to_header(&vec![b'x'; 2 * LONGEST]).as_bytes()), None);
    }
}
