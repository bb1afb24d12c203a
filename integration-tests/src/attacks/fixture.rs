//! The fixture databases, row for row those of the script that the corpora are published with. No real data.
//!
//! Three versions of one table that differ in the rows of one person only, P-0042: whatever an answer says differently
//! about them is about this person.

use super::mersenne::Mersenne;
use std::fmt::Write as _;

/// The person under attack.
pub const PERSON: &str = "P-0042";

/// The country whose node holds the person's rows, and the only one whose rows differ between the databases.
pub const TARGET: &str = "nl";

/// The countries, one node each.
pub const COUNTRIES: [&str; 6] = ["be", "de", "es", "fr", "nl", "pl"];

/// What a person's record must never show: the beginnings of every note, and the names in one of them.
pub const HIDDEN: [&str; 4] = ["KESTREL", "de Vries", "informant ", "routine stop"];

const REGIONS: [(&str, &[&str]); 6] = [
    ("NL", &["NL-ZE", "NL-ZH", "NL-NB", "NL-NH"]),
    ("BE", &["BE-VAN", "BE-VOV", "BE-BRU"]),
    ("DE", &["DE-NW", "DE-HH", "DE-BY"]),
    ("FR", &["FR-IDF", "FR-HDF", "FR-PAC"]),
    ("ES", &["ES-AN", "ES-CT", "ES-GA"]),
    ("PL", &["PL-MZ", "PL-PM"]),
];
const SUBSTANCES: [&str; 6] = ["cocaine", "heroin", "cannabis", "mdma", "amphetamine", "fentanyl"];
const ROUTES: [&str; 5] = ["sea", "air", "road", "post", "rail"];
const CONCEALMENTS: [&str; 6] = ["container", "body", "vehicle", "parcel", "luggage", "none"];
const PRECURSORS: [Option<&str>; 6] =
    [None, None, None, None, Some("4468-48-8"), Some("13605-48-6")];

/// Days from 1970-01-01 to 2024-01-01.
const FIRST_DAY: u32 = 19_723;

const HEADER: &str = "seizure_id,person_id,seized_on,country,region,substance,form,quantity_g,route,concealment,precursor_cas,officer_note";

/// Which of the three.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Database {
    /// The person is present.
    Whole,
    /// All rows of the person are removed.
    Minus,
    /// The person's rows have other sensitive values.
    Changed,
}

/// One seizure.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// Its own identifier.
    pub seizure: u32,
    /// The person.
    pub person: String,
    /// Days since 1970-01-01.
    pub day: u32,
    /// Upper-case code, as published.
    pub country: &'static str,
    /// Region of the country.
    pub region: &'static str,
    /// What was seized.
    pub substance: &'static str,
    /// Its form.
    pub form: &'static str,
    /// Grams, two digits after the point.
    pub grams: f64,
    /// How it came.
    pub route: &'static str,
    /// Where it was hidden.
    pub concealment: &'static str,
    /// A precursor, if one was found.
    pub precursor: Option<&'static str>,
    /// Free text, hidden.
    pub note: String,
}

impl Database {
    /// All three.
    pub const ALL: [Self; 3] = [Self::Whole, Self::Minus, Self::Changed];

    /// As in the corpus.
    pub fn name(self) -> &'static str {
        match self {
            Self::Whole => "D",
            Self::Minus => "D-",
            Self::Changed => "D'",
        }
    }

    /// Its rows, by day and identifier.
    pub fn rows(self) -> Vec<Row> {
        let mut rows = Maker::default().rows();
        match self {
            Self::Whole => rows.push(person(
                "carfentanil",
                733.25,
                Some("103-79-7"),
                "informant KESTREL tip; suspect de Vries",
            )),
            Self::Minus => {}
            Self::Changed => rows.push(person("cannabis", 12.5, None, "routine stop; unit 7")),
        }
        rows.sort_by_key(|row| (row.day, row.seizure));
        rows
    }
}

/// The rows as the published script writes them.
pub fn csv(rows: &[&Row]) -> String {
    let mut text = format!("{HEADER}\r\n");
    for row in rows {
        write!(
            text,
            "{},{},{},{},{},{},{},{:?},{},{},{},{}\r\n",
            row.seizure,
            row.person,
            date(row.day),
            row.country,
            row.region,
            row.substance,
            row.form,
            row.grams,
            row.route,
            row.concealment,
            row.precursor.unwrap_or_default(),
            row.note
        )
        .expect("a String");
    }
    text
}

/// The rows of one country, given in lower case.
pub fn of_country<'a>(rows: &'a [Row], country: &str) -> Vec<&'a Row> {
    rows.iter().filter(|row| row.country.eq_ignore_ascii_case(country)).collect()
}

/// A day since 1970-01-01 as `YYYY-MM-DD`; for days of the fixture.
pub fn date(day: u32) -> String {
    // The whole fixture lies in the first half of a leap year.
    let months = [31, 29, 31, 30, 31, 30];
    let mut left = day - FIRST_DAY;
    for (month, days) in months.iter().enumerate() {
        if left < *days {
            return format!("2024-{:02}-{:02}", month + 1, left + 1);
        }
        left -= days;
    }
    format!("2024-07-{:02}", left + 1)
}

fn person(substance: &'static str, grams: f64, precursor: Option<&'static str>, note: &str) -> Row {
    Row {
        seizure: 4242,
        person: PERSON.to_owned(),
        day: FIRST_DAY + 31 + 29 + 16,
        country: "NL",
        region: "NL-ZE",
        substance,
        form: "powder",
        grams,
        route: "sea",
        concealment: "container",
        precursor,
        note: note.to_owned(),
    }
}

