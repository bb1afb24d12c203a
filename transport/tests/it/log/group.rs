//! Many callers share syncs.

use super::{Place, append, entry};
use mayag_audit::log::commit::Kind;
use std::collections::BTreeSet;
use std::thread;

#[test]
fn callers_share_syncs_and_every_entry_has_a_place_of_its_own() {
    const CALLERS: u64 = 64;
    const EACH: u64 = 20;
    let place = Place::begun();
    let log = place.open().unwrap();
    let places: BTreeSet<(u64, Vec<u8>)> = thread::scope(|scope| {
        let caller = |number: u64| {
            let log = &log;
            move || {
                let one = |n: u64| {
                    let bytes = entry(number * EACH + n);
                    (log.append(Kind::Question, bytes.clone()).unwrap().index(), bytes)
                };
                (0..EACH).map(one).collect::<Vec<_>>()
            }
        };
        #[expect(clippy::needless_collect, reason = "all begin before one is waited for")]
        let callers: Vec<_> = (0..CALLERS).map(|number| scope.spawn(caller(number))).collect();
        callers.into_iter().flat_map(|caller| caller.join().unwrap()).collect()
    });
    let entries = CALLERS * EACH;
    assert!(log.syncs() * 4 < entries, "{} syncs for {entries} entries", log.syncs());
    log.integrate().unwrap();
    drop(log);
    let judged = place.judged();
    let receipts: Vec<_> = places.into_iter().map(|(_, bytes)| bytes).collect();
    assert_eq!(judged, receipts, "each entry is where its receipt says");
    assert_eq!(judged.len() as u64, entries);
}

#[test]
fn a_caller_who_is_alone_has_a_sync_of_his_own() {
    let place = Place::begun();
    let log = place.open().unwrap();
    append(&log, 0..10);
    assert_eq!(log.syncs(), 10);
}
