//! Declared joins: two datasets of one country read as one, row by row.
//!
//! A join of `seizure_items` with `seizures` is a dataset of its own, made of the two: every row of the first meets at most
//! one row of the second, so no row is multiplied and no unit counted twice. It has the columns of the first, and those of
//! the second under names like `seizures__seized_on`; it protects the units of both. It exists in plans only: neither
//! policies nor questions name it, they name its two datasets.

use super::{COUNTRY_COLUMN, Catalogue, Column, Dataset, JoinPath, Kind, Unit, Units};
use crate::shape::{LevelRef, Predicate};
use mayag_protocol::names::{ColumnName, DatasetName};
use mayag_protocol::refusal::Refusal;
use std::collections::BTreeSet;

/// What stands between the names of two datasets, and between the name of a dataset and of one of its columns. No name of
/// a catalogue holds it.
pub(crate) const BETWEEN: &str = "__";

/// A join that the catalogue declares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Join<'a> {
    many: &'a Dataset,
    one: &'a Dataset,
    on: &'a [ColumnName],
}

/// What a joined dataset was made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    /// The dataset whose rows it has.
    pub many: DatasetName,
    /// The dataset that each of them meets at most one row of.
    pub one: DatasetName,
    /// The columns whose values are equal, named alike in both.
    pub on: Vec<ColumnName>,
}

impl Catalogue {
    /// A dataset, or the joined dataset of this name.
    pub fn source(&self, name: &DatasetName) -> Option<&Dataset> {
        let joined = || self.joined.iter().find(|dataset| dataset.name == *name);
        self.dataset(name.as_str()).or_else(joined)
    }

    /// Every joined dataset. O(joins · columns).
    pub(super) fn all_joined(&self) -> Vec<Dataset> {
        let join = |(many, path): (_, &JoinPath)| Join::of(many, self.dataset(path.with.as_str())?);
        self.joins().filter_map(join).filter_map(|join| join.dataset()).collect()
    }

    /// The join that a joined dataset of this name is.
    pub fn join_named(&self, name: &DatasetName) -> Option<Join<'_>> {
        let (many, one) = name.as_str().split_once(BETWEEN)?;
        Join::of(self.dataset(many)?, self.dataset(one)?)
    }

    /// All joins in which no row is multiplied, with the dataset that declares each.
    pub fn joins(&self) -> impl Iterator<Item = (&Dataset, &JoinPath)> {
        self.datasets.iter().flat_map(|dataset| {
            dataset.joins.iter().filter(|path| !path.many).map(move |path| (dataset, path))
        })
    }

    /// A refusal about a joined dataset with the names that people write.
    #[must_use]
    pub fn with_own_names(&self, refusal: Refusal) -> Refusal {
        let prefixes: BTreeSet<String> =
            self.joins().map(|(_, path)| format!("{}{BETWEEN}", path.with)).collect();
        let own = |text: &str| {
            prefixes.iter().fold(text.to_owned(), |text, prefix| text.replace(prefix, ""))
        };
        refusal.reworded(own)
    }

    /// The datasets of policies that a dataset of a release is made of: itself, or two.
    pub fn parts_of(&self, name: &DatasetName) -> Vec<DatasetName> {
        match self.join_named(name) {
            Some(join) => vec![join.many.name.clone(), join.one.name.clone()],
            None => vec![name.clone()],
        }
    }
}

impl<'a> Join<'a> {
    /// The declared join of two datasets in which every row of the first meets at most one row of the second.
    pub fn of(many: &'a Dataset, one: &'a Dataset) -> Option<Self> {
        let path = many.joins.iter().find(|path| path.with == one.name && !path.many)?;
        Some(Join { many, one, on: &path.on })
    }

    /// The dataset whose rows the joined dataset has.
    pub fn many(&self) -> &'a Dataset {
        self.many
    }

    /// The other dataset.
    pub fn one(&self) -> &'a Dataset {
        self.one
    }

    /// The columns whose values are equal, named alike in both.
    pub fn on(&self) -> &'a [ColumnName] {
        self.on
    }

    /// The name of the joined dataset. `None` only where it would be too long.
    pub fn name(&self) -> Option<DatasetName> {
        format!("{}{BETWEEN}{}", self.many.name, self.one.name).parse().ok()
    }

    /// The joined dataset. `None` only where a name would be too long: no catalogue that was read has such a join.
    pub(super) fn dataset(&self) -> Option<Dataset> {
        let (many, one) = (self.many, self.one);
        let mut columns = many.columns.clone();
        for column in one.columns.iter().filter(|column| !matches!(column.kind, Kind::Hidden {})) {
            columns.push(Column { name: self.column(&column.name)?, ..column.clone() });
        }
        let mut others = Vec::new();
        for unit in one.units.iter() {
            // Several rows can meet the same row there.
            others.push(Unit { column: self.column(&unit.column)?, unique: false, ..unit.clone() });
        }
        // Persons first, and of them those that more rows belong to: noise is scaled to what one of them contributes.
        let mut units: Vec<Unit> = many.units.iter().cloned().collect();
        let (persons, others): (Vec<Unit>, Vec<Unit>) =
            others.into_iter().partition(|unit| unit.person);
        units.splice(0..0, persons);
        units.extend(others);
        Some(Dataset {
            name: self.name()?,
            about: many.about.clone(),
            units: Units::try_from(units).ok()?,
            columns,
            joins: Vec::new(),
            joined: Some(self.joined()),
        })
    }

    /// What it is made of, apart from the datasets themselves.
    fn joined(&self) -> Joined {
        Joined { many: self.many.name.clone(), one: self.one.name.clone(), on: self.on.to_vec() }
    }

    /// The name in the joined dataset of a column, or a level of one, of the second dataset.
    pub fn column(&self, name: &ColumnName) -> Option<ColumnName> {
        joined_name(&self.one.name, name)
    }

    /// A level of the second dataset as one of the joined dataset. `country` is the same in both.
    pub fn level(&self, level: &LevelRef) -> Option<LevelRef> {
        self.joined().level(level)
    }

    /// A predicate over rows of the second dataset as one over rows of the joined dataset.
    pub fn predicate(&self, predicate: &Predicate) -> Option<Predicate> {
        self.joined().predicate(predicate)
    }
}

