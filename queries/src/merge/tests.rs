//! What a fold must keep: exact sums, the honest status of a cell, the order of keys.

use super::{MergeError, Part, check_listed, fold, outputs, read_part, wire_schema, write_part};
use crate::release::{MeasureOf, Output, Release, WireMeasure};
use arrow::array::{
    ArrayRef, AsArray, Decimal128Array, Float64Array, Int64Array, RecordBatch, StringArray,
    UInt8Array,
};
use arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type, UInt8Type};
use mayag_policies::catalogue::{Catalogue, Dataset, Number};
use mayag_policies::shape::{LevelRef, Predicate};
use mayag_protocol::answer::Listed;
use mayag_protocol::names::Country;
use std::sync::Arc;

const CATALOGUE: &str = r#"{"version": 1, "datasets": [{"name": "seizures", "about": "x", "units":[{"column": "case_id"}],
  "columns": [
    {"name": "case_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "region", "about": "x", "kind": {"type": "category"}},
    {"name": "kg", "about": "x", "kind": {"type": "measure", "number": {"decimal": {"precision": 12, "scale": 2}}}}
  ]}]}"#;

fn dataset() -> Dataset {
    Catalogue::parse(CATALOGUE.as_bytes()).unwrap().datasets.remove(0)
}

fn release(keys: &[&str]) -> Release {
    let kg = || "kg".parse().unwrap();
    let number = Number::Decimal { precision: 12, scale: 2 };
    Release {
        dataset: "seizures".parse().unwrap(),
        counted: None,
        keys: keys
            .iter()
            .map(|key| LevelRef { column: key.parse().unwrap(), grain: None })
            .collect(),
        filter: Predicate::everything(),
        wire: [MeasureOf::NonNull(kg()), MeasureOf::Sum { column: kg(), number }]
            .map(|of| WireMeasure { of, filter: None })
            .to_vec(),
        outputs: vec![Output::Direct(0), Output::Avg { sum: 1, count: 0 }],
    }
}

type Cell<'a> = (Option<&'a str>, Option<i64>, u8, Option<i128>, u8);

