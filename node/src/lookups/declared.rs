//! Declared tables: read like the others, kept in memory only, and answered by the node itself.
//!
//! They have no key, no epoch and no file. After a start they are read again, and named as not ready until then.

use super::build::Built;
use super::terms::Terms;
use super::{InService, Lookups};
use crate::engine::WorkFailure;
use crate::ledger::Spent;
use crate::node::blocking;
use mayag_matching::declared::Table;
use mayag_policies::lookups::LookupPermit;
use mayag_protocol::lookup::{DeclaredTable, Legend, MOST_DECLARED};
use mayag_protocol::names::{Digest, TableName};
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::party_logs::Logged;
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::time::{Instant, timeout_at};

/// The declared tables that were read, by name.
pub(super) type Read = BTreeMap<TableName, DeclaredBuild>;

/// A declared table that was read.
pub(super) struct DeclaredBuild {
    /// What it was read under: kind, rules, query, and what a hit reveals.
    pub(super) terms: Digest,
    /// The version of the data that it was read from.
    pub(super) data: Digest,
    table: Arc<Table>,
    built_at: Timestamp,
    left_out: u64,
    categories: Vec<Legend>,
    handling: Vec<Legend>,
}

/// A declared table that is answered now.
pub(crate) struct LiveDeclared<'a> {
    pub(crate) entry: &'a DeclaredTable,
    pub(crate) table: &'a Arc<Table>,
}

impl DeclaredBuild {
    /// What was read from these data under these terms; `None` if nothing declared was.
    pub(super) fn of(
        (terms, data): (&Digest, &Digest),
        built: Built,
        handling: Vec<Legend>,
        built_at: Timestamp,
    ) -> Option<Self> {
        let Built { indices: _, declared, categories, tally } = built;
        Some(Self {
            terms: terms.clone(),
            data: data.clone(),
            table: Arc::new(declared?),
            built_at,
            left_out: tally.left_out,
            categories,
            handling,
        })
    }

    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    pub(super) fn built_at(&self) -> Timestamp {
        self.built_at
    }

    /// What the directory says of it.
    pub(super) fn entry(&self, terms: &Terms) -> DeclaredTable {
        let legend =
            |shown: bool, legend: &Vec<Legend>| if shown { legend.clone() } else { Vec::new() };
        DeclaredTable {
            table: terms.table.clone(),
            kind: terms.kind.name(),
            rules: terms.rules.version,
            built_at: self.built_at,
            left_out: self.left_out,
            purposes: terms.purposes.clone(),
            most_elements: terms.most_elements.min(MOST_DECLARED),
            legal_basis: terms.legal_basis.clone(),
            may_be_silent: terms.silent,
            categories: legend(terms.reveals.category, &self.categories),
            handling: legend(terms.reveals.handling, &self.handling),
        }
    }
}

impl InService {
    /// A declared table, if it is answered.
    pub(crate) fn declared(&self, table: &TableName) -> Option<LiveDeclared<'_>> {
        let entry = self.directory.declared.iter().find(|entry| entry.table == *table)?;
        Some(LiveDeclared { entry, table: self.declared.get(table)? })
    }
}

impl Lookups {
    /// Does the work of one declared lookup, in its turn. Takes the permit, and the proofs that it is charged and in the log.
    pub(crate) async fn declare<T: Send + 'static>(
        &self,
        _permit: &LookupPermit,
        _charged_and_logged: (&Spent, &Logged),
        work: impl FnOnce() -> T + Send + 'static,
        deadline: Instant,
    ) -> Result<T, WorkFailure> {
        let place = Arc::clone(&self.evaluating).acquire_owned();
        let place = timeout_at(deadline, place).await.map_err(|_| WorkFailure::TimedOut)?;
        let place = place.map_err(|_| WorkFailure::Broken)?;
        let worked = blocking(move || {
            // Free again when the work has ended, not when somebody gave up waiting for it.
            let _place = place;
            work()
        });
        let worked = timeout_at(deadline, worked).await.map_err(|_| WorkFailure::TimedOut)?;
        worked.ok_or(WorkFailure::Broken)
    }
}
