//! The first text of a policy.

use crate::catalogue::{Catalogue, Dataset};
use mayag_protocol::names::Country;
use mayag_protocol::timestamp::Timestamp;
use std::fmt::Write as _;

/// A policy without grants: it shares nothing.
pub fn empty(country: &Country, from: Timestamp, until: Timestamp) -> String {
    format!("{},\n  \"grants\": [],\n  \"lookups\": []\n}}\n", head(country, from, until))
}

/// A grant for each dataset in which every column is hidden, to be opened by hand.
pub fn hidden(
    country: &Country,
    catalogue: &Catalogue,
    from: Timestamp,
    until: Timestamp,
) -> String {
    let grants: Vec<String> = catalogue.datasets.iter().map(grant).collect();
    format!(
        "{},\n  \"grants\": [\n{}\n  ],\n  \"lookups\": []\n}}\n",
        head(country, from, until),
        grants.join(",\n")
    )
}

fn head(country: &Country, from: Timestamp, until: Timestamp) -> String {
    format!(
        "{{\n  \"$schema\": \"./policy.schema.json\",\n  \"policy\": \"{country}\",\n  \"serial\": 1,\n  \
         \"valid_from\": \"{from}\",\n  \"valid_until\": \"{until}\",\n  \"why\": \"first policy\""
    )
}

fn grant(dataset: &Dataset) -> String {
    let mut columns = String::new();
    for (i, column) in dataset.columns.iter().enumerate() {
        let comma = if i + 1 < dataset.columns.len() { "," } else { "" };
        // Writing into a string does not fail.
        let _written = writeln!(columns, "        \"{}\": \"hidden\"{comma}", column.name);
    }
    format!(
        "    {{\n      \"id\": \"{0}\",\n      \"why\": \"who needs {0}, and for what\",\n      \"to\": {{ \"countries\": \
         \"any\", \"roles\": [\"analyst\"] }},\n      \"purposes\": [\"TREND\"],\n      \"dataset\": \"{0}\",\n      \
         \"columns\": {{\n{columns}      }}\n    }}",
        dataset.name
    )
}
