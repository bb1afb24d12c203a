//! Parties of a generated federation connect, and whoever should not, does not.

// Always set here; it lets clippy know that helpers may unwrap too.
#![cfg(test)]

mod client;
mod handshake;
mod limits;
mod live;
mod log;
mod refused;
mod start;
mod support;
mod upkeep;
mod years;
