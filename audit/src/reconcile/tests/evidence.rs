//! What parties signed for each other, and what is only said to be signed.

use super::{World, answered, kr, place};
use crate::entry::{CountryEnd, Entry, ResultClass, Type};
use crate::keys::SigningKey;
use crate::reconcile::{AnswerKeys, Evidence, Forged, What};
use crate::records::written::{GATEWAY, KR, about, at, digest};
use mayag_protocol::answer::{LogPosition, logged_text};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::forward::Forward;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::roster::{Member, Roster};

/// The signing keys of a gateway and a node, and a roster that lists them.
struct Keys {
    gateway: SigningKey,
    kr: SigningKey,
    listed: AnswerKeys,
}

impl Keys {
    fn new() -> Self {
        let key = || SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let (gateway, kr) = (key(), key());
        let member = |identity: &str, key: &SigningKey| Member {
            identity: identity.parse().unwrap(),
            answer_key: key.public().clone(),
            log_key: key.public().clone(),
            cosign_key: key.public().clone(),
            auditor_keys: Vec::new(),
            sealing_key: None,
        };
        let roster = Roster {
            v: 1,
            federation: "demo".parse().unwrap(),
            version: 1,
            issued_at: at(0),
            expires_at: at(0),
            issuers: Vec::new(),
            gateways: vec![member("spiffe://demo/gateway/1", &gateway)],
            nodes: vec![member("spiffe://demo/country/kr/node", &kr)],
            people: Vec::new(),
        };
        let mut listed = AnswerKeys::default();
        listed.add(&roster);
        Self { gateway, kr, listed }
    }
}

fn forward(number: u8, log: &LogPosition) -> Forward {
    Forward {
        v: 1,
        question_digest: digest(&format!("question {number}")),
        gateway: "spiffe://demo/gateway/1".parse().unwrap(),
        issued_at: at(0),
        log: log.clone(),
    }
}

fn sealed(forward: &Forward, key: &SigningKey) -> Base64 {
    let payload = serde_json::to_vec(forward).unwrap();
    Base64(Envelope::seal(PayloadType::Forward, payload, key).to_bytes())
}

/// One more question, in which the node holds this statement of the gateway and the gateway this signature of the node.
fn asked(
    statement: impl FnOnce(&LogPosition) -> Base64,
    signed: impl FnOnce(&LogPosition) -> Base64,
) -> World {
    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 40, 4));
    let (peer, statement) = (Some(received.clone()), Some(statement(&received)));
    world.kr.push(&Entry { peer, statement, ..about(Type::Admitted, 41, 4) });
    let log = world.kr.push(&answered(4, &received, 42));
    let end = CountryEnd {
        outcome: Outcome::Answered,
        answer: Some(digest("answer")),
        signed: Some(signed(&log)),
        log: Some(log),
    };
    let countries = [(kr(), end)].into();
    world.gateway.push(&Entry { countries, ..about(Type::Released, 43, 4) });
    world
}

fn honest(keys: &Keys) -> World {
    asked(
        |received| sealed(&forward(4, received), &keys.gateway),
        |log| Base64(keys.kr.sign(&logged_text(&digest("question 4"), log)).to_vec()),
    )
}

fn found(world: &World, keys: &AnswerKeys) -> Vec<(String, What)> {
    let report = world.reconcile_with(keys, 100_000);
    report.findings.into_iter().map(|found| (found.at.to_string(), found.what)).collect()
}

#[test]
fn signatures_that_hold_are_counted_and_without_a_roster_only_told() {
    let keys = Keys::new();
    let world = honest(&keys);
    let report = world.reconcile_with(&keys.listed, 100_000);
    assert_eq!(report.findings, []);
    assert_eq!((report.counts.signatures, report.counts.unchecked), (2, 0));
    let report = world.reconcile_at(100_000);
    assert_eq!((report.counts.signatures, report.counts.unchecked), (0, 2));
    assert_eq!(report.findings, []);
}

#[test]
fn who_left_an_entry_out_is_found_out_by_its_own_signature() {
    let keys = Keys::new();
    let mut world = honest(&keys);
    world.gateway.entries.truncate(6);
    let omitted = |signed| What::OmittedByGateway { signed };
    let expected =
        |signed| [(place(KR, 6), omitted(signed)), (place(KR, 7), omitted(Evidence::Absent))];
    assert_eq!(found(&world, &keys.listed), expected(Evidence::Verified));
    assert_eq!(found(&world, &AnswerKeys::default()), expected(Evidence::Unchecked));
    let said = world.reconcile_with(&keys.listed, 100_000).findings[0].to_string();
    assert_eq!(
        said,
        format!(
            "{KR} entry 6 was made for {GATEWAY} entry 6, and the gateway's log ends before it: the question was left out, or the log cut off; the entry holds what the other party signed: the signature verifies"
        )
    );

    let mut world = honest(&keys);
    world.kr.entries.truncate(7);
    let omitted = What::OmittedByNode { country: kr(), signed: Evidence::Verified };
    assert_eq!(found(&world, &keys.listed), [(place(GATEWAY, 7), omitted)]);

    let mut world = honest(&keys);
    World::rewrite(&mut world.kr, 7, |entry| entry.cells = Some(1));
    let altered = What::AlteredAtNode { country: kr(), signed: Evidence::Verified };
    assert_eq!(found(&world, &keys.listed), [(place(GATEWAY, 7), altered)]);
}

