//! The worker processes of a node: started, asked, killed, replaced.
//!
//! One request has one worker for itself. At the deadline, and when the caller goes away, the worker is killed
//! (`SIGKILL`: some operators of the engine never yield) and another is started in its place.

use super::cells::{Atoms, Home, RawCells};
use super::check::Finding;
use super::execute::Work;
use super::failure::WorkFailure;
use super::frame::{Begin, FrameError, Reply, Request, Setup, request};
use super::sources::{Limits, SourceProblem};
use super::worker::PROCESSOR_SECONDS;
use crate::secret::Secret;
use mayag_disclosure::Unprotected;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::Predicate;
use mayag_protocol::names::Country;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::{Mutex, mpsc};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout, timeout_at};

mod reading;

pub use super::execute::Work as Job;
pub use reading::{Reading, Unread};

/// How long a worker may take to open its sources.
const START: Duration = Duration::from_mins(1);

/// How long the check of all data may take.
const CHECK: Duration = Duration::from_hours(1);

/// How long the pool waits before it starts a worker again that did not start.
const AGAIN: Duration = Duration::from_millis(500);

/// What a pool is made of.
#[derive(Debug, Clone)]
pub struct PoolSettings {
    /// The program.
    pub program: PathBuf,
    /// Its arguments: `worker` for the product's own binary.
    pub arguments: Vec<String>,
    /// The folder in which workers run.
    pub folder: PathBuf,
    /// How many workers.
    pub workers: usize,
    /// Processor cores of each.
    pub cores: usize,
    /// Bytes of each engine's memory pool.
    pub memory: u64,
    /// Rows that one release may read.
    pub scan_rows: u64,
    /// Cells that one release may have. One with more has keys that identify rows: it is withheld altogether.
    pub cells: usize,
    /// The node's secret for everything about units.
    pub secret: Secret,
}

