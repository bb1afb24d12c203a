//! A year ends, and a crash comes between making the folders of the next and beginning its log.

use crate::upkeep::Party;
use mayag_audit::entry::{Entry, Type};
use mayag_audit::log::commit::Kind;
use mayag_audit::log::start::StartError;
use mayag_audit::party::{self, Book};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::files::{self, Mode};
use mayag_transport::log_files::LogFolders;
use mayag_transport::party_logs::{PartyLogs, PartyLogsError};
use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

/// A party with an entry in this year's log; the year has ended, and nobody has begun the next.
fn at_new_year() -> (Party, LogFolders) {
    let party = Party::new();
    let opened = Entry::new(Type::Opened, party.clock.now()).unwrap();
    PartyLogs::open(party.settings())
        .unwrap()
        .append(Book::Questions, Kind::Record, &opened)
        .unwrap();
    party.clock.advance(Duration::from_hours(366 * 24));
    let folders = next(&party);
    (party, folders)
}

fn next(party: &Party) -> LogFolders {
    let folder = party.state().join(Book::Questions.as_str());
    LogFolders::under(&folder.join(party::year(party.clock.now())))
}

/// What the log of questions of this year has, the oldest first.
fn entries(logs: &PartyLogs) -> Vec<Entry> {
    let mut found = Vec::new();
    let log = logs.log(Book::Questions).unwrap();
    let read = log.newest_first(|_, bytes| {
        found.insert(0, Entry::parse(bytes).unwrap());
        ControlFlow::Continue(())
    });
    read.unwrap();
    found
}

/// The same, once there are any.
fn published(logs: &PartyLogs) -> Vec<Entry> {
    for _ in 0..500 {
        let found = entries(logs);
        if !found.is_empty() {
            return found;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no checkpoint within five seconds");
}

#[test]
fn a_log_of_a_new_year_begins_whenever_a_crash_came_before_its_first_checkpoint() {
    let crashes: [fn(&LogFolders); 5] = [
        |folders| files::create_folder(folders.published.parent().unwrap()).unwrap(),
        |folders| files::create_folder(&folders.published).unwrap(),
        |folders| folders.create().unwrap(),
        |folders| {
            folders.create().unwrap();
            folders.door().unwrap();
        },
        |folders| {
            folders.create().unwrap();
            folders.door().unwrap();
            let torn = folders.guard.join(".last-signed.new");
            files::replace(&torn, b"node-kr.test/que", Mode::Secret).unwrap();
        },
    ];
    for (number, crash) in crashes.iter().enumerate() {
        let (party, folders) = at_new_year();
        crash(&folders);
        assert!(folders.are_blank().unwrap(), "crash {number}");
        let logs = PartyLogs::open(party.settings())
            .unwrap_or_else(|error| panic!("crash {number}: {error}"));
        let found = published(&logs);
        let [first] = found.as_slice() else { panic!("crash {number}: {found:?}") };
        assert_eq!(first.kind, Type::Continued);
        assert_eq!(first.previous.as_ref().unwrap().size, 1, "it goes on from the log before");
        // And once begun it is opened, as ever.
        drop(logs);
        assert!(!folders.are_blank().unwrap());
        assert_eq!(published(&PartyLogs::open(party.settings()).unwrap()).len(), 1);
    }
}

#[test]
fn a_log_that_may_have_had_entries_is_never_begun_again() {
    let put = |path: &std::path::Path, bytes: &[u8]| {
        files::create_folder(path.parent().unwrap()).unwrap();
        files::replace(path, bytes, Mode::Secret).unwrap();
    };
    let lost: [(&str, &str, &[u8]); 4] = [
        ("published", "tile/entries/000.p/1", b"an entry"),
        ("published", "cosigned", b"a checkpoint"),
        ("ahead", "a", b"an entry"),
        ("guard", "something", b"else"),
    ];
    for (folder, file, bytes) in lost {
        let (party, folders) = at_new_year();
        folders.create().unwrap();
        put(&folders.published.parent().unwrap().join(folder).join(file), bytes);
        let refused = PartyLogs::open(party.settings()).unwrap_err();
        let PartyLogsError::Start { source, .. } = &refused else { panic!("{refused}") };
        assert!(matches!(**source, StartError::NotBegun { .. }), "{folder}/{file}: {refused}");
        assert!(!folders.guard.join("last-signed").exists(), "and nothing is signed");
    }

    // The log before is not whole: it does not go on, so no other one takes its place.
    let (party, folders) = at_new_year();
    folders.create().unwrap();
    let before = party.state().join("query-log");
    let before = fs::read_dir(before).unwrap().map(|it| it.unwrap().path()).min().unwrap();
    fs::remove_file(before.join("guard/last-signed")).unwrap();
    let refused = PartyLogs::open(party.settings()).unwrap_err();
    assert!(matches!(refused, PartyLogsError::Start { .. }), "{refused}");

    // There is none before: beginning is somebody's order.
    let (party, folders) = at_new_year();
    fs::remove_dir_all(party.state().join("query-log")).unwrap();
    folders.create().unwrap();
    let refused = PartyLogs::open(party.settings()).unwrap_err();
    assert!(matches!(refused, PartyLogsError::Start { .. }), "{refused}");
}
