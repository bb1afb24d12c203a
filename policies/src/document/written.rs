//! A policy document as it is written; the JSON Schema is generated from these types.
//!
//! The comments of this file are the descriptions that an administrator's editor shows.

use crate::shape::{Aggregate, Grain};
use mayag_protocol::names::{ColumnName, Country, DatasetName, GrantId, Role};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::collections::BTreeMap;

pub mod lookups;

use lookups::DocumentLookup;

/// The federation's floor: no policy shows a cell of fewer distinct units than this (design §12).
pub const LEAST_MIN_UNITS: u64 = 5;
/// More than any dataset has units: a typing error.
pub const MOST_MIN_UNITS: u64 = 1_000_000_000;
/// The federation's floor of the p%-rule.
pub const LEAST_P_PERCENT: u32 = 1;
/// From here on nothing is ever shown: a typing error.
pub const MOST_P_PERCENT: u32 = 100;
/// The longest reason, in characters.
pub const LONGEST_WHY: u64 = 500;

/// More than any rule of dominance looks at: a typing error.
pub const MOST_DOMINANT_UNITS: u32 = 10;
/// Below half, most cells of two units would be withheld: a typing error.
pub const LEAST_SHARE_PERCENT: u32 = 50;
/// The whole of a sum or a group.
pub const MOST_SHARE_PERCENT: u32 = 100;
/// The federation's floor of noise: the largest deviation is at least this.
pub const LEAST_LARGEST: u32 = 2;
/// From here on no number means anything: a typing error.
pub const MOST_LARGEST: u32 = 100;
/// From here on no number means anything: a typing error.
pub const MOST_VARIANCE: u32 = 2_000;
/// More rows of one unit in a cell than noise could hide.
pub const MOST_ROWS: u64 = 1_000;
/// From here on no number means anything: a typing error.
pub const MOST_ROUND_TO: u64 = 1_000_000_000;
/// The federation's ceiling of columns that are combined: from here on cells are about single units.
pub const MOST_LEVELS: u32 = 12;
/// More questions a day than the whole federation asks: a typing error.
pub const MOST_QUESTIONS: u64 = 10_000_000;
/// Bounds stay so small that a sum over 10^7 units fits 64 bits.
pub const LARGEST_BOUND: i64 = 900_000_000_000;

pub(crate) const COUNTRY_PATTERN: &str = "^[a-z]{2}$";
pub(crate) const SQL_NAME_PATTERN: &str = "^[a-z][a-z0-9_]{0,62}$";
pub(crate) const WORD_PATTERN: &str = "^[a-z0-9][a-z0-9._-]{0,62}$";
pub(crate) const INSTANT_PATTERN: &str =
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?Z$";

/// What one country shows to whom. Everything that no grant shares stays hidden.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "policy")]
pub struct Document {
    /// Where an editor finds this schema. Has no effect.
    #[serde(rename = "$schema", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String")]
    pub schema: Option<String>,
    /// The country whose policy this is: ISO 3166-1 alpha-2 in lower case.
    #[schemars(schema_with = "country")]
    pub policy: Country,
    /// Grows with every version; a node never goes back, so a return to an older text is a new serial.
    #[schemars(range(min = 1))]
    pub serial: u64,
    /// The version of the catalogue that the policy was written for. Where it is stated, no other is accepted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1))]
    pub catalogue: Option<u64>,
    /// From when the policy is in force.
    #[schemars(schema_with = "instant")]
    pub valid_from: Timestamp,
    /// Until when the policy is in force; nothing is answered afterwards.
    #[schemars(schema_with = "instant")]
    pub valid_until: Timestamp,
    /// The reason for this version, for people who review it.
    #[schemars(length(min = 1, max = LONGEST_WHY))]
    pub why: String,
    /// What is shared. A question is answered only if one grant alone covers it: grants never add up.
    pub grants: Vec<DocumentGrant>,
    /// Which lookup tables may be searched. A lookup is answered only if one grant alone allows its size.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lookups: Vec<DocumentLookup>,
}

