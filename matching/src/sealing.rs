//! From an output to a row of an index: a tag to find it by, and a key that opens its box.

use crate::redacted::redacted;
use crate::reference::{REFERENCE, Reference};
use crate::scope::Scope;
use crate::voprf::Output;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA512, KeyType, Salt};
use zeroize::Zeroizing;

/// Bytes of a sealed reference: the reference, and Poly1305's 16.
pub const BOX: usize = REFERENCE + 16;

/// Bytes of the salt of one build of an index.
pub const SALT: usize = 16;

const LABEL: &[u8] = b"mayag1 seal";

/// A box's key seals one box: with a new salt, every build of an index has other keys, so its nonce need not change.
const ONE_NONCE: [u8; 12] = [0; 12];

/// How the boxes of one build of an index are sealed: bound to its scope, and to a salt that no other build has. Without it,
/// a row whose reference changes within an epoch would be sealed twice under one key and nonce.
#[derive(Clone)]
pub struct Sealing {
    salt: [u8; SALT],
    context: Vec<u8>,
}

/// The key of one box.
pub(crate) struct BoxKey(Zeroizing<[u8; 32]>);

/// Where a row with this output lies: the output's first 8 bytes.
pub fn tag(output: &Output) -> u64 {
    let (tag, _) = output.as_bytes().split_first_chunk::<8>().unwrap_or((&[0; 8], &[]));
    u64::from_be_bytes(*tag)
}

impl Sealing {
    /// That of a scope's index with this salt.
    pub fn new(scope: &Scope, salt: [u8; SALT]) -> Self {
        Self { salt, context: scope.info().into_bytes() }
    }

    pub(crate) fn salt(&self) -> &[u8; SALT] {
        &self.salt
    }

    /// `HKDF-SHA-512(salt, output, "mayag1 seal")` (RFC 5869).
    pub(crate) fn key(&self, output: &Output) -> BoxKey {
        let mut key = Zeroizing::new([0; 32]);
        let extracted = Salt::new(HKDF_SHA512, &self.salt).extract(output.as_bytes());
        // Neither fails for 32 bytes; a key of zeros would seal no box that anybody opens.
        let _filled =
            extracted.expand(&[LABEL], Bytes(32)).and_then(|okm| okm.fill(key.as_mut_slice()));
        BoxKey(key)
    }

    /// Seals a reference.
    pub(crate) fn seal(&self, key: &BoxKey, reference: &[u8; REFERENCE]) -> Option<[u8; BOX]> {
        let mut sealed = [0; BOX];
        let (text, code) = sealed.split_first_chunk_mut::<REFERENCE>()?;
        *text = *reference;
        let made =
            aead(key)?.seal_in_place_separate_tag(nonce(), Aad::from(&self.context), text).ok()?;
        code.copy_from_slice(made.as_ref());
        Some(sealed)
    }

    /// Opens a box: only what was sealed for exactly this output, scope and build opens.
    pub(crate) fn open(&self, key: &BoxKey, sealed: &[u8; BOX]) -> Option<Reference> {
        let mut sealed = *sealed;
        let text = aead(key)?.open_in_place(nonce(), Aad::from(&self.context), &mut sealed).ok()?;
        Reference::parse((&*text).try_into().ok()?)
    }
}

fn aead(key: &BoxKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.0.as_slice()).ok().map(LessSafeKey::new)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(ONE_NONCE)
}

impl BoxKey {
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A length that `ring` expands to.
pub(crate) struct Bytes(pub(crate) usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

redacted!(BoxKey, Sealing);
