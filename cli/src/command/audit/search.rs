//! `mayag audit search`: the entries that fit, the newest or the oldest of them.

use super::logs::{Ended, Form, ListArgs, end, entries, found, lines, said};
use super::verify::{Job, believed};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::Args;
use mayag_audit::entry::Type;
use mayag_audit::index::{Index, IndexError, Made};
use mayag_audit::keys::sha256;
use mayag_audit::search::{Asked, Filter, Order, Search};
use mayag_audit::verify::Against;
use mayag_protocol::names::{Country, DatasetName, Digest};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::index_files::IndexFiles;
use mayag_transport::log_files::PublishedFiles;
use std::path::{Path, PathBuf};

/// Find entries in all logs: by time, country, dataset, purpose, type, outcome, rule, policy, question, person
#[derive(Debug, Args)]
#[command(after_help = "\
An entry is shown if it fits everything that is asked for. Every log is verified and read from its first entry, which takes
time in proportion to all entries, and memory for as many as are shown. Entries of all logs come in one order, that of time.

With `--index` only bundles of 256 entries that may fit are read, and each is proven to be under the log's checkpoint. The
index is made and continued by itself, and made again where it is damaged or of another history: it is never believed, but
whoever can write into its folder can hide entries from it. The rest of the log is not verified: `mayag audit verify` does.

Ends with 0, also if nothing fits; with 6 if a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit search --list ./federation/verify.txt --type refused
  mayag audit search --list verify.txt --country kr --dataset seizures --from 2026-11-01T00:00:00Z
  mayag audit search --list verify.txt --index ./index --actor 9c56cc51b374c3ba189210d5b6d4bf57790d351c96c47c02190ecf1e430635ab
  mayag audit search --list verify.txt --outcome MAYAG-2104 --oldest --limit 20 --format json")]
pub(super) struct SearchArgs {
    #[command(flatten)]
    list: ListArgs,
    /// Not before this instant
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Before this instant
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The country that asked, that was asked, or whose node writes the log
    #[arg(long)]
    country: Option<Country>,
    /// A dataset that was read
    #[arg(long)]
    dataset: Option<DatasetName>,
    /// The purpose stated, such as TREND
    #[arg(long)]
    purpose: Option<Purpose>,
    /// What happened: received, admitted, answered, refused, released, policy, ..
    #[arg(long = "type", value_name = "TYPE")]
    kind: Option<Type>,
    /// A decision or refusal code, a class of results (aggregate, suppressed, ..), or what a country did (`timed_out`, ..)
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// A grant or rule that decided
    #[arg(long)]
    rule: Option<String>,
    /// The digest of the policy in force
    #[arg(long, value_name = "SHA256")]
    policy: Option<Digest>,
    /// A question's id or digest
    #[arg(long)]
    question: Option<Asked>,
    /// The pseudonym of a person; every party's log has another one
    #[arg(long, value_name = "SHA256")]
    actor: Option<Digest>,
    /// The commitment to a case, as an entry has it; every question and party has another one
    #[arg(long, value_name = "SHA256")]
    case: Option<Digest>,
    /// Keep an index of each log in this folder, and read only what may fit
    #[arg(long, value_name = "FOLDER")]
    index: Option<PathBuf>,
    /// How many are shown at most
    #[arg(long, default_value_t = 100)]
    limit: usize,
    /// The oldest that fit, the oldest first, and not the newest
    #[arg(long)]
    oldest: bool,
    /// Sentences, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

pub(super) fn run(args: &SearchArgs, printer: &mut Printer) -> Exit {
    let done = search(args, printer).and_then(|(search, all)| {
        let fitting = search.fitting();
        let shown = search.into_found();
        let text = found(args.format, &shown)?;
        printer.talk(&safe(&match all {
            Read::All => format!("{} of {fitting} entries that fit", shown.len()),
            Read::Enough => format!("{} entries that fit, and maybe more", shown.len()),
        }));
        Ok(lines(printer, &text, Exit::Complete))
    });
    end(printer, done)
}

/// How far a search went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Read {
    /// Everything that may fit was looked at.
    All,
    /// As many were found as are shown, and no other comes before them.
    Enough,
}

fn search(args: &SearchArgs, printer: &mut Printer) -> Result<(Search, Read), Ended> {
    let filter = Filter {
        from: args.from,
        to: args.to,
        country: args.country.clone(),
        dataset: args.dataset.clone(),
        purpose: args.purpose,
        kind: args.kind,
        outcome: args.outcome.clone(),
        rule: args.rule.clone(),
        policy: args.policy.clone(),
        question: args.question.clone(),
        actor: args.actor.clone(),
        case: args.case.clone(),
    };
    let order = if args.oldest { Order::Oldest } else { Order::Newest };
    let mut search = Search::new(filter, order, args.limit);
    let jobs = args.list.read("search")?;
    let Some(folder) = &args.index else {
        for job in jobs {
            entries(&job, &mut |located| search.look(located))?;
        }
        return Ok((search, Read::All));
    };
    let read = by_index(&jobs, folder, &mut search, printer)?;
    Ok((search, read))
}

/// Searches by the indexes in a folder: one for each log, by the hash of its name.
fn by_index(
    jobs: &[Job],
    folder: &Path,
    search: &mut Search,
    printer: &mut Printer,
) -> Result<Read, Ended> {
    let mut opened = Vec::new();
    for job in jobs {
        let policy = believed(job)?;
        let named = policy.logs().first().map(|log| log.key.name().to_string());
        let name = sha256(named.unwrap_or_default().as_bytes());
        let store = IndexFiles::open(&folder.join(name.as_str()))
            .map_err(|error| (Exit::Usage, error.to_string()))?;
        opened.push((PublishedFiles(job.log.clone()), store, policy));
    }
    let now = SystemClock.now();
    let mut indexes = Vec::new();
    for ((tiles, store, policy), job) in opened.iter().zip(jobs) {
        let against = Against { policy, now, older: None };
        let index = Index::open(tiles, store, &against).map_err(|error| ended(job, &error))?;
        let Made { again, .. } = index.made();
        if 0 < again {
            printer.talk(&safe(&said(
                job,
                &format!("{again} damaged parts of its index were made again"),
            )));
        }
        indexes.push(index);
    }
    match search.by_index(&mut indexes) {
        Ok(true) => Ok(Read::All),
        Ok(false) => Ok(Read::Enough),
        Err((log, error)) => match jobs.get(log) {
            Some(job) => Err(ended(job, &error)),
            None => Err((Exit::Error, error.to_string())),
        },
    }
}

/// What is wrong with the index is no fault of the log.
fn ended(job: &Job, error: &IndexError) -> Ended {
    let exit = match error {
        IndexError::Store(_) => Exit::Error,
        IndexError::Checkpoint(_)
        | IndexError::Entry { .. }
        | IndexError::Malformed { .. }
        | IndexError::Missing(_)
        | IndexError::Name
        | IndexError::Read { .. }
        | IndexError::Root
        | IndexError::Tampered(_) => Exit::VerificationFailed,
    };
    (exit, said(job, &error.to_string()))
}
