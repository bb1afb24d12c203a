//! Whether a node's data are what the catalogue says: units that are said to be unique are, and columns with public
//! values hold no others, and values that every row has are there. Types are checked when the sources are opened.

use super::failure::WorkFailure;
use super::gate;
use super::sources::{Datasets, Mapped};
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Int64Type};
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::common::{Column, ScalarValue};
use datafusion::functions_aggregate::expr_fn::count;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprFunctionExt, LogicalPlan, LogicalPlanBuilder, ScalarFunctionArgs,
    ScalarUDF, ScalarUDFImpl, Signature, Volatility, lit,
};
use datafusion::physical_plan::collect;
use mayag_policies::catalogue::{Column as Described, Dataset, JoinPath, Kind, Range};
use mayag_protocol::names::{ColumnName, DatasetName};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// How data differ from the catalogue. Numbers of rows, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum Finding {
    /// Rows share the key of a join, although the catalogue says that a row of the other dataset meets one of them.
    #[error(
        "dataset `{dataset}`: {rows} rows have {keys} distinct values of `{column}`, but `{from}` is joined with one row of it"
    )]
    JoinKeysRepeat {
        /// The dataset.
        dataset: DatasetName,
        /// The dataset that is joined with it.
        from: DatasetName,
        /// The columns that are compared.
        column: String,
        /// Rows that have a key.
        rows: u64,
        /// Distinct keys.
        keys: u64,
    },
    /// Rows lack a value that the catalogue says every row has.
    #[error(
        "dataset `{dataset}`: {rows} rows have no `{column}`, but the catalogue says every row has one"
    )]
    Missing {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Rows.
        rows: u64,
    },
    /// The dataset could not be checked.
    #[error("dataset `{dataset}`: checking it failed: {failure}")]
    NotChecked {
        /// The dataset.
        dataset: DatasetName,
        /// Why.
        failure: WorkFailure,
    },
    /// A column holds other values than the public ones.
    #[error(
        "dataset `{dataset}`: {rows} rows have a value of `{column}` that is not in the catalogue's list"
    )]
    OutsideDomain {
        /// The dataset.
        dataset: DatasetName,
        /// The column.
        column: ColumnName,
        /// Rows.
        rows: u64,
    },
    /// Rows share a unit, or have none, although the catalogue says that every row is a unit of its own.
    #[error(
        "dataset `{dataset}`: {rows} rows have {units} distinct units, but the catalogue says every row is its own"
    )]
    UnitsRepeat {
        /// The dataset.
        dataset: DatasetName,
        /// Rows.
        rows: u64,
        /// Distinct units.
        units: u64,
    },
    /// Rows have no unit. That is not wrong, but what nobody's is can be nobody's contribution: noise would have to hide
    /// all of it at once.
    #[error(
        "dataset `{dataset}`: {rows} rows have no `{column}`; where noise is on they count in no cell: give each of them a unit in the dataset's view, if they are to count"
    )]
    WithoutUnit {
        /// The dataset.
        dataset: DatasetName,
        /// The column of the unit that people may count.
        column: ColumnName,
        /// Rows.
        rows: u64,
    },
}

impl Finding {
    /// Whether a node starts all the same, and tells its operator.
    pub fn is_bearable(&self) -> bool {
        match self {
            Self::WithoutUnit { .. } => true,
            Self::JoinKeysRepeat { .. }
            | Self::Missing { .. }
            | Self::NotChecked { .. }
            | Self::OutsideDomain { .. }
            | Self::UnitsRepeat { .. } => false,
        }
    }
}

/// Units counted at once: their set has to fit the memory of a worker. A larger dataset is read several times.
const UNITS_AT_ONCE: u64 = 4_000_000;

/// Checks every dataset. O(rows), and O(rows²/4·10⁶) reads of the unit column where units must be unique.
pub(super) async fn check(datasets: &Datasets) -> Vec<Finding> {
    let mut findings = Vec::new();
    for mapped in datasets.all() {
        if let Err(failure) = check_one(datasets, mapped, &mut findings).await {
            findings.push(Finding::NotChecked { dataset: mapped.dataset.name.clone(), failure });
        }
    }
    for (many, path) in datasets.catalogue().joins() {
        let Some(one) = datasets.get(&path.with) else { continue };
        match keys_repeat(datasets, many, path, one).await {
            Ok(finding) => findings.extend(finding),
            Err(failure) => {
                findings.push(Finding::NotChecked { dataset: path.with.clone(), failure });
            }
        }
    }
    findings
}

