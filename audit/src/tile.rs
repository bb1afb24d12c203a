//! Tiles and entry bundles, as C2SP `tlog-tiles` lays them out.
//!
//! A tile holds up to 256 consecutive hashes of one level; level `l` counts subtrees of `256^l` entries. An entry bundle
//! holds the entries under one tile of level 0. The last tile of a level is partial unless it is full, and its path says
//! its width. Only full tiles are hashed into the level above.

use crate::tree::{HASH_BYTES, Hash, Node, Nodes, node_hash};
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::str::FromStr;

/// Hashes in a full tile, entries in a full bundle.
pub const WIDTH: u64 = 256;

/// Levels of the tree in one level of tiles: `2^8 = 256`.
pub const HEIGHT: u32 = 8;

/// The longest entry: its length is written as a 16-bit number.
pub const LONGEST_ENTRY: usize = 65_535;

/// The longest entry bundle.
pub const LONGEST_BUNDLE: usize = 256 * (2 + LONGEST_ENTRY);

/// Sizes stay below this, so that readers which count with signed 64 bits agree with us.
pub const LARGEST_SIZE: u64 = (1 << 63) - 1;

/// Where the files of a log are read from, by several threads at once. `audit` opens nothing itself.
pub trait Tiles: Sync {
    /// The file at this path relative to the log's folder (`checkpoint`, `tile/0/000`, ..), or `None` where there is none.
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>>;
}

impl<T: Tiles + ?Sized> Tiles for &T {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        (**self).read(path)
    }
}

/// What a tile holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// The entries themselves.
    Entries,
    /// Hashes of subtrees of `256^l` entries; at most 63.
    Hashes(u8),
}

impl Level {
    /// How many hashes (or entries) of this level a tree of `size` entries has.
    fn count(self, size: u64) -> u64 {
        match self {
            Self::Entries => size,
            Self::Hashes(level) => size.checked_shr(u32::from(level) * HEIGHT).unwrap_or(0),
        }
    }
}

/// The path of one tile or bundle: `tile/<L>/<N>[.p/<W>]` or `tile/entries/<N>[.p/<W>]`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TilePath {
    level: Level,
    index: u64,
    /// 1 to 256.
    width: u16,
}

impl TilePath {
    /// The tile `index` of a level as a tree of `size` entries has it; `None` where it has none.
    pub fn of(level: Level, index: u64, size: u64) -> Option<Self> {
        let start = index.checked_mul(WIDTH)?;
        let width = level.count(size).checked_sub(start)?.min(WIDTH);
        let width = u16::try_from(width).ok().filter(|width| *width > 0)?;
        Some(Self { level, index, width })
    }

    /// The full tile that takes the place of this one when the tree has grown.
    #[must_use]
    pub fn full(self) -> Self {
        Self { width: 256, ..self }
    }

    /// What it holds.
    pub fn level(self) -> Level {
        self.level
    }

    /// Position within its level.
    pub fn index(self) -> u64 {
        self.index
    }

    /// How many hashes or entries it holds.
    pub fn width(self) -> u16 {
        self.width
    }

    /// Whether it will never change.
    pub fn is_full(self) -> bool {
        u64::from(self.width) == WIDTH
    }
}

/// Every tile of hashes and every bundle of a tree of `size` entries: bundles first, then level by level.
pub fn paths(size: u64) -> impl Iterator<Item = TilePath> {
    let levels = std::iter::once(Level::Entries).chain((0..8).map(Level::Hashes));
    levels.flat_map(move |level| {
        (0..level.count(size).div_ceil(WIDTH))
            .filter_map(move |index| TilePath::of(level, index, size))
    })
}

impl fmt::Display for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.level {
            Level::Entries => f.write_str("tile/entries/")?,
            Level::Hashes(level) => write!(f, "tile/{level}/")?,
        }
        let mut groups = vec![self.index % 1000];
        let mut rest = self.index / 1000;
        while rest > 0 {
            groups.push(rest % 1000);
            rest /= 1000;
        }
        for (n, group) in groups.iter().enumerate().rev() {
            if n > 0 {
                write!(f, "x{group:03}/")?;
            } else {
                write!(f, "{group:03}")?;
            }
        }
        if !self.is_full() {
            write!(f, ".p/{}", self.width)?;
        }
        Ok(())
    }
}

