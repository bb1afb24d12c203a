//! The committed answers follow from the incidents and the policies: they are computed here a second time, by loops over
//! incidents that know nothing of SQL, nodes or gateways.

use super::{difference, totals_by_drug};
use crate::demo::federation::POLICIES;
use crate::demo::incidents::{Incident, decimal, national};
use crate::demo::questions::{self, Example};
use chrono::Datelike as _;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Every country's incidents that its policy's row filter lets through, with masses in 10⁻¹⁶ lb.
static SHARED: LazyLock<Vec<(&'static str, Vec<Incident>)>> = LazyLock::new(|| {
    let shared = |national: &'static national::National| {
        let mut incidents = national.incidents().unwrap();
        incidents.retain(|incident| incident.place.agency != "Criminal Intelligence Commission");
        if national.country != "us" {
            // From grams: 2.20462262 lb per kilogram.
            for incident in &mut incidents {
                incident.quantity *= 220_462_262 * 100_000;
            }
        }
        (national.country, incidents)
    };
    national::ALL.iter().map(shared).collect()
});

/// A cell of one country, or of several.
#[derive(Debug, Default, Clone)]
struct Cell {
    masses: Vec<i128>,
    withheld: bool,
}

fn rule(country: &str, name: &str) -> usize {
    let (_, text) = POLICIES.iter().find(|(code, _)| *code == country).unwrap();
    let policy: serde_json::Value = serde_json::from_str(text).unwrap();
    usize::try_from(policy["grants"][0][name].as_u64().unwrap()).unwrap()
}

fn cells<K: Ord>(country: &str, key: impl Fn(&Incident) -> Option<K>) -> BTreeMap<K, Cell> {
    let (_, incidents) = SHARED.iter().find(|(code, _)| *code == country).unwrap();
    let mut cells: BTreeMap<K, Cell> = BTreeMap::new();
    for incident in incidents {
        if let Some(key) = key(incident) {
            cells.entry(key).or_default().masses.push(incident.quantity);
        }
    }
    for cell in cells.values_mut() {
        cell.withheld = cell.masses.len() < rule(country, "min_units");
        cell.masses.sort_unstable_by(|a, b| b.cmp(a));
    }
    withhold_complements(&mut cells, rule(country, "min_units"));
    cells
}

/// Cells that are withheld hide each other: two at least, with enough incidents together. Until then the smallest of the
/// others is withheld too.
fn withhold_complements<K: Ord>(cells: &mut BTreeMap<K, Cell>, min_units: usize) {
    loop {
        let hidden: Vec<usize> =
            cells.values().filter(|cell| cell.withheld).map(|cell| cell.masses.len()).collect();
        if hidden.is_empty() || (hidden.len() >= 2 && hidden.iter().sum::<usize>() >= min_units) {
            return;
        }
        match cells.values_mut().filter(|cell| !cell.withheld).min_by_key(|cell| cell.masses.len())
        {
            Some(smallest) => smallest.withheld = true,
            None => return,
        }
    }
}

/// The counts of several countries together: number, and whether a part is withheld.
fn counts<K: Ord>(
    countries: &[&str],
    key: impl Fn(&Incident) -> Option<K>,
) -> BTreeMap<K, (usize, Worth)> {
    let mut counts: BTreeMap<K, (usize, Worth)> = BTreeMap::new();
    for country in countries {
        for (key, cell) in cells(country, &key) {
            let count = counts.entry(key).or_default();
            count.0 += if cell.withheld { 0 } else { cell.masses.len() };
            count.1 = count.1.max(if cell.withheld { Worth::Partial } else { Worth::Known });
        }
    }
    counts
}

fn example(name: &str) -> &'static Example {
    questions::ALL.iter().find(|example| example.name == name).unwrap()
}

/// What a number is worth to which these parts of countries were added.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Worth {
    #[default]
    Known,
    Partial,
}

impl Worth {
    fn word(self) -> &'static str {
        match self {
            Self::Known => "known",
            Self::Partial => "partial",
        }
    }
}

fn check(name: &str, header: &str, lines: &[String]) {
    let text = format!("{header}\n{}\n", lines.join("\n"));
    assert_eq!(difference(name, &text, example(name).answer), None);
}

