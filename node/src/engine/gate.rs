//! The gate on physical plans: an operator that is not on the list does not run.
//!
//! Left out on purpose: nested-loop and cross joins (they never yield, so no deadline inside the process reaches them),
//! and everything that writes.

use super::failure::WorkFailure;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// Where the one ends and the other begins.
const BARRIER: &str = "BarrierExec";

/// What a release becomes, above the barrier.
const RELEASE: &[&str] = &[
    "AggregateExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    // Where a filter can be seen to let nothing through.
    "EmptyExec",
    "FilterExec",
    // Of a declared join of two datasets: equations only.
    "HashJoinExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "RepartitionExec",
];

/// What the operator's own view may become besides, below the barrier.
const VIEW: &[&str] = &[
    "BoundedWindowAggExec",
    "DataSourceExec",
    "GlobalLimitExec",
    "InterleaveExec",
    "LocalLimitExec",
    "SortExec",
    "SortPreservingMergeExec",
    "UnionExec",
    "WindowAggExec",
];

/// Lets a view's plan pass.
pub(super) fn view(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WorkFailure> {
    if listed(plan, &[RELEASE, VIEW]) { Ok(()) } else { Err(WorkFailure::Broken) }
}

/// Lets the plan of a whole release pass: above the barrier only what a release needs, below it what a view needs.
pub(super) fn release(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WorkFailure> {
    let children = plan.children();
    if plan.name() == BARRIER {
        return children.into_iter().try_for_each(view);
    }
    if !RELEASE.contains(&plan.name()) {
        return Err(WorkFailure::Broken);
    }
    children.into_iter().try_for_each(release)
}

fn listed(plan: &Arc<dyn ExecutionPlan>, lists: &[&[&str]]) -> bool {
    lists.iter().any(|list| list.contains(&plan.name()))
        && plan.children().into_iter().all(|child| listed(child, lists))
}