/// Something that is said to be what a gateway signed about its entry.
type Statement<'a> = Box<dyn Fn(&LogPosition) -> Base64 + 'a>;

#[test]
fn what_a_party_did_not_sign_accuses_nobody() {
    let keys = Keys::new();
    let good =
        |log: &LogPosition| Base64(keys.kr.sign(&logged_text(&digest("question 4"), log)).to_vec());
    // A node makes up what the gateway signed, to accuse it of having left a question out.
    let statements: [(Forged, Statement<'_>); 5] = [
        (Forged::Unreadable, Box::new(|_| Base64(b"signed".to_vec()))),
        (Forged::Signature, Box::new(|log| sealed(&forward(4, log), &keys.kr))),
        (Forged::OtherQuestion, Box::new(|log| sealed(&forward(3, log), &keys.gateway))),
        (
            Forged::OtherEntry,
            Box::new(|log| {
                let log = LogPosition { index: 4, ..log.clone() };
                sealed(&forward(4, &log), &keys.gateway)
            }),
        ),
        (
            Forged::OtherParty,
            Box::new(|log| {
                let gateway = "spiffe://demo/gateway/2".parse().unwrap();
                sealed(&Forward { gateway, ..forward(4, log) }, &keys.gateway)
            }),
        ),
    ];
    for (fault, statement) in statements {
        let mut world = asked(|log| statement(log), good);
        let forged = What::Forged { fault };
        assert_eq!(found(&world, &keys.listed), [(place(KR, 6), forged.clone())]);
        world.gateway.entries.truncate(6);
        let omitted = What::OmittedByGateway { signed: Evidence::Absent };
        let found = found(&world, &keys.listed);
        assert!(found.contains(&(place(KR, 6), forged)), "{found:?}");
        assert!(found.contains(&(place(KR, 6), omitted)), "{found:?}");
    }
    // A gateway makes up what a node signed.
    for text in ["question 3", "question 4"] {
        let key = if text == "question 4" { &keys.gateway } else { &keys.kr };
        let world = asked(
            |received| sealed(&forward(4, received), &keys.gateway),
            |log| Base64(key.sign(&logged_text(&digest(text), log)).to_vec()),
        );
        let forged = What::Forged { fault: Forged::Signature };
        assert_eq!(found(&world, &keys.listed), [(place(GATEWAY, 7), forged)]);
    }
}

#[test]
fn a_gateway_and_a_node_that_leave_a_question_out_together_are_shown_by_another_node() {
    // Both cut it off; the log of us still has what the gateway signed.
    let keys = Keys::new();
    let mut world = honest(&keys);
    let received = LogPosition {
        origin: GATEWAY.parse().unwrap(),
        index: 6,
        leaf: crate::tree::leaf_hash(&world.gateway.entries[6]).into(),
    };
    world.gateway.entries.truncate(6);
    world.kr.entries.truncate(6);
    assert_eq!(found(&world, &keys.listed), [], "nothing is left that could show it");
    let mut us = crate::records::written::Written::new("node-us.demo/query-log/2026");
    let (peer, statement) =
        (Some(received.clone()), Some(sealed(&forward(4, &received), &keys.gateway)));
    us.push(&Entry { peer: peer.clone(), statement, ..about(Type::Admitted, 41, 4) });
    us.push(&Entry { result: Some(ResultClass::Aggregate), peer, ..about(Type::Answered, 42, 4) });
    let facts = [&world.gateway, &world.kr, &us].map(|log| {
        let log = log.published();
        crate::reconcile::Facts::read(&log, &log.against(), &keys.listed).unwrap().unwrap()
    });
    let settings =
        crate::reconcile::Settings { as_of: at(100_000), grace: std::time::Duration::ZERO };
    let findings = crate::reconcile::reconcile(&facts, settings).findings;
    assert_eq!(findings.len(), 2);
    assert_eq!(findings[0].what, What::OmittedByGateway { signed: Evidence::Verified });
}
