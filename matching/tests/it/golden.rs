//! Golden vectors: what every rule makes of spellings that people use, and of those that are none.
//!
//! A node and a desk of different builds meet only if both make the same of all of these, so a vector that changes is a new
//! `NORMVER`.

use crate::properties::again;
use mayag_matching::normalise::{Kind, Label, NORMVER, Note, normalise};
use ring::digest::{Context, SHA256};
use std::collections::{BTreeMap, BTreeSet};

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

#[test]
fn every_value_stays_as_it_is() {
    for vector in vectors() {
        let Ok(found) = normalise(vector.input) else { continue };
        let label: Label = vector.input.trim().split_once(':').unwrap().0.parse().unwrap();
        let again = again(label, &found).unwrap();
        assert_eq!(again.value(), found.value(), "line {}", vector.line);
    }
}

/// SHA-256 of all elements of all vectors, by version of the rules.
const DIGEST: (u16, &str) = (1, "814c7a46394875cff60427b12d5941f84aa18b30f634dbee833d1f6b7b146d4e");

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

#[test]
fn what_was_changed_is_said() {
    let told = [
        ("cas:50-00-0", vec![]),
        ("container:CSQU3054383", vec![]),
        ("container:CSQU305438", vec![Note::CheckDigitAdded]),
        ("container:CSQU3O54383", vec![Note::LettersForDigits]),
        ("email:a.b@gmail.com", vec![Note::TagLeftOut]),
        ("email:ab@gmail.com", vec![]),
        ("imei:49015420323751", vec![Note::CheckDigitMissing]),
        ("imei:490154203237518", vec![]),
        ("mmsi:366123456", vec![Note::CheckDigitMissing]),
        ("passport:\u{410}\u{412}123456@BLR", vec![Note::LookAlikes]),
        ("passport:\u{d1}A123456@ESP", vec![]),
        ("person:Erika Mustermann@1964-02-29", vec![]),
        ("person:Erika Mustermann@1963-02-29", vec![Note::BirthDateUnusual]),
        ("person:Erika Mustermann@2000-02-29", vec![]),
        ("person:Erika Mustermann@1900-02-29", vec![Note::BirthDateUnusual]),
        ("person:Erika Mustermann@1964-04-31", vec![Note::BirthDateUnusual]),
        ("person:Erika Mustermann@1964-13-01", vec![Note::BirthDateUnusual]),
        ("person:Erika von Mustermann@1964-08-12", vec![Note::ParticlesLeftOut]),
        ("person:\u{418}\u{432}\u{430}\u{43d}@1964-08-12", vec![Note::Transliterated]),
        ("phone:+44 20 7946 0958", vec![]),
        ("phone:+44 20 7946 0958 x7", vec![Note::ExtensionLeftOut]),
        ("phone:+52 1 222 123 4567", vec![Note::MobileForm]),
        ("plate:\u{4eac}A12345@CHN", vec![Note::Transliterated]),
        ("vin:1M8GDM9AXKP042788", vec![]),
        ("vin:WVWZZZ1JZXW000001", vec![Note::CheckDigitUnusual]),
        ("wallet:0x5aaeb6053f3e94c9b9a09f33669435e7ef1beaed", vec![Note::CheckDigitMissing]),
        ("wallet:0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", vec![]),
    ];
    let mut seen = BTreeSet::new();
    for (input, notes) in told {
        assert_eq!(normalise(input).unwrap().notes(), notes, "{input}");
        seen.extend(notes);
    }
    // Each of the closed list, and none of them quotes anything.
    assert_eq!(seen.len(), 11);
    assert!(seen.iter().all(|note| note.to_string().is_ascii()));
}
