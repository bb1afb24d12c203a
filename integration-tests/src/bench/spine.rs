//! `bench spine`: one node over Parquet, with policy and protection, against bare DataFusion.
//!
//! Our side is a question's way through a node without its network, log and signature: plan, decide, work in the worker
//! process, protect, write for the wire. The peer runs the same SQL, with the policy's row filter written into it, in a
//! process of its own with the same partitions and memory. Both hand their result back over a pipe as Arrow IPC.

use crate::data;
use crate::peer::Peer;
use crate::report::{Pairs, line, median, peak_memory};
use arrow::array::{Array, RecordBatch};
use arrow::util::display::array_value_to_string;
use mayag_disclosure::{Protections, protect};
use mayag_node::engine::frame::Setup;
use mayag_node::engine::pool::{Job, PoolSettings, WorkerPool};
use mayag_node::engine::sources::SourcesConfig;
use mayag_node::secret::Secret;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Subject, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::Predicate;
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;
use tokio::time::Instant;

/// What a run is like.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Settings {
    pub(crate) cores: usize,
    pub(crate) pairs: usize,
    pub(crate) rows: usize,
}

impl Default for Settings {
    fn default() -> Self {
        Self { cores: 2, pairs: 9, rows: 10_000_000 }
    }
}

/// Memory of both engines: enough that the peer's own way of counting units never has to spill.
const MEMORY: u64 = 4 << 30;

/// Runs with which it is measured where the time goes.
const PHASE_RUNS: usize = 3;

const QUESTION: &str = "SELECT drug, date_trunc('month', seized_on) AS month, count(*), sum(quantity) FROM {table} \
     WHERE route IN ('sea', 'air', 'mail') GROUP BY drug, date_trunc('month', seized_on)";

const PEER: &str = "SELECT drug, date_trunc('month', seized_on) AS month, count(*), sum(quantity) FROM {table} \
     WHERE route IN ('sea', 'air', 'mail') AND marking IN ('h0', 'h1', 'h2') \
     GROUP BY drug, date_trunc('month', seized_on)";

/// Units and the two largest contributions in SQL, with a window over the units of a cell.
const DISTINCT_BY_WINDOW: &str = "WITH units AS (SELECT drug, date_trunc('month', seized_on) AS month, person_id, \
     count(*) AS n, sum(quantity) AS q, sum(abs(quantity)) AS c FROM {table} \
     WHERE route IN ('sea', 'air', 'mail') AND marking IN ('h0', 'h1', 'h2') \
     GROUP BY drug, date_trunc('month', seized_on), person_id), \
     ranked AS (SELECT *, row_number() OVER (PARTITION BY drug, month ORDER BY c DESC) AS r FROM units) \
     SELECT drug, month, sum(n), sum(q), count(person_id) AS units, sum(c) AS total, \
     max(CASE WHEN r = 1 THEN c END) AS first, max(CASE WHEN r = 2 THEN c END) AS second \
     FROM ranked GROUP BY drug, month";

/// The same without a window: the largest first, then the largest of the others.
const DISTINCT_BY_JOIN: &str = "WITH units AS (SELECT drug, date_trunc('month', seized_on) AS month, person_id, \
     count(*) AS n, sum(quantity) AS q, sum(abs(quantity)) AS c FROM {table} \
     WHERE route IN ('sea', 'air', 'mail') AND marking IN ('h0', 'h1', 'h2') \
     GROUP BY drug, date_trunc('month', seized_on), person_id), \
     cells AS (SELECT drug, month, sum(n) AS n, sum(q) AS q, count(person_id) AS units, sum(c) AS total, \
     max(c) AS first FROM units GROUP BY drug, month) \
     SELECT cells.drug, cells.month, max(cells.n), max(cells.q), max(cells.units), max(total), max(first), \
     CASE WHEN count(CASE WHEN units.c = first THEN 1 END) > 1 THEN max(first) \
     ELSE max(CASE WHEN units.c < first THEN units.c END) END AS second \
     FROM cells JOIN units ON cells.drug = units.drug AND cells.month = units.month GROUP BY cells.drug, cells.month";

/// A node without its network: catalogue, policy and workers.
struct Bare {
    catalogue: Catalogue,
    policy: Policy,
    subject: Subject,
    pool: WorkerPool,
}

/// How long the steps of one question took.
struct Steps {
    decided: Duration,
    worked: Duration,
    protected: Duration,
    whole: Duration,
    wire: RecordBatch,
}

pub(crate) fn main(settings: Settings) -> Result<(), Box<dyn Error>> {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(run(settings))
}

