//! Telephone numbers to E.164.

use super::letters::{digits, joined};
use super::problem::{self, Code, Note, Problem};
use super::{Draft, countries};
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// ITU-T E.164: country code and national number have 15 digits at most.
const LONGEST: usize = 15;

/// What is known of the numbers of one region.
struct Region {
    name: &'static str,
    calling: &'static str,
    international: &'static str,
    trunk: &'static str,
    lengths: Lengths,
    mobile: Lengths,
}

/// A set of lengths of numbers.
struct Lengths(u32);

static REGIONS: LazyLock<Vec<Region>> = LazyLock::new(|| {
    let lines = include_str!("regions.tsv").lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(region).collect()
});

fn region(line: &'static str) -> Option<Region> {
    let mut fields = line.split('\t').map(|field| if field == "-" { "" } else { field });
    Some(Region {
        name: fields.next()?,
        calling: fields.next()?,
        international: fields.next()?,
        trunk: fields.next()?,
        lengths: Lengths::new(fields.next()?),
        mobile: Lengths::new(fields.next()?),
    })
}

impl Lengths {
    fn new(text: &str) -> Self {
        let lengths = text.split(',').filter_map(|length| length.parse::<u32>().ok());
        Self(lengths.fold(0, |set, length| set | 1 << length.min(31)))
    }

    fn have(&self, number: &str) -> bool {
        self.0 >> number.len().min(31) & 1 == 1
    }
}

impl Region {
    fn has_length(&self, number: &str) -> bool {
        self.lengths.have(number)
    }

    /// The number without the digit that is dialled before it within the country only.
    fn without_trunk<'a>(&self, number: &'a str) -> &'a str {
        let trunks: &[&str] = match self.name {
            // Both are dialled, or were until lately.
            "LT" => &["0", "8"],
            "BY" => &["80", "8", "0"],
            "MX" => &["01", "044", "045"],
            _ => &[self.trunk],
        };
        let stripped = trunks
            .iter()
            .filter(|trunk| !trunk.is_empty())
            .filter_map(|trunk| number.strip_prefix(trunk))
            .find(|rest| self.has_length(rest));
        stripped.unwrap_or(number)
    }
}

/// `+` and digits. The region is needed where the number does not begin with its country code.
pub(super) fn phone(value: &str, qualifier: Option<&str>) -> Result<Draft, Problem> {
    let region =
        qualifier.map(|region| home(region).ok_or(problem::UNKNOWN_COUNTRY)).transpose()?;
    let (value, extended) = without_extension(value);
    if value.chars().any(|c| c.is_alphabetic() && !c.is_numeric()) {
        return Err(Problem::new(
            Code::Characters,
            "the phone number",
            "has letters",
            "give its digits, with + and the country code",
        ));
    }
    let text = digits(value, |c| c == '+');
    let plus = text.starts_with('+');
    let number = Zeroizing::new(text.replace('+', ""));
    let international = match region {
        _ if plus => Some(number.as_str()),
        Some(region) => number
            .strip_prefix(region.international)
            .filter(|_| !region.international.is_empty() && number.starts_with('0'))
            .or_else(|| number.strip_prefix("00"))
            .or_else(|| {
                number.strip_prefix(region.international).filter(|rest| {
                    // 810 and 119 may also begin a national number.
                    !region.international.is_empty()
                        && !region.has_length(region.without_trunk(&number))
                        && rest.len() > 7
                })
            }),
        None => number.strip_prefix("00"),
    };
    let (draft, moved) = match (international, region) {
        (Some(number), _) => from_abroad(number)?,
        (None, Some(region)) => national(region, &number)?,
        (None, None) => {
            return Err(Problem::new(
                Code::MissingQualifier,
                "the country of the phone number",
                "is missing",
                "begin the number with + and its country code, or add the region after `@`, as in `@PH`",
            ));
        }
    };
    let mut draft = Draft::new(draft);
    draft.notes.extend(extended.then_some(Note::ExtensionLeftOut));
    draft.notes.extend(moved);
    Ok(draft)
}

fn home(code: &str) -> Option<&'static Region> {
    let name = countries::region(code)?;
    REGIONS.iter().find(|region| region.name == name)
}

/// The number without `tel:` and without what is dialled after somebody has answered.
fn without_extension(value: &str) -> (&str, bool) {
    let value = value.trim();
    let value = value.strip_prefix("tel:").unwrap_or(value);
    // ASCII lower case: places in `lower` are places in `value`.
    let lower = Zeroizing::new(value.to_ascii_lowercase());
    let marks = [";", ",", "ext", "x", "#", "poste", "anexo", "int."];
    let cut = marks.iter().filter_map(|mark| lower.find(mark)).min();
    match cut.and_then(|cut| value.get(..cut)) {
        Some(number) if number.chars().any(char::is_numeric) => (number, true),
        Some(_) | None => (value, false),
    }
}

