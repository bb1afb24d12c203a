//! Numbers that contributions are counted in: 128-bit integers for integers and decimals, floats for floats.

use datafusion::arrow::array::{Array, ArrayRef, AsArray, Decimal128Array, Float64Array};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Float64Type, Int64Type};
use datafusion::common::Result;
use std::fmt::Debug;
use std::sync::Arc;

use crate::engine::failure::WorkFailure;

/// The precision of every 128-bit state column. The digits are not validated: the columns stay inside a process.
pub(super) const WIDE: u8 = 38;

/// How slowly rounding may let a float sum drift from the truth, relatively: `n` additions of non-negative numbers are off
/// by less than `n * 2^-53`, and no cell has more than 2^30 rows.
const FLOAT_SLACK: f64 = 1.0 / 8_388_608.0;

/// A number that contributions are counted in.
pub(super) trait Amount:
    Copy + Debug + Default + PartialOrd + Send + Sync + 'static
{
    /// Nothing seen; smaller than every absolute value.
    const NONE: Self;

    /// The absolute value.
    fn absolute(self) -> Self;
    /// Adds; `true` if the result does not fit.
    fn add(&mut self, other: Self) -> bool;
    /// Subtracts a smaller number.
    fn less(self, other: Self) -> Self;
    /// `(self + other) / 2`.
    fn mean(self, other: Self) -> Self;
    /// Whether a cell is proven not dominated, from its total and upper bounds of its two largest contributions.
    fn safe(total: Self, first: Self, second: Self, p_percent: u32) -> bool;
    /// Whether a cell is proven dominated, from its total and lower bounds of two contributions.
    fn dominated(total: Self, first: Self, second: Self, p_percent: u32) -> bool;
    /// A value of a narrower column.
    fn from_narrow(value: i64) -> Self;
    /// The values of an input column.
    fn read(array: &ArrayRef) -> Result<Values<'_, Self>>;
    /// A state column.
    fn column(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef;
    /// The type of a state column.
    fn state_type() -> DataType;
    /// The values of a state column.
    fn state(array: &ArrayRef) -> &[Self];
    /// For the protections, which reckon in floats.
    fn float(self) -> f64;
    /// As bytes of a state.
    fn bytes(self) -> [u8; 16];
    /// From bytes of a state.
    fn from_bytes(bytes: [u8; 16]) -> Self;
}

/// The values of an input column, with where they are null.
pub(super) enum Values<'a, A> {
    /// Values of the amount's own width.
    Own(&'a [A], Option<&'a NullBuffer>),
    /// 64-bit integers.
    Narrow(&'a [i64], Option<&'a NullBuffer>),
}

impl Amount for i128 {
    const NONE: Self = -1;

    #[inline]
    fn absolute(self) -> Self {
        // Only i128::MIN wraps, and no column holds it: inputs are 64-bit integers and decimals of at most 38 digits.
        self.wrapping_abs()
    }

    #[inline]
    fn add(&mut self, other: Self) -> bool {
        let (sum, overflow) = self.overflowing_add(other);
        *self = sum;
        overflow
    }

    #[inline]
    fn less(self, other: Self) -> Self {
        self - other
    }

    #[inline]
    fn mean(self, other: Self) -> Self {
        self.midpoint(other)
    }

    fn safe(total: Self, first: Self, second: Self, p_percent: u32) -> bool {
        let Some(rest) = total.checked_sub(first).and_then(|rest| rest.checked_sub(second)) else {
            return false;
        };
        match (rest.checked_mul(100), first.checked_mul(Self::from(p_percent))) {
            (Some(rest), Some(estimate)) => rest >= estimate,
            // Rounded against the cell: `rest / p` down, `first / 100` up.
            _ => rest / Self::from(p_percent.max(1)) > first / 100,
        }
    }

    fn dominated(total: Self, first: Self, second: Self, p_percent: u32) -> bool {
        let Some(rest) = total.checked_sub(first).and_then(|rest| rest.checked_sub(second)) else {
            return false;
        };
        match (rest.checked_mul(100), first.checked_mul(Self::from(p_percent))) {
            (Some(rest), Some(estimate)) => rest < estimate,
            _ => false,
        }
    }

