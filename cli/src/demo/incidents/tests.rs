//! The data is what it claims to be: exact for the United States, plausible and labelled elsewhere.

use super::national::{ALL, National};
use super::published::{PUBLISHED, groups};
use super::{CANARY, Incident, decimal};
use chrono::{Datelike as _, NaiveDate};
use mayag_policies::catalogue::{Catalogue, Dataset, Kind};
use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// The incidents of the United States; making them takes a second in a debug build.
static AMERICAN: LazyLock<Vec<Incident>> = LazyLock::new(|| national("us").incidents().unwrap());

fn national(country: &str) -> &'static National {
    ALL.iter().find(|national| national.country == country).unwrap()
}

fn incidents(national: &National) -> Cow<'static, [Incident]> {
    if national.country == "us" {
        Cow::Borrowed(&AMERICAN)
    } else {
        Cow::Owned(national.incidents().unwrap())
    }
}

fn seizures() -> Dataset {
    Catalogue::builtin().dataset("seizures").unwrap().clone()
}

/// A published number in 10⁻¹⁶, read digit by digit, independently of the product's reader.
fn sixteenths(text: &str) -> i128 {
    let (digits, exponent) = text.split_once("e-").unwrap_or((text, "0"));
    let exponent: usize = exponent.parse().unwrap();
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let zeros = 16 - exponent - fraction.len();
    format!("{whole}{fraction}{}", "0".repeat(zeros)).parse().unwrap()
}

#[test]
fn the_incidents_of_the_united_states_add_up_to_every_published_row() {
    let mut published: BTreeMap<[&str; 7], (u64, i128)> = BTreeMap::new();
    for line in PUBLISHED.lines().skip(1) {
        let f: Vec<&str> = line.split(',').collect();
        let before = published.insert(
            [f[0], f[1], f[2], f[3], f[4], f[5], f[6]],
            (f[7].parse().unwrap(), sixteenths(f[8])),
        );
        assert_eq!(before, None, "{line}");
    }
    assert_eq!(AMERICAN.len(), 269_872);
    let mut made: BTreeMap<[String; 7], (u64, i128)> = BTreeMap::new();
    for incident in AMERICAN.iter() {
        let drug = match incident.drug {
            "Khat" => "Khat (Catha Edulis)",
            "LSD" => "Lsd",
            "Other" => "Other Drugs**",
            same => same,
        };
        let place = incident.place;
        let key = [
            &incident.fiscal_year.to_string(),
            incident.month(),
            place.agency,
            place.region,
            place.land_filter.unwrap(),
            place.area,
            drug,
        ];
        let total = made.entry(key.map(str::to_owned)).or_default();
        *total = (total.0 + 1, total.1 + incident.quantity);
    }
    assert_eq!(made.len(), published.len());
    for (key, total) in &published {
        assert_eq!(made.get(&key.map(str::to_owned)), Some(total), "{key:?}");
    }
}

#[test]
fn no_part_of_a_published_quantity_is_negative_and_none_vanishes() {
    let mut parts = AMERICAN.iter();
    for group in groups().unwrap() {
        for part in parts.by_ref().take(usize::try_from(group.events).unwrap()) {
            assert_eq!(part.quantity > 0, group.quantity > 0, "{group:?}");
            assert!(part.quantity <= group.quantity);
        }
    }
    assert_eq!(parts.next(), None);
}

#[test]
fn american_dates_lie_in_their_fiscal_month_and_use_all_of_it() {
    let mut last_days = BTreeSet::new();
    for incident in AMERICAN.iter() {
        let date = incident.seized_on;
        assert_eq!(
            incident.fiscal_year,
            date.year() + i32::from(date.month() >= 10),
            "{}",
            incident.id
        );
        last_days.insert((date.month(), date.day()));
    }
    assert!(
        last_days.contains(&(10, 1))
            && last_days.contains(&(1, 31))
            && last_days.contains(&(2, 29))
    );
}

#[test]
fn the_same_seed_gives_the_same_bytes() {
    for national in &ALL {
        let again = national.incidents().unwrap();
        let first = incidents(national);
        assert!(*first == again, "{}", national.country);
        assert!(
            national.encode(&first).unwrap() == national.encode(&again).unwrap(),
            "{}",
            national.country
        );
    }
}

#[test]
fn the_bytes_are_those_of_every_machine() {
    // Change these only together with the expected answers: other people's numbers change with them. Parquet files name
    // the library that wrote them, so the incidents are compared instead.
    let digests: Vec<String> = ALL
        .iter()
        .map(|national| {
            let incidents = incidents(national);
            let lines: Vec<String> =
                incidents.iter().map(|incident| format!("{incident:?}\n")).collect();
            format!(
                "{} {} {}",
                national.country,
                incidents.len(),
                mayag_audit::keys::sha256(lines.concat().as_bytes())
            )
        })
        .collect();
    assert_eq!(digests, DIGESTS);
}

