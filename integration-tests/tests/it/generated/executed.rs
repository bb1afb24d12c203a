//! Random questions to real federations, and the answers against the naive implementation.
//!
//! Every country's signed cells are compared with loops over its rows. Where numbers are exact: what is shown is right
//! and no rule forbids it, and where no rule asks for anything to be withheld, nothing is. Where they are noisy: what is
//! shown is no further from the truth than the noise can be, has enough units, says how noisy it is, and is the same
//! when it is asked again. The merged table is folded again by hand.

use super::catalogues::Setting;
use super::dice::Dice;
use super::grammar::{Aggregate, Key, Meaning, Question};
use super::naive::{self, Cell, CellsByKey, Shown};
use mayag_integration_tests::attacks::corpus::Statement;
use mayag_integration_tests::attacks::federation::{Crew, Federation, Regime};
use mayag_integration_tests::attacks::fixture::{self, COUNTRIES, Database, Row};
use mayag_integration_tests::attacks::said::{Answer, Cells, Said, Value};
use mayag_queries::plan::plan;
use mayag_queries::release::{MeasureOf, Release};
use std::collections::BTreeMap;

/// Questions to each federation; with all six countries and the gateway on one machine.
const QUESTIONS: u64 = 150;

/// The bytes of statuses in signed cells (`mayag_protocol::columns`).
const KNOWN: f64 = 0.0;
const NOISY: f64 = 1.0;

#[derive(Debug, Default)]
struct Seen {
    answered: usize,
    refused: usize,
    shown: usize,
    withheld: usize,
    merged: usize,
}

#[test]
fn exact_answers_are_those_of_a_naive_implementation() {
    let seen = ask_everything(&Setting::parcels(), Regime::Exact);
    assert!(100 < seen.merged, "{seen:?}");
}

#[test]
fn noisy_answers_are_as_close_to_the_truth_as_the_noise_says() {
    ask_everything(&Setting::persons(), Regime::Live);
}

fn ask_everything(setting: &Setting, regime: Regime) -> Seen {
    let statement = |sql: &str| Statement { sql: sql.to_owned(), ..Statement::parse("") };
    let mut federation = Federation::start(Database::Whole, regime, &Crew::of(&[&statement("")]));
    let rows = Database::Whole.rows();
    let mut seen = Seen::default();
    for seed in 0..QUESTIONS {
        let question = setting.table.question(&mut Dice::new(20_000_000 + seed));
        let said = federation.send(&statement(&question.sql)).remove(0);
        let told = format!("seed {seed}: {}\n", question.sql);
        match &said {
            Said::Answered(answer) => {
                seen.answered += 1;
                let silent = answer.countries.iter().any(|(_, outcome)| !outcome.answered());
                assert!(!silent, "{told}{:?}", answer.countries);
                if let Some(meaning) = &question.meaning {
                    let asked =
                        Asked { setting, question: &question, meaning, rows: &rows, regime };
                    asked.check(answer, &mut seen);
                }
                if regime == Regime::Live && seed % 8 == 0 {
                    let again = federation.send(&statement(&question.sql)).remove(0);
                    assert_eq!(said, again, "{told}");
                }
            }
            Said::Refused(text) => {
                seen.refused += 1;
                assert!(question.spoilt, "{told}{text}");
            }
            // A division by what is withheld, and the like: the tail says so, in words of its own.
            Said::Failed(text) => assert!(text.contains("the countries answered"), "{told}{text}"),
        }
    }
    assert!(50 < seen.answered && 40 < seen.refused && 100 < seen.withheld, "{seen:?}");
    seen
}

/// One country's cells of a release, and whether any rule asks for something of the question to be withheld there.
struct Truth<'a> {
    cells: &'a CellsByKey,
    may_withhold: bool,
}

struct Asked<'a> {
    setting: &'a Setting,
    question: &'a Question,
    meaning: &'a Meaning,
    rows: &'a [Row],
    regime: Regime,
}

