//! A table and a search in it: what setting up costs, and what one search does.

use crate::measure::{peak_memory, timed};
use mayag_matching::batch::{Batch, BatchSeed, Verdict};
use mayag_matching::index::{Builder, Index, Row};
use mayag_matching::input::{Input, Rules};
use mayag_matching::reference::Reference;
use mayag_matching::scope::Scope;
use mayag_matching::voprf::{Blinding, Elements, Evaluation, SecretKey, Seed};
use mayag_protocol::lookup::Band;
use std::error::Error;
use std::num::NonZero;

const ONE: NonZero<usize> = NonZero::<usize>::MIN;

/// One searched identifier in this many is in the table.
const ONE_IN: usize = 7;

/// What was measured; times in CPU seconds.
pub(crate) struct Measured {
    pub(crate) rows: usize,
    pub(crate) searched: usize,
    pub(crate) hits: usize,
    pub(crate) setup: f64,
    pub(crate) online: f64,
    pub(crate) additive: f64,
    padded: usize,
    filter: usize,
    boxes: usize,
    peak: u64,
    verified: f64,
}

/// The identifier in row `n`.
pub(crate) fn identifier(n: usize) -> String {
    format!("PHL|M{n:09}")
}

/// The `n`th identifier of the search.
pub(crate) fn searched(n: usize) -> String {
    if n.is_multiple_of(ONE_IN) { identifier(n) } else { format!("XXX|M{n:09}") }
}

pub(crate) fn measure(rows: usize, count: usize) -> Result<Measured, Box<dyn Error>> {
    let rules = Rules { kind: "passport".parse()?, version: 1 };
    let node = "spiffe://demo/country/kr/node".parse()?;
    let scope = Scope { node, table: "documents".parse()?, epoch: 1, rules: rules.clone() };
    let key = SecretKey::derive(&Seed::generate()?, &scope)?;

    let (index, setup) = timed(|| built(&key, &scope, rows))?;
    let peak = peak_memory()?;
    let (filter, boxes) = (index.filter_bytes(), index.box_bytes());
    let index = Index::parse(&scope, &filter, &boxes)?;

    let identifiers: Vec<String> = (0..count).map(searched).collect();
    let seed = BatchSeed::generate()?;
    let search = |blinding: Blinding| {
        let batch = Batch::blinded_by(blinding, &seed, &rules, &identifiers, ONE)?;
        let sent = batch.blinded().to_bytes();
        let answer = key.evaluate(&Elements::parse(&sent)?, ONE)?;
        let answer = Evaluation::parse(answer.elements(), &answer.proof().to_bytes())?;
        Ok::<_, Box<dyn Error>>(batch.outputs(key.public(), &answer, ONE)?.verdicts(&index))
    };
    let (verdicts, online) = timed(|| search(Blinding::Multiplicative))?;
    let (same, additive) = timed(|| search(Blinding::Additive))?;
    if same != verdicts {
        return Err("the verdicts depend on the blinding".into());
    }
    for (n, verdict) in verdicts.iter().enumerate() {
        let right = match verdict {
            Verdict::Hit(_) => n.is_multiple_of(ONE_IN) && n < rows,
            Verdict::NoHit => !n.is_multiple_of(ONE_IN) || n >= rows,
            Verdict::Unknown => false,
        };
        if !right {
            return Err(format!("the verdict on identifier {n} is wrong").into());
        }
    }
    let hits = verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Hit(_))).count();
    let batch = Batch::new(&seed, &rules, &identifiers, ONE)?;
    let answer = key.evaluate(batch.blinded(), ONE)?;
    let (_, verified) = timed(|| batch.outputs(key.public(), &answer, ONE))?;
    Ok(Measured {
        rows,
        searched: count,
        hits,
        setup,
        online,
        additive,
        padded: index.len(),
        filter: filter.len(),
        boxes: boxes.len(),
        peak,
        verified,
    })
}

fn built(key: &SecretKey, scope: &Scope, rows: usize) -> Result<Index, Box<dyn Error>> {
    let mut builder = Builder::new(key, scope, ONE)?;
    builder.reserve(rows);
    for n in 0..rows {
        let mut contact = [0; 16];
        contact.iter_mut().zip(n.to_be_bytes()).for_each(|(byte, part)| *byte = part);
        let reference = Reference { band: Band::Exact, category: 1, handling: 2, rows: 1, contact };
        builder.push(Row { input: Input::new(&scope.rules, &identifier(n))?, reference });
    }
    Ok(builder.finish()?)
}

impl Measured {
    pub(crate) fn lines(&self) -> Vec<String> {
        let per = |bytes: usize, rows: usize| real(bytes) / real(rows);
        vec![
            format!(
                "filter: {:.2} bytes a row (goal <= 4.6), {:.2} a row of the data: {} rows are padded to {}; boxes {:.2} bytes a row",
                per(self.filter, self.padded),
                per(self.filter, self.rows),
                self.rows,
                self.padded,
                per(self.boxes, self.padded),
            ),
            format!(
                "index: {} rows in {:.1} CPU s, {:.1} us a row, sealing and filter included; peak memory {} MiB, {:.0} bytes a row",
                self.rows,
                self.setup,
                self.setup * 1e6 / real(self.rows),
                self.peak,
                real(usize::try_from(self.peak).unwrap_or(0)) * 1_048_576.0 / real(self.rows),
            ),
            format!(
                "search: {} in {} rows, {} hits, all verdicts right; {:.3} CPU s for desk and node, {:.3} of them for the desk's check \
                 of the proof, unblinding and looking up; {:.3} with additive blinding",
                self.searched, self.rows, self.hits, self.online, self.verified, self.additive
            ),
        ]
    }
}

#[expect(clippy::cast_precision_loss, reason = "counts below 2^53")]
pub(crate) fn real(count: usize) -> f64 {
    count as f64
}
