//! Lookup tables: what a policy says of them, and the decision who may search one.
//!
//! A lookup is decided by table, kind, mode, person, purpose, time and size; never by what is searched. **Grants never add up**: a lookup is permitted if one grant alone allows a lookup of its size. If several
//! do, all of them are used, and so the strictest limits of all.
//!
//! ```
//! use mayag_policies::catalogue::Catalogue;
//! use mayag_policies::decide::Subject;
//! use mayag_policies::document::Policy;
//! use mayag_policies::lookups::decide_lookup;
//! use mayag_protocol::names::{Digest, KindName, TableName};
//! use mayag_protocol::purpose::Purpose;
//! use mayag_protocol::refusal::Code;
//!
//! let text = include_bytes!("../examples/lookups.json");
//! let policy = Policy::parse(text, &Catalogue::builtin(), |_| Digest::from_bytes([0; 32])).unwrap();
//!
//! let table: TableName = "stolen_documents".parse()?;
//! let kind: KindName = "travel_document".parse()?;
//! let subject =
//!     Subject { country: "kr".parse()?, roles: vec!["analyst".parse()?], purpose: Purpose::Border };
//! let now = "2026-11-23T12:00:00Z".parse().unwrap();
//!
//! // 64 identifiers and the positive control.
//! let permit = decide_lookup(&policy, &subject, now, &table, &kind, 65).unwrap();
//! assert_eq!((permit.grant().as_str(), permit.limits().person), ("border", Some(4096)));
//!
//! let refusal = decide_lookup(&policy, &subject, now, &table, &kind, 10_001).unwrap_err();
//! assert_eq!(refusal.code, Code::TooManyIdentifiers);
//! # Ok::<(), mayag_protocol::names::NameError>(())
//! ```

use crate::decide::{DEFAULT_DENY, Subject, no_policy};
use crate::document::{Policy, Whom, smaller};
use mayag_protocol::lookup::{Mode, SIZES};
use mayag_protocol::names::{GrantId, KindName, TableName};
use mayag_protocol::purpose::Purpose;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use std::cmp::min;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// The words for kinds of identifiers: those that the normalisers have rules for.
pub const KINDS: [&str; 15] = [
    "cas",
    "container",
    "email",
    "iban",
    "identity_document",
    "imei",
    "imo",
    "logo",
    "mmsi",
    "person",
    "phone",
    "plate",
    "travel_document",
    "vin",
    "wallet",
];

/// The kinds of which there are so few that somebody could try all of them: without limits, a table of them is a list
/// that can be read.
pub const FEW: [&str; 5] = ["cas", "imo", "logo", "mmsi", "plate"];

/// The kinds that are found by likeness, through many keys. No declared table has one of them.
pub const FUZZY: [&str; 2] = ["logo", "person"];

/// Identifiers in one lookup where a policy does not say how many.
pub const DEFAULT_AT_ONCE: u32 = 64;

/// The identifiers that a lookup can have, padding included: the size classes without the positive control.
pub fn at_once_sizes() -> [u32; 7] {
    SIZES.map(|elements| elements.saturating_sub(CONTROL))
}

/// The elements of a lookup that are no identifiers: the positive control.
const CONTROL: u32 = 1;

/// A lookup table that a policy opens to somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LookupTable {
    /// Its name.
    pub name: TableName,
    /// What its identifiers are: one of [`KINDS`].
    pub kind: KindName,
    /// Who learns what.
    pub mode: Mode,
    /// What a hit says.
    pub reveals: Reveals,
    /// Of a declared table, and of no other: the law or agreement that lets the country be told what is searched.
    pub legal_basis: Option<String>,
    /// Whether rows may be silent: who searches is told that there is no hit. Of a declared table only.
    pub silent: bool,
}

/// What a hit says beside its band.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "three things that are said or not, each by itself"
)]
pub struct Reveals {
    /// What the record is about.
    pub category: bool,
    /// How what it says may be handled.
    pub handling: bool,
    /// The reference to ask about it under.
    pub contact: bool,
}

/// What everybody is told of a table, whoever may search it: taken together from all its grants in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableTerms {
    /// The purposes that somebody may search it for.
    pub purposes: BTreeSet<Purpose>,
    /// The most elements that somebody may search it for at once, the positive control included.
    pub most_elements: u32,
}

/// Identifiers that may be searched, padding included. At once the positive control is left out; a day counts it, because a
/// node cannot know which element it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// In one lookup.
    pub at_once: u32,
    /// A day, by one person.
    pub person: Option<u64>,
    /// A day, by all people of one country.
    pub country: Option<u64>,
    /// A day, by everybody.
    pub table: Option<u64>,
}

/// One grant of a lookup table.
///
/// INVARIANT (one table): all grants of a table in a policy have the same `table`, kind, mode, revelations, legal
/// basis and silence included; `document::check` refuses others.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct LookupGrant {
    pub(crate) id: GrantId,
    pub(crate) table: LookupTable,
    pub(crate) whom: Whom,
    pub(crate) limits: Limits,
}

/// The proof that a policy allows a lookup of a table: under which grants, within which limits.
///
/// Only [`decide_lookup`] makes one. It cannot be copied, sent or stored, so that it is used where it was decided.
///
/// ```compile_fail
/// fn copied(permit: &mayag_policies::lookups::LookupPermit) -> mayag_policies::lookups::LookupPermit {
///     permit.clone()
/// }
/// ```
pub struct LookupPermit {
    table: LookupTable,
    grants: Vec<GrantId>,
    limits: Limits,
}

impl LookupPermit {
    /// The table.
    pub fn table(&self) -> &LookupTable {
        &self.table
    }

