//! Lookups: what a node publishes of its tables, what is asked, what a node answers, and the words for what came of it.
//!
//! A lookup is a question ([`crate::question::Ask::Lookup`]). It and its answers travel as [`crate::answer::Bundle`]s: the
//! signed envelope, and beside it the vectors that it names by digest, 32 bytes for each element. How long either is depends on the size class alone ([`SIZES`]), never on what is
//! searched or found: a node does not know whether there was a hit, and the gateway cannot see it.

use crate::envelope::Base64;
use crate::identity::Identity;
use crate::names::{Country, Digest, EvaluationKey, KindName, TableName};
use crate::purpose::Purpose;
use crate::question::LONGEST_ENVELOPE;
use crate::timestamp::Timestamp;
use serde::{Deserialize, Serialize};

mod declared;
mod verdict;

pub use declared::{
    DECLARED_HEAD, DECLARED_REFERENCES, DECLARED_SLOT, DECLARED_VERDICT, DeclaredSearch,
    DeclaredTable, DeclaredTarget, MOST_DECLARED, SEAL, declared_at_once, declared_elements,
};
pub use verdict::{Band, Hit, Verdict, no_hit_anywhere};

/// The elements of a vector, by size class: 1, 8, 64, 512, 4,096, 10,000 or 65,534 identifiers and padding, and one more for
/// the positive control. A vector of another length is refused.
pub const SIZES: [u32; 7] = [2, 9, 65, 513, 4_097, 10_001, 65_535];

/// Bytes of an element.
pub const ELEMENT: usize = 32;

/// Bytes of a proof.
pub const PROOF: usize = 64;

/// The longest lookup that is read: an envelope, the longest vector, and their lengths.
pub const LONGEST_REQUEST: usize = LONGEST_ENVELOPE + 65_535 * ELEMENT + 8;

/// Where a gateway or a node takes lookups, as an [`crate::answer::Bundle`] of the question's envelope and its vector.
pub const LOOKUPS: &str = "/v1/lookups";

/// Where a gateway or a node is asked for a piece of what nodes published ([`Wanted`]).
pub const PUBLISHED: &str = "/v1/published";

/// The longest piece of what a node published that travels at once.
pub const PIECE: usize = 4 * 1024 * 1024;

/// The longest envelope of a directory that is read.
pub const LONGEST_DIRECTORY: usize = 1024 * 1024;

/// What a node publishes of its tables (`application/vnd.mayag.directory.v1+json`), and logs: a desk believes a key because
/// everybody sees the same one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Directory {
    /// Version of this format: 1.
    pub v: u8,
    /// The node.
    pub node: Identity,
    /// Counts up with every change.
    pub serial: u64,
    /// When it was signed.
    pub issued_at: Timestamp,
    /// The tables that can be asked, sorted by name and epoch. While keys rotate, a table has two live epochs.
    pub tables: Vec<DirectoryEntry>,
    /// The tables that can be asked only by telling the node what is searched, sorted by name.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub declared: Vec<DeclaredTable>,
    /// The tables that the policy opens and that cannot be asked now, because they have no key or no index: sorted by name.
    /// A country with one of them has not said no.
    pub unready: Vec<UnreadyTable>,
}

/// A table that could be asked if it were ready.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnreadyTable {
    /// The table.
    pub table: TableName,
    /// What its identifiers are.
    pub kind: KindName,
    /// The purposes it may be asked for, sorted.
    pub purposes: Vec<Purpose>,
}

/// One table in one epoch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DirectoryEntry {
    /// The table.
    pub table: TableName,
    /// What its identifiers are.
    pub kind: KindName,
    /// The version of the rules that they are normalised by.
    pub rules: u16,
    /// Who learns what.
    pub mode: Mode,
    /// Counts up with every new key.
    pub epoch: u32,
    /// From when on it is answered.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// What proofs are checked against.
    pub key: EvaluationKey,
    /// What outputs are looked up in.
    pub index: PublishedIndex,
    /// The purposes it may be asked for, sorted.
    pub purposes: Vec<Purpose>,
    /// The most elements that one request may have.
    pub most_elements: u32,
    /// What the numbers of categories stand for, sorted by number.
    pub categories: Vec<Legend>,
    /// What the numbers of handling codes stand for, sorted by number: the greater, the stricter.
    pub handling: Vec<Legend>,
}

