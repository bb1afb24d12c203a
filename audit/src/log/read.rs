//! Reading a log back: entries, proofs, and promises of proofs.

use super::edge::Published;
use super::{Log, LogReceipt};
use crate::checkpoint::{CheckpointError, Origin};
use crate::note::{Note, NoteError, VerifierKey};
use crate::receipt::Receipt;
use crate::tile::{
    LONGEST_BUNDLE, Level, TileError, TileHashes, TileHashesError, TilePath, WIDTH, decimal,
    parse_bundle,
};
use crate::tree::{Hash, prove_consistency, prove_inclusion};
use mayag_protocol::timestamp::Timestamp;
use std::io;
use std::ops::ControlFlow;
use std::time::Duration;

/// A promise is kept within this time: five times the second in which a checkpoint is due.
pub const PROMISE: Duration = Duration::from_secs(5);
/// The first line of a promise. The second is an origin and not a number, so a promise is never a checkpoint.
const PROMISE_HEADER: &str = "mayag/log-promise/v1";

/// Why something was not read back.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The bundle is malformed.
    #[error("`{path}`: {source}")]
    Malformed {
        /// The file.
        path: TilePath,
        /// What is wrong with it.
        source: TileError,
    },
    /// The bundle is not there.
    #[error("`{path}` is missing")]
    Missing {
        /// The file.
        path: TilePath,
    },
    /// No such entry is under a checkpoint of the kind asked for.
    #[error("entry {index} is not under such a checkpoint yet; it has {size} entries")]
    NotYet {
        /// The entry.
        index: u64,
        /// The size of the checkpoint, 0 if there is none.
        size: u64,
    },
    /// The bundle was not read.
    #[error("`{path}` was not read: {source}")]
    Read {
        /// The file.
        path: TilePath,
        /// What the operating system said.
        source: io::Error,
    },
    /// A tile was not read.
    #[error(transparent)]
    Tile(#[from] TileHashesError),
}

/// Which checkpoint a proof is to be made under.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Under {
    /// The newest that a quorum of witnesses cosigned.
    Cosigned,
    /// The newest that is published.
    Published,
}

/// What a log promises to whom it cannot give a proof yet: that the entry will be under a checkpoint in time. One that is not
/// kept is evidence against the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promise {
    /// The log.
    pub origin: Origin,
    /// The entry's position.
    pub index: u64,
    /// Its leaf hash.
    pub leaf: Hash,
    /// When a checkpoint will cover it.
    pub deadline: Timestamp,
}

/// Why a note is no promise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromiseError {
    /// Not signed by the log.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// Not the five lines of a promise.
    #[error("not a promise: header, origin, index, leaf hash, deadline")]
    Shape,
}

impl Log {
    /// The proof that a checkpoint covers an entry, O(log n) reads.
    pub fn receipt(&self, index: u64, under: Under) -> Result<Receipt, ReadError> {
        let checkpoint = match under {
            Under::Cosigned => self.cosigned().map(|cosigned| cosigned.note),
            Under::Published => self.checkpoint(),
        };
        let size = checkpoint.as_ref().map_or(0, |note| note.checkpoint().head.size);
        let checkpoint =
            checkpoint.filter(|_| index < size).ok_or(ReadError::NotYet { index, size })?;
        let proof = prove_inclusion(&mut self.hashes(), index, size)?;
        Ok(Receipt::new(index, proof, checkpoint))
    }

    /// The proof that the tree of `new` entries begins with that of `old`, for a witness that holds the latter.
    pub fn consistency(&self, old: u64, new: u64) -> Result<Vec<Hash>, ReadError> {
        Ok(prove_consistency(&mut self.hashes(), old, new)?)
    }

