//! A log in memory: witnesses, full disks, failures.

use super::commit::Kind;
use super::door::{Area, Door, Folder, NewFile};
use super::error::{AppendError, Failure, IntegrateError};
use super::integrate::Integrated;
use super::read::{PROMISE, Promise, ReadError, Under};
use super::start::{Settings, StartError};
use super::witness::{CosignError, Cosigning, Witnessing};
use super::{DUE, Log, MOST_WAITING, Wake};
use crate::checkpoint::{CheckpointNote, Origin};
use crate::cosignature::Cosigner;
use crate::keys::SigningKey;
use crate::note::VerifierKey;
use crate::quorum::Policy;
use crate::receipt::Receipt;
use crate::tree::{Head, verify_consistency};
use crate::witness::{consider, cosignatures};
use mayag_protocol::timestamp::{Clock, Timestamp};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a place in memory does when it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mood {
    #[default]
    Well,
    Full,
    Broken,
}

impl Mood {
    fn look(self) -> io::Result<()> {
        match self {
            Self::Well => Ok(()),
            Self::Full => Err(io::Error::from(io::ErrorKind::StorageFull)),
            Self::Broken => Err(io::Error::other("input/output error")),
        }
    }
}

#[derive(Debug, Default, Clone)]
pub(crate) struct MemoryFolder(Arc<Mutex<Kept>>);

#[derive(Debug, Default)]
struct Kept {
    files: BTreeMap<String, Vec<u8>>,
    mood: Mood,
}

impl MemoryFolder {
    pub(crate) fn files(&self) -> BTreeMap<String, Vec<u8>> {
        self.0.lock().files.clone()
    }

    fn be(&self, mood: Mood) {
        self.0.lock().mood = mood;
    }
}

impl Folder for MemoryFolder {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn lock(&self) -> io::Result<bool> {
        Ok(true)
    }

    fn read(&self, name: &str, limit: usize) -> io::Result<Option<Vec<u8>>> {
        let found = self.0.lock().files.get(name).cloned();
        assert!(found.iter().all(|bytes| bytes.len() <= limit));
        Ok(found)
    }

    fn replace(&self, files: &[NewFile]) -> io::Result<()> {
        let mut inside = self.0.lock();
        inside.mood.look()?;
        inside.files.extend(files.iter().map(|file| (file.name.clone(), file.bytes.clone())));
        Ok(())
    }

    fn remove(&self, name: &str) -> io::Result<()> {
        self.0.lock().files.retain(|file, _| !file.starts_with(&format!("{name}/")));
        Ok(())
    }
}

#[derive(Debug, Clone)]
pub(crate) struct MemoryArea(Arc<Mutex<Written>>);

#[derive(Debug)]
struct Written {
    bytes: Vec<u8>,
    limit: u64,
    mood: Mood,
}

impl Default for MemoryArea {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Written { bytes: Vec::new(), limit: u64::MAX, mood: Mood::Well })))
    }
}

impl MemoryArea {
    pub(crate) fn flip(&self, byte: usize) {
        self.0.lock().bytes[byte] ^= 1;
    }

    pub(crate) fn limit(&self, bytes: u64) {
        self.0.lock().limit = bytes;
    }

    fn be(&self, mood: Mood) {
        self.0.lock().mood = mood;
    }
}

impl Area for MemoryArea {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.lock().bytes.len() as u64)
    }

    fn read_at(&self, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let inside = self.0.lock();
        let from = usize::try_from(offset).unwrap().min(inside.bytes.len());
        Ok(inside.bytes[from..(from + length).min(inside.bytes.len())].to_vec())
    }

    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut inside = self.0.lock();
        let from = usize::try_from(offset).unwrap();
        if inside.limit < (from + bytes.len()) as u64 {
            return Mood::Full.look();
        }
        let length = inside.bytes.len().max(from + bytes.len());
        inside.bytes.resize(length, 0);
        inside.bytes[from..from + bytes.len()].copy_from_slice(bytes);
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        self.0.lock().mood.look()
    }
}

#[derive(Debug)]
struct Hands(Mutex<Timestamp>);

