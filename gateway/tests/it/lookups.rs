//! Lookups through a gateway: the same bytes to everybody, and nothing in them or in what comes back that it could read.

use crate::federation::{Federation, country};
use crate::node::{Behaviour, LONG_BYTES, PUBLISHED_BYTES};
use http::StatusCode;
use mayag_audit::entry::{ResultClass, Type};
use mayag_audit::keys::sha256;
use mayag_protocol::answer::Bundle;
use mayag_protocol::lookup::{
    DeclaredSearch, DeclaredTarget, LOOKUPS, PUBLISHED, Search, Target, Wanted,
};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Code;

fn plain() -> Behaviour {
    Behaviour::Counts(Vec::new())
}

/// A lookup in one table of every country, and its vector of `elements` elements.
fn lookup(federation: &Federation, elements: u32) -> (Question, Vec<u8>) {
    let question = federation.question("");
    let vector: Vec<u8> = (0..elements * 32).map(|i| (i % 251) as u8).collect();
    let target = |country: &mayag_protocol::names::Country| Target {
        country: country.clone(),
        table: "stolen_documents".parse().unwrap(),
        epoch: 7,
    };
    let search = Search {
        identifiers: "travel_document".parse().unwrap(),
        rules: 1,
        elements,
        blinded: sha256(&vector),
        opening: sha256(b"sealed"),
        targets: question.countries.iter().map(target).collect(),
    };
    (Question { ask: Ask::Lookup { search }, ..question }, vector)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_is_carried_with_its_vector_and_logged() {
    let federation = Federation::start(&[("kr", plain()), ("us", plain())], "").await;
    let (question, vector) = lookup(&federation, 65);
    let told = federation.look_up(&question, &vector).await;
    let answered = [("kr", Outcome::Answered), ("us", Outcome::Answered)];
    assert_eq!(told.outcomes(), answered.map(|(code, of)| (code.to_owned(), of)).into());
    assert_eq!(told.result(), None);
    for (code, node) in &federation.nodes {
        let received = node.received();
        let bundle = Bundle::parse(&received[0]).unwrap();
        assert_eq!((received.len(), bundle.parts), (1, vec![vector.clone()]), "byte for byte");
        let bundle = Bundle::parse(told.country(code).1.unwrap()).unwrap();
        let evaluated: Vec<u8> = vector.iter().rev().copied().collect();
        assert_eq!(bundle.parts, [evaluated]);
    }
    let entries = federation.log(2).await;
    let kinds: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.result)).collect();
    assert_eq!(kinds, [(Type::Received, None), (Type::Released, Some(ResultClass::Evaluated))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lookup_without_the_vector_it_was_signed_with_goes_nowhere() {
    let federation = Federation::start(&[("kr", plain())], "").await;
    let refused = |told: &crate::federation::Told| told.refusal().map(|refusal| refusal.code);
    for change in [
        (|vector| vector[0] ^= 1) as fn(&mut Vec<u8>),
        |vector| vector.truncate(32),
        |vector| vector.extend([0; 32]),
        Vec::clear,
    ] {
        let (question, mut vector) = lookup(&federation, 9);
        change(&mut vector);
        let told = federation.look_up(&question, &vector).await;
        assert_eq!(refused(&told), Some(Code::MalformedQuestion));
    }
    let (question, vector) = lookup(&federation, 9);
    let told = federation.send(&federation.hana(), federation.sign(&question)).await;
    assert_eq!(refused(&told), Some(Code::MalformedQuestion), "none beside it");
    let told = federation.look_up(&federation.question(crate::federation::SQL), &vector).await;
    assert_eq!(refused(&told), Some(Code::MalformedQuestion), "SQL has none");
    for parts in [vec![], vec![vector.clone(), vector.clone()]] {
        let (question, _) = lookup(&federation, 9);
        let body = Bundle { envelope: federation.sign(&question), parts }.to_bytes().unwrap();
        let response = federation.post(&federation.hana(), LOOKUPS, body).await.unwrap();
        let told = crate::federation::Told::of(&response.into_body().read().await.unwrap());
        assert_eq!(refused(&told), Some(Code::MalformedQuestion));
    }
    let response = federation.post(&federation.hana(), LOOKUPS, vec![0xff; 100]).await.unwrap();
    let told = crate::federation::Told::of(&response.into_body().read().await.unwrap());
    assert_eq!(refused(&told), Some(Code::MalformedQuestion), "no bundle");
    let sql = federation.sign(&federation.question(crate::federation::SQL));
    let response = federation.post(&federation.hana(), LOOKUPS, sql).await.unwrap();
    let told = crate::federation::Told::of(&response.into_body().read().await.unwrap());
    assert_eq!(refused(&told), Some(Code::MalformedQuestion), "SQL is no lookup");
    assert_eq!(federation.nodes["kr"].received().len(), 0, "nobody was asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_evaluation_of_the_vector_is_no_answer() {
    let behaviours =
        [("kr", plain()), ("us", Behaviour::OtherCells), ("vn", Behaviour::ShortVector)];
    let federation = Federation::start(&behaviours, "").await;
    let (question, vector) = lookup(&federation, 9);
    let told = federation.look_up(&question, &vector).await;
    let outcomes = told.outcomes();
    assert_eq!(outcomes["kr"], Outcome::Answered);
    assert_eq!((outcomes["us"], outcomes["vn"]), (Outcome::Failed, Outcome::Failed));
    assert_eq!(told.country("us"), (None, None), "nothing that did not verify is carried");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declared_lookup_is_carried_with_what_is_sealed_and_answers_have_one_length() {
    let behaviours =
        [("kr", plain()), ("us", Behaviour::OtherCells), ("vn", Behaviour::ShortVector)];
    let federation = Federation::start(&behaviours, "").await;
    let question = federation.question("");
    let target = |country: &mayag_protocol::names::Country| DeclaredTarget {
        country: country.clone(),
        table: "observed".parse().unwrap(),
    };
    let mut search = DeclaredSearch {
        identifiers: "travel_document".parse().unwrap(),
        rules: 1,
        elements: 9,
        sealed: sha256(b""),
        commitment: sha256(b"committed"),
        opening: sha256(b"sealed"),
        targets: question.countries.iter().map(target).collect(),
    };
    let beside = vec![9; search.beside_bytes()];
    search.sealed = sha256(&beside);
    let question = Question { ask: Ask::Declared { search }, ..question };
    let told = federation.look_up(&question, &beside).await;
    let outcomes = told.outcomes();
    assert_eq!(outcomes["kr"], Outcome::Answered);
    assert_eq!((outcomes["us"], outcomes["vn"]), (Outcome::Failed, Outcome::Failed));
    let bundle = Bundle::parse(&federation.nodes["kr"].received()[0]).unwrap();
    assert_eq!(bundle.parts, std::slice::from_ref(&beside), "byte for byte");

    let mut changed = beside;
    changed[0] ^= 1;
    let again = Question { nonce: federation.question("").nonce, ..question };
    let told = federation.look_up(&again, &changed).await;
    assert_eq!(told.refusal().map(|refusal| refusal.code), Some(Code::MalformedQuestion));
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_that_nobody_takes_have_places_like_questions() {
    let federation = Federation::start(&[("kr", plain())], "questions_per_person = 2").await;
    let wanted = Wanted { country: country("kr"), digest: sha256(LONG_BYTES), offset: 0 };
    let body = serde_json::to_vec(&wanted).unwrap();
    let hana = federation.hana();
    let ask = || federation.post(&hana, PUBLISHED, body.clone());
    // Each on a connection of its own, and not read: more than connections keep on their way.
    let (first, second) = (ask().await.unwrap(), ask().await.unwrap());
    assert_eq!([first.status(), second.status()], [StatusCode::OK; 2]);
    assert_eq!(ask().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    let others = federation.post(&federation.alex(), PUBLISHED, body.clone()).await.unwrap();
    assert_eq!(others.status(), StatusCode::OK, "somebody else has places");
    assert_eq!(first.into_body().read().await.unwrap(), LONG_BYTES);
    drop((second, others));
    for _ in 0..200 {
        if ask().await.unwrap().status() == StatusCode::OK {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("places that were given back are not there");
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_of_what_nodes_published_are_carried() {
    let federation = Federation::start(&[("kr", plain())], "").await;
    let ask = async |wanted: &Wanted| {
        let body = serde_json::to_vec(wanted).unwrap();
        let response = federation.post(&federation.hana(), PUBLISHED, body).await.unwrap();
        (response.status(), response.into_body().read().await.unwrap().to_vec())
    };
    let wanted = Wanted { country: country("kr"), digest: sha256(PUBLISHED_BYTES), offset: 2 };
    assert_eq!(ask(&wanted).await, (StatusCode::OK, PUBLISHED_BYTES[2..].to_vec()));
    let end = Wanted { offset: PUBLISHED_BYTES.len() as u64, ..wanted.clone() };
    assert_eq!(ask(&end).await, (StatusCode::NOT_FOUND, Vec::new()));
    let other = Wanted { digest: sha256(b"other"), ..wanted.clone() };
    assert_eq!(ask(&other).await, (StatusCode::NOT_FOUND, Vec::new()));
    let nobody = Wanted { country: country("zz"), ..wanted };
    assert_eq!(ask(&nobody).await, (StatusCode::NOT_FOUND, Vec::new()));
    let garbage = federation.post(&federation.hana(), PUBLISHED, b"{}".to_vec()).await.unwrap();
    assert_eq!(garbage.status(), StatusCode::BAD_REQUEST);
    let question = Question { ask: Ask::Tables {}, ..federation.question("") };
    let told = federation.send(&federation.hana(), federation.sign(&question)).await;
    let bundle = Bundle::parse(told.country("kr").1.unwrap()).unwrap();
    assert_eq!(bundle.parts, [PUBLISHED_BYTES]);
}
