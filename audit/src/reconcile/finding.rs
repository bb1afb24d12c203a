//! What reconciling finds, in sentences.

use super::signed::{Evidence, Forged};
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
        /// What the node's entry holds of the gateway.
        signed: Evidence,
    },
    /// The node's log has another entry where it signed that its answer is.
    AlteredAtNode {
        /// The country.
        country: Country,
        /// What the gateway's entry holds of the node.
        signed: Evidence,
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
    /// The log ends before a checkpoint of it that another party cosigned.
    CutOff {
        /// The entries that it had then.
        size: u64,
    },
    /// What another party is said to have signed is no evidence.
    Forged {
        /// Why.
        fault: Forged,
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
        /// What the node's entry holds of the gateway.
        signed: Evidence,
    },
    /// The time is long before a checkpoint that another party cosigned and that this entry is not under.
    NotYetThere {
        /// The entry's time.
        at: Timestamp,
        /// When the checkpoint was cosigned.
        cosigned: Timestamp,
    },
    /// The gateway's log ends before the entry that it signed for.
    OmittedByGateway {
        /// What the node's entry holds of the gateway.
        signed: Evidence,
    },
    /// The node's log ends before the entry that it signed for.
    OmittedByNode {
        /// The country.
        country: Country,
        /// What the gateway's entry holds of the node.
        signed: Evidence,
    },
    /// The answer of a country is in the log of another.
    OtherCountry {
        /// The country.
        country: Country,
    },
    /// The log is not the one that another party cosigned: it has two histories.
    OtherHistory {
        /// The entries of the checkpoint.
        size: u64,
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
    /// The time is later than a checkpoint that another party cosigned and that this entry is under.
    SeenBefore {
        /// The entry's time.
        at: Timestamp,
        /// When the checkpoint was cosigned.
        existed: Timestamp,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { at, other, what } = self;
        let other = other.as_ref().map_or_else(|| "no entry".to_owned(), Place::to_string);
        let said = match what {
            What::AlteredAtGateway { signed } => format!(
                "{at} was made for {other}, and the gateway's log has another entry there{}",
                signed.words()
            ),
            What::AlteredAtNode { country, signed } => format!(
                "{at} released an answer of {country} that its node signed as {other}, and the node's log has another entry there{}",
                signed.words()
            ),
            What::BackDated { at: time, after } => format!(
                "{at} is dated {time}, but the log had reached {after} before it: it is back-dated"
            ),
            What::BeforeItsCause { at: time, then } => format!(
                "{at} is dated {time} and names {other}, which is dated {then}: it is back-dated, or the other forward-dated"
            ),
            What::CutOff { size } => format!(
                "{at} mentions a checkpoint of {size} entries up to {other}, and that log ends before: it was cut off or put back"
            ),
            What::Forged { fault } => format!(
                "{at} holds what is said to be signed about {other}, and is not evidence: {}",
                fault.as_str()
            ),
            What::ForwardDated { at: time, before } => format!(
                "{at} is dated {time}, but the log goes on with {before}: it is forward-dated"
            ),
            What::FromTheFuture { at: time, existed } => {
                format!("{at} is dated {time}, but it existed by {existed}: it is forward-dated")
            }
            What::NotBegun => {
                format!("{at} ends a question of which the same log does not say that it began")
            }
            What::NotForwarded => format!(
                "{at} says that the node worked on a question, and names no entry of a gateway for it"
            ),
            What::NotYetThere { at: time, cosigned } => format!(
                "{at} is dated {time}, and {other} mentions a checkpoint without it that was cosigned at {cosigned}: it is back-dated, or was kept from its witnesses"
            ),
            What::NotReceived { signed } => format!(
                "{at} was made for {other}, which does not say that a question was received{}",
                signed.words()
            ),
            What::OmittedByGateway { signed } => format!(
                "{at} was made for {other}, and the gateway's log ends before it: the question was left out, or the log cut off{}",
                signed.words()
            ),
            What::OmittedByNode { country, signed } => format!(
                "{at} released an answer of {country} that its node signed as {other}, and the node's log ends before it: the answer was left out, or the log cut off{}",
                signed.words()
            ),
            What::OtherCountry { country } => {
                format!("{at} says that {other} is an answer of {country}, whose log that is not")
            }
            What::OtherHistory { size } => format!(
                "{at} mentions a checkpoint of {size} entries up to {other}, and those entries have another root: the log has two histories"
            ),
            What::OtherOutcome { country, outcome } => {
                format!("{at} says of {country} `{outcome}`, and {other} says otherwise")
            }
            What::OtherQuestion => format!("{at} names {other}, which is not about its question"),
            What::ReleasedWithoutEntry { country } => {
                format!("{at} released an answer of {country} and names no entry of its node's log")
            }
            What::SeenBefore { at: time, existed } => format!(
                "{at} is dated {time}, and {other} mentions a checkpoint with it that was cosigned at {existed}: it is forward-dated"
            ),
        };
        f.write_str(&said)
    }
}
