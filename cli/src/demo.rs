//! `mayag demo`: a whole federation on this machine, four questions, a lookup, their answers.
//!
//! Nodes and gateway are processes of this same binary, started as anybody would start them; the questions go through
//! the same desk and the same formats as `mayag ask`. stdout is the transcript, the same in every run; stderr says what
//! is going on and how long it takes.

mod documents;
mod expected;
mod federation;
mod folder;
mod incidents;
mod logs;
mod processes;
mod questions;
mod random;

use crate::command::{ask, failed};
use crate::exit::Exit;
use crate::format::{self, Format, FormatError, Style};
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::Args;
use expected::Difference;
use federation::{Federation, FederationError, PROFILE};
use folder::{Folder, FolderError};
use incidents::published::LineError;
use mayag_desk::ask::AskError;
use mayag_desk::desk::{Desk, DeskError, Request};
use mayag_desk::lookup::LookupError;
use mayag_desk::profile::{Profile, ProfileError};
use mayag_desk::table::{AnswerTable, CountryReport};
use mayag_protocol::question::Ask;
use mayag_protocol::timestamp::Clock as _;
use mayag_transport::clock::SystemClock;
use mayag_transport::files::FilesError;
use processes::{ProcessError, Processes};
use questions::Example;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::Instant;

/// Make a throw-away federation of five countries on this machine, ask it four questions and look three documents up
#[derive(Debug, Args)]
#[command(after_help = "\
All data is synthetic. That of the United States adds up, group by group, to published figures.

Examples:
  mayag demo
  mayag demo --keep
  mayag demo --check --dir ./federation")]
pub struct DemoArgs {
    /// Compare every answer with what is expected, and fail if anything differs
    #[arg(long)]
    check: bool,
    /// Leave the federation running afterwards, for questions of your own
    #[arg(long)]
    keep: bool,
    /// Where the federation's files go; they stay there. A temporary folder if not given
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Write the answers into this folder, to be reviewed and committed as the expected ones
    #[arg(long, hide = true, value_name = "FOLDER")]
    record: Option<PathBuf>,
}

