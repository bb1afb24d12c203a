//! `mayag_level(x)`: the level of a column that the catalogue declares, such as the chapter of a code or a band of a
//! quantity. What it says of a value is what [`LevelRule::of`] says of it.

use super::failure::WorkFailure;
use datafusion::arrow::array::{ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use mayag_policies::catalogue::LevelRule;
use mayag_policies::shape::Literal;
use std::collections::HashMap;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// The level of a column as an expression.
pub(super) fn level_of(column: Expr, rule: &LevelRule) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(LevelOf { rule: rule.clone(), signature }).call(vec![column])
}

#[derive(Debug, PartialEq, Eq)]
struct LevelOf {
    rule: LevelRule,
    signature: Signature,
}

impl Hash for LevelOf {
    fn hash<H: Hasher>(&self, state: &mut H) {
        // Equal ones have equal hashes; few others meet in one plan.
        std::mem::discriminant(&self.rule).hash(state);
    }
}

impl ScalarUDFImpl for LevelOf {
    fn name(&self) -> &'static str {
        "mayag_level"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Utf8)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let values = args.args.into_iter().next().map(|values| values.into_array(rows));
        let values = values.transpose()?.ok_or_else(|| WorkFailure::Broken.mark())?;
        let levels: ArrayRef = Arc::new(self.all(&values)?);
        Ok(ColumnarValue::Array(levels))
    }
}

impl LevelOf {
    fn all(&self, values: &ArrayRef) -> Result<StringArray> {
        if let Some(whole) = values.as_primitive_opt::<Int64Type>() {
            let band = |value: i64| self.rule.band(|edge| value < edge);
            return Ok(whole.iter().map(|value| value.and_then(band)).collect());
        }
        if let Some(floats) = values.as_primitive_opt::<Float64Type>() {
            #[expect(clippy::cast_precision_loss, reason = "an edge is a small public number")]
            let band = |value: f64| self.rule.band(|edge| value < edge as f64);
            let known = |value: &f64| !value.is_nan();
            return Ok(floats.iter().map(|value| value.filter(known).and_then(band)).collect());
        }
        if let Some(decimals) = values.as_primitive_opt::<Decimal128Type>() {
            let one = 10_i128.saturating_pow(u32::try_from(decimals.scale()).unwrap_or_default());
            let band =
                |value: i128| self.rule.band(|edge| value < i128::from(edge).saturating_mul(one));
            return Ok(decimals.iter().map(|value| value.and_then(band)).collect());
        }
        let texts = cast(values, &DataType::Utf8View)?;
        let texts = texts.as_string_view_opt().ok_or_else(|| WorkFailure::Broken.mark())?;
        let mut known: HashMap<&str, Option<String>> = HashMap::new();
        let mut level = |text| {
            let of = |text: &str| match self.rule.of(&Literal::Text(text.to_owned())) {
                Some(Literal::Text(level)) => Some(level),
                Some(Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) | None => None,
            };
            known.entry(text).or_insert_with(|| of(text)).clone()
        };
        Ok(texts.iter().map(|text| text.and_then(&mut level)).collect())
    }
}
