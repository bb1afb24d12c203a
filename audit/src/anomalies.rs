//! What in a log is worth a second look: nothing here is forbidden, and nothing is proven by it.
//!
//! A person is known by a pseudonym that each party makes with a key of its own, so every log is looked at for itself.
//! One pass in the order of the log; memory for what each person did within the windows below.

use crate::entry::{Entry, ResultClass, Type};
use crate::party::Book;
use crate::records::{Located, LogName, Place};
use mayag_protocol::names::{DatasetName, Digest, LogOrigin};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt;
use std::time::Duration;

/// What counts as much, and as soon.
#[derive(Debug, Clone, Copy)]
pub struct Thresholds {
    /// So many questions of a person within `burst_within` are a burst.
    pub burst: usize,
    /// See `burst`.
    pub burst_within: Duration,
    /// So many refusals of a person within `refusals_within` are many.
    pub refusals: usize,
    /// See `refusals`.
    pub refusals_within: Duration,
    /// So many different questions of a person that differ in values only, within `alike_within`, are a series.
    pub alike: usize,
    /// See `alike`.
    pub alike_within: Duration,
    /// A question that is answered so soon after the same person was refused another one may be the same, rephrased.
    pub rephrased_within: Duration,
    /// A policy that came into force between a refusal and an answer that are no further apart may be why.
    pub widened_within: Duration,
    /// Only after so long is it said that a person asks about a dataset for a purpose for the first time: everything is
    /// new in a new log.
    pub learned_after: Duration,
}

impl Default for Thresholds {
    fn default() -> Self {
        Self {
            burst: 30,
            burst_within: Duration::from_mins(1),
            refusals: 5,
            refusals_within: Duration::from_mins(10),
            alike: 6,
            alike_within: Duration::from_hours(1),
            rephrased_within: Duration::from_mins(10),
            widened_within: Duration::from_hours(24),
            learned_after: Duration::from_hours(7 * 24),
        }
    }
}

/// Something worth a look.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Anomaly {
    /// When.
    pub at: Timestamp,
    /// The pseudonym of the person, in the log of this party.
    pub actor: Digest,
    /// The entries that show it, in the order of the story.
    pub entries: Vec<Place>,
    /// What it is.
    #[serde(flatten)]
    pub what: Oddity,
}

/// What is odd.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "anomaly", rename_all = "snake_case")]
pub enum Oddity {
    /// Many questions at once.
    Burst {
        /// How many.
        questions: usize,
    },
    /// A person asked about this dataset for this purpose, and never did before.
    FirstSeen {
        /// The dataset.
        dataset: DatasetName,
        /// The purpose.
        purpose: Purpose,
    },
    /// Questions that differ in values only: each may be harmless, and their differences may tell of one person.
    NearlyAlike {
        /// How many.
        questions: usize,
    },
    /// Many refusals.
    ManyRefusals {
        /// How many.
        refusals: usize,
    },
    /// Refused, then answered another question soon after.
    Rephrased,
    /// Refused under one policy, then answered under another, which its entry does not say to have only narrowed.
    WidenedThenUsed {
        /// The policy that answered.
        policy: Digest,
    },
}

impl fmt::Display for Anomaly {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let who = self.actor.as_str().get(..12).unwrap_or_default();
        match &self.what {
            Oddity::Burst { questions } => {
                write!(f, "{who}.. asked {questions} questions at once")?;
            }
            Oddity::FirstSeen { dataset, purpose } => write!(
                f,
                "{who}.. asked about {dataset} for {} for the first time",
                purpose.as_str()
            )?,
            Oddity::NearlyAlike { questions } => {
                write!(f, "{who}.. asked {questions} questions that differ in values only")?;
            }
            Oddity::ManyRefusals { refusals } => {
                write!(f, "{who}.. was refused {refusals} times in a short while")?;
            }
            Oddity::Rephrased => {
                write!(f, "{who}.. was refused, and soon after answered another question")?;
            }
            Oddity::WidenedThenUsed { policy } => write!(
                f,
                "{who}.. was refused, the policy changed to {}.., and another question was answered",
                policy.as_str().get(..12).unwrap_or_default()
            )?,
        }
        let mut between = ": ";
        for entry in &self.entries {
            write!(f, "{between}{entry}")?;
            between = ", ";
        }
        Ok(())
    }
}

/// Looks at the entries of one log after the other.
#[derive(Debug)]
pub struct Anomalies {
    thresholds: Thresholds,
    found: Vec<Anomaly>,
    /// Of the log that is being read.
    log: Option<LogOrigin>,
    began: Option<Timestamp>,
    people: BTreeMap<Digest, Person>,
    /// When a party's policies came into force, and the entries that say so, by party and policy.
    policies: BTreeMap<(String, Digest), Vec<Change>>,
    /// Answers that came under another policy and so soon that they may be rephrased questions as well.
    soon: BTreeSet<Place>,
}

