//! Writing keys and certificates: private files 0600 in folders 0700, never over a foreign folder.

use crate::CertsError;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

/// Who may read a file.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Audience {
    Everybody,
    OwnerOnly,
}

/// Lies in every folder made here: only such a folder is ever replaced.
const MARKER: &str = "MADE-BY-MAYAG-CERTS.txt";
const MARKER_TEXT: &str = "Development keys and certificates, made by `mayag certs`. Not for real data.\n\
    The next run of `mayag certs` with the same folder replaces everything here.\n";

pub(crate) fn failed(path: &Path) -> impl FnOnce(std::io::Error) -> CertsError + '_ {
    |source| CertsError::File { path: path.to_owned(), source }
}

/// Makes the folder that holds everything, and marks it as ours.
pub(crate) fn marked_folder(path: &Path) -> Result<(), CertsError> {
    fs::create_dir_all(path).map_err(failed(path))?;
    create(&path.join(MARKER), MARKER_TEXT, Audience::Everybody)
}

/// Makes a folder whose parent exists.
pub(crate) fn folder(path: &Path, audience: Audience) -> Result<(), CertsError> {
    let mode = match audience {
        Audience::Everybody => 0o755,
        Audience::OwnerOnly => 0o700,
    };
    DirBuilder::new().mode(mode).create(path).map_err(failed(path))
}

/// Writes a new file.
pub(crate) fn create(path: &Path, text: &str, audience: Audience) -> Result<(), CertsError> {
    let mut file = open_new(path, audience).map_err(failed(path))?;
    file.write_all(text.as_bytes()).map_err(failed(path))
}

/// Writes a file that readers see either as it was or as it will be.
pub(crate) fn replace(path: &Path, text: &str, audience: Audience) -> Result<(), CertsError> {
    let fresh = path.with_extension("new");
    match fs::remove_file(&fresh) {
        Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(&fresh)(error)),
        // A crash of an earlier run left it, or it never was.
        Ok(()) | Err(_) => {}
    }
    let mut file = open_new(&fresh, audience).map_err(failed(&fresh))?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed(&fresh))?;
    rename(&fresh, path)
}

pub(crate) fn rename(from: &Path, to: &Path) -> Result<(), CertsError> {
    fs::rename(from, to).map_err(failed(to))
}

pub(crate) fn read(path: &Path) -> Result<String, CertsError> {
    fs::read_to_string(path).map_err(failed(path))
}

/// Whether `folder` may be removed: it is not there, empty, or made here.
pub(crate) fn may_replace(folder: &Path) -> Result<(), CertsError> {
    let mut entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed(folder)(error)),
    };
    if entries.next().is_none() || folder.join(MARKER).is_file() {
        Ok(())
    } else {
        Err(CertsError::Foreign { path: folder.to_owned() })
    }
}

/// Removes a folder that [`may_replace`] allowed, if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), CertsError> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(failed(folder)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

fn open_new(path: &Path, audience: Audience) -> std::io::Result<File> {
    let mode = match audience {
        Audience::Everybody => 0o644,
        Audience::OwnerOnly => 0o600,
    };
    OpenOptions::new().write(true).create_new(true).mode(mode).open(path)
}
