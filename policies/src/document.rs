//! Policy documents: read from JSON, checked wholly, and turned into what a decision needs.
//!
//! Every check reports everything it finds: an administrator sees all problems in one run. The schema comes first; the
//! names in a document are looked up only once its shape is right.

mod check;
pub mod init;
mod lint;
mod position;
mod problem;
mod protections;
mod repair;
pub mod report;
mod rule;
mod schema;
mod whom;
pub mod written;

pub use position::Position;
pub use problem::Problem;
pub(crate) use protections::smaller;
pub use protections::{Bounds, Budget, Dominance, Noise, Protections, Switch};
pub use rule::{Rule, Severity};
pub(crate) use schema::schema_file;
pub use schema::schema_text;
pub(crate) use whom::Whom;

use crate::catalogue::Catalogue;
use crate::lookups::LookupGrant;
use crate::shape::{Aggregate, Grain, Predicate};
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{ColumnName, Country, DatasetName, Digest, GrantId, Role};
use mayag_protocol::strict::{self, StrictError};
use mayag_protocol::timestamp::Timestamp;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

/// The longest policy document that is read.
pub const LONGEST: usize = 1024 * 1024;

/// How long before its end a policy or a grant should be renewed: two people have to find the time.
pub const SOON: Duration = Duration::from_hours(30 * 24);

/// A policy that was read, checked against the catalogue, and can be decided under.
#[derive(Clone)]
pub struct Policy {
    version: PolicyVersion,
    country: Country,
    valid_from: Timestamp,
    valid_until: Timestamp,
    why: String,
    meant: Meant,
}

/// What the grants of a document mean.
///
/// INVARIANT (sorted grants): either list is sorted by id, and each id is in one of them once.
#[derive(Clone)]
struct Meant {
    grants: Vec<Grant>,
    lookups: Vec<LookupGrant>,
}

/// One grant of a policy.
#[derive(Clone, PartialEq, Eq)]
pub struct Grant {
    pub(crate) id: GrantId,
    pub(crate) whom: Whom,
    pub(crate) dataset: DatasetName,
    /// The shared columns only, and virtual columns of levels: hidden ones, and a unit that may not be counted, are left
    /// out.
    pub(crate) columns: BTreeMap<ColumnName, Share>,
    pub(crate) rows: Predicate,
    /// Of two grants for a join: the other one, and the rows of its dataset.
    pub(crate) with: Option<GrantId>,
    pub(crate) joined_rows: Predicate,
    pub(crate) protections: Protections,
    pub(crate) budget: Budget,
    /// The legal reason to compute answers over persons when they are asked for.
    pub(crate) waiver: Option<String>,
}

/// In which role a column is shared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Share {
    /// A level, of a date at this grain or a coarser one.
    Dimension { finest: Option<Grain> },
    /// A number with these aggregates.
    Measure { aggregates: BTreeSet<Aggregate>, bounds: Option<Bounds> },
    /// The unit, to be counted.
    Unit,
}

impl Policy {
    /// Reads a policy document: at most [`LONGEST`] bytes of strict JSON that fits the schema, names only what the
    /// catalogue has, and stays within the federation's floors. `digest_of` is SHA-256; it is given the exact bytes.
    ///
    /// All problems are reported, in the order of the text. O(bytes), and O(grants²) comparisons of grants.
    pub fn parse(
        bytes: &[u8],
        catalogue: &Catalogue,
        digest_of: impl FnOnce(&[u8]) -> Digest,
    ) -> Result<Self, Vec<Problem>> {
        let (document, meant) = read(bytes, catalogue)?;
        Ok(Self {
            version: PolicyVersion { serial: document.serial, digest: digest_of(bytes) },
            country: document.policy,
            valid_from: document.valid_from,
            valid_until: document.valid_until,
            why: document.why,
            meant,
        })
    }

    /// Its serial and the digest of its text.
    pub fn version(&self) -> &PolicyVersion {
        &self.version
    }

    /// The country whose policy it is.
    pub fn country(&self) -> &Country {
        &self.country
    }

    /// The reason for this version.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// Whether it is in force at this time.
    pub fn in_force(&self, now: Timestamp) -> bool {
        self.valid_from <= now && now < self.valid_until
    }

    /// From when it is in force.
    pub fn valid_from(&self) -> Timestamp {
        self.valid_from
    }

    /// Until when it is in force.
    pub fn valid_until(&self) -> Timestamp {
        self.valid_until
    }

