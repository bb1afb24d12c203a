//! The subcommands: one file each. What the user typed is here, what the program means by it in the file.

pub mod ask;
pub mod audit;
pub mod certs;
pub mod datasets;
pub mod gateway;
pub mod lookup;
pub mod node;
pub mod policy;
pub mod receipt;
pub mod refusal;

use crate::arguments::Folders;
use crate::demo;
use crate::exit::{self, Exit};
use crate::printer::Printer;
use clap::{Parser, Subcommand};
use std::io;
use std::process::ExitCode;

/// Federated questions about synthetic and counterfeit drugs: each country decides what it answers, and only
/// protected aggregates and sealed hits leave it.
#[derive(Debug, Parser)]
#[command(name = "mayag", version, after_help = exit::HELP)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Ask(ask::AskArgs),
    Audit(audit::AuditArgs),
    Datasets(datasets::DatasetsArgs),
    Certs(certs::CertsArgs),
    Node(node::NodeArgs),
    Gateway(gateway::GatewayArgs),
    Demo(demo::DemoArgs),
    Lookup(Box<lookup::LookupArgs>),
    Policy(policy::PolicyArgs),
    Receipt(receipt::ReceiptArgs),
    Refusal(refusal::RefusalArgs),
    /// Runs questions for a node; started by the node itself
    #[command(hide = true)]
    Worker,
}

/// Does what was asked.
pub fn run(arguments: Arguments, folders: &Folders, printer: &mut Printer) -> ExitCode {
    let exit = match arguments.command {
        Command::Ask(args) => {
            on_runtime(printer, async |printer| Box::pin(ask::run(args, folders, printer)).await)
        }
        Command::Datasets(args) => {
            on_runtime(printer, async |printer| datasets::run(args, folders, printer).await)
        }
        Command::Demo(args) => {
            on_runtime(printer, async |printer| Box::pin(demo::run(args, printer)).await)
        }
        Command::Certs(args) => certs::run(&args, printer),
        Command::Node(args) => on_runtime(printer, async |printer| node::run(args, printer).await),
        Command::Gateway(args) => {
            on_runtime(printer, async |printer| gateway::run(args, printer).await)
        }
        Command::Policy(args) => policy::run(&args, printer),
        Command::Audit(args) => audit::run(&args, printer),
        Command::Lookup(args) => {
            on_runtime(printer, async |printer| lookup::run(*args, folders, printer).await)
        }
        Command::Receipt(args) => {
            on_runtime(printer, async |printer| receipt::run(args, folders, printer).await)
        }
        Command::Refusal(args) => refusal::run(&args, printer),
        // Before any thread is started: a worker limits its whole process.
        Command::Worker => return mayag_node::engine::worker::worker_main(),
    };
    exit.into()
}

fn on_runtime(printer: &mut Printer, work: impl AsyncFnOnce(&mut Printer) -> Exit) -> Exit {
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime.block_on(work(printer)),
        Err(error) => failed(printer, Exit::Error, &format!("starting: {error}")),
    }
}

/// Says what failed, and ends with `exit`.
pub(crate) fn failed(printer: &mut Printer, exit: Exit, what: &str) -> Exit {
    printer.talk(&format!("error: {}", crate::safe::safe(what)));
    exit
}

/// The exit for data that were written, or were not.
pub(crate) fn written(printer: &mut Printer, result: io::Result<()>, exit: Exit) -> Exit {
    match result {
        Ok(()) => exit,
        Err(error) => failed(printer, Exit::Error, &format!("writing the answer: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::Arguments;
    use clap::{CommandFactory as _, Parser as _};

    #[test]
    fn the_arguments_are_sound() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn every_subcommand_shows_an_example() {
        for command in
            Arguments::command().get_subcommands_mut().filter(|command| !command.is_hide_set())
        {
            let help = command.render_long_help().to_string();
            assert!(help.contains("Example"), "{}", command.get_name());
            assert!(
                help.contains(&format!("mayag {}", command.get_name())),
                "{}",
                command.get_name()
            );
        }
    }

    #[test]
    fn wrong_usage_ends_with_2() {
        for wrong in [
            ["mayag", "ask", "--format", "xml"].as_slice(),
            &["mayag"],
            &["mayag", "ask", "--countries", "KR"],
        ] {
            assert_eq!(Arguments::try_parse_from(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
        }
    }
}
