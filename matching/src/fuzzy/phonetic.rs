//! How a name sounds: three encoders, whose codes together bring the spellings of one name in many scripts together.
//!
//! None is enough alone. Double Metaphone hears English and Romance spellings, Daitch-Mokotoff Slavic and Germanic ones,
//! and a skeleton of consonants what Arabic and Hebrew writing leaves when vowels are not written.

use crate::normalise::joined;
use rphonetic::{DaitchMokotoffSoundex, DaitchMokotoffSoundexBuilder, DoubleMetaphone};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Daitch-Mokotoff codes of one name: it branches where letters are ambiguous.
const MOST_BRANCHES: usize = 4;

// Without its rules, which are part of the package, this encoder would say nothing and the others go on.
static DAITCH_MOKOTOFF: LazyLock<Option<DaitchMokotoffSoundex>> =
    LazyLock::new(|| DaitchMokotoffSoundexBuilder::default().build().ok());

/// All codes of a name in lower-case ASCII letters, each marked with its encoder, none twice.
pub(crate) fn codes(name: &str) -> Vec<Zeroizing<String>> {
    let metaphone = DoubleMetaphone::default().double_metaphone(name);
    let primary = Zeroizing::new(metaphone.primary());
    let alternate = Zeroizing::new(metaphone.alternate());
    let mut codes = vec![marked("m", &primary), marked("m", &alternate)];
    if let Some(encoder) = DAITCH_MOKOTOFF.as_ref() {
        let branches = encoder.inner_soundex(name, true).into_iter().map(Zeroizing::new);
        codes.extend(branches.take(MOST_BRANCHES).map(|code| marked("d", &code)));
    }
    codes.push(marked("s", &skeleton(name)));
    codes.retain(|code| code.len() > 1);
    codes.sort_unstable_by(|a, b| a.as_str().cmp(b));
    codes.dedup();
    codes
}

/// The primary code of Double Metaphone; the name itself where it says nothing.
pub(crate) fn primary(name: &str) -> Zeroizing<String> {
    let primary = Zeroizing::new(DoubleMetaphone::default().double_metaphone(name).primary());
    if primary.is_empty() { Zeroizing::new(name.to_owned()) } else { primary }
}

fn marked(encoder: &str, code: &str) -> Zeroizing<String> {
    joined(&[encoder, code])
}

/// Consonants in the order they are heard, similar ones taken together, and an `a` for any vowel that opens the name.
fn skeleton(name: &str) -> Zeroizing<String> {
    /// Letters that spell one sound in some transliteration, longer ones first; `kh` goes the way of `h`.
    const SOUNDS: [(&str, &str); 17] = [
        ("shch", "s"),
        ("tsch", "s"),
        ("dzh", "j"),
        ("sch", "s"),
        ("tch", "s"),
        ("ch", "s"),
        ("ck", "k"),
        ("dh", "d"),
        ("dj", "j"),
        ("gh", "g"),
        ("kh", ""),
        ("ph", "f"),
        ("sh", "s"),
        ("th", "t"),
        ("ts", "s"),
        ("tz", "s"),
        ("zh", "j"),
    ];
    let mut out = Zeroizing::new(String::with_capacity(name.len()));
    let mut rest = name;
    while let Some(letter) = rest.chars().next() {
        let spelled = SOUNDS.iter().find(|(letters, _)| rest.starts_with(letters));
        let (sound, length) = match spelled {
            Some((letters, sound)) => (sound.chars().next(), letters.len()),
            None => (sound(letter), letter.len_utf8()),
        };
        let opening = out.is_empty().then_some('a');
        // A doubled consonant is heard once.
        let heard = sound.or(opening).filter(|sound| !out.ends_with(*sound));
        out.extend(heard);
        rest = rest.get(length..).unwrap_or_default();
    }
    out
}

/// The class of a consonant; nothing for vowels and for `h`, which many spellings drop.
fn sound(letter: char) -> Option<char> {
    match letter {
        'a' | 'e' | 'h' | 'i' | 'o' | 'u' | 'y' => None,
        'c' | 'q' | 'x' => Some('k'),
        'p' => Some('b'),
        'w' => Some('v'),
        'z' => Some('s'),
        other => Some(other),
    }
}
