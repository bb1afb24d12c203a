//! One release, from its words to its cells: planned, gated, run, and its contributions decided.

use super::accumulate::contributions::contributions;
use super::accumulate::sketch::{Counted, sketch};
use super::cells::Atoms;
use super::failure::WorkFailure;
use super::gate;
use super::layout::{Layout, Population, Term, number_of, number_of_term};
use super::predicate::Scope;
use super::sources::{Datasets, Limits};
use crate::secret::Secret;
use arrow::array::{ArrayRef, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::DataType;
use datafusion::common::Column;
use datafusion::error::DataFusionError;
use datafusion::functions_aggregate::expr_fn::{count, max, min, sum};
use datafusion::logical_expr::{
    Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, cast, lit, when,
};
use datafusion::optimizer::Optimizer;
use datafusion::optimizer::simplify_expressions::SimplifyExpressions;
use datafusion::physical_plan::collect;
use mayag_disclosure::{DifferenceGuard, Protections};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Dataset, Named, Number};
use mayag_policies::document::Bounds;
use mayag_policies::shape::{LevelRef, Predicate};
use mayag_protocol::names::ColumnName;
use mayag_queries::release::{Centred, MeasureOf, Power, Release};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

mod assemble;
mod exact;
mod sets;
mod source;

/// A release that may run: the decision permitted it, the log has it.
#[derive(Debug, Clone)]
pub struct Work {
    /// The release.
    pub release: Release,
    /// The rows that the policy lets it see; of a join, those of the dataset whose rows it has.
    pub rows: Predicate,
    /// Of a join, the rows of the second dataset that the policy lets it see, in that dataset's words.
    pub joined_rows: Predicate,
    /// What protects its cells; bounds are worked out only as far as these need them.
    pub protections: Protections,
    /// What one unit may contribute to the sum of a column, in the column's unit; asked for where noise is on.
    pub bounds: BTreeMap<ColumnName, Bounds>,
    /// The pieces that all cells of the question consist of, where it has several releases. Stays in the node.
    pub atoms: Option<Arc<Atoms>>,
}

impl Work {
    /// Work without bounds, alone in its question.
    pub fn new(release: Release, rows: Predicate, protections: Protections) -> Self {
        let (joined_rows, bounds) = (Predicate::everything(), BTreeMap::new());
        Self { release, rows, joined_rows, protections, bounds, atoms: None }
    }

    /// The rows that the policy lets it see, in the words of the release's own dataset. `None` for another dataset.
    pub(super) fn all_rows(&self, dataset: &Dataset) -> Option<Predicate> {
        match &dataset.joined {
            None => Some(self.rows.clone()),
            Some(joined) => {
                let other = joined.predicate(&self.joined_rows)?;
                Some(Predicate::All(vec![self.rows.clone(), other]))
            }
        }
    }

    /// Whether the sets of units are needed, and not their number alone.
    pub(super) fn needs_sets(&self, dataset: &Dataset) -> bool {
        self.protections.noise.is_some()
            || self.protections.difference_guard == DifferenceGuard::On
            || dataset.units.iter().nth(1).is_some()
    }

    /// Whether it is known how its cells overlap those of the question's other releases.
    pub(super) fn is_judged(&self) -> bool {
        self.atoms.as_ref().is_none_or(|atoms| atoms.is_complete())
    }

    /// Whether its cells are compared with those of other releases.
    pub(super) fn is_compared(&self) -> bool {
        self.protections.noise.is_some()
            || self.protections.difference_guard == DifferenceGuard::On
            || self.atoms.is_some()
    }
}

/// More than this many units are never needed exactly by a list per cell: cells of a policy that asks for more are worked
/// out in the second pass.
const MOST_ENOUGH: u64 = 256;

/// A cell's list of units is kept up to this many, even where a policy asks for fewer: short lists decide small cells
/// exactly and cost little.
const LEAST_ENOUGH: u64 = 32;

/// Works on a release: one pass over the data, and a second one over the cells that the first did not decide.
pub(super) async fn execute(
    datasets: &Datasets,
    work: &Work,
    limits: Limits,
    secret: &Secret,
) -> Result<RecordBatch, WorkFailure> {
    let dataset = work.release.dataset_in(datasets.catalogue()).ok_or(WorkFailure::Source)?;
    let scope = Scope { country: datasets.country(), dataset: &dataset };
    let layout = Layout::of(&work.release);
    let query = Query { datasets, scope, work, layout: &layout, limits, secret };
    query.run().await
}

/// A release with everything needed to plan it.
struct Query<'a> {
    datasets: &'a Datasets,
    scope: Scope<'a>,
    work: &'a Work,
    layout: &'a Layout,
    limits: Limits,
    secret: &'a Secret,
}

