//! The logs of a gateway and of nodes held against each other: what one party left out stands in the log of another.
//!
//! Every entry of a node about a question names the entry of the gateway that says that the question arrived, as the
//! gateway signed it; every release of a gateway names the entries of the nodes that say what they answered. Both are
//! followed, index and leaf hash. An entry that is missing, another one in its place, or one with a time that the other
//! logs contradict is a [`Finding`]. What parties signed for each other is checked ([`AnswerKeys`]), and so are the
//! checkpoints of other logs that entries mention. What is as young as the grace window may be on its way and is only counted.
//!
//! The join keeps what it needs of each entry, some hundred bytes for one that is about a question, and takes
//! O(entries x log logs) time.

mod facts;
mod finding;
mod seen;
mod signed;
mod times;
mod unheard;

pub use facts::Facts;
pub use finding::{Finding, What};
pub use signed::{AnswerKeys, Evidence, Forged};
pub use unheard::Unheard;

use crate::entry::{ResultClass, Type};
use crate::quorum::CLOCK_SKEW;
use crate::records::Place;
use facts::{Asked, End, Fact, Named};
use mayag_protocol::names::LogOrigin;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long an entry may be under way to the other party's log, unless said otherwise.
pub const GRACE: Duration = Duration::from_mins(5);

/// How far entries may be out of order, and clocks apart, without a finding.
pub const SKEW: Duration = CLOCK_SKEW;

/// What reconciling takes besides the logs.
#[derive(Debug, Clone, Copy)]
pub struct Settings {
    /// When the logs were copied.
    pub as_of: Timestamp,
    /// What is younger than this may be in flight.
    pub grace: Duration,
}

impl Settings {
    fn in_flight(self, at: Timestamp) -> bool {
        self.as_of < at.plus(self.grace)
    }
}

/// How many entries were looked at, and what was left undecided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Counts {
    /// Logs.
    pub logs: u64,
    /// Entries in them.
    pub entries: u64,
    /// Questions that gateways received.
    pub received: u64,
    /// Releases of gateways.
    pub released: u64,
    /// Entries of nodes about a question.
    pub at_nodes: u64,
    /// References from one log to another that were followed and hold.
    pub matched: u64,
    /// References that are younger than the grace window, to entries that are not there yet.
    pub in_flight: u64,
    /// Refusals of nodes that name no gateway's entry: what was refused came without one.
    pub not_forwarded: u64,
    /// Checkpoints of other logs that entries mention, and that those logs have been.
    pub mentioned: u64,
    /// Signatures of one party inside the entries of another that verify.
    pub signatures: u64,
    /// Such signatures that were not checked, because no roster was given.
    pub unchecked: u64,
    /// Questions of which gateways say that nothing was handed out: the caller hung up, or the gateway stopped.
    pub abandoned: u64,
    /// Questions without any end after the grace window: the gateway was killed and has not run since.
    pub unended: u64,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Report {
    /// How much was looked at.
    pub counts: Counts,
    /// What is wrong, by log and index.
    pub findings: Vec<Finding>,
    /// Answers that a node's log has and the gateway says it did not get. No contradiction: the gateway may have waited in vain.
    pub unheard: Vec<Unheard>,
    /// Logs that entries name and that were not given: what they would say is unknown.
    pub not_given: BTreeSet<LogOrigin>,
}

/// Holds logs against each other.
pub fn reconcile(logs: &[Facts], settings: Settings) -> Report {
    let mut join = Join {
        logs: logs.iter().map(|log| (log.origin(), log)).collect(),
        answers: unheard::answers(logs),
        settings,
        report: Report {
            counts: Counts::default(),
            findings: Vec::new(),
            unheard: Vec::new(),
            not_given: BTreeSet::new(),
        },
    };
    for log in logs {
        join.report.counts.logs += 1;
        join.report.counts.entries += log.size();
        join.report.findings.extend(times::disorder(log, settings));
        join.beginnings(log);
        for fact in log.facts() {
            join.fact(log, fact);
        }
    }
    seen::mentions(&mut join);
    let mut report = join.report;
    report.findings.sort_by(|a, b| a.at.cmp(&b.at));
    report
}

struct Join<'a> {
    logs: BTreeMap<&'a LogOrigin, &'a Facts>,
    answers: unheard::Answers<'a>,
    settings: Settings,
    report: Report,
}

