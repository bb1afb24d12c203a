//! What a node publishes of a table: a filter over tags, and the boxes of its rows, sorted by tag.
//!
//! Nobody can tell anything from it without an output of the node's key: a tag is a part of an output, a box opens with
//! another part of it. Padding rows of random bytes bring the number of rows to a size class ([`padded`]), so that it does not
//! show how many there are.
//!
//! ```text
//! boxes:  "MAYAGBX1" | salt, 16 bytes | rows: tag u64 big-endian | box, 41 bytes
//! ```
//!
//! with rows in ascending order of all their bytes. A row costs 49 bytes here and about 4.5 in the filter.

use crate::filter::{Filter, FilterError};
use crate::reference::Reference;
use crate::scope::Scope;
use crate::sealing::{BOX, BoxKey, Opened, SALT, Sealing, tag};
use crate::voprf::Output;
use std::fmt;

mod build;

pub use build::{Builder, IndexError, Row, padded};

const MAGIC: &[u8; 8] = b"MAYAGBX1";

/// Bytes of a row: tag and box.
const ROW: usize = 8 + BOX;

/// The most rows of one identifier. What further ones say is merged into the last, which says that it is ([`Rows::crowded`]).
pub const MOST_ROWS: u8 = 16;

/// The head of the boxes' bytes.
const HEAD: usize = 8 + SALT;

/// The published form of a table, as its readers have it.
pub struct Index {
    filter: Filter,
    boxes: Boxes,
}

/// What an index says of one output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rows {
    /// By contact; nothing where the output is not there.
    pub references: Vec<Reference>,
    /// Whether there are more contacts than [`MOST_ROWS`]: the last row stands for several, and which ones cannot be told. Where it
    /// takes several outputs to find a record, nobody knows that one of these is not it.
    pub crowded: bool,
}

/// Rows sorted by tag.
struct Boxes {
    sealing: Sealing,
    rows: Vec<[u8; ROW]>,
}

/// Bytes that are no index. Says nothing of what they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MalformedIndex {
    /// The boxes are not rows in ascending order.
    #[error("the bytes are not the boxes of an index")]
    Boxes,
    /// The filter is none.
    #[error("index: {0}")]
    Filter(#[from] FilterError),
}

impl Index {
    /// Reads what a node published for a scope. That it is what the node signed for is checked by digest, before.
    pub fn parse(scope: &Scope, filter: &[u8], boxes: &[u8]) -> Result<Self, MalformedIndex> {
        let filter = Filter::parse(filter)?;
        let boxes = Boxes::parse(scope, boxes).ok_or(MalformedIndex::Boxes)?;
        Ok(Self { filter, boxes })
    }

    /// The bytes of the filter, to be published.
    pub fn filter_bytes(&self) -> Vec<u8> {
        self.filter.to_bytes()
    }

    /// The bytes of the boxes, to be published.
    pub fn box_bytes(&self) -> Vec<u8> {
        let rows = self.boxes.rows.as_flattened();
        let mut bytes = Vec::with_capacity(HEAD + rows.len());
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(self.boxes.sealing.salt());
        bytes.extend_from_slice(rows);
        bytes
    }

    /// Rows, with padding.
    pub fn len(&self) -> usize {
        self.boxes.rows.len()
    }

    /// Whether there is no row; an index that was built holds its positive control.
    pub fn is_empty(&self) -> bool {
        self.boxes.rows.is_empty()
    }

    /// What the table says of an output, all its rows together.
    pub fn look_up(&self, output: &Output) -> Option<Reference> {
        self.rows(output).references.into_iter().reduce(Reference::merged)
    }

    /// What each row of an output says, by contact. Passing the filter is no hit: only a box that opens is.
    pub fn rows(&self, output: &Output) -> Rows {
        let mut rows = Rows::default();
        if !self.filter.may_hold(tag(output)) {
            return rows;
        }
        let root = self.boxes.sealing.root(output);
        let row = |n: u8| {
            let key = root.row(n);
            self.boxes.open(if n == 0 { tag(output) } else { key.tag() }, &key)
        };
        for Opened { reference, crowded } in (0..MOST_ROWS).map_while(row) {
            rows.references.push(reference);
            rows.crowded |= crowded;
        }
        rows
    }
}

impl Boxes {
    fn parse(scope: &Scope, bytes: &[u8]) -> Option<Self> {
        let (MAGIC, rest) = bytes.split_first_chunk::<8>()? else { return None };
        let (salt, rest) = rest.split_first_chunk::<SALT>()?;
        let (rows, []) = rest.as_chunks::<ROW>() else { return None };
        // Strictly: the same row twice would be another form of the same table.
        if !rows.is_sorted_by(|one, next| one < next) {
            return None;
        }
        // Every row of a tag is tried: many under one would show by the time it takes that the tag was searched.
        if rows.windows(usize::from(MOST_ROWS) + 1).any(of_one_tag) {
            return None;
        }
        Some(Self { sealing: Sealing::new(scope, *salt), rows: rows.to_vec() })
    }

    fn open(&self, tag: u64, key: &BoxKey) -> Option<Opened> {
        let tag = tag.to_be_bytes();
        let first = self.rows.partition_point(|row| row.as_slice() < tag.as_slice());
        // Two identifiers share a tag once in 2⁶⁴ pairs.
        self.rows
            .get(first..)?
            .iter()
            .take(usize::from(MOST_ROWS))
            .map_while(|row| row.strip_prefix(&tag)?.as_array::<BOX>())
            .find_map(|sealed| self.sealing.open(key, sealed))
    }
}

/// Whether all of these sorted rows have one tag.
fn of_one_tag(rows: &[[u8; ROW]]) -> bool {
    let tag = |row: Option<&[u8; ROW]>| row.and_then(|row| row.first_chunk::<8>().copied());
    tag(rows.first()) == tag(rows.last())
}

impl fmt::Debug for Index {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Index({} rows)", self.len())
    }
}

#[cfg(test)]
mod tests;
