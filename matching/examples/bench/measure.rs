//! CPU time, peak memory, and pairs of measurements.

use std::error::Error;
use std::fs::read_to_string;

/// Seconds of CPU time that this thread has had.
pub(crate) fn cpu() -> Result<f64, Box<dyn Error>> {
    let text = read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split(' ').next().ok_or("no schedstat")?.parse()?;
    #[expect(clippy::cast_precision_loss, reason = "53 bits of nanoseconds are a hundred days")]
    Ok(nanoseconds as f64 / 1e9)
}

/// The CPU seconds that `work` takes, and what it gives.
pub(crate) fn timed<T, E: Into<Box<dyn Error>>>(
    work: impl FnOnce() -> Result<T, E>,
) -> Result<(T, f64), Box<dyn Error>> {
    let before = cpu()?;
    let result = work().map_err(Into::into)?;
    Ok((result, cpu()? - before))
}

/// The most memory that this process has had, in MiB.
pub(crate) fn peak_memory() -> Result<u64, Box<dyn Error>> {
    let status = read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? / 1024)
}

/// `name: ratio 2.07 (goal >= 2; 5 pairs, 2.05..2.09); detail`: the median of the pairs' ratios, the smallest and largest.
pub(crate) fn comparison(name: &str, goal: &str, pairs: &[(f64, f64)], detail: &str) -> String {
    let mut ratios: Vec<f64> = pairs.iter().map(|(ours, theirs)| theirs / ours).collect();
    ratios.sort_by(f64::total_cmp);
    let at = |n: usize| ratios.get(n).copied().unwrap_or(f64::NAN);
    format!(
        "{name}: ratio {:.2} (goal >= {goal}; {} pairs, {:.2}..{:.2}); {detail}",
        at(ratios.len() / 2),
        ratios.len(),
        at(0),
        at(ratios.len().saturating_sub(1)),
    )
}

/// The median.
pub(crate) fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
