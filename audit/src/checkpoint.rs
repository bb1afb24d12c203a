//! Checkpoints: origin, size and root of a log, as C2SP `tlog-checkpoint` writes them into a signed note.
//!
//! ```text
//! node-be.example/query-log/2026
//! 20852163
//! CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=
//! ```

use crate::note::{KeyName, Note, NoteError, Signature, Signer};
use crate::tile::{LARGEST_SIZE, decimal};
use crate::tree::{Hash, Head};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// The identity of a log. Not empty, one line, without spaces, plus signs and control characters, at most 255 bytes, so
/// that it is also the name of the log's key.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Origin(KeyName);

impl Origin {
    /// The origin as text.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// The name of the log's key.
    pub fn key_name(&self) -> &KeyName {
        &self.0
    }
}

impl FromStr for Origin {
    type Err = CheckpointError;
    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        text.parse().map(Self).map_err(|_| CheckpointError::Origin)
    }
}

impl TryFrom<String> for Origin {
    type Error = CheckpointError;
    fn try_from(text: String) -> Result<Self, CheckpointError> {
        text.parse()
    }
}

impl From<Origin> for String {
    fn from(origin: Origin) -> Self {
        origin.0.as_str().to_owned()
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What a checkpoint says. Nothing is believed because it says so: see [`crate::quorum`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// The log.
    pub origin: Origin,
    /// Its size and root.
    pub head: Head,
}

/// Why bytes are no checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// A line after the root. They are allowed and not recommended; no log of this product writes one, and a witness could
    /// say nothing about it.
    #[error("the checkpoint has lines after the root")]
    Extension,
    /// Not a signed note.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// The first line is not an origin.
    #[error("an origin is 1 to 255 bytes without spaces, plus signs and control characters")]
    Origin,
    /// The third line is not a hash.
    #[error("the third line of a checkpoint is the root in base64")]
    Root,
    /// Not three lines.
    #[error("a checkpoint has three lines: origin, size, root")]
    Shape,
    /// The second line is not a size.
    #[error("the second line of a checkpoint is the size in decimal")]
    Size,
}

impl Checkpoint {
    /// Reads the text of a note.
    pub fn parse(text: &str) -> Result<Self, CheckpointError> {
        let text = text.strip_suffix('\n').ok_or(CheckpointError::Shape)?;
        let mut lines = text.split('\n');
        let mut line = || lines.next().ok_or(CheckpointError::Shape);
        let (origin, size, root) = (line()?, line()?, line()?);
        if lines.next().is_some() {
            return Err(CheckpointError::Extension);
        }
        let origin = origin.parse()?;
        let size =
            decimal(size).filter(|size| *size <= LARGEST_SIZE).ok_or(CheckpointError::Size)?;
        let root: Hash = root.parse().map_err(|_| CheckpointError::Root)?;
        Ok(Self { origin, head: Head { size, root } })
    }

    /// The text that is signed.
    pub fn to_text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.head.size, self.head.root)
    }

    /// Signs it as the log. The log has made sure that it is consistent with all it ever signed.
    pub fn sign(&self, signer: &Signer<'_>) -> Result<CheckpointNote, CheckpointError> {
        let note = Note::sign(self.to_text(), signer)?;
        Ok(CheckpointNote { checkpoint: self.clone(), note })
    }
}

/// A whole checkpoint: what it says and who says so. Read, not believed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointNote {
    checkpoint: Checkpoint,
    note: Note,
}

impl CheckpointNote {
    /// Reads a checkpoint file; checks no signature.
    pub fn parse(bytes: &[u8]) -> Result<Self, CheckpointError> {
        let note = Note::parse(bytes)?;
        Ok(Self { checkpoint: Checkpoint::parse(note.text())?, note })
    }

    /// What it says.
    pub fn checkpoint(&self) -> &Checkpoint {
        &self.checkpoint
    }

    /// The note that says it.
    pub fn note(&self) -> &Note {
        &self.note
    }

    /// Adds a signature line, unless it is there already.
    #[must_use]
    pub fn with(self, signature: Signature) -> Self {
        Self { note: self.note.with(signature), checkpoint: self.checkpoint }
    }

    /// The same checkpoint with these signatures only.
    #[must_use]
    pub fn only(self, signatures: impl IntoIterator<Item = Signature>) -> Self {
        Self { note: self.note.only(signatures), checkpoint: self.checkpoint }
    }

    /// The checkpoint as a file.
    pub fn to_bytes(&self) -> Vec<u8> {
        self.note.to_bytes()
    }
}

#[cfg(test)]
mod tests;
