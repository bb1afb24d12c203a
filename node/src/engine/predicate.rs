//! A [`Predicate`] as an expression of the engine, with SQL's three-valued logic.
//!
//! A predicate compares levels with constants and can raise no error. A date at a grain is compared through the range of
//! days that the comparison means, not through a function of the day, so that files and row groups can be left out by
//! their statistics: `month = 2024-03` is `day >= 2024-03-01 AND day < 2024-04-01`.

use super::failure::WorkFailure;
use super::level::level_of;
use super::period::{next, period_of, start};
use datafusion::common::{Column, ScalarValue};
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, lit};
use mayag_policies::catalogue::{Dataset, Kind, Named};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Country;

/// Where names of levels mean something: a dataset as one country holds it.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// The country; the constant value of the column `country`.
    pub country: &'a Country,
    /// The dataset.
    pub dataset: &'a Dataset,
}

/// A level, as far as the engine is concerned.
enum Level {
    /// A date column at a grain.
    Date(Expr, Grain),
    /// A whole-number column.
    Number(Expr),
    /// A text column, or the country.
    Text(Expr),
}

impl Scope<'_> {
    /// The predicate as an expression over the dataset's columns.
    pub fn predicate(&self, predicate: &Predicate) -> Result<Expr, WorkFailure> {
        match predicate {
            Predicate::All(parts) => {
                Ok(self.combine(parts, Operator::And)?.unwrap_or_else(|| lit(true)))
            }
            Predicate::Any(parts) => {
                Ok(self.combine(parts, Operator::Or)?.unwrap_or_else(|| lit(false)))
            }
            Predicate::Compare { level, comparison, value } => {
                self.compare(level, *comparison, value)
            }
            Predicate::In { level, values } => self.one_of(level, values),
            Predicate::IsNull { level } => Ok(Expr::IsNull(Box::new(self.level(level)?.column()))),
            Predicate::Not(part) => Ok(Expr::Not(Box::new(self.predicate(part)?))),
        }
    }

    /// A level as a value: what people group by, or ask the smallest and largest of.
    pub fn value(&self, level: &LevelRef) -> Result<Expr, WorkFailure> {
        Ok(match self.level(level)? {
            Level::Date(column, grain) => period_of(column, grain),
            Level::Number(column) | Level::Text(column) => column,
        })
    }

    fn combine(
        &self,
        parts: &[Predicate],
        operator: Operator,
    ) -> Result<Option<Expr>, WorkFailure> {
        let parts = parts.iter().map(|part| self.predicate(part)).collect::<Result<Vec<_>, _>>()?;
        Ok(balanced(parts, operator))
    }

    fn level(&self, level: &LevelRef) -> Result<Level, WorkFailure> {
        let named = |name: &str| Expr::Column(Column::new_unqualified(name));
        // The decision refuses what is no level long before; nothing here may depend on that.
        match self.dataset.named(level).ok_or(WorkFailure::Broken)? {
            Named::Country => Ok(Level::Text(lit(self.country.as_str()))),
            Named::Period(column, grain) => Ok(Level::Date(named(column.name.as_str()), grain)),
            Named::Coarser(column, level) => match column.kind {
                Kind::Category { .. } | Kind::Measure { .. } | Kind::Number {} => {
                    Ok(Level::Text(level_of(named(column.name.as_str()), &level.is)))
                }
                Kind::Date {} | Kind::Hidden {} | Kind::Unit {} => Err(WorkFailure::Broken),
            },
            Named::Plain(column) => match column.kind {
                Kind::Category { .. } => Ok(Level::Text(named(column.name.as_str()))),
                Kind::Number {} => Ok(Level::Number(named(column.name.as_str()))),
                Kind::Date {} | Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {} => {
                    Err(WorkFailure::Broken)
                }
            },
        }
    }

    fn compare(
        &self,
        level: &LevelRef,
        comparison: Comparison,
        value: &Literal,
    ) -> Result<Expr, WorkFailure> {
        let operator = match comparison {
            Comparison::Equal => Operator::Eq,
            Comparison::Greater => Operator::Gt,
            Comparison::GreaterOrEqual => Operator::GtEq,
            Comparison::Less => Operator::Lt,
            Comparison::LessOrEqual => Operator::LtEq,
            Comparison::NotEqual => Operator::NotEq,
        };
        match (self.level(level)?, value) {
            (Level::Date(column, grain), Literal::Date(day)) => {
                Ok(compare_period(column, grain, comparison, *day))
            }
            (Level::Number(column), Literal::Int(number)) => {
                Ok(binary(column, operator, lit(*number)))
            }
            (Level::Text(column), Literal::Text(text)) => {
                Ok(binary(column, operator, lit(text.as_str())))
            }
            (Level::Date(..), Literal::Bool(_) | Literal::Int(_) | Literal::Text(_))
            | (Level::Number(_), Literal::Bool(_) | Literal::Date(_) | Literal::Text(_))
            | (Level::Text(_), Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) => {
                Err(WorkFailure::Broken)
            }
        }
    }

    fn one_of(&self, level: &LevelRef, values: &[Literal]) -> Result<Expr, WorkFailure> {
        let coarse = match self.level(level)? {
            Level::Date(_, grain) => grain != Grain::Day,
            Level::Number(_) | Level::Text(_) => false,
        };
        if coarse {
            let parts = values.iter().map(|value| self.compare(level, Comparison::Equal, value));
            return Ok(balanced(parts.collect::<Result<_, _>>()?, Operator::Or)
                .unwrap_or_else(|| lit(false)));
        }
        let of = self.level(level)?;
        let list = values
            .iter()
            .map(|value| of.constant(value))
            .collect::<Option<Vec<_>>>()
            .ok_or(WorkFailure::Broken)?;
        Ok(if list.is_empty() { lit(false) } else { of.column().in_list(list, false) })
    }
}

