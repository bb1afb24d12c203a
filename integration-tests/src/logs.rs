//! The logs of a federation on this machine: begun as an operator begins them, and read as an auditor reads them.

use crate::world::now;
use mayag_audit::entry::Entry;
use mayag_audit::party::{self, Book};
use mayag_audit::quorum::Policy;
use mayag_audit::tree::Hash;
use mayag_audit::verify::{Against, Watch, verify};
use mayag_certs_dev::pki::Pki;
use mayag_gateway::config::GatewayConfig;
use mayag_node::config::NodeConfig;
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Clock;
use mayag_transport::clock::SystemClock;
use mayag_transport::files::{self, Mode};
use mayag_transport::log_files::PublishedFiles;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long an entry may take to come under a checkpoint.
const PATIENCE: Duration = Duration::from_secs(10);

/// Begins the logs of a node or gateway whose configuration is in `folder`, if it has none.
pub fn begin(command: &str, folder: &Path) {
    if folder.join("state").join(Book::Questions.as_str()).exists() {
        return;
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    if command == "node" {
        let config = NodeConfig::read(&folder.join("node.toml")).expect("a configuration");
        mayag_node::init_logs(&config, &clock).expect("logs of a node");
    } else {
        let config = GatewayConfig::read(&folder.join("gateway.toml")).expect("a configuration");
        mayag_gateway::init_logs(&config, &clock).expect("logs of a gateway");
    }
}

/// The published files of a log.
pub fn published(folder: &Path, book: Book) -> PathBuf {
    folder.join("state").join(book.as_str()).join(party::year(now())).join("published")
}

/// The entries of a log that are under its checkpoint, verified with the keys of the roster.
pub fn entries(dir: &Path, folder: &Path, party: &Identity, book: Book) -> Vec<Entry> {
    let roster: Roster = Pki::open(dir).expect("the PKI").roster().expect("a roster");
    let member = member(&roster, party);
    let origin = party::origin(party, book, &party::year(now())).expect("a log's name");
    let keys = party::key_file(&roster, member, &origin).expect("keys");
    let policy = Policy::of_keys(&keys, 0).expect("a policy");
    let against = Against { policy: &policy, now: now(), older: None };
    let mut read = Read::default();
    let tiles = PublishedFiles(published(folder, book));
    if let Err(fault) = verify(&tiles, &against, &mut read) {
        panic!("{origin}: {fault}");
    }
    read.0
}

/// Writes the list of all logs of these parties (country codes, or `gateway`) as `verify.txt`, with their keys.
pub fn list(dir: &Path, parties: &[(&str, Identity)]) {
    let roster: Roster = Pki::open(dir).expect("the PKI").roster().expect("a roster");
    let year = party::year(now());
    let mut list = String::new();
    for (folder, party) in parties {
        for book in Book::ALL {
            let origin = party::origin(party, book, &year).expect("a log's name");
            let keys = party::key_file(&roster, member(&roster, party), &origin).expect("keys");
            let name = format!("{folder}/{}.keys", book.as_str());
            files::replace(&dir.join(&name), keys.as_bytes(), Mode::Public).expect("a key file");
            let log = format!("{folder}/state/{}/{year}/published", book.as_str());
            writeln!(list, "{log} {name} 0").expect("a string takes everything");
        }
    }
    files::replace(&dir.join("verify.txt"), list.as_bytes(), Mode::Public).expect("a list");
}

/// The entries of a log, once they are what is waited for.
pub fn entries_when(
    (dir, folder, party, book): (&Path, &Path, &Identity, Book),
    awaited: impl Fn(&[Entry]) -> bool,
) -> Vec<Entry> {
    let step = Duration::from_millis(20);
    for _ in 0..PATIENCE.as_millis() / step.as_millis() {
        let entries = entries(dir, folder, party, book);
        if awaited(&entries) {
            return entries;
        }
        std::thread::sleep(step);
    }
    panic!("not logged within {PATIENCE:?}: {:?}", entries(dir, folder, party, book));
}

fn member<'a>(roster: &'a Roster, party: &Identity) -> &'a Member {
    party::members(roster).find(|member| member.identity == *party).expect("a member")
}

#[derive(Default)]
struct Read(Vec<Entry>);

impl Watch for Read {
    fn entry(&mut self, _: u64, bytes: &[u8], _: &Hash) -> Result<(), String> {
        self.0.push(Entry::parse(bytes).map_err(|error| error.to_string())?);
        Ok(())
    }
}
