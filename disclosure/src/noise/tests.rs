//! The noise against what is reported of it, with fixed seeds.

#![expect(clippy::cast_precision_loss, reason = "the numbers of these tests are small")]

use super::{Noise, NoiseLevel, Prf, Source, grid, on_float_grid, rounded};
use crate::guard::DataVersion;
use crate::table::Number;
use crate::units::{UnitDigest, UnitSet};

/// Good enough for statistics, not for secrets.
pub(crate) struct Mix(pub(crate) u64);

impl Prf for Mix {
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

pub(crate) fn set(units: impl IntoIterator<Item = u32>) -> UnitSet {
    let mut set = UnitSet::empty();
    for unit in units {
        let digest = Mix(7).digest(&unit.to_le_bytes());
        set.add(&UnitDigest(*digest.first_chunk().unwrap()));
    }
    set
}

const VERSION: DataVersion = DataVersion([1; 32]);
const DRAWS: u32 = 60_000;

fn source(secret: &Mix) -> Source<'_> {
    Source { secret, dataset: "seizures", version: &VERSION }
}

fn noise() -> Noise {
    Noise::new(NoiseLevel::DEFAULT).unwrap()
}

/// Twenty units, others for every `n`.
fn twenty(n: u32) -> UnitSet {
    UnitSet::from_parts(20, scramble(n.into()), [0; 64])
}

fn moments(numbers: &[f64]) -> (f64, f64) {
    let count = f64::from(u32::try_from(numbers.len()).unwrap());
    let mean = numbers.iter().sum::<f64>() / count;
    (mean, numbers.iter().map(|number| (number - mean).powi(2)).sum::<f64>() / count)
}

#[test]
fn counts_of_units_follow_the_table() {
    let (noise, secret) = (noise(), Mix(1));
    let deviations: Vec<i64> = (0..DRAWS)
        .map(|n| i64::try_from(noise.units(source(&secret), &twenty(n), 0)).unwrap() - 20)
        .collect();
    let numbers: Vec<f64> = deviations.iter().map(|deviation| *deviation as f64).collect();
    let (mean, variance) = moments(&numbers);
    // Five standard errors.
    assert!(mean.abs() < 5.0 * (3.0 / f64::from(DRAWS)).sqrt(), "{mean}");
    assert!((variance - noise.units_deviation().powi(2)).abs() < 0.06, "{variance}");
    let row = noise.table.rows().last().unwrap();
    let squares: f64 = row
        .iter()
        .map(|entry| {
            let seen = deviations.iter().filter(|of| **of == i64::from(entry.deviation)).count();
            let expected = entry.probability * f64::from(DRAWS);
            (seen as f64 - expected).powi(2) / expected
        })
        .sum();
    // Ten degrees of freedom: above 35 once in 10,000.
    assert!(squares < 35.0, "{squares}");
}

#[test]
fn amounts_are_off_by_what_is_reported() {
    let (noise, secret) = (noise(), Mix(2));
    let cases = [
        (Number::Whole(1_000_000), 100_000.0),
        (Number::Whole(64), 3.0),
        (Number::Whole(64), 1.0),
        (Number::Float(1.5), 0.25),
        (Number::Float(-1e7), 1e5),
    ];
    for (value, bound) in cases {
        let mut reported = 0.0;
        let float = |number| match number {
            Number::Float(float) => float,
            Number::Whole(whole) => whole as f64,
        };
        let deviations: Vec<f64> = (0..DRAWS)
            .map(|n| {
                let (seen, deviation) =
                    noise.amount(source(&secret), &twenty(n), "sum", (value, bound)).unwrap();
                reported = deviation;
                float(seen) - float(value)
            })
            .collect();
        let (mean, variance) = moments(&deviations);
        assert!(mean.abs() < 5.0 * reported / f64::from(DRAWS).sqrt(), "{mean} of {value:?}");
        let ratio = variance.sqrt() / reported;
        assert!((0.98..1.02).contains(&ratio), "{ratio} of {value:?} in {bound}");
        let largest = deviations.iter().fold(0.0_f64, |most, deviation| most.max(deviation.abs()));
        assert!(largest <= 5.0 * bound + grid(bound).max(1.0), "{largest} of {bound}");
        assert!(3.0 * bound < largest, "{largest} of {bound}");
    }
}

#[test]
fn statistics_of_one_cell_are_independent() {
    let (noise, secret) = (noise(), Mix(3));
    let draws: Vec<[f64; 3]> = (0..DRAWS)
        .map(|n| {
            let set = twenty(n);
            let of = |statistic| {
                let amount = (Number::Float(0.0), 1.0);
                match noise.amount(source(&secret), &set, statistic, amount) {
                    Some((Number::Float(float), _)) => float,
                    other => panic!("{other:?}"),
                }
            };
            [noise.units(source(&secret), &set, 0) as f64 - 20.0, of("rows"), of("sum:quantity_g")]
        })
        .collect();
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        let product = draws.iter().map(|draw| draw[a] * draw[b]).sum::<f64>() / f64::from(DRAWS);
        let correlation = product / 3.0;
        assert!(correlation.abs() < 5.0 / f64::from(DRAWS).sqrt(), "{a} {b} {correlation}");
    }
}

