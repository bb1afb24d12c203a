//! Complementary suppression over everything a question shows: no withheld value follows from the others, and none is
//! bounded too closely.
//!
//! What is shown are sums over disjoint unknowns. The unknowns are **classes**: atoms that no shown or withheld piece tells
//! apart. A shown piece of one class makes it known; every other shown piece is an equation over the unknown classes in it,
//! and so is the sum of all cells of a release, which somebody may know. Two tests for each withheld piece:
//!
//! * **rank**: its sum is not in the span of the equations, also not for a unit that is alone in another withheld piece and
//!   knows that one;
//! * **interval**: between the least and the largest value that it can have (no value is negative) there is room enough.
//!   For counts also each class can be large enough, whether somebody asked for it or not: otherwise some difference of
//!   shown pieces would be a small group.
//!
//! While a test fails, the smallest shown piece is withheld that takes part in the shortest equation of a failing one.
//! That ends, because pieces are finite. Where there is none left, everything around is withheld already.
//!
//! Classes without an equation in common are judged apart. A part of `u` unknowns and `e` equations costs
//! `O(u e²)` for the rank and about `O(u e)` for each of some hundred steps of the simplex method per test. A part that is
//! too large for that ([`UNKNOWNS`], [`EQUATIONS`]) loses all its margins at once if anything in it is withheld, which leaves
//! the totals; otherwise, and for noisy numbers, its equations are judged one by one, with the differences of each and those
//! inside it.

mod part;
mod rank;
mod simplex;
mod system;

pub(crate) use system::{Judge, Need, Nothing, Piece, System};

/// The most unknowns of a part that the interval test is made for.
pub const UNKNOWNS: usize = 400;
/// The most equations.
pub const EQUATIONS: usize = 200;

#[cfg(test)]
mod tests;
