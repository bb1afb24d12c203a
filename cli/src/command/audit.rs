//! `mayag audit`: what auditors do with logs, and how operators begin them.

mod anomalies;
mod export;
mod init;
mod logs;
mod reconcile;
mod search;
mod story;
pub(crate) mod verify;

use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, Subcommand};

/// Begin, verify and read the signed logs
#[derive(Debug, Args)]
#[command(after_help = "\
Everything but `init` works offline, on copies of the published folders of logs, with public keys only, and believes no
log that does not verify.

Examples:
  mayag audit verify --list ./federation/verify.txt
  mayag audit reconcile --list ./federation/verify.txt
  mayag audit story 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list ./federation/verify.txt
  mayag audit search --list ./federation/verify.txt --type refused")]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Anomalies(anomalies::AnomaliesArgs),
    Export(export::ExportArgs),
    Init(init::InitArgs),
    Reconcile(reconcile::ReconcileArgs),
    Search(Box<search::SearchArgs>),
    Story(story::StoryArgs),
    Verify(verify::VerifyArgs),
}

/// Runs the command.
pub fn run(args: &AuditArgs, printer: &mut Printer) -> Exit {
    match &args.command {
        Command::Anomalies(args) => anomalies::run(args, printer),
        Command::Export(args) => export::run(args, printer),
        Command::Reconcile(args) => reconcile::run(args, printer),
        Command::Search(args) => search::run(args, printer),
        Command::Story(args) => story::run(args, printer),
        Command::Init(args) => init::run(args, printer),
        Command::Verify(args) => verify::run(args, printer),
    }
}
