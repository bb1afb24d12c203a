//! Alternating runs of two ways of doing the same, and the line that says how they compare.

use std::time::Duration;
use tokio::time::Instant;

/// Pairs of a comparison, after one pair that warms files and memory up.
pub(crate) const PAIRS: usize = 9;

/// The time one run took.
pub(crate) async fn timed<F: Future>(run: F) -> (F::Output, Duration) {
    let before = Instant::now();
    let output = run.await;
    (output, before.elapsed())
}

/// The median of some times.
pub(crate) fn median(times: &[Duration]) -> Duration {
    let mut sorted = times.to_vec();
    sorted.sort();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// One line: the median of the ratios of the pairs, with their middle half.
pub(crate) fn line(name: &str, goal: &str, ours: &[Duration], peers: &[Duration]) -> String {
    let mut ratios: Vec<f64> = ours
        .iter()
        .zip(peers)
        .map(|(ours, peer)| ours.as_secs_f64() / peer.as_secs_f64())
        .collect();
    ratios.sort_by(f64::total_cmp);
    let at = |part: usize| ratios.get(ratios.len() * part / 4).copied().unwrap_or(f64::NAN);
    format!(
        "{name}: ratio {:.2} (goal <= {goal}; {} pairs, {:.2}..{:.2})",
        at(2),
        ratios.len(),
        ratios.first().copied().unwrap_or(f64::NAN),
        ratios.last().copied().unwrap_or(f64::NAN)
    )
}
