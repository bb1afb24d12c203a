//! The lookup of the demonstration: who knows one of three documents, while nobody is told which documents they are.

use super::expected::{self, Difference};
use super::{DemoError, Steps};
use crate::printer::Printer;
use crate::safe::safe;
use mayag_desk::ask::Reply;
use mayag_desk::desk::{Desk, Request};
use mayag_desk::lookup::{Finding, Identifiers, LookupAnswer, Lookups, Progress, Reason, Tables};
use mayag_matching::normalise::normalise;
use mayag_protocol::lookup::Verdict;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Ask;
use mayag_transport::files::{self, Mode};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// The documents that countries keep, as CSV. All of them are invented.
const TABLES: [(&str, &str); 4] = [
    ("au", include_str!("../../demo/documents/au.csv")),
    ("kr", include_str!("../../demo/documents/kr.csv")),
    ("mx", include_str!("../../demo/documents/mx.csv")),
    ("us", include_str!("../../demo/documents/us.csv")),
];

/// What is searched.
const SEARCHED: [&str; 3] =
    ["passport:M99000001@PHL", "passport:L99000017@DEU", "passport:M99000777@PHL"];

/// Names the files of what is expected.
const NAME: &str = "documents";

const EXPECTED: &str = include_str!("../../demo/expected/documents.csv");

/// How long indices of a handful of documents may take until they are published.
const PATIENCE: Duration = Duration::from_secs(20);

/// How a node reads its documents and publishes them for lookups.
pub(super) const SETTINGS: &str = r#"
# Documents of which others may ask whether they are known here, without showing which ones they ask about.
[[sources]]
name = "documents"
format = "csv"
path = "data/documents.csv"
columns = [
    { name = "label", type = "text" },
    { name = "number", type = "text" },
    { name = "issuer", type = "text" },
    { name = "category", type = "text" },
    { name = "handling", type = "text" },
    { name = "reference", type = "text" },
]

[[lookups]]
table = "stolen_documents"
sql = """
SELECT label, number AS identifier, issuer AS qualifier, category, handling, reference AS contact
FROM documents
"""
"#;

/// The documents of a country, if it keeps any.
pub(super) fn of(country: &str) -> Option<&'static str> {
    TABLES.iter().find(|(of, _)| *of == country).map(|(_, documents)| *documents)
}

/// Searches, shows, and compares with what is expected.
pub(super) async fn search(
    number: usize,
    desk: &Desk,
    steps: &mut Steps,
    printer: &mut Printer,
) -> Result<String, DemoError> {
    let request = Request {
        ask: Ask::Tables {},
        purpose: Purpose::Investigate,
        case: Some("SYNTH-2026-1".to_owned()),
        legal_basis: None,
        countries: None,
    };
    let given: Result<Vec<_>, _> = SEARCHED.iter().map(|typed| normalise(typed)).collect();
    let identifiers = Arc::new(Identifiers::new(given?)?);
    let mut lookups = Lookups::open(desk, None)?;
    let tables = published(&mut lookups, &request).await?;
    let mut watch = |_: Progress<'_>| ();
    let answer = match lookups.search(&request, &tables, &identifiers, &mut watch).await? {
        Reply::Answer(answer) => answer,
        Reply::Refused(refusal) => {
            return Err(DemoError::Refused { name: NAME, refusal: refusal.to_string() });
        }
    };
    steps.done("lookup of three documents", printer);
    show(number, &answer, printer)?;
    Ok(rows(&answer))
}

/// What is not as expected.
pub(super) fn compare(rows: &str) -> Option<Difference> {
    expected::difference(&format!("{NAME}: verdicts"), EXPECTED, rows)
}

/// Writes down what was found.
pub(super) fn record(folder: &Path, rows: &str) -> Result<(), DemoError> {
    Ok(files::replace(&folder.join(format!("{NAME}.csv")), rows.as_bytes(), Mode::Public)?)
}

