//! `mayag policy`: writing a policy, trying it on paper, and putting it in force. All of it works without a network.

mod asking;
mod diff;
mod explain;
mod init;
mod lifecycle;
mod replay;
mod site;
mod store;
mod trial;

use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::{Args, Subcommand};
use mayag_audit::keys::sha256;
use mayag_policies::catalogue::{self, Catalogue};
use mayag_policies::document::{self, Policy, Problem};
use mayag_transport::files;
use site::PolicyFault;
use std::path::{Path, PathBuf};

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
    Check(CheckArgs),
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

/// Report everything that is wrong with a policy file, with line and column
#[derive(Debug, Args)]
#[command(after_help = "\
Ends with 0 if a node would take the file, with 1 if not.

Example:
  mayag policy check ./kr/policy.json")]
struct CheckArgs {
    /// The policy file
    file: PathBuf,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
}

/// Does what was asked of a policy.
pub fn run(args: &PolicyArgs, printer: &mut Printer) -> Exit {
    let done = match &args.command {
        PolicyCommand::Check(args) => return check(args, printer),
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

fn check(args: &CheckArgs, printer: &mut Printer) -> Exit {
    let checked = catalogue(args.catalogue.as_deref()).and_then(|catalogue| {
        let bytes =
            files::read(&args.file, document::LONGEST).map_err(|error| error.to_string())?;
        Ok(Policy::parse(&bytes, &catalogue, sha256))
    });
    match checked {
        Ok(Ok(policy)) => {
            let version = policy.version();
            let line = format!(
                "policy of `{}`, serial {}, sha256 {}",
                policy.country(),
                version.serial,
                version.digest
            );
            let result = printer.line(&line);
            written(printer, result, Exit::Complete)
        }
        Ok(Err(problems)) => {
            let result = printer.data(listed(&args.file, &problems).as_bytes());
            written(printer, result, Exit::Error)
        }
        Err(what) => failed(printer, Exit::Usage, &what),
    }
}

fn catalogue(path: Option<&Path>) -> Result<Catalogue, String> {
    let Some(path) = path else { return Ok(Catalogue::builtin()) };
    let bytes = files::read(path, catalogue::LONGEST).map_err(|error| error.to_string())?;
    Catalogue::parse(&bytes).map_err(|error| error.to_string())
}

fn listed(file: &Path, problems: &[Problem]) -> String {
    problems.iter().fold(String::new(), |list, problem| {
        list + &format!("{}:{}\n", file.display(), safe(&problem.to_string()))
    })
}

#[cfg(test)]
mod tests {
    use super::{CheckArgs, PolicyArgs, PolicyCommand, run};
    use crate::exit::Exit;
    use crate::printer::{Terminals, recorded};
    use mayag_transport::files::{self, Mode};

    #[test]
    fn problems_are_listed_with_their_place() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("policy.json");
        files::replace(&file, b"{\n  \"polcy\": \"kr\"\n}\n", Mode::Public).unwrap();
        let (mut printer, out, _) = recorded::printer(Terminals::Neither);
        let check = |file| PolicyArgs {
            command: PolicyCommand::Check(CheckArgs { file, catalogue: None }),
        };
        assert_eq!(run(&check(file.clone()), &mut printer), Exit::Error);
        assert!(out.text().starts_with(&format!("{}:", file.display())), "{}", out.text());
        assert!(out.text().contains("polcy"), "{}", out.text());
        assert_eq!(run(&check(folder.path().join("missing.json")), &mut printer), Exit::Usage);
    }
}
