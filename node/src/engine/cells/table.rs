//! What protections are told of the cells of a release, and what they do to them.

use super::RawCells;
use crate::engine::accumulate::fixed::scale;
use crate::engine::execute::Work;
use crate::engine::layout::Layout;
use arrow::array::{Array, AsArray};
use arrow::datatypes::{Decimal128Type, Float64Type, Int64Type};
use mayag_disclosure::{
    Cells, Contributions, Descriptor, KeyKind, Measure, Number, Table, UnitSet, ValueKind,
};
use mayag_policies::catalogue::{self, Dataset};
use mayag_queries::release::MeasureOf;

/// What each measure of a release is.
pub(super) fn measures(work: &Work, layout: &Layout, dataset: &Dataset) -> Vec<Measure> {
    let most = work.protections.most_rows;
    let measures = work.release.wire.iter().zip(&layout.measures);
    measures
        .map(|(measure, protection)| {
            let (kind, statistic) = match &measure.of {
                MeasureOf::DistinctUnits => (ValueKind::Units { kind: 0 }, "units:0".to_owned()),
                MeasureOf::Max(level) => (ValueKind::Other, format!("max:{level}")),
                MeasureOf::Min(level) => (ValueKind::Other, format!("min:{level}")),
                // What is cut in another way is another statistic: with the same noise on both, their values could be
                // solved for.
                MeasureOf::NonNull(column) => {
                    (ValueKind::NonNull, format!("values:{column}:{most}"))
                }
                MeasureOf::Pair { x, y, power } => {
                    let (x, y) = (&x.column, &y.column);
                    (ValueKind::Other, format!("pair:{x}:{y}:{power:?}"))
                }
                // Two names for one number would be two draws of noise, whose mean is closer.
                MeasureOf::Rows if dataset.unit().unique => {
                    (ValueKind::Units { kind: 0 }, "units:0".to_owned())
                }
                MeasureOf::Rows => (ValueKind::Rows, format!("rows:{most}")),
                MeasureOf::Sum { column, number } => {
                    let bounds = work.bounds.get(column);
                    let kind = ValueKind::Sum {
                        bound: bounds.map(|bounds| bound(*number, bounds.largest())),
                        // What people know of the world counts, not only what is declared: a quantity is not negative.
                        nonnegative: bounds.is_none_or(|bounds| bounds.low >= 0),
                    };
                    let cut = bounds.map(|bounds| (bounds.low, bounds.high));
                    (kind, format!("sum:{column}:{cut:?}"))
                }
                MeasureOf::SumCentred { column, center } => {
                    (ValueKind::Other, format!("centred:{column}:{center}"))
                }
                MeasureOf::SumOfSquares { column, center } => {
                    (ValueKind::Other, format!("squares:{column}:{center}"))
                }
            };
            let statistic = format!("{}:{statistic}", dataset.name);
            Measure { population: protection.population, rest: protection.rest, kind, statistic }
        })
        .collect()
}

/// What one unit contributes at most, as the values of cells are counted.
#[expect(
    clippy::cast_precision_loss,
    reason = "noise is scaled to it: the last digits do not matter"
)]
fn bound(number: catalogue::Number, largest: u64) -> f64 {
    match number {
        catalogue::Number::Float => largest as f64,
        catalogue::Number::Decimal { .. } | catalogue::Number::Integer => {
            largest as f64 * 10_f64.powi(i32::from(scale(number)))
        }
    }
}

impl RawCells {
    pub(super) fn units_in(&self, population: usize, cell: usize) -> u64 {
        self.units.get(population).and_then(|units| units.get(cell)).copied().unwrap_or_default()
    }
}

impl Cells for RawCells {
    fn len(&self) -> usize {
        self.cells
    }

    fn units(&self, cell: usize) -> u64 {
        self.units_of(cell, 0, 0)
    }

    fn measures(&self) -> usize {
        self.values.len()
    }

