//! A whole node in this process: real files, real workers, and a gateway's certificate to ask it with. Its clock is set by hand.

use crate::engine::program;
use bytes::Bytes;
use http::{HeaderName, HeaderValue, StatusCode};
use mayag_audit::keys::{Ed25519, SigningKey, random_nonce, random_question_id, sha256};
use mayag_certs_dev::generate;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::{Lifetimes, Plan};
use mayag_node::Running;
use mayag_node::config::NodeConfig;
use mayag_protocol::answer::{self, Answer, Bundle, LogPosition};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::forward::{self, Forward};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{Directory, LONGEST_DIRECTORY, PUBLISHED, Wanted};
use mayag_protocol::names::Digest;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, QUESTIONS, Question};
use mayag_protocol::timestamp::{Clock, Timestamp};
use mayag_transport::client::{Client, ClientTls, Limits};
use mayag_transport::clock::SystemClock;
use mayag_transport::trust::{IdentityFiles, Trust, TrustFiles};
use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;
use tempfile::TempDir;

const YEAR: Duration = Duration::from_hours(24 * 365);

/// A clock that runs, and can be put forward.
#[derive(Debug, Default)]
pub(crate) struct Hand(AtomicI64);

impl Clock for Hand {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(SystemClock.now().millis() + self.0.load(Ordering::SeqCst))
    }
}

/// The node of `kr`, and what is needed to ask it.
pub(crate) struct House {
    folder: TempDir,
    clock: Arc<Hand>,
    running: Option<Running>,
    client: Client,
    serial: u64,
}

pub(crate) fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    File::create(path).unwrap().write_all(text.as_bytes()).unwrap();
}

