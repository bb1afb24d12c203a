//! Unknowns and equations that hang together, and the tests of what is withheld among them.

use super::rank::Span;
use super::simplex::{Simplex, Stopped};
use super::system::{Equation, Judge, Need, Nothing, Piece};
use super::{EQUATIONS, UNKNOWNS};
use std::collections::{BTreeMap, BTreeSet};

/// The most work of the simplex method on one part: unknowns times equations times what is tested.
const WORK: usize = 20_000_000;
/// The most work of linear algebra, in the same measure.
const RANK_WORK: usize = 200_000_000;

/// Whether everything can be tested at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Size {
    Large,
    Small,
}

/// Some of the unknowns.
#[derive(Debug)]
pub(super) struct Part {
    equations: Vec<Equation>,
    /// Withheld pieces with their unknown classes, small ones first.
    targets: Vec<(usize, Vec<usize>)>,
    /// The classes in the equations, ascending.
    classes: Vec<usize>,
}

/// Something whose bounds are judged: columns, and what must stay possible.
struct Judged {
    support: Vec<usize>,
    columns: Vec<usize>,
    need: Need,
    least: f64,
    largest: f64,
}

impl Part {
    /// Splits equations and targets into parts without a class in common. Targets in no equation are left out: nothing is
    /// known of them.
    pub(super) fn split(equations: Vec<Equation>, targets: Vec<(usize, Vec<usize>)>) -> Vec<Self> {
        let mut joined = Joined::default();
        for equation in &equations {
            joined.join(&equation.support);
        }
        for (_, support) in &targets {
            joined.join(support);
        }
        let mut parts: BTreeMap<usize, Self> = BTreeMap::new();
        for equation in equations {
            let Some(first) = equation.support.first() else { continue };
            let root = joined.root(*first);
            let part = parts.entry(root).or_insert_with(|| Self {
                equations: Vec::new(),
                targets: Vec::new(),
                classes: Vec::new(),
            });
            part.classes.extend(&equation.support);
            part.equations.push(equation);
        }
        for (piece, support) in targets {
            // What has no unknown class is the sum of shown pieces: it fails wherever they are.
            let part = match support.first() {
                Some(first) => parts.get_mut(&joined.root(*first)),
                None => None,
            };
            if let Some(part) = part {
                part.targets.push((piece, support));
            }
        }
        let mut parts: Vec<Self> = parts.into_values().collect();
        for part in &mut parts {
            part.classes.sort_unstable();
            part.classes.dedup();
        }
        parts
    }

    /// Whether the tests would take too long.
    pub(super) fn size(&self, judge: Judge) -> Size {
        let (unknowns, equations) = (self.classes.len(), self.equations.len());
        let targets = self.targets.len();
        let algebra = unknowns * equations * (equations + targets);
        let bounds = match judge {
            Judge::Each(_) | Judge::RankOnly => false,
            Judge::Joint(_) => {
                let work = unknowns * equations * (unknowns + targets);
                UNKNOWNS < unknowns || EQUATIONS < equations || WORK < work
            }
        };
        if 1 < equations && (bounds || RANK_WORK < algebra) { Size::Large } else { Size::Small }
    }

    /// The margins that a part loses if it is too large to be tested: all of them, if anything in it is withheld and
    /// nothing but their exactness keeps it from being solved for.
    pub(super) fn margins(&self, judge: Judge) -> Vec<usize> {
        let exact = match judge {
            Judge::Each(_) => false,
            Judge::Joint(_) | Judge::RankOnly => !self.targets.is_empty(),
        };
        let own = self.equations.iter().flat_map(|equation| &equation.own);
        own.copied().filter(|_| exact).collect()
    }

    /// What may be withheld for the sake of these supports: what the shortest equation of one of them says, because
    /// nothing else can keep it from telling. If these are totals that nothing shown was taken off, then everything that
    /// is shown around them.
    pub(super) fn helpers(&self, failing: &[Vec<usize>]) -> Vec<&[usize]> {
        let around =
            |equation: &Equation| failing.iter().any(|support| overlap(&equation.support, support));
        let some = |equation: &Equation| !equation.helpers.is_empty();
        let any = self.equations.iter().any(|equation| some(equation) && around(equation));
        let tells = |equation: &&Equation| some(equation) && (around(equation) || !any);
        let shortest = self.equations.iter().filter(tells).map(|of| of.support.len()).min();
        self.equations
            .iter()
            .filter(tells)
            .filter(|equation| Some(equation.support.len()) == shortest)
            .map(|equation| equation.helpers.as_slice())
            .collect()
    }

