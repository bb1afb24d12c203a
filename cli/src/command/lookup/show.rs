//! The answer of a lookup for people and for programs. What was searched is shown by its number in the list, and by its last
//! characters; whole only to whoever asks for that.

use crate::exit::Exit;
use crate::format::json::{CountryLine, to_text};
use crate::format::{FormatError, Style, csv};
use crate::printer::Reader;
use crate::safe::safe;
use clap::ValueEnum;
use mayag_desk::lookup::{CountryAnswered, Finding, Found, LookupAnswer, Reason};
use mayag_matching::normalise::Kind;
use mayag_protocol::lookup::{Band, Verdict};
use mayag_protocol::names::{Country, QuestionId, TableName};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;
use zeroize::Zeroizing;

/// What stands behind every hit that was found through keys of which some agree.
const LEAD: &str = "a lead, not an identification";

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Layout {
    /// A line for each hit, and for each country without one.
    Csv,
    /// One object.
    Json,
    /// An object a line: one for each identifier, then one for the whole.
    Ndjson,
    /// Lines for people.
    Table,
}

/// How identifiers are shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Names {
    /// By their last characters, to people alone.
    Masked,
    /// As they were typed.
    Whole,
}

/// What an identifier is called.
pub(super) struct Named {
    /// Its number in the list.
    pub(super) row: usize,
    /// Its last characters.
    pub(super) masked: String,
    /// As it was typed.
    pub(super) typed: Zeroizing<String>,
}

impl fmt::Debug for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Named({}, [redacted])", self.row)
    }
}

/// The last three characters; none where they would be half of it.
pub(super) fn masked(value: &str) -> String {
    let count = value.chars().count();
    let shown = if count < 9 { 0 } else { 3 };
    let mut masked = String::from("…");
    masked.extend(value.chars().skip(count - shown));
    masked
}

/// One question and its answer.
#[derive(Debug)]
pub(super) struct Batch {
    pub(super) kind: Kind,
    /// Its identifiers, in the order of the answer.
    pub(super) named: Vec<Named>,
    pub(super) answer: LookupAnswer,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Shown {
    batches: Vec<Batch>,
}

/// An identifier, and where its answer is.
#[derive(Clone, Copy)]
struct Row<'a> {
    batch: &'a Batch,
    named: &'a Named,
    at: usize,
}

impl<'a> Row<'a> {
    fn findings(self) -> impl Iterator<Item = Finding<'a>> {
        self.batch.answer.of(self.at)
    }

    fn no_hit_anywhere(self) -> bool {
        self.batch.answer.no_hit_anywhere(self.at)
    }

    fn note(self) -> Option<&'static str> {
        self.batch.kind.is_fuzzy().then_some(LEAD)
    }
}

/// How many verdicts of each sort there are.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
struct Counts {
    known: usize,
    forbidden: usize,
    unknown: usize,
    alarms: usize,
}

impl Shown {
    pub(super) fn new(batches: Vec<Batch>) -> Self {
        Self { batches }
    }

