//! An index against searches without one, and every way in which an index or its log can be damaged.

use super::{Index, IndexError, Made, SEGMENT, Store};
use crate::checkpoint::Checkpoint;
use crate::entry::{Entry, ResultClass, Type};
use crate::keys::SigningKey;
use crate::note::Signer;
use crate::quorum::Policy;
use crate::records::written::{KR, about, at, digest};
use crate::search::{Filter, Found, Order, Search};
use crate::tile::{Level, TilePath, Tiles, WIDTH, encode_hashes, push_entry};
use crate::tree::{Frontier, Hash, Head, leaf_hash};
use crate::verify::Against;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io;

/// A log in memory of any length.
struct Long {
    key: SigningKey,
    entries: Vec<Vec<u8>>,
    files: BTreeMap<String, Vec<u8>>,
    policy: Policy,
}

impl Long {
    fn new(entries: Vec<Vec<u8>>) -> Self {
        let key = SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap();
        let signer = Signer::log(KR.parse().unwrap(), &key);
        let policy = Policy::of_keys(&format!("{}\n", signer.verifier()), 0).unwrap();
        let mut log = Self { key, entries, files: BTreeMap::new(), policy };
        log.publish();
        log
    }

    fn publish(&mut self) {
        self.files.clear();
        let size = self.entries.len() as u64;
        let mut tree = Frontier::default();
        for (index, entries) in (0..).zip(self.entries.chunks(256)) {
            let mut bundle = Vec::new();
            let hashes: Vec<Hash> = entries.iter().map(|entry| leaf_hash(entry)).collect();
            for (entry, hash) in entries.iter().zip(&hashes) {
                push_entry(&mut bundle, entry).unwrap();
                tree.push(*hash, |_| ());
            }
            for (level, bytes) in
                [(Level::Entries, bundle), (Level::Hashes(0), encode_hashes(&hashes))]
            {
                self.files.insert(TilePath::of(level, index, size).unwrap().to_string(), bytes);
            }
        }
        let head = Head { size, root: tree.root() };
        let signer = Signer::log(KR.parse().unwrap(), &self.key);
        let note = Checkpoint { origin: KR.parse().unwrap(), head }.sign(&signer).unwrap();
        self.files.insert("checkpoint".to_owned(), note.to_bytes());
    }

    fn against(&self) -> Against<'_> {
        Against { policy: &self.policy, now: at(10_000_000), older: None }
    }
}

impl Tiles for Long {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.files.get(path).cloned())
    }
}

/// A folder in memory.
#[derive(Default)]
struct Memory(Mutex<BTreeMap<String, Vec<u8>>>);

impl Store for Memory {
    fn read_at(&self, name: &str, offset: u64, length: usize) -> io::Result<Vec<u8>> {
        let files = self.0.lock();
        let file = files.get(name).ok_or(io::ErrorKind::NotFound)?;
        let from = usize::try_from(offset).unwrap();
        Ok(file.get(from..from + length).ok_or(io::ErrorKind::UnexpectedEof)?.to_vec())
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        self.0.lock().insert(name.to_owned(), bytes.to_vec());
        Ok(())
    }
}

/// So many entries, every seventh of them refused, with a purpose, datasets and people that come and go.
fn entries(count: u64) -> Vec<Vec<u8>> {
    let entry = |number: u64| {
        let byte = u8::try_from(number % 251).unwrap();
        let seconds = number.cast_signed() - i64::from(number.is_multiple_of(5)) * 7;
        let kind = if number.is_multiple_of(7) { Type::Refused } else { Type::Answered };
        let mut entry = Entry {
            datasets: vec![(if number < 600 { "seizures" } else { "reports" }).parse().unwrap()],
            result: (!number.is_multiple_of(7)).then_some(ResultClass::Aggregate),
            rule: Some(format!("grant-{},all", number / 300)),
            policy: Some(digest(&format!("policy {}", number / 1000))),
            case: (number % 100 == 3).then(|| digest(&format!("case {number}"))),
            recipient: Some((if number.is_multiple_of(2) { "us" } else { "jp" }).parse().unwrap()),
            ..about(kind, seconds, byte)
        };
        entry.actor = Some(digest(&format!("person {}", number % 13)));
        entry.to_bytes().unwrap()
    };
    (0..count).map(entry).collect()
}

