//! An index over a log, for searches that must not read every entry. It is made from the log, made again when it is damaged,
//! and never believed.
//!
//! A log is cut into segments of 65,536 entries, and these into the bundles of 256 that entries are kept in. A segment says in
//! which of its bundles each word occurs ([`terms`]), and of every bundle the times and the root. So a search reads the
//! bundles that may have a hit, and nothing else:
//!
//! * the roots of all bundles must lead to the root that the log's checkpoint signs, so that none is missing, wrong or of
//!   another history;
//! * every bundle that is read is hashed and must have its root, and every entry in it is held against the filter again: an
//!   index cannot show an entry that is not in the log or does not fit;
//! * every page of words has a digest: one that is damaged is not used, the segment is made again, and that is said.
//!
//! What is left to trust is that nobody wrote an index with words left out and digests that fit: the index is a file of the
//! auditor's own, beside the auditor's own programs. Who doubts it deletes it, or searches without.
//!
//! For `n` entries of which `c` are in bundles that have all words: opening takes O(n / 256) hashes and no entry, a search
//! O(n / 65,536 x log words + c), memory O(n / 256), some 50 bytes a bundle, and one segment while it is made. A log that grew
//! costs the entries since the last full segment; what was indexed before must then lead to the new root, which proves that
//! the log only grew.

mod build;
mod pages;
mod segment;
mod terms;

use crate::entry::Entry;
use crate::quorum::{Accepted, QuorumError};
use crate::records::{Located, LogName};
use crate::search::Filter;
use crate::tile::{Level, TileError, TilePath, Tiles, WIDTH};
use crate::tree::{Frontier, Hash, Head, fold_right, leaf_hash};
use crate::verify::{Against, CHECKPOINT};
use mayag_protocol::timestamp::Timestamp;
use segment::Segment;
use std::io;

/// Entries of a full segment.
pub const SEGMENT: u64 = 256 * WIDTH;

/// Where an index is kept. Names are those of files in a folder of its own.
pub trait Store {
    /// Some bytes of it.
    fn read_at(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Puts a file in its place, at once.
    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()>;
}

/// Why there is no index, or it does not answer.
#[derive(Debug, thiserror::Error)]
pub enum IndexError {
    /// The checkpoint is not believed.
    #[error("`checkpoint`: {0}")]
    Checkpoint(QuorumError),
    /// An entry of the log is none.
    #[error("`{file}`, entry {entry}: {why}")]
    Entry {
        /// The file.
        file: String,
        /// The entry.
        entry: u64,
        /// What is wrong.
        why: String,
    },
    /// A bundle of the log is malformed.
    #[error("`{file}`: {source}")]
    Malformed {
        /// The file.
        file: String,
        /// What is wrong.
        source: TileError,
    },
    /// A file of the log is missing.
    #[error("`{0}`: the file is missing")]
    Missing(String),
    /// No entry could name this log.
    #[error("no entry could name this log")]
    Name,
    /// A file of the log cannot be read.
    #[error("`{file}`: {source}")]
    Read {
        /// The file.
        file: String,
        /// Why.
        source: io::Error,
    },
    /// The entries do not lead to the root that the checkpoint signs.
    #[error("the entries lead to another root than the checkpoint signs")]
    Root,
    /// The index cannot be read or written.
    #[error("the index: {0}")]
    Store(#[source] io::Error),
    /// The log was changed after it was indexed: the bundle has another root than the checkpoint signs.
    #[error("`{0}`: its entries are not those that the checkpoint signs")]
    Tampered(String),
}

/// What had to be done before the index could be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Made {
    /// Segments that were there and right.
    pub kept: u64,
    /// Segments that were made, for what the log has grown.
    pub new: u64,
    /// Segments that were damaged or of another history, and were made again.
    pub again: u64,
}

/// Whether segments that are stored are used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stored {
    /// Until their root says otherwise.
    Believed,
    /// They led to another root.
    Ignored,
}

/// An entry of a bundle: its index, its bytes, its hash.
type Hashed<'a> = (u64, &'a [u8], Hash);

/// An index that fits the checkpoint of its log. Only [`Index::open`] makes one.
#[derive(Debug)]
pub struct Index<'a, T, S> {
    tiles: &'a T,
    store: &'a S,
    log: LogName,
    checkpoint: Accepted,
    segments: Vec<Segment>,
    made: Made,
}

/// A bundle that may have entries that fit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Candidate {
    /// Its place in the log.
    pub bundle: u64,
    /// The earliest time in it.
    pub from: Timestamp,
    /// The latest.
    pub to: Timestamp,
}

