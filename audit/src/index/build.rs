//! Makes a segment of an index from the entries of a log.

use super::segment::{self, BundleLine};
use super::{Bundle, IndexError, SEGMENT, pages, terms};
use crate::records::LogName;
use crate::tile::{Tiles, WIDTH};
use crate::tree::Frontier;
use mayag_protocol::timestamp::Timestamp;
use std::io;

/// The bytes of the segment of this number over so many entries of a log of `size`. Memory for the words of one segment, some
/// ten megabytes.
pub(super) fn segment<T: Tiles>(
    tiles: &T,
    log: &LogName,
    (number, entries): (u64, u64),
    size: u64,
) -> Result<Vec<u8>, IndexError> {
    let first = number * SEGMENT / WIDTH;
    let mut bundles = Vec::new();
    let mut words: Vec<(u64, u8)> = Vec::new();
    let mut many = MANY;
    for place in 0..entries.div_ceil(WIDTH) {
        let bundle = Bundle::read(tiles, first + place, size)?;
        // INVARIANT (a segment has 256 bundles): a place is a byte.
        let place = u8::try_from(place).unwrap_or(u8::MAX);
        bundles.push(look(&bundle, &mut |word| words.push((word, place)))?);
        // Most words come back within a bundle: each is kept once.
        if many < words.len() {
            words.sort_unstable();
            words.dedup();
            many = MANY.max(2 * words.len());
        }
    }
    words.sort_unstable();
    words.dedup();
    let too_large = || IndexError::Store(io::Error::other("a segment is too large"));
    segment::write(log, number, &bundles, &pages::write(&words)).ok_or_else(too_large)
}

/// So many words wait before those that are there twice are taken out.
const MANY: usize = 2_000_000;

fn look(bundle: &Bundle, each: &mut dyn FnMut(u64)) -> Result<BundleLine, IndexError> {
    let mut tree = Frontier::default();
    let mut times: Option<(Timestamp, Timestamp)> = None;
    for (index, bytes, hash) in bundle.entries()? {
        tree.push(hash, |_| ());
        let entry = bundle.parse(index, bytes)?;
        let (from, to) = times.unwrap_or((entry.at, entry.at));
        times = Some((from.min(entry.at), to.max(entry.at)));
        terms::of_entry(&entry, each);
    }
    let (from, to) = times.ok_or(IndexError::Root)?;
    let entries = u32::try_from(tree.size()).map_err(|_| IndexError::Root)?;
    Ok(BundleLine { entries, root: tree.root(), from, to })
}
