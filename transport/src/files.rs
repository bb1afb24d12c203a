//! Files: reading with a limit, reading secrets, replacing atomically.

use rustix::fs::{Mode as Bits, OFlags};
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use zeroize::Zeroizing;

/// The longest secret that is read; a private key in PEM has a few hundred bytes.
pub const LONGEST_SECRET: usize = 64 * 1024;

/// How often a name for a temporary file is tried; each is taken only if a crash left it there.
const NAMES: usize = 16;

/// Makes names of temporary files differ within this process.
static COUNTER: AtomicU64 = AtomicU64::new(0);

/// Who may read a file that is written here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Its owner alone: 0600.
    Secret,
    /// Everybody: 0644.
    Public,
}

/// Why a file was not read or written. Says nothing about what is in it.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// A secret that others can read.
    #[error(
        "`{path}` can be read by others: run `chmod 600 {path}`, and replace the key if others may have read it"
    )]
    Exposed {
        /// The file.
        path: PathBuf,
    },
    /// A file longer than anything that belongs there.
    #[error("`{path}` is longer than {limit} bytes: this is not the file that belongs there")]
    Long {
        /// The file.
        path: PathBuf,
        /// The most that is read.
        limit: usize,
    },
    /// A folder, a device or a pipe.
    #[error("`{path}` is not a regular file")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// A secret that is not text.
    #[error("`{path}` is not text in UTF-8")]
    NotText {
        /// The file.
        path: PathBuf,
    },
    /// It was not read.
    #[error("`{path}` was not read: {}", source.kind())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// It was not written; what was there before still is.
    #[error("`{path}` was not written: {}", source.kind())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
}

/// Reads a whole file of at most `limit` bytes.
pub fn read(path: &Path, limit: usize) -> Result<Vec<u8>, FilesError> {
    let file = open(path)?;
    read_open(file, path, limit)
}

/// Reads a private key or another secret: a file that only its owner can read.
///
/// A symbolic link is followed; what counts is the mode of the file that was opened, so that nothing can be exchanged
/// between the look and the read.
pub fn read_secret(path: &Path) -> Result<Zeroizing<String>, FilesError> {
    let file = open(path)?;
    let metadata =
        file.metadata().map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    if metadata.permissions().mode() & 0o077 != 0 {
        return Err(FilesError::Exposed { path: path.to_owned() });
    }
    let bytes = read_open(file, path, LONGEST_SECRET)?;
    String::from_utf8(bytes).map(Zeroizing::new).map_err(|fault| {
        drop(Zeroizing::new(fault.into_bytes()));
        FilesError::NotText { path: path.to_owned() }
    })
}

/// Replaces a file as a whole: readers see the old bytes or the new ones, also after a crash.
///
/// Written beside it, synchronised, renamed, and the folder synchronised. A symbolic link is replaced, not followed.
/// After an error before the rename the old file is untouched; a crash may leave a file `.<name>.<n>.new` behind.
pub fn replace(path: &Path, bytes: &[u8], mode: Mode) -> Result<(), FilesError> {
    let fault = |source| FilesError::Write { path: path.to_owned(), source };
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(fault(io::Error::from(io::ErrorKind::InvalidInput)));
    };
    let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
    let (file, beside) = create_beside(folder, &name.to_string_lossy()).map_err(fault)?;
    let written = write(file, bytes, mode).and_then(|()| fs::rename(&beside, path));
    if let Err(source) = written {
        // The write has failed already; that the leftover could not be removed changes nothing.
        let _removed = fs::remove_file(&beside);
        return Err(fault(source));
    }
    // Without this a crash could undo the rename although the caller was told that it happened.
    sync_folder(folder).map_err(fault)
}

/// Makes a folder, and those above it, that only their owner can enter (0700); one that exists is left as it is.
///
/// Every folder that gained one is synchronised: a crash could take a new folder back otherwise, with all that was
/// written into it since.
pub fn create_folder(path: &Path) -> Result<(), FilesError> {
    let fault = |source| FilesError::Write { path: path.to_owned(), source };
    let new: Vec<&Path> = path
        .ancestors()
        .take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir())
        .collect();
    DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(fault)?;
    new.iter().try_for_each(|folder| sync_folder(above(folder))).map_err(fault)
}

fn above(path: &Path) -> &Path {
    path.parent().filter(|above| !above.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."))
}

/// Returns when what is in a folder is on stable storage: which names there are, not what is in the files.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    File::open(folder)?.sync_all()
}

fn open(path: &Path) -> Result<File, FilesError> {
    // A pipe would make an ordinary open wait for its writer.
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NONBLOCK;
    let fault = |source| FilesError::Read { path: path.to_owned(), source };
    let file = File::from(
        rustix::fs::open(path, flags, Bits::empty()).map_err(|errno| fault(errno.into()))?,
    );
    if file.metadata().map_err(fault)?.is_file() {
        Ok(file)
    } else {
        Err(FilesError::NotAFile { path: path.to_owned() })
    }
}

fn read_open(file: File, path: &Path, limit: usize) -> Result<Vec<u8>, FilesError> {
    // As long as the file is: a buffer that grows leaves copies of what it held behind.
    let length = file.metadata().map_or(0, |found| found.len()).saturating_add(1);
    let length = usize::try_from(length).unwrap_or(limit).min(limit.saturating_add(1));
    let mut bytes = Vec::with_capacity(length);
    let most = u64::try_from(limit).unwrap_or(u64::MAX).saturating_add(1);
    file.take(most)
        .read_to_end(&mut bytes)
        .map_err(|source| FilesError::Read { path: path.to_owned(), source })?;
    if bytes.len() > limit {
        Err(FilesError::Long { path: path.to_owned(), limit })
    } else {
        Ok(bytes)
    }
}

fn create_beside(folder: &Path, name: &str) -> io::Result<(File, PathBuf)> {
    let mut last = io::Error::from(io::ErrorKind::AlreadyExists);
    for _ in 0..NAMES {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let beside = folder.join(format!(".{name}.{}-{number}.new", std::process::id()));
        // Nobody but the owner until the mode is set: the secret is never readable, not even for a moment.
        match File::options().write(true).create_new(true).mode(0o600).open(&beside) {
            Ok(file) => return Ok((file, beside)),
            Err(fault) if fault.kind() == io::ErrorKind::AlreadyExists => last = fault,
            Err(fault) => return Err(fault),
        }
    }
    Err(last)
}

fn write(mut file: File, bytes: &[u8], mode: Mode) -> io::Result<()> {
    file.write_all(bytes)?;
    // Set on the open file, so that the process's umask does not decide.
    file.set_permissions(Permissions::from_mode(match mode {
        Mode::Secret => 0o600,
        Mode::Public => 0o644,
    }))?;
    file.sync_all()
}

#[cfg(test)]
mod tests;
