//! What the first pass proves, against a plain second implementation.

use super::{BUCKETS, Cell, Counted, Grouped, sketch};
use crate::engine::accumulate::amount::Amount;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BooleanArray, Int64Array, StringArray};
use datafusion::arrow::datatypes::{DataType, Fields, Int64Type};
use datafusion::logical_expr::{EmitTo, GroupsAccumulator};
use proptest::collection::vec;
use proptest::prelude::{ProptestConfig, any, proptest};
use std::collections::BTreeMap;
use std::sync::Arc;

const ENOUGH: usize = 4;

/// Rows of units and amounts; a few units, some of them heavy.
fn rows(seeds: &[(u16, u32)]) -> Vec<(u64, i128)> {
    let hash = |unit: u64| unit.wrapping_mul(0x9e37_79b9_7f4a_7c15).max(1);
    seeds
        .iter()
        .map(|(unit, amount)| {
            let unit = u64::from(unit % 40);
            let heavy = if unit.is_multiple_of(7) { 1_000 } else { 1 };
            (hash(unit), i128::from(amount % 1_000) * heavy)
        })
        .collect()
}

fn cell(rows: &[(u64, i128)]) -> Cell<i128> {
    let mut cell = Cell::empty();
    for (unit, amount) in rows {
        assert!(!cell.add(*unit, 1, ENOUGH, |_| *amount));
    }
    cell
}

/// Distinct units, total, largest and second contribution.
fn truth(rows: &[(u64, i128)]) -> (usize, i128, i128, i128) {
    let mut units: BTreeMap<u64, i128> = BTreeMap::new();
    for (unit, amount) in rows {
        *units.entry(*unit).or_default() += amount;
    }
    let mut amounts: Vec<i128> = units.values().copied().collect();
    amounts.sort_unstable_by(|a, b| b.cmp(a));
    amounts.resize(amounts.len().max(2), 0);
    (units.len(), amounts.iter().sum(), amounts[0], amounts[1])
}

