//! What the policy commands work on: policy files, signed or not, and the policy of a node's folder.

use crate::printer::Printer;
use mayag_audit::keys::{Ed25519, SigningKey, sha256};
use mayag_node::config::NodeConfig;
use mayag_node::policy::IN_FORCE;
use mayag_policies::catalogue::{self, Catalogue};
use mayag_policies::document::{Policy, Problem};
use mayag_policies::signed::{self, Before, administrators};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::envelope::{Envelope, Sign as _};
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::{self, Roster};
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::files;
use std::path::Path;

/// Why a policy command did not do its work.
#[derive(Debug, thiserror::Error)]
pub(super) enum PolicyFault {
    /// What was asked cannot be done: exit code 1.
    #[error("{0}")]
    Refused(String),
    /// The text of a policy has problems: exit code 1.
    #[error("{file}: {} problems", problems.len())]
    Problems {
        /// The file.
        file: String,
        /// The problems.
        problems: Vec<Problem>,
    },
    /// A file cannot be read or written, or does not hold what it must: exit code 2.
    #[error("{0}")]
    File(String),
}

/// A file's fault as one of ours.
pub(super) fn file(error: impl std::fmt::Display) -> PolicyFault {
    PolicyFault::File(error.to_string())
}

/// Writes lines of the answer, as a terminal may show them.
pub(super) fn print(printer: &mut Printer, lines: &[String]) -> Result<(), PolicyFault> {
    let text: Vec<_> =
        lines.iter().flat_map(|line| [crate::safe::safe(line), "\n".into()]).collect();
    printer.data(text.concat().as_bytes()).map_err(file)
}

/// The catalogue of this file, or the one built in.
pub(super) fn catalogue(path: Option<&Path>) -> Result<Catalogue, PolicyFault> {
    let Some(path) = path else { return Ok(Catalogue::builtin()) };
    let bytes = files::read(path, catalogue::LONGEST).map_err(file)?;
    Catalogue::parse(&bytes).map_err(file)
}

/// The document in a file: as it is, or out of its envelope, whose signatures are not looked at.
pub(super) fn document(path: &Path) -> Result<Vec<u8>, PolicyFault> {
    let bytes = files::read(path, signed::LONGEST).map_err(file)?;
    Ok(match Envelope::parse(&bytes, signed::LONGEST) {
        Ok(envelope) => envelope.unverified_payload().to_vec(),
        Err(_) => bytes,
    })
}

/// The policy in a file.
pub(super) fn policy(path: &Path, catalogue: &Catalogue) -> Result<Policy, PolicyFault> {
    parsed(&path.display().to_string(), &document(path)?, catalogue)
}

/// A document as a policy.
pub(super) fn parsed(
    name: &str,
    document: &[u8],
    catalogue: &Catalogue,
) -> Result<Policy, PolicyFault> {
    Policy::parse(document, catalogue, sha256)
        .map_err(|problems| PolicyFault::Problems { file: name.to_owned(), problems })
}

/// A node's folder, as far as its policy goes.
pub(super) struct Site {
    pub(super) config: NodeConfig,
    pub(super) catalogue: Catalogue,
    pub(super) roster: Roster,
    pub(super) now: Timestamp,
    in_force: Option<(PolicyVersion, Option<Policy>)>,
}

impl Site {
    /// Reads what `node.toml` names. No node needs to run.
    pub(super) fn open(config: &Path) -> Result<Self, PolicyFault> {
        let config = NodeConfig::read(config).map_err(file)?;
        let catalogue = catalogue(config.catalogue.as_deref())?;
        let now = SystemClock.now();
        let keys = files::read(&config.pki.roster_keys, 64 * 1024).map_err(file)?;
        let keys = roster::parse_trusted_keys(&String::from_utf8_lossy(&keys)).map_err(file)?;
        let bytes = files::read(&config.pki.roster, roster::LONGEST).map_err(file)?;
        let roster = Roster::open(&bytes, &keys, &Ed25519, now, 0).map_err(file)?;
        // The node's own memory is what it holds the next policy against; a node that never ran has none yet.
        let mut in_force = None;
        for path in [&config.policy, &config.state.join(IN_FORCE)] {
            if path.exists() {
                in_force = newer(in_force, remembered(path, &catalogue)?);
            }
        }
        Ok(Self { config, catalogue, roster, now, in_force })
    }

    /// What the next policy follows.
    pub(super) fn before(&self) -> Before<'_> {
        Before {
            version: self.in_force.as_ref().map(|(version, _)| version),
            policy: self.in_force.as_ref().and_then(|(_, policy)| policy.as_ref()),
        }
    }

    /// The administrator whose key is in this file.
    pub(super) fn signer(&self, key: &Path) -> Result<(SigningKey, Identity), PolicyFault> {
        let key_file = key.display();
        let pem = files::read_secret(key).map_err(file)?;
        let key = SigningKey::from_pem(&pem)
            .map_err(|error| PolicyFault::File(format!("{key_file}: {error}")))?;
        let person = administrators(&self.roster, &self.config.country)
            .find(|person| person.question_keys.contains(key.public()));
        let person = person.ok_or_else(|| {
            PolicyFault::Refused(format!(
                "{key_file}: the roster lists no administrator of `{}` with this key (id {})",
                self.config.country,
                key.key_id()
            ))
        })?;
        Ok((key, person.identity.clone()))
    }
}

type Remembered = (PolicyVersion, Option<Policy>);

fn remembered(path: &Path, catalogue: &Catalogue) -> Result<Option<Remembered>, PolicyFault> {
    let document = document(path)?;
    Ok(match Policy::parse(&document, catalogue, sha256) {
        Ok(policy) => Some((policy.version().clone(), Some(policy))),
        // A text that the catalogue has left behind still has a serial.
        Err(_) => serial(&document)
            .map(|serial| (PolicyVersion { serial, digest: sha256(&document) }, None)),
    })
}

fn newer(a: Option<Remembered>, b: Option<Remembered>) -> Option<Remembered> {
    match (a, b) {
        (Some(a), Some(b)) => Some(if a.0.serial < b.0.serial { b } else { a }),
        (one, other) => one.or(other),
    }
}

/// The serial of a document, whatever else is in it.
pub(super) fn serial(document: &[u8]) -> Option<u64> {
    serde_json::from_slice::<serde_json::Value>(document).ok()?.get("serial")?.as_u64()
}
