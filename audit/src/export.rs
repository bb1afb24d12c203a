//! Entries for other programs: lines of JSON that hold the bytes which were hashed, and CEF for an alarm system.
//!
//! CEF names no person, no case and no question, not even by pseudonym or digest: an alarm system is read by more people
//! than a log. Whoever may know more finds the entry by its log and index.

use crate::entry::{Entry, Type};
use crate::records::Located;
use crate::search::{Found, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mayag_protocol::names::{DatasetName, Digest, LogOrigin};
use serde::Serialize;
use std::fmt::Write as _;

#[derive(Serialize)]
struct Line<'a> {
    log: &'a LogOrigin,
    index: u64,
    /// The bytes as they were logged, in base64: `leaf_hash` is the SHA-256 of a zero byte and these.
    leaf: String,
    leaf_hash: Digest,
    entry: &'a Entry,
}

/// One line of JSON without its end; `None` if it cannot be written down.
pub fn jsonl(located: &Located<'_>) -> Option<String> {
    let line = Line {
        log: located.log.origin(),
        index: located.index,
        leaf: STANDARD.encode(located.bytes),
        leaf_hash: digest(located.hash),
        entry: &located.entry,
    };
    serde_json::to_string(&line).ok()
}

/// One line of JSON for an entry that was found.
pub fn found_json(found: &Found) -> Option<String> {
    serde_json::to_string(found).ok()
}

/// One line of the Common Event Format, version 0, without its end.
pub fn cef(located: &Located<'_>) -> String {
    let entry = &located.entry;
    let kind = entry.kind.as_str();
    let mut line = format!(
        "CEF:0|mayag|mayag|{}|{}|{}|{}|",
        header(env!("CARGO_PKG_VERSION")),
        header(kind),
        header(name(entry.kind)),
        severity(entry.kind)
    );
    let mut pairs: Vec<(&str, String)> = vec![
        ("rt", entry.at.millis().to_string()),
        ("dvchost", located.log.party().to_owned()),
        ("cs1Label", "log".to_owned()),
        ("cs1", located.log.origin().to_string()),
        ("cn1Label", "index".to_owned()),
        ("cn1", located.index.to_string()),
        ("cs2Label", "leafHash".to_owned()),
        ("cs2", digest(located.hash).to_string()),
    ];
    let mut labelled = |key: (&'static str, &'static str), label: &str, value: Option<String>| {
        if let Some(value) = value {
            pairs.extend([(key.1, label.to_owned()), (key.0, value)]);
        }
    };
    let datasets: Vec<&str> = entry.datasets.iter().map(DatasetName::as_str).collect();
    let datasets = (!datasets.is_empty()).then(|| datasets.join(","));
    let purpose = entry.purpose.map(|purpose| purpose.as_str().to_owned());
    labelled(("cs3", "cs3Label"), "purpose", purpose);
    labelled(("cs4", "cs4Label"), "datasets", datasets);
    labelled(("cs5", "cs5Label"), "rule", entry.rule.clone());
    labelled(("cs6", "cs6Label"), "recipient", entry.recipient.as_ref().map(ToString::to_string));
    labelled(("cn2", "cn2Label"), "cells", entry.cells.map(|cells| cells.to_string()));
    pairs.extend(entry.decision.clone().map(|decision| ("reason", decision)));
    pairs.extend(entry.result.map(|result| ("outcome", result.as_str().to_owned())));
    let mut between = "";
    for (key, value) in pairs {
        // Writing into a string does not fail.
        let _written = write!(line, "{between}{key}={}", extension(&value));
        between = " ";
    }
    line
}

/// A field of the header: `\` and `|` are escaped, and there is no way to write a line break.
fn header(text: &str) -> String {
    text.replace('\\', "\\\\").replace('|', "\\|").replace(['\n', '\r'], " ")
}

/// A value of the extension: `\` and `=` are escaped, line breaks are written as `\n` and `\r`.
fn extension(text: &str) -> String {
    text.replace('\\', "\\\\").replace('=', "\\=").replace('\n', "\\n").replace('\r', "\\r")
}

