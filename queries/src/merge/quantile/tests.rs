//! What a quantile says where bins are withheld, open or noisy.

use crate::merge::{Part, fold, outputs, wire_schema};
use crate::release::{MeasureOf, Output, Quantile, Release, WireMeasure};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, Int64Array, RecordBatch, UInt8Array};
use arrow::datatypes::{Float64Type, UInt8Type};
use mayag_policies::catalogue::{Catalogue, Dataset};
use mayag_policies::shape::{Comparison, LevelRef, Literal, Predicate};
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::CellStatus;
use proptest::prelude::*;
use std::sync::Arc;

const CATALOGUE: &str = r#"{"version": 1, "datasets": [{"name": "items", "about": "x", "units":[{"column": "case_id"}],
  "columns": [
    {"name": "case_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "kg", "about": "x", "kind": {"type": "measure", "number": "integer"}, "levels": [
      {"name": "band", "about": "x", "is": {"bands": {"edges": [10, 20, 40], "names": ["a", "b", "c", "d"]}}}]}
  ]}]}"#;

const NAMES: [&str; 4] = ["a", "b", "c", "d"];

fn dataset() -> Dataset {
    Catalogue::parse(CATALOGUE.as_bytes()).unwrap().datasets.remove(0)
}

/// The quantile of `billionths` over four bins, the last of which is open.
fn release(billionths: u32) -> Release {
    let in_bin = |name: &str| Predicate::Compare {
        level: LevelRef { column: "kg_band".parse().unwrap(), grain: None },
        comparison: Comparison::Equal,
        value: Literal::Text(name.to_owned()),
    };
    let counts = NAMES.map(|name| Some(in_bin(name))).into_iter().chain([None]);
    let quantile = Quantile {
        column: "kg".parse().unwrap(),
        bins: vec![0, 1, 2, 3],
        ends: vec![Some(0), Some(10), Some(20), Some(40), None],
        rows: 4,
        complete: false,
        billionths,
    };
    Release {
        dataset: "items".parse().unwrap(),
        counted: None,
        keys: Vec::new(),
        filter: Predicate::everything(),
        wire: counts.map(|filter| WireMeasure { of: MeasureOf::Rows, filter }).collect(),
        outputs: vec![Output::Quantile(quantile)],
    }
}

/// The same where every row is in a bin.
fn complete(billionths: u32) -> Release {
    let mut release = release(billionths);
    if let Some(Output::Quantile(of)) = release.outputs.first_mut() {
        of.complete = true;
    }
    release
}

/// The counts of bins and of all rows of a country, withheld where there is none; with a deviation they are noisy.
type Counts = ([Option<i64>; 5], Option<f64>);

fn part(release: &Release, (counts, deviation): &Counts) -> RecordBatch {
    let mut columns: Vec<ArrayRef> = Vec::new();
    for count in counts {
        let status = match (count, deviation) {
            (None, _) => CellStatus::Suppressed,
            (Some(_), None) => CellStatus::Known,
            (Some(_), Some(_)) => CellStatus::Noisy,
        };
        columns.push(Arc::new(Int64Array::from(vec![*count])));
        columns.push(Arc::new(UInt8Array::from(vec![status.byte()])));
        columns.push(Arc::new(Float64Array::from(vec![count.and(*deviation)])));
    }
    RecordBatch::try_new(wire_schema(release, &dataset()).unwrap(), columns).unwrap()
}

/// Value, status, deviation.
fn read(release: &Release, countries: &[Counts]) -> (Option<f64>, CellStatus, Option<f64>) {
    let codes = ["de", "jp", "kr"].into_iter();
    let parts = codes.zip(countries).map(|(code, counts)| Part {
        country: code.parse().unwrap(),
        listed: Listed::All,
        cells: part(release, counts),
    });
    let folded = fold(release, &dataset(), &parts.collect::<Vec<_>>()).unwrap();
    let said = outputs(release, &folded).unwrap();
    let float = |column: usize| {
        let column = said.column(column).as_primitive::<Float64Type>();
        column.is_valid(0).then(|| column.value(0))
    };
    let status = said.column(1).as_primitive::<UInt8Type>().value(0);
    (float(0), CellStatus::from_byte(status).unwrap(), float(2))
}

fn known(counts: [i64; 4]) -> Counts {
    let all = counts.iter().sum();
    let [a, b, c, d] = counts;
    ([Some(a), Some(b), Some(c), Some(d), Some(all)], None)
}

const MEDIAN: u32 = 500_000_000;

