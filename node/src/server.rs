//! The node's door: which requests there are, who may make them, and the handle of a node that runs.
//!
//! Only gateways of the roster may connect; an analyst's own certificate opens nothing here. What a gateway carries is
//! believed only as far as the analyst signed it.

use crate::admission::Carried;
use crate::config::NodeConfig;
use crate::line;
use crate::lookups::keeper;
use crate::node::{Node, NodeError, blocking};
use crate::witnessing::Said;
use http::{HeaderValue, Request, Response, StatusCode, header};
use mayag_protocol::forward;
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::lookup::{self, Wanted};
use mayag_protocol::question::{self, LONGEST_ENVELOPE};
use mayag_protocol::strict;
use mayag_protocol::timestamp::Clock;
use mayag_protocol::witnessing;
use mayag_transport::files::{self, Mode};
use mayag_transport::party_logs::Upkeep;
use mayag_transport::peer::Peer;
use mayag_transport::route::Route;
use mayag_transport::server::{
    Handler, Limits, RequestBody, ResponseBody, Server, ServerTls, read_body,
};
use mayag_transport::tls::Usage;
use mayag_transport::trust::IdentityFiles;
use mayag_transport::turned_away::TurnedAway;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Semaphore, oneshot};
use tokio::task::JoinSet;

/// Everything that can be asked of a node.
pub const ROUTES: &[Route] =
    &[ADD_CHECKPOINT, COSIGNATURES, LOOKUPS, PUBLISHED, QUESTIONS, REQUEST];

/// A question in its envelope; the answer is a [`mayag_protocol::answer::Bundle`].
const QUESTIONS: Route = Route { method: "POST", path: question::QUESTIONS };

/// A lookup in its envelope, and its vector, as a [`mayag_protocol::answer::Bundle`]; so is the answer.
const LOOKUPS: Route = Route { method: "POST", path: lookup::LOOKUPS };

/// A piece of what this node published.
const PUBLISHED: Route = Route { method: "POST", path: lookup::PUBLISHED };

/// A checkpoint to be cosigned.
const ADD_CHECKPOINT: Route = Route { method: "POST", path: witnessing::ADD_CHECKPOINT };

/// Cosignatures of this node's own logs.
const COSIGNATURES: Route = Route { method: "POST", path: witnessing::COSIGNATURES };

/// What witnesses of this node's own logs are to be asked.
const REQUEST: Route = Route { method: "POST", path: witnessing::REQUEST };

/// Pieces of what this node published that are read at once: each is held as a whole.
const PIECES: usize = 4;

/// From the headers to the end of a question: it has at most 64 KiB, a lookup 2 MiB.
const BODY_TIME: Duration = Duration::from_secs(10);

/// A node that listens. Dropping it ends every question at once; [`Running::shutdown`] lets them finish.
#[derive(Debug)]
pub struct Running {
    node: Arc<Node>,
    server: Arc<Server>,
    stop: oneshot::Sender<()>,
    tasks: JoinSet<()>,
    /// Builds the indices of lookup tables.
    keeper: JoinSet<()>,
    /// Ends with the node.
    _upkeep: Upkeep,
}

impl Running {
    /// Starts a node: reads everything, starts its workers (processes of `program worker`), checks its data, binds the
    /// address, writes it where the configuration says, and listens.
    pub async fn start(
        config: NodeConfig,
        clock: Arc<dyn Clock>,
        program: &Path,
    ) -> Result<Self, NodeError> {
        let node = Node::start(config, Arc::clone(&clock), program).await?;
        let config = node.config();
        let identity = IdentityFiles {
            certificate: config.pki.certificate.clone(),
            key: config.pki.key.clone(),
        };
        let tls = ServerTls { identity, trust: Arc::clone(node.trust()), usage: Usage::Node };
        let server =
            Arc::new(Server::bind(config.listen.as_str(), tls, Limits::default(), clock).await?);
        let identity = server.credentials().identity();
        if identity.country() != Some(&config.country) || identity.federation != config.federation {
            return Err(NodeError::OtherCertificate { found: identity });
        }
        let upkeep = Upkeep::start(Arc::clone(node.logs()), config.log.retention_days.get())?;
        if let Some(path) = &config.address_file {
            // Written last: who finds it finds a node that answers.
            files::replace(path, format!("{}\n", server.local_addr()).as_bytes(), Mode::Public)?;
        }
        let (stop, stopped) = oneshot::channel::<()>();
        let mut tasks = JoinSet::new();
        let door = Arc::new(Door {
            places: Semaphore::new(config.limits.questions),
            pieces: Semaphore::new(PIECES),
            node: Arc::clone(&node),
        });
        let serving = Arc::clone(&server);
        tasks.spawn(async move {
            let stopped = async {
                // The sender is dropped only together with these tasks.
                let _stopped = stopped.await;
            };
            serving.run(door, stopped).await;
        });
        tracing::info!(country = %node.country(), address = %server.local_addr(), "listening");
        let mut keeper = JoinSet::new();
        keeper.spawn(keeper::keep(Arc::clone(&node)));
        Ok(Self { node, server, stop, tasks, keeper, _upkeep: upkeep })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.server.local_addr()
    }

