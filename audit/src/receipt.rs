//! Receipts: C2SP `tlog-proof`, by which anybody can check offline that an entry is in a log.
//!
//! ```text
//! c2sp.org/tlog-proof@v1
//! extra BASE64
//! index 73894
//! HASH
//! HASH
//!
//! the checkpoint, with its signatures
//! ```

use crate::checkpoint::CheckpointNote;
use crate::note::LONGEST_NOTE;
use crate::quorum::{Accepted, Policy, QuorumError};
use crate::tile::decimal;
use crate::tree::{Hash, ProofError, leaf_hash, verify_inclusion};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mayag_protocol::timestamp::Timestamp;

/// The file name extension.
pub const EXTENSION: &str = "tlog-proof";

const FIRST_LINE: &str = "c2sp.org/tlog-proof@v1";

/// An inclusion proof in a tree of fewer than `2^63` entries is no longer.
const LONGEST_PROOF: usize = 63;

/// Room for the extra data of other products; ours write none.
const LONGEST_RECEIPT: usize = LONGEST_NOTE + 128 * 1024;

/// A receipt as it was read or made. It proves nothing before [`Receipt::verify`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    extra: Option<Vec<u8>>,
    index: u64,
    proof: Vec<Hash>,
    checkpoint: CheckpointNote,
}

/// Why a receipt was not read, or does not prove what it is shown for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ReceiptError {
    /// Not a receipt.
    #[error("line {line} of the receipt: {reason}")]
    Malformed {
        /// Counted from 1.
        line: usize,
        /// What was expected.
        reason: &'static str,
    },
    /// The entry is not at this place under this checkpoint.
    #[error("the receipt is not for this entry at index {index}: {source}")]
    Proof {
        /// The place the receipt names.
        index: u64,
        /// What the proof shows instead.
        source: ProofError,
    },
    /// The checkpoint is not believed.
    #[error("the receipt's checkpoint: {0}")]
    Quorum(#[from] QuorumError),
}

/// What a verified receipt says: the entry is at this place of the log. Only [`Receipt::verify`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    index: u64,
    checkpoint: Accepted,
}

impl Proven {
    /// The entry's place.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint it is under.
    pub fn checkpoint(&self) -> &Accepted {
        &self.checkpoint
    }
}

impl Receipt {
    /// A receipt for entry `index`, with its inclusion proof under this checkpoint.
    pub fn new(index: u64, proof: Vec<Hash>, checkpoint: CheckpointNote) -> Self {
        Self { extra: None, index, proof, checkpoint }
    }

    /// The entry's place, unchecked.
    pub fn index(&self) -> u64 {
        self.index
    }

    /// The checkpoint, unchecked.
    pub fn checkpoint(&self) -> &CheckpointNote {
        &self.checkpoint
    }

    /// Data beside the proof. Nothing vouches for it.
    pub fn extra(&self) -> Option<&[u8]> {
        self.extra.as_deref()
    }

    /// Reads a receipt; checks neither proof nor signatures.
    pub fn parse(bytes: &[u8]) -> Result<Self, ReceiptError> {
        let malformed = |line, reason| ReceiptError::Malformed { line, reason };
        if bytes.len() > LONGEST_RECEIPT {
            return Err(malformed(1, "the receipt is too long"));
        }
        let text =
            std::str::from_utf8(bytes).map_err(|_| malformed(1, "a receipt is UTF-8 text"))?;
        let (head, checkpoint) = text
            .split_once("\n\n")
            .ok_or_else(|| malformed(1, "an empty line before the checkpoint"))?;
        let mut lines = head.split('\n').enumerate().map(|(n, line)| (n + 1, line)).peekable();
        if lines.next() != Some((1, FIRST_LINE)) {
            return Err(malformed(1, "the first line is `c2sp.org/tlog-proof@v1`"));
        }
        let mut extra = None;
        if let Some((line, encoded)) = lines.peek()
            && let Some(encoded) = encoded.strip_prefix("extra ")
        {
            let decoded = STANDARD.decode(encoded);
            extra = Some(decoded.map_err(|_| malformed(*line, "extra data is base64"))?);
            lines.next();
        }
        let (line, index) = lines.next().ok_or_else(|| malformed(2, "a line `index N`"))?;
        let index = index.strip_prefix("index ").and_then(decimal);
        let index = index.ok_or_else(|| malformed(line, "a line `index N`"))?;
        let hashes = lines.map(|(line, hash)| {
            let hash = if line <= LONGEST_PROOF + 3 { hash.parse().ok() } else { None };
            hash.ok_or_else(|| malformed(line, "at most 63 hashes in base64, one a line"))
        });
        let proof: Result<Vec<Hash>, ReceiptError> = hashes.collect();
        let checkpoint =
            CheckpointNote::parse(checkpoint.as_bytes()).map_err(QuorumError::Checkpoint)?;
        Ok(Self { extra, index, proof: proof?, checkpoint })
    }

    /// The receipt as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("{FIRST_LINE}\n");
        if let Some(extra) = &self.extra {
            text.push_str("extra ");
            STANDARD.encode_string(extra, &mut text);
            text.push('\n');
        }
        text.push_str("index ");
        text.push_str(&self.index.to_string());
        text.push('\n');
        for hash in &self.proof {
            text.push_str(&hash.to_string());
            text.push('\n');
        }
        text.push('\n');
        [text.into_bytes(), self.checkpoint.to_bytes()].concat()
    }

    /// Checks that the log under `policy` holds exactly these entry bytes at the receipt's place.
    pub fn verify(
        &self,
        entry: &[u8],
        policy: &Policy,
        now: Timestamp,
    ) -> Result<Proven, ReceiptError> {
        let checkpoint = policy.check(&self.checkpoint.to_bytes(), now)?;
        let head = &checkpoint.note().checkpoint().head;
        verify_inclusion(leaf_hash(entry), self.index, head.size, &head.root, &self.proof)
            .map_err(|source| ReceiptError::Proof { index: self.index, source })?;
        Ok(Proven { index: self.index, checkpoint })
    }
}
