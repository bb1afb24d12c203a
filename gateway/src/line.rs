//! The straight line of a question through the gateway: authenticate -> open -> admit -> plan -> log -> ask -> merge ->
//! log -> sign.
//!
//! Every step is a value that proves the one before: a [`Caller`] is an authenticated analyst, an [`AdmittedQuestion`]
//! comes from admission alone, a [`ReceivedQuestion`] holds the receipt of its log entry, and nobody is asked without
//! one. The gateway decides nothing for a country: it plans only because it must know how to fold what comes back.

use crate::admission::{AdmittedQuestion, Caller, Known};
use crate::crowd::Place;
use crate::events::{Completion, CountryEvent, Events};
use crate::fanout::{self, CountryAnswer, Errand};
use crate::gateway::Gateway;
use crate::merge::{self, Cut, Label, Table};
use crate::work;
use bytes::Bytes;
use mayag_audit::journal::{Entry, LogReceipt, Operation};
use mayag_audit::keys::sha256;
use mayag_protocol::answer::{CountryOutcome, Release};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_queries::tail::Tail;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// An admitted question that the gateway knows how to fold.
#[derive(Debug)]
struct PlannedQuestion {
    admitted: AdmittedQuestion,
    /// Absent where the shared datasets are asked for.
    fold: Option<(Arc<Cut>, Tail)>,
}

/// A planned question that is in the log. Nobody is asked without it.
#[derive(Debug)]
struct ReceivedQuestion {
    planned: PlannedQuestion,
    _logged: LogReceipt,
}

/// Carries one question from its first byte to its last event. Returns its place in the crowd, to be kept until the
/// caller has read everything.
pub(crate) async fn carry(
    gateway: Arc<Gateway>,
    peer: Identity,
    body: Bytes,
    events: &mut Events,
) -> Option<Place> {
    let mut known = Known::of_connection(&peer, &body);
    match straight(&gateway, &peer, body, &mut known, events).await {
        Ok(place) => Some(place),
        Err(refusal) => {
            let refusal = log_refused(&gateway, &known, refusal).await;
            events.refused(refusal);
            None
        }
    }
}

/// The line. A refusal ends it before anybody was asked.
async fn straight(
    gateway: &Arc<Gateway>,
    peer: &Identity,
    body: Bytes,
    known: &mut Known,
    events: &mut Events,
) -> Result<Place, Refusal> {
    let roster = gateway.roster();
    let caller = Caller::authenticate(peer, &roster)?;
    let place = gateway.crowd().enter(caller.identity()).ok_or_else(busy)?;
    let signed = caller.open(&body, &roster, known)?;
    let now = gateway.clock().now();
    let admitted = signed.admit(gateway.identity(), &roster, gateway.nonces(), now, known)?;
    let planned = plan(gateway, admitted).await?;
    let received = log_received(gateway, planned, known).await?;

    let ReceivedQuestion { planned: PlannedQuestion { admitted, fold }, _logged } = received;
    let question = admitted.question();
    let (cut, tail) = fold.unzip();
    let wait = question.expires_at.since(now).min(gateway.config().limits.deadline);
    let errand = Errand {
        question: question.id.clone(),
        digest: admitted.digest().clone(),
        envelope: body,
        cut: cut.clone(),
        deadline: Instant::now() + wait,
    };
    events.accepted(question.id.clone(), now.plus(wait), question.countries.clone());
    let answers = collect(gateway, &roster, &admitted, &errand, events).await;
    let table = match cut.zip(tail) {
        Some(fold) => table(gateway, &admitted, fold, &answers).await,
        None => None,
    };
    complete(gateway, &admitted, answers, table, known, events).await;
    Ok(place)
}

/// Plans on a thread of its own: planning is bounded work, but not for the thread that serves connections.
async fn plan(gateway: &Gateway, admitted: AdmittedQuestion) -> Result<PlannedQuestion, Refusal> {
    let sql = match &admitted.question().ask {
        Ask::Datasets {} => return Ok(PlannedQuestion { admitted, fold: None }),
        Ask::Sql { sql } => sql.clone(),
    };
    let catalogue = Arc::clone(gateway.catalogue());
    let planned = work::blocking(move || {
        let plan = mayag_queries::plan(&sql, &catalogue)?;
        Ok((Arc::new(Cut::new(plan.releases, catalogue)), plan.tail))
    });
    let fold = planned.await.unwrap_or_else(|_| Err(not_planned()))?;
    Ok(PlannedQuestion { admitted, fold: Some(fold) })
}

/// Asks every country and tells what each did as it happens. Sorted by country at the end.
async fn collect(
    gateway: &Arc<Gateway>,
    roster: &mayag_protocol::roster::Roster,
    admitted: &AdmittedQuestion,
    errand: &Errand,
    events: &mut Events,
) -> Vec<CountryAnswer> {
    let mut asked = fanout::ask(gateway, roster, &admitted.question().countries, errand);
    let mut answers = Vec::new();
    while let Some(mut answer) = asked.next().await {
        let ms = millis(answer.took);
        tracing::info!(question = %errand.question, country = %answer.country, outcome = %answer.outcome, ms, "country done");
        events.country(CountryEvent {
            country: answer.country.clone(),
            outcome: answer.outcome,
            ms,
            refusal: answer.refusal.clone(),
            bundle: answer.bundle.take().map(Vec::from),
        });
        answers.push(answer);
    }
    answers.sort_by(|a, b| a.country.cmp(&b.country));
    answers
}

