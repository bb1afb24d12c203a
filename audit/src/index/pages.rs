//! Pages of words: each word's number, and in which bundles of the segment it occurs.
//!
//! Numbers are sorted and written as differences (LEB128), each followed by how many bundles there are and by their places, as
//! bytes. A page begins anew, so that it can be read by itself; it has a digest in the head of its segment.

/// A page is closed once it has so many bytes.
pub(super) const PAGE: usize = 4096;

/// Bundles of a segment, one bit each.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Bits([u64; 4]);

impl Bits {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);
    pub(super) const NONE: Self = Self([0; 4]);

    pub(super) fn has(self, place: u64) -> bool {
        let word = usize::try_from(place / 64).ok().and_then(|word| self.0.get(word));
        word.is_some_and(|word| word >> (place % 64) & 1 == 1)
    }

    fn set(&mut self, place: u8) {
        if let Some(word) = self.0.get_mut(usize::from(place / 64)) {
            *word |= 1 << (place % 64);
        }
    }

    pub(super) fn and(self, other: Self) -> Self {
        let mut both = self;
        for (word, other) in both.0.iter_mut().zip(other.0) {
            *word &= other;
        }
        both
    }
}

/// A page that is written: its first word and its bytes.
pub(super) type Page = (u64, Vec<u8>);

/// Writes words with their bundles, sorted and each pair once.
pub(super) fn write(sorted: &[(u64, u8)]) -> Vec<Page> {
    let mut pages: Vec<Page> = Vec::new();
    let mut before = 0;
    for group in sorted.chunk_by(|a, b| a.0 == b.0) {
        let Some((term, _)) = group.first() else { continue };
        let full = pages.last().is_none_or(|(_, bytes)| PAGE <= bytes.len());
        if full {
            pages.push((*term, Vec::with_capacity(PAGE + 300)));
            before = *term;
        }
        let Some((_, bytes)) = pages.last_mut() else { continue };
        push(bytes, term - before);
        before = *term;
        push(bytes, group.len() as u64);
        bytes.extend(group.iter().map(|(_, place)| *place));
    }
    pages
}

/// The bundles of a word in the page that would have it; `None` if the page is malformed.
pub(super) fn find(first: u64, bytes: &[u8], wanted: u64) -> Option<Bits> {
    let (mut rest, mut term) = (bytes, first);
    while !rest.is_empty() {
        term = term.checked_add(pull(&mut rest)?)?;
        let many = usize::try_from(pull(&mut rest)?).ok()?;
        let (places, after) = rest.split_at_checked(many)?;
        rest = after;
        if term == wanted {
            let mut bits = Bits::NONE;
            for place in places {
                bits.set(*place);
            }
            return Some(bits);
        }
        if wanted < term {
            break;
        }
    }
    Some(Bits::NONE)
}

fn push(bytes: &mut Vec<u8>, mut number: u64) {
    loop {
        let [low, ..] = (number & 0x7f).to_le_bytes();
        number >>= 7;
        if number == 0 {
            bytes.push(low);
            return;
        }
        bytes.push(low | 0x80);
    }
}

fn pull(rest: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let (byte, after) = rest.split_first()?;
        *rest = after;
        number |= u64::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
