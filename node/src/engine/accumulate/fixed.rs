//! `mayag_fixed(x)`: a number as a decimal of 38 digits, so that sums do not depend on the order of rows and fit.
//!
//! A float is cut to [`FLOAT_DIGITS`] digits after the point; one that is no number is nothing. Every value is cut to
//! what 10^11 of them can be summed of.

use super::amount::WIDE;
use crate::engine::failure::WorkFailure;
use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::Result;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use mayag_policies::catalogue::Number;
use std::sync::Arc;

/// Digits after the point of a float.
pub const FLOAT_DIGITS: i8 = 6;

/// The largest value, in smallest digits.
const LARGEST: i128 = 10_i128.pow(27);

/// Digits after the point of the fixed-point numbers of a measure.
pub fn scale(number: Number) -> i8 {
    match number {
        Number::Decimal { scale, .. } => scale,
        Number::Float => FLOAT_DIGITS,
        Number::Integer => 0,
    }
}

/// A whole number as a fixed-point number of this measure.
pub fn whole(number: Number, value: i64) -> i128 {
    let scale = u32::try_from(scale(number)).unwrap_or_default();
    i128::from(value).saturating_mul(10_i128.saturating_pow(scale))
}

/// The expression.
pub fn fixed(column: Expr, number: Number) -> Expr {
    let signature = Signature::any(1, Volatility::Immutable);
    ScalarUDF::new_from_impl(Fixed { scale: scale(number), signature }).call(vec![column])
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Fixed {
    scale: i8,
    signature: Signature,
}

impl ScalarUDFImpl for Fixed {
    fn name(&self) -> &'static str {
        "mayag_fixed"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Decimal128(WIDE, self.scale))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let rows = args.number_rows;
        let values = args.args.into_iter().next().map(|values| values.into_array(rows));
        let values = values.transpose()?.ok_or_else(|| WorkFailure::Broken.mark())?;
        let fixed: ArrayRef = Arc::new(self.all(&values)?);
        Ok(ColumnarValue::Array(fixed))
    }
}

impl Fixed {
    fn all(&self, values: &ArrayRef) -> Result<Decimal128Array> {
        let cut = |value: i128| value.clamp(-LARGEST, LARGEST);
        let fixed: Decimal128Array = if let Some(floats) = values.as_primitive_opt::<Float64Type>()
        {
            floats.iter().map(|value| value.and_then(of_float)).collect()
        } else if let Some(whole) = values.as_primitive_opt::<Int64Type>() {
            whole.iter().map(|value| value.map(|value| cut(value.into()))).collect()
        } else {
            let decimals = values.as_primitive_opt::<Decimal128Type>();
            let decimals = decimals.ok_or_else(|| WorkFailure::Broken.mark())?;
            decimals.iter().map(|value| value.map(cut)).collect()
        };
        Ok(fixed.with_data_type(DataType::Decimal128(WIDE, self.scale)))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "finite, and within 10^27 by then")]
fn of_float(value: f64) -> Option<i128> {
    let digits = value * 10_f64.powi(i32::from(FLOAT_DIGITS));
    value.is_finite().then(|| (digits.clamp(-1e27, 1e27).round() as i128).clamp(-LARGEST, LARGEST))
}

#[cfg(test)]
mod tests {
    use super::{LARGEST, of_float, whole};
    use mayag_policies::catalogue::Number;

    #[test]
    fn floats_are_cut_to_digits_that_can_be_summed_in_any_order() {
        assert_eq!(of_float(1.5), Some(1_500_000));
        assert_eq!(of_float(-0.000_000_4), Some(0));
        assert_eq!(of_float(f64::MAX), Some(LARGEST));
        assert_eq!(of_float(f64::MIN), Some(-LARGEST));
        for nothing in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(of_float(nothing), None);
        }
        assert_eq!(whole(Number::Decimal { precision: 20, scale: 4 }, -3), -30_000);
        assert_eq!(whole(Number::Integer, 7), 7);
    }
}