impl Clock for Hands {
    fn now(&self) -> Timestamp {
        *self.0.lock()
    }
}

const LONGEST: Duration = Duration::from_mins(10);

/// A log in memory and everything around it.
struct World {
    published: MemoryFolder,
    guard: MemoryFolder,
    ahead: [MemoryArea; 2],
    clock: Arc<Hands>,
    witnesses: Vec<SigningKey>,
    settings: Settings,
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

impl World {
    fn new(needed: Option<usize>) -> Self {
        let clock = Arc::new(Hands(Mutex::new(Timestamp::from_millis(1_000_000_000_000))));
        let keys: Vec<SigningKey> = (0..3).map(|_| key()).collect();
        let origin: Origin = "log.example/1".parse().unwrap();
        let key = Arc::new(key());
        let log = VerifierKey::log(origin.key_name().clone(), key.public());
        let lines = (0..3).map(|n| format!("{}\n", cosigner(&keys, n).verifier()));
        let policy =
            Policy::of_keys(&format!("{log}\n{}", lines.collect::<String>()), needed.unwrap_or(0));
        let settings = Settings {
            origin,
            key,
            clock: Arc::<Hands>::clone(&clock),
            witnessing: needed
                .map(|_| Witnessing { policy: policy.unwrap(), longest_age: LONGEST }),
        };
        let world = Self {
            published: MemoryFolder::default(),
            guard: MemoryFolder::default(),
            ahead: [MemoryArea::default(), MemoryArea::default()],
            clock,
            witnesses: keys,
            settings,
        };
        Log::init(&world.door(), &world.settings).unwrap();
        world
    }

    fn door(&self) -> Door {
        let [one, two] = &self.ahead;
        Door {
            published: Box::new(self.published.clone()),
            guard: Box::new(self.guard.clone()),
            ahead: [Box::new(one.clone()), Box::new(two.clone())],
        }
    }

    fn open(&self) -> Log {
        Log::open(self.door(), self.settings.clone(), &[]).unwrap()
    }

    fn pass(&self, time: Duration) {
        let now = self.clock.now().plus(time);
        *self.clock.0.lock() = now;
    }

    fn cosign(&self, log: &Log, by: &[usize]) -> Result<Cosigning, CosignError> {
        let note = log.needs_witness().unwrap();
        let lines: Vec<_> = by
            .iter()
            .map(|n| cosigner(&self.witnesses, *n).sign(note.note().text(), self.clock.now()))
            .collect();
        log.add_cosignatures(note.checkpoint().head.size, &lines)
    }
}

fn cosigner(witnesses: &[SigningKey], number: usize) -> Cosigner<'_> {
    Cosigner::new(format!("witness-{number}").parse().unwrap(), &witnesses[number])
}

#[test]
fn questions_wait_for_witnesses_and_records_do_not() {
    let world = World::new(Some(2));
    let log = world.open();
    let refused = log.append(Kind::Question, vec![1]).unwrap_err();
    assert!(matches!(refused, AppendError::Unwitnessed { last: None, .. }), "{refused}");
    log.append(Kind::Record, vec![1]).unwrap();
    log.integrate().unwrap();
    assert_eq!(world.cosign(&log, &[0]).unwrap(), Cosigning::More);
    log.append(Kind::Question, vec![2]).unwrap_err();
    assert!(matches!(world.cosign(&log, &[2]).unwrap(), Cosigning::Enough(_)));
    assert_eq!(log.needs_witness(), None);
    log.append(Kind::Question, vec![2]).unwrap();
    // Cosignatures that are asked for again have a new time; the old lines go.
    world.pass(LONGEST / 3);
    assert!(matches!(world.cosign(&log, &[0, 1, 2]).unwrap(), Cosigning::Enough(_)));
    assert_eq!(log.checkpoint().unwrap().note().signatures().len(), 4);
    world.pass(LONGEST);
    log.append(Kind::Question, vec![3]).unwrap();
    world.pass(Duration::from_millis(1));
    let refused = log.append(Kind::Question, vec![4]).unwrap_err();
    assert!(refused.to_string().contains("longer ago than 600 s"), "{refused}");
    drop(log);
    // A restart does not forget when it was.
    assert!(matches!(
        world.open().admits(Kind::Question, 1),
        Err(AppendError::Unwitnessed { last: Some(_), .. })
    ));
}