fn filters() -> Vec<Filter> {
    let all = Filter::default;
    vec![
        all(),
        Filter { from: Some(at(700)), to: Some(at(720)), ..all() },
        Filter { country: Some("us".parse().unwrap()), ..all() },
        Filter { country: Some("kr".parse().unwrap()), ..all() },
        Filter { country: Some("de".parse().unwrap()), ..all() },
        Filter { dataset: Some("seizures".parse().unwrap()), kind: Some(Type::Refused), ..all() },
        Filter { purpose: Some(mayag_protocol::purpose::Purpose::Alert), ..all() },
        Filter { outcome: Some("aggregate".to_owned()), ..all() },
        Filter { rule: Some("grant-2".to_owned()), ..all() },
        Filter { policy: Some(digest("policy 1")), ..all() },
        Filter { actor: Some(digest("person 4")), from: Some(at(900)), ..all() },
        Filter { case: Some(digest("case 503")), ..all() },
        Filter { question: Some("09".repeat(16).parse().unwrap()), ..all() },
    ]
}

fn without(log: &Long, filter: Filter, order: Order, limit: usize) -> Vec<Found> {
    let mut search = Search::new(filter, order, limit);
    let each = &mut |located: crate::records::Located<'_>| search.look(located);
    for (index, bytes) in (0..).zip(&log.entries) {
        let name = crate::records::LogName::of(&KR.parse().unwrap()).unwrap();
        let (entry, hash) = (Entry::parse(bytes).unwrap(), leaf_hash(bytes));
        each(crate::records::Located { log: &name, index, hash, bytes, entry });
    }
    search.into_found()
}

fn with(
    log: &Long,
    store: &Memory,
    filter: Filter,
    order: Order,
    limit: usize,
) -> Result<(Vec<Found>, Made), IndexError> {
    let mut indexes = [Index::open(log, store, &log.against())?];
    let mut search = Search::new(filter, order, limit);
    search.by_index(&mut indexes).map_err(|(_, error)| error)?;
    Ok((search.into_found(), indexes[0].made()))
}

/// Everything is found that a search without an index finds.
fn agrees(log: &Long, store: &Memory) {
    for filter in filters() {
        for (order, limit) in [(Order::Newest, 5), (Order::Oldest, 5), (Order::Newest, 10_000)] {
            let expected = without(log, filter.clone(), order, limit);
            let (found, _) = with(log, store, filter.clone(), order, limit).unwrap();
            assert_eq!(found.len(), expected.len(), "{filter:?}");
            assert!(found == expected, "{filter:?} {order:?} {limit}");
        }
    }
}

#[test]
fn a_search_with_an_index_finds_what_one_without_finds_and_a_log_may_grow() {
    let all = entries(1700);
    let store = Memory::default();
    let mut log = Long::new(all[..1].to_vec());
    for size in [1, 255, 256, 257, 1000, 1700] {
        log.entries = all[..size].to_vec();
        log.publish();
        agrees(&log, &store);
        let made = Index::open(&log, &store, &log.against()).unwrap().made();
        assert_eq!(made, Made { kept: 1, new: 0, again: 0 }, "nothing is made twice");
    }
}

#[test]
fn rare_words_are_read_in_few_bundles() {
    let log = Long::new(entries(1700));
    let store = Memory::default();
    let mut index = Index::open(&log, &store, &log.against()).unwrap();
    let mut bundles = |filter| {
        let found = index.candidates(&filter).unwrap();
        found.into_iter().map(|found| found.bundle).collect::<Vec<_>>()
    };
    let all = Filter::default;
    assert_eq!(bundles(all()), (0..7).collect::<Vec<_>>());
    assert_eq!(bundles(Filter { case: Some(digest("case 503")), ..all() }), [1]);
    assert_eq!(bundles(Filter { case: Some(digest("no case")), ..all() }), Vec::<u64>::new());
    assert_eq!(bundles(Filter { from: Some(at(1690)), ..all() }), [6]);
    let dataset = Some("seizures".parse().unwrap());
    let both = Filter { dataset, case: Some(digest("case 703")), ..all() };
    assert_eq!(bundles(both), [2], "both are in the third bundle, in different entries");
}

