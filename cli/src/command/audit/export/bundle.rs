//! A folder of evidence: whole logs, the entries that matter with a proof each, and a page that says what it is.
//!
//! Logs are copied as they are, under the checkpoint that was verified; a log that grows meanwhile does not matter. What was
//! written is read back: every file has the bytes that it should have, and every copy verifies by itself.

use super::super::logs::{Ended, entries, human, said};
use super::super::verify::{Job, believed};
use super::cover::{Cover, CoverEntry, CoverLog};
use super::{Chosen, ExportArgs, json_line};
use crate::command::written;
use crate::exit::Exit;
use crate::printer::Printer;
use crate::safe::safe;
use mayag_audit::keys::sha256;
use mayag_audit::quorum::Accepted;
use mayag_audit::receipt::Receipt;
use mayag_audit::records::{Located, read};
use mayag_audit::search::Found;
use mayag_audit::tile::{TileHashes, Tiles as _, paths};
use mayag_audit::tree::prove_inclusion;
use mayag_audit::verify::{Against, CHECKPOINT};
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::files::{self, FilesError, Mode};
use mayag_transport::log_files::PublishedFiles;
use std::collections::BTreeMap;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};

/// The longest key file or receipt that is put into a bundle.
const LONGEST: usize = 64 * 1024 * 1024;

