//! `mayag lookup IDENTIFIER..`: one question for the tables, then one for each kind.

use super::list::{self, Bad, Entry};
use super::show::{self, Batch, Layout, Named, Shown};
use super::{exit_of_error, no_answer};
use crate::arguments::{Asking, Folders};
use crate::board::{Board, ProgressMode};
use crate::command::ask::{self, Asked, interrupted};
use crate::command::{failed, receipt, written};
use crate::demo::until_interrupted;
use crate::exit::Exit;
use crate::printer::{Printer, Reader};
use crate::safe::safe;
use clap::Args;
use mayag_desk::ask::Reply;
use mayag_desk::desk::{Desk, Request};
use mayag_desk::lookup::{
    Declaring, Identifiers, LookupAnswer, LookupError, Lookups, Progress, Reason, Tables,
};
use mayag_desk::receipt::ReceiptFile;
use mayag_matching::normalise::Kind;
use mayag_protocol::names::Country;
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is searched, why, and how it is shown.
#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "the flags as they were typed")]
pub(super) struct SearchArgs {
    /// Identifiers, `@FILE`, or `-` for standard input; without any they are asked for
    #[arg(value_name = "IDENTIFIER|@FILE|-")]
    identifiers: Vec<list::Typed>,
    #[command(flatten)]
    asking: Asking,
    /// The case it belongs to
    #[arg(long)]
    case: Option<String>,
    /// The legal basis
    #[arg(long, value_name = "TEXT")]
    legal_basis: Option<String>,
    /// How to write the answer [default: table on a terminal and csv elsewhere]
    #[arg(long, value_enum)]
    format: Option<Layout>,
    /// Show identifiers whole, as they were typed, and not by their last three characters
    #[arg(long)]
    show_identifiers: bool,
    /// Ask tables as well whose country is told what you search and who you are; it may be allowed to keep a hit to itself
    #[arg(long)]
    declared: bool,
    /// Search what can be searched, and leave out lines that are no identifiers
    #[arg(long)]
    skip_bad: bool,
    /// Write the receipt to FILE: what everybody signed, and the proof that the gateway's log holds the answer; of several
    /// questions, one file each: FILE, FILE with `.2` before its ending, and so on
    #[arg(long, value_name = "FILE")]
    receipt: Option<PathBuf>,
    /// Where to keep what is sealed for auditors, instead of in the profile's state folder
    #[arg(long, value_name = "FOLDER")]
    sealed: Option<PathBuf>,
}

/// One question to be asked: its identifiers, and what they are called.
#[derive(Debug)]
struct Pending {
    identifiers: Arc<Identifiers>,
    named: Vec<Named>,
}

/// Asks, verifies, prints.
pub(super) async fn run(args: SearchArgs, folders: &Folders, printer: &mut Printer) -> Exit {
    let given = match list::read(&args.identifiers, printer) {
        Ok(given) => given,
        Err(why) => return failed(printer, Exit::Usage, &why),
    };
    if let Err(exit) = tell_bad(&given.bad, given.entries.len(), args.skip_bad, printer) {
        return exit;
    }
    let pending = match pending(given.entries) {
        Ok(pending) => pending,
        Err(error) => return no_answer(&error, printer),
    };
    let asked = match ask::prepare(&args.asking, Ask::Tables {}, folders) {
        Ok(asked) => asked,
        Err(problem) => return problem.tell(printer),
    };
    let Asked { desk, mut request } = asked;
    request.case.clone_from(&args.case);
    request.legal_basis.clone_from(&args.legal_basis);
    let mut run = match Run::begin(&desk, &request, &args) {
        Ok(run) => run,
        Err(error) => return no_answer(&error, printer),
    };
    let tables = match run.tables(printer).await {
        Ok(tables) => tables,
        Err(exit) => return exit,
    };
    let mut batches = Vec::new();
    let all = pending.len();
    for (number, Pending { identifiers, named }) in (1..).zip(pending) {
        if all > 1 && !run.stopped {
            let (count, kind) = (identifiers.len(), identifiers.kind());
            printer.talk(&format!("-- question {number} of {all}: {count} of kind {kind}"));
        }
        let alone = all == 1 || (number == 1 && batches.is_empty());
        match run.search(&tables, &identifiers, alone, printer).await {
            Ok(answer) => batches.push(Batch { kind: identifiers.kind(), named, answer }),
            Err(exit) => return exit,
        }
    }
    let shown = Shown::new(batches);
    print(&shown, &args, run.troubled, printer)
}

