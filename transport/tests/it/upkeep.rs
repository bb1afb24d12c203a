//! What a party does with its logs beside answering: details, requests, retention, and those who were turned away.

use crate::support::Hand;
use mayag_audit::detail::{Content, Place, RecipientSecret, open};
use mayag_audit::entry::{Entry, ReadFor, Type};
use mayag_audit::keys::{SigningKey, sha256};
use mayag_audit::log::commit::Kind;
use mayag_audit::party::Book;
use mayag_protocol::names::{Digest, QuestionId};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::details::{self, DETAILS, Kept};
use mayag_transport::party_logs::{PartyLogs, PartyLogsError, PartySettings, Upkeep};
use mayag_transport::requests::{self, Left, REQUESTS, Request};
use mayag_transport::turned_away::{NOT_ADMITTED, TurnedAway};
use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

const DAY: Duration = Duration::from_hours(24);

/// One party with its auditor.
pub(crate) struct Party {
    folder: TempDir,
    key: Arc<SigningKey>,
    pub(crate) clock: Arc<Hand>,
    auditor: RecipientSecret,
}

impl Party {
    pub(crate) fn new() -> Self {
        let party = Self {
            folder: tempfile::tempdir().unwrap(),
            key: Arc::new(SigningKey::from_pem(&SigningKey::generate().unwrap()).unwrap()),
            clock: Arc::new(Hand::at(SystemClock.now())),
            auditor: RecipientSecret::from_pem(&RecipientSecret::generate().unwrap()).unwrap(),
        };
        PartyLogs::init(&party.settings()).unwrap();
        party
    }

    pub(crate) fn settings(&self) -> PartySettings {
        PartySettings {
            party: "spiffe://test/country/kr/node".parse().unwrap(),
            state: self.state().to_owned(),
            guard: None,
            key: Arc::clone(&self.key),
            clock: Arc::<Hand>::clone(&self.clock),
            every: Duration::from_millis(10),
            witnesses: None,
            auditors: vec![self.auditor.public().clone()],
        }
    }

    pub(crate) fn state(&self) -> &Path {
        self.folder.path()
    }

    fn open(&self) -> Arc<PartyLogs> {
        Arc::new(PartyLogs::open(self.settings()).unwrap())
    }

    fn about_ana(&self) -> Entry {
        Entry {
            question: Some(QuestionId::from_bytes([1; 16])),
            actor: Some(sha256(b"ana")),
            ..Entry::new(Type::Admitted, self.clock.now()).unwrap()
        }
    }

    /// Logs a question of Ana's; the digest of the detail.
    fn ask(&self, logs: &PartyLogs) -> Digest {
        let content = Content::question("ana".to_owned(), None);
        let logged = logs
            .append_with_detail(Book::Questions, Kind::Question, self.about_ana(), &content)
            .unwrap();
        Entry::parse(logged.entry()).unwrap().detail.unwrap().ct_sha256
    }
}

/// The entries of this type in the log of administration, the oldest first.
fn entries(logs: &PartyLogs, kind: Type) -> Vec<Entry> {
    let mut found = Vec::new();
    let read = logs.log(Book::Administration).unwrap().newest_first(|_, bytes| {
        found.push(Entry::parse(bytes).unwrap());
        ControlFlow::Continue(())
    });
    read.unwrap();
    found.retain(|entry| entry.kind == kind);
    found.reverse();
    found
}

/// The entries of this type, once there are so many.
fn logged(logs: &PartyLogs, kind: Type, count: usize) -> Vec<Entry> {
    eventually(|| entries(logs, kind).len() == count);
    entries(logs, kind)
}

