//! Believes the gateway nothing: every event is checked against what the countries and the gateway signed.
//!
//! The checks take events one by one, as they arrive, and no connection: a recorded stream is checked like a live one.

use crate::fault::{Fault, VerificationFailed};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::party::{self, Book};
use mayag_protocol::answer::{
    self, Answer, Bundle, CountryOutcome, Decision, GatewayRefusal, LogPosition, NoResult, Release,
    logged_text,
};
use mayag_protocol::envelope::{Envelope, PayloadType, Verified, Verify as _};
use mayag_protocol::event::Event;
use mayag_protocol::lookup::{EvaluatedTable, Search, Target};
use mayag_protocol::names::{Country, Digest};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// A question as it was signed, and the roster that says whose keys count.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) question: &'a Question,
    /// SHA-256 of the payload that was signed.
    pub(crate) digest: &'a Digest,
    pub(crate) roster: &'a Roster,
}

/// One country's part of an answer, after every check of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CountryAnswer {
    pub(crate) country: Country,
    pub(crate) outcome: Outcome,
    pub(crate) ms: u64,
    /// What the node signed; absent where nothing came back.
    pub(crate) answer: Option<Answer>,
    /// The Arrow streams whose digests it signed.
    pub(crate) parts: Vec<Vec<u8>>,
    /// The envelope it was signed in.
    pub(crate) envelope: Option<Envelope>,
    digest: Option<Digest>,
}

/// What one event told.
#[derive(Debug)]
pub(crate) enum Step<'a> {
    Accepted {
        deadline: Timestamp,
    },
    /// Something is there that is handed out later, and believed when it was checked.
    Arrived(Country),
    Complete,
    Country(&'a CountryAnswer),
    Refused,
}

/// A whole stream, after every check that needs no arithmetic on cells.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Checked {
    /// Each country that was asked, sorted, and the gateway's table.
    Complete {
        countries: Vec<CountryAnswer>,
        result: Option<Vec<u8>>,
        /// Why there is no table although countries answered with cells.
        no_result: Option<NoResult>,
        /// The gateway's signed summary of all of it.
        release: Envelope,
    },
    /// The gateway refused; nobody was asked.
    Refused(Refusal),
}

#[derive(Debug, PartialEq, Eq)]
enum Stage {
    Begin,
    Waiting,
    Complete { result: Option<Vec<u8>>, no_result: Option<NoResult>, release: Envelope },
    Refused(Refusal),
}

/// Checks the events of one question.
#[derive(Debug)]
pub(crate) struct Verifier<'a> {
    asked: Asked<'a>,
    stage: Stage,
    next: u64,
    /// What is there and was not handed out yet.
    arrived: BTreeSet<Country>,
    countries: BTreeMap<Country, CountryAnswer>,
}

impl<'a> Verifier<'a> {
    pub(crate) fn new(asked: Asked<'a>) -> Self {
        Self {
            asked,
            stage: Stage::Begin,
            next: 0,
            arrived: BTreeSet::new(),
            countries: BTreeMap::new(),
        }
    }

