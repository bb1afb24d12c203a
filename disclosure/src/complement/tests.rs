//! Withheld pieces against an attacker who tries every data set that fits what is shown.

#![expect(clippy::cast_precision_loss, reason = "the numbers of these tests are small")]

use super::rank::Span;
use super::simplex::{Simplex, Stopped};
use super::{Judge, Need, Nothing, Piece, System};
use crate::guard::Descriptor;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, proptest};
use proptest::{prop_assert, prop_assert_eq};
use std::collections::BTreeMap;

/// Units in every atom.
type Truth = Vec<u64>;

/// A question over a table of atoms: the cells of its releases.
#[derive(Debug, Clone)]
struct Asked {
    truth: Truth,
    /// Each release is a grouping of atoms by some of the table's dimensions.
    releases: Vec<Vec<Vec<u32>>>,
    min_units: u64,
}

impl Asked {
    fn system(&self) -> System {
        let (mut pieces, mut totals) = (Vec::new(), Vec::new());
        for (release, cells) in self.releases.iter().enumerate() {
            totals.push((pieces.len()..pieces.len() + cells.len()).collect());
            for (cell, atoms) in cells.iter().enumerate() {
                pieces.push(self.piece(release, cell, atoms));
            }
        }
        System { pieces, totals, judge: Judge::Joint(self.min_units as f64) }
    }

    fn piece(&self, release: usize, cell: usize, atoms: &[u32]) -> Piece {
        let units = self.units(atoms);
        let small = units < self.min_units;
        let k = self.min_units as f64;
        let mut descriptor = [0; 16];
        descriptor[0] = u8::try_from(release).unwrap();
        descriptor[1..3].copy_from_slice(&u16::try_from(cell).unwrap().to_le_bytes());
        Piece {
            atoms: atoms.to_vec(),
            value: units as f64,
            order: (units, Descriptor(descriptor)),
            shown: !small,
            own: units == 1,
            need: Need {
                width: k,
                reach: k,
                nothing: if small { Nothing::MustBePossible } else { Nothing::MayBeImpossible },
            },
        }
    }

    fn units(&self, atoms: &[u32]) -> u64 {
        sum(&self.truth, atoms)
    }
}

fn sum(truth: &[u64], atoms: &[u32]) -> u64 {
    atoms.iter().map(|atom| truth[*atom as usize]).sum()
}

/// Every way to put at most `most` units into `atoms` atoms.
fn worlds(atoms: usize, most: u64) -> Vec<Truth> {
    let mut worlds = vec![Vec::new()];
    for _ in 0..atoms {
        worlds = worlds
            .into_iter()
            .flat_map(|world: Truth| {
                let left = most - world.iter().sum::<u64>();
                (0..=left).map(move |units| world.iter().copied().chain([units]).collect())
            })
            .collect();
    }
    worlds
}

/// Up to three dimensions of two or three values, up to six units, and some groupings by some of the dimensions.
fn asked() -> impl Strategy<Value = Asked> {
    let dimensions = vec(2_usize..=3, 1..=3)
        .prop_filter("few atoms", |dimensions| dimensions.iter().product::<usize>() <= 8);
    (dimensions, vec(0_u32..8, 1..=4), 2_u64..=3).prop_flat_map(|(dimensions, by, min_units)| {
        let atoms = dimensions.iter().product::<usize>();
        (vec(0..atoms, 0..=6), Just(dimensions), Just(by), Just(min_units)).prop_map(
            move |(units, dimensions, by, min_units)| {
                let mut truth = vec![0; atoms];
                for atom in units {
                    truth[atom] += 1;
                }
                let releases = by.iter().map(|by| grouped(&dimensions, *by)).collect();
                Asked { truth, releases, min_units }
            },
        )
    })
}

/// The atoms of a table grouped by the dimensions whose bits are set.
fn grouped(dimensions: &[usize], by: u32) -> Vec<Vec<u32>> {
    let mut cells: BTreeMap<Vec<usize>, Vec<u32>> = BTreeMap::new();
    for atom in 0..dimensions.iter().product::<usize>() {
        let mut rest = atom;
        let mut keys = Vec::new();
        for (dimension, size) in dimensions.iter().enumerate() {
            if by & (1 << dimension) != 0 {
                keys.push(rest % size);
            }
            rest /= size;
        }
        cells.entry(keys).or_default().push(u32::try_from(atom).unwrap());
    }
    cells.into_values().collect()
}

