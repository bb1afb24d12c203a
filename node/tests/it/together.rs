//! Several releases of one question: what is known of how their cells overlap, and what becomes of them where that is too
//! much to judge by.

use crate::engine::{Bench, Row, is, level, measure, release, rows};
use arrow::array::AsArray;
use arrow::datatypes::UInt8Type;
use mayag_disclosure::{
    Cells, DataVersion, Memory, Prf, Protections, ReleaseContext, Table, protect_question,
};
use mayag_node::engine::cells::{Atoms, Part, RawCells};
use mayag_node::engine::pool::Job;
use mayag_policies::shape::{Grain, LevelRef, Predicate};
use mayag_protocol::answer::Listed;
use mayag_queries::release::{MeasureOf, Release, WireMeasure};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

struct Fixed;

impl Prf for Fixed {
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        mayag_audit::keys::Mac::new(&[9; 32]).code(message)
    }
}

fn counting(keys: &[LevelRef]) -> Release {
    release("visits", keys, Predicate::everything(), vec![measure(MeasureOf::Rows)])
}

fn work(together: &[(&Release, &Predicate)]) -> Job {
    let all = Predicate::everything();
    let together: Vec<_> = together.iter().map(|(release, rows)| (*release, *rows, &all)).collect();
    Atoms::work(&together).unwrap()
}

/// The cells of a question of these releases, each with the rows that it may see, and how many sets are remembered.
async fn ask(
    bench: &Bench,
    together: &[(&Release, &Predicate)],
    protections: Protections,
) -> (Vec<RawCells>, usize) {
    let deadline = Instant::now() + Duration::from_mins(2);
    let atoms = bench.pool.atoms(work(together), deadline).await.unwrap();
    let atoms = (together.len() > 1).then(|| Arc::new(atoms));
    let mut worked = Vec::new();
    for (release, rows) in together {
        let job = Job::new((*release).clone(), (*rows).clone(), protections);
        let context = ReleaseContext {
            dataset: "visits".to_owned(),
            version: DataVersion([1; 32]),
            protections,
            kinds: Vec::new(),
        };
        let job = Job { atoms: atoms.clone(), ..job };
        worked.push((bench.pool.run(job, deadline).await.unwrap(), context));
    }
    let question = protect_question(worked, &Fixed, &Memory::default());
    let remembered = question.records().len();
    let cells = question.into_releases().into_iter().map(mayag_disclosure::Protected::into_inner);
    (cells.collect(), remembered)
}

fn parts(cells: &[RawCells]) -> Vec<Part> {
    cells.iter().map(|cells| cells.to_part().unwrap()).collect()
}

#[tokio::test]
async fn with_too_many_combinations_a_question_looks_as_if_all_of_it_were_small() {
    let everything = Predicate::everything();
    let (by_drug, total) = (counting(&[level("drug", None)]), counting(&[]));
    let by_all = counting(&[level("day", Some(Grain::Day)), level("code", None)]);
    let together = [(&by_drug, &everything), (&by_all, &everything), (&total, &everything)];
    // 900 days, 6 drugs and 5 codes.
    let many: Vec<Row> = rows(81, 110_000, Some(40_000));
    let few: Vec<Row> = many.iter().take(3_000).cloned().collect();
    for protections in [Protections::exact(10, 10), Protections::noisy(10)] {
        let large = Bench::new(&[], &many, |_| {}).await;
        let small = Bench::new(&[], &few, |_| {}).await;
        let (alone, remembered) = ask(&large, &together[..1], protections).await;
        let shown = alone[0].to_part().unwrap();
        assert_eq!((shown.cells, shown.suppressed), (6, false), "alone nothing is withheld");
        let guarded = protections.noise.is_some();
        assert_eq!(remembered > 0, guarded);

        let (withheld, remembered) = ask(&large, &together, protections).await;
        assert_eq!(remembered, 0, "nothing of it was released");
        let hidden = Protections { min_units: 1_000_000, ..protections };
        let (ordinary, _) = ask(&small, &together, hidden).await;
        for (withheld, ordinary) in parts(&withheld).iter().zip(parts(&ordinary)) {
            assert_eq!(withheld.bytes, ordinary.bytes, "as if every cell were small");
            assert_eq!(
                (withheld.cells, withheld.listed, withheld.suppressed),
                (ordinary.cells, ordinary.listed, ordinary.suppressed)
            );
        }
        let listed: Vec<_> =
            parts(&withheld).iter().map(|part| (part.listed, part.cells)).collect();
        assert_eq!(listed, [(Listed::All, 6), (Listed::Shown, 0), (Listed::All, 1)]);

        let by_code = counting(&[level("code", None)]);
        let together = [(&by_drug, &everything), (&by_code, &everything)];
        let (shown, _) = ask(&large, &together, protections).await;
        assert!(shown[0].cells_shown() > 3, "with few combinations it is answered");
    }
}

