//! Whole federations for tests: real certificates, real processes, real files, no fixed port.
#![expect(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::panic,
    reason = "this crate exists for tests, and tests panic"
)]

pub mod attacks;
pub mod declared;
pub mod hostile;
pub mod logs;
pub mod party;
pub mod raw;
pub mod sealed;
pub mod world;
