//! The part of the line that is a blinded lookup: decide every table -> read the vector -> charge -> log -> evaluate.
//!
//! Nothing is evaluated without the permit of every table that is asked, the [`Spent`] of the ledger and the [`Logged`] of the
//! log. What leaves is as long as what came, whoever is found: the node cannot tell.

use super::{Asked, log_admitted};
use crate::admission::malformed;
use crate::engine::WorkFailure;
use crate::entries::Decided;
use crate::ledger::{SearchBudget, SearchCharge, Searches, Spent};
use crate::lookups::InService;
use crate::node::{blocking, unavailable};
use mayag_audit::entry::Entry;
use mayag_audit::keys::sha256;
use mayag_audit::log::commit::Kind;
use mayag_matching::voprf::{Elements, SecretKey};
use mayag_policies::lookups::{LookupPermit, decide_lookup};
use mayag_protocol::answer::Decision;
use mayag_protocol::envelope::Base64;
use mayag_protocol::lookup::{DirectoryEntry, EvaluatedTable, Search, Target};
use mayag_protocol::names::{DatasetName, TableName};
use mayag_protocol::refusal::{Code, Refusal};
use mayag_transport::party_logs::Logged;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tokio::time::Instant;

/// Elements of the smallest lookup: one identifier and the positive control.
const SMALLEST: u32 = 2;

/// Identifiers in two days below which nobody is said to read a table, however small it is.
const UNNOTICED: u64 = 1_000;

/// The part of a table's rows that somebody who searches as many identifiers may be reading.
const PART: u64 = 10;

/// What the log says of a lookup by somebody who may be reading a table.
const MANY: &str = "many_identifiers";

/// A table that is asked and may be: what was published of it stands still for the whole length of the lookup.
struct Permitted<'a> {
    target: &'a Target,
    entry: &'a DirectoryEntry,
}

/// The directory, to whoever may search a table; to everybody else one without a table.
pub(super) async fn tables(asked: &Asked<'_>) -> Result<Decided, Refusal> {
    log_admitted(asked.node, asked.in_force, asked.about, None, &BTreeSet::new()).await?;
    let may_search = asked.policy.tables().into_iter().any(|table| {
        let (name, kind) = (&table.name, &table.kind);
        decide_lookup(asked.policy, &asked.subject, asked.now, name, kind, SMALLEST).is_ok()
    });
    let in_service = asked.node.lookups().in_service();
    let envelope = if may_search { in_service.envelope() } else { in_service.empty() };
    Ok(Decided {
        decision: Decision::Tables { directory: sha256(envelope) },
        parts: vec![envelope.to_vec()],
        word: "tables".to_owned(),
        rule: None,
        datasets: BTreeSet::new(),
        about: None,
    })
}

/// The tables that are asked, and in the same order their keys.
type Live<'a> = (Vec<Permitted<'a>>, Vec<Arc<SecretKey>>);

/// From a verified lookup to evaluated vectors, or a refusal.
pub(super) async fn lookup(
    asked: &Asked<'_>,
    search: &Search,
) -> Result<Result<Decided, WorkFailure>, Refusal> {
    let node = asked.node;
    // Every table is decided before anything is done for one: a refusal says nothing of the others.
    let targets: Vec<&Target> = search.targets_of(node.country()).collect();
    // Sorted. One table under two keys would be two evaluations for one charge.
    if targets.array_windows().any(|[one, next]| one.table == next.table) {
        return Err(malformed());
    }
    let mut permits = Vec::with_capacity(targets.len());
    for target in &targets {
        let (table, kind) = (&target.table, &search.identifiers);
        let elements = search.elements;
        permits.push(decide_lookup(
            asked.policy,
            &asked.subject,
            asked.now,
            table,
            kind,
            elements,
        )?);
    }
    let in_service = node.lookups().in_service();
    let (permitted, keys) = live(asked, search, &targets, &in_service)?;
    let permits: Vec<(LookupPermit, Arc<SecretKey>)> = permits.into_iter().zip(keys).collect();
    let vector = asked.question.beside().to_vec();
    let elements = blocking(move || Elements::parse(&vector)).await;
    let elements = elements.and_then(Result::ok).ok_or_else(malformed)?;

    let all: Vec<&LookupPermit> = permits.iter().map(|(permit, _)| permit).collect();
    let charge = charge(asked, search.elements, &all);
    let (spent, searches) = node.spend_search(charge).await?;
    let rows = |name: &TableName| {
        let table = permitted.iter().find(|table| table.target.table == *name);
        table.map_or(0, |table| table.entry.index.rows)
    };
    let logged = log(asked, &spent, noticed(asked, rows, &searches), &permitted).await?;
    let left = asked.question.question().expires_at.since(asked.now).min(node.longest_work());
    let proofs = (&spent, &logged);
    let deadline = Instant::now() + left;
    let evaluated = node.lookups().evaluate(&permits, proofs, elements, deadline).await;
    let evaluations = match evaluated {
        Ok(evaluations) => evaluations,
        Err(failure) => return Ok(Err(failure)),
    };
    let mut tables = Vec::with_capacity(permitted.len());
    let mut parts = Vec::with_capacity(permitted.len());
    for (evaluation, Permitted { target, entry }) in evaluations.iter().zip(&permitted) {
        let part = evaluation.elements().to_vec();
        tables.push(EvaluatedTable {
            table: target.table.clone(),
            epoch: target.epoch,
            evaluated: sha256(&part),
            proof: Base64(evaluation.proof().to_bytes().to_vec()),
            filter: entry.index.filter.digest.clone(),
            boxes: entry.index.boxes.digest.clone(),
        });
        parts.push(part);
    }
    let grants: Vec<String> = permits.iter().map(|(permit, _)| permit.grant()).collect();
    Ok(Ok(Decided {
        decision: Decision::Evaluated { tables },
        parts,
        word: "evaluated".to_owned(),
        rule: Some(grants.join(",")),
        datasets: names(&tables_of(&permitted)),
        about: None,
    }))
}

