//! The grammar: what a question means is drawn first, then one of the many ways to write it.
//!
//! Half of the questions are then spoilt: something in them is what no country answers, or the text is damaged.

use super::dice::Dice;
use std::fmt::Write as _;

/// A dataset as the grammar sees it.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: &'static str,
    /// Columns to group and filter by, with some of their values.
    pub(crate) categories: Vec<(&'static str, Vec<&'static str>)>,
    pub(crate) date: &'static str,
    pub(crate) measure: &'static str,
    pub(crate) unit: &'static str,
    /// Columns that no policy shares.
    pub(crate) hidden: Vec<&'static str>,
    /// Columns that hold nothing somewhere.
    pub(crate) nullable: Vec<&'static str>,
    /// First days of months that the data have.
    pub(crate) months: Vec<&'static str>,
    /// The least number of whole months behind a date.
    pub(crate) grains: Vec<&'static str>,
}

/// What is grouped by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Category(&'static str),
    Country,
    Date(&'static str),
}

/// A condition on rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    All(Vec<Self>),
    Any(Vec<Self>),
    Is {
        column: &'static str,
        value: &'static str,
    },
    IsIn {
        column: &'static str,
        values: Vec<&'static str>,
    },
    IsNull {
        column: &'static str,
    },
    Not(Box<Self>),
    /// On or after the first day of a month.
    Since {
        month: &'static str,
    },
}

/// An aggregate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Aggregate {
    Avg,
    Rows,
    Sum,
    Units,
}

/// What a question means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Meaning {
    pub(crate) keys: Vec<Key>,
    /// Which keys every grouping set has.
    pub(crate) sets: Vec<Vec<usize>>,
    pub(crate) condition: Condition,
    pub(crate) measures: Vec<(Aggregate, Option<Condition>)>,
}

/// A question.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) sql: String,
    /// What it means, where it should be answered and nothing is computed above its release.
    pub(crate) meaning: Option<Meaning>,
    /// What is computed above a release, where something is.
    pub(crate) above: Option<Above>,
    /// Whether something in it is what no country answers.
    pub(crate) spoilt: bool,
}

/// What is computed above a release.
#[derive(Debug, Clone)]
pub(crate) struct Above {
    /// What the release means.
    pub(crate) meaning: Meaning,
    /// The SQL over the cells of the release instead of over rows, without its limit.
    pub(crate) sql: String,
    /// How many rows are asked for.
    pub(crate) limit: Option<usize>,
}

/// The cells of a release as a table in [`Above::sql`].
pub(crate) const CELLS: &str = "cells";

impl Table {
    /// Draws a question.
    pub(crate) fn question(&self, dice: &mut Dice) -> Question {
        let meaning = self.meaning(dice);
        if dice.one_in(2) {
            let sql = self.spoilt(&meaning, dice);
            return Question { sql, meaning: None, above: None, spoilt: true };
        }
        let plain = self.plain(&meaning, dice);
        if dice.one_in(3) && meaning.sets.len() == 1 {
            let (sql, above) = self.wrapped(&plain, meaning, dice);
            return Question { sql, meaning: None, above: Some(above), spoilt: false };
        }
        Question { sql: plain, meaning: Some(meaning), above: None, spoilt: false }
    }

    /// Draws what is asked: at most three columns in keys and conditions together.
    pub(crate) fn meaning(&self, dice: &mut Dice) -> Meaning {
        let count = [0, 1, 1, 1, 2, 2][dice.below(6)];
        let columns: Vec<&'static str> = self.categories.iter().map(|(name, _)| *name).collect();
        let mut keys: Vec<Key> =
            dice.some(&columns, count).into_iter().map(Key::Category).collect();
        if keys.len() < 2 && dice.one_in(4) {
            let grain: &'static str = dice.of::<&str>(&self.grains);
            keys.push(Key::Date(grain));
        }
        if dice.one_in(6) {
            keys.push(Key::Country);
        }
        let free = 3 - keys.iter().filter(|key| **key != Key::Country).count();
        let sets = vec![(0..keys.len()).collect()];
        let condition = if free == 0 || dice.one_in(2) {
            Condition::All(Vec::new())
        } else {
            // A date is a column too.
            let column = *dice.of(&columns);
            let both = [column, self.date];
            self.condition(&both[..free.min(2)], dice, 2)
        };
        let measures = (0..=dice.below(3))
            .map(|_| {
                let all = [Aggregate::Rows, Aggregate::Units, Aggregate::Sum, Aggregate::Avg];
                (dice.of(&all).clone(), None)
            })
            .collect();
        Meaning { keys, sets, condition, measures }
    }

