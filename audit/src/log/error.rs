//! Why an entry is not taken, and why a log is closed for good.

use super::door::Folder;
use crate::checkpoint::CheckpointError;
use crate::keys::RandomError;
use mayag_protocol::timestamp::Timestamp;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// Why the log is closed. It stays closed until the program is started again: what is on the disk is unknown, and a
/// failed sync that is tried again may report success for bytes that were dropped.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The write-ahead file was not written or synced.
    #[error(
        "`{place}` was not written or synced: {source}; stop the program, look at the disk, start it again: it keeps every \
         entry that was acknowledged, or says which it cannot find"
    )]
    Append {
        /// The file.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// Something else signed for this log while it was open.
    #[error(
        "`{place}` is not what this program wrote there last: something else signs or restores this log; stop both, and find \
         out which one answered"
    )]
    OtherSigner {
        /// The file.
        place: String,
    },
    /// Tiles or a checkpoint were not written.
    #[error(
        "in `{place}`: {source}; stop the program, look at the disk, start it again: what was signed is published from the \
         write-ahead file"
    )]
    Publish {
        /// The folder.
        place: String,
        /// What the operating system said.
        source: io::Error,
    },
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The checkpoint was not signed.
    #[error("the checkpoint was not signed: {0}")]
    Sign(#[from] CheckpointError),
}

impl Failure {
    pub(crate) fn publish(folder: &dyn Folder, source: io::Error) -> Self {
        Self::Publish { place: folder.place(), source }
    }
}

/// Why an entry was not taken. Nothing of it is in the log, and nobody may be answered on it; only after
/// [`AppendError::Closed`] it may be found there by the next start.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// Too many entries wait for their checkpoint: signing or publishing does not keep up.
    #[error(
        "{waiting} entries wait for a checkpoint: new questions are refused until they are published"
    )]
    Behind {
        /// How many.
        waiting: u64,
    },
    /// The log is closed.
    #[error("the log is closed until the program is started again: {0}")]
    Closed(Arc<Failure>),
    /// The disk is full.
    #[error("the disk of `{place}` is full: questions are refused until there is room")]
    Full {
        /// The file or folder.
        place: String,
    },
    /// Longer than an entry can be.
    #[error("an entry has at most 65535 bytes, this one has {length}")]
    Long {
        /// Its length.
        length: usize,
    },
    /// Nobody but this program says that the log is the newest there is.
    #[error(
        "no quorum of its witnesses has cosigned the log since it was opened, so it may be an old one that was put back: questions          are refused until they do"
    )]
    Unconfirmed,
    /// The last quorum of witnesses is too old.
    #[error(
        "the log was last cosigned by a quorum of its witnesses {}, longer ago than {} s: questions are refused until they \
         cosign again",
        last.map_or_else(|| "never".to_owned(), |last| format!("at {last}")),
        longest.as_secs()
    )]
    Unwitnessed {
        /// When that was.
        last: Option<Timestamp>,
        /// How old it may be.
        longest: Duration,
    },
}

/// Why entries were not integrated.
#[derive(Debug, Clone, thiserror::Error)]
pub enum IntegrateError {
    /// The log is closed.
    #[error("the log is closed until the program is started again: {0}")]
    Closed(Arc<Failure>),
    /// The disk is full; the same will be tried again at the next call, and questions are refused until it succeeds.
    #[error("the disk of `{place}` is full: entries wait in the write-ahead file")]
    Full {
        /// The folder.
        place: String,
    },
}
