//! A small country: rows of units in atoms, and releases over them as a node would compute them.

use mayag_disclosure::{
    Cells, Contributions, DataVersion, Descriptor, KeyKind, Measure, Number, Prf, Table,
    UnitDigest, UnitSet, ValueKind,
};
use std::collections::BTreeMap;

/// The most that one unit may contribute to the sum.
pub(crate) const BOUND: f64 = 1000.0;

/// One record of the country.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row {
    pub(crate) unit: u32,
    pub(crate) atom: u32,
    pub(crate) amount: i64,
}

/// What a release shows of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Shown {
    Exactly(Number),
    Noisily(Number, f64),
    Nothing,
}

/// The rows of one cell that one measure is computed over.
#[derive(Debug, Clone)]
struct Population {
    atoms: Vec<u32>,
    units: u64,
    set: UnitSet,
    rows: i128,
    amounts: BTreeMap<u32, i64>,
}

/// A release with the measures `count(DISTINCT unit)`, `count(*)`, `sum(amount)`, and `count(*)` over a filter if there is one.
#[derive(Debug, Clone)]
pub(crate) struct Release {
    /// By cell, by population.
    cells: Vec<Vec<Population>>,
    keys: Vec<Vec<u32>>,
    kinds: Vec<KeyKind>,
    measures: Vec<Measure>,
    pub(crate) shown: Vec<Vec<Shown>>,
    /// Whether the node knows how its releases overlap.
    pub(crate) overlaps: Overlaps,
    /// Whether the node has worked out the sets of units.
    pub(crate) has_sets: bool,
}

/// What a node says of the atoms of a release.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Overlaps {
    Known,
    Unknown,
}

/// A keyed hash that is good enough for tests.
pub(crate) struct Secret(pub(crate) u64);

impl Prf for Secret {
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        let mut digest = [0; 32];
        for (lane, out) in digest.chunks_mut(8).enumerate() {
            let mut state = scramble(self.0 ^ ((lane as u64) << 56));
            for bytes in message.chunks(8) {
                let mut word = [0; 8];
                word[..bytes.len()].copy_from_slice(bytes);
                state = scramble(state ^ u64::from_le_bytes(word));
            }
            out.copy_from_slice(&scramble(state ^ message.len() as u64).to_le_bytes());
        }
        digest
    }
}

