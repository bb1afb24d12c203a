//! What the gateway tells while it works: one JSON object per line (NDJSON), numbered from 0.
//!
//! The first event is `accepted` or `refused`. Then comes one event per country asked, in the order they finish: `arrived`
//! where it sent what it signed, `country` where there is nothing to hand out. What arrived is handed out, in a `country`
//! each, once all are done and the gateway's log durably says so; then comes `complete`. A stream that ends without
//! `complete` was cut off: nothing in it may be taken for the answer.

use crate::answer::NoResult;
use crate::envelope::Base64;
use crate::names::{Country, QuestionId};
use crate::outcome::Outcome;
use crate::refusal::Refusal;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "type")]
pub enum Event {
    /// The question was accepted and sent on.
    Accepted {
        /// Number of the event.
        seq: u64,
        /// The question.
        question: QuestionId,
        /// When waiting ends.
        deadline: Timestamp,
        /// The countries asked.
        countries: Vec<Country>,
    },
    /// What a country signed is there. It follows with the country's own event.
    Arrived {
        /// Number of the event.
        seq: u64,
        /// The country.
        country: Country,
        /// Milliseconds from acceptance.
        ms: u64,
    },
    /// All countries are done or out of time.
    Complete {
        /// Number of the event.
        seq: u64,
        /// Whether every country asked has answered, and where cells were asked for, there is a result.
        complete: bool,
        /// Countries that answered.
        answered: u64,
        /// Countries asked.
        asked: u64,
        /// The result as an Arrow IPC stream; absent where no country answered, where none could be made,
        /// and where no cells were asked for.
        result: Option<Base64>,
        /// Why there is no result although countries answered with cells.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        no_result: Option<NoResult>,
        /// The gateway's DSSE envelope of a [`crate::answer::Release`].
        release: Base64,
    },
    /// What one country did.
    Country {
        /// Number of the event.
        seq: u64,
        /// The country.
        country: Country,
        /// What it did.
        outcome: Outcome,
        /// Milliseconds from acceptance.
        ms: u64,
        /// Why, if it refused.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<Refusal>,
        /// Its signed [`crate::answer::Bundle`], if one came that verified.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        bundle: Option<Base64>,
    },
    /// The gateway itself refused; nobody was asked.
    Refused {
        /// Number of the event.
        seq: u64,
        /// Why.
        refusal: Refusal,
        /// The gateway's DSSE envelope of a [`crate::answer::GatewayRefusal`].
        signed: Base64,
    },
}

impl Event {
    /// The event as one line, with its line break.
    pub fn to_line(&self) -> Vec<u8> {
        // Enums of plain fields always serialise; an empty line would be refused by every reader.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.push(b'\n');
        line
    }
}

#[cfg(test)]
mod tests {
    use super::Event;
    use crate::outcome::Outcome;

    #[test]
    fn a_line_is_stable() {
        let event = Event::Country {
            seq: 1,
            country: "kr".parse().unwrap(),
            outcome: Outcome::TimedOut,
            ms: 10,
            refusal: None,
            bundle: None,
        };
        let line = String::from_utf8(event.to_line()).unwrap();
        assert_eq!(
            line,
            "{\"type\":\"country\",\"seq\":1,\"country\":\"kr\",\"outcome\":\"timed_out\",\"ms\":10}\n"
        );
        assert_eq!(serde_json::from_str::<Event>(&line).unwrap(), event);
    }
}
