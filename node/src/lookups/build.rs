//! Building an index: rows are read in a worker process and hashed on threads of their own, portion by portion.
//!
//! Of a table the node holds a few portions of rows at a time, and what is secret of the index until it is sealed. Nothing here
//! waits on questions, and no question waits for it but for processor time.

use super::rows::{Categories, RowReader, Tally, legend};
use super::terms::Terms;
use crate::engine::WorkFailure;
use crate::engine::identifiers::IdentifierQuery;
use crate::engine::pool::{Unread, WorkerPool};
use arrow::array::RecordBatch;
use mayag_audit::keys::{RandomError, random_secret};
use mayag_matching::declared::{self, Table};
use mayag_matching::index::{Builder, Index, IndexError, Row};
use mayag_matching::scope::Scope;
use mayag_matching::voprf::SecretKey;
use mayag_protocol::lookup::{Legend, Mode};
use std::num::NonZero;
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Portions that wait to be hashed.
const WAITING: usize = 2;

/// Rows between two lines in the operator's log.
const PROGRESS: u64 = 1_000_000;

/// What is to be built.
pub(crate) struct Order {
    pub(crate) terms: Terms,
    /// The epochs, each with its key.
    pub(crate) keys: Vec<(Scope, Arc<SecretKey>)>,
    pub(crate) cores: NonZero<usize>,
    /// The node's secret, for contacts.
    pub(crate) secret: crate::secret::Secret,
}

/// What was built.
#[derive(Debug)]
pub(crate) struct Built {
    /// One for each epoch of the order, in its order.
    pub(crate) indices: Vec<Index>,
    /// Of a declared table.
    pub(crate) declared: Option<Table>,
    pub(crate) categories: Vec<Legend>,
    pub(crate) tally: Tally,
}

/// Why nothing was built. Holds no value of any row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unbuilt {
    #[error(transparent)]
    Categories(#[from] Categories),
    #[error("it was given up before the last row")]
    GivenUp,
    #[error(
        "{} of {} rows would be left out ({_0}), and nobody could find them: are `label`, the qualifier and the policy's kind right?",
        _0.left_out,
        _0.rows
    )]
    Hopeless(Tally),
    #[error(transparent)]
    Index(#[from] IndexError),
    #[error(transparent)]
    Random(#[from] RandomError),
    #[error(
        "{0} rows are silent, which only a declared table can have, and only where its policy says `\"silent\": \"allowed\"`"
    )]
    Silent(u64),
    #[error(transparent)]
    Unread(#[from] Unread),
}

/// Builds one table for all epochs of the order, from one reading of its rows. Dropped, it ends at the next portion.
pub(crate) async fn build(pool: &WorkerPool, order: Order) -> Result<Built, Unbuilt> {
    let (table, sql) = (order.terms.table.clone(), order.terms.sql.clone());
    let mut reading = pool.reading(IdentifierQuery { table, sql }).await?;
    let categories = if order.terms.reveals.category {
        legend(&reading.categories().await?)?
    } else {
        Vec::new()
    };
    reading.begin().await?;
    let (send, portions) = mpsc::channel(WAITING);
    let mut hashing = JoinSet::new();
    hashing.spawn_blocking(move || hash(&order, categories, portions));
    // The end is a message of its own: a reader that went away must not look like the last row.
    loop {
        let portion = reading.next().await?;
        let last = portion.is_none();
        if send.send(portion).await.is_err() || last {
            break;
        }
    }
    drop(send);
    let hashed = hashing.join_next().await.and_then(Result::ok);
    hashed.unwrap_or_else(|| Err(Unbuilt::Unread(WorkFailure::Broken.into())))
}

fn hash(
    order: &Order,
    categories: Vec<Legend>,
    mut portions: mpsc::Receiver<Option<RecordBatch>>,
) -> Result<Built, Unbuilt> {
    let Order { terms, keys, cores, secret } = order;
    let of_rows = (terms.kind, terms.rules.clone(), terms.label);
    let (reveals, legend) = (terms.reveals, categories.clone());
    let mut rows = RowReader::new(&terms.table, of_rows, reveals, legend, secret.bytes())?;
    let builders = keys.iter().map(|(scope, key)| Builder::new(key, scope, *cores));
    let mut builders = builders.collect::<Result<Vec<_>, _>>()?;
    let mut declared = match terms.mode {
        Mode::Blinded => None,
        Mode::Declared => Some(declared::Builder::new(&random_secret()?)),
    };
    let mut told = 0;
    loop {
        let portion = portions.blocking_recv().ok_or(Unbuilt::GivenUp)?;
        let Some(portion) = portion else { break };
        rows.read(&portion, |input, record| {
            for builder in &mut builders {
                builder.push(Row { input: input.clone(), reference: record.reference });
            }
            if let Some(builder) = &mut declared {
                builder.push(input, record);
            }
        })?;
        // Shown, they would be told; left out, they would be denied. Neither is for the node to decide.
        if rows.tally().silent > 0 && !terms.silent {
            return Err(Unbuilt::Silent(rows.tally().silent));
        }
        let read = rows.tally().rows;
        if read / PROGRESS > told {
            told = read / PROGRESS;
            tracing::info!(table = %terms.table, rows = read, "building a lookup table");
        }
    }
    if rows.tally().is_hopeless() {
        return Err(Unbuilt::Hopeless(rows.tally().clone()));
    }
    let indices = builders.into_iter().map(Builder::finish).collect::<Result<Vec<_>, _>>()?;
    let declared = declared.map(|builder| builder.finish(&terms.rules));
    Ok(Built { indices, declared, categories, tally: rows.tally().clone() })
}
