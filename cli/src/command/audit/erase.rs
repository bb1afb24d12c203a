//! `mayag audit erase`: what could be read of a question is removed, and the log says so.

use super::found::{detailed, id_of};
use super::logs::{Ended, end, lines};
use super::verify::listed;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::entry::{MOST_ERASED, Type};
use mayag_audit::search::Asked;
use mayag_protocol::names::Digest;
use mayag_transport::requests::{self, Left, Request};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// Erase the details of a question in a party's own folder; entries, and every proof, stay
#[derive(Debug, Args)]
#[command(after_help = "\
To be run where the party runs, by somebody who may write into its state folder. The party's program removes the details,
syncs, and logs a `redaction` with reason and authority; a program that does not run does so at its next start. Copies
elsewhere, backups for instance, are not reached: they open no more once the key of their month is destroyed.

Ends with 0 once it is done or left for the next start, with 1 if there is nothing to erase or the program does not take
it up, with 6 if a log does not verify, with 2 if a folder is only a copy.

Examples:
  mayag audit erase 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --list kr.txt --reason \"court order\" --authority \"Seoul 12/26\"")]
pub(super) struct EraseArgs {
    /// The question's id (32 hexadecimal digits), or the SHA-256 of what the analyst signed (64)
    question: Asked,
    /// A file of lines `LOG KEYS QUORUM`, paths relative to it: the logs of the parties that erase
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
    /// Why; everybody who has the log can read it, so name nobody (at most 200 characters)
    #[arg(long)]
    reason: String,
    /// Who ordered it (at most 200 characters)
    #[arg(long)]
    authority: String,
}

pub(super) fn run(args: &EraseArgs, printer: &mut Printer) -> Exit {
    let done = erase(args).map(|said| lines(printer, &said, Exit::Complete));
    end(printer, done)
}

fn erase(args: &EraseArgs) -> Result<Vec<String>, Ended> {
    let jobs = listed(&args.list).map_err(|why| (Exit::Usage, why))?;
    let mut found = detailed(&jobs, &args.question)?;
    // Who read the details is not what was asked to be forgotten.
    found.retain(|one| one.found.entry.kind != Type::LogRead);
    if found.is_empty() {
        return Err((Exit::Error, "no entry about this question has a detail".to_owned()));
    }
    let question = id_of(&found);
    let mut states: BTreeMap<PathBuf, Vec<Digest>> = BTreeMap::new();
    for one in found {
        states.entry(one.state).or_default().push(one.detail.ct_sha256);
    }
    if let Some(copy) = states.keys().find(|state| !requests::is_kept(state)) {
        let why =
            format!("{} is not the state folder of a party: erase where it runs", copy.display());
        return Err((Exit::Usage, why));
    }
    let mut said = Vec::new();
    for (state, details) in states {
        for some in details.chunks(MOST_ERASED) {
            let request = Request::Erase {
                details: some.to_vec(),
                question: question.clone(),
                reason: args.reason.clone(),
                authority: args.authority.clone(),
            };
            let left = requests::leave(&state, &request)
                .map_err(|error| (Exit::Error, error.to_string()))?;
            let how = match left {
                Left::Done => "erased and logged",
                Left::ForNextStart => "to be erased and logged when its program starts",
            };
            said.push(format!("{}  {} details  {how}", state.display(), some.len()));
        }
    }
    Ok(said)
}
