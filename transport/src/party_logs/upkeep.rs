//! What a party does with its logs beside answering: takes up requests, counts who was turned away, and erases what is too old.
//!
//! One thread does it all, so that nothing is done twice, and nobody who asks has to wait for it.

use super::{PartyLogs, PartyLogsError};
use crate::requests::{Inbox, Request, Taken};
use mayag_audit::detail::Content;
use mayag_audit::entry::{Entry, Erased, MOST_ERASED, Op, Type};
use mayag_audit::log::commit::Kind;
use mayag_audit::party::Book;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Digest, QuestionId};
use mayag_protocol::timestamp::Timestamp;
use parking_lot::{Condvar, Mutex};
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often requests are looked for.
const EVERY: Duration = Duration::from_millis(200);

/// After something failed it is tried again this much later.
const AFTER_FAULT: Duration = Duration::from_secs(5);

/// How long lies between two rounds of entries about those who were turned away. The first of a quiet time is told at once.
const COUNTED: Duration = Duration::from_mins(1);

/// How often it is looked for details that are too old.
const RETAINED: Duration = Duration::from_hours(24);

const DAY: Duration = Duration::from_hours(24);

/// The thread. Ends when it is dropped.
#[derive(Debug)]
pub struct Upkeep {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

impl Upkeep {
    /// Starts the thread. Details are erased after so many days.
    pub fn start(logs: Arc<PartyLogs>, retention_days: u32) -> Result<Self, PartyLogsError> {
        let inbox = Inbox::open(&logs.settings.state)?;
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let told = Arc::clone(&stop);
        let rounds =
            Rounds { logs, inbox, retention: DAY * retention_days, retained: None, counted: None };
        let thread = thread::Builder::new()
            .name("log-upkeep".to_owned())
            .spawn(move || rounds.forever(&told))
            .map_err(PartyLogsError::Keeper)?;
        Ok(Self { stop, thread: Some(thread) })
    }
}

impl Drop for Upkeep {
    fn drop(&mut self) {
        *self.stop.0.lock() = true;
        self.stop.1.notify_all();
        if let Some(thread) = self.thread.take() {
            // It does not panic; if it did, what it left is done after the next start.
            let _ended = thread.join();
        }
    }
}

struct Rounds {
    logs: Arc<PartyLogs>,
    inbox: Inbox,
    retention: Duration,
    retained: Option<Timestamp>,
    counted: Option<Timestamp>,
}

impl Rounds {
    fn forever(mut self, stop: &(Mutex<bool>, Condvar)) {
        loop {
            let round = self.round();
            let pause = match &round {
                Ok(()) => EVERY,
                Err(error) => {
                    tracing::error!(%error, "the upkeep of the logs failed and is tried again");
                    AFTER_FAULT
                }
            };
            let mut stopped = stop.0.lock();
            let _timed_out = stop.1.wait_while_for(&mut stopped, |stopped| !*stopped, pause);
            if *stopped {
                drop(stopped);
                if let Err(error) = self.tell_counted() {
                    tracing::error!(%error, "who was turned away last is in no entry");
                }
                return;
            }
        }
    }

    fn round(&mut self) -> Result<(), PartyLogsError> {
        let now = self.logs.settings.clock.now();
        self.take_up()?;
        if self.retained.is_none_or(|last| RETAINED <= now.since(last)) {
            self.retain(now)?;
            self.retained = Some(now);
        }
        if self.counted.is_none_or(|last| COUNTED <= now.since(last)) && self.tell_counted()? {
            self.counted = Some(now);
        }
        Ok(())
    }

    /// Takes up what was asked for. What fails holds nothing else up: an order to erase may be what makes room again.
    fn take_up(&self) -> Result<(), PartyLogsError> {
        let (requests, unread) = self.inbox.requests()?;
        let mut taken_up = unread.map_or(Ok(()), |error| Err(error.into()));
        for taken in requests {
            if let Err(error) = self.take_up_one(&taken) {
                taken_up = Err(error);
            }
        }
        taken_up
    }

