//! Complementary suppression over all releases of a question: which pieces of one dataset are shown, and what their sums
//! give away.

use super::Working;
use crate::complement::{Judge, Need, Nothing, Piece, System};
use crate::primary::hide_parts_of_hidden_cells;
use crate::protection::{Contributions, Protections};
use crate::table::{Measure, Number, Table, ValueKind};
use crate::units::as_float;
use std::collections::{BTreeMap, BTreeSet};

/// A dataset and the version of its data: releases over the same one speak of the same rows.
type Rows = (String, crate::guard::DataVersion);

/// Withholds what would follow, first of whole populations by their counts, then of sums.
pub(super) fn withhold_complements<T: Table>(releases: &mut [Working<T>]) {
    let mut groups: BTreeMap<Rows, Vec<usize>> = BTreeMap::new();
    for (at, release) in releases.iter().enumerate() {
        let rows = (release.context.dataset.clone(), release.context.version);
        groups.entry(rows).or_default().push(at);
    }
    for group in groups.into_values() {
        // Whole cells first: with the parts of cells among the pieces the smallest ones are parts, and part after part of
        // large cells would be hidden for the sake of one small cell, where one more whole cell is enough.
        counts(releases, &group, Count::Units, Of::Cells);
        counts(releases, &group, Count::Rows, Of::Cells);
        // Hiding a cell hides its populations, which are pieces too: until that changes nothing more.
        while counts(releases, &group, Count::Units, Of::Everything)
            | counts(releases, &group, Count::Rows, Of::Everything)
        {}
        let sums: BTreeSet<String> = group
            .iter()
            .filter_map(|at| releases.get(*at))
            .flat_map(|release| &release.measures)
            .filter(|measure| matches!(measure.kind, ValueKind::Sum { .. }))
            .map(|measure| measure.statistic.clone())
            .collect();
        hide_dominated(releases, &group);
        for sum in sums {
            sum_complements(releases, &group, &sum);
        }
    }
}

/// What is counted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Count {
    Rows,
    Units,
}

/// What is judged.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Of {
    /// Cells as a whole.
    Cells,
    /// Their other populations too.
    Everything,
}

/// Where a piece comes from: release, cell, and population or measure.
type From = (usize, usize, usize);

/// Hides populations whose counts would give others away. Whether any was hidden.
fn counts<T: Table>(releases: &mut [Working<T>], group: &[usize], count: Count, of: Of) -> bool {
    let (mut pieces, mut from): (Vec<Piece>, Vec<From>) = (Vec::new(), Vec::new());
    let (mut totals, mut noisy, mut least) = (Vec::new(), false, 0);
    // Counts of values among the pieces: where they are, and the measure.
    let mut of_values: BTreeMap<usize, usize> = BTreeMap::new();
    for at in group {
        let Some(release) = releases.get(*at) else { continue };
        noisy |= release.context.protections.noise.is_some();
        least = least.max(release.context.protections.min_units);
        let mut total = Vec::new();
        let judged = |population: usize| of == Of::Everything || population == 0;
        for (cell, population) in release.published().into_iter().filter(|at| judged(at.1)) {
            let Some(piece) = count_piece(release, cell, population, count) else { continue };
            if population == 0 {
                total.push(pieces.len());
            }
            pieces.push(piece);
            from.push((*at, cell, population));
        }
        let values = if of == Of::Everything { value_pieces(release) } else { Vec::new() };
        for (measure, cell, piece) in values {
            of_values.insert(pieces.len(), measure);
            pieces.push(piece);
            from.push((*at, cell, 0));
        }
        totals.push(total);
    }
    if count == Count::Rows && noisy {
        return false;
    }
    let least = as_float(least);
    let judge = if noisy { Judge::Each(least) } else { Judge::Joint(least) };
    let mut system = System { pieces, totals, judge };
    system.withhold_complements();
    let mut hidden = false;
    for (i, (piece, (at, cell, population))) in system.pieces.iter().zip(from).enumerate() {
        let Some(release) = releases.get_mut(at) else { continue };
        if let Some(measure) = of_values.get(&i) {
            let place = cell * release.measures.len() + measure;
            let place = release.hidden_sums.get_mut(place).filter(|hidden| !**hidden);
            if let Some(place) = place.filter(|_| !piece.shown) {
                *place = true;
                hidden = true;
            }
            continue;
        }
        let place = release.place(cell, population);
        if let Some(judged) = release.judged.get_mut(place)
            && judged.shown
            && !piece.shown
        {
            judged.shown = false;
            hidden = true;
        }
    }
    for release in releases {
        hide_parts_of_hidden_cells(release.cells.populations(), &mut release.judged);
    }
    hidden
}

