//! What a question goes through when everybody does their part.

use crate::federation::{Federation, SQL};
use crate::node::{Behaviour, SUPPRESSED};
use mayag_audit::entry::{ResultClass, Type};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_audit::tree::leaf_hash;
use mayag_protocol::answer::{GatewayRefusal, NoResult};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::event::Event;
use mayag_protocol::names::Digest;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Code;
use std::time::Duration;

fn counts(cells: &[(&'static str, i64)]) -> Behaviour {
    Behaviour::Counts(cells.to_vec())
}

fn cell(name: &str, count: i64) -> (String, i64) {
    (name.to_owned(), count)
}

#[tokio::test(flavor = "multi_thread")]
async fn countries_are_folded_and_the_result_is_signed_and_logged() {
    let federation = Federation::start(
        &[
            ("kr", counts(&[("Cocaine", 10), ("Heroin", 20)])),
            ("us", counts(&[("Cocaine", 5), ("Khat", 7)])),
        ],
        "",
    )
    .await;
    let question = federation.question(SQL);
    let body = federation.sign(&question);
    let told = federation.send(&federation.hana(), body.clone()).await;
    assert_eq!(told.cells(), [cell("Cocaine", 15), cell("Heroin", 20), cell("Khat", 7)]);

    let Some(Event::Accepted { question: id, countries, .. }) = told.0.first() else {
        panic!("{:?}", told.0)
    };
    assert_eq!((id, countries), (&question.id, &question.countries));
    let Some(Event::Complete { complete, answered, asked, .. }) = told.0.last() else {
        panic!("{:?}", told.0)
    };
    assert_eq!((*complete, *answered, *asked), (true, 2, 2));
    assert_eq!(told.0.len(), 6);
    for node in federation.nodes.values() {
        assert_eq!(
            node.received(),
            std::slice::from_ref(&body),
            "the envelope that the analyst signed, byte for byte"
        );
    }

    let release = told.release(&federation);
    let digest = sha256(Envelope::parse(&body, body.len()).unwrap().unverified_payload());
    assert_eq!((&release.question, &release.question_digest), (&question.id, &digest));
    assert_eq!(release.result, Some(sha256(&told.result().unwrap())));
    assert!(release.countries.is_sorted_by(|a, b| a.country < b.country));
    assert!(release.countries.iter().all(|country| country.answer_digest.is_some()));

    let metadata = told.metadata();
    assert_eq!(metadata.get("mayag.question"), Some(&question.id.to_string()));
    assert_eq!(metadata.get("mayag.answered").map(String::as_str), Some("2"));
    assert_eq!(metadata.get("mayag.asked").map(String::as_str), Some("2"));

    let entries = federation.log(2).await;
    let kinds: Vec<Type> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Type::Received, Type::Released]);
    assert_eq!(
        (entries[1].result_digest.clone(), entries[1].cells),
        (release.result, Some(18)),
        "all drugs"
    );
    assert_eq!(entries[1].result, Some(ResultClass::Aggregate));
    let node = &entries[1].countries[&"kr".parse().unwrap()];
    assert!(node.answer.is_some() && node.log.is_some(), "where the node's log holds its answer");
    assert_eq!((release.log.index, entries[0].nonce.clone()), (1, Some(question.nonce)));
    let text = std::fs::read(federation.published().join("tile/entries/000.p/2")).unwrap();
    let text = String::from_utf8_lossy(&text);
    assert!(text.contains("received"), "these are the entries");
    assert!(
        !text.contains("SELECT") && !text.contains("hana"),
        "neither SQL nor people are in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_cells_give_the_same_bytes() {
    let cells = counts(&[("Cocaine", 10), ("Heroin", 20), ("Khat", 30)]);
    let federation = Federation::start(&[("kr", cells.clone()), ("us", cells)], "").await;
    let mut question = federation.question(SQL);
    let mut results = Vec::new();
    for _ in 0..3 {
        question.nonce = federation.question(SQL).nonce;
        let told = federation.send(&federation.hana(), federation.sign(&question)).await;
        results.push(told.result().unwrap());
    }
    assert!(results[0] == results[1] && results[1] == results[2]);
}

#[tokio::test(flavor = "multi_thread")]
async fn refusals_and_withheld_cells_are_labelled_and_never_zero() {
    let countries = [
        ("au", Behaviour::Refuse),
        ("kr", counts(&[("Cocaine", SUPPRESSED), ("Heroin", SUPPRESSED)])),
        ("us", counts(&[("Cocaine", 5), ("Heroin", SUPPRESSED)])),
    ];
    let federation = Federation::start(&countries, "").await;
    let told = federation.ask(SQL).await;
    let outcomes: Vec<Outcome> = told.outcomes().into_values().collect();
    let withheld = Outcome::AnsweredSuppressed;
    assert_eq!(outcomes, [Outcome::Refused, withheld, withheld]);
    assert_eq!(
        told.statuses(),
        [
            ("Cocaine".to_owned(), Some(5), "partial".to_owned()),
            ("Heroin".to_owned(), None, "suppressed".to_owned())
        ]
    );
    let (Some(refusal), Some(_bundle)) = told.country("au") else {
        panic!("a refusal is signed and says why")
    };
    assert_eq!(refusal.code, Code::NoGrant);
    let Some(Event::Complete { complete, answered, asked, .. }) = told.0.last() else { panic!() };
    assert_eq!((*complete, *answered, *asked), (false, 2, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nobody_answers_there_is_no_result() {
    let federation =
        Federation::start(&[("kr", Behaviour::Refuse), ("us", Behaviour::Refuse)], "").await;
    let told = federation.ask("SELECT count(*) AS n FROM seizures").await;
    assert_eq!(told.result(), None);
    assert_eq!(told.release(&federation).result, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_runs_over_folded_cells() {
    let cells = |n| counts(&[("Cocaine", n), ("Heroin", 2 * n), ("Khat", 3 * n)]);
    let federation = Federation::start(&[("kr", cells(10)), ("us", cells(1))], "").await;
    let sql = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug HAVING count(*) > 20 ORDER BY n DESC LIMIT 1";
    assert_eq!(federation.ask(sql).await.cells(), [cell("Khat", 33)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn shared_datasets_are_asked_for_without_a_result() {
    let federation = Federation::start(&[("kr", counts(&[])), ("us", Behaviour::Refuse)], "").await;
    let question = Question { ask: Ask::Datasets {}, ..federation.question(SQL) };
    let told = federation.send(&federation.hana(), federation.sign(&question)).await;
    let outcomes: Vec<Outcome> = told.outcomes().into_values().collect();
    assert_eq!((outcomes, told.result()), (vec![Outcome::Answered, Outcome::Refused], None));
}

#[tokio::test(flavor = "multi_thread")]
async fn events_arrive_as_they_happen_and_a_caller_who_leaves_ends_the_work() {
    let federation =
        Federation::start(&[("kr", counts(&[("Cocaine", 1)])), ("us", Behaviour::Hang)], "").await;
    let body = federation.sign(&federation.question(SQL));
    let mut lines = federation.open(&federation.hana(), body).await;
    let began = tokio::time::Instant::now();
    for expected in ["accepted", "arrived"] {
        let line = lines.next_line(1 << 20).await.unwrap().unwrap();
        assert!(line.starts_with(format!("{{\"type\":\"{expected}\"").as_bytes()), "{line:?}");
    }
    assert!(began.elapsed() < Duration::from_secs(8), "long before the deadline");
    assert_eq!(federation.nodes["us"].working(), 1);
    drop(lines);
    for _ in 0..100 {
        if federation.nodes["us"].working() == 0 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("the node still works for somebody who is gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_complete_without_its_log_entry() {
    let federation =
        Federation::start(&[("kr", counts(&[("Cocaine", 1)])), ("us", Behaviour::Refuse)], "")
            .await;
    let told = federation.ask(SQL).await;
    let release = told.release(&federation);
    let entries = federation.log(2).await;
    let last = entries.last().unwrap();
    assert_eq!(entries.len() as u64, release.log.index + 1);
    let leaf = leaf_hash(&last.to_bytes().unwrap());
    let leaf = Digest::from_bytes(*leaf.as_bytes());
    assert_eq!(leaf, release.log.leaf, "the entry that the signed release points at");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preview_asks_for_no_cells_and_is_logged() {
    let federation = Federation::start(&[("kr", counts(&[])), ("us", Behaviour::Refuse)], "").await;
    let question =
        Question { ask: Ask::Preview { sql: SQL.to_owned() }, ..federation.question(SQL) };
    let told = federation.send(&federation.hana(), federation.sign(&question)).await;
    let outcomes: Vec<Outcome> = told.outcomes().into_values().collect();
    assert_eq!((outcomes, told.result()), (vec![Outcome::Answered, Outcome::Refused], None));
    let kinds: Vec<Type> = federation.log(2).await.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Type::Received, Type::Released]);
    let again = federation.send(&federation.hana(), federation.sign(&question)).await;
    assert_eq!(again.refusal().map(|refusal| refusal.code), Some(Code::Replayed));
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_come_to_nothing_are_not_complete_and_the_gateway_says_why() {
    let cells = counts(&[("Cocaine", 10)]);
    let federation = Federation::start(&[("kr", cells.clone()), ("us", cells)], "").await;
    let told = federation
        .ask("SELECT drug, 1 / (count(*) - count(*)) AS n FROM seizures GROUP BY drug")
        .await;
    let Some(Event::Complete { complete, answered, asked, no_result, .. }) = told.0.last() else {
        panic!("{:?}", told.0)
    };
    assert_eq!((*complete, *answered, *asked), (false, 2, 2));
    assert_eq!((*no_result, told.result()), (Some(NoResult::DivideByZero), None));
    let release = told.release(&federation);
    assert_eq!((release.no_result, release.result), (Some(NoResult::DivideByZero), None));
    let decisions: Vec<_> =
        federation.log(2).await.into_iter().filter_map(|entry| entry.decision).collect();
    assert_eq!(decisions, ["answered 2 of 2; no result: divide_by_zero"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refusal_is_signed_by_the_gateway() {
    let federation = Federation::start(&[("kr", counts(&[]))], "").await;
    let question = federation.question("DROP TABLE seizures");
    let told = federation.send(&federation.hana(), federation.sign(&question)).await;
    let [Event::Refused { refusal, signed, .. }] = told.0.as_slice() else {
        panic!("{:?}", told.0)
    };
    let key =
        federation.pki.roster().unwrap().gateway(&question.gateway).unwrap().answer_key.clone();
    let envelope = Envelope::parse(&signed.0, 1 << 16).unwrap();
    let opened = envelope.open(PayloadType::Refusal, &[key], 1, &Ed25519).unwrap();
    let signed: GatewayRefusal = opened.parse().unwrap();
    assert_eq!((&signed.refusal, signed.question), (refusal, Some(question.id.clone())));
    assert_eq!(signed.question_digest, sha256(&serde_json::to_vec(&question).unwrap()));
    assert_eq!(signed.log.map(|log| log.index), Some(0));
}
