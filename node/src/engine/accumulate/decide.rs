//! What the protections are told of a cell's contributions, from the columns of the accumulators.

use super::amount::Amount;
use super::contributions::FIELDS;
use super::sketch::{BOUNDS, bound_field};
use crate::engine::failure::WorkFailure;
use arrow::array::{Array, ArrayRef, AsArray, StructArray};
use arrow::datatypes::DataType;
use mayag_disclosure::Contributions;

/// How far two sums of the same numbers in another order can be apart, relatively.
const ROUNDING: f64 = 1e-9;

/// The contributions of every cell, from a column of `mayag_contributions` over one row per unit.
pub(in crate::engine) fn known(summed: &ArrayRef) -> Result<Vec<Contributions>, WorkFailure> {
    let fields = summed.as_struct_opt().ok_or(WorkFailure::Broken)?;
    let [_, total, largest, second] = FIELDS;
    let [total, largest, second] =
        [field(fields, total)?, field(fields, largest)?, field(fields, second)?];
    if *total.data_type() == DataType::Float64 {
        Ok(contributions::<f64>([total, largest, second]))
    } else {
        Ok(contributions::<i128>([total, largest, second]))
    }
}

fn contributions<A: Amount>([total, largest, second]: [&ArrayRef; 3]) -> Vec<Contributions> {
    let rows = A::state(total).iter().zip(A::state(largest)).zip(A::state(second));
    rows.map(|((total, largest), second)| told(*total, *largest, *second)).collect()
}

/// The contributions of every cell that the bounds of a sketch's `i`-th column decide: numbers that lead to the same
/// verdict as the truth, which is between the bounds. `None` for a cell that they do not decide.
pub(in crate::engine) fn between_bounds(
    summed: &ArrayRef,
    sketch: &ArrayRef,
    i: usize,
    rules: Rules,
) -> Result<Vec<Option<Contributions>>, WorkFailure> {
    let summed = summed.as_struct_opt().ok_or(WorkFailure::Broken)?;
    let sketch = sketch.as_struct_opt().ok_or(WorkFailure::Broken)?;
    let [_, total, ..] = FIELDS;
    let total = field(summed, total)?;
    let [upper1, upper2, lower1, lower2] = BOUNDS;
    let bound = |bound: &str| field(sketch, &bound_field(i, bound));
    let bounds = [bound(upper1)?, bound(upper2)?, bound(lower1)?, bound(lower2)?];
    if *total.data_type() == DataType::Float64 {
        Ok(decided::<f64>(total, bounds, rules))
    } else {
        Ok(decided::<i128>(total, bounds, rules))
    }
}

fn decided<A: Amount>(
    total: &ArrayRef,
    bounds: [&ArrayRef; 4],
    rules: Rules,
) -> Vec<Option<Contributions>> {
    let [upper1, upper2, lower1, lower2] = bounds.map(A::state);
    let upper = upper1.iter().zip(upper2);
    let lower = lower1.iter().zip(lower2);
    let cells = A::state(total).iter().zip(upper.zip(lower));
    cells
        .map(|(total, ((upper1, upper2), (lower1, lower2)))| {
            let exact = upper1 == lower1 && upper2 == lower2;
            let p_percent = rules.p_percent;
            let apart = rules.says_the_same(total.float(), [*upper1, *upper2], [*lower1, *lower2]);
            if exact || (apart && A::safe(*total, *upper1, *upper2, p_percent)) {
                Some(told(*total, *upper1, *upper2))
            } else if apart && A::dominated(*total, *lower1, *lower2, p_percent) {
                Some(told(*total, *lower1, *lower2))
            } else {
                None
            }
        })
        .collect()
}

/// The rules that bounds have to decide.
#[derive(Debug, Clone, Copy)]
pub(in crate::engine) struct Rules {
    /// Of the p%-rule.
    pub(in crate::engine) p_percent: u32,
    /// Of the (n,k)-rule: two contributions, or the largest alone, must not be more than this percentage.
    pub(in crate::engine) most_percent: u32,
}

impl Rules {
    /// Whether the (n,k)-rule says the same for every truth between the bounds, by one contribution and by two.
    fn says_the_same<A: Amount>(self, total: f64, upper: [A; 2], lower: [A; 2]) -> bool {
        let most = total * f64::from(self.most_percent) / 100.0;
        let of = |[first, second]: [A; 2]| [first.float(), first.float() + second.float()];
        of(upper).into_iter().zip(of(lower)).all(|(upper, lower)| {
            upper * (1.0 + ROUNDING) < most || lower > most * (1.0 + ROUNDING)
        })
    }
}

fn told<A: Amount>(total: A, largest: A, second: A) -> Contributions {
    let (total, largest, second) = (total.float(), largest.float(), second.float());
    // Sums of the same numbers in another order: rounding must not leave a total below its two largest parts.
    let mut total = if total < largest + second && largest + second <= total * (1.0 + ROUNDING) {
        largest + second
    } else {
        total
    };
    while -total * ROUNDING < total - largest - second && total - largest - second < 0.0 {
        total = total.next_up();
    }
    Contributions { total, largest, second }
}

fn field<'a>(fields: &'a StructArray, name: &str) -> Result<&'a ArrayRef, WorkFailure> {
    fields.column_by_name(name).ok_or(WorkFailure::Broken)
}
