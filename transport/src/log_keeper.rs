//! The thread that keeps a log: a checkpoint every second, one more at the end.

use mayag_audit::log::error::{Failure, IntegrateError};
use mayag_audit::log::{Log, Wake};
use std::io;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How often a checkpoint is made if there are new entries. Promises of proofs count on it.
pub const EVERY: Duration = Duration::from_secs(1);

/// Keeps a log until it is stopped. Dropping it stops it too, and waits for the last checkpoint.
#[derive(Debug)]
pub struct LogKeeper {
    log: Arc<Log>,
    thread: Option<JoinHandle<Result<(), IntegrateError>>>,
}

impl LogKeeper {
    /// Starts the thread. `failed` is told if the log closes: then the program must stop.
    pub fn start(
        log: Arc<Log>,
        every: Duration,
        failed: impl FnOnce(&Failure) + Send + 'static,
    ) -> io::Result<Self> {
        let kept = Arc::clone(&log);
        let thread = thread::Builder::new()
            .name("log-keeper".to_owned())
            .spawn(move || keep(&kept, every, failed))?;
        Ok(Self { log, thread: Some(thread) })
    }

    /// Makes the last checkpoint and ends. Nothing should be appended any more: it would wait for the next start.
    pub fn stop(mut self) -> Result<(), IntegrateError> {
        self.end().unwrap_or(Ok(()))
    }

    fn end(&mut self) -> Option<Result<(), IntegrateError>> {
        let thread = self.thread.take()?;
        self.log.stop();
        // It does not panic; if it did, the next start makes the checkpoint from what was written ahead.
        thread.join().ok()
    }
}

impl Drop for LogKeeper {
    fn drop(&mut self) {
        if let Some(Err(error)) = self.end() {
            tracing::error!(log = %self.log.origin(), %error, "log ended without its last checkpoint");
        }
    }
}

fn keep(log: &Log, every: Duration, failed: impl FnOnce(&Failure)) -> Result<(), IntegrateError> {
    loop {
        let wake = log.wait(every);
        let outcome = log.integrate();
        match &outcome {
            Ok(_) => {}
            Err(IntegrateError::Full { place }) => {
                tracing::error!(log = %log.origin(), place, "disk is full: questions are refused");
            }
            Err(IntegrateError::Closed(failure)) => {
                tracing::error!(log = %log.origin(), %failure, "log is closed");
                failed(failure);
                return outcome.map(drop);
            }
        }
        match wake {
            Wake::Checkpoint => {}
            Wake::Stop => return outcome.map(drop),
        }
    }
}
