//! `mayag_contributions(x)`: sum, sum of absolute values and the two largest absolute values, in one pass.

use super::amount::{Amount, Values};
use super::grouped::{OneGroup, counted, row_states};
use crate::engine::failure::WorkFailure;
use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Int64Array, StructArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::arrow::datatypes::{DataType, Decimal128Type, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::sync::Arc;

/// The fields of the result. `sum` has the type of a sum on the wire and is null where no value was seen; the others are
/// counted in the column's smallest digit (`Decimal128(38, 0)`) or as floats, and zero where no value was seen.
pub const FIELDS: [&str; 4] = ["sum", "total", "largest", "second"];

/// The function, to be called with one column of type `BIGINT`, `DECIMAL` or `DOUBLE`.
pub fn contributions() -> AggregateUDF {
    AggregateUDF::new_from_impl(Contributions {
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Contributions {
    signature: Signature,
}

/// The type of the sum of a column of this type.
fn sum_type(input: &DataType) -> Result<DataType> {
    if let DataType::Decimal128(_, scale) = input {
        Ok(DataType::Decimal128(super::amount::WIDE, *scale))
    } else if [DataType::Float64, DataType::Int64].contains(input) {
        Ok(input.clone())
    } else {
        Err(WorkFailure::Broken.mark())
    }
}

fn state_type(input: &DataType) -> DataType {
    if *input == DataType::Float64 { f64::state_type() } else { i128::state_type() }
}

fn result_fields(input: &DataType) -> Result<Fields> {
    let [sum, total, largest, second] = FIELDS;
    let state = state_type(input);
    Ok(Fields::from(vec![
        Field::new(sum, sum_type(input)?, true),
        Field::new(total, state.clone(), false),
        Field::new(largest, state.clone(), false),
        Field::new(second, state, false),
    ]))
}

impl AggregateUDFImpl for Contributions {
    fn name(&self) -> &'static str {
        "mayag_contributions"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let input = arguments.first().unwrap_or(&DataType::Null);
        Ok(DataType::Struct(result_fields(input)?))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        let fields = fields_of(args.return_field.data_type())?;
        if floats(&fields) {
            Ok(Box::new(OneGroup::new(Grouped::<f64>::new(fields))))
        } else {
            Ok(Box::new(OneGroup::new(Grouped::<i128>::new(fields))))
        }
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        let floats = floats(&fields_of(args.return_field.data_type())?);
        let state = if floats { f64::state_type() } else { i128::state_type() };
        let field = |name: &str| {
            Arc::new(Field::new(format!("{}[{name}]", args.name), state.clone(), false))
        };
        Ok(FIELDS.iter().map(|name| field(name)).collect())
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        let fields = fields_of(args.return_field.data_type())?;
        if floats(&fields) {
            Ok(Box::new(Grouped::<f64>::new(fields)))
        } else {
            Ok(Box::new(Grouped::<i128>::new(fields)))
        }
    }
}

fn fields_of(result: &DataType) -> Result<Fields> {
    if let DataType::Struct(fields) = result {
        Ok(fields.clone())
    } else {
        Err(WorkFailure::Broken.mark())
    }
}

fn floats(fields: &Fields) -> bool {
    fields.first().is_some_and(|sum| *sum.data_type() == DataType::Float64)
}

/// What is known of the values of one group. 64 bytes for 128-bit amounts: a cache line.
#[derive(Debug, Clone, Copy)]
struct Seen<A> {
    sum: A,
    total: A,
    largest: A,
    second: A,
}

impl<A: Amount> Seen<A> {
    fn nothing() -> Self {
        Self { sum: A::default(), total: A::default(), largest: A::NONE, second: A::NONE }
    }

    #[inline]
    fn value(&mut self, value: A) -> bool {
        let absolute = value.absolute();
        self.contribution(absolute);
        let overflow = self.sum.add(value);
        self.total.add(absolute) | overflow
    }

    #[inline]
    fn contribution(&mut self, absolute: A) {
        if absolute > self.second {
            if absolute > self.largest {
                self.second = self.largest;
                self.largest = absolute;
            } else {
                self.second = absolute;
            }
        }
    }
}

/// The state of all groups.
struct Grouped<A> {
    groups: Vec<Seen<A>>,
    fields: Fields,
}

impl<A: Amount> Grouped<A> {
    fn new(fields: Fields) -> Self {
        Self { groups: Vec::new(), fields }
    }

    fn grow(&mut self, groups: usize) {
        if self.groups.len() < groups {
            self.groups.resize(groups, Seen::nothing());
        }
    }

    fn sums(&self, sums: Vec<A>, nulls: Option<NullBuffer>) -> Result<ArrayRef> {
        let sums = A::column(sums, nulls);
        let kind = self.fields.first().map(|sum| sum.data_type().clone());
        let Some(wide) = sums.as_primitive_opt::<Decimal128Type>() else { return Ok(sums) };
        match kind {
            Some(DataType::Int64) => {
                let narrow = wide.iter().map(|sum| sum.map(i64::try_from).transpose());
                let narrow = narrow.collect::<Result<Int64Array, _>>();
                Ok(Arc::new(narrow.map_err(|_| WorkFailure::Overflow.mark())?))
            }
            Some(kind) => Ok(Arc::new(wide.clone().with_data_type(kind))),
            None => Err(WorkFailure::Broken.mark()),
        }
    }
}

impl<A: Amount> GroupsAccumulator for Grouped<A> {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let Some(values) = values.first() else { return Ok(()) };
        let overflow = match A::read(values)? {
            Values::Own(values, nulls) => {
                self.update(values.iter().copied(), nulls, group_indices, filter)
            }
            Values::Narrow(values, nulls) => self.update(
                values.iter().map(|value| A::from_narrow(*value)),
                nulls,
                group_indices,
                filter,
            ),
        };
        if overflow { Err(WorkFailure::Overflow.mark()) } else { Ok(()) }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let groups = emit_to.take_needed(&mut self.groups);
        let seen = groups.iter().map(|group| group.largest >= A::default()).collect::<NullBuffer>();
        let zero = |amount: A| if amount < A::default() { A::default() } else { amount };
        let sums = self.sums(groups.iter().map(|group| group.sum).collect(), Some(seen))?;
        let columns = vec![
            sums,
            A::column(groups.iter().map(|group| group.total).collect(), None),
            A::column(groups.iter().map(|group| zero(group.largest)).collect(), None),
            A::column(groups.iter().map(|group| zero(group.second)).collect(), None),
        ];
        Ok(Arc::new(StructArray::try_new(self.fields.clone(), columns, None)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let groups = emit_to.take_needed(&mut self.groups);
        let column = |of: fn(&Seen<A>) -> A| A::column(groups.iter().map(of).collect(), None);
        Ok(vec![
            column(|group| group.sum),
            column(|group| group.total),
            column(|group| group.largest),
            column(|group| group.second),
        ])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let [sums, totals, largest, second] = states else {
            return Err(WorkFailure::Broken.mark());
        };
        let (sums, totals) = (A::state(sums), A::state(totals));
        let (largest, second) = (A::state(largest), A::state(second));
        let mut overflow = false;
        let rows = sums.iter().zip(totals).zip(largest.iter().zip(second)).zip(group_indices);
        for (((sum, total), (largest, second)), index) in rows {
            let Some(group) = self.groups.get_mut(*index) else { continue };
            overflow |= group.sum.add(*sum) | group.total.add(*total);
            group.contribution(*largest);
            group.contribution(*second);
        }
        if overflow { Err(WorkFailure::Overflow.mark()) } else { Ok(()) }
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        row_states(Self::new(self.fields.clone()), values, filter)
    }

    fn size(&self) -> usize {
        self.groups.capacity() * size_of::<Seen<A>>()
    }
}

impl<A: Amount> Grouped<A> {
    /// Whether a sum did not fit.
    fn update(
        &mut self,
        values: impl Iterator<Item = A>,
        nulls: Option<&NullBuffer>,
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
    ) -> bool {
        let mut overflow = false;
        let rows = values.zip(group_indices);
        match counted(nulls, filter) {
            None => {
                for (value, index) in rows {
                    if let Some(group) = self.groups.get_mut(*index) {
                        overflow |= group.value(value);
                    }
                }
            }
            Some(counted) => {
                for ((value, index), counted) in rows.zip(&counted) {
                    if counted && let Some(group) = self.groups.get_mut(*index) {
                        overflow |= group.value(value);
                    }
                }
            }
        }
        overflow
    }
}

#[cfg(test)]
mod tests;
