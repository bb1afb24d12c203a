//! `mayag audit export`: entries, for other programs, or as evidence that verifies by itself.

mod bundle;
mod cover;
mod parquet;

use super::logs::{Ended, LogsArgs, end, entries};
use super::verify::Job;
use crate::command::written;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, ValueEnum};
use mayag_audit::export::{cef, jsonl};
use mayag_audit::records::Located;
use mayag_audit::search::{Asked, Filter};
use mayag_audit::story::Story;
use mayag_protocol::timestamp::Timestamp;
use std::io;
use std::path::PathBuf;

/// So many bytes are written at once.
const CHUNK: usize = 64 * 1024;

/// Write entries for other programs, or a folder of evidence that verifies by itself
#[derive(Debug, Args)]
#[command(after_help = "\
Every log is verified before its first entry is written, and again while it is written. All entries are written, or those of
one question, or of a time.

  jsonl    log, index, the bytes of the entry in base64, their leaf hash, and the entry as JSON, one a line
  parquet  the same as columns; `leaf` is the bytes, so that hashes can be computed again
  cef      for alarm systems, one a line; names no person, no case and no question
  bundle   a new folder: a cover page, the entries, a proof for each of them (C2SP `tlog-proof`), the whole logs, the keys,
           and SHA256SUMS; it verifies with `mayag audit verify --list FOLDER/verify.txt` and with programs of others

Ends with 0 if everything was written, with 6 if a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit export --list ./federation/verify.txt --format jsonl > entries.jsonl
  mayag audit export --list verify.txt --format parquet --from 2026-11-01T00:00:00Z > november.parquet
  mayag audit export ./kr/state/query-log/2026/published --keys kr.keys --quorum 3 --format cef
  mayag audit export --list verify.txt --format bundle --question 0f1e2d3c4b5a69788796a5b4c3d2e1f0 --out ./evidence")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// For which programs
    #[arg(long, value_enum, default_value_t = To::Jsonl)]
    format: To,
    /// Only entries about this question, by its id or digest
    #[arg(long)]
    question: Option<Asked>,
    /// Only entries from this instant on
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Only entries before this instant
    #[arg(long, value_name = "TIME")]
    to: Option<Timestamp>,
    /// The folder of a bundle, which must not be there yet
    #[arg(long, value_name = "FOLDER", required_if_eq("format", "bundle"))]
    out: Option<PathBuf>,
    /// A receipt to put into a bundle, as `mayag ask --receipt` wrote it; may be repeated
    #[arg(long, value_name = "FILE", requires = "out")]
    receipt: Vec<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// A folder of evidence.
    Bundle,
    /// Common Event Format, version 0.
    Cef,
    /// One JSON object a line.
    Jsonl,
    /// Apache Parquet.
    Parquet,
}

/// Which entries are wanted.
struct Chosen {
    story: Option<Story>,
    time: Filter,
}

impl Chosen {
    fn of(args: &ExportArgs) -> Self {
        let time = Filter { from: args.from, to: args.to, ..Filter::default() };
        Self { story: args.question.clone().map(Story::of), time }
    }

    fn wants(&self, located: &Located<'_>) -> bool {
        let about = self.story.as_ref().is_none_or(|story| story.is_about(&located.entry));
        about && self.time.fits(located.log, &located.entry)
    }
}

pub(super) fn run(args: &ExportArgs, printer: &mut Printer) -> Exit {
    let done = export(args, printer);
    end(printer, done)
}

fn export(args: &ExportArgs, printer: &mut Printer) -> Result<Exit, Ended> {
    let jobs = args.logs.read("export")?;
    let mut chosen = Chosen::of(args);
    for job in &jobs {
        entries(job, &mut |located| {
            if let Some(story) = &mut chosen.story {
                story.learn(&located.entry);
            }
        })?;
    }
    let result = match (args.format, &args.out) {
        (To::Bundle, Some(folder)) => return bundle::write(args, &jobs, &chosen, folder, printer),
        (To::Bundle, None) => return Err((Exit::Usage, "a bundle needs `--out`".to_owned())),
        (To::Parquet, _) => parquet::write(&jobs, &chosen, printer)?,
        (To::Cef, _) => all_lines(&jobs, &chosen, printer, &|located| Ok(cef(located)))?,
        (To::Jsonl, _) => all_lines(&jobs, &chosen, printer, &json_line)?,
    };
    Ok(written(printer, result, Exit::Complete))
}

fn json_line(located: &Located<'_>) -> io::Result<String> {
    jsonl(located).ok_or_else(|| io::Error::other("an entry cannot be written"))
}

fn all_lines(
    jobs: &[Job],
    chosen: &Chosen,
    printer: &mut Printer,
    line: &dyn Fn(&Located<'_>) -> io::Result<String>,
) -> Result<io::Result<()>, Ended> {
    let mut out = Out { printer, text: String::new(), result: Ok(()) };
    for job in jobs {
        entries(job, &mut |located| {
            if chosen.wants(&located) {
                out.line(line(&located));
            }
        })?;
    }
    out.flush();
    Ok(out.result)
}

/// Lines on their way out. The first error stays.
struct Out<'a> {
    printer: &'a mut Printer,
    text: String,
    result: io::Result<()>,
}

impl Out<'_> {
    fn line(&mut self, line: io::Result<String>) {
        match line {
            Ok(line) => {
                self.text.push_str(&line);
                self.text.push('\n');
            }
            Err(error) => self.result = Err(error),
        }
        if CHUNK <= self.text.len() {
            self.flush();
        }
    }

    fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.printer.data(self.text.as_bytes());
        }
        self.text.clear();
    }
}
