//! Numbers with a fixed shape and a check digit: IBAN, containers, IMO, CAS, IMEI, VIN, and MMSI without one.

use super::Draft;
use super::letters::{as_digits, as_letters, capitals, digit, is_number, joined};
use super::problem::{self, Code, Note, Problem};
use iban::{Iban, IbanLike, ParseIbanError};
use zeroize::Zeroizing;

/// ISO 13616: country, two check digits (ISO 7064 MOD 97-10), account number as the country writes it.
pub(super) fn iban(value: &str) -> Result<Draft, Problem> {
    let text = capitals(value).text;
    let text = text.strip_prefix("IBAN").unwrap_or(&text);
    if !(15..=34).contains(&text.len()) {
        return Err(Problem::new(
            Code::Length,
            "the account number",
            "has not 15 to 34 letters and digits",
            "give the whole IBAN, beginning with its country",
        ));
    }
    match text.parse::<Iban>() {
        Ok(iban) => Ok(Draft::new(Zeroizing::new(iban.electronic_str().to_owned()))),
        Err(ParseIbanError::InvalidBaseIban { .. }) => Err(problem::CHECK_DIGIT),
        Err(ParseIbanError::InvalidBban(_)) => Err(Problem::new(
            Code::Format,
            "the account number",
            "is not built like those of its country",
            "compare its length and its letters with the source",
        )),
        // The table of the library lacks Pakistan: four letters of the bank, sixteen letters or digits.
        Err(ParseIbanError::UnknownCountry(iban))
            if iban.country_code() == "PK"
                && text.len() == 24
                && text.bytes().skip(4).take(4).all(|b| b.is_ascii_uppercase()) =>
        {
            Ok(Draft::new(Zeroizing::new(iban.electronic_str().to_owned())))
        }
        Err(ParseIbanError::UnknownCountry(_)) => Err(Problem::new(
            Code::Format,
            "the country",
            "is none that has IBANs",
            "the first two letters are the country, such as GB",
        )),
    }
}

/// ISO 6346: three letters of the owner, `U`, `J` or `Z`, six digits, check digit.
pub(super) fn container(value: &str) -> Result<Draft, Problem> {
    const SHAPE: Problem = Problem::new(
        Code::Format,
        "the container number",
        "is not four letters, the last of them U, J or Z, and seven digits",
        "give it as it is painted on the container",
    );
    let text = capitals(value).text;
    let (owner, serial) = text.split_at_checked(4).ok_or(SHAPE)?;
    if !(6..=7).contains(&serial.len()) {
        return Err(Problem::new(
            Code::Length,
            "the container number",
            "has not four letters and seven digits",
            "give it with its check digit, the digit in a box",
        ));
    }
    let repaired = joined(&[&as_letters(owner), &as_digits(serial)]);
    let exchanged = *repaired != *text;
    let (owner, serial) = repaired.split_at_checked(4).ok_or(SHAPE)?;
    let category = owner.ends_with(['U', 'J', 'Z']);
    if !category || !owner.bytes().all(|b| b.is_ascii_uppercase()) || !is_number(serial) {
        return Err(SHAPE);
    }
    let body = repaired.get(..10).ok_or(SHAPE)?;
    let check = container_check(body);
    let draft = match serial.as_bytes().get(6).copied() {
        Some(given) if digit(given) == check => Draft::new(Zeroizing::new((*repaired).clone())),
        Some(_) => return Err(problem::CHECK_DIGIT),
        None => Draft::new(joined(&[body, &check.to_string()])).note(Note::CheckDigitAdded),
    };
    Ok(if exchanged { draft.note(Note::LettersForDigits) } else { draft })
}

/// Letters count from 10 on without the multiples of 11, each place twice the one before, modulo 11, and 10 is 0.
fn container_check(body: &str) -> u32 {
    let value = |b: u8| {
        if b.is_ascii_digit() {
            return digit(b);
        }
        let letter = u32::from(b) - u32::from(b'A') + 10;
        letter + (letter - 1) / 10
    };
    body.bytes().enumerate().map(|(place, b)| value(b) << place).sum::<u32>() % 11 % 10
}