/// A number that begins with its country code, and whether its form was changed.
fn from_abroad(number: &str) -> Result<(Zeroizing<String>, Option<Note>), Problem> {
    let of_code = |region: &&Region| number.starts_with(region.calling);
    // No country code begins with another.
    let Some(first) = REGIONS.iter().find(of_code) else {
        return Err(Problem::new(
            Code::Format,
            "the country code of the phone number",
            "is none",
            "after + or 00 comes the country code, such as 63",
        ));
    };
    let national = number.get(first.calling.len()..).unwrap_or_default();
    let mut sharing = REGIONS.iter().filter(|region| region.calling == first.calling);
    let (national, moved) = current(first.calling, national);
    let cut = first.trunk == "0" && national.starts_with('0');
    if !cut && sharing.clone().any(|region| region.has_length(&national)) {
        return written(first.calling, &national, moved);
    }
    // `+44 020 ..`: the trunk digit was kept.
    let stripped = sharing.find_map(|region| {
        let rest = region.without_trunk(&national);
        region.has_length(rest).then_some(rest)
    });
    written(first.calling, stripped.ok_or(LENGTH)?, moved)
}

/// A number as dialled within its region.
fn national(region: &Region, number: &str) -> Result<(Zeroizing<String>, Option<Note>), Problem> {
    let dialled = region.without_trunk(number);
    // The country code without its plus: what follows is as long as a mobile's number, and this is no way to dial one.
    let rest = number.strip_prefix(region.calling).filter(|rest| region.mobile.have(rest));
    let undialled = dialled == number && !(region.trunk.is_empty() && region.mobile.have(number));
    if let Some(rest) = rest.filter(|_| undialled) {
        return from_abroad(&joined(&[region.calling, rest]));
    }
    let (number, moved) = current(region.calling, dialled);
    // Where a 0 is dialled first, none stands behind it.
    let cut = region.trunk == "0" && number.starts_with('0');
    if region.has_length(&number) && !cut {
        return written(region.calling, &number, moved);
    }
    match number.strip_prefix(region.calling) {
        Some(rest) if region.has_length(rest) => written(region.calling, rest, moved),
        Some(_) | None => Err(LENGTH),
    }
}

const LENGTH: Problem = Problem::new(
    Code::Length,
    "the phone number",
    "is shorter or longer than those of its country",
    "give it with its area code and without an extension",
);

fn written(
    calling: &str,
    national: &str,
    moved: Option<Note>,
) -> Result<(Zeroizing<String>, Option<Note>), Problem> {
    if calling.len() + national.len() > LONGEST {
        return Err(LENGTH);
    }
    Ok((joined(&["+", calling, national]), moved))
}

/// The form that mobile numbers have today, for those that are still written otherwise.
fn current(calling: &str, national: &str) -> (Zeroizing<String>, Option<Note>) {
    let same = || (Zeroizing::new(national.to_owned()), None);
    match (calling, national.len()) {
        // Mexico: the 1 before mobile numbers was dropped in 2019.
        ("52", 11) => national
            .strip_prefix('1')
            .map_or_else(same, |rest| (Zeroizing::new(rest.to_owned()), Some(Note::MobileForm))),
        // Argentina: 15 after the area code within the country is 9 before it from abroad.
        ("54", 12 | 13) => {
            argentine_mobile(national).map_or_else(same, |number| (number, Some(Note::MobileForm)))
        }
        // Brazil: the carrier's two digits after the trunk digit.
        ("55", 13 | 14) if national.starts_with('0') => {
            national.get(3..).map_or_else(same, |rest| (Zeroizing::new(rest.to_owned()), None))
        }
        _ => same(),
    }
}

fn argentine_mobile(national: &str) -> Option<Zeroizing<String>> {
    let national = national.strip_prefix('0').unwrap_or(national);
    let national = national.strip_prefix('9').filter(|rest| rest.len() == 12).unwrap_or(national);
    let area = if national.starts_with("11") { 2..=2 } else { 3..=4 };
    area.into_iter().find_map(|area| {
        let (code, rest) = national.split_at_checked(area)?;
        let number = rest.strip_prefix("15")?;
        (code.len() + number.len() == 10).then(|| joined(&["9", code, number]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_table_is_a_region() {
        let lines =
            include_str!("regions.tsv").lines().filter(|line| !line.starts_with('#')).count();
        assert_eq!((REGIONS.len(), lines), (254, 254));
        for region in REGIONS.iter() {
            let others = REGIONS.iter().filter(|other| other.calling != region.calling);
            assert!(others.into_iter().all(|other| !other.calling.starts_with(region.calling)));
            assert!(
                region.calling.parse::<u16>().is_ok() && region.lengths.0 != 0,
                "{}",
                region.name
            );
            assert!(
                region.name == "001"
                    || home(region.name).is_some()
                    || region.name == "AC"
                    || region.name == "TA",
                "{}",
                region.name
            );
        }
    }
}
