//! Searching logs: entries that fit a filter, the newest or the oldest of them, in time order over all logs.
//!
//! Without an index a search takes O(entries) time, and memory for as many entries as are wanted: an auditor reads every
//! entry anyway to know that the log is whole. With one ([`crate::index`]) it reads the bundles that may have what is wanted,
//! in the order of time, and stops when no other can have anything better.

use crate::entry::{Entry, Type};
use crate::index::{Candidate, Index, IndexError, Store};
use crate::records::{Located, LogName, Place};
use crate::tile::Tiles;
use crate::tree::Hash;
use mayag_protocol::names::{Country, DatasetName, Digest, QuestionId};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::timestamp::Timestamp;
use serde::Serialize;
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// What is looked for. An entry fits if it fits everything that is set.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Not before this instant.
    pub from: Option<Timestamp>,
    /// Before this instant.
    pub to: Option<Timestamp>,
    /// The country that asked, that answered, or that writes the log.
    pub country: Option<Country>,
    /// A dataset that was read.
    pub dataset: Option<DatasetName>,
    /// The purpose stated.
    pub purpose: Option<Purpose>,
    /// What happened.
    pub kind: Option<Type>,
    /// A decision or a refusal's code, a class of results, or what a country did, as a word.
    pub outcome: Option<String>,
    /// A grant or rule that decided.
    pub rule: Option<String>,
    /// The policy in force.
    pub policy: Option<Digest>,
    /// The question.
    pub question: Option<Asked>,
    /// The pseudonym of a person, in the log of one party.
    pub actor: Option<Digest>,
    /// The commitment to a case, in the log of one party.
    pub case: Option<Digest>,
}

/// Names a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// By its id.
    Id(QuestionId),
    /// By the SHA-256 of what the analyst signed.
    Digest(Digest),
}

/// A text that names no question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a question is named by its id (32 hexadecimal digits) or its digest (64)")]
pub struct NoQuestion;

impl std::str::FromStr for Asked {
    type Err = NoQuestion;
    fn from_str(text: &str) -> Result<Self, NoQuestion> {
        let id = text.parse().map(Self::Id);
        id.or_else(|_| text.parse().map(Self::Digest)).map_err(|_| NoQuestion)
    }
}

impl Asked {
    /// Whether an entry says that it is about this question.
    pub fn is_of(&self, entry: &Entry) -> bool {
        match self {
            Self::Id(id) => entry.question.as_ref() == Some(id),
            Self::Digest(digest) => entry.question_digest.as_ref() == Some(digest),
        }
    }
}

impl Filter {
    /// Whether an entry of a log fits.
    pub fn fits(&self, log: &LogName, entry: &Entry) -> bool {
        let Self {
            from,
            to,
            country,
            dataset,
            purpose,
            kind,
            outcome,
            rule,
            policy,
            question,
            actor,
            case,
        } = self;
        from.is_none_or(|from| from <= entry.at)
            && to.is_none_or(|to| entry.at < to)
            && kind.is_none_or(|kind| kind == entry.kind)
            && purpose.is_none_or(|purpose| entry.purpose == Some(purpose))
            && country.as_ref().is_none_or(|country| has_country(country, log, entry))
            && dataset.as_ref().is_none_or(|dataset| entry.datasets.contains(dataset))
            && outcome.as_ref().is_none_or(|outcome| has_outcome(outcome, entry))
            && rule.as_ref().is_none_or(|rule| {
                entry.rule.iter().flat_map(|rules| rules.split(',')).any(|one| one == rule)
            })
            && policy.as_ref().is_none_or(|policy| entry.policy.as_ref() == Some(policy))
            && question.as_ref().is_none_or(|question| question.is_of(entry))
            && case.as_ref().is_none_or(|case| entry.case.as_ref() == Some(case))
            && actor.as_ref().is_none_or(|actor| entry.actor.as_ref() == Some(actor))
    }
}

