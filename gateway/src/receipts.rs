//! Receipts: what an analyst takes home as proof that this gateway's log holds the answer.
//!
//! An entry goes only to the person whose answer it records, and only to who names its leaf hash: the log cannot be looked
//! through. Until a checkpoint covers the entry there is a promise, signed when the answer was logged; asking again does
//! not move its deadline.

use crate::gateway::Gateway;
use crate::work;
use http::StatusCode;
use mayag_audit::entry::Entry;
use mayag_audit::log::read::{ReadError, Under};
use mayag_audit::party::Book;
use mayag_audit::tree::leaf_hash;
use mayag_protocol::answer::LogPosition;
use mayag_protocol::envelope::Base64;
use mayag_protocol::identity::Identity;
use mayag_protocol::names::Digest;
use mayag_protocol::receipts::{LONGEST_REQUEST, Standing, Wanted};
use mayag_protocol::strict;
use mayag_transport::party_logs::Logged;
use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;

/// Promises that are remembered. A checkpoint is due every second, so that is more answers than one second has.
const KEPT: usize = 4096;

/// The promises of the newest answers.
#[derive(Debug, Default)]
pub(crate) struct Promises(Mutex<VecDeque<Promised>>);

#[derive(Debug)]
struct Promised {
    person: Identity,
    position: LogPosition,
    text: String,
}

impl Promises {
    fn keep(&self, promised: Promised) {
        let mut all = self.0.lock();
        if all.len() == KEPT {
            all.pop_front();
        }
        all.push_back(promised);
    }

    fn of(&self, person: &Identity, position: &LogPosition) -> Option<String> {
        let all = self.0.lock();
        let found =
            all.iter().rev().find(|kept| kept.position == *position && kept.person == *person);
        found.map(|kept| kept.text.clone())
    }
}

/// Promises a checkpoint over an answer that was just logged. Without a promise the answer leaves all the same: the gateway's
/// signed release names the entry too.
pub(crate) fn promise(gateway: &Gateway, person: &Identity, logged: &Logged) {
    let Ok(log) = gateway.logs().log(Book::Questions) else { return };
    if log.origin() != logged.receipt().origin() {
        // A year ended in between; the key of this log does not sign for that one.
        return;
    }
    let signed = log.promise(logged.receipt()).ok();
    if let Some(text) = signed.and_then(|note| String::from_utf8(note.to_bytes()).ok()) {
        let (person, position) = (person.clone(), logged.position().clone());
        gateway.promises().keep(Promised { person, position, text });
    }
}

/// Answers a request for a receipt; a status that is neither 200 nor 409 comes without a body.
pub(crate) async fn answer(
    gateway: &Arc<Gateway>,
    person: Identity,
    body: &[u8],
) -> (StatusCode, Vec<u8>) {
    let Ok(wanted) = strict::parse::<Wanted>(body, LONGEST_REQUEST) else {
        return (StatusCode::BAD_REQUEST, Vec::new());
    };
    let own = Arc::clone(gateway);
    let standing = work::blocking(move || standing(&own, &person, &wanted.log)).await;
    let (status, standing) = match standing {
        Ok(Ok(standing @ Standing::Proven { .. })) => (StatusCode::OK, standing),
        Ok(Ok(standing @ Standing::Promised { .. })) => (StatusCode::CONFLICT, standing),
        Ok(Err(status)) => return (status, Vec::new()),
        Err(_broken) => return (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    };
    match serde_json::to_vec(&standing) {
        Ok(bytes) => (status, bytes),
        Err(_) => (StatusCode::INTERNAL_SERVER_ERROR, Vec::new()),
    }
}

/// What there is for this person at this place. Everything that is not theirs looks like nothing at all.
fn standing(
    gateway: &Gateway,
    person: &Identity,
    position: &LogPosition,
) -> Result<Standing, StatusCode> {
    let log = gateway.logs().log(Book::Questions).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    if log.origin().as_str() != position.origin.as_str() {
        return Err(StatusCode::NOT_FOUND);
    }
    let promised = || {
        let promise = gateway.promises().of(person, position).ok_or(StatusCode::NOT_FOUND)?;
        Ok(Standing::Promised { promise })
    };
    let unread = |error: ReadError| {
        tracing::error!(index = position.index, %error, "no receipt");
        StatusCode::SERVICE_UNAVAILABLE
    };
    // Where witnesses are asked for, a checkpoint counts once they have cosigned it.
    let witnessed = gateway.config().log.witnesses > 0;
    let under = if witnessed { Under::Cosigned } else { Under::Published };
    let receipt = match log.receipt(position.index, under) {
        Ok(receipt) => receipt,
        Err(ReadError::NotYet { .. }) => return promised(),
        Err(
            error @ (ReadError::Malformed { .. }
            | ReadError::Missing { .. }
            | ReadError::Read { .. }
            | ReadError::Tile(_)),
        ) => return Err(unread(error)),
    };
    let entry = log.entry(position.index).map_err(unread)?;
    if Digest::from_bytes(*leaf_hash(&entry).as_bytes()) != position.leaf {
        return Err(StatusCode::NOT_FOUND);
    }
    let about = Entry::parse(&entry).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    if about.actor != Some(gateway.logs().actor(person)) {
        return Err(StatusCode::NOT_FOUND);
    }
    let proof =
        String::from_utf8(receipt.to_bytes()).map_err(|_| StatusCode::SERVICE_UNAVAILABLE)?;
    Ok(Standing::Proven { entry: Base64(entry), proof })
}

#[cfg(test)]
mod tests {
    use super::{KEPT, Promised, Promises};
    use mayag_audit::keys::sha256;
    use mayag_protocol::answer::LogPosition;
    use mayag_protocol::identity::Identity;

    fn place(index: usize, entry: &str) -> LogPosition {
        LogPosition {
            origin: "gateway-1.demo/query-log/2026".parse().unwrap(),
            index: index as u64,
            leaf: sha256(entry.as_bytes()),
        }
    }

    #[test]
    fn a_promise_is_for_one_person_and_one_entry_and_the_oldest_are_forgotten() {
        let [hana, min]: [Identity; 2] = ["hana", "min"]
            .map(|id| format!("spiffe://demo/country/kr/analyst/{id}").parse().unwrap());
        let promises = Promises::default();
        for index in 0..=KEPT {
            let (person, position) = (hana.clone(), place(index, "entry"));
            promises.keep(Promised { person, position, text: index.to_string() });
        }
        assert_eq!(promises.of(&hana, &place(1, "entry")), Some("1".to_owned()));
        assert_eq!(promises.of(&hana, &place(KEPT, "entry")), Some(KEPT.to_string()));
        assert_eq!(promises.of(&hana, &place(0, "entry")), None, "forgotten");
        assert_eq!(promises.of(&hana, &place(1, "other")), None, "another leaf hash");
        assert_eq!(promises.of(&min, &place(1, "entry")), None, "another person");
    }
}