fn forms(substance: &str) -> &'static [&'static str] {
    match substance {
        "cocaine" | "amphetamine" => &["powder", "liquid"],
        "heroin" => &["powder", "resin"],
        "cannabis" => &["herbal", "resin"],
        "mdma" => &["tablet", "powder"],
        "fentanyl" => &["powder", "tablet"],
        _ => &["powder"],
    }
}

/// What is not drawn.
#[derive(Debug, Clone, Copy, Default)]
struct Fixed {
    grams: Option<f64>,
    dominant: bool,
}

/// Draws in the order of the published script.
struct Maker {
    dice: Mersenne,
    rows: Vec<Row>,
    seizure: u32,
}

impl Default for Maker {
    fn default() -> Self {
        Self { dice: Mersenne::new(20_240_317), rows: Vec::new(), seizure: 1000 }
    }
}

impl Maker {
    fn rows(mut self) -> Vec<Row> {
        let mut people: Vec<(String, &'static str, &'static str)> = Vec::new();
        for (country, regions) in REGIONS {
            for region in regions {
                let many = if *region == "NL-ZE" { 13 } else { 26 };
                for _ in 0..many {
                    people.push((format!("P-{}", 1001 + people.len()), country, region));
                }
            }
        }
        for who in &people {
            let more = [self.dice.unit() < 0.45, self.dice.unit() < 0.15];
            for _ in 0..=more.into_iter().filter(|more| *more).count() {
                let substance = *self.dice.of(&SUBSTANCES);
                self.add(who, substance, Fixed::default());
            }
        }
        let elsewhere = people.iter().filter(|who| who.1 == "NL" && who.2 != "NL-ZE");
        for who in elsewhere.take(10) {
            let grams = Some(cents(self.dice.uniform(5.0, 60.0)));
            self.add(who, "carfentanil", Fixed { grams, dominant: false });
        }
        let who = (people[110].0.clone(), "BE", "BE-VAN");
        self.add(&who, "cocaine", Fixed { grams: Some(2_450_000.0), dominant: true });
        self.rows
    }

    fn add(
        &mut self,
        who: &(String, &'static str, &'static str),
        substance: &'static str,
        fixed: Fixed,
    ) {
        self.seizure += 1;
        let dice = &mut self.dice;
        let day = FIRST_DAY + dice.below(182);
        let form = if fixed.dominant { "powder" } else { *dice.of(forms(substance)) };
        let grams = fixed.grams.unwrap_or_else(|| cents(dice.log_normal(4.5, 1.6)));
        let (route, concealment, precursor) = if fixed.dominant {
            ("sea", "container", None)
        } else {
            (*dice.of(&ROUTES), *dice.of(&CONCEALMENTS), *dice.of(&PRECURSORS))
        };
        let note = format!("routine stop; unit {}", 1 + dice.below(39));
        self.rows.push(Row {
            seizure: self.seizure,
            person: who.0.clone(),
            day,
            country: who.1,
            region: who.2,
            substance,
            form,
            grams,
            route,
            concealment,
            precursor,
            note,
        });
    }
}

/// Rounded to two digits after the point, exactly like Python's `round`.
fn cents(grams: f64) -> f64 {
    format!("{grams:.2}").parse().expect("a number")
}

#[cfg(test)]
mod tests {
    use super::{Database, csv};
    use mayag_audit::keys::sha256;
    use std::path::Path;
    use std::process::Command;

    /// Of the three files that the published script writes.
    const DIGESTS: [&str; 3] = [
        "ae780346c7f92cc77562f756043ab9c610468a6bbea15efdcb1cc1914982192c",
        "a67385ece161157f7afda4976957aae857a501d9b5bde11e6b9b570d9e99d04a",
        "d6c7ce21a2fa0667c9e190ab0f240cd16087bb0784334f9d2652e3fc0b8558ff",
    ];

    #[test]
    fn the_bytes_are_those_of_the_published_script() {
        for (database, digest) in Database::ALL.into_iter().zip(DIGESTS) {
            let rows = database.rows();
            let text = csv(&rows.iter().collect::<Vec<_>>());
            assert!(sha256(text.as_bytes()).to_string().ends_with(digest), "{}", database.name());
        }
    }

    /// Where the script itself and a Python are at hand, they are asked too.
    #[test]
    fn the_script_agrees() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let script = root.join("shared/attacks/gen_fixture.py");
        let folder = tempfile::tempdir().unwrap();
        let ran = Command::new("python3").arg(&script).arg(folder.path()).output();
        if !script.is_file() || !ran.is_ok_and(|output| output.status.success()) {
            return;
        }
        for (database, file) in Database::ALL.into_iter().zip(["D", "D_minus", "D_changed"]) {
            let python =
                std::fs::read_to_string(folder.path().join(format!("{file}.csv"))).unwrap();
            let rows = database.rows();
            assert_eq!(csv(&rows.iter().collect::<Vec<_>>()), python, "{file}");
        }
    }

    #[test]
    fn they_differ_in_one_person_only() {
        let [whole, minus, changed] = Database::ALL.map(Database::rows);
        let without = |rows: &[super::Row]| -> Vec<super::Row> {
            rows.iter().filter(|row| row.person != super::PERSON).cloned().collect()
        };
        assert_eq!(without(&whole), minus);
        assert_eq!(without(&changed), minus);
        assert_eq!((whole.len(), minus.len(), changed.len()), (754, 753, 754));
    }
}
