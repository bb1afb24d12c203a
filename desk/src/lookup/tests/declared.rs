//! Declared tables: asked only where the person wants that, and never taken for a proof where they may be silent.

use super::{of_table, table};
use crate::ask::AskError;
use crate::fault::{Fault, VerificationFailed};
use crate::fixture::country;
use crate::lookup::LookupError;
use crate::lookup::answer::{CountryAnswered, LookupAnswer, OfTable, Reason, Said};
use crate::lookup::declared::lost;
use crate::lookup::fixture::{ONE, choice, choice_of, choice_of_length, federation, lacking, now};
use crate::lookup::opening::{OpeningError, Sealing, Secret, open};
use crate::lookup::plan::{Choice, Declared};
use mayag_audit::detail::RecipientSecret;
use mayag_audit::keys::sha256;
use mayag_matching::declared::commitment;
use mayag_matching::normalise::{Kind, rules};
use mayag_protocol::lookup::{DeclaredSearch, DeclaredTable, DeclaredTarget, Directory, Verdict};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Ask;

/// A country with a declared table alone.
fn directory(change: impl FnOnce(&mut DeclaredTable)) -> Directory {
    let mut declared = DeclaredTable {
        table: "observed".parse().unwrap(),
        kind: Kind::TravelDocument.name(),
        rules: 1,
        built_at: now(),
        left_out: 0,
        purposes: vec![Purpose::Border],
        most_elements: 65,
        legal_basis: "a treaty".to_owned(),
        may_be_silent: true,
        categories: Vec::new(),
        handling: Vec::new(),
    };
    change(&mut declared);
    let directory = table().directory(1);
    Directory { tables: Vec::new(), declared: vec![declared], ..directory }
}

#[test]
fn a_declared_table_is_asked_only_where_the_person_wants_that() {
    let left = choice(directory(|_| ()), Purpose::Border, 2);
    assert_eq!((left.declared.len(), lacking(&left)), (0, Some(&Reason::Declared)));
    let asked = |change: fn(&mut DeclaredTable), searched| -> Choice {
        choice_of(directory(change), Purpose::Border, 2, (searched, Declared::Asked))
    };
    let one = asked(|_| (), 1);
    assert_eq!((one.declared.len(), lacking(&one)), (1, None));
    let told = one.declared[0].told();
    assert_eq!((told.legal_basis, told.may_be_silent), ("a treaty", true));
    let why = |change, searched| {
        let choice = asked(change, searched);
        assert!(choice.declared.is_empty());
        lacking(&choice).cloned()
    };
    assert_eq!(why(|it| it.kind = Kind::Iban.name(), 1), Some(Reason::NoTable));
    assert_eq!(why(|it| it.purposes = vec![Purpose::Alert], 1), Some(Reason::OtherPurpose));
    assert_eq!(why(|it| it.rules += 1, 1), Some(Reason::OtherRules));
    assert_eq!(why(|_| (), 65), Some(Reason::TooMany { most: 65 }));
    assert_eq!(why(|it| it.most_elements = 10_001, 513), Some(Reason::TooMany { most: 513 }));
    let long = |longest| {
        let needs = (1, longest, Declared::Asked);
        choice_of_length(directory(|_| ()), Purpose::Border, 2, needs)
    };
    assert_eq!(lacking(&long(255)), Some(&Reason::TooLong));
    assert_eq!(long(254).declared.len(), 1);
    // Beside a blinded table that is asked, it is what may be missing.
    let mut both = directory(|_| ());
    both.tables = table().directory(1).tables;
    let both = choice(both, Purpose::Border, 2);
    assert_eq!((both.chosen.len(), lacking(&both)), (1, Some(&Reason::Declared)));
}

#[test]
fn a_question_that_breaks_is_a_reason_beside_what_others_have_answered() {
    let said = |error: AskError| lost(&error.into());
    assert_eq!(said(AskError::TimedOut), Reason::Outcome(Outcome::TimedOut));
    assert_eq!(said(AskError::NoResources), Reason::Outcome(Outcome::Failed));
    assert_eq!(lost(&LookupError::NotSealed), Reason::Outcome(Outcome::NotAsked));
    let failed = VerificationFailed { what: Fault::AnswerDigest, country: None };
    assert!(said(failed.into()).is_alarm());
}

#[test]
fn who_may_keep_a_hit_to_itself_proves_no_absence() {
    let answer = |may_be_silent| {
        let table = OfTable { may_be_silent, ..of_table(0, Said::No) };
        let country = CountryAnswered::evaluated(country("kr"), vec![table], None);
        LookupAnswer::new(1, vec![country], Vec::new())
    };
    for (may_be_silent, proved) in [(false, true), (true, false)] {
        let answer = answer(may_be_silent);
        assert_eq!(answer.of(0).next().unwrap().verdict, Verdict::NoHit {});
        assert_eq!(answer.no_hit_anywhere(0), proved);
    }
}

#[test]
fn an_auditor_proves_what_was_declared_and_a_lie_is_caught() {
    let auditor = RecipientSecret::passing().unwrap();
    let opened = |salt: [u8; 32], sealed: &[&str]| {
        let mut question = federation().question;
        let rules = rules(Kind::TravelDocument);
        let sealing = Sealing {
            question: &question.id,
            analyst: &question.analyst,
            secret: Secret::Declared(&salt),
            rules: &rules,
            identifiers: sealed.to_vec(),
        };
        let file = sealing.seal(&[auditor.public().clone()]).unwrap();
        let (country, table) = (country("kr"), "observed".parse().unwrap());
        let search = DeclaredSearch {
            identifiers: rules.kind.clone(),
            rules: 1,
            elements: 2,
            sealed: sha256(b"sealed"),
            commitment: commitment(&rules, &[7; 32], &["PHL:P:M12345678"]),
            opening: sha256(&file),
            targets: vec![DeclaredTarget { country, table }],
        };
        question.ask = Ask::Declared { search };
        open(&file, &question, &auditor, ONE).map(|opening| opening.identifiers().to_vec())
    };
    let honest = "PHL:P:M12345678";
    assert_eq!(opened([7; 32], &[honest]), Ok(vec![honest.to_owned()]));
    let other = || Err(OpeningError::OtherVector);
    assert_eq!(opened([7; 32], &["PHL:P:M87654321"]), other());
    assert_eq!(opened([7; 32], &[honest, honest]), other());
    assert_eq!(opened([8; 32], &[honest]), other());
}
