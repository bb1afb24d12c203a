//! A federation on this machine: one folder, one process per node, one for the gateway, certificates made on the spot.
//!
//! The processes are those of the binary `mayag` that Cargo built beside the test. Nothing is mocked: what a test sees
//! is what an operator would.

pub mod lookups;

use crate::logs;
use mayag_audit::entry::Entry;
use mayag_audit::party::Book;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::{PersonPlan, Plan};
use mayag_certs_dev::{Summary, generate};
use mayag_protocol::identity::{Identity, Party};
use mayag_protocol::names::Country;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The federation's name in every test.
pub const FEDERATION: &str = "test";

/// What stands in every hidden column of every node; it must never be seen anywhere else.
pub const CANARY: &str = "CANARY-5d1e-HIDDEN";

/// The administrators of every country.
pub const ADMINISTRATORS: [&str; 2] = ["ada", "bo"];

/// How long a process may take to listen: debug builds on a busy machine are slow.
const START: Duration = Duration::from_mins(1);

/// One country to be.
#[derive(Debug, Clone)]
pub struct CountrySpec {
    /// Its code.
    pub country: &'static str,
    /// Its incidents.
    pub incidents: Vec<Incident>,
    /// Its policy, as JSON.
    pub policy: String,
}

/// One row of the dataset `seizures`.
#[derive(Debug, Clone)]
pub struct Incident {
    /// `YYYY-MM-DD`.
    pub seized_on: String,
    /// One of the catalogue's drugs.
    pub drug: &'static str,
    /// Any text.
    pub region: String,
    /// In thousandths of a pound; `None` is NULL.
    pub quantity_milli: Option<i64>,
}

/// A policy that shares `seizures` with every analyst for trends.
pub fn open_policy(country: &str, min_units: u64) -> String {
    include_str!("world/open_policy.json")
        .replace("\"xx\"", &format!("\"{country}\""))
        .replace("\"min_units\": 10", &format!("\"min_units\": {min_units}"))
}

/// `count` incidents of each drug, spread over months and regions, quantities of 1.5 lb and up.
pub fn plain_incidents(drugs: &[&'static str], count: usize) -> Vec<Incident> {
    let one = |drug: &&'static str, i: usize| Incident {
        seized_on: format!("2022-{:02}-{:02}", i % 12 + 1, i % 28 + 1),
        drug,
        region: ["North", "South"][i % 2].to_owned(),
        quantity_milli: Some(1_500 + i64::try_from(i).unwrap_or(0) * 10),
    };
    drugs.iter().flat_map(|drug| (0..count).map(move |i| one(drug, i))).collect()
}

/// A running federation. Its processes are killed when it is dropped.
#[derive(Debug)]
pub struct World {
    folder: TempDir,
    /// What the development PKI made.
    pub pki: Summary,
    nodes: BTreeMap<String, Child>,
    gateway: Option<Child>,
}

impl World {
    /// Makes the files of a federation without starting anything.
    pub fn prepare(specs: &[CountrySpec]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let codes: Vec<&str> = specs.iter().map(|spec| spec.country).collect();
        let mut plan = Plan::new(FEDERATION, &codes, now()).expect("a plan");
        plan.people = codes.iter().map(|code| analyst(code)).collect();
        for code in &codes {
            for id in ADMINISTRATORS {
                plan = plan.with_administrator(code, id).expect("an administrator");
            }
        }
        let pki = generate(&plan, folder.path()).expect("a development PKI");
        let world = Self { folder, pki, nodes: BTreeMap::new(), gateway: None };
        for spec in specs {
            world.write_country(spec);
        }
        world.write_gateway(&codes);
        for code in &codes {
            world.write_profile(code);
        }
        world
    }

    /// Makes and starts a federation: every node, then the gateway.
    pub fn start(specs: &[CountrySpec]) -> Self {
        let mut world = Self::prepare(specs);
        for spec in specs {
            world.start_node(spec.country);
        }
        world.start_gateway();
        world
    }

    /// Starts a country's node and waits until it listens.
    pub fn start_node(&mut self, country: &str) {
        let mut child = self.spawn("node", &self.dir().join(country).join("node.toml"), country);
        self.wait_for_address(country, &mut child);
        self.nodes.insert(country.to_owned(), child);
    }

    /// The entries of a country's log of questions, once they are what is waited for.
    pub fn logged(&self, country: &str, awaited: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
        self.logged_in(country, Book::Questions, awaited)
    }

