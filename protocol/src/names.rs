//! Identifiers: countries, people, question ids, nonces, digests, key ids.
//!
//! Each is parsed once at the edge and compared as a whole afterwards; none can be built from unchecked text.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// A text that is not one of this product's identifiers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{found}` is not {expected}")]
pub struct NameError {
    /// What was found, cut to 80 characters.
    pub found: String,
    /// What would have been accepted.
    pub expected: &'static str,
}

impl NameError {
    pub(crate) fn new(found: &str, expected: &'static str) -> Self {
        Self { found: found.chars().take(80).collect(), expected }
    }
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $expected:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The identifier as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(NameError::new(text, $expected)) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> Self {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

fn is_word(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_' || b == b'.'
        })
        && text.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
}

fn is_sql_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 63
        && text.bytes().next().is_some_and(|b| b.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

text_id! {
    /// A country of the federation: ISO 3166-1 alpha-2 in lower case.
    Country, "a country code of two lower-case letters", |t| t.len() == 2 && t.bytes().all(|b| b.is_ascii_lowercase())
}
text_id! {
    /// The name of a federation, first part of every identity.
    Federation, "a federation name (lower-case letters, digits, `-`, `_`, `.`)", |t| is_word(t, 63)
}
text_id! {
    /// A person's id inside one country and kind.
    PersonId, "a person id (lower-case letters, digits, `-`, `_`, `.`)", |t| is_word(t, 63)
}
text_id! {
    /// A role of the roster, such as `analyst`.
    Role, "a role name (lower-case letters, digits, `-`, `_`, `.`)", |t| is_word(t, 63)
}
text_id! {
    /// A dataset of the catalogue; also its table name in SQL.
    DatasetName, "a dataset name (lower-case letters, digits, `_`)", is_sql_name
}
text_id! {
    /// A column of a dataset or one of its levels.
    ColumnName, "a column name (lower-case letters, digits, `_`)", is_sql_name
}
text_id! {
    /// A kind of identifier that lookups know, such as `passport`.
    KindName, "a kind of identifier (lower-case letters, digits, `_`)", is_sql_name
}
text_id! {
    /// A lookup table of a node.
    TableName, "a lookup table's name (lower-case letters, digits, `_`)", is_sql_name
}
text_id! {
    /// The public key that evaluations of a lookup table are proved against: an element of ristretto255 in hexadecimal.
    EvaluationKey, "an evaluation key of 64 hexadecimal digits", |t| is_hex(t, 64)
}
text_id! {
    /// A grant of a policy.
    GrantId, "a grant id (lower-case letters, digits, `-`, `_`, `.`)", |t| is_word(t, 63)
}
text_id! {
    /// Identifies one question: 128 bits in hexadecimal, chosen by the desk.
    QuestionId, "a question id of 32 hexadecimal digits", |t| is_hex(t, 32)
}
text_id! {
    /// 128 random bits in hexadecimal that a node remembers until the question has expired.
    Nonce, "a nonce of 32 hexadecimal digits", |t| is_hex(t, 32)
}
text_id! {
    /// The name of a log, its origin in the words of C2SP `tlog-checkpoint`, such as `node-kr.demo/query-log/2026`.
    LogOrigin, "a log's name of 1 to 255 characters without spaces, plus signs and control characters", |t| {
        !t.is_empty() && t.len() <= 255 && t.chars().all(|c| c != '+' && !c.is_whitespace() && !c.is_control())
    }
}
text_id! {
    /// A SHA-256 digest in hexadecimal.
    Digest, "a SHA-256 digest of 64 hexadecimal digits", |t| is_hex(t, 64)
}
text_id! {
    /// The first 16 hexadecimal digits of the SHA-256 of a raw Ed25519 public key. A hint: the roster decides.
    KeyId, "a key id of 16 hexadecimal digits", |t| is_hex(t, 16)
}
text_id! {
    /// A raw Ed25519 public key (RFC 8032), 32 bytes in hexadecimal.
    PublicKey, "an Ed25519 public key of 64 hexadecimal digits", |t| is_hex(t, 64)
}
text_id! {
    /// A raw X25519 public key (RFC 7748), 32 bytes in hexadecimal: details of log entries are sealed to it.
    AuditorKey, "an X25519 public key of 64 hexadecimal digits", |t| is_hex(t, 64)
}
text_id! {
    /// A raw X25519 public key (RFC 7748), 32 bytes in hexadecimal: what only a node may read is sealed to it.
    SealingKey, "an X25519 public key of 64 hexadecimal digits", |t| is_hex(t, 64)
}

/// Lower-case hexadecimal of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ok = write!(text, "{byte:02x}");
        text
    })
}

/// The bytes of lower-case hexadecimal text, or `None` where it is none.
pub fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |b: u8| match b {
        b'0'..=b'9' => Some(b - b'0'),
        b'a'..=b'f' => Some(b - b'a' + 10),
        _ => None,
    };
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

impl QuestionId {
    /// The id made of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }
}

impl Nonce {
    /// The nonce made of 16 random bytes.
    pub fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(hex(&bytes))
    }
}

impl Digest {
    /// The digest of the 32 bytes that SHA-256 gave.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(hex(&bytes))
    }
}

impl KeyId {
    /// The key id of the first 8 bytes of a key's SHA-256.
    pub fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(hex(&bytes))
    }
}

impl EvaluationKey {
    /// The key of these 32 bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(hex(&bytes))
    }

    /// The 32 bytes.
    pub fn to_bytes(&self) -> [u8; 32] {
        // 64 digits were checked where it was made.
        unhex(&self.0).and_then(|bytes| bytes.try_into().ok()).unwrap_or_default()
    }
}

impl PublicKey {
    /// The key of 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(hex(&bytes))
    }

    /// The 32 raw bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        unhex(&self.0).unwrap_or_default()
    }
}

impl SealingKey {
    /// The key of 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(hex(&bytes))
    }
}

impl AuditorKey {
    /// The key of 32 raw bytes.
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(hex(&bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::{Country, Digest, Nonce, PersonId, hex, unhex};

    #[test]
    fn names_are_checked_at_the_edge() {
        for good in ["kr", "us"] {
            assert!(good.parse::<Country>().is_ok(), "{good}");
        }
        for refused in ["", "K", "KR", "kor", "k1", "k/", "kr\n"] {
            assert!(refused.parse::<Country>().is_err(), "{refused}");
        }
        for refused in ["", "../x", "-a", "a b", "Ä"] {
            assert!(refused.parse::<PersonId>().is_err(), "{refused}");
        }
        "00".repeat(16).parse::<Nonce>().unwrap();
        "0G".repeat(32).parse::<Digest>().unwrap_err();
    }

    #[test]
    fn hexadecimal_round_trips() {
        let bytes: Vec<u8> = (0..=255).collect();
        assert_eq!(unhex(&hex(&bytes)), Some(bytes));
        assert_eq!(unhex("0"), None);
        assert_eq!(unhex("zz"), None);
    }
}
