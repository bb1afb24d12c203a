//! Reading what a node starts from: catalogue, keys, roster, and the memory of what was released.

use super::NodeError;
use crate::config::NodeConfig;
use crate::data_version::data_version;
use crate::protecting;
use crate::released::Released;
use mayag_audit::detail::RecipientSecret;
use mayag_audit::keys::{Ed25519, SigningKey};
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::roster::{self, Member, Roster, RosterError};
use mayag_protocol::timestamp::Clock;
use mayag_transport::files;
use std::path::Path;
use std::sync::Arc;

/// The name of the file that remembers the highest roster version seen.
const ROSTER_VERSION: &str = "roster-version";

pub(super) fn read_catalogue(config: &NodeConfig) -> Result<Catalogue, NodeError> {
    match &config.catalogue {
        None => Ok(Catalogue::builtin()),
        Some(path) => {
            Ok(Catalogue::parse(&files::read(path, mayag_policies::catalogue::LONGEST)?)?)
        }
    }
}

/// The private keys of a node, which are those that the roster lists for it.
pub(super) struct Keys {
    pub(super) answer: SigningKey,
    pub(super) log: Arc<SigningKey>,
    pub(super) cosign: SigningKey,
    /// What is sealed to the node is opened with it, if anything can be.
    pub(super) sealing: Option<RecipientSecret>,
}

/// Reads them.
pub(super) fn read_keys(config: &NodeConfig, member: Option<&Member>) -> Result<Keys, NodeError> {
    let answer = read_key(&config.pki.answer_key)?;
    let log = Arc::new(read_key(&config.pki.log_key)?);
    if member.map(|member| &member.answer_key) != Some(answer.public()) {
        return Err(NodeError::KeyNotListed { key: "answer" });
    }
    if member.map(|member| &member.log_key) != Some(log.public()) {
        return Err(NodeError::KeyNotListed { key: "log" });
    }
    let cosign = read_key(&config.pki.cosign_key)?;
    if member.map(|member| &member.cosign_key) != Some(cosign.public()) {
        return Err(NodeError::KeyNotListed { key: "cosign" });
    }
    let sealing = read_sealing_key(config, member)?;
    Ok(Keys { answer, log, cosign, sealing })
}

pub(super) fn read_key(path: &Path) -> Result<SigningKey, NodeError> {
    SigningKey::from_pem(&files::read_secret(path)?)
        .map_err(|source| NodeError::Key { path: path.to_owned(), source })
}

pub(super) fn open_roster(config: &NodeConfig, clock: &dyn Clock) -> Result<Roster, NodeError> {
    let keys = files::read(&config.pki.roster_keys, 64 * 1024)?;
    let keys = roster::parse_trusted_keys(&String::from_utf8_lossy(&keys))?;
    create_state(&config.state)?;
    let remembered = config.state.join(ROSTER_VERSION);
    let seen = match files::read(&remembered, 64) {
        Ok(text) => String::from_utf8_lossy(&text).trim().parse().unwrap_or(u64::MAX),
        Err(_) if !remembered.exists() => 0,
        Err(error) => return Err(error.into()),
    };
    let bytes = files::read(&config.pki.roster, roster::LONGEST)?;
    let roster = Roster::open(&bytes, &keys, &Ed25519, clock.now(), seen)?;
    if roster.federation != config.federation {
        return Err(RosterError::NotInForce.into());
    }
    files::replace(&remembered, format!("{}\n", roster.version).as_bytes(), files::Mode::Public)?;
    Ok(roster)
}

/// The memory of what was released of the data as they are now.
pub(super) fn open_released(config: &NodeConfig) -> Result<Released, NodeError> {
    let version = data_version(&config.sources)
        .map_err(|source| NodeError::State { path: config.state.clone(), source })?;
    let version = protecting::data_version(&version).map_err(|_| NodeError::Version)?;
    let datasets: Vec<_> = config.datasets.iter().map(|view| &view.name).collect();
    Ok(Released::open(&config.state, &datasets, &version)?)
}

fn create_state(folder: &Path) -> Result<(), NodeError> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| NodeError::State { path: folder.to_owned(), source })
}

/// The key that opens what is sealed to this node, if it has one; the roster must list it.
fn read_sealing_key(
    config: &NodeConfig,
    member: Option<&Member>,
) -> Result<Option<RecipientSecret>, NodeError> {
    let Some(path) = &config.pki.sealing_key else { return Ok(None) };
    let key = RecipientSecret::from_pem(&files::read_secret(path)?)
        .map_err(|source| NodeError::Key { path: path.clone(), source })?;
    if is_listed(&key, member) {
        Ok(Some(key))
    } else {
        Err(NodeError::KeyNotListed { key: "sealing" })
    }
}

/// Whether a roster lists this key for the node.
pub(super) fn is_listed(key: &RecipientSecret, member: Option<&Member>) -> bool {
    let listed = member.and_then(|member| member.sealing_key.as_ref());
    listed == Some(&key.public().to_sealing_key())
}
