//! The middle of the line: executes the releases of a question, protects them together, and remembers what they show.
//!
//! A question is about one version of the data, or it has no answer. Protecting and remembering is one step for one
//! question at a time: of two at once each would be judged without the other. What is shown is remembered durably before
//! it leaves.
//!
//! [`execute`] and [`protect`] are all of it but the node: tests of many questions call them without one.

use crate::engine::WorkFailure;
use crate::engine::cells::{Atoms, Part, RawCells};
use crate::engine::pool::{Job, WorkerPool};
use crate::node::Node;
use crate::released::Released;
use mayag_audit::keys::Mac;
use mayag_disclosure::{
    DataVersion, DifferenceGuard, Dominance, NoiseLevel, Prf, Protections, ReleaseContext,
    Unprotected, protect_question,
};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::Permit;
use mayag_policies::document::{self, Noise, Switch};
use mayag_protocol::names::{Digest, unhex};
use mayag_queries::release::Release;
use std::sync::Arc;
use tokio::time::Instant;

/// A permitted release that is worked on.
type Worked = (Unprotected<RawCells>, ReleaseContext);

/// Executes and protects every release of a question, in their order.
pub(crate) async fn work_on(
    node: &Arc<Node>,
    permitted: &[(Release, Permit)],
    deadline: Instant,
) -> Result<Vec<Part>, WorkFailure> {
    let version = node.data_version().await.ok_or(WorkFailure::Source)?;
    let rows_of = data_version(&version)?;
    let worked = execute(node.pool(), node.catalogue(), permitted, rows_of, deadline).await?;
    // Rows of two versions would be answered with the noise of one, and compared with cells of one.
    if node.data_version().await.as_ref() != Some(&version) {
        return Err(WorkFailure::Source);
    }
    node.protect(worked).await
}

/// Executes every release of a question, in their order, over the rows of this version. Nobody can read the cells yet.
pub async fn execute(
    pool: &WorkerPool,
    catalogue: &Catalogue,
    permitted: &[(Release, Permit)],
    version: DataVersion,
    deadline: Instant,
) -> Result<Vec<Worked>, WorkFailure> {
    let mut jobs = Vec::new();
    for (release, permit) in permitted {
        let atoms = atoms(pool, permitted, release, &jobs, deadline).await?;
        jobs.push(job(release, permit, atoms));
    }
    let mut worked = Vec::new();
    for job in jobs {
        let context = context(catalogue, &job, version)?;
        worked.push((pool.run(job, deadline).await?, context));
    }
    Ok(worked)
}

/// What the cells of a release are cells of. Those of a join are remembered with the units of either dataset.
fn context(
    catalogue: &Catalogue,
    job: &Job,
    version: DataVersion,
) -> Result<ReleaseContext, WorkFailure> {
    let dataset = job.release.dataset_in(catalogue).ok_or(WorkFailure::Broken)?;
    let mut kinds = Vec::new();
    for unit in dataset.units.iter() {
        let (home, column) = dataset.origin(unit.column.as_str());
        let units = catalogue.dataset(home.as_str()).map(|home| &home.units);
        let kind =
            units.and_then(|units| units.iter().position(|unit| unit.column.as_str() == column));
        let kind = kind.and_then(|kind| u16::try_from(kind).ok()).ok_or(WorkFailure::Broken)?;
        kinds.push((home.to_string(), kind));
    }
    let rows_of = dataset.joined.as_ref().map_or(&dataset.name, |joined| &joined.many);
    let protections = job.protections;
    Ok(ReleaseContext { dataset: rows_of.to_string(), version, protections, kinds })
}

/// The pieces of all releases of the question over the same dataset; none if there is one release only, and not more than
/// one filter in it.
async fn atoms(
    pool: &WorkerPool,
    permitted: &[(Release, Permit)],
    release: &Release,
    before: &[Job],
    deadline: Instant,
) -> Result<Option<Arc<Atoms>>, WorkFailure> {
    if let Some(job) = before.iter().find(|job| job.release.dataset == release.dataset) {
        return Ok(job.atoms.clone());
    }
    let same = permitted.iter().filter(|(other, _)| other.dataset == release.dataset);
    let together: Vec<_> =
        same.map(|(release, permit)| (release, permit.rows(), permit.joined_rows())).collect();
    if together.len() < 2 && !overlaps_itself(release) {
        return Ok(None);
    }
    let atoms = match Atoms::work(&together) {
        Some(work) => pool.atoms(work, deadline).await?,
        None => Atoms::too_many(),
    };
    if !atoms.is_complete() {
        let dataset = &release.dataset;
        tracing::info!(%dataset, "too many combinations to judge a question by: all is withheld");
    }
    Ok(Some(Arc::new(atoms)))
}

