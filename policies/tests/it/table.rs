//! `tests/decisions.txt`, line by line, and the times at which policies and grants are in force.

use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Subject, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::{Aggregate, Grain, LevelRef, MeasureRef, ReleaseShape};
use mayag_policies::shared::shared;
use mayag_protocol::names::Digest;
use mayag_protocol::refusal::{Code, Refusal};

fn several() -> Policy {
    let text = include_bytes!("../../examples/several.json");
    Policy::parse(text, &Catalogue::builtin(), |_| Digest::from_bytes([7; 32])).unwrap()
}

fn list<T>(text: &str, read: impl Fn(&str) -> T) -> Vec<T> {
    text.split(',').map(str::trim).filter(|item| *item != "-").map(read).collect()
}

fn level(text: &str) -> LevelRef {
    let (column, grain) =
        text.split_once('@').map_or((text, None), |(column, grain)| (column, Some(grain)));
    let grain =
        grain.map(|word| Grain::ALL.into_iter().find(|grain| grain.as_str() == word).unwrap());
    LevelRef { column: column.parse().unwrap(), grain }
}

fn measure(text: &str) -> MeasureRef {
    let (word, inside) = text.trim_end_matches(')').split_once('(').unwrap_or((text, "*"));
    let aggregate = serde_json::from_value::<Aggregate>(word.into()).unwrap();
    MeasureRef { aggregate, column: (inside != "*").then(|| level(inside)) }
}

fn subject(text: &str) -> Subject {
    let mut words = text.split_whitespace();
    let mut next = || words.next().unwrap();
    Subject {
        country: next().parse().unwrap(),
        roles: vec![next().parse().unwrap()],
        purpose: next().parse().unwrap(),
    }
}

fn outcome(subject: &Subject, shape: &ReleaseShape) -> Result<String, Refusal> {
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    decide(&several(), &Catalogue::builtin(), subject, now, shape).map(|permit| {
        let protections = permit.protections();
        assert_eq!(permit.shape(), shape);
        assert_eq!(permit.policy().serial, 7);
        format!("permit {} {}/{}", permit.grant(), protections.min_units, protections.p_percent)
    })
}

#[test]
fn every_line_of_the_decision_table_holds() {
    let mut lines = 0;
    for line in include_str!("../decisions.txt")
        .lines()
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
    {
        lines += 1;
        let parts: Vec<&str> = line.split('|').map(str::trim).collect();
        let [who, keys, filters, measures, expected] = parts[..] else { panic!("{line}") };
        let shape = ReleaseShape {
            dataset: "seizures".parse().unwrap(),
            keys: list(keys, level),
            filters: list(filters, level),
            measures: list(measures, measure),
        };
        let found = match outcome(&subject(who), &shape) {
            Ok(permit) => permit,
            Err(refusal) => {
                let subject = refusal.subject.unwrap_or_default();
                let short = format!("{} {} {subject}", refusal.code, refusal.rule);
                if expected.contains('(') { format!("{short} ({})", refusal.hint) } else { short }
            }
        };
        assert_eq!(found, expected, "{line}");
    }
    assert!(lines > 30, "{lines}");
}

fn count_of(dataset: &str, key: &str) -> ReleaseShape {
    ReleaseShape {
        dataset: dataset.parse().unwrap(),
        keys: vec![level(key)],
        filters: vec![],
        measures: vec![measure("count(*)")],
    }
}

#[test]
fn outside_its_time_a_policy_shares_nothing() {
    let (policy, catalogue) = (several(), Catalogue::builtin());
    let analyst = subject("kr analyst TREND");
    let at = |time: &str| {
        let now = time.parse().unwrap();
        let decision = decide(&policy, &catalogue, &analyst, now, &count_of("seizures", "drug"));
        (
            decision.map(|_| ()).map_err(|refusal| refusal.code),
            shared(&policy, &catalogue, &analyst, now).len(),
        )
    };
    assert_eq!(at("2025-12-31T23:59:59.999Z"), (Err(Code::NoPolicy), 0));
    assert_eq!(at("2026-01-01T00:00:00Z"), (Ok(()), 1));
    assert_eq!(at("2026-12-31T23:59:59.999Z"), (Ok(()), 1));
    assert_eq!(at("2027-01-01T00:00:00Z"), (Err(Code::NoPolicy), 0));
}

#[test]
fn a_grant_ends_before_its_policy() {
    let (policy, catalogue) = (several(), Catalogue::builtin());
    let laboratory = subject("kr forensic FORENSIC");
    let at = |time: &str| {
        decide(
            &policy,
            &catalogue,
            &laboratory,
            time.parse().unwrap(),
            &count_of("seizures", "drug"),
        )
        .map(|_| ())
        .map_err(|refusal| refusal.code)
    };
    assert_eq!(at("2026-06-30T23:59:59.999Z"), Ok(()));
    assert_eq!(at("2026-07-01T00:00:00Z"), Err(Code::NoGrant));
}

#[test]
fn unknown_datasets_look_like_datasets_that_are_not_shared() {
    let unknown =
        outcome(&subject("kr analyst TREND"), &count_of("no_such_data", "drug")).unwrap_err();
    let unshared =
        outcome(&subject("kr analyst BORDER"), &count_of("seizures", "drug")).unwrap_err();
    let (unknown, unshared) =
        (serde_json::to_string(&unknown).unwrap(), serde_json::to_string(&unshared).unwrap());
    assert_eq!(unknown.replace("no_such_data", "seizures"), unshared);
}

#[test]
fn what_is_shared_is_described_in_the_order_of_the_catalogue() {
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let datasets =
        shared(&several(), &Catalogue::builtin(), &subject("th analyst INVESTIGATE"), now);
    let text: Vec<String> = datasets
        .iter()
        .flat_map(|dataset| {
            let columns = dataset.columns.iter().map(|column| {
                let unit =
                    column.unit.as_deref().map(|unit| format!(" {unit}")).unwrap_or_default();
                format!("{} {}: {}{unit}", column.name, column.role, column.uses.join(" "))
            });
            std::iter::once(format!(
                "{} {} {:?}",
                dataset.name, dataset.min_units, dataset.purposes
            ))
            .chain(columns)
        })
        .collect();
    assert_eq!(
        text,
        [
            "seizures 20 [Investigate]",
            "country dimension: ",
            "seized_on dimension: day month quarter year",
            "drug dimension: ",
            "region dimension: ",
            "transport dimension: ",
            "seizures 10 [Investigate, Trend]",
            "country dimension: ",
            "seizure_id unit: count count_distinct",
            "seized_on dimension: month quarter year",
            "drug dimension: ",
            "fiscal_year dimension: ",
            "quantity measure: avg sum lb",
        ]
    );
}
