//! A node that lies, with a real node's certificate.

use crate::sealed::key;
use crate::world::World;
use bytes::Bytes;
use http::{Request, Response};
use mayag_audit::keys::{SigningKey, sha256};
use mayag_protocol::answer::{Answer, Bundle, Decision, LogPosition};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::Roster;
use mayag_protocol::timestamp::Clock;
use mayag_transport::clock::SystemClock;
use mayag_transport::peer::Peer;
use mayag_transport::server::{
    Handler, Limits, RequestBody, ResponseBody, Server, ServerTls, read_body,
};
use mayag_transport::tls::Usage;
use mayag_transport::trust::{IdentityFiles, Trust, TrustFiles};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::task::JoinSet;

/// What the node does with its next question.
#[derive(Debug, Clone, Copy)]
pub enum Lie {
    /// Bytes that are no answer.
    Garbage,
    /// Never answers.
    Hang,
    /// An empty answer.
    Nothing,
    /// Ten gigabytes, if anybody takes them.
    TenGigabytes,
    /// A well-formed answer that another key signed.
    WrongSignature,
}

/// A hostile node that runs until it is dropped.
#[derive(Debug)]
pub struct Hostile {
    door: Arc<Door>,
    _tasks: JoinSet<()>,
}

#[derive(Debug)]
struct Door {
    country: String,
    lie: Mutex<Lie>,
    asked: AtomicU64,
    stranger: SigningKey,
}

impl Hostile {
    /// Listens in the place of `country`'s node: writes the address file that the gateway reads.
    pub async fn start(world: &World, country: &str) -> Self {
        let pki = mayag_certs_dev::pki::Pki::open(world.dir()).expect("the development PKI");
        let roster: Roster = pki.roster().expect("a roster");
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let files = TrustFiles {
            authorities: world.pki.pki.join("ca"),
            revocations: world.pki.pki.join("crl"),
        };
        let trust = Trust::load(&files, roster.issuers, Arc::clone(&clock)).expect("trust");
        let folder = world.pki.pki.join(format!("node-{country}"));
        let identity =
            IdentityFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
        let tls = ServerTls { identity, trust, usage: Usage::Node };
        let server =
            Server::bind("127.0.0.1:0", tls, Limits::default(), clock).await.expect("a listener");
        let address = format!("{}\n", server.local_addr());
        let path = world.dir().join(country).join("address");
        mayag_transport::files::replace(
            &path,
            address.as_bytes(),
            mayag_transport::files::Mode::Public,
        )
        .expect("an address file");
        let stranger =
            SigningKey::from_pem(&SigningKey::generate().expect("a key")).expect("a key");
        assert_ne!(key(&folder, "answer.key").public(), stranger.public());
        let door = Arc::new(Door {
            country: country.to_owned(),
            lie: Mutex::new(Lie::Garbage),
            asked: AtomicU64::new(0),
            stranger,
        });
        let mut tasks = JoinSet::new();
        let handler = Arc::clone(&door);
        tasks.spawn(async move { server.run(handler, std::future::pending()).await });
        Self { door, _tasks: tasks }
    }

    /// Says how it will lie from now on.
    pub fn tell(&self, lie: Lie) {
        *self.door.lie.lock() = lie;
    }

    /// How often it was asked.
    pub fn asked(&self) -> u64 {
        self.door.asked.load(Ordering::SeqCst)
    }
}

impl Handler for Door {
    fn admit(&self, _peer: &Identity) -> bool {
        true
    }

    async fn handle(
        self: Arc<Self>,
        _peer: Peer,
        request: Request<RequestBody>,
    ) -> Response<ResponseBody> {
        let question = read_body(request.into_body(), 1 << 20, Duration::from_secs(5))
            .await
            .unwrap_or_default();
        self.asked.fetch_add(1, Ordering::SeqCst);
        let lie = *self.lie.lock();
        Response::new(match lie {
            Lie::Garbage => ResponseBody::full(vec![0xff; 10_000]),
            Lie::Hang => std::future::pending().await,
            Lie::Nothing => ResponseBody::empty(),
            Lie::TenGigabytes => ResponseBody::produced(4, |pieces| async move {
                let piece = Bytes::from(vec![0; 1 << 20]);
                for _ in 0..10 * 1024 {
                    if pieces.send(piece.clone()).await.is_err() {
                        break;
                    }
                }
            }),
            Lie::WrongSignature => ResponseBody::full(self.forged(&question)),
        })
    }
}

impl Door {
    fn forged(&self, question: &[u8]) -> Vec<u8> {
        let digest = Envelope::parse(question, 1 << 20)
            .map_or_else(|_| sha256(question), |envelope| sha256(envelope.unverified_payload()));
        let answer = Answer {
            v: 1,
            question: None,
            question_digest: digest.clone(),
            country: self.country.parse().expect("a country"),
            issued_at: SystemClock.now(),
            policy: None,
            decision: Decision::Answered { releases: Vec::new() },
            log: LogPosition {
                origin: "log".parse().expect("a log's name"),
                index: 0,
                leaf: digest,
            },
            logged: Base64::default(),
        };
        let payload = serde_json::to_vec(&answer).expect("JSON");
        let envelope = Envelope::seal(PayloadType::Answer, payload, &self.stranger).to_bytes();
        Bundle { envelope, parts: Vec::new() }.to_bytes().expect("a bundle")
    }
}
