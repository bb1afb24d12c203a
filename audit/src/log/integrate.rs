//! From the write-ahead file to a published checkpoint.
//!
//! The order is that of Sunlight: everything that the new checkpoint covers is durable somewhere before it is signed, and
//! `last-signed` is exchanged before anybody else sees it. The write-ahead file is the staging: tiles are a function of the
//! entries and the tree before, so a start that finds `last-signed` ahead makes the same files again.

use super::door::{Folder, NewFile};
use super::edge::{Edge, outgrown};
use super::error::{Failure, IntegrateError};
use super::wal::{Leaf, is_full};
use super::{Log, Writer};
use crate::checkpoint::{Checkpoint, CheckpointError, CheckpointNote, Origin};
use crate::note::{LONGEST_NOTE, Signer};
use std::io;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// The file of the guard that holds the last checkpoint signed.
pub const LAST_SIGNED: &str = "last-signed";
/// The published checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// What is integrated, and what is on its way.
#[derive(Debug)]
pub(crate) struct Integrator {
    pub(crate) edge: Edge,
    /// The bytes of `last-signed`, as this program wrote or found them.
    pub(crate) last_signed: Vec<u8>,
    /// The size of the published checkpoint.
    pub(crate) published: u64,
    /// Prepared, and not yet published as a whole.
    pub(crate) unpublished: Option<Publication>,
}

/// A checkpoint and the files it needs.
#[derive(Debug)]
pub(crate) struct Publication {
    pub(crate) files: Vec<NewFile>,
    pub(crate) note: CheckpointNote,
    /// Partial tiles that are of no use once the checkpoint is published.
    pub(crate) outgrown: Vec<String>,
}

/// What a call of [`Log::integrate`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Integrated {
    /// There was nothing to do.
    Nothing,
    /// This checkpoint is published.
    Published(CheckpointNote),
}

impl Log {
    /// Brings everything that is durable under a checkpoint and publishes it. Called by the log's owner at least every
    /// second ([`Log::wait`]), and once before the program ends.
    pub fn integrate(&self) -> Result<Integrated, IntegrateError> {
        let mut integrator = self.integrator.lock();
        if let Some(failure) = self.failure.get() {
            return Err(IntegrateError::Closed(Arc::clone(failure)));
        }
        if integrator.unpublished.is_none() {
            let leaves = self.take_tail()?;
            if leaves.is_empty() {
                return Ok(Integrated::Nothing);
            }
            // A crash here leaves entries in the write-ahead file, and the checkpoint before.
            integrator
                .prepare(&leaves, &self.origin, &self.signer())
                .map_err(|failure| self.closed(failure))?;
        }
        let Some(publication) = &integrator.unpublished else { return Ok(Integrated::Nothing) };
        let note = publication.note.clone();
        exchange(self.guard.as_ref(), &integrator.last_signed, &note)
            .map_err(|failure| self.full_or_closed(failure))?;
        integrator.last_signed = note.to_bytes();
        if let Some(publication) = &integrator.unpublished {
            publish(self.published.as_ref(), publication)
                .map_err(|failure| self.full_or_closed(failure))?;
        }
        integrator.published = note.checkpoint().head.size;
        integrator.unpublished = None;
        // From here on nothing in the area that was left is needed: the next swap writes over it.
        self.note_room();
        self.shown.lock().publish(note.clone());
        Ok(Integrated::Published(note))
    }

    /// Takes the entries written ahead; appends go on in the other area. Waits for the sync that is running.
    fn take_tail(&self) -> Result<Vec<Leaf>, IntegrateError> {
        let mut writer = self.writer.lock();
        let Writer { ahead, tail, .. } = &mut *writer;
        if tail.is_empty() {
            return Ok(Vec::new());
        }
        // INVARIANT (free area): nothing is unpublished, so the other area holds nothing that is needed.
        ahead.swap().map_err(|error| self.closed(Failure::Random(error)))?;
        let leaves = std::mem::take(tail);
        self.waiting.store(0, Ordering::Relaxed);
        self.waiting_bytes.store(0, Ordering::Relaxed);
        Ok(leaves)
    }

