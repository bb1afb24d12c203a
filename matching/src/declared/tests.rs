//! Tests of declarations, and of what a table says of them.

use super::{
    Answered, Builder, Declaration, DeclarationError, MET_SILENT, Met, Record, Table, answered,
    commitment,
};
use crate::input::{Input, Rules};
use crate::reference::Reference;
use mayag_protocol::lookup::{Band, DECLARED_VERDICT};
use zeroize::Zeroizing;

fn rules() -> Rules {
    Rules { kind: "container".parse().unwrap(), version: 1 }
}

fn declaration(identifiers: &[&str]) -> Declaration {
    Declaration::new(&rules(), Zeroizing::new([3; 32]), [4; 32], identifiers).unwrap()
}

fn record((contact, silent): (u8, bool)) -> Record {
    let reference =
        Reference { band: Band::Exact, category: 2, handling: 1, rows: 1, contact: [contact; 16] };
    Record { reference, contact: [contact; 16], silent }
}

/// A table of these identifiers, contacts and silences.
fn table(records: &[(&str, u8, bool)]) -> Table {
    let mut builder = Builder::new(&[9; 32]);
    for (identifier, contact, silent) in records {
        builder.push(&Input::new(&rules(), identifier).unwrap(), record((*contact, *silent)));
    }
    builder.finish(&rules())
}

/// The contacts that whoever asked is told of each identifier, and those that the owner is told, each with its silence.
type Told = (Vec<Vec<u8>>, Vec<Vec<(u8, bool)>>);

fn told(table: &Table, identifiers: &[&str]) -> Told {
    let declared = declaration(identifiers);
    let (bytes, met) = table.answer(&rules(), &declared);
    let Answered { rows, finds_control } = answered(identifiers.len(), &bytes).unwrap();
    assert!(finds_control);
    let contacts = |references: &[Reference]| references.iter().map(|it| it.contact[0]).collect();
    let shown = rows.iter().map(|rows| contacts(&rows.references)).collect();
    (shown, met.iter().map(owner).collect())
}

fn owner(met: &Met) -> Vec<(u8, bool)> {
    let there = met.contacts.iter().filter(|(word, _)| *word != 0);
    there.map(|(word, contact)| (contact[0], *word == MET_SILENT)).collect()
}

#[test]
fn a_declaration_reads_back_and_nothing_else_is_one() {
    let declared = declaration(&["A", "B", "C"]);
    let bytes = declared.to_bytes();
    assert_eq!((declared.elements(), bytes.len()), (9, 65 + 9 * 256));
    let read = |bytes: &[u8]| Declaration::parse(&rules(), bytes);
    let back = read(&bytes).unwrap();
    assert!(back.texts().eq(["A", "B", "C"]));
    assert_eq!(
        (back.reply(), back.commitment(&rules())),
        (&[4; 32], declared.commitment(&rules()))
    );
    // The version, padding that says something, a length that does not fit, no control, other sizes.
    for (at, value) in [(0, 2), (bytes.len() - 1, 1), (65, 255), (65 + 3 * 256 + 5, b'x'), (66, 0)]
    {
        let mut changed = bytes.to_vec();
        changed[at] = value;
        assert!(read(&changed).is_none(), "{at}");
    }
    for length in [0, 64, 65, bytes.len() - 256, bytes.len() - 1] {
        assert!(read(&bytes[..length]).is_none(), "{length}");
    }
    assert!(read(&[bytes.as_slice(), &[0; 256]].concat()).is_none());
    assert!(!format!("{declared:?}").contains('A'));
}

#[test]
fn a_commitment_binds_salt_rules_identifiers_and_their_order() {
    let of = |salt: u8, kind: &str, identifiers: &[&str]| {
        let rules = Rules { kind: kind.parse().unwrap(), version: 1 };
        commitment(&rules, &[salt; 32], identifiers)
    };
    let one = of(3, "container", &["A", "B"]);
    assert_eq!(one, declaration(&["A", "B"]).commitment(&rules()));
    for other in [
        of(4, "container", &["A", "B"]),
        of(3, "iban", &["A", "B"]),
        of(3, "container", &["B", "A"]),
        of(3, "container", &["AB"]),
        of(3, "container", &["A"]),
    ] {
        assert_ne!(one, other);
    }
}

#[test]
fn what_cannot_be_declared_is_refused() {
    let of = |identifiers: &[String]| {
        Declaration::new(&rules(), Zeroizing::new([3; 32]), [4; 32], identifiers).err()
    };
    assert_eq!(of(&[]), Some(DeclarationError::Count));
    assert_eq!(of(&vec!["A".to_owned(); 513]), Some(DeclarationError::Count));
    let different = |count: usize| (0..count).map(|n| format!("A{n}")).collect::<Vec<_>>();
    assert_eq!(of(&different(512)), None);
    assert_eq!(of(&different(513)), Some(DeclarationError::Count));
    assert_eq!(of(&["A", "B", "A"].map(str::to_owned)), Some(DeclarationError::Twice));
    assert_eq!(of(&["A".repeat(255)]), Some(DeclarationError::Long));
    assert_eq!(of(&["A".repeat(254)]), None);
    assert!(matches!(of(&["\0positive control".to_owned()]), Some(DeclarationError::Input(_))));
}

