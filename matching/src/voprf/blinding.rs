//! The side of whoever searches: blinding and unblinding (RFC 9497 §3.3.2).

use super::elements::{self, ElementError, Elements};
use super::key::PublicKey;
use super::proof::Verified;
use super::suite::{self, HASH};
use crate::input::Input;
use crate::parallel::in_parts;
use crate::redacted::redacted;
use curve25519_dalek::ristretto::{RistrettoBasepointTable, RistrettoPoint};
use curve25519_dalek::scalar::Scalar;
use std::borrow::Borrow;
use std::num::NonZero;
use zeroize::Zeroizing;

/// How an element is hidden. A node sees uniform elements either way, and outputs are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Blinding {
    /// `H(x) + r·G`, unblinded by subtracting `r` times the node's public key: fixed points, so a third quicker. It is as good
    /// as the other only because nothing is unblinded before it is proved against a key that is known beforehand (Jarecki,
    /// Krawczyk and Xu, <https://eprint.iacr.org/2021/273>), which [`Verified`] sees to.
    Additive,
    /// `r·H(x)`, as the RFC has it.
    Multiplicative,
}

/// The secret scalars that hide a vector, one for each input.
pub struct Blinds(Scalars);

/// In the forms that are multiplied with.
enum Scalars {
    Additive(Zeroizing<Vec<Scalar>>),
    Multiplicative {
        /// Half of each, none of them zero: encodings of doubles can be shared by a batch.
        halves: Zeroizing<Vec<Scalar>>,
        /// Half of the inverse of each: one vector is unblinded for every node.
        half_inverses: Zeroizing<Vec<Scalar>>,
    },
}

/// What the function gives for one input under one key, 64 bytes. From it come a row's place in an index and the key of its
/// box, so it is as secret as the identifier.
#[derive(Clone)]
pub struct Output(Zeroizing<[u8; HASH]>);

/// Fewer elements than this are not worth a table of multiples of the public key.
const WORTH_A_TABLE: usize = 32;

impl Blinds {
    /// The scalars of uniform strings of 64 bytes. `None` if one of them is zero, which is less likely than guessing it.
    pub fn of_uniform(
        blinding: Blinding,
        strings: impl Iterator<Item = impl Borrow<[u8; HASH]>>,
    ) -> Option<Self> {
        let scalars = strings.map(|string| Scalar::from_bytes_mod_order_wide(string.borrow()));
        Self::of(blinding, Zeroizing::new(scalars.collect()))
    }

    pub(super) fn of(blinding: Blinding, scalars: Zeroizing<Vec<Scalar>>) -> Option<Self> {
        if scalars.contains(&Scalar::ZERO) {
            return None;
        }
        Some(Self(match blinding {
            Blinding::Additive => Scalars::Additive(scalars),
            Blinding::Multiplicative => {
                let halves = Zeroizing::new(scalars.iter().map(Scalar::div_by_2).collect());
                let mut half_inverses = scalars;
                Scalar::invert_batch_alloc(&mut half_inverses);
                half_inverses.iter_mut().for_each(|inverse| *inverse = inverse.div_by_2());
                Scalars::Multiplicative { halves, half_inverses }
            }
        }))
    }

    /// The point that stands for the `n`th input, if there is an `n`th scalar: what [`Blinds::encode`] encodes.
    pub(crate) fn hide(&self, n: usize, input: &Input) -> Option<RistrettoPoint> {
        let point = suite::hash_to_group(input.as_bytes());
        match &self.0 {
            Scalars::Additive(masks) => Some(point + RistrettoPoint::mul_base(masks.get(n)?)),
            Scalars::Multiplicative { halves, .. } => Some(point * halves.get(n)?),
        }
    }

