//! Details: what an entry may not say in clear, encrypted to the country's auditors and kept outside the tree.
//!
//! ```text
//! content key (32 random bytes)
//!   ├─ ChaCha20Poly1305 ── salt || plaintext          the content
//!   ├─ ChaCha20Poly1305 under the month's key         only where months are erased
//!   └─ HPKE (RFC 9180) to each auditor's X25519 key   the wrapped key
//! ```
//!
//! The entry commits to salt and plaintext, so that whoever opens a detail can show what it said, and nobody can guess it
//! from the log. Destroying a detail's file, or a month's key, erases it; the entry stays, and every proof with it.
//! Everything is bound to origin, question and type: a detail moved to another entry does not open.

use crate::checkpoint::Origin;
use crate::entry::{DetailRef, Kem, RecipientKeyId, Type};
use crate::keys::{RandomError, random_secret, sha256};
use crate::sealed::{SealedError, open_apart, seal_apart};
use mayag_protocol::envelope::Base64;
use mayag_protocol::names::{Digest, QuestionId};
use mayag_protocol::strict::{self, StrictError};
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use serde::{Deserialize, Serialize};
use std::fmt;
use zeroize::Zeroizing;

mod content;
mod keys;

pub use content::Content;
pub(crate) use keys::SystemRandomness;
pub use keys::{MonthKey, RecipientKey, RecipientSecret};

/// The longest plaintext of a detail.
pub const LONGEST_DETAIL: usize = 1024 * 1024;

/// A detail's file: base64 of the content, and room for the wrapped keys.
const LONGEST_FILE: usize = 2 * LONGEST_DETAIL;

/// Bytes of the salt in front of the plaintext.
const SALT: usize = 32;

const COMMIT: &[u8] = b"mayag/commit/v1";

/// What a detail belongs to. Part of what is authenticated.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    /// The log.
    pub origin: &'a Origin,
    /// The question, if there is one.
    pub question: Option<&'a QuestionId>,
    /// The type of the entry.
    pub kind: Type,
}

impl Place<'_> {
    fn info(&self) -> Vec<u8> {
        let question = self.question.map_or("-", QuestionId::as_str);
        format!("mayag/detail/v1\n{}\n{question}\n{}\n", self.origin, self.kind).into_bytes()
    }
}

/// The version of the format. There is one.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "u8", into = "u8")]
struct Version;

impl TryFrom<u8> for Version {
    type Error = &'static str;
    fn try_from(v: u8) -> Result<Self, &'static str> {
        if v == 1 { Ok(Self) } else { Err("this version is not known here") }
    }
}

impl From<Version> for u8 {
    fn from(_: Version) -> Self {
        1
    }
}

/// A detail as it lies in its file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: Version,
    kem: Kem,
    /// The month under whose key the content key is wrapped, by the SHA-256 of that key.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    month: Option<Digest>,
    content: Base64,
    keys: Vec<Wrapped>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wrapped {
    to: RecipientKeyId,
    /// The ephemeral public key (RFC 9180's `enc`).
    enc: Base64,
    ct: Base64,
}

/// A sealed detail: the bytes of its file, and what the entry says about it.
pub struct Sealed {
    /// To be kept under the name [`DetailRef::ct_sha256`].
    pub file: Vec<u8>,
    /// For the entry.
    pub reference: DetailRef,
}

/// An opened detail. Has no `Debug` that shows it, and is wiped when dropped.
pub struct Opened {
    /// Salt, then plaintext.
    salted: Zeroizing<Vec<u8>>,
}

impl Opened {
    /// What was sealed.
    pub fn plaintext(&self) -> &[u8] {
        self.salted.get(SALT..).unwrap_or_default()
    }

    /// With the plaintext, opens the commitment in the entry to somebody else.
    pub fn salt(&self) -> &[u8] {
        self.salted.get(..SALT).unwrap_or_default()
    }
}

/// Why a detail was not sealed or opened. Says nothing about its contents.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DetailError {
    /// It does not hold what the entry committed to.
    #[error("the detail is not what the entry committed to")]
    Commitment,
    /// Not the file that the entry names.
    #[error("the detail is not the one the entry names")]
    Digest,
    /// Longer than a detail may be.
    #[error("a detail has at most {LONGEST_DETAIL} bytes")]
    Long,
    /// Its month's key is needed, and is not the one given. Once it is destroyed, the detail is erased.
    #[error("the detail is erased unless the key of its month is given")]
    Month,
    /// The key does not open it, or it was moved from another entry.
    #[error("the detail does not open with this key at this place of the log")]
    NotOpened,
    /// Nobody could ever open it.
    #[error("a detail needs at least one recipient")]
    NoRecipient,
    /// It is not sealed to this key.
    #[error("the detail is not sealed to this key")]
    OtherRecipient,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Sealing failed.
    #[error("the detail was not sealed")]
    Sealing,
    /// Not a detail's file.
    #[error("not a detail: {0}")]
    Strict(#[from] StrictError),
}

impl From<SealedError> for DetailError {
    fn from(error: SealedError) -> Self {
        match error {
            SealedError::NotOpened => Self::NotOpened,
            SealedError::Random(error) => Self::Random(error),
            SealedError::Sealing => Self::Sealing,
        }
    }
}

