//! `mayag ask`: one question to many countries.

use crate::arguments::{Asking, Folders};
use crate::board::Board;
use crate::command::{failed, receipt, written};
use crate::demo::until_interrupted;
use crate::exit::Exit;
use crate::format::{self, Format, FormatError, Style};
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::Args;
use mayag_desk::ask::{AskError, Progress, Reply};
use mayag_desk::desk::{Desk, DeskError, Request};
use mayag_desk::listing;
use mayag_desk::profile::Profile;
use mayag_desk::receipt::ReceiptFile;
use mayag_desk::table::{AnswerTable, CountryReport, answered, refused_by_all};
use mayag_protocol::columns::CellStatus;
use mayag_protocol::names::{DatasetName, QuestionId};
use mayag_protocol::question::{self, Ask};
use mayag_queries::{Statement, statement};
use mayag_transport::clock::SystemClock;
use mayag_transport::files;
use std::io::{IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Ask one SQL question of many countries; every answer is verified before it is shown
#[derive(Debug, Args)]
#[command(after_help = "\
Withheld cells are shown as `:c`, cells that some countries' parts are missing from are marked `:p`, cells with noise `±`. Formats for programs have a status column beside every number instead.

Exit codes: 0 complete, 1 error or no answer, 2 usage or connection, 3 partial, 4 refused by all, 6 verification failed

Examples:
  mayag ask --purpose TREND -c 'SELECT country, drug, count(*) AS n FROM seizures GROUP BY country, drug ORDER BY n DESC'
  mayag ask --purpose INVESTIGATE --case 2026-0412 --countries kr,us -f question.sql --format csv
  mayag ask --purpose TREND --dry-run -c 'SELECT drug, count(*) FROM seizures GROUP BY drug'
  mayag ask --purpose TREND -c 'DESCRIBE seizures'
  mayag ask --purpose TREND -c \"SELECT column_name FROM information_schema.columns WHERE table_catalog = 'kr'\"
  echo 'SELECT count(*) FROM seizures' | mayag ask --purpose TREND --out answer.parquet")]
pub struct AskArgs {
    /// The SQL
    #[arg(short = 'c', value_name = "SQL", conflicts_with = "file")]
    sql: Option<String>,
    /// A file that holds the SQL; without `-c` and `-f` it is read from stdin
    #[arg(short = 'f', value_name = "FILE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    asking: Asking,
    /// The case it belongs to
    #[arg(long)]
    case: Option<String>,
    /// The legal basis
    #[arg(long, value_name = "TEXT")]
    legal_basis: Option<String>,
    /// How to write the answer [default: by the ending of FILE, else table on a terminal and csv elsewhere]
    #[arg(long, value_enum)]
    format: Option<Format>,
    /// Write the answer to FILE, as a whole or not at all
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Write the receipt to FILE: what everybody signed, and the proof that the gateway's log holds the answer
    #[arg(long, value_name = "FILE", conflicts_with = "dry_run")]
    receipt: Option<PathBuf>,
    /// Ask what each country would answer, under which grant and protections, or why not: costs no budget, reads no data
    #[arg(long)]
    dry_run: bool,
    /// The text for a value that is null in truth; withheld values are never null
    #[arg(long, default_value = "", value_name = "TEXT")]
    null: String,
}

/// A desk and what it is to be asked.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) desk: Desk,
    pub(crate) request: Request,
}

/// Why nothing was asked: what to say, and how to end.
#[derive(Debug)]
pub(crate) struct Problem {
    exit: Exit,
    what: String,
}