/// Names every line that is no identifier.
#[expect(clippy::fn_params_excessive_bools, reason = "the flag as it was typed")]
fn tell_bad(bad: &[Bad], good: usize, skip: bool, printer: &mut Printer) -> Result<(), Exit> {
    for Bad { place, problem } in bad {
        printer.talk(&format!("{}: {}", safe(place), safe(problem)));
    }
    if bad.is_empty() {
        return Ok(());
    }
    let count = format!("{} of {} are no identifiers", bad.len(), bad.len() + good);
    if !skip {
        let why = format!("{count}, nothing was sent: correct them, or add `--skip-bad`");
        return Err(failed(printer, Exit::Usage, &why));
    }
    if good == 0 {
        return Err(failed(printer, Exit::Usage, &format!("{count}: nothing is left to search")));
    }
    printer.talk(&format!("-- {count} and are left out"));
    Ok(())
}

/// The questions to be asked: for each kind as many as its identifiers need.
fn pending(entries: Vec<Entry>) -> Result<Vec<Pending>, LookupError> {
    let mut kinds: BTreeMap<Kind, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        kinds.entry(entry.identifier.kind()).or_default().push(entry);
    }
    let mut all = Vec::new();
    for entries in kinds.into_values() {
        let mut named: Vec<Named> = Vec::with_capacity(entries.len());
        let mut given = Vec::with_capacity(entries.len());
        for Entry { row, typed, identifier } in entries {
            let masked = show::masked(identifier.value());
            named.push(Named { row, masked, typed });
            given.push(identifier);
        }
        let mut named = named.into_iter();
        for identifiers in Identifiers::in_batches(given)? {
            let named = named.by_ref().take(identifiers.len()).collect();
            all.push(Pending { identifiers: Arc::new(identifiers), named });
        }
    }
    Ok(all)
}

/// A run of several questions.
struct Run<'a> {
    desk: &'a Desk,
    request: &'a Request,
    args: &'a SearchArgs,
    lookups: Lookups<'a>,
    /// How the run ends if something beside the answers went wrong.
    troubled: Option<Exit>,
    receipts: usize,
    /// The person has given up: nothing more is asked, and what was answered is shown.
    stopped: bool,
}

impl<'a> Run<'a> {
    fn begin(
        desk: &'a Desk,
        request: &'a Request,
        args: &'a SearchArgs,
    ) -> Result<Self, LookupError> {
        let lookups = Lookups::open(desk, args.sealed.clone())?;
        let lookups = if args.declared { lookups.and_declared() } else { lookups };
        lookups.ready()?;
        Ok(Self { desk, request, args, lookups, troubled: None, receipts: 0, stopped: false })
    }

    async fn tables(&mut self, printer: &mut Printer) -> Result<Tables, Exit> {
        // Only what is missing is told: that a country has tables is no answer yet.
        let mut watch = |_: Progress<'_>| ();
        let asked = Box::pin(self.lookups.tables(self.request, &mut watch));
        let Some(reply) = until_interrupted(asked).await else { return Err(interrupted(printer)) };
        match reply {
            Ok(reply) => ask::answer(Ok(reply), printer),
            Err(error) => Err(no_answer(&error, printer)),
        }
    }

