//! Primary suppression, complementary suppression inside one release, and the types that prove both were done.

use crate::noise::NoiseLevel;
use std::fmt;

/// How much protection the cells of a release need.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Protections {
    /// Distinct units that a cell needs, of every unit kind.
    pub min_units: u64,
    /// The percentage of the p%-rule.
    pub p_percent: u32,
    /// The (n,k)-rule.
    pub dominance: Dominance,
    /// A group in which one category holds at least this percentage of the units does not show its categories; 0 for a
    /// dataset whose categories say nothing of anybody.
    pub one_category_percent: u32,
    /// The noise on every value; without it values are exact, and the rules judge exact numbers.
    pub noise: Option<NoiseLevel>,
    /// How many rows of one unit count in a cell where noise is on. The caller has left the others out.
    pub most_rows: u32,
    /// Counts are multiples of it; 0 and 1 change nothing.
    pub round_to: u32,
    /// Whether released sets are compared with earlier ones.
    pub difference_guard: DifferenceGuard,
}

impl Protections {
    /// Exact values under the federation's defaults but for these two.
    pub const fn exact(min_units: u64, p_percent: u32) -> Self {
        Self {
            min_units,
            p_percent,
            dominance: Dominance::DEFAULT,
            one_category_percent: 90,
            noise: None,
            most_rows: 3,
            round_to: 1,
            difference_guard: DifferenceGuard::Off,
        }
    }

    /// Noisy values under the federation's defaults, as for every dataset with a person as unit.
    pub const fn noisy(min_units: u64) -> Self {
        Self {
            noise: Some(NoiseLevel::DEFAULT),
            difference_guard: DifferenceGuard::On,
            ..Self::exact(min_units, 10)
        }
    }
}

/// A sum is withheld if so many units contribute more than so many percent of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Dominance {
    /// n: how many units.
    pub units: u32,
    /// k: how many percent; from 100 on the rule withholds nothing.
    pub percent: u32,
}

impl Dominance {
    /// What holds unless a policy says otherwise.
    pub const DEFAULT: Self = Self { units: 2, percent: 85 };
}

/// Whether a set of units may be close to one that was released before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DifferenceGuard {
    /// It may.
    Off,
    /// It may not, unless it is the same set under the same description.
    On,
}

/// The cells of one release, as [`protect`] needs to see them. Cells and measures are counted from 0.
pub trait Cells {
    /// How many cells there are.
    fn len(&self) -> usize;

    /// Whether there are none.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The distinct units of a cell. A lower bound serves where the truth is larger than any `min_units` asked for; a
    /// bound that is too low withholds more, never less.
    fn units(&self, cell: usize) -> u64;

    /// How many measures every cell has.
    fn measures(&self) -> usize;

    /// The group of a measure: measures of the same group reveal each other, such as the sum, the average and the power
    /// sums of one column, and are withheld together. Any numbering serves.
    fn group(&self, measure: usize) -> usize;

    /// What the units contribute to a measure of a cell; `None` where dominance does not apply, as in a count. Of a measure
    /// that several sums follow from, one that is dominated if there is one.
    fn contributions(&self, cell: usize, measure: usize) -> Option<Contributions>;

    /// Removes the values of a cell for good, all its measures included.
    fn withhold_cell(&mut self, cell: usize);

    /// Removes one value of a cell for good.
    fn withhold_measure(&mut self, cell: usize, measure: usize);
}

/// What the units of a cell contribute to a sum, in absolute values: with negative numbers a total near zero says
/// nothing of how much a single unit contributes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Contributions {
    /// The sum of all contributions.
    pub total: f64,
    /// The largest.
    pub largest: f64,
    /// The second largest; 0 where there is one unit.
    pub second: f64,
}

/// Cells as they were computed. There is no way to read them but through [`protect`].
///
/// ```compile_fail
/// fn read(cells: mayag_disclosure::Unprotected<Vec<u64>>) -> Vec<u64> {
///     cells.into_inner()
/// }
/// ```
pub struct Unprotected<T>(pub(crate) T);

/// Cells from which everything that must not leave was removed. Only [`protect`] makes one.
///
/// ```compile_fail
/// fn made(cells: Vec<u64>, summary: mayag_disclosure::Summary) -> mayag_disclosure::Protected<Vec<u64>> {
///     mayag_disclosure::Protected { cells, summary }
/// }
/// ```
pub struct Protected<T> {
    pub(crate) cells: T,
    pub(crate) summary: Summary,
}

/// What happened to the cells of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Summary {
    /// All cells.
    pub cells: u64,
    /// Cells that are withheld as a whole.
    pub suppressed_cells: u64,
    /// Values that are withheld in cells that are shown.
    pub suppressed_measures: u64,
}

impl Summary {
    /// Whether anything is withheld.
    pub fn suppresses(&self) -> bool {
        self.suppressed_cells + self.suppressed_measures > 0
    }
}

impl<T> Unprotected<T> {
    /// Marks cells as not yet protected.
    pub fn new(cells: T) -> Self {
        Self(cells)
    }
}

impl<T> Protected<T> {
    /// The cells.
    pub fn cells(&self) -> &T {
        &self.cells
    }

    /// What happened to them.
    pub fn summary(&self) -> &Summary {
        &self.summary
    }

    /// The cells, to be put on the wire.
    pub fn into_inner(self) -> T {
        self.cells
    }
}

impl<T> fmt::Debug for Unprotected<T> {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unprotected(..)")
    }
}

impl<T> fmt::Debug for Protected<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Protected({:?})", self.summary)
    }
}

