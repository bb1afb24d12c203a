//! The straight line of a question through a node: verify -> plan -> permit -> charge -> log -> execute -> protect ->
//! log -> sign.
//!
//! Every step is a value that proves the one before: a [`VerifiedQuestion`] comes from admission alone, a
//! [`mayag_policies::decide::Permit`] from the decision alone, a [`Spent`] from the durable ledger alone, a
//! [`Logged`] from the durable log alone, and only [`mayag_disclosure::protect_question`] makes what can be serialised. Refusals are signed and logged like answers.

use crate::admission::{self, Carried, TurnedAway, VerifiedQuestion};
use crate::engine::WorkFailure;
use crate::engine::cells::Part;
use crate::entries::{About, Decided};
use crate::ledger::{Budget, Charge, Spent};
use crate::node::{InForce, Node, failure_id, unavailable};
use crate::protecting;
use mayag_audit::keys::sha256;
use mayag_audit::log::commit::Kind;
use mayag_policies::catalogue::Catalogue;
use mayag_policies::decide::{Permit, Subject, decide};
use mayag_policies::document::{self, Policy};
use mayag_policies::shared::shared;
use mayag_protocol::answer::{
    Answer, Bundle, Decision, PreviewedRelease, ReleasePart, logged_text,
};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Sign as _};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Country, DatasetName};
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use mayag_queries::release::Release;
use mayag_transport::party_logs::Logged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

mod declared;
mod lookups;

/// Answers one question that `gateway` carried: an answer, a refusal or a failure, always signed, and always logged
/// before it leaves. `None` only if the log cannot be written any more: then nothing leaves at all.
pub(crate) async fn answer(
    node: &Arc<Node>,
    gateway: &Identity,
    carried: &Carried,
) -> Option<Bundle> {
    let in_force = node.in_force();
    let (about, decided) = match admission::admit(node, in_force.roster(), gateway, carried) {
        Err(turned_away) => {
            let TurnedAway { refusal, about } = *turned_away;
            (about, refused(refusal))
        }
        Ok(question) => {
            let about = About::of(&question);
            let decided = decide_and_work(node, &in_force, &question, &about).await;
            (about, decided.unwrap_or_else(refused))
        }
    };
    seal(node, &in_force, about, decided).await
}

/// A verified question and what it is decided under.
struct Asked<'a> {
    node: &'a Arc<Node>,
    in_force: &'a InForce,
    policy: &'a Policy,
    question: &'a VerifiedQuestion,
    about: &'a About,
    subject: Subject,
    now: Timestamp,
}

/// From a verified question to protected cells or evaluated vectors, or a refusal.
async fn decide_and_work(
    node: &Arc<Node>,
    in_force: &InForce,
    question: &VerifiedQuestion,
    about: &About,
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
    let asked = Asked { node, in_force, policy, question, about, subject, now };
    let (sql, preview) = match &question.question().ask {
        Ask::Datasets {} => {
            log_admitted(node, in_force, about, None, &BTreeSet::new()).await?;
            let datasets = shared(policy, node.catalogue(), &asked.subject, now);
            return Ok(Decided {
                decision: Decision::Shared { datasets },
                parts: Vec::new(),
                word: "shared".to_owned(),
                rule: None,
                datasets: BTreeSet::new(),
                about: None,
            });
        }
        Ask::Declared { search } => {
            return Ok(declared::declared(&asked, search).await?.unwrap_or_else(failed));
        }
        Ask::Lookup { search } => {
            return Ok(lookups::lookup(&asked, search).await?.unwrap_or_else(failed));
        }
        Ask::Tables {} => return lookups::tables(&asked).await,
        Ask::Preview { sql } => (sql.clone(), true),
        Ask::Sql { sql } => (sql.clone(), false),
    };
    node.keep(question, &sql, now);
    let subject = asked.subject;

    let plan = node.plan(sql.clone()).await?;
    // Every release is decided before any is worked on: a refusal says nothing about data.
    let permitted = plan
        .releases
        .into_iter()
        .map(|release| {
            decide(policy, node.catalogue(), &subject, now, &release.shape())
                .map(|permit| (release, permit))
        })
        .collect::<Result<Vec<(Release, Permit)>, Refusal>>();
    let permitted = match permitted {
        Ok(permitted) => permitted,
        Err(refusal) => return Err(node.advised(sql, refusal).await),
    };

    let releases = permitted.iter().map(|(release, _)| &release.dataset);
    let datasets: BTreeSet<DatasetName> =
        releases.flat_map(|dataset| node.catalogue().parts_of(dataset)).collect();
    if preview {
        log_admitted(node, in_force, about, None, &datasets).await?;
        return Ok(Decided { datasets, ..previewed(&permitted) });
    }
    let spent = node.spend(charge(question, subject.country, &permitted, node.catalogue())).await?;
    let logged = log_admitted(node, in_force, about, Some(&spent), &datasets).await?;
    let left = question.question().expires_at.since(now).min(node.longest_work());
    let decided = work(node, &permitted, (&spent, &logged), left).await;
    Ok(Decided { datasets, ..decided.unwrap_or_else(failed) })
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
        datasets: BTreeSet::new(),
        about: None,
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
    _charged_and_logged: (&Spent, &Logged),
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
    let (word, datasets) = ("answered".to_owned(), BTreeSet::new());
    Ok(Decided { decision, parts, word, rule, datasets, about: None })
}

/// Logs that work on a question begins. Nothing executes without the receipt.
async fn log_admitted(
    node: &Arc<Node>,
    in_force: &InForce,
    about: &About,
    spent: Option<&Spent>,
    datasets: &BTreeSet<DatasetName>,
) -> Result<Logged, Refusal> {
    let entry = about.admitted(node, in_force, spent, datasets).map_err(|_| unavailable("log"))?;
    node.log(Kind::Question, entry, about.content()).await.ok_or_else(|| unavailable("log"))
}

/// Logs the end of the line durably, signs it, and only then hands it out.
async fn seal(
    node: &Arc<Node>,
    in_force: &InForce,
    about: About,
    decided: Decided,
) -> Option<Bundle> {
    let entry = about.ended(node, in_force, &decided).ok()?;
    let logged = node.log(Kind::Record, entry, about.content()).await?;
    let Decided { decision, parts, word, .. } = decided;
    let logged_text = logged_text(&about.digest, logged.position());
    let question = about.question.map(|question| question.id);
    tracing::info!(
        question = question.as_ref().map(tracing::field::display),
        decision = word,
        "question decided"
    );
    let answer = Answer {
        v: 1,
        question,
        question_digest: about.digest,
        country: node.country().clone(),
        issued_at: node.clock().now(),
        policy: in_force.policy_version().cloned(),
        decision,
        log: logged.position().clone(),
        logged: Base64(node.answer_key().sign(&logged_text).to_vec()),
    };
    let payload = serde_json::to_vec(&answer).ok()?;
    let envelope = Envelope::seal(PayloadType::Answer, payload, node.answer_key());
    Some(Bundle { envelope: envelope.to_bytes(), parts })
}

fn refused(refusal: Refusal) -> Decided {
    let word = refusal.code.to_string();
    let rule = Some(refusal.rule.clone());
    Decided {
        decision: Decision::Refused { refusal },
        parts: Vec::new(),
        word,
        rule,
        datasets: BTreeSet::new(),
        about: None,
    }
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
        datasets: BTreeSet::new(),
        about: None,
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
