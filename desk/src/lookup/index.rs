//! Filters and boxes that nodes published: fetched by digest in pieces, kept, and believed only if the digest is theirs.
//!
//! ```text
//! lookups/index/<sha256>        a whole one
//! lookups/index/<sha256>.part   one that is being fetched: a run that is cut off goes on where it ended
//! ```
//!
//! Nobody learns what is compared with them: who fetches a table fetches all of it.

use super::LookupError;
use super::answer::Reason;
use crate::connection::{Connection, ConnectionError};
use bytes::Bytes;
use mayag_audit::keys::sha256;
use mayag_protocol::lookup::{PIECE, Published, Wanted};
use mayag_protocol::names::{Country, Digest};
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::future::Future;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};
use tokio::task::JoinSet;

/// The folder inside that of lookups.
const FOLDER: &str = "index";

/// The longest one: boxes of ten million rows have 612 MB.
const LONGEST: u64 = 1024 * 1024 * 1024;

/// All that are kept have at most so many bytes; what was not used for longest goes first.
const MOST_KEPT: u64 = 4 * 1024 * 1024 * 1024;

/// The same where they are kept in memory.
const MOST_HELD: u64 = 256 * 1024 * 1024;

/// What was not used for as long as two epochs and some days belongs to keys that have ended.
const UNUSED: Duration = Duration::from_hours(21 * 24);

/// Whoever hands out pieces of what nodes published.
pub(super) trait Source {
    /// The piece from an offset on; `None` where there is nothing, or nothing more.
    fn piece(
        &self,
        wanted: &Wanted,
    ) -> impl Future<Output = Result<Option<Bytes>, ConnectionError>> + Send;
}

impl Source for Connection {
    async fn piece(&self, wanted: &Wanted) -> Result<Option<Bytes>, ConnectionError> {
        self.published(wanted).await
    }
}

/// Why there is no index.
#[derive(Debug, thiserror::Error)]
pub(super) enum IndexError {
    /// Nobody brought it.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// It cannot be kept.
    #[error(transparent)]
    Here(#[from] LookupError),
    /// It is not there, or ends too early.
    #[error("not there")]
    Missing,
    /// It is not what its digest says, or longer than any.
    #[error("not what was signed for")]
    Other,
}

impl IndexError {
    /// What it says of a country; an error if it is this machine's.
    pub(super) fn reason(self) -> Result<Reason, LookupError> {
        match self {
            Self::Connection(_) | Self::Missing => Ok(Reason::Unfetched),
            Self::Here(error) => Err(error),
            Self::Other => Ok(Reason::Index),
        }
    }
}

/// What is wanted: by whom it was published, its digest and its length, as a directory that was accepted names them.
#[derive(Debug, Clone)]
pub(super) struct Named {
    pub(super) country: Country,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
}

impl Named {
    /// As a directory names it.
    pub(super) fn published(country: &Country, published: &Published) -> Self {
        let Published { digest, bytes } = published;
        Self { country: country.clone(), digest: digest.clone(), bytes: *bytes }
    }

    fn longest(&self) -> u64 {
        self.bytes.min(LONGEST)
    }
}

/// What was fetched.
#[derive(Debug)]
pub(super) struct Store {
    folder: Option<PathBuf>,
    held: BTreeMap<Digest, Vec<u8>>,
}

impl Store {
    /// What was kept in the folder of lookups; without one, what is fetched is held in memory.
    pub(super) fn open(lookups: Option<&Path>) -> Result<Self, LookupError> {
        let folder = lookups.map(|folder| folder.join(FOLDER));
        if let Some(folder) = &folder {
            files::create_folder(folder)?;
        }
        Ok(Self { folder, held: BTreeMap::new() })
    }

    /// Sees to it that it is here.
    pub(super) async fn fetch(
        &mut self,
        source: &impl Source,
        named: &Named,
        told: &mut (dyn FnMut(u64) + Send),
    ) -> Result<(), IndexError> {
        match &self.folder {
            None if self.held.contains_key(&named.digest) => Ok(()),
            Some(folder) if folder.join(named.digest.as_str()).exists() => Ok(()),
            None => {
                let mut bytes = Vec::new();
                pieces(source, named, &mut bytes, told).await?;
                if sha256(&bytes) != named.digest {
                    return Err(IndexError::Other);
                }
                if MOST_HELD < self.held.values().chain([&bytes]).map(length).sum() {
                    self.held.clear();
                }
                self.held.insert(named.digest.clone(), bytes);
                Ok(())
            }
            Some(folder) => into_folder(source, named, folder, told).await,
        }
    }

    /// Its bytes, which are those of its digest.
    pub(super) async fn read(
        &mut self,
        source: &impl Source,
        named: &Named,
        now: Timestamp,
    ) -> Result<Vec<u8>, IndexError> {
        for _ in 0..2 {
            self.fetch(source, named, &mut |_| ()).await?;
            let Some(folder) = &self.folder else {
                return self.held.get(&named.digest).cloned().ok_or(IndexError::Other);
            };
            let path = folder.join(named.digest.as_str());
            let digest = named.digest.clone();
            let read = blocking(move || {
                let bytes = whole(&path)?;
                if sha256(&bytes) == digest {
                    // So that it is known to be in use; that this could not be noted changes nothing.
                    let _noted = File::open(&path).and_then(|file| file.set_modified(instant(now)));
                    return Ok(Some(bytes));
                }
                // Something on this machine changed it: it is fetched again.
                fs::remove_file(&path).map_err(|source| not_written(&path, source))?;
                Ok::<_, LookupError>(None)
            });
            if let Some(bytes) = read.await.ok_or(LookupError::NoResources)?? {
                return Ok(bytes);
            }
        }
        Err(IndexError::Other)
    }

