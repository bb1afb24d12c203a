//! Whole questions, as an attacker asks them.

use crate::world::{BOUND, Overlaps, Release, Row, Secret, Shown, VERSION, people};
use mayag_disclosure::{
    DataVersion, DifferenceGuard, Dominance, KeyKind, Memory, NoiseLevel, Number, Protected,
    Protections, Question, ReleaseContext, Unprotected, protect_question,
};
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, proptest};
use proptest::{prop_assert, prop_assert_eq};

fn ask_of(
    releases: &[Release],
    protections: Protections,
    version: DataVersion,
    memory: &Memory,
) -> Question<Release> {
    let context =
        ReleaseContext { dataset: "seizures".to_owned(), version, protections, kinds: Vec::new() };
    let releases =
        releases.iter().map(|release| (Unprotected::new(release.clone()), context.clone()));
    protect_question(releases.collect(), &Secret(1), memory)
}

fn ask(releases: &[Release], protections: Protections) -> Vec<Release> {
    let question = ask_of(releases, protections, VERSION, &Memory::default());
    question.into_releases().into_iter().map(Protected::into_inner).collect()
}

/// Atoms 0, 1, 2, .. with so many people of one row each.
fn country(people_in: &[u32]) -> Vec<Row> {
    (0_u32..).zip(people_in).flat_map(|(atom, count)| people(atom * 1000, *count, atom)).collect()
}

const EXACT: Protections = Protections::exact(10, 10);

#[test]
fn small_cells_and_their_complements_are_withheld_over_all_releases() {
    let rows = country(&[4, 20, 30, 40, 50, 60]);
    let cells = Release::plain(&rows, &[&[0], &[1], &[2], &[3], &[4], &[5]]);
    let columns = Release::plain(&rows, &[&[0, 3], &[1, 4], &[2, 5]]);
    let lines = Release::plain(&rows, &[&[0, 1, 2], &[3, 4, 5]]);
    let shown = ask(&[cells.clone(), columns, lines], EXACT);
    assert_eq!(shown[0].cells_shown(), [false, false, true, false, false, true]);
    assert_eq!(shown[1].cells_shown(), [true; 3]);
    assert_eq!(shown[2].cells_shown(), [true; 2]);
    // Alone, only somebody who knows the total is in the way.
    assert_eq!(ask(&[cells], EXACT)[0].cells_shown(), [false, false, true, true, true, true]);
}

#[test]
fn the_threshold_itself_is_enough_and_one_less_is_not() {
    for min_units in [5, 10, 31, 40] {
        let protections = Protections::exact(min_units.into(), 10);
        let alone = |count| {
            ask(&[Release::plain(&country(&[count]), &[&[0]])], protections)[0].cells_shown()
        };
        assert_eq!(alone(min_units), [true]);
        assert_eq!(alone(min_units - 1), [false]);
        assert_eq!(alone(0), [false], "none is like few");
        let cells = Release::plain(&country(&[min_units, min_units, 90]), &[&[0], &[1], &[2]]);
        assert_eq!(ask(&[cells], protections)[0].cells_shown(), [true; 3]);
    }
}

#[test]
fn a_filter_shows_neither_few_nor_all_but_few() {
    let rows = country(&[40, 3, 30]);
    let group = [(vec![0, 1, 2], vec![0])];
    let shown = |filter: &[u32], overlaps| {
        let mut release = Release::new(&rows, &group, vec![KeyKind::Frame], Some(filter));
        release.overlaps = overlaps;
        ask(&[release], EXACT)[0].shown[0]
            .iter()
            .map(|value| *value != Shown::Nothing)
            .collect::<Vec<_>>()
    };
    // The rule holds by itself, and again as a complement.
    for overlaps in [Overlaps::Known, Overlaps::Unknown] {
        assert_eq!(shown(&[0], overlaps), [true, true, true, true]);
        assert_eq!(shown(&[1], overlaps), [true, true, true, false]);
        assert_eq!(shown(&[0, 2], overlaps), [true, true, true, false]);
        // None is treated like few: that a filter leaves nobody out is news of everybody.
        assert!(!shown(&[0, 1, 2], overlaps)[3]);
    }
}

