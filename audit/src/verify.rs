//! Verifying a whole log offline, from the bytes of its entries.
//!
//! Every entry is hashed, every tile of every level is compared with what the entries give, and the root with the
//! checkpoint, whose signatures and quorum are checked. Nothing that the log says about itself is used: a verifier that
//! only follows hashes from tile to tile accepts an entry that was replaced together with its hash.
//!
//! One pass, O(n) time, and memory for a few bundles and one tile per level; other threads read and hash ahead ([`ahead`]).
//! The first thing that does not fit is named with its file. Entries are shown while they are read, before the root is known to fit: what was made of them counts only if
//! [`verify`] returns [`Verified`].

use crate::checkpoint::CheckpointNote;
use crate::quorum::{Accepted, Policy, QuorumError};
use crate::tile::{HEIGHT, Level, TileError, TilePath, Tiles, WIDTH, subtree};
use crate::tree::{Frontier, Hash, Head};
use mayag_protocol::timestamp::Timestamp;
use std::{io, thread};

mod ahead;

use self::ahead::{Ahead, Bundle, read_hashes};

/// The path of the checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// What a log is verified against.
#[derive(Debug, Clone, Copy)]
pub struct Against<'a> {
    /// Whose signatures are believed.
    pub policy: &'a Policy,
    /// The present, for cosignatures from the future.
    pub now: Timestamp,
    /// A checkpoint that somebody kept, which the log must continue.
    pub older: Option<&'a [u8]>,
}

/// Who is shown the entries on the way.
pub trait Watch {
    /// The checkpoint is believed, and the entries under it come next.
    fn begins(&mut self, _checkpoint: &Accepted) {}
    /// An entry, in order, with the hash it has in the tree. A reason given here is the fault of this entry.
    fn entry(&mut self, index: u64, bytes: &[u8], hash: &Hash) -> Result<(), String>;
    /// So many entries of so many are done; called once per bundle.
    fn progress(&mut self, _done: u64, _of: u64) {}
}

/// Watches nothing.
impl Watch for () {
    fn entry(&mut self, _index: u64, _bytes: &[u8], _hash: &Hash) -> Result<(), String> {
        Ok(())
    }
}

/// A log that verified. Only [`verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified {
    checkpoint: Accepted,
    frontier: Frontier,
}

impl Verified {
    /// The checkpoint.
    pub fn checkpoint(&self) -> &Accepted {
        &self.checkpoint
    }

    /// The right edge of the tree, to append to.
    pub fn frontier(&self) -> &Frontier {
        &self.frontier
    }
}

/// The first thing that does not fit.
#[derive(Debug, thiserror::Error)]
#[error("`{file}`{}: {wrong}", At(.entry))]
pub struct Fault {
    /// The file, by its path in the log's folder.
    pub file: String,
    /// The entry, where it is about one.
    pub entry: Option<u64>,
    /// What is wrong.
    pub wrong: Wrong,
}

struct At<'a>(&'a Option<u64>);

impl std::fmt::Display for At<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |index| write!(f, ", entry {index}"))
    }
}

/// What is wrong with a log.
#[derive(Debug, thiserror::Error)]
pub enum Wrong {
    /// The checkpoint is not believed.
    #[error(transparent)]
    Checkpoint(QuorumError),
    /// The reader of entries refused one.
    #[error("{0}")]
    Entry(String),
    /// The entry is not the one whose hash stands in the tree.
    #[error("the entry does not have the hash that `{tile}` gives it")]
    EntryHash {
        /// The tile of hashes.
        tile: TilePath,
    },
    /// The log does not continue the older checkpoint: it forked, or was rolled back and written anew.
    #[error(
        "the log does not continue the older checkpoint of {size} entries: both are signed, so it forked"
    )]
    Fork {
        /// The older checkpoint's size.
        size: u64,
    },
    /// The bundle is not one.
    #[error(transparent)]
    Malformed(TileError),
    /// There is no such file.
    #[error("the file is missing")]
    Missing,
    /// The older checkpoint is none of this log.
    #[error("the older checkpoint: {0}")]
    Older(QuorumError),
    /// The older checkpoint is of another log.
    #[error("the older checkpoint is of another log")]
    OlderOrigin,
    /// Reading failed.
    #[error("the file cannot be read: {0}")]
    Read(#[source] io::Error),
    /// The log has fewer entries than the older checkpoint.
    #[error("the older checkpoint has {size} entries, more than the log: its end was cut off")]
    RolledBack {
        /// The older checkpoint's size.
        size: u64,
    },
    /// Entries and tiles fit each other, but not the checkpoint.
    #[error("the entries lead to another root than the checkpoint signs")]
    Root,
    /// A hash of a tile is not what the entries give.
    #[error("hash {place} is not that of entries {first} to {last}")]
    TileHash {
        /// Its place in the tile.
        place: u64,
        /// The first entry under it.
        first: u64,
        /// The last entry under it.
        last: u64,
    },
}

