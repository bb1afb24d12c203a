//! The cells of a release as a worker computed them, with what protecting them needs.

use super::failure::WorkFailure;
use super::layout::Layout;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Float64Array, RecordBatch, UInt8Array, new_null_array,
};
use arrow::compute::nullif;
use arrow::datatypes::{DataType, Field, Float64Type, Schema, UInt64Type};
use arrow::ipc::reader::StreamReader;
use mayag_disclosure::{Cells, Contributions, Protections};
use mayag_protocol::columns::{
    CellStatus, deviation_column, key_column, status_column, value_column,
};
use mayag_queries::release::Release;
use std::fmt;
use std::sync::Arc;

/// The private columns of a worker's batch, after the key and value columns.
pub(super) fn units_column(population: usize) -> String {
    format!("units{population}")
}

/// The contributions of a summed column: `total`, `largest` and `second`.
pub(super) fn contribution_column(summed: usize, of: &str) -> String {
    format!("{of}{summed}")
}

/// The cells of one release. They leave this type only through [`RawCells::to_wire`], which has no private columns.
pub struct RawCells {
    keys: Vec<ArrayRef>,
    values: Vec<ArrayRef>,
    /// For each population, the units of each cell.
    units: Vec<Vec<u64>>,
    /// For each summed column, the contributions of each cell.
    contributions: Vec<Vec<Contributions>>,
    /// For each measure, which cells are withheld.
    withheld: Vec<Vec<bool>>,
    layout: Layout,
    min_units: u64,
    cells: usize,
}

impl fmt::Debug for RawCells {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawCells({})", self.cells)
    }
}

impl RawCells {
    /// Reads what a worker wrote.
    pub(super) fn from_ipc(
        bytes: &[u8],
        release: &Release,
        protections: Protections,
    ) -> Result<Self, WorkFailure> {
        let mut reader = StreamReader::try_new(bytes, None).map_err(|_| WorkFailure::Broken)?;
        match (reader.next(), reader.next()) {
            (Some(Ok(batch)), None) => Self::from_batch(&batch, release, protections),
            _ => Err(WorkFailure::Broken),
        }
    }

    /// Takes a worker's batch apart.
    pub(super) fn from_batch(
        batch: &RecordBatch,
        release: &Release,
        protections: Protections,
    ) -> Result<Self, WorkFailure> {
        let layout = Layout::of(release);
        let column = |name: String| batch.column_by_name(&name).ok_or(WorkFailure::Broken);
        let keys = (0..release.keys.len())
            .map(|i| column(key_column(i)).cloned())
            .collect::<Result<_, _>>()?;
        let values = (0..release.wire.len())
            .map(|i| column(value_column(i)).cloned())
            .collect::<Result<_, _>>()?;
        let units = (0..layout.populations.len())
            .map(|i| {
                let units = column(units_column(i))?
                    .as_primitive_opt::<UInt64Type>()
                    .ok_or(WorkFailure::Broken)?;
                Ok(units.values().to_vec())
            })
            .collect::<Result<_, _>>()?;
        let floats = |i: usize, of: &str| {
            let column = column(contribution_column(i, of))?.as_primitive_opt::<Float64Type>();
            column.map(|column| column.values().clone()).ok_or(WorkFailure::Broken)
        };
        let contributions = (0..layout.summed.len())
            .map(|i| {
                let (totals, largest, second) =
                    (floats(i, "total")?, floats(i, "largest")?, floats(i, "second")?);
                let rows = totals.iter().zip(largest.iter()).zip(second.iter());
                let contribution = |((total, largest), second): ((&f64, &f64), &f64)| {
                    Contributions { total: *total, largest: *largest, second: *second }
                };
                Ok(rows.map(contribution).collect())
            })
            .collect::<Result<_, _>>()?;
        let cells = batch.num_rows();
        let withheld = vec![vec![false; cells]; release.wire.len()];
        Ok(Self {
            keys,
            values,
            units,
            contributions,
            withheld,
            layout,
            min_units: protections.min_units,
            cells,
        })
    }

