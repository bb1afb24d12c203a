//! Properties of the protections over random cells, against a second implementation that is slow and plain.

use mayag_disclosure::{Cells, Contributions, Protections, Unprotected, protect};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, prop_oneof, proptest};
use proptest::{prop_assert, prop_assert_eq, prop_assume};
use std::collections::BTreeSet;

/// Cells as lists of what each unit contributes to each measure.
#[derive(Debug, Clone)]
struct Table {
    /// By cell, by unit, by measure.
    cells: Vec<Vec<Vec<f64>>>,
    /// By measure.
    groups: Vec<usize>,
    withheld: BTreeSet<usize>,
    withheld_measures: BTreeSet<(usize, usize)>,
}

impl Table {
    fn new(cells: Vec<Vec<Vec<f64>>>, groups: Vec<usize>) -> Self {
        Self { cells, groups, withheld: BTreeSet::new(), withheld_measures: BTreeSet::new() }
    }

    fn absolute(&self, cell: usize, measure: usize) -> Vec<f64> {
        let mut values: Vec<f64> =
            self.cells[cell].iter().map(|unit| unit[measure].abs()).collect();
        values.sort_by(|a, b| b.total_cmp(a));
        values
    }

    fn protected(&self, min_units: u64, p_percent: u32) -> Self {
        protect(Unprotected::new(self.clone()), &Protections::exact(min_units, p_percent))
            .into_inner()
    }

    fn shows(&self, cell: usize, measure: usize) -> bool {
        !self.withheld.contains(&cell) && !self.withheld_measures.contains(&(cell, measure))
    }
}

impl Cells for Table {
    fn len(&self) -> usize {
        self.cells.len()
    }
    fn units(&self, cell: usize) -> u64 {
        self.cells[cell].len() as u64
    }
    fn measures(&self) -> usize {
        self.groups.len()
    }
    fn group(&self, measure: usize) -> usize {
        self.groups[measure]
    }
    fn contributions(&self, cell: usize, measure: usize) -> Option<Contributions> {
        // Every third measure is a count.
        (measure % 3 != 2).then(|| {
            let values = self.absolute(cell, measure);
            let nth = |n: usize| values.get(n).copied().unwrap_or(0.0);
            Contributions { total: values.iter().sum(), largest: nth(0), second: nth(1) }
        })
    }
    fn withhold_cell(&mut self, cell: usize) {
        self.withheld.insert(cell);
    }
    fn withhold_measure(&mut self, cell: usize, measure: usize) {
        self.withheld_measures.insert((cell, measure));
    }
}

/// Numbers of a few digits, so that sums are exact and equalities happen; some that are no use.
fn value() -> impl Strategy<Value = f64> {
    prop_oneof![
        20 => (-40_i32..400).prop_map(f64::from),
        4 => Just(0.0),
        2 => (1_i32..9).prop_map(|n| f64::from(n) * 1000.0),
        1 => prop_oneof![Just(f64::NAN), Just(f64::INFINITY), Just(f64::NEG_INFINITY)],
    ]
}

fn table() -> impl Strategy<Value = Table> {
    (0_usize..5).prop_flat_map(|measures| {
        let cell = vec(vec(value(), measures), 0..14);
        (vec(cell, 0..9), vec(0_usize..3, measures))
            .prop_map(|(cells, groups)| Table::new(cells, groups))
    })
}

/// Every way to cut the smallest-first order, tried from the shortest: the first that hides `seeds`.
fn complements(table: &Table, seeds: &BTreeSet<usize>, min_units: u64) -> BTreeSet<usize> {
    if seeds.is_empty() {
        return BTreeSet::new();
    }
    let mut order: Vec<usize> = (0..table.len()).collect();
    order.sort_by_key(|cell| (table.units(*cell), *cell));
    (0..=order.len())
        .map(|k| order[..k].iter().copied().collect::<BTreeSet<usize>>())
        .find(|prefix| {
            let hidden: BTreeSet<usize> = prefix.union(seeds).copied().collect();
            let units: u64 = hidden.iter().map(|cell| table.units(*cell)).sum();
            (hidden.len() >= 2 && units >= min_units) || prefix.len() == table.len()
        })
        .unwrap()
}

/// Whether the p%-rule withholds a measure of a cell at this percentage, from the contributions themselves.
fn unsafe_sum(table: &Table, cell: usize, measure: usize, p_percent: f64) -> bool {
    if measure % 3 == 2 {
        return false;
    }
    let values = table.absolute(cell, measure);
    if values.iter().any(|value| !value.is_finite()) {
        return true;
    }
    let rest: f64 = values.iter().skip(2).sum();
    let largest = values.first().copied().unwrap_or(0.0);
    // In hundredths: exact for the whole numbers of these tests.
    100.0 * rest < p_percent * largest
}

