//! A deliberately naive second implementation: loops over rows, written from the rules and not from the code.
//!
//! It works on what the grammar meant, not on SQL and not on plans.

use super::grammar::{Condition, Key};
use mayag_integration_tests::attacks::fixture::{self, Row};
use std::collections::{BTreeMap, BTreeSet};

/// The rules of exact numbers, as in the policy that the questions are asked under.
pub(crate) const MIN_UNITS: usize = 5;
pub(crate) const P_PERCENT: f64 = 10.0;
pub(crate) const DOMINANT_UNITS: usize = 2;
pub(crate) const DOMINANT_PERCENT: f64 = 85.0;
pub(crate) const ONE_CATEGORY_PERCENT: usize = 90;

/// The rules of noisy numbers.
pub(crate) const NOISY_MIN_UNITS: usize = 10;
pub(crate) const LARGEST: f64 = 5.0;
pub(crate) const MOST_ROWS: usize = 3;
pub(crate) const BOUND: f64 = 100_000.0;

/// The rows of one country that have the same keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    pub(crate) rows: usize,
    /// Rows and grams of every unit.
    units: BTreeMap<String, (usize, f64)>,
}

/// What a table shows of its cells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Shown {
    Counts,
    Sums,
}

/// The cells by their keys, as texts.
pub(crate) type CellsByKey = BTreeMap<Vec<String>, Cell>;

/// The cells of one country's rows.
pub(crate) fn cells(rows: &[&Row], condition: &Condition, keys: &[&Key]) -> CellsByKey {
    let mut cells = CellsByKey::new();
    if keys.is_empty() {
        // A table without keys has its one row, whatever there is.
        cells.insert(Vec::new(), Cell::default());
    }
    for row in rows.iter().filter(|row| holds(condition, row) == Some(true)) {
        let key = keys.iter().map(|key| key_of(key, row)).collect();
        let cell = cells.entry(key).or_default();
        cell.rows += 1;
        let unit = cell.units.entry(row.person.clone()).or_default();
        *unit = (unit.0 + 1, unit.1 + row.grams);
    }
    cells
}

fn key_of(key: &Key, row: &Row) -> String {
    match key {
        Key::Category(column) => value_of(column, row).unwrap_or("null").to_owned(),
        Key::Country => row.country.to_lowercase(),
        Key::Date(grain) => {
            let date = fixture::date(row.day);
            let mut parts = date.split('-');
            let (year, month) = (parts.next().unwrap(), parts.next().unwrap());
            let month: u32 = month.parse().unwrap();
            let first = match *grain {
                "month" => month,
                "quarter" => (month - 1) / 3 * 3 + 1,
                _ => 1,
            };
            format!("{year}-{first:02}-01")
        }
    }
}

fn value_of<'a>(column: &str, row: &'a Row) -> Option<&'a str> {
    match column {
        "region" => Some(row.region),
        "substance" => Some(row.substance),
        "form" => Some(row.form),
        "route" => Some(row.route),
        "concealment" => Some(row.concealment),
        "precursor_cas" => row.precursor,
        other => panic!("no column {other}"),
    }
}

/// Three values, as in SQL.
fn holds(condition: &Condition, row: &Row) -> Option<bool> {
    match condition {
        Condition::All(parts) => {
            let all: Vec<Option<bool>> = parts.iter().map(|part| holds(part, row)).collect();
            if all.contains(&Some(false)) {
                Some(false)
            } else if all.contains(&None) {
                None
            } else {
                Some(true)
            }
        }
        Condition::Any(parts) => {
            let all: Vec<Option<bool>> = parts.iter().map(|part| holds(part, row)).collect();
            if all.contains(&Some(true)) {
                Some(true)
            } else if all.contains(&None) {
                None
            } else {
                Some(false)
            }
        }
        Condition::Is { column, value } => Some(value_of(column, row)? == *value),
        Condition::IsIn { column, values } => Some(values.contains(&value_of(column, row)?)),
        Condition::IsNull { column } => Some(value_of(column, row).is_none()),
        Condition::Not(part) => holds(part, row).map(|holds| !holds),
        Condition::Since { month } => Some(*month <= fixture::date(row.day).as_str()),
    }
}

impl Cell {
    pub(crate) fn unit_count(&self) -> usize {
        self.units.len()
    }

    /// The units, and what each has in the cell.
    pub(crate) fn units(&self) -> impl Iterator<Item = (&str, usize, f64)> {
        self.units.iter().map(|(unit, (rows, grams))| (unit.as_str(), *rows, *grams))
    }

    pub(crate) fn grams(&self) -> f64 {
        self.units.values().map(|unit| unit.1).sum()
    }

    /// Rows, of which a few of every unit count.
    pub(crate) fn capped_rows(&self) -> usize {
        self.units.values().map(|unit| unit.0.min(MOST_ROWS)).sum()
    }

    /// Grams, of which a bounded number of every unit counts.
    pub(crate) fn capped_grams(&self) -> f64 {
        self.units.values().map(|unit| unit.1.clamp(0.0, BOUND)).sum()
    }

    pub(crate) fn is_small(&self) -> bool {
        self.units.len() < MIN_UNITS
    }

    /// Whether two contributors could find out too much about each other, or hold nearly all.
    pub(crate) fn is_dominated(&self) -> bool {
        let mut grams: Vec<f64> = self.units.values().map(|unit| unit.1).collect();
        grams.sort_by(|a, b| b.total_cmp(a));
        let total: f64 = grams.iter().sum();
        let (Some(largest), Some(second)) = (grams.first(), grams.get(1)) else { return true };
        let rest = total - largest - second;
        let few: f64 = grams.iter().take(DOMINANT_UNITS).sum();
        rest < P_PERCENT / 100.0 * largest || DOMINANT_PERCENT / 100.0 * total < few
    }
}

/// Whether any rule could ask for a cell to be withheld, in a table of a country.
pub(crate) fn asks_for_withholding(cells: &CellsByKey, keys: &[&Key], shown: Shown) -> bool {
    let sums = shown == Shown::Sums;
    let any = cells.values().any(|cell| cell.is_small() || (sums && cell.is_dominated()));
    any || one_category(cells, keys)
}

/// Whether one category holds nearly all units of a group that the other keys make.
fn one_category(cells: &CellsByKey, keys: &[&Key]) -> bool {
    (0..keys.len()).filter(|at| matches!(keys[*at], Key::Category(_))).any(|at| {
        let mut groups: BTreeMap<Vec<&String>, Vec<&Cell>> = BTreeMap::new();
        for (key, cell) in cells {
            let others = key.iter().enumerate().filter(|(i, _)| *i != at).map(|(_, text)| text);
            groups.entry(others.collect()).or_default().push(cell);
        }
        groups.values().any(|group| {
            let all: BTreeSet<&String> = group.iter().flat_map(|cell| cell.units.keys()).collect();
            let most = group.iter().map(|cell| cell.units.len()).max().unwrap_or(0);
            ONE_CATEGORY_PERCENT * all.len() <= 100 * most
        })
    })
}
