//! What was in force when it was last logged: roster, keys, configuration. Whatever differs becomes an entry.

use super::{PartyLogs, PartyLogsError};
use crate::files::{self, Mode};
use mayag_audit::entry::{Entry, Type};
use mayag_audit::keys::sha256;
use mayag_audit::log::commit::Kind;
use mayag_audit::party::{self, Book};
use mayag_protocol::names::{AuditorKey, Digest};
use mayag_protocol::roster::{Member, Roster};
use std::collections::BTreeMap;

/// The file inside the state folder.
const FILE: &str = "noted.json";

/// The longest that is read.
const LONGEST: usize = 64 * 1024;

/// Something that an auditor must be able to see change.
struct Fact {
    /// The type of its entry.
    kind: Type,
    /// What it is, such as `answer`.
    name: &'static str,
    /// What it is now: a digest or a public key, never a secret.
    value: String,
}

/// What is in force for a party of this roster: the roster, the party's keys, and its configuration if its digest is given.
fn facts(roster: &Roster, own: &Member, configuration: Option<&Digest>) -> Vec<Fact> {
    let key = |name, value: String| Fact { kind: Type::Key, name, value };
    let auditors: Vec<&str> = own.auditor_keys.iter().map(AuditorKey::as_str).collect();
    let said = serde_json::to_vec(roster).unwrap_or_default();
    let roster = format!("version {} {}", roster.version, sha256(&said));
    let mut facts = vec![
        Fact { kind: Type::Roster, name: "roster", value: roster },
        key("answer", own.answer_key.to_string()),
        key("log", own.log_key.to_string()),
        key("cosign", own.cosign_key.to_string()),
        key("auditors", auditors.join(" ")),
    ];
    facts.extend(own.sealing_key.as_ref().map(|sealing| key("sealing", sealing.to_string())));
    facts.extend(configuration.map(|digest| Fact {
        kind: Type::Configuration,
        name: "configuration",
        value: digest.to_string(),
    }));
    facts
}

impl PartyLogs {
    /// Logs what is in force under this roster, as far as it is new.
    pub fn note_in_force(
        &self,
        roster: &Roster,
        configuration: Option<&Digest>,
    ) -> Result<(), PartyLogsError> {
        let own = party::members(roster).find(|member| member.identity == self.settings.party);
        let own = own.ok_or_else(|| PartyLogsError::NoAuditor(self.settings.party.clone()))?;
        self.note(&facts(roster, own, configuration))
    }

    /// Logs every fact that is new or another one than when it was last logged. Durable when this returns; a crash in between
    /// logs it again.
    fn note(&self, facts: &[Fact]) -> Result<(), PartyLogsError> {
        let path = self.settings.state.join(FILE);
        let mut noted = self.noted.lock();
        let mut known = match noted.take() {
            Some(known) => known,
            // A file that is gone or damaged makes facts new: they are logged once more than needed.
            None => files::read(&path, LONGEST)
                .ok()
                .and_then(|bytes| serde_json::from_slice(&bytes).ok())
                .unwrap_or_default(),
        };
        let before = known.clone();
        for Fact { kind, name, value } in facts {
            let old = known.insert(format!("{kind} {name}"), value.clone());
            let word = match &old {
                Some(old) if old == value => continue,
                Some(_) => "changed",
                None => "first_seen",
            };
            let entry = Entry {
                about: Some(format!("{name} {value}")),
                decision: Some(word.to_owned()),
                ..Entry::new(*kind, self.settings.clock.now())?
            };
            self.append(Book::Administration, Kind::Record, &entry)?;
        }
        if known != before
            && let Ok(bytes) = serde_json::to_vec(&known)
        {
            files::replace(&path, &bytes, Mode::Public)?;
        }
        *noted = Some(known);
        Ok(())
    }

    /// Logs that something was not taken, and why; what was in force stays.
    pub fn note_refused(&self, kind: Type, why: &str) -> Result<(), PartyLogsError> {
        let entry = Entry {
            decision: Some("kept_old".to_owned()),
            rule: Some(why.to_owned()),
            ..Entry::new(kind, self.settings.clock.now())?
        };
        self.append(Book::Administration, Kind::Record, &entry).map(drop)
    }
}

/// What was logged last, by type and name.
pub(super) type Noted = BTreeMap<String, String>;
