//! The only place that prints: stdout is data, stderr is talk.

use std::io::{self, IsTerminal as _, Write};

/// Owns stdout and stderr.
pub struct Printer {
    out: Box<dyn Write + Send>,
    talk: Box<dyn Write + Send>,
    terminals: Terminals,
    /// A reader that closed its end (`| head`) has had enough; that is no error.
    closed: bool,
}

/// Which of the two streams a person looks at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Terminals {
    /// Both.
    Both,
    /// Neither.
    Neither,
    /// Only stdout.
    Out,
    /// Only stderr.
    Talk,
}

/// Who reads stdout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reader {
    /// A program or a file.
    Program,
    /// A person at a terminal.
    Terminal,
}

impl std::fmt::Debug for Printer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Printer({:?})", self.terminals)
    }
}

impl Printer {
    /// The streams of this process.
    pub fn of_process() -> Self {
        let terminals = match (io::stdout().is_terminal(), io::stderr().is_terminal()) {
            (true, true) => Terminals::Both,
            (true, false) => Terminals::Out,
            (false, true) => Terminals::Talk,
            (false, false) => Terminals::Neither,
        };
        Self::new(Box::new(io::stdout()), Box::new(io::stderr()), terminals)
    }

    /// Any two streams.
    pub fn new(
        out: Box<dyn Write + Send>,
        talk: Box<dyn Write + Send>,
        terminals: Terminals,
    ) -> Self {
        Self { out, talk, terminals, closed: false }
    }

    /// Who reads stdout.
    pub fn reader(&self) -> Reader {
        match self.terminals {
            Terminals::Both | Terminals::Out => Reader::Terminal,
            Terminals::Neither | Terminals::Talk => Reader::Program,
        }
    }

    /// Whether stderr is a terminal.
    pub fn talk_is_terminal(&self) -> bool {
        matches!(self.terminals, Terminals::Both | Terminals::Talk)
    }

    /// Writes data to stdout.
    pub fn data(&mut self, bytes: &[u8]) -> io::Result<()> {
        if self.closed {
            return Ok(());
        }
        match self.out.write_all(bytes).and_then(|()| self.out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
            result => result,
        }
    }

    /// Writes one line of data to stdout.
    pub fn line(&mut self, line: &str) -> io::Result<()> {
        self.data(format!("{line}\n").as_bytes())
    }

    /// Says one line on stderr. If nobody listens, there is nobody to tell.
    pub fn talk(&mut self, line: &str) {
        let _unheard = writeln!(self.talk, "{line}").and_then(|()| self.talk.flush());
    }

    /// Writes to stderr without a line break, for lines that are rewritten.
    pub fn talk_raw(&mut self, text: &str) {
        let _unheard = self.talk.write_all(text.as_bytes()).and_then(|()| self.talk.flush());
    }
}

/// Streams that remember what was written, for tests.
#[cfg(test)]
pub(crate) mod recorded {
    use super::{Printer, Terminals};
    use parking_lot::Mutex;
    use std::io::{self, Write};
    use std::sync::Arc;

    /// What was written to one stream.
    #[derive(Debug, Clone, Default)]
    pub(crate) struct Recorded(Arc<Mutex<Vec<u8>>>);

    impl Recorded {
        pub(crate) fn bytes(&self) -> Vec<u8> {
            self.0.lock().clone()
        }

        pub(crate) fn text(&self) -> String {
            String::from_utf8(self.bytes()).unwrap()
        }
    }

    impl Write for Recorded {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().extend_from_slice(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A printer, what it puts out and what it says.
    pub(crate) fn printer(terminals: Terminals) -> (Printer, Recorded, Recorded) {
        let (out, talk) = (Recorded::default(), Recorded::default());
        (Printer::new(Box::new(out.clone()), Box::new(talk.clone()), terminals), out, talk)
    }
}

#[cfg(test)]
mod tests {
    use super::{Printer, Terminals};
    use std::io::{self, Write};

    struct Fails(io::ErrorKind);

    impl Write for Fails {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_reader_that_has_had_enough_is_no_error_and_a_full_disk_is_one() {
        let printer =
            |kind| Printer::new(Box::new(Fails(kind)), Box::new(io::sink()), Terminals::Neither);
        let mut closed = printer(io::ErrorKind::BrokenPipe);
        assert!(closed.line("a").is_ok() && closed.line("b").is_ok());
        assert!(printer(io::ErrorKind::StorageFull).line("a").is_err());
        let mut deaf = Printer::new(
            Box::new(io::sink()),
            Box::new(Fails(io::ErrorKind::BrokenPipe)),
            Terminals::Both,
        );
        deaf.talk("nobody hears this");
    }
}
