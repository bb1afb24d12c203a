//! The log of one party and year: entries are durable before anybody is answered on them, and every second they come under
//! a signed checkpoint that witnesses cosign.
//!
//! [`Log::append`] writes an entry ahead ([`wal`]) together with those of other callers ([`commit`]) and returns a
//! [`LogReceipt`]. [`Log::integrate`], called at least every second, makes tiles and bundles of what was written ahead, signs the checkpoint,
//! exchanges `last-signed`, and publishes ([`integrate`]). [`Log::add_cosignatures`] keeps what witnesses say
//! ([`witness`]). [`Log::open`] goes on after any stop, or refuses and says why ([`start`]). Proofs and entries are read
//! back in [`read`].
//!
//! Files are reached through a [`door::Door`]; only one process can hold it.

pub mod commit;
pub mod door;
pub mod edge;
pub mod error;
pub mod integrate;
pub mod read;
pub mod start;
pub mod wal;
pub mod witness;

use self::commit::{Asked, Kind, Outcome, Queue};
use self::door::Folder;
use self::error::{AppendError, Failure};
use self::integrate::Integrator;
use self::wal::{Ahead, Leaf, Room};
use self::witness::{Shown, Witnessing};
use crate::checkpoint::Origin;
use crate::keys::SigningKey;
use crate::note::{Signer, VerifierKey};
use crate::tile::LONGEST_ENTRY;
use crate::tree::Hash;
use mayag_protocol::timestamp::Clock;
use parking_lot::{Condvar, Mutex};
use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// What may wait for a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Backlog {
    /// Entries.
    pub entries: u64,
    /// Their bytes, which are in memory.
    pub bytes: u64,
}

/// With so much waiting, the next checkpoint is due at once.
pub const DUE: Backlog = Backlog { entries: 16_384, bytes: 16 * 1024 * 1024 };
/// With as much waiting, questions are refused: memory has a bound, and so has the time of the next start.
pub const MOST_WAITING: Backlog = Backlog { entries: 65_536, bytes: 64 * 1024 * 1024 };

impl Backlog {
    /// Whether there is at least as much of either.
    fn reaches(self, other: Self) -> bool {
        other.entries <= self.entries || other.bytes <= self.bytes
    }
}

/// An open log.
pub struct Log {
    origin: Origin,
    verifier: VerifierKey,
    key: Arc<SigningKey>,
    clock: Arc<dyn Clock>,
    witnessing: Option<Witnessing>,
    published: Box<dyn Folder>,
    guard: Box<dyn Folder>,
    queue: Queue,
    /// Taken by the leader of a group, and by `integrate` for the moment of the swap.
    writer: Mutex<Writer>,
    /// Taken by whoever writes published files. Before `writer` and `shown`, never after.
    integrator: Mutex<Integrator>,
    /// Checkpoints as they are shown to others.
    shown: Mutex<Shown>,
    failure: OnceLock<Arc<Failure>>,
    /// The place whose disk was full when something was last written there.
    full: Mutex<Option<String>>,
    /// Whether `full` holds a place: asked for by every append.
    is_full: AtomicBool,
    waiting: AtomicU64,
    waiting_bytes: AtomicU64,
    due: Mutex<Due>,
    due_changed: Condvar,
    syncs: AtomicU64,
}

/// What is written ahead and not integrated.
#[derive(Debug)]
struct Writer {
    ahead: Ahead,
    /// The index of the next entry.
    next: u64,
    tail: Vec<Leaf>,
}

/// What the owner is waited for with.
#[derive(Debug, Default)]
struct Due {
    checkpoint: bool,
    stop: bool,
}

/// Why [`Log::wait`] returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wake {
    /// A checkpoint is due.
    Checkpoint,
    /// The owner is to integrate once more and end.
    Stop,
}

/// The proof that an entry is durable. Only [`Log::append`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogReceipt {
    origin: Origin,
    index: u64,
    leaf: Hash,
}

