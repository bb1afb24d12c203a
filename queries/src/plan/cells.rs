//! What lies above the releases: the plan with every release cut out and a status column beside every measure.
//!
//! The walk is an exhaustive match: a plan node that a later engine adds does not compile until somebody decides about
//! it. Every node of the result has the columns of the original first, under the same names, then its status columns.

use super::measures::cut;
use super::refuse;
use super::rows::reads_rows;
use super::status::{Lifted, constant, least_of, or_known, status, unit};
use super::{folds, joins};
use crate::guard::RESERVED;
use crate::release::Release;
use crate::tail::{Leaf, ReleaseNode};
use arrow::datatypes::{DataType, Field};
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{Column, DFSchema};
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Extension, Filter, Limit, LogicalPlan, Projection, Sort, Subquery,
    SubqueryAlias, lit,
};
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::columns::CellStatus;
use mayag_protocol::refusal::Refusal;
use std::collections::HashMap;
use std::sync::Arc;

/// A part of the plan above the releases.
pub(crate) struct Cells {
    pub(crate) plan: LogicalPlan,
    /// One per column of the original plan.
    pub(crate) carried: Vec<Carried>,
}

/// What travels with a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    /// The column of its status, where it depends on a measure.
    pub(crate) status: Option<Column>,
    /// The unit of its numbers.
    pub(crate) unit: Option<String>,
}

impl Cells {
    fn index(&self, column: &Column) -> Option<&Carried> {
        self.carried.get(self.plan.schema().maybe_index_of_column(column)?)
    }

    pub(super) fn status_of(&self, column: &Column) -> Result<Option<Expr>, Refusal> {
        let carried = self.index(column).ok_or_else(refuse::internal)?;
        Ok(carried.status.clone().map(Expr::Column))
    }

    pub(super) fn unit_of(&self, column: &Column) -> Option<String> {
        self.index(column)?.unit.clone()
    }

    /// The original columns.
    pub(crate) fn visible(&self) -> Vec<Expr> {
        self.plan
            .schema()
            .columns()
            .into_iter()
            .take(self.carried.len())
            .map(Expr::Column)
            .collect()
    }
}

/// Cuts the releases out of a plan.
pub(super) struct Cutting<'a> {
    catalogue: &'a Catalogue,
    /// The releases, each distinct one once.
    pub(super) releases: Vec<Release>,
    pub(super) leaves: Vec<Leaf>,
    /// Plans that count the rows that a filter had to leave out.
    pub(super) undecided: Vec<LogicalPlan>,
    /// Joins without an equation.
    pub(super) crosses: u32,
    names: usize,
}

