//! A log on real files: crashes, faults, full disks, and folders that do not belong together.

mod crash;
mod faults;
mod full;
mod group;
mod keeper;
mod order;
mod refused;

use mayag_audit::checkpoint::CheckpointNote;
use mayag_audit::keys::SigningKey;
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::start::{Held, Settings, StartError};
use mayag_audit::note::Signer;
use mayag_audit::quorum::Policy;
use mayag_audit::tile::{Level, encode_hashes, parse_bundle, parse_hashes, paths};
use mayag_audit::tree::{Frontier, Hash, leaf_hash, node_hash};
use mayag_audit::verify::{Against, verify};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::log_files::{LogFolders, PublishedFiles};
use std::fs;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tempfile::TempDir;

const ORIGIN: &str = "log.example/log";

/// A log and its key, without a process that has it open.
struct Place {
    folder: TempDir,
    key: Arc<SigningKey>,
}

impl Place {
    /// A log that was begun and is empty.
    fn begun() -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap(), key: Arc::new(key()) };
        place.folders().create().unwrap();
        Log::init(&place.folders().door().unwrap(), &place.settings()).unwrap();
        place
    }

    fn folders(&self) -> LogFolders {
        LogFolders::under(&self.folder.path().join("log"))
    }

    fn settings(&self) -> Settings {
        settings(ORIGIN, Arc::clone(&self.key))
    }

    fn open(&self) -> Result<Log, StartError> {
        self.open_against(&[])
    }

    fn open_against(&self, held: &[Held]) -> Result<Log, StartError> {
        Log::open(self.folders().door().unwrap(), self.settings(), held)
    }

    /// What is in the log, judged without it.
    fn judged(&self) -> Vec<Vec<u8>> {
        judged(&self.folders().published, ORIGIN, &self.key)
    }

    /// A copy of a folder of the log, to be put back later.
    fn copy(&self, folder: &Path) -> PathBuf {
        let copy = tempfile::Builder::new().tempdir_in(self.folder.path()).unwrap().keep();
        copy_all(folder, &copy);
        copy
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn settings(origin: &str, key: Arc<SigningKey>) -> Settings {
    Settings {
        origin: origin.parse().unwrap(),
        key,
        clock: Arc::new(SystemClock),
        witnessing: None,
    }
}

fn entry(number: u64) -> Vec<u8> {
    format!("entry {number} {}", "x".repeat(usize::try_from(number % 7).unwrap())).into_bytes()
}

/// Appends entries, each with a sync of its own; no checkpoint.
fn append(log: &Log, numbers: std::ops::Range<u64>) {
    for number in numbers {
        let receipt = log.append(Kind::Question, entry(number)).unwrap();
        assert_eq!((receipt.index(), *receipt.leaf()), (number, leaf_hash(&entry(number))));
    }
}

/// Puts a copy in the place of a folder.
fn put_back(folder: &Path, copy: &Path) {
    fs::remove_dir_all(folder).unwrap();
    fs::create_dir(folder).unwrap();
    copy_all(copy, folder);
}

fn copy_all(from: &Path, to: &Path) {
    for found in fs::read_dir(from).unwrap() {
        let found = found.unwrap();
        let target = to.join(found.file_name());
        if found.file_type().unwrap().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_all(&found.path(), &target);
        } else {
            fs::copy(found.path(), target).unwrap();
        }
    }
}