impl fmt::Debug for TilePath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a path, a tile or a bundle was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TileError {
    /// The bytes end inside an entry or a hash.
    #[error("the file ends early")]
    Early,
    /// There are bytes after the last hash or entry.
    #[error("the file holds more than its width says")]
    Late,
    /// An entry longer than 65,535 bytes.
    #[error("an entry is longer than 65535 bytes")]
    LongEntry,
    /// Not a path of this layout, or not the one way to write it.
    #[error("not a tile path")]
    Path,
}

/// Only the one way to write a path is read.
impl FromStr for TilePath {
    type Err = TileError;
    fn from_str(text: &str) -> Result<Self, TileError> {
        let rest = text.strip_prefix("tile/").ok_or(TileError::Path)?;
        let (level, rest) = rest.split_once('/').ok_or(TileError::Path)?;
        let level = match level {
            "entries" => Level::Entries,
            number => {
                Level::Hashes(decimal(number).filter(|l: &u8| *l < 64).ok_or(TileError::Path)?)
            }
        };
        let (groups, width) = match rest.split_once(".p/") {
            Some((groups, width)) => {
                (groups, decimal(width).filter(|w: &u16| *w < 256).ok_or(TileError::Path)?)
            }
            None => (rest, 256),
        };
        let mut index: u64 = 0;
        for group in groups.split('/') {
            let digits = group.strip_prefix('x').unwrap_or(group);
            let number: u64 = digits.parse().map_err(|_| TileError::Path)?;
            index = index
                .checked_mul(1000)
                .and_then(|i| i.checked_add(number))
                .ok_or(TileError::Path)?;
        }
        let path = Self { level, index, width };
        if width > 0 && path.to_string() == text { Ok(path) } else { Err(TileError::Path) }
    }
}

/// A decimal number without leading zeros, sign or spaces.
pub(crate) fn decimal<T: FromStr>(text: &str) -> Option<T> {
    let canonical = text == "0" || !text.starts_with('0');
    (canonical && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

/// The bytes of a tile of hashes.
pub fn encode_hashes(hashes: &[Hash]) -> Vec<u8> {
    hashes.iter().flat_map(|hash| *hash.as_bytes()).collect()
}

/// Reads exactly `width` hashes.
pub fn parse_hashes(bytes: &[u8], width: u16) -> Result<Vec<Hash>, TileError> {
    let (hashes, rest) = bytes.as_chunks::<HASH_BYTES>();
    if hashes.len() < usize::from(width) {
        return Err(TileError::Early);
    }
    if hashes.len() > usize::from(width) || !rest.is_empty() {
        return Err(TileError::Late);
    }
    Ok(hashes.iter().copied().map(Hash::from_bytes).collect())
}

/// Appends one entry to a bundle.
pub fn push_entry(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), TileError> {
    let length = u16::try_from(entry.len()).map_err(|_| TileError::LongEntry)?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}

/// Reads exactly `width` entries.
pub fn parse_bundle(bytes: &[u8], width: u16) -> Result<Vec<&[u8]>, TileError> {
    let found: Result<Vec<&[u8]>, TileError> = entries(bytes).collect();
    let found = found?;
    if found.len() < usize::from(width) {
        return Err(TileError::Early);
    }
    if found.len() > usize::from(width) { Err(TileError::Late) } else { Ok(found) }
}

/// The entries of a bundle, one after the other; an error ends them.
pub fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<&[u8], TileError>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = rest.split_first_chunk::<2>().and_then(|(length, after)| {
            after.split_at_checked(usize::from(u16::from_be_bytes(*length)))
        });
        let Some((entry, after)) = entry else {
            rest = &[];
            return Some(Err(TileError::Early));
        };
        rest = after;
        Some(Ok(entry))
    })
}

