//! A federation on disk, servers on loopback, and a stranger who speaks TLS as he likes.

pub(crate) mod handler;
pub(crate) mod stranger;

use handler::Desk;
use mayag_certs_dev::authority::Scope;
use mayag_certs_dev::generate;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::Plan;
use mayag_protocol::identity::{Identity, Kind};
use mayag_protocol::timestamp::{Clock, Timestamp};
use mayag_transport::client::{self, Client, ClientTls};
use mayag_transport::server::{Limits, Server, ServerTls};
use mayag_transport::tls::Usage;
use mayag_transport::trust::{IdentityFiles, Trust, TrustError, TrustFiles};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

pub(crate) const HOUR: Duration = Duration::from_hours(1);
pub(crate) const HANA: &str = "spiffe://demo/country/kr/analyst/hana";
pub(crate) const GATEWAY: &str = "spiffe://demo/gateway/1";
pub(crate) const NODE_KR: &str = "spiffe://demo/country/kr/node";

/// A clock that tests move.
#[derive(Debug)]
pub(crate) struct Hand(AtomicI64);

impl Hand {
    pub(crate) fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.millis()))
    }

    pub(crate) fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }
}

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// A federation.
pub(crate) struct World {
    pub(crate) dir: TempDir,
    pub(crate) pki: Pki,
    pub(crate) clock: Arc<Hand>,
}

/// A server that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) server: Arc<Server>,
    pub(crate) desk: Arc<Desk>,
    stop: Option<oneshot::Sender<()>>,
    tasks: JoinSet<()>,
}

pub(crate) fn id(text: &str) -> Identity {
    text.parse().unwrap()
}

pub(crate) fn analysts(country: &str) -> Scope {
    Scope::national(Kind::Analyst, &country.parse().unwrap())
}

pub(crate) fn nodes(country: &str) -> Scope {
    Scope::national(Kind::Node, &country.parse().unwrap())
}

impl World {
    pub(crate) fn new() -> Self {
        let start: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let dir = tempfile::tempdir().unwrap();
        generate(&Plan::demo(start).unwrap(), dir.path()).unwrap();
        let pki = Pki::open(dir.path()).unwrap();
        Self { dir, pki, clock: Arc::new(Hand(AtomicI64::new(start.millis()))) }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    pub(crate) fn trust_files(&self) -> TrustFiles {
        TrustFiles {
            authorities: self.pki.folder().join("ca"),
            revocations: self.pki.folder().join("crl"),
        }
    }

    pub(crate) fn try_trust(&self) -> Result<Arc<Trust>, TrustError> {
        let issuers = self.pki.roster().unwrap().issuers;
        Trust::load(&self.trust_files(), issuers, Arc::clone(&self.clock) as Arc<dyn Clock>)
    }

    pub(crate) fn trust(&self) -> Arc<Trust> {
        self.try_trust().unwrap()
    }

    /// The certificate and key of this stem in a party's folder.
    pub(crate) fn files(&self, identity: &str, stem: &str) -> IdentityFiles {
        files_in(&self.pki.folder_of(&id(identity)), stem)
    }

    pub(crate) fn bad(&self, what: &str) -> IdentityFiles {
        files_in(&self.pki.bad(what), "tls")
    }

    /// Revokes a certificate; takes effect when somebody reloads.
    pub(crate) fn revoke(&self, scope: &Scope, files: &IdentityFiles) {
        self.pki.revoke(scope, &files.certificate, self.now(), self.now().plus(24 * HOUR)).unwrap();
    }

    pub(crate) async fn gateway(&self, trust: &Arc<Trust>, limits: Limits) -> Running {
        self.serve(GATEWAY, Usage::Gateway, trust, limits).await
    }

    pub(crate) async fn node(&self, trust: &Arc<Trust>, limits: Limits) -> Running {
        self.serve(NODE_KR, Usage::Node, trust, limits).await
    }

    async fn serve(
        &self,
        identity: &str,
        usage: Usage,
        trust: &Arc<Trust>,
        limits: Limits,
    ) -> Running {
        let tls =
            ServerTls { identity: self.files(identity, "tls"), trust: Arc::clone(trust), usage };
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let server = Arc::new(Server::bind("127.0.0.1:0", tls, limits, clock).await.unwrap());
        let (stop, stopped) = oneshot::channel::<()>();
        let desk = Arc::new(Desk::default());
        let mut tasks = JoinSet::new();
        let (running, handler) = (Arc::clone(&server), Arc::clone(&desk));
        tasks.spawn(async move {
            running
                .run(handler, async {
                    let _stopped_or_dropped = stopped.await;
                })
                .await;
        });
        Running { server, desk, stop: Some(stop), tasks }
    }

    /// Hana, asking gateways.
    pub(crate) fn hana(&self, trust: &Arc<Trust>) -> Client {
        self.client(HANA, "tls", trust, client::Limits::default())
    }

    /// The gateway, asking nodes.
    pub(crate) fn gateway_client(&self, trust: &Arc<Trust>, limits: client::Limits) -> Client {
        self.client(GATEWAY, "client", trust, limits)
    }

    pub(crate) fn client(
        &self,
        identity: &str,
        stem: &str,
        trust: &Arc<Trust>,
        limits: client::Limits,
    ) -> Client {
        let tls = ClientTls { identity: self.files(identity, stem), trust: Arc::clone(trust) };
        Client::new(tls, limits, Arc::clone(&self.clock) as Arc<dyn Clock>).unwrap()
    }
}

impl Running {
    pub(crate) fn socket(&self) -> SocketAddr {
        self.server.local_addr()
    }

    pub(crate) fn address(&self) -> String {
        self.socket().to_string()
    }

    /// Shuts down and waits for the end.
    pub(crate) async fn stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        self.tasks.join_next().await.unwrap().unwrap();
    }

    /// Shuts down and returns at once.
    pub(crate) fn begin_stop(&mut self) {
        self.stop.take().unwrap().send(()).unwrap();
    }
}

fn files_in(folder: &Path, stem: &str) -> IdentityFiles {
    IdentityFiles {
        certificate: folder.join(format!("{stem}.crt")),
        key: folder.join(format!("{stem}.key")),
    }
}
