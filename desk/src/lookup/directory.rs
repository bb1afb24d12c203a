//! Directories: what a node publishes of its tables, signed, and held against what was seen of it before.
//!
//! A proof shows that some key evaluated a vector; the directory says which. A node that shows every person another key could
//! tell them apart by it, so a key, once seen, stays: `lookups/directories/<country>.json` in the state folder remembers serial, keys
//! and indices. A crash while it is written leaves the old one.

use super::LookupError;
use crate::fault::{Fault, VerificationFailed};
use mayag_audit::keys::{Ed25519, sha256};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{Directory, DirectoryEntry, LONGEST_DIRECTORY};
use mayag_protocol::names::{Country, Digest, EvaluationKey, KindName, TableName};
use mayag_protocol::roster::Roster;
use mayag_protocol::strict;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, Mode};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder inside that of lookups.
const FOLDER: &str = "directories";

/// Keys that ended this long ago are forgotten: nothing is evaluated with them any more.
const FORGET: Duration = Duration::from_hours(90 * 24);

/// The directories that were seen.
#[derive(Debug)]
pub(super) struct Seen {
    folder: Option<PathBuf>,
    nodes: BTreeMap<Country, Known>,
}

/// What is remembered of one node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Known {
    v: u8,
    node: Identity,
    /// The highest serial.
    serial: u64,
    tables: Vec<KnownTable>,
}

/// What is remembered of one table in one epoch, for one kind and version of the rules: its key follows from all four, so that
/// an operator who changes the last two within an epoch has another key and traces nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct KnownTable {
    table: TableName,
    epoch: u32,
    kind: KindName,
    rules: u16,
    key: EvaluationKey,
    until: Timestamp,
    /// The serial of the directory that said so last.
    serial: u64,
    /// SHA-256 of what else that said.
    entry: Digest,
}

/// Opens a country's directory: signed by its node with the key that the roster lists, and in order.
pub(super) fn open(
    envelope: &[u8],
    country: &Country,
    roster: &Roster,
) -> Result<Directory, VerificationFailed> {
    let failed = |what| VerificationFailed::of(country, what);
    let member = roster.node(country).ok_or_else(|| failed(Fault::Signature))?;
    let envelope =
        Envelope::parse(envelope, LONGEST_DIRECTORY).map_err(|_| failed(Fault::Directory))?;
    let keys = std::slice::from_ref(&member.answer_key);
    let signed = envelope
        .open(PayloadType::Directory, keys, 1, &Ed25519)
        .map_err(|_| failed(Fault::Signature))?;
    let directory: Directory = signed.parse().map_err(|_| failed(Fault::Directory))?;
    if directory.v != 1 {
        return Err(failed(Fault::Version));
    }
    let place = |entry: &DirectoryEntry| (entry.table.clone(), entry.epoch);
    let sorted = directory.tables.is_sorted_by(|one, next| place(one) < place(next));
    if directory.node != member.identity || !sorted {
        return Err(failed(Fault::Directory));
    }
    Ok(directory)
}

impl Seen {
    /// What was remembered in the folder of lookups; without one, what is seen is remembered as long as this lives.
    pub(super) fn new(lookups: Option<&Path>) -> Self {
        Self { folder: lookups.map(|folder| folder.join(FOLDER)), nodes: BTreeMap::new() }
    }

    /// Holds a directory against what was seen before, and remembers it.
    pub(super) fn accept(
        &mut self,
        country: &Country,
        directory: &Directory,
        now: Timestamp,
    ) -> Result<(), LookupError> {
        let before = self.known(country)?.filter(|known| known.node == directory.node);
        let known = match before {
            None => Known {
                v: 1,
                node: directory.node.clone(),
                serial: directory.serial,
                tables: directory.tables.iter().map(|it| table(it, directory.serial)).collect(),
            },
            Some(before) => {
                let fault = |what| VerificationFailed::of(country, what);
                before.followed_by(directory, now).map_err(fault)?
            }
        };
        self.remember(country, known)
    }

    fn path(&self, country: &Country) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(format!("{country}.json")))
    }

    fn known(&self, country: &Country) -> Result<Option<Known>, LookupError> {
        // Another program may have seen a later one.
        match self.path(country) {
            None => Ok(self.nodes.get(country).cloned()),
            Some(path) if !path.exists() => Ok(None),
            Some(path) => {
                let bytes = files::read(&path, LONGEST_DIRECTORY)?;
                match strict::parse::<Known>(&bytes, LONGEST_DIRECTORY) {
                    Ok(known) if known.v == 1 => Ok(Some(known)),
                    Ok(_) | Err(_) => Err(LookupError::Memory(path)),
                }
            }
        }
    }

    fn remember(&mut self, country: &Country, known: Known) -> Result<(), LookupError> {
        if let (Some(path), Some(folder)) = (self.path(country), &self.folder) {
            let bytes =
                serde_json::to_vec(&known).map_err(|_| LookupError::Memory(path.clone()))?;
            files::create_folder(folder)?;
            files::replace(&path, &bytes, Mode::Secret)?;
        }
        self.nodes.insert(country.clone(), known);
        Ok(())
    }
}

impl Known {
    /// What is known after this directory.
    fn followed_by(mut self, directory: &Directory, now: Timestamp) -> Result<Self, Fault> {
        if directory.serial < self.serial {
            return Err(Fault::DirectoryOlder);
        }
        for entry in &directory.tables {
            let now = table(entry, directory.serial);
            // One serial says one thing of a table, whatever it says.
            if self.tables.iter().any(|known| known.contradicts(&now)) {
                return Err(Fault::TableChanged);
            }
            match self.tables.iter_mut().find(|known| known.scope() == now.scope()) {
                Some(known) => *known = now,
                None => self.tables.push(now),
            }
        }
        self.tables.retain(|known| now < known.until.plus(FORGET));
        self.serial = directory.serial;
        Ok(self)
    }
}

impl KnownTable {
    /// What its key depends on.
    fn scope(&self) -> (&TableName, u32, &KindName, u16) {
        (&self.table, self.epoch, &self.kind, self.rules)
    }

    /// Whether both cannot be what one honest node says.
    fn contradicts(&self, now: &Self) -> bool {
        let place = |known: &Self| (known.table.clone(), known.epoch, known.serial);
        let other_key = self.scope() == now.scope() && self.key != now.key;
        other_key || (place(self) == place(now) && self.entry != now.entry)
    }
}

/// What is remembered of an entry: all that must be the same for everybody.
fn table(entry: &DirectoryEntry, serial: u64) -> KnownTable {
    let DirectoryEntry { table, kind, rules, mode, epoch, from, until, key, index, .. } = entry;
    let said = serde_json::to_vec(&(kind, rules, mode, from, until, index));
    // Plain fields always serialise; an empty text would be the same for everybody.
    let entry = sha256(&said.unwrap_or_default());
    KnownTable {
        table: table.clone(),
        epoch: *epoch,
        kind: kind.clone(),
        rules: *rules,
        key: key.clone(),
        until: *until,
        serial,
        entry,
    }
}
