//! Connections between the parties: the only place that names rustls, hyper and certificates.
//!
//! Both ends of every connection show a certificate with exactly one identity. A certificate counts only if an authority
//! issued it that the roster's issuer table lets name that identity, and only while that authority's revocation list is
//! in force. What a party may do is not decided here: [`server::Handler::admit`] asks whoever knows the roster.
//!
//! TLS 1.3 by the `ring` provider, HTTP/2 only, no session is ever resumed: each connection proves both identities
//! anew. The key exchange is X25519 or a NIST curve; recorded traffic is not protected against a future quantum
//! computer.
//!
//! Also here is the door of a signed log to the disk ([`log_files`]), the thread that keeps it ([`log_keeper`]), and a
//! measurement of both ([`log_measure`]): `mayag-audit` opens nothing itself.
//!
//! ```
//! use mayag_protocol::timestamp::Clock as _;
//! use mayag_transport::{clock::SystemClock, files, files::Mode};
//! # let folder = tempfile::tempdir()?;
//! # let path = folder.path().join("answer.key");
//! files::replace(&path, b"secret", Mode::Secret)?;
//! assert_eq!(files::read_secret(&path)?.as_str(), "secret");
//! assert!(SystemClock.now().millis() > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod client;
pub mod clock;
pub mod credentials;
pub mod details;
pub mod files;
pub mod index_files;
pub mod index_measure;
pub mod log_files;
pub mod log_keeper;
pub mod log_measure;
pub mod party_logs;
pub mod peer;
pub mod requests;
pub mod route;
pub mod seen;
pub mod server;
pub mod tls;
pub mod trust;
pub mod turned_away;
pub mod witness_store;

mod tasks;
