//! A witness over real logs: what it cosigns, what it remembers, and what it keeps of a fork.

use super::WitnessStore;
use crate::clock::SystemClock;
use crate::log_files::LogFolders;
use mayag_audit::keys::SigningKey;
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::start::Settings;
use mayag_audit::party::{self, Book};
use mayag_audit::witness::{Request, cosignatures, stale_size};
use mayag_protocol::names::PublicKey;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use std::path::Path;
use std::sync::Arc;
use tempfile::TempDir;

const ORIGIN: &str = "node-us.demo/query-log/2026";

fn now() -> Timestamp {
    SystemClock.now()
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

/// Two nodes: `us`, whose log is witnessed, and `kr`, the witness.
struct World {
    folder: TempDir,
    log_key: Arc<SigningKey>,
    roster: Roster,
    store: WitnessStore,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (log_key, cosign_key) = (Arc::new(key()), key());
        let member = |country: &str, cosign_key: &PublicKey| Member {
            identity: format!("spiffe://demo/country/{country}/node").parse().unwrap(),
            answer_key: log_key.public().clone(),
            log_key: log_key.public().clone(),
            cosign_key: cosign_key.clone(),
            auditor_keys: Vec::new(),
            sealing_key: None,
        };
        let roster = Roster {
            v: 1,
            federation: "demo".parse().unwrap(),
            version: 1,
            issued_at: now(),
            expires_at: now(),
            issuers: Vec::new(),
            gateways: Vec::new(),
            nodes: vec![member("kr", cosign_key.public()), member("us", log_key.public())],
            people: Vec::new(),
        };
        let name = party::witness_name(&roster.nodes[0].identity).unwrap();
        let store =
            WitnessStore::open(&folder.path().join("witness"), name, cosign_key, Arc::default())
                .unwrap();
        Self { folder, log_key, roster, store }
    }

    /// A log of `us` in a folder of its own, with so many entries.
    fn log(&self, folder: &str, entries: u8) -> Log {
        let folders = LogFolders::under(&self.folder.path().join(folder));
        folders.create().unwrap();
        let settings = Settings {
            origin: ORIGIN.parse().unwrap(),
            key: Arc::clone(&self.log_key),
            clock: Arc::new(SystemClock),
            witnessing: None,
        };
        Log::init(&folders.door().unwrap(), &settings).unwrap();
        let log = Log::open(folders.door().unwrap(), settings, &[]).unwrap();
        grow(&log, folder, entries);
        log
    }

    fn ask(&self, body: &[u8]) -> (u16, Vec<u8>) {
        let answer = self.store.answer(body, &self.roster, now());
        (answer.status, answer.body)
    }

    fn kept(&self) -> usize {
        let folder = self.store.folder_of(ORIGIN);
        let names = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("fork-")).count()
    }
}

fn grow(log: &Log, what: &str, entries: u8) {
    for entry in 0..entries {
        log.append(Kind::Record, format!("{what} {entry}").into_bytes()).unwrap();
    }
    log.integrate().unwrap();
}

fn request(log: &Log, old: u64) -> Request {
    log.request(old).unwrap().unwrap()
}

#[test]
fn what_continues_is_cosigned_and_remembered_by_the_next_start() {
    let world = World::new();
    let log = world.log("us", 3);
    let first = request(&log, 0);
    let (status, body) = world.ask(&first.to_bytes());
    assert_eq!(status, 200);
    let witness = party::witness_key(&world.roster.nodes[0]).unwrap();
    assert_eq!(cosignatures(&body, first.checkpoint(), &witness).unwrap().len(), 1);
    assert!(world.store.stored(ORIGIN).unwrap().ends_with(&body));

    // The same again is stale: the witness says how far it is, also after a restart.
    grow(&log, "more", 2);
    assert_eq!(world.ask(&request(&log, 0).to_bytes()).0, 409);
    let World { folder, log_key, roster, store } = world;
    let WitnessStore { name, key, seen, .. } = store;
    assert_eq!(seen.take(Book::Questions).iter().map(|seen| seen.size).collect::<Vec<_>>(), [3]);
    let store =
        WitnessStore::open(&folder.path().join("witness"), name, key, Arc::default()).unwrap();
    let mentioned = store.seen.take(Book::Questions);
    assert_eq!(mentioned.len(), 1, "what was cosigned before the start");
    assert_eq!((mentioned[0].origin.as_str(), mentioned[0].size), (ORIGIN, 3));
    assert!(mentioned[0].at.is_some());
    let world = World { folder, log_key, roster, store };
    let (status, body) = world.ask(&request(&log, 0).to_bytes());
    assert_eq!((status, stale_size(&body)), (409, Some(3)));
    assert_eq!(world.ask(&request(&log, 3).to_bytes()).0, 200);
}

#[test]
fn strangers_and_garbage_are_told_apart() {
    let world = World::new();
    let log = world.log("us", 1);
    let text = String::from_utf8(request(&log, 0).to_bytes()).unwrap();
    assert_eq!(world.ask(b"").0, 400);
    assert_eq!(world.ask(&[0xff; 100]).0, 400);
    assert_eq!(world.ask(text.replace("node-us.demo", "node-jp.demo").as_bytes()).0, 404);
    let other = World::new();
    assert_eq!(other.ask(text.as_bytes()).0, 403, "signed by another key than the roster's");
    assert!(!Path::new(&world.store.folder_of(ORIGIN)).exists(), "nothing was cosigned");
}

#[test]
fn a_fork_is_kept_once_however_often_it_is_shown() {
    let world = World::new();
    let (log, other) = (world.log("us", 3), world.log("other", 4));
    assert_eq!(world.ask(&request(&log, 0).to_bytes()).0, 200);
    let fork = request(&other, 3).to_bytes();
    for _ in 0..3 {
        assert_eq!(world.ask(&fork).0, 422);
    }
    assert_eq!(world.kept(), 2, "the one that was cosigned, and the one that was shown");
    // Signatures that nobody knows do not make it another one.
    let more = [fork.as_slice(), "\u{2014} stranger AAAAAAAA\n".as_bytes()].concat();
    assert_eq!((world.ask(&more).0, world.kept()), (422, 2));
    // What was cosigned is still what counts.
    grow(&log, "more", 1);
    assert_eq!(world.ask(&request(&log, 3).to_bytes()).0, 200);
}