    /// Removes what has not been used for long, and what is over the bound.
    pub(super) fn tidy(&self, now: Timestamp) {
        let Some(folder) = &self.folder else { return };
        let Ok(entries) = fs::read_dir(folder) else { return };
        let mut kept = Vec::new();
        for entry in entries.flatten() {
            let Ok(metadata) = entry.metadata() else { continue };
            let used = metadata.modified().unwrap_or(UNIX_EPOCH);
            kept.push((used, metadata.len(), entry.path()));
        }
        kept.sort_by(|one, next| next.cmp(one));
        let mut total = 0_u64;
        for (used, bytes, path) in kept {
            total = total.saturating_add(bytes);
            let unused = instant(now).duration_since(used).is_ok_and(|since| UNUSED < since);
            if unused || MOST_KEPT < total {
                // What cannot be removed now is tried again the next time.
                let _removed = fs::remove_file(path);
            }
        }
    }
}

/// Fetches all pieces behind those that are in `bytes`.
async fn pieces(
    source: &impl Source,
    named: &Named,
    bytes: &mut impl Sink,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(), IndexError> {
    loop {
        let offset = bytes.held();
        told(offset);
        if named.bytes == offset {
            return Ok(());
        }
        let wanted =
            Wanted { country: named.country.clone(), digest: named.digest.clone(), offset };
        let piece = source.piece(&wanted).await?.unwrap_or_default();
        if piece.is_empty() {
            return Err(IndexError::Missing);
        }
        let longer = offset.saturating_add(length(&piece));
        if PIECE < piece.len() || named.longest() < longer {
            return Err(IndexError::Other);
        }
        bytes.push(&piece)?;
    }
}

/// Where pieces go.
trait Sink {
    fn held(&self) -> u64;
    fn push(&mut self, piece: &[u8]) -> Result<(), LookupError>;
}

impl Sink for Vec<u8> {
    fn held(&self) -> u64 {
        length(self)
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), LookupError> {
        self.extend_from_slice(piece);
        Ok(())
    }
}

/// The beginning of one, in a file that no other program writes.
struct Part {
    file: File,
    path: PathBuf,
    held: u64,
}

impl Part {
    fn open(path: PathBuf) -> Result<Self, LookupError> {
        let opened = File::options().append(true).create(true).mode(0o600).open(&path);
        let file = opened.map_err(|source| not_written(&path, source))?;
        // Another program that fetches the same is waited for.
        file.lock().map_err(|source| not_written(&path, source))?;
        let held = file.metadata().map_err(|source| not_written(&path, source))?.len();
        Ok(Self { file, path, held })
    }

    fn remove(&self) {
        // It is not used: the next one that fetches begins with what is in it, and finds the same.
        let _removed = fs::remove_file(&self.path);
    }
}

impl Sink for Part {
    fn held(&self) -> u64 {
        self.held
    }

    fn push(&mut self, piece: &[u8]) -> Result<(), LookupError> {
        self.file.write_all(piece).map_err(|source| not_written(&self.path, source))?;
        self.held = self.held.saturating_add(length(piece));
        Ok(())
    }
}

async fn into_folder(
    source: &impl Source,
    named: &Named,
    folder: &Path,
    told: &mut (dyn FnMut(u64) + Send),
) -> Result<(), IndexError> {
    let path = folder.join(named.digest.as_str());
    let beside = folder.join(format!("{}.part", named.digest));
    let opening = beside.clone();
    let part = blocking(move || Part::open(opening)).await.ok_or(LookupError::NoResources)?;
    let mut part = part?;
    if path.exists() {
        return Ok(());
    }
    if named.longest() < part.held {
        part.remove();
        return Err(IndexError::Other);
    }
    pieces(source, named, &mut part, told).await?;
    let digest = named.digest.clone();
    let kept = blocking(move || {
        let bytes = whole(&part.path)?;
        if sha256(&bytes) != digest {
            part.remove();
            return Ok(false);
        }
        let failed = |source| not_written(&part.path, source);
        part.file.sync_all().map_err(failed)?;
        fs::rename(&part.path, &path).map_err(failed)?;
        Ok::<_, LookupError>(true)
    });
    let kept = kept.await.ok_or(LookupError::NoResources)??;
    if kept { Ok(()) } else { Err(IndexError::Other) }
}

fn whole(path: &Path) -> Result<Vec<u8>, LookupError> {
    Ok(files::read(path, usize::try_from(LONGEST).unwrap_or(usize::MAX))?)
}

fn not_written(path: &Path, source: io::Error) -> LookupError {
    FilesError::Write { path: path.to_owned(), source }.into()
}

fn length(bytes: impl AsRef<[u8]>) -> u64 {
    u64::try_from(bytes.as_ref().len()).unwrap_or(u64::MAX)
}

fn instant(at: Timestamp) -> SystemTime {
    UNIX_EPOCH + Duration::from_millis(u64::try_from(at.millis()).unwrap_or(0))
}

/// Does work that keeps a thread busy on one of its own; `None` if there is none, or the work broke.
pub(super) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let mut one = JoinSet::new();
    one.spawn_blocking(work);
    one.join_next().await.and_then(Result::ok)
}
