//! Joins below a release: two datasets along a path that the catalogue declares, so that no row is multiplied.
//!
//! An inner join on exactly the declared columns, in any spelling: `JOIN .. ON`, `USING`, or `FROM a, b WHERE`. A comparison
//! of the two `country` columns says nothing, since both are the node's own. Everything else in the condition is a filter.

use super::predicate::predicate;
use super::refuse;
use super::rows::{Level, Rows, Source};
use datafusion::common::{DFSchema, JoinType};
use datafusion::logical_expr::utils::split_conjunction;
use datafusion::logical_expr::{BinaryExpr, Expr, Join, Operator};
use mayag_policies::catalogue::{self, COUNTRY_COLUMN, Catalogue};
use mayag_policies::shape::Predicate;
use mayag_protocol::names::ColumnName;
use mayag_protocol::refusal::Refusal;

/// Which of two joined sides has the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rowed {
    Left,
    Right,
}

/// What an equation in a join says.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Equation {
    /// That this declared column is equal on both sides.
    Met(ColumnName),
    /// Nothing: a node has one country.
    Nothing,
    /// Something else.
    Other,
    /// That two columns are equal that no path compares.
    Wrong,
}

impl<'a> Rows<'a> {
    /// The rows of a declared join.
    pub(super) fn joined(join: &Join, catalogue: &'a Catalogue) -> Result<Self, Refusal> {
        let left = Self::below(&join.left, catalogue)?;
        let right = Self::below(&join.right, catalogue)?;
        if join.join_type != JoinType::Inner || join.null_aware {
            let kind = join.join_type.to_string().to_uppercase();
            return Err(refuse::below(&format!("{kind} JOIN")));
        }
        let (path, rowed) = path(&left, &right)?;
        let name = path.name().ok_or_else(refuse::internal)?;
        let dataset = catalogue.source(&name).ok_or_else(refuse::internal)?;
        let other = |side: Rowed, rows: Rows<'a>| {
            if side == rowed { Some(rows) } else { renamed(rows, &path) }
        };
        let left = other(Rowed::Left, left).ok_or_else(refuse::internal)?;
        let right = other(Rowed::Right, right).ok_or_else(refuse::internal)?;
        let mut rows = Self {
            dataset,
            sources: left.sources.into_iter().chain(right.sources).collect(),
            filters: left.filters.into_iter().chain(right.filters).collect(),
            unmet: path.on().to_vec(),
        };
        for (a, b) in &join.on {
            let equal = rows.equation(a, b, &join.schema);
            if !rows.meet(equal)? {
                return Err(refuse::not_joined(path.on()));
            }
        }
        match &join.filter {
            Some(filter) => rows.filtered(filter, &join.schema),
            None => Ok(rows),
        }
    }

    /// The rows for which a condition is true. Equations of a join are taken out of it.
    pub(super) fn filtered(mut self, condition: &Expr, schema: &DFSchema) -> Result<Self, Refusal> {
        if self.dataset.joined.is_none() {
            let filter = predicate(condition, &self, schema)?;
            self.filters.push(filter);
            return Ok(self);
        }
        for part in split_conjunction(condition) {
            let equal = if let Expr::BinaryExpr(BinaryExpr { left, op: Operator::Eq, right }) = part
            {
                self.equation(left, right, schema)
            } else {
                Equation::Other
            };
            if !self.meet(equal)? {
                let filter = predicate(part, &self, schema)?;
                self.filters.push(filter);
            }
        }
        Ok(self)
    }

    /// What `a = b` says of the two sides.
    fn equation(&self, a: &Expr, b: &Expr, schema: &DFSchema) -> Equation {
        let (Some(a), Some(b)) = (self.source(a, schema), self.source(b, schema)) else {
            return Equation::Other;
        };
        if matches!(a, Source::Constant(_)) || matches!(b, Source::Constant(_)) {
            return Equation::Other;
        }
        let (Some(a), Some(b)) = (plain(a), plain(b)) else { return Equation::Wrong };
        if a.as_str() == COUNTRY_COLUMN && b == a {
            return Equation::Nothing;
        }
        let Some(joined) = &self.dataset.joined else { return Equation::Other };
        let (own, other) = if joined.own_name(b.as_str()).is_some() { (a, b) } else { (b, a) };
        if joined.own_name(other.as_str()) == Some(own.as_str()) && joined.on.contains(&own) {
            Equation::Met(own)
        } else {
            Equation::Wrong
        }
    }

    /// Takes an equation into account. `false`: it is another condition.
    fn meet(&mut self, equation: Equation) -> Result<bool, Refusal> {
        match equation {
            Equation::Met(column) => {
                self.unmet.retain(|unmet| *unmet != column);
                Ok(true)
            }
            Equation::Nothing => Ok(true),
            Equation::Other => Ok(false),
            Equation::Wrong => {
                let on = self.dataset.joined.as_ref().map(|joined| joined.on.as_slice());
                Err(refuse::not_joined(on.unwrap_or_default()))
            }
        }
    }
}

/// The declared path between two sides that are a dataset each.
fn path<'a>(left: &Rows<'a>, right: &Rows<'a>) -> Result<(catalogue::Join<'a>, Rowed), Refusal> {
    let none = || refuse::no_path(left.dataset.name.as_str(), right.dataset.name.as_str());
    let (a, b) = (left.dataset, right.dataset);
    if a.joined.is_some() || b.joined.is_some() {
        return Err(refuse::below("a join of more than two datasets"));
    }
    match (catalogue::Join::of(a, b), catalogue::Join::of(b, a)) {
        (Some(path), _) => Ok((path, Rowed::Left)),
        (None, Some(path)) => Ok((path, Rowed::Right)),
        (None, None) => Err(none()),
    }
}

/// The second side under the names of the joined dataset.
fn renamed<'a>(rows: Rows<'a>, path: &catalogue::Join<'_>) -> Option<Rows<'a>> {
    let source = |source: Source| {
        Some(match source {
            Source::Constant(value) => Source::Constant(value),
            Source::Level(Level { level, values }) => {
                Source::Level(Level { level: path.level(&level)?, values })
            }
            Source::Measure(mut column) => {
                column.name = path.column(&column.name)?;
                Source::Measure(column)
            }
            Source::Unit(name) => Source::Unit(path.column(&name)?),
        })
    };
    let sources = rows.sources.into_iter().map(source).collect::<Option<_>>()?;
    let filters = rows.filters.iter().map(|filter| path.predicate(filter));
    let filters = filters.collect::<Option<Vec<Predicate>>>()?;
    Some(Rows { sources, filters, ..rows })
}

/// The column that a source is as it is.
fn plain(source: Source) -> Option<ColumnName> {
    match source {
        Source::Level(level) => level.level.grain.is_none().then_some(level.level.column),
        Source::Constant(_) | Source::Measure(_) => None,
        Source::Unit(column) => Some(column),
    }
}
