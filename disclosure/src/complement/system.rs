//! Shown and withheld pieces as equations, and the greedy search for complements.

use super::part::{Part, Size};
use crate::guard::Descriptor;
use std::collections::{BTreeMap, BTreeSet};

/// A sum over atoms that is shown or withheld.
#[derive(Debug, Clone)]
pub(crate) struct Piece {
    pub(crate) atoms: Vec<u32>,
    pub(crate) value: f64,
    /// Small ones are withheld first. No position in a table is part of it, so that the order of rows decides nothing.
    pub(crate) order: (u64, Descriptor),
    pub(crate) shown: bool,
    /// The only unit in it knows its value.
    pub(crate) own: bool,
    pub(crate) need: Need,
}

/// How much must stay possible of a withheld piece.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Need {
    /// The largest possible value is at least that much more than the least.
    pub(crate) width: f64,
    /// The largest possible value is at least that.
    pub(crate) reach: f64,
    /// Whether it must be possible that there is nothing.
    pub(crate) nothing: Nothing,
}

/// Whether an empty cell must look like a withheld one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Nothing {
    MayBeImpossible,
    MustBePossible,
}

/// Which bounds are judged.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Judge {
    /// Each equation alone, for numbers that are noisy and contradict each other a little: what is unknown in it adds up
    /// to at least that.
    Each(f64),
    /// All equations of a part together, for exact numbers that are not negative. Every class can be at least that; 0
    /// where classes are not judged.
    Joint(f64),
    /// None: values may be negative, so nothing bounds them.
    RankOnly,
}

/// All pieces of one statistic over one dataset.
#[derive(Debug)]
pub(crate) struct System {
    pub(crate) pieces: Vec<Piece>,
    /// Pieces that add up to a sum that is taken for known: the cells of one release.
    pub(crate) totals: Vec<Vec<usize>>,
    pub(crate) judge: Judge,
}

/// An equation over unknown classes.
#[derive(Debug, Clone)]
pub(super) struct Equation {
    /// Ascending.
    pub(super) support: Vec<usize>,
    pub(super) residual: f64,
    /// Shown pieces that may be withheld to say less: the equation's own, and those it was reduced by.
    pub(super) helpers: Vec<usize>,
    /// Shown pieces that it is, unless it is a total.
    pub(super) own: Vec<usize>,
}

impl System {
    /// Withholds pieces until nothing that is withheld follows from what is shown.
    pub(crate) fn withhold_complements(&mut self) {
        let classes = self.classes();
        // What fails with nothing left to withhold: a total that is known by assumption gives it away.
        let mut given_up: BTreeSet<Vec<usize>> = BTreeSet::new();
        loop {
            let mut withheld = self.shown_twice(&classes);
            let mut progress = !withheld.is_empty();
            for part in &self.parts(&classes) {
                let size = part.size(self.judge);
                let margins = part.margins(self.judge);
                if size == Size::Large && !margins.is_empty() {
                    withheld.extend(margins);
                    continue;
                }
                let failing = part.failing(&self.pieces, self.judge, &given_up);
                if failing.is_empty() {
                    continue;
                }
                progress = true;
                let helpers = part.helpers(&failing);
                match self.smallest(helpers.into_iter().flatten().copied()) {
                    Some(piece) => withheld.push(piece),
                    None => given_up.extend(failing),
                }
            }
            if withheld.is_empty() && !progress {
                return;
            }
            self.withhold(&withheld, &classes);
        }
    }

    /// Withholds pieces, and others of the same rows: they would show what is withheld.
    fn withhold(&mut self, withheld: &[usize], classes: &[Vec<usize>]) {
        let rows: BTreeSet<&Vec<usize>> =
            withheld.iter().filter_map(|piece| classes.get(*piece)).collect();
        for (piece, classes) in self.pieces.iter_mut().zip(classes) {
            piece.shown &= !rows.contains(classes);
        }
    }

    fn smallest(&self, pieces: impl IntoIterator<Item = usize>) -> Option<usize> {
        pieces.into_iter().min_by_key(|piece| {
            self.pieces.get(*piece).map(|piece| (piece.order, piece.atoms.first().copied()))
        })
    }

