//! What a release needs besides its measures so that it can be protected: whose units are counted, whose contributions
//! are bounded. Derived from the release alone, in the worker and in the node alike.

use super::failure::WorkFailure;
use mayag_policies::catalogue::{Dataset, Kind, Number};
use mayag_policies::shape::Predicate;
use mayag_protocol::names::ColumnName;
use mayag_queries::release::{MeasureOf, Release, WireMeasure};

/// Some of the rows of a cell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Population {
    /// All of them.
    Everything,
    /// Those that a measure's `FILTER` leaves out: subtracting the measure from an unfiltered one would show them.
    Except(Predicate),
    /// Those that it is computed over.
    Where(Predicate),
}

/// What is summed over a population, so that contributions to it are bounded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Summed {
    pub(super) of: Term,
    /// Index into [`Layout::populations`].
    pub(super) population: usize,
}

/// A number of each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Term {
    /// A column.
    Column(ColumnName),
    /// The product of two columns.
    Product(ColumnName, ColumnName),
    /// The first column where the second one has a value.
    With(ColumnName, ColumnName),
    /// The first column where the second one has none: what sums over pairs leave out of a sum of the column.
    Without(ColumnName, ColumnName),
}

/// How one wire measure is protected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Protection {
    /// The rows it is computed over: an index into [`Layout::populations`].
    pub(super) population: usize,
    /// The rows it leaves out, if it has a filter.
    pub(super) rest: Option<usize>,
    /// Its contributions: indices into [`Layout::summed`]. Those of a column are its own sum.
    pub(super) summed: Vec<usize>,
}

/// Everything that protecting a release needs, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The first is everything.
    pub(super) populations: Vec<Population>,
    pub(super) summed: Vec<Summed>,
    /// One for each wire measure.
    pub(super) measures: Vec<Protection>,
}

impl Layout {
    pub(super) fn of(release: &Release) -> Self {
        let mut layout = Self {
            populations: vec![Population::Everything],
            summed: Vec::new(),
            measures: Vec::new(),
        };
        for measure in &release.wire {
            let protection = layout.protection(measure);
            layout.measures.push(protection);
        }
        layout
    }

    fn protection(&mut self, WireMeasure { of, filter }: &WireMeasure) -> Protection {
        let (population, rest) = match filter {
            None => (0, None),
            Some(filter) => {
                let population = index_of(&mut self.populations, Population::Where(filter.clone()));
                (
                    population,
                    Some(index_of(&mut self.populations, Population::Except(filter.clone()))),
                )
            }
        };
        let summed = terms(of).into_iter().map(|of| Summed { of, population });
        let summed = summed.map(|summed| index_of(&mut self.summed, summed)).collect();
        Protection { population, rest, summed }
    }

    /// Whether distinct units are a measure, so that bounds do not serve.
    pub(super) fn counts_units(release: &Release) -> bool {
        release.wire.iter().any(|measure| matches!(measure.of, MeasureOf::DistinctUnits))
    }
}

/// What must not be dominated where a measure is shown. Over pairs that is each column, their product, and what is left
/// out of the sum of each column, which somebody may know. All sums over the same pairs follow from each other.
fn terms(of: &MeasureOf) -> Vec<Term> {
    match of {
        MeasureOf::DistinctUnits
        | MeasureOf::Max(_)
        | MeasureOf::Min(_)
        | MeasureOf::NonNull(_)
        | MeasureOf::Rows => Vec::new(),
        MeasureOf::Pair { x, y, .. } => {
            let (x, y) = (&x.column, &y.column);
            vec![
                Term::With(x.clone(), y.clone()),
                Term::With(y.clone(), x.clone()),
                Term::Product(x.clone(), y.clone()),
                Term::Without(x.clone(), y.clone()),
                Term::Without(y.clone(), x.clone()),
            ]
        }
        MeasureOf::Sum { column, .. }
        | MeasureOf::SumCentred { column, .. }
        | MeasureOf::SumOfSquares { column, .. } => vec![Term::Column(column.clone())],
    }
}

/// The type of a term: that of its column, and a float for products.
pub(super) fn number_of_term(dataset: &Dataset, term: &Term) -> Result<Number, WorkFailure> {
    match term {
        Term::Column(column) => number_of(dataset, column),
        Term::With(column, other) | Term::Without(column, other) => {
            number_of(dataset, other)?;
            number_of(dataset, column)
        }
        Term::Product(column, other) => {
            number_of(dataset, column)?;
            number_of(dataset, other)?;
            Ok(Number::Float)
        }
    }
}

/// The index of an item, which is added if it is new.
fn index_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    items.iter().position(|known| *known == item).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}

/// The type of a measure column.
pub(super) fn number_of(dataset: &Dataset, column: &ColumnName) -> Result<Number, WorkFailure> {
    match dataset.column(column.as_str()).map(|column| &column.kind) {
        Some(Kind::Measure { number, .. }) => Ok(*number),
        Some(
            Kind::Category { .. }
            | Kind::Date {}
            | Kind::Hidden {}
            | Kind::Number {}
            | Kind::Unit {},
        )
        | None => Err(WorkFailure::Broken),
    }
}
