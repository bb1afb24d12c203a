//! What leaves: hidden values are removed, shown ones get their noise and are rounded.

use super::Working;
use crate::noise::{Noise, Noisy, Prf, Source, rounded};
use crate::protection::{Protected, Protections, Summary};
use crate::table::{Measure, Number, Table, ValueKind};

/// What becomes of a value that may be shown.
enum Fate {
    Keep,
    Replace(Noisy),
    Withhold,
}

impl<T: Table> Working<T> {
    /// Removes and replaces for good.
    pub(super) fn finish(mut self, secret: &dyn Prf) -> Protected<T> {
        let mut summary = Summary::default();
        for cell in 0..self.cells.len() {
            summary.cells += 1;
            if !self.is_shown(cell, 0) {
                self.cells.withhold_cell(cell);
                summary.suppressed_cells += 1;
                continue;
            }
            for measure in 0..self.measures.len() {
                match self.fate(cell, measure, secret) {
                    Fate::Keep => {}
                    Fate::Replace((value, deviation)) => {
                        self.cells.set_noisy(cell, measure, value, deviation);
                    }
                    Fate::Withhold => {
                        self.cells.withhold_measure(cell, measure);
                        summary.suppressed_measures += 1;
                    }
                }
            }
        }
        Protected { cells: self.cells, summary }
    }

    fn fate(&self, cell: usize, measure: usize, secret: &dyn Prf) -> Fate {
        let at = cell * self.measures.len() + measure;
        let hidden = self.hidden_sums.get(at).copied().unwrap_or(true);
        let Some(of) = self.measures.get(measure) else { return Fate::Withhold };
        if hidden || !self.is_shown(cell, of.population) {
            return Fate::Withhold;
        }
        let Protections { noise: level, round_to, .. } = self.context.protections;
        let counts = match of.kind {
            ValueKind::NonNull | ValueKind::Rows | ValueKind::Units { .. } => true,
            ValueKind::Other | ValueKind::Sum { .. } => false,
        };
        let rounds = counts && 1 < round_to;
        match (level, &self.noise) {
            (None, _) => match self.cells.value(cell, measure) {
                Some(Number::Whole(count)) if rounds => {
                    rounded(count, round_to).map_or(Fate::Withhold, Fate::Replace)
                }
                Some(_) | None if rounds => Fate::Withhold,
                Some(Number::Float(float)) if !float.is_finite() => Fate::Withhold,
                Some(_) | None => Fate::Keep,
            },
            (Some(_), None) => Fate::Withhold,
            (Some(_), Some(noise)) => {
                match (self.noisy(cell, measure, of, noise, secret), rounds) {
                    (Some((Number::Whole(count), deviation)), true) => rounded(count, round_to)
                        .map_or(Fate::Withhold, |(value, more)| {
                            Fate::Replace((value, deviation.hypot(more)))
                        }),
                    (Some(value), false) => Fate::Replace(value),
                    (Some(_), true) | (None, _) => Fate::Withhold,
                }
            }
        }
    }

    fn noisy(
        &self,
        cell: usize,
        measure: usize,
        of: &Measure,
        noise: &Noise,
        secret: &dyn Prf,
    ) -> Option<Noisy> {
        let Self { context, cells, .. } = self;
        let source = Source { secret, dataset: &context.dataset, version: &context.version };
        let value = cells.value(cell, measure);
        let set = cells.set_of(cell, of.population, 0)?;
        match of.kind {
            ValueKind::Other | ValueKind::Sum { bound: None, .. } => None,
            ValueKind::NonNull | ValueKind::Rows => {
                let Number::Whole(count) = value.unwrap_or(Number::Whole(0)) else { return None };
                noise.count(source, set, &of.statistic, (count, context.protections.most_rows))
            }
            ValueKind::Sum { bound: Some(bound), .. } => {
                let value = value.unwrap_or(Number::Whole(0));
                noise.amount(source, set, &of.statistic, (value, bound))
            }
            ValueKind::Units { kind } => {
                let set = cells.set_of(cell, of.population, kind)?;
                let units = noise.units(source, set, kind);
                Some((Number::Whole(units.into()), noise.units_deviation()))
            }
        }
    }
}
