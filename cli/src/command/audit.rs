//! `mayag audit`: what auditors do with logs, and how operators begin them.

mod anomalies;
mod erase;
mod export;
mod found;
mod init;
mod logs;
mod open;
mod reconcile;
mod rosters;
mod search;
mod story;
pub(crate) mod verify;

use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, Subcommand};

/// Begin, verify and read the signed logs
#[derive(Debug, Args)]
#[command(after_help = "\
Everything but `init`, `open` and `erase` works offline, on copies of the published folders of logs, with public keys only;
`open` needs an auditor's key, `erase` the party's own machine. No log is believed that does not verify. Who reads logs in a
party's own folder is logged there, before anything is shown.

Examples:
  mayag audit verify --list ./federation/verify.txt
  mayag audit reconcile --list ./federation/verify.txt
  mayag audit story 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list ./federation/verify.txt
  mayag audit search --list ./federation/verify.txt --type refused
  mayag audit open QUESTION --list verify.txt --key auditor.key --purpose lawfulness --reader ada")]
pub struct AuditArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Anomalies(anomalies::AnomaliesArgs),
    Erase(erase::EraseArgs),
    Export(export::ExportArgs),
    Init(init::InitArgs),
    Open(Box<open::OpenArgs>),
    Reconcile(reconcile::ReconcileArgs),
    Search(Box<search::SearchArgs>),
    Story(story::StoryArgs),
    Verify(verify::VerifyArgs),
}

/// Runs the command.
pub fn run(args: &AuditArgs, printer: &mut Printer) -> Exit {
    match &args.command {
        Command::Anomalies(args) => anomalies::run(args, printer),
        Command::Erase(args) => erase::run(args, printer),
        Command::Export(args) => export::run(args, printer),
        Command::Open(args) => open::run(args, printer),
        Command::Reconcile(args) => reconcile::run(args, printer),
        Command::Search(args) => search::run(args, printer),
        Command::Story(args) => story::run(args, printer),
        Command::Init(args) => init::run(args, printer),
        Command::Verify(args) => verify::run(args, printer),
    }
}
