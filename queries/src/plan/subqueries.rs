//! Expressions and filters above the releases, with the queries inside them.
//!
//! `x IN (SELECT ..)` is a join that keeps the rows of one side, `EXISTS` a count, and every other query inside an
//! expression gives one value: all of them are cut like the query around them.

use super::cells::{Cells, Cutting, ok};
use super::doubts::{self, About, doubt, kept};
use super::rows::reads_rows;
use super::status::{Lifted, constant, least_of, or_known, status};
use super::{defined, refuse, spelling};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, Join, JoinConstraint, LogicalPlan, Projection, Subquery,
    SubqueryAlias, lit,
};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use std::sync::Arc;

/// An expression above the releases, its subqueries cut as well, and its status. What reads no measure is null where it is
/// not defined, if the row may be that of a group which has no rows.
pub(super) fn expr(
    cutting: &mut Cutting<'_>,
    expr: &Expr,
    cells: &Cells,
) -> Result<(Expr, Option<Expr>), Refusal> {
    let expr = spelling::spelled(expr, &|column| cells.texts(column))?;
    let (value, lifted) = lift(cutting, &expr)?;
    let status = status(&value, cells, &lifted)?;
    let maybe_empty = status.is_none() && cells.row().is_some();
    let value = if maybe_empty { defined::or_null(cutting, value, cells)? } else { value };
    Ok((value, status))
}

/// Keeps the rows that the predicate is true for; leaves out those for which a withheld cell would decide. Where a partial
/// value decides, the row is in doubt as well.
pub(super) fn filter(cutting: &mut Cutting<'_>, filter: &Filter) -> Result<Cells, Refusal> {
    let mut parts = split_conjunction_owned(filter.predicate.clone());
    if let Some(at) = parts.iter().position(|part| matches!(part, Expr::InSubquery(_))) {
        let Expr::InSubquery(member) = parts.swap_remove(at) else {
            return Err(refuse::internal());
        };
        let input = match conjunction(parts) {
            Some(rest) => {
                Arc::new(LogicalPlan::Filter(ok(Filter::try_new(rest, Arc::clone(&filter.input)))?))
            }
            None => Arc::clone(&filter.input),
        };
        let join = members(cutting, member, input)?;
        return cutting.cells(&LogicalPlan::Join(join));
    }
    let input = cutting.cells(&filter.input)?;
    keep(cutting, parts, input)
}