/// The rules once more, without regard to speed: the withheld cells, and per measure the cells that withhold it.
fn naive(table: &Table, min_units: u64, p_percent: u32) -> (BTreeSet<usize>, Vec<BTreeSet<usize>>) {
    let all = || 0..table.len();
    let small: BTreeSet<usize> = all().filter(|cell| table.units(*cell) < min_units).collect();
    let mut withheld = complements(table, &small, min_units);
    withheld.extend(&small);
    let by_measure = (0..table.measures()).map(|measure| {
        let group: Vec<usize> = (0..table.measures())
            .filter(|other| table.groups[*other] == table.groups[measure])
            .collect();
        let dominated = |p: f64| -> BTreeSet<usize> {
            all()
                .filter(|cell| group.iter().any(|measure| unsafe_sum(table, *cell, *measure, p)))
                .collect()
        };
        // The smallest set that some weaker percentage withholds; every ratio that occurs is tried.
        let mut percentages: Vec<f64> = all()
            .flat_map(|cell| group.iter().map(move |measure| (cell, *measure)))
            .filter_map(|(cell, measure)| {
                let values = table.absolute(cell, measure);
                let rest: f64 = values.iter().skip(2).sum();
                let largest = *values.first()?;
                (rest.is_finite() && largest > 0.0).then_some(100.0 * rest / largest + 1e-6)
            })
            .filter(|percent| *percent < f64::from(p_percent))
            .collect();
        percentages.push(0.0);
        percentages.push(f64::from(p_percent));
        percentages.sort_by(f64::total_cmp);
        let seeds = percentages
            .into_iter()
            .map(|percent| {
                dominated(percent).union(&withheld).copied().collect::<BTreeSet<usize>>()
            })
            .find(|seeds| !seeds.is_empty())
            .unwrap_or_default();
        let mut here = complements(table, &seeds, min_units);
        here.extend(dominated(f64::from(p_percent)));
        here.extend(&withheld);
        here
    });
    let by_measure = by_measure.collect();
    (withheld, by_measure)
}

proptest! {
    #[test]
    fn the_plain_implementation_agrees(table in table(), min_units in 0_u64..12, p_percent in 0_u32..60) {
        let protected = table.protected(min_units, p_percent);
        let (withheld, by_measure) = naive(&table, min_units, p_percent);
        prop_assert_eq!(&protected.withheld, &withheld);
        for (measure, expected) in by_measure.iter().enumerate() {
            for cell in 0..table.len() {
                prop_assert_eq!(!protected.shows(cell, measure), expected.contains(&cell), "{} {}", cell, measure);
            }
        }
    }

    #[test]
    fn stricter_protections_never_show_more(
        table in table(), min_units in 0_u64..12, p_percent in 0_u32..60, more in 0_u64..8, harder in 0_u32..60,
    ) {
        let lax = table.protected(min_units, p_percent);
        let strict = table.protected(min_units + more, p_percent + harder);
        prop_assert!(lax.withheld.is_subset(&strict.withheld));
        for cell in 0..table.len() {
            for measure in 0..table.measures() {
                prop_assert!(lax.shows(cell, measure) || !strict.shows(cell, measure), "{} {}", cell, measure);
            }
        }
    }

    #[test]
    fn a_known_total_gives_no_withheld_cell_away(table in table(), min_units in 1_u64..12, p_percent in 1_u32..60) {
        prop_assume!(table.len() > 1);
        let protected = table.protected(min_units, p_percent);
        let hidden_everywhere = |hidden: &[usize]| {
            let units: u64 = hidden.iter().map(|cell| table.units(*cell)).sum();
            // One equation, the total less what is shown: solvable for one unknown only.
            hidden.is_empty() || hidden.len() == table.len() || (hidden.len() >= 2 && units >= min_units)
        };
        let cells: Vec<usize> = protected.withheld.iter().copied().collect();
        prop_assert!(hidden_everywhere(&cells));
        for measure in 0..table.measures() {
            let cells: Vec<usize> = (0..table.len()).filter(|cell| !protected.shows(*cell, measure)).collect();
            prop_assert!(hidden_everywhere(&cells), "measure {}", measure);
        }
    }

    #[test]
    fn measures_of_a_group_are_withheld_together(table in table(), min_units in 0_u64..12, p_percent in 0_u32..60) {
        let protected = table.protected(min_units, p_percent);
        for cell in 0..table.len() {
            for (a, group) in table.groups.iter().enumerate() {
                for (b, other) in table.groups.iter().enumerate() {
                    prop_assert!(group != other || protected.shows(cell, a) == protected.shows(cell, b));
                }
            }
        }
    }

    #[test]
    fn the_summary_counts_what_was_withheld(table in table(), min_units in 0_u64..12, p_percent in 0_u32..60) {
        let protected = protect(Unprotected::new(table.clone()), &Protections::exact(min_units, p_percent));
        let summary = *protected.summary();
        let cells = protected.cells();
        prop_assert_eq!(summary.cells, table.len() as u64);
        prop_assert_eq!(summary.suppressed_cells, cells.withheld.len() as u64);
        prop_assert_eq!(summary.suppressed_measures, cells.withheld_measures.len() as u64);
        prop_assert_eq!(summary.suppresses(), !(cells.withheld.is_empty() && cells.withheld_measures.is_empty()));
        // A value is withheld once.
        prop_assert!(cells.withheld_measures.iter().all(|(cell, _)| !cells.withheld.contains(cell)));
    }
}
