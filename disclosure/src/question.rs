//! The protections of a whole question: everything that its releases show is judged together, because the person who
//! asked sees it together.

use crate::guard::{DataVersion, Earlier, Remembered};
use crate::noise::Prf;
use crate::protection::{Protected, Protections, Summary, Unprotected};
use crate::table::Table;

/// What the cells of a release are cells of, and how they are protected.
#[derive(Debug, Clone, PartialEq)]
pub struct ReleaseContext {
    /// The dataset's name. Releases of the same dataset share their atoms.
    pub dataset: String,
    /// Which data it was computed from.
    pub version: DataVersion,
    /// What the grant asks for.
    pub protections: Protections,
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

/// Protects the releases of one question together. What is withheld and why is described for the [whole crate](crate).
///
/// Nobody else may protect cells of the same dataset between this call and the moment when `earlier` knows the records
/// of its result: of two questions at once each would be judged without the other.
pub fn protect_question<T: Table>(
    releases: Vec<(Unprotected<T>, ReleaseContext)>,
    _secret: &dyn Prf,
    _earlier: &dyn Earlier,
) -> Question<T> {
    let releases = releases
        .into_iter()
        .map(|(Unprotected(mut cells), context)| {
            let summary = withhold_small(&mut cells, &context.protections);
            Protected { cells, summary }
        })
        .collect();
    Question { releases, records: Vec::new() }
}

fn withhold_small<T: Table>(cells: &mut T, protections: &Protections) -> Summary {
    let mut summary = Summary::default();
    for cell in 0..cells.len() {
        summary.cells += 1;
        let small = protections.noise.is_some()
            || (0..cells.unit_kinds())
                .any(|kind| cells.units_of(cell, 0, kind) < protections.min_units);
        if small {
            cells.withhold_cell(cell);
            summary.suppressed_cells += 1;
        }
    }
    summary
}
