//! What lookups cost: identifiers, counted for each table by itself, apart from questions.
//!
//! A lookup costs as many identifiers as its vector has places for, with the padding and without the control: how many of
//! them were meant, nobody here can tell. Each table that is asked is charged with all of them.

use super::{DAY, Ledger, NotSpent, Of, Record, Spent, Today};
use mayag_protocol::names::{Country, Digest, QuestionId, TableName};
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// Identifiers a day in one table. `None` where there is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SearchBudget {
    /// Of one person.
    pub person: Option<u64>,
    /// Of all people of one country.
    pub country: Option<u64>,
    /// Of everybody.
    pub table: Option<u64>,
}

/// What one lookup costs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCharge {
    /// The question that it is.
    pub question: QuestionId,
    /// A pseudonym of the person asking.
    pub person: Digest,
    /// The person's country.
    pub country: Country,
    /// Identifiers, padding included.
    pub identifiers: u64,
    /// The tables that are asked, with the budgets that the grants set.
    pub tables: BTreeMap<TableName, SearchBudget>,
}

/// What a person has searched in a table with the charge just made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Searches {
    /// The table.
    pub table: TableName,
    /// Identifiers before this charge, today and yesterday.
    pub before: u64,
    /// Identifiers with it.
    pub with_it: u64,
}

impl Ledger {
    /// Charges a lookup, durably, or says whose budget does not suffice for all of it. Says too what the person has searched
    /// today and yesterday. Blocks for as long as the disk needs.
    pub fn charge_search(
        &self,
        now: Timestamp,
        charge: &SearchCharge,
    ) -> Result<(Spent, Vec<Searches>), NotSpent> {
        let mut state = self.state.lock();
        // A clock that goes back opens no new day.
        let day = now.millis().div_euclid(DAY).max(state.today.day);
        for (of, budget) in charge.budgets() {
            let used = state.today.used_on(day, &of).saturating_add(charge.identifiers);
            if budget.is_some_and(|budget| used > budget) {
                return Err(NotSpent::Exhausted(of));
            }
        }
        let of_tables = charge.tables.keys().map(|table| (table.clone(), charge.identifiers));
        let record = Record {
            day,
            at: now,
            question: charge.question.clone(),
            person: charge.person.clone(),
            country: charge.country.clone(),
            datasets: BTreeSet::new(),
            searched: of_tables.collect(),
        };
        state.records.append(&record)?;
        state.today.add(&record);
        let searches = |table: &TableName| {
            let with_it = state.today.searched(table, &charge.person);
            let before = with_it.saturating_sub(charge.identifiers);
            Searches { table: table.clone(), before, with_it }
        };
        let searches = charge.tables.keys().map(searches).collect();
        Ok((Spent { number: state.today.charges }, searches))
    }
}

impl SearchCharge {
    fn budgets(&self) -> impl Iterator<Item = (Of, Option<u64>)> {
        self.tables.iter().flat_map(|(table, budget)| {
            let [person, country, of_table] = keys(table, &self.person, &self.country);
            [(person, budget.person), (country, budget.country), (of_table, budget.table)]
        })
    }
}

impl Today {
    pub(super) fn add_search(&mut self, record: &Record) {
        for (table, identifiers) in &record.searched {
            for of in keys(table, &record.person, &record.country) {
                let used = self.used.entry(of).or_default();
                *used = used.saturating_add(*identifiers);
            }
        }
    }

    /// What a person searched in a table, today and yesterday.
    fn searched(&self, table: &TableName, person: &Digest) -> u64 {
        let of = Of::TablePerson(table.clone(), person.clone());
        let on = |used: Option<&u64>| used.copied().unwrap_or_default();
        on(self.used.get(&of)).saturating_add(on(self.before.get(&of)))
    }
}

fn keys(table: &TableName, person: &Digest, country: &Country) -> [Of; 3] {
    [
        Of::TablePerson(table.clone(), person.clone()),
        Of::TableCountry(table.clone(), country.clone()),
        Of::Table(table.clone()),
    ]
}

#[cfg(test)]
mod tests;
