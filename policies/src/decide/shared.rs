//! How a grant shares what a measure is about: as the document says, or as a level of what it shares.

use super::{Said, level_said};
use crate::catalogue::{COUNTRY_COLUMN, Dataset};
use crate::document::{Grant, Share};
use crate::shape::LevelRef;
use mayag_protocol::names::ColumnName;

/// How a grant shares a column.
pub(super) enum Shared<'a> {
    As(&'a Share),
    /// The implied column `country`.
    Country,
    /// A level of a column that is shared at this level or a finer one.
    Level,
    No,
}

pub(super) fn share<'a>(grant: &'a Grant, dataset: &Dataset, name: &ColumnName) -> Shared<'a> {
    if name.as_str() == COUNTRY_COLUMN {
        return Shared::Country;
    }
    // A policy is checked against the catalogue when it is read; a column that has left it since is not shared.
    if dataset.column(name.as_str()).is_some() {
        return grant.columns.get(name).map_or(Shared::No, Shared::As);
    }
    match level_said(grant, dataset, &LevelRef { column: name.clone(), grain: None }) {
        Said::Yes => Shared::Level,
        Said::AggregateNotShared | Said::ColumnNotShared | Said::TooFine(_) => Shared::No,
    }
}
