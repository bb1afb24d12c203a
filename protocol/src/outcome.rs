//! What one country did with a question: a closed vocabulary, the same words everywhere.

use serde::{Deserialize, Serialize};
use std::fmt;

/// What one country did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Answered in full.
    Answered,
    /// Answered; some cells are withheld.
    AnsweredSuppressed,
    /// Refused because a budget is used up.
    BudgetExhausted,
    /// Broke while working, or its answer did not verify.
    Failed,
    /// Speaks another version.
    Incompatible,
    /// Not asked.
    NotAsked,
    /// Refused.
    Refused,
    /// No answer before the deadline.
    TimedOut,
    /// No connection.
    Unreachable,
    /// The country has withdrawn from answering.
    Withdrawn,
}

impl Outcome {
    /// Whether cells came back.
    pub fn answered(self) -> bool {
        matches!(self, Self::Answered | Self::AnsweredSuppressed)
    }

    /// Whether the country said no, by its own decision.
    pub fn refused(self) -> bool {
        matches!(self, Self::Refused | Self::BudgetExhausted | Self::Withdrawn)
    }

    /// The word in machine formats.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Answered => "answered",
            Self::AnsweredSuppressed => "answered_suppressed",
            Self::BudgetExhausted => "budget_exhausted",
            Self::Failed => "failed",
            Self::Incompatible => "incompatible",
            Self::NotAsked => "not_asked",
            Self::Refused => "refused",
            Self::TimedOut => "timed_out",
            Self::Unreachable => "unreachable",
            Self::Withdrawn => "withdrawn",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::Outcome;

    #[test]
    fn the_words_of_serde_and_display_are_the_same() {
        for outcome in
            [Outcome::Answered, Outcome::AnsweredSuppressed, Outcome::NotAsked, Outcome::TimedOut]
        {
            assert_eq!(serde_json::to_string(&outcome).unwrap(), format!("\"{outcome}\""));
        }
    }
}
