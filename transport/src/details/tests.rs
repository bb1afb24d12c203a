//! Details outlive the process, open only together with the key of their month, and are gone once they are erased.

use super::{DETAILS, Details, Kept, MONTHS, find, is_over, month_of};
use crate::clock::SystemClock;
use mayag_audit::checkpoint::Origin;
use mayag_audit::detail::{DetailError, Place, RecipientSecret, open, seal};
use mayag_audit::entry::{DetailRef, Type};
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use std::time::Duration;
use tempfile::TempDir;

struct World {
    folder: TempDir,
    origin: Origin,
    auditor: RecipientSecret,
}

impl World {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            origin: "node-kr.test/query-log/2026".parse().unwrap(),
            auditor: RecipientSecret::from_pem(&RecipientSecret::generate().unwrap()).unwrap(),
        }
    }

    fn place(&self) -> Place<'_> {
        Place { origin: &self.origin, question: None, kind: Type::Admitted }
    }

    fn keep(&self, details: &Details, now: Timestamp) -> DetailRef {
        let to = [self.auditor.public().clone()];
        details.keep(now, |month| seal(b"ana", &self.place(), &to, Some(month))).unwrap()
    }

    fn opened(&self, reference: &DetailRef) -> Option<Result<Vec<u8>, DetailError>> {
        let Kept { file, month } = find(self.folder.path(), &reference.ct_sha256).unwrap()?;
        let opened = open(&file, reference, &self.place(), &self.auditor, month.as_ref());
        Some(opened.map(|opened| opened.plaintext().to_vec()))
    }
}

fn now() -> Timestamp {
    SystemClock.now()
}

#[test]
fn a_detail_outlives_the_process_and_is_gone_once_erased() {
    let world = World::new();
    let details = Details::open(world.folder.path()).unwrap();
    let (first, second) = (world.keep(&details, now()), world.keep(&details, now()));
    drop(details);
    let details = Details::open(world.folder.path()).unwrap();
    let third = world.keep(&details, now());
    for kept in [&first, &second, &third] {
        assert_eq!(world.opened(kept), Some(Ok(b"ana".to_vec())));
    }
    assert!(details.erase(&second.ct_sha256).unwrap());
    assert!(!details.erase(&second.ct_sha256).unwrap(), "it is not there any more");
    assert_eq!(world.opened(&second), None);
    assert_eq!(world.opened(&first), Some(Ok(b"ana".to_vec())));
}

#[test]
fn without_the_key_of_its_month_no_detail_opens() {
    let world = World::new();
    let details = Details::open(world.folder.path()).unwrap();
    let before = world.keep(&details, now());
    let key = world.folder.path().join(MONTHS).join(format!("{}.key", month_of(now())));
    std::fs::remove_file(&key).unwrap();
    assert_eq!(world.opened(&before), Some(Err(DetailError::Month)));
    // What comes after is sealed under a key that is there, and not under the one that is gone.
    let after = world.keep(&details, now());
    assert_eq!(world.opened(&after), Some(Ok(b"ana".to_vec())));
    assert_eq!(world.opened(&before), Some(Err(DetailError::Month)));
}

#[test]
fn what_is_too_old_is_named_and_months_end_with_their_keys() {
    let world = World::new();
    let details = Details::open(world.folder.path()).unwrap();
    let day = Duration::from_hours(24);
    let old: Timestamp = "2025-03-31T23:59:59Z".parse().unwrap();
    let (long_ago, today) = (world.keep(&details, old), world.keep(&details, now()));
    // Written now, whatever the clock of the party said: its month counts.
    let named = details.older(old.plus(day)).unwrap();
    assert_eq!(named, std::slice::from_ref(&long_ago.ct_sha256));
    assert_eq!(details.older(old).unwrap(), []);
    assert_eq!(details.older(now().plus(day)).unwrap().len(), 2, "today's too, tomorrow");
    details.end_months(old.plus(day)).unwrap();
    assert_eq!(world.opened(&long_ago), None);
    assert_eq!(world.opened(&today), Some(Ok(b"ana".to_vec())));
    assert!(!world.folder.path().join(DETAILS).join("2025-03").exists());
    assert!(!world.folder.path().join(MONTHS).join("2025-03.key").exists());
}

#[test]
fn a_folder_among_details_keeps_no_month_from_ending() {
    let world = World::new();
    let details = Details::open(world.folder.path()).unwrap();
    let old: Timestamp = "2025-03-31T23:59:59Z".parse().unwrap();
    let older: Timestamp = "2025-02-01T00:00:00Z".parse().unwrap();
    let (kept, gone) = (world.keep(&details, old), world.keep(&details, older));
    let month = world.folder.path().join(DETAILS).join("2025-03");
    std::fs::create_dir_all(month.join("copies/of")).unwrap();
    std::fs::create_dir(world.folder.path().join(MONTHS).join("2025-01.key")).unwrap();
    std::fs::File::create(world.folder.path().join(DETAILS).join("2025-04")).unwrap();
    let after = old.plus(Duration::from_hours(48));
    assert_eq!(details.older(after).unwrap().len(), 2);
    details.end_months(after).unwrap();
    for detail in [&kept, &gone] {
        assert_eq!(world.opened(detail), None);
    }
    let left: Vec<_> =
        std::fs::read_dir(&month).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left, ["copies"], "what is not ours");
    assert!(!world.folder.path().join(MONTHS).join("2025-03.key").exists());
    assert!(!world.folder.path().join(DETAILS).join("2025-02").exists());
}

#[test]
fn a_month_is_over_after_its_last_day() {
    let at = |text: &str| text.parse::<Timestamp>().unwrap();
    assert_eq!(month_of(at("2026-11-28T15:00:00Z")), "2026-11");
    assert!(!is_over("2026-10", at("2026-10-31T23:59:59Z")));
    assert!(is_over("2026-10", at("2026-11-01T00:00:00Z")));
    assert!(is_over("2026-02", at("2026-03-04T00:00:00Z")));
    assert!(!is_over("../etc", at("2026-03-04T00:00:00Z")));
}
