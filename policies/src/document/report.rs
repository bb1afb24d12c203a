//! Problems for programs: as JSON, and as SARIF for code review systems.

use crate::document::problem::Problem;
use crate::document::rule::{Rule, Severity};
use serde_json::{Value, json};

/// Where the format of SARIF is described.
const SARIF: &str = "https://json.schemastore.org/sarif-2.1.0.json";

/// The problems of the document in `file`, as one JSON object on several lines.
pub fn json(file: &str, problems: &[Problem]) -> String {
    let listed: Vec<Value> = problems
        .iter()
        .map(|problem| {
            json!({
                "code": problem.rule.code(),
                "name": problem.rule.name(),
                "severity": problem.severity().as_str(),
                "pointer": problem.pointer,
                "line": problem.position.map(|position| position.line),
                "column": problem.position.map(|position| position.column),
                "offset": problem.span.as_ref().map(|span| span.start),
                "length": problem.span.as_ref().map(|span| span.end - span.start),
                "message": problem.message,
                "help": problem.help,
            })
        })
        .collect();
    let count = |severity| problems.iter().filter(|problem| problem.severity() == severity).count();
    written(&json!({
        "file": file,
        "errors": count(Severity::Error),
        "warnings": count(Severity::Warning),
        "problems": listed,
    }))
}

/// The problems of the document in `file`, which holds `text`, as a SARIF 2.1.0 log of one run of `tool`.
pub fn sarif(tool: &str, version: &str, file: &str, text: &[u8], problems: &[Problem]) -> String {
    let rules: Vec<Value> = Rule::ALL
        .iter()
        .map(|rule| {
            json!({
                "id": rule.code(),
                "name": rule.name(),
                "shortDescription": { "text": rule.about() },
                "defaultConfiguration": { "level": rule.severity().as_str() },
            })
        })
        .collect();
    let results: Vec<Value> = problems.iter().map(|problem| result(file, text, problem)).collect();
    let driver = json!({ "name": tool, "semanticVersion": version, "rules": rules });
    written(&json!({
        "$schema": SARIF,
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": driver },
            "columnKind": "unicodeCodePoints",
            "results": results,
        }],
    }))
}

fn result(file: &str, text: &[u8], problem: &Problem) -> Value {
    let region = problem.span.as_ref().map(|span| {
        let (start_line, start_column) = place(text, span.start);
        let (end_line, end_column) = place(text, span.end);
        json!({
            "startLine": start_line,
            "startColumn": start_column,
            "endLine": end_line,
            "endColumn": end_column,
        })
    });
    let artifact = json!({ "uri": uri(file) });
    let physical = match region {
        Some(region) => json!({ "artifactLocation": artifact, "region": region }),
        None => json!({ "artifactLocation": artifact }),
    };
    let location = json!({
        "physicalLocation": physical,
        "logicalLocations": [{ "fullyQualifiedName": problem.pointer }],
    });
    let message = match &problem.help {
        Some(help) => format!("{} ({help})", problem.message),
        None => problem.message.clone(),
    };
    let index = Rule::ALL.iter().position(|rule| *rule == problem.rule);
    json!({
        "ruleId": problem.rule.code(),
        "ruleIndex": index,
        "level": problem.severity().as_str(),
        "message": { "text": message },
        "locations": [location],
    })
}

/// Line and column of a byte, from 1; columns count characters.
fn place(text: &[u8], offset: u32) -> (usize, usize) {
    let before = usize::try_from(offset).ok().and_then(|offset| text.get(..offset)).unwrap_or(text);
    let line = before.split(|byte| *byte == b'\n').count();
    let start = before.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    // Every character of UTF-8 has exactly one byte that continues none.
    let characters = before.iter().skip(start).filter(|byte| **byte & 0xc0 != 0x80).count();
    (line, characters + 1)
}

/// A file name as a relative or absolute reference: every byte that URIs do not allow in paths is escaped.
fn uri(file: &str) -> String {
    file.bytes().fold(String::new(), |uri, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            uri + char::from(byte).encode_utf8(&mut [0; 4])
        } else {
            uri + &format!("%{byte:02X}")
        }
    })
}

fn written(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}
