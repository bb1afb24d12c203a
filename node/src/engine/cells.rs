//! The cells of a release as a worker computed them, with what protecting them needs.
//!
//! What protections are told of them is in [`table`], how they become bytes in [`wire`].

mod table;
mod wire;

pub use wire::Part;

use super::describe::{self, key_kind};
use super::execute::Work;
use super::failure::WorkFailure;
use super::layout::{Layout, Population};
use arrow::array::{Array, ArrayRef, AsArray, Float64Array, RecordBatch};
use arrow::datatypes::{DataType, Float64Type, UInt64Type};
use arrow::ipc::reader::StreamReader;
use mayag_disclosure::{
    Contributions, Descriptor, Dominance, KeyKind, Measure, Number, Protections, UnitSet,
};
use mayag_policies::catalogue::{COUNTRY_COLUMN, Dataset, Named};
use mayag_policies::shape::{LevelRef, Literal, Predicate};
use mayag_protocol::columns::{key_column, value_column};
use mayag_protocol::names::Country;
use mayag_queries::domains::{Domain, domains, holds};
use mayag_queries::merge::literals;
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

/// The private columns of a worker's batch, after the key and value columns.
pub(super) fn units_column(population: usize) -> String {
    format!("units{population}")
}

/// The sets of the units of a kind.
pub(super) fn set_column(population: usize, kind: usize) -> String {
    format!("set{population}_{kind}")
}

/// The contributions of a summed column: `total`, `largest` and `second`.
pub(super) fn contribution_column(summed: usize, of: &str) -> String {
    format!("{of}{summed}")
}

/// Pieces of a dataset so small that every cell of a question is a union of them: the combinations of the levels that
/// the question names, as far as there are rows.
#[derive(Debug)]
pub struct Atoms {
    levels: Vec<LevelRef>,
    pieces: Vec<Vec<Option<Literal>>>,
    /// Whether the pieces are all there are. Where they are too many to judge by, nothing is known of how cells overlap,
    /// and no cell of the question is shown.
    complete: bool,
}

/// Atoms of a question at most: to judge more would take too long.
const MOST_ATOMS: usize = 20_000;

/// A dataset as one country holds it.
#[derive(Debug, Clone, Copy)]
pub struct Home<'a> {
    /// The country.
    pub country: &'a Country,
    /// The dataset.
    pub dataset: &'a Dataset,
}

/// The cells of one release. They leave this type only through [`RawCells::to_part`], which has no private columns.
pub struct RawCells {
    keys: Vec<Vec<Option<Literal>>>,
    /// For each key, every value it can have where that is public.
    domains: Vec<Domain>,
    key_kinds: Vec<KeyKind>,
    /// For each key, a number for the value of each cell.
    key_numbers: Vec<Vec<u32>>,
    values: Vec<ArrayRef>,
    /// For each population, the units of each cell.
    units: Vec<Vec<u64>>,
    /// For each kind of units and each population, the sets of each cell. Empty where nobody needs them.
    sets: Vec<Vec<Vec<UnitSet>>>,
    /// For each population, what the cells are.
    descriptors: Vec<Vec<Descriptor>>,
    /// For each population, the atoms of the cells.
    atoms: Vec<Vec<Vec<u32>>>,
    /// For each measure that counts values, the atoms of each cell in which there are some, as far as atoms tell.
    value_atoms: HashMap<usize, Vec<Vec<u32>>>,
    /// For each summed column, the contributions of each cell.
    contributions: Vec<Vec<Contributions>>,
    measures: Vec<Measure>,
    /// For each measure, which cells are withheld.
    withheld: Vec<Vec<bool>>,
    /// For each measure, the values that were made less exact, with by how much.
    noisy: Vec<Vec<Option<(Number, f64)>>>,
    key_types: Vec<DataType>,
    layout: Layout,
    min_units: u64,
    p_percent: u32,
    dominance: Dominance,
    /// Values are bounded and noisy: dominance is not judged, because to withhold by it would itself say something.
    bounded: bool,
    unit_kinds: usize,
    cells: usize,
}

impl fmt::Debug for RawCells {
    /// Never the content.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawCells({})", self.cells)
    }
}

