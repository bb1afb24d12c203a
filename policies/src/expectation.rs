//! Test files of policies: questions and lookups with the decision that an administrator expects, and the rule that makes it.
//!
//! Expecting the rule too finds what is refused, or allowed, for another reason than the one that was meant. The
//! comments of this file are the descriptions that an administrator's editor shows.

use crate::document::written::{COUNTRY_PATTERN, SQL_NAME_PATTERN, WORD_PATTERN};
use crate::lookups::KINDS;
use mayag_protocol::lookup::SIZES;
use mayag_protocol::names::{Country, KindName, Role, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Code;
use mayag_protocol::strict::{self, StrictError};
use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::Deserialize;

/// The longest test file that is read.
pub const LONGEST: usize = 4 * 1024 * 1024;

/// The schema's own name.
const ID: &str = "https://mayag.invalid/schema/policy.tests.schema.json";

/// Questions and lookups, and what becomes of them under a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "policy tests")]
pub struct TestFile {
    /// Where an editor finds this schema. Has no effect.
    #[serde(rename = "$schema", default)]
    #[schemars(with = "String")]
    pub schema: Option<String>,
    /// The tests.
    #[schemars(with = "Vec<WrittenExpectation>")]
    pub tests: Vec<Expectation>,
}

/// One question or lookup and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "WrittenExpectation")]
pub struct Expectation {
    /// What is expected, in a sentence.
    pub name: String,
    /// Who asks.
    pub who: Who,
    /// The purpose stated; every purpose if not given.
    pub purpose: Option<Purpose>,
    /// What is asked.
    pub asked: Asked,
    /// What becomes of it, for everybody whom `who` and `purpose` stand for.
    pub expect: Expected,
    /// The rule that decides: the id of a grant, or of a general rule such as `default-deny`.
    pub rule: Option<String>,
    /// The code of the refusal.
    pub code: Option<Code>,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// A lookup.
    Lookup(ExpectedLookup),
    /// A question.
    Sql(String),
}

/// One question or lookup and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(
    rename = "Expectation",
    extend("oneOf" = serde_json::json!([{ "required": ["sql"] }, { "required": ["lookup"] }]))
)]
struct WrittenExpectation {
    /// What is expected, in a sentence.
    name: String,
    /// Who asks.
    #[serde(rename = "as")]
    who: Who,
    /// The purpose stated; every purpose if not given.
    #[serde(default)]
    #[schemars(schema_with = "purpose")]
    purpose: Option<Purpose>,
    /// The question, if it is not a lookup.
    #[serde(default)]
    #[schemars(with = "String")]
    sql: Option<String>,
    /// The lookup, if it is not a question.
    #[serde(default)]
    #[schemars(with = "ExpectedLookup")]
    lookup: Option<ExpectedLookup>,
    /// What becomes of it, for everybody whom `as` and `purpose` stand for.
    expect: Expected,
    /// The rule that decides: the id of a grant, or of a general rule such as `default-deny`.
    #[serde(default)]
    #[schemars(with = "String")]
    rule: Option<String>,
    /// The code of the refusal, such as `MAYAG-2104`.
    #[serde(default)]
    #[schemars(schema_with = "code")]
    code: Option<Code>,
}

/// A lookup of a table.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExpectedLookup {
    /// The table.
    #[schemars(schema_with = "table")]
    pub table: TableName,
    /// The kind of the identifiers.
    #[schemars(schema_with = "kind")]
    pub kind: KindName,
    /// Elements of the lookup: identifiers, padding and one more, as lookups have them on the wire.
    #[serde(default = "smallest")]
    #[schemars(schema_with = "elements")]
    pub elements: u32,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Who {
    /// The country, or `"*"` for every country, named in the policy or not.
    #[schemars(schema_with = "country_or_any")]
    pub country: WhoCountry,
    /// The role; every role named in the policy, and none, if not given.
    #[serde(default)]
    #[schemars(schema_with = "role")]
    pub role: Option<Role>,
}

/// The country of somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum WhoCountry {
    /// Every country.
    Any,
    /// This one.
    This(Country),
}

/// What becomes of a question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Expected {
    /// It is answered.
    Allow,
    /// It is refused.
    Refuse,
}

