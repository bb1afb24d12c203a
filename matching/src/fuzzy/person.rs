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
use crate::normalise::{Element, Person, joined};
use mayag_protocol::lookup::Band;
use std::collections::BTreeSet;
use zeroize::Zeroizing;

/// Key 0 and its slot.
const WHOLE: u16 = 0;
/// The other keys.
const SOUNDING: u16 = 1;
const SPELLED: u16 = 20;
const MISDATED: u16 = 21;

/// A slot is `1000 * key + 100 * name + n`, so that it says what agrees. There are 8 names at most, and 41 keys 20 of one.
const PER_KEY: u16 = 1_000;
const PER_NAME: u16 = 100;

/// Letters that must be left of a name without one of them: one letter is left of too many.
const SHORTEST_REST: usize = 2;

/// Keys 1 that must agree where nothing else does.
const AGREEING: usize = 2;
/// Names that must agree for a strong hit.
const STRONGLY: usize = 2;

/// All keys, key 0 first; no two are equal.
pub(crate) fn keys(person: &Person) -> Vec<Element> {
    let mut keys = vec![Element::new(WHOLE, Band::Exact, &whole(person))];
    let mut seen: Vec<Zeroizing<String>> = Vec::new();
    let mut add = |first: u16, texts: Vec<Zeroizing<String>>| {
        for (slot, text) in (first..).zip(texts) {
            if !seen.contains(&text) {
                keys.push(Element::new(slot, Band::Possible, &text));
                seen.push(text);
            }
        }
    };
    for (place, name) in (0..).map(|n| n * PER_NAME).zip(person.telling_names()) {
        add(SOUNDING * PER_KEY + place, sounding(name, person.birth()));
        add(SPELLED * PER_KEY + place, nearly_spelled(name, person.birth()));
    }
    add(MISDATED * PER_KEY, misdated(person));
    keys
}

/// Key 0 agrees: the same names and date. Two names agree with the date: a strong hit, whatever others do.
pub(crate) fn band(opened: impl Iterator<Item = u16>) -> Option<Band> {
    let slots: BTreeSet<u16> = opened.collect();
    let of_key = |slot: &u16| slot / PER_KEY;
    let heard = slots.iter().filter(|slot| of_key(slot) == SOUNDING).count();
    let of_names = slots.iter().filter(|slot| [SOUNDING, SPELLED].contains(&of_key(slot)));
    let names: BTreeSet<u16> = of_names.map(|slot| slot % PER_KEY / PER_NAME).collect();
    if slots.len() == heard && heard < AGREEING {
        None
    } else if slots.contains(&WHOLE) {
        Some(Band::Exact)
    } else if STRONGLY <= names.len() {
        Some(Band::Strong)
    } else {
        Some(Band::Possible)
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

/// Keys 1 of a name.
fn sounding(name: &str, birth: &str) -> Vec<Zeroizing<String>> {
    let birth = day_and_month_folded(birth);
    let codes = phonetic::codes(name).into_iter();
    codes.map(|code| joined(&["1|", &code, "|", &birth])).collect()
}

/// The date with the lower of day and month first: which comes first differs between countries.
fn day_and_month_folded(birth: &str) -> Zeroizing<String> {
    let (year, rest) = birth.split_at_checked(4).unwrap_or((birth, ""));
    let (month, day) = rest.split_at_checked(2).unwrap_or((rest, ""));
    joined(&[year, month.min(day), month.max(day)])
}

/// Keys 20 of a name: two names that differ by one letter have a text in common among themselves and what is left of them
/// without one of their letters.
fn nearly_spelled(name: &str, birth: &str) -> Vec<Zeroizing<String>> {
    let mut texts = vec![joined(&["20|", name, "|", birth])];
    if SHORTEST_REST < name.len() {
        let parts = (0..name.len()).filter_map(|n| Some((name.get(..n)?, name.get(n + 1..)?)));
        texts.extend(parts.map(|(before, after)| joined(&["20|", before, after, "|", birth])));
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
        joined(&["21|", &names, before, after])
    };
    (0..birth.len()).map(without).collect()
}
