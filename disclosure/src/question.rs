//! The protections of a whole question: everything that its releases show is judged together, because the person who
//! asked sees it together.

mod linked;
mod shown;

use crate::guard::{DataVersion, Earlier, Remembered, close_sets};
use crate::noise::{Noise, Prf, Source};
use crate::primary::{Judged, hide_parts_of_hidden_cells, judge, one_category};
use crate::protection::{DifferenceGuard, Protected, Protections, Unprotected};
use crate::table::{Measure, Table};

/// What the cells of a release are cells of, and how they are protected.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseContext {
    /// The dataset's name. Releases of the same dataset share their atoms.
    pub dataset: String,
    /// Which data it was computed from.
    pub version: DataVersion,
    /// What the grant asks for.
    pub protections: Protections,
    /// Where the sets of each kind of units are remembered: the dataset and the number of the kind there. Cells of a join
    /// protect units of two datasets, and are compared with what was released of either. Kinds that are not listed are
    /// those of `dataset`.
    pub kinds: Vec<(String, u16)>,
}

impl ReleaseContext {
    /// Where the sets of a kind of units are remembered.
    fn remembered_at(&self, kind: usize) -> (String, u16) {
        let own = || (self.dataset.clone(), u16::try_from(kind).unwrap_or(u16::MAX));
        self.kinds.get(kind).cloned().unwrap_or_else(own)
    }
}

/// The protected releases of a question, and what must be remembered of them before they leave.
#[derive(Debug)]
pub struct Question<T> {
    releases: Vec<Protected<T>>,
    records: Vec<Remembered>,
}

impl<T> Question<T> {
    /// What must be durable before anything of the releases leaves: after a crash in between, a set counts as released
    /// that was not, which withholds more.
    pub fn records(&self) -> &[Remembered] {
        &self.records
    }

    /// The releases, in the order in which they were given.
    pub fn releases(&self) -> &[Protected<T>] {
        &self.releases
    }

    /// The releases, in the order in which they were given. For use once [`Question::records`] are durable.
    pub fn into_releases(self) -> Vec<Protected<T>> {
        self.releases
    }
}

/// A release on its way.
struct Working<T> {
    cells: T,
    /// With the `min_units` of the step that is being taken.
    context: ReleaseContext,
    /// The `min_units` that the grant asks for.
    asked: u64,
    measures: Vec<Measure>,
    noise: Option<Noise>,
    /// By cell and population.
    judged: Vec<Judged>,
    /// By cell and measure: sums that are not shown in populations that are.
    hidden_sums: Vec<bool>,
}

/// Protects the releases of one question together. What is withheld and why is described for the [whole crate](crate).
///
/// Nobody else may protect cells of the same dataset between this call and the moment when `earlier` knows the records
/// of its result: of two questions at once each would be judged without the other.
pub fn protect_question<T: Table>(
    releases: Vec<(Unprotected<T>, ReleaseContext)>,
    secret: &dyn Prf,
    earlier: &dyn Earlier,
) -> Question<T> {
    let mut releases: Vec<Working<T>> =
        releases.into_iter().map(|(cells, context)| Working::new(cells, context)).collect();
    for min_units in thresholds(&releases) {
        for release in &mut releases {
            release.judge(min_units, secret);
        }
        hide_close_sets(&mut releases, earlier);
        linked::withhold_complements(&mut releases);
    }
    let records = shown_sets(&releases).into_iter().map(|(_, record)| record);
    let records = records.collect::<Vec<_>>();
    let releases = releases.into_iter().map(|release| release.finish(secret)).collect();
    Question { releases, records }
}

/// The thresholds of a question, one after the other: what is withheld at one stays withheld at the next.
///
/// Which complements are chosen depends on what is withheld already, and a stricter threshold alone could choose others:
/// a cell would be shown that a wider policy withholds, and both answers together give away what neither does. So every
/// threshold begins with what all smaller ones withhold, and a question costs as many judgements as there are thresholds.
/// Beyond [`LAST_STEP`] a threshold begins with what that one withholds.
fn thresholds<T>(releases: &[Working<T>]) -> Vec<u64> {
    let most = releases.iter().map(|release| release.asked).max().unwrap_or_default();
    let steps = FIRST_STEP..most.min(LAST_STEP + 1);
    steps.chain([most]).collect()
}

/// The smallest threshold of any policy.
const FIRST_STEP: u64 = 5;

/// The last threshold that begins with what the one before withholds.
const LAST_STEP: u64 = 30;

