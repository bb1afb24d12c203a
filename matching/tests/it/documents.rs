//! Document numbers of a published list: each is found however it is written, and nothing else is.

use crate::random::random;
use mayag_matching::normalise::{Element, Label, Normalised, normalise, normalise_parts};
use mayag_protocol::lookup::Band;
use std::collections::{BTreeMap, BTreeSet};

/// A document as it was published.
struct Document<'a> {
    word: Label,
    number: &'a str,
    issuer: &'a str,
}

impl Document<'_> {
    fn spelled(&self, number: &str) -> Normalised {
        normalise_parts(self.word, number, Some(self.issuer)).unwrap()
    }
}

fn published() -> Vec<Document<'static>> {
    let lines = include_str!("../data/ofac_documents.csv").lines().skip(1);
    let document = |line: &'static str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [word, number, issuer] = fields[..] else { panic!("{} fields", fields.len()) };
        Document { word: word.parse().unwrap(), number, issuer }
    };
    lines.map(document).collect()
}

/// Ways to write a number that people and machines use: spacing, punctuation, case, width, and `O` for `0`.
fn spellings(number: &str) -> Vec<String> {
    let plain: String = number.chars().filter(char::is_ascii_alphanumeric).collect();
    let spread = |separator: &str| {
        let letters: Vec<String> = plain.chars().map(String::from).collect();
        letters.chunks(3).map(<[String]>::concat).collect::<Vec<_>>().join(separator)
    };
    let wide = |c: char| char::from_u32(u32::from(c) - u32::from('!') + 0xff01).unwrap();
    let mut spellings = vec![
        number.to_ascii_lowercase(),
        plain.clone(),
        spread(" "),
        spread("-"),
        spread("."),
        spread("\u{2009}\u{2013}\u{a0}"),
        format!(" {plain}<<< "),
        plain.chars().map(wide).collect(),
        number.to_ascii_uppercase().replace('O', "0"),
        number.to_ascii_uppercase().replace('I', "1"),
        number.replace('0', "O"),
        number.replace('0', "o"),
    ];
    for (place, letter) in number.char_indices() {
        let other = match letter.to_ascii_uppercase() {
            'O' => "0",
            '0' => "O",
            'I' => "1",
            _ => continue,
        };
        let mut spelling = number.to_owned();
        spelling.replace_range(place..=place, other);
        spellings.push(spelling);
    }
    spellings
}

#[test]
fn every_published_number_is_found_through_its_spellings() {
    let mut rows = 0;
    let mut searched = 0;
    let mut elements = 0;
    let mut missed = BTreeMap::new();
    let published = published();
    for document in &published {
        let held = document.spelled(document.number).indexed();
        rows += held.len();
        for spelling in spellings(document.number) {
            let sought = document.spelled(&spelling).searched();
            searched += 1;
            elements += sought.len();
            let found = |e: &Element| held.iter().any(|held| held.text() == e.text());
            if !sought.iter().any(found) {
                *missed.entry((document.number, spelling)).or_insert(0) += 1;
            }
        }
    }
    println!(
        "{} documents in {rows} rows, {searched} spellings, {elements} elements",
        published.len()
    );
    assert_eq!(published.len(), 4_746);
    assert!(missed.is_empty(), "{} missed: {missed:?}", missed.len());
}

#[test]
fn a_number_that_was_misread_is_a_strong_hit_and_no_exact_one() {
    let band = |held: &str, sought: &str| {
        let document = |number| normalise(&format!("passport:{number}@PHL")).unwrap();
        let (held, sought) = (document(held).indexed(), document(sought));
        let rows =
            |one: &Element| held.iter().find(|row| row.text() == one.text()).map(Element::band);
        let opened: Vec<(u16, Band)> =
            sought.searched().iter().filter_map(|one| Some((one.slot(), rows(one)?))).collect();
        sought.band(&opened)
    };
    for (held, sought, expected) in [
        ("AO123", "ao 123", Some(Band::Exact)),
        ("A0123", "A0123", Some(Band::Exact)),
        ("AO123", "A0123", Some(Band::Strong)),
        ("A0123", "AO123", Some(Band::Strong)),
        ("AO1O3", "A01O3", Some(Band::Strong)),
        ("AI123", "A1123", Some(Band::Strong)),
        ("AO123", "AO124", None),
        ("A8123", "AB123", None),
    ] {
        assert_eq!(band(held, sought), expected, "{held} {sought}");
    }
}

/// What two numbers have in common that are one spelled in two ways, worked out without the code under test.
fn folded(number: &str) -> String {
    let letters = number.chars().filter(char::is_ascii_alphanumeric);
    letters.map(|c| c.to_ascii_uppercase()).collect::<String>().replace('O', "0").replace('I', "1")
}

/// Probes shaped like real numbers: the digits and letters of one that is listed, each drawn anew.
fn wrong_hits(probes: usize) -> (usize, usize) {
    let published = published();
    let mut index: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for document in &published {
        for held in document.spelled(document.number).indexed() {
            index.entry(held.text().to_owned()).or_default().insert(folded(document.number));
        }
    }
    let mut state = 5;
    let (mut chance, mut wrong) = (0, 0);
    for _ in 0..probes {
        let like = &published[random(&mut state) % published.len()];
        let drawn = |c: char| match c {
            '0'..='9' => char::from(b'0' + u8::try_from(random(&mut state) % 10).unwrap()),
            'A'..='Z' => char::from(b'A' + u8::try_from(random(&mut state) % 26).unwrap()),
            other => other,
        };
        let probe: String = like.number.chars().map(drawn).collect();
        let Ok(sought) = normalise_parts(like.word, &probe, Some(like.issuer)) else { continue };
        for element in sought.searched() {
            if let Some(numbers) = index.get(element.text()) {
                if numbers.contains(&folded(&probe)) { chance += 1 } else { wrong += 1 }
            }
        }
    }
    (chance, wrong)
}

#[test]
fn random_numbers_hit_nothing_but_themselves() {
    // A million: 10^4 take a tenth of a second, and the rest says no more.
    let probes = if cfg!(debug_assertions) { 10_000 } else { 1_000_000 };
    let (chance, wrong) = wrong_hits(probes);
    println!("{probes} probes: {wrong} wrong hits, {chance} were listed numbers by chance");
    assert_eq!(wrong, 0);
}
