//! The catalogue: datasets with the same name and columns in every country, defined once.
//!
//! A node maps its own tables to a dataset with a view; the planner knows datasets only from here. The column `country`
//! exists in every dataset without being listed: it is the answering country's code, and always a dimension.

mod check;
mod domain;
mod join;
mod level;
mod units;

pub use domain::{LARGEST_DOMAIN, Range};
pub(crate) use domain::{first_day, first_day_after};
pub use join::{Join, Joined, written_name};
pub use level::{Bins, Level, LevelRule, Named};
pub use units::{Unit, Units};

use crate::shape::{Grain, LevelRef};
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

/// The catalogue of all the datasets that police forces of several countries would hold.
const DOMAIN: &str = include_str!("../catalogue/domain.json");

/// All datasets of a federation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "Written")]
pub struct Catalogue {
    /// Version of the catalogue; grows with every change.
    pub version: u64,
    /// The datasets.
    pub datasets: Vec<Dataset>,
    /// The joined datasets, which questions are planned and decided against: made once, when the catalogue is read.
    #[serde(skip)]
    joined: Vec<Dataset>,
}

/// A catalogue as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    version: u64,
    datasets: Vec<Dataset>,
}

impl From<Written> for Catalogue {
    fn from(Written { version, datasets }: Written) -> Self {
        let catalogue = Self { version, datasets, joined: Vec::new() };
        Self { joined: catalogue.all_joined(), ..catalogue }
    }
}

/// A table with the same name and columns in every country.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name, also in SQL.
    pub name: DatasetName,
    /// What one row is.
    pub about: String,
    /// The entities it protects; the first is the one that people may count.
    pub units: Units,
    /// Its columns.
    pub columns: Vec<Column>,
    /// The other datasets that its rows may be joined with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joins: Vec<JoinPath>,
    /// What it was made of, if it is a declared join of two datasets. Never written.
    #[serde(skip)]
    pub joined: Option<Joined>,
}

/// A declared way to join two datasets on columns that both have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JoinPath {
    /// The other dataset.
    pub with: DatasetName,
    /// The columns whose values are equal, named alike in both.
    pub on: Vec<ColumnName>,
    /// Whether one row here may meet several rows there.
    #[serde(default)]
    pub many: bool,
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
    /// Whether every row has a value, in every country.
    #[serde(default, skip_serializing_if = "is_false")]
    pub required: bool,
    /// Whether it helps to single out a person together with other such columns, as sex and place of birth do.
    #[serde(default, skip_serializing_if = "is_false")]
    pub quasi: bool,
    /// The values a date or a number to group by can have, known to everybody. No row is outside, in any country.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub range: Option<Range>,
    /// Coarser views of its values, from finest to coarsest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub levels: Vec<Level>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_false(value: &bool) -> bool {
    !*value
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
    /// A name that could be one of a joined dataset.
    #[error("a name has no two underlines in a row: they are for joins")]
    ReservedName,
    /// A level whose virtual column has the name of another column, or no name that SQL can use.
    #[error(
        "a level's column would have the name of another column, or no name of lower-case letters, digits and `_`"
    )]
    LevelName,
    /// A level that does not fit the kind of its column, or does not say for every value what it becomes.
    #[error("the rule of the level does not fit the column, or leaves some of its values out")]
    LevelRule,
    /// A level that would split what a finer one holds together.
    #[error("the level is not a coarser view of the one before it")]
    LevelsNotNested,
    /// The implied column is listed.
    #[error("the column `country` is implied in every dataset and never listed")]
    ImpliedColumn,
    /// A join with an unknown dataset, on no column, or on one that is not in both with the same type.
    #[error("a join needs another dataset of the catalogue and columns that both have")]
    Join,
    /// A unit that is a person after one that is not: noise is scaled to what one unit of the first kind contributes.
    #[error("units that are persons come before units that are not")]
    PersonsFirst,
    /// A range of a column that has none, that is not of its type, or that is empty.
    #[error("only a date or a number to group by has a range, and the range is not empty")]
    Range,
    /// A unit's column does not exist or is of another kind, or a column of the unit's kind is no unit.
    #[error("every unit needs a column of kind unit, and every such column is a unit")]
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

    /// The wide catalogue that ships with the product: thirteen datasets, some of which protect persons.
    #[expect(
        clippy::missing_panics_doc,
        reason = "it cannot: the text is compiled in, and a test reads it"
    )]
    pub fn domain_pack() -> Self {
        #[expect(clippy::expect_used, reason = "the text is compiled in, and a test reads it")]
        Self::parse(DOMAIN.as_bytes()).expect("the domain pack is valid")
    }

    /// Reads a catalogue and checks that it does not contradict itself.
    pub fn parse(bytes: &[u8]) -> Result<Self, CatalogueError> {
        let catalogue: Self = strict::parse(bytes, LONGEST)?;
        let mut names = BTreeSet::new();
        for dataset in &catalogue.datasets {
            if !names.insert(&dataset.name) {
                return Err(CatalogueError::at(dataset, None, CatalogueFault::Duplicate));
            }
            check::dataset(dataset, &catalogue)?;
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

    /// The unit that people may count: the first.
    pub fn unit(&self) -> &Unit {
        self.units.first()
    }

    /// Whether it protects persons.
    pub fn has_person_unit(&self) -> bool {
        self.units.iter().any(|unit| unit.person)
    }

    /// The column and the level behind the name of a virtual column, such as `hs6_chapter`.
    pub fn level(&self, name: &str) -> Option<(&Column, &Level)> {
        self.columns.iter().find_map(|column| {
            let level = name.strip_prefix(column.name.as_str())?.strip_prefix('_')?;
            let level = column.levels.iter().find(|of| of.name.as_str() == level)?;
            Some((column, level))
        })
    }

    /// What people group and filter by under this name; `None` for what is no level.
    pub fn named(&self, level: &LevelRef) -> Option<Named<'_>> {
        if level.column.as_str() == COUNTRY_COLUMN {
            return level.grain.is_none().then_some(Named::Country);
        }
        let Some(column) = self.column(level.column.as_str()) else {
            let (column, of) = self.level(level.column.as_str())?;
            return level.grain.is_none().then_some(Named::Coarser(column, of));
        };
        match (&column.kind, level.grain) {
            (Kind::Date {}, grain) => Some(Named::Period(column, grain.unwrap_or(Grain::Day))),
            (Kind::Category { .. } | Kind::Number {}, None) => Some(Named::Plain(column)),
            (Kind::Category { .. } | Kind::Number {}, Some(_))
            | (Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {}, _) => None,
        }
    }
}

impl Column {
    /// The name of the virtual column of one of its levels. `None` only for names that no catalogue that was read has.
    pub fn virtual_name(&self, level: &Level) -> Option<ColumnName> {
        format!("{}_{}", self.name, level.name).parse().ok()
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
}

#[cfg(test)]
mod tests;