#[tokio::test]
async fn too_many_for_a_worker_to_list_are_too_many_to_judge_by() {
    let visits = rows(82, 60_000, Some(40_000));
    let bench = Bench::new(&[], &visits, |settings| settings.memory = 2 << 20).await;
    let keys = ["drug", "code"].map(|name| level(name, None));
    let by_all = counting(&[&keys[..], &[level("day", Some(Grain::Day))]].concat());
    let everything = Predicate::everything();
    let work = work(&[(&by_all, &everything)]);
    let deadline = Instant::now() + Duration::from_mins(2);
    let failure = bench.pool.run(work.clone(), deadline).await.err();
    assert_eq!(failure, Some(mayag_node::engine::WorkFailure::Memory));
    assert!(!bench.pool.atoms(work, deadline).await.unwrap().is_complete());
}

#[tokio::test]
async fn a_release_of_more_cells_than_are_judged_looks_as_if_it_had_found_nothing() {
    let visits = rows(84, 4_000, Some(2_000));
    let few = Bench::new(&[], &visits, |settings| settings.cells = 100).await;
    let many = Bench::new(&[], &visits, |_| {}).await;
    let everything = Predicate::everything();
    let (by_drug, total) = (counting(&[level("drug", None)]), counting(&[]));
    let by_day = counting(&[level("day", Some(Grain::Day))]);
    for protections in [Protections::exact(1, 0), Protections::noisy(5)] {
        let (withheld, remembered) = ask(&few, &[(&by_day, &everything)], protections).await;
        assert_eq!(remembered, 0, "nothing of it was released");
        let nothing = Predicate::Any(Vec::new());
        let (empty, _) = ask(&many, &[(&by_day, &nothing)], protections).await;
        let (withheld, empty) = (parts(&withheld).remove(0), parts(&empty).remove(0));
        assert_eq!(withheld.bytes, empty.bytes, "as if there were no rows");
        assert_eq!((withheld.cells, withheld.suppressed), (0, true));
        let (shown, _) = ask(&few, &[(&by_drug, &everything)], protections).await;
        assert!(shown[0].cells_shown() > 3, "a coarser one is answered");
        // Beside it nothing is shown whose rest it would be.
        let together = [(&by_day, &everything), (&total, &everything)];
        let (beside, remembered) = ask(&few, &together, protections).await;
        assert_eq!((beside[1].cells_shown(), remembered), (0, 0));
    }
}

