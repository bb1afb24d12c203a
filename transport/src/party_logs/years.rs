//! From one year's log to the next.

use super::{PartyLogsError, PartySettings, Running, read_back, seen};
use crate::details::names;
use crate::log_keeper::LogKeeper;
use mayag_audit::entry::{Entry, Type};
use mayag_audit::log::Log;
use mayag_audit::log::commit::Kind;
use mayag_audit::party::Book;
use std::ops::ControlFlow;
use std::sync::Arc;
use tokio::sync::Notify;

impl PartySettings {
    /// The newest year that a log of this kind began in, up to this one.
    pub(super) fn last_year(&self, book: Book, year: &str) -> Result<String, PartyLogsError> {
        let folder = self.state.join(book.as_str());
        let mut years = names(&folder)?;
        years.retain(|name| name.as_str() <= year);
        let Some(last) = years.pop() else { return Err(PartyLogsError::NotBegun { folder }) };
        // A crash came between making the folders of a year and beginning its log. The log before goes on, if it is whole;
        // without one, and with anything in the folders, beginning is somebody's order.
        match years.pop() {
            Some(before) if self.folders(book, &last).are_blank()? => Ok(before),
            Some(_) | None => Ok(last),
        }
    }

    /// Ends one year's log and begins the next, whose first entry says where the old one ended.
    pub(super) fn go_on(
        &self,
        book: Book,
        old: &mut Running,
        (year, charges): (&str, Option<u64>),
        failed: &Arc<Notify>,
    ) -> Result<Running, PartyLogsError> {
        let log = Arc::clone(&old.log);
        if let Some(Err(error)) = old.keeper.take().map(LogKeeper::stop) {
            tracing::error!(log = %log.origin(), %error, "log ended without its last checkpoint");
        }
        let charges = match charges {
            Some(charges) => Some(charges),
            None => newest_charges(&log)?,
        };
        let previous = log.checkpoint().map(|note| seen(&note)).transpose()?;
        let folders = self.folders(book, year);
        if folders.published.exists() && !folders.are_blank()? {
            // A crash came between beginning it and its first entry.
            tracing::warn!(log = %log.origin(), year, "the log of this year was begun before");
        } else {
            self.begin(book, year)?;
        }
        let next = self.run(book, year, failed)?;
        let entry = Entry { previous, charges, ..Entry::new(Type::Continued, self.clock.now())? };
        next.log.append(Kind::Record, entry.to_bytes()?)?;
        Ok(next)
    }
}

/// The highest number of charges that a log knows of: they only grow, so the newest that says any.
fn newest_charges(log: &Log) -> Result<Option<u64>, PartyLogsError> {
    let mut charges = None;
    read_back(log, &mut |entry| {
        charges = entry.charges;
        if charges.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(charges)
}
