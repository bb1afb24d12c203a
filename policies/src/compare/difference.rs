//! Differences in sentences: the same difference for many people is said once.

use crate::catalogue::Dataset;
use crate::compare::grants::{Both, Set, Side};
use crate::compare::lattice::{self, Atom, Case, Needed};
use crate::compare::outcome::Outcome;
use crate::compare::subjects::{Class, Everybody};
use crate::document::Grant;
use mayag_protocol::names::ColumnName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// What a difference does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Direction {
    /// Something becomes visible.
    Widens,
    /// Something is no longer visible.
    Narrows,
}

/// One difference between two policies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// What it does.
    pub direction: Direction,
    /// The dataset, or the lookup table.
    pub about: String,
    /// The people it is about: countries, roles, purposes, and times if not always.
    pub people: String,
    /// What changes for them.
    pub sentence: String,
}

/// People who may use the same grants.
pub(super) struct Subject<'a> {
    pub(super) usable: &'a Set,
    pub(super) classes: &'a [Class],
}

/// What is said; ordered as it is printed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Said {
    /// The dataset as a whole is answered, or no longer is.
    Dataset,
    /// One need is covered, or no longer is.
    Need(Needed),
    /// Needs that each are covered are covered together, or no longer are.
    Together(Vec<Needed>),
    /// A permit says something else, for releases with at least these needs.
    Permit(String, Vec<Needed>),
}

/// Collects the differences of one dataset.
pub(super) struct Collector<'a> {
    dataset: &'a Dataset,
    both: &'a Both<'a, Grant>,
    atoms: &'a [Atom],
    everybody: Everybody,
    found: BTreeMap<(Direction, Said), Vec<Class>>,
}

impl<'a> Collector<'a> {
    pub(super) fn new(
        dataset: &'a Dataset,
        both: &'a Both<'a, Grant>,
        atoms: &'a [Atom],
        everybody: Everybody,
    ) -> Self {
        Self { dataset, both, atoms, everybody, found: BTreeMap::new() }
    }

    /// What these people may ask at all, and each thing that they may ask for.
    pub(super) fn answered(&mut self, subject: &Subject<'_>) {
        let changed = |covering: &Set| {
            let some = |side| !self.both.of(covering, side).is_empty();
            match (some(Side::Old), some(Side::New)) {
                (false, true) => Some(Direction::Widens),
                (true, false) => Some(Direction::Narrows),
                (true, true) | (false, false) => None,
            }
        };
        let mut found = Vec::new();
        found.extend(changed(subject.usable).map(|direction| (direction, Said::Dataset)));
        for atom in self.atoms {
            let direction = changed(&lattice::alone(self.both, subject.usable, atom));
            found.extend(direction.map(|direction| (direction, Said::Need(atom.need.clone()))));
        }
        for (direction, said) in found {
            self.found.entry((direction, said)).or_default().extend_from_slice(subject.classes);
        }
    }

    /// What these people are answered to releases that are covered alike.
    pub(super) fn case(&mut self, subject: &Subject<'_>, case: &Case) {
        let outcome = |side| Outcome::of(self.both.of(&case.covering, side));
        let needs: Vec<Needed> =
            case.needs.iter().filter_map(|i| self.atoms.get(*i)).map(|a| a.need.clone()).collect();
        let found: Vec<(Direction, Said)> = match (outcome(Side::Old), outcome(Side::New)) {
            (None, None) => return,
            // One need, or none, is said by `answered`.
            (None, Some(_)) | (Some(_), None) if needs.len() < 2 => return,
            (None, Some(_)) => vec![(Direction::Widens, Said::Together(needs))],
            (Some(_), None) => vec![(Direction::Narrows, Said::Together(needs))],
            (Some(old), Some(new)) => old
                .differences(&new, self.dataset, &self.summed(case))
                .into_iter()
                .map(|respect| (respect.direction, Said::Permit(respect.words, needs.clone())))
                .collect(),
        };
        for (direction, said) in found {
            if !self.follows(direction, &said, subject) {
                self.found.entry((direction, said)).or_default().extend_from_slice(subject.classes);
            }
        }
    }

