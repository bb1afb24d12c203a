//! The execution side of a node: releases are worked on in processes of their own, over the node's own sources, behind
//! a barrier.
//!
//! [`pool`] starts worker processes and kills them at the deadline; [`worker`] is the program inside one. A worker holds
//! no key. It reads its sources through [`barrier`], counts and sums with [`accumulate`], and hands [`cells`] back.
//! Every failure inside a worker collapses to a [`WorkFailure`]: the engine's own error text quotes row values, and never
//! leaves the process.

pub mod accumulate;
pub mod barrier;
pub mod cells;
pub mod check;
mod describe;
mod execute;
mod failure;
pub mod frame;
mod gate;
pub mod identifiers;
mod layout;
mod level;
mod period;
pub mod pool;
pub mod predicate;
mod session;
pub mod sources;
mod undecided;
pub mod worker;

pub use failure::WorkFailure;