impl<'a, T: Tiles, S: Store> Index<'a, T, S> {
    /// Opens the index of a log, makes what is missing, and proves that it is about the log that the checkpoint signs.
    pub fn open(tiles: &'a T, store: &'a S, against: &Against<'_>) -> Result<Self, IndexError> {
        let bytes =
            read(tiles, CHECKPOINT)?.ok_or_else(|| IndexError::Missing(CHECKPOINT.to_owned()))?;
        let checkpoint =
            against.policy.check(&bytes, against.now).map_err(IndexError::Checkpoint)?;
        let head = checkpoint.note().checkpoint().head;
        let log = LogName::of(&checkpoint.note().checkpoint().origin).ok_or(IndexError::Name)?;
        let mut index =
            Self { tiles, store, log, checkpoint, segments: Vec::new(), made: Made::default() };
        index.load(head, Stored::Believed)?;
        if index.root() != head.root {
            // Of another history, or built by somebody else: nothing of it is kept.
            index.load(head, Stored::Ignored)?;
        }
        if index.root() == head.root { Ok(index) } else { Err(IndexError::Root) }
    }

    /// What was made when it was opened, and since.
    pub fn made(&self) -> Made {
        self.made
    }

    /// The log.
    pub fn log(&self) -> &LogName {
        &self.log
    }

    /// The checkpoint that it is for.
    pub fn checkpoint(&self) -> &Accepted {
        &self.checkpoint
    }

    /// Reads the segments, or makes them: those that are missing, damaged, or too short, or all.
    fn load(&mut self, head: Head, stored: Stored) -> Result<(), IndexError> {
        self.segments.clear();
        self.made.kept = 0;
        for number in 0..head.size.div_ceil(SEGMENT) {
            let entries = (head.size - number * SEGMENT).min(SEGMENT);
            let stored = match stored {
                Stored::Believed => self.stored(number)?,
                Stored::Ignored => None,
            };
            let segment = match stored {
                Some(segment) if segment.entries() == entries => {
                    self.made.kept += 1;
                    segment
                }
                Some(_) => {
                    self.made.new += 1;
                    self.make(number, entries)?
                }
                None => {
                    let there = self.store.read_at(&name(number), 0, 1).is_ok();
                    *(if there { &mut self.made.again } else { &mut self.made.new }) += 1;
                    self.make(number, entries)?
                }
            };
            self.segments.push(segment);
        }
        Ok(())
    }

    /// A segment that is stored and whole; `None` where there is none, or it is damaged.
    fn stored(&self, number: u64) -> Result<Option<Segment>, IndexError> {
        match Segment::read(self.store, &name(number)) {
            Ok(segment) => Ok(segment.filter(|segment| segment.is_of(&self.log, number))),
            Err(error) => Err(IndexError::Store(error)),
        }
    }

    /// Makes a segment from the log, stores it, and reads it back.
    fn make(&self, number: u64, entries: u64) -> Result<Segment, IndexError> {
        let head = self.checkpoint.note().checkpoint().head;
        let bytes = build::segment(self.tiles, &self.log, (number, entries), head.size)?;
        self.store.replace(&name(number), &bytes).map_err(IndexError::Store)?;
        let damaged = || IndexError::Store(io::Error::other("a segment reads back differently"));
        self.stored(number)?.ok_or_else(damaged)
    }

    /// The root that all bundles lead to.
    fn root(&self) -> Hash {
        let mut whole = Frontier::default();
        let mut last = None;
        for bundle in self.segments.iter().flat_map(Segment::bundles) {
            if u64::from(bundle.entries) == WIDTH {
                whole.push(bundle.root, |_| ());
            } else {
                last = Some(bundle.root);
            }
        }
        let mut peaks = whole.peaks().to_vec();
        peaks.extend(last);
        fold_right(&peaks)
    }

    /// The bundles that may have entries that fit. A damaged page of words is made again first.
    pub fn candidates(&mut self, filter: &Filter) -> Result<Vec<Candidate>, IndexError> {
        let terms = terms::of_filter(filter, &self.log);
        let mut found = Vec::new();
        for number in 0..self.segments.len() {
            let Some(bits) = self.bundles_with(number, &terms)? else { continue };
            let Some(segment) = self.segments.get(number) else { continue };
            for (place, bundle) in (0_u64..).zip(segment.bundles()) {
                let in_time = filter.from.is_none_or(|from| from <= bundle.to)
                    && filter.to.is_none_or(|to| bundle.from < to);
                if in_time && bits.has(place) {
                    let bundle_index = number as u64 * WIDTH + place;
                    found.push(Candidate {
                        bundle: bundle_index,
                        from: bundle.from,
                        to: bundle.to,
                    });
                }
            }
        }
        Ok(found)
    }

