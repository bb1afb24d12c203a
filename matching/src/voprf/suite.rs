//! The hashes of the suite: RFC 9497 §4.1 on `expand_message_xmd` of RFC 9380 §5.3.1 and the map of RFC 9496 §4.3.4.

use curve25519_dalek::ristretto::RistrettoPoint;
use curve25519_dalek::scalar::Scalar;
use ring::digest::{Context, SHA512};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// `"HashToGroup-" || contextString`; the context string is `"OPRFV1-" || I2OSP(modeVOPRF, 1) || "-" || identifier`.
const HASH_TO_GROUP: &[u8] = b"HashToGroup-OPRFV1-\x01-ristretto255-SHA512";
const HASH_TO_SCALAR: &[u8] = b"HashToScalar-OPRFV1-\x01-ristretto255-SHA512";
const DERIVE_KEY_PAIR: &[u8] = b"DeriveKeyPairOPRFV1-\x01-ristretto255-SHA512";
const SEED: &[u8] = b"Seed-OPRFV1-\x01-ristretto255-SHA512";

/// Bytes of a SHA-512, and of every uniform string this suite asks for.
pub(super) const HASH: usize = 64;

/// A SHA-512 that has seen one block of zeros, which `expand_message_xmd` puts in front of everything.
static AFTER_ZEROS: LazyLock<Context> = LazyLock::new(|| {
    let mut context = Context::new(&SHA512);
    context.update(&[0; 128]);
    context
});

/// SHA-512 of the concatenation of `parts`.
pub(super) fn sha512(parts: &[&[u8]]) -> [u8; HASH] {
    let mut context = Context::new(&SHA512);
    for part in parts {
        context.update(part);
    }
    let mut hash = [0; HASH];
    hash.copy_from_slice(context.finish().as_ref());
    hash
}

/// The group element of an input. Uniform in the group, and nobody knows its discrete logarithm.
pub(super) fn hash_to_group(input: &[u8]) -> RistrettoPoint {
    RistrettoPoint::from_uniform_bytes(&expand_message_xmd(&[input], HASH_TO_GROUP))
}

/// The scalar of the concatenation of `parts`.
pub(super) fn hash_to_scalar(parts: &[&[u8]]) -> Scalar {
    Scalar::from_bytes_mod_order_wide(&expand_message_xmd(parts, HASH_TO_SCALAR))
}

/// A candidate of `DeriveKeyPair`.
pub(super) fn key_candidate(seed: &[u8], info_length: [u8; 2], info: &[u8], counter: u8) -> Scalar {
    let parts = [seed, &info_length, info, &[counter]];
    Scalar::from_bytes_mod_order_wide(&expand_message_xmd(&parts, DERIVE_KEY_PAIR))
}

/// The seed of a proof's weights (RFC 9497 §2.2.1).
pub(super) fn weight_seed(public_key: &[u8; 32]) -> [u8; HASH] {
    sha512(&[&length(public_key), public_key, &length(SEED), SEED])
}

/// The `i`th weight of a proof: public, as everything it is made of.
pub(super) fn weight(
    seed: &[u8; HASH],
    i: u16,
    blinded: &[u8; 32],
    evaluated: &[u8; 32],
) -> Scalar {
    hash_to_scalar(&[
        &length(seed),
        seed,
        &i.to_be_bytes(),
        &length(blinded),
        blinded,
        &length(evaluated),
        evaluated,
        b"Composite",
    ])
}

/// `I2OSP(len(bytes), 2)` of something whose length is known to fit.
pub(super) fn length(bytes: &[u8]) -> [u8; 2] {
    u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes()
}

/// `expand_message_xmd` with SHA-512, of 64 bytes: the one length that this suite asks for, and exactly one block of the
/// hash, so that the chain of RFC 9380 ends at its first link.
pub(super) fn expand_message_xmd(parts: &[&[u8]], domain: &'static [u8]) -> Zeroizing<[u8; HASH]> {
    // Every domain is a constant of this file, far below 256 bytes.
    let domain_length = [u8::try_from(domain.len()).unwrap_or(u8::MAX)];
    let mut first = AFTER_ZEROS.clone();
    for part in parts {
        first.update(part);
    }
    first.update(&[0, 64, 0]);
    first.update(domain);
    first.update(&domain_length);
    Zeroizing::new(sha512(&[first.finish().as_ref(), &[1], domain, &domain_length]))
}