/// A policy that came into force.
#[derive(Debug)]
struct Change {
    at: Timestamp,
    place: Place,
    /// It shows something that the one before did not; unknown where the entry does not say.
    widens: Option<bool>,
}

/// An entry, and when it was.
type Moment = (Timestamp, Place);

/// What one person did lately.
#[derive(Debug, Default)]
struct Person {
    questions: VecDeque<Moment>,
    last_question: Option<Digest>,
    refusals: VecDeque<Moment>,
    /// By shape, the texts that were asked lately.
    alike: BTreeMap<Digest, VecDeque<(Moment, Digest)>>,
    pairs: BTreeSet<(DatasetName, Purpose)>,
    refused: Option<RefusedOnce>,
}

/// The last refusal, until it is told.
#[derive(Debug)]
struct RefusedOnce {
    at: Timestamp,
    place: Place,
    question: Option<Digest>,
    policy: Option<Digest>,
}

impl Anomalies {
    /// Nothing seen yet.
    pub fn new(thresholds: Thresholds) -> Self {
        Self {
            thresholds,
            found: Vec::new(),
            log: None,
            began: None,
            people: BTreeMap::new(),
            policies: BTreeMap::new(),
            soon: BTreeSet::new(),
        }
    }

    /// Looks at one entry; those of one log come together, in their order.
    pub fn look(&mut self, located: &Located<'_>) {
        if self.log.as_ref() != Some(located.log.origin()) {
            self.log = Some(located.log.origin().clone());
            self.began = Some(located.entry.at);
            self.people.clear();
        }
        match located.log.book() {
            Some(Book::Administration) => self.policy(located.log, &located.entry, located.place()),
            Some(Book::Questions) => self.person(&located.entry, &located.place()),
            None => (),
        }
    }

    /// What was found, the earliest first. Where a policy changed, the entries that say so stand between refusal and use; a
    /// policy that showed nothing new explains nothing.
    pub fn into_found(self) -> Vec<Anomaly> {
        let Self { found, policies, soon, .. } = self;
        let explained = |mut anomaly: Anomaly| {
            let Oddity::WidenedThenUsed { policy } = &anomaly.what else { return Some(anomaly) };
            let party =
                anomaly.entries.first().and_then(|place| place.log.as_str().split('/').next());
            let key = (party.unwrap_or_default().to_owned(), policy.clone());
            let changes = policies.get(&key).into_iter().flatten();
            // A restart says again what is in force; the entry of the change itself is the one that says what it did.
            let before = changes.filter(|change| change.at <= anomaly.at);
            let change = before.max_by_key(|change| (change.widens != Some(false), change.at));
            match change {
                Some(Change { widens: Some(false), .. }) => {
                    let rephrased = anomaly.entries.last().is_some_and(|last| soon.contains(last));
                    anomaly.what = Oddity::Rephrased;
                    rephrased.then_some(anomaly)
                }
                Some(Change { place, .. }) => {
                    anomaly.entries.insert(1, place.clone());
                    Some(anomaly)
                }
                None => Some(anomaly),
            }
        };
        let mut found: Vec<Anomaly> = found.into_iter().filter_map(explained).collect();
        found.sort_by(|a, b| (a.at, &a.entries).cmp(&(b.at, &b.entries)));
        found
    }

    fn policy(&mut self, log: &LogName, entry: &Entry, place: Place) {
        let Some(policy) = &entry.policy else { return };
        // A policy that was refused left the old one in force.
        let in_force = entry.decision.as_deref() != Some("kept_old");
        if in_force && matches!(entry.kind, Type::Policy | Type::Opened) {
            let key = (log.party().to_owned(), policy.clone());
            // The words of the comparison of policies.
            let widens = entry.about.as_deref().and_then(|word| match word {
                "widens" | "widens and narrows" => Some(true),
                "narrows" | "changes nothing" => Some(false),
                _ => None,
            });
            self.policies.entry(key).or_default().push(Change { at: entry.at, place, widens });
        }
    }

