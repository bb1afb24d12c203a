//! The pass over units: the set of the units of every cell, and numbers to which every unit contributes a bounded part.
//!
//! The rows are grouped by keys and unit first, so that every unit of a cell is one row, and by the keys alone then. Rows
//! without a unit belong to nobody whose contribution could be bounded, so they do not count here.

use super::exact::encoded;
use super::{Query, column, engine, named, rows_name};
use crate::engine::accumulate::contributions::{FIELDS, contributions};
use crate::engine::accumulate::fixed::{fixed, scale, whole};
use crate::engine::accumulate::units::{Digests, units};
use crate::engine::cells::set_column;
use crate::engine::failure::WorkFailure;
use crate::engine::layout::number_of;
use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Decimal128Array, RecordBatch};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::get_field;
use datafusion::functions_aggregate::expr_fn::{count, sum};
use datafusion::logical_expr::{Expr, ExprFunctionExt, LogicalPlanBuilder, lit, when};
use mayag_policies::catalogue::Number;
use mayag_protocol::columns::{key_column, value_column};
use mayag_queries::release::MeasureOf;
use std::collections::HashMap;
use std::sync::Arc;

/// Whether a pass over units computes values too.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Values {
    /// To each of them every unit contributes a bounded part.
    Bounded,
    /// Sets of units only.
    Left,
}

/// Digits of every decimal of a pass.
const WIDE: u8 = 38;

impl Query<'_> {
    /// The cells with the sets of one kind of units; with noise also their values, to which every unit contributes a
    /// bounded part.
    pub(super) async fn units_pass(&self, kind: usize) -> Result<RecordBatch, WorkFailure> {
        let unit = self.scope.dataset.units.iter().nth(kind).ok_or(WorkFailure::Broken)?;
        let noisy = kind == 0 && self.work.protections.noise.is_some();
        let values = if noisy { Values::Bounded } else { Values::Left };
        let keys: Vec<Expr> = self.varying_keys().map(|(i, _)| column(&key_column(i))).collect();
        let known = Expr::IsNotNull(Box::new(column(unit.column.as_str())));
        let mut by_unit = self.key_columns()?;
        by_unit.push(column(unit.column.as_str()).alias("unit"));
        // The same unit is the same in the cells of a join.
        let (home, own) = self.scope.dataset.origin(unit.column.as_str());
        let digests = Digests::new(self.secret.bytes(), home.as_str(), own);
        let each_unit = self
            .rows(Some(known))?
            .aggregate(by_unit, self.of_each_unit(values)?)
            .and_then(|plan| plan.project(self.cut(keys.clone(), values)?))
            .map_err(engine)?;
        let plan = each_unit
            .aggregate(keys, self.of_each_cell(kind, &digests, values)?)
            .and_then(LogicalPlanBuilder::build)
            .map_err(engine)?;
        self.collect(plan).await
    }

    /// Rows of every population, and with bounds the values and sums of every measure.
    fn of_each_unit(&self, values: Values) -> Result<Vec<Expr>, WorkFailure> {
        let mut aggregates = Vec::new();
        for (i, population) in self.layout.populations.iter().enumerate() {
            aggregates.push(self.over(count(lit(1_i64)), population)?.alias(rows_name(i)));
        }
        if values == Values::Left {
            return Ok(aggregates);
        }
        for (i, measure) in self.work.release.wire.iter().enumerate() {
            let population = self.layout.measures.get(i).ok_or(WorkFailure::Broken)?.population;
            let population = self.population(population)?;
            match &measure.of {
                MeasureOf::NonNull(name) => {
                    let known = count(self.counted(name)?);
                    aggregates.push(self.over(known, population)?.alias(value_column(i)));
                }
                MeasureOf::Sum { column: name, .. } => {
                    let number = number_of(self.scope.dataset, name)?;
                    let all = contributions().call(vec![fixed(column(name.as_str()), number)]);
                    aggregates.push(self.over(all, population)?.alias(value_column(i)));
                }
                MeasureOf::DistinctUnits
                | MeasureOf::Max(_)
                | MeasureOf::Min(_)
                | MeasureOf::Pair { .. }
                | MeasureOf::Rows
                | MeasureOf::SumCentred { .. }
                | MeasureOf::SumOfSquares { .. } => {}
            }
        }
        Ok(aggregates)
    }

    /// What one unit contributes is cut to what it may: a few rows, and sums within public bounds.
    fn cut(&self, mut columns: Vec<Expr>, values: Values) -> datafusion::common::Result<Vec<Expr>> {
        columns.push(column("unit"));
        columns.extend((0..self.layout.populations.len()).map(|i| column(&rows_name(i))));
        if values == Values::Left {
            return Ok(columns);
        }
        let most = i64::from(self.work.protections.most_rows);
        for (i, measure) in self.work.release.wire.iter().enumerate() {
            let name = value_column(i);
            match &measure.of {
                MeasureOf::Rows => {
                    let population = self.layout.measures.get(i).map(|measure| measure.population);
                    let rows = column(&rows_name(population.unwrap_or_default()));
                    columns.push(at_most(rows, most)?.alias(name));
                }
                MeasureOf::NonNull(_) => {
                    columns.push(at_most(column(&name), most)?.alias(name));
                }
                MeasureOf::Sum { column: of, number } => {
                    let [sum, ..] = FIELDS;
                    let sum = get_field(column(&name), sum);
                    let bounds = self.work.bounds.get(of);
                    let digits = |bound: i64| {
                        let value = Some(whole(*number, bound));
                        Expr::Literal(ScalarValue::Decimal128(value, WIDE, scale(*number)), None)
                    };
                    // Without bounds nothing of the sum is shown: it is worth nothing here.
                    let (low, high) = bounds.map_or((0, 0), |bounds| (bounds.low, bounds.high));
                    let (low, high) = (digits(low), digits(high));
                    let cut = when(sum.clone().gt(high.clone()), high)
                        .when(sum.clone().lt(low.clone()), low)
                        .otherwise(sum)?;
                    columns.push(cut.alias(name));
                }
                MeasureOf::DistinctUnits
                | MeasureOf::Max(_)
                | MeasureOf::Min(_)
                | MeasureOf::Pair { .. }
                | MeasureOf::SumCentred { .. }
                | MeasureOf::SumOfSquares { .. } => {}
            }
        }
        Ok(columns)
    }

    fn of_each_cell(
        &self,
        kind: usize,
        digests: &Digests,
        values: Values,
    ) -> Result<Vec<Expr>, WorkFailure> {
        let mut aggregates = Vec::new();
        for i in 0..self.layout.populations.len() {
            let present = column(&rows_name(i)).gt(lit(0_i64));
            let set = units(digests.clone()).call(vec![column("unit")]);
            let set = set.filter(present).build().map_err(engine)?;
            aggregates.push(set.alias(set_column(i, kind)));
        }
        for (i, measure) in
            self.work.release.wire.iter().enumerate().filter(|_| values == Values::Bounded)
        {
            let name = value_column(i);
            match &measure.of {
                MeasureOf::NonNull(_) | MeasureOf::Rows => {
                    aggregates.push(sum(column(&name)).alias(name));
                }
                MeasureOf::Sum { .. } => {
                    aggregates.push(contributions().call(vec![column(&name)]).alias(name));
                }
                MeasureOf::DistinctUnits
                | MeasureOf::Max(_)
                | MeasureOf::Min(_)
                | MeasureOf::Pair { .. }
                | MeasureOf::SumCentred { .. }
                | MeasureOf::SumOfSquares { .. } => {}
            }
        }
        Ok(aggregates)
    }

    /// The column of sets of a population and kind, in the order of `cells`; nothing for a cell without such units.
    pub(super) fn sets_in_order(
        &self,
        cells: &RecordBatch,
        pass: &RecordBatch,
        name: &str,
    ) -> Result<ArrayRef, WorkFailure> {
        let keys = |batch: &RecordBatch| {
            let keys = self.varying_keys().map(|(i, _)| named(batch, &key_column(i)).cloned());
            encoded(&keys.collect::<Result<Vec<_>, _>>()?, batch.num_rows())
        };
        let found = keys(pass)?;
        let index: HashMap<_, usize> =
            found.iter().enumerate().map(|(row, key)| (key, row)).collect();
        let sets = named(pass, name)?.as_binary_opt::<i32>().ok_or(WorkFailure::Broken)?;
        let mut ordered = BinaryBuilder::new();
        for key in &keys(cells)? {
            match index.get(key) {
                Some(row) => ordered.append_value(sets.value(*row)),
                None => ordered.append_value(mayag_disclosure::UnitSet::empty().to_bytes()),
            }
        }
        Ok(Arc::new(ordered.finish()))
    }
}

