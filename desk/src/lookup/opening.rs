//! What was searched, sealed for the auditors of the person's country, and opened by one of them.
//!
//! ```text
//! {v, question, parts: [{reference, file}]}     the file; every part a detail as logs have them (HPKE, RFC 9180)
//! {v, seed, kind, rules, blinding, identifiers} what the parts hold together
//! ```
//!
//! The signed question names the file by its SHA-256, and the vector by another; every log names the question. So an auditor who
//! is given the file sees what was searched, and that it was nothing else: seed and identifiers give the same vector again.

use mayag_audit::checkpoint::Origin;
use mayag_audit::detail::{
    self, DetailError, LONGEST_DETAIL, Place, RecipientKey, RecipientSecret,
};
use mayag_audit::entry::{DetailRef, RecipientKeyId, Type};
use mayag_audit::keys::sha256;
use mayag_matching::batch::{BatchSeed, opens};
use mayag_matching::declared::commitment;
use mayag_matching::input::Rules;
use mayag_protocol::envelope::Base64;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{DeclaredSearch, Search};
use mayag_protocol::names::{Digest, KindName, QuestionId, hex, unhex};
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::strict;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;
use std::num::NonZero;
use zeroize::{Zeroize as _, Zeroizing};

/// The longest file that is read: 65,534 elements of 1,024 bytes, twice in base64.
pub const LONGEST: usize = 256 * 1024 * 1024;

/// The file.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    v: u8,
    question: QuestionId,
    parts: Vec<Part>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Part {
    reference: DetailRef,
    file: Base64,
}

/// What is sealed, as it is written.
#[derive(Serialize)]
struct Written<'a> {
    v: u8,
    seed: &'a str,
    kind: &'a KindName,
    rules: u16,
    blinding: Blinding,
    identifiers: Vec<&'a str>,
}

/// The same, as it is read.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Read {
    v: u8,
    seed: String,
    kind: KindName,
    rules: u16,
    blinding: Blinding,
    identifiers: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Blinding {
    Additive,
    /// None: they were declared, and the seed is the salt of the commitment.
    Declared,
    Multiplicative,
}

/// What was searched, and proved to be. Wiped when dropped; nothing shows it but [`Opening::identifiers`].
pub struct Opening {
    kind: KindName,
    identifiers: Vec<String>,
}

/// Why nothing is known of what was searched. All but the first two speak against whoever sealed it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpeningError {
    /// Another file than the question names.
    #[error("this is not the file that the question names")]
    OtherFile,
    /// It is sealed to other keys.
    #[error("the file is not sealed to this key")]
    OtherRecipient,
    /// The question searches nothing.
    #[error("the question is no lookup")]
    NoLookup,
    /// It does not open, or holds something else.
    #[error("what the desk sealed does not open as what was searched: it proves nothing")]
    Garbage,
    /// It is about another lookup.
    #[error("what the desk sealed is about another lookup than the one it signed")]
    OtherLookup,
    /// The vector or the commitment that was sent is another one.
    #[error(
        "the identifiers that the desk sealed are not those that were searched: what the logs have of them is something else"
    )]
    OtherVector,
}

/// What explains what a lookup's question says of its identifiers.
pub enum Secret<'a> {
    /// The seed that they were blinded with.
    Batch(&'a BatchSeed),
    /// The salt of the commitment to them, where they were declared.
    Declared(&'a [u8; 32]),
}

/// A lookup as it is sealed. Has no `Debug` that shows it.
pub struct Sealing<'a> {
    /// The question that it will be.
    pub question: &'a QuestionId,
    /// Who asks it.
    pub analyst: &'a Identity,
    /// What explains the question.
    pub secret: Secret<'a>,
    /// The rules of the identifiers.
    pub rules: &'a Rules,
    /// The texts that were hidden, in their order.
    pub identifiers: Vec<&'a str>,
}

impl Sealing<'_> {
    /// The bytes of the file, which these auditors can open, each alone.
    pub fn seal(&self, auditors: &[RecipientKey]) -> Result<Vec<u8>, DetailError> {
        let (seed, blinding) = match self.secret {
            Secret::Batch(seed) => (seed.as_bytes(), Blinding::Multiplicative),
            Secret::Declared(salt) => (salt, Blinding::Declared),
        };
        let seed = Zeroizing::new(hex(seed));
        let written = Written {
            v: 1,
            seed: &seed,
            kind: &self.rules.kind,
            rules: self.rules.version,
            blinding,
            identifiers: self.identifiers.clone(),
        };
        let plain = Zeroizing::new(serde_json::to_vec(&written).map_err(|_| DetailError::Sealing)?);
        let origin = origin(self.analyst).ok_or(DetailError::Sealing)?;
        let place = place(&origin, self.question);
        let part = |piece: &[u8]| {
            let sealed = detail::seal(piece, &place, auditors, None)?;
            Ok(Part { reference: sealed.reference, file: Base64(sealed.file) })
        };
        let parts: Result<Vec<Part>, DetailError> =
            plain.chunks(LONGEST_DETAIL).map(part).collect();
        let file = File { v: 1, question: self.question.clone(), parts: parts? };
        serde_json::to_vec(&file).map_err(|_| DetailError::Sealing)
    }
}

