//! Parties of a generated federation connect, and whoever should not, does not.

mod client;
mod handshake;
mod limits;
mod live;
mod refused;
mod start;
mod support;
