//! The barrier: the owner's row filter runs below it, and what it removes does not exist above it.
//!
//! The engine may put conjuncts in any order and push predicates into scans. With the owner's filter as an ordinary
//! `Filter`, a predicate of the question could be evaluated on rows that the policy withholds. So a dataset is scanned as
//! a plan of its own, view and filter optimised together (the filter prunes files and row groups), and [`BarrierExec`]
//! goes on top: an operator that answers every optimiser's question with the default, which is no. No filter, limit or
//! projection passes it, and it states no statistics, so that no count is answered from the unfiltered file's footer.
//!
//! The table above has the columns that the release needs and no others: no other can be named.

use super::failure::WorkFailure;
use super::gate;
use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Column, Result};
use datafusion::datasource::TableType;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{
    DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties, ReplaceChildrenOptions,
};
use futures::StreamExt;
use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A dataset as one release sees it.
#[derive(Debug)]
pub struct RowPolicyTable {
    below: LogicalPlan,
    schema: SchemaRef,
    scan_rows: u64,
}

impl RowPolicyTable {
    /// The rows of `view` that pass the owner's `filter`, reduced to `columns`. The filter may read any column of the
    /// view; `None` lets every row pass.
    pub fn new(
        view: &LogicalPlan,
        filter: Option<Expr>,
        columns: &BTreeSet<String>,
        scan_rows: u64,
    ) -> Result<Self, WorkFailure> {
        let below = below(view, filter, columns).map_err(|error| WorkFailure::of(&error))?;
        let schema = Arc::new(below.schema().as_arrow().clone());
        Ok(Self { below, schema, scan_rows })
    }
}

fn below(
    view: &LogicalPlan,
    filter: Option<Expr>,
    columns: &BTreeSet<String>,
) -> Result<LogicalPlan> {
    let mut read = columns.clone();
    read.extend(filter.iter().flat_map(Expr::column_refs).map(|column| column.name.clone()));
    let named = |name: &String| {
        let mut found = view.schema().iter().filter(|(_, field)| field.name() == name);
        let (qualifier, field) = found.next().ok_or_else(|| WorkFailure::Broken.mark())?;
        Ok(Expr::Column(Column::from((qualifier, field))).alias(name))
    };
    let reads = read.iter().map(named).collect::<Result<Vec<_>>>()?;
    let mut plan = LogicalPlanBuilder::from(view.clone()).project(reads)?;
    if let Some(filter) = filter {
        plan = plan.filter(filter)?;
    }
    plan.project(columns.iter().map(|name| Expr::Column(Column::new_unqualified(name))))?.build()
}

#[async_trait]
impl TableProvider for RowPolicyTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    /// Never inlined: the plan below stays a plan of its own. Filters are not supported either, by default.
    fn get_logical_plan(&self) -> Option<Cow<'_, LogicalPlan>> {
        None
    }

    async fn scan(
        &self,
        session: &dyn Session,
        projection: Option<&Vec<usize>>,
        _filters: &[Expr],
        _limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let below = match projection {
            None => self.below.clone(),
            Some(indices) => {
                let columns = indices.iter().filter_map(|index| self.schema.fields().get(*index));
                let columns =
                    columns.map(|field| Expr::Column(Column::new_unqualified(field.name())));
                LogicalPlanBuilder::from(self.below.clone()).project(columns)?.build()?
            }
        };
        let below = session.create_physical_plan(&below).await?;
        gate::view(&below).map_err(WorkFailure::mark)?;
        Ok(Arc::new(BarrierExec::new(below, self.scan_rows)))
    }
}

/// The operator that nothing passes but the rows that its child lets through.
#[derive(Debug)]
pub struct BarrierExec {
    child: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    scan_rows: u64,
    passed: Arc<AtomicU64>,
}

impl BarrierExec {
    fn new(child: Arc<dyn ExecutionPlan>, scan_rows: u64) -> Self {
        let of_child = child.properties();
        let properties = Arc::new(PlanProperties::new(
            EquivalenceProperties::new(child.schema()),
            of_child.partitioning.clone(),
            of_child.emission_type,
            of_child.boundedness,
        ));
        Self { child, properties, scan_rows, passed: Arc::default() }
    }
}

impl DisplayAs for BarrierExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BarrierExec")
    }
}

