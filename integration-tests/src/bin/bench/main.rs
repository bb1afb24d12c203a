//! Benchmarks: `cargo xtask bench spine`. Each prints, as its last lines, one line per comparison, and exits 0 whatever
//! the figure.
#![expect(clippy::print_stdout, reason = "what a benchmark prints is its result")]
#![expect(clippy::expect_used, reason = "a benchmark that cannot run has nothing to report")]

mod compare;
mod data;
mod spine;

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        // The benchmark is its own worker program.
        ["worker"] => mayag_node::engine::worker::worker_main(),
        ["spine"] => spine::run(10_000_000),
        ["spine", "--rows", rows] => spine::run(rows.parse().expect("a number of rows")),
        _ => {
            println!("usage: bench spine [--rows N]");
            ExitCode::from(2)
        }
    }
}
