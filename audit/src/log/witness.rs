//! What witnesses say about the log's checkpoints, and how long ago they said it.
//!
//! A cosignature arrives when newer checkpoints are already published, so the last few are remembered. The newest that a
//! quorum cosigned is kept in a file of its own; proofs are made under it.
//!
//! What a log's own files say of its witnesses may be as old as a backup. A log that was opened takes questions once a quorum
//! has cosigned it since: witnesses that have seen more of it do not.

use super::Log;
use super::door::NewFile;
use super::error::{AppendError, Failure, IntegrateError};
use super::integrate::CHECKPOINT;
use super::read::ReadError;
use crate::checkpoint::CheckpointNote;
use crate::note::{NoteError, Signature, Stamp, VerifierKey};
use crate::quorum::{CLOCK_SKEW, Policy, Reached};
use crate::witness::Request;
use mayag_protocol::timestamp::Timestamp;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

/// The newest checkpoint that a quorum of witnesses cosigned.
pub const COSIGNED: &str = "cosigned";
/// Checkpoints remembered until a quorum has cosigned them: a minute's. A witness that takes longer is asked again.
const REMEMBERED: usize = 64;
/// A log that does not grow asks its witnesses again when this part of the longest age has passed.
const ASK_AGAIN: u32 = 4;

/// What is asked of witnesses.
#[derive(Debug, Clone)]
pub struct Witnessing {
    /// Who they are, and how many are enough. It lists this log too.
    pub policy: Policy,
    /// Questions are refused when the last quorum is older.
    pub longest_age: Duration,
}

/// A checkpoint that a quorum cosigned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosigned {
    /// The checkpoint, with the cosignatures.
    pub note: CheckpointNote,
    /// When the quorum was complete, by the witnesses' clocks.
    pub at: Timestamp,
}

/// Checkpoints as others see them.
#[derive(Debug)]
pub(crate) struct Shown {
    /// INVARIANT (published last): never empty after start; the last one is published. Sizes grow.
    recent: VecDeque<CheckpointNote>,
    cosigned: Option<Cosigned>,
    /// Present until a quorum has cosigned since the log was opened.
    unconfirmed: Option<Unconfirmed>,
}

/// Cosignatures of one checkpoint that were made since the log was opened.
#[derive(Debug)]
struct Unconfirmed {
    opened: Timestamp,
    size: u64,
    lines: Vec<Signature>,
}

/// What cosignatures led to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cosigning {
    /// A quorum cosigned this checkpoint.
    Enough(Cosigned),
    /// They are kept; more are needed.
    More,
}

/// Why cosignatures were not kept.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// The checkpoint is not one of the last few, or another was cosigned since.
    #[error("no checkpoint of {size} entries waits for cosignatures")]
    NotWaiting {
        /// Its size.
        size: u64,
    },
    /// Not by a witness known here, or not over this checkpoint.
    #[error("the cosignature of `{name}` over the checkpoint of {size} entries: {source}")]
    Refused {
        /// Whose.
        name: String,
        /// Of which checkpoint.
        size: u64,
        /// Why.
        source: NoteError,
    },
    /// The log has no witnesses.
    #[error("this log has no witnesses: its configuration names no quorum")]
    Unwitnessed,
    /// The cosigned checkpoint was not written.
    #[error(transparent)]
    Write(#[from] IntegrateError),
}

impl Log {
    /// The checkpoint that witnesses should be asked about now: the newest, if a quorum has not cosigned it yet, or did so
    /// a while ago.
    pub fn needs_witness(&self) -> Option<CheckpointNote> {
        let witnessing = self.witnessing.as_ref()?;
        let shown = self.shown.lock();
        let newest = shown.recent.back()?;
        let lately = shown.cosigned.as_ref().is_some_and(|cosigned| {
            shown.unconfirmed.is_none()
                && cosigned.note.checkpoint() == newest.checkpoint()
                && self.clock.now().since(cosigned.at) < witnessing.longest_age / ASK_AGAIN
        });
        (!lately).then(|| newest.clone())
    }

