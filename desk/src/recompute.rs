//! The merge, computed again from the signed parts: a gateway that folds wrongly is caught, whatever it signed.

use crate::fault::{Fault, VerificationFailed};
use crate::table::{Column, Table};
use crate::verify::CountryAnswer;
use arrow::array::AsArray as _;
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, UInt8Type};
use arrow::ipc::reader::StreamReader;
use arrow::record_batch::RecordBatch;
use mayag_policies::catalogue::{COUNTRY_COLUMN, Catalogue, Dataset};
use mayag_protocol::answer::{Decision, Listed, NoResult, ReleasePart};
use mayag_protocol::columns::{CellStatus, key_column, status_column};
use mayag_protocol::names::Country;
use mayag_queries::merge::{self, Part};
use mayag_queries::release::Release;
use mayag_queries::tail::{Tail, TailError};
use mayag_queries::{Plan, plan};
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::task::JoinSet;

/// Why there is no table.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum RecomputeError {
    /// Countries answered, and the gateway could not make a table of their cells.
    #[error("no table: {}", .0.as_str())]
    NoTable(NoResult),
    /// The tail fails on these answers.
    #[error(transparent)]
    Tail(#[from] TailError),
    /// No thread or no memory to compute with.
    #[error("no resources")]
    NoResources,
    /// The gateway's table is not what the signed parts give, or the parts are not what the question needs.
    #[error(transparent)]
    Verification(#[from] VerificationFailed),
}

/// What the gateway made of the cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Made {
    /// Nothing, because no country answered.
    Nothing,
    /// No table, and why.
    NoTable(NoResult),
    /// A table.
    Table(Vec<u8>),
}

/// The table that the signed parts give, if it is the one that the gateway sent. Works on a thread of its own: planning
/// and folding are bounded work, but not for the thread that reads connections.
pub(crate) async fn compare(
    sql: &str,
    catalogue: &Arc<Catalogue>,
    countries: Vec<CountryAnswer>,
    sent: Made,
) -> Result<Option<Table>, RecomputeError> {
    let (sql, catalogue) = (sql.to_owned(), Arc::clone(catalogue));
    let mut one = JoinSet::new();
    one.spawn_blocking(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build();
        let runtime = runtime.map_err(|_| RecomputeError::NoResources)?;
        runtime.block_on(compare_here(&sql, &catalogue, &countries, sent))
    });
    one.join_next().await.and_then(Result::ok).unwrap_or(Err(RecomputeError::NoResources))
}

async fn compare_here(
    sql: &str,
    catalogue: &Catalogue,
    countries: &[CountryAnswer],
    sent: Made,
) -> Result<Option<Table>, RecomputeError> {
    let answered: Vec<&CountryAnswer> =
        countries.iter().filter(|country| country.outcome.answered()).collect();
    if answered.is_empty() {
        // A table out of nothing is a forgery.
        return if sent == Made::Nothing { Ok(None) } else { Err(wrong_result()) };
    }
    // Whoever answers a question that this desk cannot plan answers another question.
    let Plan { releases, tail } =
        plan(sql, catalogue).map_err(|_| VerificationFailed::gateway(Fault::Plan))?;
    if let Some(other) = answered.iter().find(|country| country.parts.len() != releases.len()) {
        return Err(VerificationFailed::of(&other.country, Fault::Cells).into());
    }
    let folded = fold(&releases, catalogue, &answered)?;
    let own = tail.run(folded.clone()).await;
    let (own, sent) = match (own, sent) {
        (Ok(own), Made::Table(sent)) => (own, sent),
        // What follows from the cells alone must be found here too; whoever says otherwise made it up.
        (Ok(_), Made::NoTable(why)) if why.follows_from_cells() => return Err(wrong_result()),
        (Err(error), Made::Table(_)) if error.no_result().follows_from_cells() => {
            return Err(wrong_result());
        }
        (Ok(_), Made::NoTable(why)) => return Err(RecomputeError::NoTable(why)),
        (Err(error), Made::NoTable(_) | Made::Table(_)) => return Err(error.into()),
        (_, Made::Nothing) => return Err(wrong_result()),
    };
    // A reader of foreign bytes must not take the desk with it.
    let sent =
        catch_unwind(AssertUnwindSafe(|| decode(&sent))).ok().flatten().ok_or_else(wrong_result)?;
    if sent.schema().fields() != own.schema().fields() || sent.columns() != own.columns() {
        return Err(wrong_result());
    }
    let undecided = if tail.undecidable() { tail.undecided(folded).await? } else { 0 };
    Ok(Some(table(own, &tail, undecided)))
}