impl RawCells {
    /// Reads what a worker wrote.
    pub(super) fn from_ipc(bytes: &[u8], work: &Work, home: Home<'_>) -> Result<Self, WorkFailure> {
        let mut reader = StreamReader::try_new(bytes, None).map_err(|_| WorkFailure::Broken)?;
        match (reader.next(), reader.next()) {
            (Some(Ok(batch)), None) => Self::from_batch(&batch, work, home),
            _ => Err(WorkFailure::Broken),
        }
    }

    /// Takes a worker's batch apart.
    pub(super) fn from_batch(
        batch: &RecordBatch,
        work: &Work,
        home: Home<'_>,
    ) -> Result<Self, WorkFailure> {
        let release = &work.release;
        let layout = Layout::of(release);
        // What may not be judged is taken for a release that found nothing: what leaves is the same.
        let rows = if work.is_judged() { batch.num_rows() } else { 0 };
        let batch = &batch.slice(0, rows);
        let column = |name: String| batch.column_by_name(&name).ok_or(WorkFailure::Broken);
        let mut keys = Vec::new();
        let mut key_types = Vec::new();
        for i in 0..release.keys.len() {
            let key = column(key_column(i))?;
            key_types.push(key.data_type().clone());
            keys.push(literals(key).ok_or(WorkFailure::Broken)?);
        }
        let values = (0..release.wire.len())
            .map(|i| column(value_column(i)).cloned())
            .collect::<Result<_, _>>()?;
        let units = (0..layout.populations.len())
            .map(|i| {
                let units = column(units_column(i))?.as_primitive_opt::<UInt64Type>();
                Ok(units.ok_or(WorkFailure::Broken)?.values().to_vec())
            })
            .collect::<Result<_, _>>()?;
        let unit_kinds = home.dataset.units.iter().count();
        let cells = rows;
        let withheld = vec![vec![false; cells]; release.wire.len()];
        let mut raw = Self {
            domains: domains(release, home.dataset, home.country),
            key_kinds: release
                .keys
                .iter()
                .map(|level| key_kind(home.dataset, level, &release.filter))
                .collect(),
            key_numbers: keys.iter().map(|values| numbers(values)).collect(),
            keys,
            values,
            units,
            sets: if work.needs_sets(home.dataset) {
                sets(batch, unit_kinds, layout.populations.len())?
            } else {
                Vec::new()
            },
            descriptors: Vec::new(),
            atoms: Vec::new(),
            value_atoms: HashMap::new(),
            contributions: contributions(batch, layout.summed.len())?,
            measures: table::measures(work, &layout, home.dataset),
            noisy: vec![vec![None; cells]; release.wire.len()],
            withheld,
            key_types,
            layout,
            min_units: work.protections.min_units,
            p_percent: work.protections.p_percent,
            dominance: work.protections.dominance,
            bounded: work.protections.noise.is_some(),
            unit_kinds,
            cells,
        };
        raw.describe(work, home)?;
        raw.find_atoms(work, home);
        Ok(raw)
    }

    /// What the cells are. Where nothing is compared with anything, any distinct descriptors serve.
    fn describe(&mut self, work: &Work, home: Home<'_>) -> Result<(), WorkFailure> {
        let populations = self.layout.populations.len();
        if !work.is_compared() {
            let one = |population: usize, cell: usize| {
                Descriptor((((population as u128) << 64) | cell as u128).to_le_bytes())
            };
            self.descriptors = (0..populations)
                .map(|population| (0..self.cells).map(|cell| one(population, cell)).collect())
                .collect();
            return Ok(());
        }
        let rows = work.all_rows(home.dataset).ok_or(WorkFailure::Broken)?;
        let sets = work.release.row_sets(&rows, home.dataset, home.country);
        let sets = sets.ok_or(WorkFailure::Broken)?;
        let key = |cell: usize| -> Vec<Option<Literal>> {
            self.keys.iter().map(|values| values.get(cell).cloned().flatten()).collect()
        };
        let of_population = |population: usize| {
            let part = self.part(population);
            (0..self.cells).map(|cell| describe::descriptor(&sets, &key(cell), part)).collect()
        };
        self.descriptors = (0..populations).map(of_population).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn part(&self, population: usize) -> describe::Part<'_> {
        match self.layout.populations.get(population) {
            Some(Population::Except(filter)) => describe::Part::Except(filter),
            Some(Population::Where(filter)) => describe::Part::Where(filter),
            Some(Population::Everything) | None => describe::Part::Everything,
        }
    }