    /// What to ask a witness that holds the tree of the first `old` entries: to cosign the newest checkpoint. Nothing where it
    /// holds more than that; then this log was rolled back.
    pub fn request(&self, old: u64) -> Result<Option<Request>, ReadError> {
        let newest = self.checkpoint().filter(|note| old <= note.checkpoint().head.size);
        let Some(note) = newest else { return Ok(None) };
        let proof = self.consistency(old, note.checkpoint().head.size)?;
        Ok(Some(Request::new(old, proof, note)))
    }

    /// Keeps cosignatures of the checkpoint of `size` entries, after checking them.
    pub fn add_cosignatures(
        &self,
        size: u64,
        cosignatures: &[Signature],
    ) -> Result<Cosigning, CosignError> {
        let witnessing = self.witnessing.as_ref().ok_or(CosignError::Unwitnessed)?;
        let now = self.clock.now();
        let witnesses = witnessing.policy.witnesses().iter();
        let keys: Vec<VerifierKey> = witnesses.map(|witness| witness.key.clone()).collect();
        // Published files are written by one at a time, so this comes before `shown`.
        let integrator = self.integrator.lock();
        if let Some(failure) = self.failure.get() {
            return Err(IntegrateError::Closed(Arc::clone(failure)).into());
        }
        let mut shown = self.shown.lock();
        let newest = shown.recent.back().map(|note| note.checkpoint().head.size);
        let waiting = shown.recent.iter_mut().find(|note| note.checkpoint().head.size == size);
        let note = waiting.ok_or(CosignError::NotWaiting { size })?;
        let mut with = note.clone();
        let mut stamped = Vec::new();
        for cosignature in cosignatures {
            let (more, stamp) = added(with, cosignature, &keys, size)?;
            with = more;
            stamped.push((cosignature, stamp));
        }
        *note = with.clone();
        let mut files = Vec::new();
        // While a larger one is being published, this is no longer the checkpoint.
        if newest == Some(size) && integrator.published == size {
            files.push(NewFile { name: CHECKPOINT.to_owned(), bytes: with.to_bytes() });
        }
        let enough = quorum_time(&with, &witnessing.policy, now)
            .map(|at| Cosigned { note: with.clone(), at });
        if enough.is_some() {
            files.push(NewFile { name: COSIGNED.to_owned(), bytes: with.to_bytes() });
        }
        // A crash here leaves the checkpoint without some cosignatures, and an older one with them: both are true.
        self.published.replace(&files).map_err(|source| {
            self.full_or_closed(Failure::publish(self.published.as_ref(), source))
        })?;
        shown.confirm(&with, &stamped, (&witnessing.policy, now));
        Ok(enough.map_or(Cosigning::More, |cosigned| {
            shown.cosign(cosigned.clone());
            Cosigning::Enough(cosigned)
        }))
    }

    /// The newest checkpoint that a quorum cosigned.
    pub fn cosigned(&self) -> Option<Cosigned> {
        self.shown.lock().cosigned.clone()
    }

    /// The published checkpoint, with the cosignatures it has so far.
    pub fn checkpoint(&self) -> Option<CheckpointNote> {
        self.shown.lock().recent.back().cloned()
    }

    pub(crate) fn witnessed_lately(&self) -> Result<(), AppendError> {
        let Some(witnessing) = &self.witnessing else { return Ok(()) };
        let shown = self.shown.lock();
        let last = shown.cosigned.as_ref().map(|cosigned| cosigned.at);
        let longest = witnessing.longest_age;
        match last {
            Some(at) if self.clock.now().since(at) <= longest => match shown.unconfirmed {
                None => Ok(()),
                Some(_) => Err(AppendError::Unconfirmed),
            },
            Some(_) | None => Err(AppendError::Unwitnessed { last, longest }),
        }
    }
}

