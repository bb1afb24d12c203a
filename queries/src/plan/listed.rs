//! Conditions on a level whose values are public: `substance LIKE 'co%'`, `lower(route) = 'sea'`.
//!
//! Such a condition is the list of the values for which it is true, and the list is worked out here, from the catalogue:
//! nothing that a question writes is computed from rows. O(values of the level); nothing is listed of a level with more
//! than [`MOST`].

use super::rows::{Level, Rows, Source, Values};
use crate::engine::computed;
use arrow::array::{Array as _, ArrayRef, BooleanArray, StringArray};
use arrow::datatypes::{DataType, Field, Schema};
use arrow::record_batch::RecordBatch;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::logical_expr::Expr;
use mayag_policies::shape::{LevelRef, Literal, Predicate};
use std::sync::Arc;

/// Values of a level at most: what is listed is sent to every country, for each such condition.
const MOST: usize = 1_000;

/// The name of the level while the condition is read.
const VALUE: &str = "value";

/// The values for which a condition on one level is true; `None` where it reads anything else, or its values are not public.
pub(super) fn listed(condition: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Option<Predicate> {
    let (level, condition) = of_one_level(condition, rows, schema)?;
    let domain = rows.dataset.domain(&level)?;
    let texts = domain.into_iter().map(|value| match value {
        None => Some(None),
        Some(Literal::Text(text)) => Some(Some(text)),
        Some(Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) => None,
    });
    let mut texts: Vec<Option<String>> = texts.collect::<Option<_>>()?;
    texts.retain(Option::is_some);
    if MOST < texts.len() {
        return None;
    }
    // What it is where there is no value is asked whether or not there can be none.
    texts.push(None);
    let outcomes = outcomes(&condition, &texts)?;
    let (mut values, mut others, mut without) = (Vec::new(), Vec::new(), None);
    for (text, outcome) in texts.into_iter().zip(outcomes) {
        match (text, outcome) {
            (Some(text), Some(true)) => values.push(Literal::Text(text)),
            (Some(text), Some(false)) => others.push(Literal::Text(text)),
            // Neither true nor false of a value: no list says that.
            (Some(_), None) => return None,
            (None, outcome) => without = outcome,
        }
    }
    let nothing = || Predicate::IsNull { level: level.clone() };
    let among = |values| Predicate::In { level: level.clone(), values };
    // Nothing is in an empty list, also where there is no value: what is null there is not in the list of all values.
    if values.is_empty() && without.is_none() {
        return Some(Predicate::Not(Box::new(among(others))));
    }
    let among = among(values);
    Some(match without {
        None => among,
        Some(true) => Predicate::Any(vec![nothing(), among]),
        Some(false) => Predicate::All(vec![Predicate::Not(Box::new(nothing())), among]),
    })
}

/// The one level that a condition reads, and the condition with [`VALUE`] in its place.
fn of_one_level(condition: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Option<(LevelRef, Expr)> {
    let mut found: Option<LevelRef> = None;
    let mut other = false;
    let read = condition.clone().transform_down(|part| {
        let jump = |part, changed| Ok(Transformed::new(part, changed, TreeNodeRecursion::Jump));
        match rows.source(&part, schema) {
            Some(Source::Constant(_)) => jump(part, false),
            Some(Source::Level(Level { level, values: Values::Text })) => {
                other |= *found.get_or_insert_with(|| level.clone()) != level;
                jump(Expr::Column(Column::new_unqualified(VALUE)), true)
            }
            Some(Source::Level(_) | Source::Measure(_) | Source::Unit(_)) => {
                other = true;
                jump(part, false)
            }
            None => {
                other |= part.exists(|part| Ok(is_no_row(part))).unwrap_or(true);
                Ok(Transformed::no(part))
            }
        }
    });
    let read = read.ok()?.data;
    if other { None } else { Some((found?, read)) }
}

/// Whether an expression needs more than the row it stands in.
fn is_no_row(expr: &Expr) -> bool {
    matches!(
        expr,
        Expr::AggregateFunction(_)
            | Expr::Exists(_)
            | Expr::InSubquery(_)
            | Expr::OuterReferenceColumn(..)
            | Expr::ScalarSubquery(_)
            | Expr::SetComparison(_)
            | Expr::WindowFunction(_)
    )
}

/// What a condition is of each text; `None` where it cannot be worked out.
fn outcomes(condition: &Expr, texts: &[Option<String>]) -> Option<Vec<Option<bool>>> {
    let schema = Arc::new(Schema::new(vec![Field::new(VALUE, DataType::Utf8, true)]));
    let named = DFSchema::try_from(Arc::clone(&schema)).ok()?;
    let column: ArrayRef = Arc::new(StringArray::from(texts.to_vec()));
    let batch = RecordBatch::try_new(schema, vec![column]).ok()?;
    let computed = computed(condition.clone(), &named).ok()?;
    let outcome = computed.evaluate(&batch).ok()?.into_array(texts.len()).ok()?;
    let outcome = outcome.as_any().downcast_ref::<BooleanArray>()?;
    Some((0..outcome.len()).map(|i| outcome.is_valid(i).then(|| outcome.value(i))).collect())
}
