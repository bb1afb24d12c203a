//! Joins and unions of results.

use super::cells::{Carried, Cells, Cutting, known, ok};
use super::refuse;
use super::status::or_known;
use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, JoinType};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, Union};
use mayag_protocol::refusal::Refusal;
use std::collections::HashMap;
use std::sync::Arc;

/// A join of two results: each side keeps its statuses. A join on a measure is refused, since a withheld cell could
/// match anything.
pub(super) fn join(cutting: &mut Cutting<'_>, join: &Join) -> Result<Cells, Refusal> {
    let left = cutting.cells(&join.left)?;
    let right = cutting.cells(&join.right)?;
    cutting.crosses += u32::from(join.on.is_empty());
    for (a, b) in &join.on {
        unmeasured(cutting.expr(a, &left)?.1.as_ref())?;
        unmeasured(cutting.expr(b, &right)?.1.as_ref())?;
    }
    if let Some(filter) = &join.filter {
        // Statuses of both sides, looked up by name.
        let mut columns: Vec<_> = filter.column_refs().into_iter().collect();
        columns.sort();
        for column in columns {
            let side = if left.plan.schema().has_column(column) { &left } else { &right };
            unmeasured(side.status_of(column)?.as_ref())?;
        }
        let subqueries = |expr: &Expr| {
            matches!(
                expr,
                Expr::ScalarSubquery(_)
                    | Expr::Exists(_)
                    | Expr::InSubquery(_)
                    | Expr::SetComparison(_)
            )
        };
        if ok(filter.exists(|expr| Ok(subqueries(expr))))? {
            return Err(refuse::not_supported("a subquery in a join condition"));
        }
    }
    let (left_only, right_only) = match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => (false, false),
        JoinType::LeftSemi | JoinType::LeftAnti => (true, false),
        JoinType::RightSemi | JoinType::RightAnti => (false, true),
        JoinType::LeftMark | JoinType::RightMark => return Err(refuse::not_supported("this join")),
    };
    let (mut values, mut carried): (Vec<Expr>, Vec<Carried>) = (Vec::new(), Vec::new());
    for (side, dropped) in [(&left, right_only), (&right, left_only)] {
        if !dropped {
            values.extend(side.visible());
            carried.extend(side.carried.iter().cloned());
        }
    }
    let joined = ok(Join::try_new(
        Arc::new(left.plan),
        Arc::new(right.plan),
        join.on.clone(),
        join.filter.clone(),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    ))?;
    // The rows that an outer join fills in are truly null, not withheld.
    let statuses = carried
        .iter()
        .map(|carried| carried.status.clone().map(|status| or_known(Expr::Column(status))));
    let statuses = statuses.collect();
    let units = carried.into_iter().map(|carried| carried.unit).collect();
    cutting.arrange(LogicalPlan::Join(joined), values, statuses, units)
}

fn unmeasured(status: Option<&Expr>) -> Result<(), Refusal> {
    match status {
        Some(_) => Err(refuse::not_supported("a join on a measure")),
        None => Ok(()),
    }
}

/// A union of results: a column has a status where any of its parts has one.
pub(super) fn union(cutting: &mut Cutting<'_>, union: &Union) -> Result<Cells, Refusal> {
    let parts =
        union.inputs.iter().map(|input| cutting.cells(input)).collect::<Result<Vec<_>, _>>()?;
    let columns = union.schema.fields().len();
    let part = |i: usize| parts.iter().filter_map(move |part| part.carried.get(i));
    let names: Vec<Option<String>> = (0..columns)
        .map(|i| part(i).any(|carried| carried.status.is_some()).then(|| cutting.name()))
        .collect();
    let carried = (0..columns)
        .zip(&names)
        .map(|(i, name)| {
            let unit = part(i).next().and_then(|carried| carried.unit.clone());
            let unit =
                unit.filter(|unit| part(i).all(|carried| carried.unit.as_ref() == Some(unit)));
            Carried { status: name.clone().map(Column::new_unqualified), unit }
        })
        .collect();
    let mut inputs = Vec::new();
    for cells in parts {
        let mut exprs = cells.visible();
        for (carried, name) in cells.carried.into_iter().zip(&names) {
            if let Some(name) = name {
                exprs.push(carried.status.map_or_else(known, Expr::Column).alias(name));
            }
        }
        inputs.push(Arc::new(LogicalPlan::Projection(ok(Projection::try_new(
            exprs,
            Arc::new(cells.plan),
        ))?)));
    }
    // The analyser keeps the first part's qualifiers; deriving the schema anew would lose them.
    let visible = union.schema.iter().map(|(qualifier, field)| {
        (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true)))
    });
    let statuses = names
        .iter()
        .flatten()
        .map(|name| (None, Arc::new(Field::new(name, DataType::UInt8, true))));
    let schema =
        ok(DFSchema::new_with_metadata(visible.chain(statuses).collect(), HashMap::new()))?;
    Ok(Cells { plan: LogicalPlan::Union(Union { inputs, schema: Arc::new(schema) }), carried })
}
