//! A node that behaves as a test says. It has no data and no policy; it answers with the cells it was given.

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use mayag_audit::keys::{SigningKey, sha256};
use mayag_certs_dev::pki::Pki;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::shape::Literal;
use mayag_protocol::answer::{
    Answer, Bundle, Decision, Listed, LogPosition, PreviewedRelease, ReleasePart, SharedDataset,
    logged_text,
};
use mayag_protocol::columns::{CellStatus, MergeRole};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{EvaluatedTable, LONGEST_REQUEST, LOOKUPS, PUBLISHED, Wanted};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::question::{Ask, QUESTIONS, Question};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Clock as _;
use mayag_queries::domains::domain;
use mayag_queries::merge::{wire_schema, write_part};
use mayag_queries::release::Release;
use mayag_transport::clock::SystemClock;
use mayag_transport::peer::Peer;
use mayag_transport::server::Limits;
use mayag_transport::server::{Handler, Server, ServerTls};
use mayag_transport::server::{RequestBody, ResponseBody, read_body};
use mayag_transport::tls::Usage;
use mayag_transport::trust::{IdentityFiles, Trust, TrustFiles};
use parking_lot::Mutex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// What a node does with a question.
#[derive(Debug, Clone)]
pub(crate) enum Behaviour {
    /// Answers every release grouped by one level with these keys and counts.
    Counts(Vec<(&'static str, i64)>),
    /// Dies in the middle of its answer.
    Dies,
    /// Sends without end.
    Endless,
    /// Answers with bytes that mean nothing.
    Garbage,
    /// Takes the question and never answers.
    Hang,
    /// Answers, once for each permit.
    Held(Arc<Semaphore>),
    /// Takes connections and never says a word.
    Mute,
    /// Answers every connection with text.
    NoTls,
    /// Is not running.
    Gone,
    /// Says that it lists all cells and leaves one out.
    OneCellLess,
    /// Says that it lists all cells and invents one.
    OneCellMore,
    /// Lists as many cells as there are, one of them twice and another one not.
    OneCellTwice,
    /// Signs other cells than it sends, or another vector.
    OtherCells,
    /// Runs with another country's certificate.
    OtherCertificate,
    /// Answers another question than the one asked.
    OtherQuestion,
    /// Refuses.
    Refuse,
    /// Answers with this status.
    Status(u16),
    /// Signs a vector of another length than the one asked.
    ShortVector,
    /// Sends a byte now and then.
    Trickle,
    /// Runs, but the gateway's configuration does not name it.
    Unlisted,
    /// Signs with a key that the roster does not list.
    WrongKey,
}

pub(crate) struct FakeNode {
    address: Option<SocketAddr>,
    node: Arc<Node>,
    _tasks: JoinSet<()>,
}

struct Node {
    country: Country,
    behaviour: Behaviour,
    key: SigningKey,
    catalogue: Catalogue,
    /// The bodies that arrived.
    received: Mutex<Vec<Bytes>>,
    /// Requests that are being worked on.
    working: Mutex<usize>,
}

impl FakeNode {
    pub(crate) async fn start(pki: &Pki, code: &str, behaviour: Behaviour) -> Self {
        let country: Country = code.parse().unwrap();
        let identity = crate::federation::identity(&format!("country/{code}/node"));
        let key = if matches!(behaviour, Behaviour::WrongKey) {
            SigningKey::generate().unwrap()
        } else {
            std::fs::read_to_string(pki.folder_of(&identity).join("answer.key")).unwrap()
        };
        let node = Arc::new(Node {
            country,
            behaviour: behaviour.clone(),
            key: SigningKey::from_pem(&key).unwrap(),
            catalogue: Catalogue::builtin(),
            received: Mutex::default(),
            working: Mutex::default(),
        });
        let mut tasks = JoinSet::new();
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others listen as nodes do")]
        let address = match behaviour {
            Behaviour::Gone => {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                Some(listener.local_addr().unwrap())
            }
            Behaviour::Mute => Some(raw(&mut tasks, b"").await),
            Behaviour::NoTls => Some(raw(&mut tasks, b"220 mail.example.org ESMTP\r\n").await),
            Behaviour::OtherCertificate => {
                let other = crate::federation::identity("country/us/node");
                Some(listen(&mut tasks, pki, &other, Arc::clone(&node)).await)
            }
            Behaviour::Unlisted => None,
            _ => Some(listen(&mut tasks, pki, &identity, Arc::clone(&node)).await),
        };
        Self { address, node, _tasks: tasks }
    }

    pub(crate) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The bodies that arrived.
    pub(crate) fn received(&self) -> Vec<Bytes> {
        self.node.received.lock().clone()
    }

    /// How many requests it is working on.
    pub(crate) fn working(&self) -> usize {
        *self.node.working.lock()
    }
}

async fn listen(
    tasks: &mut JoinSet<()>,
    pki: &Pki,
    identity: &Identity,
    node: Arc<Node>,
) -> SocketAddr {
    let clock = Arc::new(SystemClock);
    let files =
        TrustFiles { authorities: pki.folder().join("ca"), revocations: pki.folder().join("crl") };
    let trust = Trust::load(&files, pki.roster().unwrap().issuers, Arc::new(SystemClock)).unwrap();
    let folder = pki.folder_of(identity);
    let own = IdentityFiles { certificate: folder.join("tls.crt"), key: folder.join("tls.key") };
    let tls = ServerTls { identity: own, trust, usage: Usage::Node };
    let server = Server::bind("127.0.0.1:0", tls, Limits::default(), clock).await.unwrap();
    let address = server.local_addr();
    tasks.spawn(async move { server.run(node, std::future::pending()).await });
    address
}

/// Listens without TLS, greets, and keeps every connection open.
async fn raw(tasks: &mut JoinSet<()>, greeting: &'static [u8]) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tasks.spawn(async move {
        let mut open = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            let _sent = stream.write_all(greeting).await;
            open.push(stream);
        }
    });
    address
}

