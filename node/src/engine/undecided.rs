//! `mayag_undecided(k0, k1, ..)`: whether a row belongs to one of a few cells, for the second pass over the data.

use datafusion::arrow::array::{ArrayRef, BooleanArray};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::row::{RowConverter, SortField};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use std::collections::HashSet;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The keys of cells, null equal to null.
#[derive(Debug)]
pub(super) struct Cells {
    types: Vec<DataType>,
    keys: HashSet<Box<[u8]>>,
}

impl Cells {
    /// The cells whose keys are the rows of these columns that `chosen` says.
    pub(super) fn new(keys: &[ArrayRef], chosen: &[bool]) -> Result<Self> {
        let types: Vec<DataType> = keys.iter().map(|key| key.data_type().clone()).collect();
        let rows = converter(&types)?.convert_columns(keys)?;
        let chosen = rows.iter().zip(chosen).filter(|(_, chosen)| **chosen);
        Ok(Self { keys: chosen.map(|(row, _)| row.as_ref().into()).collect(), types })
    }

    /// The condition on rows whose keys are these expressions.
    pub(super) fn contain(self, keys: Vec<Expr>) -> Expr {
        let signature = Signature::exact(self.types.clone(), Volatility::Immutable);
        ScalarUDF::new_from_impl(Undecided { cells: Arc::new(self), signature }).call(keys)
    }
}

fn converter(types: &[DataType]) -> Result<RowConverter> {
    Ok(RowConverter::new(types.iter().cloned().map(SortField::new).collect())?)
}

#[derive(Debug)]
struct Undecided {
    cells: Arc<Cells>,
    signature: Signature,
}

impl PartialEq for Undecided {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.cells, &other.cells)
    }
}

impl Eq for Undecided {}

impl Hash for Undecided {
    fn hash<H: Hasher>(&self, state: &mut H) {
        Arc::as_ptr(&self.cells).hash(state);
    }
}

impl ScalarUDFImpl for Undecided {
    fn name(&self) -> &'static str {
        "mayag_undecided"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Boolean)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let keys =
            args.args.into_iter().map(|key| key.into_array(rows)).collect::<Result<Vec<_>>>()?;
        let rows = converter(&self.cells.types)?.convert_columns(&keys)?;
        let found: BooleanArray =
            rows.iter().map(|row| Some(self.cells.keys.contains(row.as_ref()))).collect();
        Ok(ColumnarValue::Array(Arc::new(found)))
    }
}
