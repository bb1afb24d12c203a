//! A federation in a temporary folder: certificates, a gateway in this process, and nodes of the test's choosing.

use crate::node::{Behaviour, FakeNode};
use arrow::array::{Array as _, AsArray as _, RecordBatch};
use arrow::compute::concat_batches;
use arrow::datatypes::Int64Type;
use arrow::ipc::reader::StreamReader;
use arrow::util::display::FormatOptions;
use mayag_audit::entry::Entry;
use mayag_audit::keys::{Ed25519, SigningKey, random_nonce, random_question_id};
use mayag_audit::party::{self, Book};
use mayag_audit::quorum::Policy;
use mayag_audit::tree::Hash;
use mayag_audit::verify::{Against, Watch, verify};
use mayag_certs_dev::generate;
use mayag_certs_dev::pki::Pki;
use mayag_certs_dev::plan::Plan;
use mayag_gateway::config::GatewayConfig;
use mayag_gateway::{Gateway, Running, init_logs};
use mayag_protocol::answer::{Bundle, Release};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::event::Event;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::LOOKUPS;
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::purpose::Purpose;
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Clock;
use mayag_transport::client::{self, Client, ClientError, ClientTls};
use mayag_transport::clock::SystemClock;
use mayag_transport::log_files::PublishedFiles;
use mayag_transport::trust::{IdentityFiles, Trust, TrustFiles};
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

/// What every test asks unless it asks something else.
pub(crate) const SQL: &str = "SELECT drug, count(*) AS n FROM seizures GROUP BY drug ORDER BY drug";

pub(crate) struct Federation {
    pub(crate) pki: Pki,
    pub(crate) gateway: Option<Running>,
    pub(crate) nodes: BTreeMap<String, FakeNode>,
    pub(crate) folder: tempfile::TempDir,
}

/// What came back: the events in their order.
pub(crate) struct Told(pub(crate) Vec<Event>);

pub(crate) fn identity(rest: &str) -> Identity {
    format!("spiffe://demo/{rest}").parse().unwrap()
}

pub(crate) fn identity_of_gateway() -> Identity {
    identity("gateway/1")
}

pub(crate) fn country(code: &str) -> Country {
    code.parse().unwrap()
}

impl Federation {
    /// Countries that behave so; limits as in the configuration's `[limits]`.
    pub(crate) async fn start(countries: &[(&str, Behaviour)], limits: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let codes: Vec<&str> = countries.iter().map(|(code, _)| *code).collect();
        let trend = [Purpose::Trend];
        let plan = Plan::new("demo", &codes, SystemClock.now()).unwrap();
        let plan = plan.with_analyst(codes[0], "hana", &trend).unwrap();
        let plan = plan.with_analyst(codes[0], "alex", &trend).unwrap();
        generate(&plan.with_administrator(codes[0], "min").unwrap(), folder.path()).unwrap();
        let pki = Pki::open(folder.path()).unwrap();
        let mut nodes = BTreeMap::new();
        for (code, behaviour) in countries {
            nodes.insert((*code).to_owned(), FakeNode::start(&pki, code, behaviour.clone()).await);
        }
        let config = config(folder.path(), limits, &nodes);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        init_logs(&config, &clock).unwrap();
        let gateway = Gateway::start(config, Arc::new(SystemClock)).await.unwrap();
        Self { pki, gateway: Some(gateway), nodes, folder }
    }

    pub(crate) fn config(&self, limits: &str) -> GatewayConfig {
        config(self.folder.path(), limits, &self.nodes)
    }

    /// Ends the gateway and starts it again on the same state.
    pub(crate) async fn restart(&mut self, limits: &str) {
        self.gateway.take().unwrap().shutdown().await;
        self.gateway =
            Some(Gateway::start(self.config(limits), Arc::new(SystemClock)).await.unwrap());
    }

    pub(crate) fn gateway(&self) -> &Running {
        self.gateway.as_ref().unwrap()
    }

    /// A question of hana to every country.
    pub(crate) fn question(&self, sql: &str) -> Question {
        let now = SystemClock.now();
        Question {
            v: 1,
            id: random_question_id().unwrap(),
            analyst: self.hana(),
            gateway: identity("gateway/1"),
            countries: self.nodes.keys().map(|code| country(code)).collect(),
            issued_at: now,
            expires_at: now.plus(Duration::from_mins(1)),
            nonce: random_nonce().unwrap(),
            ask: Ask::Sql { sql: sql.to_owned() },
            purpose: Purpose::Trend,
            case: None,
            legal_basis: None,
        }
    }

    pub(crate) fn hana(&self) -> Identity {
        identity(&format!("country/{}/analyst/hana", self.nodes.keys().next().unwrap()))
    }

    pub(crate) fn alex(&self) -> Identity {
        identity(&format!("country/{}/analyst/alex", self.nodes.keys().next().unwrap()))
    }

