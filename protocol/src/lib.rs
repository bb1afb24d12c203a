//! The words on the wire: identities, question, answer, refusal, outcome, envelope, progress events.
//!
//! Everything here is plain data: no I/O, no async, no cryptography. A type that derives `Serialize` in this crate is a
//! promise to another machine; signing and hashing are done elsewhere, through the [`envelope::Sign`] and
//! [`envelope::Verify`] traits.
//!
//! ```
//! use mayag_protocol::identity::Identity;
//! let analyst: Identity = "spiffe://demo/country/kr/analyst/hana".parse()?;
//! assert_eq!(analyst.country().map(|c| c.as_str()), Some("kr"));
//! # Ok::<(), mayag_protocol::identity::IdentityError>(())
//! ```

pub mod answer;
pub mod columns;
pub mod envelope;
pub mod event;
pub mod forward;
pub mod identity;
pub mod lookup;
pub mod names;
pub mod outcome;
pub mod purpose;
pub mod question;
pub mod receipts;
pub mod refusal;
pub mod roster;
pub mod strict;
pub mod timestamp;
pub mod witnessing;
