//! From a connection and bytes to a question that may be carried: person, signature, time, audience, nonce.
//!
//! The gateway checks what it can so that nobody is asked in vain. No node relies on it: every node checks everything
//! again itself, and whether a country answers is decided there alone.

use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::nonces::{NonceError, Nonces};
use mayag_protocol::envelope::{Envelope, EnvelopeError, PayloadType};
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::names::{Digest, Nonce};
use mayag_protocol::question::{self, Question, QuestionFault};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::roster::Roster;
use mayag_protocol::strict;
use mayag_protocol::timestamp::Timestamp;

/// An analyst of the roster at the other end of an authenticated connection. Only [`Caller::authenticate`] makes one.
#[derive(Debug)]
pub(crate) struct Caller(Identity);

/// A question that a key of its analyst signed. Only [`Caller::open`] makes one.
#[derive(Debug)]
pub(crate) struct SignedQuestion {
    caller: Identity,
    question: Question,
    digest: Digest,
}

/// A question of its caller, for this gateway, in its time, about countries of the roster, and never seen before. Only
/// [`SignedQuestion::admit`] makes one.
#[derive(Debug)]
pub(crate) struct AdmittedQuestion {
    question: Question,
    digest: Digest,
}

/// What was learnt of a question that is turned away, for the log.
#[derive(Debug, Clone)]
pub(crate) struct Known {
    /// SHA-256 of the payload; of the whole body where no envelope could be read.
    pub(crate) digest: Digest,
    /// Who is at the other end of the connection.
    pub(crate) caller: Identity,
    /// Absent unless the signature was verified: an unsigned id is anybody's claim.
    pub(crate) question: Option<Question>,
    /// What the analyst signed, to the byte; present where `question` is.
    pub(crate) envelope: Option<Vec<u8>>,
    /// Present once the nonce is remembered.
    pub(crate) nonce: Option<Nonce>,
}

impl Caller {
    /// Whether `peer` may ask at all.
    pub(crate) fn authenticate(peer: &Identity, roster: &Roster) -> Result<Self, Refusal> {
        match roster.person(peer) {
            Some(person) if person.identity.kind() == Kind::Analyst => Ok(Self(peer.clone())),
            Some(_) | None => Err(not_in_roster()),
        }
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.0
    }

    /// Opens an envelope with the keys that the roster lists for the person who signed it.
    pub(crate) fn open(
        self,
        body: &[u8],
        roster: &Roster,
        known: &mut Known,
    ) -> Result<SignedQuestion, Refusal> {
        let envelope =
            Envelope::parse(body, question::LONGEST_ENVELOPE).map_err(|_| malformed())?;
        let digest = sha256(envelope.unverified_payload());
        known.digest = digest.clone();
        // Whose keys to try is read from the payload; nothing else of it is used before the signature holds.
        let claimed: Question =
            strict::parse(envelope.unverified_payload(), question::LONGEST_ENVELOPE)
                .map_err(|_| malformed())?;
        let person = roster
            .person(&claimed.analyst)
            .filter(|person| person.identity.kind() == Kind::Analyst)
            .ok_or_else(not_in_roster)?;
        let verified = envelope
            .open(PayloadType::Question, &person.question_keys, 1, &Ed25519)
            .map_err(|error| not_opened(&error))?;
        let question: Question = verified.parse().map_err(|_| malformed())?;
        known.question = Some(question.clone());
        known.envelope = Some(body.to_vec());
        Ok(SignedQuestion { caller: self.0, question, digest })
    }
}

impl SignedQuestion {
    /// Checks what depends on the question, the roster, this gateway and the time, and remembers the nonce.
    pub(crate) fn admit(
        self,
        gateway: &Identity,
        roster: &Roster,
        nonces: &Nonces,
        now: Timestamp,
        known: &mut Known,
    ) -> Result<AdmittedQuestion, Refusal> {
        let Self { caller, question, digest } = self;
        if let Some(fault) = question.fault(now) {
            return Err(faulty(fault));
        }
        if question.analyst != caller {
            let hint = "ask with the certificate of the person who signed the question";
            return Err(Refusal::new(Code::NotYours, "connection", hint));
        }
        if question.gateway != *gateway {
            let hint = "sign the question for the gateway that you send it to";
            return Err(Refusal::new(Code::WrongAudience, "gateway", hint)
                .about(question.gateway.to_string()));
        }
        if let Some(unknown) =
            question.countries.iter().find(|country| roster.node(country).is_none())
        {
            let hint = "leave the country out: it is not in the federation's roster";
            return Err(Refusal::new(Code::WrongAudience, "roster", hint).about(unknown.as_str()));
        }
        // Last, so that only questions that are valid in everything else take a place in the memory.
        nonces.remember(&question.nonce, now).map_err(seen)?;
        known.nonce = Some(question.nonce.clone());
        Ok(AdmittedQuestion { question, digest })
    }
}

impl AdmittedQuestion {
    pub(crate) fn question(&self) -> &Question {
        &self.question
    }

    /// SHA-256 of the payload that was signed.
    pub(crate) fn digest(&self) -> &Digest {
        &self.digest
    }
}

impl Known {
    /// What is known before anything was read.
    pub(crate) fn of_connection(caller: &Identity, body: &[u8]) -> Self {
        let (digest, caller) = (sha256(body), caller.clone());
        Self { digest, caller, question: None, envelope: None, nonce: None }
    }
}

fn malformed() -> Refusal {
    let hint = "sign the question again with a current `mayag`; at most 64 KiB are read";
    Refusal::new(Code::MalformedQuestion, "format", hint)
}

fn not_in_roster() -> Refusal {
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

#[cfg(test)]
mod tests;
