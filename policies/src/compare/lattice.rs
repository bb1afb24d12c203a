//! What a release can need, in so few cases that all releases of one are covered by the same grants.
//!
//! A release is a set of needs: levels to group or filter by, and aggregates. A grant covers it if it covers every need,
//! and if the release combines no more columns than the grant allows. So the grants that cover a release are an
//! intersection of the grants that cover each need, and it is enough to look at every such intersection once.

use crate::catalogue::{COUNTRY_COLUMN, Column, Dataset, Kind};
use crate::compare::TooMany;
use crate::compare::grants::{Both, Set, Side};
use crate::decide::{Need, Said, said};
use crate::document::Grant;
use crate::shape::{Aggregate, Grain, LevelRef, MeasureRef};
use mayag_protocol::names::ColumnName;
use std::collections::{BTreeMap, BTreeSet};

/// One thing that a release can need, and who of all grants covers it.
#[derive(Debug, Clone)]
pub(super) struct Atom {
    pub(super) need: Needed,
    pub(super) covered: Set,
}

/// A need that owns what it names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Needed {
    /// A level of the column with this number in the dataset.
    Level(usize, LevelRef),
    /// An aggregate of the column with this number; the implied column `country` has the number after all others.
    Measure(usize, MeasureRef),
}

/// The grants that cover some releases, and the smallest needs of such a release, as numbers of atoms.
#[derive(Debug, Clone)]
pub(super) struct Case {
    pub(super) covering: Set,
    pub(super) needs: Vec<usize>,
}

/// How many columns are combined, and the grants left.
type Key = (u32, Set);

/// The smallest needs of releases.
type Found = BTreeMap<Key, Vec<usize>>;

/// More intersections than this are not looked at.
const MOST_CASES: usize = 10_000;

/// Everything of a dataset that at least one grant covers. `count(*)` and `country` are covered by every grant.
pub(super) fn atoms(both: &Both<'_, Grant>, dataset: &Dataset) -> Vec<Atom> {
    let mut needs = Vec::new();
    for (i, column) in dataset.columns.iter().enumerate() {
        let levels = levels(column);
        let own = LevelRef { column: column.name.clone(), grain: None };
        // Which of a date's grains its smallest value is shown at is decided like grouping by it.
        let measured: BTreeSet<&LevelRef> = levels.iter().chain([&own]).collect();
        for level in measured {
            needs.extend(aggregates(i, level));
        }
        needs.extend(levels.into_iter().map(|level| Needed::Level(i, level)));
    }
    if let Ok(column) = COUNTRY_COLUMN.parse() {
        needs.extend(aggregates(dataset.columns.len(), &LevelRef { column, grain: None }));
    }
    let atoms = needs.into_iter().map(|need| {
        let covered = both.which(|grant, _| covers(grant, dataset, &need));
        Atom { need, covered }
    });
    atoms.filter(|atom| !atom.covered.is_empty()).collect()
}

fn aggregates(i: usize, level: &LevelRef) -> [Needed; Aggregate::ALL.len()] {
    Aggregate::ALL
        .map(|aggregate| Needed::Measure(i, MeasureRef { aggregate, column: Some(level.clone()) }))
}

fn covers(grant: &Grant, dataset: &Dataset, need: &Needed) -> bool {
    let need = match need {
        Needed::Level(_, level) => Need::Level(level),
        Needed::Measure(_, measure) => Need::Measure(measure),
    };
    said(grant, dataset, &need) == Said::Yes
}

/// Every level that people could name of a column.
fn levels(column: &Column) -> Vec<LevelRef> {
    let own = |grain| LevelRef { column: column.name.clone(), grain };
    let plain = match &column.kind {
        Kind::Category { .. } | Kind::Number {} => vec![own(None)],
        Kind::Date {} => Grain::ALL.map(|grain| own(Some(grain))).to_vec(),
        Kind::Hidden {} | Kind::Measure { .. } | Kind::Unit {} => Vec::new(),
    };
    let coarser = column.levels.iter().filter_map(|level| column.virtual_name(level));
    plain.into_iter().chain(coarser.map(|column| LevelRef { column, grain: None })).collect()
}

/// The grants that cover each need alone, of those that a person may use; all these grants for `count(*)`.
pub(super) fn alone(both: &Both<'_, Grant>, usable: &Set, atom: &Atom) -> Set {
    let covering = usable.and(&atom.covered);
    limited(both, &covering, u32::from(matches!(atom.need, Needed::Level(..))))
}