/// Every number is the exact sum over some of the countries: what one of them withholds is left out as a whole.
#[test]
fn the_expected_trend_follows_from_the_incidents() {
    let countries = ["au", "kr", "mx", "th", "us"];
    let lines = example("trend").answer.lines().skip(1);
    assert_eq!(lines.clone().count(), 15, "three drugs in five years");
    for line in lines {
        let [year, drug, count, worth] = line.split(',').collect::<Vec<_>>()[..] else {
            panic!("{line}");
        };
        let (year, count): (i32, usize) = (year.parse().unwrap(), count.parse().unwrap());
        let of_country = |country: &&str| {
            let key = |incident: &Incident| {
                (incident.drug == drug && incident.fiscal_year == year).then_some(())
            };
            cells(country, key).get(&()).map_or(0, |cell| cell.masses.len())
        };
        let parts: Vec<usize> = countries.iter().map(of_country).collect();
        let some = |mask: usize| -> usize {
            let chosen = parts.iter().enumerate().filter(|(i, _)| mask & (1 << i) != 0);
            chosen.map(|(_, part)| part).sum()
        };
        let all = (1 << parts.len()) - 1;
        let sums_up = if worth == "known" {
            count == some(all)
        } else {
            worth == "partial" && (1..all).any(|mask| some(mask) == count)
        };
        assert!(sums_up, "{line}: {parts:?}");
    }
}

#[test]
fn the_expected_shares_follow_from_the_incidents() {
    let key = |incident: &Incident| {
        (incident.seized_on.year() == 2023)
            .then(|| (incident.seized_on.month0() / 3 * 3 + 1, incident.drug))
    };
    let mut rows: Vec<(u32, &str, usize, Worth)> = counts(&["au", "kr", "us"], key)
        .into_iter()
        .filter(|(_, (count, _))| *count >= 500)
        .map(|((month, drug), (count, worth))| (month, drug, count, worth))
        .collect();
    rows.sort_by_key(|(month, _, count, _)| (*month, std::cmp::Reverse(*count)));
    let line = |(month, drug, count, worth): &(u32, &str, usize, Worth)| {
        let quarter: Vec<_> = rows.iter().filter(|row| row.0 == *month).collect();
        let all: usize = quarter.iter().map(|row| row.2).sum();
        let float = |count: usize| f64::from(u32::try_from(count).unwrap());
        let percent = (1000.0 * float(*count) / float(all)).round() / 10.0;
        // Rows that the HAVING left open are missing from the sum of whichever quarter they are in.
        let of_quarter = Worth::Partial.word();
        format!("2023-{month:02}-01,{drug},{count},{},{percent},{of_quarter}", worth.word())
    };
    let lines: Vec<String> = rows.iter().map(line).collect();
    check("shares", "quarter,drug,seizures,seizures_status,percent,percent_status", &lines);
}

/// What is listed is exact and of enough incidents; where a column has no public list, nothing else is listed at all.
#[test]
fn the_expected_routes_follow_from_the_incidents() {
    let lines = example("routes").answer.lines().skip(1);
    assert!(5 < lines.clone().count());
    for line in lines {
        let [country, origin, transport, count, worth, mass, mass_worth] =
            line.split(',').collect::<Vec<_>>()[..]
        else {
            panic!("{line}");
        };
        let key = |incident: &Incident| {
            let asked = incident.drug == "Methamphetamine"
                && incident.destination == Some("kr")
                && incident.fiscal_year == 2022
                && incident.transport == transport
                && incident.origin.unwrap_or("null") == origin;
            asked.then_some(())
        };
        let cell = cells(country, key).remove(&()).unwrap();
        assert_eq!((count, worth), (cell.masses.len().to_string().as_str(), "known"), "{line}");
        assert!(rule(country, "min_units") <= cell.masses.len(), "{line}");
        let exact = decimal(cell.masses.iter().sum(), 16);
        let (known, withheld) = ((exact.as_str(), "known"), ("", "suppressed"));
        assert!([known, withheld].contains(&(mass, mass_worth)), "{line}");
    }
}

#[test]
fn the_expected_outcomes_show_an_answer_a_suppression_and_a_refusal() {
    let outcomes: Vec<&str> =
        questions::ALL.iter().flat_map(|example| example.outcomes.lines().skip(1)).collect();
    for shown in [",answered_suppressed,", ",refused,MAYAG-2104,", ",refused,MAYAG-2105,"] {
        assert!(outcomes.iter().any(|line| line.contains(shown)), "{shown}");
    }
}

#[test]
fn every_kind_of_difference_is_seen() {
    assert_eq!(difference("a", "x\ny\n", "x\ny\n"), None);
    let shown = |expected, found| difference("a", expected, found).unwrap().to_string();
    assert_eq!(shown("x\ny\n", "x\nz\n"), "DIFFERS a (- expected, + found)\n- y\n+ z");
    assert!(shown("x\ny\n", "y\nx\n").contains("in another order"));
    assert!(shown("x\n", "x\nx\n").contains("in another order"));
    let many: Vec<String> = (0..100).map(|i| i.to_string()).collect();
    assert!(shown("", &many.join("\n")).contains("and 76 more lines"));
}

#[test]
fn the_published_totals_are_those_of_the_file() {
    let totals = totals_by_drug().unwrap();
    assert_eq!(totals.lines().count(), 10);
    assert!(totals.contains("Fentanyl,5536,known,57715.1144071458287684,known\n"), "{totals}");
    assert!(totals.contains("Khat,1409,known,559373.3217276704316530,known\n"), "{totals}");
}
