//! What lies above the releases: the plan with every release cut out and a status column beside every measure.
//!
//! The walk is an exhaustive match: a plan node that a later engine adds does not compile until somebody decides about
//! it. Every node of the result has the columns of the original first, under the same names, then its status columns.

use super::doubts::{About, Doubt, Doubts};
use super::keys::{Adding, KeyColumn};
use super::measures::{Cut, cut};
use super::refuse;
use super::rows::reads_rows;
use super::spelling::Texts;
use super::status::unit;
use super::{computed, doubts, folds, grouping, joins, subqueries};
use crate::guard::RESERVED;
use crate::release::Release;
use crate::tail::{Leaf, ReleaseNode};
use arrow::datatypes::{DataType, Field};
use datafusion::common::{Column, DFSchema};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{
    Aggregate, Distinct, Expr, Extension, Limit, LogicalPlan, Projection, Sort, SubqueryAlias,
};
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::refusal::Refusal;
use std::collections::HashMap;
use std::sync::Arc;

/// A part of the plan above the releases.
#[derive(Debug, Clone)]
pub(crate) struct Cells {
    pub(crate) plan: LogicalPlan,
    /// One per column of the original plan.
    pub(crate) carried: Vec<Carried>,
    /// The column that says whether the row is there at all: a group whose cells are all withheld may have no rows.
    pub(super) row: Option<Column>,
    /// Why rows may be missing or in the place of others.
    pub(super) doubts: Doubts,
    /// The doubt about the order of the rows.
    pub(super) order: Option<usize>,
}

/// What travels with a column.
#[derive(Debug, Clone, Default)]
pub(crate) struct Carried {
    /// The column of its status, where it depends on a measure.
    pub(crate) status: Option<Column>,
    /// The column that says how sure it is whether it is null, where an outer join may have filled it in.
    pub(super) partner: Option<Column>,
    /// The column of its standard deviation, where it is a measure as a release says it.
    pub(crate) deviation: Option<Column>,
    /// The unit of its numbers.
    pub(crate) unit: Option<String>,
    /// How its texts are spelled, where it is a key as a release says it.
    pub(super) texts: Option<Texts>,
}

/// A column of a projection, and what travels with it.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) value: Expr,
    pub(super) status: Option<Expr>,
    pub(super) partner: Option<Expr>,
    pub(super) deviation: Option<Expr>,
    pub(super) unit: Option<String>,
    pub(super) texts: Option<Texts>,
}

/// What to do where a group is several cells of a release.
#[derive(Debug)]
pub(super) struct Several {
    /// How each measure is added up, if all of them can be.
    pub(super) adding: Option<Vec<Adding>>,
    /// Why the question is refused if they cannot; `None` where each group is one cell.
    pub(super) refusal: Option<Refusal>,
}

impl Part {
    /// A column that nothing travels with.
    pub(super) fn plain(value: Expr) -> Self {
        Self { value, status: None, partner: None, deviation: None, unit: None, texts: None }
    }
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

    /// How the texts of a column are spelled.
    pub(super) fn texts(&self, column: &Column) -> Option<Texts> {
        self.index(column)?.texts.clone()
    }

    /// The same of an expression that is a column and nothing more.
    pub(super) fn texts_of(&self, expr: &Expr) -> Option<Texts> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only a column keeps its texts")]
        match expr {
            Expr::Alias(alias) => self.texts_of(&alias.expr),
            Expr::Column(column) => self.texts(column),
            _ => None,
        }
    }

    /// How sure it is whether an expression is null that is a column and nothing more.
    pub(super) fn partner_of(&self, expr: &Expr) -> Option<Expr> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only a column is filled in")]
        match expr {
            Expr::Alias(alias) => self.partner_of(&alias.expr),
            Expr::Column(column) => self.index(column)?.partner.clone().map(Expr::Column),
            _ => None,
        }
    }

    /// The standard deviation of an expression that is a column and nothing more.
    fn deviation_of(&self, expr: &Expr) -> Option<Expr> {
        #[expect(clippy::wildcard_enum_match_arm, reason = "only a column keeps its noise")]
        match expr {
            Expr::Alias(alias) => self.deviation_of(&alias.expr),
            Expr::Column(column) => self.index(column)?.deviation.clone().map(Expr::Column),
            _ => None,
        }
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

    /// The original columns with all that travels with them.
    pub(super) fn parts(&self) -> Vec<Part> {
        let part = |(value, carried): (Expr, &Carried)| Part {
            value,
            status: carried.status.clone().map(Expr::Column),
            partner: carried.partner.clone().map(Expr::Column),
            deviation: carried.deviation.clone().map(Expr::Column),
            unit: carried.unit.clone(),
            texts: carried.texts.clone(),
        };
        self.visible().into_iter().zip(&self.carried).map(part).collect()
    }

    /// The status of the row itself.
    pub(super) fn row(&self) -> Option<Expr> {
        self.row.clone().map(Expr::Column)
    }

    /// Whether a person sees of a row that its cells are withheld.
    pub(super) fn shows_statuses(&self) -> bool {
        self.carried.iter().any(|carried| carried.status.is_some())
    }

    /// The same with another plan that has the same columns.
    pub(super) fn with(self, plan: LogicalPlan) -> Self {
        Self { plan, ..self }
    }
}

