//! What a new policy shows that the old one did not, and what it no longer shows.
//!
//! The comparison is exact: a decision depends on who asks, for what, when, and on which grants cover what a release
//! needs, and of all of these there are finitely many cases. Every case is looked at under both policies: is it answered,
//! over which rows, with which protections, within which budget. Lookups are compared in the same way, by their sizes.
//! Nothing is sampled and no data is read.

mod difference;
mod grants;
mod lattice;
mod lookups;
mod outcome;
mod rows;
mod subjects;

pub use difference::{Difference, Direction};

use crate::catalogue::{Catalogue, Dataset};
use crate::compare::difference::{Collector, Subject};
use crate::compare::grants::{Both, Set, Side};
use crate::compare::subjects::{Class, Everybody};
use crate::decide::may_be_live;
use crate::document::{Grant, Policy, Whom};
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What becomes of what is visible when one policy takes the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// Something becomes visible and something else no longer is.
    Both,
    /// The same is visible to the same people.
    Equal,
    /// Something is no longer visible, and nothing becomes visible.
    Narrows,
    /// Something becomes visible, and nothing goes.
    Widens,
}

/// The comparison of two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    /// What it comes to.
    pub change: Change,
    /// Every difference, by dataset and then by lookup table; what widens comes first.
    pub differences: Vec<Difference>,
}

/// A time in which nothing begins or ends: from an instant until before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: Timestamp,
    until: Timestamp,
}

/// More cases of one dataset than this are not looked at: a node compares while it reads its policy.
const MOST_CASES: usize = 50_000;

/// More differences of one dataset than this are not told apart: nobody reads them.
const MOST_DIFFERENCES: usize = 1_000;

/// The policies have too many cases to look at all of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct TooMany;

impl Change {
    /// How many different administrators must sign it: two where anything becomes visible.
    pub fn signatures(self) -> usize {
        match self {
            Self::Both | Self::Widens => 2,
            Self::Equal | Self::Narrows => 1,
        }
    }

    /// Whether anything becomes visible.
    pub fn widens(self) -> bool {
        match self {
            Self::Both | Self::Widens => true,
            Self::Equal | Self::Narrows => false,
        }
    }

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Both => "widens and narrows",
            Self::Equal => "changes nothing",
            Self::Narrows => "narrows",
            Self::Widens => "widens",
        }
    }
}

/// Compares what two policies show from `now` on; without an old one, against a policy that shows nothing.
///
/// Where there are too many cases to look at, the policies count as widening and narrowing: nothing was proved.
/// O(classes of people · cases of releases); both are bounded.
pub fn compare(
    catalogue: &Catalogue,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Comparison {
    let mut differences = Vec::new();
    for dataset in &catalogue.datasets {
        let of = |policy: Option<&Policy>| -> bool {
            policy.is_some_and(|policy| policy.grants().iter().any(|g| g.dataset == dataset.name))
        };
        if !of(old) && !of(Some(new)) {
            continue;
        }
        match of_dataset(catalogue, dataset, old, new, now) {
            Ok(found) => differences.extend(found),
            Err(TooMany) => differences.extend(Difference::unproved(dataset.name.as_str())),
        }
    }
    differences.extend(lookups::differences(old, new, now));
    differences.sort_by_key(|difference| difference.direction);
    let has = |direction| differences.iter().any(|difference| difference.direction == direction);
    let change = match (has(Direction::Widens), has(Direction::Narrows)) {
        (true, true) => Change::Both,
        (true, false) => Change::Widens,
        (false, true) => Change::Narrows,
        (false, false) => Change::Equal,
    };
    Comparison { change, differences }
}

fn of_dataset(
    catalogue: &Catalogue,
    dataset: &Dataset,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Result<Vec<Difference>, TooMany> {
    let grants = |policy: Option<&Policy>| -> Vec<Grant> {
        let all = policy.map(Policy::grants).unwrap_or_default();
        let live = all.iter().filter(|grant| grant.dataset == dataset.name);
        live.filter(|grant| may_be_live(grant, catalogue)).cloned().collect()
    };
    let (old_grants, new_grants) = (grants(old), grants(Some(new)));
    let both = Both::new(old_grants.iter().collect(), new_grants.iter().collect());
    let (everybody, by_grants) = people(&both, old, new, now)?;
    let atoms = lattice::atoms(&both, dataset);
    let mut collector = Collector::new(dataset, &both, &atoms, everybody);
    let mut looked_at = 0;
    for (usable, classes) in &by_grants {
        let subject = Subject { usable, classes };
        collector.answered(&subject);
        let cases = lattice::cases(&both, usable, &atoms)?;
        looked_at += cases.len();
        for case in cases {
            collector.case(&subject, &case);
        }
        if MOST_CASES < looked_at || MOST_DIFFERENCES < collector.found() {
            return Err(TooMany);
        }
    }
    Ok(collector.differences())
}

/// The classes of people, by the grants that they may use.
type ByGrants = BTreeMap<Set, Vec<Class>>;

/// Everybody, and by the grants that they may use: many classes of people may use the same, and what they see is compared once.
fn people<G: AsRef<Whom>>(
    both: &Both<'_, G>,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Result<(Everybody, ByGrants), TooMany> {
    let times = times(both, old, new, now);
    let in_force = times.iter().filter(|(_, set)| !set.is_empty());
    let everybody = Everybody {
        countries: subjects::named_countries(both),
        times: in_force.map(|(span, _)| *span).collect(),
    };
    let mut by_grants = ByGrants::new();
    for (usable, class) in subjects::classes(both, &times)? {
        by_grants.entry(usable).or_default().push(class);
    }
    Ok((everybody, by_grants))
}

/// The times between beginnings and ends, with the grants that are in force then.
fn times<G: AsRef<Whom>>(
    both: &Both<'_, G>,
    old: Option<&Policy>,
    new: &Policy,
    now: Timestamp,
) -> Vec<(Span, Set)> {
    let mut instants: BTreeSet<Timestamp> = BTreeSet::from([now]);
    for policy in old.into_iter().chain([new]) {
        instants.extend([policy.valid_from(), policy.valid_until()]);
    }
    instants.extend(both.whoms().filter_map(|whom| whom.valid_until));
    let instants: Vec<Timestamp> = instants.into_iter().filter(|at| now <= *at).collect();
    // After the last instant nothing is in force: every policy ends.
    let spans = instants.windows(2).filter_map(|pair| match pair {
        [from, until] => Some(Span { from: *from, until: *until }),
        _ => None,
    });
    let in_force = |span: &Span| {
        both.which(|grant, side| {
            let policy = match side {
                Side::Old => old,
                Side::New => Some(new),
            };
            policy.is_some_and(|policy| policy.in_force(span.from))
                && grant.as_ref().lasts(span.from)
        })
    };
    spans.map(|span| (span, in_force(&span))).collect()
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
