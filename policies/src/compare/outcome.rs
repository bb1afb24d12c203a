//! What a permit says, compared respect by respect.

use crate::catalogue::Dataset;
use crate::compare::difference::Direction;
use crate::compare::rows::{self, Rows};
use crate::document::{Bounds, Budget, Dominance, Grant, Noise, Protections, Share, Switch};
use mayag_protocol::names::ColumnName;
use std::cmp::Ordering;
use std::collections::BTreeSet;

/// One respect in which two permits for the same release differ.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Respect {
    pub(super) direction: Direction,
    pub(super) words: String,
}

/// What the permits of these grants would say; `None` without a grant. As [`mod@crate::decide`] does it: the rows of the
/// first, the strictest protections and budgets of all.
pub(super) struct Outcome<'a> {
    grants: Vec<&'a Grant>,
    first: &'a Grant,
    protections: Protections,
    budget: Budget,
}

impl<'a> Outcome<'a> {
    pub(super) fn of(grants: Vec<&'a Grant>) -> Option<Self> {
        let first = *grants.first()?;
        let (mut protections, mut budget) = (first.protections, first.budget);
        for grant in &grants {
            protections = protections.strictest(grant.protections);
            budget = budget.strictest(grant.budget);
        }
        Some(Self { grants, first, protections, budget })
    }

    /// How `new` differs; `summed` are the columns that these releases may sum.
    pub(super) fn differences(
        &self,
        new: &Self,
        dataset: &Dataset,
        summed: &BTreeSet<&ColumnName>,
    ) -> Vec<Respect> {
        let mut respects = Vec::new();
        self.rows(new, dataset, &mut respects);
        protections(self.protections, new.protections, &mut respects);
        budgets(self.budget, new.budget, &mut respects);
        if self.protections.noise.on() && new.protections.noise.on() {
            for column in summed {
                let bounds = (self.bounds(column), new.bounds(column));
                compare_bounds(column, bounds, &mut respects);
            }
        }
        respects
    }

    fn rows(&self, new: &Self, dataset: &Dataset, respects: &mut Vec<Respect>) {
        let directions: &[Direction] =
            match rows::compare(dataset, &self.first.rows, &new.first.rows) {
                Rows::Fewer => &[Direction::Narrows],
                Rows::More => &[Direction::Widens],
                Rows::Other => &[Direction::Widens, Direction::Narrows],
                Rows::Same => &[],
            };
        let words = format!("{} → {}", rows::words(self.first), rows::words(new.first));
        respects.extend(
            directions
                .iter()
                .map(|direction| Respect { direction: *direction, words: words.clone() }),
        );
    }

    /// The narrowest bounds that the grants give a column; `None` if none of them lets it be summed.
    fn bounds(&self, column: &ColumnName) -> Option<Bounds> {
        let given = self.grants.iter().map(|grant| match grant.columns.get(column) {
            Some(Share::Measure { bounds, .. }) => *bounds,
            Some(Share::Dimension { .. } | Share::Unit) | None => None,
        });
        given.flatten().reduce(Bounds::strictest)
    }
}

