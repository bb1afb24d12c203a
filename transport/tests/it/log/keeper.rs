//! The thread that keeps a log.

use super::{Place, append, entry};
use mayag_audit::log::commit::Kind;
use mayag_audit::log::error::IntegrateError;
use mayag_transport::log_keeper::LogKeeper;
use std::fs;
use std::sync::Arc;
use std::sync::mpsc;
use std::time::Duration;

const NEVER: Duration = Duration::from_hours(1);

#[test]
fn stopping_makes_the_last_checkpoint() {
    let place = Place::begun();
    let log = Arc::new(place.open().unwrap());
    let keeper = LogKeeper::start(Arc::clone(&log), NEVER, |_| ()).unwrap();
    append(&log, 0..3);
    keeper.stop().unwrap();
    drop(log);
    assert_eq!(place.judged(), (0..3).map(entry).collect::<Vec<_>>());
}

#[test]
fn checkpoints_come_by_themselves() {
    let place = Place::begun();
    let log = Arc::new(place.open().unwrap());
    let keeper = LogKeeper::start(Arc::clone(&log), Duration::from_millis(1), |_| ()).unwrap();
    append(&log, 0..3);
    while log.checkpoint().unwrap().checkpoint().head.size < 3 {
        std::thread::yield_now();
    }
    drop(keeper);
}

#[test]
fn whoever_must_stop_the_program_is_told_that_the_log_closed() {
    let place = Place::begun();
    let log = Arc::new(place.open().unwrap());
    let (tell, told) = mpsc::channel();
    let tell =
        move |failure: &mayag_audit::log::error::Failure| tell.send(failure.to_string()).unwrap();
    let keeper = LogKeeper::start(Arc::clone(&log), Duration::from_millis(1), tell).unwrap();
    fs::remove_file(place.folders().guard.join("last-signed")).unwrap();
    log.append(Kind::Record, entry(0)).unwrap();
    assert!(told.recv().unwrap().contains("something else signs"));
    assert!(matches!(keeper.stop(), Err(IntegrateError::Closed(_))));
    log.append(Kind::Record, entry(1)).unwrap_err();
}