#[tokio::test]
async fn grants_that_show_other_rows_of_a_dataset_are_told_apart() {
    let visits = rows(83, 4_000, Some(2_000));
    let bench = Bench::new(&[], &visits, |_| {}).await;
    let by_drug = counting(&[level("drug", None)]);
    let (all, some) = (Predicate::everything(), is("drug", "meth"));
    let code = Predicate::Compare {
        level: level("code", None),
        comparison: mayag_policies::shape::Comparison::Less,
        value: mayag_policies::shape::Literal::Int(1),
    };
    let total = counting(&[]);
    let together = [(&by_drug, &all), (&by_drug, &code), (&total, &code), (&total, &some)];
    let (cells, _) = ask(&bench, &together, Protections::exact(1, 0)).await;
    let [whole, part, low, meth] = cells.as_slice() else { panic!("four releases") };
    let mut of_low = 0;
    for cell in 0..part.len() {
        let atoms = part.atoms(cell, 0);
        let around = (0..whole.len())
            .find(|other| atoms.iter().all(|atom| whole.atoms(*other, 0).contains(atom)));
        let around = around.expect("a part of one drug");
        assert!(atoms.len() < whole.atoms(around, 0).len(), "and not all of it");
        assert!(!atoms.is_empty() && atoms.iter().all(|atom| low.atoms(0, 0).contains(atom)));
        of_low += atoms.len();
    }
    assert_eq!(of_low, low.atoms(0, 0).len());
    let alike = (0..whole.len()).filter(|cell| whole.atoms(*cell, 0) == meth.atoms(0, 0));
    assert_eq!(
        alike.count(),
        1,
        "all rows of one drug are the rows of a grant that shows that drug"
    );
}

/// How many cells show anything.
trait Shows {
    fn cells_shown(&self) -> u64;
}

impl Shows for RawCells {
    fn cells_shown(&self) -> u64 {
        let batch = self.to_batch().unwrap();
        let status = batch.column_by_name("m0_status").unwrap();
        let status = status.as_primitive::<UInt8Type>();
        let shown = status.values().iter().filter(|status| **status != 3).count();
        shown as u64
    }
}

/// Whether the count of rows with a mass, and how many bins of it, are shown.
async fn values_and_bins(rows: &[Row]) -> (bool, usize) {
    let bench = Bench::new(rows, &[], |_| {}).await;
    let bin = |name: &str| WireMeasure { of: MeasureOf::Rows, filter: Some(is("mass_band", name)) };
    let mut wire: Vec<_> = ["a", "b", "c"].map(bin).to_vec();
    wire.push(measure(MeasureOf::Rows));
    wire.push(measure(MeasureOf::NonNull("mass".parse().unwrap())));
    let release = release("incidents", &[], Predicate::everything(), wire);
    let everything = Predicate::everything();
    let deadline = Instant::now() + Duration::from_mins(2);
    let atoms = bench.pool.atoms(work(&[(&release, &everything)]), deadline).await.unwrap();
    let protections = Protections::exact(5, 10);
    let job = Job::new(release, everything, protections);
    let job = Job { atoms: Some(Arc::new(atoms)), ..job };
    let context = ReleaseContext {
        dataset: "incidents".to_owned(),
        version: DataVersion([1; 32]),
        protections,
        kinds: Vec::new(),
    };
    let worked = vec![(bench.pool.run(job, deadline).await.unwrap(), context)];
    let question = protect_question(worked, &Fixed, &Memory::default());
    let cells = question.into_releases().remove(0).into_inner();
    let batch = crate::noisy::read(&cells.to_part().unwrap().bytes);
    let shown = |i: usize| {
        let status = batch.column_by_name(&format!("m{i}_status")).unwrap();
        status.as_primitive::<UInt8Type>().value(0) == 0
    };
    (shown(4), (0..3).filter(|bin| shown(*bin)).count())
}

#[tokio::test]
async fn a_count_of_values_does_not_give_a_withheld_bin_away() {
    let masses = |counts: [usize; 4]| -> Vec<Row> {
        let of = [Some(50_000), Some(500_000), Some(5_000_000), None];
        let all = of.into_iter().zip(counts).flat_map(|(mass, n)| std::iter::repeat_n(mass, n));
        let row = |(i, mass): (usize, Option<i128>)| Row {
            unit: Some(format!("unit-{i}")),
            drug: None,
            code: None,
            day: None,
            mass,
            price: None,
            pieces: None,
        };
        all.enumerate().map(row).collect()
    };
    assert_eq!(values_and_bins(&masses([30, 30, 20, 40])).await, (true, 3));
    // All rows but those of two bins are 42, of which nobody knows how many are in the third. With the rows that have a
    // mass everybody would know.
    let (values, bins) = values_and_bins(&masses([30, 30, 2, 40])).await;
    assert!(!values || bins < 2, "{values} {bins}");
    assert!(0 < bins, "not all of it is withheld");
}
