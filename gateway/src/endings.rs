//! Every question of which the log says that it was received has an end in the log, whatever becomes of its caller.
//!
//! The work of a question is dropped where it stands when the caller goes away. What the log is owed is therefore written
//! beside it: an append that began is brought to its end, and [`Unended`] writes that nothing was handed out unless it was
//! given another end. What a kill leaves open is found by the next start ([`LeftOpen`]).

use crate::entries;
use crate::fanout::CountryAnswer;
use crate::gateway::Gateway;
use mayag_audit::detail::Content;
use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::RandomError;
use mayag_audit::log::commit::Kind;
use mayag_audit::nonces::is_forgotten;
use mayag_protocol::names::Digest;
use mayag_protocol::timestamp::Timestamp;
use mayag_transport::party_logs::Logged;
use parking_lot::Mutex;
use std::collections::HashSet;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Why nothing was handed out: the caller went away, or the program ended or broke before everything was ready.
pub(crate) const CUT_OFF: &str = "cut_off";

/// Why nothing was handed out: the program was killed.
const STOPPED: &str = "stopped";

/// Appends that end whatever happens to whoever waits for them.
#[derive(Debug)]
pub(crate) struct Endings {
    runtime: Handle,
    writes: Mutex<JoinSet<()>>,
}

/// A question that is in the log without an end. Dropped, it writes one that says that nothing was handed out.
#[derive(Debug)]
pub(crate) struct Unended {
    gateway: Arc<Gateway>,
    end: Option<Box<Entry>>,
}

impl Endings {
    pub(crate) fn new(runtime: Handle) -> Self {
        Self { runtime, writes: Mutex::default() }
    }

    /// As many wait here as there are threads for it at most, and then in one line with those whose questions arrive.
    fn spawn(&self, write: impl FnOnce() + Send + 'static) {
        let mut writes = self.writes.lock();
        while writes.try_join_next().is_some() {}
        writes.spawn_blocking_on(write, &self.runtime);
    }

    /// Returns once everything that was begun is written.
    pub(crate) async fn written(&self) {
        loop {
            let mut begun = std::mem::take(&mut *self.writes.lock());
            if begun.is_empty() {
                return;
            }
            while begun.join_next().await.is_some() {}
        }
    }
}

/// Logs that a question arrived; `end` is what is logged if it gets no other end. `None` if it could not be logged.
pub(crate) async fn begin(
    gateway: &Arc<Gateway>,
    received: Entry,
    content: Content,
    end: Entry,
) -> Option<(Logged, Unended)> {
    let own = Arc::clone(gateway);
    let (tell, told) = oneshot::channel();
    gateway.endings().spawn(move || {
        if let Some(logged) = own.append(Kind::Question, received, Some(&content)) {
            // If the caller is gone, this comes back and is dropped here: the question ends as it began.
            drop(tell.send((logged, Unended { gateway: own, end: Some(Box::new(end)) })));
        }
    });
    told.await.ok()
}

impl Unended {
    /// Something that a country signed is there: if it is not handed out, its place in the country's log is still known.
    pub(crate) fn arrived(&mut self, answer: &CountryAnswer, asked: usize) {
        if let Some(end) = &mut self.end {
            end.countries.insert(answer.country.clone(), entries::country_end(answer, asked));
        }
    }

    /// Writes another end. The caller may go away meanwhile: from here on this is the end. `None` if it could not be logged.
    pub(crate) async fn end(mut self, entry: Entry) -> Option<Logged> {
        self.end = None;
        let own = Arc::clone(&self.gateway);
        let (tell, told) = oneshot::channel();
        self.gateway.endings().spawn(move || {
            // Nobody may be there any more who wants to know.
            drop(tell.send(own.append(Kind::Record, entry, None)));
        });
        told.await.ok().flatten()
    }
}

