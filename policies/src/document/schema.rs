//! The JSON Schema of policy documents, and what its errors mean in plain words.

use crate::document::position::token;
use crate::document::problem::{Problem, quoted};
use crate::document::rule::Rule;
use crate::document::written::{self, Document};
use jsonschema::error::{TypeKind, ValidationErrorKind};
use jsonschema::{ValidationError, Validator};
use schemars::generate::SchemaSettings;
use serde_json::Value;
use std::sync::LazyLock;

/// The schema's own name.
const ID: &str = "https://mayag.invalid/policy.schema.json";

/// The schema as the file `policies/schema/policy.schema.json` holds it: JSON Schema 2020-12, keys sorted.
pub fn schema_text() -> String {
    printed(&schema())
}

/// Another schema as a file holds it.
pub(crate) fn schema_file(schema: schemars::Schema) -> String {
    printed(&sorted(schema.to_value()))
}

fn printed(schema: &Value) -> String {
    let mut text = serde_json::to_string_pretty(schema).unwrap_or_default();
    text.push('\n');
    text
}

fn schema() -> Value {
    let mut schema =
        SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Document>();
    schema.insert("$id".to_owned(), ID.into());
    sorted(schema.to_value())
}

/// The same value with the keys of every object sorted, whichever map type `serde_json` was built with, and with
/// descriptions on one line.
fn sorted(value: Value) -> Value {
    match value {
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        Value::Object(entries) => {
            let mut entries: Vec<(String, Value)> = entries.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::String(text) => Value::String(text.replace('\n', " ")),
        Value::Bool(_) | Value::Null | Value::Number(_) => value,
    }
}

/// Compiled once: a node reads a policy at every reload, an editor at every keystroke.
static COMPILED: LazyLock<Option<(Validator, Value)>> = LazyLock::new(|| {
    let schema = schema();
    jsonschema::draft202012::new(&schema).ok().map(|validator| (validator, schema))
});

/// The names of the properties beside this keyword, for suggestions.
fn names_beside<'a>(keyword: &str, schema: &'a Value) -> impl Iterator<Item = &'a str> {
    let object = keyword.rsplit_once('/').map_or("", |(object, _)| object);
    let properties = schema.pointer(&format!("{object}/properties"));
    properties
        .and_then(Value::as_object)
        .into_iter()
        .flat_map(|named| named.keys().map(String::as_str))
}

