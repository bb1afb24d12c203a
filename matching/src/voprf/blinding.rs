//! The side of whoever searches: blinding and unblinding (RFC 9497 §3.3.2).

use super::elements::{ElementError, Elements, SecretPoints};
use super::proof::Verified;
use super::suite::{self, HASH};
use crate::input::Input;
use crate::parallel::in_parts;
use crate::redacted::redacted;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use std::borrow::Borrow;
use std::num::NonZero;
use zeroize::Zeroizing;

/// The secret scalars that hide a vector, one for each input, none of them zero.
pub struct Blinds {
    /// Half of each, for encodings that are shared by a batch.
    halves: Zeroizing<Vec<Scalar>>,
    /// Half of the inverse of each: one vector is unblinded once for every node.
    half_inverses: Zeroizing<Vec<Scalar>>,
}

/// What the function gives for one input under one key, 64 bytes. From it come a row's place in an index and the key of its
/// box, so it is as secret as the identifier.
#[derive(Clone)]
pub struct Output(Zeroizing<[u8; HASH]>);

impl Blinds {
    /// The scalars of uniform strings of 64 bytes. `None` if one of them is zero, which is less likely than guessing it.
    pub fn of_uniform(strings: impl Iterator<Item = impl Borrow<[u8; HASH]>>) -> Option<Self> {
        Self::of(Zeroizing::new(
            strings.map(|string| Scalar::from_bytes_mod_order_wide(string.borrow())).collect(),
        ))
    }

    pub(super) fn of(scalars: Zeroizing<Vec<Scalar>>) -> Option<Self> {
        if scalars.contains(&Scalar::ZERO) {
            return None;
        }
        let halves = Zeroizing::new(scalars.iter().map(Scalar::div_by_2).collect());
        let mut half_inverses = scalars;
        Scalar::invert_batch_alloc(&mut half_inverses);
        half_inverses.iter_mut().for_each(|inverse| *inverse = inverse.div_by_2());
        Some(Self { halves, half_inverses })
    }

    /// Half of the `n`th blinded element, if there is an `n`th scalar.
    pub(crate) fn half_blinded(&self, n: usize, input: &Input) -> Option<RistrettoPoint> {
        Some(suite::hash_to_group(input.as_bytes()) * self.halves.get(n)?)
    }

    /// `Finalize` of every input from the evaluation of its blinded element, in order. About 26 µs an input.
    pub fn finalize(
        &self,
        inputs: &[Input],
        evaluated: &Verified,
        workers: NonZero<usize>,
    ) -> Vec<Output> {
        let pairs = self.half_inverses.iter().zip(evaluated.points());
        let all: Vec<_> = inputs.iter().zip(pairs).collect();
        let parts = in_parts(&all, workers, |all| {
            let halves: SecretPoints =
                Zeroizing::new(all.iter().map(|(_, (inverse, point))| *point * *inverse).collect());
            let unblinded = Zeroizing::new(Elements::of_halves(&halves));
            let inputs = all.iter().map(|(input, _)| input);
            inputs.zip(unblinded.iter()).map(|(input, element)| finalize(input, element)).collect()
        });
        parts.into_iter().flat_map(|part: Vec<Output>| part).collect()
    }
}

/// `Blind` of every input with its scalar. About 31 µs an input.
pub fn blind(inputs: &[Input], blinds: &Blinds) -> Result<Elements, ElementError> {
    let halves = inputs.iter().enumerate().filter_map(|(n, input)| blinds.half_blinded(n, input));
    Elements::of_doubled(&Zeroizing::new(halves.collect::<Vec<_>>()))
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
