//! What is done with the merged cells: all the SQL above the releases, run over them in memory.
//!
//! A tail sees protected cells only. It is deterministic to the bit, so that the desk can recompute what a gateway said:
//! one partition, rows without `ORDER BY` in the order of the merged keys.

mod leaf;

pub(crate) use leaf::{Leaf, ReleaseNode};

use crate::engine::{tail_runtime, tail_state};
use crate::merge::MergeError;
use crate::plan::cells::Cells;
use crate::plan::doubts::{About, Doubt, parameter};
use crate::release::Release;
use crate::stack::STACK;
use arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, RecordBatch, RecordBatchOptions, StringArray,
};
use arrow::compute::{concat_batches, nullif};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, UInt8Type};
use arrow::error::ArrowError;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{Expr, Limit, LogicalPlan, Projection, lit};
use datafusion::physical_plan::collect;
use leaf::Releases;
use mayag_protocol::answer::NoResult;
use mayag_protocol::columns::CellStatus;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The most rows of a result.
pub const MOST_ROWS: usize = 1_000_000;

/// The most pairs that joins without an equation may look at: about a second of work.
const MOST_CROSSED: usize = 25_000_000;

/// What is done with the merged answers.
#[derive(Debug)]
pub struct Tail {
    /// The columns of the result, in order.
    pub columns: Vec<TailColumn>,
    /// Columns `c0, c1, ..`, then `s{i}` for those with a status.
    plan: LogicalPlan,
    /// What withheld cells would have decided, and partial values have. Each may read what those before it came to, and so
    /// may the plan.
    doubts: Vec<Doubt>,
    /// Joins without an equation: the engine cannot be stopped inside one.
    crosses: u32,
    leaves: Arc<Vec<Leaf>>,
    releases: Arc<Vec<Release>>,
}

/// A column of the result.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TailColumn {
    /// Its name.
    pub name: String,
    /// Whether a status column `<name>_status` goes with it.
    pub status: bool,
    /// Whether a column `<name>_sd` goes with it where any cell is noisy: the standard deviation of its noise. Only a
    /// measure that the question passes through unchanged has one.
    pub deviation: bool,
    /// The unit of its numbers, where the catalogue says one and the SQL keeps it.
    pub unit: Option<String>,
}

/// Why a tail gave no result. Names no value; the engine's own text stays here.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TailError {
    /// The merged cells are not those of the releases.
    #[error("the merged cells do not fit the question")]
    Cells(#[from] MergeError),
    /// A division by zero.
    #[error("the question divides by zero; `nullif(.., 0)` makes it null")]
    DivideByZero,
    /// Anything else.
    #[error("the question could not be computed from the merged cells")]
    Failed,
    /// Over the memory limit.
    #[error("the result takes more memory than a question may")]
    TooMuchMemory,
    /// Over [`MOST_ROWS`], or too many pairs in a join without an equation.
    #[error("the question makes too many rows of the merged cells")]
    TooManyRows,
}

impl TailError {
    /// The closed word for it.
    pub fn no_result(&self) -> NoResult {
        match self {
            Self::Cells(MergeError::Overflow) => NoResult::Overflow,
            Self::Cells(
                MergeError::Cell(_)
                | MergeError::CountryTwice
                | MergeError::KeyTwice
                | MergeError::Layout
                | MergeError::Listed
                | MergeError::Release
                | MergeError::TooLarge
                | MergeError::Unreadable,
            )
            | Self::Failed => NoResult::Failed,
            Self::DivideByZero => NoResult::DivideByZero,
            Self::TooManyRows => NoResult::TooManyRows,
            Self::TooMuchMemory => NoResult::TooMuchMemory,
        }
    }
}

