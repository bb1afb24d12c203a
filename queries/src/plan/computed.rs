//! Groups that are computed from levels: `upper(region)`, `coalesce(route, 'none')`, a `CASE` that is no level, and how
//! many levels there are (`count(DISTINCT region)`).
//!
//! Nothing that a question writes is computed from rows. The release is grouped by the levels themselves, as if they had
//! been asked for; the expressions are computed above it, from keys that everybody may see, and the protected cells that
//! they bring together are added up. So the sum is partial where one of them is withheld, and what does not add up
//! (averages, people) is refused.

use super::cells::{Cells, Cutting, Part, ok};
use super::doubts::is_shown;
use super::keys::Adding;
use super::predicate::constant;
use super::rows::{Level, Rows, Source, Values};
use super::{apart, folds, refuse};
use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions::datetime::expr_fn::date_trunc;
use datafusion::functions_aggregate::expr_fn::count_distinct;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{Aggregate, Expr, cast, lit, when};
use mayag_policies::catalogue::Kind;
use mayag_policies::shape::Grain;
use mayag_protocol::refusal::Refusal;
use std::sync::Arc;

/// The cells of an aggregate over rows that groups by more than levels, or counts levels; `None` for every other one.
pub(super) fn groups(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
) -> Result<Option<Cells>, Refusal> {
    let rows = Rows::of(&aggregate.input, cutting.catalogue())?;
    let schema = aggregate.input.schema();
    let computed =
        |key: &&Expr| rows.source(key, schema).is_none() && !matches!(key, Expr::GroupingSet(_));
    let counted = |measure: &Expr| counted(measure, &rows, schema);
    let key =
        aggregate.group_expr.iter().find(computed).map(|key| refuse::key(refuse::written(key)));
    if let Some(column) =
        aggregate.group_expr.iter().find_map(|key| but_for_else(key, &rows, schema))
    {
        return Err(refuse::otherwise(&column));
    }
    let why = key.or_else(|| {
        let of = aggregate.aggr_expr.iter().find_map(counted)?;
        Some(refuse::aggregate(format!("count(DISTINCT {})", refuse::written(&of))))
    });
    let Some(why) = why else { return Ok(None) };
    let counts: Vec<Option<Expr>> = aggregate.aggr_expr.iter().map(&counted).collect();
    if let Some(cells) = apart::counted(cutting, aggregate, &counts)? {
        return Ok(Some(cells));
    }
    let mut levels = Levels { rows: &rows, schema, exprs: Vec::new() };
    let groups = aggregate.group_expr.iter().map(|key| levels.above(key));
    let groups = groups.collect::<Result<Vec<_>, _>>()?;
    let counts = counts.iter().map(|count| count.as_ref().map(|of| levels.above(of)).transpose());
    let counts = counts.collect::<Result<Vec<_>, _>>()?;
    let asked = aggregate.aggr_expr.iter().zip(&counts).filter(|(_, count)| count.is_none());
    let asked = asked.map(|(measure, _)| measure.clone()).collect();
    let below = Aggregate::try_new(Arc::clone(&aggregate.input), levels.exprs, asked);
    let below = ok(below)?;
    let (cells, several) = cutting.leaf(&below)?;
    let adding = several.adding.ok_or(why)?;
    let own = cells.visible().into_iter().skip(below.group_expr.len());
    let mut own = own.zip(adding).map(|(cells, adding)| adding.up(cells));
    let (mut parts, row, mut measures) = (cells.parts(), cells.row(), Vec::new());
    for count in counts {
        measures.push(match count {
            None => own.next().ok_or_else(refuse::internal)?,
            Some(level) => {
                // Counted where it is known that there is one: the others make the count partial.
                let name = cutting.name();
                let shown = is_shown(row.clone().ok_or_else(refuse::internal)?);
                let level = ok(when(shown, level).end())?;
                parts.push(Part::plain(level.alias(&name)));
                count_distinct(Expr::Column(Column::new_unqualified(name)))
            }
        });
    }
    let cells = cutting.arrange(cells, parts, row)?;
    added_up(cutting, aggregate, cells, groups, measures).map(Some)
}

/// The groups of an aggregate, each of which is several cells of its release.
pub(super) fn several(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
    cells: Cells,
    adding: &[Adding],
) -> Result<Cells, Refusal> {
    let columns = cells.visible();
    let (groups, measures) = columns.split_at(aggregate.group_expr.len());
    let measures = measures.iter().zip(adding).map(|(cells, adding)| adding.up(cells.clone()));
    let measures = measures.collect();
    added_up(cutting, aggregate, cells, groups.to_vec(), measures)
}

