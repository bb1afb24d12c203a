//! What the questions are about: the fixture of the attacks, where units are persons and numbers are noisy, and the same
//! table of parcels, where they are not and numbers are exact.

use super::grammar::Table;
use mayag_audit::keys::sha256;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::Subject;
use mayag_policies::document::Policy;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;

const CATALOGUE: &str = include_str!("../../../attacks/catalogue.json");
const POLICY: &str = include_str!("../../../attacks/policy.json");

/// Noon of 2024-07-01.
const NOW: i64 = 1_719_835_200_000;

/// The country whose policy is asked.
pub(crate) const COUNTRY: &str = "nl";

/// A dataset with its catalogue and a policy.
#[derive(Debug, Clone)]
pub(crate) struct Setting {
    pub(crate) table: Table,
    pub(crate) catalogue: Catalogue,
    pub(crate) policy: Policy,
    /// The policy's document, to be changed.
    pub(crate) document: serde_json::Value,
    pub(crate) subject: Subject,
    pub(crate) now: Timestamp,
}

impl Setting {
    /// Persons, parcels, and the built-in catalogue.
    pub(crate) fn all() -> Vec<Self> {
        vec![Self::persons(), Self::parcels(), Self::builtin()]
    }

    /// The fixture of the attacks.
    pub(crate) fn persons() -> Self {
        let catalogue: serde_json::Value = serde_json::from_str(CATALOGUE).unwrap();
        Self::new(fixture(), &catalogue, policy())
    }

    /// The same without persons: exact numbers.
    pub(crate) fn parcels() -> Self {
        let mut catalogue: serde_json::Value = serde_json::from_str(CATALOGUE).unwrap();
        catalogue["datasets"][0]["units"][0]["person"] = false.into();
        let mut document = policy();
        let grant = document["grants"][0].as_object_mut().unwrap();
        for key in ["noise", "difference_guard", "waiver"] {
            grant.remove(key);
        }
        grant.insert("min_units".to_owned(), 5.into());
        let measure = &mut grant["columns"]["quantity_g"]["measure"];
        *measure = serde_json::json!({ "aggregates": ["sum", "avg"] });
        Self::new(fixture(), &catalogue, document)
    }

    /// The catalogue that ships with the product.
    pub(crate) fn builtin() -> Self {
        let catalogue = serde_json::to_value(Catalogue::builtin()).unwrap();
        let mut document = policy();
        let grant = document["grants"][0].as_object_mut().unwrap();
        for key in ["noise", "difference_guard", "waiver"] {
            grant.remove(key);
        }
        grant["columns"] = serde_json::json!({
            "drug": { "dimension": {} },
            "region": { "dimension": {} },
            "transport": { "dimension": {} },
            "land_filter": { "dimension": {} },
            "seized_on": { "dimension": { "finest": "month" } },
            "quantity": { "measure": { "aggregates": ["sum", "avg"] } },
            "seizure_id": { "unit": { "count": true } },
        });
        let table = Table {
            name: "seizures",
            categories: vec![
                ("drug", vec!["Cocaine", "Heroin", "Fentanyl", "Nothing"]),
                ("region", vec!["Southwest Border", "Coastal"]),
                ("transport", vec!["air", "land", "mail", "sea", "unknown"]),
                ("land_filter", vec!["Land Only", "Other"]),
            ],
            date: "seized_on",
            measure: "quantity",
            unit: "seizure_id",
            hidden: vec!["officer_note", "informant_ref"],
            nullable: vec!["region", "transport", "land_filter"],
            months: vec!["2021-01-01", "2022-03-01"],
            grains: vec!["month", "quarter", "year"],
        };
        Self::new(table, &catalogue, document)
    }

    fn new(table: Table, catalogue: &serde_json::Value, document: serde_json::Value) -> Self {
        let catalogue = Catalogue::parse(catalogue.to_string().as_bytes()).unwrap();
        let policy = parsed(&document, &catalogue).unwrap_or_else(|faults| panic!("{faults}"));
        let subject = Subject {
            country: "de".parse().unwrap(),
            roles: vec!["analyst".parse().unwrap()],
            purpose: Purpose::Trend,
        };
        let now = Timestamp::from_millis(NOW);
        Self { table, catalogue, policy, document, subject, now }
    }
}

/// The policy of this document, or everything that is wrong with it.
pub(crate) fn parsed(
    document: &serde_json::Value,
    catalogue: &Catalogue,
) -> Result<Policy, String> {
    Policy::parse(document.to_string().as_bytes(), catalogue, sha256)
        .map_err(|faults| faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

fn policy() -> serde_json::Value {
    let mut policy: serde_json::Value = serde_json::from_str(POLICY).unwrap();
    policy["policy"] = COUNTRY.into();
    policy
}

fn fixture() -> Table {
    Table {
        name: "seizures",
        categories: vec![
            ("region", vec!["NL-ZE", "NL-ZH", "BE-VAN", "DE-NW", "XX"]),
            ("substance", vec!["cocaine", "heroin", "carfentanil", "none of them"]),
            ("form", vec!["powder", "liquid", "herbal"]),
            ("route", vec!["sea", "air", "road"]),
            ("concealment", vec!["container", "body", "none"]),
            ("precursor_cas", vec!["4468-48-8", "103-79-7"]),
        ],
        date: "seized_on",
        measure: "quantity_g",
        unit: "person_id",
        hidden: vec!["officer_note", "seizure_id"],
        nullable: vec!["precursor_cas"],
        months: vec!["2024-01-01", "2024-03-01", "2024-04-01", "2024-07-01"],
        grains: vec!["month", "quarter", "year"],
    }
}
