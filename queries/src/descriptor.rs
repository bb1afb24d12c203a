//! Which rows a cell of a release is about, in one form for every way to ask for them.
//!
//! The difference guard of a node remembers what it released. It has to know that `WHERE region <> 'x'`, `NOT (region =
//! 'x')` and the sum over all other regions by name are about the same rows, and it must never take two sets of rows for
//! the same that can differ. So filter and keys become one predicate that is true or false (a row passes where SQL says
//! true, and neither where it says false nor where it says null), every condition becomes a set of values of a plain
//! column (days for a month, all codes of a chapter), and the predicate becomes a decision diagram, which is the same for
//! all predicates that the same rows pass. `country` is a constant: in the node's own country a condition on it vanishes.

mod diagram;
mod values;

use crate::plan::calendar::start;
use crate::release::Release;
use diagram::{Tree, as_written, canonical, write_text};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Column, Dataset, Kind, LevelRule, Named, Range};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Country;
use std::collections::BTreeMap;
use values::{Values, behind_prefix};

/// The form of these bytes. It grows when they change for the same rows.
const VERSION: u8 = 1;

/// The sets of rows that one release of one node is about.
#[derive(Debug)]
pub struct RowSets<'a> {
    dataset: &'a Dataset,
    keys: &'a [LevelRef],
    own: &'a Country,
    /// The columns in the order of their names, and what values they can have.
    columns: BTreeMap<&'a str, usize>,
    domains: Vec<Values>,
    filter: Tree,
}

/// What SQL says of a predicate; of some rows it says neither.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Said {
    False,
    True,
}

impl Said {
    fn opposite(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::True => Self::False,
        }
    }
}

impl Release {
    /// The sets of rows that the cells of this release are about in this country, where the policy lets it see `rows`.
    /// `None` if the release does not fit the dataset.
    pub fn row_sets<'a>(
        &'a self,
        rows: &Predicate,
        dataset: &'a Dataset,
        own: &'a Country,
    ) -> Option<RowSets<'a>> {
        let mut columns: Vec<&Column> = dataset.columns.iter().collect();
        columns.sort_by_key(|column| column.name.as_str());
        let domains = columns.iter().map(|column| domain(column)).collect();
        let columns = columns.iter().enumerate().map(|(i, of)| (of.name.as_str(), i)).collect();
        let filter = Tree::Constant(true);
        let mut sets = RowSets { dataset, keys: &self.keys, own, columns, domains, filter };
        sets.filter =
            Tree::all(vec![sets.tree(&self.filter, Said::True)?, sets.tree(rows, Said::True)?]);
        Some(sets)
    }

    /// The canonical bytes of the rows of one cell, where the policy shows all rows: the same for every way to ask for
    /// them, different for any rows that can differ.
    pub fn descriptor(
        &self,
        key: &[Option<Literal>],
        dataset: &Dataset,
        own: &Country,
    ) -> Option<Vec<u8>> {
        self.row_sets(&Predicate::everything(), dataset, own)?.descriptor(None, key)
    }
}

