//! `mayag audit search`: the entries that fit, the newest or the oldest of them.

use super::logs::{Ended, Form, ListArgs, end, entries, found, lines};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::Args;
use mayag_audit::entry::Type;
use mayag_audit::search::{Asked, Filter, Order, Search};
use mayag_protocol::names::{Country, DatasetName, Digest};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;

/// Find entries in all logs: by time, country, dataset, purpose, type, outcome, rule, policy, question, person
#[derive(Debug, Args)]
#[command(after_help = "\
An entry is shown if it fits everything that is asked for. There is no index to be believed: every log is verified and
read from its first entry, which takes time in proportion to all entries, and memory for as many as are shown. Entries
of all logs come in one order, that of time.

Ends with 0, also if nothing fits; with 6 if a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit search --list ./federation/verify.txt --type refused
  mayag audit search --list verify.txt --country kr --dataset seizures --from 2026-11-01T00:00:00Z
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
    let done = search(args).and_then(|search| {
        let fitting = search.fitting();
        let shown = search.into_found();
        let text = found(args.format, &shown)?;
        printer.talk(&safe(&format!("{} of {fitting} entries that fit", shown.len())));
        Ok(lines(printer, &text, Exit::Complete))
    });
    end(printer, done)
}

fn search(args: &SearchArgs) -> Result<Search, Ended> {
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
    };
    let order = if args.oldest { Order::Oldest } else { Order::Newest };
    let mut search = Search::new(filter, order, args.limit);
    for job in args.list.jobs()? {
        entries(&job, &mut |located| search.look(located))?;
    }
    Ok(search)
}