/// The root of the complete subtree over hashes whose number is a power of two; `None` for none.
pub(crate) fn subtree(hashes: &[Hash]) -> Option<Hash> {
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        row = row.as_chunks::<2>().0.iter().map(|[left, right]| node_hash(left, right)).collect();
    }
    row.first().copied()
}

/// Sorts the subtrees that an append completed into the level of tiles they belong to; `None` for those between.
pub fn level_of(node: &Node) -> Option<Level> {
    let level = u8::try_from(node.height / HEIGHT).ok()?;
    node.height.is_multiple_of(HEIGHT).then_some(Level::Hashes(level))
}

/// Why a tile could not say a hash.
#[derive(Debug, thiserror::Error)]
pub enum TileHashesError {
    /// Reading failed.
    #[error("`{path}` cannot be read: {source}")]
    Io {
        /// The file.
        path: TilePath,
        /// What the reader said.
        source: io::Error,
    },
    /// The file is not a tile of this width.
    #[error("`{path}`: {source}")]
    Malformed {
        /// The file.
        path: TilePath,
        /// What is wrong with it.
        source: TileError,
    },
    /// There is no such file.
    #[error("`{path}` is missing")]
    Missing {
        /// The file.
        path: TilePath,
    },
}

/// The hashes of a tree of `size` entries, read from its tiles. For making proofs over one's own tiles: what a tile says
/// is not checked against the tile above, so it authenticates nothing.
#[derive(Debug)]
pub struct TileHashes<T> {
    tiles: T,
    size: u64,
    /// The tiles of one proof are few: at most two per level.
    cache: BTreeMap<TilePath, Vec<Hash>>,
}

impl<T: Tiles> TileHashes<T> {
    /// The hashes of the first `size` entries.
    pub fn new(tiles: T, size: u64) -> Self {
        Self { tiles, size, cache: BTreeMap::new() }
    }

    fn tile(&mut self, path: TilePath) -> Result<&[Hash], TileHashesError> {
        if !self.cache.contains_key(&path) {
            let hashes = read_hashes(&self.tiles, path)?;
            if self.cache.len() >= MOST_CACHED {
                self.cache.clear();
            }
            self.cache.insert(path, hashes);
        }
        self.cache.get(&path).map(Vec::as_slice).ok_or(TileHashesError::Missing { path })
    }
}

/// 8 KiB each.
const MOST_CACHED: usize = 64;

/// Reads a tile of hashes; where a partial tile is gone, the beginning of the full tile that took its place.
fn read_hashes<T: Tiles>(tiles: &T, path: TilePath) -> Result<Vec<Hash>, TileHashesError> {
    let read = |path: TilePath| {
        tiles.read(&path.to_string()).map_err(|source| TileHashesError::Io { path, source })
    };
    let (found, bytes) = match read(path)? {
        Some(bytes) => (path, bytes),
        None => (path.full(), read(path.full())?.ok_or(TileHashesError::Missing { path })?),
    };
    let mut hashes = parse_hashes(&bytes, found.width)
        .map_err(|source| TileHashesError::Malformed { path: found, source })?;
    hashes.truncate(usize::from(path.width));
    Ok(hashes)
}

impl<T: Tiles> Nodes for TileHashes<T> {
    type Error = TileHashesError;

    fn node(&mut self, height: u32, index: u64) -> Result<Hash, TileHashesError> {
        let outside = TileHashesError::Missing {
            path: TilePath { level: Level::Entries, index, width: 256 },
        };
        let Ok(level) = u8::try_from(height / HEIGHT) else { return Err(outside) };
        let first = index << (height % HEIGHT);
        let count = 1_usize << (height % HEIGHT);
        let Some(path) = TilePath::of(Level::Hashes(level), first / WIDTH, self.size) else {
            return Err(outside);
        };
        let hashes = self.tile(path)?;
        let start = usize::try_from(first % WIDTH).unwrap_or(usize::MAX);
        let range = hashes.get(start..).and_then(|hashes| hashes.get(..count));
        range.and_then(subtree).ok_or(TileHashesError::Missing { path })
    }
}

#[cfg(test)]
mod tests;