    /// The entry at `index`, once it is published.
    pub fn entry(&self, index: u64) -> Result<Vec<u8>, ReadError> {
        let size = self.published_size();
        let path = TilePath::of(Level::Entries, index / WIDTH, size)
            .ok_or(ReadError::NotYet { index, size })?;
        let (found, bytes) = self.bundle(path)?;
        let entries = parse(found, &bytes)?;
        let place = usize::try_from(index % WIDTH).unwrap_or(usize::MAX);
        let entry = entries.get(place).ok_or(ReadError::NotYet { index, size })?;
        Ok(entry.to_vec())
    }

    /// Hands out the published entries, the newest first, until `each` has seen enough. Right after opening that is every
    /// entry. Memory: one bundle.
    pub fn newest_first(
        &self,
        mut each: impl FnMut(u64, &[u8]) -> ControlFlow<()>,
    ) -> Result<(), ReadError> {
        let size = self.published_size();
        for bundle in (0..size.div_ceil(WIDTH)).rev() {
            let Some(path) = TilePath::of(Level::Entries, bundle, size) else { continue };
            let (found, bytes) = self.bundle(path)?;
            let entries = parse(found, &bytes)?;
            let known = entries.iter().take(usize::from(path.width()));
            for (index, entry) in
                (bundle * WIDTH..).zip(known).collect::<Vec<_>>().into_iter().rev()
            {
                if each(index, entry).is_break() {
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Promises a checkpoint over an entry that is durable, for whoever cannot wait for the proof.
    pub fn promise(&self, receipt: &LogReceipt) -> Result<Note, NoteError> {
        let deadline = self.clock.now().plus(PROMISE);
        let LogReceipt { origin, index, leaf } = receipt.clone();
        Note::sign(Promise { origin, index, leaf, deadline }.to_text(), &self.signer())
    }

    fn hashes(&self) -> TileHashes<Published<'_>> {
        TileHashes::new(Published(self.published.as_ref()), self.published_size())
    }

    fn published_size(&self) -> u64 {
        self.checkpoint().map_or(0, |note| note.checkpoint().head.size)
    }

    /// A bundle; where a partial one is gone, the full one that took its place.
    fn bundle(&self, path: TilePath) -> Result<(TilePath, Vec<u8>), ReadError> {
        let read = |path: TilePath| {
            self.published
                .read(&path.to_string(), LONGEST_BUNDLE)
                .map_err(|source| ReadError::Read { path, source })
        };
        match read(path)? {
            Some(bytes) => Ok((path, bytes)),
            None => Ok((path.full(), read(path.full())?.ok_or(ReadError::Missing { path })?)),
        }
    }
}

fn parse(path: TilePath, bytes: &[u8]) -> Result<Vec<&[u8]>, ReadError> {
    parse_bundle(bytes, path.width()).map_err(|source| ReadError::Malformed { path, source })
}

impl Promise {
    /// Reads a promise that the log with this key made.
    pub fn open(note: &Note, key: &VerifierKey) -> Result<Self, PromiseError> {
        note.open(std::slice::from_ref(key))?;
        let parsed = Self::parse(note.text()).ok_or(PromiseError::Shape)?;
        if parsed.origin.as_str() == key.name().as_str() {
            Ok(parsed)
        } else {
            Err(PromiseError::Shape)
        }
    }

    fn parse(text: &str) -> Option<Self> {
        let mut lines = text.strip_suffix('\n')?.split('\n');
        let mut line = || lines.next();
        if line()? != PROMISE_HEADER {
            return None;
        }
        let origin: Result<Origin, CheckpointError> = line()?.parse();
        let (index, leaf, deadline) =
            (decimal(line()?)?, line()?.parse().ok()?, line()?.parse().ok()?);
        lines.next().is_none().then_some(Self { origin: origin.ok()?, index, leaf, deadline })
    }

    fn to_text(&self) -> String {
        let Self { origin, index, leaf, deadline } = self;
        format!("{PROMISE_HEADER}\n{origin}\n{index}\n{leaf}\n{deadline}\n")
    }
}
