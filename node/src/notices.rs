//! What the owner of declared tables is told: who searched for what it holds, also where who searched was told nothing.
//!
//! A notice is on the disk before the answer leaves, and nothing about it may show in the time that takes. So a record is written
//! and synced for every declared lookup, as long and at the same place whether anything was met or not; the place moves on only
//! behind one that tells something, and the next record is written over one that does not. Room is filled with zeros far ahead,
//! because a file that grows takes longer. The log has the digest of every record, with something random in it: an auditor can
//! hold a notice against the log, and nobody can guess from the log whether there was one.
//!
//! `state/lookups/notices` is records of `MAYAGNO1`, the length of the record (4 bytes, most significant first) and JSON, filled up
//! with spaces. A crash leaves a record that is whole, or one that cannot be read and whose answer never left.

use mayag_audit::keys::{RandomError, random_nonce, sha256};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Digest, Nonce, QuestionId, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Where notices are, inside the state folder.
const PLACE: &str = "lookups/notices";

const MAGIC: &[u8; 8] = b"MAYAGNO1";

/// Bytes of magic and length.
const HEAD: usize = 12;

/// What everything but identifiers needs at most: case and legal basis have 200 characters each.
const ROOM: usize = 4096;

/// What an identifier needs at most, with its contacts.
const ROOM_OF_ONE: usize = 1024;

/// The longest record: of 513 identifiers.
const LONGEST: usize = ROOM + 1024 * ROOM_OF_ONE;

/// Zeros that are written ahead.
const AHEAD: u64 = 4 * 1024 * 1024;

/// Why there is no notice. The lookup is then not answered.
#[derive(Debug, thiserror::Error)]
pub enum NoticesError {
    /// The folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A record has more to say than there is room for.
    #[error("a notice is longer than it may be")]
    Long,
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The file.
    #[error("{path}: {source}")]
    System {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// What the owner is told of one lookup.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// Version of this format: 1.
    pub v: u8,
    /// When.
    pub at: Timestamp,
    /// The question, as all logs name it.
    pub question: QuestionId,
    /// Who searched.
    pub person: Identity,
    /// Why.
    pub purpose: Purpose,
    /// The case, if one was named.
    pub case: Option<String>,
    /// The legal basis, if one was named.
    pub legal_basis: Option<String>,
    /// The table.
    pub table: TableName,
    /// What was met.
    pub met: Vec<MetIdentifier>,
    /// Keeps the record's digest from being guessed.
    blind: Nonce,
}

/// An identifier of the table that was searched.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MetIdentifier {
    /// The identifier, as it was searched.
    pub identifier: String,
    /// Whether a row of it was kept from who searched.
    pub silent: bool,
    /// The contacts of its rows, as hits show them.
    pub contacts: Vec<String>,
}

impl Notice {
    /// A notice about a lookup; whoever asks says the rest.
    pub(crate) fn new(
        at: Timestamp,
        question: &mayag_protocol::question::Question,
        table: TableName,
        met: Vec<MetIdentifier>,
    ) -> Result<Self, RandomError> {
        Ok(Self {
            v: 1,
            at,
            question: question.id.clone(),
            person: question.analyst.clone(),
            purpose: question.purpose,
            case: question.case.clone(),
            legal_basis: question.legal_basis.clone(),
            table,
            met,
            blind: random_nonce()?,
        })
    }

    /// Its record, as long as so many identifiers may need.
    fn record(&self, elements: u32) -> Result<Vec<u8>, NoticesError> {
        let elements = usize::try_from(elements).unwrap_or(usize::MAX);
        let room = ROOM.saturating_add(ROOM_OF_ONE.saturating_mul(elements));
        let text = serde_json::to_vec(self).map_err(|_| NoticesError::Long)?;
        if room > LONGEST || room < text.len() + HEAD {
            return Err(NoticesError::Long);
        }
        let length = u32::try_from(room).map_err(|_| NoticesError::Long)?;
        let mut record = Vec::with_capacity(room);
        record.extend_from_slice(MAGIC);
        record.extend_from_slice(&length.to_be_bytes());
        record.extend_from_slice(&text);
        record.resize(room, b' ');
        Ok(record)
    }
}

