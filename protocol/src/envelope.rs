//! DSSE envelopes: the exact bytes that were signed, bound to their type.
//!
//! Format: <https://github.com/secure-systems-lab/dsse/blob/v1.0.2/envelope.md>; the signed bytes are the
//! pre-authentication encoding of `protocol.md` in the same place. Signatures are verified over the raw payload first;
//! only then is the payload parsed.

use crate::names::{KeyId, PublicKey};
use crate::strict::{self, StrictError};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use std::fmt;

/// The payload types of the product. Binding the type into the signature keeps a signed answer from being shown as a
/// signed question.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PayloadType {
    /// [`crate::answer::Answer`].
    Answer,
    /// [`crate::lookup::Directory`].
    Directory,
    /// [`crate::forward::Forward`].
    Forward,
    /// A policy document.
    Policy,
    /// [`crate::question::Question`].
    Question,
    /// [`crate::answer::GatewayRefusal`].
    Refusal,
    /// [`crate::answer::Release`], the gateway's signed summary.
    Release,
    /// [`crate::roster::Roster`].
    Roster,
}

impl PayloadType {
    /// The media type inside the envelope.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "application/vnd.mayag.answer.v1+json",
            Self::Directory => "application/vnd.mayag.directory.v1+json",
            Self::Forward => "application/vnd.mayag.forward.v1+json",
            Self::Policy => "application/vnd.mayag.policy.v1+json",
            Self::Question => "application/vnd.mayag.question.v1+json",
            Self::Refusal => "application/vnd.mayag.refusal.v1+json",
            Self::Release => "application/vnd.mayag.release.v1+json",
            Self::Roster => "application/vnd.mayag.roster.v1+json",
        }
    }
}

/// A party that can sign.
pub trait Sign {
    /// The id of the key it signs with.
    fn key_id(&self) -> KeyId;
    /// The Ed25519 signature (RFC 8032) of `message`.
    fn sign(&self, message: &[u8]) -> [u8; 64];
}

/// The arithmetic that checks a signature.
pub trait Verify {
    /// The id of a key.
    fn key_id(&self, key: &PublicKey) -> KeyId;
    /// Whether `signature` is `key`'s over `message`.
    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool;
}

/// A DSSE envelope as it travels.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Envelope {
    payload_type: String,
    payload: Base64,
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: KeyId,
    sig: Base64,
}

/// Bytes that travel as standard base64 with padding.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(try_from = "String", into = "String")]
pub struct Base64(pub Vec<u8>);

/// A payload whose signatures were verified; the only door to the bytes inside an envelope.
#[derive(Clone, PartialEq, Eq)]
pub struct Verified {
    payload: Vec<u8>,
    signers: Vec<PublicKey>,
}

/// Why an envelope was not opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// The envelope itself could not be read.
    #[error("envelope: {0}")]
    Envelope(#[source] StrictError),
    /// The payload was signed, but is not what its type promises.
    #[error("signed payload: {0}")]
    Payload(#[source] StrictError),
    /// Fewer of the allowed keys signed than are needed.
    #[error("{found} of the {needed} signatures needed were made by keys known here")]
    Signatures {
        /// Valid signatures by distinct known keys.
        found: usize,
        /// Signatures needed.
        needed: usize,
    },
    /// The envelope holds another kind of message.
    #[error("the envelope holds another kind of message than {expected}")]
    Type {
        /// The type expected.
        expected: &'static str,
    },
}

impl Envelope {
    /// Signs `payload` as a `kind` with one key.
    pub fn seal(kind: PayloadType, payload: Vec<u8>, signer: &dyn Sign) -> Self {
        Self {
            payload_type: kind.as_str().to_owned(),
            payload: Base64(payload),
            signatures: Vec::new(),
        }
        .countersign(signer)
    }

    /// Adds one more signature over the same payload.
    #[must_use]
    pub fn countersign(mut self, signer: &dyn Sign) -> Self {
        let signature = signer.sign(&pre_authentication(&self.payload_type, &self.payload.0));
        self.signatures
            .push(EnvelopeSignature { keyid: signer.key_id(), sig: Base64(signature.to_vec()) });
        self
    }

    /// Reads an envelope of at most `limit` bytes.
    pub fn parse(bytes: &[u8], limit: usize) -> Result<Self, EnvelopeError> {
        strict::parse(bytes, limit).map_err(EnvelopeError::Envelope)
    }

    /// The envelope as bytes for the wire.
    pub fn to_bytes(&self) -> Vec<u8> {
        // A struct of strings always serialises; an empty envelope would be refused by every reader.
        serde_json::to_vec(self).unwrap_or_default()
    }

    /// The payload before any check: only to find out whose keys to check with. Nothing may be decided on it.
    pub fn unverified_payload(&self) -> &[u8] {
        &self.payload.0
    }

    /// Opens an envelope of type `kind` that at least `needed` distinct keys of `keys` signed.
    pub fn open(
        &self,
        kind: PayloadType,
        keys: &[PublicKey],
        needed: usize,
        verifier: &dyn Verify,
    ) -> Result<Verified, EnvelopeError> {
        if self.payload_type != kind.as_str() {
            return Err(EnvelopeError::Type { expected: kind.as_str() });
        }
        let message = pre_authentication(&self.payload_type, &self.payload.0);
        let mut signers: Vec<PublicKey> = Vec::new();
        for key in keys {
            let id = verifier.key_id(key);
            let signed = self.signatures.iter().take(LONGEST_SIGNATURE_LIST).any(|signature| {
                signature.keyid == id && verifier.verify(key, &message, &signature.sig.0)
            });
            if signed && !signers.contains(key) {
                signers.push(key.clone());
            }
        }
        if signers.is_empty() || signers.len() < needed {
            return Err(EnvelopeError::Signatures { found: signers.len(), needed: needed.max(1) });
        }
        Ok(Verified { payload: self.payload.0.clone(), signers })
    }
}

/// More signatures than this on one envelope are not looked at: checking is what costs.
const LONGEST_SIGNATURE_LIST: usize = 16;

impl Verified {
    /// The exact bytes that were signed.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// The known keys that signed.
    pub fn signers(&self) -> &[PublicKey] {
        &self.signers
    }

    /// Parses the payload, strictly.
    pub fn parse<T: serde::de::DeserializeOwned>(&self) -> Result<T, EnvelopeError> {
        strict::parse(&self.payload, self.payload.len()).map_err(EnvelopeError::Payload)
    }
}

/// `DSSEv1 len(type) type len(body) body`, lengths in decimal.
fn pre_authentication(kind: &str, payload: &[u8]) -> Vec<u8> {
    let mut bytes = format!("DSSEv1 {} {} {} ", kind.len(), kind, payload.len()).into_bytes();
    bytes.extend_from_slice(payload);
    bytes
}

impl fmt::Debug for Envelope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Envelope({}, {} bytes)", self.payload_type, self.payload.0.len())
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} bytes)", self.payload.len())
    }
}

