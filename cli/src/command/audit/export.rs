//! `mayag audit export`: every entry, for other programs.

use super::logs::{Ended, LogsArgs, end, entries};
use crate::command::written;
use crate::exit::Exit;
use crate::printer::Printer;
use clap::{Args, ValueEnum};
use mayag_audit::export::{cef, jsonl};
use mayag_audit::records::Located;
use std::io;

/// So many bytes are written at once.
const CHUNK: usize = 64 * 1024;

/// Write every entry for other programs, one a line
#[derive(Debug, Args)]
#[command(after_help = "\
Every log is verified before its first entry is written, and again while it is written. `jsonl` has log, index, the bytes
of the entry in base64, their leaf hash, and the entry as JSON, so that hashes can be computed again. `cef` is for alarm
systems and names no person, no case and no question.

Ends with 0 if everything was written, with 6 if a log does not verify, with 2 if a file cannot be read.

Examples:
  mayag audit export --list ./federation/verify.txt --format jsonl > entries.jsonl
  mayag audit export ./kr/state/query-log/2026/published --keys kr.keys --quorum 3 --format cef")]
pub(super) struct ExportArgs {
    #[command(flatten)]
    logs: LogsArgs,
    /// For which programs
    #[arg(long, value_enum, default_value_t = To::Jsonl)]
    format: To,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum To {
    /// Common Event Format, version 0.
    Cef,
    /// One JSON object a line.
    Jsonl,
}

pub(super) fn run(args: &ExportArgs, printer: &mut Printer) -> Exit {
    let done = export(args, printer);
    end(printer, done)
}

fn export(args: &ExportArgs, printer: &mut Printer) -> Result<Exit, Ended> {
    let jobs = args.logs.jobs()?;
    for job in &jobs {
        entries(job, &mut |_| ())?;
    }
    let mut out = Out { printer, text: String::new(), result: Ok(()) };
    for job in &jobs {
        entries(job, &mut |located| out.line(line(args.format, &located)))?;
    }
    out.flush();
    let Out { printer, result, .. } = out;
    Ok(written(printer, result, Exit::Complete))
}

fn line(format: To, located: &Located<'_>) -> io::Result<String> {
    match format {
        To::Cef => Ok(cef(located)),
        To::Jsonl => jsonl(located).ok_or_else(|| io::Error::other("an entry cannot be written")),
    }
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
