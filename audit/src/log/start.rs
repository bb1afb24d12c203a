//! Beginning a log, and going on with one after any stop.
//!
//! A new origin is made by [`Log::init`] alone; opening never makes one, so that a folder that is missing is an error and
//! not a second history. Opening compares what was signed last, what is published, what was written ahead and what
//! witnesses hold. Either it finds one history and goes on, or it refuses with the file, what it found and what to do;
//! until all is compared, nothing but what was signed already is written.

use super::commit::Queue;
use super::door::{Door, Folder};
use super::edge::{Edge, EdgeError, Published};
use super::error::Failure;
use super::integrate::{CHECKPOINT, Integrator, LAST_SIGNED, Publication, exchange, grow, publish};
use super::wal::{Ahead, BeginError, Leaf, RecoverError, Recovered, recover};
use super::witness::{COSIGNED, Cosigned, Shown, Witnessing, quorum_time};
use super::{Due, Log, Writer};
use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointNote, Origin};
use crate::keys::SigningKey;
use crate::note::{LONGEST_NOTE, NoteError, Signer};
use crate::tile::TileHashes;
use crate::tree::{Head, empty_root, root};
use mayag_protocol::timestamp::Clock;
use parking_lot::{Condvar, Mutex};
use std::io;
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, OnceLock};

/// Whose log it is and how it is kept.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The log's name.
    pub origin: Origin,
    /// The key that its checkpoints are signed with, and nothing else.
    pub key: Arc<SigningKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Its witnesses, if it has any.
    pub witnessing: Option<Witnessing>,
}

impl Settings {
    fn signer(&self) -> Signer<'_> {
        Signer::log(self.origin.key_name().clone(), &self.key)
    }
}

/// The newest checkpoint of this log that somebody else holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// Who.
    pub witness: String,
    /// Its size and root.
    pub head: Head,
}

