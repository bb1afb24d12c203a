//! How the program ends: one list of exit codes for every subcommand.

use std::process::ExitCode;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done; every country asked has answered.
    Complete = 0,
    /// Something failed, or no country answered.
    Error = 1,
    /// Wrong usage, or no connection to the gateway.
    Usage = 2,
    /// Some of the countries asked have answered.
    Partial = 3,
    /// Every country asked, or the gateway for all of them, has refused.
    RefusedByAll = 4,
    /// A signature, a digest or the merge did not verify; nothing of the answer was shown.
    VerificationFailed = 6,
}

/// The list for `--help`.
pub const HELP: &str = "\
Exit codes:
  0  complete: every country asked has answered
  1  error, or no country answered
  2  wrong usage, or no connection
  3  partial: some of the countries asked have answered, or some logs were not given
  4  refused by all countries asked
  6  verification failed: a signature, a digest, the merge, a receipt or a log; nothing of an answer was shown";

impl Exit {
    /// The number.
    pub fn code(self) -> u8 {
        self as u8
    }

    /// What it means, for the last line on stderr.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Error => "error, or no country answered",
            Self::Partial => "partial",
            Self::RefusedByAll => "refused by all",
            Self::Usage => "wrong usage, or no connection",
            Self::VerificationFailed => "verification failed",
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

#[cfg(test)]
mod tests {
    use super::{Exit, HELP};

    #[test]
    fn the_codes_are_those_of_the_design_and_all_are_documented() {
        let all = [
            (Exit::Complete, 0),
            (Exit::Error, 1),
            (Exit::Usage, 2),
            (Exit::Partial, 3),
            (Exit::RefusedByAll, 4),
            (Exit::VerificationFailed, 6),
        ];
        for (exit, code) in all {
            assert_eq!(exit.code(), code);
            assert!(HELP.contains(&format!("\n  {code}  ")), "{code}");
        }
    }
}
