//! A client: one HTTP/2 connection per address and expected identity, kept for reuse, with a cap on what comes back.
//!
//! Nothing is sent before the server has proved that it is the expected party. In TLS 1.3 a client is done before the
//! server has looked at its certificate: a refusal arrives only when the answer is read. [`ClientError::Refused`] says so
//! and is not the same as [`ClientError::Unreachable`].
//!
//! **Cancellation.** Dropping the future of [`Client::post`], or the [`Answer`] it gave, resets the stream; the server
//! then drops what it was doing for it.

mod answer;
mod connection;

pub use answer::Answer;

use crate::credentials::{Credentials, CredentialsError};
use crate::peer::{self, PeerFault, Use};
use crate::trust::{IdentityFiles, Trust};
use bytes::Bytes;
use connection::{Connection, Unsent};
use http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use http::{Request, Response, Uri};
use http_body_util::Full;
use mayag_protocol::identity::Identity;
use mayag_protocol::timestamp::Clock;
use parking_lot::Mutex;
use std::collections::HashMap;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// What a server can use up of its client at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// From the first packet to the end of the handshake.
    pub connect: Duration,
    /// From the request to the headers of the answer: a node answers when it has its result, at the question's deadline
    /// of 120 seconds at the latest.
    pub answer: Duration,
    /// Between two pieces of the answer's body; progress may be slow, silence is not progress.
    pub silence: Duration,
    /// The longest answer, in bytes. A server that sends more is cut off.
    pub answer_bytes: usize,
    /// The longest list of headers of an answer, in bytes.
    pub header_bytes: u32,
    /// A connection of this age takes no more requests; the next one proves both identities anew. Less than the server's
    /// age limit by more than the longest question, so that the server's limit never cuts off an answer.
    pub age: Duration,
    /// How often the server is asked whether it is there.
    pub ping: Duration,
    /// How long it may take to answer that.
    pub pong: Duration,
    /// How often the server's certificate is verified again even though nothing has changed.
    pub recheck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(5),
            answer: Duration::from_secs(130),
            silence: Duration::from_secs(130),
            answer_bytes: 64 * 1024 * 1024,
            header_bytes: 8 * 1024,
            age: Duration::from_mins(7),
            ping: Duration::from_secs(20),
            pong: Duration::from_secs(10),
            recheck: Duration::from_secs(30),
        }
    }
}

/// With what a client authenticates itself and its servers.
#[derive(Debug, Clone)]
pub struct ClientTls {
    /// Its own certificate and key.
    pub identity: IdentityFiles,
    /// Whom it believes.
    pub trust: Arc<Trust>,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The connection broke after the peer had accepted it.
    #[error(
        "the connection to {address} broke before the answer was complete: ask again; what was asked may have been done"
    )]
    Broken {
        /// Where.
        address: String,
    },
    /// Its own certificate is not usable.
    #[error(transparent)]
    Credentials(#[from] CredentialsError),
    /// Whatever listens there did not get through a TLS handshake.
    #[error(
        "{address} broke off the TLS handshake: does a party of the federation listen there, and is it overloaded"
    )]
    Handshake {
        /// Where.
        address: String,
    },
    /// An answer longer than the cap; the connection was closed.
    #[error(
        "{address} sent more than {limit} bytes: its answer was dropped and the connection closed"
    )]
    Long {
        /// Where.
        address: String,
        /// The cap.
        limit: usize,
    },
    /// A party that does not listen.
    #[error("`{0}` is not a node or a gateway: only these can be called")]
    NotAServer(Identity),
    /// A path that cannot be asked for.
    #[error("`{0}` is not a path such as `/v1/questions`")]
    Path(String),
    /// The server closed the connection before it said anything, which is how a certificate is refused in TLS 1.3.
    #[error(
        "{address} closed the connection during authentication: certificate refused? see its log; is the certificate revoked, expired, or its owner missing from the roster"
    )]
    Refused {
        /// Where.
        address: String,
    },
    /// Nothing came for too long.
    #[error("{address} sent nothing for {} s: ask again later, or ask for less", limit.as_secs())]
    Slow {
        /// Where.
        address: String,
        /// For how long.
        limit: Duration,
    },
    /// TLS was not set up.
    #[error("TLS was not set up: this build does not fit its cryptography")]
    Tls,
    /// No connection.
    #[error(
        "no connection to {address} ({kind}): check the address, and that the party is running"
    )]
    Unreachable {
        /// Where.
        address: String,
        /// What the operating system said.
        kind: io::ErrorKind,
    },
    /// Whoever listens there is not who was expected, or may not listen any more.
    #[error("{address} is not `{expected}`: {fault}")]
    Untrusted {
        /// Where.
        address: String,
        /// Who was expected.
        expected: Identity,
        /// Why the certificate is refused.
        fault: PeerFault,
    },
}

