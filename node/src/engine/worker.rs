//! The program inside a worker process: `mayag worker`, started by a node and by nobody else.
//!
//! It limits itself before it reads anything, learns its sources from the first frame on standard input, and then answers
//! one request at a time on standard output. It holds no key but the secret behind noise, which is
//! about the rows that it holds anyway, and opens no socket. It writes nothing to standard error:
//! what the engine says of its errors quotes row values. When standard input ends, the node is gone and so is the worker,
//! whatever it is doing.

use super::check::check;
use super::execute::{Work, execute};
use super::failure::WorkFailure;
use super::frame::{Begin, FrameError, Reply, Request, read_request};
use super::identifiers;
use super::sources::{Datasets, Limits};
use crate::secret::Secret;
use arrow::ipc::writer::StreamWriter;
use rustix::process::{Resource, Rlimit, setrlimit};
use std::io::{self, Write};
use std::process::ExitCode;
use tokio::sync::mpsc;

/// Files that a worker has open at once: a few for each partition, and its pipes.
const OPEN_FILES: u64 = 256;

/// Processor seconds of a worker's whole life. A pool replaces its workers long before they reach it.
pub(super) const PROCESSOR_SECONDS: u64 = 3_600;

/// Address space besides twice the memory pool: the program itself, stacks, the allocator's arenas, file buffers, and
/// what the engine allocates beside its pool.
const ADDRESS_SPACE: u64 = 2 * 1024 * 1024 * 1024;

/// Stack of the engine's threads. Expressions are built as balanced trees, so this is ample.
const STACK: usize = 8 * 1024 * 1024;

/// Why a worker ends early. Nobody reads it: the exit code says all.
enum Ended {
    /// The pipes are broken or carry nonsense.
    Pipe,
    /// A limit could not be set, or threads not be started.
    System,
}

/// Runs a worker until its standard input ends.
pub fn worker_main() -> ExitCode {
    std::panic::set_hook(Box::new(|_| {}));
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(Ended::Pipe | Ended::System) => ExitCode::FAILURE,
    }
}

fn serve() -> Result<(), Ended> {
    limit(Resource::Core, 0)?;
    limit(Resource::Fsize, 0)?;
    limit(Resource::Nofile, OPEN_FILES)?;
    let Some(begin) = read_request(&mut io::stdin().lock())? else { return Ok(()) };
    let begin: Begin = serde_json::from_slice(&begin).map_err(|_| Ended::Pipe)?;
    limit(Resource::As, begin.limits.memory.saturating_mul(2).saturating_add(ADDRESS_SPACE))?;
    limit(Resource::Cpu, PROCESSOR_SECONDS)?;

    let (send, requests) = mpsc::channel(1);
    std::thread::Builder::new()
        .name("requests".to_owned())
        .spawn(move || read_on(&send))
        .map_err(|_| Ended::System)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(begin.limits.cores.max(1))
        .max_blocking_threads(begin.limits.cores.max(1) * 2)
        .thread_stack_size(STACK)
        .enable_time()
        .build()
        .map_err(|_| Ended::System)?;
    let ended = runtime.block_on(answer(begin, requests));
    // Work that is still running ends with the process.
    runtime.shutdown_background();
    ended
}

/// The soft limit and the hard limit: nothing in this process can raise it again.
fn limit(resource: Resource, value: u64) -> Result<(), Ended> {
    setrlimit(resource, Rlimit { current: Some(value), maximum: Some(value) })
        .map_err(|_| Ended::System)
}

/// Reads requests until the pipe ends; then the channel closes.
fn read_on(send: &mpsc::Sender<Vec<u8>>) {
    let mut input = io::stdin().lock();
    while let Ok(Some(request)) = read_request(&mut input) {
        if send.blocking_send(request).is_err() {
            return;
        }
    }
}

async fn answer(begin: Begin, mut requests: mpsc::Receiver<Vec<u8>>) -> Result<(), Ended> {
    let Begin { limits, secret, setup } = begin;
    let datasets =
        match Datasets::open(&setup.sources, &setup.catalogue, &setup.country, limits).await {
            Ok(datasets) => datasets,
            Err(problem) => return write(&Reply::Problem(problem)),
        };
    write(&Reply::Ready)?;
    while let Some(request) = requests.recv().await {
        let Ok(request) = serde_json::from_slice::<Request>(&request) else {
            // Written by the node itself, and yet not to be read: the question fails, and nobody else's.
            write(&Reply::Failed(WorkFailure::Broken))?;
            continue;
        };
        tokio::select! {
            reply = reply(&datasets, limits, &secret, request) => write(&reply?)?,
            // A node sends nothing while it waits: the pipe has ended.
            _ = requests.recv() => return Err(Ended::Pipe),
        }
    }
    Ok(())
}

/// The last reply to a request. What comes in portions is written on the way.
async fn reply(
    datasets: &Datasets,
    limits: Limits,
    secret: &Secret,
    request: Request,
) -> Result<Reply, Ended> {
    match request {
        Request::Categories { query } => query.categories(datasets).await.or_else(unread),
        Request::Check {} => Ok(Reply::Checked(check(datasets).await)),
        Request::Identifiers { query } => query.rows(datasets, send).await.or_else(unread),
        Request::Work { release, rows, joined_rows, asks, bounds } => {
            let work = Request::asked(release, (rows, joined_rows), &asks, bounds);
            let worked = work_on(datasets, limits, secret, &work).await;
            Ok(worked.map_or_else(Reply::Failed, Reply::Cells))
        }
    }
}

async fn work_on(
    datasets: &Datasets,
    limits: Limits,
    secret: &Secret,
    work: &Work,
) -> Result<Vec<u8>, WorkFailure> {
    let batch = execute(datasets, work, limits, secret).await?;
    let mut bytes = Vec::new();
    let mut write = || {
        let mut writer = StreamWriter::try_new(&mut bytes, &batch.schema())?;
        writer.write(&batch)?;
        writer.finish()
    };
    write().map_err(|_: arrow::error::ArrowError| WorkFailure::Memory)?;
    Ok(bytes)
}

fn write(reply: &Reply) -> Result<(), Ended> {
    // More cells than a frame holds.
    let frame = reply.frame().or_else(|_| Reply::Failed(WorkFailure::TooFine).frame())?;
    send_frame(&frame).map_err(|_| Ended::Pipe)
}

/// Writes one portion of several.
fn send(reply: &Reply) -> Result<(), FrameError> {
    Ok(send_frame(&reply.frame()?)?)
}

fn send_frame(frame: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(frame).and_then(|()| output.flush())
}

/// What is told of rows that were not read.
fn unread(ended: identifiers::Ended) -> Result<Reply, Ended> {
    match ended {
        identifiers::Ended::Failed(failure) => Ok(Reply::Failed(failure)),
        identifiers::Ended::Gone(error) => Err(error.into()),
        identifiers::Ended::Problem(problem) => Ok(Reply::Problem(problem)),
    }
}

impl From<FrameError> for Ended {
    fn from(_: FrameError) -> Self {
        Self::Pipe
    }
}
