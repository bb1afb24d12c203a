//! Running a node or a gateway until somebody ends it: logs as JSON lines on stderr, signals, reload.

use crate::command::failed;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use std::fmt::Display;
use std::path::PathBuf;
use tokio::io::AsyncReadExt as _;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Arguments of every program that serves.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE")]
    pub(crate) config: PathBuf,
    /// What is logged on stderr, as JSON lines: `error`, `warn`, `info`, `debug`, or such as `info,mayag_transport=debug`
    #[arg(long, default_value = "info", value_name = "LEVEL")]
    pub(crate) log: String,
    /// End when stdin closes, together with the program that started this one
    #[arg(long, hide = true)]
    pub(crate) until_stdin_closes: bool,
}

/// Why a program does not serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ServeError {
    #[error("`{0}` is not a log level such as `info`")]
    Level(String),
    #[error(
        "the log cannot go on: see what was told before, and start again once the disk is in order"
    )]
    LogFailed,
    #[error("logging cannot be set up twice")]
    Logging,
    #[error("signals cannot be listened for: {0}")]
    Signals(#[from] std::io::Error),
}

/// What can happen to a program that serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Event {
    Reload,
    Stop,
}

/// The signals of this process, and its stdin.
struct Events {
    hangup: Signal,
    interrupt: Signal,
    terminate: Signal,
    stdin: Option<tokio::io::Stdin>,
}

/// Sends everything that is logged to stderr, one JSON object per line.
pub(crate) fn log_to_stderr(args: &ServeArgs) -> Result<(), ServeError> {
    let filter = EnvFilter::try_new(&args.log).map_err(|_| ServeError::Level(args.log.clone()))?;
    tracing_subscriber::fmt()
        .json()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .try_init()
        .map_err(|_| ServeError::Logging)
}

/// Serves until SIGINT, SIGTERM, or the end of stdin where that was asked for; SIGHUP calls `reload`.
pub(crate) async fn until_stopped<E: Display>(
    args: &ServeArgs,
    reload: impl Fn() -> Result<(), E>,
) -> Result<(), ServeError> {
    let mut events = Events {
        hangup: signal(SignalKind::hangup())?,
        interrupt: signal(SignalKind::interrupt())?,
        terminate: signal(SignalKind::terminate())?,
        stdin: args.until_stdin_closes.then(tokio::io::stdin),
    };
    while events.next().await == Event::Reload {
        match reload() {
            Ok(()) => tracing::info!("reloaded"),
            Err(error) => tracing::error!(%error, "not reloaded: what was in force still is"),
        }
    }
    tracing::info!("stopping");
    Ok(())
}

/// Says why nothing is served.
pub(crate) fn not_served(printer: &mut Printer, exit: Exit, error: &impl Display) -> Exit {
    failed(printer, exit, &error.to_string())
}

impl Events {
    async fn next(&mut self) -> Event {
        tokio::select! {
            _ = self.hangup.recv() => Event::Reload,
            _ = self.interrupt.recv() => Event::Stop,
            _ = self.terminate.recv() => Event::Stop,
            () = closed(&mut self.stdin) => Event::Stop,
        }
    }
}

async fn closed(stdin: &mut Option<tokio::io::Stdin>) {
    let Some(stdin) = stdin else { return std::future::pending().await };
    let mut ignored = [0; 256];
    // What is sent is not for us; only that it ends is.
    while stdin.read(&mut ignored).await.is_ok_and(|read| read > 0) {}
}
