//! Keys of a person: names and birth date, by sound and by letters.
//!
//! | key | what must agree | what may differ |
//! | --- | --- | --- |
//! | 0 | all names, the birth date | nothing |
//! | 1 | how one name sounds, the birth date | its spelling, all other names, day and month exchanged |
//! | 20 | one name up to one letter, the birth date | one letter wrong, missing or too many, all other names |
//! | 21 | how all names sound, the birth date up to one digit | one digit wrong, or two neighbours exchanged |
//!
//! A name has a key 1 for each way to hear it. One of them alone is no hit: on the public benchmark it was wrong in eleven
//! cases and right in two.

use super::phonetic;
use crate::normalise::{Element, Person};
use mayag_protocol::lookup::Band;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Slots of key 0, 1, 20 and 21: a slot says which key it is.
const WHOLE: u16 = 0;
const SOUNDING: std::ops::Range<u16> = 1_000..20_000;
const SPELLED: std::ops::Range<u16> = 20_000..21_000;
const MISDATED: std::ops::Range<u16> = 21_000..22_000;

/// Keys 1 that must agree where nothing else does.
const AGREEING: usize = 2;
/// Keys that must agree for a strong hit.
const STRONGLY: usize = 3;

/// All keys, key 0 first; no two are equal.
pub(crate) fn keys(person: &Person) -> Vec<Element> {
    let mut keys = vec![Element::new(WHOLE, Band::Exact, &whole(person))];
    let groups = [
        (SOUNDING, sounding(person)),
        (SPELLED, nearly_spelled(person)),
        (MISDATED, misdated(person)),
    ];
    for (slots, mut texts) in groups {
        texts.sort_unstable_by(|a, b| a.as_str().cmp(b));
        texts.dedup();
        keys.extend(slots.zip(texts).map(|(slot, text)| Element::new(slot, Band::Possible, &text)));
    }
    keys
}

/// Key 0 agrees: the same names and date. Otherwise by the number of keys.
pub(crate) fn band(opened: impl Iterator<Item = u16>) -> Option<Band> {
    let slots: BTreeSet<u16> = opened.collect();
    let heard = slots.iter().filter(|slot| SOUNDING.contains(slot)).count();
    match slots.len() {
        keys if keys == heard && heard < AGREEING => None,
        _ if slots.contains(&WHOLE) => Some(Band::Exact),
        keys if keys >= STRONGLY => Some(Band::Strong),
        _ => Some(Band::Possible),
    }
}

fn whole(person: &Person) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(512));
    text.push('0');
    for name in person.names() {
        text.push('|');
        text.push_str(name);
    }
    text.push('|');
    text.push_str(person.birth());
    text
}

/// Key 1.
fn sounding(person: &Person) -> Vec<Zeroizing<String>> {
    let birth = day_and_month_folded(person.birth());
    let codes = person.telling_names().flat_map(phonetic::codes);
    codes.map(|code| Zeroizing::new(format!("1|{}|{}", *code, *birth))).collect()
}

/// The date with the lower of day and month first: which comes first differs between countries.
fn day_and_month_folded(birth: &str) -> Zeroizing<String> {
    let (year, rest) = birth.split_at_checked(4).unwrap_or((birth, ""));
    let (month, day) = rest.split_at_checked(2).unwrap_or((rest, ""));
    Zeroizing::new(format!("{year}{}{}", month.min(day), month.max(day)))
}

/// Key 20: two names that differ by one letter have a text in common among themselves and what is left of them without one
/// of their letters.
fn nearly_spelled(person: &Person) -> Vec<Zeroizing<String>> {
    let mut texts = Vec::new();
    let mut write = |before: &str, after: &str| {
        texts.push(Zeroizing::new(format!("20|{before}{after}|{}", person.birth())));
    };
    for name in person.telling_names() {
        write(name, "");
        for place in 0..name.len() {
            let before = name.get(..place).unwrap_or_default();
            let after = name.get(place + 1..).unwrap_or_default();
            write(before, after);
        }
    }
    texts
}

/// Key 21, for persons with two names at least: one name and most of a date are those of too many. What is left of a date
/// without one digit is the same for two that differ in it, and for two with neighbouring digits exchanged.
fn misdated(person: &Person) -> Vec<Zeroizing<String>> {
    let mut sounds: Vec<Zeroizing<String>> = person.names().map(phonetic::primary).collect();
    if sounds.len() < 2 {
        return Vec::new();
    }
    sounds.sort_unstable_by(|a, b| a.as_str().cmp(b));
    let mut names = Zeroizing::new(String::with_capacity(512));
    for sound in &sounds {
        names.push_str(sound);
        names.push('|');
    }
    let birth = person.birth();
    let without = |place: usize| {
        let before = birth.get(..place).unwrap_or_default();
        let after = birth.get(place + 1..).unwrap_or_default();
        Zeroizing::new(format!("21|{}{before}{after}", *names))
    };
    (0..birth.len()).map(without).collect()
}