fn assert_bounds(cell: &Cell<i128>, rows: &[(u64, i128)]) {
    let (units, total, first, second) = truth(rows);
    let [upper1, upper2, lower1, lower2] = cell.bounds(0, 1);
    assert!(lower1 <= first && first <= upper1, "{lower1} <= {first} <= {upper1}");
    assert!(lower1 + lower2 <= first + second && first + second <= upper1 + upper2);
    let counted = cell.units(ENOUGH);
    if units <= ENOUGH {
        assert_eq!(
            (counted, upper1, upper2, lower1, lower2),
            (units, first, second, first, second)
        );
    } else {
        assert!(ENOUGH < counted && counted <= units, "{counted} of {units}");
    }
    for p_percent in [0, 1, 10, 50, 300] {
        let dominated = (total - first - second) * 100 < first * i128::from(p_percent);
        if i128::safe(total, upper1, upper2, p_percent) {
            assert!(!dominated, "safe by bounds, dominated in truth");
        }
        if i128::dominated(total, lower1, lower2, p_percent) {
            assert!(dominated, "dominated by bounds, safe in truth");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn the_truth_lies_between_the_bounds(seeds in vec(any::<(u16, u32)>(), 0..300)) {
        let rows = rows(&seeds);
        assert_bounds(&cell(&rows), &rows);
    }

    #[test]
    fn parts_merge_to_bounds_of_the_whole(
        seeds in vec(any::<(u16, u32)>(), 0..300),
        cuts in vec(any::<u16>(), 0..4),
    ) {
        let rows = rows(&seeds);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| usize::from(*cut) % (rows.len() + 1)).collect();
        cuts.extend([0, rows.len()]);
        cuts.sort_unstable();
        let mut whole = Cell::empty();
        for part in cuts.windows(2) {
            // Through bytes, as between the partitions of the engine.
            let part = cell(&rows[part[0]..part[1]]);
            let part = Cell::read(&part.bytes(1), 1).unwrap();
            assert!(!whole.merge(part, 1, ENOUGH));
        }
        assert_bounds(&whole, &rows);
    }
}

#[test]
fn a_unit_that_dominates_is_found_in_one_pass() {
    let mut rows: Vec<(u64, i128)> =
        (1..200_u64).map(|unit| (unit.wrapping_mul(0x9e37_79b9_7f4a_7c15), 10)).collect();
    rows.insert(77, (0xdead_beef_dead_beef, 1_000_000));
    let (total, [upper1, upper2, lower1, lower2]) = (truth(&rows).1, cell(&rows).bounds(0, 1));
    assert!(i128::dominated(total, lower1, lower2, 10));
    assert!(!i128::safe(total, upper1, upper2, 10));
    rows.remove(77);
    let (total, [upper1, upper2, ..]) = (truth(&rows).1, cell(&rows).bounds(0, 1));
    assert!(i128::safe(total, upper1, upper2, 10), "{BUCKETS} buckets are enough for equal units");
}

#[test]
fn damaged_states_are_refused() {
    let many: Vec<(u64, i128)> = (1..50_u64).map(|unit| (unit << 40, 10)).collect();
    for cell in [cell(&many), cell(&many[..3])] {
        let bytes = cell.bytes(1);
        assert!(Cell::<i128>::read(&bytes, 1).is_some());
        for end in [0, bytes.len() - 1] {
            assert!(
                Cell::<i128>::read(&bytes[..end], 1).is_none_or(|cell| cell.units(ENOUGH) == 0)
            );
        }
    }
}

fn fields(columns: usize) -> Fields {
    let arguments = vec![DataType::Int64; columns + 1];
    let DataType::Struct(fields) =
        sketch(4, Counted::Exactly).inner().return_type(&arguments).unwrap()
    else {
        panic!("no struct")
    };
    fields
}

fn units_of(evaluated: &ArrayRef) -> Vec<i64> {
    let units = evaluated.as_struct().column_by_name("units").unwrap();
    units.as_primitive::<Int64Type>().values().to_vec()
}

#[test]
fn groups_filters_and_missing_units_are_kept_apart() {
    let units: ArrayRef = Arc::new(StringArray::from(vec![
        Some("a"),
        Some("b"),
        Some("a"),
        None,
        None,
        Some("c"),
        Some("d"),
    ]));
    let amounts: ArrayRef = Arc::new(Int64Array::from(vec![
        Some(5),
        Some(-7),
        Some(5),
        Some(4),
        Some(4),
        None,
        Some(100),
    ]));
    let filter = BooleanArray::from(vec![
        Some(true),
        Some(true),
        Some(true),
        Some(true),
        Some(true),
        Some(true),
        None,
    ]);
    let mut grouped = Grouped::<i128>::new(ENOUGH, 1, fields(1));
    grouped.update_batch(&[units, amounts], &[0, 0, 0, 0, 0, 1, 1], Some(&filter), 2).unwrap();
    assert!(grouped.size() > 0);
    let evaluated = grouped.evaluate(EmitTo::All).unwrap();
    // Two rows without a unit are no unit, and one contributor of 8; `a` contributes 10, `b` 7. The last row is filtered.
    assert_eq!(units_of(&evaluated), [2, 1]);
    let bound =
        |name: &str| i128::state(evaluated.as_struct().column_by_name(name).unwrap()).to_vec();
    assert_eq!((bound("upper1_0"), bound("upper2_0")), (vec![10, 0], vec![8, 0]));
    assert_eq!((bound("lower1_0"), bound("lower2_0")), (vec![10, 0], vec![8, 0]));
}

#[test]
fn emitting_first_groups_leaves_the_others_and_the_account() {
    let units: ArrayRef =
        Arc::new(StringArray::from_iter_values((0..60).map(|i| format!("unit {i}"))));
    let amounts: ArrayRef = Arc::new(Int64Array::from_iter_values(0..60));
    let groups: Vec<usize> = (0..60).map(|i| i % 3).collect();
    let mut grouped = Grouped::<i128>::new(ENOUGH, 1, fields(1));
    grouped.update_batch(&[units, amounts], &groups, None, 3).unwrap();
    let before = grouped.behind;
    assert_eq!(grouped.evaluate(EmitTo::First(2)).unwrap().len(), 2);
    assert_eq!(grouped.behind * 3, before);
    let rest = units_of(&grouped.evaluate(EmitTo::All).unwrap());
    assert!(rest.len() == 1 && 5 <= rest[0] && rest[0] <= 20, "{rest:?}");
    assert_eq!(grouped.behind, 0);
}