    /// Checks the next event.
    pub(crate) fn accept(&mut self, event: Event) -> Result<Step<'_>, VerificationFailed> {
        let seq = match &event {
            Event::Accepted { seq, .. }
            | Event::Arrived { seq, .. }
            | Event::Complete { seq, .. }
            | Event::Country { seq, .. }
            | Event::Refused { seq, .. } => *seq,
        };
        if seq != self.next {
            return Err(VerificationFailed::gateway(Fault::Events));
        }
        self.next += 1;
        match (&self.stage, event) {
            (Stage::Begin, Event::Accepted { question, deadline, countries, .. }) => {
                if question != self.asked.question.id {
                    return Err(VerificationFailed::gateway(Fault::Question));
                }
                if countries != self.asked.question.countries {
                    return Err(VerificationFailed::gateway(Fault::Unasked));
                }
                self.stage = Stage::Waiting;
                Ok(Step::Accepted { deadline })
            }
            (Stage::Begin, Event::Refused { refusal, signed, .. }) => {
                self.refusal(&signed.0, &refusal)?;
                self.stage = Stage::Refused(refusal);
                Ok(Step::Refused)
            }
            (Stage::Waiting, Event::Arrived { country, .. }) => {
                self.unheard(&country)?;
                self.arrived.insert(country.clone());
                Ok(Step::Arrived(country))
            }
            (Stage::Waiting, Event::Country { country, outcome, ms, refusal, bundle, .. }) => {
                let told =
                    Told { country, outcome, ms, refusal, bundle: bundle.map(|bytes| bytes.0) };
                self.country(told).map(Step::Country)
            }
            (
                Stage::Waiting,
                Event::Complete { complete, answered, asked, result, no_result, release, .. },
            ) => {
                let result = result.map(|bytes| bytes.0);
                self.counts(&Counts { complete, answered, asked, no_result })?;
                self.result(result.as_deref(), no_result)?;
                let release = self.summary(&release.0, result.as_deref(), no_result)?;
                self.stage = Stage::Complete { result, no_result, release };
                Ok(Step::Complete)
            }
            (Stage::Begin | Stage::Waiting | Stage::Complete { .. } | Stage::Refused(_), _) => {
                Err(VerificationFailed::gateway(Fault::Events))
            }
        }
    }

    /// The stream has ended.
    pub(crate) fn finish(self) -> Result<Checked, VerificationFailed> {
        match self.stage {
            Stage::Begin | Stage::Waiting => Err(VerificationFailed::gateway(Fault::EndedEarly)),
            Stage::Refused(refusal) => Ok(Checked::Refused(refusal)),
            Stage::Complete { result, no_result, release } => {
                let countries = self.countries.into_values().collect();
                Ok(Checked::Complete { countries, result, no_result, release })
            }
        }
    }

    /// It was asked, and nothing was told of it.
    fn unheard(&self, country: &Country) -> Result<(), VerificationFailed> {
        if !self.asked.question.countries.contains(country) {
            return Err(VerificationFailed::of(country, Fault::Unasked));
        }
        if self.countries.contains_key(country) || self.arrived.contains(country) {
            return Err(VerificationFailed::of(country, Fault::Events));
        }
        Ok(())
    }

    fn country(&mut self, told: Told) -> Result<&CountryAnswer, VerificationFailed> {
        if told.bundle.is_some() {
            // A gateway hands nothing out before its log says what all countries did.
            let done = self.arrived.len().saturating_add(self.countries.len());
            let all = done == self.asked.question.countries.len();
            if !all || !self.arrived.remove(&told.country) {
                return Err(VerificationFailed::of(&told.country, Fault::Events));
            }
        } else {
            self.unheard(&told.country)?;
        }
        let answer = self.asked.country(told)?;
        Ok(self.countries.entry(answer.country.clone()).or_insert(answer))
    }

    fn counts(&self, told: &Counts) -> Result<(), VerificationFailed> {
        let all = &self.asked.question.countries;
        if self.countries.len() != all.len() {
            return Err(VerificationFailed::gateway(Fault::EndedEarly));
        }
        let count = self.countries.values().filter(|country| country.outcome.answered()).count();
        let same =
            u64::try_from(count) == Ok(told.answered) && u64::try_from(all.len()) == Ok(told.asked);
        let complete = count == all.len() && told.no_result.is_none();
        if same && told.complete == complete {
            Ok(())
        } else {
            Err(VerificationFailed::gateway(Fault::Summary))
        }
    }

    /// Cells come with a table or with the reason why there is none; where no cells came there is neither.
    fn result(
        &self,
        result: Option<&[u8]>,
        no_result: Option<NoResult>,
    ) -> Result<(), VerificationFailed> {
        let cells = match self.asked.question.ask {
            Ask::Sql { .. } => self.countries.values().any(|country| country.outcome.answered()),
            Ask::Datasets {}
            | Ask::Declared { .. }
            | Ask::Lookup { .. }
            | Ask::Preview { .. }
            | Ask::Tables {} => false,
        };
        let said = match (result, no_result) {
            (Some(_), Some(_)) => false,
            (Some(_), None) | (None, Some(_)) => cells,
            (None, None) => !cells,
        };
        if said { Ok(()) } else { Err(VerificationFailed::gateway(Fault::Result)) }
    }

    /// The gateway signed this refusal of this question.
    fn refusal(&self, envelope: &[u8], told: &Refusal) -> Result<(), VerificationFailed> {
        let failed = VerificationFailed::gateway;
        let Asked { question, digest, roster } = self.asked;
        let member = roster.gateway(&question.gateway).ok_or_else(|| failed(Fault::Signature))?;
        let (_, signed) = open(envelope, PayloadType::Refusal, &member.answer_key)
            .ok_or_else(|| failed(Fault::Signature))?;
        let signed: GatewayRefusal = signed.parse().map_err(|_| failed(Fault::Refusal))?;
        if signed.v != 1 {
            return Err(failed(Fault::Version));
        }
        // A gateway that could not verify the question has no id to name; it refuses by the digest alone.
        let named = signed.question.as_ref().is_none_or(|id| *id == question.id);
        if !named || signed.question_digest != *digest || signed.gateway != question.gateway {
            return Err(failed(Fault::Question));
        }
        let own = |log: &LogPosition| party::owns(&member.identity, Book::Questions, &log.origin);
        if !signed.log.as_ref().is_none_or(own) {
            return Err(failed(Fault::Log));
        }
        if signed.refusal == *told { Ok(()) } else { Err(failed(Fault::Refusal)) }
    }

    /// The gateway signed exactly what arrived.
    fn summary(
        &self,
        envelope: &[u8],
        result: Option<&[u8]>,
        no_result: Option<NoResult>,
    ) -> Result<Envelope, VerificationFailed> {
        let failed = VerificationFailed::gateway;
        let Asked { question, digest, roster } = self.asked;
        let member = roster.gateway(&question.gateway).ok_or_else(|| failed(Fault::Signature))?;
        let (envelope, signed) = open(envelope, PayloadType::Release, &member.answer_key)
            .ok_or_else(|| failed(Fault::Signature))?;
        let release: Release = signed.parse().map_err(|_| failed(Fault::Summary))?;
        if release.v != 1 {
            return Err(failed(Fault::Version));
        }
        if release.question != question.id
            || release.question_digest != *digest
            || release.gateway != question.gateway
        {
            return Err(failed(Fault::Question));
        }
        if !party::owns(&member.identity, Book::Questions, &release.log.origin) {
            return Err(failed(Fault::Log));
        }
        if release.countries.len() != self.countries.len() {
            return Err(failed(Fault::Summary));
        }
        for (told, country) in release.countries.iter().zip(self.countries.values()) {
            let CountryOutcome { country: name, outcome, answer_digest } = told;
            if *name != country.country {
                return Err(failed(Fault::Summary));
            }
            if *outcome != country.outcome {
                return Err(VerificationFailed::of(name, Fault::Outcome));
            }
            if *answer_digest != country.digest {
                return Err(VerificationFailed::of(name, Fault::AnswerDigest));
            }
        }
        if release.no_result != no_result {
            return Err(failed(Fault::Summary));
        }
        if release.result == result.map(sha256) {
            Ok(envelope)
        } else {
            Err(failed(Fault::ResultDigest))
        }
    }
}

