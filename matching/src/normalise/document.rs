//! Travel and identity documents: issuer, type, number.

use super::kind::Documents;
use super::letters::{as_digits, capitals, joined};
use super::problem::{self, Code, Problem};
use super::{Draft, countries};

/// The longest document number: longer ones are two numbers, or a line of the machine-readable zone.
const LONGEST_NUMBER: usize = 32;

/// `ISSUER:TYPE:NUMBER`. The number is capitals and digits; spaces, hyphens, dots and the filler `<` of ICAO Doc 9303 say
/// nothing.
///
/// People and machines take `O` for `0` and `I` for `1`, in lists as well as in questions. Two documents may differ in
/// nothing else, so the value keeps them apart; the reading with digits in their place is indexed and searched beside it.
/// Whatever was taken for what, both sides have that reading in common, for one element more where there is such a letter.
pub(super) fn document(
    documents: Documents,
    value: &str,
    qualifier: Option<&str>,
) -> Result<Draft, Problem> {
    let qualifier = qualifier.ok_or(Problem::new(
        Code::MissingQualifier,
        "the issuing country",
        "is missing",
        "add it after `@`, as in `@PHL`; XXX stands for an unknown one",
    ))?;
    let issuer = countries::issuer(qualifier).ok_or(problem::UNKNOWN_COUNTRY)?;
    let number = capitals(value);
    if !(2..=LONGEST_NUMBER).contains(&number.text.len()) {
        return Err(Problem::new(
            Code::Length,
            "the document number",
            "has not 2 to 32 letters and digits",
            "give the number alone, without names and dates",
        ));
    }
    let digits = as_digits(&number.text);
    if !digits.bytes().any(|b| b.is_ascii_digit()) {
        return Err(Problem::new(
            Code::Characters,
            "the document number",
            "has no digit",
            "give the number, not a name",
        ));
    }
    let (first, second) = match documents {
        Documents::Any { first, second } => (first, second),
        Documents::One(only) => (only, None),
    };
    let write = |letter: char, number: &str| {
        joined(&[issuer, ":", letter.encode_utf8(&mut [0; 4]), ":", number])
    };
    let mut draft = Draft::new(write(first.letter(), &number.text));
    draft.reading = Some(write(first.letter(), &digits));
    if let Some(second) = second {
        draft.variants.push(write(second.letter(), &number.text));
        draft.variants.push(write(second.letter(), &digits));
    }
    draft.notes = number.notes;
    Ok(draft)
}
