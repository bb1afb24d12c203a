//! What a cell is, whatever the spelling of the question: for every column the values that filter and keys leave of it.
//!
//! Two cells of one description are the same rows of the same data. A conjunction is described column by column, as a set
//! of values where the column's values are public, so that redundant conditions, their order and the level at which they
//! are written do not matter. Everything else is described as it is written, put in order: two such cells may be the same
//! rows under two descriptions, and then the second one is withheld, which is safe.

use mayag_audit::keys::sha256;
use mayag_disclosure::Descriptor;
use mayag_policies::catalogue::{COUNTRY_COLUMN, Column, Dataset, Kind, Named};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Country;
use std::collections::BTreeMap;

/// Whether a predicate holds where `value` says what each level is; `None` where SQL does not know.
pub(super) fn holds(
    predicate: &Predicate,
    value: &dyn Fn(&LevelRef) -> Option<Literal>,
) -> Option<bool> {
    match predicate {
        Predicate::All(parts) => parts
            .iter()
            .try_fold(Some(true), |all, part| match holds(part, value) {
                Some(false) => Err(()),
                Some(true) => Ok(all),
                None => Ok(None),
            })
            .unwrap_or(Some(false)),
        Predicate::Any(parts) => parts
            .iter()
            .try_fold(Some(false), |any, part| match holds(part, value) {
                Some(true) => Err(()),
                Some(false) => Ok(any),
                None => Ok(None),
            })
            .unwrap_or(Some(true)),
        Predicate::Compare { level, comparison, value: constant } => {
            let order = value(level)?.cmp(constant);
            Some(match comparison {
                Comparison::Equal => order.is_eq(),
                Comparison::Greater => order.is_gt(),
                Comparison::GreaterOrEqual => order.is_ge(),
                Comparison::Less => order.is_lt(),
                Comparison::LessOrEqual => order.is_le(),
                Comparison::NotEqual => order.is_ne(),
            })
        }
        Predicate::In { level, values } if values.is_empty() => {
            let _nothing_is_in_an_empty_list = level;
            Some(false)
        }
        Predicate::In { level, values } => Some(values.contains(&value(level)?)),
        Predicate::IsNull { level } => Some(value(level).is_none()),
        Predicate::Not(part) => holds(part, value).map(|holds| !holds),
    }
}

/// Where descriptions are about: a dataset as one country shows it.
#[derive(Debug)]
pub(super) struct Describer<'a> {
    pub(super) country: &'a Country,
    pub(super) dataset: &'a Dataset,
    /// The rows that the policy lets people see.
    pub(super) rows: &'a Predicate,
    domains: BTreeMap<String, Option<Vec<Option<Literal>>>>,
    conditions: BTreeMap<String, Vec<Predicate>>,
    others: Vec<String>,
}

impl<'a> Describer<'a> {
    /// Of cells of a release with this filter.
    pub(super) fn new(
        country: &'a Country,
        dataset: &'a Dataset,
        rows: &'a Predicate,
        filter: &Predicate,
    ) -> Self {
        let mut describer = Self {
            country,
            dataset,
            rows,
            domains: BTreeMap::new(),
            conditions: BTreeMap::new(),
            others: Vec::new(),
        };
        describer.add(filter);
        describer
    }

    /// The description of the cell with these keys, and of the part of it that passes `also`. What does not pass is
    /// described by `NOT (.. IS TRUE)`, which is no condition of ours: the caller says so with `passes`.
    pub(super) fn describe(
        &mut self,
        keys: &[(&LevelRef, Option<Literal>)],
        also: Part<'_>,
    ) -> Descriptor {
        let (conditions, others) = (self.conditions.clone(), self.others.clone());
        for (level, value) in keys {
            let level = (*level).clone();
            self.add(&match value {
                Some(value) => Predicate::Compare {
                    level,
                    comparison: Comparison::Equal,
                    value: value.clone(),
                },
                None => Predicate::IsNull { level },
            });
        }
        match also {
            Part::Everything => {}
            Part::Where(filter) => self.add(filter),
            Part::Except(filter) => self.others.push(format!("except {}", text(filter))),
        }
        let described = self.text();
        (self.conditions, self.others) = (conditions, others);
        let digest = sha256(described.as_bytes());
        let bytes = mayag_protocol::names::unhex(digest.as_str()).unwrap_or_default();
        Descriptor(bytes.first_chunk().copied().unwrap_or_default())
    }

