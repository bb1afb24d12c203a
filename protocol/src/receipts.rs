//! How an analyst gets the receipt of an answer: the proof that the gateway's log holds what was handed out. It is believed in
//! nothing: the proof is checked where it arrives.

use crate::answer::LogPosition;
use crate::envelope::Base64;
use serde::{Deserialize, Serialize};

/// Asks a gateway for the receipt of an entry of its log of questions.
pub const RECEIPTS: &str = "/v1/receipts";

/// The longest request, in bytes.
pub const LONGEST_REQUEST: usize = 4 * 1024;

/// The longest answer, in bytes: an entry of 64 KiB and a note of 512 KiB, as they are written in JSON.
pub const LONGEST: usize = 1024 * 1024;

/// What is asked. Whoever does not know the leaf hash gets nothing, so that nobody can look through a log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The place, as the gateway signed it.
    pub log: LogPosition,
}

/// How far the log is with an entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Standing {
    /// No checkpoint that counts covers it yet (status 409).
    Promised {
        /// The log's signed promise, a note.
        promise: String,
    },
    /// It is proven (status 200).
    Proven {
        /// The exact bytes of the entry.
        entry: Base64,
        /// C2SP `tlog-proof`.
        proof: String,
    },
}

#[cfg(test)]
mod tests {
    use super::Standing;
    use crate::envelope::Base64;

    #[test]
    fn a_standing_is_one_of_two() {
        let proven = Standing::Proven { entry: Base64(b"{}".to_vec()), proof: "p".to_owned() };
        let text = serde_json::to_string(&proven).unwrap();
        assert_eq!(text, r#"{"kind":"proven","entry":"e30=","proof":"p"}"#);
        assert_eq!(serde_json::from_str::<Standing>(&text).unwrap(), proven);
        for other in [
            r#"{"kind":"proven","entry":"e30="}"#,
            r#"{"kind":"promised","promise":"p","proof":"p"}"#,
            r#"{"kind":"refused"}"#,
        ] {
            assert!(serde_json::from_str::<Standing>(other).is_err(), "{other}");
        }
    }
}
