//! One node over many rows: a grouped aggregate with policy and protection, against bare DataFusion with the same SQL
//! over the same file.
//!
//! The node's side is everything between the signed SQL and the bytes that are signed: planning, the decision, a worker
//! process, protection, Arrow IPC. The peer's side is `SessionContext::sql` and `collect`. Both use the same number of
//! partitions, the same memory pool and batch size, and are built in the same profile; runs alternate.

use crate::compare::{PAIRS, line, median, timed};
use crate::data;
use datafusion::execution::memory_pool::FairSpillPool;
use datafusion::execution::runtime_env::RuntimeEnvBuilder;
use datafusion::prelude::{ParquetReadOptions, SessionConfig, SessionContext};
use mayag_disclosure::{Protections, protect};
use mayag_node::engine::frame::Setup;
use mayag_node::engine::pool::{Job, PoolSettings, WorkerPool};
use mayag_node::engine::sources::{Format, Source, SourcesConfig, View};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Subject, decide};
use mayag_policies::document::Policy;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

const CORES: usize = 2;
const MEMORY: usize = 2 << 30;

const BY_ROW: &str =
    "SELECT drug, region, count(*) AS n, sum(quantity) AS q FROM by_row GROUP BY drug, region";
const BY_PERSON: &str =
    "SELECT drug, region, count(*) AS n, sum(quantity) AS q FROM by_person GROUP BY drug, region";

/// What protection needs to know of each cell, in SQL: distinct units and the two largest contributions of a unit.
const DISTINCT: &str = "
WITH contributions AS (
  SELECT drug, region, person_id, count(*) AS n, sum(quantity) AS q FROM by_person GROUP BY drug, region, person_id
), ranked AS (
  SELECT *, row_number() OVER (PARTITION BY drug, region ORDER BY abs(q) DESC) AS place FROM contributions
)
SELECT drug, region, sum(n) AS n, sum(q) AS q, count(DISTINCT person_id) AS units,
       max(CASE WHEN place = 1 THEN abs(q) END) AS largest, max(CASE WHEN place = 2 THEN abs(q) END) AS second
FROM ranked GROUP BY drug, region";

/// Where the time of one run of a node went.
#[derive(Default)]
struct Parts {
    plan: Duration,
    work: Duration,
    protect: Duration,
}

/// Measures over `rows` rows and prints.
pub(crate) fn run(rows: usize) -> ExitCode {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(CORES).enable_all().build();
    runtime.expect("a runtime").block_on(measure(rows));
    ExitCode::SUCCESS
}

async fn measure(rows: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("rows.parquet");
    println!(
        "{rows} rows, seeded; {CORES} cores, {} MiB of engine memory on both sides",
        MEMORY >> 20
    );
    data::write(&file, rows);
    let node = Node::start(folder.path()).await;
    let peer = peer(&file).await;

    let mut lines = Vec::new();
    for (name, ours, theirs, goal) in [
        ("spine vs datafusion", BY_ROW, BY_ROW, "1.10"),
        ("spine-units vs datafusion", BY_PERSON, BY_PERSON, "2.0"),
        ("spine-units vs datafusion-distinct", BY_PERSON, DISTINCT, "1.0"),
    ] {
        let (mut our_times, mut their_times, mut parts) = (Vec::new(), Vec::new(), Vec::new());
        for pair in 0..=PAIRS {
            let ((cells, part), our_time) = timed(node.ask(ours)).await;
            let (their_cells, their_time) = timed(collect(&peer, theirs)).await;
            assert_eq!(cells, their_cells, "both sides found the same number of groups");
            if 0 < pair {
                our_times.push(our_time);
                their_times.push(their_time);
                parts.push(part);
            }
        }
        let of = |part: fn(&Parts) -> Duration| median(&parts.iter().map(part).collect::<Vec<_>>());
        println!(
            "{name}: node {:?} (plan and decide {:?}, worker {:?}, protect and encode {:?}), peer {:?}",
            median(&our_times),
            of(|part| part.plan),
            of(|part| part.work),
            of(|part| part.protect),
            median(&their_times)
        );
        lines.push(line(name, goal, &our_times, &their_times));
    }
    lines.iter().for_each(|line| println!("{line}"));
}

