//! `information_schema`: SQL over the list of what is shared, computed where the list is read.
//!
//! The list comes from the countries, as `mayag datasets` shows it; the engine's own catalogue has no say in it. The SQL is
//! that of questions, with the same limits and functions, and may read nothing but these two tables. No country sees it.

use crate::engine::{sql_options, tail_runtime, tail_state};
use crate::guard;
use crate::plan::{only_query, refuse};
use crate::stack::STACK;
use crate::tail::{MOST_ROWS, TailError, classify};
use arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{Field, Schema};
use datafusion::catalog::{
    CatalogProvider as _, MemoryCatalogProvider, MemorySchemaProvider, SchemaProvider as _,
};
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Limit, LogicalPlan, lit};
use datafusion::physical_plan::collect;
use datafusion::sql::parser::Statement;
use datafusion::sql::resolve::resolve_table_references;
use mayag_protocol::refusal::Refusal;
use std::collections::BTreeSet;
use std::sync::Arc;
use tokio::sync::oneshot;

/// The name of the schema.
pub const SCHEMA: &str = "information_schema";
/// Its tables.
pub const TABLES: [&str; 2] = ["columns", "tables"];

/// A dataset as one country shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedTable {
    /// The country.
    pub catalog: String,
    /// The dataset.
    pub name: String,
}

/// A column as one country shares it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedColumn {
    /// The country.
    pub catalog: String,
    /// The dataset.
    pub table: String,
    /// The column.
    pub name: String,
    /// Its place among those that are shared, from 1.
    pub position: i64,
    /// Whether it may hold nothing.
    pub nullable: bool,
    /// Its SQL type, where it is known.
    pub data_type: Option<String>,
}

/// What is shared, as two tables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Listing {
    /// `information_schema.tables`.
    pub tables: Vec<ListedTable>,
    /// `information_schema.columns`.
    pub columns: Vec<ListedColumn>,
}

/// Why there is no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InformationError {
    /// It failed over these lists.
    #[error(transparent)]
    Failed(#[from] TailError),
    /// It cannot be asked.
    #[error("{0}; {hint}", hint = .0.hint)]
    Refused(#[from] Refusal),
}

/// Answers a question about the list. Its columns have the names that the question gives them.
///
/// Works on a thread of its own, since planning recurses as deep as the question.
pub async fn select(sql: &str, listing: Listing) -> Result<RecordBatch, InformationError> {
    guard::check_text(sql)?;
    let (done, result) = oneshot::channel();
    let sql = sql.to_owned();
    let work = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let result = match runtime {
            Ok(runtime) => runtime.block_on(run(&sql, &listing)),
            Err(_) => Err(TailError::Failed.into()),
        };
        // Nobody waits any more: nothing to do.
        let _gone = done.send(result);
    };
    let thread = std::thread::Builder::new().name("mayag-information".to_owned()).stack_size(STACK);
    thread.spawn(work).map_err(|_| TailError::Failed)?;
    result.await.map_err(|_| TailError::Failed)?
}

async fn run(sql: &str, listing: &Listing) -> Result<RecordBatch, InformationError> {
    let state = state(listing).map_err(|_| TailError::Failed)?;
    let plan = planned(sql, &state).await?;
    // One row more than allowed shows that there are too many.
    let rows = i64::try_from(MOST_ROWS).unwrap_or(i64::MAX).saturating_add(1);
    let plan = LogicalPlan::Limit(Limit {
        skip: None,
        fetch: Some(Box::new(lit(rows))),
        input: Arc::new(plan),
    });
    let plan = state.create_physical_plan(&plan).await.map_err(|error| classify(&error))?;
    let schema = plan.schema();
    let batches = collect(plan, state.task_ctx()).await.map_err(|error| classify(&error))?;
    let result = concat_batches(&schema, &batches).map_err(|_| TailError::Failed)?;
    if MOST_ROWS < result.num_rows() { Err(TailError::TooManyRows.into()) } else { Ok(result) }
}

