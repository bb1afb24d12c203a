//! What the keys of a release can be in one country, as far as everybody knows it without looking at any data.
//!
//! A node lists every such combination, so that a row says nothing by being there; gateway and desk work out the same
//! list, so that a node cannot leave one out without being found.

use crate::release::Release;
use mayag_policies::catalogue::{Dataset, Kind, Named};
use mayag_policies::shape::{Grain, LevelRef, Literal, Predicate};
use mayag_protocol::names::Country;
use std::collections::BTreeSet;

/// The values of a key, nothing (`None`) last; `None` where they are not public.
pub type Domain = Option<Vec<Option<Literal>>>;

/// Rows of a part that lists all combinations at most; one that had more lists what is shown.
pub const MOST_LISTED: usize = 20_000;

/// For each key of a release, the values that it can have in `own` country.
pub fn domains(release: &Release, dataset: &Dataset, own: &Country) -> Vec<Domain> {
    release.keys.iter().map(|key| domain(dataset, own, key, &release.filter)).collect()
}

/// How many combinations of values there are; `None` where a key's values are not public, or for more than
/// [`MOST_LISTED`] of them.
pub fn combinations(domains: &[Domain]) -> Option<usize> {
    domains.iter().try_fold(1_usize, |combinations, domain| {
        let combinations = combinations.checked_mul(domain.as_ref()?.len())?;
        (combinations <= MOST_LISTED).then_some(combinations)
    })
}

/// Whether a predicate holds where `value` says what each level is; `None` where SQL does not know.
pub fn holds(predicate: &Predicate, value: &dyn Fn(&LevelRef) -> Option<Literal>) -> Option<bool> {
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
            Some(comparison.holds(order))
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

/// The public values of a key that rows of `own` country can have which pass a filter: what the filter excludes is not
/// listed. `None` where the values are not public.
pub fn domain(dataset: &Dataset, own: &Country, key: &LevelRef, filter: &Predicate) -> Domain {
    within(dataset, Some(own), key, filter)
}

/// The same for rows of any country. The key `country` itself has no list then.
pub(crate) fn anywhere(dataset: &Dataset, key: &LevelRef, filter: &Predicate) -> Domain {
    within(dataset, None, key, filter)
}

fn within(dataset: &Dataset, own: Option<&Country>, key: &LevelRef, filter: &Predicate) -> Domain {
    let named = dataset.named(key)?;
    let own = own.map(|own| Literal::Text(own.to_string()));
    let Some(column) = named.column() else { return own.map(|own| vec![Some(own)]) };
    let passes = |known: &dyn Fn(&LevelRef) -> Known| {
        let value = |level: &LevelRef| match dataset.named(level) {
            Some(Named::Country) => own.clone().map_or(Known::Anything, |own| Known::Is(Some(own))),
            Some(_) | None => known(level),
        };
        outcomes(filter, &value).truth
    };
    let grain = matches!(column.kind, Kind::Date {}).then_some(Grain::Day);
    let base = dataset.domain(&LevelRef { column: column.name.clone(), grain });
    // By the column itself, where its values are public: then every level of it that the filter names is known.
    let reached: Option<BTreeSet<Option<Literal>>> = base.map(|base| {
        let of = |level: &LevelRef, base: Option<&Literal>| match dataset.named(level) {
            Some(named) if named.column() == Some(column) => Known::Is(named.of(base)),
            Some(_) | None => Known::Anything,
        };
        let passing = base.iter().filter(|base| passes(&|level| of(level, base.as_ref())));
        passing.map(|base| named.of(base.as_ref())).collect()
    });
    let mut domain = dataset.domain(key)?;
    domain.retain(|value| match &reached {
        Some(reached) => reached.contains(value),
        None => passes(&|level| {
            if level == key { Known::Is(value.clone()) } else { Known::Anything }
        }),
    });
    Some(domain)
}

#[cfg(test)]
mod tests;