/// Opens a file with an auditor's key, and proves that what is in it is what the signed question searched. About 70 µs an
/// element.
pub fn open(
    file: &[u8],
    question: &Question,
    secret: &RecipientSecret,
    workers: NonZero<usize>,
) -> Result<Opening, OpeningError> {
    let claim = Claim::of(question).ok_or(OpeningError::NoLookup)?;
    if sha256(file) != *claim.opening() {
        return Err(OpeningError::OtherFile);
    }
    let plain = plain(file, question, secret)?;
    let mut read: Read = strict::parse(&plain, plain.len()).map_err(|_| OpeningError::Garbage)?;
    let proved = proved(&read, &claim, workers);
    read.seed.zeroize();
    let opening = Opening { kind: read.kind, identifiers: read.identifiers };
    proved.map(|()| opening)
}

/// The keys that can open all of a file, as whoever sealed it says: others than these cannot.
pub fn sealed_to(file: &[u8]) -> Result<BTreeSet<RecipientKeyId>, OpeningError> {
    let file: File = strict::parse(file, LONGEST).map_err(|_| OpeningError::Garbage)?;
    let keys = |part: Part| part.reference.recipients.into_iter().collect::<BTreeSet<_>>();
    let all = file.parts.into_iter().map(keys).reduce(|one, other| &one & &other);
    Ok(all.unwrap_or_default())
}

fn plain(
    file: &[u8],
    question: &Question,
    secret: &RecipientSecret,
) -> Result<Zeroizing<Vec<u8>>, OpeningError> {
    let file: File = strict::parse(file, LONGEST).map_err(|_| OpeningError::Garbage)?;
    if file.v != 1 {
        return Err(OpeningError::Garbage);
    }
    if file.question != question.id {
        return Err(OpeningError::OtherLookup);
    }
    let origin = origin(&question.analyst).ok_or(OpeningError::Garbage)?;
    let place = place(&origin, &question.id);
    let mut plain = Zeroizing::new(Vec::new());
    for Part { reference, file } in &file.parts {
        let opened = detail::open(&file.0, reference, &place, secret, None);
        let opened = opened.map_err(|error| match error {
            DetailError::OtherRecipient => OpeningError::OtherRecipient,
            DetailError::Commitment
            | DetailError::Digest
            | DetailError::Long
            | DetailError::Month
            | DetailError::NoRecipient
            | DetailError::NotOpened
            | DetailError::Random(_)
            | DetailError::Sealing
            | DetailError::Strict(_) => OpeningError::Garbage,
        })?;
        plain.extend_from_slice(opened.plaintext());
    }
    Ok(plain)
}

/// What a question says of the identifiers that it searches.
enum Claim<'a> {
    Blinded(&'a Search),
    Declared(&'a DeclaredSearch),
}

impl<'a> Claim<'a> {
    fn of(question: &'a Question) -> Option<Self> {
        match &question.ask {
            Ask::Declared { search } => Some(Self::Declared(search)),
            Ask::Lookup { search } => Some(Self::Blinded(search)),
            Ask::Datasets {} | Ask::Preview { .. } | Ask::Sql { .. } | Ask::Tables {} => None,
        }
    }

    fn opening(&self) -> &'a Digest {
        match self {
            Self::Blinded(search) => &search.opening,
            Self::Declared(search) => &search.opening,
        }
    }

    fn rules(&self) -> (&'a KindName, u16) {
        match self {
            Self::Blinded(search) => (&search.identifiers, search.rules),
            Self::Declared(search) => (&search.identifiers, search.rules),
        }
    }
}

/// The sealed secret and identifiers give the vector that the question names, or the commitment.
fn proved(read: &Read, claim: &Claim<'_>, workers: NonZero<usize>) -> Result<(), OpeningError> {
    if read.v != 1 {
        return Err(OpeningError::Garbage);
    }
    if (&read.kind, read.rules) != claim.rules() {
        return Err(OpeningError::OtherLookup);
    }
    let seed = unhex(&read.seed).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    let seed = Zeroizing::new(seed.ok_or(OpeningError::Garbage)?);
    let rules = Rules { kind: read.kind.clone(), version: read.rules };
    let holds = match (claim, &read.blinding) {
        (Claim::Blinded(search), Blinding::Additive | Blinding::Multiplicative) => {
            let seed = BatchSeed::from_bytes(*seed);
            // What is no identifier cannot have been searched.
            opens(&search.blinded, &seed, &rules, &read.identifiers, workers).unwrap_or(false)
        }
        (Claim::Declared(search), Blinding::Declared) => {
            commitment(&rules, &seed, &read.identifiers) == search.commitment
        }
        (Claim::Blinded(_), Blinding::Declared)
        | (Claim::Declared(_), Blinding::Additive | Blinding::Multiplicative) => {
            return Err(OpeningError::OtherLookup);
        }
    };
    if holds { Ok(()) } else { Err(OpeningError::OtherVector) }
}

/// A desk has no log; its files are named as if it had one.
fn origin(analyst: &Identity) -> Option<Origin> {
    let country = analyst.country()?;
    format!("desk-{country}.{}/lookups", analyst.federation).parse().ok()
}

fn place<'a>(origin: &'a Origin, question: &'a QuestionId) -> Place<'a> {
    Place { origin, question: Some(question), kind: Type::Received }
}

impl Opening {
    /// Their kind.
    pub fn kind(&self) -> &KindName {
        &self.kind
    }

    /// The texts that were searched: every spelling and key of every identifier.
    pub fn identifiers(&self) -> &[String] {
        &self.identifiers
    }
}

impl fmt::Debug for Secret<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret([redacted])")
    }
}

impl fmt::Debug for Sealing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealing({}, [redacted])", self.question)
    }
}

impl Drop for Opening {
    fn drop(&mut self) {
        self.identifiers.zeroize();
    }
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening([redacted])")
    }
}
