//! From the cells of the countries that answered to one table: read, fold by role, tail.
//!
//! The arithmetic is `mayag_queries`': the desk does the same with the same signed parts and must get the same bytes.
//! What this module adds is that one country cannot spoil the table of the others, and that the tail has an end.

use crate::memory::Memory;
use crate::work;
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::datatypes::{DataType, Decimal128Type, Int64Type, Schema};
use arrow::ipc::writer::StreamWriter;
use mayag_policies::catalogue::{COUNTRY_COLUMN, Catalogue, Dataset};
use mayag_protocol::answer::{NoResult, ReleasePart};
use mayag_protocol::columns::{key_column, value_column};
use mayag_protocol::names::{Country, QuestionId};
use mayag_queries::merge::{self, MergeError};
use mayag_queries::release::Release;
use mayag_queries::tail::{Tail, TailError};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// The most countries that can answer: their codes have two letters.
const MOST_COUNTRIES: i64 = 26 * 26;

/// The largest whole number one country may send: [`MOST_COUNTRIES`] of them still add up inside 64 bits, so that no
/// country can make the sum of the others overflow.
const LARGEST_INTEGER: i64 = i64::MAX / MOST_COUNTRIES;

/// As [`LARGEST_INTEGER`], for the 38 digits of a decimal.
const LARGEST_DECIMAL: i128 = (10_i128.pow(38) - 1) / MOST_COUNTRIES_WIDE;
const MOST_COUNTRIES_WIDE: i128 = 26 * 26;

/// Copies of all cells that folding makes beside the parts: all of them in one batch, the folded cells, their types of the
/// tail.
const FOLD_COPIES: usize = 3;

/// What every country was asked for, planned from the signed SQL.
#[derive(Debug)]
pub(crate) struct Cut {
    releases: Vec<Release>,
    catalogue: Arc<Catalogue>,
}

/// The cells of one country for one release. Only [`Cut::read`] makes one.
#[derive(Debug, Clone)]
pub(crate) struct Part(merge::Part);

/// The parts of one country, in the order of the releases.
pub(crate) type Parts = Vec<Part>;

/// What the schema metadata of a result says.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    /// The question.
    pub(crate) question: QuestionId,
    /// How many countries answered.
    pub(crate) answered: usize,
    /// How many countries were asked.
    pub(crate) asked: usize,
}

/// What making a table may take.
#[derive(Debug)]
pub(crate) struct TableLimits<'a> {
    /// How many are made at once.
    pub(crate) places: &'a Arc<Semaphore>,
    /// The question's memory.
    pub(crate) memory: &'a Arc<Memory>,
    /// How long it may take.
    pub(crate) time: Duration,
}

/// A result: an Arrow IPC stream, the same bytes for the same cells.
#[derive(Debug)]
pub(crate) struct Table {
    /// The stream.
    pub(crate) bytes: Vec<u8>,
    /// Rows in it.
    pub(crate) rows: usize,
}

/// Why there is no result although countries answered. Names no value and quotes no engine.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TableFault {
    /// The folding broke.
    #[error("folding failed: {0}")]
    Fold(#[from] MergeError),
    /// The gateway's memory is taken by other questions.
    #[error("no memory left for the merge")]
    NoMemory,
    /// Something panicked or could not be written.
    #[error("the work broke")]
    Panicked,
    /// The tail gave no result.
    #[error("tail failed: {0}")]
    Tail(#[from] TailError),
    /// The tail took too long.
    #[error("the tail was not done in time")]
    TooLong,
    /// As many tails as are allowed are running.
    #[error("too many tails are running")]
    TooMany,
}

impl Part {
    /// The memory its cells take.
    fn bytes(&self) -> usize {
        self.0.cells.get_array_memory_size()
    }
}

impl TableFault {
    /// The word that the caller is told; the fault itself is for the operator.
    pub(crate) fn word(&self) -> NoResult {
        match self {
            Self::Fold(error) => TailError::Cells(error.clone()).no_result(),
            Self::Tail(error) => error.no_result(),
            Self::Panicked => NoResult::Failed,
            Self::TooLong => NoResult::TooSlow,
            Self::NoMemory | Self::TooMany => NoResult::TooBusy,
        }
    }
}

impl Cut {
    pub(crate) fn new(releases: Vec<Release>, catalogue: Arc<Catalogue>) -> Self {
        Self { releases, catalogue }
    }

    /// How many releases there are.
    pub(crate) fn releases(&self) -> usize {
        self.releases.len()
    }

    /// Reads the cells that `country` sent for the release of this number. `None` if they are not what it signed or not
    /// what they should be: other columns, other statuses, other cells listed than it says, the name of another country
    /// in a key, or numbers that could spoil a sum.
    pub(crate) fn read(
        &self,
        release: usize,
        country: &Country,
        bytes: &[u8],
        signed: &ReleasePart,
    ) -> Option<Part> {
        let release = self.releases.get(release)?;
        let dataset = self.dataset(release).ok()?;
        let cells = merge::read_part(release, &dataset, bytes).ok()?;
        let part = merge::Part { country: country.clone(), listed: signed.listed, cells };
        let sound = part.cells.num_rows() as u64 == signed.cells
            && merge::check_listed(release, &dataset, &part).is_ok()
            && own_keys(release, country, &part.cells)
            && addable(release, &part.cells);
        sound.then_some(Part(part))
    }

    /// Folds the parts of the countries that answered into the tables that the tail reads, one per release.
    fn fold(&self, answered: &[Parts]) -> Result<Vec<RecordBatch>, MergeError> {
        let folded = self.releases.iter().enumerate().map(|(i, release)| {
            let dataset = self.dataset(release)?;
            let parts: Vec<merge::Part> = answered
                .iter()
                .filter_map(|parts| parts.get(i))
                .map(|part| part.0.clone())
                .collect();
            merge::fold(release, &dataset, &parts)
        });
        folded.collect()
    }

    fn dataset(&self, release: &Release) -> Result<Cow<'_, Dataset>, MergeError> {
        release.dataset_in(&self.catalogue).ok_or(MergeError::Release)
    }
}

