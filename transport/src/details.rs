//! Details of log entries on the disk: outside the log, so that they can be erased.
//!
//! ```text
//! state/details/<yyyy-mm>/<sha256>   a sealed detail; the entry names it by this digest
//! state/months/<yyyy-mm>.key         the month's key: without it no detail of the month opens, for anybody
//! ```
//!
//! A detail is on stable storage before the entry that commits to it is written, so no entry ever names one that a crash took.
//! A crash between the two leaves a detail that no entry names; it goes with its month.
//!
//! The keys of months are in a folder of their own, because backups of them outlive what they erase.

use crate::files::{self, FilesError, Mode, sync_folder};
use mayag_audit::detail::{DetailError, MonthKey, Sealed};
use mayag_audit::entry::DetailRef;
use mayag_audit::keys::RandomError;
use mayag_protocol::names::Digest;
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// The folder of details inside the state folder.
pub const DETAILS: &str = "details";

/// The folder of the keys of months inside the state folder.
pub const MONTHS: &str = "months";

/// The longest file of a detail that is read.
const LONGEST: usize = 2 * mayag_audit::detail::LONGEST_DETAIL;

/// No month has more.
const LONGEST_MONTH: Duration = Duration::from_hours(31 * 24);

/// Why a detail was not kept, found or erased.
#[derive(Debug, thiserror::Error)]
pub enum DetailsError {
    /// It was not sealed.
    #[error(transparent)]
    Detail(#[from] DetailError),
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// The key of a month is no key.
    #[error(
        "`{0}` does not hold 64 hexadecimal digits: restore it, or the details of its month are erased"
    )]
    Month(PathBuf),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// The details of one party, kept by the one process that writes its logs.
pub struct Details {
    folder: PathBuf,
    months: PathBuf,
    /// The key of the month that details were last sealed in.
    month: Mutex<Option<(String, Arc<MonthKey>)>>,
}

impl Details {
    /// The details in a state folder; makes the folders for them.
    pub fn open(state: &Path) -> Result<Self, DetailsError> {
        let (folder, months) = (state.join(DETAILS), state.join(MONTHS));
        files::create_folder(&folder)?;
        files::create_folder(&months)?;
        Ok(Self { folder, months, month: Mutex::new(None) })
    }

    /// Seals a detail under the key of this month, and returns once it is on stable storage.
    pub fn keep(
        &self,
        now: Timestamp,
        seal: impl FnOnce(&MonthKey) -> Result<Sealed, DetailError>,
    ) -> Result<DetailRef, DetailsError> {
        let month = month_of(now);
        let key = self.month_key(&month)?;
        let Sealed { file, reference } = seal(&key)?;
        let folder = self.folder.join(&month);
        files::create_folder(&folder)?;
        files::replace(&folder.join(reference.ct_sha256.as_str()), &file, Mode::Secret)?;
        Ok(reference)
    }

    /// Removes a detail from the disk; whether it was there. It cannot come back after a crash.
    pub fn erase(&self, detail: &Digest) -> Result<bool, DetailsError> {
        let mut found = false;
        for month in months(&self.folder)? {
            let folder = self.folder.join(&month);
            found |= removed(&folder, detail.as_str())?;
        }
        Ok(found)
    }

    /// The details that are older than this instant: written before it, or in a month that had ended by then.
    pub fn older(&self, than: Timestamp) -> Result<Vec<Digest>, DetailsError> {
        let mut old = Vec::new();
        for month in months(&self.folder)? {
            let folder = self.folder.join(&month);
            let over = is_over(&month, than);
            for name in names(&folder)? {
                let Ok(digest) = name.parse() else { continue };
                if over || written(&folder.join(&name)) < than.millis() {
                    old.push(digest);
                }
            }
        }
        Ok(old)
    }

    /// Destroys the keys of months that had ended before this instant, and what a crash left in their folders. A folder that
    /// somebody put among them is not this program's: it stays, and so does what it is in.
    pub fn end_months(&self, before: Timestamp) -> Result<(), DetailsError> {
        for name in names(&self.months)? {
            let Some(month) = name.strip_suffix(".key") else { continue };
            if !is_over(month, before) {
                continue;
            }
            if is_folder(&self.months.join(&name)) {
                continue;
            }
            // The key first: without it nothing of the month opens, whatever a crash leaves of the rest.
            removed(&self.months, &name)?;
            let folder = self.folder.join(month);
            if !is_folder(&folder) {
                continue;
            }
            let (folders, files): (Vec<String>, Vec<String>) =
                names(&folder)?.into_iter().partition(|left| is_folder(&folder.join(left)));
            for left in files {
                removed(&folder, &left)?;
            }
            if folders.is_empty() {
                let failed = |source| FilesError::Write { path: folder.clone(), source };
                fs::remove_dir(&folder).map_err(failed)?;
                sync_folder(&self.folder).map_err(failed)?;
            }
        }
        Ok(())
    }