/// Why a log was not begun or opened. Nothing was answered on it.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// There is a log already.
    #[error("`{file}` is there already: this log was begun before, open it")]
    Begun {
        /// The file.
        file: String,
    },
    /// Nothing was ever begun here.
    #[error(
        "`{file}` is not there: begin the log first; if it was begun before, its folders are not mounted or were removed"
    )]
    NotBegun {
        /// The file.
        file: String,
    },
    /// Another process has it.
    #[error("another process holds the lock of `{place}`: stop it first, a log has one writer")]
    Locked {
        /// The folder.
        place: String,
    },
    /// One of the two files that say how far the log is was removed.
    #[error(
        "`{missing}` is not there, but `{there}` is: without it nobody knows what was signed. Put it back if it is on another \
         volume; otherwise open a new origin whose first entry names this one. Never make it up"
    )]
    Missing {
        /// The file that is not there.
        missing: String,
        /// The file that is.
        there: String,
    },
    /// A file was not read.
    #[error("`{file}` was not read: {source}")]
    Read {
        /// The file.
        file: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// A file is no checkpoint.
    #[error("`{file}` is not a checkpoint: {source}; put back the file, it is never made anew")]
    NotACheckpoint {
        /// The file.
        file: String,
        /// Why.
        source: CheckpointError,
    },
    /// Another key signed.
    #[error(
        "`{file}` is not signed by the key of this log: {source}; look whether key and folder belong together"
    )]
    OtherKey {
        /// The file.
        file: String,
        /// Why.
        source: NoteError,
    },
    /// Another log.
    #[error(
        "`{file}` is of the log `{found}`, not of `{expected}`; look whether configuration and folder belong together"
    )]
    OtherOrigin {
        /// The file.
        file: String,
        /// Whose it is.
        found: Origin,
        /// Whose it should be.
        expected: Origin,
    },
    /// More is published than was signed here.
    #[error(
        "`{file}` has {published} entries, but only {signed} were signed according to `{guard}`: an old `last-signed` was put \
         back. Put back the newest, or open a new origin whose first entry names this one"
    )]
    PublishedAhead {
        /// The published checkpoint.
        file: String,
        /// Its size.
        published: u64,
        /// The guard's file.
        guard: String,
        /// Its size.
        signed: u64,
    },
    /// Two checkpoints of one size, with two roots.
    #[error(
        "`{one}` and {other} both have {size} entries and different roots: two histories were signed with this key. Keep both \
         as evidence, stop, and find out who signed the other"
    )]
    Forked {
        /// One file.
        one: String,
        /// The other, or who holds it.
        other: String,
        /// The size of both.
        size: u64,
    },
    /// Somebody saw more entries than there are.
    #[error(
        "{witness} holds a checkpoint of {held} entries, but this log was last signed with {signed}: it was rolled back, for \
         instance by putting back a backup. Put back the newest folders; if they are lost, open a new origin whose first entry \
         names this one"
    )]
    RolledBack {
        /// Who.
        witness: String,
        /// The size that was seen.
        held: u64,
        /// The size here.
        signed: u64,
    },
    /// A tile or bundle at the end of the log is missing or changed.
    #[error(
        "in `{place}`: {source}; put back the published files from a copy and let `verify` look at all of them"
    )]
    Tiles {
        /// The folder.
        place: String,
        /// What is wrong.
        source: EdgeError,
    },
    /// The tiles at the end lead to another root than was published.
    #[error(
        "the last tiles in `{place}` do not have the root of `{file}` ({size} entries): a tile was changed. Put back the \
         published files from a copy and let `verify` look at all of them"
    )]
    OtherRoot {
        /// The folder.
        place: String,
        /// The checkpoint.
        file: String,
        /// Its size.
        size: u64,
    },
    /// What was written ahead is damaged.
    #[error(transparent)]
    Recover(#[from] RecoverError),
    /// Entries that were signed are not there.
    #[error(
        "{signed} entries were signed according to `{guard}`, but only {found} are published or written ahead: entries are \
         lost, or an old log folder was put back. Put back the newest folders; if they are lost, open a new origin whose first \
         entry names this one"
    )]
    Lost {
        /// The guard's file.
        guard: String,
        /// How many were signed.
        signed: u64,
        /// How many there are.
        found: u64,
    },
    /// What was written ahead is not what was signed.
    #[error(
        "the entries written ahead do not lead to the root that was signed over {signed} entries according to `{guard}`: one \
         of the two was changed. Keep both as evidence, and open a new origin whose first entry names this one"
    )]
    OtherEntries {
        /// The guard's file.
        guard: String,
        /// How many were signed.
        signed: u64,
    },
    /// Something was not written; the next start tries again.
    #[error("the log was not brought up to date: {0}")]
    Write(#[from] Failure),
    /// The write-ahead areas were not prepared.
    #[error(transparent)]
    Ahead(#[from] BeginError),
}

impl Log {
    /// Begins a log: signs and publishes the checkpoint of the empty tree. Only ever done by somebody's order.
    pub fn init(door: &Door, settings: &Settings) -> Result<(), StartError> {
        let (published, guard) = (door.published.as_ref(), door.guard.as_ref());
        lock(published)?;
        lock(guard)?;
        for (folder, name) in [(guard, LAST_SIGNED), (published, CHECKPOINT)] {
            if read(folder, name)?.is_some() {
                return Err(StartError::Begun { file: file(folder, name) });
            }
        }
        let head = Head { size: 0, root: empty_root() };
        let note = sign(settings, head)?;
        // A crash here leaves nothing; begin again.
        exchange(guard, &[], &note)?;
        // A crash here leaves `last-signed` alone, with no entries; opening publishes it.
        publish(published, &Publication { files: Vec::new(), note, outgrown: Vec::new() })?;
        Ok(())
    }

    /// Goes on with a log. `held` is what witnesses, asked a moment ago, said they hold of it. O(entries written ahead).
    pub fn open(door: Door, settings: Settings, held: &[Held]) -> Result<Self, StartError> {
        let Door { published, guard, ahead } = door;
        lock(published.as_ref())?;
        lock(guard.as_ref())?;
        let files =
            Files { published: published.as_ref(), guard: guard.as_ref(), settings: &settings };
        let Found { signed, shown } = files.compare()?;
        let cosigned = files.cosigned(shown.as_ref())?;
        let mut held = held.to_vec();
        held.extend(cosigned.iter().map(|cosigned| Held {
            witness: format!("`{}`", file(published.as_ref(), COSIGNED)),
            head: cosigned.note.checkpoint().head,
        }));
        not_rolled_back(&held, &signed)?;
        let from = shown.as_ref().map_or(0, |note| note.checkpoint().head.size);
        let mut edge = files.edge(from, shown.as_ref())?;
        let Recovered { leaves, next_generation } = recover(&ahead, from)?;
        let current = files.finish(&mut edge, &signed, shown, &leaves)?;
        files.not_forked(&held, &signed)?;
        let newest = files.take_in(&mut edge, &signed, &leaves, from)?.unwrap_or(current);
        // A crash up to here leaves entries that are published and still written ahead: the next start knows them by
        // their index. From here on the areas may be written over.
        let ahead = Ahead::begin(ahead, next_generation)?;
        let size = newest.checkpoint().head.size;
        let last_signed = read(guard.as_ref(), LAST_SIGNED)?.unwrap_or_default();
        let verifier = settings.signer().verifier().clone();
        let policy = settings.witnessing.as_ref().map(|witnessing| &witnessing.policy);
        let shown = Shown::new(&newest, cosigned, (policy, settings.clock.now()));
        Ok(Self {
            origin: settings.origin,
            verifier,
            key: settings.key,
            clock: settings.clock,
            witnessing: settings.witnessing,
            published,
            guard,
            queue: Queue::default(),
            writer: Mutex::new(Writer { ahead, next: size, tail: Vec::new() }),
            integrator: Mutex::new(Integrator {
                edge,
                last_signed,
                published: size,
                unpublished: None,
            }),
            shown: Mutex::new(shown),
            failure: OnceLock::new(),
            full: Mutex::new(None),
            is_full: AtomicBool::new(false),
            waiting: AtomicU64::new(0),
            waiting_bytes: AtomicU64::new(0),
            due: Mutex::new(Due::default()),
            due_changed: Condvar::new(),
            syncs: AtomicU64::new(0),
        })
    }
}

/// The checkpoints that were found.
struct Found {
    /// In the guard.
    signed: CheckpointNote,
    /// Published; nothing if beginning ended before that.
    shown: Option<CheckpointNote>,
}

/// The folders while they are compared.
struct Files<'a> {
    published: &'a dyn Folder,
    guard: &'a dyn Folder,
    settings: &'a Settings,
}

