//! Group keys: levels, parts of dates, and constants.
//!
//! A quarter or a month without its year is no level: policies share dates by day, month, quarter and year. So
//! `extract(month FROM seized_on)` is read from the month as it is released, and where nothing says which year it is in,
//! the same month of several years is added up above the release, from protected cells. What cannot be added up
//! (averages, people) is asked year by year, or over at most twelve months of two years: no month is in both.

use super::calendar::number;
use super::measures::position;
use super::refuse;
use super::rows::{Level, Rows, Source, Values};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::{max, min, sum};
use datafusion::logical_expr::Expr;
use mayag_policies::shape::{Grain, LevelRef, Literal, Predicate};
use mayag_protocol::refusal::Refusal;
use std::collections::BTreeSet;

/// How one group key of a plan follows from the release's keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum KeyColumn {
    /// It is the same in every row.
    Constant(ScalarValue),
    /// It is a key of the release.
    Key {
        /// Which.
        key: usize,
        /// The part of the date that the plan wants as a number.
        part: Option<Grain>,
    },
}

/// What a group expression is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Grouped {
    By(Level),
    Constant(ScalarValue),
}

/// How the numbers of several cells become one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adding {
    Largest,
    Smallest,
    Sum,
}

impl Adding {
    pub(super) fn up(self, cells: Expr) -> Expr {
        match self {
            Self::Largest => max(cells),
            Self::Smallest => min(cells),
            Self::Sum => sum(cells),
        }
    }
}

/// The group keys of a release.
#[derive(Debug)]
pub(super) struct Keys {
    /// What the release is grouped by.
    pub(super) levels: Vec<LevelRef>,
    /// One per group expression.
    pub(super) columns: Vec<KeyColumn>,
    /// A group of the plan is several cells of the release: what to say where they cannot be added up.
    pub(super) several: Option<Refusal>,
}

impl Keys {
    pub(super) fn of(asked: &[Grouped], rows: &Rows<'_>) -> Self {
        let by = asked.iter().filter_map(|key| match key {
            Grouped::By(level) => Some(level),
            Grouped::Constant(_) => None,
        });
        let by: Vec<&Level> = by.collect();
        let mut keys = Self { levels: Vec::new(), columns: Vec::new(), several: None };
        for key in asked {
            let column = match key {
                Grouped::Constant(value) => KeyColumn::Constant(value.clone()),
                Grouped::By(level) => {
                    let part = part(level);
                    if let Some(part) = part
                        && !tells_period(level, part, &by, rows)
                    {
                        let column = level.level.column.as_str();
                        keys.several.get_or_insert_with(|| refuse::no_year(column, part));
                    }
                    let key = position(&mut keys.levels, read_from(level, &by).clone());
                    KeyColumn::Key { key, part }
                }
            };
            keys.columns.push(column);
        }
        keys
    }
}

fn part(level: &Level) -> Option<Grain> {
    match level.values {
        Values::Part(part) => Some(part),
        Values::Date | Values::Int | Values::Text => None,
    }
}

/// Whether each value of a part of a date stands for one period only, beside the other keys and the filters.
fn tells_period(level: &Level, part: Grain, keys: &[&Level], rows: &Rows<'_>) -> bool {
    let tells = |other: &&Level| match other.values {
        _ if other.level.column != level.level.column => false,
        Values::Date | Values::Part(Grain::Year) => true,
        // Whoever knows which month it is knows the quarter.
        Values::Part(finer) => {
            other.level.grain <= level.level.grain && rows.each_once(&other.level, finer)
        }
        Values::Int | Values::Text => false,
    };
    part == Grain::Year || keys.iter().any(tells)
}

/// The level that a key is read from: its own, or a finer one of the same date that is a key as well.
fn read_from<'k>(key: &'k Level, keys: &[&'k Level]) -> &'k LevelRef {
    let finer =
        |other: &&LevelRef| other.column == key.level.column && other.grain < key.level.grain;
    if part(key).is_none() || part(key) != key.level.grain {
        return &key.level;
    }
    let finer = keys.iter().map(|other| &other.level).filter(finer);
    finer.min_by_key(|other| other.grain).unwrap_or(&key.level)
}

impl Rows<'_> {
    /// Whether no two periods of a level that are public and pass the filters are the same part of their years.
    fn each_once(&self, level: &LevelRef, part: Grain) -> bool {
        let filter = Predicate::All(self.filters.clone());
        let Some(domain) = crate::domains::anywhere(self.dataset, level, &filter) else {
            return false;
        };
        let mut parts = BTreeSet::new();
        domain.into_iter().flatten().all(|value| match value {
            Literal::Date(day) => parts.insert(number(day, part)),
            Literal::Bool(_) | Literal::Int(_) | Literal::Text(_) => false,
        })
    }

    /// What an expression is as a group key.
    pub(super) fn grouped(
        &self,
        expr: &Expr,
        schema: &datafusion::common::DFSchema,
    ) -> Result<Grouped, Refusal> {
        match self.source(expr, schema) {
            Some(Source::Level(level)) => Ok(Grouped::By(level)),
            Some(Source::Constant(value)) => Ok(Grouped::Constant(value)),
            Some(Source::Measure(column)) => Err(refuse::key(column.name.as_str())),
            Some(Source::Unit(column)) => Err(refuse::key(column.as_str())),
            None if matches!(expr, Expr::GroupingSet(_)) => {
                Err(refuse::not_supported("GROUPING SETS"))
            }
            None => Err(refuse::key(refuse::written(expr))),
        }
    }
}
