//! Budgets of lookups in one process; that they survive being killed is in `tests/it`.

use super::{SearchBudget, SearchCharge};
use crate::ledger::tests::{noon, open};
use crate::ledger::{Ledger, NotSpent};
use crate::records::Records;
use mayag_audit::keys::{random_question_id, sha256};

fn charge(person: &str, identifiers: u64, tables: &[(&str, SearchBudget)]) -> SearchCharge {
    SearchCharge {
        question: random_question_id().unwrap(),
        person: sha256(person.as_bytes()),
        country: "kr".parse().unwrap(),
        identifiers,
        tables: tables.iter().map(|(name, budget)| (name.parse().unwrap(), *budget)).collect(),
    }
}

const NONE: SearchBudget = SearchBudget { person: None, country: None, table: None };

#[test]
fn each_budget_of_a_table_ends_on_its_own_and_a_batch_is_charged_whole_or_not_at_all() {
    let (_folder, ledger) = open();
    let budget = SearchBudget { person: Some(100), country: Some(150), table: Some(160) };
    let search = |person: &str, country: &str, identifiers| {
        let charge = SearchCharge {
            country: country.parse().unwrap(),
            ..charge(person, identifiers, &[("a", budget)])
        };
        match ledger.charge_search(noon(1), &charge) {
            Ok(_) => "spent".to_owned(),
            Err(NotSpent::Exhausted(of)) => of.to_string(),
            Err(NotSpent::Ledger(error)) => panic!("{error}"),
        }
    };
    assert_eq!(search("ana", "kr", 64), "spent");
    assert_eq!(search("ana", "kr", 64), "the person in the table a");
    assert_eq!(search("ana", "kr", 36), "spent");
    assert_eq!(search("bo", "kr", 51), "the country kr in the table a");
    assert_eq!(search("bo", "kr", 50), "spent");
    assert_eq!(search("cy", "jp", 11), "the table a");
    assert_eq!(search("cy", "jp", 10), "spent");
    assert_eq!(ledger.charges(), 4, "a refusal costs nothing");
}

#[test]
fn tables_and_questions_are_charged_apart_and_one_refusal_charges_none() {
    let (_folder, ledger) = open();
    let ten = SearchBudget { person: Some(10), ..NONE };
    let both = |n| charge("ana", n, &[("a", ten), ("b", SearchBudget { table: Some(4), ..NONE })]);
    ledger.charge_search(noon(1), &both(5)).unwrap_err();
    ledger.charge_search(noon(1), &both(4)).unwrap();
    ledger.charge_search(noon(1), &charge("ana", 6, &[("a", ten)])).unwrap();
    ledger.charge_search(noon(1), &charge("ana", 1, &[("a", ten)])).unwrap_err();
    let budget = crate::ledger::Budget { person: Some(1), country: None, dataset: Some(1) };
    let question = crate::ledger::Charge {
        question: random_question_id().unwrap(),
        person: sha256(b"ana"),
        country: "kr".parse().unwrap(),
        datasets: [("a".parse().unwrap(), budget)].into(),
    };
    ledger.charge(noon(1), &question).unwrap();
    ledger.charge(noon(1), &question).unwrap_err();
}

#[test]
fn a_restart_and_a_day_count_and_two_days_are_seen_together() {
    let (folder, ledger) = open();
    let ten = || charge("ana", 10, &[("a", SearchBudget { person: Some(10), ..NONE })]);
    let (_, searches) = ledger.charge_search(noon(10), &ten()).unwrap();
    assert_eq!((searches[0].before, searches[0].with_it), (0, 10));
    drop(ledger);
    let ledger = Ledger::open(&folder.path().join("ledger")).unwrap();
    ledger.charge_search(noon(10), &ten()).unwrap_err();
    ledger.charge_search(noon(9), &ten()).unwrap_err();
    let (spent, searches) = ledger.charge_search(noon(11), &ten()).unwrap();
    assert_eq!((searches[0].before, searches[0].with_it), (10, 20));
    assert_eq!(spent.number(), 2);
    let (_, searches) = ledger.charge_search(noon(13), &ten()).unwrap();
    assert_eq!(searches[0].before, 0, "the day before was another one");
}

#[test]
fn a_ledger_from_before_lookups_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger");
    let old = serde_json::json!({
        "day": 3, "at": "1970-01-04T12:00:00.000Z", "question": "00".repeat(16),
        "person": "11".repeat(32), "country": "kr", "datasets": ["a"],
    });
    let mut records = Records::open(&path, |_: serde_json::Value| ()).unwrap();
    records.append(&old).unwrap();
    drop(records);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(ledger.charges(), 1);
    ledger.charge_search(noon(3), &charge("ana", 1, &[("a", NONE)])).unwrap();
}

#[test]
fn sixty_four_requesters_at_once_search_exactly_what_there_is() {
    let (folder, ledger) = open();
    let budget = SearchBudget { table: Some(1_000), ..NONE };
    let spent: u64 = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..64)
            .map(|i| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let person = format!("person {}", i % 16);
                    let one = || charge(&person, 1, &[("a", budget)]);
                    (0..20).filter(|_| ledger.charge_search(noon(5), &one()).is_ok()).count() as u64
                })
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().unwrap()).sum()
    });
    assert_eq!(spent, 1_000, "as much as there is, and no more");
    drop(ledger);
    assert_eq!(Ledger::open(&folder.path().join("ledger")).unwrap().charges(), 1_000);
}
