//! The processes of the demonstration: five nodes and a gateway, each `mayag` itself.
//!
//! They end with the demonstration, however it ends: every one holds the read end of a pipe as its stdin and leaves when
//! the other end closes, which the operating system does even if the demonstration is killed.

use super::federation::Federation;
use super::incidents::national;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

/// How long a process may take until it listens. Five of them read their data at once.
const START: Duration = Duration::from_secs(30);

/// How often is looked.
const LOOK: Duration = Duration::from_millis(10);

/// How long a process may take to leave before it is killed.
const STOP: Duration = Duration::from_secs(3);

/// Lines of a log that are shown when its process fails.
const LAST_LINES: usize = 12;

/// The end of a log that is looked at.
const LOG_TAIL: usize = 16 * 1024;

/// A process does not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProcessError {
    /// It ended.
    #[error("{name} ended ({status}) before it listened; the end of {log}:\n{lines}")]
    Ended { name: String, status: ExitStatus, log: PathBuf, lines: String },
    /// It was not started.
    #[error("starting {name}: {source}")]
    NotStarted { name: String, source: io::Error },
    /// It does not listen.
    #[error("{name} did not listen within {} s; the end of {log}:\n{lines}", START.as_secs())]
    Silent { name: String, log: PathBuf, lines: String },
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Processes {
    processes: Vec<Process>,
}

#[derive(Debug)]
struct Process {
    name: String,
    child: Child,
    log: PathBuf,
    address_file: PathBuf,
}

impl Processes {
    /// Starts nodes and gateway and waits until all listen.
    pub(crate) async fn start(federation: &Federation<'_>) -> Result<Self, ProcessError> {
        let nodes = national::ALL.iter().map(|national| (national.country, "node", "node.toml"));
        let mut processes = Vec::new();
        for (folder, command, config) in nodes.chain([("gateway", "gateway", "gateway.toml")]) {
            let name = if command == "node" {
                format!("node `{folder}`")
            } else {
                "the gateway".to_owned()
            };
            let folder = federation.folder.join(folder);
            let process = Process::start(&name, command, &folder, config);
            processes.push(process.map_err(|source| ProcessError::NotStarted { name, source })?);
        }
        let until = Instant::now() + START;
        for process in &mut processes {
            process.listens(until).await?;
        }
        Ok(Self { processes })
    }

    /// Lets them leave, and kills those that do not.
    pub(crate) async fn stop(mut self) {
        for process in &mut self.processes {
            drop(process.child.stdin.take());
        }
        for process in &mut self.processes {
            if timeout(STOP, process.child.wait()).await.is_err() {
                // It is being reaped either way; that it cannot be killed a second time changes nothing.
                let _killed = process.child.kill().await;
            }
        }
    }
}

impl Process {
    fn start(name: &str, command: &str, folder: &Path, config: &str) -> io::Result<Self> {
        let log = folder.join(format!("{command}.log"));
        let address_file = folder.join("address");
        let child = Command::new(std::env::current_exe()?)
            .arg(command)
            .arg("--config")
            .arg(folder.join(config))
            .arg("--until-stdin-closes")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { name: name.to_owned(), child, log, address_file })
    }

    /// Waits until it has written its address.
    async fn listens(&mut self, until: Instant) -> Result<(), ProcessError> {
        loop {
            if fs::metadata(&self.address_file).is_ok_and(|file| file.len() > 0) {
                return Ok(());
            }
            let (name, log) = (self.name.clone(), self.log.clone());
            if let Ok(Some(status)) = self.child.try_wait() {
                let lines = last_lines(&log);
                return Err(ProcessError::Ended { name, status, log, lines });
            }
            if Instant::now() >= until {
                let lines = last_lines(&log);
                return Err(ProcessError::Silent { name, log, lines });
            }
            sleep(LOOK).await;
        }
    }
}

fn last_lines(log: &Path) -> String {
    let bytes = fs::read(log).unwrap_or_default();
    let tail = bytes.len().saturating_sub(LOG_TAIL);
    let text = String::from_utf8_lossy(bytes.get(tail..).unwrap_or_default()).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let first = lines.len().saturating_sub(LAST_LINES);
    lines.get(first..).unwrap_or_default().join("\n")
}

#[cfg(test)]
mod tests {
    use super::{ProcessError, Processes, last_lines};
    use crate::demo::federation::Federation;
    use crate::demo::incidents::national;

    #[tokio::test]
    async fn a_process_that_ends_is_named_with_the_end_of_its_log() {
        let folder = tempfile::tempdir().unwrap();
        for name in national::ALL.iter().map(|national| national.country).chain(["gateway"]) {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        // The program started is this test's own, which knows no `--config`.
        let failed = Processes::start(&Federation { folder: folder.path() }).await.unwrap_err();
        let ProcessError::Ended { name, log, lines, .. } = failed else { panic!("{failed}") };
        assert_eq!(name, "node `au`");
        assert_eq!(log, folder.path().join("au/node.log"));
        assert!(lines.contains("config"), "{lines}");
    }

    #[test]
    fn the_end_of_a_log_is_shown_and_a_missing_one_is_empty() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("node.log");
        assert_eq!(last_lines(&log), "");
        let lines: Vec<String> = (0..5000).map(|i| format!("line {i}\n")).collect();
        mayag_transport::files::replace(
            &log,
            lines.concat().as_bytes(),
            mayag_transport::files::Mode::Public,
        )
        .unwrap();
        let lines = last_lines(&log);
        assert!(lines.starts_with("line 4988\n") && lines.ends_with("line 4999"), "{lines}");
    }
}
