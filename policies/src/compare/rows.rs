//! Whether the rows of one grant are among those of another: column by column, as sets of values.
//!
//! A grant's row filter is a conjunction of conditions on single columns, so its rows are a product of sets, one per
//! column. Two such sets differ only if they differ on one of finitely many values: the constants of both filters, the
//! values beside them, and one value that no constant is like. Those are tried, with the catalogue's own levels.

use crate::catalogue::{
    Column, Dataset, Kind, LevelRule, Named, Range, first_day, first_day_after,
};
use crate::document::Grant;
use crate::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use std::collections::{BTreeMap, BTreeSet};

/// How the rows of one filter lie to those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rows {
    Fewer,
    More,
    /// Some more and some fewer, or nothing that can be proved.
    Other,
    Same,
}

/// How the rows of `new` lie to those of `old`.
pub(super) fn compare(dataset: &Dataset, old: &Predicate, new: &Predicate) -> Rows {
    if old == new {
        return Rows::Same;
    }
    let (Some(old), Some(new)) = (by_column(dataset, old), by_column(dataset, new)) else {
        return Rows::Other;
    };
    let names: BTreeSet<&str> = old.keys().chain(new.keys()).copied().collect();
    let none = Vec::new();
    let (mut fewer, mut more) = (true, true);
    let (mut old_empty, mut new_empty) = (false, false);
    for name in names {
        let Some(column) = dataset.column(name) else { return Rows::Other };
        let (before, after) = (old.get(name).unwrap_or(&none), new.get(name).unwrap_or(&none));
        let (mut any_before, mut any_after) = (false, false);
        for point in points(column, before.iter().chain(after)) {
            let passes = |conditions: &[&Predicate]| {
                conditions
                    .iter()
                    .all(|condition| holds(dataset, condition, point.as_ref()) == Some(true))
            };
            let (was, is) = (passes(before), passes(after));
            any_before |= was;
            any_after |= is;
            fewer &= was || !is;
            more &= is || !was;
        }
        old_empty |= !any_before;
        new_empty |= !any_after;
    }
    // A product with an empty factor is empty, whatever the other factors are.
    match (fewer || new_empty, more || old_empty) {
        (true, true) => Rows::Same,
        (true, false) => Rows::Fewer,
        (false, true) => Rows::More,
        (false, false) => Rows::Other,
    }
}

/// A filter's conditions by the column they are about; `None` if one of them is about several.
fn by_column<'a>(
    dataset: &'a Dataset,
    filter: &'a Predicate,
) -> Option<BTreeMap<&'a str, Vec<&'a Predicate>>> {
    let single = [filter];
    let parts: Vec<&Predicate> = match filter {
        Predicate::All(parts) => parts.iter().collect(),
        Predicate::Any(_)
        | Predicate::Compare { .. }
        | Predicate::In { .. }
        | Predicate::IsNull { .. }
        | Predicate::Not(_) => single.to_vec(),
    };
    let mut conditions: BTreeMap<&str, Vec<&Predicate>> = BTreeMap::new();
    for part in parts {
        let columns: BTreeSet<&str> = part
            .levels()
            .iter()
            .map(|level| Some(dataset.named(level)?.column()?.name.as_str()))
            .collect::<Option<_>>()?;
        let mut columns = columns.into_iter();
        let (Some(column), None) = (columns.next(), columns.next()) else { return None };
        conditions.entry(column).or_default().push(part);
    }
    Some(conditions)
}

