//! Golden vectors: what every rule makes of spellings that people use, and of those that are none.
//!
//! A node and a desk of different builds meet only if both make the same of all of these, so a vector that changes is a new
//! `NORMVER`.

use mayag_matching::normalise::{Kind, normalise};
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
