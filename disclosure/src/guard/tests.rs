//! The guard's estimates against true differences, and the records' one spelling.

use super::{DataVersion, Descriptor, Earlier, Memory, Remembered, close_sets, limit};
use crate::noise::tests::set;
use crate::units::{COUNTERS, UnitSet};
use proptest::prelude::{any, proptest};
use proptest::{prop_assert, prop_assert_eq};

fn record(descriptor: u8, set: UnitSet) -> Remembered {
    Remembered {
        dataset: "seizures".to_owned(),
        version: DataVersion([3; 32]),
        kind: 0,
        descriptor: Descriptor([descriptor; 16]),
        set,
    }
}

/// How many of `trials` pairs of sets that are this many units apart pass for far enough.
fn passing(trials: u32, apart: u32, min_units: u64) -> u32 {
    (0..trials)
        .filter(|trial| {
            // Half of the difference on either side; the units that both have cancel.
            let (first, half) = (trial * 1000, apart / 2);
            let (a, b) = (set(first..first + half), set(first + half..first + apart));
            a.is_apart(&b, limit(min_units))
        })
        .count()
        .try_into()
        .unwrap()
}

/// The chance that a difference of one unit less than `min_units` passes: below one in a thousand, for the smallest
/// `min_units` that the federation allows and for the default.
#[test]
fn differences_below_min_units_hardly_ever_pass() {
    for (min_units, apart) in [(5, 4), (10, 9), (20, 19)] {
        let passed = passing(20_000, apart, min_units);
        assert!(passed < 20, "{passed} of 20,000 at {min_units}");
    }
    // One unit, and none, never.
    for apart in [0, 1, 2] {
        assert_eq!(passing(5_000, apart, 5), 0, "{apart}");
    }
}

#[test]
fn differences_of_three_times_min_units_nearly_always_pass() {
    for min_units in [5_u32, 10, 20] {
        let passed = passing(2_000, 3 * min_units, min_units.into());
        assert!(1_980 < passed, "{passed} of 2,000 at {min_units}");
    }
}

#[test]
fn estimates_are_about_right() {
    for apart in [0_u32, 10, 100, 1000] {
        let estimates = (0..100).map(|n| {
            let first = n * 10_000;
            set(first..first + 2000)
                .difference(&set(first + apart / 2..first + 2000 + apart.div_ceil(2)))
        });
        let mean = estimates.sum::<f64>() / 100.0;
        // 18 % over the root of 100 trials, five times.
        assert!((mean - f64::from(apart)).abs() <= 0.09 * f64::from(apart), "{mean} of {apart}");
    }
}

#[test]
fn equal_sets_are_close_unless_they_are_the_same_cell() {
    let (a, b) = (record(1, set(0..50)), record(2, set(0..50)));
    let far = record(3, set(1000..1050));
    let close = |sets: &[&Remembered], memory: &Memory| {
        let sets: Vec<_> = sets.iter().map(|record| (10, *record)).collect();
        close_sets(&sets, memory)
    };
    let nothing = Memory::default();
    assert_eq!(close(&[&a, &b, &far], &nothing), [true, true, false]);
    assert_eq!(close(&[&a, &a.clone(), &far], &nothing), [false, false, false]);

    let mut memory = Memory::default();
    memory.remember(a.clone());
    assert_eq!(close(&[&a, &far], &memory), [false, false]);
    assert_eq!(close(&[&b], &memory), [true]);
    // Of other data, or another kind of unit, nothing is known.
    let other = Remembered { version: DataVersion([4; 32]), ..b.clone() };
    assert_eq!(close(&[&other], &memory), [false]);
    assert_eq!(close(&[&Remembered { kind: 1, ..b }], &memory), [false]);
    // The same description of other units is no excuse.
    assert_eq!(close(&[&record(1, set(0..49))], &memory), [true]);
}

/// The memory leaves out only what is far apart.
#[test]
fn the_memory_finds_every_set_that_is_near() {
    let sets: Vec<Remembered> = (0..400_u16)
        .map(|n| {
            let first = u32::from(n) * 3;
            let mut record = record(0, set(first..first + 30 + u32::from(n % 40)));
            record.descriptor.0[..2].copy_from_slice(&n.to_le_bytes());
            record
        })
        .collect();
    let mut memory = Memory::default();
    for record in &sets {
        memory.remember(record.clone());
    }
    let mut pairs = 0;
    for record in &sets {
        let mut found = Vec::new();
        memory.close_to(record, 16.0, &mut |descriptor, set| {
            found.extend((!record.set.is_apart(set, 16.0)).then_some(*descriptor));
        });
        let near = |other: &&Remembered| !record.set.is_apart(&other.set, 16.0);
        let mut expected: Vec<_> = sets.iter().filter(near).map(|of| of.descriptor).collect();
        expected.sort_unstable();
        found.sort_unstable();
        pairs += found.len();
        assert_eq!(found, expected);
    }
    assert!(1000 < pairs, "{pairs}");
}

