//! What is in an index is found, nothing else is, and nothing is to be seen of it.

use super::{Builder, HEAD, Index, MalformedIndex, ROW, Row, Rows, padded};
use crate::input::{Input, Rules};
use crate::reference::{Reference, SEVERAL};
use crate::scope::Scope;
use crate::voprf::{SecretKey, Seed};
use mayag_protocol::lookup::Band;
use proptest::prelude::{any, proptest};
use std::num::NonZero;

const TWO: NonZero<usize> = NonZero::new(2).unwrap();

fn scope(epoch: u32, version: u16) -> Scope {
    Scope {
        node: "spiffe://demo/country/kr/node".parse().unwrap(),
        table: "documents".parse().unwrap(),
        epoch,
        rules: Rules { kind: "passport".parse().unwrap(), version },
    }
}

fn key(scope: &Scope) -> SecretKey {
    SecretKey::derive(&Seed::from_bytes([1; 32]), scope).unwrap()
}

fn reference(category: u16, contact: u8) -> Reference {
    Reference { band: Band::Exact, category, handling: 1, rows: 1, contact: [contact; 16] }
}

fn built(scope: &Scope, rows: &[(&str, Reference)]) -> Index {
    let key = key(scope);
    let mut builder = Builder::new(&key, scope, TWO).unwrap();
    builder.reserve(rows.len());
    for (identifier, reference) in rows {
        let input = Input::new(&scope.rules, identifier).unwrap();
        builder.push(Row { input, reference: *reference });
    }
    builder.finish().unwrap()
}

fn found(index: &Index, scope: &Scope, identifier: &str) -> Option<Reference> {
    index.look_up(&key(scope).output(&Input::new(&scope.rules, identifier).unwrap()))
}

fn listed(index: &Index, scope: &Scope, identifier: &str) -> Vec<Reference> {
    rows(index, scope, identifier).references
}

fn rows(index: &Index, scope: &Scope, identifier: &str) -> Rows {
    index.rows(&key(scope).output(&Input::new(&scope.rules, identifier).unwrap()))
}

#[test]
fn what_was_put_in_is_found_and_nothing_else() {
    let scope = scope(1, 1);
    let names: Vec<String> = (0..300).map(|n| format!("KOR|M{n}")).collect();
    let rows: Vec<(&str, Reference)> =
        names.iter().zip(0..).map(|(name, n)| (name.as_str(), reference(n, 1))).collect();
    let built = built(&scope, &rows);
    let read = Index::parse(&scope, &built.filter_bytes(), &built.box_bytes()).unwrap();
    for index in [&built, &read] {
        assert_eq!(index.len(), padded(301));
        for (name, n) in names.iter().zip(0..) {
            assert_eq!(found(index, &scope, name), Some(reference(n, 1)));
        }
        for n in 300..400 {
            assert_eq!(found(index, &scope, &format!("KOR|M{n}")), None);
        }
        let control = key(&scope).output(&Input::control(&scope.rules));
        assert_eq!(index.look_up(&control), Some(Reference::CONTROL));
    }
    assert_eq!(read.box_bytes(), built.box_bytes());
    assert_eq!(read.filter_bytes(), built.filter_bytes());
}

#[test]
fn what_rows_with_one_identifier_say_together_does_not_depend_on_their_order() {
    let scope = scope(1, 1);
    let rows = [
        ("A", reference(5, 2)),
        ("B", reference(6, 3)),
        ("A", reference(7, 1)),
        ("A", reference(5, 9)),
    ];
    let merged = Reference { category: SEVERAL, rows: 3, ..reference(0, 1) };
    for turn in 0..rows.len() {
        let mut rows = rows;
        rows.rotate_left(turn);
        let index = built(&scope, &rows);
        assert_eq!(found(&index, &scope, "A"), Some(merged));
        assert_eq!(found(&index, &scope, "B"), Some(reference(6, 3)));
        assert_eq!(
            listed(&index, &scope, "A"),
            [reference(7, 1), reference(5, 2), reference(5, 9)]
        );
        assert_eq!(listed(&index, &scope, "B"), [reference(6, 3)]);
        assert_eq!(listed(&index, &scope, "C"), []);
    }
}

