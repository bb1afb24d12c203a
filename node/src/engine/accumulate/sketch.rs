//! `mayag_units(unit, x1, .., xn)`: whether a cell has enough units and whether one of them dominates its sums, in a
//! bounded state per cell, where units repeat over rows.
//!
//! A cell with few units is kept exactly: every unit (as a 64-bit hash) with its contributions. Once it has more units
//! than any threshold asks for, that list is given up for [`BUCKETS`] buckets of units by hash, each with a sum and a
//! weighted majority vote, and for a bitmap of hashes whose number of bits is a lower bound of the number of units (good
//! enough to tell which of two cells is the smaller one). Two units of the same hash count as one: the cell then looks smaller and more dominated than
//! it is, never the other way.
//!
//! # Why the bounds hold
//!
//! Let `x1 >= x2` be the two largest contributions of units in the cell and `T` the sum of all. A bucket has the sum `S` of
//! its contributions, a candidate unit `c` and a weight `w`. A row of another unit takes its amount off `w`, and becomes the
//! candidate with what is left when `w` runs out. So amounts are set against equal amounts of *different* units, and
//! `S = w + 2d` where `d` is what was set against each other. Therefore
//!
//! 1. the candidate contributes at least `w` and at most `w + d = (S + w) / 2`;
//! 2. every other unit of the bucket contributes at most `d = (S - w) / 2`;
//! 3. two units of one bucket contribute at most `S = (S + w) / 2 + (S - w) / 2` together.
//!
//! *Upper bounds.* Of the numbers `(S + w) / 2` and `(S - w) / 2` over all buckets let `u1 >= u2` be the two largest. Then
//! `x1 <= u1`, and `x1 + x2 <= u1 + u2`: by 1 and 2 if the two units are in different buckets, by 3 if they share one.
//! *Lower bounds.* Of the `w` of all buckets let `l1 >= l2` be the two largest. They belong to different units, because a
//! unit is in one bucket, so `x1 >= l1` and `x1 + x2 >= l1 + l2`.
//!
//! The p%-rule calls a cell dominated if `T - x1 - x2 < p/100 * x1`, that is `T < (x1 + x2) + p/100 * x1`. The right side
//! grows with `x1` and with `x1 + x2`. So if `T >= (u1 + u2) + p/100 * u1` the cell is not dominated, and if
//! `T < (l1 + l2) + p/100 * l1` it is. Only cells between the two are left for an exact second pass.

use super::amount::{Amount, Values};
use super::grouped::{OneGroup, counted, row_states};
use crate::engine::failure::WorkFailure;
use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, BooleanArray, Int64Array, LargeBinaryBuilder, StructArray,
};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields};
use datafusion::common::Result;
use datafusion::common::hash_utils::{QualityRandomState, create_hashes};
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use std::sync::Arc;

/// Buckets of a cell with many units. More buckets narrow the bounds; eight leave undecided only cells that are close to
/// dominated, because the majority vote finds the large contributors.
pub const BUCKETS: usize = 8;

/// Words of the bitmap: 1024 bits tell cells of up to some thousand units apart.
const SEEN_WORDS: usize = 16;

/// The hash under which rows without a unit are kept.
const NO_UNIT: u64 = 0;

/// Units have the same hash in every run: an answer does not depend on chance.
const HASH: QualityRandomState = QualityRandomState::with_seed(0x6d61_7961_6775_6e69);

/// The name of the result's field for a bound of the `i`-th column: `upper1`, `upper2`, `lower1` or `lower2`.
pub fn bound_field(i: usize, bound: &str) -> String {
    format!("{bound}_{i}")
}

/// The bounds in the order of the result's fields. The first field of the result is `units`.
pub const BOUNDS: [&str; 4] = ["upper1", "upper2", "lower1", "lower2"];

/// Which numbers the columns of a sketch are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Integers and decimals.
    Exactly,
    /// Floats.
    InFloats,
}

/// The function. Its first argument is the unit, the others are columns of one kind. The result counts up to
/// `enough` units exactly; for any more it says a number between `enough + 1` and the truth.
pub fn sketch(enough: u32, counted: Counted) -> AggregateUDF {
    let signature = Signature::variadic_any(Volatility::Immutable);
    AggregateUDF::new_from_impl(Sketch { enough, counted, signature })
}

