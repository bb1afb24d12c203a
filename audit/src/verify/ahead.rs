//! Bundles are read and hashed ahead by other threads: hashing is nearly all of the work of verifying.
//!
//! Threads take bundles in turn and hand them over in order, each at most one before it is asked for, so memory stays
//! that of a few bundles however long the log is. Nothing is decided here: whatever is wrong with a file is handed over in
//! its place.

use super::{Fault, Wrong};
use crate::tile::{Level, TileError, TilePath, Tiles, WIDTH, entries, parse_hashes};
use crate::tree::{Hash, leaf_hash};
use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, Scope};

/// More threads than these wait for the one that compares.
const MOST_THREADS: u64 = 4;
/// Below so many bundles a thread costs more than it brings.
const WORTH_A_THREAD: u64 = 4;

/// A bundle, and the tile of hashes that belongs to it.
pub(super) struct Bundle {
    /// The file that was read: the full one where the partial one is gone.
    pub(super) file: TilePath,
    pub(super) bytes: Vec<u8>,
    /// The hashes of its entries up to the first that is malformed.
    pub(super) leaves: Vec<Hash>,
    /// The file of the tile, and the hashes in it.
    pub(super) tile: (TilePath, Vec<Hash>),
}

impl Bundle {
    /// Bundle `index` of a log of `size` entries; nothing where there is none.
    fn read<T: Tiles + ?Sized>(tiles: &T, index: u64, size: u64) -> Result<Option<Self>, Fault> {
        let (Some(bundle), Some(tile)) = (
            TilePath::of(Level::Entries, index, size),
            TilePath::of(Level::Hashes(0), index, size),
        ) else {
            return Ok(None);
        };
        let (file, bytes) = read(tiles, bundle)?;
        let tile = read_hashes(tiles, tile)?;
        let leaves = entries(&bytes).map_while(Result::ok).take(tile.1.len());
        let leaves = leaves.map(leaf_hash).collect();
        Ok(Some(Self { file, bytes, leaves, tile }))
    }

    /// Its entries, with their hashes.
    pub(super) fn entries(&self) -> impl Iterator<Item = Result<(&[u8], Hash), TileError>> {
        entries(&self.bytes)
            .zip(self.leaves.iter().copied().map(Some).chain(std::iter::repeat(None)))
            .map(|(entry, leaf)| {
                let entry = entry?;
                Ok((entry, leaf.unwrap_or_else(|| leaf_hash(entry))))
            })
    }
}

/// What a thread hands over.
type Read = Result<Option<Bundle>, Fault>;

/// All bundles of a log, in order.
pub(super) struct Ahead<'a, T: ?Sized> {
    tiles: &'a T,
    size: u64,
    threads: Vec<Receiver<Read>>,
}

impl<'scope, 'a: 'scope, T: Tiles + ?Sized> Ahead<'a, T> {
    /// Begins to read.
    pub(super) fn begin(scope: &'scope Scope<'scope, '_>, tiles: &'a T, size: u64) -> Self {
        let bundles = size.div_ceil(WIDTH);
        let processors = thread::available_parallelism().map_or(1, |count| count.get() as u64);
        let count = processors.min(MOST_THREADS).min(bundles / WORTH_A_THREAD);
        let threads = (0..count).map(|first| {
            let (hand_over, receiver) = sync_channel(1);
            scope.spawn(move || {
                let step = usize::try_from(count).unwrap_or(1);
                // Ends early if nobody listens any more: something was wrong before.
                let _all = (first..bundles)
                    .step_by(step)
                    .try_for_each(|index| hand_over.send(Bundle::read(tiles, index, size)));
            });
            receiver
        });
        Self { tiles, size, threads: threads.collect() }
    }

    /// Bundle `index`. To be asked for one after the other.
    pub(super) fn bundle(&self, index: u64) -> Read {
        let threads = self.threads.len() as u64;
        let Some(thread) = index.checked_rem(threads).and_then(|at| usize::try_from(at).ok())
        else {
            return Bundle::read(self.tiles, index, self.size);
        };
        let read = self.threads.get(thread).and_then(|thread| thread.recv().ok());
        read.unwrap_or_else(|| {
            let gone = io::Error::other("a thread that reads ahead ended early");
            let file = format!("tile/entries, bundle {index}");
            Err(Fault { file, entry: None, wrong: Wrong::Read(gone) })
        })
    }
}

/// Reads a tile of hashes.
pub(super) fn read_hashes<T: Tiles + ?Sized>(
    tiles: &T,
    path: TilePath,
) -> Result<(TilePath, Vec<Hash>), Fault> {
    let (file, bytes) = read(tiles, path)?;
    let mut hashes = parse_hashes(&bytes, file.width()).map_err(|error| Fault {
        file: file.to_string(),
        entry: None,
        wrong: Wrong::Malformed(error),
    })?;
    hashes.truncate(usize::from(path.width()));
    Ok((file, hashes))
}

/// Reads a file; where a partial one is gone, the full one that took its place.
fn read<T: Tiles + ?Sized>(tiles: &T, path: TilePath) -> Result<(TilePath, Vec<u8>), Fault> {
    let fault = |wrong| Fault { file: path.to_string(), entry: None, wrong };
    for path in [path, path.full()] {
        let read = tiles.read(&path.to_string());
        if let Some(bytes) = read.map_err(|error| fault(Wrong::Read(error)))? {
            return Ok((path, bytes));
        }
    }
    Err(fault(Wrong::Missing))
}
