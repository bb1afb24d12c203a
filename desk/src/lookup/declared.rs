//! Declared lookups: identifiers sealed to nodes that may be told them, and what the nodes answer.
//!
//! One question asks one table of each country; several tables of a country are several questions, so that none is refused for
//! another. Every question has a salt and a key of its own. What a node answers is believed as far as it found the positive
//! control: that shows that it looked in a table that is what it should be, and not that it says all it knows.

use super::answer::{OfTable, Reason, SentLookup};
use super::compare::{Words, said};
use super::line::{Gathered, Lookups, Prepared, receipt};
use super::opening::{Sealing, Secret};
use super::plan::{Choice, ChosenDeclared};
use super::{Declaring, Identifiers, LookupError, Progress, Watch};
use crate::ask::{self, AskError, report};
use crate::connection::Sent;
use crate::desk::{DeskError, Request};
use crate::verify::{Checked, CountryAnswer};
use mayag_audit::detail::{RecipientKey, RecipientSecret};
use mayag_audit::keys::{random_question_id, random_secret, sha256};
use mayag_audit::sealed;
use mayag_matching::declared::{Declaration, answered};
use mayag_protocol::answer::{Bundle, Decision};
use mayag_protocol::lookup::{
    DeclaredSearch, DeclaredTable, DeclaredTarget, declared_at_once, declared_elements,
};
use mayag_protocol::names::{Country, QuestionId};
use mayag_protocol::outcome::Outcome;
use mayag_protocol::question::Ask;
use mayag_protocol::refusal::{Code, Refusal};
use mayag_protocol::timestamp::Timestamp;
use zeroize::Zeroizing;

/// A question that was signed, and what opens its answers.
struct Declared {
    prepared: Prepared,
    search: DeclaredSearch,
    question: QuestionId,
    reply: RecipientSecret,
}

/// What each country said, or why it said nothing.
type AllSaid = Vec<(Country, Result<OfTable, Reason>)>;

/// What came of one question.
enum Round {
    /// The gateway refused it.
    Refused(Refusal),
    /// It was answered.
    Said(AllSaid, Box<SentLookup>),
}