/// Everything that the schema says against this document.
pub(crate) fn check(document: &Value) -> Vec<Problem> {
    let Some((validator, schema)) = &*COMPILED else {
        // Unreachable while the tests pass; a document that cannot be checked is not used.
        return vec![Problem::new(
            Rule::OtherForm,
            "",
            "the schema of policies could not be compiled",
        )];
    };
    let mut problems = Vec::new();
    for error in validator.iter_errors(document) {
        explain(&error, schema, &mut problems);
    }
    problems
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other keywords do not occur in our schema and get a plain message"
)]
fn explain(error: &ValidationError<'_>, schema: &Value, problems: &mut Vec<Problem>) {
    let pointer = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            problems.extend(unexpected.iter().map(|key| {
                let place = format!("{pointer}/{}", token(key));
                Problem::at_key(
                    Rule::UnknownKey,
                    place,
                    format!("{} is not known here", quoted(key)),
                )
                .suggest(key, names_beside(error.schema_path().as_str(), schema))
            }));
        }
        ValidationErrorKind::Required { property } => {
            let key = property.as_str().unwrap_or_default();
            problems.push(Problem::at_key(
                Rule::MissingKey,
                pointer,
                format!("{} is missing", quoted(key)),
            ));
        }
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            alternatives(pointer, context, schema, problems);
        }
        ValidationErrorKind::PropertyNames { error } => {
            let key = error.instance().as_str().unwrap_or_default();
            let place = format!("{pointer}/{}", token(key));
            problems.push(Problem::at_key(
                Rule::WrongForm,
                place,
                format!("{} is not {}", quoted(key), format_name(error.kind())),
            ));
        }
        ValidationErrorKind::Enum { options } => {
            problems.extend(none_of(pointer, error.instance(), options));
        }
        kind => problems.push(Problem::new(
            rule(pointer, kind),
            pointer,
            wording(pointer, error.instance(), kind),
        )),
    }
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other keywords do not occur in our schema and get a plain message"
)]
fn wording(pointer: &str, instance: &Value, kind: &ValidationErrorKind) -> String {
    let name = quoted(last(pointer));
    let found = quoted(&shown(instance));
    match kind {
        ValidationErrorKind::Constant { expected_value } => {
            format!("{found} is not {expected_value}")
        }
        ValidationErrorKind::MaxLength { limit } => {
            format!("{name} is longer than {limit} characters")
        }
        ValidationErrorKind::Maximum { limit } => {
            format!("{name} is {}, the most is {limit}", shown(instance))
        }
        ValidationErrorKind::MinItems { .. } | ValidationErrorKind::MinProperties { .. } => {
            format!("{name} is empty: nobody or nothing would be meant")
        }
        ValidationErrorKind::MinLength { .. } => format!("{name} is empty"),
        ValidationErrorKind::Minimum { limit } if has_floor(pointer) => {
            format!("{name} is {}, the federation's floor is {limit}", shown(instance))
        }
        ValidationErrorKind::Minimum { limit } => {
            format!("{name} is {}, the least is {limit}", shown(instance))
        }
        ValidationErrorKind::Pattern { .. } => format!("{found} is not {}", format_name(kind)),
        // As JSON, so that the text "1" and the number 1 look different.
        ValidationErrorKind::Type { kind: TypeKind::Single(kind) } => {
            format!("{} is not of type {kind}", as_json(instance))
        }
        ValidationErrorKind::Type { kind: TypeKind::Multiple(_) } => {
            format!("{} is neither a whole number nor a text", as_json(instance))
        }
        ValidationErrorKind::UniqueItems => format!("{name} names something twice"),
        other => format!("does not fit the schema (`{}`)", other.keyword()),
    }
}

/// A value that is in no closed list, of words or of numbers; nothing is said of what is no number, whose type is wrong
/// already.
fn none_of(pointer: &str, instance: &Value, options: &Value) -> Option<Problem> {
    let options: Vec<&Value> = options.as_array().into_iter().flatten().collect();
    let found = shown(instance);
    let listed: Vec<String> = options.iter().map(|option| shown(option)).collect();
    let message = format!("{} is none of {}", quoted(&found), listed.join(", "));
    let words: Vec<&str> = options.iter().filter_map(|option| option.as_str()).collect();
    if !words.is_empty() {
        return Some(Problem::new(Rule::UnknownWord, pointer, message).suggest(&found, words));
    }
    // Near is what is larger than the number, not what is spelt alike.
    let problem = Problem::new(Rule::OutOfRange, pointer, message);
    let number = instance.as_number()?.as_u64();
    let larger = options.iter().filter_map(|option| option.as_u64());
    Some(match larger.filter(|option| number.is_some_and(|number| number < *option)).min() {
        Some(larger) => problem.help(format!("did you mean `{larger}`?")),
        None => problem,
    })
}

/// Whether the least value is the federation's floor.
fn has_floor(pointer: &str) -> bool {
    matches!(last(pointer), "largest" | "min_units" | "p_percent")
}

#[expect(
    clippy::wildcard_enum_match_arm,
    reason = "the other keywords do not occur in our schema and get a plain rule"
)]
fn rule(pointer: &str, kind: &ValidationErrorKind) -> Rule {
    match kind {
        ValidationErrorKind::Constant { .. } => Rule::UnknownWord,
        ValidationErrorKind::MinItems { .. }
        | ValidationErrorKind::MinLength { .. }
        | ValidationErrorKind::MinProperties { .. } => Rule::Empty,
        ValidationErrorKind::Minimum { .. } if has_floor(pointer) => Rule::BelowFloor,
        ValidationErrorKind::MaxLength { .. }
        | ValidationErrorKind::Maximum { .. }
        | ValidationErrorKind::Minimum { .. } => Rule::OutOfRange,
        ValidationErrorKind::Pattern { .. } => Rule::WrongForm,
        ValidationErrorKind::Type { .. } => Rule::WrongType,
        ValidationErrorKind::UniqueItems => Rule::NamedTwice,
        _ => Rule::OtherForm,
    }
}

