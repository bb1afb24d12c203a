//! What a release reads: one dataset behind its barrier, or two of them joined above their barriers.
//!
//! The owner's filter of either dataset runs below its own barrier. The join compares the declared columns and nothing
//! else: no expression of a question is evaluated in it.

use super::{Query, engine};
use crate::engine::barrier::RowPolicyTable;
use crate::engine::failure::WorkFailure;
use crate::engine::predicate::Scope;
use crate::engine::sources::Mapped;
use datafusion::common::Column;
use datafusion::datasource::provider_as_source;
use datafusion::logical_expr::{Expr, JoinType, LogicalPlanBuilder};
use mayag_policies::catalogue::Joined;
use mayag_policies::shape::Predicate;
use mayag_protocol::names::{ColumnName, DatasetName};
use std::collections::{BTreeMap, BTreeSet};

/// The rows that the policy lets the release see, with the columns that it reads under their bare names.
pub(super) fn source(query: &Query<'_>) -> Result<LogicalPlanBuilder, WorkFailure> {
    let columns = query.columns()?;
    match &query.scope.dataset.joined {
        None => behind(query, &query.scope.dataset.name, &query.work.rows, &columns),
        Some(joined) => both(query, joined, &columns),
    }
}

/// One dataset behind its barrier.
fn behind(
    query: &Query<'_>,
    name: &DatasetName,
    rows: &Predicate,
    columns: &BTreeSet<String>,
) -> Result<LogicalPlanBuilder, WorkFailure> {
    let Mapped { dataset, view } = query.datasets.get(name).ok_or(WorkFailure::Source)?;
    let owner = if *rows == Predicate::everything() {
        None
    } else {
        Some(Scope { country: query.scope.country, dataset }.predicate(rows)?)
    };
    let table = RowPolicyTable::new(view, owner, columns, query.limits.scan_rows)?;
    let source = provider_as_source(std::sync::Arc::new(table));
    LogicalPlanBuilder::scan(name.as_str(), source, None).map_err(engine)
}

/// Two datasets, each behind its own barrier. Rows without a partner are not there.
fn both(
    query: &Query<'_>,
    joined: &Joined,
    columns: &BTreeSet<String>,
) -> Result<LogicalPlanBuilder, WorkFailure> {
    let on: Vec<&str> = joined.on.iter().map(ColumnName::as_str).collect();
    let mut of_many: BTreeSet<String> = on.iter().map(|name| (*name).to_owned()).collect();
    // By the name in the second dataset: the names it has here.
    let mut of_one: BTreeMap<&str, &str> = BTreeMap::new();
    for name in columns {
        match joined.own_name(name) {
            Some(own) => drop(of_one.insert(own, name)),
            None => drop(of_many.insert(name.clone())),
        }
    }
    // No name of a catalogue begins like this.
    let keys: Vec<String> = (0..on.len()).map(|i| format!("__on{i}")).collect();
    let mut read: BTreeSet<String> = of_one.keys().map(|own| (*own).to_owned()).collect();
    read.extend(on.iter().map(|name| (*name).to_owned()));
    let mut shown: Vec<Expr> = of_one.iter().map(|(own, name)| bare(own).alias(*name)).collect();
    shown.extend(on.iter().zip(&keys).map(|(name, key)| bare(name).alias(key)));
    let one = behind(query, &joined.one, &query.work.joined_rows, &read)?
        .project(shown)
        .and_then(LogicalPlanBuilder::build)
        .map_err(engine)?;
    let many = behind(query, &joined.many, &query.work.rows, &of_many)?;
    let left = on.iter().map(|name| Column::new_unqualified(*name)).collect::<Vec<_>>();
    let right = keys.iter().map(Column::new_unqualified).collect::<Vec<_>>();
    let both = many.join(one, JoinType::Inner, (left, right), None).map_err(engine)?;
    both.project(columns.iter().map(|name| bare(name))).map_err(engine)
}

fn bare(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}
