//! The gate on physical plans: an operator that is not on the list does not run.
//!
//! Left out on purpose: nested-loop and cross joins (they never yield, so no deadline inside the process reaches them),
//! and everything that writes.

use super::failure::WorkFailure;
use datafusion::physical_plan::ExecutionPlan;
use std::sync::Arc;

/// What a release becomes, above the barrier.
const RELEASE: &[&str] = &[
    "AggregateExec",
    "BarrierExec",
    "CoalesceBatchesExec",
    "CoalescePartitionsExec",
    "CooperativeExec",
    // Where a filter can be seen to let nothing through.
    "EmptyExec",
    "FilterExec",
    "PlaceholderRowExec",
    "ProjectionExec",
    "RepartitionExec",
];

/// What the operator's own view may become besides, below the barrier.
const VIEW: &[&str] = &[
    "BoundedWindowAggExec",
    "DataSourceExec",
    "GlobalLimitExec",
    "HashJoinExec",
    "InterleaveExec",
    "LocalLimitExec",
    "SortExec",
    "SortPreservingMergeExec",
    "UnionExec",
    "WindowAggExec",
];

/// Lets a view's plan pass.
pub(super) fn view(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WorkFailure> {
    walk(plan, |name, _| name != "BarrierExec" && (RELEASE.contains(&name) || VIEW.contains(&name)))
}

/// Lets the plan of a whole release pass: above the barrier only what a release needs.
pub(super) fn release(plan: &Arc<dyn ExecutionPlan>) -> Result<(), WorkFailure> {
    walk(plan, |name, below| RELEASE.contains(&name) || (below && VIEW.contains(&name)))
}

fn walk(plan: &Arc<dyn ExecutionPlan>, allowed: fn(&str, bool) -> bool) -> Result<(), WorkFailure> {
    fn step(plan: &Arc<dyn ExecutionPlan>, below: bool, allowed: fn(&str, bool) -> bool) -> bool {
        let below_next = below || plan.name() == "BarrierExec";
        allowed(plan.name(), below)
            && plan.children().into_iter().all(|child| step(child, below_next, allowed))
    }
    if step(plan, false, allowed) { Ok(()) } else { Err(WorkFailure::Broken) }
}