/// What every node has published.
pub(crate) const PUBLISHED_BYTES: &[u8] = b"a filter, or boxes";

/// The same, and long.
pub(crate) const LONG_BYTES: &[u8] = &[7; mayag_protocol::lookup::PIECE];

fn piece(wanted: &Wanted) -> Response<ResponseBody> {
    let offset = usize::try_from(wanted.offset).unwrap();
    let all = [PUBLISHED_BYTES, LONG_BYTES];
    let known = all.into_iter().find(|bytes| wanted.digest == sha256(bytes));
    let bytes = known.and_then(|bytes| bytes.get(offset..)).filter(|bytes| !bytes.is_empty());
    let mut response = Response::new(ResponseBody::full(bytes.unwrap_or_default()));
    if bytes.is_none() {
        *response.status_mut() = StatusCode::NOT_FOUND;
    }
    response
}

/// Counts a request while it is worked on.
struct Working(Arc<Node>);

impl Drop for Working {
    fn drop(&mut self) {
        *self.0.working.lock() -= 1;
    }
}

impl Handler for Node {
    fn admit(&self, _: &Identity) -> bool {
        true
    }

    async fn handle(
        self: Arc<Self>,
        _: Peer,
        request: Request<RequestBody>,
    ) -> Response<ResponseBody> {
        let path = request.uri().path().to_owned();
        if path == PUBLISHED {
            let body =
                read_body(request.into_body(), 64 * 1024, Duration::from_secs(5)).await.unwrap();
            return piece(&serde_json::from_slice(&body).unwrap());
        }
        assert!(request.method() == "POST" && [QUESTIONS, LOOKUPS].contains(&path.as_str()));
        *self.working.lock() += 1;
        let working = Working(Arc::clone(&self));
        let body =
            read_body(request.into_body(), LONGEST_REQUEST, Duration::from_secs(5)).await.unwrap();
        self.received.lock().push(body.clone());
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others send a bundle")]
        let body = match &self.behaviour {
            Behaviour::Dies => ResponseBody::produced(1, |sender| async move {
                sender.send(Bytes::from_static(&[0, 0, 1, 0, b'{'])).await.unwrap();
                panic!("on purpose: the node dies");
            }),
            Behaviour::Endless => ResponseBody::produced(1, |sender| async move {
                while sender.send(Bytes::from(vec![0; 1 << 20])).await.is_ok() {}
            }),
            Behaviour::Garbage => ResponseBody::full("<html>it works</html>"),
            Behaviour::Hang => std::future::pending().await,
            Behaviour::Held(permits) => {
                permits.acquire().await.unwrap().forget();
                ResponseBody::full(self.bundle(&body, &[]))
            }
            Behaviour::Status(status) => {
                let mut response = Response::new(ResponseBody::full("no"));
                *response.status_mut() = StatusCode::from_u16(*status).unwrap();
                return response;
            }
            Behaviour::Trickle => ResponseBody::produced(1, |sender| async move {
                let _working = working;
                while sender.send(Bytes::from_static(&[0])).await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }),
            _ if path == LOOKUPS => {
                let Bundle { envelope, parts } = Bundle::parse(&body).unwrap();
                ResponseBody::full(self.bundle(&envelope, &parts[0]))
            }
            _ => ResponseBody::full(self.bundle(&body, &[])),
        };
        Response::new(body)
    }
}

