//! What a gateway and a node say to each other so that logs are witnessed: the gateway carries checkpoints and cosignatures
//! between parties that have no connection. It is believed in nothing: every signature is checked where it arrives.

use serde::{Deserialize, Serialize};

/// Asks a node for the request to a witness of one of its logs (C2SP `tlog-witness`).
pub const REQUEST: &str = "/v1/log/request";

/// Brings a node the cosignatures of one of its logs.
pub const COSIGNATURES: &str = "/v1/log/cosignatures";

/// Asks a node to cosign (C2SP `tlog-witness` `add-checkpoint`).
pub const ADD_CHECKPOINT: &str = "/v1/witness/add-checkpoint";

/// The longest message of these, in bytes.
pub const LONGEST: usize = 64 * 1024;

/// What is asked with [`REQUEST`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// Which log: `query-log` or `admin-log`.
    pub book: String,
    /// The size that the witness holds.
    pub old: u64,
}

/// What is brought with [`COSIGNATURES`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cosigned {
    /// Which log.
    pub book: String,
    /// The size of the checkpoint.
    pub size: u64,
    /// Signature lines of a note.
    pub lines: Vec<String>,
}
