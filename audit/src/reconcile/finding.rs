//! What reconciling finds, in sentences.

use crate::records::Place;
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::fmt;

/// Something that two logs, or two entries of one, contradict each other in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The entry that shows it.
    pub at: Place,
    /// The place that it is shown against.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub other: Option<Place>,
    /// What is wrong.
    #[serde(flatten)]
    pub what: What,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "finding", rename_all = "snake_case")]
pub enum What {
    /// The gateway's log has another entry where it signed that the question is.
    AlteredAtGateway {
        /// The node's entry holds what the gateway signed.
        signed: bool,
    },
    /// The node's log has another entry where it signed that its answer is.
    AlteredAtNode {
        /// The country.
        country: Country,
    },
    /// The time is earlier than that of the entries before.
    BackDated {
        /// The entry's time.
        at: Timestamp,
        /// The time that was reached before.
        after: Timestamp,
    },
    /// The time is earlier than that of an entry which this one names.
    BeforeItsCause {
        /// The entry's time.
        at: Timestamp,
        /// That of the entry it names.
        then: Timestamp,
    },
    /// The time is later than that of the entries after.
    ForwardDated {
        /// The entry's time.
        at: Timestamp,
        /// The time of the entry after.
        before: Timestamp,
    },
    /// The time is later than the instant at which witnesses had cosigned the entry, or than the copy of the log.
    FromTheFuture {
        /// The entry's time.
        at: Timestamp,
        /// When it existed.
        existed: Timestamp,
    },
    /// A node answered a question that it did not admit, or a gateway released one that it did not receive.
    NotBegun,
    /// A node worked on a question without a gateway's word that it arrived.
    NotForwarded,
    /// The gateway's entry does not say that a question arrived.
    NotReceived {
        /// The node's entry holds what the gateway signed.
        signed: bool,
    },
    /// The gateway's log ends before the entry that it signed for.
    OmittedByGateway {
        /// The node's entry holds what the gateway signed.
        signed: bool,
    },
    /// The node's log ends before the entry that it signed for.
    OmittedByNode {
        /// The country.
        country: Country,
    },
    /// The answer of a country is in the log of another.
    OtherCountry {
        /// The country.
        country: Country,
    },
    /// The gateway says that a country did something else than the node's entry says.
    OtherOutcome {
        /// The country.
        country: Country,
        /// What the gateway says.
        outcome: Outcome,
    },
    /// The two entries are about two questions.
    OtherQuestion,
    /// A country is said to have answered, and no entry of its log is named.
    ReleasedWithoutEntry {
        /// The country.
        country: Country,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, other, what } = self;
        let other = other.as_ref().map_or_else(|| "no entry".to_owned(), Place::to_string);
        let evidence = |signed: &bool| {
            if *signed { "; the node's entry holds what the gateway signed" } else { "" }
        };
        match what {
            What::AlteredAtGateway { signed } => write!(
                f,
                "{at} was made for {other}, and the gateway's log has another entry there{}",
                evidence(signed)
            ),
            What::AlteredAtNode { country } => write!(
                f,
                "{at} released an answer of {country} that its node signed as {other}, and the node's log has another entry there"
            ),
            What::BackDated { at: time, after } => write!(
                f,
                "{at} is dated {time}, but the log had reached {after} before it: it is back-dated"
            ),
            What::BeforeItsCause { at: time, then } => write!(
                f,
                "{at} is dated {time} and names {other}, which is dated {then}: it is back-dated, or the other forward-dated"
            ),
            What::ForwardDated { at: time, before } => write!(
                f,
                "{at} is dated {time}, but the log goes on with {before}: it is forward-dated"
            ),
            What::FromTheFuture { at: time, existed } => {
                write!(f, "{at} is dated {time}, but it existed by {existed}: it is forward-dated")
            }
            What::NotBegun => {
                write!(f, "{at} ends a question of which the same log does not say that it began")
            }
            What::NotForwarded => write!(
                f,
                "{at} says that the node worked on a question, and names no entry of a gateway for it"
            ),
            What::NotReceived { signed } => write!(
                f,
                "{at} was made for {other}, which does not say that a question was received{}",
                evidence(signed)
            ),
            What::OmittedByGateway { signed } => write!(
                f,
                "{at} was made for {other}, and the gateway's log ends before it: the question was left out, or the log cut off{}",
                evidence(signed)
            ),
            What::OmittedByNode { country } => write!(
                f,
                "{at} released an answer of {country} that its node signed as {other}, and the node's log ends before it: the answer was left out, or the log cut off"
            ),
            What::OtherCountry { country } => {
                write!(f, "{at} says that {other} is an answer of {country}, whose log that is not")
            }
            What::OtherOutcome { country, outcome } => {
                write!(f, "{at} says of {country} `{outcome}`, and {other} says otherwise")
            }
            What::OtherQuestion => write!(f, "{at} names {other}, which is not about its question"),
            What::ReleasedWithoutEntry { country } => write!(
                f,
                "{at} released an answer of {country} and names no entry of its node's log"
            ),
        }
    }
}