    /// The vector of hidden points, which may be among others that hide nothing.
    pub(crate) fn encode(
        &self,
        points: &[RistrettoPoint],
        workers: NonZero<usize>,
    ) -> Result<Elements, ElementError> {
        match &self.0 {
            Scalars::Additive(_) => Elements::of_points(points, workers),
            Scalars::Multiplicative { .. } => Elements::of_doubled(points),
        }
    }

    /// `Finalize` of every input from the evaluation of its blinded element, in order. About 26 µs an input, 16 µs where
    /// blinding is additive.
    pub fn finalize(
        &self,
        inputs: &[Input],
        evaluated: &Verified,
        workers: NonZero<usize>,
    ) -> Vec<Output> {
        let parts = match &self.0 {
            Scalars::Additive(masks) => {
                let masked = Masked::new(evaluated.key(), inputs.len());
                let all = together(inputs, masks, evaluated);
                in_parts(&all, workers, |all| {
                    let element = |(_, mask, point): &Together<'_>| masked.removed(mask, point);
                    finalized(all, &Zeroizing::new(all.iter().map(element).collect::<Vec<_>>()))
                })
            }
            Scalars::Multiplicative { half_inverses, .. } => {
                let all = together(inputs, half_inverses, evaluated);
                in_parts(&all, workers, |all| {
                    let half = |(_, inverse, point): &Together<'_>| *point * *inverse;
                    finalized(all, &Zeroizing::new(elements::doubles(all, half)))
                })
            }
        };
        parts.into_iter().flatten().collect()
    }
}

/// An input, its scalar, and its evaluated element.
type Together<'a> = (&'a Input, &'a Scalar, &'a RistrettoPoint);

fn together<'a>(
    inputs: &'a [Input],
    scalars: &'a [Scalar],
    evaluated: &'a Verified,
) -> Vec<Together<'a>> {
    let pairs = inputs.iter().zip(scalars).zip(evaluated.points());
    pairs.map(|((input, scalar), point)| (input, scalar, point)).collect()
}

fn finalized(all: &[Together<'_>], unblinded: &[[u8; 32]]) -> Vec<Output> {
    all.iter().zip(unblinded).map(|((input, ..), element)| finalize(input, element)).collect()
}

/// Removes masks that a node has multiplied with its key.
struct Masked<'a> {
    key: &'a PublicKey,
    table: Option<Box<RistrettoBasepointTable>>,
}

impl<'a> Masked<'a> {
    fn new(key: &'a PublicKey, elements: usize) -> Self {
        let table = (elements >= WORTH_A_TABLE)
            .then(|| Box::new(RistrettoBasepointTable::create(key.point())));
        Self { key, table }
    }

    fn removed(&self, mask: &Scalar, point: &RistrettoPoint) -> [u8; 32] {
        let masked = match &self.table {
            Some(table) => mask * &**table,
            None => self.key.point() * mask,
        };
        (point - masked).compress().to_bytes()
    }
}

/// `Blind` of every input with its scalar. About 31 µs an input.
pub fn blind(inputs: &[Input], blinds: &Blinds) -> Result<Elements, ElementError> {
    let points = inputs.iter().enumerate().filter_map(|(n, input)| blinds.hide(n, input));
    blinds.encode(&Zeroizing::new(points.collect::<Vec<_>>()), NonZero::<usize>::MIN)
}

/// The end of `Finalize`, which is also that of `Evaluate`.
pub(super) fn finalize(input: &Input, unblinded: &[u8; 32]) -> Output {
    let input = input.as_bytes();
    let (input_length, element_length) = (suite::length(input), suite::length(unblinded));
    let parts = [&input_length[..], input, &element_length, unblinded, b"Finalize"];
    Output(Zeroizing::new(suite::sha512(&parts)))
}

impl Output {
    /// The 64 bytes.
    pub fn as_bytes(&self) -> &[u8; HASH] {
        &self.0
    }
}

redacted!(Blinds, Output);

/// All zeros: what no input gives.
impl Default for Output {
    fn default() -> Self {
        Self(Zeroizing::new([0; HASH]))
    }
}
