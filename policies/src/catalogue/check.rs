//! Whether a catalogue contradicts itself.

use super::join::BETWEEN;
use crate::catalogue::{
    COUNTRY_COLUMN, Catalogue, CatalogueError, CatalogueFault, Column, Dataset, Join, JoinPath,
    Kind, Level, LevelRule, MOST_DIGITS, Number, Range,
};
use crate::shape::{Grain, Literal};
use std::collections::{BTreeMap, BTreeSet};

/// Everything about one dataset; the first fault found.
pub(super) fn dataset(dataset: &Dataset, catalogue: &Catalogue) -> Result<(), CatalogueError> {
    let mut names = BTreeSet::new();
    for column in &dataset.columns {
        let fault = if column.name.as_str() == COUNTRY_COLUMN {
            Some(CatalogueFault::ImpliedColumn)
        } else if column.name.as_str().contains(BETWEEN) {
            Some(CatalogueFault::ReservedName)
        } else if !names.insert(&column.name) {
            Some(CatalogueFault::Duplicate)
        } else if matches!(column.kind, Kind::Unit {}) && dataset.units.of(&column.name).is_none() {
            Some(CatalogueFault::UnitColumn)
        } else {
            kind(&column.kind).or_else(|| range(column)).or_else(|| levels(column))
        };
        if let Some(fault) = fault {
            return Err(CatalogueError::at(dataset, Some(column), fault));
        }
    }
    let reserved = dataset.name.as_str().contains(BETWEEN).then_some(CatalogueFault::ReservedName);
    let fault = reserved
        .or_else(|| units(dataset))
        .or_else(|| virtual_names(dataset))
        .or_else(|| dataset.joins.iter().find_map(|path| join(path, dataset, catalogue)));
    fault.map_or(Ok(()), |fault| Err(CatalogueError::at(dataset, None, fault)))
}

fn kind(kind: &Kind) -> Option<CatalogueFault> {
    match kind {
        Kind::Category { values: Some(values) } => {
            let distinct: BTreeSet<&String> = values.iter().collect();
            (values.is_empty() || distinct.len() < values.len())
                .then_some(CatalogueFault::ClosedList)
        }
        Kind::Measure { number: Number::Decimal { precision, scale }, .. } => {
            let scale_fits = u8::try_from(*scale).is_ok_and(|scale| scale <= *precision);
            let fits = (1..=MOST_DIGITS).contains(precision) && scale_fits;
            (!fits).then_some(CatalogueFault::DecimalBounds)
        }
        Kind::Category { values: None }
        | Kind::Date {}
        | Kind::Hidden {}
        | Kind::Measure { number: Number::Float | Number::Integer, .. }
        | Kind::Number {}
        | Kind::Unit {} => None,
    }
}

fn range(column: &Column) -> Option<CatalogueFault> {
    let fits = match (column.range, &column.kind) {
        (None, _) => true,
        (Some(Range::Dates { from, to }), Kind::Date {}) => from <= to,
        (Some(Range::Numbers { from, to }), Kind::Number {}) => from <= to,
        (
            Some(Range::Dates { .. }),
            Kind::Category { .. }
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Number {}
            | Kind::Unit {},
        )
        | (
            Some(Range::Numbers { .. }),
            Kind::Category { .. }
            | Kind::Date {}
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Unit {},
        ) => false,
    };
    (!fits).then_some(CatalogueFault::Range)
}

fn levels(column: &Column) -> Option<CatalogueFault> {
    let mut names = BTreeSet::new();
    let mut finer: Option<&Level> = None;
    for level in &column.levels {
        if !names.insert(&level.name) {
            return Some(CatalogueFault::LevelName);
        }
        if !rule_fits(&level.is, &column.kind) {
            return Some(CatalogueFault::LevelRule);
        }
        if finer.is_some_and(|finer| !nested(&finer.is, &level.is, &column.kind)) {
            return Some(CatalogueFault::LevelsNotNested);
        }
        finer = Some(level);
    }
    None
}

fn rule_fits(rule: &LevelRule, kind: &Kind) -> bool {
    match (rule, kind) {
        (
            LevelRule::Bands { edges, names, lowest, highest },
            Kind::Measure { .. } | Kind::Number {},
        ) => {
            let distinct: BTreeSet<&String> = names.iter().collect();
            !edges.is_empty()
                && edges.is_sorted_by(|a, b| a < b)
                && lowest.is_none_or(|lowest| edges.iter().all(|edge| lowest < *edge))
                && highest.is_none_or(|highest| edges.iter().all(|edge| *edge < highest))
                && names.len() == edges.len() + 1
                && distinct.len() == names.len()
        }
        (LevelRule::Groups { groups, other }, Kind::Category { values }) => {
            groups_fit(groups, other.as_ref(), values.as_deref())
        }
        (LevelRule::Prefix(characters), Kind::Category { .. }) => *characters > 0,
        (
            LevelRule::Bands { .. },
            Kind::Category { .. } | Kind::Date {} | Kind::Hidden {} | Kind::Unit {},
        )
        | (
            LevelRule::Groups { .. } | LevelRule::Prefix(_),
            Kind::Date {}
            | Kind::Hidden {}
            | Kind::Measure { .. }
            | Kind::Number {}
            | Kind::Unit {},
        ) => false,
    }
}