/// IMO numbers of ships (A.1117(30)): six digits and a check digit. Companies' numbers have another rule and say so.
pub(super) fn imo(value: &str, qualifier: Option<&str>) -> Result<Draft, Problem> {
    let company = match qualifier.map(str::to_ascii_lowercase).as_deref() {
        None | Some("ship" | "vessel") => false,
        Some("company" | "owner") => true,
        Some(_) => {
            return Err(Problem::new(
                Code::UnknownQualifier,
                "the part after `@`",
                "is not known",
                "leave it out for a ship, or write `company`",
            ));
        }
    };
    let text = capitals(value).text;
    let number = text.strip_prefix("IMO").unwrap_or(&text);
    let number = number.strip_prefix("NO").unwrap_or(number);
    let number = as_digits(number);
    if !is_number(&number) || number.len() != 7 {
        return Err(Problem::new(
            Code::Length,
            "the IMO number",
            "is not seven digits",
            "the number of a ship's radio is an mmsi, its call sign is neither",
        ));
    }
    let weighted = |weights: [u32; 6]| -> u32 {
        weights.iter().zip(number.bytes()).map(|(weight, b)| weight * digit(b)).sum()
    };
    let check = number.bytes().nth(6).map_or(0, digit);
    let ship_fits = weighted([7, 6, 5, 4, 3, 2]) % 10 == check;
    let company_fits = (11 - weighted([8, 6, 4, 2, 9, 7]) % 11) % 10 == check;
    match (company, ship_fits, company_fits) {
        (true, _, true) => Ok(Draft::new(joined(&["C", &number]))),
        (false, true, _) => Ok(Draft::new(number)),
        (false, false, true) => Err(Problem::new(
            Code::CheckDigit,
            "the check digit",
            "is not that of a ship, but fits a company",
            "compare the number with its source, or add `@company`",
        )),
        (true, _, false) | (false, false, false) => Err(problem::CHECK_DIGIT),
    }
}

/// CAS registry numbers: two to seven digits, two digits, check digit; written with hyphens.
pub(super) fn cas(value: &str) -> Result<Draft, Problem> {
    const SHAPE: Problem = Problem::new(
        Code::Format,
        "the registry number",
        "is not digits like 50-00-0",
        "give the CAS number, not the name, EC or UN number of the substance",
    );
    let text = capitals(value).text;
    let text = as_digits(text.strip_prefix("CAS").unwrap_or(&text));
    let text = text.strip_prefix("N0").or_else(|| text.strip_prefix("RN")).unwrap_or(&text);
    if !is_number(text) {
        return Err(SHAPE);
    }
    let number = text.trim_start_matches('0');
    let number =
        if number.len() < 5 { text.get(text.len().saturating_sub(5)..) } else { Some(number) };
    let number = number.ok_or(SHAPE)?;
    if !(5..=10).contains(&number.len()) {
        return Err(Problem::new(
            Code::Length,
            "the registry number",
            "has not 5 to 10 digits",
            "give it as in 50-00-0",
        ));
    }
    let (body, check) = number.split_at_checked(number.len() - 1).ok_or(SHAPE)?;
    let sum: u32 = (1u32..).zip(body.bytes().rev()).map(|(weight, b)| weight * digit(b)).sum();
    if check.bytes().next().map(digit) != Some(sum % 10) || body.bytes().all(|b| b == b'0') {
        return Err(problem::CHECK_DIGIT);
    }
    let (first, second) = body.split_at_checked(body.len() - 2).ok_or(SHAPE)?;
    Ok(Draft::new(joined(&[first, "-", second, "-", check])))
}

/// IMEI (3GPP TS 23.003): 14 digits name the device. The check digit (Luhn) is checked and dropped, as is the software
/// version that an IMEISV has in its place.
pub(super) fn imei(value: &str) -> Result<Draft, Problem> {
    let text = capitals(value).text;
    let text = text.strip_prefix("IMEISV").or_else(|| text.strip_prefix("IMEI")).unwrap_or(&text);
    let number = as_digits(text);
    let wrong_length = Problem::new(
        Code::Length,
        "the IMEI",
        "is not 14 to 16 digits",
        "dial *#06# on the device, or read it from its plate",
    );
    if !is_number(&number) {
        return Err(wrong_length);
    }
    let device = number.get(..14).ok_or(wrong_length)?;
    let draft = Draft::new(Zeroizing::new(device.to_owned()));
    match number.len() {
        15 if luhn(&number) => Ok(draft),
        15 => Err(problem::CHECK_DIGIT),
        14 | 16 => Ok(draft.note(Note::CheckDigitMissing)),
        _ => Err(wrong_length),
    }
}

