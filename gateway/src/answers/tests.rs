//! Every way in which a node can answer wrongly is told apart from an answer.

use super::{AnswerFault, Expected, Wanted, check};
use crate::merge::Cut;
use arrow::array::{ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array};
use mayag_audit::keys::{SigningKey, sha256};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::{LevelRef, Literal, Predicate};
use mayag_protocol::answer::{
    Answer, Bundle, Decision, Listed, LogPosition, ReleasePart, logged_text,
};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::names::{Country, Digest, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use mayag_queries::merge::{wire_schema, write_part};
use mayag_queries::release::{MeasureOf, Output, Release, WireMeasure};
use std::sync::Arc;

fn release() -> Release {
    let key = |name: &str| LevelRef { column: name.parse().unwrap(), grain: None };
    Release {
        dataset: "seizures".parse().unwrap(),
        counted: None,
        keys: vec![key("country"), key("drug")],
        // Public values of both keys: two cells, no more and no less.
        filter: Predicate::In {
            level: key("drug"),
            values: ["Cocaine", "Heroin"].map(|drug| Literal::Text(drug.to_owned())).to_vec(),
        },
        wire: vec![WireMeasure { of: MeasureOf::Rows, filter: None }],
        outputs: vec![Output::Direct(0)],
    }
}

/// One cell per number: counts of `country`'s drugs.
fn part(country: &str, counts: &[i64]) -> Vec<u8> {
    let drugs = ["Cocaine", "Heroin", "Khat"];
    let cells = counts.iter().zip(drugs).map(|(count, drug)| (Some(drug), *count));
    part_of(country, &cells.collect::<Vec<_>>())
}

fn part_of(country: &str, cells: &[(Option<&str>, i64)]) -> Vec<u8> {
    let release = release();
    let catalogue = Catalogue::builtin();
    let schema = wire_schema(&release, catalogue.dataset("seizures").unwrap()).unwrap();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(StringArray::from(vec![country; cells.len()])),
        Arc::new(cells.iter().map(|cell| cell.0).collect::<StringArray>()),
        Arc::new(cells.iter().map(|cell| Some(cell.1)).collect::<Int64Array>()),
        Arc::new(UInt8Array::from(vec![CellStatus::Known.byte(); cells.len()])),
        Arc::new(Float64Array::from(vec![None; cells.len()])),
    ];
    write_part(&RecordBatch::try_new(schema, columns).unwrap()).unwrap()
}

fn digest() -> Digest {
    sha256(b"question")
}

fn id() -> QuestionId {
    QuestionId::from_bytes([1; 16])
}

fn logged_in(log: &str) -> LogPosition {
    LogPosition { origin: log.parse().unwrap(), index: 0, leaf: digest() }
}

fn answer(decision: Decision) -> Answer {
    Answer {
        v: 1,
        question: Some(id()),
        question_digest: digest(),
        country: "kr".parse().unwrap(),
        issued_at: Timestamp::from_millis(0),
        policy: None,
        decision,
        log: logged_in("node-kr.demo/query-log/2026"),
        logged: Base64::default(),
    }
}

fn answered(parts: &[Vec<u8>]) -> Decision {
    listing(parts, Listed::All, 2)
}

fn listing(parts: &[Vec<u8>], listed: Listed, cells: u64) -> Decision {
    let part = |bytes: &Vec<u8>| ReleasePart {
        digest: sha256(bytes),
        cells,
        listed,
        suppressed: false,
        grant: "all".to_owned(),
        protections: String::new(),
    };
    Decision::Answered { releases: parts.iter().map(part).collect() }
}

fn refused() -> Decision {
    Decision::Refused { refusal: Refusal::new(Code::NoGrant, "default-deny", "hint") }
}

struct Country1 {
    key: SigningKey,
    expected: Expected,
}

fn kr() -> Country1 {
    let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
    let cut = Cut::new(vec![release()], Arc::new(Catalogue::builtin()));
    let expected = Expected {
        country: "kr".parse::<Country>().unwrap(),
        node: "spiffe://demo/country/kr/node".parse().unwrap(),
        answer_key: key.public().clone(),
        question: id(),
        digest: digest(),
        wanted: Wanted::Cells(Arc::new(cut)),
    };
    Country1 { key, expected }
}

