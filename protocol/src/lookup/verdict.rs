//! What came of a lookup, per identifier and country: a closed vocabulary, the same words everywhere.

use serde::{Deserialize, Serialize};
use std::borrow::Borrow;
use std::fmt;

/// What one country says of one identifier.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Verdict {
    /// It is known there.
    Hit {
        /// What may be known of it.
        hit: Hit,
    },
    /// It is not known there, and that is proved: the positive control was found.
    NoHit {},
    /// Nothing is known: no answer, one that did not verify, or a positive control that was not found.
    NotEvaluated {},
    /// The country does not let this be asked by this person for this purpose.
    NotPermitted {},
}

/// What a hit says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hit {
    /// How sure the match is.
    pub band: Band,
    /// The category, in the country's words.
    pub category: String,
    /// How it may be used, in the country's words.
    pub handling: String,
    /// Names the contact point, and the case to it: 16 bytes in hexadecimal.
    pub contact: String,
    /// How many of the country's rows share the identifier.
    pub rows: u16,
}

/// How sure a match is, strongest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Band {
    /// The normalised identifiers are equal.
    Exact,
    /// Several keys of one record are equal.
    Strong,
    /// One is. A lead, never an identification.
    Possible,
}

impl Verdict {
    /// The word in machine formats.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Hit { .. } => "hit",
            Self::NoHit {} => "no_hit",
            Self::NotEvaluated {} => "not_evaluated",
            Self::NotPermitted {} => "not_permitted",
        }
    }
}

impl Band {
    /// Every band, strongest first.
    pub const ALL: [Self; 3] = [Self::Exact, Self::Strong, Self::Possible];

    /// The word in machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Strong => "strong",
            Self::Possible => "possible",
        }
    }
}

/// Whether "no hit anywhere" may be said: somebody was asked, and everybody who was said no, provably.
pub fn no_hit_anywhere(verdicts: impl IntoIterator<Item = impl Borrow<Verdict>>) -> bool {
    let mut verdicts = verdicts.into_iter().peekable();
    verdicts.peek().is_some() && verdicts.all(|verdict| *verdict.borrow() == Verdict::NoHit {})
}

impl fmt::Display for Band {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::{Band, Hit, Verdict, no_hit_anywhere};

    fn verdicts() -> [Verdict; 4] {
        let (category, handling) = ("stolen".to_owned(), "police only".to_owned());
        let hit = Hit { band: Band::Exact, category, handling, contact: "00".repeat(16), rows: 1 };
        [
            Verdict::Hit { hit },
            Verdict::NoHit {},
            Verdict::NotEvaluated {},
            Verdict::NotPermitted {},
        ]
    }

    #[test]
    fn the_words_are_the_same_everywhere() {
        for verdict in verdicts() {
            let text = serde_json::to_string(&verdict).unwrap();
            assert!(text.starts_with(&format!("{{\"kind\":\"{verdict}\"")), "{text}");
            assert_eq!(serde_json::from_str::<Verdict>(&text).unwrap(), verdict);
        }
        for band in Band::ALL {
            assert_eq!(serde_json::to_string(&band).unwrap(), format!("\"{band}\""));
        }
        for refused in
            [r#"{"kind":"no_hit","hit":null}"#, r#"{"kind":"hit"}"#, r#"{"kind":"maybe"}"#]
        {
            assert!(serde_json::from_str::<Verdict>(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn no_hit_anywhere_needs_everybody() {
        let no = Verdict::NoHit {};
        assert!(no_hit_anywhere([&no, &no]));
        let nobody: [Verdict; 0] = [];
        assert!(!no_hit_anywhere(nobody));
        for other in verdicts().iter().filter(|verdict| **verdict != no) {
            assert!(!no_hit_anywhere([&no, other, &no]));
        }
    }
}
