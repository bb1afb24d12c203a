//! `mayag policy diff`: what one policy shows that another does not, in sentences, and what that comes to.

use super::site::{self, PolicyFault, Site};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, ValueEnum};
use mayag_policies::catalogue::Catalogue;
use mayag_policies::compare::{Change, Difference, Direction, compare};
use mayag_policies::document::Policy;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use std::path::{Path, PathBuf};

/// Say what one policy shows that another does not, and prove whether it widens
#[derive(Debug, Args)]
#[command(after_help = "\
Every case of who asks, for what, when, and for which columns is looked at under both policies; no data is read. Ends
with 0 if the same is visible to the same people, with 1 if not; with `--fail-on` only for the change named there.

Examples:
  mayag policy diff old.json new.json
  mayag policy diff ./kr/policy.json --against active --config ./kr/node.toml
  mayag policy diff old.json new.json --fail-on widen")]
pub(super) struct DiffArgs {
    /// OLD and NEW; only NEW with `--against`. Signed files and documents without signatures
    #[arg(num_args = 1..=2, required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// Compare with the policy that the node of `--config` reads
    #[arg(long, value_enum)]
    against: Option<Against>,
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    config: PathBuf,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// End with 1 only for this change
    #[arg(long, value_enum, default_value_t = FailOn::Change)]
    fail_on: FailOn,
    /// Compare what is shown from this instant on, such as 2026-01-01T00:00:00Z; now if not given
    #[arg(long, value_name = "INSTANT")]
    at: Option<Timestamp>,
}

/// What a policy is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Against {
    /// The policy that the node reads
    Active,
}

/// Which change ends with 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FailOn {
    /// Any
    Change,
    /// Anything that becomes visible
    Widen,
}

pub(super) fn run(args: &DiffArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let now = args.at.unwrap_or_else(|| SystemClock.now());
    let (catalogue, old, new) = match (args.files.as_slice(), args.against) {
        ([new], Some(Against::Active)) => {
            let site = Site::open(&args.config)?;
            let new = site::policy(new, &site.catalogue)?;
            let old = site.before().policy.cloned();
            (site.catalogue, old, new)
        }
        ([old, new], None) => {
            let catalogue = site::catalogue(args.catalogue.as_deref())?;
            let read = |path: &Path| site::policy(path, &catalogue);
            let (old, new) = (read(old)?, read(new)?);
            (catalogue, Some(old), new)
        }
        _ => {
            let what = "give OLD and NEW, or NEW with `--against active`";
            return Err(PolicyFault::File(what.to_owned()));
        }
    };
    let (change, lines) = compared(&catalogue, old.as_ref(), &new, now);
    site::print(printer, &lines)?;
    Ok(match (args.fail_on, change) {
        (FailOn::Change, Change::Both | Change::Narrows | Change::Widens)
        | (FailOn::Widen, Change::Both | Change::Widens) => Exit::Error,
        (FailOn::Change, Change::Equal) | (FailOn::Widen, Change::Equal | Change::Narrows) => {
            Exit::Complete
        }
    })
}

/// What changes, as `approve` shows it.
pub(super) fn lines(
    catalogue: &Catalogue,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Vec<String> {
    compared(catalogue, old, new, now).1
}

fn compared(
    catalogue: &Catalogue,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> (Change, Vec<String>) {
    let comparison = compare(catalogue, old, new, now);
    let mut lines = Vec::new();
    for (direction, title) in
        [(Direction::Widens, "WIDENS (needs two administrators)"), (Direction::Narrows, "NARROWS")]
    {
        let of = |difference: &&Difference| difference.direction == direction;
        for (i, difference) in comparison.differences.iter().filter(of).enumerate() {
            if i == 0 {
                lines.push(title.to_owned());
            }
            lines.push(format!("  {difference}"));
        }
    }
    let side = |policy: Option<&Policy>| match policy {
        Some(policy) => {
            let digest = policy.version().digest.to_string();
            let digest = digest.get(..16).unwrap_or(&digest).to_owned();
            format!("serial {} (sha256 {digest})", policy.version().serial)
        }
        None => "nothing".to_owned(),
    };
    lines.push(format!("{} → {}: {}", side(old), side(Some(new)), comparison.change));
    (comparison.change, lines)
}
