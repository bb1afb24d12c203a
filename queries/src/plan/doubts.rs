//! What withheld cells would have decided: rows that may be missing, and rows whose place is not known.
//!
//! A filter leaves out the rows that a withheld cell would decide about. A partial value decides by what is known of it,
//! in either way: the row stays or goes, and is as much in doubt. Whoever adds up what is left must say that
//! something may be missing, but only where something is: so each such filter is counted when the tail runs, before
//! everything that is above it, and the statuses above read the count.

use super::cells::{Cells, Cutting, ok};
use super::refuse;
use super::status::{constant, least_of, or_known};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, Spans};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{
    Aggregate, Expr, Filter, LogicalPlan, Projection, Subquery, lit, when,
};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbers of [`Doubt`]s.
pub(super) type Doubts = BTreeSet<usize>;

/// One thing that withheld cells would have decided, or partial values have.
#[derive(Debug)]
pub(crate) struct Doubt {
    /// One number: how many rows are affected.
    pub(crate) plan: LogicalPlan,
    pub(crate) about: About,
}

/// What a doubt is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum About {
    /// Cells that a country withholds by not listing them: what is added up from the others is not the whole.
    Cells,
    /// The order of rows only.
    Order,
    /// Which rows there are.
    Rows,
}

/// The name under which a plan reads the status that a doubt gives: known where it turned out to be none.
pub(crate) fn parameter(doubt: usize) -> String {
    format!("doubt{doubt}")
}

/// The status that rows may be missing; `None` where none can be.
pub(super) fn status_of(doubts: &Doubts) -> Option<Expr> {
    let placeholder = |doubt: &usize| {
        let field = Arc::new(Field::new("", DataType::UInt8, false));
        let id = format!("${}", parameter(*doubt));
        Some(Expr::Placeholder(Placeholder::new_with_field(id, Some(field))))
    };
    least_of(doubts.iter().map(placeholder))
}

pub(super) fn is_withheld(status: Expr) -> Expr {
    or_known(status).gt_eq(constant(CellStatus::Suppressed))
}

pub(super) fn is_shown(status: Expr) -> Expr {
    or_known(status).lt(constant(CellStatus::Suppressed))
}

/// Whether something of a value is withheld, or all of it: what it decides may be otherwise.
pub(super) fn is_doubtful(status: Expr) -> Expr {
    or_known(status).gt_eq(constant(CellStatus::Partial))
}

pub(super) fn kept(plan: LogicalPlan, conditions: Vec<Expr>) -> Result<LogicalPlan, Refusal> {
    let condition = conjunction(conditions).ok_or_else(refuse::internal)?;
    Ok(LogicalPlan::Filter(ok(Filter::try_new(condition, Arc::new(plan)))?))
}

/// Notes a doubt about the rows of a plan.
pub(super) fn doubt(
    cutting: &mut Cutting<'_>,
    rows: LogicalPlan,
    about: About,
) -> Result<usize, Refusal> {
    let counted = vec![count(lit(1_i64)).alias("rows")];
    let plan = ok(Aggregate::try_new(Arc::new(rows), Vec::new(), counted))?;
    cutting.doubts.push(Doubt { plan: LogicalPlan::Aggregate(plan), about });
    Ok(cutting.doubts.len() - 1)
}

/// The status that rows may be missing because a country does not list them; `None` where all are listed.
pub(super) fn unlisted(cutting: &Cutting<'_>, doubts: &Doubts) -> Option<Expr> {
    status_of(&of_cells(cutting, doubts).0)
}

/// The doubts about cells that are not listed, and all others.
pub(super) fn of_cells(cutting: &Cutting<'_>, doubts: &Doubts) -> (Doubts, Doubts) {
    let cells =
        |doubt: &usize| cutting.doubts.get(*doubt).is_some_and(|of| of.about == About::Cells);
    doubts.iter().copied().partition(cells)
}

/// Leaves out the rows that may not be there, where nothing in the row would say so.
pub(super) fn sure(cutting: &mut Cutting<'_>, cells: Cells) -> Result<Cells, Refusal> {
    let Some(row) = cells.row().filter(|_| !cells.shows_statuses()) else { return Ok(cells) };
    let unsure = kept(cells.plan.clone(), vec![is_withheld(row.clone())])?;
    let doubt = doubt(cutting, unsure, About::Rows)?;
    let plan = kept(cells.plan.clone(), vec![is_shown(row)])?;
    let mut cells = Cells { row: None, ..cells.with(plan) };
    cells.doubts.insert(doubt);
    Ok(cells)
}

/// Doubts how many rows there are, where some may not be there.
pub(super) fn counted_rows(cutting: &mut Cutting<'_>, cells: Cells) -> Result<Cells, Refusal> {
    let Some(row) = cells.row() else { return Ok(cells) };
    let unsure = kept(cells.plan.clone(), vec![is_withheld(row)])?;
    let doubt = doubt(cutting, unsure, About::Rows)?;
    let mut cells = cells;
    cells.doubts.insert(doubt);
    Ok(cells)
}

/// The doubt about the order of rows of which one of these statuses is withheld or partial.
pub(super) fn unplaced(
    cutting: &mut Cutting<'_>,
    cells: &Cells,
    statuses: Vec<Expr>,
) -> Result<Option<usize>, Refusal> {
    let Some(worst) = least_of(statuses.into_iter().map(Some)) else { return Ok(None) };
    let rows = kept(cells.plan.clone(), vec![is_doubtful(worst)])?;
    doubt(cutting, rows, About::Order).map(Some)
}

/// The doubt about the order of some rows becomes one about which of them are the first `most`: none if these are all.
pub(super) fn first_ones(
    cutting: &mut Cutting<'_>,
    order: usize,
    rows: &LogicalPlan,
    most: Option<Expr>,
) -> Result<(), Refusal> {
    let doubt = cutting.doubts.get_mut(order).ok_or_else(refuse::internal)?;
    doubt.about = About::Rows;
    let Some(most) = most else { return Ok(()) };
    let counted = vec![count(lit(1_i64)).alias("all")];
    let all = ok(Aggregate::try_new(Arc::new(rows.clone()), Vec::new(), counted))?;
    let all = Expr::ScalarSubquery(Subquery {
        subquery: Arc::new(LogicalPlan::Aggregate(all)),
        outer_ref_columns: Vec::new(),
        spans: Spans::new(),
    });
    let rows = Expr::Column(Column::new_unqualified("rows"));
    let affected = ok(when(all.gt(most), rows).otherwise(lit(0_i64)))?.alias("rows");
    let plan = ok(Projection::try_new(vec![affected], Arc::new(doubt.plan.clone())))?;
    doubt.plan = LogicalPlan::Projection(plan);
    Ok(())
}
