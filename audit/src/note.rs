//! Signed notes and verifier keys, as C2SP `signed-note` writes them.
//!
//! ```text
//! the text, which ends in a newline
//!
//! — name base64(key id || signature)
//! ```
//!
//! A log signs with an Ed25519 key (type 0x01), a witness with a cosignature key (type 0x04, [`crate::cosignature`]). The
//! type byte is open: a key of another type, such as ML-DSA-44 (0x06), is read and written, and its signatures count for
//! nothing as long as nobody here can verify them.

use crate::cosignature;
use crate::keys::{Ed25519, SigningKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mayag_protocol::envelope::{Sign as _, Verify as _};
use mayag_protocol::names::{PublicKey, hex, unhex};
use mayag_protocol::timestamp::Timestamp;
use std::fmt;
use std::str::FromStr;

/// The longest note that is read: room for a checkpoint with 64 post-quantum signatures.
pub const LONGEST_NOTE: usize = 512 * 1024;

/// The most signatures on one note that are looked at; the specification asks for at least 16.
pub const MOST_SIGNATURES: usize = 64;

/// The name of a key. Not empty, without spaces, plus signs and control characters, at most 255 bytes (as an ML-DSA-44
/// cosignature counts it).
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyName(String);

impl KeyName {
    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for KeyName {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let refused = |c: char| c.is_whitespace() || c == '+' || c.is_control();
        if text.is_empty() || text.len() > 255 || text.contains(refused) {
            return Err(NoteError::Name);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for KeyName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The signature type of a key, one byte in front of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Algorithm {
    /// 0x04: a timestamped Ed25519 cosignature (C2SP `tlog-cosignature`).
    CosignatureV1,
    /// 0x01: Ed25519 over the text.
    Ed25519,
    /// A type that nobody here can verify.
    Other(u8),
}

impl Algorithm {
    fn from_byte(byte: u8) -> Self {
        match byte {
            0x01 => Self::Ed25519,
            0x04 => Self::CosignatureV1,
            other => Self::Other(other),
        }
    }

    fn byte(self) -> u8 {
        match self {
            Self::CosignatureV1 => 0x04,
            Self::Ed25519 => 0x01,
            Self::Other(other) => other,
        }
    }
}

/// The short identifier of a key: the first four bytes of `SHA-256(name || 0x0A || type || key)`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NoteKeyId([u8; 4]);

impl NoteKeyId {
    fn of(name: &KeyName, encoded: &[u8]) -> Self {
        let mut bytes = name.0.clone().into_bytes();
        bytes.push(b'\n');
        bytes.extend_from_slice(encoded);
        let digest = ring::digest::digest(&ring::digest::SHA256, &bytes);
        let mut id = [0; 4];
        for (to, from) in id.iter_mut().zip(digest.as_ref()) {
            *to = *from;
        }
        Self(id)
    }
}

impl fmt::Display for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

impl fmt::Debug for NoteKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex(&self.0))
    }
}

/// A public key with its name: `name+id+base64(type || key)`, the `vkey` of other tools.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifierKey {
    name: KeyName,
    id: NoteKeyId,
    algorithm: Algorithm,
    key: Vec<u8>,
}

impl VerifierKey {
    /// The key of a log.
    pub fn log(name: KeyName, key: &PublicKey) -> Self {
        Self::new(name, Algorithm::Ed25519, key.to_bytes())
    }

    /// The key of a witness.
    pub fn witness(name: KeyName, key: &PublicKey) -> Self {
        Self::new(name, Algorithm::CosignatureV1, key.to_bytes())
    }

    fn new(name: KeyName, algorithm: Algorithm, key: Vec<u8>) -> Self {
        let encoded: Vec<u8> =
            std::iter::once(algorithm.byte()).chain(key.iter().copied()).collect();
        Self { id: NoteKeyId::of(&name, &encoded), name, algorithm, key }
    }

    /// Its name.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// Its short identifier.
    pub fn id(&self) -> NoteKeyId {
        self.id
    }

    /// Its signature type.
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// The bytes of the public key, without the type. Two keys with the same bytes are one key, whatever their names.
    pub fn key_bytes(&self) -> &[u8] {
        &self.key
    }

    /// Whether a signature says that it is by this key.
    fn made(&self, signature: &Signature) -> bool {
        signature.name == self.name && signature.id == self.id
    }