impl<'a> Cutting<'a> {
    pub(super) fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            catalogue,
            releases: Vec::new(),
            leaves: Vec::new(),
            undecided: Vec::new(),
            crosses: 0,
            names: 0,
        }
    }

    /// A name that no column has.
    pub(super) fn name(&mut self) -> String {
        self.names += 1;
        format!("{RESERVED}_{}", self.names)
    }

    /// The plan above the releases, with statuses.
    pub(super) fn cells(&mut self, plan: &LogicalPlan) -> Result<Cells, Refusal> {
        let cells = self.node(plan)?;
        // Columns are found by name: they must be the original's, in its order.
        let same = plan.schema().columns().into_iter().map(Expr::Column).eq(cells.visible());
        if same { Ok(cells) } else { Err(refuse::internal()) }
    }

    fn node(&mut self, plan: &LogicalPlan) -> Result<Cells, Refusal> {
        match plan {
            LogicalPlan::Aggregate(aggregate) if reads_rows(&aggregate.input) => {
                self.release(aggregate)
            }
            LogicalPlan::Aggregate(aggregate) => folds::aggregate(self, aggregate),
            LogicalPlan::Window(window) => folds::window(self, window),
            LogicalPlan::Distinct(Distinct::All(input)) if reads_rows(input) => self.listed(input),
            LogicalPlan::Distinct(Distinct::All(input)) => folds::distinct(self, input),
            LogicalPlan::Distinct(Distinct::On(_)) => Err(refuse::not_supported("DISTINCT ON")),
            LogicalPlan::TableScan(_) => Err(refuse::rows()),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => self.filter(filter),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => {
                let Cells { plan, carried } = self.cells(&limit.input)?;
                Ok(Cells {
                    plan: LogicalPlan::Limit(Limit { input: Arc::new(plan), ..limit.clone() }),
                    carried,
                })
            }
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Join(join) => joins::join(self, join),
            LogicalPlan::Union(union) => joins::union(self, union),
            LogicalPlan::EmptyRelation(empty) => Ok(Cells {
                plan: plan.clone(),
                carried: vec![Carried::default(); empty.schema.fields().len()],
            }),
            LogicalPlan::Values(values) => {
                let constants = values
                    .values
                    .iter()
                    .flatten()
                    .all(|value| super::predicate::constant(value).is_some());
                if !constants {
                    return Err(refuse::not_supported("VALUES with an expression"));
                }
                Ok(Cells {
                    plan: plan.clone(),
                    carried: vec![Carried::default(); values.schema.fields().len()],
                })
            }
            LogicalPlan::Subquery(_) => Err(refuse::not_supported("LATERAL")),
            LogicalPlan::Unnest(_) => Err(refuse::not_supported("unnest")),
            LogicalPlan::RecursiveQuery(_) => Err(refuse::not_supported("WITH RECURSIVE")),
            LogicalPlan::Repartition(_) | LogicalPlan::Extension(_) => Err(refuse::internal()),
            LogicalPlan::Statement(_)
            | LogicalPlan::Explain(_)
            | LogicalPlan::Analyze(_)
            | LogicalPlan::Dml(_)
            | LogicalPlan::Ddl(_)
            | LogicalPlan::Copy(_)
            | LogicalPlan::DescribeTable(_) => Err(refuse::not_one_select()),
        }
    }

    /// `SELECT DISTINCT` of levels is a release: its groups, with a hidden count.
    fn listed(&mut self, input: &Arc<LogicalPlan>) -> Result<Cells, Refusal> {
        let keys = input.schema().columns().into_iter().map(Expr::Column).collect();
        self.release(&ok(Aggregate::try_new(Arc::clone(input), keys, Vec::new()))?)
    }

    /// Replaces an aggregate over rows by a leaf.
    fn release(&mut self, aggregate: &Aggregate) -> Result<Cells, Refusal> {
        let cut = cut(aggregate, self.catalogue)?;
        let release =
            self.releases.iter().position(|known| *known == cut.release).unwrap_or_else(|| {
                self.releases.push(cut.release);
                self.releases.len() - 1
            });
        let keys = aggregate.group_expr.len();
        let mut fields: Vec<_> = aggregate
            .schema
            .iter()
            // A withheld cell is null, also where the aggregate itself never is.
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))))
            .collect();
        let types = fields.iter().skip(keys).map(|(_, field)| field.data_type().clone()).collect();
        let mut carried = vec![Carried::default(); keys];
        for unit in cut.units {
            let name = self.name();
            fields.push((None, Arc::new(Field::new(&name, DataType::UInt8, true))));
            carried.push(Carried { status: Some(Column::new_unqualified(name)), unit });
        }
        let schema = Arc::new(ok(DFSchema::new_with_metadata(fields, HashMap::new()))?);
        let id = self.leaves.len();
        self.leaves.push(Leaf {
            release,
            keys: cut.keys,
            types,
            schema: Arc::clone(schema.inner()),
        });
        let node = Arc::new(ReleaseNode::new(id, schema));
        Ok(Cells { plan: LogicalPlan::Extension(Extension { node }), carried })
    }

    fn projection(&mut self, projection: &Projection) -> Result<Cells, Refusal> {
        let input = self.cells(&projection.input)?;
        let (mut values, mut statuses, mut units) = (Vec::new(), Vec::new(), Vec::new());
        for (expr, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter()) {
            let (value, status) = self.expr(expr, &input)?;
            units.push(unit(&value, &input));
            // The engine names some projections by their schema alone.
            let named = value.qualified_name() == (qualifier.cloned(), field.name().clone());
            values.push(if named {
                value
            } else {
                value.alias_qualified(qualifier.cloned(), field.name())
            });
            statuses.push(status);
        }
        self.arrange(input.plan, values, statuses, units)
    }

    /// Keeps the rows that the predicate is true for; leaves out those for which a withheld cell would decide.
    fn filter(&mut self, filter: &Filter) -> Result<Cells, Refusal> {
        let input = self.cells(&filter.input)?;
        let (mut certain, mut conditions, mut statuses) = (Vec::new(), Vec::new(), Vec::new());
        for part in split_conjunction_owned(filter.predicate.clone()) {
            let (value, status) = self.expr(&part, &input)?;
            if status.is_none() {
                certain.push(value.clone());
            }
            conditions.push(value);
            statuses.push(status);
        }
        let Cells { plan, carried } = input;
        let plan = Arc::new(plan);
        if let Some(status) = least_of(statuses) {
            let status = or_known(status);
            certain.push(status.clone().eq(constant(CellStatus::Suppressed)));
            conditions.push(status.lt(constant(CellStatus::Suppressed)));
            let left_out = ok(Filter::try_new(all(certain)?, Arc::clone(&plan)))?;
            let counted = vec![count(lit(1_i64)).alias("undecided")];
            let counted = ok(Aggregate::try_new(
                Arc::new(LogicalPlan::Filter(left_out)),
                Vec::new(),
                counted,
            ))?;
            self.undecided.push(LogicalPlan::Aggregate(counted));
        }
        Ok(Cells {
            plan: LogicalPlan::Filter(ok(Filter::try_new(all(conditions)?, plan))?),
            carried,
        })
    }

    fn sort(&mut self, sort: &Sort) -> Result<Cells, Refusal> {
        let input = self.cells(&sort.input)?;
        let mut by = sort.expr.clone();
        for key in &mut by {
            key.expr = self.expr(&key.expr, &input)?.0;
        }
        let Cells { plan, carried } = input;
        Ok(Cells {
            plan: LogicalPlan::Sort(Sort { expr: by, input: Arc::new(plan), fetch: sort.fetch }),
            carried,
        })
    }

    fn alias(&mut self, alias: &SubqueryAlias) -> Result<Cells, Refusal> {
        let Cells { plan, mut carried } = self.cells(&alias.input)?;
        let plan = LogicalPlan::SubqueryAlias(ok(SubqueryAlias::try_new(
            Arc::new(plan),
            alias.alias.clone(),
        ))?);
        for status in carried.iter_mut().filter_map(|carried| carried.status.as_mut()) {
            *status = Column::new(Some(alias.alias.clone()), &status.name);
        }
        Ok(Cells { plan, carried })
    }

    /// An expression above the releases, its subqueries cut as well, and its status.
    pub(super) fn expr(
        &mut self,
        expr: &Expr,
        cells: &Cells,
    ) -> Result<(Expr, Option<Expr>), Refusal> {
        let (value, lifted) = self.lift(expr)?;
        let status = status(&value, cells, &lifted)?;
        Ok((value, status))
    }

    /// Cuts the scalar subqueries of an expression.
    pub(super) fn lift(&mut self, expr: &Expr) -> Result<(Expr, Lifted), Refusal> {
        let (mut lifted, mut refusal) = (Lifted::new(), None);
        let value = expr.clone().transform_up(|part| {
            let Expr::ScalarSubquery(subquery) = &part else { return Ok(Transformed::no(part)) };
            match self.subquery(subquery) {
                Ok(cut) => {
                    let value = cut.0.clone();
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

    fn subquery(&mut self, subquery: &Subquery) -> Result<(Expr, Option<Expr>), Refusal> {
        if !subquery.outer_ref_columns.is_empty() {
            return Err(refuse::not_supported("a subquery that reads the query around it"));
        }
        let cells = self.cells(&subquery.subquery)?;
        let (visible, plan) = (cells.visible(), Arc::new(cells.plan));
        let one = |expr: Expr| {
            let plan =
                LogicalPlan::Projection(ok(Projection::try_new(vec![expr], Arc::clone(&plan)))?);
            Ok(Expr::ScalarSubquery(Subquery { subquery: Arc::new(plan), ..subquery.clone() }))
        };
        let ([value], [carried]) = (visible.as_slice(), cells.carried.as_slice()) else {
            return Err(refuse::not_supported("a subquery with several columns"));
        };
        let status = carried
            .status
            .clone()
            .map(|status| one(Expr::Column(status)).map(or_known))
            .transpose()?;
        Ok((one(value.clone())?, status))
    }

    /// A projection to these columns and, under new names, their statuses.
    pub(super) fn arrange(
        &mut self,
        plan: LogicalPlan,
        values: Vec<Expr>,
        statuses: Vec<Option<Expr>>,
        units: Vec<Option<String>>,
    ) -> Result<Cells, Refusal> {
        let (mut exprs, mut carried) = (values, Vec::new());
        for (status, unit) in statuses.into_iter().zip(units) {
            let status = status.map(|status| {
                let name = self.name();
                exprs.push(status.alias(&name));
                Column::new_unqualified(name)
            });
            carried.push(Carried { status, unit });
        }
        let plan = LogicalPlan::Projection(ok(Projection::try_new(exprs, Arc::new(plan)))?);
        Ok(Cells { plan, carried })
    }
}

fn all(conditions: Vec<Expr>) -> Result<Expr, Refusal> {
    conjunction(conditions).ok_or_else(refuse::internal)
}

/// A known status for a column that depends on no measure.
pub(super) fn known() -> Expr {
    constant(CellStatus::Known)
}

/// An error of the engine while the tail is put together. The plan was sound before, so this is ours.
pub(super) fn ok<T>(result: Result<T, DataFusionError>) -> Result<T, Refusal> {
    result.map_err(|_| refuse::internal())
}
