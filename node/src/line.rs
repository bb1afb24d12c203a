//! The straight line of a question through a node: verify -> plan -> permit -> charge -> log -> execute -> protect ->
//! log -> sign.
//!
//! Every step is a value that proves the one before: a [`VerifiedQuestion`] comes from admission alone, a
//! [`mayag_policies::decide::Permit`] from the decision alone, a [`Spent`] from the durable ledger alone, a
//! [`LogReceipt`] from the durable log alone, and only [`mayag_disclosure::protect_question`] makes what can be serialised. Refusals are signed and logged like answers.

use crate::admission::{self, TurnedAway, VerifiedQuestion};
use crate::engine::WorkFailure;
use crate::engine::cells::Part;
use crate::ledger::{Budget, Charge, Spent};
use crate::node::{InForce, Node, failure_id, unavailable};
use crate::protecting;
use mayag_audit::journal::{Entry, LogReceipt, Operation};
use mayag_audit::keys::sha256;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Permit, Subject, decide};
use mayag_policies::document;
use mayag_policies::shared::shared;
use mayag_protocol::answer::{Answer, Bundle, Decision, PreviewedRelease, ReleasePart};
use mayag_protocol::envelope::{Envelope, PayloadType};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, Digest, QuestionId};
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_queries::release::Release;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// What is known of a question once the line has ended, for the log and the signed answer.
struct About {
    digest: Digest,
    question: Option<QuestionId>,
    person: Option<Identity>,
}

/// The end of the line before it is signed.
struct Decided {
    decision: Decision,
    parts: Vec<Vec<u8>>,
    /// The word or code for the log.
    word: String,
    rule: Option<String>,
}

/// Answers one question that `gateway` carried: an answer, a refusal or a failure, always signed, and always logged
/// before it leaves. `None` only if the log cannot be written any more: then nothing leaves at all.
pub(crate) async fn answer(node: &Arc<Node>, gateway: &Identity, body: &[u8]) -> Option<Bundle> {
    let in_force = node.in_force();
    let (about, decided) = match admission::admit(node, in_force.roster(), gateway, body) {
        Err(turned_away) => {
            let TurnedAway { refusal, digest, question, person } = *turned_away;
            (About { digest, question, person }, refused(refusal))
        }
        Ok(question) => {
            let about = About {
                digest: question.digest().clone(),
                question: Some(question.question().id.clone()),
                person: Some(question.question().analyst.clone()),
            };
            (about, decide_and_work(node, &in_force, &question).await.unwrap_or_else(refused))
        }
    };
    seal(node, &in_force, about, decided).await
}

/// From a verified question to protected cells, or a refusal.
async fn decide_and_work(
    node: &Arc<Node>,
    in_force: &InForce,
    question: &VerifiedQuestion,
) -> Result<Decided, Refusal> {
    let policy = in_force.policy().ok_or_else(no_policy)?;
    let country = question.question().analyst.country().ok_or_else(no_policy)?.clone();
    let subject = Subject {
        country,
        roles: question.person().roles.clone(),
        purpose: question.question().purpose,
    };
    let now = node.clock().now();
    node.look_at_end(policy, now);
    let (sql, preview) = match &question.question().ask {
        Ask::Datasets {} => {
            log_admitted(node, in_force, question, None).await?;
            let datasets = shared(policy, node.catalogue(), &subject, now);
            let word = "shared".to_owned();
            return Ok(Decided {
                decision: Decision::Shared { datasets },
                parts: Vec::new(),
                word,
                rule: None,
            });
        }
        Ask::Preview { sql } => (sql.clone(), true),
        Ask::Sql { sql } => (sql.clone(), false),
    };
    node.keep(question, &sql, now);

    let plan = node.plan(sql).await?;
    // Every release is decided before any is worked on: a refusal says nothing about data.
    let permitted = plan
        .releases
        .into_iter()
        .map(|release| {
            decide(policy, node.catalogue(), &subject, now, &release.shape())
                .map(|permit| (release, permit))
        })
        .collect::<Result<Vec<(Release, Permit)>, Refusal>>()?;

    if preview {
        log_admitted(node, in_force, question, None).await?;
        return Ok(previewed(&permitted));
    }
    let spent = node.spend(charge(question, subject.country, &permitted, node.catalogue())).await?;
    let receipt = log_admitted(node, in_force, question, Some(&spent)).await?;
    let left = question.question().expires_at.since(now).min(node.longest_work());
    Ok(work(node, &permitted, (&spent, &receipt), left).await.unwrap_or_else(failed))
}

/// What a question costs: it depends on who asks and on what the question names, never on data.
fn charge(
    question: &VerifiedQuestion,
    country: Country,
    permitted: &[(Release, Permit)],
    catalogue: &Catalogue,
) -> Charge {
    let mut datasets = BTreeMap::new();
    for (release, permit) in permitted {
        // A join is a question to either dataset.
        for dataset in catalogue.parts_of(&release.dataset) {
            let budget = datasets.entry(dataset).or_insert_with(Budget::default);
            *budget = budget.strictest(budget_of(permit));
        }
    }
    Charge {
        question: question.question().id.clone(),
        person: sha256(question.question().analyst.to_string().as_bytes()),
        country,
        datasets,
    }
}

