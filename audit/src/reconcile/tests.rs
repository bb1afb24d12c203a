//! A gateway and a node, and every way in which one of their logs can be made to say less or something else.

mod evidence;
mod seen;

use super::{AnswerKeys, Evidence, Facts, Report, Settings, What, reconcile};
use crate::entry::{CountryEnd, Entry, ResultClass, Type};
use crate::records::written::{GATEWAY, KR, Written, about, at, digest};
use mayag_protocol::answer::LogPosition;
use mayag_protocol::names::{Country, LogOrigin};
use mayag_protocol::outcome::Outcome;
use std::time::Duration;

fn kr() -> Country {
    "kr".parse().unwrap()
}

/// A gateway and a node that carried some questions, ten seconds each.
struct World {
    gateway: Written,
    kr: Written,
}

fn answered(number: u8, peer: &LogPosition, seconds: i64) -> Entry {
    Entry {
        result: Some(ResultClass::Aggregate),
        peer: Some(peer.clone()),
        ..about(Type::Answered, seconds, number)
    }
}

fn released(number: u8, outcome: Outcome, log: Option<LogPosition>, seconds: i64) -> Entry {
    let end =
        CountryEnd { outcome, answer: log.is_some().then(|| digest("answer")), log, signed: None };
    Entry { countries: [(kr(), end)].into(), ..about(Type::Released, seconds, number) }
}

impl World {
    fn new() -> Self {
        let mut world = Self { gateway: Written::new(GATEWAY), kr: Written::new(KR) };
        for number in 0..3 {
            world.question(number);
        }
        world
    }

    fn question(&mut self, number: u8) {
        let begin = i64::from(number) * 10;
        let received = self.gateway.push(&about(Type::Received, begin, number));
        let log = self.kr_answers(number, &received);
        self.gateway.push(&released(number, Outcome::Answered, Some(log), begin + 3));
    }

    fn kr_answers(&mut self, number: u8, received: &LogPosition) -> LogPosition {
        let begin = i64::from(number) * 10;
        let admitted =
            Entry { peer: Some(received.clone()), ..about(Type::Admitted, begin + 1, number) };
        self.kr.push(&admitted);
        self.kr.push(&answered(number, received, begin + 2))
    }

    /// Writes an entry of the gateway anew, as whoever has its key can.
    fn rewrite(log: &mut Written, index: usize, change: impl FnOnce(&mut Entry)) {
        let mut entry = Entry::parse(&log.entries[index]).unwrap();
        change(&mut entry);
        log.entries[index] = entry.to_bytes().unwrap();
    }

    fn reconcile_at(&self, seconds: i64) -> Report {
        self.reconcile_with(&AnswerKeys::default(), seconds)
    }

    fn reconcile_with(&self, keys: &AnswerKeys, seconds: i64) -> Report {
        let facts = [&self.gateway, &self.kr].map(|log| {
            let log = log.published();
            Facts::read(&log, &log.against(), keys).unwrap().unwrap()
        });
        reconcile(&facts, Settings { as_of: at(seconds), grace: Duration::from_mins(1) })
    }

    /// What is found long after, each with log and index.
    fn found(&self) -> Vec<(String, What)> {
        let report = self.reconcile_at(100_000);
        report.findings.into_iter().map(|found| (found.at.to_string(), found.what)).collect()
    }
}

fn place(log: &str, index: u64) -> String {
    format!("{log} entry {index}")
}

#[test]
fn logs_that_agree_give_counts_and_no_finding() {
    let report = World::new().reconcile_at(100_000);
    assert_eq!(report.findings, []);
    assert!(report.not_given.is_empty());
    let counts = report.counts;
    assert_eq!((counts.logs, counts.entries, counts.received, counts.released), (2, 12, 3, 3));
    assert_eq!((counts.at_nodes, counts.matched, counts.in_flight, counts.unended), (6, 9, 0, 0));
}