/// Where one of several forms is expected: the errors of the form that was meant, or the list of forms.
fn alternatives(
    pointer: &str,
    forms: &[Vec<ValidationError<'static>>],
    schema: &Value,
    problems: &mut Vec<Problem>,
) {
    let deeper = |error: &ValidationError<'_>| {
        // A fault of the whole list, such as naming something twice, shows that a list was meant.
        let list = matches!(
            error.kind(),
            ValidationErrorKind::MinItems { .. } | ValidationErrorKind::UniqueItems
        );
        list || error.instance_path().as_str().len() > pointer.len()
    };
    if let Some(meant) = forms.iter().find(|errors| errors.iter().all(deeper)) {
        for error in meant {
            explain(error, schema, problems);
        }
        return;
    }
    let parent = pointer.rsplit_once('/').map_or("", |(parent, _)| parent);
    let words: Vec<&str> = forms.iter().flatten().flat_map(words_of).collect();
    let found =
        forms.iter().flatten().next().map(|error| shown(error.instance())).unwrap_or_default();
    let message = if last(pointer) == "countries" {
        "expected \"any\" or a list of country codes".to_owned()
    } else if last(pointer) == "noise" {
        "expected \"off\" or {\"largest\": .., \"variance\": ..}".to_owned()
    } else if last(parent) == "columns" {
        "expected \"hidden\", {\"dimension\": {..}}, {\"measure\": {..}} or {\"unit\": {..}}"
            .to_owned()
    } else {
        format!("{} is none of {}", quoted(&found), words.join(", "))
    };
    problems.push(Problem::new(Rule::UnknownWord, pointer, message).suggest(&found, words));
}

/// The words that an error would have accepted.
#[expect(clippy::wildcard_enum_match_arm, reason = "only these two keywords name words")]
fn words_of<'a>(error: &'a ValidationError<'_>) -> Vec<&'a str> {
    match error.kind() {
        ValidationErrorKind::Constant { expected_value } => {
            expected_value.as_str().into_iter().collect()
        }
        ValidationErrorKind::Enum { options } => {
            options.as_array().into_iter().flatten().filter_map(Value::as_str).collect()
        }
        _ => Vec::new(),
    }
}

/// What a pattern of the schema stands for.
fn format_name(kind: &ValidationErrorKind) -> &'static str {
    let ValidationErrorKind::Pattern { pattern } = kind else { return "a name" };
    match pattern.as_str() {
        written::COUNTRY_PATTERN => "a country code of two lower-case letters",
        written::INSTANT_PATTERN => "an instant in UTC such as 2026-01-01T00:00:00Z",
        written::SQL_NAME_PATTERN => {
            "a name of lower-case letters, digits and `_` that begins with a letter"
        }
        written::WORD_PATTERN => "a name of lower-case letters, digits, `-`, `_` and `.`",
        _ => "of the expected form",
    }
}

/// A value as it stands in the document, where it is short.
fn as_json(instance: &Value) -> String {
    match instance {
        // Already escaped.
        Value::String(_) => {
            format!("`{}`", instance.to_string().chars().take(60).collect::<String>())
        }
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) | Value::Object(_) => {
            quoted(&shown(instance))
        }
    }
}

fn last(pointer: &str) -> &str {
    pointer.rsplit_once('/').map_or("the document", |(_, last)| last)
}

fn shown(instance: &Value) -> String {
    match instance {
        Value::String(text) => text.clone(),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        Value::Bool(_) | Value::Null | Value::Number(_) => instance.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::{COMPILED, schema_text};

    #[test]
    fn the_committed_schema_is_the_generated_one() {
        let committed = include_str!("../../schema/policy.schema.json");
        assert!(
            committed == schema_text(),
            "policies/schema/policy.schema.json is not what the types say; write it with \
             `cargo run -p mayag-policies --example schema > policies/schema/policy.schema.json`:\n{}",
            schema_text()
        );
        assert!(COMPILED.is_some());
    }
}