    /// Checks one signature over a text; says when it was made if its type does.
    fn verify(&self, text: &str, signature: &[u8]) -> Option<Stamp> {
        let key = || <[u8; 32]>::try_from(self.key.as_slice()).ok().map(PublicKey::from_bytes);
        match self.algorithm {
            Algorithm::CosignatureV1 => {
                cosignature::verify(text, &key()?, signature).map(Stamp::At)
            }
            Algorithm::Ed25519 => {
                Ed25519.verify(&key()?, text.as_bytes(), signature).then_some(Stamp::None)
            }
            Algorithm::Other(_) => None,
        }
    }
}

impl FromStr for VerifierKey {
    type Err = NoteError;
    fn from_str(text: &str) -> Result<Self, NoteError> {
        let (name, rest) = text.split_once('+').ok_or(NoteError::Key)?;
        let (id, encoded) = rest.split_once('+').ok_or(NoteError::Key)?;
        let encoded = STANDARD.decode(encoded).map_err(|_| NoteError::Key)?;
        let (algorithm, key) = encoded.split_first().ok_or(NoteError::Key)?;
        let algorithm = Algorithm::from_byte(*algorithm);
        let known_length = match algorithm {
            Algorithm::CosignatureV1 | Algorithm::Ed25519 => key.len() == 32,
            Algorithm::Other(_) => !key.is_empty(),
        };
        let found = Self::new(name.parse()?, algorithm, key.to_vec());
        let same = unhex(id).is_some_and(|id| id == found.id.0);
        if known_length && same { Ok(found) } else { Err(NoteError::Key) }
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut encoded = vec![self.algorithm.byte()];
        encoded.extend_from_slice(&self.key);
        write!(f, "{}+{}+{}", self.name, self.id, STANDARD.encode(encoded))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// One signature line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signature {
    name: KeyName,
    id: NoteKeyId,
    bytes: Vec<u8>,
}

impl Signature {
    /// The name of the key it says it is by.
    pub fn name(&self) -> &KeyName {
        &self.name
    }

    /// The id of the key it says it is by.
    pub fn id(&self) -> NoteKeyId {
        self.id
    }

    /// A signature of a key over something derived from a text; only [`crate::cosignature`] has another use for it than
    /// [`Signer::sign`].
    pub(crate) fn new(key: &VerifierKey, bytes: Vec<u8>) -> Self {
        Self { name: key.name.clone(), id: key.id, bytes }
    }
}

/// `— name base64`, without the newline.
impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut bytes = self.id.0.to_vec();
        bytes.extend_from_slice(&self.bytes);
        write!(f, "— {} {}", self.name, STANDARD.encode(bytes))
    }
}

impl FromStr for Signature {
    type Err = NoteError;
    fn from_str(line: &str) -> Result<Self, NoteError> {
        let (name, encoded) = line
            .strip_prefix("— ")
            .and_then(|rest| rest.split_once(' '))
            .ok_or(NoteError::SignatureLine)?;
        let bytes = STANDARD.decode(encoded).map_err(|_| NoteError::SignatureLine)?;
        let (id, bytes) = bytes.split_first_chunk::<4>().ok_or(NoteError::SignatureLine)?;
        if bytes.is_empty() {
            return Err(NoteError::SignatureLine);
        }
        Ok(Self { name: name.parse()?, id: NoteKeyId(*id), bytes: bytes.to_vec() })
    }
}

/// A private key with the name it signs notes under.
#[derive(Debug)]
pub struct Signer<'a> {
    verifier: VerifierKey,
    key: &'a SigningKey,
}

impl<'a> Signer<'a> {
    /// Signs as a log; the name is the log's origin.
    pub fn log(name: KeyName, key: &'a SigningKey) -> Self {
        Self { verifier: VerifierKey::log(name, key.public()), key }
    }

    /// The public half.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, text: &str) -> Signature {
        Signature::new(&self.verifier, self.key.sign(text.as_bytes()).to_vec())
    }
}

/// A note that was read. Its signatures are not checked: [`Note::open`] does that.
#[derive(Clone, PartialEq, Eq)]
pub struct Note {
    /// Ends in a newline.
    text: String,
    signatures: Vec<Signature>,
}

