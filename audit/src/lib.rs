//! The signed log and the keys it is signed with.
//!
//! [`keys`] holds the arithmetic: SHA-256 and Ed25519 by `ring`. [`journal`] holds the log as it is today: entries that
//! are chained, signed and synced before an answer leaves. [`nonces`] remembers which questions were seen. This crate opens no file and no connection: readers and
//! writers are passed in.

pub mod journal;
pub mod keys;
pub mod nonces;
