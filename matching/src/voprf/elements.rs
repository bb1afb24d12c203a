//! Vectors of group elements as they travel: 32 bytes each, decoded once.

use crate::parallel::in_parts;
use curve25519_dalek::ristretto::{CompressedRistretto, RistrettoPoint};
use mayag_protocol::names::Digest;
use ring::digest::{SHA256, digest};
use std::fmt;
use std::num::NonZero;
use zeroize::Zeroizing;

/// The most elements that one proof covers: RFC 9497 counts them in two bytes.
pub const LARGEST_BATCH: usize = 65_535;

/// Bytes of an element.
pub(crate) const ELEMENT: usize = 32;

/// The identity has exactly one encoding.
const IDENTITY: [u8; ELEMENT] = [0; ELEMENT];

/// Elements whose encoding is shared: more would save a hundredth of a microsecond each.
const PORTION: usize = 256;

/// A point of the group.
pub(crate) type Point = RistrettoPoint;

/// A vector of group elements, none of them the identity.
#[derive(Clone, PartialEq, Eq)]
pub struct Elements {
    bytes: Vec<[u8; ELEMENT]>,
    points: Vec<RistrettoPoint>,
}

/// Bytes that are no vector of group elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ElementError {
    /// None, or too many.
    #[error("a vector has 1 to 65,535 elements")]
    Count,
    /// The identity, which would show what it is multiplied with to be nothing.
    #[error("an element is the identity")]
    Identity,
    /// Not a multiple of 32 bytes.
    #[error("the bytes are cut inside an element")]
    Length,
    /// No canonical encoding of an element (RFC 9496 §4.3.1).
    #[error("an element is not one of the group's")]
    Undecodable,
}

impl Elements {
    /// Reads elements of 32 bytes each, in constant order. About 4 µs an element.
    pub fn parse(bytes: &[u8]) -> Result<Self, ElementError> {
        let (chunks, rest) = bytes.as_chunks::<ELEMENT>();
        if !rest.is_empty() {
            return Err(ElementError::Length);
        }
        Self::decode(chunks.to_vec())
    }

    /// Decodes elements, refusing the identity.
    pub(super) fn decode(bytes: Vec<[u8; ELEMENT]>) -> Result<Self, ElementError> {
        if bytes.is_empty() || bytes.len() > LARGEST_BATCH {
            return Err(ElementError::Count);
        }
        let points: Result<Vec<RistrettoPoint>, ElementError> = bytes.iter().map(decode).collect();
        Ok(Self { points: points?, bytes })
    }

    /// The vector of the doubles of `halves`. An input whose element is the identity is refused here, as the RFC asks.
    pub(crate) fn of_doubled(halves: &[RistrettoPoint]) -> Result<Self, ElementError> {
        if halves.is_empty() || halves.len() > LARGEST_BATCH {
            return Err(ElementError::Count);
        }
        let bytes = doubles(halves, |half| *half);
        if bytes.contains(&IDENTITY) {
            return Err(ElementError::Identity);
        }
        Ok(Self { bytes, points: halves.iter().map(|half| half + half).collect() })
    }

    /// The vector of points; the identity is refused.
    pub(super) fn of_points(
        points: &[RistrettoPoint],
        workers: NonZero<usize>,
    ) -> Result<Self, ElementError> {
        if points.is_empty() || points.len() > LARGEST_BATCH {
            return Err(ElementError::Count);
        }
        let encode = |point: &RistrettoPoint| point.compress().to_bytes();
        let parts = in_parts(points, workers, |p| p.iter().map(encode).collect::<Vec<_>>());
        let bytes = parts.concat();
        if bytes.contains(&IDENTITY) {
            return Err(ElementError::Identity);
        }
        Ok(Self { bytes, points: points.to_vec() })
    }

    /// The bytes for the wire: 32 for each element, in order.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.bytes.as_flattened().to_vec()
    }

    /// SHA-256 of the bytes for the wire.
    pub fn digest(&self) -> Digest {
        let mut hash = [0; 32];
        hash.copy_from_slice(digest(&SHA256, self.bytes.as_flattened()).as_ref());
        Digest::from_bytes(hash)
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Never: an empty vector is not one.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub(super) fn encoded(&self) -> &[[u8; ELEMENT]] {
        &self.bytes
    }

    pub(super) fn into_points(self) -> Vec<RistrettoPoint> {
        self.points
    }

    pub(super) fn points(&self) -> &[RistrettoPoint] {
        &self.points
    }
}

impl fmt::Debug for Elements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Elements({})", self.bytes.len())
    }
}

/// The encodings of `2·half(item)` of every item: that of doubles is what can be shared by many, so callers multiply by half of
/// their scalar. In portions that stay in the processor's cache.
pub(super) fn doubles<T>(items: &[T], half: impl Fn(&T) -> RistrettoPoint) -> Vec<[u8; ELEMENT]> {
    let mut encoded = Vec::with_capacity(items.len());
    let mut halves: SecretPoints = Zeroizing::new(Vec::with_capacity(PORTION));
    for portion in items.chunks(PORTION) {
        halves.clear();
        halves.extend(portion.iter().map(&half));
        let portion = RistrettoPoint::double_and_compress_batch(halves.iter());
        encoded.extend(portion.into_iter().map(|element| element.to_bytes()));
    }
    encoded
}

/// Decodes one element.
pub(super) fn decode(bytes: &[u8; ELEMENT]) -> Result<RistrettoPoint, ElementError> {
    if *bytes == IDENTITY {
        return Err(ElementError::Identity);
    }
    CompressedRistretto(*bytes).decompress().ok_or(ElementError::Undecodable)
}

/// Points that say what is searched: wiped when dropped.
pub(crate) type SecretPoints = Zeroizing<Vec<RistrettoPoint>>;
