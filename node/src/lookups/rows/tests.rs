//! What is read of rows, by hand-made portions.

use super::{Categories, RowReader, handling_legend, legend};
use crate::lookups::terms::Reveals;
use arrow::array::{ArrayRef, RecordBatch, StringArray};
use mayag_matching::declared::Record;
use mayag_matching::input::Input;
use mayag_matching::normalise::{Kind, rules};
use mayag_matching::reference::Reference;
use mayag_protocol::lookup::Band;
use std::sync::Arc;

const ALL: Reveals = Reveals { category: true, handling: true, contact: true };
const NOTHING: Reveals = Reveals { category: false, handling: false, contact: false };

type Column<'a> = (&'a str, &'a [Option<&'a str>]);

fn portion(columns: &[Column<'_>]) -> RecordBatch {
    let column = |(name, values): &Column<'_>| {
        let values: StringArray = values.iter().copied().collect();
        ((*name).to_owned(), Arc::new(values) as ArrayRef, true)
    };
    RecordBatch::try_from_iter_with_nullable(columns.iter().map(column)).unwrap()
}

fn reader(kind: Kind, label: Option<&str>, reveals: Reveals, secret: u8) -> RowReader {
    let categories = portion(&[("category", &[Some("stolen"), Some("forged")])]);
    RowReader::new(
        &"documents".parse().unwrap(),
        (kind, rules(kind), label.map(|label| label.parse().unwrap())),
        reveals,
        legend(&categories).unwrap(),
        &[secret; 32],
    )
    .unwrap()
}

