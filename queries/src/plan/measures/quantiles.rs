//! Quantiles: the rows of each declared bin of the measure, counted with a `FILTER`.
//!
//! Each count is a measure like any other, with its own threshold, and judged with all that the question shows. The
//! finest bands of the catalogue are the bins: which of them a policy shares is not known here.

use super::{Cutter, refuse};
use crate::plan::predicate::constant;
use crate::release::{MeasureOf, Output, Quantile};
use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::Expr;
use datafusion::logical_expr::expr::AggregateFunction;
use mayag_policies::catalogue::{Column, Kind, Number};
use mayag_policies::shape::{Comparison, Literal, Predicate};
use mayag_protocol::refusal::Refusal;

/// The most measures of a release with quantiles: a few words stand for many counts, each of which has two populations.
const MOST_MEASURES: usize = 256;

/// A part of one, in the unit of [`Quantile::billionths`].
const WHOLE: f64 = 1e9;

impl Cutter<'_, '_> {
    pub(super) fn quantile(
        &mut self,
        function: &AggregateFunction,
        filter: Option<&Predicate>,
        planned: &DataType,
    ) -> Result<(Output, Option<String>), Refusal> {
        let name = function.func.name();
        let parameters = &function.params;
        let (argument, part) = match parameters.args.as_slice() {
            [argument] => (argument, None),
            [argument, part] => (argument, Some(part)),
            _ => return Err(refuse::not_supported(name)),
        };
        let column = self.measure(function, argument)?;
        let ascending = match parameters.order_by.as_slice() {
            [] => true,
            [sort] if *self.measure(function, &sort.expr)? == *column => sort.asc,
            _ => return Err(refuse::not_supported(format!("{name} with another order"))),
        };
        let part = match (part, name) {
            (None, "approx_median" | "median") => 0.5,
            (Some(part), "approx_percentile_cont" | "percentile_cont") => {
                number(part).ok_or_else(|| refuse::not_supported(format!("{name} of this part")))?
            }
            _ => return Err(refuse::not_supported(name)),
        };
        let billionths = billionths(if ascending { part } else { 1.0 - part });
        let billionths = billionths.ok_or_else(|| refuse::not_supported(name))?;
        if !fits(planned) {
            return Err(refuse::not_supported(name));
        }
        let no_bins = || refuse::no_bins(&format!("{name}({})", column.name));
        let bins = column.bins().ok_or_else(no_bins)?;
        let in_bin = |bin: &String| {
            let bin = Predicate::Compare {
                level: bins.level.clone(),
                comparison: Comparison::Equal,
                value: Literal::Text(bin.clone()),
            };
            match filter {
                None => bin,
                Some(filter) => Predicate::All(vec![filter.clone(), bin]),
            }
        };
        let counts: Vec<usize> =
            bins.names.iter().map(|bin| self.wire(MeasureOf::Rows, Some(&in_bin(bin)))).collect();
        let quantile = Quantile {
            column: column.name.clone(),
            bins: counts,
            ends: bins.ends,
            rows: self.wire(MeasureOf::Rows, filter),
            // A float may be no number, which is in no bin.
            complete: column.required && !is_float(&column),
            billionths,
        };
        if MOST_MEASURES < self.wire.len() {
            return Err(refuse::too_many_measures(MOST_MEASURES));
        }
        Ok((Output::Quantile(quantile), column.unit.clone()))
    }
}

fn is_float(column: &Column) -> bool {
    matches!(column.kind, Kind::Measure { number: Number::Float, .. })
}

/// The types of measures, which quantiles keep.
fn fits(planned: &DataType) -> bool {
    matches!(planned, DataType::Decimal128(..) | DataType::Float64 | DataType::Int64)
}

/// A constant number.
#[expect(clippy::wildcard_enum_match_arm, reason = "of all constants two are numbers here")]
fn number(expr: &Expr) -> Option<f64> {
    match constant(expr)? {
        ScalarValue::Float64(value) => value,
        ScalarValue::Int64(value) => match value? {
            0 => Some(0.0),
            1 => Some(1.0),
            _ => None,
        },
        _ => None,
    }
}

/// `None` for what is no part of one.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and a billion"
)]
fn billionths(part: f64) -> Option<u32> {
    (0.0..=1.0).contains(&part).then(|| (part * WHOLE).round() as u32)
}
