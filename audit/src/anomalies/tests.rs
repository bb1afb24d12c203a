//! One small log per kind of anomaly, and one in which nothing is odd.

use super::{Anomalies, Anomaly, Oddity, Thresholds};
use crate::entry::{Entry, ResultClass, Type};
use crate::records::read;
use crate::records::written::{KR, Written, about, digest};
use mayag_protocol::purpose::Purpose;

const ADMIN: &str = "node-kr.demo/admin-log/2026";

const DAY: i64 = 24 * 60 * 60;

fn anomalies(logs: &[Written]) -> Vec<Anomaly> {
    let mut anomalies = Anomalies::new(Thresholds::default());
    for log in logs {
        let log = log.published();
        read(&log, &log.against(), &mut |located| anomalies.look(&located)).unwrap();
    }
    anomalies.into_found()
}

fn log(entries: &[Entry]) -> Written {
    let mut log = Written::new(KR);
    for entry in entries {
        log.push(entry);
    }
    log
}

fn indices(anomaly: &Anomaly) -> Vec<u64> {
    anomaly.entries.iter().map(|place| place.index).collect()
}

fn under(policy: &str, entry: Entry) -> Entry {
    Entry { policy: Some(digest(policy)), ..entry }
}

fn answered(seconds: i64, number: u8) -> Entry {
    Entry { result: Some(ResultClass::Aggregate), ..about(Type::Answered, seconds, number) }
}

#[test]
fn many_questions_at_once_are_a_burst_and_the_same_number_in_peace_is_none() {
    let asked = |step| (0..30).map(|n| about(Type::Admitted, i64::from(n) * step, n)).collect();
    let quick: Vec<Entry> = asked(2);
    let found = anomalies(&[log(&quick)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, Oddity::Burst { questions: 30 });
    assert_eq!(indices(&found[0]), (0..30).collect::<Vec<u64>>());
    assert_eq!(anomalies(&[log(&quick[..29])]), []);
    let slow: Vec<Entry> = asked(3);
    assert_eq!(anomalies(&[log(&slow)]), []);
    // A question that is admitted and then refused is one.
    let both = quick[..15].iter().flat_map(|entry| {
        [entry.clone(), Entry { kind: Type::Refused, at: entry.at, ..entry.clone() }]
    });
    let both = anomalies(&[log(&both.collect::<Vec<_>>())]);
    assert!(both.iter().all(|odd| matches!(odd.what, Oddity::ManyRefusals { .. })), "{both:?}");
    // Another person's questions are not added.
    let two = quick.iter().enumerate().map(|(i, entry)| Entry {
        actor: Some(digest(if i % 2 == 0 { "ana" } else { "bo" })),
        ..entry.clone()
    });
    assert_eq!(anomalies(&[log(&two.collect::<Vec<_>>())]), []);
}

#[test]
fn many_refusals_of_one_person_are_told() {
    let refused: Vec<Entry> = (0..5).map(|n| about(Type::Refused, i64::from(n) * 60, n)).collect();
    let found = anomalies(&[log(&refused)]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, Oddity::ManyRefusals { refusals: 5 });
    assert_eq!(anomalies(&[log(&refused[..4])]), []);
}

#[test]
fn a_refusal_and_soon_after_another_question_that_is_answered() {
    let later = |seconds| [about(Type::Refused, 0, 1), answered(seconds, 2)];
    let found = anomalies(&[log(&later(120))]);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].what, Oddity::Rephrased);
    assert_eq!(indices(&found[0]), [0, 1]);
    assert!(found[0].to_string().contains("node-kr.demo/query-log/2026 entry 1"), "{}", found[0]);
    assert_eq!(anomalies(&[log(&later(3600))]), []);
    // The same question is no other one, another person no accomplice, and an error no answer.
    assert_eq!(anomalies(&[log(&[about(Type::Refused, 0, 1), answered(5, 1)])]), []);
    let bo = Entry { actor: Some(digest("bo")), ..answered(5, 2) };
    assert_eq!(anomalies(&[log(&[about(Type::Refused, 0, 1), bo])]), []);
    let error = Entry { result: Some(ResultClass::Error), ..answered(5, 2) };
    assert_eq!(anomalies(&[log(&[about(Type::Refused, 0, 1), error])]), []);
}