/// The published form of a table, by digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PublishedIndex {
    /// When it was built from the node's data.
    pub built_at: Timestamp,
    /// Rows, padded to a size class.
    pub rows: u64,
    /// Rows of the node's data that are not in it, because what they hold is written in no form that can be searched.
    pub left_out: u64,
    /// The filter.
    pub filter: Published,
    /// The sealed boxes.
    pub boxes: Published,
}

/// Bytes that a node publishes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Published {
    /// Their SHA-256.
    pub digest: Digest,
    /// How many.
    pub bytes: u64,
}

/// What a number in a hit stands for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Legend {
    /// The number.
    pub number: u16,
    /// What it stands for, such as `stolen or lost document`.
    pub text: String,
}

/// Who learns what of a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// The node learns how many elements were evaluated, and nothing else.
    Blinded,
    /// The node learns the identifier; the gateway does not.
    Declared,
}

/// Which identifiers are searched where, without saying what they are: the part of a question that is a lookup
/// ([`crate::question::Ask::Lookup`]). The same bytes, and the same vector beside them, go to every node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Search {
    /// The kind of the identifiers.
    pub identifiers: KindName,
    /// The version of the rules that they were normalised by.
    pub rules: u16,
    /// Elements in the vector: one of [`SIZES`].
    pub elements: u32,
    /// SHA-256 of the vector: the commitment that an auditor can open.
    pub blinded: Digest,
    /// SHA-256 of what the desk sealed for the auditors of the person's country: the identifiers and the seed of the vector.
    pub opening: Digest,
    /// The tables asked, sorted, each once.
    pub targets: Vec<Target>,
}

/// A table of a country in an epoch.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    /// The country.
    pub country: Country,
    /// Its table.
    pub table: TableName,
    /// The epoch, as the directory has it.
    pub epoch: u32,
}

/// One evaluated vector, as a node signs it ([`crate::answer::Decision::Evaluated`]).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EvaluatedTable {
    /// The table.
    pub table: TableName,
    /// The epoch whose key evaluated it.
    pub epoch: u32,
    /// SHA-256 of the evaluated vector.
    pub evaluated: Digest,
    /// The proof's 64 bytes.
    pub proof: Base64,
    /// SHA-256 of the filter in force: an older one says nothing about what was entered since.
    pub filter: Digest,
    /// SHA-256 of the sealed boxes in force.
    pub boxes: Digest,
}

/// A piece of what a node published, asked for by its digest. Who knows the digest was told it in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Wanted {
    /// The country.
    pub country: Country,
    /// SHA-256 of the whole.
    pub digest: Digest,
    /// The first byte wanted.
    pub offset: u64,
}

/// What is wrong with a search's own fields, whoever signed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LookupFault {
    /// The vector's length is not that of a size class.
    #[error("the vector has another length than those of the size classes")]
    Elements,
    /// The list of tables is unsorted, names one twice, or has none of a country that is asked.
    #[error("the list of tables is unsorted, names one twice, or is not of the countries asked")]
    Targets,
}

impl Search {
    /// Checks everything that depends on the search alone. `countries` are those that the question names, sorted.
    pub fn fault(&self, countries: &[Country]) -> Option<LookupFault> {
        let sorted = self.targets.is_sorted_by(|one, next| one < next);
        let mut named: Vec<&Country> = self.targets.iter().map(|target| &target.country).collect();
        named.dedup();
        if !sorted || !named.into_iter().eq(countries) {
            Some(LookupFault::Targets)
        } else if SIZES.contains(&self.elements) {
            None
        } else {
            Some(LookupFault::Elements)
        }
    }

    /// The targets of one country.
    pub fn targets_of<'a>(&'a self, country: &Country) -> impl Iterator<Item = &'a Target> {
        self.targets.iter().filter(move |target| target.country == *country)
    }

    /// Bytes of the vector that belongs to it.
    pub fn vector_bytes(&self) -> usize {
        usize::try_from(self.elements).unwrap_or(usize::MAX).saturating_mul(ELEMENT)
    }
}

impl Directory {
    /// A table of it that is answered at this time, in this epoch.
    pub fn live(&self, table: &TableName, epoch: u32, now: Timestamp) -> Option<&DirectoryEntry> {
        self.tables.iter().find(|entry| {
            entry.table == *table && entry.epoch == epoch && entry.from <= now && now < entry.until
        })
    }
}

#[cfg(test)]
mod tests;
