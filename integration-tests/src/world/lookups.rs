//! Countries that keep a table of documents which can be searched.

use super::{CountrySpec, World, open_policy, plain_incidents, write};
use std::fmt::Write as _;

/// The table of every country that keeps one.
pub const TABLE: &str = "stolen_documents";

/// One document of a table: the word before the colon, number, issuer, category, handling code, case.
pub type Document<'a> = [&'a str; 6];

/// The declared table of every country that keeps one.
pub const OBSERVED: &str = "observed_documents";

/// One document of it: number, issuer, category, case, and `yes` if it is silent.
pub type Observed<'a> = [&'a str; 5];

/// A country whose analysts of everywhere may search its documents, `elements` at once at most, to investigate.
pub fn searchable(country: &'static str, elements: u32, limits: &str) -> CountrySpec {
    let lookups = include_str!("lookups.json")
        .replace("64", &elements.to_string())
        .replace("\"limits\": {", &format!("\"limits\": {{{limits}"));
    with_lookups(country, &lookups)
}

/// A country whose documents are searched by telling it which; `silent` is the policy's word.
pub fn declaring(country: &'static str, silent: &str) -> CountrySpec {
    let lookups = include_str!("declared.json").replace("forbidden", silent);
    with_lookups(country, &lookups)
}

fn with_lookups(country: &'static str, lookups: &str) -> CountrySpec {
    let policy = open_policy(country, 10);
    // Beside the grants, before the end of the document.
    let (head, _) = policy.trim_end().rsplit_once('}').expect("an object");
    CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine"], 20),
        policy: format!("{},\n{lookups}}}\n", head.trim_end()),
    }
}

impl World {
    /// Writes the documents of a country's declared table and tells its node of them, as [`World::write_documents`] does.
    pub fn write_observed(&self, country: &str, documents: &[Observed<'_>]) {
        let rows = documents.iter().map(|document| document.join(","));
        let header = "number,issuer,category,reference,silent";
        self.write_table(country, ("observed.csv", header, rows), include_str!("declared.toml"));
    }

    /// Writes a country's documents and tells its node of them. Before it starts, or before its next refresh.
    pub fn write_documents(&self, country: &str, documents: &[Document<'_>]) {
        let rows = documents.iter().map(|document| document.join(","));
        let header = "label,number,issuer,category,handling,reference";
        self.write_table(country, ("documents.csv", header, rows), include_str!("lookups.toml"));
    }

    fn write_table(
        &self,
        country: &str,
        (file, header, rows): (&str, &str, impl Iterator<Item = String>),
        lookups: &str,
    ) {
        let mut text = format!("{header}\n");
        for row in rows {
            writeln!(text, "{row}").expect("a String");
        }
        write(&self.dir().join(country).join("data").join(file), &text);
        let path = self.dir().join(country).join("node.toml");
        let config = std::fs::read_to_string(&path).expect("a configuration");
        if !config.contains("[[lookups]]") {
            write(&path, &format!("{config}{lookups}"));
        }
    }
}
