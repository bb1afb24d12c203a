//! What came of a lookup: per identifier and country one verdict, and the reason where nothing is known.

use crate::receipt::ReceiptFile;
use crate::table::CountryReport;
use mayag_protocol::lookup::{Hit, Verdict, no_hit_anywhere};
use mayag_protocol::names::{Country, QuestionId, TableName};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::{Code, Refusal};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::PathBuf;

/// A lookup that verified. No part of it says what was searched: verdicts are in the order of the identifiers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupAnswer {
    /// Every country that was to be asked, sorted.
    pub countries: Vec<CountryAnswered>,
    /// What was sent: nothing if no country has a table that could be asked, more than one question if a country let only some
    /// of its tables be searched.
    pub sent: Vec<SentLookup>,
    identifiers: usize,
}

/// The question of a lookup, as it was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SentLookup {
    /// The question.
    pub question: QuestionId,
    /// Elements in its vector.
    pub elements: u32,
    /// What the countries did that it was sent to.
    pub outcomes: Vec<CountryReport>,
    /// What everybody signed.
    pub receipt: ReceiptFile,
    /// What was searched, sealed for the auditors of the person's country.
    pub sealed: PathBuf,
}

/// What one country says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryAnswered {
    /// The country.
    pub country: Country,
    /// What its tables say of each identifier, in their order; nothing if none was evaluated.
    said: Vec<Said>,
    /// Why not all of its tables were evaluated.
    lacking: Option<Reason>,
    /// Of each table that was evaluated: rows that nobody can find, because what they hold is written in no form that can be
    /// searched. Tables without such rows are left out.
    pub left_out: BTreeMap<TableName, u64>,
    /// The tables that were asked and may keep a hit to themselves: that they have none is not proved.
    pub may_be_silent: BTreeSet<TableName>,
}

/// What one table that was evaluated says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfTable {
    /// The table.
    pub table: TableName,
    /// Rows that are not in its index.
    pub left_out: u64,
    /// Whether its country may keep a hit to itself.
    pub may_be_silent: bool,
    /// What it says of each identifier, in their order.
    pub said: Vec<Said>,
}

/// What tables say of one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// It is there; at least one.
    Hits(Vec<Found>),
    /// It is not there, and their positive controls are.
    No,
    /// It was not found, and that says nothing.
    Unknown(Reason),
}

/// A hit, and the table that it is in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The table.
    pub table: TableName,
    /// What it says.
    pub hit: Hit,
}

/// What a country says of one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding<'a> {
    /// The country.
    pub country: &'a Country,
    /// The verdict; that of the strongest hit if there are several.
    pub verdict: Verdict,
    /// Every hit, strongest first.
    pub hits: &'a [Found],
    /// Why nothing is known, or why there may be more than these hits.
    pub reason: Option<&'a Reason>,
}

/// Why nothing is known of an identifier. Closed, and without a word of what was searched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The positive control was not found: the table is not what its node says.
    Control,
    /// So many records share a part of the identifier that the table has no row for each.
    Crowded,
    /// A table answers only if it is told what is searched.
    Declared,
    /// The published filter or boxes are not those that were signed for.
    Index,
    /// No key of the table is in force.
    NoEpoch,
    /// A table that may be searched has no key or no index yet.
    NotReady,
    /// The country has no table of this kind.
    NoTable,
    /// The country lets this person search nothing for this purpose. It does not say whether there is anything.
    NothingShared,
    /// The country's table may be asked for other purposes.
    OtherPurpose,
    /// The table's identifiers are written by another version of the rules.
    OtherRules,
    /// What the country did.
    Outcome(Outcome),
    /// The proof does not verify: the table's key did not evaluate what was sent.
    Proof,
    /// The country, or the gateway for all, refused.
    Refused(Refusal),
    /// An identifier is longer than what can be declared.
    TooLong,
    /// The lookup has more elements than the table takes.
    TooMany {
        /// As many it takes, the control included.
        most: u32,
    },
    /// The published filter or boxes cannot be had.
    Unfetched,
    /// What was sealed as the answer does not open, or is none.
    Unsealed,
}

/// A finding without a reason has this one: nothing is known, and nobody said why.
static CONTROL: Reason = Reason::Control;

impl LookupAnswer {
    /// What these countries say of so many identifiers.
    pub fn new(
        identifiers: usize,
        mut countries: Vec<CountryAnswered>,
        sent: Vec<SentLookup>,
    ) -> Self {
        countries.sort_by(|one, next| one.country.cmp(&next.country));
        Self { countries, sent, identifiers }
    }