impl Asked<'_> {
    fn check(&self, answer: &Answer, seen: &mut Seen) {
        let planned = plan(&self.question.sql, &self.setting.catalogue).unwrap();
        for country in COUNTRIES {
            let rows = fixture::of_country(self.rows, country);
            let truths: Vec<CellsByKey> = planned
                .releases
                .iter()
                .map(|release| naive::cells(&rows, &self.meaning.condition, &self.keys(release)))
                .collect();
            let may_withhold = planned.releases.iter().zip(&truths).any(|(release, truth)| {
                let sums = release.wire.iter().any(|wire| wire.of.summed_column().is_some());
                let shown = if sums { Shown::Sums } else { Shown::Counts };
                naive::asks_for_withholding(truth, &self.keys(release), shown)
                    || self.misses_some(release, truth)
            });
            for (i, (release, truth)) in planned.releases.iter().zip(&truths).enumerate() {
                let part = answer.signed.iter().find(|part| part.0 == country && part.1 == i);
                let part = &part.unwrap_or_else(|| panic!("{country}, {i}")).2;
                self.check_part(release, part, &Truth { cells: truth, may_withhold }, seen);
            }
        }
        if self.regime == Regime::Exact && self.meaning.sets.len() == 1 {
            self.check_merged(answer, &planned.releases[0], seen);
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
        let truth = truth.cells;
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
                let told =
                    format!("{}\n{key:?} {:?} {:?} {cell:?}", self.question.sql, wire.of, at(""));
                if let (Value::Number(value), Value::Number(status)) = (at(""), at("_status")) {
                    seen.shown += 1;
                    self.check_shown(cell, &wire.of, *value, (*status, at("_sd")), &told);
                } else {
                    seen.withheld += 1;
                    assert!(may_withhold, "withheld: {told}");
                }
            }
        }
        // What is not listed is withheld.
        assert!(listed == truth.len() || may_withhold, "{}", self.question.sql);
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

    /// The merged table, folded again from what the countries signed.
    fn check_merged(&self, answer: &Answer, release: &Release, seen: &mut Seen) {
        let merged = answer.merged.as_ref().expect("a table");
        let mut sums: BTreeMap<(Vec<String>, usize), f64> = BTreeMap::new();
        for (_, _, part) in &answer.signed {
            let place =
                |i: usize| part.columns.iter().position(|column| *column == format!("m{i}"));
            let places: Vec<usize> =
                (0..release.wire.len()).map(|i| place(i).expect("a column")).collect();
            let all = part.rows.iter().flat_map(|row| (0..places.len()).map(move |i| (row, i)));
            for (row, i) in all {
                let key: Vec<String> = part.keys.iter().map(|i| row[*i].text()).collect();
                let value = row[places[i]].number().unwrap_or_default();
                *sums.entry((key, i)).or_default() += value;
            }
        }
        let wire =
            |wanted: fn(&MeasureOf) -> bool| release.wire.iter().position(|wire| wanted(&wire.of));
        for row in &merged.rows {
            // The columns of keys come first, in the order of the SQL, which is that of the release.
            let keys = &row[..self.meaning.keys.len()];
            let key: Vec<String> = keys.iter().map(|key| day(&key.text())).collect();
            for (i, (aggregate, _)) in self.meaning.measures.iter().enumerate() {
                let name = format!("v{i}");
                let at = merged.columns.iter().position(|column| *column == name).unwrap();
                let Value::Number(found) = &row[at] else { continue };
                let of = |at: Option<usize>| sums.get(&(key.clone(), at.unwrap())).copied();
                let expected = match aggregate {
                    Aggregate::Rows => of(wire(|of| matches!(of, MeasureOf::Rows))),
                    Aggregate::Units => of(wire(|of| matches!(of, MeasureOf::DistinctUnits))),
                    Aggregate::Sum => of(wire(|of| matches!(of, MeasureOf::Sum { .. }))),
                    // A country may show the count and withhold the sum.
                    Aggregate::Avg => continue,
                };
                let expected = expected.unwrap_or(f64::NAN);
                assert!(
                    (found - expected).abs() < 1e-6,
                    "{}\n{key:?} {name}: {found}, by hand {expected}",
                    self.question.sql
                );
                seen.merged += 1;
            }
        }
    }
}

/// A midnight as a day; anything else as it is.
fn day(text: &str) -> String {
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
        | MeasureOf::SumCentred { .. }
        | MeasureOf::SumOfSquares { .. } => panic!("nothing that the grammar asks for"),
    }
}
