//! From rows of a source to what is indexed: normalised identifiers, and what a hit on each may say.
//!
//! Identifiers that do not normalise are counted by the sort of problem: no value of a row is in any text.

use super::terms::Reveals;
use arrow::array::{Array as _, AsArray as _, RecordBatch, StringArray};
use mayag_audit::keys::{Mac, RandomError, random_secret};
use mayag_matching::declared::Record;
use mayag_matching::input::{Input, Rules};
use mayag_matching::normalise::{Element, Kind, Label, normalise_parts};
use mayag_matching::reference::Reference;
use mayag_protocol::lookup::Legend;
use mayag_protocol::names::TableName;
use std::collections::BTreeMap;
use std::fmt;

/// What contacts are made with.
const CONTACT: &[u8] = b"mayag lookup contact";

/// Handling codes by number: the greater, the stricter (design §6).
const HANDLING: [&str; 4] = ["H0", "H1", "H2", "H3"];

/// The number of a row whose handling code is missing or none of these.
const STRICTEST: u8 = 3;

/// The longest text of a category. Longer ones are no words.
const LONGEST_CATEGORY: usize = 100;

/// Reads the rows of one table.
pub(crate) struct RowReader {
    kind: Kind,
    label: Option<Label>,
    rules: Rules,
    reveals: Reveals,
    categories: Vec<Legend>,
    contacts: Contacts,
    tally: Tally,
}

/// What was read, in numbers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Rows with an identifier.
    pub(crate) rows: u64,
    /// Of these, rows of which nothing is in the index.
    pub(crate) left_out: u64,
    /// Elements in the index.
    pub(crate) elements: u64,
    /// Rows of which nobody who searches is to be told.
    pub(crate) silent: u64,
    /// Rows that are not in the index, or not as they say, by the sort of problem.
    pub(crate) problems: BTreeMap<&'static str, u64>,
}

/// Rows and categories do not fit together: the data changed while they were read, or a category is no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the categories are not those that were counted, or one is no word of at most 100 characters"
)]
pub(crate) struct Categories;

/// Names contact points so that nobody else can tell anything from it.
struct Contacts {
    /// Keyed by the node's secret: the same name in every build, so that the owner finds the row again.
    lasting: Mac,
    /// Keyed by chance: tells the records of one build apart.
    passing: Mac,
    table: TableName,
    records: u64,
}

/// The columns of one portion.
struct Columns<'a> {
    identifier: &'a StringArray,
    qualifier: Option<&'a StringArray>,
    label: Option<&'a StringArray>,
    category: Option<&'a StringArray>,
    handling: Option<&'a StringArray>,
    contact: Option<&'a StringArray>,
    silent: Option<&'a StringArray>,
}

/// The legend of categories: numbered from 1 by their sorted texts.
pub(crate) fn legend(categories: &RecordBatch) -> Result<Vec<Legend>, Categories> {
    let mut texts: Vec<&str> = match column(categories, "category") {
        Some(column) => column.iter().flatten().collect(),
        None => Vec::new(),
    };
    texts.sort_unstable();
    let word =
        |text: &&str| text.chars().count() <= LONGEST_CATEGORY && !text.contains(char::is_control);
    if !texts.iter().all(word) {
        return Err(Categories);
    }
    Ok((1..).zip(texts).map(|(number, text)| Legend { number, text: text.to_owned() }).collect())
}

/// The legend of handling codes.
pub(crate) fn handling_legend() -> Vec<Legend> {
    (0..).zip(HANDLING).map(|(number, text)| Legend { number, text: text.to_owned() }).collect()
}

impl RowReader {
    /// A reader of the rows of `table`.
    pub(crate) fn new(
        table: &TableName,
        (kind, rules, label): (Kind, Rules, Option<Label>),
        reveals: Reveals,
        categories: Vec<Legend>,
        secret: &[u8; 32],
    ) -> Result<Self, RandomError> {
        let contacts = Contacts {
            lasting: Mac::new(secret),
            passing: Mac::new(&random_secret()?),
            table: table.clone(),
            records: 0,
        };
        let tally = Tally::default();
        Ok(Self { kind, label, rules, reveals, categories, contacts, tally })
    }

    /// What was read so far.
    pub(crate) fn tally(&self) -> &Tally {
        &self.tally
    }

    /// Hands every element of a portion to `each`, with what a hit on it says.
    pub(crate) fn read(
        &mut self,
        portion: &RecordBatch,
        mut each: impl FnMut(&Input, Record),
    ) -> Result<(), Categories> {
        let Some(columns) = Columns::of(portion) else { return Err(Categories) };
        for row in 0..portion.num_rows() {
            self.tally.rows += 1;
            let elements = match self.normalised(&columns, row) {
                Ok(elements) => elements,
                Err(problem) => {
                    self.tally.count(problem);
                    self.tally.left_out += 1;
                    continue;
                }
            };
            let before = self.tally.elements;
            let silent = self.silent(&columns, row);
            // The legend, which everybody sees, has no word that only silent rows have.
            let category = if silent { 0 } else { self.category(&columns, row)? };
            let handling = self.handling(&columns, row);
            let (shown, contact) = self.contact(&columns, row);
            for element in elements {
                let Ok(input) = Input::new(&self.rules, element.text()) else {
                    self.tally.count("characters");
                    continue;
                };
                self.tally.elements += 1;
                let band = element.band();
                let reference = Reference { band, category, handling, rows: 1, contact: shown };
                each(&input, Record { reference, contact, silent });
            }
            self.tally.left_out += u64::from(self.tally.elements == before);
        }
        Ok(())
    }