    /// For each withheld piece that is a sum of shown ones the smallest of these.
    fn shown_twice(&self, classes: &[Vec<usize>]) -> Vec<usize> {
        let known = self.known(classes);
        let withheld = self.pieces.iter().zip(classes).filter(|(piece, _)| !piece.shown);
        withheld
            .filter_map(|(_, classes)| {
                let parts: Option<Vec<usize>> =
                    classes.iter().map(|class| known.get(class).copied()).collect();
                self.smallest(parts?)
            })
            .collect()
    }

    /// The classes that are shown as they are, and where.
    fn known(&self, classes: &[Vec<usize>]) -> BTreeMap<usize, usize> {
        let mut known = BTreeMap::new();
        for (at, (piece, classes)) in self.pieces.iter().zip(classes).enumerate() {
            if let ([class], true) = (classes.as_slice(), piece.shown) {
                let first = known.entry(*class).or_insert(at);
                *first = self.smallest([*first, at]).unwrap_or(at);
            }
        }
        known
    }

    /// For each piece the classes it consists of, ascending. O(atoms of all pieces).
    fn classes(&self) -> Vec<Vec<usize>> {
        let mut pieces_of: BTreeMap<u64, Vec<usize>> = BTreeMap::new();
        for (at, piece) in self.pieces.iter().enumerate() {
            for atom in &piece.atoms {
                pieces_of.entry(u64::from(*atom)).or_default().push(at);
            }
            if piece.atoms.is_empty() {
                pieces_of.insert((1 << 32) + at as u64, vec![at]);
            }
        }
        let distinct: BTreeSet<&Vec<usize>> = pieces_of.values().collect();
        let mut classes = vec![Vec::new(); self.pieces.len()];
        for (class, pieces) in distinct.into_iter().enumerate() {
            for piece in pieces {
                if let Some(classes) = classes.get_mut(*piece) {
                    classes.push(class);
                }
            }
        }
        classes
    }

    /// The unknowns and equations, in parts that have none in common.
    fn parts(&self, classes: &[Vec<usize>]) -> Vec<Part> {
        let known = self.known(classes);
        let mut equations: BTreeMap<Vec<usize>, Equation> = BTreeMap::new();
        // The same unknowns twice are one equation. Noisy numbers may differ: the smaller one says more.
        let mut add = |equation: Equation| match equations.get_mut(&equation.support) {
            Some(known) => {
                known.residual = known.residual.min(equation.residual);
                known.helpers.extend(equation.helpers);
                known.own.extend(equation.own);
            }
            None if equation.support.is_empty() => {}
            None => {
                equations.insert(equation.support.clone(), equation);
            }
        };
        for (at, (piece, classes)) in self.pieces.iter().zip(classes).enumerate() {
            if piece.shown && 1 < classes.len() {
                add(self.equation(classes, piece.value, Some(at), &known));
            }
        }
        for total in &self.totals {
            let pieces = || total.iter().filter_map(|piece| self.pieces.get(*piece));
            let shown = pieces().filter(|piece| piece.shown).count();
            if 0 < shown && shown < total.len() {
                let all: BTreeSet<usize> = total
                    .iter()
                    .filter_map(|piece| classes.get(*piece))
                    .flatten()
                    .copied()
                    .collect();
                let all: Vec<usize> = all.into_iter().collect();
                let value = pieces().map(|piece| piece.value).sum();
                add(self.equation(&all, value, None, &known));
            }
        }
        let targets = self.pieces.iter().zip(classes).enumerate();
        let targets = targets.filter(|(_, (piece, _))| !piece.shown).map(|(at, (_, classes))| {
            let unknown = classes.iter().copied().filter(|class| !known.contains_key(class));
            (at, unknown.collect::<Vec<_>>())
        });
        let mut targets: Vec<(usize, Vec<usize>)> = targets.collect();
        targets.sort_by_key(|(at, _)| self.pieces.get(*at).map(|piece| piece.order));
        Part::split(equations.into_values().collect(), targets)
    }

    fn equation(
        &self,
        classes: &[usize],
        value: f64,
        own: Option<usize>,
        known: &BTreeMap<usize, usize>,
    ) -> Equation {
        let support = classes.iter().copied().filter(|class| !known.contains_key(class)).collect();
        let helpers: Vec<usize> =
            classes.iter().filter_map(|class| known.get(class)).copied().collect();
        let reduced: f64 = helpers
            .iter()
            .filter_map(|piece| self.pieces.get(*piece))
            .map(|piece| piece.value)
            .sum();
        let helpers = helpers.into_iter().chain(own).collect();
        Equation { support, residual: value - reduced, helpers, own: Vec::from_iter(own) }
    }
}
