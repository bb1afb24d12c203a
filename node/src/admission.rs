//! From bytes to a question that is allowed to be looked at: signature, person, audience, time, nonce.
//!
//! The node does this itself for every question; nothing the gateway says is taken for granted.

use crate::entries::{About, Forwarded};
use crate::node::Node;
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::nonces::NonceError;
use mayag_audit::party::{self, Book};
use mayag_protocol::answer::Bundle;
use mayag_protocol::envelope::{Envelope, EnvelopeError, PayloadType};
use mayag_protocol::forward::{self, Forward};
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::names::Digest;
use mayag_protocol::question::{self, Question, QuestionFault};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::roster::{Person, Roster};
use mayag_protocol::strict;

/// A question whose signature, person, audience, time and nonce were verified by this node. Only [`admit`] makes one.
#[derive(Debug)]
pub(crate) struct VerifiedQuestion {
    question: Question,
    person: Person,
    digest: Digest,
    forwarded: Forwarded,
    envelope: Vec<u8>,
    beside: Vec<u8>,
}

impl VerifiedQuestion {
    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    pub(crate) fn person(&self) -> &Person {
        &self.person
    }

    /// SHA-256 of the payload that was signed.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The envelope that the analyst signed.
    pub(crate) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// What travels beside a lookup, which is what the analyst signed: its vector, or what is sealed to nodes. Nothing of
    /// any other question.
    pub(crate) fn beside(&self) -> &[u8] {
        &self.beside
    }

    /// Where the gateway's log holds it, as the gateway signed.
    pub(crate) fn forwarded(&self) -> &Forwarded {
        &self.forwarded
    }
}

/// A question that was turned away, with what could be learnt of it for the log and the signed refusal.
#[derive(Debug)]
pub(crate) struct TurnedAway {
    pub(crate) refusal: Refusal,
    pub(crate) about: About,
}

/// What arrived from a gateway.
#[derive(Debug)]
pub(crate) struct Carried {
    /// The question in its envelope.
    pub(crate) body: Vec<u8>,
    /// What came beside it, where lookups are taken.
    pub(crate) beside: Option<Vec<u8>>,
    /// What the gateway signed about it.
    pub(crate) forward: Option<Vec<u8>>,
}

/// Verifies one envelope that arrived from `gateway`.
pub(crate) fn admit(
    node: &Node,
    roster: &Roster,
    gateway: &Identity,
    carried: &Carried,
) -> Result<VerifiedQuestion, Box<TurnedAway>> {
    let body = &carried.body;
    let unread = |refusal| {
        let about = About { digest: sha256(body), question: None, forwarded: None, envelope: None };
        Box::new(TurnedAway { refusal, about })
    };
    let envelope =
        Envelope::parse(body, question::LONGEST_ENVELOPE).map_err(|_| unread(malformed()))?;
    let digest = sha256(envelope.unverified_payload());
    let forwarded = forwarded(carried, roster, gateway, &digest);
    let unsigned = |refusal| {
        let forwarded = forwarded.clone();
        let about = About { digest: digest.clone(), question: None, forwarded, envelope: None };
        Box::new(TurnedAway { refusal, about })
    };

    // Whose keys to try is read from the payload; nothing else of it is used before the signature holds.
    let claimed: Question =
        strict::parse(envelope.unverified_payload(), question::LONGEST_ENVELOPE)
            .map_err(|_| unsigned(malformed()))?;
    let person = roster
        .person(&claimed.analyst)
        .filter(|person| person.identity.kind() == Kind::Analyst)
        .ok_or_else(|| unsigned(bad_person()))?;
    let verified = envelope
        .open(PayloadType::Question, &person.question_keys, 1, &Ed25519)
        .map_err(|error| unsigned(not_opened(&error)))?;
    let question: Question = verified.parse().map_err(|_| unsigned(malformed()))?;

    let signed = |refusal| {
        let (digest, question) = (digest.clone(), Some(question.clone()));
        let (forwarded, envelope) = (forwarded.clone(), Some(body.clone()));
        let about = About { digest, question, forwarded, envelope };
        Box::new(TurnedAway { refusal, about })
    };
    let forwarded = forwarded.clone().ok_or_else(|| signed(not_forwarded()))?;
    if question.gateway != *gateway || !question.countries.contains(node.country()) {
        return Err(signed(Refusal::new(
            Code::WrongAudience,
            "audience",
            "sign the question for this gateway and name this country in it",
        )));
    }
    let now = node.clock().now();
    if let Some(fault) = question.fault(now) {
        return Err(signed(faulty(fault)));
    }
    if !person.purposes.contains(&question.purpose) {
        let hint = "state a purpose that the roster gives you; `mayag datasets` lists what is shared for it";
        return Err(signed(
            Refusal::new(Code::PurposeNotHeld, "roster", hint).about(question.purpose.as_str()),
        ));
    }
    let Some(beside) = beside(&question, carried) else { return Err(signed(malformed())) };
    // Last, so that only questions that are valid in everything else take a place in the memory.
    node.nonces().remember(&question.nonce, now).map_err(|error| signed(seen(error)))?;
    let (person, digest, envelope) = (person.clone(), digest.clone(), body.clone());
    Ok(VerifiedQuestion { question, person, digest, forwarded, envelope, beside })
}

