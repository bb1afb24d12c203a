//! One envelope to one node, and the bytes that come back, if any.

use crate::config::GatewayConfig;
use crate::fanout::Errand;
use crate::gateway::Gateway;
use crate::memory::{NoMemory, Room};
use bytes::{Bytes, BytesMut};
use http::{HeaderName, StatusCode};
use mayag_protocol::forward;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::timestamp::Clock;
use mayag_transport::client::{Client, ClientError, ClientTls, Limits};
use mayag_transport::trust::{IdentityFiles, Trust};
use std::sync::Arc;

/// What came back.
#[derive(Debug)]
pub(crate) enum Carried {
    /// Bytes; whether they are an answer is not known yet.
    Answer(Bytes),
    /// No answer, and why.
    Nothing(Outcome),
}

/// The client that nodes are asked with.
pub(crate) fn client(
    config: &GatewayConfig,
    trust: &Arc<Trust>,
    clock: &Arc<dyn Clock>,
) -> Result<Client, ClientError> {
    let pki = &config.pki;
    let identity =
        IdentityFiles { certificate: pki.client_certificate.clone(), key: pki.client_key.clone() };
    let tls = ClientTls { identity, trust: Arc::clone(trust) };
    let limits = Limits { answer_bytes: config.limits.answer, ..Limits::default() };
    Client::new(tls, limits, Arc::clone(clock))
}

/// Sends the envelope to the node of `country`. What comes back is kept in
/// `room`. The caller's deadline bounds it: dropping the future ends the request.
pub(crate) async fn carry(
    gateway: &Gateway,
    country: &Country,
    errand: &Errand,
    room: &mut Room,
) -> Carried {
    let Some(node) = gateway.config().node(country) else {
        return Carried::Nothing(Outcome::NotAsked);
    };
    let address = match node.read() {
        Ok(address) => address,
        Err(error) => {
            tracing::warn!(%country, %error, "node not found");
            return Carried::Nothing(Outcome::Unreachable);
        }
    };
    let expected = Identity::node(&gateway.config().federation, country);
    match post(gateway.client(), &address, &expected, errand, room).await {
        Ok((StatusCode::OK, bytes)) => Carried::Answer(bytes),
        Ok((status, _)) => {
            tracing::warn!(%country, status = status.as_u16(), "node gave no answer");
            Carried::Nothing(outcome_of_status(status))
        }
        Err(PostError::Client(error)) => {
            tracing::warn!(%country, %error, "node gave no answer");
            Carried::Nothing(outcome_of_error(&error))
        }
        Err(PostError::Memory(error)) => {
            tracing::warn!(%country, %error, "answer not taken: longer than there is room for");
            Carried::Nothing(Outcome::Failed)
        }
    }
}

#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error(transparent)]
    Client(#[from] ClientError),
    #[error(transparent)]
    Memory(#[from] NoMemory),
}

async fn post(
    client: &Client,
    address: &str,
    expected: &Identity,
    errand: &Errand,
    room: &mut Room,
) -> Result<(StatusCode, Bytes), PostError> {
    let forward = (HeaderName::from_static(forward::HEADER), errand.forward.clone());
    let body = errand.body.clone();
    let response = client.post_with(address, expected, errand.route, Some(forward), body).await?;
    let status = response.status();
    let mut bytes = BytesMut::new();
    // What comes with another status is nobody's signed answer and is not read.
    if status == StatusCode::OK {
        let mut body = response.into_body();
        while let Some(piece) = body.next().await {
            let piece = piece?;
            room.receive(piece.len())?;
            bytes.extend_from_slice(&piece);
        }
    }
    Ok((status, bytes.freeze()))
}

/// A node that does not know the route, the method or the form speaks another version.
fn outcome_of_status(status: StatusCode) -> Outcome {
    let other_version = [
        StatusCode::NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED,
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        StatusCode::HTTP_VERSION_NOT_SUPPORTED,
    ];
    if other_version.contains(&status) { Outcome::Incompatible } else { Outcome::Failed }
}

fn outcome_of_error(error: &ClientError) -> Outcome {
    match error {
        ClientError::Broken { .. } | ClientError::Long { .. } => Outcome::Failed,
        ClientError::Slow { .. } => Outcome::TimedOut,
        // The last four are faults of this gateway; the country was not connected to either way.
        ClientError::Handshake { .. }
        | ClientError::Refused { .. }
        | ClientError::Unreachable { .. }
        | ClientError::Untrusted { .. }
        | ClientError::Credentials(_)
        | ClientError::NotAServer(_)
        | ClientError::Path(_)
        | ClientError::Tls => Outcome::Unreachable,
    }
}

#[cfg(test)]
mod tests {
    use super::{outcome_of_error, outcome_of_status};
    use http::StatusCode;
    use mayag_protocol::outcome::Outcome;
    use mayag_transport::client::ClientError;
    use std::time::Duration;

    #[test]
    fn every_way_of_not_answering_has_its_outcome() {
        let address = || "127.0.0.1:1".to_owned();
        let kind = std::io::ErrorKind::ConnectionRefused;
        for (error, outcome) in [
            (ClientError::Unreachable { address: address(), kind }, Outcome::Unreachable),
            (ClientError::Handshake { address: address() }, Outcome::Unreachable),
            (ClientError::Refused { address: address() }, Outcome::Unreachable),
            (ClientError::Slow { address: address(), limit: Duration::ZERO }, Outcome::TimedOut),
            (ClientError::Broken { address: address() }, Outcome::Failed),
            (ClientError::Long { address: address(), limit: 1 }, Outcome::Failed),
        ] {
            assert_eq!(outcome_of_error(&error), outcome, "{error}");
        }
        for (status, outcome) in [
            (StatusCode::NOT_FOUND, Outcome::Incompatible),
            (StatusCode::METHOD_NOT_ALLOWED, Outcome::Incompatible),
            (StatusCode::INTERNAL_SERVER_ERROR, Outcome::Failed),
            (StatusCode::FORBIDDEN, Outcome::Failed),
            (StatusCode::NO_CONTENT, Outcome::Failed),
        ] {
            assert_eq!(outcome_of_status(status), outcome, "{status}");
        }
    }
}
