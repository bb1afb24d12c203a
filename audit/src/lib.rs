//! The signed log and the keys it is signed with.
//!
//! A log is a Merkle tree in the C2SP formats, which others verify with code that is not ours:
//!
//! * [`tree`] hashes and proves (RFC 6962), [`tile`] lays hashes and entries out in files;
//! * [`note`] signs text, [`checkpoint`] says origin, size and root in such a text, [`cosignature`] is what a witness adds;
//! * [`quorum`] decides whose signatures make a checkpoint believable, [`witness`] cosigns what merely grew;
//! * [`receipt`] proves one entry offline, [`verify`] recomputes a whole log from its entries;
//! * [`log`] appends: durably, many callers at once, and without ever signing two histories;
//! * [`entry`] is what nodes and gateways write, [`detail`] what stands beside it, encrypted and erasable;
//! * [`party`] says which logs there are, and who witnesses them;
//! * [`records`] reads the entries of verified logs, which [`reconcile`] holds against each other, [`search`] and [`story`]
//!   look through, [`anomalies`] finds odd, and [`export`] writes for other programs; [`index`] spares a search most entries.
//!
//! [`keys`] holds the arithmetic: SHA-256 and Ed25519 by `ring`; [`sealed`] is one message for one key. [`nonces`] remembers which questions were seen. This crate
//! opens no file and no connection: readers and writers are passed in.
//!
//! # An entry, and a receipt for it
//!
//! ```
//! use mayag_audit::checkpoint::Checkpoint;
//! use mayag_audit::keys::SigningKey;
//! use mayag_audit::entry::{Entry, Type};
//! use mayag_audit::note::Signer;
//! use mayag_audit::quorum::Policy;
//! use mayag_audit::receipt::Receipt;
//! use mayag_audit::tree::{Frontier, Head, leaf_hash};
//! use mayag_protocol::timestamp::Timestamp;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let key = SigningKey::from_pem(&SigningKey::generate()?)?;
//! let log = Signer::log("node-be.example/query-log/2026".parse()?, &key);
//! let now = Timestamp::from_millis(1_795_867_200_000);
//!
//! // The log: an entry is written once, hashed, and signed for with the whole tree.
//! let entry = Entry::new(Type::Opened, now)?.to_bytes()?;
//! let mut tree = Frontier::default();
//! tree.push(leaf_hash(&entry), |_complete_subtree| ());
//! let head = Head { size: tree.size(), root: tree.root() };
//! let checkpoint = Checkpoint { origin: "node-be.example/query-log/2026".parse()?, head }.sign(&log)?;
//! let receipt = Receipt::new(0, Vec::new(), checkpoint).to_bytes();
//!
//! // Anybody else: with the public key alone, and nothing from the log.
//! let policy = Policy::parse(format!("log {}\nquorum none\n", log.verifier()).as_bytes())?;
//! let proven = Receipt::parse(&receipt)?.verify(&entry, &policy, now)?;
//! assert_eq!(proven.index(), 0);
//! assert!(Receipt::parse(&receipt)?.verify(b"another entry", &policy, now).is_err());
//! # Ok(())
//! # }
//! ```

pub mod anomalies;
pub mod checkpoint;
pub mod cosignature;
pub mod detail;
pub mod entry;
pub mod export;
pub mod index;
pub mod keys;
pub mod log;
pub mod nonces;
pub mod note;
pub mod party;
pub mod quorum;
pub mod receipt;
pub mod reconcile;
pub mod records;
pub mod sealed;
pub mod search;
pub mod story;
pub mod tile;
pub mod tree;
pub mod verify;
pub mod witness;
