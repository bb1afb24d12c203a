//! Cosignatures of witnesses: C2SP `tlog-cosignature`, Ed25519 (`cosignature/v1`, type 0x04).
//!
//! What is signed is `cosignature/v1`, the time, and the whole text of the checkpoint. It says: this is the largest
//! consistent tree of this origin that the witness has seen at that time. The signature is eight bytes of time (seconds
//! since 1970, big-endian) and 64 bytes of Ed25519.

use crate::keys::{Ed25519, SigningKey};
use crate::note::{KeyName, Signature, VerifierKey};
use mayag_protocol::envelope::{Sign as _, Verify as _};
use mayag_protocol::names::PublicKey;
use mayag_protocol::timestamp::Timestamp;

/// A witness's private key with its name. The text does not commit to the name, so one key has one name only.
#[derive(Debug)]
pub struct Cosigner<'a> {
    verifier: VerifierKey,
    key: &'a SigningKey,
}

impl<'a> Cosigner<'a> {
    /// Cosigns under this name.
    pub fn new(name: KeyName, key: &'a SigningKey) -> Self {
        Self { verifier: VerifierKey::witness(name, key.public()), key }
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// Cosigns the text of a checkpoint. Whoever calls this has checked that the tree only grew ([`crate::witness`]).
    pub(crate) fn sign(&self, text: &str, now: Timestamp) -> Signature {
        let seconds = u64::try_from(now.millis() / 1000).unwrap_or(0);
        let mut bytes = seconds.to_be_bytes().to_vec();
        bytes.extend_from_slice(&self.key.sign(&message(text, seconds)));
        Signature::new(&self.verifier, bytes)
    }
}

/// Checks a cosignature over a text; says when it was made.
pub(crate) fn verify(text: &str, key: &PublicKey, signature: &[u8]) -> Option<Timestamp> {
    let (seconds, signature) = signature.split_first_chunk::<8>()?;
    let seconds = u64::from_be_bytes(*seconds);
    // A time that does not fit is none; the specification's own bound is 2^63 - 1 seconds.
    let millis = i64::try_from(seconds).ok()?.checked_mul(1000)?;
    let verified = Ed25519.verify(key, &message(text, seconds), signature);
    verified.then(|| Timestamp::from_millis(millis))
}

fn message(text: &str, seconds: u64) -> Vec<u8> {
    format!("cosignature/v1\ntime {seconds}\n{text}").into_bytes()
}
