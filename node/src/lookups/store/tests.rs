//! The files of published tables, over crashes and damage.

use super::{Build, Kept, Store};
use mayag_audit::keys::sha256;
use mayag_protocol::lookup::PublishedIndex;
use mayag_protocol::names::EvaluationKey;
use mayag_protocol::timestamp::Timestamp;

fn build(store: &Store, table: &str, epoch: u32, bytes: &[u8]) -> Build {
    store.folder().unwrap();
    let filter = store.publish(&[b"filter ", bytes].concat()).unwrap();
    let boxes = store.publish(&[b"boxes ", bytes].concat()).unwrap();
    let built_at = Timestamp::from_millis(0);
    Build {
        table: table.parse().unwrap(),
        epoch,
        key: EvaluationKey::from_bytes([7; 32]),
        terms: sha256(b"terms"),
        data: sha256(b"data"),
        index: PublishedIndex { built_at, rows: 64, left_out: 0, filter, boxes },
        categories: Vec::new(),
        handling: Vec::new(),
    }
}

#[test]
fn a_build_is_kept_until_the_next_one_is_replaced() {
    let state = tempfile::tempdir().unwrap();
    let store = Store::new(state.path());
    let mut kept = Kept::default();
    let table = "a".parse().unwrap();
    let mut digests = Vec::new();
    for bytes in [b"1", b"2", b"3"] {
        let build = build(&store, "a", 1, bytes);
        digests.push(build.index.filter.digest.clone());
        kept.replace(&table, vec![build]);
        store.write(&kept).unwrap();
    }
    let piece = |n: usize, offset| store.piece(&digests[n], offset, 6).ok().flatten();
    assert_eq!(piece(0, 0), None);
    assert_eq!(piece(1, 0).as_deref(), Some(&b"filter"[..]));
    assert_eq!(piece(2, 7).as_deref(), Some(&b"3"[..]));
    assert_eq!(piece(2, 8), None, "past the end");
    // A new epoch beside it replaces nothing of it.
    kept.replace(&table, vec![build(&store, "a", 2, b"4")]);
    assert_eq!(kept.builds.len(), 2);
}

#[test]
fn a_crash_leaves_what_was_and_what_it_left_behind_is_removed() {
    let state = tempfile::tempdir().unwrap();
    let store = Store::new(state.path());
    let mut kept = Kept::default();
    kept.replace(&"a".parse().unwrap(), vec![build(&store, "a", 1, b"1")]);
    store.write(&kept).unwrap();
    // Files of a build that never came to count.
    let lost = build(&store, "a", 1, b"2");
    let read = store.read().unwrap();
    assert_eq!(read.builds, kept.builds);
    store.write(&read).unwrap();
    store.piece(&lost.index.boxes.digest, 0, 9).unwrap_err();
    assert!(store.piece(&kept.builds[0].index.boxes.digest, 0, 9).unwrap().is_some());
}

#[test]
fn damaged_files_do_not_count() {
    let state = tempfile::tempdir().unwrap();
    let store = Store::new(state.path());
    let mut kept = Kept::default();
    kept.replace(&"a".parse().unwrap(), vec![build(&store, "a", 1, b"1")]);
    kept.replace(&"b".parse().unwrap(), vec![build(&store, "b", 1, b"2")]);
    store.write(&kept).unwrap();
    let path = store.file(&kept.builds[0].index.filter.digest);
    std::io::Write::write_all(&mut std::fs::File::create(path).unwrap(), b"filter x").unwrap();
    let read = store.read().unwrap();
    assert_eq!(read.builds.iter().map(|build| build.table.as_str()).collect::<Vec<_>>(), ["b"]);
}

#[test]
fn a_serial_is_never_given_twice() {
    let state = tempfile::tempdir().unwrap();
    let store = Store::new(state.path());
    store.folder().unwrap();
    assert_eq!(store.next_serial(0).unwrap(), 1);
    assert_eq!(store.next_serial(0).unwrap(), 2, "also where the first came to nothing");
    assert_eq!(store.next_serial(9).unwrap(), 10);
    assert_eq!(store.next_serial(2).unwrap(), 11);
    std::io::Write::write_all(
        &mut std::fs::File::create(store.folder.join("serial")).unwrap(),
        b"x",
    )
    .unwrap();
    store.next_serial(2).unwrap_err();
}