    /// A lookup of so many identifiers that none of these countries has answered, all for one reason.
    pub fn unanswered(
        identifiers: usize,
        countries: impl IntoIterator<Item = Country>,
        reason: &Reason,
    ) -> Self {
        let nothing = |country| CountryAnswered::nothing(country, reason.clone());
        Self::new(identifiers, countries.into_iter().map(nothing).collect(), Vec::new())
    }

    /// How many identifiers it is about.
    pub fn identifiers(&self) -> usize {
        self.identifiers
    }

    /// What every country says of the identifier at this place.
    pub fn of(&self, identifier: usize) -> impl Iterator<Item = Finding<'_>> {
        self.countries.iter().map(move |country| country.of(identifier))
    }

    /// Whether nobody asked knows the identifier, and all of them prove it. Who may keep a hit to itself proves nothing.
    pub fn no_hit_anywhere(&self, identifier: usize) -> bool {
        let silent = self.countries.iter().any(|country| !country.may_be_silent.is_empty());
        !silent && no_hit_anywhere(self.of(identifier).map(|finding| finding.verdict))
    }
}

impl CountryAnswered {
    /// A country that evaluated nothing.
    pub fn nothing(country: Country, reason: Reason) -> Self {
        let (left_out, may_be_silent) = (BTreeMap::new(), BTreeSet::new());
        Self { country, said: Vec::new(), lacking: Some(reason), left_out, may_be_silent }
    }

    /// A country of whose tables these were evaluated; `lacking` is what is missing of others.
    pub fn evaluated(country: Country, tables: Vec<OfTable>, lacking: Option<Reason>) -> Self {
        let left_out = tables.iter().filter(|one| one.left_out > 0);
        let left_out = left_out.map(|one| (one.table.clone(), one.left_out)).collect();
        let silent = tables.iter().filter(|one| one.may_be_silent);
        let may_be_silent = silent.map(|one| one.table.clone()).collect();
        let all = tables.into_iter().map(|one| one.said).reduce(|one, other| {
            one.into_iter().zip(other).map(|(one, other)| one.and(other)).collect()
        });
        Self { country, said: all.unwrap_or_default(), lacking, left_out, may_be_silent }
    }

    /// What it says of the identifier at this place.
    pub fn of(&self, identifier: usize) -> Finding<'_> {
        let country = &self.country;
        let lacking = self.lacking.as_ref();
        let nothing = || match lacking {
            Some(reason) if reason.forbids() => (Verdict::NotPermitted {}, Some(reason)),
            Some(reason) => (Verdict::NotEvaluated {}, Some(reason)),
            None => (Verdict::NotEvaluated {}, Some(&CONTROL)),
        };
        let (hits, (verdict, reason)) = match self.said.get(identifier) {
            Some(Said::Hits(hits)) => match hits.first() {
                Some(first) => {
                    (hits.as_slice(), (Verdict::Hit { hit: first.hit.clone() }, lacking))
                }
                None => (&[] as &[Found], nothing()),
            },
            Some(Said::No) if lacking.is_none() => (&[] as &[Found], (Verdict::NoHit {}, None)),
            Some(Said::No) | None => (&[] as &[Found], nothing()),
            Some(Said::Unknown(reason)) => {
                (&[] as &[Found], (Verdict::NotEvaluated {}, Some(reason)))
            }
        };
        Finding { country, verdict, hits, reason }
    }

    /// Whether any of its tables was evaluated.
    pub fn answered(&self) -> bool {
        !self.said.is_empty()
    }

    /// Why not all of its tables were evaluated.
    pub fn lacking(&self) -> Option<&Reason> {
        self.lacking.as_ref()
    }
}

impl Said {
    /// What two tables say together. Nobody says no for another.
    fn and(self, other: Self) -> Self {
        match (self, other) {
            (Self::Hits(mut hits), Self::Hits(more)) => {
                hits.extend(more);
                Self::of(hits)
            }
            (Self::Hits(hits), Self::No | Self::Unknown(_))
            | (Self::No | Self::Unknown(_), Self::Hits(hits)) => Self::Hits(hits),
            (Self::No, Self::No) => Self::No,
            (Self::Unknown(reason), Self::No) | (Self::No, Self::Unknown(reason)) => {
                Self::Unknown(reason)
            }
            (Self::Unknown(one), Self::Unknown(other)) => {
                Self::Unknown(if other.is_alarm() { other } else { one })
            }
        }
    }

    /// Hits in order, strongest first.
    pub fn of(mut hits: Vec<Found>) -> Self {
        hits.sort_by(|one, next| {
            let key = |found: &Found| (found.hit.band, found.table.clone());
            key(one).cmp(&key(next)).then_with(|| one.hit.contact.cmp(&next.hit.contact))
        });
        Self::Hits(hits)
    }
}

