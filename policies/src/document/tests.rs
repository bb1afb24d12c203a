//! Tests of reading policy documents: the examples are accepted, their twins refused with exactly these words.

use super::{LONGEST, Policy, Problem, Share, examine};
use crate::catalogue::Catalogue;
use crate::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Digest;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

const SMALLEST: &str = include_str!("../../examples/smallest.json");
const SEVERAL: &str = include_str!("../../examples/several.json");

fn parse(text: &str) -> Result<Policy, Vec<Problem>> {
    let digest = |bytes: &[u8]| {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&bytes.len().to_be_bytes());
        Digest::from_bytes(digest)
    };
    Policy::parse(text.as_bytes(), &Catalogue::builtin(), digest)
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().flat_map(|problem| [problem.to_string(), "\n".to_owned()]).collect()
}

#[test]
fn the_examples_are_read() {
    let smallest = parse(SMALLEST).map_err(|problems| lines(&problems)).unwrap();
    assert_eq!(smallest.country().as_str(), "th");
    assert_eq!(smallest.version().serial, 1);
    assert!(smallest.version().digest.as_str().starts_with(&format!("{:016x}", SMALLEST.len())));
    let grant = &smallest.grants()[0];
    assert_eq!((grant.protections.min_units, grant.protections.p_percent), (10, 10));
    assert_eq!(grant.rows, Predicate::everything());
    assert_eq!(grant.whom.countries, None);

    let several = parse(SEVERAL).map_err(|problems| lines(&problems)).unwrap();
    let ids: Vec<&str> = several.grants().iter().map(|grant| grant.id.as_str()).collect();
    assert_eq!(ids, ["neighbours", "purity", "trends"]);
    let trends = &several.grants()[2];
    assert!(!trends.columns.contains_key(&"officer_note".parse().unwrap()));
    assert_eq!(
        trends.columns.get(&"seized_on".parse().unwrap()),
        Some(&Share::Dimension { finest: Some(Grain::Month) })
    );
    let level = |column: &str, grain| LevelRef { column: column.parse().unwrap(), grain };
    let not_in = Predicate::In {
        level: level("agency", None),
        values: vec![Literal::Text("National Intelligence Service".to_owned())],
    };
    let from = Predicate::Compare {
        level: level("seized_on", Some(Grain::Year)),
        comparison: Comparison::GreaterOrEqual,
        value: Literal::Date(18_262),
    };
    assert_eq!(trends.rows, Predicate::All(vec![Predicate::Not(Box::new(not_in)), from]));
    assert!(
        !format!("{several:?} {trends:?}").contains("Intelligence"),
        "constants are not for logs"
    );
}

/// The texts of the JSON files in a folder, with their paths.
fn texts(folder: &str) -> Vec<(PathBuf, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let json = paths.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
    json.map(|path| (path.clone(), std::fs::read_to_string(path).unwrap())).collect()
}

#[test]
fn refused_twins_are_refused_in_exactly_these_words() {
    let mut wrong = String::new();
    for (folder, catalogue, least) in [
        ("examples/refused", Catalogue::builtin(), 20),
        ("examples/refused/domain", Catalogue::domain_pack(), 4),
    ] {
        let twins = texts(folder);
        assert!(least <= twins.len(), "{}", twins.len());
        for (path, text) in twins {
            let found = Policy::parse(text.as_bytes(), &catalogue, |_| Digest::from_bytes([0; 32]));
            let found = lines(&found.expect_err(&path.display().to_string()));
            let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            if found != expected {
                writeln!(wrong, "--- {}\n{found}", path.with_extension("txt").display()).unwrap();
            }
        }
    }
    assert!(wrong.is_empty(), "these files should hold other text:\n{wrong}");
}

#[test]
fn the_examples_need_no_advice() {
    let now = "2026-03-01T00:00:00Z".parse().unwrap();
    let examples = texts("examples");
    assert!(7 <= examples.len(), "{}", examples.len());
    for (path, text) in examples {
        let name = path.file_stem().unwrap().to_str().unwrap();
        if name == "policy.tests" {
            continue; // the tests of a policy, not a policy
        }
        // One is there to show weak thresholds and days, one is about persons.
        let catalogue = match name {
            "domain" => Catalogue::domain_pack(),
            _ => Catalogue::builtin(),
        };
        let problems = examine(text.as_bytes(), &catalogue, now);
        let expected = match name {
            "several" => {
                "line 54, column 20: /grants/2/min_units: `min_units` is 5: the federation's default is 10, its \
                          floor is 5 (say in `why` what the lower threshold is needed for)\n"
            }
            _ => "",
        };
        assert_eq!(lines(&problems), expected, "{name}");
    }
}

#[test]
fn long_documents_are_refused_unread() {
    let problems = parse(&" ".repeat(LONGEST + 1)).unwrap_err();
    assert_eq!(lines(&problems), "1048577 bytes, the limit is 1048576\n");
}

#[test]
fn every_truncation_and_every_changed_byte_is_refused_or_read_without_a_panic() {
    for end in 0..SMALLEST.trim_end().len() {
        assert!(parse(SMALLEST.get(..end).unwrap()).is_err(), "{end}");
    }
    for at in 0..SMALLEST.len() {
        for byte in *b"\"{}[]:,0\\\n x" {
            let mut text = SMALLEST.as_bytes().to_vec();
            text[at] = byte;
            let _either = parse(&String::from_utf8(text).unwrap()).is_ok();
        }
    }
}