#[derive(Debug, PartialEq, Eq, Hash)]
struct Sketch {
    enough: u32,
    counted: Counted,
    signature: Signature,
}

impl Sketch {
    fn grouped<A: Amount>(&self, args: &AccumulatorArgs<'_>) -> Result<Grouped<A>> {
        let columns = args.exprs.len().saturating_sub(1);
        let DataType::Struct(fields) = args.return_field.data_type() else {
            return Err(WorkFailure::Broken.mark());
        };
        Ok(Grouped::new(self.enough as usize, columns, fields.clone()))
    }
}

impl AggregateUDFImpl for Sketch {
    fn name(&self) -> &'static str {
        "mayag_units"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, arguments: &[DataType]) -> Result<DataType> {
        let state = match self.counted {
            Counted::Exactly => i128::state_type(),
            Counted::InFloats => f64::state_type(),
        };
        let mut fields = vec![Field::new("units", DataType::Int64, false)];
        for i in 0..arguments.len().saturating_sub(1) {
            fields.extend(
                BOUNDS.iter().map(|bound| Field::new(bound_field(i, bound), state.clone(), false)),
            );
        }
        Ok(DataType::Struct(Fields::from(fields)))
    }

    fn accumulator(&self, args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(match self.counted {
            Counted::Exactly => Box::new(OneGroup::new(self.grouped::<i128>(&args)?)),
            Counted::InFloats => Box::new(OneGroup::new(self.grouped::<f64>(&args)?)),
        })
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(
            format!("{}[state]", args.name),
            DataType::LargeBinary,
            false,
        ))])
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(match self.counted {
            Counted::Exactly => Box::new(self.grouped::<i128>(&args)?),
            Counted::InFloats => Box::new(self.grouped::<f64>(&args)?),
        })
    }
}

/// One bucket of units, for one column.
#[derive(Debug, Clone, Copy)]
struct Bucket<A> {
    sum: A,
    weight: A,
    candidate: u64,
}

impl<A: Amount> Bucket<A> {
    fn empty() -> Self {
        Self { sum: A::default(), weight: A::default(), candidate: NO_UNIT }
    }

    /// Adds an amount of a unit; `true` if the sum does not fit.
    #[inline]
    fn vote(&mut self, unit: u64, amount: A) -> bool {
        let overflow = self.sum.add(amount);
        if self.candidate == unit {
            self.weight.add(amount) | overflow
        } else {
            if self.weight >= amount {
                self.weight = self.weight.less(amount);
            } else {
                self.weight = amount.less(self.weight);
                self.candidate = unit;
            }
            overflow
        }
    }

    /// Adds another part of the same bucket. What was set against each other in either part stays so.
    fn merge(&mut self, other: &Self) -> bool {
        let sum = self.sum;
        let overflow = self.vote(other.candidate, other.weight);
        self.sum = sum;
        self.sum.add(other.sum) | overflow
    }

    fn bytes(&self, to: &mut Vec<u8>) {
        to.extend(self.sum.bytes());
        to.extend(self.weight.bytes());
        to.extend(self.candidate.to_le_bytes());
    }

    fn read(from: &mut &[u8]) -> Option<Self> {
        Some(Self {
            sum: read_amount(from)?,
            weight: read_amount(from)?,
            candidate: read_unit(from)?,
        })
    }
}

/// What is known of one cell.
#[derive(Debug)]
enum Cell<A> {
    /// Every unit with its contributions to every column, in the order of `units`.
    Few { units: Vec<u64>, amounts: Vec<A> },
    /// More than enough units; the bits of those seen, and the buckets of the columns, bucket by bucket.
    Many { seen: Box<[u64; SEEN_WORDS]>, buckets: Vec<Bucket<A>> },
}

impl<A: Amount> Cell<A> {
    fn empty() -> Self {
        Self::Few { units: Vec::new(), amounts: Vec::new() }
    }

