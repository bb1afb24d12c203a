//! The two largest contributions, against a plain second implementation.

use super::{FIELDS, Grouped, contributions, result_fields};
use crate::engine::accumulate::amount::Amount;
use crate::engine::failure::WorkFailure;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Decimal128Array, Float64Array, Int64Array, RecordBatch,
};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use std::sync::Arc;

fn grouped<A: Amount>(kind: &DataType) -> Grouped<A> {
    Grouped::new(result_fields(kind).unwrap())
}

/// Sum (none where no value was seen), total, largest, second.
fn truth(values: &[i64]) -> (Option<i64>, i128, i128, i128) {
    let mut absolute: Vec<i128> = values.iter().map(|value| i128::from(*value).abs()).collect();
    absolute.sort_unstable_by(|a, b| b.cmp(a));
    let total = absolute.iter().sum();
    absolute.resize(absolute.len().max(2), 0);
    ((!values.is_empty()).then(|| values.iter().sum()), total, absolute[0], absolute[1])
}

fn field(evaluated: &ArrayRef, name: &str) -> ArrayRef {
    Arc::clone(evaluated.as_struct().column_by_name(name).unwrap())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn parts_merge_to_the_truth(rows in vec((0..4_usize, -50..50_i64, any::<u8>()), 0..60), cut in any::<u8>()) {
        let cut = usize::from(cut) % (rows.len() + 1);
        let mut whole = grouped::<i128>(&DataType::Int64);
        for (i, part) in [&rows[..cut], &rows[cut..]].into_iter().enumerate() {
            let values: ArrayRef = Arc::new(part.iter().map(|(_, value, dice)| (dice % 5 > 0).then_some(*value)).collect::<Int64Array>());
            let filter: BooleanArray = part.iter().map(|(.., dice)| (dice % 7 > 0).then_some(dice % 3 > 0)).collect();
            let groups: Vec<usize> = part.iter().map(|(group, ..)| *group).collect();
            if i == 0 {
                // Rows as states, as an engine sends them that does not aggregate first.
                let states = whole.convert_to_state(&[values], Some(&filter)).unwrap();
                whole.merge_batch(&states, &groups, 4).unwrap();
            } else {
                let mut later = grouped::<i128>(&DataType::Int64);
                later.update_batch(&[values], &groups, Some(&filter), 4).unwrap();
                whole.merge_batch(&later.state(EmitTo::All).unwrap(), &[0, 1, 2, 3], 4).unwrap();
            }
        }
        let evaluated = whole.evaluate(EmitTo::All).unwrap();
        let [sum, total, largest, second] = FIELDS.map(|name| field(&evaluated, name));
        for group in 0..4 {
            let counted = |dice: u8| [5_u8, 7, 3].iter().all(|part| !dice.is_multiple_of(*part));
            let values: Vec<i64> =
                rows.iter().filter(|(at, _, dice)| *at == group && counted(*dice)).map(|(_, value, _)| *value).collect();
            let sum = sum.as_primitive::<Int64Type>();
            let found = (
                sum.is_valid(group).then(|| sum.value(group)),
                i128::state(&total)[group],
                i128::state(&largest)[group],
                i128::state(&second)[group],
            );
            assert_eq!(found, truth(&values));
        }
    }
}

#[test]
fn a_sum_that_does_not_fit_fails_and_one_that_fits_in_the_end_does_not() {
    let sum = |values: Vec<i64>| {
        let mut grouped = grouped::<i128>(&DataType::Int64);
        let rows = values.len();
        grouped.update_batch(&[Arc::new(Int64Array::from(values))], &vec![0; rows], None, 1)?;
        grouped
            .evaluate(EmitTo::All)
            .map(|evaluated| field(&evaluated, "sum").as_primitive::<Int64Type>().value(0))
    };
    assert_eq!(sum(vec![i64::MAX, i64::MAX, i64::MIN]).unwrap(), i64::MAX - 1);
    assert_eq!(WorkFailure::of(&sum(vec![i64::MAX, 1]).unwrap_err()), WorkFailure::Overflow);

    let large =
        Decimal128Array::from(vec![i128::MAX - 1; 2]).with_precision_and_scale(38, 0).unwrap();
    let mut decimals = grouped::<i128>(&DataType::Decimal128(38, 0));
    let overflow = decimals.update_batch(&[Arc::new(large)], &[0, 0], None, 1).unwrap_err();
    assert_eq!(WorkFailure::of(&overflow), WorkFailure::Overflow);
}

#[test]
fn sums_have_the_type_of_the_wire() {
    let mut decimals = grouped::<i128>(&DataType::Decimal128(20, 4));
    let values = Decimal128Array::from(vec![Some(-15_000), None, Some(20_000)])
        .with_precision_and_scale(20, 4)
        .unwrap();
    decimals.update_batch(&[Arc::new(values)], &[0, 1, 0], None, 2).unwrap();
    let sums = field(&decimals.evaluate(EmitTo::All).unwrap(), "sum");
    assert_eq!(sums.data_type(), &DataType::Decimal128(38, 4));
    assert_eq!(
        sums.as_primitive::<Decimal128Type>().iter().collect::<Vec<_>>(),
        [Some(5_000), None]
    );
}

#[test]
fn what_is_no_number_counts_as_the_largest_there_is() {
    let mut floats = grouped::<f64>(&DataType::Float64);
    let values: ArrayRef = Arc::new(Float64Array::from(vec![1.0, f64::NAN, -3.0, 2.0]));
    floats.update_batch(&[values], &[0, 0, 0, 1], None, 2).unwrap();
    let evaluated = floats.evaluate(EmitTo::All).unwrap();
    let of = |name: &str, group: usize| {
        field(&evaluated, name).as_primitive::<Float64Type>().value(group)
    };
    assert!(of("largest", 0).is_infinite() && of("total", 0).is_infinite());
    assert_eq!((of("second", 0), of("largest", 1), of("second", 1)), (3.0, 2.0, 0.0));
    assert!(!f64::safe(of("total", 0), of("largest", 0), of("second", 0), 0));
}

#[tokio::test]
async fn a_release_without_keys_has_one_cell_even_without_rows() {
    let context = datafusion::prelude::SessionContext::new();
    let none = RecordBatch::try_from_iter(vec![(
        "x",
        Arc::new(Int64Array::from(Vec::<i64>::new())) as ArrayRef,
    )])
    .unwrap();
    context.register_batch("none", none).unwrap();
    context.register_udaf(contributions());
    let batches = context
        .sql("SELECT mayag_contributions(x) AS c FROM none")
        .await
        .unwrap()
        .collect()
        .await
        .unwrap();
    let cell = batches[0].column_by_name("c").unwrap();
    assert_eq!(cell.len(), 1);
    assert!(field(cell, "sum").is_null(0));
    assert_eq!(i128::state(&field(cell, "total")), [0]);
}
