//! The Merkle tree of RFC 6962, section 2.1, over SHA-256: hashing, appending, and proofs.
//!
//! Appending keeps a [`Frontier`]: the roots of the complete subtrees, at most 64 of them, so one append and one root are
//! O(log n) in time and memory. Proofs are made over anything that can say the hash of a complete subtree
//! ([`Nodes`]; tiles can) and are verified without it. Verification follows RFC 9162, sections 2.1.3.2 and 2.1.4.2, whose
//! tree is the same.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mayag_protocol::names::{Digest, unhex};
use ring::digest::{Context, SHA256, digest};
use std::fmt;
use std::str::FromStr;

/// A hash of the tree: of a leaf, of a node, or the root.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// Bytes in a [struct@Hash].
pub const HASH_BYTES: usize = 32;

impl Hash {
    /// The hash of these bytes.
    pub fn from_bytes(bytes: [u8; HASH_BYTES]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }

    fn of(digest: &ring::digest::Digest) -> Self {
        let mut bytes = [0; HASH_BYTES];
        bytes.copy_from_slice(digest.as_ref());
        Self(bytes)
    }
}

/// `MTH({d}) = SHA-256(0x00 || d)`.
pub fn leaf_hash(entry: &[u8]) -> Hash {
    let mut context = Context::new(&SHA256);
    context.update(&[0]);
    context.update(entry);
    Hash::of(&context.finish())
}

/// `SHA-256(0x01 || left || right)`.
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    let mut message = [1; 1 + 2 * HASH_BYTES];
    for (to, from) in message.iter_mut().skip(1).zip(left.0.iter().chain(&right.0)) {
        *to = *from;
    }
    Hash::of(&digest(&SHA256, &message))
}

/// `MTH({}) = SHA-256()`.
pub fn empty_root() -> Hash {
    Hash::of(&digest(&SHA256, b""))
}

/// The hash of a complete subtree: of the `2^height` entries from `index * 2^height` on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// 0 for a leaf.
    pub height: u32,
    /// Position among the nodes of this height.
    pub index: u64,
    /// Its hash.
    pub hash: Hash,
}

/// The right edge of a tree: all that appending needs to know.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    /// INVARIANT (one peak per bit): one hash per bit set in `size`, the largest subtree first.
    peaks: Vec<Hash>,
}

impl Frontier {
    /// The right edge of a tree of `size` entries; `None` unless there is one peak per bit set in `size`.
    pub fn from_peaks(size: u64, peaks: Vec<Hash>) -> Option<Self> {
        (u32::try_from(peaks.len()) == Ok(size.count_ones())).then_some(Self { size, peaks })
    }

    /// The right edge of the first `size` entries of a tree, O(log n) reads.
    pub fn of<N: Nodes>(nodes: &mut N, size: u64) -> Result<Self, N::Error> {
        let peaks: Result<Vec<Hash>, N::Error> =
            peaks_of(0, size).map(|(height, index)| nodes.node(height, index)).collect();
        Ok(Self { size, peaks: peaks? })
    }

    /// Appends a leaf; `each` sees every subtree that became complete, the leaf first, upwards.
    pub fn push(&mut self, leaf: Hash, mut each: impl FnMut(Node)) {
        let mut node = Node { height: 0, index: self.size, hash: leaf };
        each(node);
        while node.index & 1 == 1
            && let Some(left) = self.peaks.pop()
        {
            node = Node {
                height: node.height + 1,
                index: node.index >> 1,
                hash: node_hash(&left, &node.hash),
            };
            each(node);
        }
        self.peaks.push(node.hash);
        self.size += 1;
    }

    /// The number of entries.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, the largest first.
    pub fn peaks(&self) -> &[Hash] {
        &self.peaks
    }

    /// The root.
    pub fn root(&self) -> Hash {
        fold_right(&self.peaks)
    }
}

/// Something that knows the hash of every complete subtree of a tree.
pub trait Nodes {
    /// Why it did not say.
    type Error;
    /// The hash of the `2^height` entries from `index * 2^height` on. Asked only for subtrees inside the tree.
    fn node(&mut self, height: u32, index: u64) -> Result<Hash, Self::Error>;
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// More or fewer hashes than a tree of this size has.
    #[error("the proof has another length than a tree of this size needs")]
    Length,
    /// The entry or the older tree is not inside the tree.
    #[error("the proof is about more entries than the tree has")]
    Range,
    /// The hashes lead to another root.
    #[error("the proof leads to another root")]
    Root,
}

/// The root of the first `size` entries, O(log n) reads.
pub fn root<N: Nodes>(nodes: &mut N, size: u64) -> Result<Hash, N::Error> {
    range_hash(nodes, 0, size)
}

/// The inclusion proof of entry `index` in the tree of the first `size` entries (RFC 6962, section 2.1.1), the leaf's
/// sibling first. Empty where `index` is not in the tree: such a proof proves nothing.
pub fn prove_inclusion<N: Nodes>(
    nodes: &mut N,
    index: u64,
    size: u64,
) -> Result<Vec<Hash>, N::Error> {
    if size <= index {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, size);
    let mut siblings = Vec::new();
    while high - low > 1 {
        let middle = low + split(high - low);
        if index < middle {
            siblings.push((middle, high));
            high = middle;
        } else {
            siblings.push((low, middle));
            low = middle;
        }
    }
    siblings.into_iter().rev().map(|(low, high)| range_hash(nodes, low, high)).collect()
}