fn has_country(country: &Country, log: &LogName, entry: &Entry) -> bool {
    log.country() == Some(country)
        || entry.recipient.as_ref() == Some(country)
        || entry.countries.contains_key(country)
}

fn has_outcome(outcome: &str, entry: &Entry) -> bool {
    entry.decision.as_deref() == Some(outcome)
        || entry.result.is_some_and(|result| result.as_str() == outcome)
        || entry.countries.values().any(|end| end.outcome.as_str() == outcome)
}

/// An entry that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Found {
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// Its leaf hash.
    pub leaf_hash: Digest,
    /// What it says.
    pub entry: Entry,
}

impl Found {
    /// Keeps an entry that is being read.
    pub fn of(located: Located<'_>) -> Self {
        let place = located.place();
        Self { place, leaf_hash: digest(located.hash), entry: located.entry }
    }
}

pub(crate) fn digest(hash: Hash) -> Digest {
    hash.into()
}

/// Which entries are kept where more fit than are wanted, and what comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// The latest, the latest first.
    Newest,
    /// The earliest, the earliest first.
    Oldest,
}

/// Collects what fits, never more than is wanted.
#[derive(Debug)]
pub struct Search {
    filter: Filter,
    order: Order,
    limit: usize,
    found: BTreeMap<(Timestamp, Place), Found>,
    fitting: u64,
}

impl Search {
    /// Looks for at most `limit` entries.
    pub fn new(filter: Filter, order: Order, limit: usize) -> Self {
        Self { filter, order, limit, found: BTreeMap::new(), fitting: 0 }
    }

    /// Looks at one entry. O(log limit).
    pub fn look(&mut self, located: Located<'_>) {
        if !self.filter.fits(located.log, &located.entry) {
            return;
        }
        self.fitting += 1;
        let found = Found::of(located);
        self.found.insert((found.entry.at, found.place.clone()), found);
        if self.found.len() > self.limit {
            match self.order {
                Order::Newest => self.found.pop_first(),
                Order::Oldest => self.found.pop_last(),
            };
        }
    }