proptest! {
    /// Whoever knows everything that is shown, and tries every data set that fits, learns of no withheld cell how many units it has, and cannot
    /// rule out that a small one is empty.
    #[test]
    fn no_withheld_cell_can_be_solved_for(asked in asked()) {
        let mut system = asked.system();
        system.withhold_complements();
        let shown: Vec<&Piece> = system.pieces.iter().filter(|piece| piece.shown).collect();
        let most = 6 + asked.min_units;
        let possible: Vec<Truth> = worlds(asked.truth.len(), most)
            .into_iter()
            .filter(|world| shown.iter().all(|piece| sum(world, &piece.atoms) == asked.units(&piece.atoms)))
            .collect();
        for piece in system.pieces.iter().filter(|piece| !piece.shown) {
            let values: Vec<u64> = possible.iter().map(|world| sum(world, &piece.atoms)).collect();
            let (least, largest) = (values.iter().min().unwrap(), values.iter().max().unwrap());
            prop_assert!(asked.min_units <= *largest, "{:?} is at most {} of {:?}", piece.atoms, largest, asked);
            prop_assert!(least + asked.min_units <= *largest, "{:?} is {least}..={largest}", piece.atoms);
            if asked.units(&piece.atoms) < asked.min_units {
                prop_assert_eq!(*least, 0, "{:?} is not empty", &piece.atoms);
            }
        }
        // What nobody asked for is no small group either: the smallest pieces that what is shown tells apart.
        for atom in 0..asked.truth.len() {
            let same = |other: &u32| shown.iter().all(|piece| {
                piece.atoms.contains(other) == piece.atoms.contains(&u32::try_from(atom).unwrap())
            });
            let atoms: Vec<u32> = (0..u32::try_from(asked.truth.len()).unwrap()).filter(same).collect();
            let largest = possible.iter().map(|world| sum(world, &atoms)).max().unwrap();
            prop_assert!(asked.min_units <= largest, "{atoms:?} is at most {largest}");
        }
    }

    /// The order in which releases and cells are given decides nothing.
    #[test]
    fn order_decides_nothing(asked in asked()) {
        let mut forward = asked.system();
        forward.withhold_complements();
        let mut backward = asked.system();
        let count = backward.pieces.len();
        backward.pieces.reverse();
        for total in &mut backward.totals {
            for piece in total {
                *piece = count - 1 - *piece;
            }
        }
        backward.withhold_complements();
        let shown = |system: &System| system.pieces.iter().map(|piece| piece.shown).collect::<Vec<_>>();
        let mut mirrored = shown(&backward);
        mirrored.reverse();
        prop_assert_eq!(shown(&forward), mirrored);
    }

    #[test]
    fn the_simplex_method_finds_what_trying_finds(asked in asked()) {
        let equations: Vec<(Vec<usize>, f64)> = asked
            .releases
            .iter()
            .flatten()
            .map(|atoms| (atoms.iter().map(|atom| *atom as usize).collect(), asked.units(atoms) as f64))
            .collect();
        let atoms = asked.truth.len();
        let possible: Vec<Truth> = worlds(atoms, 6)
            .into_iter()
            .filter(|world| asked.releases.iter().flatten().all(|cell| sum(world, cell) == asked.units(cell)))
            .collect();
        let mut simplex = Simplex::new(&equations, atoms).unwrap();
        for atom in 0..atoms {
            let objective: Vec<f64> = (0..atoms).map(|other| f64::from(u8::from(other == atom))).collect();
            let mut best = 0.0_f64;
            let stopped = simplex.maximise(&objective, &mut |values| {
                best = best.max(values[atom]);
                false
            });
            prop_assert_eq!(stopped, Stopped::Optimal);
            let tried = possible.iter().map(|world| world[atom]).max().unwrap() as f64;
            // Fractions of units are possible for the one and not for the other.
            prop_assert!(tried <= best + 1e-6, "{tried} {best}");
        }
    }
}