/// Every case of releases whose needs are each covered under both policies, the smallest needs first. What is covered
/// under one policy only is a difference by itself, and needs no combination to be found.
pub(super) fn cases(
    both: &Both<'_, Grant>,
    usable: &Set,
    atoms: &[Atom],
) -> Result<Vec<Case>, TooMany> {
    let mut measures: BTreeMap<Set, usize> = BTreeMap::new();
    let mut levels: BTreeMap<usize, BTreeMap<Set, usize>> = BTreeMap::new();
    for (i, atom) in atoms.iter().enumerate() {
        let covering = alone(both, usable, atom);
        if both.of(&covering, Side::Old).is_empty() || both.of(&covering, Side::New).is_empty() {
            continue;
        }
        let covered = usable.and(&atom.covered);
        match &atom.need {
            Needed::Measure(..) => measures.entry(covered).or_insert(i),
            Needed::Level(column, _) => {
                levels.entry(*column).or_default().entry(covered).or_insert(i)
            }
        };
    }
    let mut found = Found::from([((0, usable.clone()), Vec::new())]);
    for (covered, i) in &measures {
        let before = found.clone();
        extend(&mut found, &before, covered, (*i, 0))?;
    }
    for of_column in levels.values() {
        // One level of a column, or none: whoever covers two levels of a column covers the finer of them.
        let before = found.clone();
        for (covered, i) in of_column {
            extend(&mut found, &before, covered, (*i, 1))?;
        }
    }
    let mut cases: BTreeMap<Set, Vec<usize>> = BTreeMap::new();
    for ((combined, covering), needs) in found {
        let covering = limited(both, &covering, combined);
        let smallest = cases.entry(covering).or_insert_with(|| needs.clone());
        if needs.len() < smallest.len() {
            *smallest = needs;
        }
    }
    let mut cases: Vec<Case> =
        cases.into_iter().map(|(covering, needs)| Case { covering, needs }).collect();
    cases.sort_by_key(|case| case.needs.len());
    Ok(cases)
}

/// Adds the releases that need one thing more than those before: an atom, and the columns that it combines.
fn extend(
    found: &mut Found,
    before: &Found,
    covered: &Set,
    (atom, columns): (usize, u32),
) -> Result<(), TooMany> {
    for ((combined, set), needs) in before {
        let left = set.and(covered);
        if !left.is_empty() {
            let needs = needs.iter().copied().chain([atom]).collect();
            keep_smallest(found, (combined + columns, left), needs);
        }
    }
    if MOST_CASES < found.len() { Err(TooMany) } else { Ok(()) }
}

fn keep_smallest(found: &mut Found, key: Key, needs: Vec<usize>) {
    let smallest = found.entry(key).or_insert_with(|| needs.clone());
    if needs.len() < smallest.len() {
        *smallest = needs;
    }
}

/// Those of the grants that allow so many columns together.
fn limited(both: &Both<'_, Grant>, covering: &Set, combined: u32) -> Set {
    covering.and(&both.which(|grant, _| combined <= grant.protections.most_levels))
}

impl Needed {
    /// The column whose sum it shows, or lets people work out.
    pub(super) fn summed(&self) -> Option<&ColumnName> {
        match self {
            Self::Measure(_, MeasureRef { aggregate: Aggregate::Avg | Aggregate::Sum, column }) => {
                column.as_ref().map(|level| &level.column)
            }
            Self::Measure(..) | Self::Level(..) => None,
        }
    }

    /// Whether it is an aggregate of the implied column, which is the same in all rows and comes with every grant.
    pub(super) fn is_about_country(&self) -> bool {
        match self {
            Self::Level(..) => false,
            Self::Measure(_, measure) => {
                measure.column.as_ref().is_some_and(|of| of.column.as_str() == COUNTRY_COLUMN)
            }
        }
    }

    /// Whether whoever may `other` sees this without being told: counting where a column is known, and its smallest and
    /// largest value, come with grouping by it.
    pub(super) fn goes_without_saying(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Measure(column, measure), Self::Level(of, level)) if column == of => {
                match measure.aggregate {
                    Aggregate::Count => true,
                    Aggregate::Max | Aggregate::Min => {
                        let day = LevelRef { grain: Some(Grain::Day), ..level.clone() };
                        measure.column.as_ref().is_some_and(|column| {
                            column == level || (column.grain.is_none() && day == *level)
                        })
                    }
                    Aggregate::Avg
                    | Aggregate::Correlation
                    | Aggregate::CountDistinct
                    | Aggregate::Covariance
                    | Aggregate::Quantile
                    | Aggregate::Stddev
                    | Aggregate::Sum
                    | Aggregate::Variance => false,
                }
            }
            (Self::Measure(..), Self::Measure(..) | Self::Level(..)) | (Self::Level(..), _) => {
                false
            }
        }
    }

    /// As people write it.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Level(_, level) => format!("group and filter by {level}"),
            Self::Measure(_, measure) => {
                let column = measure.column.as_ref().map(ToString::to_string).unwrap_or_default();
                match measure.aggregate {
                    Aggregate::CountDistinct => format!("count(distinct {column})"),
                    Aggregate::Avg
                    | Aggregate::Correlation
                    | Aggregate::Count
                    | Aggregate::Covariance
                    | Aggregate::Max
                    | Aggregate::Min
                    | Aggregate::Quantile
                    | Aggregate::Stddev
                    | Aggregate::Sum
                    | Aggregate::Variance => format!("{}({column})", measure.aggregate.as_str()),
                }
            }
        }
    }
}
