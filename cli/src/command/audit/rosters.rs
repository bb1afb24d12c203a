//! Signed rosters, to check with what people and parties signed.

use super::logs::Ended;
use crate::exit::Exit;
use clap::Args;
use mayag_audit::keys::Ed25519;
use mayag_protocol::roster::{self, Roster};
use mayag_transport::files;
use std::path::PathBuf;

/// The longest file of keys that is read.
const LONGEST_KEYS: usize = 1024 * 1024;

/// Rosters of any time.
#[derive(Debug, Args)]
pub(super) struct RosterArgs {
    /// A roster that was in force while the logs were written, to check what people and parties signed; may be repeated
    #[arg(long, value_name = "FILE", requires = "roster_keys")]
    roster: Vec<PathBuf>,
    /// The keys that rosters are signed with
    #[arg(long, value_name = "FILE", requires = "roster")]
    roster_keys: Option<PathBuf>,
}

impl RosterArgs {
    /// The rosters. One that ended since counts as well: what was signed while it was in force is signed.
    pub(super) fn read(&self) -> Result<Vec<Roster>, Ended> {
        let usage = |why: String| (Exit::Usage, why);
        let Some(path) = &self.roster_keys else { return Ok(Vec::new()) };
        let trusted = files::read(path, LONGEST_KEYS).map_err(|error| usage(error.to_string()))?;
        let trusted = roster::parse_trusted_keys(&String::from_utf8_lossy(&trusted))
            .map_err(|error| usage(error.to_string()))?;
        let open = |path: &PathBuf| {
            let bytes =
                files::read(path, roster::LONGEST).map_err(|error| usage(error.to_string()))?;
            Roster::open_ended(&bytes, &trusted, &Ed25519)
                .map_err(|error| usage(format!("{}: {error}", path.display())))
        };
        self.roster.iter().map(open).collect()
    }
}
