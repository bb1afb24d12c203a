//! Times that a log itself, its cosignatures or the clock on the wall contradict.
//!
//! Entries are written by many callers at once, so neighbours may be out of order by a moment; more than [`SKEW`] is
//! said. Where the time falls back, the entry after decides which of the two is wrong.

use super::facts::Facts;
use super::finding::{Finding, What};
use super::{SKEW, Settings};
use crate::quorum::Reached;
use mayag_protocol::timestamp::Timestamp;

/// The entries of a log that are dated before their past or after their future. O(entries).
pub(super) fn disorder(log: &Facts, settings: Settings) -> Vec<Finding> {
    let existed = match log.cosigned() {
        Reached::At(cosigned) => cosigned.min(settings.as_of),
        Reached::NotAsked => settings.as_of,
    };
    let find = |index, what| Finding { at: log.place(index), other: None, what };
    let mut findings: Vec<Finding> = (0..)
        .zip(log.times())
        .filter(|(_, at)| existed.plus(SKEW) < *at)
        .map(|(index, at)| find(index, What::FromTheFuture { at, existed }))
        .collect();

    let times: Vec<(u64, Timestamp)> =
        (0..).zip(log.times()).filter(|(_, at)| *at <= existed.plus(SKEW)).collect();
    // The latest time so far, with its entry, and the latest before that one.
    let mut latest: Option<(u64, Timestamp)> = None;
    let mut before: Option<Timestamp> = None;
    for (place, &(index, at)) in times.iter().enumerate() {
        let Some((latest_index, reached)) = latest else {
            latest = Some((index, at));
            continue;
        };
        if reached <= at.plus(SKEW) {
            if reached < at {
                before = Some(reached);
                latest = Some((index, at));
            }
            continue;
        }
        let goes_on = times.get(place + 1).is_none_or(|(_, next)| reached <= next.plus(SKEW));
        let alone = before.is_none_or(|before| before <= at.plus(SKEW));
        if goes_on || !alone {
            findings.push(find(index, What::BackDated { at, after: reached }));
        } else {
            findings.push(find(latest_index, What::ForwardDated { at: reached, before: at }));
        }
        if !goes_on {
            // One finding for a clock that was set back, not one for every entry after.
            latest = Some((index, at));
            before = None;
        }
    }
    findings
}
