//! The body of an answer: read piece by piece, up to a cap.

use super::connection::Connection;
use super::{ClientError, Limits};
use bytes::{Buf as _, Bytes, BytesMut};
use http_body_util::BodyExt as _;
use hyper::body::Incoming;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// The body of an answer. Whoever sends more than the cap is cut off, whatever else goes on on that connection.
pub struct Answer {
    incoming: Incoming,
    connection: Arc<Connection>,
    limit: usize,
    left: usize,
    silence: Duration,
    /// Read but not yet asked for as a line.
    rest: BytesMut,
}

impl Answer {
    pub(super) fn new(incoming: Incoming, connection: Arc<Connection>, limits: &Limits) -> Self {
        let limit = limits.answer_bytes;
        Self {
            incoming,
            connection,
            limit,
            left: limit,
            silence: limits.silence,
            rest: BytesMut::new(),
        }
    }

    /// Lowers the cap on what is still to come.
    #[must_use]
    pub fn at_most(mut self, bytes: usize) -> Self {
        self.limit = self.limit.min(bytes);
        self.left = self.left.min(bytes);
        self
    }

    /// The next piece, or `None` at the end.
    pub async fn next(&mut self) -> Option<Result<Bytes, ClientError>> {
        if !self.rest.is_empty() {
            return Some(Ok(self.rest.split().freeze()));
        }
        self.receive().await
    }

    /// The whole body.
    pub async fn read(mut self) -> Result<Bytes, ClientError> {
        while let Some(piece) = self.receive().await {
            self.rest.extend_from_slice(&piece?);
        }
        Ok(self.rest.freeze())
    }

    /// The next line of at most `longest` bytes, without its end; `None` after the last one. A last line that is not
    /// ended is an answer that was cut off.
    pub async fn next_line(&mut self, longest: usize) -> Result<Option<Bytes>, ClientError> {
        let mut searched = 0;
        loop {
            if let Some(found) = self.rest.iter().skip(searched).position(|byte| *byte == b'\n') {
                let line = self.rest.split_to(searched + found).freeze();
                self.rest.advance(1);
                return if line.len() <= longest {
                    Ok(Some(line))
                } else {
                    Err(self.too_long(longest))
                };
            }
            searched = self.rest.len();
            if longest < searched {
                return Err(self.too_long(longest));
            }
            match self.receive().await {
                Some(piece) => self.rest.extend_from_slice(&piece?),
                None if self.rest.is_empty() => return Ok(None),
                None => return Err(self.connection.broken()),
            }
        }
    }

    async fn receive(&mut self) -> Option<Result<Bytes, ClientError>> {
        loop {
            let Ok(frame) = timeout(self.silence, self.incoming.frame()).await else {
                return Some(Err(self.connection.slow(self.silence)));
            };
            match frame?.map(http_body::Frame::into_data) {
                Ok(Ok(data)) if data.len() <= self.left => {
                    self.left -= data.len();
                    return Some(Ok(data));
                }
                Ok(Ok(_)) => return Some(Err(self.too_long(self.limit))),
                // Trailers say nothing that is signed.
                Ok(Err(_)) => {}
                Err(_) => return Some(Err(self.connection.broken())),
            }
        }
    }

    /// Not only this answer ends: a server that ignores what was agreed gets no further question on this connection.
    fn too_long(&self, limit: usize) -> ClientError {
        self.connection.close();
        self.connection.long(limit)
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Answer({} of {} bytes left)", self.left, self.limit)
    }
}