impl Level {
    fn column(self) -> Expr {
        match self {
            Self::Date(column, _) | Self::Number(column) | Self::Text(column) => column,
        }
    }

    fn constant(&self, value: &Literal) -> Option<Expr> {
        match (self, value) {
            (Self::Date(..), Literal::Date(day)) => Some(date(*day)),
            (Self::Number(_), Literal::Int(number)) => Some(lit(*number)),
            (Self::Text(_), Literal::Text(text)) => Some(lit(text.as_str())),
            (Self::Date(..), Literal::Bool(_) | Literal::Int(_) | Literal::Text(_))
            | (Self::Number(_), Literal::Bool(_) | Literal::Date(_) | Literal::Text(_))
            | (Self::Text(_), Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) => None,
        }
    }
}

/// `period(column) <comparison> day`, as a range of days.
fn compare_period(column: Expr, grain: Grain, comparison: Comparison, day: i32) -> Expr {
    // The first period that starts on or after the day, and the first that starts after it.
    let after = next(grain, day);
    let from = if start(grain, day) == day { day } else { after };
    let at_least = |column: Expr, day: i32| binary(column, Operator::GtEq, date(day));
    let before = |column: Expr, day: i32| binary(column, Operator::Lt, date(day));
    // A day that starts no period equals no period: `from == after`, an empty range that is still null for null.
    let equal =
        |column: Expr| binary(at_least(column.clone(), from), Operator::And, before(column, after));
    match comparison {
        Comparison::Equal if grain == Grain::Day => binary(column, Operator::Eq, date(day)),
        Comparison::NotEqual if grain == Grain::Day => binary(column, Operator::NotEq, date(day)),
        Comparison::Equal => equal(column),
        Comparison::Greater => at_least(column, after),
        Comparison::GreaterOrEqual => at_least(column, from),
        Comparison::Less => before(column, from),
        Comparison::LessOrEqual => before(column, after),
        Comparison::NotEqual => Expr::Not(Box::new(equal(column))),
    }
}

fn date(day: i32) -> Expr {
    Expr::Literal(ScalarValue::Date32(Some(day)), None)
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr::new(Box::new(left), operator, Box::new(right)))
}

/// Combined as a balanced tree: the engine recurses over expressions, and a chain of a thousand ends its stack.
fn balanced(mut parts: Vec<Expr>, operator: Operator) -> Option<Expr> {
    while parts.len() > 1 {
        let mut halved = Vec::with_capacity(parts.len().div_ceil(2));
        let mut rest = parts.into_iter();
        while let Some(left) = rest.next() {
            halved.push(match rest.next() {
                Some(right) => binary(left, operator, right),
                None => left,
            });
        }
        parts = halved;
    }
    parts.pop()
}
