//! Entries with a detail: sealed to the auditors of the party's country, and on stable storage before the entry is.

use super::{Logged, PartyLogs, PartyLogsError};
use crate::details::DetailsError;
use mayag_audit::detail::{Content, DetailError, Place, RecipientKey, seal};
use mayag_audit::entry::Entry;
use mayag_audit::log::commit::Kind;
use mayag_audit::party::{self, Book};
use mayag_protocol::identity::Identity;
use mayag_protocol::roster::Roster;

impl PartyLogs {
    /// Appends an entry together with its detail. The detail is durable first: a crash between the two leaves one that no
    /// entry names, and never an entry whose detail is missing. If the detail is not kept, there is no entry.
    pub fn append_with_detail(
        &self,
        book: Book,
        kind: Kind,
        mut entry: Entry,
        content: &Content,
    ) -> Result<Logged, PartyLogsError> {
        let plain = content.to_bytes().ok_or(DetailsError::Detail(DetailError::Sealing))?;
        // A detail opens in the log that it was sealed for: no year ends between the two.
        let running = self.current(book)?;
        let detail = self.details.keep(entry.at, |month| {
            let origin = running.log.origin();
            let place = Place { origin, question: entry.question.as_ref(), kind: entry.kind };
            seal(&plain, &place, &self.auditors.read(), Some(month))
        })?;
        entry.detail = Some(detail);
        self.append_to(&running.log, book, kind, &entry)
    }

    /// From now on details are sealed to the auditors that this roster lists. With none, the roster cannot come into force
    /// here.
    pub fn follow(&self, roster: &Roster) -> Result<(), PartyLogsError> {
        *self.auditors.write() = auditors(roster, &self.settings.party)?;
        Ok(())
    }
}

/// Whom the details of a party's entries are sealed to.
pub(super) fn auditors(
    roster: &Roster,
    party: &Identity,
) -> Result<Vec<RecipientKey>, PartyLogsError> {
    let mut members = party::members(roster);
    let none = || PartyLogsError::NoAuditor(party.clone());
    let member = members.find(|member| member.identity == *party).ok_or_else(none)?;
    let keys = member.auditor_keys.iter().map(RecipientKey::try_from);
    let keys: Vec<RecipientKey> = keys.collect::<Result<_, _>>().map_err(|_| none())?;
    if keys.is_empty() { Err(none()) } else { Ok(keys) }
}
