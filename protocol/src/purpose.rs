//! Why somebody asks: the closed list of purposes.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The purposes of the federation (design §6). Declared by the person asking, checked against roster and policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Purpose {
    /// Raise or check an alert.
    Alert,
    /// Border control.
    Border,
    /// Forensic comparison.
    Forensic,
    /// Identify an unknown dead person.
    IdentDead,
    /// Identify a living person.
    Identify,
    /// Investigate a case.
    Investigate,
    /// Security check of a person.
    Seccheck,
    /// Trends and strategic analysis; never about a person.
    Trend,
    /// Search for a wanted person.
    Wanted,
}

impl Purpose {
    /// Every purpose, in the order of the list.
    pub const ALL: [Self; 9] = [
        Self::Alert,
        Self::Border,
        Self::Forensic,
        Self::IdentDead,
        Self::Identify,
        Self::Investigate,
        Self::Seccheck,
        Self::Trend,
        Self::Wanted,
    ];

    /// The word on the wire and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Alert => "ALERT",
            Self::Border => "BORDER",
            Self::Forensic => "FORENSIC",
            Self::IdentDead => "IDENT_DEAD",
            Self::Identify => "IDENTIFY",
            Self::Investigate => "INVESTIGATE",
            Self::Seccheck => "SECCHECK",
            Self::Trend => "TREND",
            Self::Wanted => "WANTED",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A word that is no purpose.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a purpose; the purposes are ALERT, BORDER, FORENSIC, IDENT_DEAD, IDENTIFY, INVESTIGATE, SECCHECK, TREND, WANTED"
)]
pub struct PurposeError(String);

impl FromStr for Purpose {
    type Err = PurposeError;
    fn from_str(text: &str) -> Result<Self, PurposeError> {
        Self::ALL
            .into_iter()
            .find(|purpose| purpose.as_str() == text)
            .ok_or_else(|| PurposeError(text.chars().take(40).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::Purpose;

    #[test]
    fn every_purpose_reads_and_writes_alike() {
        for purpose in Purpose::ALL {
            assert_eq!(purpose.as_str().parse(), Ok(purpose));
            assert_eq!(serde_json::to_string(&purpose).unwrap(), format!("\"{purpose}\""));
        }
        "trend".parse::<Purpose>().unwrap_err();
    }
}
