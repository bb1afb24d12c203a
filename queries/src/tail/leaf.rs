//! Where a tail reads a release: a leaf of the plan that no optimiser rule can look into.

use crate::merge::{MergeError, outputs_as};
use crate::plan::KeyColumn;
use crate::release::Release;
use arrow::array::{ArrayRef, AsArray, Int64Array, RecordBatch, RecordBatchOptions, UInt8Array};
use arrow::compute::{CastOptions, DatePart, cast_with_options, date_part};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt8Type};
use async_trait::async_trait;
use datafusion::catalog::Session;
use datafusion::catalog::memory::MemorySourceConfig;
use datafusion::common::{DFSchema, DFSchemaRef};
use datafusion::error::Result;
use datafusion::execution::context::QueryPlanner;
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{
    Expr, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore,
};
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_planner::{DefaultPhysicalPlanner, ExtensionPlanner, PhysicalPlanner};
use mayag_policies::shape::Grain;
use mayag_protocol::columns::CellStatus;
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How a leaf's columns follow from a merged release: keys, outputs, one status per output, one deviation per output,
/// and with keys whether the row is there at all.
#[derive(Debug)]
pub(crate) struct Leaf {
    /// Which release.
    pub(crate) release: usize,
    /// Its key columns.
    pub(crate) keys: Vec<KeyColumn>,
    /// The types that the plan gives the outputs. A hidden output has none and no column.
    pub(crate) types: Vec<DataType>,
    /// The columns of the leaf.
    pub(crate) schema: SchemaRef,
}

impl Leaf {
    /// The leaf's rows from the merged releases.
    pub(super) fn cells(
        &self,
        releases: &[Release],
        merged: &[RecordBatch],
    ) -> Result<RecordBatch, MergeError> {
        let release = releases.get(self.release).ok_or(MergeError::Release)?;
        let folded = merged.get(self.release).ok_or(MergeError::Layout)?;
        let said = outputs_as(release, folded, &self.types)?;
        let column = |name: String| said.column_by_name(&name).cloned().ok_or(MergeError::Layout);
        let mut columns = Vec::new();
        for (i, key) in self.keys.iter().enumerate() {
            let wire = match key {
                KeyColumn::Constant(value) => {
                    value.to_array_of_size(said.num_rows()).map_err(|_| MergeError::Layout)?
                }
                KeyColumn::Key { key, part } => {
                    let wire = column(mayag_protocol::columns::key_column(*key))?;
                    match part.map(date_part_of) {
                        Some(part) => date_part(&wire, part).map_err(|_| MergeError::Layout)?,
                        None => wire,
                    }
                }
            };
            let planned = self.schema.fields().get(i).ok_or(MergeError::Layout)?.data_type();
            columns.push(cast(&wire, planned)?);
        }
        for i in 0..self.types.len() {
            columns.push(column(format!("v{i}"))?);
        }
        let measures = release.outputs.len();
        let statuses =
            (0..measures).map(|i| column(format!("v{i}_status"))).collect::<Result<Vec<_>, _>>()?;
        columns.extend(statuses.iter().take(self.types.len()).cloned());
        for i in 0..self.types.len() {
            columns.push(column(format!("v{i}_sd"))?);
        }
        if !self.keys.is_empty() {
            columns.push(presence(&statuses, said.num_rows())?);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(said.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|_| MergeError::Layout)
    }
}

/// Whether a row is there: a group of which all cells are withheld may have no rows at all.
fn presence(statuses: &[ArrayRef], rows: usize) -> Result<ArrayRef, MergeError> {
    let statuses: Vec<&UInt8Array> = statuses
        .iter()
        .map(|statuses| statuses.as_primitive_opt::<UInt8Type>().ok_or(MergeError::Layout))
        .collect::<Result<_, _>>()?;
    let withheld = CellStatus::Suppressed.byte();
    let of_row = |row: usize| {
        let all = statuses.iter().all(|statuses| statuses.value(row) == withheld);
        if all { withheld } else { CellStatus::Known.byte() }
    };
    Ok(Arc::new((0..rows).map(|row| Some(of_row(row))).collect::<UInt8Array>()))
}

fn date_part_of(part: Grain) -> DatePart {
    match part {
        Grain::Day => DatePart::Day,
        Grain::Month => DatePart::Month,
        Grain::Quarter => DatePart::Quarter,
        Grain::Year => DatePart::Year,
    }
}

fn cast(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, MergeError> {
    let strict = CastOptions { safe: false, ..CastOptions::default() };
    cast_with_options(column, to, &strict).map_err(|_| MergeError::Overflow)
}

/// The leaf in the plan, by number.
#[derive(Debug, Clone)]
pub(crate) struct ReleaseNode {
    leaf: usize,
    /// Not its rows, but one number: how many countries withhold rows of it by not listing them.
    missing: bool,
    schema: DFSchemaRef,
}

impl ReleaseNode {
    pub(crate) fn new(leaf: usize, schema: DFSchemaRef) -> Self {
        Self { leaf, missing: false, schema }
    }

    /// How many countries withhold rows of a leaf by not listing them.
    pub(crate) fn missing(leaf: usize) -> Result<Self> {
        let schema = DFSchema::try_from(missing_schema().as_ref().clone())?;
        Ok(Self { leaf, missing: true, schema: Arc::new(schema) })
    }
}

fn missing_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("missing", DataType::Int64, false)]))
}

