//! The lookup tables of a node: which there are, their keys, what is published of them, and who may see that.
//!
//! A table exists where the policy in force declares it and `node.toml` has rows for it. Its index is built beside the work on
//! questions ([`build`], [`keeper`]), written to the disk ([`store`]), and comes into force together with a new signed
//! directory, once the log of administration knows the directory's digest. Keys move on with the epochs ([`keys`]).

use crate::node::Node;
use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::{Ed25519, RandomError, SigningKey, sha256};
use mayag_audit::log::commit::Kind as Priority;
use mayag_audit::party::Book;
use mayag_matching::declared::Table;
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{self, SecretKey};
use mayag_policies::document::Policy;
use mayag_protocol::envelope::{Base64, Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{
    DeclaredTable, Directory, DirectoryEntry, LONGEST_DIRECTORY, Mode, PublishedIndex, UnreadyTable,
};
use mayag_protocol::names::{Digest, EvaluationKey, PublicKey, TableName};
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::FilesError;
use mayag_transport::party_logs::PartyLogsError;
use parking_lot::{Mutex, RwLock};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{Notify, Semaphore};

mod build;
pub mod config;
mod declared;
mod epochs;
mod evaluating;
pub(crate) mod keeper;
mod keys;
mod rows;
mod store;
mod terms;

use build::{Built, Order};
use config::{LookupConfig, LookupSettings};
use declared::DeclaredBuild;
use epochs::Epochs;
use keys::{SeedError, TableSeed};
use rows::handling_legend;
use store::{Build, Kept, Store};
use terms::{Closed, Terms};

/// Why what is published is not what it should be.
#[derive(Debug, thiserror::Error)]
pub enum LookupsError {
    /// A directory with so many words cannot be read by anybody.
    #[error(
        "the directory of lookup tables is longer than {LONGEST_DIRECTORY} bytes: use fewer categories"
    )]
    Directory,
    /// The disk.
    #[error("lookup tables: {0}")]
    Files(#[from] FilesError),
    /// The log cannot be written: nothing is published.
    #[error(transparent)]
    Logs(#[from] PartyLogsError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
}

/// All lookup tables of a node.
pub(crate) struct Lookups {
    tables: Vec<LookupConfig>,
    settings: LookupSettings,
    epochs: Epochs,
    node: Identity,
    store: Store,
    state: Mutex<State>,
    in_service: RwLock<Arc<InService>>,
    /// The policy may be another one, or the operator wants it done now.
    wake: Notify,
    evaluating: Arc<Semaphore>,
}

/// What changes one step at a time.
struct State {
    kept: Kept,
    declared: declared::Read,
    /// Which tables the operator was told are closed.
    told: BTreeMap<TableName, Closed>,
}

/// Whether somebody who reads the roster in force can seal to this node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sealing {
    /// The node has the key that the roster lists for it.
    Everybody,
    /// It has none, or the roster lists another one.
    Nobody,
}

/// A table that the policy in force and `node.toml` both have, with the keys of its live epochs.
struct OpenTable {
    terms: Terms,
    keys: Vec<(Scope, Arc<SecretKey>)>,
}

/// What is answered with: one version for the whole length of a question.
pub(crate) struct InService {
    directory: Directory,
    envelope: Vec<u8>,
    /// The same without tables, for those who may search none.
    empty: Vec<u8>,
    keys: BTreeMap<(TableName, u32), Arc<SecretKey>>,
    declared: BTreeMap<TableName, Arc<Table>>,
    files: BTreeSet<Digest>,
}

/// A table in an epoch that is answered now.
pub(crate) struct LiveTable<'a> {
    pub(crate) entry: &'a DirectoryEntry,
    pub(crate) key: &'a Arc<SecretKey>,
}

impl OpenTable {
    /// Whether this was built under the same terms, with one of its keys.
    fn has(&self, build: &Build) -> bool {
        let built_with = |(scope, key): &(Scope, Arc<SecretKey>)| {
            scope.epoch == build.epoch && build.key.to_bytes() == *key.public().as_bytes()
        };
        self.terms.table == build.table
            && self.terms.digest() == build.terms
            && self.keys.iter().any(built_with)
    }
}

impl InService {
    /// The envelope of the directory.
    pub(crate) fn envelope(&self) -> &[u8] {
        &self.envelope
    }

