//! `mayag policy explain`: which rule decides what of a question, column by column, or of a lookup, size by size.

use super::asking::{Asker, parts, shapes, sql};
use super::searching;
use super::site::{self, PolicyFault};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Noise, Permit, Protections, Subject, Switch, decide};
use mayag_policies::document::Policy;
use mayag_policies::shape::ReleaseShape;
use mayag_protocol::names::{KindName, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use std::path::PathBuf;

/// Name the rule that decides on each column of a question, or on a lookup
#[derive(Debug, Args)]
#[command(after_help = "\
Plans the SQL and decides it as a node would; no data is read. Ends with 0 if the question would be answered, with 4 if
it would be refused, with 1 if the policy has problems. With `--table` a lookup is decided instead, for each size that lookups
are padded to.

Examples:
  mayag policy explain ./kr/policy.json --as au/analyst --purpose TREND -c \"SELECT drug, count(*) FROM seizures GROUP BY drug\"
  mayag policy explain ./kr/policy.json --as au/analyst --purpose BORDER --table stolen_documents --identifiers travel_document")]
pub(super) struct ExplainArgs {
    /// The policy, signed or not
    file: PathBuf,
    /// Who asks: country and role, such as `kr/analyst`
    #[arg(long = "as", value_name = "WHO")]
    asker: Asker,
    /// The purpose stated
    #[arg(long)]
    purpose: Purpose,
    /// The question
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    command: Option<String>,
    /// The file with the question
    #[arg(short = 'f', long = "file", value_name = "FILE", conflicts_with = "command")]
    sql_file: Option<PathBuf>,
    /// The lookup table, instead of a question
    #[arg(
        long,
        value_name = "TABLE",
        requires = "identifiers",
        conflicts_with_all = ["command", "sql_file"]
    )]
    table: Option<TableName>,
    /// What is searched in the table: a kind of identifiers such as `travel_document`
    #[arg(long, value_name = "KIND", requires = "table")]
    identifiers: Option<KindName>,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// Decide as of this instant, such as 2026-01-01T00:00:00Z; now if not given
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
}

/// A policy, a person and a time to decide with.
struct Deciding<'a> {
    policy: &'a Policy,
    catalogue: &'a Catalogue,
    subject: Subject,
    now: Timestamp,
}

pub(super) fn run(args: &ExplainArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let catalogue = site::catalogue(args.catalogue.as_deref())?;
    let policy = site::policy(&args.file, &catalogue)?;
    let deciding = Deciding {
        policy: &policy,
        catalogue: &catalogue,
        subject: args.asker.for_purpose(args.purpose),
        now: args.at.unwrap_or_else(|| SystemClock.now()),
    };
    let mut lines = vec![format!(
        "{} for {}, under serial {} of `{}`",
        args.asker.words(),
        args.purpose,
        policy.version().serial,
        policy.country()
    )];
    let answered = if let (Some(table), Some(kind)) = (&args.table, &args.identifiers) {
        let searched = searching::Searched { table, kind };
        searched.explain(deciding.policy, &deciding.subject, deciding.now, &mut lines)
    } else {
        let sql = sql(args.command.as_deref(), args.sql_file.as_deref())?;
        deciding.question(&sql, &mut lines)
    };
    site::print(printer, &lines)?;
    Ok(if answered { Exit::Complete } else { Exit::RefusedByAll })
}

impl Deciding<'_> {
    /// Says what is decided of a question, and returns whether it is answered.
    fn question(&self, sql: &str, lines: &mut Vec<String>) -> bool {
        let mut answered = true;
        match shapes(sql, self.catalogue) {
            Err(refusal) => {
                answered = false;
                lines.push(format!("refused before any policy: {}", words(&refusal)));
                lines.push(format!("hint: {}", refusal.hint));
            }
            Ok(shapes) => {
                for (i, shape) in shapes.iter().enumerate() {
                    let dataset =
                        mayag_policies::catalogue::written_name(shape.dataset.as_str(), " JOIN ");
                    lines.push(format!("release {} of {}: {dataset}", i + 1, shapes.len()));
                    answered &= self.release(shape, sql, lines);
                }
            }
        }
        let verdict = if answered { "the question is answered" } else { "the question is refused" };
        lines.push(verdict.to_owned());
        answered
    }

    fn decide(&self, shape: &ReleaseShape) -> Result<Permit, Refusal> {
        decide(self.policy, self.catalogue, &self.subject, self.now, shape)
    }

    /// Says what is decided of a release, and returns whether it is answered.
    fn release(&self, shape: &ReleaseShape, sql: &str, lines: &mut Vec<String>) -> bool {
        for part in parts(shape) {
            let verdict = match self.decide(&part.shape) {
                Ok(permit) => format!("yes  grant {}", permit.grants()),
                Err(refusal) => format!("no   {}", words(&refusal)),
            };
            let what = mayag_policies::catalogue::written_name(&part.what, ".");
            lines.push(format!("  {:<9}  {what:<24}  {verdict}", part.verb));
        }
        match self.decide(shape) {
            Ok(permit) => {
                let protections = protections(permit.protections());
                lines.push(format!("  together: grant {}; {protections}", permit.grants()));
                true
            }
            Err(refusal) => {
                let refusal = mayag_queries::plan::advised(sql, self.catalogue, refusal);
                lines.push(format!("  together: {}", words(&refusal)));
                lines.push(format!("  hint: {}", refusal.hint));
                false
            }
        }
    }
}

pub(super) fn words(refusal: &Refusal) -> String {
    let subject = refusal.subject.as_ref().map(|of| format!(": `{of}`")).unwrap_or_default();
    format!("[{}] {}{subject} (rule {})", refusal.code, refusal.code.title(), refusal.rule)
}

fn protections(protections: Protections) -> String {
    let noise = match protections.noise {
        Noise::Off => format!(
            "exact numbers; p% = {}; {} units hold at most {} %",
            protections.p_percent, protections.dominance.units, protections.dominance.percent
        ),
        Noise::On { largest, variance } => {
            format!("noise up to {largest} with variance {variance}")
        }
    };
    let guard = match protections.difference_guard {
        Switch::Off => "",
        Switch::On => "; difference guard",
    };
    format!("at least {} units in a cell; {noise}{guard}", protections.min_units)
}