// The number says it all; schemas are not ordered.
impl PartialEq for ReleaseNode {
    fn eq(&self, other: &Self) -> bool {
        (self.leaf, self.missing) == (other.leaf, other.missing)
    }
}

impl Eq for ReleaseNode {}

impl PartialOrd for ReleaseNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self.leaf, self.missing).partial_cmp(&(other.leaf, other.missing))
    }
}

impl Hash for ReleaseNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.leaf, self.missing).hash(state);
    }
}

impl UserDefinedLogicalNodeCore for ReleaseNode {
    fn name(&self) -> &'static str {
        "Release"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Release: {}", self.leaf)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, _: Vec<LogicalPlan>) -> Result<Self> {
        Ok(self.clone())
    }
}

/// Plans the leaves of a tail as tables in memory.
#[derive(Debug, Clone)]
pub(super) struct Releases {
    /// The rows of each leaf.
    leaves: Arc<Vec<RecordBatch>>,
    /// How many countries withhold rows of it by not listing them.
    missing: Arc<Vec<u64>>,
}

impl Releases {
    pub(super) fn new(leaves: Vec<RecordBatch>, missing: Vec<u64>) -> Self {
        Self { leaves: Arc::new(leaves), missing: Arc::new(missing) }
    }

    /// What a leaf of the plan reads.
    fn read(&self, node: &ReleaseNode) -> Option<RecordBatch> {
        if !node.missing {
            return self.leaves.get(node.leaf).cloned();
        }
        let missing = i64::try_from(*self.missing.get(node.leaf)?).ok()?;
        let column: ArrayRef = Arc::new(Int64Array::from(vec![missing]));
        RecordBatch::try_new(missing_schema(), vec![column]).ok()
    }
}

#[async_trait]
impl ExtensionPlanner for Releases {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        _: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let node = node.as_any().downcast_ref::<ReleaseNode>();
        let Some(cells) = node.and_then(|node| self.read(node)) else { return Ok(None) };
        let schema = cells.schema();
        let plan = MemorySourceConfig::try_new_exec(&[vec![cells]], schema, None)?;
        Ok(Some(plan))
    }
}

#[async_trait]
impl QueryPlanner for Releases {
    async fn create_physical_plan(
        &self,
        plan: &LogicalPlan,
        session: &dyn Session,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let planner = DefaultPhysicalPlanner::with_extension_planners(vec![Arc::new(self.clone())]);
        planner.create_physical_plan(plan, session).await
    }
}
