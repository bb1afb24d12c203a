//! Two small adapters: a `GroupsAccumulator` for the one group of a release without keys, and the state of single rows.

use datafusion::arrow::array::{Array, ArrayRef, BooleanArray};
use datafusion::arrow::buffer::NullBuffer;
use datafusion::common::{Result, ScalarValue};
use datafusion::logical_expr::{Accumulator, EmitTo, GroupsAccumulator};
use std::fmt::Debug;

/// Which rows count: those that are not null and that the filter lets through. `None` if all do.
pub(super) fn counted(
    nulls: Option<&NullBuffer>,
    filter: Option<&BooleanArray>,
) -> Option<NullBuffer> {
    let passes = filter.map(|filter| match filter.nulls() {
        None => NullBuffer::new(filter.values().clone()),
        Some(known) => NullBuffer::new(filter.values() & known.inner()),
    });
    NullBuffer::union(nulls, passes.as_ref()).filter(|mask| mask.null_count() > 0)
}

fn length(columns: &[ArrayRef]) -> usize {
    columns.first().map(Array::len).unwrap_or_default()
}

/// One group only: a release without keys.
pub(super) struct OneGroup<G> {
    inner: G,
    zeros: Vec<usize>,
}

impl<G> OneGroup<G> {
    pub(super) fn new(inner: G) -> Self {
        Self { inner, zeros: Vec::new() }
    }
}

impl<G> Debug for OneGroup<G> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("OneGroup")
    }
}

impl<G: GroupsAccumulator + Sync> Accumulator for OneGroup<G> {
    fn update_batch(&mut self, values: &[ArrayRef]) -> Result<()> {
        self.zeros.resize(length(values), 0);
        self.inner.update_batch(values, &self.zeros, None, 1)
    }

    fn merge_batch(&mut self, states: &[ArrayRef]) -> Result<()> {
        self.zeros.resize(length(states), 0);
        self.inner.merge_batch(states, &self.zeros, 1)
    }

    fn evaluate(&mut self) -> Result<ScalarValue> {
        // Without any row the inner accumulator has no group yet.
        self.inner.update_batch(&[], &[], None, 1)?;
        ScalarValue::try_from_array(&self.inner.evaluate(EmitTo::All)?, 0)
    }

    fn state(&mut self) -> Result<Vec<ScalarValue>> {
        self.inner.update_batch(&[], &[], None, 1)?;
        self.inner
            .state(EmitTo::All)?
            .iter()
            .map(|array| ScalarValue::try_from_array(array, 0))
            .collect()
    }

    fn size(&self) -> usize {
        self.inner.size() + self.zeros.capacity() * size_of::<usize>()
    }
}

/// The state of every row as a group of its own, for an engine that gives up aggregating before sending on.
pub(super) fn row_states<G: GroupsAccumulator>(
    mut empty: G,
    values: &[ArrayRef],
    filter: Option<&BooleanArray>,
) -> Result<Vec<ArrayRef>> {
    let rows = length(values);
    let groups: Vec<usize> = (0..rows).collect();
    empty.update_batch(values, &groups, filter, rows)?;
    empty.state(EmitTo::All)
}