fn wrong_result() -> RecomputeError {
    VerificationFailed::gateway(Fault::Result).into()
}

/// The input of the tail: for every release, the cells of all countries that answered, folded.
fn fold(
    releases: &[Release],
    catalogue: &Catalogue,
    answered: &[&CountryAnswer],
) -> Result<Vec<RecordBatch>, RecomputeError> {
    let mut folded = Vec::with_capacity(releases.len());
    for (i, release) in releases.iter().enumerate() {
        let dataset = release.dataset_in(catalogue).ok_or(TailError::Failed)?;
        let mut parts = Vec::with_capacity(answered.len());
        for country in answered {
            let part = part(release, &dataset, country, i)
                .ok_or_else(|| VerificationFailed::of(&country.country, Fault::Cells))?;
            parts.push(part);
        }
        folded.push(merge::fold(release, &dataset, &parts).map_err(TailError::Cells)?);
    }
    Ok(folded)
}

/// The cells of one country for one release, if they are what it signed and what the release needs.
fn part(release: &Release, dataset: &Dataset, country: &CountryAnswer, i: usize) -> Option<Part> {
    let signed = signed_part(country, i)?;
    let cells = merge::read_part(release, dataset, country.parts.get(i)?).ok()?;
    let rows = u64::try_from(cells.num_rows()).ok()?;
    let withheld = signed.listed == Listed::Shown || withholds(release, &cells)?;
    let part = Part { country: country.country.clone(), listed: signed.listed, cells };
    let sound = rows == signed.cells
        && withheld == signed.suppressed
        && merge::check_listed(release, dataset, &part).is_ok()
        && own_keys(release, &country.country, &part.cells);
    sound.then_some(part)
}

fn signed_part(country: &CountryAnswer, i: usize) -> Option<&ReleasePart> {
    match &country.answer.as_ref()?.decision {
        Decision::Answered { releases } => releases.get(i),
        Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    }
}

/// Whether any cell is withheld.
fn withholds(release: &Release, cells: &RecordBatch) -> Option<bool> {
    let mut any = false;
    for i in 0..release.wire.len() {
        let statuses = cells.column_by_name(&status_column(i))?.as_primitive_opt::<UInt8Type>()?;
        any |= statuses.iter().any(|status| status == Some(CellStatus::Suppressed.byte()));
    }
    Some(any)
}

/// Whether every key that names a country names the country the part came from.
fn own_keys(release: &Release, country: &Country, cells: &RecordBatch) -> bool {
    let of_country =
        release.keys.iter().enumerate().filter(|(_, key)| key.column.as_str() == COUNTRY_COLUMN);
    of_country.into_iter().all(|(i, _)| {
        let names =
            cells.column_by_name(&key_column(i)).and_then(|names| names.as_string_opt::<i32>());
        names.is_some_and(|names| names.iter().all(|name| name == Some(country.as_str())))
    })
}

fn decode(bytes: &[u8]) -> Option<RecordBatch> {
    let reader = StreamReader::try_new(Cursor::new(bytes), None).ok()?;
    let schema = reader.schema();
    let batches: Vec<RecordBatch> = reader.collect::<Result<_, _>>().ok()?;
    concat_batches(&schema, &batches).ok()
}

/// Where the values of each column are, and where their statuses and deviations: behind all values, in the order of their
/// columns, a deviation behind its status.
fn table(batch: RecordBatch, tail: &Tail, undecided: u64) -> Table {
    let mut next = tail.columns.len();
    let mut columns = Vec::with_capacity(tail.columns.len());
    for (value, column) in tail.columns.iter().enumerate() {
        let status = column.status.then_some(next);
        next += usize::from(column.status);
        let deviation = (column.status && is_deviation(&batch, next, &column.name)).then_some(next);
        next += usize::from(deviation.is_some());
        columns.push(Column {
            name: column.name.clone(),
            value,
            status,
            deviation,
            unit: column.unit.clone(),
        });
    }
    Table { batch, columns, undecided }
}

/// Whether the column at this place, behind the values, is the deviation of the column of this name.
fn is_deviation(batch: &RecordBatch, at: usize, name: &str) -> bool {
    let schema = batch.schema();
    schema.fields().get(at).is_some_and(|field| {
        *field.data_type() == DataType::Float64 && field.name().strip_suffix("_sd") == Some(name)
    })
}

#[cfg(test)]
mod tests;
