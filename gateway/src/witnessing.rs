//! The rounds in which logs are witnessed: the gateway carries its own checkpoints and those of the nodes to all other parties,
//! and their cosignatures back. Nodes have no connections among each other; what the gateway carries is checked where it
//! arrives, so that it can keep a log from being cosigned and nothing more.

use crate::gateway::Gateway;
use crate::work;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use mayag_audit::party::{self, Book};
use mayag_audit::witness::{Request, cosignatures, stale_size};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::Country;
use mayag_protocol::roster::{Member, Roster};
use mayag_protocol::witnessing::{
    ADD_CHECKPOINT, COSIGNATURES, Cosigned, LONGEST, REQUEST, Wanted,
};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// How long one party may take for one message.
const PATIENCE: Duration = Duration::from_secs(5);

/// A log whose witnesses are asked, and a witness.
type Between = (Identity, Book, Identity);

/// How long a gateway that starts waits for its witnesses. Without them it refuses questions and says why.
const FIRST: Duration = Duration::from_secs(10);

/// How long it waits between its first rounds.
const SOON: Duration = Duration::from_millis(100);

/// Rounds over all logs.
#[derive(Debug)]
pub(crate) struct Rounds {
    gateway: Arc<Gateway>,
    /// How far each witness is with each log, as far as is known.
    held: BTreeMap<Between, u64>,
}