/// The tables that are asked as they are published, and their keys.
fn live<'a>(
    asked: &Asked<'_>,
    search: &Search,
    targets: &[&'a Target],
    in_service: &'a InService,
) -> Result<Live<'a>, Refusal> {
    let mut permitted = Vec::with_capacity(targets.len());
    let mut keys = Vec::with_capacity(targets.len());
    for target in targets {
        let table = in_service.live(&target.table, target.epoch, asked.now);
        let table = table.filter(|table| table.entry.rules == search.rules);
        let Some(table) = table else { return Err(other_epoch(&target.table)) };
        permitted.push(Permitted { target, entry: table.entry });
        keys.push(Arc::clone(table.key));
    }
    Ok((permitted, keys))
}

/// What a lookup costs: every element of the vector, in each table. The control's place counts, because the node cannot tell
/// whether there is a control in it.
pub(super) fn charge(asked: &Asked<'_>, elements: u32, permits: &[&LookupPermit]) -> SearchCharge {
    let tables: BTreeMap<_, _> = permits
        .iter()
        .map(|permit| {
            let limits = permit.limits();
            let (person, country, table) = (limits.person, limits.country, limits.table);
            (permit.table().name.clone(), SearchBudget { person, country, table })
        })
        .collect();
    SearchCharge {
        question: asked.question.question().id.clone(),
        person: sha256(asked.question.question().analyst.to_string().as_bytes()),
        country: asked.subject.country.clone(),
        identifiers: u64::from(elements),
        tables,
    }
}

/// Whether the person has now searched so many identifiers in a table, today and yesterday, that they may be reading it: said
/// once, to the operator and in the log. What is refused is what the policy's budgets refuse.
pub(super) fn noticed(
    asked: &Asked<'_>,
    rows: impl Fn(&TableName) -> u64,
    searches: &[Searches],
) -> Option<String> {
    let now_many = |searches: &&Searches| {
        let many = (rows(&searches.table) / PART).max(UNNOTICED);
        searches.before < many && many <= searches.with_it
    };
    let many: Vec<&Searches> = searches.iter().filter(now_many).collect();
    for Searches { table, with_it, before: _ } in &many {
        let actor = asked.node.logs().actor(&asked.question.question().analyst);
        tracing::warn!(%actor, %table, identifiers = with_it, "one person searches many identifiers of a lookup table");
    }
    (!many.is_empty()).then(|| MANY.to_owned())
}

/// Logs that a lookup is evaluated. Nothing is without the receipt.
async fn log(
    asked: &Asked<'_>,
    spent: &Spent,
    noticed: Option<String>,
    permitted: &[Permitted<'_>],
) -> Result<Logged, Refusal> {
    let Asked { node, in_force, about, .. } = asked;
    let tables = names(&tables_of(permitted));
    let entry = about.admitted(node, in_force, Some(spent), &tables);
    let entry = entry.map_err(|_| unavailable("log"))?;
    let entry = Entry { about: noticed, ..entry };
    node.log(Kind::Question, entry, about.content()).await.ok_or_else(|| unavailable("log"))
}

/// The tables, where the log has datasets.
pub(super) fn names(tables: &[&TableName]) -> BTreeSet<DatasetName> {
    tables.iter().filter_map(|table| table.as_str().parse().ok()).collect()
}

fn tables_of<'a>(permitted: &[Permitted<'a>]) -> Vec<&'a TableName> {
    permitted.iter().map(|table| &table.target.table).collect()
}

pub(super) fn other_epoch(table: &TableName) -> Refusal {
    let hint = "ask for the tables again, and prepare the lookup for the epoch and the rules that they have now";
    Refusal::new(Code::OtherEpoch, "epoch", hint).about(table.as_str())
}
