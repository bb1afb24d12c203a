//! Fetching what nodes published: in pieces, again after a break, and never believing a piece.

use crate::connection::ConnectionError;
use crate::fixture::country;
use crate::lookup::Reason;
use crate::lookup::fixture::now;
use crate::lookup::index::{IndexError, Named, Source, Store};
use bytes::Bytes;
use mayag_audit::keys::sha256;
use mayag_protocol::lookup::Wanted;
use mayag_protocol::timestamp::Timestamp;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// A node that hands out these bytes in pieces of seven, and breaks off after so many.
struct Node {
    bytes: Vec<u8>,
    pieces: AtomicUsize,
    breaks_after: usize,
}

impl Node {
    fn new(bytes: &[u8]) -> Self {
        Self { bytes: bytes.to_vec(), pieces: AtomicUsize::new(0), breaks_after: usize::MAX }
    }

    fn asked(&self) -> usize {
        self.pieces.load(Ordering::Relaxed)
    }
}

impl Source for Node {
    async fn piece(&self, wanted: &Wanted) -> Result<Option<Bytes>, ConnectionError> {
        if self.pieces.fetch_add(1, Ordering::Relaxed) >= self.breaks_after {
            return Err(ConnectionError::NothingPublished(502));
        }
        let from = usize::try_from(wanted.offset).unwrap();
        let rest = self.bytes.get(from..).filter(|rest| !rest.is_empty());
        Ok(rest.map(|rest| Bytes::copy_from_slice(&rest[..rest.len().min(7)])))
    }
}

const BOXES: &[u8] = b"twenty bytes of rows";

fn named(bytes: u64) -> Named {
    Named { country: country("kr"), digest: sha256(BOXES), bytes }
}

fn run<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn read(store: &mut Store, node: &Node, bytes: u64) -> Result<Vec<u8>, IndexError> {
    run(store.read(node, &named(bytes), now()))
}

fn in_folder(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder.join("index")).unwrap();
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[test]
fn it_comes_in_pieces_once_and_is_told_while_it_comes() {
    let state = tempfile::tempdir().unwrap();
    for folder in [Some(state.path()), None] {
        let node = Node::new(BOXES);
        let mut store = Store::open(folder).unwrap();
        let mut told = Vec::new();
        run(store.fetch(&node, &named(20), &mut |held| told.push(held))).unwrap();
        assert_eq!(read(&mut store, &node, 20).unwrap(), BOXES);
        assert_eq!(told, [0, 7, 14, 20]);
        assert_eq!(node.asked(), 3);
        if folder.is_some() {
            assert_eq!(in_folder(state.path()), [sha256(BOXES).as_str()]);
        }
    }
}

#[test]
fn what_was_cut_off_goes_on_where_it_ended() {
    let state = tempfile::tempdir().unwrap();
    let mut store = Store::open(Some(state.path())).unwrap();
    let breaking = Node { breaks_after: 2, ..Node::new(BOXES) };
    let broken = read(&mut store, &breaking, 20).unwrap_err();
    assert!(matches!(broken, IndexError::Connection(_)), "{broken}");
    let node = Node::new(BOXES);
    assert_eq!(read(&mut store, &node, 20).unwrap(), BOXES);
    assert_eq!(node.asked(), 1);
}

#[test]
fn other_bytes_than_those_of_the_digest_are_not_believed() {
    let state = tempfile::tempdir().unwrap();
    for folder in [Some(state.path()), None] {
        let mut store = Store::open(folder).unwrap();
        for wrong in [
            b"twenty bytes of rowS".as_slice(),
            b"twenty bytes",
            b"twenty bytes of rows and more",
            b"",
        ] {
            let refused = read(&mut store, &Node::new(wrong), 20).unwrap_err();
            let reason = refused.reason().unwrap();
            // That it is not there is no lie.
            let missing = wrong.is_empty() || wrong.len() == 12;
            assert_eq!(reason, if missing { Reason::Unfetched } else { Reason::Index });
            if folder.is_some() {
                // What is too short may be the beginning of the right one; nothing else is kept.
                assert!(in_folder(state.path()).iter().all(|name| name.contains(".part")));
                std::fs::remove_dir_all(state.path().join("index")).unwrap();
                store = Store::open(folder).unwrap();
            }
        }
        assert_eq!(read(&mut store, &Node::new(BOXES), 20).unwrap(), BOXES);
    }
    // What changed on this machine is fetched again.
    let path = state.path().join("index").join(sha256(BOXES).as_str());
    mayag_transport::files::replace(&path, b"x", mayag_transport::files::Mode::Secret).unwrap();
    let mut store = Store::open(Some(state.path())).unwrap();
    assert_eq!(read(&mut store, &Node::new(BOXES), 20).unwrap(), BOXES);
}

#[test]
fn what_is_not_used_any_more_is_removed() {
    let state = tempfile::tempdir().unwrap();
    let mut store = Store::open(Some(state.path())).unwrap();
    read(&mut store, &Node::new(BOXES), 20).unwrap();
    let days = |days: u64| -> Timestamp { now().plus(Duration::from_hours(24 * days)) };
    store.tidy(days(20));
    assert_eq!(in_folder(state.path()).len(), 1);
    store.tidy(days(22));
    assert_eq!(in_folder(state.path()), [""; 0]);
}
