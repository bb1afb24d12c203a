//! One connection of a client, from its handshake to its end.

use super::answer::Answer;
use super::{ClientError, Limits};
use crate::credentials::Credentials;
use crate::peer::{self, PeerFault};
use crate::tasks::{Spawner, Tasks};
use crate::tls;
use crate::trust::Trust;
use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::client::conn::http2::{Builder, SendRequest};
use hyper::rt::Executor as _;
use hyper_util::rt::{TokioIo, TokioTimer};
use mayag_protocol::identity::Identity;
use parking_lot::Mutex;
use rustls::pki_types::{CertificateDer, ServerName};
use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A connection to one party. Its tasks end when the pool and the last answer have let go of it.
pub(super) struct Connection {
    sender: SendRequest<Full<Bytes>>,
    address: String,
    opened: Instant,
    server: Server,
    /// Whether the server has said anything. Until it has, it has not accepted our certificate.
    heard: Arc<AtomicBool>,
    retired: AtomicBool,
    spawner: Spawner,
    _tasks: Tasks,
}

/// Who is at the other end, and when that was looked at last.
#[derive(Clone)]
struct Server {
    trust: Arc<Trust>,
    chain: Arc<[CertificateDer<'static>]>,
    expected: Identity,
    checked: Arc<Mutex<(u64, Instant)>>,
}

/// A request that got no answer.
pub(super) enum Unsent {
    Failed(ClientError),
    /// It surely did not reach the server.
    Returned(Box<Request<Full<Bytes>>>),
}

/// Connects and authenticates within [`Limits::connect`].
pub(super) async fn connect(
    credentials: &Arc<Credentials>,
    trust: &Arc<Trust>,
    address: &str,
    expected: &Identity,
    limits: &Limits,
) -> Result<Arc<Connection>, ClientError> {
    let opened = Instant::now();
    let checked = Arc::new(Mutex::new((*trust.changes().borrow(), opened)));
    let config =
        tls::client(Arc::clone(credentials), trust, expected).map_err(|_| ClientError::Tls)?;
    let handshake = handshake(TlsConnector::from(config), address, expected);
    let stream = timeout_at(opened + limits.connect, handshake).await.unwrap_or_else(|_| {
        Err(ClientError::Unreachable { address: address.to_owned(), kind: io::ErrorKind::TimedOut })
    })?;
    let wrong = || ClientError::Handshake { address: address.to_owned() };
    let (_, session) = stream.get_ref();
    if session.alpn_protocol() != Some(tls::ALPN) {
        return Err(wrong());
    }
    let chain = session
        .peer_certificates()
        .unwrap_or_default()
        .iter()
        .map(|der| der.clone().into_owned())
        .collect();
    let server = Server { trust: Arc::clone(trust), chain, expected: expected.clone(), checked };
    let heard = Arc::new(AtomicBool::new(false));
    let tasks = Tasks::new();
    let spawner = tasks.spawner();
    let io = TokioIo::new(Listening { stream, heard: Arc::clone(&heard) });
    let (sender, driver) =
        builder(spawner.clone(), limits).handshake(io).await.map_err(|_| wrong())?;
    spawner.execute(async move {
        // Its errors reach whoever waits for an answer.
        let _ended = driver.await;
    });
    spawner.execute(watch(server.clone(), spawner.clone(), limits.recheck));
    Ok(Arc::new(Connection {
        sender,
        address: address.to_owned(),
        opened,
        server,
        heard,
        retired: AtomicBool::new(false),
        spawner,
        _tasks: tasks,
    }))
}

async fn handshake(
    connector: TlsConnector,
    address: &str,
    expected: &Identity,
) -> Result<TlsStream<TcpStream>, ClientError> {
    let stream = TcpStream::connect(address).await.map_err(|fault| ClientError::Unreachable {
        address: address.to_owned(),
        kind: fault.kind(),
    })?;
    // Only a hint to the kernel; without it questions go out a little later.
    let _set = stream.set_nodelay(true);
    let name = peer::server_name(expected).and_then(|name| ServerName::try_from(name).ok());
    let untrusted = |fault| ClientError::Untrusted {
        address: address.to_owned(),
        expected: expected.clone(),
        fault,
    };
    let name = name.ok_or_else(|| untrusted(PeerFault::Names))?;
    connector.connect(name, stream).await.map_err(|fault| {
        let fault =
            fault.get_ref().and_then(|fault| fault.downcast_ref()).and_then(tls::peer_fault);
        fault.map_or_else(|| ClientError::Handshake { address: address.to_owned() }, untrusted)
    })
}

fn builder(spawner: Spawner, limits: &Limits) -> Builder<Spawner> {
    let mut builder = Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.pong);
    builder
}