/// A system of releases over atoms `0..`, shown where there are at least ten units.
fn system(truth: &[u64], releases: &[&[&[u32]]]) -> System {
    let releases = releases.iter().map(|cells| cells.iter().map(|atoms| atoms.to_vec()).collect());
    Asked { truth: truth.to_vec(), releases: releases.collect(), min_units: 10 }.system()
}

fn shown(mut system: System) -> Vec<bool> {
    system.withhold_complements();
    system.pieces.iter().map(|piece| piece.shown).collect()
}

#[test]
fn a_known_total_is_the_old_rule() {
    let flat: &[&[u32]] = &[&[0], &[1], &[2], &[3]];
    assert_eq!(shown(system(&[100, 9, 50, 70], &[flat])), [true, false, false, true]);
    assert_eq!(shown(system(&[5, 5, 70, 60], &[flat])), [false, false, true, true]);
    assert_eq!(shown(system(&[1, 2, 70, 60], &[flat])), [false, false, true, false]);
    assert_eq!(shown(system(&[0, 10, 20, 30], &[flat])), [false, false, true, true]);
    assert_eq!(shown(system(&[100, 90, 50, 70], &[flat])), [true; 4]);
    assert_eq!(shown(system(&[3, 2, 1, 0], &[flat])), [false; 4]);
}

#[test]
fn margins_give_no_cell_of_a_table_away() {
    // Two by three with both margins: the one small cell needs a rectangle.
    let cells: &[&[u32]] = &[&[0], &[1], &[2], &[3], &[4], &[5]];
    let rows: &[&[u32]] = &[&[0, 1, 2], &[3, 4, 5]];
    let columns: &[&[u32]] = &[&[0, 3], &[1, 4], &[2, 5]];
    let shown = shown(system(&[4, 20, 30, 40, 50, 60], &[cells, rows, columns]));
    assert_eq!(
        shown,
        [[false, false, true], [false, false, true]]
            .concat()
            .into_iter()
            .chain([true; 5])
            .collect::<Vec<_>>()
    );
}

#[test]
fn a_difference_that_nobody_asked_for_is_no_small_group() {
    // All, and all but three.
    let all: &[&[u32]] = &[&[0, 1]];
    let most: &[&[u32]] = &[&[0]];
    assert_eq!(shown(system(&[97, 3], &[all, most])), [true, false]);
    assert_eq!(shown(system(&[97, 30], &[all, most])), [true, true]);
}

#[test]
fn a_small_cell_could_always_be_empty() {
    // What is shown of the first is 20 less the second, which is 13 at most: at least seven, whatever the others are.
    let cells: &[&[u32]] = &[&[0], &[1], &[2]];
    let both: &[&[&[u32]]] = &[cells, &[&[0, 1]], &[&[1, 2]]];
    assert_eq!(shown(system(&[9, 11, 2], both)), [false, false, false, false, true]);
    // Without what bounds the second it could be none.
    assert_eq!(shown(system(&[9, 11, 9], both)), [false, false, false, true, true]);
}

#[test]
fn a_sum_that_is_not_bounded_closely_is_bounded_widely_enough() {
    // Of sums only how far apart their bounds are is judged: the first is from 995 to 1000.
    let after = |width: f64| {
        let cells: &[&[u32]] = &[&[0], &[1], &[2]];
        let mut system = system(&[997, 3, 2], &[cells, &[&[0, 1]], &[&[1, 2]]]);
        for (at, piece) in system.pieces.iter_mut().enumerate() {
            piece.shown = 3 <= at;
            piece.own = false;
            piece.need = Need { width, reach: 0.0, nothing: Nothing::MayBeImpossible };
        }
        shown(System { judge: Judge::Joint(0.0), totals: Vec::new(), ..system })
    };
    assert_eq!(after(5.0)[3..], [true, true]);
    assert_ne!(after(6.0)[3..], [true, true]);
}

#[test]
fn a_lone_unit_does_not_solve_for_its_neighbours() {
    let flat: &[&[u32]] = &[&[0], &[1], &[2], &[3]];
    // Ten together, but the one knows that the others are nine.
    assert_eq!(shown(system(&[1, 9, 70, 60], &[flat])), [false, false, true, false]);
    // The same among several equations: the first margin is their sum.
    let cells: &[&[u32]] = &[&[0], &[1], &[2], &[3], &[4], &[5]];
    let margins: &[&[u32]] = &[&[0, 1], &[2, 3]];
    assert!(!shown(system(&[1, 9, 5, 6, 70, 60], &[cells, margins]))[6]);
    assert!(shown(system(&[2, 8, 5, 6, 70, 60], &[cells, margins]))[6]);
}