impl Tail {
    pub(crate) fn new(
        cells: Cells,
        releases: Vec<Release>,
        leaves: Vec<Leaf>,
        doubts: Vec<Doubt>,
        crosses: u32,
    ) -> Result<Self, DataFusionError> {
        let visible = cells.visible();
        let names = cells.plan.schema().fields().iter().map(|field| field.name().clone());
        let columns = names
            .zip(&cells.carried)
            .map(|(name, carried)| TailColumn {
                name,
                status: carried.status.is_some(),
                deviation: carried.deviation.is_some(),
                unit: carried.unit.clone(),
            })
            .collect();
        let mut exprs: Vec<Expr> = visible
            .into_iter()
            .enumerate()
            .map(|(i, column)| column.alias(format!("c{i}")))
            .collect();
        for (i, carried) in cells.carried.into_iter().enumerate() {
            if let Some(status) = carried.status {
                exprs.push(Expr::Column(status).alias(format!("s{i}")));
            }
            if let Some(deviation) = carried.deviation {
                exprs.push(Expr::Column(deviation).alias(format!("d{i}")));
            }
        }
        // One row more than allowed shows that there are too many.
        let input =
            Arc::new(LogicalPlan::Projection(Projection::try_new(exprs, Arc::new(cells.plan))?));
        let rows = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX).saturating_add(1);
        let plan =
            LogicalPlan::Limit(Limit { skip: None, fetch: Some(Box::new(lit(rows))), input });
        Ok(Self {
            columns,
            plan,
            doubts,
            crosses,
            leaves: Arc::new(leaves),
            releases: Arc::new(releases),
        })
    }

    /// Whether withheld or partial cells may leave it undecided which rows there are.
    pub fn undecidable(&self) -> bool {
        self.doubts.iter().any(|doubt| doubt.about == About::Rows)
    }

    /// Whether withheld or partial cells may leave it undecided in which order the rows come.
    pub fn unplaceable(&self) -> bool {
        self.doubts.iter().any(|doubt| doubt.about == About::Order)
    }

    /// The result for merged cells: `merged[i]` is [`crate::merge::fold`] of the plan's release `i`.
    ///
    /// The visible columns come first, then for those that depend on a measure `<name>_status` (`known`, `noisy`,
    /// `partial`, `suppressed`), each with `<name>_sd` behind it where it is a measure as it was released and any of its cells
    /// is noisy. A suppressed
    /// value is null.
    pub async fn run(&self, merged: Vec<RecordBatch>) -> Result<RecordBatch, TailError> {
        self.run_keeping(merged, ()).await
    }

    /// The same. `keep` is dropped when the work has ended, which may be after the caller has given up: an operator of
    /// the engine can be stopped only where it pauses.
    pub async fn run_keeping(
        &self,
        merged: Vec<RecordBatch>,
        keep: impl Send + 'static,
    ) -> Result<RecordBatch, TailError> {
        let mut results = self.execute(self.plans(Some(&self.plan)), merged, keep).await?;
        let result = results.pop().ok_or(TailError::Failed)?;
        if result.num_rows() > MOST_ROWS {
            return Err(TailError::TooManyRows);
        }
        self.finish(&result)
    }

    /// How many rows are in doubt: they are left out or may stand in the place of others, because a withheld cell would have
    /// decided or a partial value has.
    pub async fn undecided(&self, merged: Vec<RecordBatch>) -> Result<u64, TailError> {
        self.undecided_keeping(merged, ()).await
    }

    /// The same; `keep` as in [`Self::run_keeping`].
    pub async fn undecided_keeping(
        &self,
        merged: Vec<RecordBatch>,
        keep: impl Send + 'static,
    ) -> Result<u64, TailError> {
        let counts = self.execute(self.plans(None), merged, keep).await?;
        self.counted(&counts, About::Rows)
    }

    /// How many rows come last because a withheld cell would have decided about their place, or stand where a partial value
    /// places them.
    pub async fn unplaced(&self, merged: Vec<RecordBatch>) -> Result<u64, TailError> {
        let counts = self.execute(self.plans(None), merged, ()).await?;
        self.counted(&counts, About::Order)
    }

    fn counted(&self, counts: &[RecordBatch], about: About) -> Result<u64, TailError> {
        let counts = self.doubts.iter().zip(counts).filter(|(doubt, _)| doubt.about == about);
        counts.map(|(_, batch)| number(batch)).sum::<Option<u64>>().ok_or(TailError::Failed)
    }

    /// Everything that is to run, in order.
    fn plans(&self, last: Option<&LogicalPlan>) -> Vec<LogicalPlan> {
        self.doubts.iter().map(|doubt| &doubt.plan).chain(last).cloned().collect()
    }

    /// Runs plans on a thread of its own, since they recurse as deep as the question. Stops at its next pause when the
    /// caller is gone.
    async fn execute(
        &self,
        plans: Vec<LogicalPlan>,
        merged: Vec<RecordBatch>,
        keep: impl Send + 'static,
    ) -> Result<Vec<RecordBatch>, TailError> {
        let cells = self.leaves.iter().map(|leaf| leaf.cells(&self.releases, &merged));
        let cells = cells.collect::<Result<Vec<_>, _>>()?;
        let most = cells.iter().map(RecordBatch::num_rows).max().unwrap_or(0);
        if self.crosses > 0 && most.saturating_pow(self.crosses.saturating_add(1)) > MOST_CROSSED {
            return Err(TailError::TooManyRows);
        }
        let missing = self.leaves.iter().map(|leaf| {
            let folded = merged.get(leaf.release);
            folded.map_or(0, crate::merge::unlisted_by)
        });
        let releases = Releases::new(cells, missing.collect());
        let (mut done, result) = oneshot::channel();
        let work = move || {
            let _kept = keep;
            let runtime = tokio::runtime::Builder::new_current_thread().build();
            let result = match runtime {
                Ok(runtime) => runtime.block_on(async {
                    tokio::select! {
                        result = run_all(plans, releases) => Some(result),
                        () = done.closed() => None,
                    }
                }),
                Err(_) => Some(Err(TailError::Failed)),
            };
            if let Some(result) = result {
                // Nobody waits any more: nothing to do.
                let _gone = done.send(result);
            }
        };
        let thread =
            std::thread::Builder::new().name("mayag-tail".to_owned()).stack_size(STACK).spawn(work);
        thread.map_err(|_| TailError::Failed)?;
        result.await.map_err(|_| TailError::Failed)?
    }

    /// Nulls what is withheld, writes statuses as words, gives the columns their names.
    fn finish(&self, result: &RecordBatch) -> Result<RecordBatch, TailError> {
        let (mut fields, mut columns) = (Vec::new(), Vec::new());
        let (mut status_fields, mut status_columns) = (Vec::new(), Vec::new());
        for (i, column) in self.columns.iter().enumerate() {
            let mut value =
                result.column_by_name(&format!("c{i}")).cloned().ok_or(TailError::Failed)?;
            if column.status {
                let statuses = result.column_by_name(&format!("s{i}")).ok_or(TailError::Failed)?;
                let statuses = statuses.as_primitive_opt::<UInt8Type>().ok_or(TailError::Failed)?;
                let statuses: Vec<_> = statuses
                    .iter()
                    .map(|byte| CellStatus::from_byte(byte.unwrap_or(0)))
                    .collect::<Option<_>>()
                    .ok_or(TailError::Failed)?;
                let withheld: BooleanArray =
                    statuses.iter().map(|status| Some(*status == CellStatus::Suppressed)).collect();
                value = nullif(&value, &withheld).map_err(|_| TailError::Failed)?;
                let words: StringArray =
                    statuses.iter().map(|status| Some(status.as_str())).collect();
                status_fields.push(Field::new(
                    format!("{}_status", column.name),
                    DataType::Utf8,
                    false,
                ));
                status_columns.push(Arc::new(words) as ArrayRef);
                if let Some(deviation) = deviation(result, i, column, &withheld)? {
                    let name = format!("{}_sd", column.name);
                    status_fields.push(Field::new(name, DataType::Float64, true));
                    status_columns.push(deviation);
                }
            }
            fields.push(Field::new(&column.name, value.data_type().clone(), true));
            columns.push(value);
        }
        fields.extend(status_fields);
        columns.extend(status_columns);
        let options = RecordBatchOptions::new().with_row_count(Some(result.num_rows()));
        RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|_| TailError::Failed)
    }
}

