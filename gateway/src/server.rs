//! The gateway's door: which requests there are, who may make them, and the handle of a gateway that runs.

use crate::admission::Caller;
use crate::config::GatewayConfig;
use crate::events::{Events, MOST_EVENTS};
use crate::gateway::{Gateway, GatewayError};
use crate::line;
use crate::published;
use crate::receipts;
use crate::sent::Sent;
use crate::witnessing::Rounds;
use http::{HeaderValue, Request, Response, StatusCode, header};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup;
use mayag_protocol::question::{self, LONGEST_ENVELOPE};
use mayag_protocol::receipts::{LONGEST_REQUEST, RECEIPTS as RECEIPTS_PATH};
use mayag_protocol::timestamp::Clock;
use mayag_transport::files::{self, Mode};
use mayag_transport::party_logs::Upkeep;
use mayag_transport::peer::Peer;
use mayag_transport::route::Route;
use mayag_transport::server::Limits;
use mayag_transport::server::{Handler, Server, ServerTls};
use mayag_transport::server::{RequestBody, ResponseBody, read_body};
use mayag_transport::tls::Usage;
use mayag_transport::trust::IdentityFiles;
use mayag_transport::turned_away::TurnedAway;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Handle;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

/// Everything that can be asked of a gateway.
pub const ROUTES: &[Route] = &[LOOKUPS, PUBLISHED, QUESTIONS, RECEIPTS];

/// A question in its envelope; the answer is a stream of events.
const QUESTIONS: Route = Route { method: "POST", path: question::QUESTIONS };

/// A lookup and its vector; the answer is the same.
const LOOKUPS: Route = Route { method: "POST", path: lookup::LOOKUPS };

/// A piece of what a node published, by its digest.
const PUBLISHED: Route = Route { method: "POST", path: lookup::PUBLISHED };

/// A place in the log; the answer is the proof of what stands there.
const RECEIPTS: Route = Route { method: "POST", path: RECEIPTS_PATH };

/// From the headers to the end of a question: it has at most 64 KiB, a lookup 2 MiB.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A gateway that listens. Dropping it ends every question at once; [`Running::shutdown`] lets them finish.
#[derive(Debug)]
pub struct Running {
    gateway: Arc<Gateway>,
    server: Arc<Server>,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
    /// Ends with the gateway.
    _witnesses: JoinSet<()>,
    /// The same.
    _upkeep: Upkeep,
}

impl Gateway {
    /// Reads everything, binds the address, writes it where the configuration says, and listens.
    pub async fn start(
        config: GatewayConfig,
        clock: Arc<dyn Clock>,
    ) -> Result<Running, GatewayError> {
        let gateway = Self::open(config, Arc::clone(&clock), Handle::current())?;
        let config = gateway.config();
        let identity = IdentityFiles {
            certificate: config.pki.certificate.clone(),
            key: config.pki.key.clone(),
        };
        let tls = ServerTls { identity, trust: Arc::clone(gateway.trust()), usage: Usage::Gateway };
        let server =
            Arc::new(Server::bind(config.listen.as_str(), tls, Limits::default(), clock).await?);
        if server.credentials().identity() != *gateway.identity() {
            return Err(GatewayError::OtherCertificate { found: server.credentials().identity() });
        }
        let mut witnesses = JoinSet::new();
        if config.log.witnesses > 0 {
            let mut rounds = Rounds::new(Arc::clone(&gateway));
            rounds.first().await;
            witnesses.spawn(rounds.forever());
        }
        let upkeep = Upkeep::start(Arc::clone(gateway.logs()), config.log.retention_days.get())?;
        if let Some(path) = &config.address_file {
            // Written last: who finds it finds a gateway that answers.
            files::replace(path, format!("{}\n", server.local_addr()).as_bytes(), Mode::Public)?;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let (serving, door) = (Arc::clone(&server), Arc::new(Door(Arc::clone(&gateway))));
        tasks.spawn(async move {
            let stopped = async {
                // The sender is dropped only together with these tasks.
                let _stopped = stopped.await;
            };
            serving.run(door, stopped).await;
        });
        tracing::info!(gateway = %gateway.identity(), address = %server.local_addr(), "listening");
        Ok(Running { gateway, server, stop, tasks, _witnesses: witnesses, _upkeep: upkeep })
    }
}

impl Running {
    /// Returns once the log cannot go on: then the program must end.
    pub async fn log_failed(&self) {
        self.gateway.logs().failed().await;
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Reads certificates, revocation lists and the roster again, and closes connections that are no longer allowed.
    ///
    /// What cannot be used leaves the old in force; the error says so to the operator. Questions that are under way end
    /// under the roster they began with.
    pub fn reload(&self) -> Result<(), GatewayError> {
        let reloaded = self.gateway.reload();
        let credentials = self.server.credentials().reload();
        self.server.recheck();
        reloaded?;
        credentials?;
        Ok(())
    }

    /// Takes no more questions, and returns when those under way have ended or were cut off.
    pub async fn shutdown(mut self) {
        // The task may have ended by itself; then there is nobody to tell.
        let _told = self.stop.send(());
        while self.tasks.join_next().await.is_some() {}
        // Those that were cut off have an end in the log.
        self.gateway.endings().written().await;
    }
}

/// Takes requests from people of the roster.
#[derive(Debug)]
struct Door(Arc<Gateway>);

impl Handler for Door {
    fn admit(&self, peer: &Identity) -> bool {
        Caller::authenticate(peer, &self.0.roster()).is_ok()
    }

    fn turned_away(&self, away: &TurnedAway) {
        self.0.logs().turned_away(away);
    }

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<RequestBody>,
    ) -> Response<ResponseBody> {
        let (head, body) = request.into_parts();
        let is = |route: Route| route.is(&head.method, head.uri.path());
        let longest = if is(QUESTIONS) {
            LONGEST_ENVELOPE
        } else if is(LOOKUPS) {
            lookup::LONGEST_REQUEST
        } else if is(PUBLISHED) || is(RECEIPTS) {
            LONGEST_REQUEST
        } else {
            return status(StatusCode::NOT_FOUND);
        };
        // A lookup is long enough to be counted before it is read, and until it has been carried.
        let room = if is(LOOKUPS) {
            let Ok(room) = self.0.memory().hold(lookup::LONGEST_REQUEST) else {
                return status(StatusCode::SERVICE_UNAVAILABLE);
            };
            Some(room)
        } else {
            None
        };
        let body = match read_body(body, longest, BODY_TIME).await {
            Ok(body) => body,
            Err(fault) => return status(fault.status()),
        };
        let gateway = Arc::clone(&self.0);
        if is(RECEIPTS) {
            let (code, bytes) = receipts::answer(&gateway, peer.identity, &body).await;
            return typed(code, "application/json", ResponseBody::full(bytes));
        }
        if is(PUBLISHED) {
            let (code, piece) = published::answer(&gateway, &peer.identity, body).await;
            return typed(code, "application/octet-stream", piece);
        }
        let sent = if is(LOOKUPS) { Sent::lookup(body) } else { Sent::question(body) };
        let stream = ResponseBody::produced(MOST_EVENTS, |lines| async move {
            let mut events = Events::new(lines);
            let taken = line::carry(gateway, peer.identity, sent, &mut events).await;
            // The question keeps its place and its memory until the caller has taken every line, or has gone away.
            events.taken().await;
            drop((taken, room));
        });
        typed(StatusCode::OK, "application/x-ndjson", stream)
    }
}

fn typed(status: StatusCode, kind: &'static str, body: ResponseBody) -> Response<ResponseBody> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}

fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}
