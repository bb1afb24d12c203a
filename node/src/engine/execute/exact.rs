//! The second pass: distinct units and contributions of some or all cells, exactly.
//!
//! The rows are grouped by keys and unit first, so that every unit of a cell is one row with its contributions, and by
//! the keys alone then.

use super::{Query, column, engine, named, rows_name, summed_name};
use crate::engine::accumulate::contributions::{FIELDS, contributions};
use crate::engine::accumulate::known;
use crate::engine::failure::WorkFailure;
use crate::engine::undecided::Cells;
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use arrow::row::{RowConverter, SortField};
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlanBuilder, lit};
use mayag_disclosure::Contributions;
use mayag_protocol::columns::key_column;
use std::collections::HashMap;

/// With more undecided cells than this, finding their rows costs as much as working on all rows.
const MOST_CHOSEN: usize = 50_000;

/// The facts of cells, found by their keys.
pub(super) struct Exact {
    index: HashMap<Box<[u8]>, usize>,
    /// For each population.
    units: Vec<Vec<u64>>,
    /// For each summed column.
    contributions: Vec<Vec<Contributions>>,
}

impl Exact {
    /// The row of each cell, `None` for a cell that is no longer there.
    pub(super) fn rows_of(
        &self,
        keys: &[ArrayRef],
        cells: usize,
    ) -> Result<Vec<Option<usize>>, WorkFailure> {
        Ok(encoded(keys, cells)?.iter().map(|key| self.index.get(key).copied()).collect())
    }

    pub(super) fn units(&self, population: usize, row: usize) -> Option<u64> {
        self.units.get(population)?.get(row).copied()
    }

    pub(super) fn contributions(&self, summed: usize, row: usize) -> Option<Contributions> {
        self.contributions.get(summed)?.get(row).copied()
    }
}

/// Every row's keys as bytes; null equal to null.
pub(super) fn encoded(keys: &[ArrayRef], cells: usize) -> Result<Vec<Box<[u8]>>, WorkFailure> {
    if keys.is_empty() {
        return Ok(vec![Box::default(); cells]);
    }
    let fields = keys.iter().map(|key| SortField::new(key.data_type().clone())).collect();
    let rows = RowConverter::new(fields).and_then(|converter| converter.convert_columns(keys));
    Ok(rows.map_err(|_| WorkFailure::Memory)?.iter().map(|row| row.as_ref().into()).collect())
}

impl Query<'_> {
    /// Works out the cells that are `chosen`, whose varying keys are `keys`.
    pub(super) async fn second_pass(
        &self,
        keys: &[ArrayRef],
        chosen: &[bool],
    ) -> Result<Exact, WorkFailure> {
        let some = chosen.iter().filter(|chosen| **chosen).count();
        let restrict = !keys.is_empty() && some < chosen.len() && some <= MOST_CHOSEN;
        let condition = if restrict {
            let expressions = self
                .varying_keys()
                .map(|(_, level)| self.scope.value(level))
                .collect::<Result<_, _>>()?;
            Some(Cells::new(keys, chosen).map_err(engine)?.contain(expressions))
        } else {
            None
        };

        let unit = self.scope.dataset.unit().column.as_str();
        let keys: Vec<Expr> = self.varying_keys().map(|(i, _)| column(&key_column(i))).collect();
        let mut by_unit = self.key_columns()?;
        by_unit.push(column(unit).alias("unit"));
        let each_unit = self
            .rows(condition)?
            .aggregate(by_unit, self.per_unit()?)
            .and_then(|plan| plan.project(self.of_units(keys.clone())))
            .map_err(engine)?;
        let plan = each_unit
            .aggregate(keys, self.per_cell()?)
            .and_then(LogicalPlanBuilder::build)
            .map_err(engine)?;
        self.read(&self.collect(plan).await?)
    }

    /// What is computed for every unit of a cell: rows in each population, and the contribution to each sum.
    fn per_unit(&self) -> Result<Vec<Expr>, WorkFailure> {
        let mut aggregates = Vec::new();
        for (i, population) in self.layout.populations.iter().enumerate() {
            aggregates.push(self.over(count(lit(1_i64)), population)?.alias(rows_name(i)));
        }
        for (i, summed) in self.layout.summed.iter().enumerate() {
            let all = contributions().call(vec![self.term(&summed.of)?]);
            aggregates
                .push(self.over(all, self.population(summed.population)?)?.alias(summed_name(i)));
        }
        Ok(aggregates)
    }

    fn of_units(&self, keys: Vec<Expr>) -> Vec<Expr> {
        let [_, total, ..] = FIELDS;
        let mut columns = keys;
        columns.push(column("unit"));
        columns.extend((0..self.layout.populations.len()).map(|i| column(&rows_name(i))));
        let contribution =
            |i: usize| get_field(column(&summed_name(i)), total).alias(summed_name(i));
        columns.extend((0..self.layout.summed.len()).map(contribution));
        columns
    }

    /// Units that have a row in the population, and the two largest contributions. Rows without a unit are no unit, and
    /// one contributor.
    fn per_cell(&self) -> Result<Vec<Expr>, WorkFailure> {
        let mut aggregates = Vec::new();
        for i in 0..self.layout.populations.len() {
            let present = column(&rows_name(i)).gt(lit(0_i64));
            let units = count(column("unit")).filter(present).build().map_err(engine)?;
            aggregates.push(units.alias(rows_name(i)));
        }
        for i in 0..self.layout.summed.len() {
            aggregates
                .push(contributions().call(vec![column(&summed_name(i))]).alias(summed_name(i)));
        }
        Ok(aggregates)
    }

    fn read(&self, batch: &RecordBatch) -> Result<Exact, WorkFailure> {
        let keys = self.varying_keys().map(|(i, _)| named(batch, &key_column(i)).cloned());
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let index = encoded(&keys, batch.num_rows())?
            .into_iter()
            .enumerate()
            .map(|(row, key)| (key, row))
            .collect();
        let units =
            (0..self.layout.populations.len()).map(|i| counts(named(batch, &rows_name(i))?));
        let contributions =
            (0..self.layout.summed.len()).map(|i| known(named(batch, &summed_name(i))?));
        Ok(Exact {
            index,
            units: units.collect::<Result<_, _>>()?,
            contributions: contributions.collect::<Result<_, _>>()?,
        })
    }
}

/// A column of counts.
pub(super) fn counts(column: &ArrayRef) -> Result<Vec<u64>, WorkFailure> {
    let counts = column.as_primitive_opt::<Int64Type>().ok_or(WorkFailure::Broken)?;
    Ok(counts.values().iter().map(|count| u64::try_from(*count).unwrap_or(0)).collect())
}
