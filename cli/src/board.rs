//! What the countries do while the person waits, on stderr: one line per country once what it did is known and verified,
//! and on a terminal a last line that says who is still missing.

use crate::format::words;
use crate::printer::Printer;
use crate::safe::safe;
use clap::ValueEnum;
use mayag_desk::ask::Progress;
use mayag_desk::table::CountryReport;
use mayag_protocol::names::Country;

/// How progress is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ProgressMode {
    /// With a line that is rewritten if stderr is a terminal, else plain.
    Auto,
    /// Not at all.
    None,
    /// One line per country.
    Plain,
}

/// As many waiting countries are named on the last line; it must not wrap.
const NAMED: usize = 10;

/// Shows progress.
#[derive(Debug)]
pub struct Board {
    shown: Shown,
    waiting: Vec<Country>,
    asked: usize,
    kind: Kind,
}

/// What is waited for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Answers,
    Preview,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shown {
    Nothing,
    Plain,
    Rewritten,
}

impl Board {
    /// A board for stderr as it is.
    pub fn new(mode: ProgressMode, printer: &Printer) -> Self {
        let shown = match mode {
            ProgressMode::Auto if printer.talk_is_terminal() => Shown::Rewritten,
            ProgressMode::Auto | ProgressMode::Plain => Shown::Plain,
            ProgressMode::None => Shown::Nothing,
        };
        Self { shown, waiting: Vec::new(), asked: 0, kind: Kind::Answers }
    }

    /// The same for a preview: a country that says yes would answer.
    #[must_use]
    pub fn of_preview(self) -> Self {
        Self { kind: Kind::Preview, ..self }
    }

    /// Shows what happened.
    pub fn show(&mut self, progress: &Progress<'_>, printer: &mut Printer) {
        match progress {
            Progress::Accepted { countries, .. } => {
                self.waiting = countries.to_vec();
                self.asked = countries.len();
            }
            Progress::Arrived(country) => self.waiting.retain(|other| other != *country),
            Progress::Country(report) => {
                self.waiting.retain(|country| *country != report.country);
                if self.shown != Shown::Nothing {
                    self.clear(printer);
                    for line in self.lines(report) {
                        printer.talk(&line);
                    }
                }
            }
        }
        let more = !self.waiting.is_empty() || matches!(progress, Progress::Arrived(_));
        if self.shown == Shown::Rewritten && more {
            printer.talk_raw(&self.missing());
        }
    }

    /// Takes the rewritten line away, before anything else is said.
    pub fn clear(&self, printer: &mut Printer) {
        if self.shown == Shown::Rewritten {
            // Back to the first column, clear the line.
            printer.talk_raw("\r\u{1b}[2K");
        }
    }

    fn lines(&self, report: &CountryReport) -> Vec<String> {
        match self.kind {
            Kind::Preview if report.outcome.answered() => {
                vec![format!("{}  would answer", report.country)]
            }
            Kind::Preview | Kind::Answers => lines(report),
        }
    }

    fn missing(&self) -> String {
        if self.waiting.is_empty() {
            return format!("\r\u{1b}[2K{0} of {0} done, waiting for the gateway", self.asked);
        }
        let named: Vec<&str> = self.waiting.iter().take(NAMED).map(Country::as_str).collect();
        let more = if self.waiting.len() > NAMED { ", .." } else { "" };
        let done = self.asked - self.waiting.len();
        format!("\r\u{1b}[2K{done} of {} done, waiting for {}{more}", self.asked, named.join(", "))
    }
}

/// What one country did: a line, and a line with the hint if it refused.
pub fn lines(report: &CountryReport) -> Vec<String> {
    let country = &report.country;
    let seconds = std::time::Duration::from_millis(report.ms).as_secs_f64();
    match &report.refusal {
        None => vec![format!("{country}  {:<22} {seconds:.1}s", words(report.outcome))],
        Some(refusal) => vec![
            format!("{country}  refused {}", safe(&refusal.to_string())),
            format!("    hint: {}", safe(&refusal.hint)),
        ],
    }
}

#[cfg(test)]
mod tests {
    use super::{Board, ProgressMode, lines};
    use crate::printer::{Terminals, recorded};
    use mayag_desk::ask::Progress;
    use mayag_desk::table::CountryReport;
    use mayag_protocol::names::Country;
    use mayag_protocol::outcome::Outcome;
    use mayag_protocol::refusal::{Code, Refusal};
    use mayag_protocol::timestamp::Timestamp;

    fn report(country: &str, outcome: Outcome) -> CountryReport {
        let country = country.parse().unwrap();
        CountryReport { country, outcome, refusal: None, ms: 412, policy: None, suppressed: false }
    }

    #[test]
    fn a_refusal_shows_code_subject_rule_and_hint_and_nothing_a_terminal_acts_on() {
        let refusal = Refusal::new(Code::ColumnNotShared, "mx/\u{1b}[2J", "leave `area`\nout")
            .about("area\u{9b}");
        let report = CountryReport { refusal: Some(refusal), ..report("mx", Outcome::Refused) };
        assert_eq!(
            lines(&report),
            [
                "mx  refused [MAYAG-2104] the column is not shared: `area\\u{9b}` (rule mx/\\u{1b}[2J)",
                "    hint: leave `area`\\u{a}out",
            ]
        );
    }

    fn told(mode: ProgressMode, terminals: Terminals) -> String {
        let (mut printer, out, talk) = recorded::printer(terminals);
        let mut board = Board::new(mode, &printer);
        let countries: Vec<Country> = ["kr", "th"].map(|code| code.parse().unwrap()).to_vec();
        let question = "00".repeat(16).parse().unwrap();
        let accepted = Progress::Accepted {
            question: &question,
            deadline: Timestamp::from_millis(0),
            countries: &countries,
        };
        board.show(&accepted, &mut printer);
        for country in &countries {
            board.show(&Progress::Arrived(country), &mut printer);
        }
        board.show(&Progress::Country(&report("kr", Outcome::Answered)), &mut printer);
        board.show(&Progress::Country(&report("th", Outcome::AnsweredSuppressed)), &mut printer);
        assert_eq!(out.text(), "", "stdout is for data");
        talk.text()
    }

    #[test]
    fn lines_are_rewritten_on_a_terminal_only() {
        let plain = "kr  answered               0.4s\nth  answered, some cells :c 0.4s\n";
        assert_eq!(told(ProgressMode::Auto, Terminals::Neither), plain);
        assert_eq!(told(ProgressMode::Plain, Terminals::Both), plain);
        assert_eq!(told(ProgressMode::None, Terminals::Both), "");
        let rewritten = told(ProgressMode::Auto, Terminals::Talk);
        assert!(
            rewritten.starts_with(
                "\r\u{1b}[2K0 of 2 done, waiting for kr, th\r\u{1b}[2K1 of 2 done, waiting for th\
                 \r\u{1b}[2K2 of 2 done, waiting for the gateway\r\u{1b}[2Kkr  answered"
            ),
            "{rewritten:?}"
        );
        assert!(rewritten.ends_with("0.4s\n"), "{rewritten:?}");
    }
}
