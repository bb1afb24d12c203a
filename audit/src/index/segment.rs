//! One file of an index: what is known of up to 65,536 entries.
//!
//! ```text
//! head    "mayag index 1\n", SHA-256 of the log's name, its number, bytes of the head, bundles, pages
//!         of each bundle: entries, root, earliest and latest time (ms)
//!         of each page: first word, offset, bytes, SHA-256
//!         SHA-256 of all that
//! pages   see [`super::pages`]
//! ```
//!
//! Numbers are big-endian. The head is read whole when the index is opened, pages one by one when they are needed.

use super::Store;
use super::pages::{self, Bits, Page};
use crate::keys::sha256;
use crate::records::LogName;
use crate::tree::Hash;
use mayag_protocol::timestamp::Timestamp;
use std::io;

const MAGIC: &[u8] = b"mayag index 1\n";
/// Magic, name, number, length of the head, bundles, pages.
const FIXED: usize = MAGIC.len() + 32 + 8 + 4 + 4 + 4;
const BUNDLE: usize = 4 + 32 + 8 + 8;
const PAGE_LINE: usize = 8 + 8 + 4 + 32;
const DIGEST: usize = 32;
/// No head is longer: 256 bundles and the pages of some millions of words.
const LONGEST_HEAD: usize = 16 * 1024 * 1024;

/// What is known of a bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BundleLine {
    pub(super) entries: u32,
    pub(super) root: Hash,
    pub(super) from: Timestamp,
    pub(super) to: Timestamp,
}

#[derive(Debug, Clone, Copy)]
struct PageLine {
    first: u64,
    offset: u64,
    length: u32,
    digest: [u8; DIGEST],
}

/// The head of a segment.
#[derive(Debug)]
pub(super) struct Segment {
    log: [u8; DIGEST],
    number: u64,
    bundles: Vec<BundleLine>,
    pages: Vec<PageLine>,
}

/// The bytes of a segment.
pub(super) fn write(
    log: &LogName,
    number: u64,
    bundles: &[BundleLine],
    written: &[Page],
) -> Option<Vec<u8>> {
    let length = FIXED + bundles.len() * BUNDLE + written.len() * PAGE_LINE + DIGEST;
    let mut bytes = Vec::with_capacity(length);
    bytes.extend_from_slice(MAGIC);
    bytes.extend_from_slice(&name_digest(log));
    bytes.extend_from_slice(&number.to_be_bytes());
    for count in [length, bundles.len(), written.len()] {
        bytes.extend_from_slice(&u32::try_from(count).ok()?.to_be_bytes());
    }
    for bundle in bundles {
        bytes.extend_from_slice(&bundle.entries.to_be_bytes());
        bytes.extend_from_slice(bundle.root.as_bytes());
        bytes.extend_from_slice(&bundle.from.millis().to_be_bytes());
        bytes.extend_from_slice(&bundle.to.millis().to_be_bytes());
    }
    let mut offset = length as u64;
    for (first, page) in written {
        bytes.extend_from_slice(&first.to_be_bytes());
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&u32::try_from(page.len()).ok()?.to_be_bytes());
        bytes.extend_from_slice(&digest(page));
        offset += page.len() as u64;
    }
    let own = digest(&bytes);
    bytes.extend_from_slice(&own);
    for (_, page) in written {
        bytes.extend_from_slice(page);
    }
    Some(bytes)
}

