//! A party as the witness of other parties' logs: what it saw of each, and its cosignature once that is on the disk.

use crate::files::{self, FilesError, Mode};
use crate::party_logs::seen;
use crate::seen::Seen;
use mayag_audit::checkpoint::CheckpointNote;
use mayag_audit::cosignature::Cosigner;
use mayag_audit::entry::SeenLog;
use mayag_audit::keys::{SigningKey, sha256};
use mayag_audit::note::{KeyName, Stamp, VerifierKey};
use mayag_audit::party;
use mayag_audit::witness::{Declined, Evidence, LONGEST_REQUEST, Request, consider};
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file of the newest checkpoint of a log that was cosigned, in the log's folder.
const CHECKPOINT: &str = "checkpoint";

/// What a witness answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WitnessAnswer {
    /// The HTTP status (C2SP `tlog-witness`).
    pub status: u16,
    /// The body.
    pub body: Vec<u8>,
}

/// The state of a witness, in a folder: per log, by the hash of its name, the whole checkpoint that was cosigned last, and what
/// proves that a log forked.
pub struct WitnessStore {
    folder: PathBuf,
    name: KeyName,
    key: SigningKey,
    /// What this party's own logs mention.
    seen: Arc<Seen>,
    /// Comparing and storing are one step.
    one_at_a_time: Mutex<()>,
}

impl WitnessStore {
    /// The witness of this name, in this folder. `seen` learns what is cosigned, and what was before this start.
    pub fn open(
        folder: &Path,
        name: KeyName,
        key: SigningKey,
        seen: Arc<Seen>,
    ) -> Result<Self, FilesError> {
        files::create_folder(folder)?;
        let store =
            Self { folder: folder.to_owned(), name, key, seen, one_at_a_time: Mutex::new(()) };
        store.remind();
        Ok(store)
    }

    /// Tells what is stored. What cannot be read is no reason not to start: it is refused when its log asks again.
    fn remind(&self) {
        let own = VerifierKey::witness(self.name.clone(), self.key.public());
        let folders = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        for folder in folders {
            let stored = files::read(&folder.path().join(CHECKPOINT), LONGEST_REQUEST).ok();
            let note = stored.and_then(|bytes| CheckpointNote::parse(&bytes).ok());
            let Some(note) = note else { continue };
            let signed = note.note().open(std::slice::from_ref(&own)).unwrap_or_default();
            let stamp = signed.first().map(|signed| signed.stamp);
            if let (Some(Stamp::At(at)), Ok(seen)) = (stamp, seen(&note)) {
                self.seen.cosigned(&SeenLog { at: Some(at), ..seen });
            }
        }
    }

    /// Answers one `add-checkpoint` request. Blocks until what is answered is on the disk.
    pub fn answer(&self, body: &[u8], roster: &Roster, now: Timestamp) -> WitnessAnswer {
        match self.cosign(body, roster, now) {
            Ok(line) => WitnessAnswer { status: 200, body: line.into_bytes() },
            Err(Refused::Declined(declined)) => {
                WitnessAnswer { status: declined.status(), body: declined.body().into_bytes() }
            }
            Err(Refused::Disk(error)) => {
                tracing::error!(%error, "a checkpoint was not stored, and so not cosigned");
                WitnessAnswer { status: 500, body: b"not stored\n".to_vec() }
            }
        }
    }

    /// The newest checkpoint of a log that was cosigned here, for monitors.
    pub fn stored(&self, origin: &str) -> Option<Vec<u8>> {
        files::read(&self.folder_of(origin).join(CHECKPOINT), LONGEST_REQUEST).ok()
    }

    fn cosign(&self, body: &[u8], roster: &Roster, now: Timestamp) -> Result<String, Refused> {
        let request = Request::parse(body).map_err(Declined::Malformed)?;
        let origin = request.checkpoint().checkpoint().origin.clone();
        let keys: Vec<VerifierKey> =
            party::key_of_origin(roster, origin.as_str()).into_iter().collect();
        let folder = self.folder_of(origin.as_str());
        let path = folder.join(CHECKPOINT);
        let _one_at_a_time = self.one_at_a_time.lock();
        let last = if path.exists() { Some(files::read(&path, LONGEST_REQUEST)?) } else { None };
        let pending = consider(&request, &keys, last.as_deref()).inspect_err(|declined| {
            if let Declined::Inconsistent { evidence, .. } = declined {
                Self::keep(&folder, evidence, request.checkpoint());
            }
        })?;
        let cosigner = Cosigner::new(self.name.clone(), &self.key);
        let signatures = pending.cosign(&cosigner, now, |replace| -> Result<(), Refused> {
            files::create_folder(&folder)?;
            Ok(files::replace(&path, replace.with, Mode::Public)?)
        })?;
        if let Ok(seen) = seen(request.checkpoint()) {
            self.seen.cosigned(&SeenLog { at: Some(now), ..seen });
        }
        Ok(signatures)
    }

    /// Keeps both checkpoints of a log that forked: only together they prove it to others. Each checkpoint that the log signed
    /// is kept once, whoever shows it how often and with which signatures beside the log's, so that nobody fills the disk.
    fn keep(folder: &Path, evidence: &Evidence, shown: &CheckpointNote) {
        let text = sha256(shown.note().text().as_bytes());
        let name = |what: &str| folder.join(format!("fork-{text}-{what}"));
        if name("shown").exists() {
            return;
        }
        let origin = &shown.checkpoint().origin;
        tracing::error!(log = %origin, "a log is not shown to continue the history it had before: the checkpoints are kept");
        let keep = || -> Result<(), FilesError> {
            files::create_folder(folder)?;
            files::replace(&name("shown"), &evidence.shown, Mode::Public)?;
            match &evidence.kept {
                Some(kept) => files::replace(&name("kept"), kept, Mode::Public),
                None => Ok(()),
            }
        };
        if let Err(error) = keep() {
            tracing::error!(%error, "the proof of a fork was not kept");
        }
    }

    fn folder_of(&self, origin: &str) -> PathBuf {
        self.folder.join(sha256(origin.as_bytes()).as_str())
    }
}

/// Why there is no cosignature.
enum Refused {
    Declined(Declined),
    Disk(FilesError),
}

impl From<Declined> for Refused {
    fn from(declined: Declined) -> Self {
        Self::Declined(declined)
    }
}

impl From<FilesError> for Refused {
    fn from(error: FilesError) -> Self {
        Self::Disk(error)
    }
}

impl fmt::Debug for WitnessStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WitnessStore({})", self.name)
    }
}

#[cfg(test)]
mod tests;
