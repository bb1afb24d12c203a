//! Writes whole logs, as a party does: entries, tiles, checkpoints, cosignatures, receipts.

use mayag_audit::checkpoint::{Checkpoint, CheckpointNote};
use mayag_audit::cosignature::Cosigner;
use mayag_audit::keys::SigningKey;
use mayag_audit::note::Signer;
use mayag_audit::quorum::Policy;
use mayag_audit::receipt::Receipt;
use mayag_audit::tile::{
    Level, TileHashes, Tiles, WIDTH, encode_hashes, level_of, paths, push_entry,
};
use mayag_audit::tree::{Frontier, Hash, Head, leaf_hash, prove_consistency, prove_inclusion};
use mayag_audit::witness::{Replace, Request, consider, cosignatures};
use mayag_protocol::timestamp::Timestamp;
use std::collections::BTreeMap;
use std::io;

/// The present of all samples: 2026-11-28T12:00:00Z.
pub(crate) const NOW: i64 = 1_795_867_200_000;

pub(crate) fn now() -> Timestamp {
    Timestamp::from_millis(NOW)
}

/// The keys of a log and of its witnesses.
pub(crate) struct Keys {
    pub(crate) log: SigningKey,
    pub(crate) witnesses: Vec<SigningKey>,
}

pub(crate) const ORIGIN: &str = "node-be.sample/query-log/2026";

impl Keys {
    pub(crate) fn new(witnesses: usize) -> Self {
        Self { log: key(), witnesses: (0..witnesses).map(|_| key()).collect() }
    }

    pub(crate) fn signer(&self) -> Signer<'_> {
        Signer::log(ORIGIN.parse().unwrap(), &self.log)
    }

    pub(crate) fn cosigner(&self, n: usize) -> Cosigner<'_> {
        Cosigner::new(format!("witness-{n}.sample").parse().unwrap(), &self.witnesses[n])
    }

    /// One verifier key a line, the log's first.
    pub(crate) fn file(&self) -> String {
        let witnesses = (0..self.witnesses.len()).map(|n| self.cosigner(n).verifier().clone());
        let keys = std::iter::once(self.signer().verifier().clone()).chain(witnesses);
        keys.map(|key| key.to_string() + "\n").collect()
    }

    /// All witnesses must have cosigned.
    pub(crate) fn policy(&self) -> Policy {
        Policy::of_keys(&self.file(), self.witnesses.len()).unwrap()
    }

    /// A checkpoint over `head`, signed by the log only.
    pub(crate) fn sign(&self, head: Head) -> CheckpointNote {
        Checkpoint { origin: ORIGIN.parse().unwrap(), head }.sign(&self.signer()).unwrap()
    }

    /// Has all witnesses cosign a log's next checkpoint; `last` is what they kept.
    pub(crate) fn cosign(&self, request: &Request, last: Option<&[u8]>) -> CheckpointNote {
        let known = [self.signer().verifier().clone()];
        (0..self.witnesses.len()).fold(request.checkpoint().clone(), |note, n| {
            let stored = |_: &Replace<'_>| Ok::<(), io::Error>(());
            let pending = consider(request, &known, last).unwrap();
            let body = pending.cosign(&self.cosigner(n), now(), stored).unwrap();
            let verifier = self.cosigner(n).verifier().clone();
            let lines = cosignatures(body.as_bytes(), request.checkpoint(), &verifier).unwrap();
            lines.into_iter().fold(note, CheckpointNote::with)
        })
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

/// The files of a log, by path.
#[derive(Clone, Default)]
pub(crate) struct Folder(pub(crate) BTreeMap<String, Vec<u8>>);

impl Tiles for Folder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

/// An entry that is like no other, and of a length that differs.
pub(crate) fn entry(index: u64) -> Vec<u8> {
    let length = usize::try_from(index % 7).unwrap() * 40;
    format!("{{\"v\":1,\"index\":{index},\"more\":\"{}\"}}", "x".repeat(length)).into_bytes()
}

pub(crate) fn entries(size: u64) -> Vec<Vec<u8>> {
    (0..size).map(entry).collect()
}

impl Folder {
    /// The bundles and tiles of a log of these entries, without checkpoint.
    pub(crate) fn of(entries: &[Vec<u8>]) -> (Self, Frontier) {
        let (mut frontier, mut levels) = (Frontier::default(), BTreeMap::<Level, Vec<Hash>>::new());
        for entry in entries {
            frontier.push(leaf_hash(entry), |node| {
                if let Some(level) = level_of(&node) {
                    levels.entry(level).or_default().push(node.hash);
                }
            });
        }
        let files = paths(frontier.size()).map(|path| {
            let start = usize::try_from(path.index() * WIDTH).unwrap();
            let range = start..start + usize::from(path.width());
            let bytes = match path.level() {
                Level::Entries => entries[range].iter().fold(Vec::new(), |mut bundle, entry| {
                    push_entry(&mut bundle, entry).unwrap();
                    bundle
                }),
                level @ Level::Hashes(_) => encode_hashes(&levels[&level][range]),
            };
            (path.to_string(), bytes)
        });
        (Self(files.collect()), frontier)
    }

    /// A whole log: an older checkpoint at a third of its size, grown from there, cosigned both times.
    pub(crate) fn log(keys: &Keys, entries: &[Vec<u8>]) -> Self {
        let (mut folder, frontier) = Self::of(entries);
        let size = frontier.size();
        let mut hashes = TileHashes::new(&folder, size);
        let older = Frontier::of(&mut hashes, size / 3).unwrap();
        let proof = prove_consistency(&mut hashes, older.size(), size).unwrap();
        let first = keys.sign(Head { size: older.size(), root: older.root() });
        let first = keys.cosign(&Request::new(0, Vec::new(), first), None).to_bytes();
        let second = keys.sign(Head { size, root: frontier.root() });
        let second = keys.cosign(&Request::new(older.size(), proof, second), Some(&first));
        folder.0.insert("checkpoint".to_owned(), second.to_bytes());
        folder.0.insert("older".to_owned(), first);
        folder
    }

    pub(crate) fn checkpoint(&self) -> CheckpointNote {
        CheckpointNote::parse(&self.0["checkpoint"]).unwrap()
    }

    pub(crate) fn receipt(&self, index: u64) -> Receipt {
        let checkpoint = self.checkpoint();
        let size = checkpoint.checkpoint().head.size;
        let proof = prove_inclusion(&mut TileHashes::new(self, size), index, size).unwrap();
        Receipt::new(index, proof, checkpoint)
    }
}
