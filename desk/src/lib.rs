//! The analyst's side: signs questions, sends them to the gateway, and believes nothing it is told.
//!
//! Every country's answer is verified with the key that the roster lists for it, the gateway's summary is compared with
//! what arrived, and the merge is computed again from the signed parts. A person is shown an answer only after all of it
//! held; otherwise there is a [`fault::VerificationFailed`] and nothing else.

pub mod ask;
pub mod connection;
pub mod desk;
pub mod fault;
mod information;
pub mod listing;
pub mod lookup;
pub mod profile;
pub mod receipt;
mod recompute;
pub mod stream;
pub mod table;
mod verify;

#[cfg(test)]
mod fixture;
