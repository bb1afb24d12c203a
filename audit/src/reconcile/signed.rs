//! What parties signed for each other, inside entries: a gateway's word to a node that the question is in its log, and a
//! node's word to a gateway that the answer is in its own. Only the owner of the key can have made it, so whoever left the
//! entry out is found out by its own signature, and nobody can be accused by an entry that was made up.

use super::facts::Named;
use crate::keys::Ed25519;
use crate::party::{Book, host};
use crate::records::LogName;
use crate::tree::Hash;
use mayag_protocol::answer::{LogPosition, logged_text};
use mayag_protocol::envelope::{Base64, Envelope, PayloadType, Verify as _};
use mayag_protocol::forward::{self, Forward};
use mayag_protocol::identity::{Identity, Party};
use mayag_protocol::names::{Country, Digest, LogOrigin, PublicKey};
use mayag_protocol::roster::Roster;
use mayag_protocol::strict;
use serde::Serialize;

/// The keys that nodes and gateways sign with, as signed rosters list them. Rosters of a whole year can be added: what was
/// signed with a key of last spring is still signed.
#[derive(Debug, Clone, Default)]
pub struct AnswerKeys(Vec<(Identity, PublicKey)>);

impl AnswerKeys {
    /// Takes in the members of a roster, which the caller has opened.
    pub fn add(&mut self, roster: &Roster) {
        let members = roster.gateways.iter().chain(&roster.nodes);
        let keys = members.map(|member| (member.identity.clone(), member.answer_key.clone()));
        self.0.extend(keys);
    }

    fn of(&self, owns: impl Fn(&Identity) -> bool) -> Vec<PublicKey> {
        let owned = self.0.iter().filter(|(identity, _)| owns(identity));
        owned.map(|(_, key)| key.clone()).collect()
    }
}

/// What is known of a signature inside an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Evidence {
    /// There is none, or none that holds.
    Absent,
    /// There is one, and no roster was given to check it with.
    Unchecked,
    /// It verifies with the party's key.
    Verified,
}

impl Evidence {
    /// What may be said of it behind a finding.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::Absent => "",
            Self::Unchecked => "; the entry holds what the other party is said to have signed",
            Self::Verified => {
                "; the entry holds what the other party signed: the signature verifies"
            }
        }
    }
}

/// Why what a party is said to have signed is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Forged {
    /// Another entry is signed for than the one that is named.
    OtherEntry,
    /// Another party's log is signed for than its own.
    OtherParty,
    /// It is about another question.
    OtherQuestion,
    /// No key that a roster lists for the party made it.
    Signature,
    /// It is no statement.
    Unreadable,
}

impl Forged {
    /// In a few words.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OtherEntry => "it is about another entry than the one that is named",
            Self::OtherParty => "it is about a log of another party than the one that signed",
            Self::OtherQuestion => "it is about another question",
            Self::Signature => "no key that the roster lists for the party made the signature",
            Self::Unreadable => "it cannot be read",
        }
    }
}

/// What a gateway signed, in a node's entry about the question of this digest that names this entry of the gateway.
pub(super) fn statement(
    statement: Option<&Base64>,
    question: Option<&Digest>,
    peer: Option<&LogPosition>,
    keys: &AnswerKeys,
) -> Result<Evidence, Forged> {
    let Some(Base64(bytes)) = statement else { return Ok(Evidence::Absent) };
    let envelope = Envelope::parse(bytes, forward::LONGEST).map_err(|_| Forged::Unreadable)?;
    let said: Forward = strict::parse(envelope.unverified_payload(), forward::LONGEST)
        .map_err(|_| Forged::Unreadable)?;
    if Some(&said.question_digest) != question {
        return Err(Forged::OtherQuestion);
    }
    if Some(&said.log) != peer {
        return Err(Forged::OtherEntry);
    }
    let gateway = matches!(said.gateway.party, Party::Gateway(_));
    if !gateway || !owns(&said.gateway, &said.log.origin) {
        return Err(Forged::OtherParty);
    }
    if keys.0.is_empty() {
        return Ok(Evidence::Unchecked);
    }
    let keys = keys.of(|identity| *identity == said.gateway);
    let opened = envelope.open(PayloadType::Forward, &keys, 1, &Ed25519);
    opened.map(|_| Evidence::Verified).map_err(|_| Forged::Signature)
}

/// What a node signed about its own entry, in a gateway's release.
pub(super) fn answer(
    signed: Option<&Base64>,
    country: &Country,
    question: Option<&Digest>,
    log: Option<&LogPosition>,
    keys: &AnswerKeys,
) -> Result<Evidence, Forged> {
    let Some(Base64(signature)) = signed else { return Ok(Evidence::Absent) };
    let (Some(question), Some(log)) = (question, log) else { return Err(Forged::Unreadable) };
    if keys.0.is_empty() {
        return Ok(Evidence::Unchecked);
    }
    let node = |identity: &Identity| {
        matches!(&identity.party, Party::Node(of) if of == country) && owns(identity, &log.origin)
    };
    let text = logged_text(question, log);
    let verifies = |key: &PublicKey| Ed25519.verify(key, &text, signature);
    if keys.of(node).iter().any(verifies) { Ok(Evidence::Verified) } else { Err(Forged::Signature) }
}

/// Whether this is a log of questions of this party.
fn owns(party: &Identity, log: &LogOrigin) -> bool {
    let name = log.as_str().parse().ok().and_then(|origin| LogName::of(&origin));
    name.is_some_and(|name| {
        name.book() == Some(Book::Questions) && host(party).is_ok_and(|host| host == name.party())
    })
}

/// A place that can be followed, with what is known of the signature under it.
pub(super) fn named(position: LogPosition) -> Option<Named> {
    // A digest that was read is one of 32 bytes.
    let leaf = Hash::try_from(&position.leaf).ok()?;
    Some(Named { origin: position.origin, index: position.index, leaf })
}
