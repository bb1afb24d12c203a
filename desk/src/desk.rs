//! A person's desk: their keys, the roster in force, the way to the gateway.

use crate::connection::{Connection, ConnectionError};
use crate::profile::{Profile, ProfileError};
use mayag_audit::keys::{
    Ed25519, KeyError, RandomError, SigningKey, random_nonce, random_question_id, sha256,
};
use mayag_policies::catalogue::{self, Catalogue, CatalogueError};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::names::{Country, Digest, QuestionId};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{self, Ask, Question};
use mayag_protocol::roster::{self, Roster, RosterError};
use mayag_protocol::timestamp::Clock;
use mayag_transport::files::{self, FilesError};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// How long a question lives: long enough for a slow federation, well under what nodes allow.
const LIFE: Duration = Duration::from_mins(1);

/// The name of the file that remembers the highest roster version seen.
const ROSTER_VERSION: &str = "roster-version";

/// The longest file of trusted roster keys.
const LONGEST_KEYS: usize = 64 * 1024;

/// Why a desk does not open or a question is not sent.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The catalogue is unreadable.
    #[error(transparent)]
    Catalogue(#[from] CatalogueError),
    /// No way to the gateway.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
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
    /// The key that would sign is not one the roster lists for the person.
    #[error("the question key is not one that the roster lists for `{0}`")]
    KeyNotListed(String),
    /// The profile is not usable.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// Nothing random.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// The roster is not in force.
    #[error(transparent)]
    Roster(#[from] RosterError),
    /// The question is over the limit or names something it cannot.
    #[error("{0}")]
    Question(String),
}

/// What a person wants to know.
#[derive(Debug, Clone)]
pub struct Request {
    /// What is asked.
    pub ask: Ask,
    /// Why.
    pub purpose: Purpose,
    /// The case it belongs to.
    pub case: Option<String>,
    /// The legal basis.
    pub legal_basis: Option<String>,
    /// The countries asked; all of the roster if absent.
    pub countries: Option<Vec<Country>>,
}

/// A question as it was signed.
#[derive(Debug)]
pub(crate) struct SignedQuestion {
    pub(crate) question: Question,
    /// SHA-256 of the payload.
    pub(crate) digest: Digest,
    pub(crate) envelope: Envelope,
    /// Its bytes for the wire.
    pub(crate) bytes: Vec<u8>,
}

/// A person's desk.
pub struct Desk {
    profile: Profile,
    clock: Arc<dyn Clock>,
    catalogue: Arc<Catalogue>,
    roster: Roster,
    question_key: SigningKey,
    connection: Connection,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Desk({})", self.profile.identity)
    }
}

impl Desk {
    /// Reads everything a profile names and checks that the roster knows the person and the gateway.
    pub fn open(profile: Profile, clock: Arc<dyn Clock>) -> Result<Self, DeskError> {
        let catalogue = match &profile.catalogue {
            None => Catalogue::builtin(),
            Some(path) => Catalogue::parse(&files::read(path, catalogue::LONGEST)?)?,
        };
        let roster = open_roster(&profile, clock.as_ref())?;
        let question_key = read_key(&profile.pki.question_key)?;
        let listed = roster.person(&profile.identity).is_some_and(|person| {
            person.question_keys.iter().any(|key| key == question_key.public())
        });
        if !listed {
            return Err(DeskError::KeyNotListed(profile.identity.to_string()));
        }
        if roster.gateway(&profile.gateway.identity).is_none() {
            return Err(DeskError::Question(format!(
                "the roster lists no `{}`",
                profile.gateway.identity
            )));
        }
        let connection = Connection::prepare(&profile, &roster, Arc::clone(&clock))?;
        Ok(Self {
            profile,
            clock,
            catalogue: Arc::new(catalogue),
            roster,
            question_key,
            connection,
        })
    }

    /// The countries of the roster, sorted.
    pub fn countries(&self) -> Vec<Country> {
        self.roster.countries()
    }

    /// The profile it was opened with.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    pub(crate) fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.roster
    }

    pub(crate) fn catalogue(&self) -> &Arc<Catalogue> {
        &self.catalogue
    }

    pub(crate) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Builds and signs the question.
    pub(crate) fn sign(&self, request: &Request) -> Result<SignedQuestion, DeskError> {
        self.sign_as(random_question_id()?, request)
    }

    /// The same under an id that was chosen before.
    pub(crate) fn sign_as(
        &self,
        id: QuestionId,
        request: &Request,
    ) -> Result<SignedQuestion, DeskError> {
        let known = self.roster.countries();
        let mut countries = request.countries.clone().unwrap_or_else(|| known.clone());
        countries.sort();
        countries.dedup();
        if let Some(unknown) = countries.iter().find(|country| !known.contains(country)) {
            let names: Vec<&str> = known.iter().map(Country::as_str).collect();
            let names = names.join(", ");
            return Err(DeskError::Question(format!(
                "`{unknown}` has no node; the countries of the roster are {names}"
            )));
        }
        let now = self.clock.now();
        let question = Question {
            v: 1,
            id,
            analyst: self.profile.identity.clone(),
            gateway: self.profile.gateway.identity.clone(),
            countries,
            issued_at: now,
            expires_at: now.plus(LIFE),
            nonce: random_nonce()?,
            ask: request.ask.clone(),
            purpose: request.purpose,
            case: request.case.clone(),
            legal_basis: request.legal_basis.clone(),
        };
        if let Some(fault) = question.fault(now) {
            return Err(DeskError::Question(fault.to_string()));
        }
        let payload = serde_json::to_vec(&question)
            .map_err(|error| DeskError::Question(error.to_string()))?;
        let digest = sha256(&payload);
        let envelope = Envelope::seal(PayloadType::Question, payload, &self.question_key);
        let bytes = envelope.to_bytes();
        if bytes.len() > question::LONGEST_ENVELOPE {
            let longest = question::LONGEST_ENVELOPE;
            return Err(DeskError::Question(format!(
                "the signed question has {} bytes, at most {longest} are read",
                bytes.len()
            )));
        }
        Ok(SignedQuestion { question, digest, envelope, bytes })
    }
}

fn read_key(path: &Path) -> Result<SigningKey, DeskError> {
    SigningKey::from_pem(&files::read_secret(path)?)
        .map_err(|source| DeskError::Key { path: path.to_owned(), source })
}

fn open_roster(profile: &Profile, clock: &dyn Clock) -> Result<Roster, DeskError> {
    let keys = files::read(&profile.pki.roster_keys, LONGEST_KEYS)?;
    let keys = roster::parse_trusted_keys(&String::from_utf8_lossy(&keys))?;
    let remembered = profile.state.as_ref().map(|folder| folder.join(ROSTER_VERSION));
    let seen = match &remembered {
        Some(path) if path.exists() => {
            let text = files::read(path, 64)?;
            // What cannot be read stands for the newest there is: nothing passes until somebody looks.
            String::from_utf8_lossy(&text).trim().parse().unwrap_or(u64::MAX)
        }
        Some(_) | None => 0,
    };
    let bytes = files::read(&profile.pki.roster, roster::LONGEST)?;
    let roster = Roster::open(&bytes, &keys, &Ed25519, clock.now(), seen)?;
    if roster.federation != profile.federation {
        return Err(RosterError::NotInForce.into());
    }
    if let (Some(folder), Some(path)) = (&profile.state, &remembered)
        && roster.version > seen
    {
        files::create_folder(folder)?;
        files::replace(path, format!("{}\n", roster.version).as_bytes(), files::Mode::Public)?;
    }
    Ok(roster)
}