/// One permission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DocumentGrant {
    /// Names the grant in answers, refusals and logs. Of several grants that cover a question, the first by id is used.
    #[schemars(schema_with = "word")]
    pub id: GrantId,
    /// The reason; people who receive a refusal may be shown it.
    #[schemars(length(min = 1, max = LONGEST_WHY))]
    pub why: String,
    /// Who may ask.
    pub to: Audience,
    /// The purposes one of which the person asking has to state.
    #[schemars(schema_with = "purposes")]
    pub purposes: Vec<Purpose>,
    /// The dataset, as the catalogue names it.
    #[schemars(schema_with = "sql_name")]
    pub dataset: DatasetName,
    /// How each column is shared. A column that is not listed is hidden. The column `country` is implied and always a
    /// dimension. A level such as `hs6_chapter` is shared like a column; whoever may use a column or a level may use the
    /// coarser levels of the column too.
    #[schemars(schema_with = "columns")]
    pub columns: BTreeMap<ColumnName, ColumnUse>,
    /// Which rows are shared: a row counts only if it passes every one of these. Every row, if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rows: Vec<RowFilter>,
    /// A cell is withheld if it holds fewer distinct units than this.
    #[serde(default = "default_min_units")]
    #[schemars(range(min = LEAST_MIN_UNITS, max = MOST_MIN_UNITS))]
    pub min_units: u64,
    /// A sum is withheld if what remains of it without its two largest contributors is less than this percentage of
    /// the largest: the second largest could estimate the largest too closely.
    #[serde(default = "default_p_percent")]
    #[schemars(range(min = LEAST_P_PERCENT, max = MOST_P_PERCENT))]
    pub p_percent: u32,
    /// A sum is withheld if a few of its contributors hold too much of it.
    #[serde(default)]
    pub dominance: WrittenDominance,
    /// A group is withheld if one category holds this percentage of its units, or more.
    #[serde(default = "default_one_category_percent")]
    #[schemars(range(min = LEAST_SHARE_PERCENT, max = MOST_SHARE_PERCENT))]
    pub one_category_percent: u32,
    /// What is added to numbers. Not given: on for a dataset that protects persons, else `"off"`. It cannot be off for a
    /// dataset that protects persons.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WrittenNoise")]
    pub noise: Option<WrittenNoise>,
    /// Rows of one unit that count in a cell where noise is on.
    #[serde(default = "default_most_rows")]
    #[schemars(range(min = 1, max = MOST_ROWS))]
    pub most_rows: u64,
    /// Numbers are rounded to multiples of this.
    #[serde(default = "default_round_to")]
    #[schemars(range(min = 1, max = MOST_ROUND_TO))]
    pub round_to: u64,
    /// Whether a cell is withheld that differs from an earlier one by too few units. Not given: on for a dataset that
    /// protects persons, else off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "WrittenSwitch")]
    pub difference_guard: Option<WrittenSwitch>,
    /// How many different columns one question may group and filter by, `country` not counted.
    #[serde(default = "default_most_levels")]
    #[schemars(range(min = 1, max = MOST_LEVELS))]
    pub most_levels: u32,
    /// Questions a day; without limit where none is given.
    #[serde(default)]
    pub budget: WrittenBudget,
    /// For a dataset that protects persons, and necessary there: the law or agreement that allows answers to be computed
    /// over its rows when they are asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "String", length(min = 1, max = LONGEST_WHY))]
    pub waiver: Option<String>,
    /// Until when this grant is in force, if it ends before the policy does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "instant")]
    pub valid_until: Option<Timestamp>,
}

/// Who may ask: a person of one of the countries who holds one of the roles.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Audience {
    /// The countries of the people, or `"any"`.
    #[schemars(schema_with = "countries")]
    pub countries: Countries,
    /// The roles that the roster gives the people.
    #[schemars(schema_with = "roles")]
    pub roles: Vec<Role>,
}

/// Countries of the people who may ask.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Countries {
    /// Every country of the federation.
    Any(Any),
    /// These.
    These(Vec<Country>),
}

/// The word `any`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Any {
    /// Every country of the federation.
    Any,
}

/// How a column is shared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "snake_case")]
pub enum ColumnUse {
    /// People may group and filter by it, count where it is known, and take its smallest and largest value.
    Dimension {
        /// For a date, and only for a date: the finest grain at which it is shown and filtered.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Grain")]
        finest: Option<Grain>,
    },
    /// Not shared. The same as not listing the column.
    Hidden,
    /// A number people may aggregate and count where it is known, but not see, group or filter by.
    Measure {
        /// The aggregates. An average travels as sum and count and a variance as power sums, so whoever may ask for
        /// `avg`, `variance` or `stddev` can also work the sum out. `covariance` and `correlation` have to be shared of both
        /// columns, and say as much of the rows in which both have a value. `quantile` needs the column's finest bands,
        /// shared as a dimension; the rows of each band travel.
        #[schemars(schema_with = "aggregates")]
        aggregates: Vec<Aggregate>,
        /// The least that one unit contributes to a sum in a cell, in the column's unit; 0 if not given. What is less is
        /// cut to it where noise is on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "i64", range(min = -LARGEST_BOUND, max = 0))]
        low: Option<i64>,
        /// The most that one unit contributes to a sum in a cell. Necessary where noise is on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "i64", range(min = 0, max = LARGEST_BOUND))]
        high: Option<i64>,
    },
    /// The identifier of the unit that the dataset protects; its values are never shown.
    Unit {
        /// Whether people may count units.
        count: bool,
    },
}

