//! The folder of the demonstration: a temporary one that goes away, or one that was named and stays.

use mayag_transport::files::{self, FilesError, Mode};
use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Lies in every folder made here: only such a folder is ever used again.
const MARKER: &str = "MADE-BY-MAYAG-DEMO.txt";
const MARKER_TEXT: &str = "A throw-away federation, made by `mayag demo`. All data and keys are for demonstration only.\n\
    The next run of `mayag demo` with the same folder replaces everything here.\n";

/// What the demonstration makes inside its folder, and removes again.
const CONTENTS: [&str; 9] = ["au", "kr", "mx", "th", "us", "gateway", "desk", "questions", "pki"];

/// The folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FolderError {
    /// Another demonstration runs in it.
    #[error("{0}: another `mayag demo` is running in this folder; choose another one")]
    Busy(PathBuf),
    /// It was not made or emptied.
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    /// The marker was not written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// It holds something else.
    #[error(
        "{0} is not empty and was not made by `mayag demo`: nothing was written; choose another folder, or empty it yourself"
    )]
    Foreign(PathBuf),
}

/// The folder.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    temporary: Option<TempDir>,
    /// Held while the demonstration runs, so that a second one does not pull the files away.
    _lock: File,
}

impl Folder {
    /// The named folder, emptied of an earlier demonstration, or a new temporary one.
    pub(crate) fn open(named: Option<&Path>) -> Result<Self, FolderError> {
        let (path, temporary) = if let Some(path) = named {
            claim(path)?;
            (absolute(path)?, None)
        } else {
            let folder = tempfile::Builder::new().prefix("mayag-demo-").tempdir();
            let folder = folder.map_err(failed(Path::new("a temporary folder")))?;
            (absolute(folder.path())?, Some(folder))
        };
        let marker = path.join(MARKER);
        if !marker.exists() {
            files::replace(&marker, MARKER_TEXT.as_bytes(), Mode::Public)?;
        }
        let lock = File::open(&marker).map_err(failed(&marker))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(FolderError::Busy(path)),
            Err(TryLockError::Error(source)) => {
                return Err(FolderError::File { path: marker, source });
            }
        }
        if temporary.is_none() {
            empty(&path)?;
        }
        Ok(Self { path, temporary, _lock: lock })
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Keeps a temporary folder.
    pub(crate) fn stay(&mut self) {
        if let Some(folder) = self.temporary.take() {
            let _path = folder.keep();
        }
    }

    /// Removes a temporary folder.
    pub(crate) fn remove(self) -> Result<(), FolderError> {
        match self.temporary {
            Some(folder) => folder.close().map_err(failed(&self.path)),
            None => Ok(()),
        }
    }
}

/// Makes the folder, or finds out that it may be used.
fn claim(path: &Path) -> Result<(), FolderError> {
    if !path.exists() {
        return Ok(files::create_folder(path)?);
    }
    let mut entries = fs::read_dir(path).map_err(failed(path))?;
    let used = entries.next().is_some();
    if used && !path.join(MARKER).is_file() {
        Err(FolderError::Foreign(path.to_owned()))
    } else {
        Ok(())
    }
}

/// Removes what an earlier demonstration made, by name, and nothing else.
fn empty(path: &Path) -> Result<(), FolderError> {
    for name in CONTENTS {
        let old = path.join(name);
        match fs::remove_dir_all(&old) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(FolderError::File { path: old, source }),
        }
    }
    Ok(())
}

fn absolute(path: &Path) -> Result<PathBuf, FolderError> {
    fs::canonicalize(path).map_err(failed(path))
}

fn failed(path: &Path) -> impl FnOnce(io::Error) -> FolderError {
    let path = path.to_owned();
    |source| FolderError::File { path, source }
}

#[cfg(test)]
mod tests {
    use super::{Folder, FolderError};

    #[test]
    fn a_foreign_folder_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let mine = folder.path().join("thesis.txt");
        std::fs::File::create(&mine).unwrap();
        assert!(matches!(Folder::open(Some(folder.path())), Err(FolderError::Foreign(_))));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_former_demonstration_is_replaced_and_a_running_one_is_not() {
        let outer = tempfile::tempdir().unwrap();
        let path = outer.path().join("new/federation");
        let first = Folder::open(Some(&path)).unwrap();
        std::fs::create_dir(path.join("kr")).unwrap();
        assert!(matches!(Folder::open(Some(&path)), Err(FolderError::Busy(_))));
        assert!(path.join("kr").exists());
        first.remove().unwrap();
        let second = Folder::open(Some(&path)).unwrap();
        assert!(!path.join("kr").exists());
        second.remove().unwrap();
        assert!(path.exists(), "a named folder stays");
    }

    #[test]
    fn a_temporary_folder_goes_unless_it_is_to_stay() {
        let gone = Folder::open(None).unwrap();
        let path = gone.path().to_owned();
        gone.remove().unwrap();
        assert!(!path.exists());
        let dropped = Folder::open(None).unwrap();
        let path = dropped.path().to_owned();
        drop(dropped);
        assert!(!path.exists(), "an interrupted demonstration leaves nothing");
        let mut kept = Folder::open(None).unwrap();
        kept.stay();
        let path = kept.path().to_owned();
        kept.remove().unwrap();
        assert!(path.exists());
        std::fs::remove_dir_all(path).unwrap();
    }
}
