//! Benchmarks against named peers and limits. Each prints one line per comparison as its last lines, and exits 0 whatever
//! the figures are.

#[path = "../bench/data.rs"]
mod data;
#[path = "../bench/decision.rs"]
mod decision;
#[path = "../bench/peer.rs"]
mod peer;
#[path = "../bench/report.rs"]
mod report;
#[path = "../bench/spine.rs"]
mod spine;
#[path = "../bench/timing.rs"]
mod timing;

use std::process::ExitCode;

const USAGE: &str = "usage: bench spine [--rows N] [--pairs N] [--cores N] | bench decision | bench timing [--requests N]";

/// What was asked for.
enum Task {
    /// Planning and policy against time limits.
    Decision,
    /// The peer's process; started by the benchmark itself.
    Peer(Vec<String>),
    /// One node against bare DataFusion.
    Spine(spine::Settings),
    /// Whether a node's answers tell hits from misses, with so many requests.
    Timing(usize),
    /// The node's worker process; started by the node's pool.
    Worker,
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = match parse(&arguments) {
        Some(Task::Worker) => return mayag_node::engine::worker::worker_main(),
        Some(Task::Decision) => decision::main(),
        Some(Task::Peer(arguments)) => peer::main(&arguments),
        Some(Task::Spine(settings)) => spine::main(settings),
        Some(Task::Timing(requests)) => timing::main(requests),
        None => Err(USAGE.into()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report::line(&format!("bench: {error}"));
            ExitCode::FAILURE
        }
    }
}

fn parse(arguments: &[String]) -> Option<Task> {
    let (name, rest) = arguments.split_first()?;
    match name.as_str() {
        "decision" if rest.is_empty() => Some(Task::Decision),
        "peer" => Some(Task::Peer(rest.to_vec())),
        "spine" => {
            let mut settings = spine::Settings::default();
            for pair in rest.chunks(2) {
                let [option, value] = pair else { return None };
                match option.as_str() {
                    "--cores" => settings.cores = value.parse().ok().filter(|cores| *cores > 0)?,
                    "--pairs" => settings.pairs = value.parse().ok().filter(|pairs| *pairs > 0)?,
                    "--rows" => settings.rows = value.parse().ok()?,
                    _ => return None,
                }
            }
            Some(Task::Spine(settings))
        }
        "timing" => match rest {
            [] => Some(Task::Timing(timing::REQUESTS)),
            [option, value] if option == "--requests" => value.parse().ok().map(Task::Timing),
            _ => None,
        },
        "worker" if rest.is_empty() => Some(Task::Worker),
        _ => None,
    }
}