/// The consistency proof between the trees of the first `old` and the first `new` entries (RFC 6962, section 2.1.2).
/// Empty where `old` is 0 or not below `new`.
pub fn prove_consistency<N: Nodes>(
    nodes: &mut N,
    old: u64,
    new: u64,
) -> Result<Vec<Hash>, N::Error> {
    if old == 0 || new <= old {
        return Ok(Vec::new());
    }
    let (mut low, mut high) = (0, new);
    let mut ranges = Vec::new();
    while old < high {
        let middle = low + split(high - low);
        if old <= middle {
            ranges.push((middle, high));
            high = middle;
        } else {
            ranges.push((low, middle));
            low = middle;
        }
    }
    if low != 0 {
        // Otherwise what is left is the old tree itself, whose root the verifier has.
        ranges.push((low, high));
    }
    ranges.into_iter().rev().map(|(low, high)| range_hash(nodes, low, high)).collect()
}

/// Checks that `leaf` is entry `index` of the tree of `size` entries with this root.
pub fn verify_inclusion(
    leaf: Hash,
    index: u64,
    size: u64,
    root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if size <= index {
        return Err(ProofError::Range);
    }
    let (mut place, mut last) = (index, size - 1);
    let mut found = leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            found = node_hash(sibling, &found);
            while place != 0 && place & 1 == 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            found = node_hash(&found, sibling);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if found == *root { Ok(()) } else { Err(ProofError::Root) }
}

/// The size and root of a tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// The number of entries.
    pub size: u64,
    /// The root.
    pub root: Hash,
}

/// Checks that the tree `new` begins with all entries of the tree `old`.
pub fn verify_consistency(old: &Head, new: &Head, proof: &[Hash]) -> Result<(), ProofError> {
    if new.size < old.size {
        return Err(ProofError::Range);
    }
    if old.size == 0 || old.size == new.size {
        if !proof.is_empty() {
            return Err(ProofError::Length);
        }
        let expected = if old.size == 0 { empty_root() } else { new.root };
        return if old.root == expected { Ok(()) } else { Err(ProofError::Root) };
    }
    let (mut place, mut last) = (old.size - 1, new.size - 1);
    while place & 1 == 1 {
        place >>= 1;
        last >>= 1;
    }
    // The proof leaves out the old root where the old tree is one complete subtree.
    let (first, rest) = if old.size.is_power_of_two() {
        (old.root, proof)
    } else {
        proof.split_first().map(|(first, rest)| (*first, rest)).ok_or(ProofError::Length)?
    };
    let (mut found_old, mut found_new) = (first, first);
    for hash in rest {
        if last == 0 {
            return Err(ProofError::Length);
        }
        if place & 1 == 1 || place == last {
            found_old = node_hash(hash, &found_old);
            found_new = node_hash(hash, &found_new);
            while place != 0 && place & 1 == 0 {
                place >>= 1;
                last >>= 1;
            }
        } else {
            found_new = node_hash(&found_new, hash);
        }
        place >>= 1;
        last >>= 1;
    }
    if last != 0 {
        return Err(ProofError::Length);
    }
    if found_old == old.root && found_new == new.root { Ok(()) } else { Err(ProofError::Root) }
}

/// The largest power of two below `count`; `count` is at least 2.
fn split(count: u64) -> u64 {
    1 << (count - 1).ilog2()
}

/// `MTH(D[low:high])`, where `low` is a multiple of a power of two that is at least `high - low`.
fn range_hash<N: Nodes>(nodes: &mut N, low: u64, high: u64) -> Result<Hash, N::Error> {
    let peaks: Result<Vec<Hash>, N::Error> =
        peaks_of(low, high).map(|(height, index)| nodes.node(height, index)).collect();
    Ok(fold_right(&peaks?))
}

/// Height and index of the complete subtrees that `low..high` falls into, the largest first.
fn peaks_of(low: u64, high: u64) -> impl Iterator<Item = (u32, u64)> {
    let count = high - low;
    (0..u64::BITS).rev().filter(move |height| count >> height & 1 == 1).map(move |height| {
        let above = (count >> height) & !1; // complete subtrees of this height that larger peaks cover
        (height, (low >> height) + above)
    })
}

pub(crate) fn fold_right(peaks: &[Hash]) -> Hash {
    peaks
        .iter()
        .rev()
        .copied()
        .reduce(|right, left| node_hash(&left, &right))
        .unwrap_or_else(empty_root)
}

/// Base64, as checkpoints and proofs write it.
impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&STANDARD.encode(self.0))
    }
}

/// A text that is not a hash.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a hash of 32 bytes in base64")]
pub struct HashError;

/// Canonical base64 only: one hash has one text.
impl FromStr for Hash {
    type Err = HashError;
    fn from_str(text: &str) -> Result<Self, HashError> {
        let bytes = STANDARD.decode(text).map_err(|_| HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

impl From<Hash> for Digest {
    fn from(hash: Hash) -> Self {
        Self::from_bytes(hash.0)
    }
}

impl TryFrom<&Digest> for Hash {
    type Error = HashError;
    fn try_from(digest: &Digest) -> Result<Self, HashError> {
        let bytes = unhex(digest.as_str()).ok_or(HashError)?;
        bytes.try_into().map(Self).map_err(|_| HashError)
    }
}

#[cfg(test)]
mod tests;
