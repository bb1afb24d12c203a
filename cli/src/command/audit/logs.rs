//! The logs that a command reads: every one is verified while it is read, and nothing is said before it did.

use super::verify::{Job, believed, listed};
use crate::command::{failed, written};
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use clap::{Args, ValueEnum};
use mayag_audit::entry::ReadFor;
use mayag_audit::records::{Located, Place, read};
use mayag_audit::search::Found;
use mayag_audit::story::sentence;
use mayag_audit::verify::Against;
use mayag_protocol::timestamp::{Clock as _, Timestamp};
use mayag_transport::clock::SystemClock;
use mayag_transport::log_files::PublishedFiles;
use mayag_transport::requests::{self, Request};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Why a command ends early, and how.
pub(super) type Ended = (Exit, String);

/// Who reads the logs, and what for: it becomes an entry where they are read in a party's own folder.
#[derive(Debug, Args)]
pub(super) struct ReaderArgs {
    /// What the logs are read for (EU 2016/680 Art. 25(2)): `lawfulness`, `self_monitoring`, `integrity_and_security` or
    /// `criminal_proceedings`
    #[arg(long, value_name = "WHY", default_value_t = ReadFor::SelfMonitoring)]
    read_for: ReadFor,
    /// Who reads
    #[arg(long, value_name = "NAME", default_value = "not named")]
    reader: String,
}

/// The list of logs.
#[derive(Debug, Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    reader: ReaderArgs,
    /// A file of lines `LOG KEYS QUORUM`, paths relative to it
    #[arg(long, value_name = "FILE")]
    list: PathBuf,
}

/// One log, or the list of several.
#[derive(Debug, Args)]
pub(super) struct LogsArgs {
    #[command(flatten)]
    reader: ReaderArgs,
    /// The log's folder: `checkpoint` and `tile/`
    #[arg(required_unless_present = "list", requires = "keys")]
    log: Option<PathBuf>,
    /// The keys, the log's first
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// How many witnesses must have cosigned
    #[arg(long, default_value_t = 0)]
    quorum: usize,
    /// A file of lines `LOG KEYS QUORUM`, paths relative to it
    #[arg(long, value_name = "FILE", conflicts_with_all = ["log", "keys"])]
    list: Option<PathBuf>,
}

impl LogsArgs {
    pub(super) fn jobs(&self) -> Result<Vec<Job>, Ended> {
        match (&self.list, &self.log, &self.keys) {
            (Some(list), _, _) => listed(list).map_err(|why| (Exit::Usage, why)),
            (None, Some(log), Some(keys)) => {
                Ok(vec![Job { log: log.clone(), keys: keys.clone(), quorum: self.quorum }])
            }
            (None, _, _) => Err((Exit::Usage, "name a log and its keys".to_owned())),
        }
    }

    /// The logs, once every party in whose own folder they are has an entry that they are read.
    pub(super) fn read(&self, what: &str) -> Result<Vec<Job>, Ended> {
        let jobs = self.jobs()?;
        self.reader.announce(&jobs, what)?;
        Ok(jobs)
    }
}

/// For whom the output is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Form {
    /// Sentences.
    Human,
    /// JSON.
    Json,
}

impl ListArgs {
    /// The logs, once every party in whose own folder they are has an entry that they are read.
    pub(super) fn read(&self, what: &str) -> Result<Vec<Job>, Ended> {
        let jobs = listed(&self.list).map_err(|why| (Exit::Usage, why))?;
        self.reader.announce(&jobs, what)?;
        Ok(jobs)
    }
}

impl ReaderArgs {
    fn announce(&self, jobs: &[Job], what: &str) -> Result<(), Ended> {
        let request = Request::Read {
            person: self.reader.clone(),
            read_for: self.read_for,
            what: what.to_owned(),
            question: None,
        };
        announce(jobs, &request)
    }
}

/// Leaves a request to every party in whose own folder the logs are, and waits for those that run.
pub(super) fn announce(jobs: &[Job], request: &Request) -> Result<(), Ended> {
    let states: BTreeSet<PathBuf> = jobs.iter().map(state_of).collect();
    for state in states.iter().filter(|state| requests::is_kept(state)) {
        requests::leave(state, request).map_err(|error| (Exit::Error, error.to_string()))?;
    }
    Ok(())
}

/// The state folder that a log is in, or the like of it in a copy: `STATE/query-log/2026/published` is the log.
pub(super) fn state_of(job: &Job) -> PathBuf {
    // A link to a party's own log is that log.
    let log = std::fs::canonicalize(&job.log).or_else(|_| std::path::absolute(&job.log));
    let log = log.unwrap_or_else(|_| job.log.clone());
    log.ancestors().nth(3).unwrap_or(&log).to_owned()
}

/// Verifies one log and shows its entries.
pub(super) fn entries(job: &Job, each: &mut dyn FnMut(Located<'_>)) -> Result<(), Ended> {
    let policy = believed(job)?;
    let against = Against { policy: &policy, now: SystemClock.now(), older: None };
    read(&PublishedFiles(job.log.clone()), &against, each)
        .map(drop)
        .map_err(|fault| (Exit::VerificationFailed, said(job, &fault.to_string())))
}

/// What is wrong with a log.
pub(super) fn said(job: &Job, why: &str) -> String {
    format!("{}: {why}", job.log.display())
}

/// The end of a command: what it found, or why it found nothing.
pub(super) fn end(printer: &mut Printer, done: Result<Exit, Ended>) -> Exit {
    done.unwrap_or_else(|(exit, why)| failed(printer, exit, &why))
}

/// Writes lines, each one line whatever the logs say.
pub(super) fn lines(printer: &mut Printer, lines: &[String], exit: Exit) -> Exit {
    let mut text = String::new();
    for line in lines {
        text.push_str(&safe(line));
        text.push('\n');
    }
    let result = printer.data(text.as_bytes());
    written(printer, result, exit)
}

/// An entry in a line: when, where, what.
pub(super) fn human(found: &Found) -> String {
    format!("{}  {}", stamp(found.entry.at, &found.place), sentence(&found.entry))
}

/// When and where.
pub(super) fn stamp(at: Timestamp, place: &Place) -> String {
    format!("{at}  {}  {}", place.log, place.index)
}

/// Entries in this form, one a line.
pub(super) fn found(form: Form, found: &[Found]) -> Result<Vec<String>, Ended> {
    let line = |found: &Found| match form {
        Form::Human => Ok(human(found)),
        Form::Json => json(found),
    };
    found.iter().map(line).collect()
}

/// One line of JSON.
pub(super) fn json(value: &impl serde::Serialize) -> Result<String, Ended> {
    serde_json::to_string(value).map_err(|error| (Exit::Error, error.to_string()))
}
