//! An auditor opens what a desk sealed, and a requester who lies about a search is caught.

use crate::fixture::country;
use crate::lookup::fixture::{ONE, SEED, federation, hidden};
use crate::lookup::opening::{Opening, OpeningError, Sealing, Secret, open};
use mayag_audit::detail::RecipientSecret;
use mayag_audit::keys::sha256;
use mayag_matching::batch::BatchSeed;
use mayag_matching::input::Rules;
use mayag_matching::normalise::{Kind, rules};
use mayag_protocol::lookup::{Search, Target};
use mayag_protocol::question::{Ask, Question};

fn secret() -> RecipientSecret {
    RecipientSecret::from_pem(&RecipientSecret::generate().unwrap()).unwrap()
}

/// A signed lookup of one passport and what its desk sealed, after changes to what it sealed.
struct Lookup {
    question: Question,
    file: Vec<u8>,
}

const SEARCHED: &str = "PHL:P:M12345678";

/// What a desk seals for the auditor; an honest one seals what it searched.
struct Sealed<'a> {
    seed: [u8; 32],
    version: u16,
    identifiers: &'a [&'a str],
}

const HONEST: Sealed<'_> = Sealed { seed: SEED, version: 1, identifiers: &[SEARCHED] };

fn lookup(auditor: &RecipientSecret, sealed: &Sealed<'_>) -> Lookup {
    let hidden = hidden(&["passport:M12345678@PHL"]);
    let mut question = federation().question;
    let rules = Rules { version: sealed.version, ..rules(Kind::TravelDocument) };
    let sealing = Sealing {
        question: &question.id,
        analyst: &question.analyst,
        secret: Secret::Batch(&BatchSeed::from_bytes(sealed.seed)),
        rules: &rules,
        identifiers: sealed.identifiers.to_vec(),
    };
    let file = sealing.seal(&[auditor.public().clone()]).unwrap();
    let target = Target { country: country("kr"), table: "known".parse().unwrap(), epoch: 3 };
    let search = Search {
        identifiers: Kind::TravelDocument.name(),
        rules: 1,
        elements: 2,
        blinded: hidden.batch.blinded().digest(),
        opening: sha256(&file),
        targets: vec![target],
    };
    question.ask = Ask::Lookup { search };
    Lookup { question, file }
}

fn opened(lookup: &Lookup, auditor: &RecipientSecret) -> Result<Vec<String>, OpeningError> {
    let opening = open(&lookup.file, &lookup.question, auditor, ONE);
    opening.map(|opening: Opening| opening.identifiers().to_vec())
}

#[test]
fn an_auditor_proves_what_was_searched() {
    let auditor = secret();
    let lookup = lookup(&auditor, &HONEST);
    assert_eq!(opened(&lookup, &auditor), Ok(vec![SEARCHED.to_owned()]));
    assert_eq!(opened(&lookup, &secret()), Err(OpeningError::OtherRecipient));
    let text = String::from_utf8_lossy(&lookup.file);
    assert!(!text.contains("M12345678"), "{text}");
    let opening = open(&lookup.file, &lookup.question, &auditor, ONE).unwrap();
    assert_eq!(format!("{opening:?}"), "Opening([redacted])");
    assert_eq!(opening.kind().as_str(), "travel_document");
}

#[test]
fn who_lies_about_a_search_is_caught() {
    let auditor = secret();
    let found = |sealed: Sealed<'_>| opened(&lookup(&auditor, &sealed), &auditor).unwrap_err();
    let other = "PHL:P:M87654321";
    for identifiers in [&[other] as &[&str], &[SEARCHED, other], &[SEARCHED, SEARCHED], &[]] {
        assert_eq!(found(Sealed { identifiers, ..HONEST }), OpeningError::OtherVector);
    }
    assert_eq!(found(Sealed { seed: [1; 32], ..HONEST }), OpeningError::OtherVector);
    assert_eq!(found(Sealed { version: 9, ..HONEST }), OpeningError::OtherLookup);
}

#[test]
fn another_file_or_garbage_proves_nothing() {
    let auditor = secret();
    let honest = || lookup(&auditor, &HONEST);
    let mut other = honest();
    other.file.push(b'\n');
    assert_eq!(opened(&other, &auditor), Err(OpeningError::OtherFile));
    let mut garbage = honest();
    garbage.file = b"not sealed at all".to_vec();
    names(&mut garbage);
    assert_eq!(opened(&garbage, &auditor), Err(OpeningError::Garbage));
    // Sealed for another question, and named by this one.
    let id = "ff".repeat(16).parse().unwrap();
    let mut moved = lookup(&auditor, &HONEST);
    moved.question.id = id;
    assert_eq!(opened(&moved, &auditor), Err(OpeningError::OtherLookup));
    let mut tables = honest();
    tables.question.ask = Ask::Tables {};
    assert_eq!(opened(&tables, &auditor), Err(OpeningError::NoLookup));
}

/// Makes the question name the file as it is.
fn names(lookup: &mut Lookup) {
    if let Ask::Lookup { search } = &mut lookup.question.ask {
        search.opening = sha256(&lookup.file);
    }
}

#[test]
fn a_long_list_is_sealed_in_parts() {
    let auditor = secret();
    let texts: Vec<String> = (0..2_000).map(|n| format!("{n:04}{}", "X".repeat(1_000))).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let long = lookup(&auditor, &Sealed { identifiers: &texts, ..HONEST });
    // It opens and is read to its end; it is another vector than the one of the passport.
    assert_eq!(opened(&long, &auditor), Err(OpeningError::OtherVector));
    let parts: serde_json::Value = serde_json::from_slice(&long.file).unwrap();
    assert_eq!(parts["parts"].as_array().unwrap().len(), 2);
}