    /// One question. What fails after others were answered leaves these as they are, unless it does not verify.
    #[expect(clippy::fn_params_excessive_bools, reason = "whether there is nothing else to show")]
    async fn search(
        &mut self,
        tables: &Tables,
        identifiers: &Arc<Identifiers>,
        alone: bool,
        printer: &mut Printer,
    ) -> Result<LookupAnswer, Exit> {
        let countries = || tables.outcomes.iter().map(|report| report.country.clone());
        let nothing = |countries: Vec<Country>, reason| {
            LookupAnswer::unanswered(identifiers.len(), countries, &reason)
        };
        if self.stopped {
            return Ok(nothing(countries().collect(), Reason::Outcome(Outcome::NotAsked)));
        }
        let mut telling = Telling::new(self.args.asking.progress, printer);
        let mut watch = |progress: Progress<'_>| telling.show(&progress, printer);
        let asked = self.lookups.search(self.request, tables, identifiers, &mut watch);
        let reply = until_interrupted(Box::pin(asked)).await;
        telling.board.clear(printer);
        let answer = match reply {
            None if alone => return Err(interrupted(printer)),
            None => {
                interrupted(printer);
                self.stopped = true;
                return Ok(nothing(countries().collect(), Reason::Outcome(Outcome::NotAsked)));
            }
            Some(Err(error)) => {
                let exit = exit_of_error(&error);
                no_answer(&error, printer);
                if alone || exit == Exit::VerificationFailed {
                    return Err(exit);
                }
                self.troubled = Some(exit);
                return Ok(nothing(countries().collect(), Reason::Outcome(Outcome::Failed)));
            }
            Some(Ok(Reply::Refused(refusal))) => {
                let reason = Reason::Refused(refusal.clone());
                let refused = ask::answer::<()>(Ok(Reply::Refused(refusal)), printer);
                return match refused {
                    Err(exit) if alone => Err(exit),
                    Err(_) | Ok(()) => Ok(nothing(countries().collect(), reason)),
                };
            }
            Some(Ok(Reply::Answer(answer))) => answer,
        };
        if let Some(path) = &self.args.receipt {
            for sent in &answer.sent {
                self.receipts += 1;
                let path = numbered(path, self.receipts);
                self.keep(sent.receipt.clone(), &path, printer).await?;
            }
        }
        Ok(answer)
    }

    /// A log that says something else than the answer is a verification that failed like any other.
    async fn keep(
        &mut self,
        file: ReceiptFile,
        path: &Path,
        printer: &mut Printer,
    ) -> Result<(), Exit> {
        match receipt::keep(self.desk, file, path, printer).await {
            Err(exit @ Exit::VerificationFailed) => Err(exit),
            Err(exit) => {
                self.troubled = Some(exit);
                Ok(())
            }
            Ok(()) => Ok(()),
        }
    }
}

/// `receipt.json`, `receipt.2.json`, ..
fn numbered(path: &Path, number: usize) -> PathBuf {
    if number == 1 {
        return path.to_owned();
    }
    match path.extension() {
        Some(ending) => path.with_extension(format!("{number}.{}", ending.to_string_lossy())),
        None => path.with_extension(number.to_string()),
    }
}

/// Shows progress on stderr.
struct Telling {
    board: Board,
    mode: ProgressMode,
    rewritten: bool,
}

impl Telling {
    fn new(mode: ProgressMode, printer: &Printer) -> Self {
        let rewritten = mode == ProgressMode::Auto && printer.talk_is_terminal();
        Self { board: Board::new(mode, printer), mode, rewritten }
    }

    fn show(&mut self, progress: &Progress<'_>, printer: &mut Printer) {
        match progress {
            Progress::Question(progress) => self.board.show(progress, printer),
            Progress::Fetching { country, table, bytes, of } if self.rewritten => {
                let (done, all) = (megabytes(*bytes), megabytes(*of));
                printer.talk_raw(&format!(
                    "\r\u{1b}[2Kfetching {table} of {country}: {done} of {all} MB"
                ));
            }
            Progress::Fetching { country, table, bytes: 0, of }
                if self.mode != ProgressMode::None =>
            {
                printer.talk(&format!("fetching {table} of {country}: {} MB", megabytes(*of)));
            }
            Progress::Hiding { elements } if self.mode != ProgressMode::None => {
                self.board.clear(printer);
                printer.talk(&format!("-- hidden among {elements} elements"));
            }
            // Not progress: whoever gives this away is to know it, however quiet the rest is.
            Progress::Declaring { tables } => {
                self.board.clear(printer);
                for table in *tables {
                    printer.talk(&declaring(table));
                }
            }
            Progress::Fetching { .. } | Progress::Hiding { .. } => {}
        }
    }
}

