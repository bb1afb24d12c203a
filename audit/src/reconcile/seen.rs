//! Checkpoints of other logs that entries mention: each party's log says what the others were when it cosigned them.
//!
//! Such a mention binds both logs in time. The entry that holds it is not older than what it mentions. In the log that is
//! mentioned, what is under the checkpoint existed when it was cosigned, and what is not under it was not there yet. A log
//! that is shorter than a mention was cut off or put back; one with another root at that size has a second history.

use super::facts::Facts;
use super::finding::{Finding, What};
use super::{GRACE, Join, SKEW};
use crate::records::Place;
use crate::tree::{Frontier, Hash};
use mayag_protocol::names::LogOrigin;
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;

/// One checkpoint that an entry mentions.
#[derive(Debug)]
struct Mention {
    size: u64,
    root: Hash,
    /// When the party that mentions it cosigned it.
    cosigned: Option<Timestamp>,
    /// The entry that mentions it.
    by: Place,
    /// When that entry was written.
    written: Timestamp,
}

/// Looks at everything that the logs mention of each other. O(entries + mentions log mentions).
pub(super) fn mentions(join: &mut Join<'_>) {
    let mut all: BTreeMap<&LogOrigin, Vec<Mention>> = BTreeMap::new();
    for log in join.logs.values() {
        for fact in log.facts() {
            for seen in &fact.seen {
                // A party cosigns more logs than the questions of an audit are in: one that was not given is none that
                // contradicts.
                let Some((origin, _)) = join.logs.get_key_value(&seen.origin) else { continue };
                // A digest that was read is one of 32 bytes.
                let Ok(root) = Hash::try_from(&seen.root) else { continue };
                all.entry(origin).or_default().push(Mention {
                    size: seen.size,
                    root,
                    cosigned: seen.at,
                    by: log.place(fact.index),
                    written: fact.at,
                });
            }
        }
    }
    for (origin, mut mentions) in all {
        let Some(log) = join.logs.get(origin).copied() else { continue };
        mentions.sort_by_key(|mention| mention.size);
        histories(join, log, &mentions);
        join.report.findings.extend(times(log, &mentions));
    }
}

/// The log must have been each of the trees that are mentioned.
fn histories(join: &mut Join<'_>, log: &Facts, mentions: &[Mention]) {
    let mut tree = Frontier::default();
    let mut leaves = log.leaves();
    for mention in mentions {
        while tree.size() < mention.size
            && let Some(leaf) = leaves.next()
        {
            tree.push(leaf, |_| ());
        }
        let size = mention.size;
        let what = if tree.size() < size {
            // The log may have been copied before the one that mentions it.
            if join.settings.in_flight(mention.written) {
                join.report.counts.in_flight += 1;
                continue;
            }
            What::CutOff { size }
        } else if tree.root() != mention.root {
            What::OtherHistory { size }
        } else {
            join.report.counts.mentioned += 1;
            continue;
        };
        let other = Some(log.place(size.saturating_sub(1)));
        join.report.findings.push(Finding { at: mention.by.clone(), other, what });
    }
}

/// Entries that are dated after they were seen, or long before anybody saw them.
fn times(log: &Facts, mentions: &[Mention]) -> Vec<Finding> {
    let cosigned = |mention: &Mention| mention.cosigned;
    // The earliest cosignature of a tree of at least so many entries: an entry under it existed then.
    let mut existed: Vec<(u64, Timestamp, &Place)> = Vec::new();
    for mention in mentions.iter().rev() {
        let Some(at) = cosigned(mention) else { continue };
        if existed.last().is_none_or(|(_, earliest, _)| at < *earliest) {
            existed.push((mention.size, at, &mention.by));
        }
    }
    existed.reverse();
    let mut findings = Vec::new();
    let (mut under, mut beyond) = (existed.iter().peekable(), mentions.iter().peekable());
    // The latest cosignature of a tree of at most so many entries: the entry was not in it.
    let mut absent: Option<(Timestamp, &Place)> = None;
    for (index, at) in (0_u64..).zip(log.times()) {
        while under.next_if(|(size, ..)| *size <= index).is_some() {}
        if let Some((_, existed, by)) = under.peek()
            && existed.plus(SKEW) < at
        {
            let what = What::SeenBefore { at, existed: *existed };
            findings.push(Finding { at: log.place(index), other: Some((*by).clone()), what });
        }
        while let Some(mention) = beyond.next_if(|mention| mention.size <= index) {
            if let Some(at) = cosigned(mention)
                && absent.is_none_or(|(latest, _)| latest < at)
            {
                absent = Some((at, &mention.by));
            }
        }
        // A checkpoint takes a second to be made, and some more to be carried to a witness.
        if let Some((cosigned, by)) = absent
            && at.plus(GRACE) < cosigned
        {
            let what = What::NotYetThere { at, cosigned };
            findings.push(Finding { at: log.place(index), other: Some(by.clone()), what });
        }
    }
    findings
}
