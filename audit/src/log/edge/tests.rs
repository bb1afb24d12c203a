//! Growing in any steps leaves the files of the whole tree.

use super::{Edge, outgrown};
use crate::log::door::{Folder, NewFile};
use crate::log::tests::MemoryFolder;
use crate::log::wal::Leaf;
use crate::tile::paths;
use std::collections::BTreeMap;

fn leaf(number: u64) -> Leaf {
    Leaf::new(format!("entry {number}").into_bytes())
}

/// The files of a tree that grew in these steps.
fn grown(sizes: &[u64]) -> (MemoryFolder, Edge) {
    let folder = MemoryFolder::default();
    let mut edge = Edge::default();
    for size in sizes {
        let (mut files, old) = (Vec::new(), edge.head().size);
        (old..*size).for_each(|number| edge.push(&leaf(number), &mut files).unwrap());
        edge.partial(&mut files);
        folder.replace(&files).unwrap();
        for name in outgrown(old, *size) {
            folder.remove(&name).unwrap();
        }
    }
    (folder, edge)
}

#[test]
fn growing_in_steps_leaves_the_same_files() {
    for (last, steps) in [
        (1, vec![1]),
        (256, vec![1, 255, 256]),
        (257, vec![3, 256, 257]),
        (1000, vec![100, 600, 999, 1000]),
        (65_537, vec![255, 40_000, 65_535, 65_536, 65_537]),
        (70_000, vec![65_536, 66_000, 70_000]),
    ] {
        let (once, edge) = grown(&[last]);
        let (often, same) = grown(&steps);
        assert_eq!(edge.head(), same.head());
        let expected: Vec<String> = paths(last).map(|path| path.to_string()).collect();
        let once: BTreeMap<String, Vec<u8>> = once.files();
        assert_eq!(once.len(), expected.len(), "{last}");
        for path in expected {
            assert_eq!(often.files().get(&path), once.get(&path), "{path} of {last}");
        }
    }
}

#[test]
fn an_edge_reads_back_and_goes_on() {
    for size in [0, 1, 255, 256, 257, 511, 512, 65_536, 65_800] {
        let (folder, edge) = grown(&[size]);
        let mut back = Edge::read(&folder, size).unwrap();
        assert_eq!(back.head(), edge.head());
        let mut edge = edge;
        let (mut files, mut again) = (Vec::<NewFile>::new(), Vec::new());
        for number in size..size + 300 {
            edge.push(&leaf(number), &mut files).unwrap();
            back.push(&leaf(number), &mut again).unwrap();
        }
        edge.partial(&mut files);
        back.partial(&mut again);
        assert_eq!(files, again, "{size}");
        assert_eq!(back.head(), edge.head());
    }
}

#[test]
fn where_a_partial_file_is_gone_the_full_one_is_read() {
    let (folder, _) = grown(&[300, 600]);
    assert!(!folder.files().contains_key("tile/0/001.p/44"));
    let (_, edge) = grown(&[300]);
    let back = Edge::read(&folder, 300).unwrap();
    assert_eq!((back.head(), &back.bundle), (edge.head(), &edge.bundle));
}
