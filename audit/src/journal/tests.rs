//! What is appended verifies, what was changed is found, what was torn is cut.

use super::{Entry, Head, Journal, JournalError, Operation, Sink, empty_head, verify};
use crate::keys::{Ed25519, SigningKey};
use mayag_protocol::timestamp::Timestamp;
use parking_lot::Mutex;
use std::io::{self, Write};
use std::sync::Arc;

#[derive(Clone, Default)]
struct Disk {
    bytes: Arc<Mutex<Vec<u8>>>,
    fails: Arc<Mutex<bool>>,
}

impl Write for Disk {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Disk {
    fn sync(&mut self) -> io::Result<()> {
        if *self.fails.lock() { Err(io::Error::other("no space")) } else { Ok(()) }
    }
}

fn key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()
}

fn three_entries(key: &SigningKey) -> Vec<u8> {
    let disk = Disk::default();
    let journal = Journal::open(disk.clone(), empty_head());
    for i in 0..3 {
        let entry = Entry { cells: Some(i), ..Entry::new(Operation::Answered) };
        let receipt = journal.append(Timestamp::from_millis(0), entry, key).unwrap();
        assert_eq!(receipt.position().index, i);
    }
    disk.bytes.lock().clone()
}

#[test]
fn what_is_appended_verifies_and_can_be_continued() {
    let key = key();
    let bytes = three_entries(&key);
    let mut cells = Vec::new();
    let (head, complete) =
        verify(&bytes, key.public(), &Ed25519, |_, _, entry| cells.push(entry.cells)).unwrap();
    assert_eq!((head.entries, complete, cells), (3, bytes.len(), vec![Some(0), Some(1), Some(2)]));
    let disk = Disk { bytes: Arc::new(Mutex::new(bytes)), ..Disk::default() };
    Journal::open(disk.clone(), head)
        .append(Timestamp::from_millis(1), Entry::new(Operation::Opened), &key)
        .unwrap();
    assert_eq!(
        verify(&disk.bytes.lock(), key.public(), &Ed25519, |_, _, _| ()).unwrap().0.entries,
        4
    );
}

/// Signed by the right key, at the right place, but not what was said before it: a fork.
#[test]
fn a_line_of_another_log_of_the_same_key_is_found() {
    let key = key();
    let bytes = three_entries(&key);
    let disk = Disk::default();
    let fork = Journal::open(disk.clone(), empty_head());
    for _ in 0..3 {
        fork.append(Timestamp::from_millis(1), Entry::new(Operation::Refused), &key).unwrap();
    }
    let fork = disk.bytes.lock().clone();
    let line = |log: &[u8], i: usize| log.split_inclusive(|b| *b == b'\n').nth(i).unwrap().to_vec();
    let spliced = [line(&bytes, 0), line(&fork, 1)].concat();
    let found = verify(&spliced, key.public(), &Ed25519, |_, _, _| ());
    assert!(matches!(found, Err(JournalError::Broken { index: 1, .. })), "{found:?}");
}

#[test]
fn every_changed_byte_is_found() {
    let key = key();
    let bytes = three_entries(&key);
    let (whole, _) = verify(&bytes, key.public(), &Ed25519, |_, _, _| ()).unwrap();
    for at in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[at] ^= 1;
        let found = verify(&changed, key.public(), &Ed25519, |_, _, _| ());
        assert_ne!(found.ok().map(|(head, _)| head), Some(whole.clone()), "byte {at}");
    }
}

#[test]
fn dropped_swapped_and_foreign_lines_are_named() {
    let key = key();
    let bytes = three_entries(&key);
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let check = |lines: &[&[u8]], expected: u64| {
        let error = verify(&lines.concat(), key.public(), &Ed25519, |_, _, _| ()).unwrap_err();
        assert!(
            matches!(error, JournalError::Broken { index, .. } if index == expected),
            "{error}"
        );
    };
    check(&[lines[1], lines[2]], 0);
    check(&[lines[0], lines[2]], 1);
    check(&[lines[0], lines[2], lines[1]], 1);
    check(&[lines[0], lines[1], lines[1]], 2);
    let foreign = three_entries(&self::key());
    let foreign: Vec<&[u8]> = foreign.split_inclusive(|byte| *byte == b'\n').collect();
    check(&[foreign[0]], 0);
}

#[test]
fn a_torn_tail_is_measured_not_accepted() {
    let key = key();
    let bytes = three_entries(&key);
    let cut = bytes.len() - 5;
    let (head, complete) = verify(&bytes[..cut], key.public(), &Ed25519, |_, _, _| ()).unwrap();
    assert_eq!(head.entries, 2);
    assert!(complete < cut && bytes[complete - 1] == b'\n');
    assert_eq!(verify(&[], key.public(), &Ed25519, |_, _, _| ()).unwrap(), (empty_head(), 0));
    assert_ne!(head, Head { entries: 2, ..empty_head() });
}

#[test]
fn a_log_that_failed_once_stays_closed() {
    let key = key();
    let disk = Disk::default();
    let journal = Journal::open(disk.clone(), empty_head());
    *disk.fails.lock() = true;
    let append = || journal.append(Timestamp::from_millis(0), Entry::new(Operation::Opened), &key);
    assert!(matches!(append(), Err(JournalError::Write(_))));
    *disk.fails.lock() = false;
    assert!(matches!(append(), Err(JournalError::Closed)));
}

#[test]
fn a_file_is_continued_after_its_last_complete_line() {
    let key = key();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("journal.jsonl");
    let open =
        || std::fs::OpenOptions::new().read(true).append(true).create(true).open(&path).unwrap();
    let bytes = three_entries(&key);
    open().write_all(&bytes[..bytes.len() - 9]).unwrap();
    let mut seen = 0;
    let journal = Journal::resume(open(), key.public(), &Ed25519, |_, _, _| seen += 1).unwrap();
    journal.append(Timestamp::from_millis(1), Entry::new(Operation::Opened), &key).unwrap();
    let after = std::fs::read(&path).unwrap();
    assert_eq!(seen, 2);
    assert_eq!(verify(&after, key.public(), &Ed25519, |_, _, _| ()).unwrap().0.entries, 3);
    let mut changed = after;
    changed[40] ^= 1;
    std::fs::OpenOptions::new()
        .write(true)
        .truncate(true)
        .open(&path)
        .unwrap()
        .write_all(&changed)
        .unwrap();
    Journal::resume(open(), key.public(), &Ed25519, |_, _, _| ()).unwrap_err();
}