/// Who is about to learn what.
fn declaring(table: &Declaring<'_>) -> String {
    let Declaring { country, table, legal_basis, may_be_silent } = *table;
    let silent = if may_be_silent {
        "; it may keep a hit to itself, so that no hit proves nothing"
    } else {
        ""
    };
    format!(
        "-- declared: {country} is told what you search in {table}, who you are, your purpose, case and legal basis{silent}. \
         The gateway and other countries are not told what you search. Its legal basis: {}",
        safe(legal_basis)
    )
}

fn megabytes(bytes: u64) -> u64 {
    bytes.div_ceil(1_000_000)
}

fn print(shown: &Shown, args: &SearchArgs, troubled: Option<Exit>, printer: &mut Printer) -> Exit {
    let reader = printer.reader();
    let layout = args.format.unwrap_or(match reader {
        Reader::Terminal => Layout::Table,
        Reader::Program => Layout::Csv,
    });
    let names = if args.show_identifiers { show::Names::Whole } else { show::Names::Masked };
    let exit = troubled.unwrap_or_else(|| shown.exit());
    let exit = match layout.render(shown, names, reader) {
        Ok(text) => {
            let result = printer.data(text.as_bytes());
            written(printer, result, exit)
        }
        Err(error) => failed(printer, Exit::Error, &error.to_string()),
    };
    for line in shown.footer() {
        printer.talk(&line);
    }
    printer.talk(&format!("-- exit {}: {}", exit.code(), exit.meaning()));
    exit
}

#[cfg(test)]
mod tests {
    use super::{numbered, pending, tell_bad};
    use crate::command::lookup::list::{Bad, Entry};
    use crate::exit::Exit;
    use crate::printer::{Terminals, recorded};
    use mayag_matching::normalise::normalise;
    use std::path::Path;

    fn entry(row: usize, typed: &str) -> Entry {
        Entry { row, typed: typed.to_owned().into(), identifier: normalise(typed).unwrap() }
    }

    #[test]
    fn a_mixed_list_is_one_question_for_each_kind() {
        let entries = vec![
            entry(1, "passport:M12345678@PHL"),
            entry(2, "cas:50-00-0"),
            entry(4, "passport:M87654321@PHL"),
        ];
        let pending = pending(entries).unwrap();
        let rows: Vec<Vec<usize>> =
            pending.iter().map(|one| one.named.iter().map(|named| named.row).collect()).collect();
        assert_eq!(rows, [vec![2], vec![1, 4]]);
        assert_eq!(pending[1].identifiers.kind().as_str(), "travel_document");
        assert!(!format!("{pending:?}").contains("12345678"), "{pending:?}");
    }

    #[test]
    fn what_needs_more_than_one_vector_is_several_questions() {
        let many =
            (0..2_500).map(|row| entry(row, "person:Erika Anna Maria Mustermann@1964-08-12"));
        let pending = pending(many.collect()).unwrap();
        assert!(pending.len() > 1);
        let rows = pending.iter().flat_map(|one| one.named.iter().map(|named| named.row));
        assert!(rows.eq(0..2_500));
        assert!(pending.iter().all(|one| one.named.len() == one.identifiers.len()));
    }

    #[test]
    fn nothing_is_sent_of_a_list_with_bad_lines_unless_they_are_to_be_skipped() {
        let bad = [2, 7].map(|line| Bad {
            place: format!("line {line}"),
            problem: "the check digit".to_owned(),
        });
        let told = |good, skip| {
            let (mut printer, _, talk) = recorded::printer(Terminals::Neither);
            (tell_bad(&bad, good, skip, &mut printer), talk.text())
        };
        let (ended, said) = told(8, false);
        assert_eq!(ended, Err(Exit::Usage));
        assert!(said.starts_with("line 2: the check digit\nline 7: the check digit\n"), "{said}");
        assert!(said.contains("2 of 10 are no identifiers, nothing was sent"), "{said}");
        assert_eq!(told(8, true).0, Ok(()));
        assert_eq!(told(0, true).0, Err(Exit::Usage));
    }

    #[test]
    fn receipts_of_several_questions_have_numbers() {
        assert_eq!(numbered(Path::new("a/r.json"), 1), Path::new("a/r.json"));
        assert_eq!(numbered(Path::new("a/r.json"), 2), Path::new("a/r.2.json"));
        assert_eq!(numbered(Path::new("r"), 3), Path::new("r.3"));
    }
}
