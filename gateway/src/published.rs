//! Pieces of what nodes published, carried to desks. They are named by digest: whoever was told one in a directory may have
//! what it names, and checks it against the digest. The gateway keeps nothing.

use crate::gateway::Gateway;
use bytes::{Bytes, BytesMut};
use http::StatusCode;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{PIECE, PUBLISHED, Wanted};
use mayag_protocol::receipts::LONGEST_REQUEST;
use mayag_protocol::strict;
use mayag_transport::server::ResponseBody;
use std::time::Duration;

/// What is handed to the connection at once: what it has taken is no longer counted.
const SLICE: usize = 64 * 1024;

/// How long a node has for a piece.
const LONGEST_WAIT: Duration = Duration::from_secs(20);

/// The piece that is wanted, or a status that says why not. Until the caller has taken it, it has a place among the caller's
/// questions and its memory, like an answer.
pub(crate) async fn answer(
    gateway: &Gateway,
    caller: &Identity,
    body: Bytes,
) -> (StatusCode, ResponseBody) {
    let busy = || (StatusCode::SERVICE_UNAVAILABLE, ResponseBody::empty());
    let Some(place) = gateway.crowd().enter(caller) else { return busy() };
    let Ok(held) = gateway.memory().hold(PIECE) else { return busy() };
    let (status, mut bytes) = piece(gateway, body).await;
    let body = ResponseBody::produced(1, |slices| async move {
        while !bytes.is_empty() {
            let slice = bytes.split_to(bytes.len().min(SLICE));
            if slices.send(slice).await.is_err() {
                break;
            }
        }
        drop((place, held));
    });
    (status, body)
}

async fn piece(gateway: &Gateway, body: Bytes) -> (StatusCode, Bytes) {
    let nothing = |status| (status, Bytes::new());
    let Ok(wanted) = strict::parse::<Wanted>(&body, LONGEST_REQUEST) else {
        return nothing(StatusCode::BAD_REQUEST);
    };
    let Some(address) = gateway.config().node(&wanted.country).and_then(|node| node.read().ok())
    else {
        return nothing(StatusCode::NOT_FOUND);
    };
    let node = Identity::node(&gateway.config().federation, &wanted.country);
    let carried = tokio::time::timeout(LONGEST_WAIT, fetch(gateway, &address, &node, body)).await;
    match carried {
        Ok(Some(answer)) => answer,
        Ok(None) => nothing(StatusCode::BAD_GATEWAY),
        Err(_elapsed) => nothing(StatusCode::GATEWAY_TIMEOUT),
    }
}

async fn fetch(
    gateway: &Gateway,
    address: &str,
    node: &Identity,
    body: Bytes,
) -> Option<(StatusCode, Bytes)> {
    let response = gateway.client().post(address, node, PUBLISHED, body).await.ok()?;
    let status = response.status();
    let mut bytes = BytesMut::new();
    if status == StatusCode::OK {
        let mut body = response.into_body();
        while let Some(piece) = body.next().await {
            bytes.extend_from_slice(&piece.ok()?);
            if PIECE < bytes.len() {
                return None;
            }
        }
    }
    Some((status, bytes.freeze()))
}
