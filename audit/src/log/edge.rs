//! The right edge of the tree: all that is kept in memory of what is integrated, O(log n).
//!
//! It is the frontier, the hashes of the last, partial tile of each level, and the last, partial bundle. New entries turn
//! into the files that a tree of the new size has and one of the old size has not.

use super::door::{Folder, NewFile};
use super::wal::Leaf;
use crate::tile::{
    LONGEST_BUNDLE, Level, TileError, TileHashes, TileHashesError, TilePath, Tiles, WIDTH,
    encode_hashes, level_of, parse_bundle, push_entry,
};
use crate::tree::{Frontier, Hash, Head, Nodes, leaf_hash};
use std::io;

/// Levels of tiles that a tree below 2^63 entries can have.
const LEVELS: u8 = 8;

/// The edge of a tree.
#[derive(Debug, Clone, Default)]
pub(crate) struct Edge {
    frontier: Frontier,
    /// INVARIANT (partial): fewer than [`WIDTH`] hashes each, level 0 first.
    levels: Vec<Vec<Hash>>,
    /// The entries under the partial tile of level 0, as the bundle has them.
    bundle: Vec<u8>,
}

/// Why the edge was not read from the published files.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The last bundle is not there.
    #[error("`{path}` is missing")]
    Missing {
        /// The file.
        path: TilePath,
    },
    /// An entry of the last bundle is not the one the tile was made of.
    #[error("`{path}`: entry {index} does not have the hash that `{tile}` has for it")]
    OtherEntry {
        /// The bundle.
        path: TilePath,
        /// The tile.
        tile: TilePath,
        /// The entry.
        index: u64,
    },
    /// The last bundle was not read.
    #[error("`{path}` was not read: {source}")]
    Read {
        /// The file.
        path: TilePath,
        /// What the operating system said.
        source: io::Error,
    },
    /// The last bundle is malformed.
    #[error("`{path}`: {source}")]
    Malformed {
        /// The file.
        path: TilePath,
        /// What is wrong with it.
        source: TileError,
    },
    /// A tile was not read.
    #[error(transparent)]
    Tile(#[from] TileHashesError),
}

/// A folder as tiles are read from it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Published<'a>(pub(crate) &'a dyn Folder);

impl Tiles for Published<'_> {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        self.0.read(path, LONGEST_BUNDLE)
    }
}

impl Edge {
    /// Reads the edge of the first `size` entries: one tile a level and one bundle. Nothing is believed yet: the caller
    /// compares the root, into which every hash that was read goes.
    pub(crate) fn read(folder: &dyn Folder, size: u64) -> Result<Self, EdgeError> {
        let mut hashes = TileHashes::new(Published(folder), size);
        let frontier = Frontier::of(&mut hashes, size)?;
        let mut levels = Vec::new();
        for level in 0..LEVELS {
            let height = u32::from(level) * crate::tile::HEIGHT;
            let count = size.checked_shr(height).unwrap_or(0);
            let from = count - count % WIDTH;
            let row: Result<Vec<Hash>, _> =
                (from..count).map(|index| hashes.node(height, index)).collect();
            levels.push(row?);
        }
        let bundle = match TilePath::of(Level::Entries, size / WIDTH, size) {
            Some(path) => last_bundle(folder, path, size, levels.first())?,
            None => Vec::new(),
        };
        Ok(Self { frontier, levels, bundle })
    }

    /// Appends an entry; files that will never change again go to `files`.
    pub(crate) fn push(&mut self, leaf: &Leaf, files: &mut Vec<NewFile>) -> Result<(), TileError> {
        push_entry(&mut self.bundle, &leaf.bytes)?;
        let Self { frontier, levels, bundle } = self;
        let size = frontier.size() + 1;
        frontier.push(leaf.hash, |node| {
            let Some(level) = level_of(&node) else { return };
            let number = level_number(level);
            while levels.len() <= number {
                levels.push(Vec::new());
            }
            let Some(row) = levels.get_mut(number) else { return };
            row.push(node.hash);
            if row.len() as u64 == WIDTH {
                let bytes = encode_hashes(&std::mem::take(row));
                file(files, TilePath::of(level, node.index / WIDTH, size), bytes);
            }
        });
        if size.is_multiple_of(WIDTH) {
            file(
                files,
                TilePath::of(Level::Entries, (size - 1) / WIDTH, size),
                std::mem::take(bundle),
            );
        }
        Ok(())
    }

    /// The partial files of a tree of this size.
    pub(crate) fn partial(&self, files: &mut Vec<NewFile>) {
        let size = self.frontier.size();
        file(files, TilePath::of(Level::Entries, size / WIDTH, size), self.bundle.clone());
        for (level, row) in (0..LEVELS).zip(&self.levels) {
            if !row.is_empty() {
                let height = u32::from(level) * crate::tile::HEIGHT;
                let index = size.checked_shr(height).unwrap_or(0) / WIDTH;
                file(files, TilePath::of(Level::Hashes(level), index, size), encode_hashes(row));
            }
        }
    }

    /// Size and root.
    pub(crate) fn head(&self) -> Head {
        Head { size: self.frontier.size(), root: self.frontier.root() }
    }
}

/// The folders of partial tiles that full ones took the place of while the tree grew from `old` to `new`.
pub(crate) fn outgrown(old: u64, new: u64) -> Vec<String> {
    std::iter::once(Level::Entries)
        .chain((0..LEVELS).map(Level::Hashes))
        .filter_map(|level| {
            let count = match level {
                Level::Entries => old,
                Level::Hashes(number) => old >> (u32::from(number) * crate::tile::HEIGHT),
            };
            let was = TilePath::of(level, count / WIDTH, old)?;
            let is = TilePath::of(level, count / WIDTH, new)?;
            (!was.is_full() && is.is_full()).then(|| format!("{is}.p"))
        })
        .collect()
}

fn level_number(level: Level) -> usize {
    match level {
        Level::Entries => 0,
        Level::Hashes(level) => usize::from(level),
    }
}

fn file(files: &mut Vec<NewFile>, path: Option<TilePath>, bytes: Vec<u8>) {
    files.extend(path.map(|path| NewFile { name: path.to_string(), bytes }));
}

/// Reads the partial bundle and holds each entry against its leaf hash.
fn last_bundle(
    folder: &dyn Folder,
    path: TilePath,
    size: u64,
    hashes: Option<&Vec<Hash>>,
) -> Result<Vec<u8>, EdgeError> {
    let read = |path: TilePath| {
        folder
            .read(&path.to_string(), LONGEST_BUNDLE)
            .map_err(|source| EdgeError::Read { path, source })
    };
    // A crash may have removed the partial bundle that a full one took the place of before the checkpoint said so.
    let (found, bytes) = match read(path)? {
        Some(bytes) => (path, bytes),
        None => (path.full(), read(path.full())?.ok_or(EdgeError::Missing { path })?),
    };
    let entries = parse_bundle(&bytes, found.width())
        .map_err(|source| EdgeError::Malformed { path: found, source })?;
    let mut bundle = Vec::new();
    let first = size - size % WIDTH;
    for ((entry, hash), index) in entries.iter().zip(hashes.into_iter().flatten()).zip(first..) {
        if leaf_hash(entry) != *hash {
            let tile = TilePath::of(Level::Hashes(0), path.index(), size).unwrap_or(path);
            return Err(EdgeError::OtherEntry { path: found, tile, index });
        }
        push_entry(&mut bundle, entry)
            .map_err(|source| EdgeError::Malformed { path: found, source })?;
    }
    Ok(bundle)
}

#[cfg(test)]
mod tests;
