//! One country's node: it keeps its data at home and answers signed questions under its own policy.
//!
//! The straight line of a question is one function, [`mod@line`]; its steps are types that prove the step before. The node
//! trusts its own policy, its own keys and the roster. It does not trust the gateway.

mod admission;
pub mod archive;
pub mod config;
pub mod data_version;
mod ending;
pub mod engine;
mod entries;
pub mod ledger;
mod line;
pub mod lookups;
pub mod node;
pub mod notices;
pub mod policy;
pub mod protecting;
pub mod records;
pub mod released;
pub mod secret;
mod server;
mod witnessing;

pub use node::init_logs;
pub use server::{ROUTES, Running};
