//! Persons: names in any order and script, and a birth date.

use super::letters::composed;
use super::problem::{Code, Note, Problem};
use super::{Draft, Fuzzy};
use any_ascii::any_ascii_char;
use zeroize::Zeroizing;

/// Names beyond these are left out of nothing: the input is refused, since keys grow with each.
const MOST_NAMES: usize = 8;
/// The longest single name. Longer ones are several that lost their spaces.
const LONGEST_NAME: usize = 40;
/// Room for a name that is too long to be taken.
const LONGEST_LATIN: usize = 2 * LONGEST_NAME;

/// Words of names that one document has and the next has not: articles, prepositions, kinship, titles.
const PARTICLES: [&str; 56] = [
    "abd", "af", "al", "an", "av", "bin", "binti", "bint", "bt", "da", "das", "de", "del", "dela",
    "della", "den", "der", "di", "do", "dos", "dr", "du", "e", "el", "haji", "hajj", "ibn", "ii",
    "iii", "jr", "la", "las", "le", "los", "miss", "mr", "mrs", "ms", "of", "op", "os", "prof",
    "sayyid", "shaikh", "sheikh", "shaykh", "sr", "ter", "the", "ul", "van", "von", "y", "zu",
    "zum", "zur",
];

/// A person's names in Latin letters, sorted, and the birth date as eight digits.
pub(crate) struct Person {
    names: Vec<Zeroizing<String>>,
    birth: Zeroizing<String>,
}

impl Person {
    /// Names in lower-case ASCII letters, sorted, each once.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> + Clone {
        self.names.iter().map(|name| name.as_str())
    }

    /// Names that say something alone: no particles and initials, unless there is nothing else.
    pub(crate) fn telling_names(&self) -> impl Iterator<Item = &str> + Clone {
        let says_nothing = |name: &str| is_particle(name) || name.len() < 2;
        let all = self.names().all(says_nothing);
        self.names().filter(move |name| all || !says_nothing(name))
    }

    /// Year, month, day: `YYYYMMDD`.
    pub(crate) fn birth(&self) -> &str {
        &self.birth
    }
}

/// `NAME NAME|YYYYMMDD`.
pub(super) fn person(value: &str, qualifier: Option<&str>) -> Result<Draft, Problem> {
    let qualifier = qualifier.ok_or(Problem::new(
        Code::MissingQualifier,
        "the birth date",
        "is missing",
        "add it after `@`, as in `@1980-02-29`; names alone are not searched",
    ))?;
    let (birth, exists) = birth_date(qualifier)?;
    let (mut names, mut notes) = names(value);
    notes.extend((!exists).then_some(Note::BirthDateUnusual));
    let kept = names.iter().filter(|name| !is_particle(name)).count();
    // Where hardly anything else is left they may be names: Nguyen Van An, Le Van Do.
    if 2 <= kept && kept < names.len() {
        names.retain(|name| !is_particle(name));
        notes.push(Note::ParticlesLeftOut);
    }
    names.sort_unstable_by(|a, b| a.as_str().cmp(b));
    names.dedup();
    if names.is_empty() {
        return Err(Problem::new(
            Code::Characters,
            "the name",
            "has no letters",
            "give the names as the document has them",
        ));
    }
    if names.len() > MOST_NAMES || names.iter().any(|name| name.len() > LONGEST_NAME) {
        return Err(Problem::new(
            Code::TooLong,
            "the name",
            "has more than 8 names, or one of more than 40 letters",
            "give the names of one person, with spaces between them",
        ));
    }
    let mut text = Zeroizing::new(String::with_capacity(super::LONGEST_INPUT));
    for name in &names {
        text.push_str(name);
        text.push(' ');
    }
    text.pop();
    text.make_ascii_uppercase();
    text.push('|');
    text.push_str(&birth);
    let mut draft = Draft::new(text);
    draft.notes = notes;
    draft.fuzzy = Some(Fuzzy::Person(Person { names, birth }));
    Ok(draft)
}