fn at_most(rows: Expr, most: i64) -> datafusion::common::Result<Expr> {
    when(rows.clone().gt(lit(most)), lit(most)).otherwise(rows)
}

/// A bounded value in the type of the wire. Where no value was seen it is zero, not nothing: nothing would say that not
/// one of the units has a value.
pub(super) fn bounded_value(of: &MeasureOf, column: &ArrayRef) -> Result<ArrayRef, WorkFailure> {
    match of {
        MeasureOf::NonNull(_) | MeasureOf::Rows => {
            let counts = column.as_primitive_opt::<Int64Type>().ok_or(WorkFailure::Broken)?;
            let counts = counts.iter().map(Option::unwrap_or_default);
            Ok(Arc::new(arrow::array::Int64Array::from_iter_values(counts)))
        }
        MeasureOf::Sum { number, .. } => {
            let [sum, ..] = FIELDS;
            let sums = column.as_struct_opt().and_then(|summed| summed.column_by_name(sum));
            let sums = sums.and_then(|sums| sums.as_primitive_opt::<Decimal128Type>());
            let sums = sums.ok_or(WorkFailure::Broken)?.iter().map(Option::unwrap_or_default);
            sum_on_wire(*number, sums)
        }
        MeasureOf::DistinctUnits
        | MeasureOf::Max(_)
        | MeasureOf::Min(_)
        | MeasureOf::Pair { .. }
        | MeasureOf::SumCentred { .. }
        | MeasureOf::SumOfSquares { .. } => Err(WorkFailure::Broken),
    }
}

#[expect(clippy::cast_precision_loss, reason = "noise of a thousandth of a unit's part follows")]
fn sum_on_wire(number: Number, sums: impl Iterator<Item = i128>) -> Result<ArrayRef, WorkFailure> {
    Ok(match number {
        Number::Decimal { scale, .. } => {
            let sums = Decimal128Array::from_iter_values(sums);
            Arc::new(sums.with_precision_and_scale(WIDE, scale).map_err(|_| WorkFailure::Overflow)?)
        }
        Number::Float => {
            let one = whole(Number::Float, 1) as f64;
            let sums = sums.map(|sum| sum as f64 / one);
            Arc::new(arrow::array::PrimitiveArray::<Float64Type>::from_iter_values(sums))
        }
        Number::Integer => {
            let sums = sums.map(|sum| i64::try_from(sum).map_err(|_| WorkFailure::Overflow));
            let sums = sums.collect::<Result<Vec<_>, _>>()?;
            Arc::new(arrow::array::Int64Array::from_iter_values(sums))
        }
    })
}