/// Asks, verifies, prints.
pub async fn run(args: AskArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    let format = chosen(&args, printer);
    if format.binary() && args.out.is_none() && printer.reader() == Reader::Terminal {
        return failed(printer, Exit::Usage, &FormatError::Terminal.to_string());
    }
    let wanted = sql(&args).map(|sql| Wanted::of(sql, args.dry_run));
    let prepared = wanted.and_then(|wanted| {
        prepare(&args.asking, wanted.ask(), folders).map(|asked| (wanted, asked))
    });
    let (wanted, asked) = match prepared {
        Ok(prepared) => prepared,
        Err(problem) => return problem.tell(printer),
    };
    if args.receipt.is_some() && !matches!(wanted, Wanted::Cells(_)) {
        return failed(printer, Exit::Usage, "only an answer with cells has a receipt");
    }
    let Asked { desk, mut request } = asked;
    request.case.clone_from(&args.case);
    request.legal_basis.clone_from(&args.legal_basis);
    let mut board = board(&args.asking, printer);
    if matches!(wanted, Wanted::Preview(_)) {
        board = board.of_preview();
    }
    let reply = until_interrupted(put(&desk, &request, &wanted, &mut board, printer)).await;
    board.clear(printer);
    let Some(reply) = reply else { return interrupted(printer) };
    let Answered { table, receipt } = match answer(reply, printer) {
        Ok(answered) => answered,
        Err(exit) => return exit,
    };
    let kept = match (receipt, &args.receipt) {
        (Some(file), Some(path)) => receipt::keep(&desk, file, path, printer).await,
        (Some(_) | None, _) => Ok(()),
    };
    match kept {
        // A log that says something else than the answer is a verification that failed like any other.
        Err(exit @ Exit::VerificationFailed) => exit,
        Err(exit) => print(&table, format, &args, Some(exit), printer),
        Ok(()) => print(&table, format, &args, None, printer),
    }
}

/// An answer as a table, and where there are cells, its receipt.
#[derive(Debug)]
struct Answered {
    table: AnswerTable,
    receipt: Option<ReceiptFile>,
}

impl From<AnswerTable> for Answered {
    fn from(table: AnswerTable) -> Self {
        Self { table, receipt: None }
    }
}

/// What the text asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// The columns of a dataset.
    Columns(DatasetName),
    /// Cells.
    Cells(String),
    /// SQL over the list of what is shared.
    Information(String),
    /// What would be answered.
    Preview(String),
    /// The datasets.
    Tables,
}

impl Wanted {
    #[expect(clippy::fn_params_excessive_bools, reason = "the flag as it was typed")]
    fn of(sql: String, dry_run: bool) -> Self {
        match statement(&sql) {
            Ok(Statement::Describe(name)) => Self::Columns(name),
            Ok(Statement::Explain(sql)) => Self::Preview(sql),
            Ok(Statement::Information(sql)) => Self::Information(sql),
            Ok(Statement::ShowTables) => Self::Tables,
            // What cannot be asked is refused by the gateway, which logs it.
            Ok(Statement::Select) | Err(_) if dry_run => Self::Preview(sql),
            Ok(Statement::Select) | Err(_) => Self::Cells(sql),
        }
    }

    fn ask(&self) -> Ask {
        match self {
            Self::Columns(_) | Self::Information(_) | Self::Tables => Ask::Datasets {},
            Self::Cells(sql) => Ask::Sql { sql: sql.clone() },
            Self::Preview(sql) => Ask::Preview { sql: sql.clone() },
        }
    }
}

/// Asks for what is wanted; everything comes back as a table.
async fn put(
    desk: &Desk,
    request: &Request,
    wanted: &Wanted,
    board: &mut Board,
    printer: &mut Printer,
) -> Result<Reply<Answered>, AskError> {
    let watch = &mut |progress: Progress<'_>| board.show(&progress, printer);
    Ok(match wanted {
        Wanted::Columns(name) => desk
            .datasets(request, watch)
            .await?
            .map(|shared| listing::columns(&shared, name).into()),
        Wanted::Cells(_) => desk
            .ask_for_cells(request, watch)
            .await?
            .map(|whole| Answered { table: whole.table, receipt: Some(whole.receipt) }),
        Wanted::Information(sql) => desk.information(request, sql, watch).await?.map(Into::into),
        Wanted::Preview(_) => {
            desk.preview(request, watch).await?.map(|preview| listing::preview(&preview).into())
        }
        Wanted::Tables => {
            desk.datasets(request, watch).await?.map(|shared| listing::tables(&shared).into())
        }
    })
}