#[test]
fn rows_with_one_identifier_and_contact_become_one_and_no_more_than_sixteen_are_kept() {
    let scope = scope(1, 1);
    let rows: Vec<(&str, Reference)> =
        (1..=20).flat_map(|n| [("A", reference(1, n)), ("A", reference(2, n))]).collect();
    let index = built(&scope, &rows);
    let listed = listed(&index, &scope, "A");
    assert!(listed.iter().map(|reference| reference.contact[0]).eq(1..=16));
    let rows: Vec<u16> = listed.iter().map(|reference| reference.rows).collect();
    assert_eq!(rows[..15], [2; 15]);
    assert_eq!(rows[15], 10);
    assert!(listed.iter().all(|reference| reference.category == SEVERAL));
}

#[test]
fn what_has_no_row_of_its_own_is_not_lost_in_silence() {
    let scope = scope(1, 1);
    for (contacts, crowded) in [(16, false), (17, true), (20, true)] {
        // The rows of one contact are one, before and after the others.
        let all: Vec<(&str, Reference)> =
            (1..=contacts).flat_map(|n| [("A", reference(1, n)); 2]).collect();
        let built = built(&scope, &all);
        let read = Index::parse(&scope, &built.filter_bytes(), &built.box_bytes()).unwrap();
        let rows = rows(&read, &scope, "A");
        assert_eq!((rows.references.len(), rows.crowded), (16, crowded), "{contacts}");
    }
}

#[test]
fn nobody_sees_which_rows_belong_together() {
    let scope = scope(1, 1);
    let rows: Vec<(&str, Reference)> = (1..=16).map(|n| ("A", reference(1, n))).collect();
    let index = built(&scope, &rows);
    let mut tags: Vec<&[u8]> = index.boxes.rows.iter().map(|row| &row[..8]).collect();
    tags.dedup();
    assert_eq!(tags.len(), index.len());
}

#[test]
fn nothing_is_found_with_a_key_of_another_scope() {
    let (this, next, other) = (scope(1, 1), scope(2, 1), scope(1, 2));
    let index = built(&this, &[("A", reference(1, 1))]);
    for wrong in [&next, &other] {
        assert_eq!(found(&index, wrong, "A"), None);
        assert_eq!(index.look_up(&key(wrong).output(&Input::control(&wrong.rules))), None);
        // Nor with the right key, where the boxes are shown as those of another scope.
        let shown = Index::parse(wrong, &index.filter_bytes(), &index.box_bytes()).unwrap();
        assert_eq!(found(&shown, &this, "A"), None);
    }
}

#[test]
fn a_changed_box_opens_no_more_and_passing_the_filter_is_no_hit() {
    let scope = scope(1, 1);
    let index = built(&scope, &[("A", reference(1, 1))]);
    let bytes = index.box_bytes();
    let output = key(&scope).output(&Input::new(&scope.rules, "A").unwrap());
    let tag = &output.as_bytes()[..8];
    let rows = &bytes[HEAD..];
    let at = HEAD + ROW * rows.chunks(ROW).position(|row| &row[..8] == tag).unwrap();
    for bit in 0..8 * (ROW - 8) {
        let mut bytes = bytes.clone();
        bytes[at + 8 + bit / 8] ^= 1 << (bit % 8);
        let changed = Index::parse(&scope, &index.filter_bytes(), &bytes).unwrap();
        assert!(changed.filter.may_hold(crate::sealing::tag(&output)));
        assert_eq!(found(&changed, &scope, "A"), None, "{bit}");
    }
    let mut salted = bytes;
    salted[HEAD - 1] ^= 1;
    let changed = Index::parse(&scope, &index.filter_bytes(), &salted).unwrap();
    assert_eq!(found(&changed, &scope, "A"), None);
}

