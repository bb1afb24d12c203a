//! The rows of a lookup table, read in a worker: the operator's own query over the node's own sources, every column a text.
//!
//! They go to the node in portions, which hashes and forgets them; no other part of the product hands rows on.

use super::failure::WorkFailure;
use super::frame::{FrameError, Reply};
use super::gate;
use super::sources::{Datasets, SourceProblem, ViewMistake};
use arrow::array::RecordBatch;
use arrow::datatypes::DataType;
use arrow::ipc::reader::StreamReader;
use arrow::ipc::writer::StreamWriter;
use datafusion::common::Column;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, cast, lit};
use datafusion::physical_plan::execute_stream;
use futures::StreamExt as _;
use mayag_protocol::names::TableName;
use mayag_queries::engine::sql_options;
use serde::{Deserialize, Serialize};

/// The columns that a query may have; it must have the first.
pub const COLUMNS: [&str; 7] =
    [IDENTIFIER, "qualifier", "label", CATEGORY, "handling", "contact", SILENT];

const IDENTIFIER: &str = "identifier";
const CATEGORY: &str = "category";
const SILENT: &str = "silent";

/// Rows of one portion: what the node holds of a table at once is a few of them.
const PORTION: usize = 8_192;

/// The most categories of a table. More are no list of words, and nobody would read their legend.
pub const MOST_CATEGORIES: usize = 100;

/// What is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IdentifierQuery {
    /// The lookup table, for what is said of mistakes.
    pub table: TableName,
    /// One `SELECT` over sources. The operator's own SQL: trusted.
    pub sql: String,
}

/// Why reading ended early.
pub(super) enum Ended {
    Failed(WorkFailure),
    Gone(FrameError),
    Problem(SourceProblem),
}

impl IdentifierQuery {
    /// The distinct categories of rows that are not silent, sorted, as one portion: everybody sees them. More than [`MOST_CATEGORIES`] are a failure.
    pub(super) async fn categories(&self, datasets: &Datasets) -> Result<Reply, Ended> {
        let category = || Expr::Column(Column::new_unqualified(CATEGORY));
        let shown = Expr::Column(Column::new_unqualified(SILENT)).eq(lit("false"));
        let plan = LogicalPlanBuilder::from(self.plan(datasets).await?);
        let plan = plan
            .filter(category().is_not_null().and(shown))
            .and_then(|plan| plan.aggregate(vec![category()], Vec::<Expr>::new()))
            .and_then(|plan| plan.limit(0, Some(MOST_CATEGORIES + 1)))
            .and_then(LogicalPlanBuilder::build);
        let plan = plan.map_err(|error| WorkFailure::of(&error))?;
        let mut portions = Vec::new();
        run(datasets, &plan, |batch| {
            portions.push(batch);
            Ok(())
        })
        .await?;
        if portions.iter().map(RecordBatch::num_rows).sum::<usize>() > MOST_CATEGORIES {
            return Err(WorkFailure::TooFine.into());
        }
        let schema = portions.first().map(RecordBatch::schema);
        let batch = match schema {
            Some(schema) => arrow::compute::concat_batches(&schema, &portions)
                .map_err(|_| WorkFailure::Memory)?,
            None => RecordBatch::new_empty(std::sync::Arc::new(arrow::datatypes::Schema::empty())),
        };
        Ok(Reply::Portion(to_bytes(&batch)?))
    }

    /// Every row with an identifier, portion by portion. O(rows).
    pub(super) async fn rows(
        &self,
        datasets: &Datasets,
        mut write: impl FnMut(&Reply) -> Result<(), FrameError>,
    ) -> Result<Reply, Ended> {
        let plan = self.plan(datasets).await?;
        run(datasets, &plan, |batch| {
            for from in (0..batch.num_rows()).step_by(PORTION) {
                let portion = batch.slice(from, PORTION.min(batch.num_rows() - from));
                write(&Reply::Portion(to_bytes(&portion)?)).map_err(Ended::Gone)?;
            }
            Ok(())
        })
        .await?;
        Ok(Reply::End)
    }

    /// The query with all columns of [`COLUMNS`] as texts, those that it lacks without a value; where it says of no
    /// row whether it is silent, none is.
    async fn plan(&self, datasets: &Datasets) -> Result<LogicalPlan, Ended> {
        let mistake =
            |reason| Ended::Problem(SourceProblem::Lookup { table: self.table.clone(), reason });
        let planned = datasets.session().sql_with_options(&self.sql, sql_options()).await;
        let planned = planned.map_err(|error| mistake(ViewMistake::of(&error)))?;
        let plan = planned.into_unoptimized_plan();
        let mut columns = Vec::with_capacity(COLUMNS.len());
        for name in COLUMNS {
            let mut found = plan.schema().iter().filter(|(_, field)| field.name() == name);
            let column = match (found.next(), found.next()) {
                (Some(one), None) => Expr::Column(Column::from(one)),
                (None, _) if name == IDENTIFIER => return Err(mistake(ViewMistake::NoIdentifier)),
                // What no row says anything of; a row that says nothing where others do is silent.
                (None, _) if name == SILENT => lit("false"),
                (None, _) => lit(datafusion::common::ScalarValue::Utf8(None)),
                (Some(_), Some(_)) => return Err(mistake(ViewMistake::UnknownColumn)),
            };
            columns.push(cast(column, DataType::Utf8).alias(name));
        }
        let identifier = Expr::Column(Column::new_unqualified(IDENTIFIER));
        let plan = LogicalPlanBuilder::from(plan)
            .project(columns)
            .and_then(|plan| plan.filter(identifier.is_not_null()))
            .and_then(LogicalPlanBuilder::build);
        // A column that cannot be made a text: a list, say.
        plan.map_err(|_| mistake(ViewMistake::NotPlanned))
    }
}

async fn run(
    datasets: &Datasets,
    plan: &LogicalPlan,
    mut each: impl FnMut(RecordBatch) -> Result<(), Ended>,
) -> Result<(), Ended> {
    let state = datasets.session().state();
    let plan = state.create_physical_plan(plan).await.map_err(|error| WorkFailure::of(&error))?;
    gate::view(&plan)?;
    let mut batches =
        execute_stream(plan, state.task_ctx()).map_err(|error| WorkFailure::of(&error))?;
    while let Some(batch) = batches.next().await {
        each(batch.map_err(|error| WorkFailure::of(&error))?)?;
    }
    Ok(())
}

fn to_bytes(batch: &RecordBatch) -> Result<Vec<u8>, WorkFailure> {
    let mut bytes = Vec::new();
    let mut write = || {
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
        writer.write(batch)?;
        writer.finish()
    };
    write().map_err(|_: arrow::error::ArrowError| WorkFailure::Memory)?;
    Ok(bytes)
}

/// The portion in these bytes.
pub(super) fn from_bytes(bytes: &[u8]) -> Result<RecordBatch, WorkFailure> {
    let mut reader = StreamReader::try_new(bytes, None).map_err(|_| WorkFailure::Broken)?;
    reader.next().and_then(Result::ok).ok_or(WorkFailure::Broken)
}

impl From<WorkFailure> for Ended {
    fn from(failure: WorkFailure) -> Self {
        Self::Failed(failure)
    }
}