impl Node {
    fn bundle(&self, body: &[u8], vector: &[u8]) -> Vec<u8> {
        let envelope = Envelope::parse(body, body.len()).unwrap();
        let question: Question = serde_json::from_slice(envelope.unverified_payload()).unwrap();
        let (decision, mut parts) = self.decide(&question, vector);
        let other = matches!(self.behaviour, Behaviour::OtherQuestion);
        let digest = sha256(envelope.unverified_payload());
        let origin = format!("node-{}.demo/query-log/2026", self.country).parse().unwrap();
        let log = LogPosition { origin, index: 0, leaf: sha256(b"entry") };
        let answer = Answer {
            v: 1,
            question: Some(if other {
                QuestionId::from_bytes([7; 16])
            } else {
                question.id.clone()
            }),
            question_digest: digest.clone(),
            country: self.country.clone(),
            issued_at: SystemClock.now(),
            policy: None,
            decision,
            logged: Base64(self.key.sign(&logged_text(&digest, &log)).to_vec()),
            log,
        };
        if let (Behaviour::OtherCells, Ask::Sql { sql }) = (&self.behaviour, &question.ask) {
            parts = self.parts(sql, &[("Cocaine", 1_000_000)]);
        }
        if let (Behaviour::OtherCells, Ask::Lookup { .. }) = (&self.behaviour, &question.ask) {
            parts = vec![vector.to_vec()];
        }
        let envelope =
            Envelope::seal(PayloadType::Answer, serde_json::to_vec(&answer).unwrap(), &self.key);
        Bundle { envelope: envelope.to_bytes(), parts }.to_bytes().unwrap()
    }

    fn decide(&self, question: &Question, vector: &[u8]) -> (Decision, Vec<Vec<u8>>) {
        let sql = match (&question.ask, &self.behaviour) {
            (_, Behaviour::Refuse) => {
                let refusal = Refusal::new(Code::NoGrant, "default-deny", "ask for something else");
                return (Decision::Refused { refusal }, Vec::new());
            }
            (Ask::Datasets {}, _) => {
                let dataset = SharedDataset {
                    name: "seizures".to_owned(),
                    about: String::new(),
                    min_units: 10,
                    purposes: vec![question.purpose],
                    columns: Vec::new(),
                    joins: Vec::new(),
                };
                return (Decision::Shared { datasets: vec![dataset] }, Vec::new());
            }
            (Ask::Preview { sql }, _) => {
                let plan = mayag_queries::plan(sql, &self.catalogue).unwrap();
                let previewed = plan.releases.iter().map(|release| PreviewedRelease {
                    dataset: release.dataset.clone(),
                    grant: "test".to_owned(),
                    protections: "at least 10 units".to_owned(),
                });
                return (Decision::Previewed { releases: previewed.collect() }, Vec::new());
            }
            (Ask::Declared { search }, behaviour) => {
                let mut sealed = vec![7; search.answer_bytes()];
                if let Behaviour::ShortVector = behaviour {
                    sealed.pop();
                }
                let mut table = search.table_of(&self.country).unwrap().clone();
                if let Behaviour::OtherCells = behaviour {
                    table = "another".parse().unwrap();
                }
                let (built_at, answer) = (question.issued_at, sha256(&sealed));
                return (Decision::Declared { table, built_at, answer }, vec![sealed]);
            }
            (Ask::Lookup { search }, behaviour) => {
                // A gateway has no way to tell this from the work of a key.
                let mut evaluated: Vec<u8> = vector.iter().rev().copied().collect();
                if let Behaviour::ShortVector = behaviour {
                    evaluated.truncate(32);
                }
                let tables = search.targets_of(&self.country).map(|target| EvaluatedTable {
                    table: target.table.clone(),
                    epoch: target.epoch,
                    evaluated: sha256(&evaluated),
                    proof: Base64(vec![1; 64]),
                    filter: sha256(b"filter"),
                    boxes: sha256(b"boxes"),
                });
                let tables: Vec<EvaluatedTable> = tables.collect();
                let parts = vec![evaluated; tables.len()];
                return (Decision::Evaluated { tables }, parts);
            }
            (Ask::Tables {}, _) => {
                let directory = PUBLISHED_BYTES.to_vec();
                let decision = Decision::Tables { directory: sha256(&directory) };
                return (decision, vec![directory]);
            }
            (Ask::Sql { sql }, _) => sql,
        };
        let counts = if let Behaviour::Counts(counts) = &self.behaviour {
            counts.clone()
        } else {
            vec![("Cocaine", 1)]
        };
        let parts = self.parts(sql, &counts);
        let plan = mayag_queries::plan(sql, &self.catalogue).unwrap();
        let releases = parts.iter().zip(&plan.releases).map(|(part, release)| ReleasePart {
            digest: sha256(part),
            cells: self.rows(release, &counts).len() as u64,
            listed: Listed::All,
            suppressed: counts.iter().any(|(_, count)| *count == SUPPRESSED),
            grant: "test".to_owned(),
            protections: String::new(),
        });
        (Decision::Answered { releases: releases.collect() }, parts)
    }