#[test]
fn hits_are_told_and_silent_ones_to_the_owner_alone() {
    let table = table(&[("A", 1, false), ("B", 2, true), ("C", 3, false), ("C", 4, true)]);
    let (shown, met) = told(&table, &["A", "X", "B", "C"]);
    assert_eq!(shown, [vec![1], vec![], vec![], vec![3]]);
    // Silent or not is said of each contact.
    let owner = [vec![(1, false)], vec![], vec![(2, true)], vec![(4, true), (3, false)]];
    assert_eq!(met, owner);
}

#[test]
fn a_silent_hit_has_the_bytes_of_a_miss_and_all_answers_one_length() {
    let table = table(&[("A", 1, false), ("B", 2, true)]);
    let answer = |identifier: &str| table.answer(&rules(), &declaration(&[identifier])).0.to_vec();
    assert_eq!(answer("B"), answer("X"));
    assert_ne!(answer("A"), answer("X"));
    assert_eq!(answer("A").len(), 2 * DECLARED_VERDICT);
    // Whatever rows stand around the place where it would be.
    let empty = self::table(&[]);
    assert_eq!(empty.answer(&rules(), &declaration(&["X"])).0.to_vec(), answer("X"));
}

#[test]
fn rows_of_one_contact_are_one_and_more_contacts_than_there_is_room_for_are_said_to_be() {
    let twice = table(&[("A", 1, false), ("A", 1, false), ("A", 2, false)]);
    let (bytes, _) = twice.answer(&rules(), &declaration(&["A"]));
    let rows = answered(1, &bytes).unwrap().rows.remove(0);
    let counts: Vec<u16> = rows.references.iter().map(|reference| reference.rows).collect();
    assert_eq!((counts, rows.crowded), (vec![2, 1], false));
    for (contacts, crowded) in [(8, false), (9, true), (12, true)] {
        let mut records: Vec<(&str, u8, bool)> =
            (1..=contacts).map(|contact| ("A", contact, false)).collect();
        records.push(("A", 200, true));
        let table = table(&records);
        let (bytes, met) = table.answer(&rules(), &declaration(&["A"]));
        let rows = answered(1, &bytes).unwrap().rows.remove(0);
        assert_eq!((rows.references.len(), rows.crowded), (8, crowded), "{contacts}");
        assert_eq!(
            owner(&met[0])[0],
            (200, true),
            "the owner knows of the silent row behind the others"
        );
        assert_eq!((owner(&met[0]).len(), met[0].more), (8, 1), "{contacts}");
    }
}

#[test]
fn the_owner_is_told_contacts_that_a_hit_does_not_show() {
    let mut builder = Builder::new(&[9; 32]);
    let input = Input::new(&rules(), "A").unwrap();
    for (contact, silent) in [(1, false), (2, true), (3, false)] {
        let shown = record((0, silent));
        builder.push(&input, Record { contact: [contact; 16], ..shown });
    }
    let (shown, met) = told(&builder.finish(&rules()), &["A"]);
    assert_eq!(shown, [vec![0]], "one record without a contact");
    assert_eq!(met, [vec![(2, true), (1, false), (3, false)]]);
}

#[test]
fn every_identifier_has_a_place_in_what_the_owner_is_told() {
    let (_, met) = table(&[("A", 1, false)]).answer(&rules(), &declaration(&["X", "A", "Y"]));
    assert_eq!(met.iter().map(Met::mask).collect::<Vec<_>>(), [0, 255, 0]);
}

#[test]
fn another_table_or_other_rules_find_no_control() {
    let table = table(&[("A", 1, false)]);
    let other = Rules { version: 2, ..rules() };
    let declared = Declaration::new(&other, Zeroizing::new([3; 32]), [4; 32], &["A"]).unwrap();
    let (bytes, met) = table.answer(&other, &declared);
    let answered = answered(1, &bytes).unwrap();
    assert!(
        !answered.finds_control && answered.rows[0].references.is_empty() && met[0].mask() == 0
    );
}

#[test]
fn what_is_no_answer_is_not_read() {
    let (bytes, _) = table(&[("A", 1, false)]).answer(&rules(), &declaration(&["A", "X"]));
    assert!(answered(2, &bytes).is_some());
    assert!(answered(9, &bytes).is_none() && answered(2, &bytes[1..]).is_none());
    // More references than are there, a word for crowded that is none, a reference that is none, something behind them.
    for (at, value) in [(0, 2), (0, 9), (1, 2), (2, 7), (2 + 25, 1), (DECLARED_VERDICT + 2, 1)] {
        let mut changed = bytes.to_vec();
        changed[at] = value;
        assert!(answered(2, &changed).is_none(), "{at}");
    }
}