    /// The columns that every grant of a case lets people sum.
    fn summed(&self, case: &Case) -> BTreeSet<&'a ColumnName> {
        let atoms = self.atoms.iter().filter(|atom| case.covering.within(&atom.covered));
        atoms.filter_map(|atom| atom.need.summed()).collect()
    }

    /// Whether the same was said to all of these people of releases that need less. Cases come smallest first.
    fn follows(&self, direction: Direction, said: &Said, subject: &Subject<'_>) -> bool {
        let fewer = |fewer: &[Needed], needs: &[Needed]| {
            fewer.len() < needs.len() && fewer.iter().all(|need| needs.contains(need))
        };
        self.found.iter().any(|((other, before), classes)| {
            let less = match (before, said) {
                (Said::Together(before), Said::Together(needs)) => fewer(before, needs),
                (Said::Permit(words, before), Said::Permit(same, needs)) => {
                    words == same && fewer(before, needs)
                }
                (Said::Dataset | Said::Need(_) | Said::Together(_) | Said::Permit(..), _) => false,
            };
            *other == direction && less && subject.classes.iter().all(|c| classes.contains(c))
        })
    }

    /// How many differences were found so far.
    pub(super) fn found(&self) -> usize {
        self.found.len()
    }

    /// Everything that was found, in sentences.
    pub(super) fn differences(self) -> Vec<Difference> {
        let mut sentences: Vec<Difference> = Vec::new();
        // People of whom the same is said about several needs get one sentence with all of them.
        let mut needs: BTreeMap<(Direction, String), Vec<Needed>> = BTreeMap::new();
        for ((direction, said), classes) in self.found {
            for class in joined(classes) {
                let people = class.words(&self.everybody);
                let sentence = match &said {
                    Said::Need(need) => {
                        needs.entry((direction, people)).or_default().push(need.clone());
                        continue;
                    }
                    Said::Dataset => match direction {
                        Direction::Widens => "may now ask of it".to_owned(),
                        Direction::Narrows => "may no longer ask of it".to_owned(),
                    },
                    Said::Together(needs) => {
                        format!("{} {} together", may(direction), together(needs))
                    }
                    Said::Permit(words, needs) if needs.is_empty() => words.clone(),
                    Said::Permit(words, needs) => format!("{words} (for {})", together(needs)),
                };
                let about = self.dataset.name.to_string();
                sentences.push(Difference { direction, about, people, sentence });
            }
        }
        sentences.extend(needs.into_iter().map(|((direction, people), needs)| Difference {
            direction,
            about: self.dataset.name.to_string(),
            people,
            sentence: format!("{} {}", may(direction), listed(&needs)),
        }));
        sentences
    }
}

impl Difference {
    /// What is said of policies with too many cases about a dataset or a table: nothing is proved, so everything is
    /// assumed.
    pub(super) fn unproved(about: &str) -> [Self; 2] {
        [Direction::Widens, Direction::Narrows].map(|direction| Self {
            direction,
            about: about.to_owned(),
            people: "everybody".to_owned(),
            sentence: "has too many different cases to be compared, and counts as changed"
                .to_owned(),
        })
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.about, self.people, self.sentence)
    }
}

fn may(direction: Direction) -> &'static str {
    match direction {
        Direction::Widens => "may now",
        Direction::Narrows => "may no longer",
    }
}

fn together(needs: &[Needed]) -> String {
    needs.iter().map(Needed::words).collect::<Vec<_>>().join(" and ")
}

/// The needs in words; levels share their verb, and what follows from another need is left out.
fn listed(needs: &[Needed]) -> String {
    const VERB: &str = "group and filter by ";
    let said: Vec<String> = needs
        .iter()
        .filter(|need| !needs.iter().any(|other| need.goes_without_saying(other)))
        .filter(|need| !need.is_about_country() || needs.iter().all(Needed::is_about_country))
        .map(Needed::words)
        .collect();
    let levels: Vec<&str> = said.iter().filter_map(|need| need.strip_prefix(VERB)).collect();
    let levels = (!levels.is_empty()).then(|| format!("{VERB}{}", levels.join(", ")));
    let others = said.iter().filter(|need| !need.starts_with(VERB)).cloned();
    levels.into_iter().chain(others).collect::<Vec<_>>().join(", ")
}

/// As few classes as these can be said with, by joining two as long as that is possible. O(classes³) in the worst case;
/// their number is bounded, and small where people read them.
pub(super) fn joined(mut classes: Vec<Class>) -> Vec<Class> {
    let mut done: Vec<Class> = Vec::new();
    while let Some(class) = classes.pop() {
        let partner =
            done.iter().enumerate().find_map(|(i, other)| Some((i, other.joined(&class)?)));
        match partner {
            Some((i, both)) => {
                done.remove(i);
                classes.push(both);
            }
            None => done.push(class),
        }
    }
    done
}
