//! The incidents of the demonstration's five countries, the same on every machine.
//!
//! The United States' incidents add up, group by group, to the counts and quantities that its Customs and Border
//! Protection published (`published`); everybody else's are invented (`invented`). Every single incident is synthetic.

pub(crate) mod invented;
pub(crate) mod national;
pub(crate) mod published;

use crate::demo::random::Random;
use chrono::{Datelike as _, NaiveDate};

/// The seed of all synthetic data of the demonstration.
pub(crate) const SEED: u64 = 0x006d_6179_6167; // "mayag"

/// Lies in a hidden column of every incident. Wherever else it turns up, a hidden column leaked.
pub(crate) const CANARY: &str = "CANARY-7f3a-HIDDEN";

/// One seizure, before it is written in the national format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Incident {
    /// The incident's own identifier.
    pub(crate) id: String,
    /// The day.
    pub(crate) seized_on: NaiveDate,
    /// The fiscal year of the agency.
    pub(crate) fiscal_year: i32,
    /// The substance, in the catalogue's words.
    pub(crate) drug: &'static str,
    /// Who seized, and where.
    pub(crate) place: Place,
    /// How it was carried, in the catalogue's words.
    pub(crate) transport: &'static str,
    /// Where it came from.
    pub(crate) origin: Option<&'static str>,
    /// Where it was going.
    pub(crate) destination: Option<&'static str>,
    /// The mass in the country's own smallest unit.
    pub(crate) quantity: i128,
    /// The purity in tenths of a percent, where it was measured.
    pub(crate) purity: Option<u16>,
    /// Free text; hidden.
    pub(crate) note: String,
    /// Reference to a source, with the canary; hidden.
    pub(crate) informant: String,
}

/// Who seizes where.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    /// The body that seizes.
    pub(crate) agency: &'static str,
    /// The part of the country.
    pub(crate) region: &'static str,
    /// The area of responsibility, port or office.
    pub(crate) area: &'static str,
    /// Whether only land border crossings are counted, where the country records it.
    pub(crate) land_filter: Option<&'static str>,
}

/// The months' short names in the order of the calendar.
pub(crate) const MONTHS: [&str; 12] =
    ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];

impl Incident {
    /// The short name of its month.
    pub(crate) fn month(&self) -> &'static str {
        MONTHS.get(self.seized_on.month0() as usize).copied().unwrap_or_default()
    }
}

/// A scaled integer as a decimal number: `decimal(12345, 3)` is `12.345`. The number is not negative.
pub(crate) fn decimal(units: i128, scale: u32) -> String {
    let one = 10_i128.pow(scale);
    format!("{}.{:0width$}", units / one, units % one, width = scale as usize)
}

/// A hidden note; it says itself that it is synthetic.
fn note(words: &'static str) -> String {
    format!("synthetic: {words}")
}

/// What officers are made to write.
const NOTES: [(&str, u32); 6] = [
    ("found by a dog at the counter", 4),
    ("anomaly in the X-ray picture", 5),
    ("declared as household goods", 3),
    ("tip from a partner service", 2),
    ("routine inspection", 6),
    ("driver known from an earlier case", 1),
];

/// A measured purity in tenths of a percent, from `least` on.
fn purity(least: u16, span: u16, random: &mut Random) -> u16 {
    u16::try_from(random.below(span.into())).map_or(least, |more| least + more)
}

/// The hidden reference of an incident.
fn informant(id: &str, number: u64) -> String {
    format!("{CANARY} {id} inf-{number:04}")
}

#[cfg(test)]
mod tests;
