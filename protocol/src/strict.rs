//! Reading JSON that somebody signed: size and depth are bounded, unknown and duplicate keys are refused.
//!
//! `serde_json` keeps the last of two equal keys where a value is read as a map; a reviewer may have read the first.

use serde::Deserialize;
use serde::de::{DeserializeOwned, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use std::collections::BTreeSet;
use std::fmt;

/// Why bytes were not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StrictError {
    /// The text is not the JSON expected here. The position is given, never the content.
    #[error("line {line}, column {column}: {reason}")]
    Json {
        /// Line, counted from 1.
        line: usize,
        /// Column, counted from 1.
        column: usize,
        /// What was expected, without values of the text.
        reason: String,
    },
    /// Longer than the limit of this kind of document.
    #[error("{found} bytes, the limit is {limit}")]
    TooLong {
        /// Bytes found.
        found: usize,
        /// Bytes allowed.
        limit: usize,
    },
}

impl StrictError {
    fn json(error: &serde_json::Error) -> Self {
        let text = error.to_string();
        let reason = text.rsplit_once(" at line ").map_or(text.as_str(), |(reason, _)| reason);
        Self::Json { line: error.line(), column: error.column(), reason: reason.to_owned() }
    }
}

/// Reads one JSON document of at most `limit` bytes. O(bytes).
pub fn parse<T: DeserializeOwned>(bytes: &[u8], limit: usize) -> Result<T, StrictError> {
    if bytes.len() > limit {
        return Err(StrictError::TooLong { found: bytes.len(), limit });
    }
    // serde_json bounds the nesting at 128 by itself.
    serde_json::from_slice::<NoDuplicates>(bytes).map_err(|error| StrictError::json(&error))?;
    serde_json::from_slice(bytes).map_err(|error| StrictError::json(&error))
}

/// Any JSON value in which no object names a key twice.
struct NoDuplicates;

impl<'de> Deserialize<'de> for NoDuplicates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Walk)
    }
}

struct Walk;

impl<'de> Visitor<'de> for Walk {
    type Value = NoDuplicates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_bool<E>(self, _: bool) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_i64<E>(self, _: i64) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_u64<E>(self, _: u64) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_f64<E>(self, _: f64) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_str<E>(self, _: &str) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_unit<E>(self) -> Result<NoDuplicates, E> {
        Ok(NoDuplicates)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<NoDuplicates, A::Error> {
        while items.next_element::<NoDuplicates>()?.is_some() {}
        Ok(NoDuplicates)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<NoDuplicates, A::Error> {
        let mut keys = BTreeSet::new();
        while let Some(key) = entries.next_key::<String>()? {
            if !keys.insert(key) {
                return Err(A::Error::custom("the same key twice in one object"));
            }
            entries.next_value::<NoDuplicates>()?;
        }
        Ok(NoDuplicates)
    }
}

#[cfg(test)]
mod tests {
    use super::{StrictError, parse};
    use serde_json::Value;

    #[test]
    fn duplicate_keys_are_refused_at_any_depth() {
        parse::<Value>(br#"{"a":{"b":1,"c":2}}"#, 64).unwrap();
        for refused in
            [r#"{"a":1,"a":2}"#, r#"[{"x":{"a":1,"b":2,"a":1}}]"#, r#"{"a":1,"\u0061":2}"#]
        {
            assert!(
                matches!(parse::<Value>(refused.as_bytes(), 64), Err(StrictError::Json { .. })),
                "{refused}"
            );
        }
    }

    #[test]
    fn long_deep_and_broken_documents_are_refused() {
        assert_eq!(
            parse::<Value>(b"[1,2]", 4).unwrap_err(),
            StrictError::TooLong { found: 5, limit: 4 }
        );
        let deep = "[".repeat(100_000);
        parse::<Value>(deep.as_bytes(), 1 << 20).unwrap_err();
        for broken in ["", "{", "{\"a\"", "nul", "{} {}"] {
            assert!(parse::<Value>(broken.as_bytes(), 64).is_err(), "{broken}");
        }
    }
}