    /// The entries of the gateway's log of questions, once they are as awaited.
    pub fn carried(&self, awaited: impl Fn(&[Entry]) -> bool) -> Vec<Entry> {
        let folder = self.dir().join("gateway");
        logs::entries_when((self.dir(), &folder, &gateway_identity(), Book::Questions), awaited)
    }

    /// The same of one of a country's two logs.
    pub fn logged_in(
        &self,
        country: &str,
        book: Book,
        awaited: impl Fn(&[Entry]) -> bool,
    ) -> Vec<Entry> {
        let federation = FEDERATION.parse().expect("a federation");
        let party = Identity::node(&federation, &country.parse().expect("a country"));
        logs::entries_when((self.dir(), &self.dir().join(country), &party, book), awaited)
    }

    /// Starts a country's node, or says what it said when it ended instead.
    pub fn try_start_node(&mut self, country: &str) -> Result<(), String> {
        let before = self.stderr(country).len();
        let mut child = self.spawn("node", &self.dir().join(country).join("node.toml"), country);
        let listens = self.listens(country, &mut child);
        self.nodes.insert(country.to_owned(), child);
        if listens {
            return Ok(());
        }
        self.kill_node(country);
        Err(self.stderr(country).split_off(before))
    }

    /// Starts the gateway and waits until it listens.
    pub fn start_gateway(&mut self) {
        let mut child = self.spawn("gateway", &self.dir().join("gateway/gateway.toml"), "gateway");
        self.wait_for_address("gateway", &mut child);
        self.gateway = Some(child);
    }

    /// The process of the gateway.
    pub fn gateway_process(&self) -> u32 {
        self.gateway.as_ref().expect("a gateway that runs").id()
    }

