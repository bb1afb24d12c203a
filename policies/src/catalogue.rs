//! The catalogue: datasets with the same name and columns in every country, defined once.
//!
//! A node maps its own tables to a dataset with a view; the planner knows datasets only from here. The column `country`
//! exists in every dataset without being listed: it is the answering country's code, and always a dimension.

use crate::shape::Grain;
use mayag_protocol::names::{ColumnName, DatasetName};
use mayag_protocol::strict::{self, StrictError};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The longest catalogue that is read.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// The column that every dataset has: the answering country's code.
pub const COUNTRY_COLUMN: &str = "country";

/// Digits in all that a decimal measure may have at most, so that a sum of 10^10 rows fits the 38 digits of the wire.
pub const MOST_DIGITS: u8 = 28;

/// The catalogue that ships with the product.
const BUILTIN: &str = include_str!("../catalogue/catalogue.json");

/// All datasets of a federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Catalogue {
    /// Version of the catalogue; grows with every change.
    pub version: u64,
    /// The datasets.
    pub datasets: Vec<Dataset>,
}

/// A table with the same name and columns in every country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name, also in SQL.
    pub name: DatasetName,
    /// What one row is.
    pub about: String,
    /// What it protects.
    pub unit: Unit,
    /// Its columns.
    pub columns: Vec<Column>,
}

/// The entity a dataset protects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// The column whose distinct values are counted.
    pub column: ColumnName,
    /// Whether every row is a unit of its own, in every country. Checked by nodes when they start.
    #[serde(default)]
    pub unique: bool,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name.
    pub name: ColumnName,
    /// What it holds.
    pub about: String,
    /// What kind of values, and what they can be used for at most.
    pub kind: Kind,
    /// The unit of its numbers, such as `lb`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unit: Option<String>,
}

/// What a column holds and what it can be used for at most. A policy narrows it, never widens it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "type")]
pub enum Kind {
    /// A text from a list; a dimension. SQL type `VARCHAR`.
    Category {
        /// The values, if the list is closed.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        values: Option<Vec<String>>,
    },
    /// A date; a dimension by grain. SQL type `DATE`.
    Date {},
    /// A text that never leaves a node and exists in no plan. SQL type `VARCHAR`.
    Hidden {},
    /// A number that is aggregated. SQL type by `number`.
    Measure {
        /// Its type.
        number: Number,
        /// A public value near the mean, around which squares are summed so that variances keep their digits.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        center: Option<i64>,
    },
    /// A whole number that is a dimension, such as a year. SQL type `BIGINT`.
    Number {},
    /// The identifier of a unit: inside `count(DISTINCT ..)` and `count(..)` only. SQL type `VARCHAR`.
    Unit {},
}

/// The types of measures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Number {
    /// Fixed point: `DECIMAL(precision, scale)`; sums are exact.
    Decimal {
        /// Digits in all, 1..=28, so that a sum of 10^10 rows still fits.
        precision: u8,
        /// Digits after the point.
        scale: i8,
    },
    /// 64-bit floating point: `DOUBLE`.
    Float,
    /// 64-bit integer: `BIGINT`; sums are exact, an overflow fails.
    Integer,
}

/// Why a catalogue is not used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueError {
    /// It contradicts itself.
    #[error("catalogue, {place}: {fault}")]
    Inconsistent {
        /// The dataset, or the dataset and the column.
        place: String,
        /// What is wrong there.
        fault: CatalogueFault,
    },
    /// It is not the JSON of a catalogue.
    #[error("catalogue, {0}")]
    Unreadable(#[from] StrictError),
}

/// What is wrong at one place of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CatalogueFault {
    /// A closed list that names a value twice or none at all.
    #[error("the list of values is empty or names one twice")]
    ClosedList,
    /// A decimal whose sums might not fit, or whose scale is outside its precision.
    #[error("a decimal has 1 to 28 digits and a scale from 0 to its number of digits")]
    DecimalBounds,
    /// The same name twice.
    #[error("the name is used twice")]
    Duplicate,
    /// The implied column is listed.
    #[error("the column `country` is implied in every dataset and never listed")]
    ImpliedColumn,
    /// The unit column does not exist or is of another kind, or another column is of the unit's kind.
    #[error("the unit needs exactly one column of kind unit, and this is another or none")]
    UnitColumn,
}

