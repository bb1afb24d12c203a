//! `mayag audit init`: the first entry of a party's logs can be made because somebody said so, once.

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_gateway::config::GatewayConfig;
use mayag_node::config::NodeConfig;
use mayag_protocol::timestamp::Clock;
use mayag_transport::clock::SystemClock;
use std::path::PathBuf;
use std::sync::Arc;

/// Begin the two logs of a node or gateway that never had any
#[derive(Debug, Args)]
#[command(after_help = "\
A program never begins a log by itself: a state folder that is missing must be an error, and not a second history. In
later years a log goes on from the one of the year before.

Examples:
  mayag audit init --node ./kr/node.toml
  mayag audit init --gateway ./gateway/gateway.toml")]
#[group(required = true, multiple = false)]
pub(super) struct InitArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE")]
    node: Option<PathBuf>,
    /// The gateway's configuration
    #[arg(long, value_name = "FILE")]
    gateway: Option<PathBuf>,
}

pub(super) fn run(args: &InitArgs, printer: &mut Printer) -> Exit {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let begun = match (&args.node, &args.gateway) {
        (Some(node), _) => NodeConfig::read(node)
            .map_err(|error| (Exit::Usage, error.to_string()))
            .and_then(|config| {
                mayag_node::init_logs(&config, &clock)
                    .map(|()| config.state)
                    .map_err(|error| (Exit::Error, error.to_string()))
            }),
        (None, Some(gateway)) => GatewayConfig::read(gateway)
            .map_err(|error| (Exit::Usage, error.to_string()))
            .and_then(|config| {
                mayag_gateway::init_logs(&config, &clock)
                    .map(|()| config.state)
                    .map_err(|error| (Exit::Error, error.to_string()))
            }),
        (None, None) => Err((Exit::Usage, "name a configuration".to_owned())),
    };
    match begun {
        Ok(state) => {
            let result = printer.line(&state.display().to_string());
            written(printer, result, Exit::Complete)
        }
        Err((exit, why)) => failed(printer, exit, &why),
    }
}