/// Whether a join would multiply rows. Rows without a key meet none.
async fn keys_repeat(
    datasets: &Datasets,
    many: &Dataset,
    path: &JoinPath,
    one: &Mapped,
) -> Result<Option<Finding>, WorkFailure> {
    if datasets.get(&many.name).is_none() {
        return Ok(None);
    }
    let mut known = lit(true);
    for name in &path.on {
        known = known.and(one.column(name)?.is_not_null());
    }
    let all = LogicalPlanBuilder::from(one.view.clone())
        .filter(known)
        .and_then(|plan| plan.aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias("rows")]))
        .and_then(LogicalPlanBuilder::build);
    let counts = run(datasets, all.map_err(|error| WorkFailure::of(&error))?).await?;
    let rows = first_count(&counts, "rows")?;
    let keys = distinct(datasets, one, &path.on, rows).await?;
    let column = path.on.iter().map(ColumnName::as_str).collect::<Vec<_>>().join(", ");
    let (dataset, from) = (path.with.clone(), many.name.clone());
    Ok((rows != keys).then_some(Finding::JoinKeysRepeat { dataset, from, column, rows, keys }))
}

async fn check_one(
    datasets: &Datasets,
    mapped: &Mapped,
    findings: &mut Vec<Finding>,
) -> Result<(), WorkFailure> {
    let dataset = &mapped.dataset;
    let mut aggregates = vec![count(lit(1_i64)).alias("rows")];
    for (i, column) in dataset.columns.iter().enumerate() {
        for (name, wrong) in
            [("outside", outside(mapped, column)?), ("missing", missing(mapped, column)?)]
        {
            let Some(wrong) = wrong else { continue };
            let counted =
                count(lit(1_i64)).filter(wrong).build().map_err(|error| WorkFailure::of(&error))?;
            aggregates.push(counted.alias(format!("{name}{i}")));
        }
    }
    let unit = &dataset.unit().column;
    aggregates.push(count(mapped.column(unit)?).alias("with_unit"));
    let plan = LogicalPlanBuilder::from(mapped.view.clone());
    let plan = plan.aggregate(Vec::<Expr>::new(), aggregates).and_then(LogicalPlanBuilder::build);
    let counts = run(datasets, plan.map_err(|error| WorkFailure::of(&error))?).await?;
    let rows = first_count(&counts, "rows")?;
    for (i, column) in dataset.columns.iter().enumerate() {
        let named = || (dataset.name.clone(), column.name.clone());
        let of = |name: &str| first_count(&counts, &format!("{name}{i}")).unwrap_or_default();
        let (outside, missing) = (of("outside"), of("missing"));
        if outside > 0 {
            let (dataset, column) = named();
            findings.push(Finding::OutsideDomain { dataset, column, rows: outside });
        }
        if missing > 0 {
            let (dataset, column) = named();
            findings.push(Finding::Missing { dataset, column, rows: missing });
        }
    }
    let without = rows.saturating_sub(first_count(&counts, "with_unit")?);
    if without > 0 && !dataset.unit().unique {
        let (dataset, column) = (dataset.name.clone(), unit.clone());
        findings.push(Finding::WithoutUnit { dataset, column, rows: without });
    }
    for unit in dataset.units.iter().filter(|unit| unit.unique) {
        let units = distinct(datasets, mapped, std::slice::from_ref(&unit.column), rows).await?;
        if units != rows {
            findings.push(Finding::UnitsRepeat { dataset: dataset.name.clone(), rows, units });
        }
    }
    Ok(())
}

/// Whether a row has a value that the catalogue does not list; `None` where every value may be there.
fn outside(mapped: &Mapped, column: &Described) -> Result<Option<Expr>, WorkFailure> {
    let values = match (&column.kind, column.range) {
        (Kind::Category { values: Some(values) }, _) => {
            let values = values.iter().map(|value| lit(value.as_str())).collect();
            return Ok(Some(mapped.column(&column.name)?.in_list(values, true)));
        }
        (Kind::Date {}, Some(Range::Dates { from, to })) => {
            let day = |day| Expr::Literal(ScalarValue::Date32(Some(day)), None);
            (day(from), day(to))
        }
        (Kind::Number {}, Some(Range::Numbers { from, to })) => (lit(from), lit(to)),
        (Kind::Date {}, Some(Range::Numbers { .. }) | None)
        | (Kind::Number {}, Some(Range::Dates { .. }) | None)
        | (
            Kind::Category { values: None }
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Unit {},
            _,
        ) => return Ok(None),
    };
    let inside = mapped.column(&column.name)?.between(values.0, values.1);
    Ok(Some(Expr::Not(Box::new(inside))))
}