async fn planned(sql: &str, state: &SessionState) -> Result<LogicalPlan, Refusal> {
    let query = only_query(sql)?;
    let functions: BTreeSet<String> = state
        .scalar_functions()
        .keys()
        .chain(state.aggregate_functions().keys())
        .chain(state.window_functions().keys())
        .cloned()
        .collect();
    guard::check_tree(&query, &functions)?;
    let statement = Statement::Statement(Box::new(query));
    let (read, _) =
        resolve_table_references(&statement, true).map_err(|error| refuse::engine(&error))?;
    if let Some(other) = read.iter().find(|name| !is_ours(name)) {
        return Err(refuse::dataset(&other.to_string()));
    }
    let plan = state.statement_to_plan(statement).await.map_err(|error| refuse::engine(&error))?;
    sql_options().verify_plan(&plan).map_err(|_| refuse::not_one_select())?;
    Ok(plan)
}

fn is_ours(name: &TableReference) -> bool {
    match name {
        TableReference::Partial { schema, table } => {
            schema.as_ref() == SCHEMA && TABLES.contains(&table.as_ref())
        }
        TableReference::Bare { .. } | TableReference::Full { .. } => false,
    }
}

/// A session that holds the two tables and nothing else.
fn state(listing: &Listing) -> Result<SessionState, DataFusionError> {
    let state = tail_state(tail_runtime()?).build();
    let schema = MemorySchemaProvider::new();
    for (name, batch) in
        [("tables", tables(&listing.tables)?), ("columns", columns(&listing.columns)?)]
    {
        let table = MemTable::try_new(batch.schema(), vec![vec![batch]])?;
        schema.register_table(name.to_owned(), Arc::new(table))?;
    }
    let catalog = MemoryCatalogProvider::new();
    catalog.register_schema(SCHEMA, Arc::new(schema))?;
    let name = state.config_options().catalog.default_catalog.clone();
    state.catalog_list().register_catalog(name, Arc::new(catalog));
    Ok(state)
}

/// A dataset is a table that stands in no schema of its own; the standard's word for that is `public`.
fn tables(listed: &[ListedTable]) -> Result<RecordBatch, DataFusionError> {
    batch(&[
        ("table_catalog", false, texts(listed, |table| Some(&table.catalog))),
        ("table_schema", false, texts(listed, |_| Some("public"))),
        ("table_name", false, texts(listed, |table| Some(&table.name))),
        ("table_type", false, texts(listed, |_| Some("BASE TABLE"))),
    ])
}

fn columns(listed: &[ListedColumn]) -> Result<RecordBatch, DataFusionError> {
    let positions: Int64Array = listed.iter().map(|column| Some(column.position)).collect();
    batch(&[
        ("table_catalog", false, texts(listed, |column| Some(&column.catalog))),
        ("table_schema", false, texts(listed, |_| Some("public"))),
        ("table_name", false, texts(listed, |column| Some(&column.table))),
        ("column_name", false, texts(listed, |column| Some(&column.name))),
        ("ordinal_position", false, Arc::new(positions)),
        ("is_nullable", false, texts(listed, |column| Some(yes_or_no(column)))),
        ("data_type", true, texts(listed, |column| column.data_type.as_deref())),
    ])
}

fn yes_or_no(column: &ListedColumn) -> &'static str {
    if column.nullable { "YES" } else { "NO" }
}

fn texts<T>(listed: &[T], text: impl Fn(&T) -> Option<&str>) -> ArrayRef {
    Arc::new(listed.iter().map(text).collect::<StringArray>())
}

fn batch(columns: &[(&str, bool, ArrayRef)]) -> Result<RecordBatch, DataFusionError> {
    let field = |(name, nullable, values): &(&str, bool, ArrayRef)| {
        Field::new(*name, values.data_type().clone(), *nullable)
    };
    let fields: Vec<Field> = columns.iter().map(field).collect();
    let arrays = columns.iter().map(|(_, _, values)| Arc::clone(values)).collect();
    Ok(RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)?)
}

#[cfg(test)]
mod tests;
