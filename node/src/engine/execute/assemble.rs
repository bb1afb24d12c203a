//! From the passes to the cells: keys and measures in the wire's order and types, units, contributions.

use super::exact::counts;
use super::sets::bounded_value;
use super::{Method, Query, named, rows_name, sketch_name, summed_name};
use crate::engine::accumulate::contributions::FIELDS;
use crate::engine::accumulate::sketch::Counted;
use crate::engine::accumulate::{Rules, between_bounds, known};
use crate::engine::cells::{contribution_column, floats, set_column, units_column};
use crate::engine::failure::WorkFailure;
use arrow::array::{
    Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, UInt64Array, new_null_array,
};
use arrow::compute::{SortColumn, cast, lexsort_to_indices, take_record_batch};
use arrow::datatypes::{DataType, Field, Schema};
use mayag_disclosure::{Contributions, UnitSet};
use mayag_policies::catalogue::COUNTRY_COLUMN;
use mayag_protocol::columns::{key_column, value_column};
use mayag_queries::release::MeasureOf;
use std::sync::Arc;

/// What is known of the cells for their protection; a cell's contributions may be left to the second pass.
struct Facts {
    /// For each population.
    units: Vec<Vec<u64>>,
    /// For each summed column.
    contributions: Vec<Vec<Option<Contributions>>>,
}

