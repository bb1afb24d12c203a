//! Seeded synthetic incidents as Parquet: the same rows in every run, written once.

use arrow::array::{ArrayRef, Date32Array, Decimal128Array, RecordBatch, StringArray};
use parquet::arrow::ArrowWriter;
use std::error::Error;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Files that the rows are spread over.
const FILES: usize = 4;

/// Rows written at once.
const BATCH: usize = 50_000;

/// Rows that share a person, on average.
const ROWS_PER_PERSON: u64 = 5;

/// Changes with everything below: data of another generation are not used again.
const GENERATION: u32 = 2;

const DRUGS: [&str; 12] = [
    "methamphetamine",
    "cocaine",
    "heroin",
    "fentanyl",
    "mdma",
    "ketamine",
    "cannabis",
    "captagon",
    "lsd",
    "ghb",
    "tramadol",
    "nitazenes",
];
const ROUTES: [&str; 5] = ["sea", "air", "road", "mail", "rail"];
const MARKINGS: [&str; 4] = ["h0", "h1", "h2", "h3"];

/// The catalogue: the same table as `incidents`, where every row is its own unit, and as `contacts`, where persons are
/// the units.
pub(crate) const CATALOGUE: &str = r#"{"version":1,"datasets":[
{"name":"incidents","about":"synthetic incidents","units":[{"column":"incident_id","unique":true}],"columns":[
 {"name":"incident_id","about":"row","kind":{"type":"unit"}},
 {"name":"drug","about":"drug","kind":{"type":"category"}},
 {"name":"route","about":"route","kind":{"type":"category"}},
 {"name":"marking","about":"handling code","kind":{"type":"category"}},
 {"name":"seized_on","about":"day","kind":{"type":"date"}},
 {"name":"quantity","about":"kilograms","kind":{"type":"measure","number":{"decimal":{"precision":18,"scale":4}}}}]},
{"name":"contacts","about":"the same by person","units":[{"column":"person_id"}],"columns":[
 {"name":"person_id","about":"person","kind":{"type":"unit"}},
 {"name":"drug","about":"drug","kind":{"type":"category"}},
 {"name":"route","about":"route","kind":{"type":"category"}},
 {"name":"marking","about":"handling code","kind":{"type":"category"}},
 {"name":"seized_on","about":"day","kind":{"type":"date"}},
 {"name":"quantity","about":"kilograms","kind":{"type":"measure","number":{"decimal":{"precision":18,"scale":4}}}}]}]}"#;

/// Shares both datasets, but no row marked `h3`, under the default protections.
pub(crate) const POLICY: &str = r#"{"policy":"xx","serial":1,"valid_from":"2020-01-01T00:00:00Z","valid_until":"2100-01-01T00:00:00Z",
"why":"benchmark","grants":[
{"id":"incidents","why":"benchmark","to":{"countries":"any","roles":["analyst"]},"purposes":["TREND"],"dataset":"incidents",
 "min_units":10,"p_percent":10,"rows":[{"column":"marking","is":"in","values":["h0","h1","h2"]}],
 "columns":{"drug":{"dimension":{}},"route":{"dimension":{}},"seized_on":{"dimension":{"finest":"month"}},
  "quantity":{"measure":{"aggregates":["sum"]}}}},
{"id":"contacts","why":"benchmark","to":{"countries":"any","roles":["analyst"]},"purposes":["TREND"],"dataset":"contacts",
 "min_units":10,"p_percent":10,"rows":[{"column":"marking","is":"in","values":["h0","h1","h2"]}],
 "columns":{"drug":{"dimension":{}},"route":{"dimension":{}},"seized_on":{"dimension":{"finest":"month"}},
  "quantity":{"measure":{"aggregates":["sum"]}}}}]}"#;

/// A small generator of numbers.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 20) % limit
    }

    fn of<'a>(&mut self, words: &[&'a str]) -> &'a str {
        // Squared: the first words are the frequent ones.
        let words_count = words.len() as u64;
        let at = self.below(words_count) * self.below(words_count + 1) / words_count;
        usize::try_from(at).ok().and_then(|at| words.get(at)).copied().unwrap_or_default()
    }

    /// Kilograms in ten-thousandths: most are small, one in a million is a shipload that dominates its cell.
    fn quantity(&mut self) -> i128 {
        let tail = if self.below(1_000_000) == 0 { 10_000_000_000 } else { 1 };
        i128::from(1 + self.below(100_000)) * (1 + i128::from(self.below(64) == 0) * 30) * tail
    }
}

/// The folder of the data; written now unless it is there.
pub(crate) fn folder(root: &Path, rows: usize) -> Result<PathBuf, Box<dyn Error>> {
    let folder = root.join(format!("spine-{rows}-{GENERATION}"));
    if folder.is_dir() {
        return Ok(folder);
    }
    let unfinished = root.join(format!("spine-{rows}-{GENERATION}.unfinished"));
    if unfinished.is_dir() {
        fs::remove_dir_all(&unfinished)?;
    }
    fs::create_dir_all(&unfinished)?;
    let mut dice = Dice(0x5eed);
    for file in 0..FILES {
        let (from, to) = (rows * file / FILES, rows * (file + 1) / FILES);
        let mut writer: Option<ArrowWriter<File>> = None;
        let mut at = from;
        while at < to {
            let next = (at + BATCH).min(to);
            let batch = batch(&mut dice, at..next, rows as u64)?;
            if writer.is_none() {
                let file = File::create(unfinished.join(format!("{file}.parquet")))?;
                writer = Some(ArrowWriter::try_new(file, batch.schema(), None)?);
            }
            if let Some(writer) = &mut writer {
                writer.write(&batch)?;
            }
            at = next;
        }
        if let Some(writer) = writer {
            writer.close()?;
        }
    }
    fs::rename(&unfinished, &folder)?;
    Ok(folder)
}

fn batch(
    dice: &mut Dice,
    range: std::ops::Range<usize>,
    rows: u64,
) -> Result<RecordBatch, Box<dyn Error>> {
    let persons = (rows / ROWS_PER_PERSON).max(1);
    let mut words = |words: &[&'static str]| -> ArrayRef {
        Arc::new(range.clone().map(|_| Some(dice.of(words))).collect::<StringArray>())
    };
    let (drug, route, marking) = (words(&DRUGS), words(&ROUTES), words(&MARKINGS));
    let incident: StringArray =
        range.clone().map(|row| Some(format!("incident-{row:010}"))).collect();
    let person: StringArray =
        range.clone().map(|_| Some(format!("person-{:09}", dice.below(persons)))).collect();
    // Five years from 2020-01-01.
    let day: Date32Array =
        range.clone().map(|_| i32::try_from(18_262 + dice.below(1_826)).ok()).collect();
    let quantity: Decimal128Array = range.map(|_| Some(dice.quantity())).collect();
    Ok(RecordBatch::try_from_iter(vec![
        ("incident_id", Arc::new(incident) as ArrayRef),
        ("person_id", Arc::new(person)),
        ("drug", drug),
        ("route", route),
        ("marking", marking),
        ("seized_on", Arc::new(day)),
        ("quantity", Arc::new(quantity.with_precision_and_scale(18, 4)?)),
    ])?)
}
