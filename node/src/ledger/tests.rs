//! The ledger in one process; that it survives being killed is in `tests/it`.

use super::{Budget, Charge, Ledger, NotSpent, Of};
use mayag_audit::keys::{random_question_id, sha256};
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;

fn charge(person: &str, country: &str, datasets: &[(&str, Budget)]) -> Charge {
    Charge {
        question: random_question_id().unwrap(),
        person: sha256(person.as_bytes()),
        country: country.parse().unwrap(),
        datasets: datasets
            .iter()
            .map(|(name, budget)| (name.parse().unwrap(), *budget))
            .collect::<BTreeMap<_, _>>(),
    }
}

pub(super) fn noon(day: i64) -> Timestamp {
    Timestamp::from_millis(day * super::DAY + super::DAY / 2)
}

pub(super) fn open() -> (tempfile::TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
    (folder, ledger)
}

const NONE: Budget = Budget { person: None, country: None, dataset: None };

#[test]
fn each_budget_ends_on_its_own() {
    let (_folder, ledger) = open();
    let budget = Budget { person: Some(2), country: Some(3), dataset: Some(4) };
    let ask = |person: &str, country: &str| match ledger
        .charge(noon(100), &charge(person, country, &[("a", budget)]))
    {
        Ok(_) => "spent".to_owned(),
        Err(NotSpent::Exhausted(of)) => of.to_string(),
        Err(NotSpent::Ledger(error)) => panic!("{error}"),
    };
    assert_eq!(ask("ana", "kr"), "spent");
    assert_eq!(ask("ana", "kr"), "spent");
    assert_eq!(ask("ana", "kr"), "the person");
    assert_eq!(ask("bo", "kr"), "spent");
    assert_eq!(ask("bo", "kr"), "the country kr");
    assert_eq!(ask("cy", "jp"), "spent");
    assert_eq!(ask("di", "jp"), "the dataset a");
    assert_eq!(ledger.charges(), 4, "a refusal costs nothing");
}

#[test]
fn a_question_about_two_datasets_is_charged_to_both_and_the_strictest_budget_counts() {
    let (_folder, ledger) = open();
    let (wide, narrow) =
        (Budget { person: Some(9), ..NONE }, Budget { person: Some(1), dataset: Some(2), ..NONE });
    let both = [("a", wide), ("b", narrow)];
    ledger.charge(noon(1), &charge("ana", "kr", &both)).unwrap();
    ledger.charge(noon(1), &charge("ana", "kr", &both)).unwrap_err();
    ledger.charge(noon(1), &charge("ana", "kr", &[("a", wide)])).unwrap();
    ledger.charge(noon(1), &charge("bo", "kr", &both)).unwrap();
    let exhausted = ledger.charge(noon(1), &charge("cy", "kr", &both)).unwrap_err();
    assert!(matches!(exhausted, NotSpent::Exhausted(Of::Dataset(name)) if name.as_str() == "b"));
}

#[test]
fn a_new_day_opens_a_new_budget_and_a_clock_that_goes_back_does_not() {
    let (folder, ledger) = open();
    let one = || charge("ana", "kr", &[("a", Budget { person: Some(1), ..NONE })]);
    ledger.charge(noon(10), &one()).unwrap();
    ledger.charge(noon(10), &one()).unwrap_err();
    ledger.charge(noon(11), &one()).unwrap();
    ledger.charge(noon(10), &one()).unwrap_err();
    ledger.charge(noon(9), &one()).unwrap_err();
    drop(ledger);
    let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
    assert_eq!(ledger.charges(), 2);
    ledger.charge(noon(9), &one()).unwrap_err();
    ledger.charge(noon(11), &one()).unwrap_err();
    ledger.charge(noon(12), &one()).unwrap();
}

#[test]
fn sixty_four_requesters_at_once_never_exceed_a_budget() {
    let (folder, ledger) = open();
    let budget = Budget { dataset: Some(100), person: Some(7), country: None };
    let spent: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..64)
            .map(|i| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let person = format!("person {}", i % 16);
                    let one = || charge(&person, "kr", &[("a", budget)]);
                    (0..4).filter(|_| ledger.charge(noon(5), &one()).is_ok()).count() as u64
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(spent, 100, "as much as there is, and no more");
    assert_eq!(ledger.charges(), 100);
    drop(ledger);
    assert_eq!(Ledger::open(&folder.path().join("ledger")).unwrap().charges(), 100);
}