/// Writes the bundle.
pub(super) fn write(
    args: &ExportArgs,
    jobs: &[Job],
    chosen: &Chosen,
    folder: &Path,
    printer: &mut Printer,
) -> Result<Exit, Ended> {
    if folder.exists() {
        let why = format!("{}: a bundle is a new folder, and this one is there", folder.display());
        return Err((Exit::Usage, why));
    }
    let mut bundle = Bundle { folder: folder.to_owned(), sums: BTreeMap::new() };
    let (mut list, mut lines, mut cover) = (String::new(), String::new(), Cover::new(args));
    let mut copied = Vec::new();
    for job in jobs {
        let log = bundle.log(job)?;
        copied.push((job, log.name.clone()));
        let mut failed = None;
        entries(job, &mut |located| {
            // A log that has grown meanwhile has entries that are not under the checkpoint of the copy.
            if log.size <= located.index || !chosen.wants(&located) {
                return;
            }
            match bundle.entry(job, &log, &located) {
                Ok((line, entry)) => {
                    lines.extend([line.as_str(), "\n"]);
                    cover.entries.push(entry);
                }
                Err(error) => failed = Some(error),
            }
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        // Writing into a string does not fail.
        let _written = writeln!(list, "{0}/log {0}/keys {1}", log.name, job.quorum);
        cover.logs.push(CoverLog::of(&log.name, job.quorum, &log.accepted));
    }
    bundle.file("verify.txt", list.as_bytes())?;
    bundle.file("entries.jsonl", lines.as_bytes())?;
    for (number, path) in (1..).zip(&args.receipt) {
        let bytes = files::read(path, LONGEST).map_err(|error| usage(&error))?;
        let name = format!("receipts/{number}.receipt");
        bundle.file(&name, &bytes)?;
        cover.receipts.push(name);
    }
    bundle.file("COVER.txt", safe_lines(&cover.to_string()).as_bytes())?;
    let sums = bundle.sums.iter().map(|(name, sum)| format!("{sum}  {name}\n"));
    let sums = sums.collect::<Vec<_>>().concat();
    bundle.file("SHA256SUMS", sums.as_bytes())?;
    bundle.reads_back()?;
    for (job, name) in copied {
        bundle.verifies(job, &name)?;
    }
    let told =
        format!("{}  {} entries of {} logs", folder.display(), cover.entries.len(), jobs.len());
    let result = printer.line(&safe(&told));
    Ok(written(printer, result, Exit::Complete))
}

/// Words of other parties are on the page: no line of it does anything to a terminal.
fn safe_lines(text: &str) -> String {
    text.lines().map(|line| format!("{}\n", safe(line))).collect::<Vec<_>>().concat()
}

fn usage(error: &impl fmt::Display) -> Ended {
    (Exit::Usage, error.to_string())
}

/// A log that was copied.
struct Copied {
    /// Its folder in the bundle.
    name: String,
    size: u64,
    accepted: Accepted,
}

/// The folder that is being written.
struct Bundle {
    folder: PathBuf,
    /// The SHA-256 of every file.
    sums: BTreeMap<String, String>,
}

impl Bundle {
    fn file(&mut self, name: &str, bytes: &[u8]) -> Result<(), Ended> {
        let failed = |error: FilesError| (Exit::Error, error.to_string());
        let path = self.folder.join(name);
        files::create_folder(path.parent().unwrap_or(&self.folder)).map_err(failed)?;
        files::replace(&path, bytes, Mode::Public).map_err(failed)?;
        self.sums.insert(name.to_owned(), sha256(bytes).to_string());
        Ok(())
    }

    /// Every file holds what was written.
    fn reads_back(&self) -> Result<(), Ended> {
        for (name, sum) in &self.sums {
            let bytes =
                files::read(&self.folder.join(name), usize::MAX).map_err(|error| usage(&error))?;
            if sha256(&bytes).as_str() != sum {
                let why =
                    format!("`{name}` does not read back as it was written: look at the disk");
                return Err((Exit::Error, why));
            }
        }
        Ok(())
    }

    /// The copy of a log verifies as the log did.
    fn verifies(&self, job: &Job, name: &str) -> Result<(), Ended> {
        let policy = believed(job)?;
        let tiles = PublishedFiles(self.folder.join(name).join("log"));
        let against = Against { policy: &policy, now: SystemClock.now(), older: None };
        let wrong = |fault: Box<dyn fmt::Display>| {
            (Exit::VerificationFailed, format!("the copy in `{name}`: {fault}"))
        };
        read(&tiles, &against, &mut |_| ()).map(|_| ()).map_err(|fault| wrong(Box::new(fault)))
    }

    /// Copies a log and its keys.
    fn log(&mut self, job: &Job) -> Result<Copied, Ended> {
        let policy = believed(job)?;
        let tiles = PublishedFiles(job.log.clone());
        let wrong =
            |why: &dyn fmt::Display| (Exit::VerificationFailed, said(job, &why.to_string()));
        let against = Against { policy: &policy, now: SystemClock.now(), older: None };
        let verified = read(&tiles, &against, &mut |_| ()).map_err(|fault| wrong(&fault))?;
        let accepted = verified.checkpoint().clone();
        let checkpoint = accepted.note().checkpoint();
        let name = format!("logs/{}", checkpoint.origin.as_str().replace('/', "_"));
        let size = checkpoint.head.size;
        self.file(&format!("{name}/log/{CHECKPOINT}"), &accepted.note().to_bytes())?;
        for path in paths(size) {
            let mut found = None;
            for path in [path, path.full()] {
                let bytes = tiles.read(&path.to_string()).map_err(|error| wrong(&error))?;
                if let Some(bytes) = bytes.filter(|_| found.is_none()) {
                    found = Some((path, bytes));
                }
            }
            let missing = || wrong(&format!("`{path}` is missing"));
            let (path, bytes) = found.ok_or_else(missing)?;
            self.file(&format!("{name}/log/{path}"), &bytes)?;
        }
        let keys = files::read(&job.keys, LONGEST).map_err(|error| usage(&error))?;
        self.file(&format!("{name}/keys"), &keys)?;
        Ok(Copied { name, size, accepted })
    }

    /// Writes the bytes and the proof of an entry; its line, and what the cover says of it.
    fn entry(
        &mut self,
        job: &Job,
        log: &Copied,
        located: &Located<'_>,
    ) -> Result<(String, CoverEntry), Ended> {
        let tiles = PublishedFiles(job.log.clone());
        let mut hashes = TileHashes::new(&tiles, log.size);
        let proof = prove_inclusion(&mut hashes, located.index, log.size)
            .map_err(|error| (Exit::VerificationFailed, said(job, &error.to_string())))?;
        let receipt = Receipt::new(located.index, proof, log.accepted.note().clone());
        let stem = format!("{}/entries/{}", log.name, located.index);
        self.file(&format!("{stem}.tlog-proof"), &receipt.to_bytes())?;
        self.file(&format!("{stem}.entry"), located.bytes)?;
        let line = json_line(located).map_err(|error| (Exit::Error, error.to_string()))?;
        let found = Found {
            place: located.place(),
            leaf_hash: located.hash.into(),
            entry: located.entry.clone(),
        };
        let entry = CoverEntry {
            at: found.entry.at,
            line: human(&found),
            leaf_hash: found.leaf_hash.to_string(),
            proof: format!("{stem}.tlog-proof"),
        };
        Ok((line, entry))
    }
}

#[cfg(test)]
mod tests {
    use super::{Bundle, Exit};
    use mayag_transport::files::{self, Mode};
    use std::collections::BTreeMap;

    #[test]
    fn a_file_that_does_not_read_back_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let mut bundle = Bundle { folder: folder.path().join("evidence"), sums: BTreeMap::new() };
        bundle.file("COVER.txt", b"cover").unwrap();
        bundle.file("logs/x/log/checkpoint", b"checkpoint").unwrap();
        bundle.reads_back().unwrap();
        let path = bundle.folder.join("logs/x/log/checkpoint");
        files::replace(&path, b"checkpoinT", Mode::Public).unwrap();
        let (exit, why) = bundle.reads_back().unwrap_err();
        assert!(exit == Exit::Error && why.contains("`logs/x/log/checkpoint`"), "{why}");
        std::fs::remove_file(&path).unwrap();
        bundle.reads_back().unwrap_err();
    }
}
