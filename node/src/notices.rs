//! What the owner of declared tables is told: who searched for what it holds, also where who searched was told nothing.
//!
//! A notice is on the disk before the answer leaves, and nothing about it may show in the time that takes, of this lookup or of a
//! later one. So a record is written and synced behind the one before for every declared lookup, as long whether anything was met
//! or not, and made by the same steps: what is not met is masked, and a record that tells nothing has nothing in it but random
//! bytes and a sum. Room is filled with zeros ahead by [`Notices::top_up`] and never in a lookup, at times and by lengths that depend on
//! how many lookups there were alone; where there is none, hit and miss are refused alike. The log has the digest of every record,
//! with something random in it: an auditor can hold a notice against the log, and nobody can guess from the log whether there was one.
//!
//! `state/lookups/notices` is records of `MAYAGNO1`, the length of the record (4 bytes, most significant first), 32 random bytes, the
//! SHA-256 of these and all that follows (64 digits); JSON filled up with spaces to the 4,096th byte; and 512 bytes for each element: the length of its text
//! (2), the text (254), 1 if there are more contacts, and 8 contacts behind a byte each, 1 told, 2 silent. All records begin at multiples of 1,024
//! bytes. A crash leaves a record that is whole, or one that is damaged and whose answer never left. What is damaged is passed
//! over up to the next record, and nothing is ever written over.

use mayag_audit::keys::{RandomError, random_secret, sha256};
use mayag_matching::declared::{LONGEST_DECLARED, MET_CONTACTS, MET_SILENT, MET_TOLD, Met};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Digest, QuestionId, TableName, hex};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Question;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

mod record;

use record::{BLOCK, Found, found, record};

/// Where notices are, inside the state folder.
const PLACE: &str = "lookups/notices";

/// Zeros that are written ahead: room for some 60 of the longest records, or 2,000 of the shortest, until it is looked at again.
const AHEAD: u64 = 16 * 1024 * 1024;

/// Why there is no notice. The lookup is then not answered.
#[derive(Debug, thiserror::Error)]
pub enum NoticesError {
    /// The folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A record has more to say than there is room for.
    #[error("a notice is longer than it may be")]
    Long,
    /// No room was filled, or not enough for so many lookups at once.
    #[error(
        "there is no room for notices: is the disk full, or are there more lookups than it takes?"
    )]
    NoRoom,
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

/// Which lookup a notice is about.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct About {
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
}

/// What the owner is told of one lookup.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Notice {
    /// The lookup.
    #[serde(flatten)]
    pub about: About,
    /// What was met; at least one.
    pub met: Vec<MetIdentifier>,
    /// SHA-256 of the record, as the log has it.
    pub digest: Digest,
}

/// An identifier of the table that was searched.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MetIdentifier {
    /// The identifier, as it was searched.
    pub identifier: String,
    /// Contacts of its rows, those of silent rows first.
    pub contacts: Vec<MetContact>,
    /// Whether its rows have more contacts than are listed.
    pub more: bool,
}

/// A contact of rows that were met.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct MetContact {
    /// The contact, as a hit that shows it would; zeros where the row has none.
    pub contact: String,
    /// Whether who searched was told nothing of these rows.
    pub silent: bool,
}

/// The notices of a node, in the order in which they were written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Listed {
    /// Those that can be read.
    pub notices: Vec<Notice>,
    /// Places where something is written that cannot be read: left by a crash before an answer left, or damaged since.
    pub damaged: u64,
}

impl About {
    /// What is told of this question; what was met is said beside it.
    pub(crate) fn new(at: Timestamp, question: &Question, table: TableName) -> Self {
        Self {
            v: 1,
            at,
            question: question.id.clone(),
            person: question.analyst.clone(),
            purpose: question.purpose,
            case: question.case.clone(),
            legal_basis: question.legal_basis.clone(),
            table,
        }
    }
}

/// The file, as its node writes it.
pub(crate) struct Notices {
    path: PathBuf,
    written: Mutex<Written>,
    /// Held by who fills, so that nobody who writes waits for it.
    filling: Mutex<()>,
}

#[derive(Default)]
struct Written {
    file: Option<Arc<File>>,
    /// Behind the last record.
    end: u64,
    /// What is filled.
    size: u64,
}

impl Notices {
    /// The notices of a state folder. Nothing can be written before there is [room](Self::top_up).
    pub(crate) fn new(state: &Path) -> Self {
        let path = state.join(PLACE);
        Self { path, written: Mutex::default(), filling: Mutex::default() }
    }

    /// Writes a notice of a lookup of so many elements, durably, and returns the digest of its record. `searched` is every
    /// identifier, met or not. Blocks for as long as the disk needs.
    pub(crate) fn write(
        &self,
        about: &About,
        searched: &[(&str, Met)],
        elements: u32,
    ) -> Result<Digest, NoticesError> {
        let record = record(about, &random_secret()?, searched, elements)?;
        let digest = sha256(&record);
        let (file, at) = self.place(record.len() as u64)?;
        let written = file.write_all_at(&record, at).and_then(|()| file.sync_data());
        written.map_err(|source| self.fault(source))?;
        Ok(digest)
    }