#[test]
fn one_category_of_a_large_group_is_withheld() {
    let rows = country(&[95, 5, 30, 40]);
    let groups: Vec<_> = [(0, [0, 0]), (1, [0, 1]), (2, [1, 0]), (3, [1, 1])]
        .map(|(atom, keys)| (vec![atom], keys.to_vec()))
        .to_vec();
    let ask = |kinds: [KeyKind; 2]| {
        ask(&[Release::new(&rows, &groups, kinds.to_vec(), None)], EXACT)[0].cells_shown()
    };
    // The second key says what, the first says where: in the first place nearly all have the first value.
    assert_eq!(ask([KeyKind::Frame, KeyKind::Category]), [false, false, true, true]);
    // Dates and countries say nothing of anybody; the small cell takes the smallest with it.
    assert_eq!(ask([KeyKind::Frame, KeyKind::Frame]), [true, false, false, true]);
}

#[test]
fn a_category_is_judged_at_its_very_limits() {
    let shown = |of: [u32; 2]| {
        let groups = [(vec![0], vec![0]), (vec![1], vec![1])];
        let release = Release::new(&country(&of), &groups, vec![KeyKind::Category], None);
        ask(&[release], EXACT)[0].cells_shown()
    };
    assert_eq!(shown([89, 11]), [true, true]);
    assert_eq!(shown([90, 10]), [false, false], "90 % is too much");
    // Ten are enough to be shown, were they not all of one category.
    let alone = |kind| {
        let release = Release::new(&country(&[10]), &[(vec![0], vec![0])], vec![kind], None);
        ask(&[release], EXACT)[0].cells_shown()
    };
    assert_eq!(alone(KeyKind::Category), [false]);
    assert_eq!(alone(KeyKind::Frame), [true]);
}

#[test]
fn dominance_counts_as_many_units_as_it_says_and_no_fewer_percent() {
    let sum = |amounts: &[i64], units, percent| {
        let row = |(unit, amount): (u32, &i64)| Row { unit, atom: 0, amount: *amount };
        let rows: Vec<Row> = (0..).zip(amounts).map(row).collect();
        let dominance = Dominance { units, percent };
        let protections = Protections { min_units: 3, p_percent: 0, dominance, ..EXACT };
        ask(&[Release::plain(&rows, &[&[0]])], protections)[0].sums_shown()[0]
    };
    assert!(sum(&[500, 350, 150], 2, 85), "no more than 85 %");
    assert!(!sum(&[500, 351, 149], 2, 85));
    assert!(sum(&[400, 300, 300], 2, 85) && !sum(&[400, 300, 300], 3, 85));
}

#[test]
fn dominated_sums_do_not_follow_from_other_releases() {
    let mut rows = country(&[20, 20, 20, 20]);
    rows[0].amount = 900_000;
    let cells = Release::plain(&rows, &[&[0], &[1], &[2], &[3]]);
    let columns = Release::plain(&rows, &[&[0, 2], &[1, 3]]);
    let shown = ask(&[cells, columns], EXACT);
    // Its column is dominated as well; with the other column and the total, one more cell would solve for it.
    assert!(!shown[0].sums_shown()[0]);
    assert_eq!(shown[1].sums_shown(), [false, false]);
    assert!(shown[0].sums_shown().iter().filter(|shown| !**shown).count() >= 2);
    assert_eq!(shown[0].cells_shown(), [true; 4], "counts are safe");
    // p% alone: the second estimates the first to a third.
    let rows: Vec<Row> = [300, 300, 50, 50]
        .into_iter()
        .zip(0..)
        .map(|(amount, unit)| Row { unit, atom: 0, amount })
        .collect();
    let none = Dominance { units: 2, percent: 100 };
    let sum = |p_percent| {
        let protections = Protections { min_units: 3, p_percent, dominance: none, ..EXACT };
        ask(&[Release::plain(&rows, &[&[0]])], protections)[0].sums_shown()[0]
    };
    assert!(sum(33) && !sum(34));
    // (n,k) alone.
    let mut rows = country(&[20, 20]);
    rows[0].amount = 900_000;
    let lax = Protections { p_percent: 0, ..EXACT };
    assert!(!ask(&[Release::plain(&rows, &[&[0], &[1]])], lax)[0].sums_shown()[0]);
    let none = Protections { dominance: none, ..lax };
    assert!(ask(&[Release::plain(&rows, &[&[0], &[1]])], none)[0].sums_shown()[0]);
}

const NOISY: Protections = Protections::noisy(10);

