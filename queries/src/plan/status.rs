//! What an expression over cells is worth: the status of every column it depends on travels with it.
//!
//! A status is a `UInt8` column beside its value ([`CellStatus`]). An expression is worth the least of what it reads, so
//! that `coalesce(n, 0)` of a withheld `n` stays withheld and never becomes a zero. `CASE` is worth what the branch taken
//! is worth, as long as the conditions read no measure.

use super::cells::Cells;
use super::refuse;
use datafusion::common::ScalarValue;
use datafusion::functions::core::expr_fn::{coalesce, greatest};
use datafusion::logical_expr::expr::Case;
use datafusion::logical_expr::{Expr, lit, when};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;

/// The value of a scalar subquery and, where it depends on a measure, the subquery of its status.
pub(super) type Lifted = Vec<(Expr, Option<Expr>)>;

/// A constant status.
pub(super) fn constant(status: CellStatus) -> Expr {
    lit(ScalarValue::UInt8(Some(status.byte())))
}

/// The least that several parts are worth; `None` where none of them depends on a measure.
pub(super) fn least_of(statuses: impl IntoIterator<Item = Option<Expr>>) -> Option<Expr> {
    let mut statuses: Vec<Expr> = statuses.into_iter().flatten().collect();
    match statuses.len() {
        0 | 1 => statuses.pop(),
        _ => Some(greatest(statuses)),
    }
}

/// The status where there is one, known where an outer join or an empty window made none.
pub(super) fn or_known(status: Expr) -> Expr {
    coalesce(vec![status, constant(CellStatus::Known)])
}

/// What a fold of several cells is worth, from the smallest and the largest status among them: withheld where all are,
/// partial where some are.
pub(super) fn folded(smallest: Expr, largest: Expr) -> Result<Expr, Refusal> {
    when(smallest.gt_eq(constant(CellStatus::Suppressed)), constant(CellStatus::Suppressed))
        .when(largest.clone().gt(constant(CellStatus::Partial)), constant(CellStatus::Partial))
        .otherwise(largest)
        .map_err(|_| refuse::internal())
}

/// The status capped at partial: the order of some rows is not known, their values are.
pub(super) fn at_most_partial(status: Expr) -> Result<Expr, Refusal> {
    when(status.clone().gt(constant(CellStatus::Partial)), constant(CellStatus::Partial))
        .otherwise(status)
        .map_err(|_| refuse::internal())
}

/// The status of an expression over `cells`; `None` where it depends on no measure.
pub(super) fn status(expr: &Expr, cells: &Cells, lifted: &Lifted) -> Result<Option<Expr>, Refusal> {
    let one = |expr: &Expr| status(expr, cells, lifted);
    let all = |parts: &[&Expr]| {
        Ok(least_of(parts.iter().map(|part| one(part)).collect::<Result<Vec<_>, _>>()?))
    };
    #[expect(deprecated, reason = "an exhaustive match has to name the deprecated variant")]
    match expr {
        Expr::Literal(..) => Ok(None),
        Expr::Column(column) => cells.status_of(column),
        Expr::Alias(alias) => one(&alias.expr),
        Expr::BinaryExpr(binary) => all(&[&binary.left, &binary.right]),
        Expr::Like(like) | Expr::SimilarTo(like) => all(&[&like.expr, &like.pattern]),
        Expr::Not(part)
        | Expr::IsTrue(part)
        | Expr::IsFalse(part)
        | Expr::IsUnknown(part)
        | Expr::IsNotTrue(part)
        | Expr::IsNotFalse(part)
        | Expr::IsNotUnknown(part)
        | Expr::Negative(part) => one(part),
        // Of a key that an outer join filled in, this asks whether there is a partner.
        Expr::IsNotNull(part) | Expr::IsNull(part) => {
            Ok(least_of([one(part)?, cells.partner_of(part)]))
        }
        Expr::Between(between) => all(&[&between.expr, &between.low, &between.high]),
        Expr::Cast(cast) => one(&cast.expr),
        Expr::TryCast(cast) => one(&cast.expr),
        Expr::ScalarFunction(function) => all(&function.args.iter().collect::<Vec<_>>()),
        Expr::InList(list) => {
            let mut parts = vec![list.expr.as_ref()];
            parts.extend(&list.list);
            all(&parts)
        }
        Expr::Case(case) => branches(case, cells, lifted),
        Expr::ScalarSubquery(_) => {
            let known = lifted.iter().find(|(value, _)| value == expr);
            known.map(|(_, status)| status.clone()).ok_or_else(refuse::internal)
        }
        Expr::Exists(_) | Expr::InSubquery(_) | Expr::SetComparison(_) => {
            Err(refuse::not_supported(refuse::written(expr)))
        }
        Expr::ScalarVariable(..)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Wildcard { .. }
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => Err(refuse::not_supported(refuse::written(expr))),
    }
}

fn branches(case: &Case, cells: &Cells, lifted: &Lifted) -> Result<Option<Expr>, Refusal> {
    let one = |expr: &Expr| status(expr, cells, lifted);
    let conditions = case.expr.iter().chain(case.when_then_expr.iter().map(|(when, _)| when));
    let conditions = least_of(conditions.map(|expr| one(expr)).collect::<Result<Vec<_>, _>>()?);
    let results =
        case.when_then_expr.iter().map(|(_, then)| one(then)).collect::<Result<Vec<_>, _>>()?;
    let otherwise = case.else_expr.as_ref().map(|expr| one(expr)).transpose()?.flatten();
    if conditions.is_some() {
        return Ok(least_of(results.into_iter().chain([conditions, otherwise])));
    }
    if results.iter().chain([&otherwise]).all(Option::is_none) {
        return Ok(None);
    }
    let known =
        |status: Option<Expr>| Box::new(status.unwrap_or_else(|| constant(CellStatus::Known)));
    let taken = case
        .when_then_expr
        .iter()
        .zip(results)
        .map(|((when, _), status)| (when.clone(), known(status)));
    Ok(Some(Expr::Case(Case {
        expr: case.expr.clone(),
        when_then_expr: taken.collect(),
        else_expr: Some(known(otherwise)),
    })))
}

/// The unit of an expression's numbers, where it is plain.
#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "a label for the person; no decision hangs on it"
)]
pub(super) fn unit(expr: &Expr, cells: &Cells) -> Option<String> {
    match expr {
        Expr::Alias(alias) => unit(&alias.expr, cells),
        Expr::Column(column) => cells.unit_of(column),
        Expr::Cast(cast) => unit(&cast.expr, cells),
        Expr::Negative(part) => unit(part, cells),
        Expr::ScalarFunction(function)
            if matches!(
                function.name(),
                "abs" | "ceil" | "coalesce" | "floor" | "nullif" | "round" | "trunc"
            ) =>
        {
            unit(function.args.first()?, cells)
        }
        Expr::AggregateFunction(function)
            if matches!(function.func.name(), "avg" | "max" | "min" | "sum") =>
        {
            unit(function.params.args.first()?, cells)
        }
        _ => None,
    }
}
