//! What becomes of lookups: every table, for everybody, at every size, under both policies.
//!
//! A table is compared under its name and its kind: a node answers lookups of one kind of identifiers by one table, so a
//! table of another kind is another one. The sizes that somebody may search at once are all up to the largest; which
//! grants are used, and so which limits a day hold, may differ from size to size.

use crate::compare::difference::{Difference, Direction, joined};
use crate::compare::grants::{Both, Side};
use crate::compare::outcome::{Respect, respect};
use crate::compare::subjects::Class;
use crate::compare::{TooMany, people};
use crate::document::Policy;
use crate::lookups::{Limits, LookupGrant, LookupTable, Reveals, at_once_sizes};
use mayag_protocol::lookup::Mode;
use mayag_protocol::names::{KindName, TableName};
use mayag_protocol::timestamp::Timestamp;
use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

/// Every difference, by table.
pub(super) fn differences(old: Option<&Policy>, new: &Policy, now: Timestamp) -> Vec<Difference> {
    let grants = old.into_iter().chain([new]).flat_map(Policy::lookup_grants);
    let tables: BTreeSet<(&TableName, &KindName)> =
        grants.map(|grant| (&grant.table.name, &grant.table.kind)).collect();
    let compared = tables.into_iter().flat_map(|(name, kind)| {
        of_table(name, kind, old, new, now)
            .unwrap_or_else(|TooMany| Difference::unproved(name.as_str()).into())
    });
    compared.collect()
}

fn of_table(
    name: &TableName,
    kind: &KindName,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Result<Vec<Difference>, TooMany> {
    let of = |policy: Option<&'_ Policy>| -> Vec<LookupGrant> {
        let all = policy.map(Policy::lookup_grants).unwrap_or_default();
        let of_table =
            |grant: &&LookupGrant| grant.table.name == *name && grant.table.kind == *kind;
        all.iter().filter(of_table).cloned().collect()
    };
    let (old_grants, new_grants) = (of(old), of(Some(new)));
    let both = Both::new(old_grants.iter().collect(), new_grants.iter().collect());
    let (everybody, by_grants) = people(&both, old, new, now)?;
    let mut found: BTreeMap<Respect, Vec<Class>> = BTreeMap::new();
    for (usable, classes) in by_grants {
        let (before, after) = (both.of(&usable, Side::Old), both.of(&usable, Side::New));
        for respect in respects(&before, &after) {
            found.entry(respect).or_default().extend_from_slice(&classes);
        }
    }
    let said = found.into_iter().flat_map(|(respect, classes)| {
        let people = joined(classes).into_iter().map(|class| class.words(&everybody));
        let difference = |people| Difference {
            direction: respect.direction,
            about: name.to_string(),
            people,
            sentence: respect.words.clone(),
        };
        people.map(difference).collect::<Vec<_>>()
    });
    Ok(said.collect())
}

/// What a policy answers to a lookup of one size.
#[derive(Clone)]
struct Outcome<'a> {
    table: &'a LookupTable,
    limits: Limits,
}

/// As [`mod@crate::lookups`] decides it: the grants that allow the size, with the strictest limits of all.
fn outcome<'a>(grants: &[&'a LookupGrant], size: u32) -> Option<Outcome<'a>> {
    let used = || grants.iter().filter(|grant| size <= grant.limits.at_once);
    let limits = used().map(|grant| grant.limits).reduce(Limits::strictest)?;
    Some(Outcome { table: &used().next()?.table, limits })
}

/// How lookups by people who may use these grants differ.
fn respects(before: &[&LookupGrant], after: &[&LookupGrant]) -> BTreeSet<Respect> {
    let mut respects = BTreeSet::new();
    let (mut gained, mut lost) = (Vec::new(), Vec::new());
    let mut changed: BTreeMap<Respect, Vec<u32>> = BTreeMap::new();
    let mut in_both = 0;
    for size in at_once_sizes() {
        match (outcome(before, size), outcome(after, size)) {
            (None, None) => {}
            (None, Some(outcome)) => gained.push((size, outcome)),
            (Some(outcome), None) => lost.push((size, outcome)),
            (Some(old), Some(new)) => {
                in_both += 1;
                for respect in old.differences(&new) {
                    changed.entry(respect).or_default().push(size);
                }
            }
        }
    }
    for (direction, sizes) in [(Direction::Widens, gained), (Direction::Narrows, lost)] {
        respects.extend(sizes_changed(direction, &sizes, in_both));
    }
    respects.extend(changed.into_iter().map(|(respect, sizes)| {
        if sizes.len() == in_both {
            return respect;
        }
        let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
        Respect {
            words: format!("{} (for {} at once)", respect.words, sizes.join(", ")),
            ..respect
        }
    }));
    respects
}