impl Catalogue {
    /// The catalogue that ships with the product.
    #[expect(
        clippy::missing_panics_doc,
        reason = "it cannot: the text is compiled in, and a test reads it"
    )]
    pub fn builtin() -> Self {
        #[expect(clippy::expect_used, reason = "the text is compiled in, and a test reads it")]
        Self::parse(BUILTIN.as_bytes()).expect("the built-in catalogue is valid")
    }

    /// Reads a catalogue and checks that it does not contradict itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatalogueError> {
        let catalogue: Self = strict::parse(bytes, LONGEST)?;
        let mut names = BTreeSet::new();
        for dataset in &catalogue.datasets {
            if !names.insert(&dataset.name) {
                return Err(CatalogueError::at(dataset, None, CatalogueFault::Duplicate));
            }
            dataset.check()?;
        }
        Ok(catalogue)
    }

    /// The dataset of this name.
    pub fn dataset(&self, name: &str) -> Option<&Dataset> {
        self.datasets.iter().find(|dataset| dataset.name.as_str() == name)
    }
}

impl CatalogueError {
    fn at(dataset: &Dataset, column: Option<&Column>, fault: CatalogueFault) -> Self {
        let place = match column {
            Some(column) => format!("dataset `{}`, column `{}`", dataset.name, column.name),
            None => format!("dataset `{}`", dataset.name),
        };
        Self::Inconsistent { place, fault }
    }
}

impl Dataset {
    /// The column of this name; `None` for the implied column `country`.
    pub fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|column| column.name.as_str() == name)
    }

    fn check(&self) -> Result<(), CatalogueError> {
        let mut names = BTreeSet::new();
        for column in &self.columns {
            let fault = if column.name.as_str() == COUNTRY_COLUMN {
                Some(CatalogueFault::ImpliedColumn)
            } else if !names.insert(&column.name) {
                Some(CatalogueFault::Duplicate)
            } else if matches!(column.kind, Kind::Unit {}) && column.name != self.unit.column {
                Some(CatalogueFault::UnitColumn)
            } else {
                column.kind.fault()
            };
            if let Some(fault) = fault {
                return Err(CatalogueError::at(self, Some(column), fault));
            }
        }
        match self.column(self.unit.column.as_str()).map(|column| &column.kind) {
            Some(Kind::Unit {}) => Ok(()),
            Some(
                Kind::Category { .. }
                | Kind::Date {}
                | Kind::Hidden {}
                | Kind::Measure { .. }
                | Kind::Number {},
            )
            | None => Err(CatalogueError::at(self, None, CatalogueFault::UnitColumn)),
        }
    }
}

impl Kind {
    /// The finest grain at which the column can be a level: `Some(None)` for a level without grain, `None` for a column
    /// that is no level at all.
    #[expect(
        clippy::option_option,
        reason = "no level, a level without grain and a level with one are three answers"
    )]
    pub fn finest(&self) -> Option<Option<Grain>> {
        match self {
            Self::Category { .. } | Self::Number {} => Some(None),
            Self::Date {} => Some(Some(Grain::Day)),
            Self::Hidden {} | Self::Measure { .. } | Self::Unit {} => None,
        }
    }

    fn fault(&self) -> Option<CatalogueFault> {
        match self {
            Self::Category { values: Some(values) } => {
                let distinct: BTreeSet<&String> = values.iter().collect();
                (values.is_empty() || distinct.len() < values.len())
                    .then_some(CatalogueFault::ClosedList)
            }
            Self::Measure { number: Number::Decimal { precision, scale }, .. } => {
                let scale_fits = u8::try_from(*scale).is_ok_and(|scale| scale <= *precision);
                let fits = (1..=MOST_DIGITS).contains(precision) && scale_fits;
                (!fits).then_some(CatalogueFault::DecimalBounds)
            }
            Self::Category { values: None }
            | Self::Date {}
            | Self::Hidden {}
            | Self::Measure { number: Number::Float | Number::Integer, .. }
            | Self::Number {}
            | Self::Unit {} => None,
        }
    }
}

#[cfg(test)]
mod tests;
