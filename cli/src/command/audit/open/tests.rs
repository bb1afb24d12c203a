//! What an auditor is shown of a lookup, and how a run ends with a file that proves nothing.

use super::{Exit, Shown, Signature, What, human, prove};
use mayag_audit::detail::RecipientSecret;
use mayag_audit::entry::Type;
use mayag_audit::keys::sha256;
use mayag_desk::lookup::opening::{Sealing, Secret};
use mayag_matching::batch::{Batch, BatchSeed};
use mayag_matching::normalise::{Kind, rules};
use mayag_protocol::lookup::{Search, Target};
use mayag_protocol::names::PublicKey;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Timestamp;
use std::num::NonZero;
use std::time::Duration;

fn now() -> Timestamp {
    Timestamp::from_millis(1_800_000_000_000)
}

fn opened(question: Question) -> Vec<Shown> {
    let shown = |what| Shown {
        at: now(),
        log: "node-kr.demo/query-log/2027".parse().unwrap(),
        index: 7,
        kind: Type::Admitted,
        detail: sha256(b"detail"),
        what,
    };
    let what = What::Opened {
        person: question.analyst.to_string(),
        signature: Some(Signature::Verified),
        question: Some(Box::new(question)),
        words: None,
        searched: None,
        told: Vec::new(),
    };
    vec![shown(What::ForOthers), shown(what)]
}

/// A lookup of one passport, and what its desk sealed: this.
fn lookup(sealed: &str, auditor: &RecipientSecret) -> (Question, Vec<u8>) {
    let (seed, rules) = (BatchSeed::from_bytes([3; 32]), rules(Kind::TravelDocument));
    let batch = Batch::new(&seed, &rules, &["PHL:P:M12345678"], NonZero::<usize>::MIN).unwrap();
    let mut question = Question {
        v: 1,
        id: "00112233445566778899aabbccddeeff".parse().unwrap(),
        analyst: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
        gateway: "spiffe://demo/gateway/1".parse().unwrap(),
        countries: vec!["kr".parse().unwrap()],
        issued_at: now(),
        expires_at: now(),
        nonce: "00112233445566778899aabbccddeeff".parse().unwrap(),
        ask: Ask::Tables {},
        purpose: Purpose::Border,
        case: None,
        legal_basis: None,
    };
    let sealing = Sealing {
        question: &question.id,
        analyst: &question.analyst,
        secret: Secret::Batch(&seed),
        rules: &rules,
        identifiers: vec![sealed],
    };
    let file = sealing.seal(&[auditor.public().clone()]).unwrap();
    let country = "kr".parse().unwrap();
    let target = Target { country, table: "known".parse().unwrap(), epoch: 3 };
    let search = Search {
        identifiers: rules.kind.clone(),
        rules: rules.version,
        elements: 2,
        blinded: batch.blinded().digest(),
        opening: sha256(&file),
        targets: vec![target],
    };
    question.ask = Ask::Lookup { search };
    (question, file)
}

fn auditor() -> RecipientSecret {
    RecipientSecret::from_pem(&RecipientSecret::generate().unwrap()).unwrap()
}

#[test]
fn what_was_searched_is_shown_once_and_as_proved() {
    let auditor = auditor();
    let (question, file) = lookup("PHL:P:M12345678", &auditor);
    let mut shown = opened(question);
    let before = human(&shown[1]).join("\n");
    assert!(before.contains("searched     travel_document, 2 elements, 1 tables"), "{before}");
    assert!(!before.contains("M12345678"), "{before}");
    prove(&mut shown, &file, &auditor, &[]).unwrap();
    let text = human(&shown[1]).join("\n");
    assert!(text.contains("these are what was searched, and nothing else\n"), "{text}");
    assert!(text.ends_with("PHL:P:M12345678"), "{text}");
    let json = serde_json::to_value(&shown[1]).unwrap();
    assert_eq!(json["searched"], serde_json::json!(["PHL:P:M12345678"]));
}

#[test]
fn a_liar_is_a_finding_and_a_wrong_file_is_none() {
    let auditor_key = auditor();
    let ends = |(question, file): (Question, Vec<u8>), key: &RecipientSecret| {
        prove(&mut opened(question), &file, key, &[]).map_err(|(exit, why)| {
            assert!(!why.contains("8765"), "{why}");
            exit
        })
    };
    let honest = || lookup("PHL:P:M12345678", &auditor_key);
    let liar = lookup("PHL:P:M87654321", &auditor_key);
    assert_eq!(ends(liar, &auditor_key), Err(Exit::VerificationFailed));
    assert_eq!(ends(honest(), &auditor()), Err(Exit::Usage));
    let (question, mut file) = honest();
    file.push(b' ');
    assert_eq!(ends((question, file), &auditor_key), Err(Exit::Usage));
    let (mut question, file) = honest();
    question.ask = Ask::Tables {};
    assert_eq!(ends((question, file), &auditor_key), Err(Exit::Usage));
}

/// A roster that lists these auditors for Korea, in force for an hour.
fn roster(auditors: &[&RecipientSecret]) -> Roster {
    let key = || PublicKey::from_bytes([1; 32]);
    let node = Member {
        identity: "spiffe://demo/country/kr/node".parse().unwrap(),
        answer_key: key(),
        log_key: key(),
        cosign_key: key(),
        auditor_keys: auditors.iter().map(|auditor| auditor.public().to_key()).collect(),
        sealing_key: None,
    };
    Roster {
        v: 1,
        federation: "demo".parse().unwrap(),
        version: 1,
        issued_at: now(),
        expires_at: now().plus(Duration::from_hours(1)),
        issuers: Vec::new(),
        gateways: Vec::new(),
        nodes: vec![node],
        people: Vec::new(),
    }
}

#[test]
fn who_seals_for_others_than_the_auditors_is_caught() {
    let (listed, second, friend) = (auditor(), auditor(), auditor());
    let ends = |sealed_to: &RecipientSecret, rosters: &[Roster]| {
        let (question, file) = lookup("PHL:P:M12345678", sealed_to);
        prove(&mut opened(question), &file, &second, rosters).unwrap_err()
    };
    let (exit, why) = ends(&friend, &[roster(&[&listed, &second])]);
    assert_eq!(exit, Exit::VerificationFailed);
    assert!(why.contains("sealed for others than the auditors"), "{why}");
    assert_eq!(ends(&listed, &[roster(&[&listed, &second])]).0, Exit::VerificationFailed);
    // The key at hand is another auditor's: nobody is accused.
    assert_eq!(ends(&listed, &[roster(&[&listed])]).0, Exit::Usage);
    assert_eq!(ends(&listed, &[roster(&[&second]), roster(&[&listed])]).0, Exit::Usage);
    assert_eq!(ends(&friend, &[]).0, Exit::Usage);
    let mut ended = roster(&[&listed]);
    (ended.issued_at, ended.expires_at) = (Timestamp::from_millis(0), now());
    assert_eq!(ends(&friend, &[ended]).0, Exit::Usage);
    let mut abroad = roster(&[&listed]);
    abroad.nodes[0].identity = "spiffe://demo/country/us/node".parse().unwrap();
    assert_eq!(ends(&friend, &[abroad]).0, Exit::Usage);
}
