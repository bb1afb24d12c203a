//! What a policy shares with one person for one purpose, for the person to read before asking.

use crate::catalogue::{COUNTRY_COLUMN, Catalogue, Column, Dataset};
use crate::decide::{Subject, applicable};
use crate::document::{Grant, Policy, Share};
use crate::shape::{Aggregate, Grain};
use mayag_protocol::answer::{SharedColumn, SharedDataset};
use mayag_protocol::names::{ColumnName, DatasetName};
use mayag_protocol::timestamp::Timestamp;

/// What `decide` would permit this person, sorted by dataset.
///
/// Grants never add up, so a dataset that several grants share appears once per grant, in the order of their ids; the
/// grants' row filters are not described. Nothing outside the policy's validity. O(grants · columns).
pub fn shared(
    policy: &Policy,
    catalogue: &Catalogue,
    subject: &Subject,
    now: Timestamp,
) -> Vec<SharedDataset> {
    if !policy.in_force(now) {
        return Vec::new();
    }
    let mut datasets: Vec<SharedDataset> = applicable(policy, catalogue, subject, now)
        .filter_map(|grant| {
            catalogue.dataset(grant.dataset.as_str()).map(|dataset| described(grant, dataset))
        })
        .collect();
    for dataset in &mut datasets {
        dataset.joins = joins(&dataset.name, policy, catalogue, subject, now);
    }
    // Stable: the grants of one dataset stay in order.
    datasets.sort_by(|a, b| a.name.cmp(&b.name));
    datasets.dedup();
    datasets
}

/// The joins of rows whose other dataset is shared too.
fn joins(
    name: &str,
    policy: &Policy,
    catalogue: &Catalogue,
    subject: &Subject,
    now: Timestamp,
) -> Vec<String> {
    let is_shared = |other: &DatasetName| {
        applicable(policy, catalogue, subject, now).any(|grant| grant.dataset == *other)
    };
    let joins = catalogue.joins().filter_map(|(many, path)| {
        let other = match (many.name.as_str() == name, path.with.as_str() == name) {
            (true, _) => &path.with,
            (false, true) => &many.name,
            (false, false) => return None,
        };
        let on = path.on.iter().map(ColumnName::as_str).collect::<Vec<_>>().join(", ");
        is_shared(other).then(|| format!("{other} USING ({on})"))
    });
    joins.collect()
}

fn described(grant: &Grant, dataset: &Dataset) -> SharedDataset {
    let country = SharedColumn {
        name: COUNTRY_COLUMN.to_owned(),
        role: "dimension".to_owned(),
        uses: Vec::new(),
        unit: None,
        about: "the answering country".to_owned(),
    };
    let columns = dataset.columns.iter().flat_map(|column| {
        let own = grant.columns.get(&column.name).map(|share| shared_column(column, share));
        own.into_iter().chain(shared_levels(grant, column))
    });
    SharedDataset {
        name: dataset.name.to_string(),
        about: dataset.about.clone(),
        min_units: grant.protections.min_units,
        purposes: grant.whom.purposes.iter().copied().collect(),
        columns: std::iter::once(country).chain(columns).collect(),
        joins: Vec::new(),
    }
}

/// The coarser levels of a column that a grant shares: all from the first that it names, all if it shares the column.
fn shared_levels<'a>(
    grant: &'a Grant,
    column: &'a Column,
) -> impl Iterator<Item = SharedColumn> + 'a {
    let shared =
        |name: &ColumnName| matches!(grant.columns.get(name), Some(Share::Dimension { .. }));
    let mut open = shared(&column.name);
    column.levels.iter().filter_map(move |level| {
        let name = column.virtual_name(level)?;
        open = open || shared(&name);
        open.then(|| SharedColumn {
            name: name.to_string(),
            role: "dimension".to_owned(),
            uses: Vec::new(),
            unit: None,
            about: level.about.clone(),
        })
    })
}

fn shared_column(column: &Column, share: &Share) -> SharedColumn {
    let (role, uses) = match share {
        Share::Dimension { finest: None } => ("dimension", Vec::new()),
        Share::Dimension { finest: Some(finest) } => {
            let coarser = Grain::ALL.into_iter().filter(|grain| finest <= grain);
            ("dimension", coarser.map(Grain::as_str).collect())
        }
        Share::Measure { aggregates, .. } => {
            ("measure", aggregates.iter().copied().map(Aggregate::as_str).collect())
        }
        Share::Unit => ("unit", vec![Aggregate::Count.as_str(), Aggregate::CountDistinct.as_str()]),
    };
    SharedColumn {
        name: column.name.to_string(),
        role: role.to_owned(),
        uses: uses.into_iter().map(str::to_owned).collect(),
        unit: column.unit.clone(),
        about: column.about.clone(),
    }
}
