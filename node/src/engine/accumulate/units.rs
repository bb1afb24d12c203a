//! `mayag_units(unit)`: the set of the units of a cell, from one row for each unit of it.
//!
//! A unit enters the set by its keyed digest alone ([`mayag_disclosure::UnitSet`]); the key is the node's secret.

use super::grouped::{OneGroup, counted, row_states};
use crate::engine::failure::WorkFailure;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, BinaryArray, BooleanArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, Field, FieldRef};
use datafusion::common::Result;
use datafusion::logical_expr::function::{AccumulatorArgs, StateFieldsArgs};
use datafusion::logical_expr::{
    Accumulator, AggregateUDF, AggregateUDFImpl, EmitTo, GroupsAccumulator, Signature, Volatility,
};
use mayag_audit::keys::Mac;
use mayag_disclosure::{UnitDigest, UnitSet};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

/// How units of one kind of one dataset become digests.
#[derive(Clone)]
pub struct Digests {
    mac: Mac,
    /// Dataset and kind, each with its length before it.
    prefix: Vec<u8>,
}

impl Digests {
    /// The digests of the units in `column` of `dataset` under a secret.
    pub fn new(secret: &[u8; 32], dataset: &str, column: &str) -> Self {
        let mut prefix = Vec::new();
        for part in [dataset, column] {
            prefix.extend((part.len() as u64).to_be_bytes());
            prefix.extend(part.as_bytes());
        }
        Self { mac: Mac::new(secret), prefix }
    }

    /// The digest of a unit. `message` is room to work in.
    fn digest(&self, unit: &str, message: &mut Vec<u8>) -> UnitDigest {
        message.clear();
        message.extend(&self.prefix);
        message.extend((unit.len() as u64).to_be_bytes());
        message.extend(unit.as_bytes());
        let code = self.mac.code(message);
        UnitDigest(code.first_chunk().copied().unwrap_or_default())
    }
}

impl fmt::Debug for Digests {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digests([redacted])")
    }
}

/// The function, to be called with the unit column over rows of which each is another unit of its group.
pub fn units(digests: Digests) -> AggregateUDF {
    AggregateUDF::new_from_impl(Units {
        digests,
        signature: Signature::any(1, Volatility::Immutable),
    })
}

#[derive(Debug)]
struct Units {
    digests: Digests,
    signature: Signature,
}

impl PartialEq for Units {
    fn eq(&self, other: &Self) -> bool {
        self.digests.prefix == other.digests.prefix
    }
}

impl Eq for Units {}

impl Hash for Units {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digests.prefix.hash(state);
    }
}

impl AggregateUDFImpl for Units {
    fn name(&self) -> &'static str {
        "mayag_units"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, _arguments: &[DataType]) -> Result<DataType> {
        Ok(DataType::Binary)
    }

    fn accumulator(&self, _args: AccumulatorArgs<'_>) -> Result<Box<dyn Accumulator>> {
        Ok(Box::new(OneGroup::new(Grouped::new(self.digests.clone()))))
    }

    fn state_fields(&self, args: StateFieldsArgs<'_>) -> Result<Vec<FieldRef>> {
        Ok(vec![Arc::new(Field::new(format!("{}[set]", args.name), DataType::Binary, false))])
    }

    fn groups_accumulator_supported(&self, _args: AccumulatorArgs<'_>) -> bool {
        true
    }

    fn create_groups_accumulator(
        &self,
        _args: AccumulatorArgs<'_>,
    ) -> Result<Box<dyn GroupsAccumulator>> {
        Ok(Box::new(Grouped::new(self.digests.clone())))
    }
}

/// The sets of all groups.
struct Grouped {
    sets: Vec<UnitSet>,
    digests: Digests,
}

impl Grouped {
    fn new(digests: Digests) -> Self {
        Self { sets: Vec::new(), digests }
    }

    fn grow(&mut self, groups: usize) {
        if self.sets.len() < groups {
            self.sets.resize_with(groups, UnitSet::empty);
        }
    }

    fn column(&mut self, emit_to: EmitTo) -> ArrayRef {
        let sets = emit_to.take_needed(&mut self.sets);
        Arc::new(BinaryArray::from_iter_values(sets.iter().map(UnitSet::to_bytes)))
    }
}

impl GroupsAccumulator for Grouped {
    fn update_batch(
        &mut self,
        values: &[ArrayRef],
        group_indices: &[usize],
        filter: Option<&BooleanArray>,
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let Some(units) = values.first() else { return Ok(()) };
        let units = cast(units, &DataType::Utf8View)?;
        let units = units.as_string_view_opt().ok_or_else(|| WorkFailure::Broken.mark())?;
        let passing = counted(units.nulls(), filter);
        let mut message = Vec::new();
        for (row, index) in group_indices.iter().enumerate() {
            if passing.as_ref().is_some_and(|passing| passing.is_null(row)) {
                continue;
            }
            let digest = self.digests.digest(units.value(row), &mut message);
            if let Some(set) = self.sets.get_mut(*index) {
                set.add(&digest);
            }
        }
        Ok(())
    }

    fn evaluate(&mut self, emit_to: EmitTo) -> Result<ArrayRef> {
        Ok(self.column(emit_to))
    }

    fn state(&mut self, emit_to: EmitTo) -> Result<Vec<ArrayRef>> {
        Ok(vec![self.column(emit_to)])
    }

    /// Every unit of a group is one row of one partition, so that sets of partitions have none in common.
    fn merge_batch(
        &mut self,
        states: &[ArrayRef],
        group_indices: &[usize],
        total_groups: usize,
    ) -> Result<()> {
        self.grow(total_groups);
        let broken = || WorkFailure::Broken.mark();
        let states =
            states.first().and_then(|states| states.as_binary_opt::<i32>()).ok_or_else(broken)?;
        for (state, index) in states.iter().zip(group_indices) {
            let other = state.and_then(UnitSet::from_bytes).ok_or_else(broken)?;
            if let Some(set) = self.sets.get_mut(*index) {
                set.merge_disjoint(&other);
            }
        }
        Ok(())
    }

    fn convert_to_state(
        &self,
        values: &[ArrayRef],
        filter: Option<&BooleanArray>,
    ) -> Result<Vec<ArrayRef>> {
        row_states(Self::new(self.digests.clone()), values, filter)
    }

    fn size(&self) -> usize {
        self.sets.capacity() * size_of::<UnitSet>()
    }
}
