//! Whole federations for tests: real certificates, real processes, real files, no fixed port.

pub mod world;
