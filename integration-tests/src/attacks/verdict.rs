//! What the answers to an attack amount to. Computed from the answers alone: nothing here knows an attack by its name.

use super::features::{self, Feature, Features};
use super::fixture::{Database, HIDDEN, TARGET};
use super::said::{Said, Value};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::outcome::Outcome;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Words of the engine and of the machine, which no answer and no refusal may hold.
const ENGINE: [&str; 18] = [
    "DataFusion",
    "datafusion",
    "Arrow error",
    "ArrowError",
    "Cannot cast",
    "Schema error",
    "SchemaError",
    "Valid fields",
    "Execution error",
    "Error during planning",
    "Internal error",
    "This feature is not implemented",
    "Resources exhausted",
    "ParserError",
    "sql parser error",
    "External error",
    "panicked at",
    "RUST_BACKTRACE",
];

/// What an attack came to, from strongest to weakest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// Every statement was refused, in the same words whatever the data.
    Refused,
    /// Cells are withheld, and nothing tells the databases apart.
    Suppressed,
    /// Answered, and nothing tells the databases apart.
    Protected,
    /// Something tells the databases apart, or should not be there at all.
    Leaked,
}

/// The answers to one attack: for each database one run per secret, in each a list of replies per statement.
pub type Runs = BTreeMap<Database, Vec<Vec<Vec<Said>>>>;

/// A difference that shows which database was asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The feature's name.
    pub feature: String,
    /// The database that differs from the whole one.
    pub database: Database,
    /// Which way: a difference that is confirmed goes the same way again.
    pub way: Way,
    /// The feature's values in both, for the report.
    pub shown: String,
}

/// Which way two databases differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Way {
    /// The whole database's numbers are above all of the other's.
    Above,
    /// They are below.
    Below,
    /// Always this word in the whole database, never in the other.
    Only(String),
    /// Always this word in the other database, never in the whole one.
    OnlyOther(String),
}

impl Verdict {
    /// The word of reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Suppressed => "suppressed",
            Self::Protected => "protected",
            Self::Leaked => "leaked",
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tells D from {}: {}", self.feature, self.database.name(), self.shown)
    }
}

/// What should not be in any reply: the engine's words, and what is hidden. Words of the attack itself do not count.
pub fn spilled(runs: &Runs, sql: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for said in runs.values().flatten().flatten().flatten() {
        let words = said.words();
        for word in ENGINE.iter().chain(&HIDDEN) {
            if words.contains(word) && !sql.contains(word) {
                found.insert((*word).to_owned());
            }
        }
        let persons = words.split("P-").skip(1).filter_map(|after| {
            let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
            (4 <= digits.len()).then(|| format!("P-{digits}"))
        });
        found.extend(persons.filter(|person| !sql.contains(person.as_str())));
    }
    found
}

/// The verdict, if nothing leaked.
pub fn kept(runs: &Runs) -> Verdict {
    let said = || runs.values().flatten().flatten().flatten();
    if said().all(|said| matches!(said, Said::Refused(_))) {
        Verdict::Refused
    } else if said().any(withholds) {
        Verdict::Suppressed
    } else {
        Verdict::Protected
    }
}

/// Whether the attacked country's cells, or the merged ones, are withheld in part. Nothing at all is withheld too.
fn withholds(said: &Said) -> bool {
    let answer = match said {
        Said::Answered(answer) => answer,
        Said::Failed(_) => return true,
        Said::Refused(_) => return false,
    };
    let suppressed = CellStatus::Suppressed;
    let withheld = |value: &Value| match value {
        Value::Text(text) => text == suppressed.as_str(),
        Value::Number(byte) => (byte - f64::from(suppressed.byte())).abs() < 0.5,
        Value::Null => false,
    };
    let tables = answer.merged.iter().chain(
        answer.signed.iter().filter(|(country, ..)| country == TARGET).map(|(.., cells)| cells),
    );
    let any = tables.into_iter().any(|cells| {
        let statuses = cells.columns.iter().enumerate().filter(|(_, n)| n.ends_with("_status"));
        statuses.into_iter().any(|(i, _)| cells.rows.iter().any(|row| withheld(&row[i])))
    });
    let target = answer.countries.iter().find(|(country, _)| country == TARGET);
    any || target.is_some_and(|(_, outcome)| *outcome == Outcome::AnsweredSuppressed)
}

/// Every feature that tells the whole database from another one in all of these runs.
pub fn differences(runs: &Runs) -> Vec<Difference> {
    let of = |database: Database| -> Vec<Features> {
        runs.get(&database).into_iter().flatten().map(|said| features::of(said)).collect()
    };
    let whole = of(Database::Whole);
    let mut differences = Vec::new();
    for database in [Database::Minus, Database::Changed] {
        let other = of(database);
        let names: BTreeSet<&String> =
            whole.iter().chain(&other).flat_map(BTreeMap::keys).collect();
        for name in names {
            let values = |runs: &[Features]| -> Vec<Option<Feature>> {
                runs.iter().map(|features| features.get(name).cloned()).collect()
            };
            let (a, b) = (values(&whole), values(&other));
            if let Some(way) = way(&a, &b) {
                let shown = format!("{} / {}", shown(&a), shown(&b));
                differences.push(Difference { feature: name.clone(), database, way, shown });
            }
        }
    }
    differences
}

/// The rule: ranges of numbers that do not meet; a word that is always there and never here.
fn way(a: &[Option<Feature>], b: &[Option<Feature>]) -> Option<Way> {
    if a.is_empty() || b.is_empty() {
        return None;
    }
    let numbers = |of: &[Option<Feature>]| -> Option<Vec<f64>> {
        of.iter()
            .map(|feature| match feature {
                Some(Feature::Number(number)) => Some(*number),
                Some(Feature::Word(_)) | None => None,
            })
            .collect()
    };
    if let (Some(a), Some(b)) = (numbers(a), numbers(b)) {
        let least = |of: &[f64]| of.iter().copied().fold(f64::INFINITY, f64::min);
        let most = |of: &[f64]| of.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        return if most(&b) < least(&a) {
            Some(Way::Above)
        } else if most(&a) < least(&b) {
            Some(Way::Below)
        } else {
            None
        };
    }
    let words = |of: &[Option<Feature>]| -> Vec<String> {
        of.iter()
            .map(|feature| match feature {
                Some(Feature::Number(_)) => "(a number)".to_owned(),
                Some(Feature::Word(word)) => word.clone(),
                None => "(absent)".to_owned(),
            })
            .collect()
    };
    let (a, b) = (words(a), words(b));
    let only = |of: &[String], other: &[String]| {
        let first = of.first()?;
        (of.iter().all(|word| word == first) && !other.contains(first)).then(|| first.clone())
    };
    only(&a, &b).map(Way::Only).or_else(|| only(&b, &a).map(Way::OnlyOther))
}

fn shown(values: &[Option<Feature>]) -> String {
    let texts = values.iter().take(4).map(|value| match value {
        Some(Feature::Number(number)) => number.to_string(),
        Some(Feature::Word(word)) => word.chars().take(60).collect(),
        None => "(absent)".to_owned(),
    });
    texts.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
