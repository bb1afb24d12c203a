//! Lookups: which countries know an identifier, while nobody is told which one it is.
//!
//! ```text
//! tables   question -> the signed directory of every country, held against what was seen of it before
//! fetch    filter and boxes of every table of the kind, by digest
//! hide     identifiers -> one vector for all; what is in it is sealed for the auditors of the person's country, and kept
//! search   question and vector -> evaluated vectors, each checked like any answer
//! compare  proof -> outputs -> filter and boxes -> verdicts: here, and nowhere else
//! ```
//!
//! Tables that answer only who tells them what is searched ([`declared`]) are asked where the person wants that expressly.
//!
//! What does not verify for one country leaves the others as they are: their answers do not add up to one number, and each
//! was checked alone. That country has then evaluated nothing. A directory that contradicts an earlier one ends everything before
//! anything is sent, because the vector would go to whoever shows different people different keys.

mod answer;
mod compare;
mod declared;
mod directory;
mod identifiers;
mod index;
mod line;
pub mod opening;
mod plan;

pub use answer::{
    CountryAnswered, Finding, Found, LookupAnswer, OfTable, Reason, Said, SentLookup,
};
pub use identifiers::Identifiers;
pub use line::Lookups;

use crate::ask::{self, AskError};
use crate::desk::DeskError;
use crate::fault::VerificationFailed;
use crate::table::CountryReport;
use mayag_matching::batch::BatchError;
use mayag_matching::declared::DeclarationError;
use mayag_protocol::lookup::Directory;
use mayag_protocol::names::{Country, QuestionId, TableName};
use mayag_transport::files::FilesError;
use std::path::PathBuf;

/// Why nothing is known, of any country. Says nothing of what was to be searched.
#[derive(Debug, thiserror::Error)]
pub enum LookupError {
    /// The question could not be asked, or its answer does not verify.
    #[error(transparent)]
    Ask(#[from] AskError),
    /// Nothing could be declared.
    #[error(transparent)]
    Declaration(#[from] DeclarationError),
    /// Nothing could be hidden.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A file of the state folder.
    #[error(transparent)]
    Files(#[from] FilesError),
    /// Identifiers of several kinds, or none.
    #[error(
        "a lookup is about at least one identifier, and about one kind: ask for each kind by itself"
    )]
    Kinds,
    /// What was seen of a country's directory before cannot be read.
    #[error(
        "what was seen of a directory before cannot be read: look at {0}, and remove it only if you know why it is broken"
    )]
    Memory(PathBuf),
    /// Nobody could ever open what was searched.
    #[error(
        "the roster lists no auditor key for `{0}`: nobody could prove what you searched; ask your administrator to have one listed"
    )]
    NoAuditor(Country),
    /// Nowhere to keep what was sealed for auditors.
    #[error(
        "what you search is sealed for your auditors and must be kept: add `state = \"state\"` to the profile, or name a folder"
    )]
    NoFolder,
    /// No thread or no memory.
    #[error("this machine has no thread or memory left to hide or compare identifiers")]
    NoResources,
    /// What is searched could not be sealed.
    #[error("what you search could not be sealed for your auditors: nothing was sent")]
    NotSealed,
    /// More than one vector holds.
    #[error(
        "these identifiers are searched through {elements} elements, at most 65,534 go at once: split the list"
    )]
    TooMany {
        /// What they would need.
        elements: usize,
    },
}

impl From<DeskError> for LookupError {
    fn from(error: DeskError) -> Self {
        Self::Ask(error.into())
    }
}

impl From<VerificationFailed> for LookupError {
    fn from(failed: VerificationFailed) -> Self {
        Self::Ask(failed.into())
    }
}

/// What can be searched, by country.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tables {
    /// The question.
    pub question: QuestionId,
    /// What every country asked did, sorted by country.
    pub outcomes: Vec<CountryReport>,
    /// The directories of those that answered. One without tables is a country that lets nothing be searched.
    pub directories: Vec<(Country, Directory)>,
}

/// A declared table that is about to be asked: its country will know what is searched, and who searches.
#[derive(Debug, Clone, Copy)]
pub struct Declaring<'a> {
    /// The country.
    pub country: &'a Country,
    /// The table.
    pub table: &'a TableName,
    /// What the country names as its legal basis.
    pub legal_basis: &'a str,
    /// Whether it may keep a hit to itself.
    pub may_be_silent: bool,
}

/// What happened while waiting.
#[derive(Debug)]
pub enum Progress<'a> {
    /// Identifiers are about to be sealed to nodes that are told them.
    Declaring {
        /// The tables, each of another country.
        tables: &'a [Declaring<'a>],
    },
    /// What a table's proofs are compared with is on its way; what was fetched before is not fetched again.
    Fetching {
        /// The country.
        country: &'a Country,
        /// The table.
        table: &'a TableName,
        /// Bytes that are here.
        bytes: u64,
        /// Of so many.
        of: u64,
    },
    /// Identifiers are hidden in a vector of so many elements.
    Hiding {
        /// Elements, with padding and control.
        elements: usize,
    },
    /// What is told of any question.
    Question(ask::Progress<'a>),
}

/// Whoever watches a lookup.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

#[cfg(test)]
mod fixture;
#[cfg(test)]
mod tests;
