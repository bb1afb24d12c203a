//! The receipt of an answer: one file with what everybody signed and the proof that the gateway's log holds it. It is checked
//! offline, with public keys that do not come from the file.

mod fetch;

pub use fetch::{Fetched, PATIENCE};

use mayag_audit::entry::{Entry, EntryError, Type};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::log::read::Promise;
use mayag_audit::note::{Note, VerifierKey};
use mayag_audit::party::{self, Book};
use mayag_audit::quorum::Policy;
use mayag_audit::receipt::{Receipt, ReceiptError};
use mayag_audit::tree::leaf_hash;
use mayag_protocol::answer::{self, CountryOutcome, LogPosition, Release};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::names::{Country, Digest, LogOrigin, PublicKey, QuestionId};
use mayag_protocol::question::{self, Question};
use mayag_protocol::receipts::Standing;
use mayag_protocol::roster::Roster;
use mayag_protocol::strict::{self, StrictError};
use mayag_protocol::timestamp::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The longest file that is read.
pub const LONGEST: usize = 64 * 1024 * 1024;

const VERSION: u8 = 1;

/// A receipt as a file. It proves nothing before [`ReceiptFile::verify`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReceiptFile {
    v: u8,
    /// What the analyst signed.
    question: Envelope,
    /// What the gateway signed when it handed the answer out.
    release: Envelope,
    /// What the nodes signed.
    answers: BTreeMap<Country, Envelope>,
    /// The proof, or the promise of one; absent where the gateway gave neither.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    log: Option<Standing>,
}

/// What a receipt is checked against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// The keys of the log and of its witnesses, and how many of these must have cosigned.
    pub policy: &'a Policy,
    /// Whose keys sign questions, answers and releases; without one their signatures are not checked, only that they are what
    /// is in the log.
    pub roster: Option<&'a Roster>,
    /// The present time: cosignatures of the future do not count.
    pub now: Timestamp,
}

/// What a verified receipt proves: that the log has this entry, and that it is about this question and this result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    /// Where.
    pub position: LogPosition,
    /// When, by the gateway's clock.
    pub at: Timestamp,
    /// How many entries are under the checkpoint.
    pub size: u64,
    /// How many witnesses cosigned it.
    pub cosignatures: usize,
    /// The question.
    pub question: QuestionId,
    /// The digest of the result, if there was one.
    pub result: Option<Digest>,
    /// How many signed answers of nodes the file holds.
    pub answers: usize,
    /// Whether the signatures on question, answers and release were checked.
    pub signatures: bool,
}