fn name(kind: Type) -> &'static str {
    match kind {
        Type::Abandoned => "Question abandoned",
        Type::Admitted => "Question admitted",
        Type::Answered => "Question answered",
        Type::Configuration => "Configuration changed",
        Type::Continued => "Log continued",
        Type::FailedAuthentication => "Authentication failed",
        Type::Key => "Key changed",
        Type::LogRead => "Log read",
        Type::Opened => "Program started",
        Type::Policy => "Policy changed",
        Type::Received => "Question received",
        Type::Redaction => "Details erased",
        Type::Refused => "Question refused",
        Type::Released => "Answer released",
        Type::Roster => "Roster changed",
    }
}

/// From 0 to 10: 3 what is every day's work, 5 what somebody should have expected, 7 what somebody should look at.
fn severity(kind: Type) -> u8 {
    match kind {
        Type::Admitted | Type::Answered | Type::Received | Type::Released => 3,
        Type::Abandoned | Type::Continued | Type::LogRead | Type::Opened | Type::Refused => 5,
        Type::Configuration
        | Type::FailedAuthentication
        | Type::Key
        | Type::Policy
        | Type::Redaction
        | Type::Roster => 7,
    }
}

#[cfg(test)]
mod tests {
    use super::{cef, header, jsonl};
    use crate::entry::{Entry, Type};
    use crate::records::read;
    use crate::records::written::{KR, Written, about, digest};
    use crate::tree::leaf_hash;
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use mayag_protocol::names::Digest;

    fn lines(entry: &Entry) -> (String, String) {
        let mut log = Written::new(KR);
        log.push(entry);
        let log = log.published();
        let mut lines = None;
        read(&log, &log.against(), &mut |located| {
            lines = Some((jsonl(&located).unwrap(), cef(&located)));
        })
        .unwrap();
        lines.unwrap()
    }

    #[test]
    fn a_line_of_json_holds_the_bytes_that_were_hashed() {
        let entry = about(Type::Answered, 0, 1);
        let value: serde_json::Value = serde_json::from_str(&lines(&entry).0).unwrap();
        let leaf = STANDARD.decode(value["leaf"].as_str().unwrap()).unwrap();
        assert_eq!(Entry::parse(&leaf).unwrap(), entry);
        assert_eq!(value["leaf_hash"], Digest::from(leaf_hash(&leaf)).as_str());
        assert_eq!(
            (&value["index"], &value["log"], &value["entry"]["type"]),
            (&0.into(), &KR.into(), &"answered".into())
        );
    }

    #[test]
    fn cef_escapes_what_it_must_and_names_nobody() {
        let entry = Entry {
            decision: Some("a=b\\c\nd|e\r".to_owned()),
            rule: Some("g1".to_owned()),
            cells: Some(4),
            case: Some(digest("case")),
            ..about(Type::Refused, 0, 1)
        };
        let line = lines(&entry).1;
        let leaf = leaf_hash(&entry.to_bytes().unwrap());
        assert_eq!(
            line,
            format!(
                "CEF:0|mayag|mayag|{}|refused|Question refused|5|rt=1795867200000 dvchost=node-kr.demo cs1Label=log cs1={KR} cn1Label=index cn1=0 cs2Label=leafHash cs2={} cs3Label=purpose cs3=TREND cs5Label=rule cs5=g1 cn2Label=cells cn2=4 reason=a\\=b\\\\c\\nd|e\\r",
                env!("CARGO_PKG_VERSION"),
                Digest::from(leaf)
            )
        );
        for identifier in [digest("ana"), digest("case"), digest("question 1")] {
            assert!(!line.contains(identifier.as_str()));
        }
        assert!(!line.contains(&"01".repeat(16)) && !line.contains(entry.blind.as_str()));
        assert_eq!(header("a|b\\c\nd"), "a\\|b\\\\c d");
    }
}
