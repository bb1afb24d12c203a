//! `mayag receipt`: what an analyst keeps of an answer, checked offline, with public keys that do not come from the file.

use crate::arguments::Folders;
use crate::command::{failed, written};
use crate::demo::until_interrupted;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::{Args, Subcommand};
use mayag_audit::keys::Ed25519;
use mayag_audit::quorum::Policy;
use mayag_desk::desk::Desk;
use mayag_desk::profile::Profile;
use mayag_desk::receipt::{self, Against, Fetched, Proof, ReceiptFile};
use mayag_protocol::receipts::Standing;
use mayag_protocol::roster::{self, Roster};
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::files::{self, Mode};
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The longest file of keys that is read.
const LONGEST_KEYS: usize = 1024 * 1024;

/// Check the receipt of an answer, or fetch the proof that it still waits for
#[derive(Debug, Args)]
#[command(after_help = "\
A receipt is written by `mayag ask --receipt FILE`. Keys are never taken from it: KEYS has one verifier key a line, that of the
gateway's log first, then those of its witnesses. With a roster the signatures of analyst, gateway and nodes are checked too.

Ends with 0 if everything verifies, with 6 if something does not or nothing is proved yet, with 2 if a file cannot be read.

Examples:
  mayag receipt verify answer.receipt --keys gateway.keys --quorum 3
  mayag receipt verify answer.receipt --keys gateway.keys --roster roster.json --roster-keys roster.keys
  mayag receipt upgrade answer.receipt --profile hana.toml
  mayag receipt extract answer.receipt --proof answer.tlog-proof --entry answer.entry")]
pub struct ReceiptArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check a receipt offline: proof, cosignatures, entry, and that the entry is about the question and the result
    Verify(VerifyArgs),
    /// Fetch the proof for a receipt that was written before there was one
    Upgrade(UpgradeArgs),
    /// Write proof and entry as files, for verifiers that others wrote
    Extract(ExtractArgs),
}

