//! The door to the disk: what the log asks of files, and nothing about how they are opened.
//!
//! Three places, because they are trusted for different things. *Published* is the evidence: tiles, bundles and the
//! checkpoint, in the layout of C2SP `tlog-tiles`; whoever changes it is found out. *Ahead* holds the write-ahead areas:
//! whoever changes them can take away entries of the last second, no older ones. *Guard* holds `last-signed` and is what
//! keeps this log from ever signing two histories: whoever puts back an old one together with an old log needs a witness
//! to be found out. It belongs on another volume, and in no backup.

use std::fmt;
use std::io;

/// A file that is written in place, block by block.
pub trait Area: fmt::Debug + Send {
    /// What an operator calls it: its path.
    fn place(&self) -> String;
    /// Its length in bytes.
    fn length(&self) -> io::Result<u64>;
    /// `length` bytes from `offset`, fewer where the file ends.
    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>>;
    /// Writes all of `bytes` at `offset`, making the file longer where it ends before.
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Returns when everything written is on stable storage (`fdatasync`).
    fn sync(&self) -> io::Result<()>;
}

/// A file's name below its folder, with `/` between folders, and its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFile {
    /// Such as `tile/0/x001/000`.
    pub name: String,
    /// All of it.
    pub bytes: Vec<u8>,
}

/// A folder of files that are replaced as a whole.
pub trait Folder: fmt::Debug + Send + Sync {
    /// What an operator calls it: its path.
    fn place(&self) -> String;
    /// Locks it against every other process for as long as this value lives; `false` if another one has it.
    fn lock(&self) -> io::Result<bool>;
    /// A whole file of at most `limit` bytes, or nothing if there is none.
    fn read(&self, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>>;
    /// Replaces files, each as a whole: written beside it, synchronised, renamed. When this returns all of them are on
    /// stable storage, with their folders and those above that are new. A crash leaves each of them old or new, and a
    /// leftover that the next replacement overwrites.
    fn replace(&self, files: &[NewFile]) -> io::Result<()>;
    /// Removes a folder with the files in it; nothing if there is none.
    fn remove(&self, name: &str) -> io::Result<()>;
}

/// Everything a log is written through.
#[derive(Debug)]
pub struct Door {
    /// Tiles, bundles, checkpoint.
    pub published: Box<dyn Folder>,
    /// `last-signed`, and the newest checkpoint that witnesses cosigned.
    pub guard: Box<dyn Folder>,
    /// The two write-ahead areas, used in turn.
    pub ahead: [Box<dyn Area>; 2],
}
