//! The part of a question that a node answers: one aggregate over one dataset, grouped and filtered by levels only.

use mayag_policies::catalogue::{Catalogue, Dataset, Number};
use mayag_policies::shape::{Aggregate, LevelRef, MeasureRef, Predicate, ReleaseShape};
use mayag_protocol::columns::MergeRole;
use mayag_protocol::names::{ColumnName, DatasetName};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

/// One release. Serialisable for the pipe between a node and its own worker; it never crosses a border: every node
/// derives it from the signed SQL itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Release {
    /// The dataset, or the joined dataset of a declared join.
    pub dataset: DatasetName,
    /// The unit that is counted where it is not the first of the dataset.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counted: Option<ColumnName>,
    /// The group keys, in the order of the wire's key columns. A key of column `country` is the node's own code.
    pub keys: Vec<LevelRef>,
    /// The rows it is about.
    pub filter: Predicate,
    /// What every country computes, in the order of the wire's measure columns; each distinct one once.
    pub wire: Vec<WireMeasure>,
    /// How the aggregates of the SQL follow from the folded wire measures, in the order of the plan's aggregates.
    pub outputs: Vec<Output>,
}

/// One additive number per cell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireMeasure {
    /// What is computed.
    pub of: MeasureOf,
    /// `FILTER (WHERE ..)`: the rows it is computed over.
    pub filter: Option<Predicate>,
}

/// What a wire measure computes over the rows of a cell.
///
/// Arrow types on the wire: counts are `Int64` (never null); `Sum` of an integer is `Int64`, of a decimal
/// `Decimal128(38, scale)`, of a float `Float64`, null where no value was summed; `SumOfSquares` is `Float64`;
/// `Min`/`Max` have the level's own type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum MeasureOf {
    /// Distinct values of the column of the unit that is counted.
    DistinctUnits,
    /// The largest value of a level.
    Max(LevelRef),
    /// The smallest value of a level.
    Min(LevelRef),
    /// Rows in which the column is not null.
    NonNull(ColumnName),
    /// A power sum over the rows in which two measures both have a value.
    Pair {
        /// The one, the first of the two by name.
        x: Centred,
        /// The other.
        y: Centred,
        /// Which sum.
        power: Power,
    },
    /// Rows.
    Rows,
    /// The sum of a measure.
    Sum {
        /// The measure.
        column: ColumnName,
        /// Its type.
        number: Number,
    },
    /// The sum of `(x - center)`, as a float; with `SumOfSquares` and `NonNull` it gives the variance.
    SumCentred {
        /// The measure.
        column: ColumnName,
        /// The public centre.
        center: i64,
    },
    /// The sum of `(x - center)²`, as a float.
    SumOfSquares {
        /// The measure.
        column: ColumnName,
        /// The public centre.
        center: i64,
    },
}

/// A measure and the public centre of its power sums.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Centred {
    /// The measure.
    pub column: ColumnName,
    /// The centre.
    pub center: i64,
}

/// What is summed over the rows in which two measures `x` and `y` both have a value, as distances from their centres.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Power {
    /// One for each row: a count. The others are floats.
    Rows,
    /// `x`
    X,
    /// `x²`
    Xx,
    /// `x · y`
    Xy,
    /// `y`
    Y,
    /// `y²`
    Yy,
}

/// How one aggregate of the SQL follows from wire measures (indices into [`Release::wire`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Output {
    /// `sum / count`; null where the count is zero.
    Avg {
        /// The sum.
        sum: usize,
        /// The count of non-null values.
        count: usize,
    },
    /// The correlation of two measures; null where one of them does not vary.
    Correlation {
        /// The sums over pairs.
        sums: PairSums,
        /// The sum of `x²`.
        xx: usize,
        /// The sum of `y²`.
        yy: usize,
    },
    /// The covariance of two measures.
    Covariance {
        /// The sums over pairs.
        sums: PairSums,
        /// Divide by `n - 1` instead of `n`.
        sample: bool,
    },
    /// The measure as it is.
    Direct(usize),
    /// A quantile of a measure, read off the counts of its declared bins.
    Quantile(Quantile),
    /// Variance or standard deviation from power sums around the public centre.
    Spread {
        /// Sum of squares around the centre.
        squares: usize,
        /// Sum of distances from the centre.
        sum: usize,
        /// The count of non-null values.
        count: usize,
        /// Divide by `n - 1` instead of `n`.
        sample: bool,
        /// Take the square root.
        root: bool,
    },
}

/// The sums over pairs that covariances and correlations need, by [`Power`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PairSums {
    /// [`Power::Rows`].
    pub rows: usize,
    /// [`Power::X`].
    pub x: usize,
    /// [`Power::Y`].
    pub y: usize,
    /// [`Power::Xy`].
    pub xy: usize,
}

/// A quantile, as the counts of bins give it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quantile {
    /// The measure.
    pub column: ColumnName,
    /// The rows of each bin, in the order of values.
    pub bins: Vec<usize>,
    /// Where bins end and the next begin, with both ends: one more than there are bins. An end that nobody declared is
    /// open.
    pub ends: Vec<Option<i64>>,
    /// All rows.
    pub rows: usize,
    /// Whether every row is in a bin, so that [`Self::rows`] says how many are in withheld ones.
    pub complete: bool,
    /// Which part of the values is below it, in billionths.
    pub billionths: u32,
}

