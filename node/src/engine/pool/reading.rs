//! Reading the rows of a lookup table: a worker process of its own, so that questions never wait for it.

use super::super::failure::WorkFailure;
use super::super::frame::{FrameError, Reply, Request, request};
use super::super::identifiers::{IdentifierQuery, from_bytes};
use super::super::sources::SourceProblem;
use super::{PoolError, Worker, WorkerPool};
use arrow::array::RecordBatch;
use std::time::Duration;
use tokio::time::timeout;

/// The longest wait for the next portion: a sort of everything may come before the first.
const PORTION: Duration = Duration::from_mins(10);

/// A worker that reads one lookup table. Dropped, it is killed.
#[derive(Debug)]
pub struct Reading {
    worker: Worker,
    query: IdentifierQuery,
}

/// Why rows were not read. Holds no value of any.
#[derive(Debug, thiserror::Error)]
pub enum Unread {
    /// Reading failed.
    #[error(transparent)]
    Failed(#[from] WorkFailure),
    /// No worker could be started.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The query is wrong.
    #[error(transparent)]
    Query(SourceProblem),
}

impl WorkerPool {
    /// Starts a worker for this query alone, besides those of the pool.
    pub async fn reading(&self, query: IdentifierQuery) -> Result<Reading, Unread> {
        let worker = Worker::start(&self.shared.settings, &self.shared.begin).await?;
        Ok(Reading { worker, query })
    }
}

impl Reading {
    /// The categories of the table, one text a row, in no order.
    pub async fn categories(&mut self) -> Result<RecordBatch, Unread> {
        self.send(&Request::Categories { query: self.query.clone() }).await?;
        self.next().await?.ok_or(Unread::Failed(WorkFailure::Broken))
    }

    /// Asks for all rows; they come from [`Reading::next`].
    pub async fn begin(&mut self) -> Result<(), Unread> {
        self.send(&Request::Identifiers { query: self.query.clone() }).await
    }

    /// The next rows, each column a text; `None` at the end.
    pub async fn next(&mut self) -> Result<Option<RecordBatch>, Unread> {
        let reply = timeout(PORTION, Reply::read(&mut self.worker.output)).await;
        match reply.map_err(|_| WorkFailure::TimedOut)?.map_err(broken)? {
            Reply::Portion(bytes) => Ok(Some(from_bytes(&bytes)?)),
            Reply::End => Ok(None),
            Reply::Failed(failure) => Err(failure.into()),
            Reply::Problem(problem) => Err(Unread::Query(problem)),
            Reply::Cells(_) | Reply::Checked(_) | Reply::Ready => Err(WorkFailure::Broken.into()),
        }
    }

    async fn send(&mut self, message: &Request) -> Result<(), Unread> {
        let frame = request(message).map_err(broken)?;
        Ok(self.worker.send(&frame).await.map_err(broken)?)
    }
}

fn broken(_: FrameError) -> WorkFailure {
    WorkFailure::Broken
}
