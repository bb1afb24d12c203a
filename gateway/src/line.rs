//! The straight line of a question through the gateway: authenticate -> open -> admit -> plan -> log -> ask -> merge ->
//! log -> sign.
//!
//! Every step is a value that proves the one before: a [`Caller`] is an authenticated analyst, an [`AdmittedQuestion`]
//! comes from admission alone, a [`ReceivedQuestion`] holds the receipt of its log entry, and nobody is asked without
//! one. The gateway decides nothing for a country: it plans only because it must know how to fold what comes back.

use crate::admission::{AdmittedQuestion, Caller, Known};
use crate::answers::Wanted;
use crate::crowd::Place;
use crate::endings::{self, Unended};
use crate::entries::HandedOut;
use crate::events::{Completion, CountryEvent, Events};
use crate::fanout::{self, Asked, CountryAnswer, Errand};
use crate::gateway::Gateway;
use crate::memory::{Held, QuestionMemory, Room};
use crate::merge::{self, Cut, Label, Table, TableLimits};
use crate::receipts;
use crate::sent::Sent;
use crate::work;
use bytes::Bytes;
use http::HeaderValue;
use mayag_audit::entry::ResultClass;
use mayag_audit::keys::sha256;
use mayag_audit::log::commit::Kind;
use mayag_protocol::answer::{CountryOutcome, GatewayRefusal, NoResult, Release};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::forward::{self, Forward};
use mayag_protocol::identity::Identity;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_queries::tail::Tail;
use mayag_transport::party_logs::Logged;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// Copies of a result that are kept until it is taken: as it is, and as text of its line.
const RESULT_COPIES: usize = 3;

/// An admitted question that the gateway knows how to fold.
#[derive(Debug)]
struct PlannedQuestion {
    admitted: AdmittedQuestion,
    wanted: Wanted,
    /// What is done with the cells, where cells are asked for.
    tail: Option<Tail>,
}

/// A planned question that is in the log. Nobody is asked without it.
#[derive(Debug)]
struct ReceivedQuestion {
    planned: PlannedQuestion,
    logged: Logged,
    unended: Unended,
}

/// What a question takes until its caller has read everything: its place in the crowd, and memory.
#[derive(Debug)]
pub(crate) struct Taken {
    _place: Place,
    _answers: Vec<Room>,
    _result: Option<Held>,
}

/// Carries one question from its first byte to its last event. What it returns is to be kept until the caller has read
/// everything.
pub(crate) async fn carry(
    gateway: Arc<Gateway>,
    peer: Identity,
    sent: Sent,
    events: &mut Events,
) -> Option<Taken> {
    let mut known = Known::of_connection(&peer, &sent.envelope);
    match straight(&gateway, &peer, sent, &mut known, events).await {
        Ok(taken) => Some(taken),
        Err(refusal) => {
            refuse(&gateway, &known, refusal, events).await;
            None
        }
    }
}

/// The line. A refusal ends it before anybody was asked.
async fn straight(
    gateway: &Arc<Gateway>,
    peer: &Identity,
    sent: Sent,
    known: &mut Known,
    events: &mut Events,
) -> Result<Taken, Refusal> {
    let roster = gateway.roster();
    let caller = Caller::authenticate(peer, &roster)?;
    let place = gateway.crowd().enter(caller.identity()).ok_or_else(busy)?;
    let signed = caller.open(&sent.envelope, &roster, known)?;
    let now = gateway.clock().now();
    let admitted = signed.admit(gateway.identity(), &roster, gateway.nonces(), now, known)?;
    if !sent.belongs_to(admitted.question()) {
        return Err(not_beside());
    }
    let planned = plan(gateway, admitted).await?;
    let limits = &gateway.config().limits;
    let countries = planned.admitted.question().countries.len();
    let memory = QuestionMemory::new(gateway.memory(), limits.question_memory, countries)
        .map_err(|_| busy())?;
    let received = log_received(gateway, planned, known).await?;

    let forward = forward(gateway, &received)?;
    let ReceivedQuestion { planned, mut unended, .. } = received;
    let PlannedQuestion { admitted, wanted, tail } = planned;
    let question = admitted.question();
    let wait = question.expires_at.since(now).min(limits.deadline);
    let errand = Errand {
        question: question.id.clone(),
        digest: admitted.digest().clone(),
        route: sent.route,
        body: sent.body,
        forward,
        wanted,
        deadline: Instant::now() + wait,
    };
    events.accepted(question.id.clone(), now.plus(wait), question.countries.clone());
    let mut asked = fanout::ask(gateway, &roster, &question.countries, &errand, &memory);
    let mut answers = collect(&mut asked, &errand, &mut unended, events).await;
    let rooms = answers.iter_mut().filter_map(|answer| answer.room.take()).collect();
    let table = match (&errand.wanted, tail) {
        (Wanted::Cells(cut), Some(tail)) => {
            table(gateway, &admitted, (Arc::clone(cut), tail), &answers, &memory).await
        }
        (
            Wanted::Cells(_)
            | Wanted::Datasets
            | Wanted::Declared(_)
            | Wanted::Evaluated(_)
            | Wanted::Preview { .. }
            | Wanted::Tables,
            _,
        ) => Made::NotAsked,
    };
    let (table, held) = held(table, &memory);
    complete(gateway, (&admitted, unended), answers, table, known, events).await;
    Ok(Taken { _place: place, _answers: rooms, _result: held })
}

