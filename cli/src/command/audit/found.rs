//! The entries of one question that have a detail, and where the details are.

use super::logs::{Ended, entries, state_of};
use super::verify::Job;
use mayag_audit::entry::{DetailRef, Entry, Erased};
use mayag_audit::search::{Asked, Found};
use mayag_audit::story::Story;
use mayag_protocol::names::{Digest, LogOrigin, QuestionId};
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

/// An entry with a detail.
#[derive(Debug)]
pub(super) struct Detailed {
    pub(super) found: Found,
    pub(super) detail: DetailRef,
    /// The state folder of its party, or a copy of it.
    pub(super) state: PathBuf,
}

/// A detail of a party: nobody speaks of the details of others.
pub(super) type Key = (String, Digest);

/// When details were erased, by whose order, and why.
pub(super) type Redactions = BTreeMap<Key, (Timestamp, Erased)>;

impl Detailed {
    /// Its party, by the name of the log, and its digest.
    pub(super) fn key(&self) -> Key {
        (party(&self.found.place.log), self.detail.ct_sha256.clone())
    }
}

/// Whose log it is: the part of its name before the kind of log and the year.
fn party(log: &LogOrigin) -> String {
    log.as_str().split('/').next().unwrap_or_default().to_owned()
}

/// Verifies all logs, and finds the question's entries that have a detail.
pub(super) fn detailed(jobs: &[Job], asked: &Asked) -> Result<Vec<Detailed>, Ended> {
    let mut story = Story::of(asked.clone());
    let mut states: BTreeMap<LogOrigin, PathBuf> = BTreeMap::new();
    for job in jobs {
        entries(job, &mut |located| {
            states.entry(located.log.origin().clone()).or_insert_with(|| state_of(job));
            story.learn(&located.entry);
        })?;
    }
    for job in jobs {
        entries(job, &mut |located| story.look(located))?;
    }
    let found = story.into_found().into_iter().filter_map(|found| {
        let detail = found.entry.detail.clone()?;
        let state = states.get(&found.place.log)?.clone();
        Some(Detailed { found, detail, state })
    });
    Ok(found.collect())
}

/// What the logs say of the erasure of these details.
pub(super) fn redactions(jobs: &[Job], wanted: &BTreeSet<Key>) -> Result<Redactions, Ended> {
    let mut redactions = Redactions::new();
    for job in jobs {
        entries(job, &mut |located| {
            let party = party(located.log.origin());
            let Entry { at, erased: Some(erased), .. } = located.entry else { return };
            let keys = erased.details.iter().map(|detail| (party.clone(), detail.clone()));
            for key in keys.filter(|key| wanted.contains(key)) {
                redactions.entry(key).or_insert_with(|| (at, erased.clone()));
            }
        })?;
    }
    Ok(redactions)
}

/// The id of the question, if an entry says it.
pub(super) fn id_of(found: &[Detailed]) -> Option<QuestionId> {
    found.iter().find_map(|detailed| detailed.found.entry.question.clone())
}