impl Files<'_> {
    fn compare(&self) -> Result<Found, StartError> {
        let signed = self.checkpoint(self.guard, LAST_SIGNED)?;
        let shown = self.checkpoint(self.published, CHECKPOINT)?;
        let (guard, checkpoint) = (file(self.guard, LAST_SIGNED), file(self.published, CHECKPOINT));
        let (signed, shown) = match (signed, shown) {
            (None, None) => return Err(StartError::NotBegun { file: guard }),
            (None, Some(_)) => {
                return Err(StartError::Missing { missing: guard, there: checkpoint });
            }
            (Some(signed), None) if signed.checkpoint().head.size == 0 => {
                // Beginning ended between the two.
                return Ok(Found { signed, shown: None });
            }
            (Some(_), None) => {
                return Err(StartError::Missing { missing: checkpoint, there: guard });
            }
            (Some(signed), Some(shown)) => (signed, shown),
        };
        let (here, there) = (signed.checkpoint().head, shown.checkpoint().head);
        if here.size < there.size {
            let (published, signed) = (there.size, here.size);
            return Err(StartError::PublishedAhead { file: checkpoint, published, guard, signed });
        }
        if here.size == there.size && here.root != there.root {
            let other = format!("`{checkpoint}`");
            return Err(StartError::Forked { one: guard, other, size: here.size });
        }
        Ok(Found { signed, shown: Some(shown) })
    }

    /// A checkpoint of this log, signed by its key; nothing if there is no such file.
    fn checkpoint(
        &self,
        folder: &dyn Folder,
        name: &str,
    ) -> Result<Option<CheckpointNote>, StartError> {
        let Some(bytes) = read(folder, name)? else { return Ok(None) };
        let file = file(folder, name);
        let note = CheckpointNote::parse(&bytes)
            .map_err(|source| StartError::NotACheckpoint { file: file.clone(), source })?;
        let (found, expected) = (&note.checkpoint().origin, &self.settings.origin);
        if found != expected {
            let (found, expected) = (found.clone(), expected.clone());
            return Err(StartError::OtherOrigin { file, found, expected });
        }
        let key = self.settings.signer().verifier().clone();
        note.note().open(&[key]).map_err(|source| StartError::OtherKey { file, source })?;
        Ok(Some(note))
    }

    /// The newest checkpoint with a quorum: in its own file, or published with its cosignatures.
    fn cosigned(&self, shown: Option<&CheckpointNote>) -> Result<Option<Cosigned>, StartError> {
        let own = self.checkpoint(self.published, COSIGNED)?;
        let Some(witnessing) = &self.settings.witnessing else { return Ok(None) };
        let now = self.settings.clock.now();
        let newest = [shown, own.as_ref()].into_iter().flatten().find_map(|note| {
            let at = quorum_time(note, &witnessing.policy, now)?;
            Some(Cosigned { note: note.clone(), at })
        });
        Ok(newest)
    }

    fn edge(&self, from: u64, shown: Option<&CheckpointNote>) -> Result<Edge, StartError> {
        let place = self.published.place();
        let edge = Edge::read(self.published, from)
            .map_err(|source| StartError::Tiles { place: place.clone(), source })?;
        if shown.is_some_and(|shown| shown.checkpoint().head != edge.head()) {
            let file = file(self.published, CHECKPOINT);
            return Err(StartError::OtherRoot { place, file, size: from });
        }
        Ok(edge)
    }

    /// Publishes what was signed and is not published yet.
    fn finish(
        &self,
        edge: &mut Edge,
        signed: &CheckpointNote,
        shown: Option<CheckpointNote>,
        leaves: &[Leaf],
    ) -> Result<CheckpointNote, StartError> {
        let guard = || file(self.guard, LAST_SIGNED);
        let (from, head) = (edge.head().size, signed.checkpoint().head);
        let missing = usize::try_from(head.size - from).unwrap_or(usize::MAX);
        let Some(leaves) = leaves.get(..missing) else {
            let found = from + leaves.len() as u64;
            return Err(StartError::Lost { guard: guard(), signed: head.size, found });
        };
        let (files, outgrown) = grow(edge, leaves).map_err(Failure::Sign)?;
        if edge.head() != head {
            return Err(StartError::OtherEntries { guard: guard(), signed: head.size });
        }
        match shown {
            Some(shown) if missing == 0 => Ok(shown),
            Some(_) | None => {
                publish(self.published, &Publication { files, note: signed.clone(), outgrown })?;
                Ok(signed.clone())
            }
        }
    }

    /// Holds what others have seen against the tree as it was then, O(log n) each.
    fn not_forked(&self, held: &[Held], signed: &CheckpointNote) -> Result<(), StartError> {
        let size = signed.checkpoint().head.size;
        let mut hashes = TileHashes::new(Published(self.published), size);
        for Held { witness, head } in held {
            let ours = root(&mut hashes, head.size).map_err(|source| StartError::Tiles {
                place: self.published.place(),
                source: source.into(),
            })?;
            if ours != head.root {
                let one = file(self.published, CHECKPOINT);
                return Err(StartError::Forked {
                    one,
                    other: format!("what {witness} holds"),
                    size: head.size,
                });
            }
        }
        Ok(())
    }

    /// Signs and publishes what was written ahead and never signed.
    fn take_in(
        &self,
        edge: &mut Edge,
        signed: &CheckpointNote,
        leaves: &[Leaf],
        from: u64,
    ) -> Result<Option<CheckpointNote>, StartError> {
        let done = usize::try_from(edge.head().size - from).unwrap_or(usize::MAX);
        let rest = leaves.get(done..).unwrap_or_default();
        if rest.is_empty() {
            return Ok(None);
        }
        let (files, outgrown) = grow(edge, rest).map_err(Failure::Sign)?;
        let note = sign(self.settings, edge.head())?;
        exchange(self.guard, &signed.to_bytes(), &note)?;
        publish(self.published, &Publication { files, note: note.clone(), outgrown })?;
        Ok(Some(note))
    }
}

fn not_rolled_back(held: &[Held], signed: &CheckpointNote) -> Result<(), StartError> {
    let signed = signed.checkpoint().head.size;
    match held.iter().find(|held| signed < held.head.size) {
        Some(Held { witness, head }) => {
            Err(StartError::RolledBack { witness: witness.clone(), held: head.size, signed })
        }
        None => Ok(()),
    }
}

fn sign(settings: &Settings, head: Head) -> Result<CheckpointNote, Failure> {
    let checkpoint = Checkpoint { origin: settings.origin.clone(), head };
    Ok(checkpoint.sign(&settings.signer())?)
}

fn lock(folder: &dyn Folder) -> Result<(), StartError> {
    match folder.lock() {
        Ok(true) => Ok(()),
        Ok(false) => Err(StartError::Locked { place: folder.place() }),
        Err(source) => Err(StartError::Read { file: folder.place(), source }),
    }
}

fn read(folder: &dyn Folder, name: &str) -> Result<Option<Vec<u8>>, StartError> {
    folder
        .read(name, LONGEST_NOTE)
        .map_err(|source| StartError::Read { file: file(folder, name), source })
}

fn file(folder: &dyn Folder, name: &str) -> String {
    format!("{}/{name}", folder.place())
}
