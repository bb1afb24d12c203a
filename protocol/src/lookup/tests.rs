//! The bytes on the wire, their lengths, and what is refused.

use super::{
    Directory, DirectoryEntry, EvaluatedTable, Legend, Lookup, LookupAnswer, LookupDecision,
    LookupFault, Mode, Published, PublishedIndex, SIZES, Target,
};
use crate::answer::LogPosition;
use crate::envelope::Base64;
use crate::names::Digest;
use crate::purpose::Purpose;
use crate::question::QuestionFault;
use crate::timestamp::Timestamp;
use std::time::Duration;

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn target(country: &str, table: &str, epoch: u32) -> Target {
    Target { country: country.parse().unwrap(), table: table.parse().unwrap(), epoch }
}

fn lookup() -> Lookup {
    let now = Timestamp::from_millis(1_000_000);
    Lookup {
        v: 1,
        id: "00112233445566778899aabbccddeeff".parse().unwrap(),
        analyst: "spiffe://demo/country/kr/analyst/hana".parse().unwrap(),
        gateway: "spiffe://demo/gateway/1".parse().unwrap(),
        targets: vec![target("be", "documents", 7), target("kr", "documents", 3)],
        issued_at: now,
        expires_at: now.plus(Duration::from_mins(1)),
        nonce: "00112233445566778899aabbccddeeff".parse().unwrap(),
        kind: "passport".parse().unwrap(),
        rules: 1,
        elements: 9,
        blinded: digest(0xab),
        purpose: Purpose::Border,
        case: None,
        legal_basis: None,
    }
}

#[test]
fn the_bytes_of_a_request_are_stable() {
    let text = serde_json::to_string(&lookup()).unwrap();
    let expected = format!(
        "{{\"v\":1,\"id\":\"00112233445566778899aabbccddeeff\",\"analyst\":\"spiffe://demo/country/kr/analyst/hana\",\
         \"gateway\":\"spiffe://demo/gateway/1\",\"targets\":[{{\"country\":\"be\",\"table\":\"documents\",\"epoch\":7}},\
         {{\"country\":\"kr\",\"table\":\"documents\",\"epoch\":3}}],\"issued_at\":\"1970-01-01T00:16:40.000Z\",\
         \"expires_at\":\"1970-01-01T00:17:40.000Z\",\"nonce\":\"00112233445566778899aabbccddeeff\",\"kind\":\"passport\",\
         \"rules\":1,\"elements\":9,\"blinded\":\"{}\",\"purpose\":\"BORDER\"}}",
        "ab".repeat(32)
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Lookup>(&text).unwrap(), lookup());
    let unknown = text.replacen("\"v\":1", "\"v\":1,\"identifier\":\"M1\"", 1);
    serde_json::from_str::<Lookup>(&unknown).unwrap_err();
}

#[test]
fn faults_are_found() {
    let now = Timestamp::from_millis(1_000_000);
    let fault = |change: fn(&mut Lookup)| {
        let mut lookup = lookup();
        change(&mut lookup);
        lookup.fault(now)
    };
    let question = |fault: QuestionFault| Some(LookupFault::Question(fault));
    assert_eq!(fault(|_| ()), None);
    assert_eq!(fault(|l| l.v = 2), question(QuestionFault::Version));
    assert_eq!(fault(|l| l.targets.clear()), Some(LookupFault::Targets));
    assert_eq!(fault(|l| l.targets.reverse()), Some(LookupFault::Targets));
    assert_eq!(fault(|l| l.targets.push(target("kr", "documents", 3))), Some(LookupFault::Targets));
    assert_eq!(fault(|l| l.targets.push(target("kr", "documents", 4))), None);
    for elements in [0, 1, 3, 8, 10, 10_000, 65_534, 65_536, u32::MAX] {
        let lookup = Lookup { elements, ..lookup() };
        assert_eq!(lookup.fault(now), Some(LookupFault::Elements), "{elements}");
    }
    for elements in SIZES {
        assert_eq!(Lookup { elements, ..lookup() }.fault(now), None);
    }
    assert_eq!(fault(|l| l.case = Some("x".repeat(201))), question(QuestionFault::TooLong));
    assert_eq!(fault(|l| l.legal_basis = Some("x".repeat(201))), question(QuestionFault::TooLong));
    assert_eq!(fault(|l| l.expires_at = l.issued_at), question(QuestionFault::Life));
    let long = |l: &mut Lookup| l.expires_at = l.issued_at.plus(Duration::from_secs(121));
    assert_eq!(fault(long), question(QuestionFault::Life));
    let later = |l: &mut Lookup| {
        l.issued_at = l.issued_at.plus(Duration::from_secs(31));
        l.expires_at = l.expires_at.plus(Duration::from_secs(31));
    };
    assert_eq!(fault(later), question(QuestionFault::NotYet));
    let after = now.plus(Duration::from_mins(1));
    assert_eq!(lookup().fault(after), question(QuestionFault::Expired));
}

