//! `mayag lookup`: which countries know an identifier, without showing anybody which one it is unless the person says so.

mod list;
mod normalise;
mod notices;
mod search;
mod show;
mod tables;

use crate::arguments::Folders;
use crate::command::{ask, failed};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, Subcommand};
use mayag_desk::lookup::LookupError;

/// Search identifiers in many countries; nobody is told which ones unless you say so
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
An identifier is written `word:value@qualifier`, such as `passport:M12345678@PHL`, `phone:0917 555 0101@PH`, `iban:GB29 NWBK ..`
or `person:Erika Mustermann@1964-08-12`. Give many of them as `@FILE` or `-` (standard input): one a line, or CSV with the column
`identifier` and, if you like, `label` (the word) and `qualifier`. Without any, they are asked for. What stands on the command
line is kept by the shell and seen by everybody on the machine.

Every country says `hit`, `no_hit`, `not_permitted` or `not_evaluated` (and why). \"no hit anywhere\" is said only where every country
has proved it. What you searched is sealed for the auditors of your country and kept in the state folder of your profile.

Some tables answer only if their country is told what you search, and who you are; they are asked with `--declared` alone. Such a
country may be allowed to keep a hit to itself.

Exit codes: 0 complete, 1 error or no answer, 2 usage or connection, 3 partial, 4 not permitted anywhere, 6 verification failed

Examples:
  mayag lookup --purpose BORDER --case K-1
  mayag lookup @documents.csv --purpose INVESTIGATE --case 2026-0412 --countries kr,us --format json
  mayag lookup @containers.txt --purpose INVESTIGATE --case 2026-0412 --countries th --declared
  mayag lookup tables --purpose BORDER
  mayag lookup normalise documents.txt"
)]
pub struct LookupArgs {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    search: search::SearchArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    Normalise(normalise::NormaliseArgs),
    Notices(notices::NoticesArgs),
    Tables(tables::TablesArgs),
}

/// Runs the command.
pub async fn run(args: LookupArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    match args.command {
        None => Box::pin(search::run(args.search, folders, printer)).await,
        Some(Command::Normalise(args)) => normalise::run(&args, printer),
        Some(Command::Notices(args)) => notices::run(&args, printer),
        Some(Command::Tables(args)) => Box::pin(tables::run(args, folders, printer)).await,
    }
}

/// Says why there is no answer.
fn no_answer(error: &LookupError, printer: &mut Printer) -> Exit {
    let exit = exit_of_error(error);
    match error {
        LookupError::Ask(error) => failed(printer, exit, &ask::advice(error)),
        LookupError::Batch(_)
        | LookupError::Declaration(_)
        | LookupError::Files(_)
        | LookupError::Kinds
        | LookupError::Memory(_)
        | LookupError::NoAuditor(_)
        | LookupError::NoFolder
        | LookupError::NoResources
        | LookupError::NotSealed
        | LookupError::TooMany { .. } => failed(printer, exit, &error.to_string()),
    }
}

fn exit_of_error(error: &LookupError) -> Exit {
    match error {
        LookupError::Ask(error) => ask::exit_of_error(error),
        LookupError::Batch(_) | LookupError::NoResources | LookupError::NotSealed => Exit::Error,
        LookupError::Declaration(_)
        | LookupError::Files(_)
        | LookupError::Kinds
        | LookupError::Memory(_)
        | LookupError::NoAuditor(_)
        | LookupError::NoFolder
        | LookupError::TooMany { .. } => Exit::Usage,
    }
}
