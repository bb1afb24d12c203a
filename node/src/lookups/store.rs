//! What is published of lookup tables, on the disk: filters and boxes by digest, and one file that says which of them count.
//!
//! `published.json` is replaced as a whole, after everything that it names is there: a crash leaves the old state or the new
//! one. What it no longer names stays for as long as the build after it counts, so that a download under way is not cut.

use mayag_audit::keys::sha256;
use mayag_protocol::envelope::Base64;
use mayag_protocol::lookup::{Legend, Published, PublishedIndex};
use mayag_protocol::names::{Digest, EvaluationKey, TableName};
use mayag_transport::files::{self, FilesError, Mode};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

/// The file that says what counts.
const KEPT: &str = "published.json";
/// The highest serial that a directory was given, whether it was published or not.
const SERIAL: &str = "serial";
/// The folder of filters and boxes.
const FILES: &str = "published";

/// The longest `published.json` that is read.
const LONGEST: usize = 16 * 1024 * 1024;

/// One table in one epoch, built.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Build {
    pub(crate) table: TableName,
    pub(crate) epoch: u32,
    pub(crate) key: EvaluationKey,
    /// What it was built under: kind, rules, query, and what a hit reveals.
    pub(crate) terms: Digest,
    /// The version of the data that it was built from.
    pub(crate) data: Digest,
    pub(crate) index: PublishedIndex,
    pub(crate) categories: Vec<Legend>,
    pub(crate) handling: Vec<Legend>,
}

/// What counts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kept {
    /// The signed directory.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) envelope: Option<Base64>,
    /// By table and epoch.
    pub(crate) builds: Vec<Build>,
    /// Files of the build before, by table.
    pub(crate) before: BTreeMap<TableName, BTreeSet<Digest>>,
}

/// The folder `lookups` of a state folder.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: PathBuf,
}

impl Build {
    /// The files that it consists of.
    fn files(&self) -> [&Published; 2] {
        [&self.index.filter, &self.index.boxes]
    }
}

impl Kept {
    /// Puts builds of a table in the place of those of the same epochs; the files of these stay until the next ones are replaced.
    pub(crate) fn replace(&mut self, table: &TableName, builds: Vec<Build>) {
        let replaced =
            |old: &Build| old.table == *table && builds.iter().any(|new| new.epoch == old.epoch);
        let old = self.builds.extract_if(.., |build| replaced(build)).collect::<Vec<_>>();
        let files = old.iter().flat_map(Build::files).map(|file| file.digest.clone()).collect();
        self.before.insert(table.clone(), files);
        self.builds.extend(builds);
        self.builds.sort_by(|a, b| (&a.table, a.epoch).cmp(&(&b.table, b.epoch)));
    }

    /// Every file that may be downloaded.
    pub(crate) fn files(&self) -> BTreeSet<Digest> {
        let now = self.builds.iter().flat_map(Build::files).map(|file| file.digest.clone());
        now.chain(self.before.values().flatten().cloned()).collect()
    }
}

impl Store {
    pub(crate) fn new(state: &Path) -> Self {
        Self { folder: state.join("lookups") }
    }

    /// The folder of seeds, made if need be.
    pub(crate) fn folder(&self) -> Result<&Path, FilesError> {
        files::create_folder(&self.folder.join(FILES))?;
        Ok(&self.folder)
    }

    /// Reads what counted last. A build whose files are not what was written does not count any more. O(bytes).
    pub(crate) fn read(&self) -> Result<Kept, FilesError> {
        let path = self.folder.join(KEPT);
        if !path.exists() {
            return Ok(Kept::default());
        }
        let read = serde_json::from_slice::<Kept>(&files::read(&path, LONGEST)?);
        let Ok(mut kept) = read else {
            tracing::warn!(
                "the record of published lookup tables is damaged: they are built again"
            );
            return Ok(Kept::default());
        };
        kept.builds.retain(|build| {
            let whole = build.files().into_iter().all(|file| self.is_whole(file));
            if !whole {
                tracing::warn!(table = %build.table, epoch = build.epoch, "a published file is gone or damaged: the table is built again");
            }
            whole
        });
        Ok(kept)
    }

