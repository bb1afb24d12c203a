//! The budgets of a node: how many questions a person, a country and a dataset have used up on a day, and how many
//! identifiers were searched in a lookup table.
//!
//! A question is charged after it was permitted and before anything of it is worked on, and the charge is durable before
//! [`Ledger::charge`] returns: a [`Spent`] is the proof, and nothing executes without one. What a question costs depends
//! on who asks and what it names, never on data; nothing is given back once work may have begun, because a refund would
//! say how the work went. All requesters take turns, so that a budget is never exceeded by as much as one question.
//!
//! A crash before the sync leaves a charge that nobody was answered on, or none; a crash after it a charge without an
//! answer. Either way a budget only shrinks.

use crate::records::{Records, RecordsError};
use mayag_protocol::names::{Country, DatasetName, Digest, QuestionId, TableName};
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

mod searched;

pub use searched::{SearchBudget, SearchCharge, Searches};

/// Milliseconds of a day.
const DAY: i64 = 86_400_000;

/// Questions a day. `None` where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Budget {
    /// Of one person, about anything.
    pub person: Option<u64>,
    /// Of all people of one country, about anything.
    pub country: Option<u64>,
    /// Of everybody, about the dataset.
    pub dataset: Option<u64>,
}

impl Budget {
    /// The smaller of each.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        let of = |a: Option<u64>, b: Option<u64>| a.into_iter().chain(b).min();
        Self {
            person: of(self.person, other.person),
            country: of(self.country, other.country),
            dataset: of(self.dataset, other.dataset),
        }
    }
}

/// What one question costs: one of the person's, one of the country's, and one of each dataset it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Charge {
    /// The question.
    pub question: QuestionId,
    /// A pseudonym of the person asking.
    pub person: Digest,
    /// The person's country.
    pub country: Country,
    /// The datasets it is about, with the budgets that the grants set.
    pub datasets: BTreeMap<DatasetName, Budget>,
}

/// The proof that a question was charged, durably. Only [`Ledger::charge`] makes one.
#[derive(Debug, PartialEq, Eq)]
pub struct Spent {
    number: u64,
}

impl Spent {
    /// How many charges there are with this one.
    pub fn number(&self) -> u64 {
        self.number
    }
}

/// Why a question was not charged.
#[derive(Debug, thiserror::Error)]
pub enum NotSpent {
    /// A budget is used up for today.
    #[error("the budget of {0} is used up")]
    Exhausted(Of),
    /// The ledger cannot be written: nothing is answered without a charge.
    #[error(transparent)]
    Ledger(#[from] RecordsError),
}

/// Whose budget it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Of {
    /// One person's.
    Person(Digest),
    /// One country's.
    Country(Country),
    /// One dataset's.
    Dataset(DatasetName),
    /// One lookup table's: identifiers of everybody.
    Table(TableName),
    /// One lookup table's: identifiers of one country's people.
    TableCountry(TableName, Country),
    /// One lookup table's: identifiers of one person.
    TablePerson(TableName, Digest),
}

impl std::fmt::Display for Of {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Person(_) => f.write_str("the person"),
            Self::Country(country) => write!(f, "the country {country}"),
            Self::Dataset(dataset) => write!(f, "the dataset {dataset}"),
            Self::Table(table) => write!(f, "the table {table}"),
            Self::TableCountry(table, country) => {
                write!(f, "the country {country} in the table {table}")
            }
            Self::TablePerson(table, _) => write!(f, "the person in the table {table}"),
        }
    }
}

/// A charge as it is written.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    /// Days since 1970-01-01.
    day: i64,
    at: Timestamp,
    question: QuestionId,
    person: Digest,
    country: Country,
    datasets: BTreeSet<DatasetName>,
    /// Of a lookup, the identifiers that are searched in each table, padding included.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    searched: BTreeMap<TableName, u64>,
}

/// The open ledger.
#[derive(Debug)]
pub struct Ledger {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    records: Records,
    today: Today,
}

/// What was used up on the last day that the ledger knows.
#[derive(Debug, Default)]
struct Today {
    day: i64,
    used: HashMap<Of, u64>,
    /// What persons searched on the day before.
    before: HashMap<Of, u64>,
    charges: u64,
}

impl Ledger {
    /// Opens or creates a ledger. One that does not verify is not opened. O(charges).
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        let mut today = Today { day: i64::MIN, ..Today::default() };
        let records = Records::open(path, |record: Record| today.add(&record))?;
        Ok(Self { state: Mutex::new(State { records, today }) })
    }

    /// How many charges there are.
    pub fn charges(&self) -> u64 {
        self.state.lock().today.charges
    }

    /// Charges a question, durably, or says whose budget is used up. Blocks for as long as the disk needs.
    pub fn charge(&self, now: Timestamp, charge: &Charge) -> Result<Spent, NotSpent> {
        let mut state = self.state.lock();
        // A clock that goes back opens no new day.
        let day = now.millis().div_euclid(DAY).max(state.today.day);
        for (of, budget) in charge.budgets() {
            if budget.is_some_and(|budget| state.today.used_on(day, &of) >= budget) {
                return Err(NotSpent::Exhausted(of));
            }
        }
        let record = Record {
            day,
            at: now,
            question: charge.question.clone(),
            person: charge.person.clone(),
            country: charge.country.clone(),
            datasets: charge.datasets.keys().cloned().collect(),
            searched: BTreeMap::new(),
        };
        state.records.append(&record)?;
        state.today.add(&record);
        Ok(Spent { number: state.today.charges })
    }
}

impl Charge {
    /// Everything it is charged to, with the strictest budget that any grant sets.
    fn budgets(&self) -> Vec<(Of, Option<u64>)> {
        let strictest =
            |of: fn(&Budget) -> Option<u64>| self.datasets.values().filter_map(of).min();
        let mut budgets = vec![
            (Of::Person(self.person.clone()), strictest(|budget| budget.person)),
            (Of::Country(self.country.clone()), strictest(|budget| budget.country)),
        ];
        let of_dataset =
            |(name, budget): (&DatasetName, &Budget)| (Of::Dataset(name.clone()), budget.dataset);
        budgets.extend(self.datasets.iter().map(of_dataset));
        budgets
    }
}

impl Today {
    fn used_on(&self, day: i64, of: &Of) -> u64 {
        if day == self.day { self.used.get(of).copied().unwrap_or_default() } else { 0 }
    }

    fn add(&mut self, record: &Record) {
        if record.day > self.day {
            let used = std::mem::take(&mut self.used);
            let follows = self.day.checked_add(1) == Some(record.day);
            let person = |(of, _): &(Of, u64)| matches!(of, Of::TablePerson(..));
            self.before = used.into_iter().filter(|of| follows && person(of)).collect();
            self.day = record.day;
        }
        self.charges += 1;
        if !record.searched.is_empty() {
            self.add_search(record);
            return;
        }
        let of_all = [Of::Person(record.person.clone()), Of::Country(record.country.clone())];
        for of in of_all.into_iter().chain(record.datasets.iter().cloned().map(Of::Dataset)) {
            *self.used.entry(of).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests;