/// The file, as its node writes it.
pub(crate) struct Notices {
    path: PathBuf,
    written: Mutex<Written>,
}

#[derive(Default)]
struct Written {
    file: Option<File>,
    /// Behind the last record that tells something.
    end: u64,
    /// What is filled.
    size: u64,
}

impl Notices {
    /// The notices of a state folder. Nothing is opened before there is one.
    pub(crate) fn new(state: &Path) -> Self {
        Self { path: state.join(PLACE), written: Mutex::default() }
    }

    /// Writes a notice of a lookup of so many elements, durably, and returns the digest of its record. Blocks for as long as
    /// the disk needs.
    pub(crate) fn write(&self, notice: &Notice, elements: u32) -> Result<Digest, NoticesError> {
        let record = notice.record(elements)?;
        let digest = sha256(&record);
        let length = record.len() as u64;
        let mut written = self.written.lock();
        if written.file.is_none() {
            *written = self.open()?;
        }
        let fault = |source| NoticesError::System { path: self.path.clone(), source };
        let Written { file, end, size } = &mut *written;
        let Some(file) = file else { return Err(fault(io::ErrorKind::NotFound.into())) };
        if *end + length > *size {
            *size = fill(file, *size, (*end + length).max(*size + AHEAD)).map_err(fault)?;
        }
        file.write_all_at(&record, *end).and_then(|()| file.sync_data()).map_err(fault)?;
        *end += if notice.met.is_empty() { 0 } else { length };
        Ok(digest)
    }

    fn open(&self) -> Result<Written, NoticesError> {
        let fault = |source| NoticesError::System { path: self.path.clone(), source };
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        files::create_folder(folder)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path).map_err(fault)?;
        // A file that a crash could take back would come with all notices in it.
        File::open(folder).and_then(|folder| folder.sync_all()).map_err(fault)?;
        let (_, end) = records(&file).map_err(fault)?;
        let size = file.metadata().map_err(fault)?.len();
        Ok(Written { file: Some(file), end, size })
    }
}

/// Fills a file with zeros up to this size, durably.
fn fill(file: &File, from: u64, to: u64) -> io::Result<u64> {
    let missing = usize::try_from(to.saturating_sub(from)).unwrap_or_default();
    file.write_all_at(&vec![0; missing], from)?;
    file.sync_all()?;
    Ok(to)
}

/// All notices of a node, in the order in which they were written: of the files in its state folder, also while it runs.
pub fn read(state: &Path) -> Result<Vec<Notice>, NoticesError> {
    let path = state.join(PLACE);
    if !path.exists() {
        return Ok(Vec::new());
    }
    let read = File::open(&path).and_then(|file| records(&file));
    read.map(|(notices, _)| notices).map_err(|source| NoticesError::System { path, source })
}

/// The notices of a file, and where the last of them ends. One that cannot be read is passed over as long as another follows.
fn records(file: &File) -> io::Result<(Vec<Notice>, u64)> {
    let size = file.metadata()?.len();
    let (mut notices, mut at, mut end) = (Vec::new(), 0, 0);
    while at + HEAD as u64 <= size {
        let mut head = [0; HEAD];
        file.read_exact_at(&mut head, at)?;
        let Some((MAGIC, length)) = head.split_first_chunk::<8>() else { break };
        let length = length.try_into().map(u32::from_be_bytes).unwrap_or_default();
        let long = usize::try_from(length).unwrap_or(usize::MAX);
        if !(HEAD..=LONGEST).contains(&long) || size < at + u64::from(length) {
            break;
        }
        let mut text = vec![0; long - HEAD];
        file.read_exact_at(&mut text, at + HEAD as u64)?;
        at += u64::from(length);
        let told = serde_json::from_slice::<Notice>(&text).ok();
        if let Some(notice) = told.filter(|notice| !notice.met.is_empty()) {
            notices.push(notice);
            end = at;
        }
    }
    Ok((notices, end))
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({}, [redacted])", self.question)
    }
}

