//! Searches in an index, what is seen of them, and what an auditor sees.

use super::{Batch, BatchError, BatchSeed, Verdict, elements, opens};
use crate::index::{Builder, Index, Row};
use crate::input::{Input, Rules};
use crate::reference::Reference;
use crate::scope::Scope;
use crate::voprf::{Blinding, LARGEST_BATCH, ProofError, SecretKey, Seed};
use mayag_protocol::lookup::{Band, SIZES};
use mayag_protocol::names::hex;
use std::num::NonZero;

const TWO: NonZero<usize> = NonZero::new(2).unwrap();

fn rules(version: u16) -> Rules {
    Rules { kind: "passport".parse().unwrap(), version }
}

fn scope(epoch: u32) -> Scope {
    Scope {
        node: "spiffe://demo/country/kr/node".parse().unwrap(),
        table: "documents".parse().unwrap(),
        epoch,
        rules: rules(1),
    }
}

fn key(scope: &Scope) -> SecretKey {
    SecretKey::derive(&Seed::from_bytes([1; 32]), scope).unwrap()
}

const REFERENCE: Reference =
    Reference { band: Band::Exact, category: 3, handling: 2, rows: 1, contact: [9; 16] };

fn index(scope: &Scope, identifiers: &[&str]) -> Index {
    let key = key(scope);
    let mut builder = Builder::new(&key, scope, TWO).unwrap();
    for identifier in identifiers {
        let input = Input::new(&scope.rules, identifier).unwrap();
        builder.push(Row { input, reference: REFERENCE });
    }
    builder.finish().unwrap()
}

fn batch(identifiers: &[&str]) -> Batch {
    Batch::new(&BatchSeed::from_bytes([5; 32]), &rules(1), identifiers, TWO).unwrap()
}

fn verdicts(batch: &Batch, key: &SecretKey, index: &Index) -> Vec<Verdict> {
    let evaluation = key.evaluate(batch.blinded(), TWO).unwrap();
    batch.outputs(key.public(), &evaluation, TWO).unwrap().verdicts(index)
}

#[test]
fn a_search_finds_what_is_there() {
    let scope = scope(1);
    let index = index(&scope, &["A", "B", "C"]);
    for asked in [&["B"][..], &["X"], &["X", "A", "Y", "C", "A"], &["A"; 70]] {
        let expected: Vec<Verdict> = asked
            .iter()
            .map(|name| if *name < "D" { Verdict::Hit(REFERENCE) } else { Verdict::NoHit })
            .collect();
        assert_eq!(verdicts(&batch(asked), &key(&scope), &index), expected);
    }
}

#[test]
fn an_additive_blinding_finds_the_same_and_opens_the_same() {
    let scope = scope(1);
    let index = index(&scope, &["A", "B"]);
    let seed = BatchSeed::from_bytes([5; 32]);
    let asked = ["A", "X", "A", "X", "A", "X", "A", "X"];
    let of = |blinding| Batch::blinded_by(blinding, &seed, &rules(1), &asked, TWO).unwrap();
    let (added, multiplied) = (of(Blinding::Additive), of(Blinding::Multiplicative));
    for batch in [&added, &multiplied] {
        let found = verdicts(batch, &key(&scope), &index);
        assert_eq!(found, [Verdict::Hit(REFERENCE), Verdict::NoHit].repeat(4));
        let logged = batch.blinded().digest();
        assert!(opens(&logged, &seed, &rules(1), &asked, TWO).unwrap());
        assert!(!opens(&logged, &seed, &rules(1), &asked[1..], TWO).unwrap());
    }
    // Not even the places are the same: nothing of one is used in the other.
    assert_ne!(added.places, multiplied.places);
}

