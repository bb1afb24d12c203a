//! Tests of what only this module can see.

use super::{Said, nearer};
use crate::shape::Grain;

#[test]
fn the_finer_of_two_shared_levels_is_nearer() {
    assert!(nearer(Said::TooFine(Grain::Month), Said::TooFine(Grain::Year)));
    assert!(!nearer(Said::TooFine(Grain::Year), Said::TooFine(Grain::Month)));
    assert!(nearer(Said::TooFine(Grain::Year), Said::AggregateNotShared));
    assert!(nearer(Said::AggregateNotShared, Said::ColumnNotShared));
    assert!(nearer(Said::Yes, Said::TooFine(Grain::Day)));
}
