//! Questions made and signed by hand, right or wrong, and what came back, opened.

use crate::world::{World, analyst_identity, gateway_identity, now};
use mayag_audit::keys::{Ed25519, SigningKey, random_nonce, random_question_id, sha256};
use mayag_protocol::answer::{Answer, Bundle, Decision, LogPosition};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::event::Event;
use mayag_protocol::forward::{self, Forward};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Code;
use std::path::Path;
use std::time::Duration;

/// A question that every country of the test federation accepts, to be changed.
pub fn question(countries: &[&str], sql: &str) -> Question {
    let issued_at = now();
    Question {
        v: 1,
        id: random_question_id().expect("random bytes"),
        analyst: analyst_identity("kr"),
        gateway: gateway_identity(),
        countries: countries.iter().map(|country| country.parse().expect("a country")).collect(),
        issued_at,
        expires_at: issued_at.plus(Duration::from_mins(1)),
        nonce: random_nonce().expect("random bytes"),
        ask: Ask::Sql { sql: sql.to_owned() },
        purpose: Purpose::Trend,
        case: None,
        legal_basis: None,
    }
}

/// The key that a folder of the development PKI holds.
pub fn key(folder: &Path, name: &str) -> SigningKey {
    SigningKey::from_pem(&std::fs::read_to_string(folder.join(name)).expect("a key file"))
        .expect("a key")
}

/// The question key of the Korean analyst.
pub fn analyst_key(world: &World) -> SigningKey {
    key(&world.pki.pki.join("kr-analyst-ana"), "question.key")
}

/// The question in an envelope of `key`.
pub fn seal(question: &Question, key: &SigningKey) -> Vec<u8> {
    Envelope::seal(PayloadType::Question, serde_json::to_vec(question).expect("JSON"), key)
        .to_bytes()
}

/// What the gateway of `folder` signs about a question that it forwards, as a header's value.
pub fn forward(folder: &Path, body: &[u8]) -> String {
    let question_digest = Envelope::parse(body, 1 << 20)
        .map_or_else(|_| sha256(body), |envelope| sha256(envelope.unverified_payload()));
    let forward = Forward {
        v: 1,
        question_digest: question_digest.clone(),
        gateway: gateway_identity(),
        issued_at: now(),
        log: LogPosition {
            origin: "gateway-1.test/query-log/2026".parse().expect("a log's name"),
            index: 0,
            leaf: question_digest,
        },
    };
    let payload = serde_json::to_vec(&forward).expect("JSON");
    let envelope = Envelope::seal(PayloadType::Forward, payload, &key(folder, "answer.key"));
    forward::to_header(&envelope.to_bytes())
}

/// A node's signed answer, verified with the node's own key.
pub fn open(world: &World, country: &str, bundle: &[u8]) -> Answer {
    let bundle = Bundle::parse(bundle).expect("a bundle");
    let key = key(&world.pki.pki.join(format!("node-{country}")), "answer.key");
    let envelope = Envelope::parse(&bundle.envelope, mayag_protocol::answer::LONGEST_ENVELOPE)
        .expect("an envelope");
    let verified = envelope
        .open(PayloadType::Answer, &[key.public().clone()], 1, &Ed25519)
        .expect("the node's signature");
    verified.parse().expect("an answer")
}

/// The code a node refused with; `None` if it did not refuse.
pub fn refused(answer: &Answer) -> Option<Code> {
    match &answer.decision {
        Decision::Refused { refusal } => Some(refusal.code),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    }
}

/// The code a gateway refused with; `None` if it did not refuse.
pub fn refused_by_gateway(stream: &[u8]) -> Option<Code> {
    let first = stream.split(|byte| *byte == b'\n').next()?;
    match serde_json::from_slice(first).ok()? {
        Event::Refused { refusal, .. } => Some(refusal.code),
        Event::Accepted { .. }
        | Event::Arrived { .. }
        | Event::Complete { .. }
        | Event::Country { .. } => None,
    }
}