    fn month_key(&self, month: &str) -> Result<Arc<MonthKey>, DetailsError> {
        let path = key_file(&self.months, month);
        let mut kept = self.month.lock();
        // A key whose file somebody removed would seal what nobody can ever open.
        if let Some((name, key)) = kept.as_ref().filter(|_| path.exists())
            && name == month
        {
            return Ok(Arc::clone(key));
        }
        let key = if let Some(key) = read_month_key(&path)? {
            key
        } else {
            let key = MonthKey::generate()?;
            files::replace(&path, key.to_hex().as_bytes(), Mode::Secret)?;
            key
        };
        let key = Arc::new(key);
        *kept = Some((month.to_owned(), Arc::clone(&key)));
        Ok(key)
    }
}

impl std::fmt::Debug for Details {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Details({})", self.folder.display())
    }
}

/// A detail as it is kept.
#[derive(Debug)]
pub struct Kept {
    /// The bytes of its file.
    pub file: Vec<u8>,
    /// The key of its month, unless that was destroyed.
    pub month: Option<MonthKey>,
}

/// A detail in a state folder or a copy of one. `None` if there is no such detail.
pub fn find(state: &Path, detail: &Digest) -> Result<Option<Kept>, DetailsError> {
    let folder = state.join(DETAILS);
    for month in months(&folder)? {
        let path = folder.join(&month).join(detail.as_str());
        if path.exists() {
            let month = read_month_key(&key_file(&state.join(MONTHS), &month))?;
            return Ok(Some(Kept { file: files::read(&path, LONGEST)?, month }));
        }
    }
    Ok(None)
}

fn key_file(months: &Path, month: &str) -> PathBuf {
    months.join(format!("{month}.key"))
}

fn read_month_key(path: &Path) -> Result<Option<MonthKey>, DetailsError> {
    if !path.exists() {
        return Ok(None);
    }
    let key = MonthKey::from_hex(&files::read_secret(path)?);
    key.map(Some).ok_or_else(|| DetailsError::Month(path.to_owned()))
}

/// The year and month of an instant (UTC), such as `2026-11`.
fn month_of(at: Timestamp) -> String {
    at.to_string().chars().take(7).collect()
}

/// Whether a month had ended at an instant, counted from its first day by the longest month there is.
fn is_over(month: &str, at: Timestamp) -> bool {
    let first: Result<Timestamp, _> = format!("{month}-01T00:00:00Z").parse();
    first.is_ok_and(|first| first.plus(LONGEST_MONTH) <= at)
}

/// When a file was written, in milliseconds since 1970; the far future if that cannot be told.
fn written(path: &Path) -> i64 {
    let modified = fs::metadata(path).and_then(|metadata| metadata.modified());
    let since = modified.ok().and_then(|modified| modified.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| i64::try_from(since.as_millis()).ok()).unwrap_or(i64::MAX)
}

fn months(details: &Path) -> Result<Vec<String>, FilesError> {
    let mut found = names(details)?;
    let month = |name: &String| is_over(name, Timestamp::from_millis(i64::MAX / 4));
    found.retain(|name| month(name) && is_folder(&details.join(name)));
    Ok(found)
}

/// Whether this is a folder itself, and no link to one.
fn is_folder(path: &Path) -> bool {
    fs::symlink_metadata(path).is_ok_and(|found| found.is_dir())
}

/// The names in a folder, sorted; none if there is no folder.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FilesError> {
    let fault = |source| FilesError::Read { path: folder.to_owned(), source };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(fault(error)),
    };
    let mut names = Vec::new();
    for entry in entries {
        if let Ok(name) = entry.map_err(fault)?.file_name().into_string() {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

/// Removes a file so that no crash brings it back; whether it was there.
pub(crate) fn removed(folder: &Path, name: &str) -> Result<bool, FilesError> {
    let path = folder.join(name);
    match fs::remove_file(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(FilesError::Write { path, source }),
        Ok(()) => {
            sync_folder(folder).map_err(|source| FilesError::Write { path, source })?;
            Ok(true)
        }
    }
}

#[cfg(test)]
mod tests;
