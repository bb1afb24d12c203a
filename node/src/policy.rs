//! The policy of a node: a signed file, and the memory of the last one that was accepted.
//!
//! The memory is the envelope itself in the state folder. It holds the highest serial, so that an older policy never
//! comes back, and the text, so that a restart can still tell what the next policy widens.

use crate::config::NodeConfig;
use mayag_audit::keys::{Ed25519, sha256};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::document::Policy;
use mayag_policies::signed::{self, Accepted, Before, SignedError, SignedPolicy};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::envelope::Envelope;
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError, Mode};
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// The name of the memory inside the state folder.
pub const IN_FORCE: &str = "policy-in-force.json";

/// Why a policy does not come into force.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The file was not read.
    #[error("policy: {0}")]
    Files(#[from] FilesError),
    /// The memory of the last policy is damaged: without it an older policy could come back.
    #[error(
        "{path}: the memory of the last policy is not readable; restore it from a backup of the state folder"
    )]
    Memory {
        /// The file.
        path: PathBuf,
    },
    /// The file is no policy that may come into force.
    #[error("policy `{path}`: {source}")]
    Refused {
        /// The file.
        path: PathBuf,
        /// Why.
        source: SignedError,
    },
}

impl PolicyError {
    /// What said no, for the query log.
    pub(crate) fn rule(&self) -> String {
        match self {
            Self::Files(_) => "file".to_owned(),
            Self::Memory { .. } => "memory".to_owned(),
            Self::Refused { source, .. } => source.rule(),
        }
    }
}

/// A policy that may come into force, and its envelope to be remembered.
#[derive(Debug)]
pub(crate) struct Candidate {
    pub(crate) accepted: Accepted,
    envelope: Vec<u8>,
}

/// Reads the policy file and holds it against the last policy that was accepted.
pub(crate) fn read(
    config: &NodeConfig,
    roster: &Roster,
    catalogue: &Catalogue,
    now: Timestamp,
) -> Result<Candidate, PolicyError> {
    let memory = recall(&config.state, catalogue)?;
    let envelope = files::read(&config.policy, signed::LONGEST)?;
    let refused = |source| PolicyError::Refused { path: config.policy.clone(), source };
    let signed =
        SignedPolicy::open(&envelope, &config.country, roster, catalogue, &Ed25519, sha256)
            .map_err(refused)?;
    let before = Before {
        version: memory.as_ref().map(|memory| &memory.version),
        policy: memory.as_ref().and_then(|memory| memory.policy.as_ref()),
    };
    let accepted = signed.succeed(before, catalogue, now).map_err(refused)?;
    Ok(Candidate { accepted, envelope })
}

/// Remembers an accepted policy, durably. A crash before it leaves the old memory: the file is accepted again at the
/// next start, for the same reasons.
pub(crate) fn remember(state: &Path, candidate: &Candidate) -> Result<(), PolicyError> {
    Ok(files::replace(&state.join(IN_FORCE), &candidate.envelope, Mode::Secret)?)
}

/// The last policy that was accepted.
struct Memory {
    version: PolicyVersion,
    /// `None` if the catalogue no longer has what it names: then the next policy counts as new in everything.
    policy: Option<Policy>,
}

/// The one key of a document that must be readable whatever else has changed since.
#[derive(Deserialize)]
struct Serial {
    serial: u64,
}

fn recall(state: &Path, catalogue: &Catalogue) -> Result<Option<Memory>, PolicyError> {
    let path = state.join(IN_FORCE);
    if !path.exists() {
        return Ok(None);
    }
    let bytes = files::read(&path, signed::LONGEST)?;
    // Signed when it was accepted; since then the state folder guards it, as it guards the log.
    let remembered = Envelope::parse(&bytes, signed::LONGEST).ok().and_then(|envelope| {
        let document = envelope.unverified_payload();
        let Serial { serial } = serde_json::from_slice(document).ok()?;
        let version = PolicyVersion { serial, digest: sha256(document) };
        Some(Memory { version, policy: Policy::parse(document, catalogue, sha256).ok() })
    });
    remembered.map(Some).ok_or(PolicyError::Memory { path })
}