struct Node {
    catalogue: Catalogue,
    policy: Policy,
    pool: WorkerPool,
}

impl Node {
    async fn start(folder: &Path) -> Self {
        let catalogue = Catalogue::parse(data::catalogue().as_bytes()).expect("a catalogue");
        let policy =
            Policy::parse(data::policy().as_bytes(), &catalogue, mayag_audit::keys::sha256)
                .expect("a policy");
        let view = |name: &str, unit: &str| View {
            name: name.parse().expect("a name"),
            view: format!("SELECT {unit}, drug, region, seized_on, quantity FROM rows"),
        };
        let source = Source {
            columns: Vec::new(),
            format: Format::Parquet,
            name: "rows".parse().expect("a name"),
            path: folder.join("rows.parquet"),
        };
        let sources = SourcesConfig {
            datasets: vec![view("by_row", "row_id"), view("by_person", "person_id")],
            sources: vec![source],
        };
        let setup = Setup {
            catalogue: catalogue.clone(),
            country: "kr".parse().expect("a country"),
            sources,
        };
        let settings = PoolSettings {
            program: std::env::current_exe().expect("this program"),
            arguments: vec!["worker".to_owned()],
            folder: folder.to_owned(),
            workers: 1,
            cores: CORES,
            memory: MEMORY as u64,
            scan_rows: u64::MAX,
        };
        let pool = WorkerPool::start(settings, setup).await.expect("a worker");
        Self { catalogue, policy, pool }
    }

    /// From SQL to the bytes that would be signed. Returns the number of cells.
    async fn ask(&self, sql: &str) -> (usize, Parts) {
        let mut parts = Parts::default();
        let (decided, time) = timed(async {
            let plan = mayag_queries::plan::plan(sql, &self.catalogue).expect("a plan");
            let release = plan.releases.into_iter().next().expect("a release");
            let subject = Subject {
                country: "kr".parse().expect("a country"),
                roles: vec!["analyst".parse().expect("a role")],
                purpose: Purpose::Trend,
            };
            let now = Timestamp::from_millis(1_700_000_000_000);
            let permit = decide(&self.policy, &self.catalogue, &subject, now, &release.shape())
                .expect("a permit");
            (release, permit)
        })
        .await;
        parts.plan = time;
        let (release, permit) = decided;
        let protections = Protections {
            min_units: permit.protections().min_units,
            p_percent: permit.protections().p_percent,
        };
        let job = Job { release, rows: permit.rows().clone(), protections };
        let deadline = tokio::time::Instant::now() + Duration::from_mins(10);
        let (raw, time) = timed(self.pool.run(job, deadline)).await;
        parts.work = time;
        let (cells, time) = timed(async {
            let protected = protect(raw.expect("cells"), &protections);
            let cells = protected.summary().cells;
            assert!(!protected.into_inner().to_wire().expect("bytes").is_empty());
            usize::try_from(cells).expect("a number of cells")
        })
        .await;
        parts.protect = time;
        (cells, parts)
    }
}

async fn peer(file: &Path) -> SessionContext {
    let memory = Arc::new(FairSpillPool::new(MEMORY));
    let runtime = RuntimeEnvBuilder::new()
        .with_memory_pool(memory)
        .build_arc()
        .expect("a runtime environment");
    let context = SessionContext::new_with_config_rt(
        SessionConfig::new().with_target_partitions(CORES),
        runtime,
    );
    let path = file.to_str().expect("a path in UTF-8");
    for name in ["by_row", "by_person"] {
        context.register_parquet(name, path, ParquetReadOptions::default()).await.expect("a table");
    }
    context
}

async fn collect(context: &SessionContext, sql: &str) -> usize {
    let batches = context.sql(sql).await.expect("a plan").collect().await.expect("rows");
    batches.iter().map(arrow::array::RecordBatch::num_rows).sum()
}
