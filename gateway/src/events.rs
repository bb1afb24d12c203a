//! The lines of one question, numbered as they happen.

use bytes::Bytes;
use mayag_protocol::answer::NoResult;
use mayag_protocol::envelope::Base64;
use mayag_protocol::event::Event;
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use tokio::sync::mpsc;

/// The most events of one question: two per country, of which there can be 26 * 26, one before and one after them.
pub(crate) const MOST_EVENTS: usize = 2 * 26 * 26 + 2;

/// Writes events. All of them have room, so that no country ever waits for a slow reader.
#[derive(Debug)]
pub(crate) struct Events {
    lines: mpsc::Sender<Bytes>,
    next: u64,
}

/// What a country's event says besides its number.
#[derive(Debug)]
pub(crate) struct CountryEvent {
    pub(crate) country: Country,
    pub(crate) outcome: mayag_protocol::outcome::Outcome,
    pub(crate) ms: u64,
    pub(crate) refusal: Option<Refusal>,
    pub(crate) bundle: Option<Vec<u8>>,
}

/// What the last event says besides its number.
#[derive(Debug)]
pub(crate) struct Completion {
    pub(crate) answered: usize,
    pub(crate) asked: usize,
    pub(crate) result: Option<Vec<u8>>,
    pub(crate) no_result: Option<NoResult>,
    pub(crate) release: Vec<u8>,
}

impl Events {
    /// `lines` has room for [`MOST_EVENTS`].
    pub(crate) fn new(lines: mpsc::Sender<Bytes>) -> Self {
        Self { lines, next: 0 }
    }

    /// Waits until every line was taken.
    pub(crate) async fn taken(&self) {
        // An error means that the reader is gone: nothing will be taken any more.
        let _room = self.lines.reserve_many(self.lines.max_capacity()).await;
    }

    pub(crate) fn accepted(
        &mut self,
        question: QuestionId,
        deadline: Timestamp,
        countries: Vec<Country>,
    ) {
        self.send(|seq| Event::Accepted { seq, question, deadline, countries });
    }

    /// Something that a country signed is there, and nothing of it is told.
    pub(crate) fn arrived(&mut self, country: Country, ms: u64) {
        self.send(|seq| Event::Arrived { seq, country, ms });
    }

    pub(crate) fn country(&mut self, event: CountryEvent) {
        let CountryEvent { country, outcome, ms, refusal, bundle } = event;
        let bundle = bundle.map(Base64);
        self.send(|seq| Event::Country { seq, country, outcome, ms, refusal, bundle });
    }

    pub(crate) fn complete(&mut self, completion: Completion) {
        let Completion { answered, asked, result, no_result, release } = completion;
        self.send(|seq| Event::Complete {
            seq,
            complete: answered == asked && no_result.is_none(),
            answered: answered as u64,
            asked: asked as u64,
            result: result.map(Base64),
            no_result,
            release: Base64(release),
        });
    }

    /// `signed` is the gateway's envelope around the same refusal.
    pub(crate) fn refused(&mut self, refusal: Refusal, signed: Vec<u8>) {
        self.send(|seq| Event::Refused { seq, refusal, signed: Base64(signed) });
    }

    fn send(&mut self, event: impl FnOnce(u64) -> Event) {
        let line = event(self.next).to_line();
        self.next += 1;
        // The reader is gone only when the work is about to be dropped too.
        let _gone = self.lines.try_send(Bytes::from(line));
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, MOST_EVENTS};
    use futures::FutureExt as _;
    use mayag_protocol::refusal::{Code, Refusal};
    use tokio::sync::mpsc;

    #[tokio::test]
    async fn lines_are_numbered_and_waited_for_until_they_are_taken() {
        let (sender, mut lines) = mpsc::channel(MOST_EVENTS);
        let mut events = Events::new(sender);
        for _ in 0..MOST_EVENTS {
            events.refused(Refusal::new(Code::Busy, "test", "test"), Vec::new());
        }
        for seq in 0..MOST_EVENTS {
            assert!(events.taken().now_or_never().is_none(), "{seq} of the lines were taken");
            let line = String::from_utf8(lines.recv().await.unwrap().to_vec()).unwrap();
            assert!(line.starts_with(&format!("{{\"type\":\"refused\",\"seq\":{seq},")), "{line}");
        }
        events.taken().await;
    }
}