    /// Kills a country's node with SIGKILL.
    pub fn kill_node(&mut self, country: &str) {
        if let Some(mut child) = self.nodes.remove(country) {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }

    /// Kills the gateway with SIGKILL.
    pub fn kill_gateway(&mut self) {
        if let Some(mut child) = self.gateway.take() {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }

    /// Stops a country's node where it stands (SIGSTOP), or lets it go on (SIGCONT).
    pub fn signal_node(&self, country: &str, signal: &str) {
        let pid = self.nodes[country].id().to_string();
        assert!(Command::new("kill").args([signal, &pid]).status().expect("kill").success());
    }

    /// The folder of the federation.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// The address that a party (a country code, or `gateway`) listens on.
    pub fn address(&self, party: &str) -> String {
        std::fs::read_to_string(self.dir().join(party).join("address"))
            .expect("an address file")
            .trim()
            .to_owned()
    }

    /// What a party's process wrote to stderr so far.
    pub fn stderr(&self, party: &str) -> String {
        std::fs::read_to_string(self.stderr_path(party)).unwrap_or_default()
    }

    /// The profile of a country's analyst.
    pub fn profile(&self, country: &str) -> PathBuf {
        self.dir().join("desk").join(format!("{country}-analyst-ana.toml"))
    }

    /// Runs `mayag` with these arguments.
    pub fn mayag(&self, arguments: &[&str]) -> Output {
        Command::new(binary()).args(arguments).current_dir(self.dir()).output().expect("mayag runs")
    }

    /// Asks as a country's analyst, for trends; as CSV unless `more` says otherwise.
    pub fn ask(&self, country: &str, sql: &str, more: &[&str]) -> Output {
        let profile = self.profile(country);
        let profile = profile.to_str().expect("a path in UTF-8");
        let arguments = ["ask", "--profile", profile, "--purpose", "TREND", "--progress", "plain"];
        let format: &[&str] = if more.contains(&"--format") { &[] } else { &["--format", "csv"] };
        self.mayag(&[&arguments, format, more, &["-c", sql]].concat())
    }

    fn stderr_path(&self, party: &str) -> PathBuf {
        self.dir().join(party).join("stderr.log")
    }

    fn spawn(&self, command: &str, config: &Path, party: &str) -> Child {
        logs::begin(command, &self.dir().join(party));
        drop(std::fs::remove_file(self.dir().join(party).join("address")));
        let stderr = File::options()
            .append(true)
            .create(true)
            .open(self.stderr_path(party))
            .expect("a log file");
        Command::new(binary())
            .arg(command)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(stderr)
            .spawn()
            .expect("mayag starts")
    }

    fn wait_for_address(&self, party: &str, child: &mut Child) {
        if !self.listens(party, child) {
            // Nobody else will: the world is not whole yet.
            drop(child.kill());
            panic!("{party} did not listen within {START:?}; it said:\n{}", self.stderr(party));
        }
    }

    /// Whether a process comes to listen, before it ends and before [`START`] has passed.
    fn listens(&self, party: &str, child: &mut Child) -> bool {
        let path = self.dir().join(party).join("address");
        let step = Duration::from_millis(20);
        for _ in 0..START.as_millis() / step.as_millis() {
            if path.exists() {
                return true;
            }
            if child.try_wait().expect("a child").is_some() {
                return false;
            }
            std::thread::sleep(step);
        }
        false
    }

    fn write_country(&self, spec: &CountrySpec) {
        let folder = self.dir().join(spec.country);
        write(&folder.join("data/incidents.csv"), &csv(spec));
        self.write_policy(spec.country, &spec.policy);
        write(
            &folder.join("node.toml"),
            &include_str!("world/node.toml").replace("{country}", spec.country),
        );
    }

    /// Replaces a country's policy by this text, signed by both of its administrators. The node reads it at its next
    /// start or reload.
    pub fn write_policy(&self, country: &str, text: &str) {
        let pki = Pki::open(self.dir()).expect("the development PKI");
        let country_code = country.parse().expect("a country");
        let signed = pki.sign_policy(&country_code, text.as_bytes()).expect("a signed policy");
        write(&self.dir().join(country).join("policy/active.json"), &signed);
    }

    fn write_gateway(&self, codes: &[&str]) {
        let mut text = include_str!("world/gateway.toml").to_owned();
        for code in codes {
            write!(
                text,
                "\n[[nodes]]\ncountry = \"{code}\"\naddress_file = \"../{code}/address\"\n"
            )
            .expect("a String");
        }
        write(&self.dir().join("gateway/gateway.toml"), &text);
    }

    fn write_profile(&self, country: &str) {
        write(
            &self.profile(country),
            &include_str!("world/profile.toml").replace("{country}", country),
        );
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for child in self.nodes.values_mut().chain(&mut self.gateway) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

/// The identity of a country's analyst.
pub fn analyst_identity(country: &str) -> Identity {
    format!("spiffe://{FEDERATION}/country/{country}/analyst/ana").parse().expect("an identity")
}

/// The gateway of the test federation.
pub fn gateway_identity() -> Identity {
    format!("spiffe://{FEDERATION}/gateway/1").parse().expect("an identity")
}

/// A federation in which `kr` answers and `us` refuses.
pub fn one_answers_and_one_refuses() -> World {
    let spec = |country, policy| CountrySpec {
        country,
        incidents: plain_incidents(&["Cocaine", "Heroin"], 20),
        policy,
    };
    let closed = open_policy("us", 10).replace("\"drug\": { \"dimension\": {} },", "");
    World::start(&[spec("kr", open_policy("kr", 10)), spec("us", closed)])
}

/// The identity of a country's node.
pub fn node_identity(country: &str) -> Identity {
    format!("spiffe://{FEDERATION}/country/{country}/node").parse().expect("an identity")
}

/// The present instant.
pub fn now() -> Timestamp {
    SystemClock.now()
}

/// The binary `mayag` beside the running test.
pub fn binary() -> PathBuf {
    let test = std::env::current_exe().expect("the path of this test");
    let folder = test.ancestors().find(|folder| folder.join("mayag").is_file());
    folder
        .expect(
            "the binary `mayag` beside the tests: build it first with `cargo build -p mayag-cli`",
        )
        .join("mayag")
}

fn analyst(code: &str) -> PersonPlan {
    let country: Country = code.parse().expect("a country");
    PersonPlan {
        party: Party::Analyst(country, "ana".parse().expect("an id")),
        roles: vec!["analyst".parse().expect("a role")],
        purposes: vec![Purpose::Trend, Purpose::Investigate],
    }
}

fn csv(spec: &CountrySpec) -> String {
    let mut text = String::from("id,seized_on,drug,region,quantity,note\n");
    for (i, incident) in spec.incidents.iter().enumerate() {
        let quantity = incident.quantity_milli.map(|milli| {
            format!(
                "{}{}.{:03}",
                if milli < 0 { "-" } else { "" },
                milli.abs() / 1000,
                milli.abs() % 1000
            )
        });
        writeln!(
            text,
            "{}-{i:06},{},{},{},{},{CANARY}-{}-{i}",
            spec.country,
            incident.seized_on,
            incident.drug,
            incident.region,
            quantity.unwrap_or_default(),
            spec.country
        )
        .expect("a String");
    }
    text
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = File::create(path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file");
}
