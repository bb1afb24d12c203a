//! `gateway.toml`: the one configuration file of a gateway. Unknown keys are refused; paths are relative to its folder.
//!
//! Every file it names is trusted by the gateway: who can write the roster keys decides who may ask and whose answers
//! count as signed, who can read the answer key can sign merged answers. Nothing in it can open a country's data: the
//! nodes decide.

use mayag_audit::keys::sha256;
use mayag_audit::party::LogConfig;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, Digest, Federation};
use serde::Deserialize;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest configuration that is read: 196 nodes fit many times.
pub const LONGEST: usize = 1024 * 1024;

/// The longest file that holds an address.
const LONGEST_ADDRESS: usize = 1024;

/// A gateway's configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GatewayConfig {
    /// The federation's name, as in its identities.
    pub federation: Federation,
    /// Which gateway of the federation this is.
    pub number: u16,
    /// Where it listens, such as `127.0.0.1:7400`. Port 0 takes a free one.
    pub listen: String,
    /// Where the address it listens on is written, if anywhere.
    #[serde(default)]
    pub address_file: Option<PathBuf>,
    /// Folder for the log and what must survive a restart. Created with mode 0700.
    pub state: PathBuf,
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
    /// Where the nodes listen. A country of the roster that is not listed here is not asked.
    #[serde(default)]
    pub nodes: Vec<NodeAddress>,
}

/// Keys, certificates and roster.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pki {
    /// Folder of the authorities' certificates, `*.crt`.
    pub authorities: PathBuf,
    /// Folder of their revocation lists, `*.crl`; one per authority.
    pub revocations: PathBuf,
    /// The TLS certificate shown to analysts.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The TLS certificate shown to nodes.
    pub client_certificate: PathBuf,
    /// Its private key.
    pub client_key: PathBuf,
    /// The private key that signs merged answers.
    pub answer_key: PathBuf,
    /// The private key that signs the checkpoints of the log.
    pub log_key: PathBuf,
    /// The private key that cosigns the checkpoints of other logs.
    pub cosign_key: PathBuf,
    /// The signed roster.
    pub roster: PathBuf,
    /// The trusted roster keys.
    pub roster_keys: PathBuf,
}

/// Where one country's node listens.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NodeAddress {
    /// The country.
    pub country: Country,
    /// The address, such as `node.example.org:7443`.
    #[serde(default)]
    pub address: Option<String>,
    /// A file that holds the address, read for every question; instead of `address`.
    #[serde(default)]
    pub address_file: Option<PathBuf>,
}

/// Limits of a gateway.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// How long the countries are waited for, such as `10s`.
    #[serde(deserialize_with = "duration")]
    pub deadline: Duration,
    /// How long the tail may take after that.
    #[serde(deserialize_with = "duration")]
    pub tail: Duration,
    /// Countries asked at the same time for one question. Below the number of countries, those that hang keep others
    /// waiting.
    pub countries: usize,
    /// Questions worked on at the same time; more are refused as busy.
    pub questions: usize,
    /// Questions of one person at the same time; more are refused as busy.
    pub questions_per_person: usize,
    /// The longest answer that is read from one node, such as `4MiB`.
    #[serde(deserialize_with = "bytes")]
    pub answer: usize,
    /// Memory that all questions together may take for answers; those who ask while too little is left are refused as
    /// busy. Each tail takes up to 256 MiB on top, and eight of them run at once.
    #[serde(deserialize_with = "bytes")]
    pub memory: usize,
    /// Memory that the answers to one question may take, four bytes for each byte that a node sends. Half of it is
    /// divided equally among the countries asked, the rest is for those that send more.
    #[serde(deserialize_with = "bytes")]
    pub question_memory: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_secs(10),
            tail: Duration::from_secs(5),
            countries: 256,
            questions: 64,
            questions_per_person: 8,
            answer: 4 << 20,
            memory: 2048 << 20,
            question_memory: 512 << 20,
        }
    }
}

