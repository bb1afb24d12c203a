//! A server: TLS 1.3 with client certificates, HTTP/2, and a limit on everything that a caller can use up.
//!
//! A connection goes through: a place among the handshakes (in all, and of its address), the handshake, a place among
//! the connections (in all, and of its identity), [`Handler::admit`], and only then HTTP. It is closed when its
//! certificate or its admission ends, when it is idle, when its caller stops reading, and at a certain age.
//!
//! **Cancellation.** Nothing that a caller started outlives the caller. If the caller resets the stream or the
//! connection ends, the future of [`Handler::handle`] is dropped where it stands, and so is a
//! [`ResponseBody`] with the task that fills it. A handler must therefore keep everything it starts
//! inside its future or a `JoinSet` of its own, and must bring what must not be left half done (a log entry) to its end
//! elsewhere.

mod activity;
mod body;
mod connection;
mod limits;
mod slots;

pub use body::{BodyError, Broken, RequestBody, ResponseBody, read_body};
pub use limits::Limits;

use crate::credentials::{Credentials, CredentialsError};
use crate::peer::{Peer, Use};
use crate::tls::{self, Usage};
use crate::trust::{IdentityFiles, Trust};
use crate::turned_away::TurnedAway;
use connection::Shared;
use http::{Request, Response};
use mayag_protocol::identity::Identity;
use mayag_protocol::timestamp::Clock;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream, ToSocketAddrs};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

/// After an accept that failed, mostly for want of file descriptors, the next one waits this long.
const PAUSE_AFTER_FAULT: Duration = Duration::from_millis(100);

/// What a server does with its callers.
pub trait Handler: Send + Sync + 'static {
    /// Whether this party may be connected at all. Asked after each handshake, and again for every live connection
    /// when trust changes, when [`Server::recheck`] is called and from time to time: connections that are no longer
    /// admitted are closed. Must not block.
    fn admit(&self, peer: &Identity) -> bool;

    /// Told of everybody who was turned away for what was shown, or not shown, as a certificate. Must not block.
    fn turned_away(&self, _away: &TurnedAway) {}

    /// Answers a request. Dropped where it stands when the caller goes away.
    fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<RequestBody>,
    ) -> impl Future<Output = Response<ResponseBody>> + Send;
}

/// With what a server authenticates itself and its callers.
#[derive(Debug, Clone)]
pub struct ServerTls {
    /// Its own certificate and key.
    pub identity: IdentityFiles,
    /// Whom it believes.
    pub trust: Arc<Trust>,
    /// Whose listener it is.
    pub usage: Usage,
}

/// Why a server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// The address is not to be had.
    #[error("no listener at this address: {}; is another one running there, or is the address not this machine's", source.kind())]
    Bind {
        /// What the operating system said.
        source: io::Error,
    },
    /// Its own certificate is not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Its own certificate names a party of another kind.
    #[error(
        "the certificate names `{found}`, which does not listen here: a node needs a node's certificate, a gateway a gateway's"
    )]
    Kind {
        /// Whom it names.
        found: Identity,
    },
    /// TLS was not set up.
    #[error("TLS was not set up: this build does not fit its cryptography")]
    Tls,
}

/// A listener that is bound and runs when [`Server::run`] is called.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    shared: Arc<Shared>,
    credentials: Arc<Credentials>,
}

impl Server {
    /// Reads the certificate and binds the address; connections wait until [`Server::run`].
    pub async fn bind(
        address: impl ToSocketAddrs,
        tls: ServerTls,
        limits: Limits,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ServerError> {
        let credentials = Credentials::load(&tls.identity, Use::Listen, clock)?;
        let identity = credentials.identity();
        if !tls.usage.listens(identity.kind()) {
            return Err(ServerError::Kind { found: identity });
        }
        let config = tls::server(Arc::clone(&credentials), &tls.trust, tls.usage)
            .map_err(|_| ServerError::Tls)?;
        let listener =
            TcpListener::bind(address).await.map_err(|source| ServerError::Bind { source })?;
        let address = listener.local_addr().map_err(|source| ServerError::Bind { source })?;
        Ok(Self {
            listener,
            address,
            shared: Arc::new(Shared::new(config, tls.trust, limits)),
            credentials,
        })
    }

    /// Where it listens.
    pub fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Its own certificate, for reloading.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Asks [`Handler::admit`] again for every live connection: the roster has changed.
    pub fn recheck(&self) {
        self.shared.recheck();
    }

    /// Serves until `shutdown`, then lets requests in progress finish for at most [`Limits::drain`].
    ///
    /// To be called once: after the shutdown every further connection would be turned away.
    pub async fn run<H: Handler>(
        &self,
        handler: Arc<H>,
        shutdown: impl Future<Output = ()> + Send,
    ) {
        let mut connections = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, address)) => self.take(&mut connections, &handler, stream, address),
                    Err(fault) => {
                        tracing::warn!(kind = %fault.kind(), "a connection was not accepted");
                        sleep(PAUSE_AFTER_FAULT).await;
                    }
                },
                Some(ended) = connections.join_next() => report(&ended),
            }
        }
        self.shared.stop();
        let drained = timeout(self.shared.limits().drain, async {
            while let Some(ended) = connections.join_next().await {
                report(&ended);
            }
        });
        if drained.await.is_err() {
            tracing::warn!(
                connections = connections.len(),
                "requests were cut off at the end of the grace period"
            );
        }
        connections.shutdown().await;
    }

    fn take<H: Handler>(
        &self,
        connections: &mut JoinSet<()>,
        handler: &Arc<H>,
        stream: TcpStream,
        address: SocketAddr,
    ) {
        // Turned away without a word: an answer would cost what the limit protects.
        let Some(place) = self.shared.place(address) else {
            tracing::warn!("a connection was turned away: too many handshakes at once");
            return;
        };
        connections.spawn(connection::serve(
            Arc::clone(&self.shared),
            Arc::clone(handler),
            stream,
            address,
            place,
        ));
    }
}

fn report(ended: &Result<(), tokio::task::JoinError>) {
    if ended.as_ref().is_err_and(tokio::task::JoinError::is_panic) {
        tracing::error!("a connection's task panicked; only that connection is gone");
    }
}
