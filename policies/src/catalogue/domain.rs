//! Public key domains: the values that a level can have, known without looking at any data.
//!
//! Where every value is known beforehand, a release lists all of them, and that a value is listed says nothing.

use crate::catalogue::{Column, Dataset, Kind, LevelRule, Named};
use crate::shape::{Grain, LevelRef, Literal};
use chrono::{Datelike as _, NaiveDate};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// More values than a release could list: a level with more has no domain. Also bounds what is made in memory.
pub const LARGEST_DOMAIN: usize = 20_000;

/// The first and the last value of a column, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Range {
    /// Days since 1970-01-01.
    Dates {
        /// The first day.
        from: i32,
        /// The last day.
        to: i32,
    },
    /// Whole numbers.
    Numbers {
        /// The smallest.
        from: i64,
        /// The largest.
        to: i64,
    },
}

/// A range as a catalogue writes it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    from: Bound,
    to: Bound,
}

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Bound {
    Number(i64),
    Date(String),
}

impl TryFrom<Written> for Range {
    type Error = &'static str;

    fn try_from(written: Written) -> Result<Self, Self::Error> {
        let range = match (written.from, written.to) {
            (Bound::Number(from), Bound::Number(to)) => Some(Self::Numbers { from, to }),
            (Bound::Date(from), Bound::Date(to)) => {
                day(&from).zip(day(&to)).map(|(from, to)| Self::Dates { from, to })
            }
            (Bound::Number(_), Bound::Date(_)) | (Bound::Date(_), Bound::Number(_)) => None,
        };
        range.ok_or("a range goes from a whole number to another, or from a date to another")
    }
}

impl From<Range> for Written {
    fn from(range: Range) -> Self {
        let date = |day| {
            Bound::Date(
                NaiveDate::from_epoch_days(day).map(|day| day.to_string()).unwrap_or_default(),
            )
        };
        match range {
            Range::Dates { from, to } => Self { from: date(from), to: date(to) },
            Range::Numbers { from, to } => {
                Self { from: Bound::Number(from), to: Bound::Number(to) }
            }
        }
    }
}

fn day(text: &str) -> Option<i32> {
    let date = NaiveDate::parse_from_str(text, "%Y-%m-%d").ok()?;
    (date.to_string() == text).then(|| date.to_epoch_days())
}

impl Dataset {
    /// Every value that this level can have, in order, nothing (`None`) last, where they are public: a closed list, a
    /// range, bands or groups. `None` for an open domain, for one of more than [`LARGEST_DOMAIN`] values, and for the
    /// implied column `country`, which is a constant in every country.
    pub fn domain(&self, level: &LevelRef) -> Option<Vec<Option<Literal>>> {
        let named = self.named(level)?;
        let (column, values) = match named {
            Named::Country => return None,
            Named::Plain(column) => (column, plain(column)?),
            Named::Period(column, grain) => (column, periods(column, grain)?),
            Named::Coarser(column, level) => (column, coarser(column, &level.is)?),
        };
        let nothing = (!column.required).then_some(None);
        let distinct: BTreeSet<Literal> = values.into_iter().collect();
        Some(distinct.into_iter().map(Some).chain(nothing).collect())
    }
}

fn plain(column: &Column) -> Option<Vec<Literal>> {
    match (&column.kind, column.range) {
        (Kind::Category { values }, _) => {
            let values = values.as_ref().filter(|values| values.len() <= LARGEST_DOMAIN)?;
            Some(values.iter().map(|value| Literal::from_text(value)).collect())
        }
        (Kind::Number {}, Some(Range::Numbers { from, to })) => {
            let enough = i64::try_from(LARGEST_DOMAIN).ok()?;
            (to.checked_sub(from)? < enough).then(|| (from..=to).map(Literal::Int).collect())
        }
        (Kind::Number {}, Some(Range::Dates { .. }) | None)
        | (Kind::Date {} | Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {}, _) => None,
    }
}

fn periods(column: &Column, grain: Grain) -> Option<Vec<Literal>> {
    let Some(Range::Dates { from, to }) = column.range else { return None };
    let mut at = first_day(grain, from)?;
    let mut periods = Vec::new();
    while at <= to {
        if periods.len() == LARGEST_DOMAIN {
            return None;
        }
        periods.push(Literal::Date(at));
        at = first_day_after(grain, at)?;
    }
    Some(periods)
}

fn coarser(column: &Column, rule: &LevelRule) -> Option<Vec<Literal>> {
    let base = match &column.kind {
        Kind::Category { values } => values.as_deref(),
        Kind::Date {}
        | Kind::Hidden {}
        | Kind::Measure { .. }
        | Kind::Number {}
        | Kind::Unit {} => None,
    };
    let values = rule.values(base)?;
    (values.len() <= LARGEST_DOMAIN).then(|| values.into_iter().map(Literal::Text).collect())
}

/// The first day of the period that holds this day; `None` only for days that no calendar of ours has.
pub(crate) fn first_day(grain: Grain, day: i32) -> Option<i32> {
    let date = NaiveDate::from_epoch_days(day)?;
    let first = match grain {
        Grain::Day => Some(date),
        Grain::Month => date.with_day(1),
        Grain::Quarter => NaiveDate::from_ymd_opt(date.year(), date.month0() / 3 * 3 + 1, 1),
        Grain::Year => NaiveDate::from_ymd_opt(date.year(), 1, 1),
    };
    first.map(|date| date.to_epoch_days())
}

/// The first day of the next period, if `first` is the first day of one.
pub(crate) fn first_day_after(grain: Grain, first: i32) -> Option<i32> {
    // Longer than every such period, shorter than two of them.
    let days = match grain {
        Grain::Day => 1,
        Grain::Month => 31,
        Grain::Quarter => 92,
        Grain::Year => 366,
    };
    first_day(grain, first.checked_add(days)?)
}