#[test]
fn cosignatures_count_if_they_are_of_this_checkpoint_and_of_a_witness() {
    let world = World::new(Some(2));
    let log = world.open();
    log.append(Kind::Record, vec![1]).unwrap();
    log.integrate().unwrap();
    let old = log.needs_witness().unwrap();
    log.append(Kind::Record, vec![2]).unwrap();
    log.integrate().unwrap();
    let now = world.clock.now();
    let of_old = cosigner(&world.witnesses, 0).sign(old.note().text(), now);
    let refused = log.add_cosignatures(2, std::slice::from_ref(&of_old)).unwrap_err();
    assert!(refused.to_string().contains("`witness-0`"), "{refused}");
    let stranger = [key()];
    let line = cosigner(&stranger, 0).sign(old.note().text(), now);
    assert!(matches!(log.add_cosignatures(1, &[line]), Err(CosignError::Refused { .. })));
    assert!(matches!(log.add_cosignatures(3, &[]), Err(CosignError::NotWaiting { size: 3 })));
    // The checkpoint before is cosigned while a newer one is published: it counts, and is not put back.
    let other = cosigner(&world.witnesses, 1).sign(old.note().text(), now);
    assert!(matches!(log.add_cosignatures(1, &[of_old, other]).unwrap(), Cosigning::Enough(_)));
    assert_eq!(log.checkpoint().unwrap().checkpoint().head.size, 2);
    assert_eq!(log.needs_witness().unwrap().checkpoint().head.size, 2);
    assert_eq!(log.receipt(0, Under::Cosigned).unwrap().checkpoint().checkpoint().head.size, 1);
    assert!(matches!(
        log.receipt(1, Under::Cosigned),
        Err(ReadError::NotYet { index: 1, size: 1 })
    ));
    world.cosign(&log, &[0, 1]).unwrap();
    drop(log);
    let log = world.open();
    assert_eq!(log.cosigned().unwrap().note.checkpoint().head.size, 2);
    drop(log);
    // What witnesses cosigned is kept here too, and shows that an old guard and checkpoint were put back.
    let cosigned = world.published.files()["cosigned"].clone();
    let old = World { settings: world.settings, ..World::new(Some(2)) };
    old.guard.0.lock().files.clear();
    old.published.0.lock().files.clear();
    Log::init(&old.door(), &old.settings).unwrap();
    old.published.0.lock().files.insert("cosigned".to_owned(), cosigned);
    let error = Log::open(old.door(), old.settings, &[]).unwrap_err();
    assert!(matches!(error, StartError::RolledBack { held: 2, signed: 0, .. }), "{error}");
}

#[test]
fn a_log_that_was_opened_takes_questions_once_a_quorum_has_cosigned_it_since() {
    let world = World::new(Some(2));
    let log = world.open();
    world.cosign(&log, &[0, 1]).unwrap();
    log.append(Kind::Question, vec![1]).unwrap();
    log.integrate().unwrap();
    let note = log.needs_witness().unwrap();
    let old = |n| cosigner(&world.witnesses, n).sign(note.note().text(), world.clock.now());
    let old: Vec<_> = [0, 1].map(old).into();
    log.add_cosignatures(1, &old).unwrap();
    log.append(Kind::Question, vec![2]).unwrap();
    drop(log);

    // Cosigned a minute ago, as its own files say: that may be what was put back.
    world.pass(Duration::from_mins(1));
    let log = world.open();
    let refused = log.append(Kind::Question, vec![3]).unwrap_err();
    assert!(matches!(refused, AppendError::Unconfirmed), "{refused}");
    log.append(Kind::Record, vec![3]).unwrap();
    let asked = log.needs_witness().unwrap();
    assert_eq!(asked.checkpoint().head.size, 2, "it asks");
    drop(log);

    // Nor do old cosignatures count that somebody brings again, or one witness for two.
    let log = world.open();
    let old = |n| {
        let text = log.needs_witness().unwrap();
        let before = Timestamp::from_millis(world.clock.now().millis() - 31_000);
        cosigner(&world.witnesses, n).sign(text.note().text(), before)
    };
    let old: Vec<_> = [0, 1].map(old).into();
    let size = log.needs_witness().unwrap().checkpoint().head.size;
    assert!(matches!(log.add_cosignatures(size, &old).unwrap(), Cosigning::Enough(_)));
    log.append(Kind::Question, vec![4]).unwrap_err();
    for _ in 0..2 {
        world.cosign(&log, &[2]).unwrap();
        log.append(Kind::Question, vec![4]).unwrap_err();
    }
    world.cosign(&log, &[0]).unwrap();
    log.append(Kind::Question, vec![4]).unwrap();
    assert_eq!(log.needs_witness(), None);
}