#[test]
fn no_hit_is_said_only_where_the_control_is_found() {
    let (this, next) = (scope(1), scope(2));
    let index = index(&this, &["A"]);
    let both = batch(&["A", "X"]);
    assert_eq!(verdicts(&both, &key(&this), &index), [Verdict::Hit(REFERENCE), Verdict::NoHit]);
    // The index of an epoch that is over.
    assert_eq!(verdicts(&both, &key(&next), &index), [Verdict::Unknown; 2]);
    // Rules that the node does not have yet.
    let newer = Batch::new(&BatchSeed::generate().unwrap(), &rules(2), &["A", "X"], TWO).unwrap();
    assert_eq!(verdicts(&newer, &key(&this), &index), [Verdict::Unknown; 2]);
    // A row instead of the control: a hit remains one, and nothing else is known.
    let (filter, boxes) = (index.filter_bytes(), index.box_bytes());
    let control = key(&this).output(&Input::control(&this.rules));
    let without = boxes[..24].iter().copied().chain(
        boxes[24..].chunks(49).filter(|row| row[..8] != control.as_bytes()[..8]).flatten().copied(),
    );
    let without = Index::parse(&this, &filter, &without.collect::<Vec<_>>()).unwrap();
    assert_eq!(verdicts(&both, &key(&this), &without), [Verdict::Hit(REFERENCE), Verdict::Unknown]);
}

#[test]
fn an_answer_of_another_key_gives_no_verdict() {
    let both = batch(&["A", "X"]);
    let evaluation = key(&scope(2)).evaluate(both.blinded(), TWO).unwrap();
    let refused = both.outputs(key(&scope(1)).public(), &evaluation, TWO).err();
    assert_eq!(refused, Some(ProofError::Refuted));
}

#[test]
fn only_the_class_of_a_batch_is_to_be_seen() {
    assert_eq!([0, 65_534, 65_535].map(elements), [None, Some(65_535), None]);
    assert!(
        SIZES.is_sorted() && SIZES.map(usize::try_from).map(Result::unwrap)[6] == LARGEST_BATCH
    );
    for (asked, size) in [(1, 2), (2, 9), (8, 9), (9, 65), (64, 65), (65, 513)] {
        assert_eq!(elements(asked), Some(size));
        assert_eq!(batch(&vec!["A"; asked]).blinded().len(), size);
    }
    let none: [&str; 0] = [];
    let refused = |identifiers: &[&str]| {
        Batch::new(&BatchSeed::from_bytes([0; 32]), &rules(1), identifiers, TWO).err()
    };
    assert_eq!(refused(&none), Some(BatchError::Count));
    assert_eq!(refused(&vec!["A"; 65_535]), Some(BatchError::Count));
    assert!(matches!(refused(&["A", ""]), Some(BatchError::Input(_))));
}

#[test]
fn an_auditor_sees_what_was_searched_and_catches_a_liar() {
    let (seed, searched) = (BatchSeed::from_bytes([5; 32]), ["A", "B", "C"]);
    let logged = batch(&searched).blinded().digest();
    let holds = |seed: &BatchSeed, rules: &Rules, told: &[&str]| {
        opens(&logged, seed, rules, told, NonZero::<usize>::MIN).unwrap()
    };
    assert!(holds(&seed, &rules(1), &searched));
    let lies: [&[&str]; 8] = [
        &["A", "B", "D"],
        &["A", "B"],
        &["A"],
        &["A", "B", "C", "D"],
        &["A", "C", "B"],
        &["B", "C", "A"],
        &["A", "B", "c"],
        &["A", "B", "C", "C"],
    ];
    for told in lies {
        assert!(!holds(&seed, &rules(1), told), "{told:?}");
    }
    assert!(!holds(&seed, &rules(2), &searched));
    assert!(!holds(&BatchSeed::from_bytes([6; 32]), &rules(1), &searched));
    let other = BatchSeed::generate().unwrap();
    assert!(!holds(&other, &rules(1), &searched));
}

