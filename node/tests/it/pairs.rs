//! Sums over pairs: shown only where neither column, nor their product, nor what the pairs leave out of a column's own
//! sum comes from one or two units.

use crate::engine::{Bench, Row, measure, release};
use crate::noisy::read;
use arrow::array::AsArray;
use arrow::datatypes::UInt8Type;
use mayag_disclosure::Protections;
use mayag_policies::catalogue::Number;
use mayag_policies::shape::Predicate;
use mayag_queries::release::{Centred, MeasureOf, Power, WireMeasure};

/// What becomes of the sums over pairs of mass and price, and of the sums of both beside them.
const POWERS: [Power; 6] = [Power::Rows, Power::X, Power::Y, Power::Xy, Power::Xx, Power::Yy];

fn row(i: usize, mass: Option<i128>, price: Option<f64>) -> Row {
    Row {
        unit: Some(format!("unit-{i}")),
        drug: None,
        code: None,
        day: None,
        mass: mass.map(|mass| mass * 10_000),
        price,
        pieces: None,
    }
}

fn sums() -> Vec<WireMeasure> {
    let centred = |name: &str, center| Centred { column: name.parse().unwrap(), center };
    let pair = |power| MeasureOf::Pair { x: centred("mass", 70), y: centred("price", 0), power };
    let number = Number::Decimal { precision: 20, scale: 4 };
    let mut wire: Vec<_> = POWERS.map(pair).map(measure).to_vec();
    wire.push(measure(MeasureOf::Sum { column: "mass".parse().unwrap(), number }));
    let price = "price".parse().unwrap();
    wire.push(measure(MeasureOf::Sum { column: price, number: Number::Float }));
    wire
}

/// Whether the sums over pairs are shown, and those of the columns; the pairs all or none.
async fn shown(rows: &[Row]) -> [(bool, bool); 2] {
    let bench = Bench::new(rows, rows, |_| {}).await;
    let mut shown = [(false, false); 2];
    for (at, dataset) in ["incidents", "visits"].into_iter().enumerate() {
        let release = release(dataset, &[], Predicate::everything(), sums());
        let everything = Predicate::everything();
        let cells = bench.run_under(&release, &everything, Protections::exact(5, 10)).await;
        let batch = read(&cells.unwrap().into_inner().to_part().unwrap().bytes);
        let is_shown = |i: usize| {
            let status = batch.column_by_name(&format!("m{i}_status")).unwrap();
            status.as_primitive::<UInt8Type>().value(0) == 0
        };
        let pairs: Vec<bool> = (0..POWERS.len()).map(is_shown).collect();
        assert!(pairs.iter().all(|shown| *shown == pairs[0]), "{pairs:?}");
        shown[at] = (pairs[0], is_shown(POWERS.len()) && is_shown(POWERS.len() + 1));
    }
    shown
}

#[tokio::test]
async fn sums_over_pairs_are_shown_where_nobody_dominates() {
    let rows: Vec<Row> = (0..20).map(|i| row(i, Some(100), Some(5.0))).collect();
    assert_eq!(shown(&rows).await, [(true, true); 2]);
    let half: Vec<Row> = (0..20).map(|i| row(i, Some(100), (i < 12).then_some(5.0))).collect();
    assert_eq!(shown(&half).await, [(true, true); 2], "eight of them have no price");
}

#[tokio::test]
async fn what_few_pairs_say_is_withheld() {
    let rows: Vec<Row> =
        (0..20).map(|i| row(i, (i < 11).then_some(100), (i > 8).then_some(5.0))).collect();
    assert_eq!(shown(&rows).await, [(false, true); 2], "two of them have both");
}

#[tokio::test]
async fn what_the_pairs_leave_out_of_a_sum_is_no_single_unit() {
    let rows: Vec<Row> = (0..20).map(|i| row(i, Some(100), (i > 0).then_some(5.0))).collect();
    assert_eq!(shown(&rows).await, [(false, true); 2], "the mass of the one without a price");
    let rows: Vec<Row> = (0..20).map(|i| row(i, (i > 1).then_some(100), Some(5.0))).collect();
    assert_eq!(shown(&rows).await, [(false, true); 2], "the price of the two without a mass");
}

#[tokio::test]
async fn a_product_that_one_unit_dominates_is_withheld() {
    let large = |i: usize| if i == 0 { 1_000_i32 } else { 100 };
    let both = |of: i32| (Some(i128::from(of)), Some(f64::from(of)));
    let rows: Vec<Row> = (0..11)
        .map(|i| {
            let (mass, price) = both(large(i));
            row(i, mass, price)
        })
        .collect();
    assert_eq!(shown(&rows).await, [(false, true); 2], "neither column is dominated");
}