    /// The envelope of the directory without a table.
    pub(crate) fn empty(&self) -> &[u8] {
        &self.empty
    }

    /// A table in an epoch, if it is answered at this time.
    pub(crate) fn live(
        &self,
        table: &TableName,
        epoch: u32,
        now: Timestamp,
    ) -> Option<LiveTable<'_>> {
        let entry = self.directory.live(table, epoch, now)?;
        let key = self.keys.get(&(table.clone(), epoch))?;
        Some(LiveTable { entry, key })
    }
}

impl InService {
    /// The same directory, answered only as far as its tables are open and what it says of them is still to be had.
    fn narrowed(&self, open: &[OpenTable], state: &State) -> Self {
        let (files, mut keys) = (state.kept.files(), keys_of(open));
        keys.retain(|(table, epoch), key| {
            self.directory.tables.iter().any(|entry| {
                let index = [&entry.index.filter, &entry.index.boxes];
                entry.table == *table
                    && entry.epoch == *epoch
                    && entry.key.to_bytes() == *key.public().as_bytes()
                    && index.iter().all(|file| files.contains(&file.digest))
            })
        });
        let (directory, envelope) = (self.directory.clone(), self.envelope.clone());
        let mut declared = tables_of(&state.declared);
        declared.retain(|name, _| {
            let read = state.declared.get(name).map(DeclaredBuild::built_at);
            let mut said = self.directory.declared.iter().filter(|entry| entry.table == *name);
            said.any(|entry| read == Some(entry.built_at))
        });
        let empty = self.empty.clone();
        Self { directory, envelope, empty, keys, declared, files }
    }
}

impl Lookups {
    /// Reads what was published last. What of it still counts is found by [`Lookups::settle`].
    pub(crate) fn open(
        config: &crate::config::NodeConfig,
        answer_key: &SigningKey,
        now: Timestamp,
    ) -> Result<Self, LookupsError> {
        let store = Store::new(&config.state);
        store.forget_all_but(&config.lookups.iter().map(|lookup| &lookup.table).collect())?;
        let kept = store.read()?;
        let settings = config.lookup_settings;
        let node = Identity::node(&config.federation, &config.country);
        let read = kept.envelope.as_ref().and_then(|Base64(envelope)| {
            Some((directory_in(envelope, answer_key.public())?, envelope.clone()))
        });
        let (directory, envelope) = if let Some(read) = read {
            read
        } else {
            // What was published may be lost: whoever saw it must not take this for something older.
            store.folder()?;
            let (serial, node, tables) = (store.next_serial(0)?, node.clone(), Vec::new());
            let (declared, unready) = (Vec::new(), Vec::new());
            let nothing =
                Directory { v: 1, node, serial, issued_at: now, tables, declared, unready };
            let envelope = sealed(&nothing, answer_key)?;
            (nothing, envelope)
        };
        let empty = sealed(&without_tables(&directory), answer_key)?;
        let files = kept.files();
        let (keys, declared) = (BTreeMap::new(), BTreeMap::new());
        let in_service = InService { directory, envelope, empty, keys, declared, files };
        Ok(Self {
            tables: config.lookups.clone(),
            settings,
            epochs: Epochs::new(&settings),
            node,
            store,
            state: Mutex::new(State { kept, declared: BTreeMap::new(), told: BTreeMap::new() }),
            in_service: RwLock::new(Arc::new(in_service)),
            wake: Notify::new(),
            evaluating: Arc::new(Semaphore::new(settings.evaluations.get())),
        })
    }

    /// What is answered with now.
    pub(crate) fn in_service(&self) -> Arc<InService> {
        Arc::clone(&self.in_service.read())
    }

    /// Has data, policy and epochs looked at now.
    pub(crate) fn look(&self) {
        self.wake.notify_one();
    }

    /// A piece of a file that is published, or was until the build before; `None` where there is none.
    pub(crate) fn piece(&self, digest: &Digest, offset: u64, longest: usize) -> Option<Vec<u8>> {
        if !self.in_service().files.contains(digest) {
            return None;
        }
        let piece = self.store.piece(digest, offset, longest);
        piece
            .inspect_err(
                |error| tracing::error!(error = %error.kind(), "a published file cannot be read"),
            )
            .ok()?
    }