    /// Adds amounts of a unit. `true` if a sum does not fit.
    fn add(
        &mut self,
        unit: u64,
        columns: usize,
        enough: usize,
        mut amount: impl FnMut(usize) -> A,
    ) -> bool {
        match self {
            Self::Many { seen, buckets } => {
                mark(seen, unit);
                // The top bits choose the bucket, the lowest a bit of the bitmap.
                let chosen = usize::try_from(unit >> (u64::BITS - BUCKETS.trailing_zeros()));
                let buckets =
                    buckets.iter_mut().skip(chosen.unwrap_or_default() * columns).take(columns);
                buckets
                    .enumerate()
                    .fold(false, |overflow, (i, bucket)| bucket.vote(unit, amount(i)) | overflow)
            }
            Self::Few { units, amounts } => {
                if let Some(at) = units.iter().position(|known| *known == unit) {
                    let known = amounts.iter_mut().skip(at * columns).take(columns);
                    return known
                        .enumerate()
                        .fold(false, |overflow, (i, known)| known.add(amount(i)) | overflow);
                }
                units.push(unit);
                amounts.extend((0..columns).map(amount));
                if units.len() - usize::from(units.contains(&NO_UNIT)) <= enough {
                    return false;
                }
                self.give_up_the_list(columns, enough)
            }
        }
    }

    fn give_up_the_list(&mut self, columns: usize, enough: usize) -> bool {
        let many =
            Self::Many { seen: Box::default(), buckets: vec![Bucket::empty(); BUCKETS * columns] };
        let Self::Few { units, amounts } = std::mem::replace(self, many) else { return false };
        units.iter().enumerate().fold(false, |overflow, (at, unit)| {
            let of_unit = |i: usize| amounts.get(at * columns + i).copied().unwrap_or_default();
            self.add(*unit, columns, enough, of_unit) | overflow
        })
    }

    fn merge(&mut self, other: Self, columns: usize, enough: usize) -> bool {
        match other {
            Self::Few { units, amounts } => {
                units.iter().enumerate().fold(false, |overflow, (at, unit)| {
                    let of_unit =
                        |i: usize| amounts.get(at * columns + i).copied().unwrap_or_default();
                    self.add(*unit, columns, enough, of_unit) | overflow
                })
            }
            Self::Many { seen: others_seen, buckets: others } => match self {
                Self::Many { seen, buckets } => {
                    seen.iter_mut()
                        .zip(others_seen.iter())
                        .for_each(|(word, other)| *word |= other);
                    let pairs = buckets.iter_mut().zip(&others);
                    pairs.fold(false, |overflow, (bucket, other)| bucket.merge(other) | overflow)
                }
                Self::Few { .. } => {
                    let few =
                        std::mem::replace(self, Self::Many { seen: others_seen, buckets: others });
                    self.merge(few, columns, enough)
                }
            },
        }
    }

    /// Up to `enough` exactly, at least `enough + 1` for any more.
    fn units(&self, enough: usize) -> usize {
        match self {
            Self::Few { units, .. } => units.len() - usize::from(units.contains(&NO_UNIT)),
            Self::Many { seen, .. } => {
                let bits: u32 = seen.iter().map(|word| word.count_ones()).sum();
                (enough + 1).max(bits as usize)
            }
        }
    }

    /// `[u1, u2, l1, l2]` of a column.
    fn bounds(&self, column: usize, columns: usize) -> [A; 4] {
        let (mut upper, mut lower) = (Largest::none(), Largest::none());
        match self {
            Self::Few { amounts, .. } => {
                for amount in amounts.iter().skip(column).step_by(columns.max(1)) {
                    upper.push(*amount);
                    lower.push(*amount);
                }
            }
            Self::Many { buckets, .. } => {
                for bucket in buckets.iter().skip(column).step_by(columns.max(1)) {
                    upper.push(bucket.sum.mean(bucket.weight));
                    upper.push(bucket.sum.less(bucket.weight).mean(A::default()));
                    lower.push(bucket.weight);
                }
            }
        }
        [upper.first, upper.second, lower.first, lower.second]
    }