/// Whether every key that names a country names the country the part came from.
fn own_keys(release: &Release, country: &Country, batch: &RecordBatch) -> bool {
    let implied =
        release.keys.iter().enumerate().filter(|(_, key)| key.column.as_str() == COUNTRY_COLUMN);
    implied.into_iter().all(|(i, _)| {
        let names =
            batch.column_by_name(&key_column(i)).and_then(|names| names.as_string_opt::<i32>());
        names.is_some_and(|names| names.iter().all(|name| name == Some(country.as_str())))
    })
}

/// Whether every number can be added to those of all other countries.
fn addable(release: &Release, batch: &RecordBatch) -> bool {
    (0..release.wire.len()).filter_map(|i| batch.column_by_name(&value_column(i))).all(|values| {
        if let Some(integers) = values.as_primitive_opt::<Int64Type>() {
            integers
                .iter()
                .flatten()
                .all(|value| (-LARGEST_INTEGER..=LARGEST_INTEGER).contains(&value))
        } else if let Some(decimals) = values.as_primitive_opt::<Decimal128Type>() {
            decimals
                .iter()
                .flatten()
                .all(|value| (-LARGEST_DECIMAL..=LARGEST_DECIMAL).contains(&value))
        } else {
            // Floats that leave their range become infinite and stay visible; texts and dates are not added.
            !matches!(values.data_type(), DataType::Null)
        }
    })
}

/// Folds and runs the tail, at most for `limits.time`. A tail that is given up stops at its next pause, and keeps its
/// place and its memory until then: those that outlive their time do not pile up.
pub(crate) async fn table(
    cut: Arc<Cut>,
    tail: Tail,
    answered: Vec<Parts>,
    label: Label,
    limits: TableLimits<'_>,
) -> Result<Table, TableFault> {
    let place = Arc::clone(limits.places).try_acquire_owned().map_err(|_| TableFault::TooMany)?;
    let cells: usize = answered.iter().flatten().map(Part::bytes).sum();
    let held =
        limits.memory.hold(cells.saturating_mul(FOLD_COPIES)).map_err(|_| TableFault::NoMemory)?;
    // Shared by everything that may go on when nobody waits for it any more.
    let taken = Arc::new((place, held));
    let work = async {
        let mine = Arc::clone(&taken);
        let folded = work::blocking(move || {
            let _mine = mine;
            cut.fold(&answered)
        });
        let folded = folded.await.map_err(|_| TableFault::Panicked)??;
        let undecided = if tail.undecidable() {
            Some(tail.undecided_keeping(folded.clone(), Arc::clone(&taken)).await?)
        } else {
            None
        };
        let batch = tail.run_keeping(folded, Arc::clone(&taken)).await?;
        let mine = Arc::clone(&taken);
        let table = work::blocking(move || {
            let _mine = mine;
            write(&batch, &label, undecided)
        });
        table.await.ok().flatten().ok_or(TableFault::Panicked)
    };
    timeout(limits.time, work).await.unwrap_or(Err(TableFault::TooLong))
}

/// `undecided` counts the rows in doubt: a withheld cell would have decided, or a partial one has, whether they are there.
fn write(batch: &RecordBatch, label: &Label, undecided: Option<u64>) -> Option<Table> {
    let words = [
        ("mayag.question", label.question.to_string()),
        ("mayag.answered", label.answered.to_string()),
        ("mayag.asked", label.asked.to_string()),
    ];
    let words =
        words.into_iter().chain(undecided.map(|rows| ("mayag.undecided", rows.to_string())));
    let metadata: HashMap<String, String> =
        words.map(|(key, value)| (key.to_owned(), value)).collect();
    let schema = Arc::new(Schema::new_with_metadata(batch.schema().fields().clone(), metadata));
    let labelled = batch.clone().with_schema(Arc::clone(&schema)).ok()?;
    let mut bytes = Vec::new();
    let mut writer = StreamWriter::try_new(&mut bytes, &schema).ok()?;
    writer.write(&labelled).ok()?;
    writer.finish().ok()?;
    drop(writer);
    Some(Table { bytes, rows: labelled.num_rows() })
}
