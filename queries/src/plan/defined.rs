//! Expressions over keys that are not defined for every value.
//!
//! Where the values of a level are public, a country lists all of them, whether any row has them or not: so `100 / hour`
//! is also computed for an hour of which there are no rows, where SQL over the rows would never have met it. What the engine
//! cannot compute for a group is null there. It is computed for all groups at once, and in halves where that fails.

use super::cells::{Cells, Cutting, ok};
use super::measures::position;
use super::refuse;
use crate::engine::computed;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions, new_null_array};
use arrow::compute::concat;
use arrow::datatypes::{DataType, Field, Schema};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::error::Result as EngineResult;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, Operator, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::physical_expr::PhysicalExpr;
use mayag_protocol::refusal::Refusal;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The same expression, null in rows for which it cannot be computed.
pub(super) fn or_null(
    cutting: &mut Cutting<'_>,
    expr: Expr,
    cells: &Cells,
) -> Result<Expr, Refusal> {
    if !ok(expr.exists(|part| Ok(!always_defined(part))))? {
        return Ok(expr);
    }
    let schema = cells.plan.schema();
    let returns = ok(expr.get_type(schema))?;
    let mut read = Vec::new();
    // What is read comes in as arguments.
    let inner = expr.clone().transform_down(|part| {
        Ok(if reads(&part) {
            let at = position(&mut read, part);
            let argument = Expr::Column(Column::new_unqualified(argument(at)));
            Transformed::new(argument, true, TreeNodeRecursion::Jump)
        } else {
            Transformed::no(part)
        })
    });
    let inner = ok(inner)?.data;
    if read.is_empty() {
        return Ok(expr);
    }
    let types =
        ok(read.iter().map(|part| part.get_type(schema)).collect::<EngineResult<Vec<_>>>())?;
    let field = |(i, of): (usize, &DataType)| Field::new(argument(i), of.clone(), true);
    let fields: Vec<Field> = types.iter().enumerate().map(field).collect();
    let schema = ok(DFSchema::try_from(Schema::new(fields)))?;
    // A part without columns that fails for whatever row, such as a cast of a constant.
    let compute =
        computed(inner, &schema).map_err(|_| refuse::not_supported(refuse::written(&expr)))?;
    let signature = Signature::exact(types, Volatility::Immutable);
    let schema = Arc::clone(schema.inner());
    let of = Defined { name: cutting.name(), compute, schema, returns, signature };
    Ok(ScalarUDF::new_from_impl(of).call(read))
}

/// Whether a part of an expression has a value, or null, for whatever its own parts are.
fn always_defined(part: &Expr) -> bool {
    #[expect(deprecated, reason = "an exhaustive match has to name the deprecated variant")]
    match part {
        Expr::BinaryExpr(BinaryExpr { op, .. }) => matches!(
            op,
            Operator::And
                | Operator::Or
                | Operator::Eq
                | Operator::NotEq
                | Operator::Lt
                | Operator::LtEq
                | Operator::Gt
                | Operator::GtEq
                | Operator::IsDistinctFrom
                | Operator::IsNotDistinctFrom
        ),
        Expr::Alias(_)
        | Expr::Column(_)
        | Expr::Literal(..)
        | Expr::Not(_)
        | Expr::IsNotNull(_)
        | Expr::IsNull(_)
        | Expr::IsTrue(_)
        | Expr::IsFalse(_)
        | Expr::IsUnknown(_)
        | Expr::IsNotTrue(_)
        | Expr::IsNotFalse(_)
        | Expr::IsNotUnknown(_)
        | Expr::Between(_)
        | Expr::Case(_)
        | Expr::InList(_)
        | Expr::ScalarSubquery(_) => true,
        Expr::Cast(_)
        | Expr::TryCast(_)
        | Expr::Negative(_)
        | Expr::Like(_)
        | Expr::SimilarTo(_)
        | Expr::ScalarFunction(_)
        | Expr::ScalarVariable(..)
        | Expr::AggregateFunction(_)
        | Expr::WindowFunction(_)
        | Expr::Exists(_)
        | Expr::InSubquery(_)
        | Expr::SetComparison(_)
        | Expr::Wildcard { .. }
        | Expr::GroupingSet(_)
        | Expr::Placeholder(_)
        | Expr::OuterReferenceColumn(..)
        | Expr::Unnest(_)
        | Expr::HigherOrderFunction(_)
        | Expr::Lambda(_)
        | Expr::LambdaVariable(_) => false,
    }
}

/// Whether a part of an expression is read from the rows or from another query.
fn reads(part: &Expr) -> bool {
    matches!(part, Expr::Column(_) | Expr::ScalarSubquery(_))
}

fn argument(at: usize) -> String {
    format!("a{at}")
}

/// A function of what an expression reads.
#[derive(Debug)]
struct Defined {
    /// No other function has it.
    name: String,
    compute: Arc<dyn PhysicalExpr>,
    schema: Arc<Schema>,
    returns: DataType,
    signature: Signature,
}

impl PartialEq for Defined {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Defined {}

impl Hash for Defined {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name.hash(state);
    }
}

impl Defined {
    fn compute(&self, rows: &RecordBatch) -> EngineResult<ArrayRef> {
        let count = rows.num_rows();
        match self.compute.evaluate(rows).and_then(|values| values.into_array(count)) {
            Ok(values) => Ok(values),
            Err(_) if count <= 1 => Ok(new_null_array(&self.returns, count)),
            Err(_) => {
                let half = count / 2;
                let first = self.compute(&rows.slice(0, half))?;
                let second = self.compute(&rows.slice(half, count - half))?;
                Ok(concat(&[&*first, &*second])?)
            }
        }
    }
}

impl ScalarUDFImpl for Defined {
    fn name(&self) -> &str {
        &self.name
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> EngineResult<DataType> {
        Ok(self.returns.clone())
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> EngineResult<ColumnarValue> {
        let count = args.number_rows;
        let read = args.args.into_iter().map(|read| read.into_array(count));
        let options = RecordBatchOptions::new().with_row_count(Some(count));
        let read = read.collect::<EngineResult<Vec<_>>>()?;
        let rows = RecordBatch::try_new_with_options(Arc::clone(&self.schema), read, &options)?;
        self.compute(&rows).map(ColumnarValue::Array)
    }
}
