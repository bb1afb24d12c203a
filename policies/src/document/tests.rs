//! Tests of reading policy documents: the examples are accepted, their twins refused with exactly these words.

use super::{LONGEST, Policy, Problem, Share};
use crate::catalogue::Catalogue;
use crate::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Digest;
use std::fmt::Write as _;
use std::path::Path;

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
    assert_eq!(grant.countries, None);

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

#[test]
fn refused_twins_are_refused_in_exactly_these_words() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/refused");
    let mut seen = 0;
    let mut wrong = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "json") {
            seen += 1;
            let text = std::fs::read_to_string(&path).unwrap();
            let found = lines(&parse(&text).expect_err(&path.display().to_string()));
            let expected = std::fs::read_to_string(path.with_extension("txt")).unwrap_or_default();
            if found != expected {
                writeln!(wrong, "--- {}\n{found}", path.with_extension("txt").display()).unwrap();
            }
        }
    }
    assert!(seen >= 10, "{seen}");
    assert!(wrong.is_empty(), "these files should hold other text:\n{wrong}");
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