    /// How long it is still in force, if that is less than [`SOON`]; nothing is left of one that has ended.
    pub fn ends_soon(&self, now: Timestamp) -> Option<Duration> {
        Some(self.valid_until.since(now)).filter(|left| *left < SOON)
    }

    /// The ids of its grants, those of lookup tables included, sorted.
    pub fn grant_ids(&self) -> impl Iterator<Item = &GrantId> {
        let grants = self.grants().iter().map(|grant| &grant.id);
        let all: BTreeSet<&GrantId> =
            grants.chain(self.lookup_grants().iter().map(|grant| &grant.id)).collect();
        all.into_iter()
    }

    /// The countries that its grants name, sorted.
    pub fn named_countries(&self) -> BTreeSet<Country> {
        self.whoms().filter_map(|whom| whom.countries.as_ref()).flatten().cloned().collect()
    }

    /// The roles that its grants name, sorted.
    pub fn named_roles(&self) -> BTreeSet<Role> {
        self.whoms().flat_map(|whom| &whom.roles).cloned().collect()
    }

    fn whoms(&self) -> impl Iterator<Item = &Whom> {
        let grants = self.grants().iter().map(|grant| &grant.whom);
        grants.chain(self.lookup_grants().iter().map(|grant| &grant.whom))
    }

    pub(crate) fn grants(&self) -> &[Grant] {
        &self.meant.grants
    }

    pub(crate) fn lookup_grants(&self) -> &[LookupGrant] {
        &self.meant.lookups
    }
}

/// The same text with another serial; `None` for what has no serial at its top.
pub fn with_serial(text: &[u8], serial: u64) -> Option<Vec<u8>> {
    const POINTER: &str = "/serial";
    let places = position::places(text, &BTreeSet::from([POINTER.to_owned()]));
    let number = places.get(POINTER)?.value.bytes.clone();
    let before = text.get(..number.start)?;
    let (digits, rest) = text.get(number.start..)?.split_at_checked(number.len())?;
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some([before, serial.to_string().as_bytes(), rest].concat())
}

/// Everything that is wrong with a policy document; if a node would take it, everything that somebody should look at,
/// such as what ends within a month of `now`. In the order of the text.
pub fn examine(bytes: &[u8], catalogue: &Catalogue, now: Timestamp) -> Vec<Problem> {
    match read(bytes, catalogue) {
        Err(problems) => problems,
        Ok((document, meant)) => {
            problem::locate(bytes, lint::problems(&document, &meant, catalogue, now))
        }
    }
}

/// A document and what its grants mean; or everything that is wrong with it.
fn read(bytes: &[u8], catalogue: &Catalogue) -> Result<(written::Document, Meant), Vec<Problem>> {
    let value = strict::parse(bytes, LONGEST).map_err(|error| unreadable(bytes, error))?;
    let mut problems = schema::check(&value);
    problems.extend(repair::instants(&value, &problems));
    if !problems.is_empty() {
        problems.extend(repair::problems(&value, &problems, catalogue));
        return Err(problem::locate(bytes, problems));
    }
    // What the schema cannot say, such as numbers of more than 64 bits, the types still refuse.
    let document: written::Document =
        strict::parse(bytes, LONGEST).map_err(|error| unreadable(bytes, error))?;
    let meant =
        check::meant(&document, catalogue).map_err(|problems| problem::locate(bytes, problems))?;
    Ok((document, meant))
}

fn unreadable(bytes: &[u8], error: StrictError) -> Vec<Problem> {
    vec![match error {
        StrictError::Json { line, column, reason } => {
            let mut problem = Problem::new(Rule::NotJson, "", reason);
            let position = Position { line, column };
            problem.span = problem::bytes(&position.byte(bytes));
            problem.position = Some(position);
            problem
        }
        StrictError::TooLong { .. } => Problem::new(Rule::TooLong, "", error.to_string()),
    }]
}

impl fmt::Debug for Policy {
    /// The constants of row filters are not for logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "Policy({}, serial {}, {} grants)",
            self.country,
            self.version.serial,
            self.grants().len() + self.lookup_grants().len()
        )
    }
}

impl AsRef<Whom> for Grant {
    fn as_ref(&self) -> &Whom {
        &self.whom
    }
}

impl fmt::Debug for Grant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Grant({})", self.id)
    }
}

#[cfg(test)]
mod tests;
