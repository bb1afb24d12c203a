//! The policy language: catalogue, policy documents, decisions.
//!
//! Pure: documents come in as text, decisions go out as values; nothing here opens a file or a connection.
//!
//! ```
//! use mayag_policies::catalogue::Catalogue;
//! use mayag_policies::decide::{Subject, decide};
//! use mayag_policies::document::Policy;
//! use mayag_policies::shape::{Aggregate, LevelRef, MeasureRef, ReleaseShape};
//! use mayag_protocol::names::Digest;
//! use mayag_protocol::purpose::Purpose;
//! use mayag_protocol::refusal::Code;
//!
//! let catalogue = Catalogue::builtin();
//! let text = include_bytes!("../examples/smallest.json");
//! // A node passes the SHA-256 of `mayag-audit` here.
//! let policy = Policy::parse(text, &catalogue, |_| Digest::from_bytes([0; 32])).unwrap();
//!
//! let subject =
//!     Subject { country: "kr".parse()?, roles: vec!["analyst".parse()?], purpose: Purpose::Trend };
//! let now = "2026-11-23T12:00:00Z".parse().unwrap();
//! let count_by = |column: &str| -> Result<ReleaseShape, mayag_protocol::names::NameError> {
//!     Ok(ReleaseShape {
//!         dataset: "seizures".parse()?,
//!         keys: vec![LevelRef { column: column.parse()?, grain: None }],
//!         filters: vec![],
//!         measures: vec![MeasureRef { aggregate: Aggregate::Count, column: None }],
//!     })
//! };
//!
//! let permit = decide(&policy, &catalogue, &subject, now, &count_by("drug")?).unwrap();
//! assert_eq!((permit.grant().as_str(), permit.protections().min_units), ("drugs", 10));
//!
//! let refusal = decide(&policy, &catalogue, &subject, now, &count_by("officer_note")?).unwrap_err();
//! assert_eq!(refusal.code, Code::ColumnNotShared);
//! # Ok::<(), mayag_protocol::names::NameError>(())
//! ```

pub mod catalogue;
pub mod compare;
pub mod decide;
pub mod document;
pub mod expectation;
pub mod lookups;
pub mod shape;
pub mod shared;
pub mod signed;