impl LogReceipt {
    /// The log.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The entry's position.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The entry's leaf hash.
    pub fn leaf(&self) -> &Hash {
        &self.leaf
    }
}

impl Log {
    /// Appends an entry, and returns when it is on stable storage. Blocks for as long as the disk needs; many threads call
    /// this at once, and share syncs.
    pub fn append(&self, kind: Kind, entry: Vec<u8>) -> Result<LogReceipt, AppendError> {
        self.admits(kind, entry.len())?;
        let leaf = Leaf::new(entry);
        let hash = leaf.hash;
        let outcome = self.queue.pass(Asked { kind, leaf }, |group| self.commit(group));
        // INVARIANT (an outcome each): `commit` returns as many as it was given.
        let index = outcome.unwrap_or_else(|| Err(self.closed_by_a_lost_outcome()))?;
        Ok(LogReceipt { origin: self.origin.clone(), index, leaf: hash })
    }

    /// Whether the log would take an entry now. A question is refused before work is spent on it.
    pub fn admits(&self, kind: Kind, length: usize) -> Result<(), AppendError> {
        if let Some(failure) = self.failure.get() {
            return Err(AppendError::Closed(Arc::clone(failure)));
        }
        if LONGEST_ENTRY < length {
            return Err(AppendError::Long { length });
        }
        match kind {
            Kind::Record => Ok(()),
            Kind::Question => self.admits_questions(),
        }
    }

    fn admits_questions(&self) -> Result<(), AppendError> {
        if self.is_full.load(Ordering::Relaxed)
            && let Some(place) = self.full.lock().clone()
        {
            return Err(AppendError::Full { place });
        }
        let waiting = Backlog {
            entries: self.waiting.load(Ordering::Relaxed),
            bytes: self.waiting_bytes.load(Ordering::Relaxed),
        };
        if waiting.reaches(MOST_WAITING) {
            return Err(AppendError::Behind { waiting: waiting.entries });
        }
        self.witnessed_lately()
    }

    /// Writes a group, as its leader.
    fn commit(&self, group: Vec<Asked>) -> Vec<Outcome> {
        let mut writer = self.writer.lock();
        if let Some(failure) = self.failure.get() {
            return vec![Err(AppendError::Closed(Arc::clone(failure))); group.len()];
        }
        let kinds: Vec<Kind> = group.iter().map(|asked| asked.kind).collect();
        let leaves: Vec<Leaf> = group.into_iter().map(|asked| asked.leaf).collect();
        let place = writer.ahead.place();
        let append = |source| Failure::Append { place: place.clone(), source };
        let taken = match writer.ahead.make_room(&leaves) {
            Ok(Room::Enough) => Taken { leaves, questions: true, records: true },
            Ok(Room::Nothing | Room::Reserve) => {
                self.note_full(&place);
                let records = leaves.into_iter().zip(&kinds);
                let records = records.filter(|(_, kind)| **kind == Kind::Record);
                let leaves: Vec<Leaf> = records.map(|(leaf, _)| leaf).collect();
                match writer.ahead.make_room(&leaves) {
                    Ok(Room::Enough | Room::Reserve) => {
                        Taken { leaves, questions: false, records: true }
                    }
                    Ok(Room::Nothing) => {
                        Taken { leaves: Vec::new(), questions: false, records: false }
                    }
                    Err(source) => return self.closed_for(append(source), kinds.len()),
                }
            }
            Err(source) => return self.closed_for(append(source), kinds.len()),
        };
        let first = writer.next;
        if !taken.leaves.is_empty() {
            if let Err(source) = writer.ahead.write(first, &taken.leaves) {
                return self.closed_for(append(source), kinds.len());
            }
            self.syncs.fetch_add(1, Ordering::Relaxed);
        }
        let outcomes = taken.outcomes(first, &kinds, &place);
        self.keep(&mut writer, taken.leaves);
        outcomes
    }

