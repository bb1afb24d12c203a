//! Nodes that misbehave: the others' answers arrive within the deadline, and the outcome names the country.

use crate::federation::{Federation, SQL};
use crate::node::Behaviour;
use mayag_protocol::event::Event;
use mayag_protocol::outcome::Outcome;
use std::time::Duration;

/// Long enough for a debug build on a busy machine, short enough to be told from a node that is waited for.
const DEADLINE: Duration = Duration::from_secs(4);

/// One federation with an honest country on either side of a misbehaving one; what that one's outcome must be.
async fn beside_honest_ones(behaviour: Behaviour, expected: Outcome) {
    let counts = |n| Behaviour::Counts(vec![("Cocaine", n), ("Heroin", 2 * n)]);
    let countries = [("au", counts(10)), ("kr", behaviour), ("us", counts(7))];
    let federation = Federation::start(&countries, "deadline = \"4s\"").await;
    let began = tokio::time::Instant::now();
    let told = federation.ask(SQL).await;
    let took = began.elapsed();
    let outcomes: Vec<(String, Outcome)> = told.outcomes().into_iter().collect();
    let named = |code: &str, outcome| (code.to_owned(), outcome);
    assert_eq!(
        outcomes,
        [named("au", Outcome::Answered), named("kr", expected), named("us", Outcome::Answered)]
    );
    for event in &told.0 {
        if let Event::Country { country, ms, bundle, .. } = event {
            let honest = country.as_str() != "kr";
            assert_eq!(bundle.is_some(), honest, "only what verified is handed on");
            assert!(!honest || *ms < 3500, "{country} was not kept waiting: {ms} ms");
        }
    }
    assert!(took < DEADLINE + Duration::from_secs(3), "{took:?}");
    let release = told.release(&federation);
    assert_eq!(
        release.countries.iter().map(|c| c.outcome).collect::<Vec<_>>(),
        outcomes.iter().map(|o| o.1).collect::<Vec<_>>()
    );
    assert_eq!(told.cells(), [("Cocaine".to_owned(), 17), ("Heroin".to_owned(), 34)]);
    // The gateway is as well as before.
    assert_eq!(federation.ask(SQL).await.outcomes().get("us"), Some(&Outcome::Answered));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_hangs_is_waited_for_until_the_deadline() {
    beside_honest_ones(Behaviour::Hang, Outcome::TimedOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_accepts_and_says_nothing_is_waited_for_until_the_deadline() {
    beside_honest_ones(Behaviour::Mute, Outcome::TimedOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_trickles_is_waited_for_until_the_deadline() {
    beside_honest_ones(Behaviour::Trickle, Outcome::TimedOut).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_there_is_unreachable() {
    beside_honest_ones(Behaviour::Gone, Outcome::Unreachable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_is_not_known_here_is_not_asked() {
    beside_honest_ones(Behaviour::Unlisted, Outcome::NotAsked).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_that_speaks_no_tls_is_unreachable() {
    beside_honest_ones(Behaviour::NoTls, Outcome::Unreachable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_country_in_its_place_is_unreachable() {
    beside_honest_ones(Behaviour::OtherCertificate, Outcome::Unreachable).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_has_failed() {
    beside_honest_ones(Behaviour::Garbage, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_signature_has_failed() {
    beside_honest_ones(Behaviour::WrongKey, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_to_another_question_has_failed() {
    beside_honest_ones(Behaviour::OtherQuestion, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_were_not_signed_have_failed() {
    beside_honest_ones(Behaviour::OtherCells, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_are_not_all_although_it_says_so_have_failed() {
    for lie in [Behaviour::OneCellLess, Behaviour::OneCellMore, Behaviour::OneCellTwice] {
        beside_honest_ones(lie, Outcome::Failed).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn cells_that_would_overflow_the_sum_have_failed() {
    beside_honest_ones(Behaviour::Counts(vec![("Cocaine", i64::MAX)]), Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_answer_has_failed() {
    beside_honest_ones(Behaviour::Endless, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_the_server_has_failed() {
    beside_honest_ones(Behaviour::Status(500), Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_route_that_is_not_there_is_another_version() {
    beside_honest_ones(Behaviour::Status(404), Outcome::Incompatible).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_dies_while_it_answers_has_failed() {
    beside_honest_ones(Behaviour::Dies, Outcome::Failed).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn countries_that_send_without_end_take_no_room_from_the_others() {
    let countries = [
        ("au", Behaviour::Endless),
        ("kr", Behaviour::Counts(vec![("Cocaine", 10)])),
        ("th", Behaviour::Endless),
        ("us", Behaviour::Counts(vec![("Cocaine", 7)])),
    ];
    // Far less than one answer may have: it is the question's memory that ends them.
    let limits = "deadline = \"8s\"\nmemory = \"512KiB\"\nquestion_memory = \"512KiB\"";
    let federation = Federation::start(&countries, limits).await;
    for _ in 0..3 {
        let told = federation.ask(SQL).await;
        let outcomes: Vec<Outcome> = told.outcomes().into_values().collect();
        let (failed, answered) = (Outcome::Failed, Outcome::Answered);
        assert_eq!(outcomes, [failed, answered, failed, answered]);
        assert_eq!(told.cells(), [("Cocaine".to_owned(), 17)], "and all of it is given back");
    }
}
