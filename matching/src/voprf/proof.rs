//! Evaluations and their batched proofs that one key made all of them (RFC 9497 §2.2 and §3.3.2).

use super::elements::{self, ElementError, Elements};
use super::key::{KeyError, PublicKey, SecretKey};
use super::suite::{self, length};
use crate::parallel::in_parts;
use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use curve25519_dalek::traits::VartimeMultiscalarMul;
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::num::NonZero;
use zeroize::Zeroizing;

/// Bytes of a proof.
pub(super) const PROOF: usize = 64;

/// A proof that one key evaluated a whole vector: challenge and response.
#[derive(Clone, PartialEq, Eq)]
pub struct Proof {
    challenge: Scalar,
    response: Scalar,
}

/// What a node answers: an element for each that it was asked, and one proof for all of them. Nothing is known of it until it
/// is verified.
#[derive(Clone, PartialEq, Eq)]
pub struct Evaluation {
    elements: Vec<[u8; 32]>,
    proof: Proof,
}

/// Evaluated elements that were proved to be made with the key they should be made with. The only way to it is
/// [`Evaluation::verify`], and the only way to unblind leads through it.
pub struct Verified {
    points: Vec<RistrettoPoint>,
    key: PublicKey,
}

/// Why an evaluation is not to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// As many elements have to come back as were sent.
    #[error("the node evaluated another number of elements than it was sent")]
    Count,
    /// An element that is none.
    #[error("evaluated vector: {0}")]
    Element(#[from] ElementError),
    /// The proof's bytes are no proof.
    #[error("a proof is two scalars of 32 bytes each")]
    Malformed,
    /// Other elements, another order, or another key than the one published.
    #[error("the proof does not hold for the key that the node has published")]
    Refuted,
}

impl SecretKey {
    /// Evaluates a blinded vector on `workers` threads, and proves it. About 30 µs an element.
    pub fn evaluate(
        &self,
        blinded: &Elements,
        workers: NonZero<usize>,
    ) -> Result<Evaluation, KeyError> {
        let parts = in_parts(blinded.points(), workers, |points| {
            elements::doubles(points, |point| point * self.half())
        });
        let elements = parts.concat();
        let nonce = self.proof_nonce(&elements)?;
        let proof = self.prove(blinded, &elements, &nonce);
        Ok(Evaluation { elements, proof })
    }

    /// The random scalar of a proof. Fresh randomness is mixed with the key and the statement, so that a broken source of
    /// randomness alone gives no two statements the same scalar, which would show the key.
    fn proof_nonce(&self, evaluated: &[[u8; 32]]) -> Result<Zeroizing<Scalar>, KeyError> {
        let mut fresh = Zeroizing::new([0_u8; 32]);
        SystemRandom::new().fill(fresh.as_mut_slice()).map_err(|_| KeyError::Random)?;
        let statement = suite::sha512(&[evaluated.as_flattened()]);
        let key = Zeroizing::new(self.scalar().to_bytes());
        let parts =
            [b"mayag1 proof nonce".as_slice(), key.as_slice(), fresh.as_slice(), &statement];
        Ok(Zeroizing::new(Scalar::from_bytes_mod_order_wide(&Zeroizing::new(suite::sha512(
            &parts,
        )))))
    }

    /// `GenerateProof`, with its random scalar given.
    pub(super) fn prove(
        &self,
        blinded: &Elements,
        evaluated: &[[u8; 32]],
        nonce: &Scalar,
    ) -> Proof {
        let weights = weights(self.public(), blinded.encoded(), evaluated);
        let composite = RistrettoPoint::vartime_multiscalar_mul(&weights, blinded.points());
        let points = Composites { asked: composite, answered: composite * self.scalar() };
        let challenge = points.challenge(
            self.public(),
            &RistrettoPoint::mul_base(nonce),
            &(points.asked * nonce),
        );
        Proof { challenge, response: nonce - challenge * self.scalar() }
    }
}

impl Evaluation {
    /// Reads what a node answered: 32 bytes for each element, and the proof's 64.
    pub fn parse(elements: &[u8], proof: &[u8]) -> Result<Self, ProofError> {
        let (elements, rest) = elements.as_chunks::<32>();
        if !rest.is_empty() {
            return Err(ProofError::Element(ElementError::Length));
        }
        Ok(Self { elements: elements.to_vec(), proof: Proof::parse(proof)? })
    }

