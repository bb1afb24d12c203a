//! `GROUPING SETS`, `ROLLUP` and `CUBE`: several groupings in one, each a release or a fold of its own.

use super::cells::{Cells, Cutting, Part, ok};
use super::rows::reads_rows;
use super::{folds, joins, refuse};
use datafusion::common::ScalarValue;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::expr::GroupingSet;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Aggregate, Expr, lit};
use mayag_protocol::refusal::{Code, Refusal};
use std::sync::Arc;

/// Whether an aggregate groups in several ways.
pub(super) fn is_several(aggregate: &Aggregate) -> bool {
    matches!(aggregate.group_expr.as_slice(), [Expr::GroupingSet(_)])
}

/// One grouping after the other, put together as the engine would: keys that a grouping lacks are null, and a number
/// says which they are.
pub(super) fn several(cutting: &mut Cutting<'_>, aggregate: &Aggregate) -> Result<Cells, Refusal> {
    let keys: Vec<&Expr> = ok(grouping_set_to_exprlist(&aggregate.group_expr))?;
    let [Expr::GroupingSet(sets)] = aggregate.group_expr.as_slice() else {
        return Err(refuse::internal());
    };
    // Both readings of rows and of results are cut once.
    let input =
        if reads_rows(&aggregate.input) { None } else { Some(cutting.cells(&aggregate.input)?) };
    let mut parts = Vec::new();
    for set in sets_of(sets)? {
        let mut own: Vec<Expr> = Vec::new();
        for key in set {
            if !own.contains(key) {
                own.push(key.clone());
            }
        }
        let mut measures = aggregate.aggr_expr.clone();
        if own.is_empty() && measures.is_empty() {
            measures.push(count(lit(1_i64)));
        }
        let one = ok(Aggregate::try_new(Arc::clone(&aggregate.input), own.clone(), measures))?;
        let cells = match &input {
            Some(input) => folds::aggregate(cutting, &one, input.clone())?,
            None => cutting.release(&one)?,
        };
        parts.push(widened(cutting, aggregate, &keys, &own, cells)?);
    }
    joins::together(cutting, parts, &aggregate.schema)
}

/// The groupings of a set. The guard bounds how many there are; this does too.
fn sets_of(sets: &GroupingSet) -> Result<Vec<Vec<&Expr>>, Refusal> {
    let sets: Vec<Vec<&Expr>> = match sets {
        GroupingSet::Rollup(keys) => {
            (0..=keys.len()).rev().map(|n| keys.iter().take(n).collect()).collect()
        }
        GroupingSet::Cube(keys) if keys.len() < 16 => (0..1_u32 << keys.len())
            .map(|left_out| {
                let kept = |(i, _): &(usize, &Expr)| left_out >> i & 1 == 0;
                keys.iter().enumerate().filter(kept).map(|(_, key)| key).collect()
            })
            .collect(),
        GroupingSet::Cube(_) => return Err(too_many()),
        GroupingSet::GroupingSets(sets) => sets.iter().map(|set| set.iter().collect()).collect(),
    };
    if sets.len() > super::MOST_RELEASES { Err(too_many()) } else { Ok(sets) }
}

fn too_many() -> Refusal {
    let hint = format!("at most {} groupings: ask several smaller questions", super::MOST_RELEASES);
    Refusal::new(Code::TooComplex, "planner", hint).about("groupings")
}

/// The cells of one grouping with the columns of all.
fn widened(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
    keys: &[&Expr],
    own: &[Expr],
    cells: Cells,
) -> Result<Cells, Refusal> {
    let mut have = cells.parts();
    let measures = have.split_off(own.len());
    let (mut parts, mut missing) = (Vec::new(), 0_u64);
    for (i, key) in keys.iter().enumerate() {
        let (qualifier, field) = aggregate.schema.qualified_field(i);
        let known = own.iter().position(|own| own == *key).and_then(|at| have.get(at));
        let mut part = known.cloned();
        if part.is_none() {
            missing |= 1 << (keys.len() - 1 - i);
            let nothing = ok(ScalarValue::try_from(field.data_type()))?;
            part = Some(Part::plain(lit(nothing)));
        }
        let part = part.ok_or_else(refuse::internal)?;
        let value = part.value.alias_qualified(qualifier.cloned(), field.name());
        parts.push(Part { value, ..part });
    }
    let (_, number) = aggregate.schema.qualified_field(keys.len());
    let id = ok(ScalarValue::UInt64(Some(missing)).cast_to(number.data_type()))?;
    let value = lit(id).alias(number.name());
    parts.push(Part::plain(value));
    for (i, part) in measures.into_iter().take(aggregate.aggr_expr.len()).enumerate() {
        let (qualifier, field) = aggregate.schema.qualified_field(keys.len() + 1 + i);
        let value = part.value.alias_qualified(qualifier.cloned(), field.name());
        parts.push(Part { value, ..part });
    }
    let row = cells.row();
    cutting.arrange(cells, parts, row)
}
