//! The gateway over real connections: a development PKI, nodes that behave or misbehave, and an analyst.

// Always set here; it lets clippy know that helpers may unwrap too.
#![cfg(test)]

mod admission;
mod carrying;
mod federation;
mod handing_out;
mod hostile;
mod lookups;
mod node;
