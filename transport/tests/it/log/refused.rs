//! What a log does not start with, and what it says then.

use super::{ORIGIN, Place, append, entry, key, put_back, settings};
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::log::error::Failure;
use mayag_audit::log::integrate::Integrated;
use mayag_audit::log::start::{Held, StartError};
use mayag_audit::log::wal::RecoverError;
use mayag_audit::tree::{Head, leaf_hash};
use std::fs::{self, File};
use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

/// Opening is refused, the message says these words, and nothing was written.
fn refused(place: &Place, held: &[Held], words: &[&str]) -> StartError {
    let Err(error) = place.open_against(held) else { panic!("it started, although: {words:?}") };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
    error
}

fn grown(place: &Place, numbers: std::ops::Range<u64>) {
    let log = place.open().unwrap();
    append(&log, numbers);
    assert!(matches!(log.integrate().unwrap(), Integrated::Published(_)));
}

fn head(place: &Place) -> Head {
    place.open().unwrap().checkpoint().unwrap().checkpoint().head
}

fn held(head: Head) -> Held {
    Held { witness: "node-fr".to_owned(), head }
}

fn flip(path: &Path, byte: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[byte] ^= 1;
    write_all(path, &bytes);
}

fn write_all(path: &Path, bytes: &[u8]) {
    File::create(path).unwrap().write_all(bytes).unwrap();
}

#[test]
fn a_log_has_one_writer() {
    let place = Place::begun();
    let first = place.open().unwrap();
    let error = refused(&place, &[], &["another process holds the lock", "one writer"]);
    assert!(matches!(error, StartError::Locked { .. }));
    drop(first);
    place.open().unwrap();
}

#[test]
fn a_log_is_begun_once_and_never_by_opening() {
    let place = Place::begun();
    let again = Log::init(&place.folders().door().unwrap(), &place.settings()).unwrap_err();
    assert!(matches!(again, StartError::Begun { .. }), "{again}");
    let folders = place.folders();
    let (checkpoint, last) =
        (folders.published.join("checkpoint"), folders.guard.join("last-signed"));
    grown(&place, 0..2);
    for (missing, there) in [(&checkpoint, &last), (&last, &checkpoint)] {
        let kept = fs::read(missing).unwrap();
        fs::remove_file(missing).unwrap();
        refused(
            &place,
            &[],
            &[missing.to_str().unwrap(), there.to_str().unwrap(), "Never make it up"],
        );
        write_all(missing, &kept);
    }
    fs::remove_file(&checkpoint).unwrap();
    fs::remove_file(&last).unwrap();
    let error = refused(&place, &[], &["begin the log first"]);
    assert!(matches!(error, StartError::NotBegun { .. }));
    assert!(!last.exists() && !checkpoint.exists(), "opening made no origin");
}

#[test]
fn an_old_copy_of_everything_is_found_by_a_witness() {
    let place = Place::begun();
    grown(&place, 0..3);
    let folders = place.folders();
    let copies =
        [&folders.published, &folders.ahead, &folders.guard].map(|f| (f.clone(), place.copy(f)));
    grown(&place, 3..6);
    let newest = head(&place);
    for (folder, copy) in &copies {
        put_back(folder, copy);
    }
    let error = refused(
        &place,
        &[held(newest)],
        &["node-fr holds a checkpoint of 6", "with 3", "rolled back"],
    );
    assert!(matches!(error, StartError::RolledBack { held: 6, signed: 3, .. }));
    assert_eq!(place.judged().len(), 3, "nothing was written");
}

#[test]
fn an_old_copy_of_the_log_is_found_by_the_guard_alone() {
    let place = Place::begun();
    grown(&place, 0..3);
    let folders = place.folders();
    let copies = [&folders.published, &folders.ahead].map(|f| (f.clone(), place.copy(f)));
    grown(&place, 3..6);
    for (folder, copy) in &copies {
        put_back(folder, copy);
    }
    let error = refused(&place, &[], &["6 entries were signed", "only 3", "last-signed"]);
    assert!(matches!(error, StartError::Lost { signed: 6, found: 3, .. }));
}

#[test]
fn an_old_guard_is_found() {
    let place = Place::begun();
    grown(&place, 0..3);
    let folders = place.folders();
    let copy = place.copy(&folders.guard);
    grown(&place, 3..6);
    put_back(&folders.guard, &copy);
    let error =
        refused(&place, &[], &["has 6 entries, but only 3 were signed", "an old `last-signed`"]);
    assert!(matches!(error, StartError::PublishedAhead { published: 6, signed: 3, .. }));
}

#[test]
fn two_histories_are_found() {
    let place = Place::begun();
    grown(&place, 0..3);
    let folders = place.folders();
    let copies =
        [&folders.published, &folders.ahead, &folders.guard].map(|f| (f.clone(), place.copy(f)));
    grown(&place, 3..5);
    let (one, guard) = (head(&place), place.copy(&folders.guard));
    for (folder, copy) in &copies {
        put_back(folder, copy);
    }
    let log = place.open().unwrap();
    for _ in 0..2 {
        log.append(Kind::Record, b"another history".to_vec()).unwrap();
    }
    log.integrate().unwrap();
    drop(log);
    // A witness that holds the other history, at this size and at a smaller one.
    let error =
        refused(&place, &[held(one)], &["what node-fr holds", "5 entries", "different roots"]);
    assert!(matches!(error, StartError::Forked { size: 5, .. }));
    let smaller = Head { size: 2, root: leaf_hash(b"something else") };
    assert!(matches!(refused(&place, &[held(smaller)], &[]), StartError::Forked { size: 2, .. }));
    // A guard of the other history.
    put_back(&folders.guard, &guard);
    let error = refused(&place, &[], &["different roots", "Keep both"]);
    assert!(matches!(error, StartError::Forked { size: 5, .. }));
}

