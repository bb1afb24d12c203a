//! Six countries, their gateways and the people of a corpus, over one of the fixture databases: real processes, real
//! certificates, signed questions.
//!
//! A node that has answered remembers it (cells, budgets, noise). [`Federation::forget`] gives such nodes a new state
//! folder, and with it a new secret.

use super::corpus::{Epoch, Event, Statement};
use super::fixture::{self, COUNTRIES, Database};
use super::said::{Said, read};
use crate::party;
use crate::world::{ADMINISTRATORS, FEDERATION, now};
use mayag_certs_dev::generate;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::{PersonPlan, Plan};
use mayag_desk::desk::{Desk, Request};
use mayag_desk::profile::Profile;
use mayag_protocol::identity::Party;
use mayag_protocol::names::{Country, NameError};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::Ask;
use mayag_transport::clock::SystemClock;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Everybody who asks is of this country: not the one whose data are attacked.
const HOME: &str = "de";

const CATALOGUE: &str = include_str!("../../attacks/catalogue.json");
const POLICY: &str = include_str!("../../attacks/policy.json");

/// The federation's floor of units in a cell.
const FLOOR: u64 = mayag_policies::document::written::LEAST_MIN_UNITS;

/// Who and what a corpus needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Crew {
    /// Role and name of everybody who asks.
    people: BTreeSet<(String, String)>,
    gateways: u16,
}

/// What the nodes share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Regime {
    /// The policy of the corpora: protected answers, computed when asked for.
    Live,
    /// Nothing but a merged release of several countries, which this product does not have.
    MergedOnly,
    /// The units are no persons: no noise, no guard, exact numbers, small cells withheld. For random questions.
    Exact,
    /// The same with no more protection than the floors of the federation. For the tests of the harness itself.
    Naked,
}

/// A running federation. Its processes are killed when it is dropped.
pub struct Federation {
    folder: TempDir,
    runtime: Runtime,
    database: Database,
    regime: Regime,
    policy: u64,
    grant: Option<serde_json::Value>,
    epoch: Epoch,
    nodes: BTreeMap<&'static str, Child>,
    gateways: Vec<Child>,
    desks: BTreeMap<(String, String, u16), Desk>,
    answered: BTreeSet<&'static str>,
}

impl std::fmt::Debug for Federation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Federation({})", self.database.name())
    }
}

impl Crew {
    /// Whoever these statements need.
    pub fn of(statements: &[&Statement]) -> Self {
        let mut crew = Self { people: BTreeSet::new(), gateways: 1 };
        for statement in statements {
            crew.people.insert((statement.role.clone(), statement.analyst.clone()));
            crew.gateways = crew.gateways.max(statement.gateway);
        }
        crew
    }
}