    fn bundles_with(
        &mut self,
        number: usize,
        terms: &[u64],
    ) -> Result<Option<pages::Bits>, IndexError> {
        let name = name(number as u64);
        for last_try in [false, true] {
            let Some(segment) = self.segments.get(number) else { return Ok(None) };
            match segment.bundles_with(self.store, &name, terms) {
                Ok(bits) => return Ok(bits),
                Err(error) if last_try => return Err(IndexError::Store(error)),
                Err(_damaged) => {
                    let entries = segment.entries();
                    let made = self.make(number as u64, entries)?;
                    // INVARIANT (the log's root): the new segment has the same bundles, or the log was changed meanwhile.
                    if segment_roots(&made)
                        != self.segments.get(number).map(segment_roots).unwrap_or_default()
                    {
                        return Err(IndexError::Root);
                    }
                    self.made.again += 1;
                    if let Some(segment) = self.segments.get_mut(number) {
                        *segment = made;
                    }
                }
            }
        }
        Ok(None)
    }

    /// Reads the entries of a bundle from the log and proves that they are the ones that the checkpoint signs.
    pub fn entries(
        &self,
        bundle: u64,
        each: &mut dyn FnMut(Located<'_>),
    ) -> Result<(), IndexError> {
        let known =
            usize::try_from(bundle / WIDTH).ok().and_then(|number| self.segments.get(number));
        let known = known.and_then(|segment| segment.bundle(bundle % WIDTH));
        let Some(known) = known else { return Ok(()) };
        let size = self.checkpoint.note().checkpoint().head.size;
        let read = Bundle::read(self.tiles, bundle, size)?;
        if read.root()? != known.root {
            return Err(IndexError::Tampered(read.file));
        }
        for (index, bytes, hash) in read.entries()? {
            let entry = read.parse(index, bytes)?;
            each(Located { log: &self.log, index, hash, bytes, entry });
        }
        Ok(())
    }
}

fn segment_roots(segment: &Segment) -> Vec<Hash> {
    segment.bundles().map(|bundle| bundle.root).collect()
}

/// The name of a segment's file.
fn name(number: u64) -> String {
    format!("segment-{number:06}")
}

fn read<T: Tiles>(tiles: &T, file: &str) -> Result<Option<Vec<u8>>, IndexError> {
    let failed = |source| IndexError::Read { file: file.to_owned(), source };
    tiles.read(file).map_err(failed)
}

/// The bytes of a bundle of the log.
struct Bundle {
    file: String,
    bytes: Vec<u8>,
    first: u64,
    width: u16,
}

impl Bundle {
    /// Reads a bundle; where a partial one is gone, the full one that took its place.
    fn read<T: Tiles>(tiles: &T, index: u64, size: u64) -> Result<Self, IndexError> {
        let wanted = TilePath::of(Level::Entries, index, size).ok_or(IndexError::Root)?;
        for path in [wanted, wanted.full()] {
            let file = path.to_string();
            if let Some(bytes) = read(tiles, &file)? {
                return Ok(Self { file, bytes, first: index * WIDTH, width: wanted.width() });
            }
        }
        Err(IndexError::Missing(wanted.to_string()))
    }

    /// Its entries under the checkpoint, with index and hash.
    fn entries(&self) -> Result<Vec<Hashed<'_>>, IndexError> {
        let malformed = |source| IndexError::Malformed { file: self.file.clone(), source };
        let whole = crate::tile::entries(&self.bytes).take(usize::from(self.width));
        let found = whole.collect::<Result<Vec<&[u8]>, _>>().map_err(malformed)?;
        if found.len() < usize::from(self.width) {
            return Err(malformed(TileError::Early));
        }
        Ok((self.first..).zip(found).map(|(at, entry)| (at, entry, leaf_hash(entry))).collect())
    }

    fn root(&self) -> Result<Hash, IndexError> {
        let mut tree = Frontier::default();
        for (_, _, hash) in self.entries()? {
            tree.push(hash, |_| ());
        }
        Ok(tree.root())
    }

    fn parse(&self, entry: u64, bytes: &[u8]) -> Result<Entry, IndexError> {
        Entry::parse(bytes).map_err(|error| IndexError::Entry {
            file: self.file.clone(),
            entry,
            why: error.to_string(),
        })
    }
}

#[cfg(test)]
mod tests;
