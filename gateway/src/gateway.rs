//! A running gateway's state: its keys, its log, what is in force, and who waits.

use crate::config::{ConfigError, GatewayConfig};
use crate::crowd::Crowd;
use crate::endings::{Endings, LeftOpen};
use crate::memory::Memory;
use crate::receipts::Promises;
use crate::roster::{self, RosterFault, RosterFiles};
use crate::work;
use mayag_audit::detail::Content;
use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::{KeyError, RandomError, SigningKey};
use mayag_audit::log::commit::Kind;
use mayag_audit::nonces::{Nonces, is_forgotten};
use mayag_audit::party::{self, Book, NoLog};
use mayag_policies::catalogue::{self, Catalogue, CatalogueError};
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::{Clock, Timestamp};
use mayag_transport::client::{Client, ClientError};
use mayag_transport::credentials::CredentialsError;
use mayag_transport::files::{self, FilesError};
use mayag_transport::party_logs::{Logged, PartyLogs, PartyLogsError, PartySettings};
use mayag_transport::server::ServerError;
use mayag_transport::trust::{Trust, TrustError, TrustFiles};
use mayag_transport::witness_store::WitnessStore;
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;

/// The folder of what this gateway saw as a witness, inside the state folder.
const WITNESS: &str = "witness";

/// Tails that run at once. Each takes a thread and up to the memory that a tail may use.
const TAILS: usize = 8;

