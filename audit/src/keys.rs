//! SHA-256, Ed25519 (RFC 8032) and random bytes, all by `ring`.

use mayag_protocol::envelope::{Sign, Verify};
use mayag_protocol::names::{Digest, KeyId, Nonce, PublicKey, QuestionId};
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use std::fmt;
use zeroize::Zeroizing;

/// SHA-256 (FIPS 180-4) of `bytes`.
pub fn sha256(bytes: &[u8]) -> Digest {
    let mut digest = [0; 32];
    digest.copy_from_slice(ring::digest::digest(&ring::digest::SHA256, bytes).as_ref());
    Digest::from_bytes(digest)
}

/// Random bytes could not be had from the operating system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct RandomError;

fn random<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| RandomError)?;
    Ok(bytes)
}

/// A new question id.
pub fn random_question_id() -> Result<QuestionId, RandomError> {
    random().map(QuestionId::from_bytes)
}

/// A new nonce.
pub fn random_nonce() -> Result<Nonce, RandomError> {
    random().map(Nonce::from_bytes)
}

/// A secret of 32 random bytes, for [`Mac`].
pub fn random_secret() -> Result<[u8; 32], RandomError> {
    random()
}

/// HMAC-SHA-256 (RFC 2104) under one secret.
#[derive(Clone)]
pub struct Mac(ring::hmac::Key);

impl Mac {
    /// Under this secret.
    pub fn new(secret: &[u8; 32]) -> Self {
        Self(ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret))
    }

    /// The code of a message.
    pub fn code(&self, message: &[u8]) -> [u8; 32] {
        let mut code = [0; 32];
        code.copy_from_slice(ring::hmac::sign(&self.0, message).as_ref());
        code
    }
}

impl fmt::Debug for Mac {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Mac([redacted])")
    }
}

/// A private Ed25519 key. Has no `Debug` that shows it and cannot be copied or serialised.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    public: PublicKey,
}

/// A private key file that was not read. Says nothing about its contents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not an Ed25519 key in PKCS#8.
    #[error("not an Ed25519 private key in PKCS#8 PEM (`BEGIN PRIVATE KEY`)")]
    Format,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

impl SigningKey {
    /// Makes a new key; returns its PKCS#8 PEM, which the caller writes to a file of mode 0600.
    pub fn generate() -> Result<String, KeyError> {
        let document =
            Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).map_err(|_| RandomError)?;
        Ok(pem(document.as_ref()).as_str().to_owned())
    }

    /// Reads a key from PKCS#8 PEM.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = unpem(text).ok_or(KeyError::Format)?;
        let pair =
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| KeyError::Format)?;
        let mut public = [0; 32];
        public.copy_from_slice(pair.public_key().as_ref());
        Ok(Self { pair, public: PublicKey::from_bytes(public) })
    }

    /// The public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey([redacted], id {})", key_id(&self.public))
    }
}

impl Sign for SigningKey {
    fn key_id(&self) -> KeyId {
        key_id(&self.public)
    }

    fn sign(&self, message: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(message).as_ref());
        signature
    }
}

/// The arithmetic behind [`Verify`].
#[derive(Debug, Clone, Copy)]
pub struct Ed25519;

impl Verify for Ed25519 {
    fn key_id(&self, key: &PublicKey) -> KeyId {
        key_id(key)
    }

    fn verify(&self, key: &PublicKey, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ED25519, key.to_bytes()).verify(message, signature).is_ok()
    }
}

/// The first 8 bytes of the SHA-256 of a raw public key.
pub fn key_id(key: &PublicKey) -> KeyId {
    let digest = ring::digest::digest(&ring::digest::SHA256, &key.to_bytes());
    let mut id = [0; 8];
    for (to, from) in id.iter_mut().zip(digest.as_ref()) {
        *to = *from;
    }
    KeyId::from_bytes(id)
}

const BEGIN: &str = "-----BEGIN PRIVATE KEY-----";
const END: &str = "-----END PRIVATE KEY-----";

/// The PEM of a private key in PKCS#8.
pub(crate) fn pem(der: &[u8]) -> Zeroizing<String> {
    use base64::Engine as _;
    let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(der));
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    let lines = Zeroizing::new(lines.join("\n"));
    Zeroizing::new([BEGIN, "\n", lines.as_str(), "\n", END, "\n"].concat())
}

/// The bytes of a private key in PEM.
pub(crate) fn unpem(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    use base64::Engine as _;
    let body = text.trim().strip_prefix(BEGIN)?.strip_suffix(END)?;
    let body: String = body.chars().filter(|c| !c.is_ascii_whitespace()).collect();
    let body = Zeroizing::new(body);
    base64::engine::general_purpose::STANDARD.decode(body.as_str()).ok().map(Zeroizing::new)
}

#[cfg(test)]
mod tests {
    use super::{Ed25519, KeyError, Mac, SigningKey, random_secret, sha256};
    use mayag_protocol::envelope::{Envelope, PayloadType, Sign as _, Verify as _};
    use mayag_protocol::names::{PublicKey, unhex};

    #[test]
    fn digests_are_those_of_fips_180_4() {
        assert_eq!(
            sha256(b"abc").as_str(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
    }

    #[test]
    fn codes_are_those_of_rfc_4231() {
        // RFC 4231, test case 2, its key filled up with zeros as HMAC does itself.
        let mut secret = [0; 32];
        secret[..4].copy_from_slice(b"Jefe");
        let code = Mac::new(&secret).code(b"what do ya want for nothing?");
        let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
        assert_eq!(code.to_vec(), unhex(expected).unwrap());
        assert_eq!(format!("{:?}", Mac::new(&secret)), "Mac([redacted])");
        assert_ne!(random_secret().unwrap(), random_secret().unwrap());
    }

    #[test]
    fn signatures_are_those_of_rfc_8032() {
        // RFC 8032, section 7.1, test 2.
        let key: PublicKey =
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c".parse().unwrap();
        let signature = unhex(
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
        )
        .unwrap();
        assert!(Ed25519.verify(&key, &[0x72], &signature));
        assert!(!Ed25519.verify(&key, &[0x73], &signature));
        assert!(!Ed25519.verify(&key, &[0x72], &signature[..63]));
    }

    #[test]
    fn a_generated_key_signs_and_is_never_printed() {
        let text = SigningKey::generate().unwrap();
        let key = SigningKey::from_pem(&text).unwrap();
        let envelope = Envelope::seal(PayloadType::Question, b"{}".to_vec(), &key);
        envelope.open(PayloadType::Question, &[key.public().clone()], 1, &Ed25519).unwrap();
        let other = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        envelope.open(PayloadType::Question, &[other.public().clone()], 1, &Ed25519).unwrap_err();
        assert_eq!(format!("{key:?}"), format!("SigningKey([redacted], id {})", key.key_id()));
        assert_eq!(
            SigningKey::from_pem("-----BEGIN PRIVATE KEY-----\n").unwrap_err(),
            KeyError::Format
        );
    }
}
