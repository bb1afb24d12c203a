//! `mayag policy propose | approve | activate | rollback | history`: how a policy comes into force.
//!
//! All of it works on the node's machine without a running node. A draft collects signatures; it becomes active once as
//! many different people signed as its change needs; the node takes it when it reads its policy again.

use super::diff;
use super::site::{self, PolicyFault, Site};
use super::store::{LONGEST_REASON, Record, Store};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::keys::{Ed25519, sha256};
use mayag_policies::compare::Change;
use mayag_policies::document;
use mayag_policies::signed::{SignedError, SignedPolicy};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::{Identity, Party};
use mayag_transport::files;
use std::path::PathBuf;

/// Sign a policy file as its author and put it among the drafts
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing changes for anybody before `activate`. Ends with 0 if the draft was written, with 1 if the file has problems,
its serial is not higher than that of every policy before it, or the key is not an administrator's of this country.

Example:
  mayag policy propose ./kr/policy.json --key min.key --reason \"regions for neighbours\" --config ./kr/node.toml")]
pub(super) struct ProposeArgs {
    /// The policy file: a document without signatures
    file: PathBuf,
    /// Your signing key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Why, for those who approve and audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    node: NodeArg,
}

/// Read what a draft changes, and sign it as the second person
#[derive(Debug, Args)]
#[command(after_help = "\
Prints what would become visible to whom. Nothing is signed without `--yes`. Ends with 0 if it was signed, with 1 if
not: without `--yes`, by somebody who signed before, or by nobody whom the roster lists.

Examples:
  mayag policy approve 3fa1c2d4 --key seo.key --config ./kr/node.toml
  mayag policy approve 3fa1c2d4 --key seo.key --config ./kr/node.toml --yes")]
pub(super) struct ApproveArgs {
    /// The draft: at least 8 digits of its digest
    digest: String,
    /// Your signing key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Sign, having read what changes
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    node: NodeArg,
}

/// Put a draft in force, once enough people have signed it
#[derive(Debug, Args)]
#[command(after_help = "\
A policy that shows anything new needs the signatures of two different administrators, any other one of one. A running
node takes it when it reads its policy again (SIGHUP). Ends with 0 if it is active, with 1 if it may not be.

Example:
  mayag policy activate 3fa1c2d4 --config ./kr/node.toml && kill -HUP $(pidof mayag)")]
pub(super) struct ActivateArgs {
    /// The draft: at least 8 digits of its digest
    digest: String,
    #[command(flatten)]
    node: NodeArg,
}

/// Propose what an earlier policy said, under a new serial
#[derive(Debug, Args)]
#[command(after_help = "\
A serial never goes back: the old text gets the next one, and needs the signatures that its change needs today. Ends
with 0 if the draft was written, with 1 if there is no policy with that serial in the history.

Example:
  mayag policy rollback 3 --key min.key --reason \"regions were too fine\" --config ./kr/node.toml")]
pub(super) struct RollbackArgs {
    /// The serial of the policy to return to
    serial: u64,
    /// Your signing key
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Why, for those who approve and audit
    #[arg(long, value_name = "TEXT")]
    reason: String,
    #[command(flatten)]
    node: NodeArg,
}

/// List every policy that was in force and every draft, with who signed it
#[derive(Debug, Args)]
#[command(after_help = "Example:\n  mayag policy history --config ./kr/node.toml")]
pub(super) struct HistoryArgs {
    #[command(flatten)]
    node: NodeArg,
}

/// Which node's policy.
#[derive(Debug, Args)]
pub(super) struct NodeArg {
    /// The node's configuration: it names the active policy, the roster and the catalogue
    #[arg(long, value_name = "FILE", default_value = "node.toml")]
    pub(super) config: PathBuf,
}

pub(super) fn propose(args: &ProposeArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.node.config)?;
    let bytes = files::read(&args.file, document::LONGEST).map_err(site::file)?;
    let name = args.file.display().to_string();
    draft(&site, &name, bytes, &args.key, &args.reason, printer)
}

pub(super) fn rollback(args: &RollbackArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.node.config)?;
    let store = Store::beside(&site.config.policy);
    let history = store.history()?;
    let missing =
        || PolicyFault::Refused(format!("the history has no policy with serial {}", args.serial));
    let old = history.iter().rfind(|record| record.serial() == args.serial).ok_or_else(missing)?;
    let serial = highest(&site, &store)? + 1;
    let bytes = document::with_serial(old.document(), serial).ok_or_else(missing)?;
    draft(&site, &format!("serial {}", args.serial), bytes, &args.key, &args.reason, printer)
}

/// Signs a document as its author and writes the draft.
fn draft(
    site: &Site,
    name: &str,
    bytes: Vec<u8>,
    key: &std::path::Path,
    reason: &str,
    printer: &mut Printer,
) -> Result<Exit, PolicyFault> {
    let store = Store::beside(&site.config.policy);
    if reason.trim().is_empty() || LONGEST_REASON < reason.chars().count() {
        let what = format!("give a reason of 1 to {LONGEST_REASON} characters");
        return Err(PolicyFault::Refused(what));
    }
    let policy = site::parsed(name, &bytes, &site.catalogue)?;
    if policy.country() != &site.config.country {
        let (found, expected) = (policy.country().clone(), site.config.country.clone());
        return Err(refused(&SignedError::OtherCountry { found, expected }));
    }
    let highest = highest(site, &store)?;
    if policy.version().serial <= highest {
        return Err(PolicyFault::Refused(format!(
            "serial {} was used before: set `serial` to {} in {name}",
            policy.version().serial,
            highest + 1
        )));
    }
    let (key, author) = site.signer(key)?;
    let envelope = Envelope::seal(PayloadType::Policy, bytes, &key);
    let draft = Record { v: 1, reason: reason.to_owned(), at: site.now, envelope };
    if let Ok(other) = store.draft(draft.digest().as_str()) {
        let who = names(&opened(site, &other)?);
        return Err(PolicyFault::Refused(format!(
            "this text is among the drafts already, signed by {who}: approve it instead"
        )));
    }
    store.put_draft(&draft)?;
    say(printer, &format!("proposed by {}: serial {}", name_of(&author), draft.serial()))?;
    needs(site, &draft, printer)?;
    say(printer, &draft.digest().to_string())?;
    Ok(Exit::Complete)
}

