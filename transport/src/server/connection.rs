//! One connection of a server, from its handshake to its end.

use super::Handler;
use super::activity::{Activity, Open, Verdict};
use super::body::{RequestBody, Watched};
use super::limits::Limits;
use super::slots::{Slot, Slots, origin};
use crate::peer::{self, Peer, Use};
use crate::tasks::{Spawner, Tasks};
use crate::tls;
use crate::trust::Trust;
use crate::turned_away::{self, TurnedAway};
use http::{Request, Response};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use mayag_protocol::identity::Identity;
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::pin;
use std::sync::Arc;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Nothing was shown.
const NO_CERTIFICATE: &str = "no_certificate";

/// What all connections of a server have in common.
pub(super) struct Shared {
    acceptor: TlsAcceptor,
    trust: Arc<Trust>,
    limits: Limits,
    handshakes: Slots<()>,
    handshakes_of: Slots<IpAddr>,
    connections: Slots<()>,
    connections_of: Slots<Identity>,
    rechecks: watch::Sender<u64>,
    stopping: watch::Sender<bool>,
}

/// A place among the handshakes.
#[derive(Debug)]
pub(super) struct Place {
    _of_all: Slot<()>,
    _of_address: Slot<IpAddr>,
}

/// What may end a connection's right to exist, watched from before its handshake so that nothing falls between.
struct Watches {
    trust: watch::Receiver<u64>,
    rechecks: watch::Receiver<u64>,
    stopping: watch::Receiver<bool>,
}

/// A connection whose peer is known.
struct Known {
    stream: TlsStream<TcpStream>,
    chain: Vec<CertificateDer<'static>>,
    peer: Peer,
}

impl Shared {
    pub(super) fn new(config: Arc<ServerConfig>, trust: Arc<Trust>, limits: Limits) -> Self {
        Self {
            acceptor: TlsAcceptor::from(config),
            trust,
            limits,
            handshakes: Slots::new(limits.handshakes),
            handshakes_of: Slots::new(limits.handshakes_per_address),
            connections: Slots::new(limits.connections),
            connections_of: Slots::new(limits.connections_per_identity),
            rechecks: watch::Sender::new(0),
            stopping: watch::Sender::new(false),
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(super) fn recheck(&self) {
        self.rechecks.send_modify(|version| *version = version.wrapping_add(1));
    }

    pub(super) fn stop(&self) {
        self.stopping.send_replace(true);
    }

    pub(super) fn place(&self, address: SocketAddr) -> Option<Place> {
        Some(Place {
            _of_all: self.handshakes.take(())?,
            _of_address: self.handshakes_of.take(origin(address.ip()))?,
        })
    }

    fn watches(&self) -> Watches {
        Watches {
            trust: self.trust.changes(),
            rechecks: self.rechecks.subscribe(),
            stopping: self.stopping.subscribe(),
        }
    }
}

/// Serves one connection to its end. Dropping the future ends it, and every request on it, at once.
pub(super) async fn serve<H: Handler>(
    shared: Arc<Shared>,
    handler: Arc<H>,
    stream: TcpStream,
    address: SocketAddr,
    place: Place,
) {
    let watches = shared.watches();
    let away = |identity, why| {
        handler.turned_away(&TurnedAway { address: address.ip(), identity, why });
    };
    let known = match handshake(&shared, stream, address).await {
        Ok(known) => known,
        Err(why) => {
            if let Some(why) = why {
                away(None, why);
            }
            return;
        }
    };
    drop(place);
    let taken =
        (shared.connections.take(()), shared.connections_of.take(known.peer.identity.clone()));
    let (Some(_one), Some(_of_identity)) = taken else {
        tracing::warn!("a connection was closed: too many connections, in all or of one identity");
        return;
    };
    if handler.admit(&known.peer.identity) {
        drive(&shared, handler, known, watches).await;
    } else {
        tracing::warn!("a connection was closed: its party is not admitted here");
        away(Some(known.peer.identity), turned_away::NOT_ADMITTED);
    }
}

/// A connection whose peer is known; or why it was turned away, if that is about who it is.
async fn handshake(
    shared: &Shared,
    stream: TcpStream,
    address: SocketAddr,
) -> Result<Known, Option<&'static str>> {
    // Only a hint to the kernel; without it answers come a little later.
    let _set = stream.set_nodelay(true);
    let stream = match timeout(shared.limits.handshake, shared.acceptor.accept(stream)).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(fault)) => return Err(report(&fault)),
        Err(_) => {
            tracing::debug!("a handshake took too long");
            return Err(None);
        }
    };
    let (_, session) = stream.get_ref();
    // A client that offers no protocol at all gets past rustls.
    if session.alpn_protocol() != Some(tls::ALPN) {
        tracing::debug!("a client offered no application protocol");
        return Err(None);
    }
    let shown = session.peer_certificates().unwrap_or_default();
    let chain: Vec<_> = shown.iter().map(|der| der.clone().into_owned()).collect();
    let first = chain.first().ok_or(Some(NO_CERTIFICATE))?;
    let identity = peer::parse(first).and_then(|der| peer::identity(&der, Use::Connect));
    let identity = identity.map_err(|fault| Some(fault.word()))?;
    Ok(Known { stream, chain, peer: Peer { identity, address } })
}