    /// A place of its own for a record. Whether there is one depends on how many were taken, and not on what they tell.
    fn place(&self, length: u64) -> Result<(Arc<File>, u64), NoticesError> {
        let mut written = self.written.lock();
        let Written { file: Some(file), end, size } = &mut *written else {
            return Err(NoticesError::NoRoom);
        };
        if *size < *end + length {
            return Err(NoticesError::NoRoom);
        }
        let at = *end;
        *end += length;
        Ok((Arc::clone(file), at))
    }

    /// Fills room ahead where half of it is gone, durably; opens the file first if it is not open. To be called before a table is
    /// answered, and by the clock from then on. Blocks for as long as the disk needs.
    pub(crate) fn top_up(&self) -> Result<(), NoticesError> {
        let _one_at_a_time = self.filling.lock();
        if self.written.lock().file.is_none() {
            let opened = self.open()?;
            *self.written.lock() = opened;
        }
        self.fill()
    }

    /// The same, if the file is open: who answers no declared table needs none.
    pub(crate) fn keep_room(&self) -> Result<(), NoticesError> {
        let _one_at_a_time = self.filling.lock();
        self.fill()
    }

    fn fill(&self) -> Result<(), NoticesError> {
        let (file, from, to) = match &*self.written.lock() {
            Written { file: Some(file), end, size } if *size < *end + AHEAD / 2 => {
                (Arc::clone(file), *size, *end + AHEAD)
            }
            Written { .. } => return Ok(()),
        };
        let missing = usize::try_from(to.saturating_sub(from)).unwrap_or_default();
        let filled = file.write_all_at(&vec![0; missing], from).and_then(|()| file.sync_all());
        filled.map_err(|source| self.fault(source))?;
        self.written.lock().size = to;
        Ok(())
    }

    fn open(&self) -> Result<Written, NoticesError> {
        let folder = self.path.parent().unwrap_or_else(|| Path::new("."));
        files::create_folder(folder)?;
        let mut options = File::options();
        options.read(true).write(true).create(true).truncate(false).mode(0o600);
        let file = options.open(&self.path).map_err(|source| self.fault(source))?;
        // A file that a crash could take back would come with all notices in it.
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| self.fault(source))?;
        let (end, damaged) = scan(&file, drop).map_err(|source| self.fault(source))?;
        if damaged > 0 {
            tracing::warn!(
                damaged,
                "places in the file of notices cannot be read: a crash before an answer left, or damage; `mayag lookup notices` lists the rest"
            );
        }
        let size = file.metadata().map_err(|source| self.fault(source))?.len().max(end);
        Ok(Written { file: Some(Arc::new(file)), end, size })
    }

    fn fault(&self, source: io::Error) -> NoticesError {
        NoticesError::System { path: self.path.clone(), source }
    }
}

/// All notices of a node: of the file in its state folder, also while it runs.
pub fn read(state: &Path) -> Result<Listed, NoticesError> {
    let path = state.join(PLACE);
    let mut listed = Listed::default();
    if !path.exists() {
        return Ok(listed);
    }
    let scanned =
        File::open(&path).and_then(|file| scan(&file, |notice| listed.notices.push(notice)));
    let (_, damaged) = scanned.map_err(|source| NoticesError::System { path, source })?;
    Ok(Listed { damaged, ..listed })
}

/// Hands every notice of a file to `each`. Returns the place behind everything that is written, readable or not, and the number of
/// places that are damaged. Holds one record at a time.
fn scan(file: &File, mut each: impl FnMut(Notice)) -> io::Result<(u64, u64)> {
    let size = file.metadata()?.len();
    let (mut at, mut end, mut damaged, mut in_damage) = (0, 0, 0, false);
    while at < size {
        let (step, of) = match found(file, at, size)? {
            Found::Blank => (BLOCK, false),
            Found::Damaged => (BLOCK, true),
            Found::Nothing { length } => (length, false),
            Found::Told { notice, length } => {
                each(*notice);
                (length, false)
            }
        };
        damaged += u64::from(of && !in_damage);
        end = if of || step > BLOCK { at + step } else { end };
        in_damage = of;
        at += step;
    }
    Ok((end, damaged))
}

impl fmt::Debug for About {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "About({}, [redacted])", self.question)
    }
}

impl fmt::Debug for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Notice({}, [redacted])", self.about.question)
    }
}

impl fmt::Debug for MetIdentifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetIdentifier([redacted])")
    }
}

impl fmt::Debug for MetContact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MetContact([redacted])")
    }
}

impl fmt::Debug for Notices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Notices")
    }
}

#[cfg(test)]
mod tests;