/// Why a configuration is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A node has neither `address` nor `address_file`, or both.
    #[error("node `{0}`: give either `address` or `address_file`")]
    Address(Country),
    /// The file is no configuration of a gateway.
    #[error("{path}: {reason}")]
    Parse {
        /// The file.
        path: PathBuf,
        /// Where and why.
        reason: String,
    },
    /// The file could not be read.
    #[error("reading {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A country is listed twice.
    #[error("node `{0}` is listed twice")]
    Twice(Country),
    /// No question would ever be taken.
    #[error("limits: `question_memory` must not be more than `memory`")]
    Memory,
    /// A limit of zero would refuse everything.
    #[error("limits: `{0}` must be at least 1")]
    Zero(&'static str),
}

/// The file of a node's address could not be read.
#[derive(Debug, thiserror::Error)]
#[error("the address file of node `{country}`: {source}")]
pub struct AddressError {
    country: Country,
    source: std::io::Error,
}

impl GatewayConfig {
    /// Reads a configuration and makes its paths absolute or relative to the present folder.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        let mut config = Self::parse(&text)
            .map_err(|reason| ConfigError::Parse { path: path.to_owned(), reason })?;
        config.check()?;
        config.digest = Some(sha256(text.as_bytes()));
        config.resolve(path.parent().unwrap_or_else(|| Path::new(".")));
        Ok(config)
    }

    /// Parses a configuration; its paths stay as written.
    pub fn parse(text: &str) -> Result<Self, String> {
        if text.len() > LONGEST {
            return Err(format!("longer than {LONGEST} bytes"));
        }
        toml::from_str(text).map_err(|error| error.to_string().trim_end().replace('\n', " "))
    }

    /// Who this gateway is.
    pub fn identity(&self) -> Identity {
        Identity::gateway(&self.federation, self.number)
    }

    /// Where the node of `country` listens, if this gateway knows.
    pub fn node(&self, country: &Country) -> Option<&NodeAddress> {
        self.nodes.iter().find(|node| node.country == *country)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let mut countries = BTreeSet::new();
        for node in &self.nodes {
            if node.address.is_some() == node.address_file.is_some() {
                return Err(ConfigError::Address(node.country.clone()));
            }
            if !countries.insert(&node.country) {
                return Err(ConfigError::Twice(node.country.clone()));
            }
        }
        let Limits { countries, questions, questions_per_person, memory, question_memory, .. } =
            self.limits;
        if memory < question_memory {
            return Err(ConfigError::Memory);
        }
        let counts = [
            ("countries", countries),
            ("questions", questions),
            ("questions_per_person", questions_per_person),
        ];
        match counts.into_iter().find(|(_, count)| *count == 0) {
            Some((name, _)) => Err(ConfigError::Zero(name)),
            None => Ok(()),
        }
    }

    fn resolve(&mut self, folder: &Path) {
        let Pki {
            authorities,
            revocations,
            certificate,
            key,
            client_certificate,
            client_key,
            answer_key,
            log_key,
            cosign_key,
            roster,
            roster_keys,
        } = &mut self.pki;
        let trust = [authorities, revocations, roster, roster_keys];
        let own =
            [certificate, key, client_certificate, client_key, answer_key, log_key, cosign_key];
        let optional = self.address_file.iter_mut().chain(&mut self.catalogue);
        let optional = optional.chain(&mut self.log.guard);
        let nodes = self.nodes.iter_mut().filter_map(|node| node.address_file.as_mut());
        for path in
            trust.into_iter().chain(own).chain([&mut self.state]).chain(optional).chain(nodes)
        {
            *path = folder.join(&path);
        }
    }
}

impl NodeAddress {
    /// The address, read from its file if the configuration names one. A node may move between two questions.
    pub fn read(&self) -> Result<String, AddressError> {
        use std::io::Read as _;
        let path = match (&self.address, &self.address_file) {
            (Some(address), _) => return Ok(address.clone()),
            (None, Some(path)) => path,
            (None, None) => return Err(self.failed(std::io::ErrorKind::NotFound.into())),
        };
        let file = std::fs::File::open(path).map_err(|source| self.failed(source))?;
        let mut text = String::new();
        file.take(LONGEST_ADDRESS as u64)
            .read_to_string(&mut text)
            .map_err(|source| self.failed(source))?;
        Ok(text.trim().to_owned())
    }