    fn person(&mut self, entry: &Entry, place: &Place) {
        let Some(actor) = &entry.actor else { return };
        let person = self.people.entry(actor.clone()).or_default();
        let thresholds = &self.thresholds;
        let found = &mut self.found;
        let mut find = |entries, what| {
            found.push(Anomaly { at: entry.at, actor: actor.clone(), entries, what });
        };
        match entry.kind {
            Type::Received | Type::Admitted | Type::Refused => {
                if let Some(entries) = person.asked(entry, place, thresholds) {
                    find(entries, Oddity::Burst { questions: thresholds.burst });
                }
                if let Some(entries) = person.alike(entry, place, thresholds) {
                    find(entries, Oddity::NearlyAlike { questions: thresholds.alike });
                }
            }
            Type::Abandoned | Type::Answered | Type::Released => (),
            Type::Configuration
            | Type::Continued
            | Type::FailedAuthentication
            | Type::Key
            | Type::LogRead
            | Type::Opened
            | Type::Policy
            | Type::Redaction
            | Type::Roster => return,
        }
        match entry.kind {
            Type::Refused => {
                if let Some(entries) = person.refused(entry, place, thresholds) {
                    find(entries, Oddity::ManyRefusals { refusals: thresholds.refusals });
                }
            }
            Type::Answered | Type::Released => {
                if let Some((entries, what, soon)) = person.answered(entry, place, thresholds) {
                    find(entries, what);
                    self.soon.extend(soon.then(|| place.clone()));
                }
            }
            Type::Abandoned
            | Type::Admitted
            | Type::Configuration
            | Type::Continued
            | Type::FailedAuthentication
            | Type::Key
            | Type::LogRead
            | Type::Opened
            | Type::Policy
            | Type::Received
            | Type::Redaction
            | Type::Roster => (),
        }
        let Some(purpose) = entry.purpose else { return };
        let learned =
            self.began.is_some_and(|began| began.plus(thresholds.learned_after) <= entry.at);
        for dataset in &entry.datasets {
            if person.pairs.insert((dataset.clone(), purpose)) && learned {
                let what = Oddity::FirstSeen { dataset: dataset.clone(), purpose };
                find(vec![place.clone()], what);
            }
        }
    }
}

impl Person {
    /// One more question, unless it is the one of the entry before; all entries of a burst, once it is one.
    fn asked(&mut self, entry: &Entry, place: &Place, limits: &Thresholds) -> Option<Vec<Place>> {
        if entry.question_digest.is_some() && self.last_question == entry.question_digest {
            return None;
        }
        self.last_question.clone_from(&entry.question_digest);
        full(&mut self.questions, (entry.at, place), limits.burst, limits.burst_within)
    }

    /// One more text of a shape, unless it is there already; all entries of a series, once it is one.
    fn alike(&mut self, entry: &Entry, place: &Place, limits: &Thresholds) -> Option<Vec<Place>> {
        let (shape, text) = (entry.shape.as_ref()?, entry.text.as_ref()?);
        // What has left its window is forgotten, also under other shapes.
        self.alike.retain(|_, asked| {
            asked.retain(|((at, _), _)| entry.at <= at.plus(limits.alike_within));
            !asked.is_empty()
        });
        let asked = self.alike.entry(shape.clone()).or_default();
        if asked.iter().any(|(_, known)| known == text) {
            return None;
        }
        asked.push_back(((entry.at, place.clone()), text.clone()));
        let enough = limits.alike <= asked.len();
        enough.then(|| asked.drain(..).map(|((_, place), _)| place).collect())
    }

    fn refused(&mut self, entry: &Entry, place: &Place, limits: &Thresholds) -> Option<Vec<Place>> {
        self.refused = Some(RefusedOnce {
            at: entry.at,
            place: place.clone(),
            question: entry.question_digest.clone(),
            policy: entry.policy.clone(),
        });
        full(&mut self.refusals, (entry.at, place), limits.refusals, limits.refusals_within)
    }

    /// An answer to another question than the one that was refused last, and whether it came soon. A refusal is told once.
    fn answered(
        &mut self,
        entry: &Entry,
        place: &Place,
        limits: &Thresholds,
    ) -> Option<(Vec<Place>, Oddity, bool)> {
        if !matches!(entry.result, Some(ResultClass::Aggregate | ResultClass::Suppressed)) {
            return None;
        }
        let refused = self.refused.take_if(|refused| refused.question != entry.question_digest)?;
        let entries = vec![refused.place, place.clone()];
        let within = |window| entry.at <= refused.at.plus(window);
        match (&refused.policy, &entry.policy) {
            (Some(old), Some(new)) if old != new && within(limits.widened_within) => {
                let soon = within(limits.rephrased_within);
                Some((entries, Oddity::WidenedThenUsed { policy: new.clone() }, soon))
            }
            (_, _) => {
                within(limits.rephrased_within).then_some((entries, Oddity::Rephrased, false))
            }
        }
    }
}

/// Puts an event into a window; all that are in it, and an empty window, once there are enough.
fn full(
    window: &mut VecDeque<Moment>,
    (at, place): (Timestamp, &Place),
    enough: usize,
    within: Duration,
) -> Option<Vec<Place>> {
    while window.front().is_some_and(|(first, _)| first.plus(within) < at) {
        window.pop_front();
    }
    window.push_back((at, place.clone()));
    (enough <= window.len()).then(|| window.drain(..).map(|(_, place)| place).collect())
}

#[cfg(test)]
mod tests;