impl Country1 {
    fn sent(&self, answer: &Answer, parts: Vec<Vec<u8>>) -> Vec<u8> {
        let text = logged_text(&answer.question_digest, &answer.log);
        let signed = Answer { logged: Base64(self.key.sign(&text).to_vec()), ..answer.clone() };
        self.sent_payload(serde_json::to_vec(&signed).unwrap(), parts)
    }

    fn sent_payload(&self, payload: Vec<u8>, parts: Vec<Vec<u8>>) -> Vec<u8> {
        let envelope = Envelope::seal(PayloadType::Answer, payload, &self.key).to_bytes();
        Bundle { envelope, parts }.to_bytes().unwrap()
    }

    fn outcome(&self, answer: &Answer, parts: Vec<Vec<u8>>) -> Result<Outcome, AnswerFault> {
        check(&self.sent(answer, parts), &self.expected).map(|checked| checked.outcome())
    }
}

#[test]
fn an_answer_a_refusal_and_a_failure_are_what_they_say() {
    let kr = kr();
    let parts = vec![part("kr", &[3, 4])];
    assert_eq!(kr.outcome(&answer(answered(&parts)), parts), Ok(Outcome::Answered));
    assert_eq!(kr.outcome(&answer(refused()), Vec::new()), Ok(Outcome::Refused));
    let timed_out = Decision::Failed { id: "x".to_owned(), timed_out: true };
    assert_eq!(kr.outcome(&answer(timed_out), Vec::new()), Ok(Outcome::TimedOut));
    let unread = Answer { question: None, ..answer(refused()) };
    assert_eq!(
        kr.outcome(&unread, Vec::new()),
        Ok(Outcome::Refused),
        "a node that could not read the question"
    );
}

#[test]
fn only_the_key_of_the_country_counts() {
    let (other, kr) = (kr(), kr());
    let parts = vec![part("kr", &[3, 4])];
    let sent = other.sent(&answer(answered(&parts)), parts.clone());
    assert_eq!(check(&sent, &kr.expected).unwrap_err(), AnswerFault::Signature);
    let payload = serde_json::to_vec(&answer(answered(&parts))).unwrap();
    let envelope = Envelope::seal(PayloadType::Question, payload, &kr.key).to_bytes();
    let sent = Bundle { envelope, parts }.to_bytes().unwrap();
    assert_eq!(
        check(&sent, &kr.expected).unwrap_err(),
        AnswerFault::Signature,
        "signed as something else"
    );
}

#[test]
fn an_answer_to_something_else_is_not_accepted() {
    let kr = kr();
    let parts = vec![part("kr", &[3, 4])];
    let good = answer(answered(&parts));
    for wrong in [
        Answer { country: "us".parse().unwrap(), ..good.clone() },
        Answer { log: logged_in("gateway-1.demo/query-log/2026"), ..good.clone() },
        Answer { log: logged_in("node-kr.demo/admin-log/2026"), ..good.clone() },
        Answer { log: logged_in("node-kr.demo/query-log/last"), ..good.clone() },
        Answer { question: Some(QuestionId::from_bytes([2; 16])), ..good.clone() },
        Answer { question: None, ..good.clone() },
        Answer { question_digest: sha256(b"other"), ..good },
    ] {
        assert_eq!(kr.outcome(&wrong, parts.clone()), Err(AnswerFault::Other));
    }
    let wrong = Answer { question_digest: sha256(b"other"), ..answer(refused()) };
    assert_eq!(kr.outcome(&wrong, Vec::new()), Err(AnswerFault::Other));
    assert_eq!(
        kr.outcome(&answer(Decision::Shared { datasets: Vec::new() }), Vec::new()),
        Err(AnswerFault::Kind)
    );
    assert_eq!(
        kr.outcome(&answer(refused()), parts),
        Err(AnswerFault::Kind),
        "cells beside a refusal"
    );
}