/// Adds cells up to these groups, under the names and types of the aggregate.
fn added_up(
    cutting: &mut Cutting<'_>,
    aggregate: &Aggregate,
    cells: Cells,
    groups: Vec<Expr>,
    measures: Vec<Expr>,
) -> Result<Cells, Refusal> {
    let over = ok(Aggregate::try_new(Arc::new(cells.plan.clone()), groups, measures))?;
    let cells = folds::aggregate(cutting, &over, cells)?;
    let mut parts = cells.parts();
    for (part, (qualifier, field)) in parts.iter_mut().zip(aggregate.schema.iter()) {
        let mut value = cast(part.value.clone(), field.data_type().clone());
        // A sum of no cells is null, and a count of no rows is not.
        if aggregate.group_expr.is_empty() && !field.is_nullable() {
            value = coalesce(vec![value, lit(0_i64)]);
        }
        part.value = value.alias_qualified(qualifier.cloned(), field.name());
    }
    let row = cells.row();
    cutting.arrange(cells, parts, row)
}

/// The measure of which a `CASE` would be a level, if its `ELSE` did not take rows without a value.
fn but_for_else(key: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Option<String> {
    let Expr::Case(case) = key else { return None };
    let (column, _) = rows.cased_where_known(case, schema)?;
    let measure = matches!(column.kind, Kind::Measure { .. });
    (measure && rows.cased(case, schema).is_none()).then(|| column.name.to_string())
}

/// The level whose different values a measure counts.
fn counted(measure: &Expr, rows: &Rows<'_>, schema: &DFSchema) -> Option<Expr> {
    #[expect(clippy::wildcard_enum_match_arm, reason = "no other expression counts levels")]
    match measure {
        Expr::Alias(alias) => counted(&alias.expr, rows, schema),
        Expr::AggregateFunction(function) => {
            let parameters = &function.params;
            let plain = function.func.name() == "count"
                && parameters.distinct
                && parameters.filter.is_none()
                && parameters.order_by.is_empty()
                && parameters.null_treatment.is_none();
            let [of] = parameters.args.as_slice() else { return None };
            let level = matches!(rows.source(of, schema), Some(Source::Level(_)));
            (plain && level).then(|| of.clone())
        }
        _ => None,
    }
}

/// The levels that are read by expressions above a release.
struct Levels<'r, 'a> {
    rows: &'r Rows<'a>,
    schema: &'r DFSchema,
    exprs: Vec<Expr>,
}

impl Levels<'_, '_> {
    /// An expression as it stands above the release: each level in it is a key there.
    fn above(&mut self, expr: &Expr) -> Result<Expr, Refusal> {
        let mut refusal = None;
        let above = expr.clone().transform_down(|part| {
            let part = self.coarsened(&part).unwrap_or(part);
            match self.rows.source(&part, self.schema) {
                Some(Source::Level(_)) => {
                    let (qualifier, name) = part.qualified_name();
                    if !self.exprs.contains(&part) {
                        self.exprs.push(part);
                    }
                    let key = Expr::Column(Column::new(qualifier, name));
                    Ok(Transformed::new(key, true, TreeNodeRecursion::Jump))
                }
                Some(Source::Constant(_)) => {
                    Ok(Transformed::new(part, false, TreeNodeRecursion::Jump))
                }
                Some(Source::Measure(column)) => {
                    refusal.get_or_insert_with(|| refuse::key(column.name.as_str()));
                    Ok(Transformed::new(part, false, TreeNodeRecursion::Stop))
                }
                Some(Source::Unit(column)) => {
                    refusal.get_or_insert_with(|| refuse::key(column.as_str()));
                    Ok(Transformed::new(part, false, TreeNodeRecursion::Stop))
                }
                None => Ok(Transformed::no(part)),
            }
        });
        match refusal {
            Some(refusal) => Err(refusal),
            None => Ok(ok(above)?.data),
        }
    }

    /// `to_char(date, '%Y-%m')` says the same of the first day of the month, which is easier to be shared.
    fn coarsened(&self, part: &Expr) -> Option<Expr> {
        let Expr::ScalarFunction(function) = part else { return None };
        let ("to_char", [date, format]) = (function.name(), function.args.as_slice()) else {
            return None;
        };
        let Source::Level(Level { level, values: Values::Date }) =
            self.rows.source(date, self.schema)?
        else {
            return None;
        };
        let Some(ScalarValue::Utf8(Some(text))) = constant(format) else { return None };
        let grain = said(&text);
        if level.grain.is_none_or(|own| grain <= own) {
            return None;
        }
        let time = cast(date.clone(), DataType::Timestamp(TimeUnit::Nanosecond, None));
        let args = vec![date_trunc(lit(grain.as_str()), time), format.clone()];
        Some(Expr::ScalarFunction(ScalarFunction { func: Arc::clone(&function.func), args }))
    }
}

/// The coarsest grain that the format of a date tells apart.
fn said(format: &str) -> Grain {
    let parts = format.split('%').skip(1).filter_map(|part| part.chars().next());
    let grains = parts.map(|part| match part {
        'Y' | 'y' => Grain::Year,
        'q' => Grain::Quarter,
        'B' | 'b' | 'm' => Grain::Month,
        _ => Grain::Day,
    });
    grains.min().unwrap_or(Grain::Day)
}