/// The merged table, if any country answered. That there is none although one did is the operator's to find out; the
/// desk sees a completion without a result, and has the signed parts.
async fn table(
    gateway: &Gateway,
    admitted: &AdmittedQuestion,
    (cut, tail): (Arc<Cut>, Tail),
    answers: &[CountryAnswer],
) -> Option<Table> {
    let answered: Vec<_> = answers
        .iter()
        .filter(|answer| answer.outcome.answered())
        .map(|answer| (answer.country.clone(), answer.parts.clone()))
        .collect();
    if answered.is_empty() {
        return None;
    }
    let question = admitted.question().id.clone();
    let label =
        Label { question: question.clone(), answered: answered.len(), asked: answers.len() };
    let began = Instant::now();
    let table =
        merge::table(cut, tail, answered, label, gateway.tails(), gateway.config().limits.tail)
            .await;
    tracing::info!(%question, ms = millis(began.elapsed()), "merged");
    table.inspect_err(|fault| tracing::error!(%question, %fault, "no result")).ok()
}

/// Logs what is handed out, signs it, and only then says that it is complete. A log that cannot be written leaves the
/// stream without its last event: nothing in it may be taken for the answer then.
async fn complete(
    gateway: &Arc<Gateway>,
    admitted: &AdmittedQuestion,
    answers: Vec<CountryAnswer>,
    table: Option<Table>,
    known: &Known,
    events: &mut Events,
) {
    let (asked, answered) =
        (answers.len(), answers.iter().filter(|answer| answer.outcome.answered()).count());
    let result = table.as_ref().map(|table| sha256(&table.bytes));
    let entry = Entry {
        decision: Some(format!("answered {answered} of {asked}")),
        result: result.clone(),
        cells: table.as_ref().map(|table| table.rows as u64),
        ..known.entry(Operation::Released)
    };
    let Some(receipt) = gateway.log(entry).await else { return };
    let countries = answers.into_iter().map(|answer| CountryOutcome {
        country: answer.country,
        outcome: answer.outcome,
        answer_digest: answer.digest,
    });
    let release = Release {
        v: 1,
        question: admitted.question().id.clone(),
        question_digest: admitted.digest().clone(),
        gateway: gateway.identity().clone(),
        issued_at: gateway.clock().now(),
        countries: countries.collect(),
        result,
        log: receipt.position().clone(),
    };
    let Ok(payload) = serde_json::to_vec(&release) else { return };
    let release = Envelope::seal(PayloadType::Release, payload, gateway.answer_key()).to_bytes();
    tracing::info!(question = %admitted.question().id, answered, asked, "released");
    events.complete(Completion {
        answered,
        asked,
        result: table.map(|table| table.bytes),
        release,
    });
}

/// Logs that a question arrived, before anybody is asked. The nonce in the entry is what a restart remembers.
async fn log_received(
    gateway: &Arc<Gateway>,
    planned: PlannedQuestion,
    known: &Known,
) -> Result<ReceivedQuestion, Refusal> {
    match gateway.log(known.entry(Operation::Received)).await {
        Some(logged) => Ok(ReceivedQuestion { planned, _logged: logged }),
        None => Err(log_unavailable()),
    }
}

/// Logs a refusal. If that fails, the caller learns only that the log cannot be written.
async fn log_refused(gateway: &Arc<Gateway>, known: &Known, refusal: Refusal) -> Refusal {
    let entry = Entry {
        decision: Some(refusal.code.to_string()),
        rule: Some(refusal.rule.clone()),
        ..known.entry(Operation::Refused)
    };
    tracing::info!(question = known.question.as_ref().map(tracing::field::display), code = %refusal.code, "refused");
    if gateway.log(entry).await.is_some() { refusal } else { log_unavailable() }
}

impl Known {
    fn entry(&self, operation: Operation) -> Entry {
        Entry {
            question: self.question.clone(),
            question_digest: Some(self.digest.clone()),
            nonce: self.nonce.clone(),
            person: Some(sha256(self.caller.to_string().as_bytes())),
            purpose: self.purpose,
            ..Entry::new(operation)
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn busy() -> Refusal {
    Refusal::new(
        Code::Busy,
        "questions-at-once",
        "wait for the questions that are running, then ask again",
    )
}

fn not_planned() -> Refusal {
    Refusal::new(Code::SqlNotReadable, "planner", "write the question in another way")
}

fn log_unavailable() -> Refusal {
    Refusal::new(
        Code::LogUnavailable,
        "log",
        "ask again later; the gateway's operator has been told",
    )
}