#[test]
fn the_cells_are_those_that_were_signed_and_asked_for() {
    let kr = kr();
    let (one, two) = (part("kr", &[3, 4]), part("kr", &[3, 5]));
    let decision = answered(std::slice::from_ref(&one));
    assert_eq!(kr.outcome(&answer(decision.clone()), vec![two]), Err(AnswerFault::Digest));
    assert_eq!(kr.outcome(&answer(decision.clone()), Vec::new()), Err(AnswerFault::Kind));
    assert_eq!(
        kr.outcome(&answer(decision), vec![one.clone(), one.clone()]),
        Err(AnswerFault::Kind)
    );
    let twice = vec![one.clone(), one];
    assert_eq!(kr.outcome(&answer(answered(&twice)), twice), Err(AnswerFault::Kind));
    for cells in [b"garbage".to_vec(), Vec::new(), part("kr", &[3, 4, 5]), part("kr", &[3, -4])] {
        let parts = vec![cells];
        assert_eq!(kr.outcome(&answer(answered(&parts)), parts), Err(AnswerFault::Cells));
    }
}

#[test]
fn who_says_that_all_cells_are_listed_lists_every_combination_once() {
    let kr = kr();
    let outcome = |listed, cells: &[(Option<&str>, i64)]| {
        let parts = vec![part_of("kr", cells)];
        let signed = listing(&parts, listed, cells.len() as u64);
        kr.outcome(&answer(signed), parts)
    };
    let (cocaine, heroin) = ((Some("Cocaine"), 30), (Some("Heroin"), 40));
    assert_eq!(outcome(Listed::All, &[heroin, cocaine]), Ok(Outcome::Answered));
    for (what, cells) in [
        ("one missing", &[cocaine][..]),
        ("all missing", &[]),
        ("one more", &[cocaine, heroin, (Some("Khat"), 1)]),
        ("another one", &[cocaine, (Some("Khat"), 1)]),
        ("nothing, which the filter leaves out", &[cocaine, (None, 1)]),
        ("one twice", &[cocaine, cocaine]),
        ("all, and one twice", &[cocaine, heroin, cocaine]),
    ] {
        assert_eq!(outcome(Listed::All, cells), Err(AnswerFault::Cells), "{what}");
    }
    assert_eq!(outcome(Listed::Shown, &[cocaine]), Ok(Outcome::Answered), "and does not say so");
    assert_eq!(AnswerFault::Cells.outcome(), Outcome::Failed);
}

#[test]
fn no_country_speaks_for_another_or_spoils_its_sums() {
    let kr = kr();
    let outcome = |cells: Vec<u8>| {
        let parts = vec![cells];
        kr.outcome(&answer(answered(&parts)), parts)
    };
    assert_eq!(
        outcome(part("us", &[3, 4])),
        Err(AnswerFault::Cells),
        "cells under another country's name"
    );
    assert_eq!(
        outcome(part("kr", &[3, i64::MAX])),
        Err(AnswerFault::Cells),
        "a count that no sum could take"
    );
    assert_eq!(outcome(part("kr", &[3, i64::MAX / 1000])), Ok(Outcome::Answered));
}

#[test]
fn another_version_is_told_apart_from_garbage() {
    let kr = kr();
    let text = serde_json::to_string(&answer(refused())).unwrap();
    let outcome = |text: String| {
        let sent = kr.sent_payload(text.into_bytes(), Vec::new());
        check(&sent, &kr.expected).map_err(AnswerFault::outcome).unwrap_err()
    };
    assert_eq!(outcome(text.replace("\"v\":1,", "\"v\":2,\"news\":true,")), Outcome::Incompatible);
    assert_eq!(outcome(text.replace("\"v\":1,", "\"v\":2,")), Outcome::Incompatible);
    assert_eq!(outcome(text.replace("\"v\":1,", "\"v\":1,\"news\":true,")), Outcome::Failed);
    for garbage in [&b""[..], b"<html>", &[0xff; 64]] {
        assert_eq!(check(garbage, &kr.expected).unwrap_err(), AnswerFault::Garbage);
    }
}