#[test]
fn no_damage_to_an_index_loses_a_hit() {
    let log = Long::new(entries(300));
    let store = Memory::default();
    let filter = || Filter {
        case: Some(digest("case 103")),
        kind: Some(Type::Answered),
        ..Filter::default()
    };
    let expected = without(&log, filter(), Order::Newest, 10);
    assert_eq!(expected.len(), 1);
    let search = || with(&log, &store, filter(), Order::Newest, 10).unwrap();
    assert_eq!(search().0, expected);
    let name = super::name(0);
    let whole = store.0.lock()[&name].clone();
    let mut again = 0;
    // The first bytes of the head, and some of everything after.
    let places = (0..whole.len()).filter(|place| *place < 64 || place % 41 == 0);
    for place in places {
        let mut bytes = whole.clone();
        bytes[place] ^= 1 << (place % 8);
        store.replace(&name, &bytes).unwrap();
        let (found, made) = search();
        assert_eq!(found, expected, "byte {place}");
        again += made.again;
        // A page that this search does not need is found by the one that does.
        let now = store.0.lock()[&name].clone();
        assert!(made.again == 1 && now == whole || made.again == 0 && now == bytes, "{place}");
    }
    assert!(0 < again);
    for length in [0, 1, 10, 100, whole.len() / 2, whole.len() - 1] {
        store.replace(&name, &whole[..length]).unwrap();
        assert_eq!(search().0, expected, "cut at {length}");
    }
}

#[test]
fn an_index_of_another_history_or_log_is_made_again() {
    let store = Memory::default();
    let log = Long::new(entries(700));
    agrees(&log, &store);
    // As long as the other, and another: the roots of its bundles do not lead to what is signed.
    let mut other = entries(700);
    other.reverse();
    let other = Long::new(other);
    agrees(&other, &store);
    let opened = Index::open(&log, &store, &log.against()).unwrap();
    assert_eq!(opened.made(), Made { kept: 0, new: 0, again: 1 });
}

#[test]
fn a_log_that_was_changed_after_it_was_indexed_is_named() {
    let store = Memory::default();
    let mut log = Long::new(entries(700));
    agrees(&log, &store);
    let path = "tile/entries/001";
    let place = log.files[path].windows(8).position(|window| window == b"answered").unwrap();
    log.files.get_mut(path).unwrap()[place] ^= 1;
    let filter = Filter { case: Some(digest("case 303")), ..Filter::default() };
    let found = with(&log, &store, filter.clone(), Order::Newest, 10);
    assert!(matches!(&found, Err(IndexError::Tampered(file)) if file == path), "{found:?}");
    // Without the index's memory of it, it is not indexed.
    let found = with(&log, &Memory::default(), filter, Order::Newest, 10);
    assert!(
        matches!(found, Err(IndexError::Entry { entry: 256.., .. } | IndexError::Root)),
        "{found:?}"
    );
}

#[test]
fn a_log_of_more_than_one_segment_is_indexed_by_what_is_new() {
    // Entries of one kind, so that a segment is made quickly.
    let one = Entry::new(Type::Opened, at(0)).unwrap().to_bytes().unwrap();
    let size = usize::try_from(SEGMENT + WIDTH).unwrap();
    let mut log = Long::new(vec![one; size]);
    let store = Memory::default();
    let made = |log: &Long| Index::open(log, &store, &log.against()).unwrap().made();
    assert_eq!(made(&log), Made { kept: 0, new: 2, again: 0 });
    log.entries.push(about(Type::Refused, 5, 5).to_bytes().unwrap());
    log.publish();
    assert_eq!(made(&log), Made { kept: 1, new: 1, again: 0 });
    let filter = Filter { kind: Some(Type::Refused), ..Filter::default() };
    let (found, _) = with(&log, &store, filter, Order::Newest, 10).unwrap();
    assert_eq!(found[0].place.index, SEGMENT + WIDTH);
}
