//! Covariances and correlations: power sums over the rows in which both measures have a value.

use super::{Cutter, refuse};
use crate::release::{Centred, MeasureOf, Output, PairSums, Power};
use arrow::datatypes::DataType;
use datafusion::logical_expr::expr::AggregateFunction;
use mayag_policies::catalogue::{Column, Kind};
use mayag_policies::shape::Predicate;
use mayag_protocol::refusal::Refusal;

impl Cutter<'_, '_> {
    pub(super) fn pair(
        &mut self,
        function: &AggregateFunction,
        filter: Option<&Predicate>,
        planned: &DataType,
    ) -> Result<Output, Refusal> {
        let name = function.func.name();
        let parameters = &function.params;
        let [one, other] = parameters.args.as_slice() else {
            return Err(refuse::not_supported(name));
        };
        if !parameters.order_by.is_empty() || planned != &DataType::Float64 {
            return Err(refuse::not_supported(name));
        }
        let (x, y) = (self.measure(function, one)?, self.measure(function, other)?);
        // The order of the two says nothing: both spellings are the same wire measures.
        let (x, y) = if y.name < x.name { (y, x) } else { (x, y) };
        let (x, y) = (centred(&x)?, centred(&y)?);
        let mut sum = |power| {
            let of = MeasureOf::Pair { x: x.clone(), y: y.clone(), power };
            self.wire(of, filter)
        };
        let sums = PairSums {
            rows: sum(Power::Rows),
            x: sum(Power::X),
            y: sum(Power::Y),
            xy: sum(Power::Xy),
        };
        Ok(if name == "corr" {
            Output::Correlation { sums, xx: sum(Power::Xx), yy: sum(Power::Yy) }
        } else {
            Output::Covariance { sums, sample: name == "covar_samp" }
        })
    }
}

fn centred(column: &Column) -> Result<Centred, Refusal> {
    match column.kind {
        Kind::Measure { center, .. } => {
            Ok(Centred { column: column.name.clone(), center: center.unwrap_or(0) })
        }
        Kind::Category { .. }
        | Kind::Date {}
        | Kind::Hidden {}
        | Kind::Number {}
        | Kind::Unit {} => Err(refuse::internal()),
    }
}
