//! Different values of levels (`count(DISTINCT region)`) are counted apart from everything else that a question asks of the
//! same groups.
//!
//! Each of them needs a release that is grouped by its level as well. In one release with them, all other numbers would be
//! added up from the combinations of all these levels, of which most are small: withheld, and many levels for the policy
//! to share at once. So each has a release of its own, and the others have the one that they have without them; their
//! results meet in a join by groups. All releases of a question are protected together, as always.

use super::cells::{Cells, Cutting, Part, ok};
use super::{joins, refuse};
use datafusion::common::{Column, JoinType, NullEquality};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::logical_expr::{Aggregate, Expr, Join, JoinConstraint};
use mayag_protocol::refusal::Refusal;
use std::sync::Arc;

/// A part of the measures over the same groups.
struct Side {
    cells: Cells,
    /// Where its measures stand in the aggregate.
    measures: Vec<usize>,
}

/// The cells of an aggregate over rows, of which these measures count levels; `None` where one release has them all.
pub(super) fn counted(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
    counts: &[Option<Expr>],
) -> Result<Option<Cells>, Refusal> {
    let mut asked: Vec<(Option<&Expr>, Vec<usize>)> = Vec::new();
    for (i, count) in counts.iter().enumerate() {
        match asked.iter_mut().find(|(level, _)| *level == count.as_ref()) {
            Some((_, measures)) => measures.push(i),
            None => asked.push((count.as_ref(), vec![i])),
        }
    }
    if asked.len() < 2 {
        return Ok(None);
    }
    asked.sort_by_key(|(level, _)| level.is_some());
    let (mut all, mut doubts): (Option<Side>, _) = (None, None);
    for (level, measures) in asked {
        let own = measures.iter().filter_map(|i| aggregate.aggr_expr.get(*i)).cloned().collect();
        let groups = aggregate.group_expr.clone();
        let part = ok(Aggregate::try_new(Arc::clone(&aggregate.input), groups, own))?;
        let cells = cutting.release(&part)?;
        if level.is_none() {
            // Whoever has rows in a finer cell has them here: a group that is not listed in this one alone can be missing.
            doubts = Some(cells.doubts.clone());
        }
        let side = Side { cells: renamed(cutting, cells)?, measures };
        all = Some(match all {
            None => side,
            Some(before) => met(cutting, before, side, aggregate.group_expr.len())?,
        });
    }
    let Side { mut cells, measures } = all.ok_or_else(refuse::internal)?;
    if let Some(doubts) = doubts {
        cells.doubts = doubts;
    }
    let mut have = cells.parts();
    let own = have.split_off(aggregate.group_expr.len());
    let mut own: Vec<(usize, Part)> = measures.into_iter().zip(own).collect();
    own.sort_by_key(|(at, _)| *at);
    have.extend(own.into_iter().map(|(_, part)| part));
    for (part, (qualifier, field)) in have.iter_mut().zip(aggregate.schema.iter()) {
        part.value = part.value.clone().alias_qualified(qualifier.cloned(), field.name());
    }
    let row = cells.row();
    cutting.arrange(cells, have, row).map(Some)
}

/// The same columns under names that nothing else has.
fn renamed(cutting: &mut Cutting<'_>, cells: Cells) -> Result<Cells, Refusal> {
    let mut parts = cells.parts();
    for part in &mut parts {
        part.value = part.value.clone().alias(cutting.name());
    }
    let row = cells.row();
    cutting.arrange(cells, parts, row)
}

/// Two sides in one. A group may be in either alone: what a country shows of the one it may withhold of the other.
fn met(cutting: &mut Cutting<'_>, left: Side, right: Side, groups: usize) -> Result<Side, Refusal> {
    let columns = |side: &Side| side.cells.plan.schema().columns().into_iter().take(groups);
    let keys: Vec<(Column, Column)> = columns(&left).zip(columns(&right)).collect();
    // Without groups there is one row on either side.
    let join_type = if keys.is_empty() { JoinType::Inner } else { JoinType::Full };
    let on = keys.iter().map(|(a, b)| (Expr::Column(a.clone()), Expr::Column(b.clone())));
    let join = ok(Join::try_new(
        Arc::new(left.cells.plan.clone()),
        Arc::new(right.cells.plan.clone()),
        on.collect(),
        None,
        join_type,
        JoinConstraint::On,
        NullEquality::NullEqualsNull,
        false,
    ))?;
    let width = left.cells.carried.len();
    let cells = joins::paired(cutting, &join, left.cells, right.cells)?;
    let mut parts = cells.parts();
    let mut other = parts.split_off(width);
    let own = other.split_off(groups);
    for (part, (a, b)) in parts.iter_mut().zip(keys) {
        let either = coalesce(vec![Expr::Column(a), Expr::Column(b)]).alias(cutting.name());
        *part = Part { texts: part.texts.take(), ..Part::plain(either) };
    }
    parts.extend(own);
    let row = cells.row();
    let cells = cutting.arrange(cells, parts, row)?;
    let measures = left.measures.into_iter().chain(right.measures).collect();
    Ok(Side { cells, measures })
}
