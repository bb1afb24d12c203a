//! What the oblivious function is asked about: one normalised identifier, with the kind and the version of its rules.

use crate::redacted::redacted;
use mayag_protocol::names::KindName;
use zeroize::Zeroizing;

/// The longest normalised identifier, in bytes.
pub const LONGEST_IDENTIFIER: usize = 1024;

/// What stands in front of every input.
const PRODUCT: &[u8] = b"mayag1";

/// In the place of an identifier, the positive control. No rule gives it: normalised identifiers have no control characters.
pub(crate) const CONTROL: &[u8] = b"\0positive control";

/// In the place of an identifier, none.
const PADDING: &[u8] = b"\0";

/// One input: `lp("mayag1") | lp(kind) | lp(version) | lp(identifier)`, each length in two bytes. It does not name a node, so
/// that one blinded vector can be sent to all of them; what separates nodes is the key. Wiped when dropped, and no `Debug`
/// shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Input(Zeroizing<Vec<u8>>);

/// A kind of identifier with the version of the rules that normalise it. Two parties that disagree on either find nothing,
/// not even the positive control.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rules {
    /// The kind.
    pub kind: KindName,
    /// The version, which grows with every change of a rule.
    pub version: u16,
}

/// A text that is no identifier. Says nothing of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a normalised identifier has 1 to 1,024 bytes and no control character")]
pub struct InputError;

impl Input {
    /// The input of a normalised identifier.
    pub fn new(rules: &Rules, normalised: &str) -> Result<Self, InputError> {
        let fits = !normalised.is_empty() && normalised.len() <= LONGEST_IDENTIFIER;
        if fits && !normalised.chars().any(char::is_control) {
            Ok(Self::of(rules, normalised.as_bytes()))
        } else {
            Err(InputError)
        }
    }

    /// The positive control: every index of these rules holds it, so that whoever does not find it knows that nothing can be
    /// found there.
    pub fn control(rules: &Rules) -> Self {
        Self::of(rules, CONTROL)
    }

    /// Where nothing is searched, so that it costs the same. No rule gives it.
    pub(crate) fn padding(rules: &Rules) -> Self {
        Self::of(rules, PADDING)
    }

    fn of(rules: &Rules, identifier: &[u8]) -> Self {
        let version = rules.version.to_string();
        let parts = [PRODUCT, rules.kind.as_str().as_bytes(), version.as_bytes(), identifier];
        let size = parts.iter().map(|part| part.len() + 2).sum();
        // Filled to its capacity and never grown: growing would leave a copy behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(size));
        for part in parts {
            // The longest part is an identifier, which was measured.
            bytes.extend_from_slice(&u16::try_from(part.len()).unwrap_or(u16::MAX).to_be_bytes());
            bytes.extend_from_slice(part);
        }
        Self(bytes)
    }

    /// An input of any bytes, for test vectors.
    #[cfg(test)]
    pub(crate) fn raw(bytes: &[u8]) -> Self {
        Self(Zeroizing::new(bytes.to_vec()))
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

redacted!(Input);

#[cfg(test)]
mod tests {
    use super::{Input, InputError, Rules};

    fn rules(kind: &str, version: u16) -> Rules {
        Rules { kind: kind.parse().unwrap(), version }
    }

    #[test]
    fn the_bytes_of_an_input_are_stable() {
        let input = Input::new(&rules("passport", 1), "PHL|M12345678").unwrap();
        assert_eq!(
            input.as_bytes(),
            b"\x00\x06mayag1\x00\x08passport\x00\x011\x00\x0dPHL|M12345678"
        );
    }

    #[test]
    fn inputs_differ_where_kind_version_or_identifier_differ() {
        let all = [
            Input::new(&rules("a", 1), "bc").unwrap(),
            Input::new(&rules("ab", 1), "c").unwrap(),
            Input::new(&rules("a", 11), "bc").unwrap(),
            Input::new(&rules("a", 1), "1bc").unwrap(),
            Input::control(&rules("a", 1)),
            Input::control(&rules("a", 2)),
        ];
        for (n, one) in all.iter().enumerate() {
            assert!(all.iter().skip(n + 1).all(|other| other != one));
        }
    }

    #[test]
    fn nobody_can_ask_for_the_control_by_name() {
        for refused in ["", "\0positive control", "a\nb", &"x".repeat(1025)] {
            assert_eq!(Input::new(&rules("a", 1), refused).err(), Some(InputError));
        }
    }
}