    #[inline]
    fn from_narrow(value: i64) -> Self {
        Self::from(value)
    }

    fn read(array: &ArrayRef) -> Result<Values<'_, Self>> {
        if let Some(array) = array.as_primitive_opt::<Int64Type>() {
            return Ok(Values::Narrow(array.values(), array.nulls()));
        }
        let array =
            array.as_primitive_opt::<Decimal128Type>().ok_or_else(|| WorkFailure::Broken.mark())?;
        Ok(Values::Own(array.values(), array.nulls()))
    }

    fn column(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(Decimal128Array::new(values.into(), nulls).with_data_type(Self::state_type()))
    }

    fn state_type() -> DataType {
        DataType::Decimal128(WIDE, 0)
    }

    fn state(array: &ArrayRef) -> &[Self] {
        array.as_primitive_opt::<Decimal128Type>().map_or(&[], |array| array.values())
    }

    #[expect(
        clippy::cast_precision_loss,
        reason = "the rule compares parts of hundredths, not the last of 53 bits"
    )]
    fn float(self) -> f64 {
        self as f64
    }

    fn bytes(self) -> [u8; 16] {
        self.to_le_bytes()
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_le_bytes(bytes)
    }
}

impl Amount for f64 {
    const NONE: Self = -1.0;

    #[inline]
    fn absolute(self) -> Self {
        // Not a number may be anything: counted as the largest contribution there is, so that its cell is withheld.
        if self.is_nan() { Self::INFINITY } else { self.abs() }
    }

    #[inline]
    fn add(&mut self, other: Self) -> bool {
        *self += other;
        false
    }

    #[inline]
    fn less(self, other: Self) -> Self {
        // Infinity less infinity is not a number; what is left of an infinite contribution is infinite.
        if self.is_infinite() { self } else { (self - other).max(0.0) }
    }

    #[inline]
    fn mean(self, other: Self) -> Self {
        self / 2.0 + other / 2.0
    }

    fn safe(total: Self, first: Self, second: Self, p_percent: u32) -> bool {
        let up = 1.0 + FLOAT_SLACK;
        let (first, second, total) = (first * up, second * up, total / up);
        total.is_finite() && total - first - second >= first * Self::from(p_percent) / 100.0
    }

    fn dominated(total: Self, first: Self, second: Self, p_percent: u32) -> bool {
        let up = 1.0 + FLOAT_SLACK;
        let (first, second, total) = (first / up, second / up, total * up);
        !total.is_finite() || total - first - second < first * Self::from(p_percent) / 100.0
    }

    #[inline]
    fn from_narrow(value: i64) -> Self {
        #[expect(
            clippy::cast_precision_loss,
            reason = "never called: a float column is read as floats"
        )]
        {
            value as Self
        }
    }

    fn read(array: &ArrayRef) -> Result<Values<'_, Self>> {
        let array =
            array.as_primitive_opt::<Float64Type>().ok_or_else(|| WorkFailure::Broken.mark())?;
        Ok(Values::Own(array.values(), array.nulls()))
    }

    fn column(values: Vec<Self>, nulls: Option<NullBuffer>) -> ArrayRef {
        Arc::new(Float64Array::new(values.into(), nulls))
    }

    fn state_type() -> DataType {
        DataType::Float64
    }

    fn state(array: &ArrayRef) -> &[Self] {
        array.as_primitive_opt::<Float64Type>().map_or(&[], |array| array.values())
    }

    fn float(self) -> f64 {
        self
    }

    fn bytes(self) -> [u8; 16] {
        let mut bytes = [0; 16];
        bytes.iter_mut().zip(self.to_le_bytes()).for_each(|(to, from)| *to = from);
        bytes
    }

    fn from_bytes(bytes: [u8; 16]) -> Self {
        Self::from_le_bytes(bytes.first_chunk().copied().unwrap_or_default())
    }
}
