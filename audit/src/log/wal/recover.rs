//! Reading the write-ahead areas back after a stop.
//!
//! Batches of one generation follow each other without a gap, and the next is written only after the sync of the one
//! before. So a batch that does not verify can be a torn one, on which nobody was answered, only if none of its generation
//! or of a later one follows it; anything else is damage, and is refused rather than cut.

use super::{
    BLOCK, CHECKED, FIELDS, Generation, HEADER, LARGEST_BATCH, Leaf, MAGIC, check, header_check,
    padded,
};
use crate::log::door::Area;
use crate::tile::{LONGEST_ENTRY, TileError, entries};
use std::io;

/// What the areas hold beyond the published entries.
#[derive(Debug)]
pub(crate) struct Recovered {
    /// The entries from the one asked for on, in order.
    pub(crate) leaves: Vec<Leaf>,
    /// A number above that of every generation found.
    pub(crate) next_generation: u64,
}

/// Why entries were not read back. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum RecoverError {
    /// Entries are missing before others that are there.
    #[error(
        "`{place}`, byte {offset}: the batch that begins here holds entries from {found} on, but {expected} is the next one \
         known; entries that were acknowledged are damaged. Do not go on with this log: keep both write-ahead files as \
         evidence, and open a new origin whose first entry names this one"
    )]
    Gap {
        /// The file.
        place: String,
        /// Where the batch after the gap begins.
        offset: u64,
        /// The first entry missing.
        expected: u64,
        /// The first entry after the gap.
        found: u64,
    },
    /// An area whose first block is no batch holds live ones.
    #[error(
        "`{place}`: the first block is damaged, and the batch at byte {offset} holds entries that are published nowhere. Do not \
         go on with this log: keep both write-ahead files as evidence, and open a new origin whose first entry names this one"
    )]
    Headless {
        /// The file.
        place: String,
        /// Where the first live batch begins.
        offset: u64,
    },
    /// Reading failed.
    #[error("`{place}` was not read: {source}")]
    Read {
        /// The file.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
}

/// A batch whose check holds.
struct Batch {
    generation: Generation,
    sequence: u64,
    first: u64,
    leaves: Vec<Leaf>,
    offset: u64,
    place: String,
}

/// Reads every entry from `from` on. O(bytes of the areas).
pub(crate) fn recover(areas: &[Box<dyn Area>; 2], from: u64) -> Result<Recovered, RecoverError> {
    let mut batches = Vec::new();
    let mut newest = 0;
    for area in areas {
        let (owner, found) = scan(area.as_ref())?;
        for batch in found {
            newest = newest.max(batch.generation.number);
            // What is published already lies in the areas until it is written over.
            if batch.first.saturating_add(batch.leaves.len() as u64) <= from {
                continue;
            }
            if owner.is_none() {
                // Bytes that somebody had logged could pass for a batch here: never taken for entries, only for damage.
                return Err(RecoverError::Headless { place: batch.place, offset: batch.offset });
            }
            batches.push(batch);
        }
    }
    batches.sort_by_key(|batch| (batch.generation.number, batch.sequence));
    let mut leaves = Vec::new();
    for batch in batches {
        let expected = from + leaves.len() as u64;
        if batch.first != expected {
            let Batch { place, offset, first: found, .. } = batch;
            return Err(RecoverError::Gap { place, offset, expected, found });
        }
        leaves.extend(batch.leaves);
    }
    Ok(Recovered { leaves, next_generation: newest.saturating_add(1) })
}

/// The generation that the area's first block names, and every batch of it whose check holds, wherever it lies.
fn scan(area: &dyn Area) -> Result<(Option<Generation>, Vec<Batch>), RecoverError> {
    let fault = |source| RecoverError::Read { place: area.place(), source };
    let length = area.length().map_err(fault)?;
    let mut generation = None;
    let mut batches = Vec::new();
    let mut offset = 0;
    while offset < length {
        let begin = area.read_at(offset, HEADER).map_err(fault)?;
        let header = Header::parse(&begin);
        // The first block says whose area this is, even if the entries of its batch are torn. Bytes that somebody had
        // logged may lie at the beginning of a block too, but never of the first one, and cannot know the salt.
        if offset == 0 {
            generation = header.as_ref().map(|header| header.generation);
        }
        let mine = |header: &Header| generation.is_none_or(|mine| header.generation == mine);
        let batch = match header.filter(mine) {
            Some(header) => read_batch(area, offset, &begin, &header).map_err(fault)?,
            None => None,
        };
        let taken = batch.as_ref().map_or(BLOCK, |(_, bytes)| padded(*bytes));
        batches.extend(batch.map(|(batch, _)| batch));
        offset += taken as u64;
    }
    Ok((generation, batches))
}

/// What a batch says about itself.
struct Header {
    generation: Generation,
    sequence: u64,
    first: u64,
    count: u32,
    length: usize,
}

impl Header {
    /// The header, if it is whole.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let (fields, rest) = bytes.split_at_checked(FIELDS)?;
        if !rest.starts_with(&header_check(fields)) {
            return None;
        }
        let rest = fields.strip_prefix(&MAGIC)?;
        let (number, rest) = rest.split_first_chunk::<8>()?;
        let (salt, rest) = rest.split_first_chunk::<16>()?;
        let (sequence, rest) = rest.split_first_chunk::<8>()?;
        let (first, rest) = rest.split_first_chunk::<8>()?;
        let (count, rest) = rest.split_first_chunk::<4>()?;
        let (length, _) = rest.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let count = u32::from_be_bytes(*count);
        // More was never written, and is not read into memory.
        (length <= LARGEST_BATCH + LONGEST_ENTRY + 2).then_some(Self {
            generation: Generation { number: u64::from_be_bytes(*number), salt: *salt },
            sequence: u64::from_be_bytes(*sequence),
            first: u64::from_be_bytes(*first),
            count,
            length,
        })
    }
}

/// Reads the batch that begins at `offset`, with its length in bytes; nothing if its check does not hold.
fn read_batch(
    area: &dyn Area,
    offset: u64,
    begin: &[u8],
    header: &Header,
) -> io::Result<Option<(Batch, usize)>> {
    let payload = area.read_at(offset + HEADER as u64, header.length)?;
    Ok(verified(begin, &payload, header).map(|leaves| {
        let batch = Batch {
            generation: header.generation,
            sequence: header.sequence,
            first: header.first,
            leaves,
            offset,
            place: area.place(),
        };
        (batch, HEADER + header.length)
    }))
}

fn verified(begin: &[u8], payload: &[u8], header: &Header) -> Option<Vec<Leaf>> {
    if payload.len() != header.length {
        return None;
    }
    let (checked, said) = begin.split_at_checked(CHECKED)?;
    let entries: Result<Vec<&[u8]>, TileError> = entries(payload).collect();
    let entries = entries.ok()?;
    if u32::try_from(entries.len()) != Ok(header.count) {
        return None;
    }
    let leaves: Vec<Leaf> = entries.into_iter().map(|entry| Leaf::new(entry.to_vec())).collect();
    (check(checked, &leaves) == *said).then_some(leaves)
}