impl Reason {
    /// Whether it is a decision of the country that this may not be asked.
    pub fn forbids(&self) -> bool {
        match self {
            Self::NothingShared | Self::OtherPurpose => true,
            Self::Refused(refusal) => forbids(refusal.code),
            Self::Outcome(outcome) => *outcome == Outcome::Withdrawn,
            Self::Control
            | Self::Crowded
            | Self::Declared
            | Self::Index
            | Self::NoEpoch
            | Self::NoTable
            | Self::NotReady
            | Self::OtherRules
            | Self::Proof
            | Self::TooLong
            | Self::TooMany { .. }
            | Self::Unfetched
            | Self::Unsealed => false,
        }
    }

    /// Whether something did not verify: tell the country.
    pub fn is_alarm(&self) -> bool {
        match self {
            Self::Control | Self::Index | Self::Proof | Self::Unsealed => true,
            Self::Crowded
            | Self::Declared
            | Self::NoEpoch
            | Self::NoTable
            | Self::NotReady
            | Self::NothingShared
            | Self::OtherPurpose
            | Self::OtherRules
            | Self::Outcome(_)
            | Self::Refused(_)
            | Self::TooLong
            | Self::TooMany { .. }
            | Self::Unfetched => false,
        }
    }

    /// The word in machine formats.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Control => "control",
            Self::Crowded => "crowded",
            Self::Declared => "declared",
            Self::Index => "index",
            Self::NoEpoch => "no_epoch",
            Self::NoTable => "no_table",
            Self::NotReady => "not_ready",
            Self::NothingShared => "nothing_shared",
            Self::OtherPurpose => "other_purpose",
            Self::OtherRules => "other_rules",
            Self::Outcome(outcome) => outcome.as_str(),
            Self::Proof => "proof",
            Self::Refused(refusal) => refusal.code.name(),
            Self::TooLong => "too_long",
            Self::TooMany { .. } => "too_many",
            Self::Unfetched => "unfetched",
            Self::Unsealed => "unsealed",
        }
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Control => f.write_str("its positive control was not found: tell the country"),
            Self::Crowded => f.write_str(
                "more records share a part of it than its table can tell apart: ask the country",
            ),
            Self::Declared => f.write_str("its table answers only if it is told what is searched"),
            Self::Index => f.write_str(
                "what it published of its table is not what it signed for: tell the country",
            ),
            Self::NoEpoch => f.write_str("no key of its table is in force now"),
            Self::NoTable => f.write_str("it has no table of this kind"),
            Self::NotReady => f.write_str("its table is not ready: search again later"),
            Self::NothingShared => f.write_str("it lets you search nothing for this purpose"),
            Self::OtherPurpose => f.write_str("its table may be searched for other purposes only"),
            Self::OtherRules => f.write_str(
                "its table is written by another version of the rules than this program has",
            ),
            Self::Outcome(outcome) => write!(f, "{outcome}"),
            Self::Proof => {
                f.write_str("its proof does not verify: tell the country and your auditors")
            }
            Self::Refused(refusal) => write!(f, "{refusal}: {}", refusal.hint),
            Self::TooLong => f.write_str(
                "its table is told identifiers of at most 254 bytes: leave the longer ones out",
            ),
            Self::TooMany { most } => {
                let most = most.saturating_sub(1);
                write!(f, "its table takes at most {most} at once, padding included: search fewer")
            }
            Self::Unfetched => f.write_str("what it published of its table cannot be had now"),
            Self::Unsealed => f.write_str(
                "what it sealed as its answer does not open, or is none: tell the country",
            ),
        }
    }
}

/// Whether a refusal says that this may not be asked, by this person or for this purpose; anything else may be otherwise
/// the next time, or in another form.
fn forbids(code: Code) -> bool {
    match code {
        Code::ColumnNotShared
        | Code::NoGrant
        | Code::NoPolicy
        | Code::NotInRoster
        | Code::PurposeNotHeld
        | Code::TableNotShared => true,
        Code::AggregateNotShared
        | Code::BadSignature
        | Code::BudgetExhausted
        | Code::Busy
        | Code::Expired
        | Code::KeyNotLevel
        | Code::LevelTooFine
        | Code::LogUnavailable
        | Code::MalformedQuestion
        | Code::NotOneSelect
        | Code::NotSupported
        | Code::NotYours
        | Code::OtherEpoch
        | Code::PredicateNotAllowed
        | Code::Replayed
        | Code::RowsNotShared
        | Code::SqlNotReadable
        | Code::TooComplex
        | Code::TooManyIdentifiers
        | Code::TooManyLevels
        | Code::WrongAudience => false,
    }
}