impl ExecutionPlan for BarrierExec {
    fn name(&self) -> &'static str {
        "BarrierExec"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.child]
    }

    fn apply_expressions(
        &self,
        _apply: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn with_new_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let child = children.into_iter().next().ok_or_else(|| WorkFailure::Broken.mark())?;
        Ok(Arc::new(Self::new(child, self.scan_rows)))
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let child = children.into_iter().next().ok_or_else(|| WorkFailure::Broken.mark())?;
        Ok(Arc::new(Self::new(child, self.scan_rows)))
    }

    /// Rows are counted above the owner's filter: whether a limit is reached says nothing of rows that it withholds.
    fn execute(
        &self,
        partition: usize,
        context: Arc<TaskContext>,
    ) -> Result<SendableRecordBatchStream> {
        let (passed, limit) = (Arc::clone(&self.passed), self.scan_rows);
        let rows = self.child.execute(partition, context)?.map(move |batch| {
            let batch = batch?;
            let rows = batch.num_rows() as u64;
            if passed.fetch_add(rows, Ordering::Relaxed).saturating_add(rows) > limit {
                return Err(WorkFailure::ScanLimit.mark());
            }
            Ok(batch)
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema(), rows)))
    }
}

#[cfg(test)]
mod tests {
    use super::RowPolicyTable;
    use crate::engine::failure::WorkFailure;
    use datafusion::arrow::array::{ArrayRef, Int64Array, RecordBatch, StringArray};
    use datafusion::common::Column;
    use datafusion::error::DataFusionError;
    use datafusion::logical_expr::{Expr, lit};
    use datafusion::physical_plan::displayable;
    use datafusion::prelude::{ParquetReadOptions, SessionContext};
    use parquet::arrow::ArrowWriter;
    use std::collections::BTreeSet;
    use std::fs::File;
    use std::sync::Arc;

    /// Ten rows in a file; in the withheld ones `x` is zero, and `secret` holds a canary.
    async fn context(folder: &std::path::Path) -> SessionContext {
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("x", Arc::new(Int64Array::from(vec![1, 2, 3, 4, 5, 0, 0, 0, 0, 0]))),
            ("dept", Arc::new(StringArray::from([["a"; 5], ["b"; 5]].concat()))),
            ("secret", Arc::new(StringArray::from(vec!["canary"; 10]))),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let file = folder.join("t.parquet");
        let mut writer =
            ArrowWriter::try_new(File::create(&file).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let context = SessionContext::new();
        let path = file.to_str().unwrap();
        context.register_parquet("raw", path, ParquetReadOptions::default()).await.unwrap();
        context
    }

    async fn behind_the_barrier(context: &SessionContext, scan_rows: u64) {
        let view = context.sql("SELECT * FROM raw").await.unwrap().into_unoptimized_plan();
        let owner = Expr::Column(Column::new_unqualified("dept")).eq(lit("a"));
        let columns = BTreeSet::from(["x".to_owned()]);
        let table = RowPolicyTable::new(&view, Some(owner), &columns, scan_rows).unwrap();
        context.deregister_table("t").unwrap();
        context.register_table("t", Arc::new(table)).unwrap();
    }

    async fn count(context: &SessionContext, sql: &str) -> Result<usize, DataFusionError> {
        Ok(context.sql(sql).await?.collect().await?.iter().map(RecordBatch::num_rows).sum())
    }

    #[tokio::test]
    async fn no_predicate_of_a_question_reaches_a_withheld_row() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path()).await;
        context.sql("CREATE VIEW v AS SELECT x FROM raw WHERE dept = 'a'").await.unwrap();
        behind_the_barrier(&context, u64::MAX).await;
        // What the barrier is for: through a view the engine divides by the zeros of the withheld rows.
        count(&context, "SELECT x FROM v WHERE 10 / x > 1").await.unwrap_err();
        assert_eq!(count(&context, "SELECT x FROM t WHERE 10 / x > 1").await.unwrap(), 5);
        assert_eq!(count(&context, "SELECT x FROM t LIMIT 7").await.unwrap(), 5);
    }

    #[tokio::test]
    async fn the_owners_filter_prunes_below_and_the_question_filters_above() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path()).await;
        behind_the_barrier(&context, u64::MAX).await;
        let frame = context.sql("SELECT count(*) FROM t WHERE x > 3").await.unwrap();
        let plan = frame.create_physical_plan().await.unwrap();
        let text = displayable(plan.as_ref()).indent(false).to_string();
        let (above, below) = text.split_once("BarrierExec").unwrap();
        assert!(above.contains("x@0 > 3") && !above.contains("dept"), "{text}");
        assert!(below.contains("dept") && below.contains("pruning_predicate"), "{text}");
        assert!(!below.contains("x@0 > 3") && !below.contains("secret"), "{text}");
    }

    #[tokio::test]
    async fn other_columns_do_not_exist_and_rows_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let context = context(folder.path()).await;
        behind_the_barrier(&context, 5).await;
        for column in ["secret", "dept"] {
            context.sql(&format!("SELECT {column} FROM t")).await.unwrap_err();
        }
        assert_eq!(count(&context, "SELECT * FROM t").await.unwrap(), 5);
        behind_the_barrier(&context, 4).await;
        let failure = count(&context, "SELECT * FROM t").await.unwrap_err();
        assert_eq!(WorkFailure::of(&failure), WorkFailure::ScanLimit);
    }
}