/// What the gateway tells of all countries together.
struct Counts {
    complete: bool,
    answered: u64,
    asked: u64,
    no_result: Option<NoResult>,
}

/// What the gateway tells of one country.
struct Told {
    country: Country,
    outcome: Outcome,
    ms: u64,
    refusal: Option<Refusal>,
    bundle: Option<Vec<u8>>,
}

impl Asked<'_> {
    fn country(&self, told: Told) -> Result<CountryAnswer, VerificationFailed> {
        let Told { country, outcome, ms, refusal, bundle } = told;
        let failed = |what| VerificationFailed::of(&country, what);
        let Some(bundle) = bundle else {
            // Only what nobody can sign for may come without a signature: that a country could not be heard.
            return match outcome {
                Outcome::Failed
                | Outcome::Incompatible
                | Outcome::NotAsked
                | Outcome::TimedOut
                | Outcome::Unreachable
                    if refusal.is_none() =>
                {
                    Ok(CountryAnswer {
                        country,
                        outcome,
                        ms,
                        answer: None,
                        parts: Vec::new(),
                        envelope: None,
                        digest: None,
                    })
                }
                Outcome::Answered
                | Outcome::AnsweredSuppressed
                | Outcome::BudgetExhausted
                | Outcome::Failed
                | Outcome::Incompatible
                | Outcome::NotAsked
                | Outcome::Refused
                | Outcome::TimedOut
                | Outcome::Unreachable
                | Outcome::Withdrawn => Err(failed(Fault::Unsigned)),
            };
        };
        let bundle = Bundle::parse(&bundle).map_err(|_| failed(Fault::Bundle))?;
        let member = self.roster.node(&country).ok_or_else(|| failed(Fault::Signature))?;
        let (envelope, signed) = open(&bundle.envelope, PayloadType::Answer, &member.answer_key)
            .ok_or_else(|| failed(Fault::Signature))?;
        let answer: Answer = signed.parse().map_err(|_| failed(Fault::Bundle))?;
        self.answer(&answer, member, &country, &bundle.parts)?;
        if answer.outcome() != outcome {
            return Err(failed(Fault::Outcome));
        }
        let signed_refusal = match &answer.decision {
            Decision::Refused { refusal } => Some(refusal),
            Decision::Answered { .. }
            | Decision::Declared { .. }
            | Decision::Evaluated { .. }
            | Decision::Failed { .. }
            | Decision::Previewed { .. }
            | Decision::Shared { .. }
            | Decision::Tables { .. } => None,
        };
        if signed_refusal != refusal.as_ref() {
            return Err(failed(Fault::Refusal));
        }
        let digest = Some(sha256(signed.payload()));
        Ok(CountryAnswer {
            country,
            outcome,
            ms,
            answer: Some(answer),
            parts: bundle.parts,
            envelope: Some(envelope),
            digest,
        })
    }

    /// A signed answer is this country's, to this question, of the kind asked, and the parts are those it names.
    fn answer(
        &self,
        answer: &Answer,
        member: &Member,
        country: &Country,
        parts: &[Vec<u8>],
    ) -> Result<(), VerificationFailed> {
        let failed = |what| VerificationFailed::of(country, what);
        if answer.v != 1 {
            return Err(failed(Fault::Version));
        }
        if answer.country != *country {
            return Err(failed(Fault::Country));
        }
        // A node that could not verify the question has no id to name; it refuses by the digest alone.
        let nameless =
            answer.question.is_none() && matches!(answer.decision, Decision::Refused { .. });
        let named = answer.question.as_ref() == Some(&self.question.id);
        if !(named || nameless) || answer.question_digest != *self.digest {
            return Err(failed(Fault::Question));
        }
        let own = party::owns(&member.identity, Book::Questions, &answer.log.origin);
        let text = logged_text(&answer.question_digest, &answer.log);
        if !own || !Ed25519.verify(&member.answer_key, &text, &answer.logged.0) {
            return Err(failed(Fault::Log));
        }
        let digests: Vec<&Digest> = match (&answer.decision, &self.question.ask) {
            (Decision::Answered { releases }, Ask::Sql { .. }) if answer.policy.is_some() => {
                releases.iter().map(|release| &release.digest).collect()
            }
            (Decision::Declared { table, answer: sealed, .. }, Ask::Declared { search })
                if answer.policy.is_some() && search.table_of(country) == Some(table) =>
            {
                vec![sealed]
            }
            (Decision::Evaluated { tables }, Ask::Lookup { search })
                if answer.policy.is_some() && evaluated(tables, search, country) =>
            {
                tables.iter().map(|table| &table.evaluated).collect()
            }
            (Decision::Tables { directory }, Ask::Tables {}) if answer.policy.is_some() => {
                vec![directory]
            }
            (Decision::Shared { .. }, Ask::Datasets {})
            | (Decision::Previewed { .. }, Ask::Preview { .. })
                if answer.policy.is_some() =>
            {
                Vec::new()
            }
            (Decision::Failed { .. } | Decision::Refused { .. }, _) => Vec::new(),
            (
                Decision::Answered { .. }
                | Decision::Declared { .. }
                | Decision::Evaluated { .. }
                | Decision::Previewed { .. }
                | Decision::Shared { .. }
                | Decision::Tables { .. },
                Ask::Datasets {}
                | Ask::Declared { .. }
                | Ask::Lookup { .. }
                | Ask::Preview { .. }
                | Ask::Sql { .. }
                | Ask::Tables {},
            ) => {
                return Err(failed(Fault::Decision));
            }
        };
        if digests.len() != parts.len() {
            return Err(failed(Fault::PartDigest));
        }
        let same = digests.into_iter().zip(parts).all(|(digest, part)| *digest == sha256(part));
        if same { Ok(()) } else { Err(failed(Fault::PartDigest)) }
    }
}

/// The tables of this country that were asked, in their order and epochs.
fn evaluated(tables: &[EvaluatedTable], search: &Search, country: &Country) -> bool {
    let of = |target: &Target| (target.table.clone(), target.epoch);
    let tables = tables.iter().map(|table| (table.table.clone(), table.epoch));
    tables.eq(search.targets_of(country).map(of))
}

fn open(
    envelope: &[u8],
    kind: PayloadType,
    key: &mayag_protocol::names::PublicKey,
) -> Option<(Envelope, Verified)> {
    let envelope = Envelope::parse(envelope, answer::LONGEST_ENVELOPE).ok()?;
    let verified = envelope.open(kind, std::slice::from_ref(key), 1, &Ed25519).ok()?;
    Some((envelope, verified))
}

/// Checks a recorded stream.
#[cfg(test)]
pub(crate) fn check(asked: Asked<'_>, events: Vec<Event>) -> Result<Checked, VerificationFailed> {
    let mut verifier = Verifier::new(asked);
    for event in events {
        verifier.accept(event)?;
    }
    verifier.finish()
}

#[cfg(test)]
mod tests;
