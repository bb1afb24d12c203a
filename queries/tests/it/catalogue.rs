//! The catalogue of these tests: every kind of column.

use mayag_policies::catalogue::Catalogue;

const JSON: &str = r#"{"version": 1, "datasets": [
  {"name": "seizures", "about": "one seizure a row", "units":[{"column": "person_id"}], "columns": [
    {"name": "seizure_id", "about": "x", "kind": {"type": "hidden"}},
    {"name": "officer_note", "about": "x", "kind": {"type": "hidden"}},
    {"name": "person_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "region", "about": "x", "kind": {"type": "category"}},
    {"name": "substance", "about": "x", "kind": {"type": "category"}, "levels": [
      {"name": "head", "about": "x", "is": {"prefix": 2}}]},
    {"name": "route", "about": "x", "kind": {"type": "category"}, "levels": [
      {"name": "way", "about": "x", "is": {"groups": {"groups": {"water": ["sea", "river"], "land": ["rail"]}, "other": "rest"}}}]},
    {"name": "seized_on", "about": "x", "kind": {"type": "date"}},
    {"name": "hour", "about": "x", "kind": {"type": "number"}},
    {"name": "quantity_g", "about": "x", "unit": "g", "kind": {"type": "measure", "number": "float", "center": 70}, "levels": [
      {"name": "band", "about": "x", "is": {"bands": {"edges": [10, 100], "names": ["small", "middle", "large"], "lowest": -50, "highest": 250}}}]},
    {"name": "kg", "about": "x", "unit": "kg", "kind": {"type": "measure", "number": {"decimal": {"precision": 12, "scale": 3}}}},
    {"name": "items", "about": "x", "kind": {"type": "measure", "number": "integer"}}
  ]},
  {"name": "labs", "about": "one laboratory a row", "units":[{"column": "lab_id", "unique": true}], "columns": [
    {"name": "lab_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "product", "about": "x", "kind": {"type": "category"}},
    {"name": "tested", "about": "x", "kind": {"type": "category", "values": ["no", "yes"]}},
    {"name": "found_on", "about": "x", "kind": {"type": "date"}, "range": {"from": "2023-01-01", "to": "2024-12-31"}},
    {"name": "capacity", "about": "x", "kind": {"type": "measure", "number": "integer"}, "levels": [
      {"name": "band", "about": "x", "is": {"bands": {"edges": [3, 8], "names": ["0-2", "3-7", "8+"]}}}]}
  ]},
  {"name": "batches", "about": "one batch of a laboratory a row", "units":[{"column": "batch_id", "unique": true}, {"column": "lab_id"}],
   "joins": [{"with": "labs", "on": ["lab_id"]}], "columns": [
    {"name": "batch_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "lab_id", "about": "x", "kind": {"type": "unit"}},
    {"name": "product", "about": "x", "kind": {"type": "category"}},
    {"name": "kg", "about": "x", "unit": "kg", "required": true, "kind": {"type": "measure", "number": {"decimal": {"precision": 12, "scale": 3}}}, "levels": [
      {"name": "band", "about": "x", "is": {"bands": {"edges": [1, 10], "names": ["small", "middle", "large"]}}}]},
    {"name": "note", "about": "x", "kind": {"type": "hidden"}}
  ]}
]}"#;

pub(crate) fn catalogue() -> Catalogue {
    Catalogue::parse(JSON.as_bytes()).unwrap()
}

/// The same where everybody knows between which days seizures are.
pub(crate) fn with_range() -> Catalogue {
    let seized_on = r#""seized_on", "about": "x", "kind": {"type": "date"}"#;
    let range = r#", "range": {"from": "2023-06-01", "to": "2024-12-31"}"#;
    assert!(JSON.contains(seized_on));
    let json = JSON.replace(seized_on, &format!("{seized_on}{range}"));
    Catalogue::parse(json.as_bytes()).unwrap()
}
