//! `mayag gateway`: carries questions to the nodes and merges their answers.

use crate::exit::Exit;
use crate::printer::Printer;
use crate::serve::{self, ServeArgs, not_served};
use clap::Args;
use mayag_gateway::Gateway;
use mayag_gateway::config::GatewayConfig;
use mayag_transport::clock::SystemClock;
use std::sync::Arc;

/// Run a gateway: it carries signed questions to the nodes and merges what they answer
#[derive(Debug, Args)]
#[command(after_help = "\
Ends on SIGINT and SIGTERM; SIGHUP reads certificates, revocation lists and the roster again.

Examples:
  mayag audit init --gateway ./gateway/gateway.toml   # once
  mayag gateway --config ./gateway/gateway.toml")]
pub struct GatewayArgs {
    #[command(flatten)]
    serve: ServeArgs,
}

/// Starts the gateway and serves until it is stopped.
pub async fn run(args: GatewayArgs, printer: &mut Printer) -> Exit {
    if let Err(error) = serve::log_to_stderr(&args.serve) {
        return not_served(printer, Exit::Usage, &error);
    }
    let config = match GatewayConfig::read(&args.serve.config) {
        Ok(config) => config,
        Err(error) => return not_served(printer, Exit::Usage, &error),
    };
    let running = match Gateway::start(config, Arc::new(SystemClock)).await {
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
