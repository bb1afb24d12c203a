//! What questions are accepted and refused, and that answers over many countries are the answers over all the rows.

#![expect(
    clippy::cast_precision_loss,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "helpers of tests are tests, which clippy does not see"
)]

mod catalogue;
mod defined;
mod doubtful;
mod hostile;
mod law;
mod manual;
mod naive;
mod statuses;
mod tables;
