//! What reconciling needs of a log, taken while the log is verified.

use super::signed::{self, AnswerKeys, Evidence, Forged};
use crate::entry::{CountryEnd, Entry, ResultClass, SeenLog, Type};
use crate::party::Book;
use crate::quorum::Reached;
use crate::records::{LogName, Place, read};
use crate::tile::Tiles;
use crate::tree::Hash;
use crate::verify::{Against, Fault};
use mayag_protocol::names::{Country, LogOrigin};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::timestamp::Timestamp;

/// What is known of one log. Only a log that verifies has any.
#[derive(Debug)]
pub struct Facts {
    name: LogName,
    /// When the quorum had cosigned all entries.
    cosigned: Reached,
    continues: bool,
    /// Of every entry.
    entries: Vec<(Timestamp, Hash)>,
    /// Of entries that other logs are about, by index.
    told: Vec<Fact>,
}

/// One entry.
#[derive(Debug)]
pub(super) struct Fact {
    pub(super) index: u64,
    pub(super) at: Timestamp,
    pub(super) kind: Type,
    pub(super) asked: Option<Asked>,
    pub(super) result: Option<ResultClass>,
    pub(super) peer: Option<Named>,
    /// What the gateway signed, in a node's entry.
    pub(super) signed: Result<Evidence, Forged>,
    pub(super) ends: Vec<End>,
    pub(super) seen: Vec<SeenLog>,
}

/// The question it is about.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) digest: Hash,
}

/// An entry of another log, by its place and hash.
#[derive(Debug)]
pub(super) struct Named {
    pub(super) origin: LogOrigin,
    pub(super) index: u64,
    pub(super) leaf: Hash,
}

/// What a country did, as a gateway says.
#[derive(Debug)]
pub(super) struct End {
    pub(super) country: Country,
    pub(super) outcome: Outcome,
    pub(super) log: Option<Named>,
    /// What its node signed about that entry.
    pub(super) signed: Result<Evidence, Forged>,
}

impl Facts {
    /// Verifies a log and takes what is needed of it; `None` for a log whose name no entry could have. Signatures inside of
    /// entries are checked with `keys`; without any they are only told.
    pub fn read<T: Tiles + ?Sized>(
        tiles: &T,
        against: &Against<'_>,
        keys: &AnswerKeys,
    ) -> Result<Option<Self>, Box<Fault>> {
        let (mut entries, mut facts, mut continues) = (Vec::new(), Vec::new(), false);
        let verified = read(tiles, against, &mut |located| {
            entries.push((located.entry.at, located.hash));
            continues |= located.entry.kind == Type::Continued;
            facts.extend(Fact::of(located.index, located.entry, keys));
        })
        .map_err(Box::new)?;
        let checkpoint = verified.checkpoint();
        let name = LogName::of(&checkpoint.note().checkpoint().origin);
        let cosigned = checkpoint.reached();
        Ok(name.map(|name| Self { name, cosigned, continues, entries, told: facts }))
    }

    /// The log.
    pub fn origin(&self) -> &LogOrigin {
        self.name.origin()
    }

    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    pub(super) fn cosigned(&self) -> Reached {
        self.cosigned
    }

    pub(super) fn continues(&self) -> bool {
        self.continues
    }

    pub(super) fn country(&self) -> Option<&Country> {
        self.name.country().filter(|_| self.name.book() == Some(Book::Questions))
    }

    pub(super) fn is_node(&self) -> bool {
        self.name.country().is_some()
    }

    pub(super) fn place(&self, index: u64) -> Place {
        Place { log: self.origin().clone(), index }
    }

    pub(super) fn times(&self) -> impl Iterator<Item = Timestamp> {
        self.entries.iter().map(|(at, _)| *at)
    }

    pub(super) fn leaves(&self) -> impl Iterator<Item = Hash> {
        self.entries.iter().map(|(_, hash)| *hash)
    }

    pub(super) fn at(&self, index: u64) -> Option<Timestamp> {
        self.entry(index).map(|(at, _)| *at)
    }

    pub(super) fn leaf(&self, index: u64) -> Option<Hash> {
        self.entry(index).map(|(_, hash)| *hash)
    }

    pub(super) fn facts(&self) -> &[Fact] {
        &self.told
    }

    pub(super) fn fact(&self, index: u64) -> Option<&Fact> {
        let found = self.told.binary_search_by_key(&index, |fact| fact.index);
        found.ok().and_then(|place| self.told.get(place))
    }

    fn entry(&self, index: u64) -> Option<&(Timestamp, Hash)> {
        usize::try_from(index).ok().and_then(|index| self.entries.get(index))
    }
}

impl Fact {
    fn of(index: u64, entry: Entry, keys: &AnswerKeys) -> Option<Self> {
        let Entry { at, kind, question_digest, result, peer, statement, countries, seen, .. } =
            entry;
        let digest = question_digest.as_ref().and_then(|digest| Hash::try_from(digest).ok());
        let asked = digest.map(|digest| Asked { digest });
        if asked.is_none() && seen.is_empty() {
            return None;
        }
        let question = question_digest.as_ref();
        let end = |(country, end): (Country, CountryEnd)| {
            let (signed, log) = (end.signed.as_ref(), end.log.as_ref());
            End {
                signed: signed::answer(signed, &country, question, log, keys),
                country,
                outcome: end.outcome,
                log: end.log.and_then(signed::named),
            }
        };
        Some(Self {
            index,
            at,
            kind,
            asked,
            result,
            signed: signed::statement(statement.as_ref(), question, peer.as_ref(), keys),
            peer: peer.and_then(signed::named),
            ends: countries.into_iter().map(end).collect(),
            seen,
        })
    }
}

impl Named {
    pub(super) fn place(&self) -> Place {
        Place { log: self.origin.clone(), index: self.index }
    }
}
