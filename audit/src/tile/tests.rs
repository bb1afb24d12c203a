//! Paths and widths as the specification's examples give them; nothing else is read.

use super::{
    LONGEST_ENTRY, Level, TileError, TileHashes, TileHashesError, TilePath, Tiles, encode_hashes,
    level_of, parse_bundle, parse_hashes, paths, push_entry,
};
use crate::tree::{
    Frontier, Hash, Head, leaf_hash, prove_consistency, prove_inclusion, verify_consistency,
    verify_inclusion,
};
use std::collections::BTreeMap;
use std::io;

struct Folder(BTreeMap<String, Vec<u8>>);

impl Tiles for Folder {
    fn read(&self, path: &str) -> io::Result<Option<Vec<u8>>> {
        Ok(self.0.get(path).cloned())
    }
}

fn folder(size: u64) -> (Folder, Frontier) {
    let (mut frontier, mut levels) = (Frontier::default(), BTreeMap::<Level, Vec<Hash>>::new());
    for n in 0..size {
        frontier.push(leaf_hash(&n.to_le_bytes()), |node| {
            if let Some(level) = level_of(&node) {
                levels.entry(level).or_default().push(node.hash);
            }
        });
    }
    let hash_tiles = paths(size).filter(|path| path.level() != Level::Entries);
    let files = hash_tiles.map(|path| {
        let start = usize::try_from(path.index()).unwrap() * 256;
        let hashes = &levels[&path.level()][start..start + usize::from(path.width())];
        (path.to_string(), encode_hashes(hashes))
    });
    (Folder(files.collect()), frontier)
}

#[test]
fn paths_are_those_of_the_specification() {
    let path = TilePath::of(Level::Hashes(0), 1_234_067, u64::MAX >> 1).unwrap();
    assert_eq!(path.to_string(), "tile/0/x001/x234/067");
    assert_eq!(path.to_string().parse(), Ok(path));
    // "a tree of size 70,000 will be represented by 273 full level 0 tiles, one partial level 0 tile of width 112, one
    // full level 1 tile, one partial level 1 tile of width 17, and one partial level 2 tile of width 1"
    let all: Vec<TilePath> = paths(70_000).collect();
    let count =
        |level, full| all.iter().filter(|p| p.level() == level && p.is_full() == full).count();
    assert_eq!((count(Level::Hashes(0), true), count(Level::Hashes(1), true)), (273, 1));
    assert_eq!((count(Level::Entries, true), count(Level::Entries, false)), (273, 1));
    let partial: Vec<String> =
        all.iter().filter(|p| !p.is_full()).map(ToString::to_string).collect();
    assert_eq!(
        partial,
        ["tile/entries/273.p/112", "tile/0/273.p/112", "tile/1/001.p/17", "tile/2/000.p/1"]
    );
    // "a tree of size 256 will be represented by a full level 0 tile and a partial level 1 tile of width 1"
    let all: Vec<String> = paths(256).map(|path| path.to_string()).collect();
    assert_eq!(all, ["tile/entries/000", "tile/0/000", "tile/1/000.p/1"]);
    assert_eq!(paths(0).count(), 0);
    assert_eq!(TilePath::of(Level::Hashes(0), 1, 256), None);
    assert_eq!(TilePath::of(Level::Hashes(63), 0, 256), None);
}

#[test]
fn a_path_has_one_text() {
    for good in ["tile/0/000", "tile/63/x001/000", "tile/entries/999.p/255", "tile/1/000.p/1"] {
        assert_eq!(good.parse::<TilePath>().unwrap().to_string(), good);
    }
    for refused in [
        "",
        "tile",
        "tile/0",
        "tile/64/000",
        "tile/00/000",
        "tile/-1/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/x000/000",
        "tile/0/001/000",
        "tile/0/x001/x000",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000.p/",
        "tile/0/000.p/+1",
        "tile/0/+00",
        "tile/0/000/",
        "/tile/0/000",
        "tile/entries/../000",
        "tile/0/000.p/1.p/1",
        "tile/0/x999/x999/x999/x999/x999/x999/x999/999",
        "tile/8/0/000",
    ] {
        assert_eq!(refused.parse::<TilePath>(), Err(TileError::Path), "{refused}");
    }
}

