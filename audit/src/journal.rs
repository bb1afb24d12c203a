//! The log of one party: JSON lines, each chained to the one before by its hash, signed, and synced before anything
//! leaves.
//!
//! The transparency log (tiles, checkpoints, witnesses) will take this place with the same door: [`Journal::append`]
//! returns a [`LogReceipt`], and only a receipt lets a node go on. An entry holds no SQL, no literal and no row value.
//!
//! One line is `{"entry":{..},"hash":"..","signature":".."}`; `hash` is the SHA-256 of the entry's exact bytes, and the
//! entry holds the hash of the line before. Appending is O(bytes), verifying O(entries).

use crate::keys::sha256;
use mayag_protocol::answer::LogPosition;
use mayag_protocol::envelope::{Base64, Sign, Verify};
use mayag_protocol::names::{Digest, Nonce, PublicKey, QuestionId};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Seek as _, SeekFrom, Write};

/// Something that entries are appended to and that can be made durable.
pub trait Sink: Write + Send {
    /// Returns when everything written is on stable storage (`fdatasync`).
    fn sync(&mut self) -> io::Result<()>;
}

/// A [`Sink`] that can also be read from its beginning and cut.
pub trait Store: Sink + Read {
    /// Cuts everything after the first `length` bytes, durably, and stands at the end.
    fn cut(&mut self, length: u64) -> io::Result<()>;
}

impl Sink for File {
    fn sync(&mut self) -> io::Result<()> {
        self.sync_data()
    }
}

impl Store for File {
    fn cut(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)?;
        self.seek(SeekFrom::End(0))?;
        self.sync_all()
    }
}

/// What is recorded. Identifiers of people are recorded as a pseudonym; SQL and case as digests only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What happened.
    pub operation: Operation,
    /// The question it is about, if it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question: Option<QuestionId>,
    /// SHA-256 of the question's payload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub question_digest: Option<Digest>,
    /// The question's nonce, so that a restart remembers it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nonce: Option<Nonce>,
    /// SHA-256 of the identity of the person asking.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub person: Option<Digest>,
    /// The purpose stated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<Purpose>,
    /// The policy in force.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub policy: Option<Digest>,
    /// The decision in one word, or a refusal's code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decision: Option<String>,
    /// The grant or rule that decided.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
    /// SHA-256 of what was handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub result: Option<Digest>,
    /// Cells handed out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cells: Option<u64>,
    /// How many questions the party's ledger had charged with this one. A ledger that knows fewer was put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub charges: Option<u64>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// A node is about to answer.
    Answered,
    /// A question was admitted and is about to be worked on.
    Admitted,
    /// The program began; says which policy is in force.
    Opened,
    /// A new policy came into force, or one was refused.
    Policy,
    /// A gateway received a question.
    Received,
    /// Somebody was refused.
    Refused,
    /// A gateway is about to hand out a merged answer.
    Released,
}

impl Entry {
    /// An entry that says only what happened.
    pub fn new(operation: Operation) -> Self {
        Self {
            operation,
            question: None,
            question_digest: None,
            nonce: None,
            person: None,
            purpose: None,
            policy: None,
            decision: None,
            rule: None,
            result: None,
            cells: None,
            charges: None,
        }
    }
}

/// The entry as it is hashed.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Chained {
    index: u64,
    time: Timestamp,
    previous: Digest,
    #[serde(rename = "is")]
    entry: Entry,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Line {
    entry: Box<RawValue>,
    hash: Digest,
    signature: Base64,
}

/// The proof that an entry is durable. Only [`Journal::append`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReceipt {
    position: LogPosition,
}

impl LogReceipt {
    /// Where the entry is.
    pub fn position(&self) -> &LogPosition {
        &self.position
    }
}

/// Why a log cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// A line is not what was appended.
    #[error("log entry {index}: {reason}")]
    Broken {
        /// The first broken entry.
        index: u64,
        /// What is wrong with it.
        reason: &'static str,
    },
    /// Writing failed before; a log that failed once is not written again, because what is on the disk is unknown.
    #[error("the log failed before and is closed until the program is started again")]
    Closed,
    /// Reading failed.
    #[error("the log cannot be read: {0}")]
    Read(#[source] io::Error),
    /// Writing or syncing failed.
    #[error("the log cannot be written: {0}")]
    Write(#[source] io::Error),
}

/// The end of a verified log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The number of entries.
    pub entries: u64,
    /// The hash of the last one; 64 zeros for an empty log.
    pub hash: Digest,
}

