//! Checkpoints of one log that stand in the other: what they say of time, of length and of history.

use super::{World, place};
use crate::entry::{Entry, SeenLog, Type};
use crate::reconcile::What;
use crate::records::written::{GATEWAY, KR, about, at};

/// An entry of no question.
fn quiet(seconds: i64) -> Entry {
    Entry::new(Type::Opened, at(seconds)).unwrap()
}

/// The gateway's log mentions the node's as it was cosigned at some instant.
fn mentioned(world: &mut World, size: usize, cosigned: i64, seconds: i64) -> SeenLog {
    let seen = world.kr.seen(size, Some(at(cosigned)));
    world.gateway.push(&Entry { seen: vec![seen.clone()], ..quiet(seconds) });
    seen
}

#[test]
fn a_log_that_went_on_from_what_was_seen_of_it_is_counted() {
    let mut world = World::new();
    mentioned(&mut world, 4, 25, 50);
    mentioned(&mut world, 6, 50, 60);
    world.kr.push(&quiet(70));
    let report = world.reconcile_at(100_000);
    assert_eq!((report.findings.len(), report.counts.mentioned), (0, 2), "{report:?}");
}

#[test]
fn an_entry_dated_before_a_checkpoint_without_it_is_back_dated() {
    // The node's log is quiet, so its own times say nothing: the last entry was at 22, and this one claims 40.
    let mut world = World::new();
    mentioned(&mut world, 6, 1000, 1001);
    world.kr.push(&quiet(40));
    let what = What::NotYetThere { at: at(40), cosigned: at(1000) };
    assert_eq!(world.found(), [(place(KR, 6), what)]);
    let said = world.reconcile_at(100_000).findings[0].to_string();
    assert!(said.contains("it is back-dated") && said.contains(&place(GATEWAY, 6)), "{said}");
    // A checkpoint is on its way for a moment.
    let mut world = World::new();
    mentioned(&mut world, 6, 340, 341);
    world.kr.push(&quiet(40));
    assert_eq!(world.found(), []);
}

#[test]
fn an_entry_dated_after_a_checkpoint_with_it_is_forward_dated() {
    let mut world = World::new();
    world.kr.push(&quiet(5000));
    mentioned(&mut world, 7, 100, 101);
    let earlier = What::BeforeItsCause { at: at(101), then: at(5000) };
    let what = What::SeenBefore { at: at(5000), existed: at(100) };
    assert_eq!(world.found(), [(place(GATEWAY, 6), earlier), (place(KR, 6), what)]);
    let mut world = World::new();
    world.kr.push(&quiet(130));
    mentioned(&mut world, 7, 100, 101);
    assert_eq!(world.found(), [], "clocks may be so far apart");
}

#[test]
fn a_log_shorter_than_what_was_seen_of_it_was_cut_off_or_put_back() {
    let mut world = World::new();
    world.kr.push(&quiet(40));
    mentioned(&mut world, 7, 50, 60);
    world.kr.entries.truncate(6);
    assert_eq!(world.found(), [(place(GATEWAY, 6), What::CutOff { size: 7 })]);
    // The two copies may have been made one after the other.
    let report = world.reconcile_at(61);
    assert_eq!((report.findings.len(), report.counts.in_flight), (0, 1));
}

#[test]
fn a_log_with_another_history_than_what_was_seen_of_it_forked() {
    let mut world = World::new();
    world.kr.push(&quiet(40));
    mentioned(&mut world, 7, 50, 60);
    // An entry that no other log is about is written anew: no reference between entries shows it.
    World::rewrite(&mut world.kr, 6, |entry| *entry = quiet(41));
    world.kr.push(&about(Type::Refused, 70, 9));
    assert_eq!(world.found(), [(place(GATEWAY, 6), What::OtherHistory { size: 7 })]);
}