impl fmt::Debug for Base64 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Base64({} bytes)", self.0.len())
    }
}

impl TryFrom<String> for Base64 {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, base64::DecodeError> {
        STANDARD.decode(text).map(Self)
    }
}

impl From<Base64> for String {
    fn from(bytes: Base64) -> Self {
        STANDARD.encode(bytes.0)
    }
}

#[cfg(test)]
mod tests {
    use super::{Envelope, EnvelopeError, PayloadType, Sign, Verify, pre_authentication};
    use crate::names::{KeyId, PublicKey};

    /// Arithmetic that is easy to forge; what is tested here is the envelope, the real arithmetic is tested in `audit`.
    struct Toy(u8);

    fn tag(key: u8, message: &[u8]) -> [u8; 64] {
        [message.iter().fold(key, |sum, byte| sum.wrapping_mul(31).wrapping_add(*byte)); 64]
    }

    impl Sign for Toy {
        fn key_id(&self) -> KeyId {
            KeyId::from_bytes([self.0; 8])
        }
        fn sign(&self, message: &[u8]) -> [u8; 64] {
            tag(self.0, message)
        }
    }

    impl Verify for Toy {
        fn key_id(&self, key: &PublicKey) -> KeyId {
            KeyId::from_bytes([key.to_bytes()[0]; 8])
        }
        fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
            signature == tag(key.to_bytes()[0], message)
        }
    }

    #[test]
    fn the_signed_bytes_are_those_of_the_specification() {
        // protocol.md, test vector: "DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        assert_eq!(
            pre_authentication("http://example.com/HelloWorld", b"hello world"),
            b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
        );
    }

    #[test]
    fn only_enough_distinct_known_keys_open_an_envelope() {
        let keys = [PublicKey::from_bytes([1; 32]), PublicKey::from_bytes([2; 32])];
        let envelope = Envelope::seal(PayloadType::Roster, b"{}".to_vec(), &Toy(1));
        envelope.open(PayloadType::Roster, &keys, 1, &Toy(0)).unwrap();
        let twice = envelope.clone().countersign(&Toy(1));
        assert_eq!(
            twice.open(PayloadType::Roster, &keys, 2, &Toy(0)),
            Err(EnvelopeError::Signatures { found: 1, needed: 2 })
        );
        assert_eq!(
            twice.open(PayloadType::Roster, &[keys[0].clone(), keys[0].clone()], 2, &Toy(0)),
            Err(EnvelopeError::Signatures { found: 1, needed: 2 })
        );
        envelope.clone().countersign(&Toy(2)).open(PayloadType::Roster, &keys, 2, &Toy(0)).unwrap();
        envelope.open(PayloadType::Roster, &[], 0, &Toy(0)).unwrap_err();
        assert!(matches!(
            envelope.open(PayloadType::Question, &keys, 1, &Toy(0)),
            Err(EnvelopeError::Type { .. })
        ));
    }

    #[test]
    fn an_envelope_survives_the_wire_and_a_changed_payload_does_not() {
        let keys = [PublicKey::from_bytes([1; 32])];
        let envelope = Envelope::seal(PayloadType::Question, b"{\"a\":1}".to_vec(), &Toy(1));
        let back = Envelope::parse(&envelope.to_bytes(), 1024).unwrap();
        assert_eq!(back, envelope);
        let mut changed = back;
        changed.payload.0[5] = b'2';
        changed.open(PayloadType::Question, &keys, 1, &Toy(0)).unwrap_err();
    }
}
