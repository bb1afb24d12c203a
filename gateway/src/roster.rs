//! The roster on disk: signed by two trusted keys, in force, of this federation, and never older than one seen before.
//!
//! The highest version seen is remembered in a file of the state folder, so that neither a restart nor a file put back
//! from a backup brings a revoked key back.

use mayag_audit::keys::Ed25519;
use mayag_protocol::names::Federation;
use mayag_protocol::roster::{self, Roster, RosterError};
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError};
use std::path::{Path, PathBuf};

/// The name of the file that remembers the highest version seen.
pub const REMEMBERED: &str = "roster-version";

/// The longest file of trusted keys.
const LONGEST_KEYS: usize = 64 * 1024;

/// The longest number that is remembered.
const LONGEST_VERSION: usize = 64;

/// Where a roster is read from.
#[derive(Debug, Clone, Copy)]
pub struct RosterFiles<'a> {
    /// The signed roster.
    pub roster: &'a Path,
    /// The trusted roster keys.
    pub keys: &'a Path,
    /// The folder that remembers the highest version seen; it exists.
    pub state: &'a Path,
}

/// Why a roster is not used.
#[derive(Debug, thiserror::Error)]
pub enum RosterFault {
    /// A file was not read or written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The file that remembers the version holds no number: which rosters are too old is not known any more.
    #[error("{0}: not a version number; write the version of the roster in force into it")]
    Memory(PathBuf),
    /// The roster itself.
    #[error(transparent)]
    Roster(#[from] RosterError),
}

/// Reads, verifies and remembers the roster of `federation`.
pub fn open(
    files: RosterFiles<'_>,
    federation: &Federation,
    now: Timestamp,
) -> Result<Roster, RosterFault> {
    let keys = files::read(files.keys, LONGEST_KEYS)?;
    let keys = roster::parse_trusted_keys(&String::from_utf8_lossy(&keys))?;
    let remembered = files.state.join(REMEMBERED);
    let seen = seen(&remembered)?;
    let bytes = files::read(files.roster, roster::LONGEST)?;
    let roster = Roster::open(&bytes, &keys, &Ed25519, now, seen)?;
    if roster.federation != *federation {
        return Err(RosterError::NotInForce.into());
    }
    if seen < roster.version {
        // A crash before this leaves the lower number: the roster was not used yet either.
        files::replace(
            &remembered,
            format!("{}\n", roster.version).as_bytes(),
            files::Mode::Public,
        )?;
    }
    Ok(roster)
}

fn seen(remembered: &Path) -> Result<u64, RosterFault> {
    if !remembered.exists() {
        return Ok(0);
    }
    let text = files::read(remembered, LONGEST_VERSION)?;
    String::from_utf8_lossy(&text)
        .trim()
        .parse()
        .map_err(|_| RosterFault::Memory(remembered.to_owned()))
}
