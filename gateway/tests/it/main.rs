//! The gateway over real connections: a development PKI, nodes that behave or misbehave, and an analyst.

mod admission;
mod carrying;
mod federation;
mod hostile;
mod node;