#[test]
fn a_quantile_is_interpolated_within_its_bin() {
    let median = |counts| read(&release(MEDIAN), &[known(counts)]);
    assert_eq!(median([10, 20, 10, 0]), (Some(15.0), CellStatus::Known, None));
    assert_eq!(median([30, 0, 10, 0]), (Some(10.0 * 20.0 / 30.0), CellStatus::Known, None));
    assert_eq!(median([0, 0, 0, 0]), (None, CellStatus::Known, None));
    let low = read(&release(0), &[known([0, 10, 10, 0])]);
    assert_eq!(low.0, Some(10.0), "the least value is in the first bin that holds any");
    let ninth = read(&release(900_000_000), &[known([40, 40, 20, 0])]);
    assert_eq!(ninth.0, Some(30.0));
}

#[test]
fn a_quantile_in_a_bin_without_an_end_is_withheld() {
    let median = read(&release(MEDIAN), &[known([10, 0, 10, 50])]);
    assert_eq!(median, (None, CellStatus::Suppressed, None));
}

#[test]
fn countries_are_added_before_the_quantile_is_read() {
    let countries = [known([10, 20, 10, 0]), known([100, 0, 0, 0])];
    let median = read(&release(MEDIAN), &countries);
    assert_eq!(median, (Some(70.0 / 110.0 * 10.0), CellStatus::Known, None));
}

#[test]
fn withheld_bins_count_where_it_is_known_how_many_rows_they_hold() {
    let counts = ([Some(10), Some(80), None, None, Some(100)], None);
    let upper = read(&complete(MEDIAN), &[counts]);
    assert_eq!(upper, (Some(15.0), CellStatus::Known, None));
    // With rows in no bin, nobody knows how many are in these.
    assert_eq!(read(&release(MEDIAN), &[counts]), (None, CellStatus::Suppressed, None));
    // On both sides of it: how many are below is not known.
    let around = ([None, Some(80), Some(10), None, Some(100)], None);
    assert_eq!(read(&complete(MEDIAN), &[around]).1, CellStatus::Suppressed);
    // It is in a withheld one.
    let inside = ([Some(10), None, None, Some(10), Some(100)], None);
    assert_eq!(read(&complete(MEDIAN), &[inside]).1, CellStatus::Suppressed);
    // Without the number of all rows too.
    let nothing = ([Some(10), Some(80), None, None, None], None);
    assert_eq!(read(&complete(MEDIAN), &[nothing]).1, CellStatus::Suppressed);
}

#[test]
fn a_country_that_says_too_little_is_left_out_and_the_quantile_is_partial() {
    let withheld = ([Some(10), Some(80), None, None, Some(100)], None);
    let both = read(&release(MEDIAN), &[known([10, 20, 10, 0]), withheld]);
    assert_eq!(both, (Some(15.0), CellStatus::Partial, None));
}

#[test]
fn noise_is_stated_as_far_as_the_bin_reaches() {
    let noisy = ([Some(10), Some(20), Some(10), Some(-1), Some(40)], Some(2.0));
    let (value, status, deviation) = read(&release(MEDIAN), &[noisy]);
    assert_eq!((value, status), (Some(15.0), CellStatus::Noisy));
    let expected = 10.0 / 20.0 * 20.0_f64.sqrt();
    assert!((deviation.unwrap() - expected).abs() < 1e-9, "{deviation:?}");
}

proptest! {
    /// Whatever is withheld: what is said is what all counts say.
    #[test]
    fn a_quantile_is_never_wrong_for_what_is_withheld(
        counts in proptest::collection::vec(proptest::array::uniform4(0_i64..40), 1..4),
        hidden in proptest::collection::vec(proptest::array::uniform5(any::<bool>()), 4),
        billionths in 0_u32..=1_000_000_000,
    ) {
        let release = complete(billionths);
        let whole: Vec<Counts> = counts.iter().map(|counts| known(*counts)).collect();
        let truth = read(&release, &whole);
        let withheld: Vec<Counts> = whole.iter().zip(&hidden).map(|((counts, _), hidden)| {
            let of = |i: usize| counts[i].filter(|_| !hidden[i]);
            ([of(0), of(1), of(2), of(3), of(4)], None)
        }).collect();
        let (value, status, _) = read(&release, &withheld);
        match status {
            CellStatus::Known => prop_assert_eq!(value, truth.0),
            CellStatus::Suppressed => prop_assert_eq!(value, None),
            // Of the countries that say enough.
            CellStatus::Partial => {}
            CellStatus::Noisy => prop_assert!(false),
        }
    }
}