    /// All identifiers, in the order of the list.
    fn rows(&self) -> Vec<Row<'_>> {
        let of = |batch| {
            let Batch { named, .. }: &Batch = batch;
            named.iter().enumerate().map(move |(at, named)| Row { batch, named, at })
        };
        let mut rows: Vec<Row<'_>> = self.batches.iter().flat_map(of).collect();
        rows.sort_by_key(|row| row.named.row);
        rows
    }

    fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for finding in self.rows().into_iter().flat_map(Row::findings) {
            match finding.verdict {
                Verdict::Hit { .. } | Verdict::NoHit {} => counts.known += 1,
                Verdict::NotPermitted {} => counts.forbidden += 1,
                Verdict::NotEvaluated {} => counts.unknown += 1,
            }
            counts.alarms += usize::from(finding.reason.is_some_and(Reason::is_alarm));
        }
        counts
    }

    /// Rows that nobody can find, by the tables that were searched.
    fn left_out(&self) -> BTreeMap<(&Country, &TableName), u64> {
        let countries = self.batches.iter().flat_map(|batch| &batch.answer.countries);
        let of = |country| {
            let CountryAnswered { country, left_out, .. }: &CountryAnswered = country;
            left_out.iter().map(move |(table, rows)| ((country, table), *rows))
        };
        countries.flat_map(of).collect()
    }

    /// Tables that were asked and may keep a hit to themselves.
    fn may_be_silent(&self) -> BTreeSet<(&Country, &TableName)> {
        let countries = self.batches.iter().flat_map(|batch| &batch.answer.countries);
        let of = |country| {
            let CountryAnswered { country, may_be_silent, .. }: &CountryAnswered = country;
            may_be_silent.iter().map(move |table| (country, table))
        };
        countries.flat_map(of).collect()
    }

    /// How the run ends.
    pub(super) fn exit(&self) -> Exit {
        match self.counts() {
            Counts { known: 0, forbidden: 1.., unknown: 0, .. } => Exit::RefusedByAll,
            Counts { known: 0, alarms: 1.., .. } => Exit::VerificationFailed,
            Counts { known: 0, .. } => Exit::Error,
            Counts { forbidden: 0, unknown: 0, .. } => Exit::Complete,
            Counts { .. } => Exit::Partial,
        }
    }

    /// The last lines on stderr.
    pub(super) fn footer(&self) -> Vec<String> {
        let rows = self.rows();
        let hits = |row: &&Row<'_>| row.findings().any(|finding| !finding.hits.is_empty());
        let (all, hit) = (rows.len(), rows.iter().filter(hits).count());
        let nowhere = rows.iter().filter(|row| row.no_hit_anywhere()).count();
        let mut lines = vec![format!(
            "-- {all} searched: {hit} with a hit, {nowhere} with no hit anywhere, {} not known everywhere",
            all - hit - nowhere
        )];
        let mut alarms: BTreeMap<(&Country, &'static str), &Reason> = BTreeMap::new();
        for finding in rows.iter().flat_map(|row| row.findings()) {
            if let Some(reason) = finding.reason.filter(|reason| reason.is_alarm()) {
                alarms.insert((finding.country, reason.as_str()), reason);
            }
        }
        for (country, table) in self.may_be_silent() {
            lines.push(format!(
                "-- {country} {table}: it may keep a hit to itself, so that no hit there proves nothing"
            ));
        }
        for ((country, table), rows) in self.left_out() {
            lines.push(format!("-- {country} {table}: {}", left_out(rows)));
        }
        lines.extend(alarms.iter().map(|((country, _), why)| format!("-- ALARM {country}: {why}")));
        for sent in self.batches.iter().flat_map(|batch| &batch.answer.sent) {
            let sealed = sent.sealed.display();
            lines.push(format!(
                "-- question {} | sealed for your auditors: {sealed}",
                sent.question
            ));
        }
        lines
    }
}

/// What is said of rows that an index leaves out.
pub(super) fn left_out(rows: u64) -> String {
    let (are, hold) = if rows == 1 { ("row is", "it holds") } else { ("rows are", "they hold") };
    format!("{rows} {are} not in the index: what {hold} is written in no form that can be searched")
}

impl Layout {
    /// The answer in this form.
    pub(super) fn render(
        self,
        shown: &Shown,
        names: Names,
        reader: Reader,
    ) -> Result<String, FormatError> {
        match self {
            Self::Csv => Ok(lines(shown, names, reader)),
            Self::Json => to_text(&whole(shown, names), reader),
            Self::Ndjson => ndjson(shown, names),
            Self::Table => Ok(table(shown, names)),
        }
    }
}

