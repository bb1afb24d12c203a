//! `mayag audit anomalies`: what is worth a second look.

use super::logs::{Ended, Form, ListArgs, end, entries, json, lines};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::anomalies::{Anomalies, Anomaly, Thresholds};
use std::time::Duration;

/// Find what is worth a second look: bursts, series of questions that differ in a value, many refusals, policies widened and then used
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing found is proof of anything, and nothing found is no proof either. A person has another pseudonym in every party's
log, so every log is looked at for itself:
  burst              many questions of a person within a minute
  many_refusals      many refusals of a person within ten minutes
  rephrased          refused, and within minutes another question of the same person was answered
  nearly_alike       questions of a person within an hour that differ in values only (`shape` is the same, `text` is not)
  widened_then_used  refused under one policy, and within a day another question answered under another one that shows more
  first_seen         a person asked about a dataset for a purpose for the first time, once a log is old enough

Ends with 0, whatever is found; with 6 if a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit anomalies --list ./federation/verify.txt
  mayag audit anomalies --list verify.txt --burst 10 --learned-days 0 --format json")]
pub(super) struct AnomaliesArgs {
    #[command(flatten)]
    list: ListArgs,
    /// So many questions within a minute are a burst
    #[arg(long, value_name = "QUESTIONS", default_value_t = Thresholds::default().burst)]
    burst: usize,
    /// So many refusals within ten minutes are many
    #[arg(long, value_name = "REFUSALS", default_value_t = Thresholds::default().refusals)]
    refusals: usize,
    /// So many questions within an hour that differ in values only are a series
    #[arg(long, value_name = "QUESTIONS", default_value_t = Thresholds::default().alike)]
    alike: usize,
    /// An answer so many minutes after a refusal may be to the same question, rephrased
    #[arg(long, value_name = "MINUTES", default_value_t = 10)]
    rephrased: u32,
    /// How many days of a log are needed to know what is new
    #[arg(long, value_name = "DAYS", default_value_t = 7)]
    learned_days: u32,
    /// Sentences, or one JSON object a line
    #[arg(long, value_enum, default_value_t = Form::Human)]
    format: Form,
}

pub(super) fn run(args: &AnomaliesArgs, printer: &mut Printer) -> Exit {
    let done = anomalies(args).and_then(|found| {
        let line = |anomaly: &Anomaly| match args.format {
            Form::Human => Ok(format!("{}  {anomaly}", anomaly.at)),
            Form::Json => json(anomaly),
        };
        let text = found.iter().map(line).collect::<Result<Vec<String>, Ended>>()?;
        printer.talk(&format!("{} to look at", found.len()));
        Ok(lines(printer, &text, Exit::Complete))
    });
    end(printer, done)
}

fn anomalies(args: &AnomaliesArgs) -> Result<Vec<Anomaly>, Ended> {
    let thresholds = Thresholds {
        burst: args.burst,
        refusals: args.refusals,
        alike: args.alike,
        rephrased_within: Duration::from_secs(u64::from(args.rephrased) * 60),
        learned_after: Duration::from_secs(u64::from(args.learned_days) * 24 * 60 * 60),
        ..Thresholds::default()
    };
    let mut anomalies = Anomalies::new(thresholds);
    for job in args.list.read("anomalies")? {
        entries(&job, &mut |located| anomalies.look(&located))?;
    }
    Ok(anomalies.into_found())
}
