//! Test files of policies: questions with the decision that an administrator expects, and the rule that makes it.
//!
//! Expecting the rule too finds what is refused, or allowed, for another reason than the one that was meant. The
//! comments of this file are the descriptions that an administrator's editor shows.

use crate::document::written::{COUNTRY_PATTERN, WORD_PATTERN};
use mayag_protocol::names::{Country, Role};
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

/// Questions and what becomes of them under a policy.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "policy tests")]
pub struct TestFile {
    /// Where an editor finds this schema. Has no effect.
    #[serde(rename = "$schema", default)]
    #[schemars(with = "String")]
    pub schema: Option<String>,
    /// The tests.
    pub tests: Vec<Expectation>,
}

/// One question and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Expectation {
    /// What is expected, in a sentence.
    pub name: String,
    /// Who asks.
    #[serde(rename = "as")]
    pub who: Who,
    /// The purpose stated; every purpose if not given.
    #[serde(default)]
    #[schemars(schema_with = "purpose")]
    pub purpose: Option<Purpose>,
    /// The question.
    pub sql: String,
    /// What becomes of it, for everybody whom `as` and `purpose` stand for.
    pub expect: Expected,
    /// The rule that decides: the id of a grant, or of a general rule such as `default-deny`.
    #[serde(default)]
    #[schemars(with = "String")]
    pub rule: Option<String>,
    /// The code of the refusal, such as `MAYAG-2104`.
    #[serde(default)]
    #[schemars(schema_with = "code")]
    pub code: Option<Code>,
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
    use super::{Expected, TestFile, WhoCountry, schema_text};

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
        let wrong = example.replacen("\"expect\"", "\"expects\"", 1);
        assert!(TestFile::parse(wrong.as_bytes()).unwrap_err().to_string().starts_with("line "));
    }
}