impl<T: Table> Working<T> {
    fn new(Unprotected(cells): Unprotected<T>, context: ReleaseContext) -> Self {
        let measures: Vec<Measure> =
            (0..cells.measures()).map(|measure| cells.measure(measure)).collect();
        let noise = context.protections.noise.and_then(Noise::new);
        let hidden_sums = vec![false; cells.len() * measures.len()];
        let asked = context.protections.min_units;
        Self { cells, context, asked, measures, noise, judged: Vec::new(), hidden_sums }
    }

    /// Judges every population for itself at a threshold, or at the grant's own if that is smaller. What was hidden before
    /// stays hidden.
    fn judge(&mut self, min_units: u64, secret: &dyn Prf) {
        self.context.protections.min_units = min_units.min(self.asked);
        let ReleaseContext { dataset, version, protections, .. } = &self.context;
        let with = self.noise.as_ref().map(|noise| (noise, Source { secret, dataset, version }));
        let mut judged = judge(&self.cells, &self.measures, protections, with);
        let Protections { one_category_percent, min_units, .. } = *protections;
        one_category(&self.cells, one_category_percent, min_units, &mut judged);
        for (judged, before) in judged.iter_mut().zip(&self.judged) {
            judged.shown &= before.shown;
        }
        hide_parts_of_hidden_cells(self.cells.populations(), &mut judged);
        self.judged = judged;
    }

    /// Whether anything is computed over a population.
    fn is_published(&self, population: usize) -> bool {
        self.measures.iter().any(|measure| measure.population == population)
    }

    /// Where the judgement of a population of a cell is.
    fn place(&self, cell: usize, population: usize) -> usize {
        cell * self.cells.populations() + population
    }

    fn judged(&self, cell: usize, population: usize) -> Option<&Judged> {
        self.judged.get(self.place(cell, population))
    }

    fn is_shown(&self, cell: usize, population: usize) -> bool {
        self.judged(cell, population).is_some_and(|judged| judged.shown)
    }

    /// Every population of a cell that something is computed over.
    fn published(&self) -> Vec<(usize, usize)> {
        let populations: Vec<usize> = (0..self.cells.populations())
            .filter(|population| self.is_published(*population))
            .collect();
        (0..self.cells.len())
            .flat_map(|cell| populations.iter().map(move |population| (cell, *population)))
            .collect()
    }
}

/// Where a set is: release and place in its judgements.
type Place = (usize, usize);

/// The sets of everything that is shown by releases whose guard is on.
fn shown_sets<T: Table>(releases: &[Working<T>]) -> Vec<(Place, Remembered)> {
    let mut sets = Vec::new();
    for (at, release) in releases.iter().enumerate() {
        if release.context.protections.difference_guard == DifferenceGuard::Off {
            continue;
        }
        for (cell, population) in release.published() {
            if !release.is_shown(cell, population) {
                continue;
            }
            for kind in 0..release.cells.unit_kinds() {
                let Some(set) = release.cells.set_of(cell, population, kind) else { continue };
                let (dataset, kind) = release.context.remembered_at(kind);
                let record = Remembered {
                    dataset,
                    version: release.context.version,
                    kind,
                    descriptor: release.cells.descriptor(cell, population),
                    set: set.clone(),
                };
                sets.push(((at, release.place(cell, population)), record));
            }
        }
    }
    sets
}

/// The difference guard. Everything is decided before anything is hidden, so that the order of cells decides nothing.
fn hide_close_sets<T: Table>(releases: &mut [Working<T>], earlier: &dyn Earlier) {
    for release in releases.iter_mut() {
        let needs_sets = release.context.protections.difference_guard == DifferenceGuard::On;
        for (cell, population) in release.published() {
            let missing = (0..release.cells.unit_kinds())
                .any(|kind| release.cells.set_of(cell, population, kind).is_none());
            let place = release.place(cell, population);
            if let Some(judged) = release.judged.get_mut(place).filter(|_| needs_sets && missing) {
                judged.shown = false;
            }
        }
    }
    let sets = shown_sets(releases);
    let min_units = |(release, _): &Place| {
        releases.get(*release).map_or(u64::MAX, |release| release.context.protections.min_units)
    };
    let judged: Vec<(u64, &Remembered)> =
        sets.iter().map(|(place, record)| (min_units(place), record)).collect();
    let close = close_sets(&judged, earlier);
    let close: Vec<Place> = sets
        .into_iter()
        .zip(close)
        .filter(|(_, close)| *close)
        .map(|((place, _), _)| place)
        .collect();
    for (release, place) in close {
        if let Some(judged) =
            releases.get_mut(release).and_then(|release| release.judged.get_mut(place))
        {
            judged.shown = false;
        }
    }
    for release in releases {
        hide_parts_of_hidden_cells(release.cells.populations(), &mut release.judged);
    }
}
