//! Number plates: country and characters, as a camera or a person abroad would read them.

use super::letters::{capitals, joined};
use super::problem::{self, Code, Problem};
use super::{Draft, countries};
use zeroize::Zeroizing;

/// The longest plate, with room for scripts that become longer in Latin letters.
const LONGEST_PLATE: usize = 24;
/// Umlauts, and how they are written where the keyboard has none.
const UMLAUTS: [(char, &str); 5] =
    [('\u{c4}', "AE"), ('\u{c5}', "AA"), ('\u{d6}', "OE"), ('\u{d8}', "OE"), ('\u{dc}', "UE")];

/// `COUNTRY:PLATE`. Diacritics are dropped, as foreigners and most cameras do; a spelling with `AE`, `OE`, `UE` is a variant
/// of a question, and so is the other way round. Hyphens and spaces are dropped although a few countries tell plates apart
/// by them, because a hyphen that is missing is commoner than two such plates.
pub(super) fn plate(value: &str, qualifier: Option<&str>) -> Result<Draft, Problem> {
    let qualifier = qualifier.ok_or(Problem::new(
        Code::MissingQualifier,
        "the country of the plate",
        "is missing",
        "add it after `@`, as in `@ITA`",
    ))?;
    let country = countries::issuer(qualifier).ok_or(problem::UNKNOWN_COUNTRY)?;
    let plate = capitals(value);
    if !(2..=LONGEST_PLATE).contains(&plate.text.len()) {
        return Err(Problem::new(
            Code::Length,
            "the plate",
            "has not 2 to 24 letters and digits",
            "give the characters of the plate alone",
        ));
    }
    let write = |plate: &str| joined(&[country, ":", plate]);
    let mut draft = Draft::new(write(&plate.text));
    draft.notes = plate.notes;
    let upper = Zeroizing::new(value.to_uppercase());
    let mut spelled = Zeroizing::new((*upper).clone());
    for (umlaut, letters) in UMLAUTS {
        if spelled.contains(umlaut) {
            spelled = Zeroizing::new(spelled.replace(umlaut, letters));
        }
    }
    draft.variants.push(write(&capitals(&spelled).text));
    if has_umlauts(country) {
        let mut plain = Zeroizing::new((*plate.text).clone());
        for letters in ["AE", "OE", "UE"] {
            let first = letters.get(..1).unwrap_or_default();
            plain = Zeroizing::new(plain.replacen(letters, first, 1));
        }
        draft.variants.push(write(&plain));
    }
    Ok(draft)
}

/// Countries whose plates have umlauts, where `UE` on a plate may be one.
fn has_umlauts(country: &str) -> bool {
    matches!(country, "AUT" | "DEU" | "FIN" | "SWE")
}