#[derive(Debug, Args)]
struct VerifyArgs {
    /// The receipt
    file: PathBuf,
    /// The keys of the gateway's log and of its witnesses
    #[arg(long, value_name = "FILE")]
    keys: PathBuf,
    /// How many witnesses must have cosigned
    #[arg(long, default_value_t = 0)]
    quorum: usize,
    /// The roster that was in force when the answer was handed out
    #[arg(long, value_name = "FILE", requires = "roster_keys")]
    roster: Option<PathBuf>,
    /// The keys that the roster is signed with
    #[arg(long, value_name = "FILE", requires = "roster")]
    roster_keys: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct UpgradeArgs {
    /// The receipt
    file: PathBuf,
    /// Profile of the person who asked [default: `mayag/profile.toml` in the folder of the user's configuration]
    #[arg(long, value_name = "FILE")]
    profile: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ExtractArgs {
    /// The receipt
    file: PathBuf,
    /// Where to write the C2SP `tlog-proof`
    #[arg(long, value_name = "FILE")]
    proof: PathBuf,
    /// Where to write the exact bytes of the entry
    #[arg(long, value_name = "FILE")]
    entry: PathBuf,
}

/// Why a command ended early: how, and what to say.
type Ended = (Exit, String);

/// Runs the command.
pub async fn run(args: ReceiptArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    let done = match &args.command {
        Command::Verify(args) => verify(args).map(|proof| in_words(&proof)),
        Command::Upgrade(args) => upgrade(args, folders).await,
        Command::Extract(args) => extract(args),
    };
    match done {
        Ok(line) => {
            let result = printer.line(&safe(&line));
            written(printer, result, Exit::Complete)
        }
        Err((exit, why)) => failed(printer, exit, &why),
    }
}

fn usage<E: fmt::Display>(error: E) -> Ended {
    (Exit::Usage, format!("{error}"))
}

fn read(path: &Path) -> Result<ReceiptFile, Ended> {
    let bytes = files::read(path, receipt::LONGEST).map_err(usage)?;
    ReceiptFile::parse(&bytes)
        .map_err(|fault| (Exit::VerificationFailed, format!("{}: {fault}", path.display())))
}

fn text(path: &Path) -> Result<String, Ended> {
    String::from_utf8(files::read(path, LONGEST_KEYS).map_err(usage)?)
        .map_err(|_| usage(format!("{}: not text", path.display())))
}

fn verify(args: &VerifyArgs) -> Result<Proof, Ended> {
    let wrong = |why: String| (Exit::VerificationFailed, format!("{}: {why}", args.file.display()));
    let policy = Policy::of_keys(&text(&args.keys)?, args.quorum)
        .map_err(|error| usage(format!("{}: {error}", args.keys.display())))?;
    let file = read(&args.file)?;
    let roster = match (&args.roster, &args.roster_keys) {
        (Some(roster), Some(keys)) => {
            let at = file.issued_at().map_err(|fault| wrong(fault.to_string()))?;
            Some(open_roster(roster, keys, at)?)
        }
        (Some(_) | None, _) => None,
    };
    let against = Against { policy: &policy, roster: roster.as_ref(), now: SystemClock.now() };
    file.verify(&against).map_err(|fault| wrong(fault.to_string()))
}

/// The roster, as it was in force when the release was signed: receipts outlive rosters.
fn open_roster(roster: &Path, keys: &Path, at: Timestamp) -> Result<Roster, Ended> {
    let keys = roster::parse_trusted_keys(&text(keys)?).map_err(usage)?;
    let bytes = files::read(roster, roster::LONGEST).map_err(usage)?;
    Roster::open(&bytes, &keys, &Ed25519, at, 0)
        .map_err(|error| usage(format!("{}: {error}", roster.display())))
}

/// What is proved, in one line.
fn in_words(proof: &Proof) -> String {
    let Proof { position, at, size, cosignatures, question, result, answers, signatures } = proof;
    let result = match result {
        Some(digest) => format!("result sha256 {digest}"),
        None => "no result".to_owned(),
    };
    let signed = if *signatures {
        "signatures verified with the roster"
    } else {
        "signatures not checked: no roster given"
    };
    format!(
        "{} entry {} of {size}  {at}  {cosignatures} cosignatures  question {question}  {result}  {answers} signed answers  {signed}  verified",
        position.origin, position.index
    )
}

fn extract(args: &ExtractArgs) -> Result<String, Ended> {
    let file = read(&args.file)?;
    let (entry, proof) = match file.log() {
        Some(Standing::Proven { entry, proof }) => (&entry.0, proof),
        Some(Standing::Promised { .. }) | None => {
            let why = "there is no proof in it yet: `mayag receipt upgrade` fetches it";
            return Err((Exit::VerificationFailed, format!("{}: {why}", args.file.display())));
        }
    };
    let failed = |error: files::FilesError| (Exit::Error, error.to_string());
    files::replace(&args.proof, proof.as_bytes(), Mode::Public).map_err(failed)?;
    files::replace(&args.entry, entry, Mode::Public).map_err(failed)?;
    Ok(format!("{}  {}  not verified", args.proof.display(), args.entry.display()))
}

async fn upgrade(args: &UpgradeArgs, folders: &Folders) -> Result<String, Ended> {
    let file = read(&args.file)?;
    let path = folders
        .profile(args.profile.as_deref())
        .ok_or_else(|| usage("no profile: add `--profile FILE`"))?;
    let profile = Profile::read(&path).map_err(usage)?;
    let desk = Desk::open(profile, Arc::new(SystemClock)).map_err(usage)?;
    match fetch(&desk, file, &args.file).await? {
        Came::Proven(proof) => Ok(in_words(&proof)),
        Came::NotYet(why) => {
            Err((Exit::Error, format!("{}: there is no proof yet: {why}", args.file.display())))
        }
    }
}

/// What came of waiting for a proof.
#[derive(Debug)]
enum Came {
    Proven(Proof),
    NotYet(String),
}

/// Waits for the proof, and writes the receipt however far it came. Nothing is written of what does not verify.
async fn fetch(desk: &Desk, file: ReceiptFile, path: &Path) -> Result<Came, Ended> {
    let kept = file.clone();
    let (file, came) = match until_interrupted(desk.receipt(file)).await {
        None => (kept, Came::NotYet("interrupted".to_owned())),
        Some(Ok(Fetched { file, proof: Some(proof), .. })) => (file, Came::Proven(proof)),
        Some(Ok(Fetched { file, proof: None, trouble })) => {
            let late =
                || "its witnesses have not cosigned it, or no checkpoint is there".to_owned();
            (file, Came::NotYet(trouble.map_or_else(late, |trouble| trouble.to_string())))
        }
        Some(Err(fault)) => {
            return Err((Exit::VerificationFailed, format!("the receipt: {fault}")));
        }
    };
    // It names the question and who answered: for the person who asked.
    files::replace(path, &file.to_bytes(), Mode::Secret)
        .map_err(|error| (Exit::Error, error.to_string()))?;
    Ok(came)
}

/// Keeps the receipt of an answer. How the run ends if that failed: a receipt that is only late is no failure.
pub(crate) async fn keep(
    desk: &Desk,
    file: ReceiptFile,
    path: &Path,
    printer: &mut Printer,
) -> Result<(), Exit> {
    match fetch(desk, file, path).await {
        Ok(Came::Proven(proof)) => {
            printer.talk(&format!(
                "-- receipt {}: entry {} of {}, {} cosignatures",
                path.display(),
                proof.position.index,
                safe(proof.position.origin.as_str()),
                proof.cosignatures
            ));
            Ok(())
        }
        Ok(Came::NotYet(why)) => {
            let path = path.display();
            printer.talk(&format!(
                "-- receipt {path}: no proof yet: {}; `mayag receipt upgrade {path}` fetches it later",
                safe(&why)
            ));
            Ok(())
        }
        Err((exit @ Exit::VerificationFailed, why)) => Err(failed(
            printer,
            exit,
            &format!(
                "verification failed: {why}; nothing of the answer is shown: keep this message and tell the auditors of the gateway's log"
            ),
        )),
        Err((exit, why)) => Err(failed(printer, exit, &format!("no receipt was written: {why}"))),
    }
}
