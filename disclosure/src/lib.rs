//! Protects the cells of a release before they leave a country. Pure: numbers come in through [`Cells`], the same cells
//! come out with some of them withheld; nothing here knows Arrow, SQL or files.
//!
//! [`protect`] is the only way from an [`Unprotected`] to a [`Protected`], and only a `Protected` gives its cells away.
//!
//! # What is withheld
//!
//! * **Small cells**: a cell of fewer than `min_units` distinct units; none at all is treated like few.
//! * **Dominated sums** (p%-rule): with a cell's contributions per unit `x1 >= x2 >= ..` and their total `X`, the sum is
//!   withheld if `X - x1 - x2 < p/100 * x1`, because the second largest contributor could estimate the largest too
//!   closely. Everything that is derived from the same column is withheld with it ([`Cells::group`]).
//! * **Complements inside the release**: if some cells are withheld and others are not, the withheld ones together must
//!   be at least two cells of at least `min_units` units; otherwise the cell with the fewest units (of equals the first)
//!   is withheld too, then the next, until they are or no cell is left. The same per group of measures, where the cells
//!   to be hidden by others are those that the weakest protections would withhold. So somebody who knows a total and
//!   subtracts every cell that is shown learns the sum of at least two cells, never one cell.
//!
//! Stricter protections never show more: neither a larger `min_units` nor a larger `p_percent` shows a value that the
//! smaller one withholds.
//!
//! # What is not covered
//!
//! The complements treat one release as one flat list of cells with one total. They do **not** cover
//!
//! * margins: releases of the same rows grouped by fewer or other keys, or subtotals within one release that somebody
//!   knows (the withheld cells of one month may be a single cell, and the sum of that month may be known);
//! * dominance over several cells: the p%-rule is not applied to what the withheld cells add up to;
//! * zeros: a sum of exactly zero over enough units says that each contributes nothing;
//! * bounds: the sum of two withheld cells bounds each of them where values cannot be negative, and one of two withheld
//!   units in different cells can subtract its own;
//! * several questions, several versions of the data, and filters that differ by one unit;
//! * one unit that appears in several cells: units are added over cells as if they were distinct;
//! * noise: what is shown is exact.
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
