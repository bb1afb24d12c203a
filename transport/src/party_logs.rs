//! The two logs of a node or a gateway, open: entries in, receipts out, and a new log each year.
//!
//! Whoever may not be answered without an entry asks here for its receipt. If a log cannot go on (a failed sync, another
//! signer), nothing is taken any more, and the program ends ([`PartyLogs::failed`]): what is on the disk is unknown.

use crate::details::{Details, DetailsError};
use crate::files::FilesError;
use crate::log_files::LogFolders;
use crate::log_keeper::LogKeeper;
use crate::requests::RequestError;
use crate::seen::Seen;
use crate::turned_away::{Counted, TurnedAway};
use mayag_audit::checkpoint::{CheckpointNote, Origin};
use mayag_audit::detail::RecipientKey;
use mayag_audit::entry::{Entry, EntryError, SeenLog};
use mayag_audit::keys::{Mac, RandomError, SigningKey};
use mayag_audit::log::commit::Kind;
use mayag_audit::log::error::{AppendError, Failure};
use mayag_audit::log::read::ReadError;
use mayag_audit::log::start::{Settings, StartError};
use mayag_audit::log::witness::CosignError;
use mayag_audit::log::{Log, LogReceipt};
use mayag_audit::note::{NoteError, VerifierKey};
use mayag_audit::party::{self, Book, LogConfig, NoLog, Witnesses};
use mayag_audit::quorum::PolicyError;
use mayag_audit::witness;
use mayag_protocol::answer::LogPosition;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Digest, LogOrigin};
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::Clock;
use parking_lot::{Mutex, RwLock, RwLockReadGuard};
use std::fmt;
use std::io;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

mod detailed;
mod noted;
mod pseudonyms;
mod upkeep;
mod years;

pub use upkeep::Upkeep;

/// A log that began so lately is read together with the one before: nonces of the last minutes may be there.
const OVERLAP: Duration = Duration::from_mins(10);

/// Whose logs they are, and how they are kept.
#[derive(Clone)]
pub struct PartySettings {
    /// Whose.
    pub party: Identity,
    /// The state folder: the logs are in `query-log` and `admin-log` below it, a folder a year.
    pub state: PathBuf,
    /// Where `last-signed` is kept, if not beside the log: another volume, and in no backup.
    pub guard: Option<PathBuf>,
    /// The key that checkpoints are signed with.
    pub key: Arc<SigningKey>,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// How long lies between checkpoints.
    pub every: Duration,
    /// Who cosigns, if anybody.
    pub witnesses: Option<Witnesses>,
    /// Whom details are sealed to. Never empty.
    pub auditors: Vec<RecipientKey>,
}