/// Seals a detail to every recipient; with a month's key, so that destroying that key erases it.
pub fn seal(
    plaintext: &[u8],
    place: &Place<'_>,
    recipients: &[RecipientKey],
    month: Option<&MonthKey>,
) -> Result<Sealed, DetailError> {
    if plaintext.len() > LONGEST_DETAIL {
        return Err(DetailError::Long);
    }
    if recipients.is_empty() {
        return Err(DetailError::NoRecipient);
    }
    let info = place.info();
    let salt = Zeroizing::new(random_secret()?);
    let salted = Zeroizing::new([salt.as_slice(), plaintext].concat());
    let commit = sha256(&Zeroizing::new([COMMIT, salted.as_slice()].concat()));
    let content_key = Zeroizing::new(random_secret()?);
    let content = encrypt(&content_key, salted, &info)?;
    let wrapped = match month {
        Some(month) => Zeroizing::new(month.wrap(&content_key, &info)?),
        None => Zeroizing::new(content_key.to_vec()),
    };
    let keys: Result<Vec<Wrapped>, DetailError> =
        recipients.iter().map(|recipient| wrap(&wrapped, recipient, &info)).collect();
    let kem = Kem::X25519;
    let file = File {
        v: Version,
        kem,
        month: month.map(MonthKey::id),
        content: Base64(content),
        keys: keys?,
    };
    let file = serde_json::to_vec(&file).map_err(|_| DetailError::Sealing)?;
    let recipients = recipients.iter().map(RecipientKey::id).collect();
    let reference = DetailRef { ct_sha256: sha256(&file), commit, kem, recipients };
    Ok(Sealed { file, reference })
}

/// Opens a detail's file with an auditor's key, and checks that it is what the entry names and committed to.
pub fn open(
    file: &[u8],
    reference: &DetailRef,
    place: &Place<'_>,
    secret: &RecipientSecret,
    month: Option<&MonthKey>,
) -> Result<Opened, DetailError> {
    if sha256(file) != reference.ct_sha256 {
        return Err(DetailError::Digest);
    }
    let file: File = strict::parse(file, LONGEST_FILE)?;
    let id = secret.public().id();
    let wrapped = file.keys.iter().find(|key| key.to == id).ok_or(DetailError::OtherRecipient)?;
    let info = place.info();
    let unwrapped = unwrap(wrapped, secret, &info)?;
    let content_key: Zeroizing<Vec<u8>> = match (&file.month, month) {
        (None, _) => unwrapped,
        (Some(id), Some(month)) if month.id() == *id => month.unwrap(&unwrapped, &info)?,
        (Some(_), _) => return Err(DetailError::Month),
    };
    let salted = decrypt(&content_key, file.content.0, &info)?;
    let commit = sha256(&Zeroizing::new([COMMIT, salted.as_slice()].concat()));
    if commit == reference.commit { Ok(Opened { salted }) } else { Err(DetailError::Commitment) }
}

/// Checks, without any key, that a plaintext and salt somebody shows are what an entry committed to.
pub fn committed(salt: &[u8], plaintext: &[u8], commit: &Digest) -> bool {
    sha256(&Zeroizing::new([COMMIT, salt, plaintext].concat())) == *commit
}

fn wrap(key: &[u8], to: &RecipientKey, info: &[u8]) -> Result<Wrapped, DetailError> {
    let (enc, ct) = seal_apart(to, info, key)?;
    Ok(Wrapped { to: to.id(), enc: Base64(enc), ct: Base64(ct) })
}

fn unwrap(
    wrapped: &Wrapped,
    secret: &RecipientSecret,
    info: &[u8],
) -> Result<Zeroizing<Vec<u8>>, DetailError> {
    Ok(open_apart(secret, info, &wrapped.enc.0, &wrapped.ct.0)?)
}

/// A content key encrypts one content: its nonce need not change.
const ONE_NONCE: [u8; 12] = [0; 12];

fn encrypt(
    key: &[u8; 32],
    mut plaintext: Zeroizing<Vec<u8>>,
    info: &[u8],
) -> Result<Vec<u8>, DetailError> {
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| DetailError::Sealing)?;
    let nonce = Nonce::assume_unique_for_key(ONE_NONCE);
    let tag = LessSafeKey::new(key)
        .seal_in_place_separate_tag(nonce, Aad::from(info), plaintext.as_mut_slice())
        .map_err(|_| DetailError::Sealing)?;
    Ok([plaintext.as_slice(), tag.as_ref()].concat())
}

fn decrypt(key: &[u8], content: Vec<u8>, info: &[u8]) -> Result<Zeroizing<Vec<u8>>, DetailError> {
    let mut content = Zeroizing::new(content);
    let key = UnboundKey::new(&CHACHA20_POLY1305, key).map_err(|_| DetailError::NotOpened)?;
    let nonce = Nonce::assume_unique_for_key(ONE_NONCE);
    let opened = LessSafeKey::new(key)
        .open_in_place(nonce, Aad::from(info), content.as_mut_slice())
        .map_err(|_| DetailError::NotOpened)?
        .len();
    content.truncate(opened);
    if content.len() < SALT { Err(DetailError::NotOpened) } else { Ok(content) }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opened([redacted])")
    }
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed({} bytes, {:?})", self.file.len(), self.reference)
    }
}

#[cfg(test)]
mod tests;