    fn parts(&self, sql: &str, counts: &[(&str, i64)]) -> Vec<Vec<u8>> {
        let plan = mayag_queries::plan(sql, &self.catalogue).unwrap();
        plan.releases.iter().map(|release| self.part(release, counts)).collect()
    }

    /// The names of the level that there can be, as its dataset says, each with its count or none.
    fn rows(&self, release: &Release, counts: &[(&str, i64)]) -> Vec<(Option<String>, i64)> {
        let dataset = self.catalogue.dataset(release.dataset.as_str()).unwrap();
        let [key] = release.keys.as_slice() else { panic!("one key only") };
        let names = domain(dataset, &self.country, key, &release.filter).unwrap();
        let count = |name: &Option<String>| {
            let found = counts.iter().find(|(of, _)| name.as_deref() == Some(of));
            found.map_or(0, |(_, count)| *count)
        };
        let text = |name| if let Literal::Text(text) = name { Some(text) } else { None };
        let names = names.into_iter().map(|name| name.and_then(text));
        let rows: Vec<_> = names.map(|name| (name.clone(), count(&name))).collect();
        #[expect(clippy::wildcard_enum_match_arm, reason = "all others list what there is")]
        match self.behaviour {
            Behaviour::OneCellLess => rows.into_iter().skip(1).collect(),
            Behaviour::OneCellMore => rows.into_iter().chain([(Some("Sand".into()), 1)]).collect(),
            Behaviour::OneCellTwice => rows.iter().skip(1).chain(rows.last()).cloned().collect(),
            _ => rows,
        }
    }

    /// One row per name: the level gets the name, every measure the count.
    fn part(&self, release: &Release, counts: &[(&str, i64)]) -> Vec<u8> {
        use arrow::array::{
            ArrayRef, Float64Array, Int64Array, RecordBatch, StringArray, UInt8Array,
        };
        let dataset = self.catalogue.dataset(release.dataset.as_str()).unwrap();
        let counts = self.rows(release, counts);
        let names = counts.iter().map(|(name, _)| name.as_deref());
        let mut columns: Vec<ArrayRef> = vec![Arc::new(names.collect::<StringArray>())];
        for measure in &release.wire {
            assert_eq!(measure.of.role(), MergeRole::Count, "counts only");
            let shown = |count: i64| (count != SUPPRESSED).then_some(count);
            let status = |count: i64| {
                if count == SUPPRESSED { CellStatus::Suppressed } else { CellStatus::Known }
            };
            columns.push(Arc::new(
                counts.iter().map(|(_, count)| shown(*count)).collect::<Int64Array>(),
            ));
            columns.push(Arc::new(UInt8Array::from_iter_values(
                counts.iter().map(|(_, count)| status(*count).byte()),
            )));
            columns.push(Arc::new(Float64Array::from(vec![None; counts.len()])));
        }
        write_part(&RecordBatch::try_new(wire_schema(release, dataset).unwrap(), columns).unwrap())
            .unwrap()
    }
}

/// A count that stands for a cell that is withheld.
pub(crate) const SUPPRESSED: i64 = -1;
