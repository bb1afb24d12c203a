//! A running node: its keys, its log, its workers, and what is in force.

use crate::admission::VerifiedQuestion;
use crate::archive::Archive;
use crate::config::{ConfigError, NodeConfig};
use crate::data_version::data_version;
use crate::ending::Ending;
use crate::engine::WorkFailure;
use crate::engine::cells::{Part, RawCells};
use crate::engine::pool::{PoolError, WorkerPool};
use crate::ledger::Ledger;
use crate::lookups::{Lookups, LookupsError, Sealing};
use crate::notices::Notices;
use crate::policy::{self, PolicyError};
use crate::protecting;
use crate::records::RecordsError;
use crate::released::Released;
use crate::secret::{Secret, SecretError};
use mayag_audit::detail::{Content, RecipientSecret};
use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::{KeyError, Mac, RandomError, SigningKey, random_nonce};
use mayag_audit::log::commit::Kind;
use mayag_audit::nonces::{Nonces, is_forgotten};
use mayag_audit::party::{self, Book, NoLog};
use mayag_disclosure::{ReleaseContext, Unprotected};
use mayag_policies::catalogue::{Catalogue, CatalogueError};
use mayag_policies::document::Policy;
use mayag_policies::signed::Accepted;
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, Digest};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::roster::{Roster, RosterError};
use mayag_protocol::timestamp::{Clock, Timestamp};
use mayag_queries::plan::Plan;
use mayag_transport::credentials::CredentialsError;
use mayag_transport::files::FilesError;
use mayag_transport::party_logs::{Logged, PartyLogs, PartyLogsError, PartySettings};
use mayag_transport::server::ServerError;
use mayag_transport::trust::{Trust, TrustError, TrustFiles};
use mayag_transport::witness_store::WitnessStore;
use parking_lot::{Mutex, RwLock};
use std::fmt;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::JoinSet;

mod reading;
mod spending;

use reading::{Keys, is_listed, open_released, open_roster, read_catalogue, read_key, read_keys};

/// The name of the ledger inside the state folder.
pub const LEDGER: &str = "ledger.log";

/// The folder of what this node saw as a witness, inside the state folder.
const WITNESS: &str = "witness";