/// ISO/IEC 7812-1, annex B: every second digit from the right counts twice.
fn luhn(number: &str) -> bool {
    let doubled = |b: u8| digit(b) * 2 / 10 + digit(b) * 2 % 10;
    let places = number.bytes().rev().enumerate();
    let sum: u32 =
        places.map(|(place, b)| if place % 2 == 1 { doubled(b) } else { digit(b) }).sum();
    sum.is_multiple_of(10)
}

/// ISO 3779: 17 characters, never I, O or Q. The check digit of 49 CFR 565 binds cars for North America only.
pub(super) fn vin(value: &str) -> Result<Draft, Problem> {
    let text = capitals(value).text;
    let text = text.strip_prefix("VIN").unwrap_or(&text);
    if text.len() != 17 {
        return Err(Problem::new(
            Code::Length,
            "the vehicle's number",
            "has not 17 letters and digits",
            "read it at the windscreen or in the papers; older vehicles have shorter ones that cannot be searched",
        ));
    }
    let mut repaired = as_digits(text);
    if repaired.contains('Q') {
        repaired = Zeroizing::new(repaired.replace('Q', "0"));
    }
    let exchanged = *repaired != *text;
    let fits = vin_check(&repaired);
    // World manufacturer identifiers of the United States and Canada.
    if !fits && repaired.starts_with(['1', '2', '4', '5']) {
        return Err(problem::CHECK_DIGIT);
    }
    let mut draft = Draft::new(repaired);
    if !fits {
        draft = draft.note(Note::CheckDigitUnusual);
    }
    Ok(if exchanged { draft.note(Note::LettersForDigits) } else { draft })
}

fn vin_check(vin: &str) -> bool {
    const WEIGHTS: [u32; 17] = [8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2];
    let value = |b: u8| match b {
        b'A' | b'J' => 1,
        b'B' | b'K' | b'S' => 2,
        b'C' | b'L' | b'T' => 3,
        b'D' | b'M' | b'U' => 4,
        b'E' | b'N' | b'V' => 5,
        b'F' | b'W' => 6,
        b'G' | b'P' | b'X' => 7,
        b'H' | b'Y' => 8,
        b'R' | b'Z' => 9,
        other => digit(other),
    };
    let sum: u32 = WEIGHTS.iter().zip(vin.bytes()).map(|(weight, b)| weight * value(b)).sum();
    let check = if sum % 11 == 10 { b'X' } else { u8::try_from(sum % 11).unwrap_or(0) + b'0' };
    vin.as_bytes().get(8).copied() == Some(check)
}

/// ITU-R M.585: nine digits, of which the first ones say what carries the radio.
pub(super) fn mmsi(value: &str) -> Result<Draft, Problem> {
    let text = capitals(value).text;
    let number = as_digits(text.strip_prefix("MMSI").unwrap_or(&text));
    if !is_number(&number) || number.len() != 9 {
        return Err(Problem::new(
            Code::Length,
            "the radio's number",
            "is not nine digits",
            "the IMO number of the ship has seven and is searched as imo",
        ));
    }
    // Countries' maritime identification digits run from 201 to 775.
    let country = |from: usize| {
        let digits = number.get(from..from + 3).and_then(|digits| digits.parse::<u16>().ok());
        digits.is_some_and(|digits| (201..=775).contains(&digits))
    };
    let known = match number.as_bytes() {
        [b'0', b'0', ..] | [b'9', b'8' | b'9', ..] => country(2),
        [b'0' | b'8', ..] => country(1),
        [b'1', b'1', b'1', ..] => country(3),
        // Search and rescue transmitters, people over board, emergency beacons: no country.
        [b'9', b'7', b'0' | b'2' | b'4', ..] => true,
        _ => country(0),
    };
    if !known {
        return Err(Problem::new(
            Code::Format,
            "the radio's number",
            "begins with digits that no country and no device has",
            "compare the number with its source",
        ));
    }
    Ok(Draft::new(number).note(Note::CheckDigitMissing))
}