    /// The classes of withheld pieces, or single classes, of which too much is known.
    pub(super) fn failing(
        &self,
        pieces: &[Piece],
        judge: Judge,
        given_up: &BTreeSet<Vec<usize>>,
    ) -> Vec<Vec<usize>> {
        let fails = |support: &Vec<usize>| !given_up.contains(support);
        if self.size(judge) == Size::Large {
            return self.failing_alone(pieces, judge).into_iter().filter(fails).collect();
        }
        let solved: Vec<_> = self.solved(pieces).into_iter().filter(fails).collect();
        if !solved.is_empty() {
            return solved;
        }
        let bounded = match judge {
            Judge::RankOnly => Vec::new(),
            Judge::Each(least) => {
                let low = self.equations.iter().filter(|equation| equation.residual < least);
                low.map(|equation| equation.support.clone()).collect()
            }
            Judge::Joint(least) => self.bounded(self.judged(pieces, least)),
        };
        bounded.into_iter().filter(fails).collect()
    }

    /// For parts that are too large: what single equations say, and the differences of each with others inside it.
    /// O(equations² · unknowns).
    fn failing_alone(&self, pieces: &[Piece], judge: Judge) -> Vec<Vec<usize>> {
        let each = |equation| self.solved_by(equation, pieces);
        let mut failing: Vec<Vec<usize>> = self.equations.iter().flat_map(each).collect();
        let (least, exact) = match judge {
            Judge::RankOnly => return failing,
            Judge::Each(least) => (least, false),
            Judge::Joint(least) => (least, true),
        };
        let low = self.equations.iter().filter(|equation| equation.residual < least);
        failing.extend(low.map(|equation| equation.support.clone()));
        if !exact || least <= 0.0 {
            return failing;
        }
        let mut by_class: BTreeMap<usize, Vec<&Equation>> = BTreeMap::new();
        for equation in &self.equations {
            if let Some(first) = equation.support.first() {
                by_class.entry(*first).or_default().push(equation);
            }
        }
        for equation in &self.equations {
            let mut inside: Vec<&Equation> = equation
                .support
                .iter()
                .filter_map(|class| by_class.get(class))
                .flatten()
                .copied()
                .filter(|inner| inner.support.len() < equation.support.len())
                .collect();
            inside.sort_by_key(|inner| std::cmp::Reverse(inner.support.len()));
            // Each alone, and as many as fit, the longest first.
            let mut chain = equation.clone();
            for inner in inside {
                let chained = chain.lose(inner) && chain.residual < least;
                failing.extend(chained.then(|| chain.support.clone()));
                if equation.residual - inner.residual < least {
                    let mut alone = equation.clone();
                    failing.extend(alone.lose(inner).then_some(alone.support));
                }
            }
        }
        failing
    }

    /// The supports of withheld pieces that follow from the equations.
    fn solved(&self, pieces: &[Piece]) -> Vec<Vec<usize>> {
        if let [equation] = self.equations.as_slice() {
            return self.solved_by(equation, pieces);
        }
        let mut span = Span::new(self.classes.len());
        for equation in &self.equations {
            span.add(&self.columns(&equation.support));
        }
        // What a unit knows that is alone in a withheld piece. It learns nothing new of its own.
        let mut informed = Span::new(self.classes.len());
        let own = |piece: &usize| pieces.get(*piece).is_some_and(|piece| piece.own);
        let known = || self.targets.iter().filter(|(piece, _)| own(piece));
        let any = known().next().is_some();
        if any {
            for equation in &self.equations {
                informed.add(&self.columns(&equation.support));
            }
            for (_, support) in known().filter(|(_, support)| self.covers(support)) {
                informed.add(&self.columns(support));
            }
        }
        let solved = |(piece, support): &&(usize, Vec<usize>)| {
            let span = if any && !own(piece) { &informed } else { &span };
            self.covers(support) && span.contains(&self.columns(support))
        };
        self.targets.iter().filter(solved).map(|(_, support)| support.clone()).collect()
    }

    /// The same for a single equation, of any size: it solves for what it is over, less what somebody knows.
    fn solved_by(&self, equation: &Equation, pieces: &[Piece]) -> Vec<Vec<usize>> {
        let own = |piece: usize| pieces.get(piece).is_some_and(|piece| piece.own);
        let known: BTreeSet<usize> = self
            .targets
            .iter()
            .filter(|(piece, _)| own(*piece))
            .flat_map(|(_, support)| support)
            .copied()
            .collect();
        let rest: Vec<usize> =
            equation.support.iter().copied().filter(|class| !known.contains(class)).collect();
        let solved = |(piece, support): &&(usize, Vec<usize>)| {
            *support == equation.support || (!own(*piece) && *support == rest)
        };
        self.targets.iter().filter(solved).map(|(_, support)| support.clone()).collect()
    }

    fn judged(&self, pieces: &[Piece], least: f64) -> Vec<Judged> {
        let judged = |support: &Vec<usize>, need| Judged {
            support: support.clone(),
            columns: self.columns(support),
            need,
            least: f64::INFINITY,
            largest: f64::NEG_INFINITY,
        };
        // A target with a class in no equation can be anything.
        let targets = self.targets.iter().filter(|(_, support)| self.covers(support));
        let pieces =
            targets.filter_map(|(piece, support)| Some(judged(support, pieces.get(*piece)?.need)));
        let need = Need { width: 0.0, reach: least, nothing: Nothing::MayBeImpossible };
        let classes = self.classes.iter().filter(|_| 0.0 < least);
        pieces.chain(classes.map(|class| judged(&vec![*class], need))).collect()
    }