fn groups_fit(
    groups: &BTreeMap<String, Vec<String>>,
    other: Option<&String>,
    values: Option<&[String]>,
) -> bool {
    let listed: Vec<&String> = groups.values().flatten().collect();
    let distinct: BTreeSet<&String> = listed.iter().copied().collect();
    let known = values.is_none_or(|values| listed.iter().all(|value| values.contains(value)));
    let complete = match (other, values) {
        (Some(other), _) => !groups.contains_key(other),
        (None, Some(values)) => values.iter().all(|value| distinct.contains(value)),
        (None, None) => false,
    };
    let filled = !groups.is_empty() && groups.values().all(|values| !values.is_empty());
    filled && known && complete && distinct.len() == listed.len()
}

/// Whether two values that `finer` holds together are together in `coarser` too. A policy that shares the finer level
/// shares the coarser one with it, so this has to hold for every value there may ever be.
fn nested(finer: &LevelRule, coarser: &LevelRule, kind: &Kind) -> bool {
    match (finer, coarser) {
        (LevelRule::Bands { edges: finer, .. }, LevelRule::Bands { edges: coarser, .. }) => {
            coarser.iter().all(|edge| finer.contains(edge))
        }
        (LevelRule::Prefix(finer), LevelRule::Prefix(coarser)) => coarser < finer,
        (LevelRule::Groups { .. } | LevelRule::Prefix(_), LevelRule::Groups { .. })
        | (LevelRule::Groups { .. }, LevelRule::Prefix(_)) => {
            let Kind::Category { values: Some(values) } = kind else { return false };
            let mut together: BTreeMap<Option<Literal>, Option<Literal>> = BTreeMap::new();
            values.iter().map(|value| Literal::Text(value.clone())).all(|value| {
                let expected = coarser.of(&value);
                *together.entry(finer.of(&value)).or_insert_with(|| expected.clone()) == expected
            })
        }
        (LevelRule::Bands { .. }, LevelRule::Groups { .. } | LevelRule::Prefix(_))
        | (LevelRule::Groups { .. } | LevelRule::Prefix(_), LevelRule::Bands { .. }) => false,
    }
}

/// Every unit has a column of its own of the kind unit.
fn units(dataset: &Dataset) -> Option<CatalogueFault> {
    let persons: Vec<bool> = dataset.units.iter().map(|unit| unit.person).collect();
    if !persons.is_sorted_by(|a, b| a >= b) {
        return Some(CatalogueFault::PersonsFirst);
    }
    let mut names = BTreeSet::new();
    let fits = dataset.units.iter().all(|unit| {
        let column = dataset.column(unit.column.as_str());
        names.insert(&unit.column)
            && column.is_some_and(|column| matches!(column.kind, Kind::Unit {}))
    });
    (!fits).then_some(CatalogueFault::UnitColumn)
}

/// No level has the name of a column, of a period of a date, or of another level.
fn virtual_names(dataset: &Dataset) -> Option<CatalogueFault> {
    let dates = dataset.columns.iter().filter(|column| matches!(column.kind, Kind::Date {}));
    let periods = dates
        .flat_map(|column| Grain::ALL.map(|grain| format!("{}_{}", column.name, grain.as_str())));
    let own = dataset.columns.iter().map(|column| column.name.to_string());
    let mut names: BTreeSet<String> = own.chain(periods).collect();
    names.insert(COUNTRY_COLUMN.to_owned());
    let mut levels = dataset
        .columns
        .iter()
        .flat_map(|column| column.levels.iter().map(|level| column.virtual_name(level)));
    let fits = levels.all(|name| name.is_some_and(|name| names.insert(name.to_string())));
    (!fits).then_some(CatalogueFault::LevelName)
}

fn join(path: &JoinPath, dataset: &Dataset, catalogue: &Catalogue) -> Option<CatalogueFault> {
    let other = catalogue.dataset(path.with.as_str()).filter(|other| other.name != dataset.name);
    let both = |name: &str, other: &Dataset| {
        // Unit and category are both texts, and a key is often the unit of one dataset only.
        let text = |kind: &Kind| match kind {
            Kind::Category { .. } | Kind::Hidden {} | Kind::Unit {} => true,
            Kind::Date {} | Kind::Measure { .. } | Kind::Number {} => false,
        };
        let pair = dataset.column(name).zip(other.column(name));
        pair.is_some_and(|(a, b)| text(&a.kind) == text(&b.kind))
    };
    let fits = other.is_some_and(|other| {
        let named =
            path.many || Join::of(dataset, other).is_some_and(|join| join.dataset().is_some());
        named && !path.on.is_empty() && path.on.iter().all(|name| both(name.as_str(), other))
    });
    (!fits).then_some(CatalogueFault::Join)
}