#[test]
fn the_bytes_of_a_vector_say_nothing() {
    // An encoding is even and below 2²⁵⁵; its other bytes are uniform if the element is. 512 times the same identifier, and
    // padding: 30 of the 32 bytes of 1,026 elements, in 256 classes.
    for blinding in [Blinding::Additive, Blinding::Multiplicative] {
        let mut counts = [0_u32; 256];
        for n in [1, 2] {
            let seed = BatchSeed::from_bytes([n; 32]);
            let batch = Batch::blinded_by(blinding, &seed, &rules(1), &["A"; 256], TWO).unwrap();
            for element in batch.blinded().to_bytes().chunks(32) {
                element[1..31].iter().for_each(|byte| counts[usize::from(*byte)] += 1);
            }
        }
        let expected = 2.0 * 513.0 * 30.0 / 256.0;
        let chi: f64 = counts.iter().map(|n| (f64::from(*n) - expected).powi(2) / expected).sum();
        // 255 degrees of freedom; the seeds are fixed, so the figure is too. 330.5 is the limit at one in a thousand.
        assert!(chi < 330.5, "{chi}");
    }
}

/// The figures were worked out from `docs/lookups.md` with Python's `hmac`.
#[test]
fn the_seed_is_expanded_as_it_is_described() {
    for (blinding, uniform, rank) in [
        (
            Blinding::Multiplicative,
            "048d573dbe7dc747d1c6e6a97579124de6c320808b5432ce4999cb797423023d427d3adaf8a423f25f4bae12316071a33f9afb30e0f2647d8b9f49e1fe239ed6",
            "a899a0f34b1acab8b6c5c8a799c968e9",
        ),
        (
            Blinding::Additive,
            "000d1a563c552c4f7a38bd9221429eaae19482445831d177b388282ac2a9473822d00c66272ca6f6f01bde5192f3ba19d9aaa10d312ca1bead5227102bb2b47e",
            "d67807fdd444f6a302432d9f3404705a",
        ),
    ] {
        let slots = super::slots(blinding, &BatchSeed::from_bytes([5; 32]), 2, TWO);
        assert_eq!(hex(slots[1].uniform.as_slice()), uniform);
        assert_eq!(hex(&slots[1].rank), rank);
    }
}

#[test]
fn nothing_secret_is_shown_by_debug() {
    let (seed, rules) = (Seed::from_bytes([0x5a; 32]), rules(1));
    let (scope, asked) = (scope(1), BatchSeed::from_bytes([0x5a; 32]));
    let key = SecretKey::derive(&seed, &scope).unwrap();
    let input = Input::new(&rules, "M12345678").unwrap();
    let batch = Batch::new(&asked, &rules, &["M12345678"], TWO).unwrap();
    let answer = key.evaluate(batch.blinded(), TWO).unwrap();
    let outputs = batch.outputs(key.public(), &answer, TWO).unwrap();
    let row = Row { input: Input::new(&rules, "M12345678").unwrap(), reference: REFERENCE };
    let shown = [
        format!("{seed:?}"),
        format!("{key:?}"),
        format!("{input:?}"),
        format!("{asked:?}"),
        format!("{batch:?}"),
        format!("{outputs:?}"),
        format!("{:?}", key.output(&input)),
        format!("{row:?}"),
        format!("{:?}", Verdict::Hit(REFERENCE)),
    ];
    for text in shown {
        assert!(!text.contains("M1234") && !text.contains("90") && !text.contains("0x"), "{text}");
        assert!(text.len() < 32, "{text}");
    }
}

#[test]
fn equal_identifiers_do_not_look_equal_and_their_order_is_hidden() {
    let one = batch(&["A"; 8]).blinded().to_bytes();
    let mut elements: Vec<&[u8]> = one.chunks(32).collect();
    elements.sort_unstable();
    elements.dedup();
    assert_eq!(elements.len(), 9);
    // The place of the control depends on the seed alone, and takes every value.
    let mut taken = [false; 9];
    for n in 0..200 {
        let seed = BatchSeed::from_bytes([n; 32]);
        let batch = Batch::new(&seed, &rules(1), &["A"; 8], TWO).unwrap();
        taken[*batch.places.last().unwrap()] = true;
    }
    assert_eq!(taken, [true; 9]);
}
