//! Joins and unions of results.

use super::cells::{Carried, Cells, Cutting, Part, ok};
use super::doubts::{self, About, doubt, is_doubtful, is_shown, is_withheld, kept};
use super::status::{constant, least_of, or_known};
use super::subqueries::{self, expr};
use super::{refuse, spelling};
use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::TreeNode;
use datafusion::common::{Column, DFSchema, JoinType, NullEquality};
use datafusion::error::DataFusionError;
use datafusion::functions::core::expr_fn::{coalesce, least};
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Join, LogicalPlan, Projection, Union, when};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use std::collections::HashMap;
use std::sync::Arc;

/// A join of two results: each side keeps its statuses. A join on a measure is refused, since a withheld cell could
/// match anything.
pub(super) fn join(cutting: &mut Cutting<'_>, join: &Join) -> Result<Cells, Refusal> {
    let left = cutting.cells(&join.left)?;
    let right = cutting.cells(&join.right)?;
    let texts = |column: &Column| {
        let side = if left.plan.schema().has_column(column) { &left } else { &right };
        side.texts(column)
    };
    let filter = join.filter.as_ref().map(|filter| spelling::spelled(filter, &texts));
    let join = &Join { filter: filter.transpose()?, ..join.clone() };
    if join.join_type == JoinType::Inner && join.null_equality == NullEquality::NullEqualsNothing {
        return inner(cutting, join, left, right);
    }
    cutting.crosses += u32::from(join.on.is_empty());
    for (a, b) in &join.on {
        unmeasured(expr(cutting, a, &left)?.1.as_ref())?;
        unmeasured(expr(cutting, b, &right)?.1.as_ref())?;
    }
    if let Some(filter) = &join.filter
        && condition(filter, &left, &right)?
    {
        return Err(refuse::not_supported("an outer join on a measure"));
    }
    match join.join_type {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full => {
            paired(cutting, join, left, right)
        }
        JoinType::LeftSemi | JoinType::LeftAnti => chosen(cutting, join, left, right),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::LeftMark | JoinType::RightMark => {
            Err(refuse::not_supported("this join"))
        }
    }
}

/// An inner join is a filter over pairs: conditions on measures are filters above it, which say what they leave out.
fn inner(
    cutting: &mut Cutting<'_>,
    join: &Join,
    left: Cells,
    right: Cells,
) -> Result<Cells, Refusal> {
    let (mut on, mut filters, mut late) = (Vec::new(), Vec::new(), Vec::new());
    for (a, b) in &join.on {
        let measured = [expr(cutting, a, &left)?.1, expr(cutting, b, &right)?.1];
        if measured.iter().any(Option::is_some) {
            late.push(a.clone().eq(b.clone()));
        } else {
            on.push((a.clone(), b.clone()));
        }
    }
    for part in join.filter.iter().cloned().flat_map(split_conjunction_owned) {
        if condition(&part, &left, &right)? { late.push(part) } else { filters.push(part) }
    }
    cutting.crosses += u32::from(on.is_empty());
    let join = Join { on, filter: conjunction(filters), ..join.clone() };
    let alone = partnerless(cutting, &join, &left, &right)?;
    let mut pairs = paired(cutting, &join, left, right)?;
    pairs.doubts.extend(alone);
    if late.is_empty() { Ok(pairs) } else { subqueries::keep(cutting, late, pairs) }
}

/// The doubts about rows of either side that have no partner among those that are listed of the other.
fn partnerless(
    cutting: &mut Cutting<'_>,
    join: &Join,
    left: &Cells,
    right: &Cells,
) -> Result<doubts::Doubts, Refusal> {
    let mut alone = doubts::Doubts::new();
    if join.on.is_empty() && join.filter.is_none() {
        return Ok(alone);
    }
    for (other, join_type) in [(right, JoinType::LeftAnti), (left, JoinType::RightAnti)] {
        let Some(gap) = doubts::unlisted(cutting, &other.doubts) else { continue };
        let without = Join { join_type, ..join.clone() };
        let without = with_sides(&without, left.plan.clone(), right.plan.clone())?;
        let open = kept(LogicalPlan::Join(without), vec![is_doubtful(gap)])?;
        alone.insert(doubt(cutting, open, About::Rows)?);
    }
    Ok(alone)
}