    /// A condition on these columns, or on the date where there is none.
    fn condition(&self, columns: &[&'static str], dice: &mut Dice, depth: usize) -> Condition {
        let part = |dice: &mut Dice| self.condition(columns, dice, depth - 1);
        if 0 < depth && dice.one_in(3) {
            return match dice.below(3) {
                0 => Condition::All((0..=dice.below(2)).map(|_| part(dice)).collect()),
                1 => Condition::Any((0..=dice.below(2)).map(|_| part(dice)).collect()),
                _ => Condition::Not(Box::new(part(dice))),
            };
        }
        let column = *dice.of(columns);
        if column == self.date {
            return Condition::Since { month: dice.of::<&str>(&self.months) };
        }
        let values = &self.categories.iter().find(|(name, _)| *name == column).unwrap().1;
        match dice.below(6) {
            0 | 1 if self.nullable.contains(&column) => Condition::IsNull { column },
            2 | 3 => {
                let count = 1 + dice.below(3);
                Condition::IsIn { column, values: dice.some(values, count) }
            }
            _ => Condition::Is { column, value: dice.of::<&str>(values) },
        }
    }

    /// The question with nothing above its release.
    fn plain(&self, meaning: &Meaning, dice: &mut Dice) -> String {
        let alias = *dice.of(&["", "", "s", "t1"]);
        let mut columns = Vec::new();
        for (i, key) in meaning.keys.iter().enumerate() {
            columns.push(format!("{} AS k{i}", self.key(key, alias, dice)));
        }
        for (i, (aggregate, filter)) in meaning.measures.iter().enumerate() {
            let mut text = self.aggregate(aggregate, alias, dice);
            if let Some(filter) = filter {
                write!(text, " FILTER (WHERE {})", self.written(filter, alias, dice)).unwrap();
            }
            columns.push(format!("{text} AS v{i}"));
        }
        let mut sql = format!("SELECT {} FROM {}", columns.join(", "), self.name);
        if !alias.is_empty() {
            write!(sql, " AS {alias}").unwrap();
        }
        if meaning.condition != Condition::All(Vec::new()) {
            write!(sql, " WHERE {}", self.written(&meaning.condition, alias, dice)).unwrap();
        }
        sql.push_str(&self.group(meaning, alias, dice));
        if dice.one_in(10) {
            sql = sql.replacen(" FROM ", " /* FROM nothing; */ FROM ", 1);
        }
        sql
    }

    fn group(&self, meaning: &Meaning, alias: &str, dice: &mut Dice) -> String {
        let whole: Vec<usize> = (0..meaning.keys.len()).collect();
        if meaning.keys.is_empty() {
            return String::new();
        }
        let key = |i: &usize, dice: &mut Dice| self.key(&meaning.keys[*i], alias, dice);
        if meaning.sets == [whole] {
            let positions = dice.one_in(3);
            let keys: Vec<String> = (0..meaning.keys.len())
                .map(|i| if positions { (i + 1).to_string() } else { key(&i, dice) })
                .collect();
            return format!(" GROUP BY {}", keys.join(", "));
        }
        let sets: Vec<String> = meaning
            .sets
            .iter()
            .map(|set| {
                let keys: Vec<String> = set.iter().map(|i| key(i, dice)).collect();
                format!("({})", keys.join(", "))
            })
            .collect();
        format!(" GROUP BY GROUPING SETS ({})", sets.join(", "))
    }

    fn key(&self, key: &Key, alias: &str, dice: &mut Dice) -> String {
        match key {
            Key::Category(column) => qualified(alias, column, dice),
            Key::Country => qualified(alias, "country", dice),
            // One way to write it within a question: an expression is a key by being the same expression.
            Key::Date(grain) => {
                let date = if alias.is_empty() {
                    self.date.to_owned()
                } else {
                    format!("{alias}.{}", self.date)
                };
                format!("date_trunc('{grain}', {date})")
            }
        }
    }

    fn aggregate(&self, aggregate: &Aggregate, alias: &str, dice: &mut Dice) -> String {
        match aggregate {
            Aggregate::Avg => format!("avg({})", qualified(alias, self.measure, dice)),
            Aggregate::Rows => (*dice.of(&["count(*)", "COUNT(*)", "count(1)"])).to_owned(),
            Aggregate::Sum => format!("sum({})", qualified(alias, self.measure, dice)),
            Aggregate::Units => format!("count(DISTINCT {})", qualified(alias, self.unit, dice)),
        }
    }

    fn written(&self, condition: &Condition, alias: &str, dice: &mut Dice) -> String {
        let join = |parts: &[Condition], word: &str, dice: &mut Dice| {
            let parts: Vec<String> =
                parts.iter().map(|part| self.written(part, alias, dice)).collect();
            format!("({})", parts.join(word))
        };
        match condition {
            Condition::All(parts) if parts.is_empty() => "TRUE".to_owned(),
            Condition::Any(parts) if parts.is_empty() => "FALSE".to_owned(),
            Condition::All(parts) => join(parts, " AND ", dice),
            Condition::Any(parts) => join(parts, " OR ", dice),
            Condition::Is { column, value } => {
                let column = qualified(alias, column, dice);
                match dice.below(4) {
                    0 => format!("'{value}' = {column}"),
                    1 => format!("NOT ({column} <> '{value}')"),
                    _ => format!("{column} = '{value}'"),
                }
            }
            Condition::IsIn { column, values } => {
                let column = qualified(alias, column, dice);
                if dice.one_in(4) {
                    let parts: Vec<String> =
                        values.iter().map(|value| format!("{column} = '{value}'")).collect();
                    return format!("({})", parts.join(" OR "));
                }
                let values: Vec<String> = values.iter().map(|value| format!("'{value}'")).collect();
                format!("{column} IN ({})", values.join(", "))
            }
            Condition::IsNull { column } => {
                format!("{} IS NULL", qualified(alias, column, dice))
            }
            Condition::Not(part) => format!("NOT ({})", self.written(part, alias, dice)),
            Condition::Since { month } => {
                format!("{} >= DATE '{month}'", qualified(alias, self.date, dice))
            }
        }
    }

    /// Something is computed above the release; the same above a table of the release's cells.
    fn wrapped(&self, plain: &str, meaning: Meaning, dice: &mut Dice) -> (String, Above) {
        let key = if meaning.keys.is_empty() { "1" } else { "k0" };
        let choice = dice.below(9);
        let number = if choice == 3 { dice.below(40) } else { 1 + dice.below(5) };
        let above = |one: &str, other: &str| match choice {
            0 => format!("SELECT * FROM ({one}) q ORDER BY v0 DESC"),
            1 => format!("WITH q AS ({one}) SELECT {key}, v0 * 2 AS w FROM q"),
            2 => format!("SELECT {key}, rank() OVER (ORDER BY v0) AS r FROM ({one}) q"),
            3 => format!("SELECT {key}, v0 FROM ({one}) q WHERE v0 > {number}"),
            4 => format!("SELECT sum(v0) AS total, count(*) AS cells FROM ({one}) q"),
            5 => format!("{one} UNION ALL {other}"),
            6 if !meaning.keys.is_empty() => {
                format!("SELECT a.k0, a.v0, b.v0 AS w FROM ({one}) a JOIN ({one}) b ON a.k0 = b.k0")
            }
            7 => format!(
                "SELECT {key}, CASE WHEN v0 > 10 THEN 'many' ELSE 'few' END AS size FROM ({one}) q"
            ),
            _ => format!(
                "SELECT {key}, round(100.0 * v0 / sum(v0) OVER (), 1) AS pct FROM ({one}) q"
            ),
        };
        let cells = format!("SELECT * FROM {CELLS}");
        let over = above(&cells, &cells);
        let mut sql = above(plain, &self.plain(&meaning, dice));
        let limit = (choice == 0).then_some(number);
        if let Some(limit) = limit {
            write!(sql, " LIMIT {limit}").unwrap();
        }
        (sql, Above { meaning, sql: over, limit })
    }

    /// Something that no country answers, or damage.
    fn spoilt(&self, meaning: &Meaning, dice: &mut Dice) -> String {
        let plain = self.plain(meaning, dice);
        let hidden = *dice.of(&self.hidden);
        let (table, unit, date, measure) = (self.name, self.unit, self.date, self.measure);
        match dice.below(22) {
            0 => format!("SELECT {hidden}, count(*) FROM {table} GROUP BY {hidden}"),
            1 => format!("SELECT * FROM {table} WHERE {unit} = 'x'"),
            2 => format!("SELECT {unit}, count(*) FROM {table} GROUP BY {unit}"),
            3 => format!("SELECT count(*) FROM {table} WHERE {measure} > {}", dice.below(100)),
            4 => format!("SELECT count(*) FROM {table} WHERE {unit} LIKE 'P-%'"),
            5 => format!("SELECT {date}, count(*) FROM {table} GROUP BY {date}"),
            6 => format!("SELECT max({hidden}) FROM {table}"),
            7 => format!("SELECT min({measure}), max({measure}) FROM {table}"),
            8 => format!("SELECT sum({measure} * 2) FROM {table}"),
            9 => format!("SELECT count(*) FROM {table} WHERE 1 / 0 = 1"),
            10 => format!("SELECT count(*) FROM {table} a JOIN {table} b ON a.{date} = b.{date}"),
            11 => format!("SELECT count(*) FROM (SELECT * FROM {table} LIMIT 3) q"),
            12 => format!("EXPLAIN VERBOSE {plain}"),
            13 => format!("{plain}; {plain}"),
            14 => format!("SELECT random(), count(*) FROM {table} GROUP BY 1"),
            15 => plain.replacen("count(", "approx_distinct(", 1) + " HAVING",
            16 => plain.replacen(table, "no_such_table", 1),
            17 => format!("SELECT cast({hidden} AS int) FROM {table}"),
            18 => format!("SELECT sum(cast({unit} AS int)) FROM {table}"),
            19 => format!("SELECT count(*) FROM {table} WHERE {date} >= DATE '2024-01-17'"),
            _ => damaged(&plain, dice),
        }
    }
}

fn qualified(alias: &str, column: &str, dice: &mut Dice) -> String {
    let column = match dice.below(8) {
        0 => column.to_uppercase(),
        1 => format!("\"{column}\""),
        _ => column.to_owned(),
    };
    if alias.is_empty() || dice.one_in(3) { column } else { format!("{alias}.{column}") }
}

/// A piece is cut out, doubled or replaced: mostly no SQL any more.
fn damaged(sql: &str, dice: &mut Dice) -> String {
    let characters: Vec<char> = sql.chars().collect();
    let from = dice.below(characters.len());
    let to = (from + 1 + dice.below(6)).min(characters.len());
    let piece: String = characters[from..to].iter().collect();
    let (before, after): (String, String) =
        (characters[..from].iter().collect(), characters[to..].iter().collect());
    let middle = match dice.below(4) {
        0 => String::new(),
        1 => format!("{piece}{piece}"),
        2 => (*dice.of(&["'", "(", ")", ",", "\u{0}", "\"", "--", "/*", ";", "é", "NULL", "%"]))
            .to_owned(),
        _ => piece.to_uppercase(),
    };
    format!("{before}{middle}{after}")
}