/// Connections to servers. Shared behind an `Arc`; dropping it ends every connection that no [`Answer`] still reads.
pub struct Client {
    credentials: Arc<Credentials>,
    trust: Arc<Trust>,
    limits: Limits,
    pool: Mutex<HashMap<Whom, Arc<Seat>>>,
}

/// A party at an address.
#[derive(PartialEq, Eq, Hash)]
struct Whom {
    address: String,
    expected: Identity,
}

/// Where the connection to one party at one address is kept; held while it is being made, so that one is made.
type Seat = tokio::sync::Mutex<Option<Arc<Connection>>>;

impl Client {
    /// Reads the certificate; connects when there is something to ask.
    pub fn new(tls: ClientTls, limits: Limits, clock: Arc<dyn Clock>) -> Result<Self, ClientError> {
        let credentials = Credentials::load(&tls.identity, Use::Connect, clock)?;
        Ok(Self { credentials, trust: tls.trust, limits, pool: Mutex::new(HashMap::new()) })
    }

    /// Its own certificate, for reloading.
    pub fn credentials(&self) -> &Arc<Credentials> {
        &self.credentials
    }

    /// Sends `body` to `path` of the party `expected` at `address` (`host:port`).
    ///
    /// A request that surely did not reach the server is sent once more on a new connection; any other is not repeated,
    /// for the server may have acted on it.
    pub async fn post(
        &self,
        address: &str,
        expected: &Identity,
        path: &str,
        body: Bytes,
    ) -> Result<Response<Answer>, ClientError> {
        self.post_with(address, expected, path, None, body).await
    }

    /// The same, with a header.
    pub async fn post_with(
        &self,
        address: &str,
        expected: &Identity,
        path: &str,
        header: Option<(HeaderName, HeaderValue)>,
        body: Bytes,
    ) -> Result<Response<Answer>, ClientError> {
        let name =
            peer::server_name(expected).ok_or_else(|| ClientError::NotAServer(expected.clone()))?;
        let mut request = request(&name, path, body)?;
        request.headers_mut().extend(header);
        let mut connection = self.connection(address, expected).await?;
        let mut sent = connection.send(request, &self.limits).await;
        if let Err(Unsent::Returned(request)) = sent {
            connection.retire();
            connection = self.connection(address, expected).await?;
            sent = connection.send(*request, &self.limits).await;
        }
        sent.map_err(|unsent| match unsent {
            Unsent::Failed(fault) => fault,
            Unsent::Returned(_) => connection.broken(),
        })
    }

    /// The connection in use, or a new one.
    async fn connection(
        &self,
        address: &str,
        expected: &Identity,
    ) -> Result<Arc<Connection>, ClientError> {
        let seat = self.seat(address, expected);
        let mut seat = seat.lock().await;
        if let Some(connection) =
            seat.as_ref().filter(|connection| connection.is_usable(&self.limits))
        {
            return Ok(Arc::clone(connection));
        }
        // Requests in progress on the old one keep it until they are done.
        *seat = None;
        // Boxed: connecting is rare, and its state would lie in every future that asks something.
        let connecting = Box::pin(connection::connect(
            &self.credentials,
            &self.trust,
            address,
            expected,
            &self.limits,
        ));
        let connection = connecting.await?;
        *seat = Some(Arc::clone(&connection));
        Ok(connection)
    }

    fn seat(&self, address: &str, expected: &Identity) -> Arc<Seat> {
        let mut pool = self.pool.lock();
        // Seats of parties that are not connected are not worth keeping, unless somebody is just sitting down.
        pool.retain(|_, seat| {
            1 < Arc::strong_count(seat) || seat.try_lock().is_ok_and(|seat| seat.is_some())
        });
        Arc::clone(
            pool.entry(Whom { address: address.to_owned(), expected: expected.clone() })
                .or_default(),
        )
    }
}

fn request(name: &str, path: &str, body: Bytes) -> Result<Request<Full<Bytes>>, ClientError> {
    let wrong = || ClientError::Path(path.chars().take(80).collect());
    let uri = Uri::builder()
        .scheme("https")
        .authority(name)
        .path_and_query(path)
        .build()
        .map_err(|_| wrong())?;
    let mut request = Request::post(uri).body(Full::new(body)).map_err(|_| wrong())?;
    request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    Ok(request)
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("credentials", &self.credentials)
            .field("trust", &self.trust)
            .finish_non_exhaustive()
    }
}