impl MeasureOf {
    /// How it folds over countries.
    pub fn role(&self) -> MergeRole {
        match self {
            Self::DistinctUnits
            | Self::NonNull(_)
            | Self::Pair { power: Power::Rows, .. }
            | Self::Rows => MergeRole::Count,
            Self::Max(_) => MergeRole::Max,
            Self::Min(_) => MergeRole::Min,
            Self::Pair { power: Power::X | Power::Xy | Power::Y, .. }
            | Self::Sum { .. }
            | Self::SumCentred { .. } => MergeRole::Sum,
            Self::Pair { power: Power::Xx | Power::Yy, .. } | Self::SumOfSquares { .. } => {
                MergeRole::SumOfSquares
            }
        }
    }

    /// The one measure column that is summed, if any. Pairs have two.
    pub fn summed_column(&self) -> Option<&ColumnName> {
        match self {
            Self::Sum { column, .. }
            | Self::SumCentred { column, .. }
            | Self::SumOfSquares { column, .. } => Some(column),
            Self::DistinctUnits
            | Self::Max(_)
            | Self::Min(_)
            | Self::NonNull(_)
            | Self::Pair { .. }
            | Self::Rows => None,
        }
    }
}

impl Release {
    /// The dataset of a release; the unit that is counted is its first. `None` for one that the catalogue does not have.
    pub fn dataset_in<'a>(&self, catalogue: &'a Catalogue) -> Option<Cow<'a, Dataset>> {
        let dataset = catalogue.source(&self.dataset)?;
        match &self.counted {
            None => Some(Cow::Borrowed(dataset)),
            Some(column) => dataset.counting(column).map(Cow::Owned),
        }
    }

    /// What the release reads and says, for the decision.
    pub fn shape(&self) -> ReleaseShape {
        let mut filters = self.filter.levels();
        for level in self
            .wire
            .iter()
            .filter_map(|measure| measure.filter.as_ref())
            .flat_map(Predicate::levels)
        {
            if !filters.contains(&level) {
                filters.push(level);
            }
        }
        let measures = self.outputs.iter().flat_map(|output| self.measures(output)).collect();
        ReleaseShape { dataset: self.dataset.clone(), keys: self.keys.clone(), filters, measures }
    }

    /// What an output shows: of two columns, it is decided for each.
    fn measures(&self, output: &Output) -> Vec<MeasureRef> {
        let of = |aggregate, wire: &usize| {
            let wire = self.wire.get(*wire).map(|measure| &measure.of);
            wire.map(|of| self.measure(aggregate, of)).into_iter().collect()
        };
        let both = |aggregate, sums: &PairSums| match self.wire.get(sums.xy).map(|wire| &wire.of) {
            Some(MeasureOf::Pair { x, y, .. }) => {
                [x, y].map(|of| MeasureRef { aggregate, column: Some(plain(&of.column)) }).to_vec()
            }
            Some(_) | None => Vec::new(),
        };
        match output {
            Output::Avg { sum, .. } => of(Aggregate::Avg, sum),
            Output::Correlation { sums, .. } => both(Aggregate::Correlation, sums),
            Output::Covariance { sums, .. } => both(Aggregate::Covariance, sums),
            Output::Direct(i) => match self.wire.get(*i) {
                Some(measure) => of(direct(&measure.of), i),
                None => Vec::new(),
            },
            Output::Quantile(Quantile { column, .. }) => {
                vec![MeasureRef { aggregate: Aggregate::Quantile, column: Some(plain(column)) }]
            }
            Output::Spread { squares, root: true, .. } => of(Aggregate::Stddev, squares),
            Output::Spread { squares, .. } => of(Aggregate::Variance, squares),
        }
    }

    fn measure(&self, aggregate: Aggregate, of: &MeasureOf) -> MeasureRef {
        let column = match of {
            MeasureOf::DistinctUnits => self.counted.as_ref().map(plain),
            // Never shown as they are.
            MeasureOf::Pair { .. } | MeasureOf::Rows => None,
            MeasureOf::Max(level) | MeasureOf::Min(level) => Some(level.clone()),
            MeasureOf::NonNull(column)
            | MeasureOf::Sum { column, .. }
            | MeasureOf::SumCentred { column, .. }
            | MeasureOf::SumOfSquares { column, .. } => Some(plain(column)),
        };
        MeasureRef { aggregate, column }
    }
}

fn plain(column: &ColumnName) -> LevelRef {
    LevelRef { column: column.clone(), grain: None }
}

fn direct(of: &MeasureOf) -> Aggregate {
    match of {
        MeasureOf::DistinctUnits => Aggregate::CountDistinct,
        MeasureOf::Max(_) => Aggregate::Max,
        MeasureOf::Min(_) => Aggregate::Min,
        MeasureOf::NonNull(_) | MeasureOf::Rows => Aggregate::Count,
        MeasureOf::Pair { .. } => Aggregate::Covariance,
        MeasureOf::Sum { .. } | MeasureOf::SumCentred { .. } | MeasureOf::SumOfSquares { .. } => {
            Aggregate::Sum
        }
    }
}