const DIGESTS: [&str; 5] = [
    "au 12000 4356f412735c1ae903e5ee535e6e42c86a8111bac3329d0eeb1a60f51a6c89a8",
    "kr 8000 bdfda62d60ca866d340baae9eb87b37dbe70b05a21a02f962ca44f85239f4846",
    "mx 6000 35c8023a37211b6154ebdc5f05312c4c1828e008b1438f2281214026465c0336",
    "th 16000 190ebf2a581c14c93f046d2fcb0a5873296e56ccb5c836023f7e1cfdeaac9d4f",
    "us 269872 d96f5c0dee95dcd374d148c5e5a0a0c41824bb13ad882110a0b95be5689f1522",
];

#[test]
fn every_value_is_one_the_catalogue_knows() {
    let dataset = seizures();
    let closed = |column: &str| -> BTreeSet<String> {
        let Kind::Category { values: Some(values) } = &dataset.column(column).unwrap().kind else {
            panic!("{column}")
        };
        values.iter().cloned().collect()
    };
    let (drugs, transports) = (closed("drug"), closed("transport"));
    let (months, land_filters) = (closed("month"), closed("land_filter"));
    for national in &ALL {
        let incidents = incidents(national);
        let mut ids = BTreeSet::new();
        for incident in incidents.iter() {
            assert!(drugs.contains(incident.drug), "{incident:?}");
            assert!(transports.contains(incident.transport), "{incident:?}");
            assert!(months.contains(incident.month()), "{incident:?}");
            assert!(
                incident.place.land_filter.is_none_or(|filter| land_filters.contains(filter)),
                "{incident:?}"
            );
            assert!(
                incident.quantity >= 0 && incident.purity.is_none_or(|tenths| tenths <= 1000),
                "{incident:?}"
            );
            let lowercase = |country: Option<&str>| {
                country.is_none_or(|code| {
                    code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase())
                })
            };
            assert!(lowercase(incident.origin) && lowercase(incident.destination), "{incident:?}");
            assert!(ids.insert(incident.id.as_str()), "an identifier is used twice");
        }
    }
}

#[test]
fn every_view_makes_every_column_of_the_catalogue() {
    for national in &ALL {
        for column in &seizures().columns {
            let name = column.name.as_str();
            let made = national
                .view
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == name);
            assert!(made, "{}: {name}", national.country);
        }
        for (catalogue, own) in national.drugs {
            let mapped = format!("WHEN '{own}' THEN '{catalogue}'");
            assert!(
                *catalogue == "Other" || national.view.contains(&mapped),
                "{}: {mapped}",
                national.country
            );
        }
    }
}

#[test]
fn invented_incidents_lie_in_the_published_years_and_say_what_they_are() {
    let (first, last) = (
        NaiveDate::from_ymd_opt(2019, 10, 1).unwrap(),
        NaiveDate::from_ymd_opt(2023, 9, 30).unwrap(),
    );
    for national in &ALL {
        let incidents = incidents(national);
        assert!(incidents.len() >= 4_000, "{}", national.country);
        for incident in incidents.iter() {
            assert!((first..=last).contains(&incident.seized_on), "{incident:?}");
            assert!(incident.note.starts_with("synthetic: "), "{incident:?}");
            assert!(
                incident.informant.starts_with(&format!("{CANARY} {} ", incident.id)),
                "{incident:?}"
            );
        }
    }
}

#[test]
fn text_files_hold_a_row_for_every_incident_and_decimals_keep_their_digits() {
    assert_eq!(decimal(12_345, 3), "12.345");
    assert_eq!(decimal(7, 16), "0.0000000000000007");
    assert_eq!(sixteenths("8.8e-05"), 880_000_000_000);
    let korea = national("kr");
    let incidents = korea.incidents().unwrap();
    let text = String::from_utf8(korea.encode(&incidents).unwrap()).unwrap();
    assert_eq!(text.lines().count(), incidents.len() + 1);
    assert!(text.lines().all(|line| line.split(',').count() == 15), "a cell holds a comma");
    let thailand = national("th");
    let incidents = thailand.incidents().unwrap();
    let text = String::from_utf8(thailand.encode(&incidents).unwrap()).unwrap();
    for (line, incident) in text.lines().zip(&incidents) {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        assert_eq!(row.get("khadi_no").unwrap(), &incident.id);
        assert_eq!(row.get("ton_thang").and_then(serde_json::Value::as_str), incident.origin);
    }
}
