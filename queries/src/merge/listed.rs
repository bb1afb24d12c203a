//! Whether a part lists the cells that it says it lists.
//!
//! Which cells are listed must say nothing about the data: either all of a public domain, or only those that show
//! something, and then nothing may be read from the absence of the others.

use super::{MergeError, statuses};
use crate::release::Release;
use arrow::array::RecordBatch;
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::CellStatus;

/// Checks the rows of a part (read by [`super::read_part`]) against what its country signed about them.
pub fn check_listed(
    release: &Release,
    listed: Listed,
    cells: &RecordBatch,
) -> Result<(), MergeError> {
    match listed {
        Listed::All => Ok(()),
        Listed::Shown => shown(release, cells),
    }
}

/// A row in which everything is withheld would say that there is something: it is not listed.
fn shown(release: &Release, cells: &RecordBatch) -> Result<(), MergeError> {
    let statuses = (0..release.wire.len()).map(|i| statuses(cells, i));
    let statuses = statuses.collect::<Result<Vec<_>, _>>()?;
    let withheld = CellStatus::Suppressed.byte();
    let empty = |row: usize| statuses.iter().all(|statuses| statuses.value(row) == withheld);
    if !statuses.is_empty() && (0..cells.num_rows()).any(empty) {
        return Err(MergeError::Listed);
    }
    Ok(())
}