/// What would be answered. Nothing is executed, and nothing is charged.
fn previewed(permitted: &[(Release, Permit)]) -> Decided {
    let release = |(release, permit): &(Release, Permit)| PreviewedRelease {
        dataset: release.dataset.clone(),
        grant: permit.grants(),
        protections: protecting::words(&permit.protections()),
    };
    let releases = permitted.iter().map(release).collect();
    Decided {
        decision: Decision::Previewed { releases },
        parts: Vec::new(),
        word: "previewed".to_owned(),
        rule: Some(grants(permitted)),
    }
}

/// The grants that allow a question, for the log.
fn grants(permitted: &[(Release, Permit)]) -> String {
    permitted.iter().map(|(_, permit)| permit.grants()).collect::<Vec<_>>().join(",")
}

/// Executes and protects every release. Takes the proofs that the question is charged and in the log.
async fn work(
    node: &Arc<Node>,
    permitted: &[(Release, Permit)],
    _charged_and_logged: (&Spent, &LogReceipt),
    left: Duration,
) -> Result<Decided, WorkFailure> {
    let deadline = tokio::time::Instant::now() + left;
    let worked = protecting::work_on(node, permitted, deadline).await?;
    let mut parts = Vec::with_capacity(permitted.len());
    let mut releases = Vec::with_capacity(permitted.len());
    for (part, (_, permit)) in worked.into_iter().zip(permitted) {
        let Part { bytes, cells, listed, suppressed } = part;
        releases.push(ReleasePart {
            digest: sha256(&bytes),
            cells,
            listed,
            suppressed,
            grant: permit.grants(),
            protections: protecting::words(&permit.protections()),
        });
        parts.push(bytes);
    }
    let (decision, rule) = (Decision::Answered { releases }, Some(grants(permitted)));
    Ok(Decided { decision, parts, word: "answered".to_owned(), rule })
}

/// Logs that work on a question begins. Nothing executes without the receipt.
async fn log_admitted(
    node: &Arc<Node>,
    in_force: &InForce,
    question: &VerifiedQuestion,
    spent: Option<&Spent>,
) -> Result<LogReceipt, Refusal> {
    let entry = Entry {
        question: Some(question.question().id.clone()),
        question_digest: Some(question.digest().clone()),
        nonce: Some(question.question().nonce.clone()),
        person: Some(sha256(question.question().analyst.to_string().as_bytes())),
        purpose: Some(question.question().purpose),
        policy: in_force.policy_version().map(|version| version.digest.clone()),
        charges: spent.map(Spent::number),
        ..Entry::new(Operation::Admitted)
    };
    node.log(entry).await.ok_or_else(|| unavailable("log"))
}

/// Logs the end of the line durably, signs it, and only then hands it out.
async fn seal(
    node: &Arc<Node>,
    in_force: &InForce,
    about: About,
    decided: Decided,
) -> Option<Bundle> {
    let Decided { decision, parts, word, rule } = decided;
    let operation = match decision {
        Decision::Refused { .. } => Operation::Refused,
        Decision::Answered { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Shared { .. } => Operation::Answered,
    };
    let cells = match &decision {
        Decision::Answered { releases } => Some(releases.iter().map(|part| part.cells).sum()),
        Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. } => None,
    };
    let digests: String = parts.iter().map(|part| sha256(part).to_string()).collect();
    let entry = Entry {
        question: about.question.clone(),
        question_digest: Some(about.digest.clone()),
        person: about.person.map(|person| sha256(person.to_string().as_bytes())),
        policy: in_force.policy_version().map(|version| version.digest.clone()),
        decision: Some(word.clone()),
        rule,
        result: Some(sha256(digests.as_bytes())),
        cells,
        ..Entry::new(operation)
    };
    let receipt = node.log(entry).await?;
    tracing::info!(
        question = about.question.as_ref().map(tracing::field::display),
        decision = word,
        "question decided"
    );
    let answer = Answer {
        v: 1,
        question: about.question,
        question_digest: about.digest,
        country: node.country().clone(),
        issued_at: node.clock().now(),
        policy: in_force.policy_version().cloned(),
        decision,
        log: receipt.position().clone(),
    };
    let payload = serde_json::to_vec(&answer).ok()?;
    let envelope = Envelope::seal(PayloadType::Answer, payload, node.answer_key());
    Some(Bundle { envelope: envelope.to_bytes(), parts })
}

fn refused(refusal: Refusal) -> Decided {
    let word = refusal.code.to_string();
    let rule = Some(refusal.rule.clone());
    Decided { decision: Decision::Refused { refusal }, parts: Vec::new(), word, rule }
}

/// A failure of the work: the person learns an id, the operator's log the kind of failure under the same id.
fn failed(failure: WorkFailure) -> Decided {
    let id = failure_id();
    tracing::error!(failure = id, kind = ?failure, "work on a question failed");
    let timed_out = matches!(failure, WorkFailure::TimedOut);
    let word = if timed_out { "timed_out" } else { "failed" };
    Decided {
        decision: Decision::Failed { id, timed_out },
        parts: Vec::new(),
        word: word.to_owned(),
        rule: None,
    }
}

/// The budgets that a grant sets.
fn budget_of(permit: &Permit) -> Budget {
    let document::Budget { person, country, dataset } = permit.budget();
    Budget { person, country, dataset }
}

fn no_policy() -> Refusal {
    Refusal::new(Code::NoPolicy, "default-deny", "leave this country out, or ask its administrator")
}
