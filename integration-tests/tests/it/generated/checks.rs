//! What is compared of an answer with the naive implementation, however it was come by.

use super::catalogues::Setting;
use super::grammar::{Aggregate, Key, Meaning};
use super::naive::{self, Cell, CellsByKey, Shown};
use mayag_integration_tests::attacks::federation::Regime;
use mayag_integration_tests::attacks::fixture::{self, Row};
use mayag_integration_tests::attacks::said::{Cells, Value};
use mayag_queries::release::{MeasureOf, Release};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

/// The bytes of statuses in signed cells (`mayag_protocol::columns`).
const KNOWN: f64 = 0.0;
const NOISY: f64 = 1.0;

/// One country's cells of a release, and whether any rule asks for something of the question to be withheld there.
struct Truth<'a> {
    country: &'a str,
    cells: &'a CellsByKey,
    may_withhold: bool,
}

/// A question that was asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Asked<'a> {
    pub(crate) setting: &'a Setting,
    pub(crate) sql: &'a str,
    /// What its releases mean.
    pub(crate) meaning: &'a Meaning,
    pub(crate) releases: &'a [Release],
    /// All rows of all countries.
    pub(crate) rows: &'a [Row],
    pub(crate) countries: &'a [&'static str],
    pub(crate) regime: Regime,
}

/// What a country signed: its name, the number of the release, and the cells.
pub(crate) type Signed = (String, usize, Cells);

/// Cells, counted.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    pub(crate) shown: usize,
    pub(crate) withheld: usize,
    pub(crate) merged: usize,
    /// What a noisy number is about, to the last unit, and the number.
    pub(crate) noisy: Vec<(u64, f64)>,
}

/// The measures of a question by the texts of its keys, folded by hand; none where no country shows any.
pub(crate) type Folded = BTreeMap<Vec<String>, Vec<Option<f64>>>;

