//! A witness: C2SP `tlog-witness`, `add-checkpoint`, without the network and without the disk.
//!
//! A witness remembers the last checkpoint of every log it watches, whole, and cosigns the next one only if the log
//! merely grew. Two checkpoints of one log that do not fit together, each with the log's signature, prove that the log
//! forked; that is why the whole checkpoint is kept and not only its size and root.
//!
//! ```text
//! POST add-checkpoint ── consider ──┬── Declined: 400, 403, 404, 409, 422 (with both checkpoints)
//!                                   └── Pending ── cosign(store) ── cosignature, after `store` succeeded
//! ```
//!
//! Whoever calls holds a lock for the origin from reading the last checkpoint until `store` has returned: between them
//! nobody else may store (a smaller tree would take the place of a larger one).

use crate::checkpoint::CheckpointNote;
use crate::cosignature::Cosigner;
use crate::note::{LONGEST_NOTE, NoteError, Signature, Stamp, VerifierKey};
use crate::tile::decimal;
use crate::tree::{Hash, Head, ProofError, empty_root, verify_consistency};
use mayag_protocol::timestamp::Timestamp;

/// A consistency proof in a request has at most so many lines.
pub const LONGEST_PROOF: usize = 63;

/// The longest request that is read.
pub const LONGEST_REQUEST: usize = LONGEST_NOTE + 8 * 1024;

/// The `Content-Type` of a 409 answer.
pub const SIZE_CONTENT_TYPE: &str = "text/x.tlog.size";

/// A request: a checkpoint, and a proof that it continues the tree of `old` entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    old: u64,
    proof: Vec<Hash>,
    checkpoint: CheckpointNote,
}

/// Bytes that are not a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an add-checkpoint request: {0}")]
pub struct RequestError(&'static str);

impl Request {
    /// A request of a log.
    pub fn new(old: u64, proof: Vec<Hash>, checkpoint: CheckpointNote) -> Self {
        Self { old, proof, checkpoint }
    }

    /// Reads a request.
    pub fn parse(body: &[u8]) -> Result<Self, RequestError> {
        if body.len() > LONGEST_REQUEST {
            return Err(RequestError("too long"));
        }
        let text = std::str::from_utf8(body).map_err(|_| RequestError("not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(RequestError("no empty line before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(decimal);
        let old = old.ok_or(RequestError("the first line is `old SIZE`"))?;
        if lines.clone().count() > LONGEST_PROOF {
            return Err(RequestError("the proof has more than 63 lines"));
        }
        let proof: Result<Vec<Hash>, _> = lines.map(str::parse).collect();
        let proof = proof.map_err(|_| RequestError("a line of the proof is no hash"))?;
        let checkpoint = CheckpointNote::parse(checkpoint.as_bytes())
            .map_err(|_| RequestError("the checkpoint is none"))?;
        Ok(Self { old, proof, checkpoint })
    }

    /// The body of the request.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut text = format!("old {}\n", self.old);
        for hash in &self.proof {
            text.push_str(&hash.to_string());
            text.push('\n');
        }
        text.push('\n');
        [text.into_bytes(), self.checkpoint.to_bytes()].concat()
    }

    /// The checkpoint to be cosigned, unchecked.
    pub fn checkpoint(&self) -> &CheckpointNote {
        &self.checkpoint
    }
}

/// Two checkpoints of one origin that do not fit together. If both carry the log's signature, the log forked or was rolled
/// back; whoever sees one keeps both.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// The one the witness kept; absent where it kept none.
    pub kept: Option<Vec<u8>>,
    /// The one it was shown.
    pub shown: Vec<u8>,
}

/// Why a checkpoint was not cosigned.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Declined {
    /// 422: not the same tree, or not shown to be. Kept as evidence.
    #[error("the checkpoint does not continue the one cosigned before: {reason}")]
    Inconsistent {
        /// What the proof shows instead.
        reason: ProofError,
        /// Both checkpoints.
        evidence: Box<Evidence>,
    },
    /// 400: not a request, or it goes backwards.
    #[error(transparent)]
    Malformed(#[from] RequestError),
    /// 403: no key known for the origin signed it, or such a signature does not verify.
    #[error("the checkpoint is not signed by its log")]
    NotSigned,
    /// 409: the witness is elsewhere. Asked with an older tree, this is where to go on from.
    #[error("the last checkpoint cosigned has {size} entries")]
    Stale {
        /// Where the witness is.
        size: u64,
    },
    /// 404: the witness does not watch this log.
    #[error("the log is not known here")]
    UnknownOrigin,
    /// 500: what the witness kept is no checkpoint of this log; it can say nothing about it any more.
    #[error("the checkpoint kept for this log cannot be read")]
    Unreadable,
}

impl Declined {
    /// The HTTP status.
    pub fn status(&self) -> u16 {
        match self {
            Self::Inconsistent { .. } => 422,
            Self::Malformed(_) => 400,
            Self::NotSigned => 403,
            Self::Stale { .. } => 409,
            Self::UnknownOrigin => 404,
            Self::Unreadable => 500,
        }
    }

    /// The body. Of a 409 it is the size, whose type is [`SIZE_CONTENT_TYPE`].
    pub fn body(&self) -> String {
        match self {
            Self::Stale { size } => format!("{size}\n"),
            Self::Inconsistent { .. }
            | Self::Malformed(_)
            | Self::NotSigned
            | Self::UnknownOrigin
            | Self::Unreadable => format!("{self}\n"),
        }
    }
}

/// A checkpoint that may be cosigned once it is stored. Only [`consider`] makes one.
#[derive(Debug)]
#[must_use = "nothing is cosigned before it is stored"]
pub struct Pending {
    checkpoint: CheckpointNote,
    before: Option<Vec<u8>>,
}

/// What a witness must make durable before it may answer.
#[derive(Debug)]
pub struct Replace<'a> {
    /// The origin's key in the witness's store, and its name for monitors: the checkpoint's origin.
    pub origin: &'a str,
    /// What is stored now; a store that finds something else has no lock and must fail.
    pub expected: Option<&'a [u8]>,
    /// The whole checkpoint to store, with the log's signatures and the cosignature.
    pub with: &'a [u8],
}

