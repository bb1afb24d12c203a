//! Everything that an attacker can compare about the answers to one attack: words, rows, order, sizes, numbers, and
//! what subtraction, summing and averaging make of numbers.
//!
//! Numbers are taken from the merged table and from the cells that the attacked country signed: the other countries'
//! rows are the same in every database.

use super::fixture::TARGET;
use super::said::{Answer, Cells, Said, Value};
use std::collections::{BTreeMap, BTreeSet};

/// More tables than this are not all subtracted from each other, but each from the first and from the one before.
const MOST_TABLES: usize = 12;

/// So many single numbers are combined with every choice of signs.
const MOST_SIGNED: usize = 6;

/// Columns that are compared with each other in the same row.
const MOST_COLUMNS: usize = 6;

/// Something that can be compared.
#[derive(Debug, Clone, PartialEq)]
pub enum Feature {
    /// Compared by size.
    Number(f64),
    /// Compared as a whole.
    Word(String),
}

/// The features by name.
pub type Features = BTreeMap<String, Feature>;

/// One table of numbers: rows by their keys, columns by their place.
#[derive(Debug, Clone, Default)]
struct Table {
    name: String,
    columns: Vec<String>,
    rows: BTreeMap<String, Row>,
}

#[derive(Debug, Clone, Default)]
struct Row {
    keys: Vec<Value>,
    numbers: Vec<Option<f64>>,
}

/// The features of the answers to an attack: what came back for every statement, as often as it was sent.
pub fn of(said: &[Vec<Said>]) -> Features {
    let mut features = Features::new();
    let (mut merged, mut signed) = (Vec::new(), Vec::new());
    for (i, replies) in said.iter().enumerate() {
        let Some(first) = replies.first() else { continue };
        describe(&mut features, &format!("s{i}"), first);
        let tables = tables(&format!("s{i}"), first);
        if 1 < replies.len() {
            repeated(&mut features, &format!("s{i}"), replies);
        }
        merged.extend(tables.0);
        signed.extend(tables.1);
    }
    for tables in [&merged, &signed] {
        for table in tables {
            within(&mut features, table);
        }
        between(&mut features, tables);
        singles(&mut features, tables);
    }
    features
}

fn word(features: &mut Features, name: String, text: impl Into<String>) {
    features.insert(name, Feature::Word(text.into()));
}

#[expect(clippy::cast_precision_loss, reason = "rows of a table")]
fn number_of(features: &mut Features, name: String, count: usize) {
    features.insert(name, Feature::Number(count as f64));
}

/// What one reply says without any arithmetic.
fn describe(features: &mut Features, name: &str, said: &Said) {
    let answer = match said {
        Said::Answered(answer) => answer,
        Said::Failed(text) => return word(features, format!("{name} failed"), text),
        Said::Refused(text) => return word(features, format!("{name} refused"), text),
    };
    for (country, outcome) in &answer.countries {
        word(features, format!("{name} {country}"), outcome.as_str());
    }
    word(features, format!("{name} refusals"), answer.refusals.join("\n"));
    word(features, format!("{name} undecided"), answer.undecided.to_string());
    for (source, cells) in sources(answer) {
        let name = format!("{name} {source}");
        number_of(features, format!("{name} rows"), cells.rows.len());
        word(features, format!("{name} columns"), cells.columns.join(","));
        let text = cells.rows.iter().flatten().map(|value| value.text().len() + 1).sum();
        number_of(features, format!("{name} length"), text);
        let keys = row_keys(cells);
        word(features, format!("{name} order"), keys.join(";"));
        for (at, (row, key)) in cells.rows.iter().zip(&keys).enumerate() {
            number_of(features, format!("{name} [{key}] place"), at);
            for (i, value) in row.iter().enumerate() {
                let name = format!("{name} [{key}] {}", cells.columns[i]);
                if cells.is_number(i) && matches!(value, Value::Number(_)) {
                    features.insert(name, Feature::Number(value.number().unwrap_or_default()));
                } else {
                    word(features, name, value.text());
                }
            }
        }
    }
}

/// The merged table, and the attacked country's cells.
fn sources(answer: &Answer) -> Vec<(String, &Cells)> {
    let merged = answer.merged.iter().map(|cells| ("merged".to_owned(), cells));
    let signed = answer.signed.iter().filter(|(country, ..)| country == TARGET);
    merged.chain(signed.map(|(country, i, cells)| (format!("{country}/{i}"), cells))).collect()
}

