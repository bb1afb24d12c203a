//! What a release reads and says, in the catalogue's words: levels, predicates over levels, aggregates of measures.
//!
//! These types travel from the planner to the decision and, inside one machine, from a node to its own worker process.

use mayag_protocol::names::{ColumnName, DatasetName};
use serde::{Deserialize, Serialize};
use std::cmp::Ordering;
use std::fmt;

/// How finely a date is looked at. Ordered from finest to coarsest.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Grain {
    /// The date itself.
    Day,
    /// Its month.
    Month,
    /// Its quarter.
    Quarter,
    /// Its year.
    Year,
}

/// A column at a declared coarseness; people group and filter by levels.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct LevelRef {
    /// The column, or the virtual column of one of its levels, such as `hs6_chapter`.
    pub column: ColumnName,
    /// The grain of a date column; `None` for every other column.
    pub grain: Option<Grain>,
}

/// A constant in a predicate. Never printed in logs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Literal {
    /// A truth value.
    Bool(bool),
    /// Days since 1970-01-01.
    Date(i32),
    /// A whole number.
    Int(i64),
    /// A text.
    Text(String),
}

/// How a level is compared with a constant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Comparison {
    /// `=`
    Equal,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `<>`
    NotEqual,
}

impl Comparison {
    /// Whether it holds of two values in this order.
    pub fn holds(self, order: Ordering) -> bool {
        match self {
            Self::Equal => order.is_eq(),
            Self::Greater => order.is_gt(),
            Self::GreaterOrEqual => order.is_ge(),
            Self::Less => order.is_lt(),
            Self::LessOrEqual => order.is_le(),
            Self::NotEqual => order.is_ne(),
        }
    }
}

/// An atom predicate: boolean combinations of comparisons of levels with constants. SQL's three-valued logic applies.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Predicate {
    /// All of these; true when empty.
    All(Vec<Self>),
    /// Any of these; false when empty.
    Any(Vec<Self>),
    /// A comparison. A date column with grain `Day` may only be compared at boundaries of a coarser grain unless the
    /// policy shares days; [`Predicate::levels`] names the grain that the comparison needs.
    Compare {
        /// What is compared.
        level: LevelRef,
        /// How.
        comparison: Comparison,
        /// With what.
        value: Literal,
    },
    /// `level IN (..)`.
    In {
        /// What is looked up.
        level: LevelRef,
        /// In what.
        values: Vec<Literal>,
    },
    /// `level IS NULL`.
    IsNull {
        /// What is looked at.
        level: LevelRef,
    },
    /// The opposite.
    Not(Box<Self>),
}

/// The closed list of aggregates.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    schemars::JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Aggregate {
    /// `avg(measure)`.
    Avg,
    /// Correlation of a measure with another one that is shared for it too.
    Correlation,
    /// `count(*)` (no column), or `count(column)`: rows in which the column is not null.
    Count,
    /// `count(DISTINCT unit)`.
    CountDistinct,
    /// Covariance of a measure with another one that is shared for it too, population or sample.
    Covariance,
    /// `max(level)`.
    Max,
    /// `min(level)`.
    Min,
    /// Median or another quantile of a measure, read off its declared bins, which are a level and shared as one.
    Quantile,
    /// Standard deviation of a measure, population or sample.
    Stddev,
    /// `sum(measure)`.
    Sum,
    /// Variance of a measure, population or sample.
    Variance,
}

/// One aggregate of a release.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MeasureRef {
    /// The aggregate.
    pub aggregate: Aggregate,
    /// Its column; `None` for `count(*)`.
    pub column: Option<LevelRef>,
}

/// Everything a decision needs to know of a release: what it reads and says, not how it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReleaseShape {
    /// The dataset.
    pub dataset: DatasetName,
    /// The levels people group by.
    pub keys: Vec<LevelRef>,
    /// The levels people filter by (`WHERE` below the release, and `FILTER` of its aggregates).
    pub filters: Vec<LevelRef>,
    /// The aggregates.
    pub measures: Vec<MeasureRef>,
}

impl Grain {
    /// Every grain, finest first.
    pub const ALL: [Self; 4] = [Self::Day, Self::Month, Self::Quarter, Self::Year];

    /// The word in policies and in `date_trunc`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

impl Literal {
    /// A text.
    pub(crate) fn from_text(text: &str) -> Self {
        Self::Text(text.to_owned())
    }

    /// Its text, if it is one.
    pub(crate) fn into_text(self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text),
            Self::Bool(_) | Self::Date(_) | Self::Int(_) => None,
        }
    }
}

impl Aggregate {
    /// Every aggregate.
    pub const ALL: [Self; 11] = [
        Self::Avg,
        Self::Correlation,
        Self::Count,
        Self::CountDistinct,
        Self::Covariance,
        Self::Max,
        Self::Min,
        Self::Quantile,
        Self::Stddev,
        Self::Sum,
        Self::Variance,
    ];

    /// The aggregates that a policy can share of a measure.
    pub const OF_MEASURES: [Self; 8] = [
        Self::Avg,
        Self::Correlation,
        Self::Count,
        Self::Covariance,
        Self::Quantile,
        Self::Stddev,
        Self::Sum,
        Self::Variance,
    ];

    /// The word in policies.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Correlation => "correlation",
            Self::Count => "count",
            Self::CountDistinct => "count_distinct",
            Self::Covariance => "covariance",
            Self::Max => "max",
            Self::Min => "min",
            Self::Quantile => "quantile",
            Self::Stddev => "stddev",
            Self::Sum => "sum",
            Self::Variance => "variance",
        }
    }
}

impl fmt::Display for LevelRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.grain {
            Some(grain) => write!(f, "{} by {}", self.column, grain.as_str()),
            None => write!(f, "{}", self.column),
        }
    }
}

impl Predicate {
    /// The predicate that every row passes.
    pub fn everything() -> Self {
        Self::All(Vec::new())
    }

    /// Every level the predicate compares, in order of appearance, each once. O(size²) in the worst case; the size is
    /// bounded by the token guard.
    pub fn levels(&self) -> Vec<LevelRef> {
        let mut levels = Vec::new();
        self.collect_levels(&mut levels);
        levels
    }

    /// The same predicate over other levels; `None` if there is none for one of them.
    pub(crate) fn with_levels(
        &self,
        other: &dyn Fn(&LevelRef) -> Option<LevelRef>,
    ) -> Option<Self> {
        let all = |parts: &[Self]| {
            parts.iter().map(|part| part.with_levels(other)).collect::<Option<Vec<_>>>()
        };
        Some(match self {
            Self::All(parts) => Self::All(all(parts)?),
            Self::Any(parts) => Self::Any(all(parts)?),
            Self::Not(part) => Self::Not(Box::new(part.with_levels(other)?)),
            Self::Compare { level, comparison, value } => Self::Compare {
                level: other(level)?,
                comparison: *comparison,
                value: value.clone(),
            },
            Self::In { level, values } => Self::In { level: other(level)?, values: values.clone() },
            Self::IsNull { level } => Self::IsNull { level: other(level)? },
        })
    }

    fn collect_levels(&self, levels: &mut Vec<LevelRef>) {
        match self {
            Self::All(parts) | Self::Any(parts) => {
                for part in parts {
                    part.collect_levels(levels);
                }
            }
            Self::Not(part) => part.collect_levels(levels),
            Self::Compare { level, .. } | Self::In { level, .. } | Self::IsNull { level } => {
                if !levels.contains(level) {
                    levels.push(level.clone());
                }
            }
        }
    }
}