impl Lookups<'_> {
    /// Asks the declared tables that were chosen. Returns the refusal of the gateway if nothing at all was asked before.
    pub(super) async fn search_declared(
        &mut self,
        request: &Request,
        choice: &mut Choice,
        identifiers: &Identifiers,
        gathered: &mut Gathered,
        watch: Watch<'_>,
    ) -> Result<Option<Refusal>, LookupError> {
        let mut rest = self.with_keys(choice);
        let mut all_said = AllSaid::new();
        while !rest.is_empty() {
            let (round, later) = in_one_question(rest, identifiers);
            rest = later;
            let told: Vec<Declaring<'_>> = round.iter().map(ChosenDeclared::told).collect();
            watch(Progress::Declaring { tables: &told });
            let asked = self.ask_round(request, &round, identifiers, watch).await;
            match asked {
                Ok(Round::Said(said, sent)) => {
                    all_said.extend(said);
                    gathered.sent.push(*sent);
                }
                Ok(Round::Refused(refusal)) if gathered.sent.is_empty() => {
                    return Ok(Some(refusal));
                }
                Err(error) if gathered.sent.is_empty() => return Err(error),
                // What was answered before is not lost for what was not.
                Ok(Round::Refused(refusal)) => {
                    for one in round.iter().chain(&rest) {
                        choice.lacks(&one.country, Reason::Refused(refusal.clone()));
                    }
                    break;
                }
                Err(error) => {
                    let reason = lost(&error);
                    for one in round.iter().chain(&rest) {
                        choice.lacks(&one.country, reason.clone());
                    }
                    break;
                }
            }
        }
        settle(all_said, choice, gathered);
        Ok(None)
    }

    /// Asks one table of each of these countries.
    async fn ask_round(
        &mut self,
        request: &Request,
        round: &[ChosenDeclared],
        identifiers: &Identifiers,
        watch: Watch<'_>,
    ) -> Result<Round, LookupError> {
        let declared = self.declare(request, round, identifiers)?;
        let body = Sent::Lookup(declared.prepared.body.clone());
        let mut asked = |progress: ask::Progress<'_>| watch(Progress::Question(progress));
        let checked = self.desk.exchange(&declared.prepared.signed, body, &mut asked).await?;
        let (countries, release) = match checked {
            Checked::Refused(refusal) => return Ok(Round::Refused(refusal)),
            Checked::Complete { countries, release, .. } => (countries, release),
        };
        let mut all_said = Vec::with_capacity(round.len());
        for (chosen, answer) in round.iter().zip(&countries) {
            let said = self.read(request, &declared, chosen, answer, identifiers).await;
            // One that cannot be read takes nothing from what the others said.
            all_said.push((chosen.country.clone(), said.unwrap_or_else(|error| Err(lost(&error)))));
        }
        let Prepared { signed, sealed, elements, .. } = declared.prepared;
        let sent = SentLookup {
            receipt: receipt(&signed, &countries, release),
            question: signed.question.id,
            elements,
            outcomes: countries.iter().map(report).collect(),
            sealed,
        };
        Ok(Round::Said(all_said, Box::new(sent)))
    }

    /// The chosen tables of nodes that something can be sealed to.
    fn with_keys(&self, choice: &mut Choice) -> Vec<ChosenDeclared> {
        let chosen = std::mem::take(&mut choice.declared);
        let (with, without): (Vec<_>, Vec<_>) =
            chosen.into_iter().partition(|one| self.sealing_key(&one.country).is_some());
        for one in without {
            choice.lacks(&one.country, Reason::NoEpoch);
        }
        with
    }

    /// The key that the roster lists for the node of a country.
    fn sealing_key(&self, country: &Country) -> Option<RecipientKey> {
        let key = self.desk.roster().node(country)?.sealing_key.as_ref()?;
        RecipientKey::try_from(key).ok()
    }

    /// Seals to the nodes and, for the auditors, keeps what was sealed, and only then signs.
    fn declare(
        &self,
        request: &Request,
        chosen: &[ChosenDeclared],
        identifiers: &Identifiers,
    ) -> Result<Declared, LookupError> {
        let id = random_question_id().map_err(DeskError::from)?;
        let salt = Zeroizing::new(random_secret().map_err(DeskError::from)?);
        let reply = RecipientSecret::passing().map_err(|_| LookupError::NotSealed)?;
        let rules = identifiers.rules();
        let texts = identifiers.elements();
        let declaration = Declaration::new(&rules, salt.clone(), reply.public().to_bytes(), texts)?;
        let sealing = Sealing {
            question: &id,
            analyst: &self.desk.profile().identity,
            secret: Secret::Declared(&salt),
            rules: &rules,
            identifiers: texts.iter().map(AsRef::as_ref).collect(),
        };
        let file = sealing.seal(&self.auditors()?).map_err(|_| LookupError::NotSealed)?;
        let sealed = self.keep(&id, &file)?;
        let target = |one: &ChosenDeclared| DeclaredTarget {
            country: one.country.clone(),
            table: one.entry.table.clone(),
        };
        let mut search = DeclaredSearch {
            identifiers: rules.kind.clone(),
            rules: rules.version,
            elements: declaration.elements(),
            sealed: sha256(b""),
            commitment: declaration.commitment(&rules),
            opening: sha256(&file),
            targets: chosen.iter().map(target).collect(),
        };
        let plain = declaration.to_bytes();
        let mut beside = Vec::with_capacity(search.beside_bytes());
        for one in chosen {
            let key = self.sealing_key(&one.country).ok_or(LookupError::NotSealed)?;
            let info =
                search.part_info((&id, &self.desk.profile().identity), &one.node, &one.entry.table);
            let part = sealed::seal(&key, &info, &plain).map_err(|_| LookupError::NotSealed)?;
            beside.extend(part);
        }
        search.sealed = sha256(&beside);
        let countries = Some(chosen.iter().map(|one| one.country.clone()).collect());
        let ask = Ask::Declared { search: search.clone() };
        let signed =
            self.desk.sign_as(id.clone(), &Request { ask, countries, ..request.clone() })?;
        let bundle = Bundle { envelope: signed.bytes.clone(), parts: vec![beside] };
        let body = bundle.to_bytes().map_err(|_| LookupError::NotSealed)?;
        let elements = search.elements;
        let prepared = Prepared { signed, body, sealed, elements };
        Ok(Declared { prepared, search, question: id, reply })
    }

    /// What a country says, or why it says nothing.
    async fn read(
        &mut self,
        request: &Request,
        declared: &Declared,
        chosen: &ChosenDeclared,
        answer: &CountryAnswer,
        identifiers: &Identifiers,
    ) -> Result<Result<OfTable, Reason>, LookupError> {
        let Some((built_at, sealed)) = sealed_by(answer) else {
            let refusal = report(answer).refusal;
            return Ok(Err(refusal.map_or(Reason::Outcome(answer.outcome), Reason::Refused)));
        };
        let entry = if built_at == chosen.entry.built_at {
            chosen.entry.clone()
        } else {
            let since = match self.directory_now(request, &chosen.country).await? {
                Ok(since) => since,
                Err(reason) => return Ok(Err(reason)),
            };
            let same = |entry: &&DeclaredTable| {
                entry.table == chosen.entry.table && entry.built_at == built_at
            };
            match since.declared.iter().find(same) {
                Some(entry) => entry.clone(),
                None => return Ok(Err(Reason::Index)),
            }
        };
        let Declared { search, question, reply, .. } = declared;
        let info = search.answer_info(question, &chosen.node, &entry.table);
        let opened = sealed::open(reply, &info, sealed).ok();
        let read = opened.and_then(|bytes| answered(identifiers.elements().len(), &bytes));
        let Some(answered) = read else { return Ok(Err(Reason::Unsealed)) };
        let said = said(identifiers, &answered, Words::declared(&entry));
        let DeclaredTable { table, left_out, may_be_silent, .. } = entry;
        Ok(Ok(OfTable { table, left_out, may_be_silent, said }))
    }
}

