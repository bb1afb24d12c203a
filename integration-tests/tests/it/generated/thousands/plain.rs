//! Plain `DataFusion`, with nothing of the product in it: over the union of some countries' rows, and over cells.

use super::super::catalogues::Setting;
use super::super::checks::{Folded, alike, day};
use super::super::grammar::{Aggregate, CELLS, Meaning};
use arrow::array::{ArrayRef, Date32Array, Float64Array, Int64Array, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use datafusion::prelude::{SessionConfig, SessionContext};
use mayag_integration_tests::attacks::fixture::Row;
use mayag_integration_tests::attacks::said::{Cells, Value, cells};
use std::sync::Arc;

/// Plain tables.
pub(super) struct Plain {
    table: &'static str,
    rows: Vec<Row>,
}

/// What plain SQL finds.
pub(super) struct Expected {
    /// The rows, all of them where the question asks for so many of the first ones.
    pub(super) found: Cells,
    /// Whether the answer has to have all of it. Otherwise cells are withheld, and only rows of the answer that say all
    /// they were asked have to be among the rows found.
    pub(super) all: bool,
    /// How many of the rows the question asks for, which are then ordered by `v0`, the largest first.
    pub(super) limit: Option<usize>,
}

impl Plain {
    pub(super) fn new(setting: &Setting, rows: &[Row]) -> Self {
        Self { table: setting.table.name, rows: rows.to_vec() }
    }

    /// The question over the rows of these countries.
    pub(super) async fn over_rows(&self, countries: &[&str], sql: &str) -> Cells {
        let in_them =
            |row: &&Row| countries.iter().any(|one| row.country.eq_ignore_ascii_case(one));
        let rows: Vec<&Row> = self.rows.iter().filter(in_them).collect();
        run(self.table, batch(&rows), sql).await
    }

    /// What is computed above a release over its cells.
    pub(super) async fn over_cells(&self, meaning: &Meaning, folded: &Folded, sql: &str) -> Cells {
        let mut columns: Vec<(String, ArrayRef)> = Vec::new();
        for i in 0..meaning.keys.len() {
            let texts = folded.keys().map(|key| (key[i] != "null").then_some(key[i].as_str()));
            columns.push((format!("k{i}"), Arc::new(texts.collect::<StringArray>())));
        }
        for (i, (aggregate, _)) in meaning.measures.iter().enumerate() {
            let values = folded.values().map(|measures| measures[i]);
            let column: ArrayRef = match aggregate {
                Aggregate::Avg | Aggregate::Sum => Arc::new(values.collect::<Float64Array>()),
                #[expect(clippy::cast_possible_truncation, reason = "counts")]
                Aggregate::Rows | Aggregate::Units => {
                    Arc::new(values.map(|value| value.map(|v| v as i64)).collect::<Int64Array>())
                }
            };
            columns.push((format!("v{i}"), column));
        }
        let columns = columns.into_iter().map(|(name, column)| (name, column, true));
        run(CELLS, RecordBatch::try_from_iter_with_nullable(columns).unwrap(), sql).await
    }
}

async fn run(table: &str, batch: RecordBatch, sql: &str) -> Cells {
    let context = SessionContext::new_with_config(SessionConfig::new().with_target_partitions(1));
    context.register_batch(table, batch).unwrap();
    let frame = context.sql(sql).await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let schema = Arc::new(frame.schema().as_arrow().clone());
    let batches = frame.collect().await.unwrap_or_else(|error| panic!("{sql}\n{error}"));
    let schema = batches.first().map_or(schema, RecordBatch::schema);
    cells(&concat_batches(&schema, &batches).unwrap(), Vec::new())
}

fn batch(rows: &[&Row]) -> RecordBatch {
    let texts = |of: fn(&Row) -> Option<String>| -> ArrayRef {
        Arc::new(rows.iter().map(|row| of(row)).collect::<StringArray>())
    };
    let days: Date32Array = rows.iter().map(|row| i32::try_from(row.day).ok()).collect();
    let grams: Float64Array = rows.iter().map(|row| Some(row.grams)).collect();
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("person_id", texts(|row| Some(row.person.clone()))),
        ("country", texts(|row| Some(row.country.to_lowercase()))),
        ("seized_on", Arc::new(days)),
        ("region", texts(|row| Some(row.region.to_owned()))),
        ("substance", texts(|row| Some(row.substance.to_owned()))),
        ("form", texts(|row| Some(row.form.to_owned()))),
        ("quantity_g", Arc::new(grams)),
        ("route", texts(|row| Some(row.route.to_owned()))),
        ("concealment", texts(|row| Some(row.concealment.to_owned()))),
        ("precursor_cas", texts(|row| row.precursor.map(str::to_owned))),
    ];
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    RecordBatch::try_from_iter_with_nullable(columns).unwrap()
}

impl Expected {
    /// Compares the first columns of an answer, which are those that were asked for, with what was found.
    pub(super) fn compare(&self, answer: &Cells, visible: usize, told: &str) {
        let Self { found, all, limit } = self;
        assert_eq!(answer.columns[..visible], found.columns[..], "{told}");
        let mut left: Vec<&Vec<Value>> = found.rows.iter().collect();
        for row in &answer.rows {
            let row = &row[..visible];
            if !all && says_nothing_somewhere(row, answer) {
                continue;
            }
            let at = left.iter().position(|other| same(row, other));
            let at = at.unwrap_or_else(|| panic!("{told}{row:?} is not in {:?}", found.rows));
            left.swap_remove(at);
        }
        match limit {
            // Of equal ones it is open which come first: their values are compared.
            Some(limit) if *all => {
                assert_eq!(answer.rows.len(), found.rows.len().min(*limit), "{told}");
                let at = found.columns.iter().position(|name| name == "v0").unwrap();
                let pairs = answer.rows.iter().zip(&found.rows);
                let wrong = pairs.into_iter().any(|(a, b)| !alike(a[at].number(), b[at].number()));
                assert!(!wrong, "{told}{:?} instead of {:?}", answer.rows, found.rows);
            }
            Some(limit) => assert!(answer.rows.len() <= *limit, "{told}"),
            None => assert!(!all || left.is_empty(), "{told}not in the answer: {left:?}"),
        }
    }
}

fn says_nothing_somewhere(row: &[Value], answer: &Cells) -> bool {
    row.iter().enumerate().any(|(i, value)| *value == Value::Null && !answer.keys.contains(&i))
}

fn same(a: &[Value], b: &[Value]) -> bool {
    let pairs = a.iter().zip(b);
    pairs.into_iter().all(|(a, b)| match (a.number(), b.number()) {
        (None, None) => day(&a.text()) == day(&b.text()),
        (a, b) => alike(a, b),
    })
}
