//! Answers that left a node, as its log says, and that the gateway says it did not get.
//!
//! Neither log contradicts the other: a connection broke, or the answer came when the gateway no longer waited. But data left
//! a country, so it is said. An answer that was in the node's log long before the gateway gave up was not late.

use super::facts::{End, Fact, Facts};
use super::{Join, SKEW};
use crate::entry::Type;
use crate::records::Place;
use crate::tree::Hash;
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt;

/// The answers of nodes, by question and country.
pub(super) type Answers<'a> = BTreeMap<(Hash, &'a Country), (&'a Facts, &'a Fact)>;

/// An answer that a gateway did not get.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Unheard {
    /// The gateway's entry.
    pub at: Place,
    /// The node's.
    pub answer: Place,
    /// The country.
    pub country: Country,
    /// What the gateway says of it.
    pub outcome: Outcome,
    /// When the answer was in the node's log.
    pub answered: Timestamp,
    /// When the gateway released without it.
    pub released: Timestamp,
}

impl Unheard {
    /// Whether it came at the end, as far as two clocks tell.
    pub fn is_late(&self) -> bool {
        self.released < self.answered.plus(SKEW)
    }
}

/// What nodes answered. Refusals carry nothing.
pub(super) fn answers(logs: &[Facts]) -> Answers<'_> {
    let mut answers = BTreeMap::new();
    for log in logs {
        let Some(country) = log.country() else { continue };
        for fact in log.facts().iter().filter(|fact| fact.kind == Type::Answered) {
            if let Some(asked) = &fact.asked {
                answers.insert((asked.digest, country), (log, fact));
            }
        }
    }
    answers
}

impl Join<'_> {
    /// A gateway's entry names no answer of this country.
    pub(super) fn unheard(&mut self, place: &Place, fact: &Fact, end: &End) {
        let Some(asked) = &fact.asked else { return };
        let Some((log, answer)) = self.answers.get(&(asked.digest, &end.country)) else { return };
        self.report.unheard.push(Unheard {
            at: place.clone(),
            answer: log.place(answer.index),
            country: end.country.clone(),
            outcome: end.outcome,
            answered: answer.at,
            released: fact.at,
        });
    }
}

impl fmt::Display for Unheard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, answer, country, outcome, answered, released } = self;
        let when = if self.is_late() {
            "about when the gateway stopped waiting"
        } else {
            "long before the gateway stopped waiting: ask why it did not arrive"
        };
        write!(
            f,
            "{at} says of {country} `{outcome}` ({released}), and {answer} is its answer ({answered}), {when}"
        )
    }
}
