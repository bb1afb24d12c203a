//! Attacks: a corpus of questions that try to learn something about one person, sent to real federations.
//!
//! Every attack is run in three databases that differ in this person's rows only: D, where the person is present, D-,
//! where the rows are missing, and D', where they have other values. The list of an attack's statements is the whole
//! attack: before it the nodes are given new state folders, so that nothing is remembered of other attacks. The same is
//! done under several secrets, because noise is drawn from a secret of each node.
//!
//! # What counts as a leak
//!
//! 1. Words of the engine, identifiers of persons or hidden texts, anywhere in what came back (unless the attack said
//!    them itself), or in any file outside the nodes' own data.
//! 2. A *feature* of the answers that tells D from D-, or D from D'. Features are all words, outcomes, rows, their
//!    order, sizes, statuses and deviations of the merged table and of the cells that the attacked country signed, all
//!    numbers in them, and what arithmetic makes of these: differences between statements row by row, between totals
//!    and sums, subtotals less their parts, columns against columns, averages over repetitions and over statements,
//!    and a few single numbers with every choice of signs ([`features`]).
//!
//! A number tells two databases apart if its range over all secrets in one does not meet its range in the other; a word
//! if it is the same under all secrets in one and never occurs in the other.
//!
//! # How often chance does that
//!
//! With R secrets in each database, and a feature that has the same continuous distribution in both, the ranges do not
//! meet with probability 2 / C(2R, R): 1 in 6,435 for R = 8. For a word of probability p it is at most
//! p^R (1-p)^R + (1-p)^R p^R <= 2^(1-2R): 1 in 32,768. As an attack has hundreds of features, the first look finds some by chance; an attack with such
//! a feature is run again under R' = 12 further secrets, and the same feature has to go the same way: 1 in 2,704,156.
//! Over a million features, which is more than both published corpora have, a false alarm is then expected in less than
//! one of ten thousand runs.
//!
//! # What this cannot find
//!
//! It looks for what one attacker learns for nearly certain from one run of an attack: a shift of a number by less than
//! about three of its standard deviations passes, and so does a withheld cell that is withheld a little more often. How
//! much such shifts say is a question of the noise and is answered by the tests of `disclosure`. Times are not looked
//! at. Directives that cannot be followed are printed.

pub mod corpus;
pub mod features;
pub mod federation;
pub mod fixture;
pub mod mersenne;
pub mod run;
pub mod said;
pub mod verdict;
