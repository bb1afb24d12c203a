//! What questions are accepted and refused, and that answers over many countries are the answers over all the rows.

mod catalogue;
mod hostile;
mod law;
mod naive;
mod statuses;
mod tables;