    /// Which atoms the cells and their parts consist of.
    fn find_atoms(&mut self, work: &Work, home: Home<'_>) {
        let populations = self.layout.populations.len();
        self.atoms = vec![vec![Vec::new(); self.cells]; populations];
        let Some(atoms) = &work.atoms else { return };
        let mut found: HashMap<Vec<Option<&Literal>>, usize> = HashMap::new();
        for cell in 0..self.cells {
            let key = self.keys.iter().map(|values| values.get(cell).and_then(Option::as_ref));
            found.insert(key.collect(), cell);
        }
        let own = Literal::Text(home.country.to_string());
        // Where all grants show the same rows, every atom is of these.
        let told = |level: &LevelRef| {
            level.column.as_str() == COUNTRY_COLUMN || atoms.levels.contains(level)
        };
        let rows = work.rows.levels().iter().all(told).then_some(&work.rows);
        let mut of_cells: Vec<(usize, usize, u32)> = Vec::new();
        for (at, piece) in atoms.pieces.iter().enumerate() {
            let value = |level: &LevelRef| {
                if level.column.as_str() == COUNTRY_COLUMN {
                    return Some(own.clone());
                }
                let at = atoms.levels.iter().position(|other| other == level)?;
                piece.get(at).cloned().flatten()
            };
            let passes = |filter: &Predicate| holds(filter, &value) == Some(true);
            if !passes(&work.release.filter) || !rows.is_none_or(passes) {
                continue;
            }
            let key: Vec<Option<Literal>> = work.release.keys.iter().map(value).collect();
            let key: Vec<Option<&Literal>> = key.iter().map(Option::as_ref).collect();
            let Some(cell) = found.get(&key) else { continue };
            let number = u32::try_from(at).unwrap_or(u32::MAX);
            for (population, of) in self.layout.populations.iter().enumerate() {
                let inside = match of {
                    Population::Everything => true,
                    Population::Except(filter) => holds(filter, &value) != Some(true),
                    Population::Where(filter) => holds(filter, &value) == Some(true),
                };
                if inside {
                    of_cells.push((population, *cell, number));
                }
            }
        }
        for (population, cell, number) in of_cells {
            let cells = self.atoms.get_mut(population);
            if let Some(atoms) = cells.and_then(|cells| cells.get_mut(cell)) {
                atoms.push(number);
            }
        }
        self.find_value_atoms(work, home, atoms);
    }

    /// In which atoms there are values of a column that is counted: those in which a level of it has one.
    fn find_value_atoms(&mut self, work: &Work, home: Home<'_>, atoms: &Atoms) {
        for (i, measure) in work.release.wire.iter().enumerate() {
            let MeasureOf::NonNull(column) = &measure.of else { continue };
            let is_of = |level: &LevelRef| {
                let base = home.dataset.named(level).and_then(Named::column);
                level.column == *column || base.is_some_and(|base| base.name == *column)
            };
            let Some(level) = atoms.levels.iter().position(is_of) else { continue };
            let has_value = |atom: &u32| {
                let piece = usize::try_from(*atom).ok().and_then(|at| atoms.pieces.get(at));
                piece.and_then(|piece| piece.get(level)).is_some_and(Option::is_some)
            };
            let population = self.layout.measures.get(i).map(|measure| measure.population);
            let of_cells = population.and_then(|population| self.atoms.get(population));
            let of_cells = of_cells.into_iter().flatten();
            let kept = of_cells.map(|atoms| atoms.iter().copied().filter(has_value).collect());
            self.value_atoms.insert(i, kept.collect());
        }
    }

    /// The combinations of keys as atoms; `levels` are the release's keys.
    pub(super) fn into_atoms(self, levels: Vec<LevelRef>) -> Atoms {
        if MOST_ATOMS < self.cells {
            return Atoms::too_many();
        }
        let piece = |cell: usize| self.keys.iter().map(move |key| key.get(cell).cloned().flatten());
        let pieces = (0..self.cells).map(|cell| piece(cell).collect()).collect();
        Atoms { levels, pieces, complete: true }
    }
}