/// A population as a piece; `None` where it has no such count.
fn count_piece<T: Table>(
    release: &Working<T>,
    cell: usize,
    population: usize,
    count: Count,
) -> Option<Piece> {
    let judged = release.judged(cell, population)?;
    let Protections { min_units, noise, .. } = release.context.protections;
    let value = match count {
        Count::Units => as_float(judged.units),
        Count::Rows => {
            let is_rows = |(_, measure): &(usize, &Measure)| {
                measure.population == population && measure.kind == ValueKind::Rows
            };
            let (measure, _) = release.measures.iter().enumerate().find(is_rows)?;
            float(release.cells.value(cell, measure)?)
        }
    };
    let small = judged.small && noise.is_none();
    let width = as_float(min_units);
    let nothing = if small { Nothing::MustBePossible } else { Nothing::MayBeImpossible };
    Some(Piece {
        atoms: release.cells.atoms(cell, population).to_vec(),
        value,
        order: (judged.units, release.cells.descriptor(cell, population)),
        shown: judged.shown,
        own: judged.units == 1 && noise.is_none(),
        need: Need { width, reach: width, nothing },
    })
}

/// Counts of values are counts of rows: of those in which the column has one. They are among the units too, because where
/// every row is its own unit nothing else counts rows.
fn value_pieces<T: Table>(release: &Working<T>) -> Vec<(usize, usize, Piece)> {
    let mut pieces = Vec::new();
    let measures = release.measures.iter().enumerate();
    let exact = release.context.protections.noise.is_none();
    let counting = |of: &&Measure| of.kind == ValueKind::NonNull && exact;
    for (measure, of) in measures.filter(|(_, of)| counting(of)) {
        for cell in 0..release.cells.len() {
            let Some(atoms) = release.cells.atoms_with_value(cell, measure) else { continue };
            let Some(judged) = release.judged(cell, of.population) else { continue };
            let hidden = release.hidden_sums.get(cell * release.measures.len() + measure);
            let width = as_float(release.context.protections.min_units);
            let piece = Piece {
                atoms: atoms.to_vec(),
                value: release.cells.value(cell, measure).map_or(0.0, float),
                order: (judged.units, release.cells.descriptor(cell, of.population)),
                shown: judged.shown && hidden == Some(&false),
                own: false,
                need: Need { width, reach: width, nothing: Nothing::MayBeImpossible },
            };
            pieces.push((measure, cell, piece));
        }
    }
    pieces
}

/// The p%-rule and dominance, where values are exact: all measures of the group are hidden. Noise is scaled to a public
/// bound instead, because to withhold a sum for its largest contribution would say something of that one.
fn hide_dominated<T: Table>(releases: &mut [Working<T>], group: &[usize]) {
    for at in group {
        let Some(release) = releases.get_mut(*at) else { continue };
        let Protections { p_percent, dominance, noise, .. } = release.context.protections;
        if noise.is_some() {
            continue;
        }
        let measures = release.measures.len();
        for cell in 0..release.cells.len() {
            let dominated: Vec<(usize, usize)> = (0..measures)
                .filter(|measure| {
                    release
                        .cells
                        .contributions(cell, *measure)
                        .is_some_and(|of| of.is_dominated(p_percent, dominance))
                })
                .map(|measure| (release.cells.group(measure), population(release, measure)))
                .collect();
            for measure in 0..measures {
                let of = (release.cells.group(measure), population(release, measure));
                // The same column over other rows of the cell is another sum, but of the same group it may follow.
                let hidden = dominated.iter().any(|(group, _)| *group == of.0);
                if let Some(place) = release.hidden_sums.get_mut(cell * measures + measure) {
                    *place |= hidden;
                }
            }
        }
    }
}