async fn run(settings: Settings) -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    let build = if cfg!(debug_assertions) { "debug" } else { "release" };
    line(&format!(
        "spine: {} rows, {} cores, {} pairs, {build} build",
        settings.rows, settings.cores, settings.pairs
    ));
    let root = program.ancestors().nth(2).unwrap_or_else(|| Path::new(".")).join("bench");
    let folder = data::folder(&root, settings.rows)?;
    line(&format!("synthetic data in {}", folder.display()));

    let spine = compare(&program, &folder, settings, "incidents", &[PEER]).await?;
    let [units, distinct] = units(&program, &folder, settings).await?;
    line("");
    line(&spine.comparison("spine vs datafusion", "1.10"));
    line(&units.comparison("spine-units vs datafusion", "2.0"));
    line(&distinct.comparison("spine-units vs datafusion-distinct", "1.0"));
    Ok(())
}

/// Units that repeat over rows: against the plain SQL, and against the faster of two ways to write the units in SQL.
async fn units(
    program: &Path,
    folder: &Path,
    settings: Settings,
) -> Result<[Pairs; 2], Box<dyn Error>> {
    let plain = compare(program, folder, settings, "contacts", &[PEER]).await?;
    let distinct =
        compare(program, folder, settings, "contacts", &[DISTINCT_BY_JOIN, DISTINCT_BY_WINDOW])
            .await?;
    Ok([plain, distinct])
}

/// Alternating runs after a warm-up. Of several ways to write the peer's SQL the fastest in the warm-up is taken.
async fn compare(
    program: &Path,
    folder: &Path,
    settings: Settings,
    table: &str,
    peers: &[&str],
) -> Result<Pairs, Box<dyn Error>> {
    let node = Bare::start(program, folder, settings).await?;
    let mut peer = Peer::start(program, folder, settings.cores, MEMORY)?;
    let question = QUESTION.replace("{table}", table);
    let mut fastest: Option<(Duration, String, RecordBatch)> = None;
    for sql in peers {
        let sql = sql.replace("{table}", table);
        peer.query(&sql)?;
        let began = Instant::now();
        let result = peer.query(&sql)?;
        let took = began.elapsed();
        if fastest.as_ref().is_none_or(|(best, ..)| took < *best) {
            fastest = Some((took, sql, result));
        }
    }
    let (_, sql, expected) = fastest.ok_or("no peer")?;
    line("");
    line(&format!("{table}: {question}"));
    let warm = node.ask(&question).await?;
    line(&same(&warm.wire, &expected)?);

    let (mut pairs, mut steps) = (Pairs::default(), Vec::new());
    for pair in 0..settings.pairs {
        // Who goes first alternates too.
        for side in [pair % 2, (pair + 1) % 2] {
            if side == 0 {
                let step = node.ask(&question).await?;
                pairs.ours.push(step.whole);
                steps.push(step);
            } else {
                let began = Instant::now();
                peer.query(&sql)?;
                pairs.peers.push(began.elapsed());
            }
        }
    }
    let of = |part: fn(&Steps) -> Duration| median(&steps.iter().map(part).collect::<Vec<_>>());
    line(&format!(
        "medians: ours {:.1} ms (plan and decide {:.1}, work {:.1}, protect and write {:.1}); peer {:.1} ms",
        median(&pairs.ours),
        of(|step| step.decided),
        of(|step| step.worked),
        of(|step| step.protected),
        median(&pairs.peers),
    ));
    let ours = node.pool.idle_processes().await.first().and_then(|process| peak_memory(*process));
    if let (Some(ours), Some(theirs)) = (ours, peak_memory(peer.process())) {
        line(&format!("peak memory of the processes: ours {ours} MiB, peer {theirs} MiB"));
    }
    if peers.len() == 1 {
        node.phases(&question).await?;
    }
    Ok(pairs)
}

impl Bare {
    async fn start(
        program: &Path,
        folder: &Path,
        settings: Settings,
    ) -> Result<Self, Box<dyn Error>> {
        let catalogue = Catalogue::parse(data::CATALOGUE.as_bytes())?;
        let digest = |_: &[u8]| Digest::from_bytes([0; 32]);
        let policy =
            Policy::parse(data::POLICY.as_bytes(), &catalogue, digest).map_err(|problems| {
                problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
            })?;
        let subject = Subject {
            country: "kr".parse()?,
            roles: vec!["analyst".parse()?],
            purpose: Purpose::Trend,
        };
        let view = |name: &str| {
            format!("[[datasets]]\nname = \"{name}\"\nview = \"SELECT * FROM rows\"\n")
        };
        let source = format!(
            "[[sources]]\nname = \"rows\"\nformat = \"parquet\"\npath = \"{}\"\n",
            folder.display()
        );
        let sources: SourcesConfig =
            toml::from_str(&format!("{source}{}{}", view("incidents"), view("contacts")))?;
        let pool_settings = PoolSettings {
            program: program.to_owned(),
            arguments: vec!["worker".to_owned()],
            folder: PathBuf::from(folder),
            workers: 1,
            cores: settings.cores,
            memory: MEMORY,
            scan_rows: u64::MAX,
            cells: 1_000_000,
            secret: Secret::new([0; 32]),
        };
        let setup = Setup { catalogue: catalogue.clone(), country: "xx".parse()?, sources };
        let pool = WorkerPool::start(pool_settings, setup).await?;
        Ok(Self { catalogue, policy, subject, pool })
    }

