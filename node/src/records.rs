//! Append-only files of records: what a node must remember although it may be killed at any moment.
//!
//! One line is a checksum, a space and the record as JSON. The checksum is the SHA-256 of the checksum before and the
//! record, so that a line that was changed, removed or moved is found when the file is opened, and a node does not go
//! on with it. Only a last line without its end is cut: the node was killed while writing it, so nothing was done on it.

use mayag_audit::keys::sha256;
use mayag_protocol::names::Digest;
use mayag_transport::files;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};

/// The longest line that is read: a record of everything that one question released.
const LONGEST_LINE: u64 = 64 * 1024 * 1024;

/// Hexadecimal digits of a checksum.
const CHECKSUM: usize = 64;

/// Why a file of records is not used.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// A line is not what was written.
    #[error(
        "{path}, line {line}: the record does not verify; restore the file, it is never cut by itself"
    )]
    Broken {
        /// The file.
        path: PathBuf,
        /// The first line that does not verify, from 1.
        line: u64,
    },
    /// Writing failed before: what is on the disk is unknown.
    #[error("{0} failed before and is closed until the node is started again")]
    Closed(PathBuf),
    /// Another process has it.
    #[error("{0}: another process writes this file; two nodes must not share a state folder")]
    Locked(PathBuf),
    /// It cannot be opened, read, written or synced.
    #[error("{path}: {source}")]
    System {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// An open file of records, locked against every other process.
#[derive(Debug)]
pub(crate) struct Records {
    path: PathBuf,
    file: File,
    checksum: Digest,
    closed: bool,
}

impl Records {
    /// Opens or creates a file, verifies every record and hands it to `each`. O(bytes).
    pub(crate) fn open<T: DeserializeOwned>(
        path: &Path,
        mut each: impl FnMut(T),
    ) -> Result<Self, RecordsError> {
        let failed = |source| RecordsError::System { path: path.to_owned(), source };
        let file = open(path).map_err(failed)?;
        file.try_lock().map_err(|_| RecordsError::Locked(path.to_owned()))?;
        let mut checksum = Digest::from_bytes([0; 32]);
        let (mut complete, mut line_number) = (0_u64, 0_u64);
        let mut reader = BufReader::new(&file);
        let mut line = Vec::new();
        loop {
            line.clear();
            (&mut reader).take(LONGEST_LINE).read_until(b'\n', &mut line).map_err(failed)?;
            if line.last() != Some(&b'\n') {
                break;
            }
            line_number += 1;
            let broken = || RecordsError::Broken { path: path.to_owned(), line: line_number };
            let record = line.get(..line.len() - 1).ok_or_else(broken)?;
            let (said, record) = record.split_at_checked(CHECKSUM).ok_or_else(broken)?;
            let record = record.strip_prefix(b" ").ok_or_else(broken)?;
            checksum = follow(&checksum, record);
            if checksum.as_str().as_bytes() != said {
                return Err(broken());
            }
            each(serde_json::from_slice(record).map_err(|_| broken())?);
            complete += line.len() as u64;
        }
        if line.len() as u64 == LONGEST_LINE {
            return Err(RecordsError::Broken { path: path.to_owned(), line: line_number + 1 });
        }
        if !line.is_empty() {
            // The node was killed while it wrote this line: nothing was done on it.
            file.set_len(complete).and_then(|()| file.sync_all()).map_err(failed)?;
        }
        Ok(Self { path: path.to_owned(), file, checksum, closed: false })
    }

    /// Appends a record and syncs it. After an error nothing is appended any more.
    pub(crate) fn append(&mut self, record: &impl Serialize) -> Result<(), RecordsError> {
        if self.closed {
            return Err(RecordsError::Closed(self.path.clone()));
        }
        let failed = |source| RecordsError::System { path: self.path.clone(), source };
        let record = serde_json::to_vec(record).map_err(|error| failed(io::Error::other(error)))?;
        let checksum = follow(&self.checksum, &record);
        let mut bytes = Vec::with_capacity(record.len() + CHECKSUM + 2);
        line(&checksum, &record, &mut bytes);
        // A crash during the write leaves a line without its end, which the next start cuts; after the sync a record
        // on which nothing was done yet, which the next start keeps.
        if let Err(source) = self.file.write_all(&bytes).and_then(|()| self.file.sync_data()) {
            self.closed = true;
            return Err(failed(source));
        }
        self.checksum = checksum;
        Ok(())
    }
}

impl Records {
    /// Replaces the whole file by one of these records. A crash leaves the old file or the new one.
    pub(crate) fn replace(self, records: &[impl Serialize]) -> Result<Self, RecordsError> {
        let path = self.path.clone();
        let failed = |error: io::Error| RecordsError::System { path: path.clone(), source: error };
        let mut checksum = Digest::from_bytes([0; 32]);
        let mut bytes = Vec::new();
        for record in records {
            let record =
                serde_json::to_vec(record).map_err(|error| failed(io::Error::other(error)))?;
            checksum = follow(&checksum, &record);
            line(&checksum, &record, &mut bytes);
        }
        files::replace(&path, &bytes, files::Mode::Secret)
            .map_err(|error| failed(io::Error::other(error)))?;
        let file = open(&path).map_err(failed)?;
        file.try_lock().map_err(|_| RecordsError::Locked(path.clone()))?;
        Ok(Self { path, file, checksum, closed: false })
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        // Closing alone would leave the lock to a child process that is just being started and has not let go of our files yet.
        // If this fails, closing is what is left.
        let _unlocked = self.file.unlock();
    }
}

fn line(checksum: &Digest, record: &[u8], to: &mut Vec<u8>) {
    to.extend(checksum.as_str().as_bytes());
    to.push(b' ');
    to.extend(record);
    to.push(b'\n');
}

fn open(path: &Path) -> io::Result<File> {
    use std::os::unix::fs::OpenOptionsExt as _;
    let existed = path.exists();
    let file = File::options().read(true).append(true).create(true).mode(0o600).open(path)?;
    if let Some(folder) = path.parent().filter(|_| !existed) {
        // A file that a crash could take back would come with everything that was ever appended to it.
        File::open(folder)?.sync_all()?;
    }
    Ok(file)
}

/// The checksum of a record that follows another.
fn follow(before: &Digest, record: &[u8]) -> Digest {
    sha256(&[before.as_str().as_bytes(), record].concat())
}

#[cfg(test)]
mod tests {
    use super::{Records, RecordsError};
    use std::fs::File;
    use std::io::Write as _;
    use std::path::Path;

    fn read(path: &Path) -> Result<Vec<u64>, RecordsError> {
        let mut found = Vec::new();
        Records::open(path, |number: u64| found.push(number)).map(|_| found)
    }

    fn write(path: &Path, bytes: &[u8]) {
        File::create(path).unwrap().write_all(bytes).unwrap();
    }

    #[test]
    fn records_read_back_and_a_torn_end_is_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        for number in 0..5_u64 {
            let mut before = Vec::new();
            let mut records = Records::open(&path, |number: u64| before.push(number)).unwrap();
            assert_eq!(before, (0..number).collect::<Vec<_>>());
            records.append(&number).unwrap();
        }
        let whole = std::fs::read(&path).unwrap();
        let line = whole.len() / 5;
        for cut in 0..whole.len() {
            write(&path, &whole[..cut]);
            assert_eq!(read(&path).unwrap().len(), cut / line, "cut at {cut}");
            assert_eq!(std::fs::read(&path).unwrap().len(), cut / line * line);
        }
    }

    #[test]
    fn what_was_changed_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let mut records = Records::open(&path, |_: u64| ()).unwrap();
        for number in 0..4_u64 {
            records.append(&number).unwrap();
        }
        drop(records);
        let whole = std::fs::read(&path).unwrap();
        let line = whole.len() / 4;
        let refused = |bytes: &[u8], what: &str| {
            write(&path, bytes);
            assert!(matches!(read(&path), Err(RecordsError::Broken { .. })), "{what}");
        };
        for at in (0..whole.len()).filter(|at| whole[*at] != b'\n') {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            refused(&changed, &format!("byte {at}"));
        }
        refused(&whole[line..], "the first record removed");
        refused(&[&whole[..line], &whole[2 * line..]].concat(), "one removed");
        refused(&[&whole[line..2 * line], &whole[..line]].concat(), "two exchanged");
    }

    #[test]
    fn a_second_writer_is_impossible() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("r");
        let first = Records::open(&path, |_: u64| ()).unwrap();
        assert!(matches!(read(&path), Err(RecordsError::Locked(_))));
        drop(first);
        read(&path).unwrap();
    }
}
