//! The United States: one synthetic incident per event that was published, adding up to the published groups exactly.
//!
//! Fiscal year, month, component, region, land filter, area, drug, the number of events and the sum of their quantities
//! are published. The day inside the month, how the sum splits over its events, transport, origin, purity and the hidden
//! columns are invented.

use super::{Incident, MONTHS, NOTES, Place, SEED, informant, note, purity};
use crate::demo::random::Random;
use chrono::{Days, Months, NaiveDate};

/// The published groups; `demo/data/PROVENANCE.md` says where they come from.
pub(crate) const PUBLISHED: &str =
    include_str!("../../../demo/data/us_cbp_nationwide-drugs-fy20-fy23.csv");

/// Digits after the point of a quantity: as many as the publication's longest has.
pub(crate) const SCALE: u32 = 16;

/// One published row: a group of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// The fiscal year; it starts in October of the year before.
    pub(crate) fiscal_year: i32,
    /// The first day of the month.
    pub(crate) month: NaiveDate,
    /// Component, region, area and land filter.
    pub(crate) place: Place,
    /// The drug in the catalogue's words.
    pub(crate) drug: &'static str,
    /// How many events.
    pub(crate) events: u64,
    /// Their quantity in 10⁻¹⁶ lb.
    pub(crate) quantity: i128,
}

/// A line of the published file that could not be read. The file is compiled in and a test reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of the published seizures could not be read")]
pub(crate) struct LineError(usize);

/// The published groups, in the order of the file.
pub(crate) fn groups() -> Result<Vec<Group>, LineError> {
    PUBLISHED
        .lines()
        .enumerate()
        .skip(1)
        .map(|(i, line)| group(line).ok_or(LineError(i + 1)))
        .collect()
}

/// One incident per published event.
pub(crate) fn incidents() -> Result<Vec<Incident>, LineError> {
    let mut random = Random::new(SEED, "us");
    let mut incidents = Vec::with_capacity(270_000);
    for group in groups()? {
        for quantity in split(group.quantity, group.events, &mut random) {
            let id = format!("us-{:06}", incidents.len() + 1);
            incidents.push(incident(&group, id, quantity, &mut random));
        }
    }
    Ok(incidents)
}

fn incident(group: &Group, id: String, quantity: i128, random: &mut Random) -> Incident {
    let days = (group.month + Months::new(1)).signed_duration_since(group.month).num_days();
    let day = random.below(u64::try_from(days).unwrap_or(28));
    let (transport, origin) = route(group, random);
    let measured = random.percent(30).then(|| purity(300, 650, random));
    Incident {
        seized_on: group.month + Days::new(day),
        fiscal_year: group.fiscal_year,
        drug: group.drug,
        place: group.place,
        transport,
        origin,
        destination: Some(if random.percent(96) { "us" } else { "ca" }),
        quantity,
        purity: measured,
        note: note(random.choose(&NOTES).copied().unwrap_or_default()),
        informant: informant(&id, random.below(10_000)),
        id,
    }
}

/// Splits a quantity into as many positive parts as there were events; skewed, and exact: the last takes the remainder.
/// Nothing splits into nothings.
fn split(quantity: i128, events: u64, random: &mut Random) -> Vec<i128> {
    let weights: Vec<i128> = (0..events).map(|_| i128::from(random.skewed())).collect();
    let total: i128 = weights.iter().sum();
    // Every part gets one unit first, so that none rounds down to nothing.
    let floor = i128::from(quantity >= i128::from(events));
    let shared = quantity - floor * i128::from(events);
    let mut left = quantity;
    let mut parts: Vec<i128> = weights
        .iter()
        .map(|weight| {
            // At most 7e4 lb * 1e16 * 2^22: far from the 128-bit limit.
            let part = floor + shared * weight / total.max(1);
            left -= part;
            part
        })
        .collect();
    if let Some(last) = parts.last_mut() {
        *last += left;
    }
    parts
}

/// Transport and origin are not published: invented so that they fit the place and the drug.
fn route(group: &Group, random: &mut Random) -> (&'static str, Option<&'static str>) {
    let transports: &[(&str, u32)] = match (group.place.land_filter, group.place.agency) {
        (Some("Land Only"), _) => &[("land", 1)],
        (_, "U.S. Border Patrol") => &[("land", 9), ("sea", 1)],
        (_, _) => &[("mail", 6), ("air", 5), ("sea", 2), ("unknown", 1)],
    };
    let origins: &[(Option<&str>, u32)] = match (group.place.region, group.drug) {
        ("Southwest Border", _) => &[(Some("mx"), 24), (Some("gt"), 2), (Some("co"), 1), (None, 3)],
        ("Northern Border", _) => &[(Some("ca"), 20), (Some("cn"), 2), (Some("nl"), 1), (None, 3)],
        (_, "Cocaine") => {
            &[(Some("co"), 8), (Some("do"), 6), (Some("ec"), 3), (Some("pe"), 2), (None, 4)]
        }
        (_, "Khat") => &[(Some("ke"), 6), (Some("et"), 5), (None, 1)],
        (_, "Ecstasy" | "Ketamine" | "LSD") => {
            &[(Some("nl"), 8), (Some("de"), 5), (Some("gb"), 4), (None, 3)]
        }
        (_, "Methamphetamine" | "Fentanyl") => {
            &[(Some("mx"), 8), (Some("cn"), 5), (Some("th"), 1), (None, 3)]
        }
        (_, _) => &[(Some("cn"), 5), (Some("in"), 3), (Some("gb"), 3), (Some("jm"), 2), (None, 4)],
    };
    (
        random.choose(transports).copied().unwrap_or("unknown"),
        random.choose(origins).copied().flatten(),
    )
}

fn group(line: &'static str) -> Option<Group> {
    let mut fields = line.split(',');
    let mut field = || fields.next();
    let (year, month, agency, region) = (field()?, field()?, field()?, field()?);
    let (land_filter, area, drug, events, quantity) =
        (field()?, field()?, field()?, field()?, field()?);
    let fiscal_year: i32 = year.parse().ok()?;
    let month0 = u32::try_from(MONTHS.iter().position(|name| *name == month)?).ok()?;
    // Fiscal year 2020 is October 2019 to September 2020.
    let calendar_year = if month0 >= 9 { fiscal_year - 1 } else { fiscal_year };
    let place = Place { agency, region, area, land_filter: Some(land_filter) };
    Some(Group {
        fiscal_year,
        month: NaiveDate::from_ymd_opt(calendar_year, month0 + 1, 1)?,
        place,
        drug: catalogue_drug(drug),
        events: events.parse().ok()?,
        quantity: fixed_point(quantity)?,
    })
}

/// The catalogue's word for a published drug type.
pub(crate) fn catalogue_drug(published: &'static str) -> &'static str {
    match published {
        "Khat (Catha Edulis)" => "Khat",
        "Lsd" => "LSD",
        "Other Drugs**" => "Other",
        same => same,
    }
}

/// A decimal number, possibly with an exponent such as `2.2e-05`, as an integer of 10⁻¹⁶; `None` if digits would be lost.
fn fixed_point(text: &str) -> Option<i128> {
    let (digits, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let exponent: i32 = exponent.parse().ok()?;
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let shift = i32::try_from(SCALE).ok()? - i32::try_from(fraction.len()).ok()? + exponent;
    let units: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scale = 10_i128.pow(shift.unsigned_abs());
    if shift >= 0 {
        units.checked_mul(scale)
    } else {
        (units % scale == 0).then_some(units / scale)
    }
}