/// Lines for people: hits first, then who has none, and who has not answered and why.
fn table(shown: &Shown, names: Names) -> String {
    let mut out = String::new();
    for row in shown.rows() {
        let name = match names {
            Names::Masked => safe(&row.named.masked),
            Names::Whole => safe(&row.named.typed),
        };
        push(&mut out, &format!("{:<5} {:<18} {name}", row.named.row, row.batch.kind.as_str()));
        let mut none = Vec::new();
        let mut others: BTreeMap<(&str, String), Vec<&str>> = BTreeMap::new();
        for Finding { country, verdict, hits, reason } in row.findings() {
            for found in hits {
                push(
                    &mut out,
                    &format!("      {:<14} {country}  {}", verdict.as_str(), hit(found, row)),
                );
            }
            match (&verdict, reason) {
                (Verdict::NoHit {}, _) => none.push(country.as_str()),
                (Verdict::Hit { .. }, None) => {}
                (Verdict::Hit { .. }, Some(reason)) => {
                    let why = format!("other tables: {reason}");
                    others.entry(("not_evaluated", why)).or_default().push(country.as_str());
                }
                (Verdict::NotEvaluated {} | Verdict::NotPermitted {}, reason) => {
                    let why = reason.map(ToString::to_string).unwrap_or_default();
                    others.entry((verdict.as_str(), why)).or_default().push(country.as_str());
                }
            }
        }
        if row.no_hit_anywhere() {
            push(&mut out, &format!("      no hit anywhere: {}", none.join(" ")));
        } else if !none.is_empty() {
            push(&mut out, &format!("      {:<14} {}", "no_hit", none.join(" ")));
        }
        for ((word, why), countries) in others {
            push(&mut out, &format!("      {word:<14} {}: {}", countries.join(" "), safe(&why)));
        }
    }
    out
}

fn hit(found: &Found, row: Row<'_>) -> String {
    let hit = &found.hit;
    let rows = if hit.rows == 1 { "1 row".to_owned() } else { format!("{} rows", hit.rows) };
    let mut text = format!(
        "{}  {}  {}  {}  contact {}  {rows}",
        hit.band,
        found.table,
        safe(&hit.category),
        safe(&hit.handling),
        safe(&hit.contact)
    );
    if let Some(note) = row.note() {
        text.push_str("  (");
        text.push_str(note);
        text.push(')');
    }
    text
}

fn push(out: &mut String, line: &str) {
    out.push_str(line.trim_end());
    out.push('\n');
}

/// CSV: one line for each hit, and for each country without one.
fn lines(shown: &Shown, names: Names, reader: Reader) -> String {
    let style = Style { null: String::new(), reader };
    let mut header = vec!["row", "kind"];
    if names == Names::Whole {
        header.push("identifier");
    }
    header.extend([
        "country", "verdict", "table", "band", "category", "handling", "contact", "rows", "reason",
        "note",
    ]);
    let header: Vec<String> = header.into_iter().map(ToOwned::to_owned).collect();
    let mut out = String::new();
    csv::push(&mut out, &header, &style);
    for row in shown.rows() {
        for finding in row.findings() {
            let mut first = vec![row.named.row.to_string(), row.batch.kind.as_str().to_owned()];
            if names == Names::Whole {
                first.push(row.named.typed.as_str().to_owned());
            }
            first.push(finding.country.to_string());
            first.push(finding.verdict.as_str().to_owned());
            let reason = finding.reason.map_or("", Reason::as_str).to_owned();
            if finding.hits.is_empty() {
                let mut fields = first.clone();
                fields.extend(std::iter::repeat_n(String::new(), 6));
                fields.extend([reason.clone(), String::new()]);
                csv::push(&mut out, &fields, &style);
            }
            for Found { table, hit } in finding.hits {
                let mut fields = first.clone();
                fields.extend([
                    table.to_string(),
                    hit.band.to_string(),
                    hit.category.clone(),
                    hit.handling.clone(),
                    hit.contact.clone(),
                    hit.rows.to_string(),
                    reason.clone(),
                    row.note().unwrap_or_default().to_owned(),
                ]);
                csv::push(&mut out, &fields, &style);
            }
        }
    }
    out
}

/// The whole answer for programs.
#[derive(Serialize)]
struct Whole<'a> {
    #[serde(flatten)]
    end: End<'a>,
    identifiers: Vec<IdentifierLine<'a>>,
}

/// What is said of all identifiers together.
#[derive(Serialize)]
struct End<'a> {
    complete: bool,
    no_hit_anywhere: bool,
    questions: Vec<QuestionLine<'a>>,
    /// Tables that were searched and do not hold all of their rows.
    left_out: Vec<LeftOutLine<'a>>,
    /// Tables that were asked and may keep a hit to themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    may_be_silent: Vec<SilentLine<'a>>,
}

