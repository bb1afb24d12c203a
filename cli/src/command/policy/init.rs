//! `mayag policy init` and `mayag policy schema`: where a new policy begins.

use super::site::{self, PolicyFault};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_policies::{document, expectation};
use mayag_protocol::names::Country;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use std::path::PathBuf;
use std::time::Duration;

/// Print a first policy made from the catalogue, with everything hidden
#[derive(Debug, Args)]
#[command(after_help = "\
Every dataset gets a grant that lists all its columns as hidden: open what you want to share and remove the rest.
`mayag policy check` names the grants that share nothing yet. With `--empty` the policy has no grants: it shares nothing
and can be put in force as it is.

Lookup tables are opened by grants of their own, for tables that node.toml gives rows. Nobody searches any without one:
  \"lookups\": [{ \"id\": \"border\", \"why\": \"..\", \"table\": \"stolen_documents\", \"kind\": \"travel_document\",
    \"to\": { \"countries\": \"any\", \"roles\": [\"analyst\"] }, \"purposes\": [\"BORDER\"], \"reveals\": [\"category\"],
    \"limits\": { \"at_once\": 64, \"person\": 1000 } }]

Examples:
  mayag policy init --country kr > policy.json
  mayag policy init --country kr --empty > policy.json")]
pub(super) struct InitArgs {
    /// The country whose policy it is
    #[arg(long)]
    country: Country,
    /// Without grants
    #[arg(long)]
    empty: bool,
    /// The catalogue; the one built in if not given
    #[arg(long, value_name = "FILE")]
    catalogue: Option<PathBuf>,
    /// From when it is in force; now if not given
    #[arg(long, value_name = "INSTANT")]
    from: Option<Timestamp>,
}

/// Print the JSON Schema of policies, for your editor
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  mayag policy schema > policy.schema.json
  mayag policy schema --tests > policy.tests.schema.json")]
pub(super) struct SchemaArgs {
    /// That of test files instead
    #[arg(long)]
    tests: bool,
}

/// How long a new policy is in force: a year, so that somebody looks at it again.
const VALID: Duration = Duration::from_hours(365 * 24);

pub(super) fn init(args: &InitArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let catalogue = site::catalogue(args.catalogue.as_deref())?;
    let from = args.from.unwrap_or_else(|| SystemClock.now());
    let text = if args.empty {
        document::init::empty(&args.country, from, from.plus(VALID))
    } else {
        document::init::hidden(&args.country, &catalogue, from, from.plus(VALID))
    };
    printer.data(text.as_bytes()).map_err(site::file)?;
    Ok(Exit::Complete)
}

pub(super) fn schema(args: &SchemaArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let text = if args.tests { expectation::schema_text() } else { document::schema_text() };
    printer.data(text.as_bytes()).map_err(site::file)?;
    Ok(Exit::Complete)
}
