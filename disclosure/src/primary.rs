//! Primary suppression: which populations and sums are unsafe by themselves.

use crate::noise::{Noise, Source};
use crate::protection::{Contributions, Dominance, Protections};
use crate::table::{KeyKind, Measure, Table};
use std::collections::BTreeMap;

/// What is decided of a population of a cell.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Judged {
    /// Its units of the first kind as every decision sees them: noisy where there is noise.
    pub(crate) units: u64,
    /// Whether it has too few units of some kind.
    pub(crate) small: bool,
    pub(crate) shown: bool,
}

/// Judges every population of every cell for itself, cell by cell: small ones are not shown, nor what is the rest of a small one.
pub(crate) fn judge<T: Table>(
    cells: &T,
    measures: &[Measure],
    protections: &Protections,
    noise: Option<(&Noise, Source<'_>)>,
) -> Vec<Judged> {
    let populations = cells.populations();
    let mut judged = Vec::with_capacity(cells.len() * populations);
    for cell in 0..cells.len() {
        let own: Vec<Judged> = (0..populations)
            .map(|population| population_of(cells, (cell, population), protections, noise))
            .collect();
        let small = |population: usize| own.get(population).is_none_or(|judged| judged.small);
        let cut_small = |population: usize| {
            let of = measures.iter().filter(|measure| measure.population == population);
            of.filter_map(|measure| measure.rest).any(small)
        };
        judged.extend(own.iter().enumerate().map(|(population, judged)| Judged {
            shown: !small(0) && !small(population) && !cut_small(population),
            ..*judged
        }));
    }
    judged
}

fn population_of<T: Table>(
    cells: &T,
    (cell, population): (usize, usize),
    protections: &Protections,
    noise: Option<(&Noise, Source<'_>)>,
) -> Judged {
    let Protections { min_units, noise: level, .. } = *protections;
    let mut least = None;
    let mut small = cells.unit_kinds() == 0;
    for kind in 0..cells.unit_kinds() {
        let units = cells.units_of(cell, population, kind);
        let units = match (level, noise) {
            (None, _) => {
                small |= units < min_units;
                units
            }
            (Some(level), Some((noise, source))) => {
                let Some(set) = cells.set_of(cell, population, kind) else {
                    return Judged { units: 0, small: true, shown: false };
                };
                // The true number is a floor, and otherwise decides nothing: who sees that a cell of noisy 15 is shown
                // learns what the noisy number says. Below `largest` the noise would be another than is reported.
                let largest = u64::from(level.largest);
                let seen = noise.units(source, set, kind);
                small |= set.units() < min_units.max(largest)
                    || seen < min_units.saturating_add(largest);
                seen
            }
            (Some(_), None) => {
                small = true;
                0
            }
        };
        least.get_or_insert(units);
    }
    Judged { units: least.unwrap_or_default(), small, shown: !small }
}

/// One category: where one value of a category key holds nearly all units of a group that is large enough to be shown,
/// the value is news of everybody in the group. Its cells of that key are not shown. O(cells · keys · log cells) per population.
pub(crate) fn one_category<T: Table>(
    cells: &T,
    percent: u32,
    min_units: u64,
    judged: &mut [Judged],
) {
    if percent == 0 {
        return;
    }
    let populations = cells.populations();
    let keys = cells.keys().len();
    let categories: Vec<usize> = cells
        .keys()
        .iter()
        .enumerate()
        .filter(|(_, kind)| match kind {
            KeyKind::Category => true,
            KeyKind::Frame => false,
        })
        .map(|(key, _)| key)
        .collect();
    let mut hidden = Vec::new();
    for category in categories {
        for population in 0..populations {
            let mut groups: BTreeMap<Vec<u32>, Vec<usize>> = BTreeMap::new();
            for cell in 0..cells.len() {
                let others = (0..keys).filter(|key| *key != category);
                let others = others.map(|key| cells.key_value(cell, key)).collect();
                groups.entry(others).or_default().push(cell * populations + population);
            }
            for group in groups.into_values() {
                let units = || group.iter().filter_map(|at| judged.get(*at)).map(|of| of.units);
                let total = units().fold(0_u64, u64::saturating_add);
                let largest = u128::from(units().max().unwrap_or_default());
                if min_units.max(1) <= total
                    && u128::from(percent) * u128::from(total) <= 100 * largest
                {
                    hidden.extend(group);
                }
            }
        }
    }
    for at in hidden {
        if let Some(judged) = judged.get_mut(at) {
            judged.shown = false;
        }
    }
}

/// A population is not shown without the whole cell around it.
pub(crate) fn hide_parts_of_hidden_cells(populations: usize, judged: &mut [Judged]) {
    for cell in judged.chunks_mut(populations.max(1)) {
        let whole = cell.first().is_some_and(|judged| judged.shown);
        for judged in cell {
            judged.shown &= whole;
        }
    }
}

impl Contributions {
    /// Whether one or two units can be told too closely from the total: the p%-rule, or (n,k)-dominance.
    pub fn is_dominated(&self, p_percent: u32, dominance: Dominance) -> bool {
        self.remainder() < f64::from(p_percent) / 100.0
            || self.share(dominance.units) > dominance.percent.into()
    }

    /// The most that so many units may contribute together, in percent of the total; infinite for what cannot be judged.
    /// Only the two largest are known, and the others are no larger than the second.
    fn share(&self, units: u32) -> f64 {
        if self.remainder() == f64::NEG_INFINITY {
            return f64::INFINITY;
        }
        if units == 0 || self.largest == 0.0 {
            return 0.0;
        }
        let together = self.largest + self.second * f64::from(units - 1);
        100.0 * (together.min(self.total) / self.total)
    }
}
