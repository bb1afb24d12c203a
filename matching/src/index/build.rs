//! Building an index: 66 bytes of memory a row besides the filter's, whatever the identifiers are.

use super::{Boxes, Index, MOST_ROWS, ROW};
use crate::filter::{Filter, FilterError};
use crate::input::{Input, Rules};
use crate::parallel::{in_parts, on_parts};
use crate::redacted::redacted;
use crate::reference::{REFERENCE, Reference, contact, crowd, crowded};
use crate::scope::Scope;
use crate::sealing::{Root, SALT, Sealing, tag};
use crate::voprf::{KeyError, Output, SecretKey};
use ring::rand::{SecureRandom, SystemRandom};
use std::fmt;
use std::num::NonZero;

/// Rows that are evaluated at once, so that no more identifiers than these are held.
const PORTION: usize = 32_768;

/// The fewest rows of an index, with padding.
const FEWEST: usize = 64;

/// One row of a table.
pub struct Row {
    /// Its identifier.
    pub input: Input,
    /// What a hit on it says.
    pub reference: Reference,
}

/// Why no index was built.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IndexError {
    /// The filter was not.
    #[error(transparent)]
    Filter(#[from] FilterError),
    /// No key, or no random bytes.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A box was not sealed.
    #[error("a box was not sealed")]
    Sealing,
}

/// How many rows an index of `rows` is padded to: the next of a series that grows by a quarter.
pub fn padded(rows: usize) -> usize {
    let mut class = FEWEST;
    while class < rows {
        class += class / 4;
    }
    class
}

/// A row before it is sealed. Root and reference lie side by side until all rows are known: only then is it known what merged
/// rows say. All of it is bytes, so that sealed rows can take the place of unsealed ones.
struct Unsealed {
    tag: [u8; 8],
    root: [u8; 32],
    /// Which of the rows of its identifier it is.
    ordinal: [u8; 1],
    reference: [u8; REFERENCE],
}

/// Builds the index of a scope.
pub struct Builder<'a> {
    key: &'a SecretKey,
    scope: &'a Scope,
    workers: NonZero<usize>,
    sealing: Sealing,
    waiting: Vec<Row>,
    rows: Vec<Unsealed>,
}

impl<'a> Builder<'a> {
    /// A builder with `key`, which is that of `scope`; it computes on `workers` threads.
    pub fn new(
        key: &'a SecretKey,
        scope: &'a Scope,
        workers: NonZero<usize>,
    ) -> Result<Self, IndexError> {
        let mut salt = [0; SALT];
        random(&mut salt)?;
        let sealing = Sealing::new(scope, salt);
        Ok(Self { key, scope, workers, sealing, waiting: Vec::new(), rows: Vec::new() })
    }

    /// Makes place for this many rows at once: growing takes twice the memory for a while.
    pub fn reserve(&mut self, rows: usize) {
        self.rows.reserve_exact(rows + 1);
    }

    /// Adds a row. Its identifier is forgotten before the next 32,768 are held.
    pub fn push(&mut self, row: Row) {
        self.waiting.push(row);
        if self.waiting.len() >= PORTION {
            self.evaluate();
        }
    }

    /// The rules that rows must be normalised by.
    pub fn rules(&self) -> &Rules {
        &self.scope.rules
    }

    /// Adds the positive control, merges rows with the same identifier, seals, pads and sorts.
    pub fn finish(mut self) -> Result<Index, IndexError> {
        let control = Input::control(self.rules());
        self.push(Row { input: control, reference: Reference::CONTROL });
        self.evaluate();
        self.merge();
        let sealing = &self.sealing;
        let sealed = on_parts(&mut self.rows, self.workers, |rows| {
            rows.iter_mut().all(|row| row.seal(sealing).is_some())
        });
        if sealed.contains(&false) {
            return Err(IndexError::Sealing);
        }
        // Collected in place: both kinds of row are bytes, and the new ones are shorter.
        let mut rows: Vec<[u8; ROW]> = self.rows.into_iter().map(Unsealed::into_row).collect();
        pad(&mut rows)?;
        rows.sort_unstable();
        Index::of(Boxes { sealing: self.sealing, rows })
    }