impl Shown {
    /// What a log shows that was opened just now; `policy` is who has to cosign it, if anybody.
    pub(crate) fn new(
        published: &CheckpointNote,
        cosigned: Option<Cosigned>,
        (policy, opened): (Option<&Policy>, Timestamp),
    ) -> Self {
        let size = published.checkpoint().head.size;
        let unconfirmed = policy.map(|_| Unconfirmed { opened, size, lines: Vec::new() });
        let mut shown = Self { recent: VecDeque::from([published.clone()]), cosigned, unconfirmed };
        if let Some(policy) = policy {
            // Where the policy asks nobody, nobody has to say anything.
            shown.confirm(published, &[], (policy, opened));
        }
        shown
    }

    /// Takes in cosignatures of a checkpoint, and when they were made.
    fn confirm(
        &mut self,
        note: &CheckpointNote,
        cosignatures: &[(&Signature, Stamp)],
        (policy, now): (&Policy, Timestamp),
    ) {
        let Some(unconfirmed) = &mut self.unconfirmed else { return };
        let checkpoint = note.checkpoint();
        if unconfirmed.size != checkpoint.head.size {
            unconfirmed.size = checkpoint.head.size;
            unconfirmed.lines.clear();
        }
        for (line, stamp) in cosignatures {
            // An older one may come from whoever put the log back.
            let since = |at: &Timestamp| unconfirmed.opened <= at.plus(CLOCK_SKEW);
            if matches!(stamp, Stamp::At(at) if since(at)) {
                unconfirmed.lines.retain(|other| !is_by(other, line));
                unconfirmed.lines.push((*line).clone());
            }
        }
        let own = |line: &&Signature| line.name() == checkpoint.origin.key_name();
        let own = note.note().signatures().iter().filter(own).cloned();
        let lines: Vec<Signature> = own.chain(unconfirmed.lines.iter().cloned()).collect();
        if quorum_time(&note.clone().only(lines), policy, now).is_some() {
            self.unconfirmed = None;
        }
    }

    /// Takes in a checkpoint that is published.
    pub(crate) fn publish(&mut self, note: CheckpointNote) {
        if REMEMBERED <= self.recent.len() {
            self.recent.pop_front();
        }
        self.recent.push_back(note);
    }

    /// Takes in a quorum. Those before it need none any more.
    fn cosign(&mut self, cosigned: Cosigned) {
        let size = cosigned.note.checkpoint().head.size;
        self.recent.retain(|note| size <= note.checkpoint().head.size);
        self.cosigned = Some(cosigned);
    }
}

/// Adds one cosignature to a note, and says when it was made; it takes the place of an earlier one by the same witness.
fn added(
    note: CheckpointNote,
    cosignature: &Signature,
    keys: &[VerifierKey],
    size: u64,
) -> Result<(CheckpointNote, Stamp), CosignError> {
    let only = note.note().clone().only([cosignature.clone()]);
    let opened = only.open(keys).map_err(|source| CosignError::Refused {
        name: cosignature.name().to_string(),
        size,
        source,
    })?;
    let stamp = opened.first().map_or(Stamp::None, |signed| signed.stamp);
    let others = note.note().signatures().iter().filter(|line| !is_by(line, cosignature));
    let others: Vec<Signature> = others.cloned().collect();
    Ok((note.only(others).with(cosignature.clone()), stamp))
}

/// Whether two lines say that they are by the same key.
fn is_by(one: &Signature, other: &Signature) -> bool {
    one.name() == other.name() && one.id() == other.id()
}

/// When a quorum had cosigned; not later than now, whatever the witnesses' clocks say.
pub(crate) fn quorum_time(
    note: &CheckpointNote,
    policy: &Policy,
    now: Timestamp,
) -> Option<Timestamp> {
    let accepted = policy.check(&note.to_bytes(), now).ok()?;
    Some(match accepted.reached() {
        Reached::At(time) => time.min(now),
        Reached::NotAsked => now,
    })
}
