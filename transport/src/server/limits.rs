//! What a caller of a server can use up at most.

use std::time::Duration;

/// The limits of a server, each with its default's reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Handshakes at once, from everywhere: strangers cannot take the places of those already known.
    pub handshakes: usize,
    /// Handshakes at once from one address (IPv6: one /64): behind one address may stand a whole office.
    pub handshakes_per_address: usize,
    /// Connections at once.
    pub connections: usize,
    /// Connections at once of one identity: a desk needs one, a gateway one and its successor.
    pub connections_per_identity: usize,
    /// Requests at once on one connection.
    pub streams: u32,
    /// From the connection to the end of the handshake.
    pub handshake: Duration,
    /// From the end of the handshake to the end of the first request's headers.
    pub header: Duration,
    /// Without a request in progress a connection is closed after this.
    pub idle: Duration,
    /// How often a live connection's peer is asked whether it is there.
    pub ping: Duration,
    /// How long it may take to answer that.
    pub pong: Duration,
    /// The longest list of headers, in bytes.
    pub header_bytes: u32,
    /// The longest request body, in bytes: a question of 64 KiB in its envelope.
    pub body_bytes: usize,
    /// From the headers to the end of the body.
    pub body: Duration,
    /// For how long a caller may leave a piece of the response untaken.
    pub send: Duration,
    /// At this age a connection takes no more requests; the next one proves its identity anew.
    pub age: Duration,
    /// How long requests in progress may go on after that, and at a shutdown.
    pub drain: Duration,
    /// How often live connections are verified again even though nothing has changed: certificates and revocation
    /// lists expire.
    pub recheck: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshakes: 256,
            handshakes_per_address: 16,
            connections: 1024,
            connections_per_identity: 8,
            streams: 64,
            handshake: Duration::from_secs(5),
            header: Duration::from_secs(10),
            idle: Duration::from_mins(1),
            ping: Duration::from_secs(20),
            pong: Duration::from_secs(10),
            header_bytes: 8 * 1024,
            body_bytes: 128 * 1024,
            body: Duration::from_secs(10),
            send: Duration::from_secs(30),
            age: Duration::from_mins(10),
            drain: Duration::from_secs(30),
            recheck: Duration::from_secs(30),
        }
    }
}

impl Limits {
    /// How often a connection looks at its limits: none is overstepped by more than a quarter or a second.
    pub(super) fn tick(&self) -> Duration {
        let shortest = self
            .header
            .min(self.idle)
            .min(self.send)
            .min(self.age)
            .min(self.drain)
            .min(self.recheck);
        (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(1))
    }
}

#[cfg(test)]
mod tests {
    use super::Limits;
    use std::time::Duration;

    #[test]
    fn limits_are_looked_at_often_enough() {
        assert_eq!(Limits::default().tick(), Duration::from_secs(1));
        let short = Limits { header: Duration::from_millis(200), ..Limits::default() };
        assert_eq!(short.tick(), Duration::from_millis(50));
    }
}