    fn evaluate(&mut self) {
        let Self { key, sealing, .. } = self;
        let parts = in_parts(&self.waiting, self.workers, |rows| {
            let inputs: Vec<&Input> = rows.iter().map(|row| &row.input).collect();
            let outputs = key.outputs(&inputs);
            let rows = rows.iter().zip(&outputs);
            rows.map(|(row, output)| Unsealed::new(sealing, row, output)).collect::<Vec<_>>()
        });
        self.rows.extend(parts.into_iter().flatten());
        self.waiting.clear();
    }

    /// Rows with the same identifier have the same tag and root. Those with the same contact become one; the others are
    /// counted, and the last of them says that it stands for more.
    fn merge(&mut self) {
        self.rows.sort_unstable_by(|one, other| one.order().cmp(&other.order()));
        self.rows.dedup_by(|later, kept| {
            let (tag, root, contact) = kept.order();
            if (&later.tag, &later.root) != (tag, root) {
                return false;
            }
            let [ordinal] = kept.ordinal;
            let same = later.order().2 == contact;
            let merges = same || ordinal + 1 >= MOST_ROWS;
            if merges {
                let more = !same || crowded(&kept.reference);
                kept.reference = merged(&kept.reference, &later.reference);
                if more {
                    crowd(&mut kept.reference);
                }
            } else {
                later.ordinal = [ordinal + 1];
            }
            merges
        });
    }
}

fn merged(one: &[u8; REFERENCE], other: &[u8; REFERENCE]) -> [u8; REFERENCE] {
    match (Reference::parse(one), Reference::parse(other)) {
        (Some(one), Some(other)) => one.merged(other).to_bytes(),
        // Both were written by this builder.
        (_, _) => *one,
    }
}

impl Index {
    fn of(boxes: Boxes) -> Result<Self, IndexError> {
        let tags = boxes.rows.iter().filter_map(|row| row.first_chunk());
        let mut tags: Vec<u64> = tags.map(|tag| u64::from_be_bytes(*tag)).collect();
        tags.dedup();
        Ok(Self { filter: Filter::build(&tags)?, boxes })
    }
}

impl Unsealed {
    fn new(sealing: &Sealing, row: &Row, output: &Output) -> Self {
        Self {
            tag: tag(output).to_be_bytes(),
            root: *sealing.root(output).as_bytes(),
            ordinal: [0],
            reference: row.reference.to_bytes(),
        }
    }

    fn order(&self) -> (&[u8; 8], &[u8; 32], &[u8]) {
        (&self.tag, &self.root, contact(&self.reference))
    }

    /// Puts the sealed box where root and reference were; the last bytes of the reference are zeros from then on.
    fn seal(&mut self, sealing: &Sealing) -> Option<()> {
        let [ordinal] = self.ordinal;
        let key = Root::of(self.root).row(ordinal);
        if ordinal > 0 {
            self.tag = key.tag().to_be_bytes();
        }
        let sealed = sealing.seal(&key, &self.reference)?;
        let (first, rest) = sealed.split_first_chunk::<32>()?;
        self.root = *first;
        self.reference = [0; REFERENCE];
        self.reference.iter_mut().zip(rest).for_each(|(byte, sealed)| *byte = *sealed);
        Some(())
    }

    fn into_row(self) -> [u8; ROW] {
        let mut row = [0; ROW];
        let fields = self.tag.into_iter().chain(self.root).chain(self.reference);
        row.iter_mut().zip(fields).for_each(|(byte, field)| *byte = field);
        row
    }
}

/// Adds rows of random bytes. Nobody who cannot open a box can tell it from them.
fn pad(rows: &mut Vec<[u8; ROW]>) -> Result<(), IndexError> {
    let before = rows.len();
    rows.resize(padded(before), [0; ROW]);
    let added = rows.get_mut(before..).unwrap_or_default();
    random(added.as_flattened_mut())
}

fn random(bytes: &mut [u8]) -> Result<(), IndexError> {
    Ok(SystemRandom::new().fill(bytes).map_err(|_| KeyError::Random)?)
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Builder({} rows)", self.rows.len() + self.waiting.len())
    }
}

redacted!(Row, Unsealed);