    /// One question, from its SQL to the bytes for the wire.
    async fn ask(&self, question: &str) -> Result<Steps, Box<dyn Error>> {
        let began = Instant::now();
        let (release, rows, protections) = self.permitted(question)?;
        let decided = began.elapsed();
        let job = Job::new(release, rows, protections);
        let raw = self.pool.run(job, Instant::now() + Duration::from_mins(10)).await?;
        let worked = began.elapsed();
        let cells = protect(raw, &protections).into_inner();
        let bytes = cells.to_wire()?;
        let whole = began.elapsed();
        let wire = arrow::ipc::reader::StreamReader::try_new(bytes.as_slice(), None)?
            .next()
            .ok_or("no batch")??;
        Ok(Steps {
            decided,
            worked: worked.saturating_sub(decided),
            protected: whole.saturating_sub(worked),
            whole,
            wire,
        })
    }

    fn permitted(
        &self,
        question: &str,
    ) -> Result<(Release, Predicate, Protections), Box<dyn Error>> {
        let plan =
            mayag_queries::plan(question, &self.catalogue).map_err(|refusal| refusal.rule)?;
        let release = plan.releases.into_iter().next().ok_or("no release")?;
        let now = "2026-01-01T00:00:00Z".parse()?;
        let permit = decide(&self.policy, &self.catalogue, &self.subject, now, &release.shape());
        let permit = permit.map_err(|refusal| refusal.rule)?;
        let protections =
            Protections::exact(permit.protections().min_units, permit.protections().p_percent);
        Ok((release, permit.rows().clone(), protections))
    }

    /// Where the time goes: the same release with more and more of it.
    async fn phases(&self, question: &str) -> Result<(), Box<dyn Error>> {
        let (release, rows, protections) = self.permitted(question)?;
        let counted = Release {
            wire: vec![WireMeasure { of: MeasureOf::Rows, filter: None }],
            ..release.clone()
        };
        let scanned = Release { keys: Vec::new(), ..counted.clone() };
        let mut last = 0.0;
        let mut parts = Vec::new();
        for (name, release) in [
            ("scan, filters and units", scanned),
            ("group", counted),
            ("sums and contributions", release),
        ] {
            let mut times = Vec::new();
            for _ in 0..PHASE_RUNS {
                let job = Job::new(release.clone(), rows.clone(), protections);
                let began = Instant::now();
                self.pool.run(job, began + Duration::from_mins(10)).await?;
                times.push(began.elapsed());
            }
            let now = median(&times);
            parts.push(format!("{name} {:.1} ms", now - last));
            last = now;
        }
        line(&format!("where the worker's time goes: {}", parts.join(", ")));
        Ok(())
    }
}

/// Says that every value that is shown is the peer's value; an error if one is not.
fn same(ours: &RecordBatch, theirs: &RecordBatch) -> Result<String, Box<dyn Error>> {
    let text = |batch: &RecordBatch, column: usize, row: usize| -> Result<String, Box<dyn Error>> {
        let value = array_value_to_string(batch.column(column), row)?;
        // One side has months as dates, the other as timestamps.
        Ok(value.strip_suffix("T00:00:00").unwrap_or(&value).to_owned())
    };
    let mut expected = BTreeMap::new();
    for row in 0..theirs.num_rows() {
        let key = (text(theirs, 0, row)?, text(theirs, 1, row)?);
        expected.insert(key, (text(theirs, 2, row)?, text(theirs, 3, row)?));
    }
    let (mut shown, mut withheld) = (0, 0);
    let column = |name: &str| ours.schema().index_of(name);
    let (count, sum) = (column("m0")?, column("m1")?);
    for row in 0..ours.num_rows() {
        let key = (text(ours, 0, row)?, text(ours, 1, row)?);
        let (their_count, their_sum) =
            expected.get(&key).ok_or("a cell that the peer does not have")?;
        for (column, theirs) in [(count, their_count), (sum, their_sum)] {
            if ours.column(column).is_null(row) {
                withheld += 1;
            } else if text(ours, column, row)? == *theirs {
                shown += 1;
            } else {
                return Err("a value that differs from the peer's".into());
            }
        }
    }
    if ours.num_rows() != theirs.num_rows() {
        return Err("not the peer's cells".into());
    }
    Ok(format!(
        "{} cells; {shown} values shown, all equal to the peer's; {withheld} withheld",
        ours.num_rows()
    ))
}