/// The head of an empty log.
pub fn empty_head() -> Head {
    Head { entries: 0, hash: Digest::from_bytes([0; 32]) }
}

/// Verifies every line of a log, O(bytes): chain, hashes and signatures. Returns its head and how many bytes are
/// complete lines; a torn last line (the program died while writing it, so nobody was answered) may be cut there.
pub fn verify(
    bytes: &[u8],
    key: &PublicKey,
    verifier: &dyn Verify,
    mut each: impl FnMut(u64, Timestamp, &Entry),
) -> Result<(Head, usize), JournalError> {
    let mut head = empty_head();
    let mut complete = 0;
    for line in bytes.split_inclusive(|byte| *byte == b'\n') {
        if line.last() != Some(&b'\n') {
            break;
        }
        let index = head.entries;
        let broken = |reason| JournalError::Broken { index, reason };
        let line_read: Line = serde_json::from_slice(line).map_err(|_| broken("not a log line"))?;
        let raw = line_read.entry.get().as_bytes();
        if sha256(raw) != line_read.hash {
            return Err(broken("the entry does not have the hash beside it"));
        }
        if !verifier.verify(key, raw, &line_read.signature.0) {
            return Err(broken("the entry is not signed by the log's key"));
        }
        let chained: Chained =
            serde_json::from_slice(raw).map_err(|_| broken("not a log entry"))?;
        if chained.index != index || chained.previous != head.hash {
            return Err(broken("the entry does not follow the one before"));
        }
        each(chained.index, chained.time, &chained.entry);
        head = Head { entries: index + 1, hash: line_read.hash };
        complete += line.len();
    }
    Ok((head, complete))
}

/// An open log.
pub struct Journal<S> {
    state: Mutex<State<S>>,
}

struct State<S> {
    sink: S,
    head: Head,
    closed: bool,
}

impl<S: Sink> Journal<S> {
    /// Continues a log after `head`, which [`verify`] found; `sink` stands at its end.
    pub fn open(sink: S, head: Head) -> Self {
        Self { state: Mutex::new(State { sink, head, closed: false }) }
    }

    /// Verifies a log from its beginning, cuts a torn last line, and continues it. O(bytes).
    ///
    /// Everything before the last line must verify: a log that was changed is not continued.
    pub fn resume(
        mut store: S,
        key: &PublicKey,
        verifier: &dyn Verify,
        each: impl FnMut(u64, Timestamp, &Entry),
    ) -> Result<Self, JournalError>
    where
        S: Store,
    {
        let mut bytes = Vec::new();
        store.read_to_end(&mut bytes).map_err(JournalError::Read)?;
        let (head, complete) = verify(&bytes, key, verifier, each)?;
        if complete < bytes.len() {
            // The program died while writing the last line: nobody was answered on it.
            store.cut(complete as u64).map_err(JournalError::Write)?;
        }
        Ok(Self::open(store, head))
    }

    /// Appends, signs and syncs one entry. Blocks for as long as the disk needs.
    ///
    /// After an error the log is closed: what reached the disk is unknown, and no answer may leave on it.
    pub fn append(
        &self,
        now: Timestamp,
        entry: Entry,
        signer: &dyn Sign,
    ) -> Result<LogReceipt, JournalError> {
        let mut state = self.state.lock();
        if state.closed {
            return Err(JournalError::Closed);
        }
        let index = state.head.entries;
        let chained = Chained { index, time: now, previous: state.head.hash.clone(), entry };
        let invalid = |error: serde_json::Error| JournalError::Write(io::Error::other(error));
        let raw = serde_json::value::to_raw_value(&chained).map_err(invalid)?;
        let hash = sha256(raw.get().as_bytes());
        let signature = Base64(signer.sign(raw.get().as_bytes()).to_vec());
        let mut line = serde_json::to_vec(&Line { entry: raw, hash: hash.clone(), signature })
            .map_err(invalid)?;
        line.push(b'\n');
        // A crash up to here leaves nothing; during the write a torn last line, which nobody was answered on; after the
        // sync a complete entry without an answer, which the next start keeps.
        if let Err(error) = state.sink.write_all(&line).and_then(|()| state.sink.sync()) {
            state.closed = true;
            return Err(JournalError::Write(error));
        }
        state.head = Head { entries: index + 1, hash: hash.clone() };
        Ok(LogReceipt { position: LogPosition { index, entry: hash } })
    }
}

impl<S> fmt::Debug for Journal<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Journal(..)")
    }
}

#[cfg(test)]
mod tests;
