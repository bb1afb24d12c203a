//! The aggregate functions of a node: what is summed, and what protecting a sum needs to know.
//!
//! * [`contributions`]: for a column, the sum, the sum of absolute values, and the two largest absolute values. Where
//!   every row is its own unit these are the contributions of units, for the price of one pass over the values.
//! * [`units`]: the set of the units of a cell, as the difference guard and noise need it.
//! * [`sketch`]: where units repeat over rows, a bounded state per cell that decides nearly every cell in the same pass.
//!
//! **What a unit contributes** to a sum over a column is the sum of the absolute values of its rows. Rows without a unit
//! count as no unit and, together, as one contributor: that can only make a cell look more dominated than it is.
//!
//! Sums of integers and decimals are 128-bit and checked: a sum that does not fit fails, it never wraps. Sums of floats
//! are plain, in the order in which rows arrive. All state is per group in vectors (`GroupsAccumulator`), and accounted to
//! the memory pool.

mod amount;
pub mod contributions;
mod decide;
pub mod fixed;
mod grouped;
pub mod sketch;
pub mod units;

pub(super) use decide::{Rules, between_bounds, known};