impl fmt::Debug for MetIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetIdentifier([redacted])")
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAD, MetIdentifier, Notice, Notices, PLACE, read};
    use mayag_audit::keys::random_nonce;
    use mayag_protocol::purpose::Purpose;
    use mayag_protocol::timestamp::Timestamp;
    use std::os::unix::fs::{FileExt as _, PermissionsExt as _};

    fn notice(number: u8, identifiers: &[&str]) -> Notice {
        let met = |identifier: &&str| MetIdentifier {
            identifier: (*identifier).to_owned(),
            silent: true,
            contacts: vec!["00".repeat(16)],
        };
        Notice {
            v: 1,
            at: Timestamp::from_millis(1_800_000_000_000),
            question: format!("{number:032x}").parse().unwrap(),
            person: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
            purpose: Purpose::Border,
            case: Some("case".repeat(50)),
            legal_basis: None,
            table: "observed".parse().unwrap(),
            met: identifiers.iter().map(met).collect(),
            blind: random_nonce().unwrap(),
        }
    }

    #[test]
    fn what_tells_something_stays_and_what_does_not_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let notices = Notices::new(folder.path());
        assert!(read(folder.path()).unwrap().is_empty());
        let told = [notice(1, &["A"]), notice(2, &["B", "C"])];
        notices.write(&notice(9, &[]), 9).unwrap();
        notices.write(&told[0], 2).unwrap();
        notices.write(&notice(8, &[]), 513).unwrap();
        notices.write(&notice(7, &[]), 2).unwrap();
        let digest = notices.write(&told[1], 9).unwrap();
        notices.write(&notice(6, &[]), 2).unwrap();
        assert_eq!(read(folder.path()).unwrap(), told);
        assert_ne!(
            digest,
            notices.write(&Notice { blind: random_nonce().unwrap(), ..notice(6, &[]) }, 9).unwrap()
        );

        // A node that starts again goes on behind them.
        let again = Notices::new(folder.path());
        again.write(&notice(3, &["D"]), 2).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 3);
        let path = folder.path().join(PLACE);
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::metadata(&path).unwrap().len() % 4096, 0, "filled ahead");
    }

    #[test]
    fn a_torn_record_is_the_end_and_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let notices = Notices::new(folder.path());
        notices.write(&notice(1, &["A"]), 2).unwrap();
        notices.write(&notice(2, &["B"]), 2).unwrap();
        let file = std::fs::File::options().write(true).open(folder.path().join(PLACE)).unwrap();
        let second = super::ROOM + 2 * super::ROOM_OF_ONE;
        file.write_all_at(b"\0\0", (second + HEAD + 40) as u64).unwrap();
        assert_eq!(read(folder.path()).unwrap().len(), 1);
        let again = Notices::new(folder.path());
        again.write(&notice(3, &["C"]), 2).unwrap();
        let numbers: Vec<String> =
            read(folder.path()).unwrap().iter().map(|it| it.question.to_string()).collect();
        assert_eq!(numbers, [format!("{:032x}", 1), format!("{:032x}", 3)]);
    }

    #[test]
    fn records_are_as_long_whatever_they_tell() {
        let lengths = [notice(1, &[]), notice(2, &["A"])].map(|it| it.record(2).unwrap().len());
        assert_eq!(lengths[0], lengths[1]);
        let most = "\"".repeat(254);
        let full = notice(3, &vec![most.as_str(); 512]);
        assert_eq!(full.record(513).unwrap().len(), super::ROOM + 513 * super::ROOM_OF_ONE);
        notice(4, &vec![most.as_str(); 60]).record(2).unwrap_err();
        assert!(!format!("{full:?}").contains('"'));
    }
}