fn read(reader: &mut RowReader, columns: &[Column<'_>]) -> Vec<Reference> {
    let mut read = Vec::new();
    reader.read(&portion(columns), |_, record| read.push(record.reference)).unwrap();
    read
}

const DOCUMENTS: [Column<'static>; 5] = [
    ("identifier", &[Some("M1234567"), Some("M7654321"), Some("x"), Some("!"), Some("A11")]),
    ("qualifier", &[Some("PHL"), Some("KOR"), Some("PHL"), Some("PHL"), Some("atlantis")]),
    ("category", &[Some("stolen"), None, Some("stolen"), None, None]),
    ("handling", &[Some("H1"), Some("secret"), None, None, None]),
    ("contact", &[Some("case 7"), Some("case 7"), None, None, None]),
];

#[test]
fn what_a_hit_says_is_what_the_policy_reveals() {
    let mut open = reader(Kind::TravelDocument, Some("passport"), ALL, 1);
    let read_open = read(&mut open, &DOCUMENTS);
    let [first, second, ..] = read_open.as_slice() else { panic!("{}", read_open.len()) };
    assert_eq!((first.band, first.category, first.handling), (Band::Exact, 2, 1));
    assert_eq!((second.category, second.handling), (0, 3), "what is no code is the strictest");
    assert!(first.contact == second.contact && first.contact != [0; 16]);
    assert_eq!(handling_legend()[1].text, "H1");

    let mut closed = reader(Kind::TravelDocument, Some("passport"), NOTHING, 1);
    for reference in read(&mut closed, &DOCUMENTS) {
        let said = (reference.category, reference.handling, reference.contact);
        assert_eq!(said, (0, 0, [0; 16]));
    }
    let mut other = reader(Kind::TravelDocument, Some("passport"), ALL, 2);
    assert_ne!(read(&mut other, &DOCUMENTS)[0].contact, first.contact, "another node's secret");
}

#[test]
fn what_is_not_plainly_false_is_silent_and_names_no_category() {
    let silent: [Column<'_>; 4] = [
        ("identifier", &[Some("M1"), Some("M2"), Some("M3"), Some("M4"), Some("M5")]),
        ("qualifier", &[Some("PHL"); 5]),
        ("category", &[Some("stolen"), Some("secret"), Some("secret"), None, Some("secret")]),
        ("silent", &[Some("false"), Some("true"), None, Some(""), Some("yes")]),
    ];
    let mut documents = reader(Kind::TravelDocument, Some("passport"), ALL, 1);
    let mut read = Vec::new();
    let each = |_: &Input, record: Record| read.push((record.silent, record.reference.category));
    documents.read(&portion(&silent), each).unwrap();
    assert_eq!(read, [(false, 2), (true, 0), (true, 0), (true, 0), (true, 0)]);
    let tally = documents.tally();
    assert_eq!((tally.silent, tally.problems.get("unknown_silent")), (4, Some(&3)));
}

#[test]
fn the_owner_knows_the_contact_that_a_hit_does_not_show() {
    let contacts = |reveals| {
        let mut documents = reader(Kind::TravelDocument, Some("passport"), reveals, 1);
        let mut read = Vec::new();
        let each =
            |_: &Input, record: Record| read.push((record.reference.contact, record.contact));
        documents.read(&portion(&DOCUMENTS), each).unwrap();
        read
    };
    let (hidden, shown) = (contacts(NOTHING), contacts(ALL));
    assert_eq!(hidden[0], ([0; 16], shown[0].0));
    assert_ne!(shown[0].0, [0; 16]);
}

#[test]
fn what_does_not_normalise_is_counted_by_the_sort_of_problem() {
    let mut documents = reader(Kind::TravelDocument, Some("passport"), ALL, 1);
    let indexed = read(&mut documents, &DOCUMENTS);
    let tally = documents.tally();
    assert_eq!((tally.rows, tally.elements), (5, indexed.len() as u64));
    assert_eq!(tally.problems.get("unknown_qualifier"), Some(&1));
    assert_eq!(tally.problems.get("unknown_handling"), Some(&1));
    let said = tally.to_string();
    assert!(!said.contains("M123") && !said.contains("atlantis"), "{said}");

    let mut mixed = reader(Kind::TravelDocument, None, ALL, 1);
    let labels: [Column<'_>; 3] = [
        ("identifier", &[Some("M1234567"), Some("M1234567"), Some("M1234567")]),
        ("qualifier", &[Some("PHL"), Some("PHL"), Some("PHL")]),
        ("label", &[Some("visa"), Some("phone"), Some("paspoort")]),
    ];
    assert_eq!(read(&mut mixed, &labels).len(), 1);
    assert_eq!(mixed.tally().problems.get("other_kind"), Some(&1));
    assert_eq!(mixed.tally().problems.get("unknown_kind"), Some(&1));
}

#[test]
fn the_keys_of_one_person_have_a_contact_in_common_also_where_it_is_hidden() {
    let persons: [Column<'_>; 2] = [
        ("identifier", &[Some("Juan Cruz"), Some("Ana Reyes")]),
        ("qualifier", &[Some("1980-02-29"), Some("1990-03-01")]),
    ];
    let mut hidden = reader(Kind::Person, None, NOTHING, 1);
    let mut contacts: Vec<_> =
        read(&mut hidden, &persons).iter().map(|reference| reference.contact).collect();
    assert!(contacts.len() > 20);
    contacts.dedup();
    assert_eq!(contacts.len(), 2);
    let mut again = reader(Kind::Person, None, NOTHING, 1);
    assert_ne!(read(&mut again, &persons)[0].contact, contacts[0], "another build, other names");
}

#[test]
fn categories_are_a_short_list_of_words_and_none_that_is_new() {
    let mut documents = reader(Kind::TravelDocument, Some("passport"), ALL, 1);
    let unknown: [Column<'_>; 3] = [
        ("identifier", &[Some("M1234567")]),
        ("qualifier", &[Some("PHL")]),
        ("category", &[Some("lost")]),
    ];
    assert_eq!(documents.read(&portion(&unknown), |_, _| ()), Err(Categories));
    let long = "x".repeat(101);
    assert_eq!(legend(&portion(&[("category", &[Some(&long)])])), Err(Categories));
    let numbers: Vec<_> = legend(&portion(&[("category", &[Some("b"), Some("a")])]))
        .unwrap()
        .into_iter()
        .map(|legend| (legend.number, legend.text))
        .collect();
    assert_eq!(numbers, [(1, "a".to_owned()), (2, "b".to_owned())]);
}