    /// Reads certificates, revocation lists, roster and policy again, and closes connections that are no longer
    /// allowed. What cannot be used leaves the old in force; the error says so to the operator.
    pub fn reload(&self) -> Result<(), NodeError> {
        let reloaded = self.node.reload();
        let credentials = self.server.credentials().reload();
        self.server.recheck();
        reloaded?;
        credentials?;
        Ok(())
    }

    /// Returns once the log cannot go on: then the program must end.
    pub async fn log_failed(&self) {
        self.node.logs().failed().await;
    }

    /// Takes no more questions, and returns when those under way have ended or were cut off.
    pub async fn shutdown(mut self) {
        // Its worker is killed, and hashing ends with the portion of rows it is at.
        self.keeper.shutdown().await;
        // The task may have ended by itself; then there is nobody to tell.
        let _told = self.stop.send(());
        while self.tasks.join_next().await.is_some() {}
    }
}

/// Takes requests from gateways of the roster.
#[derive(Debug)]
struct Door {
    node: Arc<Node>,
    places: Semaphore,
    pieces: Semaphore,
}

impl Handler for Door {
    fn admit(&self, peer: &Identity) -> bool {
        peer.kind() == Kind::Gateway && self.node.in_force().roster().gateway(peer).is_some()
    }

    fn turned_away(&self, away: &TurnedAway) {
        self.node.logs().turned_away(away);
    }

    async fn handle(
        self: Arc<Self>,
        peer: Peer,
        request: Request<RequestBody>,
    ) -> Response<ResponseBody> {
        let (head, body) = request.into_parts();
        let is = |route: &Route| route.is(&head.method, head.uri.path());
        if !ROUTES.iter().any(is) {
            return status(StatusCode::NOT_FOUND);
        }
        let longest = if is(&LOOKUPS) { lookup::LONGEST_REQUEST } else { LONGEST_ENVELOPE };
        let body = match read_body(body, longest, BODY_TIME).await {
            Ok(body) => body,
            Err(fault) => return status(fault.status()),
        };
        if is(&PUBLISHED) {
            return self.piece(body.to_vec()).await;
        }
        if !is(&QUESTIONS) && !is(&LOOKUPS) {
            let node = Arc::clone(&self.node);
            let work: fn(&Arc<Node>, &[u8]) -> Said = if is(&REQUEST) {
                |node, body| crate::witnessing::request(node, body)
            } else if is(&COSIGNATURES) {
                |node, body| crate::witnessing::cosignatures(node, body)
            } else {
                crate::witnessing::add_checkpoint
            };
            let Some((code, bytes)) = blocking(move || work(&node, &body)).await else {
                return status(StatusCode::INTERNAL_SERVER_ERROR);
            };
            let mut response = Response::new(ResponseBody::full(bytes));
            *response.status_mut() = code;
            return response;
        }
        // Waiting here is bounded by the gateway's deadline: when it goes away, so does this future.
        let Ok(_place) = self.places.acquire().await else {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        };
        let forward = head.headers.get(forward::HEADER).map(HeaderValue::as_bytes);
        let forward = forward.and_then(forward::from_header);
        let carry = if is(&LOOKUPS) { Carried::lookup } else { Carried::question };
        let carried = carry(body.to_vec(), forward);
        let bundle = line::answer(&self.node, &peer.identity, &carried).await;
        let Some(bytes) = bundle.and_then(|bundle| bundle.to_bytes().ok()) else {
            // Nothing may leave that is not in the log.
            return status(StatusCode::SERVICE_UNAVAILABLE);
        };
        let mut response = Response::new(ResponseBody::full(bytes));
        response
            .headers_mut()
            .insert(header::CONTENT_TYPE, HeaderValue::from_static("application/octet-stream"));
        response
    }
}

impl Door {
    /// A piece of what this node published. Who knows the digest was told it in a directory.
    async fn piece(&self, body: Vec<u8>) -> Response<ResponseBody> {
        let Ok(_place) = self.pieces.acquire().await else {
            return status(StatusCode::SERVICE_UNAVAILABLE);
        };
        let Ok(Wanted { country, digest, offset }) = strict::parse(&body, LONGEST_ENVELOPE) else {
            return status(StatusCode::BAD_REQUEST);
        };
        if country != *self.node.country() {
            return status(StatusCode::NOT_FOUND);
        }
        let node = Arc::clone(&self.node);
        let read = blocking(move || node.lookups().piece(&digest, offset, lookup::PIECE)).await;
        match read.flatten() {
            Some(bytes) => Response::new(ResponseBody::full(bytes)),
            None => status(StatusCode::NOT_FOUND),
        }
    }
}

fn status(status: StatusCode) -> Response<ResponseBody> {
    let mut response = Response::new(ResponseBody::empty());
    *response.status_mut() = status;
    response
}
