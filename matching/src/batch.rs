//! One search: identifiers hidden in a vector that every node gets alike.
//!
//! Everything about a vector follows from one secret seed: the scalars that blind it, the padding that brings it to a size
//! class, and the order. So the vector's SHA-256, which every node logs, is a commitment to what was searched: perfectly
//! hiding without the seed, and opened with it ([`opens`]). Padding elements are hashed to, so nobody knows an identifier or a
//! scalar that would explain one of them: what was searched cannot be passed off as padding. A seed serves one batch.
//!
//! The vector has one element more than its class has identifiers: the positive control. Where it is not found, nothing
//! is known of the others, and "no hit" is not said.

use crate::index::{Index, Rows};
use crate::input::{Input, InputError, Rules};
use crate::parallel::in_parts;
use crate::redacted::redacted;
use crate::reference::Reference;
use crate::sealing::Bytes;
use crate::voprf::{
    Blinding, Blinds, Elements, Evaluation, Output, Point, ProofError, PublicKey, SecretPoints,
};
use mayag_protocol::lookup::SIZES;
use mayag_protocol::names::Digest;
use ring::hkdf::{HKDF_SHA512, Prk, Salt};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::num::NonZero;
use zeroize::Zeroizing;

/// The secret of one batch. Whoever has it and guesses an identifier can tell whether it was searched.
pub struct BatchSeed(Zeroizing<[u8; 32]>);

/// A search, as whoever makes it holds it. Wiped when dropped; no `Debug` shows what is searched.
pub struct Batch {
    /// The identifiers and, last, the control.
    inputs: Vec<Input>,
    blinds: Blinds,
    /// Where in the vector each input is.
    places: Vec<usize>,
    blinded: Elements,
}

/// What one key gives for the identifiers of a batch. As secret as they are.
pub struct Outputs {
    identifiers: Vec<Output>,
    control: Output,
}

/// What one table says of one identifier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is there.
    Hit(Reference),
    /// It is not there, and the table's positive control is.
    NoHit,
    /// It was not found, but neither was the positive control.
    Unknown,
}

/// Why there is no batch, or no verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// Nothing, or too much.
    #[error("a batch has 1 to 65,534 identifiers")]
    Count,
    /// The seed gives a scalar or an element that hides nothing: less likely than guessing it.
    #[error("the seed of this batch hides nothing: take another")]
    Degenerate,
    /// One of the identifiers is none.
    #[error(transparent)]
    Input(#[from] InputError),
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

/// How many elements the vector for so many identifiers has: those of the smallest size class that holds them, and the control
/// ([`SIZES`]). Only that is to be seen of a batch. `None` for nothing and for too many.
pub fn elements(identifiers: usize) -> Option<usize> {
    let sizes = SIZES.into_iter().filter_map(|size| usize::try_from(size).ok());
    if identifiers == 0 { None } else { sizes.into_iter().find(|size| identifiers < *size) }
}

impl BatchSeed {
    /// A new seed.
    pub fn generate() -> Result<Self, BatchError> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut_slice()).map_err(|_| BatchError::Random)?;
        Ok(Self(seed))
    }

    /// The seed of these bytes, as an auditor is given them.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be sealed for an auditor and shown to nobody else.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl Batch {
    /// Hides identifiers that were normalised by `rules`, as the RFC has it, on `workers` threads. About 35 µs an element.
    pub fn new(
        seed: &BatchSeed,
        rules: &Rules,
        identifiers: &[impl AsRef<str>],
        workers: NonZero<usize>,
    ) -> Result<Self, BatchError> {
        Self::blinded_by(Blinding::Multiplicative, seed, rules, identifiers, workers)
    }

    /// The same with a blinding of choice: an additive one takes 25 µs an element here, and two thirds of the time for each
    /// node's answer.
    pub fn blinded_by(
        blinding: Blinding,
        seed: &BatchSeed,
        rules: &Rules,
        identifiers: &[impl AsRef<str>],
        workers: NonZero<usize>,
    ) -> Result<Self, BatchError> {
        let elements = elements(identifiers.len()).ok_or(BatchError::Count)?;
        let mut inputs = Vec::with_capacity(identifiers.len() + 1);
        for identifier in identifiers {
            inputs.push(Input::new(rules, identifier.as_ref())?);
        }
        inputs.push(Input::control(rules));
        let slots = slots(blinding, seed, elements, workers);
        let order = order(&slots);
        let uniform = slots.iter().take(inputs.len()).map(|slot| &*slot.uniform);
        let blinds = Blinds::of_uniform(blinding, uniform).ok_or(BatchError::Degenerate)?;
        let points = points(&inputs, &blinds, &slots, &order, workers);
        let blinded = blinds.encode(&points, workers).map_err(|_| BatchError::Degenerate)?;
        Ok(Self { places: places(&order, inputs.len()), inputs, blinds, blinded })
    }

    /// The vector for the nodes. Its digest is the commitment to what is searched.
    pub fn blinded(&self) -> &Elements {
        &self.blinded
    }

    /// What a node's evaluation gives for the identifiers, once it is proved to be of `key`. About 33 µs an element.
    pub fn outputs(
        &self,
        key: &PublicKey,
        evaluation: &Evaluation,
        workers: NonZero<usize>,
    ) -> Result<Outputs, ProofError> {
        let ours = evaluation.verify(key, &self.blinded)?.picked(&self.places);
        let mut identifiers = self.blinds.finalize(&self.inputs, &ours, workers);
        // The control is the last of the inputs, of which there is always one.
        let control = identifiers.pop().ok_or(ProofError::Count)?;
        Ok(Outputs { identifiers, control })
    }
}