impl RowSets<'_> {
    /// The canonical bytes of the rows of one cell: those with these keys that also pass the `FILTER` of a measure.
    pub fn descriptor(
        &self,
        population: Option<&Predicate>,
        key: &[Option<Literal>],
    ) -> Option<Vec<u8>> {
        if key.len() != self.keys.len() {
            return None;
        }
        let mut parts = vec![self.filter.clone()];
        parts.extend(
            population
                .map(|filter| self.tree(filter, Said::True))
                .into_iter()
                .collect::<Option<Vec<_>>>()?,
        );
        for (level, value) in self.keys.iter().zip(key) {
            parts.push(match value {
                Some(value) => self.compared(level, Comparison::Equal, value, Said::True)?,
                None => self.nothing(level, Said::True)?,
            });
        }
        let tree = Tree::all(parts);
        let names: Vec<&str> = self.columns.keys().copied().collect();
        let mut bytes = vec![VERSION];
        write_text(&mut bytes, self.dataset.name.as_str());
        match canonical(&tree, &self.domains, &names) {
            Some(diagram) => bytes.extend(diagram),
            None => as_written(&tree, &names, &mut bytes),
        }
        Some(bytes)
    }

    /// The rows for which SQL says `said` of a predicate; there are others for which it says neither.
    fn tree(&self, predicate: &Predicate, said: Said) -> Option<Tree> {
        let all = |parts: &[Predicate]| {
            parts.iter().map(|part| self.tree(part, said)).collect::<Option<Vec<_>>>()
        };
        match predicate {
            Predicate::All(parts) if said == Said::True => all(parts).map(Tree::all),
            Predicate::Any(parts) if said == Said::True => all(parts).map(Tree::any),
            Predicate::All(parts) => all(parts).map(Tree::any),
            Predicate::Any(parts) => all(parts).map(Tree::all),
            Predicate::Not(part) => self.tree(part, said.opposite()),
            Predicate::IsNull { level } => self.nothing(level, said),
            Predicate::Compare { level, comparison, value } => {
                self.compared(level, *comparison, value, said)
            }
            Predicate::In { level, values } => {
                let equal = |value| self.compared(level, Comparison::Equal, value, Said::True);
                let any = Tree::any(values.iter().map(equal).collect::<Option<_>>()?);
                if said == Said::True { Some(any) } else { self.otherwise(level, &any) }
            }
        }
    }

    fn nothing(&self, level: &LevelRef, said: Said) -> Option<Tree> {
        if level.column.as_str() == COUNTRY_COLUMN {
            return Some(Tree::Constant(said == Said::False));
        }
        let set = if said == Said::True { Values::nothing() } else { Values::something() };
        self.within(self.dataset.named(level)?.column()?, &set)
    }

    fn compared(
        &self,
        level: &LevelRef,
        comparison: Comparison,
        value: &Literal,
        said: Said,
    ) -> Option<Tree> {
        let named = self.dataset.named(level)?;
        let Some(column) = named.column() else {
            let own = Literal::Text(self.own.as_str().to_owned());
            return Some(Tree::Constant(holds(&own, comparison, value) == (said == Said::True)));
        };
        let set = base_values(named, comparison, value)?;
        let set = if said == Said::True { set } else { Values::something().minus(&set) };
        self.within(column, &set)
    }

    /// The rows that have a value of the level for which a set of values does not hold.
    fn otherwise(&self, level: &LevelRef, any: &Tree) -> Option<Tree> {
        let something = self.nothing(level, Said::False)?;
        Some(match any {
            Tree::Constant(true) => Tree::Constant(false),
            Tree::Constant(false) => something,
            Tree::In(column, set) => {
                let domain = self.domains.get(*column)?;
                self.set(*column, Values::something().and(domain).minus(set))
            }
            Tree::All(_) | Tree::Any(_) => return None,
        })
    }

    fn within(&self, column: &Column, set: &Values) -> Option<Tree> {
        let number = *self.columns.get(column.name.as_str())?;
        let domain = self.domains.get(number)?;
        Some(self.set(number, set.and(domain)))
    }

    fn set(&self, column: usize, set: Values) -> Tree {
        if set.is_empty() {
            Tree::Constant(false)
        } else if self.domains.get(column) == Some(&set) {
            Tree::Constant(true)
        } else {
            Tree::In(column, set)
        }
    }
}

/// All values that a column can have, in any country.
fn domain(column: &Column) -> Values {
    let values = match (&column.kind, column.range) {
        (Kind::Category { values: Some(values) }, _) => any_text(values),
        (_, Some(Range::Dates { from, to })) => {
            Values::range(Literal::Date(from), to.checked_add(1).map(Literal::Date))
        }
        (_, Some(Range::Numbers { from, to })) => {
            Values::range(Literal::Int(from), to.checked_add(1).map(Literal::Int))
        }
        (
            Kind::Category { values: None }
            | Kind::Date {}
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Number {}
            | Kind::Unit {},
            None,
        ) => Values::something(),
    };
    if column.required { values } else { values.or(&Values::nothing()) }
}

