//! `mayag audit verify`: everything recomputed from the bytes of the entries, with public keys only.

use super::logs::LogsArgs;
use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use clap::Args;
use mayag_audit::entry::Entry;
use mayag_audit::quorum::Policy;
use mayag_audit::tree::Hash;
use mayag_audit::verify::{Against, Verified, Watch, verify};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::files;
use mayag_transport::log_files::PublishedFiles;
use std::path::{Path, PathBuf};

/// The longest file of keys, and of a checkpoint, that is read.
const LONGEST: usize = 1024 * 1024;

/// Progress is told after so many entries.
const TOLD: u64 = 100_000;

/// Verify whole logs offline: every entry, every hash, the signature, and the witnesses
#[derive(Debug, Args)]
#[command(after_help = "\
Nothing is believed: all hashes are computed from the entries. The first entry or file that does not fit is named, with
what is wrong. KEYS has one verifier key a line, the log's first, then those of its witnesses.

Examples:
  mayag audit verify ./kr/state/query-log/2026/published --keys kr.keys --quorum 3
  mayag audit verify --list ./federation/verify.txt
  mayag audit verify LOG --keys KEYS --quorum 3 --older last-months-checkpoint")]
pub(super) struct VerifyArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// A checkpoint that was kept: the log must continue it
    #[arg(long, value_name = "FILE", conflicts_with = "list")]
    older: Option<PathBuf>,
}

/// One log to verify.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) log: PathBuf,
    pub(super) keys: PathBuf,
    pub(super) quorum: usize,
}

pub(super) fn run(args: &VerifyArgs, printer: &mut Printer) -> Exit {
    let jobs = match args.logs.jobs() {
        Ok(jobs) => jobs,
        Err((exit, why)) => return failed(printer, exit, &why),
    };
    let older = match args.older.as_ref().map(|path| files::read(path, LONGEST)).transpose() {
        Ok(older) => older,
        Err(error) => return failed(printer, Exit::Usage, &error.to_string()),
    };
    let mut exit = Exit::Complete;
    for job in &jobs {
        match one(job, older.as_deref(), printer) {
            Ok(line) => {
                let result = printer.line(&line);
                if written(printer, result, Exit::Complete) != Exit::Complete {
                    return Exit::Error;
                }
            }
            Err((how, why)) => {
                exit = failed(printer, how, &format!("{}: {why}", job.log.display()));
            }
        }
    }
    exit
}

/// Verifies all logs of a list; how many entries they have together.
pub(crate) fn all(list: &Path) -> Result<u64, String> {
    let mut entries = 0;
    for job in listed(list)? {
        let verified = check(&job, None, &mut Reading { printer: None, next: u64::MAX })
            .map_err(|(_, why)| format!("{}: {why}", job.log.display()))?;
        entries += verified.checkpoint().note().checkpoint().head.size;
    }
    Ok(entries)
}

/// Verifies one log; what it says for people.
fn one(job: &Job, older: Option<&[u8]>, printer: &mut Printer) -> Result<String, (Exit, String)> {
    let verified = check(job, older, &mut Reading { printer: Some(printer), next: TOLD })?;
    let accepted = verified.checkpoint();
    let checkpoint = accepted.note().checkpoint();
    Ok(format!(
        "{}  {} entries  {} cosignatures  verified",
        checkpoint.origin,
        checkpoint.head.size,
        accepted.cosigned().len()
    ))
}

fn check(
    job: &Job,
    older: Option<&[u8]>,
    reading: &mut Reading<'_>,
) -> Result<Verified, (Exit, String)> {
    let policy = believed(job)?;
    let against = Against { policy: &policy, now: SystemClock.now(), older };
    verify(&PublishedFiles(job.log.clone()), &against, reading)
        .map_err(|fault| (Exit::VerificationFailed, fault.to_string()))
}

/// Whose signatures are believed, and how many witnesses are needed.
pub(super) fn believed(job: &Job) -> Result<Policy, (Exit, String)> {
    let usage = |why: String| (Exit::Usage, why);
    let keys = files::read(&job.keys, LONGEST).map_err(|error| usage(error.to_string()))?;
    let keys = String::from_utf8(keys).map_err(|_| usage("the keys are not text".to_owned()))?;
    Policy::of_keys(&keys, job.quorum).map_err(|error| usage(error.to_string()))
}

/// Reads every entry, because a log of what is no entry proves nothing.
struct Reading<'a> {
    printer: Option<&'a mut Printer>,
    next: u64,
}

impl Watch for Reading<'_> {
    fn entry(&mut self, _: u64, bytes: &[u8], _: &Hash) -> Result<(), String> {
        Entry::parse(bytes).map(drop).map_err(|error| error.to_string())
    }

    fn progress(&mut self, done: u64, of: u64) {
        if self.next <= done {
            self.next = done + TOLD;
            if let Some(printer) = &mut self.printer {
                printer.talk(&format!("{done} of {of} entries"));
            }
        }
    }
}

/// The logs of a list.
pub(super) fn listed(list: &Path) -> Result<Vec<Job>, String> {
    let text = files::read(list, LONGEST).map_err(|error| error.to_string())?;
    let text = String::from_utf8(text).map_err(|_| format!("{}: not text", list.display()))?;
    let folder = list.parent().unwrap_or_else(|| Path::new("."));
    let job = |(i, line): (usize, &str)| {
        let wrong = || format!("{}, line {}: not `LOG KEYS QUORUM`", list.display(), i + 1);
        let mut words = line.split_whitespace();
        let (Some(log), Some(keys), Some(quorum), None) =
            (words.next(), words.next(), words.next(), words.next())
        else {
            return Err(wrong());
        };
        let quorum = quorum.parse().map_err(|_| wrong())?;
        Ok(Job { log: folder.join(log), keys: folder.join(keys), quorum })
    };
    text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()).map(job).collect()
}