/// Looks at a request. `logs` are the keys of the logs that are watched, named by origin; `last` is what was stored for the
/// origin, if anything.
pub fn consider(
    request: &Request,
    logs: &[VerifierKey],
    last: Option<&[u8]>,
) -> Result<Pending, Declined> {
    let shown = &request.checkpoint;
    let Head { size, root } = shown.checkpoint().head;
    let origin = &shown.checkpoint().origin;
    let keys: Vec<VerifierKey> =
        logs.iter().filter(|key| key.name() == origin.key_name()).cloned().collect();
    if keys.is_empty() {
        return Err(Declined::UnknownOrigin);
    }
    let signed = shown.note().open(&keys).map_err(|_| Declined::NotSigned)?;
    if size < request.old {
        return Err(Declined::Malformed(RequestError("the old size is above the new one")));
    }
    let kept = match last {
        Some(bytes) => Some(CheckpointNote::parse(bytes).map_err(|_| Declined::Unreadable)?),
        None => None,
    };
    if kept.as_ref().is_some_and(|kept| kept.checkpoint().origin != *origin) {
        return Err(Declined::Unreadable);
    }
    let nothing = Head { size: 0, root: empty_root() };
    let before = kept.as_ref().map_or(nothing, |kept| kept.checkpoint().head);
    if before.size != request.old {
        return Err(Declined::Stale { size: before.size });
    }
    let inconsistent = |reason| Declined::Inconsistent {
        reason,
        evidence: Box::new(Evidence { kept: last.map(<[u8]>::to_vec), shown: shown.to_bytes() }),
    };
    if size == 0 && root != empty_root() {
        return Err(inconsistent(ProofError::Root));
    }
    verify_consistency(&before, &Head { size, root }, &request.proof).map_err(inconsistent)?;
    let signatures = signed.into_iter().map(|signed| signed.signature);
    Ok(Pending { checkpoint: shown.clone().only(signatures), before: last.map(<[u8]>::to_vec) })
}

impl Pending {
    /// Cosigns, stores, and only then gives the cosignature out: one line, which is the body of a 200 answer.
    pub fn cosign<E>(
        self,
        cosigner: &Cosigner<'_>,
        now: Timestamp,
        store: impl FnOnce(&Replace<'_>) -> Result<(), E>,
    ) -> Result<String, E> {
        let line = cosigner.sign(self.checkpoint.note().text(), now);
        let stored = self.checkpoint.with(line.clone());
        // A crash before the store returns leaves the old checkpoint and no cosignature that anybody has seen; after it,
        // a checkpoint that is stored and may have been answered with: the log asks again and is told the size.
        store(&Replace {
            origin: stored.checkpoint().origin.as_str(),
            expected: self.before.as_deref(),
            with: &stored.to_bytes(),
        })?;
        Ok(format!("{line}\n"))
    }
}

/// Reads the body of a 200 answer: the cosignatures of this witness over this checkpoint. Lines of unknown keys are
/// ignored; one of this key that does not verify, or none at all, is an error.
pub fn cosignatures(
    body: &[u8],
    checkpoint: &CheckpointNote,
    witness: &VerifierKey,
) -> Result<Vec<Signature>, NoteError> {
    if body.len() > LONGEST_NOTE {
        return Err(NoteError::Long);
    }
    let text = std::str::from_utf8(body).map_err(|_| NoteError::Characters)?;
    let lines = text.strip_suffix('\n').ok_or(NoteError::Shape)?;
    let lines: Result<Vec<Signature>, NoteError> = lines.split('\n').map(str::parse).collect();
    let note = checkpoint.note().clone().only(lines?);
    let signed = note.open(std::slice::from_ref(witness))?;
    let timed = signed.into_iter().filter(|signed| signed.stamp != Stamp::None);
    let found: Vec<Signature> = timed.map(|signed| signed.signature).collect();
    if found.is_empty() { Err(NoteError::NoKnownSignature) } else { Ok(found) }
}

/// Reads the body of a 409 answer: the size at which the witness is.
pub fn stale_size(body: &[u8]) -> Option<u64> {
    std::str::from_utf8(body).ok()?.strip_suffix('\n').and_then(decimal)
}

#[cfg(test)]
mod tests;
