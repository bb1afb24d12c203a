//! The bytes on the wire, their lengths, and what is refused.

use super::{
    Directory, DirectoryEntry, EvaluatedTable, Legend, LookupFault, Mode, Published,
    PublishedIndex, SIZES, Search, Target,
};
use crate::answer::Decision;
use crate::envelope::Base64;
use crate::names::{Country, Digest};
use crate::purpose::Purpose;
use crate::question::Ask;
use crate::timestamp::Timestamp;
use std::time::Duration;

fn digest(byte: u8) -> Digest {
    Digest::from_bytes([byte; 32])
}

fn target(country: &str, table: &str, epoch: u32) -> Target {
    Target { country: country.parse().unwrap(), table: table.parse().unwrap(), epoch }
}

fn search() -> Search {
    Search {
        identifiers: "passport".parse().unwrap(),
        rules: 1,
        elements: 9,
        blinded: digest(0xab),
        opening: digest(0xcd),
        targets: vec![target("be", "documents", 7), target("kr", "documents", 3)],
    }
}

fn countries() -> [Country; 2] {
    ["be", "kr"].map(|country| country.parse().unwrap())
}

#[test]
fn the_bytes_of_a_search_are_stable() {
    let ask = Ask::Lookup { search: search() };
    let text = serde_json::to_string(&ask).unwrap();
    let expected = format!(
        "{{\"kind\":\"lookup\",\"search\":{{\"identifiers\":\"passport\",\"rules\":1,\"elements\":9,\"blinded\":\"{}\",\"opening\":\"{}\",\
         \"targets\":[{{\"country\":\"be\",\"table\":\"documents\",\"epoch\":7}},\
         {{\"country\":\"kr\",\"table\":\"documents\",\"epoch\":3}}]}}}}",
        "ab".repeat(32),
        "cd".repeat(32)
    );
    assert_eq!(text, expected);
    assert_eq!(serde_json::from_str::<Ask>(&text).unwrap(), ask);
    let unknown = text.replacen("\"rules\":1", "\"rules\":1,\"identifier\":\"M1\"", 1);
    serde_json::from_str::<Ask>(&unknown).unwrap_err();
    assert_eq!(ask.search(), Some(&search()));
    assert_eq!(ask.sql(), None);
}

#[test]
fn faults_are_found() {
    let fault = |change: fn(&mut Search)| {
        let mut search = search();
        change(&mut search);
        search.fault(&countries())
    };
    assert_eq!(fault(|_| ()), None);
    assert_eq!(fault(|s| s.targets.clear()), Some(LookupFault::Targets));
    assert_eq!(fault(|s| s.targets.reverse()), Some(LookupFault::Targets));
    assert_eq!(fault(|s| s.targets.push(target("kr", "documents", 3))), Some(LookupFault::Targets));
    assert_eq!(fault(|s| s.targets.push(target("us", "documents", 3))), Some(LookupFault::Targets));
    assert_eq!(fault(|s| s.targets.truncate(1)), Some(LookupFault::Targets));
    assert_eq!(fault(|s| s.targets.push(target("kr", "documents", 4))), None);
    for elements in [0, 1, 3, 8, 10, 10_000, 65_534, 65_536, u32::MAX] {
        let search = Search { elements, ..search() };
        assert_eq!(search.fault(&countries()), Some(LookupFault::Elements), "{elements}");
    }
    for elements in SIZES {
        assert_eq!(Search { elements, ..search() }.fault(&countries()), None);
    }
}

#[test]
fn a_country_finds_its_own_targets() {
    let mut search = search();
    search.targets.push(target("kr", "persons", 1));
    let of = |country: &str| search.targets_of(&country.parse().unwrap()).count();
    assert_eq!([of("be"), of("kr"), of("us")], [1, 2, 0]);
    assert_eq!(search.vector_bytes(), 288);
}

#[test]
fn the_size_of_an_answer_depends_on_its_tables_alone() {
    let decision = |byte: u8| Decision::Evaluated {
        tables: vec![EvaluatedTable {
            table: "documents".parse().unwrap(),
            epoch: 3,
            evaluated: digest(byte),
            proof: Base64(vec![byte; super::PROOF]),
            filter: digest(byte),
            boxes: digest(byte),
        }],
    };
    let lengths =
        [0, 1, 0x7f, 0xff].map(|byte| serde_json::to_string(&decision(byte)).unwrap().len());
    assert_eq!(lengths, [lengths[0]; 4]);
    let text = serde_json::to_string(&decision(9)).unwrap();
    assert_eq!(serde_json::from_str::<Decision>(&text).unwrap(), decision(9));
    let unknown = text.replacen("\"epoch\":3", "\"epoch\":3,\"hit\":true", 1);
    serde_json::from_str::<Decision>(&unknown).unwrap_err();
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
            left_out: 0,
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
        declared: Vec::new(),
        unready: Vec::new(),
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