/// Why the demonstration failed.
#[derive(Debug, thiserror::Error)]
enum DemoError {
    #[error("question `{name}`: {source}")]
    Ask { name: &'static str, source: AskError },
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// What is searched is a constant.
    #[error(transparent)]
    Document(#[from] mayag_matching::normalise::Problem),
    #[error(transparent)]
    Federation(#[from] FederationError),
    #[error(transparent)]
    Files(#[from] FilesError),
    #[error(transparent)]
    Folder(#[from] FolderError),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Io(#[from] std::io::Error),
    #[error("lookup: {0}")]
    Lookup(#[from] LookupError),
    #[error(transparent)]
    Process(#[from] ProcessError),
    #[error(transparent)]
    Profile(#[from] ProfileError),
    #[error(transparent)]
    Published(#[from] LineError),
    #[error("question `{name}`: the gateway refused it: {refusal}")]
    Refused { name: &'static str, refusal: String },
}

/// Makes the federation, asks, prints.
pub async fn run(args: DemoArgs, printer: &mut Printer) -> Exit {
    // What the work owns, processes and a temporary folder, goes with it when it is interrupted.
    let done = match until_interrupted(Box::pin(demonstrate(&args, printer))).await {
        Some(Ok(done)) => done,
        Some(Err(error)) => return failed(printer, Exit::Error, &error.to_string()),
        None => return failed(printer, Exit::Error, "interrupted"),
    };
    if args.keep {
        interruption().await;
        printer.talk(&format!("stopping; the files stay in {}", done.folder.path().display()));
    }
    done.processes.stop().await;
    match done.folder.remove() {
        Ok(()) => done.exit,
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    }
}

/// A federation that still runs, and how the demonstration ends.
struct Done {
    exit: Exit,
    // Before the folder: processes go before their files do.
    processes: Processes,
    folder: Folder,
}

/// The result of the work; nothing if somebody wants the program to end: Ctrl-C or a polite kill. Dropping the work closes
/// its connections, and whoever works for it stops.
pub(crate) async fn until_interrupted<T>(work: impl Future<Output = T>) -> Option<T> {
    tokio::select! {
        // First, so that signals are caught before the work begins: making data does not yield.
        biased;
        () = interruption() => None,
        result = work => Some(result),
    }
}

/// Waits for Ctrl-C or a polite kill.
async fn interruption() {
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => {
                signal.recv().await;
            }
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
    }
}

async fn demonstrate(args: &DemoArgs, printer: &mut Printer) -> Result<Done, DemoError> {
    let mut steps = Steps::begin();
    let mut folder = Folder::open(args.dir.as_deref())?;
    if args.keep {
        folder.stay();
    }
    let federation = Federation { folder: folder.path() };
    printer.talk(&format!(
        "A federation of five countries in {}. All data is synthetic.",
        folder.path().display()
    ));
    federation.make_certificates(SystemClock.now())?;
    steps.done("certificates, keys and roster", printer);
    let rows = federation.make_data()?;
    steps.done(&format!("data: {rows} incidents in five countries"), printer);
    federation.write_settings()?;
    federation.begin_logs()?;
    let processes = Processes::start(&federation).await?;
    steps.done("five nodes and a gateway, each a process of its own", printer);
    let differences = ask_all(args, &federation, &mut steps, printer).await?;
    let exit = verdict(args, &differences, printer)?;
    let entries = federation.verify_logs().await?;
    steps.done(&format!("twelve logs verified, {entries} entries, each cosigned"), printer);
    if args.keep {
        keep(&federation, printer)?;
    } else {
        next_steps(printer)?;
    }
    Ok(Done { exit, processes, folder })
}

async fn ask_all(
    args: &DemoArgs,
    federation: &Federation<'_>,
    steps: &mut Steps,
    printer: &mut Printer,
) -> Result<Vec<Difference>, DemoError> {
    let profile = Profile::read(&federation.folder.join(PROFILE))?;
    let desk = Desk::open(profile, Arc::new(SystemClock))?;
    let mut differences = Vec::new();
    for (i, example) in questions::ALL.iter().enumerate() {
        let answer = put(example, &desk).await?;
        let step = if i == 0 { "first answer" } else { "next answer" };
        steps.done(step, printer);
        show(i + 1, example, &answer, printer)?;
        if args.check {
            differences.extend(expected::compare(example, &answer)?);
        }
        if let Some(folder) = &args.record {
            expected::record(folder, example, &answer)?;
        }
    }
    let found = documents::search(questions::ALL.len() + 1, &desk, steps, printer).await?;
    if args.check {
        differences.extend(documents::compare(&found));
    }
    if let Some(folder) = &args.record {
        documents::record(folder, &found)?;
    }
    Ok(differences)
}

async fn put(example: &Example, desk: &Desk) -> Result<AnswerTable, DemoError> {
    let request = Request {
        ask: Ask::Sql { sql: example.sql.to_owned() },
        purpose: example.purpose,
        case: None,
        legal_basis: None,
        countries: example.asked(),
    };
    let reply = desk.ask(&request, &mut |_| {}).await;
    match reply.map_err(|source| DemoError::Ask { name: example.name, source })? {
        mayag_desk::ask::Reply::Answer(answer) => Ok(answer),
        mayag_desk::ask::Reply::Refused(refusal) => {
            Err(DemoError::Refused { name: example.name, refusal: refusal.to_string() })
        }
    }
}

fn show(
    number: usize,
    example: &Example,
    answer: &AnswerTable,
    printer: &mut Printer,
) -> Result<(), DemoError> {
    let style = Style { null: "-".to_owned(), reader: Reader::Terminal };
    printer.line(&format!("\n== {number}. {}\n", example.title))?;
    for line in example.sql.lines() {
        printer.line(&format!("    {line}"))?;
    }
    printer.line(&format!(
        "\n   purpose {}, asked of {}\n",
        example.purpose,
        example.asked_words()
    ))?;
    for report in &answer.outcomes {
        for line in outcome(report) {
            printer.line(&line)?;
        }
    }
    printer.line("")?;
    printer.data(&Format::Table.render(answer, &style)?)?;
    for line in ask::legend(answer) {
        printer.line(line)?;
    }
    if let Some(undecided) =
        answer.table.as_ref().map(|table| table.undecided).filter(|rows| *rows > 0)
    {
        printer.line(&format!("-- {undecided} rows are in doubt: withheld or partial cells decide whether they belong here"))?;
    }
    printer.line(&format!("-- {}", format::summary(&answer.outcomes)))?;
    Ok(())
}

/// What one country did; unlike on the board of `mayag ask`, without its time, so that the transcript is the same in
/// every run.
fn outcome(report: &CountryReport) -> Vec<String> {
    let country = &report.country;
    match &report.refusal {
        None => vec![format!("   {country}  {}", format::words(report.outcome))],
        Some(refusal) => vec![
            format!("   {country}  refused {}", safe(&refusal.to_string())),
            format!("       hint: {}", safe(&refusal.hint)),
        ],
    }
}

fn verdict(
    args: &DemoArgs,
    differences: &[Difference],
    printer: &mut Printer,
) -> Result<Exit, DemoError> {
    if !args.check {
        return Ok(Exit::Complete);
    }
    for difference in differences {
        printer.line(&format!("\n{difference}"))?;
    }
    if differences.is_empty() {
        printer.line("\ncheck: every answer and every outcome is the expected one")?;
        Ok(Exit::Complete)
    } else {
        printer.line(&format!(
            "\ncheck: {} answers or outcomes differ from what is expected",
            differences.len()
        ))?;
        Ok(Exit::Error)
    }
}

fn next_steps(printer: &mut Printer) -> Result<(), DemoError> {
    printer.line("\nNext: `mayag demo --keep` leaves the federation running and prints lines to copy for questions of your own.")?;
    Ok(())
}

fn keep(federation: &Federation<'_>, printer: &mut Printer) -> Result<(), DemoError> {
    let program = std::env::current_exe()?;
    let program = shell_word(&program);
    let profile = shell_word(&federation.folder.join(PROFILE));
    let shares = shell_word(&federation.folder.join("questions/shares.sql"));
    let policy = federation.folder.join("kr").join("policy.json");
    printer.line("\nThe federation is running. In another terminal, as the Korean analyst:\n")?;
    printer.line(&format!("    {program} datasets --profile {profile} --purpose TREND"))?;
    printer.line(&format!(
        "    {program} ask --profile {profile} --purpose TREND -c \"SELECT country, count(*) AS seizures FROM seizures GROUP BY country\""
    ))?;
    printer.line(&format!(
        "    {program} ask --profile {profile} --purpose INVESTIGATE --countries kr,us -f {shares}"
    ))?;
    printer.line(&format!("    {program} lookup --profile {profile} --purpose INVESTIGATE"))?;
    printer.line(&format!(
        "\nWhat Korea shows to whom is in {}; docs/policies.md says how to change it. Ctrl-C ends everything.",
        policy.display()
    ))?;
    Ok(())
}

/// A path that a shell reads as one word.
fn shell_word(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

/// Says what was done and how long it took.
struct Steps {
    start: Instant,
    last: Instant,
}

impl Steps {
    fn begin() -> Self {
        let now = Instant::now();
        Self { start: now, last: now }
    }

    fn done(&mut self, what: &str, printer: &mut Printer) {
        let now = Instant::now();
        let (step, whole) = (now.duration_since(self.last), now.duration_since(self.start));
        printer.talk(&format!(
            "{:>6.2} s  {what} ({:.2} s)",
            whole.as_secs_f64(),
            step.as_secs_f64()
        ));
        self.last = now;
    }
}

#[cfg(test)]
mod tests {
    use super::shell_word;
    use std::path::Path;

    #[test]
    fn paths_stay_one_word_in_a_shell() {
        assert_eq!(shell_word(Path::new("/tmp/a-b_c.1")), "/tmp/a-b_c.1");
        assert_eq!(shell_word(Path::new("/tmp/my files/it's")), "'/tmp/my files/it'\\''s'");
    }
}
