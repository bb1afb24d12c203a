//! The subcommands of `mayag`, and how answers, refusals and failures are shown.
//!
//! stdout is data, stderr is talk, and how a run ended is one of [`exit::Exit`].

pub mod arguments;
pub mod board;
pub mod cells;
pub mod command;
pub mod demo;
pub mod exit;
pub mod format;
pub mod printer;
pub mod safe;

mod serve;
