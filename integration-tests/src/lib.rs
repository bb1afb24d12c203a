//! Whole federations for tests: real certificates, real processes, real files, no fixed port.

pub mod hostile;
pub mod raw;
pub mod sealed;
pub mod world;
