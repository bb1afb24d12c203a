//! From an output to the rows of an index: tags to find them by, and keys that open their boxes.
//!
//! HKDF-SHA-256 (RFC 5869) of the output, salted for each build of an index, gives the keys. An identifier may have several
//! rows; the first has its tag from the output, the others from the same expansion as their keys, so that nobody else sees
//! that they belong together.

use crate::redacted::redacted;
use crate::reference::{REFERENCE, Reference, crowded};
use crate::scope::Scope;
use crate::voprf::Output;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, Nonce, UnboundKey};
use ring::hkdf::{HKDF_SHA256, KeyType, Prk};
use ring::hmac;
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

/// What the rows of one output are derived from: the pseudorandom key of HKDF.
pub(crate) struct Root(Zeroizing<[u8; 32]>);

/// The key of one box, and the tag of its row if it is not the first.
pub(crate) struct BoxKey {
    key: Zeroizing<[u8; 32]>,
    tag: [u8; 8],
}

/// What a box holds.
pub(crate) struct Opened {
    pub(crate) reference: Reference,
    /// Whether it stands for other contacts as well, which had no row left.
    pub(crate) crowded: bool,
}

/// Where the first row with this output lies: the output's first 8 bytes.
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

    /// `HKDF-Extract(salt, output)`.
    pub(crate) fn root(&self, output: &Output) -> Root {
        let salt = hmac::Key::new(hmac::HMAC_SHA256, &self.salt);
        let mut root = Root(Zeroizing::new([0; 32]));
        root.0.copy_from_slice(hmac::sign(&salt, output.as_bytes()).as_ref());
        root
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
    pub(crate) fn open(&self, key: &BoxKey, sealed: &[u8; BOX]) -> Option<Opened> {
        let mut sealed = *sealed;
        let text = aead(key)?.open_in_place(nonce(), Aad::from(&self.context), &mut sealed).ok()?;
        let text: &[u8; REFERENCE] = (&*text).try_into().ok()?;
        Some(Opened { reference: Reference::parse(text)?, crowded: crowded(text) })
    }
}

fn aead(key: &BoxKey) -> Option<LessSafeKey> {
    UnboundKey::new(&CHACHA20_POLY1305, key.key.as_slice()).ok().map(LessSafeKey::new)
}

fn nonce() -> Nonce {
    Nonce::assume_unique_for_key(ONE_NONCE)
}

impl Root {
    pub(crate) fn of(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    pub(crate) fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// `HKDF-Expand(root, "mayag1 seal" | n)`: key and tag of the `n`th row, counted from 0.
    pub(crate) fn row(&self, n: u8) -> BoxKey {
        let mut bytes = Zeroizing::new([0_u8; 40]);
        let root = Prk::new_less_safe(HKDF_SHA256, self.0.as_slice());
        // HKDF gives up to 8,160 bytes, so that neither fails for 40.
        let _filled =
            root.expand(&[LABEL, &[n]], Bytes(40)).and_then(|okm| okm.fill(bytes.as_mut_slice()));
        let mut row = BoxKey { key: Zeroizing::new([0; 32]), tag: [0; 8] };
        if let Some((key, tag)) = bytes.split_first_chunk::<32>() {
            *row.key = *key;
            row.tag.copy_from_slice(tag);
        }
        row
    }
}

impl BoxKey {
    /// The tag of a row that is not the first of its output.
    pub(crate) fn tag(&self) -> u64 {
        u64::from_be_bytes(self.tag)
    }
}

/// A length that `ring` expands to.
pub(crate) struct Bytes(pub(crate) usize);

impl KeyType for Bytes {
    fn len(&self) -> usize {
        self.0
    }
}

redacted!(BoxKey, Opened, Root, Sealing);

#[cfg(test)]
mod tests {
    use super::{Sealing, tag};
    use crate::input::Rules;
    use crate::reference::Reference;
    use crate::scope::Scope;
    use crate::voprf::Output;
    use mayag_protocol::lookup::Band;
    use mayag_protocol::names::hex;

    /// The figures were worked out from `docs/lookups.md` with Python's `hmac` and `cryptography`.
    #[test]
    fn boxes_are_sealed_as_they_are_described() {
        let scope = Scope {
            node: "spiffe://demo/country/kr/node".parse().unwrap(),
            table: "documents".parse().unwrap(),
            epoch: 7,
            rules: Rules { kind: "passport".parse().unwrap(), version: 1 },
        };
        let reference =
            Reference { band: Band::Strong, category: 3, handling: 2, rows: 1, contact: [9; 16] };
        let (sealing, output) = (Sealing::new(&scope, [3; 16]), Output::default());
        let row = |n: u8| {
            let key = sealing.root(&output).row(n);
            let sealed = sealing.seal(&key, &reference.to_bytes()).unwrap();
            let opened = sealing.open(&key, &sealed).unwrap();
            assert_eq!((opened.reference, opened.crowded), (reference, false));
            (format!("{:016x}", key.tag()), hex(&sealed))
        };
        assert_eq!(tag(&output), 0);
        assert_eq!(
            row(0).1,
            "d87175ba4ece829935bd5dfa5c62d52a0357990abf0cd5579693a7419caf437fa27487323ceb9f7679"
        );
        let (tag, sealed) = row(2);
        assert_eq!(tag, "7ffd6422c620f313");
        assert_eq!(
            sealed,
            "2ed1c4e302229e159b814c746b0ff171a78b9856efef1a0d19a6fa4e4aca1b928f2f2c86880cd94e4f"
        );
    }
}
