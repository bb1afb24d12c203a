//! Bodies: requests with a limit, responses as a whole or as a stream.

use super::activity::Open;
use bytes::Bytes;
use http::StatusCode;
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

/// A response is handed over in pieces of at most this size, so that one that is not taken is noticed and no more than a
/// window of it waits in memory twice.
const PIECE: usize = 16 * 1024;

/// The body of a request; read with [`read_body`].
pub struct RequestBody {
    source: Source,
    longest: usize,
    slowest: Duration,
}

enum Source {
    Network(Incoming),
    Whole(Bytes),
}

/// Why a request's body was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BodyError {
    /// The caller broke off.
    #[error("the request broke off before its end")]
    Broken,
    /// It took too long.
    #[error("the request's body took longer than {} ms", .0.as_millis())]
    Slow(Duration),
    /// It is too long.
    #[error("the request's body is longer than {0} bytes")]
    TooLong(usize),
}

/// Reads a whole body of at most `limit` bytes within `timeout`; where the server's own limits are lower, they count.
pub async fn read_body(
    body: RequestBody,
    limit: usize,
    timeout: Duration,
) -> Result<Bytes, BodyError> {
    let (longest, slowest) = (limit.min(body.longest), timeout.min(body.slowest));
    match body.source {
        Source::Whole(bytes) if bytes.len() <= longest => Ok(bytes),
        Source::Whole(_) => Err(BodyError::TooLong(longest)),
        Source::Network(incoming) => tokio::time::timeout(slowest, collect(incoming, longest))
            .await
            .unwrap_or(Err(BodyError::Slow(slowest))),
    }
}

async fn collect(mut incoming: Incoming, longest: usize) -> Result<Bytes, BodyError> {
    let announced = usize::try_from(incoming.size_hint().lower()).unwrap_or(usize::MAX);
    if longest < announced {
        return Err(BodyError::TooLong(longest));
    }
    let mut bytes = Vec::with_capacity(announced);
    while let Some(frame) = incoming.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::Broken)?.into_data() else { continue };
        if longest - bytes.len() < data.len() {
            return Err(BodyError::TooLong(longest));
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Bytes::from(bytes))
}

impl RequestBody {
    /// A body that is there already, for handlers that are called without a network.
    pub fn whole(bytes: impl Into<Bytes>) -> Self {
        Self { source: Source::Whole(bytes.into()), longest: usize::MAX, slowest: Duration::MAX }
    }

    pub(super) fn network(incoming: Incoming, longest: usize, slowest: Duration) -> Self {
        Self { source: Source::Network(incoming), longest, slowest }
    }
}

impl BodyError {
    /// The HTTP status that says so.
    pub fn status(self) -> StatusCode {
        match self {
            Self::Broken => StatusCode::BAD_REQUEST,
            Self::Slow(_) => StatusCode::REQUEST_TIMEOUT,
            Self::TooLong(_) => StatusCode::PAYLOAD_TOO_LARGE,
        }
    }
}

impl fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestBody")
    }
}

/// The body of a response: whole, or a stream. Dropped, with the task that fills it, when the caller goes away.
pub struct ResponseBody {
    /// What remains of the piece in hand.
    rest: Bytes,
    stream: Option<mpsc::Receiver<Bytes>>,
    /// The task that fills the stream; its panic must not look like the stream's end.
    producer: JoinSet<()>,
}

/// Whatever filled a response's stream panicked; the caller sees the stream reset instead of an early end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the response broke off")]
pub struct Broken;

impl ResponseBody {
    /// Nothing.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self { rest: bytes.into(), stream: None, producer: JoinSet::new() }
    }

    /// Whatever is sent, until the last sender is dropped. Once the caller has gone away, sending fails: whoever sends
    /// must stop then.
    pub fn stream(receiver: mpsc::Receiver<Bytes>) -> Self {
        Self { rest: Bytes::new(), stream: Some(receiver), producer: JoinSet::new() }
    }

    /// Whatever `produce` sends, in a task that belongs to this body: it is dropped when the caller goes away. `ahead`
    /// pieces may wait to be taken. Must be called within a tokio runtime.
    pub fn produced<F>(ahead: usize, produce: impl FnOnce(mpsc::Sender<Bytes>) -> F) -> Self
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let (sender, receiver) = mpsc::channel(ahead.max(1));
        let mut producer = JoinSet::new();
        producer.spawn(produce(sender));
        Self { rest: Bytes::new(), stream: Some(receiver), producer }
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        while self.rest.is_empty() {
            let Some(stream) = &mut self.stream else { return Poll::Ready(None) };
            match ready!(stream.poll_recv(context)) {
                Some(bytes) => self.rest = bytes,
                None => return self.poll_end(context),
            }
        }
        let piece = self.rest.split_to(self.rest.len().min(PIECE));
        Poll::Ready(Some(Ok(piece)))
    }

    /// All senders are gone; that is the end only if the task that had them came to its own.
    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Broken>>> {
        if let Some(Err(_)) = ready!(self.producer.poll_join_next(context)) {
            return Poll::Ready(Some(Err(Broken)));
        }
        self.stream = None;
        Poll::Ready(None)
    }

    fn is_over(&self) -> bool {
        self.rest.is_empty() && self.stream.is_none()
    }

    fn size(&self) -> SizeHint {
        let rest = u64::try_from(self.rest.len()).unwrap_or(u64::MAX);
        if self.stream.is_none() {
            return SizeHint::with_exact(rest);
        }
        let mut hint = SizeHint::new();
        hint.set_lower(rest);
        hint
    }
}

impl fmt::Debug for ResponseBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ResponseBody")
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.poll_piece(context).map(|piece| piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.size()
    }
}

/// A response's body that tells its connection whose turn it is.
#[derive(Debug)]
pub(super) struct Watched {
    body: ResponseBody,
    open: Open,
}

impl Watched {
    pub(super) fn new(body: ResponseBody, open: Open) -> Self {
        // hyper asks for the first piece when the caller's window has room for it.
        open.handed();
        Self { body, open }
    }
}

impl Body for Watched {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        self.open.taken();
        let piece = ready!(self.body.poll_piece(context));
        if let Some(Ok(_)) = &piece {
            self.open.handed();
        }
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size()
    }
}

#[cfg(test)]
mod tests;