#[test]
fn proofs_and_promises_verify() {
    let world = World::new(None);
    let log = world.open();
    let policy = Policy::of_keys(&format!("{}\n", log.verifier()), 0).unwrap();
    let mut heads: Vec<Head> = Vec::new();
    for number in 0..600_u64 {
        let receipt = log.append(Kind::Question, number.to_be_bytes().to_vec()).unwrap();
        if number % 100 == 7 {
            let promise = log.promise(&receipt).unwrap();
            let promise = Promise::open(&promise, log.verifier()).unwrap();
            assert_eq!((promise.index, promise.leaf), (number, *receipt.leaf()));
            assert_eq!(promise.deadline, world.clock.now().plus(PROMISE));
            let Integrated::Published(note) = log.integrate().unwrap() else { panic!() };
            heads.push(note.checkpoint().head);
        }
    }
    assert!(log.entry(599).is_err() && log.receipt(599, Under::Published).is_err());
    for index in [0, 7, 255, 256, 507] {
        let entry = log.entry(index).unwrap();
        assert_eq!(entry, index.to_be_bytes());
        let receipt = log.receipt(index, Under::Published).unwrap().to_bytes();
        let receipt = Receipt::parse(&receipt).unwrap();
        assert_eq!(receipt.verify(&entry, &policy, world.clock.now()).unwrap().index(), index);
        receipt.verify(b"another", &policy, world.clock.now()).unwrap_err();
    }
    let last = heads.last().unwrap();
    for old in &heads {
        let proof = log.consistency(old.size, last.size).unwrap();
        verify_consistency(old, last, &proof).unwrap();
    }
    Promise::open(log.checkpoint().unwrap().note(), log.verifier()).unwrap_err();
}

#[test]
fn a_sync_that_fails_closes_the_log_for_good() {
    let world = World::new(None);
    let log = world.open();
    log.append(Kind::Question, vec![1]).unwrap();
    world.ahead[0].be(Mood::Broken);
    assert!(matches!(log.append(Kind::Question, vec![2]), Err(AppendError::Closed(_))));
    world.ahead[0].be(Mood::Well);
    for kind in [Kind::Question, Kind::Record] {
        let refused = log.append(kind, vec![3]).unwrap_err();
        assert!(
            refused.to_string().contains("closed until the program is started again"),
            "{refused}"
        );
    }
    assert!(matches!(log.integrate(), Err(IntegrateError::Closed(_))));
    assert!(matches!(**log.failed().unwrap(), Failure::Append { .. }));
    drop(log);
    // The entry nobody was answered on was written as a whole: it may stay.
    assert_eq!(world.open().checkpoint().unwrap().checkpoint().head.size, 2);
}

