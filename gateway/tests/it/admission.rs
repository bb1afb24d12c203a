//! Who gets in, what is refused before anybody is asked, and what survives a restart.

use crate::federation::{Federation, SQL, identity};
use crate::node::Behaviour;
use mayag_audit::entry::Type;
use mayag_gateway::{Gateway, GatewayError, ROUTES};
use mayag_protocol::question::Question;
use mayag_protocol::refusal::Code;
use mayag_transport::clock::SystemClock;
use std::sync::Arc;
use std::time::Duration;

async fn two() -> Federation {
    let counts = Behaviour::Counts(vec![("Cocaine", 10)]);
    Federation::start(&[("kr", counts.clone()), ("us", counts)], "questions_per_person = 2").await
}

#[tokio::test(flavor = "multi_thread")]
async fn refused_questions_reach_nobody_and_are_logged() {
    let federation = two().await;
    let hana = federation.hana();
    let good = || federation.question(SQL);
    let unknown =
        Question { countries: vec!["kr".parse().unwrap(), "zz".parse().unwrap()], ..good() };
    let elsewhere = Question { gateway: identity("gateway/2"), ..good() };
    let late = Question { expires_at: good().issued_at, ..good() };
    let not_hers = Question { analyst: federation.alex(), ..good() };
    let cases = [
        (federation.sign(&unknown), Code::WrongAudience),
        (federation.sign(&elsewhere), Code::WrongAudience),
        (federation.sign(&late), Code::Expired),
        (federation.sign(&not_hers), Code::NotYours),
        (federation.sign(&federation.question("SELECT * FROM seizures")), Code::RowsNotShared),
        (federation.sign(&federation.question("DROP TABLE seizures")), Code::NotOneSelect),
        (b"{}".to_vec(), Code::MalformedQuestion),
    ];
    let number = cases.len();
    for (body, code) in cases {
        let told = federation.send(&hana, body).await;
        assert_eq!(told.refusal().map(|refusal| refusal.code), Some(code));
    }
    assert!(federation.nodes.values().all(|node| node.received().is_empty()), "nobody was asked");
    let log = federation.log(number).await;
    assert_eq!(log.iter().filter(|entry| entry.kind == Type::Refused).count(), number);
    assert!(log.iter().all(|entry| entry.kind != Type::Received));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_question_is_carried_once_even_across_a_restart() {
    let mut federation = two().await;
    let hana = federation.hana();
    let body = federation.sign(&federation.question(SQL));
    assert_eq!(federation.send(&hana, body.clone()).await.refusal(), None);
    let code = |told: crate::federation::Told| told.refusal().map(|refusal| refusal.code);
    assert_eq!(code(federation.send(&hana, body.clone()).await), Some(Code::Replayed));
    federation.restart("").await;
    assert_eq!(code(federation.send(&hana, body.clone()).await), Some(Code::Replayed));
    // The program died while it wrote its last line: what came before is remembered all the same.
    federation.restart("").await;
    assert_eq!(code(federation.send(&hana, body).await), Some(Code::Replayed));
    assert_eq!(federation.nodes["kr"].received().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_person_has_a_few_questions_at_a_time() {
    let hanging = [("kr", Behaviour::Counts(vec![("Cocaine", 1)])), ("us", Behaviour::Hang)];
    let federation =
        Federation::start(&hanging, "questions_per_person = 2\ndeadline = \"8s\"").await;
    let open = |who| {
        federation.open(
            who,
            federation.sign(&Question { analyst: who.clone(), ..federation.question(SQL) }),
        )
    };
    let (hana, alex) = (federation.hana(), federation.alex());
    let (mut first, mut second) = (open(&hana).await, open(&hana).await);
    for lines in [&mut first, &mut second] {
        assert!(
            lines.next_line(4096).await.unwrap().unwrap().starts_with(b"{\"type\":\"accepted\"")
        );
    }
    let mut third = open(&hana).await;
    let line = third.next_line(4096).await.unwrap().unwrap();
    assert!(
        line.starts_with(b"{\"type\":\"refused\"") && line.windows(10).any(|w| w == b"MAYAG-4001"),
        "{line:?}"
    );
    let mut other = open(&alex).await;
    assert!(other.next_line(4096).await.unwrap().unwrap().starts_with(b"{\"type\":\"accepted\""));
    drop(first);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let mut again = open(&hana).await;
    assert!(
        again.next_line(4096).await.unwrap().unwrap().starts_with(b"{\"type\":\"accepted\""),
        "a place was given back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_but_analysts_of_the_roster_is_let_in() {
    let federation = two().await;
    let min = identity("country/kr/administrator/min");
    assert!(
        federation.post(&min, "/v1/questions", Vec::new()).await.is_err(),
        "an administrator does not ask"
    );
    let missing = federation.post(&federation.hana(), "/v1/answers", Vec::new()).await.unwrap();
    assert_eq!(missing.status(), http::StatusCode::NOT_FOUND);
    assert_eq!(ROUTES.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_the_roster_is_let_in_no_more_and_an_older_roster_changes_nothing() {
    let federation = two().await;
    let (alex, gateway) = (federation.alex(), identity("gateway/1"));
    let question = || Question { analyst: alex.clone(), ..federation.question(SQL) };
    assert_eq!(federation.send(&alex, federation.sign(&question())).await.refusal(), None);
    let before = federation.pki.roster().unwrap();
    let signers = federation.pki.roster_signers().unwrap();
    let mut without = before.clone();
    without.version += 1;
    without.people.retain(|person| person.identity != alex);
    let client = federation.client(&alex);
    let address = federation.gateway().address().to_string();
    let post = || {
        let body = federation.sign(&question()).into();
        client.post(&address, &gateway, "/v1/questions", body)
    };
    let live = post().await.unwrap().into_body();
    federation.pki.write_roster(&without, &signers).unwrap();
    federation.gateway().reload().unwrap();
    // What was under way on the connection is cut off with it, or ended just before.
    let _read = live.read().await;
    assert!(post().await.is_err(), "the live connection was closed, and a new one is not let in");
    federation.post(&alex, "/v1/questions", federation.sign(&question())).await.unwrap_err();
    // The old roster, put back, is refused; what was in force stays.
    federation.pki.write_roster(&before, &signers).unwrap();
    assert!(matches!(federation.gateway().reload(), Err(GatewayError::Roster(_))));
    federation.post(&alex, "/v1/questions", federation.sign(&question())).await.unwrap_err();
    assert_eq!(federation.ask(SQL).await.refusal(), None);
    // One signature is not enough.
    let mut next = without;
    next.version += 1;
    federation.pki.write_roster(&next, &signers[..1]).unwrap();
    assert!(matches!(federation.gateway().reload(), Err(GatewayError::Roster(_))));
}

#[tokio::test(flavor = "multi_thread")]
async fn one_state_folder_has_one_gateway_and_its_address_is_written() {
    let federation = two().await;
    let second = Gateway::start(federation.config(""), Arc::new(SystemClock)).await;
    assert!(matches!(second, Err(GatewayError::Logs(_))), "{second:?}");
    let address =
        std::fs::read_to_string(federation.folder.path().join("gateway").join("address")).unwrap();
    assert_eq!(address.trim(), federation.gateway().address().to_string());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_questions_finish() {
    let hanging = [("kr", Behaviour::Counts(vec![("Cocaine", 1)])), ("us", Behaviour::Hang)];
    let federation = Federation::start(&hanging, "deadline = \"2s\"").await;
    let mut lines =
        federation.open(&federation.hana(), federation.sign(&federation.question(SQL))).await;
    assert!(lines.next_line(4096).await.unwrap().is_some());
    let mut federation = federation;
    let (read, ()) = tokio::join!(lines.read(), federation.gateway.take().unwrap().shutdown());
    let text = String::from_utf8(read.unwrap().to_vec()).unwrap();
    assert!(text.lines().last().unwrap().starts_with("{\"type\":\"complete\""), "{text}");
}