fn population<T: Table>(release: &Working<T>, measure: usize) -> usize {
    release.measures.get(measure).map_or(usize::MAX, |measure| measure.population)
}

/// Hides sums that would give hidden ones away, with all measures of their group.
fn sum_complements<T: Table>(releases: &mut [Working<T>], group: &[usize], statistic: &str) {
    let (mut pieces, mut from): (Vec<Piece>, Vec<From>) = (Vec::new(), Vec::new());
    let (mut totals, mut bounded, mut noisy) = (Vec::new(), true, false);
    for at in group {
        let Some(release) = releases.get(*at) else { continue };
        noisy |= release.context.protections.noise.is_some();
        let measures = release.measures.iter().enumerate();
        for (measure, of) in measures.filter(|(_, measure)| measure.statistic == statistic) {
            let ValueKind::Sum { nonnegative, .. } = of.kind else { continue };
            bounded &= nonnegative;
            let first = pieces.len();
            for cell in 0..release.cells.len() {
                pieces.extend(sum_piece(release, cell, measure, of.population));
                from.push((*at, cell, measure));
            }
            if of.population == 0 {
                totals.push((first..pieces.len()).collect());
            }
        }
    }
    // Noisy sums are shown wherever their population is, so nothing is hidden that counts do not hide.
    if noisy || pieces.len() != from.len() {
        return;
    }
    let judge = if bounded { Judge::Joint(0.0) } else { Judge::RankOnly };
    let mut system = System { pieces, totals, judge };
    system.withhold_complements();
    for (piece, (at, cell, measure)) in system.pieces.iter().zip(from) {
        let Some(release) = releases.get_mut(at).filter(|_| !piece.shown) else { continue };
        let hidden = release.cells.group(measure);
        let measures = release.measures.len();
        for other in (0..measures).filter(|other| release.cells.group(*other) == hidden) {
            if let Some(place) = release.hidden_sums.get_mut(cell * measures + other) {
                *place = true;
            }
        }
    }
}

fn sum_piece<T: Table>(
    release: &Working<T>,
    cell: usize,
    measure: usize,
    population: usize,
) -> Option<Piece> {
    let judged = release.judged(cell, population)?;
    let hidden =
        release.hidden_sums.get(cell * release.measures.len() + measure).copied().unwrap_or(true);
    // A sum of no values is missing, which says that it is zero.
    let value = release.cells.value(cell, measure).map_or(0.0, float);
    let largest = release.cells.contributions(cell, measure).map_or(0.0, |of| of.largest_known());
    let width = f64::from(release.context.protections.p_percent) / 100.0 * largest;
    Some(Piece {
        atoms: release.cells.atoms(cell, population).to_vec(),
        value: if value.is_finite() { value } else { 0.0 },
        order: (judged.units, release.cells.descriptor(cell, population)),
        shown: judged.shown && !hidden && value.is_finite(),
        own: judged.units == 1,
        need: Need { width, reach: 0.0, nothing: Nothing::MayBeImpossible },
    })
}

impl Contributions {
    fn largest_known(&self) -> f64 {
        if self.largest.is_finite() { self.largest.abs() } else { 0.0 }
    }
}

#[expect(clippy::cast_precision_loss, reason = "bounds need not be exact in the 16th digit")]
fn float(number: Number) -> f64 {
    match number {
        Number::Float(float) => float,
        Number::Whole(whole) => whole as f64,
    }
}