/// Why a receipt proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptFault {
    /// A node's answer is not the one in the log.
    #[error("the signed answer of `{0}` is not the one in the log")]
    Answer(Country),
    /// The bytes are no entry.
    #[error("the entry: {0}")]
    Entry(#[from] EntryError),
    /// Not a receipt at all.
    #[error("not a receipt: {0}")]
    File(#[from] StrictError),
    /// The log is not one of the gateway that signed.
    #[error("`{0}` is not a log of questions of the gateway that signed the release")]
    Log(LogOrigin),
    /// There is neither a proof nor a promise.
    #[error("nothing is proved yet: the gateway gave no proof; `mayag receipt upgrade` fetches it")]
    Missing,
    /// The entry is about something else.
    #[error("the entry is not about what is in the file: another {0}")]
    OtherEntry(&'static str),
    /// The proof is about another place.
    #[error("the proof is not for the place that the gateway signed: another {0}")]
    Position(&'static str),
    /// There is a promise that its log did not make, or made about something else.
    #[error("the promise is not the log's, or not for this entry")]
    Promise,
    /// There is only a promise.
    #[error(
        "nothing is proved yet: the log promised a proof until {0}; `mayag receipt upgrade` fetches it"
    )]
    Promised(Timestamp),
    /// The release is about another question.
    #[error("the release is not about the question in the file")]
    Question,
    /// The proof proves nothing.
    #[error(transparent)]
    Receipt(#[from] ReceiptError),
    /// A signature does not verify.
    #[error("the {0} is not signed with a key that the roster lists for it")]
    Signature(&'static str),
    /// A payload cannot be read.
    #[error("the {what} in the file: {source}")]
    Unreadable {
        /// Of what.
        what: &'static str,
        /// Why.
        source: StrictError,
    },
    /// Another version of the file or of what is signed in it.
    #[error("the {0} is in another version of its format")]
    Version(&'static str),
}

/// What is signed, read but not believed.
struct Claims {
    question: Question,
    digest: Digest,
    release: Release,
}

impl ReceiptFile {
    /// A receipt that proves nothing yet.
    pub fn new(
        question: Envelope,
        release: Envelope,
        answers: BTreeMap<Country, Envelope>,
    ) -> Self {
        Self { v: VERSION, question, release, answers, log: None }
    }

    /// Reads a receipt; checks no proof and no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptFault> {
        let file: Self = strict::parse(bytes, LONGEST)?;
        if file.v == VERSION { Ok(file) } else { Err(ReceiptFault::Version("receipt")) }
    }

    /// The bytes of the file.
    pub fn to_bytes(&self) -> Vec<u8> {
        // Strings and maps of strings always serialise; an empty file would be refused by every reader.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }

    /// How far the log is with the entry, unchecked.
    pub fn log(&self) -> Option<&Standing> {
        self.log.as_ref()
    }

    /// When the release in it was signed, unchecked: the roster that was in force then is the one to check it with.
    pub fn issued_at(&self) -> Result<Timestamp, ReceiptFault> {
        Ok(self.claims()?.release.issued_at)
    }

    /// Checks everything in the file.
    pub fn verify(&self, against: &Against<'_>) -> Result<Proof, ReceiptFault> {
        let claims = self.claims()?;
        if let Some(roster) = against.roster {
            self.signatures(&claims, roster)?;
        }
        let place = &claims.release.log;
        let (entry, proof) = match &self.log {
            None => return Err(ReceiptFault::Missing),
            Some(Standing::Promised { promise }) => {
                let keys = against.policy.logs().iter().map(|log| &log.key);
                return Err(
                    match keys.map(|key| promised(promise, key, place)).find_map(Result::ok) {
                        Some(deadline) => ReceiptFault::Promised(deadline),
                        None => ReceiptFault::Promise,
                    },
                );
            }
            Some(Standing::Proven { entry, proof }) => (&entry.0, proof),
        };
        let proven =
            Receipt::parse(proof.as_bytes())?.verify(entry, against.policy, against.now)?;
        let checkpoint = proven.checkpoint().note().checkpoint();
        if proven.index() != place.index {
            return Err(ReceiptFault::Position("index"));
        }
        if checkpoint.origin.as_str() != place.origin.as_str() {
            return Err(ReceiptFault::Position("log"));
        }
        if Digest::from_bytes(*leaf_hash(entry).as_bytes()) != place.leaf {
            return Err(ReceiptFault::Position("leaf hash"));
        }
        let entry = Entry::parse(entry)?;
        self.about(&claims, &entry)?;
        Ok(Proof {
            position: place.clone(),
            at: entry.at,
            size: checkpoint.head.size,
            cosignatures: proven.checkpoint().cosigned().len(),
            question: claims.question.id,
            result: claims.release.result,
            answers: self.answers.len(),
            signatures: against.roster.is_some(),
        })
    }

    /// Question and release fit each other, and the log is one of the gateway that was asked.
    fn claims(&self) -> Result<Claims, ReceiptFault> {
        let unreadable = |what| move |source| ReceiptFault::Unreadable { what, source };
        let payload = self.question.unverified_payload();
        let question: Question =
            strict::parse(payload, question::LONGEST_ENVELOPE).map_err(unreadable("question"))?;
        let digest = sha256(payload);
        let release: Release =
            strict::parse(self.release.unverified_payload(), answer::LONGEST_ENVELOPE)
                .map_err(unreadable("release"))?;
        if release.v != 1 {
            return Err(ReceiptFault::Version("release"));
        }
        if release.question != question.id
            || release.question_digest != digest
            || release.gateway != question.gateway
        {
            return Err(ReceiptFault::Question);
        }
        let origin = &release.log.origin;
        let year = origin.as_str().rsplit('/').next().unwrap_or_default();
        if party::origin(&release.gateway, Book::Questions, year).as_ref() != Ok(origin) {
            return Err(ReceiptFault::Log(origin.clone()));
        }
        Ok(Claims { question, digest, release })
    }

    /// Everybody signed with a key that the roster lists.
    fn signatures(&self, claims: &Claims, roster: &Roster) -> Result<(), ReceiptFault> {
        let opens = |what, envelope: &Envelope, kind, keys: &[PublicKey]| {
            let opened = envelope.open(kind, keys, 1, &Ed25519);
            opened.map(drop).map_err(|_| ReceiptFault::Signature(what))
        };
        let person = roster.person(&claims.question.analyst);
        let keys = person.map(|person| person.question_keys.as_slice()).unwrap_or_default();
        opens("question", &self.question, PayloadType::Question, keys)?;
        let gateway = roster.gateway(&claims.release.gateway).map(|member| &member.answer_key);
        let keys = gateway.map(std::slice::from_ref).unwrap_or_default();
        opens("release", &self.release, PayloadType::Release, keys)?;
        for (country, envelope) in &self.answers {
            let node = roster.node(country).map(|member| &member.answer_key);
            let keys = node.map(std::slice::from_ref).unwrap_or_default();
            opens("answer of a node", envelope, PayloadType::Answer, keys)?;
        }
        Ok(())
    }

    /// The entry says what the release says, and names the answers that are in the file and no others.
    fn about(&self, claims: &Claims, entry: &Entry) -> Result<(), ReceiptFault> {
        let Claims { question, digest, release } = claims;
        let same = [
            (entry.kind == Type::Released, "type"),
            (entry.question.as_ref() == Some(&question.id), "question"),
            (entry.question_digest.as_ref() == Some(digest), "question"),
            (entry.result_digest == release.result, "result"),
            (entry.countries.len() == release.countries.len(), "list of countries"),
        ];
        if let Some((_, what)) = same.into_iter().find(|(same, _)| !same) {
            return Err(ReceiptFault::OtherEntry(what));
        }
        for CountryOutcome { country, outcome, answer_digest } in &release.countries {
            let logged = entry.countries.get(country);
            let logged =
                logged.filter(|end| end.outcome == *outcome && end.answer == *answer_digest);
            if logged.is_none() {
                return Err(ReceiptFault::OtherEntry("outcome of a country"));
            }
            let held = self.answers.get(country).map(|held| sha256(held.unverified_payload()));
            if held != *answer_digest {
                return Err(ReceiptFault::Answer(country.clone()));
            }
        }
        let asked = |country: &&Country| entry.countries.contains_key(*country);
        match self.answers.keys().find(|country| !asked(country)) {
            Some(country) => Err(ReceiptFault::Answer(country.clone())),
            None => Ok(()),
        }
    }
}

/// Until when the log with this key promised a proof for this place.
fn promised(
    promise: &str,
    key: &VerifierKey,
    place: &LogPosition,
) -> Result<Timestamp, ReceiptFault> {
    let note = Note::parse(promise.as_bytes()).map_err(|_| ReceiptFault::Promise)?;
    let promise = Promise::open(&note, key).map_err(|_| ReceiptFault::Promise)?;
    let same = promise.origin.as_str() == place.origin.as_str()
        && promise.index == place.index
        && Digest::from_bytes(*promise.leaf.as_bytes()) == place.leaf;
    if same { Ok(promise.deadline) } else { Err(ReceiptFault::Promise) }
}

#[cfg(test)]
mod tests;