impl Atoms {
    /// What finds the atoms of some releases over one dataset, each with the rows that its grant shows: all combinations
    /// of the levels that they name, apart from the country. Where the grants show different rows, these are told apart
    /// too, or cells of one release would be taken for parts of another one's that they are not.
    /// `None` where joins show other rows of their second dataset: these are not told apart.
    pub fn work(together: &[(&Release, &Predicate, &Predicate)]) -> Option<Work> {
        let (first, _, joined_rows) = together.first()?;
        let (mut levels, mut shown) = (Vec::new(), Vec::new());
        for (release, rows, joined) in together {
            if joined != joined_rows {
                return None;
            }
            let filters = release.wire.iter().filter_map(|measure| measure.filter.as_ref());
            let filters = filters.chain([&release.filter]).flat_map(Predicate::levels);
            levels.extend(release.keys.iter().cloned().chain(filters));
            if !shown.contains(*rows) {
                shown.push((*rows).clone());
            }
        }
        if let [_, _, ..] = shown.as_slice() {
            levels.extend(shown.iter().flat_map(Predicate::levels));
        }
        let mut keys: Vec<LevelRef> = Vec::new();
        for level in levels {
            if level.column.as_str() != COUNTRY_COLUMN && !keys.contains(&level) {
                keys.push(level);
            }
        }
        let pieces = Release {
            dataset: first.dataset.clone(),
            counted: None,
            keys,
            filter: Predicate::everything(),
            wire: vec![WireMeasure { of: MeasureOf::Rows, filter: None }],
            outputs: Vec::new(),
        };
        let work = Work::new(pieces, Predicate::Any(shown), Protections::exact(0, 0));
        Some(Work { joined_rows: (*joined_rows).clone(), ..work })
    }

    /// More than can be judged by.
    pub(crate) fn too_many() -> Self {
        Self { levels: Vec::new(), pieces: Vec::new(), complete: false }
    }

    /// Whether they are all known.
    pub fn is_complete(&self) -> bool {
        self.complete
    }
}

/// The same number for the same value.
fn numbers(values: &[Option<Literal>]) -> Vec<u32> {
    let mut known: BTreeMap<&Option<Literal>, u32> = BTreeMap::new();
    values
        .iter()
        .map(|value| {
            let next = u32::try_from(known.len()).unwrap_or(u32::MAX);
            *known.entry(value).or_insert(next)
        })
        .collect()
}

fn sets(
    batch: &RecordBatch,
    kinds: usize,
    populations: usize,
) -> Result<Vec<Vec<Vec<UnitSet>>>, WorkFailure> {
    let of = |kind: usize, population: usize| {
        let sets = batch.column_by_name(&set_column(population, kind));
        let sets = sets.and_then(|sets| sets.as_binary_opt::<i32>()).ok_or(WorkFailure::Broken)?;
        let read =
            |set: Option<&[u8]>| set.and_then(UnitSet::from_bytes).ok_or(WorkFailure::Broken);
        sets.iter().map(read).collect::<Result<Vec<_>, _>>()
    };
    (0..kinds)
        .map(|kind| (0..populations).map(|population| of(kind, population)).collect())
        .collect()
}

fn contributions(
    batch: &RecordBatch,
    summed: usize,
) -> Result<Vec<Vec<Contributions>>, WorkFailure> {
    let floats = |i: usize, of: &str| {
        let column = batch.column_by_name(&contribution_column(i, of));
        let column = column.and_then(|column| column.as_primitive_opt::<Float64Type>());
        column.map(|column| column.values().clone()).ok_or(WorkFailure::Broken)
    };
    (0..summed)
        .map(|i| {
            let (totals, largest, second) =
                (floats(i, "total")?, floats(i, "largest")?, floats(i, "second")?);
            let rows = totals.iter().zip(largest.iter()).zip(second.iter());
            let contribution = |((total, largest), second): ((&f64, &f64), &f64)| Contributions {
                total: *total,
                largest: *largest,
                second: *second,
            };
            Ok(rows.map(contribution).collect())
        })
        .collect()
}

/// Float columns of contributions.
pub(super) fn floats(values: impl Iterator<Item = f64>) -> ArrayRef {
    Arc::new(values.collect::<Float64Array>())
}