/// Runs plans in order. All but the last count doubts, which those after them read as parameters.
async fn run_all(
    plans: Vec<LogicalPlan>,
    releases: Releases,
) -> Result<Vec<RecordBatch>, TailError> {
    let runtime = tail_runtime().map_err(|error| classify(&error))?;
    let state = tail_state(runtime).with_query_planner(Arc::new(releases)).build();
    let (mut results, mut found) = (Vec::new(), Vec::new());
    for plan in plans {
        let known = ParamValues::from(found.clone());
        let plan = plan.replace_params_with_values(&known).map_err(|error| classify(&error))?;
        let plan = state.create_physical_plan(&plan).await.map_err(|error| classify(&error))?;
        let schema = plan.schema();
        let batches = collect(plan, state.task_ctx()).await.map_err(|error| classify(&error))?;
        let result = concat_batches(&schema, &batches).map_err(|_| TailError::Failed)?;
        let missing = number(&result).is_some_and(|rows| rows > 0);
        let status = if missing { CellStatus::Partial } else { CellStatus::Known };
        found.push((parameter(found.len()), ScalarValue::UInt8(Some(status.byte()))));
        results.push(result);
    }
    Ok(results)
}

/// The deviations of a column of the result, unless there are none to state because nothing is noisy.
fn deviation(
    result: &RecordBatch,
    i: usize,
    column: &TailColumn,
    withheld: &BooleanArray,
) -> Result<Option<ArrayRef>, TailError> {
    if !column.deviation {
        return Ok(None);
    }
    let deviation = result.column_by_name(&format!("d{i}")).ok_or(TailError::Failed)?;
    let deviation = nullif(deviation, withheld).map_err(|_| TailError::Failed)?;
    Ok((deviation.null_count() < deviation.len()).then_some(deviation))
}

/// The one number of a plan that counts.
fn number(batch: &RecordBatch) -> Option<u64> {
    let counts = batch.columns().first()?.as_primitive_opt::<Int64Type>()?;
    u64::try_from(counts.iter().flatten().next()?).ok()
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "every other error of the engine is the same to the person"
)]
pub(crate) fn classify(error: &DataFusionError) -> TailError {
    match error.find_root() {
        DataFusionError::ResourcesExhausted(_) => TailError::TooMuchMemory,
        DataFusionError::ArrowError(error, _)
            if matches!(error.as_ref(), ArrowError::DivideByZero) =>
        {
            TailError::DivideByZero
        }
        _ => TailError::Failed,
    }
}
