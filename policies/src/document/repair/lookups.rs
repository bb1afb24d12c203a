//! Repairs of the grants of lookup tables.

use super::{Repair, within};
use crate::document::problem::Problem;
use serde_json::{Map, Value, json};

/// The grants of lookup tables with harmless values in the place of faulty ones.
pub(super) fn repaired(repair: &mut Repair<'_>, document: &Value) -> Value {
    let lookups = document.get("lookups").and_then(Value::as_array).cloned().unwrap_or_default();
    lookups.iter().enumerate().map(|(i, written)| lookup(repair, i, written)).collect()
}

fn lookup(repair: &mut Repair<'_>, i: usize, written: &Value) -> Value {
    let place = format!("/lookups/{i}");
    let mut repaired = Map::new();
    let necessary = [
        ("id", json!(format!("repaired-lookup-{i}"))),
        ("why", json!("x")),
        ("table", json!(format!("repaired_{i}"))),
        ("kind", json!("person")),
        ("to", json!({ "countries": "any", "roles": ["x"] })),
        ("purposes", json!(["BORDER"])),
        ("reveals", json!([])),
    ];
    for (key, otherwise) in necessary {
        let value = repair.kept(&place, written, key).unwrap_or(otherwise);
        repaired.insert(key.to_owned(), value);
    }
    for key in ["mode", "legal_basis", "silent", "valid_until"] {
        if let Some(value) = repair.kept(&place, written, key) {
            repaired.insert(key.to_owned(), value);
        }
    }
    if let Some(limits) = written.get("limits") {
        repaired.insert("limits".to_owned(), self::limits(repair, &place, limits));
    }
    Value::Object(repaired)
}

/// A limit that cannot be read is still one.
fn limits(repair: &mut Repair<'_>, place: &str, limits: &Value) -> Value {
    let place = format!("{place}/limits");
    let mut repaired = Map::new();
    let known = limits.is_object();
    for key in ["at_once", "person", "country", "table"] {
        let given = !known || limits.get(key).is_some();
        match repair.kept(&place, limits, key) {
            Some(value) => {
                repaired.insert(key.to_owned(), value);
            }
            None if given && key != "at_once" => {
                repaired.insert(key.to_owned(), json!(1));
            }
            None => {}
        }
    }
    Value::Object(repaired)
}

/// Whether what some grant says of its table was faulty, so that grants of a table may seem not to agree.
pub(super) fn table_touched(known: &[Problem]) -> bool {
    known.iter().any(|known| {
        let key = known.pointer.split('/').nth(3);
        within(&known.pointer, "/lookups")
            && key.is_none_or(|key| {
                matches!(key, "kind" | "legal_basis" | "mode" | "reveals" | "silent" | "table")
            })
    })
}