fn scramble(state: u64) -> u64 {
    let mut z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

pub(crate) const VERSION: DataVersion = DataVersion([9; 32]);

/// So many units of one row each in an atom, numbered from `first`, each with its number of the amounts.
pub(crate) fn people(first: u32, count: u32, atom: u32) -> Vec<Row> {
    (first..first + count)
        .map(|unit| Row { unit, atom, amount: i64::from(unit % 50) + 50 })
        .collect()
}

impl Release {
    /// Groups of atoms with their keys; `filter` lists the atoms that pass a measure's filter.
    pub(crate) fn new(
        rows: &[Row],
        groups: &[(Vec<u32>, Vec<u32>)],
        kinds: Vec<KeyKind>,
        filter: Option<&[u32]>,
    ) -> Self {
        let part = |atoms: &[u32], keep: &dyn Fn(u32) -> bool| {
            population(rows, atoms.iter().copied().filter(|atom| keep(*atom)).collect())
        };
        let cells = groups.iter().map(|(atoms, _)| {
            let mut own = vec![part(atoms, &|_| true)];
            if let Some(filter) = filter {
                own.push(part(atoms, &|atom| filter.contains(&atom)));
                own.push(part(atoms, &|atom| !filter.contains(&atom)));
            }
            own
        });
        let cells: Vec<Vec<Population>> = cells.collect();
        let measure = |kind, statistic: &str, population, rest| Measure {
            population,
            rest,
            kind,
            statistic: statistic.to_owned(),
        };
        let sum = ValueKind::Sum { bound: Some(BOUND), nonnegative: true };
        let mut measures = vec![
            measure(ValueKind::Units { kind: 0 }, "units:0", 0, None),
            measure(ValueKind::Rows, "rows", 0, None),
            measure(sum, "sum:amount", 0, None),
        ];
        if filter.is_some() {
            measures.push(measure(ValueKind::Rows, "rows", 1, Some(2)));
        }
        let mut release = Self {
            shown: Vec::new(),
            overlaps: Overlaps::Known,
            has_sets: true,
            cells,
            keys: groups.iter().map(|(_, keys)| keys.clone()).collect(),
            kinds,
            measures,
        };
        release.shown = (0..release.cells.len())
            .map(|cell| {
                let value =
                    |measure| release.value(cell, measure).map_or(Shown::Nothing, Shown::Exactly);
                (0..release.measures.len()).map(value).collect()
            })
            .collect();
        release
    }

    /// One cell per group of atoms, with a key that is no category.
    pub(crate) fn plain(rows: &[Row], groups: &[&[u32]]) -> Self {
        let groups: Vec<_> =
            (0_u32..).zip(groups).map(|(key, atoms)| (atoms.to_vec(), vec![key])).collect();
        Self::new(rows, &groups, vec![KeyKind::Frame], None)
    }

    /// Which cells show anything.
    pub(crate) fn cells_shown(&self) -> Vec<bool> {
        self.shown.iter().map(|cell| cell.iter().any(|value| *value != Shown::Nothing)).collect()
    }

    /// Which sums are shown.
    pub(crate) fn sums_shown(&self) -> Vec<bool> {
        self.shown.iter().map(|cell| cell[2] != Shown::Nothing).collect()
    }

    pub(crate) fn atoms_of(&self, cell: usize) -> &[u32] {
        &self.cells[cell][0].atoms
    }
}

fn population(rows: &[Row], atoms: Vec<u32>) -> Population {
    let mut amounts: BTreeMap<u32, i64> = BTreeMap::new();
    let mut count = 0;
    for row in rows.iter().filter(|row| atoms.contains(&row.atom)) {
        *amounts.entry(row.unit).or_default() += row.amount;
        count += 1;
    }
    let mut set = UnitSet::empty();
    for unit in amounts.keys() {
        let digest = Secret(77).digest(&unit.to_le_bytes());
        set.add(&UnitDigest(*digest.first_chunk().unwrap()));
    }
    Population { atoms, units: amounts.len() as u64, set, rows: count, amounts }
}

impl Cells for Release {
    fn len(&self) -> usize {
        self.cells.len()
    }
    fn units(&self, cell: usize) -> u64 {
        self.cells[cell][0].units
    }
    fn measures(&self) -> usize {
        self.measures.len()
    }
    fn group(&self, measure: usize) -> usize {
        measure
    }
    fn contributions(&self, cell: usize, measure: usize) -> Option<Contributions> {
        (measure == 2).then(|| {
            let mut amounts: Vec<f64> = self.cells[cell][0]
                .amounts
                .values()
                .map(|amount| f64::from(i32::try_from(*amount).unwrap()))
                .collect();
            amounts.sort_by(|a, b| b.total_cmp(a));
            let nth = |n: usize| amounts.get(n).copied().unwrap_or(0.0);
            Contributions { total: amounts.iter().sum(), largest: nth(0), second: nth(1) }
        })
    }
    fn withhold_cell(&mut self, cell: usize) {
        self.shown[cell].fill(Shown::Nothing);
    }
    fn withhold_measure(&mut self, cell: usize, measure: usize) {
        self.shown[cell][measure] = Shown::Nothing;
    }
}

impl Table for Release {
    fn populations(&self) -> usize {
        if self.measures.len() > 3 { 3 } else { 1 }
    }
    fn unit_kinds(&self) -> usize {
        1
    }
    fn units_of(&self, cell: usize, population: usize, _: usize) -> u64 {
        self.cells[cell][population].units
    }
    fn set_of(&self, cell: usize, population: usize, _: usize) -> Option<&UnitSet> {
        self.has_sets.then_some(&self.cells[cell][population].set)
    }
    fn descriptor(&self, cell: usize, population: usize) -> Descriptor {
        let bytes: Vec<u8> =
            self.cells[cell][population].atoms.iter().flat_map(|atom| atom.to_le_bytes()).collect();
        Descriptor(*Secret(5).digest(&bytes).first_chunk().unwrap())
    }
    fn atoms(&self, cell: usize, population: usize) -> &[u32] {
        match self.overlaps {
            Overlaps::Known => &self.cells[cell][population].atoms,
            Overlaps::Unknown => &[],
        }
    }
    fn keys(&self) -> &[KeyKind] {
        &self.kinds
    }
    fn key_value(&self, cell: usize, key: usize) -> u32 {
        self.keys[cell][key]
    }
    fn measure(&self, measure: usize) -> Measure {
        self.measures[measure].clone()
    }
    fn value(&self, cell: usize, measure: usize) -> Option<Number> {
        let own = &self.cells[cell];
        Some(Number::Whole(match measure {
            0 => own[0].units.into(),
            1 => own[0].rows,
            2 => own[0].amounts.values().map(|amount| i128::from(*amount)).sum(),
            _ => own[1].rows,
        }))
    }
    fn set_noisy(&mut self, cell: usize, measure: usize, value: Number, deviation: f64) {
        self.shown[cell][measure] = Shown::Noisily(value, deviation);
    }
}
