//! The four questions of the demonstration, all asked by the Korean analyst.

use mayag_protocol::names::Country;
use mayag_protocol::purpose::Purpose;

/// One question.
#[derive(Debug)]
pub(crate) struct Example {
    /// Names its file and what is expected.
    pub(crate) name: &'static str,
    /// What it asks, in words.
    pub(crate) title: &'static str,
    /// The SQL.
    pub(crate) sql: &'static str,
    /// Why it is asked.
    pub(crate) purpose: Purpose,
    /// Whom; everybody if empty.
    pub(crate) countries: &'static [&'static str],
    /// The expected answer, as CSV.
    pub(crate) answer: &'static str,
    /// The expected outcomes, as CSV.
    pub(crate) outcomes: &'static str,
    /// Whether the answer must also equal the figures published for the United States.
    pub(crate) published: Published,
}

/// Whether an answer can be computed from what the United States published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Published {
    /// It cannot.
    No,
    /// By drug: number and mass.
    TotalsByDrug,
}

/// All of them, in the order they are asked.
pub(crate) const ALL: [Example; 4] = [
    Example {
        name: "trend",
        title: "How many seizures of three synthetic drugs were there in each year, in all countries together?",
        sql: include_str!("../../demo/questions/trend.sql"),
        purpose: Purpose::Trend,
        countries: &[],
        answer: include_str!("../../demo/expected/trend.csv"),
        outcomes: include_str!("../../demo/expected/trend.outcomes.csv"),
        published: Published::No,
    },
    Example {
        name: "published",
        title: "What did the United States seize? These are the published totals, to the last digit.",
        sql: include_str!("../../demo/questions/published.sql"),
        purpose: Purpose::Trend,
        countries: &["us"],
        answer: include_str!("../../demo/expected/published.csv"),
        outcomes: include_str!("../../demo/expected/published.outcomes.csv"),
        published: Published::TotalsByDrug,
    },
    Example {
        name: "shares",
        title: "Which drugs made up most seizures in each quarter of 2023? Two countries do not answer by quarter.",
        sql: include_str!("../../demo/questions/shares.sql"),
        purpose: Purpose::Trend,
        countries: &[],
        answer: include_str!("../../demo/expected/shares.csv"),
        outcomes: include_str!("../../demo/expected/shares.outcomes.csv"),
        published: Published::No,
    },
    Example {
        name: "routes",
        title: "On which routes did methamphetamine travel in 2022? Small groups are withheld, Mexico does not share routes.",
        sql: include_str!("../../demo/questions/routes.sql"),
        purpose: Purpose::Trend,
        countries: &[],
        answer: include_str!("../../demo/expected/routes.csv"),
        outcomes: include_str!("../../demo/expected/routes.outcomes.csv"),
        published: Published::No,
    },
];

impl Example {
    /// Whom it is asked of; nothing means everybody.
    pub(crate) fn asked(&self) -> Option<Vec<Country>> {
        let countries: Vec<Country> =
            self.countries.iter().filter_map(|code| code.parse().ok()).collect();
        (!countries.is_empty()).then_some(countries)
    }

    /// Whom it is asked of, in words.
    pub(crate) fn asked_words(&self) -> String {
        if self.countries.is_empty() {
            "all countries".to_owned()
        } else {
            self.countries.join(", ")
        }
    }
}