    /// Measures of the same column over the same rows follow from each other, and so do those of the same pairs.
    fn group(&self, measure: usize) -> usize {
        let of = |measure: usize| self.layout.measures.get(measure).map(|of| of.summed.as_slice());
        match of(measure) {
            None | Some([]) => measure,
            Some(summed) => {
                (0..measure).find(|other| of(*other) == Some(summed)).unwrap_or(measure)
            }
        }
    }

    /// A measure with a `FILTER` is computed over a part of the cell's units. If that part or the rest of the cell has
    /// too few, its contributions are not a number, which no protection lets through.
    fn contributions(&self, cell: usize, measure: usize) -> Option<Contributions> {
        let protection = self.layout.measures.get(measure).filter(|_| !self.bounded)?;
        let small = |population: usize| self.units_in(population, cell) < self.min_units;
        if protection.rest.is_some_and(|rest| small(rest) || small(protection.population)) {
            return Some(Contributions { total: f64::NAN, largest: f64::NAN, second: f64::NAN });
        }
        // Of several sums the one that may not be shown, if there is one.
        let sums = protection.summed.iter();
        let mut sums = sums.map(|sum| self.contributions.get(*sum)?.get(cell).copied());
        let first = sums.next()??;
        let dominated = |of: &Contributions| of.is_dominated(self.p_percent, self.dominance);
        let mut unsafe_one = Some(first).filter(dominated);
        for sum in sums {
            unsafe_one = unsafe_one.or(Some(sum?).filter(dominated));
        }
        Some(unsafe_one.unwrap_or(first))
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

impl Table for RawCells {
    fn populations(&self) -> usize {
        self.layout.populations.len()
    }

    fn unit_kinds(&self) -> usize {
        self.unit_kinds
    }

    fn units_of(&self, cell: usize, population: usize, kind: usize) -> u64 {
        match self.set_of(cell, population, kind) {
            Some(set) => set.units(),
            None if kind == 0 => self.units_in(population, cell),
            None => 0,
        }
    }

    fn set_of(&self, cell: usize, population: usize, kind: usize) -> Option<&UnitSet> {
        self.sets.get(kind)?.get(population)?.get(cell)
    }

    fn descriptor(&self, cell: usize, population: usize) -> Descriptor {
        let of_cells = self.descriptors.get(population);
        of_cells.and_then(|cells| cells.get(cell)).copied().unwrap_or(Descriptor([0; 16]))
    }

    fn atoms(&self, cell: usize, population: usize) -> &[u32] {
        let of_cells = self.atoms.get(population);
        of_cells.and_then(|cells| cells.get(cell)).map_or(&[], Vec::as_slice)
    }

    fn atoms_with_value(&self, cell: usize, measure: usize) -> Option<&[u32]> {
        self.value_atoms.get(&measure)?.get(cell).map(Vec::as_slice)
    }

    fn keys(&self) -> &[KeyKind] {
        &self.key_kinds
    }

    fn key_value(&self, cell: usize, key: usize) -> u32 {
        let of_cells = self.key_numbers.get(key);
        of_cells.and_then(|cells| cells.get(cell)).copied().unwrap_or_default()
    }

    fn measure(&self, measure: usize) -> Measure {
        self.measures.get(measure).cloned().unwrap_or(Measure {
            population: 0,
            rest: None,
            kind: ValueKind::Other,
            statistic: String::new(),
        })
    }

    fn value(&self, cell: usize, measure: usize) -> Option<Number> {
        let values = self.values.get(measure)?;
        if cell >= values.len() || values.is_null(cell) {
            return None;
        }
        if let Some(whole) = values.as_primitive_opt::<Int64Type>() {
            return Some(Number::Whole(whole.value(cell).into()));
        }
        if let Some(decimals) = values.as_primitive_opt::<Decimal128Type>() {
            return Some(Number::Whole(decimals.value(cell)));
        }
        values.as_primitive_opt::<Float64Type>().map(|floats| Number::Float(floats.value(cell)))
    }

    fn set_noisy(&mut self, cell: usize, measure: usize, value: Number, deviation: f64) {
        if let Some(noisy) = self.noisy.get_mut(measure).and_then(|cells| cells.get_mut(cell)) {
            *noisy = Some((value, deviation));
        }
    }
}
