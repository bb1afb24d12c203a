//! What withheld cells would have decided: rows that may be missing, and rows whose place is not known.
//!
//! A filter leaves out the rows that a withheld cell would decide about. Whoever adds up what is left must say that
//! something may be missing, but only where something is: so each such filter is counted when the tail runs, before
//! everything that is above it, and the statuses above read the count.

use super::cells::{Cells, Cutting, ok};
use super::refuse;
use super::status::{constant, least_of, or_known};
use arrow::datatypes::{DataType, Field};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::Placeholder;
use datafusion::logical_expr::utils::conjunction;
use datafusion::logical_expr::{Aggregate, Expr, Filter, LogicalPlan, lit};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Numbers of [`Doubt`]s.
pub(super) type Doubts = BTreeSet<usize>;

/// One thing that withheld cells would have decided.
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

/// The doubt about the order of rows of which one of these statuses is withheld.
pub(super) fn unplaced(
    cutting: &mut Cutting<'_>,
    cells: &Cells,
    statuses: Vec<Expr>,
) -> Result<Option<usize>, Refusal> {
    let Some(worst) = least_of(statuses.into_iter().map(Some)) else { return Ok(None) };
    let rows = kept(cells.plan.clone(), vec![is_withheld(worst)])?;
    doubt(cutting, rows, About::Order).map(Some)
}
