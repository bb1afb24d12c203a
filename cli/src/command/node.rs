//! `mayag node`: one country's node.

use crate::exit::Exit;
use crate::printer::Printer;
use crate::serve::{self, ServeArgs, not_served};
use clap::Args;
use mayag_node::Running;
use mayag_node::config::NodeConfig;
use mayag_transport::clock::SystemClock;
use std::sync::Arc;

/// Run one country's node: it answers signed questions under the country's own policy
#[derive(Debug, Args)]
#[command(after_help = "\
Ends on SIGINT and SIGTERM; SIGHUP reads certificates, revocation lists, roster and policy again.

Examples:
  mayag audit init --node ./kr/node.toml   # once
  mayag node --config ./kr/node.toml
  kill -HUP $(pidof mayag)   # after a change of the policy")]
pub struct NodeArgs {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Starts the node and serves until it is stopped.
pub async fn run(args: NodeArgs, printer: &mut Printer) -> Exit {
    if let Err(error) = serve::log_to_stderr(&args.serve) {
        return not_served(printer, Exit::Usage, &error);
    }
    let config = match NodeConfig::read(&args.serve.config) {
        Ok(config) => config,
        Err(error) => return not_served(printer, Exit::Usage, &error),
    };
    // The workers are processes of this same binary.
    let program = match std::env::current_exe() {
        Ok(program) => program,
        Err(error) => return not_served(printer, Exit::Error, &error),
    };
    let running = match Running::start(config, Arc::new(SystemClock), &program).await {
        Ok(running) => running,
        Err(error) => return not_served(printer, Exit::Error, &error),
    };
    let stopped = tokio::select! {
        stopped = serve::until_stopped(&args.serve, || running.reload()) => stopped,
        () = running.log_failed() => Err(serve::ServeError::LogFailed),
    };
    running.shutdown().await;
    match stopped {
        Ok(()) => Exit::Complete,
        Err(error) => not_served(printer, Exit::Error, &error),
    }
}