    /// Takes out of service what the policy in force or the time no longer allow, and publishes that. Blocks for as long as the
    /// disk needs.
    pub(crate) fn settle(&self, node: &Node) -> Result<(), LookupsError> {
        let mut state = self.state.lock();
        self.publish(node, &mut state).map(drop)
    }

    /// What is to be built: every live epoch of every table whose index is not of these data.
    fn orders(&self, node: &Node, data: &Digest) -> Result<Vec<Order>, LookupsError> {
        let mut state = self.state.lock();
        let open = self.publish(node, &mut state)?;
        let mut orders = Vec::new();
        for OpenTable { terms, mut keys } in open {
            keys.retain(|(scope, _)| {
                let of_now = |build: &&Build| {
                    build.table == scope.table && build.epoch == scope.epoch && build.data == *data
                };
                !state.kept.builds.iter().any(|build| of_now(&build))
            });
            let declared = match terms.mode {
                Mode::Blinded => false,
                Mode::Declared => {
                    let of_now = |read: &DeclaredBuild| read.data == *data;
                    !state.declared.get(&terms.table).is_some_and(of_now)
                }
            };
            if declared || !keys.is_empty() {
                let (cores, secret) = (self.settings.cores, node.secret().clone());
                orders.push(Order { terms, keys, cores, secret });
            }
        }
        Ok(orders)
    }

    /// Takes what was built from these data into service. Blocks for as long as the disk needs.
    fn take(
        &self,
        node: &Node,
        (table, terms, data): (&TableName, &Digest, &Digest),
        keys: &[(Scope, Arc<SecretKey>)],
        built: Built,
    ) -> Result<(), LookupsError> {
        let mut state = self.state.lock();
        if built.declared.is_some() {
            let now = node.clock().now();
            let read = DeclaredBuild::of((terms, data), built, handling_legend(), now);
            state.declared.extend(read.map(|read| (table.clone(), read)));
            return self.publish(node, &mut state).map(drop);
        }
        let mut builds = Vec::new();
        self.store.folder()?;
        for ((scope, key), index) in keys.iter().zip(built.indices) {
            let built_at = node.clock().now();
            let filter = self.store.publish(&index.filter_bytes())?;
            let boxes = self.store.publish(&index.box_bytes())?;
            let (rows, left_out) = (index.len() as u64, built.tally.left_out);
            drop(index);
            builds.push(Build {
                table: table.clone(),
                epoch: scope.epoch,
                key: EvaluationKey::from_bytes(*key.public().as_bytes()),
                terms: terms.clone(),
                data: data.clone(),
                index: PublishedIndex { built_at, rows, left_out, filter, boxes },
                categories: built.categories.clone(),
                handling: handling_legend(),
            });
        }
        state.kept.replace(table, builds);
        // What does not fit the policy any more is taken out again here, before anybody sees it.
        self.publish(node, &mut state).map(drop)
    }

    /// Brings what is published in line with the policy in force, the keys, and what is built. What is closed is out of service
    /// whatever becomes of the rest; the log knows a directory before anybody can have it. Returns the tables that there are.
    fn publish(&self, node: &Node, state: &mut State) -> Result<Vec<OpenTable>, LookupsError> {
        let now = node.clock().now();
        let in_force = node.in_force();
        let sealing = node.is_sealed_to(in_force.roster());
        let open = self.open_tables(in_force.policy(), state, (now, sealing));
        close(state, &open);
        let before = Arc::new(self.in_service().narrowed(&open, state));
        *self.in_service.write() = Arc::clone(&before);
        let tables = self.entries(&open, &state.kept);
        let declared = declared_entries(&open, &state.declared);
        let unready = unready(in_force.policy(), (&tables, &declared), now);
        let said = &before.directory;
        if tables == said.tables && declared == said.declared && unready == said.unready {
            return Ok(open);
        }
        self.store.folder()?;
        let serial = self.store.next_serial(before.directory.serial)?;
        let node_of = self.node.clone();
        let directory =
            Directory { v: 1, node: node_of, serial, issued_at: now, tables, declared, unready };
        let envelope = sealed(&directory, node.answer_key())?;
        let empty = sealed(&without_tables(&directory), node.answer_key())?;
        let entry = Entry {
            about: Some(format!("lookups {serial} {}", sha256(&envelope))),
            decision: Some("published".to_owned()),
            ..Entry::new(Type::Configuration, now)?
        };
        node.logs().append(Book::Administration, Priority::Record, &entry)?;
        state.kept.envelope = Some(Base64(envelope.clone()));
        self.store.write(&state.kept)?;
        let (tables, unready) = (directory.tables.len(), directory.unready.len());
        let declared = directory.declared.len();
        tracing::info!(serial, tables, declared, unready, "lookup tables published");
        let (keys, files) = (keys_of(&open), state.kept.files());
        let declared = tables_of(&state.declared);
        let in_service = InService { directory, envelope, empty, keys, declared, files };
        *self.in_service.write() = Arc::new(in_service);
        Ok(open)
    }