#[test]
fn chains_are_hidden_whatever_the_order() {
    let sets: Vec<Remembered> =
        (0..6).map(|n| record(u8::try_from(n).unwrap(), set(0..40 + 8 * n))).collect();
    let far = record(9, set(5000..5100));
    let mut given: Vec<_> = sets.iter().chain([&far]).map(|record| (10_u64, record)).collect();
    let nothing = Memory::default();
    let forward = close_sets(&given, &nothing);
    given.reverse();
    let mut backward = close_sets(&given, &nothing);
    backward.reverse();
    assert_eq!(forward, backward);
    assert_eq!(forward, [true, true, true, true, true, true, false]);
}

#[test]
fn a_new_version_of_the_data_forgets_the_old_one() {
    let mut memory = Memory::default();
    memory.remember(record(1, set(0..50)));
    memory.remember(record(1, set(0..50)));
    memory.remember(Remembered { dataset: "items".to_owned(), ..record(1, set(0..50)) });
    assert_eq!(memory.len(), 2);
    memory.keep_only("seizures", &DataVersion([4; 32]));
    assert_eq!(memory.len(), 1);
    memory.keep_only("items", &DataVersion([3; 32]));
    assert_eq!(memory.len(), 1);
}

#[test]
fn a_record_takes_about_a_hundred_bytes() {
    let bytes = record(1, set(0..500)).to_bytes().len();
    assert!(bytes < 160, "{bytes}");
}

#[test]
fn parts_of_a_set_add_up_to_it() {
    let mut parts = UnitSet::empty();
    for part in [set(0..7), set(7..100), UnitSet::empty()] {
        parts.merge_disjoint(&part);
    }
    assert_eq!(parts, set(0..100), "counters and all");
}

/// Three units, and the first of their counters as a test wants it.
fn three_units(first: i32) -> UnitSet {
    let mut counters = [1; COUNTERS];
    counters[0] = first;
    UnitSet::from_parts(3, 5, counters)
}

#[test]
fn a_set_is_read_whole_and_only_if_there_can_be_one() {
    let bytes = set(0..9).to_bytes();
    assert!(UnitSet::from_bytes(&bytes).is_some());
    for length in [0, 8, 16, bytes.len() - 4, bytes.len() - 1] {
        assert_eq!(UnitSet::from_bytes(&bytes[..length]), None, "{length} bytes");
    }
    for more in [1, 4, bytes.len()] {
        assert_eq!(UnitSet::from_bytes(&[&bytes[..], &vec![0; more]].concat()), None, "and {more}");
    }
    // Three signs add up to an odd number of at most three.
    for (first, possible) in
        [(3, true), (-3, true), (1, true), (2, false), (0, false), (5, false), (i32::MIN, false)]
    {
        let set = three_units(first);
        assert_eq!(UnitSet::from_bytes(&set.to_bytes()).is_some(), possible, "{first}");
        let bytes = record(1, set).to_bytes();
        assert_eq!(Remembered::from_bytes(&bytes).is_some(), possible, "{first} remembered");
    }
}

#[test]
fn numbers_and_names_of_a_record_have_bounds() {
    let named = |length: usize| Remembered { dataset: "a".repeat(length), ..record(1, set(0..9)) };
    let reads = |record: &Remembered| Remembered::from_bytes(&record.to_bytes()).is_some();
    assert!(reads(&named(128)) && !reads(&named(129)));
    // The kind, which is the number behind the name and the version, with a bit that no number of 64 bits has.
    let bytes = record(1, set(0..9)).to_bytes();
    let (head, rest) = bytes.split_at(1 + 1 + "seizures".len() + 32);
    assert_eq!(rest[0], 0, "the kind");
    let with = |kind: &[u8]| Remembered::from_bytes(&[head, kind, &rest[1..]].concat());
    assert!(with(&[5]).is_some_and(|record| record.kind == 5));
    let too_large = [&[0x85][..], &[0x80; 8], &[0x02]].concat();
    assert_eq!(with(&too_large), None);
    assert_eq!(with(&[0x80, 0x80, 0x04]), None, "65,536 kinds");
}

proptest! {
    #[test]
    fn records_have_one_spelling(units in 0_u32..3000, kind in any::<u16>(), flip in any::<usize>(), by in 1_u8..) {
        let record = Remembered { kind, ..record(7, set(0..units)) };
        let bytes = record.to_bytes();
        prop_assert_eq!(Remembered::from_bytes(&bytes), Some(record));
        prop_assert_eq!(Remembered::from_bytes(&bytes[..flip % bytes.len()]), None);
        let longer: Vec<u8> = bytes.iter().copied().chain([0]).collect();
        prop_assert_eq!(Remembered::from_bytes(&longer), None);
        // Whatever else reads is written back the same.
        let mut other = bytes;
        let at = flip % other.len();
        other[at] ^= by;
        if let Some(read) = Remembered::from_bytes(&other) {
            prop_assert_eq!(read.to_bytes(), other);
        }
    }

    #[test]
    fn nonsense_is_no_record_and_no_set(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Some(record) = Remembered::from_bytes(&bytes) {
            prop_assert_eq!(record.to_bytes(), bytes.clone());
        }
        let set = UnitSet::from_bytes(&bytes);
        prop_assert!(set.is_none_or(|set| set.to_bytes().as_slice() == bytes.as_slice()));
    }

    #[test]
    fn sets_survive_the_pipe(units in 0_u32..500) {
        let set = set(0..units);
        prop_assert_eq!(UnitSet::from_bytes(&set.to_bytes()), Some(set));
    }
}
