//! `mayag audit reconcile`: the logs of gateways and nodes held against each other.

use super::logs::{Ended, Form, ListArgs, end, json, lines, said};
use super::rosters::RosterArgs;
use super::verify::believed;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::reconcile::{AnswerKeys, Facts, Finding, Report, Settings, reconcile};
use mayag_audit::verify::Against;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::log_files::PublishedFiles;
use serde::Serialize;
use std::time::Duration;

/// Hold the logs of gateways and nodes against each other: what one leaves out stands in the other
#[derive(Debug, Args)]
#[command(after_help = "\
Every log is verified first. Then every entry of a node must name an entry of the gateway's log that is there, with the
same hash and about the same question; every answer that a gateway released must be in the node's log in the same way;
and no time may contradict the entries around it, the entries it names, or the witnesses. Checkpoints that entries mention
of other logs must be those logs, and with rosters everything that one party signed inside another's entry must verify. An entry that is younger than
the grace window may name one that is not there yet: such are counted.

Ends with 0 if the logs agree, with 6 if something is found or a log does not verify, with 3 if nothing is found but
entries name logs that are not in the list, with 2 if a file cannot be read.

Examples:
  mayag audit reconcile --list ./federation/verify.txt
  mayag audit reconcile --list verify.txt --as-of 2026-11-23T21:00:00Z --grace 60
  mayag audit reconcile --list verify.txt --roster roster.json --roster-keys roster.keys
  mayag audit reconcile --list verify.txt --format json")]
pub(super) struct ReconcileArgs {
    #[command(flatten)]
    list: ListArgs,
    /// How many seconds an entry may be under way to the other log
    #[arg(long, value_name = "SECONDS", default_value_t = mayag_audit::reconcile::GRACE.as_secs())]
    grace: u64,
    #[command(flatten)]
    rosters: RosterArgs,
    /// When the logs were copied, if not now
    #[arg(long, value_name = "TIME")]
    as_of: Option<Timestamp>,
    /// Sentences, or one JSON object
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

pub(super) fn run(args: &ReconcileArgs, printer: &mut Printer) -> Exit {
    let done = report(args).and_then(|report| {
        let exit = if !report.findings.is_empty() {
            Exit::VerificationFailed
        } else if report.not_given.is_empty() {
            Exit::Complete
        } else {
            Exit::Partial
        };
        let text = match args.format {
            Form::Human => sentences(&report),
            Form::Json => vec![json(&Told::of(&report))?],
        };
        Ok(lines(printer, &text, exit))
    });
    end(printer, done)
}

fn report(args: &ReconcileArgs) -> Result<Report, Ended> {
    let now = SystemClock.now();
    let mut keys = AnswerKeys::default();
    args.rosters.read()?.iter().for_each(|roster| keys.add(roster));
    let mut facts = Vec::new();
    for job in args.list.read("reconcile")? {
        let policy = believed(&job)?;
        let against = Against { policy: &policy, now, older: None };
        let read = Facts::read(&PublishedFiles(job.log.clone()), &against, &keys)
            .map_err(|fault| (Exit::VerificationFailed, said(&job, &fault.to_string())))?;
        facts.extend(read);
    }
    let grace = Duration::from_secs(args.grace);
    Ok(reconcile(&facts, Settings { as_of: args.as_of.unwrap_or(now), grace }))
}

fn sentences(report: &Report) -> Vec<String> {
    let counts = &report.counts;
    let mut lines = vec![
        format!("{} logs  {} entries  verified", counts.logs, counts.entries),
        format!(
            "{} questions received  {} released  {} abandoned  {} entries of nodes",
            counts.received, counts.released, counts.abandoned, counts.at_nodes
        ),
        format!(
            "{} references between logs hold  {} checkpoints that they mention of each other",
            counts.matched, counts.mentioned
        ),
        format!(
            "{} in flight  {} never ended  {} refusals of what no gateway had forwarded",
            counts.in_flight, counts.unended, counts.not_forwarded
        ),
    ];
    if counts.signatures + counts.unchecked > 0 {
        lines.push(match counts.unchecked {
            0 => format!("{} signatures inside of entries verify", counts.signatures),
            unchecked => format!(
                "{unchecked} signatures inside of entries not checked: add `--roster` and `--roster-keys`"
            ),
        });
    }
    lines.extend(report.unheard.iter().map(|unheard| format!("not heard: {unheard}")));
    lines.extend(report.findings.iter().map(|finding| format!("finding: {finding}")));
    let not_given = report.not_given.iter();
    lines.extend(not_given.map(|log| format!("not in the list, so not looked at: {log}")));
    lines.push(match report.findings.len() {
        0 => "the logs agree".to_owned(),
        1 => "1 finding".to_owned(),
        many => format!("{many} findings"),
    });
    lines
}

/// The report with its sentences, for programs that show it to people.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    report: &'a Report,
    sentences: Vec<String>,
}

impl<'a> Told<'a> {
    fn of(report: &'a Report) -> Self {
        Self { report, sentences: report.findings.iter().map(Finding::to_string).collect() }
    }
}