impl Federation {
    /// Makes and starts a federation.
    pub fn start(database: Database, regime: Regime, crew: &Crew) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let mut federation = Self {
            folder,
            runtime: runtime.expect("a runtime"),
            database,
            regime,
            policy: 1,
            grant: None,
            epoch: Epoch::Now,
            nodes: BTreeMap::new(),
            gateways: Vec::new(),
            desks: BTreeMap::new(),
            answered: BTreeSet::new(),
        };
        federation.write_files(crew);
        federation.start_nodes(&COUNTRIES);
        for number in 1..=crew.gateways {
            federation.start_gateway(number);
        }
        federation.open_desks(crew);
        federation
    }

    /// The folder of the federation.
    pub fn dir(&self) -> &Path {
        self.folder.path()
    }

    /// Every node gets a new state folder: a new secret, no history.
    pub fn renew(&mut self) {
        self.answered = COUNTRIES.into_iter().collect();
        self.forget();
    }

    /// Nodes that have answered something get a new state folder; all get what they had at the beginning.
    pub fn forget(&mut self) {
        let mut old: Vec<&'static str> = std::mem::take(&mut self.answered).into_iter().collect();
        if self.policy != 1 || self.epoch != Epoch::Now {
            old = COUNTRIES.to_vec();
        }
        self.stop_nodes(&old);
        (self.policy, self.epoch) = (1, Epoch::Now);
        for country in &old {
            let state = self.node_folder(country).join("state");
            drop(std::fs::remove_dir_all(state));
            self.write_node(country);
        }
        self.start_nodes(&old);
    }

    /// What the nodes share from now on. Forgets everything.
    pub fn govern(&mut self, regime: Regime) {
        self.regime = regime;
        self.renew();
    }

    /// The one grant of every country from now on, in the place of the regime's. Forgets everything.
    pub fn grant(&mut self, grant: serde_json::Value) {
        self.grant = Some(grant);
        self.renew();
    }

    /// Sends a statement as often as it says, after everything it wants to happen has happened.
    pub fn send(&mut self, statement: &Statement) -> Vec<Said> {
        self.arrange(statement);
        let mut away = Vec::new();
        for event in &statement.events {
            match event {
                Event::Away(country) => away.extend(known(country)),
                Event::Restart(country) => {
                    let country: Vec<_> = known(country).into_iter().collect();
                    self.stop_nodes(&country);
                    self.start_nodes(&country);
                }
                Event::RestartGateway => {
                    let mut gateway = self.gateways.remove(0);
                    drop(gateway.kill());
                    drop(gateway.wait());
                    self.start_gateway(1);
                    self.gateways.rotate_right(1);
                }
            }
        }
        self.stop_nodes(&away);
        let said = if statement.sql.trim().is_empty() {
            Vec::new()
        } else {
            (0..statement.repeat).map(|_| self.ask(statement)).collect()
        };
        self.start_nodes(&away);
        said
    }

    /// Files that hold something hidden and are not the nodes' data.
    pub fn spilled(&self) -> Vec<PathBuf> {
        let mut files = Vec::new();
        walk(self.dir(), &mut files);
        files.retain(|path| {
            let inside = path.parent().is_some_and(|folder| folder.ends_with("data"));
            let text = std::fs::read(path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text);
            !inside && fixture::HIDDEN.iter().any(|hidden| text.contains(hidden))
        });
        files
    }

    /// The epoch and the policy that a statement is asked under. A booking is a new version of every country's data,
    /// whoever is booked.
    fn arrange(&mut self, statement: &Statement) {
        if (self.epoch, self.policy) == (statement.epoch, statement.policy) {
            return;
        }
        (self.epoch, self.policy) = (statement.epoch, statement.policy);
        self.stop_nodes(&COUNTRIES);
        for country in COUNTRIES {
            self.write_node(country);
        }
        self.start_nodes(&COUNTRIES);
    }

    fn ask(&mut self, statement: &Statement) -> Said {
        let key = (statement.role.clone(), statement.analyst.clone(), statement.gateway);
        let desk = self.desks.get(&key).expect("everybody of the corpus has a desk");
        let countries: Option<Result<Vec<Country>, NameError>> = statement
            .nodes
            .as_ref()
            .map(|nodes| nodes.iter().map(|country| country.parse()).collect());
        let countries = match countries.transpose() {
            Ok(countries) => countries,
            Err(error) => return Said::Refused(error.to_string()),
        };
        let request = Request {
            ask: Ask::Sql { sql: statement.sql.clone() },
            purpose: Purpose::Trend,
            case: None,
            legal_basis: None,
            countries,
        };
        let reply = self.runtime.block_on(desk.ask_for_cells(&request, &mut |_| {}));
        let said = read(reply);
        if let Said::Answered(answer) = &said {
            let answered = answer.countries.iter().filter(|(_, outcome)| !outcome.refused());
            self.answered.extend(answered.filter_map(|(country, _)| known(country)));
        } else if matches!(said, Said::Failed(_)) {
            self.answered.extend(COUNTRIES);
        }
        said
    }

    fn start_nodes(&mut self, countries: &[&'static str]) {
        let mut starting: Vec<(&'static str, PathBuf, Child)> = Vec::new();
        for country in countries.iter().filter(|country| !self.nodes.contains_key(*country)) {
            let folder = self.node_folder(country);
            let child = party::spawn("node", &folder);
            starting.push((country, folder, child));
        }
        for (country, folder, mut child) in starting {
            party::wait_for_address(&folder, &mut child);
            self.nodes.insert(country, child);
        }
    }

    fn stop_nodes(&mut self, countries: &[&'static str]) {
        let mut stopping: Vec<Child> =
            countries.iter().filter_map(|country| self.nodes.remove(country)).collect();
        for child in &mut stopping {
            drop(child.kill());
        }
        for child in &mut stopping {
            drop(child.wait());
        }
    }

    fn start_gateway(&mut self, number: u16) {
        let folder = self.dir().join(format!("gateway-{number}"));
        let mut child = party::spawn("gateway", &folder);
        party::wait_for_address(&folder, &mut child);
        self.gateways.push(child);
    }

    fn open_desks(&mut self, crew: &Crew) {
        for (role, name) in &crew.people {
            for number in 1..=crew.gateways {
                let profile = profile_path(self.dir(), &person(role, name), number);
                let profile = Profile::read(&profile).expect("a profile");
                let desk = {
                    // Opening prepares connections, which wants a runtime.
                    let _inside = self.runtime.enter();
                    Desk::open(profile, Arc::new(SystemClock)).expect("a desk")
                };
                self.desks.insert((role.clone(), name.clone(), number), desk);
            }
        }
    }

    fn node_folder(&self, country: &str) -> PathBuf {
        self.dir().join(country)
    }

    fn write_files(&self, crew: &Crew) {
        let mut plan = Plan::new(FEDERATION, &COUNTRIES, now()).expect("a plan");
        plan.gateways = crew.gateways;
        plan.people = crew.people.iter().map(|(role, name)| person_plan(role, name)).collect();
        if plan.people.is_empty() {
            plan.people.push(person_plan("analyst", "ana"));
        }
        for country in COUNTRIES {
            for id in ADMINISTRATORS {
                plan = plan.with_administrator(country, id).expect("an administrator");
            }
        }
        generate(&plan, self.dir()).expect("a development PKI");
        write(&self.dir().join("catalogue.json"), &self.regime.catalogue());
        for country in COUNTRIES {
            let config = include_str!("node.toml").replace("{country}", country);
            write(&self.node_folder(country).join("node.toml"), &config);
            self.write_node(country);
        }
        for number in 1..=crew.gateways {
            self.write_gateway(number);
            for (role, name) in &crew.people {
                let person = person(role, name);
                let text = include_str!("profile.toml")
                    .replace("{country}", HOME)
                    .replace("{person}", &person)
                    .replace("{number}", &number.to_string());
                write(&profile_path(self.dir(), &person, number), &text);
            }
        }
    }

    fn write_gateway(&self, number: u16) {
        let mut text = include_str!("gateway.toml").replace("{number}", &number.to_string());
        for country in COUNTRIES {
            write!(
                text,
                "\n[[nodes]]\ncountry = \"{country}\"\naddress_file = \"../{country}/address\"\n"
            )
            .expect("a String");
        }
        write(&self.dir().join(format!("gateway-{number}/gateway.toml")), &text);
    }

    /// A country's rows and policy, as of now.
    fn write_node(&self, country: &str) {
        let database = match self.epoch {
            Epoch::Before => Database::Minus,
            Epoch::Now => self.database,
        };
        let rows = database.rows();
        write(
            &self.node_folder(country).join("data/seizures.csv"),
            &fixture::csv(&fixture::of_country(&rows, country)),
        );
        self.write_policy(country);
    }

    fn write_policy(&self, country: &str) {
        let policy = self.regime.policy(country, self.policy, self.grant.as_ref());
        let pki = Pki::open(self.dir()).expect("the development PKI");
        let signed = pki.sign_policy(&country.parse().expect("a country"), policy.as_bytes());
        write(
            &self.node_folder(country).join("policy/active.json"),
            &signed.expect("a signed policy"),
        );
    }
}

impl Drop for Federation {
    fn drop(&mut self) {
        for child in self.nodes.values_mut().chain(&mut self.gateways) {
            drop(child.kill());
            drop(child.wait());
        }
    }
}

impl Regime {
    /// The catalogue: whether the units are persons.
    fn catalogue(self) -> String {
        let mut catalogue: serde_json::Value = serde_json::from_str(CATALOGUE).expect("JSON");
        match self {
            Self::Live | Self::MergedOnly => {}
            Self::Exact | Self::Naked => {
                catalogue["datasets"][0]["units"][0]["person"] = false.into();
            }
        }
        catalogue.to_string()
    }

    /// The policy of a country. A later version asks for two units more: it narrows.
    fn policy(self, country: &str, version: u64, instead: Option<&serde_json::Value>) -> String {
        let mut policy: serde_json::Value = serde_json::from_str(POLICY).expect("JSON");
        policy["policy"] = country.into();
        policy["serial"] = version.into();
        let grant = &mut policy["grants"][0];
        grant["min_units"] = (8 + 2 * version).into();
        match self {
            Self::Live => {}
            Self::MergedOnly => grant["to"]["roles"] = vec!["merged-release"].into(),
            Self::Exact | Self::Naked => {
                grant["noise"] = "off".into();
                grant["difference_guard"] = "off".into();
                grant["min_units"] = FLOOR.into();
            }
        }
        if let Some(instead) = instead {
            *grant = instead.clone();
        }
        serde_json::to_string_pretty(&policy).expect("JSON")
    }
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            walk(&path, files);
        } else {
            files.push(path);
        }
    }
}

fn known(country: &str) -> Option<&'static str> {
    COUNTRIES.into_iter().find(|known| *known == country)
}

/// The id of whoever has this role and name.
fn person(role: &str, name: &str) -> String {
    if role == "analyst" { name.to_owned() } else { format!("{role}-{name}") }
}

fn person_plan(role: &str, name: &str) -> PersonPlan {
    let party = Party::Analyst(
        HOME.parse().expect("a country"),
        person(role, name).parse().expect("an id"),
    );
    PersonPlan { party, roles: vec![role.parse().expect("a role")], purposes: vec![Purpose::Trend] }
}

fn profile_path(folder: &Path, person: &str, number: u16) -> PathBuf {
    folder.join("desk").join(format!("{person}-{number}.toml"))
}

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    let mut file = std::fs::File::create(path).expect("a file");
    std::io::Write::write_all(&mut file, text.as_bytes()).expect("a file");
}
