//! The files of the demonstration's federation: certificates, data, settings.

use super::documents;
use super::incidents::national::{self, National, NotWritten};
use super::incidents::published::LineError;
use super::questions;
use mayag_audit::party::NoLog;
use mayag_certs_dev::CertsError;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::{Plan, PlanError};
use mayag_node::node::NodeError;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::files::{self, FilesError, Mode};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::mpsc;
use std::thread;

/// The Korean analyst's profile, within the folder.
pub(crate) const PROFILE: &str = "desk/kr-analyst-hana.toml";

/// Everybody with a profile: country and name. They are those of [`Plan::demo`].
const ANALYSTS: [(&str, &str); 3] = [("kr", "hana"), ("us", "alex"), ("th", "nok")];

/// The policies, by country.
pub(crate) const POLICIES: [(&str, &str); 5] = [
    ("au", include_str!("../../demo/policies/au.json")),
    ("kr", include_str!("../../demo/policies/kr.json")),
    ("mx", include_str!("../../demo/policies/mx.json")),
    ("th", include_str!("../../demo/policies/th.json")),
    ("us", include_str!("../../demo/policies/us.json")),
];

/// The federation was not made.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FederationError {
    /// No certificates.
    #[error(transparent)]
    Certs(#[from] CertsError),
    /// The gateway's configuration cannot be read back.
    #[error(transparent)]
    GatewayConfig(#[from] mayag_gateway::config::ConfigError),
    /// The gateway's logs cannot be begun.
    #[error(transparent)]
    Gateway(#[from] mayag_gateway::GatewayError),
    /// The logs do not verify.
    #[error("the logs do not verify: {0}")]
    Logs(String),
    /// A log has no name.
    #[error(transparent)]
    Name(#[from] NoLog),
    /// A node's configuration cannot be read back.
    #[error(transparent)]
    NodeConfig(#[from] mayag_node::config::ConfigError),
    /// A node's logs cannot be begun.
    #[error(transparent)]
    Node(#[from] Box<NodeError>),
    /// A party is not in the roster.
    #[error("a party of the demonstration is not in its roster")]
    Roster,
    /// A file was not written.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A country's data was not made.
    #[error("the data of `{country}`: {source}")]
    NotWritten { country: &'static str, source: NotWritten },
    /// The plan contradicts itself.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The published figures were not read.
    #[error(transparent)]
    Published(#[from] LineError),
    /// A thread that makes data ended early.
    #[error("the data was not made")]
    Thread,
}

/// The federation in its folder.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Federation<'a> {
    /// Its folder.
    pub(crate) folder: &'a Path,
}

impl Federation<'_> {
    /// Certificates, keys, roster.
    pub(crate) fn make_certificates(&self, now: Timestamp) -> Result<(), FederationError> {
        mayag_certs_dev::generate(&Plan::demo(now)?, self.folder)?;
        Ok(())
    }

    /// Every country's incidents; returns how many. One thread per country: the United States' take longest.
    pub(crate) fn make_data(&self) -> Result<usize, FederationError> {
        let (sender, receiver) = mpsc::channel();
        thread::scope(|scope| {
            for national in &national::ALL {
                let sender = sender.clone();
                scope.spawn(move || sender.send(self.make_data_of(national)));
            }
        });
        drop(sender);
        let counts: Vec<usize> = receiver.into_iter().collect::<Result<_, _>>()?;
        if counts.len() == national::ALL.len() {
            Ok(counts.iter().sum())
        } else {
            Err(FederationError::Thread)
        }
    }

    fn make_data_of(&self, national: &National) -> Result<usize, FederationError> {
        let folder = self.folder.join(national.country).join("data");
        files::create_folder(&folder)?;
        let incidents = national.incidents()?;
        let bytes = national
            .encode(&incidents)
            .map_err(|source| FederationError::NotWritten { country: national.country, source })?;
        files::replace(&folder.join(national.file), &bytes, Mode::Secret)?;
        if let Some(documents) = documents::of(national.country) {
            files::replace(&folder.join("documents.csv"), documents.as_bytes(), Mode::Secret)?;
        }
        files::replace(&folder.join("README.md"), readme(national).as_bytes(), Mode::Public)?;
        Ok(incidents.len())
    }

    /// What nodes, gateway and analysts are configured with.
    pub(crate) fn write_settings(&self) -> Result<(), FederationError> {
        for national in &national::ALL {
            self.write(&format!("{}/node.toml", national.country), &node_toml(national))?;
        }
        let pki = Pki::open(self.folder)?;
        for (country, policy) in POLICIES {
            // What an administrator edits, and the signed text that the node reads.
            self.write(&format!("{country}/policy.json"), policy)?;
            let signed =
                pki.sign_policy(&country.parse().map_err(PlanError::Name)?, policy.as_bytes())?;
            self.write(&format!("{country}/policy/active.json"), &signed)?;
        }
        self.write("gateway/gateway.toml", &gateway_toml())?;
        for (country, person) in ANALYSTS {
            self.write(
                &format!("desk/{country}-analyst-{person}.toml"),
                &profile_toml(country, person),
            )?;
        }
        for example in &questions::ALL {
            self.write(&format!("questions/{}.sql", example.name), example.sql)?;
        }
        Ok(())
    }

    fn write(&self, name: &str, text: &str) -> Result<(), FederationError> {
        let path = self.folder.join(name);
        if let Some(folder) = path.parent() {
            files::create_folder(folder)?;
        }
        Ok(files::replace(&path, text.as_bytes(), Mode::Public)?)
    }
}

fn readme(national: &National) -> String {
    let country = national.country;
    let origin = if country == "us" {
        "One incident per event that US Customs and Border Protection published in fiscal years 2020 to 2023. Year, month,\n\
         component, region, land filter, area and drug are the published ones; quantities add up to the published sums.\n\
         Everything else is invented."
    } else {
        "Wholly invented by a seeded generator. The figures say nothing about any country."
    };
    format!(
        "# SYNTHETIC incidents of `{country}`\n\nNo incident in `{}` is real. {origin}\n\nNo document in `documents.csv` is real.\n",
        national.file
    )
}

fn node_toml(national: &National) -> String {
    let National { country, file, format, view, .. } = national;
    let columns: Vec<String> = national
        .column_types()
        .iter()
        .map(|(name, kind)| format!("    {{ name = \"{name}\", type = \"{kind}\" }},"))
        .collect();
    let lookups = documents::of(country).map_or("", |_| documents::SETTINGS);
    let columns = if columns.is_empty() {
        String::new()
    } else {
        format!("columns = [\n{}\n]\n", columns.join("\n"))
    };
    format!(
        r#"# The demonstration's node of `{country}`. Paths are relative to this file.
federation = "demo"
country = "{country}"
listen = "127.0.0.1:0"
address_file = "address"
state = "state"
policy = "policy/active.json"

[pki]
authorities = "../pki/ca"
revocations = "../pki/crl"
certificate = "../pki/node-{country}/tls.crt"
key = "../pki/node-{country}/tls.key"
answer_key = "../pki/node-{country}/answer.key"
log_key = "../pki/node-{country}/log.key"
cosign_key = "../pki/node-{country}/cosign.key"
sealing_key = "../pki/node-{country}/sealing.key"
roster = "../pki/roster.json"
roster_keys = "../pki/roster.keys"

[log]
retention_days = 3650
witnesses = 3

[limits]
deadline = "8s"
questions = 4
workers = 1
cores = 2
memory = "256MiB"

# The country's own file, under its own names.
[[sources]]
name = "incidents"
format = "{format}"
path = "data/{file}"
{columns}
# How it maps to the federation's dataset.
[[datasets]]
name = "seizures"
view = """
{view}
"""
{lookups}"#
    )
}

fn gateway_toml() -> String {
    let mut text = String::from(
        r#"# The demonstration's gateway. Paths are relative to this file.
federation = "demo"
number = 1
listen = "127.0.0.1:0"
address_file = "address"
state = "state"

[pki]
authorities = "../pki/ca"
revocations = "../pki/crl"
certificate = "../pki/gateway-1/tls.crt"
key = "../pki/gateway-1/tls.key"
client_certificate = "../pki/gateway-1/client.crt"
client_key = "../pki/gateway-1/client.key"
answer_key = "../pki/gateway-1/answer.key"
log_key = "../pki/gateway-1/log.key"
cosign_key = "../pki/gateway-1/cosign.key"
roster = "../pki/roster.json"
roster_keys = "../pki/roster.keys"

[log]
retention_days = 3650
witnesses = 3
"#,
    );
    for National { country, .. } in &national::ALL {
        let node = format!(
            "\n[[nodes]]\ncountry = \"{country}\"\naddress_file = \"../{country}/address\"\n"
        );
        // Writing into a string does not fail.
        let _written = text.write_str(&node);
    }
    text
}

fn profile_toml(country: &str, person: &str) -> String {
    let keys = format!("../pki/{country}-analyst-{person}");
    format!(
        r#"# The profile of the demonstration's analyst `{person}`. Paths are relative to this file.
federation = "demo"
identity = "spiffe://demo/country/{country}/analyst/{person}"
state = "state-{country}-{person}"

[gateway]
identity = "spiffe://demo/gateway/1"
address_file = "../gateway/address"

[pki]
authorities = "../pki/ca"
revocations = "../pki/crl"
certificate = "{keys}/tls.crt"
key = "{keys}/tls.key"
question_key = "{keys}/question.key"
roster = "../pki/roster.json"
roster_keys = "../pki/roster.keys"
"#
    )
}

#[cfg(test)]
mod tests {
    use super::{ANALYSTS, Federation, POLICIES, PROFILE, gateway_toml, node_toml, profile_toml};
    use crate::demo::incidents::national;
    use mayag_audit::keys::sha256;
    use mayag_desk::profile::Profile;
    use mayag_gateway::config::GatewayConfig;
    use mayag_node::config::NodeConfig;
    use mayag_policies::catalogue::Catalogue;
    use mayag_policies::document::Policy;
    use std::collections::BTreeSet;

    #[test]
    fn every_policy_is_valid_and_no_two_are_the_same() {
        let mut rules = BTreeSet::new();
        for (country, text) in POLICIES {
            let policy = Policy::parse(text.as_bytes(), &Catalogue::builtin(), sha256).unwrap();
            assert_eq!(policy.country().as_str(), country);
            let document: serde_json::Value = serde_json::from_str(text).unwrap();
            assert!(rules.insert(document["grants"][0]["columns"].to_string()), "{country}");
        }
    }

    #[test]
    fn every_setting_is_one_its_program_reads() {
        for national in &national::ALL {
            let config = NodeConfig::parse(&node_toml(national)).unwrap();
            assert_eq!(config.country.as_str(), national.country);
        }
        assert_eq!(GatewayConfig::parse(&gateway_toml()).unwrap().nodes.len(), 5);
        for (country, person) in ANALYSTS {
            Profile::parse(&profile_toml(country, person)).unwrap();
        }
    }

    #[test]
    fn all_files_are_where_the_settings_look_for_them() {
        let folder = tempfile::tempdir().unwrap();
        let federation = Federation { folder: folder.path() };
        federation.make_certificates("2026-11-23T12:00:00Z".parse().unwrap()).unwrap();
        federation.write_settings().unwrap();
        let profile = Profile::read(&folder.path().join(PROFILE)).unwrap();
        assert!(
            profile.pki.key.exists()
                && profile.pki.question_key.exists()
                && profile.pki.roster.exists()
        );
        let gateway = GatewayConfig::read(&folder.path().join("gateway/gateway.toml")).unwrap();
        assert!(gateway.pki.client_key.exists() && gateway.pki.answer_key.exists());
        let node = NodeConfig::read(&folder.path().join("kr/node.toml")).unwrap();
        assert!(node.pki.log_key.exists() && node.policy.exists());
    }
}