impl Carried {
    /// What came to where questions are taken: an envelope.
    pub(crate) fn question(body: Vec<u8>, forward: Option<Vec<u8>>) -> Self {
        Self { body, beside: None, forward }
    }

    /// What came to where lookups are taken: an envelope and one thing beside it. Anything else has one that fits no lookup.
    pub(crate) fn lookup(body: Vec<u8>, forward: Option<Vec<u8>>) -> Self {
        match Bundle::parse(&body) {
            Ok(Bundle { envelope, mut parts }) if parts.len() == 1 => {
                Self { body: envelope, beside: parts.pop(), forward }
            }
            Ok(_) | Err(_) => Self { body, beside: Some(Vec::new()), forward },
        }
    }
}

/// What came beside a lookup, if it is what was signed; nothing beside any other question. `None` where a lookup came as a
/// question, a question as a lookup, or something else than what was signed.
fn beside(question: &Question, carried: &Carried) -> Option<Vec<u8>> {
    match (question.ask.beside(), &carried.beside) {
        (None, None) => Some(Vec::new()),
        (Some(signed), Some(came)) => {
            let same = came.len() == signed.bytes && sha256(came) == *signed.digest;
            same.then(|| came.clone())
        }
        (None, Some(_)) | (Some(_), None) => None,
    }
}

/// Where the gateway's log holds the question of this digest, if the gateway says so and signed that.
fn forwarded(
    carried: &Carried,
    roster: &Roster,
    gateway: &Identity,
    digest: &Digest,
) -> Option<Forwarded> {
    let statement = carried.forward.as_ref()?;
    let envelope = Envelope::parse(statement, forward::LONGEST).ok()?;
    let keys = [roster.gateway(gateway)?.answer_key.clone()];
    let verified = envelope.open(PayloadType::Forward, &keys, 1, &Ed25519).ok()?;
    let forward: Forward = verified.parse().ok()?;
    let about = forward.v == 1
        && forward.gateway == *gateway
        && forward.question_digest == *digest
        && party::owns(gateway, Book::Questions, &forward.log.origin);
    about.then(|| Forwarded { log: forward.log, statement: statement.clone() })
}

fn not_forwarded() -> Refusal {
    Refusal::new(
        Code::BadSignature,
        "forward",
        "tell the gateway's operator: it did not sign where its log holds the question",
    )
}

pub(crate) fn malformed() -> Refusal {
    let hint = "sign the question again with a current `mayag`; at most 64 KiB are read";
    Refusal::new(Code::MalformedQuestion, "format", hint)
}

fn bad_person() -> Refusal {
    Refusal::new(
        Code::NotInRoster,
        "roster",
        "ask your administrator to enrol you in the federation's roster",
    )
}

fn not_opened(error: &EnvelopeError) -> Refusal {
    match error {
        EnvelopeError::Signatures { .. } => Refusal::new(
            Code::BadSignature,
            "roster",
            "sign with the question key that the roster lists for you",
        ),
        EnvelopeError::Envelope(_) | EnvelopeError::Payload(_) | EnvelopeError::Type { .. } => {
            malformed()
        }
    }
}

fn faulty(fault: QuestionFault) -> Refusal {
    match fault {
        QuestionFault::Expired | QuestionFault::NotYet | QuestionFault::Life => Refusal::new(
            Code::Expired,
            "validity",
            "ask again; check the clock of your computer if this repeats",
        ),
        QuestionFault::Countries
        | QuestionFault::Lookup(_)
        | QuestionFault::TooLong
        | QuestionFault::Version => malformed(),
    }
}

fn seen(error: NonceError) -> Refusal {
    match error {
        NonceError::Replayed => Refusal::new(Code::Replayed, "nonce", "ask again with a new nonce"),
        NonceError::Full => Refusal::new(Code::Busy, "nonce", "ask again in two minutes"),
    }
}