#[test]
fn whatever_a_node_handed_out_has_an_outcome_that_a_gateway_says_of_it() {
    for (result, outcome) in [
        (ResultClass::Aggregate, Outcome::Answered),
        (ResultClass::Catalogue, Outcome::Answered),
        (ResultClass::Error, Outcome::Failed),
        (ResultClass::Evaluated, Outcome::Answered),
        (ResultClass::Suppressed, Outcome::AnsweredSuppressed),
        (ResultClass::TimedOut, Outcome::TimedOut),
    ] {
        let mut world = World::new();
        let received = world.gateway.push(&about(Type::Received, 30, 3));
        let admitted = Entry { peer: Some(received.clone()), ..about(Type::Admitted, 31, 3) };
        world.kr.push(&admitted);
        let ended = Entry { result: Some(result), ..answered(3, &received, 32) };
        let log = world.kr.push(&ended);
        world.gateway.push(&released(3, outcome, Some(log), 33));
        assert_eq!(world.found(), [], "{result:?}");
    }
}

#[test]
fn a_question_that_the_gateway_left_out_is_shown_by_the_node() {
    // The last question is cut off the gateway's log.
    let mut world = World::new();
    world.gateway.entries.truncate(4);
    let omitted = || What::OmittedByGateway { signed: Evidence::Absent };
    assert_eq!(world.found(), [(place(KR, 4), omitted()), (place(KR, 5), omitted())]);
    // While it may be on its way, it is only counted.
    let report = world.reconcile_at(30);
    assert_eq!((report.findings.len(), report.counts.in_flight), (0, 2));

    // A question in the middle is left out, and everything after moves up.
    let mut world = World::new();
    world.gateway.entries.drain(2..4);
    let found = world.found();
    assert!(
        found.contains(&(place(KR, 2), What::AlteredAtGateway { signed: Evidence::Absent })),
        "{found:?}"
    );
}

#[test]
fn an_answer_that_the_node_left_out_is_shown_by_the_gateway() {
    let mut world = World::new();
    world.kr.entries.truncate(5);
    assert_eq!(
        world.found(),
        [(place(GATEWAY, 5), What::OmittedByNode { country: kr(), signed: Evidence::Absent })]
    );
    assert_eq!(world.reconcile_at(30).counts.in_flight, 1);
}

#[test]
fn an_entry_written_anew_has_another_hash_than_the_other_log_names() {
    let mut world = World::new();
    World::rewrite(&mut world.kr, 3, |entry| entry.cells = Some(1));
    assert_eq!(
        world.found(),
        [(place(GATEWAY, 3), What::AlteredAtNode { country: kr(), signed: Evidence::Absent })]
    );

    let mut world = World::new();
    World::rewrite(&mut world.gateway, 2, |entry| entry.case = Some(digest("another case")));
    let altered = || What::AlteredAtGateway { signed: Evidence::Absent };
    assert_eq!(world.found(), [(place(KR, 2), altered()), (place(KR, 3), altered())]);
}

#[test]
fn a_reference_to_something_else_is_no_reference() {
    // To the entry of another question.
    let mut world = World::new();
    let first = world.gateway.push(&about(Type::Received, 40, 5));
    world.kr_answers(6, &first);
    let found = world.found();
    assert_eq!(found, [(place(KR, 6), What::OtherQuestion), (place(KR, 7), What::OtherQuestion)]);
    // To one that does not say that a question was received, or is about none.
    for entry in [about(Type::Refused, 40, 6), Entry::new(Type::Opened, at(40)).unwrap()] {
        let mut world = World::new();
        let other = world.gateway.push(&entry);
        world.kr_answers(6, &other);
        let what = || What::NotReceived { signed: Evidence::Absent };
        assert_eq!(world.found(), [(place(KR, 6), what()), (place(KR, 7), what())]);
    }
}

