//! `VOPRF(ristretto255, SHA-512)` of RFC 9497, for batches of up to 65,535 elements under one proof.
//!
//! A node holds a [`SecretKey`] per table and epoch. Whoever searches blinds inputs ([`blind`]), the node evaluates and proves
//! ([`SecretKey::evaluate`]), and only what was proved against the pinned [`PublicKey`] can be unblinded: the one way to
//! [`Output`]s leads over [`Evaluation::verify`].
//!
//! Secret scalars meet only the constant-time operations of `curve25519-dalek`; what runs in variable time are the weights of
//! a proof and its check, all of it public. Secrets are wiped when dropped and have no `Debug`.

mod blinding;
mod elements;
mod key;
mod proof;
mod suite;

pub use blinding::{Blinding, Blinds, Output, blind};
pub use elements::{ElementError, Elements, LARGEST_BATCH};
pub use key::{KeyError, PublicKey, SecretKey, Seed};
pub use proof::{Evaluation, Proof, ProofError, Verified};

pub(crate) use elements::{Point, SecretPoints};

#[cfg(test)]
mod oracle_tests;
#[cfg(test)]
mod tests;