/// Puts what each table said in its place. What may not be searched is no part of what was asked, as long as something else may.
fn settle(all_said: AllSaid, choice: &mut Choice, gathered: &mut Gathered) {
    let mut not_shared = Vec::new();
    for (country, said) in all_said {
        match said {
            Ok(of) => gathered.all.entry(country).or_default().push(of),
            Err(Reason::Refused(refusal)) if refusal.code == Code::TableNotShared => {
                not_shared.push((country, refusal));
            }
            Err(reason) => choice.lacks(&country, reason),
        }
    }
    for (country, refusal) in not_shared {
        if !gathered.all.contains_key(&country) {
            choice.lacks(&country, Reason::Refused(refusal));
        }
    }
}

/// Why nothing is known of countries whose question broke. What does not verify stays an alarm.
pub(super) fn lost(error: &LookupError) -> Reason {
    match error {
        LookupError::Ask(AskError::Verification(_)) => Reason::Unsealed,
        LookupError::Ask(AskError::TimedOut) => Reason::Outcome(Outcome::TimedOut),
        LookupError::Ask(AskError::Connection(_)) => Reason::Outcome(Outcome::Unreachable),
        LookupError::Ask(
            AskError::NoResources | AskError::NoTable(_) | AskError::Tail(_) | AskError::Stream(_),
        ) => Reason::Outcome(Outcome::Failed),
        // Before anything was sent.
        LookupError::Ask(AskError::Desk(_))
        | LookupError::Batch(_)
        | LookupError::Declaration(_)
        | LookupError::Files(_)
        | LookupError::Kinds
        | LookupError::NoAuditor(_)
        | LookupError::NoFolder
        | LookupError::NoResources
        | LookupError::NotSealed
        | LookupError::TooMany { .. } => Reason::Outcome(Outcome::NotAsked),
        LookupError::Memory(_) => Reason::Unfetched,
    }
}

/// One table of each country, and not more countries than go into one question; and the rest.
fn in_one_question(
    all: Vec<ChosenDeclared>,
    identifiers: &Identifiers,
) -> (Vec<ChosenDeclared>, Vec<ChosenDeclared>) {
    let elements = declared_elements(identifiers.elements().len()).unwrap_or_default();
    let most = declared_at_once(elements).max(1);
    let (mut round, mut later) = (Vec::<ChosenDeclared>::new(), Vec::new());
    for one in all {
        let another = round.last().is_none_or(|last| last.country != one.country);
        if another && round.len() < most {
            round.push(one);
        } else {
            later.push(one);
        }
    }
    (round, later)
}

fn sealed_by(country: &CountryAnswer) -> Option<(Timestamp, &[u8])> {
    match &country.answer.as_ref()?.decision {
        Decision::Declared { built_at, .. } => Some((*built_at, country.parts.first()?)),
        Decision::Answered { .. }
        | Decision::Evaluated { .. }
        | Decision::Failed { .. }
        | Decision::Previewed { .. }
        | Decision::Refused { .. }
        | Decision::Shared { .. }
        | Decision::Tables { .. } => None,
    }
}