/// The tables, once every country has published what it lets this person search.
async fn published(lookups: &mut Lookups<'_>, request: &Request) -> Result<Tables, DemoError> {
    let wanted = EXPECTED.lines().filter(|line| line.starts_with("1,"));
    let wanted = wanted.filter(|line| line.contains("hit")).count();
    let until = tokio::time::Instant::now() + PATIENCE;
    loop {
        let mut watch = |_: Progress<'_>| ();
        match lookups.tables(request, &mut watch).await? {
            Reply::Refused(refusal) => {
                return Err(DemoError::Refused { name: NAME, refusal: refusal.to_string() });
            }
            Reply::Answer(tables) => {
                let lists =
                    |directory: &mayag_protocol::lookup::Directory| !directory.tables.is_empty();
                let listed = tables.directories.iter().filter(|(_, of)| lists(of)).count();
                if wanted <= listed || until <= tokio::time::Instant::now() {
                    return Ok(tables);
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn show(number: usize, answer: &LookupAnswer, printer: &mut Printer) -> Result<(), DemoError> {
    printer.line(&format!(
        "\n== {number}. Which countries know one of three documents? Nobody is told which documents they are.\n"
    ))?;
    for typed in SEARCHED {
        printer.line(&format!("    {typed}"))?;
    }
    printer.line("\n   purpose INVESTIGATE, asked of all countries\n")?;
    for (i, typed) in SEARCHED.iter().enumerate() {
        printer.line(&format!("{}  {typed}", i + 1))?;
        let mut others: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
        for Finding { country, verdict, hits, reason } in answer.of(i) {
            for found in hits {
                let hit = &found.hit;
                printer.line(&format!(
                    "   {:<14} {country}  {}, {}, {}",
                    verdict.as_str(),
                    hit.band,
                    safe(&hit.category),
                    safe(&hit.handling)
                ))?;
            }
            if hits.is_empty() {
                let why = reason.map(|why| format!(": {why}")).unwrap_or_default();
                others.entry((verdict.as_str(), why)).or_default().push(country.as_str());
            }
        }
        for ((word, why), countries) in others {
            printer.line(&format!("   {word:<14} {}{}", countries.join(" "), safe(&why)))?;
        }
    }
    let hits = (0..SEARCHED.len())
        .filter(|i| answer.of(*i).any(|finding| matches!(finding.verdict, Verdict::Hit { .. })));
    printer.line(&format!(
        "-- {} of {} known somewhere; only this desk can tell which",
        hits.count(),
        SEARCHED.len()
    ))?;
    Ok(())
}

/// One line for each hit, and for each country without one. A contact reference is another one in every federation.
fn rows(answer: &LookupAnswer) -> String {
    let mut text = "row,country,verdict,band,category,handling,reason\n".to_owned();
    for i in 0..SEARCHED.len() {
        for Finding { country, verdict, hits, reason } in answer.of(i) {
            let first = format!("{},{country},{}", i + 1, verdict.as_str());
            for found in hits {
                let hit = &found.hit;
                // Writing into a string does not fail.
                let _written =
                    writeln!(text, "{first},{},{},{},", hit.band, hit.category, hit.handling);
            }
            if hits.is_empty() {
                let reason = reason.map(Reason::as_str).unwrap_or_default();
                let _written = writeln!(text, "{first},,,,{reason}");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::{SEARCHED, TABLES};
    use mayag_matching::normalise::{Label, normalise, normalise_parts};

    #[test]
    fn every_document_can_be_searched() {
        for searched in SEARCHED {
            normalise(searched).unwrap();
        }
        for (country, documents) in TABLES {
            for line in documents.lines().skip(1) {
                let fields: Vec<&str> = line.split(',').collect();
                let [label, number, issuer, _, handling, reference] = fields.as_slice() else {
                    panic!("{country}: {line}")
                };
                let label: Label = label.parse().unwrap();
                normalise_parts(label, number, Some(issuer)).unwrap();
                assert!(["H0", "H1", "H2", "H3"].contains(handling), "{line}");
                assert!(reference.starts_with("SYNTH-"), "{line}");
            }
        }
    }
}