/// Sizes that are answered under one of the policies only; so many are answered under both.
fn sizes_changed(
    direction: Direction,
    sizes: &[(u32, Outcome<'_>)],
    in_both: usize,
) -> Option<Respect> {
    let (size, outcome) = sizes.last()?;
    let words = match (direction, in_both) {
        (Direction::Widens, 0) => format!("may now search {}", outcome.words(*size)),
        (Direction::Widens, _) => {
            format!("may now search up to {size} identifiers at once, {}", outcome.limits)
        }
        (Direction::Narrows, 0) => format!("may no longer search {}", outcome.words(*size)),
        (Direction::Narrows, _) => {
            let listed: Vec<String> = sizes.iter().map(|(size, _)| size.to_string()).collect();
            format!("may no longer search {} identifiers at once", listed.join(", "))
        }
    };
    Some(Respect { direction, words })
}

impl Outcome<'_> {
    /// How a policy that answers `new` differs.
    fn differences(&self, new: &Self) -> Vec<Respect> {
        let mut respects = Vec::new();
        let (before, after) = (self.table.mode, new.table.mode);
        if before != after {
            // Neither says less to everybody: the one tells the country more, the other the person.
            let words = format!("{} → {}", mode(before), mode(after));
            let both = [Direction::Widens, Direction::Narrows];
            respects.extend(both.map(|direction| Respect { direction, words: words.clone() }));
        }
        let (before, after) = (self.table.silent, new.table.silent);
        if before != after {
            // The person is told less, the country keeps more to itself: nobody decides either alone.
            let change = if after { "forbidden → allowed" } else { "allowed → forbidden" };
            let words = format!("silent hits {change}");
            let both = [Direction::Widens, Direction::Narrows];
            respects.extend(both.map(|direction| Respect { direction, words: words.clone() }));
        }
        // With another mode, one of them has none.
        if let (Some(before), Some(after)) = (&self.table.legal_basis, &new.table.legal_basis)
            && before != after
        {
            // It rests on another law: whether that allows more or less, no program can say.
            let words = format!("legal basis \"{before}\" → \"{after}\"");
            let both = [Direction::Widens, Direction::Narrows];
            respects.extend(both.map(|direction| Respect { direction, words: words.clone() }));
        }
        reveals(self.table.reveals, new.table.reveals, &mut respects);
        limits(self.limits, new.limits, &mut respects);
        respects
    }

    fn words(&self, size: u32) -> String {
        let table = self.table;
        let blinded = match (table.mode, table.silent) {
            (Mode::Blinded, _) => "",
            (Mode::Declared, false) => "declared, ",
            (Mode::Declared, true) => "declared (hits may be silent), ",
        };
        format!(
            "it by {}, {blinded}up to {size} at once, {}; a hit says {}",
            table.kind, self.limits, table.reveals
        )
    }
}

fn mode(mode: Mode) -> &'static str {
    match mode {
        Mode::Blinded => "blinded",
        Mode::Declared => "declared",
    }
}

fn reveals(old: Reveals, new: Reveals, respects: &mut Vec<Respect>) {
    let pairs =
        [(old.category, new.category), (old.handling, new.handling), (old.contact, new.contact)];
    let words = format!("a hit says {old} → {new}");
    for (direction, changed) in [
        (Direction::Widens, pairs.iter().any(|(old, new)| !old && *new)),
        (Direction::Narrows, pairs.iter().any(|(old, new)| *old && !new)),
    ] {
        respects.extend(changed.then(|| Respect { direction, words: words.clone() }));
    }
}

fn limits(old: Limits, new: Limits, respects: &mut Vec<Respect>) {
    let words = |limit: Option<u64>| {
        limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
    };
    for ((who, old), (_, new)) in old.a_day().into_iter().zip(new.a_day()) {
        // Greater is stricter; none is the least strict.
        let stricter = match (old, new) {
            (Some(old), Some(new)) => old.cmp(&new),
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
            (None, None) => Ordering::Equal,
        };
        respects.extend(respect(stricter, || {
            format!("identifiers a day per {who} {} → {}", words(old), words(new))
        }));
    }
}