/// Cuts the releases out of a plan.
pub(super) struct Cutting<'a> {
    catalogue: &'a Catalogue,
    /// The releases, each distinct one once.
    pub(super) releases: Vec<Release>,
    pub(super) leaves: Vec<Leaf>,
    /// What withheld cells would have decided, in the order in which it has to be counted.
    pub(super) doubts: Vec<Doubt>,
    /// Joins without an equation.
    pub(super) crosses: u32,
    /// Queries of a `WITH` that were cut before: they are read in several places.
    named: Vec<(Arc<LogicalPlan>, Cells)>,
    names: usize,
}

impl<'a> Cutting<'a> {
    pub(super) fn new(catalogue: &'a Catalogue) -> Self {
        Self {
            catalogue,
            releases: Vec::new(),
            leaves: Vec::new(),
            doubts: Vec::new(),
            crosses: 0,
            named: Vec::new(),
            names: 0,
        }
    }

    pub(super) fn catalogue(&self) -> &'a Catalogue {
        self.catalogue
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
            LogicalPlan::Aggregate(aggregate) if grouping::is_several(aggregate) => {
                grouping::several(self, aggregate)
            }
            LogicalPlan::Aggregate(aggregate) if reads_rows(&aggregate.input) => {
                match subqueries::lifted(aggregate)? {
                    Some(above) => self.cells(&above),
                    None => self.release(aggregate),
                }
            }
            LogicalPlan::Aggregate(aggregate) => {
                let input = self.cells(&aggregate.input)?;
                folds::aggregate(self, aggregate, input)
            }
            LogicalPlan::Window(window) => folds::window(self, window),
            LogicalPlan::Distinct(Distinct::All(input)) if reads_rows(input) => self.listed(input),
            LogicalPlan::Distinct(Distinct::All(input)) => folds::distinct(self, input),
            LogicalPlan::Distinct(Distinct::On(_)) => Err(refuse::not_supported("DISTINCT ON")),
            LogicalPlan::TableScan(_) => Err(refuse::rows()),
            LogicalPlan::Projection(projection) => self.projection(projection),
            LogicalPlan::Filter(filter) => subqueries::filter(self, filter),
            LogicalPlan::Sort(sort) => self.sort(sort),
            LogicalPlan::Limit(limit) => self.limit(limit),
            LogicalPlan::SubqueryAlias(alias) => self.alias(alias),
            LogicalPlan::Join(join) => joins::join(self, join),
            LogicalPlan::Union(union) => joins::union(self, union),
            LogicalPlan::EmptyRelation(empty) => Ok(constants(plan, empty.schema.fields().len())),
            LogicalPlan::Values(values) => {
                let constant = |value| super::predicate::constant(value).is_some();
                if !values.values.iter().flatten().all(constant) {
                    return Err(refuse::not_supported("VALUES with an expression"));
                }
                Ok(constants(plan, values.schema.fields().len()))
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

    /// The cells of an aggregate over rows.
    pub(super) fn release(&mut self, aggregate: &Aggregate) -> Result<Cells, Refusal> {
        if let Some(cells) = computed::groups(self, aggregate)? {
            return Ok(cells);
        }
        let (cells, Several { adding, refusal }) = self.leaf(aggregate)?;
        match refusal {
            None => Ok(cells),
            Some(refusal) => computed::several(self, aggregate, cells, &adding.ok_or(refusal)?),
        }
    }

    /// Replaces an aggregate over rows by a leaf.
    pub(super) fn leaf(&mut self, aggregate: &Aggregate) -> Result<(Cells, Several), Refusal> {
        let cut = cut(aggregate, self.catalogue)?;
        let several = Several { adding: cut.adding.clone(), refusal: cut.several.clone() };
        let mut carried = self.keys(&cut)?;
        let release =
            self.releases.iter().position(|known| *known == cut.release).unwrap_or_else(|| {
                self.releases.push(cut.release);
                self.releases.len() - 1
            });
        let keys = cut.keys.len();
        let mut fields: Vec<_> = aggregate
            .schema
            .iter()
            // A withheld cell is null, also where the aggregate itself never is.
            .map(|(qualifier, field)| (qualifier.cloned(), Arc::new(field.as_ref().clone().with_nullable(true))))
            .collect();
        let types = fields.iter().skip(keys).map(|(_, field)| field.data_type().clone()).collect();
        let mut add = |name: &str, data_type| {
            fields.push((None, Arc::new(Field::new(name, data_type, true))));
            Column::new_unqualified(name)
        };
        for unit in cut.units {
            let status = add(&self.name(), DataType::UInt8);
            carried.push(Carried { status: Some(status), unit, ..Carried::default() });
        }
        for carried in carried.iter_mut().skip(keys) {
            carried.deviation = Some(add(&self.name(), DataType::Float64));
        }
        // Without keys there is one row, whatever is withheld.
        let row = (keys > 0).then(|| add(&self.name(), DataType::UInt8));
        let schema = Arc::new(ok(DFSchema::new_with_metadata(fields, HashMap::new()))?);
        let id = self.leaves.len();
        self.leaves.push(Leaf {
            release,
            keys: cut.keys,
            types,
            schema: Arc::clone(schema.inner()),
        });
        let mut doubts = Doubts::new();
        if keys > 0 {
            let missing = Extension { node: Arc::new(ok(ReleaseNode::missing(id))?) };
            let plan = LogicalPlan::Extension(missing);
            self.doubts.push(Doubt { plan, about: About::Cells });
            doubts.insert(self.doubts.len() - 1);
        }
        let plan =
            LogicalPlan::Extension(Extension { node: Arc::new(ReleaseNode::new(id, schema)) });
        let cells = Cells { plan, carried, row, doubts, order: None };
        Ok((cells, several))
    }

    /// What travels with the keys of a release.
    fn keys(&self, cut: &Cut) -> Result<Vec<Carried>, Refusal> {
        let dataset = self.catalogue.source(&cut.release.dataset).ok_or_else(refuse::internal)?;
        let texts = |key: &KeyColumn| match key {
            KeyColumn::Constant(_) => None,
            KeyColumn::Key { key, .. } => Texts::of(dataset, cut.release.keys.get(*key)?),
        };
        let carried = |key| Carried { texts: texts(key), ..Carried::default() };
        Ok(cut.keys.iter().map(carried).collect())
    }

    fn projection(&mut self, projection: &Projection) -> Result<Cells, Refusal> {
        let input = self.cells(&projection.input)?;
        let mut parts = Vec::new();
        for (expr, (qualifier, field)) in projection.expr.iter().zip(projection.schema.iter()) {
            let (value, status) = subqueries::expr(self, expr, &input)?;
            let (unit, deviation) = (unit(&value, &input), input.deviation_of(&value));
            let (texts, partner) = (input.texts_of(&value), input.partner_of(&value));
            // The engine names some projections by their schema alone.
            let named = value.qualified_name() == (qualifier.cloned(), field.name().clone());
            let value =
                if named { value } else { value.alias_qualified(qualifier.cloned(), field.name()) };
            parts.push(Part { value, status, partner, deviation, unit, texts });
        }
        let row = input.row();
        self.arrange(input, parts, row)
    }

    /// Orders rows by what is known. Where a withheld cell decides, nobody knows the place: such rows come last. A partial
    /// value has the place of what is known of it, which is in doubt.
    fn sort(&mut self, sort: &Sort) -> Result<Cells, Refusal> {
        let input = self.cells(&sort.input)?;
        let input = doubts::sure(self, input)?;
        let (mut by, mut statuses) = (Vec::new(), Vec::new());
        for key in &sort.expr {
            let (value, status) = subqueries::expr(self, &key.expr, &input)?;
            if let Some(status) = status {
                by.push(doubts::is_withheld(status.clone()).sort(true, false));
                statuses.push(status);
            }
            by.push(datafusion::logical_expr::SortExpr { expr: value, ..key.clone() });
        }
        let order = doubts::unplaced(self, &input, statuses)?;
        let plan = LogicalPlan::Sort(Sort {
            expr: by,
            input: Arc::new(input.plan.clone()),
            fetch: sort.fetch,
        });
        let mut cells = Cells { order, ..input.with(plan) };
        if sort.fetch.is_some() {
            self.doubt_which_rows(&mut cells, None)?;
        }
        Ok(cells)
    }

    /// Where the order is in doubt, it is in doubt which rows come first.
    fn limit(&mut self, limit: &Limit) -> Result<Cells, Refusal> {
        let input = self.cells(&limit.input)?;
        let input = doubts::sure(self, input)?;
        let mut input = doubts::counted_rows(self, input)?;
        let most = limit.fetch.as_deref().filter(|_| limit.skip.is_none()).cloned();
        self.doubt_which_rows(&mut input, most)?;
        let plan = Limit { input: Arc::new(input.plan.clone()), ..limit.clone() };
        Ok(input.with(LogicalPlan::Limit(plan)))
    }

    /// Doubts which rows are the first ones, or the first so many.
    fn doubt_which_rows(&mut self, cells: &mut Cells, most: Option<Expr>) -> Result<(), Refusal> {
        if let Some(order) = cells.order.take() {
            doubts::first_ones(self, order, &cells.plan, most)?;
            cells.doubts.insert(order);
        }
        Ok(())
    }

    fn alias(&mut self, alias: &SubqueryAlias) -> Result<Cells, Refusal> {
        let known = self.named.iter().find(|(plan, _)| *plan == alias.input);
        let mut cells = if let Some((_, cells)) = known {
            cells.clone()
        } else {
            let cells = self.cells(&alias.input)?;
            self.named.push((Arc::clone(&alias.input), cells.clone()));
            cells
        };
        let renamed = |column: &mut Column| {
            *column = Column::new(Some(alias.alias.clone()), &column.name);
        };
        for carried in &mut cells.carried {
            let Carried { status, partner, deviation, unit: _, texts: _ } = carried;
            [status, partner, deviation].into_iter().flatten().for_each(renamed);
        }
        cells.row.iter_mut().for_each(renamed);
        let plan = ok(SubqueryAlias::try_new(Arc::new(cells.plan.clone()), alias.alias.clone()))?;
        Ok(cells.with(LogicalPlan::SubqueryAlias(plan)))
    }

    /// A projection of a plan to these columns and, under new names, to what travels with them.
    pub(super) fn arrange(
        &mut self,
        input: Cells,
        parts: Vec<Part>,
        row: Option<Expr>,
    ) -> Result<Cells, Refusal> {
        let (mut exprs, mut hidden, mut carried) = (Vec::new(), Vec::new(), Vec::new());
        let mut hide = |expr: Expr| {
            let name = self.name();
            hidden.push(expr.alias(&name));
            Column::new_unqualified(name)
        };
        for part in parts {
            exprs.push(part.value);
            carried.push(Carried {
                status: part.status.map(&mut hide),
                partner: part.partner.map(&mut hide),
                deviation: part.deviation.map(&mut hide),
                unit: part.unit,
                texts: part.texts,
            });
        }
        let row = row.map(&mut hide);
        exprs.append(&mut hidden);
        let plan = LogicalPlan::Projection(ok(Projection::try_new(exprs, Arc::new(input.plan)))?);
        Ok(Cells { plan, carried, row, doubts: input.doubts, order: input.order })
    }
}

/// Cells that hold no release.
fn constants(plan: &LogicalPlan, columns: usize) -> Cells {
    Cells {
        plan: plan.clone(),
        carried: vec![Carried::default(); columns],
        row: None,
        doubts: Doubts::new(),
        order: None,
    }
}

/// An error of the engine while the tail is put together. The plan was sound before, so this is ours.
pub(super) fn ok<T>(result: Result<T, DataFusionError>) -> Result<T, Refusal> {
    result.map_err(|_| refuse::internal())
}