#[test]
fn a_policy_that_changed_between_refusal_and_use_is_named_with_its_entry() {
    let mut admin = Written::new(ADMIN);
    admin.push(&under("narrow", Entry { actor: None, ..about(Type::Opened, 0, 0) }));
    let kept = Some("kept_old".to_owned());
    admin.push(&under("narrow", Entry { decision: kept.clone(), ..about(Type::Policy, 50, 0) }));
    admin.push(&under("wide", about(Type::Policy, 3600, 0)));
    // Another one was refused, so this one stayed: nothing came into force.
    admin.push(&under("wide", Entry { decision: kept, ..about(Type::Policy, 5000, 0) }));
    let used =
        log(&[under("narrow", about(Type::Refused, 100, 1)), under("wide", answered(7200, 2))]);
    for order in [[admin.clone(), used.clone()], [used, admin]] {
        let found = anomalies(&order);
        assert_eq!(found.len(), 1, "{found:?}");
        assert_eq!(found[0].what, Oddity::WidenedThenUsed { policy: digest("wide") });
        let places: Vec<String> = found[0].entries.iter().map(ToString::to_string).collect();
        let expected =
            [format!("{KR} entry 0"), format!("{ADMIN} entry 2"), format!("{KR} entry 1")];
        assert_eq!(places, expected);
    }
    let same = [under("narrow", about(Type::Refused, 100, 1)), under("narrow", answered(7200, 2))];
    assert_eq!(anomalies(&[log(&same)]), []);
}

#[test]
fn a_first_question_about_a_dataset_is_told_once_the_log_is_old_enough() {
    let reads = |at, number, dataset: &str, purpose| Entry {
        datasets: vec![dataset.parse().unwrap()],
        purpose: Some(purpose),
        ..answered(at, number)
    };
    let entries = [
        reads(0, 1, "seizures", Purpose::Trend),
        reads(8 * DAY, 2, "seizures", Purpose::Trend),
        reads(8 * DAY, 3, "seizures", Purpose::Investigate),
        reads(9 * DAY, 4, "seizures", Purpose::Investigate),
    ];
    let found = anomalies(&[log(&entries)]);
    assert_eq!(found.len(), 1);
    let dataset = "seizures".parse().unwrap();
    assert_eq!(found[0].what, Oddity::FirstSeen { dataset, purpose: Purpose::Investigate });
    assert_eq!(indices(&found[0]), [2]);
}

#[test]
fn a_policy_that_showed_nothing_new_explains_no_answer() {
    let found = |change: &str, seconds| {
        let mut admin = Written::new(ADMIN);
        let policy =
            Entry { about: Some(change.to_owned()), actor: None, ..about(Type::Policy, 60, 0) };
        admin.push(&under("new", policy.clone()));
        // A restart says again what is in force.
        let again = Some("changes nothing".to_owned());
        admin.push(&under("new", Entry { kind: Type::Opened, about: again, ..policy }));
        let used =
            log(&[under("old", about(Type::Refused, 0, 1)), under("new", answered(seconds, 2))]);
        anomalies(&[admin, used]).into_iter().map(|odd| odd.what).collect::<Vec<_>>()
    };
    let widened = || vec![Oddity::WidenedThenUsed { policy: digest("new") }];
    assert_eq!(found("widens", 7200), widened());
    assert_eq!(found("widens and narrows", 7200), widened());
    assert_eq!(found("narrows", 7200), []);
    assert_eq!(found("changes nothing", 7200), []);
    assert_eq!(found("narrows", 120), [Oddity::Rephrased]);
}

#[test]
fn questions_that_differ_in_values_only_are_a_series() {
    let asked = |n: u8, shape: &str, text: String, step: i64| Entry {
        shape: Some(digest(shape)),
        text: Some(digest(&text)),
        ..about(Type::Admitted, i64::from(n) * step, n)
    };
    let series = |step| (0..6).map(|n| asked(n, "shape", format!("value {n}"), step)).collect();
    let close: Vec<Entry> = series(600);
    let found = anomalies(&[log(&close)]);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].what, Oddity::NearlyAlike { questions: 6 });
    assert_eq!(indices(&found[0]), (0..6).collect::<Vec<u64>>());
    assert_eq!(anomalies(&[log(&close[..5])]), []);
    let slow: Vec<Entry> = series(900);
    assert_eq!(anomalies(&[log(&slow)]), [], "not within the hour");
    // The same question again and again is a dashboard, and other shapes are other questions.
    let same: Vec<Entry> = (0..20).map(|n| asked(n, "shape", "value".to_owned(), 30)).collect();
    assert_eq!(anomalies(&[log(&same)]), []);
    let other: Vec<Entry> =
        (0..6).map(|n| asked(n, &format!("shape {n}"), format!("value {n}"), 60)).collect();
    assert_eq!(anomalies(&[log(&other)]), []);
    // Another person's questions are not added.
    let two = close.iter().enumerate().map(|(i, entry)| Entry {
        actor: Some(digest(if i == 0 { "ana" } else { "bo" })),
        ..entry.clone()
    });
    assert_eq!(anomalies(&[log(&two.collect::<Vec<_>>())]), []);
}
