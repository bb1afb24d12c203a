//! What a question came to: the table, and what every country did.

use arrow::record_batch::RecordBatch;
use mayag_protocol::answer::PolicyVersion;
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::refusal::Refusal;

/// A verified answer. Made only after every signature, digest and the merge were checked.
#[derive(Debug, Clone, PartialEq)]
pub struct AnswerTable {
    /// The question.
    pub question: QuestionId,
    /// The table; absent where no country answered.
    pub table: Option<Table>,
    /// What every country asked did, sorted by country.
    pub outcomes: Vec<CountryReport>,
}

/// Cells in rows, with what each is worth.
#[derive(Debug, Clone, PartialEq)]
pub struct Table {
    /// The values and, behind them, the status columns that [`Self::columns`] points at.
    pub batch: RecordBatch,
    /// The columns a person reads, in order.
    pub columns: Vec<Column>,
    /// Rows in doubt: a withheld cell would have decided, or a partial one has, whether they belong here.
    pub undecided: u64,
}

/// A column a person reads; the numbers are indices of columns of the batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its values.
    pub value: usize,
    /// What each value is worth (the word of a `CellStatus`); absent for keys, which are always known.
    pub status: Option<usize>,
    /// The standard deviation of the noise in each value (`Float64`, null where there is none); absent for what is
    /// computed from several values.
    pub deviation: Option<usize>,
    /// The unit of its numbers.
    pub unit: Option<String>,
}

/// What one country did, as it signed it itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CountryReport {
    /// The country.
    pub country: Country,
    /// What it did.
    pub outcome: Outcome,
    /// Why, if it refused.
    pub refusal: Option<Refusal>,
    /// Milliseconds from acceptance, as the gateway measured.
    pub ms: u64,
    /// The policy it decided under; absent where nothing signed came back.
    pub policy: Option<PolicyVersion>,
    /// Whether some of its cells are withheld.
    pub suppressed: bool,
}

impl AnswerTable {
    /// Countries asked.
    pub fn asked(&self) -> usize {
        self.outcomes.len()
    }

    /// Countries that answered.
    pub fn answered(&self) -> usize {
        answered(&self.outcomes)
    }

    /// Whether every country asked has answered.
    pub fn complete(&self) -> bool {
        self.answered() == self.asked()
    }

    /// Whether every country asked said no.
    pub fn refused_by_all(&self) -> bool {
        refused_by_all(&self.outcomes)
    }
}

/// How many of these countries answered.
pub fn answered(outcomes: &[CountryReport]) -> usize {
    outcomes.iter().filter(|report| report.outcome.answered()).count()
}

/// Whether all of these countries said no.
pub fn refused_by_all(outcomes: &[CountryReport]) -> bool {
    outcomes.iter().all(|report| report.outcome.refused())
}