/// Values of a column of which at least one lies in every set that these conditions can tell apart.
fn points<'a>(
    column: &Column,
    conditions: impl Iterator<Item = &'a &'a Predicate>,
) -> Vec<Option<Literal>> {
    let mut constants = Vec::new();
    for condition in conditions {
        collect(condition, &mut constants);
    }
    let mut points: BTreeSet<Literal> = BTreeSet::new();
    match &column.kind {
        Kind::Category { values: Some(values) } => {
            points.extend(values.iter().map(|value| Literal::Text(value.clone())));
        }
        Kind::Category { values: None } | Kind::Hidden {} | Kind::Unit {} => {
            points.extend(texts(column, &constants).into_iter().map(Literal::Text));
        }
        Kind::Date {} => {
            let starts = constants.iter().flat_map(|(level, value)| match value {
                Literal::Date(day) => {
                    let grain = level.grain.unwrap_or(Grain::Day);
                    [first_day(grain, *day), first_day_after(grain, *day)]
                }
                Literal::Bool(_) | Literal::Int(_) | Literal::Text(_) => [None, None],
            });
            let range = match column.range {
                Some(Range::Dates { from, to }) => (i64::from(from), i64::from(to)),
                Some(Range::Numbers { .. }) | None => (i64::from(i32::MIN), i64::from(i32::MAX)),
            };
            let starts = starts.flatten().map(i64::from);
            points.extend(
                numbers(starts, range).filter_map(|day| i32::try_from(day).ok()).map(Literal::Date),
            );
        }
        Kind::Measure { .. } | Kind::Number {} => {
            let starts = constants.iter().flat_map(|(_, value)| match value {
                Literal::Int(number) => [Some(*number), number.checked_add(1)],
                Literal::Bool(_) | Literal::Date(_) | Literal::Text(_) => [None, None],
            });
            let edges = column.levels.iter().flat_map(|level| match &level.is {
                LevelRule::Bands { edges, .. } => edges.as_slice(),
                LevelRule::Groups { .. } | LevelRule::Prefix(_) => &[],
            });
            let range = match column.range {
                Some(Range::Numbers { from, to }) => (from, to),
                Some(Range::Dates { .. }) | None => (i64::MIN, i64::MAX),
            };
            points.extend(numbers(starts.flatten().chain(edges.copied()), range).map(Literal::Int));
        }
    }
    let null = (!column.required).then_some(None);
    points.into_iter().map(Some).chain(null).collect()
}

/// Every place where something begins, and the beginning of everything.
fn numbers(starts: impl Iterator<Item = i64>, range: (i64, i64)) -> impl Iterator<Item = i64> {
    let (from, to) = range;
    std::iter::once(from).chain(starts).filter(move |at| from <= *at && *at <= to)
}

/// The constants, each of them continued by a character that none has, and that character alone: a text is either a
/// constant, or begins like the longest constant that it begins with and then differs from all, or like none.
fn texts(column: &Column, constants: &[(&LevelRef, &Literal)]) -> Vec<String> {
    let written = constants.iter().filter_map(|(_, value)| match value {
        Literal::Text(text) => Some(text),
        Literal::Bool(_) | Literal::Date(_) | Literal::Int(_) => None,
    });
    let grouped = column.levels.iter().filter_map(|level| match &level.is {
        LevelRule::Groups { groups, .. } => Some(groups.values().flatten()),
        LevelRule::Bands { .. } | LevelRule::Prefix(_) => None,
    });
    let grouped = grouped.flatten();
    let known: BTreeSet<&String> = written.chain(grouped).collect();
    let used: BTreeSet<char> = known.iter().flat_map(|text| text.chars()).collect();
    let fresh = ('\u{e000}'..='\u{f8ff}').find(|c| !used.contains(c)).unwrap_or('\u{10fffd}');
    // Longer than any prefix.
    let fresh = String::from(fresh).repeat(usize::from(u8::MAX) + 1);
    let mut texts: Vec<String> = known.iter().map(|text| format!("{text}{fresh}")).collect();
    texts.extend(known.iter().map(|text| (*text).clone()));
    texts.push(fresh);
    texts
}

fn collect<'a>(condition: &'a Predicate, constants: &mut Vec<(&'a LevelRef, &'a Literal)>) {
    match condition {
        Predicate::All(parts) | Predicate::Any(parts) => {
            for part in parts {
                collect(part, constants);
            }
        }
        Predicate::Not(part) => collect(part, constants),
        Predicate::Compare { level, value, comparison: _ } => constants.push((level, value)),
        Predicate::In { level, values } => {
            constants.extend(values.iter().map(|value| (level, value)));
        }
        Predicate::IsNull { level: _ } => {}
    }
}