impl Segment {
    /// Reads the head of a segment; `None` where there is none, or it is not what was written.
    pub(super) fn read<S: Store>(store: &S, name: &str) -> io::Result<Option<Self>> {
        let fixed = match store.read_at(name, 0, FIXED) {
            Ok(fixed) => fixed,
            Err(error)
                if matches!(
                    error.kind(),
                    io::ErrorKind::NotFound | io::ErrorKind::UnexpectedEof
                ) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let counted = fixed.get(MAGIC.len() + DIGEST + 8..).and_then(|mut rest| u32_of(&mut rest));
        let length = counted.and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        if !(FIXED + DIGEST..=LONGEST_HEAD).contains(&length) {
            return Ok(None);
        }
        match store.read_at(name, 0, length) {
            Ok(head) => Ok(Self::parse(&head)),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn parse(head: &[u8]) -> Option<Self> {
        let (head, own) = head.split_at_checked(head.len().checked_sub(DIGEST)?)?;
        if digest(head) != *own {
            return None;
        }
        let mut rest = head.strip_prefix(MAGIC)?;
        let (log, number) = (bytes_of(&mut rest)?, u64_of(&mut rest)?);
        let (_, bundles, pages) = (u32_of(&mut rest)?, u32_of(&mut rest)?, u32_of(&mut rest)?);
        let bundle = |rest: &mut &[u8]| {
            let (entries, root) = (u32_of(rest)?, Hash::from_bytes(bytes_of(rest)?));
            let time =
                |rest: &mut &[u8]| u64_of(rest).map(|ms| Timestamp::from_millis(ms.cast_signed()));
            Some(BundleLine { entries, root, from: time(rest)?, to: time(rest)? })
        };
        let bundles = (0..bundles).map(|_| bundle(&mut rest)).collect::<Option<Vec<_>>>()?;
        let page = |rest: &mut &[u8]| {
            let (first, offset, length) = (u64_of(rest)?, u64_of(rest)?, u32_of(rest)?);
            Some(PageLine { first, offset, length, digest: bytes_of(rest)? })
        };
        let pages = (0..pages).map(|_| page(&mut rest)).collect::<Option<Vec<_>>>()?;
        rest.is_empty().then_some(Self { log, number, bundles, pages })
    }

    pub(super) fn is_of(&self, log: &LogName, number: u64) -> bool {
        self.log == name_digest(log) && self.number == number
    }

    pub(super) fn entries(&self) -> u64 {
        self.bundles.iter().map(|bundle| u64::from(bundle.entries)).sum()
    }

    pub(super) fn bundles(&self) -> impl Iterator<Item = &BundleLine> {
        self.bundles.iter()
    }

    pub(super) fn bundle(&self, place: u64) -> Option<&BundleLine> {
        usize::try_from(place).ok().and_then(|place| self.bundles.get(place))
    }

    /// The bundles that have all of these words; `None` for none. A page that is not what was written is an error.
    pub(super) fn bundles_with<S: Store>(
        &self,
        store: &S,
        name: &str,
        terms: &[u64],
    ) -> io::Result<Option<Bits>> {
        let mut all = Bits::ALL;
        for term in terms {
            let after = self.pages.partition_point(|page| page.first <= *term);
            let Some(page) = after.checked_sub(1).and_then(|at| self.pages.get(at)) else {
                return Ok(None);
            };
            let damaged = || io::Error::new(io::ErrorKind::InvalidData, "a page is damaged");
            let length = usize::try_from(page.length).map_err(|_| damaged())?;
            let bytes = store.read_at(name, page.offset, length)?;
            if digest(&bytes) != page.digest {
                return Err(damaged());
            }
            all = all.and(pages::find(page.first, &bytes, *term).ok_or_else(damaged)?);
            if all == Bits::NONE {
                return Ok(None);
            }
        }
        Ok(Some(all))
    }
}

fn name_digest(log: &LogName) -> [u8; DIGEST] {
    digest(log.origin().as_str().as_bytes())
}

fn digest(bytes: &[u8]) -> [u8; DIGEST] {
    // SHA-256 has 32 bytes.
    Hash::try_from(&sha256(bytes)).map(|hash| *hash.as_bytes()).unwrap_or_default()
}

fn bytes_of<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, after) = rest.split_first_chunk::<N>()?;
    *rest = after;
    Some(*bytes)
}

fn u64_of(rest: &mut &[u8]) -> Option<u64> {
    bytes_of(rest).map(u64::from_be_bytes)
}

fn u32_of(rest: &mut &[u8]) -> Option<u32> {
    bytes_of(rest).map(u32::from_be_bytes)
}