/// Why the logs are not open, or an entry was not taken.
#[derive(Debug, thiserror::Error)]
pub enum PartyLogsError {
    /// Cosignatures were not kept.
    #[error(transparent)]
    Cosign(#[from] CosignError),
    /// Not taken.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// A detail was not kept, so there is no entry either.
    #[error(transparent)]
    Details(#[from] DetailsError),
    /// No entry.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// A file or folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// No thread for a log.
    #[error("no thread for the log: {0}")]
    Keeper(#[source] io::Error),
    /// Nobody's log.
    #[error(transparent)]
    Name(#[from] NoLog),
    /// Nobody could open the details of this party's entries.
    #[error(
        "the roster lists no key of an auditor for `{0}`, so nobody could ever read whom it answered: sign a roster that does \
         (`auditor_keys`)"
    )]
    NoAuditor(Identity),
    /// An entry about a person without a detail.
    #[error("an entry about a person needs a detail")]
    NoDetail,
    /// There is no log.
    #[error(
        "there is no log in {folder}: begin it with `mayag audit init` if it never began; a log that is gone is put back, and \
         never begun anew"
    )]
    NotBegun {
        /// Where it should be.
        folder: PathBuf,
    },
    /// The key of pseudonyms is no key.
    #[error("`{0}` does not hold 64 hexadecimal digits: restore it, or pseudonyms change")]
    Pseudonyms(PathBuf),
    /// Requests cannot be taken up.
    #[error(transparent)]
    Requests(#[from] RequestError),
    /// More witnesses are asked for than there are.
    #[error("the witnesses of this log: {0}")]
    Witnesses(#[from] PolicyError),
    /// No random bytes.
    #[error(transparent)]
    Random(#[from] RandomError),
    /// Entries were not read back.
    #[error("the log `{origin}` was not read back: {source}")]
    Read {
        /// Which.
        origin: LogOrigin,
        /// Why.
        source: ReadError,
    },
    /// A line is not a signature.
    #[error("cosignature: {0}")]
    Signature(#[source] NoteError),
    /// The log does not go on.
    #[error("the log `{origin}`: {source}")]
    Start {
        /// Which.
        origin: LogOrigin,
        /// Why.
        source: Box<StartError>,
    },
}

/// The proof that an entry is durable. Only [`PartyLogs::append`] makes one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Logged {
    position: LogPosition,
    entry: Vec<u8>,
    receipt: LogReceipt,
}

impl Logged {
    /// Where the entry is.
    pub fn position(&self) -> &LogPosition {
        &self.position
    }

    /// Its bytes.
    pub fn entry(&self) -> &[u8] {
        &self.entry
    }

    /// What the log itself gave.
    pub fn receipt(&self) -> &LogReceipt {
        &self.receipt
    }
}

/// The logs of one party.
pub struct PartyLogs {
    settings: PartySettings,
    pseudonyms: Mac,
    /// In the order of [`Book::ALL`].
    running: [RwLock<Running>; 2],
    charges: AtomicU64,
    seen: Arc<Seen>,
    details: Details,
    auditors: RwLock<Vec<RecipientKey>>,
    noted: Mutex<Option<noted::Noted>>,
    counted: Counted,
    failed: Arc<Notify>,
}

/// One log that is kept.
struct Running {
    year: String,
    log: Arc<Log>,
    /// Absent only while the next year's log begins.
    keeper: Option<LogKeeper>,
}

impl PartyLogs {
    /// Begins both logs of this year. Nothing else ever begins a party's first log.
    pub fn init(settings: &PartySettings) -> Result<(), PartyLogsError> {
        let year = party::year(settings.clock.now());
        for book in Book::ALL {
            settings.begin(book, &year)?;
        }
        Ok(())
    }

    /// Opens both logs where they ended, or refuses and says why. A log of an earlier year is continued by one of this year.
    pub fn open(settings: PartySettings) -> Result<Self, PartyLogsError> {
        let year = party::year(settings.clock.now());
        let failed = Arc::new(Notify::new());
        let open = |book: Book| -> Result<Running, PartyLogsError> {
            let last = settings.last_year(book, &year)?;
            let mut running = settings.run(book, &last, &failed)?;
            if last == year {
                Ok(running)
            } else {
                settings.go_on(book, &mut running, (&year, None), &failed)
            }
        };
        let [administration, questions] = Book::ALL;
        let running = [RwLock::new(open(administration)?), RwLock::new(open(questions)?)];
        let pseudonyms = pseudonyms::key(&settings.state)?;
        let details = Details::open(&settings.state)?;
        let auditors = RwLock::new(settings.auditors.clone());
        Ok(Self {
            counted: Counted::new(pseudonyms.clone()),
            settings,
            pseudonyms,
            running,
            charges: AtomicU64::new(0),
            seen: Arc::default(),
            details,
            auditors,
            noted: Mutex::new(None),
            failed,
        })
    }

    /// Appends an entry, durably, with what is to be mentioned of other logs. Blocks for as long as the disk needs. Whoever an
    /// entry is about must be found by an auditor: one that needs a detail and has none is not taken.
    pub fn append(&self, book: Book, kind: Kind, entry: &Entry) -> Result<Logged, PartyLogsError> {
        let running = self.current(book)?;
        self.append_to(&running.log, book, kind, entry)
    }

    /// Appends to this log, which the caller keeps from ending.
    fn append_to(
        &self,
        log: &Log,
        book: Book,
        kind: Kind,
        entry: &Entry,
    ) -> Result<Logged, PartyLogsError> {
        if entry.needs_detail() && entry.detail.is_none() {
            return Err(PartyLogsError::NoDetail);
        }
        let seen = self.seen.take(book);
        let appended = self.append_with(log, kind, entry, &seen);
        if appended.is_err() {
            self.seen.give_back(book, seen);
        }
        appended
    }

    fn append_with(
        &self,
        log: &Log,
        kind: Kind,
        entry: &Entry,
        seen: &[SeenLog],
    ) -> Result<Logged, PartyLogsError> {
        let with = Entry { seen: seen.to_vec(), ..entry.clone() };
        // What fills an entry by itself mentions nothing: the next checkpoint of every log is mentioned again.
        let bytes = with.to_bytes().or_else(|_| entry.to_bytes())?;
        if let Some(charges) = entry.charges {
            self.charges.fetch_max(charges, Ordering::Relaxed);
        }
        let receipt = log.append(kind, bytes.clone());
        let receipt = receipt.inspect_err(|error| {
            if let AppendError::Closed(failure) = error {
                end(failure, &self.failed);
            }
        })?;
        Ok(Logged { position: position(&receipt)?, entry: bytes, receipt })
    }

    /// The log of this year, which begins now if it is the first moment of a year.
    pub fn log(&self, book: Book) -> Result<Arc<Log>, PartyLogsError> {
        Ok(Arc::clone(&self.current(book)?.log))
    }

    /// The same, kept from ending for as long as the guard lives: a year does not end under an append, or what was
    /// acknowledged would stand in a log that nobody signs any more. Taken once in a thread, never twice.
    fn current(&self, book: Book) -> Result<RwLockReadGuard<'_, Running>, PartyLogsError> {
        let [administration, questions] = &self.running;
        let running = match book {
            Book::Administration => administration,
            Book::Questions => questions,
        };
        loop {
            let year = party::year(self.settings.clock.now());
            let current = running.read();
            if current.year >= year {
                return Ok(current);
            }
            drop(current);
            let mut old = running.write();
            if old.year < year {
                // A program that charged nothing since its start does not know how many there were: the old log does.
                let charges = Some(self.charges.load(Ordering::Relaxed)).filter(|known| 0 < *known);
                let this = (year.as_str(), charges);
                *old = self.settings.go_on(book, &mut old, this, &self.failed)?;
            }
        }
    }

    /// Hands out the entries of the log of questions, the newest first, until `each` has seen enough; for whoever must know
    /// after a restart what was known before.
    pub fn newest_first(
        &self,
        mut each: impl FnMut(&Entry) -> ControlFlow<()>,
    ) -> Result<(), PartyLogsError> {
        let log = self.log(Book::Questions)?;
        let mut first = None;
        read_back(&log, &mut |entry| {
            first = Some((entry.at, entry.previous.clone()));
            each(entry)
        })?;
        // A log that has just begun follows one whose last minutes matter as well.
        let Some((began, Some(previous))) = first else { return Ok(()) };
        if OVERLAP < self.settings.clock.now().since(began) {
            return Ok(());
        }
        let Some(year) = previous.origin.as_str().rsplit('/').next() else { return Ok(()) };
        let before = self.settings.run(Book::Questions, year, &self.failed)?;
        read_back(&before.log, &mut each)
    }

    /// What a witness of one of the logs is to be asked that holds a tree of so many entries. Nothing where nobody needs to be
    /// asked now.
    pub fn witness_request(
        &self,
        book: Book,
        old: u64,
    ) -> Result<Option<witness::Request>, PartyLogsError> {
        let log = self.log(book)?;
        let Some(newest) = log.needs_witness() else { return Ok(None) };
        if newest.checkpoint().head.size < old {
            tracing::error!(
                log = %log.origin(),
                size = newest.checkpoint().head.size,
                held = old,
                "a witness is said to hold more entries than there are: if so, this log was rolled back: it will not be cosigned, and takes no question"
            );
            return Ok(None);
        }
        let origin = position_origin(&log)?;
        log.request(old).map_err(|source| PartyLogsError::Read { origin, source })
    }

    /// Takes cosignatures of the checkpoint of so many entries.
    pub fn add_cosignatures(
        &self,
        book: Book,
        size: u64,
        lines: &[String],
    ) -> Result<(), PartyLogsError> {
        let lines = lines.iter().map(|line| line.parse()).collect::<Result<Vec<_>, _>>();
        let lines = lines.map_err(PartyLogsError::Signature)?;
        self.log(book)?.add_cosignatures(size, &lines)?;
        Ok(())
    }

    /// Counts somebody who was turned away at the door. Never blocks for long; [`Upkeep`] makes entries of what was counted.
    pub fn turned_away(&self, away: &TurnedAway) {
        self.counted.note(away);
    }

    /// What these logs mention of others: the party's witness tells it.
    pub fn seen(&self) -> &Arc<Seen> {
        &self.seen
    }

    /// Returns once a log cannot go on. The program ends then.
    pub async fn failed(&self) {
        self.failed.notified().await;
    }

    /// Whose logs these are.
    pub fn party(&self) -> &Identity {
        &self.settings.party
    }
}

impl PartySettings {
    /// The logs of a party as its configuration and the roster say.
    pub fn new(
        party: Identity,
        state: &Path,
        config: &LogConfig,
        roster: &Roster,
        key: Arc<SigningKey>,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, PartyLogsError> {
        let witnesses = config.witnessing(roster, &party)?;
        let auditors = detailed::auditors(roster, &party)?;
        Ok(Self {
            party,
            state: state.to_owned(),
            guard: config.guard.clone(),
            key,
            clock,
            every: config.every(),
            witnesses,
            auditors,
        })
    }

    fn folders(&self, book: Book, year: &str) -> LogFolders {
        let mut folders = LogFolders::under(&self.state.join(book.as_str()).join(year));
        if let Some(guard) = &self.guard {
            folders.guard = guard.join(book.as_str()).join(year);
        }
        folders
    }

    fn log_settings(
        &self,
        book: Book,
        year: &str,
    ) -> Result<(LogOrigin, Settings), PartyLogsError> {
        let origin = party::origin(&self.party, book, year)?;
        // INVARIANT (names of parties have no such characters): a log's name is an origin.
        let name: Origin = origin.as_str().parse().map_err(|_| EntryError::Unwritable)?;
        let own = VerifierKey::log(name.key_name().clone(), self.key.public());
        let witnesses = self.witnesses.as_ref().map(|witnesses| witnesses.of_log(&own));
        let settings = Settings {
            origin: name,
            key: Arc::clone(&self.key),
            clock: Arc::clone(&self.clock),
            witnessing: witnesses.transpose()?,
        };
        Ok((origin, settings))
    }

    fn begin(&self, book: Book, year: &str) -> Result<(), PartyLogsError> {
        let folders = self.folders(book, year);
        folders.create()?;
        let (origin, settings) = self.log_settings(book, year)?;
        Log::init(&folders.door()?, &settings)
            .map_err(|source| PartyLogsError::Start { origin, source: Box::new(source) })
    }

    /// Opens a log that began before, and keeps it.
    fn run(&self, book: Book, year: &str, failed: &Arc<Notify>) -> Result<Running, PartyLogsError> {
        let (origin, settings) = self.log_settings(book, year)?;
        let log = Log::open(self.folders(book, year).door()?, settings, &[])
            .map_err(|source| PartyLogsError::Start { origin, source: Box::new(source) })?;
        let log = Arc::new(log);
        let told = Arc::clone(failed);
        let keeper =
            LogKeeper::start(Arc::clone(&log), self.every, move |failure| end(failure, &told))
                .map_err(PartyLogsError::Keeper)?;
        Ok(Running { year: year.to_owned(), log, keeper: Some(keeper) })
    }
}

fn read_back(
    log: &Log,
    each: &mut dyn FnMut(&Entry) -> ControlFlow<()>,
) -> Result<(), PartyLogsError> {
    let mut fault = None;
    let read = log.newest_first(|_, bytes| match Entry::parse(bytes) {
        Ok(entry) => each(&entry),
        Err(error) => {
            fault = Some(error);
            ControlFlow::Break(())
        }
    });
    let origin = || position_origin(log);
    match (read, fault) {
        (Err(source), _) => Err(PartyLogsError::Read { origin: origin()?, source }),
        (Ok(()), Some(fault)) => Err(fault.into()),
        (Ok(()), None) => Ok(()),
    }
}

fn position_origin(log: &Log) -> Result<LogOrigin, EntryError> {
    log.origin().as_str().parse().map_err(|_| EntryError::Unwritable)
}

/// A checkpoint as other logs mention it.
pub fn seen(note: &CheckpointNote) -> Result<SeenLog, EntryError> {
    let checkpoint = note.checkpoint();
    Ok(SeenLog {
        origin: checkpoint.origin.as_str().parse().map_err(|_| EntryError::Unwritable)?,
        size: checkpoint.head.size,
        root: Digest::from_bytes(*checkpoint.head.root.as_bytes()),
        at: None,
    })
}

fn position(receipt: &LogReceipt) -> Result<LogPosition, EntryError> {
    Ok(LogPosition {
        origin: receipt.origin().as_str().parse().map_err(|_| EntryError::Unwritable)?,
        index: receipt.index(),
        leaf: Digest::from_bytes(*receipt.leaf().as_bytes()),
    })
}

/// A log that is closed takes nothing any more, so nothing leaves; whoever runs the program ends it.
fn end(failure: &Failure, failed: &Notify) {
    tracing::error!(%failure, "the log is closed: the program ends");
    failed.notify_one();
}

impl fmt::Debug for PartySettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartySettings({})", self.party)
    }
}

impl fmt::Debug for PartyLogs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PartyLogs({})", self.settings.party)
    }
}
