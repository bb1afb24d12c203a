//! Protects the cells of a question before they leave a country. Pure: numbers come in through [`Cells`] and [`Table`], the
//! same cells come out with some of them withheld and others made noisy; nothing here knows Arrow, SQL, files or secrets.
//!
//! [`protect_question`] (and for one exact release [`protect`]) is the only way from an [`Unprotected`] to a [`Protected`],
//! and only a `Protected` gives its cells away.
//!
//! # What happens to a question
//!
//! In this order, over all its releases; each step sees what the steps before it withheld.
//!
//! 1. **Small cells** are withheld: fewer than `min_units` distinct units of any kind; none at all is treated like few. The same for
//!    the rows that a measure's `FILTER` keeps, and for those that it leaves out.
//! 2. **One category**: where one value of a category key holds at least `one_category_percent` of the units of a group
//!    (same other keys) of at least `min_units`, the group's cells are withheld: the value would be news of each of them.
//! 3. **Difference guard** ([`Earlier`], [`Memory`]): a cell whose units differ from those of another cell by fewer than
//!    about [`APART`] times `min_units`, none included, is withheld: both, if they are of this question; the new one, if the other was released
//!    before of the same version of the data. The same cell ([`Descriptor`]) again passes. Differences are
//!    estimated by sketches ([`UnitSet`]); that a difference below `min_units` passes has a chance of less than 1 in 1000 per pair.
//! 4. **Complements** (module `complement`): no withheld cell follows from everything that is shown together and the totals of
//!    the releases (rank), none is bounded within fewer than `min_units` (interval), no cell that is small looks different
//!    from an empty one, and no difference of shown cells is a group of fewer than `min_units`. A count of values is a count of the rows
//!    that have one, where atoms tell which these are.
//! 5. **Dominated sums**, where values are exact: p%-rule `X - x1 - x2 < p/100 * x1`, and (n,k): the n largest hold more than
//!    k percent. Everything derived from the same column is withheld with them ([`Cells::group`]), and complements as in 4.
//! 6. **Noise** on every value that is left, if the grant says so ([`NoiseLevel`]): numbers of units by a cell key table
//!    ([`CellKeyTable`]), everything else by as many times its public bound per unit, on a public [`grid`]. The draw is a
//!    function of the secret, the data's version, the set of units and the statistic: the same however often and however asked.
//! 7. **Rounding** of counts to a multiple.
//!
//! With noise, every decision sees the noisy number of units, and the true one only as a floor: a cell is shown if it has
//! `min_units` and its noisy number is at least `min_units + largest`. There are no dominance rules then, because to
//! withhold a sum for its largest contribution says something of that one; contributions are clamped and noise is scaled
//! to the bound instead. Complements are judged by rank, and each equation by what is noisily left.
//!
//! No decision depends on the order of cells or releases, nor on anything but the arguments. What is unsafe by itself (1, 2, 5) under
//! some `min_units` and `p_percent` is withheld under larger ones too. Complements have no such order: where more is unsafe, other cells, or
//! fewer, may serve as complements. ([`protect`], with its one total, is monotone.)
//!
//! # What is not covered
//!
//! * **Informed adversaries**: who knows all but one unit of a cell learns about that one what noise does not hide, and a noise of variance 3
//!   hides little from somebody with many independent cells: the effective rho is `cells / (2 V)`.
//! * **More than two cells of several questions**: the guard compares pairs. A sum of three earlier cells less a fourth may
//!   be a small group; noise adds up over them, and nothing else protects it. Where noise and guard are off (no person as unit), several questions are
//!   not compared at all.
//! * **Repeated statistics**: two names for one number are two draws, and their mean is closer. Columns without nulls should
//!   share a name ([`Measure::statistic`]).
//! * **The algorithm itself**: who knows that complements are the smallest cells that serve may conclude from which cells are
//!   withheld, more narrowly than the intervals say.
//! * **Overlapping units**: interval tests add units up as if every unit were in one cell of a release; where numbers
//!   contradict that they bound nothing, and the rank test is what is left. The share of one category counts a unit in every cell it is in.
//! * **Very large questions**: beyond [`UNKNOWNS`] unknowns or [`EQUATIONS`] equations that hang together, exact releases lose
//!   their margins where anything is withheld; what is left, and noisy ones, are judged one equation at a time.
//! * **Dominance over several cells**: the p%-rule is not applied to what withheld sums add up to, only to its bounds.
//! * **One unit that knows itself** takes part in the rank test where it is alone in a cell, not as one of two.
//! * **Zeros**: an exact sum of zero over enough units says that each contributes nothing.
//! * **Rounding** without noise is to the nearest multiple: of one difference of one unit it shows every `round_to`-th.
//! * **Time**: a new version of the data is new noise, and no guard compares versions.
//!
//! # One release, exactly
//!
//! ```
//! use mayag_disclosure::{Cells, Contributions, Protections, Unprotected, protect};
//!
//! /// Incidents of each drug: units, and the mass with its two largest contributions.
//! struct ByDrug {
//!     units: Vec<u64>,
//!     mass: Vec<Option<(f64, f64, f64)>>,
//! }
//!
//! impl Cells for ByDrug {
//!     fn len(&self) -> usize {
//!         self.units.len()
//!     }
//!     fn units(&self, cell: usize) -> u64 {
//!         self.units[cell]
//!     }
//!     fn measures(&self) -> usize {
//!         1
//!     }
//!     fn group(&self, measure: usize) -> usize {
//!         measure
//!     }
//!     fn contributions(&self, cell: usize, _: usize) -> Option<Contributions> {
//!         self.mass[cell].map(|(total, largest, second)| Contributions { total, largest, second })
//!     }
//!     fn withhold_cell(&mut self, cell: usize) {
//!         self.units[cell] = 0;
//!         self.mass[cell] = None;
//!     }
//!     fn withhold_measure(&mut self, cell: usize, _: usize) {
//!         self.mass[cell] = None;
//!     }
//! }
//!
//! let cells = ByDrug {
//!     units: vec![900, 800, 40, 3],
//!     mass: vec![Some((5000.0, 90.0, 80.0)), Some((9.1, 9.0, 0.05)), Some((70.0, 4.0, 3.0)), Some((2.0, 1.0, 0.5))],
//! };
//! let protected = protect(Unprotected::new(cells), &Protections::exact(10, 10));
//! // The fourth cell is small, and the third goes with it: otherwise a known total would give the fourth away. The mass
//! // of the second comes from one incident; with the masses of the other two it is one of three that are withheld.
//! assert_eq!(protected.cells().units, [900, 800, 0, 0]);
//! assert_eq!(protected.cells().mass, [Some((5000.0, 90.0, 80.0)), None, None, None]);
//! let summary = protected.summary();
//! assert_eq!((summary.cells, summary.suppressed_cells, summary.suppressed_measures), (4, 2, 1));
//! ```

mod complement;
mod guard;
mod noise;
mod primary;
mod protection;
mod question;
mod table;
mod units;

pub use complement::{EQUATIONS, UNKNOWNS};
pub use guard::{APART, DataVersion, Descriptor, Earlier, Memory, Remembered};
pub use noise::{CellKeyTable, Entry, NoiseLevel, Prf, TableSpec, grid};
pub use protection::{
    Cells, Contributions, DifferenceGuard, Dominance, Protected, Protections, Summary, Unprotected,
    protect,
};
pub use question::{Question, ReleaseContext, protect_question};
pub use table::{KeyKind, Measure, Number, Table, ValueKind};
pub use units::{COUNTERS, UnitDigest, UnitSet};