impl Rounds {
    /// Rounds of this gateway.
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        Self { gateway, held: BTreeMap::new() }
    }

    /// Rounds until all logs are cosigned, so that who finds this gateway finds a federation that answers; or until a while has
    /// passed.
    pub(crate) async fn first(&mut self) {
        let witnessed = async {
            loop {
                self.one().await;
                if self.all_cosigned().await {
                    return;
                }
                sleep(SOON).await;
            }
        };
        if timeout(FIRST, witnessed).await.is_err() {
            tracing::warn!(
                "not all logs are cosigned yet: whose are not refuses questions until they are"
            );
        }
    }

    /// Whether no log waits for witnesses, this gateway's and those of all nodes it knows.
    async fn all_cosigned(&self) -> bool {
        let roster = self.gateway.roster();
        let known = party::members(&roster).map(|member| &member.identity);
        for owner in known.filter(|owner| self.can_be_reached(owner)) {
            for book in Book::ALL {
                if !self.is_cosigned(owner, book).await {
                    return false;
                }
            }
        }
        true
    }

    /// Whether a log does not wait for witnesses; of a node that does not answer nobody knows.
    async fn is_cosigned(&self, owner: &Identity, book: Book) -> bool {
        if self.is_own(owner) {
            return self.request(owner, book, 0).await.is_none();
        }
        let wanted = Wanted { book: book.as_str().to_owned(), old: 0 };
        let Some(body) = json(&wanted) else { return false };
        let said = self.post(owner, REQUEST, body).await;
        said.is_some_and(|(status, _)| status == StatusCode::NO_CONTENT)
    }

    /// Round after round, for as long as the gateway runs.
    pub(crate) async fn forever(mut self) {
        let pause = Duration::from_millis(self.gateway.config().log.witness_ms.max(50).into());
        loop {
            sleep(pause).await;
            self.one().await;
        }
    }

    async fn one(&mut self) {
        let roster = self.gateway.roster();
        for owner in party::members(&roster) {
            if !self.can_be_reached(&owner.identity) {
                continue;
            }
            for book in Book::ALL {
                self.log(&roster, owner, book).await;
            }
        }
    }

    /// One log: everybody else is asked about its newest checkpoint.
    async fn log(&mut self, roster: &Roster, owner: &Member, book: Book) {
        let mut found: BTreeMap<u64, Vec<String>> = BTreeMap::new();
        let others = party::members(roster).filter(|member| member.identity != owner.identity);
        let others: Vec<&Member> =
            others.filter(|member| self.can_be_reached(&member.identity)).collect();
        for witness in others {
            match self.cosigned(owner, book, witness).await {
                Asked::Cosigned(size, lines) => found.entry(size).or_default().extend(lines),
                Asked::NotNow => return,
                Asked::Nothing => {}
            }
        }
        for (size, lines) in found {
            self.bring(&owner.identity, book, size, lines).await;
        }
    }

    /// Asks one witness, and once more if it is further or less far than was known.
    async fn cosigned(&mut self, owner: &Member, book: Book, witness: &Member) -> Asked {
        let between = (owner.identity.clone(), book, witness.identity.clone());
        for _ in 0..2 {
            let old = self.held.get(&between).copied().unwrap_or_default();
            let Some(request) = self.request(&owner.identity, book, old).await else {
                return Asked::NotNow;
            };
            let Ok(parsed) = Request::parse(&request) else { return Asked::Nothing };
            let note = parsed.checkpoint();
            let size = note.checkpoint().head.size;
            let Some((status, body)) = self.add_checkpoint(&witness.identity, request).await else {
                return Asked::Nothing;
            };
            match status {
                StatusCode::OK => {
                    let Ok(key) = party::witness_key(witness) else { return Asked::Nothing };
                    let Ok(found) = cosignatures(&body, note, &key) else { return Asked::Nothing };
                    self.held.insert(between, size);
                    let lines = found.iter().map(ToString::to_string).collect();
                    return Asked::Cosigned(size, lines);
                }
                StatusCode::CONFLICT => {
                    let Some(held) = stale_size(&body) else { return Asked::Nothing };
                    self.held.insert(between.clone(), held);
                }
                _ => {
                    tracing::warn!(
                        log = %note.checkpoint().origin,
                        witness = %witness.identity,
                        status = status.as_u16(),
                        "not cosigned"
                    );
                    return Asked::Nothing;
                }
            }
        }
        Asked::Nothing
    }

    fn is_own(&self, party: &Identity) -> bool {
        party == self.gateway.identity()
    }

    /// This gateway and the nodes that it knows the address of. Other gateways are not connected to.
    fn can_be_reached(&self, party: &Identity) -> bool {
        self.is_own(party)
            || party.country().is_some_and(|country| self.gateway.config().node(country).is_some())
    }

    /// What a witness that is so far is to be asked about a log; nothing if nobody needs to be asked.
    async fn request(&self, owner: &Identity, book: Book, old: u64) -> Option<Bytes> {
        if self.is_own(owner) {
            let gateway = Arc::clone(&self.gateway);
            let request = work::blocking(move || gateway.logs().witness_request(book, old)).await;
            return match request.ok()? {
                Ok(request) => Some(request?.to_bytes().into()),
                Err(error) => {
                    tracing::error!(%error, "no request to a witness");
                    None
                }
            };
        }
        let wanted = Wanted { book: book.as_str().to_owned(), old };
        let (status, body) = self.post(owner, REQUEST, json(&wanted)?).await?;
        (status == StatusCode::OK).then_some(body)
    }

    async fn add_checkpoint(&self, witness: &Identity, body: Bytes) -> Option<(StatusCode, Bytes)> {
        if !self.is_own(witness) {
            return self.post(witness, ADD_CHECKPOINT, body).await;
        }
        let gateway = Arc::clone(&self.gateway);
        let answer = work::blocking(move || {
            gateway.witness().answer(&body, &gateway.roster(), gateway.now())
        });
        let answer = answer.await.ok()?;
        Some((StatusCode::from_u16(answer.status).ok()?, answer.body.into()))
    }

    /// Brings the owner of a log what its witnesses said.
    async fn bring(&self, owner: &Identity, book: Book, size: u64, lines: Vec<String>) {
        if self.is_own(owner) {
            let gateway = Arc::clone(&self.gateway);
            let kept =
                work::blocking(move || gateway.logs().add_cosignatures(book, size, &lines)).await;
            if let Ok(Err(error)) = kept {
                tracing::warn!(%error, "cosignatures are not kept");
            }
            return;
        }
        let cosigned = Cosigned { book: book.as_str().to_owned(), size, lines };
        let Some(body) = json(&cosigned) else { return };
        let brought = self.post(owner, COSIGNATURES, body).await;
        if brought.is_some_and(|(status, _)| status != StatusCode::OK) {
            tracing::warn!(%owner, "cosignatures were not kept");
        }
    }

    /// One message to a node; nothing where none came back in time.
    async fn post(&self, node: &Identity, path: &str, body: Bytes) -> Option<(StatusCode, Bytes)> {
        let country: &Country = node.country()?;
        let address = self.gateway.config().node(country)?.read().ok()?;
        let exchange = async {
            let response = self.gateway.client().post(&address, node, path, body).await.ok()?;
            let status = response.status();
            let mut bytes = BytesMut::new();
            let mut body = response.into_body();
            while let Some(piece) = body.next().await {
                bytes.extend_from_slice(&piece.ok()?);
                if LONGEST < bytes.len() {
                    return None;
                }
            }
            Some((status, bytes.freeze()))
        };
        timeout(PATIENCE, exchange).await.ok()?
    }
}

/// What came of asking a witness.
enum Asked {
    /// Signature lines over the checkpoint of this size.
    Cosigned(u64, Vec<String>),
    /// Nobody needs to be asked about this log now, or its owner does not answer.
    NotNow,
    /// Nothing of use.
    Nothing,
}

fn json(message: &impl Serialize) -> Option<Bytes> {
    Some(serde_json::to_vec(message).ok()?.into())
}
