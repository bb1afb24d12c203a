//! Batches in an area in memory.

use super::{Ahead, BLOCK, HEADER, Leaf, RESERVE, Room, SMALLEST, recover};
use crate::log::door::Area;
use crate::log::tests::MemoryArea;

fn leaf(number: u64) -> Leaf {
    Leaf::new(vec![u8::try_from(number % 251).unwrap(); usize::try_from(number % 97).unwrap()])
}

fn leaves(numbers: std::ops::Range<u64>) -> Vec<Leaf> {
    numbers.map(leaf).collect()
}

fn areas(one: &MemoryArea, two: &MemoryArea) -> [Box<dyn Area>; 2] {
    [Box::new(one.clone()), Box::new(two.clone())]
}

fn write(ahead: &mut Ahead, numbers: std::ops::Range<u64>) {
    let leaves = leaves(numbers.clone());
    assert_eq!(ahead.make_room(&leaves).unwrap(), Room::Enough);
    ahead.write(numbers.start, &leaves).unwrap();
}

#[test]
fn batches_read_back_across_both_areas() {
    let (one, two) = (MemoryArea::default(), MemoryArea::default());
    let mut ahead = Ahead::begin(areas(&one, &two), 1).unwrap();
    write(&mut ahead, 0..1);
    write(&mut ahead, 1..300);
    ahead.swap().unwrap();
    write(&mut ahead, 300..310);
    let found = recover(&areas(&one, &two), 0).unwrap();
    assert_eq!((found.leaves, found.next_generation), (leaves(0..310), 3));
    assert_eq!(recover(&areas(&one, &two), 300).unwrap().leaves, leaves(300..310));
    assert_eq!(recover(&areas(&one, &two), 310).unwrap().leaves, []);
    // The first area again: what it held is published, and lies behind what is written now.
    ahead.swap().unwrap();
    write(&mut ahead, 310..311);
    assert_eq!(recover(&areas(&one, &two), 300).unwrap().leaves, leaves(300..311));
    assert_eq!(recover(&areas(&two, &one), 300).unwrap().leaves, leaves(300..311));
}

#[test]
fn every_byte_of_a_batch_is_checked() {
    let (one, two) = (MemoryArea::default(), MemoryArea::default());
    let mut ahead = Ahead::begin(areas(&one, &two), 1).unwrap();
    write(&mut ahead, 0..3);
    write(&mut ahead, 3..5);
    let length: usize = leaves(3..5).iter().map(|leaf| leaf.bytes.len() + 2).sum();
    for byte in 0..HEADER + length {
        one.flip(BLOCK + byte);
        assert_eq!(recover(&areas(&one, &two), 0).unwrap().leaves, leaves(0..3), "byte {byte}");
        one.flip(BLOCK + byte);
    }
    for byte in 0..HEADER {
        one.flip(byte);
        recover(&areas(&one, &two), 0).unwrap_err();
        one.flip(byte);
    }
    assert_eq!(recover(&areas(&one, &two), 0).unwrap().leaves, leaves(0..5));
}

#[test]
fn what_somebody_had_logged_does_not_pass_for_a_batch() {
    let (forged, other) = (MemoryArea::default(), MemoryArea::default());
    let mut ahead = Ahead::begin(areas(&forged, &other), 1).unwrap();
    write(&mut ahead, 2..4);
    // An entry whose bytes hold, at the beginning of a block, the batch that would follow.
    let mut bytes = vec![0; BLOCK - HEADER - 2];
    bytes.extend(forged.read_at(0, BLOCK).unwrap());
    let (one, two) = (MemoryArea::default(), MemoryArea::default());
    let mut ahead = Ahead::begin(areas(&one, &two), 1).unwrap();
    write(&mut ahead, 0..1);
    ahead.write(1, &[Leaf::new(bytes)]).unwrap();
    // Its own batch is torn, so that it is looked into.
    one.flip(BLOCK + HEADER - 1);
    assert_eq!(recover(&areas(&one, &two), 0).unwrap().leaves, leaves(0..1));
}

#[test]
fn an_area_that_cannot_grow_keeps_a_reserve() {
    let (one, two) = (MemoryArea::default(), MemoryArea::default());
    let mut ahead = Ahead::begin(areas(&one, &two), 1).unwrap();
    one.limit(SMALLEST);
    let batch = vec![Leaf::new(vec![1; 50_000])];
    let mut rooms = Vec::new();
    let mut next = 0;
    loop {
        let room = ahead.make_room(&batch).unwrap();
        if rooms.last() != Some(&room) {
            rooms.push(room);
        }
        if room == Room::Nothing {
            break;
        }
        ahead.write(next, &batch).unwrap();
        next += 1;
    }
    assert_eq!(rooms, [Room::Enough, Room::Reserve, Room::Nothing]);
    assert!(SMALLEST - RESERVE < next * 53_248 && next * 53_248 <= SMALLEST);
    one.limit(u64::MAX);
    assert_eq!(ahead.make_room(&batch).unwrap(), Room::Enough);
    assert_eq!(recover(&areas(&one, &two), 0).unwrap().leaves.len() as u64, next);
}
