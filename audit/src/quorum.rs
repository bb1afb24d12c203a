//! Whose signatures make a checkpoint believable: C2SP `tlog-policy`, with windows of validity.
//!
//! ```text
//! log gateway.example/query-log/2026+...
//! witness be node-be.example/witness+... https://node-be.example:8443/witness
//! witness kr node-kr.example/witness+...
//! group nodes 2 be kr
//! quorum nodes
//! #@ until 2026-06-01T00:00:00.000Z witness jp node-jp.example/witness+...
//! #@ until 2026-06-01T00:00:00.000Z quorum jp
//! ```
//!
//! Witnesses come and go, and a receipt of last year must still verify. A line behind `#@` with `from`, `until` or both is
//! in force in that window only; `until` is the first instant after it. Other readers of the format see a comment, so they
//! see today's policy: they refuse what only an earlier quorum accepted, and accept nothing that we do not. That is why
//! what ended is taken out of the plain lines, and why a plain line refers to plain names only.
//!
//! A checkpoint is accepted if there is an instant at which the quorum of that instant had cosigned. A cosignature counts
//! if its witness was valid at the time it says, and if that time is not in the future.

use crate::checkpoint::{CheckpointError, CheckpointNote};
use crate::note::{NoteError, Signed, Stamp, VerifierKey};
use mayag_protocol::timestamp::Timestamp;
use std::fmt;
use std::time::Duration;

mod parse;

/// The longest policy file that is read.
pub const LONGEST_POLICY: usize = 256 * 1024;

/// How far the clocks of two parties may be apart.
pub const CLOCK_SKEW: Duration = Duration::from_secs(30);

/// The instants at which a line is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Window {
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

impl Window {
    /// Whether an instant is in it; `until` is not.
    pub fn contains(self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| from <= time) && self.until.is_none_or(|until| time < until)
    }

    fn always(self) -> bool {
        self.from.is_none() && self.until.is_none()
    }

    fn overlaps(self, other: Self) -> bool {
        let before = |end: Option<Timestamp>, start: Option<Timestamp>| {
            end.zip(start).is_none_or(|(end, start)| start < end)
        };
        before(self.until, other.from) && before(other.until, self.from)
    }
}

/// A log of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// Its key; the name is its origin.
    pub key: VerifierKey,
    /// Where it is, if the file says so.
    pub url: Option<String>,
    /// When its signature counts.
    pub window: Window,
}

/// A witness of the policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    /// Its name in the file.
    pub name: String,
    /// Its key.
    pub key: VerifierKey,
    /// Where it is, if the file says so.
    pub url: Option<String>,
    /// When its cosignatures count.
    pub window: Window,
}

/// Who must have cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Member {
    /// The group at this place.
    Group(usize),
    /// The witness at this place.
    Witness(usize),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Group {
    name: Vec<u8>,
    needed: usize,
    /// INVARIANT (groups refer back): a group's members stand before it, so following them ends.
    members: Vec<Member>,
    window: Window,
}

/// `None` where nobody needs to cosign.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Quorum {
    rule: Option<Member>,
    window: Window,
}

/// A policy file as it is meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    logs: Vec<Log>,
    witnesses: Vec<Witness>,
    groups: Vec<Group>,
    /// The plain one; in force where no other is.
    quorum: Quorum,
    /// Those with a window. INVARIANT (one quorum at a time): no two overlap.
    windowed: Vec<Quorum>,
}

/// Why a policy file was not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("policy line {line}: {reason}")]
pub struct PolicyError {
    /// Counted from 1; 0 where it is about the whole file.
    pub line: usize,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// When a quorum had cosigned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reached {
    /// At this instant, by the witnesses' clocks: everything under the checkpoint existed then.
    At(Timestamp),
    /// The policy asks for no witness.
    NotAsked,
}

/// A checkpoint that the policy accepts. Only [`Policy::check`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    note: CheckpointNote,
    log: VerifierKey,
    cosigned: Vec<Signed>,
    reached: Reached,
}

impl Accepted {
    /// The checkpoint, with the signatures that were checked and no other.
    pub fn note(&self) -> &CheckpointNote {
        &self.note
    }

    /// The key of the log.
    pub fn log(&self) -> &VerifierKey {
        &self.log
    }

    /// The cosignatures that verified, whether or not the quorum needed them.
    pub fn cosigned(&self) -> &[Signed] {
        &self.cosigned
    }

    /// When the quorum had cosigned.
    pub fn reached(&self) -> Reached {
        self.reached
    }
}

/// Why a checkpoint is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuorumError {
    /// Not a checkpoint.
    #[error(transparent)]
    Checkpoint(#[from] CheckpointError),
    /// No log of the policy has this origin.
    #[error("no log of the policy has the origin `{0}`")]
    Origin(String),
    /// Not signed by the log, or not while its key was valid.
    #[error("the checkpoint is not signed by a key that the policy lists for its log at that time")]
    Log,
    /// A signature of a known key does not verify.
    #[error("{0}")]
    Signature(NoteError),
    /// Too few, or the wrong ones, or at the wrong time.
    #[error("the quorum did not cosign; valid cosignatures are by: {}", Names(.cosigned))]
    TooFew {
        /// Whose cosignatures counted.
        cosigned: Vec<String>,
    },
}