/// Whether a condition reads a measure.
fn condition(filter: &Expr, left: &Cells, right: &Cells) -> Result<bool, Refusal> {
    // Statuses of both sides, looked up by name.
    let mut columns: Vec<_> = filter.column_refs().into_iter().collect();
    columns.sort();
    let mut measured = false;
    for column in columns {
        let side = if left.plan.schema().has_column(column) { left } else { right };
        measured |= side.status_of(column)?.is_some();
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
    Ok(measured)
}

/// A join that gives rows of both sides.
pub(super) fn paired(
    cutting: &mut Cutting<'_>,
    join: &Join,
    left: Cells,
    right: Cells,
) -> Result<Cells, Refusal> {
    let left_filled = matches!(join.join_type, JoinType::Right | JoinType::Full);
    let right_filled = matches!(join.join_type, JoinType::Left | JoinType::Full);
    let mut parts = if left_filled { filled(cutting, &left)? } else { left.parts() };
    parts.extend(if right_filled { filled(cutting, &right)? } else { right.parts() });
    let row = match (left_filled, right_filled) {
        (false, false) => least_of([left.row(), right.row()]),
        (false, true) => left.row(),
        (true, false) => right.row(),
        // There is a row if either side has one.
        (true, true) => match (left.row(), right.row()) {
            (Some(left), Some(right)) => Some(least(vec![left, right])),
            (left, right) => left.or(right),
        },
    };
    let doubts = left.doubts.union(&right.doubts).copied().collect();
    let plan = LogicalPlan::Join(with_sides(join, left.plan.clone(), right.plan)?);
    cutting.arrange(Cells { doubts, order: None, ..left.with(plan) }, parts, row)
}

/// The columns of one side. Where an outer join fills them in, they are truly null, not withheld; unless the row that
/// would have met may be there unlisted, with small numbers: then they are withheld. Where a filter left out rows that were in
/// doubt, they are partial.
fn filled(cutting: &Cutting<'_>, side: &Cells) -> Result<Vec<Part>, Refusal> {
    let known = || constant(CellStatus::Known);
    let (_, left_out) = doubts::of_cells(cutting, &side.doubts);
    let unlisted = doubts::unlisted(cutting, &side.doubts).map(|unlisted| {
        let withheld = constant(CellStatus::Suppressed);
        when(is_doubtful(unlisted), withheld).otherwise(known())
    });
    let unlisted = ok(unlisted.transpose())?;
    let gap = least_of([doubts::status_of(&left_out), unlisted]).unwrap_or_else(known);
    let missing = doubts::status_of(&side.doubts);
    let mut parts = side.parts();
    for part in &mut parts {
        match part.status.take() {
            Some(status) => part.status = Some(coalesce(vec![status, gap.clone()])),
            None => part.partner = ok(partner(&part.value, side.row(), missing.clone()))?,
        }
    }
    Ok(parts)
}

/// How sure it is whether there is a partner, where a key of its row tells: the row may not be there though it is listed,
/// or there though it is not. `None` where it is sure.
fn partner(
    key: &Expr,
    row: Option<Expr>,
    missing: Option<Expr>,
) -> Result<Option<Expr>, DataFusionError> {
    if row.is_none() && missing.is_none() {
        return Ok(None);
    }
    let known = || constant(CellStatus::Known);
    let there = row.map_or_else(known, or_known);
    when(key.clone().is_not_null(), there).otherwise(missing.unwrap_or_else(known)).map(Some)
}

/// A join that keeps the rows of the left side that have, or do not have, a partner. Partners that may not be there
/// leave it open: such rows are left out and counted. Partners that may be there unlisted leave it open for every row
/// without one: these are counted, too.
fn chosen(
    cutting: &mut Cutting<'_>,
    join: &Join,
    left: Cells,
    right: Cells,
) -> Result<Cells, Refusal> {
    let mut doubts: doubts::Doubts = left.doubts.union(&right.doubts).copied().collect();
    let mut partners = right.plan.clone();
    let single = Join { null_aware: false, ..join.clone() };
    let without = Join { join_type: JoinType::LeftAnti, ..single.clone() };
    if let Some(gap) = doubts::unlisted(cutting, &right.doubts) {
        let alone = with_sides(&without, left.plan.clone(), right.plan.clone())?;
        let open = kept(LogicalPlan::Join(alone), vec![is_doubtful(gap)])?;
        doubts.insert(doubt(cutting, open, About::Rows)?);
    }
    if let Some(row) = right.row() {
        let sure = kept(right.plan.clone(), vec![is_shown(row.clone())])?;
        let unsure = kept(right.plan, vec![is_withheld(row)])?;
        let without = LogicalPlan::Join(with_sides(&without, left.plan.clone(), sure.clone())?);
        let open = Join { join_type: JoinType::LeftSemi, ..single };
        let open = LogicalPlan::Join(with_sides(&open, without, unsure)?);
        doubts.insert(doubt(cutting, open, About::Rows)?);
        if join.join_type == JoinType::LeftSemi {
            partners = sure;
        }
    }
    let plan = LogicalPlan::Join(with_sides(join, left.plan.clone(), partners)?);
    let (parts, row) = (left.parts(), left.row());
    cutting.arrange(Cells { doubts, order: None, ..left.with(plan) }, parts, row)
}

fn with_sides(join: &Join, left: LogicalPlan, right: LogicalPlan) -> Result<Join, Refusal> {
    ok(Join::try_new(
        Arc::new(left),
        Arc::new(right),
        join.on.clone(),
        join.filter.clone(),
        join.join_type,
        join.join_constraint,
        join.null_equality,
        join.null_aware,
    ))
}

fn unmeasured(status: Option<&Expr>) -> Result<(), Refusal> {
    match status {
        Some(_) => Err(refuse::not_supported("a join on a measure")),
        None => Ok(()),
    }
}

/// A union of results.
pub(super) fn union(cutting: &mut Cutting<'_>, union: &Union) -> Result<Cells, Refusal> {
    let parts =
        union.inputs.iter().map(|input| cutting.cells(input)).collect::<Result<Vec<_>, _>>()?;
    together(cutting, parts, &union.schema)
}

/// Several results under each other: a column has a status where any of its parts has one.
pub(super) fn together(
    cutting: &mut Cutting<'_>,
    parts: Vec<Cells>,
    schema: &DFSchema,
) -> Result<Cells, Refusal> {
    let part = |i: usize| parts.iter().filter_map(move |part| part.carried.get(i));
    let mut name = |wanted: bool| wanted.then(|| Column::new_unqualified(cutting.name()));
    let mut carried = Vec::new();
    for i in 0..schema.fields().len() {
        let unit = part(i).next().and_then(|carried| carried.unit.clone());
        let texts = part(i).next().and_then(|carried| carried.texts.clone());
        carried.push(Carried {
            status: name(part(i).any(|carried| carried.status.is_some())),
            partner: name(part(i).any(|carried| carried.partner.is_some())),
            deviation: name(part(i).any(|carried| carried.deviation.is_some())),
            unit: unit.filter(|unit| part(i).all(|carried| carried.unit.as_ref() == Some(unit))),
            texts: texts
                .filter(|texts| part(i).all(|carried| carried.texts.as_ref() == Some(texts))),
        });
    }
    let row = name(parts.iter().any(|part| part.row.is_some()));
    let doubts = parts.iter().flat_map(|part| part.doubts.iter().copied()).collect();
    // The engine forgets qualifiers when it derives the schema of a union: they come back above it.
    let names: Vec<String> = schema.fields().iter().map(|_| cutting.name()).collect();
    let inputs = parts.into_iter().map(|cells| side(cells, &names, &carried, row.as_ref()));
    let inputs = inputs.collect::<Result<_, _>>()?;
    let visible = schema.fields().iter().zip(&names);
    let mut fields = Vec::new();
    let mut add_field = |name: &str, data_type: DataType| {
        fields.push((None, Arc::new(Field::new(name, data_type, true))));
    };
    visible.for_each(|(field, name)| add_field(name, field.data_type().clone()));
    let mut add = |column: Option<&Column>, data_type: DataType| {
        if let Some(column) = column {
            add_field(&column.name, data_type);
        }
    };
    for carried in &carried {
        add(carried.status.as_ref(), DataType::UInt8);
        add(carried.partner.as_ref(), DataType::UInt8);
        add(carried.deviation.as_ref(), DataType::Float64);
    }
    add(row.as_ref(), DataType::UInt8);
    let all = Arc::new(ok(DFSchema::new_with_metadata(fields, HashMap::new()))?);
    let plan = LogicalPlan::Union(Union { inputs, schema: all });
    let cells = Cells { plan, carried, row, doubts, order: None };
    let mut parts = cells.parts();
    for (part, (qualifier, field)) in parts.iter_mut().zip(schema.iter()) {
        part.value = part.value.clone().alias_qualified(qualifier.cloned(), field.name());
    }
    let row = cells.row();
    cutting.arrange(cells, parts, row)
}

/// One part of a union, with the columns that travel with any of them.
fn side(
    cells: Cells,
    names: &[String],
    wanted: &[Carried],
    wanted_row: Option<&Column>,
) -> Result<Arc<LogicalPlan>, Refusal> {
    let known = || constant(CellStatus::Known);
    let visible = cells.visible().into_iter().zip(names);
    let mut exprs: Vec<Expr> = visible.map(|(column, name)| column.alias(name)).collect();
    for (own, wanted) in cells.carried.iter().zip(wanted) {
        if let Some(name) = &wanted.status {
            exprs.push(own.status.clone().map_or_else(known, Expr::Column).alias(&name.name));
        }
        if let Some(name) = &wanted.partner {
            exprs.push(own.partner.clone().map_or_else(known, Expr::Column).alias(&name.name));
        }
        if let Some(name) = &wanted.deviation {
            let none = || Expr::Literal(datafusion::common::ScalarValue::Float64(None), None);
            exprs.push(own.deviation.clone().map_or_else(none, Expr::Column).alias(&name.name));
        }
    }
    if let Some(name) = wanted_row {
        exprs.push(cells.row().unwrap_or_else(known).alias(&name.name));
    }
    let plan = ok(Projection::try_new(exprs, Arc::new(cells.plan)))?;
    Ok(Arc::new(LogicalPlan::Projection(plan)))
}