/// Says that the person has given up.
pub(crate) fn interrupted(printer: &mut Printer) -> Exit {
    failed(
        printer,
        Exit::Error,
        "interrupted: nothing is shown; the question may be in the logs all the same",
    )
}

/// Reads the profile and opens the desk.
pub(crate) fn prepare(asking: &Asking, ask: Ask, folders: &Folders) -> Result<Asked, Problem> {
    let usage = |what: String| Problem { exit: Exit::Usage, what };
    let path = folders
        .profile(asking.profile.as_deref())
        .ok_or_else(|| usage("no profile: add `--profile FILE`".to_owned()))?;
    let profile = Profile::read(&path)
        .map_err(|error| usage(format!("{error}; `--profile FILE` names another profile")))?;
    let purpose = asking.purpose.or(profile.purpose).ok_or_else(|| {
        usage("state why you ask: add `--purpose`, for example `--purpose TREND`".to_owned())
    })?;
    let desk =
        Desk::open(profile, Arc::new(SystemClock)).map_err(|error| usage(error.to_string()))?;
    let request =
        Request { ask, purpose, case: None, legal_basis: None, countries: asking.countries.list() };
    Ok(Asked { desk, request })
}

/// The board for a question.
pub(crate) fn board(asking: &Asking, printer: &Printer) -> Board {
    Board::new(asking.progress, printer)
}

/// What came back, or how to end without an answer. Nothing of an answer that did not verify is shown.
pub(crate) fn answer<T>(
    reply: Result<Reply<T>, AskError>,
    printer: &mut Printer,
) -> Result<T, Exit> {
    match reply {
        Ok(Reply::Answer(answer)) => Ok(answer),
        Ok(Reply::Refused(refusal)) => {
            printer.talk(&format!(
                "refused by the gateway, nobody was asked: {}",
                safe(&refusal.to_string())
            ));
            printer.talk(&format!("    hint: {}", safe(&refusal.hint)));
            Err(Exit::RefusedByAll)
        }
        Err(error) => Err(failed(printer, exit_of_error(&error), &advice(&error))),
    }
}

pub(crate) fn exit_of_error(error: &AskError) -> Exit {
    match error {
        AskError::Desk(DeskError::Random(_))
        | AskError::NoResources
        | AskError::NoTable(_)
        | AskError::Stream(_)
        | AskError::Tail(_) => Exit::Error,
        AskError::Connection(_) | AskError::Desk(_) | AskError::TimedOut => Exit::Usage,
        AskError::Verification(_) => Exit::VerificationFailed,
    }
}

pub(crate) fn advice(error: &AskError) -> String {
    match error {
        AskError::Verification(_) => {
            format!(
                "{error}; nothing of the answer is shown: keep this message and tell the gateway's operator and the country"
            )
        }
        AskError::Connection(_) | AskError::TimedOut => {
            format!("{error}; check the gateway's address in the profile, and that it is running")
        }
        AskError::Desk(_)
        | AskError::NoResources
        | AskError::NoTable(_)
        | AskError::Stream(_)
        | AskError::Tail(_) => error.to_string(),
    }
}

/// How a run ends whose answers verified.
pub(crate) fn exit_of(outcomes: &[CountryReport]) -> Exit {
    let answered = answered(outcomes);
    if refused_by_all(outcomes) {
        Exit::RefusedByAll
    } else if answered == outcomes.len() {
        Exit::Complete
    } else if answered == 0 {
        Exit::Error
    } else {
        Exit::Partial
    }
}

/// The last lines on stderr: who answered, under which id it is logged, how the run ends.
pub(crate) fn footer(
    question: &QuestionId,
    outcomes: &[CountryReport],
    exit: Exit,
    printer: &mut Printer,
) {
    printer.talk(&format!("-- {}", format::summary(outcomes)));
    printer.talk(&format!("-- question {question} | exit {}: {}", exit.code(), exit.meaning()));
}

