//! Text to the letters and digits that count: spacing, punctuation, case, width and look-alikes do not.

use super::problem::Note;
use any_ascii::any_ascii_char;
use unicode_normalization::UnicodeNormalization;
use zeroize::Zeroizing;

/// Cyrillic and Greek capitals, and the Latin ones that look the same.
const LOOK_ALIKES: [(char, char); 32] = [
    ('\u{391}', 'A'),
    ('\u{392}', 'B'),
    ('\u{395}', 'E'),
    ('\u{396}', 'Z'),
    ('\u{397}', 'H'),
    ('\u{399}', 'I'),
    ('\u{39a}', 'K'),
    ('\u{39c}', 'M'),
    ('\u{39d}', 'N'),
    ('\u{39f}', 'O'),
    ('\u{3a1}', 'P'),
    ('\u{3a4}', 'T'),
    ('\u{3a5}', 'Y'),
    ('\u{3a7}', 'X'),
    ('\u{405}', 'S'),
    ('\u{406}', 'I'),
    ('\u{408}', 'J'),
    ('\u{410}', 'A'),
    ('\u{412}', 'B'),
    ('\u{415}', 'E'),
    ('\u{41a}', 'K'),
    ('\u{41c}', 'M'),
    ('\u{41d}', 'H'),
    ('\u{41e}', 'O'),
    ('\u{420}', 'P'),
    ('\u{421}', 'C'),
    ('\u{422}', 'T'),
    ('\u{423}', 'Y'),
    ('\u{425}', 'X'),
    ('\u{4ae}', 'Y'),
    ('\u{51a}', 'Q'),
    ('\u{51c}', 'W'),
];

/// Signs that mean "number" or an ordinal and fall apart into letters under compatibility decomposition.
const SIGNS: [char; 5] = ['\u{aa}', '\u{b0}', '\u{ba}', '\u{2116}', '\u{2117}'];

/// How many bytes a byte may become under a compatibility form: U+FDFA is three, and 33 when it is taken apart.
const GROWTH: usize = 11;

/// ASCII capitals and digits of a text, and what was done to get them.
pub(super) struct Capitals {
    pub(super) text: Zeroizing<String>,
    pub(super) notes: Vec<Note>,
}

/// Everything that is a letter or a digit, as ASCII capitals and digits: compatibility forms are folded, diacritics
/// dropped, look-alikes taken for what they look like, and what remains of other scripts is transliterated.
pub(super) fn capitals(text: &str) -> Capitals {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * GROWTH));
    let mut notes = Vec::new();
    let letters = text.chars().filter(|c| !SIGNS.contains(c)).nfkd();
    for letter in letters.flat_map(char::to_uppercase) {
        if letter.is_ascii() {
            out.extend(letter.is_ascii_alphanumeric().then_some(letter));
            continue;
        }
        if let Some((_, latin)) = LOOK_ALIKES.iter().find(|(other, _)| *other == letter) {
            out.push(*latin);
            notes.push(Note::LookAlikes);
            continue;
        }
        let ascii = any_ascii_char(letter);
        if letter.is_alphabetic() && !ascii.is_empty() && !is_latin(letter) {
            notes.push(Note::Transliterated);
        }
        if letter.is_alphanumeric() {
            let kept = ascii.chars().filter(char::is_ascii_alphanumeric);
            out.extend(kept.map(|c| c.to_ascii_uppercase()));
        }
    }
    Capitals { text: out, notes }
}

/// Letters of the Latin script beyond ASCII that do not decompose, such as `Ø`: their Latin form is no transliteration.
fn is_latin(letter: char) -> bool {
    ('\u{c0}'..='\u{24f}').contains(&letter) || ('\u{1e00}'..='\u{1eff}').contains(&letter)
}

/// Decimal digits of any script, with everything else left out but what `keep` wants.
pub(super) fn digits(text: &str, keep: fn(char) -> bool) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * GROWTH));
    for letter in text.nfkc() {
        if letter.is_ascii_digit() || keep(letter) {
            out.push(letter);
        } else if letter.is_numeric() {
            out.extend(any_ascii_char(letter).chars().filter(char::is_ascii_digit));
        }
    }
    out
}

/// The compatibility composition of a text.
pub(super) fn composed(text: &str) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len() * GROWTH));
    out.extend(text.nfkc());
    out
}

/// The parts as one text, in one buffer that never grew: growing would leave a copy behind that nobody wipes.
pub(crate) fn joined(parts: &[&str]) -> Zeroizing<String> {
    Zeroizing::new(parts.concat())
}

/// Whether all of `text` are ASCII digits, and there are some.
pub(super) fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// The value of an ASCII digit; 0 for anything else, which callers have excluded.
pub(super) fn digit(byte: u8) -> u32 {
    char::from(byte).to_digit(10).unwrap_or(0)
}

/// Puts letters where only letters can stand: `0` is `O`, `1` is `I`.
pub(super) fn as_letters(text: &str) -> Zeroizing<String> {
    exchange(text, |c| match c {
        '0' => 'O',
        '1' => 'I',
        other => other,
    })
}

/// Puts digits where only digits can stand: `O` is `0`, `I` is `1`.
pub(super) fn as_digits(text: &str) -> Zeroizing<String> {
    exchange(text, |c| match c {
        'O' => '0',
        'I' => '1',
        other => other,
    })
}

fn exchange(text: &str, to: fn(char) -> char) -> Zeroizing<String> {
    let mut out = Zeroizing::new(String::with_capacity(text.len()));
    out.extend(text.chars().map(to));
    out
}
