//! Tests of the file of notices.

use super::record::{ROOM, ROOM_OF_ONE, record};
use super::{AHEAD, About, Listed, Met, Notices, NoticesError, PLACE, read};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::fs::File;
use std::os::unix::fs::{FileExt as _, PermissionsExt as _};
use std::path::Path;

fn about(number: u8) -> About {
    About {
        v: 1,
        at: Timestamp::from_millis(1_800_000_000_000),
        question: format!("{number:032x}").parse().unwrap(),
        person: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
        purpose: Purpose::Border,
        case: Some("case".repeat(50)),
        legal_basis: None,
        table: "observed".parse().unwrap(),
    }
}

/// What is met of one identifier; 0 where there is none.
fn met(word: u8) -> Met {
    let mut met = Met { more: 0, contacts: [(0, [0; 16]); 8] };
    met.contacts[0] = (word, [word; 16]);
    met
}

fn opened(folder: &Path) -> Notices {
    let notices = Notices::new(folder);
    notices.top_up().unwrap();
    notices
}

/// The number of a notice, and the identifiers that it names.
type Told = (u8, Vec<String>);

/// The number of each notice, and the identifiers that it names.
fn told(folder: &Path) -> (Vec<Told>, u64) {
    let Listed { notices, damaged } = read(folder).unwrap();
    let one = |notice: &super::Notice| {
        let number = notice.about.question.to_string();
        let met = notice.met.iter().map(|met| met.identifier.clone()).collect();
        (u8::from_str_radix(number.trim_start_matches('0'), 16).unwrap(), met)
    };
    (notices.iter().map(one).collect(), damaged)
}

fn overwrite(folder: &Path, at: usize, bytes: &[u8]) {
    let file = File::options().write(true).open(folder.join(PLACE)).unwrap();
    file.write_all_at(bytes, at as u64).unwrap();
}

#[test]
fn what_is_met_is_told_and_nothing_else_is_in_the_file() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(read(folder.path()).unwrap(), Listed::default());
    let notices = opened(folder.path());
    notices.write(&about(9), &[("MISSED", met(0))], 9).unwrap();
    let digest = notices.write(&about(1), &[("MISSED", met(0)), ("A", met(2))], 9).unwrap();
    notices.write(&about(2), &[("B", met(1)), ("C", met(2))], 513).unwrap();
    let all = vec![(1, vec!["A".to_owned()]), (2, vec!["B".to_owned(), "C".to_owned()])];
    assert_eq!(told(folder.path()), (all, 0));
    let first = read(folder.path()).unwrap().notices.remove(0);
    assert_eq!((&first.digest, &first.about), (&digest, &about(1)));
    let [contact] = first.met[0].contacts.as_slice() else { panic!("{:?}", first.met) };
    assert_eq!((contact.contact.as_str(), contact.silent), ("02".repeat(16).as_str(), true));
    assert!(!format!("{first:?}").contains("case"));

    // A node that starts again goes on behind them.
    opened(folder.path()).write(&about(3), &[("D", met(1))], 2).unwrap();
    assert_eq!(told(folder.path()).0.len(), 3);
    let path = folder.path().join(PLACE);
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let bytes = std::fs::read(&path).unwrap();
    let holds = |text: &[u8]| bytes.windows(text.len()).any(|bytes| bytes == text);
    assert!(holds(b"hana") && !holds(b"MISSED"));
    let one = record(&about(9), &[0; 32], &[("MISSED", met(0))], 9).unwrap();
    assert!(!one.windows(4).any(|bytes| bytes == b"hana"), "who found nothing is named by the log");
}

#[test]
fn hit_and_miss_take_the_same_room_and_none_is_filled_while_writing() {
    let after = |word: u8| {
        let folder = tempfile::tempdir().unwrap();
        let notices = opened(folder.path());
        let length = || std::fs::metadata(folder.path().join(PLACE)).unwrap().len();
        let mut written = 0;
        while notices.write(&about(1), &[("A", met(word))], 513).is_ok() {
            written += 1;
        }
        assert!(matches!(
            notices.write(&about(1), &[("A", met(word))], 513),
            Err(NoticesError::NoRoom)
        ));
        assert_eq!(length(), AHEAD, "nothing but the clock fills");
        notices.keep_room().unwrap();
        notices.write(&about(1), &[("A", met(word))], 513).unwrap();
        (written, length())
    };
    assert_eq!(after(0), after(2));
    // Before any table is answered there is no room, and no file.
    let folder = tempfile::tempdir().unwrap();
    let notices = Notices::new(folder.path());
    notices.keep_room().unwrap();
    notices.write(&about(1), &[("A", met(0))], 2).unwrap_err();
    assert!(!folder.path().join(PLACE).exists());
}

#[test]
fn what_is_damaged_hides_no_other_notice_and_is_not_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let length = (ROOM + 2 * ROOM_OF_ONE).next_multiple_of(1024);
    let notices = opened(folder.path());
    for number in 1..=5 {
        notices.write(&about(number), &[("A", met(1))], 2).unwrap();
    }
    drop(notices);
    let numbers =
        || told(folder.path()).0.into_iter().map(|(number, _)| number).collect::<Vec<_>>();
    // A head, a length, a byte of an identifier, and the last head of all.
    overwrite(folder.path(), 0, b"\0");
    assert_eq!((numbers(), told(folder.path()).1), (vec![2, 3, 4, 5], 1));
    overwrite(folder.path(), length + 8, b"\xff");
    assert_eq!((numbers(), told(folder.path()).1), (vec![3, 4, 5], 1));
    overwrite(folder.path(), 2 * length + ROOM + 2, b"B");
    overwrite(folder.path(), 4 * length, b"X");
    assert_eq!((numbers(), told(folder.path()).1), (vec![4], 2));
    opened(folder.path()).write(&about(6), &[("A", met(1))], 2).unwrap();
    assert_eq!(numbers(), [4, 6]);
    overwrite(folder.path(), 4 * length, b"M");
    assert_eq!(numbers(), [4, 5, 6], "it is still there");
}

#[test]
fn records_are_as_long_whatever_they_tell() {
    let most = "\"".repeat(254);
    let full = vec![(most.as_str(), met(2)); 512];
    let blank = vec![(most.as_str(), met(0)); 512];
    let lengths = [&full, &blank].map(|of| record(&about(3), &[0; 32], of, 513).unwrap().len());
    assert_eq!(lengths[0], lengths[1]);
    assert_eq!(lengths[0] % 1024, 0);
    record(&about(4), &[0; 32], &full, 9).unwrap_err();
}