/// Plans on a thread of its own: planning is bounded work, but not for the thread that serves connections.
async fn plan(gateway: &Gateway, admitted: AdmittedQuestion) -> Result<PlannedQuestion, Refusal> {
    let (sql, preview) = match &admitted.question().ask {
        Ask::Datasets {} => {
            return Ok(PlannedQuestion { admitted, wanted: Wanted::Datasets, tail: None });
        }
        Ask::Declared { search } => {
            let wanted = Wanted::Declared(Arc::new(search.clone()));
            return Ok(PlannedQuestion { admitted, wanted, tail: None });
        }
        Ask::Lookup { search } => {
            let wanted = Wanted::Evaluated(Arc::new(search.clone()));
            return Ok(PlannedQuestion { admitted, wanted, tail: None });
        }
        Ask::Tables {} => {
            return Ok(PlannedQuestion { admitted, wanted: Wanted::Tables, tail: None });
        }
        Ask::Preview { sql } => (sql.clone(), true),
        Ask::Sql { sql } => (sql.clone(), false),
    };
    let catalogue = Arc::clone(gateway.catalogue());
    let planned = work::blocking(move || {
        let plan = mayag_queries::plan(&sql, &catalogue)?;
        Ok(if preview {
            (Wanted::Preview { releases: plan.releases.len() }, None)
        } else {
            (Wanted::Cells(Arc::new(Cut::new(plan.releases, catalogue))), Some(plan.tail))
        })
    });
    let (wanted, tail) = planned.await.unwrap_or_else(|_| Err(not_planned()))?;
    Ok(PlannedQuestion { admitted, wanted, tail })
}

/// Tells what happens as it happens, and nothing of what countries signed: that is handed out once the log says so. Sorted by
/// country at the end.
async fn collect(
    asked: &mut Asked,
    errand: &Errand,
    unended: &mut Unended,
    events: &mut Events,
) -> Vec<CountryAnswer> {
    let mut answers = Vec::new();
    let countries = asked.len();
    while let Some(answer) = asked.next().await {
        let ms = millis(answer.took);
        tracing::info!(question = %errand.question, country = %answer.country, outcome = %answer.outcome, ms, "country done");
        if answer.bundle.is_some() {
            unended.arrived(&answer, countries);
            events.arrived(answer.country.clone(), ms);
        } else {
            events.country(told(&answer, None));
        }
        answers.push(answer);
    }
    answers.sort_by(|a, b| a.country.cmp(&b.country));
    answers
}

fn told(answer: &CountryAnswer, bundle: Option<Bytes>) -> CountryEvent {
    CountryEvent {
        country: answer.country.clone(),
        outcome: answer.outcome,
        ms: millis(answer.took),
        refusal: answer.refusal.clone(),
        bundle: bundle.map(Vec::from),
    }
}

/// What became of the cells.
enum Made {
    /// No cells were asked for, or no country sent any.
    NotAsked,
    /// They are a table.
    Table(Table),
    /// They are not, and why. The rest of the reason is the operator's to find out.
    Nothing(NoResult),
}

/// The merged table, if any country answered.
async fn table(
    gateway: &Gateway,
    admitted: &AdmittedQuestion,
    (cut, tail): (Arc<Cut>, Tail),
    answers: &[CountryAnswer],
    memory: &QuestionMemory,
) -> Made {
    let answered: Vec<_> = answers
        .iter()
        .filter(|answer| answer.outcome.answered())
        .map(|answer| answer.parts.clone())
        .collect();
    if answered.is_empty() {
        return Made::NotAsked;
    }
    let question = admitted.question().id.clone();
    let label =
        Label { question: question.clone(), answered: answered.len(), asked: answers.len() };
    let limits = TableLimits {
        places: gateway.tails(),
        memory: memory.rest(),
        time: gateway.config().limits.tail,
    };
    let began = Instant::now();
    let table = merge::table(cut, tail, answered, label, limits).await;
    tracing::info!(%question, ms = millis(began.elapsed()), "merged");
    match table {
        Ok(table) => Made::Table(table),
        Err(fault) => {
            tracing::error!(%question, %fault, "no result");
            Made::Nothing(fault.word())
        }
    }
}

/// A table is kept until the caller has taken it, as itself and as a line.
fn held(made: Made, memory: &QuestionMemory) -> (Made, Option<Held>) {
    let Made::Table(table) = &made else { return (made, None) };
    match memory.rest().hold(table.bytes.len().saturating_mul(RESULT_COPIES)) {
        Ok(held) => (made, Some(held)),
        Err(_) => (Made::Nothing(NoResult::TooMuchMemory), None),
    }
}

