//! Dates at a grain: the first day of the month, quarter or year.
//!
//! The arithmetic is the proleptic Gregorian calendar on days since 1970-01-01 (the algorithms of Howard Hinnant's
//! `days_from_civil` and `civil_from_days`), in 64 bits, so that it is total over every `i32`.

use datafusion::arrow::array::{ArrayRef, AsArray, Date32Array};
use datafusion::arrow::datatypes::{DataType, Date32Type};
use datafusion::common::{Result, ScalarValue, exec_err};
use datafusion::logical_expr::{
    ColumnarValue, Expr, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use mayag_policies::shape::Grain;
use std::sync::Arc;

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// The first day of the period that the day is in.
pub(super) fn start(grain: Grain, day: i32) -> i32 {
    let (year, month) = year_and_month(i64::from(day));
    match grain {
        Grain::Day => day,
        Grain::Month => first_day(year, month),
        Grain::Quarter => first_day(year, (month - 1) / 3 * 3 + 1),
        Grain::Year => first_day(year, 1),
    }
}

/// The first day of the period after the one that the day is in.
pub(super) fn next(grain: Grain, day: i32) -> i32 {
    let (year, month) = year_and_month(i64::from(day));
    let after = |year: i64, month: i64| {
        if month > 12 { first_day(year + 1, month - 12) } else { first_day(year, month) }
    };
    match grain {
        Grain::Day => day.saturating_add(1),
        Grain::Month => after(year, month + 1),
        Grain::Quarter => after(year, (month - 1) / 3 * 3 + 4),
        Grain::Year => first_day(year + 1, 1),
    }
}

fn year_and_month(day: i64) -> (i64, i64) {
    let z = day + EPOCH;
    let era = z.div_euclid(146_097);
    let of_era = z.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month)
}

/// Clamped to what a date can hold: five million years from here nobody asks.
fn first_day(year: i64, month: i64) -> i32 {
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let from_march = if month > 2 { month - 3 } else { month + 9 };
    let of_year = (153 * from_march + 2) / 5;
    let of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year;
    let day = era * 146_097 + of_era - EPOCH;
    i32::try_from(day).unwrap_or(if day < 0 { i32::MIN } else { i32::MAX })
}

/// The expression for a date column at a grain.
pub(super) fn period_of(column: Expr, grain: Grain) -> Expr {
    match grain {
        Grain::Day => column,
        Grain::Month | Grain::Quarter | Grain::Year => {
            ScalarUDF::new_from_impl(PeriodStart::new(grain)).call(vec![column])
        }
    }
}

/// `DATE -> DATE`, a few nanoseconds a row: the engine's `date_trunc` goes through timestamps.
#[derive(Debug, PartialEq, Eq, Hash)]
struct PeriodStart {
    grain: Grain,
    signature: Signature,
}

impl PeriodStart {
    fn new(grain: Grain) -> Self {
        Self { grain, signature: Signature::exact(vec![DataType::Date32], Volatility::Immutable) }
    }
}

impl ScalarUDFImpl for PeriodStart {
    fn name(&self) -> &'static str {
        match self.grain {
            Grain::Day => "mayag_day",
            Grain::Month => "mayag_month",
            Grain::Quarter => "mayag_quarter",
            Grain::Year => "mayag_year",
        }
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Date32)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match args.args.first() {
            Some(ColumnarValue::Array(array)) => {
                let days: Date32Array =
                    array.as_primitive::<Date32Type>().unary(|day| start(self.grain, day));
                Ok(ColumnarValue::Array(Arc::new(days) as ArrayRef))
            }
            Some(ColumnarValue::Scalar(ScalarValue::Date32(day))) => Ok(ColumnarValue::Scalar(
                ScalarValue::Date32(day.map(|day| start(self.grain, day))),
            )),
            Some(ColumnarValue::Scalar(_)) | None => exec_err!("not a date"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{next, start, year_and_month};
    use mayag_policies::shape::Grain;

    #[test]
    fn periods_start_and_end_where_the_calendar_says() {
        // 2024-02-29 is day 19782; 2024-01-01 19723; 2024-02-01 19754; 2024-03-01 19783; 2024-04-01 19814; 2025-01-01 20089.
        assert_eq!(start(Grain::Month, 19_782), 19_754);
        assert_eq!(next(Grain::Month, 19_782), 19_783);
        assert_eq!(start(Grain::Quarter, 19_782), 19_723);
        assert_eq!(next(Grain::Quarter, 19_782), 19_814);
        assert_eq!(start(Grain::Year, 19_782), 19_723);
        assert_eq!(next(Grain::Year, 19_782), 20_089);
        assert_eq!(year_and_month(-1), (1969, 12));
    }

    #[test]
    fn every_day_lies_between_its_start_and_the_next() {
        for day in (-800_000..800_000).step_by(13) {
            for grain in Grain::ALL {
                assert!(start(grain, day) <= day && day < next(grain, day), "{day} {grain:?}");
                assert_eq!(start(grain, next(grain, day)), next(grain, day));
                assert_eq!(start(grain, start(grain, day)), start(grain, day));
            }
        }
        for day in [i32::MIN, i32::MAX] {
            for grain in Grain::ALL {
                assert!(start(grain, day) <= day.max(i32::MIN + 366) && day <= next(grain, day));
            }
        }
    }
}