fn protections(old: Protections, new: Protections, respects: &mut Vec<Respect>) {
    let mut say = |name: &str, stricter: Ordering, before: String, after: String| {
        respects.extend(respect(stricter, || format!("{name} {before} → {after}")));
    };
    let number = |stricter: Ordering, name: &'static str, a: u64, b: u64| {
        (name, stricter, a.to_string(), b.to_string())
    };
    // Greater: the new policy is stricter.
    for (name, stricter, before, after) in [
        number(new.min_units.cmp(&old.min_units), "min_units", old.min_units, new.min_units),
        number(new.round_to.cmp(&old.round_to), "round_to", old.round_to, new.round_to),
        number(old.most_rows.cmp(&new.most_rows), "most_rows", old.most_rows, new.most_rows),
        number(
            new.p_percent.cmp(&old.p_percent),
            "p_percent",
            old.p_percent.into(),
            new.p_percent.into(),
        ),
        number(
            old.one_category_percent.cmp(&new.one_category_percent),
            "one_category_percent",
            old.one_category_percent.into(),
            new.one_category_percent.into(),
        ),
    ] {
        say(name, stricter, before, after);
    }
    let dominance = |dominance: Dominance| format!("{}/{}%", dominance.units, dominance.percent);
    let (units, percent) = (
        new.dominance.units.cmp(&old.dominance.units),
        old.dominance.percent.cmp(&new.dominance.percent),
    );
    let mixed = units != Ordering::Equal && percent == units.reverse();
    for stricter in if mixed { vec![units, percent] } else { vec![units.then(percent)] } {
        say("dominance", stricter, dominance(old.dominance), dominance(new.dominance));
    }
    let noise = |noise: Noise| match noise {
        Noise::Off => "off".to_owned(),
        Noise::On { largest, variance } => format!("up to {largest} with variance {variance}"),
    };
    for stricter in noises(old.noise, new.noise) {
        say("noise", stricter, noise(old.noise), noise(new.noise));
    }
    let switch = |switch: Switch| match switch {
        Switch::Off => (0, "off".to_owned()),
        Switch::On => (1, "on".to_owned()),
    };
    let (before, after) = (switch(old.difference_guard), switch(new.difference_guard));
    say("difference_guard", after.0.cmp(&before.0), before.1, after.1);
}

/// In which ways noise gets stricter (greater) or less strict.
fn noises(old: Noise, new: Noise) -> Vec<Ordering> {
    match (old, new) {
        (Noise::Off, Noise::Off) => Vec::new(),
        (Noise::Off, Noise::On { .. }) => vec![Ordering::Greater],
        (Noise::On { .. }, Noise::Off) => vec![Ordering::Less],
        (Noise::On { largest: a, variance: v }, Noise::On { largest: b, variance: w }) => {
            let (largest, variance) = (b.cmp(&a), w.cmp(&v));
            if largest != Ordering::Equal && variance == largest.reverse() {
                vec![largest, variance]
            } else {
                vec![largest.then(variance)]
            }
        }
    }
}

fn budgets(old: Budget, new: Budget, respects: &mut Vec<Respect>) {
    let words = |limit: Option<u64>| {
        limit.map_or_else(|| "unlimited".to_owned(), |limit| limit.to_string())
    };
    for (who, old, new) in [
        ("person", old.person, new.person),
        ("country", old.country, new.country),
        ("dataset", old.dataset, new.dataset),
    ] {
        let size = |limit: Option<u64>| limit.unwrap_or(u64::MAX);
        let stricter = size(old).cmp(&size(new));
        respects.extend(respect(stricter, || {
            format!("questions a day per {who} {} → {}", words(old), words(new))
        }));
    }
}

fn compare_bounds(
    column: &ColumnName,
    bounds: (Option<Bounds>, Option<Bounds>),
    respects: &mut Vec<Respect>,
) {
    let (Some(old), Some(new)) = bounds else { return };
    let words = || {
        format!("contributions to {column} {}..{} → {}..{}", old.low, old.high, new.low, new.high)
    };
    let (low, high) = (new.low.cmp(&old.low), old.high.cmp(&new.high));
    if low != Ordering::Equal && high == low.reverse() {
        respects.extend(respect(low, words));
        respects.extend(respect(high, words));
    } else {
        respects.extend(respect(low.then(high), words));
    }
}

/// A difference, if there is one; greater is stricter.
pub(super) fn respect(stricter: Ordering, words: impl Fn() -> String) -> Option<Respect> {
    let direction = match stricter {
        Ordering::Equal => return None,
        Ordering::Greater => Direction::Narrows,
        Ordering::Less => Direction::Widens,
    };
    Some(Respect { direction, words: words() })
}