/// Logs what is handed out, and only then hands it out, signed. A log that cannot be written leaves the stream without
/// anything that a country signed.
async fn complete(
    gateway: &Arc<Gateway>,
    (admitted, unended): (&AdmittedQuestion, Unended),
    mut answers: Vec<CountryAnswer>,
    made: Made,
    known: &Known,
    events: &mut Events,
) {
    let (asked, answered) =
        (answers.len(), answers.iter().filter(|answer| answer.outcome.answered()).count());
    let (table, no_result) = match made {
        Made::NotAsked => (None, None),
        Made::Table(table) => (Some(table), None),
        Made::Nothing(why) => (None, Some(why)),
    };
    let result = table.as_ref().map(|table| sha256(&table.bytes));
    let out = HandedOut {
        answers: &answers,
        result: result.as_ref(),
        cells: table.as_ref().map(|table| table.rows as u64),
        no_result,
        otherwise: match &admitted.question().ask {
            Ask::Declared { .. } | Ask::Lookup { .. } => ResultClass::Evaluated,
            Ask::Datasets {} | Ask::Preview { .. } | Ask::Sql { .. } | Ask::Tables {} => {
                ResultClass::Catalogue
            }
        },
    };
    let Ok(entry) = known.released(gateway, &out) else { return };
    let Some(logged) = unended.end(entry).await else { return };
    receipts::promise(gateway, &known.caller, &logged);
    for answer in &mut answers {
        if let Some(bundle) = answer.bundle.take() {
            events.country(told(answer, Some(bundle)));
        }
    }
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
        no_result,
        log: logged.position().clone(),
    };
    let Ok(payload) = serde_json::to_vec(&release) else { return };
    let release = Envelope::seal(PayloadType::Release, payload, gateway.answer_key()).to_bytes();
    tracing::info!(question = %admitted.question().id, answered, asked, "released");
    events.complete(Completion {
        answered,
        asked,
        result: table.map(|table| table.bytes),
        no_result,
        release,
    });
}

/// Logs that a question arrived, before anybody is asked. The nonce in the entry is what a restart remembers.
async fn log_received(
    gateway: &Arc<Gateway>,
    planned: PlannedQuestion,
    known: &Known,
) -> Result<ReceivedQuestion, Refusal> {
    let entry = known.received(gateway).map_err(|_| log_unavailable())?;
    let end = known.abandoned(gateway).map_err(|_| log_unavailable())?;
    match endings::begin(gateway, entry, known.content(), end).await {
        Some((logged, unended)) => Ok(ReceivedQuestion { planned, logged, unended }),
        None => Err(log_unavailable()),
    }
}

/// What the nodes are told of the entry that says that the question arrived: signed, so that each of them can show it.
fn forward(gateway: &Gateway, received: &ReceivedQuestion) -> Result<HeaderValue, Refusal> {
    let forward = Forward {
        v: 1,
        question_digest: received.planned.admitted.digest().clone(),
        gateway: gateway.identity().clone(),
        issued_at: gateway.clock().now(),
        log: received.logged.position().clone(),
    };
    let payload = serde_json::to_vec(&forward).map_err(|_| log_unavailable())?;
    let envelope = Envelope::seal(PayloadType::Forward, payload, gateway.answer_key());
    let header = forward::to_header(&envelope.to_bytes());
    HeaderValue::try_from(header).map_err(|_| log_unavailable())
}

/// Logs a refusal, signs it and tells it. If it cannot be logged, the caller learns only that the log cannot be written.
async fn refuse(gateway: &Arc<Gateway>, known: &Known, refusal: Refusal, events: &mut Events) {
    let id = known.question.as_ref().map(|question| &question.id);
    tracing::info!(question = id.map(tracing::field::display), code = %refusal.code, "refused");
    let logged = match known.refused(gateway, &refusal) {
        Ok(entry) => gateway.log(Kind::Record, entry, known.content()).await,
        Err(_no_random_bytes) => None,
    };
    let (refusal, log) = match logged {
        Some(logged) => (refusal, Some(logged.position().clone())),
        None => (log_unavailable(), None),
    };
    let signed = GatewayRefusal {
        v: 1,
        question: id.cloned(),
        question_digest: known.digest.clone(),
        gateway: gateway.identity().clone(),
        issued_at: gateway.clock().now(),
        refusal: refusal.clone(),
        log,
    };
    let Ok(payload) = serde_json::to_vec(&signed) else { return };
    let signed = Envelope::seal(PayloadType::Refusal, payload, gateway.answer_key()).to_bytes();
    events.refused(refusal, signed);
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

fn not_beside() -> Refusal {
    let hint = "send what the lookup was signed with beside it";
    Refusal::new(Code::MalformedQuestion, "format", hint)
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
