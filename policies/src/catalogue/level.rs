//! Levels: coarser views of a column that everybody knows, such as the chapter of a customs code or a band of a quantity.
//!
//! A level is a function of the column's own value, declared in the catalogue, and looks to people like a column of its
//! own: `hs6_chapter` beside `hs6`. Its values are texts; nothing stays nothing.

use crate::catalogue::{Column, domain};
use crate::shape::{Grain, LevelRef, Literal};
use mayag_protocol::names::ColumnName;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A coarser view of a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Level {
    /// Its name; in SQL it is `<column>_<name>`.
    pub name: ColumnName,
    /// What it says.
    pub about: String,
    /// How it follows from the column's value.
    pub is: LevelRule,
}

/// How a level follows from the column's own value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum LevelRule {
    /// Of a number, to group by or to aggregate: the band it falls into.
    Bands {
        /// Where bands end and the next begin, ascending, in the column's unit: a band holds its lower edge.
        edges: Vec<i64>,
        /// The bands' names: one more than there are edges.
        names: Vec<String>,
        /// What no value is below, in any country. Only quantiles in the first band need it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lowest: Option<i64>,
        /// What no value is above, in any country. Only quantiles in the last band need it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        highest: Option<i64>,
    },
    /// Of a category: the name of the group that lists the value.
    Groups {
        /// The values of each group.
        groups: BTreeMap<String, Vec<String>>,
        /// The name for values that no group lists; without it every value of the column's closed list is in a group.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        other: Option<String>,
    },
    /// Of a category: this many characters from its beginning. Shorter values stay as they are.
    Prefix(u8),
}

/// What people group and filter by, found in a dataset by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Named<'a> {
    /// A level of a column: a text.
    Coarser(&'a Column, &'a Level),
    /// The answering country.
    Country,
    /// A date column at a grain; the date itself at [`Grain::Day`].
    Period(&'a Column, Grain),
    /// A category or a number to group by, as it is.
    Plain(&'a Column),
}

impl LevelRule {
    /// The coarser value of a base value; nothing for what the column cannot hold. O(size of the rule).
    pub fn of(&self, base: &Literal) -> Option<Literal> {
        match (self, base) {
            (Self::Bands { .. }, Literal::Int(number)) => {
                self.band(|edge| *number < edge).map(Literal::from_text)
            }
            (Self::Groups { groups, other }, Literal::Text(text)) => {
                let group = groups.iter().find(|(_, values)| values.contains(text));
                group.map(|(name, _)| name).or(other.as_ref()).map(|name| Literal::from_text(name))
            }
            (Self::Prefix(characters), Literal::Text(text)) => {
                Some(Literal::Text(text.chars().take(usize::from(*characters)).collect()))
            }
            (Self::Bands { .. }, Literal::Bool(_) | Literal::Date(_) | Literal::Text(_))
            | (
                Self::Groups { .. } | Self::Prefix(_),
                Literal::Bool(_) | Literal::Date(_) | Literal::Int(_),
            ) => None,
        }
    }

    /// The name of the band of a number that is below exactly the edges that `below` says; `None` if the level has no
    /// bands.
    pub fn band(&self, below: impl Fn(i64) -> bool) -> Option<&str> {
        match self {
            Self::Bands { edges, names, .. } => {
                let at = edges.iter().take_while(|edge| !below(**edge)).count();
                names.get(at).map(String::as_str)
            }
            Self::Groups { .. } | Self::Prefix(_) => None,
        }
    }

    /// All values that a level with this rule can have, if they are known without data. `base` are the values of the
    /// column, if they are.
    pub(super) fn values(&self, base: Option<&[String]>) -> Option<Vec<String>> {
        match (self, base) {
            (Self::Bands { names, .. }, _) => Some(names.clone()),
            (Self::Groups { groups, other }, _) => {
                Some(groups.keys().chain(other).cloned().collect())
            }
            (Self::Prefix(_), Some(base)) => {
                let texts = base.iter().filter_map(|text| self.of(&Literal::Text(text.clone())));
                Some(texts.filter_map(Literal::into_text).collect())
            }
            (Self::Prefix(_), None) => None,
        }
    }
}

/// The bins that quantiles of a measure are read off: its finest bands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bins<'a> {
    /// The level that they are values of.
    pub level: LevelRef,
    /// Their names, in the order of values.
    pub names: &'a [String],
    /// Where they end and the next begin, with both ends: one more than there are bins. An end that the catalogue does not
    /// declare is open.
    pub ends: Vec<Option<i64>>,
}

impl Column {
    /// The bins of its quantiles; `None` where the catalogue declares none.
    pub fn bins(&self) -> Option<Bins<'_>> {
        self.levels.iter().find_map(|level| match &level.is {
            LevelRule::Bands { edges, names, lowest, highest } => {
                let level = LevelRef { column: self.virtual_name(level)?, grain: None };
                let edges = edges.iter().copied().map(Some);
                let ends = std::iter::once(*lowest).chain(edges).chain([*highest]).collect();
                Some(Bins { level, names, ends })
            }
            LevelRule::Groups { .. } | LevelRule::Prefix(_) => None,
        })
    }
}

impl<'a> Named<'a> {
    /// The column behind it; `None` for the implied column `country`.
    pub fn column(self) -> Option<&'a Column> {
        match self {
            Self::Coarser(column, _) | Self::Period(column, _) | Self::Plain(column) => {
                Some(column)
            }
            Self::Country => None,
        }
    }

    /// The value at this level of a value of the column itself; nothing stays nothing. What a node computes over rows
    /// has to be the same, which its tests check against this.
    pub fn of(self, base: Option<&Literal>) -> Option<Literal> {
        match (self, base?) {
            (Self::Coarser(_, level), base) => level.is.of(base),
            (Self::Period(_, grain), Literal::Date(day)) => {
                domain::first_day(grain, *day).map(Literal::Date)
            }
            (Self::Period(..), Literal::Bool(_) | Literal::Int(_) | Literal::Text(_)) => None,
            (Self::Country | Self::Plain(_), base) => Some(base.clone()),
        }
    }
}