/// Remembers what it was asked.
#[derive(Default)]
struct Listening(std::cell::RefCell<Vec<Vec<u8>>>);

impl Prf for Listening {
    fn digest(&self, message: &[u8]) -> [u8; 32] {
        self.0.borrow_mut().push(message.to_vec());
        [0; 32]
    }
}

#[test]
fn everything_that_a_draw_is_of_is_part_of_it() {
    let (noise, secret) = (noise(), Listening::default());
    let ask = |dataset, version: u8, set: &UnitSet, statistic| {
        let source = Source { secret: &secret, dataset, version: &DataVersion([version; 32]) };
        noise.amount(source, set, statistic, (Number::Float(1.0), 1.0)).unwrap();
    };
    let set = |units, key| UnitSet::from_parts(units, key, [0; 64]);
    ask("ab", 1, &set(20, 5), "c");
    ask("a", 1, &set(20, 5), "bc");
    ask("ab", 2, &set(20, 5), "c");
    ask("ab", 1, &set(21, 5), "c");
    ask("ab", 1, &set(20, 6), "c");
    ask("ab", 1, &set(20, 5), "d");
    let source = Source { secret: &secret, dataset: "ab", version: &DataVersion([1; 32]) };
    for kind in [0, 1] {
        noise.units(source, &set(20, 5), kind);
    }
    // The kind is in its own place too, not in the statistic's name alone.
    source.keys(&set(20, 5), 1, "c");
    let mut asked = secret.0.into_inner();
    let all = asked.len();
    asked.sort();
    asked.dedup();
    assert_eq!(asked.len(), all, "no two draws are of the same");
}

#[test]
fn asking_again_tells_nothing_more() {
    let (noise, secret) = (noise(), Mix(4));
    let version = DataVersion([2; 32]);
    let (mut redrawn, mut elsewhere) = (0, 0);
    for n in 0..1000 {
        let set = set(n * 20..n * 20 + 20);
        let amount = |source| noise.amount(source, &set, "sum", (Number::Whole(500), 1000.0));
        let first = amount(source(&secret));
        // The order in which units are met says nothing.
        let mut other_order = UnitSet::empty();
        other_order.merge_disjoint(&self::set(n * 20 + 10..n * 20 + 20));
        other_order.merge_disjoint(&self::set((n * 20..n * 20 + 10).rev()));
        assert_eq!(
            first,
            noise.amount(source(&secret), &other_order, "sum", (Number::Whole(500), 1000.0))
        );
        redrawn += u32::from(first != amount(Source { version: &version, ..source(&secret) }));
        elsewhere += u32::from(first != amount(Source { dataset: "items", ..source(&secret) }));
    }
    assert!(990 < redrawn && 990 < elsewhere, "{redrawn} {elsewhere}");
}

#[test]
fn counts_are_never_negative_and_amounts_never_a_negative_zero() {
    let (noise, secret) = (noise(), Mix(5));
    for n in 0..2000 {
        let of_one = set([n]);
        let Some((Number::Whole(count), _)) = noise.count(source(&secret), &of_one, "rows", (1, 3))
        else {
            panic!("a count");
        };
        assert!(0 <= count);
    }
    assert!(on_float_grid(-1e-9, 0.1).unwrap().is_sign_positive());
    assert!(on_float_grid(-0.0, 10.0).unwrap().is_sign_positive());
}

#[test]
fn what_noise_cannot_hide_is_none() {
    let (noise, secret) = (noise(), Mix(6));
    let amount = |value, bound| noise.amount(source(&secret), &twenty(1), "sum", (value, bound));
    for bound in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        assert_eq!(amount(Number::Whole(1), bound), None);
        assert_eq!(amount(Number::Float(1.0), bound), None);
    }
    for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        assert_eq!(amount(Number::Float(value), 1.0), None);
    }
    // Near the end of the numbers a sum does not fit, or does: it never wraps.
    for n in 0..50 {
        for value in [i128::MAX, i128::MIN] {
            let amount = (Number::Whole(value), 1e30);
            let seen = noise.amount(source(&secret), &twenty(n), "sum", amount);
            let Some((Number::Whole(seen), _)) = seen else { continue };
            assert!((seen < 0) == (value < 0), "{value} {seen}");
        }
    }
}

#[test]
fn the_grid_is_a_power_of_ten_of_about_a_thousandth() {
    for (bound, expected) in [(100_000.0, 100.0), (99_999.0, 10.0), (1000.0, 1.0), (3.0, 0.001)] {
        assert!((grid(bound) / expected - 1.0).abs() < 1e-9, "{bound}");
    }
    let (noise, secret) = (noise(), Mix(8));
    for n in 0..100 {
        let amount = (Number::Whole(123_456_789), 100_000.0);
        let seen = noise.amount(source(&secret), &twenty(n), "sum", amount);
        assert!(matches!(seen, Some((Number::Whole(whole), _)) if whole % 100 == 0));
    }
}

#[test]
fn counts_are_rounded_to_the_nearest_multiple() {
    let value = |count| match rounded(count, 5) {
        Some((Number::Whole(value), _)) => value,
        other => panic!("{other:?}"),
    };
    assert_eq!([0, 2, 3, 7, 8, 10].map(value), [0, 0, 5, 5, 10, 10]);
    assert_eq!(rounded(i128::MAX, 5), None);
}