fn is_particle(name: &str) -> bool {
    PARTICLES.contains(&name)
}

/// Lower-case ASCII names. Apostrophes and soft signs join, everything else that is no letter separates.
fn names(value: &str) -> (Vec<Zeroizing<String>>, Vec<Note>) {
    let mut names = Vec::new();
    let mut notes = Vec::new();
    let value = without_articles(&composed(value));
    let mut name = Zeroizing::new(String::with_capacity(LONGEST_LATIN));
    for letter in value.chars() {
        let ascii = any_ascii_char(letter);
        let joins = matches!(
            letter,
            '\'' | '`'
                | '\u{b4}'
                | '\u{2bb}'
                | '\u{2bc}'
                | '\u{2be}'
                | '\u{2bf}'
                | '\u{2018}'
                | '\u{2019}'
        ) || unicode_normalization::char::is_combining_mark(letter);
        if letter.is_alphabetic() || joins {
            let foreign = !letter.is_ascii() && !('\u{c0}'..='\u{24f}').contains(&letter);
            notes.extend((foreign && letter.is_alphabetic()).then_some(Note::Transliterated));
            let letters = ascii.chars().filter(char::is_ascii_alphabetic);
            // What is longer than the longest name is refused, how much longer does not matter.
            let room = LONGEST_LATIN - name.len();
            name.extend(letters.map(|c| c.to_ascii_lowercase()).take(room));
        } else if !name.is_empty() {
            let next = Zeroizing::new(String::with_capacity(LONGEST_LATIN));
            names.push(std::mem::replace(&mut name, next));
        }
    }
    if !name.is_empty() {
        names.push(name);
    }
    (names, notes)
}

/// The text with the Arabic article separated from the name it is written together with, where a name of three letters or
/// more remains: `al-Rashid` has it apart in Latin letters.
fn without_articles(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() + MOST_NAMES));
    for word in text.split_inclusive(|c: char| !c.is_alphabetic()) {
        match word.strip_prefix("\u{627}\u{644}") {
            Some(rest) if rest.chars().filter(|c| c.is_alphabetic()).count() >= 3 => {
                out.push_str("al ");
                out.push_str(rest);
            }
            Some(_) | None => out.push_str(word),
        }
    }
    out
}

/// A date: `1980-02-29`, `19800229`, `29.02.1980`; and whether it exists. Papers and registers are full of days that do
/// not, mostly with day and month exchanged or a digit misread, and those are found by what agrees.
fn birth_date(text: &str) -> Result<(Zeroizing<String>, bool), Problem> {
    const WRONG: Problem = Problem::new(
        Code::BirthDate,
        "the birth date",
        "is not a year, month and day",
        "give it as in 1980-02-29; a year alone is not searched",
    );
    let parts: Vec<&str> =
        text.split(['-', '.', '/', ' ']).filter(|part| !part.is_empty()).collect();
    let (year, month, day) = match *parts.as_slice() {
        [whole] if whole.len() == 8 => whole
            .split_at_checked(4)
            .and_then(|(year, rest)| {
                rest.split_at_checked(2).map(|(month, day)| (year, month, day))
            })
            .ok_or(WRONG)?,
        [year, month, day] if year.len() == 4 => (year, month, day),
        // Day first with dots only: with a slash it may be either.
        [day, month, year] if year.len() == 4 && text.contains('.') => (year, month, day),
        _ => return Err(WRONG),
    };
    let number = |text: &str, longest: usize| {
        let digits = text.len() <= longest && text.bytes().all(|b| b.is_ascii_digit());
        text.parse::<u32>().ok().filter(|_| digits).ok_or(WRONG)
    };
    let (year, month, day) = (number(year, 4)?, number(month, 2)?, number(day, 2)?);
    // Zeros stand for what is not known.
    if year < 1000 || month == 0 || day == 0 {
        return Err(WRONG);
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let longest = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => 0,
    };
    Ok((Zeroizing::new(format!("{year:04}{month:02}{day:02}")), day <= longest))
}
