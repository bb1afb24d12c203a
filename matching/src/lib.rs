//! Identifiers of hit/no-hit lookups: normalisers, oblivious PRF, filters, fuzzy keys (design §5).
//!
//! How one lookup goes, and which module does what:
//!
//! * an [`input`] is one normalised identifier, as the function is asked about it;
//! * a [`batch`] hides up to 65,534 of them: blinded, padded to a size class, shuffled, and one positive control among them;
//! * the node evaluates the vector with the key of a [`scope`] and proves it: [`voprf`] (RFC 9497);
//! * whoever searches looks the outputs up in the node's published [`index`]: a [`filter`] says what is not there, and only a
//!   sealed box that opens, with a [`reference`] in it, is a hit;
//! * an auditor opens a batch with its seed, and sees whether it held what its author says.
//!
//! Everything is computation: nothing is opened or sent here.

pub mod batch;
pub mod filter;
pub mod index;
pub mod input;
mod parallel;
mod redacted;
pub mod reference;
pub mod scope;
pub mod sealing;
pub mod voprf;
