//! Keys of a perceptual hash: 64 tables, each of 24 of its 256 bits.
//!
//! Two hashes that differ in a share `p` of their bits agree in one table with probability `(1 - p)^24`. A hit needs two
//! tables: one agrees for about one in ten thousand pairs of different pictures, two for none of 89,700 measured.

use crate::normalise::{Element, LogoHash};
use mayag_protocol::lookup::Band;
use ring::digest::{Context, SHA256};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::sync::LazyLock;
use zeroize::Zeroizing;

/// Tables of a hash.
pub(crate) const TABLES: u16 = 64;
/// Bits of a table.
const BITS: usize = 24;
/// Tables that must agree.
const AGREEING: usize = 2;
/// Tables that must agree for a strong hit.
const STRONGLY: usize = 8;
/// Public: both sides sample the same bits. The number is the first one with which every bit is sampled.
const SEED: &[u8] = b"mayag1 logo 256 24 64 #2";

static PLACES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| (0..TABLES).map(places).collect());

/// 24 different places of 256, drawn by SHA-256 in counter mode. A byte is a place, so nothing is rejected but repetitions.
fn places(table: u16) -> Vec<u8> {
    let mut places = Vec::with_capacity(BITS);
    for counter in 0u16.. {
        let mut context = Context::new(&SHA256);
        context.update(SEED);
        context.update(&table.to_be_bytes());
        context.update(&counter.to_be_bytes());
        for place in context.finish().as_ref().iter().copied() {
            if places.len() == BITS {
                return places;
            }
            if !places.contains(&place) {
                places.push(place);
            }
        }
    }
    places
}

/// One key a table: its number, and the bits in hexadecimal.
pub(crate) fn keys(hash: &LogoHash) -> Vec<Element> {
    let tables = (0..TABLES).zip(PLACES.iter());
    tables
        .map(|(slot, places)| {
            let bits =
                places.iter().fold(0u32, |bits, place| bits << 1 | u32::from(hash.bit(*place)));
            let mut text = Zeroizing::new(String::with_capacity(12));
            // Writing to a string does not fail.
            let _ = write!(text, "{slot:02}:{bits:06x}");
            Element::new(slot, Band::Possible, &text)
        })
        .collect()
}

/// All 64 agree for the same hash; a hit of one table alone says nothing.
pub(crate) fn band(opened: impl Iterator<Item = u16>) -> Option<Band> {
    let tables: BTreeSet<u16> = opened.filter(|slot| *slot < TABLES).collect();
    let agreeing = tables.len();
    match agreeing {
        agreeing if agreeing < AGREEING => None,
        agreeing if agreeing == usize::from(TABLES) => Some(Band::Exact),
        agreeing if agreeing >= STRONGLY => Some(Band::Strong),
        _ => Some(Band::Possible),
    }
}
