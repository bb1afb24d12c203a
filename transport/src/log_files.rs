//! The files of a signed log: the door that `mayag_audit::log` is written through.
//!
//! All files and folders are their owner's alone (0600, 0700). A lock is on the folder itself and ends with the process,
//! so a crash leaves none. Two files are open for as long as the log is, one more while it is read, and up to 64 more while
//! files are replaced.

use crate::details::names;
use crate::files::{FilesError, create_folder, sync_folder};
use mayag_audit::log::door::{Area, Door, Folder, NewFile};
use mayag_audit::log::integrate::LAST_SIGNED;
use mayag_audit::tile::{LONGEST_BUNDLE, Tiles};
use parking_lot::Mutex;
use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, TryLockError};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where a log keeps what. Who can write into which folder gains what is said in `mayag_audit::log::door`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogFolders {
    /// Tiles, bundles and checkpoint: the evidence, as auditors get it.
    pub published: PathBuf,
    /// The write-ahead files. On the fastest disk.
    pub ahead: PathBuf,
    /// `last-signed`. On another volume, and in no backup.
    pub guard: PathBuf,
}

impl LogFolders {
    /// All three below one folder.
    pub fn under(folder: &Path) -> Self {
        Self {
            published: folder.join("published"),
            ahead: folder.join("ahead"),
            guard: folder.join("guard"),
        }
    }

    /// Makes the folders, for a log that is begun. Opening one that was begun before makes none.
    pub fn create(&self) -> Result<(), FilesError> {
        for folder in [&self.published, &self.ahead, &self.guard] {
            create_folder(folder)?;
        }
        Ok(())
    }

    /// Whether they hold nothing but what is made before a log is begun: no checkpoint, no entry, no file that was not put
    /// there for one. Folders that are not there hold nothing.
    pub fn are_blank(&self) -> Result<bool, FilesError> {
        let areas = names(&self.ahead)?;
        let unwritten = |name: &String| {
            let found = fs::metadata(self.ahead.join(name));
            AREAS.contains(&name.as_str())
                && found.is_ok_and(|found| found.is_file() && found.len() == 0)
        };
        let unsigned = names(&self.guard)?.iter().all(|name| *name == beside(LAST_SIGNED));
        Ok(names(&self.published)?.is_empty() && areas.iter().all(unwritten) && unsigned)
    }

    /// The door to them. Locks nothing yet: the log does.
    pub fn door(&self) -> Result<Door, FilesError> {
        let [one, two] = AREAS.map(|name| open_area(&self.ahead.join(name)));
        Ok(Door {
            published: Box::new(FileFolder::new(&self.published)),
            guard: Box::new(FileFolder::new(&self.guard)),
            ahead: [Box::new(one?), Box::new(two?)],
        })
    }
}

/// So many files are open at once while they are written.
const TOGETHER: usize = 64;

/// The write-ahead files.
const AREAS: [&str; 2] = ["a", "b"];

/// The name of a file that is about to take another's place.
fn beside(name: &str) -> String {
    format!(".{name}.new")
}

/// The published files of a log, to be read and verified by whoever has the folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedFiles(pub PathBuf);

impl Tiles for PublishedFiles {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        read(&self.0.join(path), LONGEST_BUNDLE)
    }
}

fn written(path: &Path, source: io::Error) -> FilesError {
    FilesError::Write { path: path.to_owned(), source }
}

/// A write-ahead file.
#[derive(Debug)]
struct FileArea {
    path: PathBuf,
    file: File,
}

fn open_area(path: &Path) -> Result<FileArea, FilesError> {
    let open = |create: bool| {
        File::options().read(true).write(true).create_new(create).mode(0o600).open(path)
    };
    let file = match open(false) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => {
            let file = open(true).map_err(|source| written(path, source))?;
            // A file that a crash could take back would take along what is appended to it.
            let folder = path.parent().unwrap_or(path);
            sync_folder(folder).map_err(|source| written(folder, source))?;
            file
        }
        Err(source) => return Err(FilesError::Read { path: path.to_owned(), source }),
    };
    Ok(FileArea { path: path.to_owned(), file })
}

