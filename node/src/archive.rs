//! The questions that were asked, kept at home: what `mayag policy replay` decides again under a draft.
//!
//! The log holds no SQL. This archive does, so it is for the country's administrators alone: mode 0600, never sent
//! anywhere, bounded, and not kept at all where `node.toml` says so. It proves nothing and nothing depends on it: a
//! question is answered also when it cannot be written.

use crate::admission::VerifiedQuestion;
use mayag_protocol::names::{Country, Digest, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// The archive inside the state folder.
const CURRENT: &str = "questions.jsonl";
/// What it was before it was full.
const BEFORE: &str = "questions.1.jsonl";

/// A file of the archive is full at this size; with the one before, about a month of 10^4 questions a day.
const FULL: u64 = 64 * 1024 * 1024;

/// The longest file that is read: a full one and the question that filled it.
pub const LONGEST_FILE: usize = 65 * 1024 * 1024;

/// A question as it is kept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Asked {
    /// When.
    pub at: Timestamp,
    /// A pseudonym of the person: the one of the log.
    pub person: Digest,
    /// The person's country.
    pub country: Country,
    /// The person's roles.
    pub roles: Vec<Role>,
    /// The purpose stated.
    pub purpose: Purpose,
    /// The question.
    pub sql: String,
}

/// The files of the archive in this state folder, the oldest first.
pub fn files(state: &Path) -> Vec<PathBuf> {
    [BEFORE, CURRENT]
        .map(|name| state.join(name))
        .into_iter()
        .filter(|path| path.exists())
        .collect()
}

/// The questions in a file of the archive, and how many lines are none: a crash may leave one.
pub fn parse(bytes: &[u8]) -> (Vec<Asked>, usize) {
    let lines = bytes.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    let (mut questions, mut unread) = (Vec::new(), 0);
    for line in lines {
        match serde_json::from_slice(line) {
            Ok(asked) => questions.push(asked),
            Err(_) => unread += 1,
        }
    }
    (questions, unread)
}

/// The archive of a running node.
pub(crate) struct Archive {
    state: PathBuf,
    full: u64,
    file: Mutex<Option<File>>,
}

impl Archive {
    /// The archive in this state folder.
    pub(crate) fn new(state: &Path) -> Self {
        Self { state: state.to_owned(), full: FULL, file: Mutex::new(None) }
    }

    /// Keeps a question whose signature was verified, answered or not.
    pub(crate) fn keep(
        &self,
        question: &VerifiedQuestion,
        person: Digest,
        sql: &str,
        at: Timestamp,
    ) {
        let Some(country) = question.question().analyst.country() else { return };
        let asked = Asked {
            at,
            person,
            country: country.clone(),
            roles: question.person().roles.clone(),
            purpose: question.question().purpose,
            sql: sql.to_owned(),
        };
        if let Err(error) = self.write(&asked) {
            tracing::warn!(error = %error.kind(), "a question was not kept for replays");
        }
    }

    fn write(&self, asked: &Asked) -> io::Result<()> {
        let mut line = serde_json::to_vec(asked).map_err(io::Error::other)?;
        line.push(b'\n');
        let mut open = self.file.lock();
        let file = match open.take() {
            Some(file) => file,
            None => self.open()?,
        };
        let mut file = if file.metadata()?.len() < self.full { file } else { self.turn()? };
        file.write_all(&line)?;
        *open = Some(file);
        Ok(())
    }

    fn open(&self) -> io::Result<File> {
        let path = self.state.join(CURRENT);
        File::options().append(true).create(true).mode(0o600).open(path)
    }

    /// Puts the full file in the place of the one before, and begins a new one.
    fn turn(&self) -> io::Result<File> {
        fs::rename(self.state.join(CURRENT), self.state.join(BEFORE))?;
        self.open()
    }
}

#[cfg(test)]
mod tests {
    use super::{Archive, Asked, files, parse};
    use mayag_protocol::purpose::Purpose;
    use mayag_protocol::timestamp::Timestamp;
    use std::os::unix::fs::PermissionsExt as _;

    fn asked(i: usize) -> Asked {
        Asked {
            at: Timestamp::from_millis(0),
            person: "00".repeat(32).parse().unwrap(),
            country: "kr".parse().unwrap(),
            roles: vec!["analyst".parse().unwrap()],
            purpose: Purpose::Trend,
            sql: format!("SELECT {i}"),
        }
    }

    #[test]
    fn the_archive_is_private_bounded_and_reads_back() {
        let state = tempfile::tempdir().unwrap();
        let archive = Archive { full: 1000, ..Archive::new(state.path()) };
        for i in 0..50 {
            archive.write(&asked(i)).unwrap();
        }
        let files = files(state.path());
        assert_eq!(files.len(), 2);
        let mut read = Vec::new();
        for file in &files {
            let metadata = std::fs::metadata(file).unwrap();
            assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
            assert!(metadata.len() < 1300);
            let (questions, unread) = parse(&std::fs::read(file).unwrap());
            assert_eq!(unread, 0);
            read.extend(questions);
        }
        assert_eq!(read.last(), Some(&asked(49)));
        assert!(read.windows(2).all(|pair| pair[0].sql != pair[1].sql));
    }

    #[test]
    fn a_torn_line_is_counted_and_the_others_are_read() {
        let whole = serde_json::to_string(&asked(1)).unwrap();
        let (questions, unread) =
            parse(format!("{whole}\n{}", whole.get(..20).unwrap()).as_bytes());
        assert_eq!((questions, unread), (vec![asked(1)], 1));
    }
}
