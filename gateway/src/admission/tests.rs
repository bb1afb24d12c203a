//! Who is turned away, and with which code.

use super::{AdmittedQuestion, Caller, Known};
use mayag_audit::keys::SigningKey;
use mayag_audit::nonces::Nonces;
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Nonce, PublicKey, QuestionId};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::roster::{Member, Person, Roster};
use mayag_protocol::timestamp::Timestamp;
use std::time::Duration;

fn now() -> Timestamp {
    Timestamp::from_millis(1_000_000_000)
}

struct Hall {
    roster: Roster,
    hana: SigningKey,
    alex: SigningKey,
    nonces: Nonces,
}

/// A refusal, and what was known by then.
type Away = (Refusal, Known);

fn identity(rest: &str) -> Identity {
    format!("spiffe://demo/{rest}").parse().unwrap()
}

fn hall() -> Hall {
    let key = || SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let (hana, alex) = (key(), key());
    let person = |rest: &str, key: &PublicKey| Person {
        identity: identity(rest),
        roles: Vec::new(),
        purposes: vec![Purpose::Trend],
        question_keys: vec![key.clone()],
    };
    let node = |country: &str| Member {
        identity: identity(&format!("country/{country}/node")),
        answer_key: PublicKey::from_bytes([0; 32]),
        log_key: PublicKey::from_bytes([0; 32]),
        cosign_key: PublicKey::from_bytes([0; 32]),
        auditor_keys: Vec::new(),
        sealing_key: None,
    };
    let roster = Roster {
        v: 1,
        federation: "demo".parse().unwrap(),
        version: 1,
        issued_at: now(),
        expires_at: now().plus(Duration::from_secs(1000)),
        issuers: Vec::new(),
        gateways: Vec::new(),
        nodes: vec![node("kr"), node("us")],
        people: vec![
            person("country/kr/analyst/hana", hana.public()),
            person("country/us/analyst/alex", alex.public()),
            person("country/kr/administrator/min", hana.public()),
        ],
    };
    Hall { roster, hana, alex, nonces: Nonces::default() }
}

fn question() -> Question {
    Question {
        v: 1,
        id: QuestionId::from_bytes([1; 16]),
        analyst: identity("country/kr/analyst/hana"),
        gateway: identity("gateway/1"),
        countries: vec!["kr".parse().unwrap(), "us".parse().unwrap()],
        issued_at: now(),
        expires_at: now().plus(Duration::from_mins(1)),
        nonce: Nonce::from_bytes([1; 16]),
        ask: Ask::Datasets {},
        purpose: Purpose::Trend,
        case: None,
        legal_basis: None,
    }
}

fn sealed(question: &Question, key: &SigningKey) -> Vec<u8> {
    Envelope::seal(PayloadType::Question, serde_json::to_vec(question).unwrap(), key).to_bytes()
}

impl Hall {
    fn admit(&self, peer: &str, body: &[u8]) -> Result<(AdmittedQuestion, Known), Box<Away>> {
        let peer = identity(peer);
        let mut known = Known::of_connection(&peer, body);
        let admitted = Caller::authenticate(&peer, &self.roster)
            .and_then(|caller| caller.open(body, &self.roster, &mut known))
            .and_then(|signed| {
                signed.admit(&identity("gateway/1"), &self.roster, &self.nonces, now(), &mut known)
            });
        match admitted {
            Ok(admitted) => Ok((admitted, known)),
            Err(refusal) => Err(Box::new((refusal, known))),
        }
    }

    fn code(&self, peer: &str, body: &[u8]) -> Code {
        self.admit(peer, body).unwrap_err().0.code
    }

    fn code_of(&self, change: impl FnOnce(&mut Question)) -> Code {
        let mut question = question();
        change(&mut question);
        self.code("country/kr/analyst/hana", &sealed(&question, &self.hana))
    }
}

#[test]
fn a_good_question_is_admitted_once() {
    let hall = hall();
    let body = sealed(&question(), &hall.hana);
    let (admitted, known) = hall.admit("country/kr/analyst/hana", &body).unwrap();
    assert_eq!(*admitted.question(), question());
    assert_eq!(known.nonce, Some(question().nonce));
    assert_eq!(known.digest, *admitted.digest());
    assert_eq!(hall.code("country/kr/analyst/hana", &body), Code::Replayed);
}

#[test]
fn only_analysts_of_the_roster_ask() {
    let hall = hall();
    let body = sealed(&question(), &hall.hana);
    for peer in [
        "country/kr/analyst/nobody",
        "country/kr/administrator/min",
        "country/kr/node",
        "gateway/1",
    ] {
        assert_eq!(hall.code(peer, &body), Code::NotInRoster, "{peer}");
    }
    assert_eq!(
        hall.code_of(|q| q.analyst = identity("country/kr/analyst/nobody")),
        Code::NotInRoster
    );
}

#[test]
fn nobody_asks_in_the_name_of_another() {
    let hall = hall();
    let stolen = sealed(&question(), &hall.hana);
    assert_eq!(hall.code("country/us/analyst/alex", &stolen), Code::NotYours);
    let forged = sealed(&question(), &hall.alex);
    assert_eq!(hall.code("country/us/analyst/alex", &forged), Code::BadSignature);
    assert_eq!(hall.code("country/kr/analyst/hana", &forged), Code::BadSignature);
    let (_, known) = *hall.admit("country/kr/analyst/hana", &forged).unwrap_err();
    assert_eq!((known.question, known.nonce), (None, None), "an unsigned id is anybody's claim");
}

#[test]
fn only_questions_for_this_gateway_about_its_federation_in_their_time_are_carried() {
    let hall = hall();
    assert_eq!(hall.code_of(|q| q.gateway = identity("gateway/2")), Code::WrongAudience);
    assert_eq!(hall.code_of(|q| q.expires_at = now()), Code::Expired);
    assert_eq!(hall.code_of(|q| q.countries.reverse()), Code::MalformedQuestion);
    let unknown =
        sealed(&Question { countries: vec!["th".parse().unwrap()], ..question() }, &hall.hana);
    let (refusal, _) = *hall.admit("country/kr/analyst/hana", &unknown).unwrap_err();
    assert_eq!((refusal.code, refusal.subject.as_deref()), (Code::WrongAudience, Some("th")));
    for garbage in [&b""[..], b"{}", &vec![b' '; 70_000]] {
        assert_eq!(hall.code("country/kr/analyst/hana", garbage), Code::MalformedQuestion);
    }
    // None of these has used up the nonce.
    hall.admit("country/kr/analyst/hana", &sealed(&question(), &hall.hana)).unwrap();
}