    pub(crate) fn closed(&self, failure: Failure) -> IntegrateError {
        IntegrateError::Closed(self.close(failure))
    }

    /// A full disk is waited for: files are written anew as a whole, so that trying again is safe. After any other error
    /// it is not known what is on the disk.
    pub(crate) fn full_or_closed(&self, failure: Failure) -> IntegrateError {
        match failure {
            Failure::Publish { place, source } if is_full(&source) => {
                self.note_full(&place);
                IntegrateError::Full { place }
            }
            Failure::Append { .. }
            | Failure::OtherSigner { .. }
            | Failure::Publish { .. }
            | Failure::Random(_)
            | Failure::Sign(_) => self.closed(failure),
        }
    }
}

impl Integrator {
    /// Makes the files of the grown tree, and signs its checkpoint. Nothing is written.
    fn prepare(
        &mut self,
        leaves: &[Leaf],
        origin: &Origin,
        signer: &Signer<'_>,
    ) -> Result<(), Failure> {
        let (files, outgrown) = grow(&mut self.edge, leaves).map_err(Failure::Sign)?;
        let checkpoint = Checkpoint { origin: origin.clone(), head: self.edge.head() };
        let note = checkpoint.sign(signer)?;
        self.unpublished = Some(Publication { files, note, outgrown });
        Ok(())
    }
}

/// Appends entries to the edge: the new files, and the folders of partial ones that are outgrown.
pub(crate) fn grow(
    edge: &mut Edge,
    leaves: &[Leaf],
) -> Result<(Vec<NewFile>, Vec<String>), CheckpointError> {
    let old = edge.head().size;
    let mut files = Vec::new();
    for leaf in leaves {
        // Append refuses entries that do not fit in a bundle, so this cannot fail.
        edge.push(leaf, &mut files).map_err(|_| CheckpointError::Size)?;
    }
    edge.partial(&mut files);
    Ok((files, outgrown(old, edge.head().size)))
}

/// Exchanges `last-signed`, if it is still what was written there last. Nothing else may ever write it.
pub(crate) fn exchange(
    guard: &dyn Folder,
    last_signed: &[u8],
    note: &CheckpointNote,
) -> Result<(), Failure> {
    let publish = |source| Failure::publish(guard, source);
    let found = guard.read(LAST_SIGNED, LONGEST_NOTE).map_err(publish)?;
    let new = note.to_bytes();
    if found.as_deref() == Some(&new) {
        // An attempt before this one got so far, and the disk was full afterwards.
        return Ok(());
    }
    if found.as_deref().unwrap_or_default() != last_signed {
        return Err(Failure::OtherSigner { place: format!("{}/{LAST_SIGNED}", guard.place()) });
    }
    // A crash during the replacement leaves the old one, and a checkpoint that nobody saw: the next start signs another
    // over at least the same entries. After it, the new one: the next start publishes it.
    guard.replace(&[NewFile { name: LAST_SIGNED.to_owned(), bytes: new }]).map_err(publish)
}

/// Publishes what is signed.
pub(crate) fn publish(folder: &dyn Folder, publication: &Publication) -> Result<(), Failure> {
    let fault = |source: io::Error| Failure::publish(folder, source);
    // A crash here, or among the tiles, leaves `last-signed` ahead of the checkpoint and some tiles that no checkpoint
    // needs: the next start writes all of them again.
    folder.replace(&publication.files).map_err(fault)?;
    // A crash here leaves all tiles and the old checkpoint; the same.
    let bytes = publication.note.to_bytes();
    folder.replace(&[NewFile { name: CHECKPOINT.to_owned(), bytes }]).map_err(fault)?;
    // A crash here leaves partial tiles that nobody asks for any more. They stay, and harm nothing.
    publication.outgrown.iter().try_for_each(|name| folder.remove(name)).map_err(fault)
}