#[test]
fn bundles_hold_what_was_put_in_and_nothing_else() {
    let mut bundle = Vec::new();
    let longest = vec![7; LONGEST_ENTRY];
    for entry in [b"a".as_slice(), b"", &longest] {
        push_entry(&mut bundle, entry).unwrap();
    }
    assert_eq!(bundle[..5], [0, 1, b'a', 0, 0]);
    assert_eq!(parse_bundle(&bundle, 3).unwrap(), [b"a".as_slice(), b"", &longest]);
    assert_eq!(parse_bundle(&bundle, 2), Err(TileError::Late));
    assert_eq!(parse_bundle(&bundle, 4), Err(TileError::Early));
    assert_eq!(parse_bundle(&bundle[..bundle.len() - 1], 3), Err(TileError::Early));
    assert_eq!(parse_bundle(&bundle[..6], 3), Err(TileError::Early));
    assert_eq!(parse_bundle(&bundle[..5], 3), Err(TileError::Early));
    assert_eq!(push_entry(&mut bundle, &vec![0; LONGEST_ENTRY + 1]), Err(TileError::LongEntry));
    let hashes = vec![leaf_hash(b"a"), leaf_hash(b"b")];
    let tile = encode_hashes(&hashes);
    assert_eq!(parse_hashes(&tile, 2), Ok(hashes));
    assert_eq!(parse_hashes(&tile, 3), Err(TileError::Early));
    assert_eq!(parse_hashes(&tile, 1), Err(TileError::Late));
    assert_eq!(parse_hashes(&tile[..63], 2), Err(TileError::Early));
    assert_eq!(parse_hashes(&[tile.as_slice(), &[0]].concat(), 2), Err(TileError::Late));
}

#[test]
fn proofs_are_made_from_tiles() {
    for size in [1, 2, 3, 255, 256, 257, 512, 65_536, 70_000] {
        let (folder, frontier) = folder(size);
        let mut hashes = TileHashes::new(&folder, size);
        for index in [0, 1, size / 2, size - 1] {
            if index < size {
                let proof = prove_inclusion(&mut hashes, index, size).unwrap();
                let leaf = leaf_hash(&index.to_le_bytes());
                verify_inclusion(leaf, index, size, &frontier.root(), &proof).unwrap();
            }
        }
        for old in [1, 255, 256, 300, size / 2, size - 1] {
            if 0 < old && old < size {
                let before = Frontier::of(&mut hashes, old).unwrap();
                let proof = prove_consistency(&mut hashes, old, size).unwrap();
                let (old, new) =
                    (Head { size: old, root: before.root() }, Head { size, root: frontier.root() });
                verify_consistency(&old, &new, &proof).unwrap();
            }
        }
    }
}

#[test]
fn a_full_tile_stands_in_for_a_partial_one_and_a_missing_tile_is_named() {
    let (mut folder, _) = folder(256);
    let mut hashes = TileHashes::new(&folder, 200);
    prove_inclusion(&mut hashes, 150, 200).unwrap();
    folder.0.remove("tile/0/000");
    let error = prove_inclusion(&mut TileHashes::new(&folder, 200), 150, 200).unwrap_err();
    assert!(matches!(&error, TileHashesError::Missing { .. }), "{error}");
    assert_eq!(error.to_string(), "`tile/0/000.p/200` is missing");
    folder.0.insert("tile/0/000".to_owned(), vec![0; 5]);
    let error = prove_inclusion(&mut TileHashes::new(&folder, 200), 150, 200).unwrap_err();
    assert_eq!(error.to_string(), "`tile/0/000`: the file ends early");
}