/// Where a reference from one log to another leads.
enum Followed<'a> {
    /// To the entry that it names.
    There(&'a Fact),
    /// To an entry that is about no question.
    Silent,
    /// Nowhere: the log ends before.
    Absent,
    /// To an entry with another hash.
    Other,
    /// The log was not given.
    NotGiven,
}

impl<'a> Join<'a> {
    fn fact(&mut self, log: &Facts, fact: &'a Fact) {
        let place = log.place(fact.index);
        match (&fact.asked, log.is_node()) {
            (Some(asked), true) => self.at_node(&place, fact, asked),
            (Some(_), false) => self.at_gateway(&place, fact),
            (None, _) => (),
        }
        for seen in &fact.seen {
            if let Some(other) = self.logs.get(&seen.origin)
                && let Some(last) = seen.size.checked_sub(1)
                && let Some(then) = other.at(last)
            {
                let reference = other.place(last);
                self.order(&place, fact.at, &reference, then);
            }
        }
    }

    /// An entry of a node: the gateway's log must hold the entry that the node was told of.
    fn at_node(&mut self, place: &Place, fact: &'a Fact, asked: &Asked) {
        self.report.counts.at_nodes += 1;
        let signed = self.evidence(fact.signed, place, fact.peer.as_ref());
        let Some(peer) = &fact.peer else {
            if matches!(fact.kind, Type::Admitted | Type::Answered) {
                self.find(place, None, What::NotForwarded);
            } else {
                self.report.counts.not_forwarded += 1;
            }
            return;
        };
        match self.follow(peer) {
            Followed::There(there) => {
                if there.kind != Type::Received {
                    self.find(place, Some(peer), What::NotReceived { signed });
                } else if there.asked.as_ref().map(|there| there.digest) != Some(asked.digest) {
                    self.find(place, Some(peer), What::OtherQuestion);
                } else {
                    self.report.counts.matched += 1;
                    self.order(place, fact.at, &peer.place(), there.at);
                }
            }
            Followed::Silent => self.find(place, Some(peer), What::NotReceived { signed }),
            Followed::Absent if self.settings.in_flight(fact.at) => {
                self.report.counts.in_flight += 1;
            }
            Followed::Absent => self.find(place, Some(peer), What::OmittedByGateway { signed }),
            Followed::Other => self.find(place, Some(peer), What::AlteredAtGateway { signed }),
            Followed::NotGiven => self.not_given(&peer.origin),
        }
    }

    /// An entry of a gateway: every node's log must hold the answer that the gateway says it has.
    fn at_gateway(&mut self, place: &Place, fact: &'a Fact) {
        match fact.kind {
            Type::Abandoned => self.report.counts.abandoned += 1,
            Type::Released => self.report.counts.released += 1,
            Type::Received => {
                self.report.counts.received += 1;
                return;
            }
            Type::Admitted
            | Type::Answered
            | Type::Configuration
            | Type::Continued
            | Type::FailedAuthentication
            | Type::Key
            | Type::LogRead
            | Type::Opened
            | Type::Policy
            | Type::Redaction
            | Type::Refused
            | Type::Roster => return,
        }
        for end in &fact.ends {
            let signed = self.evidence(end.signed, place, end.log.as_ref());
            match &end.log {
                None if end.outcome.answered() => {
                    let what = What::ReleasedWithoutEntry { country: end.country.clone() };
                    self.find(place, None, what);
                }
                None => self.unheard(place, fact, end),
                Some(log) => self.answer(place, fact, end, (log, signed)),
            }
        }
    }

    /// Counts a signature, or says that it is none.
    fn evidence(
        &mut self,
        signed: Result<Evidence, Forged>,
        place: &Place,
        about: Option<&Named>,
    ) -> Evidence {
        match signed {
            Ok(Evidence::Absent) => (),
            Ok(Evidence::Unchecked) => self.report.counts.unchecked += 1,
            Ok(Evidence::Verified) => self.report.counts.signatures += 1,
            Err(fault) => self.find(place, about, What::Forged { fault }),
        }
        signed.unwrap_or(Evidence::Absent)
    }