/// Why a note or a key was not read, or not believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NoteError {
    /// Not UTF-8, or with control characters.
    #[error("a note is UTF-8 text without control characters")]
    Characters,
    /// Not `name+id+base64(type || key)` with the id that belongs to it.
    #[error("not a verifier key `name+id+key`")]
    Key,
    /// Longer than any note read here.
    #[error(
        "the note is longer than {LONGEST_NOTE} bytes or has more than {MOST_SIGNATURES} signatures"
    )]
    Long,
    /// A key name with spaces, plus signs or control characters, or an empty or long one.
    #[error("a key name is 1 to 255 bytes without spaces, plus signs and control characters")]
    Name,
    /// No known key signed.
    #[error("the note is not signed by a key known here")]
    NoKnownSignature,
    /// Not text, an empty line, and signature lines.
    #[error("not a signed note: text, an empty line, signature lines")]
    Shape,
    /// A known key's signature does not verify.
    #[error("a signature of a known key does not verify")]
    Signature,
    /// Not `— name base64`.
    #[error("not a signature line `— name base64`")]
    SignatureLine,
}

/// When a signature says it was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stamp {
    /// It says no time.
    None,
    /// At this instant, by the clock of the one who signed.
    At(Timestamp),
}

/// A signature of a known key that verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Signed {
    /// The key.
    pub key: VerifierKey,
    /// When.
    pub stamp: Stamp,
    /// The line.
    pub signature: Signature,
}

impl Note {
    /// Signs a text, which must end in a newline and hold no control characters.
    pub fn sign(text: String, signer: &Signer<'_>) -> Result<Self, NoteError> {
        if !text.ends_with('\n') {
            return Err(NoteError::Shape);
        }
        allowed(&text)?;
        let signature = signer.sign(&text);
        Ok(Self { text, signatures: vec![signature] })
    }

    /// Reads a note; checks no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, NoteError> {
        if bytes.len() > LONGEST_NOTE {
            return Err(NoteError::Long);
        }
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::Characters)?;
        allowed(note)?;
        let (text, lines) = note.rsplit_once("\n\n").ok_or(NoteError::Shape)?;
        let lines = lines.strip_suffix('\n').ok_or(NoteError::Shape)?;
        if lines.split('\n').count() > MOST_SIGNATURES {
            return Err(NoteError::Long);
        }
        let signatures: Result<Vec<Signature>, NoteError> =
            lines.split('\n').map(str::parse).collect();
        Ok(Self { text: format!("{text}\n"), signatures: signatures? })
    }

    /// Checks the signatures of known keys; those of others are ignored. One that does not verify refuses the note.
    pub fn open(&self, keys: &[VerifierKey]) -> Result<Vec<Signed>, NoteError> {
        let mut found = Vec::new();
        for signature in &self.signatures {
            let Some(key) = keys.iter().find(|key| key.made(signature)) else { continue };
            if let Algorithm::Other(_) = key.algorithm {
                // Known by name, but nobody here can tell: it counts for nothing.
                continue;
            }
            let stamp = key.verify(&self.text, &signature.bytes).ok_or(NoteError::Signature)?;
            found.push(Signed { key: key.clone(), stamp, signature: signature.clone() });
        }
        if found.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(found) }
    }

    /// Adds a signature line, unless the note has it already.
    #[must_use]
    pub fn with(mut self, signature: Signature) -> Self {
        if !self.signatures.contains(&signature) {
            self.signatures.push(signature);
        }
        self
    }

    /// The same text with these signatures only.
    #[must_use]
    pub fn only(mut self, signatures: impl IntoIterator<Item = Signature>) -> Self {
        self.signatures = signatures.into_iter().collect();
        self
    }

    /// The text, with its last newline.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The signature lines, unchecked.
    pub fn signatures(&self) -> &[Signature] {
        &self.signatures
    }

    /// The note as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let lines: Vec<String> = self.signatures.iter().map(Signature::to_string).collect();
        format!("{}\n{}\n", self.text, lines.join("\n")).into_bytes()
    }
}

fn allowed(text: &str) -> Result<(), NoteError> {
    if text.chars().any(|c| c < ' ' && c != '\n') { Err(NoteError::Characters) } else { Ok(()) }
}

impl fmt::Debug for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Note({} bytes, {} signatures)", self.text.len(), self.signatures.len())
    }
}

#[cfg(test)]
mod tests;
