//! Korea, Thailand, Australia and Mexico: wholly invented incidents with plausible substances, routes, offices and dates.
//!
//! The shares are made up. They follow public knowledge only loosely (more methamphetamine in the east of Asia, postal
//! parcels in Australia, opioids and precursors in Mexico) and say nothing about any country.

mod profiles;

pub(crate) use profiles::{AUSTRALIA, KOREA, MEXICO, Profile, THAILAND};

use super::{Incident, NOTES, SEED, informant, note, purity};
use crate::demo::random::Random;
use chrono::{Datelike as _, Days, NaiveDate};

/// Days from 2019-10-01 to 2023-09-30: the span of the published data.
const DAYS: u64 = 1461;

/// Digits after the point of an invented quantity, which is in kilograms: grams.
pub(crate) const SCALE: u32 = 3;

/// All incidents of a country, by date.
pub(crate) fn incidents(profile: &Profile) -> Vec<Incident> {
    let mut random = Random::new(SEED, profile.country);
    let mut days: Vec<u64> = (0..profile.incidents).map(|_| day(&mut random)).collect();
    days.sort_unstable();
    days.into_iter()
        .enumerate()
        .filter_map(|(i, day)| incident(profile, i + 1, day, &mut random))
        .collect()
}

/// A day; later ones are a little more frequent.
fn day(random: &mut Random) -> u64 {
    let day = random.below(DAYS);
    if random.percent(25) { day.max(random.below(DAYS)) } else { day }
}

fn incident(profile: &Profile, number: usize, day: u64, random: &mut Random) -> Option<Incident> {
    let id = format!("{}-{number:06}", profile.country);
    let seized_on = NaiveDate::from_ymd_opt(2019, 10, 1)? + Days::new(day);
    let (drug, typical_grams) = *random.choose(profile.drugs)?;
    let (transport, origins) = *random.choose(profile.routes)?;
    let measured = random.percent(40).then(|| purity(150, 800, random));
    Some(Incident {
        seized_on,
        // The four countries' fiscal years differ in truth; the demonstration's are calendar years.
        fiscal_year: seized_on.year(),
        drug,
        place: *random.choose(profile.places)?,
        transport,
        origin: *random.choose(origins)?,
        destination: *random.choose(profile.destinations)?,
        // A skewed draw has its middle near 2^11.
        quantity: (i128::from(random.skewed()) * i128::from(typical_grams) / 2048).max(1),
        purity: measured,
        note: note(random.choose(&NOTES).copied()?),
        informant: informant(&id, random.below(10_000)),
        id,
    })
}