impl Asked<'_> {
    /// Every cell that the countries signed.
    pub(crate) fn check_signed(&self, signed: &[Signed], seen: &mut Seen) {
        for country in self.countries {
            let rows = fixture::of_country(self.rows, country);
            let truths: Vec<CellsByKey> = self
                .releases
                .iter()
                .map(|release| naive::cells(&rows, &self.meaning.condition, &self.keys(release)))
                .collect();
            let may_withhold = self.releases.iter().zip(&truths).any(|(release, truth)| {
                let sums = release.wire.iter().any(|wire| wire.of.summed_column().is_some());
                let shown = if sums { Shown::Sums } else { Shown::Counts };
                naive::asks_for_withholding(truth, &self.keys(release), shown)
                    || self.misses_some(release, truth)
            });
            for (i, (release, truth)) in self.releases.iter().zip(&truths).enumerate() {
                let part = signed.iter().find(|part| part.0 == *country && part.1 == i);
                let part = &part.unwrap_or_else(|| panic!("{country}, {i}")).2;
                let truth = Truth { country, cells: truth, may_withhold };
                self.check_part(release, part, &truth, seen);
            }
        }
    }

    /// The keys of a release, in its order: which grouping set it is.
    fn keys(&self, release: &Release) -> Vec<&Key> {
        let of = |column: &str| {
            self.meaning.keys.iter().find(|key| match key {
                Key::Category(name) => *name == column,
                Key::Country => column == "country",
                Key::Date(_) => column == self.setting.table.date,
            })
        };
        release
            .keys
            .iter()
            .map(|key| of(key.column.as_str()).expect("a key that was asked"))
            .collect()
    }

    /// Zero is treated like small: a value of the public domain that no row has is a cell of no units.
    fn misses_some(&self, release: &Release, truth: &CellsByKey) -> bool {
        let dataset = self.setting.catalogue.dataset("seizures").unwrap();
        let sizes = release.keys.iter().map(|key| {
            if key.column.as_str() == "country" {
                1
            } else {
                dataset.domain(key).map_or(0, |d| d.len())
            }
        });
        truth.len() != sizes.product::<usize>()
    }

    fn check_part(&self, release: &Release, part: &Cells, truth: &Truth<'_>, seen: &mut Seen) {
        let may_withhold = truth.may_withhold || self.regime == Regime::Live;
        let Truth { country, cells: truth, .. } = truth;
        let nothing = Cell::default();
        let mut listed = 0;
        for row in &part.rows {
            let key: Vec<String> = part.keys.iter().map(|i| row[*i].text()).collect();
            let cell = truth.get(&key).unwrap_or(&nothing);
            listed += usize::from(truth.contains_key(&key));
            for (i, wire) in release.wire.iter().enumerate() {
                let at = |name: &str| {
                    let name = format!("m{i}{name}");
                    &row[part.columns.iter().position(|column| *column == name).unwrap()]
                };
                let told = format!("{}\n{key:?} {:?} {:?} {cell:?}", self.sql, wire.of, at(""));
                if let (Value::Number(value), Value::Number(status)) = (at(""), at("_status")) {
                    seen.shown += 1;
                    self.check_shown(cell, &wire.of, *value, (*status, at("_sd")), &told);
                    let noisy = (self.regime == Regime::Live)
                        .then(|| (identity(country, cell, &wire.of), *value));
                    seen.noisy.extend(noisy);
                } else {
                    seen.withheld += 1;
                    assert!(may_withhold, "withheld: {told}");
                }
            }
        }
        // What is not listed is withheld.
        assert!(listed == truth.len() || may_withhold, "{}", self.sql);
    }

    fn check_shown(
        &self,
        cell: &Cell,
        of: &MeasureOf,
        value: f64,
        (status, deviation): (f64, &Value),
        told: &str,
    ) {
        let is = |word: f64| (status - word).abs() < 0.5;
        if self.regime == Regime::Exact {
            assert!(is(KNOWN), "{told}");
            assert!(!cell.is_small(), "too small: {told}");
            let sums = of.summed_column().is_some();
            assert!(!sums || !cell.is_dominated(), "dominated: {told}");
            assert!((value - truth(cell, of)).abs() < 1e-6, "wrong: {told}");
            return;
        }
        assert!(is(NOISY), "{told}");
        assert!(naive::NOISY_MIN_UNITS <= cell.unit_count(), "too small: {told}");
        assert!(matches!(deviation, Value::Number(sd) if 0.0 < *sd), "no deviation: {told}");
        let (truth, unit) = noisy_truth(cell, of);
        // Rounded to a public grid of a thousandth of the bound.
        let most = unit * (naive::LARGEST + 0.01) + 1e-6;
        assert!((value - truth).abs() <= most, "too far from {truth}: {told}");
    }

    /// The merged table of a question with nothing above its one release, folded again from what the countries signed.
    pub(crate) fn check_merged(&self, merged: &Cells, signed: &[Signed], seen: &mut Seen) {
        let folded = self.folded(signed, 0);
        assert_eq!(merged.rows.len(), folded.len(), "{}\n{merged:?}\n{folded:?}", self.sql);
        for row in &merged.rows {
            // The columns of keys come first, in the order of the SQL, which is that of the release.
            let keys = &row[..self.meaning.keys.len()];
            let key: Vec<String> = keys.iter().map(|key| day(&key.text())).collect();
            let told = format!("{}\n{key:?}", self.sql);
            let expected = folded.get(&key).unwrap_or_else(|| panic!("nobody has it: {told}"));
            for (i, expected) in expected.iter().enumerate() {
                let name = format!("v{i}");
                let at = merged.columns.iter().position(|column| *column == name).unwrap();
                let found = row[at].number();
                let told = format!("{told} {name}: {found:?}, by hand {expected:?}");
                assert!(alike(found, *expected), "{told}");
                seen.merged += usize::from(found.is_some());
            }
        }
    }

    /// The cells of a release, folded by hand from what the countries signed. Measures that were not asked of the
    /// countries are none.
    pub(crate) fn folded(&self, signed: &[Signed], release: usize) -> Folded {
        let wire = &self.releases[release].wire;
        let place = |wanted: fn(&MeasureOf) -> bool| wire.iter().position(|wire| wanted(&wire.of));
        let rows = place(|of| matches!(of, MeasureOf::Rows));
        let units = place(|of| matches!(of, MeasureOf::DistinctUnits));
        let sum = place(|of| matches!(of, MeasureOf::Sum { .. }));
        let count = place(|of| matches!(of, MeasureOf::NonNull(_)));
        // A number, and by what it is divided in the end.
        let mut sums: BTreeMap<Vec<String>, Vec<Option<Quotient>>> = BTreeMap::new();
        let parts = signed.iter().filter(|part| part.1 == release).map(|(_, _, part)| part);
        for (part, row) in parts.flat_map(|part| part.rows.iter().map(move |row| (part, row))) {
            let key: Vec<String> = part.keys.iter().map(|i| row[*i].text()).collect();
            let value = |wire: Option<usize>| {
                let name = format!("m{}", wire?);
                row[part.columns.iter().position(|column| *column == name)?].number()
            };
            let shown = |aggregate: &Aggregate| match aggregate {
                Aggregate::Avg => Some((value(sum)?, value(count.or(rows))?)),
                Aggregate::Rows => Some((value(rows)?, 1.0)),
                Aggregate::Sum => Some((value(sum)?, 1.0)),
                Aggregate::Units => Some((value(units)?, 1.0)),
            };
            let measures = &self.meaning.measures;
            let totals = sums.entry(key).or_insert_with(|| vec![None; measures.len()]);
            for (total, (aggregate, _)) in totals.iter_mut().zip(measures) {
                let more = shown(aggregate);
                *total = match (*total, more, aggregate) {
                    (total, None, _) => total,
                    (None, more, _) => more,
                    (Some(total), Some(more), Aggregate::Avg) => {
                        Some((total.0 + more.0, total.1 + more.1))
                    }
                    (Some(total), Some(more), _) => Some((total.0 + more.0, 1.0)),
                };
            }
        }
        let divided = |(total, by): (f64, f64)| total / by;
        let all = sums.into_iter().map(|(key, totals)| {
            (key, totals.into_iter().map(|total| total.map(divided)).collect())
        });
        all.collect()
    }
}

