//! What protections are told of a cell besides numbers: what it is, whatever the spelling of the question, and what its
//! keys say.

use super::cells::Home;
use super::failure::WorkFailure;
use mayag_audit::keys::sha256;
use mayag_disclosure::{Descriptor, KeyKind};
use mayag_policies::catalogue::{Dataset, Kind, Named};
use mayag_policies::shape::{Comparison, Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::unhex;
use mayag_queries::descriptor::RowSets;
use std::collections::BTreeSet;

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
        // Nothing is in an empty list, not even what is not known.
        Predicate::In { level: _, values } if values.is_empty() => Some(false),
        Predicate::In { level, values } => Some(values.contains(&value(level)?)),
        Predicate::IsNull { level } => Some(value(level).is_none()),
        Predicate::Not(part) => holds(part, value).map(|holds| !holds),
    }
}

/// What a predicate can be where some levels are known and others can be anything.
#[expect(clippy::struct_excessive_bools, reason = "a set of the three values of SQL's logic")]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Outcomes {
    truth: bool,
    falsehood: bool,
    neither: bool,
}

impl Outcomes {
    const ANY: Self = Self { truth: true, falsehood: true, neither: true };

    fn of(holds: Option<bool>) -> Self {
        Self {
            truth: holds == Some(true),
            falsehood: holds == Some(false),
            neither: holds.is_none(),
        }
    }

    fn not(self) -> Self {
        Self { truth: self.falsehood, falsehood: self.truth, neither: self.neither }
    }

    fn and(self, other: Self) -> Self {
        let (a, b) = (self, other);
        Self {
            truth: a.truth && b.truth,
            falsehood: a.falsehood || b.falsehood,
            neither: (a.neither && (b.neither || b.truth)) || (b.neither && (a.neither || a.truth)),
        }
    }
}

/// What is known of a level.
enum Known {
    /// It can be anything.
    Anything,
    /// It is this value, or nothing.
    Is(Option<Literal>),
}

/// What a predicate can be where `value` says what is known of each level.
fn outcomes(predicate: &Predicate, value: &dyn Fn(&LevelRef) -> Known) -> Outcomes {
    match predicate {
        Predicate::All(parts) => parts
            .iter()
            .map(|part| outcomes(part, value))
            .fold(Outcomes::of(Some(true)), Outcomes::and),
        Predicate::Any(parts) => parts
            .iter()
            .map(|part| outcomes(part, value).not())
            .fold(Outcomes::of(Some(true)), Outcomes::and)
            .not(),
        Predicate::Compare { level, .. }
        | Predicate::In { level, .. }
        | Predicate::IsNull { level } => match value(level) {
            Known::Anything => Outcomes::ANY,
            Known::Is(known) => Outcomes::of(holds(predicate, &|_| known.clone())),
        },
        Predicate::Not(part) => outcomes(part, value).not(),
    }
}

/// The public values of a key that rows can have which pass a filter: what the filter excludes is not listed. `None`
/// where the values are not public.
pub(super) fn domain(
    home: Home<'_>,
    key: &LevelRef,
    filter: &Predicate,
) -> Option<Vec<Option<Literal>>> {
    let named = home.dataset.named(key)?;
    let own = Literal::Text(home.country.to_string());
    let Some(column) = named.column() else { return Some(vec![Some(own)]) };
    let passes = |known: &dyn Fn(&LevelRef) -> Known| {
        let value = |level: &LevelRef| match home.dataset.named(level) {
            Some(Named::Country) => Known::Is(Some(own.clone())),
            Some(_) | None => known(level),
        };
        outcomes(filter, &value).truth
    };
    let grain = matches!(column.kind, Kind::Date {}).then_some(Grain::Day);
    let base = home.dataset.domain(&LevelRef { column: column.name.clone(), grain });
    // By the column itself, where its values are public: then every level of it that the filter names is known.
    let reached: Option<BTreeSet<Option<Literal>>> = base.map(|base| {
        let of = |level: &LevelRef, base: Option<&Literal>| match home.dataset.named(level) {
            Some(named) if named.column() == Some(column) => Known::Is(named.of(base)),
            Some(_) | None => Known::Anything,
        };
        let passing = base.iter().filter(|base| passes(&|level| of(level, base.as_ref())));
        passing.map(|base| named.of(base.as_ref())).collect()
    });
    let mut domain = home.dataset.domain(key)?;
    domain.retain(|value| match &reached {
        Some(reached) => reached.contains(value),
        None => passes(&|level| {
            if level == key { Known::Is(value.clone()) } else { Known::Anything }
        }),
    });
    Some(domain)
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

/// What a part of the cell with this key is: equal for equal rows, whatever the spelling.
pub(super) fn descriptor(
    sets: &RowSets<'_>,
    key: &[Option<Literal>],
    part: Part<'_>,
) -> Result<Descriptor, WorkFailure> {
    let (word, filter) = match part {
        Part::Everything | Part::Where(_) => (&b"of"[..], part.filter()),
        // What is left out is described by what is left in: nothing else asks for exactly those rows.
        Part::Except(_) => (&b"except"[..], part.filter()),
    };
    let rows = sets.descriptor(filter, key).ok_or(WorkFailure::Broken)?;
    let digest = sha256(&[word, &rows].concat());
    let bytes = unhex(digest.as_str()).ok_or(WorkFailure::Broken)?;
    bytes.first_chunk().copied().map(Descriptor).ok_or(WorkFailure::Broken)
}

impl<'a> Part<'a> {
    fn filter(self) -> Option<&'a Predicate> {
        match self {
            Self::Everything => None,
            Self::Except(filter) | Self::Where(filter) => Some(filter),
        }
    }
}

/// Whether a key says something of units, or when and where they were recorded, or nothing because the filter fixes it.
pub(super) fn key_kind(dataset: &Dataset, level: &LevelRef, filter: &Predicate) -> KeyKind {
    match dataset.named(level) {
        Some(Named::Country | Named::Period(..)) => KeyKind::Frame,
        Some(Named::Coarser(column, _) | Named::Plain(column))
            if matches!(column.kind, Kind::Date {}) =>
        {
            KeyKind::Frame
        }
        Some(Named::Coarser(..) | Named::Plain(_)) | None => {
            if is_fixed(filter, level) {
                KeyKind::Frame
            } else {
                KeyKind::Category
            }
        }
    }
}

/// Whether a filter leaves one value of a level.
fn is_fixed(filter: &Predicate, of: &LevelRef) -> bool {
    match filter {
        Predicate::All(parts) => parts.iter().any(|part| is_fixed(part, of)),
        Predicate::Compare { level, comparison: Comparison::Equal, value: _ }
        | Predicate::IsNull { level } => level == of,
        Predicate::In { level, values } => level == of && values.len() == 1,
        Predicate::Any(_) | Predicate::Compare { .. } | Predicate::Not(_) => false,
    }
}

#[cfg(test)]
mod tests;