    fn size(&self) -> usize {
        match self {
            Self::Few { units, amounts } => {
                units.capacity() * size_of::<u64>() + amounts.capacity() * size_of::<A>()
            }
            Self::Many { buckets, .. } => {
                buckets.capacity() * size_of::<Bucket<A>>() + size_of::<[u64; SEEN_WORDS]>()
            }
        }
    }

    fn bytes(&self, columns: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self {
            Self::Few { units, amounts } => {
                bytes.push(0);
                for (at, unit) in units.iter().enumerate() {
                    bytes.extend(unit.to_le_bytes());
                    amounts
                        .iter()
                        .skip(at * columns)
                        .take(columns)
                        .for_each(|amount| bytes.extend(amount.bytes()));
                }
            }
            Self::Many { seen, buckets } => {
                bytes.push(1);
                for word in seen.iter() {
                    bytes.extend(word.to_le_bytes());
                }
                for bucket in buckets {
                    bucket.bytes(&mut bytes);
                }
            }
        }
        bytes
    }

    fn read(bytes: &[u8], columns: usize) -> Option<Self> {
        let (tag, mut rest) = bytes.split_first()?;
        if *tag == 1 {
            let mut seen = Box::new([0; SEEN_WORDS]);
            for word in seen.iter_mut() {
                *word = read_unit(&mut rest)?;
            }
            let buckets = (0..BUCKETS * columns)
                .map(|_| Bucket::read(&mut rest))
                .collect::<Option<Vec<_>>>()?;
            return Some(Self::Many { seen, buckets });
        }
        let (mut units, mut amounts) = (Vec::new(), Vec::new());
        while !rest.is_empty() {
            units.push(read_unit(&mut rest)?);
            for _ in 0..columns {
                amounts.push(read_amount(&mut rest)?);
            }
        }
        Some(Self::Few { units, amounts })
    }
}

/// Notes that a unit was seen. Rows without a unit are none.
#[inline]
fn mark(seen: &mut [u64; SEEN_WORDS], unit: u64) {
    let word = (unit >> 6) as usize % SEEN_WORDS;
    if unit != NO_UNIT
        && let Some(word) = seen.get_mut(word)
    {
        *word |= 1 << (unit & 63);
    }
}

fn read_amount<A: Amount>(from: &mut &[u8]) -> Option<A> {
    let (bytes, rest) = from.split_first_chunk::<16>()?;
    *from = rest;
    Some(A::from_bytes(*bytes))
}

fn read_unit(from: &mut &[u8]) -> Option<u64> {
    let (bytes, rest) = from.split_first_chunk::<8>()?;
    *from = rest;
    Some(u64::from_le_bytes(*bytes))
}

/// The two largest of the numbers pushed.
struct Largest<A> {
    first: A,
    second: A,
}

impl<A: Amount> Largest<A> {
    fn none() -> Self {
        Self { first: A::default(), second: A::default() }
    }

    fn push(&mut self, amount: A) {
        if amount > self.first {
            self.second = self.first;
            self.first = amount;
        } else if amount > self.second {
            self.second = amount;
        }
    }
}

/// The state of all groups.
struct Grouped<A> {
    cells: Vec<Cell<A>>,
    columns: usize,
    enough: usize,
    fields: Fields,
    hashes: Vec<u64>,
    /// Bytes behind the cells, kept up to date as cells grow.
    behind: usize,
}

impl<A: Amount> Grouped<A> {
    fn new(enough: usize, columns: usize, fields: Fields) -> Self {
        Self { cells: Vec::new(), columns, enough, fields, hashes: Vec::new(), behind: 0 }
    }

    fn grow(&mut self, groups: usize) {
        if self.cells.len() < groups {
            self.cells.resize_with(groups, Cell::empty);
        }
    }

    fn take(&mut self, emit_to: EmitTo) -> Vec<Cell<A>> {
        let cells = emit_to.take_needed(&mut self.cells);
        self.behind = self.behind.saturating_sub(cells.iter().map(Cell::size).sum());
        cells
    }

