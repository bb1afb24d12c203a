//! The logs of the demonstration: begun before the processes start, and listed for whoever wants to verify them.

use super::federation::{Federation, FederationError};
use super::incidents::national;
use crate::command::audit;
use mayag_audit::party::{self, Book};
use mayag_certs_dev::pki::Pki;
use mayag_gateway::config::GatewayConfig;
use mayag_node::config::NodeConfig;
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::timestamp::Clock;
use mayag_transport::clock::SystemClock;
use mayag_transport::files::{self, Mode};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The list of all logs, for `mayag audit verify --list` and other verifiers: `LOG KEYS QUORUM` a line.
const LIST: &str = "verify.txt";

/// Witnesses that must have cosigned, in every configuration of the demonstration.
pub(super) const WITNESSES: usize = 3;

/// How long logs must stay as they are until they hold everything: two checkpoints.
const SETTLED: Duration = Duration::from_secs(2);

/// How long the last entries may take to be cosigned.
const PATIENCE: Duration = Duration::from_secs(30);

impl Federation<'_> {
    /// Verifies all logs as an auditor does, once their last entries are in them and cosigned; how many entries there are.
    pub(crate) async fn verify_logs(&self) -> Result<u64, FederationError> {
        let until = Instant::now() + PATIENCE;
        let mut found: Option<(u64, Instant)> = None;
        loop {
            match audit::verify::all(&self.folder.join(LIST)) {
                // Nobody asks any more: what is not under a checkpoint after two of them does not exist.
                Ok(entries) => match found {
                    Some((before, since)) if before == entries => {
                        if SETTLED <= since.elapsed() {
                            return Ok(entries);
                        }
                    }
                    Some(_) | None => found = Some((entries, Instant::now())),
                },
                Err(why) if until <= Instant::now() => return Err(FederationError::Logs(why)),
                Err(_) => found = None,
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Begins the logs of all nodes and of the gateway, and lists them.
    pub(crate) fn begin_logs(&self) -> Result<(), FederationError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let year = party::year(clock.now());
        let roster: Roster = Pki::open(self.folder)?.roster()?;
        let mut list = String::new();
        for national in &national::ALL {
            let folder = national.country;
            let config = NodeConfig::read(&self.folder.join(folder).join("node.toml"))?;
            mayag_node::init_logs(&config, &clock).map_err(Box::new)?;
            let party = Identity::node(&config.federation, &config.country);
            list.push_str(&self.listed(&roster, &party, folder, &year)?);
        }
        let config = GatewayConfig::read(&self.folder.join("gateway/gateway.toml"))?;
        mayag_gateway::init_logs(&config, &clock)?;
        list.push_str(&self.listed(&roster, &config.identity(), "gateway", &year)?);
        Ok(files::replace(&self.folder.join(LIST), list.as_bytes(), Mode::Public)?)
    }

    /// The lines of one party's logs; writes their keys.
    fn listed(
        &self,
        roster: &Roster,
        party: &Identity,
        folder: &str,
        year: &str,
    ) -> Result<String, FederationError> {
        let owner = |member: &&Member| member.identity == *party;
        let member = party::members(roster).find(owner).ok_or(FederationError::Roster)?;
        let mut lines = String::new();
        for book in Book::ALL {
            let origin = party::origin(party, book, year)?;
            let keys = format!("{folder}/{}.keys", book.as_str());
            let text = party::key_file(roster, member, &origin)?;
            files::replace(&self.folder.join(&keys), text.as_bytes(), Mode::Public)?;
            let log = format!("{folder}/state/{}/{year}/published", book.as_str());
            // Writing into a string does not fail.
            let _written = writeln!(lines, "{log} {keys} {WITNESSES}");
        }
        Ok(lines)
    }
}