/// How units and contributions are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Method {
    /// Every row is its own unit: rows are counted, values are contributions.
    Rows,
    /// A bounded state per cell, then a second pass over the cells that it does not decide.
    Sketch {
        /// Units counted exactly.
        enough: u32,
    },
    /// A second pass over all cells.
    Exact,
}

/// An aggregate, and the condition on its rows if it has one of its own.
type OverSome = (Expr, Option<Expr>);

/// The names of the columns of a pass.
fn summed_name(i: usize) -> String {
    format!("c{i}")
}

fn rows_name(population: usize) -> String {
    format!("n{population}")
}

fn sketch_name(population: usize, counted: Counted) -> String {
    match counted {
        Counted::Exactly => format!("s{population}"),
        Counted::InFloats => format!("f{population}"),
    }
}

impl Query<'_> {
    async fn run(&self) -> Result<RecordBatch, WorkFailure> {
        if self.work.protections.noise.is_some() {
            return self.assemble_bounded().await;
        }
        let method = self.method();
        let first = self.first_pass(method).await?;
        self.assemble(method, first).await
    }

    fn method(&self) -> Method {
        let enough = self.work.protections.min_units.max(LEAST_ENOUGH);
        if self.scope.dataset.unit().unique {
            return Method::Rows;
        }
        match u32::try_from(enough) {
            Ok(enough)
                if u64::from(enough) <= MOST_ENOUGH
                    && !Layout::counts_units(&self.work.release) =>
            {
                Method::Sketch { enough }
            }
            Ok(_) | Err(_) => Method::Exact,
        }
    }

    /// Groups the rows and computes every measure, with units and contributions as far as one pass gives them.
    async fn first_pass(&self, method: Method) -> Result<RecordBatch, WorkFailure> {
        let mut aggregates = Vec::new();
        for (i, population) in self.layout.populations.iter().enumerate() {
            aggregates.push(self.over(count(lit(1_i64)), population)?.alias(rows_name(i)));
        }
        for (i, summed) in self.layout.summed.iter().enumerate() {
            let all = contributions().call(vec![self.term(&summed.of)?]);
            aggregates
                .push(self.over(all, self.population(summed.population)?)?.alias(summed_name(i)));
        }
        for (i, measure) in self.work.release.wire.iter().enumerate() {
            let population = self.layout.measures.get(i).ok_or(WorkFailure::Broken)?.population;
            if let Some((value, only)) = self.measure(&measure.of)? {
                let name = mayag_protocol::columns::value_column(i);
                let value = self.over_those(value, self.population(population)?, only)?;
                aggregates.push(value.alias(name));
            }
        }
        if let Method::Sketch { enough } = method {
            aggregates.extend(self.sketches(enough)?);
        }
        let plan = self
            .rows(None)?
            .aggregate(self.key_columns()?, aggregates)
            .and_then(LogicalPlanBuilder::build);
        self.collect(plan.map_err(engine)?).await
    }

    /// The aggregate of a measure that the first pass computes under its own name, and which rows it is over where these
    /// are not all of its population.
    fn measure(&self, of: &MeasureOf) -> Result<Option<OverSome>, WorkFailure> {
        let float = |column_name: &str| cast(column(column_name), DataType::Float64);
        #[expect(
            clippy::cast_precision_loss,
            reason = "a centre is a public round number near a mean"
        )]
        let distance = |column_name: &str, center: i64| float(column_name) - lit(center as f64);
        let of_all = match of {
            MeasureOf::DistinctUnits | MeasureOf::Rows | MeasureOf::Sum { .. } => None,
            MeasureOf::Max(level) => Some(max(self.scope.value(level)?)),
            MeasureOf::Min(level) => Some(min(self.scope.value(level)?)),
            MeasureOf::NonNull(name) => Some(count(self.counted(name)?)),
            MeasureOf::Pair { x, y, power } => {
                number_of(self.scope.dataset, &x.column)?;
                number_of(self.scope.dataset, &y.column)?;
                let one = |of: &Centred| distance(of.column.as_str(), of.center);
                let (x, y) = (one(x), one(y));
                let pairs = x.clone().is_not_null().and(y.clone().is_not_null());
                let summed = match power {
                    Power::Rows => count(lit(1_i64)),
                    Power::X => sum(x),
                    Power::Xx => sum(x.clone() * x),
                    Power::Xy => sum(x * y),
                    Power::Y => sum(y),
                    Power::Yy => sum(y.clone() * y),
                };
                return Ok(Some((summed, Some(pairs))));
            }
            MeasureOf::SumCentred { column, center } => {
                number_of(self.scope.dataset, column)?;
                Some(sum(distance(column.as_str(), *center)))
            }
            MeasureOf::SumOfSquares { column, center } => {
                number_of(self.scope.dataset, column)?;
                let distance = distance(column.as_str(), *center);
                Some(sum(distance.clone() * distance))
            }
        };
        Ok(of_all.map(|of| (of, None)))
    }

    /// A number of each row, whose contributions are bounded.
    fn term(&self, term: &Term) -> Result<Expr, WorkFailure> {
        number_of_term(self.scope.dataset, term)?;
        let where_it =
            |of: &ColumnName, holds: Expr| when(holds, column(of.as_str())).end().map_err(engine);
        match term {
            Term::Column(name) => Ok(column(name.as_str())),
            Term::Product(x, y) => {
                let float = |name: &ColumnName| cast(column(name.as_str()), DataType::Float64);
                Ok(float(x) * float(y))
            }
            Term::With(of, other) => where_it(of, column(other.as_str()).is_not_null()),
            Term::Without(of, other) => where_it(of, column(other.as_str()).is_null()),
        }
    }

    /// A sketch for each population, and one more where floats are summed.
    fn sketches(&self, enough: u32) -> Result<Vec<Expr>, WorkFailure> {
        let mut sketches = Vec::new();
        for (i, population) in self.layout.populations.iter().enumerate() {
            for counted in [Counted::Exactly, Counted::InFloats] {
                let columns = self.sketched(i, counted)?;
                if columns.is_empty() && counted == Counted::InFloats {
                    continue;
                }
                let mut arguments = vec![column(self.scope.dataset.unit().column.as_str())];
                for (_, term) in columns {
                    arguments.push(self.term(term)?);
                }
                let units = sketch(enough, counted).call(arguments);
                sketches.push(self.over(units, population)?.alias(sketch_name(i, counted)));
            }
        }
        Ok(sketches)
    }

    /// The summed columns of a population that are counted this way, with their index: the order of a sketch's columns.
    fn sketched(
        &self,
        population: usize,
        counted: Counted,
    ) -> Result<Vec<(usize, &Term)>, WorkFailure> {
        let mut columns = Vec::new();
        for (i, summed) in self.layout.summed.iter().enumerate() {
            let way = match number_of_term(self.scope.dataset, &summed.of)? {
                Number::Decimal { .. } | Number::Integer => Counted::Exactly,
                Number::Float => Counted::InFloats,
            };
            if summed.population == population && way == counted {
                columns.push((i, &summed.of));
            }
        }
        Ok(columns)
    }

    fn population(&self, i: usize) -> Result<&Population, WorkFailure> {
        self.layout.populations.get(i).ok_or(WorkFailure::Broken)
    }

    /// The condition of a population; none for everything.
    fn condition(&self, population: &Population) -> Result<Option<Expr>, WorkFailure> {
        Ok(match population {
            Population::Everything => None,
            Population::Except(filter) => {
                Some(Expr::IsNotTrue(Box::new(self.scope.predicate(filter)?)))
            }
            Population::Where(filter) => Some(self.scope.predicate(filter)?),
        })
    }

    /// An aggregate over a population.
    fn over(&self, aggregate: Expr, population: &Population) -> Result<Expr, WorkFailure> {
        self.over_those(aggregate, population, None)
    }

    /// An aggregate over those rows of a population that `only` keeps.
    fn over_those(
        &self,
        aggregate: Expr,
        population: &Population,
        only: Option<Expr>,
    ) -> Result<Expr, WorkFailure> {
        let condition = self.condition(population)?;
        match condition.into_iter().chain(only).reduce(Expr::and) {
            None => Ok(aggregate),
            Some(condition) => aggregate.filter(condition).build().map_err(engine),
        }
    }

    /// The keys that vary, as group expressions with the wire's names. The country does not vary.
    fn key_columns(&self) -> Result<Vec<Expr>, WorkFailure> {
        let varying = self.varying_keys();
        varying
            .map(|(i, level)| {
                Ok(self.scope.value(level)?.alias(mayag_protocol::columns::key_column(i)))
            })
            .collect()
    }

    fn varying_keys(&self) -> impl Iterator<Item = (usize, &LevelRef)> {
        self.work
            .release
            .keys
            .iter()
            .enumerate()
            .filter(|(_, level)| level.column.as_str() != COUNTRY_COLUMN)
    }

    /// What is counted where it is not null: a column, or the level of one.
    fn counted(&self, name: &ColumnName) -> Result<Expr, WorkFailure> {
        if self.scope.dataset.column(name.as_str()).is_some() {
            return Ok(column(self.shown(name.as_str())?));
        }
        self.scope.value(&LevelRef { column: name.clone(), grain: None })
    }

    /// The column that a level is a level of.
    fn base<'n>(&'n self, level: &'n LevelRef) -> Result<&'n str, WorkFailure> {
        match self.scope.dataset.named(level).and_then(Named::column) {
            Some(column) => self.shown(column.name.as_str()),
            None => Err(WorkFailure::Broken),
        }
    }

    /// A column that exists above the barrier.
    fn shown<'n>(&self, name: &'n str) -> Result<&'n str, WorkFailure> {
        use mayag_policies::catalogue::Kind;
        match self.scope.dataset.column(name).map(|column| &column.kind) {
            Some(Kind::Hidden {}) | None => Err(WorkFailure::Broken),
            Some(
                Kind::Category { .. }
                | Kind::Date {}
                | Kind::Measure { .. }
                | Kind::Number {}
                | Kind::Unit {},
            ) => Ok(name),
        }
    }

    /// The rows of the release: behind the barrier, then its own filter, then `also`.
    fn rows(&self, also: Option<Expr>) -> Result<LogicalPlanBuilder, WorkFailure> {
        let mut plan = source::source(self)?;
        if self.work.release.filter != Predicate::everything() {
            plan = plan.filter(self.scope.predicate(&self.work.release.filter)?).map_err(engine)?;
        }
        if let Some(also) = also {
            plan = plan.filter(also).map_err(engine)?;
        }
        Ok(plan)
    }

    /// The columns that the release reads: the only ones that exist above the barrier.
    fn columns(&self) -> Result<BTreeSet<String>, WorkFailure> {
        let Release { keys, filter, wire, .. } = &self.work.release;
        let mut levels: Vec<LevelRef> = keys.clone();
        levels.extend(filter.levels());
        let mut columns = BTreeSet::new();
        for measure in wire {
            levels.extend(measure.filter.iter().flat_map(Predicate::levels));
            match &measure.of {
                MeasureOf::DistinctUnits | MeasureOf::Rows => {}
                MeasureOf::Max(level) | MeasureOf::Min(level) => levels.push(level.clone()),
                MeasureOf::NonNull(name) if self.scope.dataset.column(name.as_str()).is_none() => {
                    levels.push(LevelRef { column: name.clone(), grain: None });
                }
                MeasureOf::NonNull(name)
                | MeasureOf::Sum { column: name, .. }
                | MeasureOf::SumCentred { column: name, .. }
                | MeasureOf::SumOfSquares { column: name, .. } => {
                    columns.insert(self.shown(name.as_str())?.to_owned());
                }
                MeasureOf::Pair { x, y, .. } => {
                    for of in [x, y] {
                        columns.insert(self.shown(of.column.as_str())?.to_owned());
                    }
                }
            }
        }
        if self.work.needs_sets(self.scope.dataset) {
            let units = self.scope.dataset.units.iter();
            columns.extend(units.map(|unit| unit.column.to_string()));
        }
        if self.method() != Method::Rows {
            columns.insert(self.scope.dataset.unit().column.to_string());
        }
        for level in levels.iter().filter(|level| level.column.as_str() != COUNTRY_COLUMN) {
            columns.insert(self.base(level)?.to_owned());
        }
        Ok(columns)
    }

    /// Plans, gates and runs. Above the barrier the plan is already in the shape in which it runs, so of the engine's
    /// optimiser only constants are folded; the view below is optimised in full, on its own.
    async fn collect(&self, plan: LogicalPlan) -> Result<RecordBatch, WorkFailure> {
        let state = self.datasets.session().state();
        let plan = state
            .analyzer()
            .execute_and_check(plan, state.config_options(), |_, _| {})
            .map_err(engine)?;
        let constants = Optimizer::with_rules(vec![Arc::new(SimplifyExpressions::new())]);
        let plan = constants.optimize(plan, &state, |_, _| {}).map_err(engine)?;
        let plan =
            state.query_planner().create_physical_plan(&plan, &state).await.map_err(engine)?;
        gate::release(&plan)?;
        let schema = plan.schema();
        let batches = collect(plan, state.task_ctx()).await.map_err(engine)?;
        if batches.iter().map(RecordBatch::num_rows).sum::<usize>() > self.limits.cells {
            return Err(WorkFailure::TooFine);
        }
        concat_batches(&schema, &batches).map_err(|_| WorkFailure::Memory)
    }
}

#[expect(clippy::needless_pass_by_value, reason = "the error and its text end here")]
fn engine(error: DataFusionError) -> WorkFailure {
    WorkFailure::of(&error)
}

/// A column of the dataset by its bare name.
fn column(name: &str) -> Expr {
    Expr::Column(Column::new_unqualified(name))
}

/// A column of a pass.
fn named<'b>(batch: &'b RecordBatch, name: &str) -> Result<&'b ArrayRef, WorkFailure> {
    batch.column_by_name(name).ok_or(WorkFailure::Broken)
}
