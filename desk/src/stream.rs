//! The gateway's NDJSON stream, line by line, within limits.

use mayag_protocol::event::Event;
use mayag_protocol::strict;

/// The longest line: the parts of one country, or the merged table, as base64.
const LONGEST_LINE: usize = 128 * 1024 * 1024;

/// The longest stream: more than the desk can be expected to hold at once.
pub(crate) const LONGEST_STREAM: usize = 1024 * 1024 * 1024;

/// Bytes that are no stream of events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum StreamError {
    /// A line that is no event.
    #[error("the gateway sent a line that is no event")]
    Event,
    /// A line or a stream over the limit.
    #[error("the gateway sent more than {0} bytes")]
    TooLong(usize),
}

/// Cuts chunks of bytes into events.
#[derive(Debug)]
pub(crate) struct Events {
    line: Vec<u8>,
    read: usize,
    longest_line: usize,
    longest_stream: usize,
}

impl Events {
    pub(crate) fn new() -> Self {
        Self::with_limits(LONGEST_LINE, LONGEST_STREAM)
    }

    fn with_limits(longest_line: usize, longest_stream: usize) -> Self {
        Self { line: Vec::new(), read: 0, longest_line, longest_stream }
    }

    /// The events that `chunk` completes. Each byte is looked at once.
    pub(crate) fn push(&mut self, chunk: &[u8]) -> Result<Vec<Event>, StreamError> {
        self.read = self.read.saturating_add(chunk.len());
        if self.read > self.longest_stream {
            return Err(StreamError::TooLong(self.longest_stream));
        }
        let mut events = Vec::new();
        for piece in chunk.split_inclusive(|byte| *byte == b'\n') {
            if self.line.len().saturating_add(piece.len()) > self.longest_line {
                return Err(StreamError::TooLong(self.longest_line));
            }
            self.line.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                events.push(self.parse()?);
            }
        }
        Ok(events)
    }

    /// Whether the stream ended at the end of a line. Half a line is no event: the stream was cut off.
    pub(crate) fn ended_whole(&self) -> bool {
        self.line.is_empty()
    }

    fn parse(&mut self) -> Result<Event, StreamError> {
        let line = std::mem::take(&mut self.line);
        strict::parse(&line, self.longest_line).map_err(|_| StreamError::Event)
    }
}

#[cfg(test)]
mod tests {
    use super::{Events, StreamError};
    use mayag_protocol::event::Event;
    use mayag_protocol::outcome::Outcome;

    fn event(seq: u64) -> Event {
        let country = "kr".parse().unwrap();
        Event::Country {
            seq,
            country,
            outcome: Outcome::TimedOut,
            ms: 1,
            refusal: None,
            bundle: None,
        }
    }

    #[test]
    fn events_are_the_same_however_they_are_cut() {
        let bytes: Vec<u8> = (0..3).flat_map(|seq| event(seq).to_line()).collect();
        for size in [1, 2, 7, 50, bytes.len()] {
            let mut events = Events::new();
            let read: Vec<Event> =
                bytes.chunks(size).flat_map(|chunk| events.push(chunk).unwrap()).collect();
            assert_eq!(read, (0..3).map(event).collect::<Vec<_>>(), "{size}");
            assert!(events.ended_whole());
        }
    }

    #[test]
    fn half_lines_long_lines_and_other_lines_are_told() {
        let line = event(0).to_line();
        let mut events = Events::new();
        assert_eq!(events.push(&line[..line.len() - 1]).unwrap(), vec![]);
        assert!(!events.ended_whole());
        assert_eq!(Events::with_limits(10, 1000).push(&line), Err(StreamError::TooLong(10)));
        let mut short = Events::with_limits(1000, line.len() + 1);
        short.push(&line).unwrap();
        assert_eq!(short.push(&line), Err(StreamError::TooLong(line.len() + 1)));
        for other in ["\n", "{}\n", "{\"type\":\"accepted\",\"type\":\"refused\"}\n", "null\n"] {
            assert_eq!(Events::new().push(other.as_bytes()), Err(StreamError::Event), "{other}");
        }
    }
}
