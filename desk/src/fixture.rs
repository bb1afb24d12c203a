//! A federation of two countries with real keys, and the recorded stream of one question to it.

use crate::verify::Asked;
use mayag_audit::keys::{SigningKey, sha256};
use mayag_protocol::answer::{
    Answer, Bundle, CountryOutcome, Decision, GatewayRefusal, Listed, LogPosition, NoResult,
    PolicyVersion, Release, ReleasePart, logged_text,
};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::event::Event;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, Digest};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Timestamp;
use std::time::Duration;

/// The keys of a federation, its roster and one question to it.
pub(crate) struct Federation {
    pub(crate) gateway: SigningKey,
    pub(crate) nodes: Vec<(Country, SigningKey)>,
    pub(crate) roster: Roster,
    pub(crate) question: Question,
    pub(crate) digest: Digest,
}

/// What one country did, before it is put into events. Tests change single fields of it.
#[derive(Clone)]
pub(crate) struct Sent {
    pub(crate) country: Country,
    pub(crate) answer: Option<Answer>,
    pub(crate) parts: Vec<Vec<u8>>,
    pub(crate) outcome: Outcome,
    pub(crate) refusal: Option<Refusal>,
    /// Whose key signs it.
    pub(crate) signer: Country,
}

pub(crate) fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