#[test]
fn a_country_finds_its_own_targets() {
    let mut lookup = lookup();
    lookup.targets.push(target("kr", "persons", 1));
    let of = |country: &str| lookup.targets_of(&country.parse().unwrap()).count();
    assert_eq!([of("be"), of("kr"), of("us")], [1, 2, 0]);
    assert_eq!(lookup.vector_bytes(), 288);
}

#[test]
fn the_size_of_an_answer_depends_on_its_tables_alone() {
    let answer = |byte: u8| LookupAnswer {
        v: 1,
        request: Some("00112233445566778899aabbccddeeff".parse().unwrap()),
        request_digest: digest(byte),
        country: "kr".parse().unwrap(),
        issued_at: Timestamp::from_millis(1_000_000),
        policy: None,
        decision: LookupDecision::Evaluated {
            tables: vec![EvaluatedTable {
                table: "documents".parse().unwrap(),
                epoch: 3,
                evaluated: digest(byte),
                proof: Base64(vec![byte; super::PROOF]),
            }],
        },
        log: LogPosition {
            origin: "node-kr.demo/query-log/2026".parse().unwrap(),
            index: 5,
            leaf: digest(byte),
        },
    };
    let lengths =
        [0, 1, 0x7f, 0xff].map(|byte| serde_json::to_string(&answer(byte)).unwrap().len());
    assert_eq!(lengths, [lengths[0]; 4]);
    let text = serde_json::to_string(&answer(9)).unwrap();
    assert_eq!(serde_json::from_str::<LookupAnswer>(&text).unwrap(), answer(9));
    let unknown = text.replacen("\"epoch\":3", "\"epoch\":3,\"hit\":true", 1);
    serde_json::from_str::<LookupAnswer>(&unknown).unwrap_err();
}

#[test]
fn a_directory_has_two_live_epochs_while_keys_rotate() {
    let at = |hours: u64| Timestamp::from_millis(0).plus(Duration::from_hours(hours));
    let entry = |epoch: u32, from: u64| DirectoryEntry {
        table: "documents".parse().unwrap(),
        kind: "passport".parse().unwrap(),
        rules: 1,
        mode: Mode::Blinded,
        epoch,
        from: at(from),
        until: at(from + 10),
        key: "0f".repeat(32).parse().unwrap(),
        index: PublishedIndex {
            built_at: at(from),
            rows: 64,
            filter: Published { digest: digest(1), bytes: 312 },
            boxes: Published { digest: digest(2), bytes: 3160 },
        },
        purposes: vec![Purpose::Border],
        most_elements: 9,
        categories: vec![Legend { number: 1, text: "stolen document".to_owned() }],
        handling: Vec::new(),
    };
    let directory = Directory {
        v: 1,
        node: "spiffe://demo/country/kr/node".parse().unwrap(),
        serial: 4,
        issued_at: at(8),
        tables: vec![entry(1, 0), entry(2, 8)],
    };
    let text = serde_json::to_string(&directory).unwrap();
    assert_eq!(serde_json::from_str::<Directory>(&text).unwrap(), directory);
    let table = "documents".parse().unwrap();
    let live = |hour: u64| [1, 2].map(|epoch| directory.live(&table, epoch, at(hour)).is_some());
    assert_eq!(
        [live(7), live(8), live(9), live(10), live(18)].map(<[bool; 2]>::from),
        [[true, false], [true, true], [true, true], [false, true], [false, false]]
    );
    assert_eq!(directory.live(&"persons".parse().unwrap(), 1, at(7)), None);
}