/// Keeps the cells for which all conditions are true.
pub(super) fn keep(
    cutting: &mut Cutting<'_>,
    parts: Vec<Expr>,
    input: Cells,
) -> Result<Cells, Refusal> {
    let (mut certain, mut conditions, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
    for part in parts {
        let (value, status) = expr(cutting, &part, &input)?;
        if status.is_none() {
            certain.push(value.clone());
        }
        conditions.push(value);
        statuses.push(status);
    }
    let mut cells = input.clone();
    if let Some(status) = least_of(statuses) {
        let status = or_known(status);
        certain.push(doubts::is_doubtful(status.clone()));
        conditions.push(status.lt(constant(CellStatus::Suppressed)));
        let in_doubt = kept(input.plan.clone(), certain)?;
        cells.doubts.insert(doubt(cutting, in_doubt, About::Rows)?);
    }
    Ok(cells.with(kept(input.plan, conditions)?))
}

/// The join that `input WHERE x [NOT] IN (SELECT ..)` is.
fn members(
    cutting: &mut Cutting<'_>,
    member: InSubquery,
    input: Arc<LogicalPlan>,
) -> Result<Join, Refusal> {
    let InSubquery { expr, subquery, negated } = member;
    closed(&subquery)?;
    let query = ok(SubqueryAlias::try_new(subquery.subquery, cutting.name()))?;
    let [column] = <[_; 1]>::try_from(query.schema.columns()).map_err(|_| refuse::internal())?;
    ok(Join::try_new(
        input,
        Arc::new(LogicalPlan::SubqueryAlias(query)),
        vec![(*expr, Expr::Column(column))],
        None,
        if negated { JoinType::LeftAnti } else { JoinType::LeftSemi },
        JoinConstraint::On,
        NullEquality::NullEqualsNothing,
        negated,
    ))
}

/// Cuts the queries inside an expression.
pub(super) fn lift(cutting: &mut Cutting<'_>, expr: &Expr) -> Result<(Expr, Lifted), Refusal> {
    let (mut lifted, mut refusal) = (Lifted::new(), None);
    let value = expr.clone().transform_up(|part| {
        #[expect(clippy::wildcard_enum_match_arm, reason = "every other expression stays as it is")]
        let cut = match &part {
            Expr::ScalarSubquery(query) => one_value(cutting, query),
            Expr::Exists(exists) => exists_any(cutting, exists),
            _ => return Ok(Transformed::no(part)),
        };
        match cut {
            Ok((value, cut)) => {
                lifted.push(cut);
                Ok(Transformed::yes(value))
            }
            Err(why) => {
                refusal.get_or_insert(why);
                Ok(Transformed::no(part))
            }
        }
    });
    match refusal {
        Some(refusal) => Err(refusal),
        None => Ok((ok(value)?.data, lifted)),
    }
}

/// What stands in the expression, and the query in it with its status.
type Cut = (Expr, (Expr, Option<Expr>));

fn one_value(cutting: &mut Cutting<'_>, query: &Subquery) -> Result<Cut, Refusal> {
    closed(query)?;
    let cells = cutting.cells(&query.subquery)?;
    value_of(cutting, cells, query)
}

/// `EXISTS` counts. Rows are counted by a release only, which says so itself.
fn exists_any(cutting: &mut Cutting<'_>, exists: &Exists) -> Result<Cut, Refusal> {
    closed(&exists.subquery)?;
    if reads_rows(&exists.subquery.subquery) {
        return Err(refuse::rows());
    }
    let rows = vec![count(lit(1_i64))];
    let query = Arc::clone(&exists.subquery.subquery);
    let query = LogicalPlan::Aggregate(ok(Aggregate::try_new(query, Vec::new(), rows))?);
    let cells = cutting.cells(&query)?;
    let (_, (rows, status)) = value_of(cutting, cells, &exists.subquery)?;
    let none = lit(0_i64);
    let value = if exists.negated { rows.clone().eq(none) } else { rows.clone().gt(none) };
    Ok((value, (rows, status)))
}

fn closed(query: &Subquery) -> Result<(), Refusal> {
    if query.outer_ref_columns.is_empty() {
        Ok(())
    } else {
        Err(refuse::not_supported("a subquery that reads the query around it"))
    }
}

fn value_of(cutting: &mut Cutting<'_>, cells: Cells, query: &Subquery) -> Result<Cut, Refusal> {
    let cells = doubts::sure(cutting, cells)?;
    let (visible, plan) = (cells.visible(), Arc::new(cells.plan));
    let one = |expr: Expr| {
        let plan = LogicalPlan::Projection(ok(Projection::try_new(vec![expr], Arc::clone(&plan)))?);
        Ok(Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), ..query.clone() }))
    };
    let ([value], [carried]) = (visible.as_slice(), cells.carried.as_slice()) else {
        return Err(refuse::not_supported("a subquery with several columns"));
    };
    let status = carried.status.clone().map(|status| one(Expr::Column(status)).map(or_known));
    let status = least_of([status.transpose()?, doubts::status_of(&cells.doubts)]);
    let value = one(value.clone())?;
    Ok((value.clone(), (value, status)))
}

/// What an aggregate is that groups by a key which its rows were to have among the results of another question: the same
/// groups are chosen above it, from protected cells. `None` where nothing is chosen so.
pub(super) fn lifted(aggregate: &Aggregate) -> Result<Option<LogicalPlan>, Refusal> {
    let LogicalPlan::Filter(filter) = aggregate.input.as_ref() else { return Ok(None) };
    let above = |part: &Expr| {
        let Expr::InSubquery(among) = part else { return None };
        let at = aggregate.group_expr.iter().position(|key| *key == *among.expr)?;
        let (qualifier, field) = aggregate.schema.iter().nth(at)?;
        let key = Box::new(Expr::Column(Column::new(qualifier.cloned(), field.name())));
        Some(Expr::InSubquery(InSubquery { expr: key, ..among.clone() }))
    };
    let (mut chosen, mut rest) = (Vec::new(), Vec::new());
    for part in split_conjunction_owned(filter.predicate.clone()) {
        match above(&part) {
            Some(part) => chosen.push(part),
            None => rest.push(part),
        }
    }
    let Some(chosen) = conjunction(chosen) else { return Ok(None) };
    let input = match conjunction(rest) {
        None => Arc::clone(&filter.input),
        Some(rest) => {
            Arc::new(LogicalPlan::Filter(ok(Filter::try_new(rest, Arc::clone(&filter.input)))?))
        }
    };
    let mut plain = aggregate.clone();
    plain.input = input;
    let below = LogicalPlan::Aggregate(plain);
    ok(Filter::try_new(chosen, Arc::new(below))).map(|filter| Some(LogicalPlan::Filter(filter)))
}
