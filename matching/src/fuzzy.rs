//! Fuzzy matching under a PRF that compares for equality only: a record has several keys, and a question finds it by those
//! that agree.
//!
//! Which key agreed, and how many, is seen only by who asked, after the boxes have been opened. What comes out is a lead
//! that a person has to check, never an identification.

pub(crate) mod logo;
pub(crate) mod person;
pub(crate) mod phonetic;