/// Whether a row lacks a value that every row has; `None` where a value may be missing.
fn missing(mapped: &Mapped, column: &Described) -> Result<Option<Expr>, WorkFailure> {
    if column.required && !matches!(column.kind, Kind::Hidden {}) {
        Ok(Some(mapped.column(&column.name)?.is_null()))
    } else {
        Ok(None)
    }
}

/// Distinct values of these columns together in the whole dataset, part by part of the hashes of the first. Rows that
/// lack one of them do not count.
async fn distinct(
    datasets: &Datasets,
    mapped: &Mapped,
    columns: &[ColumnName],
    rows: u64,
) -> Result<u64, WorkFailure> {
    let parts = rows.div_ceil(UNITS_AT_ONCE).max(1);
    let values =
        columns.iter().map(|column| mapped.column(column)).collect::<Result<Vec<_>, _>>()?;
    let first = values.first().ok_or(WorkFailure::Broken)?;
    let known = values.iter().fold(lit(true), |known, of| known.and(of.clone().is_not_null()));
    let mut distinct = 0;
    for part in 0..parts {
        let in_part = ScalarUDF::new_from_impl(Part::new(part, parts)).call(vec![first.clone()]);
        let keys = values.iter().enumerate().map(|(i, value)| value.clone().alias(format!("k{i}")));
        let plan = || {
            LogicalPlanBuilder::from(mapped.view.clone())
                .filter(in_part.and(known.clone()))?
                .aggregate(keys, Vec::<Expr>::new())?
                .aggregate(Vec::<Expr>::new(), vec![count(lit(1_i64)).alias("distinct")])?
                .build()
        };
        let counts = run(datasets, plan().map_err(|error| WorkFailure::of(&error))?).await?;
        distinct += first_count(&counts, "distinct")?;
    }
    Ok(distinct)
}

impl Mapped {
    fn column(&self, name: &ColumnName) -> Result<Expr, WorkFailure> {
        let mut found =
            self.view.schema().iter().filter(|(_, field)| field.name() == name.as_str());
        found.next().map(|found| Expr::Column(Column::from(found))).ok_or(WorkFailure::Broken)
    }
}

async fn run(datasets: &Datasets, plan: LogicalPlan) -> Result<Vec<RecordBatch>, WorkFailure> {
    let state = datasets.session().state();
    let plan = state.create_physical_plan(&plan).await.map_err(|error| WorkFailure::of(&error))?;
    gate::view(&plan)?;
    collect(plan, state.task_ctx()).await.map_err(|error| WorkFailure::of(&error))
}

fn first_count(batches: &[RecordBatch], name: &str) -> Result<u64, WorkFailure> {
    let column = batches
        .iter()
        .find(|batch| batch.num_rows() > 0)
        .and_then(|batch| batch.column_by_name(name));
    let counts = column
        .and_then(|column| column.as_primitive_opt::<Int64Type>())
        .ok_or(WorkFailure::Broken)?;
    // A sum over nothing is null, and counts as none.
    Ok(counts
        .iter()
        .next()
        .flatten()
        .and_then(|count| u64::try_from(count).ok())
        .unwrap_or_default())
}

/// `mayag_part(unit)`: whether the unit's hash falls into this part.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Part {
    index: u64,
    of: u64,
    signature: Signature,
}

impl Part {
    fn new(index: u64, of: u64) -> Self {
        Self { index, of, signature: Signature::any(1, Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for Part {
    fn name(&self) -> &'static str {
        "mayag_part"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> datafusion::common::Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(
        &self,
        args: ScalarFunctionArgs,
    ) -> datafusion::common::Result<ColumnarValue> {
        let rows = args.number_rows;
        let units = args.args.into_iter().map(|unit| unit.into_array(rows));
        let units = units.collect::<datafusion::common::Result<Vec<_>>>()?;
        let mut hashes = vec![0; rows];
        create_hashes(&units, &QualityRandomState::with_seed(0), &mut hashes)?;
        let inside = hashes.iter().map(|hash| Some(hash % self.of == self.index));
        Ok(ColumnarValue::Array(Arc::new(inside.collect::<arrow::array::BooleanArray>())))
    }
}