    fn answer(
        &mut self,
        place: &Place,
        fact: &Fact,
        end: &End,
        (log, signed): (&'a Named, Evidence),
    ) {
        let country = end.country.clone();
        let Some(asked) = &fact.asked else { return };
        let own = self.logs.get(&log.origin).is_none_or(|log| log.country() == Some(&end.country));
        if !own {
            return self.find(place, Some(log), What::OtherCountry { country });
        }
        match self.follow(log) {
            Followed::There(there) => {
                if there.asked.as_ref().map(|there| there.digest) != Some(asked.digest) {
                    self.find(place, Some(log), What::OtherQuestion);
                } else if outcome(there).is_none_or(|outcomes| !outcomes.contains(&end.outcome)) {
                    let outcome = end.outcome;
                    self.find(place, Some(log), What::OtherOutcome { country, outcome });
                } else {
                    self.report.counts.matched += 1;
                    self.order(place, fact.at, &log.place(), there.at);
                }
            }
            Followed::Silent => self.find(place, Some(log), What::OtherQuestion),
            Followed::Absent if self.settings.in_flight(fact.at) => {
                self.report.counts.in_flight += 1;
            }
            Followed::Absent => {
                self.find(place, Some(log), What::OmittedByNode { country, signed });
            }
            Followed::Other => self.find(place, Some(log), What::AlteredAtNode { country, signed }),
            Followed::NotGiven => self.not_given(&log.origin),
        }
    }

    /// In one log: nothing is answered that was not admitted before, and nothing released that was not received.
    fn beginnings(&mut self, log: &Facts) {
        let mut open = BTreeMap::new();
        let mut begun = BTreeSet::new();
        // A question may have begun in the log of the year before.
        let first = log.at(0);
        let early =
            |at: Timestamp| log.continues() && first.is_some_and(|first| at < first.plus(GRACE));
        for fact in log.facts() {
            let Some(asked) = &fact.asked else { continue };
            match fact.kind {
                Type::Admitted => {
                    begun.insert(asked.digest);
                }
                Type::Received => {
                    begun.insert(asked.digest);
                    open.insert(asked.digest, fact.at);
                }
                Type::Abandoned | Type::Answered | Type::Released => {
                    if !begun.contains(&asked.digest) && !early(fact.at) {
                        self.find(&log.place(fact.index), None, What::NotBegun);
                    }
                    open.remove(&asked.digest);
                }
                Type::Refused => {
                    open.remove(&asked.digest);
                }
                Type::Configuration
                | Type::Continued
                | Type::FailedAuthentication
                | Type::Key
                | Type::LogRead
                | Type::Opened
                | Type::Policy
                | Type::Redaction
                | Type::Roster => (),
            }
        }
        let old = open.values().filter(|at| !self.settings.in_flight(**at)).count();
        self.report.counts.unended += old as u64;
    }

    /// An entry cannot be older than one that it names.
    fn order(&mut self, place: &Place, at: Timestamp, other: &Place, then: Timestamp) {
        if at.plus(SKEW) < then {
            let what = What::BeforeItsCause { at, then };
            self.report.findings.push(Finding {
                at: place.clone(),
                other: Some(other.clone()),
                what,
            });
        }
    }

    fn follow(&self, named: &Named) -> Followed<'a> {
        let Some(log) = self.logs.get(&named.origin) else { return Followed::NotGiven };
        match log.leaf(named.index) {
            None => Followed::Absent,
            Some(leaf) if leaf != named.leaf => Followed::Other,
            Some(_) => log.fact(named.index).map_or(Followed::Silent, Followed::There),
        }
    }

    fn not_given(&mut self, origin: &LogOrigin) {
        self.report.not_given.insert(origin.clone());
    }

    fn find(&mut self, place: &Place, other: Option<&Named>, what: What) {
        let other = other.map(Named::place);
        self.report.findings.push(Finding { at: place.clone(), other, what });
    }
}

/// What a gateway may say of an answer with this entry; `None` for what is no answer.
fn outcome(fact: &Fact) -> Option<&'static [Outcome]> {
    match (fact.kind, fact.result?) {
        (Type::Refused, ResultClass::Refusal) => {
            Some(&[Outcome::Refused, Outcome::BudgetExhausted, Outcome::Withdrawn])
        }
        (
            Type::Answered,
            ResultClass::Aggregate | ResultClass::Catalogue | ResultClass::Evaluated,
        ) => Some(&[Outcome::Answered]),
        (Type::Answered, ResultClass::Suppressed) => Some(&[Outcome::AnsweredSuppressed]),
        (Type::Answered, ResultClass::Error) => Some(&[Outcome::Failed]),
        (Type::Answered, ResultClass::TimedOut) => Some(&[Outcome::TimedOut]),
        (
            Type::Abandoned
            | Type::Answered
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
            | Type::Refused
            | Type::Released
            | Type::Roster,
            _,
        ) => None,
    }
}

#[cfg(test)]
mod tests;