fn part(cells: &[Cell<'_>]) -> RecordBatch {
    let none = || Arc::new(Float64Array::from(vec![None; cells.len()])) as ArrayRef;
    let sums: Decimal128Array = cells.iter().map(|cell| cell.3).collect();
    RecordBatch::try_new(
        wire_schema(&release(&["region"]), &dataset()).unwrap(),
        vec![
            Arc::new(cells.iter().map(|cell| cell.0).collect::<StringArray>()),
            Arc::new(cells.iter().map(|cell| cell.1).collect::<Int64Array>()),
            Arc::new(cells.iter().map(|cell| Some(cell.2)).collect::<UInt8Array>()),
            none(),
            Arc::new(sums.with_precision_and_scale(38, 2).unwrap()),
            Arc::new(cells.iter().map(|cell| Some(cell.4)).collect::<UInt8Array>()),
            none(),
        ],
    )
    .unwrap()
}

fn country(code: &str) -> Country {
    code.parse().unwrap()
}

fn folded(parts: &[(Country, RecordBatch)]) -> RecordBatch {
    fold(&release(&["region"]), &dataset(), &all(parts)).unwrap()
}

fn all(parts: &[(Country, RecordBatch)]) -> Vec<Part> {
    parts.iter().map(|(country, cells)| listing(country, Listed::All, cells)).collect()
}

fn listing(country: &Country, listed: Listed, cells: &RecordBatch) -> Part {
    Part { country: country.clone(), listed, cells: cells.clone() }
}

#[test]
fn cells_with_the_same_key_are_added_and_keys_are_sorted_with_nulls_last() {
    let kr = part(&[(Some("b"), Some(2), 0, Some(250), 0), (None, Some(1), 0, Some(-100), 0)]);
    let jp = part(&[(Some("a"), Some(1), 0, None, 0), (Some("b"), Some(1), 0, Some(50), 0)]);
    let cells = folded(&[(country("kr"), kr.clone()), (country("jp"), jp.clone())]);
    let keys: Vec<_> = cells.column(0).as_string::<i32>().iter().collect();
    assert_eq!(keys, [Some("a"), Some("b"), None]);
    assert_eq!(cells.column(1).as_primitive::<Int64Type>().values(), &[1, 3, 1]);
    let sums: Vec<_> = cells.column(4).as_primitive::<Decimal128Type>().iter().collect();
    assert_eq!(sums, [None, Some(300), Some(-100)]);
    assert_eq!(
        cells,
        folded(&[(country("jp"), jp), (country("kr"), kr)]),
        "the order of parts does not matter"
    );
}

#[test]
fn a_withheld_part_makes_the_cell_partial_and_only_withheld_parts_make_it_suppressed() {
    let kr = part(&[(Some("a"), None, 3, None, 3), (Some("b"), None, 3, None, 3)]);
    let jp = part(&[(Some("a"), Some(7), 0, Some(700), 0)]);
    let cells = folded(&[(country("kr"), kr), (country("jp"), jp)]);
    assert_eq!(cells.column(2).as_primitive::<UInt8Type>().values(), &[2, 3]);
    let counts: Vec<_> = cells.column(1).as_primitive::<Int64Type>().iter().collect();
    assert_eq!(counts, [Some(7), None], "a withheld cell is null, never zero");
}

#[test]
fn what_a_country_that_lists_only_shown_cells_does_not_list_is_withheld_there() {
    let (jp, kr) = (country("jp"), country("kr"));
    let cells = part(&[(Some("a"), Some(7), 0, Some(700), 0), (Some("b"), Some(9), 0, None, 0)]);
    let other = part(&[(Some("b"), Some(1), 0, Some(1), 0)]);
    let status = |of_jp, of_kr| {
        let parts = [listing(&jp, of_jp, &cells), listing(&kr, of_kr, &other)];
        let cells = fold(&release(&["region"]), &dataset(), &parts).unwrap();
        let said = outputs(&release(&["region"]), &cells).unwrap();
        let of =
            |name| said.column_by_name(name).unwrap().as_primitive::<UInt8Type>().values().to_vec();
        (of("v0_status"), of("v1_status"))
    };
    assert_eq!(status(Listed::Shown, Listed::Shown), (vec![2, 0], vec![2, 0]));
    assert_eq!(
        status(Listed::Shown, Listed::All),
        (vec![0, 0], vec![0, 0]),
        "none there, and said so"
    );
    assert_eq!(status(Listed::All, Listed::Shown), (vec![2, 0], vec![2, 0]));
    let none = part(&[]).project(&[1, 2, 3, 4, 5, 6]).unwrap();
    let whole = fold(&release(&[]), &dataset(), &[listing(&kr, Listed::Shown, &none)]).unwrap();
    assert_eq!(whole.num_rows(), 1);
    assert_eq!(whole.column(1).as_primitive::<UInt8Type>().values(), &[3]);
    assert!(whole.column(0).is_null(0), "withheld, not zero");
}

#[test]
fn a_part_that_lists_only_shown_cells_lists_no_withheld_one() {
    let half = part(&[(Some("a"), Some(7), 0, None, 3)]);
    let none = part(&[(Some("a"), None, 3, None, 3)]);
    let check = |cells| {
        check_listed(
            &release(&["region"]),
            &dataset(),
            &listing(&country("kr"), Listed::Shown, cells),
        )
    };
    assert_eq!(check(&half), Ok(()));
    assert_eq!(check(&none), Err(MergeError::Listed));
}

#[test]
fn a_part_that_says_all_lists_every_public_combination() {
    let open = part(&[(Some("a"), Some(7), 0, Some(1), 0)]);
    let kr = country("kr");
    let check = |release: &Release, dataset: &Dataset, cells: &RecordBatch| {
        check_listed(release, dataset, &listing(&kr, Listed::All, cells))
    };
    let by_region = release(&["region"]);
    assert_eq!(check(&by_region, &dataset(), &open), Err(MergeError::Listed), "not a public list");
    let closed = CATALOGUE.replace(
        r#""region", "about": "x", "kind": {"type": "category"}"#,
        r#""region", "about": "x", "kind": {"type": "category", "values": ["a", "b"]}"#,
    );
    let closed = Catalogue::parse(closed.as_bytes()).unwrap().datasets.remove(0);
    let cells = |keys: &[Option<&str>]| {
        part(&keys.iter().map(|key| (*key, None, 3, None, 3)).collect::<Vec<_>>())
    };
    let check_keys = |keys: &[Option<&str>]| check(&by_region, &closed, &cells(keys));
    assert_eq!(check_keys(&[None, Some("b"), Some("a")]), Ok(()), "in any order");
    assert_eq!(check_keys(&[Some("a"), Some("b")]), Err(MergeError::Listed), "nothing is left out");
    assert_eq!(check_keys(&[Some("a"), Some("b"), Some("c")]), Err(MergeError::Listed));
    assert_eq!(
        check_keys(&[Some("a"), Some("b"), None, Some("c")]),
        Err(MergeError::Listed),
        "one more"
    );
    let whole = |rows: usize| cells(&vec![None; rows]).project(&[1, 2, 3, 4, 5, 6]).unwrap();
    assert_eq!(check(&release(&[]), &closed, &whole(1)), Ok(()));
    assert_eq!(check(&release(&[]), &closed, &whole(0)), Err(MergeError::Listed));
}

#[test]
fn an_average_divides_sums_and_counts_of_the_same_countries() {
    // kr withholds its sum (dominance) but shows its count: the count must not dilute the average.
    let kr = part(&[(Some("a"), Some(10), 0, None, 3)]);
    let jp = part(&[(Some("a"), Some(3), 0, Some(1000), 0)]);
    let cells = folded(&[(country("kr"), kr), (country("jp"), jp)]);
    let said = outputs(&release(&["region"]), &cells).unwrap();
    assert_eq!(said.column_by_name("v0").unwrap().as_primitive::<Int64Type>().values(), &[13]);
    let mean = said.column_by_name("v1").unwrap();
    assert_eq!(mean.data_type(), &DataType::Decimal128(16, 6));
    assert_eq!(mean.as_primitive::<Decimal128Type>().value(0), 3_333_333);
    assert_eq!(
        said.column_by_name("v1_status").unwrap().as_primitive::<UInt8Type>().values(),
        &[2]
    );
    assert_eq!(
        said.column_by_name("v0_status").unwrap().as_primitive::<UInt8Type>().values(),
        &[0]
    );
}

#[test]
fn without_keys_and_parts_there_is_one_row() {
    let cells = fold(&release(&[]), &dataset(), &[]).unwrap();
    let said = outputs(&release(&[]), &cells).unwrap();
    assert_eq!(said.num_rows(), 1);
    assert_eq!(said.column(0).as_primitive::<Int64Type>().value(0), 0);
    assert!(said.column_by_name("v1").unwrap().is_null(0));
    assert_eq!(fold(&release(&["region"]), &dataset(), &[]).unwrap().num_rows(), 0);
}

#[test]
fn noise_adds_up_by_squares() {
    let noisy = |value: i64, sd: f64| {
        let part = part(&[(Some("a"), Some(value), 1, Some(1), 0)]);
        let mut columns = part.columns().to_vec();
        columns[3] = Arc::new(Float64Array::from(vec![sd]));
        RecordBatch::try_new(part.schema(), columns).unwrap()
    };
    let cells = folded(&[(country("jp"), noisy(3, 3.0)), (country("kr"), noisy(4, 4.0))]);
    assert_eq!(cells.column(2).as_primitive::<UInt8Type>().values(), &[1]);
    assert!((cells.column(3).as_primitive::<Float64Type>().value(0) - 5.0).abs() < 1e-12);
}

#[test]
fn an_overflow_is_an_error_and_not_a_number() {
    let one = || part(&[(Some("a"), Some(i64::MAX), 0, Some(1), 0)]);
    let parts = all(&[(country("jp"), one()), (country("kr"), one())]);
    assert_eq!(fold(&release(&["region"]), &dataset(), &parts), Err(MergeError::Overflow));
    let parts = all(&[(country("jp"), one()), (country("jp"), one())]);
    assert_eq!(fold(&release(&["region"]), &dataset(), &parts), Err(MergeError::CountryTwice));
}

#[test]
fn a_part_reads_back_and_its_bytes_are_stable() {
    let cells = part(&[(Some("a"), Some(1), 0, Some(5), 0), (None, None, 3, None, 3)]);
    let bytes = write_part(&cells).unwrap();
    assert_eq!(bytes, write_part(&cells).unwrap());
    assert_eq!(read_part(&release(&["region"]), &dataset(), &bytes), Ok(cells));
    let empty = write_part(&part(&[])).unwrap();
    assert_eq!(read_part(&release(&["region"]), &dataset(), &empty).unwrap().num_rows(), 0);
}

#[test]
fn what_the_layout_does_not_allow_is_not_read() {
    let read = |cells: &RecordBatch| {
        read_part(&release(&["region"]), &dataset(), &write_part(cells).unwrap())
    };
    let cell = |name: &str| Err(MergeError::Cell(name.to_owned()));
    assert_eq!(
        read(&part(&[(Some("a"), Some(1), 0, None, 0), (Some("a"), Some(1), 0, None, 0)])),
        Err(MergeError::KeyTwice)
    );
    assert_eq!(
        read(&part(&[(Some("a"), None, 0, None, 0)])),
        cell("m0"),
        "a known count is a number"
    );
    assert_eq!(read(&part(&[(Some("a"), Some(-1), 0, None, 0)])), cell("m0"));
    assert_eq!(
        read(&part(&[(Some("a"), Some(1), 3, None, 0)])),
        cell("m0"),
        "a withheld cell shows nothing"
    );
    assert_eq!(
        read(&part(&[(Some("a"), Some(1), 2, None, 0)])),
        cell("m0"),
        "a country cannot be partial"
    );
    assert_eq!(read(&part(&[(Some("a"), Some(1), 4, None, 0)])), cell("m0"));
    assert_eq!(
        read(&part(&[(Some("a"), Some(1), 1, None, 0)])),
        cell("m0"),
        "noise states its deviation"
    );
    assert_eq!(
        read(&part(&[(Some(&"x".repeat(5000)), Some(1), 0, None, 0)])),
        Err(MergeError::TooLarge)
    );
    let other = part(&[]).project(&[0, 1, 2]).unwrap();
    assert_eq!(read(&other), Err(MergeError::Layout));
}

#[test]
fn damaged_bytes_are_an_error_and_never_a_panic() {
    let bytes = write_part(&part(&[(Some("a"), Some(1), 0, Some(5), 0), (None, None, 3, None, 3)]))
        .unwrap();
    for cut in 0..bytes.len() {
        let cut = &bytes[..cut];
        // Without the end marker of the stream the cells are whole all the same; anything shorter is not.
        if let Ok(cells) = read_part(&release(&["region"]), &dataset(), cut) {
            assert_eq!(
                cells.num_rows(),
                if cut.len() + 8 >= bytes.len() { 2 } else { cells.num_rows() }
            );
        }
    }
    for i in 0..bytes.len() {
        for bit in [0x01, 0x80, 0xff] {
            let mut damaged = bytes.clone();
            damaged[i] ^= bit;
            let _read = read_part(&release(&["region"]), &dataset(), &damaged);
        }
    }
    assert_eq!(read_part(&release(&["region"]), &dataset(), b""), Err(MergeError::Unreadable));
}