#[test]
fn a_release_needs_the_entry_of_the_node_and_says_what_it_says() {
    let release = |outcome, with_log: bool| {
        let mut world = World::new();
        let received = world.gateway.push(&about(Type::Received, 40, 4));
        let log = world.kr_answers(4, &received);
        world.gateway.push(&released(4, outcome, with_log.then_some(log), 44));
        world.found()
    };
    assert_eq!(release(Outcome::Answered, true), []);
    let without = What::ReleasedWithoutEntry { country: kr() };
    assert_eq!(release(Outcome::Answered, false), [(place(GATEWAY, 7), without)]);
    // An answer that came too late is the node's and not the gateway's: no finding, and said.
    assert_eq!(release(Outcome::TimedOut, false), []);
    for outcome in [Outcome::Refused, Outcome::Failed, Outcome::AnsweredSuppressed] {
        let what = What::OtherOutcome { country: kr(), outcome };
        assert_eq!(release(outcome, true), [(place(GATEWAY, 7), what)]);
    }
    // The entry of an answer is not the one of admission, and is in the country's own log.
    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 40, 4));
    world.kr_answers(4, &received);
    let leaf = crate::tree::leaf_hash(&world.kr.entries[6]).into();
    let admitted = LogPosition { origin: KR.parse().unwrap(), index: 6, leaf };
    world.gateway.push(&released(4, Outcome::Answered, Some(admitted), 44));
    let what = What::OtherOutcome { country: kr(), outcome: Outcome::Answered };
    assert_eq!(world.found(), [(place(GATEWAY, 7), what)]);

    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 40, 4));
    world.kr_answers(4, &received);
    world.gateway.push(&released(4, Outcome::Answered, Some(received), 44));
    let what = What::OtherCountry { country: kr() };
    assert_eq!(world.found(), [(place(GATEWAY, 7), what)]);
}

#[test]
fn what_was_abandoned_has_ended_and_what_arrived_until_then_is_followed() {
    let abandoned =
        |log| Entry { kind: Type::Abandoned, ..released(4, Outcome::Answered, log, 44) };
    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 40, 4));
    let log = world.kr_answers(4, &received);
    world.gateway.push(&abandoned(Some(log)));
    let report = world.reconcile_at(100_000);
    assert_eq!(report.findings, []);
    let counts = report.counts;
    assert_eq!((counts.abandoned, counts.unended, counts.released), (1, 0, 3));
    // The node cannot leave out what it signed because nobody was told.
    world.kr.entries.truncate(7);
    let what = What::OmittedByNode { country: kr(), signed: Evidence::Absent };
    assert_eq!(world.found(), [(place(GATEWAY, 7), what)]);
    // And it ends what began.
    let mut world = World::new();
    world.gateway.push(&abandoned(None));
    assert!(world.found().contains(&(place(GATEWAY, 6), What::NotBegun)));
}

#[test]
fn an_answer_that_the_gateway_did_not_get_is_said_and_no_finding() {
    let unheard = |seconds: i64, outcome| {
        let mut world = World::new();
        let received = world.gateway.push(&about(Type::Received, 40, 4));
        world.kr_answers(4, &received);
        world.gateway.push(&released(4, outcome, None, seconds));
        let report = world.reconcile_at(100_000);
        assert_eq!(report.findings, []);
        report.unheard
    };
    // The node answered at 42 s.
    for (seconds, late) in [(43, true), (71, true), (72, false), (100, false)] {
        let found = unheard(seconds, Outcome::TimedOut);
        let [one] = found.as_slice() else { panic!("{found:?}") };
        assert_eq!((one.at.to_string(), one.answer.to_string()), (place(GATEWAY, 7), place(KR, 7)));
        assert_eq!((&one.country, one.outcome), (&kr(), Outcome::TimedOut));
        assert_eq!(one.is_late(), late, "{seconds}");
        let said = one.to_string();
        assert!(said.contains("`timed_out`") && said.contains("long before") != late, "{said}");
    }
    assert_eq!(unheard(43, Outcome::Unreachable).len(), 1);
    // Where the node has not answered there is nothing to say.
    let mut world = World::new();
    world.gateway.push(&about(Type::Received, 40, 4));
    world.gateway.push(&released(4, Outcome::TimedOut, None, 70));
    assert_eq!(world.reconcile_at(100_000).unheard, []);
}

#[test]
fn a_question_begins_before_it_ends_and_a_node_works_only_on_what_was_forwarded() {
    let mut world = World::new();
    world.kr.push(&about(Type::Answered, 40, 0));
    assert_eq!(world.found(), [(place(KR, 6), What::NotForwarded)]);

    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 40, 4));
    let log = world.kr.push(&answered(4, &received, 42));
    world.gateway.push(&released(4, Outcome::Answered, Some(log), 43));
    assert_eq!(world.found(), [(place(KR, 6), What::NotBegun)]);

    // What a node refused because nothing was forwarded with it names nothing; what never ended is counted.
    let mut world = World::new();
    world.kr.push(&about(Type::Refused, 40, 4));
    world.gateway.push(&about(Type::Received, 40, 5));
    let report = world.reconcile_at(100_000);
    assert_eq!(
        (report.findings.len(), report.counts.not_forwarded, report.counts.unended),
        (0, 1, 1)
    );
}