#[test]
fn every_noisy_value_says_how_noisy_it_is() {
    let rows = country(&[100, 200, 3, 12]);
    let shown = ask(&[Release::plain(&rows, &[&[0], &[1], &[2], &[3]])], NOISY);
    assert_eq!(shown[0].cells_shown()[..3], [true, true, false]);
    let expected =
        [3_f64.sqrt(), (27.0 + 1.0 / 12.0_f64).sqrt(), (3.0 * BOUND * BOUND + 1.0 / 12.0).sqrt()];
    for cell in &shown[0].shown[..2] {
        for (value, expected) in cell.iter().zip(expected) {
            let Shown::Noisily(Number::Whole(_), deviation) = value else { panic!("{value:?}") };
            assert!((deviation - expected).abs() < 1e-6, "{deviation} is not {expected}");
        }
    }
}

#[test]
fn noise_that_does_not_exist_shows_nothing() {
    let rows = country(&[100, 200]);
    let noise = Some(NoiseLevel { largest: 2, variance: 100.0 });
    let shown = ask(&[Release::plain(&rows, &[&[0], &[1]])], Protections { noise, ..NOISY });
    assert_eq!(shown[0].cells_shown(), [false, false]);
}

/// The true number is a floor; above it the noisy one decides, and it is the one that is shown.
#[test]
fn what_is_shown_follows_from_the_noisy_number() {
    let mut seen = [0, 0];
    for first in 0..400 {
        let rows = people(first * 100, 14, 0);
        let release = ask(&[Release::plain(&rows, &[&[0]])], NOISY).remove(0);
        match release.shown[0][0] {
            Shown::Noisily(Number::Whole(units), _) => {
                assert!(15 <= units, "{units}");
                seen[0] += 1;
            }
            Shown::Nothing => seen[1] += 1,
            other @ (Shown::Exactly(_) | Shown::Noisily(..)) => panic!("{other:?}"),
        }
        let few = people(first * 100, 9, 0);
        assert_eq!(ask(&[Release::plain(&few, &[&[0]])], NOISY)[0].cells_shown(), [false]);
        // Fewer than the noise can be off: it would be other noise than is reported.
        let four = people(first * 100, 4, 0);
        let three = Protections::noisy(3);
        assert_eq!(ask(&[Release::plain(&four, &[&[0]])], three)[0].cells_shown(), [false]);
    }
    assert!(50 < seen[0] && 50 < seen[1], "{seen:?}");
}

#[test]
fn two_sets_that_one_person_tells_apart_are_withheld_in_one_question_and_in_two() {
    let rows = country(&[60, 1, 70]);
    let with = Release::plain(&rows, &[&[0, 1]]);
    let without = Release::plain(&rows, &[&[0]]);
    let far = Release::plain(&rows, &[&[2]]);
    let together = ask(&[with.clone(), without.clone(), far.clone()], NOISY);
    assert_eq!(
        together.iter().map(|r| r.cells_shown()[0]).collect::<Vec<_>>(),
        [false, false, true]
    );

    let mut memory = Memory::default();
    let first = ask_of(&[with.clone(), far], NOISY, VERSION, &memory);
    assert_eq!(first.records().len(), 2);
    first.records().iter().for_each(|record| memory.remember(record.clone()));
    let shown = |release: &Release, version| {
        let question = ask_of(std::slice::from_ref(release), NOISY, version, &memory);
        (question.records().len(), question.releases()[0].cells().shown[0].clone())
    };
    assert_eq!(shown(&without, VERSION), (0, vec![Shown::Nothing; 3]));
    // The same question gets the same answer.
    assert_eq!(shown(&with, VERSION).1, first.releases()[0].cells().shown[0]);
    // New data, new noise: nothing to compare with.
    assert_eq!(shown(&without, DataVersion([8; 32])).0, 1);
    // With the guard off nothing is compared or remembered.
    let off = Protections { difference_guard: DifferenceGuard::Off, ..NOISY };
    let question = ask_of(&[without], off, VERSION, &memory);
    assert!(question.records().is_empty() && question.releases()[0].cells().cells_shown()[0]);
}