#[derive(Serialize)]
struct SilentLine<'a> {
    country: &'a Country,
    table: &'a TableName,
}

#[derive(Serialize)]
struct LeftOutLine<'a> {
    country: &'a Country,
    table: &'a TableName,
    rows: u64,
}

#[derive(Serialize)]
struct QuestionLine<'a> {
    question: &'a QuestionId,
    kind: &'a str,
    elements: u32,
    sealed: &'a Path,
    countries: Vec<CountryLine<'a>>,
}

#[derive(Serialize)]
struct IdentifierLine<'a> {
    row: usize,
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<&'a str>,
    no_hit_anywhere: bool,
    countries: Vec<VerdictLine<'a>>,
}

#[derive(Serialize)]
struct VerdictLine<'a> {
    country: &'a Country,
    verdict: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    hits: Vec<HitLine<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<&'a str>,
    /// The reason in a sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    why: Option<String>,
}

#[derive(Serialize)]
struct HitLine<'a> {
    table: &'a TableName,
    band: Band,
    category: &'a str,
    handling: &'a str,
    contact: &'a str,
    rows: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'static str>,
}

fn whole(shown: &Shown, names: Names) -> Whole<'_> {
    let identifiers = shown.rows().into_iter().map(|row| identifier(row, names)).collect();
    Whole { end: ending(shown), identifiers }
}

fn ending(shown: &Shown) -> End<'_> {
    let counts = shown.counts();
    let questions = shown.batches.iter().flat_map(questions).collect();
    let left_out = shown.left_out().into_iter();
    let left_out = left_out.map(|((country, table), rows)| LeftOutLine { country, table, rows });
    let silent = shown.may_be_silent().into_iter();
    let silent = silent.map(|(country, table)| SilentLine { country, table });
    End {
        complete: counts.forbidden + counts.unknown == 0,
        no_hit_anywhere: shown.rows().into_iter().all(Row::no_hit_anywhere),
        questions,
        left_out: left_out.collect(),
        may_be_silent: silent.collect(),
    }
}

fn questions(batch: &Batch) -> impl Iterator<Item = QuestionLine<'_>> {
    batch.answer.sent.iter().map(|sent| QuestionLine {
        question: &sent.question,
        kind: batch.kind.as_str(),
        elements: sent.elements,
        sealed: &sent.sealed,
        countries: sent.outcomes.iter().map(CountryLine::new).collect(),
    })
}

fn identifier(row: Row<'_>, names: Names) -> IdentifierLine<'_> {
    let mut countries = Vec::new();
    for finding in row.findings() {
        let Finding { country, verdict, hits, reason } = finding;
        let hit = |found| hit_line(found, row.note());
        countries.push(VerdictLine {
            country,
            verdict: verdict.as_str(),
            hits: hits.iter().map(hit).collect(),
            reason: reason.map(Reason::as_str),
            why: reason.map(ToString::to_string),
        });
    }
    IdentifierLine {
        row: row.named.row,
        kind: row.batch.kind.as_str(),
        identifier: (names == Names::Whole).then_some(row.named.typed.as_str()),
        no_hit_anywhere: row.no_hit_anywhere(),
        countries,
    }
}

fn hit_line<'a>(Found { table, hit }: &'a Found, note: Option<&'static str>) -> HitLine<'a> {
    HitLine {
        table,
        band: hit.band,
        category: &hit.category,
        handling: &hit.handling,
        contact: &hit.contact,
        rows: hit.rows,
        note,
    }
}

fn ndjson(shown: &Shown, names: Names) -> Result<String, FormatError> {
    let mut out = String::new();
    for row in shown.rows() {
        let line = Line::Identifier(identifier(row, names));
        out.push_str(&to_text(&line, Reader::Program)?);
    }
    out.push_str(&to_text(&Line::Complete(ending(shown)), Reader::Program)?);
    Ok(out)
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case", tag = "type")]
enum Line<'a> {
    Identifier(IdentifierLine<'a>),
    Complete(End<'a>),
}

#[cfg(test)]
mod tests;
