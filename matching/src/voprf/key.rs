//! Keys of a node: one per table and epoch, derived from one seed (RFC 9497 §3.2.1).

use super::blinding::{Output, finalize};
use super::elements::{self, ElementError};
use super::suite;
use crate::input::Input;
use crate::redacted::redacted;
use crate::scope::Scope;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use zeroize::Zeroizing;

/// The secret all keys of a node are derived from. Whoever has it can test any identifier against every published index.
pub struct Seed(Zeroizing<[u8; 32]>);

/// A key of one table and epoch.
pub struct SecretKey {
    scalar: Zeroizing<Scalar>,
    /// Half of it, for encodings that are shared by a batch ([`elements::doubles`]).
    half: Zeroizing<Scalar>,
    public: PublicKey,
}

/// What a proof is checked against: pinned through the node's directory entry.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    point: RistrettoPoint,
    bytes: [u8; 32],
}

/// Why there is no key, or no evaluation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// `DeriveKeyPair` found none in 256 tries: less likely than guessing the key.
    #[error("no key can be derived for this table and epoch")]
    Derive,
    /// The public key is no element of the group.
    #[error("public key: {0}")]
    Element(#[from] ElementError),
    /// No random bytes.
    #[error("the operating system gave no random bytes")]
    Random,
}

impl Seed {
    /// A new seed.
    pub fn generate() -> Result<Self, KeyError> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(seed.as_mut_slice()).map_err(|_| KeyError::Random)?;
        Ok(Self(seed))
    }

    /// The seed of these bytes, as they were kept.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, to be kept as secret as a private key.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl SecretKey {
    /// The key of a table in an epoch.
    pub fn derive(seed: &Seed, scope: &Scope) -> Result<Self, KeyError> {
        Self::derive_for(seed.as_bytes(), scope.info().as_bytes())
    }

    /// `DeriveKeyPair(seed, info)`.
    pub(super) fn derive_for(seed: &[u8; 32], info: &[u8]) -> Result<Self, KeyError> {
        let info_length = u16::try_from(info.len()).map_err(|_| KeyError::Derive)?.to_be_bytes();
        (0..=u8::MAX)
            .map(|counter| Zeroizing::new(suite::key_candidate(seed, info_length, info, counter)))
            .find(|scalar| **scalar != Scalar::ZERO)
            .map(Self::of)
            .ok_or(KeyError::Derive)
    }

    fn of(scalar: Zeroizing<Scalar>) -> Self {
        let point = RistrettoPoint::mul_base(&scalar);
        let public = PublicKey { point, bytes: point.compress().to_bytes() };
        Self { half: Zeroizing::new(scalar.div_by_2()), scalar, public }
    }

    /// Its public half.
    pub fn public(&self) -> &PublicKey {
        &self.public
    }

    /// The output of an input, as whoever unblinds an evaluation of it gets it. About 30 µs.
    pub fn output(&self, input: &Input) -> Output {
        let mut outputs = self.outputs(std::slice::from_ref(&input));
        outputs.pop().unwrap_or_default()
    }

    /// The outputs of many inputs, which is quicker than one after another.
    pub fn outputs(&self, inputs: &[&Input]) -> Vec<Output> {
        let half = |input: &&Input| suite::hash_to_group(input.as_bytes()) * *self.half;
        let encoded = Zeroizing::new(elements::doubles(inputs, half));
        inputs.iter().zip(encoded.iter()).map(|(input, element)| finalize(input, element)).collect()
    }

    pub(super) fn scalar(&self) -> &Scalar {
        &self.scalar
    }

    pub(super) fn half(&self) -> &Scalar {
        &self.half
    }
}

impl PublicKey {
    /// Reads a public key of 32 bytes; the identity is refused.
    pub fn from_bytes(bytes: [u8; 32]) -> Result<Self, KeyError> {
        Ok(Self { point: elements::decode(&bytes)?, bytes })
    }

    /// Its 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.bytes
    }

    pub(super) fn point(&self) -> &RistrettoPoint {
        &self.point
    }
}

redacted!(Seed, SecretKey);

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", mayag_protocol::names::hex(&self.bytes))
    }
}
