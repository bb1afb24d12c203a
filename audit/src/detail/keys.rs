//! The keys of details: an auditor's X25519 pair, and the key of a month.

use super::DetailError;
use crate::entry::RecipientKeyId;
use crate::keys::{KeyError, RandomError, pem, random_secret, sha256, unpem};
use hpke::kem::X25519HkdfSha256;
use hpke::rand_core::{TryCryptoRng, TryRng};
use hpke::{Deserializable as _, Kem as _, Serializable as _};
use mayag_protocol::names::{AuditorKey, Digest, SealingKey, hex, unhex};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use zeroize::{Zeroize as _, Zeroizing};

/// The public key of an auditor, or of whoever else something is sealed to: 32 bytes of X25519, in hexadecimal as text.
#[derive(Clone, PartialEq, Eq)]
pub struct RecipientKey(<X25519HkdfSha256 as hpke::Kem>::PublicKey);

impl RecipientKey {
    /// Names it in entries and details.
    pub fn id(&self) -> RecipientKeyId {
        RecipientKeyId(sha256(&self.0.to_bytes()))
    }

    /// As a roster lists it.
    pub fn to_key(&self) -> AuditorKey {
        AuditorKey::from_bytes(self.to_bytes())
    }

    /// A node's, as a roster lists it.
    pub fn to_sealing_key(&self) -> SealingKey {
        SealingKey::from_bytes(self.to_bytes())
    }

    /// Its 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        bytes.copy_from_slice(&self.0.to_bytes());
        bytes
    }

    /// Reads 32 bytes.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(bytes);
        key.map(Self).map_err(|_| KeyError::Format)
    }

    pub(crate) fn key(&self) -> &<X25519HkdfSha256 as hpke::Kem>::PublicKey {
        &self.0
    }
}

impl TryFrom<&SealingKey> for RecipientKey {
    type Error = KeyError;
    fn try_from(key: &SealingKey) -> Result<Self, KeyError> {
        key.as_str().parse()
    }
}

impl TryFrom<&AuditorKey> for RecipientKey {
    type Error = KeyError;
    fn try_from(key: &AuditorKey) -> Result<Self, KeyError> {
        key.as_str().parse()
    }
}

impl FromStr for RecipientKey {
    type Err = KeyError;
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let bytes = unhex(text).ok_or(KeyError::Format)?;
        let key = <X25519HkdfSha256 as hpke::Kem>::PublicKey::from_bytes(&bytes);
        key.map(Self).map_err(|_| KeyError::Format)
    }
}

impl fmt::Display for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0.to_bytes()))
    }
}

impl fmt::Debug for RecipientKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// The private key of an auditor, or of whoever else something is sealed to. Wiped when dropped; has no `Debug` that shows it and cannot be copied or serialised.
pub struct RecipientSecret {
    key: <X25519HkdfSha256 as hpke::Kem>::PrivateKey,
    public: RecipientKey,
}

/// PKCS#8 of an X25519 key (RFC 8410) up to its 32 bytes.
const PKCS8: [u8; 16] = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x6e, 4, 0x22, 4, 0x20];

impl RecipientSecret {
    /// Makes a new key; returns its PKCS#8 PEM, which the caller writes to a file of mode 0600.
    pub fn generate() -> Result<Zeroizing<String>, KeyError> {
        let secret = Zeroizing::new(random_secret()?);
        let der = Zeroizing::new([PKCS8.as_slice(), secret.as_slice()].concat());
        Ok(pem(&der))
    }

    /// Reads a key from PKCS#8 PEM.
    pub fn from_pem(text: &str) -> Result<Self, KeyError> {
        let der = unpem(text).ok_or(KeyError::Format)?;
        Self::from_bytes(der.strip_prefix(PKCS8.as_slice()).ok_or(KeyError::Format)?)
    }

    /// A key for one exchange, which is kept nowhere.
    pub fn passing() -> Result<Self, KeyError> {
        Self::from_bytes(Zeroizing::new(random_secret()?).as_slice())
    }

    fn from_bytes(secret: &[u8]) -> Result<Self, KeyError> {
        let key = <X25519HkdfSha256 as hpke::Kem>::PrivateKey::from_bytes(secret)
            .map_err(|_| KeyError::Format)?;
        Ok(Self { public: RecipientKey(X25519HkdfSha256::sk_to_pk(&key)), key })
    }

