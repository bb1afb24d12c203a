//! Keys of picture hashes: near ones are found, others are not, and what is sampled never changes unnoticed.

use crate::random::random;
use mayag_matching::normalise::{Element, Normalised, normalise};
use mayag_protocol::lookup::Band;
use mayag_protocol::names::hex;

type Hash = [u8; 32];

fn logo(hash: &Hash) -> Normalised {
    normalise(&format!("logo:{}", hex(hash))).unwrap()
}

/// Half of its bits are ones, as those of a median hash.
fn drawn(state: &mut u64) -> Hash {
    let mut bits: Vec<bool> = (0..256).map(|n| n % 2 == 0).collect();
    for n in (1..bits.len()).rev() {
        bits.swap(n, random(state) % (n + 1));
    }
    let mut hash = [0; 32];
    for (n, _) in bits.iter().enumerate().filter(|(_, bit)| **bit) {
        hash[n / 8] |= 0x80 >> (n % 8);
    }
    hash
}

/// `hash` with so many of its bits turned.
fn damaged(hash: &Hash, bits: usize, state: &mut u64) -> Hash {
    let mut damaged = *hash;
    let mut places: Vec<usize> = (0..256).collect();
    for n in 0..bits {
        let other = n + random(state) % (places.len() - n);
        places.swap(n, other);
        damaged[places[n] / 8] ^= 0x80 >> (places[n] % 8);
    }
    damaged
}

/// Tables in which two hashes agree.
fn agreeing(held: &[Element], sought: &[Element]) -> Vec<(u16, Band)> {
    let pairs = held.iter().zip(sought);
    pairs.filter(|(a, b)| a.text() == b.text()).map(|(a, b)| (b.slot(), a.band())).collect()
}

#[test]
fn a_hash_has_sixty_four_tables_of_twenty_four_bits() {
    let one = logo(&drawn(&mut 1));
    let elements = one.indexed();
    assert_eq!(elements.len(), 64);
    assert!(elements.iter().all(|element| element.text().len() == "00:123456".len()));
    // Each bit turned changes the tables that sample it, six of 64 on the average and none more than a quarter.
    for bit in 0..256 {
        let mut other = drawn(&mut 1);
        other[bit / 8] ^= 0x80 >> (bit % 8);
        let other = logo(&other).indexed();
        let changed = elements.iter().zip(&other).filter(|(a, b)| a.text() != b.text()).count();
        assert!((1..=16).contains(&changed), "bit {bit}: {changed} tables");
    }
}

#[test]
fn two_tables_make_a_hit_and_one_makes_none() {
    let logo = logo(&drawn(&mut 2));
    let band = |slots: &[u16]| {
        let opened: Vec<(u16, Band)> = slots.iter().map(|slot| (*slot, Band::Possible)).collect();
        logo.band(&opened)
    };
    assert_eq!(band(&[5]), None);
    assert_eq!(
        band(&[5, 5, 5]),
        None,
        "a table counts once, however many variants of the question hit it"
    );
    assert_eq!(band(&[5, 6]), Some(Band::Possible));
    assert_eq!(band(&[0, 1, 2, 3, 4, 5, 6, 7]), Some(Band::Strong));
    assert_eq!(band(&(0..64).collect::<Vec<u16>>()), Some(Band::Exact));
    assert_eq!(band(&[64, 65, 1000]), None);
}

#[test]
fn near_hashes_are_found_and_others_are_not() {
    let mut state = 3;
    let mut found = |bits: usize| {
        let hits = (0..100).filter(|_| {
            let hash = drawn(&mut state);
            let sought = logo(&damaged(&hash, bits, &mut state));
            sought.band(&agreeing(&logo(&hash).indexed(), &sought.searched())).is_some()
        });
        hits.count()
    };
    // (1 - p)^24 for one table: with 16 of 256 bits 14 of 64 tables agree on the average, with 51 a third of one does.
    let [near, far] = [found(16), found(51)];
    println!("of 100: {near} with 16 of 256 bits turned, {far} with 51");
    assert!(98 <= near && far <= 15);

    let hashes: Vec<Vec<Element>> = (0..300).map(|_| logo(&drawn(&mut state)).indexed()).collect();
    let mut most = 0;
    for (n, one) in hashes.iter().enumerate() {
        for other in hashes.iter().skip(n + 1) {
            most = most.max(agreeing(one, other).len());
        }
    }
    assert!(most < 2, "{most} tables of two hashes that have nothing in common");
}
