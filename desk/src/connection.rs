//! The way to the gateway.

use crate::profile::{Profile, ProfileError};
use bytes::Bytes;
use http::StatusCode;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{self, LOOKUPS, PIECE, PUBLISHED};
use mayag_protocol::question::QUESTIONS;
use mayag_protocol::receipts::{self, RECEIPTS, Standing, Wanted};
use mayag_protocol::roster::Roster;
use mayag_protocol::strict;
use mayag_protocol::timestamp::Clock;
use mayag_transport::client::{Answer, Client, ClientError, ClientTls, Limits};
use mayag_transport::trust::{IdentityFiles, Trust, TrustError, TrustFiles};
use std::fmt;
use std::sync::Arc;

/// Why there is no way to the gateway, or it broke.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// The connection could not be made, or broke.
    #[error(transparent)]
    Client(Box<ClientError>),
    /// The address of the gateway is not to be had.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// The gateway answered with something other than events.
    #[error(
        "the gateway refused the connection's request (status {0}): does the roster list you as an analyst?"
    )]
    Status(u16),
    /// The gateway hands out no receipt.
    #[error("the gateway hands out no receipt for this entry (status {0})")]
    NoReceipt(u16),
    /// The gateway does not hand out what a node published.
    #[error("the gateway hands out nothing of what the country has published (status {0})")]
    NothingPublished(u16),
    /// What came as a receipt is none.
    #[error("the gateway sent something else than a receipt")]
    NotAReceipt,
    /// Authorities or revocation lists cannot be used.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// A client of one gateway.
pub(crate) struct Connection {
    client: Client,
    profile: Profile,
    gateway: Identity,
}

/// What is sent to the gateway.
#[derive(Debug)]
pub(crate) enum Sent {
    /// A bundle of a question's envelope and the vector that it names.
    Lookup(Vec<u8>),
    /// A question's envelope.
    Question(Vec<u8>),
}

/// The gateway's stream.
#[derive(Debug)]
pub(crate) struct EventStream(Answer);

impl From<ClientError> for ConnectionError {
    fn from(error: ClientError) -> Self {
        Self::Client(Box::new(error))
    }
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Connection({})", self.gateway)
    }
}

impl Connection {
    /// Reads the certificates; connects when a question is asked.
    pub(crate) fn prepare(
        profile: &Profile,
        roster: &Roster,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ConnectionError> {
        let pki = &profile.pki;
        let files = TrustFiles {
            authorities: pki.authorities.clone(),
            revocations: pki.revocations.clone(),
        };
        let trust = Trust::load(&files, roster.issuers.clone(), Arc::clone(&clock))?;
        let identity = IdentityFiles { certificate: pki.certificate.clone(), key: pki.key.clone() };
        let limits = Limits { answer_bytes: crate::stream::LONGEST_STREAM, ..Limits::default() };
        let client = Client::new(ClientTls { identity, trust }, limits, clock)?;
        Ok(Self { client, profile: profile.clone(), gateway: profile.gateway.identity.clone() })
    }

    /// Sends a signed question, or a lookup with its vector.
    pub(crate) async fn ask(&self, sent: Sent) -> Result<EventStream, ConnectionError> {
        let address = self.profile.gateway_address()?;
        let (route, body) = match sent {
            Sent::Lookup(body) => (LOOKUPS, body),
            Sent::Question(body) => (QUESTIONS, body),
        };
        let response = self.client.post(&address, &self.gateway, route, body.into()).await?;
        let status = response.status();
        if status.is_success() {
            Ok(EventStream(response.into_body()))
        } else {
            Err(ConnectionError::Status(status.as_u16()))
        }
    }
}

impl Connection {
    /// A piece of what a node published; `None` where there is nothing, or nothing more.
    pub(crate) async fn published(
        &self,
        wanted: &lookup::Wanted,
    ) -> Result<Option<Bytes>, ConnectionError> {
        let address = self.profile.gateway_address()?;
        let nothing = |status: StatusCode| ConnectionError::NothingPublished(status.as_u16());
        let body = serde_json::to_vec(wanted).map_err(|_| nothing(StatusCode::BAD_REQUEST))?;
        let response = self.client.post(&address, &self.gateway, PUBLISHED, body.into()).await?;
        match response.status() {
            StatusCode::OK => Ok(Some(response.into_body().at_most(PIECE).read().await?)),
            StatusCode::NOT_FOUND => Ok(None),
            status => Err(nothing(status)),
        }
    }

    /// Asks how far the gateway's log is with an entry.
    pub(crate) async fn standing(&self, wanted: &Wanted) -> Result<Standing, ConnectionError> {
        let address = self.profile.gateway_address()?;
        let body = serde_json::to_vec(wanted).map_err(|_| ConnectionError::NotAReceipt)?;
        let response = self.client.post(&address, &self.gateway, RECEIPTS, body.into()).await?;
        let status = response.status();
        if status != StatusCode::OK && status != StatusCode::CONFLICT {
            return Err(ConnectionError::NoReceipt(status.as_u16()));
        }
        let mut bytes = Vec::new();
        let mut body = response.into_body();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece?);
            if receipts::LONGEST < bytes.len() {
                return Err(ConnectionError::NotAReceipt);
            }
        }
        strict::parse(&bytes, receipts::LONGEST).map_err(|_| ConnectionError::NotAReceipt)
    }
}

impl EventStream {
    /// The next bytes; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, ConnectionError> {
        Ok(self.0.next().await.transpose()?)
    }
}