/// Recomputes a whole published log from its entries, by the verifier and once more here, and returns them.
fn judged(published: &Path, origin: &str, key: &SigningKey) -> Vec<Vec<u8>> {
    let signer = Signer::log(origin.parse().unwrap(), key);
    let policy = Policy::of_keys(&format!("{}\n", signer.verifier()), 0).unwrap();
    let against = Against { policy: &policy, now: SystemClock.now(), older: None };
    verify(&PublishedFiles(published.to_owned()), &against, &mut ()).unwrap();
    let note = CheckpointNote::parse(&fs::read(published.join("checkpoint")).unwrap()).unwrap();
    note.note().open(std::slice::from_ref(signer.verifier())).unwrap();
    assert_eq!(note.checkpoint().origin.as_str(), origin);
    let size = note.checkpoint().head.size;
    let read = |path: &str| fs::read(published.join(path)).unwrap_or_else(|_| panic!("{path}"));
    let mut entries = Vec::new();
    for path in paths(size).filter(|path| path.level() == Level::Entries) {
        let bundle = read(&path.to_string());
        entries.extend(parse_bundle(&bundle, path.width()).unwrap().iter().map(|e| e.to_vec()));
    }
    assert_eq!(entries.len() as u64, size);
    let mut levels = vec![entries.iter().map(|entry| leaf_hash(entry)).collect::<Vec<Hash>>()];
    while let Some(row) = levels.last().filter(|row| row.len() >= 256) {
        levels.push(row.as_chunks::<256>().0.iter().map(|tile| top(tile)).collect());
    }
    for path in paths(size) {
        if let Level::Hashes(level) = path.level() {
            let mut row = levels[usize::from(level)].chunks(256);
            let expected = row.nth(usize::try_from(path.index()).unwrap()).unwrap();
            let found = read(&path.to_string());
            assert_eq!(parse_hashes(&found, path.width()).unwrap(), expected, "{path}");
            assert_eq!(found, encode_hashes(expected));
        }
    }
    let mut frontier = Frontier::default();
    for leaf in &levels[0] {
        frontier.push(*leaf, |_| ());
    }
    assert_eq!(frontier.root(), note.checkpoint().head.root);
    entries
}

fn top(row: &[Hash]) -> Hash {
    if let [one] = row {
        return *one;
    }
    let (left, right) = row.split_at(row.len() / 2);
    node_hash(&top(left), &top(right))
}

/// Every entry as an open log reads it back.
fn read_back(log: &Log) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    log.newest_first(|_, entry| {
        entries.push(entry.to_vec());
        ControlFlow::Continue(())
    })
    .unwrap();
    entries.reverse();
    entries
}

/// The program that appends, built with the tests.
fn logwriter() -> PathBuf {
    let here = std::env::current_exe().unwrap();
    let program = here.parent().unwrap().parent().unwrap().join("examples/logwriter");
    assert!(
        program.is_file(),
        "run `cargo test -p mayag-transport` without `--test`: it builds {program:?}"
    );
    program
}

/// Says loudly that a test was skipped, if there is no `strace`.
fn say_skipped_without_strace() -> bool {
    let missing = std::process::Command::new("strace").arg("--version").output().is_err();
    if missing {
        eprintln!(
            "SKIPPED: no system call was looked at; run: apt-get install -y --no-install-recommends strace"
        );
    }
    missing
}

/// Lines `INDEX LEAFHASH` of entries that were acknowledged. A last line without its end was never finished.
fn acknowledged(stdout: &[u8]) -> Vec<(u64, Hash)> {
    let text = String::from_utf8(stdout.to_vec()).unwrap();
    text.split_inclusive('\n')
        .filter_map(|line| line.strip_suffix('\n'))
        .map(|line| {
            let (index, leaf) = line.split_once(' ').unwrap();
            (index.parse().unwrap(), leaf.parse().unwrap())
        })
        .collect()
}

/// The key that `logwriter` made.
fn written_key(folder: &Path) -> Arc<SigningKey> {
    let pem = fs::read_to_string(folder.join("log.key")).unwrap();
    Arc::new(SigningKey::from_pem(&pem).unwrap())
}

const WRITER: &str = "logwriter.example/log";

/// Opens what `logwriter` left, and finds every acknowledged entry at its place in a log that verifies.
fn nothing_is_missing(folder: &Path, acknowledged: &[(u64, Hash)], what: &str) {
    let key = written_key(folder);
    let folders = LogFolders::under(folder);
    let log = Log::open(folders.door().unwrap(), settings(WRITER, Arc::clone(&key)), &[])
        .unwrap_or_else(|error| panic!("{what}: {error}"));
    let entries = read_back(&log);
    for (index, leaf) in acknowledged {
        let found = entries.get(usize::try_from(*index).unwrap());
        let found =
            found.unwrap_or_else(|| panic!("{what}: acknowledged entry {index} is missing"));
        assert_eq!(leaf_hash(found), *leaf, "{what}: entry {index}");
    }
    assert_eq!(judged(&folders.published, WRITER, &key), entries, "{what}");
}
