//! What people at a party's own machine ask of its running program: files in `state/requests`.
//!
//! Only the program writes the party's logs, so whoever reads them there, or erases a detail, leaves a request and waits until it
//! is taken up: the file is gone once its entry is on stable storage. A request that is left while the program does not run is
//! taken up at its next start. Who may write into the state folder may leave one; the operating system says whose file it is,
//! and the entry does.

use crate::details::{names, removed};
use crate::files::{self, FilesError, Mode};
use mayag_audit::entry::ReadFor;
use mayag_audit::keys::{RandomError, random_nonce};
use mayag_protocol::names::{Digest, QuestionId};
use mayag_protocol::strict;
use serde::{Deserialize, Serialize};
use std::fs::{self, File, TryLockError};
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Duration;

/// The folder of requests inside the state folder.
pub const REQUESTS: &str = "requests";

/// The longest request that is read: the digests of many details.
const LONGEST: usize = 1024 * 1024;

/// The longest words of a person in a request, in characters.
pub const LONGEST_WORDS: usize = 200;

/// How long a running program may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// How often it is looked whether it has.
const STEP: Duration = Duration::from_millis(20);

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "snake_case", tag = "kind")]
pub enum Request {
    /// That a log is about to be read.
    Read {
        /// Who reads, as that person says.
        person: String,
        /// What for.
        read_for: ReadFor,
        /// What is done, in a word: `search`, `story`, `open`, ..
        what: String,
        /// The one question it is about.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<QuestionId>,
    },
    /// That details are to be erased.
    Erase {
        /// Which, by the digests that their entries name.
        details: Vec<Digest>,
        /// The one question they are of.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        question: Option<QuestionId>,
        /// Why.
        reason: String,
        /// Who ordered it.
        authority: String,
    },
}

/// What became of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Left {
    /// Its entry is in the log.
    Done,
    /// The party does not run: its next start takes it up.
    ForNextStart,
}

/// Why a request is not taken up.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The folder was not locked.
    #[error("`{path}`: {source}")]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The party runs and does not take it up.
    #[error(
        "the program that keeps `{0}` did not log this within ten seconds, so nothing is shown or erased: see what it says of its log"
    )]
    NotTaken(PathBuf),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The party refuses it.
    #[error("the program that keeps `{0}` cannot read this request: use a `mayag` of its version")]
    Refused(PathBuf),
    /// It cannot be written.
    #[error("the request has words that are too long, or too many details")]
    Words,
}

/// Whether this is the state folder of a party, and not a copy of its published logs.
pub fn is_kept(state: &Path) -> bool {
    state.join(REQUESTS).is_dir()
}

/// Leaves a request, durably, and waits until it is taken up if the party runs.
pub fn leave(state: &Path, request: &Request) -> Result<Left, RequestError> {
    let folder = state.join(REQUESTS);
    let runs = is_locked(&folder)?;
    let path = write(&folder, request)?;
    if !runs {
        return Ok(Left::ForNextStart);
    }
    for _ in 0..PATIENCE.as_millis() / STEP.as_millis() {
        if refused(&path).exists() {
            return Err(RequestError::Refused(state.to_owned()));
        }
        if !path.exists() {
            return Ok(Left::Done);
        }
        thread::sleep(STEP);
    }
    // What nobody took up is taken back: its reader learns nothing.
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Left::Done),
        Ok(()) | Err(_) => Err(RequestError::NotTaken(state.to_owned())),
    }
}

fn write(folder: &Path, request: &Request) -> Result<PathBuf, RequestError> {
    let path = folder.join(format!("{}.json", random_nonce()?));
    let bytes = serde_json::to_vec(request).map_err(|_| RequestError::Words)?;
    if !request.is_short() || LONGEST < bytes.len() {
        return Err(RequestError::Words);
    }
    files::replace(&path, &bytes, Mode::Secret)?;
    Ok(path)
}

impl Request {
    /// Whether its words fit into an entry.
    fn is_short(&self) -> bool {
        let words = match self {
            Self::Read { person, what, .. } => [person, what],
            Self::Erase { reason, authority, .. } => [reason, authority],
        };
        words.iter().all(|words| words.chars().count() <= LONGEST_WORDS)
    }
}

fn refused(path: &Path) -> PathBuf {
    path.with_extension("refused")
}

/// Whether the program that takes up requests runs.
fn is_locked(folder: &Path) -> Result<bool, RequestError> {
    let fault = |source| RequestError::Folder { path: folder.to_owned(), source };
    let file = File::open(folder).map_err(fault)?;
    match file.try_lock() {
        // Given back at once. A program that starts at this moment waits for it.
        Ok(()) => file.unlock().map(|()| false).map_err(fault),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(fault(source)),
    }
}

/// The folder as the program sees it: it is the only one that takes requests up.
#[derive(Debug)]
pub(crate) struct Inbox {
    folder: PathBuf,
    /// Tells others that somebody takes requests up.
    lock: File,
}

/// A request, and whose file it is.
#[derive(Debug)]
pub(crate) struct Taken {
    name: String,
    pub(crate) request: Request,
    /// The user who owns the file, by the operating system.
    pub(crate) user: u32,
}

impl Inbox {
    /// Opens the folder of requests, and makes it if it is not there.
    pub(crate) fn open(state: &Path) -> Result<Self, RequestError> {
        let folder = state.join(REQUESTS);
        files::create_folder(&folder)?;
        let fault = |source| RequestError::Folder { path: folder.clone(), source };
        let lock = File::open(&folder).map_err(fault)?;
        lock.lock_shared().map_err(fault)?;
        Ok(Self { folder, lock })
    }

    /// The requests that are there, and why one cannot be read now. One that is none is put aside.
    pub(crate) fn requests(&self) -> Result<(Vec<Taken>, Option<FilesError>), FilesError> {
        let (mut taken, mut unread) = (Vec::new(), None);
        for name in names(&self.folder)? {
            // Whatever begins with a dot is being written.
            let path = self.folder.join(&name);
            if name.starts_with('.') || path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let user = fs::metadata(&path).map(|metadata| metadata.uid());
            let bytes = match files::read(&path, LONGEST) {
                Ok(bytes) => Some(bytes),
                // Too many open files, a disk that is in trouble: the order stands.
                Err(error @ FilesError::Read { .. }) => {
                    unread = Some(error);
                    continue;
                }
                Err(_not_a_request) => None,
            };
            let request = bytes.and_then(|bytes| strict::parse::<Request>(&bytes, LONGEST).ok());
            match (user, request.filter(Request::is_short)) {
                (Ok(user), Some(request)) => taken.push(Taken { name, request, user }),
                (Ok(_), None) | (Err(_), _) => Self::put_aside(&path),
            }
        }
        Ok((taken, unread))
    }

    /// Leaves a request of the program itself, so that a crash does not lose it.
    pub(crate) fn leave(&self, request: &Request) -> Result<(), RequestError> {
        write(&self.folder, request).map(drop)
    }

    /// Forgets a request whose entry is durable. A crash before it repeats the request, and its entry.
    pub(crate) fn done(&self, taken: &Taken) -> Result<(), FilesError> {
        removed(&self.folder, &taken.name).map(drop)
    }

    fn put_aside(path: &Path) {
        tracing::error!(path = %path.display(), "a request is not readable and was put aside");
        if let Err(error) = fs::rename(path, refused(path)) {
            tracing::error!(%error, "it could not be put aside");
        }
    }
}

impl Drop for Inbox {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child process that is just being started.
        let _unlocked = self.lock.unlock();
    }
}