pub(super) fn approve(args: &ApproveArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.node.config)?;
    let store = Store::beside(&site.config.policy);
    let draft = store.draft(&args.digest)?;
    let signed = opened(&site, &draft)?;
    let (key, person) = site.signer(&args.key)?;
    if signed.signers().contains(&person) {
        return Err(PolicyFault::Refused(format!(
            "{} has signed this draft already: somebody else has to approve it",
            name_of(&person)
        )));
    }
    say(printer, &format!("proposed because: {}", draft.reason))?;
    say(printer, &format!("the policy says why: {}", signed.policy().why()))?;
    let before = site.before();
    let lines = diff::lines(&site.catalogue, before.policy, signed.policy(), site.now);
    site::print(printer, &lines)?;
    if !args.yes {
        let what = "nothing was signed: sign with `--yes` once you have read what changes";
        return Err(PolicyFault::Refused(what.to_owned()));
    }
    let draft = Record { envelope: draft.envelope.clone().countersign(&key), ..draft };
    store.put_draft(&draft)?;
    say(printer, &format!("approved by {}", name_of(&person)))?;
    needs(&site, &draft, printer)?;
    Ok(Exit::Complete)
}

pub(super) fn activate(args: &ActivateArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.node.config)?;
    let store = Store::beside(&site.config.policy);
    let draft = store.draft(&args.digest)?;
    let signed = opened(&site, &draft)?;
    let accepted = signed.succeed(site.before(), &site.catalogue, site.now);
    let accepted = accepted.map_err(|error| refused(&error))?;
    store.activate(&draft, site.now)?;
    let signers: Vec<String> = accepted.signers.iter().map(name_of).collect();
    let line = format!(
        "active: serial {}, signed by {}; {}. A running node takes it on SIGHUP.",
        draft.serial(),
        signers.join(" and "),
        accepted.change
    );
    say(printer, &line)?;
    Ok(Exit::Complete)
}

pub(super) fn history(args: &HistoryArgs, printer: &mut Printer) -> Result<Exit, PolicyFault> {
    let site = Site::open(&args.node.config)?;
    let store = Store::beside(&site.config.policy);
    let active = store.active()?.map(|envelope| sha256(envelope.unverified_payload()));
    for record in store.history()? {
        let mark = if active == Some(record.digest()) { "active" } else { "was active" };
        say(printer, &line(&site, &record, mark))?;
    }
    for record in store.drafts()? {
        say(printer, &line(&site, &record, "draft"))?;
    }
    Ok(Exit::Complete)
}

fn line(site: &Site, record: &Record, mark: &str) -> String {
    let digest = record.digest().to_string();
    let signers =
        opened(site, record).map_or_else(|fault| fault.to_string(), |signed| names(&signed));
    format!(
        "{:>4}  {}  {}  {mark:<10}  {signers}: {}",
        record.serial(),
        digest.get(..16).unwrap_or(&digest),
        record.at,
        record.reason
    )
}

/// Says what a draft still needs.
fn needs(site: &Site, draft: &Record, printer: &mut Printer) -> Result<(), PolicyFault> {
    let signed = opened(site, draft)?;
    let change = signed.change(site.before(), &site.catalogue, site.now);
    let change: Change = change.map_err(|error| refused(&error))?;
    let digest = draft.digest().to_string();
    let short = digest.get(..16).unwrap_or(&digest);
    let next = if signed.people() < change.signatures() {
        format!("another administrator has to approve it: mayag policy approve {short} --key ..")
    } else {
        format!("it can be activated: mayag policy activate {short}")
    };
    say(printer, &format!("it {change}; {next}"))
}

fn opened(site: &Site, record: &Record) -> Result<SignedPolicy, PolicyFault> {
    SignedPolicy::open(
        &record.envelope.to_bytes(),
        &site.config.country,
        &site.roster,
        &site.catalogue,
        &Ed25519,
        sha256,
    )
    .map_err(|error| refused(&error))
}

/// The highest serial that was ever in force here.
fn highest(site: &Site, store: &Store) -> Result<u64, PolicyFault> {
    let history = store.history()?.iter().map(Record::serial).max().unwrap_or_default();
    let active = site.before().version.map(|version| version.serial).unwrap_or_default();
    Ok(history.max(active))
}

fn refused(error: &SignedError) -> PolicyFault {
    PolicyFault::Refused(error.to_string())
}

fn names(signed: &SignedPolicy) -> String {
    signed.signers().iter().map(name_of).collect::<Vec<_>>().join(" and ")
}

/// The short name of an administrator.
fn name_of(identity: &Identity) -> String {
    match &identity.party {
        Party::Administrator(_, id) | Party::Analyst(_, id) | Party::Auditor(id) => id.to_string(),
        Party::Gateway(_) | Party::Node(_) => identity.to_string(),
    }
}

/// Writes one line of the answer.
fn say(printer: &mut Printer, line: &str) -> Result<(), PolicyFault> {
    site::print(printer, &[line.to_owned()])
}
