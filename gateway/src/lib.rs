//! The gateway: it carries a signed question to the nodes, folds the protected cells that come back, and signs what it
//! hands out.
//!
//! It never decides for a country, never sees a row, and cannot forge, alter, replay, widen or re-target a question:
//! what it sends on is the envelope that the analyst signed, byte for byte. The straight line of a question is one
//! function in [`mod@line`]; its steps are types that prove the step before.

pub mod config;
pub mod roster;

mod admission;
mod answers;
mod carry;
mod crowd;
mod endings;
mod entries;
mod events;
mod fanout;
mod gateway;
mod line;
mod memory;
mod merge;
mod published;
mod receipts;
mod sent;
mod server;
mod witnessing;
mod work;

pub use gateway::{Gateway, GatewayError, init_logs};
pub use server::{ROUTES, Running};
