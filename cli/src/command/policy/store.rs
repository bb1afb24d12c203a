//! Where proposed and former policies lie: a plain folder beside the policy that the node reads.
//!
//! `drafts/` holds what was proposed and not activated yet, `history/` everything that ever was, and the active file is
//! the one that `node.toml` names. Each record is the signed envelope with the reason that was given. Files are replaced
//! as a whole; who can write here can propose, but what comes into force is decided by signatures alone.

use super::site::{PolicyFault, file, serial};
use mayag_audit::keys::sha256;
use mayag_policies::signed;
use mayag_protocol::envelope::Envelope;
use mayag_protocol::names::Digest;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, Mode};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The longest record: an envelope and a reason.
const LONGEST: usize = signed::LONGEST + 64 * 1024;

/// The longest reason, in characters.
pub(super) const LONGEST_REASON: usize = 500;

/// Digits of a digest that name it at least.
const SHORTEST_DIGEST: usize = 8;

/// A signed policy with what was said about it.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Record {
    /// Version of this format: 1.
    pub(super) v: u8,
    /// Why, in the author's words. Not signed; the document's own `why` is.
    pub(super) reason: String,
    /// When it was proposed, or came into force.
    pub(super) at: Timestamp,
    /// The policy.
    pub(super) envelope: Envelope,
}

impl Record {
    pub(super) fn document(&self) -> &[u8] {
        self.envelope.unverified_payload()
    }

    pub(super) fn digest(&self) -> Digest {
        sha256(self.document())
    }

    pub(super) fn serial(&self) -> u64 {
        serial(self.document()).unwrap_or_default()
    }

    fn file_name(&self) -> String {
        let digest = self.digest().to_string();
        format!("{:06}-{}.json", self.serial(), digest.get(..16).unwrap_or(&digest))
    }
}

/// The store.
#[derive(Debug)]
pub(super) struct Store {
    active: PathBuf,
    folder: PathBuf,
}

impl Store {
    /// The store beside this policy file.
    pub(super) fn beside(active: &Path) -> Self {
        let folder = active.parent().unwrap_or_else(|| Path::new(".")).to_owned();
        Self { active: active.to_owned(), folder }
    }

    /// Drafts, by serial.
    pub(super) fn drafts(&self) -> Result<Vec<Record>, PolicyFault> {
        records(&self.folder.join("drafts"))
    }

    /// Former policies and the present one, by serial.
    pub(super) fn history(&self) -> Result<Vec<Record>, PolicyFault> {
        records(&self.folder.join("history"))
    }

    /// The one draft whose digest begins like this.
    pub(super) fn draft(&self, digest: &str) -> Result<Record, PolicyFault> {
        let digest = digest.strip_prefix("sha256:").unwrap_or(digest);
        if digest.len() < SHORTEST_DIGEST {
            let what = format!("`{digest}`: give at least {SHORTEST_DIGEST} digits of the digest");
            return Err(PolicyFault::Refused(what));
        }
        let all = self.drafts()?.into_iter();
        let mut found = all.filter(|draft| draft.digest().as_str().starts_with(digest));
        match (found.next(), found.next()) {
            (Some(draft), None) => Ok(draft),
            (None, _) => Err(PolicyFault::Refused(format!(
                "no draft with the digest `{digest}`: `mayag policy history` lists them"
            ))),
            (Some(_), Some(_)) => {
                Err(PolicyFault::Refused(format!("several drafts have a digest like `{digest}`")))
            }
        }
    }

    /// The policy that the node reads, as it is.
    pub(super) fn active(&self) -> Result<Option<Envelope>, PolicyFault> {
        if !self.active.exists() {
            return Ok(None);
        }
        let bytes = files::read(&self.active, signed::LONGEST).map_err(file)?;
        // A bare document is no policy that was ever in force.
        Ok(Envelope::parse(&bytes, signed::LONGEST).ok())
    }

    /// Writes a draft, or one with more signatures over it.
    pub(super) fn put_draft(&self, draft: &Record) -> Result<(), PolicyFault> {
        put(&self.folder.join("drafts"), draft)
    }

    /// Puts a draft in force: remembers it and what was in force, replaces the active file, and takes the draft away.
    ///
    /// A crash after the first step leaves a record of a policy that is not active yet; after the second a draft that
    /// is. Activating again ends both.
    pub(super) fn activate(&self, draft: &Record, now: Timestamp) -> Result<(), PolicyFault> {
        if let Some(envelope) = self.active()? {
            let reason = "in force before this store was kept".to_owned();
            let before = Record { v: 1, reason, at: now, envelope };
            if self.history()?.iter().all(|known| known.digest() != before.digest()) {
                put(&self.folder.join("history"), &before)?;
            }
        }
        put(&self.folder.join("history"), &Record { at: now, ..draft.clone() })?;
        files::replace(&self.active, &draft.envelope.to_bytes(), Mode::Public).map_err(file)?;
        std::fs::remove_file(self.folder.join("drafts").join(draft.file_name())).map_err(file)
    }
}

fn put(folder: &Path, record: &Record) -> Result<(), PolicyFault> {
    files::create_folder(folder).map_err(file)?;
    let bytes = serde_json::to_vec(record).map_err(file)?;
    files::replace(&folder.join(record.file_name()), &bytes, Mode::Public).map_err(file)
}

fn records(folder: &Path) -> Result<Vec<Record>, PolicyFault> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let mut records: Vec<Record> = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(file)? {
        let path = entry.map_err(file)?.path();
        let hidden = path.file_name().is_none_or(|name| name.to_string_lossy().starts_with('.'));
        // A crash may leave a file beside the one it was to replace.
        if hidden || path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let bytes = files::read(&path, LONGEST).map_err(file)?;
        let record = serde_json::from_slice(&bytes);
        let named = |error| PolicyFault::File(format!("{}: {error}", path.display()));
        records.push(record.map_err(named)?);
    }
    records.sort_by_key(|record| (record.serial(), record.at));
    Ok(records)
}