fn eventually(mut happened: impl FnMut() -> bool) {
    for _ in 0..500 {
        if happened() {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("not within five seconds");
}

#[test]
fn no_entry_about_a_person_without_its_detail() {
    let party = Party::new();
    let logs = party.open();
    let bare = logs.append(Book::Questions, Kind::Question, &party.about_ana());
    assert!(matches!(bare, Err(PartyLogsError::NoDetail)), "{bare:?}");

    let content = Content::question("ana".to_owned(), None);
    let append =
        || logs.append_with_detail(Book::Questions, Kind::Question, party.about_ana(), &content);
    let logged = append().unwrap();
    let entry = Entry::parse(logged.entry()).unwrap();
    let detail = entry.detail.unwrap();
    let Kept { file, month } = details::find(party.state(), &detail.ct_sha256).unwrap().unwrap();
    let origin = logged.position().origin.as_str().parse().unwrap();
    let place = Place { origin: &origin, question: entry.question.as_ref(), kind: entry.kind };
    let opened = open(&file, &detail, &place, &party.auditor, month.as_ref()).unwrap();
    assert_eq!(Content::parse(opened.plaintext()).unwrap(), content);

    // Where details cannot be kept, there is no entry: a file lies in the way of the folder of this month.
    let folder = party.state().join(DETAILS);
    fs::rename(&folder, party.state().join("away")).unwrap();
    fs::File::create(&folder).unwrap();
    assert!(matches!(append(), Err(PartyLogsError::Details(_))));
    assert_eq!(logged.position().index + 1, next_index(&logs), "and no entry either");
}

/// The index that the next entry of the log of questions gets.
fn next_index(logs: &PartyLogs) -> u64 {
    let opened = Entry::new(Type::Opened, SystemClock.now()).unwrap();
    logs.append(Book::Questions, Kind::Record, &opened).unwrap().position().index
}

#[test]
fn requests_are_taken_up_while_the_party_runs_or_when_it_starts() {
    let party = Party::new();
    assert!(!requests::is_kept(party.state()));
    let logs = party.open();
    let upkeep = Upkeep::start(Arc::clone(&logs), 30).unwrap();
    assert!(requests::is_kept(party.state()));
    let question = Some(QuestionId::from_bytes([1; 16]));
    let read = Request::Read {
        person: "grace".to_owned(),
        read_for: ReadFor::Lawfulness,
        what: "open".to_owned(),
        question: question.clone(),
    };
    assert_eq!(requests::leave(party.state(), &read).unwrap(), Left::Done);
    let found = logged(&logs, Type::LogRead, 1);
    assert_eq!(found[0].read_for, Some(ReadFor::Lawfulness));
    assert_eq!(found[0].question, question);
    assert!(found[0].detail.is_some() && found[0].actor.is_some());
    assert!(!String::from_utf8(found[0].to_bytes().unwrap()).unwrap().contains("grace"));

    let detail = party.ask(&logs);
    let erase = Request::Erase {
        details: vec![detail.clone()],
        question,
        reason: "court order".to_owned(),
        authority: "Seoul".to_owned(),
    };
    drop(upkeep);
    // Nobody takes it up now: it waits, and nothing is erased.
    assert_eq!(requests::leave(party.state(), &erase).unwrap(), Left::ForNextStart);
    assert!(details::find(party.state(), &detail).unwrap().is_some());
    let _upkeep = Upkeep::start(Arc::clone(&logs), 30).unwrap();
    let redaction = logged(&logs, Type::Redaction, 1).remove(0).erased.unwrap();
    assert!(details::find(party.state(), &detail).unwrap().is_none());
    assert_eq!(redaction.details, [detail]);
    assert_eq!(redaction.reason, "court order");
    assert!(redaction.authority.starts_with("Seoul (user "), "{}", redaction.authority);

    // What is no request is put aside, and stops nothing.
    let inbox = party.state().join(REQUESTS);
    mayag_transport::files::replace(
        &inbox.join("x.json"),
        b"{}",
        mayag_transport::files::Mode::Secret,
    )
    .unwrap();
    eventually(|| inbox.join("x.refused").exists());
    assert_eq!(requests::leave(party.state(), &read).unwrap(), Left::Done);
}

#[test]
fn details_are_erased_after_so_many_days_and_the_log_says_so() {
    let party = Party::new();
    let logs = party.open();
    let old = party.ask(&logs);
    drop(Upkeep::start(Arc::clone(&logs), 1).unwrap());
    assert!(details::find(party.state(), &old).unwrap().is_some(), "it is not a day old");
    party.clock.advance(2 * DAY);
    let upkeep = Upkeep::start(Arc::clone(&logs), 1).unwrap();
    let erased = logged(&logs, Type::Redaction, 1).remove(0).erased.unwrap();
    assert!(details::find(party.state(), &old).unwrap().is_none());
    assert_eq!(erased.details, [old]);
    assert!(erased.authority.starts_with("retention of 1 days (user "), "{}", erased.authority);
    drop(upkeep);
    assert_eq!(fs::read_dir(party.state().join(REQUESTS)).unwrap().count(), 0);
}

#[test]
fn those_who_are_turned_away_are_counted_and_fill_no_log() {
    let party = Party::new();
    let logs = party.open();
    let away = |last: u8| TurnedAway {
        address: [192, 0, 2, last].into(),
        identity: None,
        why: NOT_ADMITTED,
    };
    logs.turned_away(&away(1));
    let upkeep = Upkeep::start(Arc::clone(&logs), 30).unwrap();
    logged(&logs, Type::FailedAuthentication, 1);
    for last in 0..200 {
        logs.turned_away(&away(last));
    }
    std::thread::sleep(Duration::from_millis(500));
    assert_eq!(entries(&logs, Type::FailedAuthentication).len(), 1, "a minute is not over");
    party.clock.advance(Duration::from_mins(2));
    let found = logged(&logs, Type::FailedAuthentication, 2);
    assert_eq!(found[1].count, Some(200));
    assert_eq!(found[1].decision.as_deref(), Some(NOT_ADMITTED));
    assert_eq!(found[0].about, found[1].about, "the same network has the same pseudonym");
    assert!(!format!("{found:?}").contains("192.0.2"));
    // Whoever proved who it is has a pseudonym, and a detail that an auditor opens.
    let known = TurnedAway {
        identity: Some("spiffe://test/country/us/analyst/eve".parse().unwrap()),
        ..away(1)
    };
    logs.turned_away(&known);
    party.clock.advance(Duration::from_mins(2));
    let found = logged(&logs, Type::FailedAuthentication, 3).remove(2);
    let detail = found.detail.as_ref().unwrap();
    assert_eq!(found.recipient, Some("us".parse().unwrap()));
    assert!(found.actor.is_some() && !format!("{found:?}").contains("eve"));
    let Kept { file, month } = details::find(party.state(), &detail.ct_sha256).unwrap().unwrap();
    let log = logs.log(Book::Administration).unwrap();
    let place = Place { origin: log.origin(), question: None, kind: found.kind };
    let opened = open(&file, detail, &place, &party.auditor, month.as_ref()).unwrap();
    let content = Content::parse(opened.plaintext()).unwrap();
    assert_eq!(content.person, known.identity.unwrap().to_string());
    assert_eq!(content.words.as_deref(), Some("turned away: not_admitted"));
    // What was counted last is told at the end.
    logs.turned_away(&away(1));
    drop(upkeep);
    logged(&logs, Type::FailedAuthentication, 4);
}