#[test]
fn equal_sets_of_other_rows_are_an_oracle_and_withheld() {
    // Everybody has a row in either atom.
    let rows: Vec<Row> = people(0, 50, 0).into_iter().chain(people(0, 50, 1)).collect();
    let shown = ask(&[Release::plain(&rows, &[&[0, 1]]), Release::plain(&rows, &[&[0]])], NOISY);
    assert_eq!((shown[0].cells_shown(), shown[1].cells_shown()), (vec![false], vec![false]));
}

#[test]
fn counts_are_rounded_if_the_policy_says_so() {
    let rows = country(&[43, 58]);
    let round = Protections { round_to: 5, ..EXACT };
    let shown = ask(&[Release::plain(&rows, &[&[0], &[1]])], round);
    for (cell, expected) in [(0, 45), (1, 60)] {
        for measure in 0..2 {
            let Shown::Noisily(value, deviation) = shown[0].shown[cell][measure] else { panic!() };
            assert_eq!(value, Number::Whole(expected));
            assert!((deviation - 5.0 / 12.0_f64.sqrt()).abs() < 1e-9);
        }
        assert!(matches!(shown[0].shown[cell][2], Shown::Exactly(_)));
    }
}

#[test]
fn what_the_guard_cannot_compare_is_withheld() {
    let mut release = Release::plain(&country(&[100, 200]), &[&[0], &[1]]);
    let shown = |release: &Release, difference_guard| {
        let protections = Protections { difference_guard, ..EXACT };
        ask(std::slice::from_ref(release), protections)[0].cells_shown()
    };
    assert_eq!(shown(&release, DifferenceGuard::On), [true, true]);
    release.has_sets = false;
    assert_eq!(shown(&release, DifferenceGuard::On), [false, false]);
    assert_eq!(shown(&release, DifferenceGuard::Off), [true, true]);
}

#[test]
fn a_lone_unit_knows_itself() {
    let flat: &[&[u32]] = &[&[0], &[1], &[2], &[3]];
    let shown = |of: &[u32]| ask(&[Release::plain(&country(of), flat)], EXACT)[0].cells_shown();
    assert_eq!(shown(&[1, 9, 70, 60]), [false, false, true, false]);
    assert_eq!(shown(&[2, 8, 70, 60]), [false, false, true, true]);
}

#[test]
fn what_is_noisy_and_rounded_is_off_by_both() {
    let rows = country(&[100, 200]);
    let release = Release::plain(&rows, &[&[0], &[1]]);
    let rounded = Protections { round_to: 12, ..NOISY };
    for cell in &ask(&[release], rounded)[0].shown {
        let Shown::Noisily(Number::Whole(units), deviation) = cell[0] else { panic!("{cell:?}") };
        assert_eq!(units % 12, 0);
        // A variance of 3, and that of a uniform twelve.
        assert!((deviation - 15_f64.sqrt()).abs() < 1e-6, "{deviation}");
    }
}

#[test]
fn questions_about_nothing_are_answered() {
    assert!(ask(&[], EXACT).is_empty());
    let shown = ask(&[Release::plain(&[], &[]), Release::plain(&[], &[&[0]])], NOISY);
    assert_eq!(shown[1].cells_shown(), [false]);
}

fn small_country() -> impl Strategy<Value = (Vec<u32>, Vec<Vec<Vec<u32>>>)> {
    let releases = |atoms: u32| {
        // A release puts every atom into one of three cells, or into none.
        vec(vec(0_u32..4, atoms as usize), 1..=3).prop_map(move |choices| {
            choices
                .into_iter()
                .map(|choice| {
                    (0..3)
                        .map(|cell| {
                            (0..atoms)
                                .filter(|atom| choice[*atom as usize] == cell)
                                .collect::<Vec<_>>()
                        })
                        .filter(|atoms| !atoms.is_empty())
                        .collect::<Vec<_>>()
                })
                .filter(|cells: &Vec<Vec<u32>>| !cells.is_empty())
                .collect::<Vec<_>>()
        })
    };
    (3_u32..=5)
        .prop_flat_map(move |atoms| (vec(0_u32..4, atoms as usize), releases(atoms), Just(())))
        .prop_map(|(people, releases, ())| (people, releases))
}

/// Every way to put at most `most` people into the atoms.
fn worlds(atoms: usize, most: i128) -> Vec<Vec<i128>> {
    (0..atoms).fold(vec![Vec::new()], |worlds: Vec<Vec<i128>>, _| {
        worlds
            .into_iter()
            .flat_map(|world| {
                let left = most - world.iter().sum::<i128>();
                (0..=left).map(move |people| world.iter().copied().chain([people]).collect())
            })
            .collect()
    })
}