impl Outputs {
    /// Whether an index holds the positive control: without it, nothing that is not found may be called "no hit".
    pub fn finds_control(&self, index: &Index) -> bool {
        index.look_up(&self.control) == Some(Reference::CONTROL)
    }

    /// What an index says of each identifier, in their order.
    pub fn verdicts(&self, index: &Index) -> Vec<Verdict> {
        let alive = self.finds_control(index);
        let verdict = |output| match index.look_up(output) {
            Some(reference) => Verdict::Hit(reference),
            None if alive => Verdict::NoHit,
            None => Verdict::Unknown,
        };
        self.identifiers.iter().map(verdict).collect()
    }

    /// What each row of each identifier says, by contact: to see which records several fuzzy keys have in common.
    pub fn rows(&self, index: &Index) -> Vec<Rows> {
        self.identifiers.iter().map(|output| index.rows(output)).collect()
    }
}

/// Whether `commitment` is the digest of the vector that this seed hides these identifiers in: what an auditor checks against
/// the nodes' logs. Other identifiers, one more, one fewer, or another order give another digest.
pub fn opens(
    commitment: &Digest,
    seed: &BatchSeed,
    rules: &Rules,
    identifiers: &[impl AsRef<str>],
    workers: NonZero<usize>,
) -> Result<bool, BatchError> {
    for blinding in [Blinding::Multiplicative, Blinding::Additive] {
        let batch = Batch::blinded_by(blinding, seed, rules, identifiers, workers)?;
        if batch.blinded.digest() == *commitment {
            return Ok(true);
        }
    }
    Ok(false)
}

/// What the seed gives for one element.
struct Slot {
    /// The scalar of an input, or the element of padding.
    uniform: Zeroizing<[u8; 64]>,
    /// Where it stands in the order.
    rank: [u8; 16],
}

/// `HKDF-SHA-512(seed, index)` for every element, salted with the blinding's name.
fn slots(
    blinding: Blinding,
    seed: &BatchSeed,
    elements: usize,
    workers: NonZero<usize>,
) -> Vec<Slot> {
    let name: &[u8] = match blinding {
        Blinding::Additive => b"mayag1 batch, additive",
        Blinding::Multiplicative => b"mayag1 batch, multiplicative",
    };
    let stream = Salt::new(HKDF_SHA512, name).extract(seed.as_bytes());
    let indices: Vec<u32> = (0..).take(elements).collect();
    let parts = in_parts(&indices, workers, |indices| {
        indices.iter().map(|index| slot(&stream, *index)).collect::<Vec<_>>()
    });
    parts.into_iter().flatten().collect()
}

fn slot(stream: &Prk, index: u32) -> Slot {
    let (mut uniform, mut rank) = (Zeroizing::new([0; 64]), [0; 16]);
    let mut bytes = Zeroizing::new([0_u8; 80]);
    // HKDF gives up to 16,320 bytes. Zeros would be refused as a scalar that hides nothing.
    let _filled = stream
        .expand(&[&index.to_be_bytes()], Bytes(80))
        .and_then(|okm| okm.fill(bytes.as_mut_slice()));
    if let Some((first, last)) = bytes.split_first_chunk::<64>() {
        *uniform = *first;
        rank.copy_from_slice(last);
    }
    Slot { uniform, rank }
}

/// The slot at each place.
fn order(slots: &[Slot]) -> Vec<usize> {
    let mut order: Vec<(&[u8; 16], usize)> =
        slots.iter().enumerate().map(|(slot, at)| (&at.rank, slot)).collect();
    order.sort_unstable();
    order.into_iter().map(|(_, slot)| slot).collect()
}

/// The place of each of the first `inputs` slots.
fn places(order: &[usize], inputs: usize) -> Vec<usize> {
    let mut places: Vec<(usize, usize)> = order
        .iter()
        .enumerate()
        .filter(|(_, slot)| **slot < inputs)
        .map(|(at, slot)| (*slot, at))
        .collect();
    places.sort_unstable();
    places.into_iter().map(|(_, place)| place).collect()
}

/// The point that stands for each place.
fn points(
    inputs: &[Input],
    blinds: &Blinds,
    slots: &[Slot],
    order: &[usize],
    workers: NonZero<usize>,
) -> SecretPoints {
    let point = |slot: &usize| match inputs.get(*slot) {
        Some(input) => blinds.hide(*slot, input),
        None => Point::from_uniform_bytes(&slots.get(*slot)?.uniform).into(),
    };
    let parts =
        in_parts(order, workers, |order| order.iter().filter_map(point).collect::<Vec<_>>());
    Zeroizing::new(parts.into_iter().flatten().collect())
}

redacted!(BatchSeed, Outputs);

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Batch({} elements)", self.blinded.len())
    }
}

#[cfg(test)]
mod tests;