/// Verifies the log in a folder, from its first entry to the checkpoint.
pub fn verify<T: Tiles + ?Sized>(
    tiles: &T,
    against: &Against<'_>,
    watch: &mut dyn Watch,
) -> Result<Verified, Fault> {
    let fault = |wrong| Fault { file: CHECKPOINT.to_owned(), entry: None, wrong };
    let bytes = tiles.read(CHECKPOINT).map_err(|error| fault(Wrong::Read(error)))?;
    let bytes = bytes.ok_or_else(|| fault(Wrong::Missing))?;
    let checkpoint = against
        .policy
        .check(&bytes, against.now)
        .map_err(|error| fault(Wrong::Checkpoint(error)))?;
    let Head { size, root } = checkpoint.note().checkpoint().head;
    let older = older(against, checkpoint.note())?;
    watch.begins(&checkpoint);
    let mut pass = Pass {
        tiles,
        size,
        older,
        frontier: Frontier::default(),
        levels: vec![Vec::new(); LEVELS],
    };
    pass.at_older()?;
    thread::scope(|scope| {
        let ahead = Ahead::begin(scope, tiles, size);
        for index in 0..size.div_ceil(WIDTH) {
            let Some(bundle) = ahead.bundle(index)? else { break };
            pass.bundle(index, &bundle, watch)?;
            watch.progress(pass.frontier.size(), size);
        }
        Ok(())
    })?;
    for level in 1..LEVELS {
        pass.flush(level)?;
    }
    if pass.frontier.root() != root {
        return Err(fault(Wrong::Root));
    }
    Ok(Verified { checkpoint, frontier: pass.frontier })
}

/// Reads the older checkpoint: signed by the same log, and not larger.
fn older(against: &Against<'_>, newer: &CheckpointNote) -> Result<Option<Head>, Fault> {
    let fault = |wrong| Fault { file: "older checkpoint".to_owned(), entry: None, wrong };
    let Some(bytes) = against.older else { return Ok(None) };
    let older = against.policy.check_log(bytes).map_err(|error| fault(Wrong::Older(error)))?;
    let (older, newer) = (older.checkpoint(), newer.checkpoint());
    if older.origin != newer.origin {
        return Err(fault(Wrong::OlderOrigin));
    }
    if newer.head.size < older.head.size {
        return Err(fault(Wrong::RolledBack { size: older.head.size }));
    }
    Ok(Some(older.head))
}

/// Tiles of sizes below `2^63` have eight levels.
const LEVELS: usize = 8;

struct Pass<'a, T: ?Sized> {
    tiles: &'a T,
    size: u64,
    older: Option<Head>,
    frontier: Frontier,
    /// Per level, the hashes of the tile that is being filled.
    levels: Vec<Vec<Hash>>,
}

