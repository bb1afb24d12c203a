//! A few of the attacks in every run of the tests, and the proof that the harness can find a leak at all. All of them are
//! run by `cargo xtask attacks`.

use mayag_integration_tests::attacks::corpus::{self, Entry};
use mayag_integration_tests::attacks::federation::Regime;
use mayag_integration_tests::attacks::run::{Report, Settings, run};
use mayag_integration_tests::attacks::verdict::Verdict;
use std::path::Path;

fn own(file: &str) -> Vec<Entry> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("attacks").join(file);
    corpus::read(&path).expect("the own corpus")
}

/// Every class of attack, and enough of each.
#[test]
fn the_own_corpus_has_all_classes() {
    let attacks = own("attacks.jsonl");
    let mut classes: Vec<&str> = attacks.iter().map(|attack| attack.class.as_str()).collect();
    classes.sort_unstable();
    classes.dedup();
    assert!(80 <= attacks.len() && classes.len() == 20, "{} in {classes:?}", attacks.len());
    let ordinary = own("ordinary.jsonl");
    let statements = attacks.iter().chain(&ordinary).map(|entry| entry.statements.len());
    assert!(statements.min().is_some_and(|least| 1 <= least));
    for attack in &attacks {
        for statement in &attack.statements {
            assert!(statement.ignored.is_empty(), "{}: {:?}", attack.id, statement.ignored);
        }
    }
}

#[test]
fn a_few_attacks_learn_nothing() {
    let attacks = titled(&[
        "NOT IN against the total, by region",
        "Rows through a CTE",
        "Cast of the person",
        "A small cell before and after",
        "Under a second version of the policy",
        "One country after the other",
    ]);
    let ordinary = own("ordinary.jsonl");
    let report = run(&attacks, &ordinary[..3], Settings::default(), &|_| {});
    assert!(!report.leaked(), "{}", told(&report));
    assert!(report.summary().ends_with("benign: 3 of 3 accepted"), "{}", told(&report));
}

/// Months of the year, labels, computed groups and joins on measures are put together above releases.
#[test]
fn what_is_computed_above_releases_learns_nothing_new() {
    let attacks = titled(&[
        "A country in upper and in lower case",
        "A group computed from the rare substance",
        "A measure in the condition of a join",
        "Every month but one",
    ]);
    let ordinary = own("ordinary.jsonl");
    let settings = Settings { secrets: 3, confirmations: 4, ..Settings::default() };
    let report = run(&attacks, &ordinary[24..], settings, &|_| {});
    assert!(!report.leaked(), "{}", told(&report));
    assert!(report.summary().ends_with("benign: 17 of 17 accepted"), "{}", told(&report));
}

/// What a policy may switch off is switched off, for units that are no persons: then numbers are exact, and the same
/// attacks tell the databases apart.
#[test]
fn without_protections_the_harness_finds_what_leaks() {
    let attacks = titled(&["NOT IN against the total, by region", "Rows through a CTE"]);
    let settings = Settings { secrets: 2, confirmations: 2, regime: Regime::Naked };
    let report = run(&attacks, &[], settings, &|_| {});
    assert_eq!(report.count(Verdict::Leaked), 1, "{}", told(&report));
    assert_eq!(report.count(Verdict::Refused), 1, "{}", told(&report));
}

fn titled(titles: &[&str]) -> Vec<Entry> {
    let attacks: Vec<Entry> = own("attacks.jsonl")
        .into_iter()
        .filter(|attack| titles.contains(&attack.title.as_str()))
        .collect();
    assert_eq!(attacks.len(), titles.len());
    attacks
}

fn told(report: &Report<'_>) -> String {
    let attacks = report.attacks.iter().map(|judged| {
        format!("{} {}: {:?}", judged.attack.id, judged.verdict.as_str(), judged.evidence)
    });
    let benign = report.benign.iter().map(|accepted| format!("{:?}", accepted.fault));
    attacks.chain(benign).collect::<Vec<_>>().join("\n")
}