/// The name of a joined dataset, or of a column of its second dataset, as people write it, with `between` in the middle: no
/// other name holds two underlines in a row.
pub fn written_name(name: &str, between: &str) -> String {
    name.replace(BETWEEN, between)
}

fn joined_name(one: &DatasetName, name: &ColumnName) -> Option<ColumnName> {
    format!("{one}{BETWEEN}{name}").parse().ok()
}

impl Dataset {
    /// The dataset and the column that a column of this dataset comes from: this one's own, unless it is a joined dataset.
    pub fn origin<'a>(&'a self, column: &'a str) -> (&'a DatasetName, &'a str) {
        match &self.joined {
            None => (&self.name, column),
            Some(joined) => match joined.own_name(column) {
                Some(own) => (&joined.one, own),
                None => (&joined.many, column),
            },
        }
    }

    /// Whether values of a column stand in several rows because of the join.
    pub fn repeats(&self, column: &ColumnName) -> bool {
        self.joined.as_ref().is_some_and(|joined| joined.own_name(column.as_str()).is_some())
    }

    /// The same dataset, with the kind of units of this column as the first: the one that is counted.
    pub fn counting(&self, column: &ColumnName) -> Option<Self> {
        let mut units: Vec<Unit> = self.units.iter().cloned().collect();
        let at = units.iter().position(|unit| unit.column == *column)?;
        units.get_mut(..=at)?.rotate_right(1);
        Some(Self { units: Units::try_from(units).ok()?, ..self.clone() })
    }
}

impl Joined {
    /// A level of the second dataset as one of the joined dataset. `country` is the same in both.
    pub fn level(&self, level: &LevelRef) -> Option<LevelRef> {
        if level.column.as_str() == COUNTRY_COLUMN {
            return Some(level.clone());
        }
        Some(LevelRef { column: joined_name(&self.one, &level.column)?, grain: level.grain })
    }

    /// A predicate over rows of the second dataset as one over rows of the joined dataset.
    pub fn predicate(&self, predicate: &Predicate) -> Option<Predicate> {
        predicate.with_levels(&|level| self.level(level))
    }

    /// The name in the second dataset of one of its columns; `None` for a column of the first.
    pub fn own_name<'a>(&self, column: &'a str) -> Option<&'a str> {
        column.strip_prefix(self.one.as_str())?.strip_prefix(BETWEEN)
    }
}

#[cfg(test)]
mod tests {
    use crate::catalogue::Catalogue;

    #[test]
    fn a_join_has_the_rows_of_one_and_the_units_of_both() {
        let catalogue = Catalogue::domain_pack();
        let dataset = catalogue.source(&"fin_transactions__fin_accounts".parse().unwrap()).unwrap();
        let units: Vec<&str> = dataset.units.iter().map(|unit| unit.column.as_str()).collect();
        let expected =
            ["fin_accounts__person_id", "account_id", "tx_id", "fin_accounts__account_id"];
        assert_eq!(units, expected);
        assert!(dataset.has_person_unit());
        assert!(dataset.column("fin_accounts__iban").is_none(), "hidden columns stay at home");
        let (home, own) = dataset.origin("fin_accounts__held_in");
        assert_eq!((home.as_str(), own), ("fin_accounts", "held_in"));
        assert_eq!(dataset.origin("channel").0.as_str(), "fin_transactions");
        let counting = dataset.counting(&"tx_id".parse().unwrap()).unwrap();
        let units: Vec<&str> = counting.units.iter().map(|unit| unit.column.as_str()).collect();
        assert_eq!(&units[..2], ["tx_id", "fin_accounts__person_id"]);
    }

    #[test]
    fn a_join_that_multiplies_rows_is_none() {
        let catalogue = Catalogue::domain_pack();
        assert!(catalogue.source(&"fin_accounts__fin_transactions".parse().unwrap()).is_none());
        assert!(catalogue.source(&"seizures__laboratories".parse().unwrap()).is_none());
    }
}