    /// The evaluated elements for the wire: 32 bytes each.
    pub fn elements(&self) -> &[u8] {
        self.elements.as_flattened()
    }

    /// The proof.
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Checks that `key` evaluated exactly `blinded`, in its order (`VerifyProof`). About 7 µs an element.
    pub fn verify(&self, key: &PublicKey, blinded: &Elements) -> Result<Verified, ProofError> {
        if self.elements.len() != blinded.len() {
            return Err(ProofError::Count);
        }
        let elements = Elements::decode(self.elements.clone())?;
        let weights = weights(key, blinded.encoded(), elements.encoded());
        let points = Composites {
            asked: RistrettoPoint::vartime_multiscalar_mul(&weights, blinded.points()),
            answered: RistrettoPoint::vartime_multiscalar_mul(&weights, elements.points()),
        };
        let Proof { challenge, response } = &self.proof;
        let of_key =
            RistrettoPoint::vartime_double_scalar_mul_basepoint(challenge, key.point(), response);
        let of_composite = RistrettoPoint::vartime_multiscalar_mul(
            [response, challenge],
            [points.asked, points.answered],
        );
        if points.challenge(key, &of_key, &of_composite) == *challenge {
            Ok(Verified { points: elements.into_points(), key: key.clone() })
        } else {
            Err(ProofError::Refuted)
        }
    }
}

impl Verified {
    /// The elements at these places, in their order.
    pub(crate) fn picked(&self, places: &[usize]) -> Self {
        let points = places.iter().filter_map(|place| self.points.get(*place)).copied().collect();
        Self { points, key: self.key.clone() }
    }

    pub(super) fn key(&self) -> &PublicKey {
        &self.key
    }

    pub(super) fn points(&self) -> &[RistrettoPoint] {
        &self.points
    }
}

impl Proof {
    fn parse(bytes: &[u8]) -> Result<Self, ProofError> {
        let ([challenge, response], []) = bytes.as_chunks::<32>() else {
            return Err(ProofError::Malformed);
        };
        let scalar = |bytes: &[u8; 32]| {
            Option::<Scalar>::from(Scalar::from_canonical_bytes(*bytes))
                .ok_or(ProofError::Malformed)
        };
        Ok(Self { challenge: scalar(challenge)?, response: scalar(response)? })
    }

    /// The proof's 64 bytes.
    pub fn to_bytes(&self) -> [u8; PROOF] {
        let mut bytes = [0; PROOF];
        let (challenge, response) = bytes.split_at_mut(32);
        challenge.copy_from_slice(self.challenge.as_bytes());
        response.copy_from_slice(self.response.as_bytes());
        bytes
    }
}

/// The two sums that stand for all elements of a proof.
struct Composites {
    asked: RistrettoPoint,
    answered: RistrettoPoint,
}

impl Composites {
    fn challenge(
        &self,
        key: &PublicKey,
        of_key: &RistrettoPoint,
        of_composite: &RistrettoPoint,
    ) -> Scalar {
        let [asked, answered, of_key, of_composite] =
            [&self.asked, &self.answered, of_key, of_composite].map(|p| p.compress().to_bytes());
        let elements = [key.as_bytes(), &asked, &answered, &of_key, &of_composite];
        let of_32 = length(key.as_bytes());
        let mut parts: Vec<&[u8]> = Vec::with_capacity(11);
        for element in elements {
            parts.push(&of_32);
            parts.push(element);
        }
        parts.push(b"Challenge");
        suite::hash_to_scalar(&parts)
    }
}

/// The weights of `ComputeComposites`. At most 65,535 elements reach this, so that each has an index of its own.
fn weights(key: &PublicKey, blinded: &[[u8; 32]], evaluated: &[[u8; 32]]) -> Vec<Scalar> {
    let seed = suite::weight_seed(key.as_bytes());
    let pairs = blinded.iter().zip(evaluated);
    (0..=u16::MAX).zip(pairs).map(|(i, (c, d))| suite::weight(&seed, i, c, d)).collect()
}

impl fmt::Debug for Proof {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Proof({})", mayag_protocol::names::hex(&self.to_bytes()))
    }
}

impl fmt::Debug for Evaluation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evaluation({} elements)", self.elements.len())
    }
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({} elements)", self.points.len())
    }
}