#[test]
fn a_full_folder_is_tried_again_and_a_broken_one_is_not() {
    for which in 0..2 {
        let world = World::new(None);
        let log = world.open();
        log.append(Kind::Question, vec![1]).unwrap();
        let folder = [&world.published, &world.guard][which];
        folder.be(Mood::Full);
        assert!(matches!(log.integrate(), Err(IntegrateError::Full { .. })));
        assert!(matches!(log.append(Kind::Question, vec![2]), Err(AppendError::Full { .. })));
        log.append(Kind::Record, vec![2]).unwrap();
        folder.be(Mood::Well);
        // First what was signed, then what came meanwhile.
        for size in 1..3 {
            let Integrated::Published(note) = log.integrate().unwrap() else { panic!() };
            assert_eq!(note.checkpoint().head.size, size);
        }
        log.append(Kind::Question, vec![3]).unwrap();
        folder.be(Mood::Broken);
        assert!(matches!(log.integrate(), Err(IntegrateError::Closed(_))));
        folder.be(Mood::Well);
        assert!(matches!(log.integrate(), Err(IntegrateError::Closed(_))));
        assert_eq!(world.open().checkpoint().unwrap().checkpoint().head.size, 3);
    }
}

#[test]
fn an_entry_is_not_longer_than_a_bundle_allows() {
    let world = World::new(None);
    let log = world.open();
    log.append(Kind::Question, vec![0; 65_535]).unwrap();
    let refused = log.append(Kind::Record, vec![0; 65_536]).unwrap_err();
    assert!(matches!(refused, AppendError::Long { length: 65_536 }));
    log.integrate().unwrap();
    assert_eq!(log.entry(0).unwrap().len(), 65_535);
}

#[test]
fn a_witness_follows_by_the_protocol() {
    let world = World::new(Some(2));
    let log = world.open();
    let mut kept: [Option<Vec<u8>>; 2] = [None, None];
    for round in 0..4_u64 {
        for number in 0..100 * round {
            log.append(Kind::Record, number.to_be_bytes().to_vec()).unwrap();
        }
        log.integrate().unwrap();
        for (n, kept) in kept.iter_mut().enumerate() {
            let parsed = kept.as_deref().map(|bytes| CheckpointNote::parse(bytes).unwrap());
            let old = parsed.map_or(0, |note| note.checkpoint().head.size);
            let request = log.request(old).unwrap().unwrap();
            let pending =
                consider(&request, std::slice::from_ref(log.verifier()), kept.as_deref()).unwrap();
            let witness = cosigner(&world.witnesses, n);
            let body = pending.cosign(&witness, world.clock.now(), |replace| {
                *kept = Some(replace.with.to_vec());
                Ok::<(), io::Error>(())
            });
            let body = body.unwrap().into_bytes();
            let lines = cosignatures(&body, request.checkpoint(), witness.verifier()).unwrap();
            let size = request.checkpoint().checkpoint().head.size;
            let enough =
                matches!(log.add_cosignatures(size, &lines).unwrap(), Cosigning::Enough(_));
            assert_eq!(enough, n == 1 || round == 0 && log.cosigned().is_some());
        }
    }
    assert_eq!(
        log.request(601).unwrap(),
        None,
        "a witness that holds more was not rolled back with us"
    );
    assert_eq!(log.cosigned().unwrap().note.checkpoint().head.size, 600);
}

#[test]
fn a_backlog_makes_a_checkpoint_due_and_then_refuses_questions() {
    let world = World::new(None);
    let log = world.open();
    let bulky = || vec![0; 65_535];
    assert_eq!(log.wait(Duration::ZERO), Wake::Checkpoint, "the time is over");
    for _ in 0..=DUE.bytes / 65_535 {
        log.append(Kind::Question, bulky()).unwrap();
    }
    // Returns at once, although the time is not over.
    assert_eq!(log.wait(Duration::from_hours(1)), Wake::Checkpoint);
    let before = DUE.bytes / 65_535 + 1;
    let taken = (before..10_000).find(|_| log.append(Kind::Question, bulky()).is_err()).unwrap();
    assert_eq!(taken, MOST_WAITING.bytes / 65_535 + 1);
    let refused = log.append(Kind::Question, vec![1]).unwrap_err();
    assert!(matches!(refused, AppendError::Behind { .. }), "{refused}");
    log.append(Kind::Record, vec![1]).unwrap();
    log.integrate().unwrap();
    log.append(Kind::Question, vec![1]).unwrap();
    log.stop();
    assert_eq!(log.wait(Duration::from_hours(1)), Wake::Stop);
}