impl House {
    /// Starts a node with these sources and lookups of `node.toml`, and these grants of lookups.
    pub(crate) async fn start(toml: &str, files: &[(&str, &str)], grants: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut plan = Plan::new("test", &["kr"], SystemClock.now())
            .unwrap()
            .with_analyst("kr", "ana", &[Purpose::Border, Purpose::Trend])
            .unwrap()
            .with_administrator("kr", "ada")
            .unwrap()
            .with_administrator("kr", "bo")
            .unwrap();
        plan.lifetimes =
            Lifetimes { authorities: YEAR, services: YEAR, people: YEAR, crls: YEAR, roster: YEAR };
        generate(&plan, folder.path()).unwrap();
        for (name, text) in files {
            write(&folder.path().join("kr").join(name), text);
        }
        let config = [include_str!("house/node.toml"), toml].concat();
        write(&folder.path().join("kr/node.toml"), &config);
        let clock = Arc::new(Hand::default());
        let client = client(folder.path(), &clock);
        let mut house = Self { folder, clock, running: None, client, serial: 0 };
        house.write_policy(grants);
        let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&house.clock);
        mayag_node::init_logs(&house.config(), &clock).unwrap();
        house.run().await;
        house
    }

    fn config(&self) -> NodeConfig {
        NodeConfig::read(&self.folder.path().join("kr/node.toml")).unwrap()
    }

    /// Starts the node, or starts it again.
    pub(crate) async fn run(&mut self) {
        self.stop().await;
        let clock: Arc<dyn Clock> = Arc::<Hand>::clone(&self.clock);
        self.running = Some(Running::start(self.config(), clock, &program()).await.unwrap());
    }

    /// Stops the node, if it runs.
    pub(crate) async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// The file of this name in the node's folder.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join("kr").join(name)
    }

    /// Puts another policy in the place of the one in force; read at the next start or reload.
    pub(crate) fn write_policy(&mut self, grants: &str) {
        self.serial += 1;
        let text = include_str!("house/policy.json")
            .replace("\"serial\": 1", &format!("\"serial\": {}", self.serial))
            .replace("\"lookups\": []", &format!("\"lookups\": {grants}"));
        let pki = Pki::open(self.folder.path()).unwrap();
        let signed = pki.sign_policy(&"kr".parse().unwrap(), text.as_bytes()).unwrap();
        write(&self.file("policy/active.json"), &signed);
    }

    pub(crate) fn reload(&self) {
        self.running.as_ref().unwrap().reload().unwrap();
    }

    /// Whether everything of a reload went well.
    pub(crate) fn try_reload(&self) -> bool {
        self.running.as_ref().unwrap().reload().is_ok()
    }

    /// Puts the clock of the node forward.
    pub(crate) fn later(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// A question of the analyst to this node, for the border.
    pub(crate) fn question(&self, ask: Ask) -> Question {
        let issued_at = self.now();
        Question {
            v: 1,
            id: random_question_id().unwrap(),
            analyst: "spiffe://test/country/kr/analyst/ana".parse().unwrap(),
            gateway: gateway(),
            countries: vec!["kr".parse().unwrap()],
            issued_at,
            expires_at: issued_at.plus(Duration::from_mins(1)),
            nonce: random_nonce().unwrap(),
            ask,
            purpose: Purpose::Border,
            case: None,
            legal_basis: None,
        }
    }

    fn key(&self, name: &str) -> SigningKey {
        let path = self.folder.path().join("pki").join(name);
        SigningKey::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap()
    }

    pub(crate) fn seal(&self, question: &Question) -> Vec<u8> {
        let payload = serde_json::to_vec(question).unwrap();
        let key = self.key("kr-analyst-ana/question.key");
        Envelope::seal(PayloadType::Question, payload, &key).to_bytes()
    }

    /// Sends a body about the question in `envelope` as the gateway would.
    pub(crate) async fn post(
        &self,
        path: &str,
        envelope: &[u8],
        body: Vec<u8>,
    ) -> (StatusCode, Vec<u8>) {
        let question_digest = Envelope::parse(envelope, 1 << 20)
            .map_or_else(|_| sha256(envelope), |envelope| sha256(envelope.unverified_payload()));
        let log = LogPosition {
            origin: "gateway-1.test/query-log/2026".parse().unwrap(),
            index: 0,
            leaf: question_digest.clone(),
        };
        let issued_at = self.now();
        let forward = Forward { v: 1, question_digest, gateway: gateway(), issued_at, log };
        let payload = serde_json::to_vec(&forward).unwrap();
        let key = self.key("gateway-1/answer.key");
        let signed = Envelope::seal(PayloadType::Forward, payload, &key).to_bytes();
        let value = HeaderValue::from_str(&forward::to_header(&signed)).unwrap();
        let header = Some((HeaderName::from_static(forward::HEADER), value));
        let address = self.running.as_ref().unwrap().address().to_string();
        let node = "spiffe://test/country/kr/node".parse().unwrap();
        let sent = self.client.post_with(&address, &node, path, header, Bytes::from(body));
        let response = sent.await.unwrap();
        let status = response.status();
        let mut bytes = Vec::new();
        let mut body = response.into_body();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.unwrap());
        }
        (status, bytes)
    }

    /// The node's answer, verified with its key, and what came with it.
    pub(crate) fn open(&self, bytes: &[u8]) -> (Answer, Vec<Vec<u8>>) {
        let Bundle { envelope, parts } = Bundle::parse(bytes).unwrap();
        let envelope = Envelope::parse(&envelope, answer::LONGEST_ENVELOPE).unwrap();
        let keys = [self.key("node-kr/answer.key").public().clone()];
        let verified = envelope.open(PayloadType::Answer, &keys, 1, &Ed25519).unwrap();
        (verified.parse().unwrap(), parts)
    }

    /// Asks an ordinary question.
    pub(crate) async fn ask(&self, question: &Question) -> (Answer, Vec<Vec<u8>>) {
        let envelope = self.seal(question);
        let (status, bytes) = self.post(QUESTIONS, &envelope, envelope.clone()).await;
        assert_eq!(status, StatusCode::OK);
        self.open(&bytes)
    }

    /// The directory, in its envelope and opened.
    pub(crate) async fn directory(&self, purpose: Purpose) -> (Vec<u8>, Directory) {
        let question = Question { purpose, ..self.question(Ask::Tables {}) };
        let (_, parts) = self.ask(&question).await;
        let [envelope] = <[Vec<u8>; 1]>::try_from(parts).unwrap();
        let opened = Envelope::parse(&envelope, LONGEST_DIRECTORY).unwrap();
        let keys = [self.key("node-kr/answer.key").public().clone()];
        let verified = opened.open(PayloadType::Directory, &keys, 1, &Ed25519).unwrap();
        (envelope, verified.parse().unwrap())
    }

    /// Waits until the directory is what is waited for.
    pub(crate) async fn directory_when(&self, awaited: impl Fn(&Directory) -> bool) -> Directory {
        for _ in 0..600 {
            let (_, directory) = self.directory(Purpose::Border).await;
            if awaited(&directory) {
                return directory;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("not within half a minute: {:#?}", self.directory(Purpose::Border).await.1);
    }

    /// What is published under a digest, in as many pieces as it takes.
    pub(crate) async fn published(&self, digest: &Digest) -> Option<Vec<u8>> {
        let mut bytes = Vec::new();
        loop {
            let (country, offset) = ("kr".parse().unwrap(), bytes.len() as u64);
            let wanted = Wanted { country, digest: digest.clone(), offset };
            let body = serde_json::to_vec(&wanted).unwrap();
            match self.post(PUBLISHED, &body, body.clone()).await {
                (StatusCode::OK, piece) => bytes.extend(piece),
                (StatusCode::NOT_FOUND, _) => break,
                (status, _) => panic!("{status}"),
            }
        }
        (!bytes.is_empty()).then_some(bytes)
    }
}

fn gateway() -> Identity {
    "spiffe://test/gateway/1".parse().unwrap()
}

fn client(folder: &Path, clock: &Arc<Hand>) -> Client {
    let pki = folder.join("pki");
    let clock: Arc<dyn Clock> = Arc::<Hand>::clone(clock);
    let files = TrustFiles { authorities: pki.join("ca"), revocations: pki.join("crl") };
    let issuers = Pki::open(folder).unwrap().roster().unwrap().issuers;
    let trust = Trust::load(&files, issuers, Arc::clone(&clock)).unwrap();
    let own = pki.join("gateway-1");
    let identity =
        IdentityFiles { certificate: own.join("client.crt"), key: own.join("client.key") };
    Client::new(ClientTls { identity, trust }, Limits::default(), clock).unwrap()
}