impl Area for FileArea {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.file.read_at(rest, offset + filled as u64) {
                Ok(0) => break,
                Ok(read) => filled += read,
                Err(fault) if fault.kind() == io::ErrorKind::Interrupted => {}
                Err(fault) => return Err(fault),
            }
        }
        bytes.truncate(filled);
        Ok(bytes)
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }
}

/// A folder whose files are replaced as a whole.
#[derive(Debug)]
struct FileFolder {
    path: PathBuf,
    lock: Mutex<Option<File>>,
}

impl FileFolder {
    fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), lock: Mutex::new(None) }
    }
}

impl Folder for FileFolder {
    fn place(&self) -> String {
        self.path.display().to_string()
    }

    fn lock(&self) -> io::Result<bool> {
        let mut lock = self.lock.lock();
        if lock.is_some() {
            return Ok(true);
        }
        let folder = File::open(&self.path)?;
        match folder.try_lock() {
            Ok(()) => {
                *lock = Some(folder);
                Ok(true)
            }
            Err(TryLockError::WouldBlock) => Ok(false),
            Err(TryLockError::Error(fault)) => Err(fault),
        }
    }

    fn read(&self, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        read(&self.path.join(name), limit)
    }

    fn replace(&self, files: &[NewFile]) -> io::Result<()> {
        let mut changed = BTreeSet::new();
        let mut renames = Vec::new();
        for files in files.chunks(TOGETHER) {
            let mut unsynced = Vec::with_capacity(files.len());
            for NewFile { name, bytes } in files {
                let path = self.path.join(name);
                let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
                    return Err(io::Error::from(io::ErrorKind::InvalidInput));
                };
                self.make(folder, &mut changed)?;
                // Always the same name: what a crash leaves is written over by the next attempt.
                let beside = folder.join(beside(&name.to_string_lossy()));
                unsynced.push(write(&beside, bytes)?);
                changed.insert(folder.to_owned());
                renames.push((beside, path));
            }
            // All are written before the first is synchronised: the file system then writes its journal for all at once,
            // and appends, which wait for the same disk, wait less.
            unsynced.iter().try_for_each(File::sync_all)?;
        }
        // A crash up to here leaves files beside those that count.
        for (beside, path) in &renames {
            fs::rename(beside, path)?;
        }
        // Until its folder is synchronised a crash may undo a rename: nobody is told before that it happened.
        changed.iter().try_for_each(|folder| sync_folder(folder))
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        match fs::remove_dir_all(self.path.join(name)) {
            Err(fault) if fault.kind() != io::ErrorKind::NotFound => Err(fault),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for FileFolder {
    fn drop(&mut self) {
        if let Some(folder) = self.lock.get_mut() {
            // Closing alone would leave the lock to a child process that is just being started and has not let go of our
            // files yet. If this fails, closing is what is left.
            let _unlocked = folder.unlock();
        }
    }
}

impl FileFolder {
    /// Makes a folder and those above it below this one. Each folder that gained one is to be synchronised.
    fn make(&self, folder: &Path, changed: &mut BTreeSet<PathBuf>) -> io::Result<()> {
        if folder == self.path || folder.is_dir() {
            return Ok(());
        }
        if let Some(above) = folder.parent() {
            self.make(above, changed)?;
            changed.insert(above.to_owned());
        }
        match DirBuilder::new().mode(0o700).create(folder) {
            Err(fault) if fault.kind() != io::ErrorKind::AlreadyExists => Err(fault),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn read(path: &Path, limit: usize) -> io::Result<Option<Vec<u8>>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(fault) if fault.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(fault) => return Err(fault),
    };
    let mut bytes = Vec::new();
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most).read_to_end(&mut bytes)?;
    if limit < bytes.len() {
        return Err(io::Error::from(io::ErrorKind::FileTooLarge));
    }
    Ok(Some(bytes))
}

/// Writes a file that is still to be synchronised.
fn write(path: &Path, bytes: &[u8]) -> io::Result<File> {
    let mut file =
        File::options().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(bytes)?;
    Ok(file)
}

#[cfg(test)]
mod tests;