/// Withholds what must not leave. The rules, and what they do not cover, are described for the [whole crate](crate).
///
/// O(cells · (log cells + measures · groups)). Deterministic: depends on nothing but the cells and the protections.
pub fn protect<T: Cells>(unprotected: Unprotected<T>, protections: &Protections) -> Protected<T> {
    let Unprotected(mut cells) = unprotected;
    let units: Vec<u64> = (0..cells.len()).map(|cell| cells.units(cell)).collect();
    // The order in which cells are withheld for the sake of others: the fewest units first, of equals the first.
    let mut smallest_first: Vec<usize> = (0..cells.len()).collect();
    smallest_first.sort_by_key(|cell| units.get(*cell));

    let order =
        Order { units: &units, smallest_first: &smallest_first, min_units: protections.min_units };
    let mut withheld: Vec<bool> =
        units.iter().map(|units| *units < protections.min_units).collect();
    order.withhold_complements_of(&withheld.clone(), &mut withheld);

    let mut summary = Summary { cells: count(cells.len()), ..Summary::default() };
    summary.suppressed_cells = count(withheld.iter().filter(|withheld| **withheld).count());

    for measures in groups(&cells) {
        let withheld_here =
            measure_group(&cells, &measures, &withheld, &order, protections.p_percent);
        for (cell, (here, whole)) in withheld_here.iter().zip(&withheld).enumerate() {
            if *here && !*whole {
                for measure in &measures {
                    cells.withhold_measure(cell, *measure);
                }
                summary.suppressed_measures += count(measures.len());
            }
        }
    }
    for (cell, withheld) in withheld.iter().enumerate() {
        if *withheld {
            cells.withhold_cell(cell);
        }
    }
    Protected { cells, summary }
}

/// The cells in which the measures of a group are withheld; those that are `withheld` as a whole are among them.
fn measure_group<T: Cells>(
    cells: &T,
    measures: &[usize],
    withheld: &[bool],
    order: &Order<'_>,
    p_percent: u32,
) -> Vec<bool> {
    let remainders: Vec<f64> =
        (0..cells.len()).map(|cell| remainder(cells, cell, measures)).collect();
    let limit = f64::from(p_percent) / 100.0;
    let mut here: Vec<bool> = withheld
        .iter()
        .zip(&remainders)
        .map(|(withheld, remainder)| *withheld || *remainder < limit)
        .collect();
    // The complements are chosen as if only the cells were withheld that the weakest protections withhold. Chosen for
    // all of them, a stricter p% could withhold two cells that hide each other, and show the complement that a weaker
    // p% needed to hide one of them.
    let weakest = if withheld.contains(&true) {
        f64::NEG_INFINITY
    } else {
        remainders.iter().copied().fold(f64::INFINITY, f64::min)
    };
    let first: Vec<bool> = here
        .iter()
        .zip(withheld.iter().zip(&remainders))
        .map(|(here, (withheld, remainder))| *here && (*withheld || *remainder <= weakest))
        .collect();
    order.withhold_complements_of(&first, &mut here);
    here
}

/// In which order cells are withheld for the sake of others, and for how long.
struct Order<'a> {
    units: &'a [u64],
    smallest_first: &'a [usize],
    min_units: u64,
}

impl Order<'_> {
    /// Withholds the smallest cells until, together with the `first` ones, they hide each other: none, all, or at least
    /// two cells that have `min_units` units together. O(cells).
    fn withhold_complements_of(&self, first: &[bool], withheld: &mut [bool]) {
        let hidden = || first.iter().zip(self.units).filter(|(first, _)| **first);
        let mut cells = hidden().count();
        if cells == 0 {
            return;
        }
        let mut units = hidden().fold(0_u64, |sum, (_, units)| sum.saturating_add(*units));
        for cell in self.smallest_first {
            if cells >= 2 && units >= self.min_units {
                return;
            }
            if first.get(*cell) == Some(&false) {
                cells += 1;
                units = units.saturating_add(self.units.get(*cell).copied().unwrap_or_default());
            }
            if let Some(withheld) = withheld.get_mut(*cell) {
                *withheld = true;
            }
        }
    }
}

/// The measures of each group, in the order in which the groups appear.
fn groups<T: Cells>(cells: &T) -> Vec<Vec<usize>> {
    let mut groups: Vec<(usize, Vec<usize>)> = Vec::new();
    for measure in 0..cells.measures() {
        let group = cells.group(measure);
        match groups.iter_mut().find(|(other, _)| *other == group) {
            Some((_, measures)) => measures.push(measure),
            None => groups.push((group, vec![measure])),
        }
    }
    groups.into_iter().map(|(_, measures)| measures).collect()
}

/// The least remainder of the group's measures in this cell.
fn remainder<T: Cells>(cells: &T, cell: usize, measures: &[usize]) -> f64 {
    measures
        .iter()
        .filter_map(|measure| cells.contributions(cell, *measure))
        .map(|contributions| contributions.remainder())
        .fold(f64::INFINITY, f64::min)
}

impl Contributions {
    /// What remains of the total without the two largest contributions, as a part of the largest: unsafe below
    /// `p / 100`. Infinite where everything is zero; negative infinity for what cannot be judged: infinite or missing
    /// numbers, negative ones, a second contribution over the largest, or a total below the two largest.
    ///
    /// A quotient, not `rest < p / 100 * largest`: a division rounds a remainder of exactly p% to the same number as
    /// `p / 100`, a multiplication does not.
    pub(crate) fn remainder(&self) -> f64 {
        let Self { total, largest, second } = *self;
        // No comparison with NaN holds.
        let can_be_judged =
            total.is_finite() && 0.0 <= second && second <= largest && largest + second <= total;
        if !can_be_judged {
            f64::NEG_INFINITY
        } else if largest == 0.0 {
            f64::INFINITY
        } else {
            (total - largest - second) / largest
        }
    }
}

fn count(count: usize) -> u64 {
    u64::try_from(count).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