/// When a few contributors hold too much of a sum.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenDominance {
    /// So many of the largest contributors.
    #[schemars(range(min = 1, max = MOST_DOMINANT_UNITS))]
    pub units: u32,
    /// Hold more than this percentage of the sum.
    #[schemars(range(min = LEAST_SHARE_PERCENT, max = MOST_SHARE_PERCENT))]
    pub percent: u32,
}

/// What is added to numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum WrittenNoise {
    /// Nothing.
    Off(Off),
    /// Noise by cell key.
    On(WrittenNoiseTable),
}

/// The word `off`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Off {
    /// Nothing is added.
    Off,
}

/// Noise of a count of units; noise of other numbers follows from it and their bounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WrittenNoiseTable {
    /// The largest deviation.
    #[schemars(range(min = LEAST_LARGEST, max = MOST_LARGEST))]
    pub largest: u32,
    /// The variance.
    #[schemars(range(min = 1, max = MOST_VARIANCE))]
    pub variance: u32,
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WrittenSwitch {
    /// Off.
    Off,
    /// On.
    On,
}

/// Questions a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct WrittenBudget {
    /// By one person.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_QUESTIONS))]
    pub person: Option<u64>,
    /// By all people of one country.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_QUESTIONS))]
    pub country: Option<u64>,
    /// By everybody.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "u64", range(min = 1, max = MOST_QUESTIONS))]
    pub dataset: Option<u64>,
}

/// A condition on rows. A row without a value in the column never passes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RowFilter {
    /// The column, or the virtual column of a level; it need not be shared.
    #[schemars(schema_with = "sql_name")]
    pub column: ColumnName,
    /// For a date, and only for a date: the grain at which it is compared; `day` if not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Grain")]
    pub grain: Option<Grain>,
    /// The comparison.
    pub is: RowTest,
    /// Texts, whole numbers, or dates such as `"2024-03-01"`; exactly one for `from` and `before`.
    #[schemars(schema_with = "constants")]
    pub values: Vec<Constant>,
}

/// How rows are tested.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RowTest {
    /// Earlier or smaller than the one value.
    Before,
    /// The one value, or later or larger.
    From,
    /// One of the values.
    In,
    /// A value, but none of these.
    NotIn,
}

/// A constant of a row filter.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Constant {
    /// A whole number.
    Int(i64),
    /// A text or a date.
    Text(String),
}

pub(super) fn default_min_units() -> u64 {
    10
}

pub(super) fn default_p_percent() -> u32 {
    10
}

fn default_one_category_percent() -> u32 {
    90
}

fn default_most_rows() -> u64 {
    3
}

fn default_round_to() -> u64 {
    1
}

fn default_most_levels() -> u32 {
    4
}

impl Default for WrittenDominance {
    fn default() -> Self {
        Self { units: 2, percent: 85 }
    }
}

impl Default for WrittenNoiseTable {
    /// The federation's noise (design §12).
    fn default() -> Self {
        Self { largest: 5, variance: 3 }
    }
}

impl JsonSchema for WrittenNoise {
    fn schema_name() -> Cow<'static, str> {
        "WrittenNoise".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let table = generator.subschema_for::<WrittenNoiseTable>();
        json_schema!({ "oneOf": [{ "const": "off" }, table] })
    }
}

fn country(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": COUNTRY_PATTERN })
}

fn word(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": WORD_PATTERN })
}

fn sql_name(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": SQL_NAME_PATTERN })
}

fn instant(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": INSTANT_PATTERN, "examples": ["2026-01-01T00:00:00Z"] })
}

fn purposes(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = Purpose::ALL.into_iter().map(Purpose::as_str).collect();
    json_schema!({
        "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "string", "enum": words }
    })
}

fn roles(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "string", "pattern": WORD_PATTERN }
    })
}

fn countries(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [
        { "const": "any" },
        {
            "type": "array", "minItems": 1, "uniqueItems": true,
            "items": { "type": "string", "pattern": COUNTRY_PATTERN }
        }
    ] })
}

fn aggregates(_: &mut SchemaGenerator) -> Schema {
    let words = Aggregate::OF_MEASURES.map(Aggregate::as_str);
    json_schema!({
        "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": "string", "enum": words }
    })
}

fn constants(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "array", "minItems": 1, "uniqueItems": true, "items": { "type": ["integer", "string"] }
    })
}

fn columns(generator: &mut SchemaGenerator) -> Schema {
    let column = generator.subschema_for::<ColumnUse>();
    json_schema!({
        "type": "object", "minProperties": 1,
        "propertyNames": { "pattern": SQL_NAME_PATTERN }, "additionalProperties": column
    })
}
