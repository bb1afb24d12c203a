//! SQL text -> releases + tail, and how the answers of several countries to a release fold into one.

pub mod descriptor;
pub mod domains;
pub mod engine;
pub mod guard;
pub mod information;
pub mod merge;
pub mod outline;
pub mod plan;
pub mod release;
mod stack;
pub mod statement;
pub mod tail;

pub use plan::{Plan, plan};
pub use statement::{Statement, statement};
