//! An auditor's index of a log, in a folder: for its owner alone, because words can be looked up in it.

use crate::files::{self, FilesError, Mode};
use mayag_audit::index::Store;
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};

/// The folder of one log's index.
#[derive(Debug)]
pub struct IndexFiles(PathBuf);

impl IndexFiles {
    /// Opens the folder; makes it where there is none.
    pub fn open(folder: &Path) -> Result<Self, FilesError> {
        files::create_folder(folder)?;
        Ok(Self(folder.to_owned()))
    }
}

impl Store for IndexFiles {
    fn read_at(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let mut bytes = vec![0; length];
        File::open(self.0.join(name))?.read_exact_at(&mut bytes, offset)?;
        Ok(bytes)
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        files::replace(&self.0.join(name), bytes, Mode::Secret).map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::IndexFiles;
    use mayag_audit::index::Store as _;
    use std::io::ErrorKind;

    #[test]
    fn what_is_not_there_and_what_is_too_short_are_told_apart() {
        let folder = tempfile::tempdir().unwrap();
        let store = IndexFiles::open(&folder.path().join("index")).unwrap();
        assert_eq!(store.read_at("a", 0, 1).unwrap_err().kind(), ErrorKind::NotFound);
        store.replace("a", b"abc").unwrap();
        assert_eq!(store.read_at("a", 1, 2).unwrap(), b"bc");
        assert_eq!(store.read_at("a", 2, 2).unwrap_err().kind(), ErrorKind::UnexpectedEof);
    }
}