impl TestFile {
    /// Reads a test file: strict JSON without unknown or duplicate keys.
    pub fn parse(bytes: &[u8]) -> Result<Self, StrictError> {
        strict::parse(bytes, LONGEST)
    }
}

impl TryFrom<WrittenExpectation> for Expectation {
    type Error = &'static str;

    fn try_from(written: WrittenExpectation) -> Result<Self, Self::Error> {
        let asked = match (written.sql, written.lookup) {
            (Some(sql), None) => Asked::Sql(sql),
            (None, Some(lookup)) => Asked::Lookup(lookup),
            (None, None) => return Err("either `sql` or `lookup` is missing"),
            (Some(_), Some(_)) => return Err("a test has `sql` or `lookup`, not both"),
        };
        let WrittenExpectation { name, who, purpose, expect, rule, code, .. } = written;
        Ok(Self { name, who, purpose, asked, expect, rule, code })
    }
}

impl TryFrom<String> for WhoCountry {
    type Error = mayag_protocol::names::NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if text == "*" { Ok(Self::Any) } else { text.parse().map(Self::This) }
    }
}

/// The JSON Schema of test files.
pub fn schema_text() -> String {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<TestFile>();
    schema.insert("$id".to_owned(), ID.into());
    crate::document::schema_file(schema)
}

fn purpose(_: &mut SchemaGenerator) -> Schema {
    let words: Vec<&str> = Purpose::ALL.into_iter().map(Purpose::as_str).collect();
    json_schema!({ "type": "string", "enum": words })
}

fn smallest() -> u32 {
    SIZES.first().copied().unwrap_or_default()
}

fn table(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": SQL_NAME_PATTERN })
}

fn kind(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": KINDS })
}

fn elements(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "integer", "enum": SIZES })
}

fn code(_: &mut SchemaGenerator) -> Schema {
    let codes: Vec<String> = Code::ALL.iter().map(ToString::to_string).collect();
    json_schema!({ "type": "string", "enum": codes })
}

fn country_or_any(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "anyOf": [{ "const": "*" }, { "type": "string", "pattern": COUNTRY_PATTERN }] })
}

fn role(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": WORD_PATTERN })
}

#[cfg(test)]
mod tests {
    use super::{Asked, Expected, TestFile, WhoCountry, schema_text};

    #[test]
    fn the_committed_schema_is_the_one_of_these_types() {
        let committed = include_str!("../schema/policy.tests.schema.json");
        assert_eq!(
            committed,
            schema_text(),
            "run `cargo run -p mayag-policies --example schema -- tests > policies/schema/policy.tests.schema.json`"
        );
    }

    #[test]
    fn the_example_is_read_and_unknown_keys_are_not() {
        let example = include_str!("../examples/policy.tests.json");
        let file = TestFile::parse(example.as_bytes()).unwrap();
        assert_eq!(file.tests[0].expect, Expected::Allow);
        assert_eq!(file.tests.last().unwrap().who.country, WhoCountry::Any);
        let lookups = file.tests.iter().filter_map(|test| match &test.asked {
            Asked::Lookup(lookup) => Some((lookup.table.as_str(), lookup.elements)),
            Asked::Sql(_) => None,
        });
        let lookups: Vec<(&str, u32)> = lookups.collect();
        assert_eq!(lookups, [("stolen_documents", 513), ("wanted_persons", 2)]);
        let wrong = example.replacen("\"expect\"", "\"expects\"", 1);
        assert!(TestFile::parse(wrong.as_bytes()).unwrap_err().to_string().starts_with("line "));
        for (key, says) in [("lookup", "not both"), ("sql", "is missing")] {
            let wrong = match key {
                "lookup" => example.replacen("\"lookup\"", "\"sql\": \"SELECT 1\", \"lookup\"", 1),
                _ => example.replacen("\"sql\": \"SELECT", "\"rule\": \"SELECT", 1).replacen(
                    "      \"rule\": \"trends\"\n",
                    "      \"code\": \"MAYAG-2104\"\n",
                    1,
                ),
            };
            let error = TestFile::parse(wrong.as_bytes()).unwrap_err().to_string();
            assert!(error.starts_with("line ") && error.contains(says), "{error}");
        }
    }
}