    /// The elements of a row's identifier, or the sort of problem with it.
    fn normalised(&self, columns: &Columns<'_>, row: usize) -> Result<Vec<Element>, &'static str> {
        let label = match text(columns.label, row) {
            Some(word) => word.parse().map_err(|_| "unknown_kind")?,
            None => self.label.unwrap_or_else(|| Label::from(self.kind)),
        };
        if label.kind() != self.kind {
            return Err("other_kind");
        }
        let identifier = text(Some(columns.identifier), row).unwrap_or_default();
        let normalised = normalise_parts(label, identifier, text(columns.qualifier, row));
        Ok(normalised.map_err(|problem| problem.code().as_str())?.indexed())
    }

    fn category(&self, columns: &Columns<'_>, row: usize) -> Result<u16, Categories> {
        match text(columns.category, row).filter(|_| self.reveals.category) {
            None => Ok(0),
            Some(said) => {
                let found =
                    self.categories.binary_search_by(|legend| legend.text.as_str().cmp(said));
                let legend = found.ok().and_then(|found| self.categories.get(found));
                legend.map(|legend| legend.number).ok_or(Categories)
            }
        }
    }

    fn handling(&mut self, columns: &Columns<'_>, row: usize) -> u8 {
        if !self.reveals.handling {
            return 0;
        }
        let said = text(columns.handling, row);
        let known = said.and_then(|said| (0..).zip(HANDLING).find(|(_, code)| *code == said));
        if known.is_none() && said.is_some() {
            self.tally.count("unknown_handling");
        }
        known.map_or(STRICTEST, |(number, _)| number)
    }

    /// Whether nobody who searches is to be told of a row. Where the query says anything of it, what is neither true nor false,
    /// nothing too, is not told either.
    fn silent(&mut self, columns: &Columns<'_>, row: usize) -> bool {
        let silent = match (columns.silent, text(columns.silent, row)) {
            (None, _) | (Some(_), Some("false")) => false,
            (Some(_), Some("true")) => true,
            (Some(_), Some(_) | None) => {
                self.tally.count("unknown_silent");
                true
            }
        };
        self.tally.silent += u64::from(silent);
        silent
    }

    /// The contact of a row, as a hit shows it and as the owner is told it. Where several keys make one record, they have it in
    /// common although it may be hidden what it is.
    fn contact(&mut self, columns: &Columns<'_>, row: usize) -> ([u8; 16], [u8; 16]) {
        let own = text(columns.contact, row).map(|said| self.contacts.lasting(said));
        let shown = match own.filter(|_| self.reveals.contact) {
            Some(own) => own,
            None if self.kind.is_fuzzy() => self.contacts.passing(),
            None => [0; 16],
        };
        (shown, own.unwrap_or(shown))
    }
}

impl Contacts {
    /// The first 16 bytes of `HMAC-SHA-256(secret of the node, "mayag lookup contact" || table || text)`, with separators.
    fn lasting(&self, said: &str) -> [u8; 16] {
        let message = [CONTACT, b"|", self.table.as_str().as_bytes(), b"|", said.as_bytes()];
        first(self.lasting.code(&message.concat()))
    }

    fn passing(&mut self) -> [u8; 16] {
        self.records += 1;
        first(self.passing.code(&self.records.to_be_bytes()))
    }
}

fn first(code: [u8; 32]) -> [u8; 16] {
    code.first_chunk().copied().unwrap_or_default()
}

impl Tally {
    /// Whether these rows are no table of their kind: an index of them would prove that identifiers are in none of it.
    pub(crate) fn is_hopeless(&self) -> bool {
        let Self { rows, left_out, elements, silent: _, problems: _ } = self;
        *rows > 0 && (*elements == 0 || *left_out > rows / 2)
    }

    fn count(&mut self, problem: &'static str) {
        *self.problems.entry(problem).or_default() += 1;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = self.problems.iter().map(|(problem, rows)| format!("{problem} {rows}"));
        f.write_str(&words.collect::<Vec<_>>().join(", "))
    }
}

impl<'a> Columns<'a> {
    fn of(portion: &'a RecordBatch) -> Option<Self> {
        Some(Self {
            identifier: column(portion, "identifier")?,
            qualifier: column(portion, "qualifier"),
            label: column(portion, "label"),
            category: column(portion, "category"),
            handling: column(portion, "handling"),
            contact: column(portion, "contact"),
            silent: column(portion, "silent"),
        })
    }
}

fn column<'a>(portion: &'a RecordBatch, name: &str) -> Option<&'a StringArray> {
    portion.column_by_name(name)?.as_string_opt()
}

/// The value of a row, if it has one that is not empty.
fn text(column: Option<&StringArray>, row: usize) -> Option<&str> {
    let column = column.filter(|column| column.is_valid(row))?;
    Some(column.value(row)).filter(|text| !text.is_empty())
}

impl fmt::Debug for RowReader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RowReader({})", self.contacts.table)
    }
}

#[cfg(test)]
mod tests;
