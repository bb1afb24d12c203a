//! Seeded rows in Parquet, and the catalogue, sources and policy over them.

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

/// Rows of one batch that is written.
const BATCH: usize = 65_536;

/// Rows of one unit on average, where units repeat.
const ROWS_PER_UNIT: u64 = 10;

/// A small generator (splitmix64, Steele, Lea and Flood 2014): the same rows on every machine.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

/// Writes `rows` rows: 12 drugs x 24 regions, ten years of days, quantities with three decimals, a unit of its own for
/// every row (`row_id`) and a unit of about ten rows (`person_id`).
pub(crate) fn write(path: &Path, rows: usize) {
    let mut random = Random(7);
    let mut writer = None;
    let mut written = 0;
    while written < rows {
        let count = BATCH.min(rows - written);
        let batch = batch(&mut random, written, count, rows);
        let writer = writer.get_or_insert_with(|| {
            let file = File::create(path).expect("a file");
            ArrowWriter::try_new(file, batch.schema(), None).expect("a Parquet writer")
        });
        writer.write(&batch).expect("rows written");
        written += count;
    }
    writer.expect("rows").close().expect("a Parquet file");
}

fn batch(random: &mut Random, first: usize, count: usize, rows: usize) -> RecordBatch {
    let draws: Vec<u64> = (0..count).map(|_| random.next()).collect();
    let text = |of: &dyn Fn(usize, u64) -> String| -> ArrayRef {
        Arc::new(StringArray::from_iter_values(
            draws.iter().enumerate().map(|(i, draw)| of(i, *draw)),
        ))
    };
    let units = (rows as u64 / ROWS_PER_UNIT).max(1);
    let quantity = draws.iter().map(|draw| i128::from(draw >> 40) % 1_000_000 + 1);
    let quantity = Decimal128Array::from_iter_values(quantity)
        .with_precision_and_scale(18, 3)
        .expect("a decimal");
    let days = draws.iter().map(|draw| 15_000 + i32::try_from((draw >> 16) % 3_650).unwrap_or(0));
    RecordBatch::try_from_iter([
        ("row_id", text(&|i, _| format!("r{:09}", first + i))),
        ("person_id", text(&|_, draw| format!("p{:08}", (draw >> 20) % units))),
        ("drug", text(&|_, draw| format!("drug-{:02}", draw % 12))),
        ("region", text(&|_, draw| format!("region-{:02}", (draw >> 8) % 24))),
        ("seized_on", Arc::new(Date32Array::from_iter_values(days)) as ArrayRef),
        ("quantity", Arc::new(quantity) as ArrayRef),
    ])
    .expect("a batch")
}

/// Two datasets over the same file: in `by_row` each row is its own unit, in `by_person` units repeat.
pub(crate) fn catalogue() -> String {
    let dataset = |name: &str, unit: &str, unique: bool| {
        format!(
            r#"{{ "name": "{name}", "about": "synthetic rows", "unit": {{ "column": "{unit}", "unique": {unique} }},
                "columns": [
                    {{ "name": "{unit}", "about": "the unit", "kind": {{ "type": "unit" }} }},
                    {{ "name": "drug", "about": "a drug", "kind": {{ "type": "category" }} }},
                    {{ "name": "region", "about": "a region", "kind": {{ "type": "category" }} }},
                    {{ "name": "seized_on", "about": "a day", "kind": {{ "type": "date" }} }},
                    {{ "name": "quantity", "about": "a mass",
                       "kind": {{ "type": "measure", "number": {{ "decimal": {{ "precision": 18, "scale": 3 }} }} }} }}
                ] }}"#
        )
    };
    let (rows, people) =
        (dataset("by_row", "row_id", true), dataset("by_person", "person_id", false));
    format!(r#"{{ "version": 1, "datasets": [{rows}, {people}] }}"#)
}

/// Both datasets for every analyst, with the default protections.
pub(crate) fn policy() -> String {
    let grant = |id: &str, dataset: &str| {
        format!(
            r#"{{ "id": "{id}", "why": "benchmark", "to": {{ "countries": "any", "roles": ["analyst"] }},
                "purposes": ["TREND"], "dataset": "{dataset}", "min_units": 10, "p_percent": 10,
                "columns": {{ "drug": {{ "dimension": {{}} }}, "region": {{ "dimension": {{}} }},
                              "quantity": {{ "measure": {{ "aggregates": ["sum"] }} }} }} }}"#
        )
    };
    let (rows, people) = (grant("rows", "by_row"), grant("people", "by_person"));
    format!(
        r#"{{ "policy": "kr", "serial": 1, "valid_from": "2020-01-01T00:00:00Z", "valid_until": "2100-01-01T00:00:00Z",
            "why": "benchmark", "grants": [{rows}, {people}] }}"#
    )
}
