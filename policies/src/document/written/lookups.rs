//! The grants of lookup tables as they are written.
//!
//! The comments of this file are the descriptions that an administrator's editor shows.

use super::{Audience, LONGEST_WHY, instant, purposes, sql_name, word};
use crate::lookups::{DEFAULT_AT_ONCE, KINDS, at_once_sizes};
use mayag_protocol::lookup::Mode;
use mayag_protocol::names::{GrantId, KindName, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// More identifiers a day than everybody together searches: a typing error.
pub const MOST_IDENTIFIERS: u64 = 1_000_000_000;

/// Permission to search a lookup table for identifiers, which the country does not learn unless the table is declared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentLookup {
    /// Names the grant in refusals and logs; no grant of a dataset has the same. Of several grants that allow a lookup,
    /// all are used, with the strictest limits of all.
    #[schemars(schema_with = "word")]
    pub id: GrantId,
    /// The reason, for people who review it.
    #[schemars(length(min = 1, max = LONGEST_WHY))]
    pub why: String,
    /// The table, as the node's settings name it.
    #[schemars(schema_with = "sql_name")]
    pub table: TableName,
    /// What its identifiers are: passports are of the kind `travel_document`, vessels of the kind `imo`. The same in every
    /// grant of the table.
    #[schemars(schema_with = "kind")]
    pub kind: KindName,
    /// Who learns what: `blinded`, and the country learns how many identifiers were searched, but not which; `declared`,
    /// and it learns them, is told of every hit, and who searches has to ask for it expressly. The same in every grant of
    /// the table.
    #[serde(default = "blinded")]
    #[schemars(schema_with = "mode")]
    pub mode: Mode,
    /// Who may search.
    pub to: Audience,
    /// The purposes one of which the person searching has to state.
    #[schemars(schema_with = "purposes")]
    pub purposes: Vec<Purpose>,
    /// What a hit says beside how well it matches. The same in every grant of the table.
    #[schemars(schema_with = "reveals")]
    pub reveals: Vec<Reveal>,
    /// For a declared table, and necessary there: the law or agreement that lets this country be told what others search.
    /// The same in every grant of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = LONGEST_WHY))]
    pub legal_basis: Option<String>,
    /// For a declared table: whether a row of it may be silent, so that who searches for it is told that there is no hit
    /// while this country is told who searched; `forbidden` if not given. The same in every grant of the table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WrittenSilence")]
    pub silent: Option<WrittenSilence>,
    /// Identifiers that may be searched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WrittenLimits")]
    pub limits: Option<WrittenLimits>,
    /// Until when this grant is in force, if it ends before the policy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub valid_until: Option<Timestamp>,
}

/// What a hit says beside how well it matches.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema,
)]
#[serde(rename_all = "snake_case")]
pub enum Reveal {
    /// What the record is about, such as `stolen document`.
    Category,
    /// The reference under which the country is asked about the record.
    Contact,
    /// How what the record says may be handled.
    Handling,
}

/// Whether rows of a declared table may be silent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrittenSilence {
    /// A hit may be kept from who searches. Everybody who may search the table is told that this may be so, and of no row
    /// whether it is.
    Allowed,
    /// Who searches is told of every hit.
    Forbidden,
}

/// Identifiers that may be searched. A lookup counts with its padding, before anything is evaluated. What is searched with
/// its spellings counts several times: a document up to 4, a person about 28, a logo 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenLimits {
    /// In one lookup, padding included: one of the sizes that lookups are padded to.
    #[schemars(schema_with = "sizes")]
    pub at_once: u32,
    /// A day, by one person; without limit where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_IDENTIFIERS))]
    pub person: Option<u64>,
    /// A day, by all people of one country; without limit where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_IDENTIFIERS))]
    pub country: Option<u64>,
    /// A day, by everybody; without limit where none is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_IDENTIFIERS))]
    pub table: Option<u64>,
}

impl Reveal {
    pub(crate) const ALL: [Self; 3] = [Self::Category, Self::Contact, Self::Handling];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Category => "category",
            Self::Contact => "contact",
            Self::Handling => "handling",
        }
    }
}

impl Default for WrittenLimits {
    fn default() -> Self {
        Self { at_once: DEFAULT_AT_ONCE, person: None, country: None, table: None }
    }
}

fn blinded() -> Mode {
    Mode::Blinded
}

fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": KINDS })
}

fn mode(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["blinded", "declared"] })
}

fn reveals(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "uniqueItems": true, "items": { "type": "string", "enum": Reveal::ALL.map(Reveal::as_str) }
    })
}

fn sizes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "enum": at_once_sizes() })
}
