//! The filter over the tags of an index: 4.5 bytes a row, and 2⁻³² of what is not there passes it.
//!
//! The filter is a binary fuse filter (Graf and Lemire 2022) as the crate `xorf` builds it; the bytes are ours, and every
//! filter has exactly one form:
//!
//! ```text
//! "MAYAGBF1" | seed u64 | segment length u32 | segments u32 | fingerprints, u32 each     all big-endian
//! ```
//!
//! with `segments + 2` times the segment length of fingerprints. What does not fit is refused, so that no filter, whoever
//! wrote it, makes its reader look beside it.

use std::fmt;
use xorf::{BinaryFuse32, Descriptor, Filter as _};

const MAGIC: &[u8; 8] = b"MAYAGBF1";

/// The longest segment that `xorf` makes.
const LONGEST_SEGMENT: u32 = 262_144;

/// More fingerprints than this are not read: 4 GiB.
const MOST_FINGERPRINTS: u64 = 1 << 30;

/// A filter over tags.
pub struct Filter(BinaryFuse32);

/// Why there is no filter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// Tags that are not distinct, or fewer than two.
    #[error("a filter needs at least two tags, all of them different")]
    Build,
    /// Bytes that are none.
    #[error("the bytes are not a filter")]
    Malformed,
}

impl Filter {
    /// Builds the filter over distinct tags. About 0.1 µs and 24 bytes of memory a tag.
    pub fn build(tags: &[u64]) -> Result<Self, FilterError> {
        if tags.len() < 2 || u32::try_from(tags.len()).is_err() {
            return Err(FilterError::Build);
        }
        BinaryFuse32::try_from(tags).map(Self).map_err(|_| FilterError::Build)
    }

    /// Whether the tag may be there. Never false for one that is.
    pub fn may_hold(&self, tag: u64) -> bool {
        self.0.contains(&tag)
    }

    /// The bytes to be published.
    pub fn to_bytes(&self) -> Vec<u8> {
        let Descriptor { seed, segment_length, segment_count_length, .. } = self.0.descriptor;
        let segments = segment_count_length.checked_div(segment_length).unwrap_or(0);
        let mut bytes = Vec::with_capacity(24 + 4 * self.0.fingerprints.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&seed.to_be_bytes());
        bytes.extend_from_slice(&segment_length.to_be_bytes());
        bytes.extend_from_slice(&segments.to_be_bytes());
        for fingerprint in &self.0.fingerprints {
            bytes.extend_from_slice(&fingerprint.to_be_bytes());
        }
        bytes
    }

    /// Reads a filter. Costs its length, whatever it says.
    pub fn parse(bytes: &[u8]) -> Result<Self, FilterError> {
        Self::read(bytes).ok_or(FilterError::Malformed)
    }

    fn read(bytes: &[u8]) -> Option<Self> {
        let (MAGIC, rest) = bytes.split_first_chunk::<8>()? else { return None };
        let (seed, rest) = rest.split_first_chunk::<8>()?;
        let (segment_length, rest) = rest.split_first_chunk::<4>()?;
        let (segments, rest) = rest.split_first_chunk::<4>()?;
        let (fingerprints, []) = rest.as_chunks::<4>() else { return None };
        let segment_length = u32::from_be_bytes(*segment_length);
        let segments = u32::from_be_bytes(*segments);
        if !segment_length.is_power_of_two() || segment_length > LONGEST_SEGMENT || segments == 0 {
            return None;
        }
        // Three neighbouring segments hold a tag's three fingerprints; the first is one of the `segments`.
        let needed = (u64::from(segments) + 2) * u64::from(segment_length);
        if needed > MOST_FINGERPRINTS || u64::try_from(fingerprints.len()) != Ok(needed) {
            return None;
        }
        let descriptor = Descriptor {
            seed: u64::from_be_bytes(*seed),
            segment_length,
            segment_length_mask: segment_length - 1,
            segment_count_length: segments * segment_length,
        };
        let fingerprints = fingerprints.iter().map(|bytes| u32::from_be_bytes(*bytes)).collect();
        Some(Self(BinaryFuse32 { descriptor, fingerprints }))
    }
}

impl fmt::Debug for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Filter({} fingerprints)", self.0.fingerprints.len())
    }
}

#[cfg(test)]
mod tests {
    use super::{Filter, FilterError};
    use proptest::prelude::{any, proptest};

    fn tags(count: u64) -> Vec<u64> {
        (1..=count).map(|n| n.wrapping_mul(0x9e37_79b9_7f4a_7c15)).collect()
    }

    #[test]
    fn what_is_in_passes_and_hardly_anything_else() {
        for count in [2, 3, 10, 64, 100, 1_000, 20_000] {
            let tags = tags(count);
            let filter = Filter::parse(&Filter::build(&tags).unwrap().to_bytes()).unwrap();
            assert!(tags.iter().all(|tag| filter.may_hold(*tag)), "{count}");
            let passing = (0..100_000_u64).filter(|other| filter.may_hold(*other)).count();
            assert_eq!(passing, 0, "{count}");
        }
        assert_eq!(Filter::build(&[1]).err(), Some(FilterError::Build));
        assert_eq!(Filter::build(&[]).err(), Some(FilterError::Build));
    }

    #[test]
    fn a_filter_has_one_form() {
        let bytes = Filter::build(&tags(500)).unwrap().to_bytes();
        assert_eq!(Filter::parse(&bytes).unwrap().to_bytes(), bytes);
        for cut in 0..bytes.len() {
            assert!(Filter::parse(&bytes[..cut]).is_err(), "{cut}");
        }
        Filter::parse(&[&bytes[..], &[0; 4]].concat()).unwrap_err();
        // Every number of the head decides how much must follow, or which filter it is.
        for at in (0..8).chain(16..24) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 1;
            assert!(Filter::parse(&bytes).is_err(), "{at}");
        }
    }

    #[test]
    fn the_numbers_of_a_hostile_head_are_not_believed() {
        for (length, segments) in [
            (0, 1),
            (3, 1),
            (1 << 31, 1),
            (262_144, u32::MAX),
            (4, 0),
            (4, u32::MAX),
            (u32::MAX, 1),
        ] {
            let (length, segments) = (u32::to_be_bytes(length), u32::to_be_bytes(segments));
            let head = [b"MAYAGBF1", &[0; 8][..], &length, &segments].concat();
            Filter::parse(&head).unwrap_err();
            // Eight fingerprints are two segments of four, twelve are three.
            for fingerprints in [8, 12] {
                Filter::parse(&[head.clone(), vec![0; 4 * fingerprints]].concat()).unwrap_err();
            }
        }
    }

    proptest! {
        #[test]
        fn no_bytes_panic(seed: u64, power in 0..6_u32, segments in 1..9_u32, tag: u64, junk in proptest::collection::vec(any::<u8>(), 0..200)) {
            let count = (segments + 2) * (1 << power);
            let mut bytes = b"MAYAGBF1".to_vec();
            bytes.extend_from_slice(&seed.to_be_bytes());
            bytes.extend_from_slice(&(1_u32 << power).to_be_bytes());
            bytes.extend_from_slice(&segments.to_be_bytes());
            bytes.extend((0..4 * count).map(|n| n.to_be_bytes()[3]));
            let filter = Filter::parse(&bytes).unwrap();
            for tag in [tag, 0, u64::MAX, seed] {
                let _may = filter.may_hold(tag);
            }
            Filter::parse(&junk).unwrap_err();
        }
    }
}
