//! Tests of the node as a whole crate, in one program.

// Always set here; it lets clippy know that helpers may unwrap too.
#![cfg(test)]

mod engine;
mod engine_oracle;
mod engine_process;
mod house;
mod joins;
mod ledger;
mod levels;
mod lookups;
mod noisy;
mod pairs;
mod reading;
mod released;
mod together;