/// Why a node does not start, or keeps what was in force.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The catalogue is unreadable.
    #[error("catalogue: {0}")]
    Catalogue(#[from] CatalogueError),
    /// The configuration is unreadable.
    #[error(transparent)]
    Config(#[from] ConfigError),
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
    /// A key of this node is not the one the roster lists.
    #[error(
        "the {key} key is not the one that the roster lists for this node: sign a new roster or restore the key"
    )]
    KeyNotListed {
        /// Which key.
        key: &'static str,
    },
    /// The ledger does not verify or cannot be opened.
    #[error(transparent)]
    Ledger(#[from] RecordsError),
    /// The ledger forgot charges that the log knows.
    #[error(
        "the ledger knows {found} charges, the log {logged}: restore the ledger of the same day as the log"
    )]
    LedgerPutBack {
        /// Charges in the ledger.
        found: u64,
        /// Charges that the log knows of.
        logged: u64,
    },
    /// The logs are not there, do not go on, or cannot be written.
    #[error(transparent)]
    Logs(#[from] PartyLogsError),
    /// What is published of lookup tables cannot be read or written.
    #[error(transparent)]
    Lookups(#[from] LookupsError),
    /// The node has no name for a log.
    #[error(transparent)]
    Name(#[from] NoLog),
    /// The certificate is somebody else's.
    #[error(
        "the certificate names `{found}`, not this node: check `certificate` and `country` in node.toml"
    )]
    OtherCertificate {
        /// Whom it names.
        found: Identity,
    },
    /// The policy may not come into force.
    #[error(transparent)]
    Policy(#[from] PolicyError),
    /// The workers do not start, or the data are not what the catalogue says.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// The roster is not in force.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// There is no secret for noise.
    #[error(transparent)]
    Secret(#[from] SecretError),
    /// The version of the data could not be told.
    #[error("the version of the data could not be told")]
    Version,
    /// It cannot listen.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// The node's own certificate cannot be used.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// The state folder cannot be used.
    #[error("{path}: {source}")]
    State {
        /// The folder or file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// Certificates or revocation lists cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// What a question is decided under: one version of the roster and the policy, for its whole length.
#[derive(Debug)]
pub(crate) struct InForce {
    roster: Roster,
    policy: Option<Policy>,
    version: Option<PolicyVersion>,
}

impl InForce {
    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn policy(&self) -> Option<&Policy> {
        self.policy.as_ref()
    }

    pub(crate) fn policy_version(&self) -> Option<&PolicyVersion> {
        self.version.as_ref()
    }
}

/// One country's node.
pub struct Node {
    config: NodeConfig,
    clock: Arc<dyn Clock>,
    catalogue: Catalogue,
    answer_key: SigningKey,
    sealing_key: Option<RecipientSecret>,
    logs: Arc<PartyLogs>,
    witness: WitnessStore,
    ledger: Ledger,
    nonces: Nonces,
    released: Mutex<Released>,
    secret: Secret,
    pool: WorkerPool,
    archive: Option<Archive>,
    lookups: Lookups,
    notices: Notices,
    trust: Arc<Trust>,
    in_force: RwLock<Arc<InForce>>,
    ending: Ending,
    reloading: Mutex<()>,
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.config.country)
    }
}

impl Node {
    /// Reads everything a node needs and starts its workers, which are processes of `program worker`.
    ///
    /// A policy that has problems keeps the node from starting; one that is outside its validity does not: the node
    /// then refuses everything and says why.
    pub async fn start(
        config: NodeConfig,
        clock: Arc<dyn Clock>,
        program: &Path,
    ) -> Result<Arc<Self>, NodeError> {
        let catalogue = read_catalogue(&config)?;
        let roster = open_roster(&config, clock.as_ref())?;
        let Keys { answer: answer_key, log: log_key, cosign: cosign_key, sealing: sealing_key } =
            read_keys(&config, roster.node(&config.country))?;
        let trust_files = TrustFiles {
            authorities: config.pki.authorities.clone(),
            revocations: config.pki.revocations.clone(),
        };
        let trust = Trust::load(&trust_files, roster.issuers.clone(), Arc::clone(&clock))?;
        let candidate = policy::read(&config, &roster, &catalogue, clock.now())?;
        let nonces = Nonces::default();
        let settings = log_settings(&config, &roster, log_key, &clock)?;
        let logs = Arc::new(PartyLogs::open(settings)?);
        let name = party::witness_name(logs.party())?;
        let (folder, seen) = (config.state.join(WITNESS), Arc::clone(logs.seen()));
        let witness = WitnessStore::open(&folder, name, cosign_key, seen)?;
        let logged = recall(&logs, &nonces, clock.now())?;
        let ledger = Ledger::open(&config.state.join(LEDGER))?;
        if ledger.charges() < logged {
            return Err(NodeError::LedgerPutBack { found: ledger.charges(), logged });
        }
        let secret = Secret::open(&config.state)?;
        let pool =
            WorkerPool::start(config.pool_settings(program, &secret), config.setup(&catalogue))
                .await?;
        for finding in pool.check().await? {
            tracing::warn!("{finding}");
        }
        let released = open_released(&config)?;
        let version = candidate.accepted.policy.version().clone();
        let opened = Entry::new(Type::Opened, clock.now())?;
        let about = Some(candidate.accepted.change.as_str().to_owned());
        let opened = Entry { policy: Some(version.digest.clone()), about, ..opened };
        logs.append(Book::Administration, Kind::Record, &opened)?;
        logs.note_in_force(&roster, config.digest.as_ref())?;
        policy::remember(&config.state, &candidate)?;
        let policy = Some(candidate.accepted.policy);
        let ending = Ending::new();
        if let Some(policy) = &policy {
            ending.look(policy, clock.now());
        }
        let in_force = InForce { roster, version: Some(version), policy };
        let archive = config.keep_questions.then(|| Archive::new(&config.state));
        let lookups = Lookups::open(&config, &answer_key, clock.now())?;
        let notices = Notices::new(&config.state);
        let node = Arc::new(Self {
            config,
            archive,
            lookups,
            clock,
            catalogue,
            answer_key,
            sealing_key,
            notices,
            logs,
            witness,
            ledger,
            nonces,
            released: Mutex::new(released),
            secret,
            pool,
            trust,
            in_force: RwLock::new(Arc::new(in_force)),
            ending,
            reloading: Mutex::new(()),
        });
        node.lookups.settle(&node)?;
        Ok(node)
    }

    /// Reads certificates, revocation lists, roster and policy again. What cannot be used leaves the old in force; the
    /// error says so to the operator, and the log records both outcomes for the policy.
    pub fn reload(&self) -> Result<(), NodeError> {
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
        let read = policy::read(&self.config, &roster, &self.catalogue, self.clock.now());
        let old = self.in_force();
        let entry = Entry {
            policy: match &read {
                Ok(candidate) => Some(candidate.accepted.policy.version().digest.clone()),
                Err(_) => old.version.as_ref().map(|version| version.digest.clone()),
            },
            decision: Some(if read.is_ok() { "in_force" } else { "kept_old" }.to_owned()),
            rule: read.as_ref().err().map(PolicyError::rule),
            about: read.as_ref().ok().map(|new| new.accepted.change.as_str().to_owned()),
            ..Entry::new(Type::Policy, self.clock.now())?
        };
        // A policy comes into force only after the log knows it, and only once a restart will know it too. A crash
        // between the two leaves the new file, which the next start accepts for the same reasons.
        self.logs.append(Book::Administration, Kind::Record, &entry)?;
        let (policy, version, result) = match read.and_then(|candidate| {
            policy::remember(&self.config.state, &candidate)?;
            Ok(candidate.accepted)
        }) {
            Ok(Accepted { policy, change, signers: _ }) => {
                let version = policy.version().clone();
                tracing::info!(serial = version.serial, digest = %version.digest, %change, "policy in force");
                self.ending.look(&policy, self.clock.now());
                (Some(policy), Some(version), Ok(()))
            }
            Err(error) => (old.policy.clone(), old.version.clone(), Err(error.into())),
        };
        *self.in_force.write() = Arc::new(InForce { roster, policy, version });
        // What the policy no longer opens is taken out at once; what it newly opens is built.
        let settled = self.lookups.settle(self);
        self.lookups.look();
        result.and_then(|()| Ok(settled?))
    }

    /// The roster of the file, once the log knows it.
    fn new_roster(&self) -> Result<Roster, NodeError> {
        let roster = open_roster(&self.config, self.clock.as_ref())?;
        self.logs.follow(&roster)?;
        self.logs.note_in_force(&roster, None)?;
        self.trust.set_issuers(roster.issuers.clone())?;
        Ok(roster)
    }

    /// The node's country.
    pub fn country(&self) -> &Country {
        &self.config.country
    }

    /// The configuration it was started with.
    pub fn config(&self) -> &NodeConfig {
        &self.config
    }

    /// The trust in force.
    pub fn trust(&self) -> &Arc<Trust> {
        &self.trust
    }

    pub(crate) fn in_force(&self) -> Arc<InForce> {
        Arc::clone(&self.in_force.read())
    }

    /// Tells the operator, at most once a day, if this policy ends soon.
    pub(crate) fn look_at_end(&self, policy: &Policy, now: Timestamp) {
        self.ending.look(policy, now);
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    pub(crate) fn catalogue(&self) -> &Catalogue {
        &self.catalogue
    }

    pub(crate) fn nonces(&self) -> &Nonces {
        &self.nonces
    }

    pub(crate) fn pool(&self) -> &WorkerPool {
        &self.pool
    }

    pub(crate) fn lookups(&self) -> &Lookups {
        &self.lookups
    }

    pub(crate) fn answer_key(&self) -> &SigningKey {
        &self.answer_key
    }

    /// The key that opens what is sealed to this node, if it has one.
    pub(crate) fn sealing_key(&self) -> Option<&RecipientSecret> {
        self.sealing_key.as_ref()
    }

    /// Whether what is sealed to the key that this roster lists for the node can be opened: a roster may come with another one.
    pub(crate) fn is_sealed_to(&self, roster: &Roster) -> Sealing {
        match &self.sealing_key {
            Some(key) if is_listed(key, roster.node(&self.config.country)) => Sealing::Everybody,
            Some(_) | None => Sealing::Nobody,
        }
    }

    /// What the owner of declared tables is told.
    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    /// The secret of this node for everything about units.
    pub fn secret(&self) -> &Secret {
        &self.secret
    }

    /// Which version of its data the node would answer from now. `None` if a source is not there.
    pub async fn data_version(self: &Arc<Self>) -> Option<Digest> {
        let node = Arc::clone(self);
        blocking(move || data_version(&node.config.sources)).await?.ok()
    }

    pub(crate) fn longest_work(&self) -> Duration {
        self.config.limits.deadline
    }

    /// Keeps a question for replays, if this node keeps any.
    pub(crate) fn keep(&self, question: &VerifiedQuestion, sql: &str, now: Timestamp) {
        if let Some(archive) = &self.archive {
            let person = self.logs.actor(&question.question().analyst);
            archive.keep(question, person, sql, now);
        }
    }

    /// Plans on a thread of its own: planning is bounded work, but not for the thread that serves connections.
    pub(crate) async fn plan(self: &Arc<Self>, sql: String) -> Result<Plan, Refusal> {
        let node = Arc::clone(self);
        blocking(move || mayag_queries::plan::plan(&sql, &node.catalogue)).await.unwrap_or_else(
            || {
                Err(Refusal::new(
                    Code::SqlNotReadable,
                    "planner",
                    "write the question in another way",
                ))
            },
        )
    }

    /// A refusal of the policy, with what the planner would say of the question: both know the same columns then.
    pub(crate) async fn advised(self: &Arc<Self>, sql: String, refusal: Refusal) -> Refusal {
        let (node, plain) = (Arc::clone(self), refusal.clone());
        let advised = move || mayag_queries::plan::advised(&sql, &node.catalogue, refusal);
        blocking(advised).await.unwrap_or(plain)
    }

    /// Protects the releases of a question and remembers what they show, before any other question is protected.
    pub(crate) async fn protect(
        self: &Arc<Self>,
        worked: Vec<(Unprotected<RawCells>, ReleaseContext)>,
    ) -> Result<Vec<Part>, WorkFailure> {
        let node = Arc::clone(self);
        let protected = blocking(move || {
            let secret = Mac::new(node.secret.bytes());
            protecting::protect(worked, &secret, &mut node.released.lock())
        });
        protected.await.unwrap_or(Err(WorkFailure::Broken))
    }

    /// This node as a witness of others' logs.
    pub(crate) fn witness(&self) -> &WitnessStore {
        &self.witness
    }

    /// The node's logs.
    pub(crate) fn logs(&self) -> &Arc<PartyLogs> {
        &self.logs
    }

    /// Appends to the log of questions, durably, with its detail first if it needs one. `None` if either failed: then nothing
    /// may leave.
    pub(crate) async fn log(
        self: &Arc<Self>,
        kind: Kind,
        entry: Entry,
        content: Option<Content>,
    ) -> Option<Logged> {
        let logs = Arc::clone(&self.logs);
        let appended = blocking(move || match content {
            Some(content) if entry.needs_detail() => {
                logs.append_with_detail(Book::Questions, kind, entry, &content)
            }
            Some(_) | None => logs.append(Book::Questions, kind, &entry),
        })
        .await?;
        appended.inspect_err(|error| tracing::error!(%error, "the query log cannot be written: nothing is answered")).ok()
    }
}

/// What must be written down first cannot be.
pub(crate) fn unavailable(rule: &str) -> Refusal {
    let hint = "ask again later; the country's operator has been told";
    Refusal::new(Code::LogUnavailable, rule, hint)
}

/// A random id under which a failure is found in the operator's log.
pub(crate) fn failure_id() -> String {
    let random = random_nonce().map(|nonce| nonce.to_string()).unwrap_or_default();
    random.chars().take(12).collect()
}

/// Runs blocking work that ends with the caller: if the caller goes away, the result is dropped.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Option<T> {
    let mut one = JoinSet::new();
    one.spawn_blocking(work);
    one.join_next().await?.ok()
}

/// Why a roster did not come into force, for the log. The operator is told more.
fn word(error: &NodeError) -> &'static str {
    if let NodeError::Roster(error) = error {
        error.word()
    } else if matches!(error, NodeError::Logs(PartyLogsError::NoAuditor(_))) {
        "no_auditor"
    } else {
        "file"
    }
}

/// The logs of this node, and who witnesses them.
fn log_settings(
    config: &NodeConfig,
    roster: &Roster,
    key: Arc<SigningKey>,
    clock: &Arc<dyn Clock>,
) -> Result<PartySettings, NodeError> {
    let party = Identity::node(&config.federation, &config.country);
    let clock = Arc::clone(clock);
    Ok(PartySettings::new(party, &config.state, &config.log, roster, key, clock)?)
}

/// Takes back from the log what must be known after a restart: nonces of the last minutes, and how many charges there are.
fn recall(logs: &PartyLogs, nonces: &Nonces, now: Timestamp) -> Result<u64, NodeError> {
    let mut charges = None;
    logs.newest_first(|entry| {
        nonces.recall(entry, now);
        charges = charges.or(entry.charges);
        // Charges only grow, so the newest entry that says any says the most.
        if charges.is_some() && is_forgotten(entry.at, now) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    })?;
    Ok(charges.unwrap_or_default())
}

/// Begins the logs of a node that never had any.
pub fn init_logs(config: &NodeConfig, clock: &Arc<dyn Clock>) -> Result<(), NodeError> {
    let roster = open_roster(config, clock.as_ref())?;
    let key = Arc::new(read_key(&config.pki.log_key)?);
    Ok(PartyLogs::init(&log_settings(config, &roster, key, clock)?)?)
}