    /// Looks through logs by their indexes, O(bundles with hits): whether all that fits was counted, or it stopped because enough
    /// was found. Every bundle that is read is proven against its log's checkpoint. An error comes with the log's place.
    pub fn by_index<T: Tiles, S: Store>(
        &mut self,
        indexes: &mut [Index<'_, T, S>],
    ) -> Result<bool, (usize, IndexError)> {
        let mut all: Vec<(usize, Candidate)> = Vec::new();
        for (log, index) in indexes.iter_mut().enumerate() {
            let found = index.candidates(&self.filter).map_err(|error| (log, error))?;
            all.extend(found.into_iter().map(|candidate| (log, candidate)));
        }
        match self.order {
            Order::Newest => all.sort_by_key(|(_, bundle)| Reverse(bundle.to)),
            Order::Oldest => all.sort_by_key(|(_, bundle)| bundle.from),
        }
        for (log, candidate) in all {
            if self.has_better_than(&candidate) {
                return Ok(false);
            }
            let Some(index) = indexes.get(log) else { continue };
            let read = index.entries(candidate.bundle, &mut |located| self.look(located));
            read.map_err(|error| (log, error))?;
        }
        Ok(true)
    }

    /// Whether nothing in a bundle can take the place of what was found.
    fn has_better_than(&self, candidate: &Candidate) -> bool {
        let enough = self.limit <= self.found.len();
        let worst = match self.order {
            Order::Newest => self.found.first_key_value(),
            Order::Oldest => self.found.last_key_value(),
        };
        enough
            && worst.is_none_or(|((at, _), _)| match self.order {
                Order::Newest => candidate.to < *at,
                Order::Oldest => *at < candidate.from,
            })
    }

    /// How many entries fitted, whether or not they were kept.
    pub fn fitting(&self) -> u64 {
        self.fitting
    }

    /// What was found, in order.
    pub fn into_found(self) -> Vec<Found> {
        let mut found: Vec<Found> = self.found.into_values().collect();
        match self.order {
            Order::Newest => found.reverse(),
            Order::Oldest => (),
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::{Asked, Filter, Found, Order, Search};
    use crate::entry::{CountryEnd, Entry, ResultClass, Type};
    use crate::records::read;
    use crate::records::written::{GATEWAY, KR, Written, about, at, digest};
    use mayag_protocol::outcome::Outcome;
    use mayag_protocol::purpose::Purpose;

    fn logs() -> [Written; 2] {
        let (mut gateway, mut kr) = (Written::new(GATEWAY), Written::new(KR));
        for number in 0..5 {
            let at = i64::from(number) * 10;
            gateway.push(&about(Type::Received, at, number));
            kr.push(&Entry {
                datasets: vec!["seizures".parse().unwrap()],
                rule: Some("all,none".to_owned()),
                policy: Some(digest("policy")),
                result: Some(ResultClass::Aggregate),
                recipient: Some("us".parse().unwrap()),
                ..about(Type::Answered, at + 1, number)
            });
        }
        let end = CountryEnd { outcome: Outcome::Refused, answer: None, log: None, signed: None };
        gateway.push(&Entry {
            countries: [("kr".parse().unwrap(), end)].into(),
            ..about(Type::Released, 100, 9)
        });
        [gateway, kr]
    }

    fn search(filter: Filter, order: Order, limit: usize) -> (u64, Vec<Found>) {
        let mut search = Search::new(filter, order, limit);
        for log in logs() {
            let log = log.published();
            read(&log, &log.against(), &mut |entry| search.look(entry)).unwrap();
        }
        (search.fitting(), search.into_found())
    }

    #[test]
    fn every_condition_excludes_what_does_not_fit_it() {
        let all = Filter::default;
        let cases = [
            (11, all()),
            (4, Filter { from: Some(at(31)), ..all() }),
            (1, Filter { to: Some(at(1)), ..all() }),
            (6, Filter { country: Some("kr".parse().unwrap()), ..all() }),
            (5, Filter { country: Some("us".parse().unwrap()), ..all() }),
            (5, Filter { dataset: Some("seizures".parse().unwrap()), ..all() }),
            (0, Filter { dataset: Some("reports".parse().unwrap()), ..all() }),
            (11, Filter { purpose: Some(Purpose::Trend), ..all() }),
            (0, Filter { purpose: Some(Purpose::Alert), ..all() }),
            (5, Filter { kind: Some(Type::Received), ..all() }),
            (5, Filter { outcome: Some("aggregate".to_owned()), ..all() }),
            (1, Filter { outcome: Some("refused".to_owned()), ..all() }),
            (5, Filter { rule: Some("none".to_owned()), ..all() }),
            (0, Filter { rule: Some("no".to_owned()), ..all() }),
            (5, Filter { policy: Some(digest("policy")), ..all() }),
            (2, Filter { question: Some("03".repeat(16).parse().unwrap()), ..all() }),
            (2, Filter { question: Some(Asked::Digest(digest("question 3"))), ..all() }),
            (0, Filter { actor: Some(digest("bo")), ..all() }),
            (0, Filter { case: Some(digest("case")), ..all() }),
        ];
        for (number, filter) in cases {
            let said = format!("{filter:?}");
            assert_eq!(search(filter, Order::Oldest, 100).0, number, "{said}");
        }
        assert_eq!("03".parse::<Asked>(), Err(super::NoQuestion));
    }

    #[test]
    fn no_more_is_kept_than_is_wanted_and_the_order_is_that_of_time() {
        let times = |order| {
            let (fitting, found) = search(Filter::default(), order, 3);
            assert_eq!(fitting, 11);
            found.into_iter().map(|found| found.entry.at).collect::<Vec<_>>()
        };
        assert_eq!(times(Order::Oldest), [at(0), at(1), at(10)]);
        assert_eq!(times(Order::Newest), [at(100), at(41), at(40)]);
    }
}
