//! The published values of the cell key method, as far as they are known to us.

use super::{CellKeyTable, TableSpec};

fn vignette() -> CellKeyTable {
    // Rows 1, 2 and 4 are ordered, row 3 is not.
    let spec = TableSpec { never: 1, unordered: vec![3], ..TableSpec::new(2, 1.08) };
    CellKeyTable::new(&spec).unwrap()
}

/// Compares published counts and probabilities, to five digits.
#[track_caller]
fn assert_row(table: &CellKeyTable, count: usize, expected: &[(i32, f64)]) {
    let row = &table.rows()[count];
    let count = i32::try_from(count).unwrap();
    let got: Vec<(i32, f64)> =
        row.iter().map(|entry| (count + entry.deviation, entry.probability)).collect();
    assert_eq!(
        got.iter().map(|(published, _)| *published).collect::<Vec<_>>(),
        expected.iter().map(|(published, _)| *published).collect::<Vec<_>>(),
        "{got:?}"
    );
    for ((_, got), (_, expected)) in got.iter().zip(expected) {
        assert!((got - expected).abs() < 1.5e-5, "{got} is not {expected}");
    }
}

/// Prints nothing, holds everything: sums, means, variances and thresholds of every row.
fn assert_sound(table: &CellKeyTable, variance: f64) {
    for (count, row) in table.rows().iter().enumerate() {
        let moment = |power: i32| -> f64 {
            row.iter().map(|e| e.probability * f64::from(e.deviation).powi(power)).sum()
        };
        assert!((moment(0) - 1.0).abs() < 1e-9, "row {count}");
        assert!(moment(1).abs() < 1e-9, "row {count}");
        assert!(moment(2) < variance + 1e-9, "row {count}");
        assert!(row.is_sorted_by_key(|entry| entry.last), "row {count}");
        assert!(row.iter().all(|entry| 0.0 <= entry.probability), "row {count}");
    }
}

#[test]
fn the_vignette_of_ptable_is_reproduced() {
    let table = vignette();
    assert_row(&table, 0, &[(0, 1.0)]);
    assert_row(&table, 1, &[(0, 0.51333), (2, 0.46), (3, 0.02667)]);
    assert_row(&table, 2, &[(0, 0.16561), (2, 0.54635), (3, 0.24487), (4, 0.04317)]);
    assert_row(&table, 3, &[(2, 0.42078), (3, 0.27765), (4, 0.18235), (5, 0.11922)]);
    assert_row(&table, 4, &[(2, 0.07395), (3, 0.24421), (4, 0.36368), (5, 0.24421), (6, 0.07395)]);
    assert_sound(&table, 1.08);
}

#[test]
fn the_unit_test_of_cell_key_is_reproduced() {
    let spec = TableSpec { never: 2, stay: Some(0.5), ..TableSpec::new(5, 3.0) };
    let table = CellKeyTable::new(&spec).unwrap();
    assert_eq!(table.rows().len(), 9, "the last row is that of 8");
    assert_row(
        &table,
        8,
        &[
            (3, 0.01158),
            (4, 0.0254),
            (5, 0.04676),
            (6, 0.07232),
            (7, 0.09394),
            (8, 0.5),
            (9, 0.09394),
            (10, 0.07232),
            (11, 0.04676),
            (12, 0.0254),
            (13, 0.01158),
        ],
    );
    assert_sound(&table, 3.0);

    let entries: Vec<_> = table.rows().iter().flatten().collect();
    assert_eq!(entries.len(), 66);
    let mean = |numbers: Vec<f64>| numbers.iter().sum::<f64>() / 66.0;
    let (mut lower, mut upper) = (Vec::new(), Vec::new());
    for row in table.rows() {
        let mut below = 0.0;
        for entry in row {
            lower.push(below);
            below += entry.probability;
            upper.push(below);
        }
    }
    let probabilities = entries.iter().map(|entry| entry.probability).collect();
    let deviations = entries.iter().map(|entry| f64::from(entry.deviation)).collect();
    for (got, published) in [
        (mean(probabilities), 0.136),
        (mean(lower), 0.562),
        (mean(upper), 0.698),
        (mean(deviations), 1.045),
    ] {
        assert!((got - published).abs() < 0.0006, "{got} is not {published}");
    }
}

#[test]
fn tables_without_forbidden_counts_are_reproduced() {
    let table = CellKeyTable::new(&TableSpec::new(2, 0.9)).unwrap();
    assert_row(&table, 1, &[(0, 0.3625), (1, 0.3625), (2, 0.1875), (3, 0.0875)]);
    assert_row(&table, 2, &[(0, 0.05155), (1, 0.24382), (2, 0.40928), (3, 0.24382), (4, 0.05155)]);
    assert_sound(&table, 0.9);

    let table = CellKeyTable::new(&TableSpec::new(5, 2.0)).unwrap();
    assert_row(
        &table,
        5,
        &[
            (0, 0.00055),
            (1, 0.00519),
            (2, 0.0298),
            (3, 0.10385),
            (4, 0.21964),
            (5, 0.28194),
            (6, 0.21964),
            (7, 0.10385),
            (8, 0.0298),
            (9, 0.00519),
            (10, 0.00055),
        ],
    );
    assert_sound(&table, 2.0);
    let variance: f64 = table.rows()[1]
        .iter()
        .map(|entry| entry.probability * f64::from(entry.deviation).powi(2))
        .sum();
    assert!((variance - 1.302).abs() < 0.0006, "the count of 1 cannot reach 2, got {variance}");
}

#[test]
fn tables_that_do_not_exist_are_none() {
    for (largest, variance) in
        [(0, 1.0), (5, 0.0), (5, -1.0), (5, f64::NAN), (5, 26.0), (1000, 3.0)]
    {
        assert_eq!(CellKeyTable::new(&TableSpec::new(largest, variance)), None);
    }
}

#[test]
fn every_key_has_an_entry_and_large_counts_share_the_last_row() {
    let table = CellKeyTable::new(&TableSpec::new(5, 3.0)).unwrap();
    for count in [5, 6, 1_000, u64::MAX] {
        assert_eq!(table.deviation(count, 0), -5);
        assert_eq!(table.deviation(count, u64::MAX), 5);
        assert_eq!(table.deviation(count, 1 << 63), 0);
    }
    assert_eq!(table.deviation(0, 12345), 0);
    assert!((table.variance() - 3.0).abs() < 1e-9);
}