#[test]
fn a_log_that_was_not_given_is_named_and_not_taken_for_agreement() {
    let world = World::new();
    let log = world.kr.published();
    let facts = [Facts::read(&log, &log.against(), &AnswerKeys::default()).unwrap().unwrap()];
    let report = reconcile(&facts, Settings { as_of: at(100_000), grace: Duration::from_mins(1) });
    assert_eq!((report.findings.len(), report.counts.matched), (0, 0));
    let named: Vec<&str> = report.not_given.iter().map(LogOrigin::as_str).collect();
    assert_eq!(named, [GATEWAY]);
}

#[test]
fn an_entry_dated_before_those_before_it_is_back_dated() {
    let mut world = World::new();
    let quiet = |seconds| Entry::new(Type::Opened, at(seconds)).unwrap();
    for seconds in [100, 101, 10, 102] {
        world.kr.push(&quiet(seconds));
    }
    let back = What::BackDated { at: at(10), after: at(101) };
    assert_eq!(world.found(), [(place(KR, 8), back.clone())]);
    // Also as the last one.
    world.kr.entries.truncate(9);
    assert_eq!(world.found(), [(place(KR, 8), back)]);
    // Half a minute is disorder among callers.
    let mut world = World::new();
    for seconds in [100, 71, 102] {
        world.kr.push(&quiet(seconds));
    }
    assert_eq!(world.found(), []);
}

#[test]
fn an_entry_dated_before_what_it_names_is_back_dated() {
    let mut world = World::new();
    let received = world.gateway.push(&about(Type::Received, 200, 4));
    let peer = Some(received);
    world.kr.push(&Entry { peer, ..about(Type::Admitted, 41, 4) });
    let what = What::BeforeItsCause { at: at(41), then: at(200) };
    assert_eq!(world.found(), [(place(KR, 6), what)]);

    // And before a checkpoint that it holds.
    let mut world = World::new();
    world.gateway.push(&about(Type::Received, 200, 4));
    let seen = world.gateway.seen(7, None);
    world.kr.push(&Entry { seen: vec![seen], ..Entry::new(Type::Opened, at(60)).unwrap() });
    let what = What::BeforeItsCause { at: at(60), then: at(200) };
    assert_eq!(world.found(), [(place(KR, 6), what)]);
}

#[test]
fn an_entry_dated_after_those_after_it_is_forward_dated() {
    let mut world = World::new();
    for seconds in [100, 9000, 101, 102] {
        world.kr.push(&Entry::new(Type::Opened, at(seconds)).unwrap());
    }
    let what = What::ForwardDated { at: at(9000), before: at(101) };
    assert_eq!(world.found(), [(place(KR, 7), what)]);
}

#[test]
fn an_entry_dated_after_its_log_was_copied_is_forward_dated() {
    let mut world = World::new();
    world.kr.push(&Entry::new(Type::Opened, at(200_000)).unwrap());
    let what = What::FromTheFuture { at: at(200_000), existed: at(100_000) };
    assert_eq!(world.found(), [(place(KR, 6), what)]);
}

#[test]
fn an_entry_dated_after_it_was_cosigned_is_forward_dated() {
    let mut world = World::new();
    let found = |world: &World| {
        let log = world.kr.cosigned(Some(at(100)));
        let facts = [Facts::read(&log, &log.against(), &AnswerKeys::default()).unwrap().unwrap()];
        let settings = Settings { as_of: at(100_000), grace: Duration::from_mins(1) };
        reconcile(&facts, settings).findings
    };
    world.kr.push(&Entry::new(Type::Opened, at(130)).unwrap());
    assert_eq!(found(&world), []);
    world.kr.push(&Entry::new(Type::Opened, at(131)).unwrap());
    let found = found(&world);
    assert_eq!(found[0].what, What::FromTheFuture { at: at(131), existed: at(100) });
    assert_eq!((found.len(), found[0].at.index), (1, 7));
}