/// A number, and by what it is divided in the end.
type Quotient = (f64, f64);

/// The same number, or nothing in both places.
pub(crate) fn alike(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (Some(a), Some(b)) => (a - b).abs() < 1e-6 * (1.0 + a.abs()),
        (a, b) => a.is_none() && b.is_none(),
    }
}

/// The same for the same measure of the same units with the same rows, whatever was asked.
fn identity(country: &str, cell: &Cell, of: &MeasureOf) -> u64 {
    let mut hasher = DefaultHasher::new();
    format!("{country} {of:?}").hash(&mut hasher);
    for (unit, rows, grams) in cell.units() {
        (unit, rows, grams.to_bits()).hash(&mut hasher);
    }
    hasher.finish()
}

/// A midnight as a day; anything else as it is.
pub(crate) fn day(text: &str) -> String {
    text.split("T00:00:00").next().unwrap().to_owned()
}

#[expect(clippy::cast_precision_loss, reason = "hundreds")]
fn truth(cell: &Cell, of: &MeasureOf) -> f64 {
    match of {
        MeasureOf::DistinctUnits => cell.unit_count() as f64,
        MeasureOf::NonNull(_) | MeasureOf::Rows => cell.rows as f64,
        MeasureOf::Sum { .. } => cell.grams(),
        MeasureOf::Max(_)
        | MeasureOf::Min(_)
        | MeasureOf::Pair { .. }
        | MeasureOf::SumCentred { .. }
        | MeasureOf::SumOfSquares { .. } => panic!("nothing that the grammar asks for"),
    }
}

/// What the noise is added to, and how much of it one unit can be.
#[expect(clippy::cast_precision_loss, reason = "hundreds")]
fn noisy_truth(cell: &Cell, of: &MeasureOf) -> (f64, f64) {
    match of {
        MeasureOf::DistinctUnits => (cell.unit_count() as f64, 1.0),
        MeasureOf::NonNull(_) | MeasureOf::Rows => {
            (cell.capped_rows() as f64, naive::MOST_ROWS as f64)
        }
        MeasureOf::Sum { .. } => (cell.capped_grams(), naive::BOUND),
        MeasureOf::Max(_)
        | MeasureOf::Min(_)
        | MeasureOf::Pair { .. }
        | MeasureOf::SumCentred { .. }
        | MeasureOf::SumOfSquares { .. } => panic!("nothing that the grammar asks for"),
    }
}