    /// The public half.
    pub fn public(&self) -> &RecipientKey {
        &self.public
    }

    pub(crate) fn key(&self) -> &<X25519HkdfSha256 as hpke::Kem>::PrivateKey {
        &self.key
    }
}

impl fmt::Debug for RecipientSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RecipientSecret([redacted], public {})", self.public)
    }
}

/// The key of one month's details. Destroying it erases them all. Wiped when dropped, never printed.
pub struct MonthKey(Zeroizing<[u8; 32]>);

impl MonthKey {
    /// A new key.
    pub fn generate() -> Result<Self, RandomError> {
        random_secret().map(|key| Self(Zeroizing::new(key)))
    }

    /// The key that was kept.
    pub fn from_bytes(bytes: Zeroizing<[u8; 32]>) -> Self {
        Self(bytes)
    }

    /// Its bytes, to be kept in a file of mode 0600 until the month is erased.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        self.0.clone()
    }

    /// Its bytes in a line of hexadecimal, as files hold it.
    pub fn to_hex(&self) -> Zeroizing<String> {
        let mut line = Zeroizing::new(String::with_capacity(2 * self.0.len() + 1));
        line.push_str(&Zeroizing::new(hex(self.0.as_slice())));
        line.push('\n');
        line
    }

    /// Reads that line.
    pub fn from_hex(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(unhex(text.trim())?);
        let mut key = Zeroizing::new([0; 32]);
        if bytes.len() != key.len() {
            return None;
        }
        key.copy_from_slice(&bytes);
        Some(Self(key))
    }

    /// Names it in details. The key is random: its digest tells nothing about it.
    pub(super) fn id(&self) -> Digest {
        sha256(&Zeroizing::new([b"mayag/month/v1".as_slice(), self.0.as_slice()].concat()))
    }

    /// Nonce, ciphertext and tag.
    pub(super) fn wrap(&self, key: &[u8; 32], info: &[u8]) -> Result<Vec<u8>, DetailError> {
        let mut nonce = [0; NONCE_LEN];
        SystemRandom::new().fill(&mut nonce).map_err(|_| RandomError)?;
        let mut wrapped = Zeroizing::new(key.to_vec());
        let tag = self
            .aead()?
            .seal_in_place_separate_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(info),
                wrapped.as_mut_slice(),
            )
            .map_err(|_| DetailError::Sealing)?;
        Ok([nonce.as_slice(), wrapped.as_slice(), tag.as_ref()].concat())
    }

    pub(super) fn unwrap(
        &self,
        wrapped: &[u8],
        info: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, DetailError> {
        let (nonce, wrapped) =
            wrapped.split_first_chunk::<NONCE_LEN>().ok_or(DetailError::NotOpened)?;
        let mut key = Zeroizing::new(wrapped.to_vec());
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self
            .aead()?
            .open_in_place(nonce, Aad::from(info), key.as_mut_slice())
            .map_err(|_| DetailError::NotOpened)?
            .len();
        key.truncate(length);
        Ok(key)
    }

    fn aead(&self) -> Result<LessSafeKey, DetailError> {
        let key = UnboundKey::new(&CHACHA20_POLY1305, self.0.as_slice());
        key.map(LessSafeKey::new).map_err(|_| DetailError::Sealing)
    }
}

impl fmt::Debug for MonthKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MonthKey([redacted])")
    }
}

/// `ring`'s random bytes in the shape `hpke` asks for, which knows no failure: a failure is remembered, and what was made
/// with it is thrown away by [`SystemRandomness::worked`].
#[derive(Default)]
pub(crate) struct SystemRandomness {
    failed: bool,
}

impl SystemRandomness {
    pub(crate) fn worked(&self) -> Result<(), RandomError> {
        if self.failed { Err(RandomError) } else { Ok(()) }
    }
}

impl TryRng for SystemRandomness {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let mut bytes = [0; 4];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u32::from_le_bytes(bytes))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        let mut bytes = [0; 8];
        self.try_fill_bytes(&mut bytes)?;
        Ok(u64::from_le_bytes(bytes))
    }

    fn try_fill_bytes(&mut self, to: &mut [u8]) -> Result<(), Infallible> {
        if SystemRandom::new().fill(to).is_err() {
            to.zeroize();
            self.failed = true;
        }
        Ok(())
    }
}

impl TryCryptoRng for SystemRandomness {}
