//! The part of the line that is a declared lookup: decide -> charge -> open -> log -> look up -> write what the owner is told ->
//! seal.
//!
//! Nothing is opened before it is charged, and nothing looked up before the log has it, with what was searched for the auditors to
//! open. Hit, no hit and silent hit take the same steps and give the same lengths.

use super::Asked;
use super::lookups::{charge, names, noticed, other_epoch};
use crate::admission::malformed;
use crate::engine::WorkFailure;
use crate::entries::Decided;
use crate::ledger::Spent;
use crate::node::{Node, unavailable};
use crate::notices::About;
use mayag_audit::detail::RecipientKey;
use mayag_audit::entry::Entry;
use mayag_audit::keys::sha256;
use mayag_audit::log::commit::Kind;
use mayag_audit::sealed;
use mayag_matching::declared::{Declaration, Met, Table};
use mayag_matching::input::Rules;
use mayag_policies::lookups::{LookupPermit, decide_lookup, table_not_shared};
use mayag_protocol::answer::Decision;
use mayag_protocol::identity::Identity;
use mayag_protocol::lookup::{DeclaredSearch, Mode};
use mayag_protocol::names::{Digest, TableName};
use mayag_protocol::question::Question;
use mayag_protocol::refusal::Refusal;
use mayag_transport::party_logs::Logged;
use std::sync::Arc;
use tokio::time::Instant;

/// A declaration that was opened, and what it is answered under.
struct Opened {
    node: Identity,
    table: TableName,
    rules: Rules,
    declaration: Declaration,
    reply: RecipientKey,
}

/// What leaves, and what the log says that the owner was told.
struct Answered {
    sealed: Vec<u8>,
    notice: Digest,
}

/// From a verified lookup to a sealed answer, or a refusal.
pub(super) async fn declared(
    asked: &Asked<'_>,
    search: &DeclaredSearch,
) -> Result<Result<Decided, WorkFailure>, Refusal> {
    let node = asked.node;
    let table = search.table_of(node.country()).ok_or_else(malformed)?;
    let permit = decided(asked, search, table)?;
    let in_service = node.lookups().in_service();
    let live = in_service.declared(table).filter(|live| live.entry.rules == search.rules);
    let live = live.ok_or_else(|| other_epoch(table))?;
    let rows = live.table.len() as u64;

    let (spent, searches) = node.spend_search(charge(asked, search.elements, &[&permit])).await?;
    let opened = open(asked, search, table).ok_or_else(malformed)?;
    let about = noticed(asked, |_| rows, &searches);
    let logged = log(asked, &spent, about, &opened).await?;
    let left = asked.question.question().expires_at.since(asked.now).min(node.longest_work());
    let deadline = Instant::now() + left;
    let work = {
        let (node, table) = (Arc::clone(node), Arc::clone(live.table));
        let (question, search) = (asked.question.question().clone(), search.clone());
        move || answer(&node, &table, &opened, (&question, &search))
    };
    let answered = node.lookups().declare(&permit, (&spent, &logged), work, deadline).await;
    let Answered { sealed, notice } = match answered {
        Ok(answered) => answered.ok_or_else(|| unavailable("notices"))?,
        Err(failure) => return Ok(Err(failure)),
    };
    Ok(Ok(Decided {
        decision: Decision::Declared {
            table: table.clone(),
            built_at: live.entry.built_at,
            answer: sha256(&sealed),
        },
        parts: vec![sealed],
        word: "declared".to_owned(),
        rule: Some(permit.grant()),
        datasets: names(&[table]),
        about: Some(format!("notice {notice}")),
    }))
}

/// The permit. A table that is not declared is refused like one that there is not.
fn decided(
    asked: &Asked<'_>,
    search: &DeclaredSearch,
    table: &TableName,
) -> Result<LookupPermit, Refusal> {
    let (kind, elements) = (&search.identifiers, search.elements);
    let permit = decide_lookup(asked.policy, &asked.subject, asked.now, table, kind, elements)?;
    match permit.table().mode {
        Mode::Declared => Ok(permit),
        Mode::Blinded => Err(table_not_shared(table)),
    }
}

/// Opens what is sealed to this node. `None` if it is another's, or of another question, or not what the question commits to.
fn open(asked: &Asked<'_>, search: &DeclaredSearch, table: &TableName) -> Option<Opened> {
    let config = asked.node.config();
    let question = asked.question.question();
    let node = Identity::node(&config.federation, &config.country);
    let part = search.part_of(asked.node.country(), asked.question.beside())?;
    let info = search.part_info((&question.id, &question.analyst), &node, table);
    let bytes = sealed::open(asked.node.sealing_key()?, &info, part).ok()?;
    let rules = Rules { kind: search.identifiers.clone(), version: search.rules };
    let declaration = Declaration::parse(&rules, &bytes)?;
    let committed = declaration.commitment(&rules) == search.commitment;
    if !committed || declaration.elements() != search.elements {
        return None;
    }
    let reply = RecipientKey::from_bytes(declaration.reply()).ok()?;
    Some(Opened { node, table: table.clone(), rules, declaration, reply })
}

/// Logs that a lookup is about to be answered, with what was searched in the detail. Nothing is looked up without the receipt.
async fn log(
    asked: &Asked<'_>,
    spent: &Spent,
    about_it: Option<String>,
    opened: &Opened,
) -> Result<Logged, Refusal> {
    let Asked { node, in_force, about, .. } = asked;
    let entry = about.admitted(node, in_force, Some(spent), &names(&[&opened.table]));
    let entry = entry.map_err(|_| unavailable("log"))?;
    let entry = Entry { about: about_it, ..entry };
    let searched = opened.declaration.texts().map(ToOwned::to_owned).collect();
    let content = about.content().map(|content| content.with_searched(searched));
    node.log(Kind::Question, entry, content).await.ok_or_else(|| unavailable("log"))
}

/// Looks up, tells the owner durably, and seals. `None` if the owner could not be told: then nothing leaves.
fn answer(
    node: &Node,
    table: &Table,
    opened: &Opened,
    (question, search): (&Question, &DeclaredSearch),
) -> Option<Answered> {
    let Opened { rules, declaration, reply, .. } = opened;
    let (verdicts, met) = table.answer(rules, declaration);
    let searched: Vec<(&str, Met)> = declaration.texts().zip(met).collect();
    let about = About::new(node.clock().now(), question, opened.table.clone());
    let written = node.notices().write(&about, &searched, search.elements);
    let notice = written
        .inspect_err(|error| tracing::error!(%error, "the owner of a declared table cannot be told: nothing is answered"))
        .ok()?;
    let info = search.answer_info(&question.id, &opened.node, &opened.table);
    let sealed = sealed::seal(reply, &info, &verdicts).ok()?;
    Some(Answered { sealed, notice })
}