struct Names<'a>(&'a [String]);

impl fmt::Display for Names<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("nobody") } else { f.write_str(&self.0.join(", ")) }
    }
}

impl Policy {
    /// Reads a policy file of at most [`LONGEST_POLICY`] bytes.
    pub fn parse(bytes: &[u8]) -> Result<Self, PolicyError> {
        parse::policy(bytes)
    }

    /// The policy of a key file: one verifier key a line, the log's first, then witnesses, `needed` of whom must have
    /// cosigned.
    pub fn of_keys(text: &str, needed: usize) -> Result<Self, PolicyError> {
        parse::key_file(text, needed)
    }

    /// The logs.
    pub fn logs(&self) -> &[Log] {
        &self.logs
    }

    /// The witnesses.
    pub fn witnesses(&self) -> &[Witness] {
        &self.witnesses
    }

    /// Checks a checkpoint file: the log's signature, and whether a quorum had cosigned by `now`.
    pub fn check(&self, bytes: &[u8], now: Timestamp) -> Result<Accepted, QuorumError> {
        let note = CheckpointNote::parse(bytes)?;
        let (logs, signed) = self.open(&note)?;
        let mut cosigned: Vec<(usize, Timestamp, Signed)> = Vec::new();
        for found in &signed {
            let witness = self.witnesses.iter().position(|witness| witness.key == found.key);
            if let (Some(at), Stamp::At(time)) = (witness, found.stamp)
                && time <= now.plus(CLOCK_SKEW)
                && self.witnesses.get(at).is_some_and(|witness| witness.window.contains(time))
            {
                cosigned.push((at, time, found.clone()));
            }
        }
        cosigned.sort_by_key(|(_, time, _)| *time);
        let reached = self.reached(&cosigned, now)?;
        let signed_at = match reached {
            Reached::At(time) => time,
            Reached::NotAsked => now,
        };
        let signed_by = |log: &&Log| {
            log.window.contains(signed_at) && signed.iter().any(|found| found.key == log.key)
        };
        let log = logs.into_iter().find(signed_by).ok_or(QuorumError::Log)?.key.clone();
        let lines = signed.iter().map(|found| found.signature.clone());
        Ok(Accepted {
            note: note.only(lines),
            log,
            cosigned: cosigned.into_iter().map(|(_, _, found)| found).collect(),
            reached,
        })
    }

    /// Checks only that the log signed a checkpoint file, whoever cosigned it: for an older checkpoint that is compared with
    /// one that was accepted.
    pub fn check_log(&self, bytes: &[u8]) -> Result<CheckpointNote, QuorumError> {
        let note = CheckpointNote::parse(bytes)?;
        let (logs, signed) = self.open(&note)?;
        let by_log = signed.iter().any(|found| logs.iter().any(|log| log.key == found.key));
        if by_log { Ok(note) } else { Err(QuorumError::Log) }
    }

    /// The logs of the checkpoint's origin, and every signature of a known key.
    fn open(&self, note: &CheckpointNote) -> Result<(Vec<&Log>, Vec<Signed>), QuorumError> {
        let origin = &note.checkpoint().origin;
        let logs: Vec<&Log> =
            self.logs.iter().filter(|log| log.key.name() == origin.key_name()).collect();
        if logs.is_empty() {
            return Err(QuorumError::Origin(origin.to_string()));
        }
        let witnesses = self.witnesses.iter().map(|witness| witness.key.clone());
        let keys: Vec<VerifierKey> =
            logs.iter().map(|log| log.key.clone()).chain(witnesses).collect();
        match note.note().open(&keys) {
            Ok(signed) => Ok((logs, signed)),
            Err(NoteError::NoKnownSignature) => Err(QuorumError::Log),
            Err(error) => Err(QuorumError::Signature(error)),
        }
    }

    /// The first instant at which the quorum of that instant had cosigned; `cosigned` is sorted by time.
    fn reached(
        &self,
        cosigned: &[(usize, Timestamp, Signed)],
        now: Timestamp,
    ) -> Result<Reached, QuorumError> {
        let mut present = vec![false; self.witnesses.len()];
        for (at, time, _) in cosigned {
            if let Some(present) = present.get_mut(*at) {
                *present = true;
            }
            if let Some(rule) = self.quorum_at(*time).rule
                && self.holds(rule, &present)
            {
                return Ok(Reached::At(*time));
            }
        }
        if self.quorum_at(now).rule.is_none() {
            return Ok(Reached::NotAsked);
        }
        let names = cosigned.iter().filter_map(|(at, _, _)| self.witnesses.get(*at));
        Err(QuorumError::TooFew { cosigned: names.map(|witness| witness.name.clone()).collect() })
    }

    fn quorum_at(&self, time: Timestamp) -> Quorum {
        let windowed = self.windowed.iter().find(|quorum| quorum.window.contains(time));
        windowed.copied().unwrap_or(self.quorum)
    }

    fn holds(&self, rule: Member, present: &[bool]) -> bool {
        match rule {
            Member::Group(at) => self.groups.get(at).is_some_and(|group| {
                let holding = group.members.iter().filter(|member| self.holds(**member, present));
                group.needed <= holding.count()
            }),
            Member::Witness(at) => present.get(at).copied().unwrap_or(false),
        }
    }
}

#[cfg(test)]
mod tests;