    /// Applies `change` to a cell and keeps the account of memory.
    #[inline]
    fn on(&mut self, index: usize, change: impl FnOnce(&mut Cell<A>) -> bool) -> bool {
        let Some(cell) = self.cells.get_mut(index) else { return false };
        if matches!(cell, Cell::Many { .. }) {
            return change(cell);
        }
        let before = cell.size();
        let overflow = change(cell);
        self.behind = (self.behind + cell.size()).saturating_sub(before);
        overflow
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
        let Some((units, columns)) = values.split_first() else { return Ok(()) };
        let mut hashes = std::mem::take(&mut self.hashes);
        hashes.clear();
        hashes.resize(units.len(), NO_UNIT);
        create_hashes([units], &HASH, &mut hashes)?;
        let amounts = columns.iter().map(A::read).collect::<Result<Vec<_>>>()?;
        let nulls = units.nulls();
        let passing = counted(None, filter);
        let (columns, enough) = (self.columns, self.enough);
        let mut overflow = false;
        for (row, (hash, index)) in hashes.iter().zip(group_indices).enumerate() {
            if passing.as_ref().is_some_and(|passing| passing.is_null(row)) {
                continue;
            }
            let unit = if nulls.is_none_or(|nulls| nulls.is_valid(row)) {
                (*hash).max(1)
            } else {
                NO_UNIT
            };
            let amount =
                |i: usize| amounts.get(i).map(|values| values.absolute(row)).unwrap_or_default();
            overflow |= self.on(*index, |cell| cell.add(unit, columns, enough, amount));
        }
        self.hashes = hashes;
        if overflow { Err(WorkFailure::Overflow.mark()) } else { Ok(()) }
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        let cells = self.take(emit_to);
        let units =
            cells.iter().map(|cell| i64::try_from(cell.units(self.enough)).unwrap_or(i64::MAX));
        let mut columns: Vec<ArrayRef> = vec![Arc::new(units.collect::<Int64Array>())];
        for column in 0..self.columns {
            let bounds: Vec<[A; 4]> =
                cells.iter().map(|cell| cell.bounds(column, self.columns)).collect();
            columns.push(A::column(bounds.iter().map(|[bound, ..]| *bound).collect(), None));
            columns.push(A::column(bounds.iter().map(|[_, bound, ..]| *bound).collect(), None));
            columns.push(A::column(bounds.iter().map(|[_, _, bound, _]| *bound).collect(), None));
            columns.push(A::column(bounds.iter().map(|[.., bound]| *bound).collect(), None));
        }
        Ok(Arc::new(StructArray::try_new(self.fields.clone(), columns, None)?))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        let cells = self.take(emit_to);
        let mut states = LargeBinaryBuilder::new();
        for cell in &cells {
            states.append_value(cell.bytes(self.columns));
        }
        Ok(vec![Arc::new(states.finish())])
    }

    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let broken = || WorkFailure::Broken.mark();
        let states =
            states.first().and_then(|states| states.as_binary_opt::<i64>()).ok_or_else(broken)?;
        let (columns, enough) = (self.columns, self.enough);
        let mut overflow = false;
        for (state, index) in states.iter().zip(group_indices) {
            let other = state.and_then(|state| Cell::read(state, columns)).ok_or_else(broken)?;
            overflow |= self.on(*index, |cell| cell.merge(other, columns, enough));
        }
        if overflow { Err(WorkFailure::Overflow.mark()) } else { Ok(()) }
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        row_states(Self::new(self.enough, self.columns, self.fields.clone()), values, filter)
    }

    fn size(&self) -> usize {
        self.cells.capacity() * size_of::<Cell<A>>()
            + self.hashes.capacity() * size_of::<u64>()
            + self.behind
    }
}

impl<A: Amount> Values<'_, A> {
    /// The absolute value of a row; nothing for null.
    #[inline]
    fn absolute(&self, row: usize) -> A {
        let (value, nulls) = match self {
            Self::Own(values, nulls) => (values.get(row).copied(), nulls),
            Self::Narrow(values, nulls) => (values.get(row).copied().map(A::from_narrow), nulls),
        };
        let valid = nulls.is_none_or(|nulls| nulls.is_valid(row));
        value.filter(|_| valid).map(A::absolute).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests;