    /// Signs with the question key of the question's own analyst.
    pub(crate) fn sign(&self, question: &Question) -> Vec<u8> {
        let path = self.pki.folder_of(&question.analyst).join("question.key");
        let key = SigningKey::from_pem(&std::fs::read_to_string(path).unwrap()).unwrap();
        Envelope::seal(PayloadType::Question, serde_json::to_vec(question).unwrap(), &key)
            .to_bytes()
    }

    /// Sends as `peer` and reads the stream to its end.
    pub(crate) async fn send(&self, peer: &Identity, body: Vec<u8>) -> Told {
        Told::of(&self.open(peer, body).await.read().await.unwrap())
    }

    /// Sends a lookup and its vector as `peer` and reads the stream to its end.
    pub(crate) async fn look_up(&self, question: &Question, vector: &[u8]) -> Told {
        let bundle = Bundle { envelope: self.sign(question), parts: vec![vector.to_vec()] };
        let body = bundle.to_bytes().unwrap();
        let response = self.post(&self.hana(), LOOKUPS, body).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::OK);
        Told::of(&response.into_body().read().await.unwrap())
    }

    /// Sends as `peer`; the stream is for the caller to read.
    pub(crate) async fn open(&self, peer: &Identity, body: Vec<u8>) -> client::Answer {
        let response = self.post(peer, "/v1/questions", body).await.unwrap();
        assert_eq!(response.status(), http::StatusCode::OK);
        assert_eq!(response.headers()["content-type"], "application/x-ndjson");
        response.into_body()
    }

    /// One request of `peer` on a connection of its own.
    pub(crate) async fn post(
        &self,
        peer: &Identity,
        path: &str,
        body: Vec<u8>,
    ) -> Result<http::Response<client::Answer>, ClientError> {
        self.client(peer)
            .post(&self.gateway().address().to_string(), &identity_of_gateway(), path, body.into())
            .await
    }

    /// A client that `peer` could have.
    pub(crate) fn client(&self, peer: &Identity) -> Client {
        let clock = Arc::new(SystemClock);
        let folder = self.pki.folder();
        let files = TrustFiles { authorities: folder.join("ca"), revocations: folder.join("crl") };
        let trust =
            Trust::load(&files, self.pki.roster().unwrap().issuers, Arc::new(SystemClock)).unwrap();
        let own = self.pki.folder_of(peer);
        let identity = IdentityFiles { certificate: own.join("tls.crt"), key: own.join("tls.key") };
        Client::new(ClientTls { identity, trust }, client::Limits::default(), clock).unwrap()
    }

    /// The gateway's log of questions, as auditors get it.
    pub(crate) fn published(&self) -> PathBuf {
        let log = self.folder.path().join("gateway/state/query-log");
        log.join(party::year(SystemClock.now())).join("published")
    }

    /// The entries of the gateway's log of questions, verified, once there are so many.
    pub(crate) async fn log(&self, at_least: usize) -> Vec<Entry> {
        let roster = self.pki.roster().unwrap();
        let member = roster.gateway(&identity_of_gateway()).unwrap();
        let year = party::year(SystemClock.now());
        let origin = party::origin(&member.identity, Book::Questions, &year).unwrap();
        let keys = party::key_file(&roster, member, &origin).unwrap();
        let policy = Policy::of_keys(&keys, 0).unwrap();
        let tiles = PublishedFiles(self.published());
        for _ in 0..200 {
            let mut entries = Entries::default();
            let against = Against { policy: &policy, now: SystemClock.now(), older: None };
            verify(&tiles, &against, &mut entries).unwrap();
            if at_least <= entries.0.len() {
                return entries.0;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("fewer than {at_least} entries");
    }

    /// Asks and waits for the end of the stream.
    pub(crate) async fn ask(&self, sql: &str) -> Told {
        self.send(&self.hana(), self.sign(&self.question(sql))).await
    }
}

/// Reads what is verified.
#[derive(Default)]
struct Entries(Vec<Entry>);

impl Watch for Entries {
    fn entry(&mut self, _: u64, bytes: &[u8], _: &Hash) -> Result<(), String> {
        self.0.push(Entry::parse(bytes).map_err(|error| error.to_string())?);
        Ok(())
    }
}

impl Told {
    pub(crate) fn of(bytes: &[u8]) -> Self {
        let lines = bytes.split_inclusive(|byte| *byte == b'\n');
        let events: Vec<Event> = lines.map(|line| serde_json::from_slice(line).unwrap()).collect();
        for (i, event) in events.iter().enumerate() {
            let (Event::Accepted { seq, .. }
            | Event::Arrived { seq, .. }
            | Event::Complete { seq, .. }
            | Event::Country { seq, .. }
            | Event::Refused { seq, .. }) = event;
            assert_eq!(*seq, i as u64, "numbered from 0 without a gap");
        }
        Self(events)
    }

    /// Every country's outcome, as the events told it.
    pub(crate) fn outcomes(&self) -> BTreeMap<String, Outcome> {
        let outcome = |event: &Event| match event {
            Event::Country { country, outcome, .. } => Some((country.to_string(), *outcome)),
            Event::Accepted { .. }
            | Event::Arrived { .. }
            | Event::Complete { .. }
            | Event::Refused { .. } => None,
        };
        self.0.iter().filter_map(outcome).collect()
    }

    /// The refusal, if the gateway refused; then it is the only event.
    pub(crate) fn refusal(&self) -> Option<&Refusal> {
        match self.0.as_slice() {
            [Event::Refused { refusal, .. }] => Some(refusal),
            _ => None,
        }
    }

    /// The bytes of the result.
    pub(crate) fn result(&self) -> Option<Vec<u8>> {
        match self.0.last() {
            Some(Event::Complete { result, .. }) => result.clone().map(|result| result.0),
            _ => panic!("not complete: {:?}", self.0),
        }
    }

    /// The gateway's signed summary, verified with the key of the roster.
    pub(crate) fn release(&self, federation: &Federation) -> Release {
        let Some(Event::Complete { release, .. }) = self.0.last() else {
            panic!("not complete: {:?}", self.0)
        };
        let key = federation
            .pki
            .roster()
            .unwrap()
            .gateway(&identity_of_gateway())
            .unwrap()
            .answer_key
            .clone();
        let envelope = Envelope::parse(&release.0, 1 << 20).unwrap();
        envelope.open(PayloadType::Release, &[key], 1, &Ed25519).unwrap().parse().unwrap()
    }

    /// What the event of one country says besides the outcome.
    pub(crate) fn country(&self, code: &str) -> (Option<&Refusal>, Option<&[u8]>) {
        let found = self.0.iter().find_map(|event| match event {
            Event::Country { country, refusal, bundle, .. } if country.as_str() == code => {
                Some((refusal.as_ref(), bundle.as_ref().map(|bundle| bundle.0.as_slice())))
            }
            Event::Accepted { .. }
            | Event::Arrived { .. }
            | Event::Complete { .. }
            | Event::Country { .. }
            | Event::Refused { .. } => None,
        });
        found.unwrap()
    }

    fn batch(&self) -> RecordBatch {
        let bytes = self.result().unwrap();
        let reader = StreamReader::try_new(std::io::Cursor::new(bytes), None).unwrap();
        let schema = reader.schema();
        let batches: Vec<RecordBatch> = reader.map(Result::unwrap).collect();
        concat_batches(&schema, &batches).unwrap()
    }

    /// The schema's own words.
    pub(crate) fn metadata(&self) -> HashMap<String, String> {
        self.batch().schema().metadata().clone()
    }

    /// The columns `drug` and `n`.
    pub(crate) fn cells(&self) -> Vec<(String, i64)> {
        self.statuses().into_iter().map(|(drug, n, _)| (drug, n.unwrap())).collect()
    }

    /// The columns `drug` and `n`, and what `n` is worth, without the many drugs of which there is nothing.
    pub(crate) fn statuses(&self) -> Vec<(String, Option<i64>, String)> {
        let batch = self.batch();
        let drug = batch.column_by_name("drug").unwrap().as_string::<i32>();
        let n = batch.column_by_name("n").unwrap().as_primitive::<Int64Type>();
        let status = batch.column_by_name("n_status").unwrap();
        let status =
            arrow::util::display::ArrayFormatter::try_new(status, &FormatOptions::default())
                .unwrap();
        let row = |i: usize| {
            (
                drug.value(i).to_owned(),
                n.is_valid(i).then(|| n.value(i)),
                status.value(i).to_string(),
            )
        };
        let some = |(_, n, _): &(String, Option<i64>, String)| *n != Some(0);
        (0..batch.num_rows()).map(row).filter(some).collect()
    }
}

fn config(folder: &Path, limits: &str, nodes: &BTreeMap<String, FakeNode>) -> GatewayConfig {
    let sample = include_str!("../../sample/gateway.toml").replace("127.0.0.1:7400", "127.0.0.1:0");
    let (head, _) = sample.split_once("[limits]").unwrap();
    let head = head.replace("witnesses = 2", "witnesses = 0\ncheckpoint_ms = 20");
    let mut text = format!("{head}[limits]\n{limits}\n");
    for (code, node) in nodes {
        if let Some(address) = node.address() {
            write!(text, "[[nodes]]\ncountry = \"{code}\"\naddress = \"{address}\"\n").unwrap();
        }
    }
    let path = folder.join("gateway").join("gateway.toml");
    mayag_transport::files::create_folder(path.parent().unwrap()).unwrap();
    mayag_transport::files::replace(&path, text.as_bytes(), mayag_transport::files::Mode::Public)
        .unwrap();
    GatewayConfig::read(&path).unwrap()
}