#[test]
fn noisy_numbers_leave_enough_in_every_equation() {
    let flat: &[&[u32]] = &[&[0], &[1], &[2], &[3]];
    let noisy =
        |truth: &[u64]| shown(System { judge: Judge::Each(10.0), ..system(truth, &[flat]) });
    assert_eq!(noisy(&[2, 3, 70, 60]), [false, false, true, false]);
    assert_eq!(noisy(&[5, 6, 70, 60]), [false, false, true, true]);
}

#[test]
fn a_withheld_sum_of_shown_parts_takes_one_with_it() {
    let mut system = system(&[20, 30, 40], &[&[&[0], &[1], &[2]], &[&[0, 1]]]);
    system.pieces[3].shown = false;
    assert!(!shown(system)[0]);
}

#[test]
fn a_table_that_is_too_large_loses_its_margins() {
    let side = 25_u32;
    let atom = |row: u32, column: u32| row * side + column;
    let truth: Vec<u64> = (0..side * side).map(|atom| u64::from(atom % 7)).collect();
    let cells: Vec<Vec<u32>> = (0..side * side).map(|atom| vec![atom]).collect();
    let rows = (0..side).map(|row| (0..side).map(|column| atom(row, column)).collect()).collect();
    let columns =
        (0..side).map(|column| (0..side).map(|row| atom(row, column)).collect()).collect();
    let mut system = Asked { truth, releases: vec![cells, rows, columns], min_units: 10 }.system();
    system.withhold_complements();
    assert!(system.pieces.iter().all(|piece| !piece.shown));
}

#[test]
fn a_difference_in_a_table_that_is_too_large_is_no_small_group_either() {
    let side = 21_u32;
    let lines = |by: fn(u32, u32) -> u32| -> Vec<Vec<u32>> {
        (0..side).map(|line| (0..side).map(|place| by(line, place)).collect()).collect()
    };
    let rows = lines(|line, place| line * 21 + place);
    let columns = lines(|line, place| place * 21 + line);
    let but = |left_out: u32| vec![(0..side * side).filter(|atom| left_out <= *atom).collect()];
    let shown = |left_out: u32| {
        let truth = vec![5; (side * side) as usize];
        let releases = vec![rows.clone(), columns.clone(), but(0), but(left_out)];
        let mut system = Asked { truth, releases, min_units: 10 }.system();
        system.withhold_complements();
        system.pieces.iter().filter(|piece| !piece.shown).count()
    };
    assert_eq!(shown(2), 0, "ten are enough");
    assert!(0 < shown(1), "all less all but five");
}

#[test]
fn contradictions_and_unbounded_columns_are_told() {
    let row = |support: &[usize], value| (support.to_vec(), value);
    assert!(Simplex::new(&[row(&[0, 1], 3.0), row(&[0], 4.0)], 2).is_none());
    assert!(Simplex::new(&[row(&[0], -1.0)], 1).is_none());
    let mut simplex = Simplex::new(&[row(&[0], 1.0), row(&[0], 1.0)], 2).unwrap();
    assert_eq!(simplex.maximise(&[0.0, 1.0], &mut |_| false), Stopped::Unbounded);
    assert_eq!(simplex.maximise(&[1.0, 0.0], &mut |_| false), Stopped::Optimal);
}

#[test]
fn the_span_knows_differences_and_nothing_else() {
    let mut span = Span::new(4);
    span.add(&[0, 1, 2, 3]);
    span.add(&[0, 1]);
    span.add(&[1, 2]);
    assert!(span.contains(&[2, 3]) && span.contains(&[0, 3]));
    assert!(!span.contains(&[0]) && !span.contains(&[0, 2]));
    span.add(&[0, 2]);
    assert!(
        span.contains(&[0]) && span.contains(&[1]) && span.contains(&[2]) && span.contains(&[3])
    );
}
