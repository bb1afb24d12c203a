//! `mayag lookup notices`: what the owner of declared tables was told of who searched for what they hold.

use crate::command::datasets::ListFormat;
use crate::command::{failed, written};
use crate::exit::Exit;
use crate::format::FormatError;
use crate::format::json::to_text;
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::Args;
use mayag_node::config::NodeConfig;
use mayag_node::notices::{self, About, Listed, MetIdentifier, Notice};
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::path::PathBuf;

/// List who searched for what your country's declared tables hold, silent hits too
#[derive(Debug, Args)]
#[command(after_help = "\
Runs where the node runs, also while it does, and reads its state folder: whoever may read that may read this. A notice is there before
the answer leaves. It names who searched, why, and the identifier; `silent` says that the person was told that there is no hit.

Examples:
  mayag lookup notices --config ./kr/node.toml
  mayag lookup notices --config ./kr/node.toml --since 2026-11-28T00:00:00Z --format json")]
pub(super) struct NoticesArgs {
    /// The node's configuration
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    config: PathBuf,
    /// Leave out what is older
    #[arg(long, value_name = "INSTANT")]
    since: Option<Timestamp>,
    /// How to write it
    #[arg(long, value_enum, default_value = "table")]
    format: ListFormat,
}

#[derive(Serialize)]
struct Whole<'a> {
    notices: &'a [Notice],
}

/// Reads and prints.
pub(super) fn run(args: &NoticesArgs, printer: &mut Printer) -> Exit {
    let config = match NodeConfig::read(&args.config) {
        Ok(config) => config,
        Err(error) => return failed(printer, Exit::Usage, &error.to_string()),
    };
    let Listed { mut notices, damaged } = match notices::read(&config.state) {
        Ok(listed) => listed,
        Err(error) => return failed(printer, Exit::Usage, &error.to_string()),
    };
    notices.retain(|notice| args.since.is_none_or(|since| since <= notice.about.at));
    if damaged > 0 {
        printer.talk(&format!(
            "{damaged} places cannot be read: a crash before an answer left, or damage; all others are listed"
        ));
    }
    match text(&notices, args.format, printer.reader()) {
        Ok(text) => {
            let result = printer.data(text.as_bytes());
            written(printer, result, Exit::Complete)
        }
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    }
}

fn text(notices: &[Notice], format: ListFormat, reader: Reader) -> Result<String, FormatError> {
    match format {
        ListFormat::Json => to_text(&Whole { notices }, reader),
        ListFormat::Table if notices.is_empty() => Ok("no hits\n".to_owned()),
        ListFormat::Table => Ok(notices.iter().flat_map(lines).collect()),
    }
}

fn lines(notice: &Notice) -> Vec<String> {
    let Notice { about, met, digest: _ } = notice;
    let About { v: _, at, question, person, purpose, case, legal_basis, table } = about;
    let said = |text: &Option<String>| safe(text.as_deref().unwrap_or("-")).into_owned();
    let mut lines = vec![
        format!("{at}  {table}  {person}\n"),
        format!("    {purpose}; case {}; legal basis {}\n", said(case), said(legal_basis)),
        format!("    question {question}\n"),
    ];
    lines.extend(met.iter().flat_map(of_identifier));
    lines
}

fn of_identifier(met: &MetIdentifier) -> Vec<String> {
    let MetIdentifier { identifier, contacts, more } = met;
    let identifier = safe(identifier);
    let shown = contacts.iter().any(|contact| !contact.silent);
    let mut lines: Vec<String> = contacts
        .iter()
        .map(|one| {
            let told = match (one.silent, shown) {
                (false, _) => "told",
                (true, true) => "SILENT: told of others, not of this",
                (true, false) => "SILENT: told that there is no hit",
            };
            format!("    {identifier}  {told}  contact {}\n", one.contact)
        })
        .collect();
    lines
        .extend(more.then(|| format!("    {identifier}  and more contacts: look in your table\n")));
    lines
}
