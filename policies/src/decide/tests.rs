//! Tests of what only this module can see.

use super::{Coarseness, Said, nearer};
use crate::shape::Grain;

#[test]
fn the_finer_of_two_shared_levels_is_nearer() {
    assert!(nearer(
        Said::TooFine(Coarseness::Grain(Grain::Month)),
        Said::TooFine(Coarseness::Grain(Grain::Year))
    ));
    assert!(!nearer(
        Said::TooFine(Coarseness::Grain(Grain::Year)),
        Said::TooFine(Coarseness::Grain(Grain::Month))
    ));
    assert!(nearer(Said::TooFine(Coarseness::Grain(Grain::Year)), Said::AggregateNotShared));
    assert!(nearer(Said::AggregateNotShared, Said::ColumnNotShared));
    assert!(nearer(Said::Yes, Said::TooFine(Coarseness::Grain(Grain::Day))));
}