    /// The ids of the grants that allow it, sorted, as people read them.
    pub fn grant(&self) -> String {
        self.grants.iter().map(GrantId::as_str).collect::<Vec<_>>().join(", ")
    }

    /// The same one by one.
    pub fn grants(&self) -> &[GrantId] {
        &self.grants
    }

    /// The strictest limits of these grants; `at_once` is never less than what was asked.
    pub fn limits(&self) -> Limits {
        self.limits
    }
}

/// Decides one lookup of a table; `elements` are those of its vector, of which one is the positive control. O(grants); no
/// I/O, and no data.
///
/// A table that the policy does not name, one of another kind and one that is open to others only are refused alike, so
/// that nobody finds out by asking which tables there are.
pub fn decide_lookup(
    policy: &Policy,
    subject: &Subject,
    now: Timestamp,
    table: &TableName,
    kind: &KindName,
    elements: u32,
) -> Result<LookupPermit, Refusal> {
    if !policy.in_force(now) {
        return Err(no_policy());
    }
    let open: Vec<&LookupGrant> = policy
        .lookup_grants()
        .iter()
        .filter(|grant| grant.table.name == *table && grant.table.kind == *kind)
        .filter(|grant| grant.whom.admits(subject, now))
        .collect();
    let identifiers = elements.saturating_sub(CONTROL);
    let used: Vec<&LookupGrant> =
        open.iter().copied().filter(|grant| identifiers <= grant.limits.at_once).collect();
    permit(&used).ok_or_else(|| {
        // `min_by_key` keeps the first of equals.
        match open.iter().min_by_key(|grant| std::cmp::Reverse(grant.limits.at_once)) {
            Some(grant) => too_many_identifiers(grant),
            None => table_not_shared(table),
        }
    })
}

/// The permit of these grants together; `None` if there are none.
fn permit(used: &[&LookupGrant]) -> Option<LookupPermit> {
    let limits = used.iter().map(|grant| grant.limits).reduce(Limits::strictest)?;
    Some(LookupPermit {
        table: used.first()?.table.clone(),
        grants: used.iter().map(|grant| grant.id.clone()).collect(),
        limits,
    })
}

/// The refusal of a table that is not there, not open, or not asked in its mode. Depends on nothing but what was asked.
pub fn table_not_shared(table: &TableName) -> Refusal {
    let hint =
        "`mayag lookup tables` lists what this country lets you search, and for which purposes";
    Refusal::new(Code::TableNotShared, DEFAULT_DENY, hint).about(table.as_str())
}

fn too_many_identifiers(grant: &LookupGrant) -> Refusal {
    let most = grant.limits.at_once;
    let hint = format!("search at most {most} identifiers at once, padding included");
    Refusal::new(Code::TooManyIdentifiers, grant.id.as_str(), hint)
        .about(format!("{most} identifiers"))
}

impl Policy {
    /// The lookup tables that it opens to somebody, now or at another time, sorted by name, each once.
    pub fn tables(&self) -> Vec<LookupTable> {
        let tables = self.lookup_grants().iter().map(|grant| (&grant.table.name, &grant.table));
        // Whichever grant comes last: they agree (INVARIANT one table).
        tables.collect::<BTreeMap<_, _>>().into_values().cloned().collect()
    }

    /// What everybody is told of a table: the purposes and sizes that any of its grants in force allows; `None` where
    /// none is in force.
    pub fn table_terms(&self, table: &TableName, now: Timestamp) -> Option<TableTerms> {
        let grants = self.lookup_grants().iter().filter(|grant| {
            self.in_force(now) && grant.table.name == *table && grant.whom.lasts(now)
        });
        let terms = grants.map(|grant| TableTerms {
            purposes: grant.whom.purposes.clone(),
            most_elements: grant.limits.at_once.saturating_add(CONTROL),
        });
        terms.reduce(|mut all, mut one| {
            all.purposes.append(&mut one.purposes);
            TableTerms { most_elements: all.most_elements.max(one.most_elements), ..all }
        })
    }
}

impl Limits {
    /// The smaller of both in every respect.
    #[must_use]
    pub fn strictest(self, other: Self) -> Self {
        Self {
            at_once: min(self.at_once, other.at_once),
            person: smaller(self.person, other.person),
            country: smaller(self.country, other.country),
            table: smaller(self.table, other.table),
        }
    }
}

impl Limits {
    /// What is counted a day: in whose name, and the most, if there is one.
    pub(crate) fn a_day(self) -> [(&'static str, Option<u64>); 3] {
        [("person", self.person), ("country", self.country), ("table", self.table)]
    }
}

impl fmt::Display for Limits {
    /// The limits a day, such as `1000 per person, 5000 per table a day`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let given = self.a_day().into_iter().filter_map(|(who, limit)| Some((who, limit?)));
        let words: Vec<String> = given.map(|(who, limit)| format!("{limit} per {who}")).collect();
        match words.as_slice() {
            [] => f.write_str("without a limit a day"),
            words => write!(f, "{} a day", words.join(", ")),
        }
    }
}

impl fmt::Display for Reveals {
    /// What a hit says, such as `how well it matches, category`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("how well it matches")?;
        let Self { category, handling, contact } = *self;
        for (said, word) in [(category, "category"), (handling, "handling"), (contact, "contact")] {
            if said {
                write!(f, ", {word}")?;
            }
        }
        Ok(())
    }
}

impl AsRef<Whom> for LookupGrant {
    fn as_ref(&self) -> &Whom {
        &self.whom
    }
}

impl fmt::Debug for LookupGrant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookupGrant({})", self.id)
    }
}

impl fmt::Debug for LookupPermit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LookupPermit({}: {})", self.table.name, self.grant())
    }
}

#[cfg(test)]
mod tests;