/// The same keys twice are told apart by their turn.
fn row_keys(cells: &Cells) -> Vec<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let key = |row: &Vec<Value>| {
        let texts: Vec<String> = cells.keys.iter().map(|i| row[*i].text()).collect();
        let key = texts.join("|");
        let turn = seen.entry(key.clone()).or_default();
        *turn += 1;
        if *turn == 1 { key } else { format!("{key}#{turn}") }
    };
    cells.rows.iter().map(key).collect()
}

fn tables(name: &str, said: &Said) -> (Vec<Table>, Vec<Table>) {
    let Said::Answered(answer) = said else { return (Vec::new(), Vec::new()) };
    let (mut merged, mut signed) = (Vec::new(), Vec::new());
    for (source, cells) in sources(answer) {
        let table = Table::of(format!("{name} {source}"), cells);
        if source == "merged" { merged.push(table) } else { signed.push(table) }
    }
    (merged, signed)
}

/// Whether repetition says anything new, and what averaging makes of it.
fn repeated(features: &mut Features, name: &str, replies: &[Said]) {
    let distinct: BTreeSet<String> = replies.iter().map(|said| format!("{said:?}")).collect();
    number_of(features, format!("{name} distinct replies"), distinct.len());
    let mut sums: BTreeMap<String, (f64, f64)> = BTreeMap::new();
    for said in replies {
        let (merged, signed) = tables(name, said);
        for (name, value) in merged.iter().chain(&signed).flat_map(Table::named) {
            let sum = sums.entry(name).or_default();
            *sum = (sum.0 + value, sum.1 + 1.0);
        }
    }
    for (name, (sum, count)) in sums {
        features.insert(format!("{name} on average"), Feature::Number(sum / count));
    }
}

/// Columns against each other, and subtotals against what they are made of.
fn within(features: &mut Features, table: &Table) {
    for (key, row) in &table.rows {
        let columns: Vec<(usize, f64)> = row.values().take(MOST_COLUMNS).collect();
        for (i, (a, left)) in columns.iter().enumerate() {
            for (b, right) in columns.iter().skip(i + 1) {
                let name = format!("{} [{key}] {}", table.name, table.columns[*a]);
                let other = &table.columns[*b];
                features.insert(format!("{name} - {other}"), Feature::Number(left - right));
                if *left != 0.0 {
                    features.insert(format!("{other} / {name}"), Feature::Number(right / left));
                }
            }
        }
        if row.keys.contains(&Value::Null) && 1 < table.rows.len() {
            let parts: Vec<&Row> =
                table.rows.values().filter(|part| part.is_part_of(row)).collect();
            let sums = Table::sums(&parts, table.columns.len());
            for (column, value) in row.values() {
                let name = format!("{} [{key}] {} - parts", table.name, table.columns[column]);
                features.insert(name, Feature::Number(value - sums[column]));
            }
        }
    }
    let sums = table.totals(table.columns.len());
    for (column, sum) in table.columns.iter().zip(sums) {
        features.insert(format!("{} sum of {column}", table.name), Feature::Number(sum));
    }
}

/// Tables against each other: row by row, and totals against sums.
fn between(features: &mut Features, tables: &[Table]) {
    for (i, left) in tables.iter().enumerate() {
        for (j, right) in tables.iter().enumerate().skip(i + 1) {
            if MOST_TABLES < tables.len() && i != 0 && j != i + 1 {
                continue;
            }
            subtract(features, left, right);
        }
    }
    if 2 < tables.len() {
        let mut sums: BTreeMap<(String, usize), (f64, f64)> = BTreeMap::new();
        for table in tables {
            for (key, row) in &table.rows {
                for (column, value) in row.values() {
                    let sum = sums.entry((key.clone(), column)).or_default();
                    *sum = (sum.0 + value, sum.1 + 1.0);
                }
            }
        }
        for ((key, column), (sum, count)) in sums {
            let source = if tables[0].name.ends_with("merged") { "merged" } else { TARGET };
            let name = format!("{source} [{key}] column {column} over all statements");
            features.insert(name, Feature::Number(sum / count));
        }
    }
}