    /// The tables that the policy in force and `node.toml` both have, with the keys of their live epochs. Keys of all tables of
    /// `node.toml` move on.
    fn open_tables(
        &self,
        policy: Option<&Policy>,
        state: &mut State,
        (now, sealing): (Timestamp, Sealing),
    ) -> Vec<OpenTable> {
        let mut closed = BTreeMap::new();
        let mut open = Vec::new();
        for config in &self.tables {
            // Also of a table that is closed: the keys of ended epochs are forgotten in any case.
            let (oldest, newest) = (self.epochs.oldest(now), self.epochs.at(now));
            let folder = self.store.folder().map_err(SeedError::from);
            let seed = folder
                .and_then(|folder| TableSeed::open(folder, &config.table, oldest, newest))
                .map_err(|error| {
                    if state.told.get(&config.table) != Some(&Closed::NoKey) {
                        tracing::error!(table = %config.table, %error, "a lookup table has no key");
                    }
                    Closed::NoKey
                });
            let policy = policy.ok_or(Closed::NotInPolicy);
            match policy.and_then(|policy| Ok((Terms::of(config, policy, now)?, seed?))) {
                Ok((terms, seed)) => match terms.mode {
                    Mode::Declared if sealing == Sealing::Nobody => {
                        closed.insert(config.table.clone(), Closed::NoSealingKey);
                    }
                    Mode::Declared => open.push(OpenTable { terms, keys: Vec::new() }),
                    Mode::Blinded => {
                        let keys = self.keys(&terms, &seed, now);
                        open.push(OpenTable { terms, keys });
                    }
                },
                Err(why) => drop(closed.insert(config.table.clone(), why)),
            }
        }
        for table in policy.map(Policy::tables).unwrap_or_default() {
            if !self.tables.iter().any(|config| config.table == table.name) {
                closed.insert(table.name, Closed::NotInNode);
            }
        }
        for (table, why) in &closed {
            if state.told.get(table) != Some(why) {
                tracing::warn!(%table, "a lookup table is closed: {why}");
            }
        }
        state.told = closed;
        open.sort_by(|one, other| one.terms.table.cmp(&other.terms.table));
        open
    }

    fn keys(
        &self,
        terms: &Terms,
        seed: &TableSeed,
        now: Timestamp,
    ) -> Vec<(Scope, Arc<SecretKey>)> {
        let key = |epoch| {
            let (table, rules) = (terms.table.clone(), terms.rules.clone());
            let scope = Scope { node: self.node.clone(), table, epoch, rules };
            let key: Result<SecretKey, voprf::KeyError> = seed
                .at(epoch)
                .ok_or(voprf::KeyError::Derive)
                .and_then(|seed| SecretKey::derive(&seed, &scope));
            Some((scope, Arc::new(key.ok()?)))
        };
        (seed.oldest()..=self.epochs.at(now)).filter_map(key).collect()
    }

    fn entries(&self, open: &[OpenTable], kept: &Kept) -> Vec<DirectoryEntry> {
        let mut entries = Vec::new();
        for build in &kept.builds {
            let terms =
                open.iter().map(|open| &open.terms).find(|terms| terms.table == build.table);
            let Some(terms) = terms else { continue };
            let (from, until) = self.epochs.span(build.epoch);
            let legend =
                |shown: bool, legend: &Vec<_>| if shown { legend.clone() } else { Vec::new() };
            entries.push(DirectoryEntry {
                table: build.table.clone(),
                kind: terms.kind.name(),
                rules: terms.rules.version,
                mode: Mode::Blinded,
                epoch: build.epoch,
                from,
                until,
                key: build.key.clone(),
                index: build.index.clone(),
                purposes: terms.purposes.clone(),
                most_elements: terms.most_elements,
                categories: legend(terms.reveals.category, &build.categories),
                handling: legend(terms.reveals.handling, &build.handling),
            });
        }
        entries
    }
}

