//! A remembered set as bytes, for a durable log: about a hundred bytes for sets of some hundred units.
//!
//! ```text
//! 1             the format
//! n, n bytes    the dataset's name            (n, like every number below, is a LEB128 of the fewest bytes)
//! 32 bytes      the version of the data
//! kind
//! 16 bytes      the descriptor
//! units
//! 8 bytes       the key, little-endian
//! 64 numbers    the counters, zigzag
//! ```

use super::{DataVersion, Descriptor, Remembered};
use crate::units::{COUNTERS, UnitSet};

const FORMAT: u8 = 1;

/// The longest name of a dataset.
const LONGEST_NAME: u64 = 128;

impl Remembered {
    /// The record as bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = vec![FORMAT];
        put(&mut bytes, self.dataset.len() as u64);
        bytes.extend_from_slice(self.dataset.as_bytes());
        bytes.extend_from_slice(&self.version.0);
        put(&mut bytes, u64::from(self.kind));
        bytes.extend_from_slice(&self.descriptor.0);
        put(&mut bytes, self.set.units());
        bytes.extend_from_slice(&self.set.key().to_le_bytes());
        for counter in self.set.counters() {
            // Even numbers are positive, odd ones negative: small ones of either sign take one byte.
            let zigzag = (counter << 1) ^ (counter >> 31);
            put(&mut bytes, u64::from(zigzag.cast_unsigned()));
        }
        bytes
    }

    /// Reads one record and nothing after it; `None` for anything that [`Remembered::to_bytes`] does not write.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let mut rest = bytes;
        let [FORMAT] = take::<1>(&mut rest)? else { return None };
        let length = number(&mut rest).filter(|length| *length <= LONGEST_NAME)?;
        let (name, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        rest = after;
        let dataset = std::str::from_utf8(name).ok()?.to_owned();
        let version = DataVersion(take(&mut rest)?);
        let kind = u16::try_from(number(&mut rest)?).ok()?;
        let descriptor = Descriptor(take(&mut rest)?);
        let units = number(&mut rest)?;
        let key = u64::from_le_bytes(take(&mut rest)?);
        let mut counters = [0; COUNTERS];
        for counter in &mut counters {
            let zigzag = u32::try_from(number(&mut rest)?).ok()?;
            *counter = (zigzag >> 1).cast_signed() ^ -(zigzag & 1).cast_signed();
        }
        let set = UnitSet::from_parts(units, key, counters);
        (rest.is_empty() && set.is_possible()).then_some(Self {
            dataset,
            version,
            kind,
            descriptor,
            set,
        })
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push(low_bits(number) | 0x80);
        number >>= 7;
    }
    bytes.push(low_bits(number));
}

fn low_bits(number: u64) -> u8 {
    u8::try_from(number & 0x7f).unwrap_or_default()
}

fn take<const N: usize>(from: &mut &[u8]) -> Option<[u8; N]> {
    let (bytes, rest) = from.split_first_chunk::<N>()?;
    *from = rest;
    Some(*bytes)
}

/// A number of the fewest bytes that hold it: every record has one spelling.
fn number(from: &mut &[u8]) -> Option<u64> {
    let mut number = 0_u64;
    for shift in (0..64).step_by(7) {
        let [byte] = take::<1>(from)?;
        let bits = u64::from(byte & 0x7f);
        let shifted = bits << shift;
        if shifted >> shift != bits || (byte == 0 && shift > 0) {
            return None;
        }
        number |= shifted;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}