fn subtract(features: &mut Features, left: &Table, right: &Table) {
    let name = format!("{} - {}", left.name, right.name);
    for (key, row) in &left.rows {
        let Some(other) = right.rows.get(key) else { continue };
        for (column, value) in row.values() {
            if let Some(other) = other.numbers.get(column).copied().flatten() {
                let name = format!("{name} [{key}] {}", left.columns[column]);
                features.insert(name, Feature::Number(value - other));
            }
        }
    }
    let width = left.columns.len().min(right.columns.len());
    let (a, b) = (left.totals(width), right.totals(width));
    for column in 0..width {
        let name = format!("{name} sum of {}", left.columns[column]);
        features.insert(name, Feature::Number(a[column] - b[column]));
    }
}

/// A few single numbers, added and subtracted in every way.
fn singles(features: &mut Features, tables: &[Table]) {
    let numbers: Vec<f64> = tables
        .iter()
        .filter(|table| table.rows.len() == 1)
        .filter_map(|table| table.rows.values().next()?.values().next())
        .map(|(_, value)| value)
        .collect();
    if numbers.len() < 3 || MOST_SIGNED < numbers.len() || numbers.len() < tables.len() {
        return;
    }
    let source = if tables[0].name.ends_with("merged") { "merged" } else { TARGET };
    for choice in 0..3_usize.pow(u32::try_from(numbers.len()).unwrap_or(0)) {
        let (mut left, mut sum, mut signs) = (choice, 0.0, String::new());
        for value in &numbers {
            let (sign, factor) = [("0", 0.0), ("+", 1.0), ("-", -1.0)][left % 3];
            signs.push_str(sign);
            sum += factor * value;
            left /= 3;
        }
        features.insert(format!("{source} statements {signs}"), Feature::Number(sum));
    }
}

impl Table {
    fn of(name: String, cells: &Cells) -> Self {
        let columns: Vec<usize> = (0..cells.columns.len())
            .filter(|i| !cells.keys.contains(i) && cells.is_number(*i))
            .collect();
        let rows = cells.rows.iter().zip(row_keys(cells)).map(|(row, key)| {
            let keys = cells.keys.iter().map(|i| row[*i].clone()).collect();
            let numbers = columns.iter().map(|i| row[*i].number()).collect();
            (key, Row { keys, numbers })
        });
        Self {
            name,
            columns: columns.iter().map(|i| cells.columns[*i].clone()).collect(),
            rows: rows.collect(),
        }
    }

    /// Every number with its name.
    fn named(&self) -> Vec<(String, f64)> {
        let of = |(key, row): (&String, &Row)| -> Vec<(String, f64)> {
            let name = |i: usize| format!("{} [{key}] {}", self.name, self.columns[i]);
            row.values().map(|(i, value)| (name(i), value)).collect()
        };
        self.rows.iter().flat_map(of).collect()
    }

    fn totals(&self, width: usize) -> Vec<f64> {
        Self::sums(&self.rows.values().collect::<Vec<_>>(), width)
    }

    fn sums(rows: &[&Row], width: usize) -> Vec<f64> {
        let mut sums = vec![0.0; width];
        for row in rows {
            for (sum, value) in sums.iter_mut().zip(&row.numbers) {
                *sum += value.unwrap_or_default();
            }
        }
        sums
    }
}

impl Row {
    fn values(&self) -> impl Iterator<Item = (usize, f64)> {
        self.numbers.iter().enumerate().filter_map(|(i, value)| Some((i, (*value)?)))
    }

    /// Whether this row has all keys, and those that the subtotal names are the subtotal's.
    fn is_part_of(&self, total: &Self) -> bool {
        !self.keys.contains(&Value::Null)
            && self
                .keys
                .iter()
                .zip(&total.keys)
                .all(|(own, total)| *total == Value::Null || own == total)
    }
}

impl Cells {
    /// Whether a column holds numbers; the bytes of statuses are words.
    fn is_number(&self, column: usize) -> bool {
        !self.columns[column].ends_with("_status")
            && self.rows.iter().any(|row| matches!(row[column], Value::Number(_)))
    }
}

impl Value {
    /// As text.
    pub fn text(&self) -> String {
        match self {
            Self::Null => "null".to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }

    /// As a number, if it is one.
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Null | Self::Text(_) => None,
        }
    }
}