    fn take_up_one(&self, taken: &Taken) -> Result<(), PartyLogsError> {
        match &taken.request {
            Request::Read { .. } => self.read(taken)?,
            Request::Erase { details, question, reason, authority } => {
                let erased = |details| Erased {
                    details,
                    reason: reason.clone(),
                    authority: format!("{authority} (user {} of the machine)", taken.user),
                };
                self.erase(details, question.as_ref(), erased)?;
            }
        }
        self.inbox.done(taken)?;
        Ok(())
    }

    /// That somebody reads the logs. Who it is stands in the detail.
    fn read(&self, taken: &Taken) -> Result<(), PartyLogsError> {
        let Request::Read { person, read_for, what, question } = &taken.request else {
            return Ok(());
        };
        let person = format!("{person} (user {} of the machine)", taken.user);
        let entry = Entry {
            op: Some(Op::Consultation),
            actor: Some(self.logs.pseudonym(&person)),
            read_for: Some(*read_for),
            about: Some(what.clone()),
            question: question.clone(),
            ..Entry::new(Type::LogRead, self.logs.settings.clock.now())?
        };
        let content = Content::reading(person, what.clone());
        self.logs.append_with_detail(Book::Administration, Kind::Record, entry, &content)?;
        Ok(())
    }

    /// Removes details, and logs that. In this order: a crash between the two repeats both, and no entry says of a detail
    /// that is still there that it is gone.
    fn erase(
        &self,
        details: &[Digest],
        question: Option<&QuestionId>,
        erased: impl Fn(Vec<Digest>) -> Erased,
    ) -> Result<(), PartyLogsError> {
        for some in details.chunks(MOST_ERASED) {
            for detail in some {
                self.logs.details.erase(detail)?;
            }
            let entry = Entry {
                op: Some(Op::Erasure),
                question: question.cloned(),
                erased: Some(erased(some.to_vec())),
                ..Entry::new(Type::Redaction, self.logs.settings.clock.now())?
            };
            self.logs.append(Book::Administration, Kind::Record, &entry)?;
        }
        Ok(())
    }

    /// Erases details that are kept for long enough. What is to be erased is written down first, so that a crash loses no entry.
    fn retain(&self, now: Timestamp) -> Result<(), PartyLogsError> {
        let retention = i64::try_from(self.retention.as_millis()).unwrap_or(i64::MAX);
        let before = Timestamp::from_millis(now.millis().saturating_sub(retention));
        let old = self.logs.details.older(before)?;
        for some in old.chunks(MOST_ERASED) {
            self.inbox.leave(&Request::Erase {
                details: some.to_vec(),
                question: None,
                reason: "kept for as long as the configuration says".to_owned(),
                authority: format!(
                    "retention of {} days",
                    self.retention.as_secs() / DAY.as_secs()
                ),
            })?;
        }
        self.take_up()?;
        self.logs.details.end_months(before)?;
        Ok(())
    }

    /// Entries about those who were turned away; whether there were any.
    fn tell_counted(&self) -> Result<bool, PartyLogsError> {
        let counted = self.logs.counted.take();
        let mut untold = counted.clone();
        for (kind, count) in &counted {
            let entry = Entry {
                decision: Some(kind.why.to_owned()),
                about: Some(format!("network {}", kind.network)),
                actor: kind.actor.clone(),
                recipient: kind.identity.as_ref().and_then(Identity::country).cloned(),
                count: Some(*count),
                ..Entry::new(Type::FailedAuthentication, self.logs.settings.clock.now())?
            };
            let (book, record) = (Book::Administration, Kind::Record);
            let appended = match &kind.identity {
                None => self.logs.append(book, record, &entry),
                Some(identity) => {
                    let words = format!("turned away: {}", kind.why);
                    let content = Content::reading(identity.to_string(), words);
                    self.logs.append_with_detail(book, record, entry, &content)
                }
            };
            if let Err(error) = appended {
                self.logs.counted.put_back(untold);
                return Err(error);
            }
            untold.remove(kind);
        }
        Ok(!counted.is_empty())
    }
}
