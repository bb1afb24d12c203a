//! The countries in this process: a pool of worker processes for each, over its rows in a file, and the memory of what it
//! released. All of it is the product's own; what is left out is the line before a question is worked on.

use super::super::catalogues::Setting;
use mayag_audit::keys::Mac;
use mayag_disclosure::DataVersion;
use mayag_integration_tests::attacks::fixture::{self, COUNTRIES, Row};
use mayag_integration_tests::world::binary;
use mayag_node::engine::WorkFailure;
use mayag_node::engine::cells::Part;
use mayag_node::engine::frame::Setup;
use mayag_node::engine::pool::{PoolSettings, WorkerPool};
use mayag_node::engine::sources::SourcesConfig;
use mayag_node::protecting::{execute, protect};
use mayag_node::released::Released;
use mayag_node::secret::Secret;
use mayag_policies::decide::Permit;
use mayag_protocol::names::DatasetName;
use mayag_queries::release::Release;
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::Write as _;
use tempfile::TempDir;
use tokio::time::Instant;

const NODE: &str = include_str!("../../../../src/attacks/node.toml");

/// The data do not change.
const VERSION: DataVersion = DataVersion([7; 32]);

/// All countries, running.
pub(crate) struct Countries(BTreeMap<&'static str, Country>);

struct Country {
    pool: WorkerPool,
    secret: Secret,
    released: Mutex<Released>,
    _folder: TempDir,
}

impl Countries {
    pub(crate) async fn start(setting: &Setting, rows: &[Row]) -> Self {
        let mut countries = BTreeMap::new();
        for (i, name) in (1..).zip(COUNTRIES) {
            let rows = fixture::of_country(rows, name);
            countries.insert(name, Country::start(setting, name, &rows, i).await);
        }
        Self(countries)
    }

    /// What the country signs for these releases.
    pub(crate) async fn answer(
        &self,
        country: &str,
        setting: &Setting,
        permitted: &[(Release, Permit)],
    ) -> Result<Vec<Part>, WorkFailure> {
        let Country { pool, secret, released, .. } = &self.0[country];
        let deadline = Instant::now() + super::LONGEST;
        let worked = execute(pool, &setting.catalogue, permitted, VERSION, deadline).await?;
        let secret = Mac::new(secret.bytes());
        tokio::task::block_in_place(|| protect(worked, &secret, &mut released.lock()))
    }
}

impl Country {
    async fn start(setting: &Setting, name: &str, rows: &[&Row], number: u8) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join("data")).unwrap();
        let mut file = File::create(folder.path().join("data/seizures.csv")).unwrap();
        file.write_all(fixture::csv(rows).as_bytes()).unwrap();
        let secret = Secret::new([number; 32]);
        let settings = PoolSettings {
            program: binary(),
            arguments: vec!["worker".to_owned()],
            folder: folder.path().to_owned(),
            workers: 1,
            cores: 1,
            memory: 256 << 20,
            scan_rows: u64::MAX,
            cells: 1_000_000,
            secret: secret.clone(),
        };
        let (catalogue, country) = (setting.catalogue.clone(), name.parse().unwrap());
        let setup = Setup { catalogue, country, sources: sources() };
        let pool = WorkerPool::start(settings, setup).await.unwrap();
        let seizures: DatasetName = setting.table.name.parse().unwrap();
        let released = Released::open(folder.path(), &[&seizures], &VERSION).unwrap();
        Self { pool, secret, released: Mutex::new(released), _folder: folder }
    }
}

/// The tables of a node of the attacks' federations.
fn sources() -> SourcesConfig {
    let mut node: toml::Table = toml::from_str(NODE).unwrap();
    node.retain(|key, _| key == "sources" || key == "datasets");
    node.try_into().unwrap()
}
