//! What protections are told of a cell besides numbers: what it is, whatever the spelling of the question, and what its
//! keys say.

use super::failure::WorkFailure;
use mayag_audit::keys::sha256;
use mayag_disclosure::{Descriptor, KeyKind};
use mayag_policies::catalogue::{Dataset, Kind, Named};
use mayag_policies::shape::{Comparison, LevelRef, Literal, Predicate};
use mayag_protocol::names::unhex;
use mayag_queries::descriptor::RowSets;

/// A part of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// All of it.
    Everything,
    /// The rows that do not pass.
    Except(&'a Predicate),
    /// The rows that pass.
    Where(&'a Predicate),
}

/// What a part of the cell with this key is: equal for equal rows, whatever the spelling.
pub(super) fn descriptor(
    sets: &RowSets<'_>,
    key: &[Option<Literal>],
    part: Part<'_>,
) -> Result<Descriptor, WorkFailure> {
    let (word, filter) = match part {
        Part::Everything | Part::Where(_) => (&b"of"[..], part.filter()),
        // What is left out is described by what is left in: nothing else asks for exactly those rows.
        Part::Except(_) => (&b"except"[..], part.filter()),
    };
    let rows = sets.descriptor(filter, key).ok_or(WorkFailure::Broken)?;
    let digest = sha256(&[word, &rows].concat());
    let bytes = unhex(digest.as_str()).ok_or(WorkFailure::Broken)?;
    bytes.first_chunk().copied().map(Descriptor).ok_or(WorkFailure::Broken)
}

impl<'a> Part<'a> {
    fn filter(self) -> Option<&'a Predicate> {
        match self {
            Self::Everything => None,
            Self::Except(filter) | Self::Where(filter) => Some(filter),
        }
    }
}

/// Whether a key says something of units, or when and where they were recorded, or nothing because the filter fixes it.
pub(super) fn key_kind(dataset: &Dataset, level: &LevelRef, filter: &Predicate) -> KeyKind {
    match dataset.named(level) {
        Some(Named::Country | Named::Period(..)) => KeyKind::Frame,
        Some(Named::Coarser(column, _) | Named::Plain(column))
            if matches!(column.kind, Kind::Date {}) =>
        {
            KeyKind::Frame
        }
        Some(Named::Coarser(..) | Named::Plain(_)) | None => {
            if is_fixed(filter, level) {
                KeyKind::Frame
            } else {
                KeyKind::Category
            }
        }
    }
}

/// Whether a filter leaves one value of a level.
fn is_fixed(filter: &Predicate, of: &LevelRef) -> bool {
    match filter {
        Predicate::All(parts) => parts.iter().any(|part| is_fixed(part, of)),
        Predicate::Compare { level, comparison: Comparison::Equal, value: _ }
        | Predicate::IsNull { level } => level == of,
        Predicate::In { level, values } => level == of && values.len() == 1,
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Not(_) => false,
    }
}

#[cfg(test)]
mod tests;