/// Why a gateway does not start, or keeps what was in force.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// The catalogue is unreadable.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// The certificate that nodes are shown cannot be used.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The configuration is unreadable.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A certificate of this gateway, or its key, cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// A file is missing, unreadable, or readable by others.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// A private key is unreadable.
    #[error("{path}: {source}")]
    Key {
        /// The key file.
        path: PathBuf,
        /// Why.
        source: KeyError,
    },
    /// A key of this gateway is not the one the roster lists.
    #[error(
        "the {key} key is not the one that the roster lists for this gateway: sign a new roster or restore the key"
    )]
    KeyNotListed {
        /// Which key.
        key: &'static str,
    },
    /// The certificate is another gateway's.
    #[error("the certificate names `{found}`, not this gateway")]
    OtherCertificate {
        /// Whom it names.
        found: Identity,
    },
    /// The logs are not there, do not go on, or cannot be written.
    #[error(transparent)]
    Logs(#[from] PartyLogsError),
    /// The gateway has no name for a log.
    #[error(transparent)]
    Name(#[from] NoLog),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The roster is not in force.
    #[error(transparent)]
    Roster(#[from] RosterFault),
    /// The address cannot be listened on.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The log file cannot be opened.
    #[error("{path}: {source}")]
    State {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates or revocation lists cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// What a gateway is, for as long as it runs. Has no data of any country and no say over any.
pub struct Gateway {
    config: GatewayConfig,
    identity: Identity,
    clock: Arc<dyn Clock>,
    catalogue: Arc<Catalogue>,
    answer_key: SigningKey,
    logs: Arc<PartyLogs>,
    witness: WitnessStore,
    nonces: Nonces,
    promises: Promises,
    endings: Endings,
    crowd: Arc<Crowd>,
    tails: Arc<Semaphore>,
    memory: Arc<Memory>,
    trust: Arc<Trust>,
    client: Client,
    roster: RwLock<Arc<Roster>>,
    reloading: Mutex<()>,
}

impl fmt::Debug for Gateway {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Gateway({})", self.identity)
    }
}

impl Gateway {
    /// Reads everything a gateway needs, and opens its log.
    pub(crate) fn open(
        config: GatewayConfig,
        clock: Arc<dyn Clock>,
        runtime: Handle,
    ) -> Result<Arc<Self>, GatewayError> {
        let catalogue = Arc::new(read_catalogue(&config)?);
        files::create_folder(&config.state)?;
        let roster = open_roster(&config, clock.as_ref())?;
        let identity = config.identity();
        let answer_key = read_key(&config.pki.answer_key)?;
        let log_key = Arc::new(read_key(&config.pki.log_key)?);
        let member = roster.gateway(&identity);
        if member.map(|member| &member.answer_key) != Some(answer_key.public()) {
            return Err(GatewayError::KeyNotListed { key: "answer" });
        }
        if member.map(|member| &member.log_key) != Some(log_key.public()) {
            return Err(GatewayError::KeyNotListed { key: "log" });
        }
        let cosign_key = read_key(&config.pki.cosign_key)?;
        if member.map(|member| &member.cosign_key) != Some(cosign_key.public()) {
            return Err(GatewayError::KeyNotListed { key: "cosign" });
        }
        let trust_files = TrustFiles {
            authorities: config.pki.authorities.clone(),
            revocations: config.pki.revocations.clone(),
        };
        let trust = Trust::load(&trust_files, roster.issuers.clone(), Arc::clone(&clock))?;
        let client = crate::carry::client(&config, &trust, &clock)?;
        let nonces = Nonces::default();
        let logs = Arc::new(PartyLogs::open(log_settings(&config, &roster, log_key, &clock)?)?);
        let name = party::witness_name(logs.party())?;
        let (folder, seen) = (config.state.join(WITNESS), Arc::clone(logs.seen()));
        let witness = WitnessStore::open(&folder, name, cosign_key, seen)?;
        let now = clock.now();
        for end in recall(&logs, &nonces, now)?.ends(now) {
            logs.append(Book::Questions, Kind::Record, &end?)?;
        }
        let opened = Entry::new(Type::Opened, clock.now())?;
        logs.append(Book::Administration, Kind::Record, &opened)?;
        logs.note_in_force(&roster, config.digest.as_ref())?;
        Ok(Arc::new(Self {
            crowd: Crowd::new(config.limits.questions, config.limits.questions_per_person),
            memory: Memory::new(config.limits.memory),
            config,
            identity,
            clock,
            catalogue,
            answer_key,
            logs,
            witness,
            nonces,
            promises: Promises::default(),
            endings: Endings::new(runtime),
            tails: Arc::new(Semaphore::new(TAILS)),
            trust,
            client,
            roster: RwLock::new(Arc::new(roster)),
            reloading: Mutex::new(()),
        }))
    }

    /// Reads certificates, revocation lists and the roster again. What cannot be used leaves the old in force.
    pub(crate) fn reload(&self) -> Result<(), GatewayError> {
        let _one_at_a_time = self.reloading.lock();
        let roster = match self.new_roster() {
            Ok(roster) => roster,
            Err(error) => {
                // A revocation must count even where the new roster cannot be used.
                self.trust.reload()?;
                self.logs.note_refused(Type::Roster, word(&error))?;
                return Err(error);
            }
        };
        *self.roster.write() = Arc::new(roster);
        self.client.credentials().reload()?;
        Ok(())
    }

    fn new_roster(&self) -> Result<Roster, GatewayError> {
        let roster = open_roster(&self.config, self.clock.as_ref())?;
        self.logs.follow(&roster)?;
        self.logs.note_in_force(&roster, None)?;
        self.trust.set_issuers(roster.issuers.clone())?;
        Ok(roster)
    }

    pub(crate) fn config(&self) -> &GatewayConfig {
        &self.config
    }

    pub(crate) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub(crate) fn answer_key(&self) -> &SigningKey {
        &self.answer_key
    }

    pub(crate) fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    /// What it has promised to those who wait for a proof.
    pub(crate) fn promises(&self) -> &Promises {
        &self.promises
    }

    /// What is written whatever becomes of whoever waits for it.
    pub(crate) fn endings(&self) -> &Endings {
        &self.endings
    }

    pub(crate) fn crowd(&self) -> &Arc<Crowd> {
        &self.crowd
    }

    pub(crate) fn tails(&self) -> &Arc<Semaphore> {
        &self.tails
    }

    pub(crate) fn memory(&self) -> &Arc<Memory> {
        &self.memory
    }

    pub(crate) fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    /// The roster in force; one question is worked on under one roster for its whole length.
    pub(crate) fn roster(&self) -> Arc<Roster> {
        Arc::clone(&self.roster.read())
    }

    /// This gateway as a witness of the nodes' logs.
    pub(crate) fn witness(&self) -> &WitnessStore {
        &self.witness
    }

    /// The gateway's logs.
    pub(crate) fn logs(&self) -> &Arc<PartyLogs> {
        &self.logs
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Appends to the log of questions, durably, with its detail first if it needs one. `None` if either failed: then nothing
    /// may leave.
    pub(crate) async fn log(
        self: &Arc<Self>,
        kind: Kind,
        entry: Entry,
        content: Content,
    ) -> Option<Logged> {
        let own = Arc::clone(self);
        work::blocking(move || own.append(kind, entry, Some(&content))).await.ok().flatten()
    }

    /// The same, on the thread that calls it; an entry that needs no detail takes none.
    pub(crate) fn append(
        &self,
        kind: Kind,
        entry: Entry,
        content: Option<&Content>,
    ) -> Option<Logged> {
        let appended = match content.filter(|_| entry.needs_detail()) {
            Some(content) => self.logs.append_with_detail(Book::Questions, kind, entry, content),
            None => self.logs.append(Book::Questions, kind, &entry),
        };
        appended.inspect_err(|error| tracing::error!(%error, "the query log cannot be written: nothing is carried")).ok()
    }
}

/// Why a roster did not come into force, for the log. The operator is told more.
fn word(error: &GatewayError) -> &'static str {
    if let GatewayError::Roster(RosterFault::Roster(error)) = error {
        error.word()
    } else if matches!(error, GatewayError::Logs(PartyLogsError::NoAuditor(_))) {
        "no_auditor"
    } else {
        "file"
    }
}

fn read_catalogue(config: &GatewayConfig) -> Result<Catalogue, GatewayError> {
    match &config.catalogue {
        None => Ok(Catalogue::builtin()),
        Some(path) => Ok(Catalogue::parse(&files::read(path, catalogue::LONGEST)?)?),
    }
}

fn read_key(path: &Path) -> Result<SigningKey, GatewayError> {
    SigningKey::from_pem(&files::read_secret(path)?)
        .map_err(|source| GatewayError::Key { path: path.to_owned(), source })
}

fn open_roster(config: &GatewayConfig, clock: &dyn Clock) -> Result<Roster, RosterFault> {
    let files = RosterFiles {
        roster: &config.pki.roster,
        keys: &config.pki.roster_keys,
        state: &config.state,
    };
    roster::open(files, &config.federation, clock.now())
}

/// The logs of this gateway, and who witnesses them.
fn log_settings(
    config: &GatewayConfig,
    roster: &Roster,
    key: Arc<SigningKey>,
    clock: &Arc<dyn Clock>,
) -> Result<PartySettings, GatewayError> {
    let party = config.identity();
    let clock = Arc::clone(clock);
    Ok(PartySettings::new(party, &config.state, &config.log, roster, key, clock)?)
}

/// Takes back from the log the nonces of the last minutes, and what was being worked on when the program ended.
fn recall(logs: &PartyLogs, nonces: &Nonces, now: Timestamp) -> Result<LeftOpen, PartyLogsError> {
    let mut left = LeftOpen::default();
    logs.newest_first(|entry| {
        nonces.recall(entry, now);
        left.look(entry);
        let over = is_forgotten(entry.at, now) && left.is_over(entry.at);
        if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(left)
}

/// Begins the logs of a gateway that never had any.
pub fn init_logs(config: &GatewayConfig, clock: &Arc<dyn Clock>) -> Result<(), GatewayError> {
    files::create_folder(&config.state)?;
    let roster = open_roster(config, clock.as_ref())?;
    let key = Arc::new(read_key(&config.pki.log_key)?);
    Ok(PartyLogs::init(&log_settings(config, &roster, key, clock)?)?)
}
