//! `node.toml`: the one configuration file of a node. Unknown keys are refused; paths are relative to its folder.
//!
//! Every file it names is trusted by the node: who can write the policy decides what is shared, who can write the
//! roster keys decides who may ask, who can read a key file can answer in the country's name.

use crate::engine::frame::Setup;
use crate::engine::pool::PoolSettings;
use crate::engine::sources::{Source, SourcesConfig, View};
use crate::lookups::config::{LookupConfig, LookupSettings, duplicate};
use crate::secret::Secret;
use mayag_audit::keys::sha256;
use mayag_audit::party::LogConfig;
use mayag_policies::catalogue::Catalogue;
use mayag_protocol::names::{Country, Digest, Federation};
use mayag_queries::merge::MOST_CELLS;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest configuration that is read.
pub const LONGEST: usize = 1024 * 1024;

/// A node's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeConfig {
    /// The federation's name, as in its identities.
    pub federation: Federation,
    /// The node's country.
    pub country: Country,
    /// Where it listens, such as `127.0.0.1:7443`. Port 0 takes a free one.
    pub listen: String,
    /// Where the address it listens on is written, if anywhere.
    #[serde(default)]
    pub address_file: Option<PathBuf>,
    /// Folder for the log and what must survive a restart. Created with mode 0700.
    pub state: PathBuf,
    /// The policy file: the document in an envelope that administrators of this country signed.
    pub policy: PathBuf,
    /// Whether the questions asked are kept in the state folder, for `mayag policy replay`.
    #[serde(default = "yes")]
    pub keep_questions: bool,
    /// The catalogue; the one built in if absent.
    #[serde(default)]
    pub catalogue: Option<PathBuf>,
    /// Keys, certificates and roster.
    pub pki: Pki,
    /// The logs.
    pub log: LogConfig,
    /// Limits.
    #[serde(default)]
    pub limits: Limits,
    /// SHA-256 of the file it was read from, for the log.
    #[serde(skip)]
    pub digest: Option<Digest>,
    /// The node's own tables.
    #[serde(default)]
    pub sources: Vec<Source>,
    /// The datasets it answers about, as views of them.
    #[serde(default)]
    pub datasets: Vec<View>,
    /// The lookup tables, as queries over the node's own tables.
    #[serde(default)]
    pub lookups: Vec<LookupConfig>,
    /// How lookup tables are kept.
    #[serde(default)]
    pub lookup_settings: LookupSettings,
}

/// Keys, certificates and roster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pki {
    /// Folder of the authorities' certificates, `*.crt`.
    pub authorities: PathBuf,
    /// Folder of their revocation lists, `*.crl`; one per authority.
    pub revocations: PathBuf,
    /// The node's TLS certificate.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The private key that signs answers.
    pub answer_key: PathBuf,
    /// The private key that signs the checkpoints of the log.
    pub log_key: PathBuf,
    /// The private key that cosigns the checkpoints of other logs.
    pub cosign_key: PathBuf,
    /// The private key that opens what is sealed to this node; needed for declared lookup tables only.
    #[serde(default)]
    pub sealing_key: Option<PathBuf>,
    /// The signed roster.
    pub roster: PathBuf,
    /// The trusted roster keys.
    pub roster_keys: PathBuf,
}

/// Limits of a node.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// The longest time a question is worked on, such as `8s`.
    #[serde(deserialize_with = "duration")]
    pub deadline: Duration,
    /// Questions worked on at once; more wait, for as long as the gateway does.
    pub questions: usize,
    /// Worker processes.
    pub workers: usize,
    /// Processor cores one worker uses.
    pub cores: usize,
    /// Memory of one worker's query engine, such as `512MiB`.
    #[serde(deserialize_with = "bytes")]
    pub memory: u64,
    /// Rows one release may scan.
    pub scan_rows: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(8),
            questions: 16,
            workers: 1,
            cores: 2,
            memory: 512 * 1024 * 1024,
            scan_rows: 1_000_000_000,
        }
    }
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is no configuration of a node.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
}

impl NodeConfig {
    /// Reads a configuration and makes its paths absolute.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text)
            .map_err(|reason| ConfigError::Parse { path: path.to_owned(), reason })?;
        config.digest = Some(sha256(text.as_bytes()));
        // Workers run in another folder: what they are told must not depend on where this process was started.
        let absolute = std::path::absolute(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        config.resolve(absolute.parent().unwrap_or(&absolute));
        Ok(config)
    }

