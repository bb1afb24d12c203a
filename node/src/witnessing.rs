//! What a gateway may ask of a node's logs and of the node as a witness. Nothing it brings is believed: checkpoints, proofs and
//! cosignatures are checked here.

use crate::node::Node;
use http::StatusCode;
use mayag_audit::party::Book;
use mayag_protocol::strict;
use mayag_protocol::witnessing::{Cosigned, LONGEST, Wanted};
use std::sync::Arc;

/// What is answered.
pub(crate) type Said = (StatusCode, Vec<u8>);

/// The request that a witness of one of this node's logs is to be shown; no content where nobody needs to be asked.
pub(crate) fn request(node: &Node, body: &[u8]) -> Said {
    let Ok(wanted) = strict::parse::<Wanted>(body, LONGEST) else { return nothing() };
    let Some(book) = Book::of(&wanted.book) else { return nothing() };
    match node.logs().witness_request(book, wanted.old) {
        Ok(Some(request)) => (StatusCode::OK, request.to_bytes()),
        Ok(None) => (StatusCode::NO_CONTENT, Vec::new()),
        Err(error) => {
            tracing::error!(%error, "no request to a witness");
            (StatusCode::INTERNAL_SERVER_ERROR, Vec::new())
        }
    }
}

/// Cosignatures of one of this node's logs.
pub(crate) fn cosignatures(node: &Node, body: &[u8]) -> Said {
    let Ok(cosigned) = strict::parse::<Cosigned>(body, LONGEST) else { return nothing() };
    let Some(book) = Book::of(&cosigned.book) else { return nothing() };
    match node.logs().add_cosignatures(book, cosigned.size, &cosigned.lines) {
        Ok(()) => (StatusCode::OK, Vec::new()),
        Err(error) => {
            tracing::warn!(%error, "cosignatures are not kept");
            (StatusCode::CONFLICT, Vec::new())
        }
    }
}

/// One `add-checkpoint` request to this node as a witness.
pub(crate) fn add_checkpoint(node: &Arc<Node>, body: &[u8]) -> Said {
    let roster = node.in_force();
    let answer = node.witness().answer(body, roster.roster(), node.clock().now());
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, answer.body)
}

fn nothing() -> Said {
    (StatusCode::BAD_REQUEST, Vec::new())
}
