//! One message for one key: HPKE (RFC 9180) in base mode, X25519 with HKDF-SHA-256 and ChaCha20-Poly1305.
//!
//! What a message belongs to is its `info`: moved elsewhere it does not open. It says who can read it and not who wrote it; whoever
//! needs that signs the digest of what is sealed.

use crate::detail::{RecipientKey, RecipientSecret, SystemRandomness};
use crate::keys::RandomError;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, OpModeR, OpModeS, Serializable};
use zeroize::Zeroizing;

/// Bytes of the encapsulated key, RFC 9180's `enc`.
const ENCAPSULATED: usize = 32;

/// Bytes that sealing adds: the encapsulated key in front, the tag behind.
pub const SEAL: usize = ENCAPSULATED + 16;

/// Why a message was not sealed or opened. Says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedError {
    /// The key does not open it, or it belongs elsewhere.
    #[error("the message does not open with this key at this place")]
    NotOpened,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Sealing failed.
    #[error("the message was not sealed")]
    Sealing,
}

type Aead = hpke::aead::ChaCha20Poly1305;
type Kdf = hpke::kdf::HkdfSha256;
type EncappedKey = <X25519HkdfSha256 as hpke::Kem>::EncappedKey;

/// Seals a message; it has [`SEAL`] bytes more than the text.
pub fn seal(to: &RecipientKey, info: &[u8], plaintext: &[u8]) -> Result<Vec<u8>, SealedError> {
    let (enc, ct) = seal_apart(to, info, plaintext)?;
    Ok([enc, ct].concat())
}

/// Opens a message.
pub fn open(
    secret: &RecipientSecret,
    info: &[u8],
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let (enc, ct) = sealed.split_at_checked(ENCAPSULATED).ok_or(SealedError::NotOpened)?;
    open_apart(secret, info, enc, ct)
}

/// Encapsulated key and ciphertext. The additional data stay empty, because not every library has them.
pub(crate) fn seal_apart(
    to: &RecipientKey,
    info: &[u8],
    plaintext: &[u8],
) -> Result<(Vec<u8>, Vec<u8>), SealedError> {
    let mut random = SystemRandomness::default();
    let sealed = hpke::single_shot_seal_with_rng::<Aead, Kdf, X25519HkdfSha256>(
        &OpModeS::Base,
        to.key(),
        info,
        plaintext,
        b"",
        &mut random,
    );
    random.worked()?;
    let (enc, ct) = sealed.map_err(|_| SealedError::Sealing)?;
    Ok((enc.to_bytes().to_vec(), ct))
}

pub(crate) fn open_apart(
    secret: &RecipientSecret,
    info: &[u8],
    enc: &[u8],
    ct: &[u8],
) -> Result<Zeroizing<Vec<u8>>, SealedError> {
    let enc = EncappedKey::from_bytes(enc).map_err(|_| SealedError::NotOpened)?;
    hpke::single_shot_open::<Aead, Kdf, X25519HkdfSha256>(
        &OpModeR::Base,
        secret.key(),
        &enc,
        info,
        ct,
        b"",
    )
    .map(Zeroizing::new)
    .map_err(|_| SealedError::NotOpened)
}

#[cfg(test)]
mod tests {
    use super::{SEAL, SealedError, open, seal};
    use crate::detail::{RecipientKey, RecipientSecret};

    #[test]
    fn a_message_opens_with_its_key_at_its_place_and_nowhere_else() {
        let [own, other] = [(); 2].map(|()| RecipientSecret::passing().unwrap());
        let sealed = seal(own.public(), b"here", b"what").unwrap();
        assert_eq!(sealed.len(), 4 + SEAL);
        assert_eq!(open(&own, b"here", &sealed).unwrap().as_slice(), b"what");
        let fails = |secret: &RecipientSecret, info: &[u8], bytes: &[u8]| {
            assert_eq!(open(secret, info, bytes), Err(SealedError::NotOpened));
        };
        fails(&other, b"here", &sealed);
        fails(&own, b"there", &sealed);
        fails(&own, b"here", &sealed[..31]);
        fails(&own, b"here", &sealed[..sealed.len() - 1]);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            fails(&own, b"here", &changed);
        }
        assert_ne!(sealed, seal(own.public(), b"here", b"what").unwrap(), "never twice alike");
        let again = RecipientKey::from_bytes(&own.public().to_bytes()).unwrap();
        assert_eq!(again, *own.public());
    }
}
