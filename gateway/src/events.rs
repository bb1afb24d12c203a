//! The lines of one question: numbered as they happen, and the stream that carries them to the caller.

use crate::crowd::Place;
use bytes::Bytes;
use futures::Stream;
use mayag_protocol::envelope::Base64;
use mayag_protocol::event::Event;
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// Writes events. There are two more than countries at most, so that nothing ever waits for a slow reader.
#[derive(Debug)]
pub(crate) struct Events {
    lines: mpsc::UnboundedSender<Bytes>,
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
    pub(crate) release: Vec<u8>,
}

/// The body of a response. It owns the work: when the caller goes away the body is dropped, and the work with it. The
/// question keeps its place in the crowd until then, so that a caller who does not read takes places of his own only.
#[derive(Debug)]
pub(crate) struct Lines {
    lines: mpsc::UnboundedReceiver<Bytes>,
    _work: JoinSet<Option<Place>>,
}

/// The two ends of one question's stream.
pub(crate) fn channel<F>(work: impl FnOnce(Events) -> F) -> Lines
where
    F: Future<Output = Option<Place>> + Send + 'static,
{
    let (sender, lines) = mpsc::unbounded_channel();
    let mut tasks = JoinSet::new();
    tasks.spawn(work(Events { lines: sender, next: 0 }));
    Lines { lines, _work: tasks }
}

impl Events {
    pub(crate) fn accepted(&mut self, question: QuestionId, deadline: Timestamp, countries: Vec<Country>) {
        self.send(|seq| Event::Accepted { seq, question, deadline, countries });
    }

    pub(crate) fn country(&mut self, event: CountryEvent) {
        let CountryEvent { country, outcome, ms, refusal, bundle } = event;
        let bundle = bundle.map(Base64);
        self.send(|seq| Event::Country { seq, country, outcome, ms, refusal, bundle });
    }

    pub(crate) fn complete(&mut self, completion: Completion) {
        let Completion { answered, asked, result, release } = completion;
        self.send(|seq| Event::Complete {
            seq,
            complete: answered == asked,
            answered: answered as u64,
            asked: asked as u64,
            result: result.map(Base64),
            release: Base64(release),
        });
    }

    pub(crate) fn refused(&mut self, refusal: Refusal) {
        self.send(|seq| Event::Refused { seq, refusal });
    }

    fn send(&mut self, event: impl FnOnce(u64) -> Event) {
        let line = event(self.next).to_line();
        self.next += 1;
        // The reader is gone only when the work is about to be dropped too.
        let _gone = self.lines.send(Bytes::from(line));
    }
}

impl Stream for Lines {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.lines.poll_recv(context).map(|line| line.map(Ok))
    }
}

#[cfg(test)]
mod tests {
    use super::channel;
    use crate::crowd::Crowd;
    use futures::StreamExt as _;
    use mayag_protocol::refusal::{Code, Refusal};
    use std::sync::Arc;

    #[tokio::test]
    async fn the_place_is_kept_until_the_stream_is_gone_and_the_work_ends_with_it() {
        let person = "spiffe://demo/country/kr/analyst/hana".parse().unwrap();
        let crowd = Crowd::new(1, 1);
        let entered = Arc::clone(&crowd);
        let whose = Clone::clone(&person);
        let mut lines = channel(|mut events| async move {
            let place = entered.enter(&whose);
            events.refused(Refusal::new(Code::Busy, "test", "test"));
            events.refused(Refusal::new(Code::Busy, "test", "test"));
            place
        });
        let first = lines.next().await.unwrap().unwrap();
        assert!(first.starts_with(b"{\"type\":\"refused\",\"seq\":0"), "{first:?}");
        assert!(lines.next().await.unwrap().unwrap().starts_with(b"{\"type\":\"refused\",\"seq\":1"));
        assert!(lines.next().await.is_none());
        assert!(crowd.enter(&person).is_none(), "the reader has not let go");
        drop(lines);
        assert!(crowd.enter(&person).is_some());
    }
}
