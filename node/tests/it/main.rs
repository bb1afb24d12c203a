//! Tests of the node as a whole crate, in one program.

mod engine;
mod engine_oracle;
mod engine_process;
