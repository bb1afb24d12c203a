//! Whether a part lists the cells that it says it lists.
//!
//! Which cells are listed must say nothing about the data: either all of a public domain, or only those that show
//! something, and then nothing may be read from the absence of the others.

use super::{MergeError, Part, column, statuses};
use crate::domains::{combinations, domains};
use crate::release::Release;
use arrow::array::{ArrayRef, AsArray, RecordBatch};
use arrow::datatypes::{Date32Type, Int64Type};
use mayag_policies::catalogue::Dataset;
use mayag_policies::shape::Literal;
use mayag_protocol::answer::Listed;
use mayag_protocol::columns::{CellStatus, key_column};
use std::collections::BTreeSet;

/// Checks the rows of a part (read by [`super::read_part`], so that no key is there twice) against what its country
/// signed about them.
pub fn check_listed(release: &Release, dataset: &Dataset, part: &Part) -> Result<(), MergeError> {
    match part.listed {
        Listed::All => all(release, dataset, part),
        Listed::Shown => shown(release, &part.cells),
    }
}

/// As many rows as there are combinations, each of them another one, are all of them.
fn all(release: &Release, dataset: &Dataset, part: &Part) -> Result<(), MergeError> {
    let domains = domains(release, dataset, &part.country);
    if combinations(&domains) != Some(part.cells.num_rows()) {
        return Err(MergeError::Listed);
    }
    for (i, domain) in domains.iter().flatten().enumerate() {
        let public: BTreeSet<Option<&Literal>> = domain.iter().map(Option::as_ref).collect();
        let keys = literals(column(&part.cells, &key_column(i))?).ok_or(MergeError::Layout)?;
        if keys.iter().any(|key| !public.contains(&key.as_ref())) {
            return Err(MergeError::Listed);
        }
    }
    Ok(())
}

/// The values of a key column; `None` for a type that no key has.
pub fn literals(keys: &ArrayRef) -> Option<Vec<Option<Literal>>> {
    if let Some(texts) = keys.as_string_opt::<i32>() {
        let text = |text: Option<&str>| text.map(|text| Literal::Text(text.to_owned()));
        return Some(texts.iter().map(text).collect());
    }
    if let Some(days) = keys.as_primitive_opt::<Date32Type>() {
        return Some(days.iter().map(|day| day.map(Literal::Date)).collect());
    }
    let whole = keys.as_primitive_opt::<Int64Type>()?;
    Some(whole.iter().map(|number| number.map(Literal::Int)).collect())
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