proptest! {
    /// Releases over any unions of atoms, not only over the margins of a table: an attacker who tries every country that fits what the whole question shows
    /// cannot solve for a withheld cell.
    #[test]
    fn nothing_withheld_follows_from_the_question((people_in, groups) in small_country()) {
        let rows = country(&people_in);
        let releases: Vec<Release> = groups
            .iter()
            .map(|cells| Release::plain(&rows, &cells.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            .collect();
        let protections = Protections { one_category_percent: 0, ..Protections::exact(3, 0) };
        let shown = ask(&releases, protections);
        let told: Vec<(&[u32], i128)> = shown
            .iter()
            .flat_map(|release| (0..release.shown.len()).map(move |cell| (release, cell)))
            .filter_map(|(release, cell)| match release.shown[cell][0] {
                Shown::Exactly(Number::Whole(units)) => Some((release.atoms_of(cell), units)),
                Shown::Exactly(_) | Shown::Noisily(..) | Shown::Nothing => None,
            })
            .collect();
        let sum = |world: &Vec<i128>, atoms: &[u32]| -> i128 { atoms.iter().map(|atom| world[*atom as usize]).sum() };
        let most = i128::from(people_in.iter().sum::<u32>()) + 3;
        let possible: Vec<Vec<i128>> = worlds(people_in.len(), most)
            .into_iter()
            .filter(|world| told.iter().all(|(atoms, units)| sum(world, atoms) == *units))
            .collect();
        for release in &shown {
            for (cell, shown) in release.cells_shown().into_iter().enumerate().filter(|(_, shown)| !shown) {
                let values = possible.iter().map(|world| sum(world, release.atoms_of(cell)));
                let (least, largest) = (values.clone().min().unwrap(), values.max().unwrap());
                prop_assert!(least + 3 <= largest, "{:?} is {least}..={largest}, {shown}", release.atoms_of(cell));
            }
        }
    }

    /// What is unsafe by itself under weaker protections is not shown under stronger ones. Complements have no such order: more
    /// primary cells may need other complements, or none.
    #[test]
    fn stricter_protections_do_not_show_what_is_unsafe_under_weaker_ones(
        (people_in, groups) in small_country(), min_units in 1_u64..4, more in 0_u64..4, p in 0_u32..50, harder in 0_u32..50,
    ) {
        let rows = country(&people_in);
        let releases: Vec<Release> = groups
            .iter()
            .map(|cells| Release::plain(&rows, &cells.iter().map(Vec::as_slice).collect::<Vec<_>>()))
            .collect();
        let strict = ask(&releases, Protections::exact(min_units + more, p + harder));
        for (release, of) in strict.iter().zip(&releases) {
            for cell in 0..release.shown.len() {
                use mayag_disclosure::Cells;
                let small = of.units(cell) < min_units;
                prop_assert!(!small || !release.cells_shown()[cell]);
                let values = of.contributions(cell, 2).unwrap();
                let rest = values.total - values.largest - values.second;
                let dominated = 100.0 * rest < f64::from(p) * values.largest;
                prop_assert!(!dominated || !release.sums_shown()[cell]);
            }
        }
    }

    /// The order of releases and of cells decides nothing, noise and guard included.
    #[test]
    fn the_order_of_a_question_decides_nothing((people_in, groups) in small_country(), many in 5_u32..20) {
        let people_in: Vec<u32> = people_in.iter().map(|count| count * many).collect();
        let rows = country(&people_in);
        let release = |cells: &[Vec<u32>]| Release::plain(&rows, &cells.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let forward: Vec<Release> = groups.iter().map(|cells| release(cells)).collect();
        let backward: Vec<Release> = groups
            .iter()
            .rev()
            .map(|cells| release(&cells.iter().rev().cloned().collect::<Vec<_>>()))
            .collect();
        for protections in [NOISY, EXACT] {
            let forward = ask(&forward, protections);
            let mut backward = ask(&backward, protections);
            backward.reverse();
            for (a, b) in forward.iter().zip(&backward) {
                let mirrored: Vec<_> = b.shown.iter().rev().cloned().collect();
                prop_assert_eq!(&a.shown, &mirrored);
            }
        }
    }
}