    /// Keeps what is durable until it is integrated.
    fn keep(&self, writer: &mut Writer, leaves: Vec<Leaf>) {
        writer.next += leaves.len() as u64;
        let bytes: usize = leaves.iter().map(|leaf| leaf.bytes.len()).sum();
        writer.tail.extend(leaves);
        // Only the holder of `writer` changes either.
        let entries = writer.tail.len() as u64;
        let bytes = self.waiting_bytes.load(Ordering::Relaxed) + bytes as u64;
        self.waiting.store(entries, Ordering::Relaxed);
        self.waiting_bytes.store(bytes, Ordering::Relaxed);
        if (Backlog { entries, bytes }).reaches(DUE) {
            let mut due = self.due.lock();
            if !due.checkpoint {
                due.checkpoint = true;
                self.due_changed.notify_all();
            }
        }
    }

    /// Waits until a checkpoint is due: after `at_most`, after many entries, or because the log is to end.
    pub fn wait(&self, at_most: Duration) -> Wake {
        let mut due = self.due.lock();
        let _timed_out =
            self.due_changed.wait_while_for(&mut due, |due| !due.checkpoint && !due.stop, at_most);
        due.checkpoint = false;
        if due.stop { Wake::Stop } else { Wake::Checkpoint }
    }

    /// Tells whoever is in [`Log::wait`] to integrate once more and end.
    pub fn stop(&self) {
        self.due.lock().stop = true;
        self.due_changed.notify_all();
    }

    /// Why the log is closed, if it is: then the program must stop.
    pub fn failed(&self) -> Option<&Arc<Failure>> {
        self.failure.get()
    }

    /// The log's name.
    pub fn origin(&self) -> &Origin {
        &self.origin
    }

    /// The public key that its checkpoints are signed with.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// How many syncs of write-ahead batches there were.
    pub fn syncs(&self) -> u64 {
        self.syncs.load(Ordering::Relaxed)
    }

    fn signer(&self) -> Signer<'_> {
        Signer::log(self.origin.key_name().clone(), &self.key)
    }

    fn note_full(&self, place: &str) {
        *self.full.lock() = Some(place.to_owned());
        self.is_full.store(true, Ordering::Relaxed);
    }

    fn note_room(&self) {
        if self.is_full.swap(false, Ordering::Relaxed) {
            *self.full.lock() = None;
        }
    }

    /// Closes the log. The first failure is the one that is told.
    fn close(&self, failure: Failure) -> Arc<Failure> {
        let failure = Arc::clone(self.failure.get_or_init(|| Arc::new(failure)));
        self.stop();
        failure
    }

    fn closed_for(&self, failure: Failure, count: usize) -> Vec<Outcome> {
        // A crash after this leaves a batch that is torn, whole or absent. Nobody was answered on it.
        let failure = self.close(failure);
        vec![Err(AppendError::Closed(failure)); count]
    }

    fn closed_by_a_lost_outcome(&self) -> AppendError {
        let source = std::io::Error::other("a group of entries was not answered as a whole");
        let place = self.writer.lock().ahead.place();
        AppendError::Closed(self.close(Failure::Append { place, source }))
    }
}

/// What of a group is written.
struct Taken {
    leaves: Vec<Leaf>,
    questions: bool,
    records: bool,
}

impl Taken {
    fn outcomes(&self, first: u64, kinds: &[Kind], place: &str) -> Vec<Outcome> {
        let mut next = first;
        let outcome = |kind: &Kind| {
            let taken = match kind {
                Kind::Question => self.questions,
                Kind::Record => self.records,
            };
            if !taken {
                return Err(AppendError::Full { place: place.to_owned() });
            }
            let index = next;
            next += 1;
            Ok(index)
        };
        kinds.iter().map(outcome).collect()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Log({})", self.origin)
    }
}

#[cfg(test)]
mod tests;
