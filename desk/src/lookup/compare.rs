//! Comparing, on this machine alone: a proof is checked, outputs are looked up, and rows are put together by record.

use super::answer::{Found, OfTable, Reason, Said};
use super::identifiers::{Identifiers, Part};
use super::plan::Chosen;
use mayag_matching::batch::{Batch, Outputs};
use mayag_matching::declared::Answered;
use mayag_matching::index::{Index, Rows};
use mayag_matching::normalise::Normalised;
use mayag_matching::reference::Reference;
use mayag_matching::voprf::{Evaluation, PublicKey};
use mayag_protocol::lookup::{Band, DeclaredTable, DirectoryEntry, Hit, Legend, PublishedIndex};
use mayag_protocol::names::{TableName, hex};
use std::collections::BTreeMap;
use std::fmt;
use std::num::NonZero;

/// Identifiers, and the batch that they are hidden in.
pub(super) struct Hidden {
    pub(super) identifiers: std::sync::Arc<Identifiers>,
    pub(super) batch: Batch,
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({:?})", self.identifiers)
    }
}

/// What a node evaluated, and what its outputs are looked up in.
pub(super) struct Evaluated {
    pub(super) vector: Vec<u8>,
    pub(super) proof: Vec<u8>,
    pub(super) filter: Vec<u8>,
    pub(super) boxes: Vec<u8>,
}

/// The outputs that a node's evaluation gives, once the proof holds. About 33 µs an element.
pub(super) fn outputs(
    hidden: &Hidden,
    chosen: &Chosen,
    vector: &[u8],
    proof: &[u8],
    workers: NonZero<usize>,
) -> Result<Outputs, Reason> {
    let key = PublicKey::from_bytes(chosen.entry.key.to_bytes()).map_err(|_| Reason::Proof)?;
    let evaluation = Evaluation::parse(vector, proof).map_err(|_| Reason::Proof)?;
    hidden.batch.outputs(&key, &evaluation, workers).map_err(|_| Reason::Proof)
}

/// What a table says of each identifier, in their order. `chosen` has the entry that names filter and boxes: what numbers stand for
/// may be otherwise in another.
pub(super) fn compare(
    hidden: &Hidden,
    chosen: &Chosen,
    evaluated: &Evaluated,
    workers: NonZero<usize>,
) -> Result<OfTable, Reason> {
    let Evaluated { vector, proof, filter, boxes } = evaluated;
    let outputs = outputs(hidden, chosen, vector, proof, workers)?;
    let index = Index::parse(&chosen.scope(), filter, boxes).map_err(|_| Reason::Index)?;
    let answered =
        Answered { rows: outputs.rows(&index), finds_control: outputs.finds_control(&index) };
    let said = said(&hidden.identifiers, &answered, Words::blinded(&chosen.entry));
    let DirectoryEntry { table, index: PublishedIndex { left_out, .. }, .. } = &chosen.entry;
    Ok(OfTable { table: table.clone(), left_out: *left_out, may_be_silent: false, said })
}

/// What the numbers of a table stand for.
#[derive(Clone, Copy)]
pub(super) struct Words<'a> {
    table: &'a TableName,
    categories: &'a [Legend],
    handling: &'a [Legend],
}

impl<'a> Words<'a> {
    fn blinded(entry: &'a DirectoryEntry) -> Self {
        let DirectoryEntry { table, categories, handling, .. } = entry;
        Self { table, categories, handling }
    }

    pub(super) fn declared(entry: &'a DeclaredTable) -> Self {
        let DeclaredTable { table, categories, handling, .. } = entry;
        Self { table, categories, handling }
    }
}

/// What a table says of each identifier, in their order.
pub(super) fn said(identifiers: &Identifiers, answered: &Answered, words: Words<'_>) -> Vec<Said> {
    let Answered { rows, finds_control: alive } = answered;
    let said = |(identifier, parts): (&Normalised, &[Part])| {
        let hits = hits(identifier, parts, rows, words);
        // Its record may be one of those that a crowded row stands for.
        let crowded = parts.iter().any(|part| rows.get(part.at).is_some_and(|rows| rows.crowded));
        match (hits.is_empty(), *alive, crowded) {
            (false, _, _) => Said::of(hits),
            (true, true, false) => Said::No,
            (true, true, true) => Said::Unknown(Reason::Crowded),
            (true, false, _) => Said::Unknown(Reason::Control),
        }
    };
    identifiers.with_parts().map(said).collect()
}

/// The records that agree well enough: rows with one contact are one record, found through several elements.
fn hits(identifier: &Normalised, parts: &[Part], rows: &[Rows], words: Words<'_>) -> Vec<Found> {
    let mut records: BTreeMap<[u8; 16], Record> = BTreeMap::new();
    for part in parts {
        for row in rows.get(part.at).into_iter().flat_map(|rows| &rows.references) {
            let record = records.entry(row.contact).or_insert_with(|| Record::of(row));
            record.add(part.slot, row);
        }
    }
    let hit = |(contact, record): ([u8; 16], Record)| {
        let band = identifier.band(&record.opened)?;
        let hit = Hit {
            band,
            category: legend(words.categories, record.category, "several, or not told"),
            handling: legend(words.handling, u16::from(record.handling), "not told"),
            contact: hex(&contact),
            rows: record.rows,
        };
        Some(Found { table: words.table.clone(), hit })
    };
    records.into_iter().filter_map(hit).collect()
}

/// What the rows of one record say together.
struct Record {
    /// The elements that found it, and the bands in their boxes.
    opened: Vec<(u16, Band)>,
    category: u16,
    handling: u8,
    /// The most that one element found: others find the same rows again.
    rows: u16,
}

impl Record {
    fn of(row: &Reference) -> Self {
        Self { opened: Vec::new(), category: row.category, handling: row.handling, rows: row.rows }
    }

    fn add(&mut self, slot: u16, row: &Reference) {
        self.opened.push((slot, row.band));
        if self.category != row.category {
            self.category = mayag_matching::reference::SEVERAL;
        }
        self.handling = self.handling.max(row.handling);
        self.rows = self.rows.max(row.rows);
    }
}

/// What a number stands for, in the country's words.
fn legend(legends: &[Legend], number: u16, nothing: &str) -> String {
    match legends.iter().find(|legend| legend.number == number) {
        Some(legend) => legend.text.clone(),
        None if number == 0 => nothing.to_owned(),
        None => format!("number {number}"),
    }
}
