//! The entities that a dataset protects.

use mayag_protocol::names::ColumnName;
use serde::{Deserialize, Serialize};

/// The entity a dataset protects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Unit {
    /// The column whose distinct values are counted.
    pub column: ColumnName,
    /// Whether every row is a unit of its own, in every country. Checked by nodes when they start.
    #[serde(default)]
    pub unique: bool,
    /// Whether the units are persons, who are protected more strictly.
    #[serde(default)]
    pub person: bool,
}

/// All kinds of units of a dataset: at least one. Every kind has to be frequent enough in a cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<Unit>", into = "Vec<Unit>")]
pub struct Units {
    first: Unit,
    others: Vec<Unit>,
}

impl Units {
    /// The kind that people may count.
    pub fn first(&self) -> &Unit {
        &self.first
    }

    /// Every kind, the first one first.
    pub fn iter(&self) -> impl Iterator<Item = &Unit> {
        std::iter::once(&self.first).chain(&self.others)
    }

    /// The kind whose column this is.
    pub fn of(&self, column: &ColumnName) -> Option<&Unit> {
        self.iter().find(|unit| unit.column == *column)
    }
}

impl TryFrom<Vec<Unit>> for Units {
    type Error = &'static str;

    fn try_from(units: Vec<Unit>) -> Result<Self, Self::Error> {
        let mut units = units.into_iter();
        let first = units.next().ok_or("a dataset needs at least one unit")?;
        Ok(Self { first, others: units.collect() })
    }
}

impl From<Units> for Vec<Unit> {
    fn from(units: Units) -> Self {
        std::iter::once(units.first).chain(units.others).collect()
    }
}