impl Query<'_> {
    /// The worker's batch: keys, values, and the private columns of [`crate::engine::cells`].
    pub(super) async fn assemble(
        &self,
        method: Method,
        first: RecordBatch,
    ) -> Result<RecordBatch, WorkFailure> {
        let cells = self.in_order(first)?;
        let mut facts = self.facts(method, &cells)?;
        let undecided = facts.undecided(method, cells.num_rows());
        if undecided.contains(&true) {
            self.decide(method, &cells, &undecided, &mut facts).await?;
        }

        let mut columns = self.wire_keys(&cells)?;
        for i in 0..self.work.release.wire.len() {
            columns.push((value_column(i), self.value(&cells, &facts, i)?));
        }
        for (i, units) in facts.units.iter().enumerate() {
            columns.push((units_column(i), Arc::new(UInt64Array::from(units.clone()))));
        }
        for kind in self.set_kinds() {
            let pass = self.units_pass(kind).await?;
            for i in 0..facts.units.len() {
                let name = set_column(i, kind);
                let sets = self.sets_in_order(&cells, &pass, &name)?;
                columns.push((name, sets));
            }
        }
        for (i, cells) in facts.contributions.iter().enumerate() {
            // What was never decided cannot be judged either: not a number is withheld.
            let of = |part: fn(&Contributions) -> f64| {
                floats(cells.iter().map(|c| c.as_ref().map_or(f64::NAN, part)))
            };
            columns.push((contribution_column(i, "total"), of(|c| c.total)));
            columns.push((contribution_column(i, "largest"), of(|c| c.largest)));
            columns.push((contribution_column(i, "second"), of(|c| c.second)));
        }
        batch(columns)
    }

    /// The worker's batch where every unit contributes a bounded part: from the passes over units alone.
    pub(super) async fn assemble_bounded(&self) -> Result<RecordBatch, WorkFailure> {
        let cells = self.sorted(self.units_pass(0).await?)?;
        let rows = cells.num_rows();
        let mut columns = self.wire_keys(&cells)?;
        let wire = mayag_queries::merge::wire_schema(&self.work.release, self.scope.dataset);
        let wire = wire.map_err(|_| WorkFailure::Broken)?;
        for (i, measure) in self.work.release.wire.iter().enumerate() {
            let population = self.layout.measures.get(i).ok_or(WorkFailure::Broken)?.population;
            let value = match &measure.of {
                MeasureOf::DistinctUnits => {
                    let units = units_of(named(&cells, &set_column(population, 0))?)?;
                    Arc::new(
                        units.into_iter().map(|n| i64::try_from(n).ok()).collect::<Int64Array>(),
                    )
                }
                MeasureOf::NonNull(_) | MeasureOf::Rows | MeasureOf::Sum { .. } => {
                    bounded_value(&measure.of, named(&cells, &value_column(i))?)?
                }
                // Nothing bounds what one unit is to them: they are never shown with noise.
                MeasureOf::Max(_)
                | MeasureOf::Min(_)
                | MeasureOf::Pair { .. }
                | MeasureOf::SumCentred { .. }
                | MeasureOf::SumOfSquares { .. } => {
                    let field = wire.field_with_name(&value_column(i));
                    new_null_array(field.map_err(|_| WorkFailure::Broken)?.data_type(), rows)
                }
            };
            columns.push((value_column(i), value));
        }
        for i in 0..self.layout.populations.len() {
            let units = units_of(named(&cells, &set_column(i, 0))?)?;
            columns.push((units_column(i), Arc::new(UInt64Array::from(units))));
        }
        for kind in self.set_kinds() {
            let pass = if kind == 0 { cells.clone() } else { self.units_pass(kind).await? };
            for i in 0..self.layout.populations.len() {
                let name = set_column(i, kind);
                let sets = self.sets_in_order(&cells, &pass, &name)?;
                columns.push((name, sets));
            }
        }
        for i in 0..self.layout.summed.len() {
            for of in ["total", "largest", "second"] {
                let unknown = floats(std::iter::repeat_n(f64::NAN, rows));
                columns.push((contribution_column(i, of), unknown));
            }
        }
        batch(columns)
    }

    /// The kinds of units whose sets are needed.
    fn set_kinds(&self) -> std::ops::Range<usize> {
        let kinds = self.scope.dataset.units.iter().count();
        if self.work.needs_sets(self.scope.dataset) { 0..kinds } else { 0..0 }
    }

    fn wire_keys(&self, cells: &RecordBatch) -> Result<Vec<(String, ArrayRef)>, WorkFailure> {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for (i, level) in self.work.release.keys.iter().enumerate() {
            let key: ArrayRef = if level.column.as_str() == COUNTRY_COLUMN {
                Arc::new(StringArray::from(vec![self.scope.country.as_str(); cells.num_rows()]))
            } else {
                on_wire(named(cells, &key_column(i))?)?
            };
            columns.push((key_column(i), key));
        }
        Ok(columns)
    }

    /// The cells sorted by their keys: the order in which threads finished says nothing.
    fn in_order(&self, first: RecordBatch) -> Result<RecordBatch, WorkFailure> {
        let keys = self.varying_keys().map(|(i, _)| named(&first, &key_column(i)).cloned());
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            // Grouped by the country alone there is no cell without rows; without any key there always is one.
            let rows = counts(named(&first, &rows_name(0))?)?;
            let empty = !self.work.release.keys.is_empty() && rows.iter().all(|rows| *rows == 0);
            return Ok(if empty { first.slice(0, 0) } else { first });
        }
        self.sorted(first)
    }

    fn sorted(&self, cells: RecordBatch) -> Result<RecordBatch, WorkFailure> {
        let columns = self.varying_keys().map(|(i, _)| {
            let values = Arc::clone(named(&cells, &key_column(i))?);
            Ok(SortColumn { values, options: None })
        });
        let columns = columns.collect::<Result<Vec<_>, _>>()?;
        if columns.is_empty() {
            return Ok(cells);
        }
        let order = lexsort_to_indices(&columns, None).map_err(|_| WorkFailure::Broken)?;
        take_record_batch(&cells, &order).map_err(|_| WorkFailure::Memory)
    }

    /// What the first pass says.
    fn facts(&self, method: Method, cells: &RecordBatch) -> Result<Facts, WorkFailure> {
        let populations = 0..self.layout.populations.len();
        let rows = |i: usize| counts(named(cells, &rows_name(i))?);
        let none = || vec![None; cells.num_rows()];
        let mut contributions = vec![none(); self.layout.summed.len()];
        let units = match method {
            Method::Rows => {
                for (i, contributions) in contributions.iter_mut().enumerate() {
                    *contributions =
                        known(named(cells, &summed_name(i))?)?.into_iter().map(Some).collect();
                }
                populations.map(rows).collect::<Result<_, _>>()?
            }
            Method::Sketch { .. } => {
                for population in populations.clone() {
                    self.bounds(cells, population, &mut contributions)?;
                }
                let units = |i: usize| {
                    let sketch = named(cells, &sketch_name(i, Counted::Exactly))?.as_struct_opt();
                    let units = sketch.and_then(|sketch| sketch.column_by_name("units"));
                    counts(units.ok_or(WorkFailure::Broken)?)
                };
                populations.map(units).collect::<Result<_, _>>()?
            }
            Method::Exact => populations.map(|_| vec![0; cells.num_rows()]).collect(),
        };
        Ok(Facts { units, contributions })
    }

    /// What the sketches of a population say.
    fn bounds(
        &self,
        cells: &RecordBatch,
        population: usize,
        contributions: &mut [Vec<Option<Contributions>>],
    ) -> Result<(), WorkFailure> {
        let rules = Rules {
            p_percent: self.work.protections.p_percent,
            most_percent: self.work.protections.dominance.percent,
        };
        for counted in [Counted::Exactly, Counted::InFloats] {
            for (at, (i, _)) in self.sketched(population, counted)?.into_iter().enumerate() {
                let (summed, sketch) = (
                    named(cells, &summed_name(i))?,
                    named(cells, &sketch_name(population, counted))?,
                );
                let contributions = contributions.get_mut(i).ok_or(WorkFailure::Broken)?;
                *contributions = between_bounds(summed, sketch, at, rules)?;
            }
        }
        Ok(())
    }

    /// Fills in what the first pass left open.
    async fn decide(
        &self,
        method: Method,
        cells: &RecordBatch,
        undecided: &[bool],
        facts: &mut Facts,
    ) -> Result<(), WorkFailure> {
        let keys = self.varying_keys().map(|(i, _)| named(cells, &key_column(i)).cloned());
        let keys = keys.collect::<Result<Vec<_>, _>>()?;
        let exact = self.second_pass(&keys, undecided).await?;
        let rows = exact.rows_of(&keys, cells.num_rows())?;
        let open = |cell: usize| undecided.get(cell).copied().unwrap_or_default();
        for (cell, row) in rows.iter().enumerate().filter(|(cell, _)| open(*cell)) {
            // A cell that the second pass no longer finds has no units, and contributions that nobody knows.
            let of_cells = facts.contributions.iter_mut().enumerate();
            for (i, slot) in of_cells.filter_map(|(i, cells)| Some((i, cells.get_mut(cell)?))) {
                *slot = row.and_then(|row| exact.contributions(i, row));
            }
            if method != Method::Exact {
                continue;
            }
            let of_cells = facts.units.iter_mut().enumerate();
            for (i, slot) in of_cells.filter_map(|(i, cells)| Some((i, cells.get_mut(cell)?))) {
                *slot = row.and_then(|row| exact.units(i, row)).unwrap_or_default();
            }
        }
        Ok(())
    }

    /// A measure's values.
    fn value(&self, cells: &RecordBatch, facts: &Facts, i: usize) -> Result<ArrayRef, WorkFailure> {
        let protection = self.layout.measures.get(i).ok_or(WorkFailure::Broken)?;
        match &self.work.release.wire.get(i).ok_or(WorkFailure::Broken)?.of {
            MeasureOf::DistinctUnits => {
                let units = facts.units.get(protection.population).ok_or(WorkFailure::Broken)?;
                let units = units
                    .iter()
                    .map(|units| i64::try_from(*units).map_err(|_| WorkFailure::Overflow));
                Ok(Arc::new(units.collect::<Result<Int64Array, _>>()?))
            }
            MeasureOf::Rows => named(cells, &rows_name(protection.population)).cloned(),
            MeasureOf::Sum { .. } => {
                let [summed] = protection.summed.as_slice() else {
                    return Err(WorkFailure::Broken);
                };
                let summed = named(cells, &summed_name(*summed))?;
                let [sum, ..] = FIELDS;
                let sums = summed.as_struct_opt().and_then(|summed| summed.column_by_name(sum));
                sums.cloned().ok_or(WorkFailure::Broken)
            }
            MeasureOf::Max(_)
            | MeasureOf::Min(_)
            | MeasureOf::NonNull(_)
            | MeasureOf::Pair { .. }
            | MeasureOf::SumCentred { .. }
            | MeasureOf::SumOfSquares { .. } => on_wire(named(cells, &value_column(i))?),
        }
    }
}