impl<T: Tiles + ?Sized> Pass<'_, T> {
    /// Compares a bundle with its tile of level 0.
    fn bundle(&mut self, index: u64, bundle: &Bundle, watch: &mut dyn Watch) -> Result<(), Fault> {
        let (tile_file, tile) = &bundle.tile;
        let start = index * WIDTH;
        let fault =
            |entry, wrong| Fault { file: bundle.file.to_string(), entry: Some(entry), wrong };
        let mut found = bundle.entries();
        for (entry, expected) in (start..).zip(tile) {
            let (bytes, hash) = found
                .next()
                .unwrap_or(Err(TileError::Early))
                .map_err(|error| fault(entry, Wrong::Malformed(error)))?;
            if hash != *expected {
                return Err(self.which(&bundle.file, *tile_file, tile, entry));
            }
            watch
                .entry(entry, bytes, &hash)
                .map_err(|reason| fault(entry, Wrong::Entry(reason)))?;
            let levels = &mut self.levels;
            self.frontier.push(hash, |node| {
                let above = usize::try_from(node.height / HEIGHT).ok();
                if node.height.is_multiple_of(HEIGHT)
                    && let Some(level) = above.filter(|level| 0 < *level)
                    && let Some(level) = levels.get_mut(level)
                {
                    level.push(node.hash);
                }
            });
            self.at_older()?;
        }
        let is_its_own = TilePath::of(Level::Entries, index, self.size) == Some(bundle.file);
        if is_its_own && found.next().is_some() {
            let file = bundle.file.to_string();
            return Err(Fault { file, entry: None, wrong: Wrong::Malformed(TileError::Late) });
        }
        for level in 1..LEVELS {
            if self.levels.get(level).is_some_and(|hashes| hashes.len() as u64 == WIDTH) {
                self.flush(level)?;
            }
        }
        Ok(())
    }

    /// An entry and its hash disagree. If the tile is the one that the tile above was made of, the entry was changed;
    /// otherwise the tile was. Only a help for the reader: both are refused.
    fn which(&self, bundle: &TilePath, tile: TilePath, hashes: &[Hash], entry: u64) -> Fault {
        let above = TilePath::of(Level::Hashes(1), tile.index() / WIDTH, self.size);
        let place = usize::try_from(tile.index() % WIDTH).unwrap_or(usize::MAX);
        let known = above
            .filter(|_| tile.is_full())
            .and_then(|above| read_hashes(self.tiles, above).ok())
            .and_then(|(_, above)| above.get(place).copied());
        if known.is_some() && known != subtree(hashes) {
            let wrong = Wrong::TileHash { place: entry % WIDTH, first: entry, last: entry };
            return Fault { file: tile.to_string(), entry: Some(entry), wrong };
        }
        Fault { file: bundle.to_string(), entry: Some(entry), wrong: Wrong::EntryHash { tile } }
    }

    /// Compares the tile of a level that was filled, or its partial last tile, with the file.
    fn flush(&mut self, level: usize) -> Result<(), Fault> {
        let Some(hashes) = self.levels.get_mut(level).map(std::mem::take) else { return Ok(()) };
        if hashes.is_empty() {
            return Ok(());
        }
        let level = u8::try_from(level).unwrap_or(u8::MAX);
        let each = 1_u64 << (HEIGHT * u32::from(level));
        let index = (self.frontier.size() / each).saturating_sub(1) / WIDTH;
        let Some(path) = TilePath::of(Level::Hashes(level), index, self.size) else {
            return Ok(());
        };
        let (file, tile) = read_hashes(self.tiles, path)?;
        for (place, (found, expected)) in (0..).zip(tile.iter().zip(&hashes)) {
            if found != expected {
                let first = (index * WIDTH + place) * each;
                let wrong = Wrong::TileHash { place, first, last: first + each - 1 };
                return Err(Fault { file: file.to_string(), entry: None, wrong });
            }
        }
        Ok(())
    }

    /// Compares the root with the older checkpoint's when the tree is as large as it was.
    fn at_older(&self) -> Result<(), Fault> {
        match self.older {
            Some(older)
                if older.size == self.frontier.size() && older.root != self.frontier.root() =>
            {
                let wrong = Wrong::Fork { size: older.size };
                Err(Fault { file: CHECKPOINT.to_owned(), entry: None, wrong })
            }
            Some(_) | None => Ok(()),
        }
    }
}