    /// Writes bytes that may be downloaded once what counts names them.
    pub(crate) fn publish(&self, bytes: &[u8]) -> Result<Published, FilesError> {
        let digest = sha256(bytes);
        files::replace(&self.file(&digest), bytes, Mode::Secret)?;
        Ok(Published { digest, bytes: bytes.len() as u64 })
    }

    /// From now on this counts, durably; files that it does not name are removed.
    pub(crate) fn write(&self, kept: &Kept) -> Result<(), FilesError> {
        let path = self.folder.join(KEPT);
        let fault = |source| FilesError::Write { path: path.clone(), source };
        let bytes = serde_json::to_vec(kept).map_err(|error| fault(io::Error::other(error)))?;
        files::replace(&path, &bytes, Mode::Secret)?;
        self.sweep(&kept.files());
        Ok(())
    }

    /// Removes what a crash left beside a file, and keys of other tables than these: nothing moves them on any more, so that they
    /// would open what was published under them for ever.
    pub(crate) fn forget_all_but(&self, tables: &BTreeSet<&TableName>) -> Result<(), FilesError> {
        let Ok(entries) = std::fs::read_dir(&self.folder) else { return Ok(()) };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let Some(name) = name.to_str() else { continue };
            let left_behind = name.starts_with('.') && name.strip_suffix(".new").is_some();
            let other = name
                .strip_suffix(".key")
                .is_some_and(|table| !tables.iter().any(|kept| kept.as_str() == table));
            if left_behind || other {
                let path = entry.path();
                std::fs::remove_file(&path).map_err(|source| FilesError::Write { path, source })?;
                if other {
                    tracing::warn!(
                        file = name,
                        "node.toml has no such lookup table any more: its key is removed"
                    );
                }
            }
        }
        Ok(())
    }

    /// A serial that no directory ever had, durably. One that cannot be read is an error: it may have been any.
    pub(crate) fn next_serial(&self, after: u64) -> Result<u64, FilesError> {
        let path = self.folder.join(SERIAL);
        let kept: u64 = if path.exists() {
            let text = files::read(&path, 64)?;
            let serial = String::from_utf8_lossy(&text).trim().parse();
            serial.map_err(|error| FilesError::Read {
                path: path.clone(),
                source: io::Error::new(io::ErrorKind::InvalidData, error),
            })?
        } else {
            0
        };
        let serial = kept.max(after).saturating_add(1);
        files::replace(&path, format!("{serial}\n").as_bytes(), Mode::Secret)?;
        Ok(serial)
    }

    /// A piece of a file of at most `longest` bytes; `None` past its end.
    pub(crate) fn piece(
        &self,
        digest: &Digest,
        offset: u64,
        longest: usize,
    ) -> io::Result<Option<Vec<u8>>> {
        let mut file = File::open(self.file(digest))?;
        if offset >= file.metadata()?.len() {
            return Ok(None);
        }
        file.seek(SeekFrom::Start(offset))?;
        let mut bytes = Vec::new();
        file.take(longest as u64).read_to_end(&mut bytes)?;
        Ok(Some(bytes))
    }

    fn file(&self, digest: &Digest) -> PathBuf {
        self.folder.join(FILES).join(digest.as_str())
    }

    fn is_whole(&self, file: &Published) -> bool {
        let longest = usize::try_from(file.bytes).unwrap_or(usize::MAX);
        let bytes = files::read(&self.file(&file.digest), longest);
        bytes.is_ok_and(|bytes| sha256(&bytes) == file.digest)
    }

    /// Removes what is not named, also what a crash left behind.
    fn sweep(&self, named: &BTreeSet<Digest>) {
        let Ok(entries) = std::fs::read_dir(self.folder.join(FILES)) else { return };
        for entry in entries.flatten() {
            let name = entry.file_name();
            let kept = name
                .to_str()
                .and_then(|name| name.parse().ok())
                .is_some_and(|digest| named.contains(&digest));
            if !kept && let Err(error) = std::fs::remove_file(entry.path()) {
                tracing::warn!(error = %error.kind(), "a file that is no longer published was not removed");
            }
        }
    }
}

#[cfg(test)]
mod tests;