fn any_text(texts: &[String]) -> Values {
    let exactly = |text: &String| Values::exactly(Literal::Text(text.clone()));
    texts.iter().map(exactly).fold(Values::none(), |all, one| all.or(&one))
}

fn holds(own: &Literal, comparison: Comparison, value: &Literal) -> bool {
    match comparison {
        Comparison::Equal => own == value,
        Comparison::Greater => own > value,
        Comparison::GreaterOrEqual => own >= value,
        Comparison::Less => own < value,
        Comparison::LessOrEqual => own <= value,
        Comparison::NotEqual => own != value,
    }
}

/// The values of the column itself whose level compares so with a constant. `None` for a constant that is of another type.
fn base_values(named: Named<'_>, comparison: Comparison, value: &Literal) -> Option<Values> {
    match (named, value) {
        (Named::Plain(_) | Named::Period(_, Grain::Day), value) => {
            Some(Values::compared(comparison, value))
        }
        (Named::Period(_, grain), Literal::Date(day)) => periods(grain, comparison, *day),
        (Named::Coarser(_, level), value @ Literal::Text(text)) => Some(match &level.is {
            LevelRule::Prefix(length) => prefixes(usize::from(*length), comparison, text),
            LevelRule::Bands { edges, names, .. } => {
                let starts = std::iter::once(None).chain(edges.iter().copied().map(Some));
                let ends = edges.iter().copied().map(Some).chain([None]);
                let bands = starts
                    .zip(ends)
                    .zip(names)
                    .filter(|(_, name)| holds(&Literal::Text((*name).clone()), comparison, value));
                bands.fold(Values::none(), |all, ((start, end), _)| all.or(&band(start, end)))
            }
            LevelRule::Groups { groups, other } => {
                let fits = |name: &String| holds(&Literal::Text(name.clone()), comparison, value);
                let (mut listed, mut found) = (Values::none(), Values::none());
                for (name, values) in groups {
                    let new = any_text(values).minus(&listed);
                    listed = listed.or(&new);
                    if fits(name) {
                        found = found.or(&new);
                    }
                }
                match other {
                    Some(other) if fits(other) => found.or(&Values::something().minus(&listed)),
                    Some(_) | None => found,
                }
            }
        }),
        (Named::Country, _)
        | (Named::Period(..), Literal::Bool(_) | Literal::Int(_) | Literal::Text(_))
        | (Named::Coarser(..), Literal::Bool(_) | Literal::Date(_) | Literal::Int(_)) => None,
    }
}

fn band(start: Option<i64>, end: Option<i64>) -> Values {
    let end = end.map(Literal::Int);
    match start {
        Some(start) => Values::range(Literal::Int(start), end),
        None => Values::before(end),
    }
}

/// The days whose period's first day compares so with a day.
fn periods(grain: Grain, comparison: Comparison, day: i32) -> Option<Values> {
    let first = start(day, grain)?;
    let after = start(first.checked_add(longest(grain))?, grain)?;
    let less = if first == day { day } else { after };
    let days = |end: i32| Values::before(Some(Literal::Date(end)));
    Some(Values::by(comparison, || days(less), || days(after)))
}

/// Longer than every such period, shorter than two of them, or exactly one.
fn longest(grain: Grain) -> i32 {
    match grain {
        Grain::Day => 1,
        Grain::Month => 31,
        Grain::Quarter => 92,
        Grain::Year => 366,
    }
}

/// The texts whose first characters compare so with a text.
fn prefixes(length: usize, comparison: Comparison, text: &str) -> Values {
    let beginning: String = text.chars().take(length).collect();
    let behind = || Values::before(behind_prefix(&beginning));
    let characters = text.chars().count();
    let less = || {
        if characters > length {
            behind()
        } else {
            Values::before(Some(Literal::Text(text.to_owned())))
        }
    };
    let up_to = || {
        if characters < length {
            Values::before(values::next(&Literal::Text(text.to_owned())))
        } else {
            behind()
        }
    };
    Values::by(comparison, less, up_to)
}

#[cfg(test)]
mod tests;