/// Takes out what none of these tables was built under. Where the terms are other ones, the build before goes as well: it may
/// say more than is to be said now.
fn close(state: &mut State, open: &[OpenTable]) {
    state.declared.retain(|table, read| {
        open.iter().any(|open| open.terms.table == *table && open.terms.digest() == read.terms)
    });
    let kept = &mut state.kept;
    let terms = |build: &Build| {
        let mut open = open.iter().map(|open| &open.terms);
        open.any(|terms| terms.table == build.table && terms.digest() == build.terms)
    };
    let closed = kept.builds.iter().filter(|build| !terms(build));
    let closed: BTreeSet<TableName> = closed.map(|build| build.table.clone()).collect();
    kept.builds.retain(|build| open.iter().any(|table| table.has(build)));
    kept.before.retain(|table, _| {
        !closed.contains(table) && open.iter().any(|open| open.terms.table == *table)
    });
}

fn keys_of(open: &[OpenTable]) -> BTreeMap<(TableName, u32), Arc<SecretKey>> {
    let keys = open.iter().flat_map(|table| &table.keys);
    keys.map(|(scope, key)| ((scope.table.clone(), scope.epoch), Arc::clone(key))).collect()
}

fn tables_of(read: &declared::Read) -> BTreeMap<TableName, Arc<Table>> {
    read.iter().map(|(name, read)| (name.clone(), Arc::clone(read.table()))).collect()
}

/// The declared tables that were read, sorted by name as the open ones are.
fn declared_entries(open: &[OpenTable], read: &declared::Read) -> Vec<DeclaredTable> {
    let entry = |OpenTable { terms, .. }: &OpenTable| Some(read.get(&terms.table)?.entry(terms));
    open.iter().filter_map(entry).collect()
}

/// The tables that the policy opens at this time and that none of these entries answers for: whoever knows of the others only
/// would take it that there are no more.
fn unready(
    policy: Option<&Policy>,
    (tables, declared): (&[DirectoryEntry], &[DeclaredTable]),
    now: Timestamp,
) -> Vec<UnreadyTable> {
    let Some(policy) = policy else { return Vec::new() };
    let answers = |name: &TableName| {
        declared.iter().any(|entry| entry.table == *name)
            || tables
                .iter()
                .any(|entry| entry.table == *name && entry.from <= now && now < entry.until)
    };
    let opened = policy.tables().into_iter().filter(|table| !answers(&table.name));
    let unready = opened.filter_map(|table| {
        let terms = policy.table_terms(&table.name, now)?;
        let purposes = terms.purposes.into_iter().collect();
        Some(UnreadyTable { table: table.name, kind: table.kind, purposes })
    });
    unready.collect()
}

/// What who may search nothing is told.
fn without_tables(directory: &Directory) -> Directory {
    let (tables, declared, unready) = (Vec::new(), Vec::new(), Vec::new());
    Directory { tables, declared, unready, ..directory.clone() }
}

fn sealed(directory: &Directory, key: &SigningKey) -> Result<Vec<u8>, LookupsError> {
    let payload = serde_json::to_vec(directory).map_err(|_| LookupsError::Directory)?;
    let bytes = Envelope::seal(PayloadType::Directory, payload, key).to_bytes();
    if bytes.len() > LONGEST_DIRECTORY { Err(LookupsError::Directory) } else { Ok(bytes) }
}

/// The directory in an envelope, if it is signed with this key: after a change of keys it is to be signed anew.
fn directory_in(envelope: &[u8], key: &PublicKey) -> Option<Directory> {
    let envelope = Envelope::parse(envelope, LONGEST_DIRECTORY).ok()?;
    let keys = std::slice::from_ref(key);
    envelope.open(PayloadType::Directory, keys, 1, &Ed25519).ok()?.parse().ok()
}

impl fmt::Debug for Lookups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Lookups({} tables)", self.tables.len())
    }
}