    fn failed(&self, source: std::io::Error) -> AddressError {
        AddressError { country: self.country.clone(), source }
    }
}

fn duration<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused =
        || serde::de::Error::custom(format!("`{text}` is not a time such as `10s` or `250ms`"));
    let (number, scale) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1000),
        (None, None) => return Err(refused()),
    };
    let number: u32 = number.parse().map_err(|_| refused())?;
    if number == 0 { Err(refused()) } else { Ok(Duration::from_millis(u64::from(number) * scale)) }
}

fn bytes<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let text = String::deserialize(deserializer)?;
    let refused =
        || serde::de::Error::custom(format!("`{text}` is not a size such as `64KiB` or `4MiB`"));
    let (number, scale) = match (text.strip_suffix("KiB"), text.strip_suffix("MiB")) {
        (Some(number), _) => (number, 1024),
        (None, Some(number)) => (number, 1024 * 1024),
        (None, None) => return Err(refused()),
    };
    let number: u16 = number.parse().map_err(|_| refused())?;
    if number == 0 { Err(refused()) } else { Ok(usize::from(number) * scale) }
}

#[cfg(test)]
mod tests {
    use super::{ConfigError, GatewayConfig, Limits};
    use std::path::Path;
    use std::time::Duration;

    const SAMPLE: &str = include_str!("../sample/gateway.toml");

    fn changed(from: &str, to: &str) -> String {
        assert!(SAMPLE.contains(from), "{from}");
        SAMPLE.replacen(from, to, 1)
    }

    #[test]
    fn the_sample_is_a_configuration_and_states_the_defaults() {
        let mut config = GatewayConfig::parse(SAMPLE).unwrap();
        config.check().unwrap();
        config.resolve(Path::new("/etc/mayag/gateway"));
        assert_eq!(config.identity().to_string(), "spiffe://demo/gateway/1");
        assert_eq!(config.limits.deadline, Duration::from_secs(10));
        assert_eq!(format!("{:?}", config.limits), format!("{:?}", Limits::default()));
        assert_eq!(
            config.pki.client_key,
            Path::new("/etc/mayag/gateway/../pki/gateway-1/client.key")
        );
        assert_eq!(config.node(&"kr".parse().unwrap()).unwrap().read().unwrap(), "127.0.0.1:7443");
        assert!(
            config.node(&"us".parse().unwrap()).unwrap().read().is_err(),
            "there is no such file"
        );
        assert!(config.node(&"th".parse().unwrap()).is_none());
    }

    #[test]
    fn unknown_keys_and_numbers_without_units_are_refused() {
        for (from, to) in [
            ("[limits]", "[limits]\ndeadlines = \"1s\""),
            ("[pki]", "[pki]\nverify = false"),
            ("[[nodes]]", "[[nodes]]\nverify = false"),
            ("deadline = \"10s\"", "deadline = 10"),
            ("deadline = \"10s\"", "deadline = \"0s\""),
            ("answer = \"4MiB\"", "answer = \"4\""),
            ("number = 1", "number = -1"),
        ] {
            assert!(GatewayConfig::parse(&changed(from, to)).is_err(), "{to}");
        }
    }

    #[test]
    fn contradictions_are_refused() {
        let check = |from, to| GatewayConfig::parse(&changed(from, to)).unwrap().check();
        let both = "address = \"127.0.0.1:7443\"\naddress_file = \"x\"";
        assert!(matches!(
            check("address = \"127.0.0.1:7443\"", both),
            Err(ConfigError::Address(_))
        ));
        assert!(matches!(check("address = \"127.0.0.1:7443\"", ""), Err(ConfigError::Address(_))));
        assert!(matches!(
            check("country = \"us\"", "country = \"kr\""),
            Err(ConfigError::Twice(_))
        ));
        assert!(matches!(
            check("memory = \"2048MiB\"", "memory = \"511MiB\""),
            Err(ConfigError::Memory)
        ));
        assert!(matches!(
            check("questions = 64", "questions = 0"),
            Err(ConfigError::Zero("questions"))
        ));
    }
}