    /// Adds a condition that every row of the cell passes.
    fn add(&mut self, condition: &Predicate) {
        if let Predicate::All(parts) = condition {
            for part in parts {
                self.add(part);
            }
            return;
        }
        let columns: Vec<String> =
            condition.levels().iter().filter_map(|level| self.column_of(level)).collect();
        match columns.split_first() {
            // About the country alone: a constant, which every row passes or none.
            None => match holds(condition, &|_| Some(self.own_country())) {
                Some(true) => {}
                Some(false) | None => self.others.push("nothing".to_owned()),
            },
            Some((first, rest)) if rest.iter().all(|other| other == first) => {
                let about_country =
                    condition.levels().iter().any(|level| level.column.as_str() == COUNTRY_COLUMN);
                if about_country {
                    self.others.push(text(condition));
                } else {
                    self.conditions.entry(first.clone()).or_default().push(condition.clone());
                }
            }
            Some(_) => self.others.push(text(condition)),
        }
    }

    fn own_country(&self) -> Literal {
        Literal::Text(self.country.to_string())
    }

    /// The base column of a level; `None` for the country.
    fn column_of(&self, level: &LevelRef) -> Option<String> {
        match self.dataset.named(level) {
            Some(named) => named.column().map(|column| column.name.to_string()),
            None => Some(level.to_string()),
        }
    }

    fn text(&mut self) -> String {
        let mut described = format!("{} of {}\n", self.dataset.name, text(self.rows));
        for (column, conditions) in std::mem::take(&mut self.conditions) {
            let domain =
                self.domains.entry(column.clone()).or_insert_with(|| domain(self.dataset, &column));
            let of_column = match domain {
                Some(domain) => left_of(self.dataset, domain, &conditions),
                None => Some(in_order(conditions.iter().map(text))),
            };
            if let Some(left) = of_column {
                described.push_str(&format!("{column}: {left}\n"));
            }
        }
        described + &in_order(self.others.drain(..))
    }
}

/// A part of a cell.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part<'a> {
    /// All of it.
    Everything,
    /// The rows that do not pass.
    Except(&'a Predicate),
    /// The rows that pass.
    Where(&'a Predicate),
}

/// The values of the column itself, where they are public.
fn domain(dataset: &Dataset, column: &str) -> Option<Vec<Option<Literal>>> {
    let column = dataset.column(column)?;
    let grain = matches!(column.kind, Kind::Date {}).then_some(Grain::Day);
    dataset.domain(&LevelRef { column: column.name.clone(), grain })
}

/// Which values of a column conditions leave; nothing said if they leave all.
fn left_of(
    dataset: &Dataset,
    domain: &[Option<Literal>],
    conditions: &[Predicate],
) -> Option<String> {
    let passes = |base: &&Option<Literal>| {
        let value = |level: &LevelRef| dataset.named(level)?.of(base.as_ref());
        conditions.iter().all(|condition| holds(condition, &value) == Some(true))
    };
    let left: Vec<&Option<Literal>> = domain.iter().filter(passes).collect();
    (left.len() < domain.len()).then(|| serde_json::to_string(&left).unwrap_or_default())
}

/// A predicate in one spelling of several: lists in order, each part once, a list of one as a comparison.
fn text(predicate: &Predicate) -> String {
    match predicate {
        Predicate::All(parts) => joined("and", parts),
        Predicate::Any(parts) => joined("or", parts),
        Predicate::Compare { level, comparison: Comparison::Equal, value } => {
            one_of(level, std::slice::from_ref(value))
        }
        Predicate::Compare { level, comparison, value } => {
            format!("{level} {comparison:?} {}", constant(value))
        }
        Predicate::In { level, values } => one_of(level, values),
        Predicate::IsNull { level } => format!("{level} null"),
        Predicate::Not(part) => format!("not {}", text(part)),
    }
}

fn joined(word: &str, parts: &[Predicate]) -> String {
    format!("{word}({})", in_order(parts.iter().map(text)))
}

fn one_of(level: &LevelRef, values: &[Literal]) -> String {
    format!("{level} in({})", in_order(values.iter().map(constant)))
}

/// As JSON, so that no text can look like the end of one.
fn constant(value: &Literal) -> String {
    serde_json::to_string(value).unwrap_or_default()
}

fn in_order(texts: impl Iterator<Item = String>) -> String {
    let mut texts: Vec<String> = texts.collect();
    texts.sort();
    texts.dedup();
    texts.join(",")
}

/// Whether a key says something of units, or when and where they were recorded.
pub(super) fn key_kind(dataset: &Dataset, level: &LevelRef) -> mayag_disclosure::KeyKind {
    match dataset.named(level) {
        Some(Named::Country | Named::Period(..)) => mayag_disclosure::KeyKind::Frame,
        Some(Named::Coarser(column, _) | Named::Plain(column)) => kind_of(column),
        None => mayag_disclosure::KeyKind::Category,
    }
}

fn kind_of(column: &Column) -> mayag_disclosure::KeyKind {
    match column.kind {
        Kind::Date {} => mayag_disclosure::KeyKind::Frame,
        Kind::Category { .. }
        | Kind::Hidden {}
        | Kind::Measure { .. }
        | Kind::Number {}
        | Kind::Unit {} => mayag_disclosure::KeyKind::Category,
    }
}

#[cfg(test)]
mod tests;
