//! Asking: sign, send, check every event as it arrives, compute the merge again, and only then hand the answer out.

use crate::connection::{ConnectionError, Sent};
use crate::desk::{Desk, DeskError, Request, SignedQuestion};
use crate::fault::{Fault, VerificationFailed};
use crate::receipt::ReceiptFile;
use crate::recompute::{self, Made, RecomputeError};
use crate::stream::{Events, StreamError};
use crate::table::{AnswerTable, CountryReport};
use crate::verify::{Asked, Checked, CountryAnswer, Step, Verifier};
use mayag_protocol::answer::{Decision, NoResult, PreviewedRelease, SharedDataset};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::question::{Ask, Question};
use mayag_protocol::refusal::Refusal;
use mayag_protocol::timestamp::Timestamp;
use mayag_queries::tail::TailError;
use std::time::Duration;

/// The longest time from sending to the end of the stream: longer than any question lives.
const LONGEST_WAIT: Duration = Duration::from_secs(150);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// The connection broke.
    #[error(transparent)]
    Connection(#[from] ConnectionError),
    /// The question could not be made or sent.
    #[error(transparent)]
    Desk(#[from] DeskError),
    /// No thread or no memory to compute with.
    #[error(
        "the answer could not be computed again here: this machine has no thread or memory left"
    )]
    NoResources,
    /// Countries answered, but the gateway could not compute the table.
    #[error("the countries answered, but the gateway could not put their cells together: {}", in_words(*.0))]
    NoTable(NoResult),
    /// What the question asks above the releases fails on these answers, here and at the gateway alike.
    #[error("the countries answered, but {0}")]
    Tail(#[from] TailError),
    /// The gateway kept the stream open for too long.
    #[error("the gateway did not finish within {} s", LONGEST_WAIT.as_secs())]
    TimedOut,
    /// The stream is not what a gateway sends.
    #[error(transparent)]
    Stream(#[from] StreamError),
    /// Something did not verify. Nothing of the answer may be used.
    #[error("verification failed: {0}")]
    Verification(#[from] VerificationFailed),
}

/// What came back.
#[derive(Debug)]
pub enum Reply<T> {
    /// The countries were asked.
    Answer(T),
    /// The gateway refused; nobody was asked.
    Refused(Refusal),
}

impl<T> Reply<T> {
    /// The same of what was made of the answer.
    pub fn map<U>(self, make: impl FnOnce(T) -> U) -> Reply<U> {
        match self {
            Self::Answer(answer) => Reply::Answer(make(answer)),
            Self::Refused(refusal) => Reply::Refused(refusal),
        }
    }
}

/// What happened while waiting. Every country's report was verified before it is told, and what arrived is told by name only.
#[derive(Debug)]
pub enum Progress<'a> {
    /// The gateway sent the question on.
    Accepted {
        /// The question.
        question: &'a QuestionId,
        /// When waiting ends.
        deadline: Timestamp,
        /// The countries asked.
        countries: &'a [Country],
    },
    /// A country has answered, or refused; which of them is told once all are done.
    Arrived(&'a Country),
    /// A country is done.
    Country(&'a CountryReport),
}

/// Whoever watches while a question is out.
pub type Watch<'a> = &'a mut (dyn FnMut(Progress<'_>) + Send);

/// What every country shares with the person who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SharedByCountry {
    /// The question.
    pub question: QuestionId,
    /// What every country asked did.
    pub outcomes: Vec<CountryReport>,
    /// The datasets of every country that answered.
    pub shared: Vec<(Country, Vec<SharedDataset>)>,
}

/// The cells that one country signed, one Arrow stream per release: what the table was computed from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedCells {
    /// The country.
    pub country: Country,
    /// The streams, in the order of the question's releases (layout: [`mayag_protocol::columns`]).
    pub releases: Vec<Vec<u8>>,
}

/// A verified answer with what it was computed from.
#[derive(Debug, Clone, PartialEq)]
pub struct WholeAnswer {
    /// The answer.
    pub table: AnswerTable,
    /// The cells of every country asked; none where it did not answer with cells.
    pub cells: Vec<SignedCells>,
    /// What everybody signed, for whom the log is to prove it to.
    pub receipt: ReceiptFile,
}

/// What every country would answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PreviewByCountry {
    /// The question.
    pub question: QuestionId,
    /// What every country asked did with the preview.
    pub outcomes: Vec<CountryReport>,
    /// The releases that every country that does not refuse would answer, in the order of the question.
    pub previewed: Vec<(Country, Vec<PreviewedRelease>)>,
}

impl Desk {
    /// Asks for protected aggregates. `request.ask` must be SQL.
    pub async fn ask(
        &self,
        request: &Request,
        watch: Watch<'_>,
    ) -> Result<Reply<AnswerTable>, AskError> {
        Ok(match self.ask_for_cells(request, watch).await? {
            Reply::Answer(answer) => Reply::Answer(answer.table),
            Reply::Refused(refusal) => Reply::Refused(refusal),
        })
    }

    /// The same with the cells that every country signed.
    pub async fn ask_for_cells(
        &self,
        request: &Request,
        watch: Watch<'_>,
    ) -> Result<Reply<WholeAnswer>, AskError> {
        let Ask::Sql { sql } = &request.ask else {
            return Err(DeskError::Question("this is no SQL question".to_owned()).into());
        };
        let signed = self.sign(request)?;
        match self.exchange(&signed, Sent::Question(signed.bytes.clone()), watch).await? {
            Checked::Refused(refusal) => Ok(Reply::Refused(refusal)),
            Checked::Complete { countries, result, no_result, release } => {
                let outcomes = countries.iter().map(report).collect();
                let cells = countries.iter().map(signed_cells).collect();
                let answers = countries.iter().filter_map(|country| {
                    Some((country.country.clone(), country.envelope.clone()?))
                });
                let receipt = ReceiptFile::new(signed.envelope, release, answers.collect());
                let result = match (result, no_result) {
                    (Some(table), _) => Made::Table(table),
                    (None, Some(why)) => Made::NoTable(why),
                    (None, None) => Made::Nothing,
                };
                let table = recompute::compare(sql, self.catalogue(), countries, result).await?;
                let table = AnswerTable { question: signed.question.id, table, outcomes };
                Ok(Reply::Answer(WholeAnswer { table, cells, receipt }))
            }
        }
    }

    /// Asks what every country shares. `request.ask` must be for datasets.
    pub async fn datasets(
        &self,
        request: &Request,
        watch: Watch<'_>,
    ) -> Result<Reply<SharedByCountry>, AskError> {
        if request.ask != (Ask::Datasets {}) {
            return Err(DeskError::Question("this is no question for datasets".to_owned()).into());
        }
        let signed = self.sign(request)?;
        match self.exchange(&signed, Sent::Question(signed.bytes.clone()), watch).await? {
            Checked::Refused(refusal) => Ok(Reply::Refused(refusal)),
            Checked::Complete { countries, .. } => {
                let outcomes = countries.iter().map(report).collect();
                let shared = countries.into_iter().filter_map(shared).collect();
                Ok(Reply::Answer(SharedByCountry {
                    question: signed.question.id,
                    outcomes,
                    shared,
                }))
            }
        }
    }

    /// Asks what would be answered. `request.ask` must be a preview.
    pub async fn preview(
        &self,
        request: &Request,
        watch: Watch<'_>,
    ) -> Result<Reply<PreviewByCountry>, AskError> {
        let Ask::Preview { .. } = &request.ask else {
            return Err(DeskError::Question("this is no question for a preview".to_owned()).into());
        };
        let signed = self.sign(request)?;
        match self.exchange(&signed, Sent::Question(signed.bytes.clone()), watch).await? {
            Checked::Refused(refusal) => Ok(Reply::Refused(refusal)),
            Checked::Complete { countries, .. } => {
                let outcomes = countries.iter().map(report).collect();
                let previewed = countries.into_iter().filter_map(previewed).collect();
                let question = signed.question.id;
                Ok(Reply::Answer(PreviewByCountry { question, outcomes, previewed }))
            }
        }
    }

    /// Sends what was signed, and checks everything that comes back.
    pub(crate) async fn exchange(
        &self,
        signed: &SignedQuestion,
        sent: Sent,
        watch: Watch<'_>,
    ) -> Result<Checked, AskError> {
        tokio::time::timeout(LONGEST_WAIT, self.wait_for(signed, sent, watch))
            .await
            .map_err(|_| AskError::TimedOut)?
    }

    async fn wait_for(
        &self,
        signed: &SignedQuestion,
        sent: Sent,
        watch: Watch<'_>,
    ) -> Result<Checked, AskError> {
        let mut stream = self.connection().ask(sent).await?;
        let mut verifier = Verifier::new(Asked {
            question: &signed.question,
            digest: &signed.digest,
            roster: self.roster(),
        });
        let mut events = Events::new();
        while let Some(chunk) = stream.next().await? {
            for event in events.push(&chunk)? {
                tell(&signed.question, &verifier.accept(event)?, watch);
            }
        }
        if !events.ended_whole() {
            return Err(VerificationFailed::gateway(Fault::EndedEarly).into());
        }
        Ok(verifier.finish()?)
    }
}

fn tell(question: &Question, step: &Step<'_>, watch: Watch<'_>) {
    match step {
        Step::Accepted { deadline } => {
            watch(Progress::Accepted {
                question: &question.id,
                deadline: *deadline,
                countries: &question.countries,
            });
        }
        Step::Arrived(country) => watch(Progress::Arrived(country)),
        Step::Country(answer) => watch(Progress::Country(&report(answer))),
        Step::Complete | Step::Refused => {}
    }
}

pub(crate) fn report(country: &CountryAnswer) -> CountryReport {
    let refusal = country.answer.as_ref().and_then(|answer| match &answer.decision {
        Decision::Refused { refusal } => Some(refusal.clone()),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    });
    CountryReport {
        country: country.country.clone(),
        outcome: country.outcome,
        refusal,
        ms: country.ms,
        policy: country.answer.as_ref().and_then(|answer| answer.policy.clone()),
        suppressed: country.outcome == mayag_protocol::outcome::Outcome::AnsweredSuppressed,
    }
}

fn signed_cells(country: &CountryAnswer) -> SignedCells {
    SignedCells { country: country.country.clone(), releases: country.parts.clone() }
}

fn shared(country: CountryAnswer) -> Option<(Country, Vec<SharedDataset>)> {
    match country.answer?.decision {
        Decision::Shared { datasets } => Some((country.country, datasets)),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Tables { .. } => None,
    }
}

fn previewed(country: CountryAnswer) -> Option<(Country, Vec<PreviewedRelease>)> {
    match country.answer?.decision {
        Decision::Previewed { releases } => Some((country.country, releases)),
        Decision::Answered { .. }
        | Decision::Declared { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    }
}

/// Why the gateway made no table, and what to do.
fn in_words(why: NoResult) -> &'static str {
    match why {
        NoResult::DivideByZero => "the question divides by zero; `nullif(.., 0)` makes it null",
        NoResult::Failed => "it broke; tell the gateway's operator the question's id",
        NoResult::Overflow => "a sum left the range of its type; ask for smaller groups",
        NoResult::TooBusy => "it has too much to do; ask again in a minute",
        NoResult::TooMuchMemory => {
            "that takes more memory than a question may; ask for less, or for fewer columns"
        }
        NoResult::TooManyRows => "that makes too many rows; ask for fewer groups, or add a `LIMIT`",
        NoResult::TooSlow => "that took too long; ask for less, or ask again when it is less busy",
    }
}

impl From<RecomputeError> for AskError {
    fn from(error: RecomputeError) -> Self {
        match error {
            RecomputeError::NoTable(why) => Self::NoTable(why),
            RecomputeError::NoResources => Self::NoResources,
            RecomputeError::Tail(error) => Self::Tail(error),
            RecomputeError::Verification(failed) => Self::Verification(failed),
        }
    }
}
