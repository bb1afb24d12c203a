//! Nothing leaves before the log says so, and every question has an end there.

use crate::federation::{Federation, SQL};
use crate::node::Behaviour;
use mayag_audit::entry::Type;
use mayag_protocol::event::Event;
use mayag_protocol::names::Country;
use mayag_transport::files::{self, Mode};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Two countries: one that answers, and one that answers once the semaphore has a permit.
async fn one_is_held() -> (Federation, Arc<Semaphore>) {
    let permits = Arc::new(Semaphore::new(0));
    let held = Behaviour::Held(Arc::clone(&permits));
    let countries = [("kr", Behaviour::Counts(vec![("Cocaine", 10)])), ("us", held)];
    (Federation::start(&countries, "").await, permits)
}

/// Asks, and reads until the first country is done.
async fn until_one_is_done(federation: &Federation) -> mayag_transport::client::Answer {
    let body = federation.sign(&federation.question(SQL));
    let mut lines = federation.open(&federation.hana(), body).await;
    for expected in ["accepted", "arrived"] {
        let line = lines.next_line(1 << 20).await.unwrap().unwrap();
        assert!(line.starts_with(format!("{{\"type\":\"{expected}\"").as_bytes()), "{line:?}");
    }
    lines
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_a_country_signed_leaves_unless_the_log_holds_it() {
    let (federation, permits) = one_is_held().await;
    let mut lines = until_one_is_done(&federation).await;
    // Somebody else signs this log: with the next checkpoint it is closed.
    let log = federation.published().parent().unwrap().join("guard/last-signed");
    assert!(log.exists());
    files::replace(&log, b"another\n", Mode::Secret).unwrap();
    federation.ask("DROP TABLE seizures").await;
    let closed = tokio::time::timeout(Duration::from_secs(20), federation.gateway().log_failed());
    closed.await.unwrap();
    permits.add_permits(1);
    let mut rest = Vec::new();
    while let Some(line) = lines.next_line(1 << 20).await.unwrap() {
        rest.push(serde_json::from_slice::<Event>(&line).unwrap());
    }
    let [Event::Arrived { country, .. }] = rest.as_slice() else {
        panic!("all have answered, and nothing of it may leave: {rest:?}")
    };
    assert_eq!(country.as_str(), "us");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_who_leaves_has_nothing_and_the_log_says_so() {
    let (federation, permits) = one_is_held().await;
    // Even of a question that is answered by all a moment later, nothing was told but that kr is there.
    drop(until_one_is_done(&federation).await);
    let entries = federation.log(2).await;
    permits.add_permits(1);
    let kinds: Vec<Type> = entries.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Type::Received, Type::Abandoned]);
    let [received, end] = entries.as_slice() else { panic!() };
    assert_eq!((&received.question_digest, &received.actor), (&end.question_digest, &end.actor));
    assert_eq!(end.decision.as_deref(), Some("cut_off"));
    assert_eq!((&end.result_digest, end.cells, end.result), (&None, None, None));
    let there: Vec<_> = end.countries.keys().map(Country::as_str).collect();
    assert_eq!(there, ["kr"], "what arrived until then");
    let kr = &end.countries[&"kr".parse().unwrap()];
    assert!(kr.log.is_some() && kr.signed.is_some(), "and where kr's log holds it");
    // The gateway is as well as before, and one question has one end.
    federation.ask("SELECT count(*) AS n FROM seizures WHERE drug = 1").await;
    let kinds: Vec<Type> = federation.log(3).await.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds[..2], [Type::Received, Type::Abandoned]);
    assert_ne!(kinds[2], Type::Abandoned);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_that_is_cut_off_by_the_gateways_end_has_an_end_too() {
    let (mut federation, _permits) = one_is_held().await;
    let lines = until_one_is_done(&federation).await;
    // Dropped, not shut down: nobody waits for the country.
    drop(federation.gateway.take());
    let kinds: Vec<Type> = federation.log(2).await.iter().map(|entry| entry.kind).collect();
    assert_eq!(kinds, [Type::Received, Type::Abandoned]);
    drop(lines);
}
