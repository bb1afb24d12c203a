//! The write-ahead areas: entries are durable here before anybody is answered on them.
//!
//! There are two areas. Appends go to one; when its entries are integrated, appends go on at the beginning of the other,
//! and once their tiles and checkpoint are published nothing in the first is needed any more: it is written over the next
//! time. Areas are filled with zeros once and then only written in place, so that a sync has no metadata to write.
//!
//! A batch begins at a multiple of [`BLOCK`], so that a block which holds an acknowledged entry is never written again and
//! a torn write damages nothing but its own batch. All numbers are big-endian:
//!
//! ```text
//! "mayagWA1" | generation u64 | salt 16 | sequence u64 | first index u64 | count u32 | length u32
//!     | header check 8 | check 32 | entries
//! ```
//!
//! The entries are those of a bundle: length u16 and bytes. `check` is the SHA-256 of everything before it and of the
//! leaf hashes, so that it covers the entries without hashing them twice; the header check begins the SHA-256 of what is
//! before it, so that a header is known to be whole if its entries are torn. A generation begins when an area is begun;
//! its salt is random, so that bytes which somebody had logged cannot pass for a batch when an area is read back.

use super::door::Area;
use crate::keys::RandomError;
use crate::tile::{TileError, push_entry};
use crate::tree::{Hash, leaf_hash};
use ring::digest::{Context, SHA256};
use ring::rand::{SecureRandom as _, SystemRandom};
use std::io;

/// What a batch begins at a multiple of: the block of common file systems and the sector of common disks.
pub(crate) const BLOCK: usize = 4096;
/// An area has at least this many bytes: enough for refusals to be logged when the disk is full.
pub(crate) const SMALLEST: u64 = 1024 * 1024;
/// An area grows by so much at a time, with zeros.
const STEP: u64 = 4 * 1024 * 1024;
/// Kept free for what must be written even if the disk is full: refusals, and answers to what was admitted.
pub(crate) const RESERVE: u64 = 256 * 1024;
const MAGIC: [u8; 8] = *b"mayagWA1";
/// The header up to the header check.
const FIELDS: usize = 56;
/// The header up to `check`.
const CHECKED: usize = FIELDS + 8;
const HEADER: usize = CHECKED + 32;
/// Batches are taken up to so many bytes of entries; one more entry may be added.
pub(crate) const LARGEST_BATCH: usize = 4 * 1024 * 1024;

/// An entry that is being written: its bytes and their leaf hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hash: Hash,
}

impl Leaf {
    pub(crate) fn new(bytes: Vec<u8>) -> Self {
        Self { hash: leaf_hash(&bytes), bytes }
    }
}

/// One generation of batches in one area.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Generation {
    number: u64,
    salt: [u8; 16],
}

impl Generation {
    fn new(number: u64) -> Result<Self, RandomError> {
        let mut salt = [0; 16];
        SystemRandom::new().fill(&mut salt).map_err(|_| RandomError)?;
        Ok(Self { number, salt })
    }
}

/// The areas, as they are written.
#[derive(Debug)]
pub(crate) struct Ahead {
    areas: [Box<dyn Area>; 2],
    /// Which area is written.
    active: usize,
    /// Bytes of each area that are there, and written before.
    lengths: [u64; 2],
    generation: Generation,
    sequence: u64,
    at: u64,
}

/// Whether there is room for a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Room {
    /// Room, and the reserve is untouched.
    Enough,
    /// The disk is full, but the batch fits in what is there.
    Reserve,
    /// The disk is full.
    Nothing,
}

impl Ahead {
    /// Begins a new generation in the first area. What was in the areas is integrated.
    pub(crate) fn begin(areas: [Box<dyn Area>; 2], generation: u64) -> Result<Self, BeginError> {
        let [first, second] = &areas;
        let lengths = [prepared(first.as_ref())?, prepared(second.as_ref())?];
        let generation = Generation::new(generation)?;
        Ok(Self { areas, active: 0, lengths, generation, sequence: 0, at: 0 })
    }

    /// What the active area is called.
    pub(crate) fn place(&self) -> String {
        self.active_area().place()
    }

    /// Sees that a batch with these entries fits, making the area longer if need be.
    ///
    /// An area that could not grow is as good as before: nothing was written over, and no batch was begun.
    pub(crate) fn make_room(&mut self, leaves: &[Leaf]) -> io::Result<Room> {
        let needed = self.at + padded(HEADER + payload_length(leaves)) as u64;
        let length = self.active_length();
        if needed + RESERVE <= length {
            return Ok(Room::Enough);
        }
        let target = (needed + RESERVE).max(length + STEP).next_multiple_of(BLOCK as u64);
        match fill(self.active_area(), length, target) {
            Ok(()) => {
                self.set_active_length(target);
                Ok(Room::Enough)
            }
            Err(error) if is_full(&error) && needed <= length => Ok(Room::Reserve),
            Err(error) if is_full(&error) => Ok(Room::Nothing),
            Err(error) => Err(error),
        }
    }