/// Why a handshake failed, if that is about a certificate. Others fail every day: scanners, and callers that go away.
fn report(fault: &io::Error) -> Option<&'static str> {
    let fault = fault.get_ref().and_then(|fault| fault.downcast_ref());
    if let Some(fault) = fault.and_then(tls::peer_fault) {
        tracing::warn!(%fault, "a client's certificate was refused");
        return Some(fault.word());
    }
    tracing::debug!("a handshake failed");
    fault.is_some_and(tls::no_certificate).then_some(NO_CERTIFICATE)
}

async fn drive<H: Handler>(
    shared: &Arc<Shared>,
    handler: Arc<H>,
    known: Known,
    mut watches: Watches,
) {
    let limits = &shared.limits;
    let Known { stream, chain, peer } = known;
    let (tasks, activity, opened) = (Tasks::new(), Activity::new(), Instant::now());
    let identity = peer.identity.clone();
    let allowed = || {
        shared.trust.check_connecting(&chain).as_ref() == Ok(&identity) && handler.admit(&identity)
    };
    let service = service_fn(|request| {
        respond(
            Arc::clone(&handler),
            peer.clone(),
            RequestOf { request, open: activity.begin(), limits: *limits },
        )
    });
    let mut connection =
        pin!(http(tasks.spawner(), limits).serve_connection(TokioIo::new(stream), service));
    let mut tick = interval(limits.tick());
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut retired, mut checked) = (None, opened);
    loop {
        let look = tokio::select! {
            _ended = connection.as_mut() => return,
            _changed = watches.trust.changed() => true,
            _changed = watches.rechecks.changed() => true,
            _stopping = watches.stopping.wait_for(|stopping| *stopping), if retired.is_none() => {
                connection.as_mut().graceful_shutdown();
                retired = Some(Instant::now());
                false
            }
            now = tick.tick() => limits.recheck < now.saturating_duration_since(checked),
        };
        let now = Instant::now();
        if look {
            checked = now;
            if !allowed() {
                tracing::warn!(
                    "a connection was closed: its certificate or its admission has ended"
                );
                return;
            }
        }
        if retired.is_some_and(|since| limits.drain < now.saturating_duration_since(since)) {
            tracing::warn!("a connection was closed with requests in progress");
            return;
        }
        match activity.verdict(opened, now, limits) {
            Verdict::Retire(reason) if retired.is_none() => {
                tracing::debug!(reason, "a connection takes no more requests");
                connection.as_mut().graceful_shutdown();
                retired = Some(now);
            }
            Verdict::Keep | Verdict::Retire(_) => {}
            Verdict::Close(reason) => {
                tracing::debug!(reason, "a connection was closed");
                return;
            }
        }
    }
}

fn http(spawner: Spawner, limits: &Limits) -> http2::Builder<Spawner> {
    let mut builder = http2::Builder::new(spawner);
    builder
        .timer(TokioTimer::new())
        .max_concurrent_streams(limits.streams)
        .max_header_list_size(limits.header_bytes)
        .keep_alive_interval(limits.ping)
        .keep_alive_timeout(limits.pong);
    builder
}

struct RequestOf {
    request: Request<Incoming>,
    open: Open,
    limits: Limits,
}

async fn respond<H: Handler>(
    handler: Arc<H>,
    peer: Peer,
    of: RequestOf,
) -> Result<Response<Watched>, Infallible> {
    let RequestOf { request, open, limits } = of;
    let request = request.map(|body| RequestBody::network(body, limits.body_bytes, limits.body));
    let response = handler.handle(peer, request).await;
    Ok(response.map(|body| Watched::new(body, open)))
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Shared")
            .field("trust", &self.trust)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}
