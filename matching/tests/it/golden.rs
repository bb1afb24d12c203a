//! Golden vectors: what every rule makes of spellings that people use, and of those that are none.
//!
//! A node and a desk of different builds meet only if both make the same of all of these, so a vector that changes is a new
//! `NORMVER`.

use mayag_matching::normalise::{Kind, Label, NORMVER, normalise};
use ring::digest::{Context, SHA256};
use std::collections::BTreeMap;

const VECTORS: &str = include_str!("../data/vectors.tsv");

/// What is expected of one input.
struct Vector {
    line: usize,
    kind: Kind,
    input: &'static str,
    outcome: &'static str,
    variants: &'static str,
}

fn vectors() -> Vec<Vector> {
    let lines = (1..).zip(VECTORS.lines()).filter(|(_, line)| !line.starts_with('#'));
    let vector = |(number, line): (usize, &'static str)| {
        let fields: Vec<&str> = line.split('\t').collect();
        let [kind, input, outcome, variants] = fields[..] else { panic!("line {number}") };
        Vector { line: number, kind: kind.parse().unwrap(), input, outcome, variants }
    };
    lines.map(vector).collect()
}

/// The value, or the code of the problem; and the variants.
fn outcome(vector: &Vector) -> (String, String) {
    match normalise(vector.input) {
        Ok(found) => {
            assert_eq!(found.kind(), vector.kind, "line {}", vector.line);
            let variants: Vec<&str> = found.variants().collect();
            (found.value().to_owned(), variants.join(" "))
        }
        Err(problem) => (problem.code().as_str().to_owned(), String::new()),
    }
}

#[test]
fn every_vector_holds() {
    let vectors = vectors();
    let mut wrong = Vec::new();
    let mut of_kind: BTreeMap<Kind, usize> = BTreeMap::new();
    for vector in &vectors {
        *of_kind.entry(vector.kind).or_default() += 1;
        let found = outcome(vector);
        if (found.0.as_str(), found.1.as_str()) != (vector.outcome, vector.variants) {
            wrong.push(format!(
                "line {}: {}\n  expected {} {}\n  found    {} {}",
                vector.line, vector.input, vector.outcome, vector.variants, found.0, found.1
            ));
        }
    }
    println!("{} vectors: {of_kind:?}", vectors.len());
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), vectors.len(), wrong.join("\n"));
    assert!(500 <= vectors.len());
    assert_eq!(of_kind.len(), Kind::ALL.len());
}

/// SHA-256 of all elements of all vectors, by version of the rules.
const DIGEST: (u16, &str) = (1, "a9f64f29add537bad2c81591d6350c28c6a4eddc27f10b7b617acc4130bfc006");

#[test]
fn rules_that_change_have_a_new_version() {
    let mut context = Context::new(&SHA256);
    for vector in vectors() {
        let Ok(found) = normalise(vector.input) else { continue };
        for element in found.searched() {
            let line = format!("{}\t{}\t{}\n", found.kind(), element.slot(), element.text());
            context.update(line.as_bytes());
        }
    }
    let digest = mayag_protocol::names::hex(context.finish().as_ref());
    assert_eq!(
        (NORMVER, digest.as_str()),
        DIGEST,
        "what is hashed has changed: raise NORMVER once others have data of the version before, then set this to what is found"
    );
}

#[test]
fn the_examples_of_the_documentation_hold() {
    let guide = include_str!("../../../docs/lookups.md");
    let mut kinds = Vec::new();
    for line in guide.lines().filter(|line| line.starts_with("| `")) {
        let line = line.replace("\\|", "\u{1}");
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, kind, written, compared, _] = cells[..] else { continue };
        let cell = |text: &str| text.trim_matches('`').replace('\u{1}', "|");
        let found = normalise(&cell(written)).unwrap();
        assert_eq!(
            (found.kind().as_str(), found.value()),
            (cell(kind).as_str(), cell(compared).as_str())
        );
        kinds.push(found.kind());
    }
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds, Kind::ALL);
    assert!(Label::words().all(|word| guide.contains(&format!("`{word}"))));
    assert!(guide.contains(&format!("version {NORMVER}.")));
}
