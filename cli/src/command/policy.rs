//! `mayag policy`: writing a policy, trying it on paper, and putting it in force. All of it works without a network.

mod asking;
mod check;
mod diff;
mod explain;
mod init;
mod lifecycle;
mod replay;
mod searching;
mod site;
mod store;
mod trial;

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::{Args, Subcommand};
use mayag_policies::document::Problem;
use site::PolicyFault;
use std::path::Path;

/// Work on a policy file
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 if it was done and nothing speaks against it, with 1 if something does, with 2 if a file cannot be read.

Examples:
  mayag policy init --country kr > policy.json
  mayag policy check policy.json
  mayag policy diff policy.json --against active
  mayag policy propose policy.json --key min.key --reason \"first policy\"")]
pub struct PolicyArgs {
    #[command(subcommand)]
    command: PolicyCommand,
}

#[derive(Debug, Subcommand)]
enum PolicyCommand {
    Init(init::InitArgs),
    Schema(init::SchemaArgs),
    Check(check::CheckArgs),
    Explain(explain::ExplainArgs),
    Test(trial::TestArgs),
    Diff(diff::DiffArgs),
    Replay(replay::ReplayArgs),
    Propose(lifecycle::ProposeArgs),
    Approve(lifecycle::ApproveArgs),
    Activate(lifecycle::ActivateArgs),
    Rollback(lifecycle::RollbackArgs),
    History(lifecycle::HistoryArgs),
}

/// Does what was asked of a policy.
pub fn run(args: &PolicyArgs, printer: &mut Printer) -> Exit {
    let done = match &args.command {
        PolicyCommand::Check(args) => return check::run(args, printer),
        PolicyCommand::Init(args) => init::init(args, printer),
        PolicyCommand::Schema(args) => init::schema(args, printer),
        PolicyCommand::Explain(args) => explain::run(args, printer),
        PolicyCommand::Test(args) => trial::run(args, printer),
        PolicyCommand::Diff(args) => diff::run(args, printer),
        PolicyCommand::Replay(args) => replay::run(args, printer),
        PolicyCommand::Propose(args) => lifecycle::propose(args, printer),
        PolicyCommand::Approve(args) => lifecycle::approve(args, printer),
        PolicyCommand::Activate(args) => lifecycle::activate(args, printer),
        PolicyCommand::Rollback(args) => lifecycle::rollback(args, printer),
        PolicyCommand::History(args) => lifecycle::history(args, printer),
    };
    match done {
        Ok(exit) => exit,
        Err(PolicyFault::Problems { file, problems }) => {
            let result = printer.data(listed(Path::new(&file), &problems).as_bytes());
            written(printer, result, Exit::Error)
        }
        Err(fault @ PolicyFault::Refused(_)) => failed(printer, Exit::Error, &fault.to_string()),
        Err(fault @ PolicyFault::File(_)) => failed(printer, Exit::Usage, &fault.to_string()),
    }
}

fn listed(file: &Path, problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |list, problem| {
        list + &format!("{}:{}\n", file.display(), safe(&problem.to_string()))
    })
}