#[test]
fn a_checkpoint_that_was_signed_is_published_by_the_next_start() {
    let place = Place::begun();
    grown(&place, 0..300);
    let folders = place.folders();
    let log = place.open().unwrap();
    let copy = place.copy(&folders.published);
    append(&log, 300..303);
    log.integrate().unwrap();
    // Durable, but after the swap, and never signed.
    append(&log, 303..305);
    drop(log);
    let ahead = place.copy(&folders.ahead);
    let guard = place.copy(&folders.guard);
    // As if the program had ended right after `last-signed` was exchanged.
    put_back(&folders.published, &copy);
    drop(place.open().unwrap());
    assert_eq!(place.judged(), (0..305).map(entry).collect::<Vec<_>>());
    // Without what was written ahead, it cannot be published; whoever says so changed nothing.
    put_back(&folders.published, &copy);
    put_back(&folders.guard, &guard);
    put_back(&folders.ahead, &ahead);
    File::options().write(true).open(folders.ahead.join("a")).unwrap().set_len(4096).unwrap();
    fs::remove_file(folders.ahead.join("b")).unwrap();
    let error = refused(&place, &[], &["303 entries were signed", "only 301"]);
    assert!(matches!(error, StartError::Lost { signed: 303, found: 301, .. }));
    // Another entry in its place does not have the root that was signed.
    put_back(&folders.ahead, &ahead);
    let other = Place::begun();
    let log = other.open().unwrap();
    append(&log, 0..300);
    log.integrate().unwrap();
    for _ in 0..3 {
        log.append(Kind::Record, b"forged".to_vec()).unwrap();
    }
    drop(log);
    put_back(&folders.ahead, &other.folders().ahead);
    let error = refused(&place, &[], &["do not lead to the root that was signed over 303"]);
    assert!(matches!(error, StartError::OtherEntries { signed: 303, .. }));
}

#[test]
fn damage_before_the_end_of_what_was_written_ahead_is_not_cut() {
    let place = Place::begun();
    let log = place.open().unwrap();
    append(&log, 0..4);
    drop(log);
    let folders = place.folders();
    let area = folders.ahead.join("a");
    let copy = place.copy(&folders.ahead);
    for (byte, batch) in [(4096 + 100, 1), (2 * 4096 + 60, 2), (100, 0), (4096 + 3, 1)] {
        flip(&area, byte);
        let error = refused(&place, &[], &[area.to_str().unwrap(), "acknowledged are damaged"]);
        assert!(
            matches!(error, StartError::Recover(RecoverError::Gap { expected, .. }) if expected == batch),
            "{error}"
        );
        put_back(&folders.ahead, &copy);
    }
    // The magic, the generation, the salt.
    for byte in [3, 15, 20] {
        flip(&area, byte);
        let error = refused(&place, &[], &["the first block is damaged"]);
        assert!(matches!(error, StartError::Recover(RecoverError::Headless { offset: 4096, .. })));
        put_back(&folders.ahead, &copy);
    }
    // The last batch may be a torn write, on which nobody was answered.
    flip(&area, 3 * 4096 + 100);
    drop(place.open().unwrap());
    assert_eq!(place.judged().len(), 3);
}

#[test]
fn changed_tiles_other_keys_and_other_names_are_refused() {
    let place = Place::begun();
    grown(&place, 0..300);
    let published = place.folders().published;
    let copy = place.copy(&published);
    for (file, word) in [
        ("tile/0/001.p/44", "does not have the hash"),
        ("tile/1/000.p/1", "do not have the root"),
        ("tile/entries/001.p/44", "does not have the hash"),
    ] {
        flip(&published.join(file), 20);
        refused(&place, &[], &[word]);
        put_back(&published, &copy);
        fs::remove_file(published.join(file)).unwrap();
        refused(&place, &[], &["is missing"]);
        put_back(&published, &copy);
    }
    flip(&published.join("checkpoint"), 60);
    refused(&place, &[], &["checkpoint"]);
    put_back(&published, &copy);
    let door = || place.folders().door().unwrap();
    let error = Log::open(door(), settings(ORIGIN, Arc::new(key())), &[]).unwrap_err();
    assert!(matches!(error, StartError::OtherKey { .. }), "{error}");
    let error =
        Log::open(door(), settings("other.example/log", Arc::clone(&place.key)), &[]).unwrap_err();
    assert!(matches!(error, StartError::OtherOrigin { .. }), "{error}");
    place.open().unwrap();
}

#[test]
fn whoever_else_signs_closes_the_log() {
    let place = Place::begun();
    let log = place.open().unwrap();
    append(&log, 0..2);
    flip(&place.folders().guard.join("last-signed"), 40);
    log.integrate().unwrap_err();
    assert!(matches!(**log.failed().unwrap(), Failure::OtherSigner { .. }));
    let error = log.append(Kind::Record, entry(2)).unwrap_err();
    assert!(error.to_string().contains("something else signs"), "{error}");
}