    /// Parses a configuration; its paths stay as written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        let config: Self = toml::from_str(text)
            .map_err(|error| error.to_string().trim_end().replace('\n', " "))?;
        match duplicate(&config.lookups) {
            Some(table) => Err(format!("the lookup table `{table}` is defined twice")),
            None => Ok(config),
        }
    }

    fn resolve(&mut self, folder: &Path) {
        let Pki {
            authorities,
            revocations,
            certificate,
            key,
            answer_key,
            log_key,
            cosign_key,
            sealing_key,
            roster,
            roster_keys,
        } = &mut self.pki;
        let optional = self.address_file.iter_mut().chain(&mut self.catalogue);
        let optional = optional.chain(&mut self.log.guard).chain(sealing_key);
        let trust = [authorities, revocations, roster, roster_keys];
        let own = [certificate, key, answer_key, log_key, cosign_key];
        let pki = trust.into_iter().chain(own);
        for path in pki.chain([&mut self.state, &mut self.policy]).chain(optional) {
            *path = folder.join(&path);
        }
        for source in &mut self.sources {
            source.path = folder.join(&source.path);
        }
    }

    /// How its workers are run: processes of `program worker`.
    pub(crate) fn pool_settings(&self, program: &Path, secret: &Secret) -> PoolSettings {
        let Limits { workers, cores, memory, scan_rows, deadline: _, questions: _ } = self.limits;
        PoolSettings {
            program: program.to_owned(),
            arguments: vec!["worker".to_owned()],
            folder: self.state.clone(),
            workers,
            cores,
            memory,
            scan_rows,
            cells: MOST_CELLS,
            secret: secret.clone(),
        }
    }

    /// What its workers are told when they start.
    pub(crate) fn setup(&self, catalogue: &Catalogue) -> Setup {
        let sources =
            SourcesConfig { datasets: self.datasets.clone(), sources: self.sources.clone() };
        Setup { catalogue: catalogue.clone(), country: self.country.clone(), sources }
    }
}

fn yes() -> bool {
    true
}

/// Units of time, in milliseconds; the first whose name a text ends in.
const UNITS: [(&str, u64); 5] =
    [("ms", 1), ("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];

pub(crate) fn duration<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused = || {
        serde::de::Error::custom(format!("`{text}` is not a time such as `8s`, `250ms` or `1h`"))
    };
    let number = |(unit, scale): (&str, u64)| Some((text.strip_suffix(unit)?, scale));
    let (number, scale) = UNITS.into_iter().find_map(number).ok_or_else(refused)?;
    let number: u32 = number.parse().map_err(|_| refused())?;
    if number == 0 { Err(refused()) } else { Ok(Duration::from_millis(u64::from(number) * scale)) }
}

fn bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused =
        || serde::de::Error::custom(format!("`{text}` is not a size such as `512MiB` or `2GiB`"));
    let (number, shift) = match (text.strip_suffix("MiB"), text.strip_suffix("GiB")) {
        (Some(number), _) => (number, 20),
        (None, Some(number)) => (number, 30),
        (None, None) => return Err(refused()),
    };
    let number: u32 = number.parse().map_err(|_| refused())?;
    if number == 0 { Err(refused()) } else { Ok(u64::from(number) << shift) }
}

#[cfg(test)]
mod tests {
    use super::NodeConfig;
    use std::time::Duration;

    const SAMPLE: &str = include_str!("../sample/node.toml");

    #[test]
    fn the_sample_is_a_configuration() {
        let config = NodeConfig::parse(SAMPLE).unwrap();
        assert_eq!(config.country.as_str(), "kr");
        assert_eq!(config.limits.deadline, Duration::from_secs(8));
        assert_eq!(config.limits.memory, 512 << 20);
        assert_eq!(config.lookups.len(), 1);
        assert_eq!(config.lookup_settings.refresh, Duration::from_hours(1));
        assert_eq!(config.lookup_settings.overlap, Duration::from_hours(24));
    }

    #[test]
    fn unknown_keys_and_numbers_without_units_are_refused() {
        let check = |from: &str, to: &str| {
            assert!(SAMPLE.contains(from), "{from}");
            assert!(NodeConfig::parse(&SAMPLE.replace(from, to)).is_err(), "{to}");
        };
        check("[limits]", "[limits]\nworker = 1");
        check("[pki]", "[pki]\nkeys = \"x\"");
        check("deadline = \"8s\"", "deadline = 8");
        check("deadline = \"8s\"", "deadline = \"0s\"");
        check("memory = \"512MiB\"", "memory = \"512\"");
        check("listen =", "liste =");
        check("label = \"passport\"", "label = \"paspoort\"");
        check("refresh = \"1h\"", "refresh = \"1w\"");
        check("epoch_days = 7", "epoch_days = 0");
        check(
            "[lookup_settings]",
            "[[lookups]]\ntable = \"stolen_documents\"\nsql = \"SELECT 1\"\n[lookup_settings]",
        );
    }
}