/// Prints the answer. `failed_before` is how the run ends if something beside the answer went wrong.
fn print(
    answer: &AnswerTable,
    format: Format,
    args: &AskArgs,
    failed_before: Option<Exit>,
    printer: &mut Printer,
) -> Exit {
    let reader = if args.out.is_some() { Reader::Program } else { printer.reader() };
    let style = Style { null: args.null.clone(), reader };
    let exit = failed_before.unwrap_or_else(|| exit_of(&answer.outcomes));
    let exit = match format.render(answer, &style) {
        Ok(bytes) => write(&bytes, args.out.as_deref(), exit, printer),
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    };
    if format == Format::Table {
        for line in legend(answer) {
            printer.talk(line);
        }
    }
    if let Some(undecided) =
        answer.table.as_ref().map(|table| table.undecided).filter(|rows| *rows > 0)
    {
        printer.talk(&format!("-- {undecided} rows are in doubt: withheld or partial cells decide whether they belong here"));
    }
    footer(&answer.question, &answer.outcomes, exit, printer);
    exit
}

fn write(bytes: &[u8], out: Option<&Path>, exit: Exit, printer: &mut Printer) -> Exit {
    let Some(path) = out else {
        let result = printer.data(bytes);
        return written(printer, result, exit);
    };
    // Answers are for the person who asked: nobody else on the machine may read the file.
    match files::replace(path, bytes, files::Mode::Secret) {
        Ok(()) => exit,
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    }
}

/// What the marks in the table mean, for those that are in it.
pub(crate) fn legend(answer: &AnswerTable) -> Vec<&'static str> {
    let Some(cells) = answer.table.as_ref().and_then(|table| crate::cells::Cells::new(table).ok())
    else {
        return Vec::new();
    };
    let has = |status| {
        let row_has = |row| {
            cells.row(row).is_ok_and(|row| row.iter().any(|cell| cell.status == Some(status)))
        };
        (0..cells.rows()).any(row_has)
    };
    let marks = [
        (
            CellStatus::Suppressed,
            "-- :c  withheld: too few units, one of them dominates, or it would reveal such a cell",
        ),
        (
            CellStatus::Partial,
            "-- :p  without the part of at least one country, which is withheld: the whole is not known",
        ),
        (
            CellStatus::Noisy,
            "-- ±   noise was added; the number behind it is its standard deviation",
        ),
    ];
    marks.into_iter().filter(|(status, _)| has(*status)).map(|(_, text)| text).collect()
}

fn chosen(args: &AskArgs, printer: &Printer) -> Format {
    let by_file = || args.out.as_deref().and_then(Format::for_file);
    args.format.or_else(by_file).unwrap_or_else(|| match printer.reader() {
        Reader::Terminal if args.out.is_none() => Format::Table,
        Reader::Terminal | Reader::Program => Format::Csv,
    })
}

fn sql(args: &AskArgs) -> Result<String, Problem> {
    let usage = |what: String| Problem { exit: Exit::Usage, what };
    let text = match (&args.sql, &args.file) {
        (Some(sql), _) => sql.clone(),
        (None, Some(path)) => {
            let bytes = files::read(path, question::LONGEST_ENVELOPE)
                .map_err(|error| usage(error.to_string()))?;
            String::from_utf8(bytes)
                .map_err(|_| usage(format!("{} is not text in UTF-8", path.display())))?
        }
        (None, None) if std::io::stdin().is_terminal() => {
            return Err(usage(
                "no question: give `-c SQL`, `-f FILE`, or send the SQL into stdin".to_owned(),
            ));
        }
        (None, None) => {
            let mut text = String::new();
            let most = u64::try_from(question::LONGEST_ENVELOPE).unwrap_or(u64::MAX);
            std::io::stdin()
                .take(most)
                .read_to_string(&mut text)
                .map_err(|error| usage(format!("reading the question from stdin: {error}")))?;
            text
        }
    };
    if text.trim().is_empty() { Err(usage("the question is empty".to_owned())) } else { Ok(text) }
}

impl Problem {
    pub(crate) fn tell(&self, printer: &mut Printer) -> Exit {
        failed(printer, self.exit, &self.what)
    }
}

#[cfg(test)]
mod tests;