impl Drop for Unended {
    fn drop(&mut self) {
        let Some(end) = self.end.take() else { return };
        let gateway = Arc::clone(&self.gateway);
        self.gateway.endings().spawn(move || {
            let end = Entry { at: gateway.now(), ..*end };
            tracing::info!(
                question = end.question.as_ref().map(tracing::field::display),
                "cut off"
            );
            // A log that cannot be written says so itself.
            let _logged = gateway.append(Kind::Record, end, None);
        });
    }
}

/// Finds the questions that a program before this one left without an end, from the newest entry back.
#[derive(Debug, Default)]
pub(crate) struct LeftOpen {
    newest: Option<Timestamp>,
    ended: HashSet<Digest>,
    open: Vec<Entry>,
}

impl LeftOpen {
    /// Takes the next older entry.
    pub(crate) fn look(&mut self, entry: &Entry) {
        self.newest.get_or_insert(entry.at);
        let Some(digest) = &entry.question_digest else { return };
        match entry.kind {
            Type::Abandoned | Type::Released => {
                self.ended.insert(digest.clone());
            }
            Type::Received => {
                if !self.ended.contains(digest) {
                    self.open.push(entry.clone());
                }
            }
            Type::Admitted
            | Type::Answered
            | Type::Configuration
            | Type::Continued
            | Type::FailedAuthentication
            | Type::Key
            | Type::LogRead
            | Type::Opened
            | Type::Policy
            | Type::Redaction
            | Type::Refused
            | Type::Roster => (),
        }
    }

    /// Whether a question that arrived then was over long before the program ended.
    pub(crate) fn is_over(&self, at: Timestamp) -> bool {
        self.newest.is_some_and(|newest| is_forgotten(at, newest))
    }

    /// The end of each, the oldest first.
    pub(crate) fn ends(self, now: Timestamp) -> impl Iterator<Item = Result<Entry, RandomError>> {
        self.open.into_iter().rev().map(move |received| {
            Ok(Entry {
                question: received.question,
                question_digest: received.question_digest,
                nonce: received.nonce,
                actor: received.actor,
                recipient: received.recipient,
                purpose: received.purpose,
                legal_basis: received.legal_basis,
                case: received.case,
                decision: Some(STOPPED.to_owned()),
                ..Entry::new(Type::Abandoned, now)?
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::LeftOpen;
    use mayag_audit::entry::{Entry, Type};
    use mayag_audit::keys::sha256;
    use mayag_protocol::timestamp::Timestamp;

    fn entry(kind: Type, question: &str, seconds: i64) -> Entry {
        let question_digest = Some(sha256(question.as_bytes()));
        Entry {
            question_digest,
            ..Entry::new(kind, Timestamp::from_millis(seconds * 1000)).unwrap()
        }
    }

    #[test]
    fn what_began_and_did_not_end_is_found_from_the_newest_entry_back() {
        let entries = [
            entry(Type::Received, "long ago", 0),
            entry(Type::Received, "first", 1000),
            entry(Type::Received, "second", 1001),
            entry(Type::Released, "first", 1002),
            entry(Type::Received, "third", 1003),
            entry(Type::Received, "fourth", 1004),
            entry(Type::Refused, "fourth", 1005),
            entry(Type::Abandoned, "third", 1006),
        ];
        let mut left = LeftOpen::default();
        for entry in entries.iter().rev() {
            if left.is_over(entry.at) {
                break;
            }
            left.look(entry);
        }
        let now = Timestamp::from_millis(9_000_000);
        let ends: Vec<Entry> = left.ends(now).map(Result::unwrap).collect();
        let about: Vec<_> = ends.iter().map(|end| end.question_digest.clone().unwrap()).collect();
        // A refusal may be of a replay, so it ends nothing.
        assert_eq!(about, [sha256(b"second"), sha256(b"fourth")]);
        assert!(ends.iter().all(|end| end.kind == Type::Abandoned && end.at == now));
        assert!(ends.iter().all(|end| end.decision.as_deref() == Some("stopped")));
    }
}