/// Whether the measures of a release are over more than two parts of its cells: then what is left of a cell without them
/// is no part that is looked at by itself.
fn overlaps_itself(release: &Release) -> bool {
    let mut filters = release.wire.iter().filter_map(|measure| measure.filter.as_ref());
    let first = filters.next();
    filters.any(|filter| Some(filter) != first)
}

fn job(release: &Release, permit: &Permit, atoms: Option<Arc<Atoms>>) -> Job {
    let summed = release.wire.iter().filter_map(|measure| measure.of.summed_column());
    let bounds = summed.filter_map(|column| Some((column.clone(), permit.bounds(column)?)));
    Job {
        bounds: bounds.collect(),
        atoms,
        joined_rows: permit.joined_rows().clone(),
        ..Job::new(release.clone(), permit.rows().clone(), protections(&permit.protections()))
    }
}

/// What a grant asks for, in the words of those who do it.
pub(crate) fn protections(asked: &document::Protections) -> Protections {
    Protections {
        min_units: asked.min_units,
        p_percent: asked.p_percent,
        dominance: Dominance { units: asked.dominance.units, percent: asked.dominance.percent },
        one_category_percent: asked.one_category_percent,
        noise: match asked.noise {
            Noise::Off => None,
            Noise::On { largest, variance } => {
                Some(NoiseLevel { largest, variance: f64::from(variance) })
            }
        },
        most_rows: u32::try_from(asked.most_rows).unwrap_or(u32::MAX),
        round_to: u32::try_from(asked.round_to).unwrap_or(u32::MAX),
        difference_guard: match asked.difference_guard {
            Switch::Off => DifferenceGuard::Off,
            Switch::On => DifferenceGuard::On,
        },
    }
}

/// What was applied, in words for the person who reads the answer.
pub(crate) fn words(asked: &document::Protections) -> String {
    let Protections { min_units, p_percent, dominance, most_rows, .. } = protections(asked);
    let mut words = vec!["live".to_owned(), format!("at least {min_units} units")];
    match asked.noise {
        Noise::Off => {
            words.push(format!("p% = {p_percent}"));
            words.push(format!("({}, {})-dominance", dominance.units, dominance.percent));
        }
        Noise::On { largest, variance } => {
            words.push(format!("noise by cell key, D = {largest}, V = {variance}"));
            words.push(format!("at most {most_rows} rows of a unit"));
        }
    }
    if asked.one_category_percent > 0 && asked.one_category_percent <= 100 {
        words.push(format!("no category of {} % or more", asked.one_category_percent));
    }
    if asked.difference_guard == Switch::On {
        words.push("difference guard".to_owned());
    }
    if asked.round_to > 1 {
        words.push(format!("rounded to {}", asked.round_to));
    }
    words.join("; ")
}

/// Protects a question, remembers what it shows, and makes the bytes that leave. Blocks for as long as the disk needs.
pub fn protect(
    worked: Vec<Worked>,
    secret: &Mac,
    released: &mut Released,
) -> Result<Vec<Part>, WorkFailure> {
    let question = protect_question(worked, &Secret(secret), released.memory());
    if let Err(error) = released.remember(question.records()) {
        tracing::error!(%error, "what was released cannot be remembered: nothing is answered");
        return Err(WorkFailure::Broken);
    }
    question.into_releases().into_iter().map(|cells| cells.into_inner().to_part()).collect()
}

/// The node's secret as a function.
struct Secret<'a>(&'a Mac);

impl Prf for Secret<'_> {
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        self.0.code(message)
    }
}

/// The version of data as the memory of released cells has it.
pub(crate) fn data_version(digest: &Digest) -> Result<DataVersion, WorkFailure> {
    let bytes = unhex(digest.as_str()).and_then(|bytes| bytes.try_into().ok());
    bytes.map(DataVersion).ok_or(WorkFailure::Broken)
}