impl Facts {
    fn undecided(&self, method: Method, cells: usize) -> Vec<bool> {
        let open =
            |cell: usize| self.contributions.iter().any(|of| matches!(of.get(cell), Some(None)));
        (0..cells).map(|cell| method == Method::Exact || open(cell)).collect()
    }
}

fn batch(columns: Vec<(String, ArrayRef)>) -> Result<RecordBatch, WorkFailure> {
    let field =
        |(name, column): &(String, ArrayRef)| Field::new(name, column.data_type().clone(), true);
    let schema = Schema::new(columns.iter().map(field).collect::<Vec<_>>());
    let columns = columns.into_iter().map(|(_, column)| column).collect();
    RecordBatch::try_new(Arc::new(schema), columns).map_err(|_| WorkFailure::Broken)
}

/// How many units are in sets.
fn units_of(sets: &ArrayRef) -> Result<Vec<u64>, WorkFailure> {
    let sets = sets.as_binary_opt::<i32>().ok_or(WorkFailure::Broken)?;
    let units = sets.iter().map(|set| set.and_then(UnitSet::from_bytes).map(|set| set.units()));
    units.collect::<Option<Vec<_>>>().ok_or(WorkFailure::Broken)
}

/// Texts have one type on the wire, whatever the source's files have.
fn on_wire(column: &ArrayRef) -> Result<ArrayRef, WorkFailure> {
    if [DataType::LargeUtf8, DataType::Utf8View].contains(column.data_type()) {
        cast(column, &DataType::Utf8).map_err(|_| WorkFailure::Broken)
    } else {
        Ok(Arc::clone(column))
    }
}