/// Why a node has no workers.
#[derive(Debug, thiserror::Error)]
pub enum PoolError {
    /// The data are not what the catalogue says.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Data(Vec<Finding>),
    /// A worker ended or answered something else.
    #[error(
        "the worker process did not answer: is it the same version of the program, and is there memory enough?"
    )]
    NoAnswer,
    /// The sources or views are wrong.
    #[error(transparent)]
    Sources(#[from] SourceProblem),
    /// The program could not be started.
    #[error("starting a worker process: {0}")]
    Start(#[source] std::io::Error),
}

/// A number of worker processes. Dropped, it kills them.
#[derive(Debug)]
pub struct WorkerPool {
    shared: Arc<Shared>,
    _keeper: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    settings: PoolSettings,
    begin: Vec<u8>,
    catalogue: Catalogue,
    country: Country,
    /// Workers that wait for work.
    idle: Mutex<mpsc::UnboundedReceiver<Worker>>,
    give_back: mpsc::UnboundedSender<Worker>,
    /// One message for each worker that must be replaced.
    lost: mpsc::UnboundedSender<()>,
}

impl WorkerPool {
    /// Starts the workers and waits until each has opened the sources.
    pub async fn start(settings: PoolSettings, setup: Setup) -> Result<Self, PoolError> {
        let PoolSettings { workers, cores, memory, scan_rows, cells, .. } = settings;
        let (catalogue, country) = (setup.catalogue.clone(), setup.country.clone());
        let secret = settings.secret.clone();
        let begin = Begin { limits: Limits { cores, memory, scan_rows, cells }, secret, setup };
        let begin = request(&begin).map_err(|_| PoolError::NoAnswer)?;
        let (give_back, idle) = mpsc::unbounded_channel();
        let (lost, must_replace) = mpsc::unbounded_channel();
        let idle = Mutex::new(idle);
        let shared = Shared { settings, begin, catalogue, country, idle, give_back, lost };
        let shared = Arc::new(shared);
        for _ in 0..workers.max(1) {
            let worker = Worker::start(&shared.settings, &shared.begin).await?;
            // The receiver is in the same value: it cannot be gone.
            let _sent = shared.give_back.send(worker);
        }
        let mut keeper = JoinSet::new();
        keeper.spawn(keep(Arc::clone(&shared), must_replace));
        Ok(Self { shared, _keeper: keeper })
    }

    /// Checks that the data are what the catalogue says, and returns what the operator should know all the same. O(rows).
    pub async fn check(&self) -> Result<Vec<Finding>, PoolError> {
        match self.ask(&Request::Check {}, Instant::now() + CHECK).await {
            Ok(Reply::Checked(findings)) if findings.iter().all(Finding::is_bearable) => {
                Ok(findings)
            }
            Ok(Reply::Checked(findings)) => Err(PoolError::Data(findings)),
            Ok(
                Reply::Cells(_)
                | Reply::End
                | Reply::Failed(_)
                | Reply::Portion(_)
                | Reply::Problem(_)
                | Reply::Ready,
            )
            | Err(_) => Err(PoolError::NoAnswer),
        }
    }

    /// Works on a release until the deadline. Dropping the future kills the worker.
    pub async fn run(
        &self,
        job: Work,
        deadline: Instant,
    ) -> Result<Unprotected<RawCells>, WorkFailure> {
        let cells = match self.cells(&job, &job, deadline).await {
            // What leaves is what would leave if it had found nothing: to fail would say that there is a lot.
            Err(WorkFailure::TooFine) => {
                let nothing = Work { rows: Predicate::Any(Vec::new()), ..job.clone() };
                tracing::info!(dataset = %job.release.dataset, "more cells than are judged: all is withheld");
                self.cells(&nothing, &job, deadline).await
            }
            cells => cells,
        };
        cells.map(Unprotected::new)
    }

    /// The combinations of keys that a release finds, which say nothing but which other cells overlap.
    pub async fn atoms(&self, job: Work, deadline: Instant) -> Result<Atoms, WorkFailure> {
        let levels = job.release.keys.clone();
        match self.cells(&job, &job, deadline).await {
            Ok(cells) => Ok(cells.into_atoms(levels)),
            // So many that no worker can list them: to fail would say so.
            Err(WorkFailure::Memory | WorkFailure::TooFine) => Ok(Atoms::too_many()),
            Err(failure) => Err(failure),
        }
    }

    /// Has `asked` worked on, and takes what comes for the cells of `job`.
    async fn cells(
        &self,
        asked: &Work,
        job: &Work,
        deadline: Instant,
    ) -> Result<RawCells, WorkFailure> {
        let dataset = job.release.dataset_in(&self.shared.catalogue).ok_or(WorkFailure::Broken)?;
        match self.ask(&Request::work(asked), deadline).await? {
            Reply::Cells(bytes) => {
                let home = Home { country: &self.shared.country, dataset: &dataset };
                RawCells::from_ipc(&bytes, job, home)
            }
            Reply::Failed(failure) => Err(failure),
            Reply::Checked(_)
            | Reply::End
            | Reply::Portion(_)
            | Reply::Problem(_)
            | Reply::Ready => Err(WorkFailure::Broken),
        }
    }

    /// The process ids of the workers that wait for work, for operators and tests.
    pub async fn idle_processes(&self) -> Vec<u32> {
        let mut idle = self.shared.idle.lock().await;
        let mut waiting = Vec::new();
        while let Ok(worker) = idle.try_recv() {
            waiting.push(worker);
        }
        let processes = waiting.iter().filter_map(|worker| worker.child.id()).collect();
        for worker in waiting {
            self.shared.return_worker(worker);
        }
        processes
    }

    async fn ask(&self, message: &Request, deadline: Instant) -> Result<Reply, WorkFailure> {
        let frame = request(message).map_err(|_| WorkFailure::Broken)?;
        let mut lease = timeout_at(deadline, Lease::take(&self.shared))
            .await
            .map_err(|_| WorkFailure::TimedOut)??;
        let began = Instant::now();
        let reply =
            timeout_at(deadline, lease.ask(&frame)).await.map_err(|_| WorkFailure::TimedOut)?;
        let reply = reply.map_err(|_| WorkFailure::Broken)?;
        // A worker that ran out of memory keeps what its allocator holds: a new one starts clean.
        if !matches!(reply, Reply::Failed(WorkFailure::Memory)) {
            lease.give_back(began.elapsed());
        }
        Ok(reply)
    }
}

impl Shared {
    fn return_worker(&self, worker: Worker) {
        // The receiver lives as long as this value.
        let _sent = self.give_back.send(worker);
    }
}

/// Starts a worker for each that is lost.
async fn keep(shared: Arc<Shared>, mut lost: mpsc::UnboundedReceiver<()>) {
    while lost.recv().await.is_some() {
        loop {
            match Worker::start(&shared.settings, &shared.begin).await {
                Ok(worker) => break shared.return_worker(worker),
                Err(error) => {
                    tracing::warn!(%error, "worker not replaced yet");
                    sleep(AGAIN).await;
                }
            }
        }
    }
}

/// A worker process and its pipes. Dropped, it is killed.
#[derive(Debug)]
struct Worker {
    child: Child,
    input: ChildStdin,
    output: ChildStdout,
    /// How long it has worked.
    busy: Duration,
}

impl Worker {
    async fn start(settings: &PoolSettings, begin: &[u8]) -> Result<Self, PoolError> {
        let mut child = Command::new(&settings.program)
            .args(&settings.arguments)
            .env_clear()
            .current_dir(&settings.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(PoolError::Start)?;
        let (input, output) =
            child.stdin.take().zip(child.stdout.take()).ok_or(PoolError::NoAnswer)?;
        let mut worker = Self { child, input, output, busy: Duration::ZERO };
        match timeout(START, worker.ask(begin)).await {
            Ok(Ok(Reply::Ready)) => Ok(worker),
            Ok(Ok(Reply::Problem(problem))) => Err(problem.into()),
            Ok(
                Ok(
                    Reply::Cells(_)
                    | Reply::Checked(_)
                    | Reply::End
                    | Reply::Failed(_)
                    | Reply::Portion(_),
                )
                | Err(_),
            )
            | Err(_) => Err(PoolError::NoAnswer),
        }
    }

    async fn ask(&mut self, frame: &[u8]) -> Result<Reply, FrameError> {
        self.send(frame).await?;
        Reply::read(&mut self.output).await
    }

    async fn send(&mut self, frame: &[u8]) -> Result<(), FrameError> {
        self.input.write_all(frame).await?;
        Ok(self.input.flush().await?)
    }
}

/// A worker for one request. Dropped before [`Lease::give_back`], it is killed and replaced.
struct Lease<'a> {
    shared: &'a Shared,
    worker: Option<Worker>,
}

impl<'a> Lease<'a> {
    /// The next worker that is alive.
    async fn take(shared: &'a Shared) -> Result<Self, WorkFailure> {
        loop {
            let worker = shared.idle.lock().await.recv().await.ok_or(WorkFailure::Broken)?;
            let mut lease = Self { shared, worker: Some(worker) };
            // One that ended while it waited is replaced by dropping its lease.
            if lease
                .worker
                .as_mut()
                .is_some_and(|worker| matches!(worker.child.try_wait(), Ok(None)))
            {
                return Ok(lease);
            }
        }
    }

    async fn ask(&mut self, frame: &[u8]) -> Result<Reply, FrameError> {
        self.worker.as_mut().ok_or(FrameError::Nonsense)?.ask(frame).await
    }

    /// The worker may work again, unless it has come near the processor time of its life.
    fn give_back(mut self, took: Duration) {
        let Some(mut worker) = self.worker.take() else { return };
        worker.busy += took;
        let cores = u64::try_from(self.shared.settings.cores.max(1)).unwrap_or(u64::MAX);
        if worker.busy.as_secs().saturating_mul(cores) < PROCESSOR_SECONDS / 2 {
            self.shared.return_worker(worker);
        } else {
            self.worker = Some(worker);
        }
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if self.worker.take().is_some() {
            // Without a keeper there is no pool any more, and nothing to replace.
            let _sent = self.shared.lost.send(());
        }
    }
}