/// Whether a condition on one column holds for a value of it, in SQL's three-valued logic.
pub(crate) fn holds(
    dataset: &Dataset,
    condition: &Predicate,
    base: Option<&Literal>,
) -> Option<bool> {
    let at = |level: &LevelRef| dataset.named(level).and_then(|named| Named::of(named, base));
    match condition {
        Predicate::All(parts) => {
            let held = all(dataset, parts, base);
            if held.contains(&Some(false)) { Some(false) } else { known(&held).then_some(true) }
        }
        Predicate::Any(parts) => {
            let held = all(dataset, parts, base);
            if held.contains(&Some(true)) { Some(true) } else { known(&held).then_some(false) }
        }
        Predicate::Not(part) => holds(dataset, part, base).map(|held| !held),
        Predicate::IsNull { level } => Some(at(level).is_none()),
        Predicate::In { level, values } => at(level).map(|value| values.contains(&value)),
        Predicate::Compare { level, comparison, value } => {
            at(level).map(|found| match comparison {
                Comparison::Equal => found == *value,
                Comparison::Greater => found > *value,
                Comparison::GreaterOrEqual => found >= *value,
                Comparison::Less => found < *value,
                Comparison::LessOrEqual => found <= *value,
                Comparison::NotEqual => found != *value,
            })
        }
    }
}

fn all(dataset: &Dataset, parts: &[Predicate], base: Option<&Literal>) -> Vec<Option<bool>> {
    parts.iter().map(|part| holds(dataset, part, base)).collect()
}

fn known(held: &[Option<bool>]) -> bool {
    !held.contains(&None)
}

/// A filter in words.
pub(super) fn words(grant: &Grant) -> String {
    if grant.rows == Predicate::everything() {
        "every row".to_owned()
    } else {
        format!("rows with {}", condition(&grant.rows))
    }
}

fn condition(filter: &Predicate) -> String {
    let joined = |parts: &[Predicate], word: &str| {
        parts.iter().map(condition).collect::<Vec<_>>().join(word)
    };
    match filter {
        Predicate::All(parts) => joined(parts, " and "),
        Predicate::Any(parts) => joined(parts, " or "),
        Predicate::Compare { level, comparison, value } => {
            let word = match comparison {
                Comparison::Equal => "=",
                Comparison::Greater => "after",
                Comparison::GreaterOrEqual => "from",
                Comparison::Less => "before",
                Comparison::LessOrEqual => "up to",
                Comparison::NotEqual => "other than",
            };
            format!("{level} {word} {}", constant(value))
        }
        Predicate::In { level, values } => format!("{level} in ({})", listed(values)),
        Predicate::IsNull { level } => format!("no {level}"),
        Predicate::Not(part) => {
            if let Predicate::In { level, values } = part.as_ref() {
                format!("{level} not in ({})", listed(values))
            } else {
                format!("not ({})", condition(part))
            }
        }
    }
}

/// More constants than this are counted, not listed.
const MOST_LISTED: usize = 6;

fn listed(values: &[Literal]) -> String {
    let mut words: Vec<String> = values.iter().take(MOST_LISTED).map(constant).collect();
    if MOST_LISTED < values.len() {
        words.push(format!("and {} more", values.len() - MOST_LISTED));
    }
    words.join(", ")
}

fn constant(value: &Literal) -> String {
    match value {
        Literal::Bool(value) => value.to_string(),
        Literal::Date(day) => chrono::NaiveDate::from_epoch_days(*day)
            .map_or_else(|| format!("day {day}"), |date| date.to_string()),
        Literal::Int(number) => number.to_string(),
        Literal::Text(text) => text.escape_debug().to_string(),
    }
}