#[test]
fn a_row_that_changes_within_an_epoch_is_sealed_with_another_key() {
    let scope = scope(1, 1);
    let sealed = |category| {
        let index = built(&scope, &[("A", reference(category, 1))]);
        let output = key(&scope).output(&Input::new(&scope.rules, "A").unwrap());
        let rows = index.box_bytes()[HEAD..].to_vec();
        let row = rows.chunks(ROW).find(|row| row[..8] == output.as_bytes()[..8]).unwrap();
        row[8..].to_vec()
    };
    // One key and nonce for both would make the difference that of the references: zeros but for the category.
    let difference: Vec<u8> = sealed(1).iter().zip(sealed(2)).map(|(a, b)| a ^ b).collect();
    let same: usize = difference[..25].iter().map(|byte| usize::from(*byte == 0)).sum();
    assert!(same < 8);
}

#[test]
fn how_many_rows_there_are_is_not_to_be_seen() {
    assert_eq!([0, 1, 64, 65, 80, 81, 101].map(padded), [64, 64, 64, 80, 80, 100, 125]);
    for rows in [1_000, 123_456, 10_000_000] {
        assert!((rows..=rows + rows / 4).contains(&padded(rows)), "{rows}");
    }
    let scope = scope(1, 1);
    let one = built(&scope, &[("A", reference(1, 1))]);
    let names: Vec<String> = (0..63).map(|n| format!("{n}")).collect();
    let rows: Vec<_> = names.iter().map(|name| (name.as_str(), reference(1, 1))).collect();
    let many = built(&scope, &rows);
    assert_eq!(one.box_bytes().len(), many.box_bytes().len());
    assert_eq!(one.filter_bytes().len(), many.filter_bytes().len());
}

#[test]
fn boxes_have_one_form() {
    let scope = scope(1, 1);
    let index = built(&scope, &[("A", reference(1, 1))]);
    let (filter, bytes) = (index.filter_bytes(), index.box_bytes());
    let refused = |bytes: &[u8]| {
        assert_eq!(Index::parse(&scope, &filter, bytes).err(), Some(MalformedIndex::Boxes));
    };
    refused(&bytes[..bytes.len() - 1]);
    refused(&bytes[..HEAD - 1]);
    refused(&[&bytes[..], &[0]].concat());
    refused(&[b"MAYAGBX2", &bytes[8..]].concat());
    let mut swapped = bytes.clone();
    swapped[HEAD..HEAD + 2 * ROW].rotate_left(ROW);
    refused(&swapped);
    let mut twice = bytes[..HEAD + ROW].to_vec();
    twice.extend_from_slice(&bytes[HEAD..HEAD + ROW]);
    refused(&twice);
    Index::parse(&scope, &filter[1..], &bytes).unwrap_err();
}

#[test]
fn not_many_rows_are_tried_for_one_tag() {
    let scope = scope(1, 1);
    let index = built(&scope, &[("A", reference(1, 1))]);
    let output = key(&scope).output(&Input::new(&scope.rules, "A").unwrap());
    let crowded = |count: u8| {
        let mut rows: Vec<[u8; ROW]> = (1..count).map(|n| [n; ROW]).collect();
        for row in &mut rows {
            row[..8].copy_from_slice(&output.as_bytes()[..8]);
            row[8] = 0;
        }
        let mut last = [0xff; ROW];
        last[..8].copy_from_slice(&output.as_bytes()[..8]);
        rows.push(last);
        let bytes = index.box_bytes();
        Index::parse(&scope, &index.filter_bytes(), &[&bytes[..HEAD], rows.as_flattened()].concat())
    };
    assert_eq!(crowded(16).map(|index| index.len()).ok(), Some(16));
    assert_eq!(crowded(17).err(), Some(MalformedIndex::Boxes));
}

proptest! {
    #[test]
    fn no_bytes_panic(junk in proptest::collection::vec(any::<u8>(), 0..300)) {
        let scope = scope(1, 1);
        let index = built(&scope, &[("A", reference(1, 1))]);
        let boxes = [b"MAYAGBX1".as_slice(), &junk].concat();
        if let Ok(index) = Index::parse(&scope, &index.filter_bytes(), &boxes) {
            let _found = found(&index, &scope, "A");
        }
    }
}
