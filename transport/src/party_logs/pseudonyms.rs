//! How entries name people and texts without saying them: keyed digests, under a key that is the party's own.

use super::{PartyLogs, PartyLogsError};
use crate::files::{self, Mode};
use mayag_audit::keys::{Mac, random_secret};
use mayag_protocol::identity::Identity;
use mayag_protocol::names::{Digest, hex, unhex};
use std::path::Path;

/// The file of the key that pseudonyms are made with, inside the state folder.
const PSEUDONYMS: &str = "pseudonyms.key";

impl PartyLogs {
    /// The pseudonym of a person in these logs: HMAC-SHA-256 under a key of the party. Whoever has the key, and nobody else,
    /// finds all entries of a person.
    pub fn actor(&self, person: &Identity) -> Digest {
        self.pseudonym(&person.to_string())
    }

    pub(super) fn pseudonym(&self, person: &str) -> Digest {
        Digest::from_bytes(self.pseudonyms.code(person.as_bytes()))
    }

    /// A keyed digest that is the same for the same text in any entry of this party, and says nothing to anybody else.
    pub fn likeness(&self, what: &str, text: &str) -> Digest {
        Digest::from_bytes(self.pseudonyms.code(format!("{what}\n{text}").as_bytes()))
    }

    /// A commitment to a text that few texts could be, such as a case number, in the entry of one question.
    pub fn commitment(&self, question: &Digest, what: &str, text: &str) -> Digest {
        let message = format!("{question}\n{what}\n{text}");
        Digest::from_bytes(self.pseudonyms.code(message.as_bytes()))
    }
}

/// The key of this party's pseudonyms, made when it is first asked for.
pub(super) fn key(state: &Path) -> Result<Mac, PartyLogsError> {
    let path = state.join(PSEUDONYMS);
    if !path.exists() {
        files::replace(&path, format!("{}\n", hex(&random_secret()?)).as_bytes(), Mode::Secret)?;
    }
    let text = files::read_secret(&path)?;
    let key = unhex(text.trim()).and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
    Ok(Mac::new(&key.ok_or(PartyLogsError::Pseudonyms(path))?))
}