pub(crate) fn country(code: &str) -> Country {
    code.parse().unwrap()
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

/// A place in the log of questions of `party`.
fn log(party: &str) -> LogPosition {
    let origin = format!("{party}.demo/query-log/2027").parse().unwrap();
    LogPosition { origin, index: 7, leaf: sha256(b"entry") }
}

fn member(identity: &str, key: &SigningKey) -> Member {
    let identity: Identity = identity.parse().unwrap();
    let key = key.public();
    let [answer_key, log_key, cosign_key] = [key.clone(), key.clone(), key.clone()];
    Member {
        identity,
        answer_key,
        log_key,
        cosign_key,
        auditor_keys: Vec::new(),
        sealing_key: None,
    }
}

impl Federation {
    pub(crate) fn asked(ask: Ask) -> Self {
        let gateway = key();
        let nodes: Vec<_> = ["kr", "us"].map(|code| (country(code), key())).into();
        let member_of = |(country, key): &(Country, SigningKey)| {
            member(&format!("spiffe://demo/country/{country}/node"), key)
        };
        let roster = Roster {
            v: 1,
            federation: "demo".parse().unwrap(),
            version: 1,
            issued_at: now(),
            expires_at: now().plus(Duration::from_hours(1)),
            issuers: Vec::new(),
            gateways: vec![member("spiffe://demo/gateway/1", &gateway)],
            nodes: nodes.iter().map(member_of).collect(),
            people: Vec::new(),
        };
        let question = Question {
            v: 1,
            id: "00112233445566778899aabbccddeeff".parse().unwrap(),
            analyst: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
            gateway: "spiffe://demo/gateway/1".parse().unwrap(),
            countries: vec![country("kr"), country("us")],
            issued_at: now(),
            expires_at: now().plus(Duration::from_mins(1)),
            nonce: "00112233445566778899aabbccddeeff".parse().unwrap(),
            ask,
            purpose: Purpose::Trend,
            case: None,
            legal_basis: None,
        };
        let digest = sha256(&serde_json::to_vec(&question).unwrap());
        Self { gateway, nodes, roster, question, digest }
    }

    pub(crate) fn asks(&self) -> Asked<'_> {
        Asked { question: &self.question, digest: &self.digest, roster: &self.roster }
    }

    pub(crate) fn answer(&self, code: &str, decision: Decision) -> Answer {
        let log = log(&format!("node-{code}"));
        let (_, key) = self.nodes.iter().find(|(country, _)| country.as_str() == code).unwrap();
        let logged = key.sign(&logged_text(&self.digest, &log)).to_vec();
        Answer {
            v: 1,
            question: Some(self.question.id.clone()),
            question_digest: self.digest.clone(),
            country: country(code),
            issued_at: now(),
            policy: Some(PolicyVersion { serial: 3, digest: sha256(b"policy") }),
            decision,
            log,
            logged: Base64(logged),
        }
    }

    /// A country's answer with cells, `rows` of them in each part.
    pub(crate) fn cells(&self, code: &str, parts: Vec<(Vec<u8>, u64)>) -> Sent {
        let releases = parts.iter().map(|(bytes, cells)| ReleasePart {
            digest: sha256(bytes),
            cells: *cells,
            listed: Listed::All,
            suppressed: false,
            grant: "trends".to_owned(),
            protections: "min_units 10".to_owned(),
        });
        let decision = Decision::Answered { releases: releases.collect() };
        let parts = parts.into_iter().map(|(bytes, _)| bytes).collect();
        self.decided(code, decision, parts)
    }

    /// A country's decision.
    pub(crate) fn decided(&self, code: &str, decision: Decision, parts: Vec<Vec<u8>>) -> Sent {
        let refusal = match &decision {
            Decision::Refused { refusal } => Some(refusal.clone()),
            Decision::Answered { .. }
            | Decision::Declared { .. }
            | Decision::Evaluated { .. }
            | Decision::Failed { .. }
            | Decision::Previewed { .. }
            | Decision::Shared { .. }
            | Decision::Tables { .. } => None,
        };
        let answer = self.answer(code, decision);
        let outcome = answer.outcome();
        Sent {
            country: country(code),
            answer: Some(answer),
            parts,
            outcome,
            refusal,
            signer: country(code),
        }
    }

    /// A country that was not heard.
    pub(crate) fn silent(code: &str, outcome: Outcome) -> Sent {
        let country = country(code);
        Sent {
            signer: country.clone(),
            country,
            answer: None,
            parts: Vec::new(),
            outcome,
            refusal: None,
        }
    }

    /// What a node signed, and its digest.
    pub(crate) fn envelope(&self, sent: &Sent) -> Option<(Vec<u8>, Digest)> {
        let payload = serde_json::to_vec(sent.answer.as_ref()?).unwrap();
        let digest = sha256(&payload);
        let (_, key) = self.nodes.iter().find(|(country, _)| *country == sent.signer).unwrap();
        Some((Envelope::seal(PayloadType::Answer, payload, key).to_bytes(), digest))
    }

    /// One country's event.
    pub(crate) fn event(&self, seq: u64, sent: &Sent) -> Event {
        let bundle =
            self.envelope(sent).map(|(envelope, _)| Bundle { envelope, parts: sent.parts.clone() });
        Event::Country {
            seq,
            country: sent.country.clone(),
            outcome: sent.outcome,
            ms: 5,
            refusal: sent.refusal.clone(),
            bundle: bundle.map(|bundle| Base64(bundle.to_bytes().unwrap())),
        }
    }

    /// What the gateway signs about these countries and this result.
    pub(crate) fn release(&self, sent: &[Sent], result: Option<&[u8]>) -> Release {
        let mut countries: Vec<CountryOutcome> = sent
            .iter()
            .map(|sent| CountryOutcome {
                country: sent.country.clone(),
                outcome: sent.outcome,
                answer_digest: self.envelope(sent).map(|(_, digest)| digest),
            })
            .collect();
        countries.sort_by(|a, b| a.country.cmp(&b.country));
        Release {
            v: 1,
            question: self.question.id.clone(),
            question_digest: self.digest.clone(),
            gateway: self.question.gateway.clone(),
            issued_at: now(),
            countries,
            result: result.map(sha256),
            no_result: no_result(sent, &self.question.ask, result),
            log: log("gateway-1"),
        }
    }

    pub(crate) fn seal(&self, release: &Release) -> Base64 {
        let payload = serde_json::to_vec(release).unwrap();
        Base64(Envelope::seal(PayloadType::Release, payload, &self.gateway).to_bytes())
    }

    /// What the gateway signs when it refuses this question.
    pub(crate) fn refusal(&self, refusal: &Refusal) -> GatewayRefusal {
        GatewayRefusal {
            v: 1,
            question: Some(self.question.id.clone()),
            question_digest: self.digest.clone(),
            gateway: self.question.gateway.clone(),
            issued_at: now(),
            refusal: refusal.clone(),
            log: Some(log("gateway-1")),
        }
    }

    /// The event of a refusal; `told` is what stands beside what is signed.
    pub(crate) fn refused(&self, told: &Refusal, signed: &GatewayRefusal) -> Event {
        let payload = serde_json::to_vec(signed).unwrap();
        let signed = Envelope::seal(PayloadType::Refusal, payload, &self.gateway).to_bytes();
        Event::Refused { seq: 0, refusal: told.clone(), signed: Base64(signed) }
    }

    /// The stream an honest gateway sends.
    pub(crate) fn stream(&self, sent: &[Sent], result: Option<Vec<u8>>) -> Vec<Event> {
        let countries = self.question.countries.clone();
        let deadline = self.question.expires_at;
        let mut events = vec![Event::Accepted {
            seq: 0,
            question: self.question.id.clone(),
            deadline,
            countries,
        }];
        // First what happens, then what was signed.
        for sent in sent {
            let (seq, country) = (events.len() as u64, sent.country.clone());
            events.push(match &sent.answer {
                Some(_) => Event::Arrived { seq, country, ms: 5 },
                None => self.event(seq, sent),
            });
        }
        for sent in sent.iter().filter(|sent| sent.answer.is_some()) {
            events.push(self.event(events.len() as u64, sent));
        }
        let answered = sent.iter().filter(|sent| sent.outcome.answered()).count();
        let no_result = no_result(sent, &self.question.ask, result.as_deref());
        let release = self.seal(&self.release(sent, result.as_deref()));
        events.push(Event::Complete {
            seq: events.len() as u64,
            complete: answered == sent.len() && no_result.is_none(),
            answered: answered as u64,
            asked: sent.len() as u64,
            result: result.map(Base64),
            no_result,
            release,
        });
        events
    }
}

/// What an honest gateway says of cells without a table.
fn no_result(sent: &[Sent], ask: &Ask, result: Option<&[u8]>) -> Option<NoResult> {
    let cells = matches!(ask, Ask::Sql { .. }) && sent.iter().any(|sent| sent.outcome.answered());
    (cells && result.is_none()).then_some(NoResult::TooSlow)
}
