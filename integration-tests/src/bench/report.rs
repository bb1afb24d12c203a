//! Figures: medians of pairs, in the form that every benchmark of the project prints.

use std::io::Write;
use std::time::Duration;

/// Prints a line. A reader that has gone away does not matter.
pub(crate) fn line(text: &str) {
    let mut out = std::io::stdout().lock();
    let _gone = writeln!(out, "{text}").and_then(|()| out.flush());
}

/// The times of two sides in alternating runs.
#[derive(Debug, Default)]
pub(crate) struct Pairs {
    pub(crate) ours: Vec<Duration>,
    pub(crate) peers: Vec<Duration>,
}

impl Pairs {
    /// `name: ratio 1.07 (goal <= 1.10; 9 pairs, 1.05..1.09)`: the median of the pairs' ratios, the smallest and the
    /// largest.
    pub(crate) fn comparison(&self, name: &str, goal: &str) -> String {
        let pairs = self.ours.iter().zip(&self.peers);
        let mut ratios: Vec<f64> =
            pairs.map(|(ours, peer)| ours.as_secs_f64() / peer.as_secs_f64()).collect();
        ratios.sort_by(f64::total_cmp);
        let at = |i: usize| ratios.get(i).copied().unwrap_or(f64::NAN);
        format!(
            "{name}: ratio {:.2} (goal <= {goal}; {} pairs, {:.2}..{:.2})",
            at(ratios.len() / 2),
            ratios.len(),
            at(0),
            at(ratios.len().saturating_sub(1)),
        )
    }
}

/// The median of times, in milliseconds.
pub(crate) fn median(times: &[Duration]) -> f64 {
    let mut times = times.to_vec();
    times.sort();
    times.get(times.len() / 2).map_or(f64::NAN, |time| time.as_secs_f64() * 1e3)
}

/// The most memory that a process has had, in MiB; nothing where the system does not say.
pub(crate) fn peak_memory(process: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kib| kib / 1024)
}
