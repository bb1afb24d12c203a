//! Unit tests of the rules; the properties over random cells are in `tests/it`.

use super::{Cells, Contributions, Protections, Unprotected, protect};

/// One measure per cell, with what is left of it.
struct Table {
    cells: Vec<(u64, Option<Contributions>)>,
    shown: Vec<bool>,
    measures_shown: Vec<bool>,
}

impl Cells for Table {
    fn len(&self) -> usize {
        self.cells.len()
    }
    fn units(&self, cell: usize) -> u64 {
        self.cells[cell].0
    }
    fn measures(&self) -> usize {
        1
    }
    fn group(&self, measure: usize) -> usize {
        measure
    }
    fn contributions(&self, cell: usize, _: usize) -> Option<Contributions> {
        self.cells[cell].1
    }
    fn withhold_cell(&mut self, cell: usize) {
        self.shown[cell] = false;
        self.measures_shown[cell] = false;
    }
    fn withhold_measure(&mut self, cell: usize, _: usize) {
        self.measures_shown[cell] = false;
    }
}

const TEN: Protections = Protections::exact(10, 10);

/// Which cells and which measures are shown.
fn shown(
    cells: &[(u64, Option<Contributions>)],
    protections: Protections,
) -> (Vec<bool>, Vec<bool>) {
    let all = vec![true; cells.len()];
    let table = Table { cells: cells.to_vec(), shown: all.clone(), measures_shown: all };
    let table = protect(Unprotected::new(table), &protections).into_inner();
    (table.shown, table.measures_shown)
}

fn cells_shown(units: &[u64]) -> Vec<bool> {
    let cells: Vec<_> = units.iter().map(|units| (*units, None)).collect();
    shown(&cells, TEN).0
}

#[expect(clippy::unnecessary_wraps, reason = "as `Cells::contributions` gives it")]
fn sum(total: f64, largest: f64, second: f64) -> Option<Contributions> {
    Some(Contributions { total, largest, second })
}

#[test]
fn small_cells_are_withheld_and_zero_is_small() {
    assert_eq!(cells_shown(&[10, 9, 8, 100]), [true, false, false, true]);
    assert_eq!(cells_shown(&[0, 10, 9, 1]), [false, true, false, false]);
    assert_eq!(cells_shown(&[]), Vec::<bool>::new());
    assert_eq!(cells_shown(&[9]), [false]);
    assert_eq!(cells_shown(&[10]), [true]);
}

#[test]
fn a_single_withheld_cell_takes_the_next_smallest_with_it() {
    assert_eq!(cells_shown(&[100, 9, 50, 70]), [true, false, false, true]);
    // Of equals the first.
    assert_eq!(cells_shown(&[50, 50, 9]), [false, true, false]);
    // Two cells, but too few units together.
    assert_eq!(cells_shown(&[1, 2, 70, 60]), [false, false, true, false]);
    assert_eq!(cells_shown(&[5, 5, 70, 60]), [false, false, true, true]);
    assert_eq!(cells_shown(&[3, 20]), [false, false]);
}

#[test]
fn dominated_sums_are_withheld_with_a_complement() {
    let safe = sum(100.0, 5.0, 5.0);
    let dominated = sum(100.0, 90.0, 5.0);
    let cells = [(30, safe), (40, dominated), (20, safe), (50, safe)];
    assert_eq!(shown(&cells, TEN), (vec![true; 4], vec![true, false, false, true]));
    // A small cell hides the dominated one, once it is hidden itself.
    let cells = [(30, safe), (40, dominated), (2, safe), (50, safe)];
    assert_eq!(
        shown(&cells, TEN),
        (vec![false, true, false, true], vec![false, false, false, true])
    );
}

#[test]
fn exactly_p_percent_is_safe() {
    // 0.07 * 100.0 is more than 7.0 in floating point.
    for p_percent in 1..=100 {
        let at = |rest: f64| sum(150.0 + rest, 100.0, 50.0);
        let protections = Protections::exact(10, p_percent);
        let is_shown = |rest| shown(&[(20, at(rest))], protections).1[0];
        assert!(is_shown(f64::from(p_percent)), "{p_percent}");
        assert!(!is_shown(f64::from(p_percent) - 0.001), "{p_percent}");
    }
}

#[test]
fn numbers_that_cannot_be_judged_are_unsafe() {
    for contributions in [
        sum(f64::NAN, 1.0, 1.0),
        sum(100.0, f64::NAN, 1.0),
        sum(100.0, 1.0, f64::NAN),
        sum(f64::INFINITY, 1.0, 1.0),
        sum(f64::INFINITY, f64::INFINITY, 1.0),
        sum(-100.0, 1.0, 1.0),
        sum(100.0, -1.0, -2.0),
        sum(100.0, 1.0, -1.0),
        sum(100.0, 1.0, 2.0),
        sum(1.0, 10.0, 5.0),
    ] {
        assert_eq!(shown(&[(20, contributions)], TEN).1, [false], "{contributions:?}");
    }
    assert_eq!(shown(&[(20, sum(0.0, 0.0, 0.0))], TEN).1, [true]);
}

#[test]
fn stricter_dominance_does_not_show_the_complement_of_a_weaker_one() {
    let ratio = |rest: f64| sum(150.0 + rest, 100.0, 50.0);
    // At 5 % only the first is dominated, and the third hides it. At 10 % the second could hide it alone.
    let cells = [(40, ratio(1.0)), (50, ratio(8.0)), (30, ratio(90.0)), (60, ratio(90.0))];
    let at = |p_percent| shown(&cells, Protections::exact(10, p_percent)).1;
    assert_eq!(at(5), [false, true, false, true]);
    assert_eq!(at(10), [false, false, false, true]);
}

#[test]
fn nothing_of_the_content_is_printed() {
    let table = Table { cells: vec![(4242, None)], shown: vec![true], measures_shown: vec![true] };
    let unprotected = Unprotected::new(table);
    assert_eq!(format!("{unprotected:?}"), "Unprotected(..)");
    let printed = format!("{:?}", protect(unprotected, &TEN));
    assert!(!printed.contains("4242"), "{printed}");
}