    /// Writes one batch and syncs it.
    pub(crate) fn write(&mut self, first: u64, leaves: &[Leaf]) -> io::Result<()> {
        let bytes =
            encode(self.generation, self.sequence, first, leaves).map_err(io::Error::other)?;
        // A crash during the write leaves a batch whose check fails, and nobody was answered on it; between write and
        // sync the same, or a whole batch that the next start keeps although nobody was answered on it.
        self.active_area().write_at(self.at, &bytes)?;
        self.active_area().sync()?;
        // From here on the batch is found by every start until its entries are published.
        self.at += bytes.len() as u64;
        self.sequence += 1;
        Ok(())
    }

    /// Goes on at the beginning of the other area, whose entries must all be published.
    pub(crate) fn swap(&mut self) -> Result<(), RandomError> {
        self.generation = Generation::new(self.generation.number + 1)?;
        self.active = 1 - self.active;
        self.sequence = 0;
        self.at = 0;
        Ok(())
    }

    fn active_area(&self) -> &dyn Area {
        let [first, second] = &self.areas;
        if self.active == 0 { first.as_ref() } else { second.as_ref() }
    }

    fn active_length(&self) -> u64 {
        let [first, second] = self.lengths;
        if self.active == 0 { first } else { second }
    }

    fn set_active_length(&mut self, length: u64) {
        let [first, second] = &mut self.lengths;
        *(if self.active == 0 { first } else { second }) = length;
    }
}

/// Why a new generation was not begun.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// An area was not made long enough.
    #[error("`{place}` was not prepared: {source}")]
    Area {
        /// The file.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// No salt.
    #[error(transparent)]
    Random(#[from] RandomError),
}

fn prepared(area: &dyn Area) -> Result<u64, BeginError> {
    let fault = |source| BeginError::Area { place: area.place(), source };
    let length = area.length().map_err(fault)?;
    if length >= SMALLEST {
        return Ok(length);
    }
    fill(area, length, SMALLEST).map_err(fault)?;
    Ok(SMALLEST)
}

/// Zeros from `from` to `to`, durable: a later sync then has no new length or block to write down.
fn fill(area: &dyn Area, from: u64, to: u64) -> io::Result<()> {
    let zeros = usize::try_from(to.saturating_sub(from)).unwrap_or(usize::MAX);
    area.write_at(from, &vec![0; zeros])?;
    area.sync()
}

/// Whether an error says that the disk, or what the user may use of it, is full.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn payload_length(leaves: &[Leaf]) -> usize {
    leaves.iter().map(|leaf| leaf.bytes.len() + 2).sum()
}

fn padded(length: usize) -> usize {
    length.next_multiple_of(BLOCK)
}

fn encode(
    generation: Generation,
    sequence: u64,
    first: u64,
    leaves: &[Leaf],
) -> Result<Vec<u8>, TileError> {
    let length = payload_length(leaves);
    let mut bytes = Vec::with_capacity(padded(HEADER + length));
    bytes.extend(MAGIC);
    bytes.extend(generation.number.to_be_bytes());
    bytes.extend(generation.salt);
    bytes.extend(sequence.to_be_bytes());
    bytes.extend(first.to_be_bytes());
    // INVARIANT (batch size): commits take at most `LARGEST_BATCH` bytes and one entry, far below 32 bits.
    bytes.extend(u32::try_from(leaves.len()).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes());
    bytes.extend(header_check(&bytes));
    bytes.extend(check(&bytes, leaves));
    for leaf in leaves {
        push_entry(&mut bytes, &leaf.bytes)?;
    }
    bytes.resize(padded(bytes.len()), 0);
    Ok(bytes)
}

fn header_check(fields: &[u8]) -> [u8; 8] {
    let digest = ring::digest::digest(&SHA256, fields);
    digest.as_ref().first_chunk::<8>().copied().unwrap_or_default()
}

fn check(header: &[u8], leaves: &[Leaf]) -> [u8; 32] {
    let mut context = Context::new(&SHA256);
    context.update(header);
    for leaf in leaves {
        context.update(leaf.hash.as_bytes());
    }
    let mut check = [0; 32];
    check.copy_from_slice(context.finish().as_ref());
    check
}

mod recover;

pub use recover::RecoverError;
pub(crate) use recover::{Recovered, recover};

#[cfg(test)]
mod tests;