    /// The supports of which too little stays possible.
    fn bounded(&self, judged: Vec<Judged>) -> Vec<Vec<usize>> {
        let size =
            self.equations.iter().map(|equation| equation.residual.abs()).fold(1.0, f64::max);
        let tolerance = 1e-6 * size.max(1.0);
        if let [equation] = self.equations.as_slice() {
            if equation.residual < -tolerance {
                return Vec::new();
            }
            let fails = |judged: &&Judged| {
                let whole = judged.support == equation.support;
                let least = if whole { equation.residual } else { 0.0 };
                !judged.need.is_met(least, equation.residual, tolerance)
            };
            return judged.iter().filter(fails).map(|judged| judged.support.clone()).collect();
        }
        let equations: Vec<(Vec<usize>, f64)> = self
            .equations
            .iter()
            .map(|equation| (self.columns(&equation.support), equation.residual))
            .collect();
        // Numbers that contradict each other are of overlapping units: nothing follows from adding them up.
        let Some(simplex) = Simplex::new(&equations, self.classes.len()) else {
            return Vec::new();
        };
        narrow(simplex, judged, self.classes.len(), tolerance)
    }

    fn columns(&self, support: &[usize]) -> Vec<usize> {
        support.iter().filter_map(|class| self.classes.binary_search(class).ok()).collect()
    }

    fn covers(&self, support: &[usize]) -> bool {
        support.iter().all(|class| self.classes.binary_search(class).is_ok())
    }
}

impl Equation {
    /// Takes an equation off that is over some of its unknowns but not all; whether it is.
    fn lose(&mut self, inner: &Self) -> bool {
        let inside = inner.support.len() < self.support.len()
            && inner.support.iter().all(|class| self.support.binary_search(class).is_ok());
        if inside {
            self.support.retain(|class| inner.support.binary_search(class).is_err());
            self.residual -= inner.residual;
        }
        inside
    }
}

/// The supports whose least and largest values leave too little room.
fn narrow(
    mut simplex: Simplex,
    mut judged: Vec<Judged>,
    columns: usize,
    tolerance: f64,
) -> Vec<Vec<usize>> {
    let mut failing = Vec::new();
    for at in 0..judged.len() {
        let mut proved = true;
        for sign in [1.0, -1.0] {
            let mut objective = vec![0.0; columns];
            for column in judged.get(at).map_or(&[][..], |judged| &judged.columns) {
                if let Some(factor) = objective.get_mut(*column) {
                    *factor = sign;
                }
            }
            // Every corner on the way is a possible truth: it shows for all of them what is possible.
            let stopped = simplex.maximise(&objective, &mut |values| {
                for judged in &mut judged {
                    judged.saw(values);
                }
                judged.get(at).is_some_and(|judged| judged.is_met(tolerance))
            });
            match stopped {
                Stopped::Enough => break,
                Stopped::Optimal => {}
                Stopped::Patience => proved = false,
                Stopped::Unbounded => {
                    if let Some(judged) = judged.get_mut(at) {
                        judged.largest = f64::INFINITY;
                    }
                }
            }
        }
        if let Some(judged) = judged.get(at)
            && (!proved || !judged.is_met(tolerance))
        {
            failing.push(judged.support.clone());
        }
    }
    failing
}

impl Judged {
    fn saw(&mut self, values: &[f64]) {
        let sum: f64 = self.columns.iter().filter_map(|column| values.get(*column)).sum();
        self.least = self.least.min(sum);
        self.largest = self.largest.max(sum);
    }

    fn is_met(&self, tolerance: f64) -> bool {
        self.need.is_met(self.least, self.largest, tolerance)
    }
}

impl Need {
    fn is_met(&self, least: f64, largest: f64, tolerance: f64) -> bool {
        let nothing = match self.nothing {
            Nothing::MayBeImpossible => true,
            Nothing::MustBePossible => least <= tolerance,
        };
        nothing && self.width <= largest - least + tolerance && self.reach <= largest + tolerance
    }
}

/// Whether ascending lists have a member in common.
fn overlap(a: &[usize], b: &[usize]) -> bool {
    b.iter().any(|class| a.binary_search(class).is_ok())
}

/// Sets of classes that hang together.
#[derive(Default)]
struct Joined {
    parents: BTreeMap<usize, usize>,
}

impl Joined {
    fn root(&mut self, class: usize) -> usize {
        let mut at = class;
        while let Some(parent) = self.parents.get(&at).copied() {
            if let Some(grand) = self.parents.get(&parent).copied() {
                self.parents.insert(at, grand);
            }
            at = parent;
        }
        at
    }

    fn join(&mut self, classes: &[usize]) {
        let Some((first, others)) = classes.split_first() else { return };
        for other in others {
            let (a, b) = (self.root(*first), self.root(*other));
            if a != b {
                self.parents.insert(a.max(b), a.min(b));
            }
        }
    }
}
