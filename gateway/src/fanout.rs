//! The same bytes to every country, one deadline for all, one outcome each.
//!
//! Each country is a task of the question: it ends when the question is dropped, and what goes wrong in it, a panic
//! included, is that country's outcome and nobody else's.

use crate::answers::{self, AnswerFault, CheckedAnswer, Expected, Wanted};
use crate::carry::{self, Carried};
use crate::gateway::Gateway;
use crate::memory::{NoMemory, QuestionMemory, Room};
use crate::merge::Part;
use crate::work;
use bytes::Bytes;
use http::HeaderValue;
use mayag_protocol::answer::LogPosition;
use mayag_protocol::envelope::Base64;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, Digest, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::roster::Roster;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};

/// What is sent to every country, and what must come back.
#[derive(Debug, Clone)]
pub(crate) struct Errand {
    /// The question.
    pub(crate) question: QuestionId,
    /// SHA-256 of its payload.
    pub(crate) digest: Digest,
    /// Where it is sent.
    pub(crate) route: &'static str,
    /// The envelope and what travels with it, byte for byte as the desk sent them.
    pub(crate) body: Bytes,
    /// What the gateway signed about it, as a header's value.
    pub(crate) forward: HeaderValue,
    /// What is asked for.
    pub(crate) wanted: Wanted,
    /// When waiting ends.
    pub(crate) deadline: Instant,
}

/// What one country did.
#[derive(Debug)]
pub(crate) struct CountryAnswer {
    pub(crate) country: Country,
    pub(crate) outcome: Outcome,
    /// From the beginning of the fan-out.
    pub(crate) took: Duration,
    pub(crate) refusal: Option<Refusal>,
    /// SHA-256 of the payload the node signed, if one verified.
    pub(crate) digest: Option<Digest>,
    /// Where the node's log holds its answer, as it signed.
    pub(crate) log: Option<LogPosition>,
    /// The node's signature that its log holds the answer there.
    pub(crate) logged: Option<Base64>,
    /// The bytes the node sent, if they verified.
    pub(crate) bundle: Option<Bytes>,
    /// The cells, one part per release, if the country answered with cells.
    pub(crate) parts: Vec<Part>,
    /// What the answer takes of the question's memory.
    pub(crate) room: Option<Room>,
}

/// The countries that are being asked. Dropping it drops every connection it uses.
#[derive(Debug)]
pub(crate) struct Asked {
    tasks: JoinSet<CountryAnswer>,
    countries: HashMap<Id, Country>,
    began: Instant,
}

/// Starts asking every country of `countries`.
pub(crate) fn ask(
    gateway: &Arc<Gateway>,
    roster: &Roster,
    countries: &[Country],
    errand: &Errand,
    memory: &QuestionMemory,
) -> Asked {
    let began = Instant::now();
    let slots = Arc::new(Semaphore::new(gateway.config().limits.countries));
    let mut asked = Asked { tasks: JoinSet::new(), countries: HashMap::new(), began };
    for country in countries {
        let one = OneCountry {
            gateway: Arc::clone(gateway),
            answer_key: roster.node(country).map(|node| node.answer_key.clone()),
            country: country.clone(),
            errand: errand.clone(),
            slots: Arc::clone(&slots),
            room: memory.room(),
        };
        let task = asked.tasks.spawn(one.ask(began));
        asked.countries.insert(task.id(), country.clone());
    }
    asked
}

impl Asked {
    /// How many countries are not done yet.
    pub(crate) fn len(&self) -> usize {
        self.tasks.len()
    }

    /// The next country that is done; `None` once all are.
    pub(crate) async fn next(&mut self) -> Option<CountryAnswer> {
        match self.tasks.join_next_with_id().await? {
            Ok((_, answer)) => Some(answer),
            Err(broken) => {
                tracing::error!("asking a country broke");
                let country = self.countries.get(&broken.id())?.clone();
                Some(CountryAnswer::without_answer(country, Outcome::Failed, self.began.elapsed()))
            }
        }
    }
}

impl CountryAnswer {
    fn without_answer(country: Country, outcome: Outcome, took: Duration) -> Self {
        Self {
            country,
            outcome,
            took,
            refusal: None,
            digest: None,
            log: None,
            logged: None,
            bundle: None,
            parts: Vec::new(),
            room: None,
        }
    }
}

struct OneCountry {
    gateway: Arc<Gateway>,
    answer_key: Option<mayag_protocol::names::PublicKey>,
    country: Country,
    errand: Errand,
    slots: Arc<Semaphore>,
    room: Result<Room, NoMemory>,
}

impl OneCountry {
    async fn ask(mut self, began: Instant) -> CountryAnswer {
        let deadline = self.errand.deadline;
        let Ok(mut room) = std::mem::replace(&mut self.room, Err(NoMemory)) else {
            return CountryAnswer::without_answer(self.country, Outcome::NotAsked, began.elapsed());
        };
        let Ok(Ok(_slot)) = timeout_at(deadline, self.slots.acquire()).await else {
            return CountryAnswer::without_answer(self.country, Outcome::NotAsked, began.elapsed());
        };
        let carried = timeout_at(
            deadline,
            carry::carry(&self.gateway, &self.country, &self.errand, &mut room),
        );
        let bytes = match carried.await {
            Ok(Carried::Answer(bytes)) => bytes,
            Ok(Carried::Nothing(outcome)) => {
                return CountryAnswer::without_answer(self.country, outcome, began.elapsed());
            }
            Err(_elapsed) => {
                return CountryAnswer::without_answer(
                    self.country,
                    Outcome::TimedOut,
                    began.elapsed(),
                );
            }
        };
        let Ok(checked) = timeout_at(deadline, self.check(bytes.clone())).await else {
            return CountryAnswer::without_answer(self.country, Outcome::TimedOut, began.elapsed());
        };
        match checked {
            Ok(answer) => CountryAnswer {
                outcome: answer.outcome(),
                took: began.elapsed(),
                refusal: answer.refusal().cloned(),
                digest: Some(answer.digest().clone()),
                log: Some(answer.log().clone()),
                logged: Some(answer.logged().clone()),
                bundle: Some(bytes),
                parts: answer.into_parts(),
                room: Some(room),
                country: self.country,
            },
            Err(fault) => {
                tracing::warn!(question = %self.errand.question, country = %self.country, %fault, "answer not accepted");
                CountryAnswer::without_answer(self.country, fault.outcome(), began.elapsed())
            }
        }
    }

    async fn check(&self, bytes: Bytes) -> Result<CheckedAnswer, AnswerFault> {
        let expected = Expected {
            country: self.country.clone(),
            node: Identity::node(&self.gateway.config().federation, &self.country),
            answer_key: self.answer_key.clone().ok_or(AnswerFault::Signature)?,
            question: self.errand.question.clone(),
            digest: self.errand.digest.clone(),
            wanted: self.errand.wanted.clone(),
        };
        work::blocking(move || answers::check(&bytes, &expected))
            .await
            .unwrap_or(Err(AnswerFault::Garbage))
    }
}