/// Ends the connection, with whatever waits on it, when its server's certificate does not count any more.
async fn watch(server: Server, spawner: Spawner, recheck: Duration) {
    let mut changes = server.trust.changes();
    loop {
        let _changed_or_not = timeout(recheck, changes.changed()).await;
        if !server.is_trusted(Duration::ZERO) {
            tracing::warn!(
                "a connection was closed: the server's certificate does not count any more"
            );
            return spawner.stop();
        }
    }
}

impl Server {
    /// Looks again if something has changed, or if the last look is older than `recheck`.
    fn is_trusted(&self, recheck: Duration) -> bool {
        let (version, now) = (*self.trust.changes().borrow(), Instant::now());
        let (seen, at) = *self.checked.lock();
        if seen == version && now.saturating_duration_since(at) < recheck {
            return true;
        }
        let trusted = self.trust.check_listening(&self.chain, &self.expected).is_ok();
        if trusted {
            *self.checked.lock() = (version, now);
        }
        trusted
    }
}

impl Connection {
    /// Whether further requests may go this way.
    pub(super) fn is_usable(&self, limits: &Limits) -> bool {
        !self.retired.load(Ordering::Acquire)
            && !self.sender.is_closed()
            && self.opened.elapsed() < limits.age
            && self.server.is_trusted(limits.recheck)
    }

    pub(super) async fn send(
        self: &Arc<Self>,
        request: Request<Full<Bytes>>,
        limits: &Limits,
    ) -> Result<Response<Answer>, Unsent> {
        let mut sender = self.sender.clone();
        let failed = |fault| Err(Unsent::Failed(fault));
        let sent = timeout(limits.answer, async move {
            if sender.ready().await.is_err() {
                return Err(Some(request));
            }
            sender.try_send_request(request).await.map_err(|mut fault| fault.take_message())
        });
        match sent.await {
            Ok(Ok(response)) => {
                Ok(response.map(|body| Answer::new(body, Arc::clone(self), limits)))
            }
            Ok(Err(_)) if !self.heard.load(Ordering::Acquire) => {
                failed(ClientError::Refused { address: self.address.clone() })
            }
            Ok(Err(Some(request))) => Err(Unsent::Returned(Box::new(request))),
            Ok(Err(None)) => failed(self.broken()),
            Err(_) => failed(self.slow(limits.answer)),
        }
    }

    /// Takes no further requests; those in progress go on.
    pub(super) fn retire(&self) {
        self.retired.store(true, Ordering::Release);
    }

    /// Ends it at once, with everything on it.
    pub(super) fn close(&self) {
        self.retire();
        self.spawner.stop();
    }

    pub(super) fn broken(&self) -> ClientError {
        ClientError::Broken { address: self.address.clone() }
    }

    pub(super) fn slow(&self, limit: Duration) -> ClientError {
        ClientError::Slow { address: self.address.clone(), limit }
    }

    pub(super) fn long(&self, limit: usize) -> ClientError {
        ClientError::Long { address: self.address.clone(), limit }
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").field("address", &self.address).finish_non_exhaustive()
    }
}

/// A stream that notices its first byte.
struct Listening {
    stream: TlsStream<TcpStream>,
    heard: Arc<AtomicBool>,
}

impl AsyncRead for Listening {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        if before < buffer.filled().len() {
            self.heard.store(true, Ordering::Release);
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Listening {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
