//! `[[lookups]]` and `[lookup_settings]` of `node.toml`.

use crate::config::duration;
use mayag_matching::normalise::Label;
use mayag_protocol::names::TableName;
use serde::Deserialize;
use std::num::NonZero;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);

/// A lookup table, as a query over the node's sources. Only what the policy in force declares is built and published.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LookupConfig {
    /// The table's name in the policy.
    pub table: TableName,
    /// One `SELECT` over sources with a column `identifier`, and `qualifier`, `label`, `category`, `handling`, `contact` and
    /// `silent` where there is something to say. The operator's own SQL: trusted.
    pub sql: String,
    /// The word before the colon, such as `passport`, for rows that have none in a column `label`.
    #[serde(default, deserialize_with = "label")]
    pub label: Option<Label>,
}

/// How lookup tables are kept.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LookupSettings {
    /// Days of an epoch: how long a key is used. Epochs are counted from 1970.
    pub epoch_days: NonZero<u32>,
    /// How long the key of an ended epoch still answers, at most as long as an epoch.
    #[serde(deserialize_with = "duration")]
    pub overlap: Duration,
    /// How often the data are looked at; where they changed, every index is built again.
    #[serde(deserialize_with = "duration")]
    pub refresh: Duration,
    /// Processor cores that build an index, and that evaluate one lookup.
    pub cores: NonZero<usize>,
    /// Lookups evaluated at once; more wait until their deadline.
    pub evaluations: NonZero<usize>,
}

impl Default for LookupSettings {
    fn default() -> Self {
        let two = NonZero::<usize>::MIN.saturating_add(1);
        Self {
            epoch_days: NonZero::<u32>::MIN.saturating_add(6),
            overlap: DAY,
            refresh: Duration::from_hours(1),
            cores: NonZero::<usize>::MIN,
            evaluations: two,
        }
    }
}

/// A table that stands there twice, if there is one.
pub(crate) fn duplicate(tables: &[LookupConfig]) -> Option<&TableName> {
    let mut names: Vec<&TableName> = tables.iter().map(|lookup| &lookup.table).collect();
    names.sort_unstable();
    names.array_windows().find(|[one, next]| one == next).map(|[one, _]| *one)
}

fn label<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Option<Label>, D::Error> {
    let word = String::deserialize(deserializer)?;
    word.parse().map(Some).map_err(serde::de::Error::custom)
}