    /// The cells as one Arrow IPC stream of the wire's layout (`mayag_protocol::columns`).
    pub fn to_wire(&self) -> Result<Vec<u8>, WorkFailure> {
        mayag_queries::merge::write_part(&self.to_batch()?).map_err(|_| WorkFailure::Broken)
    }

    /// The cells in the wire's layout.
    pub fn to_batch(&self) -> Result<RecordBatch, WorkFailure> {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for (i, key) in self.keys.iter().enumerate() {
            columns.push((key_column(i), Arc::clone(key)));
        }
        for (i, (value, withheld)) in self.values.iter().zip(&self.withheld).enumerate() {
            let mask = BooleanArray::from(withheld.clone());
            let value = nullif(value.as_ref(), &mask).map_err(|_| WorkFailure::Broken)?;
            let byte = |withheld: &bool| {
                if *withheld { CellStatus::Suppressed } else { CellStatus::Known }.byte()
            };
            let status: UInt8Array = withheld.iter().map(byte).collect();
            columns.push((value_column(i), value));
            columns.push((status_column(i), Arc::new(status)));
            columns.push((deviation_column(i), new_null_array(&DataType::Float64, self.cells)));
        }
        // Only a status is never null; the reader compares the whole schema.
        let is_status = |column: &ArrayRef| matches!(column.data_type(), DataType::UInt8);
        let field = |(name, column): &(String, ArrayRef)| {
            Field::new(name, column.data_type().clone(), !is_status(column))
        };
        let schema = Arc::new(Schema::new(columns.iter().map(field).collect::<Vec<_>>()));
        let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(self.cells));
        let columns = columns.into_iter().map(|(_, column)| column).collect();
        RecordBatch::try_new_with_options(schema, columns, &options)
            .map_err(|_| WorkFailure::Broken)
    }

    fn units_of(&self, population: usize, cell: usize) -> u64 {
        self.units.get(population).and_then(|units| units.get(cell)).copied().unwrap_or_default()
    }
}

impl Cells for RawCells {
    fn len(&self) -> usize {
        self.cells
    }

    fn units(&self, cell: usize) -> u64 {
        self.units_of(0, cell)
    }

    fn measures(&self) -> usize {
        self.values.len()
    }

    /// Measures of the same column over the same rows follow from each other.
    fn group(&self, measure: usize) -> usize {
        let of =
            |measure: usize| self.layout.measures.get(measure).and_then(|measure| measure.summed);
        match of(measure) {
            None => measure,
            Some(summed) => {
                (0..measure).find(|other| of(*other) == Some(summed)).unwrap_or(measure)
            }
        }
    }

    /// A measure with a `FILTER` is computed over a part of the cell's units. If that part or the rest of the cell has
    /// too few, its contributions are not a number, which no protection lets through.
    fn contributions(&self, cell: usize, measure: usize) -> Option<Contributions> {
        let protection = self.layout.measures.get(measure)?;
        let small = |population: usize| self.units_of(population, cell) < self.min_units;
        if protection.rest.is_some_and(|rest| small(rest) || small(protection.population)) {
            return Some(Contributions { total: f64::NAN, largest: f64::NAN, second: f64::NAN });
        }
        self.contributions.get(protection.summed?)?.get(cell).copied()
    }

    fn withhold_cell(&mut self, cell: usize) {
        for withheld in self.withheld.iter_mut().filter_map(|cells| cells.get_mut(cell)) {
            *withheld = true;
        }
    }

    fn withhold_measure(&mut self, cell: usize, measure: usize) {
        if let Some(withheld) = self.withheld.get_mut(measure).and_then(|cells| cells.get_mut(cell))
        {
            *withheld = true;
        }
    }
}

/// Float columns of contributions.
pub(super) fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}
