//! Tests of `mayag policy check`.

use super::{CheckArgs, Format, drawable, run};
use crate::exit::Exit;
use crate::printer::{Terminals, recorded};
use mayag_transport::files::{self, Mode};
use serde_json::Value;

const WEAK: &str = r#"{
  "policy": "kr", "serial": 1,
  "valid_from": "2026-01-01T00:00:00Z",
  "valid_until": "2999-01-01T00:00:00Z",
  "why": "x",
  "grants": [{
    "id": "drugs", "why": "x", "to": { "countries": "any", "roles": ["analyst"] },
    "purposes": ["TREND"], "dataset": "seizures",
    "columns": { "drug": { "dimension": {} } },
    "min_units": 6
  }]
}
"#;

/// Exit and output for a file with this text.
#[expect(clippy::fn_params_excessive_bools, reason = "the flag as it is typed")]
fn checked(text: &[u8], format: Format, strict: bool) -> (Exit, String) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("policy.json");
    files::replace(&file, text, Mode::Public).unwrap();
    let (mut printer, out, _) = recorded::printer(Terminals::Neither);
    let args = CheckArgs { file: file.clone(), catalogue: None, format, strict };
    let exit = run(&args, &mut printer);
    (exit, out.text().replace(&file.display().to_string(), "policy.json"))
}

#[test]
fn people_see_the_line_and_what_to_do() {
    let (exit, text) = checked(b"{\n  \"polcy\": \"kr\"\n}\n", Format::Human, false);
    assert_eq!(exit, Exit::Error);
    for part in [
        "POL-1101 unknown-key at /polcy",
        "`polcy` is not known here",
        "policy.json:2:3",
        "did you mean `policy`?",
        "errors: no node takes this file\n",
    ] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
}

#[test]
fn advice_ends_with_0_unless_it_is_taken_seriously() {
    let (exit, text) = checked(WEAK.as_bytes(), Format::Human, false);
    assert_eq!(exit, Exit::Complete, "{text}");
    assert!(text.contains("POL-3003 at-the-floor at /grants/0/min_units"), "{text}");
    assert!(text.contains("policy of `kr`, serial 1, sha256 "), "{text}");
    assert!(text.ends_with(", 1 warning\n"), "{text}");
    assert_eq!(checked(WEAK.as_bytes(), Format::Human, true).0, Exit::Error);
    let sound = WEAK.replace("\"min_units\": 6", "\"min_units\": 10");
    let (exit, text) = checked(sound.as_bytes(), Format::Human, true);
    assert_eq!((exit, text.lines().count()), (Exit::Complete, 1), "{text}");
}

#[test]
fn programs_get_json_and_sarif() {
    let (exit, text) = checked(WEAK.as_bytes(), Format::Json, true);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((exit, &found["warnings"], &found["errors"]), (Exit::Error, &1.into(), &0.into()));
    assert_eq!(found["problems"][0]["line"], 10);

    let (_, text) = checked(WEAK.as_bytes(), Format::Sarif, false);
    let found: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(found["runs"][0]["results"][0]["ruleId"], "POL-3003");
    assert_eq!(found["runs"][0]["results"][0]["level"], "warning");
}

#[test]
fn a_file_that_is_missing_is_wrong_usage() {
    let (mut printer, _, _) = recorded::printer(Terminals::Neither);
    let file = tempfile::tempdir().unwrap().path().join("missing.json");
    let args = CheckArgs { file, catalogue: None, format: Format::Human, strict: false };
    assert_eq!(run(&args, &mut printer), Exit::Usage);
}

#[test]
fn what_a_terminal_would_act_on_is_not_drawn() {
    assert_eq!(drawable("a\u{1b}[2J\u{9b}\u{202e}\tb\n".as_bytes()), "a?[2J????? b\n");
    assert_eq!(drawable(b"\xffx"), "?x");
    let (_, text) = checked("{\n  \"pol\u{1b}[2Jcy\": 1\n}".as_bytes(), Format::Human, false);
    assert!(!text.contains('\u{1b}'), "{text}");
}
